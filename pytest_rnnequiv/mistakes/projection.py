"""Mistakes in the projection of an LSTM: whether there is one, how it lies, and what goes into the next step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..cells.cell import Cell, CellWeights
from ..model.case import Case
from .mistake import Recurrence, cell_like, in_case, in_recurrence
from .weights import laid_out_transposed, other_order

Array = npt.NDArray[Any]


def _register_weights() -> None:
    for name, says, how, change in (
        ("projection-left-out", "without its projection (the first units are put out)",
         "an LSTM cell that has none, and a slice where the sizes have to fit", lambda Wr: np.eye(*Wr.shape)),
        ("Wr-memory-order", "with `Wr` read in the other memory order (where it is square that is transposed)",
         "PyTorch's `weight_hr`, which is (projection, units), copied byte by byte", other_order),
        ("Wr-laid-out-transposed", "with `Wr` transposed in memory, and read in its own shape",
         "a kernel kept as (projection, units), and read as (units, projection)", laid_out_transposed),
    ):  # fmt: skip

        def changed(r: Recurrence, change: Callable[[Array], Array] = change) -> Recurrence | None:
            return None if r.Wr is None else r.replace(Wr=change(r.Wr))

        in_recurrence("options", name, says, how, option="projection")(changed)


_register_weights()


def _of_cell_state(kind: type[Cell]) -> dict[str, Any]:
    """The cell state is projected where it goes into the output."""

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        h, c = states
        i, f, g, o = self.split(x @ w.Wx + h @ w.Wh + w.bh)
        c = self.gate(f) * c + self.gate(i) * self.applied(activation)(g)
        return self.gate(o) * self.applied(activation)(c @ w.Wr), c

    return {"step": step}


@in_recurrence(
    "options",
    "projection-of-cell-state",
    "with its projection applied to the cell state, before the output gate",
    "`o * act(c Wr)` for `(o * act(c)) Wr`; only possible where there are as many projected numbers as units",
    option="projection",
)
def _(r: Recurrence) -> Recurrence | None:
    if r.Wr is None or not r.feeds_units or r.Wp is not None:
        return None
    return r.replace(cell=cell_like(r.cell, "with its cell state projected", _of_cell_state))


def _units_fed_back(kind: type[Cell]) -> dict[str, Any]:
    """The units are carried beside the state, and go into the next step in its place."""

    def state_units(self: Any, M: int) -> tuple[int, ...]:
        return (*kind.state_units(self, M), M)

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        _, c, units = states
        units, c = self.stepped(x, (units, c), w, activation)
        return self.projected(units, w), c, units

    return {"states": ("h", "c", "units"), "state_units": state_units, "step": step}


@in_case(
    "options",
    "projection-not-fed-back",
    "with its units going into the next step, and not their projection",
    "the projection put behind the layer; only possible where there are as many projected numbers as units",
    option="projection",
)
def _(case: Case) -> Case | None:
    spec = case.spec
    if any(layer.initial_state or layer.return_state or layer.stateful for layer in spec.directions):
        return None
    for place in spec.places:
        direction = case.spec.direction(place)
        (kind, *more), (M, *_) = direction.kinds, direction.cells
        if "projection" in kind.beyond and not more and kind.state_units(M)[0] == M:
            cell = cell_like(kind, "with its units fed back", _units_fed_back)
            case = case.under(case.spec.with_direction(place, cell=cell))
    return case
