"""A whole model: recurrent layers, and those that stand before, between and behind them, however they are connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .around import Around
from .spec import Spec

__all__ = ["Graph", "Input", "Node", "Recurrent", "Source"]

Array = npt.NDArray[Any]


class Source(NamedTuple):
    """An output of a layer: which layer, in which of its calls, and which of its outputs."""

    layer: str
    call: int = 0
    output: int = 0


class Input(NamedTuple):
    """An input of a model.

    Attributes
    ----------
    shape : tuple
        Without the samples; None where it is open.
    vocabulary : int
        Of whole numbers, how many there are; 0 of other numbers.
    padding : float
        What stands in the place of steps that are not there.
    """

    name: str
    shape: tuple[int | None, ...]
    vocabulary: int = 0
    padding: float = 0.0


@dataclass(frozen=True, eq=False)
class Recurrent:
    """One recurrent layer."""

    spec: Spec
    weights: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """A layer, and on what it is called.

    Parameters
    ----------
    name : str
    layer : Recurrent, Around, Graph or None
        None is one that does nothing at inference.
    calls : tuple of tuples of Source
        What it is given in each of its calls; of a recurrent layer, behind its input the states to begin with.
    """

    name: str
    layer: Recurrent | Around | Graph | None
    calls: tuple[tuple[Source, ...], ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A model of layers.

    Parameters
    ----------
    inputs : tuple of Input
    nodes : mapping of str to Node
        In an order in which each comes after those that it is called on.
    outputs : tuple of Source
    N : int, optional
        Samples, where the model says how many.
    """

    inputs: tuple[Input, ...]
    nodes: Mapping[str, Node]
    outputs: tuple[Source, ...]
    N: int | None = None

    def layers(self, within: str = "") -> Iterator[tuple[str, Recurrent | Around]]:
        """Yield all layers that compute, those of models inside by ``model/layer``."""
        for name, node in self.nodes.items():
            if isinstance(node.layer, Graph):
                yield from node.layer.layers(f"{within}{name}/")
            elif node.layer is not None:
                yield f"{within}{name}", node.layer

    def recurrent(self) -> dict[str, Recurrent]:
        """The recurrent layers by name."""
        return {name: layer for name, layer in self.layers() if isinstance(layer, Recurrent)}

    def with_layer(self, name: str, layer: Recurrent | Around | None) -> Graph:
        """Return the model with another layer in the place of one."""
        first, _, rest = name.partition("/")
        node = self.nodes[first]
        inside = node.layer
        made = inside.with_layer(rest, layer) if rest and isinstance(inside, Graph) else layer
        return replace(self, nodes={**self.nodes, first: replace(node, layer=made)})

    def drawn(self, rng: np.random.Generator, N: int, T: int, size: float = 1.3, padded: bool = False) -> list[Array]:
        """Draw inputs.

        Parameters
        ----------
        T : int
            Steps, where a shape is open.
        size : float
            Of the numbers, where they are no whole ones.
        padded : bool
            Whether the rows of a sequence end at different steps.
        """
        found = list[Array]()
        for each in self.inputs:
            shape = (self.N or N, *(T if own is None else own for own in each.shape))
            if each.vocabulary:
                x = rng.integers(min(1, each.vocabulary - 1), each.vocabulary, shape).astype(np.float32)
            else:
                x = (size * rng.standard_normal(shape)).astype(np.float32)
            if padded and len(shape) == (2 if each.vocabulary else 3):
                on = np.arange(shape[1]) < shape[1] - np.arange(shape[0])[:, None] % shape[1]
                x[~on] = each.padding
            found.append(x)
        return found

    def __str__(self) -> str:
        """The layers by their names, and what the inputs are called."""
        return f"{', '.join(each.name for each in self.inputs)} -> {' -> '.join(self.nodes)}"
