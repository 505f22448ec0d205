"""How long the quick profile takes for a wrong port, and how much of it there is to read.

    python benchmarks/wrong_ports.py [--before FOLDER] [NAME ...]

The ports are those of ``examples/wrong_ports``. Each is checked by ``pytest --rnn-equiv-profile quick`` in an empty
folder. With ``--before``, a checkout of another build, each is checked by that one as well, right before or after: a
machine that is busy with something else is so for both. The last line has the median of the ratios of these pairs.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PORTS = ROOT / "examples" / "wrong_ports"

#: One of each kind: weights, biases, time, samples, activations.
NAMES = ("wh_transposed", "column_major", "two_biases", "time_reversed", "state_leaks", "activation_forgotten")


class Run(NamedTuple):
    """One run of the suite."""

    seconds: float
    """As a clock on the wall has them."""
    cpu: float
    """Seconds of processors, those of the port's process too."""
    lines: int
    """What it prints, at 80 columns."""
    failed: int
    """Checks that failed."""


def check(name: str, checkout: Path) -> Run:
    """Check one port with one build."""
    with tempfile.TemporaryDirectory() as empty:
        own = {"PYTHONPATH": os.pathsep.join([str(checkout), str(PORTS)]), "COLUMNS": "80"}
        command = [sys.executable, "-m", "pytest", "--rnn-equiv", "--rnn-equiv-profile", "quick", "--rootdir=."]
        command += ["--rnn-equiv-impl", f"{name}:run"]
        before, began = _cpu(), time.perf_counter()
        done = subprocess.run(
            command, cwd=empty, env=os.environ | own, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        seconds, cpu = time.perf_counter() - began, _cpu() - before
    lines = done.stdout.splitlines()
    if done.returncode != 1:
        raise SystemExit(f"{name} should have failed:\n{done.stdout}{done.stderr}")
    return Run(seconds, cpu, len(lines), sum(line.startswith("FAILED") for line in lines))


def _cpu() -> float:
    """Seconds of processors that processes of ours have used which are over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout of the build to compare with")
    parser.add_argument("names", nargs="*", default=NAMES)
    given = parser.parse_args()
    print("| port | checks that fail | lines | seconds | CPU seconds | seconds before | ratio | ratio of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    ratios, of_cpu = [], []
    for number, name in enumerate(given.names):
        builds = {"now": ROOT} | ({"before": given.before.resolve()} if given.before else {})
        order = list(builds) if number % 2 else list(reversed(builds))
        runs = {which: check(name, builds[which]) for which in order}
        now, row = runs["now"], ["", "", ""]
        if before := runs.get("before"):
            ratios.append(now.seconds / before.seconds)
            of_cpu.append(now.cpu / before.cpu)
            row = [f"{before.seconds:.1f} ({before.lines} lines)", f"{ratios[-1]:.2f}", f"{of_cpu[-1]:.2f}"]
        cells = [name, str(now.failed), str(now.lines), f"{now.seconds:.1f}", f"{now.cpu:.1f}", *row]
        print(f"| {' | '.join(cells)} |", flush=True)
    if ratios:
        print(f"\nmedian of the ratios: {statistics.median(ratios):.2f}, of CPU time {statistics.median(of_cpu):.2f}")


if __name__ == "__main__":
    main()
