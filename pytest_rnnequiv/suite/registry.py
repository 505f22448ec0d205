"""What a check is, and how much of it is done: each becomes a pytest item for each implementation.

A check looks at an implementation in this order:

1. what failed in an earlier run, which Hypothesis's database keeps (but where an earlier check has told what is wrong
   with the port, the openings come first: if that explains their failure too, the check is over);
2. its *openings*: a few cases that were thought out beforehand. They are generic, so that they show something however
   little time there is, and the same for most checks, so that a slow port is asked once for all of them;
3. what Hypothesis draws, until enough was seen, or the time is over.

An opening that fails is made small by trying smaller sizes and simple numbers. What fails otherwise is shrunk by
Hypothesis; where it does not find a failure that an opening has shown, that one is told.
"""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, NoReturn

import hypothesis
import pytest
from _pytest.outcomes import Failed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from .. import tally
from ..failures.assertion import EquivalenceError
from ..failures.errors import errors_in
from ..implementations.errors import Declined
from ..implementations.port import Port
from ..implementations.registry import BUILT_IN, runs_file
from ..mistakes.excluding import is_coarse
from ..run_state import state
from . import told_before
from .allotment import allotted
from .asking import not_again, worth_shrinking
from .budget import LEAST, Budget, ShrinkingIsOver, TimeIsOver, budget, open_budget
from .making_small import made_small, small_enough
from .verification import introduce

__all__ = [
    "CHECKS",
    "FIXED",
    "PROFILES",
    "Check",
    "Data",
    "NotThisOne",
    "NothingShown",
    "Opening",
    "Profile",
    "check",
    "running",
]


class Profile(NamedTuple):
    """How much the checks do."""

    seconds: float
    """For a check with a share of 1."""
    factor: float
    """On the numbers of cases that checks want to see."""
    secondary: float
    """Cases that are enough of a runtime which leaves the volume to another of its group."""
    models: int
    """Different sizes for implementations that take long to build a model."""
    longest: int
    """Steps of the longest sequence."""
    networks: int
    """Different networks."""
    units: int
    """Units of their widest layer."""


PROFILES = {
    "quick": Profile(0.5, 0.25, 4, 9, 120, 8, 9),
    "default": Profile(1.3, 1.0, 24, 20, 300, 40, 9),
    "thorough": Profile(90.0, 60.0, float("inf"), 48, 1000, 600, 65),
}


@dataclass
class _Running:
    """The profile under which checks run now."""

    profile: Profile = PROFILES["default"]


def running(profile: Profile | None = None) -> Profile:
    """Return the profile under which checks run now; with an argument, change it."""
    now = state().part(_Running)
    if profile is not None:
        now.profile = profile
    return now.profile


@dataclass(frozen=True)
class Opening:
    """Stands in for Hypothesis's ``data`` in the cases that a check begins with."""

    number: int = 0
    """Which of them, from 0 on."""


#: What a check draws from.
Data = st.DataObject | Opening


class NotThisOne(Exception):
    """An opening that the implementation is not to be asked."""


class NothingShown(Failed):
    """A check that judged cases, of which none was conclusive."""


#: What a check that draws nothing weighs, or one known divergence, beside a check with a share of 1.
FIXED = 0.25

#: Examples of one run of Hypothesis. It remembers all of them; a long check is several runs, with a seed for each.
ROUND = 500

#: Seconds in which Hypothesis may find again, and smaller, what an opening has shown.
REPEAT_SECONDS = 2.0


class Check:
    """A check before it is configured: a function of a port and of Hypothesis's ``data``, or of an opening."""

    def __init__(
        self,
        function: Callable[..., None],
        examples: int,
        share: float,
        everywhere: bool,
        keras: bool,
        openings: int = 1,
        models: str = "",
        recorded: bool = False,
        members: bool = False,
    ) -> None:
        self.function = function
        self.examples = examples
        self.share = share
        self.everywhere = everywhere
        self.keras = keras
        self.openings = openings
        self.models = models
        self.recorded = recorded
        self.members = members

    @property
    def of_ports(self) -> bool:
        """Whether any port can be asked: it is neither about Keras's models nor about files of whole ones."""
        return not self.keras and self.models != "whole"

    def weight(self, name: str) -> float:
        """Its part of the time of a run, on an implementation of that name."""
        runtime = BUILT_IN.get(name)
        if not self.examples:
            return FIXED
        return min(self.share, 0.5) if runtime and runtime.secondary else self.share

    def applies_to(self, names: list[str], whole: bool = False) -> list[str]:
        """Choose the implementations that the check is for; `whole` says that model files are asked as whole models."""
        if self.models == "whole":
            return [name for name in names if whole and runs_file(name) is not None]
        if whole and not self.recorded:
            names = [name for name in names if runs_file(name) is None]
        # a model file is asked about one model
        runtimes = {name: BUILT_IN.get(name) for name in names if self.models or runs_file(name) is None}
        if self.keras:
            runtimes = {name: runtime for name, runtime in runtimes.items() if runtime and runtime.group == "keras"}
        if self.everywhere:
            return list(runtimes)
        primary = [name for name, runtime in runtimes.items() if not (runtime and runtime.secondary)]
        return primary or (list(runtimes)[:1] if self.keras else [])

    def about_one_model(self, plain: bool) -> bool:
        """Whether it can be asked about a model that is given, the notebook's or another."""
        return self.models in ("any", "whole") or (plain and self.models == "notebook's")

    def item(self, profile: Profile, **own: Any) -> Callable[..., None]:
        """Return a test function of a port; `own` are settings of Hypothesis that go before the profile's."""

        def whole(port: Port) -> None:
            __tracebackhide__ = True
            self._whole(profile, port, runs)

        runs = _Runs(self, profile, own)
        return runs.known_to_pytest(whole)

    def method(self, profile: Profile) -> Callable[..., None]:
        """Return the same as a method of a test class."""

        def whole(_: Any, _rnn_equiv_port: Port) -> None:
            __tracebackhide__ = True
            self._whole(profile, _rnn_equiv_port, runs)

        runs = _Runs(self, profile, {})
        return runs.known_to_pytest(whole)

    def run(self, port: Port, *data: Data) -> None:
        """Run one example."""
        __tracebackhide__ = True
        spent = budget()
        # Before anything is drawn, so that there is nothing to shrink; but what failed here once has to fail so again.
        if (why := not_again(port)) and not spent.failures:
            _give_up(port, why)
        spent.goes_on()  # before and not after: a failure at hand is told
        spent.examples += 1
        try:
            self.function(port, *data)
        except Declined as declined:
            tally.current().decline(declined.reason)
        except AssertionError as failure:
            spent.found(failure)
            spent.goes_on()
            raise

    def _whole(self, profile: Profile, port: Port, runs: _Runs) -> None:
        __tracebackhide__ = True
        running(profile)
        introduce(port)
        if port.fixed is not None and not (port.fixed[0].plain or self.models == "any"):
            pytest.skip(f"it is about the notebook's model, and the one that is meant is {port.fixed[0]}")
        spent = open_budget(*self._limits(profile, port))
        try:
            self._looked_for(port, runs, spent)
        except Exception as raised:
            _remember(port, spent, [*errors_in(raised)])
            raise
        _see_that_something_was_shown(port, spent)

    def _limits(self, profile: Profile, port: Port) -> tuple[float, float]:
        """Return the seconds that a check may spend, and how many conclusive cases are enough."""
        given = allotted()
        if given.seconds is not None:
            thorough = self.examples * PROFILES["thorough"].factor / given.shards
            return given.seconds, max(LEAST[0][1], thorough) if given.bounded else float("inf")
        share = min(self.share, 0.5) if port.secondary else self.share
        enough = max(LEAST[0][1], self.examples * profile.factor / given.shards)
        return share * profile.seconds / given.shards, min(enough, profile.secondary) if port.secondary else enough

    def _looked_for(self, port: Port, runs: _Runs, spent: Budget) -> None:
        """Look for a failure, and make it smaller."""
        __tracebackhide__ = True
        try:
            if self.examples:
                self._in_order(port, runs, spent)
            else:
                self.run(port)
        except TimeIsOver:
            pass
        except (ShrinkingIsOver, Flaky):  # what does not fail again has failed all the same: asking again tells
            if spent.smallest is None:
                raise
            _tell(spent.smallest)
        except EquivalenceError as failure:
            if not self.examples:
                told_before.follows(port, failure)
            raise

    def _in_order(self, port: Port, runs: _Runs, spent: Budget) -> None:
        __tracebackhide__ = True
        if why := not_again(port):
            _give_up(port, why)
        kept, opened = None, told_before.anything(port)
        if opened:
            kept = self._opened(port, spent)
            if isinstance(kept, EquivalenceError) and _all_follow(port, [kept, *spent.of_each_kind.values()]):
                _tell(kept)
        if Phase.reuse in runs.phases:
            try:
                with suppress(unittest.SkipTest):  # so it is told that nothing failed before
                    runs.start(port, 1, but=Phase.generate)
            except Exception:
                if not opened:  # what fails again fails in one way, and an opening asks for all of them
                    self._opened(port, spent)
                raise
        if not opened:
            kept = self._opened(port, spent)
        if kept is not None and (Phase.shrink not in runs.phases or not worth_shrinking(port)):
            _tell(kept)
        if isinstance(kept, EquivalenceError) and small_enough(kept := made_small(port, kept)):
            _tell(kept)
        if kept is not None:
            spent.only(REPEAT_SECONDS)
        with suppress(TimeIsOver):
            self._drawn(port, runs, spent)
        if kept is not None:
            _tell(kept)

    def _opened(self, port: Port, spent: Budget) -> AssertionError | None:
        """Ask the openings, and return the first failure."""
        __tracebackhide__ = True  # pytest parses the file of each frame that it may show
        spent.opening = True
        try:
            for number in self._openings(port):
                if spent.exhausted or (number >= self.openings and spent.over):
                    break
                try:
                    self.function(port, Opening(number))
                except NotThisOne:
                    continue
                except Declined as declined:
                    tally.current().decline(declined.reason)
        except AssertionError as failure:
            return failure
        finally:
            spent.opening = False
        return None

    def _openings(self, port: Port) -> range:
        """Number the openings of this check: with a budget, one for each member of its pool."""
        given, count = allotted(), 1 if port.secondary else self.openings
        if given.seconds is not None and self.members:
            count = max(count, running().networks)
        return range(given.shard - 1, count, given.shards)

    def _drawn(self, port: Port, runs: _Runs, spent: Budget) -> None:
        """Have Hypothesis draw its examples, in several runs if there are many."""
        __tracebackhide__ = True
        given = allotted()
        left: float = runs.settings["max_examples"]
        left, number = left if given.seconds is None else float("inf"), 0
        while left > 0 and Phase.generate in runs.phases and not spent.over:
            # at first no more than may be enough: what Hypothesis ends itself, it has statistics of
            examples = int(min(left, ROUND)) if number else max(1, int(min(left, ROUND, spent.wanted)))
            runs.start(port, examples, but=Phase.reuse, number=number, shard=given.shard)
            left, number = left - examples, number + 1


class _Runs:
    """The runs of Hypothesis that a check makes."""

    def __init__(self, check: Check, profile: Profile, own: dict[str, Any]) -> None:
        def test(port: Port, data: st.DataObject) -> None:
            __tracebackhide__ = True
            check.run(port, data)

        self.check = check
        self.test = self._named(test)
        inherited = settings.default
        assert inherited is not None
        self.settings: dict[str, Any] = {
            "max_examples": max(LEAST[0][1], round(check.examples * profile.factor)),
            "deadline": None,  # the first case of a spec builds a model
            "phases": [phase for phase in inherited.phases if phase is not Phase.explain],  # ours is the diagnosis
            "suppress_health_check": [*inherited.suppress_health_check, HealthCheck.too_slow],
        } | own
        self.seed, self.derived = _seed()

    @property
    def phases(self) -> list[Phase]:
        """Those that are wanted."""
        phases: list[Phase] = self.settings["phases"]
        return phases

    def start(self, port: Port, examples: int, *, but: Phase, number: int = 0, shard: int = 1) -> None:
        """Make one run, without one of the phases."""
        __tracebackhide__ = True
        phases = [phase for phase in self.phases if phase is not but]
        drawing = self._given()
        if number or shard > 1 or self.derived:  # before the settings, or it would take the database away
            run = f"run {number}" if shard == 1 else f"run {number} of shard {shard}"
            drawing = hypothesis.seed(f"{self.seed}, {run}")(drawing)
        settings(**self.settings | {"max_examples": examples, "phases": phases})(drawing)(port=port)

    def known_to_pytest(self, whole: Callable[..., None]) -> Callable[..., None]:
        """Give a test the name of its check, and the marks by which Hypothesis's plugin knows its own."""
        signature = inspect.signature(whole)
        if self.check.examples:
            vars(whole).update(vars(settings(**self.settings)(self._given())))
        whole.__signature__ = signature  # type: ignore[attr-defined]
        return self._named(whole)

    def _given(self) -> Callable[..., None]:
        drawing: Callable[..., None] = given(data=st.data())(self.test)
        return drawing

    def _named(self, test: Callable[..., None]) -> Callable[..., None]:
        function = self.check.function
        test.__name__ = test.__qualname__ = function.__name__
        test.__doc__ = function.__doc__
        test.__module__ = function.__module__
        return test


def _give_up(port: Port, why: str) -> NoReturn:
    """Fail a check of a port that is not asked any more, with the reason on the exception for the reports."""
    __tracebackhide__ = True
    given_up = Failed(f"{port.name}: {why}", pytrace=False)
    given_up.not_asked = why  # type: ignore[attr-defined]
    raise given_up


def _all_follow(port: Port, failures: list[EquivalenceError]) -> bool:
    """Whether all of them have reasons that were told before."""
    return all(told_before.follows(port, failure) for failure in failures)


def _remember(port: Port, spent: Budget, failures: list[EquivalenceError]) -> None:
    """Keep the reported failure for later checks, and attach the other ways in which the check has failed."""
    for told in failures[:1]:
        others = (failure for kind, failure in spent.of_each_kind.items() if kind != told_before.about(told.case))
        told.beside = tuple(others)
        told_before.remember(port, told)
        for other in told.beside:
            if not told_before.follows(port, other):
                told_before.remember(port, other)


def _see_that_something_was_shown(port: Port, spent: Budget) -> None:
    """Fail a check all of whose cases were inconclusive; skip one whose cases the port declined, all of them.

    Of a coarse port the cases of one check may be too few, or too wild, for an answer. It is skipped then: its cases
    count among those without an answer, and the run fails if these are too many.
    """
    __tracebackhide__ = True
    counted = tally.current()
    if counted.conclusive > spent.before:
        return
    if counted.cases:
        why = _nothing_shown(port, counted)
        if port.precision is not None and is_coarse(port.precision):
            pytest.skip(why)
        raise NothingShown(why, pytrace=False)
    if counted.declined:
        why = "".join(f": {reason}" for reason in [*counted.because][:1])
        pytest.skip(f"{port.name} declined all of the {counted.declined} cases that it was asked{why}")


def _tell(failure: AssertionError | None) -> NoReturn:
    __tracebackhide__ = True
    assert failure is not None
    raise failure from None  # with the frame of the check, which reports show


def _seed() -> tuple[str, bool]:
    """Return what the seeds of later runs are made of, and whether the first one needs one that we choose.

    It does where nobody has given Hypothesis a seed. Then Hypothesis would print its own when we end the run.
    """
    forced = getattr(hypothesis.core, "global_force_seed", None)  # --hypothesis-seed
    inherited = settings.default
    if forced is not None or (inherited is not None and inherited.derandomize):
        return str(forced), False
    return str(Random().getrandbits(64)), True


def _nothing_shown(port: Port, counted: tally.Tally) -> str:
    ways = ", ".join(way or "no trajectory" for way in counted.way)
    none = f"none of {counted.cases} cases was conclusive (judged by {ways}), so nothing was shown"
    return f"{port.name}: {none}. What helps: {tally.what_helps(counted)}"


CHECKS: dict[str, Check] = {}


def check(
    *,
    examples: int = 0,
    share: float = 1.0,
    everywhere: bool = False,
    keras: bool = False,
    openings: int = 1,
    models: str = "",
    recorded: bool = False,
    members: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a check.

    Parameters
    ----------
    examples : int
        How many conclusive cases the default profile wants to see; 0 for a check that draws nothing.
    share : float
        Its share of the time, if it takes longer.
    everywhere : bool
        Whether it is worth running on each of the runtimes of Keras.
    keras : bool
        Whether it is about Keras's models, and not about ports.
    openings : int
        How many cases it begins with, whatever the time.
    models : {"any", "notebook's", "whole", ""}
        The models that it can be asked about where one is given, with its weights; whole ones have other layers beside
        recurrent ones.
    recorded : bool
        Whether it is about recorded inputs, and nothing without them.
    members : bool
        Whether there may be an opening for each architecture of a pool.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        CHECKS[function.__name__] = Check(
            function, examples, share, everywhere, keras, openings, models, recorded, members
        )
        return function

    return register
