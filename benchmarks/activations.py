"""How much of the room for an activation's own error correct runtimes use: the worst share of it, by dtype and path.

    python benchmarks/activations.py [--dtype float32] [--count 60000]

The paths are Keras's eager functions, a compiled ``Dense`` (where TensorFlow may fuse product, bias and activation
into one kernel of oneDNN, which has approximations of its own), and XLA. A share above 1 would be a false alarm, unless
it is one of the known divergences: ``gelu`` and ``leaky_relu`` in float64.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.arithmetic.precision import Precision
from pytest_rnnequiv.implementations.keras import load

Function = Callable[[Any], Any]
DTYPES = ("float32", "float16", "bfloat16", "float64")


def arguments(count: int, whole_axis: bool) -> np.ndarray:
    """Draw arguments of all sizes, most of them where functions bend; for functions of the whole axis, axes of 17."""
    rng = np.random.default_rng(0)
    a = np.concatenate(
        [
            np.linspace(-8, 8, count),
            3 * rng.standard_normal(count),
            30 * rng.standard_normal(count // 3),
            10 ** rng.uniform(-8, 2, count // 3) * rng.choice([-1, 1], count // 3),
        ]
    )
    if not whole_axis:
        return a[:, None]
    rng.shuffle(a)
    return a[: len(a) // 17 * 17].reshape(-1, 17)


def paths(tf: Any, function: Function, width: int, dtype: str) -> Iterator[tuple[str, Function]]:
    """Name the ways in which TensorFlow may compute the function."""
    weights, bias = tf.eye(width, dtype=dtype), tf.zeros(width, dtype)
    yield "eager", function
    yield "dense", tf.function(lambda x: function(tf.nn.bias_add(tf.matmul(x, weights), bias)), autograph=False)
    yield "XLA", tf.function(function, jit_compile=True, autograph=False)


def share(f: Activation, p: Precision, a: np.ndarray, got: np.ndarray) -> float:
    """Return the worst error as a share of what is allowed."""
    with np.errstate(all="ignore"):
        value = f.function(a)
        allowed = f.error(p, a, value)
        off = np.abs(got - value)
        ratio = np.where((off == 0) | np.isinf(allowed), 0.0, off / allowed)
    return float(np.where(np.isnan(ratio), np.inf, ratio).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="may be given several times; default: all")
    parser.add_argument("--count", type=int, default=60_000, help="arguments between -8 and 8")
    options = parser.parse_args()
    tf, keras = load()
    print(f"Keras {keras.__version__}, TensorFlow {tf.__version__}, {platform.machine()}")
    for dtype in options.dtype or DTYPES:
        p = Precision.of(dtype)
        for name, f in ACTIVATIONS.items():
            if f.name != name or name == "sparsemax":
                continue  # another name of it, or another function in Keras
            drawn = tf.cast(tf.constant(arguments(options.count, f.per_term is not None)), dtype)
            a = tf.cast(drawn, "float64").numpy()
            shares = [
                f"{path} {share(f, p, a, tf.cast(run(drawn), 'float64').numpy()):.2f}"
                for path, run in paths(tf, getattr(keras.activations, name), a.shape[1], dtype)
            ]
            print(f"{dtype:9}{name:13}", *shares, sep="  ", flush=True)


if __name__ == "__main__":
    main()
