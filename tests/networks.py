"""Networks with numbers in them, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_rnnequiv.model.network import Network
from pytest_rnnequiv.model.network_case import Call, NetworkCase


def network_case(network: Network, N: int = 3, T: int = 4, calls: int = 1, seed: int = 0, **given: Any) -> NetworkCase:
    """Fill a network with numbers of no pattern; a mask holds some steps, in every sample others."""
    rng = np.random.default_rng(seed)
    N, T = network.N or N, network.T or T
    weights = tuple(rng.normal(scale=0.6, size=shape) for shape in network.weight_shapes.values())
    made = []
    for c in range(calls):
        x = rng.integers(0, network.vocabulary, (N, T)) if network.embedded else rng.normal(size=(N, T, network.D))
        holes = rng.random((N, T)) < 0.4
        if network.source == "masking":
            x[holes] = network.mask_value
        states = tuple(
            rng.normal(size=(N, M))
            for layer in network.layers
            if layer.initial_state
            for direction in layer.directions
            for M in direction.cells
        )
        made.append(Call(x, ~holes if network.source == "mask" else None, states, reset=c == 2))
    return NetworkCase(network, weights, tuple(made), **given)
