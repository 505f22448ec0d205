"""The tally of the pytest item that runs now: opened by whoever counts first, closed when its call is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..run_state import state
from .counts import Tally
from .properties import CHECK, IDENTITY, PREFIX, to_properties

__all__ = ["close", "current", "opened", "take"]


# Not a context variable: pytest runs one item at a time in a process, and what an item does in threads of its own (as
# TensorFlow's callbacks do) should count for it as well.
@dataclass
class _Counting:
    tally: Tally | None = None


def current() -> Tally:
    """Return the tally of the item that runs now, and open it if nothing was counted yet.

    It is opened by whoever counts first, so that a run in which nobody counts pays nothing.
    """
    counting = state().part(_Counting)
    if counting.tally is None:
        counting.tally = Tally()
    return counting.tally


def opened() -> Tally | None:
    """Return the tally of the item that runs now; None if nothing was counted yet."""
    return state().part(_Counting).tally


def take() -> Tally | None:
    """Return the tally that is open, and forget it; None if nothing was counted."""
    counting = state().part(_Counting)
    tally, counting.tally = counting.tally, None
    return tally


class ItemLike(Protocol):
    """What `close` needs of a `pytest.Item`."""

    user_properties: list[tuple[str, object]]


class PhaseLike(Protocol):
    """What `close` needs of a `pytest.CallInfo`."""

    when: Any
    duration: float


def close(item: ItemLike, phase: PhaseLike) -> None:
    """Write what was counted into `item` once its call is over; after its teardown, forget what is left.

    What fixtures count during the setup belongs to the item as well. An item that runs again (as
    pytest-rerunfailures makes it) tells of its last run only.
    """
    if phase.when == "setup":
        return
    tally = take()
    if tally is None or phase.when != "call":
        return
    tally.seconds = phase.duration
    item.user_properties[:] = [
        (name, value)
        for name, value in item.user_properties
        if not name.startswith(PREFIX) or name in (CHECK, IDENTITY)
    ] + to_properties(tally)
