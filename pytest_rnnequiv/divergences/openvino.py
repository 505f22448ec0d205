"""Where OpenVINO is something else than ONNX says, of models that it reads from ONNX."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.layers import Bidirectional, SimpleRNN
from ..model.spec import Spec
from .clipping import clip_reaches_cell_state, clipped_lstm
from .table import counting, demonstrated, divergence, expect

__all__: list[str] = []

_ABOUT: dict[str, Any] = {"library": "openvino", "runtimes": ("openvino",), "since": "2026.4.1"}
_divergence = partial(divergence, **_ABOUT)

#: What its sequence operators know.
KNOWN = ("tanh", "relu", "sigmoid")


@_divergence(
    name="lengths-ignored-with-open-sizes",
    says="sequence_lens is ignored as soon as the number of samples or of steps has a name in the place of a number: "
    "live values stand behind the end of a row, and Y_h comes from the last step of all",
    instead="give the model its sizes as numbers: model.reshape(...) before compile_model",
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "relu", return_sequences=True, zero_output_for_mask=True), source="mask"),
        [[[1.0], [2.0]]],
        mask=np.array([[True, False]]),
    ),
)
def _(spec: Spec) -> bool:
    return spec.masked and None in (spec.N, spec.T)


@_divergence(
    name="activations-of-one-direction",
    says="in a node of direction bidirectional, the activations of the forward direction are used for both",
    instead="make two nodes, forward and reverse",
    smallest=lambda: counting(
        Spec(1, Bidirectional(SimpleRNN(1, "tanh"), SimpleRNN(1, "relu"))),
        [[[2.0]]],
    ),
)
def _(spec: Spec) -> bool:
    pairs = [layer.directions for layer in spec.layers if isinstance(layer, Bidirectional)]
    return any(one.activation != other.activation or one.cell != other.cell for one, other in pairs)


@_divergence(
    name="clip-not-before-the-output",
    says="clip of an LSTM node is at the inputs of its gates and of the candidate, and not at the input of the last "
    "activation, h(C), where ONNX has it too: a cell state beyond the clip goes into h as it is",
    instead="put nothing on clip that the cell state can reach, or write the recurrence as a Loop or a Scan",
    smallest=clipped_lstm,
    in_case=clip_reaches_cell_state,
)
def _(spec: Spec) -> bool:
    return False


@_divergence(
    name="other-activations-refused",
    says="RNN, GRU and LSTM nodes with an activation that has parameters, or with Softsign or Softplus, raise when the "
    "model is compiled",
    instead="write the recurrence as a Loop or a Scan",
    silent=False,
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "linear")), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    gates = (
        kind.recurrent_activation
        for layer in spec.directions
        for kind in layer.kinds
        if hasattr(kind, "recurrent_activation")
    )
    return not {each.name for each in (*(layer.activation for layer in spec.directions), *gates)} <= {*KNOWN}


@demonstrated(
    lambda spec: "peepholes" in spec.options,
    name="peepholes-dropped",
    says="peepholes and input_forget of an LSTM node, and layout=1 of RNN, GRU and LSTM nodes, are dropped when the "
    "model is read",
    instead="write the recurrence as a Loop or a Scan; put Transpose nodes in the place of layout=1",
    report="https://github.com/openvinotoolkit/openvino/issues/37820",
    **_ABOUT,
)
def _(openvino: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper

    # all gates are sigmoid(0) without the peepholes, so that C = c0 / 2; with them f is sigmoid(c0)
    zeros = {name: np.zeros((1, 4, 1), np.float32) for name in ("W", "R")}
    values = zeros | {"c0": np.ones((1, 1, 1), np.float32), "P": np.ones((1, 3), np.float32)}
    graph = helper.make_graph(
        [helper.make_node("LSTM", ["x", "W", "R", "", "", "", "c0", "P"], ["", "", "c"], hidden_size=1)],
        "peepholes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 1))],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, (1, 1, 1))],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    got = float(np.squeeze(compiled({"x": np.zeros((1, 1, 1), np.float32)})[0]))
    expect("C = sigmoid(1), by the peephole of f", round(float(1 / (1 + np.exp(-1))), 3), round(got, 3))
