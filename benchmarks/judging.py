"""What a case costs to draw and to judge: processor time, so that a busy machine does not matter much.

    python benchmarks/judging.py [--repeats 7] [--pack 16]

Judged is what NumPy's loop shows, one by one and all cases of a pack at once; drawn are packs, by the case, and single
cases. To compare two versions, run it on both in turn, a few times each: ``PYTHONPATH=elsewhere python ...``.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # what a second thread waits would be counted too

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_rnnequiv import Case, Spec, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.strategies.architectures import pool_members

try:
    from pytest_rnnequiv.judging.oracle import judge_all
except ImportError:
    judge_all = None

POOL: dict[str, Any] = {
    "options": None,
    "dtypes": ("float32",),
    "activations": None,
    "max_units": 9,
    "exclude": None,
}


def best(function: Callable[[], object], repeats: int) -> float:
    """Return the least seconds of the processor that a call takes."""
    function()
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        seconds.append(time.process_time() - began)
    return min(seconds)


def drawn(strategy: Any, examples: int = 100) -> Callable[[], int]:
    """Return what draws examples; it returns how many cases there were."""

    def draw() -> int:
        counted = 0

        @seed(0)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def collect(pack: list[Case]) -> None:
            nonlocal counted
            counted += len(pack)

        collect()
        return counted

    return draw


def to_judge(pack: int) -> dict[str, list[Case]]:
    """Packs of cases of one shape, by what they are."""
    specs = {cell: [Spec.simple(3, 5, 2, cell=cell)] for cell in ("SimpleRNN", "GRU", "LSTM")}
    specs["33 units"] = [Spec.simple(7, 33, 4)]
    specs |= {f"architecture {i}": [each] for i, each in enumerate(pool_members(count=9, **POOL))}
    return {
        name: [generic_case(spec, 2, 9, seed=i + 1, calls=2 if spec.stateful else 1) for i in range(pack)]
        for name, (spec,) in specs.items()
    }


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pack", type=int, default=16)
    asked = parser.parse_args()

    print(f"{'judging, ms a case':<22}{'one by one':>12}{'at once':>10}{'ratio':>8}")
    for name, cases in to_judge(asked.pack).items():
        shown = [reference(case, np.float32) for case in cases]
        pairs = list(zip(cases, shown, strict=True))
        alone = best(lambda pairs=pairs: [judge(*pair) for pair in pairs], asked.repeats) / len(cases)
        if judge_all is None:
            print(f"{name:<22}{1e3 * alone:>12.3f}{'-':>10}{'-':>8}")
            continue
        together = best(lambda cases=cases, shown=shown: judge_all(cases, shown), asked.repeats) / len(cases)
        print(f"{name:<22}{1e3 * alone:>12.3f}{1e3 * together:>10.3f}{alone / together:>8.1f}")

    print()
    print(f"{'drawing':<30}{'ms an example':>15}{'ms a case':>12}")
    most = asked.pack
    for name, strategy in {
        "cases": rnn.packs(max_size=1),
        f"packs of {most}, of a pool": rnn.packs(max_size=most, spec=rnn.pool()),
        "architectures": rnn.packs(max_size=1, spec=rnn.architectures()),
        "members of a pool": rnn.packs(max_size=1, spec=rnn.architecture_pool()),
        f"packs of {most} of these": rnn.packs(max_size=most, spec=rnn.architecture_pool()),
    }.items():
        draw = drawn(strategy)
        seconds, cases_drawn = best(draw, max(2, asked.repeats // 2)), draw()
        print(f"{name:<30}{1e3 * seconds / 100:>15.2f}{1e3 * seconds / cases_drawn:>12.3f}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}")


if __name__ == "__main__":
    main()
