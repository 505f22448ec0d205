"""Coverage of a port that runs in a process of its own: measured there as it is here, and written when it ends.

Where coverage.py measures this process (``pytest --cov``, ``coverage run``), a port's process measures itself with the
same settings and leaves a data file of its own beside the others, which pytest-cov combines.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

__all__ = ["begin", "finish", "settings"]

OPTIONS = ("branch", "include", "omit", "source", "source_pkgs", "relative_files")


def _current() -> Any:
    """Return what measures this process, if something does; coverage.py is not imported for that."""
    coverage = sys.modules.get("coverage")
    with contextlib.suppress(Exception):
        return coverage.Coverage.current()  # type: ignore[union-attr]
    return None


def settings() -> dict[str, Any] | None:
    """Return how coverage is measured in this process, in plain types; None if it is not."""
    current = _current()
    if current is None:
        return None
    with contextlib.suppress(Exception):
        chosen = {f"run:{name}": current.get_option(f"run:{name}") for name in OPTIONS}
        return {
            "data_file": os.path.abspath(current.get_option("run:data_file")),
            "config_file": getattr(current.config, "config_file", None) or False,
            "options": {name: value for name, value in chosen.items() if value},
        }
    return None


def begin(chosen: dict[str, Any] | None) -> None:
    """Measure this process, unless that is done already (``patch = subprocess`` in coverage's own settings)."""
    if chosen is None or _current() is not None:
        return
    with contextlib.suppress(Exception):  # coverage is no reason for a port to fail
        from coverage import Coverage

        measured = Coverage(data_file=chosen["data_file"], data_suffix=True, config_file=chosen["config_file"])
        for name, value in chosen["options"].items():
            measured.set_option(name, value)
        measured.start()


def finish() -> None:
    """Write what was measured: at the end of a fork nobody else does."""
    current = _current()
    if current is not None:
        with contextlib.suppress(Exception):
            current.stop()
            current.save()
