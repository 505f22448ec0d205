"""Where IREE is something else than ONNX says, of models that its compiler reads from ONNX."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.layers import GRU, LSTM, SimpleRNN
from ..model.spec import Spec
from .nodes import functions, nodes
from .table import counting, divergence

__all__: list[str] = []

_ABOUT: dict[str, Any] = {"library": "iree.compiler", "runtimes": ("iree",), "since": "3.13.0"}
_divergence = partial(divergence, **_ABOUT)

#: What it knows; all others run as Relu.
KNOWN = {"tanh", "relu", "sigmoid"}


@_divergence(
    name="activations-run-as-relu",
    says="every other activation than Tanh, Relu and Sigmoid runs as Relu",
    instead="write the recurrence out, step by step",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "softsign")), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return any(not {*functions(layer)} <= KNOWN for layer in spec.directions)


@_divergence(
    name="lengths-ignored",
    says="sequence_lens is ignored: live values stand behind the end of a row, and Y_h comes from the last step of all",
    instead="run each length by itself",
    smallest=lambda: counting(Spec(1, SimpleRNN(1), source="mask"), [[[1.0], [2.0]]], mask=np.array([[True, False]])),
)
def _(spec: Spec) -> bool:
    return spec.masked


@_divergence(
    name="directions-refused",
    says="a node of direction reverse is not compiled, nor is an RNN or GRU node of direction bidirectional",
    instead="turn the inputs round, run forwards, and turn the outputs",
    silent=False,
    smallest=lambda: counting(Spec(1, GRU(1, go_backwards=True)), [[[1.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    return any(
        direction == "reverse" or (direction == "bidirectional" and layer.kinds[0].name != "LSTM")
        for direction, (layer, *_) in nodes(spec)
    )


@_divergence(
    name="rnn-clip-ignored",
    says="clip is ignored by RNN nodes; GRU and LSTM nodes with it are not compiled",
    instead="write the recurrence out, step by step",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, clip=1.0)), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return "clip" in spec.options


@_divergence(
    name="peepholes-ignored",
    says="the peepholes of an LSTM node are ignored",
    instead="write the recurrence out, step by step",
    smallest=lambda: counting(Spec(1, LSTM(1, peepholes=True)), [[[1.0], [1.0]]]),
)
def _(spec: Spec) -> bool:
    return "peepholes" in spec.options
