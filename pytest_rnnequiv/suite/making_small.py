"""Make the case of an opening that fails small enough to read.

Hypothesis shrinks what it has drawn, and asks for some hundred cases until it is done. An opening was not drawn. It is
generic: where it fails, smaller ones of other generic numbers nearly always fail as well, until they lack what the
mistake is about. So each letter is tried from 1 on, and then numbers are made 0, or 1. That takes some twenty cases,
and always the same ones.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..divergences.known import concerning
from ..failures.assertion import EquivalenceError
from ..failures.story import size
from ..implementations.port import Port
from ..model.case import Case
from ..strategies import generic_case
from .budget import budget
from .heeding import heeding
from .verification import verify

__all__ = ["made_small", "small_enough"]

#: A case of so many numbers needs no smaller one, and only one of so few has its numbers looked at one by one.
SMALL = 40

#: The letters in the order in which they are made smaller: what makes a case long to ask about comes first.
LETTERS = "TMNDK"


def made_small(port: Port, failure: EquivalenceError) -> EquivalenceError:
    """Return the failure of the smallest case that was found to fail in the same way; else the failure itself.

    Of the notebook's model, where it is different by its numbers: no answer, and a law that is broken, is left as it
    is. So is what runs as a model, of which each size is another to build.
    """
    if failure.verdict.place is None or len(failure.seen) != 1 or port.builds_models:
        return failure
    if not failure.seen[0].case.spec.plain:
        return failure
    spent = budget()
    spent.keeping = False  # small ones say less of what is wrong
    try:
        making = _Making(port, failure, time.perf_counter() + spent.shrinking)
        making.sizes()
        if small_enough(making.smallest):
            making.numbers()
    finally:
        spent.keeping = True
    return making.smallest


def small_enough(failure: EquivalenceError) -> bool:
    """Whether the case of a failure is small enough to read."""
    return size(failure.case)[0] <= SMALL


@dataclass
class _Making:
    """What is done to make a case small."""

    port: Port
    smallest: EquivalenceError
    until: float

    @property
    def case(self) -> Case:
        """The smallest case, as the port was asked it."""
        return self.smallest.seen[0].case

    def sizes(self) -> None:
        """Try smaller sizes, letter by letter, with generic numbers; weights that are compiled in stay."""
        for letter in LETTERS if self.port.fixed is None else "TN":
            now: int = getattr(self.case, letter)
            any(self._fails(_sized(self.case, self.port, letter, smaller)) for smaller in _less(now))

    def numbers(self) -> None:
        """Try zeros in the place of whole arrays, then of each number; and 1 in the place of those that have to be."""
        fixed = self.port.fixed is not None
        names = [name for name in self.case.numbers() if not name.endswith("mask")]
        for name in (name for name in names if not (fixed and name in self.case.named_weights)):
            array = self.case.numbers()[name]
            if not array.any() or self._fails(_with(self.case, name, np.zeros_like(array))):
                continue
            for place in map(tuple, np.argwhere(array)):
                any(self._fails(_with(self.case, name, _set(self.case.numbers()[name], place, to))) for to in (0, 1))

    def _fails(self, case: Case | None) -> bool:
        """Whether a case fails in the same way; then it is the smallest up to now."""
        port, what = self.port, self.smallest.verdict.place
        if case is None or time.perf_counter() > self.until or not port.supports.accepts(case):
            return False
        try:
            verify(port, [case])
        except EquivalenceError as failure:
            place = failure.verdict.place
            if place is None or what is None or place.what != what.what or len(failure.seen) != 1:
                return False
            self.smallest = failure
            return True
        return False


def _less(size: int) -> list[int]:
    """Smaller sizes to try in the place of one, the smallest first."""
    half = {-(-size // 2**n) for n in range(1, size.bit_length())}
    return sorted(each for each in {1, 2, 3, *half} if each < size)


def _sized(case: Case, port: Port, letter: str, size: int) -> Case | None:
    """Return a generic case of the same kind, of which one letter is another; None where Keras is known to be wrong."""
    spec, run = case.spec, {"N": case.N, "T": case.T}
    if letter in run:
        run[letter] = size
    else:
        spec = spec.replace(**{letter: size})
    weights = None if port.fixed is None else case.weights
    made = heeding(generic_case(spec, run["N"], run["T"], weights=weights), port.supports)
    return None if concerning(made, port.diverges_as) else made


def _set(array: Any, place: tuple[int, ...], to: float) -> Any:
    changed = array.copy()
    changed[place] = to
    return changed


def _with(case: Case, name: str, array: Any) -> Case:
    """Return the case with another array in the place of one, by its name in ``case.numbers()``."""
    if name in case.named_weights:
        return case.with_weights(**{name: array})
    if name.endswith("/x"):
        return case.replace(x=array)
    index = int(name.rpartition("state")[2])
    return case.map_calls(
        lambda call: call.replace(states=tuple(array if i == index else old for i, old in enumerate(call.states)))
    )
