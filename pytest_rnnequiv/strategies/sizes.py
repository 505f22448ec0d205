"""Sizes at which kernels change, and the shapes of cases: ``N`` samples, ``T`` steps, ``D``, ``M``, ``K``."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..model.sizes import size
from .arguments import Size, check_sizes, resolve

__all__ = ["EDGES", "SAMPLES", "STEPS", "Shape", "draw_sizes", "shapes", "size_ladder", "sizes"]

#: Sizes at which kernels change: vector lengths and their remainders, tiles, special cases of one row or column.
EDGES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33)

#: Samples and steps come from short ladders, since runtimes trace anew for every pair of them.
SAMPLES = (1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 8)
STEPS = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 7, 8, 9, 9, 16, 17, 20, 31, 33, 40)


@lru_cache
def size_ladder(least: int, most: int) -> tuple[int, ...]:
    """Return sizes to choose from, in order; a size that should be drawn more often stands in it several times."""
    around_powers = {s for p in range(6, most.bit_length() + 1) for s in (2**p - 1, 2**p, 2**p + 1)}
    edges = [s for s in {*EDGES, *around_powers, most} if least <= s <= most]
    small = [s for s in edges if 2 <= s <= 9]
    others = range(least, most + 1, ceil((most + 1 - least) / 1000))
    often = ceil(2 * len(others) / len(edges))
    return tuple(sorted([*others, *edges * often, *small * often]))


def sizes(*, min_value: int = 1, max_value: int = 33) -> SearchStrategy[int]:
    """Sizes from `min_value` to `max_value`, most of them where kernels change (1, 2, 3, ..., 31, 32, 33, 63, ...).

    Every size may come; of a range longer than a thousand, a thousand evenly spread ones and those near powers of 2.

    Raises
    ------
    TypeError, ValueError
        If a bound is no whole number or less than 1, or `min_value` is more than `max_value`.
    """
    least, most = size("min_value", min_value), size("max_value", max_value)
    if least > most:
        raise ValueError(f"min_value must not be more than max_value, but {least} > {most}")
    return st.sampled_from(size_ladder(least, most))


# Strategies are made once: making one costs more than drawing from it.
_SIZE, _SAMPLES, _STEPS = sizes(), st.sampled_from(SAMPLES), st.sampled_from(STEPS)


class Shape(NamedTuple):
    """The five letters of a case: samples, steps, features, units, outputs."""

    N: int
    T: int
    D: int
    M: int
    K: int


def shapes(
    *,
    N: Size | None = None,
    T: Size | None = None,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
) -> SearchStrategy[Shape]:
    """``Shape(N, T, D, M, K)``, with sizes that make swapped axes visible.

    A letter that is left out is drawn: `D`, `M` and `K` from 1 to 33, all different unless they are 1; `N` mostly more
    than 1; `T` often 1, 2 or 3, sometimes long, and at most 40.

    Raises
    ------
    TypeError, ValueError
        If a letter is no whole number or less than 1.
    """
    check_sizes(N=N, T=T, D=D, M=M, K=K)
    return _shapes(N, T, D, M, K)


@st.composite
def _shapes(draw: DrawFn, N: Any, T: Any, D: Any, M: Any, K: Any) -> Shape:
    D, M, K = draw_sizes(draw, D, M, K)
    N = size("N", resolve(draw, "N", _SAMPLES if N is None else N))
    return Shape(N, size("T", resolve(draw, "T", _STEPS if T is None else T)), D, M, K)


def draw_sizes(draw: DrawFn, D: Any, M: Any, K: Any) -> tuple[int, int, int]:
    """Draw the letters of the notebook's model that are left open."""
    drawn: dict[str, int] = {}
    # those that the user chose come first: the others have to keep away from them
    for letter, argument in sorted({"M": M, "D": D, "K": K}.items(), key=lambda item: item[1] is None):
        if argument is None:
            drawn[letter] = _apart(resolve(draw, letter, _SIZE), drawn.values())
        else:
            drawn[letter] = size(letter, resolve(draw, letter, argument))
    return drawn["D"], drawn["M"], drawn["K"]


def _apart(value: int, taken: Collection[int]) -> int:
    """Move `value` to the nearest size that is not taken; but 1 stays, or nothing would shrink to (1, 1, 1)."""
    if value == 1:
        return 1
    near = (s for off in range(EDGES[-1]) for s in (value - off, value + off))
    return next(s for s in near if 2 <= s <= EDGES[-1] and s not in taken)
