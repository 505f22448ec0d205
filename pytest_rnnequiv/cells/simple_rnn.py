"""Elman's cell, as Keras's ``SimpleRNN`` computes it: ``h_t = act(x_t Wx + h_{t-1} Wh + bh)``."""

from __future__ import annotations

from typing import Any

from ..arithmetic.activations import Activation
from .cell import Cell, CellWeights

__all__ = ["SimpleRNNCell"]


class SimpleRNNCell(Cell):
    """``h_t = act(x_t Wx + h_{t-1} Wh + bh)``, with ``Wx (F, M)``, ``Wh (M, M)``, ``bh (M,)``."""

    name = "SimpleRNN"

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step, as in :class:`~.cell.Cell`."""
        (h,) = states
        return (activation(self.preactivation(x, h, w)),)

    def preactivation(self, x: Any, h: Any, w: CellWeights) -> Any:
        """The sum that the activation is applied to, ``(..., M)``."""
        return x @ w.Wx + h @ w.Wh + w.bh
