"""The letters of the notebook, and the parameter law of its model.

``N`` samples, ``T`` time steps, ``D`` input features, ``M`` hidden units, ``K`` outputs.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..cells import CELLS

__all__ = ["param_count", "size"]


def size(letter: str, value: Any, least: int = 1) -> int:
    """Check one of the letters N, T, D, M, K and return it as an int.

    Raises
    ------
    TypeError, ValueError
        If `value` is no whole number, or smaller than `least`.
    """
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError(f"{letter} must be a whole number, not {value!r}") from None
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{letter} must be at least {least}, not {value!r}")
    return int(number)


def param_count(D: int, M: int, K: int, cell: str = "SimpleRNN", **options: Any) -> int:
    """Count the parameters of ``SimpleRNN(M) -> Dense(K)`` on `D` features: ``M*(D+M+1) + K*(M+1)``.

    Of an LSTM it is ``4*M*(D+M+1) + K*(M+1)``; of a GRU ``3*M*(D+M+2) + K*(M+1)``, or ``3*M*(D+M+1) + K*(M+1)`` with
    ``reset_after=False``.

    Parameters
    ----------
    cell : {"SimpleRNN", "GRU", "LSTM"}
    **options
        Of the cell.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive whole number, or there is no such cell or option.

    >>> param_count(D=3, M=5, K=2), param_count(D=3, M=5, K=2, cell="LSTM")
    (57, 192)
    """
    D, M, K = size("D", D), size("M", M), size("K", K)
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, not {cell!r}")
    shapes = CELLS[cell](**options).weight_shapes(D, M)
    return sum(map(prod, shapes.values())) + K * (M + 1)
