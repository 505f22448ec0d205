"""Where the time goes when networks are verified: drawing, building, tracing, running, judging.

    python benchmarks/networks.py [--networks 44] [--packs 6] [--pack 16]

Every network of a pool, as the default profile draws them, is built and traced once and run on some packs of cases; the
same cases are then given to models built anew for each, as the notebook does it.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_rnnequiv import judge
from pytest_rnnequiv.implementations import resolve
from pytest_rnnequiv.implementations.keras import KerasPredict, load
from pytest_rnnequiv.implementations.keras_networks import build, graph
from pytest_rnnequiv.model.network import Network
from pytest_rnnequiv.model.network_case import NetworkCase
from pytest_rnnequiv.strategies.architectures import network_packs, pool_members
from pytest_rnnequiv.suite.network_checks import pool_for


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - started

    def __str__(self) -> str:
        whole = sum(self.seconds.values())
        return ", ".join(f"{what} {100 * spent / whole:.0f} %" for what, spent in self.seconds.items())


def packs_of(network: Network, count: int, most: int) -> list[list[NetworkCase]]:
    """Draw packs of cases of a network."""
    packs: list[list[NetworkCase]] = []

    @seed(0)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(network_packs(network=network, max_size=most))
    def draw(cases: list[NetworkCase]) -> None:
        packs.append(cases)

    draw()
    return packs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=44)
    parser.add_argument("--packs", type=int, default=6)
    parser.add_argument("--pack", type=int, default=16)
    asked = parser.parse_args()
    tf, keras = load()
    networks = pool_members(**pool_for(resolve("keras-graph")) | {"count": asked.networks})
    clock, habit = Clock(), Clock()
    cases = by_habit = different = inconclusive = 0
    for network in networks:
        with clock.on("draw"):
            packs = packs_of(network, asked.packs, asked.pack)
        with clock.on("build"):
            build(network)
        with clock.on("trace"):
            run = graph(network)
            run(packs[0][0])
        for case in (case for pack in packs for case in pack):
            with clock.on("run"):
                shown = run(case)
            with clock.on("judge"):
                verdict = judge(case, shown)
            cases += 1
            different += verdict.different
            inconclusive += verdict.inconclusive
        case = packs[-1][-1]
        if case.calls[0].N:  # predict refuses an empty batch
            build.cache_clear()
            with habit.on("build, predict"):
                KerasPredict().run(case)
            by_habit += 1
    ours = sum(clock.seconds.values()) / cases
    theirs = sum(habit.seconds.values()) / by_habit
    print(f"{len(networks)} networks, {cases} cases: {different} different, {inconclusive} inconclusive")
    print(f"{1 / ours:.0f} verified cases a second, {theirs / ours:.0f} times building and predicting for each")
    print(f"time: {clock}")
    print(
        f"build and trace: {1000 * (clock.seconds['build'] + clock.seconds['trace']) / len(networks):.0f} ms a network"
    )
    print(f"Python {platform.python_version()}, Keras {keras.__version__}, TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
