"""Which mistakes explain all that was seen."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, takewhile
from typing import Any

import numpy as np

from .. import tally
from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import Precision
from ..judging.observing import Observation
from ..judging.oracle import judge
from ..judging.verdict import Verdict
from ..model.case import Case
from ..model.spec import Place, Spec
from ..model.trajectory import Trajectory
from ..model.wiring import RIGHT
from .activations import NAMESAKES
from .arithmetic import KEPT_IN, has_marks
from .catalogue import CATALOGUE, EVERY, Mistake
from .channels import of_channels
from .conditions import Only, conditions_of
from .declared import of_declared
from .made import Made
from .seen import NOTHING, Seen

__all__ = ["COMMON", "Evidence", "Explanation", "on_rounded_weights"]


@dataclass(frozen=True)
class Explanation:
    """One mistake, or two together, under which everything that was seen is the recurrence.

    Attributes
    ----------
    mistakes : tuple of Mistake
    within, steps : int
        How many steps are within their bound with the mistake made on purpose, of how many.
    within_before : int
        How many are without it.
    few : bool
        Whether it rests on so few numbers that many mistakes may come to them.
    near : str
        By what it is told, where no steps are within bounds: how near what was shown is to what comes of it.
    """

    mistakes: tuple[Mistake, ...]
    within: int
    steps: int
    within_before: int
    few: bool = False
    near: str = ""

    @property
    def name(self) -> str:
        """The mistakes' names, joined by ``+``."""
        return " + ".join(m.name for m in self.mistakes)

    @property
    def says(self) -> str:
        """Completes "it is the recurrence ..."."""
        return " and ".join(m.says for m in self.mistakes)

    def __str__(self) -> str:
        if self.near:
            return f"it is the recurrence {self.says}: {self.near}"
        return (
            f"it is the recurrence {self.says}: so, {self.within} of {self.steps} steps are within their bound; "
            f"without, {self.within_before} of {self.steps}"
        )


#: Mistakes that are tried together, two at a time: those that people make side by side.
COMMON = (
    "Wh-transposed",
    "Wx-memory-order",
    "Wx-and-Wh-swapped",
    "Wo-memory-order",
    "weights-to-float16",
    "weights-to-bfloat16",
    "bh-dropped",
    "bh-doubled",
    "bh-and-bo-swapped",
    "bh-after-activation",
    "bo-dropped",
    "bo-doubled",
    "recurrent-term-dropped",
    "state-overwritten",
    "time-reversed",
    "first-step-skipped",
    "last-step-skipped",
    "one-step-late",
    "N-and-T-swapped",
    "stride-wrong",
    "leaks-between-samples",
    "starts-at-one",
    "activation-forgotten",
    "activation-relu",
    "activation-sigmoid",
    "activation-tanh",
    "activation-hard_tanh",
    "activation-softsign",
    "fast-tanh-rational",
    "activation-twice",
    "activation-on-head",
    "first-output-taken",
    "head-activation-softmax",
    "head-activation-sigmoid",
    "bh-by-sample",
    "kernels-memory-order",
    "leaky_relu-of-PyTorch",
    "gelu-by-tanh",
    "hard_sigmoid-of-Keras-2",
    "softplus-overflows",
    "recurrent-activation-hard_sigmoid",
    "recurrent-activation-hard_sigmoid-of-Keras-2",
    "recurrent-activation-sigmoid",
    "Wh-negated",
    "Wx-columns-reversed",
    "Wh-rows-reversed",
)


#: A case as it was run, and what was shown.
Run = tuple[Case, Trajectory]

#: Seconds of the processor for pairs of mistakes, where each pair has to be judged.
SECONDS_OF_PAIRS = 10.0

#: How many mistakes are computed together, and how many numbers all their cases have at most.
MANY, NUMBERS = 200, 5_000_000

#: How many of the shortest runs of an observation are judged by themselves, and how many of the others.
SHORTEST, LONGER = 8, 4

#: What was seen, what the mistakes make of its case, and what the oracle says of it under them.
Judged = tuple[Seen, Made, Verdict]


class Evidence:
    """All that was seen, the most telling first.

    Parameters
    ----------
    observations : sequence of Observation
    precision : Precision, optional
        The arithmetic that is declared; by default that of each case.
    """

    def __init__(self, observations: Sequence[Observation], precision: Precision | None) -> None:
        self.precision = precision
        self._observations = observations
        self._tried = 0
        self._firsts: dict[tuple[str, int], Made | None] = {}
        #: What was put together of several runs, with the states that they show.
        self.whole = self._judged((o.case, o.trajectory) for o in observations)
        #: The runs as they were made. Each of them refutes a mistake; and one that shows differently in every prefix
        #: (time reversed), or under another head (biases exchanged), explains them, and not what was put together.
        self.runs = self.whole
        if any(run != (o.case, o.trajectory) for o in observations for run in o.runs):
            self.runs = self._judged(run for o in observations for run in _thinned(o.runs))

    def _judged(self, pairs: Iterable[tuple[Case, Trajectory]]) -> list[Seen]:
        seen = [
            Seen(case, shown, self.precision or case.spec.precision, judge(case, shown, self.precision))
            for case, shown in pairs
        ]
        # Most mistakes are refuted where it is enough to compute them; then by broken runs, of which short ones are
        # judged fastest and are nearly always conclusive.
        return sorted(seen, key=lambda one: (not one.computable, not one.verdict.different, _size(one.case)))

    def explanations(self, spec: Spec, what: str) -> list[Explanation]:
        """Find the smallest sets of mistakes that explain everything, of which `what` broke first."""
        for candidates in self._candidates(spec, what):
            found = [e for e in map(self.try_out, self._near(candidates)) if e is not None]
            if found:
                return self._ordered(found)
        after = self._after_rounding()
        return [] if after is None else after.explanations(spec, what)

    def _after_rounding(self) -> Evidence | None:
        """The same seen with mistakes that are made of weights after these were rounded on scales of their own.

        A kernel of int8 that is transposed has other scales than a transposed kernel that is rounded.
        """
        p = None if self.precision is None else self.precision.of_rounded_weights()
        if p is None:
            return None
        again = []
        for one in self._observations:
            runs = tuple((on_rounded_weights(case, self.precision), shown) for case, shown in one.runs)
            again.append(replace(one, case=on_rounded_weights(one.case, self.precision), runs=runs))
        return Evidence(again, p)

    def of_wirings(self) -> list[Explanation]:
        """Find the wrong wirings that explain an answer of which something has another shape than it should have."""
        candidates = ((m,) for m in CATALOGUE if m.wiring is not RIGHT)
        return [e for e in map(self.try_out, candidates) if e is not None and not e.few]

    def _near(self, candidates: Iterable[tuple[Mistake, ...]]) -> Iterator[tuple[Mistake, ...]]:
        """Leave out those that are far from the first run, many at once."""
        first, left = self.runs[0], iter(candidates)
        if not first.computable:
            yield from left
            return
        numbers = sum(array.size for array in first.case.numbers().values())
        while some := list(islice(left, max(1, min(MANY, NUMBERS // numbers)))):
            far = first.far_from([self._make(each, first.case) for each in some])
            self._tell_tried(sum(far))
            yield from (each for each, is_far in zip(some, far, strict=True) if not is_far)

    def try_out(self, mistakes: tuple[Mistake, ...]) -> Explanation | None:
        """Judge everything under the mistakes."""
        self._tell_tried(1)
        of_runs = self._judged_under(self.runs, mistakes)
        if of_runs is None:
            return None
        of_whole = of_runs if self.runs is self.whole else self._judged_under(self.whole, mistakes)
        return (of_whole and self._explanation(mistakes, of_whole)) or self._explanation(mistakes, of_runs)

    def _tell_tried(self, more: int) -> None:
        self._tried += more
        tally.busy(f"explaining the failure: {self._tried} of the usual mistakes tried")

    def _judged_under(self, seen: list[Seen], mistakes: tuple[Mistake, ...]) -> list[Judged] | None:
        """Judge these under the mistakes; None as soon as one refutes them."""
        found: list[Judged] = []
        for one in seen:
            made = self._make(mistakes, one.case)
            if made is not None and ((made.head_only and one.wrong_before_head) or one.far_from([made])[0]):
                return None
            verdict = None if made is None else made.judge(one.case, one.shown, self.precision)
            if made is None or verdict is None:
                # the mistake changes nothing here, so it explains nothing that is broken
                if one.verdict.different:
                    return None
                continue
            if verdict.different:
                return None
            found.append((one, made, verdict))
        return found

    def _explanation(self, mistakes: tuple[Mistake, ...], judged: list[Judged]) -> Explanation | None:
        """What was judged under the mistakes as an explanation, if it tells enough to be one."""
        told = NOTHING
        for one, made, verdict in judged:
            if one.verdict.different:
                told += one.told_by(made, verdict)
        if not told.numbers:
            return None
        steps = sum(verdict.steps for _, _, verdict in judged)
        before = 0
        for one, _, verdict in judged:
            own = one.verdict if one.verdict.steps == verdict.steps else one.of_outputs
            before += own.steps - own.broken
        return Explanation(mistakes, steps, steps, before, few=not told.enough(max(m.among for m in mistakes)))

    def _make(self, mistakes: tuple[Mistake, ...], case: Case) -> Made | None:
        """Make the mistakes one after the other, as far as each can be made; None if none can."""
        first, *others = mistakes
        if not others:
            return first.made(case)
        key = (first.name, id(case))
        if key not in self._firsts:
            self._firsts[key] = first.made(case)
        made = self._firsts[key]
        for mistake in others:
            after = mistake.made(case if made is None else made.case)
            made = after if made is None else made.then(after)
        return made

    def _ordered(self, found: list[Explanation]) -> list[Explanation]:
        """Keep one of several that make the same case of every run; put those last that come to the same numbers."""
        kept: dict[Any, Explanation] = {}
        for e in found:
            made = [self._make(e.mistakes, one.case) for one in self.runs]
            cases = tuple(b"" if each is None else each.case.fingerprint() for each in made)
            how = tuple((type(m.wiring), m.precision) for m in e.mistakes)
            kept.setdefault((cases, how), e)
        first: list[Explanation] = []
        again: list[Explanation] = []
        met: set[bytes] = set()
        for e in kept.values():
            numbers = self._numbers(e)
            (again if numbers in met else first).append(e)
            met.add(numbers)
        return [*first, *again]

    def _numbers(self, e: Explanation) -> bytes:
        """What comes of a mistake in exact arithmetic; of others, a key of their own."""
        if len(e.mistakes) > 1 or e.mistakes[0].precision is not None:
            return e.name.encode()
        shown = (e.mistakes[0].run(one.case, np.float64) for one in self.runs[:KEPT_FOR_ORDER])
        return b"".join(np.asarray(a).tobytes() for each in shown for _, a in each.numbers())

    def _candidates(self, spec: Spec, what: str) -> Iterator[Iterable[tuple[Mistake, ...]]]:
        """Yield the mistakes that may explain what first breaks in this place, the likeliest first."""

        def here(place: Place | None) -> bool:
            return place is not None and " ".join(spec.address(place, whole_direction=True)) in what

        yield ((m,) for m in CATALOGUE if m.precision is None)
        if self.precision is not None:
            channels = of_channels(self.precision, spec, *self._broken_channels())
            yield ((m,) for m in chain(of_declared(self.precision, spec), channels))
        yield ((sibling,) for m in CATALOGUE for sibling in m.siblings)
        placed = [one for m in CATALOGUE if m.precision is None for one in m.placed(spec)]
        yield ((m,) for m in placed if here(m.where))
        yield ((m,) for m in placed if not here(m.where))
        conditions = self._conditions()
        yield ((m.only_if(each),) for each in conditions for m in CATALOGUE if m.recurrence is not None)
        yield self._one_for_each(conditions)
        # What is known by its digits comes behind all that says more. Those that round what they store are tried
        # first, the coarsest before the finer.
        coarse = [m for m in CATALOGUE if m.precision is not None and self.bears_marks(m.precision)]
        yield ((m,) for m in sorted(coarse, key=_coarseness))
        # One that changes nothing here adds nothing to another.
        common = [m for m in CATALOGUE if m.name in COMMON and any(m(one.case) is not None for one in self.runs)]
        pairs = ((a, b) for i, a in enumerate(common) for b in common[i + 1 :] if _together(a, b))
        # Where it is not enough to compute a run, each pair is judged, and nobody waits for all of them.
        until = time.process_time() + SECONDS_OF_PAIRS
        cheap = all(one.computable for one in self.runs)
        yield pairs if cheap else takewhile(lambda _: time.process_time() < until, pairs)

    def _broken_channels(self) -> tuple[set[int] | None, set[int] | None]:
        """Of which units states are wrong, and which outputs; None where that is not seen step by step."""
        found: dict[str, set[int]] = {}
        for one in self.whole:
            for finding in one.findings if one.verdict.different else ():
                units = np.flatnonzero((finding.ratio()[0] > 1).any((0, 1))).tolist()
                found.setdefault("state" if "state" in finding.what else "output", set()).update(units)
        if "state" not in found:
            return None, None
        return found["state"], found.get("output")

    def _conditions(self) -> list[Only]:
        """Options of which something is broken only where they have some value, as far as was seen."""
        met = [conditions_of(one.case.spec) for one in self.runs]
        every = set[Only]().union(*met)
        broken = [own for one, own in zip(self.runs, met, strict=True) if one.verdict.different]
        somewhere = {each for own in broken for each in own}
        # one that holds everywhere is no condition
        found = {each for each in somewhere if any(other.option == each.option and other != each for other in every)}
        specs = list(dict.fromkeys(one.case.spec for one in self.runs))
        chosen: dict[Any, Only] = {}
        for each in sorted(found):
            places = [
                tuple(p for p in spec.places if each.holds(spec.direction(p), p.cell)) for spec in specs
            ]  # fmt: skip
            # a single place has been tried as such; and of two options of the same layers one is enough
            if len(specs) > 1 or len(places[0]) > 1:
                chosen.setdefault(tuple(places), each)
        return list(chosen.values())

    def _one_for_each(self, conditions: list[Only]) -> Iterator[tuple[Mistake, ...]]:
        """Yield sets of mistakes of which each holds for one value of an option, as two wrong activations do."""
        for option in dict.fromkeys(each.option for each in conditions):
            chosen = []
            for each in (each for each in conditions if each.option == option):
                alone = [
                    one
                    for one in self.runs
                    if one.verdict.different
                    and {c for c in conditions_of(one.case.spec) if c.option == option} == {each}
                ]
                own = (m.only_if(each) for m in EVERY if m.recurrence is not None)
                if alone and (found := next((m for m in own if self._explains(alone, (m,))), None)) is not None:
                    chosen.append(found)
            if len(chosen) > 1:
                yield tuple(chosen)

    def _explains(self, runs: list[Seen], mistakes: tuple[Mistake, ...]) -> bool:
        judged = self._judged_under(runs, mistakes)
        return judged is not None and self._explanation(mistakes, judged) is not None

    def bears_marks(self, precision: Precision) -> bool:
        """Whether all that was seen may bear the marks of an arithmetic that was not declared."""
        if self.precision is not None and not _SHOWN_DIGITS.isdisjoint(self.precision.formats):
            return False  # that the digits are few is declared
        return all(has_marks(precision, one.case, one.shown) for one in self.whole)


#: Formats that decide which digits the numbers have that are shown.
_SHOWN_DIGITS = frozenset(("accumulator", "sums", "activations", "states", "outputs"))

#: Runs whose numbers are compared, to see whether two mistakes come to the same.
KEPT_FOR_ORDER = 4


def _coarseness(mistake: Mistake) -> tuple[bool, float]:
    p = mistake.precision
    return (p.name not in KEPT_IN, -p.unit) if p else (True, 0.0)


def _together(a: Mistake, b: Mistake) -> bool:
    """Whether two mistakes are made side by side, and not the second in place of the first."""
    if a.name in NAMESAKES and b.name in NAMESAKES:
        return NAMESAKES[a.name][0] != NAMESAKES[b.name][0]
    return a.group != b.group or a.group not in ("activation", "numbers")


def on_rounded_weights(case: Case, p: Precision | None) -> Case:
    """Return the case with its weights rounded as they are declared to be."""
    assert p is not None
    weights = (Inexact.weight(name, array, p).value for name, array in case.named_weights.items())
    return case.replace(weights=tuple(each.astype(old.dtype) for each, old in zip(weights, case.weights, strict=True)))


def _thinned(runs: Sequence[Run]) -> list[Run]:
    """Keep the shortest of many runs, and some of the others up to the longest.

    One run is judged by its last outputs in a time that grows with its steps: all prefixes together, with their square.
    """
    by_size = sorted(runs, key=lambda run: _size(run[0]))
    longer = len(by_size) - SHORTEST
    if longer <= LONGER:
        return by_size
    return by_size[:SHORTEST] + [by_size[SHORTEST - 1 + longer * k // LONGER] for k in range(1, LONGER + 1)]


def _size(case: Case) -> int:
    """How many states a case has, which is what judging it costs."""
    return sum(call.N * call.T for call in case.calls) * sum(M for d in case.spec.directions for M in d.cells)
