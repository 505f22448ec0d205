"""Strategies of the notebook's model: its activations, and its sizes, from a pool if models take long to build."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..arithmetic.activations import ACTIVATIONS
from ..cells import CELLS, Cell, variants
from ..model.sizes import param_count, size
from ..model.spec import Spec
from .arguments import (
    FLOAT32,
    LINEAR,
    SIMPLE_RNN,
    TANH,
    Function,
    Kind,
    Name,
    Size,
    check_sizes,
    plain_ones,
    resolve,
)
from .sizes import EDGES, draw_sizes, size_ladder

__all__ = ["activations", "cells", "pool", "pooled_sizes", "specs"]


def activations() -> SearchStrategy[str]:
    """Names of the activations that the oracle knows: every second one is ``"tanh"``."""
    others = [name for name in ACTIVATIONS if name != "tanh"]
    return st.sampled_from(["tanh"] * len(others) + others)


def cells(*names: str) -> SearchStrategy[Cell]:
    """Cells with various options; without names, of all kinds.

    Raises
    ------
    ValueError
        If there is no cell of a name.
    """
    return st.sampled_from(variants(names or tuple(CELLS)))


def specs(
    *,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
    activation: Function = TANH,
    head_activation: Function = LINEAR,
    dtype: Name = FLOAT32,
    cell: Kind = SIMPLE_RNN,
) -> SearchStrategy[Spec]:
    """The notebook's model, ``SimpleRNN(M) -> Dense(K)``, or the same with another `cell`.

    Sizes that are left out are drawn as ``shapes`` draws them.

    >>> specs(M=sizes(max_value=64), activation=activations())  # doctest: +SKIP

    Raises
    ------
    TypeError, ValueError
        If a size is no whole number or less than 1, or an activation, dtype or cell is unknown.
    """
    check_sizes(D=D, M=M, K=K)
    return _specs(D, M, K, _options(activation, head_activation, dtype, cell))


def _options(activation: Any, head_activation: Any, dtype: Any, cell: Any) -> dict[str, Any]:
    """Check what specs share beside their sizes."""
    options = {"activation": activation, "head_activation": head_activation, "dtype": dtype, "cell": cell}
    Spec.simple(1, 1, 1, **plain_ones(**options))
    return options


@st.composite
def _specs(draw: DrawFn, D: Any, M: Any, K: Any, options: dict[str, Any]) -> Spec:
    D, M, K = draw_sizes(draw, D, M, K)
    return Spec.simple(D, M, K, **{name: resolve(draw, name, value) for name, value in options.items()})


#: What a pool begins with: enough to show every mistake in its smallest form.
_SMALLEST = ((1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2))
# A draw of its own, and any of the others seldom: then a failure tries all of the smallest.
_WHICH = st.sampled_from((*range(len(_SMALLEST)), *(len(_SMALLEST),) * 80))


def pool(
    *,
    count: int = 24,
    seed: int = 0,
    max_size: int = 33,
    activation: Function = TANH,
    head_activation: Function = LINEAR,
    dtype: Name = FLOAT32,
    cell: Kind = SIMPLE_RNN,
) -> SearchStrategy[Spec]:
    """The notebook's model in at most `count` sizes ``(D, M, K)``, for implementations that take long to build one.

    The same arguments always give the same pool, so that Hypothesis can replay a failure; another `seed` gives another
    pool. It goes from small to large and begins with ``D, M, K`` of ``1, 1, 1``, ``1, 2, 1``, ``2, 1, 1`` and
    ``1, 1, 2``: drawn rarely, and there to shrink to. Strategies of activations or dtypes multiply the number of specs.

    Raises
    ------
    TypeError, ValueError
        If `count` is less than 5, a size is no whole number or less than 1, or an activation or dtype is unknown.
    """
    size("count", count, least=len(_SMALLEST) + 1)
    size("max_size", max_size, least=3)
    options = _options(activation, head_activation, dtype, cell)
    return _pool(st.sampled_from(_pooled(count, seed, max_size)), options)


@st.composite
def _pool(draw: DrawFn, rest: SearchStrategy[tuple[int, int, int]], options: dict[str, Any]) -> Spec:
    which = resolve(draw, "which", _WHICH)
    letters = _SMALLEST[which] if which < len(_SMALLEST) else resolve(draw, "rest", rest)
    return Spec.simple(*letters, **{name: resolve(draw, name, value) for name, value in options.items()})


def pooled_sizes(*, count: int = 24, seed: int = 0, max_size: int = 33) -> list[tuple[int, int, int]]:
    """List the sizes ``(D, M, K)`` of a :func:`pool` beside the smallest, in order."""
    return list(_pooled(count, seed, max_size))


@lru_cache
def _pooled(count: int, seed: int, max_size: int) -> list[tuple[int, int, int]]:
    """``(D, M, K)`` of a pool beside the smallest, in order."""
    random, ladder = Random(seed), size_ladder(1, max_size)
    edges = [s for s in EDGES if 1 < s <= max_size]
    pooled: set[tuple[int, int, int]] = set()
    for _ in range(100 * count):  # few sizes may not give that many specs
        if len(pooled) == count - len(_SMALLEST):
            break
        # first every edge has its turn at M, in which most kernels change
        M = edges[len(pooled)] if len(pooled) < len(edges) else random.choice(ladder)
        D, K = random.choice(ladder), random.choice(ladder)
        if len({D, M, K}) == 3:
            pooled.add((D, M, K))
    return sorted(pooled, key=lambda letters: (param_count(*letters), letters))
