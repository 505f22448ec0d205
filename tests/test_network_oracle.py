"""What networks compute, in numbers that can be counted on fingers; and that the oracle says so, and says where not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from network_samples import filled, sequences
from networks import network_case

from pytest_rnnequiv import Precision, judge, reference
from pytest_rnnequiv.model.network import Bidirectional, Head, Layer, Network
from pytest_rnnequiv.model.network_case import Call, NetworkCase
from pytest_rnnequiv.model.trajectory import NetworkTrajectory, ShownCall, ShownLayer


def counting(network: Network, *calls: Call) -> NetworkCase:
    """All weights are 1 and all biases 0: a linear layer adds up what it has seen."""
    shapes = network.weight_shapes
    weights = tuple(np.zeros(s) if name.endswith(("bh", "bo")) else np.ones(s) for name, s in shapes.items())
    return NetworkCase(network, weights, calls)


def sums(**options: Any) -> Layer:
    return Layer(1, "linear", **options)


def steps(*x: float) -> Any:
    return [[[each] for each in x]]


SEQUENCE = {"return_sequences": True}
RULES: list[tuple[str, Network, list[Call], list[Any]]] = [
    ("it adds up", Network(1, sums(**SEQUENCE)), [Call(steps(1, 2, 4))], [[1, 3, 7]]),
    ("the last output", Network(1, sums()), [Call(steps(1, 2, 4))], [[7]]),
    ("backwards, in the order of processing", Network(1, sums(go_backwards=True, **SEQUENCE)), [Call(steps(1, 2, 4))],
     [[4, 6, 7]]),
    ("a masked step holds", Network(1, sums(**SEQUENCE), source="mask"),
     [Call(steps(1, 9, 2, 9), mask=[[1, 0, 1, 0]])], [[1, 1, 3, 3]]),
    ("a masked step may hold anything", Network(1, sums(**SEQUENCE), source="mask"),
     [Call(steps(1, np.nan, 2, np.inf), mask=[[1, 0, 1, 0]])], [[1, 1, 3, 3]]),
    ("zeros at masked steps", Network(1, sums(zero_output_for_mask=True, **SEQUENCE), source="mask"),
     [Call(steps(1, 9, 2, 9), mask=[[1, 0, 1, 0]])], [[1, 0, 3, 0]]),
    ("zeros, with the last output only too", Network(1, sums(zero_output_for_mask=True), source="mask"),
     [Call(steps(1, 9), mask=[[1, 0]])], [[0]]),
    ("before the first real step the output is zeros, whatever the initial state",
     Network(1, sums(initial_state=True, **SEQUENCE), source="mask"),
     [Call(steps(9, 1), mask=[[0, 1]], states=([[10.0]],))], [[0, 11]]),
    ("Masking", Network(1, sums(**SEQUENCE), source="masking", mask_value=9.0), [Call(steps(1, 9, 2))], [[1, 1, 3]]),
    ("both directions", Network(1, Bidirectional(sums(**SEQUENCE))), [Call(steps(1, 2, 4))],
     [[[1, 7], [3, 6], [7, 4]]]),
    ("both last outputs", Network(1, Bidirectional(sums())), [Call(steps(1, 2, 4))], [[7, 7]]),
    ("masked, both directions are zero there", Network(1, Bidirectional(sums(**SEQUENCE)), source="mask"),
     [Call(steps(1, 9, 4), mask=[[1, 0, 1]])], [[[1, 5], [0, 0], [5, 4]]]),
    ("their sum", Network(1, Bidirectional(sums(**SEQUENCE), merge_mode="sum")), [Call(steps(1, 2))], [[4, 5]]),
    ("their product", Network(1, Bidirectional(sums(**SEQUENCE), merge_mode="mul")), [Call(steps(1, 2))], [[3, 6]]),
    ("their mean", Network(1, Bidirectional(sums(**SEQUENCE), merge_mode="ave")), [Call(steps(1, 2))], [[2, 2.5]]),
    ("a stack", Network(1, (sums(**SEQUENCE), sums(**SEQUENCE))), [Call(steps(1, 2, 4))], [[1, 4, 11]]),
    ("a stack passes its mask on", Network(1, (sums(**SEQUENCE), sums(**SEQUENCE)), source="mask"),
     [Call(steps(1, 9, 2), mask=[[1, 0, 1]])], [[1, 1, 4]]),
    ("the mask goes backwards with the outputs",
     Network(1, (sums(go_backwards=True, **SEQUENCE), sums(**SEQUENCE)), source="mask"),
     [Call(steps(1, 9, 9), mask=[[1, 0, 0]])], [[0, 0, 1]]),
    ("cells in a stack", Network(1, Layer((1, 1), "linear", **SEQUENCE)), [Call(steps(1, 2, 4))], [[1, 4, 11]]),
    ("a state that stays", Network(1, sums(stateful=True), N=1), [Call(steps(1, 2)), Call(steps(4))], [[3], [7]]),
    ("and is reset", Network(1, sums(stateful=True), N=1), [Call(steps(1, 2)), Call(steps(4), reset=True)], [[3], [4]]),
    ("an initial state goes before the one that stays", Network(1, sums(stateful=True, initial_state=True), N=1),
     [Call(steps(1), states=([[10.0]],)), Call(steps(4), states=([[20.0]],))], [[11], [24]]),
    ("an embedding", Network(1, sums(**SEQUENCE), source="embedding with mask"), [Call([[1, 0, 2]])], [[1, 1, 2]]),
    ("a head on every step", Network(1, sums(**SEQUENCE), Head(1, use_bias=False)), [Call(steps(1, 2))], [[1, 3]]),
    ("one sample after the other", Network(1, sums()), [Call([[[1.0]], [[2.0]]])], [[1, 2]]),
    ("no sample", Network(1, sums()), [Call(np.zeros((0, 2, 1)))], [[]]),
]  # fmt: skip


@pytest.mark.parametrize(("network", "calls", "expected"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_the_rules(network: Network, calls: list[Call], expected: list[Any]) -> None:
    shown = reference(counting(network, *calls))
    for call, wanted in zip(shown.calls, expected, strict=True):
        assert np.array_equal(np.squeeze(call.outputs), np.squeeze(wanted))
    verdict = judge(counting(network, *calls), shown)
    assert verdict.equivalent, verdict


@pytest.mark.parametrize(("network", "calls", "expected"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_the_rules_are_keras_s(network: Network, calls: list[Call], expected: list[Any]) -> None:
    pytest.importorskip("tensorflow")
    from pytest_rnnequiv.divergences.keras import concerning
    from pytest_rnnequiv.implementations.keras import KerasCall

    if met := concerning(network, "keras-call"):
        pytest.skip(f"known divergence of Keras: {met[0]}")
    shown: Any = KerasCall().run(counting(network, *calls))
    for call, wanted in zip(shown.calls, expected, strict=True):
        assert np.array_equal(np.squeeze(call.outputs), np.squeeze(wanted))


GENERIC = [
    Network(3, (Layer(4, return_sequences=True), Layer(2, return_sequences=True)), Head(2), source="mask"),
    Network(3, Bidirectional(Layer(4, return_sequences=True, return_state=True), merge_mode="sum"), source="mask"),
    Network(3, Bidirectional(Layer(4), Layer(2)), source="masking"),
    Network(3, Bidirectional(Layer(4, return_sequences=True), merge_mode=None)),
    Network(3, Layer((4, 2), return_sequences=True, return_state=True, initial_state=True), source="mask"),
    Network(3, Layer(4, stateful=True, return_sequences=True, zero_output_for_mask=True), source="mask", N=3),
    Network(3, Layer(4, go_backwards=True, return_sequences=True, zero_output_for_mask=True), source="mask"),
    Network(3, (Layer(4, return_sequences=True, initial_state=True), Layer((2, 5), initial_state=True))),
    Network(3, Layer(4, return_sequences=True), dtype="float64"),
]


@pytest.mark.parametrize("network", GENERIC, ids=str)
def test_a_number_that_is_off_is_found_where_it_is(network: Network) -> None:
    """Every number that is shown, one after the other: twice the bound of a step is too much, and a half is not."""
    case = network_case(network, calls=2 if network.stateful else 1)
    shown = reference(case)
    assert judge(case, shown).equivalent
    for c, call in enumerate(shown.calls):
        for i, layer in enumerate(call.layers):
            outputs = layer.output if isinstance(layer.output, tuple) else (layer.output,)
            for o, output in enumerate(outputs):
                index = tuple(size - 1 for size in output.shape)
                wrong = output.copy()
                wrong[index] += 0.01 * (1 + np.abs(wrong[index]))
                changed = tuple(wrong if k == o else each for k, each in enumerate(outputs))
                parts = list(call.layers)
                parts[i] = ShownLayer(changed if isinstance(layer.output, tuple) else wrong, layer.states)
                last = i == len(call.layers) - 1 and network.head is None
                calls = list(shown.calls)
                calls[c] = ShownCall(parts[i].output if last else call.outputs, tuple(parts))
                verdict = judge(case, NetworkTrajectory(tuple(calls)))
                assert verdict.different, (i, o)
                assert verdict.place is not None
                assert f"layer{i}" in verdict.place.what or "output" in verdict.place.what


@pytest.mark.parametrize("network", GENERIC, ids=str)
def test_outputs_alone_are_judged_too(network: Network) -> None:
    case = network_case(network, calls=2 if network.stateful else 1)
    shown = NetworkTrajectory(tuple(ShownCall(call.outputs) for call in reference(case, np.float32).calls))
    if network.dtype == "float64":
        assert judge(case, shown).different
        shown = NetworkTrajectory(tuple(ShownCall(call.outputs) for call in reference(case).calls))
    assert judge(case, shown).equivalent
    for wrong in (case.weights[1].T, -case.weights[1]):
        name = list(network.weight_shapes)[1]
        mistaken = reference(case.with_weights(**{name: wrong}))
        only = NetworkTrajectory(tuple(ShownCall(call.outputs) for call in mistaken.calls))
        assert judge(case, only).different


def test_a_held_state_is_exact() -> None:
    network = Network(2, Layer(3, return_sequences=True), source="mask")
    case = network_case(network).replace(calls=(Call(np.ones((1, 2, 2)), mask=[[True, False]]),))
    shown = reference(case, np.float32)
    output = shown.calls[0].outputs.copy()
    output[0, 1, 0] = np.nextafter(output[0, 1, 0], np.float32(2))
    verdict = judge(case, output)
    assert verdict.different
    assert str(verdict.place) == "layer0: output (sample 0, step 1, unit 0)"


def test_a_state_is_the_output_that_it_was() -> None:
    network = Network(2, Layer(3, return_state=True))
    case = network_case(network)
    call = reference(case, np.float32).calls[0]
    (state,) = call.layers[0].states
    wrong = ShownLayer(call.outputs, (np.nextafter(state, np.float32(2)),))
    verdict = judge(case, NetworkTrajectory((ShownCall(call.outputs, (wrong,)),)))
    assert verdict.different
    assert verdict.place is not None
    assert verdict.place.what == "layer0: final state 0"


def test_the_layer_behind_a_wrong_one_is_not_blamed() -> None:
    network = Network(3, (Layer(4, return_sequences=True), Layer(2, return_sequences=True)))
    case = network_case(network)
    mistaken = reference(case.with_weights(**{"layer0/Wh": case.part("layer0")["Wh"].T}))
    verdict = judge(case, mistaken)
    assert verdict.place is not None
    assert verdict.place.what == "layer0: state"
    right = reference(case).calls[0].layers
    assert verdict.broken <= right[0].output[..., 0].size


def test_chaos_is_inconclusive_and_never_wrong() -> None:
    network = Network(2, Layer(16))
    case = network_case(network, T=200)
    verdict = judge(case, reference(case, np.float32))
    assert verdict.inconclusive
    assert "amplifies rounding" in str(verdict)


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "bfloat16", "mixed_bfloat16"])
def test_sixteen_bits(dtype: str) -> None:
    network = Network(3, Layer(4, return_sequences=True), dtype=dtype)
    case = network_case(network)
    assert not judge(case, reference(case, np.float16 if "b" not in dtype else np.float32)).different
    assert judge(case, reference(case.with_weights(**{"layer0/Wh": case.weights[1].T}))).different
    coarse = replace(Precision.float32, unit=2.0**-30)
    assert judge(case, reference(case, np.float16), coarse).different


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "the implementation returned None"),
        (np.zeros((3, 4)), "the outputs of layer0 have shape (3, 4), expected (3, 4, 4)"),
        (np.zeros((3, 4, 4), int), "dtype int64, expected floats"),
        (NetworkTrajectory(()), "0 calls were shown, expected 1"),
        (np.full((3, 4, 4), np.nan), "first broken at layer0: state (sample 0, step 0, unit 0): got nan"),
        (
            NetworkTrajectory((ShownCall(np.zeros((3, 4, 4)), (ShownLayer(None, ()),)),)),
            "0 final states of layer0 were shown, expected 1",
        ),
    ],
    ids=["none", "shape", "integers", "calls", "nan", "states"],
)
def test_answers_that_are_none(answer: Any, sentence: str) -> None:
    verdict = judge(network_case(Network(3, Layer(4, return_sequences=True, return_state=True))), answer)
    assert verdict.different
    assert sentence in str(verdict)


def test_a_pair_is_expected_where_nothing_is_merged() -> None:
    case = network_case(Network(3, Bidirectional(Layer(4), merge_mode=None)))
    assert "a pair of outputs was expected" in str(judge(case, np.zeros((3, 8))))


def test_final_states_may_be_kept_wider_than_the_outputs() -> None:
    case = filled(Network(3, (sequences(3, return_state=True),)))
    wide = reference(case)
    outputs = np.float32(wide.calls[0].outputs)
    (layer,) = wide.calls[0].layers
    shown = NetworkTrajectory((ShownCall(outputs, (ShownLayer(outputs, layer.states),)),))
    assert judge(case, shown).equivalent
    off = ShownLayer(outputs, tuple(1.00001 * state for state in layer.states))
    assert judge(case, NetworkTrajectory((ShownCall(outputs, (off,)),))).different
