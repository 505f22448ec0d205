"""The cell that the body of a loop computes in one step, found by what it computes.

A converter leaves of a layer a loop of additions and products. Its weights are those by which it multiplies the inputs
of the step and the states; their shapes tell the cell. Which activation it has, in which order its gates are, and that
it does nothing else is seen by computing the step on random numbers, as the file has it and as the cell has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from ...arithmetic.activations import ACTIVATIONS
from ...cells import CELLS
from ...cells.cell import Cell, CellWeights
from ..errors import ImplementationError
from .tflite_data import Array, Operator, Subgraph

__all__ = ["Step", "cell_of"]

#: Activations that are tried, of the states and of the gates.
FUNCTIONS = ("tanh", "relu", "sigmoid", "linear", "elu", "softsign", "hard_sigmoid")
GATES = ("sigmoid", "hard_sigmoid", "tanh", "linear")

#: How near the two computations are to be; they differ by the rounding of scales and constants.
NEAR = 1e-6

#: Numbers of an array that a step makes, of a few rows.
LARGEST = 2**24

#: Operators of two arrays.
OF_TWO: dict[str, Callable[..., Array]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "DIV": np.divide,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
}

#: Operators that hand their numbers on.
SAME = ("CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RESHAPE", "SQUEEZE")


class Step:
    """One pass through the body of a loop.

    Parameters
    ----------
    body : Subgraph
    given : mapping of int to ndarray
        The numbers of some tensors: the states before the step, ``(N, M)``, and the inputs, ``(N, D)``.

    Attributes
    ----------
    products : list of (int, Array, Array or None)
        Each multiplication by weights that was met: of which tensor, by which kernel ``(out, in)``, with which bias.
    added : list of Array
        Constants that were added to something.
    """

    def __init__(self, body: Subgraph, given: Mapping[int, Array]) -> None:
        self.body, self.products = body, list[tuple[int, Array, Array | None]]()
        self.added: list[Array] = []
        self._known = {i: np.asarray(array, np.float64) for i, array in given.items()}
        self._makers = {number: each for each in body.operators for number in each.outputs}

    def value(self, number: int) -> Array:
        """Compute a tensor."""
        if number not in self._known:
            constant = self.body.constant(number)
            if constant is not None:
                self._known[number] = np.asarray(constant, np.float64)
            elif number not in self._makers:
                raise ImplementationError("its loop takes something that is neither an input, a state nor a weight")
            else:
                maker = self._makers[number]
                self._known.update(zip(maker.outputs, self._made(maker), strict=False))
        return self._known[number]

    def _made(self, operator: Operator) -> Iterator[Array]:
        """Compute the outputs of an operator."""
        inputs = operator.inputs
        match operator.kind:
            case kind if kind in OF_TWO:
                one, other = (self.value(i) for i in inputs)
                if np.prod(np.broadcast_shapes(one.shape, other.shape), dtype=object) > LARGEST:
                    raise ImplementationError(f"its loop makes an array of more than {LARGEST:,} numbers in one step")
                if operator.kind == "ADD":
                    self.added += [self.value(i) for i in inputs if self.body.constant(i) is not None]
                made = OF_TWO[kind](one, other)
                yield made if kind in ("MAXIMUM", "MINIMUM") else _function(operator.fused(0))(made)
            case "FULLY_CONNECTED":
                kernel = self.value(inputs[1])
                bias = self.value(inputs[2]) if len(inputs) > 2 and inputs[2] >= 0 else None
                self.products.append((inputs[0], kernel, bias))
                yield _function(operator.fused(0))(self.value(inputs[0]) @ kernel.T + (0 if bias is None else bias))
            case "LOGISTIC" | "TANH" | "RELU" | "RELU6":
                name = {"LOGISTIC": "sigmoid"}.get(operator.kind, operator.kind.lower())
                yield _function(name)(self.value(inputs[0]))
            case "SPLIT":
                yield from np.split(self.value(inputs[1]), len(operator.outputs), int(self.value(inputs[0])))
            case "SPLIT_V":
                ends = np.cumsum(self.value(inputs[1]))[:-1].astype(int)
                yield from np.split(self.value(inputs[0]), ends, int(self.value(inputs[2])))
            case "STRIDED_SLICE":
                yield self._slice(operator)
            case kind if kind in SAME:
                yield self.value(inputs[0])
            case kind:
                raise ImplementationError(f"its loop has the operator {kind}, and no cell of a Spec has one")

    def _slice(self, operator: Operator) -> Array:
        """Take the columns of some gates."""
        whole = self.value(operator.inputs[0])
        begin, end, stride = (self.value(i).astype(int) for i in operator.inputs[1:])
        from_start, to_end = operator.option(0, "<i"), operator.option(1, "<i")
        if (
            whole.ndim != 2
            or len(begin) != 2
            or (stride != 1).any()
            or any(operator.option(i, "<i") for i in (2, 3, 4))
        ):
            raise ImplementationError("its loop takes a slice that no cell of a Spec has")
        ends = [slice(None if from_start >> i & 1 else begin[i], None if to_end >> i & 1 else end[i]) for i in (0, 1)]
        return whole[ends[0], ends[1]]


def _function(name: str) -> Callable[[Array], Array]:
    def applied(a: Array) -> Array:
        return np.asarray(ACTIVATIONS[name](a))

    return applied


def cell_of(body: Subgraph, x: int, D: int, states: Mapping[int, int], M: int) -> tuple[Cell, str, list[Array]]:
    """Find the cell that the body of a loop computes.

    Parameters
    ----------
    body : Subgraph
    x : int
        The tensor of the step's inputs, of `D` features.
    states : mapping of int to int
        The tensors of the states before the step, and those of the states after it; each of `M` units.

    Returns
    -------
    cell, activation, weights
        ``weights`` in the order of Keras's ``get_weights()``.

    Raises
    ------
    ImplementationError
        If it is none of a spec.
    """
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((8, D))
    before = [rng.uniform(-1, 1, (8, M)) for _ in states]
    step = Step(body, {x: inputs, **dict(zip(states, before, strict=True))})
    after = [step.value(i) for i in states.values()]
    of_x = [(kernel, bias) for number, kernel, bias in step.products if number == x]
    of_h = [(kernel, bias) for number, kernel, bias in step.products if number in states]
    others = [(kernel, bias) for number, kernel, bias in step.products if number != x and number not in states]
    for cell, weights, use_bias in _candidates(of_x, of_h, others, step.added, D, M):
        tried = [before] if len(before) == 1 else [before, before[::-1]]
        for given in tried:
            wanted = after if given is before else after[::-1]
            for name in FUNCTIONS:
                made = cell.step(inputs, tuple(given), weights, ACTIVATIONS[name])
                if all(np.allclose(a, b, NEAR, NEAR) for a, b in zip(made, wanted, strict=True)):
                    own = [weights.Wx, weights.Wh, *([weights.bh] if use_bias else [])]
                    return cell, name, [np.ascontiguousarray(each, np.float32) for each in own]
    raise ImplementationError(
        "its loop computes no cell of a Spec: neither SimpleRNN nor GRU nor LSTM, with any activation that is known"
    )


Product = tuple[Array, Array | None]


def _joined(products: list[Product], size: int) -> tuple[Array, Array]:
    """Return kernels side by side, ``(in, out)``, and their biases."""
    kernels = [kernel.T for kernel, _ in products] or [np.zeros((size, 0))]
    biases = [np.zeros(len(kernel)) if bias is None else bias for kernel, bias in products] or [np.zeros(0)]
    return np.concatenate(kernels, 1), np.concatenate(biases)


def _candidates(
    of_x: list[Product], of_h: list[Product], others: list[Product], added: list[Array], D: int, M: int
) -> Iterator[tuple[Cell, CellWeights, bool]]:
    """Yield the cells whose weights have such shapes, with their gates in each order."""
    if any(kernel.shape[1] != D for kernel, _ in of_x) or any(kernel.shape[1] != M for kernel, _ in (*of_h, *others)):
        return
    Wx, bx = _joined(of_x, D)
    Wh, bh = _joined([*of_h, *others], M)
    apart = [each.ravel() for each in added if each.size == Wx.shape[1]]  # a bias that is added by itself
    bx = bx + sum(apart, np.zeros(1))
    use_bias = bool(apart) or any(bias is not None for _, bias in (*of_x, *of_h, *others))
    for kind in CELLS.values():
        gates = len(kind.gates)
        if Wx.shape[1] != gates * M or Wh.shape[1] != gates * M:
            continue
        for order in permutations(range(gates)):  # the first one is Keras's
            columns = np.concatenate([gate * M + np.arange(M) for gate in order])
            own = CellWeights(Wx=Wx[:, columns], Wh=Wh[:, columns], bh=(bx + bh)[columns])
            usual = order == tuple(range(gates))
            for cell in _variants(kind, kind.options(), GATES if usual else GATES[:1]):
                two = cell.weight_shapes(D, M)["bh"] == (2, gates * M)
                biases = np.stack([bx[columns], bh[columns]]) if two else own.bh
                yield cell, CellWeights(Wx=own.Wx, Wh=own.Wh, bh=biases), use_bias


def _variants(kind: Callable[..., Cell], options: Mapping[str, Any], gates: Sequence[str]) -> Iterator[Cell]:
    if "recurrent_activation" not in options:
        yield kind()
        return
    for gate in gates:
        for more in ({"reset_after": True}, {"reset_after": False}) if "reset_after" in options else ({},):
            yield kind(recurrent_activation=gate, **more)
