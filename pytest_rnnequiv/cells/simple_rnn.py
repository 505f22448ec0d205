"""The cells: what one time step computes, and the shapes of its weights.

Cells differ in these and in nothing else; everything round them (time, batches, masks, heads, bounds, mistakes) is
written once. A step is plain algebra on whatever it is given: float arrays make it the recurrence,
:class:`~.inexact.Inexact` arrays make it the recurrence and its error bound.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..arithmetic.activations import Activation

__all__ = ["CellWeights", "SimpleRNN"]


class CellWeights(NamedTuple):
    """The weights of a cell: ``Wx (D, M)``, ``Wh (M, M)``, ``bh (M,)``."""

    Wx: Any
    Wh: Any
    bh: Any


class SimpleRNN:
    """Elman's cell, as Keras's ``SimpleRNN`` computes it: ``h_t = act(x_t Wx + h_{t-1} Wh + bh)``."""

    name = "SimpleRNN"

    def weight_shapes(self, D: int, M: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the cell's weights, in Keras's order."""
        return {"Wx": (D, M), "Wh": (M, M), "bh": (M,)}

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        """One time step.

        Parameters
        ----------
        x : (..., D)
        h : (..., M)
            The state before the step.

        Returns
        -------
        (..., M)
            The state after the step.
        """
        return act(self.preactivation(x, h, w))

    def preactivation(self, x: Any, h: Any, w: CellWeights) -> Any:
        """The sum that the activation is applied to, ``(..., M)``."""
        return x @ w.Wx + h @ w.Wh + w.bh

    def readout(self, h: Any, act: Activation) -> Any:
        """What the head sees of a state: all of it."""
        return h

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
