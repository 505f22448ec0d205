"""What a model is: its shapes, its options, and the parameter law.

The letters are those of the notebook it began with: ``N`` samples, ``T`` time steps, ``D`` input features, ``M``
hidden units, ``K`` outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

from ..arithmetic.activations import Activation, activation
from ..arithmetic.precision import Precision
from ..cells.simple_rnn import SimpleRNN

__all__ = ["Spec", "param_count"]

#: The weights of ``SimpleRNN -> Dense``, in the order of ``model.get_weights()``.
WEIGHT_NAMES = ("Wx", "Wh", "bh", "Wo", "bo")


def size(letter: str, value: Any, least: int = 1) -> int:
    """Check one of the letters N, T, D, M, K and return it as an int.

    Raises
    ------
    TypeError, ValueError
        If `value` is no whole number, or smaller than `least`.
    """
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError(f"{letter} must be a whole number, not {value!r}") from None
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{letter} must be at least {least}, not {value!r}")
    return int(number)


def param_count(D: int, M: int, K: int) -> int:
    """Count the parameters of ``SimpleRNN(M) -> Dense(K)`` on `D` features: ``M*(D+M+1) + K*(M+1)``.

    >>> param_count(D=3, M=5, K=2)
    57
    """
    D, M, K = size("D", D), size("M", M), size("K", K)
    return M * (D + M + 1) + K * (M + 1)


@dataclass(frozen=True)
class Spec:
    """An architecture: ``Input(T, D) -> SimpleRNN(M) -> Dense(K)``. Hashable.

    Parameters
    ----------
    D, M, K : int
        Input features, hidden units, outputs; each at least 1.
    activation : str or Activation
        Keras's name of the recurrent layer's activation, or an :class:`~.activations.Activation`.
    dtype : {"float32", "float64"}
        The numbers of weights, inputs and states.
    head_activation : str or Activation
        Activation of the dense head; Keras's default is none, ``"linear"``.

    Raises
    ------
    TypeError, ValueError
        If a size is no positive whole number, or an activation or dtype is unknown.
    """

    D: int
    M: int
    K: int
    activation: Activation = field(default="tanh")  # type: ignore[assignment]  # a name is looked up below
    dtype: str = "float32"
    head_activation: Activation = field(default="linear")  # type: ignore[assignment]
    cell: SimpleRNN = field(default_factory=SimpleRNN)

    if TYPE_CHECKING:  # names are welcome where the attribute is an Activation

        def __init__(
            self,
            D: int,
            M: int,
            K: int,
            activation: str | Activation | None = "tanh",
            dtype: str = "float32",
            head_activation: str | Activation | None = "linear",
            cell: SimpleRNN = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        for letter in "DMK":
            object.__setattr__(self, letter, size(letter, getattr(self, letter)))
        for name in ("activation", "head_activation"):
            object.__setattr__(self, name, activation(getattr(self, name)))
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', not {self.dtype!r}")

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name, in the order of Keras's ``get_weights()``: ``(D,M) (M,M) (M,) (M,K) (K,)``."""
        return {**self.cell.weight_shapes(self.D, self.M), "Wo": (self.M, self.K), "bo": (self.K,)}

    @property
    def param_count(self) -> int:
        """The number of parameters; for the plain model ``M*(D+M+1) + K*(M+1)``, see :func:`param_count`."""
        return sum(prod(shape) for shape in self.weight_shapes.values())

    @property
    def precision(self) -> Precision:
        """The arithmetic that the dtype promises, unless an implementation declares another."""
        return Precision.of(self.dtype)

    def replace(self, **changes: Any) -> Spec:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        options = "".join(
            f", {name}={value}"
            for name, value, default in (
                ("activation", str(self.activation), "tanh"),
                ("head_activation", str(self.head_activation), "linear"),
                ("dtype", self.dtype, "float32"),
            )
            if value != default
        )
        return f"{self.cell.name}(D={self.D}, M={self.M}, K={self.K}{options})"
