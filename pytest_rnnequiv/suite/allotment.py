"""What a check is given of a run that has a budget, or that is a shard of a larger one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..run_state import state

__all__ = ["Allotment", "allot", "allotted"]


class Allotment(NamedTuple):
    """What a check is given; by default what its profile gives it, and all of its cases."""

    seconds: float | None = None
    """In the place of what the profile gives it."""
    bounded: bool = False
    """Whether, with `seconds`, it has seen enough after as many cases as the profile ``thorough`` wants."""
    shard: int = 1
    """Which part of its cases is its own, from 1 on."""
    shards: int = 1
    """How many parts there are."""


@dataclass
class _Given:
    """What the check is given that runs now."""

    allotment: Allotment = field(default_factory=Allotment)


def allot(allotment: Allotment) -> None:
    """Say what the next check is given."""
    state().part(_Given).allotment = allotment


def allotted() -> Allotment:
    """Return what the check that runs now is given."""
    return state().part(_Given).allotment
