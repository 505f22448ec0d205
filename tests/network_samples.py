"""Networks for the tests: hand-made, small, and without symmetries, so that every mistake shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_rnnequiv.model.network import Bidirectional, Head, Layer, Network
from pytest_rnnequiv.model.network_case import Call, NetworkCase


def filled(network: Network, seed: int = 0, *, N: int = 3, T: int = 5, calls: int = 1, resets: Any = ()) -> NetworkCase:
    """Put numbers into a network of which all differ."""
    rng = np.random.default_rng(seed)
    weights = [0.8 * rng.standard_normal(shape) for shape in network.weight_shapes.values()]
    N, T = network.N or N, network.T or T
    made = []
    for c in range(calls):
        mask = rng.random((N, T)) < 0.65
        mask[0, 0] = T == 1
        mask[0, 1:2] = True
        mask[-1, -1] = False
        mask[1:2, 2:3] = True
        if network.embedded:
            x: Any = rng.integers(1, network.vocabulary, (N, T))
            x[~mask] = 0
        else:
            x = 1.3 * rng.standard_normal((N, T, network.D))
        if network.source == "masking":
            x[~mask] = network.mask_value
            x[1:2, 2:3, 0] = network.mask_value
            x[-1:, :1] = network.mask_value + 2e-4  # near, and not masked
        states = [
            rng.standard_normal((N, M))
            for layer in network.layers
            if layer.initial_state
            for direction in layer.directions
            for M in direction.cells
        ]
        made.append(Call(x, mask if network.source == "mask" else None, tuple(states), c in resets))
    return NetworkCase(network, tuple(weights), tuple(made))


def sequences(units: Any = 3, **options: Any) -> Layer:
    return Layer(units, return_sequences=True, **options)


def both(units: Any = 3, merge_mode: str | None = "concat", **options: Any) -> Bidirectional:
    return Bidirectional(sequences(units, **options), merge_mode=merge_mode)


#: One network, at least, in which each mistake can be made and shows.
NETWORKS: dict[str, NetworkCase] = {
    "stack": filled(Network(3, (sequences(3), Layer(3)), Head(2)), 1),
    "stack of sequences": filled(Network(4, (sequences(3), sequences(4, activation="relu")), Head(2)), 2),
    "three": filled(Network(3, (sequences(3), sequences(3), Layer(3)), Head(3, "softmax")), 3),
    "backwards": filled(Network(3, (sequences(3, go_backwards=True),), Head(2, "softmax")), 4),
    "masked backwards": filled(Network(3, (sequences(4, go_backwards=True), sequences(2)), Head(2), source="mask"), 5),
    "masking": filled(
        Network(3, (sequences(3, zero_output_for_mask=True), Layer(2)), Head(2), source="masking", mask_value=0.5), 6
    ),
    "masked": filled(Network(3, (sequences(3), Layer(2, return_state=True)), source="mask"), 7),
    "states": filled(Network(3, (sequences(4, initial_state=True, return_state=True), sequences(2)), source="mask"), 8),
    "states of two": filled(
        Network(3, (sequences(4, initial_state=True), Layer(4, initial_state=True, return_state=True))), 29
    ),
    "embedding": filled(Network(3, (Layer(4),), Head(2), source="embedding"), 9),
    "embedding with mask": filled(Network(3, (both(2), Layer(3)), Head(2), source="embedding with mask"), 10),
    "both": filled(Network(3, (both(3),), Head(2)), 11),
    "both, last": filled(Network(3, (Bidirectional(Layer(3)),), Head(2)), 12),
    "both, sum": filled(Network(3, (both(3, "sum"), Layer(3)), Head(2)), 13),
    "both, mul": filled(Network(3, (both(3, "mul"),)), 14),
    "both, apart": filled(Network(3, (both(3, None, return_state=True),)), 15),
    "both, masked": filled(Network(3, (both(3), both(2, "ave")), Head(2), source="mask"), 16),
    "both, states": filled(Network(3, (both(3, initial_state=True, return_state=True),)), 17),
    "both, masked, states": filled(Network(3, (both(3, return_state=True),), source="mask"), 28),
    "cells": filled(Network(3, (sequences((3, 3)),), Head(2)), 18),
    "cells, states": filled(
        Network(3, (Layer((3, 3), return_sequences=True, initial_state=True, return_state=True),)), 19
    ),
    "cells, both": filled(Network(3, (both((2, 3)),), Head(2)), 20),
    "stateful": filled(Network(3, (sequences(3, stateful=True), Layer(2, stateful=True)), Head(2), N=3), 21, calls=3),
    "stateful, reset": filled(Network(3, (Layer(3, stateful=True),), Head(2), N=3), 22, calls=3, resets=(1,)),
    "stateful, given": filled(Network(3, (Layer(3, stateful=True, initial_state=True),), Head(2), N=3), 23, calls=2),
    "two calls": filled(Network(3, (sequences(3), Layer(2)), Head(2)), 24, calls=2),
    "dropout": filled(
        Network(3, (sequences(3, dropout=0.3, recurrent_dropout=0.25), Layer(2, dropout=0.5)), Head(2)), 25
    ),
    "linear head": filled(Network(3, (Layer(3),), Head(4, "softmax")), 26),
    "both, each its own": filled(
        Network(3, (Bidirectional(sequences(3), sequences(3, activation="sigmoid")),), Head(2)), 30
    ),
    **{
        name: filled(Network(3, (sequences(3, activation=name), Layer(2, name)), Head(2)), 31)
        for name in ("leaky_relu", "gelu", "hard_sigmoid")
    },
    "sigmoid": filled(Network(3, (sequences(3, activation="sigmoid"), Layer(3)), Head(2)), 27),
}
