"""What lies in a ``.tflite`` file: subgraphs of operators, and tensors, those of weights with their numbers.

Weights that are stored as whole numbers are what those stand for: ``scale * (number - zero_point)``.

Schema: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImplementationError
from .flatbuffer import Table, root
from .limits import bounded

__all__ = ["Operator", "Subgraph", "Tensor", "load"]

Array = npt.NDArray[Any]

#: Operators by their numbers, as far as they are followed.
OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    14: "LOGISTIC",
    18: "MUL",
    19: "RELU",
    22: "RESHAPE",
    25: "SOFTMAX",
    28: "TANH",
    35: "UNIDIRECTIONAL_SEQUENCE_RNN",
    36: "GATHER",
    39: "TRANSPOSE",
    41: "SUB",
    43: "SQUEEZE",
    44: "UNIDIRECTIONAL_SEQUENCE_LSTM",
    45: "STRIDED_SLICE",
    49: "SPLIT",
    53: "CAST",
    65: "SLICE",
    70: "EXPAND_DIMS",
    102: "SPLIT_V",
    105: "REVERSE_V2",
    114: "QUANTIZE",
    119: "WHILE",
    126: "BATCH_MATMUL",
    16: "LSTM",
    24: "RNN",
    46: "BIDIRECTIONAL_SEQUENCE_RNN",
    52: "BIDIRECTIONAL_SEQUENCE_LSTM",
    32: "CUSTOM",
    83: "PACK",
    88: "UNPACK",
    94: "FILL",
    123: "SELECT_V2",
    58: "LESS",
    64: "SELECT",
    77: "SHAPE",
    3: "CONV_2D",
    21: "RELU6",
    42: "DIV",
    55: "MAXIMUM",
    57: "MINIMUM",
    72: "NOT_EQUAL",
    91: "REDUCE_ANY",
    151: "DYNAMIC_UPDATE_SLICE",
}

#: Numbers of tensors, by their numbers in the schema.
DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "<u1", 4: "<i8", 6: "?", 7: "<i2", 9: "<i1", 10: "<f8"}

#: Functions that an operator applies to what it computes, as its options name them.
FUSED = {0: "linear", 1: "relu", 3: "relu6", 4: "tanh"}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor.

    Attributes
    ----------
    dtype : dtype or None
        What it is stored as; None for one that is not read.
    numbers : array or None
        What those stand for that are in the file.
    quantized : (scales, zero points) or None
        What its integers mean: one of each, or one for each row of a kernel; zero points may be left out.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    numbers: Array | None
    quantized: tuple[Array, Array] | None = None

    @property
    def floating(self) -> bool:
        """Whether it holds floats."""
        return self.dtype is not None and self.dtype.kind == "f"

    @property
    def scales(self) -> Array | None:
        """The scales of int8 numbers that are in the file."""
        return self.quantized[0] if self.quantized and self.numbers is not None and self.dtype == np.int8 else None


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator: the numbers of its tensors, -1 for one that is left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    def option(self, field: int, kind: str = "<b", default: Any = 0) -> Any:
        """Return one of its options."""
        return default if self.options is None else self.options.number(field, kind, default)

    def fused(self, field: int) -> str:
        """Return the function that it applies to what it computes, by Keras's name."""
        number = self.option(field)
        if number not in FUSED:
            raise ImplementationError(f"its operator {self.kind} applies a function that no Spec has there")
        return FUSED[number]


@dataclass(frozen=True, eq=False)
class Subgraph:
    """A graph of operators."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]

    def constant(self, number: int) -> Array | None:
        """Return the numbers of a tensor, if they are in the file."""
        return self.tensors[number].numbers if 0 <= number < len(self.tensors) else None


def load(path: str) -> list[Subgraph]:
    """Read the subgraphs of a file; the first one is the model.

    Raises
    ------
    ImplementationError
        If it is no such file, or says more than it holds.
    """
    bounded(path)
    with open(path, "rb") as stream:
        model = root(stream.read(), b"TFL3")
    codes = [max(code.number(0, "<b"), code.number(3)) for code in model.tables(1)]
    buffers = [buffer.array(0, "u1") for buffer in model.tables(4)]
    graphs = [_subgraph(graph, codes, buffers) for graph in model.tables(2)]
    if not graphs:
        raise ImplementationError(f"it has no graph in it, in {os.path.getsize(path):,} bytes")
    return graphs


def _subgraph(graph: Table, codes: list[int], buffers: list[Array]) -> Subgraph:
    tensors = tuple(_tensor(each, buffers) for each in graph.tables(0))

    def numbers(table: Table, field: int) -> tuple[int, ...]:
        found = tuple(int(i) for i in table.array(field, "<i4"))
        if any(not -1 <= i < len(tensors) for i in found):
            raise ImplementationError("it names a tensor that it does not have")
        return found

    def operator(each: Table) -> Operator:
        code = codes[each.number(0, "<I")]
        return Operator(OPERATORS.get(code, f"number {code}"), numbers(each, 1), numbers(each, 2), each.table(4))

    return Subgraph(tensors, numbers(graph, 1), numbers(graph, 2), tuple(map(operator, graph.tables(3))))


def _tensor(table: Table, buffers: list[Array]) -> Tensor:
    shape = tuple(int(size) for size in table.array(0, "<i4"))
    kind, name = table.number(1, "<b"), table.text(3)
    dtype = np.dtype(DTYPES[kind]) if kind in DTYPES else None
    content = buffers[table.number(2, "<I")]
    said = table.table(4)
    scales = np.zeros(0) if said is None else said.array(2, "<f4")
    quantized = None if said is None or not len(scales) else (scales, said.array(3, "<i8"))
    if dtype is None or not len(content):
        return Tensor(name, shape, dtype, None, quantized)
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ImplementationError(
            f"its {name} should have {math.prod(shape) * dtype.itemsize:,} bytes, and {len(content):,} are there"
        )
    found = np.frombuffer(content.tobytes(), dtype).reshape(shape)
    if said is not None and quantized is not None:
        meant = _meant(found, *quantized, axis=said.number(6))
    else:
        meant = np.asarray(found, np.float32) if dtype.kind == "f" else found
    return Tensor(name, shape, dtype, meant, quantized)


def _meant(stored: Array, scales: Array, zeros: Array, axis: int) -> Array:
    """Return what stored numbers stand for."""
    if len(zeros) not in (0, len(scales)):
        raise ImplementationError(f"its numbers have {len(scales)} scales and {len(zeros)} zero points")
    along = [1] * stored.ndim
    if len(scales) > 1:
        if not 0 <= axis < stored.ndim or stored.shape[axis] != len(scales):
            raise ImplementationError(f"it has {len(scales)} scales for an array of shape {stored.shape}")
        along[axis] = len(scales)
    zero = zeros.reshape(along) if len(zeros) else 0
    return np.asarray((stored.astype(np.float64) - zero) * scales.reshape(along), np.float32)
