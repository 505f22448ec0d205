"""Numbers and activations as source text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.parametrised import FAMILIES, parameters
from ..implementations.keras_layers import is_own
from ..model.case import Case

__all__ = ["READABLE", "defined", "is_large", "literal", "nested", "typed"]

#: Numbers beyond which a script would be unreadable, and reads the case from its file instead.
READABLE = 300

#: The activations, as one would type them.
_TYPED = {
    "tanh": "np.tanh(a)",
    "linear": "a",
    "relu": "np.maximum(a, 0)",
    "sigmoid": "1 / (1 + np.exp(-a))",
    "hard_sigmoid": "np.clip(a / 6 + 0.5, 0, 1)",
    "hard_tanh": "np.clip(a, -1, 1)",
    "softsign": "a / (1 + np.abs(a))",
    "softplus": "np.logaddexp(a, 0)",
    "elu": "np.where(a > 0, a, np.expm1(np.minimum(a, 0)))",
    "leaky_relu": "np.where(a >= 0, a, 0.2 * a)",
    "relu6": "np.clip(a, 0, 6)",
    "celu": "np.where(a > 0, a, np.expm1(np.minimum(a, 0)))",
    "selu": "1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * np.expm1(np.minimum(a, 0)))",
    "exponential": "np.exp(a)",
    "log_sigmoid": "-np.logaddexp(-a, 0)",
    "gelu": "a * np.vectorize(math.erfc)(-a / 2**0.5) / 2",
    "silu": "a / (1 + np.exp(-a))",
    "hard_silu": "a * (np.clip(a + 3, 0, 6) / 6)",
    "mish": "a * np.tanh(np.logaddexp(a, 0))",
    "tanh_shrink": "a - np.tanh(a)",
    "soft_shrink": "a - np.clip(a, -0.5, 0.5)",
    "hard_shrink": "np.where(np.abs(a) <= 0.5, 0, a)",
    "sparse_sigmoid": "np.clip((a + 1) / 2, 0, 1)",
    "sparse_plus": "np.where(a >= 1, a, np.clip(a + 1, 0, 2)**2 / 4)",
    "squareplus": "(a + np.hypot(a, 2)) / 2",
    "softmax": "np.exp(a - np.logaddexp.reduce(a, -1, keepdims=True))",
    "log_softmax": "a - np.logaddexp.reduce(a, -1, keepdims=True)",
    "sparsemax": (
        "np.maximum(a - ((np.cumsum(-np.sort(-a, -1), -1) - 1) / np.arange(1, a.shape[-1] + 1))"
        ".max(-1, keepdims=True), 0)"
    ),
}


def is_large(case: Case) -> bool:
    """Whether a case has too many numbers to read."""
    return sum(array.size for array in case.numbers().values()) > READABLE


def literal(array: npt.NDArray[Any]) -> str:
    """Write an array as Python source that gives the same bits."""
    if not array.any() and array.dtype.kind == "f" and not np.signbit(array).any():
        return f"np.zeros({array.shape}, np.{array.dtype})"
    text = nested(array)
    return f"np.array({text}, {'bool' if array.dtype == bool else f'np.{array.dtype}'})"


def nested(array: npt.NDArray[Any]) -> str:
    """Write numbers with the fewest digits that give the same bits."""
    if array.ndim:
        return f"[{', '.join(nested(row) for row in array)}]"
    text = str(array[()])
    return f"np.{text}" if text in ("nan", "inf") else "-np.inf" if text == "-inf" else text


def typed(activation: Activation, function: str) -> str:
    """Write an activation of ``a``; one of the user's own as a call of a function of that name."""
    if (said := parameters(activation.name)) is not None:
        family, values = said
        return FAMILIES[family].typed.format(*values)
    return f"{function}(a)" if is_own(activation) else _TYPED[activation.name]


def defined(activation: Activation, function: str) -> list[str]:
    """Write the place where users define an activation of their own."""
    return ["", f"def {function}(a):  # define it: {activation.name}", "    raise NotImplementedError"]
