"""Which releases of Keras are the recurrence: every known divergence, and the suite itself, on each of them.

    python benchmarks/keras_versions.py [--versions 3.1.1 3.4.1 ...] [--cache DIR] [--write FILE]

Each release is installed by pip into a folder of its own, once, and put first on the path of a fresh process, beside
the TensorFlow that is installed. What is printed is a table in Markdown: releases are columns, divergences are rows.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_rnnequiv.divergences.keras import DIVERGENCES, KERAS, Divergence

#: Spread over Keras 3. Keras 3.1.1 is the first that imports beside a TensorFlow of today: those before need dm-tree.
RELEASES = ("3.1.1", "3.3.3", "3.4.1", "3.6.0", "3.8.0", "3.10.0", "3.12.4", "3.13.2", "3.14.1", "3.15.1")

NOT_APPLICABLE = "not applicable"

#: Seconds, long beyond what they take (20, and 90).
PROBE_LIMIT, SUITE_LIMIT = 600, 1800


class Problem(Exception):
    """Why a release cannot be tried, in one sentence without paths."""


@dataclass
class Tried:
    """What became of one release.

    Attributes
    ----------
    release : str
    outcomes : dict
        For each divergence what came of it in each way, or by its demonstration (the way is then ``""``).
    suite : dict
        How many checks passed, failed, ...; empty if the suite was not run.
    failed : list of str
        Names of the checks that failed.
    problem : str, optional
        Why there is nothing.
    """

    release: str
    outcomes: dict[str, dict[str, str]] = field(default_factory=dict)
    suite: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    problem: str | None = None


# ---- one release ----


def install(release: str, cache: Path) -> Path:
    """Install a release into the cache, unless it is there; an interrupted installation leaves nothing behind."""
    folder = cache / f"keras-{release}"
    if (folder / "keras").is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".installing-") as unfinished:
        target = Path(unfinished, "keras")
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, "--target", str(target), f"keras=={release}"], capture_output=True, text=True)
        if done.returncode:
            raise Problem(f"pip could not install keras=={release}: {_reason(done.stderr)}")
        target.rename(folder)
    return folder


def _reason(stderr: str) -> str:
    """The last line of what went wrong; neither paths nor hosts."""
    lines = [line for line in stderr.strip().splitlines() if not line.startswith(("WARNING", "[notice]"))] or ["?"]
    line = re.sub(r"\(from versions:.*?\)", "", lines[-1].removeprefix("ERROR: "))
    return re.sub(r"\S*(://|host=|/\w+/)\S*", "...", line).strip()[:200]


def _environment(folder: Path) -> dict[str, str]:
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "CUDA_VISIBLE_DEVICES": "-1"}


def probe(folder: Path) -> dict[str, dict[str, str]]:
    """Try every divergence on the release in that folder, in a process of its own."""
    command = [sys.executable, __file__, "--probe"]
    try:
        done = subprocess.run(
            command, env=_environment(folder), capture_output=True, text=True, timeout=PROBE_LIMIT, cwd=folder
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"the divergences took more than {PROBE_LIMIT} seconds") from None
    if done.returncode:
        raise Problem(_reason(done.stderr))
    outcomes: dict[str, dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return outcomes


def probe_here() -> None:
    """Try every divergence on the Keras of this process, and print what came of each as JSON (``--probe``)."""
    from pytest_rnnequiv.implementations.keras import KerasCall, KerasGraph, KerasPredict, load

    try:
        _, keras = load()
    except ImportError as error:
        cause = error.__cause__ or error
        raise SystemExit(f"it cannot be imported: {type(cause).__name__}: {str(cause).splitlines()[0]}") from None
    ways = {each.name: each for each in (KerasGraph(), KerasCall(), KerasPredict())}
    outcomes: dict[str, dict[str, str]] = {}
    for each in DIVERGENCES:
        own = outcomes[each.name] = {}
        for name, way in ways.items() if each.smallest else [("", next(iter(ways.values())))]:
            own[name] = each.outcome(keras, way.run)
            if own[name] != "right" and each.hidden(name, keras.__version__):
                own[name] = NOT_APPLICABLE
    print(json.dumps(outcomes))


def suite(folder: Path, profile: str) -> tuple[dict[str, int], list[str]]:
    """Run the suite on the release in that folder, in an empty folder; returns the counts and what failed."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pytest", "--rnn-equiv", "--rnn-equiv-profile", profile, "--rootdir=."]
        command += ["-q", "-p", "no:cacheprovider", "--junitxml=result.xml", "-c", os.devnull]
        environment = _environment(folder)
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=SUITE_LIMIT, cwd=empty
            )
        except subprocess.TimeoutExpired:
            raise Problem(f"the suite took more than {SUITE_LIMIT} seconds") from None
        result = Path(empty, "result.xml")
        if not result.exists():
            raise Problem(f"the suite did not run: {_reason(done.stderr or done.stdout)}")
        return read_junit(result.read_text(encoding="utf-8"))


def read_junit(text: str) -> tuple[dict[str, int], list[str]]:
    """Count the outcomes in a junit file, and name what failed."""
    counts: Counter[str] = Counter()
    failed = []
    for case in ElementTree.fromstring(text).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
            failed.append(case.attrib["name"])
        elif (skipped := case.find("skipped")) is not None:
            counts["xfailed" if skipped.attrib.get("type") == "pytest.xfail" else "skipped"] += 1
        else:
            counts["passed"] += 1
    return dict(counts), failed


def try_release(release: str, cache: Path, profile: str | None) -> Tried:
    """Install a release and try everything on it; says on stderr where it is."""
    tried = Tried(release)
    try:
        _say(f"Keras {release}: installing, if need be")
        folder = install(release, cache)
        _say(f"Keras {release}: {len(DIVERGENCES)} divergences")
        tried.outcomes = probe(folder)
        if profile:
            _say(f"Keras {release}: the suite")
            tried.suite, tried.failed = suite(folder, profile)
    except Problem as problem:
        tried.problem = str(problem)
        _say(f"Keras {release}: {problem}")
    return tried


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


# ---- the table ----


def cell(ways: dict[str, str]) -> str:
    """Put together what came of a divergence in each way; a way is named where they differ."""
    said = set(ways.values())
    if len(said) == 1:
        return said.pop()
    others = {way: outcome for way, outcome in ways.items() if outcome != "right"}
    return ", ".join(
        f"{outcome} ({', '.join(way.removeprefix('keras-') for way, other in others.items() if other == outcome)})"
        for outcome in dict.fromkeys(others.values())
    )


def disagreeing(tried: Tried) -> list[str]:
    """Name the divergences of which ``since``, ``until`` or ``ways`` say something else than what came of them."""
    names = []
    for each in DIVERGENCES:
        for way, outcome in tried.outcomes.get(each.name, {}).items():
            there = each.exists(way or KERAS[0], tried.release)
            if outcome != NOT_APPLICABLE and there != (outcome != "right"):
                names.append(each.name)
                break
    return names


def table(tried: Iterable[Tried], divergences: Iterable[Divergence] = DIVERGENCES) -> str:
    """Return the table in Markdown, and below it what cannot be said in a cell."""
    columns = list(tried)
    notes: list[str] = []

    def note(text: str) -> str:
        if text not in notes:
            notes.append(text)
        return f"({notes.index(text) + 1})"

    rows = [["", *(each.release for each in columns)]]
    marks = [note(f"Keras {each.release}: {each.problem}.") if each.problem else "" for each in columns]
    for divergence in divergences:
        cells = [
            cell(each.outcomes[divergence.name]) if divergence.name in each.outcomes else mark or "-"
            for each, mark in zip(columns, marks, strict=True)
        ]
        rows.append([f"`{divergence.name}`", *cells])
    if any(each.suite for each in columns):
        cells = []
        for each, mark in zip(columns, marks, strict=True):
            counts = ", ".join(f"{count} {what}" for what, count in sorted(each.suite.items(), reverse=True))
            named = note(f"Keras {each.release}, failed: {', '.join(each.failed)}.") if each.failed else ""
            cells.append(" ".join(filter(None, [counts or mark or "-", named])))
        rows.append(["the suite", *cells])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    wrong = [f"{name} on {each.release}" for each in columns for name in disagreeing(each)]
    below = [f"({i}) {text}" for i, text in enumerate(notes, 1)]
    if wrong:
        below.append(f"Not as the table of known divergences says: {', '.join(wrong)}.")
    return "\n".join(lines) + "\n" + "".join(f"\n{text}\n" for text in below)


def versions() -> str:
    """What the releases of Keras were tried beside."""
    named = {"Python": platform.python_version()} | {
        name: version(distribution) for name, distribution in (("TensorFlow", "tensorflow"), ("NumPy", "numpy"))
    }
    return ", ".join(f"{name} {number}" for name, number in named.items())


PAGE = """# Releases of Keras

What became of each [known divergence](known-divergences.md), and of the suite, on releases of Keras 3, as

    {command}

printed it on {date} with {versions}.

- *wrong*: wrong values, without a word; *raises*: an exception; *right*: as it should be.
- *not applicable*: that release lacks what it takes, or another divergence shows in its place.
- Where the ways to run Keras differ (`keras-graph`, `keras-call`, `keras-predict`), those that are not right are named.
- In the suite, *xfailed* are the checks that show the divergences of that release.

{table}"""


def main(arguments: list[str] | None = None) -> int:
    """Try the releases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", nargs="+", metavar="X.Y.Z", default=list(RELEASES), help="releases of Keras")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument("--cache", type=Path, default=caches / "pytest-rnnequiv", help="where releases are kept")
    parser.add_argument("--profile", default="quick", help="of the suite; none leaves the suite out")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page of the docs as well")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.probe:
        probe_here()
        return 0
    profile = None if options.profile == "none" else options.profile
    try:
        tried = [try_release(release, options.cache.resolve(), profile) for release in options.versions]
    except KeyboardInterrupt:
        _say("stopped")
        return 130
    text = table(tried)
    print(f"{versions()}\n\n{text}", end="")
    if options.write:
        own: list[Any] = [] if options.versions == list(RELEASES) else ["--versions", *options.versions]
        command = " ".join(["python benchmarks/keras_versions.py", *own])
        today = datetime.date.today().isoformat()
        options.write.write_text(
            PAGE.format(command=command, date=today, versions=versions(), table=text), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
