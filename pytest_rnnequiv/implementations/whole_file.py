"""A whole model in a file, run on the inputs of the whole model: whatever its layers are, its outputs are seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..judging.parts import Parts
from ..judging.whole import enclosed
from ..model.around import Around
from ..model.graph import Graph, Recurrent
from ..model.trajectory import BadAnswer
from .errors import ImplementationError
from .files.keras_graph import SUFFIXES, read_graph
from .files.limits import told
from .files.model import RECURRENT_ONLY, Model
from .files.reading import read_model
from .whole_kinds import KINDS, Kind, Slot

__all__ = ["WholeFile", "in_its_file", "lacking", "numbers_lacking", "read_either", "said_of", "whole_model"]

Array = npt.NDArray[Any]

#: What a file gives for inputs.
Answer = TypeVar("Answer")


def read_either(path: str) -> Model | Graph:
    """Read a model: as a spec with weights or, where that has no place for its layers, as these layers.

    Raises
    ------
    ImplementationError
        If it can be read in neither way; the message says why.
    """
    try:
        return read_model(path)
    except ImplementationError as refused:
        if os.path.splitext(path)[1].lower() not in SUFFIXES or find_spec("h5py") is None:
            raise
        return _followed(path, refused)


def whole_model(path: str) -> Graph | None:
    """Return the layers of a model which a spec has no place for; None where it has."""
    model = read_either(path)
    return model if isinstance(model, Graph) else None


#: Steps of the inputs on which it is tried whether a model is followed.
TRIED = 64


def _followed(path: str, refused: ImplementationError) -> Graph:
    try:
        graph = read_graph(path)
        with told(path):
            enclosed(graph, graph.drawn(np.random.default_rng(0), 1, TRIED), Precision.float32, bounds=False)
    except ImplementationError as error:
        if str(error) == str(refused):
            raise
        hint = "" if RECURRENT_ONLY in str(error) else f". {RECURRENT_ONLY}"
        raise ImplementationError(f"{error}{hint}") from None
    return graph


class WholeFile:
    """The model of a file that is to be another one, of which the layers are known.

    Parameters
    ----------
    path : str
    graph : Graph
        The model that it is to be: inputs are put in in its order, and outputs are given so.

    Raises
    ------
    ImplementationError
        If it cannot be run, or cannot be that model.
    """

    first_timeout = 600.0

    def __init__(self, path: str, graph: Graph) -> None:
        self.name, self.graph = os.path.basename(path), graph
        suffix = os.path.splitext(path)[1].lower()
        with told(path):
            kind: Callable[[str], Kind] | None = KINDS.get(suffix)
            if kind is None:
                raise ImplementationError(
                    f"as a whole model it is neither run nor read: {', '.join(KINDS)} are. part='recurrent' "
                    "(--rnn-equiv-model-part recurrent) leaves out what is round the recurrent layers"
                )
            self._kind = kind(path)
            self._inputs = self._order("input", self._kind.inputs, [each.name for each in graph.inputs], self._wanted())
        #: How many samples the file takes; None for any.
        self.N = graph.N or self._kind.inputs[self._inputs[0]].shape[0]

    @property
    def precision(self) -> Precision | None:
        """The arithmetic of what runs it."""
        return self._kind.precision

    @property
    def constants(self) -> list[Array]:
        """The numbers that lie in the file."""
        return list(self._kind.constants())

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part."""
        return self._kind.versions()

    def run(self, case: Any) -> Any:
        """Refuse a case of recurrent layers alone."""
        raise ImplementationError(f"{self.name} is asked as a whole model")

    def steps(self, T: int) -> int:
        """Return the number of steps that the file takes, where the model leaves it open: else `T`."""
        for each, i in zip(self.graph.inputs, self._inputs, strict=True):
            for size, own in zip(each.shape, self._kind.inputs[i].shape[1:], strict=False):
                if size is None and own is not None:
                    return own
        return T

    def ask(self, inputs: Sequence[Array]) -> list[Array]:
        """Run the file on the inputs of the model, and return the outputs in the order of the model.

        Raises
        ------
        ImplementationError
            If it does not take them.
        BadAnswer
            If what it puts out has other shapes than the model's outputs.
        """
        return self._ordered(self._put(inputs, self._kind.ask), inputs)

    def show(self, inputs: Sequence[Array]) -> Parts | None:
        """Run the file with all shown that it computes on the way; None where it shows nothing."""
        shown = self._put(inputs, self._kind.show)
        return None if shown is None else replace(shown, outputs=tuple(self._ordered(shown.outputs, inputs)))

    def _put(self, inputs: Sequence[Array], run: Callable[[list[Array]], Answer]) -> Answer:
        """Give inputs of the model to the file, in its own order and its own numbers."""
        slots = self._kind.inputs
        given = {i: x.astype(slots[i].dtype) for i, x in zip(self._inputs, inputs, strict=True)}
        try:
            return run([given[i] for i in range(len(slots))])
        except Exception as error:
            own = type(error).__module__.partition(".")[0] == "onnxruntime"
            if not own and not isinstance(error, (RuntimeError, ValueError, TypeError)):
                raise
            raise ImplementationError(f"{self.name} does not take these inputs: {error}") from None

    def _ordered(self, answers: Sequence[Array], inputs: Sequence[Array]) -> list[Array]:
        expected = enclosed(self.graph, inputs, Precision.float32, bounds=False).outputs  # for their shapes
        wanted = [each.number.shape for each in expected]
        got = [Slot(slot.name, a.shape, a.dtype) for slot, a in zip(self._kind.outputs, answers, strict=True)]
        names = [source.layer for source in self.graph.outputs]
        try:
            return [answers[i] for i in self._order("output", got, names, wanted)]
        except ImplementationError as error:
            raise BadAnswer(f"{self.name} is another model: {error}") from None

    def _wanted(self) -> list[tuple[int | None, ...]]:
        return [(self.graph.N, *each.shape) for each in self.graph.inputs]

    def _order(
        self, what: str, slots: Sequence[Slot], names: Sequence[str], shapes: Sequence[tuple[int | None, ...]]
    ) -> list[int]:
        """Find which slot of the file is which of the model: by their shapes, and where those do not tell, by name."""
        if len(slots) != len(shapes):
            own = ", ".join(slot.name for slot in slots)
            hint = LEFT_OUT if what == "input" and len(slots) > len(shapes) else ""
            raise ImplementationError(
                f"it has {len(slots)} {what}s ({own}), and the model has {len(shapes)} ({', '.join(names)}){hint}"
            )
        if len(slots) > MOST:
            raise ImplementationError(f"it has {len(slots)} {what}s, and no more than {MOST} are told apart")
        fitting = [
            order
            for order in permutations(range(len(slots)))
            if all(_fits(slots[i].shape, shape) for i, shape in zip(order, shapes, strict=True))
        ]
        if not fitting:
            given = ", ".join(str(slot.shape) for slot in slots)
            raise ImplementationError(f"its {what}s have the shapes {given}, expected {', '.join(map(str, shapes))}")
        named = [sum(name in slots[i].name for i, name in zip(order, names, strict=True)) for order in fitting]
        return list(fitting[int(np.argmax(named))])


def _fits(own: Sequence[int | None], wanted: Sequence[int | None]) -> bool:
    pairs = list(zip(own, wanted, strict=False))
    return len(own) == len(wanted) and all(None in (a, b) or a == b for a, b in pairs[1:])


#: What more inputs than the model has may come of.
LEFT_OUT = (
    ": what an exporter leaves out of the file becomes an input of it, as the statistics of a Normalization do in "
    "Keras's export to ONNX (3.15); give the layer's numbers to a Rescaling or a Dense, or normalize before the model"
)

#: Inputs, and outputs, whose orders are tried.
MOST = 6


#: Layers whose kernels a converter leaves as they are; that of a convolution may have a scale in it.
KEPT = ("Dense", "Embedding")


def lacking(graph: Graph, constants: Sequence[Array]) -> list[str]:
    """Return the names of the layers whose kernels are not among the numbers of a file, though others' are.

    A converter may put gates into another order and transpose; the numbers by which one unit meets the states stay
    beside each other.
    """
    known = {row.tobytes() for array in constants for row in _rows(array)}
    found = dict[str, bool]()
    for name, layer in graph.layers():
        kernels = layer.weights[:1] if isinstance(layer, Around) and layer.kind in KEPT else []
        if isinstance(layer, Recurrent):
            kernels = [
                w for full, w in zip(layer.spec.weight_shapes, layer.weights, strict=True) if full.endswith("Wh")
            ]
        if len(kernels):
            found[name] = any(row.tobytes() in known for kernel in kernels for row in _blocks(kernel))
    return [name for name, is_there in found.items() if not is_there] if any(found.values()) else []


def in_its_file(file: WholeFile) -> tuple[str, ...]:
    """Return what the numbers in a file tell of the layers of its model."""
    return said_of(lacking(file.graph, file.constants))


def said_of(lacking: Sequence[str]) -> tuple[str, ...]:
    """Return what is said of layers whose kernels are not in a file."""
    return tuple(f"in its file, nothing has the numbers of the kernel of {name}" for name in lacking)


def numbers_lacking(model: str, made: str) -> list[str]:
    """Return the layers of a Keras file whose kernels are not in what somebody made of it, as far as that is known.

    For files that are run and cannot be read.
    """
    kind = KINDS.get(os.path.splitext(made)[1].lower())
    if kind is None or os.path.splitext(model)[1].lower() not in SUFFIXES:
        return []
    try:
        return lacking(read_graph(model), list(kind(made).constants()))
    except (ImplementationError, ImportError):
        return []


def _rows(array: Array) -> Iterator[Array]:
    """Yield what stands side by side in an array, along each of its last two axes."""
    a = np.asarray(array, np.float32)
    if a.ndim < 2:
        return
    for each in (a, np.swapaxes(a, -1, -2)):
        yield from np.ascontiguousarray(each).reshape(-1, each.shape[-1])


def _blocks(kernel: Array) -> Iterator[Array]:
    """Yield the rows and columns of a kernel, and those of each gate's block of a recurrent one."""
    kernel = np.asarray(kernel, np.float32)
    M = len(kernel)
    yield from np.ascontiguousarray(kernel)
    yield from np.ascontiguousarray(kernel.T)
    for block in np.split(kernel, kernel.shape[1] // M, 1) if kernel.shape[1] % M == 0 else ():
        yield from np.ascontiguousarray(block)
        yield from np.ascontiguousarray(block.T)
