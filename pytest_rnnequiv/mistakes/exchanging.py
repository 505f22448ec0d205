"""Weights and initial states that change places within a case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from ..model.call import Call
from ..model.case import Case
from ..model.spec import Layer

__all__ = ["exchanged", "with_states_of"]

Array = npt.NDArray[Any]


def exchanged(
    case: Case, pairs: Sequence[tuple[str, str]], one_way: bool = False, letters: Sequence[str] = ("Wx", "Wh", "bh")
) -> Case | None:
    """Exchange weights by the beginnings of their names where all shapes fit; None where none do."""
    named = {name: w for name, w in case.named_weights.items() if name.rpartition("/")[2] in letters}
    changes: dict[str, Array] = {}
    for a, b in pairs:
        one = {n.removeprefix(a): w for n, w in named.items() if n.startswith(a)}
        two = {n.removeprefix(b): w for n, w in named.items() if n.startswith(b)}
        if {n: w.shape for n, w in one.items()} == {n: w.shape for n, w in two.items()}:
            changes |= {b + n: w for n, w in one.items()}
            if not one_way:
                changes |= {a + n: w for n, w in two.items()}
    return case.with_weights(**changes) if changes else None


def with_states_of(case: Case, order: Callable[[Layer, list[int]], Sequence[int]]) -> Case:
    """Give every layer its initial states in another order, where they fit."""

    def given(call: Call) -> Call:
        states, first = list(call.states), 0
        for layer in case.spec.layers:
            if layer.initial_state:
                own = range(first, first + sum(len(direction.state_units) for direction in layer.directions))
                for at, taken in zip(own, order(layer, list(own)), strict=True):
                    if call.states[at].shape == call.states[taken].shape:
                        states[at] = call.states[taken]
                first = own.stop
        return call.replace(states=tuple(states))

    return case.map_calls(given)
