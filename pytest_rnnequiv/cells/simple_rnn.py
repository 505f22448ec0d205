"""Elman's cell, as Keras's ``SimpleRNN`` computes it: ``h_t = act(x_t Wx + h_{t-1} Wh + bh)``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..arithmetic.activations import Activation
from .cell import Cell, CellWeights, limit

__all__ = ["SimpleRNNCell"]


class SimpleRNNCell(Cell):
    """``h_t = act(x_t Wx + h_{t-1} Wh + bh)``, with ``Wx (F, M)``, ``Wh (M, M)``, ``bh (M,)``.

    Parameters
    ----------
    clip : float, optional
        ONNX's ``clip``: the argument of the activation is clipped to ``[-clip, clip]``. Keras has none.
    """

    name = "SimpleRNN"

    def __init__(self, clip: float | None = None) -> None:
        self.clip = limit(clip)

    @classmethod
    def variants_beyond(cls, options: Collection[str]) -> tuple[Cell, ...]:
        """Return the cell with options that Keras has not."""
        return (cls(clip=1.0),) if "clip" in options else ()

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step, as in :class:`~.cell.Cell`."""
        (h,) = states
        return (self.applied(activation)(self.preactivation(x, h, w)),)

    def preactivation(self, x: Any, h: Any, w: CellWeights) -> Any:
        """The sum that the activation is applied to, ``(..., M)``."""
        return x @ w.Wx + h @ w.Wh + w.bh
