"""Mistakes in cells that clip the arguments of their activations, as ONNX's ``clip`` has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..arithmetic.activations import Activation
from ..arithmetic.inexact import clip
from ..cells.cell import Cell, CellWeights, Clipped
from ..cells.lstm import ClippedBeforeCellState, LSTMCell
from .mistake import Recurrence, cell_like, in_recurrence

Methods = Callable[[type[Cell]], dict[str, Any]]

FAR = np.array([[-1e3, 1e3]])


def _register(name: str, says: str, how: str) -> Callable[[Any], Any]:
    return in_recurrence("options", name, says, how, option="clip")


def _unclipped(cell: Cell) -> Cell:
    return type(cell)(**vars(cell) | {"clip": None})


@_register(
    "clip-left-out",
    "without its `clip`",
    "an attribute that the port or the converter does not read, as tract and ONNX's reference evaluator do not",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(cell=_unclipped(r.cell)) if r.cell.clip is not None else None


def _clipping_state(kind: type[Cell], limit: float) -> dict[str, Any]:
    """The state is clipped."""

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        h, *others = kind.step(self, x, states, w, activation)
        return (clip(h, limit), *others)

    return {"step": step}


@_register(
    "clip-of-state",
    "with its state clipped, and not the arguments of its activations",
    "`h = clip(tanh(a))` for `h = tanh(clip(a))`",
)
def _(r: Recurrence) -> Recurrence | None:
    limit = r.cell.clip
    if limit is None or np.abs(r.activation(FAR)).max() <= limit:  # then it never comes to the limit
        return None
    made = partial(_clipping_state, limit=limit)
    return r.replace(cell=cell_like(_unclipped(r.cell), f"state clipped at {limit:g}", made))


def _clipping_cell_state(kind: type[Cell], limit: float) -> dict[str, Any]:
    """The cell state is clipped."""

    def update(self: Any, act: Any, c: Any, i: Any, f: Any, g: Any, out: Any) -> tuple[Any, ...]:
        c = clip(self.gate(f) * c + self.gate(i) * act(g), limit)
        return out(c) * act(c), c

    return {"update": update}


@_register(
    "clip-of-cell-state",
    "with its cell state clipped, and not the arguments of its activations",
    "`clip` of ONNX taken for `cell_clip` of TensorFlow 1 and of LiteRT",
)
def _(r: Recurrence) -> Recurrence | None:
    limit = r.cell.clip
    if limit is None or not isinstance(r.cell, LSTMCell):
        return None
    made = partial(_clipping_cell_state, limit=limit)
    return r.replace(cell=cell_like(_unclipped(r.cell), f"cell state clipped at {limit:g}", made))


@_register(
    "clip-not-of-cell-state",
    "with the cell state not clipped where the output is made of it, as the arguments of its gates are",
    "`clip` read as ONNX Runtime reads it, which has none at h(C)",
)
def _(r: Recurrence) -> Recurrence | None:
    if r.cell.clip is None or type(r.cell) is not LSTMCell:
        return None
    return r.replace(cell=ClippedBeforeCellState(**vars(r.cell)))


def _of_gates(kind: type[Cell]) -> dict[str, Any]:
    return {
        "applied": lambda self, activation: activation,
        "gate": property(lambda self: Clipped(self.recurrent_activation, self.clip)),
    }


def _of_candidate(kind: type[Cell]) -> dict[str, Any]:
    return {"gate": property(lambda self: self.recurrent_activation)}


def _above(kind: type[Cell]) -> dict[str, Any]:
    def applied(self: Any, activation: Activation) -> Callable[[Any], Any]:
        limit = self.clip
        least = Activation(f"at most {limit:g}", lambda a: np.minimum(a, limit), ulps=0, floor=0)
        return lambda a: activation(least(a))

    return {"applied": applied}


def _behind(kind: type[Cell]) -> dict[str, Any]:
    return {"applied": lambda self, activation: lambda a: clip(activation(a), self.clip)}


def _register_places() -> None:
    for made, gated, name, says, how in (
        (_of_gates, True, "clip-of-gates-only", "with the arguments of its gates clipped only",
         "the activation of the candidate called without the clip"),
        (_of_candidate, True, "clip-of-candidate-only", "with its gates not clipped",
         "a sigmoid needs no clip, one thinks"),
        (_above, False, "clip-above-only", "with `clip` above only, and not below", "`min(a, clip)`"),
        (_behind, False, "clip-behind-activations", "with the values of its activations clipped, not their arguments",
         "`clip(f(a))` for `f(clip(a))`"),
    ):  # fmt: skip

        def change(r: Recurrence, made: Methods = made, gated: bool = gated, says: str = says) -> Recurrence | None:
            if r.cell.clip is None or (gated and not r.cell.gated):
                return None
            if made is _behind and np.abs(r.activation(FAR)).max() <= r.cell.clip:  # then it is no clip at all
                return None
            return r.replace(cell=cell_like(r.cell, says, made))

        _register(name, says, how)(change)


_register_places()
