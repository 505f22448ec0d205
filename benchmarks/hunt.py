"""Look for bugs in Keras, or in our own judgement, for as long as you like: random architectures, and no pool.

    python benchmarks/hunt.py [--minutes 60] [--way keras-graph] [--seed 0] [--units 9] [--out DIR]

Every round draws some hundreds of cases of architectures with all options, activations and dtype policies together,
steers around the known divergences, and judges each. What is different is shrunk, printed with its script, and kept in
DIR. A round is told by its seed, and can be had again.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from pytest_rnnequiv import assert_equivalent, judge, strategies
from pytest_rnnequiv.divergences.keras import concerning
from pytest_rnnequiv.failures.assertion import EquivalenceError
from pytest_rnnequiv.implementations.keras import KerasCall, KerasGraph, KerasImplementation, KerasPredict, load
from pytest_rnnequiv.implementations.keras_models import forget
from pytest_rnnequiv.model.case import Case

WAYS = {kind.name: kind for kind in (KerasGraph, KerasCall, KerasPredict)}

#: Architectures of a round, and cases of each: building a model takes as long as running some dozens of cases.
ARCHITECTURES, PACK = 60, 8


def hunt(keras: KerasImplementation, round_: int, units: int, counted: Counter[str]) -> Exception | None:
    """Draw and judge one round; returns the smallest failure, or what Keras raised, if there is one."""
    supports = keras.supports
    strategy = strategies.architectures(
        options=supports.options, dtypes=supports.dtypes, activations=supports.activations, max_units=units
    ).filter(lambda spec: not concerning(spec, keras.name))

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
        for case in cases:
            shown = keras.run(case)
            verdict = judge(case, shown, keras.precision)
            counted[verdict.status] += 1
            if verdict.different:
                assert_equivalent(case, shown, keras.precision)

    try:
        look()
    except Exception as failure:
        return failure
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--way", choices=WAYS, default="keras-graph")
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--units", type=int, default=9, help="of the widest layer")
    parser.add_argument("--out", type=Path, default=Path("hunt"), help="where failing cases are kept")
    asked = parser.parse_args()
    keras = WAYS[asked.way]()
    tf, library = load()
    print(f"Keras {library.__version__}, TensorFlow {tf.__version__}, {keras.name}", flush=True)
    counted: Counter[str] = Counter()
    end, round_ = time.monotonic() + 60 * asked.minutes, asked.seed
    while time.monotonic() < end:
        failure = hunt(keras, round_, asked.units, counted)
        if failure is not None:
            if isinstance(failure, EquivalenceError):
                asked.out.mkdir(parents=True, exist_ok=True)
                failure.case.save(asked.out / f"{keras.name}-{round_}.npz")
            notes = "\n".join(getattr(failure, "__notes__", ()))
            print(f"\nround {round_}: {type(failure).__name__}: {failure}\n{notes}\n")
        print(f"round {round_}: {', '.join(f'{n} {status}' for status, n in counted.items())} so far", flush=True)
        round_ += 1
        forget()  # the models of a round are of no use to the next
        library.backend.clear_session()
        gc.collect()


if __name__ == "__main__":
    main()
