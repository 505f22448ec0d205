"""What the cases of a run say together of a coarse port, of which each is inconclusive by itself: by evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from .. import tally
from ..arithmetic.precision import Precision
from ..failures.assertion import EquivalenceError
from ..implementations.port import Port
from ..judging.observing import Observation
from ..judging.verdict import Verdict
from ..mistakes.diagnosis import Diagnosis
from ..mistakes.excluding import is_coarse
from ..mistakes.weighing import KEPT, Balance, Weighed, named, weigh
from ..run_state import state

__all__ = ["by_evidence", "failure", "kept_of", "left_open", "or_near"]

#: How many cases have to be far from the right run, to name what they are near.
LEAST_NAMING = 3


@dataclass
class _Open:
    """A case without an answer, in the order in which they were counted."""

    weighed: Weighed
    verdict: Verdict
    helps: Sequence[str] = ()


@dataclass
class _Scale:
    """What is known of one port; and the open cases of the check that runs, which owns the tally."""

    balance: Balance
    owner: tally.Tally | None = None
    open: list[_Open] = field(default_factory=list)


@dataclass
class _Scales:
    """Those of the ports of the run."""

    of: WeakKeyDictionary[Port, _Scale] = field(default_factory=WeakKeyDictionary)


def _scale(port: Port) -> _Scale:
    scales = state().part(_Scales).of
    if port not in scales:
        scales[port] = _Scale(Balance(fixed=port.fixed is not None))
    scale = scales[port]
    if scale.owner is not tally.current():  # what earlier checks have told stays as it is
        scale.owner, scale.open = tally.current(), []
    return scale


def by_evidence(port: Port, seen: Observation, verdict: Verdict) -> Verdict:
    """Weigh a case of a coarse port that is inconclusive by itself, and return what is known of it then.

    Once the run has shown that the port is right, the open cases of this check that were near are counted so, too.
    """
    if port.precision is None:
        return verdict
    scale = _scale(port)
    weighed = weigh(seen, port.precision, scale.balance.asked)
    if weighed is None:
        return verdict
    scale.balance.add(weighed)
    found = scale.balance.verdict(weighed, verdict)
    if found.equivalent:
        _settle(scale)
    elif found.inconclusive:
        scale.open.append(_Open(weighed, verdict))
    return found


def _settle(scale: _Scale) -> None:
    """Count open cases as equivalent which are so by what is known now."""
    left = []
    for each in scale.open:
        if scale.balance.verdict(each.weighed, each.verdict).equivalent:
            tally.current().settle(each.verdict.way, each.helps)
        else:
            left.append(each)
    scale.open = left


def left_open(port: Port, verdict: Verdict, helps: Sequence[str]) -> None:
    """Take note of what would help the case that was left open last."""
    open_cases = _scale(port).open
    if open_cases and open_cases[-1].verdict is verdict:
        open_cases[-1].helps = helps


def failure(port: Port, seen: Observation, verdict: Verdict) -> EquivalenceError:
    """Return the failure of a port that is different by evidence, named where a mistake is near."""
    kept = _scale(port).balance.kept
    precision = port.precision or seen.case.spec.precision

    def explained() -> Diagnosis:
        with tally.spending("report"):
            return Diagnosis(tuple(named(kept, precision)), "")

    found = EquivalenceError(
        seen.case, verdict, explained, trajectory=seen.trajectory, precision=port.precision, name=port.name
    )
    found.called_as, found.seen = port.called_as, (seen,)
    return found


def kept_of(port: Port) -> list[Weighed]:
    """Return the cases that are kept of a port because they are far from the right run."""
    scale = state().part(_Scales).of.get(port)
    return [] if scale is None else [*scale.balance.kept]


def or_near(
    found: Diagnosis, precision: Precision | None, kept: Sequence[Weighed], seen: Sequence[Observation]
) -> Diagnosis:
    """Name a mistake of a coarse port by how near it is, where none explains all that was seen within its bounds.

    A case that was made small may be proved to be wrong, and be too small for a name that larger ones have told.

    Parameters
    ----------
    kept : sequence of Weighed
        Cases that prove nothing, and are far from the right run.
    seen : sequence of Observation
        Cases that are different.
    """
    if found.explanations or precision is None or not is_coarse(precision):
        return found
    weighed = [*kept]
    for each in seen:
        if len(weighed) < KEPT and (one := weigh(each, precision, ())) is not None and not one.near:
            weighed.append(one)
    near = named(weighed, precision) if len(weighed) >= LEAST_NAMING else []
    return replace(found, explanations=tuple(near)) if near else found
