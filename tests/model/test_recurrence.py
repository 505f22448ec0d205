"""The NumPy recurrence, against a loop in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import NETWORKS, filled, generic

from pytest_rnnequiv import Case, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.model.forward import Computed
from pytest_rnnequiv.model.notebook import notebook_case
from pytest_rnnequiv.model.pack import Pack


def by_hand(case: Case, n: int) -> tuple[list[list[float]], list[list[float]]]:
    """One sample, one number at a time; sums exact, then rounded once."""
    h = [0.0] * case.M if case.h0 is None else [float(v) for v in case.h0[n]]
    o = [0.0] * case.M  # what the layer puts out as long as all is masked
    states, outputs = [], []
    for t in range(case.T):
        if case.mask is None or case.mask[n, t]:
            h = [
                math.tanh(
                    math.fsum(
                        [float(case.x[n, t, d]) * float(case.Wx[d, m]) for d in range(case.D)]
                        + [h[i] * float(case.Wh[i, m]) for i in range(case.M)]
                        + [float(case.bh[m])]
                    )
                )
                for m in range(case.M)
            ]
            o = h
        states.append(h)
        outputs.append(
            [
                math.fsum([o[m] * float(case.Wo[m, k]) for m in range(case.M)] + [float(case.bo[k])])
                for k in range(case.K)
            ]
        )
    return states, outputs


@settings(max_examples=60)
@given(
    case=rnn.cases(
        T=st.integers(1, 4),
        D=rnn.sizes(max_value=5),
        M=rnn.sizes(max_value=5),
        initial_state=st.booleans(),
        masked=st.booleans(),
    )
)
def test_it_is_the_recurrence(case: Case) -> None:
    shown = reference(case)
    assert shown.outputs.shape == (case.N, case.T, case.K)
    assert shown.states.shape == (case.N, case.T, case.M)
    for n in range(case.N):
        states, outputs = by_hand(case, n)
        size = np.abs(case.Wh).sum(0).max() + 1  # an error of one step is at most so many times as large in the next
        room = 1e-13 * max(1.0, float(size)) ** case.T
        large = max(1.0, float(np.abs(case.x).max()) * float(np.abs(case.Wx).max()))
        assert shown.states[n] == pytest.approx(np.array(states), abs=min(2.0, room * large))
        if room * large < 1e-6:
            scale = np.abs(case.Wo).sum(0).max() + np.abs(case.bo).max()
            assert shown.outputs[n] == pytest.approx(np.array(outputs), abs=float(scale) * room * large + 1e-300)


def test_the_notebook_step_by_step() -> None:
    case = notebook_case()
    states, outputs = by_hand(case, 0)
    shown = reference(case)
    assert shown.states[0] == pytest.approx(np.array(states), abs=1e-12)
    assert shown.outputs[0] == pytest.approx(np.array(outputs), abs=1e-12)


def test_one_step_of_one_unit() -> None:
    case = generic(N=1, T=2, D=1, M=1, K=1).replace(x=[[[2], [3]]], Wx=[[0.5]], Wh=[[-1]], bh=[0.25], Wo=[[4]], bo=[1])
    first = math.tanh(2 * 0.5 + 0.25)
    second = math.tanh(3 * 0.5 - first + 0.25)
    shown = reference(case)
    assert shown.states.ravel() == pytest.approx([first, second], rel=1e-14)
    assert shown.outputs.ravel() == pytest.approx([4 * first + 1, 4 * second + 1], rel=1e-14)


def test_a_masked_step_holds_the_state_and_its_output() -> None:
    case = generic(T=4, mask=True, h0=True).replace(mask=[[1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]])
    shown = reference(case)
    assert np.array_equal(shown.states[0, 1], shown.states[0, 0])
    assert np.array_equal(shown.states[0, 2], shown.states[0, 0])
    assert not np.array_equal(shown.states[0, 3], shown.states[0, 0])
    assert np.array_equal(shown.states[2], np.repeat(case.h0[2:], 4, axis=0))
    assert np.array_equal(shown.outputs[0, 1], shown.outputs[0, 0])


def test_it_computes_in_the_numbers_it_is_told() -> None:
    case = generic()
    assert reference(case).states.dtype == reference(case).outputs.dtype == np.float64
    assert reference(case, np.float32).states.dtype == reference(case, np.float32).outputs.dtype == np.float32


def test_samples_do_not_know_of_each_other() -> None:
    case = generic(N=4)
    whole = reference(case)
    for n in range(4):
        one = reference(case.replace(x=case.x[n : n + 1]))
        assert one.states[0] == pytest.approx(whole.states[n], rel=1e-13)


def test_the_head_has_its_own_activation() -> None:
    plain, active = reference(generic()), reference(generic(head_activation="relu"))
    assert np.array_equal(active.outputs, np.maximum(plain.outputs, 0))
    assert np.array_equal(active.states, plain.states)


def test_nan_and_overflow_are_answers_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    case = generic(activation="linear", T=8, radius=1e30)
    x = case.x.copy()
    x[1, 3, 0] = np.nan
    shown = reference(case.replace(x=x), np.float32)
    assert np.isnan(shown.states[1, 3:]).all()
    assert not np.isnan(shown.states[1, :2]).any()
    assert not recwarn.list


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_several_cases_at_once_are_computed_as_each_alone(name: str, dtype: type) -> None:
    spec, calls = NETWORKS[name].spec, len(NETWORKS[name].calls)
    cases = [filled(spec, seed, calls=calls) for seed in range(3)]
    together = dict(Computed(Pack.of(cases), dtype=dtype).calls().numbers())
    alone = [dict(Computed(case, dtype=dtype).calls().numbers()) for case in cases]
    assert together.keys() == alone[0].keys()
    for what, numbers in together.items():
        assert np.array_equal(numbers, np.concatenate([each[what] for each in alone]), equal_nan=True), what
