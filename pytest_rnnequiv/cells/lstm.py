"""The LSTM cell, as Keras's ``LSTM`` computes it (Hochreiter and Schmidhuber, 1997; the forget gate: Gers, 2000)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ..arithmetic.activations import Activation, activation
from .cell import Cell, CellWeights, Clipped, limit

__all__ = ["ClippedBeforeCellState", "LSTMCell"]


def projected_units(value: Any) -> int | None:
    """Check a `projection`.

    Raises
    ------
    ValueError
        If it is neither None nor a whole number from 1 on.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"projection must be a number of units from 1 on, or None for no projection, not {value!r}")
    return int(value)


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
    peepholes : bool
        Whether the gates see the cell state, unit by unit (Gers and Schmidhuber, 2000): ``Wp (3, M)``, for ``i, f, o``,
        is multiplied with the old cell state and added in ``i`` and ``f``, and with the new one in ``o``. ONNX's ``P``,
        and ``use_peepholes`` of TensorFlow 1; Keras has none.
    projection : int, optional
        ``P``, where the state ``h`` is not ``o_t act(c_t)`` but its product with ``Wr (M, P)`` (Sak, Senior and
        Beaufays, 2014): it is put out, and goes into the next step through ``Wh (P, 4M)``. ``proj_size`` of PyTorch,
        and ``num_proj`` of TensorFlow 1; Keras has none.
    """

    name = "LSTM"
    gates = ("i", "f", "c", "o")
    states = ("h", "c")

    def __init__(
        self,
        recurrent_activation: str | Activation = "sigmoid",
        clip: float | None = None,
        peepholes: bool = False,
        projection: int | None = None,
    ) -> None:
        self.recurrent_activation = activation(recurrent_activation)
        self.clip = limit(clip)
        self.peepholes = bool(peepholes)
        self.projection = projected_units(projection)

    @classmethod
    def variants(cls) -> tuple[Cell, ...]:
        """Return the cell with various options, the default first."""
        return cls(), cls("hard_sigmoid")

    @classmethod
    def variants_beyond(cls, options: Collection[str]) -> tuple[Cell, ...]:
        """Return the cell with options that Keras has not."""
        values: dict[str, Any] = {"clip": 1.0, "peepholes": True, "projection": 2}
        own = {name: value for name, value in values.items() if name in options}
        each = tuple(cls(**{name: value}) for name, value in own.items())
        return (*each, cls(**own)) if len(each) > 1 else each

    def weight_shapes(self, F: int, M: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights of `M` units on `F` features, in Keras's order; what Keras lacks comes behind."""
        shapes = super().weight_shapes(F, M) | ({"Wp": (3, M)} if self.peepholes else {})
        P = self.projection
        return shapes if P is None else shapes | {"Wh": (P, 4 * M), "Wr": (M, P)}

    def state_units(self, M: int) -> tuple[int, ...]:
        """How many numbers the state and the cell state have, of a cell of `M` units."""
        return (M if self.projection is None else self.projection, M)

    def permuted(self, w: CellWeights, order: Any, rows: Any = None) -> CellWeights:
        """Return the weights of the same cell with its units in another order."""
        projected = self.projection is not None
        own = super().permuted(w, order, slice(None) if projected else rows)  # then the rows of Wh are no units
        if self.peepholes:
            own.Wp = w.Wp[:, order]
        if projected:
            own.Wr = w.Wr[order]
        return own

    @property
    def gate(self) -> Callable[[Any], Any]:
        """The activation of the gates, as it is applied."""
        return self.applied(self.recurrent_activation)

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step, as in :class:`~.cell.Cell`."""
        h, c = self.stepped(x, states, w, activation)
        return self.projected(h, w), c

    def projected(self, h: Any, w: CellWeights) -> Any:
        """The state of which ``h`` are the units: themselves, or their projection."""
        return h if self.projection is None else h @ w.Wr

    def stepped(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step but for the projection: the units that are put out or projected, and the cell state."""
        h, c = states
        total = x @ w.Wx + h @ w.Wh + w.bh
        i, f, g, o = self.split(total) if not self.peepholes else self.split(total, still_open=True)
        if not self.peepholes:
            return self.update(self.applied(activation), c, i, f, g, lambda new: self.gate(o))
        i, f, g = self.peeped(i, f, g, states, w)
        return self.update(self.applied(activation), c, i, f, g, lambda new: self.gate(o + new * w.Wp[2]))

    def peeped(self, i: Any, f: Any, g: Any, states: tuple[Any, ...], w: CellWeights) -> tuple[Any, Any, Any]:
        """Return the arguments of two gates and of the candidate, with what they see of the old cell state."""
        _, c = states
        return i + c * w.Wp[0], f + c * w.Wp[1], g

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
