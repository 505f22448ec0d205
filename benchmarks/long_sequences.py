"""How the time of a verdict grows with the number of steps, where the last output or all states are seen.

Run: python benchmarks/long_sequences.py [M]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from pytest_rnnequiv import Case, Spec, Trajectory, judge, reference


def case_of(T: int, M: int) -> Case:
    """A recurrence that forgets: what is judged is not chaos."""
    rng = np.random.default_rng(0)
    spec = Spec.simple(3, M, 2)
    case = Case(
        spec,
        rng.standard_normal((1, T, 3)),
        weights=[0.8 * rng.standard_normal(shape) for shape in spec.weight_shapes.values()],
    )
    return case.replace(Wh=case.Wh * 0.9 / (0.8 * np.sqrt(M)))


def main() -> None:
    M = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    print(f"M = {M}\n{'T':>6}  {'last output':>12}  {'a step':>8}  {'all states':>11}  verdicts")
    for T in (100, 1_000, 10_000):
        case = case_of(T, M)
        run = reference(case, np.float32)
        seconds, verdicts = [], []
        for shown in (Trajectory(np.asarray(run.outputs)[:, -1]), run):
            started = time.perf_counter()
            verdicts.append(judge(case, shown).status)
            seconds.append(time.perf_counter() - started)
        last, states = seconds
        print(f"{T:6}  {last:10.3f} s  {1e3 * last / T:5.2f} ms  {states:9.3f} s  {', '.join(verdicts)}", flush=True)


if __name__ == "__main__":
    main()
