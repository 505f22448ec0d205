"""Cases for the tests: hand-made, small, and without symmetries, so that every mistake shows."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import LSTM, RNN, Bidirectional, Call, Case, Dense, SimpleRNN, Spec, Trajectory

SCALES = {"Wx": 0.8, "Wh": 0.9, "bh": 0.7, "Wo": 1.0, "bo": 0.6}


def generic(
    seed: int = 0,
    *,
    N: int = 3,
    T: int = 5,
    D: int = 3,
    M: int = 4,
    K: int = 2,
    scale: float = 1.0,
    radius: float | None = None,
    **options: Any,
) -> Case:
    """Make a case of the notebook's model of which all numbers differ.

    Parameters
    ----------
    scale : float
        Of the inputs.
    radius : float, optional
        Spectral radius of ``Wh``, roughly (the circular law).
    **options
        Of the spec; ``h0=True`` and ``mask=True`` add these to the case.
    """
    h0, mask = options.pop("h0", False), options.pop("mask", False)
    rng = np.random.default_rng(seed)
    spec = Spec.simple(D, M, K, **options)
    numbers: dict[str, Any] = {
        letter: SCALES[letter] * rng.standard_normal(spec.weight_shapes[name]) for letter, name in spec.letters.items()
    }
    if radius is not None:
        numbers["Wh"] *= radius / (SCALES["Wh"] * np.sqrt(M))
    if h0:
        numbers["h0"] = rng.standard_normal((N, M))
    if mask:
        numbers["mask"] = rng.random((N, T)) < 0.6
    return Case(spec, 1.3 * scale * rng.standard_normal((N, T, D)), **numbers)


def filled(spec: Spec, seed: int = 0, *, N: int = 3, T: int = 5, calls: int = 1, resets: Any = ()) -> Case:
    """Put numbers into any spec, of which all differ; a mask holds some steps, in every sample others.

    Parameters
    ----------
    N, T : int
        Samples and steps, where the spec leaves them open.
    resets : collection of int
        The calls before which the states are reset.
    """
    rng = np.random.default_rng(seed)
    weights = [0.8 * rng.standard_normal(shape) for shape in spec.weight_shapes.values()]
    N, T = spec.N or N, spec.T or T
    made = []
    for c in range(calls):
        mask = rng.random((N, T)) < 0.65
        mask[:1, 0] = T == 1
        mask[:1, 1:2] = True
        mask[-1:, -1] = False
        mask[1:2, 2:3] = True
        if spec.embedded:
            x: Any = rng.integers(1, spec.vocabulary, (N, T))
            x[~mask] = 0
        else:
            x = 1.3 * rng.standard_normal((N, T, spec.D))
        if spec.source == "masking":
            x[~mask] = spec.mask_value
            x[1:2, 2:3, 0] = spec.mask_value
            x[-1:, :1] = spec.mask_value + 2e-4  # near, and not masked
        states = tuple(rng.standard_normal(shape) for shape in spec.state_shapes(N))
        made.append(Call(x, mask if spec.source == "mask" else None, states, c in resets))
    return Case(spec, weights=weights, calls=made)


def sequences(units: Any = 3, **options: Any) -> RNN:
    """A layer that returns sequences: of several units, one of a stack of cells."""
    kind = RNN if isinstance(units, tuple) else SimpleRNN
    return kind(units, return_sequences=True, **options)


def both(units: Any = 3, merge_mode: str | None = "concat", **options: Any) -> Bidirectional:
    """The same in both directions."""
    return Bidirectional(sequences(units, **options), merge_mode=merge_mode)


def summed(left: Any, right: Any, rng: np.random.Generator) -> Any:
    """Return ``left @ right`` added up in a random tree, every operation rounded to the arrays' own numbers."""
    products = [left[..., i, None] * right[i] for i in rng.permutation(len(right))]
    while len(products) > 1:
        i = int(rng.integers(len(products) - 1))
        products[i] = products[i] + products.pop(i + 1)
    return products[0]


def rounded_run(case: Case, rng: np.random.Generator, dtype: Any = np.float32) -> Trajectory:
    """Compute the recurrence in a dtype, each sum in an order of its own."""
    x, Wx, Wh, bh, Wo, bo = (a.astype(dtype) for a in (case.x, *case.weights))
    h = np.zeros((case.N, case.M), dtype) if case.h0 is None else case.h0.astype(dtype)
    states, outputs = [], []
    one = np.ones((case.N, 1), dtype)
    f: dict[str, Any] = {"tanh": np.tanh, "relu": lambda a: np.maximum(a, 0), "linear": lambda a: a}
    act = f.get(case.spec.activation.name, case.spec.activation.function)
    with np.errstate(all="ignore"):
        for t in range(case.T):
            new = act(summed(np.concatenate([case.x[:, t].astype(dtype), h, one], 1), np.vstack([Wx, Wh, bh]), rng))
            new = new.astype(dtype)
            h = new if case.mask is None else np.where(case.mask[:, t, None], new, h)
            states.append(h)
            begun = True if case.mask is None else case.mask[:, : t + 1].any(1, keepdims=True)
            outputs.append(summed(np.concatenate([np.where(begun, h, dtype(0)), one], 1), np.vstack([Wo, bo]), rng))
    assert x.dtype == outputs[0].dtype == dtype
    return Trajectory(np.stack(outputs, 1), np.stack(states, 1))


#: One case, at least, in which each mistake can be made and shows.
NETWORKS: dict[str, Case] = {
    "stack": filled(Spec(3, (sequences(3), SimpleRNN(3)), Dense(2)), 1),
    "stack of sequences": filled(Spec(4, (sequences(3), sequences(4, activation="relu")), Dense(2)), 2),
    "three": filled(Spec(3, (sequences(3), sequences(3), SimpleRNN(3)), Dense(3, "softmax")), 3),
    "backwards": filled(Spec(3, (sequences(3, go_backwards=True),), Dense(2, "softmax")), 4),
    "masked backwards": filled(Spec(3, (sequences(4, go_backwards=True), sequences(2)), Dense(2), source="mask"), 5),
    "masking": filled(
        Spec(3, (sequences(3, zero_output_for_mask=True), SimpleRNN(2)), Dense(2), source="masking", mask_value=0.5), 6
    ),
    "masked": filled(Spec(3, (sequences(3), SimpleRNN(2, return_state=True)), source="mask"), 7),
    "states": filled(Spec(3, (sequences(4, initial_state=True, return_state=True), sequences(2)), source="mask"), 8),
    "states of two": filled(
        Spec(3, (sequences(4, initial_state=True), SimpleRNN(4, initial_state=True, return_state=True))), 29
    ),
    "embedding": filled(Spec(3, (SimpleRNN(4),), Dense(2), source="embedding"), 9),
    "embedding with mask": filled(Spec(3, (both(2), SimpleRNN(3)), Dense(2), source="embedding with mask"), 10),
    "both": filled(Spec(3, (both(3),), Dense(2)), 11),
    "both, last": filled(Spec(3, (Bidirectional(SimpleRNN(3)),), Dense(2)), 12),
    "both, sum": filled(Spec(3, (both(3, "sum"), SimpleRNN(3)), Dense(2)), 13),
    "both, mul": filled(Spec(3, (both(3, "mul"),)), 14),
    "both, apart": filled(Spec(3, (both(3, None, return_state=True),)), 15),
    "both, masked": filled(Spec(3, (both(3), both(2, "ave")), Dense(2), source="mask"), 16),
    "both, states": filled(Spec(3, (both(3, initial_state=True, return_state=True),)), 17),
    "both, masked, states": filled(Spec(3, (both(3, return_state=True),), source="mask"), 28),
    "cells": filled(Spec(3, (sequences((3, 3)),), Dense(2)), 18),
    "cells, states": filled(Spec(3, (sequences((3, 3), initial_state=True, return_state=True),)), 19),
    "cells, both": filled(Spec(3, (both((2, 3)),), Dense(2)), 20),
    "stateful": filled(Spec(3, (sequences(3, stateful=True), SimpleRNN(2, stateful=True)), Dense(2), N=3), 21, calls=3),
    "stateful, reset": filled(Spec(3, (SimpleRNN(3, stateful=True),), Dense(2), N=3), 22, calls=3, resets=(1,)),
    "stateful, given": filled(Spec(3, (SimpleRNN(3, stateful=True, initial_state=True),), Dense(2), N=3), 23, calls=2),
    "two calls": filled(Spec(3, (sequences(3), SimpleRNN(2)), Dense(2)), 24, calls=2),
    "dropout": filled(
        Spec(3, (sequences(3, dropout=0.3, recurrent_dropout=0.25), SimpleRNN(2, dropout=0.5)), Dense(2)), 25
    ),
    "linear head": filled(Spec(3, (SimpleRNN(3),), Dense(4, "softmax")), 26),
    "both, each its own": filled(
        Spec(3, (Bidirectional(sequences(3), sequences(3, activation="sigmoid")),), Dense(2)), 30
    ),
    **{
        name: filled(Spec(3, (sequences(3, activation=name), SimpleRNN(2, name)), Dense(2)), 31)
        for name in ("leaky_relu", "gelu", "hard_sigmoid")
    },
    "clip": filled(Spec(3, (LSTM(3, "relu", return_sequences=True, clip=0.6),), Dense(2)), 33),
    "peepholes": filled(Spec(3, (LSTM(3, return_sequences=True, peepholes=True),), Dense(2)), 34),
    "projection": filled(Spec(3, (LSTM(3, return_sequences=True, projection=3),), Dense(2)), 36),
    "several Dense": filled(
        Spec(3, (sequences(3),), (Dense(3, "sigmoid"), Dense(3, "softplus"), Dense(3, "softmax"))), 35
    ),
    "sigmoid": filled(Spec(3, (sequences(3, activation="sigmoid"), SimpleRNN(3)), Dense(2)), 27),
}


def converter_to_tflite(model: Any) -> Any:
    """Return TensorFlow's converter of a Keras model; the test is skipped where it ends the process."""
    tf = pytest.importorskip("tensorflow")
    if version("tensorflow").startswith("2.16."):
        pytest.skip("the converter of TensorFlow 2.16 ends the process on models of Keras 3")
    return tf.lite.TFLiteConverter.from_keras_model(model)
