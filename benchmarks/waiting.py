"""How long a user waits for a right implementation, beside another build.

    python benchmarks/waiting.py [--before FOLDER] [--pairs 3] [WHAT/PROFILE ...]

``WHAT`` is the name of a runtime, such as ``keras`` or ``numpy``, or ``port``: that of ``examples/numpy_loop``. Each
run is ``pytest --rnn-equiv`` in an empty folder. With ``--before``, a checkout of another build, each is paired with
one of that build, right before or after; the table has the medians.

The checks may spend so many seconds of the clock on the wall: on a machine that is busy with something else they see
fewer cases. With ``--by-cpu`` these are seconds of the processor, so that both builds see as much as on a quiet
machine; that holds for what runs in pytest's own process, as Keras does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from installed import cpu_of_children, install

ROOT = Path(__file__).resolve().parents[1]
PORT = ROOT / "examples" / "numpy_loop"


#: A plugin of pytest's: budgets of checks by the clock of the process.
BY_CPU = """
import sys, time, types

def pytest_sessionstart():
    import pytest_rnnequiv.suite.verification
    for name, module in list(sys.modules.items()):
        if name.startswith("pytest_rnnequiv.suite.") and getattr(module, "time", None) is time:
            module.time = types.SimpleNamespace(perf_counter=time.process_time)
"""


class Run(NamedTuple):
    """One run of the suite."""

    seconds: float
    """As a clock on the wall has them."""
    cpu: float
    """Seconds of processors, those of child processes too."""
    cases: int
    conclusive: int
    pairs: int
    """Pairs of options of which a case was judged."""


def wait(what: str, profile: str, build: dict[str, str], by_cpu: bool = False) -> Run:
    """Run the suite once, in the environment of a build."""
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty)
        (folder / "by_cpu.py").write_text(BY_CPU)
        paths = os.pathsep.join([build["PYTHONPATH"], empty])
        own = build | {"PYTHONPATH": paths, "HYPOTHESIS_STORAGE_DIRECTORY": f"{empty}/none"}
        command = [sys.executable, "-m", "pytest", "-v", "--rnn-equiv", "--rnn-equiv-profile", profile, "--rootdir=."]
        command += ["-p", "no:cacheprovider", "--rnn-equiv-report", "report", *(["-p", "by_cpu"] if by_cpu else [])]
        if what == "port":
            for each in ("conftest.py", "my_rnn.py"):
                shutil.copy(PORT / each, folder)
        else:
            command += ["--rnn-equiv-impl", what]
        before, began = cpu_of_children(), time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        seconds, cpu = time.perf_counter() - began, cpu_of_children() - before
        if done.returncode:
            raise SystemExit(f"{what} should have passed:\n{done.stdout}{done.stderr}")
        told = json.loads((folder / "report" / "summary.json").read_text())
    checks = [check for each in told["implementations"].values() for check in each["checks"].values()]
    pairs = sum(int(found) for found in re.findall(r"(\d+) pairs? of options came together", done.stdout))
    return Run(seconds, cpu, sum(c["cases"] for c in checks), sum(c["conclusive"] for c in checks), pairs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout of the build to compare with")
    parser.add_argument("--pairs", type=int, default=1, help="how many runs of each")
    parser.add_argument("--by-cpu", action="store_true", help="count the time of checks in seconds of the processor")
    parser.add_argument("runs", nargs="*", metavar="WHAT/PROFILE", default=["keras/quick", "port/quick"])
    given = parser.parse_args()
    checkouts = {"now": ROOT} | ({"before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory() as place:
        builds = {which: install(checkout, Path(place, which)) for which, checkout in checkouts.items()}
        compare(given.runs, given.pairs, builds, given.by_cpu)


def compare(runs: list[str], pairs: int, builds: dict[str, dict[str, str]], by_cpu: bool) -> None:
    """Print a row for each run of each build."""
    print("| run | build | seconds | CPU seconds | cases | conclusive | pairs of options |")
    print("|---|---|---|---|---|---|---|")
    for run in runs:
        what, profile = run.split("/")
        seen: dict[str, list[Run]] = {which: [] for which in builds}
        for number in range(pairs):
            for which in list(builds) if number % 2 else reversed(builds):
                seen[which].append(wait(what, profile, builds[which], by_cpu))
        for which, each in seen.items():
            seconds, cpu, *counts = (statistics.median(column) for column in zip(*each, strict=True))
            print(f"| {run} | {which} | {seconds:.1f} | {cpu:.1f} | {' | '.join(f'{n:.0f}' for n in counts)} |")
        if "before" in builds:
            ratios = [now.cpu / old.cpu for now, old in zip(seen["now"], seen["before"], strict=True)]
            print(f"|  | ratio of CPU seconds, of pairs | | {statistics.median(ratios):.2f} | | | |", flush=True)


if __name__ == "__main__":
    main()
