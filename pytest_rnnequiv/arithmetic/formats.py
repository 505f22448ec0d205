"""Formats: the numbers that a coarse port can hold, and how it rounds others to them.

Rounding that is declared is computed, not feared. All roundings here are monotone, so whatever is in ``[v - r, v + r]``
is rounded to a number between the rounded ends. Mostly the ends are rounded to the *same* number: then it is known, and
the error that came in is gone. Where the interval holds a tie, both outcomes are enclosed. (Higham, *Accuracy and
Stability of Numerical Algorithms*, 2nd ed., section 2.1; Jacob et al., *Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference*, 2018, equation 1, for scales and zero points.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ROUNDINGS", "Ends", "Fixed", "Floating", "Format", "Rounded", "Scaled"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Choose = Callable[[Bools], Bools]


def _nearest_up(a: Any) -> Any:
    """Round to nearest, ties up; ``floor(a + 0.5)`` would make 1 of the number before a half."""
    whole = np.floor(a)
    with np.errstate(invalid="ignore"):  # the fraction of an infinite number
        return whole + (a - whole >= 0.5)


def _nearest_down(a: Any) -> Any:
    return -_nearest_up(-a)


def _nearest_away(a: Any) -> Any:
    return np.copysign(_nearest_up(np.abs(a)), a)


#: How whole numbers are made of others: the lowest and the highest that may come out. Where a rounding is "nearest" and
#: nothing is known of its ties, and where it is unknown or random, these are two.
ROUNDINGS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "nearest": (_nearest_down, _nearest_up),
    "nearest-even": (np.rint, np.rint),
    "nearest-away": (_nearest_away, _nearest_away),
    "nearest-up": (_nearest_up, _nearest_up),
    "floor": (np.floor, np.floor),
    "zero": (np.trunc, np.trunc),
    "unknown": (np.floor, np.ceil),
    "stochastic": (np.floor, np.ceil),
}

#: Where a rounding puts a number that is not near a tie, in steps: the middle of that, and how far it is from it.
_AWAY = {"floor": (-0.5, 0.5), "zero": (0.0, 1.0), "unknown": (0.0, 1.0), "stochastic": (0.0, 1.0)}


class Ends(NamedTuple):
    """What numbers may be rounded to.

    Attributes
    ----------
    low, high : arrays
        The lowest and the highest outcome; equal where there is one.
    more : array or float
        How far the number that is held may be from its outcome: the rounding of the scale itself.
    tie : bool array
        Where there are two outcomes, next to each other.
    scale : array or float
        How far, as a share of it, the scale may be from what is computed here, where it is made of inexact numbers. It
        is one error of all numbers that have that scale.
    """

    low: Array
    high: Array
    more: Any
    tie: Bools
    scale: Any = 0.0


class Format:
    """The base of all formats. `rounding` is one of :data:`ROUNDINGS`.

    Attributes
    ----------
    integers : bool
        Whether products of such numbers are made of integers, and summed exactly.
    roundings : int
        By how many roundings a number that is used may differ from an exact multiple of its scale.
    whole : bool
        Whether a factor that is there as a whole has one scale for all of its time steps.
    """

    integers: bool = False
    roundings: int = 0
    whole: bool = False

    def by_step(self) -> Format:
        """Return how factors are rounded which come one time step after the other."""
        return self

    def applies(self, size: int) -> bool:
        """Whether an array of that many numbers is rounded at all."""
        return True

    def ends(self, value: Array, radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Round every number of ``[value - radius, value + radius]``.

        Parameters
        ----------
        own : float
            Relative error of the arithmetic that the rounding is done in, where that is no mere shift.
        choose : callable, optional
            Takes one of two zero points where both may come out: where these are neighbours -> where it is the higher.
        """
        raise NotImplementedError

    def moved(self, value: Array) -> tuple[Any, Any]:
        """Where rounding puts numbers of up to this size, as a shift and a radius; infinite where they may not fit."""
        raise NotImplementedError

    def holds_one(self) -> bool:
        """Whether 0 and 1 are numbers of the format."""
        return True

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        raise NotImplementedError


def _known(rounding: str) -> None:
    if rounding not in ROUNDINGS:
        raise ValueError(f"unknown rounding {rounding!r}: expected one of {', '.join(ROUNDINGS)}")


def _outward(units: Array, radius: Any) -> tuple[Array, Array]:
    """Ends of an interval; their own rounding goes outwards."""
    if isinstance(radius, float) and not radius:
        return units, units
    wide = np.asarray(radius) > 0
    return (
        np.where(wide, np.nextafter(units - radius, -np.inf), units),
        np.where(wide, np.nextafter(units + radius, np.inf), units),
    )


@dataclass(frozen=True)
class Fixed(Format):
    """Fixed point: multiples of ``2^-fraction`` in ``[-2^integer, 2^integer)``.

    Parameters
    ----------
    integer, fraction : int
        Bits before and behind the point, without the sign: ``Fixed(0, 15)`` is Q0.15 in 16 bits.
    rounding : str
        ``"nearest-even"``, ``"nearest-away"``, ``"nearest-up"`` (a half is added, then shifted), ``"nearest"``
        (whatever is done at ties), ``"floor"`` (a mere shift), ``"zero"`` (a cast), ``"unknown"``, ``"stochastic"``.
    overflow : {"saturate", "wrap"}
    """

    integer: int
    fraction: int
    rounding: str = "nearest-even"
    overflow: str = "saturate"

    def __post_init__(self) -> None:
        _known(self.rounding)
        if self.overflow not in ("saturate", "wrap"):
            raise ValueError(f"overflow must be 'saturate' or 'wrap', not {self.overflow!r}")
        for name in ("integer", "fraction"):
            bits = getattr(self, name)
            if isinstance(bits, bool) or not isinstance(bits, int):
                raise ValueError(f"{name} must be a whole number of bits, not {bits!r}")
        if not 0 <= self.integer + self.fraction <= 63:
            raise ValueError(
                f"a fixed-point number has 1 to 64 bits with its sign, not {self.integer + self.fraction + 1}"
            )

    integers = True

    @property
    def step(self) -> float:
        """The distance of neighbours."""
        return 2.0**-self.fraction

    @property
    def limit(self) -> float:
        """The first number that is too large."""
        return 2.0**self.integer

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        return 0.5 * self.step

    def holds_one(self) -> bool:
        """Whether 0 and 1 are numbers of the format."""
        return self.integer > 0 and self.fraction >= 0

    def ends(self, value: Array, radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Round; the quantizer's own arithmetic is a shift, which is exact."""
        down, up = ROUNDINGS[self.rounding]
        # above this, float64 has no smaller steps than the grid
        low, high = _outward(value / self.step, radius / self.step if np.any(radius) else 0.0)
        low, high = down(low), up(high)
        half = 2.0 ** (self.integer + self.fraction)
        unknown = ~np.isfinite(value) | ~np.isfinite(radius)
        if self.overflow == "saturate":
            low, high = np.clip(low, -half, half - 1), np.clip(high, -half, half - 1)
            unknown = np.isnan(value) | ~np.isfinite(radius)
        else:
            turn, other = (np.floor((end + half) / (2 * half)) for end in (low, high))
            same = turn == other
            low = np.where(same, low - turn * 2 * half, -half)
            high = np.where(same, high - turn * 2 * half, half - 1)
        if unknown.any():
            low, high = np.where(unknown, -half, low), np.where(unknown, half - 1, high)
        return Ends(low * self.step, high * self.step, 0.0, high - low == 1)

    def moved(self, value: Array) -> tuple[Any, Any]:
        """Where rounding puts numbers of up to this size, as a shift and a radius; infinite where they may not fit."""
        shift, error = _AWAY.get(self.rounding, (0.0, 0.5))
        fits = np.abs(value) < self.limit - 2 * self.step
        return shift * self.step, np.where(fits, error * self.step, np.inf)

    def wider(self, radius: Any) -> Any:
        """How far numbers are apart on the grid that were up to `radius` apart."""
        return np.where(np.asarray(radius) > 0, radius + self.step, 0.0) if np.any(radius) else 0.0

    def __str__(self) -> str:
        return f"Q{self.integer}.{self.fraction}"


@dataclass(frozen=True)
class Floating(Format):
    """Floating point with `bits` bits, the leading one among them, rounded to nearest (ties to even) unless said.

    Parameters
    ----------
    bits : int
        11 for float16, 8 for bfloat16, 4 for fp8 E4M3, 3 for E5M2.
    tiny, largest : float
        Smallest normal and largest finite number.
    overflow : {"infinite", "saturate"}
        Of what is too large; of numbers that become infinite nothing is judged.
    subnormals : bool
        Whether numbers below `tiny` are held. Where not, they may be.
    """

    bits: int
    tiny: float
    largest: float
    rounding: str = "nearest-even"
    overflow: str = "infinite"
    subnormals: bool = False

    def __post_init__(self) -> None:
        _known(self.rounding)
        if self.overflow not in ("infinite", "saturate"):
            raise ValueError(f"overflow must be 'infinite' or 'saturate', not {self.overflow!r}")

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        return 2.0**-self.bits

    def _steps(self, value: Array) -> Array:
        """The distance of neighbours at each number."""
        _, exponent = np.frexp(np.maximum(np.abs(np.nan_to_num(value)), self.tiny))
        return np.asarray(np.ldexp(1.0, exponent - self.bits), np.float64)

    def ends(self, value: Array, radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Round; the hardware rounds what it has, exactly."""
        down, up = ROUNDINGS[self.rounding]
        low, high = _outward(value, radius)
        with np.errstate(invalid="ignore"):
            at_low, at_high = self._steps(low), self._steps(high)
            low, high = down(low / at_low) * at_low, up(high / at_high) * at_high
        if self.overflow == "saturate":
            low, high = np.clip(low, -self.largest, self.largest), np.clip(high, -self.largest, self.largest)
        beyond = np.maximum(np.abs(low), np.abs(high)) > self.largest
        more = np.where(beyond & ~np.isnan(value), np.inf, 0.0) if beyond.any() else 0.0
        if not self.subnormals:  # they may count as zeros
            low = np.where((low > 0) & (low < self.tiny), 0.0, low)
            high = np.where((high < 0) & (high > -self.tiny), 0.0, high)
        tie = (high > low) & (high - low <= 1.01 * at_high)
        return Ends(low, high, more, tie)

    def moved(self, value: Array) -> tuple[Any, Any]:
        """Where rounding puts numbers of up to this size, as a shift and a radius; infinite where they may not fit."""
        _, error = _AWAY.get(self.rounding, (0.0, 0.5))
        error = 1.0 if self.rounding == "floor" else error
        lost = self.tiny * (2.0**-self.bits if self.subnormals else 1.0)
        fits = np.abs(value) < self.largest / 2
        return 0.0, np.where(fits, error * self._steps(2 * value) + lost, np.inf)

    def __str__(self) -> str:
        return f"{self.bits} bits"


@dataclass(frozen=True, eq=False)
class Scaled(Format):
    """Integers times a scale: ``scale (q - zero_point)``, with ``q = round(v / scale) + zero_point``, clipped.

    Parameters
    ----------
    scale : float or array, optional
        Broadcasts to the numbers' shape: that of a channel of ``Wx (D, M)`` has shape ``(M,)``. Where it is not given,
        it is made of the numbers themselves, by `per` and `symmetric`.
    zero_point : int or array
        Of a given scale. For unsigned integers, less ``2^(bits - 1)``.
    bits : int or None
        None for a range that is never reached.
    per : {"tensor", "channel", "row", "sequence"}
        Over what a scale is made: all of the numbers (of a factor, those of all samples at one time step), those of one
        output unit (of a weight), those of one sample and time step (of a factor), or those of all samples and all time
        steps (of a factor: what goes into a layer or a head as a whole; states come step by step, as with "tensor").
    symmetric : bool
        ``max|v| / (2^(bits-1) - 1)`` and no zero point; or ``(max - min) / (2^bits - 1)`` over a range that holds 0,
        with the zero point rounded to nearest.
    rounding : str
        As in :class:`Fixed`. "nearest" is any: what divides by a scale has no ties to speak of.
    at_least : int
        Arrays with fewer numbers stay as they are (LiteRT's converter leaves those below 1,024).
    """

    scale: Any = None
    zero_point: Any = 0
    bits: int | None = 8
    per: str = "tensor"
    symmetric: bool = True
    rounding: str = "nearest"
    at_least: int = 0

    integers = True
    #: Those of the range, of the scale that is made of it, and of the product with an integer, or of its inverse.
    roundings = 3

    def __post_init__(self) -> None:
        _known(self.rounding)
        if self.per not in ("tensor", "channel", "row", "sequence"):
            raise ValueError(f"per must be 'tensor', 'channel', 'row' or 'sequence', not {self.per!r}")
        if self.scale is not None:
            scale = np.asarray(self.scale, np.float64)
            if not (np.isfinite(scale).all() and (scale >= 0).all()):
                raise ValueError("scales must be finite numbers of at least 0")
        elif self.bits is None:
            raise ValueError("a scale that is made of the numbers needs a number of bits")

    def applies(self, size: int) -> bool:
        """Whether an array of that many numbers is rounded at all."""
        return size >= self.at_least

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        return float(0.5 * np.max(self.scale)) if self.scale is not None else 2.0 ** -(self.bits or 8)

    def holds_one(self) -> bool:
        """Whether 0 and 1 are numbers of the format."""
        if self.scale is None:
            return True
        scale = np.asarray(self.scale, np.float64)
        with np.errstate(divide="ignore"):
            steps = np.where(scale > 0, 1 / scale, 1.0)
        _, highest = self._limits(np.asarray(self.zero_point))
        whole = np.abs(steps - np.round(steps)) < 1e-6 * np.abs(steps)
        return bool((whole & (scale <= 1) & (steps <= highest + 1e-6 * steps)).all())

    def _limits(self, zero: Any) -> tuple[Any, Any]:
        """The range of ``q - zero_point``."""
        if self.bits is None:
            return -np.inf, np.inf
        half = 2.0 ** (self.bits - 1)
        return -half - zero, half - 1 - zero

    def _over(self, ndim: int) -> Any:
        """The axes over which a scale is made; a tensor of samples and time steps is one for each step."""
        if self.per == "row":
            return -1
        if self.per == "channel":
            return tuple(range(ndim - 1))
        return (0, 2) if ndim == 3 and self.per == "tensor" else None

    @property
    def whole(self) -> bool:  # type: ignore[override]
        """Whether a factor that is there as a whole has one scale for all of its time steps."""
        return self.scale is None and self.per == "sequence"

    def by_step(self) -> Scaled:
        """Return how factors are rounded which come one time step after the other."""
        return replace(self, per="tensor") if self.whole else self

    def _scales(self, value: Array, radius: Any) -> tuple[Any, Any, Any, Any]:
        """Scales, how far (relatively) errors of the numbers move them, and the lowest and highest zero points."""
        if self.scale is not None:
            return np.asarray(self.scale, np.float64), 0.0, self.zero_point, self.zero_point
        half = 2.0 ** ((self.bits or 8) - 1)
        if self.symmetric:
            largest, wide = self._extreme(np.abs(value), radius)
            return largest / (half - 1), _share(wide, largest), 0, 0
        (high, above), (low, below) = self._extreme(value, radius), self._extreme(-value, radius)
        # the range holds 0
        (high, above), (low, below) = _not_below_0(high, above), _not_below_0(low, below)
        span = high + low
        scale, off = span / (2 * half - 1), _share(above + below, span)
        steps = np.where(scale > 0, low / np.where(scale > 0, scale, 1.0), 0.0)
        doubt = steps * off + _share(below, scale) + 2.0**-12
        lowest, highest = (
            np.clip(end - half, -half, half - 1)
            for end in (np.ceil(steps - doubt - 0.5), np.floor(steps + doubt + 0.5))
        )
        return scale, off, lowest, highest

    def _extreme(self, value: Array, radius: Any) -> tuple[Array, Array]:
        """The largest number of each scale, and how far it may be from that."""
        axes = self._over(value.ndim)
        low, high = ((value + sign * radius).max(axis=axes, keepdims=True) for sign in (-1, 1))
        return 0.5 * (low + high), 0.5 * (high - low)

    def ends(self, value: Array, radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Round, as the implementation does in its own arithmetic.

        That divides by the scale (its own rounding, that of its inverse, the product) and adds the zero point.
        """
        if not value.size:
            return Ends(value, value, 0.0, np.zeros(value.shape, bool))
        down, up = ROUNDINGS[self.rounding]
        scale, off, zero, other = self._scales(value, radius)
        if choose is not None and np.any(either := np.asarray(other) - zero == 1):
            zero = np.where(either, np.where(choose(either), other, zero), zero)
            other = np.where(either, zero, other)
        none = scale == 0
        with np.errstate(all="ignore"):
            divisor = np.where(none, 1.0, scale)
            units = np.where(none, 0.0, value / divisor)
            doubt = np.where(none, 0.0, radius / divisor * (1 + off)) + np.abs(units) * (4 * own + off)
            doubt = doubt + (np.abs(units) + np.maximum(np.abs(zero), np.abs(other)) + 1) * own
            low, high = down(units - doubt), up(units + doubt)
            (lowest, highest), (lower, higher) = self._limits(zero), self._limits(other)
            low = np.clip(low, np.minimum(lowest, lower), np.minimum(highest, higher))
            high = np.clip(high, np.maximum(lowest, lower), np.maximum(highest, higher))
            # nothing is known of what is no number, and of a range that is hardly known
            unknown = ~np.isfinite(value) | ~np.isfinite(radius) | ~(np.asarray(off) < 0.25)
            unknown = unknown | ~np.isfinite(scale) | (none & (np.asarray(radius) > 0) if self.scale is None else False)
        tie = np.broadcast_to(high - low == 1, value.shape)
        more: Any = 0.0
        low, high = low * scale, high * scale
        if np.any(unknown):
            low, high, more = (np.where(unknown, a, b) for a, b in ((value, low), (value, high), (np.inf, 0.0)))
            off = np.where(np.asarray(off) < 0.25, off, 0.0)
        return Ends(low, high, more, tie & ~unknown, off if np.any(off) else 0.0)

    def moved(self, value: Array) -> tuple[Any, Any]:
        """Where rounding puts numbers of up to this size, as a shift and a radius; infinite where that is not known."""
        if self.scale is None:
            return 0.0, np.full(value.shape, np.inf)
        shift, error = _AWAY.get(self.rounding, (0.0, 0.5))
        scale = np.asarray(self.scale, np.float64)
        lowest, highest = self._limits(np.asarray(self.zero_point))
        fits = np.abs(value) < (np.minimum(highest, -lowest) - 2) * scale
        return shift * scale, np.where(fits, (error + 2.0**-10) * scale, np.inf)

    def __str__(self) -> str:
        return f"int{self.bits}" if self.bits else "integers"


@dataclass(frozen=True)
class Rounded(Format):
    """Numbers which have been rounded to a format already, and are known as exactly as float32 keeps them."""

    kind: Format

    @property
    def integers(self) -> bool:  # type: ignore[override]
        """Whether products of such numbers are made of integers, and summed exactly."""
        return self.kind.integers

    @property
    def roundings(self) -> int:  # type: ignore[override]
        """By how many roundings a number that is used may differ from an exact multiple of its scale."""
        return self.kind.roundings

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        return self.kind.grain

    def applies(self, size: int) -> bool:
        """Whether an array of that many numbers is rounded at all."""
        return self.kind.applies(size)

    def ends(self, value: Array, radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Keep the numbers."""
        off = radius + 2.0**-24 * np.abs(value)
        return Ends(value, value, off, np.zeros(value.shape, bool))


def _not_below_0(a: Array, radius: Array) -> tuple[Array, Array]:
    low, high = np.maximum(a - radius, 0.0), np.maximum(a + radius, 0.0)
    return 0.5 * (low + high), 0.5 * (high - low)


def _share(part: Any, whole: Any) -> Any:
    """By which share a whole is off that may be less or more by a part; of nothing, by infinitely much."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(part > 0, np.where(part < whole, part / (whole - part), np.inf), 0.0)
