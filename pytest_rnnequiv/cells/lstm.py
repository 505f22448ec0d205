"""The LSTM cell, as Keras's ``LSTM`` computes it (Hochreiter and Schmidhuber, 1997; the forget gate: Gers, 2000)."""

from __future__ import annotations

from typing import Any

from ..arithmetic.activations import Activation, activation
from .cell import Cell, CellWeights

__all__ = ["LSTMCell"]


class LSTMCell(Cell):
    """Gates ``i, f, c, o``; ``c_t = f_t c_{t-1} + i_t act(...)``, ``h_t = o_t act(c_t)``.

    Weights ``Wx (F, 4M)``, ``Wh (M, 4M)``, ``bh (4M,)``, by gate ``i, f, c, o``.

    Parameters
    ----------
    recurrent_activation : str or Activation
        Of the gates ``i, f, o``.
    """

    name = "LSTM"
    gates = ("i", "f", "c", "o")
    states = ("h", "c")

    def __init__(self, recurrent_activation: str | Activation = "sigmoid") -> None:
        self.recurrent_activation = activation(recurrent_activation)

    @classmethod
    def variants(cls) -> tuple[Cell, ...]:
        """Return the cell with various options, the default first."""
        return cls(), cls("hard_sigmoid")

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step, as in :class:`~.cell.Cell`."""
        h, c = states
        return self.update(activation, c, *self.split(x @ w.Wx + h @ w.Wh + w.bh))

    def update(self, activation: Activation, c: Any, i: Any, f: Any, g: Any, o: Any) -> tuple[Any, ...]:
        """Return the new ``h`` and ``c`` of the old ``c`` and the arguments of the gates."""
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * activation(g)
        return gate(o) * activation(c), c
