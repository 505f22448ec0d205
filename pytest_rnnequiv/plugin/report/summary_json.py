"""``summary.json``: what ran and what came out, for programs.

``summary.schema.json`` beside this module says what stands in it, and a test holds it to that.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...tally import Tally
from ...wording import plural
from . import Entry, Ledger, matrix, summed

if TYPE_CHECKING:
    from ...failures.story import Story

__all__ = [
    "FORMAT",
    "coverage",
    "favourable",
    "from_numbers",
    "summary",
    "text",
    "to_numbers",
    "verdicts_by_implementation",
]

FORMAT = 1
"""The version of the format: it grows when a program that reads the file would have to be changed."""


def summary(ledger: Ledger, profile: str, shard: str = "") -> dict[str, Any]:
    """Return the summary as plain data: per implementation its verdict and its versions, and per check its numbers."""
    implementations: dict[str, Any] = {}
    for label, (entries, verdict) in verdicts_by_implementation(ledger).items():
        counted = summed(entries)
        whole = implementations[label] = {
            "identity": entries[0].identity,
            "verdict": verdict,
            "versions": counted.versions,
            "checks": {},
            "coverage": coverage(counted.covered),
        }
        if counted.mistakes:
            whole["would_have_seen"] = counted.mistakes
        for entry in entries:
            check = entry.check or entry.nodeid
            # A check may have parameters of its own.
            whole["checks"][entry.nodeid if check in whole["checks"] else check] = _of_check(entry)
    for label, features in matrix.cells(ledger).items():
        implementations[label]["features"] = features
    return {
        "format": FORMAT,
        "interrupted": ledger.interrupted,
        "profile": profile,
        "least": ledger.least,
        "shards": [shard] if shard else [],
        "versions": {"pytest-rnnequiv": __version__, "python": platform.python_version()},
        "platform": platform.platform(),
        "implementations": implementations,
    }


def verdicts_by_implementation(ledger: Ledger) -> dict[str, tuple[list[Entry], dict[str, Any]]]:
    """Return for each implementation, under its label, what its items came to, and its verdict as plain data."""
    wrong, too_little = _wrong(ledger), ledger.showing_too_little()
    return {
        label: (entries, _verdict(label, entries, wrong.get(label, []), too_little.get(label, "")))
        for label, entries in ledger.by_implementation(ledger.entries).items()
    }


def coverage(covered: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return in how many cases two options of layers came together; beside itself, in how many an option came."""
    together: dict[str, dict[str, int]] = {}
    for (one, two), cases in sorted(covered.items()):
        together.setdefault(one, {})[two] = cases
    return together


def _wrong(ledger: Ledger) -> dict[str, list[Story]]:
    """Gather what is wrong; a run in which nothing failed imports nothing for that."""
    if not any(entry.accounts for entry in ledger.entries):
        return {}
    from . import verdicts

    return verdicts.of_all(ledger)


def _verdict(label: str, entries: list[Entry], found: list[Story], too_little: str) -> dict[str, Any]:
    """Return the verdict of an implementation: one word, one sentence, and each reason for which it is wrong."""
    failed = [entry for entry in entries if entry.outcome == "failed"]
    conclusive, by_evidence = sum(entry.conclusive for entry in entries), summed(entries).by_evidence
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
    if failed:
        return {"status": "failed", "sentence": f"{label} failed: {len(failed)} of {len(entries)}", "reasons": []}
    return favourable(label, conclusive, by_evidence, too_little)


def favourable(label: str, conclusive: int, by_evidence: int, too_little: str = "") -> dict[str, Any]:
    """Return the verdict of an implementation of which nothing failed, by the number of its conclusive cases.

    Parameters
    ----------
    by_evidence : int
        How many of them are so by evidence.
    too_little : str
        Why that is not enough; empty where it is.
    """
    if too_little:
        return {"status": "inconclusive", "sentence": f"too little was shown of {label}: {too_little}", "reasons": []}
    cases = plural(conclusive, "conclusive case")
    cases += f", in {by_evidence} of them by evidence" if by_evidence else ""
    if not conclusive:
        return {"status": "inconclusive", "sentence": f"nothing was shown of {label}", "reasons": []}
    return {"status": "equivalent", "sentence": f"{label} is the recurrence in {cases}", "reasons": []}


def _of_check(entry: Entry) -> dict[str, Any]:
    reason = {"reason": entry.reason} if entry.reason else {}
    counted = to_numbers(entry.tally) if entry.tally else {}
    return {"nodeid": entry.nodeid, "outcome": entry.outcome, **reason, **counted}


def to_numbers(tally: Tally) -> dict[str, Any]:
    """Return what a check counted; :func:`from_numbers` reads it."""
    worst = tally.worst_error_over_bound
    return {
        "cases": tally.cases,
        "conclusive": tally.conclusive,
        "inconclusive": tally.inconclusive,
        "declined": tally.declined,
        "declined_because": dict(tally.because),
        "failures": tally.failures,
        # JSON has no infinity: an answer that was no number, or none at all
        "worst_error_over_bound": worst if math.isfinite(worst) else "infinite",
        "seconds": round(tally.seconds, 3),
        "news": dict(tally.news),
        "spent": {part: round(seconds, 3) for part, seconds in tally.spent.items()},
        "judged_by": dict(tally.way),
        "undecided": dict(tally.undecided),
        "would_help": dict(tally.would),
    }


def from_numbers(numbers: Mapping[str, Any]) -> Tally:
    """Return the tally of a check from its numbers."""
    same = ("cases", "conclusive", "declined", "failures", "seconds")
    worst = numbers["worst_error_over_bound"]
    return Tally(
        **{name: numbers[name] for name in same},
        worst_error_over_bound=math.inf if worst == "infinite" else worst,
        way=dict(numbers["judged_by"]),
        undecided=dict(numbers.get("undecided", {})),
        would=dict(numbers.get("would_help", {})),
        because=dict(numbers.get("declined_because", {})),
        news=dict(numbers["news"]),
        spent=dict(numbers["spent"]),
    )


def text(summary: dict[str, Any]) -> str:
    """Return the file."""
    return json.dumps(summary, indent=2) + "\n"
