"""Numbers that know how far a correct implementation may be from them: ball arithmetic with open sums.

An :class:`Inexact` is an array of float64 values together with a bound on the distance to what an implementation of a
given :class:`~.precision.Precision` may compute for them. The cells' steps are written once, with ``@``, ``+``, ``-``,
``*`` and an activation; on plain arrays they are the recurrence, on Inexact arrays they are the recurrence and its
bound.

A sum stays open while terms are added to it, so that one bound, ``gamma_n`` times the sum of the absolute terms, covers
*every* order of summation, blocking and fusing of the whole pre-activation. It is closed when it is used as a factor,
indexed, or goes through an activation.

A NaN that goes in comes out, in whatever order a sum is taken; an infinity may or may not become one. So a value that
is NaN with a finite radius is NaN for certain, and one with an infinite radius may be anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import Activation
from .arrays import of_shape, some, where
from .precision import Precision

__all__ = ["Inexact", "Radius", "choose", "joined", "reshaped", "swapped", "zeros_like"]

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
    """

    __slots__ = ("_as_factor", "magnitude", "precision", "radius", "terms", "value")
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

    @classmethod
    def weight(cls, name: str, value: Any, precision: Precision) -> Inexact:
        """A weight of a case, as far as an implementation that declares a precision may have another."""
        return cls(value, precision, precision.weight_radius(name, np.shape(value)))

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
        magnitude = self.magnitude if self.exact else self.magnitude + self.radius
        # One rounding more than the sum has: a port may compute in wider numbers than the states it shows.
        gamma = p.gamma(self.terms + 1)
        # Each product may underflow, or be made of a subnormal factor that counts as zero.
        rounding = gamma * magnitude + self.terms * p.tiny * (p.unit if p.subnormals else 1.0)
        # In a sum that can pass the largest number, overflow is a matter of order: anything may come out.
        rounding = where(magnitude * (1 + gamma) < p.largest, rounding, np.inf)
        return Inexact(self.value, p, rounding if self.exact else rounding + self.radius)

    def _factor(self) -> tuple[Array, Array, Radius]:
        """Value, absolute value and radius of the number as a factor of a product; kept, as weights are used often."""
        if self._as_factor is not None:
            return self._as_factor
        c = self.closed()
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
        (a, abs_a, ra), (b, abs_b, rb) = self._factor(), other._factor()
        times = other.times
        radius: Radius = 0.0
        if isinstance(ra, np.ndarray):
            radius = times(ra, abs_b + rb)
        if isinstance(rb, np.ndarray):
            radius = radius + times(abs_a, rb)
        product = Inexact(times(a, b), self.precision, radius, other.shape[0], times(abs_a, abs_b))
        if some(np.isnan(product.value)):
            of_a, of_b = (np.isnan(number) & np.isfinite(r) for number, r in ((a, ra), (b, rb)))
            return product._nan_where(of_a.any(-1, keepdims=True) | other.beside(of_b.any(-2), product))
        return product

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
        if some(np.isnan(product.value)):
            return product._nan_where((np.isnan(a) & np.isfinite(ra)) | (np.isnan(b) & np.isfinite(rb)))
        return product

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Inexact:
        other = self._as_inexact(other)
        (ma, na), (mb, nb) = ((s.magnitude, s.terms) if s.terms else (np.abs(s.value), 1) for s in (self, other))
        total = Inexact(self.value + other.value, self.precision, self.radius + other.radius, na + nb, ma + mb)
        return total._nan_where(self.nan | other.nan) if some(np.isnan(total.value)) else total

    def _nan_where(self, certain: Any) -> Inexact:
        """Make known where an open sum is NaN for certain."""
        self.radius, self.magnitude = (np.where(certain, 0.0, number) for number in (self.radius, self.magnitude))
        return self

    __radd__ = __add__

    def __neg__(self) -> Inexact:
        return Inexact(-self.value, self.precision, self.radius, self.terms, self.magnitude)

    def __sub__(self, other: Any) -> Inexact:
        return self + -self._as_inexact(other)

    def __rsub__(self, other: Any) -> Inexact:
        return self._as_inexact(other) - self

    def _as_inexact(self, other: Any) -> Inexact:
        """Take a plain number or array for an exact one."""
        return other if isinstance(other, Inexact) else Inexact(other, self.precision)

    def __getitem__(self, index: Any) -> Inexact:
        c = self.closed()
        radius = c.radius if c.exact else of_shape(c.radius, c.value.shape)[index]
        return Inexact(c.value[index], c.precision, radius)

    def off_by(self, error: Array, weight: Inexact) -> Inexact:
        """Return an open sum in which one factor of the product with `weight` may be off by `error` in each term.

        The terms become that much larger, and so does their rounding. The way of the error itself is left to the
        caller, who knows its sign: counted here is only what the uncertainty of `weight` adds to it.

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
        return Inexact(self.value, p, radius, self.terms, self.magnitude + weight.times(error, absolute))

    def through(self, activation: Activation) -> Inexact:
        """Apply an activation: the interval of its argument, mapped, and the activation's own error."""
        c = self.closed()
        p = c.precision
        value = activation.function(c.value)
        if isinstance(c.radius, float):
            return Inexact(value, p, activation.error(p, c.value, value))
        # Where the argument may overflow in one order of summation and not in another, it may be NaN too.
        spread = activation.spread(c.value, c.radius, value)
        radius = spread + activation.error(p, c.value, value, c.radius, spread)
        if some(nan := c.nan):  # which some functions may make something else of
            radius = np.where(nan, 0.0 if activation.keeps_nan else np.inf, radius)
        return Inexact(value, p, radius)

    def __repr__(self) -> str:
        c = self.closed()
        if c.value.ndim:
            inner = ", ".join(repr(c[i]) for i in range(min(len(c.value), 6)))
            return f"[{inner}{', ...' if len(c.value) > 6 else ''}]"
        return f"[{c.value:.6g} +/- {float(c.bound):.2g}]"


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
