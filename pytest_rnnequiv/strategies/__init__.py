"""Hypothesis strategies for architectures, numbers and whole cases: they look for trouble and shrink to the readable.

    from pytest_rnnequiv import strategies as rnn

    @given(case=rnn.cases(M=rnn.sizes(max_value=64), activation="tanh"))
    def test_port(case): ...

Every argument is a keyword, and takes a plain value or a strategy of such values.
"""

from .architectures import network_cases, network_packs, network_pool, networks
from .cases import (
    Shape,
    activations,
    cases,
    generic_case,
    inputs,
    packs,
    pool,
    pooled_sizes,
    shapes,
    sizes,
    specs,
    weights,
)

__all__ = [
    "Shape",
    "activations",
    "cases",
    "generic_case",
    "inputs",
    "network_cases",
    "network_packs",
    "network_pool",
    "networks",
    "packs",
    "pool",
    "pooled_sizes",
    "shapes",
    "sizes",
    "specs",
    "weights",
]
