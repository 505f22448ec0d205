"""Cases of one shape are judged at once: the verdicts are those of judging them one by one, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import activation
from pytest_rnnequiv.arithmetic.inexact import Inexact
from pytest_rnnequiv.arithmetic.per_case import PerCase
from pytest_rnnequiv.cells.cell import Cell
from pytest_rnnequiv.judging import oracle
from pytest_rnnequiv.judging.observing import Observation, judge_observations
from pytest_rnnequiv.judging.oracle import judge_all
from pytest_rnnequiv.model.pack import Apart, Pack
from pytest_rnnequiv.strategies import generic_case

PRECISIONS = (
    None,
    Precision.float32.with_activation_error(1e-4),
    Precision.tf32,
    Precision.bfloat16,
    Precision.float32.quantized(Wx=1e-3, Wh=1e-3, bh=1e-3, Wo=1e-3, bo=1e-3),
)


def outputs_of(shown: Trajectory) -> Trajectory:
    return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])


def same(cases: list[Case], shown: list[Any], precision: Precision | None = None) -> None:
    one_by_one = [judge(case, each, precision) for case, each in zip(cases, shown, strict=True)]
    together = judge_all(cases, shown, precision)
    assert together == one_by_one
    for one, other in zip(together, one_by_one, strict=True):
        assert np.array_equal(one.step_broken, other.step_broken)
        assert (one.place and one.place.bound) == (other.place and other.place.bound)


def packs(**options: Any) -> st.SearchStrategy[list[Case]]:
    return rnn.packs(max_size=3, N=(1, 3), T=(1, 4), **options)


SOME = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@SOME
@given(
    cases=packs(cell=rnn.cells(), activation=rnn.activations(), masked=st.booleans(), initial_state=st.booleans()),
    precision=st.sampled_from(PRECISIONS),
    wrong=st.sampled_from((0.0, 0.0, 1e-3)),
)
def test_what_is_judged_at_once_is_judged_as_it_is_alone(
    cases: list[Case], precision: Precision | None, wrong: float
) -> None:
    shown = [reference(case, np.float32) for case in cases]
    states = np.array(shown[-1].states)
    states.reshape(-1)[-1:] += wrong
    shown[-1] = shown[-1].replace(states=states)
    same(cases, [Trajectory(each.outputs, each.states) for each in shown], precision)
    same(cases, [outputs_of(each) for each in shown], precision)


@SOME
@given(cases=packs(spec=rnn.architectures(cells=("SimpleRNN", "GRU", "LSTM"), max_units=3, max_layers=2)))
def test_any_architecture_is(cases: list[Case]) -> None:
    shown = [reference(case, np.float32) for case in cases]
    same(cases, shown)
    same(cases, [outputs_of(each) for each in shown])


def alike(spec: Spec, count: int = 4, **options: Any) -> list[Case]:
    return [generic_case(spec, 2, 5, seed=seed, **options) for seed in range(1, count + 1)]


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_it_is_one_expression(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = alike(Spec.simple(3, 5, 2, cell=cell), masked=True, pattern="trailing", initial_state=True)
    shown = [reference(case, np.float32) for case in cases]
    monkeypatch.setattr(oracle, "judge", lambda *_: pytest.fail("judged alone"))
    assert all(verdict.equivalent for verdict in judge_all(cases, shown))
    assert all(verdict.way == "every output" for verdict in judge_all(cases, [outputs_of(each) for each in shown]))


def test_the_one_that_is_wrong_is_told_from_the_others() -> None:
    cases = alike(Spec.simple(3, 5, 2))
    shown = [reference(case, np.float32) for case in cases]
    states = np.array(shown[2].states)
    states[1, 3, 4] += 1e-3
    shown[2] = Trajectory(shown[2].outputs, states)
    verdicts = judge_all(cases, [Trajectory(each.outputs, each.states) for each in shown])
    assert [verdict.different for verdict in verdicts] == [False, False, True, False]
    assert str(verdicts[2].place) == "state (sample 1, step 3, unit 4)"


@pytest.mark.parametrize("number", [np.nan, np.inf, -1e38])
def test_numbers_that_are_none_are_judged_alone(number: float) -> None:
    cases = alike(Spec.simple(3, 5, 2))
    x = cases[1].x.copy()
    x[0, 1, 2] = number
    cases[1] = cases[1].replace(x=x)
    same(cases, [reference(case, np.float32) for case in cases])


def test_answers_of_other_kinds_are_told_apart() -> None:
    cases = alike(Spec.simple(3, 5, 2), 5)
    shown: list[Any] = [reference(case, np.float32) for case in cases]
    shown[0] = shown[0].outputs
    shown[1] = shown[1].outputs[:, -1].astype(np.float64)
    shown[2] = None
    shown[3] = shown[3].replace(outputs=shown[3].outputs[:1])
    same(cases, shown)
    other = alike(Spec.simple(3, 4, 2), 2)
    same([*cases[:2], *other], [reference(case, np.float32) for case in (*cases[:2], *other)])


def test_identity_heads_beside_others() -> None:
    cases = alike(Spec.simple(3, 4, 4))
    cases[1] = cases[1].with_identity_head()
    same(cases, [reference(case, np.float32).outputs for case in cases])


def test_prefixes_keep_their_name() -> None:
    cases = alike(Spec.simple(3, 4, 2))
    seen = [replace(Observation.of(case, reference(case, np.float32)), way="prefixes") for case in cases]
    assert [verdict.way for verdict in judge_observations(seen)] == ["prefixes"] * 4


class Odd(Cell):
    """A cell whose weights are used in all ways: by index, as factors, in sums of their own, under an activation."""

    name = "Odd"

    def weight_shapes(self, F: int, M: int) -> dict[str, tuple[int, ...]]:
        return {"Wx": (F, M), "Wh": (M, M), "v": (2, M), "bh": (M,)}

    def step(self, x: Any, states: tuple[Any, ...], w: Any, act: Any) -> tuple[Any, ...]:
        (h,) = states
        kept = act(w.v[0] + w.bh)
        return (act(x @ w.Wx + h @ (-w.Wh) * 0.5 + w.bh - w.v[1]) * kept + h * (1 - kept * kept),)


def test_a_cell_of_ones_own_needs_not_know() -> None:
    cases = alike(Spec.simple(3, 4, 2, cell=Odd(), activation="sigmoid"))
    shown = [reference(case, np.float32) for case in cases]
    assert all(verdict.equivalent for verdict in judge_all(cases, shown))
    same(cases, shown)
    same(cases, [each.outputs for each in shown])


def numbers(*shape: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def test_a_weight_of_several_cases_looks_like_that_of_one() -> None:
    w = PerCase(numbers(3, 4, 5), Precision.float32)
    assert (w.shape, w.ndim, len(w)) == ((4, 5), 2, 4)
    assert w[1].shape == (5,)
    assert w[..., 1:3].shape == (4, 2)
    x = Inexact(numbers(6, 2, 4), Precision.float32)
    assert np.array_equal((x @ w).value[2:4], x.value[2:4] @ w.value[1])
    tanh = activation("tanh")
    assert np.array_equal((x[..., :1] * tanh(w[0])).value[4:], x.value[4:, :, :1] * np.tanh(w.value[2, 0]))


def test_what_is_not_alike_is_no_pack() -> None:
    one, other = alike(Spec.simple(3, 5, 2), 2)
    assert Pack.of([one, other]).cases == 2
    for odd in (other.prefix(3), other.samples([0]), generic_case(Spec.simple(3, 5, 2, "relu"), 2, 5)):
        with pytest.raises(Apart):
            Pack.of([one, odd])
