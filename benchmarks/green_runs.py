"""Whether the main job is green by chance: ``pytest --rnn-equiv`` in an empty folder, many times, with other seeds.

    python benchmarks/green_runs.py [--default 40] [--quick 80] [--parallel 1] [--first-seed 1] [--red DIR]

With ``--parallel 5`` five runs share the machine: a loaded one. The table has a row for each profile. A run that was
red names its checks below the table, and so does a check that was green and showed nothing. What a red run printed is
kept in DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

#: Seconds after which a run counts as red.
LIMIT = 3600


@dataclass
class Run:
    """What became of one run.

    Attributes
    ----------
    profile : str
    seed : int
    code : int
        pytest's exit code.
    seconds : float
    cases, conclusive : int
    failed : list of str
        Node ids; what pytest said last, where it wrote no summary.
    nothing : list of str
        Node ids of checks that passed, and of whose cases none was conclusive.
    said : str
        What it printed.
    """

    profile: str
    seed: int
    code: int
    seconds: float
    cases: int = 0
    conclusive: int = 0
    failed: list[str] = field(default_factory=list)
    nothing: list[str] = field(default_factory=list)
    said: str = ""


def run(profile: str, seed: int) -> Run:
    """Run the suite once, in an empty folder, and read its summary."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pytest", "--rnn-equiv", "--rnn-equiv-profile", profile, "-q", "--rootdir=."]
        command += ["-p", "no:cacheprovider", f"--hypothesis-seed={seed}", "--rnn-equiv-report", "report"]
        command += ["-c", os.devnull]
        started = time.perf_counter()
        try:
            done = subprocess.run(command, cwd=empty, capture_output=True, text=True, timeout=LIMIT)
            code, said = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            code, said = 124, f"not done after {LIMIT} s"
        result = Run(profile, seed, code, time.perf_counter() - started, said=said)
        summary = Path(empty, "report", "summary.json")
        if summary.exists():
            read(json.loads(summary.read_text(encoding="utf-8")), result)
        if code and not result.failed:
            result.failed = said.strip().splitlines()[-1:]
    return result


def read(summary: dict[str, Any], result: Run) -> None:
    """Take what the table needs from ``summary.json``."""
    for implementation in summary["implementations"].values():
        for check in implementation["checks"].values():
            result.cases += check.get("cases", 0)
            result.conclusive += check.get("conclusive", 0)
            if check["outcome"] in ("failed", "xpassed"):
                result.failed.append(check["nodeid"])
            elif check["outcome"] == "passed" and not check.get("conclusive", 0):
                result.nothing.append(check["nodeid"])


def table(runs: Iterable[Run]) -> str:
    """Return the table in Markdown, and below it what was red or showed nothing."""
    done = list(runs)
    head = "| profile | runs | green | red | cases: least, median, most | conclusive: least, median | s | nothing |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for profile in dict.fromkeys(each.profile for each in done):
        own = [each for each in done if each.profile == profile]
        green = sum(each.code == 0 for each in own)
        cases, conclusive = ([getattr(each, name) for each in own] for name in ("cases", "conclusive"))
        seconds = [each.seconds for each in own]
        cells = [profile, len(own), green, len(own) - green, _spread(cases)]
        cells += [f"{min(conclusive)}, {median(conclusive):.0f}", _spread(seconds), sum(len(e.nothing) for e in own)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for what, name in (("red", "failed"), ("green, and showed nothing", "nothing")):
        counted = Counter((each.profile, nodeid) for each in done for nodeid in getattr(each, name))
        lines += [f"{what}: {nodeid} in {times} runs of {profile}" for (profile, nodeid), times in counted.items()]
    seeds = {each.profile: [e.seed for e in done if e.code and e.profile == each.profile] for each in done if each.code}
    lines += [f"seeds of red runs of {profile}: {', '.join(map(str, numbers))}" for profile, numbers in seeds.items()]
    return "\n".join(lines)


def _spread(numbers: list[float]) -> str:
    return f"{min(numbers):.0f}, {median(numbers):.0f}, {max(numbers):.0f}"


def main(arguments: list[str] | None = None) -> int:
    """Run, and print the table; returns 1 if a run was red or a check showed nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--default", type=int, default=40, metavar="N", help="runs of the default profile")
    parser.add_argument("--quick", type=int, default=80, metavar="N", help="runs of quick")
    parser.add_argument("--parallel", type=int, default=1, metavar="P", help="runs at a time")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N")
    parser.add_argument("--red", type=Path, metavar="DIR", help="where to keep what red runs printed")
    options = parser.parse_args(arguments)
    wanted = [("default", i) for i in range(options.default)] + [("quick", i) for i in range(options.quick)]
    done = []
    with ThreadPoolExecutor(options.parallel) as pool:
        for each in pool.map(lambda what: run(what[0], options.first_seed + what[1]), wanted):
            done.append(each)
            if each.code and options.red:
                options.red.mkdir(parents=True, exist_ok=True)
                (options.red / f"{each.profile}-{each.seed}.txt").write_text(each.said, encoding="utf-8")
            said = "green" if not each.code else f"red: {', '.join(each.failed)}"
            print(f"{each.profile} {each.seed}: {said}, {each.cases} cases in {each.seconds:.0f} s", file=sys.stderr)
    print(f"{os.cpu_count()} CPUs, {options.parallel} runs at a time\n\n{table(done)}")
    return int(any(each.code or each.nothing for each in done))


if __name__ == "__main__":
    sys.exit(main())
