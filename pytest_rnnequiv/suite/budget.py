"""How long a check may look for failures, and shrink one: one bad port cannot use up the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .. import tally
from ..failures.assertion import EquivalenceError
from ..failures.story import size
from ..judging.observing import Observation
from ..run_state import state

__all__ = ["LEAST", "Budget", "ShrinkingIsOver", "TimeIsOver", "budget", "open_budget"]

#: How many conclusive cases a check sees, as long as it has not taken so many times its share; in the end one.
LEAST = ((4, 12), (12, 3))

#: A check that has not shown anything yet goes on for so many times its share, and so many seconds.
CEILING = (3, 20.0)

#: How often Hypothesis may try to find again what is known to fail, on a machine that is busy.
EXAMPLES = 10


class ShrinkingIsOver(KeyboardInterrupt):
    """Makes Hypothesis stop, as Ctrl-C does; whoever called it shows the smallest failure that was found."""


class TimeIsOver(KeyboardInterrupt):
    """Makes Hypothesis stop looking, as Ctrl-C does; nothing has failed."""


def _size(failure: AssertionError) -> tuple[int, int]:
    """How much there is to read of a failure."""
    return size(failure.case) if isinstance(failure, EquivalenceError) else (0, 0)


@dataclass
class Budget:
    """The time that one check may spend.

    Looking for a failure ends when enough was seen: `enough` conclusive cases, and no new option or pair of options in
    the last few of them. It ends as well when `seconds` are over and :data:`LEAST` conclusive cases were seen: a busy
    machine must not make a check blind. Shrinking a failure ends `shrinking` seconds after it was found. All end at
    once, by :class:`TimeIsOver` and :class:`ShrinkingIsOver`: to let pass by unseen what Hypothesis still wants to try
    would take minutes, and memory.
    """

    seconds: float = float("inf")
    shrinking: float = 20.0
    enough: float = float("inf")
    started: float = field(default_factory=time.perf_counter)
    before: int = field(default_factory=lambda: tally.current().conclusive)
    failed_at: float | None = None
    failures: dict[tuple[bytes, ...], EquivalenceError] = field(default_factory=dict)
    seen: list[Observation] = field(default_factory=list)
    smallest: AssertionError | None = None
    of_each_kind: dict[tuple[str, ...], EquivalenceError] = field(default_factory=dict)
    opening: bool = False
    keeping: bool = True
    content: bool = False
    examples: int = 0

    @property
    def spent(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.started

    @property
    def over(self) -> bool:
        """Whether no new cases are to be looked at."""
        if self.failed_at is not None:
            return False
        if self.content:
            late = self.spent > self.seconds
            return late and (self.examples >= EXAMPLES or self.spent > self.seconds + self.shrinking)
        counted = tally.current()
        conclusive = counted.conclusive - self.before
        if self.spent <= self.seconds:
            nothing_new = counted.conclusive - counted.newest >= min(LEAST[0][1], self.enough)
            return conclusive >= self.enough and nothing_new
        least = next((least for times, least in LEAST if self.spent <= times * self.seconds), 1)
        return conclusive >= min(least, self.enough) or self.exhausted

    @property
    def wanted(self) -> float:
        """How many more conclusive cases are enough if they show nothing new; no end of them where one has failed."""
        if self.failed_at is not None or self.content:
            return float("inf")
        counted = tally.current()
        news = min(LEAST[0][1], self.enough) - (counted.conclusive - counted.newest)
        return max(self.enough - (counted.conclusive - self.before), news)

    @property
    def exhausted(self) -> bool:
        """Whether no more is to be tried, though nothing was shown."""
        times, more = CEILING
        return self.spent > times * self.seconds + more

    @property
    def left(self) -> float:
        """Seconds that are left to look for failures, or to shrink one."""
        if self.failed_at is not None:
            return self.shrinking - (time.perf_counter() - self.failed_at)
        return self.seconds - self.spent

    def only(self, seconds: float) -> None:
        """Give it so many seconds more, and a few examples, however little they show."""
        self.seconds, self.content, self.examples = self.spent + seconds, True, 0

    def found(self, failure: AssertionError) -> None:
        """Note that there is a failure: from now on it is shrunk."""
        if self.failed_at is None:
            self.failed_at = time.perf_counter()
        if self.smallest is None or _size(failure) <= _size(self.smallest):
            self.smallest = failure

    def goes_on(self) -> None:
        """See that there is time left to look for a failure, or to shrink what was found.

        Raises
        ------
        TimeIsOver, ShrinkingIsOver
            If there is none.
        """
        if self.over:
            raise TimeIsOver
        if self.failed_at is not None and self.left < 0:
            raise ShrinkingIsOver

    def ended(self) -> bool:
        """Whether an example is to stop before its end.

        An opening does. A drawn example that draws less than it did before is flaky to Hypothesis, so all of them end.

        Raises
        ------
        TimeIsOver
            If no new cases are to be looked at, and this is no opening.
        """
        if self.over and not self.opening:
            raise TimeIsOver
        return self.over

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do something that is no looking for failures, and takes none of the time for that."""
        began = time.perf_counter()
        yield
        self.started += time.perf_counter() - began


@dataclass
class _Opened:
    """The budget that was opened last, and whose it is."""

    owner: tally.Tally | None = None
    budget: Budget | None = None


def budget() -> Budget:
    """Return the budget of the check that runs; without limits where none was opened."""
    opened = state().part(_Opened)
    return open_budget() if opened.budget is None or tally.current() is not opened.owner else opened.budget


def open_budget(seconds: float = float("inf"), enough: float = float("inf")) -> Budget:
    """Begin a check that may take so many seconds, and has seen enough after so many conclusive cases."""
    opened, counted = state().part(_Opened), tally.current()
    counted.met.clear()
    counted.newest = counted.conclusive
    opened.owner, opened.budget = counted, Budget(seconds, enough=enough)
    return opened.budget
