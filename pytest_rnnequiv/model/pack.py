"""Several cases of one spec and shape as one, to be judged at once.

Their samples stand one after the other, as in a large batch; only the weights differ. So whatever is done to samples is
done to all cases in one NumPy expression, and only products with weights know that there are several
(:class:`~..arithmetic.per_case.PerCase`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .call import Call
from .case import Case
from .spec import Spec
from .trajectory import ShownLayer, Trajectory

__all__ = ["Apart", "Pack", "agreed", "by_case", "together"]

Bools = npt.NDArray[np.bool_]


class Apart(Exception):
    """The cases are not alike enough to be looked at together."""


class Pack(Case):
    """Cases of one spec, with calls of the same shapes and resets.

    Attributes
    ----------
    weights : tuple of arrays
        Those of all cases, stacked: ``(cases, ...)``.
    calls : tuple of Call
        Of all samples.
    """

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Pack:
        """Put cases together.

        Raises
        ------
        Apart
            If they have other specs or shapes, or numbers that are not finite.
        """
        first = cases[0]
        if any(case.spec != first.spec for case in cases):
            raise Apart
        pack = object.__new__(cls)
        calls = tuple(together(calls) for calls in zip(*_equally_many([case.calls for case in cases]), strict=True))
        weights = tuple(np.stack(each) for each in zip(*(case.weights for case in cases), strict=True))
        pack.__dict__.update(spec=first.spec, weights=weights, calls=calls, cases=len(cases))
        if not all(np.isfinite(array).all() for array in pack.numbers().values()):
            raise Apart
        return pack

    def under(self, spec: Spec) -> Case:
        """Return the same numbers under a spec that has weights and inputs of the same shapes and dtype."""
        copy = super().under(spec)
        copy.__dict__["cases"] = self.cases
        return copy


def _equally_many(parts: Sequence[Any]) -> Sequence[Any]:
    if any(len(part) != len(parts[0]) for part in parts):
        raise Apart
    return parts


def together(parts: Sequence[Any]) -> Any:
    """Put the same part of several cases or trajectories together: arrays along the samples.

    Raises
    ------
    Apart
        If they are of other kinds or shapes.
    """
    first = parts[0]
    if any(type(part) is not type(first) for part in parts):
        raise Apart
    if isinstance(first, np.ndarray):
        if (
            not first.ndim
            or first.dtype.hasobject
            or any((a.shape, a.dtype) != (first.shape, first.dtype) for a in parts)
        ):
            raise Apart
        return np.concatenate(parts)
    if isinstance(first, (Call, Trajectory, ShownLayer)):
        return type(first)(
            **{each.name: together([getattr(part, each.name) for part in parts]) for each in fields(first)}
        )
    if isinstance(first, (tuple, list)):
        return type(first)(together(each) for each in zip(*_equally_many(parts), strict=True))
    if first is not None and not (isinstance(first, bool) and all(part == first for part in parts)):
        raise Apart
    return first


def by_case(array: npt.NDArray[Any], cases: int) -> npt.NDArray[Any]:
    """Return an array, whose first axis is that of the samples, with one row for each case."""
    return array.reshape(cases, array.size // cases)


def agreed(holds: Bools, cases: int) -> bool:
    """Whether something holds of all samples. It has to hold of all cases, or fail in each.

    Raises
    ------
    Apart
        If it holds for some of them.
    """
    each = by_case(np.asarray(holds), cases).all(1)
    if each.all():
        return True
    if each.any():
        raise Apart
    return False
