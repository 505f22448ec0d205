"""What the strategies of plain cases and those of networks have in common: from bytes to sizes and numbers.

A byte stands for a float in a :func:`code_book`. Blocks that are larger than their bytes :func:`repeat <spread>`
them, and :func:`noise` is added there.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_128
from math import ceil
from statistics import NormalDist
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["EDGES", "SEEDS", "code_book", "noise", "resolve", "size_ladder", "spread"]

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

#: Sizes at which kernels change: vector lengths and their remainders, tiles, special cases of one row or column.
EDGES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33)

#: Seeds of noise; 0 is none.
SEEDS = st.integers(0, 2**16 - 1)


@lru_cache
def _label(role: str) -> int:
    return crc32(role.encode())


def resolve(draw: DrawFn, role: str, argument: Any) -> Any:
    """Draw `argument` if it is a strategy.

    Every role has a label of its own, for Hypothesis follows up an example with five copies in which one part stands in
    for another of the same label. Of sixteen cases in a pack, fifteen would come again five times.
    """
    return draw(argument, label=_label(role)) if isinstance(argument, SearchStrategy) else argument


@lru_cache
def size_ladder(least: int, most: int) -> tuple[int, ...]:
    """Sizes to choose from, in order; those that are to come more often stand in it more often."""
    around_powers = {s for p in range(6, most.bit_length() + 1) for s in (2**p - 1, 2**p, 2**p + 1)}
    edges = [s for s in {*EDGES, *around_powers, most} if least <= s <= most]
    small = [s for s in edges if 2 <= s <= 9]
    others = range(least, most + 1, ceil((most + 1 - least) / 1000))
    often = ceil(2 * len(others) / len(edges))
    return tuple(sorted([*others, *edges * often, *small * often]))


@lru_cache
def code_book(dtype: str) -> Array:
    """The 256 floats that bytes stand for, simplest first, about standard normal, nearly all of full mantissa.

    Returns
    -------
    (256,) array of float64
        Each is a number of `dtype`, with its own subnormals and its own neighbours of 1.
    """
    info = np.finfo(dtype)
    tiny, eps = float(info.tiny), float(info.eps)
    simple = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 0.1, -0.1, 0.3, -0.3, 0.7, -0.7, 1.5, -1.5]
    odd = [
        -0.0,
        tiny / 8,
        -tiny / 3,
        1.7 * tiny,
        -1e-12 / 3,
        1e-5 / 3,
        -1e-3 / 3,
        1 + eps,
        eps / 2 - 1,
        4.4,
        -5.3,
    ]
    count = 256 - len(simple) - len(odd)
    normal = NormalDist().inv_cdf
    usual = [(-1) ** i * normal(0.5 + (i + 0.5) / (2 * count)) for i in range(count)]
    book = np.array([*simple, *usual, *odd]).astype(dtype).astype(np.float64)
    book.flags.writeable = False
    return book


def noise(seed: int, length: int) -> Bytes:
    """Bytes that make repeated bytes differ. From a hash, since NumPy's generators may change their streams."""
    if seed == 0:
        return np.zeros(length, np.uint8)
    return np.frombuffer(shake_128(seed.to_bytes(2, "little")).digest(length), np.uint8)


def spread(own: int, length: int) -> Bytes:
    """Which of its `own` bytes each number of a block reads: first each in turn, then again in disorder.

    In order, all rows would be equal where a row is as long as the block's bytes.
    """
    order = noise(1, length) % own
    order[:own] = range(min(own, length))
    return order
