"""ONNX: recurrent nodes, ``RNN``, ``GRU`` and ``LSTM``, and what exporters put round them.

A graph is followed node by node. Of each tensor on the way it is known what its axes are (``T`` steps, ``N`` samples,
``D`` directions, ``F`` features) and of which layer it is; a node that does something else than a spec can hold is
refused by its name. Data that lie in another file are read from the model's own folder only.

Operators: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...model.layers import RNN, Bidirectional
from ...model.layouts import from_onnx
from ...model.spec import Spec
from ..errors import ImplementationError
from .model import PARTS, RECURRENT_ONLY, Model, Part, by_name, model_of
from .onnx_constants import Known
from .onnx_data import Array, attributes_of, load
from .onnx_parts import Graph, Recurrent, Value

__all__ = ["Graph", "Recurrent", "read_onnx", "spec_of", "understood"]

#: Functions that stand behind a head, by the names of their operators: Keras's name, and the attributes it has there.
FUNCTIONS: dict[str, tuple[str, dict[str, float]]] = {
    "Elu": ("elu", {"alpha": 1.0}),
    "Exp": ("exponential", {}),
    "LeakyRelu": ("leaky_relu", {"alpha": 0.2}),
    "Relu": ("relu", {}),
    "Sigmoid": ("sigmoid", {}),
    "Softmax": ("softmax", {"axis": -1}),
    "Softplus": ("softplus", {}),
    "Softsign": ("softsign", {}),
    "Tanh": ("tanh", {}),
}
#: What these take where nothing is said.
DEFAULTS = {("Elu", "alpha"): 1.0, ("LeakyRelu", "alpha"): 0.01, ("Softmax", "axis"): -1}

RECURRENT = {"RNN", "GRU", "LSTM"}

UNROLLED = (
    "it has no node RNN, GRU or LSTM: its recurrence is unrolled, or in a Loop or a Scan, which can be run and not be "
    "read"
)

#: Operators that exporters apply to ids before the look-up: ids below 0 are counted from the end, as Keras counts them.
OF_IDS: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Cast": lambda a: a,
    "Less": np.less,
    "Mul": np.multiply,
    "Not": np.logical_not,
    "Where": np.where,
}

#: Nodes that change nothing.
IDLE = ("Cast", "Dropout", "Identity")


def _name(node: Any) -> str:
    """Return what a node is asked for by: its name, or that of its first output where it has none."""
    return str(node.name or next(name for name in node.output if name))


def read_onnx(path: str, part: Part = "whole") -> Model:
    """Read spec and weights off an ONNX model."""
    return spec_of(understood(load(path), part))


def _model(graph: Graph) -> tuple[Spec, list[Array]]:
    arrays = [*graph.first, *(array for each in graph.layers for array in each.weights), *graph.dense.arrays]
    kernel, options = graph.layers[0].weights[0], dict(graph.source)
    D = options.pop("D", kernel.shape[0])
    layers = tuple(each.layer for each in graph.layers)
    try:
        return Spec(D, layers, tuple(graph.dense.layers), dtype=str(kernel.dtype), **options), arrays
    except (TypeError, ValueError) as error:
        raise ImplementationError(f"its nodes are not covered: {error}") from None


def spec_of(graph: Graph) -> Model:
    """Return spec and weights of a graph that is understood."""
    return model_of(*_model(graph))


def understood(model: Any, part: Part = "whole") -> Graph:
    """Follow the graph of a model.

    Raises
    ------
    ImplementationError
        If a node does what a spec cannot hold; the message names it.
    """
    return _Walk(model.graph, part).walked()


class _Walk:
    """Follows a graph from its input to its output."""

    def __init__(self, graph: Any, part: Part) -> None:
        self.graph, self.part = graph, part
        self.known = Known(graph)
        self.values: dict[str, Value] = {}
        #: What is computed of ids, by the names of the results.
        self.of_ids: dict[str, Any] = {}
        given = [each for each in graph.input if each.name not in self.known.constants]
        if not given:
            raise ImplementationError("it has no input")
        self.found = Graph(given[0].name)
        rank = len(given[0].type.tensor_type.shape.dim)
        if part == "whole" and rank not in (2, 3):
            raise ImplementationError(
                f"its input {given[0].name} has {rank} axes, expected (N, T, F) or (T, N, F), or two axes of whole "
                "numbers"
            )
        if part in PARTS and rank in (2, 3):
            self.values[given[0].name] = Value("ABF" if rank == 3 else "AB")

    def walked(self) -> Graph:
        for node in self.graph.node:
            self._visit(node)
        if not self.found.layers:
            names = [_name(node) for node in self.graph.node if node.op_type in RECURRENT]
            if not names:
                raise ImplementationError(UNROLLED)
            if self.part not in PARTS:
                known = ", ".join(names)
                raise ImplementationError(f"it has no recurrent node of the name {self.part!r}; it has {known}")
            raise ImplementationError("it has no node RNN, GRU or LSTM that is reached from its input")
        self._end()
        return self.found

    def _end(self) -> None:
        """Find the output, and see that it is one of a spec."""
        outputs = [each.name for each in self.graph.output if each.name in self.values]
        last = len(self.found.layers) - 1
        if self.part != "whole":
            self._close(Value("TNF", tuple((last, d) for d in range(self.found.layers[last].directions))), "its end")
            self.found.dense.end(0)
            return
        if not outputs:
            raise ImplementationError(f"none of its outputs comes of what could be followed: {RECURRENT_ONLY}")
        value = next((v for name in outputs if (v := self.values[name]).head), self.values[outputs[0]])
        self.found.y = next(name for name in outputs if self.values[name] is value)
        self.found.dense.end(value.head)
        if not value.head:
            self._close(value, f"its output {self.found.y}")
        self.found.y_axes = value.axes

    # ---- nodes ----

    def _visit(self, node: Any) -> None:
        """Take note of what a node makes."""
        if node.op_type in RECURRENT and self._begins(node):
            self.found.x, self.found.cut = node.input[0], True
            self.values = {node.input[0]: Value("ABF")}
        inputs = [name for name in node.input if name]
        followed = [name for name in inputs if name in self.values]
        if not followed:
            return self.known.take(node)
        if node.op_type == "Shape":
            return self.known.take_shape(node)
        if node.domain not in ("", "ai.onnx"):
            return self._stop(node)
        if node.op_type in RECURRENT:
            return self._recurrent(node)
        if node.op_type in OF_IDS and self.values[followed[0]].axes == "AB":
            self.of_ids[node.output[0]], self.values[node.output[0]] = node, self.values[followed[0]]
            return None
        visit: Callable[[Any, Value], Value | None] | None = getattr(self, f"_{node.op_type.lower()}", None)
        if node.op_type in IDLE:
            made: Value | None = self.values[followed[0]]
        elif node.op_type in FUNCTIONS:
            made = self._function(node, self.values[followed[0]])
        elif visit is not None:
            made = visit(node, self.values[followed[0]])
        else:
            made = None
        if made is None:
            return self._stop(node)
        self.values[node.output[0]] = made
        return None

    def _begins(self, node: Any) -> bool:
        """Whether what is read begins with a recurrent node, whatever comes before it."""
        if self.found.layers or self.part == "whole":
            return False
        return _name(node) == self.part if self.part not in PARTS else node.input[0] not in self.values

    def _stop(self, node: Any) -> None:
        """Refuse a node; where only recurrent ones are meant, go on without it."""
        if self.part != "whole":
            return
        if not RECURRENT & {each.op_type for each in self.graph.node}:
            raise ImplementationError(UNROLLED)
        name = f" ({node.name})" if node.name else ""
        raise ImplementationError(
            f"its node {node.op_type}{name} does what a Spec has no place for: {RECURRENT_ONLY}"
            + by_name([_name(each) for each in self.graph.node if each.op_type in RECURRENT], "; ")
        )

    # ---- axes ----

    def _known(self, node: Any, place: int) -> Array | None:
        return self.known.constants.get(node.input[place]) if len(node.input) > place else None

    def _axes(self, node: Any, value: Value) -> list[int] | None:
        """The axes that a node names, as an attribute or as its second input."""
        said = attributes_of(node).get("axes", self._known(node, 1))
        return None if said is None else [int(axis) % len(value.axes) for axis in np.ravel(said)]

    def _transpose(self, node: Any, value: Value) -> Value | None:
        perm = attributes_of(node).get("perm") or range(len(value.axes))[::-1]
        return replace(value, axes="".join(value.axes[i] for i in perm))

    def _squeeze(self, node: Any, value: Value) -> Value | None:
        axes = self._axes(node, value)
        if axes is None or [value.axes[axis] for axis in axes] not in (["D"], ["1"]):
            return None
        if value.axes[axes[0]] == "D" and len(value.parts) != 1:
            return None
        return replace(value, axes=value.axes[: axes[0]] + value.axes[axes[0] + 1 :])

    def _reshape(self, node: Any, value: Value) -> Value | None:
        """Follow directions that are put side by side, and shapes that stay."""
        if "D" in value.axes:
            if value.axes[-2:] != "DF":
                return None
            return replace(value, axes=value.axes[:-2] + "F", merged="concat" if len(value.parts) > 1 else None)
        shape = self._known(node, 1)
        return value if shape is not None and len(shape) == len(value.axes) else None

    def _flatten(self, node: Any, value: Value) -> Value | None:
        return value if len(value.axes) == 2 else None

    def _gather(self, node: Any, value: Value) -> Value | None:
        """Follow a look-up in a table, a direction, or the last step."""
        table = self._known(node, 0)
        if table is not None:
            return self._embedding(node, table, value) if node.input[1] in self.values else None
        axis, index = int(attributes_of(node).get("axis", 0)) % len(value.axes), self._known(node, 1)
        if index is None or index.size != 1:
            return None
        kept = "1" if index.ndim else ""
        rest = value.axes[:axis] + kept + value.axes[axis + 1 :]
        if value.axes[axis] == "D":
            return replace(value, axes=rest, parts=(value.parts[int(index.flat[0])],))
        if value.axes[axis] == "T" and int(index.flat[0]) in (-1, 0):
            return self._last(replace(value, axes=rest), at_start=int(index.flat[0]) == 0)
        return None

    def _slice(self, node: Any, value: Value) -> Value | None:
        """Follow steps that are turned round, and the last step."""
        said = [self._known(node, place) for place in range(1, len(node.input)) if node.input[place]]
        if any(each is None or each.size != 1 for each in said) or len(said) < 3:
            return None
        start, end, axis, step = (int(each.flat[0]) for each in [*said, np.array([1])][:4])  # type: ignore[union-attr]
        axis %= len(value.axes)
        rest = value.axes[:axis] + "1" + value.axes[axis + 1 :]
        if value.axes[axis] == "T" and (start, step) == (-1, -1) and end < -(2**30):
            return replace(value, turned=not value.turned)
        if value.axes[axis] == "T" and (start, step) == (-1, 1) and end > 2**30:
            return self._last(replace(value, axes=rest))
        if value.axes[axis] == "T" and (start, end, step) == (0, 1, 1):
            return self._last(replace(value, axes=rest), at_start=True)
        if value.axes[axis] == "D" and step == 1 and end - start == 1:
            return replace(value, parts=(value.parts[start],))
        return None

    def _last(self, value: Value, at_start: bool = False) -> Value | None:
        """Take the last step in time, or the first: where a direction ends that runs forward, or backward."""
        if not value.parts or value.head:
            return None
        backward = {self.found.layers[i].layer.directions[d].go_backwards for i, d in value.parts}
        if backward == {at_start != value.turned}:
            return replace(value, end=True, turned=False)
        if not at_start and True in backward:
            raise ImplementationError(
                "it takes the last step of what was read backwards, which is the first state there and not the last: a "
                f"Spec has none such; h_n holds the last states of both directions. {RECURRENT_ONLY}"
            )
        return None

    def _concat(self, node: Any, value: Value) -> Value | None:
        """Follow directions side by side, and the last states of several layers."""
        if not all(name in self.values for name in node.input):
            return None
        each = [self.values[name] for name in node.input]
        axis = int(attributes_of(node)["axis"]) % len(value.axes)
        if any((one.axes, one.end, one.head) != (value.axes, value.end, value.head) for one in each):
            return None
        parts = tuple(part for one in each for part in one.parts)
        if value.axes[axis] == "D":
            return replace(value, parts=parts)
        if value.axes[axis] == "1":
            return replace(value, parts=parts, axes=value.axes.replace("1", "D"))
        if value.axes[axis] == "F" and "D" not in value.axes and len(parts) == 2:
            return replace(value, parts=parts, merged="concat")
        return None

    # ---- sums and products ----

    def _add(self, node: Any, value: Value) -> Value | None:
        return self._merged(node, "sum") or self._bias(node, value)

    def _mul(self, node: Any, value: Value) -> Value | None:
        half = next((self.known.constants[name] for name in node.input if name in self.known.constants), None)
        if half is not None and value.merged == "sum" and (half == 0.5).all():
            return replace(value, merged="ave")
        return self._merged(node, "mul")

    def _div(self, node: Any, value: Value) -> Value | None:
        two = self._known(node, 1)
        halved = value.merged == "sum" and two is not None and bool((two == 2).all())
        return replace(value, merged="ave") if halved else None

    def _merged(self, node: Any, mode: str) -> Value | None:
        """Put two directions together."""
        if not all(name in self.values for name in node.input):
            return None
        one, other = (self.values[name] for name in node.input)
        parts = (*one.parts, *other.parts)
        alike = (one.axes, one.end, one.head) == (other.axes, other.end, other.head)
        if not alike or len(parts) != 2 or len({i for i, _ in parts}) != 1 or "D" in one.axes:
            return None
        return replace(one, parts=tuple(sorted(parts)), merged=mode)

    def _matmul(self, node: Any, value: Value) -> Value | None:
        kernel = self._known(node, 1)
        return None if kernel is None or kernel.ndim != 2 else self._dense(node, value, kernel, None)

    def _gemm(self, node: Any, value: Value) -> Value | None:
        attributes, kernel = attributes_of(node), self._known(node, 1)
        plain = all(attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta")) and not attributes.get("transA")
        bias = self._known(node, 2)
        if kernel is None or not plain or (len(node.input) > 2 and bias is None):
            return None
        return self._dense(node, value, kernel.T if attributes.get("transB") else kernel, bias)

    def _dense(self, node: Any, value: Value, kernel: Array, bias: Array | None) -> Value | None:
        if not value.parts:
            return None
        if not value.head:
            self._close(value, f"the input of its {node.op_type}")
        through = self.found.dense.extend(value.head, kernel, bias)
        return None if through is None else replace(value, head=through)

    def _bias(self, node: Any, value: Value) -> Value | None:
        """Add the bias of a Dense layer."""
        bias = next((self.known.constants[name] for name in node.input if name in self.known.constants), None)
        return None if bias is None or not self.found.dense.add_bias(value.head, bias) else value

    def _function(self, node: Any, value: Value) -> Value | None:
        name, wanted = FUNCTIONS[node.op_type]
        attributes = attributes_of(node)
        for key, expected in wanted.items():
            got = attributes.get(key, DEFAULTS[node.op_type, key])
            if key == "axis" and got == len(value.axes) - 1:
                got = -1
            if not np.isclose(got, expected, rtol=1e-6):
                return None
        return value if self.found.dense.activate(value.head, name) else None

    # ---- layers ----

    def _embedding(self, node: Any, table: Array, value: Value) -> Value | None:
        if table.ndim != 2 or value.parts or self.found.layers or attributes_of(node).get("axis", 0):
            return None
        ids = np.arange(len(table))
        if not np.array_equal(self._ids(node.input[1], ids), ids):
            return None
        self.found.source = {"source": "embedding", "vocabulary": table.shape[0], "D": table.shape[1]}
        self.found.first = [table]
        return replace(value, axes=f"{value.axes}F")

    def _ids(self, name: str, ids: Array) -> Array:
        """Compute what a tensor is where the input is these ids."""
        known = {each: array for each, array in self.known.constants.items() if array.size == 1}
        known[self.found.x] = ids
        for output, node in self.of_ids.items():  # in their order
            if all(each in known for each in node.input):
                known[output] = OF_IDS[node.op_type](*(known[each] for each in node.input))
        return known.get(name, ids[:0])

    def _recurrent(self, node: Any) -> None:
        """Read a recurrent node."""
        names = [*node.input, *[""] * 8][:8]
        if self.part not in PARTS and _name(node) != self.part:
            return None
        x, attributes, what = self.values.get(names[0]), attributes_of(node), f"its node {node.op_type}"
        if x is None or x.head:
            return self._stop(node)
        wanted = "NTF" if attributes.get("layout") else "TNF"
        if "A" in x.axes:  # the first one tells which axis of the input is which
            letters = dict(zip(x.axes, wanted, strict=True))
            if letters["F"] != "F":
                return self._stop(node)
            self.found.axes = "".join(letters[axis] for axis in self.values[self.found.x].axes)
        elif x.axes != wanted:
            raise ImplementationError(f"{what} gets the axes {x.axes}, expected {wanted}")
        if x.parts:
            self._close(x, f"the input of {what}", sequences=True)
        elif self.found.layers:
            raise ImplementationError(f"{what} and another recurrent node get the same input, which no Spec has")
        lengths, states = names[4], [name for name in names[5:7] if name]
        if lengths:
            raise ImplementationError(f"{what} takes sequence_lens, and a Spec that is read off a file has no lengths")
        for name in states:
            if name not in self.known.zeros:
                raise ImplementationError(
                    f"{what} takes an initial state, {name}, that is not zeros: that is not read off a file"
                )
        arrays = [None if not name else self.known.constants.get(name) for name in (*names[1:4], names[7])]
        missing = [name for name, array in zip((*names[1:4], names[7]), arrays, strict=True) if name and array is None]
        if missing or arrays[0] is None or arrays[1] is None:
            raise ImplementationError(f"{what} has weights that are no numbers of the file: {', '.join(missing)}")
        try:
            layer, weights = from_onnx(node.op_type, *arrays, **attributes)
        except (TypeError, ValueError) as error:
            raise ImplementationError(f"{what}: {error}") from None
        i = len(self.found.layers)
        self.found.layers.append(Recurrent(node, layer, weights))
        parts = tuple((i, d) for d in range(len(layer.directions)))
        outputs = [*node.output, "", ""]
        self.values[outputs[0]] = Value("NTDF" if attributes.get("layout") else "TDNF", parts)
        ends = "NDF" if attributes.get("layout") else "DNF"
        self.values[outputs[1]] = Value(ends, parts, end=True)
        self.values.pop("", None)
        return None

    def _close(self, value: Value, where: str, sequences: bool | None = None) -> None:
        """See that a tensor is the whole output of the last layer, and say so of the layer."""
        i = len(self.found.layers) - 1
        recurrent = self.found.layers[i]
        if {part[0] for part in value.parts} - {i} or sorted(d for _, d in value.parts) != [
            *range(recurrent.directions)
        ]:
            raise ImplementationError(f"{where} is not the whole output of the recurrent node before it")
        if sequences and value.end:
            raise ImplementationError(f"{where} is a last state, and a recurrent layer takes sequences")
        layer, recurrent.sequences = recurrent.layer, not value.end
        if isinstance(layer, RNN):
            if layer.go_backwards and not value.end and not value.turned and self.part == "whole":
                raise ImplementationError(
                    f"{where} has the outputs of a node that runs backwards in the order of time, and a Spec has them "
                    "in the order in which they are computed"
                )
            if not layer.go_backwards and value.turned:
                raise ImplementationError(f"{where} has the steps of a forward node turned round, which no Spec has")
            recurrent.layer = layer.replace(return_sequences=not value.end)
            return
        if value.turned or (value.merged is None and self.part == "whole"):
            raise ImplementationError(f"{where} has the two directions of a node in no order that a Spec has")
        each = [each and each.replace(return_sequences=not value.end) for each in (layer.forward, layer.backward)]
        assert each[0] is not None
        recurrent.layer = Bidirectional(each[0], each[1], value.merged or "concat")
