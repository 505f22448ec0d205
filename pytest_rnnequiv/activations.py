"""Activation functions, and what an error in their argument does to their value.

The oracle needs three things of an activation: its value, how far the value can move when the argument moves by at most
``delta`` (:meth:`Activation.spread`), and its best linear model there (:meth:`Activation.linearise`), by which the
trajectory bound follows an error through many steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .precision import ACTIVATION_FLOOR, ACTIVATION_ULPS

__all__ = ["ACTIVATIONS", "Activation", "activation"]

Array = npt.NDArray[Any]


def identity(a: Array) -> Array:
    """Return the argument itself."""
    return a


def sigmoid(a: Array) -> Array:
    """``1 / (1 + exp(-a))``, without overflow."""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, e) / (1.0 + e)


def relu(a: Array) -> Array:
    """``max(a, 0)``; NaN stays NaN."""
    return np.maximum(a, 0.0)


def softplus(a: Array) -> Array:
    """``log(1 + exp(a))``, without overflow."""
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


def softsign(a: Array) -> Array:
    """``a / (1 + |a|)``."""
    return a / (1.0 + np.abs(a))


def hard_sigmoid(a: Array) -> Array:
    """``clip(a/6 + 1/2, 0, 1)``, as Keras 3 and PyTorch define it."""
    return np.clip(a / 6.0 + 0.5, 0.0, 1.0)


def hard_tanh(a: Array) -> Array:
    """``clip(a, -1, 1)``."""
    return np.clip(a, -1.0, 1.0)


def relu6(a: Array) -> Array:
    """``clip(a, 0, 6)``."""
    return np.clip(a, 0.0, 6.0)


def elu(a: Array) -> Array:
    """``a`` above zero, ``exp(a) - 1`` below."""
    return np.where(a > 0, a, np.expm1(np.minimum(a, 0.0)))


def leaky_relu(a: Array) -> Array:
    """``a`` above zero, ``0.2 a`` below (Keras 3's default slope)."""
    return np.where(a >= 0, a, 0.2 * a)


@dataclass(frozen=True)
class Activation:
    """An elementwise, non-decreasing activation function.

    Parameters
    ----------
    name : str
        Keras's name, where Keras has it.
    function : callable
        Value, elementwise on an array of floats; NaN in, NaN out.
    slope : callable, optional
        Derivative, elementwise. Left out, the linear model falls back on the interval, which is right and wide.
    curvature : float
        Least upper bound of ``|f''|`` away from the `kinks`; 0 for a piecewise linear function.
    kinks : tuple of float
        Where the slope jumps.
    ulps, floor : float
        Relative and absolute error, in units of round-off, that a correct implementation of the function may add.
    """

    name: str
    function: Callable[[Array], Array] = field(compare=False)
    slope: Callable[[Array], Array] | None = field(default=None, compare=False)
    curvature: float = float("inf")
    kinks: tuple[float, ...] = ()
    ulps: float = ACTIVATION_ULPS
    floor: float = ACTIVATION_FLOOR

    def __call__(self, a: Any) -> Any:
        """Apply the function to an array, or to anything that knows how to be mapped (see ``inexact``)."""
        mapped = getattr(a, "through", None)
        return self.function(a) if mapped is None else mapped(self)

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        # A named activation is pickled by its name, so that cases can be sent to a port in another process.
        if ACTIVATIONS.get(self.name) == self:
            return activation, (self.name,)
        return super().__reduce__()

    def spread(self, a: Array, delta: Array) -> Array:
        """How far the value can move when the argument moves by at most `delta` (elementwise, absolute)."""
        value = self.function(a)
        spread: Array = np.maximum(self.function(a + delta) - value, value - self.function(a - delta))
        return spread

    def linearise(self, a: Array, delta: Array) -> tuple[Array, Array]:
        """Linear model of the function near `a`.

        Returns
        -------
        slope, remainder : arrays
            For every ``|e| <= delta``: ``|f(a + e) - f(a) - slope * e| <= remainder`` (Taylor's theorem; next to a
            kink, or without a known slope, the function's whole movement is remainder).
        """
        whole = self.spread(a, delta)
        if self.slope is None:
            return np.zeros_like(a), whole
        slope = self.slope(a)
        remainder = 0.5 * self.curvature * delta * delta if self.curvature else np.zeros_like(a)
        for kink in self.kinks:
            slope = np.where(np.abs(a - kink) <= delta, 0.0, slope)
            remainder = np.where(np.abs(a - kink) <= delta, whole, remainder)
        wide = remainder > whole
        return np.where(wide, 0.0, slope), np.where(wide, whole, remainder)


def _tanh_slope(a: Array) -> Array:
    t = np.tanh(a)
    return 1.0 - t * t


def _sigmoid_slope(a: Array) -> Array:
    s = sigmoid(a)
    return s * (1.0 - s)


# max |f''|: tanh 4/(3 sqrt 3), sigmoid 1/(6 sqrt 3), softplus = sigmoid' 1/4, softsign 2 at 0, elu 1 at 0-.
ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation("tanh", np.tanh, _tanh_slope, 4 / (3 * 3**0.5)),
        Activation("linear", identity, np.ones_like, 0.0, ulps=1, floor=0),
        Activation("relu", relu, lambda a: (a > 0) * 1.0, 0.0, (0.0,), ulps=1, floor=0),
        Activation("sigmoid", sigmoid, _sigmoid_slope, 1 / (6 * 3**0.5)),
        Activation("hard_sigmoid", hard_sigmoid, lambda a: (np.abs(a) < 3) / 6.0, 0.0, (-3.0, 3.0)),
        Activation("hard_tanh", hard_tanh, lambda a: (np.abs(a) < 1) * 1.0, 0.0, (-1.0, 1.0), ulps=1, floor=0),
        Activation("softsign", softsign, lambda a: (1.0 + np.abs(a)) ** -2, 2.0),
        Activation("softplus", softplus, sigmoid, 0.25),
        Activation("elu", elu, lambda a: np.exp(np.minimum(a, 0.0)), 1.0, (0.0,)),
        Activation("leaky_relu", leaky_relu, lambda a: np.where(a >= 0, 1.0, 0.2), 0.0, (0.0,), ulps=2, floor=0),
        Activation("relu6", relu6, lambda a: ((a > 0) & (a < 6)) * 1.0, 0.0, (0.0, 6.0), ulps=1, floor=0),
    )
}


def activation(name: str | Activation | None) -> Activation:
    """Look an activation up by Keras's name; ``None`` is ``"linear"``, as in Keras.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    """
    if isinstance(name, Activation):
        return name
    try:
        return ACTIVATIONS["linear" if name is None else name]
    except (KeyError, TypeError):
        known = ", ".join(sorted(ACTIVATIONS))
        raise ValueError(f"unknown activation {name!r}: expected an Activation or one of {known}") from None
