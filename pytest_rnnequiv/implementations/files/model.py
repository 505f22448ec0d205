"""A model that was read from a file, a spec and its weights, and what the readers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arithmetic.inexact import Inexact
from ...arithmetic.precision import Precision
from ...model.spec import Spec
from ..errors import ImplementationError

__all__ = ["PARTS", "RECURRENT_ONLY", "Model", "Part", "by_name", "model_of", "other_weights", "shows_the_same"]

Model = tuple[Spec, tuple[npt.NDArray[Any], ...]]

#: Which layers of a model are meant: ``"whole"`` is all of them, ``"recurrent"`` the recurrent ones without what comes
#: before and behind, and anything else the recurrent layer of that name, by itself.
Part = str
PARTS: tuple[Part, ...] = ("whole", "recurrent")

#: What to do about layers that a spec cannot hold, beside the recurrent ones.
RECURRENT_ONLY = (
    "part='recurrent' (--rnn-equiv-model-part recurrent) reads the recurrent layers, and leaves out what is before and "
    "behind them"
)


def by_name(names: Sequence[str], after: str = ": ") -> str:
    """Say how one of several recurrent layers is read by itself, as the end of a sentence."""
    if not names:
        return ""
    first, others = names[0], f" (it has {', '.join(names)})" if len(names) > 1 else ""
    return f"{after}part={first!r} (--rnn-equiv-model-part {first}) reads the layer of that name by itself{others}"


def shows_the_same(one: Spec, other: Spec) -> bool:
    """Whether what is shown of the layers of two specs has the same shapes."""

    def shown(spec: Spec) -> list[object]:
        layers = [(type(layer), layer.features, layer.return_sequences, layer.return_state) for layer in spec.layers]
        return [spec.plain, spec.head is None, *layers, *(direction.state_units for direction in spec.directions)]

    return shown(one) == shown(other)


def other_weights(model: Model, other: Model, precision: Precision | None = None) -> list[str]:
    """Return the names of the weights that differ in another model of the same shapes by more than a rounding.

    Where all those of a part are, its name; none where all of the model are, or the shapes: then no place is told.
    A `precision` says how the other model's weights may have been rounded.
    """
    (spec, weights), shapes = model, [array.shape for array in other[1]]
    if [array.shape for array in weights] != shapes:
        return []
    named = zip(spec.weight_shapes, weights, other[1], strict=True)
    close = [_close(Inexact.weight(name, a, precision or spec.precision), b) for name, a, b in named]
    of = dict[str, list[tuple[str, bool]]]()
    for name, same in zip(spec.weight_shapes, close, strict=True):
        of.setdefault(name.rpartition("/")[0], []).append((name, same))
    if not any(close):
        return []
    alike = [(part, [name for name, same in each if not same], len(each)) for part, each in of.items()]
    return [name for part, names, count in alike for name in ([part] if len(names) == count > 1 else names)]


def _close(expected: Inexact, found: npt.NDArray[Any]) -> bool:
    room = expected.bound + 1e-6 * np.abs(expected.value).max(initial=0)
    return bool((np.abs(found - expected.value) <= room).all())


def model_of(spec: Spec, weights: Sequence[npt.NDArray[Any]]) -> Model:
    """Return spec and weights, if they fit together.

    Raises
    ------
    ImplementationError
        If they do not; the message says which array has which shape.
    """
    shapes = spec.weight_shapes
    if len(weights) != len(shapes):
        raise ImplementationError(f"it has {len(weights)} arrays, and {spec} has {len(shapes)}: {', '.join(shapes)}")
    for (name, shape), array in zip(shapes.items(), weights, strict=True):
        if array.shape != shape:
            raise ImplementationError(f"its {name} has shape {array.shape}, expected {shape} for {spec}")
    return spec, tuple(np.ascontiguousarray(array) for array in weights)
