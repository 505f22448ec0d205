"""OpenCV's module ``dnn``: a hand-built ONNX model, with numbers for its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..cells import GRUCell
from ..distributions import version_of
from .onnx_model import ONNX_ACTIVATIONS, OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["OpenCv", "leave_usual_activations_unsaid"]


class OpenCv(OnnxImplementation):
    """``cv2.dnn.readNetFromONNX(model)``, ``setInput`` and ``forward``.

    It has no layer for RNN nodes; what else it refuses or gets wrong is in the known divergences.
    """

    name = "opencv"
    fixed_sizes = True
    supports = Supports(
        cells=(GRUCell(), GRUCell(reset_after=False), "LSTM"),
        activations=("tanh", "sigmoid"),
        activations_of={"GRU": ("tanh",)},
        head_activations=tuple(ONNX_ACTIVATIONS),
        options=tuple(option for option in OPTIONS if option not in ("mask", "zero_output_for_mask")),
        mask_zero=False,
        N=(1, 2**20),  # it refuses a batch of none
    )
    precision = Precision.float32

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {library: version_of(library) for library in ("cv2", "onnx")}

    def load(self, model: bytes) -> Any:
        """Make a network of a serialized model."""
        import onnx

        made = onnx.load_from_string(model)
        for node in made.graph.node:
            leave_usual_activations_unsaid(node)
        return _Network(made)

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a network: all its outputs by name."""
        net = session.net
        for name, value in given.items():
            net.setInput(np.ascontiguousarray(value), name)
        return dict(zip(session.outputs, net.forward(session.outputs), strict=True))


class _Network:
    """A network, read once where it can be run again: with a GRU node that is given no state, a batch goes in once."""

    def __init__(self, model: Any) -> None:
        self.outputs = [each.name for each in model.graph.output]
        self._model = np.frombuffer(model.SerializeToString(), np.uint8)
        self._net: Any = None
        self._once = any(node.op_type == "GRU" and not any(node.input[5:6]) for node in model.graph.node)

    @property
    def net(self) -> Any:
        """The network to be run next."""
        import cv2

        if self._net is None or self._once:
            self._net = cv2.dnn.readNetFromONNX(self._model)
        return self._net


#: What a node of ONNX has where it says nothing, for each of its directions.
USUAL = {"RNN": [b"Tanh"], "GRU": [b"Sigmoid", b"Tanh"], "LSTM": [b"Sigmoid", b"Tanh", b"Tanh"]}


def leave_usual_activations_unsaid(node: Any) -> None:
    """Take the attribute away where it says what holds without it: a GRU that has one is refused, whatever it says."""
    for each in node.attribute:
        if each.name == "activations" and list(each.strings) in (USUAL[node.op_type], 2 * USUAL[node.op_type]):
            node.attribute.remove(each)
            return
