"""Where the time goes when any architecture is verified: drawing, building, tracing, running, judging.

    python benchmarks/networks.py [--architectures 44] [--packs 6] [--pack 16]

Every architecture of a pool, as the default profile draws them, is built and traced once and run on some packs of
cases; the last of them is then given to a model built anew, as the notebook does it.
"""

from __future__ import annotations

import argparse
import platform

from clock import Clock
from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_rnnequiv.implementations.keras import KerasPredict, load
from pytest_rnnequiv.implementations.keras_models import build, forget, graph
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.judging.oracle import judge_all
from pytest_rnnequiv.model.case import Case
from pytest_rnnequiv.model.spec import Spec
from pytest_rnnequiv.strategies import packs
from pytest_rnnequiv.strategies.architectures import pool_members
from pytest_rnnequiv.suite.architectures import pool_for


def packs_of(spec: Spec, count: int, most: int) -> list[list[Case]]:
    """Draw packs of cases of an architecture."""
    drawn: list[list[Case]] = []

    @seed(0)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(packs(spec=spec, max_size=most))
    def draw(cases: list[Case]) -> None:
        drawn.append(cases)

    draw()
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architectures", type=int, default=44)
    parser.add_argument("--packs", type=int, default=6)
    parser.add_argument("--pack", type=int, default=16)
    asked = parser.parse_args()
    tf, keras = load()
    pool = pool_members(**pool_for(resolve("keras-graph")) | {"count": asked.architectures})
    clock, habit = Clock(), Clock()
    cases = by_habit = different = inconclusive = 0
    for spec in pool:
        with clock.on("draw"):
            drawn = packs_of(spec, asked.packs, asked.pack)
        with clock.on("build"):
            build(spec)
        with clock.on("trace"):
            run = graph(spec).run
            run(drawn[0][0])
        for pack in drawn:
            with clock.on("run"):
                shown = [run(case) for case in pack]
            with clock.on("judge"):
                verdicts = judge_all(pack, shown)
            cases += len(pack)
            different += sum(verdict.different for verdict in verdicts)
            inconclusive += sum(verdict.inconclusive for verdict in verdicts)
        case = drawn[-1][-1]
        if case.calls[0].N:  # predict refuses an empty batch
            forget()
            with habit.on("build, predict"):
                KerasPredict().run(case)
            by_habit += 1
    ours = sum(clock.seconds.values()) / cases
    theirs = sum(habit.seconds.values()) / by_habit
    print(f"{len(pool)} architectures, {cases} cases: {different} different, {inconclusive} inconclusive")
    print(f"{1 / ours:.0f} verified cases a second, {theirs / ours:.0f} times building and predicting for each")
    print(f"time: {clock}")
    made = clock.seconds["build"] + clock.seconds["trace"]
    print(f"build and trace: {1000 * made / len(pool):.0f} ms an architecture")
    print(f"Python {platform.python_version()}, Keras {keras.__version__}, TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
