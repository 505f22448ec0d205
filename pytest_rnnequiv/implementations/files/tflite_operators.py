"""What operators of a ``.tflite`` compute of integers on scales, in real numbers, and how far their kernels round.

A kernel computes an exact sum or product of integers, multiplies it with the ratio of the scales, rounds it to nearest,
and cuts it off at the ends of its range. So what it makes of numbers that are seen is known up to one rounding:
https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...arithmetic.activations import ACTIVATIONS
from ..errors import ImplementationError
from .tflite_data import Array, Operator, Subgraph, Tensor

__all__ = ["COPIES", "Operators"]

#: Operators that hand numbers on, whole or in part, and which of their inputs these are; None for all of them.
COPIES: dict[str, int | None] = {
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "UNPACK", "TRANSPOSE", "REVERSE_V2"), 0),
    **dict.fromkeys(("QUANTIZE", "DEQUANTIZE", "STRIDED_SLICE", "SPLIT_V"), 0),
    "SPLIT": 1,
    "PACK": None,
    "CONCATENATION": None,
}

#: Functions, by Keras's names.
FUNCTIONS = {"TANH": "tanh", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax", "RELU": "relu"}

#: Operators that make zeros of the size of a batch.
SIZES = ("SHAPE", "FILL")

#: Sums and products, number by number.
OF_TWO: dict[str, Callable[[Array, Array], Array]] = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply}

#: Room for the arithmetic of floats: of a check in float64, and of kernels that multiply with a ratio in float32.
SLACK = 1 + 2.0**-6

#: From the number of a tensor to what it holds.
Get = Callable[[int], Array]


class Operators:
    """The operators of one graph.

    Raises
    ------
    ImplementationError
        If one of them is not followed; the message names it.
    """

    def __init__(self, graph: Subgraph) -> None:
        self.graph = graph
        known = {*COPIES, *FUNCTIONS, *OF_TWO, *SIZES, "FULLY_CONNECTED"}
        if unknown := sorted({each.kind for each in graph.operators} - known):
            raise ImplementationError(f"its operator {unknown[0]} is not followed in an unrolled layer")

    # ---- tensors ----

    def said(self, number: int) -> tuple[float, int, int] | None:
        """Scale, zero point and bits of a tensor of integers; None for floats. Of a kernel, those of its first row."""
        tensor = self.graph.tensors[number]
        if tensor.quantized is None or tensor.dtype is None or tensor.dtype.kind != "i":
            return None
        scales, zeros = tensor.quantized
        return float(scales[0]), int(zeros[0]) if len(zeros) else 0, 8 * tensor.dtype.itemsize

    def step(self, number: int) -> float:
        """The scale of a tensor of integers; 0 of floats."""
        said = self.said(number)
        return 0.0 if said is None else said[0]

    def bits(self, number: int) -> int:
        """How many bits the integers of a tensor have; 0 for floats."""
        said = self.said(number)
        return 0 if said is None else said[2]

    def meant(self, number: int, stored: Array) -> Array:
        """Return what the numbers of a tensor stand for."""
        said = self.said(number)
        stored = np.asarray(stored, np.float64)
        return stored if said is None else (stored - said[1]) * said[0]

    def ends(self, number: int) -> tuple[float, float]:
        """The lowest and the highest number that a tensor can hold."""
        said = self.said(number)
        if said is None:
            return -np.inf, np.inf
        scale, zero, bits = said
        return (-(2.0 ** (bits - 1)) - zero) * scale, (2.0 ** (bits - 1) - 1 - zero) * scale

    def bias_ratio(self, product: Operator) -> Array | None:
        """By how much a kernel takes a bias for more than the file says; None where there is no bias of integers.

        It counts in units of the accumulator, whatever scale the bias is said to have.
        """
        if len(product.inputs) < 3 or product.inputs[2] < 0:
            return None
        bias, kernel = (self.graph.tensors[i] for i in product.inputs[2:0:-1])
        if bias.quantized is None or kernel.quantized is None or not self.step(product.inputs[0]):
            return None
        return np.asarray(self.step(product.inputs[0]) * kernel.quantized[0].astype(np.float64) / bias.quantized[0])

    # ---- what they compute ----

    def computed(self, operator: Operator, get: Get, shape: tuple[int, ...]) -> list[Array]:
        """Compute the outputs of an operator in real numbers; its functions exactly, and nothing is rounded or cut off.

        Parameters
        ----------
        get : callable
            What its inputs are.
        shape : tuple of int
            Of its first output.
        """
        kind, i = operator.kind, operator.inputs
        if kind in OF_TWO:
            made = OF_TWO[kind](get(i[0]), get(i[1]))
        elif kind == "FULLY_CONNECTED":
            made = get(i[0]) @ self.kernel(operator).numbers.astype(np.float64).T  # type: ignore[union-attr]
            if len(i) > 2 and i[2] >= 0:
                ratio = self.bias_ratio(operator)
                made = made + get(i[2]) * (1.0 if ratio is None else ratio)
        elif kind in FUNCTIONS:
            return [np.asarray(ACTIVATIONS[FUNCTIONS[kind]](get(i[0])), np.float64)]
        elif kind in SIZES:
            return [np.full(shape, get(i[1])) if kind == "FILL" else np.array(get(i[0]).shape, np.float64)]
        else:
            return self._copied(operator, get, shape)
        return [np.asarray(ACTIVATIONS[operator.fused(0)](made), np.float64).reshape(shape)]

    def kernel(self, product: Operator) -> Tensor:
        """Return the kernel of a product, which is in the file."""
        kernel = self.graph.tensors[product.inputs[1]]
        if kernel.numbers is None:
            raise ImplementationError("it has a product of two things that are computed, and no layer has one")
        return kernel

    def _whole(self, number: int) -> list[int]:
        """Return whole numbers that are in the file: sizes, axes, places."""
        found = self.graph.constant(number)
        if found is None:
            raise ImplementationError("it computes sizes of its own, which are not followed")
        return [int(each) for each in np.ravel(found)]

    def _copied(self, operator: Operator, get: Get, shape: tuple[int, ...]) -> list[Array]:
        i = operator.inputs
        match operator.kind:
            case "RESHAPE" | "SQUEEZE" | "EXPAND_DIMS":
                return [np.reshape(get(i[0]), shape)]
            case "QUANTIZE" | "DEQUANTIZE":
                return [get(i[0])]
            case "TRANSPOSE":
                return [np.transpose(get(i[0]), self._whole(i[1]))]
            case "REVERSE_V2":
                return [np.flip(get(i[0]), tuple(self._whole(i[1])))]
            case "UNPACK":
                return list(np.moveaxis(get(i[0]), operator.option(1, "<i"), 0))
            case "PACK":
                return [np.stack([get(each) for each in i], operator.option(1, "<i"))]
            case "CONCATENATION":
                return [np.concatenate([get(each) for each in i], operator.option(0, "<i"))]
            case "SPLIT":
                return np.split(get(i[1]), len(operator.outputs), self._whole(i[0])[0])
            case "SPLIT_V":
                return np.split(get(i[0]), np.cumsum(self._whole(i[1]))[:-1].tolist(), self._whole(i[2])[0])
            case _:
                return [get(i[0])[self._slices(operator)].reshape(shape)]

    def _slices(self, operator: Operator) -> tuple[slice, ...]:
        """Read a ``STRIDED_SLICE``; the axes that it takes away are kept, and go with the shape."""
        begin, end, stride = (self._whole(each) for each in operator.inputs[1:])
        from_start, to_end, ellipsis, new, gone = (operator.option(field, "<i") for field in range(5))
        if ellipsis or new or any(each < 1 for each in stride):
            raise ImplementationError("it takes a slice in a way that is not followed")
        return tuple(
            slice(None if from_start >> k & 1 else b, _end(e, b, to_end >> k & 1, gone >> k & 1), s)
            for k, (b, e, s) in enumerate(zip(begin, end, stride, strict=True))
        )

    # ---- how far kernels round ----

    def room(self, operator: Operator) -> float:
        """How far the integers that a kernel makes may be from :meth:`computed`, where that is in their range.

        LiteRT's kernels round twice (``MultiplyByQuantizedMultiplier``), the first time to no more than one unit of the
        accumulator; XNNPACK's once. Both scales of a sum are brought to one first, in 15 bits or more. With sums in 64
        bits, LiteRT keeps 16 bits of the ratio of scales, which is half a step of 2^15.
        """
        n, i, kind = operator.outputs[0], operator.inputs, operator.kind
        half = 0.5 * self.step(n)
        if not half:
            return 0.0
        if kind == "FULLY_CONNECTED":
            scales = (self.kernel(operator).quantized or (np.zeros(1),))[0]
            return SLACK * (half * (1 + (self.bits(n) == 16)) + self.step(i[0]) * float(scales.max()))
        if kind == "MUL":
            return SLACK * (half + self.step(i[0]) * self.step(i[1]))
        if kind in OF_TWO:
            return SLACK * (half + 2.0**-10 * (self.step(i[0]) + self.step(i[1])))
        if kind in FUNCTIONS:
            return SLACK * self._of_function(kind, n)
        return SLACK * half if kind == "QUANTIZE" else 2.0**-6 * half

    def _of_function(self, kind: str, n: int) -> float:
        """How far a function of integers may be from that of its argument.

        Of int8 it is a table, rounded to nearest, but for softmax, whose kernels differ by up to half a step more. Of
        int16, sigmoid is interpolated between 256 numbers ``h = 1/24`` apart that are rounded to 16 bits, at an
        argument that is cut to ``h / 512``: ``h^2 / 8 max|f''| + h / 512 max|f'| + 2^-17``, 1.6 steps, and half a step
        for the result; tanh is twice that of twice the argument, 3.2 steps and a half.
        """
        step = self.step(n)
        if self.bits(n) == 16 and kind != "RELU":
            if kind == "SOFTMAX":
                raise ImplementationError("its softmax is computed in 16 bits, in a way that is not followed")
            return {"TANH": 4.0, "LOGISTIC": 2.5}[kind] * step
        return step if kind == "SOFTMAX" else 0.5 * step

    # ---- seen beside computed ----

    def off(self, shown: Get) -> Iterator[tuple[Operator, int, Array]]:
        """Yield each operator of integers, its output, and where that is off by more than its rounding.

        Parameters
        ----------
        shown : callable
            What each tensor was seen to hold.
        """
        for each in self.graph.operators:
            whole = shown(each.outputs[0])
            wanted = self.computed(each, shown, whole.shape)
            for number, expected in zip(each.outputs, wanted, strict=True):
                if self.step(number):
                    low, high = self.ends(number)
                    yield each, number, np.abs(shown(number) - np.clip(expected, low, high)) > self.room(each)

    def cut_off(self, shown: Get) -> Iterator[str]:
        """Yield the names of tensors in which sums or products were cut off at an end of the range."""
        for each in self.graph.operators:
            (number, *_) = each.outputs
            if not self.step(number) or each.kind not in ("FULLY_CONNECTED", *OF_TWO):
                continue
            (expected,) = self.computed(each, shown, shown(number).shape)
            low, high = self.ends(number)
            room = self.room(each)
            if (expected < low - room).any() or (expected > high + room).any():
                yield self.graph.tensors[number].name

    def exactly(self, begin: dict[int, Array], shown: Get) -> dict[int, Array]:
        """Compute all tensors in real numbers, from some that are given; of what was seen, shapes are taken alone."""
        known = dict(begin)

        def get(number: int) -> Array:
            if number not in known:
                constant = self.graph.constant(number)
                if constant is None:
                    raise ImplementationError("it takes something that it has not computed")
                known[number] = np.asarray(constant, np.float64)
            return known[number]

        for each in self.graph.operators:
            if not known.keys() >= {*each.outputs}:
                made = self.computed(each, get, shown(each.outputs[0]).shape)
                known.update((n, a) for n, a in zip(each.outputs, made, strict=True) if n not in begin)
        return known


def _end(end: int, begin: int, to_end: int, gone: int) -> int | None:
    """Where a slice ends on one axis; it is one number where the axis is gone."""
    if gone:
        return None if begin == -1 else begin + 1
    return None if to_end else end
