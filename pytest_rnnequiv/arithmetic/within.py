"""A format of which no more is known than how far it moves a number: a sum of roundings, by whichever kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .formats import Choose, Ends, Format

__all__ = ["Within"]


@dataclass(frozen=True)
class Within(Format):
    """Numbers that may be off by up to `error` (absolute), in whatever way they are rounded.

    For kernels that round several times on the way to one number, and of which only the steps are known. Where a single
    rounding is known, :class:`~.formats.Scaled` and :class:`~.formats.Fixed` are far sharper.

    Parameters
    ----------
    error : float

    Raises
    ------
    ValueError
        If it is no number of at least 0.
    """

    error: float

    def __post_init__(self) -> None:
        if not 0 <= self.error < float("inf"):
            raise ValueError(f"an error must be a finite number of at least 0, not {self.error!r}")

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        return self.error

    def ends(self, value: npt.NDArray[np.float64], radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Move numbers by up to the error; no outcome is known better than another."""
        return Ends(value, value, radius + self.error, np.zeros(value.shape, bool))

    def moved(self, value: npt.NDArray[np.float64]) -> tuple[Any, Any]:
        """How far numbers are moved: no shift, and the error."""
        return 0.0, np.full(value.shape, self.error)

    def __str__(self) -> str:
        return f"steps of {2 * self.error:.2g}"
