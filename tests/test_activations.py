"""Activation functions, and what an error in their argument does to their value."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_rnnequiv.activations import ACTIVATIONS, Activation, activation
from pytest_rnnequiv.mistakes import FAST_TANH

EVERY = pytest.mark.parametrize("f", ACTIVATIONS.values(), ids=str)
ARGUMENT = st.floats(-40, 40) | st.floats(-1e-3, 1e-3) | st.sampled_from([0.0, -1.0, 1.0, 3.0, -3.0, 6.0])

TEXTBOOK: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "linear": lambda a: a,
    "relu": lambda a: max(a, 0.0),
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "hard_sigmoid": lambda a: min(max(a / 6 + 0.5, 0.0), 1.0),
    "hard_tanh": lambda a: min(max(a, -1.0), 1.0),
    "softsign": lambda a: a / (1 + abs(a)),
    "softplus": lambda a: math.log1p(math.exp(a)),
    "elu": lambda a: a if a > 0 else math.expm1(a),
    "leaky_relu": lambda a: a if a >= 0 else 0.2 * a,
    "relu6": lambda a: min(max(a, 0.0), 6.0),
}


def cube(a: np.ndarray) -> np.ndarray:
    """An activation of the user's own, which can be pickled."""
    return a**3


@EVERY
@given(a=ARGUMENT)
def test_the_value_is_the_textbook_one(f: Activation, a: float) -> None:
    assert f(np.array([a]))[0] == pytest.approx(TEXTBOOK[f.name](a), rel=1e-14, abs=1e-300)


@EVERY
def test_nan_stays_nan_and_nothing_overflows(f: Activation) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert np.isnan(f(np.array([np.nan]))).all()
        big = f(np.array([-1e300, 1e300]))
    assert not np.isnan(big).any()
    assert big[0] <= big[1]


@EVERY
@given(a=ARGUMENT, b=ARGUMENT)
def test_it_never_falls(f: Activation, a: float, b: float) -> None:
    low, high = f(np.sort([a, b]))
    assert low <= high + 1e-15 * abs(high)


@pytest.mark.parametrize("f", [fast for fast, _ in FAST_TANH.values()], ids=str)
def test_the_fast_tanhs_never_fall_and_come_near(f: Activation) -> None:
    a = np.linspace(-8, 8, 100_001)
    assert (np.diff(f(a)) >= -1e-15).all()
    if f.name != "tanh(a/2)":
        assert np.abs(f(a) - np.tanh(a)).max() < 0.06


@EVERY
@given(a=ARGUMENT, delta=st.floats(0, 3), part=st.floats(-1, 1))
def test_the_value_moves_no_farther_than_the_spread(f: Activation, a: float, delta: float, part: float) -> None:
    here, moved = f(np.array([a, a + part * delta]))
    spread = f.spread(np.array([a]), np.array([delta]))[0]
    assert abs(moved - here) <= spread * (1 + 1e-12) + 1e-15 * abs(here)


@EVERY
@given(a=ARGUMENT, delta=st.floats(0, 3), part=st.floats(-1, 1))
def test_the_linear_model_is_off_by_no_more_than_its_remainder(
    f: Activation, a: float, delta: float, part: float
) -> None:
    slope, remainder = f.linearise(np.array([a]), np.array([delta]))
    e = part * delta
    here, moved = f(np.array([a, a + e]))
    assert abs(moved - here - slope[0] * e) <= remainder[0] * (1 + 1e-9) + 4e-16 * (1 + abs(a))


@EVERY
@given(a=st.floats(-5, 5))
def test_close_by_the_linear_model_is_sharp(f: Activation, a: float) -> None:
    assume(all(abs(a - kink) > 1e-3 for kink in f.kinks))
    slope, remainder = f.linearise(np.array([a]), np.array([1e-6]))
    derivative = (TEXTBOOK[f.name](a + 1e-6) - TEXTBOOK[f.name](a - 1e-6)) / 2e-6
    assert slope[0] == pytest.approx(derivative, rel=1e-3, abs=1e-8)
    assert remainder[0] <= 1.1e-12


def test_without_a_slope_the_linear_model_is_the_interval() -> None:
    f = Activation("cube", cube)
    a, delta = np.array([-2.0, 0.0, 1.0]), np.array([0.1, 0.1, 0.1])
    slope, remainder = f.linearise(a, delta)
    assert not slope.any()
    assert np.array_equal(remainder, f.spread(a, delta))


@pytest.mark.parametrize("f", [f for f in ACTIVATIONS.values() if f.curvature], ids=str)
def test_the_curvature_is_the_largest_second_derivative(f: Activation) -> None:
    a = np.arange(-40_000, 40_001) / 4000
    bend = np.diff(f(a), 2) * 4000**2
    smooth = np.all([np.abs(a[1:-1] - kink) > 1e-3 for kink in f.kinks] or [np.ones(len(a) - 2, bool)], axis=0)
    worst = np.abs(bend[smooth]).max()
    assert worst <= f.curvature + 1e-5
    assert worst > 0.99 * f.curvature


def test_the_curvature_matters() -> None:
    blunt = replace(ACTIVATIONS["tanh"], curvature=0.1)
    _, remainder = blunt.linearise(np.array([0.66]), np.array([0.01]))
    assert abs(math.tanh(0.67) - math.tanh(0.66) - 0.01 * (1 - math.tanh(0.66) ** 2)) > remainder[0]


@pytest.mark.parametrize("name", ["Tanh", "gelu", 3, ["tanh"]])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(name: object) -> None:
    with pytest.raises(ValueError, match="unknown activation .*: expected an Activation or one of elu, hard_sigmoid, "):
        activation(name)  # type: ignore[arg-type]


def test_none_is_linear_as_in_keras() -> None:
    assert activation(None) is ACTIVATIONS["linear"]
    assert activation("tanh") is activation(ACTIVATIONS["tanh"]) is ACTIVATIONS["tanh"]


def test_a_pickled_activation_is_itself() -> None:
    for f in ACTIVATIONS.values():
        assert pickle.loads(pickle.dumps(f)) is f
    own = pickle.loads(pickle.dumps(Activation("cube", cube)))
    assert own == Activation("cube", cube)
    assert own(np.array([2.0])) == 8
