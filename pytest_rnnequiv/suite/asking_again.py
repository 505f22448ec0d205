"""Before a failure is told: does it fail again?

The report shows one case. Where the port is right on it when it is asked once more, the numbers of that case say
nothing, and a mistake that explains them would mislead. So when somebody reads a failure, what failed is asked again: a
few times by itself, then in the batch in which it failed, then in a fresh process. That costs nothing while nothing
fails, a handful of calls for a failure, and less where the port is slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ..failures.assertion import EquivalenceError
from ..implementations.errors import ImplementationError
from ..implementations.port import Port
from ..implementations.runner import Forked, PortFailure, Spawned
from ..judging.observing import Observation
from ..model.case import Case
from ..model.trajectory import BadAnswer
from ..run_state import state
from ..wording import plural

__all__ = ["prepare", "prepare_whole", "remember"]

#: How often a failing case is asked again, and in which batch.
TIMES, BATCHES = 5, 2

#: Seconds after which a port is not asked again, and a single call from which on it is not asked at all.
PATIENCE, SLOW = 2.0, 0.5

#: Calls of a fresh process that are made to see when it begins to be wrong.
MOST_CALLS = 400


@dataclass
class _Memory:
    """What is known of a port from earlier cases of the run.

    Attributes
    ----------
    right : Case
        The first that it had right.
    last : Case
        The last that it was asked.
    fresh : bool or None
        Whether a fresh process was right where the old one was wrong; None if none was tried.
    """

    right: Case | None = None
    last: Case | None = None
    fresh: bool | None = None


def _memory(port: Port) -> _Memory:
    return state().part(_Memory, of=port)


def remember(port: Port, case: Case, right: bool) -> None:
    """Keep the last case of a port, and the first that it has right, to see later whether it still has."""
    memory = _memory(port)
    memory.last = case
    if right and memory.right is None:
        memory.right = case


def prepare(
    failure: EquivalenceError,
    port: Port,
    cases: Sequence[Case],
    number: int,
    in_batch: bool = False,
    at_first: bool = False,
) -> None:
    """Give a failure what it needs to ask its port again when somebody reads it; nothing is asked yet.

    Parameters
    ----------
    cases : sequence
        What was verified together.
    number : int
        Which of them failed.
    in_batch : bool
        Whether the port was given all of them in one call.
    at_first : bool
        Whether the port was wrong in its very first call: then a fresh process is wrong as well.
    """
    memory = _memory(port)
    if at_first and memory.fresh is None:
        memory.fresh = False
    failed = _Failed(port, tuple(cases), number, in_batch, memory.last, port.calls)
    memory.last = failed.case
    failure.called_as = port.called_as
    failure.ask_again = lambda: _surely(lambda: _found(failed))


def prepare_whole(failure: EquivalenceError, port: Port, again: Callable[[], object]) -> None:
    """Tell a failure of several calls how its port was called, and how to make all of them again, or one alone."""

    def fails() -> bool:
        try:
            again()
        except (AssertionError, PortFailure, BadAnswer, ImplementationError):
            return True
        except pytest.skip.Exception:
            return False
        return False

    failure.called_as = port.called_as
    failure.ask_again = lambda: _surely(
        lambda: "" if port.hangs else _differing(_tried(fails)) or _unsteady(port, failure.case)
    )


def _surely(ask: Callable[[], str]) -> str:
    """Ask, whatever comes of it: the failure itself must be told."""
    try:
        return ask()
    except Exception:
        return ""


def _unsteady(port: Port, case: Case) -> str:
    """Say how often one call alone is wrong; empty if it is each time, or never."""
    wrong = _tried(lambda: _plainly_wrong(port, case))
    return _differing(wrong) if any(wrong) else ""


@dataclass(frozen=True, eq=False)
class _Failed:
    """What failed, and what came before."""

    port: Port
    cases: tuple[Case, ...]
    number: int
    in_batch: bool
    before: Case | None
    calls: int

    @property
    def case(self) -> Case:
        return self.cases[self.number]


def _found(failed: _Failed) -> str:
    """Ask again, and say what came of it; empty if it is wrong each time, as a mistake is."""
    port, case = failed.port, failed.case
    if port.hangs:
        return ""  # each try would cost its timeout
    began = time.perf_counter()
    plainly = _plainly_wrong(port, case)
    if time.perf_counter() - began > SLOW:
        return ""
    # The plain call where it shows the failure: the others, which make a port show its states, change what it keeps.
    wrong = [plainly, *_tried(lambda: _plainly_wrong(port, case))]
    is_wrong = _plainly_wrong if any(wrong) else _wrong
    if not any(wrong):
        wrong = _tried(lambda: _wrong(port, case))
    if all(wrong):
        return _after_calls(failed, is_wrong)
    so = "" if any(wrong) else _in_batch(failed) or _after_another(failed)
    return so or _differing(wrong)


def _tried(is_wrong: Callable[[], bool]) -> list[bool]:
    """Ask a few times, and less often where that takes long; whether each was wrong."""
    began, wrong = time.perf_counter(), [is_wrong()]
    while len(wrong) < TIMES and time.perf_counter() - began < PATIENCE:
        wrong.append(is_wrong())
    return wrong


def _differing(wrong: list[bool]) -> str:
    """Say how often it was wrong; empty if it was each time."""
    if not any(wrong):
        return f"its answers are wrong now and then: right {len(wrong)} times of {len(wrong)} when it is asked again"
    return "" if all(wrong) else f"its answers differ when it is asked again: wrong in {sum(wrong)} of {len(wrong)}"


def _plainly_wrong(port: Port, case: Case) -> bool:
    """Whether the answer to one call is wrong, by what it shows itself."""
    return _asked(lambda: _judged(port, case, port.run(case)))


def _wrong(port: Port, case: Case) -> bool:
    """Whether it is wrong when it is asked in the strongest way, which may be many calls."""
    return _asked(lambda: port.observe(case).judge(port.precision).different)


def _asked(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except (PortFailure, BadAnswer, ImplementationError):
        return True


def _judged(port: Port, case: Case, answer: Any) -> bool:
    return Observation.of(case, answer).judge(port.precision).different


# ---- together with others ----


def _in_batch(failed: _Failed) -> str:
    """Say what is wrong when all cases are given at once; empty if nothing is, this time."""
    port, cases = failed.port, failed.cases
    alone = f"right alone, wrong in a batch of {len(cases)}"
    for _ in range(BATCHES if failed.in_batch else 0):
        try:
            answers = port.run_many(cases)
        except (PortFailure, BadAnswer, ImplementationError) as problem:
            return f"run_many fails where run does not: {alone}: {problem}"
        wrong = [i for i, answer in enumerate(answers) if _bad(port, cases[i], answer)]
        for i in sorted(wrong, key=lambda i: i != failed.number):
            whose = [k for k, case in enumerate(cases) if k != i and not _bad(port, case, answers[i])]
            if whose:
                return f"run_many mixes up its answers: {alone} (answer {i + 1} belongs to case {whose[0] + 1})"
        if wrong:
            return f"run_many computes something else than run: {alone}"
    return ""


def _bad(port: Port, case: Case, answer: Any) -> bool:
    return _asked(lambda: _judged(port, case, answer))


STATE_KEPT = "something is kept between calls"


def _after_another(failed: _Failed) -> str:
    """Ask an earlier case, or one that leaves another state, and then the failing one; empty if that is right then."""
    for other in (*failed.cases[: failed.number], failed.before, _moved(failed.port, failed.case)):
        # twice, since a port may be wrong by chance
        if other is not None and other is not failed.case and all(_wrong_after(failed, other) for _ in range(2)):
            return f"{STATE_KEPT}: right alone, wrong after another case"
    return ""


def _wrong_after(failed: _Failed, other: Case) -> bool:
    _wrong(failed.port, other)
    return _wrong(failed.port, failed.case)


def _moved(port: Port, case: Case) -> Case | None:
    """Return a case of the same shape that ends elsewhere; None where there is none."""
    if not case.spec.plain:
        return None
    moved = case.replace(x=1 - case.x, **({"bh": case.bh + 1} if port.any_weights else {}))
    return moved if port.supports.accepts(moved) else None


def _after_calls(failed: _Failed, is_wrong: Callable[[Port, Case], bool]) -> str:
    """See whether what is wrong each time is wrong because of the calls before it; empty if not.

    What it had right at first may be wrong now; and a fresh process may be right. One is started for a port's first
    failure, and for more only if that has told something: it may take long to load.
    """
    port, memory = failed.port, _memory(failed.port)
    # by one call, as it was right before: the strongest way may see what nobody has looked at then
    lost = memory.right is not None and memory.right is not failed.case and _plainly_wrong(port, memory.right)
    own = isinstance(port.runner, (Spawned, Forked))
    if own and (lost or memory.fresh is not False):
        port.runner.close()  # the next call starts another
        started = port.calls
        memory.fresh = not is_wrong(port, failed.case)
        if memory.fresh:
            calls = _until_wrong(port, failed.case, is_wrong, started) or failed.calls
            return f"{STATE_KEPT}: right in a fresh process, wrong after {plural(calls, 'call')}"
    if lost:
        return f"{STATE_KEPT}: after {plural(failed.calls, 'call')}, it is wrong even where it was right at first"
    return ""


def _until_wrong(port: Port, case: Case, is_wrong: Callable[[Port, Case], bool], started: int) -> int:
    """Count the calls after which a fresh process, which was right at first, is wrong; 0 if that takes too long."""
    began = time.perf_counter()
    while (calls := port.calls - started) < MOST_CALLS and time.perf_counter() - began < PATIENCE:
        if is_wrong(port, case):
            return calls
    return 0
