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
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, Protocol

from .run_state import state

__all__ = [
    "CHECK",
    "IDENTITY",
    "LAW",
    "PARTS",
    "PREFIX",
    "Feature",
    "Tally",
    "VerdictLike",
    "busy",
    "close",
    "current",
    "spending",
    "take",
    "told",
    "watch",
]

PREFIX = "rnn_equiv."
"""How the names of the user properties begin that bear a tally."""

CHECK = PREFIX + "check"
"""The user property which names the check, and by which an item of the suite is known."""

IDENTITY = PREFIX + "identity"
"""The user property which says what was asked for, whatever an implementation calls itself."""

LAW = "law"
"""The way of a verdict that two answers of one implementation gave, and not the recurrence."""

#: What to do to show more.
_HOW_TO_SHOW = {
    "every output": "give the outputs of every step (convert with return_sequences=True)",
    "states": "give the states of every step (return Trajectory(outputs=y, states=h))",
}
_OTHERWISE = (
    "what rounding may do is more than what would tell right from wrong: support shorter sequences and fewer units, or "
    "declare a finer precision if it has one; of a quantized port, say how it rounds (Precision.int8_weights(), "
    ".dynamic_range_int8(), .fixed_point(...)), since what is declared is computed"
)

BY_CHANCE = 1e-6
"""How seldom a run may show too little by chance."""


def _chance(hits: int, cases: int, share: float) -> float:
    """Bound how likely it is that of so many cases no more hit, where each does with a probability of `share`.

    Chernoff's bound, ``exp(-n KL(hits / n, share))`` (Hoeffding 1963, theorem 1), for hits below that share.
    """
    found = hits / cases
    if share >= 1:
        return 0.0
    apart = (1 - found) * math.log((1 - found) / (1 - share)) + (found * math.log(found / share) if found else 0.0)
    return math.exp(-cases * apart)


PARTS = ("draw", "build", "trace", "run", "judge", "report")
"""What a check spends its time on, beside its own steps and Hypothesis's.

To draw cases; to build models, and to trace what is compiled of them (of implementations in this process); to run
cases; to judge what was seen; to explain a failure and to write it down.
"""


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

    def shows(self, least: float) -> bool:
        """Whether enough was shown.

        Something has to be, and some of what was set beside the recurrence. It is too little as well where so few of
        these cases have an answer that it can hardly be chance: cases are drawn, and one whose share of conclusive ones
        is `least` may come to fewer in a run.
        """
        if not self.conclusive or (self.judged and not self.decided):
            return False
        return self.decided >= least * self.judged or _chance(self.decided, self.judged, least) >= BY_CHANCE

    def way_out(self) -> str:
        """Say how more would be shown; what is promised was judged case by case."""
        best = max(self.would, key=lambda what: self.would[what], default="")  # the first one, where they are equal
        if best and self.would[best]:
            then = f"then {self.decided + self.would[best]} of {self.judged} cases are conclusive"
            return f"{_HOW_TO_SHOW[best]}: {then}"
        return _OTHERWISE

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

    def add(self, other: Tally) -> None:
        """Add up two tallies, as a table does."""
        self.implementation = self.implementation or other.implementation
        self.versions |= other.versions
        self.facts |= other.facts
        for own, others in ((self.way, other.way), (self.undecided, other.undecided), (self.would, other.would)):
            for key, cases in others.items():
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
        for kind in ("way", "undecided", "would", "news", "spent"):
            properties += ((f"{kind}.{key}", number) for key, number in getattr(self, kind).items())
        properties += ((f"version.{name}", version) for name, version in self.versions.items())
        properties += ((f"fact.{name}", fact) for name, fact in self.facts.items())
        properties += (("note", note) for note in self.notes)
        if self.mistakes:
            properties.append(("mistakes", json.dumps(self.mistakes, separators=(",", ":"))))
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
            if kind in ("way", "undecided", "would", "news", "spent"):
                getattr(tally, kind)[rest] = value
            elif kind == "version":
                tally.versions[rest] = value
            elif kind == "fact":
                tally.facts[rest] = value
            elif kind == "note":
                tally.notes.append(value)
            elif kind == "mistakes":
                tally.mistakes = json.loads(value)
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
    parts: list[str] = field(default_factory=list)
    since: float = 0.0

    def charge(self) -> None:
        """Add what has passed to the innermost part."""
        now = time.perf_counter()
        if self.parts and self.tally is not None:
            part = self.parts[-1]
            self.tally.spent[part] = self.tally.spent.get(part, 0.0) + now - self.since
        self.since = now


def current() -> Tally:
    """Return the tally of the item that runs now, and open it if nothing was counted yet.

    It is opened by whoever counts first, so that a run in which nobody counts pays nothing.
    """
    counting = state().part(_Counting)
    if counting.tally is None:
        counting.tally = Tally()
    return counting.tally


class spending:  # a context manager, used as a function is
    """Charge the time of a block to one of the :data:`PARTS`, but for what a block within it takes for another.

    Takes about a microsecond. Outside of an item that counts, nothing is charged.
    """

    __slots__ = ("_counting", "_part")

    def __init__(self, part: str) -> None:
        self._part = part

    def __enter__(self) -> None:
        self._counting = counting = state().part(_Counting)
        counting.charge()
        counting.parts.append(self._part)

    def __exit__(self, *_: object) -> None:
        self._counting.charge()
        self._counting.parts.pop()


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


def told(properties: list[tuple[str, object]], seconds: float) -> None:
    """Add to a report that bears a tally how long it took to explain its failure, and to write it down."""
    before = {name: float(str(value)) for name, value in properties if name in _TOLD}
    if f"{PREFIX}seconds" in before:
        properties[:] = [each for each in properties if each[0] not in _TOLD]
        properties += [(name, before.get(name, 0.0) + seconds) for name in _TOLD]


_TOLD = (f"{PREFIX}seconds", f"{PREFIX}spent.report")


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
