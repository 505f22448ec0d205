"""tract: a hand-built ONNX model, loaded from a file and optimized."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from .onnx_model import OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["Tract"]


#: What it gets wrong wherever it is asked for: see the known divergences.
UNKNOWN = ("go_backwards", "mask", "zero_output_for_mask")

#: Its tanh and its sigmoid are quotients of polynomials over a clamped argument, and do not come to 1: measured in
#: tract 0.23.9, tanh is off by 12 u at -20 and a gate by 20 u (u = 2^-24), of which 12 are allowed everywhere.
ERROR = 16 * 2.0**-24


class Tract(OnnxImplementation):
    """``tract.onnx().load(file).into_model().into_runnable()``."""

    name = "tract"
    fixed_sizes = True
    supports = Supports(
        cells=("SimpleRNN", "GRU", "LSTM"),
        head_activations=("tanh", "relu", "sigmoid"),
        options=(*(option for option in OPTIONS if option not in UNKNOWN), "peepholes"),
        mask_zero=False,
        nan=False,
        N=(1, 2**20),  # it refuses a batch of none
    )
    precision = Precision.float32.with_activation_error(ERROR)

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        import onnx
        import tract

        return {"tract": tract.version(), "onnx": onnx.__version__}

    def load(self, model: bytes) -> Any:
        """Make a session of a serialized model."""
        import onnx
        import tract

        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "model.onnx")
            with open(file, "wb") as stream:
                stream.write(model)
            runnable = tract.onnx().load(file).into_model().into_runnable()
        graph = onnx.load_from_string(model).graph
        return runnable, [each.name for each in graph.input], [each.name for each in graph.output]

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a session: all its outputs by name."""
        runnable, inputs, outputs = session
        answers = runnable.run([np.ascontiguousarray(given[name]) for name in inputs])
        return dict(zip(outputs, (answer.to_numpy() for answer in answers), strict=True))
