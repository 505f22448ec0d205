"""Coarse ports: how many right runs are conclusive, and how many mistakes are caught and named.

Each kind is a port in integers or narrow floats (``tests/coarse.py``) that declares how it rounds. Its right runs, and
runs of it with a mistake in its numbers, are judged by the states that it shows, and by its last output alone.

The first columns are of right runs: how many are conclusive, and how many are called different: false alarms.
"Before" is what could be declared without formats: half a step of room for every weight, and a coarser unit round-off.

    python benchmarks/coarse_ports.py [--runs 40] [--kind q15]

Whether a right port is ever called different, by proof or by evidence, over any number of runs
(``right_coarse_runs.py`` says of what kinds); it takes NumPy only:

    python benchmarks/coarse_ports.py --right-runs 100000 [--processes 14] [--minutes 20] [--seed 0] [--keep FILE]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

try:
    import ml_dtypes
except ImportError:  # which comes with TensorFlow
    ml_dtypes = None

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from coarse import (
    ApFixed,
    Fixed,
    FixedPort,
    Fp8,
    FullInt8,
    Half,
    Hybrid,
    HybridGated,
    WholeSequence,
    table_of_tanh,
)  # fmt: skip
from samples import generic

from pytest_rnnequiv import Precision, Trajectory, diagnose, judge


def with_table() -> Any:
    """Return a port in q15 whose tanh is a table."""
    port = FixedPort(Fixed(3, 12), Fixed(0, 15, "floor"), Fixed(3, 12, "floor"), tanh=table_of_tanh())
    port.precision = port.precision.with_table(2.0**-11, tanh=table_of_tanh())
    return port


#: A port, its cell, and the precision that could be declared before.
KINDS: dict[str, tuple[Callable[[], Any], str, Any]] = {
    "dynamic range int8": (Hybrid, "SimpleRNN", ("int8", 2.0**-8)),
    "dynamic range int8, GRU": (HybridGated, "GRU", ("int8", 2.0**-8)),
    "dynamic range int8, LSTM": (HybridGated, "LSTM", ("int8", 2.0**-8)),
    "full int8": (FullInt8, "SimpleRNN", ("int8", 2.0**-8)),
    "int8 by sequence": (WholeSequence, "SimpleRNN", ("int8", 2.0**-8)),
    "int8 by sequence, LSTM": (WholeSequence, "LSTM", ("int8", 2.0**-8)),
    "int16 with a table": (with_table, "SimpleRNN", (2.0**-12, 2.0**-11)),
    "q15": (lambda: FixedPort(Fixed(3, 12), Fixed(0, 15)), "SimpleRNN", (2.0**-12, 2.0**-15)),
    "q15, cut": (
        lambda: FixedPort(Fixed(3, 12), Fixed(0, 15, "floor"), Fixed(3, 12, "floor")),
        "SimpleRNN",
        (2.0**-12, 2.0**-11),
    ),
    "q7": (lambda: FixedPort(Fixed(2, 5), Fixed(0, 7)), "SimpleRNN", (2.0**-5, 2.0**-7)),
    "ap_fixed<16, 7>": (lambda: ApFixed(16, 7), "SimpleRNN", (2.0**-8, 2.0**-8)),
    "float16, sums in float32": (
        lambda: Half(np.float16, "float16_accumulated_in_float32"), "SimpleRNN", "float16",
    ),
}  # fmt: skip
if ml_dtypes is not None:
    KINDS["bfloat16, sums in float32"] = (
        lambda: Half(ml_dtypes.bfloat16, "bfloat16_accumulated_in_float32"),
        "SimpleRNN",
        "bfloat16",
    )
    KINDS["fp8 E4M3"] = (lambda: Fp8(ml_dtypes.float8_e4m3fn, "fp8_e4m3"), "SimpleRNN", (2.0**-4, 2.0**-4))


def blocks(w: Any, M: int) -> Any:
    """Exchange the first two gates; the halves of what has one."""
    out = w.copy()
    out[..., :M], out[..., M : 2 * M] = w[..., M : 2 * M], w[..., :M]
    return out


def one_channel(w: Any) -> Any:
    """Double the scale of one output unit."""
    return w * np.where(np.arange(w.shape[-1]) == 1, 2, 1).astype(w.dtype)


def is_one_channel(name: str) -> bool:
    """Whether a name is that of a scale of one output unit which is doubled."""
    return name.startswith("Wh-scale-of-unit-1") and name.endswith("-doubled")


#: What is done, and the name that is expected; of one channel where kernels have a scale for each.
MISTAKES: dict[str, tuple[str | Callable[[str], bool] | None, Callable[[Any], Any]]] = {
    "Wh transposed": ("Wh-transposed", lambda c: c.replace(Wh=np.concatenate([g.T for g in gates(c.Wh)], 1))),
    "bias dropped": ("bh-dropped", lambda c: c.replace(bh=0 * c.bh)),
    "scale of Wh by 2": ("Wh-doubled", lambda c: c.replace(Wh=2 * c.Wh)),
    "one channel by 2": (is_one_channel, lambda c: c.replace(Wh=one_channel(c.Wh))),
    "gates exchanged": (None, lambda c: c.replace(Wh=blocks(c.Wh, c.M)) if c.Wh.shape[1] > c.M else None),
    "time reversed": ("time-reversed", lambda c: c.replace(x=c.x[:, ::-1])),
}


def gates(w: Any) -> Any:
    return np.split(w, w.shape[1] // w.shape[0], axis=1)


def has_name(known: Any, p: Precision) -> bool:
    """Whether the catalogue, or the declaration, has a name for a mistake."""
    by_channel = getattr(p.formats.get("Wh"), "per", "") == "channel"
    return by_channel if callable(known) else known is not None


def before(declared: Any, case: Any) -> Precision:
    """What could be declared without formats."""
    if isinstance(declared, str):
        return Precision.of(declared)
    step, error = declared
    steps = {name: np.abs(getattr(case, name)).max(0) / 127 if step == "int8" else step for name in ("Wx", "Wh", "Wo")}
    radius = {name: 0.5 * np.asarray(each) for name, each in steps.items()}
    return replace(Precision.float32.with_activation_error(error), radius=radius, operand=error)


def shows(port: Any, case: Any) -> dict[str, Trajectory]:
    shown = port.run(case)
    last = port.last(case) if hasattr(port, "last") else shown.outputs[:, -1]
    return {"states": shown, "last": Trajectory(last)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--kind", help="only kinds whose name has this in it")
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--named", type=int, default=1, help="of how many runs each mistake has to be named")
    parser.add_argument("--right-runs", type=int, help="make so many right runs, of all kinds, and nothing else")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which right runs end in order")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="where each sitting of right runs is kept at once")
    arguments = parser.parse_args()
    if arguments.right_runs:
        import right_coarse_runs

        a = arguments
        sys.exit(right_coarse_runs.main(a.right_runs, a.processes, a.minutes, a.seed, a.kind, a.keep) > 0)
    print(f"{arguments.runs} runs of each kind, M = {arguments.units}, T = {arguments.steps}, D = 8, N = 1")
    print(f"{'':27}{'shown':8}{'conclusive':>11}{'before':>8}{'alarms':>8}{'caught':>9}{'named':>8}{'seconds':>9}")
    for name, (make, cell, declared) in KINDS.items():
        if arguments.kind and arguments.kind not in name:
            continue
        start, counts = time.perf_counter(), Counter[Any]()
        for seed in range(arguments.runs):
            sizes = {"N": 1, "T": arguments.steps, "M": arguments.units, "D": 8, "K": 3}
            case, port = generic(seed, cell=cell, scale=0.5, radius=0.9, **sizes), make()
            right = shows(port, case)
            for way, shown in right.items():
                status = judge(case, shown, port.precision).status
                counts[way, "conclusive"] += status != "inconclusive"
                counts[way, "alarms"] += status == "different"
                counts[way, "before"] += judge(case, shown, before(declared, case)).status == "equivalent"
            for known, change in MISTAKES.values():
                wrong = change(case)
                if wrong is None:
                    continue
                for way, shown in shows(make(), wrong).items():
                    counts[way, "made"] += 1
                    counts[way, "caught"] += judge(case, shown, port.precision).different
                    if seed < arguments.named and has_name(known, port.precision):
                        found = diagnose(case, shown, port.precision).explanations
                        named = [each.name == known if isinstance(known, str) else known(each.name) for each in found]
                        counts[way, "to name"] += 1
                        counts[way, "named"] += any(named)
        for way in right:
            c = {
                key: counts[way, key]
                for key in ("conclusive", "before", "alarms", "made", "caught", "to name", "named")
            }
            named = f"{c['named'] / c['to name']:.0%}" if c["to name"] else "-"
            of, took = arguments.runs, time.perf_counter() - start
            print(
                f"{name if way == 'states' else '':27}{way:8}{c['conclusive'] / of:>11.0%}{c['before'] / of:>8.0%}"
                f"{c['alarms']:>8}{c['caught'] / c['made']:>9.1%}{named:>8}{took:>9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
