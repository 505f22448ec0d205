"""The LSTM cell, as Keras's ``LSTM`` computes it (Hochreiter and Schmidhuber, 1997; the forget gate: Gers, 2000)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..arithmetic.activations import Activation, activation
from .cell import Cell, CellWeights, Clipped, limit

__all__ = ["ClippedBeforeCellState", "LSTMCell"]

Act = Callable[[Any], Any]


class LSTMCell(Cell):
    """Gates ``i, f, c, o``; ``c_t = f_t c_{t-1} + i_t act(...)``, ``h_t = o_t act(c_t)``.

    Weights ``Wx (F, 4M)``, ``Wh (M, 4M)``, ``bh (4M,)``, by gate ``i, f, c, o``.

    Parameters
    ----------
    recurrent_activation : str or Activation
        Of the gates ``i, f, o``.
    clip : float, optional
        ONNX's ``clip``: the arguments of all activations, that of the cell state among them, are clipped to ``[-clip,
        clip]``; the cell state itself is not. Keras has none.
    """

    name = "LSTM"
    gates = ("i", "f", "c", "o")
    states = ("h", "c")

    def __init__(self, recurrent_activation: str | Activation = "sigmoid", clip: float | None = None) -> None:
        self.recurrent_activation = activation(recurrent_activation)
        self.clip = limit(clip)

    @classmethod
    def variants(cls) -> tuple[Cell, ...]:
        """Return the cell with various options, the default first."""
        return cls(), cls("hard_sigmoid")

    @classmethod
    def variants_beyond(cls, options: Collection[str]) -> tuple[Cell, ...]:
        """Return the cell with options that Keras has not."""
        return (cls(clip=1.0),) if "clip" in options else ()

    @property
    def gate(self) -> Callable[[Any], Any]:
        """The activation of the gates, as it is applied."""
        return self.applied(self.recurrent_activation)

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step, as in :class:`~.cell.Cell`."""
        h, c = states
        i, f, g, o = self.split(x @ w.Wx + h @ w.Wh + w.bh)
        return self.update(self.applied(activation), c, i, f, g, lambda new: self.gate(o))

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        """Return the new ``h`` and ``c``.

        Parameters
        ----------
        act : callable
            The activation, as it is applied.
        c : (..., M)
            The old cell state.
        i, f, g : (..., M)
            The arguments of two gates and of the candidate.
        out : callable
            The output gate, of the new cell state.
        """
        c = self.gate(f) * c + self.gate(i) * act(g)
        return out(c) * act(c), c


class ClippedBeforeCellState(LSTMCell):
    """An LSTM that clips the arguments of its gates and of its candidate only: what ONNX Runtime makes of ``clip``."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        """Return the new ``h`` and ``c``, as in :class:`LSTMCell`."""
        _, c = super().update(act, c, i, f, g, out)
        return out(c) * (act.activation if isinstance(act, Clipped) else act)(c), c
