"""What one pytest item counted: cases, verdicts, options, sizes, mistakes and seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Protocol

from .watching import busy

__all__ = ["EVIDENCE", "LAW", "Feature", "Tally", "VerdictLike"]

LAW = "law"
"""The way of a verdict that two answers of one implementation gave, and not the recurrence."""

EVIDENCE = "evidence"
"""The way of a verdict that many cases gave together, of which none proves anything by itself."""


REASONS = 3
"""How many reasons for declining cases are kept."""


class VerdictLike(Protocol):
    """What `Tally.record` reads of a verdict."""

    @property
    def status(self) -> str:
        """One of ``"equivalent"``, ``"different"``, ``"inconclusive"``."""

    @property
    def way(self) -> str:
        """How the verdict was reached, such as ``"induction"``."""

    @property
    def error_over_bound(self) -> float:
        """The worst error as a fraction of what rounding may do."""


@dataclass
class Feature:
    """What was judged of the cases that have some feature, such as a mask: one cell of the matrix.

    Attributes
    ----------
    equivalent, inconclusive, different
        How many cases.
    worst
        The worst error over its bound, of those that are equivalent.
    known
        Names of known divergences that were shown.
    """

    equivalent: int = 0
    inconclusive: int = 0
    different: int = 0
    worst: float = 0.0
    known: list[str] = field(default_factory=list)

    def add(self, other: Feature) -> None:
        """Add up two cells."""
        self.equivalent += other.equivalent
        self.inconclusive += other.inconclusive
        self.different += other.different
        self.worst = max(self.worst, other.worst)
        self.known += (name for name in other.known if name not in self.known)

    def clear(self) -> None:
        """Forget what was judged."""
        self.equivalent = self.inconclusive = self.different = 0
        self.worst = 0.0


@dataclass
class Tally:
    """What one item counted.

    Attributes
    ----------
    implementation
        What was checked; empty if a check knows none.
    versions
        The versions of what took part, by distribution name.
    way
        How many verdicts were reached in which way, such as ``{"induction": 200, "prefixes": 100}``.
    cases
        How many cases were judged. Hypothesis runs a failing case often, to shrink it; each run counts.
    conclusive
        How many of them had an answer, be it equivalent or different.
    failures
        How many were different.
    declined
        How many more the implementation did not take; they were left out.
    because
        How many of these for each reason that was given, of the first few reasons.
    worst_error_over_bound
        The worst error of a conclusive case as a fraction of its bound; infinite if it was not a number.
    undecided
        How many verdicts of each way were inconclusive.
    would
        How many of these would have had an answer if more were shown, by what: ``"every output"``, ``"states"``.
    mistakes
        Of mistakes of the catalogue, by name, whether they would have been seen; empty where nobody has asked.
    seconds
        How long the item ran, and how long it took to tell of its failure. The plugin fills it in.
    spent
        Seconds for each of the :data:`PARTS` that took any. The rest of `seconds` is Hypothesis's, and the check's own.
    notes
        Sentences for the summary.
    facts
        What else a check has to tell of itself, for reports that know it.
    covered
        In how many cases two options came together in one layer, in alphabetical order; twice the same is an option.
        0 where they might have come.
    features
        What was judged, by features of the cases; those that an implementation does not declare are left out.
    newest
        How many cases were conclusive when an option, or a pair of options, last came for the first time in a check.
    news
        How many cases were conclusive when the last new pair of options, option, activation or size was seen, by that
        word.
    met
        The options and pairs that came since that check began. The selfcheck has one tally for many checks.
    """

    implementation: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    way: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    conclusive: int = 0
    failures: int = 0
    declined: int = 0
    because: dict[str, int] = field(default_factory=dict)
    worst_error_over_bound: float = 0.0
    undecided: dict[str, int] = field(default_factory=dict)
    would: dict[str, int] = field(default_factory=dict)
    mistakes: dict[str, bool] = field(default_factory=dict)
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    covered: dict[tuple[str, str], int] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    newest: int = field(default=0, compare=False)
    news: dict[str, int] = field(default_factory=dict)
    met: set[tuple[str, str]] = field(default_factory=set, compare=False, repr=False)
    sizes: set[tuple[str, int]] = field(default_factory=set, compare=False, repr=False)

    @property
    def inconclusive(self) -> int:
        """How many cases had no answer."""
        return self.cases - self.conclusive

    @property
    def judged(self) -> int:
        """How many cases were set beside the recurrence: laws hold of other recurrences, too."""
        return sum(cases for way, cases in self.way.items() if way != LAW)

    @property
    def decided(self) -> int:
        """How many of these had an answer."""
        return self.judged - sum(cases for way, cases in self.undecided.items() if way != LAW)

    def record(self, verdict: VerdictLike) -> None:
        """Count one judged case.

        Raises
        ------
        ValueError
            If the status of `verdict` is none of the three: a typing error must not count as a success.
        """
        if verdict.status not in ("equivalent", "different", "inconclusive"):
            raise ValueError(f"a verdict cannot be {verdict.status!r}")
        if verdict.status != "inconclusive":
            self.conclusive += 1
            error = math.inf if math.isnan(verdict.error_over_bound) else verdict.error_over_bound
            self.worst_error_over_bound = max(self.worst_error_over_bound, error)
            self.failures += verdict.status == "different"
        else:
            self.undecided[verdict.way] = self.undecided.get(verdict.way, 0) + 1
        self.cases += 1
        self.way[verdict.way] = self.way.get(verdict.way, 0) + 1
        _notify(self)

    def settle(self, way: str, helps: Iterable[str] = ()) -> None:
        """Count a case that was inconclusive in some way as equivalent by evidence: what came later decides it.

        Parameters
        ----------
        helps : iterable of str
            What was said to help it, as in `would`.
        """
        for counted, key in ((self.undecided, way), (self.way, way), *((self.would, what) for what in helps)):
            counted[key] -= 1
            if not counted[key]:
                del counted[key]
        self.way[EVIDENCE] = self.way.get(EVIDENCE, 0) + 1
        self.conclusive += 1

    @property
    def by_evidence(self) -> int:
        """How many cases have an answer by evidence, and not by proof."""
        return self.way.get(EVIDENCE, 0)

    def count(self, passed: bool = True, *, way: str = "") -> None:
        """Count one case that was decided without a bound, such as a shape or a number of parameters."""
        self.cases += 1
        self.conclusive += 1
        self.failures += not passed
        if way:
            self.way[way] = self.way.get(way, 0) + 1
        _notify(self)

    def cover(self, options: Iterable[str], cases: int = 1) -> None:
        """Count the options of a layer, and the pairs of them; 0 cases say that they may come, and need not."""
        for pair in combinations_with_replacement(sorted(options), 2):
            if cases and pair not in self.met:
                self.met.add(pair)
                self.newest = self.conclusive
                kind = "pair" if pair[0] != pair[1] else "activation" if "activation=" in pair[0] else "option"
                self.news[kind] = self.conclusive
            self.covered[pair] = self.covered.get(pair, 0) + cases

    def meet(self, **sizes: int) -> None:
        """Take note of the sizes of a case."""
        if not self.sizes.issuperset(sizes.items()):
            self.sizes.update(sizes.items())
            self.news["size"] = self.conclusive

    def feature(self, name: str, status: str = "", error_over_bound: float = 0.0) -> None:
        """Count a judged case for a feature; without a status, that there may be some."""
        cell = self.features.setdefault(name, Feature())
        if status:
            setattr(cell, status, getattr(cell, status) + 1)
        if status == "equivalent":
            cell.worst = max(cell.worst, error_over_bound)

    def decline(self, reason: str) -> None:
        """Count a case that the implementation does not take, and why in its own words, where it says why."""
        self.declined += 1
        if reason and (reason in self.because or len(self.because) < REASONS):
            self.because[reason] = self.because.get(reason, 0) + 1

    def add(self, other: Tally) -> None:
        """Add up two tallies, as a table does."""
        self.implementation = self.implementation or other.implementation
        self.versions |= other.versions
        self.facts |= other.facts
        for kind in ("way", "undecided", "would", "because"):
            own = getattr(self, kind)
            for key, cases in getattr(other, kind).items():
                own[key] = own.get(key, 0) + cases
        for name, seen in other.mistakes.items():
            self.mistakes[name] = seen or self.mistakes.get(name, False)
        for pair, cases in other.covered.items():
            self.covered[pair] = self.covered.get(pair, 0) + cases
        for name, cell in other.features.items():
            self.features.setdefault(name, Feature()).add(cell)
        self.cases += other.cases
        self.conclusive += other.conclusive
        self.failures += other.failures
        self.declined += other.declined
        self.worst_error_over_bound = max(self.worst_error_over_bound, other.worst_error_over_bound)
        self.seconds += other.seconds
        for kind, cases in other.news.items():
            self.news[kind] = max(self.news.get(kind, 0), cases)
        for part, seconds in other.spent.items():
            self.spent[part] = self.spent.get(part, 0.0) + seconds
        self.notes += (note for note in other.notes if note not in self.notes)


def _notify(tally: Tally) -> None:
    busy(f"{tally.implementation or 'rnn-equiv'}: {tally.cases} case{'s' if tally.cases != 1 else ''}")
