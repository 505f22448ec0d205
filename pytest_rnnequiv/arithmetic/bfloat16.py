"""Numbers of bfloat16, which NumPy has not: they are float32 with 16 bits that are zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["to_bfloat16"]


def to_bfloat16(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Round to bfloat16 (8 bits), ties to even; NaN and infinities stay."""
    bits = np.asarray(a, np.float32).view(np.uint32)
    rounded = bits + (0x7FFF + ((bits >> 16) & 1)).astype(np.uint32)
    result = (rounded & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isfinite(a), result, a).astype(a.dtype)
