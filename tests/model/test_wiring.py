"""What models compute, in numbers that can be counted on fingers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import RNN, Bidirectional, Call, Case, Dense, SimpleRNN, Spec, judge, reference


def counting(spec: Spec, *calls: Call) -> Case:
    """All weights are 1 and all biases 0: a linear layer adds up what it has seen."""
    shapes = spec.weight_shapes
    weights = tuple(np.zeros(s) if name.endswith(("bh", "bo")) else np.ones(s) for name, s in shapes.items())
    return Case(spec, weights=weights, calls=calls)


def sums(**options: Any) -> SimpleRNN:
    return SimpleRNN(1, "linear", **options)


def steps(*x: float) -> Any:
    return [[[each] for each in x]]


SEQUENCE = {"return_sequences": True}
RULES: list[tuple[str, Spec, list[Call], list[Any]]] = [
    ("it adds up", Spec(1, sums(**SEQUENCE)), [Call(steps(1, 2, 4))], [[1, 3, 7]]),
    ("the last output", Spec(1, sums()), [Call(steps(1, 2, 4))], [[7]]),
    ("backwards, in the order of processing", Spec(1, sums(go_backwards=True, **SEQUENCE)), [Call(steps(1, 2, 4))],
     [[4, 6, 7]]),
    ("a masked step holds", Spec(1, sums(**SEQUENCE), source="mask"),
     [Call(steps(1, 9, 2, 9), mask=[[1, 0, 1, 0]])], [[1, 1, 3, 3]]),
    ("a masked step may hold anything", Spec(1, sums(**SEQUENCE), source="mask"),
     [Call(steps(1, np.nan, 2, np.inf), mask=[[1, 0, 1, 0]])], [[1, 1, 3, 3]]),
    ("zeros at masked steps", Spec(1, sums(zero_output_for_mask=True, **SEQUENCE), source="mask"),
     [Call(steps(1, 9, 2, 9), mask=[[1, 0, 1, 0]])], [[1, 0, 3, 0]]),
    ("zeros, with the last output only too", Spec(1, sums(zero_output_for_mask=True), source="mask"),
     [Call(steps(1, 9), mask=[[1, 0]])], [[0]]),
    ("before the first real step the output is zeros, whatever the initial state",
     Spec(1, sums(initial_state=True, **SEQUENCE), source="mask"),
     [Call(steps(9, 1), mask=[[0, 1]], states=([[10.0]],))], [[0, 11]]),
    ("Masking", Spec(1, sums(**SEQUENCE), source="masking", mask_value=9.0), [Call(steps(1, 9, 2))], [[1, 1, 3]]),
    ("both directions", Spec(1, Bidirectional(sums(**SEQUENCE))), [Call(steps(1, 2, 4))],
     [[[1, 7], [3, 6], [7, 4]]]),
    ("both last outputs", Spec(1, Bidirectional(sums())), [Call(steps(1, 2, 4))], [[7, 7]]),
    ("masked, both directions are zero there", Spec(1, Bidirectional(sums(**SEQUENCE)), source="mask"),
     [Call(steps(1, 9, 4), mask=[[1, 0, 1]])], [[[1, 5], [0, 0], [5, 4]]]),
    ("their sum", Spec(1, Bidirectional(sums(**SEQUENCE), merge_mode="sum")), [Call(steps(1, 2))], [[4, 5]]),
    ("their product", Spec(1, Bidirectional(sums(**SEQUENCE), merge_mode="mul")), [Call(steps(1, 2))], [[3, 6]]),
    ("their mean", Spec(1, Bidirectional(sums(**SEQUENCE), merge_mode="ave")), [Call(steps(1, 2))], [[2, 2.5]]),
    ("a stack", Spec(1, (sums(**SEQUENCE), sums(**SEQUENCE))), [Call(steps(1, 2, 4))], [[1, 4, 11]]),
    ("a stack passes its mask on", Spec(1, (sums(**SEQUENCE), sums(**SEQUENCE)), source="mask"),
     [Call(steps(1, 9, 2), mask=[[1, 0, 1]])], [[1, 1, 4]]),
    ("the mask goes backwards with the outputs",
     Spec(1, (sums(go_backwards=True, **SEQUENCE), sums(**SEQUENCE)), source="mask"),
     [Call(steps(1, 9, 9), mask=[[1, 0, 0]])], [[0, 0, 1]]),
    ("cells in a stack", Spec(1, RNN((1, 1), "linear", **SEQUENCE)), [Call(steps(1, 2, 4))], [[1, 4, 11]]),
    ("a state that stays", Spec(1, sums(stateful=True), N=1), [Call(steps(1, 2)), Call(steps(4))], [[3], [7]]),
    ("and is reset", Spec(1, sums(stateful=True), N=1), [Call(steps(1, 2)), Call(steps(4), reset=True)], [[3], [4]]),
    ("an initial state goes before the one that stays", Spec(1, sums(stateful=True, initial_state=True), N=1),
     [Call(steps(1), states=([[10.0]],)), Call(steps(4), states=([[20.0]],))], [[11], [24]]),
    ("an embedding", Spec(1, sums(**SEQUENCE), source="embedding with mask"), [Call([[1, 0, 2]])], [[1, 1, 2]]),
    ("a head on every step", Spec(1, sums(**SEQUENCE), Dense(1, use_bias=False)), [Call(steps(1, 2))], [[1, 3]]),
    ("one sample after the other", Spec(1, sums()), [Call([[[1.0]], [[2.0]]])], [[1, 2]]),
    ("no sample", Spec(1, sums()), [Call(np.zeros((0, 2, 1)))], [[]]),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "calls", "expected"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_the_rules(spec: Spec, calls: list[Call], expected: list[Any]) -> None:
    shown = reference(counting(spec, *calls))
    for call, wanted in zip(shown.each_call, expected, strict=True):
        assert np.array_equal(np.squeeze(call.outputs), np.squeeze(wanted))
    verdict = judge(counting(spec, *calls), shown)
    assert verdict.equivalent, verdict


@pytest.mark.parametrize(("spec", "calls", "expected"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_the_rules_are_keras_s(spec: Spec, calls: list[Call], expected: list[Any]) -> None:
    pytest.importorskip("tensorflow")
    from pytest_rnnequiv.divergences.keras import concerning
    from pytest_rnnequiv.implementations.keras import KerasCall

    if met := concerning(spec, "keras-call"):
        pytest.skip(f"known divergence of Keras: {met[0]}")
    shown: Any = KerasCall().run(counting(spec, *calls))
    for call, wanted in zip(shown.each_call, expected, strict=True):
        assert np.array_equal(np.squeeze(call.outputs), np.squeeze(wanted))
