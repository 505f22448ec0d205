"""A spec as JSON has it: its dataclasses as objects, its cells and activations by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..arithmetic.activations import Activation, known_by_name
from ..cells import CELLS, has_name
from ..cells.cell import Cell
from .layers import LAYERS, RNN, Bidirectional, Dense
from .spec import Spec

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Spec, RNN, Bidirectional, Dense, *LAYERS.values())}


def plain(value: Any) -> Any:
    """Return a spec, or a part of one, as JSON has it.

    Raises
    ------
    ValueError
        If it has an activation or a cell of the user's own, of which there is no name.
    """
    if isinstance(value, Activation):
        if not known_by_name(value):
            raise ValueError(f"a case with the activation {value.name!r} cannot be saved: it is not one by name")
        return value.name
    if isinstance(value, Cell):
        if not has_name(value):
            raise ValueError(f"a case with the cell {value!r} cannot be saved: it is not one by name")
        return {"is": "cell", "name": value.name, **{name: plain(option) for name, option in vars(value).items()}}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if type(value).__name__ in _KINDS:
        named = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return {"is": type(value).__name__, **named}
    return value


def from_plain(value: Any) -> Any:
    """Return the spec of which :func:`plain` made that.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    if isinstance(value, dict):
        options = {name: from_plain(each) for name, each in value.items() if name != "is"}
        return CELLS[options.pop("name")](**options) if value["is"] == "cell" else _KINDS[value["is"]](**options)
    return tuple(map(from_plain, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
