"""What all layouts share: the orders of the gates, and layers taken apart into the weights of their directions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...cells import has_name
from ...cells.cell import Cell, CellWeights
from ..layers import LAYERS, RNN, Bidirectional
from ..spec import Spec

__all__ = [
    "ORDERS",
    "NoSuchLayer",
    "joined",
    "layers_of",
    "made",
    "numbers",
    "one_bias",
    "only_layer",
    "reorder",
    "two_biases",
]

Array = npt.NDArray[Any]
Layer = RNN | Bidirectional

#: The order of the gates in the weights of each framework, in Keras's letters. Of an LSTM: ``i`` input, ``f`` forget,
#: ``c`` candidate (others call it g, j or z), ``o`` output. Of a GRU: ``z`` update (or u), ``r`` reset, ``h`` candidate
#: (or n).
ORDERS: dict[str, dict[str, tuple[str, ...]]] = {
    framework: {"LSTM": tuple(lstm)} | ({"GRU": tuple(gru)} if gru else {})
    for framework, lstm, gru in (
        ("Keras", "ifco", "zrh"),
        ("PyTorch", "ifco", "rzh"),
        ("cuDNN", "ifco", "rzh"),
        ("ONNX", "iofc", "zrh"),
        ("TensorFlow 1", "icfo", "rzh"),  # of a GRU, "rz" is the kernel of the gates and "h" that of the candidate
        ("CNTK", "icfo", ""),
        ("Haiku", "icfo", "zrh"),
        ("oneDNN", "ifco", "zrh"),
        ("Core ML", "ifoc", "zrh"),
        ("DL4J", "ifoc", ""),
    )
}


class NoSuchLayer(ValueError):
    """A layer that a framework has not, or not so; the message says what it has.

    A port that meets one while it computes a case has declined the case.
    """


def reorder(array: Any, cell: str, source: str = "Keras", target: str = "Keras", axis: int = -1) -> Array:
    """Move the blocks of the gates of one weight from the order of a framework to that of another.

    Parameters
    ----------
    array : array
        A kernel or a bias; along `axis` it has a block for each gate.
    cell : {"SimpleRNN", "GRU", "LSTM"}
    source, target : str
        Names in :data:`ORDERS`.
    axis : int
        Where the gates lie: the last axis in Keras's layout, the first in that of ``torch.nn``.

    Raises
    ------
    ValueError
        If a framework or its cell is unknown, or the axis is no multiple of the number of gates.

    >>> reorder([1, 2, 3, 4], "LSTM", "ONNX", "Keras")  # i, o, f, c
    array([1, 3, 4, 2])
    """
    weight = numbers("a weight", array)
    if cell == "SimpleRNN":
        return weight
    here, there = (_order(framework, cell) for framework in (source, target))
    if weight.shape[axis] % len(here):
        raise ValueError(
            f"{cell} has {len(here)} gates, but axis {axis} of the shape {weight.shape} is no multiple of that"
        )
    blocks = dict(zip(here, np.split(weight, len(here), axis), strict=True))
    ordered: Array = np.concatenate([blocks[gate] for gate in there], axis)
    return ordered


def _order(framework: str, cell: str) -> tuple[str, ...]:
    if framework not in ORDERS:
        raise ValueError(f"a framework must be one of {', '.join(ORDERS)}, not {framework!r}")
    if cell not in ORDERS[framework]:
        known = ", ".join(name for name in ("GRU", "LSTM") if name in ORDERS[framework])
        raise ValueError(f"the cell must be SimpleRNN, {known}, not {cell!r}, for the order of {framework}")
    return ORDERS[framework][cell]


def numbers(name: str, value: Any) -> Array:
    """Return an array, or a tensor of another framework, as an array of numbers.

    Raises
    ------
    ValueError
        If it is none.
    """
    if hasattr(value, "detach"):  # PyTorch's: with a gradient, on a device, of a dtype that NumPy lacks
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":  # of ml_dtypes
        raise ValueError(f"{name} is no array of numbers, but {type(value).__name__} with dtype {array.dtype}")
    return array


# ---- layers, taken apart ----


def layers_of(what: Layer | Sequence[Layer] | Spec, weights: Iterable[Any]) -> list[tuple[Layer, list[CellWeights]]]:
    """Return each recurrent layer with the weights of its directions; biases that are not there are zeros.

    Parameters
    ----------
    what : RNN, Bidirectional, sequence of them, or Spec
        Of a spec, its recurrent layers; its embedding and its head are left out.
    weights : iterable of arrays
        All weights of `what`, as ``get_weights()`` returns them.

    Raises
    ------
    TypeError, ValueError
        If the weights do not fit, or a layer has more than one cell, or one that is not Keras's.
    """
    weights = [numbers(f"weight {k}", weight) for k, weight in enumerate(weights)]
    if isinstance(what, Spec):
        _expect(len(weights), list(what.weight_shapes), what)
        named = zip(what.weight_shapes, weights, strict=True)
        weights = [weight for name, weight in named if name.startswith("layer")]
        what = what.layers
    layers = [what] if isinstance(what, Layer) else list(what)
    if not layers or not all(isinstance(layer, Layer) for layer in layers):
        raise TypeError(f"SimpleRNN, GRU, LSTM or Bidirectional is needed, or several of them, or a Spec, not {what!r}")
    names = [name for layer in layers for name in layer.weight_shapes(1)]
    _expect(len(weights), names, " -> ".join(map(str, layers)))
    found, rest = [], iter(weights)
    for layer in layers:
        for direction in layer.directions:
            _check_cell(direction)
        own = {name: next(rest) for name in layer.weight_shapes(1)}
        found.append((layer, _taken_apart(layer, own)))
    return found


def _expect(count: int, names: Sequence[str], what: Any) -> None:
    if count != len(names):
        raise ValueError(f"{what} has {len(names)} weights ({', '.join(names)}), not {count}")


def _check_cell(layer: RNN) -> None:
    if isinstance(layer.units, tuple):
        raise NoSuchLayer(f"{layer} has a list of cells: map a layer for each cell by itself")
    (cell,) = layer.kinds
    if not has_name(cell):
        raise NoSuchLayer(f"{cell!r} is no cell of Keras, so no other framework has it either")


def _taken_apart(layer: Layer, own: dict[str, Array]) -> list[CellWeights]:
    F = len(next(iter(own.values())))
    for name, shape in layer.weight_shapes(F).items():
        if own[name].shape != shape:
            raise ValueError(f"{name} has shape {own[name].shape}, expected {shape} for {layer} on {F} features")
    found = []
    for side, direction in zip(("forward/", "backward/"), layer.directions, strict=False):
        prefix = side if isinstance(layer, Bidirectional) else ""
        (cell,), (M,) = direction.kinds, direction.cells
        shapes = cell.weight_shapes(F, M)
        zeros = {name: np.zeros(shape, own[f"{prefix}Wx"].dtype) for name, shape in shapes.items()}
        found.append(CellWeights(**{name: own.get(f"{prefix}{name}", zeros[name]) for name in shapes}))
    return found


def joined(layer: Layer, directions: Sequence[CellWeights]) -> list[Array]:
    """Return the weights of a layer in Keras's order: the reverse of :func:`layers_of`."""
    return [
        np.ascontiguousarray(getattr(w, name))
        for direction, w in zip(layer.directions, directions, strict=True)
        for name in direction.weight_shapes(1)
    ]


def only_layer(
    what: Layer | Sequence[Layer] | Spec, weights: Iterable[Any], for_: str
) -> tuple[Layer, list[CellWeights]]:
    """Return the only layer and the weights of its directions.

    Raises
    ------
    ValueError
        If there are several layers.
    """
    found = layers_of(what, weights)
    if len(found) > 1:
        raise ValueError(f"{for_} is one layer, and these are {len(found)}: map each by itself")
    return found[0]


def made(cell: str, units: int, **options: Any) -> RNN:
    """Return a layer that shows every step, as the layers of other frameworks do."""
    return LAYERS[cell](units, return_sequences=True, **options)


# ---- one bias and two ----


def two_biases(bh: Array) -> tuple[Array, Array]:
    """Return the biases of the inputs and of the state; a single bias is that of the inputs."""
    return (bh[0], bh[1]) if bh.ndim == 2 else (bh, np.zeros_like(bh))


def one_bias(cell: Cell, of_inputs: Array, of_state: Array) -> Array:
    """Return the bias of a cell, made of two: both, where the cell has two, else their sum."""
    two = len(cell.weight_shapes(1, 1)["bh"]) == 2
    return np.stack([of_inputs, of_state]) if two else of_inputs + of_state
