"""Kinds of files that are run as whole models: what each takes, what it puts out, and what it shows on the way."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..judging.parts import INPUTS, Parts
from ..judging.whole import computed
from .errors import ImplementationError
from .files.keras_graph import SUFFIXES, read_graph

__all__ = ["KINDS", "Kind", "Slot"]

Array = npt.NDArray[Any]


class Slot(NamedTuple):
    """An input or an output of a file; a size that is open is None."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class Kind:
    """A kind of file."""

    inputs: list[Slot]
    outputs: list[Slot]
    precision: Precision | None = None

    def ask(self, inputs: list[Array]) -> list[Array]:
        """Run it."""
        raise NotImplementedError

    def show(self, inputs: list[Array]) -> Parts | None:
        """Run it with all shown; None where it cannot be."""
        return None

    def constants(self) -> Iterator[Array]:
        """Yield the numbers that are in it."""
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        """Versions of what runs it."""
        raise NotImplementedError


class _Onnx(Kind):
    def __init__(self, path: str) -> None:
        import onnx
        from onnx import numpy_helper

        from .files.onnx_data import load, tensors_of
        from .files.onnx_tensors import made_of
        from .onnxruntime import precision_of, session_of

        proto = load(path)
        self._constants = [numpy_helper.to_array(each) for each in tensors_of(proto.graph)]
        if quantized := sorted({node.op_type for node in proto.graph.node if node.op_type in QUANTIZED}):
            raise ImplementationError(f"it has {', '.join(quantized)}: {NOT_QUANTIZED}")
        try:
            self._session = session_of(proto.SerializeToString())
        except Exception as error:
            raise ImplementationError(f"ONNX Runtime refuses it: {error}") from None
        self.inputs = [self._slot(onnx, each) for each in self._session.get_inputs()]
        self.outputs = [self._slot(onnx, each) for each in self._session.get_outputs()]
        self.precision = precision_of("float32")
        self._proto, self._made_of = proto, made_of(proto.graph)
        self._showing: Any = None

    @staticmethod
    def _slot(onnx: Any, each: Any) -> Slot:
        from .onnx_file import KINDS

        if each.type not in KINDS:
            raise ImplementationError(f"its {each.name} is a {each.type}, and numbers are followed")
        shape = tuple(size if isinstance(size, int) else None for size in each.shape)
        return Slot(each.name, shape, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(KINDS[each.type])))

    def ask(self, inputs: list[Array]) -> list[Array]:
        given = {slot.name: x for slot, x in zip(self.inputs, inputs, strict=True)}
        answers: list[Array] = self._session.run([slot.name for slot in self.outputs], given)
        return answers

    def show(self, inputs: list[Array]) -> Parts | None:
        from .files.onnx_tensors import showing_all
        from .onnxruntime import session_of

        if self._showing is None:
            self._showing = session_of(showing_all(self._proto).SerializeToString())
        given = {slot.name: x for slot, x in zip(self.inputs, inputs, strict=True)}
        names = [each.name for each in self._showing.get_outputs()]
        every = dict(zip(names, self._showing.run(None, given), strict=True))
        ends = [slot.name for slot in self.outputs]
        tensors = {name: a for name, a in every.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
        return Parts(tensors, tuple(every[name] for name in ends), self._made_of, ends)

    def constants(self) -> Iterator[Array]:
        yield from self._constants

    def versions(self) -> dict[str, str]:
        import onnxruntime

        return {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__}


class _LiteRt(Kind):
    def __init__(self, path: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        from .files.tflite_data import load

        graphs = load(path)
        tensors = [each for graph in graphs for each in graph.tensors]
        if any(each.scales is not None or (each.dtype == np.float16) for each in tensors):
            raise ImplementationError(f"its weights are stored in less than float32: {NOT_QUANTIZED}")
        self._constants = [each.numbers for each in tensors if each.numbers is not None and each.floating]
        self._path, self._graph = path, graphs[0]
        try:
            self._lite: Any = Interpreter(model_path=path, num_threads=1)
            self._lite.allocate_tensors()
            self._showing: Any = None
        except (RuntimeError, ValueError) as error:
            raise ImplementationError(f"LiteRT refuses it: {error}") from None
        self.inputs = [self._slot(each) for each in self._lite.get_input_details()]
        self.outputs = [self._slot(each) for each in self._lite.get_output_details()]

    @staticmethod
    def _slot(each: Mapping[str, Any]) -> Slot:
        shape = tuple(int(size) if size > 0 else None for size in each["shape_signature"])
        return Slot(each["name"], shape, np.dtype(each["dtype"]))

    def ask(self, inputs: list[Array]) -> list[Array]:
        self._invoke(self._lite, inputs)
        return self._answers(self._lite)

    @staticmethod
    def _invoke(lite: Any, inputs: list[Array]) -> None:
        details = lite.get_input_details()
        for each, x in zip(details, inputs, strict=True):
            if tuple(each["shape"]) != x.shape:
                lite.resize_tensor_input(each["index"], x.shape, strict=True)
        lite.allocate_tensors()
        for each, x in zip(details, inputs, strict=True):
            lite.set_tensor(each["index"], x)
        lite.invoke()

    @staticmethod
    def _answers(lite: Any) -> list[Array]:
        return [lite.get_tensor(each["index"]) for each in lite.get_output_details()]

    def show(self, inputs: list[Array]) -> Parts | None:
        if self._showing is None:
            self._showing = self._showing_all()
        self._invoke(self._showing, inputs)
        graph, tensors = self._graph, dict[str, Array]()
        for number in (number for each in graph.operators for number in each.outputs):
            if number >= 0 and graph.tensors[number].floating:
                with suppress(ValueError):  # of what is made and never used, or lies in a delegate
                    tensors[str(number)] = self._showing.get_tensor(number)
        made_of: dict[str, tuple[str, ...]] = dict.fromkeys(map(str, graph.inputs), (INPUTS,))
        for each in graph.operators:
            taken = () if each.kind == "SHAPE" else tuple(map(str, each.inputs))
            made_of.update(dict.fromkeys(map(str, each.outputs), taken))
        return Parts(tensors, tuple(self._answers(self._showing)), made_of, [*map(str, graph.outputs)])

    def _showing_all(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it takes memory
            return Interpreter(model_path=self._path, num_threads=1, experimental_preserve_all_tensors=True)

    def constants(self) -> Iterator[Array]:
        yield from self._constants

    def versions(self) -> dict[str, str]:
        import ai_edge_litert

        return {"litert": ai_edge_litert.__version__, "numpy": np.__version__}


class _Keras(Kind):
    """A file of Keras, computed by NumPy of what was read: nothing in it is run."""

    def __init__(self, path: str) -> None:
        self._own = graph = read_graph(path)
        kind = np.dtype(np.float32)
        self.inputs = [Slot(each.name, (graph.N, *each.shape), kind) for each in graph.inputs]
        self.outputs = [Slot(source.layer, (), kind) for source in graph.outputs]

    def ask(self, inputs: list[Array]) -> list[Array]:
        return [*self.show(inputs).outputs]

    def show(self, inputs: list[Array]) -> Parts:
        return computed(self._own, inputs)

    def constants(self) -> Iterator[Array]:
        for _, layer in self._own.layers():
            yield from layer.weights

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}


KINDS: dict[str, Callable[[str], Kind]] = {".onnx": _Onnx, ".tflite": _LiteRt, **dict.fromkeys(SUFFIXES, _Keras)}

#: Nodes of ONNX that compute in integers.
QUANTIZED = (
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
)

NOT_QUANTIZED = (
    "a whole model is judged in float32, and how the layers round the recurrent ones are rounded is not known; convert "
    "it without quantization to check the conversion, and check the quantized recurrent layers by themselves"
)
