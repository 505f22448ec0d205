"""Where the reference evaluator of the ``onnx`` package is something else than ONNX says."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.layers import GRU, SimpleRNN
from ..model.spec import Spec
from .table import counting, divergence

__all__: list[str] = []

# Since the oldest that was tried.
_ABOUT: dict[str, Any] = {"library": "onnx", "runtimes": ("onnx-reference",), "since": "1.18.0"}
_divergence = partial(divergence, **_ABOUT)


@_divergence(
    name="lengths-ignored",
    says="sequence_lens is ignored: live values stand behind the end of a row, and Y_h comes from the last step of all",
    instead="run each length by itself",
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear"), source="mask"), [[[1.0], [2.0]]], mask=np.array([[True, False]])
    ),
)
def _(spec: Spec) -> bool:
    return spec.masked


@_divergence(
    name="activations-of-gru-ignored",
    says="activations of GRU and LSTM nodes are ignored: the gates are sigmoid and the rest is tanh, whatever is "
    "asked for",
    instead="compare with another runtime where activations are not the default ones",
    smallest=lambda: counting(Spec(1, GRU(1, "relu")), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    gated = [
        (layer, kind) for layer in spec.directions for kind in layer.kinds if hasattr(kind, "recurrent_activation")
    ]
    return any((layer.activation.name, kind.recurrent_activation.name) != ("tanh", "sigmoid") for layer, kind in gated)


@_divergence(
    name="clip-ignored",
    says="clip is ignored by RNN, GRU and LSTM nodes",
    instead="compare with another runtime where a model clips",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, clip=1.0)), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return "clip" in spec.options


@_divergence(
    name="other-activations-refused",
    says="an RNN node with another activation than Tanh and Affine raises",
    instead="compare with another runtime",
    silent=False,
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "relu")), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    plain = [layer for layer in spec.directions for kind in layer.kinds if not hasattr(kind, "recurrent_activation")]
    return any(layer.activation.name not in ("tanh", "linear") for layer in plain)
