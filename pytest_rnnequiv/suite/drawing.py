"""What is drawn for an implementation: no more than it supports, and of that what a check wants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from .. import strategies as rnn
from ..case import Case
from ..implementations.port import Port
from .registry import running

__all__ = ["draw_pack", "few_sizes", "near", "need"]

#: Sizes up to which cases are drawn for an implementation that says what sizes it takes.
MOST = {"N": 8, "T": 64, "D": 64, "M": 64, "K": 64}


def near(port: Port, letter: str, low: int, high: int) -> tuple[int, int]:
    """Cut a range that a check would rather have to what the port supports, or choose its smallest size."""
    low_, high_ = port.supports.range(letter, low, high)
    if low_ > high_:
        low_ = high_ = port.supports.range(letter, 1, 1_000_000)[0]
    return low_, high_


def draw_pack(port: Port, data: st.DataObject, *, most: int = 16, **wanted: Any) -> list[Case]:
    """Draw cases that the port supports, within what the check wants; skip where nothing is left."""
    supports = port.supports
    options: dict[str, Any] = {}
    for letter, most_ in MOST.items():
        if letter in wanted:
            low, high = supports.range(letter, *wanted.pop(letter))
        elif getattr(supports, letter) is None:
            continue  # as the strategies have it
        else:
            low, high = supports.range(letter, 1, 1_000_000)
            high = min(high, max(low, most_))
        if low > high:
            pytest.skip(f"{port.name} supports {supports.left_out()}")
        options[letter] = low if low == high else rnn.sizes(min_value=low, max_value=high)
    if port.fixed is None:
        # Where the check leaves it open: what the port knows, plain tanh and float32 first.
        if "activation" not in wanted and "tanh" not in supports.activations:
            wanted["activation"] = st.sampled_from(supports.activations)
        if "dtype" not in wanted and "float32" not in supports.dtypes:
            wanted["dtype"] = supports.dtypes[0]
    extra = {name: wanted.pop(name) for name in ("initial_state", "masked") if name in wanted}
    if port.fixed is not None:
        spec, weights = port.fixed
        options = {k: v for k, v in options.items() if k in "NT"} | extra | {"spec": spec, "weights": weights}
    elif port.builds_models and not options.keys() & set("DMK"):
        small = wanted.pop("small", False)
        models = wanted.pop("models", running().models)
        options |= extra | {"spec": rnn.pool(count=models, max_size=9 if small else 33, **wanted)}
    else:
        for name in ("small", "models"):
            wanted.pop(name, None)
        options |= extra | wanted
    pack = data.draw(rnn.packs(max_size=most, **options), label="cases")
    return pack if supports.largest is None else [_clipped(case, supports.largest) for case in pack]


def _clipped(case: Case, largest: float) -> Case:
    """Keep the numbers of a case to those that a port takes."""
    return case.replace(**{n: np.clip(a, -largest, largest) for n, a in case.numbers().items() if a.dtype != bool})


#: ``D, M, K`` of models that are built anew for every activation; those of the notebook first.
SIZES = ((3, 5, 2), (2, 1, 3), (1, 4, 2), (4, 9, 1))


def few_sizes(port: Port, data: st.DataObject) -> dict[str, Any]:
    """Say what sizes to draw for a check that would build a model of each for every activation."""
    if not port.builds_models:
        return {"small": True}
    sizes = data.draw(st.sampled_from(SIZES[: max(1, running().models // 12)]), label="sizes")
    return {letter: (size, size) for letter, size in zip("DMK", sizes, strict=True)}


def need(port: Port, what: bool, why: str) -> None:
    """Skip a check that the port does not support."""
    if not what:
        pytest.skip(f"{port.name} {why}")
