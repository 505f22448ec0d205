"""``.tflite``: recurrent layers as the converter of TensorFlow leaves them, with what stands round them.

A layer is one operator (``UNIDIRECTIONAL_SEQUENCE_LSTM`` or ``..._RNN``), or a loop whose body is a step; Keras 2 gives
the first for an LSTM, Keras 3 the second. Unrolled layers are no layers any more, and are refused. What is followed of
the rest is what the converter makes of two directions, the last step, an ``Embedding`` and a dense head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...cells.lstm import LSTMCell
from ...cells.simple_rnn import SimpleRNNCell
from ...model.layers import LAYERS, RNN, Bidirectional
from ...model.spec import Layer, Spec
from ..errors import ImplementationError
from .dense import DenseChain
from .model import Model, Part, model_of
from .tflite_data import Array, Operator, Subgraph, load
from .tflite_mask import SELECTS, Held
from .tflite_step import cell_of

__all__ = ["read_tflite"]

#: Operators that apply a function behind a head, by Keras's name.
FUNCTIONS = {"LOGISTIC": "sigmoid", "RELU": "relu", "SOFTMAX": "softmax", "TANH": "tanh"}

#: Operators that change nothing but how numbers are stored.
IDLE = ("CAST", "DEQUANTIZE", "QUANTIZE")

#: What to do with a file that can be run and not be read.
RUN = (
    "say which model it was made of, as --rnn-equiv-model FILE --rnn-equiv-impl model.tflite, and "
    "pytest-rnnequiv[litert] runs it"
)

NO_LAYER = (
    "it has no recurrent layer that is followed: its recurrence is unrolled, or its input goes through something else "
    f"before: {RUN}"
)

#: What is made of ids before they are looked up: those below 0 are counted from the end, as Keras does it.
OF_IDS: dict[str, Callable[..., Array]] = {
    "ADD": np.add,
    "CAST": lambda a: a,
    "LESS": np.less,
    "MUL": np.multiply,
    "SELECT": np.where,
    "SELECT_V2": np.where,
}

RECURRENT = ("WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN")


@dataclass(frozen=True)
class _Value:
    """A tensor on the way from the input to the output.

    Attributes
    ----------
    axes : str
        ``N``, ``T``, ``F``, and ``1`` for an axis of one step.
    sides : tuple of int
        The recurrent layers that it consists of; none of an input.
    turned : bool
        Whether its steps are in the reverse of the order in which they were given or computed.
    end : bool
        Whether it is the last state.
    merged : str or None
        How two directions were put together.
    head : int
    """

    axes: str
    sides: tuple[int, ...] = ()
    turned: bool = False
    end: bool = False
    merged: str | None = None
    head: int = 0


@dataclass
class _Found:
    """A recurrent layer of one direction."""

    layer: RNN
    weights: list[Array]
    source: int
    turned: bool
    masked: bool = False


def read_tflite(path: str, part: Part = "whole") -> Model:
    """Read spec and weights off a ``.tflite`` file.

    Raises
    ------
    ImplementationError
        If a spec has no place for what it does; the message names the operator.
    """
    if part != "whole":
        raise ImplementationError("a part of it cannot be read alone: its layers have no names any more")
    return _Walk(load(path)).model()


class _Walk:
    """Follows the first graph of a file from its input to its output."""

    def __init__(self, graphs: list[Subgraph]) -> None:
        self.graphs, self.graph = graphs, graphs[0]
        if len(self.graph.inputs) != 1:
            raise ImplementationError(f"it has {len(self.graph.inputs)} inputs, and one is read")
        self.constants = {i: each.numbers for i, each in enumerate(self.graph.tensors) if each.numbers is not None}
        self.single: list[_Found] = []
        self.layers: list[tuple[Layer, list[Array]]] = []
        self.first: list[Array] = []
        self.source: dict[str, Any] = {}
        #: Masks of the steps, and whether those are turned round; and with what inputs were compared for one.
        self.masks: dict[int, bool] = {}
        self.compared: dict[int, float] = {}
        #: What is computed of ids, by the numbers of the results.
        self.of_ids: dict[int, Operator] = {}
        self.dense = DenseChain()
        (x,) = self.graph.inputs
        rank = len(self.graph.tensors[x].shape)
        if rank not in (2, 3):
            raise ImplementationError(f"its input has {rank} axes, expected (N, T, F), or (N, T) of whole numbers")
        self.values = {x: _Value("NTF" if rank == 3 else "NT")}

    def model(self) -> Model:
        """Follow all of it."""
        for operator in self.graph.operators:
            self._visit(operator)
        outputs = [i for i in self.graph.outputs if i in self.values]
        if not self.single or len(self.graph.outputs) != 1 or not outputs:
            raise ImplementationError(NO_LAYER if not self.single else "its output is not that of a chain of layers")
        value = self.values[outputs[0]]
        self.dense.end(value.head)
        if not value.head:
            self._close(value)
        self._see_masks()
        arrays = [*self.first, *(array for _, weights in self.layers for array in weights), *self.dense.arrays]
        options = dict(self.source)
        D = options.pop("D", self.layers[0][1][0].shape[0])
        try:
            spec = Spec(D, tuple(layer for layer, _ in self.layers), tuple(self.dense.layers), **options)
        except (TypeError, ValueError) as error:
            raise ImplementationError(f"its layers are not covered: {error}") from None
        return model_of(spec, [np.asarray(array, np.float32) for array in arrays])

    def _see_masks(self) -> None:
        """See that all layers heed the mask, or none."""
        heeded = {each.masked for each in self.single}
        source = self.source.get("source")
        if heeded == {True} and source == "embedding":
            self.source["source"] = "embedding with mask"
        elif heeded != {source == "masking"}:
            raise ImplementationError(
                f"some of its layers heed a mask, and others do not, or it comes of nothing that a Spec has: {RUN}"
            )

    # ---- operators ----

    def _followed_as_mask(self, operator: Operator) -> bool:
        """Follow what a ``Masking`` or an ``Embedding`` computes for a mask, and where that goes."""
        if not operator.inputs or not operator.outputs:
            return False
        first, made, kind = operator.inputs[0], operator.outputs[0], operator.kind
        if kind == "NOT_EQUAL" and first in self.graph.inputs:
            value = self._constant(operator, 1)
            if value is None or value.size != 1 or (self.values[first].axes == "NT" and value.any()):
                return False
            self.compared[made] = float(value.flat[0])
            if self.values[first].axes == "NT":
                self.masks[made] = False
            return True
        if kind == "REDUCE_ANY" and first in self.compared:
            axes = self._constant(operator, 1)
            if axes is None or [int(axis) % 3 for axis in axes.ravel()] != [2]:
                return False
            self.masks[made] = False
            self.source = {"source": "masking", "mask_value": self.compared[first]}
            return True
        if first not in self.masks:
            return False
        if kind in ("CAST", "EXPAND_DIMS", "RESHAPE", "REVERSE_V2", "SQUEEZE", "TRANSPOSE"):
            self.masks[made] = self.masks[first] != (kind == "REVERSE_V2")
            return True
        zeros = self._constant(operator, 2)
        if kind in SELECTS and operator.inputs[1] in self.graph.inputs and zeros is not None and not zeros.any():
            self.values[made] = self.values[operator.inputs[1]]
            return True
        return False

    def _visit(self, operator: Operator) -> None:
        if self._followed_as_mask(operator):
            return
        followed = [i for i in operator.inputs if i in self.values]
        if not followed:
            if operator.kind in IDLE and operator.inputs[0] in self.constants:  # weights of 16 bits, and of 8
                self.constants[operator.outputs[0]] = self.constants[operator.inputs[0]]
            return
        if operator.kind in RECURRENT:
            getattr(self, f"_{operator.kind.lower()}")(operator)
            return
        value = self.values[followed[0]]
        if operator.kind in OF_IDS and value.axes == "NT":
            self.of_ids[operator.outputs[0]], self.values[operator.outputs[0]] = operator, value
            return
        visit: Callable[[Operator, _Value], _Value | None] | None = getattr(self, f"_{operator.kind.lower()}", None)
        if operator.kind in IDLE:
            made: _Value | None = value
        elif operator.kind in FUNCTIONS:
            made = value if self._applied(FUNCTIONS[operator.kind], value) else None
        else:
            made = None if visit is None else visit(operator, value)
        if made is None:
            raise ImplementationError(
                f"its operator {operator.kind} does what a Spec has no place for: {RUN}" if self.single else NO_LAYER
            )
        self.values[operator.outputs[0]] = made

    def _constant(self, operator: Operator, place: int) -> Array | None:
        inputs = operator.inputs
        return self.constants.get(inputs[place]) if place < len(inputs) else None

    def _shape_of(self, number: int) -> tuple[int, ...]:
        return self.graph.tensors[number].shape

    def _reshape(self, operator: Operator, value: _Value) -> _Value | None:
        """Follow axes that are exchanged round one sample, and an axis of one step that goes."""
        before, after = self._shape_of(operator.inputs[0]), self._shape_of(operator.outputs[0])
        if before == after:
            return value
        if len(before) == 3 and after == (before[1], before[0], before[2]) and 1 in before[:2]:
            return replace(value, axes=value.axes[1] + value.axes[0] + value.axes[2])
        if "1" in value.axes and after == tuple(n for n, a in zip(before, value.axes, strict=True) if a != "1"):
            return replace(value, axes=value.axes.replace("1", ""))
        return None

    def _squeeze(self, operator: Operator, value: _Value) -> _Value | None:
        return self._reshape(operator, value)

    def _transpose(self, operator: Operator, value: _Value) -> _Value | None:
        order = self._constant(operator, 1)
        return None if order is None else replace(value, axes="".join(value.axes[int(i)] for i in order))

    def _reverse_v2(self, operator: Operator, value: _Value) -> _Value | None:
        axes = self._constant(operator, 1)
        if axes is None or [value.axes[int(i)] for i in axes.ravel()] != ["T"]:
            return None
        return replace(value, turned=not value.turned)

    def _strided_slice(self, operator: Operator, value: _Value) -> _Value | None:
        """Follow the last step."""
        begin, _, stride = (self._constant(operator, i) for i in (1, 2, 3))
        gone = operator.option(4, "<i")
        axis = next((i for i, a in enumerate(value.axes) if a in "T1" and gone == 1 << i), None)
        if axis is None or begin is None or stride is None or (stride != 1).any() or not value.sides:
            return None
        steps = self._shape_of(operator.inputs[0])[axis]
        last = begin[axis] in (-1, steps - 1) and len(value.sides) == 1 and not value.head
        if value.axes[axis] == "T" and (not last or value.turned):
            return None
        if value.axes[axis] == "1" and begin[axis] not in (-1, 0):
            return None
        return replace(value, axes=value.axes[:axis] + value.axes[axis + 1 :], end=True)

    def _gather(self, operator: Operator, value: _Value) -> _Value | None:
        """Follow a look-up in a table."""
        table = self._constant(operator, 0)
        if table is None or table.ndim != 2 or value.axes != "NT" or value.sides or operator.option(0, "<i"):
            return None
        ids = np.arange(len(table))
        if not np.array_equal(self._ids(operator.inputs[1], ids), ids):
            return None
        self.source = {"source": "embedding", "vocabulary": table.shape[0], "D": table.shape[1]}
        self.first = [table]
        return replace(value, axes="NTF")

    def _ids(self, number: int, ids: Array) -> Array:
        """Compute what a tensor is where the input is these ids."""
        known = {i: array for i, array in self.constants.items() if array.size == 1}
        known |= dict.fromkeys(self.graph.inputs, ids)
        for output, made in self.of_ids.items():  # in their order
            if all(i in known for i in made.inputs):
                known[output] = OF_IDS[made.kind](*(known[i] for i in made.inputs))
        return known.get(number, ids[:0])

    def _concatenation(self, operator: Operator, value: _Value) -> _Value | None:
        axis = operator.option(0, "<i") % len(value.axes)
        return self._merged(operator, "concat") if value.axes[axis] == "F" else None

    def _add(self, operator: Operator, value: _Value) -> _Value | None:
        """Follow two directions that are added, and the bias of a Dense layer."""
        bias = next((self.constants[i] for i in operator.inputs if i in self.constants), None)
        if bias is None:
            return self._merged(operator, "sum")
        added = self.dense.add_bias(value.head, bias)
        return value if added and self._applied(operator.fused(0), value) else None

    def _mul(self, operator: Operator, value: _Value) -> _Value | None:
        half = next((self.constants[i] for i in operator.inputs if i in self.constants), None)
        if half is not None:
            return replace(value, merged="ave") if value.merged == "sum" and bool((half == 0.5).all()) else None
        return self._merged(operator, "mul")

    def _merged(self, operator: Operator, mode: str) -> _Value | None:
        """Put two directions together, the forward one first."""
        each = [self.values[i] for i in operator.inputs if i in self.values]
        if len(each) != 2 or len(operator.inputs) != 2:
            return None
        one, other = each
        if (one.axes, one.end) != (other.axes, other.end) or one.head or len(one.sides) != 1 or len(other.sides) != 1:
            return None
        if mode != "concat" and self.single[one.sides[0]].turned:
            one, other = other, one
        if (one.turned, other.turned) != (False, not one.end):  # of the backward one, steps are turned back
            return None
        return replace(one, sides=(*one.sides, *other.sides), merged=mode)

    def _fully_connected(self, operator: Operator, value: _Value) -> _Value | None:
        kernel, bias = self._constant(operator, 1), self._constant(operator, 2)
        if kernel is None or not value.sides or value.axes not in ("NTF", "NF"):
            return None
        if not value.head:
            self._close(value)
        through = self.dense.extend(value.head, kernel.T, bias)
        made = replace(value, head=through or 0)
        return made if through is not None and self._applied(operator.fused(0), made) else None

    def _applied(self, function: str, value: _Value) -> bool:
        """Have a Dense layer apply a function; False where there is no place for it."""
        return function == "linear" or self.dense.activate(value.head, function)

    # ---- layers ----

    def _begun(self, operator: Operator, axes: str) -> _Value:
        """See that a recurrent operator gets the input, or the whole output of the layers before it."""
        value = self.values.get(operator.inputs[0])
        if value is None or value.head or value.axes != axes:
            raise ImplementationError(f"its operator {operator.kind} gets no sequence that could be followed")
        return value

    def _add_layer(self, layer: RNN, weights: list[Array], value: _Value) -> int:
        """Take a layer in, whose input is the output of those before it."""
        if value.sides and not self._is_closed(value):
            self._close(replace(value, turned=False))
        source = 1 + self.single[value.sides[0]].source if value.sides else 0
        if source != len(self.layers):
            raise ImplementationError("its recurrent layers are no chain")
        self.single.append(_Found(layer, weights, source, value.turned))
        return len(self.single) - 1

    def _is_closed(self, value: _Value) -> bool:
        return any(self.single[i].source < len(self.layers) for i in value.sides)

    def _close(self, value: _Value) -> None:
        """Make one or two directions the next layer."""
        found = [self.single[i] for i in value.sides]
        if any(each.source != len(self.layers) for each in found) or len(self.single) != sum(
            len(layer.directions) for layer, _ in self.layers
        ) + len(found):
            raise ImplementationError("its recurrent layers are no chain")
        if value.axes not in ("NTF", "NF", "TNF"):
            raise ImplementationError("the output of a recurrent layer goes on in no order that a Spec has")
        made = [each.layer.replace(return_sequences=not value.end) for each in found]
        if len(found) == 1:
            (one,) = found
            if value.turned:
                raise ImplementationError("the steps of a recurrent layer go on in an order that no Spec has")
            self.layers.append((made[0].replace(go_backwards=one.turned), one.weights))
            return
        if [each.turned for each in found] != [False, True]:
            raise ImplementationError("two recurrent layers are put together that are no two directions of one")
        forward, backward = made
        own = None if backward == forward else backward
        weights = [*found[0].weights, *found[1].weights]
        self.layers.append((Bidirectional(forward, own, value.merged), weights))

    def _unidirectional_sequence_lstm(self, operator: Operator) -> None:
        inputs = [*operator.inputs, *[-1] * 24][:24]
        value = self._begun(operator, "TNF" if operator.option(3, "<?") else "NTF")
        if any(i >= 0 for i in (*inputs[9:12], *inputs[16:18], *inputs[20:24])):
            raise ImplementationError("its LSTM has peepholes, a projection or a layer norm, and no Spec has one")
        clips = [operator.option(field, "<f") for field in (1, 2)]
        if any(clips):
            raise ImplementationError(
                f"its LSTM clips its cell state at {max(clips):g}, as converted LSTMs of Keras 2 do, "
                f"and no Spec has one that does: {RUN}"
            )
        kernels, recurrent, biases = (
            [self.constants.get(i) for i in inputs[a:b]] for a, b in ((1, 5), (5, 9), (12, 16))
        )
        if any(each is None for each in (*kernels, *recurrent, *biases)):
            raise ImplementationError("its LSTM has weights that are not in the file, or its gates are coupled")
        weights = [np.concatenate([a.T for a in found if a is not None], 1) for found in (kernels, recurrent)]
        weights.append(np.concatenate([b for b in biases if b is not None]))
        layer = LAYERS["LSTM"](len(weights[1]), operator.fused(0), cell=LSTMCell())
        self.values[operator.outputs[0]] = self._shown(self._add_layer(layer, weights, value), value)

    def _unidirectional_sequence_rnn(self, operator: Operator) -> None:
        value = self._begun(operator, "TNF" if operator.option(0, "<?") else "NTF")
        found = [self.constants.get(i) for i in operator.inputs[1:4]]
        if any(each is None for each in found):
            raise ImplementationError("its RNN has weights that are not in the file")
        kernel, recurrent, bias = (np.asarray(each) for each in found)
        layer = LAYERS["SimpleRNN"](len(recurrent), operator.fused(1), cell=SimpleRNNCell())
        number = self._add_layer(layer, [kernel.T, recurrent.T, bias], value)
        self.values[operator.outputs[0]] = self._shown(number, value)

    def _shown(self, number: int, value: _Value) -> _Value:
        return _Value(value.axes, (number,))

    def _while(self, operator: Operator) -> None:
        """Read a loop over the steps: what it carries on is the inputs, states, and outputs so far."""
        body_number = operator.option(1, "<i")
        if not 0 < body_number < len(self.graphs):
            raise ImplementationError("its loop names a graph that the file does not have")
        body = self.graphs[body_number]
        carried = list(zip(operator.inputs, body.inputs, body.outputs, operator.outputs, strict=True))
        xs = [(outer, inner) for outer, inner, after, _ in carried if outer in self.values and after == inner]
        masks = [(outer, inner) for outer, inner, after, _ in carried if outer in self.masks and after == inner]
        if len(xs) != 1 or self.values[xs[0][0]].axes != "TNF" or len(masks) > 1:
            raise ImplementationError("its loop is not one over the steps of a sequence")
        ((outer, x_inner),) = xs
        value, D = self.values[outer], self._shape_of(outer)[2]
        states = {
            inner: (after, given, shown)
            for given, inner, after, shown in carried
            if after != inner and body.tensors[inner].floating and len(body.tensors[inner].shape) == 2
        }
        held = Held(body, masks[0][1], states) if masks else None
        if masks and self.masks[masks[0][0]] != value.turned:
            raise ImplementationError("its loop takes the steps of its mask in another order than those of its input")
        if held is not None:
            states = held.states
        widths = {body.tensors[inner].shape[-1] for inner in states}
        if len(widths) != 1:
            raise ImplementationError("its loop carries no states, or states of several sizes")
        for given in (given for _, given, _ in states.values()):
            initial = self.constants.get(given)
            if initial is None or initial.any():
                raise ImplementationError(
                    "its loop begins with states that are not zeros, which are not read off a file"
                )
        x = self._one_step(body, x_inner)
        cell, name, weights = cell_of(body, x, D, {i: after for i, (after, _, _) in states.items()}, widths.pop())
        layer = LAYERS[cell.name](len(weights[1]), name, use_bias=len(weights) > 2, cell=cell)
        if held is not None:
            layer = layer.replace(zero_output_for_mask=held.zero_output)
        number = self._add_layer(layer, weights, value)
        self.single[number].masked = held is not None
        for _, inner, after, shown in carried:
            shape = body.tensors[inner].shape
            if inner in states:
                self.values[shown] = _Value("NF", (number,), end=True)
            elif len(shape) == 3 and after != inner and body.tensors[inner].floating:
                self.values[shown] = self._collected(body, after, number)

    def _one_step(self, body: Subgraph, x: int) -> int:
        """Return the tensor of a step's inputs."""
        taken = [each for each in body.operators if x in each.inputs]
        if len(taken) != 1 or taken[0].kind != "GATHER":
            raise ImplementationError("its loop takes the steps of its input in a way that is not followed")
        return taken[0].outputs[0]

    def _collected(self, body: Subgraph, after: int, number: int) -> _Value:
        """Outputs that a loop collects: those of all steps, or of the last one only."""
        maker = next((each.kind for each in body.operators if after in each.outputs), "")
        if maker in ("RESHAPE", "EXPAND_DIMS"):
            return _Value("1NF", (number,), end=True)
        return _Value("TNF", (number,))
