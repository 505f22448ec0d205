"""``summary.json``: what ran and what came out, for programs; and the directory in which it lies."""

from __future__ import annotations

import contextlib
import json
import math
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from . import Entry, Ledger

if TYPE_CHECKING:
    from ...failures.story import Story

__all__ = ["FAILURES", "begin", "note", "summary", "write"]

FAILURES = "failures"
"""Where, in the directory of a report, the evidence of failures lies."""

_WRITTEN = ".written"
"""The file in it that names the evidence: what a user keeps there is not ours to delete."""


def begin(profile: str, directory: Path) -> None:
    """Make the directory of a report, take away the evidence of earlier runs, and say that this one is not over.

    So what a run leaves behind that is killed says so too.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    failures = directory / FAILURES
    if failures.exists():
        _forget(failures)
    unfinished = Ledger()
    unfinished.interrupted = True
    write(unfinished, profile, directory)


def _forget(failures: Path) -> None:
    written = failures / _WRITTEN
    if not failures.is_dir():
        raise NotADirectoryError(f"{failures} is no directory")
    if not written.exists():
        return
    for name in written.read_text(encoding="utf-8").splitlines():
        if name == Path(name).name:
            (failures / name).unlink(missing_ok=True)
    written.unlink()
    with contextlib.suppress(OSError):  # something of the user's is in it
        failures.rmdir()


def note(failures: Path, files: list[Path]) -> None:
    """Take down which files are evidence of this run; the next one takes them away.

    Raises
    ------
    OSError
        If that cannot be written.
    """
    with (failures / _WRITTEN).open("a", encoding="utf-8") as written:
        written.writelines(f"{file.name}\n" for file in files)


def summary(ledger: Ledger, profile: str) -> dict[str, Any]:
    """Return the summary as plain data: per implementation its verdict and its versions, and per check its numbers."""
    implementations: dict[str, Any] = {}
    wrong = _wrong(ledger)
    for label, entries in ledger.by_implementation(ledger.entries).items():
        verdict = _verdict(label, entries, wrong.get(label, []))
        whole = implementations[label] = {
            "identity": entries[0].identity,
            "verdict": verdict,
            "versions": {},
            "checks": {},
        }
        for entry in entries:
            if entry.tally is not None:
                whole["versions"].update(entry.tally.versions)
            check = entry.check or entry.nodeid
            # A check may have parameters of its own.
            whole["checks"][entry.nodeid if check in whole["checks"] else check] = _numbers(entry)
    return {
        "format": 1,
        "interrupted": ledger.interrupted,
        "profile": profile,
        "versions": {"pytest-rnnequiv": __version__, "python": platform.python_version()},
        "platform": platform.platform(),
        "implementations": implementations,
    }


def _wrong(ledger: Ledger) -> dict[str, list[Story]]:
    """Gather what is wrong; a run in which nothing failed imports nothing for that."""
    if not any(entry.accounts for entry in ledger.entries):
        return {}
    from . import verdicts

    return verdicts.of_all(ledger)


def _verdict(label: str, entries: list[Entry], found: list[Story]) -> dict[str, Any]:
    """Return the verdict of an implementation: one word, one sentence, and each reason for which it is wrong."""
    failed = [entry for entry in entries if entry.outcome == "failed"]
    conclusive = sum(entry.conclusive for entry in entries)
    reasons = [
        {
            "names": story.keys,
            "sentence": story.sentence,
            "usual_cause": story.cause,
            "checks": story.checks,
            "case": story.smallest.account.called,
            "files": story.smallest.files,
        }
        for story in found
    ]
    if found:
        from ...failures.story import summed_up

        return {"status": "different", "sentence": summed_up(label, found), "reasons": reasons}
    cases = f"{conclusive:,} conclusive {'case' if conclusive == 1 else 'cases'}"
    if failed:
        return {"status": "failed", "sentence": f"{label} failed: {len(failed)} of {len(entries)}", "reasons": []}
    if not conclusive:
        return {"status": "inconclusive", "sentence": f"nothing was shown of {label}", "reasons": []}
    return {"status": "equivalent", "sentence": f"{label} is the recurrence in {cases}", "reasons": []}


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
            "declined": entry.declined,
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
