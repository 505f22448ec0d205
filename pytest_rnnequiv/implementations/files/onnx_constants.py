"""What is known of an ONNX graph without its input: constants, sizes, and zeros of a size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from ..errors import ImplementationError
from .limits import LARGEST
from .onnx_data import Array, attributes_of

__all__ = ["Known"]

#: Nodes that make zeros of zeros.
STILL_ZEROS = ("Cast", "Expand", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


class Known:
    """The tensors of a graph that do not depend on the numbers of its input.

    Attributes
    ----------
    constants : dict of str to ndarray
        Initializers, and what nodes that only move numbers make of them: the weights of some exporters come through a
        few.
    shapes : set of str
        Tensors that are made of sizes.
    zeros : set of str
        Tensors that are zeros, whatever their size: an exporter's initial states.
    """

    def __init__(self, graph: Any) -> None:
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.shapes: set[str] = set()
        #: Bytes of constants that nodes were given.
        self._moved = 0
        self.zeros: set[str] = {name for name, array in self.constants.items() if not array.any()}

    def take_shape(self, node: Any) -> None:
        """Take note of a node that asks for the size of a tensor."""
        self.shapes.update(node.output)

    def take(self, node: Any) -> None:
        """Take note of a node, none of whose inputs depends on the numbers of the graph's input."""
        if any(name in self.shapes for name in node.input):
            self._of_sizes(node)
            return
        arguments = [self.constants.get(name) for name in node.input]
        attributes = attributes_of(node)
        if node.op_type == "Constant":
            value = attributes.get("value")
            made = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else None
            for name in ("value_float", "value_int", "value_ints", "value_floats"):
                made = np.asarray(attributes[name]) if name in attributes else made
        elif node.op_type == "ConstantOfShape":
            if _fills_with_zeros(attributes):
                self.zeros.add(node.output[0])
            return
        elif any(argument is None for argument in arguments):
            if self._still_zeros(node):
                self.zeros.update(node.output)
            return
        else:
            found = [argument for argument in arguments if argument is not None]
            self._moved += sum(argument.nbytes for argument in found)
            if self._moved > LARGEST:
                raise ImplementationError(f"its nodes would put more than {LARGEST:,} bytes of constants together")
            made = _moved(node, found, attributes)
        if made is not None:
            self.constants[node.output[0]] = made
            if not made.any():
                self.zeros.add(node.output[0])

    def _still_zeros(self, node: Any) -> bool:
        """Whether a node makes zeros of zeros."""
        if node.op_type == "Concat":
            return {*node.input} <= self.zeros
        return node.op_type in STILL_ZEROS and node.input[0] in self.zeros

    def _of_sizes(self, node: Any) -> None:
        """Take note of a node that computes sizes, or zeros of such a size."""
        zeros = self._still_zeros(node)
        if node.op_type == "ConstantOfShape":
            zeros = _fills_with_zeros(attributes_of(node))
        (self.zeros if zeros else self.shapes).update(node.output)


def _fills_with_zeros(attributes: dict[str, Any]) -> bool:
    value = attributes.get("value")
    return value is None or not numpy_helper.to_array(value).any()


def _moved(node: Any, arguments: Sequence[Array], attributes: dict[str, Any]) -> Array | None:
    """Compute a node that only moves constants; None for any other node."""
    first = arguments[0]
    axes = attributes.get("axes", arguments[1] if len(arguments) > 1 else None)
    match node.op_type:
        case "Identity":
            return first
        case "Transpose":
            return np.transpose(first, attributes.get("perm"))
        case "Concat":
            return np.concatenate(arguments, attributes["axis"])
        case "Unsqueeze" if axes is not None:
            return np.expand_dims(first, tuple(int(axis) for axis in np.ravel(axes)))
        case "Squeeze":
            return np.squeeze(first, None if axes is None else tuple(int(axis) for axis in np.ravel(axes)))
        case "Reshape" if len(arguments) > 1 and (arguments[1] != 0).all():
            return first.reshape([int(size) for size in arguments[1]])
    return None
