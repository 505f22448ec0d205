"""What the quick profile finds in ports that take long for a case: converters, emulators, boards.

    python benchmarks/slow_ports.py [--seconds 0.6] [--parallel 4] [--all] [NAME ...]

Each port makes one mistake behind a pause, shows its last output only, and is checked by ``pytest --rnn-equiv`` until
the first check fails. The table says which was caught, after how many calls of the port, and after how many seconds.
The first row is a port that is right, and that all checks are run on. ``--all`` takes the whole catalogue in the place
of the common mistakes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pytest_rnnequiv import Case, reference
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, by_name

#: The mistakes of the catalogue that people make most.
COMMON = (
    *("Wh-transposed", "Wx-memory-order", "bh-dropped", "bh-doubled", "bo-dropped", "bh-after-activation"),
    *("recurrent-term-dropped", "time-reversed", "activation-forgotten", "activation-hard_tanh"),
    *("leaks-between-samples", "first-sample-only", "starts-at-one", "one-step-late", "last-step-skipped"),
    *("weights-to-float16", "weights-to-int8", "Wo-memory-order", "bh-and-bo-swapped", "fast-tanh-rational"),
)


def _int8(case: Case) -> Case:
    """Keep the weights as 8-bit numbers, each tensor on a scale of its own."""
    scales = {name: float(np.abs(getattr(case, name)).max()) / 127 or 1.0 for name in ("Wx", "Wh", "Wo")}
    return case.replace(**{name: np.round(getattr(case, name) / scale) * scale for name, scale in scales.items()})


def _run(case: Case) -> Any:
    return reference(case, np.float32).outputs[:, -1]


#: Mistakes that only some sizes show, as a function case -> outputs.
OF_SIZES: dict[str, Callable[[Case], Any]] = {
    "int8 from M = 32 on": lambda case: _run(_int8(case) if case.M >= 32 else case),
    "wrong for T > 16": lambda case: _run(case if case.T <= 16 else case.replace(x=case.x[:, case.T - 16 :])),
    "first sample only": lambda case: np.repeat(_run(case.replace(x=case.x[:1])), case.N, axis=0),
    "features from the 5th on left out": lambda case: _run(case.replace(x=case.x * (np.arange(case.D) < 4))),
    "units from the 65th on left out": lambda case: _run(case.replace(Wh=case.Wh * (np.arange(case.M) < 64))),
}


class Slow:
    """The port: what it does is said by the environment, since it lives in a process of its own."""

    name = "slow"

    def run(self, case: Case) -> Any:
        """Compute a case after a pause, and count the call."""
        time.sleep(float(os.environ["SLOW_SECONDS"]))
        with open(os.environ["SLOW_CALLS"], "a", encoding="utf-8") as calls:
            calls.write(".")
        name = os.environ["SLOW_MISTAKE"]
        if name in OF_SIZES:
            return OF_SIZES[name](case)
        return np.asarray(by_name(name).run(case).outputs)[:, -1] if name else _run(case)


class Found(NamedTuple):
    """What became of one port."""

    name: str
    caught: bool
    seconds: float
    calls: int
    said: str


def check(name: str, seconds: float) -> Found:
    """Run the quick profile on one port."""
    with tempfile.TemporaryDirectory() as empty:
        calls = Path(empty, "calls")
        own = {"SLOW_MISTAKE": name, "SLOW_SECONDS": str(seconds), "SLOW_CALLS": str(calls)}
        path = [os.path.dirname(os.path.abspath(__file__)), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", "pytest", "--rnn-equiv", "--rnn-equiv-profile", "quick", "--rootdir=.", "-x"]
        command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rnn-equiv-impl", "slow_ports:Slow"]
        started = time.perf_counter()
        environment = os.environ | own | {"PYTHONPATH": os.pathsep.join(path)}
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        took = time.perf_counter() - started
        made = calls.stat().st_size if calls.exists() else 0
    said = next((line for line in done.stdout.splitlines() if line.startswith("FAILED")), "")
    return Found(name or "none: it is right", done.returncode == 1, took, made, said.partition(" - ")[2])


def main(arguments: list[str] | None = None) -> int:
    """Check the ports and print the table; returns 1 if a mistake slipped through, or the right port failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--seconds", type=float, default=0.6, help="that a call takes")
    parser.add_argument("--parallel", type=int, default=4, metavar="P", help="ports at a time: they mostly wait")
    parser.add_argument("--all", action="store_true", help="the whole catalogue")
    options = parser.parse_args(arguments)
    catalogue = [mistake.name for mistake in CATALOGUE]
    common = catalogue if options.all else COMMON
    names = options.names or ["", *common, *OF_SIZES]
    print(f"{options.seconds:g} s a call\n\n| mistake | caught | seconds | calls | told |\n|---|---|---|---|---|")
    wrong = 0
    with ThreadPoolExecutor(options.parallel) as pool:
        for name, found in zip(names, pool.map(lambda each: check(each, options.seconds), names), strict=True):
            wrong += found.caught != bool(name)
            caught = "yes" if found.caught else "no"
            print(f"| {found.name} | {caught} | {found.seconds:.0f} | {found.calls} | {found.said} |", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
