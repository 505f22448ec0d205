"""All that a graph of ONNX computes on the way to its outputs, put out too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import onnx

from ...judging.parts import INPUTS

__all__ = ["made_of", "showing_all"]

#: Nodes whose states are not put out unless they have a name.
RECURRENT = ("GRU", "LSTM", "RNN")


def showing_all(proto: Any) -> Any:
    """Return a copy of a model that puts out every tensor which its nodes make, the states of recurrent ones too."""
    shown = onnx.ModelProto.FromString(proto.SerializeToString())
    known = {each.name for each in shown.graph.output}
    for number, node in enumerate(shown.graph.node):
        if node.op_type in RECURRENT:
            node.output[:] = [_states(number, node), *node.output[1:]]
        for name in node.output:
            if name and name not in known:
                known.add(name)
                shown.graph.output.append(onnx.ValueInfoProto(name=name))
    return shown


#: Nodes that take no numbers of a tensor, but its sizes.
SIZES = ("Shape", "Size")


def made_of(graph: Any) -> dict[str, Sequence[str]]:
    """Return of which tensors each is made: of what its node takes, and what graphs inside of it take from outside.

    The sizes of a tensor, by which zeros are made to begin with, are none of its numbers. The last state of a recurrent
    node is one of all its states.
    """
    own = {each.name for each in graph.initializer}
    found: dict[str, Sequence[str]] = {each.name: (INPUTS,) for each in graph.input if each.name not in own}
    for number, node in enumerate(graph.node):
        found.update(dict.fromkeys(node.output, () if node.op_type in SIZES else tuple(_taken(node))))
        if node.op_type in RECURRENT:
            states = _states(number, node)
            found[states] = tuple(_taken(node))
            found.update(dict.fromkeys(node.output[1:2], (states,)))
    return found


def _states(number: int, node: Any) -> str:
    """Return the name of all states of a recurrent node; one of our own where it has none."""
    return next(iter(node.output), "") or f"rnn_equiv/{number}"


def _taken(node: Any) -> Iterator[str]:
    yield from filter(None, node.input)  # what is left out has no name
    for attribute in node.attribute:
        for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            for each in inner.node:
                yield from _taken(each)
            yield from (output.name for output in inner.output)
