"""OpenVINO on the CPU: a hand-built ONNX model, read and compiled by ``openvino.Core``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..arithmetic.precision import Precision
from .onnx_model import OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["OpenVino"]


class OpenVino(OnnxImplementation):
    """``Core().compile_model(model, "CPU")`` with the precision hint ``f32``.

    Without that hint it computes in bfloat16 wherever the processor has instructions for that: then an RNN is .016 off.
    """

    name = "openvino"
    timeout = 60.0  # each case may be a model to compile
    supports = Supports(
        cells=("SimpleRNN", "GRU", "LSTM"),
        activations=("tanh", "relu", "sigmoid"),
        options=(*OPTIONS, "clip"),
        lengths=1,
    )
    precision = Precision.float32

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        import onnx
        import openvino

        return {"openvino": openvino.__version__.partition("-")[0], "onnx": onnx.__version__}

    def load(self, model: bytes) -> Any:
        """Make a session of a serialized model."""
        import openvino

        core = openvino.Core()
        chosen = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
        return core.compile_model(core.read_model(model), "CPU", chosen)

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a session: all its outputs by name."""
        answers = session(given)
        return {name: answers[port] for port in session.outputs for name in port.names}
