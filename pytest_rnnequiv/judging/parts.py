"""Tensors that a run of a whole model shows on the way from its inputs to its outputs.

A file of somebody else's has other names, other layouts and other layers than the model that it is to be: a
``BatchNormalization`` may be part of the kernel before it. So a tensor is known by its numbers: one that lies within
the bound of a layer, given what was shown before it, is what the file has computed for that layer. That is an induction
over layers, as that over time: where each tensor follows from those that were shown before it, the outputs do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["INPUTS", "Parts"]

Array = npt.NDArray[Any]

#: What stands in the place of a tensor's name for the inputs of the model.
INPUTS = ""


@dataclass(frozen=True, eq=False)
class Parts:
    """What one run has shown.

    Attributes
    ----------
    tensors : mapping of str to array
        In the order in which they are computed.
    outputs : tuple of arrays
        Of that same run, in the order of the model.
    made_of : mapping of str to names
        Of what each tensor is computed, shown or not; of the inputs of the model, by :data:`INPUTS`.
    ends : names
        Those of the outputs.
    """

    tensors: Mapping[str, Array]
    outputs: tuple[Array, ...]
    made_of: Mapping[str, Sequence[str]]
    ends: Sequence[str]

    def separate(self, names: frozenset[str]) -> bool:
        """Tell whether nothing gets from the inputs to the outputs but through some tensors."""
        seen, ahead = set(names), [*self.ends]
        while ahead:
            if (name := ahead.pop()) == INPUTS:
                return False
            if name not in seen:
                seen.add(name)
                ahead += self.made_of.get(name, ())
        return True

    def within(self, value: Array, bound: Array) -> tuple[str, Array] | None:
        """Return the last tensor that is within a bound of some numbers, in their layout; None where none is."""
        for name, array in reversed([*self.tensors.items()]):
            for each in layouts(array, value.shape):
                if (np.abs(each - value) <= bound).all():
                    return name, each
        return None

    def near(self, states: Array) -> list[tuple[str, Array]]:
        """Return the tensors that begin as some states do, ``(N, T, M)``, in the order of processing; nearest first."""
        first = slice(BEGINNING)
        largest = NEAR * max(float(np.abs(states[:, first]).max(initial=0.0)), np.finfo(np.float32).tiny)
        found = []
        for name, array in self.tensors.items():
            for each in (*sequences(array, states.shape), *sequences(array, states.shape, turned=True)):
                off = float(np.abs(each[:, first] - states[:, first]).max(initial=0.0))
                if off <= largest:
                    found.append((off, name, each))
        return [(name, each) for _, name, each in sorted(found, key=lambda one: one[0])[:TRIED]]


#: Steps by which states are recognized: later ones may differ much in a chaotic run that is right.
BEGINNING = 6

#: By which share of the largest of them they may be off to be tried, and how many are tried.
NEAR, TRIED = 0.05, 3

#: Axes longer than one, up to which layouts are tried.
MOST_AXES = 4


def layouts(array: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """Yield an array in all orders of its axes that have a shape; axes of one do not count."""
    own, wanted = array.squeeze(), [size for size in shape if size != 1]
    if sorted(own.shape) != sorted(wanted) or len(wanted) > MOST_AXES:
        return
    for order in permutations(range(own.ndim)):
        if [own.shape[axis] for axis in order] == wanted:
            yield np.float64(own.transpose(order)).reshape(shape)


def sequences(array: Array, shape: tuple[int, ...], turned: bool = False) -> Iterator[Array]:
    """Yield what may be states of that shape in an array: all of it, or that of one of two directions."""
    sides = [array]
    if array.size == 2 * np.prod(shape):
        axes = [axis for axis, size in enumerate(array.shape) if size in (2, 2 * shape[2])]
        sides = [half for axis in axes for half in np.split(array, 2, axis)]
    for side in sides:
        for each in layouts(side, shape):
            yield each[:, ::-1] if turned else each
