"""What is known of an ONNX graph that is followed: its layers, and the tensors on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...model.spec import Layer
from .dense import DenseChain
from .onnx_data import Array

__all__ = ["Graph", "Recurrent", "Value"]


@dataclass
class Recurrent:
    """A recurrent node."""

    node: Any
    layer: Layer
    weights: list[Array]
    sequences: bool = True
    """Whether all steps of it go on, or only the last one."""

    @property
    def directions(self) -> int:
        """How many it has."""
        return len(self.layer.directions)


@dataclass
class Graph:
    """What is known of a model's graph.

    Attributes
    ----------
    x : str
        The input.
    axes : {"TNF", "NTF", "TN", "NT"}
        What its axes are.
    source : dict
        Options of the spec about its input.
    layers : list of Recurrent
    dense : DenseChain
    y : str
        The output.
    y_axes : str
    cut : bool
        Whether `x` is a tensor inside, since what comes before it is left out.
    """

    x: str
    axes: str = ""
    source: dict[str, Any] = field(default_factory=dict)
    first: list[Array] = field(default_factory=list)
    layers: list[Recurrent] = field(default_factory=list)
    dense: DenseChain = field(default_factory=DenseChain)
    y: str = ""
    y_axes: str = ""
    cut: bool = False


@dataclass(frozen=True)
class Value:
    """A tensor on the way from the input to the output.

    Attributes
    ----------
    axes : str
        ``T``, ``N``, ``D``, ``F``. Of an input whose order is not known yet, ``A`` and ``B`` in the place of N and T.
    parts : tuple of (int, int)
        The layers and their directions that it consists of, along ``D`` or side by side; none of an input.
    end : bool
        Whether it is the last state of each, and not every step.
    merged : str or None
        How several directions were put together, where there is no ``D`` any more.
    turned : bool
        Whether its steps are in reverse.
    head : int
        Through how many Dense layers it has come.
    """

    axes: str
    parts: tuple[tuple[int, int], ...] = ()
    end: bool = False
    merged: str | None = None
    turned: bool = False
    head: int = 0
