"""What it costs to have the plugin installed and not to use it: a pytest run of one test, with and without it.

    python benchmarks/startup.py [--pairs 20]

Needs Linux or macOS. The two kinds of run take turns, and the ratio is taken pair by pair, so that it holds when the
machine's speed drifts.
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


def spent() -> float:
    """Return the CPU seconds of all runs so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(folder: str, *arguments: str) -> tuple[float, float]:
    """Run pytest on one test; return CPU and wall seconds."""
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # Compiled files are part of an installation; without them every run would compile the plugin anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, start = spent(), time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, folder]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    return spent() - before, wall


def main() -> None:
    """Print the medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one(): pass\n", encoding="utf-8")
        plugin = ("-p", "pytest_rnnequiv.plugin")
        run(folder), run(folder, *plugin)  # warm up
        timed = [(run(folder), run(folder, *plugin)) for _ in range(pairs)]
    for number, name in enumerate(("CPU", "wall")):
        bare, with_plugin = (statistics.median(pair[side][number] for pair in timed) for side in (0, 1))
        ratio = statistics.median(pair[1][number] / pair[0][number] for pair in timed)
        print(f"{name:<5} bare {bare * 1000:.0f} ms, with the plugin {with_plugin * 1000:.0f} ms, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
