"""Graphics cards: whether there is one that CUDA can use, asked without importing what would use it; and cuDNN."""

from __future__ import annotations

import os
import sys
from ctypes.util import find_library

__all__ = ["CUDA", "ERROR_OF_CUDNN", "cuda_seen"]

#: What the tanh inside cuDNN's layers may be off beyond rounding: measured with cuDNN 9.19 on an H200, it is off by
#: 127.4 u (u = 2^-24), of which 4 are allowed everywhere. Its sigmoid is off by 1.9 u.
ERROR_OF_CUDNN = 128 * 2.0**-24

#: What a runtime needs that is there for an NVIDIA card.
CUDA = "a CUDA device"

#: What the driver puts there for each process that may see a card: on Linux, and on Linux inside Windows.
NODES = ("/dev/nvidiactl", "/dev/dxg")


def cuda_seen() -> bool:
    """Whether the driver of an NVIDIA card is there, and ``CUDA_VISIBLE_DEVICES`` hides no card.

    The driver is not called: that would take a second, and a process that has called it cannot be forked.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    if sys.platform == "win32":
        return find_library("nvcuda") is not None
    return any(map(os.path.exists, NODES))
