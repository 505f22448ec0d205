"""``summary.json``: what ran and what came out, for programs."""

from __future__ import annotations

import json
import math
import platform
from pathlib import Path
from typing import Any

from .. import __version__
from . import Entry, Ledger

__all__ = ["summary", "write"]


def summary(ledger: Ledger, profile: str) -> dict[str, Any]:
    """Return the summary as plain data: per implementation its versions, and per check its numbers."""
    implementations: dict[str, Any] = {}
    for entry in ledger.entries:
        tally = entry.tally
        name = (tally.implementation if tally else "") or "own tests"
        whole = implementations.setdefault(name, {"versions": {}, "checks": {}})
        if tally:
            whole["versions"].update(tally.versions)
        check = entry.check or entry.nodeid
        # Copies of the suite (nested conftests) may check implementations of one name.
        if check in whole["checks"]:
            check = entry.nodeid
        whole["checks"][check] = _numbers(entry)
    return {
        "format": 1,
        "profile": profile,
        "versions": {"pytest-rnnequiv": __version__, "python": platform.python_version()},
        "platform": platform.platform(),
        "implementations": implementations,
    }


def _numbers(entry: Entry) -> dict[str, Any]:
    numbers: dict[str, Any] = {"nodeid": entry.nodeid, "outcome": entry.outcome}
    if entry.reason:
        numbers["reason"] = entry.reason
    tally = entry.tally
    if tally:
        worst = tally.worst_error_over_bound
        numbers |= {
            "cases": tally.cases,
            "conclusive": tally.conclusive,
            "inconclusive": tally.inconclusive,
            "failures": tally.failures,
            # JSON has no infinity: an answer that was no number, or none at all
            "worst_error_over_bound": worst if math.isfinite(worst) else "infinite",
            "seconds": round(tally.seconds, 3),
            "judged_by": dict(tally.way),
        }
    return numbers


def write(ledger: Ledger, profile: str, directory: Path) -> Path:
    """Write ``summary.json`` into a directory, which is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "summary.json"
    path.write_text(json.dumps(summary(ledger, profile), indent=2) + "\n", encoding="utf-8")
    return path
