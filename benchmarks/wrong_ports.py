"""How long the quick profile takes for a wrong port, and how much of it there is to read.

    python benchmarks/wrong_ports.py [--before FOLDER] [NAME ...]

The ports are those of ``examples/wrong_ports``. Each is checked by ``pytest --rnn-equiv-profile quick`` in an empty
folder. With ``--before``, a checkout of another build, each is checked by that one as well, right before or after: a
machine that is busy with something else is so for both. The last line has the median of the ratios of these pairs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from installed import cpu_of_children, install

ROOT = Path(__file__).resolve().parents[1]
PORTS = ROOT / "examples" / "wrong_ports"

#: All of them: weights, biases, time, samples, activations.
NAMES = tuple(
    f"{path.stem}:StateKept" if path.stem == "state_kept" else path.stem for path in sorted(PORTS.glob("*.py"))
)


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


def check(name: str, build: dict[str, str]) -> Run:
    """Check one port, in the environment of a build."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pytest", "--rnn-equiv", "--rnn-equiv-profile", "quick", "--rootdir=."]
        command += ["--rnn-equiv-impl", name if ":" in name else f"{name}:run"]
        before, began = cpu_of_children(), time.perf_counter()
        done = subprocess.run(command, cwd=empty, env=build, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        seconds, cpu = time.perf_counter() - began, cpu_of_children() - before
    lines = done.stdout.splitlines()
    if done.returncode != 1:
        raise SystemExit(f"{name} should have failed:\n{done.stdout}{done.stderr}")
    return Run(seconds, cpu, len(lines), sum(line.startswith("FAILED") for line in lines))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout of the build to compare with")
    parser.add_argument("names", nargs="*", default=NAMES)
    given = parser.parse_args()
    checkouts = {"now": ROOT} | ({"before": given.before.resolve()} if given.before else {})
    with tempfile.TemporaryDirectory() as place:
        builds = {which: install(checkout, Path(place, which), PORTS) for which, checkout in checkouts.items()}
        compare(given.names, builds)


def compare(names: Sequence[str], builds: dict[str, dict[str, str]]) -> None:
    """Print a row for each port."""
    print("| port | checks that fail | lines | seconds | CPU seconds | seconds before | ratio | ratio of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    ratios, of_cpu, waited, cpu = [], [], [], []
    for number, name in enumerate(names):
        order = list(builds) if number % 2 else list(reversed(builds))
        runs = {which: check(name, builds[which]) for which in order}
        now, row = runs["now"], ["", "", ""]
        if before := runs.get("before"):
            ratios.append(now.seconds / before.seconds)
            of_cpu.append(now.cpu / before.cpu)
            row = [f"{before.seconds:.1f} ({before.lines} lines)", f"{ratios[-1]:.2f}", f"{of_cpu[-1]:.2f}"]
        waited.append(now.seconds)
        cpu.append(now.cpu)
        cells = [name, str(now.failed), str(now.lines), f"{now.seconds:.1f}", f"{now.cpu:.1f}", *row]
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nmedian: {statistics.median(waited):.1f} s, CPU time {statistics.median(cpu):.1f} s")
    if ratios:
        print(f"median of the ratios: {statistics.median(ratios):.2f}, of CPU time {statistics.median(of_cpu):.2f}")


if __name__ == "__main__":
    main()
