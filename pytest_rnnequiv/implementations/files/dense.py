"""The Dense layers behind the recurrent ones of a graph that is followed: they are one head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ...model.layers import Dense

__all__ = ["DenseChain"]

Array = npt.NDArray[Any]


@dataclass
class DenseChain:
    """Dense layers, of which each takes what the one before puts out.

    A tensor of the graph has come through so many of them. Only the tensor that has come through all may go through
    another one, or get a bias or an activation; a branch has no place in a spec.
    """

    layers: list[Dense] = field(default_factory=list)
    weights: list[list[Array]] = field(default_factory=list)

    def extend(self, through: int, kernel: Array, bias: Array | None = None) -> int | None:
        """Add a layer to a tensor; returns through how many its output has come, and None where there is no place.

        Parameters
        ----------
        kernel : (inputs, K) array
        bias : array of K numbers, optional
        """
        if through != len(self.layers):
            return None
        self.layers.append(Dense(kernel.shape[1], use_bias=False))
        self.weights.append([np.array(kernel)])
        if bias is not None and not self.add_bias(through + 1, bias):
            return None
        return through + 1

    def add_bias(self, through: int, bias: Array) -> bool:
        """Add a bias to a tensor; False where there is no place for it."""
        if not self._is_open(through) or self.layers[-1].use_bias or bias.size != self.layers[-1].K:
            return False
        self.layers[-1] = self.layers[-1].replace(use_bias=True)
        self.weights[-1].append(bias.reshape(-1))
        return True

    def activate(self, through: int, name: str) -> bool:
        """Apply an activation to a tensor; False where there is no place for it."""
        if not self._is_open(through):
            return False
        self.layers[-1] = self.layers[-1].replace(activation=name)
        return True

    def _is_open(self, through: int) -> bool:
        """Whether a tensor is the sum of the last layer."""
        return 0 < through == len(self.layers) and self.layers[-1].activation.name == "linear"

    def end(self, through: int) -> None:
        """Leave out what comes behind a tensor."""
        del self.layers[through:], self.weights[through:]

    @property
    def arrays(self) -> list[Array]:
        """All weights, in order."""
        return [array for own in self.weights for array in own]
