"""Where MNN is something else than ONNX says, of models that its converter reads from ONNX."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.case import Case
from ..model.layers import GRU, LSTM, Bidirectional, SimpleRNN
from ..model.spec import Spec
from .nodes import functions, nodes, reversed_alone, unusual
from .table import counting, divergence, has_nan

__all__: list[str] = []

_ABOUT: dict[str, Any] = {"library": "MNN", "runtimes": ("mnn",), "since": "3.6.1"}
_divergence = partial(divergence, **_ABOUT)

#: What an LSTM node may name.
KNOWN = {"tanh", "sigmoid", "relu"}


@_divergence(
    name="reverse-runs-forwards",
    says="a node of direction reverse is computed forwards",
    instead="turn the inputs round, run forwards, and turn the outputs; or make the node bidirectional",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, go_backwards=True)), [[[1.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    return reversed_alone(spec)


def _two_resets() -> Case:
    """Return a case of two units, one of which is reset: with one unit the two products are the same."""
    case = counting(Spec(1, GRU(2, reset_after=False)), [[[1.0], [0.0]]])
    return case.replace(Wh=[[0, 0, 9, -9, 1, 1]] * 2)  # gates z, r and the candidate


@_divergence(
    name="reset-before-is-neither",
    says="a GRU node with linear_before_reset=0, the default, computes a third recurrence: the reset gate behind the "
    "product with R, and the bias Rb outside of it; of direction bidirectional it gives no answer",
    instead="train with reset_after=True (linear_before_reset=1)",
    smallest=_two_resets,
)
def _(spec: Spec) -> bool:
    return any(
        kind.name == "GRU" and not getattr(kind, "reset_after", True)
        for layer in spec.directions
        for kind in layer.kinds
    )


@_divergence(
    name="nan-lost",
    says="tanh and sigmoid make a number of a NaN: the state that it should destroy is 1",
    instead="look for NaN in the inputs",
    smallest=lambda: counting(Spec(1, SimpleRNN(1)), [[[np.nan]]]),
    in_case=has_nan,
)
def _(spec: Spec) -> bool:
    return False


@_divergence(
    name="activations-ignored",
    says="activations of RNN and GRU nodes are ignored: all run with Tanh, and a GRU's gates with Sigmoid",
    instead="use the default activations, or write the recurrence out, step by step",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "relu")), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return any(unusual(layer) for _, layers in nodes(spec, "SimpleRNN", "GRU") for layer in layers)


@_divergence(
    name="activations-of-one-direction",
    says="in an LSTM node of direction bidirectional, the activations of the forward direction are used for both",
    instead="use the same ones in both directions",
    smallest=lambda: counting(Spec(1, Bidirectional(LSTM(1), LSTM(1, "sigmoid"))), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return any(len({functions(layer) for layer in layers}) > 1 for _, layers in nodes(spec, "LSTM"))


@_divergence(
    name="lstm-activations-refused",
    says="an LSTM node with another activation than Tanh, Sigmoid and Relu is not converted",
    instead="write the recurrence out, step by step",
    silent=False,
    smallest=lambda: counting(Spec(1, LSTM(1, "softsign")), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return any(not {*functions(layer)} <= KNOWN for _, layers in nodes(spec, "LSTM") for layer in layers)


@_divergence(
    name="lengths-ignored",
    says="sequence_lens is ignored: live values stand behind the end of a row, and Y_h comes from the last step of all",
    instead="run each length by itself",
    smallest=lambda: counting(Spec(1, SimpleRNN(1), source="mask"), [[[1.0], [2.0]]], mask=np.array([[True, False]])),
)
def _(spec: Spec) -> bool:
    return spec.masked


@_divergence(
    name="clip-ignored",
    says="clip is ignored by RNN, GRU and LSTM nodes",
    instead="write the recurrence out, step by step",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, clip=1.0)), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return "clip" in spec.options


@_divergence(
    name="peepholes-refused",
    says="an LSTM node with peepholes is not converted",
    instead="write the recurrence out, step by step",
    silent=False,
    smallest=lambda: counting(Spec(1, LSTM(1, peepholes=True)), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return "peepholes" in spec.options
