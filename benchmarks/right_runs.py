"""Whether a right run is ever called different: any number of runs of SimpleRNN, GRU and LSTM, computed in many ways.

    python benchmarks/right_runs.py [--cases 100000] [--cell LSTM] [--keras] [--seed 0] [--out DIR]

Each seed draws a group of runs: sizes (M to 64, T to 400), and how they are computed: the precision, the order of the
sums, the formula of the sigmoid and of the tanh, how a GRU mixes old and new, and what is shown. Each run of a group
has a scale of the weights (contracting to chaotic) and of the inputs, and gates near 0, near 1, or saturated, of its
own. A group is computed and judged in one expression. With ``--keras`` Keras computes: called, as a graph, and compiled
by XLA. A run that is called different is printed, and its case kept in DIR.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pytest_rnnequiv import Case, Precision, Spec, Trajectory
from pytest_rnnequiv.judging.oracle import judge_all

try:
    from ml_dtypes import bfloat16
except ImportError:  # which comes with TensorFlow: without it, there are no runs in bfloat16
    bfloat16 = None

Array = Any
Sum = Callable[[Array, Array], Array]
Tell = Callable[[int, str, list[Case], list[Any]], None]

CELLS: dict[str, tuple[dict[str, Any], ...]] = {
    "SimpleRNN": ({},),
    "GRU": ({}, {"reset_after": False}),
    "LSTM": ({},),
}
KINDS = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": bfloat16}
SHOWN = ("states", "outputs", "last output")
#: Error of a table with linear interpolation, as it is declared; see `Arithmetic.table`.
TABLE_ERROR = 1e-4
#: Runs of a group.
TOGETHER = 24


# ---- the order of a sum: samples (runs, N, F) times weights (runs, F, M) ----


def library(a: Array, b: Array) -> Array:
    """NumPy's own product."""
    return a @ b


def one_by_one(a: Array, b: Array) -> Array:
    """Add the terms from the last to the first."""
    total = a[..., -1:] * b[:, -1:]
    for k in range(b.shape[1] - 2, -1, -1):
        total = total + a[..., k : k + 1] * b[:, k : k + 1]
    return total


def pairwise(a: Array, b: Array) -> Array:
    """Add neighbours, and the sums of neighbours."""
    terms = [a[..., k : k + 1] * b[:, k : k + 1] for k in range(b.shape[1])]
    while len(terms) > 1:
        terms = [terms[k] + terms[k + 1] if k + 1 < len(terms) else terms[k] for k in range(0, len(terms), 2)]
    return terms[0]


def blocked(a: Array, b: Array) -> Array:
    """Sum up blocks of four, the last first, and then their sums."""
    total = np.zeros((*a.shape[:2], b.shape[-1]), a.dtype)
    for first in reversed(range(0, b.shape[1], 4)):
        total = total + one_by_one(a[..., first : first + 4], b[:, first : first + 4])
    return total


def fused(a: Array, b: Array) -> Array:
    """Round once where a product is added (FMA); in numbers that have wider ones."""
    wider = np.float64 if a.dtype.itemsize < 8 else np.longdouble
    total = np.zeros((*a.shape[:2], b.shape[-1]), a.dtype)
    for k in range(b.shape[1]):
        total = (total.astype(wider) + a[..., k : k + 1].astype(wider) * b[:, k : k + 1]).astype(a.dtype)
    return total


SUMS: tuple[Sum, ...] = (library, one_by_one, pairwise, blocked, fused)


class Arithmetic:
    """One way of computing, drawn at random.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : type
        The numbers to compute in.
    table : bool
        Whether sigmoid and tanh are read from a table.
    """

    def __init__(self, rng: np.random.Generator, kind: Any, table: bool) -> None:
        self.kind = kind
        self.matmul = SUMS[rng.integers(len(SUMS))]
        self.joined, self.mixing = bool(rng.integers(2)), int(rng.integers(3))
        ways = (self._by_exp, self._by_tanh, self._by_log)
        self.sigmoid = self._sigmoid_of_table if table else ways[rng.integers(len(ways))]
        self.tanh = self._tanh_of_table if table else (np.tanh, self._tanh_by_exp)[rng.integers(2)]
        if table:
            # An interval of 2**-5 keeps linear interpolation of tanh within max|tanh''| / 8 * 2**-10 = 9.4e-5.
            self.places = np.arange(-512, 513) / 32
            self.values = np.tanh(self.places)

    def _by_exp(self, a: Array) -> Array:
        one = self.kind(1)
        e = np.exp(-np.abs(a))
        return np.where(a >= 0, one, e) / (one + e)

    def _by_log(self, a: Array) -> Array:
        return np.exp(-np.logaddexp(self.kind(0), -a)) if self.kind is not bfloat16 else self._by_exp(a)

    def _tanh_by_exp(self, a: Array) -> Array:
        e = np.exp(self.kind(-2) * np.abs(a))
        return np.copysign((self.kind(1) - e) / (self.kind(1) + e), a)

    def _by_tanh(self, a: Array) -> Array:
        half = self.kind(0.5)
        return half * np.tanh(half * a) + half

    def _tanh_of_table(self, a: Array) -> Array:
        return np.interp(a, self.places, self.values).astype(self.kind)

    def _sigmoid_of_table(self, a: Array) -> Array:
        half = self.kind(0.5)
        return half * self._tanh_of_table(half * a) + half

    def gates(self, x: Array, h: Array, Wx: Array, Wh: Array, bh: Array) -> Array:
        """Arguments of gates: one sum of all terms, or the sum of two."""
        if self.joined:
            ones = np.ones((*x.shape[:2], 1), self.kind)
            return self.matmul(np.concatenate([x, h, ones], -1), np.concatenate([Wx, Wh, bh], 1))
        return self.matmul(x, Wx) + (self.matmul(h, Wh) + bh)

    def mixed(self, z: Array, old: Array, new: Array) -> Array:
        """Return ``z old + (1 - z) new``, in one of the three forms that are in use."""
        if self.mixing == 0:
            return z * old + (self.kind(1) - z) * new
        return new + z * (old - new) if self.mixing == 1 else z * old + (new - z * new)

    def stacked(self, arrays: list[Array]) -> Array:
        """The same array of all runs, in the numbers that are computed with."""
        return np.stack(arrays).astype(self.kind)

    def states(self, cases: list[Case]) -> Array:
        """Compute the states of every step of all cases: ``(runs, N, T, M)``."""
        x, Wx, Wh, bh = (self.stacked([getattr(case, name) for case in cases]) for name in ("x", "Wx", "Wh", "bh"))
        cell, M = cases[0].spec.cell, cases[0].M
        every = np.empty((*x.shape[:3], M), self.kind)
        h = np.zeros((*x.shape[:2], M), self.kind)
        c = h
        bh = bh[..., None, :]  # beside the samples
        for t in range(cases[0].T):
            if cell.name == "SimpleRNN":
                h = self.tanh(self.gates(x[:, :, t], h, Wx, Wh, bh))
            elif cell.name == "LSTM":
                i, f, g, o = np.split(self.gates(x[:, :, t], h, Wx, Wh, bh), 4, -1)
                c = self.sigmoid(f) * c + self.sigmoid(i) * self.tanh(g)
                h = self.sigmoid(o) * self.tanh(c)
            else:
                h = self.gru(x[:, :, t], h, Wx, Wh, bh, cell.reset_after)
            every[:, :, t] = h
        return every

    def gru(self, x: Array, h: Array, Wx: Array, Wh: Array, bh: Array, reset_after: bool) -> Array:
        """One step of a GRU."""
        M = h.shape[-1]
        bias, own = (bh[:, 0], bh[:, 1]) if reset_after else (bh, np.zeros_like(bh))
        zr = self.gates(x, h, Wx[..., : 2 * M], Wh[..., : 2 * M], bias[..., : 2 * M] + own[..., : 2 * M])
        z, r = self.sigmoid(zr[..., :M]), self.sigmoid(zr[..., M:])
        xh = self.matmul(x, Wx[..., 2 * M :]) + bias[..., 2 * M :]
        if reset_after:
            candidate = self.tanh(xh + r * (self.matmul(h, Wh[..., 2 * M :]) + own[..., 2 * M :]))
        else:
            candidate = self.tanh(xh + self.matmul(r * h, Wh[..., 2 * M :]))
        return self.mixed(z, h, candidate)

    def answers(self, cases: list[Case], what: str) -> list[Any]:
        """Compute all cases, and show the states too, the outputs, or the last output."""
        states = self.states(cases)
        flat = states.reshape(len(cases), -1, states.shape[-1])
        Wo, bo = (self.stacked([getattr(case, name) for case in cases]) for name in ("Wo", "bo"))
        every = (self.matmul(flat, Wo) + bo[:, None]).reshape(*states.shape[:3], -1)
        if what == "states":
            return [Trajectory(outputs=y, states=h) for y, h in zip(every, states, strict=True)]
        return list(every if what == "outputs" else every[:, :, -1])


def drawn(rng: np.random.Generator, spec: Spec, dtype: str, longest: int = 400, many: int = TOGETHER) -> list[Case]:
    """Draw cases of one shape: each from a tame one to a chaotic one, with gates of all kinds."""
    T, N = int(np.exp(rng.uniform(0, np.log(longest + 0.99)))), int(rng.integers(1, 4))
    return [_one_drawn(rng, spec, dtype, N, T) for _ in range(many)]


def _one_drawn(rng: np.random.Generator, spec: Spec, dtype: str, N: int, T: int) -> Case:
    M, gates = spec.layers[0].units, len(spec.cell.gates)
    radius, level = np.exp(rng.uniform(np.log(0.1), np.log(6.0))), np.exp(rng.uniform(np.log(0.01), np.log(30.0)))
    weights = []
    for name, shape in spec.weight_shapes.items():
        a = rng.standard_normal(shape)
        if name.endswith("Wh"):
            a *= radius / np.sqrt(M)
        if name.endswith("bh"):  # each gate has a level of its own: closed, open, or between
            a += np.repeat(rng.choice([-12.0, -4.0, 0.0, 4.0, 12.0], gates, p=[0.1, 0.2, 0.4, 0.2, 0.1]), M)
        weights.append(a)
    kind = KINDS[dtype]
    x = (rng.standard_normal((N, T, spec.D)) * level).astype(kind)
    return Case(spec, x=x, weights=[a.astype(kind) for a in weights])


def numpy_runs(asked: argparse.Namespace, tell: Tell) -> None:
    """Draw, compute and judge."""
    for number in range(asked.seed, asked.seed + -(-asked.cases // TOGETHER)):
        rng = np.random.default_rng(number)
        name = asked.cell or list(CELLS)[number % len(CELLS)]
        options = CELLS[name][rng.integers(len(CELLS[name]))]
        dtype = ("float32", "float32", "float64", "float16", "bfloat16")[rng.integers(5)]
        D, M, K = (int(np.exp(rng.uniform(0, np.log(most + 0.99)))) for most in (17, 64, 9))
        what = str(rng.choice(SHOWN, p=[0.96, 0.02, 0.02]))
        longest = 400 if what == "states" else max(3, 600 // M)  # an error that travels to the end is costly to follow
        cases = drawn(rng, Spec.simple(D, M, K, cell=name, dtype=dtype, **options), dtype, longest)
        table = dtype == "float32" and rng.integers(4) == 0
        p = Precision.of(dtype)
        p = p.with_activation_error(TABLE_ERROR) if table else p
        with np.errstate(all="ignore"):
            answers = Arithmetic(rng, KINDS[dtype], table).answers(cases, what)
        row = f"{name}, {dtype}{', table' if table else ''}, {what}"
        tell(number, row, cases, judge_all(cases, answers, p))


def keras_runs(asked: argparse.Namespace, tell: Tell) -> None:
    """The same for Keras: a few models, many weights."""
    from pytest_rnnequiv.implementations.keras import build_gru, build_lstm, build_simple_rnn, load

    tf, _ = load()
    build = {"SimpleRNN": build_simple_rnn, "GRU": build_gru, "LSTM": build_lstm}
    number = asked.seed
    done = 0
    while done < asked.cases:
        rng = np.random.default_rng(number)
        name = asked.cell or list(CELLS)[number % len(CELLS)]
        options = CELLS[name][rng.integers(len(CELLS[name]))]
        D, M, K = (int(np.exp(rng.uniform(0, np.log(most + 0.99)))) for most in (17, 64, 9))
        model = build[name](None, D, M, K, return_sequences=True, **options)
        xla = tf.function(model, jit_compile=True, reduce_retracing=True)
        ways = {"called": model, "graph": tf.function(model, reduce_retracing=True), "XLA": xla}
        spec = Spec.simple(D, M, K, cell=name, **options)
        for way, run in ways.items():
            # What is called is slow, and XLA compiles for each length.
            cases = drawn(rng, spec, "float32", {"called": 30, "graph": 400, "XLA": 9}[way])
            answers = []
            for case in cases:
                model.set_weights(case.weights)
                answers.append(np.asarray(run(case.x)))
            tell(number, f"{name}, Keras {way}", cases, judge_all(cases, answers))
            done += len(cases)
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--cell", choices=CELLS, help="one only; all in turn if left out")
    parser.add_argument("--keras", action="store_true", help="have Keras compute")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("right_runs"))
    asked = parser.parse_args()
    counted: dict[str, Counter[str]] = {}
    worst: dict[str, float] = {}
    started = time.perf_counter()

    def tell(number: int, row: str, cases: list[Case], verdicts: list[Any]) -> None:
        for k, (case, verdict) in enumerate(zip(cases, verdicts, strict=True)):
            counted.setdefault(row, Counter())[verdict.status] += 1
            if not verdict.different:
                worst[row] = max(worst.get(row, 0.0), verdict.error_over_bound or 0.0)
                continue
            asked.out.mkdir(parents=True, exist_ok=True)
            case.save(asked.out / f"{number}-{k}.npz")
            print(f"DIFFERENT, seed {number}, run {k}: {row}, T={case.T}, M={case.M}\n{verdict}", flush=True)

    with suppress(KeyboardInterrupt):  # what there is by then is told
        (keras_runs if asked.keras else numpy_runs)(asked, tell)
    print(f"{sum(each.total() for each in counted.values())} runs in {time.perf_counter() - started:.0f} s\n")
    print("| | runs | equivalent | inconclusive | different | worst error over bound |\n|---|---|---|---|---|---|")
    for row in sorted(counted):
        each = counted[row]
        cells = [row, each.total(), each["equivalent"], each["inconclusive"], each["different"]]
        print("| " + " | ".join(map(str, cells)) + f" | {worst.get(row, 0):.2f} |")


if __name__ == "__main__":
    main()
