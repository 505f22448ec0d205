"""The arithmetic of a ``.tflite`` whose kernels are int8 and whose numbers are floats: LiteRT's hybrid kernels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...arithmetic.formats import Format, Scaled
from ...arithmetic.precision import Precision
from .model import Model
from .tflite_data import Array, Operator, Subgraph, load

__all__ = ["DECLARE", "in_integers", "precision_of_file"]


#: What to do with a file in which nothing says how its sums are rounded.
DECLARE = (
    "it computes in integers throughout, which is followed of one unrolled layer with a head: convert it so "
    "(unroll=True, three steps or more), or run the file in a class of your own, with model = 'model.keras' and "
    "precision = Precision.full_int8(inputs, states, weights=...), whose scales read_scales('model.tflite') reads"
)


def in_integers(path: str) -> bool:
    """Whether a file multiplies integers by integers.

    Raises
    ------
    ImplementationError
        If it is no such file.
    """
    return any(not graph.tensors[each.inputs[0]].floating for graph in load(path) for each in _of_int8(graph))


def precision_of_file(path: str, model: Model) -> Precision | None:
    """Return the arithmetic that a file declares by its int8 kernels; None if it has none, or others than hybrid ones.

    A kernel whose scales are ``max|w| / 127`` is rounded so whatever the weights are, as a converter does it; on other
    scales, as trained ones are, it is rounded as the file says.

    Parameters
    ----------
    path : path of the file
    model : its spec and weights, as they were read
    """
    graphs = load(path)
    rows = {row.tobytes(): (scale, made, per) for graph in graphs for row, scale, made, per in _rows(graph)}
    formats = dict[str, Format]()
    for (name, _), weight in zip(model[0].weight_shapes.items(), model[1], strict=True):
        if not name.endswith(("Wx", "Wh", "Wo")):
            continue
        found = [rows.get(np.ascontiguousarray(column, np.float32).tobytes()) for column in weight.T]
        known = [each for each in found if each is not None]
        if known and len(known) < len(found):
            return None  # in part
        if known and all(made for _, made, _ in known) and len({per for *_, per in known}) == 1:
            formats[name] = Scaled(per=known[0][2])
        elif known:
            formats[name] = Scaled(np.array([scale for scale, _, _ in known]))
    if not formats or not all(_is_hybrid(graph) for graph in graphs):
        return None
    factors = Scaled(per="row", symmetric=False)
    return Precision.float32.rounded(**formats, factors=factors).named("dynamic range int8, as its file says")


def _of_int8(graph: Subgraph) -> Iterator[Operator]:
    """Yield the dense products whose kernels are int8."""
    for each in graph.operators:
        if each.kind == "FULLY_CONNECTED" and graph.tensors[each.inputs[1]].scales is not None:
            yield each


def _rows(graph: Subgraph) -> Iterator[tuple[Array, float, bool, str]]:
    """Yield the kernel of each output, its scale, whether scales are made of the kernels, and of how much of them."""
    for each in _of_int8(graph):
        numbers, scales = graph.tensors[each.inputs[1]].numbers, graph.tensors[each.inputs[1]].scales
        if numbers is None or scales is None:
            continue
        per = "channel" if len(scales) > 1 else "tensor"
        largest = np.abs(numbers).max(1) if per == "channel" else np.abs(numbers).max(keepdims=True)[0]
        made = bool(np.all((largest == 0) | (np.rint(largest / scales) == 127)))
        for row, scale in zip(numbers, np.broadcast_to(scales, len(numbers)), strict=True):
            yield row, float(scale), made, per


def _is_hybrid(graph: Subgraph) -> bool:
    """Whether what is multiplied with int8 kernels are floats that are rounded asymmetrically."""
    return all(graph.tensors[each.inputs[0]].floating and each.option(3, "<?") for each in _of_int8(graph))
