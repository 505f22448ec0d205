"""SavedModels that Keras 2 wrote: the layers stand in ``keras_metadata.pb``, the weights in a checkpoint beside it.

Both are read as data: the functions of the model, which are its ``saved_model.pb``, are neither loaded nor run. The
``model.export`` of Keras 3 writes no layers, and neither does TensorFlow itself.

Formats: ``SavedMetadata`` in https://github.com/keras-team/tf-keras/blob/master/tf_keras/protobuf/saved_metadata.proto,
``TrackableObjectGraph`` in https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/protobuf.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._quiet import quiet_import
from ..errors import ImplementationError
from .keras_config import Entry, chain, read
from .limits import LARGEST_TEXT, bounded
from .model import Model, Part

__all__ = ["is_saved_model", "read_saved_model"]

Array = npt.NDArray[Any]

METADATA = "keras_metadata.pb"

#: Where a checkpoint has the objects that were saved, and the value of a variable.
OBJECTS, VALUE = "_CHECKPOINTABLE_OBJECT_GRAPH", "VARIABLE_VALUE"


def is_saved_model(path: str) -> bool:
    """Whether a directory is a SavedModel."""
    return any(os.path.isfile(os.path.join(path, name)) for name in ("saved_model.pb", METADATA))


def read_saved_model(path: str, part: Part = "whole") -> Model:
    """Read the directory of a SavedModel.

    Raises
    ------
    ImplementationError
        If its layers are not in it.
    """
    metadata = os.path.join(path, METADATA)
    if not os.path.isfile(metadata):
        raise ImplementationError(
            f"it is a SavedModel without {METADATA}, which holds functions and no layers (model.export, or TensorFlow "
            "itself, wrote it): give the .keras or .h5 file of the model that it was made of"
        )
    bounded(metadata, LARGEST_TEXT)
    with open(metadata, "rb") as stream:
        nodes = dict(_nodes(stream.read()))
    if "root" not in nodes or "class_name" not in nodes["root"]:
        raise ImplementationError(f"its {METADATA} names no model")
    root = nodes["root"]
    checkpoint = _Checkpoint(path)

    def weights(entry: Entry) -> list[Array]:
        place = "root"
        for each in (*entry.within, entry):
            inside = (at for at in nodes if at.rpartition(".")[0] == place and nodes[at].get("name") == each.name)
            if (found := next(inside, None)) is None:
                return []
            place = found
        return checkpoint.variables(place.split(".")[1:])

    entries = chain({"class_name": root["class_name"], "config": root["config"]}, part)
    return read(entries, weights, str(root.get("keras_version", "2")), part)


def _nodes(content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is said of each object, by where it is: ``root``, ``root.layer-0``, ..."""
    for number, node in _fields(content):
        if number == 1 and isinstance(node, bytes):
            said = dict(_fields(node))
            place, text = said.get(3), said.get(5)
            if isinstance(place, bytes) and isinstance(text, bytes) and text:
                yield place.decode(), json.loads(text)


#: What a field of a protocol buffer is written as, where it has a fixed size.
FIXED = {1: 8, 5: 4}


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the numbers and values of the fields of a protocol buffer."""
    at = 0

    def whole() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(content):
        key = whole()
        if key & 7 == 0:
            yield key >> 3, whole()
            continue
        length = whole() if key & 7 == 2 else FIXED.get(key & 7, len(content) + 1)
        if at + length > len(content):
            raise ImplementationError(f"its {METADATA} is cut off, or no protocol buffer")
        yield key >> 3, content[at : at + length]
        at += length


class _Checkpoint:
    """The variables of a SavedModel."""

    def __init__(self, path: str) -> None:
        prefix = os.path.join(path, "variables", "variables")
        for suffix in (".index", ".data-00000-of-00001"):
            try:
                bounded(prefix + suffix)
            except ImplementationError as error:
                raise ImplementationError(f"its variables/variables{suffix}: {error}") from None
        with quiet_import():
            import tensorflow as tf
            from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        self._reader: Any = tf.train.load_checkpoint(prefix)
        graph: Any = TrackableObjectGraph()
        graph.ParseFromString(self._reader.get_tensor(OBJECTS))
        self._nodes = graph.nodes

    def variables(self, place: Sequence[str]) -> list[Array]:
        """Return the variables of a layer, in the order of its weights."""
        kept = self._nodes[0]
        for name in (*place, "variables"):
            kept = None if kept is None else self._child(kept, name)
        if kept is None:
            raise ImplementationError(f"its checkpoint has no variables of {'.'.join(place)}")
        children = sorted((int(each.local_name), each.node_id) for each in kept.children)
        keys = [value.checkpoint_key for _, i in children for value in self._nodes[i].attributes if value.name == VALUE]
        return [np.asarray(self._reader.get_tensor(key)) for key in keys]

    def _child(self, node: Any, name: str) -> Any:
        return next((self._nodes[each.node_id] for each in node.children if each.local_name == name), None)
