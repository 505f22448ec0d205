"""What one pytest item did: the seam between the checks, which count, and the reports, which tell.

A check writes::

    from pytest_rnnequiv import tally

    tally.current().record(verdict)

and the plugin carries what was counted into the item's report. It knows the standard library only, so
that anything may import it. Outside of pytest the counting works too, and nobody reads it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, Protocol

from .run_state import state

__all__ = [
    "CHECK",
    "IDENTITY",
    "PREFIX",
    "Feature",
    "Tally",
    "VerdictLike",
    "busy",
    "close",
    "current",
    "take",
    "watch",
]

PREFIX = "rnn_equiv."
"""How the names of the user properties begin that bear a tally."""

CHECK = PREFIX + "check"
"""The user property which names the check, and by which an item of the suite is known."""

IDENTITY = PREFIX + "identity"
"""The user property which says what was asked for, whatever an implementation calls itself."""


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
    worst_error_over_bound
        The worst error of a conclusive case as a fraction of its bound; infinite if it was not a number.
    seconds
        How long the item ran. The plugin fills it in.
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
    worst_error_over_bound: float = 0.0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    covered: dict[tuple[str, str], int] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    newest: int = field(default=0, compare=False)
    met: set[tuple[str, str]] = field(default_factory=set, compare=False, repr=False)

    @property
    def inconclusive(self) -> int:
        """How many cases had no answer."""
        return self.cases - self.conclusive

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
        if verdict.status == "different":
            self.failures += 1
        self.cases += 1
        self.way[verdict.way] = self.way.get(verdict.way, 0) + 1
        _notify(self)

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
            self.covered[pair] = self.covered.get(pair, 0) + cases

    def feature(self, name: str, status: str = "", error_over_bound: float = 0.0) -> None:
        """Count a judged case for a feature; without a status, that there may be some."""
        cell = self.features.setdefault(name, Feature())
        if status:
            setattr(cell, status, getattr(cell, status) + 1)
        if status == "equivalent":
            cell.worst = max(cell.worst, error_over_bound)

    def add(self, other: Tally) -> None:
        """Add up two tallies, as a table does."""
        self.implementation = self.implementation or other.implementation
        self.versions |= other.versions
        self.facts |= other.facts
        for way, cases in other.way.items():
            self.way[way] = self.way.get(way, 0) + cases
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
        self.notes += (note for note in other.notes if note not in self.notes)

    def to_properties(self) -> list[tuple[str, object]]:
        """Return the tally as user properties: flat, and of plain types which any report format takes."""
        properties: list[tuple[str, object]] = [
            ("implementation", self.implementation),
            ("cases", self.cases),
            ("conclusive", self.conclusive),
            ("inconclusive", self.inconclusive),
            ("failures", self.failures),
            ("declined", self.declined),
            ("worst_error_over_bound", self.worst_error_over_bound),
            ("seconds", self.seconds),
        ]
        properties += ((f"way.{way}", cases) for way, cases in self.way.items())
        properties += ((f"version.{name}", version) for name, version in self.versions.items())
        properties += ((f"fact.{name}", fact) for name, fact in self.facts.items())
        properties += (("note", note) for note in self.notes)
        if self.covered:
            properties.append(("covered", _packed(self.covered)))
        if self.features:
            cells = {name: list(vars(cell).values()) for name, cell in self.features.items()}
            properties.append(("features", json.dumps(cells, separators=(",", ":"))))
        return [(PREFIX + name, value) for name, value in properties]

    @classmethod
    def from_properties(cls, properties: Iterable[tuple[str, Any]]) -> Tally | None:
        """Return the tally that `properties` bear, or None if they bear none."""
        tally, found = cls(), False
        for name, value in properties:
            if not name.startswith(PREFIX) or name in (CHECK, IDENTITY):
                continue
            found = True
            kind, _, rest = name.removeprefix(PREFIX).partition(".")
            if kind == "way":
                tally.way[rest] = value
            elif kind == "version":
                tally.versions[rest] = value
            elif kind == "fact":
                tally.facts[rest] = value
            elif kind == "note":
                tally.notes.append(value)
            elif kind == "covered":
                tally.covered = _unpacked(value)
            elif kind == "features":
                tally.features = {name: Feature(*cell) for name, cell in json.loads(value).items()}
            elif kind != "inconclusive":
                setattr(tally, kind, value)
        return tally if found else None


def _packed(covered: dict[tuple[str, str], int]) -> str:
    """Write the counts of pairs as a triangle of numbers: hundreds of pairs of dozens of names."""
    names = sorted({name for pair in covered for name in pair})
    rows = [[covered.get((one, two)) for two in names[i:]] for i, one in enumerate(names)]
    return json.dumps([names, rows], separators=(",", ":"))


def _unpacked(text: str) -> dict[tuple[str, str], int]:
    names, rows = json.loads(text)
    pairs = ((pair, cases) for i, row in enumerate(rows) for pair, cases in zip(names[i:], row, strict=True))
    ones = (one for i, one in enumerate(names) for _ in names[i:])
    return {(one, two): cases for one, (two, cases) in zip(ones, pairs, strict=True) if cases is not None}


# Not a context variable: pytest runs one item at a time in a process, and what an item does in threads of its own (as
# TensorFlow's callbacks do) should count for it as well.
@dataclass
class _Counting:
    """What counts at the moment, and who looks on."""

    tally: Tally | None = None
    watcher: Callable[[str], None] | None = None


def current() -> Tally:
    """Return the tally of the item that runs now, and open it if nothing was counted yet.

    It is opened by whoever counts first, so that a run in which nobody counts pays nothing.
    """
    counting = state().part(_Counting)
    if counting.tally is None:
        counting.tally = Tally()
    return counting.tally


def take() -> Tally | None:
    """Return the tally that is open, and close it; None if nothing was counted."""
    counting = state().part(_Counting)
    tally, counting.tally = counting.tally, None
    return tally


def watch(watcher: Callable[[str], None] | None) -> None:
    """Have `watcher` called after each case, and by `busy`, to show that something happens; None ends it."""
    state().part(_Counting).watcher = watcher


def busy(what: str) -> None:
    """Say what goes on where it takes long and counts no cases, such as explaining a failure."""
    if (watcher := state().part(_Counting).watcher) is not None:
        watcher(what)


def _notify(tally: Tally) -> None:
    busy(f"{tally.implementation or 'rnn-equiv'}: {tally.cases} case{'s' if tally.cases != 1 else ''}")


class ItemLike(Protocol):
    """What `close` needs of a `pytest.Item`."""

    user_properties: list[tuple[str, object]]


class PhaseLike(Protocol):
    """What `close` needs of a `pytest.CallInfo`."""

    when: Any
    duration: float


def close(item: ItemLike, phase: PhaseLike) -> None:
    """Write what was counted into `item` once its call is over; after its teardown, forget what is left.

    What fixtures count during the setup belongs to the item as well. An item that runs again (as
    pytest-rerunfailures makes it) tells of its last run only.
    """
    if phase.when == "setup":
        return
    tally = take()
    if tally is None or phase.when != "call":
        return
    tally.seconds = phase.duration
    item.user_properties[:] = [
        (name, value)
        for name, value in item.user_properties
        if not name.startswith(PREFIX) or name in (CHECK, IDENTITY)
    ] + tally.to_properties()
