"""Mistakes in the peepholes of an LSTM: which gate has which, and what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..cells.cell import Cell, CellWeights
from .mistake import Recurrence, cell_like, in_recurrence

Methods = Callable[[type[Cell]], dict[str, Any]]


def _register(name: str, says: str, how: str) -> Callable[[Any], Any]:
    return in_recurrence("options", name, says, how, option="peepholes")


def _with_peepholes(r: Recurrence, change: Callable[[Any], Any]) -> Recurrence | None:
    return None if r.Wp is None else r.replace(Wp=change(r.Wp))


def _register_weights() -> None:
    for name, says, how, change in (
        ("peepholes-left-out", "without its peepholes",
         "an LSTM cell that has none: OpenVINO drops ONNX's `P` when it reads a model", np.zeros_like),
        ("peepholes-of-ONNX", "with its peepholes taken for i, o, f", "ONNX's order of `P`",
         lambda Wp: Wp[[0, 2, 1]]),
        ("peepholes-of-TensorFlow-1", "with its peepholes taken for f, i, o",
         "the order in which TensorFlow 1 makes them: `w_f_diag`, `w_i_diag`, `w_o_diag`", lambda Wp: Wp[[1, 0, 2]]),
        ("peepholes-i-and-o-exchanged", "with the peepholes of the input gate and of the output gate exchanged",
         "another framework's order", lambda Wp: Wp[[2, 1, 0]]),
        ("peephole-of-output-left-out", "without the peephole of the output gate",
         "the gates computed together, before there is a new cell state", lambda Wp: Wp * [[1], [1], [0]]),
    ):  # fmt: skip

        def changed(r: Recurrence, change: Callable[[Any], Any] = change) -> Recurrence | None:
            return _with_peepholes(r, change)

        _register(name, says, how)(changed)


_register_weights()


def _old(kind: type[Cell]) -> dict[str, Any]:
    """The output gate sees the old cell state, as the others do."""

    def update(self: Any, act: Any, c: Any, i: Any, f: Any, g: Any, out: Any) -> tuple[Any, ...]:
        old = out(c)
        return kind.update(self, act, c, i, f, g, lambda new: old)  # type: ignore[attr-defined, no-any-return]

    return {"update": update}


def _of_state(kind: type[Cell]) -> dict[str, Any]:
    """Two gates see h in the place of c."""

    def peeped(self: Any, i: Any, f: Any, g: Any, states: tuple[Any, ...], w: CellWeights) -> tuple[Any, Any, Any]:
        h, _ = states
        return kind.peeped(self, i, f, g, (h, h), w)  # type: ignore[attr-defined, no-any-return]

    return {"peeped": peeped}


def _of_candidate(kind: type[Cell]) -> dict[str, Any]:
    """The forget gate's peephole is added to the candidate."""

    def peeped(self: Any, i: Any, f: Any, g: Any, states: tuple[Any, ...], w: CellWeights) -> tuple[Any, Any, Any]:
        _, c = states
        return i + c * w.Wp[0], f, g + c * w.Wp[1]

    return {"peeped": peeped}


def _forgotten(kind: type[Cell]) -> dict[str, Any]:
    """The input gate sees what the forget gate has left of the cell state."""

    def peeped(self: Any, i: Any, f: Any, g: Any, states: tuple[Any, ...], w: CellWeights) -> tuple[Any, Any, Any]:
        _, c = states
        f = f + c * w.Wp[1]
        return i + (self.gate(f) * c) * w.Wp[0], f, g

    return {"peeped": peeped}


def _register_steps() -> None:
    for made, name, says, how in (
        (_old, "peephole-of-old-cell-state", "with the output gate looking at the old cell state",
         "the three gates computed together; `o` sees the new cell state, `i` and `f` the old one"),
        (_of_state, "peepholes-of-state", "with peepholes at the state `h` in the input gate and the forget gate",
         "`h` for `c`: a peephole is a diagonal kernel of the cell state"),
        (_of_candidate, "peephole-in-candidate", "with the peephole of the forget gate added to the candidate",
         "three peepholes added to the first three of four gates in another order"),
        (_forgotten, "peephole-of-forgotten-cell-state",
         "with the input gate looking at what the forget gate has left of the cell state",
         "`c *= f` in place, before the input gate is computed"),
    ):  # fmt: skip

        def changed(r: Recurrence, made: Methods = made, says: str = says) -> Recurrence | None:
            if r.Wp is None or (made is _of_state and not r.feeds_units):
                return None
            return r.replace(cell=cell_like(r.cell, says, made))

        _register(name, says, how)(changed)


_register_steps()
