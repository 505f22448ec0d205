"""The nodes of ONNX that a model becomes, for those runtimes that get some of them wrong."""

from __future__ import annotations

from ..model.layers import RNN
from ..model.layouts.onnx import of_node
from ..model.spec import Spec

__all__ = ["functions", "nodes", "reversed_alone", "unusual"]


def nodes(spec: Spec, *cells: str) -> list[tuple[str, tuple[RNN, ...]]]:
    """Return the recurrent nodes by their direction, each with the layers that it computes.

    Both sides of a ``Bidirectional`` are one node, unless they differ in more than their activations.

    Parameters
    ----------
    cells : str
        Those that are meant, of all if none is named.
    """
    found: list[tuple[str, tuple[RNN, ...]]] = []
    for layer in spec.layers:
        if isinstance(layer, RNN):
            found.append(("reverse" if layer.go_backwards else "forward", (layer,)))
            continue
        one, other = layer.directions
        if one.units == other.units and of_node(one.kinds[0]) == of_node(other.kinds[0]):
            found.append(("bidirectional", (one, other)))
        else:
            found += [("forward", (one,)), ("reverse", (other,))]
    return [(direction, layers) for direction, layers in found if not cells or layers[0].kinds[0].name in cells]


def reversed_alone(spec: Spec, *cells: str) -> bool:
    """Whether there is a node of direction reverse."""
    return any(direction == "reverse" for direction, _ in nodes(spec, *cells))


def functions(layer: RNN) -> tuple[str, ...]:
    """Return the activation of a layer, and that of its gates where it has any."""
    gates = [kind.recurrent_activation.name for kind in layer.kinds if hasattr(kind, "recurrent_activation")]
    return layer.activation.name, *gates


def unusual(layer: RNN) -> bool:
    """Whether a layer has other activations than a node that names none."""
    return functions(layer) not in (("tanh",), ("tanh", "sigmoid"))
