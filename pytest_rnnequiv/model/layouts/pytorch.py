"""PyTorch: ``torch.nn.RNN``, ``GRU`` and ``LSTM``, of one or more layers, in one direction or both.

``weight_ih_l0 (gM, F)`` and ``weight_hh_l0 (gM, M)`` are Keras's kernels transposed, with the gates in PyTorch's order:
of an LSTM i f g o, which is Keras's; of a GRU r z n. There are two biases, ``bias_ih_l0`` and ``bias_hh_l0 (gM,)``. The
second direction has the suffix ``_reverse``; the next layer is ``l1``, and gets both directions side by side. An LSTM
with ``proj_size`` has ``weight_hr_l0 (P, M)`` too.
Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html, and ``torch.nn.LSTM`` and ``torch.nn.RNN``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...arithmetic.activations import Activation
from ...cells.cell import CellWeights
from ..layers import RNN, Bidirectional
from ..spec import Spec
from .common import Array, Layer, NoSuchLayer, joined, layers_of, made, numbers, one_bias, reorder, two_biases

__all__ = ["from_torch", "to_torch"]

CELLS_BY_GATES = {1: "SimpleRNN", 3: "GRU", 4: "LSTM"}
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
#: Of an LSTM with a projection.
PROJECTION = "weight_hr"
NAME = re.compile(rf"({'|'.join(WEIGHTS)}|{PROJECTION})(?:_l(\d+)(_reverse)?)?")


def to_torch(layers: Layer | Sequence[Layer] | Spec, weights: Iterable[Any]) -> dict[str, Array]:
    """Return the weights as the ``state_dict`` of one module of ``torch.nn``, of as many layers as there are.

    Parameters
    ----------
    layers : SimpleRNN, GRU, LSTM, Bidirectional, a sequence of them, or Spec
        Options that do not change one step, such as ``return_sequences``, are the caller's business. So is
        ``go_backwards`` of a single layer: turn its inputs.
    weights : iterable of arrays
        All weights, in the order of ``get_weights()``. A bias of PyTorch's that Keras lacks is zeros.

    Raises
    ------
    TypeError, ValueError
        If one module of PyTorch cannot compute it: a GRU with ``reset_after=False``; other activations than ``tanh``
        (or ``relu`` of a SimpleRNN) and ``sigmoid``; layers that differ.

    >>> from pytest_rnnequiv import LSTM
    >>> shapes = LSTM(5).weight_shapes(3).values()
    >>> {name: array.shape for name, array in to_torch(LSTM(5), map(np.zeros, shapes)).items()}
    {'weight_ih_l0': (20, 3), 'weight_hh_l0': (20, 5), 'bias_ih_l0': (20,), 'bias_hh_l0': (20,)}
    """
    found = layers_of(layers, weights)
    _check_alike([layer for layer, _ in found])
    state: dict[str, Array] = {}
    for k, (layer, own) in enumerate(found):
        for suffix, direction, w in zip(("", "_reverse"), layer.directions, own, strict=False):
            cell = direction.kinds[0].name
            arrays = [w.Wx.T, w.Wh.T, *(two_biases(w.bh) if direction.use_bias else ())]
            for name, array in zip(WEIGHTS, arrays, strict=False):
                ordered = reorder(array, cell, "Keras", "PyTorch", axis=0)
                state[f"{name}_l{k}{suffix}"] = np.array(ordered, order="C")
            if "projection" in direction.kinds[0].beyond:
                state[f"{PROJECTION}_l{k}{suffix}"] = np.array(w.Wr.T, order="C")
    return state


def _check_alike(layers: Sequence[Layer]) -> None:
    """Ask whether one module can compute these layers."""
    directions = [direction for layer in layers for direction in layer.directions]
    for direction in directions:
        _check_step(direction)
    first = directions[0]
    for name in ("units", "activation", "use_bias", "kinds"):
        if len({getattr(direction, name) for direction in directions}) > 1:
            raise NoSuchLayer(f"one module of PyTorch has the same {name} in all layers and directions: make several")
    if len({isinstance(layer, Bidirectional) for layer in layers}) > 1:
        raise NoSuchLayer("one module of PyTorch is bidirectional in all layers or in none: make several")
    for layer in layers[:-1]:
        if getattr(layer, "merge_mode", "concat") != "concat" or getattr(layer, "go_backwards", False):
            raise NoSuchLayer(f"another layer follows {layer}: PyTorch concatenates both directions, in order of time")
    if len(layers) > 1 and getattr(layers[-1], "go_backwards", False):
        raise NoSuchLayer(f"{first} -> {layers[-1]}: PyTorch's layers all run in the same direction: make several")


def _check_step(layer: RNN) -> None:
    (cell,) = layer.kinds
    if lacking := sorted(cell.beyond - {"projection"}):
        raise NoSuchLayer(f"PyTorch's {cell.name} has no {' and no '.join(lacking)}; ONNX's has")
    if layer.features > layer.cells[0] - ("projection" in cell.beyond):
        raise NoSuchLayer(f"PyTorch's proj_size has to be smaller than the number of units, unlike that of {layer}")
    if not getattr(cell, "reset_after", True):
        raise NoSuchLayer(
            "PyTorch's GRU applies the reset gate after the product with Wh, so it cannot compute reset_after=False "
            "with any weights; ONNX (linear_before_reset=0) and TensorFlow 1 can"
        )
    possible = ("tanh", "relu") if cell.name == "SimpleRNN" else ("tanh",)
    if str(layer.activation) not in possible:
        raise NoSuchLayer(
            f"PyTorch's {cell.name} has {' or '.join(possible)}, not {layer.activation}, for its activation"
        )
    if str(getattr(cell, "recurrent_activation", "sigmoid")) != "sigmoid":
        raise NoSuchLayer(f"PyTorch's {cell.name} has sigmoid gates, not {getattr(cell, 'recurrent_activation', '')}")


def from_torch(
    state: Mapping[str, Any], prefix: str = "", activation: str | Activation = "tanh"
) -> tuple[tuple[Layer, ...], list[Array]]:
    """Return the layers of a module of ``torch.nn``, and their weights in Keras's order.

    The cell is known by the shapes. The layers give every step (``return_sequences=True``), as PyTorch's do. Where
    Keras has one bias, it is the sum of the two. PyTorch adds both at every step: where they are large and cancel, it
    is less accurate than a layer with their sum.

    Parameters
    ----------
    state : mapping of str to array or tensor
        ``module.state_dict()`` of an ``RNN``, ``GRU``, ``LSTM`` or of one of their cells, or of a model that has one.
    prefix : str
        How the names begin in a larger model: ``"encoder.lstm."``.
    activation : str
        Of an ``RNN``, its ``nonlinearity``, which the weights do not tell.

    Raises
    ------
    ValueError
        If these are not the weights of one such module.
    """
    found: dict[tuple[int, str], dict[str, Array]] = {}
    for name, value in state.items():
        match = NAME.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if match is None:
            continue
        letter, number, reverse = match.groups()
        found.setdefault((int(number or 0), reverse or ""), {})[letter] = numbers(name, value)
    if not found:
        raise ValueError(
            f"no {prefix}weight_ih_l0 among {', '.join(state) or 'no weights at all'}: "
            "give prefix, the beginning of the names up to there"
        )
    layers: list[Layer] = []
    weights: list[Array] = []
    for k in range(1 + max(k for k, _ in found)):
        made_of = [
            _direction(found, k, suffix, activation)
            for suffix in ("", "_reverse")
            if suffix == "" or (k, suffix) in found
        ]
        direction = made_of[0][0]
        layer: Layer = Bidirectional(direction) if len(made_of) > 1 else direction
        layers.append(layer)
        weights += joined(layer, [w for _, w in made_of])
    return tuple(layers), weights


def _direction(found: Any, k: int, suffix: str, activation: str | Activation) -> tuple[RNN, CellWeights]:
    own = found.get((k, suffix), {})
    missing = [name for name in WEIGHTS[:2] if name not in own]
    if missing or ("bias_ih" in own) != ("bias_hh" in own):
        raise ValueError(f"layer {k}{suffix} has {', '.join(own) or 'no weights'}; expected {', '.join(WEIGHTS)}")
    shapes = ", ".join(f"{name} {array.shape}" for name, array in own.items())
    Wr, (rows, P) = own.pop(PROJECTION, None), own["weight_hh"].shape
    M = P if Wr is None else Wr.shape[-1]
    cell = CELLS_BY_GATES.get(rows // M) if rows % M == 0 else None
    fits = Wr is None or (cell == "LSTM" and Wr.shape == (P, M))
    if cell is None or not fits or any(len(array) != rows for array in own.values()):
        raise ValueError(f"layer {k}{suffix} is no RNN, GRU or LSTM: it has {shapes}")
    ordered = {name: reorder(array, cell, "PyTorch", "Keras", axis=0) for name, array in own.items()}
    use_bias = "bias_ih" in own
    projected = {} if Wr is None else {"projection": P}
    layer = made(cell, M, activation=activation if cell == "SimpleRNN" else "tanh", use_bias=use_bias, **projected)
    bh = one_bias(layer.kinds[0], ordered["bias_ih"], ordered["bias_hh"]) if use_bias else None
    more = {} if Wr is None else {"Wr": Wr.T}
    return layer, CellWeights(Wx=ordered["weight_ih"].T, Wh=ordered["weight_hh"].T, bh=bh, **more)
