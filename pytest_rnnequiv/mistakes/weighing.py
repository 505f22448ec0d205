"""Weigh cases that prove nothing by themselves: is a port near the right run, or near that of a mistake?

One case is *weighed*: how far what was shown is from the right run, and from what comes of each of the usual mistakes,
in expected errors (:mod:`~..judging.sampling`). A :class:`Balance` adds up what the cases of a run say together
(:mod:`~..judging.odds`, which says what is assumed, and how seldom a right port is called different).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..judging.observing import Observation
from ..judging.odds import FALSE_ALARM, FAR, MISTAKE, NEAR, SHARES, Odds
from ..judging.sampling import Expected, expected, flat
from ..judging.verdict import Verdict
from ..model.case import Case
from ..model.forward import reference
from ..model.wiring import Unmade
from ..tally import EVIDENCE
from .catalogue import CATALOGUE, Mistake
from .evidence import Explanation, on_rounded_weights
from .excluding import LEAST_EXCLUDED, SAME, usual

__all__ = ["Balance", "Weighed", "named", "weigh"]

Array = npt.NDArray[np.float64]

#: Cases by which a mistake is named; how many of them are enough for a first look at all mistakes; and how many of
#: those that come nearest are looked at closely.
KEPT, FIRST_LOOK, CLOSELY = 4, 2, 5

#: In how many cases a mistake has to move the outputs, to be asked about: in fewer it could not be excluded. And how
#: many mistakes have to be asked about at least.
LEAST_CASES, LEAST_MADE = 6, 12

#: After how many cases, and to which part, less is asked.
MANY, SOME = 100, 5

#: How many times nearer than the right run a mistake has to be, to be named.
NEARER = 4.0


@dataclass(frozen=True, eq=False)
class Weighed:
    """What one case says.

    Attributes
    ----------
    seen : Observation
    expected : Expected
        What a right port shows.
    right : (N,) array
        How far each sample is from that, in expected errors.
    mistakes : dict of str to (moved, distances)
        Of each mistake that moves a number: by how many expected errors, and how far each sample is from what comes of
        it.
    """

    seen: Observation
    expected: Expected
    right: Array
    mistakes: dict[str, tuple[float, Array]]

    @property
    def near(self) -> bool:
        """Whether what was shown is where a right port is expected."""
        return _together(self.right) <= NEAR

    @property
    def telling(self) -> bool:
        """Whether most of the mistakes would be far from the right run in this case."""
        far = sum(moved >= FAR for moved, _ in self.mistakes.values())
        return bool(self.mistakes) and 2 * far >= len(self.mistakes)


def weigh(seen: Observation, precision: Precision, mistakes: Iterable[Mistake] | None = None) -> Weighed | None:
    """Weigh what was shown of a case.

    Parameters
    ----------
    mistakes : iterable of Mistake, optional
        Those that are made in it, by default the usual ones. What they come to is computed without roundings, and set
        off from the right run.

    Returns
    -------
    Weighed or None
        None where states were shown, which are judged step by step, where the samples of several calls are not the
        same ones, and where nothing is known of the outputs.
    """
    case, shown = seen.case, seen.trajectory
    if case.spec.two_outputs or any(layer is not None for call in shown.each_call for layer in call.shown_layers):
        return None
    if len({call.N for call in case.calls}) > 1 or not case.calls[0].N:
        return None
    right = expected(case, shown, precision)
    if not np.isfinite(right.error).any():
        return None
    numbers = flat(shown, shown)
    moved = {}
    with np.errstate(all="ignore"):
        exact = flat(reference(case), shown)
        for mistake in usual() if mistakes is None else mistakes:
            if (by := _moved(mistake, seen, exact)) is not None:
                far = right.distance(right.value + by)
                moved[mistake.name] = _together(far), right.distance(numbers - by)
    return Weighed(seen, right, right.distance(numbers), moved)


def _moved(mistake: Mistake, seen: Observation, exact: Array) -> Array | None:
    """By how much a mistake moves the outputs; None where it cannot be made, or moves nothing."""
    case = seen.case
    if mistake(case) is None:
        return None
    try:
        wrong = flat(mistake.run(case, np.float64), seen.trajectory)
    except (Unmade, ValueError):
        return None
    if wrong.shape != exact.shape:
        return None
    by: Array = wrong - exact
    moves = np.isfinite(by).all() and np.abs(by).max(initial=0.0) > SAME * np.abs(exact).max(initial=0.0)
    return by if moves else None


def _together(distances: Array) -> float:
    """The distance of a case: the root of the mean square over its samples."""
    return float(np.sqrt(np.mean(distances**2)))


@dataclass
class Balance:
    """What the cases of a run say together of one implementation.

    Attributes
    ----------
    fixed : bool
        Whether all cases are of one model, so that its weights are none of what makes a case another one.
    right : Odds
        Against the port's being right.
    wrong : dict of str to Odds
        Against its making a mistake, in the cases that this mistake moves far.
    moving : dict of str to int
        In how many cases a mistake moves the outputs by more than the expected error: whoever makes one that never does
        is as right as roundings let him be.
    kept : list of Weighed
        Some of the cases, to name a mistake by.
    """

    fixed: bool = False
    right: Odds = field(default_factory=Odds)
    wrong: dict[str, Odds] = field(default_factory=dict)
    moving: Counter[str] = field(default_factory=Counter)
    kept: list[Weighed] = field(default_factory=list)
    _known: set[bytes] = field(default_factory=set)

    def add(self, weighed: Weighed) -> None:
        """Add what a case says, if it is a new one.

        A case that has the weights of an earlier one may be off for the same reason, and says nothing new. Hypothesis
        likes to change little at a time.
        """
        case = weighed.seen.case
        key = case.fingerprint() if self.fixed else b"".join(weight.tobytes() for weight in case.weights)
        if key in self._known:
            return
        self._known.add(key)
        self.right.weigh(weighed.right)
        for name, (moved, distances) in weighed.mistakes.items():
            if moved >= 1:
                self.moving[name] += 1
            if moved >= FAR:
                self.wrong.setdefault(name, Odds()).weigh(distances)
        if len(self.kept) < KEPT and not weighed.near:
            self.kept.append(weighed)

    @property
    def different(self) -> bool:
        """Whether the port is far from the right run, by odds that no right port comes to."""
        return self.right.exclude(FALSE_ALARM / SHARES)

    @property
    def excluded(self) -> tuple[int, int]:
        """How many mistakes are excluded, and of how many that were made in cases enough for that."""
        made = [name for name, cases in self.moving.items() if cases >= LEAST_CASES]
        return sum(name in self.wrong and self.wrong[name].exclude(MISTAKE) for name in made), len(made)

    @property
    def equivalent(self) -> bool:
        """Whether the port is near the right run, and far from nearly all of the mistakes that it could make."""
        excluded, made = self.excluded
        near = self.right.log < 0 and self.right.distance <= NEAR
        return near and made >= LEAST_MADE and excluded >= LEAST_EXCLUDED * made

    @property
    def asked(self) -> list[Mistake]:
        """The mistakes that are to be made in the next case: fewer, once they have told enough."""
        if self.different:
            return []
        return usual()[:: SOME if self.equivalent or self.right.cases >= MANY else 1]

    def verdict(self, weighed: Weighed, proved: Verdict) -> Verdict:
        """Return the verdict on a case which is inconclusive by itself, once its run says enough."""
        if self.different and not weighed.near:
            return Verdict("different", EVIDENCE, float("inf"), steps=proved.steps, problem=self.sentence)
        if self.equivalent and weighed.near and weighed.telling:
            return Verdict("equivalent", EVIDENCE, proved.error_over_bound, steps=proved.steps)
        return proved

    @property
    def sentence(self) -> str:
        """Say how far the port is."""
        return (
            f"what is shown lies {self.right.distance:.2g} times as far from the right run as a right port's rounding "
            f"is expected to take it, over {self.right.cases} cases together: {self.right}, by evidence"
        )


def named(kept: Sequence[Weighed], precision: Precision) -> list[Explanation]:
    """Find the mistakes under which what was shown is where it is expected, the nearest first."""
    right = _mean(_together(each.right) for each in kept)
    first = [(each, flat(reference(each.seen.case), each.seen.trajectory)) for each in kept[:FIRST_LOOK]]
    rough = [(_rough(m, first), m) for m in CATALOGUE if m.precision is None]
    close = sorted(((distance, m) for distance, m in rough if distance < right), key=itemgetter(0))[:CLOSELY]
    found = [(_closely(m, kept, precision), m) for _, m in close]
    near = sorted(((off, m) for off, m in found if off <= NEAR and NEARER * off <= right), key=itemgetter(0))
    return [Explanation((m,), 0, 0, 0, near=_beside(off, right, len(kept))) for off, m in near]


def _beside(off: float, right: float, cases: int) -> str:
    return (
        f"what is shown of {cases} cases lies {off:.2g} times as far from that as a right port's rounding is expected "
        f"to take it, and {right:.2g} times as far from the recurrence itself"
    )


def _rough(mistake: Mistake, kept: Sequence[tuple[Weighed, Array]]) -> float:
    """How far what was shown is from what comes of a mistake, as it is computed without roundings.

    Parameters
    ----------
    kept : sequence of (Weighed, array)
        With the right run in exact numbers.
    """
    off = []
    for each, exact in kept:
        by, numbers = _moved(mistake, each.seen, exact), flat(each.seen.trajectory, each.seen.trajectory)
        off.append(_together(each.right if by is None else each.expected.distance(numbers - by)))
    return _mean(off)


def _closely(mistake: Mistake, kept: Sequence[Weighed], precision: Precision) -> float:
    """How far it is from what comes of a mistake in the declared arithmetic, in errors that are expected there."""
    off = []
    for each in kept:
        shown = each.seen.trajectory
        found = [_together(each.right)]
        for case, p in _roundings(each.seen.case, precision):
            if (made := mistake.made(case)) is None:
                continue
            with suppress(Unmade, ValueError):
                there = expected(made.case, shown, p, made.wiring)
                found.append(_together(there.distance(flat(shown, shown))))
        off.append(min(found[1:], default=found[0]))
    return _mean(off)


def _roundings(case: Case, p: Precision) -> list[tuple[Case, Precision]]:
    """The case whose weights are rounded after the mistake, and where that differs the one with it made after that."""
    after = p.of_rounded_weights()
    return [(case, p)] if after is None else [(case, p), (on_rounded_weights(case, p), after)]


def _mean(distances: Iterable[float]) -> float:
    """The root of the mean square."""
    squares = [distance**2 for distance in distances]
    return math.sqrt(sum(squares) / len(squares)) if squares else 0.0
