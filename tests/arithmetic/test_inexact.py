"""Numbers that know how far a correct implementation may be from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Precision
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS
from pytest_rnnequiv.arithmetic.inexact import Inexact, choose

SEED = st.integers(0, 2**32 - 1)
KINDS: dict[str, Any] = {
    "float32": np.float32,
    "float16": np.float16,
    "float64": np.float64,
    "bfloat16": ml_dtypes.bfloat16,
}
GRADUAL = replace(Precision.float32, subnormals=True)


def tree(parts: list[Any], rng: np.random.Generator) -> Any:
    """Add up in a random order and grouping."""
    parts = [parts[i] for i in rng.permutation(len(parts))]
    while len(parts) > 1:
        i = int(rng.integers(len(parts) - 1))
        parts[i] = parts[i] + parts.pop(i + 1)
    return parts[0]


def numbers(rng: np.random.Generator, *shape: int, kind: Any = np.float32) -> Any:
    """Numbers of many sizes, which cancel now and then."""
    a = rng.standard_normal(shape) * 2.0 ** rng.integers(-6, 6, shape)
    return np.where(rng.random(shape) < 0.1, 0, a).astype(kind)


def inside(got: Any, number: Inexact) -> bool:
    closed = number.closed()
    error = np.abs(np.asarray(got, np.float64) - closed.value)
    return bool(((error <= closed.radius) | ~np.isfinite(closed.radius)).all())


def product(a: Any, b: Any, rng: np.random.Generator) -> Any:
    return tree([a[:, i, None] * b[i] for i in range(len(b))], rng)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=60)
@given(seed=SEED, n=st.integers(1, 12), m=st.integers(1, 12))
def test_a_sum_in_any_order_is_within_its_radius(name: str, seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    kind, p = KINDS[name], Precision.of(name)
    x, Wx, h, Wh, b = (numbers(rng, *s, kind=kind) for s in ((3, n), (n, 2), (3, m), (m, 2), (2,)))
    parts = [x[:, i, None] * Wx[i] for i in range(n)] + [h[:, i, None] * Wh[i] for i in range(m)]
    got = tree([*parts, np.broadcast_to(b, (3, 2))], rng)
    assert got.dtype == kind
    a = Inexact(x, p) @ Inexact(Wx, p) + Inexact(h, p) @ Inexact(Wh, p) + Inexact(b, p)
    assert a.terms == n + m + 1
    assert inside(got, a)
    assert np.allclose(a.value, np.float64(x) @ np.float64(Wx) + np.float64(h) @ np.float64(Wh) + np.float64(b))


def test_the_worst_sum_nearly_fills_the_radius() -> None:
    # 1 followed by halves of its round-off, each of which is lost: as bad as it gets
    n, u = 1000, 2.0**-24
    x = np.full((1, n), u, np.float32)
    x[0, 0] = 1
    got = np.float32(0)
    for term in x[0]:
        got = np.float32(got + term)
    p = Precision.float32
    a = (Inexact(x, p) @ Inexact(np.ones((n, 1)), p)).closed()
    error = abs(float(got) - float(a.value[0, 0]))
    assert error == (n - 1) * u
    assert 0.99 * a.radius[0, 0] < error <= a.radius[0, 0]


@settings(max_examples=60)
@given(seed=SEED, name=st.sampled_from(sorted(ACTIVATIONS)))
def test_two_layers_of_sums_and_activations_stay_within(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    p, f = Precision.float32, ACTIVATIONS[name]
    x, W, V, b = numbers(rng, 4, 3), numbers(rng, 3, 5), numbers(rng, 5, 2), numbers(rng, 2)
    hidden = f(product(x, W, rng)).astype(np.float32)
    got = product(hidden, V, rng) + b
    number = f(Inexact(x, p) @ Inexact(W, p))
    assert inside(hidden, number)
    assert inside(got, number @ Inexact(V, p) + Inexact(b, p))


@settings(max_examples=60)
@given(seed=SEED)
def test_products_and_sums_of_inexact_numbers_stay_within(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = Precision.float32
    a, b, c = (numbers(rng, 3, 4).astype(np.float64) for _ in range(3))
    ra, rb = (np.abs(numbers(rng, 3, 4)) * 1e-3 for _ in range(2))
    moved_a = (a + ra * rng.uniform(-1, 1, a.shape)).astype(np.float32)
    moved_b = (b + rb * rng.uniform(-1, 1, a.shape)).astype(np.float32)
    # rounding to float32 moves a little farther
    ra, rb = ra + np.abs(moved_a) * 2.0**-24, rb + np.abs(moved_b) * 2.0**-24
    A, B, C = Inexact(a, p, ra), Inexact(b, p, rb), Inexact(c, p)
    with np.errstate(under="ignore"):
        assert inside(moved_a * moved_b, A * B)
        assert inside(moved_a * moved_b + c.astype(np.float32), A * B + C)
        assert inside(moved_a + moved_b, A + B)
        assert inside(moved_a * np.float32(c) * moved_b, A * C * B)


def test_a_number_stays_closed_and_a_sum_open() -> None:
    p = Precision.float32
    a = Inexact([1.0, 2.0], p)
    assert a.closed() is a
    assert a.exact
    total = a + a + a
    assert (total.terms, total.magnitude.tolist()) == (3, [3, 6])
    closed = total.closed()
    assert closed.terms == 0
    assert closed.closed() is closed
    assert closed.radius == pytest.approx(4 * 2.0**-24 * np.array([3, 6]), rel=1e-5)


def test_the_radius_of_a_sum_is_the_sum_of_the_radii_and_its_rounding() -> None:
    p = Precision.float64
    total = (Inexact([1.0], p, np.array([0.25])) + Inexact([2.0], p, np.array([0.5]))).closed()
    assert total.radius == pytest.approx([0.75])
    assert total.radius > 0.75


def test_what_came_in_is_rounded_too() -> None:
    p = Precision.float16
    total = (Inexact([1.0], p, np.array([100.0])) + Inexact([1.0], p)).closed()
    # the implementation may have 101 where the value is 1
    assert total.radius >= 100 + p.gamma(3) * 102
    product = (Inexact([[0.0]], Precision.tf32, np.array([[1.0]])) @ Inexact([[1.0]], Precision.tf32)).closed()
    assert product.radius >= (1 + 2.0**-11) ** 2


@settings(max_examples=40)
@given(seed=SEED)
def test_choose_takes_the_radius_with_the_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = Precision.float32
    a, b = numbers(rng, 5), numbers(rng, 5)
    chosen = choose(a > 0, Inexact(a, p, np.full(5, 0.5)), Inexact(b, p))
    assert np.array_equal(chosen.value, np.where(a > 0, a, b))
    assert np.array_equal(chosen.radius, np.where(a > 0, 0.5, 0.0))
    assert np.array_equal(choose(a > 0, a, b), np.where(a > 0, a, b))
    open_sum = Inexact(a, p) + Inexact(b, p)
    assert (choose(a > 0, open_sum, Inexact(b, p)).radius[a > 0] >= open_sum.closed().radius[a > 0]).all()


def to_bits(a: Any, bits: int) -> Any:
    """Round to so many bits of mantissa."""
    mantissa, exponent = np.frexp(np.asarray(a, np.float64))
    return np.ldexp(np.round(mantissa * 2.0**bits), exponent - bits)


@settings(max_examples=60)
@given(seed=SEED, n=st.integers(1, 9))
def test_factors_may_be_rounded_before_they_are_multiplied(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = Precision.tf32
    x, W = numbers(rng, 3, n), numbers(rng, n, 4)
    got = product(to_bits(x, 11).astype(np.float32), to_bits(W, 11).astype(np.float32), rng)
    assert inside(got, Inexact(x, p) @ Inexact(W, p))
    single = Inexact(x[:, :4][:, :1], p) * Inexact(W[:1, :1], p)
    assert inside(np.float32(to_bits(x[:, :1], 11)) * np.float32(to_bits(W[:1, :1], 11)), single)


def test_rounded_factors_are_seen_where_they_were_not_declared() -> None:
    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((8, 6)), rng.standard_normal((6, 8))
    got = to_bits(x, 11) @ to_bits(W, 11)
    assert inside(got, Inexact(x, Precision.tf32) @ Inexact(W, Precision.tf32))
    assert not inside(got, Inexact(x, Precision.float32) @ Inexact(W, Precision.float32))


@settings(max_examples=40)
@given(seed=SEED)
def test_the_radius_of_a_weight_goes_into_the_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = Precision.float32
    x, W = numbers(rng, 3, 4), numbers(rng, 4, 2)
    r = np.full(W.shape, 0.01)
    number = Inexact(x, p) @ Inexact(W, p, r)
    moved = W + r * rng.choice([-1, 1], W.shape) * 0.9999
    assert inside(product(x, moved.astype(np.float32), rng), number)
    farther = W + 1.5 * r * np.sign(x[:1].T)
    if np.abs(x[0]).max() > 1e-3:
        closed = number.closed()
        assert (np.abs(np.float64(x) @ farther - closed.value) > closed.radius)[0].all()


# ---- the ends of the range ----


def flush(a: Any) -> Any:
    return np.where(np.abs(a) < np.finfo(np.float32).tiny, np.float32(0), a)


@settings(max_examples=80)
@given(seed=SEED, shift=st.integers(-140, -50))
def test_flushing_subnormals_stays_within_unless_that_is_ruled_out(seed: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((3, 5)) * 2.0**shift).astype(np.float32)
    W = (rng.standard_normal((5, 2)) * 2.0 ** rng.integers(-76, 3, (5, 2))).astype(np.float32)
    with np.errstate(under="ignore"):
        gradual = product(x, W, rng)
        parts = [flush(flush(x)[:, i, None] * flush(W)[i]) for i in range(5)]
        flushed = flush(sum(parts[1:], parts[0]))
    p = Precision.float32
    assert inside(gradual, Inexact(x, p) @ Inexact(W, p))
    assert inside(flushed, Inexact(x, p) @ Inexact(W, p))
    assert inside(gradual, Inexact(x, GRADUAL) @ Inexact(W, GRADUAL))


def test_a_subnormal_factor_may_count_as_zero() -> None:
    for p, lost in ((Precision.float32, True), (GRADUAL, False)):
        x = np.array([[2.0**-130]])
        for number in (Inexact(x, p) @ Inexact([[2.0**100]], p), Inexact([[2.0**100]], p) * Inexact(x, p)):
            assert inside(0.0, number) == lost
            assert inside(2.0**-30, number)


def test_gradual_underflow_can_be_asked_for() -> None:
    x = np.array([[2.0**-130]])
    for f in ("linear", "relu"):
        lax = ACTIVATIONS[f](Inexact(x, Precision.float32)).closed()
        strict = ACTIVATIONS[f](Inexact(x, GRADUAL)).closed()
        assert lax.radius >= x
        assert strict.radius < 0.01 * x


def test_a_sum_that_may_overflow_has_no_bound() -> None:
    p = Precision.float32
    big = Inexact(np.array([[3e38, 3e38, -3e38]]), p)
    total = (big @ Inexact(np.ones((3, 1)), p)).closed()
    assert total.value == pytest.approx(3e38)
    assert np.isinf(total.radius).all()  # in one order it is infinite, in another it is not
    assert np.isinf(ACTIVATIONS["tanh"](total).radius).all()
    small = (Inexact(np.array([[1e38, 1e38, -1e38]]), p) @ Inexact(np.ones((3, 1)), p)).closed()
    assert np.isfinite(small.radius).all()


def test_a_factor_out_of_range_has_no_bound_even_beside_a_zero() -> None:
    p = Precision.float16
    with np.errstate(invalid="ignore"):
        number = (Inexact(np.array([[1e5]]), p) @ Inexact(np.zeros((1, 1)), p)).closed()
    assert not np.isfinite(number.radius).any()
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(np.float16(1e5) * np.float16(0))
    fits = (Inexact(np.array([[6e4]]), p) @ Inexact(np.zeros((1, 1)), p)).closed()
    assert np.isfinite(fits.radius).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_adds_its_own_error_to_that_of_its_argument(name: str) -> None:
    f, p = ACTIVATIONS[name], Precision.float32
    a = np.array([-2.0, -0.3, 0.4, 1.7])
    exact, wide = f(Inexact(a, p)), f(Inexact(a, p, np.full(4, 0.1)))
    assert np.array_equal(exact.radius, f.error(p, a, f(a)))
    spread = f.spread(a, np.full(4, 0.1))
    assert np.array_equal(wide.radius, spread + f.error(p, a, f(a), 0.1, spread))
    assert (wide.radius <= spread + exact.radius + (f.ulps + 4) * p.unit * spread + f.of_argument * p.unit).all()


def test_numpy_leaves_arithmetic_to_it() -> None:
    number = Inexact(np.ones((2, 2)), Precision.float32)
    with pytest.raises((TypeError, AttributeError)):
        np.ones((2, 2)) @ number  # type: ignore[operator]


# ---- every activation, in numbers of every kind ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_in_short_numbers_stay_within(name: str, kind: str) -> None:
    """What is computed exactly and then rounded, from an argument that has been rounded, is correct."""
    rng = np.random.default_rng(0)
    p, f, number = Precision.of(kind), ACTIVATIONS[name], KINDS[kind]
    with np.errstate(all="ignore"):
        for scale in (1e-6, 1e-2, 1.0, 3.0, 30.0, 1e4):
            x, W = (numbers(rng, *shape, kind=number) for shape in ((40, 3), (3, 5)))
            x = (x.astype(np.float64) * scale).astype(number)
            a = product(x, W, rng)
            got, bound = f(a.astype(np.float64)).astype(number), f(Inexact(x, p) @ Inexact(W, p))
            determined = np.isfinite(bound.radius)
            assert (np.abs(got.astype(np.float64) - bound.value)[determined] <= bound.radius[determined]).all()
            assert determined.mean() > 0.5 or scale > 3


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_radius_is_never_not_a_number(name: str) -> None:
    f = ACTIVATIONS[name]
    a = np.array([[np.nan], [np.inf], [-np.inf], [1e308], [-1e308], [1e30], [-1e30], [800.0], [0.0]])
    with np.errstate(all="ignore"):
        for p in (Precision.float32, Precision.float16, Precision.float64, GRADUAL):
            for radius in (None, np.zeros(a.shape), np.full(a.shape, 1e300), np.full(a.shape, np.inf)):
                assert (f(Inexact(a, p, radius)).radius >= 0).all()


def test_what_overflows_is_undetermined() -> None:
    f, p = ACTIVATIONS["exponential"], Precision.float32
    with np.errstate(over="ignore"):
        number = f(Inexact(np.array([88.0, 89.0, 1000.0]), p, np.full(3, 1e-3)))
    assert np.isfinite(number.radius).tolist() == [True, False, False]


def test_a_function_of_the_axis_moves_with_every_argument() -> None:
    f, p = ACTIVATIONS["softmax"], Precision.float32
    a, radius = np.zeros(4), np.array([0.0, 0.0, 0.0, 1.0])
    number = f(Inexact(a, p, radius))
    assert inside(f(a + radius), number)
    assert inside(f(a - radius), number)
    assert not inside(f(a + 1.1 * radius), number)


def test_where_one_argument_may_be_anything_all_of_the_axis_may() -> None:
    a, radius = np.zeros((2, 3)), np.array([[0.0, np.inf, 0.0], [0.0, 0.1, 0.0]])
    with np.errstate(all="ignore"):
        assert np.isfinite(ACTIVATIONS["softmax"](Inexact(a, Precision.float32, radius)).radius).tolist() == [
            [False] * 3,
            [True] * 3,
        ]
        assert np.isfinite(ACTIVATIONS["tanh"](Inexact(a, Precision.float32, radius)).radius).sum() == 5


def test_plain_numbers_are_exact_on_both_sides() -> None:
    p = Precision.float32
    z = Inexact([0.25, 0.5], p, np.array([1e-3, 0.0]))
    for number, value in ((1 - z, [0.75, 0.5]), (z - 1, [-0.75, -0.5]), (2 * z, [0.5, 1.0]), (z * 2, [0.5, 1.0])):
        assert number.value.tolist() == value
        assert number.closed().radius[0] > number.closed().radius[1] > 0
    assert (np.array([1.0, 2.0]) + z).value.tolist() == [1.25, 2.5]


@settings(max_examples=60)
@given(seed=SEED)
def test_a_convex_combination_in_both_forms_is_within_its_radius(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = Precision.float32
    z = rng.random((3, 4)).astype(np.float32)
    a, b = (numbers(rng, 3, 4) for _ in range(2))
    Z, A, B = (Inexact(each, p) for each in (z, a, b))
    bound = Z * A + (1 - Z) * B
    assert inside(z * a + (np.float32(1) - z) * b, bound)
    assert inside(z * np.float64(a) + (1 - np.float64(z)) * b, bound)


def test_parts_of_a_number_keep_their_radius() -> None:
    p = Precision.float32
    a = Inexact(np.arange(6.0).reshape(1, 3, 2), p, np.arange(6.0).reshape(1, 3, 2) / 10)
    assert a[:, -1].radius.tolist() == [[0.4, 0.5]]
    assert a[:, ::-1].value.tolist() == [[[4, 5], [2, 3], [0, 1]]]
    assert Inexact(a.value, p)[:, 0].exact
    assert (a + a)[:, 1].radius[0, 0] > 0.4, "an open sum is rounded first"


def test_a_number_contains_what_a_correct_implementation_may_have() -> None:
    p = Precision.float32
    a = Inexact([1.0, 2.0, np.inf, 0.0], p, np.array([0.5, 0.0, 0.0, np.inf]))
    assert a.contains([1.5, 2.0, np.inf, 1e300]).all()
    assert not a.contains([1.6, 2.0000001, -np.inf, np.nan]).any()


def test_a_number_prints_itself() -> None:
    p = Precision.float32
    assert repr(Inexact(1 / 3, p, 3.7e-16)) == "[0.333333 +/- 3.7e-16]"
    assert repr(Inexact([1.0, 2.0], p)) == "[[1 +/- 0], [2 +/- 0]]"
