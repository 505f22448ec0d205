"""Draw cases for an implementation: what a check wants, as far as the implementation supports it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from .. import strategies as rnn
from .. import tally
from ..cells.cell import Cell
from ..divergences.known import concerning
from ..implementations.port import Port
from ..model.case import Case
from ..model.spec import Spec
from ..strategies import Shape, generic_case, pooled_sizes
from .heeding import heeding
from .registry import Data, NotThisOne, Opening, running

__all__ = [
    "choose",
    "draw_pack",
    "draw_place",
    "few_sizes",
    "fewer_models",
    "known_of_plain",
    "near",
    "need",
    "opening_shape",
    "steer",
]

T_ = TypeVar("T_")

#: What a check begins with: shapes that differ in all letters, and show what depends on them. The first is asked in
#: nearly every check, and answered once for all of them. The long one has units enough for the spectral radius of its
#: ``Wh`` to be near what it should be, so that the last output still depends on the first steps.
OPENING = (
    Shape(N=2, T=3, D=3, M=5, K=2),
    Shape(N=3, T=2, D=7, M=33, K=4),
    Shape(N=2, T=40, D=2, M=9, K=3),
    Shape(N=1, T=1, D=4, M=3, K=2),
    Shape(N=5, T=19, D=17, M=66, K=9),
)

#: Cases of an opening that are asked in one call: enough to come in another order.
BATCH = 3

#: Sizes up to which cases are drawn for an implementation that says what sizes it takes.
LARGEST = {"N": 8, "T": 64, "D": 64, "M": 64, "K": 64}


def near(port: Port, letter: str, low: int, high: int) -> tuple[int, int]:
    """Cut the range that a check prefers to what the port supports; where they do not meet, take its smallest size."""
    low_, high_ = port.supports.range(letter, low, high)
    if low_ > high_:
        low_ = high_ = port.supports.range(letter, 1, 1_000_000)[0]
    return low_, high_


def choose(data: Data, values: Sequence[T_], label: str) -> T_:
    """Draw one of several values, the plainest first; an opening takes each in its turn."""
    if isinstance(data, Opening):
        return values[data.number % len(values)]
    return data.draw(st.sampled_from(values), label=label)


def draw_place(data: Data, size: int) -> int:
    """Draw a place in an array; an opening takes the middle one."""
    return size // 2 if isinstance(data, Opening) else data.draw(st.integers(0, size - 1))


def opening_shape(data: Opening, **ranges: tuple[int, int]) -> Shape:
    """Return the shape of an opening, as near to it as the ranges of the letters allow."""
    shape = OPENING[data.number % len(OPENING)]
    return shape._replace(**{k: min(max(getattr(shape, k), low), high) for k, (low, high) in ranges.items()})


def steer(port: Port, data: Data, cases: Iterable[Case]) -> None:
    """Avoid cases in which the runtime that is checked is known to be wrong."""
    cases = list(cases)
    met = {known for case in cases for known in concerning(case, port.diverges_as)}
    if port.fixed is not None:  # what is a matter of the model is shown: whoever has it wants to know
        of_model, notes = {*concerning(port.fixed[0], port.diverges_as)}, tally.current().notes
        notes += [note for known in of_model if (note := f"known divergence {known}: {known.says}") not in notes]
        met -= of_model
    if not isinstance(data, Opening):
        assume(not met)
    elif met:
        raise NotThisOne


def draw_pack(port: Port, data: Data, *, most: int = 16, **wanted: Any) -> list[Case]:
    """Draw cases that the port supports, within what the check wants; skip where nothing is left.

    `wanted` are ranges of the letters, and what ``strategies.packs`` takes. Several activations to choose from are a
    tuple.
    """
    supports = port.supports
    options: dict[str, Any] = {}
    for letter, most_ in LARGEST.items():
        if letter in wanted:
            low, high = supports.range(letter, *wanted.pop(letter))
        elif getattr(supports, letter) is None:
            continue  # as the strategies have it
        else:
            low, high = supports.range(letter, 1, 1_000_000)
            high = min(high, max(low, most_))
        if low > high:
            pytest.skip(f"{port.name} supports {supports.left_out()}")
        options[letter] = (low, high)
    if port.fixed is None:
        # Where the check leaves it open: what the port knows, plain tanh and float32 first.
        if "activation" not in wanted and "tanh" not in supports.activations:
            wanted["activation"] = supports.activations
        if "dtype" not in wanted and "float32" not in supports.dtypes:
            wanted["dtype"] = supports.dtypes[0]
        wanted.setdefault("cell", supports.kinds[0])
        known = known_of_plain(port, **{name: wanted[name] for name in _OF_PLAIN if name in wanted})
        need(port, not known, f"is known to be wrong there: {known}")
    with tally.spending("draw"):
        pack = (
            _opened(port, data, most, options, wanted)
            if isinstance(data, Opening)
            else _drawn(port, data, most, options, wanted)
        )
    pack = [heeding(case, supports) for case in pack]
    steer(port, data, pack)
    return pack


_OF_PLAIN = ("cell", "dtype", "initial_state", "masked")


def known_of_plain(
    port: Port,
    cell: Cell | str = "SimpleRNN",
    dtype: str = "float32",
    initial_state: bool = False,
    masked: bool = False,
) -> str:
    """Name what is known to be wrong with all of the notebook's models of a cell, run by a port; else empty."""
    activation = port.supports.activations[0]
    spec = Spec.simple(1, 1, 1, activation, dtype, cell=cell, initial_state=initial_state)
    spec = spec.replace(source="mask") if masked else spec
    return ", ".join(map(str, concerning(spec, port.diverges_as)))


def _drawn(
    port: Port, data: st.DataObject, most: int, ranges: dict[str, tuple[int, int]], wanted: dict[str, Any]
) -> list[Case]:
    """Have Hypothesis draw a pack."""
    options: dict[str, Any] = {
        letter: low if low == high else rnn.sizes(min_value=low, max_value=high)
        for letter, (low, high) in ranges.items()
    }
    if isinstance(wanted.get("activation"), tuple):
        wanted["activation"] = st.sampled_from(wanted["activation"])
    extra: dict[str, Any] = {name: wanted.pop(name) for name in ("initial_state", "masked") if name in wanted}
    if port.fixed is not None:
        spec, weights = port.fixed
        options = {k: v for k, v in options.items() if k in "NT"} | extra | {"spec": spec, "weights": weights}
    elif _pools(port, ranges):
        options |= extra | {"spec": rnn.pool(**_pool_of(port, wanted), **wanted)}
    else:
        for name in ("small", "models"):
            wanted.pop(name, None)
        options |= extra | wanted
    pack: list[Case] = data.draw(rnn.packs(max_size=most, **options), label="cases")
    return pack


def _opened(
    port: Port, data: Opening, most: int, ranges: dict[str, tuple[int, int]], wanted: dict[str, Any]
) -> list[Case]:
    """Make up the case of an opening: generic numbers, and the sizes that tell most of those that may be.

    Where a check draws large packs, and the port computes several cases in one call, the first is a batch.
    """
    shape = opening_shape(data, **ranges)
    extra = {name: wanted.pop(name, False) for name in ("initial_state", "masked")}
    weights = None
    if port.fixed is not None:
        spec, weights = port.fixed
    else:
        sizes = tuple(getattr(shape, letter) for letter in "DMK")
        if _pools(port, ranges):  # no more models than are drawn from
            arguments = _pool_of(port, wanted)
            sizes = min(pooled_sizes(**arguments), key=lambda known: _apart(known, sizes))
        if isinstance(wanted.get("activation"), tuple):
            wanted["activation"] = choose(data, wanted["activation"], "")
        options = {k: v for k, v in wanted.items() if k in ("activation", "head_activation", "dtype", "cell")}
        spec = Spec.simple(*sizes, **options)
    batch = BATCH if most > BATCH and port.declaration.batches and data.number == 0 else 1
    seeds = range(1 + data.number, 1 + data.number + batch * len(OPENING), len(OPENING))
    return [generic_case(spec, shape.N, shape.T, seed=seed, weights=weights, **extra) for seed in seeds]


#: Sizes of a pool that has two beside the smallest.
LEAST_OF_POOL = 6


def fewer_models() -> int:
    """Sizes of a pool for models that are built beside those of others: a few of them show what they add."""
    return max(LEAST_OF_POOL, running().models // 2)


#: Sizes of a pool from which on small ones are another pool.
SEVERAL = 10


def _pools(port: Port, ranges: dict[str, tuple[int, int]]) -> bool:
    """Whether sizes come from a pool, since each takes long to build."""
    return port.builds_models and not ranges.keys() & set("DMK")


def _pool_of(port: Port, wanted: dict[str, Any]) -> dict[str, Any]:
    small = wanted.pop("small", False)
    models = wanted.pop("models", fewer_models() if port.secondary else running().models)
    # where there are few models, one pool for all checks: small ones would be other models
    return {"count": models, "max_size": 9 if small and models >= SEVERAL else 33}


def _apart(one: Sequence[int], two: Sequence[int]) -> float:
    return float(np.abs(np.log(one) - np.log(two)).sum())


#: ``D, M, K`` of models that are built anew for every activation; those of the notebook first.
SIZES = ((3, 5, 2), (2, 1, 3), (1, 4, 2), (4, 9, 1))


def few_sizes(port: Port, data: Data) -> dict[str, Any]:
    """Say what sizes to draw for a check that would build a model of each for every activation."""
    if not port.builds_models:
        return {"small": True}
    sizes = choose(data, SIZES[: max(1, running().models // 12)], "sizes")
    return {letter: (size, size) for letter, size in zip("DMK", sizes, strict=True)}


def need(port: Port, what: bool, why: str) -> None:
    """Skip a check that the port does not support."""
    if not what:
        pytest.skip(f"{port.name} {why}")
