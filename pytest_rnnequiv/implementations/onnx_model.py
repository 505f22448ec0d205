"""Specs as ONNX models, built node by node with the ``onnx`` package: what the runtimes of ONNX run.

A layer is one ``RNN``, ``GRU`` or ``LSTM`` node; a ``Bidirectional`` one node of direction ``bidirectional``, or two
where its sides differ. Masks are ``sequence_lens``. Sizes that a spec leaves open have names in place of numbers. The
weights are initializers, as in the files that people have.

Operators: https://onnx.ai/onnx/operators/onnx__RNN.html, ``onnx__GRU.html``, ``onnx__LSTM.html`` (opset 14 and later).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.layouts import to_onnx
from ..model.layouts.onnx import ONNX_ACTIVATIONS, of_node, onnx_activation
from ..model.spec import SIDES, Layer, Spec
from ..model.trajectory import ShownLayer, Trajectory
from ..model.wiring import RIGHT, held

__all__ = ["ONNX_ACTIVATIONS", "OPTIONS", "OnnxImplementation", "feeds", "onnx_model", "shown"]

Array = npt.NDArray[Any]

#: The newest operators of recurrent layers are those of 14, which every runtime knows.
OPSET = 17
IR_VERSION = 8

#: Sessions that are kept.
MODELS_KEPT = 16

#: What can be said of a model, of :data:`~..model.spec.OPTIONS`.
OPTIONS = (
    *("use_bias", "activation", "return_sequences", "return_state", "initial_state", "go_backwards", "layers"),
    *("bidirectional", "merge_mode", "backward_layer", "head", "hidden", "mask", "embedding", "zero_output_for_mask"),
    *("T", "N"),
)


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

    def model(self) -> Any:
        graph = self.helper.make_graph(
            self.nodes,
            "network",
            self.inputs,
            self.outputs,
            [self.numpy_helper.from_array(np.array(a, order="C"), name) for name, a in self.constants.items()],
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
        x = graph.add("Gather", graph.constant("E", case.named_weights["embedding/E"]), ids)
    else:
        x = graph.input("x", (N, T, spec.D))
    if spec.masked:
        graph.input("lengths", (N,), graph.kinds.INT32)
    x = graph.add("Transpose", x, perm=[1, 0, 2])  # layout 0 is steps first
    for i in range(len(spec.layers)):
        x = _layer(graph, case, i, x, (N, T))
    if spec.head is not None:
        _dense(graph, case, x, (N, T))
    return graph.model()


def _nodes(layer: Layer) -> list[tuple[int, ...]]:
    """Say which directions each node of a layer computes: both in one, if their cells and units are the same."""
    if isinstance(layer, RNN):
        return [(0,)]
    one, other = layer.directions
    return [(0, 1)] if one.units == other.units and of_node(one.kinds[0]) == of_node(other.kinds[0]) else [(0,), (1,)]


def _layer(graph: _Graph, case: Case, i: int, x: str, sizes: tuple[Any, Any]) -> str:
    """Add a layer, and return what the next one gets: ``(T, N, F)``, or ``(N, F)`` where it returns one output."""
    N, T = sizes
    layer, weights = case.spec.layers[i], [*case.part(f"layer{i}").values()]
    outputs = []
    for members in _nodes(layer):
        first, name = layer.directions[members[0]], f"layer{i}.{members[0]}"
        node = to_onnx(layer, weights) if len(members) == len(layer.directions) else _one_side(case, i, members[0])
        M, states = first.features, first.kinds[0].states
        optional = [
            graph.constant(f"{name}.B", node.B) if node.B is not None else "",
            "lengths" if case.spec.masked else "",
            *(graph.input(f"{name}.{s}", (len(members), N, M)) if first.initial_state else "" for s in states),
            *([graph.constant(f"{name}.P", node.P)] if node.P is not None else []),
        ]
        while optional and not optional[-1]:
            optional.pop()
        kernels = (graph.constant(f"{name}.{letter}", getattr(node, letter)) for letter in "WR")
        made = [f"{name}.Y", *(f"{name}.Y_{s}" for s in states)]
        graph.add(node.op, x, *kernels, *optional, outputs=made, **node.attributes)
        graph.output(made[0], (T, len(members), N, M))
        for each in made[1:]:
            graph.output(each, (len(members), N, M))
        outputs += [(made, j) for j in range(len(members))]
    return _merged(graph, layer, outputs)


def _one_side(case: Case, i: int, j: int) -> Any:
    """Return the node of one direction of a layer."""
    side = case.spec.layers[i].directions[j]
    own = [w for name, w in case.part(f"layer{i}").items() if name.startswith(f"{SIDES[j]}/")]
    return to_onnx(side, own)


def _merged(graph: _Graph, layer: Layer, outputs: list[tuple[list[str], int]]) -> str:
    """Merge directions, and turn what Keras gives in the order of processing."""
    parts = []
    for made, j in outputs:
        which = graph.constant(f"direction{j}", np.array(j))
        # Y is (T, directions, N, M), and Y_h, the last state of each row, (directions, N, M)
        part = graph.add(
            "Gather", made[0 if layer.return_sequences else 1], which, axis=1 if layer.return_sequences else 0
        )
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


def _dense(graph: _Graph, case: Case, x: str, sizes: tuple[Any, Any]) -> None:
    """Add the Dense layers behind the recurrent ones, whose output is ``(N, T, K)`` or ``(N, K)``."""
    spec, steps = graph.spec, graph.spec.layers[-1].return_sequences
    if steps:
        x = graph.add("Transpose", x, perm=[1, 0, 2])
    for part, dense in spec.dense.items():
        Wo, bo = case.head_weights(part=part)
        x = graph.add("MatMul", x, graph.constant(f"{part}.Wo", Wo))
        x = graph.add("Add", x, graph.constant(f"{part}.bo", bo)) if dense.use_bias else x
        if dense.activation.name != "linear":
            operator, *parameters = onnx_activation(dense.activation.name)
            named: Any = zip(("alpha", "beta"), parameters, strict=True)
            x = graph.add(operator, x, **{name: value for name, value in named if value is not None})
    graph.add("Identity", x, name="y")
    graph.output("y", (*sizes, spec.K) if steps else (sizes[0], spec.K))


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
        for members in _nodes(layer):
            for k, state in enumerate(layer.directions[members[0]].kinds[0].states):
                given[f"layer{i}.{members[0]}.{state}"] = np.stack([own[j][k] for j in members])
    return given


def _mask(case: Case, call: Call) -> npt.NDArray[np.bool_]:
    return case.inputs(call)[1]


def shown(case: Case, call: Call, answers: Mapping[str, Array]) -> Trajectory:
    """Sort the outputs of the model: what it shows of each layer.

    Behind the end of a row, ONNX's ``Y`` is 0, as Keras's output is with ``zero_output_for_mask``. The states at
    those steps are read off as the last before.
    """
    spec, layers = case.spec, []
    for i, (layer, mask) in enumerate(zip(spec.layers, case.masks(call), strict=False)):
        sequences, ends, finals = [], [], []
        for members in _nodes(layer):
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
            if len(self._sessions) > MODELS_KEPT:
                self._sessions.popitem(last=False)
        return self._sessions[key]
