"""Probe a port that fails: what its answer depends on, and where it is right.

That takes a few dozen calls, so it is done once for each kind of case, when somebody reads the first failure of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .. import tally
from ..implementations.errors import Declined, ImplementationError
from ..implementations.files.model import other_weights
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..implementations.whole_file import numbers_lacking, said_of
from ..mistakes.asked import Unasked, probe_case
from ..mistakes.probes import probe
from ..model.case import Case
from ..model.trajectory import Trajectory
from ..run_state import state
from .other_cells import right_as

__all__ = ["of_its_file", "probed"]

#: Kinds of cases about which a port is probed, and the seconds that each may take.
KINDS, SECONDS = 2, 5.0


@dataclass
class _Probed:
    """What probing has told of a port, by the kind of case."""

    told: dict[Any, tuple[str, ...]] = field(default_factory=dict)


def probed(port: Port, case: Case) -> tuple[str, ...]:
    """Return what probing tells of a port; nothing for one that hangs, or fails in too many kinds of cases.

    Parameters
    ----------
    case : Case
        In which it fails: its cell, activation and options are those to probe.
    """
    known = state().part(_Probed, of=port).told
    kind = probe_case(case, N=1, T=1, any_weights=port.any_weights).spec if case.spec.plain else case.spec
    if kind not in known and len(known) < KINDS and not port.hangs:
        known[kind] = _as_another(port, case) or (*of_its_file(port), *_of_its_own(port, case))
    return known.get(kind, ())


def _as_another(port: Port, case: Case) -> tuple[str, ...]:
    return right_as(port, case, lambda asked: _run(port, asked), SECONDS)


def _of_its_own(port: Port, case: Case) -> tuple[str, ...]:
    return probe(lambda asked: _run(port, asked), case, port.precision, asking=port.asking, seconds=SECONDS)


def of_its_file(port: Port) -> tuple[str, ...]:
    """Return what the weights in a model file tell, where it should be another model and can be read."""
    if port.says:
        return tuple(f"in its file, {each}" for each in port.says)
    own = port.declaration.fixed
    if own is None and port.made_of:
        return said_of(numbers_lacking(port.made_of, port.identity))
    others = [] if own is None or port.given is None else other_weights(port.given, own, port.precision)
    has = "has" if len(others) == 1 else "have"
    return (f"in its file, {' and '.join(others)} {has} other numbers than the model's",) if others else ()


def _run(port: Port, case: Case) -> Trajectory:
    if port.hangs:  # each call might cost its timeout
        raise Unasked
    tally.busy(f"{port.name}: asking what its answer depends on")
    try:
        return port.run(case)
    except PortFailure as failure:
        port.hangs += failure.hung
        raise
    except (Declined, ImplementationError) as error:
        raise Unasked from error
