"""Numbers that know how far a correct implementation may be from them: ball arithmetic with open sums.

An :class:`Inexact` is an array of float64 values together with a bound on the distance to what an implementation of a
given :class:`~.precision.Precision` may compute for them. The cells' steps are written once, with ``@``, ``+``, ``-``,
``*`` and an activation; on plain arrays they are the recurrence, on Inexact arrays they are the recurrence and its
bound.

A sum stays open while terms are added to it, so that one bound, ``gamma_n`` times the sum of the absolute terms, covers
*every* order of summation, blocking and fusing of the whole pre-activation. It is closed when it is used as a factor,
indexed, or goes through an activation. There, and where a state is kept, numbers are rounded to the formats that the
precision declares (:mod:`~.formats`).

A NaN that goes in comes out, in whatever order a sum is taken; an infinity may or may not become one. So a value that
is NaN with a finite radius is NaN for certain, and one with an infinite radius may be anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import Activation, clipping
from .arrays import of_shape, some, where
from .formats import Fixed, Format
from .precision import Precision

__all__ = ["Inexact", "Radius", "choose", "clip", "joined", "part", "reshaped", "swapped", "zeros_like"]

Array = npt.NDArray[np.float64]

#: Bounds on errors: an array that broadcasts to the values' shape, or plain 0 for numbers that are exact.
Radius = Array | float


def _radius(radius: Any) -> Radius:
    """Return a bound as it is kept: what is exact costs no arithmetic."""
    if isinstance(radius, np.ndarray):
        return radius
    return np.asarray(radius, np.float64) if radius else 0.0


class Inexact:
    """An array with its error bound, or a sum whose rounding is still open.

    Parameters
    ----------
    value : array
        What exact arithmetic gives (computed in float64).
    precision : Precision
        The arithmetic of the implementation that is judged.
    radius : array or float
        Bound on the error that has come in so far; 0 for numbers that are exact.
    terms, magnitude : int, array
        For an open sum: how many terms it has, and the sum of their absolute values. A closed number has 0 terms.

    Attributes
    ----------
    format : Format or None
        Of a factor that was rounded.
    roundings : int
        Of an open sum: how often each of its terms was rounded before, at most.
    scale : array or float
        Of a factor on a scale that is made of inexact numbers: how far, as a share of it, that may be off. It is one
        error of all numbers of that scale, and not in the radius.
    """

    __slots__ = ("_as_factor", "format", "magnitude", "precision", "radius", "roundings", "scale", "terms", "value")
    # numpy must leave ``array @ inexact`` and ``array + inexact`` to this class.
    __array_ufunc__ = None

    def __init__(
        self,
        value: Any,
        precision: Precision,
        radius: Any = 0.0,
        terms: int = 0,
        magnitude: Any = None,
    ) -> None:
        self.value: Array = np.asarray(value, dtype=np.float64)
        self.precision = precision
        self.radius = _radius(radius)
        self.terms = terms
        self.magnitude = magnitude
        self._as_factor: tuple[Array, Array, Radius] | None = None
        self.format: Format | None = None
        self.roundings = 0
        self.scale: Any = 0.0

    @classmethod
    def weight(cls, name: str, value: Any, precision: Precision) -> Inexact:
        """Return a weight of a case, with the rounding and the uncertainty that an implementation declares."""
        number = cls(value, precision, precision.weight_radius(name, np.shape(value)))
        kind = precision.weight_format(name, np.shape(value))
        if kind is None:
            return number
        rounded = number._rounded(kind)
        rounded.format = kind if name else None
        return rounded

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.value.ndim

    def __len__(self) -> int:
        return len(self.value)

    @property
    def exact(self) -> bool:
        """Whether no error has come in, though a sum may have to be rounded yet."""
        return isinstance(self.radius, float)

    @property
    def nan(self) -> npt.NDArray[np.bool_]:
        """Where it is NaN for certain."""
        nan = np.isnan(self.value)
        if not some(nan):
            return nan
        known = self.radius + self.magnitude if self.terms else self.radius
        return np.asarray(nan & np.isfinite(known))

    @property
    def bound(self) -> Array:
        """The radius of the closed number as an array of its shape; infinite where nothing is known."""
        radius = self.closed().radius
        if isinstance(radius, float):
            return np.full(self.value.shape, radius)
        radius = where(~np.isnan(radius), radius, np.inf)
        return np.asarray(of_shape(radius, self.value.shape))

    def contains(self, numbers: Any) -> npt.NDArray[np.bool_]:
        """Tell of each number whether a correct implementation may have computed it; NaN is in nothing."""
        numbers = np.asarray(numbers, np.float64)
        with np.errstate(invalid="ignore"):  # inf - inf
            off: Array = np.where(numbers == self.value, 0.0, np.abs(numbers - self.value))
        return np.asarray((off <= self.bound) | (np.isinf(self.bound) & ~np.isnan(numbers)))

    def closed(self) -> Inexact:
        """Round the open sum: what is left is a value and a radius."""
        if not self.terms:
            return self
        p = self.precision
        if (grid := p.formats.get("accumulator")) is not None:
            return self._accumulated(grid)
        magnitude = self.magnitude if self.exact else self.magnitude + self.radius
        # One rounding more than the sum has: a port may compute in wider numbers than the states it shows.
        gamma = p.gamma(self.terms + self.roundings + 1)
        # Each product may underflow, or be made of a subnormal factor that counts as zero.
        rounding = gamma * magnitude + self.terms * p.tiny * (p.unit if p.subnormals else 1.0)
        # In a sum that can pass the largest number, overflow is a matter of order: anything may come out.
        rounding = where(magnitude * (1 + gamma) < p.largest, rounding, np.inf)
        return Inexact(self.value, p, rounding if self.exact else rounding + self.radius)

    def _accumulated(self, grid: Any) -> Inexact:
        """Close a sum of terms that all are on the grid of the accumulator: it is exact as long as it fits."""
        magnitude = self.magnitude if self.exact else self.magnitude + self.radius
        # so many bits float64 has, too
        radius = where(magnitude * 2.0**grid.fraction < 2.0**52, self.radius + np.zeros(self.value.shape), np.inf)
        if grid.overflow == "saturate":  # in which order, is a matter of the implementation
            radius = where(magnitude < grid.limit, radius, np.inf)
        number = Inexact(self.value, self.precision, radius if some(radius) else 0.0)
        # wrapping at each addition, or once, is the same
        return number if grid.overflow == "saturate" else number.rounded_to(grid)

    def rounded_to(self, kind: Format | str | None) -> Inexact:
        """Round to a format, or to that which the precision declares for something."""
        kind = self.precision.formats.get(kind) if isinstance(kind, str) else kind
        return self if kind is None else self.closed()._rounded(kind)

    def _rounded(self, kind: Format) -> Inexact:
        """Round a closed number."""
        ties = self.precision.ties
        ends = kind.ends(self.value, self.radius, self.precision.quantizer, None if ties is None else ties.chosen)
        ends = ends if ties is None else ties.decided(ends)
        radius = 0.5 * (ends.high - ends.low) + ends.more
        number = Inexact(ends.low + 0.5 * (ends.high - ends.low), self.precision, radius if some(radius) else 0.0)
        number.scale = ends.scale
        return number

    def with_scale(self) -> Inexact:
        """The number with the error of its scale in the radius."""
        if isinstance(self.scale, float):
            return self
        size = np.abs(self.value) + self.radius
        number = Inexact(self.value, self.precision, self.radius + self.scale * size)
        number.format = self.format
        return number

    def kept_as(self, role: str) -> Inexact:
        """Round to the format of something that is stored: with the rounding of its scale, where that has one."""
        kind = self.precision.formats.get(role)
        if kind is None:
            return self
        number = self.rounded_to(kind).with_scale()
        if not kind.roundings:
            return number
        own = kind.roundings * self.precision.quantizer
        return Inexact(number.value, number.precision, number.radius + own * np.abs(number.value))

    def used(self) -> Inexact:
        """Close the sum, and round it to what becomes of finished sums."""
        return self if not self.terms else self.closed().rounded_to("sums")

    def met_with(self, weight: Inexact) -> Inexact:
        """Return the number as a factor beside a weight: some kernels round it for that."""
        kind = self.factor_format(weight)
        if kind is None:
            return self
        factor = self.used().rounded_to(kind.by_step())
        factor.format = kind
        return factor if factor.in_integers_with(weight) else factor.with_scale()

    def factor_format(self, weight: Inexact) -> Format | None:
        """To what it is rounded before it is multiplied with a weight; None where it is not, or has been."""
        kind = self.precision.formats.get("factors")
        return None if kind is None or weight.format is None or self.format is kind else kind

    def in_integers_with(self, weight: Inexact) -> bool:
        """Whether both are integers on a scale, so that their products are summed exactly."""
        return all(each.format is not None and each.format.integers for each in (self, weight))

    def met_as_a_whole(self, weight: Inexact) -> Inexact:
        """Return a sequence ``(N, T, F)`` which is there as a whole before it is multiplied with a weight.

        Where kernels round it on one scale, it is rounded; else this changes nothing.
        """
        kind = self.factor_format(weight)
        if kind is None or not kind.whole:
            return self
        factor = self.used().rounded_to(kind)
        factor.scale = np.asarray(np.max(factor.scale, initial=0.0))
        factor.format = kind
        return factor if factor.in_integers_with(weight) else factor.with_scale()

    def decided_by(self, precision: Precision) -> Inexact:
        """Return the closed number in an arithmetic that decides on ties."""
        number = type(self)(self.value, precision, self.radius)
        number.format, number.scale = self.format, self.scale
        return number

    def _factor(self) -> tuple[Array, Array, Radius]:
        """Value, absolute value and radius of the number as a factor of a product; kept, as weights are used often."""
        if self._as_factor is not None:
            return self._as_factor
        c = self.used()
        p, radius = c.precision, c.radius
        absolute = np.abs(c.value)
        if p.operand:
            radius = radius * (1 + p.operand) + p.operand * np.where(np.isnan(absolute), 0.0, absolute)
        if not p.subnormals and some(small := (absolute < p.tiny) & (absolute > 0)):
            radius = radius + np.where(small, absolute, 0.0)
        # A factor that is no number of the implementation's may overflow even where it meets a zero.
        if some(beyond := absolute * (1 + p.unit) > p.largest):
            radius = np.where(beyond, np.inf, radius)
        self._as_factor = c.value, absolute, radius
        return self._as_factor

    def __matmul__(self, other: Inexact) -> Inexact:
        return self.met_with(other)._times_weight(other)

    def _times_weight(self, other: Inexact) -> Inexact:
        """Multiply what :meth:`met_with` has made ready."""
        (a, abs_a, ra), (b, abs_b, rb) = self._factor(), other._factor()
        times = other.times
        radius: Radius = 0.0
        if isinstance(ra, np.ndarray):
            radius = times(ra, abs_b + rb)
        if isinstance(rb, np.ndarray):
            radius = radius + times(abs_a, rb)
        value = times(a, b)
        if self.format is not None and other.format is not None and self.in_integers_with(other):
            # a sum of integers, which is exact, is made a float and multiplied with both scales
            size = np.abs(value)
            radius = radius + self.scale * (size + radius)
            product = Inexact(value, self.precision, radius, 1, size)
            product.roundings = self.format.roundings + other.format.roundings + 2
        else:
            product = Inexact(value, self.precision, radius, other.shape[0], times(abs_a, abs_b))
            if (grid := self.precision.formats.get("accumulator")) is not None:
                product = self._summed_on(grid, other, product)
            else:
                product.roundings = sum(each.format.roundings for each in (self, other) if each.format is not None)
        if some(np.isnan(product.value)):
            of_a, of_b = (np.isnan(number) & np.isfinite(r) for number, r in ((a, ra), (b, rb)))
            return product._nan_where(of_a.any(-1, keepdims=True) | other.beside(of_b.any(-2), product))
        return product

    def _summed_on(self, grid: Any, weight: Inexact, product: Inexact) -> Inexact:
        """Return the product with a weight, each term of which was rounded to the grid of the accumulator.

        Where all of them are on it already, it is the product as it is.
        """
        (a, abs_a, ra), (b, _, rb) = self._factor(), weight._factor()
        if isinstance(ra, float) and isinstance(rb, float) and isinstance(weight.format, Fixed):
            units = a * 2.0 ** (grid.fraction - weight.format.fraction)
            top = np.max(abs_a, initial=0.0) * weight.format.limit
            if top < grid.limit and some(units == np.rint(units)) == units.size:
                return product
        one = Inexact(a[..., None], self.precision, ra[..., None] if isinstance(ra, np.ndarray) else ra)
        b, rb = (weight.beside(each, one) for each in (b, rb))
        radius = np.abs(one.value) * rb + one.radius * (np.abs(b) + rb)
        ends = grid.ends(one.value * b, np.broadcast_to(radius, np.broadcast_shapes(a[..., None].shape, b.shape)), 0.0)
        low, high, largest = (e.sum(-2) for e in (ends.low, ends.high, np.maximum(np.abs(ends.low), np.abs(ends.high))))
        radius = 0.5 * (high - low)
        return Inexact(low + radius, self.precision, radius if some(radius) else 0.0, product.terms, largest)

    @staticmethod
    def times(other: Array, own: Array) -> Array:
        """Multiply an array with one that comes of this number."""
        return other @ own

    def met_by(self, samples: Inexact) -> Inexact:
        """The number that each sample meets: the same."""
        return self

    def beside(self, array: Any, other: Inexact) -> Any:
        """An array that comes of this number, such that it broadcasts to those of the other."""
        return array

    def __mul__(self, other: Any) -> Inexact:
        (a, abs_a, ra), (b, abs_b, rb) = self._factor(), self._as_inexact(other)._factor()
        carried = ra * abs_b + (abs_a + ra) * rb
        product = Inexact(a * b, self.precision, carried, 1, abs_a * abs_b)
        if (grid := self.precision.formats.get("accumulator")) is not None:
            product = Inexact(a * b, self.precision, carried)._rounded(grid)
            product.terms, product.magnitude = 1, np.abs(product.value)
        if some(np.isnan(product.value)):
            return product._nan_where((np.isnan(a) & np.isfinite(ra)) | (np.isnan(b) & np.isfinite(rb)))
        return product

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Inexact:
        one, other = self._term(), self._as_inexact(other)._term()
        (ma, na), (mb, nb) = ((s.magnitude, s.terms) if s.terms else (np.abs(s.value), 1) for s in (one, other))
        total = Inexact(one.value + other.value, self.precision, one.radius + other.radius, na + nb, ma + mb)
        total.roundings = max(s.roundings if s.format is None else s.format.roundings for s in (one, other))
        return total._nan_where(one.nan | other.nan) if some(np.isnan(total.value)) else total

    def _term(self) -> Inexact:
        """The number as a term of a sum: on the grid of the accumulator, where there is one."""
        grid = self.precision.formats.get("accumulator")
        if self.terms or grid is None:
            return self
        rounded = self._rounded(grid)
        rounded.format = self.format
        return rounded

    def _nan_where(self, certain: Any) -> Inexact:
        """Make known where an open sum is NaN for certain."""
        self.radius, self.magnitude = (np.where(certain, 0.0, number) for number in (self.radius, self.magnitude))
        return self

    __radd__ = __add__

    def __neg__(self) -> Inexact:
        negated = Inexact(-self.value, self.precision, self.radius, self.terms, self.magnitude)
        negated.format, negated.roundings = self.format, self.roundings
        return negated

    def __sub__(self, other: Any) -> Inexact:
        return self + -self._as_inexact(other)

    def __rsub__(self, other: Any) -> Inexact:
        return self._as_inexact(other) - self

    def _as_inexact(self, other: Any) -> Inexact:
        """Take a plain number or array for an exact one."""
        return other if isinstance(other, Inexact) else Inexact(other, self.precision)

    def __getitem__(self, index: Any) -> Inexact:
        c = self.used()
        radius = c.radius if c.exact else of_shape(c.radius, c.value.shape)[index]
        part = Inexact(c.value[index], c.precision, radius)
        part.format = self.format
        part.scale = self.scale if np.ndim(self.scale) == 0 else 0.0
        return part

    def part(self, index: slice) -> Inexact:
        """Take some units of an open sum, and leave it open."""
        if not self.terms:
            return self[..., index]
        radius, magnitude = (
            each if isinstance(each, float) else of_shape(each, self.value.shape)[..., index]
            for each in (self.radius, self.magnitude)
        )
        taken = type(self)(self.value[..., index], self.precision, radius, self.terms, magnitude)
        taken.format, taken.roundings = self.format, self.roundings
        return taken

    def off_by(self, error: Array, weight: Inexact) -> Inexact:
        """Return an open sum in which one factor of the product with `weight` may be off by `error` in each term.

        The terms become that much larger, and so does their rounding. The error itself is carried by the caller, who
        knows its sign; counted here is only what the uncertainty of `weight` adds to it.

        Parameters
        ----------
        error : (..., n) array
        weight : Inexact, (n, m)
        """
        p, absolute = self.precision, np.abs(weight.value)
        radius = self.radius
        if p.operand or not weight.exact:
            rounded = p.operand * absolute + weight.radius * (1 + p.operand)
            radius = radius + weight.times(error, rounded + p.operand * (absolute + rounded))
        product = Inexact(self.value, p, radius, self.terms, self.magnitude + weight.times(error, absolute))
        product.roundings = self.roundings
        return product

    def through(self, activation: Activation) -> Inexact:
        """Apply an activation: the interval of its argument, mapped, and the activation's own error."""
        if activation.name == "linear" and self.precision.formats:
            return self.closed()
        return self.used().mapped(activation).rounded_to("activations")

    def mapped(self, activation: Activation) -> Inexact:
        """Apply an activation to a closed number, without storing what comes out."""
        p = self.precision
        if (table := p.tables.get(activation.name)) is not None:
            low, high = (
                np.asarray(table(end), np.float64) for end in (self.value - self.radius, self.value + self.radius)
            )
            return Inexact(0.5 * (low + high), p, radius if some(radius := 0.5 * (high - low)) else 0.0)
        value = activation.function(self.value)
        if "accumulator" in p.formats and activation.name in SELECTS:
            if isinstance(self.radius, float):
                return Inexact(value, p)
            return Inexact(value, p, activation.spread(self.value, self.radius, value))
        if isinstance(self.radius, float):
            return Inexact(value, p, activation.error(p, self.value, value))
        # Where the argument may overflow in one order of summation and not in another, it may be NaN too.
        spread = activation.spread(self.value, self.radius, value)
        radius = spread + activation.error(p, self.value, value, self.radius, spread)
        if some(nan := self.nan):  # which some functions may make something else of
            radius = np.where(nan, 0.0 if activation.keeps_nan else np.inf, radius)
        return Inexact(value, p, radius)

    def clipped(self, limit: float) -> Inexact:
        """Clip a finished sum to ``[-limit, limit]``: no rounding, but that of the limit, which is a number too."""
        c, f = self.used(), clipping(limit)
        value = f.function(c.value)
        radius: Radius = 0.0 if isinstance(c.radius, float) else f.spread(c.value, c.radius, value)
        error = rounding_of_limit(limit, c.precision, c.value, c.radius)
        return Inexact(value, c.precision, radius + error if some(error) else radius)

    def __repr__(self) -> str:
        c = self.closed()
        if c.value.ndim:
            inner = ", ".join(repr(c[i]) for i in range(min(len(c.value), 6)))
            return f"[{inner}{', ...' if len(c.value) > 6 else ''}]"
        return f"[{c.value:.6g} +/- {float(c.bound):.2g}]"


#: Activations that choose among numbers, and compute none: no fixed-point port has an error of its own in them.
SELECTS = ("linear", "relu", "relu6", "hard_tanh")


def part(a: Any, index: Any) -> Any:
    """Take some units ``a[..., index]`` of a sum to which more is to be added: an open sum stays open."""
    return a.part(index) if hasattr(a, "part") else a[..., index]


def rounding_of_limit(limit: float, p: Precision, value: Array, radius: Any) -> Array:
    """How far what is clipped may be from the limit, which an implementation has in its own numbers."""
    return np.where(np.abs(value) + radius > limit * (1 - p.unit), limit * p.unit, 0.0)


def clip(a: Any, limit: float) -> Any:
    """``numpy.clip(a, -limit, limit)`` for plain, inexact and affine arrays."""
    return a.clipped(limit) if hasattr(a, "clipped") else np.clip(a, -limit, limit)


def choose(condition: Any, a: Any, b: Any) -> Any:
    """``numpy.where`` for plain, inexact and affine arrays; a plain alternative to an inexact one is exact."""
    if hasattr(a, "chosen"):
        return a.chosen(condition, b)
    if hasattr(b, "chosen"):
        return b.chosen(np.logical_not(condition), a)
    if not isinstance(a, Inexact) and not isinstance(b, Inexact):
        return np.where(condition, a, b)
    one = a if isinstance(a, Inexact) else b
    a, b = one._as_inexact(a).closed(), one._as_inexact(b).closed()
    radius: Any = 0.0 if a.exact and b.exact else np.where(condition, a.radius, b.radius)
    return Inexact(np.where(condition, a.value, b.value), one.precision, radius)


def joined(parts: Sequence[Any], axis: int = -1) -> Any:
    """``numpy.concatenate`` for plain and for inexact arrays."""
    if not any(isinstance(part, Inexact) for part in parts):
        return np.concatenate([*parts], axis)
    one = next(part for part in parts if isinstance(part, Inexact))
    closed = [one._as_inexact(part).closed() for part in parts]
    radius: Any = 0.0
    if not all(part.exact for part in closed):
        radius = np.concatenate([part.bound for part in closed], axis)
    return Inexact(np.concatenate([part.value for part in closed], axis), one.precision, radius)


def swapped(a: Any, axis: int) -> Any:
    """Exchange an axis with the last one, of a plain or of an inexact array."""
    if not isinstance(a, Inexact):
        return np.swapaxes(a, axis, -1)
    c = a.closed()
    return Inexact(np.swapaxes(c.value, axis, -1), c.precision, 0.0 if c.exact else np.swapaxes(c.bound, axis, -1))


def reshaped(a: Any, shape: tuple[int, ...]) -> Any:
    """``numpy.reshape`` for plain and for inexact arrays."""
    if not isinstance(a, Inexact):
        return np.reshape(a, shape)
    c = a.closed()
    return Inexact(c.value.reshape(shape), c.precision, 0.0 if c.exact else c.bound.reshape(shape))


def zeros_like(a: Any) -> Any:
    """``numpy.zeros_like`` for plain and for inexact arrays."""
    return choose(np.zeros((), bool), a, 0.0)
