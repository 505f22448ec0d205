"""Where tract is something else than ONNX says."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.layers import GRU, LSTM, RNN, SimpleRNN
from ..model.spec import Spec
from .nodes import reversed_alone, unusual
from .table import counting, divergence, has_nan

__all__: list[str] = []

_ABOUT: dict[str, Any] = {"library": "tract", "runtimes": ("tract",), "since": "0.23.9"}
_divergence = partial(divergence, **_ABOUT)


@_divergence(
    name="reverse-runs-forwards",
    says="a node of direction reverse is computed forwards",
    instead="turn the inputs round, run forwards, and turn the outputs; or make the node bidirectional",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "tanh", go_backwards=True)), [[[1.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    return reversed_alone(spec)


@_divergence(
    name="activations-ignored",
    says="activations are ignored: Relu runs as tanh, and HardSigmoid of the gates as sigmoid",
    instead="use the default activations, or write the recurrence as a Scan",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "relu")), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return any(map(unusual, spec.directions))


@_divergence(
    name="nan-lost",
    says="tanh and sigmoid clamp their argument, so that a NaN that goes in comes out as a number near -1 or 0",
    instead="look for NaN in the inputs",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "tanh")), [[[np.nan]]]),
    in_case=has_nan,
)
def _(spec: Spec) -> bool:
    return False


@_divergence(
    name="clip-ignored",
    says="clip is ignored by RNN, GRU and LSTM nodes",
    instead="clip in the recurrence, written as a Scan",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, clip=1.0)), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return "clip" in spec.options


@_divergence(
    name="lstm-of-several-rows",
    says="an LSTM node of one direction raises for more than one row and more than one step, unless it is given "
    "initial_h and initial_c: the states that it begins with by default have one row",
    instead="give it zeros as initial_h and initial_c",
    silent=False,
    smallest=lambda: counting(Spec(1, LSTM(1)), [[[1.0], [0.0]], [[2.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    return any(
        layer.kinds[0].name == "LSTM" and not layer.initial_state for layer in spec.layers if isinstance(layer, RNN)
    )


@_divergence(
    name="gru-of-one-feature",
    says="a GRU node on one feature raises for five steps and more: xw not contiguous",
    instead="give it a second feature of zeros",
    silent=False,
    smallest=lambda: counting(Spec(1, GRU(1)), [[[1.0], [0.0], [0.0], [0.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    features = (spec.D, *(layer.features for layer in spec.layers))
    return any(
        F == 1 and direction.kinds[0].name == "GRU"
        for F, layer in zip(features, spec.layers, strict=False)
        for direction in layer.directions
    )


@_divergence(
    name="lengths-refused",
    says="sequence_lens as an input of the model raises: only equal lengths that are written in the model are taken",
    instead="run each length by itself",
    silent=False,
    smallest=lambda: counting(Spec(1, GRU(1), source="mask"), [[[1.0], [2.0]]], mask=np.array([[True, False]])),
)
def _(spec: Spec) -> bool:
    return spec.masked


@_divergence(
    name="open-sizes-end-the-process",
    says="a recurrent node whose number of rows has a name in the place of a number ends the process, by a panic that "
    "no exception tells of",
    instead="give the model its sizes as numbers, by set_input_fact",
    silent=False,
)
def _(spec: Spec) -> bool:
    return False  # the models that are run have numbers
