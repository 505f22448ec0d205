"""What was told of a port before: a reason that one check has found need not be looked for by the next.

Where the explanation of an earlier failure also explains the numbers of a new one, a smaller case would tell nothing
more: the check fails at once, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..failures.assertion import EquivalenceError
from ..failures.story import reason
from ..implementations.errors import ImplementationError
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..judging.observing import Observation
from ..mistakes.diagnosis import Diagnosis
from ..mistakes.evidence import Evidence
from ..model.case import Case
from ..model.trajectory import BadAnswer
from ..run_state import state

__all__ = ["about", "anything", "follows", "forget", "remember"]


#: Runs on prefixes of one case by which a mistake that is known already is tried out.
OTHERS = 3


@dataclass
class _Told:
    """The failures of a port that were told, each of another reason."""

    failures: list[EquivalenceError] = field(default_factory=list)


def _told(port: Port) -> list[EquivalenceError]:
    return state().part(_Told, of=port).failures


def remember(port: Port, failure: EquivalenceError) -> None:
    """Keep a failure that a check tells, for the checks after it."""
    if failure.known is None:
        _told(port).append(failure)


def anything(port: Port) -> bool:
    """Whether a failure of the port was told."""
    return bool(_told(port))


def forget(failures: list[EquivalenceError]) -> None:
    """Forget failures that are expected and not reported: the failures after them have to be looked at in full."""
    for told in state().parts(_Told):
        told.failures[:] = [each for each in told.failures if not any(each is failure for failure in failures)]


def follows(port: Port, failure: EquivalenceError) -> bool:
    """Whether a failure has the reason of an earlier one; then it is told so, and needs no smaller case.

    A mistake has to explain what was seen here, by itself. What nothing has explained is not asked again where the
    case is of the same kind.
    """
    return any(earlier is not failure and _follows(port, earlier, failure) for earlier in _told(port))


def _follows(port: Port, earlier: EquivalenceError, failure: EquivalenceError) -> bool:
    if failure.known is not None:
        return True
    if earlier.again or earlier.verdict.place is None or failure.verdict.place is None:
        return _same_sentence(earlier, failure)
    if earlier.contradiction is not None:
        return False
    seen = _seen(port, failure)
    if not failure.seen and not any(observation.judge(port.precision).different for observation in seen):
        return False  # what breaks a law may be right by itself
    mistakes = [explanation.mistakes for explanation in earlier.diagnosis.explanations]
    if not mistakes:
        return _both_unexplained(earlier, failure)
    # What was put together of several runs has all numbers of all of them. Where that is not explained, as where each
    # run is reversed in time by itself, the runs may be.
    for few in (_put_together, _of_few_runs):
        evidence = Evidence([few(each) for each in seen], port.precision)
        if found := [explained for each in mistakes if (explained := evidence.try_out(each)) is not None]:
            failure.known = Diagnosis(tuple(found), "")
            return True
    return False


def _put_together(seen: Observation) -> Observation:
    """Leave what all runs have shown together, as if it were one run."""
    return replace(seen, runs=((seen.case, seen.trajectory),))


def _of_few_runs(seen: Observation) -> Observation:
    """Leave of the runs on every prefix the whole one, and a few of the others, short and long.

    The states that all of them showed are judged as a whole; each run by itself would say the same once more.
    """
    first, *others = seen.runs
    return replace(seen, runs=(first, *others[:: max(1, -(-len(others) // OTHERS))]))


def _same_sentence(earlier: EquivalenceError, failure: EquivalenceError) -> bool:
    """Whether both have no answer that can be judged, for one reason, or answers that differ."""
    if earlier.again:
        return bool(failure.again)
    if earlier.verdict.place is not None or failure.verdict.place is not None:
        return False
    return reason(earlier)[0] == reason(failure)[0]


def _seen(port: Port, failure: EquivalenceError) -> list[Observation]:
    """Return what a failure was judged by; a broken law has none, so its cases are looked at."""
    if failure.seen:
        return list(failure.seen)
    seen = []
    for case in failure.cases:
        try:
            seen.append(port.observe(case))
        except (PortFailure, BadAnswer, ImplementationError):
            continue
    return seen


def about(case: Case) -> tuple[str, ...]:
    """Return the cell and the activation of a case: a port may be wrong in a way of its own in each."""
    spec = case.spec
    return (str(spec.cell), spec.activation.name) if spec.plain else ("network",)  # those share their mistakes


def _both_unexplained(earlier: EquivalenceError, failure: EquivalenceError) -> bool:
    """Whether two failures are of one kind, of which the earlier one was not explained.

    The new one is diagnosed by itself, as it is: a smaller case would say less. A law that is broken where the port is
    no recurrence says nothing more.
    """
    if _kinds(failure) <= _kinds(earlier):
        if failure.contradiction is not None:
            failure.known = Diagnosis((), "")
        return True
    return False


def _kinds(failure: EquivalenceError) -> set[tuple[str, ...]]:
    """Return what a failure is about, beside its numbers."""
    cases = [observation.case for observation in failure.seen] or failure.cases
    return {(*about(case), case.spec.dtype) for case in cases}
