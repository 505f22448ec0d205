"""A whole Keras model, read as data: recurrent layers and those round them, several inputs and outputs, branches.

A :class:`~...model.spec.Spec` is a chain of recurrent layers with a head. What stands round that is read here, as a
:class:`~...model.graph.Graph`: every layer of :data:`~...model.around.AROUND`, in any order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from ...arithmetic.activations import Activation, activation
from ...arithmetic.parametrised import spelled
from ...model.around import AROUND, LARGEST, Around
from ...model.graph import Graph, Input, Node, Recurrent, Source
from ...model.layers import RNN
from ...model.spec import Layer, Spec
from ..errors import ImplementationError
from .keras_config import (
    IDLE,
    MODELS,
    RECURRENT,
    SHAPES,
    Entry,
    Reader,
    entries_of,
    inside_of,
    refuse_code,
    with_states,
)
from .limits import told

__all__ = ["SUFFIXES", "graph_of", "read_graph"]

Array = npt.NDArray[Any]

#: The files that say how their layers are connected, and what opens them.
SUFFIXES = {".keras": "archive", ".h5": "hdf5", ".hdf5": "hdf5"}

#: Layers that have weights.
WEIGHTED = ("BatchNormalization", "Conv1D", "Dense", "Embedding", "LayerNormalization", "Normalization")


def read_graph(file: str | os.PathLike[str]) -> Graph:
    """Read a whole model off a ``.keras`` or ``.h5`` file, as data: nothing in it is run.

    Raises
    ------
    ImplementationError
        If it cannot be read, or has a layer that is not followed; the message names it.
    """
    path = os.fspath(file)
    with told(path):
        suffix = os.path.splitext(path)[1].lower()
        if suffix not in SUFFIXES:
            raise ImplementationError(f"how its layers are connected is read off {', '.join(SUFFIXES)} only")
        from . import hdf5  # which needs h5py

        with getattr(hdf5, SUFFIXES[suffix])(path) as stored:
            return graph_of(stored.config, stored.weights, stored.version)


def graph_of(config: Any, weights: Callable[[Entry], Sequence[Array]], version: str = "") -> Graph:
    """Make a graph of a configuration; the arguments are those of :func:`~.keras_config.read`."""
    graph = _Graphs(weights, version).graph(config, ())
    if not graph.recurrent():
        raise ImplementationError(f"it has no recurrent layer of {', '.join(RECURRENT)}")
    return graph


class _Graphs:
    """Reads a model and those inside of it."""

    def __init__(self, weights: Callable[[Entry], Sequence[Array]], version: str) -> None:
        self.weights, self.reader = weights, Reader(version)

    def graph(self, config: Any, within: tuple[Entry, ...]) -> Graph:
        """Read one of them."""
        entries = list(entries_of(config))
        refuse_code(entries)
        said = config.get("config") if isinstance(config, Mapping) else None
        functional = any(entry.sources for entry in entries)
        sources = {entry.name: _connected(entry) for entry in entries} if functional else _in_a_row(entries)
        inputs = [entry for entry in entries if entry.kind == "InputLayer"]
        if not functional and not inputs:
            inputs = [Entry("InputLayer", entries[0].config if entries else {}, FIRST)]
        nodes = {}
        for entry in entries:
            if entry.kind == "InputLayer":
                continue
            layer = self.layer(entry, within, sources[entry.name])
            nodes[entry.name] = Node(entry.name, layer, sources[entry.name])
        last = Source(entries[-1].name if entries else FIRST)
        outputs = tuple(tensors(said["output_layers"])) if functional and isinstance(said, Mapping) else (last,)
        names = {each.name for each in inputs} | nodes.keys()
        lost = {s.layer for calls in (*sources.values(), [outputs]) for call in calls for s in call} - names
        if lost:
            raise ImplementationError(f"its layers are called on {', '.join(sorted(lost))}, which it does not have")
        order = [each.layer for each in tensors(said["input_layers"])] if functional and said else []
        inputs.sort(key=lambda each: order.index(each.name) if each.name in order else len(order))
        found = tuple(_input(each, nodes) for each in inputs)
        return Graph(found, _in_order(nodes, {each.name for each in inputs}), outputs, _samples(inputs))

    def layer(
        self, entry: Entry, within: tuple[Entry, ...], calls: Sequence[Sequence[Source]]
    ) -> Recurrent | Around | Graph | None:
        """Read one layer."""
        if entry.kind in MODELS:
            return self.graph({"class_name": entry.kind, "config": entry.config}, (*within, entry))
        if entry.kind in IDLE or self.reader.is_identity(entry):
            return None
        placed = Entry(entry.kind, entry.config, entry.name, entry.sources, entry.number, within, entry.refused)
        if entry.kind in RECURRENT:
            return self._recurrent(placed, calls)
        return self._around(placed, placed)

    def _recurrent(self, entry: Entry, calls: Sequence[Sequence[Source]]) -> Recurrent:
        layer, arrays = self.reader.layer(entry), tuple(self.weights(entry))
        states = sum(len(direction.state_units) for direction in layer.directions)
        for call in calls:
            if len(call) not in (1, 1 + states):
                raise ImplementationError(
                    f"its {entry} is called on {len(call)} tensors, expected its input and states"
                )
        if calls and len(calls[0]) > 1:
            layer = with_states(layer)
        kernel = arrays[0] if arrays else np.zeros((0, 0))
        policy = self.reader.policy([entry], kernel)
        try:
            spec = Spec(kernel.shape[0], (_of_one_call(layer),), None, dtype=policy)
        except (TypeError, ValueError, IndexError) as error:
            raise ImplementationError(f"its {entry}: {error}") from None
        return Recurrent(spec, arrays)

    def _around(self, entry: Entry, placed: Entry) -> Around:
        """Read a layer that is not recurrent; one of each step is that layer, where it knows no steps."""
        if entry.kind == "TimeDistributed":
            inside = inside_of(entry.config["layer"])
            if inside.kind not in OF_EACH_STEP:
                raise ImplementationError(
                    f"its {entry} has a {inside.kind} inside, and {', '.join(OF_EACH_STEP)} are followed there"
                )
            return self._around(inside, placed)
        if entry.kind not in AROUND:
            raise ImplementationError(f"its {entry} is not followed: known are {', '.join(AROUND)}")
        arrays = tuple(self.weights(placed)) if self._has_weights(entry) else ()
        return Around(entry.kind, entry.config, arrays, self._function(entry))

    def _has_weights(self, entry: Entry) -> bool:
        return entry.kind in WEIGHTED and (entry.kind != "Normalization" or entry.config.get("mean") is None)

    def _function(self, entry: Entry) -> Activation | None:
        """What a layer applies at its end."""
        given, config = entry.config.get("activation"), entry.config
        if entry.kind in ("Activation", "Conv1D", "Dense"):
            return None if given is None else self.reader.function(given, entry)
        if entry.kind == "LeakyReLU":
            slope = config.get("negative_slope", config.get("alpha", 0.3))
            return activation(spelled("leaky_relu", (float(slope),))) if slope else activation("relu")
        if entry.kind == "ELU":
            return activation(spelled("elu", (float(config.get("alpha", 1.0)),)))
        if entry.kind == "ReLU":
            return _relu(entry)
        return None


#: The input of a Sequential that names none.
FIRST = "input"

#: Layers that compute each step by itself, so that one of each step is the layer.
OF_EACH_STEP = ("Activation", "BatchNormalization", "Dense", "LayerNormalization", "LeakyReLU", "ReLU")


def _of_one_call(layer: Layer) -> Layer:
    """The layer as it is in one call from the beginning: neither stateful nor unrolled."""
    off: dict[str, Any] = {"stateful": False, "unroll": False}
    if isinstance(layer, RNN):
        return layer.replace(**off)
    backward = layer.backward and layer.backward.replace(**off)
    return layer.replace(forward=layer.forward.replace(**off), backward=backward)


def _relu(entry: Entry) -> Activation:
    slope = float(entry.config.get("negative_slope") or 0.0)
    if entry.config.get("threshold") or (entry.config.get("max_value") is not None and slope):
        raise ImplementationError(f"its {entry} has a threshold, or a slope beside max_value, which is not followed")
    if (most := entry.config.get("max_value")) is not None:
        if float(most) != 6.0:
            raise ImplementationError(f"its {entry} has max_value={most}, and 6 is followed")
        return activation("relu6")
    return activation(spelled("leaky_relu", (slope,))) if slope else activation("relu")


# ---- how they are connected ----


def _connected(entry: Entry) -> tuple[tuple[Source, ...], ...]:
    return tuple(tuple(tensors(node)) for node in entry.nodes)


def _in_a_row(entries: Sequence[Entry]) -> dict[str, tuple[tuple[Source, ...], ...]]:
    """Connect the layers of a Sequential."""
    found, before = dict[str, tuple[tuple[Source, ...], ...]](), FIRST
    for entry in entries:
        if entry.kind != "InputLayer":
            found[entry.name] = ((Source(before),),)
        before = entry.name
    return found


def tensors(node: Any) -> Iterator[Source]:
    """Yield the tensors that a call is given, wherever they stand in its record, of Keras 2 and 3."""
    if isinstance(node, Mapping):
        config = node.get("config")
        history = config.get("keras_history") if isinstance(config, Mapping) else None
        for each in [history] if history else node.values():
            yield from tensors(each)
    elif isinstance(node, (list, tuple)):
        if len(node) >= 3 and isinstance(node[0], str) and all(isinstance(i, int) for i in node[1:3]):
            yield Source(node[0], node[1], node[2])
            node = node[3:]
        for each in node:
            yield from tensors(each)


def _in_order(nodes: Mapping[str, Node], known: set[str]) -> dict[str, Node]:
    """Put layers behind those that they are called on."""
    left, ordered, known = dict(nodes), dict[str, Node](), {*known}
    while left:
        ready = [name for name, node in left.items() if all(s.layer in known for call in node.calls for s in call)]
        if not ready:
            raise ImplementationError(
                f"its {', '.join(left)} are called on each other: a layer that is called several times, with others in "
                "between, is not followed"
            )
        for name in ready:
            ordered[name] = left.pop(name)
            known.add(name)
    return ordered


def _shape(entry: Entry) -> Sequence[Any] | None:
    return next((entry.config[key] for key in SHAPES if isinstance(entry.config.get(key), (list, tuple))), None)


def _input(entry: Entry, nodes: Mapping[str, Node]) -> Input:
    """Say the shape of an input, and whether it is looked up in a table."""
    shape = _shape(entry)
    if shape is None:
        raise ImplementationError("it does not say the shape of its input: call it once before it is saved")
    count = int(np.prod([size or 1 for size in shape[1:]], dtype=object))
    if not all(size is None or (isinstance(size, int) and size > 0) for size in shape) or count > LARGEST:
        raise ImplementationError(f"its input {entry.name} has the shape {shape}, and {LARGEST:,} numbers are followed")
    following = [
        node.layer for node in nodes.values() for call in node.calls for source in call if source.layer == entry.name
    ]
    vocabulary = min((int(each.options["input_dim"]) for each in following if _is(each, "Embedding")), default=0)
    inside = [each.inputs[0].vocabulary for each in following if isinstance(each, Graph) and each.inputs]
    masks = [float(layer.options.get("mask_value", 0.0)) for layer in following if _is(layer, "Masking")]
    sizes = tuple(size for size in shape[1:])
    return Input(entry.name, sizes, vocabulary or max(inside, default=0), next(iter(masks), 0.0))


def _is(layer: Any, kind: str) -> TypeGuard[Around]:
    return isinstance(layer, Around) and layer.kind == kind


def _samples(inputs: Sequence[Entry]) -> int | None:
    sizes = [shape[0] for each in inputs if (shape := _shape(each)) is not None]
    return next((size for size in sizes if isinstance(size, int)), None)
