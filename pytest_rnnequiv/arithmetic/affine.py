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

from .activations import Activation, clipping
from .arrays import of_shape, some
from .formats import Format
from .inexact import Inexact, rounding_of_limit
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
        if not self.centre.terms:
            return self
        own = self._unless_on_grid()
        return Affine(own.centre.closed(), own.generators)

    def _unless_on_grid(self) -> Affine:
        """Leave the errors' signs behind where sums are made on the grid of an accumulator, and do not go by them."""
        if self.generators is None or "accumulator" not in self.centre.precision.formats:
            return self
        return Affine(self._boxed())

    def _boxed(self) -> Inexact:
        """The number, and all its errors as a box."""
        c = self.centre
        boxed = Inexact(c.value, c.precision, c.radius + self.extent, c.terms, c.magnitude)
        boxed.format, boxed.roundings = c.format, c.roundings
        return boxed

    def used(self) -> Affine:
        """Close the sum, and round it to what becomes of finished sums."""
        return self if not self.centre.terms else self.closed().rounded_to("sums")

    def rounded_to(self, kind: Format | str | None) -> Affine:
        """Round to a format, or to that which the precision declares for something.

        Where a number has one outcome, it is known, and its errors are gone; where it has two neighbours, these are a
        box. Else the errors travel on, beside that of the rounding.
        """
        p = self.centre.precision
        kind = p.formats.get(kind) if isinstance(kind, str) else kind
        if kind is None:
            return self
        own = self.closed()
        boxed = own._boxed().rounded_to(kind)
        if own.generators is None:
            return Affine(boxed)
        c = own.centre
        shift, error = kind.moved(np.abs(c.value) + own.extent + c.radius)
        local = error + c.radius
        known = np.broadcast_to(boxed.radius <= local, c.shape)
        if known.all():
            return Affine(boxed)
        value, radius = np.where(known, boxed.value, c.value + shift), np.where(known, boxed.radius, local)
        return Affine(Inexact(value, p, radius), np.where(known[:, None], 0.0, own.generators))

    def kept_as(self, role: str) -> Affine:
        """Round to the format of something that is stored: with the rounding of its scale, where that has one."""
        kind = self.centre.precision.formats.get(role)
        if kind is None:
            return self
        number = self.rounded_to(kind)
        number = Affine(number.centre.with_scale(), number.generators)
        if not kind.roundings:
            return number
        c = number.centre
        own = kind.roundings * c.precision.quantizer * (np.abs(c.value) + number.extent)
        return Affine(Inexact(c.value, c.precision, c.radius + own), number.generators)

    def __matmul__(self, weight: Inexact) -> Affine:
        own = self.used()
        kind = own.centre.factor_format(weight)
        if kind is not None:
            own = own.rounded_to(kind.by_step())
            own.centre.format = kind
            centre = own.centre if own.centre.in_integers_with(weight) else own.centre.with_scale()
            own = Affine(centre, own.generators)
        own = own._unless_on_grid()
        product = own.centre._times_weight(weight)
        if own.generators is None:
            return Affine(product)
        return Affine(product.off_by(np.asarray(own.extent), weight), weight.times(own.generators, weight.value))

    def __mul__(self, other: Any) -> Affine:
        one, two = self.used()._unless_on_grid(), self._as_affine(other).used()._unless_on_grid()
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
        one, other = self._unless_on_grid(), self._as_affine(other)._unless_on_grid()
        total = one.centre + other.centre
        # what travels makes the terms larger, where they are no open sums, which know it already
        more = sum((each.extent for each in (one, other) if not each.centre.terms), 0.0)
        total.magnitude = total.magnitude + more
        return Affine(total, _total([g for g in (one.generators, other.generators) if g is not None]))

    __radd__ = __add__

    def __neg__(self) -> Affine:
        return Affine(-self.centre, None if self.generators is None else -self.generators)

    def __sub__(self, other: Any) -> Affine:
        return self + -self._as_affine(other)

    def __rsub__(self, other: Any) -> Affine:
        return self._as_affine(other) + -self

    def __getitem__(self, index: Any) -> Affine:
        """Take some of the units: the index begins with an ellipsis."""
        own = self.used()
        return Affine(own.centre[index], None if own.generators is None else own.generators[index])

    def part(self, index: slice) -> Affine:
        """Take some units of an open sum, and leave it open."""
        generators = None if self.generators is None else self.generators[..., index]
        return Affine(self.centre.part(index), generators)

    def _as_affine(self, other: Any) -> Affine:
        if isinstance(other, Affine):
            return other
        number = other if isinstance(other, Inexact) else Inexact(other, self.centre.precision)
        return Affine(number.met_by(self.centre))

    def through(self, activation: Activation) -> Affine:
        """Apply an activation: the errors go on along its slope; what the slope misses is an error of its own."""
        if activation.name == "linear" and self.centre.precision.formats:
            return self.closed()
        return self.used()._mapped(activation).rounded_to("activations")

    def _mapped(self, activation: Activation) -> Affine:
        """Apply an activation to a closed number, without storing what comes out."""
        c = self.centre
        if self.generators is None or activation.name in c.precision.tables:
            return Affine(self._boxed().mapped(activation))
        own, p = self, c.precision
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

    def clipped(self, limit: float) -> Affine:
        """Clip a finished sum to ``[-limit, limit]``: within, the errors go on; at the limit, they end."""
        own, f = self.used(), clipping(limit)
        c = own.centre
        if own.generators is None:
            return Affine(c.clipped(limit))
        local = of_shape(c.radius, c.shape)
        delta = own.extent + local
        value = f.function(c.value)
        slope, remainder = f.linearize(c.value, delta, f.spread(c.value, delta, value))
        source = slope * local + remainder + rounding_of_limit(limit, c.precision, c.value, delta)
        source = np.where(np.isfinite(delta), source, np.inf)
        if some(nan := c.nan):  # no error changes that
            slope, source = np.where(nan, 0.0, slope), np.where(nan, 0.0, source)
        return Affine(Inexact(value, c.precision, source), own.generators * slope[:, None])

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
