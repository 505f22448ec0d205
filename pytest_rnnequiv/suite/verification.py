"""Judge an implementation on drawn cases, within a budget, so that one bad port cannot use up the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import numpy as np

from .. import tally
from ..failures.assertion import EquivalenceError
from ..failures.story import size
from ..implementations.errors import Declined
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..judging.observing import PREFIXES, Observation, judge_observations, would_help
from ..judging.verdict import Verdict
from ..mistakes.describing import describe
from ..mistakes.diagnosis import Diagnosis, explain
from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from ..run_state import state
from . import asking_again, features, sight, told_before
from .probing import probed

__all__ = [
    "Budget",
    "ShrinkingIsOver",
    "TimeIsOver",
    "answer",
    "ask",
    "budget",
    "each_in_turn",
    "expect",
    "fail",
    "no_answer",
    "not_again",
    "open_budget",
    "patience",
    "verify",
    "without_answer",
    "worth_shrinking",
]

#: How often a port may hang in a run before it is not asked any more.
PATIENCE = 3

#: How many conclusive cases a check sees, as long as it has not taken so many times its share; in the end one.
LEAST = ((4, 12), (12, 3))

#: A check that has not shown anything yet goes on for so many times its share, and so many seconds.
CEILING = (3, 20.0)

#: How often Hypothesis may try to find again what is known to fail, on a machine that is busy.
EXAMPLES = 10

#: Shrinking is for ports that can be asked so often while it lasts.
WORTH_SHRINKING = 100

#: Weights up to which it takes seconds, and not minutes, to try every mistake on a case that was not shrunk.
PUZZLING = 500

#: Failing observations of a kind that a check keeps for the diagnosis, and how many numbers they may have.
FAILURES_KEPT, SIZE_KEPT = 4, 1500


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
    ways: dict[tuple[str, ...], EquivalenceError] = field(default_factory=dict)
    opening: bool = False
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


def budget() -> Budget:
    """Return the budget of the check that runs; without limits where none was opened."""
    checking = state().part(_Checking)
    return open_budget() if checking.budget is None or tally.current() is not checking.owner else checking.budget


def open_budget(seconds: float = float("inf"), enough: float = float("inf")) -> Budget:
    """Begin a check that may take so many seconds, and has seen enough after so many conclusive cases."""
    checking, counted = state().part(_Checking), tally.current()
    counted.met.clear()
    counted.newest = counted.conclusive
    checking.owner, checking.budget = counted, Budget(seconds, enough=enough)
    return checking.budget


@dataclass
class _Known:
    """What is known of a port, from what it was asked."""

    seconds: float = float("inf")
    calls: int = 0
    answers: dict[bytes, tuple[Any, Any]] = field(default_factory=dict)


@dataclass
class _Checking:
    """The check that runs, and what is known of the ports of the run."""

    owner: tally.Tally | None = None
    budget: Budget | None = None
    known: WeakKeyDictionary[Port, _Known] = field(default_factory=WeakKeyDictionary)


def _known_of(port: Port) -> _Known:
    return state().part(_Checking).known.setdefault(port, _Known())


def pace(port: Port) -> float:
    """Return the seconds that a port takes for a case, at best; 0 as long as it was not asked."""
    seconds = _known_of(port).seconds
    return 0.0 if seconds == float("inf") else seconds


def worth_shrinking(port: Port) -> bool:
    """Whether a port is fast enough that a failure can be shrunk."""
    shrinking = budget().shrinking
    return shrinking > 0 and WORTH_SHRINKING * pace(port) <= shrinking


@contextmanager
def _timed(known: _Known, cases: int) -> Iterator[None]:
    started = time.perf_counter()
    yield
    known.seconds = min(known.seconds, (time.perf_counter() - started) / cases)
    known.calls += 1


def ask(port: Port, case: Case, *, anew: bool = False) -> Any:
    """Run a case. What checks begin with is asked once for all of them, unless it is to be asked `anew`.

    Raises
    ------
    PortFailure, BadAnswer, Declined
        As the port does.
    """
    known = _known_of(port)
    key = case.fingerprint() if budget().opening and not anew else None
    if key in known.answers:
        return known.answers[key][1]
    with patience(port), _timed(known, 1):
        answer = port.run(case)
    if key is not None:
        known.answers[key] = case, answer
    return answer


def answer(port: Port, case: Case, *, anew: bool = False) -> Any:
    """Run a case, where no answer is a failure.

    Raises
    ------
    EquivalenceError
        If the port gives none; the message is its sentence.
    Declined
        If it does not take the case.
    """
    __tracebackhide__ = True
    try:
        return ask(port, case, anew=anew)
    except (PortFailure, BadAnswer) as problem:
        verdict = without_answer(problem)
    return no_answer(port, case, verdict)


def without_answer(problem: PortFailure | BadAnswer) -> Verdict:
    """Return the verdict about a port that gave no answer that can be judged."""
    return Verdict.without_answer(str(problem), problem.reason if isinstance(problem, PortFailure) else "")


def no_answer(port: Port, case: Case, verdict: Verdict) -> NoReturn:
    """Count a case to which there was no answer that can be judged, and fail with the sentence of its verdict.

    Call it outside of the handler: Hypothesis takes a failure for another one where it has another context.

    Raises
    ------
    EquivalenceError
    """
    __tracebackhide__ = True
    tally.current().record(verdict)
    fail(EquivalenceError(case, verdict, precision=port.precision, name=port.name))


def introduce(port: Port) -> None:
    """Put the implementation's name and versions into the tally of the check."""
    now = tally.current()
    now.implementation = port.name
    now.versions.update(port.versions())
    features.open_matrix(port.supports)
    left_out = port.supports.left_out()
    note = f"{port.name} was asked for {left_out}: that is what it supports"
    if left_out and note not in now.notes:
        now.notes.append(note)


def not_again(port: Port) -> str:
    """Why a port is not asked any more; empty while it is."""
    return f"the port is not asked again: it hung {port.hangs} times" if port.hangs >= PATIENCE else ""


@contextmanager
def patience(port: Port) -> Iterator[None]:
    """Ask a port; one that hangs costs its timeout a few times, and no more.

    Raises
    ------
    PortFailure
        If it has hung too often.
    """
    if why := not_again(port):
        raise PortFailure(why, hung=True)
    try:
        yield
    except PortFailure as failure:
        if failure.hung:
            port.hangs += 1
            budget().shrinking = 0.0  # every smaller case that hangs as well would cost the timeout again
        raise


def verify(port: Port, cases: Sequence[Case]) -> None:
    """Judge an implementation on cases of one spec and shape.

    Raises
    ------
    EquivalenceError
        On the first case on which it is different, or gives no answer that can be judged.
    """
    __tracebackhide__ = True
    introduce(port)
    spent = budget()
    key = tuple(case.fingerprint() for case in cases)
    if key in spent.failures:  # Hypothesis asks again; a hanging port would hang again
        fail(spent.failures[key])
    cases = _as_many_as_fit(port, cases)
    answers = _answers(port, cases)
    judged = _judged(port, cases, answers, at_once=spent.failed_at is None and not spent.content)
    for number, (case, (observation, verdict)) in enumerate(zip(cases, judged, strict=True)):
        if verdict is None:
            tally.current().declined += 1
            continue
        if observation is not None:
            verdict = sight.decided(port, observation, verdict)
        counted = tally.current()
        counted.record(verdict)
        counted.meet(**_sizes(case))
        features.count(case, verdict)
        if observation is not None and verdict.inconclusive:
            _note_what_would_help(observation, port)
        elif observation is not None and verdict.equivalent:
            sight.look(port, observation, spent)
        if verdict.different:
            failure = _failure(port, observation, case, verdict, spent)
            asking_again.prepare(failure, port, cases, number, in_batch=answers[number] is not None)
            spent.failures[key] = failure
            fail(failure)
        asking_again.remember(port, case, right=verdict.equivalent)


def _note_what_would_help(seen: Observation, port: Port) -> None:
    """Count for a case without an answer what would have given it one, if that were shown."""
    would = tally.current().would
    for what in would_help(seen, port.precision):
        would[what] = would.get(what, 0) + 1


def _sizes(case: Case) -> dict[str, int]:
    """Return the sizes of a case by their letters; units and outputs of the notebook's model only."""
    call, spec = case.calls[0], case.spec
    return {"N": call.N, "T": call.T, "D": spec.D} | ({"M": case.M, "K": case.K} if spec.plain else {})


def _judged(
    port: Port, cases: Sequence[Case], answers: Sequence[Any], *, at_once: bool
) -> Iterator[tuple[Observation | None, Verdict | None]]:
    """Look at a port on each case, and judge what is seen; without a verdict where it declines.

    What is judged `at_once` is looked at before anything is judged. That is for a port which has been right up to now:
    one that is wrong is not to be asked about the cases behind the first failure.
    """
    each = _looked_at(port, cases, answers)
    for seen in [[*each]] if at_once else ([one] for one in each):
        with tally.spending("judge"):
            verdicts = iter(judge_observations([one for one in seen if isinstance(one, Observation)], port.precision))
        for one in seen:
            yield (one, next(verdicts)) if isinstance(one, Observation) else (None, one)


def _looked_at(port: Port, cases: Sequence[Case], answers: Sequence[Any]) -> Iterator[Observation | Verdict | None]:
    """Yield what is seen of a port on each case, None where it declines; no answer is the last, and a verdict."""
    for case, first in zip(cases, answers, strict=True):
        try:
            yield _observe(port, case, first)
        except Declined:
            yield None
        except (PortFailure, BadAnswer) as problem:
            yield without_answer(problem)
            return


def _as_many_as_fit(port: Port, cases: Sequence[Case]) -> Sequence[Case]:
    """Cut a pack to what there is time for: slow ports are given one case at a time."""
    seconds, left = pace(port), budget().left
    return cases if not seconds or seconds * len(cases) <= left else cases[: max(1, int(left / seconds))]


def _answers(port: Port, cases: Sequence[Case]) -> list[Any]:
    """Run cases in one call where the port can; None where it is to be asked about each."""
    if port.declaration.batches and len(cases) > 1:
        # one by one otherwise, to find the case that it was
        with suppress(PortFailure, BadAnswer, Declined), _timed(_known_of(port), len(cases)):
            return list(port.run_many(cases))
    return [None] * len(cases)


def _observe(port: Port, case: Case, first: Any) -> Observation:
    """Look at a port in the strongest way that there is time for."""
    first = ask(port, case) if first is None else first
    runs = max(len(case.spec.layers), *(call.T for call in case.calls))
    if runs * pace(port) > budget().seconds:  # no time for a run on every prefix
        return Observation.of(case, first)
    with patience(port), tally.spending("judge"):  # what it shows decides what is asked next
        return port.observe(case, first)


def _failure(
    port: Port, observation: Observation | None, case: Case, verdict: Verdict, spent: Budget
) -> EquivalenceError:
    if observation is None or verdict.place is None:
        asked = case if observation is None else observation.case
        told_of = Diagnosis((), verdict.problem or "", probed=lambda: probed(port, asked))
        return EquivalenceError(asked, verdict, lambda: told_of, precision=port.precision, name=port.name)
    # What is smaller says less: the first failures, which look for trouble, tell mistakes apart.
    # One mistake explains what is of one kind; the activations of a port may be wrong in a way of their own each.
    seen = [observation, *(each for each in spent.seen if told_before.about(each.case) == told_before.about(case))]
    if len(seen) <= FAILURES_KEPT and size(case)[0] <= SIZE_KEPT:
        spent.seen.append(observation)
    if not worth_shrinking(port) and _known_of(port).calls == 1:  # a first call may be slow
        with suppress(PortFailure, BadAnswer, Declined):
            ask(port, case, anew=True)
    slow = not worth_shrinking(port)
    shown = observation
    told = verdict

    def explained() -> Diagnosis:
        with tally.spending("report"):
            return explanation()

    def explanation() -> Diagnosis:
        return replace(named(), probed=lambda: probed(port, case))

    def named() -> Diagnosis:
        if slow and case.spec.param_count > PUZZLING:
            return Diagnosis((), describe(case, observation.trajectory, port.precision, told))
        if slow:  # what it has been asked already
            return explain([*seen, *_heard(port)], port.precision)
        return explain(seen, port.precision, run=port.run_supported, asking=port.asking)

    if observation.way == PREFIXES and case.spec.plain and verdict.place.what == "state":
        # The run in which the port itself gave the broken numbers, as its outputs.
        steps = verdict.place.t + 1
        states = np.asarray(observation.trajectory.states)[:, :steps]
        shown = Observation.of(case.with_identity_head().prefix(steps), Trajectory(states))
        verdict = replace(shown.judge(port.precision), way=PREFIXES)
    failure = EquivalenceError(
        shown.case,
        verdict,
        explained,
        trajectory=shown.trajectory,
        precision=port.precision,
        name=port.name,
    )
    failure.seen = (observation,)
    return failure


def _heard(port: Port) -> list[Observation]:
    """Return small cases that were asked of a port, with its answers."""
    pairs = _known_of(port).answers.values()
    return [Observation.of(case, answer) for case, answer in pairs if case.spec.param_count <= PUZZLING]


def each_in_turn(turns: Iterable[Callable[[], None]], *, all_of_them: bool) -> None:
    """Take turns, such as one for each activation; with `all_of_them` the later ones too where an earlier one fails.

    Raises
    ------
    EquivalenceError
        The first failure. The others are kept in the budget, one of each kind.
    """
    __tracebackhide__ = True
    first: EquivalenceError | None = None
    for turn in turns:
        try:
            turn()
        except EquivalenceError as failure:
            if not all_of_them:
                raise
            first = first or failure
            budget().ways.setdefault(told_before.about(failure.case), failure)
    if first is not None:
        fail(first)


def fail(failure: EquivalenceError) -> NoReturn:
    """Raise a failure.

    Raises
    ------
    EquivalenceError
    """
    __tracebackhide__ = True
    # One place for all: Hypothesis takes failures from different lines for different bugs.
    raise failure.with_traceback(None)


def expect(condition: bool, port: Port, case: Case, sentence: str) -> None:
    """Count something that needs no bound, and fail with a sentence where it does not hold.

    Raises
    ------
    EquivalenceError
    """
    __tracebackhide__ = True
    introduce(port)
    tally.current().count(condition)
    if not condition:
        verdict = Verdict.without_answer(sentence)
        failure = EquivalenceError(case, verdict, precision=port.precision, name=port.name)
        asking_again.prepare(failure, port, [case], 0)
        fail(failure)
