"""How many cases are verified in a second: the plugin's graph path against the notebook's way.

    python benchmarks/throughput.py [--seconds 30] [--pack 16] [--cell SimpleRNN GRU LSTM]

The notebook's way, for each case: build the model, ``predict``, compute the recurrence in a NumPy loop, ``allclose``.
The plugin's way, for each pack of cases: draw it with Hypothesis, run Keras on it, judge every step of every case. Both
get cases from the same strategy and build their models with the same function; both start with TensorFlow loaded.

With ``--cell``, the plugin's way alone, cell by cell in turns: how long a case of each takes beside one of the first,
as seconds of the processor, since a machine that is busy with something else would tell of that.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
from clock import Clock
from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_rnnequiv import Case, strategies
from pytest_rnnequiv.implementations.keras import KerasGraph, build_simple_rnn, load
from pytest_rnnequiv.implementations.keras_models import graph, retracing
from pytest_rnnequiv.judging.oracle import judge_all

QUIET = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    max_examples=100,
)


def notebook_way(cases: list[Case]) -> Clock:
    """Verify the cases one after the other, as the notebook does."""
    clock = Clock()
    for case in cases:
        with clock.on("build + trace"):
            model = build_simple_rnn(case.T, case.D, case.M, case.K)
            model.set_weights(case.weights)
        with clock.on("run"), retracing():  # predict traces, every time: the model is new
            actual = model.predict(case.x, verbose=0)
        with clock.on("judge"):
            Wx, Wh, bh, Wo, bo = case.weights
            for n in range(case.N):
                h = np.zeros(case.M, np.float32)
                for t in range(case.T):
                    h = np.tanh(case.x[n, t] @ Wx + h @ Wh + bh)
                np.allclose(actual[n], h @ Wo + bo, atol=1e-5)
    return clock


def plugin_way(seconds: float, pack: int, cell: str = "SimpleRNN") -> tuple[int, int, float, Clock]:
    """Verify cases for so many seconds; returns cases, conclusive ones, seconds, and where they went."""
    clock, keras = Clock(), KerasGraph()
    traced: dict[object, int] = {}
    count = conclusive = 0

    @QUIET
    @given(strategies.packs(max_size=pack, spec=strategies.pool(cell=cell)))
    def verify(cases: list[Case]) -> None:
        nonlocal count, conclusive
        started = time.perf_counter()
        answers = keras.run_many(cases)
        elapsed = time.perf_counter() - started
        compiled = graph(cases[0].with_every_output().spec)
        traces = compiled.one.experimental_get_tracing_count() + compiled.pack.experimental_get_tracing_count()
        new = traced.get(cases[0].spec) != traces
        traced[cases[0].spec] = traces
        clock.seconds["build + trace" if new else "run"] += elapsed
        with clock.on("judge"):
            verdicts = judge_all(cases, answers)
        assert not any(verdict.different for verdict in verdicts)
        count += len(cases)
        conclusive += sum(verdict.equivalent for verdict in verdicts)

    started = time.perf_counter()
    rounds = 0
    while time.perf_counter() - started < seconds:
        seed(rounds)(verify)()
        rounds += 1
    elapsed = time.perf_counter() - started
    clock.seconds["draw"] = elapsed - sum(clock.seconds.values())
    return count, conclusive, elapsed, clock


def sample(count: int) -> list[Case]:
    """Draw cases for the notebook's way; drawing is free for it."""
    cases: list[Case] = []

    @QUIET
    @seed(0)
    @given(strategies.packs(max_size=1, spec=strategies.pool()))
    def collect(pack: list[Case]) -> None:
        cases.extend(pack)

    collect()
    return [cases[i] for i in np.linspace(0, len(cases) - 1, count).astype(int)]


def by_cell(cells: Sequence[str], seconds: float, pack: int, turns: int = 3) -> None:
    """Print how long a case of each cell takes, and how many times that of the first."""
    each: dict[str, list[float]] = {cell: [] for cell in cells}
    counted: Counter[str] = Counter()
    for _ in range(turns):
        for cell in cells:
            began = time.process_time()
            count, conclusive, _, _ = plugin_way(seconds / turns, pack, cell)
            each[cell].append((time.process_time() - began) / count)
            counted.update({cell: count, f"{cell}, conclusive": conclusive})
    print(f"{'graph, packs of ' + str(pack):24}{'cases':>8}{'conclusive':>12}{'CPU ms/case':>13}{'ratio':>8}")
    for cell, spent in each.items():
        ratio = statistics.median(own / first for own, first in zip(spent, each[cells[0]], strict=True))
        row = f"{counted[cell]:>8}{counted[f'{cell}, conclusive']:>12}"
        print(f"{cell:24}{row}{statistics.median(spent) * 1e3:>13.3f}{ratio:>8.2f}")


def main() -> None:
    """Measure both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long the plugin's way runs")
    parser.add_argument("--pack", type=int, default=16, help="cases in a pack")
    parser.add_argument("--notebook-cases", type=int, default=40)
    parser.add_argument("--cell", nargs="+", default=[], help="the plugin's way for each of these cells, and no other")
    options = parser.parse_args()

    load()
    if options.cell:
        by_cell(options.cell, options.seconds, options.pack)
        return
    notebook_way(sample(3))  # what TensorFlow does once in a process
    sampled = sample(options.notebook_cases)
    slow = notebook_way(sampled)
    slow_total = sum(slow.seconds.values())
    slow_each = slow_total / len(sampled)
    count, conclusive, elapsed, fast = plugin_way(options.seconds, options.pack)
    fast_each = elapsed / count
    warm_each = (elapsed - fast.seconds["build + trace"]) / count

    versions = ", ".join(f"{name} {version}" for name, version in KerasGraph().versions().items())
    print(f"Python {platform.python_version()}, {versions}; float32, N, T, D, M, K as drawn, D, M, K from a pool of 24")
    print()
    print(f"{'':24}{'cases':>8}{'ms/case':>10}{'cases/s':>10}{'ratio':>8}")
    for name, cases, each in (
        ("the notebook's way", len(sampled), slow_each),
        (f"graph, packs of {options.pack}", count, fast_each),
        ("  without build + trace", count, warm_each),
    ):
        print(f"{name:24}{cases:>8}{each * 1e3:>10.3f}{1 / each:>10.1f}{slow_each / each:>8.0f}")
    print()
    print(f"{'share of the time':24}{'draw':>8}{'build + trace':>15}{'run':>8}{'judge':>8}")
    for name, clock, total in (("the notebook's way", slow, slow_total), ("graph", fast, elapsed)):
        shares = [clock.seconds.get(what, 0.0) / total for what in ("draw", "build + trace", "run", "judge")]
        print(f"{name:24}{shares[0]:>8.0%}{shares[1]:>15.0%}{shares[2]:>8.0%}{shares[3]:>8.0%}")
    print()
    print(f"conclusive: {conclusive} of {count}")


if __name__ == "__main__":
    main()
