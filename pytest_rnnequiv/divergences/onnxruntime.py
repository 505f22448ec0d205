"""Where ONNX Runtime is something else than ONNX says."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..model.case import Case
from ..model.layers import GRU, SimpleRNN
from ..model.spec import Spec
from .table import counting, divergence

__all__: list[str] = []

# Since the oldest that was tried.
_divergence = partial(divergence, library="onnxruntime", ways=("onnxruntime",), since="1.20.0")


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
    return lost and any(np.isnan(array).any() for array in case.numbers().values() if array.dtype.kind == "f")


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
