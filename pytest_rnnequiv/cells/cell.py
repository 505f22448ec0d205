"""What a cell declares: what one time step computes, and the shapes of its weights.

Cells differ in these and in nothing else. Everything round them (time, batches, masks, heads, bounds, mistakes) is
written once, and asks the cell. A step is plain algebra on whatever it is given: float arrays make it the recurrence,
:class:`~.inexact.Inexact` arrays make it the recurrence and its error bound, and :class:`~.affine.Affine` ones the
bound of a whole run.
"""

from __future__ import annotations

from inspect import signature
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from ..arithmetic.activations import Activation

__all__ = ["Cell", "CellWeights"]


class CellWeights(SimpleNamespace):
    """The weights of a cell, by letter: ``w.Wx``, ``w.Wh``, ``w.bh``."""

    Wx: Any
    Wh: Any
    bh: Any

    def map(self, change: Any) -> CellWeights:
        """Return what a function makes of each."""
        return CellWeights(**{name: change(weight) for name, weight in vars(self).items()})


class Cell:
    """The base of all cells. A cell is immutable, and equal to another of its class with the same options.

    Attributes
    ----------
    name : str
        What users call it, and Keras its layer.
    gates : tuple of str
        The blocks of ``M`` columns that the weights consist of, in Keras's order.
    states : tuple of str
        What is carried from step to step. The first one is what the cell puts out, so it is the one that a layer shows.
    """

    name: ClassVar[str]
    gates: ClassVar[tuple[str, ...]] = ("h",)
    states: ClassVar[tuple[str, ...]] = ("h",)
    #: The weights that a layer without biases lacks.
    biases: ClassVar[tuple[str, ...]] = ("bh",)
    _options: ClassVar[dict[str, Any]]

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Return its options and their defaults; looked up once, for that takes longer than to make a cell."""
        if "_options" not in vars(cls):
            cls._options = {name: each.default for name, each in signature(cls).parameters.items()}
        return cls._options

    @classmethod
    def variants(cls) -> tuple[Cell, ...]:
        """The cell with various options, the default first: what strategies draw."""
        return (cls(),)

    def weight_shapes(self, F: int, M: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights of `M` units on `F` features, in Keras's order."""
        g = len(self.gates) * M
        return {"Wx": (F, g), "Wh": (M, g), "bh": (g,)}

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        """One time step.

        Parameters
        ----------
        x : (..., F)
        states : tuple of (..., M)
            Before the step, in the order of :attr:`states`.
        w : CellWeights

        Returns
        -------
        tuple of (..., M)
            The states after the step.
        """
        raise NotImplementedError

    def readout(self, h: Any, activation: Activation) -> Any:
        """What is put out of the first state: all of it."""
        return h

    def split(self, a: Any) -> list[Any]:
        """Return the block of each gate, along the last axis."""
        M = a.shape[-1] // len(self.gates)
        return [a[..., k * M : (k + 1) * M] for k in range(len(self.gates))]

    def permuted(self, w: CellWeights, order: Any) -> CellWeights:
        """Return the weights of the same cell with its units in another order."""
        M = len(w.Wh)
        columns = np.concatenate([gate * M + np.asarray(order) for gate in range(len(self.gates))])
        return CellWeights(Wx=w.Wx[:, columns], Wh=w.Wh[order][:, columns], bh=w.bh[..., columns])

    @property
    def gated(self) -> bool:
        """Whether it has gates; without any, one sum goes into one activation."""
        return len(self.gates) > 1

    def said(self) -> list[tuple[str, Any, Any]]:
        """Its options: name, value, default."""
        defaults = self.options()
        return [
            (name, str(value) if isinstance(value, Activation) else value, defaults[name])
            for name, value in vars(self).items()
        ]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *sorted(vars(self).items())))

    def __str__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value, default in self.said() if value != default)
        return f"{self.name}({said})" if said else self.name

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value, default in self.said() if value != default)
        return f"{type(self).__name__}({said})"
