"""Right runs as examples: how far a right port is expected to be, and that right ones are there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from coarse import Fixed, FixedPort, FullInt8, Half, Hybrid, HybridGated
from samples import generic

from pytest_rnnequiv import Case, Precision, Trajectory, reference
from pytest_rnnequiv.judging.odds import NEAR
from pytest_rnnequiv.judging.sampling import expected, flat


def last(port: Any, case: Case) -> Trajectory:
    return Trajectory(np.asarray(port.run(case).outputs)[:, -1])


def distance(port: Any, case: Case, p: Precision | None = None) -> Any:
    shown = last(port, case)
    return expected(case, shown, p or port.precision).distance(flat(shown, shown))


def case_of(seed: int, **options: Any) -> Case:
    return generic(seed, **{"N": 2, "T": 12, "D": 4, "M": 9, "K": 3, "scale": 0.5, "radius": 1.2, **options})


PORTS: dict[str, tuple[Any, str]] = {
    "dynamic range": (Hybrid, "SimpleRNN"),
    "dynamic range, LSTM": (HybridGated, "LSTM"),
    "full int8": (FullInt8, "SimpleRNN"),
    "q7": (lambda: FixedPort(Fixed(2, 5), Fixed(0, 7)), "SimpleRNN"),
    "float16": (lambda: Half(np.float16, "float16_accumulated_in_float32"), "SimpleRNN"),
}


@pytest.mark.parametrize("name", PORTS)
def test_right_ports_are_near(name: str) -> None:
    make, cell = PORTS[name]
    for seed in range(3):
        assert (distance(make(), case_of(seed, cell=cell)) <= NEAR).all()


@pytest.mark.parametrize("rounding", ["floor", "zero", "nearest-up", "nearest-away"])
def test_rounding_that_is_always_off_in_one_direction_is_expected(rounding: str) -> None:
    port = FixedPort(Fixed(2, 13), Fixed(0, 7, rounding))
    untold = Precision.fixed_point(port.weights, replace(port.states, rounding="unknown"))
    for seed in range(3):
        assert (distance(port, case_of(seed), untold) <= 1.5).all()


def test_wrong_ports_are_far() -> None:
    port = FixedPort(Fixed(2, 13), Fixed(0, 7, "floor"))
    untold = Precision.fixed_point(port.weights, replace(port.states, rounding="unknown"))
    case = case_of(0)
    shown = last(port, case.replace(Wh=case.Wh.T))
    assert (expected(case, shown, untold).distance(flat(shown, shown)) > 3 * NEAR).all()


def test_no_number_is_infinitely_far() -> None:
    case = case_of(0)
    shown = last(Hybrid(), case)
    wrong = np.array(shown.outputs)
    wrong[1, 0] = np.nan
    found = expected(case, shown, Precision.dynamic_range_int8(at_least=1))
    assert found.distance(wrong)[1] == np.inf
    assert found.distance(wrong)[0] < NEAR


def test_of_what_may_overflow_nothing_is_known() -> None:
    case = case_of(0, dtype="float16").replace(bo=np.full(3, 6e4, np.float16), Wo=np.full((9, 3), 6e4, np.float16))
    shown = Trajectory(np.zeros((2, 3), np.float16))
    found = expected(case, shown, Precision.float16)
    assert np.isinf(found.error).all()
    assert (found.distance(np.full((2, 3), 1e9)) == 0).all()


@pytest.mark.parametrize("every", [False, True])
def test_outputs_of_every_step_or_the_last(every: bool) -> None:
    case = case_of(0)
    whole = reference(case).outputs
    shown = Trajectory(whole if every else whole[:, -1])
    found = expected(case, shown, Precision.bfloat16)
    assert found.value.shape == (2, whole[0].size if every else 3)
    assert (found.distance(flat(shown, shown)) < 1).all()


def test_weights_that_are_not_known_are_of_a_run_each() -> None:
    case = case_of(0)
    p = replace(Precision.float32, radius={"Wh": 0.01})
    shown = Trajectory(reference(case).outputs[:, -1])
    assert (expected(case, shown, p).error > 1e-3).all()
    assert (expected(case, shown, Precision.float32).error < 1e-3).all()


def test_a_sample_that_is_no_number_leaves_the_others_their_uncertain_weights() -> None:
    case = case_of(0)
    x = np.array(case.x)
    x[1, 0, 0] = np.inf
    p = replace(Precision.float32, radius={"Wh": 0.01})
    shown = Trajectory(reference(case).outputs[:, -1])
    assert expected(case.replace(x=x), shown, p).error[0] > 1e-3
