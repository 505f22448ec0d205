"""ONNX: the operators ``RNN``, ``GRU`` and ``LSTM``.

``W (directions, gM, F)`` and ``R (directions, gM, M)`` are Keras's kernels transposed, with the gates in ONNX's order:
of an LSTM i o f c; of a GRU z r h, which is Keras's. ``B (directions, 2gM)`` holds the biases of the inputs, then those
of the state; ``P (directions, 3M)`` the peepholes of an LSTM, i o f.
``linear_before_reset=1`` is Keras's ``reset_after=True``; ONNX's default is 0, Keras's is True.
Source: https://onnx.ai/onnx/operators/onnx__LSTM.html, and ``onnx__GRU`` and ``onnx__RNN``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...arithmetic.activations import Activation
from ...arithmetic.parametrised import FAMILIES, parameters, spelled
from ...cells.cell import Cell, CellWeights
from ..layers import RNN, Bidirectional
from ..spec import Spec
from .common import Array, Layer, NoSuchLayer, joined, made, numbers, one_bias, only_layer, reorder, two_biases

__all__ = ["OnnxNode", "from_onnx", "of_node", "to_onnx"]

#: The operators by Keras's names of the layers.
OPERATORS = {"SimpleRNN": "RNN", "GRU": "GRU", "LSTM": "LSTM"}
#: Keras's activations by ONNX's names, with the ``alpha`` and ``beta`` that make them the same.
ONNX_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "relu": ("Relu", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "elu": ("Elu", 1.0, None),
    "leaky_relu": ("LeakyRelu", 0.2, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "linear": ("Affine", 1.0, 0.0),
}
#: What ONNX takes where an activation has parameters and none are said.
DEFAULTS: dict[str, tuple[float | None, float | None]] = {
    "elu": (1.0, None),
    "leakyrelu": (0.01, None),
    "hardsigmoid": (0.2, 0.5),
    "affine": (1.0, 0.0),
}
BY_ONNX_NAME = {name.lower(): (keras, alpha, beta) for keras, (name, alpha, beta) in ONNX_ACTIVATIONS.items()}


#: Where ONNX's order of peepholes, i o f, has those of Keras's order of gates, i f o; and the other way round.
IOF = [0, 2, 1]


class OnnxNode(NamedTuple):
    """A recurrent node: ``onnx.helper.make_node(node.op, ["X", "W", "R", "B"], ["Y"], **node.attributes)``.

    Attributes
    ----------
    op : {"RNN", "GRU", "LSTM"}
    W : (directions, gM, F) array
    R : (directions, gM, M) array
    B : (directions, 2gM) array, or None
        None without biases: then the ONNX node has no such input.
    attributes : dict
        Those that are needed: ``hidden_size``, ``direction``, ``activations`` and their parameters, ``clip``, and
        ``linear_before_reset`` of a GRU.
    P : (directions, 3M) array, or None
        Peepholes: the eighth input of an LSTM.
    """

    op: str
    W: Array
    R: Array
    B: Array | None
    attributes: dict[str, Any]
    P: Array | None = None


def to_onnx(layer: Layer | Sequence[Layer] | Spec, weights: Iterable[Any]) -> OnnxNode:
    """Return the weights of a layer as a node of ONNX takes them.

    ``Y`` of the node has the shape ``(T, directions, N, M)``, in order of time in both directions: Keras's
    ``go_backwards`` gives its outputs in the order in which they were computed.

    Parameters
    ----------
    layer : SimpleRNN, GRU, LSTM or Bidirectional, or a Spec of one recurrent layer
    weights : iterable of arrays
        All weights, in the order of ``get_weights()``.

    Raises
    ------
    TypeError, ValueError
        If ONNX lacks an activation of it, or both directions differ in their number of units or in an option of their
        cells.

    >>> from pytest_rnnequiv import GRU
    >>> node = to_onnx(GRU(5), map(np.zeros, GRU(5).weight_shapes(3).values()))
    >>> node.op, node.W.shape, node.R.shape, node.B.shape, node.attributes["linear_before_reset"]
    ('GRU', (1, 15, 3), (1, 15, 5), (1, 30), 1)
    """
    only, own = only_layer(layer, weights, "a node of ONNX")
    directions = only.directions
    for name in ("units", "kinds"):
        first, last = (getattr(direction, name) for direction in (directions[0], directions[-1]))
        if first != last and (name == "units" or of_node(first[0]) != of_node(last[0])):
            raise NoSuchLayer(f"a node of ONNX has the same cell and units in both directions, unlike {only}: make two")
    cell = directions[0].kinds[0]
    if "projection" in cell.beyond:
        raise NoSuchLayer(
            "an LSTM node of ONNX has no projection; PyTorch (proj_size) and TensorFlow 1 (num_proj) have"
        )
    attributes: dict[str, Any] = {"hidden_size": directions[0].features, "direction": _direction(only)}
    attributes |= _activations(directions)
    if hasattr(cell, "reset_after"):
        attributes["linear_before_reset"] = int(cell.reset_after)
    if cell.clip is not None:
        attributes["clip"] = cell.clip

    def each(arrays: Iterable[Sequence[Array]]) -> Array:
        return np.stack(
            [np.concatenate([reorder(block, cell.name, "Keras", "ONNX", 0) for block in a]) for a in arrays]
        )

    biased = any(direction.use_bias for direction in directions)
    return OnnxNode(
        OPERATORS[cell.name],
        each([w.Wx.T] for w in own),
        each([w.Wh.T] for w in own),
        each(two_biases(w.bh) for w in own) if biased else None,
        attributes,
        np.stack([w.Wp[IOF].ravel() for w in own]) if "peepholes" in cell.beyond else None,
    )


def of_node(cell: Cell) -> tuple[Any, ...]:
    """What the cells of both directions of a node must have in common: all but the activations."""
    options = {name: value for name, value in vars(cell).items() if not isinstance(value, Activation)}
    return cell.name, *options.items()


def _direction(layer: Layer) -> str:
    if isinstance(layer, Bidirectional):
        return "bidirectional"
    return "reverse" if layer.go_backwards else "forward"


def _functions(layer: RNN) -> list[Activation]:
    """Its activations as a node has them: of an LSTM f of the gates, g of the candidate, h of the cell state."""
    (cell,) = layer.kinds
    gates = [cell.recurrent_activation] if hasattr(cell, "recurrent_activation") else []
    return [*gates, layer.activation, *([layer.activation] if cell.name == "LSTM" else [])]


def onnx_activation(name: str) -> tuple[str, float | None, float | None]:
    """Return ONNX's name of an activation, and its ``alpha`` and ``beta``.

    Raises
    ------
    ValueError
        If ONNX lacks it.
    """
    if name in ONNX_ACTIVATIONS:
        return ONNX_ACTIVATIONS[name]
    if (said := parameters(name)) is None:
        raise NoSuchLayer(f"ONNX has no activation {name!r} for a recurrent node; it has {', '.join(ONNX_ACTIVATIONS)}")
    family, (alpha, *others) = said
    return ONNX_ACTIVATIONS[family][0], alpha, others[0] if others else None


def _activations(directions: Iterable[RNN]) -> dict[str, Any]:
    functions = [str(function) for direction in directions for function in _functions(direction)]
    names, alphas, betas = zip(*map(onnx_activation, functions), strict=True)
    given: dict[str, Any] = {"activations": list(names)}
    # only functions that have a parameter take one from the list
    for name, values in (("activation_alpha", alphas), ("activation_beta", betas)):
        if said := [value for value in values if value is not None]:
            given[name] = said
    return given


def from_onnx(op: str, W: Any, R: Any, B: Any = None, P: Any = None, **attributes: Any) -> tuple[Layer, list[Array]]:
    """Return the layer that a node of ONNX is, and its weights in Keras's order.

    It gives every step (``return_sequences=True``), as ``Y`` does. Where Keras has one bias, it is the sum of the two.

    Parameters
    ----------
    op : {"RNN", "GRU", "LSTM"}
    W, R, B : arrays
        As the node has them; B is None where it has none.
    P : array, optional
        Peepholes of an LSTM.
    **attributes
        Those of the node: ``direction``, ``activations``, ``activation_alpha``, ``activation_beta``,
        ``linear_before_reset``, ``clip``, ``input_forget``, ``hidden_size``, ``layout``.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit, or no Spec has such a layer: with coupled gates, or other activations.
    """
    cell = next((keras for keras, name in OPERATORS.items() if name == op), None)
    if cell is None:
        raise ValueError(f"op must be one of {', '.join(OPERATORS.values())}, not {op!r}")
    unknown = attributes.keys() - {*_KNOWN}
    if unknown:
        raise TypeError(f"a node of ONNX has no attribute {', '.join(sorted(unknown))}; it has {', '.join(_KNOWN)}")
    W, R = numbers("W", W), numbers("R", R)
    B = None if B is None else numbers("B", B)
    if attributes.get("input_forget"):
        raise ValueError("the node couples input and forget gate (input_forget=1), and Keras does not")
    directions = _sides(attributes)
    gates = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[cell]
    n, M = len(directions), R.shape[-1]
    F = W.shape[-1] if W.ndim == 3 else 0
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {"W": (W, (n, gates * M, F)), "R": (R, (n, gates * M, M))}
    if B is not None:
        expected["B"] = (B, (n, 2 * gates * M))
    if P is not None:
        if cell != "LSTM":
            raise ValueError(f"{op} has no peepholes (P), which only LSTM has")
        P = numbers("P", P)
        expected["P"] = (P, (n, 3 * M))
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape} for {op} in {n} direction(s)")
    if attributes.get("hidden_size", M) != M:
        raise ValueError(f"hidden_size is {attributes['hidden_size']}, but R has shape {R.shape}")
    options: dict[str, Any] = {"use_bias": B is not None, "clip": attributes.get("clip") or None}
    if P is not None and np.any(P):
        options["peepholes"] = True
    if cell == "GRU":
        options["reset_after"] = bool(attributes.get("linear_before_reset", 0))
    layers = [made(cell, M, **options, **functions) for functions in _read_activations(cell, n, attributes)]
    layer: Layer = layers[0]
    if n == 2:
        layer = Bidirectional(layers[0], None if layers[0] == layers[1] else layers[1])
    elif directions == ["reverse"]:
        layer = layers[0].replace(go_backwards=True)
    own = []
    for k in range(n):
        Wx, Wh = (reorder(array[k], cell, "ONNX", "Keras", 0).T for array in (W, R))
        bh = None
        if B is not None:
            bh = one_bias(layers[k].kinds[0], *(reorder(half, cell, "ONNX") for half in np.split(B[k], 2)))
        peepholes = {"Wp": P[k].reshape(3, M)[IOF]} if "peepholes" in options and P is not None else {}
        own.append(CellWeights(Wx=Wx, Wh=Wh, bh=bh, **peepholes))
    return layer, joined(layer, own)


_KNOWN = (
    "activations",
    "activation_alpha",
    "activation_beta",
    "clip",
    "direction",
    "hidden_size",
    "input_forget",
    "layout",
    "linear_before_reset",
)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _sides(attributes: dict[str, Any]) -> list[str]:
    direction = _text(attributes.get("direction", "forward"))
    sides = {"forward": ["forward"], "reverse": ["reverse"], "bidirectional": ["forward", "reverse"]}
    if direction not in sides:
        raise ValueError(f"direction must be one of {', '.join(sides)}, not {direction!r}")
    return sides[direction]


def _read_activations(cell: str, n: int, attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options of each direction that say its activations."""
    usual = {"SimpleRNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[cell]
    names = [_text(name) for name in attributes.get("activations") or usual * n]
    if len(names) != n * len(usual):
        raise ValueError(
            f"{OPERATORS[cell]} in {n} direction(s) has {n * len(usual)} activations, not {', '.join(names)}"
        )
    alphas, betas = (iter(attributes.get(name) or ()) for name in ("activation_alpha", "activation_beta"))
    functions = [_keras_name(name, alphas, betas) for name in names]
    found = []
    for k in range(n):
        own = functions[k * len(usual) : (k + 1) * len(usual)]
        if cell == "LSTM" and own[1] != own[2]:
            raise ValueError(f"Keras's LSTM has one activation for candidate and cell state, not {own[1]} and {own[2]}")
        one = {"activation": own[-1]}
        found.append(one if cell == "SimpleRNN" else one | {"recurrent_activation": own[0]})
    return found


def _shortest(value: float) -> float:
    """Return a number of float32, as attributes are, as it was most likely written."""
    return float(str(np.float32(value)))


def _keras_name(name: str, alphas: Any, betas: Any) -> str:
    lower = name.lower()  # names are not case-sensitive
    alpha, beta = DEFAULTS.get(lower, (None, None))
    alpha = None if alpha is None else next(alphas, alpha)
    beta = None if beta is None else next(betas, beta)
    if lower not in BY_ONNX_NAME:
        raise ValueError(f"Keras has no activation {name}; those that both have are {', '.join(BY_ONNX_NAME)}")
    keras, *wanted = BY_ONNX_NAME[lower]
    if keras in FAMILIES:
        return spelled(keras, tuple(_shortest(value) for value in (alpha, beta) if value is not None))
    for letter, has, wants in zip(("alpha", "beta"), (alpha, beta), wanted, strict=True):
        if (
            has is not None and wants is not None and not np.isclose(has, wants, rtol=1e-6, atol=1e-9)
        ):  # attributes are float32
            raise ValueError(f"{name} with {letter}={has:.6g} is not Keras's {keras}, which has {letter}={wants:.6g}")
    return keras
