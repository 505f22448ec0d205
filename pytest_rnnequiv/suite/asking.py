"""Ask a port, and keep what it costs and what it answered: how long a case takes, and how often it hung."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ..implementations.errors import Declined
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..model.case import Case
from ..model.trajectory import BadAnswer
from ..run_state import state
from .budget import budget
from .failing import no_answer, without_answer

__all__ = [
    "answer",
    "as_many_as_fit",
    "ask",
    "ask_together",
    "asked_once",
    "heard",
    "not_again",
    "pace",
    "patience",
    "worth_shrinking",
]

#: How often a port may hang in a run before it is not asked any more.
PATIENCE = 3

#: Shrinking is for ports that can be asked so often while it lasts.
WORTH_SHRINKING = 100


@dataclass
class _Known:
    """What is known of a port, from what it was asked."""

    seconds: float = float("inf")
    calls: int = 0
    answers: dict[bytes, tuple[Any, Any]] = field(default_factory=dict)


def _known_of(port: Port) -> _Known:
    return state().part(_Known, of=port)


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


def as_many_as_fit(port: Port, cases: Sequence[Case]) -> Sequence[Case]:
    """Cut a pack to what there is time for: slow ports are given one case at a time."""
    seconds, left = pace(port), budget().left
    return cases if not seconds or seconds * len(cases) <= left else cases[: max(1, int(left / seconds))]


def ask_together(port: Port, cases: Sequence[Case]) -> list[Any]:
    """Run cases in one call where the port can; None where it is to be asked about each."""
    if port.declaration.batches and len(cases) > 1:
        # one by one otherwise, to find the case that it was
        with suppress(PortFailure, BadAnswer, Declined), _timed(_known_of(port), len(cases)):
            return list(port.run_many(cases))
    return [None] * len(cases)


def asked_once(port: Port) -> bool:
    """Whether a port was run once up to now, which may have taken longer than usual."""
    return _known_of(port).calls == 1


def heard(port: Port) -> list[tuple[Case, Any]]:
    """Return the cases that were asked once for all checks, with the answers."""
    return list(_known_of(port).answers.values())


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
