"""A model in an ONNX file, run by ONNX Runtime; its recurrent nodes are seen where the graph is understood."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from ..cells import CELLS
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN
from ..model.trajectory import ShownLayer, Trajectory
from .errors import ImplementationError
from .files.limits import told
from .files.model import Model, Part, shows_the_same
from .files.onnx_data import load
from .files.onnx_graph import Graph, spec_of, understood
from .onnxruntime import precision_of, session_of
from .supports import Supports

__all__ = ["OnnxFile"]

Array = npt.NDArray[Any]


class OnnxFile:
    """The model of a file, whatever the weights of a case are.

    Attributes
    ----------
    model : (Spec, weights) or None
        What the file says; None where a spec cannot hold it.
    unread : str
        Why it cannot.
    precision : Precision or None
        That of ONNX Runtime.
    """

    first_timeout = 600.0

    def __init__(self, path: str, part: Part = "whole") -> None:
        self.name, self.unread = os.path.basename(path), ""
        self.model: Model | None = None
        self._graph: Graph | None = None
        with told(path):
            proto = load(path)
            try:
                self._graph = understood(proto, part)
                self.model = spec_of(self._graph)
            except ImplementationError as error:
                self.unread = str(error)
            self._recurrent_only = part != "whole"
            if self._recurrent_only and self._graph is None:
                raise ImplementationError(self.unread)
            self._show_nodes(proto)
            if self._graph is not None and self._graph.cut:
                _cut(proto.graph, self._graph)
            try:
                self._session = session_of(proto.SerializeToString())
            except Exception as error:
                raise ImplementationError(f"ONNX Runtime refuses it: {error}") from None
        (self._x, *more) = self._session.get_inputs()
        if more:
            names = ", ".join(each.name for each in more)
            raise ImplementationError(f"the model {path} has more inputs than one ({names}), which is not covered")
        self.precision = precision_of(self.model[0].dtype if self.model else self._kind().name)
        # Of a NaN, the nodes of ONNX Runtime 1.32 make a number: 0.76 an LSTM, 0 a GRU. No file can help that.
        self.supports = Supports(cells=tuple(CELLS), nan=False, **self._sizes())

    def _kind(self) -> np.dtype[Any]:
        """The numbers of its input."""
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(KINDS[self._x.type]))

    def _show_nodes(self, proto: Any) -> None:
        """Have the graph put out the states of its recurrent nodes."""
        outputs = {each.name for each in proto.graph.output}
        for i, each in enumerate(self._graph.layers if self._graph else ()):
            node = each.node
            while len(node.output) < 2:
                node.output.append("")
            for place in (0, 1):
                node.output[place] = node.output[place] or f"rnn_equiv/{i}/{place}"
                if node.output[place] not in outputs:
                    proto.graph.output.append(onnx.ValueInfoProto(name=node.output[place]))

    def _sizes(self) -> dict[str, Any]:
        """The numbers of samples and steps that the file fixes."""
        axes = self._graph.axes if self._graph is not None else "NT"
        fixed = zip(axes, self._x.shape, strict=False)
        return {axis: size for axis, size in fixed if axis in "NT" and isinstance(size, int) and size > 0}

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part."""
        return {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__}

    def run(self, case: Case) -> Trajectory:
        """Run the file's model on the inputs of a case."""
        return Trajectory.of_calls([self._call(case, call) for call in case.calls])

    def _call(self, case: Case, call: Call) -> Trajectory:
        x = call.x
        if self._graph is not None and self._graph.axes.startswith("T"):
            x = x.swapaxes(0, 1)
        names = [each.name for each in self._session.get_outputs()]
        try:
            answers = dict(zip(names, self._session.run(None, {self._x.name: x.astype(self._kind())}), strict=True))
        except Exception as error:  # its own, for sizes that do not fit
            raise ImplementationError(f"{self.name} does not take these inputs: {error}") from None
        layers = self._layers(case, answers)
        if self._recurrent_only:
            return Trajectory(layers[-1].output, layers=layers) if layers else Trajectory(None)
        if self._graph is None:
            return Trajectory(answers[names[0]])
        y, axes = answers[self._graph.y], self._graph.y_axes
        outputs = y.transpose([axes.index(axis) for axis in "NTF" if axis in axes]) if "D" not in axes else y
        if case.spec.plain and layers:  # what the layer puts out is its states
            return Trajectory(outputs, layers[0].states)
        return Trajectory(outputs, layers=layers)

    def _layers(self, case: Case, answers: dict[str, Array]) -> tuple[ShownLayer, ...]:
        """What its recurrent nodes show, where the case has layers of the same kinds."""
        graph, shown = self._graph, []
        if graph is None or self.model is None:
            return ()
        if not shows_the_same(self.model[0], case.spec):
            return ()
        for each, layer in zip(graph.layers, self.model[0].layers, strict=True):
            Y, ends = (answers[name] for name in each.node.output[:2])
            batch_first = bool(next((a.i for a in each.node.attribute if a.name == "layout"), 0))
            parts = [Y[:, :, j] if batch_first else Y[:, j].swapaxes(0, 1) for j in range(each.directions)]
            last = [ends[:, j] if batch_first else ends[j] for j in range(each.directions)]
            if isinstance(layer, RNN):
                states = parts[0][:, ::-1] if layer.go_backwards else parts[0]
                shown.append(ShownLayer(states if layer.return_sequences else last[0], states))
                continue
            pair = parts if layer.return_sequences else last
            shown.append(ShownLayer(MERGED[layer.merge_mode](*pair)))
        return tuple(shown)


def _cut(proto: Any, graph: Graph) -> None:
    """Leave what makes the outputs of the recurrent nodes of the tensor with which what was read begins.

    Initial states are left out: where there are some, they were read to be zeros.
    """
    shown, kept = {name for each in graph.layers for name in each.node.output[:2]}, []
    wanted = {*shown}
    for each in graph.layers:
        for place in range(5, min(len(each.node.input), 7)):
            each.node.input[place] = ""
    for node in reversed(proto.node):
        if wanted & {*node.output}:
            kept.append(node)
            wanted |= {*node.input} - {graph.x, ""}
    outputs = [each for each in proto.output if each.name in shown]
    weights = [each for each in proto.initializer if each.name in wanted]
    kind = onnx.helper.np_dtype_to_tensor_dtype(graph.layers[0].weights[0].dtype)
    x = onnx.helper.make_tensor_value_info(graph.x, kind, [*graph.axes[:2], graph.layers[0].weights[0].shape[0]])
    for own, left in ((proto.node, kept[::-1]), (proto.output, outputs), (proto.initializer, weights)):
        copies = [type(each).FromString(each.SerializeToString()) for each in left]
        del own[:]
        own.extend(copies)
    del proto.input[:]
    proto.input.append(x)


MERGED: dict[str | None, Any] = {
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}

#: ONNX Runtime's names of numbers.
KINDS = {
    "tensor(float)": onnx.TensorProto.FLOAT,
    "tensor(double)": onnx.TensorProto.DOUBLE,
    "tensor(float16)": onnx.TensorProto.FLOAT16,
    "tensor(int32)": onnx.TensorProto.INT32,
    "tensor(int64)": onnx.TensorProto.INT64,
}
