"""What it costs to run a port in a process of its own, per case, on the notebook's case (N=1, T=10, D=3, M=5, K=2).

python benchmarks/isolation.py [--cases 2000]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from pytest_rnnequiv import Case, reference
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.runner import can_fork
from pytest_rnnequiv.model.notebook import notebook_case


def run(case: Case) -> Any:
    """Compute a case as cheaply as a port can."""
    return reference(case, np.float32)


def main() -> None:
    """Print milliseconds a case, alone and in packs of 16."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    cases = parser.parse_args().cases
    ways = {"in pytest's process": lambda: Port(run), "in a fresh process": lambda: Port.from_path("isolation:run")}
    if can_fork():
        ways["in a fork"] = lambda: Port(run, isolated=True)
    case = notebook_case()
    for name, make in ways.items():
        start = time.perf_counter()
        port = make()
        started = time.perf_counter() - start
        port.run(case)
        alone, packed = time.perf_counter(), 0.0
        for _ in range(cases):
            port.run(case)
        alone = (time.perf_counter() - alone) / cases
        start = time.perf_counter()
        for _ in range(cases // 16):
            port.run_many([case] * 16)
        packed = (time.perf_counter() - start) / (cases // 16 * 16)
        port.close()
        print(
            f"{name:<20} {1e3 * alone:.2f} ms a case, {1e3 * packed:.2f} in packs of 16, start {1e3 * started:.0f} ms"
        )


if __name__ == "__main__":
    main()
