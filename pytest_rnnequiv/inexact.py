"""Numbers that know how far a correct implementation may be from them.

An :class:`Inexact` is an array of float64 values together with a bound on the distance to what an implementation of a
given :class:`~.precision.Precision` may compute for them. The cells' steps are written once, with ``@``, ``+``, ``*``
and an activation; on plain arrays they are the recurrence, on Inexact arrays they are the recurrence and its bound.

A sum stays open while terms are added to it, so that one bound, ``gamma_n`` times the sum of the absolute terms, covers
*every* order of summation, blocking and fusing of the whole pre-activation. It is closed when it is used as a factor or
goes through an activation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import Activation
from .precision import Precision

__all__ = ["Inexact", "choose"]

Array = npt.NDArray[np.float64]


class Inexact:
    """An array with its error bound, or a sum whose rounding is still open.

    Parameters
    ----------
    value : array
        What exact arithmetic gives (computed in float64).
    precision : Precision
        The arithmetic of the implementation that is judged.
    radius : array or None
        Bound on the error that has come in so far; None is zero.
    terms, magnitude : int, array
        For an open sum: how many terms it has, and the sum of their absolute values. A closed number has 0 terms.
    """

    __slots__ = ("magnitude", "precision", "radius", "terms", "value")
    # numpy must leave ``array @ inexact`` and ``array + inexact`` to this class.
    __array_ufunc__ = None

    def __init__(
        self,
        value: Any,
        precision: Precision,
        radius: Any = None,
        terms: int = 0,
        magnitude: Any = None,
    ) -> None:
        self.value: Array = np.asarray(value, dtype=np.float64)
        self.precision = precision
        self.radius = radius
        self.terms = terms
        self.magnitude = magnitude

    def closed(self) -> Inexact:
        """Round the open sum: what is left is a value and a radius."""
        if not self.terms:
            return self
        p = self.precision
        magnitude = self.magnitude if self.radius is None else self.magnitude + self.radius
        # One rounding more than the sum has: a port may compute in wider numbers than the states it shows.
        gamma = p.gamma(self.terms + 1)
        rounding = gamma * magnitude
        # Each product may underflow, or be made of a subnormal factor that counts as zero.
        rounding = rounding + self.terms * p.tiny * (p.unit if p.subnormals else 1.0)
        # In a sum that can pass the largest number, overflow is a matter of order: anything may come out.
        rounding = np.where(magnitude * (1 + gamma) < p.largest, rounding, np.inf)
        return Inexact(self.value, p, rounding if self.radius is None else rounding + self.radius)

    def _factor(self) -> tuple[Array, Array | None]:
        """Value and radius of the number as a factor of a product."""
        c = self.closed()
        p = c.precision
        radius = c.radius
        if p.operand:
            rounding = p.operand * np.abs(c.value)
            radius = rounding if radius is None else radius * (1 + p.operand) + rounding
        if not p.subnormals and (np.abs(c.value) < p.tiny).any():
            lost = np.where(np.abs(c.value) < p.tiny, np.abs(c.value), 0.0)
            radius = lost if radius is None else radius + lost
        # A factor that is no number of the implementation's may overflow even where it meets a zero.
        if (beyond := np.abs(c.value) * (1 + p.unit) > p.largest).any():
            radius = np.where(beyond, np.inf, 0.0 if radius is None else radius)
        return c.value, radius

    def __matmul__(self, other: Inexact) -> Inexact:
        (a, ra), (b, rb) = self._factor(), other._factor()
        abs_a, abs_b = np.abs(a), np.abs(b)
        radius: Array | None = None
        if ra is not None:
            radius = ra @ (abs_b if rb is None else abs_b + rb)
        if rb is not None:
            carried = abs_a @ rb
            radius = carried if radius is None else radius + carried
        return Inexact(a @ b, self.precision, radius, b.shape[0], abs_a @ abs_b)

    def __mul__(self, other: Inexact) -> Inexact:
        (a, ra), (b, rb) = self._factor(), other._factor()
        carried = 0.0 if ra is None else ra * np.abs(b)
        if rb is not None:
            carried = carried + (np.abs(a) if ra is None else np.abs(a) + ra) * rb
        return Inexact(a * b, self.precision, carried, 1, np.abs(a * b))

    def __add__(self, other: Inexact) -> Inexact:
        (ma, na), (mb, nb) = ((s.magnitude, s.terms) if s.terms else (np.abs(s.value), 1) for s in (self, other))
        radius = self.radius
        if other.radius is not None:
            radius = other.radius if radius is None else radius + other.radius
        return Inexact(self.value + other.value, self.precision, radius, na + nb, ma + mb)

    def through(self, activation: Activation) -> Inexact:
        """Apply an activation: the interval of its argument, mapped, and the activation's own error."""
        c = self.closed()
        p = c.precision
        value = activation.function(c.value)
        if c.radius is None:
            return Inexact(value, p, activation.error(p, c.value, value))
        # Where the argument may overflow in one order of summation and not in another, it may be NaN too.
        spread = activation.spread(c.value, c.radius)
        return Inexact(value, p, spread + activation.error(p, c.value, value, c.radius, spread))


def choose(condition: Any, a: Any, b: Any) -> Any:
    """``numpy.where`` for plain and for inexact arrays."""
    if not isinstance(a, Inexact):
        return np.where(condition, a, b)
    a, b = a.closed(), b.closed()
    radius = np.where(condition, _radius(a), _radius(b))
    return Inexact(np.where(condition, a.value, b.value), a.precision, radius)


def _radius(number: Inexact) -> Any:
    return 0.0 if number.radius is None else number.radius
