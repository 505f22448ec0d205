"""What a cell declares: what one time step computes, and the shapes of its weights.

Cells differ in these and in nothing else. Everything round them (time, batches, masks, heads, bounds, mistakes) is
written once, and asks the cell. A step is plain algebra on whatever it is given: float arrays make it the recurrence,
:class:`~.inexact.Inexact` arrays make it the recurrence and its error bound, and :class:`~.affine.Affine` ones the
bound of a whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from inspect import signature
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from ..arithmetic.activations import Activation
from ..arithmetic.inexact import clip, part

__all__ = ["BEYOND_KERAS", "Cell", "CellWeights", "Clipped", "limit"]

#: Options of cells that other runtimes have and Keras has not. Each is an option of a model, too, which an
#: implementation has to declare; off, it is None or False.
BEYOND_KERAS = ("clip", "peepholes", "projection")


class CellWeights(SimpleNamespace):
    """The weights of a cell, by letter: ``w.Wx``, ``w.Wh``, ``w.bh``."""

    Wx: Any
    Wh: Any
    bh: Any

    def map(self, change: Any) -> CellWeights:
        """Return what a function makes of each."""
        return CellWeights(**{name: change(weight) for name, weight in vars(self).items()})


def limit(value: Any) -> float | None:
    """Check a `clip`.

    Raises
    ------
    ValueError
        If it is neither None nor a number above 0.
    """
    if value is None:
        return None
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not known or not 0 < value < float("inf"):
        raise ValueError(f"clip must be a number above 0, or None for no clipping, not {value!r}")
    return float(value)


@dataclass(frozen=True)
class Clipped:
    """An activation whose argument is clipped to ``[-limit, limit]``."""

    activation: Activation
    limit: float

    def __call__(self, a: Any) -> Any:
        """Apply it to an array, or to anything that can be clipped and mapped."""
        return self.activation(clip(a, self.limit))


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
    #: What the argument of every activation is clipped to, ``[-clip, clip]``; None for no clipping.
    clip: float | None = None
    _options: ClassVar[dict[str, Any]]

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Return its options and their defaults; looked up once, for that takes longer than to make a cell."""
        if "_options" not in vars(cls):
            cls._options = {name: each.default for name, each in signature(cls).parameters.items()}
        return cls._options

    @classmethod
    def variants(cls) -> tuple[Cell, ...]:
        """The cell with various options that Keras has, the default first: what strategies draw."""
        return (cls(),)

    @classmethod
    def variants_beyond(cls, options: Collection[str]) -> tuple[Cell, ...]:
        """The cell with some of :data:`BEYOND_KERAS`, of those that are to be had."""
        return ()

    @property
    def beyond(self) -> frozenset[str]:
        """Which of :data:`BEYOND_KERAS` it has."""
        return frozenset(name for name in BEYOND_KERAS if vars(self).get(name) not in (None, False))

    def applied(self, activation: Activation) -> Callable[[Any], Any]:
        """The activation as this cell applies it: to an argument that is clipped before, if the cell clips."""
        return activation if self.clip is None else Clipped(activation, self.clip)

    def state_units(self, M: int) -> tuple[int, ...]:
        """How many numbers each state has, of a cell of `M` units; those of the first one are put out."""
        return (M,) * len(self.states)

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

    def split(self, a: Any, still_open: bool = False) -> list[Any]:
        """Return the block of each gate, along the last axis; `still_open` says that more is added to them."""
        M = a.shape[-1] // len(self.gates)
        blocks = [slice(k * M, (k + 1) * M) for k in range(len(self.gates))]
        return [part(a, block) if still_open else a[..., block] for block in blocks]

    def permuted(self, w: CellWeights, order: Any, rows: Any = None) -> CellWeights:
        """Return the weights of the same cell with its units in another order; `rows` are those of Wh, by default."""
        M = w.Wx.shape[-1] // len(self.gates)
        columns = np.concatenate([gate * M + np.asarray(order) for gate in range(len(self.gates))])
        recurrent = w.Wh[order if rows is None else rows]
        return CellWeights(Wx=w.Wx[:, columns], Wh=recurrent[:, columns], bh=w.bh[..., columns])

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
