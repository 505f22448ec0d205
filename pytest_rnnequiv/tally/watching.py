"""Who looks on while cases are counted: the sign of life in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..run_state import state

__all__ = ["busy", "watch"]


@dataclass
class _Watching:
    watcher: Callable[[str], None] | None = None


def watch(watcher: Callable[[str], None] | None) -> None:
    """Have `watcher` called after each case, and by `busy`, to show that something happens; None ends it."""
    state().part(_Watching).watcher = watcher


def busy(what: str) -> None:
    """Say what goes on where it takes long and counts no cases, such as explaining a failure."""
    if (watcher := state().part(_Watching).watcher) is not None:
        watcher(what)
