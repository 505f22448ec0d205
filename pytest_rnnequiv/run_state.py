"""What a run keeps: all that changes while pytest runs, in one object, which lies in pytest's stash.

Whoever keeps something describes it as a class that is made without arguments, and asks for it where it is needed::

    state().part(Failing).cases.append(case)

A run within a run (pytest's own test of plugins does that) has an object of its own. Outside of pytest there is one,
too, which nobody reads. The module knows the standard library only, so that anything may import it.
"""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["RunState", "begin", "end", "state"]

T_ = TypeVar("T_")


class RunState:
    """What one run keeps, by kind."""

    def __init__(self) -> None:
        self._parts: dict[type, Any] = {}

    def part(self, kind: type[T_]) -> T_:
        """Return what the run keeps of a kind; it is made when it is first asked for."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind()
        part: T_ = found
        return part


#: The runs that go on, the innermost last; what comes first is outside of all.
_states = [RunState()]


def state() -> RunState:
    """Return what the run keeps that goes on now."""
    return _states[-1]


def begin() -> RunState:
    """Begin a run."""
    _states.append(RunState())
    return _states[-1]


def end(run: RunState) -> None:
    """End a run."""
    if run in _states[1:]:
        _states.remove(run)
