"""Errors that travel: the set of all sums of the roundings so far, kept in a fixed size however many there were.

A zonotope is the set of all ``sum_j xi_j g_j`` with ``|xi_j| <= 1``: each source of an error, such as one unit's
rounding in one step, is a generator ``g_j``. A linear map carries a zonotope exactly, signs and all, generator by
generator, so a recurrence that contracts forgets its errors. Each step brings new generators; when there are too many,
the oldest are enclosed by a parallelepiped, which is a zonotope with as many generators as there are units (order
reduction: Girard, *Reachability of Uncertain Linear Systems Using Zonotopes*, HSCC 2005; the axes are those of Lohner's
QR method, *On the Ubiquity of the Wrapping Effect in the Computation of Error Bounds*, 2001: orthogonal, and along the
longest generators, so that what has been enclosed once and only rotates since is not made larger when it is enclosed
again).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Zonotope"]

Array = npt.NDArray[np.float64]

#: Generators for each unit, and numbers in all, that a zonotope may have.
ORDER, LARGEST = 64, 1_000_000

#: What float64 may add to an enclosure of numbers that it computes.
OWN_ROUNDING = 1 + 1e-12


class Zonotope:
    """A zonotope around 0 for each of `N` samples, in `M` dimensions.

    Parameters
    ----------
    radius : (N, M) array
        It begins as the box of these half widths.
    empty : bool, optional
        Whether it begins without generators; by default if there is no width.
    cases : int
        How many cases the samples belong to; each gets as many generators as it would have by itself.
    """

    def __init__(self, radius: Array, empty: bool | None = None, cases: int = 1) -> None:
        N, M = radius.shape
        most = max(3, min(ORDER, LARGEST // (max(N // cases, 1) * M * M)))
        self._generators: Array = np.zeros((N, most * M, M))
        self._count = 0
        if not (empty if empty is not None else not radius.any()):
            self.add(radius)

    @property
    def generators(self) -> Array:
        """The generators, ``(N, g, M)``."""
        return self._generators[:, : self._count]

    def image(self, matrix: Array) -> Array:
        """Generators of the image under ``e -> e @ matrix``, ``(N, g, K)``."""
        return self.generators @ matrix

    def become(self, generators: Array) -> None:
        """Take other generators in the place of these, as many."""
        self._generators[:, : self._count] = generators

    def add(self, radius: Array) -> None:
        """Add a box: one generator for each dimension."""
        M = radius.shape[1]
        if self._count + M > self._generators.shape[1]:
            self._enclose()
        units = np.arange(M)
        self._generators[:, self._count : self._count + M] = 0.0
        self._generators[:, self._count + units, units] = radius
        self._count += M

    def _enclose(self) -> None:
        """Enclose the older half of the generators by a parallelepiped."""
        M = self._generators.shape[2]
        keep = max(self._count // 2 // M, 1) * M
        old, young = self.generators[:, :-keep], self.generators[:, -keep:].copy()
        longest = np.argsort(-np.square(old).sum(-1), axis=1, kind="stable")[:, :M, None]
        axes = np.linalg.qr(np.take_along_axis(old, longest, 1).swapaxes(1, 2)).Q  # orthonormal columns
        widths = np.abs(old @ axes).sum(1) * OWN_ROUNDING
        self._count = M + keep
        self._generators[:, :M] = widths[:, :, None] * axes.swapaxes(1, 2)
        self._generators[:, M : self._count] = young


def extent(generators: Any) -> Array:
    """How far a zonotope reaches along each axis."""
    return np.asarray(np.abs(generators).sum(1))
