"""Where the reference evaluator of the ``onnx`` package is something else than ONNX says."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..model.layers import GRU, SimpleRNN
from ..model.spec import Spec
from .table import counting, demonstrated, divergence, expect

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


@demonstrated(
    name="clip-ignored",
    says="clip is ignored by RNN, GRU and LSTM nodes",
    instead="compare with another runtime where a model clips",
    **_ABOUT,
)
def _(onnx: Any) -> None:
    from onnx import TensorProto, helper, reference

    one = np.ones((1, 1, 1), np.float32)
    node = helper.make_node("RNN", ["x", "W", "R"], ["y"], hidden_size=1, clip=1.0)
    graph = helper.make_graph(
        [node],
        "clip",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, 1)) for name in ("x", "W", "R")],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 1, 1))],
    )
    evaluator = reference.ReferenceEvaluator(helper.make_model(graph))
    (y,) = evaluator.run(None, {"x": 2 * one, "W": one, "R": one})
    expect("tanh(2), with 2 clipped to 1", round(float(np.tanh(1)), 3), round(float(np.squeeze(y)), 3))


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
