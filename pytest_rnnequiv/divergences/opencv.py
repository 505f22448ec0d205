"""Where OpenCV's module ``dnn`` is something else than ONNX says."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.layers import GRU, LSTM, SimpleRNN
from ..model.spec import Spec
from .nodes import functions, nodes, reversed_alone, unusual
from .table import counting, demonstrated, divergence, expect

__all__: list[str] = []

_ABOUT: dict[str, Any] = {"library": "cv2", "runtimes": ("opencv",), "since": "5.0.0"}
_divergence = partial(divergence, **_ABOUT)


def _cells(spec: Spec) -> set[str]:
    return {kind.name for layer in spec.directions for kind in layer.kinds}


@_divergence(
    name="rnn-refused",
    says="an RNN node raises: there is no such layer",
    instead="write the recurrence out, step by step",
    silent=False,
    smallest=lambda: counting(Spec(1, SimpleRNN(1)), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return "SimpleRNN" in _cells(spec)


@_divergence(
    name="gru-reverse-runs-forwards",
    says="a GRU node of direction reverse is computed forwards",
    instead="turn the inputs round, run forwards, and turn the outputs; or make the node bidirectional",
    smallest=lambda: counting(Spec(1, GRU(1, go_backwards=True)), [[[1.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    return reversed_alone(spec, "GRU")


@_divergence(
    name="lstm-reverse-last-state",
    says="Y_h and Y_c of an LSTM node of direction reverse are those of its first step, at the end of time",
    instead="take Y at time 0 in the place of Y_h; or make the node bidirectional",
    smallest=lambda: counting(Spec(1, LSTM(1, go_backwards=True)), [[[1.0], [0.0]]]),
)
def _(spec: Spec) -> bool:
    return any(
        direction == "reverse" and (layer.return_state or not layer.return_sequences)
        for direction, (layer, *_) in nodes(spec, "LSTM")
    )


@_divergence(
    name="gru-lengths-ignored",
    says="sequence_lens of a GRU node is ignored: live values stand behind the end of a row, and Y_h comes from the "
    "last step of all",
    instead="run each length by itself",
    smallest=lambda: counting(Spec(1, GRU(1), source="mask"), [[[1.0], [2.0]]], mask=np.array([[True, False]])),
)
def _(spec: Spec) -> bool:
    return spec.masked and "GRU" in _cells(spec)


@_divergence(
    name="lstm-lengths-refused",
    says="an LSTM node with sequence_lens and without initial states raises, and with them it is deaf to the lengths",
    instead="run each length by itself",
    silent=False,
    smallest=lambda: counting(Spec(1, LSTM(1), source="mask"), [[[1.0], [2.0]]], mask=np.array([[True, False]])),
)
def _(spec: Spec) -> bool:
    return spec.masked and "LSTM" in _cells(spec)


@_divergence(
    name="clip-ignored",
    says="clip is ignored by GRU and LSTM nodes",
    instead="write the recurrence out, step by step",
    smallest=lambda: counting(Spec(1, GRU(1, clip=0.5)), [[[2.0]]]),
)
def _(spec: Spec) -> bool:
    return "clip" in spec.options


@_divergence(
    name="named-activations-refused",
    says="the attribute activations, be it of the default ones, raises in GRU nodes and in LSTM nodes of direction "
    "bidirectional; in other LSTM nodes it may name Tanh and Sigmoid",
    instead="leave it out where it says the default ones",
    silent=False,
    smallest=lambda: counting(Spec(1, GRU(1, "relu")), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return any(
        unusual(layer)
        if direction == "bidirectional" or layer.kinds[0].name == "GRU"
        else not {*functions(layer)} <= {"tanh", "sigmoid"}
        for direction, layers in nodes(spec, "GRU", "LSTM")
        for layer in layers
    )


@_divergence(
    name="states-without-bias-refused",
    says="an LSTM node with initial_h and initial_c and without B raises in its first run",
    instead="give it a B of zeros",
    silent=False,
    smallest=lambda: counting(
        Spec(1, LSTM(1, use_bias=False, initial_state=True)), [[[1.0]]], states=(np.ones((1, 1)), np.ones((1, 1)))
    ),
)
def _(spec: Spec) -> bool:
    return any(
        layers[0].initial_state and not any(layer.use_bias for layer in layers) for _, layers in nodes(spec, "LSTM")
    )


@_divergence(
    name="peepholes-refused",
    says="an LSTM node with peepholes raises",
    instead="write the recurrence out, step by step",
    silent=False,
    smallest=lambda: counting(Spec(1, LSTM(1, peepholes=True)), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return "peepholes" in spec.options


def _read(cv2: Any, rows: int) -> Any:
    """Read a network of one GRU node, open in nothing: two steps, one feature, one unit, all weights 1."""
    from onnx import TensorProto, helper, numpy_helper

    weights = [numpy_helper.from_array(np.ones((1, 3, 1), np.float32), name) for name in "WR"]
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", (2, rows, 1)), ("y", (2, 1, rows, 1)))
    ]
    node = helper.make_node("GRU", ["x", "W", "R"], ["y"], hidden_size=1)
    graph = helper.make_graph([node], "sequence", sides[:1], sides[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    net.setInput(np.ones((2, rows, 1), np.float32), "x")
    return net


@demonstrated(
    name="y-alone-is-the-last-state",
    says="Y of a GRU node whose Y_h nobody asks for has the last step only",
    instead="name Y_h among the outputs of the node",
    **_ABOUT,
)
def _(cv2: Any) -> None:
    expect("steps of Y", 2, int(np.asarray(_read(cv2, 1).forward("y")).size))


@demonstrated(
    name="second-run-of-a-batch-raises",
    says="a network with a GRU node that is given no initial_h takes a batch of several rows once: its second "
    "forward() raises, since the state that it keeps has one row",
    instead="give the node an initial_h of zeros, or read the network anew for each batch",
    silent=False,
    **_ABOUT,
)
def _(cv2: Any) -> None:
    net = _read(cv2, 2)
    net.forward("y")
    net.setInput(np.ones((2, 2, 1), np.float32), "x")
    try:
        net.forward("y")
    except cv2.error as error:
        raise AssertionError(f"the second forward() raises {error}") from error
