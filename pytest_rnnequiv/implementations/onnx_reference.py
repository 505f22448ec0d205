"""The reference evaluator that comes with the ``onnx`` package: the specification's operators in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..cells import GRUCell, LSTMCell
from ..divergences.table import installed, ordered
from .onnx_model import ONNX_ACTIVATIONS, OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["OnnxReference"]


#: Parameters of operators are attributes of 32 bits: in float64 0.2 and 1/6 are others.
EXACT = tuple(
    name
    for name, (_, *parameters) in ONNX_ACTIVATIONS.items()
    if all(value is None or float(np.float32(value)) == value for value in parameters)
)


#: Before onnx 1.23, reverse nodes run forwards, those of two directions raise, and an LSTM puts out no Y_c.
COMPLETE = ordered(installed("onnx")) >= (1, 23)
LACKING = () if COMPLETE else ("go_backwards", "bidirectional", "merge_mode", "backward_layer")
LSTMS = (LSTMCell(), LSTMCell(peepholes=True)) if COMPLETE else ()


class OnnxReference(OnnxImplementation):
    """``onnx.reference.ReferenceEvaluator(model).run``.

    In a layer it knows tanh and sigmoid only, and no lengths: what it does where a model asks for others is a known
    divergence.
    """

    name = "onnx-reference"
    supports = Supports(
        cells=("SimpleRNN", GRUCell(), GRUCell(reset_after=False), *LSTMS),
        dtypes=("float32", "float64"),
        head_activations=EXACT,
        options=(
            *(option for option in OPTIONS if option not in ("mask", "zero_output_for_mask", *LACKING)),
            *(("peepholes",) if LSTMS else ()),
        ),
        mask_zero=False,
    )

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        import onnx

        return {"onnx": onnx.__version__}

    def load(self, model: bytes) -> Any:
        """Make an evaluator of a serialized model."""
        from onnx.reference import ReferenceEvaluator

        return ReferenceEvaluator(model)

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a session: all its outputs by name."""
        names = session.output_names
        return dict(zip(names, session.run(names, given), strict=True))
