"""Formats: what numbers become, and that nothing else can become of any number near them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Fixed, Floating, Precision, Scaled
from pytest_rnnequiv.arithmetic.affine import Affine
from pytest_rnnequiv.arithmetic.formats import ROUNDINGS, Format
from pytest_rnnequiv.arithmetic.inexact import Inexact
from pytest_rnnequiv.arithmetic.within import Within

U = 2.0**-24
numbers = st.floats(-6, 6) | st.integers(-96, 96).map(lambda q: q / 16)
few = st.lists(numbers, min_size=1, max_size=6).map(np.array)


@given(a=few, rounding=st.sampled_from(["nearest-even", "nearest-away", "nearest-up", "floor", "zero"]))
def test_fixed_point_is_what_integers_make_of_it(a: Any, rounding: str) -> None:
    by: Any = {
        "nearest-even": np.rint,
        "nearest-away": lambda u: np.sign(u) * np.floor(np.abs(u) + 0.5),
        "nearest-up": lambda u: np.floor(u + 0.5),
        "floor": np.floor,
        "zero": np.trunc,
    }[rounding]
    q = by(a * 8)
    for overflow, fits in (("saturate", np.clip(q, -32, 31)), ("wrap", (q + 32) % 64 - 32)):
        ends = Fixed(2, 3, rounding, overflow).ends(a, 0.0, U)
        assert ends.low.tolist() == ends.high.tolist() == (fits / 8).tolist()
        assert not ends.tie.any()


@given(a=few)
def test_to_nearest_has_two_outcomes_at_a_tie_and_nowhere_else(a: Any) -> None:
    units = a * 8
    ends = Fixed(3, 3, "nearest").ends(a, 0.0, U)
    for one in (np.ceil(units - 0.5), np.rint(units), np.trunc(units + np.copysign(0.5, units))):
        assert ((ends.low * 8 <= one) & (one <= ends.high * 8)).all()
    assert (ends.tie == (np.abs(units % 1) == 0.5)).all()
    assert (ends.low[~ends.tie] == ends.high[~ends.tie]).all()


def test_just_below_a_half_is_not_a_tie() -> None:
    below = np.nextafter(0.5, 0)
    for rounding in ("nearest", "nearest-even", "nearest-away", "nearest-up"):
        ends = Fixed(2, 0, rounding).ends(np.array([below, -below]), 0.0, U)
        assert ends.low.tolist() == ends.high.tolist() == [0.0, 0.0], rounding


def test_two_outcomes_are_two() -> None:
    ends = Fixed(2, 0, "nearest-even").ends(np.array([1.5, 1.5, 1.4]), np.array([0.0, 1e-9, 1e-9]), U)
    assert ends.low.tolist() == [2.0, 1.0, 1.0]
    assert ends.high.tolist() == [2.0, 2.0, 1.0]
    assert ends.tie.tolist() == [False, True, False]
    for rounding in ("unknown", "stochastic"):
        ends = Fixed(2, 0, rounding).ends(np.array([1.25, 2.0]), 0.0, U)
        assert (ends.low.tolist(), ends.high.tolist()) == ([1.0, 2.0], [2.0, 2.0])
    assert Fixed(2, 0, "floor", "wrap").ends(np.array([3.99]), np.array([0.02]), U).low == -4


formats = st.one_of(
    st.builds(
        Fixed, st.just(2), st.integers(0, 6), st.sampled_from(sorted(ROUNDINGS)), st.sampled_from(["saturate", "wrap"])
    ),
    st.builds(
        Floating, st.integers(3, 11), st.just(2.0**-6), st.just(3.75), st.sampled_from(["nearest-even", "floor"]),
        st.just("saturate"), st.booleans(),
    ),
    st.builds(Scaled, st.sampled_from([0.1, 0.25]), st.integers(-3, 3), st.sampled_from([None, 4, 8])),
    st.builds(Scaled, per=st.sampled_from(["tensor", "row"]), symmetric=st.booleans(), bits=st.sampled_from([4, 8])),
)  # fmt: skip


@settings(max_examples=200)
@given(kind=formats, a=few, radius=st.sampled_from([0.0, 1e-6, 0.01, 0.3]), seed=st.integers(0, 2**16))
def test_whatever_is_near_a_number_is_rounded_into_its_ends(kind: Format, a: Any, radius: float, seed: int) -> None:
    with np.errstate(all="ignore"):
        ends = kind.ends(a, np.full(a.shape, radius), U)
        rng = np.random.default_rng(seed)
        for share in (*rng.uniform(-1, 1, (4, len(a))), np.sign(rng.standard_normal(len(a)))):
            one = kind.ends(a + radius * share, 0.0, U)
            room = ends.more + ends.scale * np.maximum(np.abs(ends.low), np.abs(ends.high)) + 1e-12
            assert (one.low >= ends.low - room).all()
            assert (one.high <= ends.high + room).all()


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (Precision.float16_accumulated_in_float32.formats["states"], np.float16),
        (Precision.bfloat16_accumulated_in_float32.formats["states"], ml_dtypes.bfloat16),
        (Precision.fp8_e4m3.formats["factors"], ml_dtypes.float8_e4m3fn),
        (Precision.fp8_e5m2.formats["factors"], ml_dtypes.float8_e5m2),
    ],
)
def test_floating_formats_are_those_of_ml_dtypes(kind: Any, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.standard_normal(400), 2.0 ** rng.uniform(-16, 8, 400), [0.0, 1.0, 1.125, 1.375]])
    a = a.astype(np.float32).astype(np.float64)
    a = a[np.abs(a) <= kind.largest]
    cast = a.astype(np.float32).astype(dtype).astype(np.float64)
    ends = kind.ends(a, 0.0, U)
    normal = np.abs(cast) >= kind.tiny
    assert (ends.low[normal] == cast[normal]).all()
    assert (ends.high[normal] == cast[normal]).all()
    assert ((ends.low <= cast) & (cast <= ends.high)).all()


def test_a_dynamic_scale_is_made_of_a_range_that_holds_0() -> None:
    ends = Scaled(per="row", symmetric=False).ends(np.array([[1.0, 2.04, 0.5], [-1.0, 1.55, 0.0]]), 0.0, U)
    scale = np.array([[2.04 / 255], [2.55 / 255]])
    units = ends.low / scale
    assert np.allclose(units, np.round(units), atol=1e-9)
    assert np.abs(ends.low - [[1.0, 2.04, 0.5], [-1.0, 1.55, 0.0]]).max() <= 0.51 * scale.max()
    zeros = Scaled(per="row", symmetric=False).ends(np.zeros((2, 3)), 0.0, U)
    assert not zeros.low.any()
    assert not zeros.high.any()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Fixed(0, 15, "up"), "unknown rounding 'up': expected one of nearest, "),
        (lambda: Fixed(0, 15, overflow="clip"), "overflow must be 'saturate' or 'wrap', not 'clip'"),
        (lambda: Fixed(0, 1.5), "fraction must be a whole number of bits, not 1.5"),  # type: ignore[arg-type]
        (lambda: Fixed(60, 15), "a fixed-point number has 1 to 64 bits with its sign, not 76"),
        (lambda: Floating(8, 1e-3, 1.0, overflow="wrap"), "overflow must be 'infinite' or 'saturate', not 'wrap'"),
        (lambda: Scaled(per="gate"), "per must be 'tensor', 'channel', 'row' or 'sequence', not 'gate'"),
        (lambda: Scaled([1.0, -1.0]), "scales must be finite numbers of at least 0"),
        (lambda: Scaled(bits=None), "a scale that is made of the numbers needs a number of bits"),
        (lambda: Precision.float32.rounded(state=Fixed(0, 7)), "nothing that is rounded is called 'state': expected "),
        (lambda: Precision.float32.rounded(states=8), r"states must have a format, such as Fixed\(0, 15\), not 8"),
        (lambda: Precision.float32.rounded(accumulator=Scaled()), "an accumulator must be Fixed"),
        (lambda: Precision.q15.with_table(1e-3, tanh=lambda a: a), "the table of tanh gives -20 at -20, which is 19 "),
        (lambda: Precision.q15.with_table(1e-3, tanh=lambda a: 0.0), "must take an array, and give one of its shape"),
        (
            lambda: Precision.q15.with_table(0.1, tanh=lambda a: np.tanh(a) + 0.01 * np.sin(50 * a)),
            "the table of tanh falls between ",
        ),
    ],
)
def test_what_cannot_be_declared_is_an_error(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()


def test_states_are_not_read_off_a_head_that_rounds_them() -> None:
    assert Precision.float32.keeps_identity
    assert Precision.int8_weights().keeps_identity
    assert Precision.float32.quantized(Wo=2.0**-6).keeps_identity
    assert not Precision.float32.quantized(Wo=0.3).keeps_identity
    assert not Precision.dynamic_range_int8().keeps_identity
    assert not Precision.q15.keeps_identity  # 1 is no number of Q0.15
    assert Precision.fixed_point(Fixed(3, 12), Fixed(0, 15)).keeps_identity
    assert not Precision.fixed_point(Fixed(3, 12), Fixed(0, 15), outputs=Fixed(3, 12)).keeps_identity


@given(a=few, off=st.floats(-1, 1))
def test_what_is_known_within_an_error_is_anything_as_near(a: Any, off: float) -> None:
    """Kept as such, and on its way through a run: whatever is so near, and nothing that is further."""
    p = Precision.float64.rounded(sums=Within(0.25), weights=None)
    for number in (Inexact(a, p, 0.125).rounded_to("sums"), Affine(Inexact(a, p, 0.125)).rounded_to("sums").closed()):
        number = getattr(number, "centre", number)
        assert number.contains(a + 0.37 * off).all()
        assert not number.contains(a + 0.38).any()
    assert Within(0.25).moved(a)[1].tolist() == [0.25] * len(a)
    assert Within(0.25).grain == 0.25
    assert str(Within(0.25)) == "steps of 0.5"


@pytest.mark.parametrize("error", [-1.0, float("inf"), float("nan")])
def test_an_error_that_is_none(error: float) -> None:
    with pytest.raises(ValueError, match="an error must be a finite number of at least 0, not"):
        Within(error)
