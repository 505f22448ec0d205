"""Where ONNX Runtime is something else than ONNX says."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.case import Case
from ..model.layers import GRU, SimpleRNN
from ..model.spec import Spec
from .clipping import clip_reaches_cell_state, clipped_lstm
from .table import counting, demonstrated, divergence, expect, has_nan

__all__: list[str] = []

_ABOUT: dict[str, Any] = {"library": "onnxruntime", "runtimes": ("onnxruntime",)}
#: Since the oldest that was tried.
_divergence = partial(divergence, **_ABOUT, since="1.20.0")


@_divergence(
    name="softplus-overflows",
    says="the activation Softplus of RNN, GRU and LSTM nodes is log(1 + exp(a)) as it stands: infinite from a = 88.8 "
    "on, where it should be a",
    instead="apply the operator Softplus, which does not overflow, or keep a below 88",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "softplus")), [[[100.0]]]),
)
def _(spec: Spec) -> bool:
    return any("softplus" in _functions(spec, i) for i in range(len(spec.directions)))


def _functions(spec: Spec, i: int) -> set[str]:
    layer = spec.directions[i]
    gates = (getattr(kind, "recurrent_activation", None) for kind in layer.kinds)
    return {layer.activation.name, *(gate.name for gate in gates if gate is not None)}


def _has_empty_row(case: Case) -> bool:
    first = case.spec.layers[0]
    return (
        case.spec.masked and first.initial_state and any(not case.inputs(call)[1].any(1).all() for call in case.calls)
    )


def _numbers_of_nan(case: Case) -> bool:
    lost = any("relu" in _functions(case.spec, i) for i in range(len(case.spec.directions)))
    lost |= any(kind.name != "SimpleRNN" for layer in case.spec.directions for kind in layer.kinds)
    return lost and has_nan(case)


@_divergence(
    name="nan-becomes-a-number",
    says="GRU and LSTM nodes, and Relu in an RNN node, make a number of a NaN: the state that it should destroy goes "
    "on as if nothing had been",
    instead="look for NaN in the inputs and the weights before the session is run",
    smallest=lambda: counting(Spec(1, GRU(1)), [[[np.nan]]]),
    in_case=_numbers_of_nan,
)
def _(spec: Spec) -> bool:
    return False


@_divergence(
    name="empty-row-forgets-initial-state",
    says="a row whose length in sequence_lens is 0 ends in Y_h = 0 (and Y_c = 0), not in its initial_h",
    instead="put the initial states of such rows in the place of their final ones",
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear", initial_state=True, return_state=True), source="mask"),
        [[[2.0]], [[3.0]]],
        mask=np.array([[True], [False]]),
        states=(np.ones((2, 1)),),
    ),
    in_case=_has_empty_row,
)
def _(spec: Spec) -> bool:
    return False


def _asked(onnxruntime: Any, x: float, **attributes: Any) -> float:
    """Return the output of an RNN node of one unit and one step, whose weight is 1 where it meets the input."""
    from onnx import TensorProto, helper, numpy_helper

    weights = {"W": np.ones((1, 1, 1), np.float32), "R": np.zeros((1, 1, 1), np.float32)}
    graph = helper.make_graph(
        [helper.make_node("RNN", ["x", *weights], ["y"], hidden_size=1, **attributes)],
        "activation",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 1))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 1, 1))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(np.squeeze(session.run(None, {"x": np.full((1, 1, 1), x, np.float32)})[0]))


@divergence(
    name="clip-not-before-the-output",
    says="clip of an LSTM node is at the inputs of its gates and of the candidate, and not at the input of the last "
    "activation, h(C), where ONNX has it too: a cell state beyond the clip goes into h as it is",
    instead="put nothing on clip that the cell state can reach, or write the recurrence as a Scan",
    report="https://github.com/microsoft/onnxruntime/issues/27224",
    since="1.20.0",
    smallest=clipped_lstm,
    in_case=clip_reaches_cell_state,
    **_ABOUT,
)
def _(spec: Spec) -> bool:
    return False


@demonstrated(
    name="thresholded-relu-without-alpha",
    says="the activation ThresholdedRelu that is given no activation_alpha has the threshold 0, where its operator has "
    "1; Affine and ScaledTanh without theirs put out 0 whatever comes in",
    instead="write activation_alpha and activation_beta for each activation that has them",
    since="1.20.0",
    **_ABOUT,
)
def _(onnxruntime: Any) -> None:
    got = _asked(onnxruntime, 0.5, activations=["ThresholdedRelu"])
    expect("ThresholdedRelu of 0.5, whose threshold is 1 by default", 0.0, got)


@divergence(
    name="batch-ends-the-process",
    says="one kind of valid batch ends the process at GRU and LSTM nodes, by an abort that no exception tells of, "
    "where RNN nodes take it",
    instead="run a session that serves others in a process of its own, and look at the sizes of what comes in",
    silent=False,
    since="1.32.0",
    **_ABOUT,
)
def _(spec: Spec) -> bool:
    return False  # such batches are not drawn
