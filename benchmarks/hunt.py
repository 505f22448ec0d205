"""Look for bugs in a runtime, or in our own judgement, for as long as you like: random architectures, and no pool.

    python benchmarks/hunt.py [--minutes 60] [--runtime keras-graph] [--seed 0] [--units 9] [--out DIR]

Every round draws some hundreds of cases of architectures with all options, activations and dtypes together that the
runtime declares, steers around its known divergences, and judges each. What is different is shrunk, printed with its
script, and kept in DIR; of what ends or hangs a runtime nothing is kept. A round is told by its seed, and can be had
again.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_rnnequiv import assert_equivalent, judge, strategies
from pytest_rnnequiv.divergences.known import concerning
from pytest_rnnequiv.failures.assertion import EquivalenceError
from pytest_rnnequiv.implementations.errors import Declined
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.model.case import Case
from pytest_rnnequiv.suite.drawing import heeding

#: Architectures of a round, and cases of each: building a model takes as long as running some dozens of cases.
ARCHITECTURES, PACK = 60, 8


class Found:
    """What the rounds have shown: verdicts by their status, and the worst error over its bound."""

    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.worst = 0.0

    def __str__(self) -> str:
        return ", ".join(f"{n} {status}" for status, n in self.counted.items()) + f", worst {self.worst:.2f}"


def hunt(port: Port, round_: int, units: int, found: Found) -> Exception | None:
    """Draw and judge one round; returns the smallest failure, or what the runtime raised, if there is one."""
    supports = port.supports
    strategy = strategies.architectures(**supports.drawn(), max_units=units).filter(
        lambda spec: supports.takes(spec) and not concerning(spec, port.diverges_as)
    )

    @seed(round_)
    @settings(
        max_examples=ARCHITECTURES,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(strategies.packs(spec=strategy, max_size=PACK))
    def look(cases: list[Case]) -> None:
        for drawn in cases:
            case = heeding(drawn, supports)
            if not supports.accepts(case) or concerning(case, port.diverges_as):
                continue
            try:
                shown = port.run(case)
            except Declined:
                continue
            verdict = judge(case, shown, port.precision)
            found.counted[verdict.status] += 1
            if verdict.different:
                assert_equivalent(case, shown, port.precision)
            if verdict.equivalent:
                found.worst = max(found.worst, verdict.error_over_bound)

    try:
        look()
    except Exception as failure:
        return failure
    return None


def forget(port: Port) -> None:
    """Let go of the models of a round, which are of no use to the next; a runtime in a process of its own does."""
    if port.runtime is not None and not port.runtime.isolated and port.runtime.builds_models:
        import keras

        from pytest_rnnequiv.implementations.keras_models import forget

        forget()
        keras.backend.clear_session()
    gc.collect()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--runtime", choices=BUILT_IN, default="keras-graph", help="the runtime, by its name")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--units", type=int, default=9, help="of the widest layer")
    parser.add_argument("--out", type=Path, default=Path("hunt"), help="where failing cases are kept")
    asked = parser.parse_args()
    port = resolve(asked.runtime)
    versions = ", ".join(f"{library} {version}" for library, version in port.versions().items())
    print(f"{asked.runtime}: {versions}", flush=True)
    found = Found()
    end, round_ = time.monotonic() + 60 * asked.minutes, asked.seed
    while time.monotonic() < end:
        failure = hunt(port, round_, asked.units, found)
        if failure is not None:
            if isinstance(failure, EquivalenceError):
                asked.out.mkdir(parents=True, exist_ok=True)
                failure.case.save(asked.out / f"{asked.runtime}-{round_}.npz")
            notes = "\n".join(getattr(failure, "__notes__", ()))
            print(f"\nround {round_}: {type(failure).__name__}: {failure}\n{notes}\n")
        print(f"round {round_}: {found} so far", flush=True)
        round_ += 1
        forget(port)
    port.close()


if __name__ == "__main__":
    main()
