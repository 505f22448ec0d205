"""Activation functions, and what an error in their argument does to their value."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Precision, Spec
from pytest_rnnequiv.arithmetic import activations
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, IMPOSSIBLE, Activation, activation
from pytest_rnnequiv.divergences.keras import DIVERGENCES
from pytest_rnnequiv.divergences.table import ordered
from pytest_rnnequiv.implementations.keras import load
from pytest_rnnequiv.mistakes.activations import FAST_TANH

UNIQUE = [f for name, f in ACTIVATIONS.items() if f.name == name]
PLAIN = [f for f in UNIQUE if f.per_term is None]
EVERY = pytest.mark.parametrize("f", UNIQUE, ids=str)
ELEMENTWISE = pytest.mark.parametrize("f", PLAIN, ids=str)
OF_THE_AXIS = pytest.mark.parametrize("f", [f for f in UNIQUE if f.per_term is not None], ids=str)
CORNERS = sorted({corner for f in PLAIN for corner in (0.0, *f.kinks, *f.turns)})
ARGUMENT = (
    st.floats(-40, 40)
    | st.floats(-1e-3, 1e-3)
    | st.builds(lambda corner, by: corner * (1 + by), st.sampled_from(CORNERS), st.floats(-1e-6, 1e-6))
)
ROW = st.lists(ARGUMENT, min_size=1, max_size=6).map(np.array)
DELTA = st.floats(0, 3) | st.floats(0, 1e-6)

HALF, ONE, SIX = Decimal("0.5"), Decimal(1), Decimal(6)
ALPHA, SCALE = Decimal("1.6732632423543772848170429916717"), Decimal("1.0507009873554804934193349852946")


def _sigmoid(a: Decimal) -> Decimal:
    return 1 / (1 + (-a).exp())


def _softplus(a: Decimal) -> Decimal:
    return (1 + a.exp()).ln()


def _tanh(a: Decimal) -> Decimal:
    return ((2 * a).exp() - 1) / ((2 * a).exp() + 1)


def _clip(a: Decimal, low: Decimal | int, high: Decimal | int) -> Decimal:
    return Decimal(min(max(a, low), high))


def _elu(a: Decimal) -> Decimal:
    return a if a > 0 else a.exp() - 1


def _normal_cdf(a: Decimal) -> Decimal:
    """By the series of Abramowitz & Stegun 26.2.10."""
    term = total = a
    k = 0
    while abs(term) > Decimal("1e-350"):
        k += 1
        term *= -a * a / (2 * k)
        total += term / (2 * k + 1)
    return HALF + total / (2 * Decimal("3.14159265358979323846264338327950288419716939937510582097494")).sqrt()


TEXTBOOK: dict[str, Callable[[Decimal], Decimal]] = {
    "tanh": _tanh,
    "linear": lambda a: a,
    "relu": lambda a: max(a, Decimal(0)),
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda a: _clip(a / 6 + HALF, 0, 1),
    "hard_tanh": lambda a: _clip(a, -1, 1),
    "softsign": lambda a: a / (1 + abs(a)),
    "softplus": _softplus,
    "elu": _elu,
    "leaky_relu": lambda a: a if a >= 0 else a / 5,
    "relu6": lambda a: _clip(a, 0, 6),
    "celu": _elu,
    "selu": lambda a: SCALE * (a if a > 0 else ALPHA * (a.exp() - 1)),
    "exponential": lambda a: a.exp(),
    "log_sigmoid": lambda a: _sigmoid(a).ln(),
    "gelu": lambda a: a * _normal_cdf(a),
    "silu": lambda a: a * _sigmoid(a),
    "hard_silu": lambda a: a * _clip(a / 6 + HALF, 0, 1),
    "mish": lambda a: a * _tanh(_softplus(a)),
    "tanh_shrink": lambda a: a - _tanh(a),
    "soft_shrink": lambda a: max(a - HALF, Decimal(0)) + min(a + HALF, Decimal(0)),
    "hard_shrink": lambda a: a if abs(a) > HALF else Decimal(0),
    "sparse_sigmoid": lambda a: _clip((a + 1) / 2, 0, 1),
    "sparse_plus": lambda a: a if a >= 1 else _clip(a + 1, 0, 2) ** 2 / 4,
    "squareplus": lambda a: (a + (a * a + 4).sqrt()) / 2,
}


def textbook(f: Activation, a: float, moved: str = "0") -> Decimal:
    with localcontext() as context:
        context.prec = 400  # for the cancellation near 0, and of the series in the tail
        return TEXTBOOK[f.name](Decimal(a) + Decimal(moved))


def cube(a: np.ndarray) -> np.ndarray:
    """An activation of the user's own, which can be pickled."""
    return a**3


def movements(f: Activation, a: float, delta: float) -> tuple[np.ndarray, np.ndarray]:
    """Many ``e`` within ``delta``, to the corners of the function too, and how far each of them moves the value."""
    low, high = a - delta, a + delta
    to = np.array(
        [*np.linspace(low, high, 41), *(np.clip(c + s * 1e-9, low, high) for c in CORNERS for s in (-1, 0, 1))]
    )
    to = np.clip(to, low, high)
    return to - a, f(to) - f(np.array([a]))


# ---- values ----


@ELEMENTWISE
@settings(max_examples=60, deadline=None)
@given(a=ARGUMENT)
def test_the_value_is_the_textbook_one(f: Activation, a: float) -> None:
    # the tail of gelu is beyond the reach of its argument's own rounding
    relative = 1e-15 * (1 + a * a) if f.name == "gelu" else 1e-15
    absolute = {"hard_sigmoid": 1e-16, "sparse_sigmoid": 1e-16, "gelu": 1e-40}.get(f.name, 1e-300)
    assert f(np.array([a]))[0] == pytest.approx(float(textbook(f, a)), rel=relative, abs=absolute)


@pytest.mark.parametrize(
    ("a", "value"),
    [(-5.0, -1.4332578593959686e-06), (-20.0, -5.5072482372124673e-88), (-37.0, -2.1184613523340934e-298)],
)
def test_the_tail_of_gelu(a: float, value: float) -> None:
    assert ACTIVATIONS["gelu"](np.array([a]))[0] == pytest.approx(value, rel=1e-15 * a * a, abs=0)


@settings(max_examples=60)
@given(a=ROW)
def test_softmax_is_the_textbook_one(a: np.ndarray) -> None:
    with localcontext() as context:
        context.prec = 60
        exponentials = [Decimal(each).exp() for each in a.tolist()]
        shares = [each / sum(exponentials) for each in exponentials]
        logarithms = [float(each.ln()) for each in shares]
    # what is far below the largest is exact beside that only
    assert ACTIVATIONS["softmax"](a) == pytest.approx([float(share) for share in shares], rel=2e-14, abs=0)
    assert ACTIVATIONS["log_softmax"](a) == pytest.approx(logarithms, rel=4e-14, abs=0)


@settings(max_examples=60)
@given(a=st.lists(st.floats(-2, 2) | st.sampled_from([0.0, 0.5, 1.0, -40.0]), min_size=1, max_size=6).map(np.array))
def test_sparsemax_is_the_nearest_point_of_the_simplex(a: np.ndarray) -> None:
    point = ACTIVATIONS["sparsemax"](a)
    assert point.min() >= 0
    assert point.sum() == pytest.approx(1, abs=1e-15)
    # of a projection on a convex set: no corner lies on the side that it came from
    assert ((a - point) @ (np.eye(len(a)) - point).T <= 1e-14 * (1 + np.abs(a).max())).all()


def test_sparsemax_of_the_paper() -> None:
    """Martins & Astudillo, 2016, section 2.3: in two dimensions it is a hard sigmoid."""
    t = np.linspace(-2, 2, 9)
    rows = ACTIVATIONS["sparsemax"](np.stack([t, np.zeros(9)], -1))
    assert rows[:, 0] == pytest.approx(np.clip((t + 1) / 2, 0, 1), abs=1e-15)


@EVERY
def test_values_are_those_of_every_row_alone(f: Activation) -> None:
    a = np.random.default_rng(0).standard_normal((2, 3, 4))
    assert np.array_equal(f(a), np.stack([[f(row) for row in sheet] for sheet in a]))
    assert f(a.astype(np.float32)).dtype == np.float32


@EVERY
def test_nan_stays_nan_and_nothing_overflows(f: Activation) -> None:
    big = np.array([[-1e300], [1e300]])
    if f.name == "exponential":
        big = np.minimum(big, 709)
    with np.errstate(all="raise", under="ignore"):
        assert np.isnan(f(np.array([np.nan]))).all()
        low, high = f(big)
    assert low <= high
    assert np.isnan(f(np.full(3, np.nan))).all()
    if f.per_term is not None:
        assert np.isnan(f(np.array([0.0, np.nan, 1.0]))).all()


@ELEMENTWISE
@given(a=ARGUMENT, b=ARGUMENT)
def test_it_never_falls_between_its_turns(f: Activation, a: float, b: float) -> None:
    left, right = sorted([a, b])
    assume(not any(left < turn < right for turn in f.turns))
    low, high = f(np.array([left, right]))
    if f.turns and right <= f.turns[0]:
        low, high = high, low
    assert low <= high + 1e-15 * max(abs(high), abs(left), 1 if f.turns else 0)


@pytest.mark.parametrize("f", [fast for fast, _ in FAST_TANH.values()], ids=str)
def test_the_fast_tanhs_never_fall_and_come_near(f: Activation) -> None:
    a = np.linspace(-8, 8, 100_001)
    assert (np.diff(f(a)) >= -1e-15).all()
    if f.name != "tanh(a/2)":
        assert np.abs(f(a) - np.tanh(a)).max() < 0.06


# ---- how far the value moves ----


@ELEMENTWISE
@given(a=ARGUMENT, delta=DELTA)
def test_the_spread_is_the_farthest_that_the_value_moves(f: Activation, a: float, delta: float) -> None:
    _, moved = movements(f, a, delta)
    spread = f.spread(np.array([a]), np.array([delta]))[0]
    slack = 4e-15 * max(1, abs(a)) * (1 + abs(spread))
    assert np.abs(moved).max() <= spread * (1 + 1e-12) + slack
    assert np.abs(moved).max() >= spread * (1 - 1e-9) - slack


@OF_THE_AXIS
@settings(max_examples=60)
@given(a=ROW, data=st.data())
def test_the_spread_of_an_axis_is_the_farthest_that_its_values_move(f: Activation, a: np.ndarray, data: Any) -> None:
    delta = np.array(data.draw(st.lists(DELTA, min_size=len(a), max_size=len(a))))
    corners = [np.array(signs) * delta for signs in itertools.product([-1, 1], repeat=len(a))]
    inside = np.random.default_rng(0).uniform(-1, 1, (64, len(a))) * delta
    moved = np.abs(f(a + np.concatenate([corners, inside])) - f(a)).max(0)
    spread = f.spread(a, delta)
    slack = 1e-14 * (1 + np.abs(a).max())
    assert (moved <= spread * (1 + 1e-12) + slack).all()
    assert (moved >= spread * (1 - 1e-9) - slack).all()


def test_the_spread_of_a_long_axis_is_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, delta = rng.standard_normal((2, 3, 7)), rng.uniform(0, 1, (2, 3, 7))
    whole = ACTIVATIONS["softmax"].spread(a, delta)
    for block in (1, 100, 200):
        monkeypatch.setattr(activations, "BLOCK", block)
        assert np.array_equal(ACTIVATIONS["softmax"].spread(a, delta), whole)


@pytest.mark.parametrize("f", [f for f in UNIQUE if f.turns], ids=str)
def test_without_its_turns_the_spread_would_be_too_small(f: Activation) -> None:
    (turn,) = f.turns
    a, delta = np.array([turn - 2]), np.array([2 - turn])  # up to 0, where all of them are 0
    bottom = f(a) - f(np.array([turn]))
    assert f.spread(a, delta) == pytest.approx(bottom)
    assert replace(f, turns=()).spread(a, delta) < 0.9 * bottom


@pytest.mark.parametrize("f", [f for f in UNIQUE if f.turns], ids=str)
def test_the_turns_are_where_the_slope_is_zero(f: Activation) -> None:
    assert f.slope is not None
    for turn in f.turns:
        assert abs(f.slope(np.array([turn]))[0]) < 1e-15
        around = f(turn + np.linspace(-0.5, 0.5, 101))
        assert around.argmin() == 50


def test_a_jump_within_reach_is_movement() -> None:
    f = ACTIVATIONS["hard_shrink"]
    for a in (0.499, 0.5, 0.501, -0.499, -0.501):
        assert f.spread(np.array([a]), np.array([0.002]))[0] >= 0.499
        slope, remainder = f.linearize(np.array([a]), np.array([0.002]))
        assert slope == 0
        assert remainder >= 0.499
    assert f.spread(np.array([0.497]), np.array([0.002]))[0] == 0
    assert f.spread(np.array([0.503]), np.array([0.002]))[0] == pytest.approx(0.002)


def test_a_lipschitz_constant_is_a_spread() -> None:
    f = Activation("sine", np.sin, lipschitz=1)
    a, delta = np.array([0.0, 1.5]), np.array([0.1, 10.0])
    assert f.spread(a, delta) == pytest.approx(delta)
    slope, remainder = f.linearize(a, delta)
    assert not slope.any()
    assert remainder == pytest.approx(delta)


def test_one_that_falls_is_monotone_too() -> None:
    f = Activation("falling", lambda a: -(a**3))
    assert f.spread(np.array([1.0]), np.array([1.0])) == pytest.approx(7)


@EVERY
def test_where_the_argument_may_be_anything_the_value_may(f: Activation) -> None:
    a = np.array([0.3, -0.2, 2.0])
    with np.errstate(all="ignore"):
        spread = f.spread(a, np.array([np.inf, 0.1, np.nan]))
    assert np.isinf(spread[[0, 2]]).all()
    assert np.isfinite(spread[1]) == (f.per_term is None)


@EVERY
def test_overflow_makes_the_spread_infinite_and_nothing_not_a_number(f: Activation) -> None:
    a = np.array([[1e308], [800.0], [-1e308], [0.0], [np.nan]])
    with np.errstate(all="ignore"):
        for delta in (0.0, 1.0, 1e308):
            spread = f.spread(a, np.full(a.shape, delta))
            assert (spread >= 0).all()
            slope, remainder = f.linearize(a, np.full(a.shape, delta))
            assert (remainder >= 0).all()
            assert np.isfinite(slope[:-1]).all()


@ELEMENTWISE
@given(a=ARGUMENT, delta=DELTA)
def test_the_linear_model_is_off_by_no_more_than_its_remainder(f: Activation, a: float, delta: float) -> None:
    slope, remainder = f.linearize(np.array([a]), np.array([delta]))
    e, moved = movements(f, a, delta)
    size = max(1, abs(a), *np.abs(f(a + e)))
    assert (np.abs(moved - slope[0] * e) <= remainder[0] * (1 + 1e-9) + 4e-15 * size).all()


@ELEMENTWISE
@settings(max_examples=40, deadline=None)
@given(a=st.floats(-5, 5))
def test_close_by_the_linear_model_is_sharp(f: Activation, a: float) -> None:
    assume(all(abs(a - kink) > 1e-3 for kink in f.kinks))
    slope, remainder = f.linearize(np.array([a]), np.array([1e-6]))
    derivative = float(textbook(f, a, "1e-6") - textbook(f, a, "-1e-6")) / 2e-6
    # where it is nearly level the interval is the better bound
    assert slope[0] == pytest.approx(derivative, rel=1e-3, abs=1e-8 if abs(derivative) > 2.5e-6 else 2.5e-6)
    assert remainder[0] <= 0.51e-12 * max(2.2, math.exp(a) if f.name == "exponential" else 0)


def test_without_a_slope_the_linear_model_is_the_interval() -> None:
    f = Activation("cube", cube)
    a, delta = np.array([-2.0, 0.0, 1.0]), np.array([0.1, 0.1, 0.1])
    slope, remainder = f.linearize(a, delta)
    assert not slope.any()
    assert np.array_equal(remainder, f.spread(a, delta))


@pytest.mark.parametrize("f", [f for f in PLAIN if f.slope and f.curvature], ids=str)
def test_the_curvature_is_the_largest_second_derivative(f: Activation) -> None:
    a = np.arange(-40_000, 40_001) / 4000
    bend = np.abs(np.diff(f(a), 2) * 4000**2)
    smooth = np.all([np.abs(a[1:-1] - kink) > 1e-3 for kink in f.kinks] or [np.ones(len(a) - 2, bool)], axis=0)
    if callable(f.curvature):
        bound = f.curvature(a[:-2], a[2:])
        assert (bend <= bound + 1e-5 * bend.max()).all()
        assert (bend > 0.99 * bound - 1e-5 * bend.max()).all()
        return
    worst = bend[smooth].max()
    assert worst <= f.curvature + 1e-5
    assert worst > 0.99 * f.curvature


def test_the_curvature_matters() -> None:
    blunt = replace(ACTIVATIONS["tanh"], curvature=0.1)
    _, remainder = blunt.linearize(np.array([0.66]), np.array([0.01]))
    assert abs(math.tanh(0.67) - math.tanh(0.66) - 0.01 * (1 - math.tanh(0.66) ** 2)) > remainder[0]


# ---- the error of a correct implementation ----


def test_the_error_has_a_part_for_the_value_the_argument_and_neither() -> None:
    p = Precision.float32
    f = Activation("a", np.sin, ulps=3, floor=5, of_argument=7)
    a, value = np.array([-2.0]), np.array([0.5])
    assert f.error(p, a, value) == pytest.approx((3 * 0.5 + 5 + 7 * 2) * p.unit)
    assert f.error(p, a, value, 1.0, 4.0) == pytest.approx((3 * 4.5 + 5 + 7 * 3) * p.unit)
    assert f.error(p.with_activation_error(1e-3), a, value) == pytest.approx(1e-3, rel=1e-2)


def test_the_error_of_the_argument_ends_where_the_gate_is_closed() -> None:
    p = Precision.float32
    for name in ("gelu", "silu", "mish", "hard_silu"):
        f, a = ACTIVATIONS[name], np.array([-1e8])
        with np.errstate(over="ignore"):
            assert f.error(p, a, f(a)) < 2e-5
    f = Activation("a", np.sin, ulps=3, floor=5, of_argument=7, saturated=2)
    assert f.error(p, np.array([-1.5]), np.zeros(1), 9.0) == pytest.approx((5 + 14) * p.unit)


def test_a_sum_over_the_axis_has_an_error_for_every_term() -> None:
    p = Precision.float32
    f = Activation("a", np.sin, ulps=3, floor=5, of_argument=7, per_term=(1, 2, 3))
    a, value = np.array([-2.0, 1.0]), np.array([0.5, 0.25])
    assert f.error(p, a, value) == pytest.approx((5 * value + 9 + 13 * 2) * p.unit)


@pytest.mark.parametrize(
    ("name", "a"),
    [("exponential", 89.0), ("squareplus", -2e19), ("hard_silu", 1e38), ("linear", 3.4028235e38), ("relu", np.nan)],
)
def test_where_an_implementation_may_overflow_there_is_no_bound(name: str, a: float) -> None:
    f, p = ACTIVATIONS[name], Precision.float32
    for argument, bounded in ((a, False), (a / 8, np.isfinite(a))):
        value = f(np.array([argument]))
        assert np.isfinite(f.error(p, np.array([argument]), value)) == bounded
    assert np.isinf(f.error(p, np.array([a]), f(np.array([a]))))


# ---- Keras ----

#: Constants that TensorFlow keeps in float32, whatever the numbers are.
ROUNDED = {"leaky_relu": 2**-24, "gelu": 2**-24}


@pytest.fixture(scope="module")
def keras() -> Any:
    pytest.importorskip("keras")
    try:
        return load()[1]
    except Exception as problem:
        pytest.skip(str(problem))


def has_it(keras: Any, name: str) -> None:
    """Skip where the installed Keras is too old for a function."""
    if not hasattr(keras.activations, name):
        pytest.skip(f"Keras {keras.__version__} has no {name}")


def keras_value(keras: Any, name: str, a: Any, dtype: str = "float64") -> np.ndarray:
    has_it(keras, name)
    value = keras.activations.get(name)(keras.ops.convert_to_tensor(a, dtype))
    return np.asarray(keras.ops.convert_to_numpy(value))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_keras_has_the_same_values(keras: Any, name: str) -> None:
    if name == "sparsemax":
        pytest.skip("Keras's threshold is that of another function: see below")
    f = ACTIVATIONS[name]
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.uniform(-9, 9, (200, 5)), rng.standard_normal((200, 5)), np.full((1, 5), CORNERS[2])])
    own, p = f(a), Precision.float64
    allowed = f.error(p, a, own)
    if name in ROUNDED:
        allowed = allowed + ROUNDED[name] * np.abs(a)
    assert (np.abs(keras_value(keras, name, a) - own) <= allowed).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["gelu", "hard_silu", "silu", "mish", "tanh", "sigmoid", "elu", "leaky_relu"])
def test_kernels_that_are_fused_into_a_dense_stay_within(keras: Any, name: str, dtype: str) -> None:
    """oneDNN has approximations of its own: its gelu was off by 2.8 times a bound that TensorFlow's kernels kept."""
    import tensorflow as tf

    f, p, function = ACTIVATIONS[name], Precision.of(dtype), keras.activations.get(name)
    weights, bias = tf.ones((1, 1), dtype), tf.zeros(1, dtype)
    dense = tf.function(lambda x: function(tf.nn.bias_add(tf.matmul(x, weights), bias)), autograph=False)
    drawn = tf.cast(tf.constant(np.append(np.linspace(-8, 8, 20001), [64.35, -40.0])[:, None]), dtype)
    a, got = (tf.cast(each, "float64").numpy() for each in (drawn, dense(drawn)))
    assert (np.abs(got - f(a)) <= f.error(p, a, f(a))).all()


def test_every_activation_of_keras_is_known_or_impossible(keras: Any) -> None:
    known = keras.src.activations.ALL_OBJECTS_DICT
    assert known.keys() <= ACTIVATIONS.keys() | IMPOSSIBLE.keys()
    for name, function in known.items():
        if name not in IMPOSSIBLE:
            assert activation(function) is ACTIVATIONS[name]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_is_impossible_fails_in_keras_too(keras: Any, name: str) -> None:
    has_it(keras, name)
    layer = keras.layers.SimpleRNN(4, activation=name)
    with pytest.raises(Exception, match=r"missing 2 required positional arguments|incompatible|size"):
        layer(np.ones((1, 2, 3), np.float32))


class TestWhereKerasDeparts:
    """Found by the oracle in Keras 3.15.1. Where one of these fails, Keras has changed."""

    def test_gelu_has_the_constant_of_float32(self, keras: Any) -> None:
        """``tf.cast(0.7071067811865476, float64)`` makes a float32 of it on the way."""
        (known,) = (each for each in DIVERGENCES if each.name == "gelu-float64")
        if ordered(keras.__version__) < ordered(known.since):
            pytest.skip(f"Keras {keras.__version__} is right")
        a = np.array([1.0])
        error = abs(keras_value(keras, "gelu", a) - ACTIVATIONS["gelu"](a))
        assert 1e-9 < error < 1e-8
        rounded = 0.5 * math.erfc(-float(np.float32(0.5**0.5)))
        assert keras_value(keras, "gelu", a) == pytest.approx(rounded, rel=1e-15)

    def test_sparsemax_sums_its_sums(self, keras: Any) -> None:
        """keras-team/keras#23425: it is right only where one component takes all."""
        assert keras_value(keras, "sparsemax", [[3.0, 1.0, 0.2]]) == pytest.approx(np.array([[1.0, 0.0, 0.0]]))
        assert keras_value(keras, "sparsemax", [[0.0, 0.5, 1.0]]) == pytest.approx(np.array([[0.0, 0.0, 0.25]]))
        assert ACTIVATIONS["sparsemax"](np.array([[0.0, 0.5, 1.0]])) == pytest.approx(np.array([[0.0, 0.25, 0.75]]))

    @pytest.mark.parametrize("name", ["hard_shrink", "soft_shrink"])
    def test_the_shrinks_make_zero_of_nan(self, keras: Any, name: str) -> None:
        assert keras_value(keras, name, [[np.nan]]) == 0


# ---- names ----


@pytest.mark.parametrize("name", ["Tanh", "gelu_tanh", 3, ["tanh"]])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(name: object) -> None:
    with pytest.raises(ValueError, match="unknown activation .*: expected an Activation or one of celu, elu, .*, tanh"):
        activation(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "reason"), [("glu", "halves its last axis"), ("threshold", "two more arguments")])
def test_a_name_that_cannot_be_one_says_why(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' cannot be the activation of a layer: .*{reason}"):
        activation(name)


def test_none_is_linear_as_in_keras() -> None:
    assert activation(None) is ACTIVATIONS["linear"]
    assert activation("tanh") is activation(ACTIVATIONS["tanh"]) is ACTIVATIONS["tanh"]


def test_two_names_of_one_function_are_one_activation() -> None:
    assert Spec.simple(1, 1, 1, "swish") == Spec.simple(1, 1, 1, "silu")
    assert activation("hard_swish") is activation("hard_silu")
    assert pickle.loads(pickle.dumps(activation("swish"))) is activation("silu")


def named(name: str, module: str) -> Callable[[Any], Any]:
    def function(a: Any) -> Any:
        return a

    function.__name__, function.__module__ = name, module
    return function


def test_a_function_of_keras_is_known_by_its_name() -> None:
    for module in ("keras.src.activations.activations", "keras.src.activations"):
        assert activation(named("silu", module)) is ACTIVATIONS["silu"]
    assert Spec.simple(1, 1, 1, named("relu", "keras.src.activations.activations")) == Spec.simple(1, 1, 1, "relu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'glu' cannot be"):
        activation(named("glu", "keras.src.activations.activations"))
    with pytest.raises(ValueError, match="unknown activation <function"):
        activation(named("of_tomorrow", "keras.src.activations.activations"))


@pytest.mark.parametrize(
    "function",
    [cube, np.tanh, named("gelu", "keras.src.ops.nn"), lambda a: a],
    ids=["own", "ufunc", "other-module", "lambda"],
)
def test_another_function_is_an_error_that_says_what_to_write(function: Any) -> None:
    with pytest.raises(ValueError, match="nothing is known of the activation .*write Activation") as raised:
        activation(function)
    message = str(raised.value)
    assert f"Activation({function.__name__!r}, f)" in message
    assert "turns=(...)" in message
    assert "lipschitz=L" in message


def test_a_pickled_activation_is_itself() -> None:
    for f in ACTIVATIONS.values():
        assert pickle.loads(pickle.dumps(f)) is f
    own = pickle.loads(pickle.dumps(Activation("cube", cube, turns=(1.0,), lipschitz=3.0)))
    assert own == Activation("cube", cube, turns=(1.0,), lipschitz=3.0)
    assert own != Activation("cube", cube)
    assert own(np.array([2.0])) == 8
