"""The activation functions of Keras and their slopes, to a few units in the last place of float64.

Everything is measured against them. What is known of each beside its values stands in :mod:`.activations`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

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


def log_sigmoid(a: Array) -> Array:
    """``log(sigmoid(a))``, which is ``-softplus(-a)``."""
    return -softplus(-a)


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


#: Fixed point of mean 0 and variance 1: Klambauer et al., *Self-Normalizing Neural Networks*, 2017, equation 14.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def selu(a: Array) -> Array:
    """``scale a`` above zero, ``scale alpha (exp(a) - 1)`` below."""
    return SELU_SCALE * np.where(a > 0, a, SELU_ALPHA * np.expm1(np.minimum(a, 0.0)))


def leaky_relu(a: Array) -> Array:
    """``a`` above zero, ``0.2 a`` below (Keras 3's default slope)."""
    return np.where(a >= 0, a, 0.2 * a)


_erfc = np.frompyfunc(math.erfc, 1, 1)


def normal_cdf(a: Array) -> Array:
    """Probability that a normally distributed number is below `a`: ``erfc(-a / sqrt(2)) / 2``."""
    return 0.5 * np.asarray(_erfc(a * -(0.5**0.5)), np.asarray(a).dtype)


def gelu(a: Array) -> Array:
    """``a Phi(a)``; Keras's activation is the exact one, its operation ``keras.ops.gelu`` is not.

    In the tail, where the value is nothing beside the argument, its relative error grows as ``a^2``.
    """
    return a * normal_cdf(a)


def silu(a: Array) -> Array:
    """``a sigmoid(a)``."""
    return a * sigmoid(a)


def hard_silu(a: Array) -> Array:
    """``a hard_sigmoid(a)``, without cancellation near -3."""
    return a * (np.clip(a + 3.0, 0.0, 6.0) / 6.0)


def _mish_gate(a: Array) -> Array:
    """``tanh(softplus(a))``, as a quotient of sums of positive terms."""
    e = np.exp(-np.abs(a))
    numerator = np.where(a >= 0, 1.0 + 2.0 * e, e * (e + 2.0))
    return numerator / (numerator + 2.0 * np.where(a >= 0, e * e, 1.0))


def mish(a: Array) -> Array:
    """``a tanh(softplus(a))``."""
    return a * _mish_gate(a)


def tanh_shrink(a: Array) -> Array:
    """``a - tanh(a)``.

    Near 0 it is ``a K / (1 + K)``, without cancellation: ``K = a^2 / (3 + a^2 / (5 + ...))`` is the tail of Lambert's
    continued fraction ``tanh(a) = a / (1 + K)``.
    """
    square = np.clip(a, -2.0, 2.0) ** 2
    K: Any = square / 31.0
    for odd in range(29, 1, -2):
        K = square / (odd + K)
    return np.where(np.abs(a) < 2, a * K / (1.0 + K), a - np.tanh(a))


def soft_shrink(a: Array) -> Array:
    """What is left of ``a`` when up to 1/2 of it is taken away."""
    return np.where(np.abs(a) <= 0.5, 0.0 * a, a - np.copysign(0.5, a))


def hard_shrink(a: Array) -> Array:
    """``a``, but 0 from -1/2 to 1/2."""
    return np.where(np.abs(a) <= 0.5, 0.0 * a, a)


def sparse_sigmoid(a: Array) -> Array:
    """``clip((a + 1) / 2, 0, 1)``."""
    return np.clip(0.5 * a + 0.5, 0.0, 1.0)


def sparse_plus(a: Array) -> Array:
    """The integral of :func:`sparse_sigmoid`: 0, ``(a + 1)^2 / 4`` from -1 to 1, ``a``."""
    return np.where(a >= 1, a, 0.25 * np.clip(a + 1.0, 0.0, 2.0) ** 2)


def squareplus(a: Array) -> Array:
    """``(a + sqrt(a^2 + 4)) / 2``, without cancellation below zero and without overflow."""
    twice = np.abs(a) + np.hypot(a, 2.0)
    return np.where(a >= 0, 0.5 * twice, 2.0 / twice)


def _below_largest(a: Array) -> tuple[Array, Array]:
    """Distance of every component of the last axis from the largest, and the sum of the others' exponentials."""
    below = a - a.max(-1, keepdims=True)
    others = np.exp(below)
    np.put_along_axis(others, below.argmax(-1, keepdims=True), 0.0, -1)
    return below, others.sum(-1, keepdims=True)


def softmax(a: Array) -> Array:
    """``exp(a_i) / sum_j exp(a_j)`` over the last axis."""
    below, others = _below_largest(a)
    return np.exp(below) / (1.0 + others)


def log_softmax(a: Array) -> Array:
    """``log(softmax(a))``: both terms of the difference are negative."""
    below, others = _below_largest(a)
    return below - np.log1p(others)


def sparsemax(a: Array) -> Array:
    """The point of the probability simplex that is nearest to the last axis.

    Martins & Astudillo, *From Softmax to Sparsemax*, 2016: ``max(a - tau, 0)``, where ``tau`` is the largest of the
    thresholds ``(sum of the k largest - 1) / k`` of their algorithm 1.
    """
    below = a - a.max(-1, keepdims=True)
    excess = np.cumsum(-np.sort(-below, axis=-1), axis=-1) - 1.0
    tau = (excess / np.arange(1, a.shape[-1] + 1, dtype=excess.dtype)).max(-1, keepdims=True)
    return relu(below - tau)


# ---- slopes ----


def tanh_slope(a: Array) -> Array:
    """``1 - tanh(a)^2``."""
    t = np.tanh(a)
    return 1.0 - t * t


def sigmoid_slope(a: Array) -> Array:
    """``sigmoid(a) (1 - sigmoid(a))``."""
    s = sigmoid(a)
    return s * (1.0 - s)


def elu_slope(a: Array) -> Array:
    """``exp(a)`` below 0, 1 above."""
    return np.exp(np.minimum(a, 0.0))


def selu_slope(a: Array) -> Array:
    """The slope of ELU, scaled, with `SELU_ALPHA` below 0."""
    return SELU_SCALE * np.where(a > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(a, 0.0)))


def gelu_slope(a: Array) -> Array:
    """``cdf(a) + a pdf(a)`` of the normal distribution."""
    return normal_cdf(a) + a * np.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)


def silu_slope(a: Array) -> Array:
    """``s (1 + a (1 - s))`` with ``s = sigmoid(a)``."""
    s = sigmoid(a)
    return s * (1.0 + a * (1.0 - s))


def hard_silu_slope(a: Array) -> Array:
    """``(2 a + 3) / 6`` between -3 and 3; 0 below, 1 above."""
    return np.where(np.abs(a) < 3, (2.0 * a + 3.0) / 6.0, (a > 0) * 1.0)


def mish_slope(a: Array) -> Array:
    """``g + a (1 - g^2) sigmoid(a)`` with ``g = tanh(softplus(a))``."""
    gate = _mish_gate(a)
    return gate + a * (1.0 - gate * gate) * sigmoid(a)
