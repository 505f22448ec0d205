"""Specs as ONNX models, built node by node with the ``onnx`` package: what the runtimes of ONNX run.

A layer is one ``RNN``, ``GRU`` or ``LSTM`` node; a ``Bidirectional`` one node of direction ``bidirectional``, or two where
its sides differ. Masks are ``sequence_lens``. Sizes that a spec leaves open have names in place of numbers. The weights
are initializers, as in the files that people have.

Operators: https://onnx.ai/onnx/operators/onnx__RNN.html, ``onnx__GRU.html``, ``onnx__LSTM.html`` (opset 14 and later).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cells.gru import GRUCell
from ..model.case import Call, Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import Layer, Place, Spec
from ..model.trajectory import ShownLayer, Trajectory
from ..model.wiring import RIGHT, held

__all__ = ["ACTIVATIONS", "OPTIONS", "OnnxImplementation", "feeds", "onnx_model", "shown"]

Array = npt.NDArray[Any]

#: The newest operators of recurrent layers are those of 14, which every runtime knows.
OPSET = 17
IR_VERSION = 8

#: Sessions that are kept.
KEPT = 16

#: What can be said of a model, of :data:`~..model.spec.OPTIONS`.
OPTIONS = (
    *("use_bias", "activation", "return_sequences", "return_state", "initial_state", "go_backwards", "layers"),
    *("bidirectional", "merge_mode", "backward_layer", "head", "mask", "embedding", "zero_output_for_mask", "T", "N"),
)

#: What the operators can compute, by Keras's names: name in ONNX, and its parameters.
ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "relu": ("Relu", {}),
    "linear": ("Affine", {"alpha": 1.0, "beta": 0.0}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "softsign": ("Softsign", {}),
    "softplus": ("Softplus", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
}

#: The order of the gates of each operator, by Keras's names of them.
GATES = {"SimpleRNN": ("RNN", "h"), "GRU": ("GRU", "zrh"), "LSTM": ("LSTM", "iofc")}


class _Graph:
    """Nodes, inputs and outputs, as they are added."""

    def __init__(self, spec: Spec) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self.helper, self.numpy_helper, self.kinds = helper, numpy_helper, TensorProto
        self.spec = spec
        self.float = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[spec.dtype]
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.constants: dict[str, Array] = {}

    def input(self, name: str, shape: Sequence[Any], kind: int | None = None) -> str:
        self.inputs.append(self.helper.make_tensor_value_info(name, kind or self.float, shape))
        return name

    def output(self, name: str, shape: Sequence[Any]) -> None:
        self.outputs.append(self.helper.make_tensor_value_info(name, self.float, shape))

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def add(self, operator: str, *inputs: str, name: str = "", outputs: Sequence[str] = (), **attributes: Any) -> str:
        made = list(outputs) or [name or f"{operator.lower()}{len(self.nodes)}"]
        self.nodes.append(self.helper.make_node(operator, list(inputs), made, **attributes))
        return next(each for each in made if each)

    def model(self, weights: Mapping[str, Array]) -> Any:
        constants = {**self.constants, **weights}
        graph = self.helper.make_graph(
            self.nodes,
            "network",
            self.inputs,
            self.outputs,
            [self.numpy_helper.from_array(np.array(a, order="C"), name) for name, a in constants.items()],
        )
        return self.helper.make_model(
            graph, opset_imports=[self.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="rnnequiv"
        )


def onnx_model(case: Case, sizes: tuple[int, int] | None = None) -> Any:
    """Build the ``ModelProto`` of a case: its spec, with its weights.

    Parameters
    ----------
    sizes : (int, int), optional
        ``N, T`` as numbers; by default those that the spec leaves open have names.
    """
    spec = case.spec
    graph = _Graph(spec)
    N, T = sizes or (spec.N or "N", spec.T or "T")
    if spec.embedded:
        ids = graph.input("x", (N, T), graph.kinds.INT32)
        x = graph.add("Gather", "E", ids)
    else:
        x = graph.input("x", (N, T, spec.D))
    if spec.masked:
        graph.input("lengths", (N,), graph.kinds.INT32)
    x = graph.add("Transpose", x, perm=[1, 0, 2])  # layout 0 is steps first
    for i, layer in enumerate(spec.layers):
        x = _layer(graph, i, layer, x, (N, T))
    if spec.head is not None:
        _head(graph, x, (N, T))
    return graph.model(dict(_weights(case)))


def _nodes(layer: Layer) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the nodes of a layer: the direction of each, and which directions of the layer it computes."""
    if isinstance(layer, RNN):
        yield ("reverse" if layer.go_backwards else "forward"), (0,)
        return
    one, other = layer.given
    if one.units == other.units and one.cell == other.cell and one.use_bias == other.use_bias:
        yield "bidirectional", (0, 1)
    else:
        yield from (("forward", (0,)), ("reverse", (1,)))


def _layer(graph: _Graph, i: int, layer: Layer, x: str, sizes: tuple[Any, Any]) -> str:
    """Add a layer, and return what the next one gets: ``(T, N, F)``, or ``(N, F)`` of a layer that returns one output."""
    N, T = sizes
    outputs = []
    for direction, members in _nodes(layer):
        first = layer.directions[members[0]]
        (kind,), (M,), name = first.kinds, first.cells, f"layer{i}.{members[0]}"
        operator, _ = GATES[kind.name]
        states = kind.states
        optional = [
            f"{name}.B" if first.use_bias else "",
            "lengths" if graph.spec.masked else "",
            *(graph.input(f"{name}.{s}", (len(members), N, M)) if first.initial_state else "" for s in states),
        ]
        while optional and not optional[-1]:
            optional.pop()
        made = [f"{name}.Y", *(f"{name}.Y_{s}" for s in states)]
        graph.add(
            operator,
            *(x, f"{name}.W", f"{name}.R", *optional),
            outputs=made,
            direction=direction,
            hidden_size=M,
            **_functions(layer, members),
            **({"linear_before_reset": int(kind.reset_after)} if isinstance(kind, GRUCell) else {}),
        )
        graph.output(made[0], (T, len(members), N, M))
        for each in made[1:]:
            graph.output(each, (len(members), N, M))
        outputs += [(made, j) for j in range(len(members))]
    return _merged(graph, layer, outputs)


def _functions(layer: Layer, members: Sequence[int]) -> dict[str, Any]:
    """The attributes that name activations and their parameters, which are listed where a function has some."""
    names: list[str] = []
    parameters: dict[str, list[float]] = {"alpha": [], "beta": []}
    for j in members:
        direction = layer.directions[j]
        (kind,) = direction.kinds
        gate = getattr(kind, "recurrent_activation", None)
        functions = {"SimpleRNN": [direction.activation], "GRU": [gate, direction.activation]}.get(
            kind.name, [gate, direction.activation, direction.activation]
        )
        for function in functions:
            name, own = ACTIVATIONS[function.name]  # type: ignore[union-attr]
            names.append(name)
            for parameter, value in own.items():
                parameters[parameter].append(value)
    return {"activations": names} | {f"activation_{p}": values for p, values in parameters.items() if values}


def _merged(graph: _Graph, layer: Layer, outputs: list[tuple[list[str], int]]) -> str:
    """Merge directions, and turn what Keras gives in the order of processing."""
    parts = []
    for made, j in outputs:
        which = graph.constant(f"direction{j}", np.array(j))
        # Y is (T, directions, N, M), and Y_h, the last state of each row, (directions, N, M)
        part = graph.add("Gather", made[0 if layer.return_sequences else 1], which, axis=1 if layer.return_sequences else 0)
        parts.append(part)
    if isinstance(layer, RNN):
        return _turned(graph, parts[0]) if layer.go_backwards and layer.return_sequences else parts[0]
    match layer.merge_mode:
        case "concat":
            return graph.add("Concat", *parts, axis=-1)
        case "mul":
            return graph.add("Mul", *parts)
        case "sum":
            return graph.add("Add", *parts)
        case "ave":
            half = graph.constant("half", np.array(0.5, graph.spec.dtype))
            return graph.add("Mul", graph.add("Add", *parts), half)
    return parts[0]


def _turned(graph: _Graph, x: str) -> str:
    """Turn the steps round."""
    ends = {"start": [-1], "end": [np.iinfo(np.int64).min], "axis": [0], "step": [-1]}
    names = [graph.constant(f"turn.{name}", np.array(value, np.int64)) for name, value in ends.items()]
    return graph.add("Slice", x, *names)


def _head(graph: _Graph, x: str, sizes: tuple[Any, Any]) -> None:
    """Add the head, whose output is ``(N, T, K)`` or ``(N, K)``."""
    head = graph.spec.head
    assert head is not None
    steps = graph.spec.layers[-1].return_sequences
    if steps:
        x = graph.add("Transpose", x, perm=[1, 0, 2])
    x = graph.add("MatMul", x, "Wo")
    x = graph.add("Add", x, "bo") if head.use_bias else x
    if head.activation.name != "linear":
        operator, parameters = ACTIVATIONS[head.activation.name]
        x = graph.add(operator, x, **parameters)
    graph.add("Identity", x, name="y")
    graph.output("y", (*sizes, head.K) if steps else (sizes[0], head.K))


def _weights(case: Case) -> Iterator[tuple[str, Array]]:
    """Yield the weights in ONNX's layout: ``W (directions, gM, F)``, ``R (directions, gM, M)``, ``B (directions, 2gM)``."""
    spec = case.spec
    if spec.embedded:
        yield "E", case.named_weights["embedding/E"]
    for i, layer in enumerate(spec.layers):
        for _, members in _nodes(layer):
            each = [_cell(case, Place(i, j, 0)) for j in members]
            for letter in "WRB":
                if letter != "B" or layer.directions[members[0]].use_bias:
                    yield f"layer{i}.{members[0]}.{letter}", np.stack([own[letter] for own in each])
    if spec.head is not None:
        Wo, bo = case.head_weights()
        yield "Wo", Wo
        if spec.head.use_bias:
            yield "bo", bo


def _cell(case: Case, place: Place) -> dict[str, Array]:
    """Return the weights of one recurrence in ONNX's layout."""
    (kind,) = case.spec.direction(place).kinds
    w = case.cell_weights(place)
    order = [kind.gates.index(gate) for gate in GATES[kind.name][1]]
    M = len(w.Wh)
    columns = np.concatenate([np.arange(g * M, (g + 1) * M) for g in order])
    both = w.bh if w.bh.ndim == 2 else np.stack([w.bh, np.zeros_like(w.bh)])
    return {"W": w.Wx[:, columns].T, "R": w.Wh[:, columns].T, "B": both[:, columns].reshape(-1)}


# ---- asking ----


def feeds(case: Case, call: Call) -> dict[str, Array]:
    """Return what the model of a case is given in a call, by name."""
    spec = case.spec
    given: dict[str, Array] = {"x": call.x}
    if spec.masked:
        given["lengths"] = _mask(case, call).sum(1).astype(np.int32)
    states = iter(call.states)
    for i, layer in enumerate(spec.layers):
        if not layer.initial_state:
            continue
        own = [[next(states) for _ in direction.state_units] for direction in layer.directions]
        for _, members in _nodes(layer):
            for k, state in enumerate(layer.directions[members[0]].kinds[0].states):
                given[f"layer{i}.{members[0]}.{state}"] = np.stack([own[j][k] for j in members])
    return given


def _mask(case: Case, call: Call) -> npt.NDArray[np.bool_]:
    return case.inputs(call)[1]


def shown(case: Case, call: Call, answers: Mapping[str, Array]) -> Trajectory:
    """Sort the outputs of the model: what it shows of each layer.

    Behind the end of a row, ONNX's ``Y`` is 0, as Keras's output is with ``zero_output_for_mask``. Where a layer has one
    output, the states at those steps are read off as the last before.
    """
    spec, mask = case.spec, _mask(case, call)
    layers = []
    for i, layer in enumerate(spec.layers):
        sequences, ends, finals = [], [], []
        for _, members in _nodes(layer):
            name, states = f"layer{i}.{members[0]}", layer.directions[members[0]].kinds[0].states
            sequences += [answers[f"{name}.Y"][:, j].transpose(1, 0, 2) for j in range(len(members))]
            ends += [answers[f"{name}.Y_h"][j] for j in range(len(members))]
            finals += [answers[f"{name}.Y_{s}"][j] for j in range(len(members)) for s in states]
        turned = isinstance(layer, RNN) and layer.go_backwards
        sequences = [y[:, ::-1] if turned else y for y in sequences]
        output = _as_keras_merges(layer, sequences if layer.return_sequences else ends)
        every = None
        if isinstance(layer, RNN) and not layer.initial_state:
            every = held(mask[:, ::-1] if turned else mask, sequences[0])
        layers.append(ShownLayer(output, every, tuple(finals) if layer.return_state else None))
        mask = RIGHT.passed_mask(layer, mask)
    y = answers["y"] if spec.head is not None else layers[-1].output
    return Trajectory(y, layers[0].states if spec.letters else None, tuple(layers))


def _as_keras_merges(layer: Layer, parts: list[Array]) -> Any:
    """Merge what two directions show; in the model the same is done by nodes."""
    if isinstance(layer, Bidirectional) and layer.return_sequences:
        parts = [parts[0], parts[1][:, ::-1]]
    return RIGHT.merged(layer, parts)


class OnnxImplementation:
    """A runtime of ONNX: it is given the model of a case, and asked about each call.

    One session serves all cases of the same weights, so that what it keeps between calls is found.
    """

    name: str
    #: Whether each model is made for the numbers of samples and steps of its call.
    fixed_sizes = False

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, Any] = OrderedDict()

    def load(self, model: bytes) -> Any:
        """Make a session of a serialized model."""
        raise NotImplementedError

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a session: all its outputs by name."""
        raise NotImplementedError

    def run(self, case: Case) -> Trajectory:
        """Show outputs, and of every layer its output and its states."""
        with np.errstate(all="ignore"):  # overflow and NaN are answers here, not accidents
            return Trajectory.of_calls(
                [shown(case, call, self.ask(self._session(case, call), feeds(case, call))) for call in case.calls]
            )

    def _session(self, case: Case, call: Call) -> Any:
        sizes = (call.N, call.T) if self.fixed_sizes else None
        key = repr((case.spec, sizes)).encode() + b"".join(array.tobytes() for array in case.weights)
        if key not in self._sessions:
            self._sessions[key] = self.load(onnx_model(case, sizes).SerializeToString())
            if len(self._sessions) > KEPT:
                self._sessions.popitem(last=False)
        return self._sessions[key]
