"""Hypothesis strategies for architectures, numbers and whole cases: they look for trouble and shrink to the readable.

    from pytest_rnnequiv import strategies as rnn

    @given(case=rnn.cases(M=rnn.sizes(max_value=64), activation="tanh"))
    def test_port(case): ...

Every argument is a keyword, and takes a plain value or a strategy of such values.
"""

from .architectures import architecture_pool, architectures
from .cases import cases, inputs, packs, weights
from .drawn_numbers import generic_case
from .sizes import Shape, shapes, sizes
from .specs import activations, cells, pool, pooled_sizes, specs

__all__ = [
    "Shape",
    "activations",
    "architecture_pool",
    "architectures",
    "cases",
    "cells",
    "generic_case",
    "inputs",
    "packs",
    "pool",
    "pooled_sizes",
    "shapes",
    "sizes",
    "specs",
    "weights",
]
