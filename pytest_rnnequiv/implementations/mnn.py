"""MNN on the CPU: a hand-built ONNX model, converted by ``mnnconvert``, with numbers for its sizes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..cells import GRUCell
from ..distributions import version_of
from .onnx_model import ONNX_ACTIVATIONS, OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["Mnn", "converted"]

#: What it gets wrong wherever it is asked for: see the known divergences.
UNKNOWN = ("go_backwards", "mask", "zero_output_for_mask")

#: What ``mnnconvert`` does, without its module: that one installs a package and calls its makers when it is imported.
CONVERT = "import sys, MNN, _tools; _tools.mnnconvert(sys.argv)"


class Mnn(OnnxImplementation):
    """``mnnconvert -f ONNX``, and a module of the file that it makes, in high precision."""

    name = "mnn"
    fixed_sizes = True
    timeout = 60.0  # each case may be a model to convert
    supports = Supports(
        cells=("SimpleRNN", GRUCell(), "LSTM"),
        activations=("tanh", "sigmoid", "relu"),
        activations_of={"SimpleRNN": ("tanh",), "GRU": ("tanh",)},
        head_activations=tuple(ONNX_ACTIVATIONS),
        options=tuple(option for option in OPTIONS if option not in UNKNOWN),
        mask_zero=False,
        nan=False,
        N=(1, 2**20),  # a batch of none has no numbers to be read
    )
    precision = Precision.float32

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {library: version_of(library) for library in ("MNN", "onnx")}

    def load(self, model: bytes) -> Any:
        """Make a module of a serialized model."""
        import MNN
        import onnx

        graph = onnx.load_from_string(model).graph
        inputs, outputs = ([each.name for each in which] for which in (graph.input, graph.output))
        with tempfile.TemporaryDirectory() as folder:
            module = MNN.nn.load_module_from_file(
                converted(model, folder), inputs, outputs, precision_mode=MNN.expr.PrecisionMode.High
            )
        return module, inputs, outputs

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a module: all its outputs by name."""
        import MNN

        module, inputs, outputs = session
        variables = []
        for name in inputs:
            value = np.ascontiguousarray(given[name])
            kind = MNN.expr.int if value.dtype.kind == "i" else MNN.expr.float
            variable = MNN.expr.placeholder(list(value.shape), MNN.expr.NCHW, kind)
            variable.write(value)
            variables.append(variable)
        answers = module.forward(variables)
        answers = answers if isinstance(answers, (list, tuple)) else [answers]
        read = (np.array(MNN.expr.convert(answer, MNN.expr.NCHW).read()) for answer in answers)
        return dict(zip(outputs, read, strict=True))


def converted(model: bytes, folder: str) -> str:
    """Write an ONNX model to a folder and convert it there, in a process of its own: where it cannot, it ends that.

    Raises
    ------
    RuntimeError
        If no file came of it; with the end of what the converter said.
    """
    given, made = (os.path.join(folder, name) for name in ("model.onnx", "model.mnn"))
    with open(given, "wb") as stream:
        stream.write(model)
    command = [sys.executable, "-c", CONVERT, "-f", "ONNX", "--bizCode", "rnnequiv"]
    done = subprocess.run(
        [*command, "--modelFile", given, "--MNNModel", made], capture_output=True, text=True, check=False
    )
    if not os.path.isfile(made):
        raise RuntimeError(f"MNN's converter takes no such model: {(done.stderr or done.stdout)[-200:].strip()}")
    return made
