"""ONNX Runtime on the CPU: an ``InferenceSession`` of a hand-built model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..arithmetic.parametrised import EXAMPLES
from ..arithmetic.precision import Precision
from .onnx_model import ONNX_ACTIVATIONS, OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["OnnxRuntime", "precision_of", "session_of"]


def session_of(model: bytes) -> Any:
    """Make a session of a serialized model, on the CPU and with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: they are raised too
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


#: The candidate of a GRU is computed by a quotient that passes its limits: measured in 1.32.0, tanh comes to 1 + 6.0e-7
#: and sigmoid to -3e-7, which is 5 u (u = 2^-24) where 4 u are allowed everywhere. So 4 u more.
ERROR = 4 * 2.0**-24

#: What it computes float32 in.
PRECISION = Precision.float32.with_activation_error(ERROR)


def precision_of(dtype: str) -> Precision | None:
    """Return the arithmetic of a model, hand-built or in a file, by its dtype; None for what that promises."""
    return None if dtype in ("float16", "float64") else PRECISION


#: Samples of a batch. A batch without any is left out: see the divergence that ends the process.
MOST_SAMPLES = 2**20


class OnnxRuntime(OnnxImplementation):
    """``onnxruntime.InferenceSession(model).run``, with one thread: its numbers do not depend on how many there are."""

    name = "onnxruntime"
    supports = Supports(
        cells=("SimpleRNN", "GRU", "LSTM"),
        # its softplus overflows above 88: a known divergence
        activations=(*(name for name in ONNX_ACTIVATIONS if name != "softplus"), *EXAMPLES),
        options=(*OPTIONS, "clip", "peepholes"),
        lengths=1,
        N=(1, MOST_SAMPLES),
    )
    precision = PRECISION

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        import onnx
        import onnxruntime

        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def load(self, model: bytes) -> Any:
        """Make a session of a serialized model."""
        return session_of(model)

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a session: all its outputs by name."""
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, given), strict=True))
