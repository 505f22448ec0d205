"""Functions that stand in the place of activations: tables, rational functions; and how they are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .activations import activation

__all__ = ["try_table"]


def try_table(name: str, table: Callable[[Any], Any], within: float) -> None:
    """See that a table is that of its function, and never falls.

    Parameters
    ----------
    name : str
        Of the activation.
    table : callable
        From an array of arguments to what a port makes of them.
    within : float
        How far it may be from the function.

    Raises
    ------
    ValueError
        If it falls somewhere, or is further from its function than that.
    """
    a = np.unique(np.concatenate([np.linspace(-20, 20, 40_001), np.linspace(-1, 1, 4_001)]))
    values = np.asarray(table(a), np.float64)
    if values.shape != a.shape:
        raise ValueError(f"the table of {name} must take an array, and give one of its shape")
    off = np.abs(values - activation(name).function(a))
    if not off.max() <= within:
        at = int(np.nan_to_num(off, nan=np.inf).argmax())
        raise ValueError(
            f"the table of {name} gives {values[at]:.6g} at {a[at]:.6g}, which is {off[at]:.2g} from the "
            f"function: more than {within:g}. It is wrong, or must be declared with more room"
        )
    if (np.diff(values) < 0).any():
        at = int(np.diff(values).argmin())
        raise ValueError(f"the table of {name} falls between {a[at]:.6g} and {a[at + 1]:.6g}: it must not")
