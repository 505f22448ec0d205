"""What a run on a coarse port can see: which mistakes of the catalogue its verdicts exclude, and which they do not.

That is found out on a sample of cases. A mistake that one of them excludes is not tried again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .. import tally
from ..implementations.port import Port
from ..judging.observing import Observation
from ..judging.verdict import Verdict
from ..mistakes.catalogue import CATALOGUE
from ..mistakes.excluding import by_exclusion, excluded, is_coarse, usual
from ..run_state import state
from .balance import by_evidence
from .budget import Budget

__all__ = ["decided", "look"]

#: Cases that are looked at, for each implementation, and the share of its time that a check may take for it.
SAMPLE, SHARE = 6, 0.5


@dataclass
class _Sight:
    """What is known of one implementation."""

    cases: int = 0
    excludes: dict[str, bool] = field(default_factory=dict)


def decided(port: Port, seen: Observation, verdict: Verdict) -> Verdict:
    """Return the verdict, with an answer where a coarse port is known well enough to exclude what could be wrong.

    By the case itself, or by evidence: by what all such cases of the run say together.
    """
    if port.precision is None or not verdict.inconclusive or not is_coarse(port.precision):
        return verdict
    verdict = by_exclusion(seen, verdict, port.precision)
    return by_evidence(port, seen, verdict) if verdict.inconclusive else verdict


def look(port: Port, seen: Observation, spent: Budget) -> None:
    """Find out which mistakes would have been seen in a case of a coarse port, and count them."""
    if port.precision is None or not is_coarse(port.precision):
        return
    sight = state().part(_Sight, of=port)
    if sight.cases >= SAMPLE:
        return
    sight.cases += 1
    first = usual()
    order = [*first, *(m for m in CATALOGUE if m.precision is None and m not in first)]
    left = [m for m in order if not sight.excludes.get(m.name)]
    with spent.paused():
        started = time.perf_counter()
        for found in excluded(seen, port.precision, left):
            sight.excludes.update(found)
            if time.perf_counter() - started > SHARE * spent.seconds:
                break
    tally.current().mistakes.update(sight.excludes)
