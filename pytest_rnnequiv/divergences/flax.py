"""Where flax is something else than its docstrings say."""

from __future__ import annotations

import numpy as np

from ..model.call import Call
from ..model.case import Case
from ..model.layers import GRU, SimpleRNN
from ..model.spec import Spec
from .table import counting, divergence

__all__: list[str] = []


def _of_ones() -> Case:
    """A GRU whose second bias alone is not zero: the candidate is tanh(r * 1), which is 0 without it."""
    spec = Spec(1, GRU(1))
    weights = {name: np.zeros(shape) for name, shape in spec.weight_shapes.items()}
    weights["layer0/bh"] = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return Case(spec, weights=tuple(weights.values()), calls=(Call(np.ones((1, 1, 1))),))


@divergence(
    name="gru-without-second-bias",
    says="nnx.GRUCell has no b_hn, though its docstring does: the candidate is tanh(W_in x + b_in + r * W_hn h), so "
    "that the weights of a GRU of Keras (reset_after=True), PyTorch or cuDNN cannot be carried over",
    instead="train without biases, or write the cell: xn + r * (hn + b_hn)",
    library="flax",
    runtimes=("flax", "flax-tf32"),
    since="0.10.0",
    report="https://github.com/google/flax/issues/5594",
    smallest=_of_ones,
)
def _(spec: Spec) -> bool:
    return any(
        layer.use_bias and kind.name == "GRU" and kind.reset_after  # type: ignore[attr-defined]
        for layer in spec.directions
        for kind in layer.kinds
    )


def _ends_in_empty_row(case: Case) -> bool:
    return (
        case.spec.masked
        and any(layer.return_state or not layer.return_sequences for layer in case.spec.layers)
        and any(not case.inputs(call)[1].any(1).all() for call in case.calls)
    )


@divergence(
    name="empty-row-ends-in-its-padding",
    says="a row whose entry in seq_lengths is 0 ends in the carry of the last padded step, not in its first one",
    instead="put the initial carry of such rows in the place of their last one",
    library="flax",
    runtimes=("flax", "flax-tf32"),
    since="0.12.8",
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, return_state=True), source="mask"),
        [[[2.0]], [[3.0]]],
        mask=np.array([[True], [False]]),
    ),
    in_case=_ends_in_empty_row,
)
def _(spec: Spec) -> bool:
    return False
