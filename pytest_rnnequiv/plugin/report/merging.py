"""Several summaries as one: those of the shards of a run.

    python -m pytest_rnnequiv merge report-1 report-2 ... --output merged

What was counted is added up, and each verdict is made anew. The exit code is 0 where nothing is different, something
was shown of each implementation, and no part is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...tally import EVIDENCE, Tally
from . import badge, matrix, summary_json, too_little

__all__ = ["main", "merged"]

#: What came out of a check: of several parts the first of these holds.
_OUTCOMES = ("failed", "xpassed", "passed", "xfailed", "skipped")


class Unfit(ValueError):
    """Summaries that cannot be added up; the message says why."""


def merged(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add up summaries.

    Raises
    ------
    Unfit
        If they are of other profiles or versions, or if two are of one part.
    """
    first = summaries[0]
    for each in summaries[1:]:
        for key in ("format", "profile", "versions", "least"):
            if each.get(key) != first.get(key):
                raise Unfit(f"they differ in {key}: {_said(first.get(key))} and {_said(each.get(key))}")
    shards = [shard for each in summaries for shard in each["shards"]]
    if twice := sorted({shard for shard in shards if shards.count(shard) > 1}):
        raise Unfit(f"there are two of shard {', '.join(twice)}")
    if len({shard.partition("/")[2] for shard in shards}) > 1:
        raise Unfit(f"they are shards of different runs: {', '.join(shards)}")
    labels = dict.fromkeys(label for each in summaries for label in each["implementations"])
    whole = first | {
        "shards": sorted(shards, key=lambda shard: int(shard.partition("/")[0])),
        "interrupted": any(each["interrupted"] for each in summaries),
        "platform": ", ".join(dict.fromkeys(each["platform"] for each in summaries)),
    }
    whole["implementations"] = {
        label: _implementation(label, [one for each in summaries if (one := each["implementations"].get(label))], whole)
        for label in labels
    }
    return whole


def missing(summary: dict[str, Any]) -> list[str]:
    """Name the shards that are not among those of a summary."""
    shards = summary["shards"]
    of = int(shards[0].partition("/")[2]) if shards else 0
    return [shard for number in range(of) if (shard := f"{number + 1}/{of}") not in shards]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _implementation(label: str, parts: list[dict[str, Any]], run: dict[str, Any]) -> dict[str, Any]:
    checks: dict[str, Any] = {}
    for part in parts:
        for name, check in part["checks"].items():
            checks[name] = _check(checks[name], check) if name in checks else check
    counted = Tally()
    for part in parts:
        counted.add(_counted(part))
    for check in checks.values():
        if "cases" in check:
            counted.add(summary_json.from_numbers(check))
    # of a part nobody knows what the others have shown
    little = "" if missing(run) or run["interrupted"] else too_little(counted, run.get("least", 0.0))
    whole = {
        "identity": parts[0]["identity"],
        "verdict": _verdict(label, [part["verdict"] for part in parts], checks, little),
        "versions": counted.versions,
        "checks": checks,
        "coverage": summary_json.coverage(counted.covered),
    }
    if counted.features:
        whole["features"] = {name: matrix.data(cell) for name, cell in counted.features.items()}
    if counted.mistakes:
        whole["would_have_seen"] = counted.mistakes
    return whole


def _counted(part: dict[str, Any]) -> Tally:
    """Return what all checks of an implementation counted, beside the numbers of each."""
    return Tally(
        versions=part["versions"],
        covered={(one, two): cases for one, row in part["coverage"].items() for two, cases in row.items()},
        features={name: matrix.feature(cell) for name, cell in part.get("features", {}).items()},
        mistakes=part.get("would_have_seen", {}),
    )


def _check(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """Add up two parts of a check."""
    whole = {**two, **one, "outcome": min(one["outcome"], two["outcome"], key=_OUTCOMES.index)}
    if whole["outcome"] not in ("skipped", "xfailed"):
        whole.pop("reason", None)
    if "cases" in one and "cases" in two:
        counted = summary_json.from_numbers(one)
        counted.add(summary_json.from_numbers(two))
        whole |= summary_json.to_numbers(counted)
    return whole


def _verdict(label: str, verdicts: list[dict[str, Any]], checks: dict[str, Any], little: str) -> dict[str, Any]:
    """Make a verdict of those of the shards."""
    wrong = [verdict for verdict in verdicts if verdict["status"] == "different"]
    if wrong:
        reasons: dict[str, Any] = {}
        for reason in (reason for verdict in wrong for reason in verdict["reasons"]):
            known = reasons.get(reason["sentence"])
            if known is None:
                reasons[reason["sentence"]] = reason
            else:
                files = list(dict.fromkeys([*known["files"], *reason["files"]]))
                counted = Counter(known["checks"]) + Counter(reason["checks"])
                reasons[reason["sentence"]] = known | {"files": files, "checks": dict(counted)}
        sentences = dict.fromkeys(verdict["sentence"] for verdict in wrong)
        return {"status": "different", "sentence": "; ".join(sentences), "reasons": [*reasons.values()]}
    failed = sum(check["outcome"] == "failed" for check in checks.values())
    if failed:
        return {"status": "failed", "sentence": f"{label} failed: {failed} of {len(checks)}", "reasons": []}
    conclusive = sum(check.get("conclusive", 0) for check in checks.values())
    by_evidence = sum(check.get("judged_by", {}).get(EVIDENCE, 0) for check in checks.values())
    return summary_json.favourable(label, conclusive, by_evidence, little)


# ---- the command ----


def _read(place: Path) -> dict[str, Any]:
    file = place / "summary.json" if place.is_dir() else place
    try:
        summary: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unfit(f"{file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise Unfit(f"{file} is no summary.json: it is no JSON") from None
    if not isinstance(summary, dict) or "shards" not in summary or "implementations" not in summary:
        raise Unfit(f"{file} is no summary.json of this version of pytest-rnnequiv")
    return summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge what the command line names, and return the exit code: 1 where the whole is not green, 2 for bad input."""
    parser = argparse.ArgumentParser("python -m pytest_rnnequiv", description="What goes beside pytest --rnn-equiv.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    merge = commands.add_parser("merge", help="add up the summaries of shards")
    merge.add_argument("places", nargs="+", type=Path, metavar="REPORT", help="a report's directory, or a summary.json")
    merge.add_argument("--output", type=Path, metavar="DIR", help="where summary.json and badge.json are written")
    given = parser.parse_args(arguments)
    try:
        whole = merged([_read(place) for place in given.places])
        if given.output is not None:
            given.output.mkdir(parents=True, exist_ok=True)
            (given.output / "summary.json").write_text(summary_json.text(whole), encoding="utf-8")
            (given.output / "badge.json").write_text(badge.text(whole), encoding="utf-8")
    except (Unfit, OSError) as problem:
        print(f"merge: {problem}", file=sys.stderr)
        return 2
    for line in _told(whole):
        print(line)
    green = all(each["verdict"]["status"] == "equivalent" for each in whole["implementations"].values())
    return 0 if green and whole["implementations"] and not missing(whole) and not whole["interrupted"] else 1


def _told(whole: dict[str, Any]) -> Iterable[str]:
    for each in whole["implementations"].values():
        yield each["verdict"]["sentence"]
        met = [n for one, row in each["coverage"].items() for two, n in row.items() if one != two]
        if met:
            yield f"  {sum(map(bool, met))} of {len(met)} pairs of options came together in one layer"
    if absent := missing(whole):
        yield f"missing: shard {', '.join(absent)}"
    if whole["interrupted"]:
        yield "one of them did not come to its end"
    if not whole["implementations"]:
        yield "nothing was checked"
