"""The catalogue: all well-known ways to get a recurrent layer wrong, each in the file of the part that it is about."""

from __future__ import annotations

from . import (  # noqa: F401  # they register
    activations,
    clipping,
    directions,
    fixed_point,
    gates,
    head,
    layers,
    masks,
    options,
    peepholes,
    projection,
    rounding,
    steps,
    time,
    weights,
)
from .mistake import CATALOGUE, Mistake

__all__ = ["CATALOGUE", "EVERY", "GROUPS", "Mistake", "by_name"]

#: The parts that people get wrong. A diagnosis lists in this order what fits equally: what is about options and wiring
#: first, as it explains more at once, and the numbers last, as wide bounds let them explain much.
GROUPS = (
    "gates",
    "options",
    "calls",
    "mask",
    "embedding",
    "directions",
    "stack",
    "cells",
    "weights",
    "bias",
    "recurrence",
    "time",
    "state",
    "activation",
    "head",
    "numbers",
)

CATALOGUE.sort(key=lambda mistake: GROUPS.index(mistake.group))

#: The catalogue, and what differs from its entries in a number only.
EVERY = tuple(each for mistake in CATALOGUE for each in (mistake, *mistake.siblings))


def by_name(name: str) -> Mistake:
    """Look a mistake up.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    for mistake in EVERY:
        if mistake.name == name:
            return mistake
    raise ValueError(f"no mistake is called {name!r}; the catalogue has {', '.join(map(str, CATALOGUE))}")
