"""Inexact numbers that know which of their errors come from where: affine arithmetic.

An :class:`Affine` is an :class:`~.inexact.Inexact` beside the errors that a run has made so far, as a linear map of
them: ``value + sum_j xi_j g_j + r`` with ``|xi_j| <= 1`` and ``|r| <= radius``. A cell's step, written once with ``@``,
``+``, ``-``, ``*`` and activations, carries the generators ``g_j`` on with their signs, so that a contracting
recurrence forgets its errors. What is not linear (the remainder of an activation, the product of two errors) goes into
the radius; it depends on earlier errors only, so the bound is rigorous, not first order. (Stolfi and Figueiredo,
*Self-Validated Numerical Methods and Applications*, 1997, chapter 3.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import Activation
from .arrays import of_shape, some
from .inexact import Inexact
from .zonotope import extent

__all__ = ["Affine"]

Array = npt.NDArray[np.float64]


class Affine:
    """Numbers with the errors that travel in them.

    Parameters
    ----------
    centre : Inexact, (N, m)
        The value, and the errors whose origin is not kept.
    generators : (N, g, m) array, optional
        The errors that travel; None for none.
    """

    __slots__ = ("centre", "generators")
    __array_ufunc__ = None

    def __init__(self, centre: Inexact, generators: Array | None = None) -> None:
        self.centre, self.generators = centre, generators

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.centre.shape

    @property
    def extent(self) -> Array | float:
        """How far the errors that travel reach."""
        return 0.0 if self.generators is None else extent(self.generators)

    def closed(self) -> Affine:
        """Round the open sum."""
        return self if not self.centre.terms else Affine(self.centre.closed(), self.generators)

    def __matmul__(self, weight: Inexact) -> Affine:
        own = self.closed()
        product = own.centre @ weight
        if own.generators is None:
            return Affine(product)
        return Affine(product.off_by(np.asarray(own.extent), weight), weight.times(own.generators, weight.value))

    def __mul__(self, other: Any) -> Affine:
        one, two = self.closed(), self._as_affine(other).closed()
        product = one.centre * two.centre
        (a, ra), (b, rb) = ((c.value, c.radius) for c in (one.centre, two.centre))
        ea, eb, operand = one.extent, two.extent, product.precision.operand
        more = ea * rb + eb * ra + ea * eb
        size = ea * np.abs(b) + eb * np.abs(a) + ea * eb
        wide = Inexact(
            product.value,
            product.precision,
            product.radius + more + 2 * operand * size,
            product.terms,
            product.magnitude + size,
        )
        pairs = ((b, one.generators), (a, two.generators))
        factors = [(of_shape(factor, product.shape), g) for factor, g in pairs if g is not None]
        return Affine(wide, _total([factor[:, None] * g for factor, g in factors]))

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Affine:
        other = self._as_affine(other)
        total = self.centre + other.centre
        # what travels makes the terms larger, where they are no open sums, which know it already
        more = sum((each.extent for each in (self, other) if not each.centre.terms), 0.0)
        total = Inexact(total.value, total.precision, total.radius, total.terms, total.magnitude + more)
        return Affine(total, _total([g for g in (self.generators, other.generators) if g is not None]))

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return Affine(-self.centre, None if self.generators is None else -self.generators)

    def __sub__(self, other: Any) -> Affine:
        return self + -self._as_affine(other)

    def __rsub__(self, other: Any) -> Affine:
        return self._as_affine(other) + -self

    def __getitem__(self, index: Any) -> Affine:
        """Take some of the units: the index begins with an ellipsis."""
        own = self.closed()
        return Affine(own.centre[index], None if own.generators is None else own.generators[index])

    def _as_affine(self, other: Any) -> Affine:
        if isinstance(other, Affine):
            return other
        number = other if isinstance(other, Inexact) else Inexact(other, self.centre.precision)
        return Affine(number.met_by(self.centre))

    def through(self, activation: Activation) -> Affine:
        """Apply an activation: the errors go on along its slope; what the slope misses is an error of its own."""
        own = self.closed()
        c = own.centre
        if own.generators is None:
            return Affine(c.through(activation))
        p = c.precision
        local = of_shape(c.radius, c.shape)
        delta = own.extent + local
        value = activation.function(c.value)
        spread = activation.spread(c.value, delta, value)
        slope, remainder = activation.linearize(c.value, delta, spread)
        error = activation.error(p, c.value, value, delta, spread)
        source = np.where(np.isfinite(delta), np.abs(slope) * local + remainder + error, np.inf)
        if some(nan := c.nan & activation.keeps_nan):  # no error changes that
            slope, source = np.where(nan, 0.0, slope), np.where(nan, 0.0, source)
        return Affine(Inexact(value, p, source), own.generators * slope[:, None])

    def chosen(self, condition: Any, other: Any) -> Affine:
        """``numpy.where(condition, self, other)``."""
        one, two = self.closed(), self._as_affine(other).closed()
        c, d = one.centre, two.centre
        radius: Any = 0.0 if c.exact and d.exact else np.where(condition, c.radius, d.radius)
        centre = Inexact(np.where(condition, c.value, d.value), c.precision, radius)
        if one.generators is None and two.generators is None:
            return Affine(centre)
        on = of_shape(condition, c.shape)[:, None]
        g, h = (0.0 if each.generators is None else each.generators for each in (one, two))
        return Affine(centre, np.where(on, g, h))


def _total(parts: list[Array]) -> Array | None:
    """Add up the generators of the terms of a sum: they are those of the same errors."""
    return sum(parts[1:], parts[0]) if parts else None
