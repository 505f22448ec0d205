"""Whether a right run is ever called different: any number of runs of SimpleRNN, GRU and LSTM, computed in many ways.

    python benchmarks/right_runs.py [--cases 100000] [--cell LSTM] [--keras] [--seed 0] [--out DIR]

Each run is drawn by its seed: sizes (M to 64, T to 400), the scale of the weights (contracting to chaotic), gates that
are near 0, near 1, or saturated, and how it is computed: the precision, the order of the sums, the formula of the
sigmoid and of the tanh, how a GRU mixes old and new, and what is shown. With ``--keras`` Keras computes: called, as a
graph, and compiled by XLA. A run that is called different is printed, and its case kept in DIR.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, judge

Array = Any
Sum = Callable[[Array, Array], Array]

CELLS: dict[str, tuple[dict[str, Any], ...]] = {
    "SimpleRNN": ({},),
    "GRU": ({}, {"reset_after": False}),
    "LSTM": ({},),
}
KINDS = {"float32": np.float32, "float64": np.float64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
SHOWN = ("states", "outputs", "last output")
#: Error of a table with linear interpolation, as it is declared; see `Arithmetic.table`.
TABLE_ERROR = 1e-4


# ---- the order of a sum ----


def library(a: Array, b: Array) -> Array:
    """NumPy's own product."""
    return a @ b


def one_by_one(a: Array, b: Array) -> Array:
    """Add the terms from the last to the first."""
    total = a[:, -1:] * b[-1]
    for k in range(len(b) - 2, -1, -1):
        total = total + a[:, k : k + 1] * b[k]
    return total


def pairwise(a: Array, b: Array) -> Array:
    """Add neighbours, and the sums of neighbours."""
    terms = [a[:, k : k + 1] * b[k] for k in range(len(b))]
    while len(terms) > 1:
        terms = [terms[k] + terms[k + 1] if k + 1 < len(terms) else terms[k] for k in range(0, len(terms), 2)]
    return terms[0]


SUMS: tuple[Sum, ...] = (library, one_by_one, pairwise)


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
        self.sigmoid = self._sigmoid_of_table if table else (self._by_exp, self._by_tanh)[rng.integers(2)]
        self.tanh = self._tanh_of_table if table else np.tanh
        if table:
            # An interval of 2**-5 keeps linear interpolation of tanh within max|tanh''| / 8 * 2**-10 = 9.4e-5.
            self.places = np.arange(-512, 513) / 32
            self.values = np.tanh(self.places)

    def _by_exp(self, a: Array) -> Array:
        one = self.kind(1)
        e = np.exp(-np.abs(a))
        return np.where(a >= 0, one, e) / (one + e)

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
            ones = np.ones((len(x), 1), self.kind)
            return self.matmul(np.concatenate([x, h, ones], 1), np.concatenate([Wx, Wh, bh[None]]))
        return self.matmul(x, Wx) + (self.matmul(h, Wh) + bh)

    def mixed(self, z: Array, old: Array, new: Array) -> Array:
        """Return ``z old + (1 - z) new``, in one of the three forms that are in use."""
        if self.mixing == 0:
            return z * old + (self.kind(1) - z) * new
        return new + z * (old - new) if self.mixing == 1 else z * old + (new - z * new)

    def states(self, case: Case) -> Array:
        """Compute the states of every step."""
        x, Wx, Wh, bh = (np.asarray(a).astype(self.kind) for a in (case.x, case.Wx, case.Wh, case.bh))
        cell, M = case.spec.cell, case.M
        h = np.zeros((case.N, M), self.kind)
        c = h
        every = np.empty((case.N, case.T, M), self.kind)
        for t in range(case.T):
            if cell.name == "SimpleRNN":
                h = self.tanh(self.gates(x[:, t], h, Wx, Wh, bh))
            elif cell.name == "LSTM":
                a = self.gates(x[:, t], h, Wx, Wh, bh)
                i, f, g, o = (a[:, k * M : (k + 1) * M] for k in range(4))
                c = self.sigmoid(f) * c + self.sigmoid(i) * self.tanh(g)
                h = self.sigmoid(o) * self.tanh(c)
            else:
                h = self.gru(x[:, t], h, Wx, Wh, bh, cell.reset_after)
            every[:, t] = h
        return every

    def gru(self, x: Array, h: Array, Wx: Array, Wh: Array, bh: Array, reset_after: bool) -> Array:
        """One step of a GRU."""
        M = h.shape[1]
        bias, own = bh if reset_after else (bh, np.zeros_like(bh))
        zr = self.gates(x, h, Wx[:, : 2 * M], Wh[:, : 2 * M], bias[: 2 * M] + own[: 2 * M])
        z, r = self.sigmoid(zr[:, :M]), self.sigmoid(zr[:, M:])
        xh = self.matmul(x, Wx[:, 2 * M :]) + bias[2 * M :]
        if reset_after:
            candidate = self.tanh(xh + r * (self.matmul(h, Wh[:, 2 * M :]) + own[2 * M :]))
        else:
            candidate = self.tanh(xh + self.matmul(r * h, Wh[:, 2 * M :]))
        return self.mixed(z, h, candidate)


def drawn(rng: np.random.Generator, spec: Spec, dtype: str, longest: int = 400) -> Case:
    """Draw weights and inputs, from a tame run to a chaotic one, with gates of all kinds."""
    M, T = spec.layers[0].units, int(np.exp(rng.uniform(0, np.log(longest + 0.99))))
    N = int(rng.integers(1, 4))
    radius, level = np.exp(rng.uniform(np.log(0.1), np.log(6.0))), np.exp(rng.uniform(np.log(0.01), np.log(30.0)))
    gates = len(spec.cell.gates)
    weights = []
    for name, shape in spec.weight_shapes.items():
        a = rng.standard_normal(shape)
        if name.endswith("Wh"):
            a *= radius / np.sqrt(M)
        if name.endswith("bh"):  # each gate has a level of its own: closed, open, or between
            a += np.repeat(rng.choice([-12.0, -4.0, 0.0, 4.0, 12.0], gates, p=[0.1, 0.2, 0.4, 0.2, 0.1]), M)
        weights.append(a)
    x = rng.standard_normal((N, T, spec.D)) * level
    kind = KINDS[dtype]
    return Case(spec, x=x.astype(kind), weights=[a.astype(kind) for a in weights])


def shown(case: Case, arithmetic: Arithmetic, what: str) -> Any:
    """Compute a case, and show the states too, the outputs, or the last output."""
    states = arithmetic.states(case)
    Wo, bo = (np.asarray(a).astype(arithmetic.kind) for a in (case.Wo, case.bo))
    flat = arithmetic.matmul(states.reshape(-1, case.M), Wo) + bo
    y = flat.reshape(case.N, case.T, -1)
    return {"states": Trajectory(outputs=y, states=states), "outputs": y, "last output": y[:, -1]}[what]


def numpy_runs(asked: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Draw, compute and judge."""
    for number in range(asked.seed, asked.seed + asked.cases):
        rng = np.random.default_rng(number)
        name = asked.cell or list(CELLS)[number % len(CELLS)]
        options = CELLS[name][rng.integers(len(CELLS[name]))]
        dtype = ("float32", "float32", "float64", "float16", "bfloat16")[rng.integers(5)]
        D, M, K = (int(np.exp(rng.uniform(0, np.log(most + 0.99)))) for most in (17, 64, 9))
        what = str(rng.choice(SHOWN, p=[0.96, 0.02, 0.02]))
        longest = 400 if what == "states" else max(3, 600 // M)  # an error that travels to the end is costly to follow
        case = drawn(rng, Spec.simple(D, M, K, cell=name, dtype=dtype, **options), dtype, longest)
        table = dtype == "float32" and rng.integers(4) == 0
        p = Precision.of(dtype)
        p = p.with_activation_error(TABLE_ERROR) if table else p
        with np.errstate(all="ignore"):
            answer = shown(case, Arithmetic(rng, KINDS[dtype], table), what)
        tell(number, f"{name}, {dtype}{', table' if table else ''}, {what}", case, judge(case, answer, p))


def keras_runs(asked: argparse.Namespace, tell: Callable[..., None]) -> None:
    """The same for Keras: a few models, many weights."""
    from pytest_rnnequiv.implementations.keras import build_gru, build_lstm, build_simple_rnn, load

    tf, _ = load()
    build = {"SimpleRNN": build_simple_rnn, "GRU": build_gru, "LSTM": build_lstm}
    number = asked.seed
    while number < asked.seed + asked.cases:
        rng = np.random.default_rng(number)
        name = asked.cell or list(CELLS)[rng.integers(len(CELLS))]
        options = CELLS[name][rng.integers(len(CELLS[name]))]
        D, M, K = (int(np.exp(rng.uniform(0, np.log(most + 0.99)))) for most in (17, 64, 9))
        model = build[name](None, D, M, K, return_sequences=True, **options)
        xla = tf.function(model, jit_compile=True, reduce_retracing=True)
        ways = {"called": model, "graph": tf.function(model, reduce_retracing=True), "XLA": xla}
        spec = Spec.simple(D, M, K, cell=name, **options)
        for _ in range(60):
            case = drawn(rng, spec, "float32")
            model.set_weights(case.weights)
            for way, run in ways.items():
                if way == "called" and case.T > 30:
                    continue
                x = case.x if way != "XLA" else case.x[:, : min(case.T, 9)]  # XLA compiles for each length
                cut = case.replace(x=x)
                tell(number, f"{name}, Keras {way}", cut, judge(cut, np.asarray(run(x))))
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

    def tell(number: int, row: str, case: Case, verdict: Any) -> None:
        counted.setdefault(row, Counter())[verdict.status] += 1
        if not verdict.different:
            worst[row] = max(worst.get(row, 0.0), verdict.error_over_bound or 0.0)
            return
        asked.out.mkdir(parents=True, exist_ok=True)
        case.save(asked.out / f"{number}.npz")
        print(f"DIFFERENT, seed {number}: {row}, T={case.T}, M={case.M}\n{verdict}", flush=True)

    (keras_runs if asked.keras else numpy_runs)(asked, tell)
    print(f"{sum(each.total() for each in counted.values())} runs in {time.perf_counter() - started:.0f} s\n")
    print("| | runs | equivalent | inconclusive | different | worst error over bound |\n|---|---|---|---|---|---|")
    for row in sorted(counted):
        each = counted[row]
        cells = [row, each.total(), each["equivalent"], each["inconclusive"], each["different"]]
        print("| " + " | ".join(map(str, cells)) + f" | {worst.get(row, 0):.2f} |")


if __name__ == "__main__":
    main()
