"""A passing message behind whatever pytest has written on the current line."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext

import pytest

__all__ = ["Progress", "progress"]


class Progress:
    """Shows a passing message behind whatever pytest has written on the current line.

    The message leaves no trace: the cursor returns to where it was, pytest's own writer does not learn of it,
    and it goes around the capturing. Where that cannot work, nothing is shown.

    Parameters
    ----------
    config
        The run; None makes a progress that never shows anything.
    """

    _PATIENCE = 0.5
    """Seconds an item may take before its ticks are shown; most need no sign of life."""

    _PERIOD = 0.1
    """Seconds between two ticks that are shown."""

    def __init__(self, config: pytest.Config | None) -> None:
        self._config = config
        self._shown = False
        self._next_tick = 0.0

    def say(self, text: str) -> None:
        """Show `text` now, until something else is written."""
        if self._config is not None:
            # Save the cursor and stop wrapping, write, erase the rest, and take all back.
            self._write(f"\x1b7\x1b[?7l {text}\x1b[K\x1b[?7h\x1b8")
            self._shown = True

    def tick(self, text: str) -> None:
        """Show `text` if the last message is old enough; to be called as often as one likes."""
        if self._config is not None and (now := time.monotonic()) >= self._next_tick:
            self._next_tick = now + self._PERIOD
            self.say(text)

    def start(self) -> None:
        """Begin a new item, whose first tick may wait."""
        self._next_tick = time.monotonic() + self._PATIENCE

    def clear(self) -> None:
        """Take the message away."""
        if self._shown:
            self._write("\x1b[K")
            self._shown = False

    def _write(self, text: str) -> None:
        assert self._config is not None
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            sys.stdout.write(text)
            sys.stdout.flush()


_PROGRESS = pytest.StashKey[Progress]()


def progress(config: pytest.Config) -> Progress:
    """Return what shows a passing message in the terminal of this run.

    It shows something only on a real terminal that understands control sequences, and neither with ``-q`` nor
    in the processes of pytest-xdist.
    """
    shown = config.stash.get(_PROGRESS, None)
    if shown is None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        visible = reporter is not None and reporter.isatty and reporter.hasmarkup and reporter.verbosity >= 0
        shown = config.stash[_PROGRESS] = Progress(config if visible else None)
    return shown
