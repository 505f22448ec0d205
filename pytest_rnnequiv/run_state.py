"""What a run keeps: all that changes while pytest runs, in one object, which lies in pytest's stash.

Whoever keeps something describes it as a class that is made without arguments, and asks for it where it is needed::

    state().part(Failing).cases.append(case)

``state().part(Known, of=port)`` is what is kept of a port, or of any other object, and goes when that goes. A run
within a run (pytest's own test of plugins does that) has an object of its own. Outside of pytest there is one, too,
which nobody reads. The module knows the standard library only, so that anything may import it.
"""

from __future__ import annotations

from typing import Any, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["RunState", "begin", "end", "state"]

T_ = TypeVar("T_")


class RunState:
    """What one run keeps, by kind."""

    def __init__(self) -> None:
        self._parts: dict[type, Any] = {}
        self._owned: dict[type, WeakKeyDictionary[Any, Any]] = {}

    def part(self, kind: type[T_], of: object = None) -> T_:
        """Return what the run keeps of a kind, of an object if one is named; it is made when it is first asked for."""
        kept: Any = self._parts if of is None else self._owned.setdefault(kind, WeakKeyDictionary())
        found = kept.get(kind if of is None else of)
        if found is None:
            found = kept[kind if of is None else of] = kind()
        part: T_ = found
        return part

    def parts(self, kind: type[T_]) -> list[T_]:
        """Return what the run keeps of a kind, of all objects that there are."""
        return list(self._owned.get(kind, {}).values())


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
