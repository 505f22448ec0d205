"""How a check fails."""

from __future__ import annotations

from typing import NoReturn

from .. import tally
from ..failures.assertion import EquivalenceError
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..judging.verdict import Verdict
from ..model.case import Case
from ..model.trajectory import BadAnswer

__all__ = ["fail", "no_answer", "without_answer"]


def fail(failure: EquivalenceError) -> NoReturn:
    """Raise a failure.

    Raises
    ------
    EquivalenceError
    """
    __tracebackhide__ = True
    # One place for all: Hypothesis takes failures from different lines for different bugs.
    raise failure.with_traceback(None)


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
