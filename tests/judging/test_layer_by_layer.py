"""Models of several layers: each is judged on what was seen of the one before, and what is off is found where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from samples import filled, sequences

from pytest_rnnequiv import (
    RNN,
    Bidirectional,
    Call,
    Dense,
    Precision,
    ShownLayer,
    SimpleRNN,
    Spec,
    Trajectory,
    judge,
    reference,
)

GENERIC = [
    Spec(3, (SimpleRNN(4, return_sequences=True), SimpleRNN(2, return_sequences=True)), Dense(2), source="mask"),
    Spec(3, Bidirectional(SimpleRNN(4, return_sequences=True, return_state=True), merge_mode="sum"), source="mask"),
    Spec(3, Bidirectional(SimpleRNN(4), SimpleRNN(2)), source="masking"),
    Spec(3, Bidirectional(SimpleRNN(4, return_sequences=True), merge_mode=None)),
    Spec(3, RNN((4, 2), return_sequences=True, return_state=True, initial_state=True), source="mask"),
    Spec(3, SimpleRNN(4, stateful=True, return_sequences=True, zero_output_for_mask=True), source="mask", N=3),
    Spec(3, SimpleRNN(4, go_backwards=True, return_sequences=True, zero_output_for_mask=True), source="mask"),
    Spec(3, (SimpleRNN(4, return_sequences=True, initial_state=True), RNN((2, 5), initial_state=True))),
    Spec(3, SimpleRNN(4, return_sequences=True), dtype="float64"),
]


def only_outputs(shown: Trajectory) -> Trajectory:
    return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])


def spoilt(spec: Spec, shown: Trajectory) -> Iterator[tuple[str, Trajectory]]:
    """Spoil every array that is shown of a layer, one after the other, in its last number."""
    for c, call in enumerate(shown.each_call):
        for i, layer in enumerate(call.shown_layers):
            assert layer is not None
            for name, array in layer.numbers():
                wrong = array.copy()
                index = tuple(size - 1 for size in array.shape)
                wrong[index] += 0.01 * (1 + np.abs(wrong[index]))
                changed = replaced(layer, name, wrong)
                parts = [*call.shown_layers[:i], changed, *call.shown_layers[i + 1 :]]
                last = i == len(parts) - 1 and spec.head is None and name.startswith("output")
                calls = [*shown.each_call]
                calls[c] = Trajectory(changed.output if last else call.outputs, layers=parts)
                yield f"call {c}: layer{i}: {name}", Trajectory.of_calls(calls)


def replaced(layer: ShownLayer, name: str, wrong: Any) -> ShownLayer:
    what, _, j = name.rpartition(" ")
    if what == "output" and isinstance(layer.output, tuple):
        return replace(layer, output=tuple(wrong if k == int(j) else a for k, a in enumerate(layer.output)))
    if what == "final state":
        return replace(layer, final_states=[wrong if k == int(j) else a for k, a in enumerate(layer.final_states)])
    return replace(layer, **{what or name: wrong})


@pytest.mark.parametrize("spec", GENERIC, ids=str)
def test_a_number_that_is_off_is_found_where_it_is(spec: Spec) -> None:
    """Every array that is shown, one after the other."""
    case = filled(spec, calls=2 if spec.stateful else 1)
    shown = reference(case)
    assert judge(case, shown).equivalent
    found = 0
    for name, wrong in spoilt(spec, shown):
        verdict = judge(case, wrong)
        assert verdict.different, name
        assert verdict.place is not None
        layer = name.split(": ")[1]
        assert layer in verdict.place.what or spec.letters or "output" in verdict.place.what, (name, str(verdict))
        found += 1
    assert found >= len(spec.layers)


@pytest.mark.parametrize("spec", GENERIC, ids=str)
def test_outputs_alone_are_judged_too(spec: Spec) -> None:
    case = filled(spec, calls=2 if spec.stateful else 1)
    shown = only_outputs(reference(case, np.float32))
    if spec.dtype == "float64":
        assert judge(case, shown).different
        shown = only_outputs(reference(case))
    assert judge(case, shown).equivalent
    for wrong in (case.weights[1].T, -case.weights[1]):
        name = list(spec.weight_shapes)[1]
        mistaken = only_outputs(reference(case.with_weights(**{name: wrong})))
        assert judge(case, mistaken).different


def test_a_held_state_is_exact() -> None:
    spec = Spec(2, SimpleRNN(3, return_sequences=True), source="mask")
    case = filled(spec).replace(calls=(Call(np.ones((1, 2, 2)), mask=[[True, False]]),))
    shown = reference(case, np.float32)
    output = shown.outputs.copy()
    output[0, 1, 0] = np.nextafter(output[0, 1, 0], np.float32(2))
    verdict = judge(case, output)
    assert verdict.different
    assert str(verdict.place) == "output (sample 0, step 1, unit 0)"


def test_a_state_is_the_output_that_it_was() -> None:
    spec = Spec(2, SimpleRNN(3, return_state=True))
    case = filled(spec)
    call = reference(case, np.float32)
    (layer,) = call.layers
    (state,) = layer.final_states
    wrong = ShownLayer(call.outputs, final_states=(np.nextafter(state, np.float32(2)),))
    verdict = judge(case, Trajectory(call.outputs, layers=(wrong,)))
    assert verdict.different
    assert verdict.place is not None
    assert verdict.place.what == "layer0: final state 0"


def test_the_layer_behind_a_wrong_one_is_not_blamed() -> None:
    spec = Spec(3, (SimpleRNN(4, return_sequences=True), SimpleRNN(2, return_sequences=True)))
    case = filled(spec)
    mistaken = reference(case.with_weights(**{"layer0/Wh": case.part("layer0")["Wh"].T}))
    verdict = judge(case, mistaken)
    assert verdict.place is not None
    assert verdict.place.what == "layer0: state"
    right = reference(case).layers
    assert verdict.broken <= right[0].output[..., 0].size


def test_chaos_is_inconclusive_and_never_wrong() -> None:
    spec = Spec(2, SimpleRNN(16))
    case = filled(spec, T=200)
    verdict = judge(case, only_outputs(reference(case, np.float32)))
    assert verdict.inconclusive
    assert "amplifies rounding" in str(verdict)


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "bfloat16", "mixed_bfloat16"])
def test_sixteen_bits(dtype: str) -> None:
    spec = Spec(3, SimpleRNN(4, return_sequences=True), dtype=dtype)
    case = filled(spec)
    assert not judge(case, reference(case, np.float16 if "b" not in dtype else np.float32)).different
    assert judge(case, reference(case.with_weights(**{"layer0/Wh": case.weights[1].T}))).different
    coarse = replace(Precision.float32, unit=2.0**-30)
    assert judge(case, reference(case, np.float16), coarse).different


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "the implementation returned None"),
        (np.zeros((3, 4)), "the outputs have shape (3, 4), expected (N, T, F) = (3, 5, 4)"),
        (np.zeros((3, 5, 4), int), "dtype int64, expected floats"),
        (Trajectory(calls=(Trajectory(), Trajectory())), "2 calls were shown, expected 1"),
        (np.full((3, 5, 4), np.nan), "first broken at state (sample 0, step 0, unit 0): got nan"),
        (
            Trajectory(np.zeros((3, 5, 4)), layers=(ShownLayer(final_states=()),)),
            "0 final states of layer0 were shown, expected 1",
        ),
        (
            Trajectory(np.zeros((3, 5, 4)), layers=(ShownLayer(states=np.zeros((3, 5))),)),
            "the states have shape (3, 5), expected (N, T, M) = (3, 5, 4)",
        ),
    ],
    ids=["none", "shape", "integers", "calls", "nan", "finals", "states"],
)
def test_answers_that_are_none(answer: Any, sentence: str) -> None:
    verdict = judge(filled(Spec(3, SimpleRNN(4, return_sequences=True, return_state=True))), answer)
    assert verdict.different
    assert sentence in str(verdict)


def test_a_pair_is_expected_where_nothing_is_merged() -> None:
    case = filled(Spec(3, Bidirectional(SimpleRNN(4), merge_mode=None)))
    assert "a pair of outputs was expected" in str(judge(case, np.zeros((3, 8))))


def test_final_states_may_be_kept_wider_than_the_outputs() -> None:
    case = filled(Spec(3, (sequences(3, return_state=True),)))
    wide = reference(case)
    outputs = np.float32(wide.outputs)
    (layer,) = wide.layers
    shown = Trajectory(outputs, layers=(ShownLayer(outputs, final_states=layer.final_states),))
    assert judge(case, shown).equivalent
    off = ShownLayer(outputs, final_states=tuple(1.00001 * state for state in layer.final_states))
    assert judge(case, Trajectory(outputs, layers=(off,))).different


# ---- what may be shown of a model ----

STACK = Spec(3, (sequences(4), SimpleRNN(2)), Dense(2))


@pytest.mark.parametrize("shown", [0, 1], ids=["lower", "upper"])
def test_a_layer_may_show_its_states_only(shown: int) -> None:
    case = filled(STACK.replace(source="mask"), T=40)
    run = reference(case, np.float32)
    states = [ShownLayer(states=layer.states) if i == shown else None for i, layer in enumerate(run.layers)]
    answer = Trajectory(run.outputs, layers=states)
    assert judge(case, answer).equivalent
    assert judge(case, answer).way == "layer by layer"
    wrong = np.array(run.layers[shown].states)
    wrong[2, 20, 1] += 0.1
    states[shown] = ShownLayer(states=wrong)
    verdict = judge(case, Trajectory(run.outputs, layers=states))
    assert verdict.different
    assert str(verdict.place) == f"layer{shown}: state (sample 2, step 20, unit 1)"
    states[shown] = ShownLayer(states=wrong[:, 1:])
    sentence = f"the states of layer{shown} have shape (3, 39, {4 - 2 * shown}), expected (N, T, M) = "
    assert sentence in str(judge(case, Trajectory(run.outputs, layers=states)))


def test_states_that_are_shown_lead_to_the_output_behind_them() -> None:
    case = filled(Spec(3, SimpleRNN(4, zero_output_for_mask=True, return_sequences=True), source="mask"))
    run = reference(case, np.float32)
    answer = Trajectory(run.outputs, run.states)
    assert judge(case, answer).equivalent
    assert judge(case, answer).way == "induction"
    off = np.where(run.outputs == 0, run.states, run.outputs)
    verdict = judge(case, Trajectory(off, run.states))
    assert verdict.different
    assert verdict.place is not None
    assert verdict.place.what == "output"
    assert not case.mask[verdict.place.n, verdict.place.t]


@pytest.mark.parametrize("spec", [STACK, STACK.replace(source="mask"), Spec(3, RNN((4, 2)), Dense(2))], ids=str)
def test_outputs_of_every_step_may_be_shown_of_a_model_that_returns_one(spec: Spec) -> None:
    case = filled(spec)
    every = reference(case.under(spec.with_every_output()), np.float32).outputs
    assert every.shape == (3, 5, 2)
    verdict = judge(case, every)
    assert (verdict.status, verdict.way, verdict.steps) == ("equivalent", "every output", 15)
    verdict = judge(case, every[:, -1])
    assert (verdict.status, verdict.way, verdict.steps) == ("equivalent", "last output", 3)
    off = every.copy()
    off[1, 2, 0] += 0.1
    place = judge(case, off).place
    assert place is not None
    assert str(place) == "output (sample 1, step 2, unit 0)"
    assert "expected (N, K) = (3, 2) (the last step) or (N, T, K) = (3, 5, 2) (every step)" in str(judge(case, off[:2]))


def test_both_directions_return_one_output_only() -> None:
    case = filled(Spec(3, Bidirectional(SimpleRNN(4)), Dense(2)))
    assert "expected (N, K) = (3, 2)" in str(judge(case, np.zeros((3, 5, 2), np.float32)))


def test_states_beside_layers_stand_for_the_only_one() -> None:
    case = filled(Spec(3, SimpleRNN(4, return_state=True), Dense(2)))
    run = reference(case, np.float32)
    assert run.layers
    off = run.states.copy()
    off[0, 1, 2] += 0.1
    for wrong in (run.replace(states=off), replace(run, states=off)):
        assert str(judge(case, wrong).place) == "state (sample 0, step 1, unit 2)"
    assert judge(case, run.replace(states=run.states.astype(float))).equivalent


def test_steps_are_counted_per_sample_and_step_and_once() -> None:
    case = filled(STACK, N=4, T=6)
    run = reference(case, np.float32)
    assert judge(case, run).steps == 24
    wrong = reference(case.with_weights(**{"layer0/bh": 2 * case.named_weights["layer0/bh"]}), np.float32)
    verdict = judge(case, wrong)
    assert (verdict.broken, verdict.steps) == (24, 24)
    calls = filled(STACK, N=2, T=3, calls=2)
    assert judge(calls, reference(calls, np.float32)).steps == 12
