"""Where OpenVINO is something else than ONNX says, of models that it reads from ONNX."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..model.layers import Bidirectional, SimpleRNN
from ..model.spec import Spec
from .table import counting, divergence

__all__: list[str] = []

_divergence = partial(divergence, library="openvino", ways=("openvino",), since="2026.4.1")

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
