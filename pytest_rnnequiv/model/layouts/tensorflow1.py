"""TensorFlow 1: ``BasicRNNCell``, ``GRUCell``, and ``BasicLSTMCell`` or ``LSTMCell`` of ``tf.nn.rnn_cell``.

One ``kernel (F + M, gM)`` holds the weights of the inputs above those of the state. The gates of an LSTM are i j f o,
where j is the candidate. ``forget_bias``, by default 1, is added to the bias of the forget gate at run time: no
checkpoint has it. A GRU has two kernels: ``gates/kernel`` for r and u, and ``candidate/kernel``, which is applied to
``r * h``; that is Keras's ``reset_after=False``. Its update gate u keeps the old state, as Keras's z does.
Source: ``python/ops/rnn_cell_impl.py`` of TensorFlow 1.15.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...arithmetic.activations import Activation
from ...cells.cell import CellWeights
from ..layers import RNN, Bidirectional
from ..spec import Spec
from .common import Array, Layer, NoSuchLayer, joined, made, numbers, only_layer, reorder

__all__ = ["from_tf1", "to_tf1"]

#: Name of the kernel of ``num_proj``, ``(M, P)``.
PROJECTION = "projection/kernel"
#: Names of the peepholes of an ``LSTMCell``, in Keras's order of gates.
PEEPHOLES = ("w_i_diag", "w_f_diag", "w_o_diag")
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def to_tf1(layer: Layer | Sequence[Layer] | Spec, weights: Iterable[Any], forget_bias: float = 1.0) -> dict[str, Array]:
    """Return the weights of a layer as the variables of a cell of TensorFlow 1, by their names below its scope.

    Parameters
    ----------
    layer : SimpleRNN, GRU (with ``reset_after=False``) or LSTM, or a Spec of one recurrent layer
        What is no cell's business, such as its activation and ``go_backwards``, is the caller's.
    weights : iterable of arrays
        All weights, in the order of ``get_weights()``. A bias that is not there is zeros.
    forget_bias : float
        What the cell will add to the bias of the forget gate; it is taken away here.

    Raises
    ------
    TypeError, ValueError
        If no cell computes it: a GRU with ``reset_after=True``, other gates than ``sigmoid``, or a ``Bidirectional``.
    """
    only, own = only_layer(layer, weights, "a cell of TensorFlow 1")
    if isinstance(only, Bidirectional):
        raise NoSuchLayer(
            "TensorFlow 1 has a cell of its own for each direction: map `layer.forward` with the first half of the "
            "weights, and the backward layer with the second"
        )
    (cell,), (w,), M = only.kinds, own, only.cells[0]
    if getattr(cell, "reset_after", False):
        raise NoSuchLayer(
            "GRUCell of TensorFlow 1 applies the reset gate before the product with Wh, so it cannot compute "
            "reset_after=True with any weights; PyTorch, cuDNN and ONNX (linear_before_reset=1) can"
        )
    if str(getattr(cell, "recurrent_activation", "sigmoid")) != "sigmoid":
        raise NoSuchLayer(f"cells of TensorFlow 1 have sigmoid gates, not {getattr(cell, 'recurrent_activation', '')}")
    kernel, bias = (
        reorder(array, cell.name, "Keras", "TensorFlow 1") for array in (np.concatenate([w.Wx, w.Wh]), w.bh)
    )
    if cell.name == "GRU":
        return {
            "gates/kernel": kernel[:, : 2 * M],
            "gates/bias": bias[: 2 * M],
            "candidate/kernel": kernel[:, 2 * M :],
            "candidate/bias": bias[2 * M :],
        }
    if cell.name == "LSTM":
        bias = _forgetting(bias, M, -forget_bias)
    if cell.clip is not None:
        raise NoSuchLayer(
            f"{only} clips the arguments of its activations; cell_clip of TensorFlow 1 clips the cell state"
        )
    peepholes = dict(zip(PEEPHOLES, w.Wp, strict=True)) if "peepholes" in cell.beyond else {}
    projection = {PROJECTION: w.Wr} if "projection" in cell.beyond else {}
    return {"kernel": kernel, "bias": bias, **peepholes, **projection}


def _forgetting(bias: Array, M: int, more: float) -> Array:
    """Add to the bias of the forget gate, the third of TensorFlow 1's."""
    bias = bias.copy()
    bias[2 * M : 3 * M] += bias.dtype.type(more)
    return bias


def from_tf1(
    cell: str,
    variables: Mapping[str, Any],
    scope: str = "",
    forget_bias: float = 1.0,
    activation: str | Activation = "tanh",
) -> tuple[RNN, list[Array]]:
    """Return the layer that a cell of TensorFlow 1 is, and its weights in Keras's order.

    It gives every step (``return_sequences=True``), as ``dynamic_rnn`` does.

    Parameters
    ----------
    cell : {"SimpleRNN", "GRU", "LSTM"}
        Keras's name of it.
    variables : mapping of str to array
        By name, as a checkpoint has them; what else there is in it, such as the optimizer's, does not matter.
    scope : str
        Where the cell is, if there are several: ``"rnn/multi_rnn_cell/cell_0/basic_lstm_cell"``.
    forget_bias : float
        What the cell adds to the bias of the forget gate: an argument of its constructor, 1 by default.
    activation : str
        Of the cell, which the checkpoint does not tell.

    Raises
    ------
    ValueError
        If there is no such cell in the variables, or more than one, or it has what no Spec has.
    """
    if cell not in GATES:
        raise ValueError(f"cell must be one of {', '.join(GATES)}, not {cell!r}")
    named = {name.partition(":")[0]: value for name, value in variables.items()}
    kernels = ("gates/kernel", "candidate/kernel") if cell == "GRU" else ("kernel",)
    where = _scope(named, scope, kernels)
    extra = [name for name in named if name.startswith(f"{where}projection/") and name != where + PROJECTION]
    if extra:
        raise ValueError(
            f"the projection of the cell has more than a kernel, and none of a Spec has: {', '.join(extra)}"
        )
    Wr = numbers(where + PROJECTION, named[where + PROJECTION]) if where + PROJECTION in named else None
    parts = []
    for kernel in kernels:
        pair = kernel, kernel.removesuffix("kernel") + "bias"
        missing = [where + name for name in pair if where + name not in named]
        if missing:
            raise ValueError(f"there is no {', '.join(missing)} beside {where}{kernels[0]}")
        parts.append([numbers(where + name, named[where + name]) for name in pair])
    kernel_, bias = (np.concatenate([part[k] for part in parts], axis=-1) for k in (0, 1))
    M, odd = divmod(bias.shape[-1], GATES[cell])
    P = M if Wr is None else Wr.shape[-1]
    if Wr is not None and (cell != "LSTM" or Wr.shape != (M, P)):
        raise ValueError(f"{where}{PROJECTION} has shape {Wr.shape}, expected ({M}, P), of an LSTM")
    F = kernel_.shape[0] - P
    if odd or kernel_.shape[1:] != bias.shape or F < 1:
        raise ValueError(
            f"{where}: kernel {kernel_.shape} and bias {bias.shape} are not those of {cell}, which has "
            f"(F + M, {GATES[cell]}*M) and ({GATES[cell]}*M,)"
        )
    if cell == "LSTM":
        bias = _forgetting(bias, M, forget_bias)
    kernel_, bias = (reorder(array, cell, "TensorFlow 1", "Keras") for array in (kernel_, bias))
    options: dict[str, Any] = {"reset_after": False} if cell == "GRU" else {}
    own = {}
    if cell == "LSTM" and any(where + name in named for name in PEEPHOLES):
        own["Wp"] = _peepholes(named, where, M)
        options["peepholes"] = True
    if Wr is not None:
        own["Wr"], options["projection"] = Wr, P
    layer = made(cell, M, activation=activation, **options)
    return layer, joined(layer, [CellWeights(Wx=kernel_[:F], Wh=kernel_[F:], bh=bias, **own)])


def _peepholes(named: Mapping[str, Any], where: str, M: int) -> Array:
    """Return the peepholes of a cell, ``(3, M)``."""
    missing = [where + name for name in PEEPHOLES if where + name not in named]
    if missing:
        raise ValueError(f"there is no {', '.join(missing)} beside the other peepholes")
    found = [numbers(where + name, named[where + name]) for name in PEEPHOLES]
    if any(each.shape != (M,) for each in found):
        raise ValueError(f"peepholes of {M} units must have shape ({M},), not {', '.join(str(a.shape) for a in found)}")
    return np.stack(found)


def _scope(named: Mapping[str, Any], scope: str, kernels: Sequence[str]) -> str:
    """Return the only scope below `scope` in which there is such a cell."""
    below = f"{scope.strip('/')}/" if scope.strip("/") else ""
    found = [name.removesuffix(kernels[0]) for name in named if f"/{name}".endswith(f"/{kernels[0]}")]
    found = [own for own in found if own.startswith(below) and not own.endswith("projection/")]
    # what is called a cell, if anything is: a dense layer has a kernel too
    found = [own for own in found if "cell" in own] or found
    if len(found) != 1:
        there = ", ".join(found) or ", ".join(named) or "no variable at all"
        raise ValueError(
            f"{'several cells' if found else 'no cell'} below scope={scope!r}: give the scope of one of {there}"
        )
    return found[0]
