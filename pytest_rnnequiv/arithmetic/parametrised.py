"""Activations with parameters, by names that say them: ``leaky_relu(0.01)``, ``elu(0.5)``, ``hard_sigmoid(0.2, 0.5)``.

Keras's activations of these names have one value of each parameter; ONNX's ``activation_alpha`` and
``activation_beta``, and layers of PyTorch, take others.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .functions import Array

__all__ = ["EXAMPLES", "FAMILIES", "Family", "parameters", "parametrised", "spelled"]

#: One of each: PyTorch's and ONNX's default, a value of nobody's, the default of Keras 2 and ONNX.
EXAMPLES = ("leaky_relu(0.01)", "elu(0.5)", "hard_sigmoid(0.2, 0.5)")


class Family(NamedTuple):
    """Activations that differ in their parameters.

    Attributes
    ----------
    keras : tuple of float
        What the parameters are in Keras's activation of the name.
    typed : str
        The function of ``a``, as one would type it, with the parameters by number.
    """

    keras: tuple[float, ...]
    typed: str


FAMILIES = {
    "leaky_relu": Family((0.2,), "np.where(a >= 0, a, {0} * a)"),
    "elu": Family((1.0,), "np.where(a > 0, a, {0} * np.expm1(np.minimum(a, 0)))"),
    "hard_sigmoid": Family((1 / 6, 0.5), "np.clip({0} * a + {1}, 0, 1)"),
}
_NAME = re.compile(r"(\w+)\(([^()]*)\)")


def parameters(name: str) -> tuple[str, tuple[float, ...]] | None:
    """Return the family and the parameters that a name says; None if it says none.

    Raises
    ------
    ValueError
        If the parameters are not as many positive numbers as the family has.
    """
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in FAMILIES:
        return None
    family = match[1]
    try:
        found = tuple(float(each) for each in match[2].split(","))
    except ValueError:
        found = ()
    if len(found) != len(FAMILIES[family].keras) or not all(0 < each < float("inf") for each in found):
        example = spelled(family, FAMILIES[family].keras)
        raise ValueError(f"{name!r} needs as many positive numbers as {example} has, in parentheses")
    return family, found


def spelled(family: str, values: tuple[float, ...]) -> str:
    """Return the name of an activation: without parameters, if they are Keras's."""
    usual = FAMILIES[family].keras
    if np.allclose(values, usual, rtol=1e-6, atol=0):  # ONNX has them in float32
        return family
    return f"{family}({', '.join(f'{value:.15g}' for value in values)})"


@lru_cache
def parametrised(name: str) -> dict[str, Any] | None:
    """Return what an activation of that name is made of; None if the name says no parameters.

    The functions rise, as their parameters are positive. Their errors are those of Keras's activations, in which the
    parameters are numbers like others.
    """
    said = parameters(name)
    if said is None:
        return None
    family, values = said
    if family == "hard_sigmoid":
        alpha, beta = values

        def clipped(a: Array) -> Array:
            return np.clip(alpha * a + beta, 0.0, 1.0)

        ends = (-beta / alpha, (1 - beta) / alpha)
        return {
            "function": clipped,
            "slope": lambda a: ((a > ends[0]) & (a < ends[1])) * alpha,
            "curvature": 0.0,
            "kinks": ends,
            # two rounded parameters, a product of at most 1 + beta, and a sum
            "floor": 4.0 + 3.0 * beta,
        }
    (alpha,) = values
    if family == "elu":
        return {
            "function": lambda a: np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0.0))),
            "slope": lambda a: np.where(a > 0, 1.0, alpha * np.exp(np.minimum(a, 0.0))),
            "curvature": alpha,
            "kinks": (0.0,),
            # exp(a) - 1 has the error of exp(a), which is 1 at most, and is multiplied with alpha
            "floor": 4.0 * max(1.0, alpha),
        }
    return {
        "function": lambda a: np.where(a >= 0, a, alpha * a),
        "slope": lambda a: np.where(a >= 0, 1.0, alpha),
        "curvature": 0.0,
        "kinks": (0.0,),
        "ulps": 3.0,
        "floor": 0.0,
    }
