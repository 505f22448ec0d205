"""Where Keras is something else on another backend, or once it was saved and loaded again."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..cells import LSTMCell
from ..model.layers import LSTM, RNN, Bidirectional, SimpleRNN
from ..model.spec import Layer, Spec
from .keras_errors import lone
from .table import counting, divergence

__all__: list[str] = []

_divergence = partial(divergence, library="keras", since="3.15.1")


@_divergence(
    name="masked-start-shows-state",
    says="on the JAX and NumPy backends, what a layer puts out before the first valid step of a row is its initial "
    "state, where TensorFlow and PyTorch put out zeros",
    instead="zero_output_for_mask=True, or leave out the outputs of masked steps yourself",
    runtimes=("keras-jax", "keras-numpy"),
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear", return_sequences=True, initial_state=True), source="mask"),
        [[[1.0], [1.0]]],
        mask=np.array([[False, True]]),
        states=(np.ones((1, 1)),),
    ),
)
def _(spec: Spec) -> bool:
    return spec.masked and any(layer.initial_state or layer.stateful for layer in spec.directions)


@_divergence(
    name="h5-with-masks-not-loaded",
    says="a functional model with Masking or Embedding(mask_zero=True) that was saved as .h5 cannot be loaded: the "
    "operations that compute its masks are saved as layers of a class that is not known",
    instead="save it as .keras",
    runtimes=("keras-h5",),
    silent=False,
    since="3.1.1",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "linear"), source="masking"), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return spec.masked and spec.source != "mask"


@_divergence(
    name="h5-of-bfloat16-not-loaded",
    says="a model whose weights are bfloat16 and that was saved as .h5 cannot be loaded: HDF5 has no such numbers",
    instead="save it as .keras",
    runtimes=("keras-h5",),
    silent=False,
    since="3.1.1",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "linear"), dtype="bfloat16"), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return spec.variable_dtype == "bfloat16"


@_divergence(
    name="bidirectional-not-loaded",
    says="a model with a Bidirectional layer that was saved as .keras cannot be loaded, and cannot be saved as .h5: "
    "both directions are written under one name",
    instead="keep model.get_weights() beside the code that builds the model",
    runtimes=("keras-reloaded", "keras-h5"),
    silent=False,
    since="3.1.1",
    until="3.3.3",
    smallest=lambda: counting(Spec(1, Bidirectional(SimpleRNN(1, "linear"))), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return any(isinstance(layer, Bidirectional) for layer in spec.layers)


@_divergence(
    name="unrolled-mask-not-zeroed",
    says="on the JAX and NumPy backends, an unrolled layer with zero_output_for_mask, as those of a Bidirectional are, "
    "puts out the last valid output at masked steps, and not zeros",
    instead="leave unroll=True out where there is a mask",
    runtimes=("keras-jax", "keras-numpy"),
    smallest=lambda: counting(
        Spec(
            1,
            SimpleRNN(1, "linear", return_sequences=True, unroll=True, zero_output_for_mask=True),
            source="masking",
            T=2,
        ),
        [[[1.0], [0.0]]],
    ),
)
def _(spec: Spec) -> bool:
    return spec.masked and any(
        layer.unroll and layer.zero_output_for_mask and layer.return_sequences for layer in spec.directions
    )


@_divergence(
    name="unrolled-backward-mask-raises",
    says="on the PyTorch backend, an unrolled layer that goes backwards raises AttributeError when there is a mask",
    instead="leave unroll=True out where there is a mask",
    runtimes=("keras-torch",),
    silent=False,
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear", go_backwards=True, unroll=True), source="masking", T=1), [[[1.0]]]
    ),
)
def _(spec: Spec) -> bool:
    return spec.masked and any(layer.unroll and layer.go_backwards for layer in spec.directions)


@_divergence(
    name="lone-cell-of-two-states",
    says="on the JAX and NumPy backends, RNN([LSTMCell]), a list of one cell that has two states, raises",
    instead="write RNN(LSTMCell(units))",
    runtimes=("keras-jax", "keras-numpy"),
    silent=False,
    since="3.1.1",
    smallest=lambda: counting(Spec(1, RNN((1,), "linear", cell=LSTMCell())), [[[1.0], [1.0]]]),
)
def _(spec: Spec) -> bool:
    return any(lone(layer) and len(layer.state_units) > 1 for layer in spec.directions)


@_divergence(
    name="lone-cell-of-one-state",
    says="on the JAX backend, RNN([SimpleRNNCell]) or RNN([GRUCell]), a list of one cell, raises TypeError unless it "
    "is unrolled or given an initial_state",
    instead="write RNN(cell)",
    runtimes=("keras-jax",),
    silent=False,
    since="3.1.1",
    smallest=lambda: counting(Spec(1, RNN((1,), "linear")), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return any(
        lone(layer) and len(layer.state_units) == 1 and not layer.unroll and not layer.initial_state
        for layer in spec.directions
    )


@_divergence(
    name="lstm-backwards-order-on-a-card",
    says="on the JAX backend on an NVIDIA card, LSTM(go_backwards=True, return_sequences=True) without a mask, which "
    "cuDNN computes there, puts out its sequence in the order of the inputs, and not in that in which it was computed",
    instead="LSTM(use_cudnn=False), or Bidirectional with two like layers",
    runtimes=("keras-jax",),
    on_card=True,
    smallest=lambda: counting(
        Spec(1, LSTM(1, return_sequences=True, go_backwards=True)),
        [[[1.0], [0.0]]],
    ),
)
def _(spec: Spec) -> bool:
    return not spec.masked and any(map(_backwards_by_cudnn, spec.layers))


def _backwards_by_cudnn(layer: Layer) -> bool:
    """Whether cuDNN computes what goes backwards in a layer; it has both directions of two like ones in one call."""
    first, last = layer.directions[0], layer.directions[-1]
    fused = isinstance(layer, Bidirectional) and first == last.replace(go_backwards=False)
    return (
        isinstance(last, LSTM)
        and last.go_backwards
        and last.return_sequences
        and last.use_bias
        and not last.unroll
        and not last.recurrent_dropout
        and (last.activation.name, last.kinds[0].recurrent_activation.name) == ("tanh", "sigmoid")  # type: ignore[attr-defined]
        and not (fused and not last.stateful and not last.dropout)
    )
