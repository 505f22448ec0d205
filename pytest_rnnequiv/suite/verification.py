"""Judge an implementation on drawn cases, within a budget, so that one bad port cannot use up the run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .. import tally
from ..assertion import EquivalenceError
from ..case import Case
from ..diagnosis import explain, explain_network
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..network_case import NetworkCase
from ..observation import PREFIXES, Observation
from ..oracle import Verdict
from ..trajectory import BadAnswer, Trajectory
from . import asking_again

__all__ = ["Budget", "ShrinkingIsOver", "budget", "expect", "not_again", "patience", "verify"]

#: How often a port may hang in a run before it is not asked any more.
PATIENCE = 3

#: Cases that a check should see, though it takes longer than it should.
LEAST = 12

#: Failing observations that a check keeps for the diagnosis, and the size (N*T*M, or all numbers of a network) up to
#: which they are worth keeping.
KEPT, KEPT_SIZE = 4, 1000


class ShrinkingIsOver(KeyboardInterrupt):
    """Makes Hypothesis stop, as Ctrl-C does; whoever called it shows the smallest failure that was found."""


def _size(failure: AssertionError) -> tuple[int, int]:
    """How much there is to read of a case: its numbers, and those of them that are not zero."""
    if not isinstance(failure, EquivalenceError):
        return 0, 0
    arrays = failure.case.numbers().values()
    return sum(array.size for array in arrays), sum(int(np.count_nonzero(array)) for array in arrays)


@dataclass
class Budget:
    """The time that one check may spend.

    Looking for a failure ends when `seconds` are over, and :data:`LEAST` cases were seen if they come within three
    times as many: a busy machine must not make a check blind. The rest of the examples pass by unseen, and the tally
    says how many cases there were. Shrinking a failure ends `shrinking` seconds after it was found, by
    :class:`ShrinkingIsOver`: to let pass by unseen what Hypothesis still wants to try would take a minute, at times.
    """

    seconds: float = float("inf")
    shrinking: float = 20.0
    started: float = field(default_factory=time.perf_counter)
    failed_at: float | None = None
    failures: dict[tuple[bytes, ...], EquivalenceError] = field(default_factory=dict)
    seen: list[Observation] = field(default_factory=list)
    smallest: AssertionError | None = None

    @property
    def over(self) -> bool:
        """Whether no new cases are to be looked at."""
        spent = time.perf_counter() - self.started
        enough = self.seconds if tally.current().cases >= LEAST else 3 * self.seconds
        return self.failed_at is None and spent > enough

    def found(self, failure: AssertionError) -> None:
        """Note that there is a failure: from now on it is shrunk."""
        if self.failed_at is None:
            self.failed_at = time.perf_counter()
        if self.smallest is None or _size(failure) <= _size(self.smallest):
            self.smallest = failure

    def goes_on(self) -> None:
        """See that there is time left to shrink what was found.

        Raises
        ------
        ShrinkingIsOver
            If there is none.
        """
        if self.failed_at is not None and time.perf_counter() - self.failed_at > self.shrinking:
            raise ShrinkingIsOver

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do something that is no looking for failures, and takes none of the time for that."""
        began = time.perf_counter()
        yield
        self.started += time.perf_counter() - began


_owner: tuple[tally.Tally | None, str] = (None, "")
_budget = Budget()


def budget(seconds: float | None = None, check: str = "") -> Budget:
    """Return the budget of the check that runs; the first call for a check opens it with that many seconds."""
    global _owner, _budget
    running = tally.current()
    if running is not _owner[0] or (seconds is not None and check != _owner[1]):
        _owner = running, check
        _budget = Budget() if seconds is None else Budget(seconds)
    return _budget


def introduce(port: Port) -> None:
    """Put the implementation's name and versions into the tally of the check."""
    now = tally.current()
    now.implementation = port.name
    now.versions.update(port.versions())
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
        raise PortFailure(why)
    try:
        yield
    except PortFailure as failure:
        if failure.hung:
            port.hangs += 1
            budget().shrinking = 0.0  # every smaller case that hangs as well would cost the timeout again
        raise


def verify(port: Port, cases: Sequence[Case | NetworkCase]) -> None:
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
        _fail(spent.failures[key])
    if spent.over:
        return
    answers: list[Any] = [None] * len(cases)
    if port.declaration.batches and len(cases) > 1:
        with suppress(PortFailure, BadAnswer):  # one by one, then, to find the case that it was
            answers = list(port.run_many(cases))
    for number, (case, first) in enumerate(zip(cases, answers, strict=True)):
        try:
            with patience(port):
                observation = port.observe(case, first)
                verdict = observation.judge(port.precision)
        except (PortFailure, BadAnswer) as problem:
            observation = None
            verdict = Verdict("different", problem=str(problem), error_over_bound=float("inf"))
        tally.current().record(verdict)
        if verdict.different:
            failure = _failure(port, observation, case, verdict, spent)
            asking_again.prepare(failure, port, cases, number, in_batch=first is not None)
            spent.failures[key] = failure
            _fail(failure)
        asking_again.remember(port, case, right=verdict.equivalent)


def _failure(
    port: Port, observation: Observation | None, case: Case | NetworkCase, verdict: Verdict, spent: Budget
) -> EquivalenceError:
    if observation is None or verdict.place is None:
        asked = case if observation is None else observation.case
        return EquivalenceError(asked, verdict, precision=port.precision, name=port.name)
    # What is smaller says less: the first failures, which look for trouble, tell mistakes apart.
    seen = [observation, *spent.seen]
    size = case.N * case.T * case.M if isinstance(case, Case) else sum(a.size for a in case.numbers().values())
    if len(spent.seen) < KEPT and size <= KEPT_SIZE:
        spent.seen.append(observation)
    if isinstance(case, NetworkCase):
        trajectory, shown_of = observation.trajectory, [(each.case, each.trajectory) for each in seen]
        return EquivalenceError(
            case,
            verdict,
            lambda: explain_network(shown_of, port.precision, run=port.run_network),
            trajectory=trajectory,
            precision=port.precision,
            name=port.name,
        )

    def explained() -> Any:
        return explain(
            seen, port.precision, run=port.run_supported, any_weights=port.any_weights, any_length=port.any_length
        )

    shown = observation
    if observation.way == PREFIXES and verdict.place.what == "state":
        # The run in which the port itself gave the broken numbers, as its outputs.
        steps = verdict.place.t + 1
        states = np.asarray(observation.trajectory.states)[:, :steps]
        shown = Observation.of(case.with_identity_head().prefix(steps), Trajectory(states))
        verdict = replace(shown.judge(port.precision), way=PREFIXES)
    return EquivalenceError(
        shown.case,
        verdict,
        explained,
        trajectory=shown.trajectory,
        precision=port.precision,
        name=port.name,
    )


def _fail(failure: EquivalenceError) -> None:
    __tracebackhide__ = True
    # One place for all: Hypothesis takes failures from different lines for different bugs.
    raise failure.with_traceback(None)


def expect(condition: bool, port: Port, case: Case | NetworkCase, sentence: str) -> None:
    """Count something that needs no bound, and fail with a sentence where it does not hold.

    Raises
    ------
    EquivalenceError
    """
    __tracebackhide__ = True
    introduce(port)
    tally.current().count(condition)
    if not condition:
        verdict = Verdict("different", problem=sentence, error_over_bound=float("inf"))
        failure = EquivalenceError(case, verdict, precision=port.precision, name=port.name)
        asking_again.prepare(failure, port, [case], 0)
        _fail(failure)
