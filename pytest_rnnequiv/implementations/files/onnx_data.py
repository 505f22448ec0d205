"""What lies in an ONNX file: a graph, its constants, and data in files beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from ..errors import ImplementationError
from .limits import beside, bounded

__all__ = ["Array", "attributes_of", "load", "tensors_of"]

Array = npt.NDArray[Any]


def load(path: str) -> Any:
    """Read a ``ModelProto`` with all its data in it; what lies in other files is taken from the model's folder only.

    Raises
    ------
    ImplementationError
        If the file is no ONNX model, or names data outside of its folder, or more than there are.
    """
    bounded(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own
        raise ImplementationError(f"it is no ONNX model: {type(error).__name__}") from error
    if not model.graph.node:
        raise ImplementationError("it is no ONNX model: it has no nodes")
    for tensor in tensors_of(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _take_in(path, tensor)
    return model


def tensors_of(graph: Any) -> Iterator[Any]:
    """Yield all tensors with numbers in them, those of graphs inside too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from tensors_of(inner)


def _take_in(path: str, tensor: Any) -> None:
    """Put data that lie in another file into the tensor."""
    said = {entry.key: entry.value for entry in tensor.external_data}
    found = beside(path, said.get("location", ""))
    size = int(np.prod(tensor.dims, dtype=object)) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    offset, length = int(said.get("offset", 0)), int(said.get("length", size))
    if length != size or min(offset, length) < 0 or offset + length > os.path.getsize(found):
        raise ImplementationError(
            f"its {tensor.name} should have {size:,} bytes, and {found.name} has {os.path.getsize(found):,}, of which "
            f"{length:,} from {offset:,} on are meant"
        )
    with open(found, "rb") as stream:
        stream.seek(offset)
        tensor.raw_data = stream.read(length)
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.DEFAULT


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
