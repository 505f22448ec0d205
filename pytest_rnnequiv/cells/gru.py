"""The GRU cell, as Keras's ``GRU`` computes it (Cho et al., 2014), in both of its forms."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ..arithmetic.activations import Activation, activation
from .cell import Cell, CellWeights, limit

__all__ = ["GRUCell"]


class GRUCell(Cell):
    """Gates ``z`` (update), ``r`` (reset) and ``h`` (candidate); ``h_t = z_t h_{t-1} + (1 - z_t) candidate``.

    Weights ``Wx (F, 3M)``, ``Wh (M, 3M)``, by gate ``z, r, h``; ``bh`` is ``(2, 3M)`` with `reset_after`, the biases of
    inputs and of state, and ``(3M,)`` without.

    Parameters
    ----------
    recurrent_activation : str or Activation
        Of the gates ``z`` and ``r``.
    reset_after : bool
        Whether the reset gate is applied after the product with ``Wh``, as cuDNN and PyTorch do it, or to the state
        before it.
    clip : float, optional
        ONNX's ``clip``: the arguments of all activations are clipped to ``[-clip, clip]``. Keras has none.
    """

    name = "GRU"
    gates = ("z", "r", "h")

    def __init__(
        self,
        recurrent_activation: str | Activation = "sigmoid",
        reset_after: bool = True,
        clip: float | None = None,
    ) -> None:
        self.recurrent_activation = activation(recurrent_activation)
        self.reset_after = bool(reset_after)
        self.clip = limit(clip)

    @classmethod
    def variants(cls) -> tuple[Cell, ...]:
        """Return the cell with various options, the default first."""
        return cls(), cls(reset_after=False), cls("hard_sigmoid")

    @classmethod
    def variants_beyond(cls, options: Collection[str]) -> tuple[Cell, ...]:
        """Return the cell with options that Keras has not."""
        return (cls(clip=1.0), cls(reset_after=False, clip=1.0)) if "clip" in options else ()

    @property
    def gate(self) -> Callable[[Any], Any]:
        """The activation of the gates, as it is applied."""
        return self.applied(self.recurrent_activation)

    def weight_shapes(self, F: int, M: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights of `M` units on `F` features, in Keras's order."""
        shapes = super().weight_shapes(F, M)
        return shapes | {"bh": (2, *shapes["bh"])} if self.reset_after else shapes

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step, as in :class:`~.cell.Cell`."""
        (h,) = states
        gate, act = self.gate, self.applied(activation)
        if self.reset_after:
            xz, xr, xh = self.split(x @ w.Wx + w.bh[0])
            hz, hr, hh = self.split(h @ w.Wh + w.bh[1])
            z, r = gate(xz + hz), gate(xr + hr)
            candidate = act(xh + r * hh)
        else:
            (Wz, Wr, Wh), (xz, xr, xh) = self.split(w.Wh), self.split(x @ w.Wx + w.bh)
            z, r = gate(xz + h @ Wz), gate(xr + h @ Wr)
            candidate = act(xh + (r * h) @ Wh)
        return (self.update(h, z, candidate),)

    def update(self, h: Any, z: Any, candidate: Any) -> Any:
        """Return the new ``h``."""
        return z * h + (1 - z) * candidate
