"""A weight of several cases at once, for a batch in which the samples of all of them stand one after the other.

:class:`PerCase` is one of inexact numbers, :class:`ArrayPerCase` one of NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import Activation
from .inexact import Inexact
from .precision import Precision

__all__ = ["ArrayPerCase", "PerCase"]

Array = npt.NDArray[Any]


def times(other: Array, own: Array) -> Array:
    """Multiply samples ``(cases * N, ..., F)`` with the weights ``(cases, F, M)`` of their cases."""
    cases, *rest = len(own), *other.shape[1:]
    by_case = other.reshape(cases, len(other) // cases, *rest)
    product = by_case @ own.reshape(cases, *(1,) * (len(rest) - 1), *own.shape[1:])
    return product.reshape(*other.shape[:-1], product.shape[-1])


def beside(array: Array, samples: Array) -> Array:
    """Repeat an array ``(cases, ...)`` for samples, so that the axes of one case are the last."""
    cases, *own = array.shape
    each = np.repeat(array, len(samples) // cases, axis=0)
    return each.reshape(len(each), *(1,) * (samples.ndim - 1 - len(own)), *own)


def looked_up(table: Array, ids: Array) -> tuple[Array, Array]:
    """Return the index of what ids ``(cases * N, ...)`` name in tables ``(cases, V, F)``: each in that of its case."""
    case = np.repeat(np.arange(len(table)), len(ids) // len(table))
    return case.reshape(len(ids), *(1,) * (ids.ndim - 1)), ids


class _AxesOfOne:
    """Shape and axes of several arrays ``value (cases, ...)``: those of one of them."""

    __slots__ = ()
    value: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values of one case."""
        return self.value.shape[1:]

    @property
    def ndim(self) -> int:
        """Number of axes of one case."""
        return self.value.ndim - 1

    def __len__(self) -> int:
        return self.shape[0]


class PerCase(_AxesOfOne, Inexact):
    """The weights of several cases under one name: each sample meets those of its own case.

    A cell's step treats it as the weight of one case: shape, axes and indices are those of one. Products with samples
    ``(cases * N, ..., F)`` are the same products of matrices, one by one, as those of each case alone; so a value is
    the same to the last bit.

    Parameters
    ----------
    value : (cases, ...) array
    """

    __slots__ = ()

    @classmethod
    def weight(cls, name: str, value: Any, precision: Precision) -> PerCase:
        """Return a weight, with the rounding and the uncertainty that an implementation declares."""
        if precision.weight_format(name, np.shape(value)[1:]) is not None:  # its scales may be made of each by itself
            each = [Inexact.weight(name, one, precision) for one in value]
            exact = all(one.exact for one in each)
            radius = 0.0 if exact else np.stack([np.broadcast_to(one.radius, one.shape) for one in each])
            rounded = cls(np.stack([one.value for one in each]), precision, radius)
            rounded.format = each[0].format
            return rounded
        radius = precision.weight_radius(name, np.shape(value)[1:])
        return cls(value, precision, np.broadcast_to(radius, np.shape(value)) if np.ndim(radius) else radius)

    @classmethod
    def _of(cls, number: Inexact) -> PerCase:
        own = cls(number.value, number.precision, number.radius, number.terms, number.magnitude)
        own.format, own.roundings = number.format, number.roundings
        return own

    def closed(self) -> Inexact:
        """Round the open sum."""
        return self._of(super().closed()) if self.terms else self

    times = staticmethod(times)

    def beside(self, array: Any, other: Inexact) -> Any:
        """Repeat an array that comes of this number, ``(cases, ...)``, for the samples of `other`."""
        return beside(array, other.value) if isinstance(array, np.ndarray) else array

    def _combined(self, other: Any, combine: Callable[[Inexact, Inexact], Inexact]) -> Inexact:
        """Combine it with samples, or with a number or another weight, which gives a weight again."""
        if isinstance(other, PerCase) or not np.ndim(getattr(other, "value", other)):
            return self._of(combine(self, self._as_inexact(other)))
        samples = self._as_inexact(other)
        return combine(self.met_by(samples), samples)

    def met_by(self, samples: Inexact) -> Inexact:
        """The weight that each sample meets."""
        value, radius, magnitude = (self.beside(a, samples) for a in (self.value, self.radius, self.magnitude))
        met = Inexact(value, self.precision, radius, self.terms, magnitude)
        met.format, met.roundings = self.format, self.roundings
        return met

    def __add__(self, other: Any) -> Inexact:
        return self._combined(other, Inexact.__add__)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Inexact:
        return self._combined(other, Inexact.__mul__)

    __rmul__ = __mul__

    def __neg__(self) -> Inexact:
        return self._of(super().__neg__())

    def __getitem__(self, index: Any) -> Inexact:
        if isinstance(index, np.ndarray):
            return Inexact(self.value, self.precision, self.radius)[looked_up(self.value, index)]
        index = index if isinstance(index, tuple) else (index,)
        return self._of(super().__getitem__((slice(None), *index)))

    def through(self, activation: Activation) -> Inexact:
        """Apply an activation."""
        return self._of(super().through(activation))

    def __repr__(self) -> str:
        return repr(Inexact(self.value, self.precision, self.radius, self.terms, self.magnitude))


class ArrayPerCase(_AxesOfOne):
    """The same in NumPy's numbers: what a cell's step does to a weight, done to those of several cases.

    Parameters
    ----------
    value : (cases, ...) array
    """

    __slots__ = ("value",)
    #: So that ``samples @ weight`` is asked of the weight.
    __array_ufunc__ = None

    def __init__(self, value: Array) -> None:
        self.value = value

    def __rmatmul__(self, samples: Array) -> Array:
        return times(samples, self.value)

    def __add__(self, other: Any) -> Any:
        return self._combined(other, np.add)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        return self._combined(other, np.multiply)

    __rmul__ = __mul__

    def _combined(self, other: Any, combine: Callable[[Any, Any], Any]) -> Any:
        """Combine it with samples, or with a number or another weight, which gives a weight again."""
        if isinstance(other, ArrayPerCase):
            return ArrayPerCase(combine(self.value, other.value))
        return combine(beside(self.value, other), other) if np.ndim(other) else ArrayPerCase(combine(self.value, other))

    def __neg__(self) -> ArrayPerCase:
        return ArrayPerCase(-self.value)

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, np.ndarray):
            return self.value[looked_up(self.value, index)]
        own: tuple[Any, ...] = index if isinstance(index, tuple) else (index,)
        return ArrayPerCase(self.value.__getitem__((slice(None), *own)))

    def through(self, activation: Activation) -> ArrayPerCase:
        """Apply an activation."""
        return ArrayPerCase(activation(self.value))
