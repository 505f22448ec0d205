"""The inputs of one call of a model, and numbers as a model holds them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.bfloat16 import to_bfloat16

__all__ = ["Call", "array_of", "read_only", "stored"]

Array = npt.NDArray[Any]


def stored(value: Any, dtype: str) -> Array:
    """Return numbers as a model of that dtype holds them; NumPy has no bfloat16, so float32 stands for it."""
    if dtype != "bfloat16":
        return np.array(value, dtype=dtype, order="C")
    return to_bfloat16(np.array(value, dtype=np.float32, order="C"))


def array_of(name: str, value: Any, dtype: str) -> Array:
    """Return numbers as a model of that dtype holds them; `name` says in the message what they are.

    Raises
    ------
    ValueError
        If they are no numbers.
    """
    try:
        return stored(value, dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from None


def read_only(array: Array) -> Array:
    """Return the array itself, which nobody can write to any more."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Call:
    """What one call of a model is given.

    Parameters
    ----------
    x : (N, T, D) array, or (N, T) of whole numbers for an ``Embedding``
        Where there is a ``Masking`` layer, masked steps hold its ``mask_value``.
    mask : (N, T) bool array, optional
        For a model whose source is ``"mask"``: False holds the state at that step.
    states : sequence of (N, M) arrays
        Of the layers with ``initial_state``, in order: forward before backward, each of their cells, and each state of
        a cell.
    reset : bool
        Whether ``reset_state()`` comes before.
    """

    x: Array
    mask: Array | None = None
    states: tuple[Array, ...] = ()
    reset: bool = False

    @property
    def N(self) -> int:
        """Samples."""
        return int(self.x.shape[0])

    @property
    def T(self) -> int:
        """Time steps."""
        return int(self.x.shape[1])

    def replace(self, **changes: Any) -> Call:
        """Return a copy with some fields changed."""
        return replace(self, **changes)
