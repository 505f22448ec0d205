"""Whether a right coarse port is ever called different, by proof or by evidence: any number of runs of every kind.

    python benchmarks/coarse_ports.py --right-runs 100000 [--processes 14] [--minutes 20] [--seed 0] [--kind q15]

A *sitting* is what one pytest run is: 100 runs of one port, each on a case of its own, of which the last output is
seen. What a run does not prove is weighed, and the evidence of a sitting adds up. Each sitting has a character:
ordinary numbers, few different ones (multiples of a quarter), inputs that stay the same, states that saturate, one
model for all cases, chaos. Those are where roundings are not independent of each other.

It takes NumPy only. The time limit, or Ctrl-C, ends it in order: what there is by then is told. With `--keep FILE` each
sitting is written to a file as soon as it is over, so that nothing is lost however it ends; the same command then goes
on from there.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

from coarse import ApFixed, Fixed, FixedLSTM, FixedPort, Fp8, FullInt8, Half, Hybrid, HybridGated, table_of_tanh
from right_runs import Arithmetic

from pytest_rnnequiv import Case, Precision, Spec, Trajectory
from pytest_rnnequiv.judging.inspection import Inspection, inspection
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.judging.verdict import Verdict
from pytest_rnnequiv.mistakes.weighing import Balance, Weighed, weigh
from pytest_rnnequiv.model.pack import Apart, Pack, together
from pytest_rnnequiv.tally import EVIDENCE

Array = Any

#: Runs of a sitting.
TOGETHER = 100

#: How many of them have one shape, and are judged in one expression.
ALIKE = 10

#: Steps of a run.
LONGEST = {"SimpleRNN": 100, "GRU": 50, "LSTM": 50}

CHARACTERS = ("ordinary", "ordinary", "few numbers", "constant inputs", "saturated", "one model", "chaotic")


# ---- ports beside those of the tests ----


class Narrow(Half):
    """Kept in floats of some bits, rounded to nearest even, by integers of their last digits."""

    def __init__(self, bits: int, tiny: float, name: str) -> None:
        super().__init__(None, name)
        self.bits, self.tiny = bits, tiny

    def kept(self, a: Array) -> Array:
        wide = np.asarray(a, np.float32).astype(np.float64)
        step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(wide), self.tiny))) + 1 - self.bits)
        return (np.rint(wide / step) * step).astype(np.float32)


class NarrowFactors(Narrow, Fp8):
    """Kernels, and what they are multiplied with, in fp8 E4M3."""

    def __init__(self) -> None:
        super().__init__(4, 2.0**-6, "fp8_e4m3")


class NotTold(FixedPort):
    """States in Q0.7 that are rounded in some way, which the port does not tell."""

    def __init__(self, rounding: str) -> None:
        super().__init__(Fixed(2, 13), Fixed(0, 7, rounding))
        self.precision = Precision.fixed_point(self.weights, replace(self.states, rounding="unknown"))


class Stochastic(FixedPort):
    """States in Q0.7 that are rounded up or down at random, the nearer the likelier."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        super().__init__(Fixed(2, 13), Fixed(0, 7), wrong=None, tanh=np.tanh)
        self.precision = Precision.fixed_point(self.weights, replace(self.states, rounding="stochastic"))
        self.states = Fixed(0, 7, "floor")
        self.tanh = lambda a: np.tanh(a) + self.rng.random(np.shape(a)) / 2**7


class Throughout:
    """Everything in float16, or in float32 with tables of tanh and sigmoid: sums in any order."""

    def __init__(self, rng: np.random.Generator, half: bool) -> None:
        self.way = Arithmetic(rng, np.float16 if half else np.float32, table=not half)
        self.precision = Precision.float16 if half else Precision.float32.with_activation_error(1e-4)

    def run(self, case: Case) -> Trajectory:
        with np.errstate(all="ignore"):
            return self.way.answers([case], "states")[0]


class Int8OfSomeKind:
    """Weights on 8 bits by a rule of its own, which is not told: half a step of room for each, in float32."""

    def __init__(self, rounding: Callable[[Array], Array]) -> None:
        self.rounding = rounding

    def run(self, case: Case) -> Trajectory:
        kernels = {name: np.asarray(getattr(case, name), np.float64) for name in ("Wx", "Wh", "Wo")}
        scales = {name: np.abs(w).max() / 127 + 1e-12 for name, w in kernels.items()}
        self.precision = replace(
            Precision.float32, radius={name: 1.01 * scale for name, scale in scales.items()}, name="int8 of some kind"
        )
        rounded = {name: self.rounding(w / scales[name]) * scales[name] for name, w in kernels.items()}
        Wx, Wh, Wo = (rounded[name].astype(np.float32) for name in ("Wx", "Wh", "Wo"))
        h, states = np.zeros((case.N, case.M), np.float32), []
        for t in range(case.T):
            h = np.tanh(case.x[:, t] @ Wx + h @ Wh + case.bh)
            states.append(h)
        whole = np.stack(states, 1)
        return Trajectory(outputs=whole @ Wo + case.bo, states=whole)


class Printed:
    """A float32 port of which everything was printed to some decimals."""

    def __init__(self, decimals: int) -> None:
        self.decimals, self.precision = decimals, Precision.float32.recorded(decimals)

    def run(self, case: Case) -> Trajectory:
        rng = np.random.default_rng(case.x.size)
        half = 0.5 * 10.0**-self.decimals

        def real(a: Array) -> Array:  # one of the numbers that are printed so
            return (np.asarray(a, np.float64) + rng.uniform(-half, half, np.shape(a))).astype(np.float32)

        Wx, Wh, bh, Wo, bo = map(real, case.weights)
        x, h, states = real(case.x), np.zeros((case.N, case.M), np.float32), []
        for t in range(case.T):
            h = np.tanh(x[:, t] @ Wx + h @ Wh + bh)
            states.append(h)
        whole = np.stack(states, 1)
        return Trajectory(np.round((whole @ Wo + bo).astype(np.float64), self.decimals), states=whole)


def _with_table() -> Any:
    port = FixedPort(Fixed(3, 12), Fixed(0, 15, "floor"), Fixed(3, 12, "floor"), tanh=table_of_tanh())
    port.precision = port.precision.with_table(2.0**-11, tanh=table_of_tanh())
    return port


def _one_of(rng: np.random.Generator, *what: Any) -> Any:
    return what[rng.integers(len(what))]


def _full_int8(rng: np.random.Generator) -> Any:
    return FullInt8(scale=float(rng.choice((0.02, 0.05, 0.11))), zero=int(rng.integers(-20, 20)))


#: A port, made by a generator, and its cell.
KINDS: dict[str, tuple[Callable[[np.random.Generator], Any], str]] = {
    "dynamic range int8": (lambda rng: Hybrid(), "SimpleRNN"),
    "dynamic range int8, GRU": (lambda rng: HybridGated(), "GRU"),
    "dynamic range int8, LSTM": (lambda rng: HybridGated(), "LSTM"),
    "full int8": (_full_int8, "SimpleRNN"),
    "int16 with a table": (lambda rng: _with_table(), "SimpleRNN"),
    "q15": (lambda rng: FixedPort(Fixed(3, 12), Fixed(0, 15)), "SimpleRNN"),
    "q15, cut": (lambda rng: FixedPort(Fixed(3, 12), Fixed(0, 15, "floor"), Fixed(3, 12, "floor")), "SimpleRNN"),
    "q15, LSTM": (lambda rng: FixedLSTM(Fixed(3, 12), Fixed(0, 15, "floor"), Fixed(3, 12, "floor")), "LSTM"),
    "q7": (lambda rng: FixedPort(Fixed(2, 5), Fixed(0, 7)), "SimpleRNN"),
    "ap_fixed<16, 7>": (lambda rng: ApFixed(16, 7), "SimpleRNN"),
    "float16, sums in float32": (lambda rng: Half(np.float16, "float16_accumulated_in_float32"), "SimpleRNN"),
    "bfloat16, sums in float32": (
        lambda rng: Narrow(8, 2.0**-126, "bfloat16_accumulated_in_float32"), "SimpleRNN",
    ),
    "fp8 E4M3": (lambda rng: NarrowFactors(), "SimpleRNN"),
    "q7, rounding not told": (
        lambda rng: NotTold(_one_of(rng, "floor", "zero", "nearest-up", "nearest-even", "nearest-away")), "SimpleRNN",
    ),
    "q7, stochastic": (lambda rng: Stochastic(int(rng.integers(2**31))), "SimpleRNN"),
    "int8 of some kind": (lambda rng: Int8OfSomeKind(_one_of(rng, np.rint, np.floor, np.trunc)), "SimpleRNN"),
    "float16 throughout, SimpleRNN": (lambda rng: Throughout(rng, True), "SimpleRNN"),
    "float16 throughout, GRU": (lambda rng: Throughout(rng, True), "GRU"),
    "tables within 1e-4, SimpleRNN": (lambda rng: Throughout(rng, False), "SimpleRNN"),
    "tables within 1e-4, LSTM": (lambda rng: Throughout(rng, False), "LSTM"),
    "printed to 3 decimals": (lambda rng: Printed(3), "SimpleRNN"),
}  # fmt: skip


# ---- a sitting ----


@dataclass
class Sitting:
    """What came of one: how many runs there are of each verdict, and how far they were at most."""

    kind: str
    character: str
    seed: int = -1
    counts: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    odds: float = 0.0
    far: int = 0
    told: list[str] = field(default_factory=list)


class _FewRuns(Inspection):
    """An inspection that follows few runs of those that ties make: here the evidence is tried, and not the proof."""

    most_runs = 8


def proved(cases: Sequence[Case], shown: Sequence[Trajectory], p: Precision) -> list[Verdict]:
    """Judge cases of one shape, each by itself, in one expression where that can be."""
    with np.errstate(all="ignore"), suppress(Apart):
        if p.joins_samples or len(cases) == 1:
            raise Apart
        walk = inspection(Pack.of(cases), together(shown), p, kind=_FewRuns)
        walk.calls()
        return walk.verdicts()
    found = []
    for case, one in zip(cases, shown, strict=True):
        walk = inspection(case, one, p, kind=_FewRuns)
        walk.calls()
        with np.errstate(all="ignore"):
            found.append(walk.verdict())
    return found


def models(rng: np.random.Generator, cell: str, character: str, dtype: str) -> Iterator[tuple[Spec, int, int]]:
    """Draw models, and of how many samples and steps their inputs are; in a sitting of one model it is always that."""
    most = 24 if cell == "SimpleRNN" else 8
    while True:
        D, M, K = (
            int(np.exp(rng.uniform(np.log(low), np.log(high + 0.99)))) for low, high in ((1, 9), (2, most), (1, 5))
        )
        T, N = int(np.exp(rng.uniform(np.log(3), np.log(LONGEST[cell])))), int(rng.integers(1, 4))
        one = Spec.simple(D, M, K, cell=cell, dtype=dtype), N, T
        yield from repeat(one) if character == "one model" else [one]


def weights_of(rng: np.random.Generator, character: str, spec: Spec) -> list[Array]:
    """Draw weights."""
    radius = rng.uniform(1.5, 4.0) if character == "chaotic" else rng.uniform(0.2, 1.3)
    weights = []
    for name, shape in spec.weight_shapes.items():
        a = rng.standard_normal(shape)
        a = a * radius / math.sqrt(spec.M) if name.endswith("Wh") else 0.7 * a
        weights.append(np.round(4 * a) / 4 if character == "few numbers" else a)
    return weights


def inputs_of(rng: np.random.Generator, character: str, shape: tuple[int, ...]) -> Array:
    """Draw inputs."""
    level = 6.0 if character == "saturated" else float(np.exp(rng.uniform(-2.0, 0.7)))
    x = level * rng.standard_normal(shape)
    x = np.round(4 * x) / 4 if character == "few numbers" else x
    return np.repeat(x[:, :1], shape[1], axis=1) if character == "constant inputs" else x


def alike(rng: np.random.Generator, cell: str, character: str, dtype: str) -> Iterator[list[Case]]:
    """Draw the cases of a sitting, some of one shape at a time."""
    weights: list[Array] | None = None
    for spec, N, T in islice(models(rng, cell, character, dtype), TOGETHER // ALIKE):
        found = []
        for _ in range(ALIKE):
            if weights is None or character != "one model":
                weights = weights_of(rng, character, spec)
            found.append(Case(spec, x=inputs_of(rng, character, (N, T, spec.D)), weights=weights))
        yield found


def judged(port: Any, cases: Sequence[Case]) -> Iterator[tuple[Case, Trajectory, Precision, Verdict]]:
    """Make and judge runs of one shape; those that are no finite numbers are left out."""
    made = []
    for case in cases:
        shown = Trajectory(np.asarray(port.run(case).outputs)[:, -1])
        if np.isfinite(shown.outputs).all():
            made.append((case, shown, port.precision))
    same = all(p is made[0][2] for *_, p in made)  # else its arithmetic is that of its weights
    for group in [made] if made and same else [[one] for one in made]:
        verdicts = proved([case for case, *_ in group], [shown for _, shown, _ in group], group[0][2])
        for one, verdict in zip(group, verdicts, strict=True):
            yield *one, verdict


def sit(asked: tuple[int, str]) -> Sitting:
    """Make, judge and weigh the runs of one sitting."""
    seed, kind = asked
    rng = np.random.default_rng(seed)
    make, cell = KINDS[kind]
    character, port = _one_of(rng, *CHARACTERS), make(rng)
    found, balance = Sitting(kind, character, seed), Balance(fixed=character == "one model")
    weighed: list[tuple[Weighed, Verdict]] = []
    half = isinstance(port, Throughout) and port.precision is Precision.float16
    for cases in alike(rng, cell, character, "float16" if half else "float32"):
        for case, shown, precision, verdict in judged(port, cases):
            if verdict.different:
                found.told.append(f"DIFFERENT by proof: seed {seed}, {kind}, {character}: {verdict}")
            if not verdict.inconclusive:
                found.counts["proved" if verdict.equivalent else "different"] += 1
                continue
            one = weigh(Observation.of(case, shown), precision, balance.asked)
            if one is None:
                found.counts["inconclusive"] += 1
                continue
            balance.add(one)
            found.odds = max(found.odds, balance.right.log)
            found.far += not one.near
            weighed.append((one, verdict))
            if balance.verdict(one, verdict).different:
                found.told.append(f"DIFFERENT by evidence: seed {seed}, {kind}, {character}: {balance.sentence}")
    for one, verdict in weighed:
        last = balance.verdict(one, verdict)
        found.counts[EVIDENCE if last.equivalent else last.status] += 1
    found.worst = balance.right.worst
    return found


@dataclass
class Kept:
    """What sittings came to, by kind; each is written to a file as soon as it is over, and read again from there.

    Attributes
    ----------
    file : Path or None
        One line of JSON for each sitting.
    """

    file: Path | None
    rows: dict[str, Sitting] = field(default_factory=dict)
    seeds: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            for line in self.file.read_text().splitlines():
                with suppress(ValueError):  # the last one may have been cut off
                    made = json.loads(line)
                    self._add(Sitting(**{**made, "counts": Counter(made["counts"])}))

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return sum(row.counts.total() for row in self.rows.values())

    def add(self, one: Sitting) -> None:
        """Keep a sitting."""
        self._add(one)
        if self.file is not None:
            with self.file.open("a") as lines:
                lines.write(json.dumps({**vars(one), "counts": dict(one.counts)}) + "\n")

    def _add(self, one: Sitting) -> None:
        self.seeds.add(one.seed)
        row = self.rows.setdefault(one.kind, Sitting(one.kind, ""))
        row.counts.update(one.counts)
        row.worst, row.odds = max(row.worst, one.worst), max(row.odds, one.odds)
        row.far += one.far
        print("".join(f"{line}\n" for line in one.told), end="", flush=True)


def main(
    runs: int, processes: int, minutes: float, seed: int, wanted: str | None = None, file: Path | None = None
) -> int:
    """Make the runs, and print the table; return how many were called different."""
    kinds = [kind for kind in KINDS if wanted is None or wanted in kind]
    if not kinds:
        raise SystemExit(f"no kind has {wanted!r} in its name; there are {', '.join(KINDS)}")
    sittings, kept = -(-runs // TOGETHER), Kept(file)
    tasks = [(1_000_000 * seed + k, kinds[k % len(kinds)]) for k in range(sittings)]
    tasks = [(own, kind) for own, kind in tasks if own not in kept.seeds]
    print(f"{sittings} sittings of {TOGETHER} runs, {len(kinds)} kinds, {processes} processes, seed {seed}", flush=True)
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # of each process: they share the machine
    began = told = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        coming = pool.imap_unordered(sit, tasks)
        try:
            while time.monotonic() - began < 60 * minutes:
                if time.monotonic() - told > 15:
                    told = time.monotonic()
                    print(f"{kept.runs:,} runs in {(told - began) / 60:.1f} minutes", flush=True)
                with suppress(multiprocessing.TimeoutError):
                    kept.add(coming.next(timeout=1.0))
            print(f"the time is over: {minutes:g} minutes", flush=True)
        except StopIteration:
            pass
        except KeyboardInterrupt:
            print("stopped", flush=True)
        pool.terminate()
    _write(kept.rows, kinds, kept.runs, time.monotonic() - began)
    return sum(row.counts["different"] for row in kept.rows.values())


def _write(rows: dict[str, Sitting], kinds: list[str], done: int, seconds: float) -> None:
    print(f"\n{done:,} right runs in {seconds / 60:.1f} minutes\n")
    names = (
        "kind",
        "runs",
        "proved",
        "by evidence",
        "inconclusive",
        "different",
        "worst distance",
        "far",
        "highest odds",
    )
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    whole = Sitting("all", "")
    for row in [*(rows[kind] for kind in kinds if kind in rows), whole]:
        c = row.counts
        numbers = (c.total(), c["proved"], c[EVIDENCE], c["inconclusive"], c["different"])
        odds = f"1e{row.odds / math.log(10):.1f}" if row.odds else "1"
        cells = [row.kind, *(f"{number:,}" for number in numbers), f"{row.worst:.2g}", f"{row.far:,}", odds]
        print(f"| {' | '.join(cells)} |", flush=True)
        if row is whole:
            break
        whole.counts.update(c)
        whole.worst, whole.odds, whole.far = (
            max(whole.worst, row.worst), max(whole.odds, row.odds), whole.far + row.far
        )  # fmt: skip
