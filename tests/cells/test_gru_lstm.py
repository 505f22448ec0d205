"""GRU and LSTM: their laws, their recurrences as one would write them, Keras's, and what people get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from samples import summed

from pytest_rnnequiv import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Case,
    Dense,
    Precision,
    SimpleRNN,
    Spec,
    Trajectory,
    diagnose,
    judge,
    param_count,
    reference,
)
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.cells import CELLS, GRUCell, LSTMCell
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE

MODELS: dict[str, dict[str, Any]] = {
    "LSTM": {"cell": "LSTM"},
    "LSTM, hard": {"cell": "LSTM", "recurrent_activation": "hard_sigmoid"},
    "GRU": {"cell": "GRU"},
    "GRU, reset before": {"cell": "GRU", "reset_after": False},
}


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 5 * (3 + 5 + 1) + 2 * (5 + 1)),
        ({"cell": "LSTM"}, 4 * 5 * (3 + 5 + 1) + 2 * (5 + 1)),
        ({"cell": "GRU"}, 3 * 5 * (3 + 5 + 2) + 2 * (5 + 1)),
        ({"cell": "GRU", "reset_after": False}, 3 * 5 * (3 + 5 + 1) + 2 * (5 + 1)),
    ],
)
def test_the_parameter_law(options: dict[str, Any], count: int) -> None:
    assert param_count(3, 5, 2, **options) == Spec.simple(3, 5, 2, **options).param_count == count


def test_an_unknown_cell_is_told() -> None:
    with pytest.raises(ValueError, match="cell must be one of SimpleRNN, GRU, LSTM, not 'lstm'"):
        param_count(3, 5, 2, cell="lstm")
    with pytest.raises(ValueError, match="cell must be one of SimpleRNN, GRU, LSTM, or a Cell, not 'Lstm'"):
        Spec.simple(3, 5, 2, cell="Lstm")


def test_biases_off() -> None:
    assert Spec(3, GRU(5, use_bias=False)).param_count == 3 * 5 * (3 + 5)
    assert Spec(3, LSTM(5, use_bias=False)).param_count == 4 * 5 * (3 + 5)
    assert Spec(3, Bidirectional(LSTM(5))).param_count == 2 * 4 * 5 * (3 + 5 + 1)


def by_hand(case: Case) -> Any:
    """The states of every step, written as textbooks have it."""
    M, Wx, Wh, bh = case.M, *(a.astype(float) for a in (case.Wx, case.Wh, case.bh))
    h, c = np.zeros((2, case.N, M))
    states = []
    for t in range(case.T):
        x = case.x[:, t].astype(float)
        if case.spec.cell.name == "LSTM":
            i, f, g, o = np.split(x @ Wx + h @ Wh + bh, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif bh.ndim == 2:
            (xz, xr, xh), (hz, hr, hh) = np.split(x @ Wx + bh[0], 3, axis=1), np.split(h @ Wh + bh[1], 3, axis=1)
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            h = z * h + (1 - z) * np.tanh(xh + r * hh)
        else:
            (xz, xr, xh), (Wz, Wr, Wc) = np.split(x @ Wx + bh, 3, axis=1), np.split(Wh, 3, axis=1)
            z, r = sigmoid(xz + h @ Wz), sigmoid(xr + h @ Wr)
            h = z * h + (1 - z) * np.tanh(xh + (r * h) @ Wc)
        states.append(h)
    return np.stack(states, axis=1)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "GRU, reset before"])
def test_the_recurrence_is_the_textbooks(name: str) -> None:
    case = rnn.generic_case(Spec.simple(3, 4, 2, **MODELS[name]), 3, 6)
    np.testing.assert_allclose(reference(case).states, by_hand(case), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shown", ["states", "outputs", "last"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@settings(max_examples=12, deadline=None)
@given(case=rnn.cases(cell=rnn.cells("GRU", "LSTM"), M=rnn.sizes(max_value=17), T=rnn.sizes(max_value=24)))
def test_a_right_run_is_never_different(dtype: str, shown: str, case: Case) -> None:
    p = Precision.of(dtype)
    kind = {"bfloat16": np.float32, "float16": np.float16}.get(dtype, np.dtype(dtype) if dtype != "bfloat16" else None)
    if dtype == "bfloat16":
        from pytest_rnnequiv.mistakes.arithmetic import walk_in

        (run,) = walk_in(p, case.with_every_output()).calls().each_call
        answer = Trajectory(run.outputs, run.layers[0].states)  # type: ignore[union-attr]
    else:
        whole = reference(case, kind)
        answer = Trajectory(whole.outputs, whole.states)
    given_: Any = {"states": answer, "outputs": answer.outputs, "last": np.asarray(answer.outputs)[:, -1]}[shown]
    assert not judge(case, given_, p).different


@pytest.mark.parametrize("name", MODELS)
def test_whoever_shows_the_states_is_proved_however_long_and_wild(name: str) -> None:
    for seed, scale in enumerate((0.3, 1.0, 3.0, 8.0)):
        case = rnn.generic_case(Spec.simple(3, 8, 2, **MODELS[name]), 2, 120, seed=1 + seed)
        case = case.replace(Wh=case.Wh * np.float32(scale), bh=case.bh * np.float32(4 * scale))
        run = reference(case, np.float32)
        verdict = judge(case, Trajectory(run.outputs, run.states))
        assert verdict.equivalent, str(verdict)
        assert verdict.way == "induction"


def test_a_state_that_nobody_sees_is_told_apart_by_what_it_does() -> None:
    """A forget gate that is off by 1e-4 shows in ``h``, though ``c`` is not seen."""
    case = rnn.generic_case(Spec.simple(3, 5, 2, cell="LSTM"), 2, 30)
    bias = case.bh.copy()
    bias[5:10] += 1e-4
    run = reference(case.replace(bh=bias), np.float32)
    assert judge(case, Trajectory(run.outputs, run.states)).different


@pytest.mark.parametrize("other", ["h + z*(h_old - h)", "tanh by sigmoid", "sums in another order"])
def test_other_ways_to_write_it_are_right(other: str) -> None:
    for seed in range(30):
        case = rnn.generic_case(Spec.simple(3, 6, 2, cell="GRU"), 3, 12, seed=1 + seed)
        Wx, Wh, bh, Wo, bo = (a.astype(np.float32) for a in case.weights)
        h, states, outputs = np.zeros((3, 6), np.float32), [], []
        rng = np.random.default_rng(seed)
        for t in range(12):
            x = case.x[:, t]
            hidden = summed(h, Wh, rng) if other == "sums in another order" else h @ Wh
            (xz, xr, xh), (hz, hr, hh) = np.split(x @ Wx + bh[0], 3, axis=1), np.split(hidden + bh[1], 3, axis=1)
            z, r = (np.float32(1) / (1 + np.exp(-a)) for a in (xz + hz, xr + hr))
            a = xh + r * hh
            new = 2 / (1 + np.exp(-2 * a)) - 1 if other == "tanh by sigmoid" else np.tanh(a)
            h = (new + z * (h - new) if other == "h + z*(h_old - h)" else z * h + (1 - z) * new).astype(np.float32)
            states.append(h)
            outputs.append(h @ Wo + bo)
        verdict = judge(case, Trajectory(np.stack(outputs, 1), np.stack(states, 1)))
        assert verdict.equivalent, str(verdict)


GATES = [m for m in CATALOGUE if m.group == "gates"]


@pytest.mark.parametrize("mistake", GATES, ids=str)
def test_each_mistake_of_gates_is_caught_and_named(mistake: Any) -> None:
    made = False
    for options in MODELS.values():
        case = rnn.generic_case(Spec.simple(3, 4, 2, **options), 3, 5, seed=3, initial_state="initial" in mistake.name)
        if mistake(case) is None:
            continue
        made = True
        wrong = mistake.run(case)
        assert judge(case, wrong).different, options
        assert judge(case, np.asarray(wrong.outputs)[:, -1]).different, options
    assert made, "in some model it can be made"
    options = next(o for o in MODELS.values() if mistake(rnn.generic_case(Spec.simple(3, 4, 2, **o), 3, 5,
                   initial_state="initial" in mistake.name)) is not None)  # fmt: skip
    case = rnn.generic_case(Spec.simple(3, 4, 2, **options), 3, 5, seed=3, initial_state="initial" in mistake.name)
    assert mistake.name in diagnose(case, mistake.run(case), run=mistake.run).names


def test_a_mistake_in_one_layer_of_a_mixed_stack_is_named_with_its_place() -> None:
    spec = Spec(3, (LSTM(4, return_sequences=True), GRU(4, return_sequences=True), SimpleRNN(3)), Dense(2))
    case = rnn.generic_case(spec, 3, 5)
    (mistake,) = (m for m in GATES if m.name == "recurrent-bias-dropped")
    assert mistake.name in diagnose(case, mistake.run(case), run=mistake.run).names
    (transposed,) = (m for m in GATES if m.name == "gate-f-Wh-transposed")
    assert transposed.name in diagnose(case, transposed.run(case), run=transposed.run).names


@pytest.mark.parametrize("name", ["forget-bias-added", "forget-bias-left-out"])
def test_a_number_that_is_added_where_there_is_no_bias_is_named(name: str) -> None:
    both = Bidirectional(LSTM(4, return_sequences=True, use_bias=False), LSTM(3, return_sequences=True))
    spec = Spec(3, (both, LSTM(3, use_bias=False)), Dense(2))
    case = rnn.generic_case(spec, 3, 5)
    (mistake,) = (m for m in GATES if m.name == name)
    assert judge(case, mistake.run(case)).different
    assert diagnose(case, mistake.run(case), run=mistake.run).names == (name,)


def test_saved_and_loaded(tmp_path: Any) -> None:
    spec = Spec(
        2, (Bidirectional(GRU(3, return_sequences=True, reset_after=False)), RNN((2, 3), cell=LSTMCell("tanh")))
    )
    case = rnn.generic_case(spec, 2, 3)
    case.save(tmp_path / "case.npz")
    again = Case.load(tmp_path / "case.npz")
    assert again.spec == spec
    assert again.fingerprint() == case.fingerprint()


def test_what_it_says_of_itself() -> None:
    assert str(Spec.simple(3, 5, 2, cell="GRU", reset_after=False)) == "GRU(D=3, M=5, K=2, reset_after=False)"
    assert (
        str(Spec(3, LSTM(5, recurrent_activation="hard_sigmoid")))
        == "D=3 -> LSTM(5, recurrent_activation=hard_sigmoid)"
    )
    assert GRUCell() == GRUCell(reset_after=True) != GRUCell(reset_after=False)
    assert {*CELLS} == {"SimpleRNN", "GRU", "LSTM"}


@pytest.mark.tensorflow
@pytest.mark.parametrize("way", ["KerasCall", "KerasGraph"])
@pytest.mark.parametrize("name", MODELS)
def test_keras_agrees(name: str, way: str) -> None:
    from pytest_rnnequiv.implementations import keras

    implementation = getattr(keras, way)()
    for seed in range(4):
        case = rnn.generic_case(Spec.simple(3, 5, 2, **MODELS[name]), 2, 7, seed=1 + seed)
        shown = implementation.run(case)
        assert judge(case, shown).equivalent
        assert judge(case, np.asarray(shown.outputs)[:, -1]).equivalent


@pytest.mark.tensorflow
def test_the_fixtures_build_what_the_law_counts(build_gru: Any, build_lstm: Any) -> None:
    assert build_lstm().count_params() == param_count(3, 5, 2, cell="LSTM") == 192
    assert build_gru(reset_after=False).count_params() == param_count(3, 5, 2, cell="GRU", reset_after=False)
    with pytest.raises(TypeError, match="build_gru has no option 'units'"):
        build_gru(units=3)
