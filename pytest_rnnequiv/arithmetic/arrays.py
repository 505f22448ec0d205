"""NumPy's ``any``, ``where`` and ``broadcast_to`` for small arrays in which nearly always nothing is special.

For a verdict, dozens of arrays of a hundred numbers are searched for a NaN or an overflow. On such arrays
``ndarray.any`` takes four times as long as ``count_nonzero``, ``where`` three times as long as the test that there is
nothing to choose, and ``broadcast_to`` as long as twenty products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["of_shape", "some", "where"]

#: Whether anything in an array of bools holds: how often it does.
some = np.count_nonzero


def where(condition: Any, a: Any, b: Any) -> Any:
    """``numpy.where`` for what nearly always holds: then it is `a` itself, which has to have the shape of all three."""
    return a if some(condition) == condition.size else np.where(condition, a, b)


def of_shape(a: Any, shape: tuple[int, ...]) -> Any:
    """``numpy.broadcast_to`` for what nearly always has that shape."""
    return a if getattr(a, "shape", ()) == shape else np.broadcast_to(a, shape)
