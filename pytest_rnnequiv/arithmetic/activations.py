"""Activation functions, and what an error in their argument does to their value.

The oracle needs four things of an activation: its value, how far the value can move when the argument moves by at most
``delta`` (:meth:`Activation.spread`), its best linear model there (:meth:`Activation.linearize`), by which the
trajectory bound follows an error through many steps, and what a correct implementation of it may add of its own
(:meth:`Activation.error`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import where
from .functions import (
    SELU_ALPHA,
    SELU_SCALE,
    elu,
    elu_slope,
    gelu,
    gelu_slope,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_silu_slope,
    hard_tanh,
    identity,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    mish_slope,
    relu,
    relu6,
    selu,
    selu_slope,
    sigmoid,
    sigmoid_slope,
    silu,
    silu_slope,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh_shrink,
    tanh_slope,
)
from .parametrised import parameters, parametrised, spelled

if TYPE_CHECKING:
    from .precision import Precision

__all__ = [
    "ACTIVATIONS",
    "HARD_SIGMOID_OF_KERAS_2",
    "IMPOSSIBLE",
    "Activation",
    "activation",
    "clipping",
    "known_by_name",
]

#: Relative error, in units of round-off, that an activation function may add. Measured worst cases of correct
#: runtimes: PyTorch 1.0, NumPy 1.8, XLA 4.8, LiteRT 5.0, ONNX Runtime 5.3, TensorFlow eager 5.8.
ACTIVATION_ULPS = 8.0

#: Absolute error, in units of round-off, for activations that saturate at 1: a port that computes ``tanh(a)`` as
#: ``2*sigmoid(2a) - 1`` is right to its users, though its relative error near 0 is large.
ACTIVATION_FLOOR = 4.0

Array = npt.NDArray[Any]

#: Numbers at once in the bound of a function of the whole axis, which looks at every component against all others.
BLOCK = 2**20


@dataclass(frozen=True)
class Activation:
    """An activation function, and what is known of it.

    What makes a bound possible is one of these: it is monotone, jumps included (which is what a bare
    ``Activation(name, function)`` says); it is monotone between its `turns`; its slope is nowhere above `lipschitz`; or
    it is a function of the whole last axis (`per_term`).

    Parameters
    ----------
    name : str
        Keras's name, where Keras has it.
    function : callable
        Value, on an array of floats ``(..., units)``; NaN in, NaN out.
    slope : callable, optional
        Derivative, elementwise. Left out, the linear model falls back on the interval, which is right and wide.
    curvature : float or callable
        Least upper bound of ``|f''|`` away from the `kinks`; 0 for a piecewise linear function. Where there is none, a
        function of an interval, ``(low, high) -> bound``.
    kinks : tuple of float
        Where the slope or the value jumps.
    ulps, floor, of_argument : float
        Relative and absolute error, and error relative to the *argument*, in units of round-off, that a correct
        implementation of the function may add. The last is for functions that are computed as a product of the argument
        and something known to so many units, or as a difference of the argument and something else.
    turns : tuple of float
        The arguments where it changes from falling to rising or back.
    lipschitz : float, optional
        A bound on its slope, where nothing better is known.
    per_term : (float, float, float), optional
        Makes it a function of the whole last axis, whose components rise with their own argument and fall with every
        other (softmax and its kin). They are made of sums over the axis: so much does every term of them add to `ulps`,
        `floor` and `of_argument`, which is then relative to the largest argument of the axis.
    peak : callable, optional
        The largest number that usual formulas pass through, as a function of ``|a|``, where that is neither the
        argument nor the value. Where it overflows, so may the implementation.
    saturated : float
        Where the factor or the term that makes the error `of_argument` comes to its limit: it is exact beyond, and the
        error grows no more.
    keeps_nan : bool
        Whether NaN comes out where NaN goes in. What is defined by comparisons, with 0 otherwise, may make 0 of it.
    """

    name: str
    function: Callable[[Array], Array] = field(compare=False)
    slope: Callable[[Array], Array] | None = field(default=None, compare=False)
    curvature: float | Callable[[Array, Array], Array] = float("inf")
    kinks: tuple[float, ...] = ()
    ulps: float = ACTIVATION_ULPS
    floor: float = ACTIVATION_FLOOR
    of_argument: float = 0.0
    turns: tuple[float, ...] = ()
    lipschitz: float | None = None
    per_term: tuple[float, float, float] | None = None
    peak: Callable[[Array], Array] | None = field(default=None, compare=False)
    saturated: float = float("inf")
    keeps_nan: bool = True

    def __call__(self, a: Any) -> Any:
        """Apply the function to an array, or to anything that knows how to be mapped (see ``inexact``)."""
        mapped = getattr(a, "through", None)
        return self.function(a) if mapped is None else mapped(self)

    @cached_property
    def span(self) -> float:
        """The width of the range of its values; infinite where they have no bound."""
        far = 1e12
        with np.errstate(all="ignore"):
            # opposite ends side by side are the extremes of a function of the whole axis, too
            values = [self.function(np.array([[far, -far], [-far, far]])), self.function(np.array(self.turns or [far]))]
        width = max(float(v.max()) for v in values) - min(float(v.min()) for v in values)
        return width if width < far**0.5 else math.inf

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        # A named activation is pickled by its name, so that cases can be sent to a port in another process.
        if known_by_name(self):
            return activation, (self.name,)
        return super().__reduce__()

    def spread(self, a: Array, delta: Array, value: Array | None = None) -> Array:
        """How far the value can move when the argument moves by at most `delta` (elementwise, absolute).

        It is infinite where `delta` is, or where the value overflows. `value` is that at `a`, where it is known.
        """
        known: Array = np.isfinite(delta)
        spread: Array
        low, high = a - delta, a + delta
        if self.lipschitz is not None:
            spread = self.lipschitz * delta
        else:
            if self.per_term is None:
                # The extremes of a piecewise monotone function are at the ends and at the turns in between.
                corners = (low, high, *(np.clip(turn, low, high) for turn in self.turns))
                extremes = [self.function(corner) for corner in corners]
            else:
                known = np.logical_and.reduce(known, axis=-1, keepdims=True)
                extremes = [self._against(low, high), self._against(high, low)]
            value = self.function(a) if value is None else value
            first, *others = (np.abs(extreme - value) for extreme in extremes)
            spread = reduce(np.maximum, others, first)
        return np.asarray(where(known & (spread < np.inf), spread, np.inf))

    def _against(self, own: Array, others: Array) -> Array:
        """Every component with its own argument from one array and those of the others from another."""
        here = np.eye(own.shape[-1], dtype=bool)
        at_once = max(1, BLOCK // max(own.size, 1))
        parts = []
        for i in range(0, len(here), at_once):
            rows = here[i : i + at_once]
            values = self.function(np.where(rows, own[..., None, :], others[..., None, :]))
            parts.append(np.where(rows, values, 0.0).sum(-1))
        return np.concatenate(parts, -1)

    def linearize(self, a: Array, delta: Array, whole: Array | None = None) -> tuple[Array, Array]:
        """Linear model of the function near `a`; `whole` is :meth:`spread`, where that is known already.

        Returns
        -------
        slope, remainder : arrays
            For every ``|e| <= delta``: ``|f(a + e) - f(a) - slope * e| <= remainder`` (Taylor's theorem; next to a
            kink, or without a known slope, the function's whole movement is remainder).
        """
        whole = self.spread(a, delta) if whole is None else whole
        if self.slope is None:
            return np.zeros_like(a), whole
        slope = self.slope(a)
        curvature = self.curvature(a - delta, a + delta) if callable(self.curvature) else self.curvature
        remainder = 0.5 * curvature * delta * delta
        # NaN, of an infinite curvature, is no bound either; where the value overflows, its slope may be infinite too.
        bent = ~np.asarray((remainder <= whole) & (whole < np.inf))
        for kink in self.kinks:
            bent = bent | (np.abs(a - kink) <= delta)
        return np.where(bent, 0.0, slope), np.where(bent, whole, remainder)

    def error(self, p: Precision, a: Array, value: Array, delta: Any = 0.0, spread: Any = 0.0) -> Array:
        """How far a correct implementation may be from the function at its own argument (absolute).

        Parameters
        ----------
        p : Precision
            The arithmetic of the implementation.
        a, value : arrays
            The argument, and the function there.
        delta, spread : arrays
            How far the implementation's argument may be from `a`, and the function there from `value`.

        Returns
        -------
        array
            Infinite where the implementation may overflow.
        """
        ulps, floor, of_argument = self.ulps, self.floor, self.of_argument
        size = np.abs(value) + spread
        largest = size * (1 + p.unit)
        if self.per_term is not None:
            ulps, floor, of_argument = (
                number + a.shape[-1] * more
                for number, more in zip((ulps, floor, of_argument), self.per_term, strict=True)
            )
        own: Array = ulps * p.unit * size + floor * p.unit
        if of_argument:
            argument = np.minimum(np.abs(a) + delta, self.saturated)
            if self.per_term is not None:
                argument = argument.max(-1, keepdims=True)
            own = own + of_argument * p.unit * argument
        if self.peak is not None:
            largest = np.maximum(largest, self.peak(np.abs(a) + delta))
        if p.activation_error and self.name != "linear":
            own = own + p.activation_error
        own = own + (p.tiny * p.unit if p.subnormals else p.tiny)
        return np.asarray(where(largest < p.largest, own, np.inf))


# Own errors: a factor or a term that is some other activation is known to ACTIVATION_ULPS, as that one is. How much of
# this room correct runtimes use is measured by benchmarks/activations.py: at most 0.67, and 0.92 where `exponential` is
# flushed to zero; usual formulas in NumPy at most 0.71. The widest is gelu, fused into a Dense by oneDNN: its error
# function is good to 6 u of the argument, and TensorFlow's own to 2. Not counted: gelu and leaky_relu in float64, whose
# constants TensorFlow keeps in float32, and Keras's sparsemax, which is another function (keras-team/keras#23425).
#
# max |f''|: tanh and a - tanh(a) 4/(3 sqrt 3), sigmoid 1/(6 sqrt 3), softplus = sigmoid' 1/4, softsign 2 at 0, elu 1 at
# 0-, gelu 2/sqrt(2 pi), silu 2 sigmoid'(0) and squareplus 1/4 at 0, mish at -0.0879.
ACTIVATIONS: dict[str, Activation] = {
    a.name: a
    for a in (
        Activation("tanh", np.tanh, tanh_slope, 4 / (3 * 3**0.5)),
        Activation("linear", identity, np.ones_like, 0.0, ulps=1, floor=0),
        Activation("relu", relu, lambda a: (a > 0) * 1.0, 0.0, (0.0,), ulps=1, floor=0),
        Activation("sigmoid", sigmoid, sigmoid_slope, 1 / (6 * 3**0.5)),
        Activation("hard_sigmoid", hard_sigmoid, lambda a: (np.abs(a) < 3) / 6.0, 0.0, (-3.0, 3.0)),
        Activation("hard_tanh", hard_tanh, lambda a: (np.abs(a) < 1) * 1.0, 0.0, (-1.0, 1.0), ulps=1, floor=0),
        Activation("softsign", softsign, lambda a: (1.0 + np.abs(a)) ** -2, 2.0),
        Activation("softplus", softplus, sigmoid, 0.25),
        Activation("elu", elu, elu_slope, 1.0, (0.0,)),
        Activation("leaky_relu", leaky_relu, lambda a: np.where(a >= 0, 1.0, 0.2), 0.0, (0.0,), ulps=2, floor=0),
        Activation("relu6", relu6, lambda a: ((a > 0) & (a < 6)) * 1.0, 0.0, (0.0, 6.0), ulps=1, floor=0),
        Activation("celu", elu, elu_slope, 1.0, (0.0,)),
        Activation(
            "selu",
            selu,
            selu_slope,
            SELU_SCALE * SELU_ALPHA,
            (0.0,),
            floor=6,
        ),
        Activation("exponential", np.exp, np.exp, lambda low, high: np.exp(high), floor=0),
        Activation("log_sigmoid", log_sigmoid, lambda a: sigmoid(-a), 0.25),
        Activation("gelu", gelu, gelu_slope, (2 / math.pi) ** 0.5, (), 1, 0, 8, (-0.7517915246935645,), saturated=40),
        Activation("silu", silu, silu_slope, 0.5, (), 1, 0, 8, (-1.278464542761074,), saturated=40),
        Activation(
            "hard_silu",
            hard_silu,
            hard_silu_slope,
            1 / 3,
            (-3.0, 3.0),
            4,
            0,
            1.5,
            turns=(-1.5,),
            peak=lambda size: 6.0 * size,
            saturated=3,
        ),
        Activation("mish", mish, mish_slope, 0.6442046372369725, (), 7, 0, 8, (-1.1924312145154952,), saturated=40),
        Activation(
            "tanh_shrink", tanh_shrink, lambda a: np.tanh(a) ** 2, 4 / (3 * 3**0.5), (), 1.5, 4, 8, saturated=40
        ),
        Activation(
            "soft_shrink", soft_shrink, lambda a: (np.abs(a) > 0.5) * 1.0, 0.0, (-0.5, 0.5), 1.5, 0, keeps_nan=False
        ),
        Activation(
            "hard_shrink", hard_shrink, lambda a: (np.abs(a) > 0.5) * 1.0, 0.0, (-0.5, 0.5), 1, 0, keeps_nan=False
        ),
        Activation("sparse_sigmoid", sparse_sigmoid, lambda a: (np.abs(a) < 1) * 0.5, 0.0, (-1.0, 1.0), 1, 0.5),
        Activation("sparse_plus", sparse_plus, sparse_sigmoid, 0.5, (), 2, 2),
        Activation(
            "squareplus", squareplus, lambda a: 0.5 + 0.5 * a / np.hypot(a, 2.0), 0.25, (), 3, 4, 1.5, peak=np.square
        ),
        Activation("softmax", softmax, ulps=2, floor=2, of_argument=1.5, per_term=(1, 0, 0)),
        Activation("log_softmax", log_softmax, ulps=2, floor=2, of_argument=1.5, per_term=(0, 1, 0)),
        Activation("sparsemax", sparsemax, ulps=2, floor=1, of_argument=0.5, per_term=(0, 0, 1)),
    )
}
ACTIVATIONS["swish"], ACTIVATIONS["hard_swish"] = ACTIVATIONS["silu"], ACTIVATIONS["hard_silu"]


@lru_cache
def clipping(limit: float) -> Activation:
    """``clip(a, -limit, limit)``, which chooses among numbers and adds no error of its own."""
    return Activation(
        f"clip at {limit:g}",
        lambda a: np.clip(a, -limit, limit),
        lambda a: (np.abs(a) < limit) * 1.0,
        0.0,
        (-limit, limit),
        ulps=0,
        floor=0,
    )


#: Names that Keras looks up too, and why no layer can have them.
IMPOSSIBLE: dict[str, str] = {
    "glu": "it halves its last axis, so that a layer of M units would have a state of M/2",
    "threshold": "it has two more arguments, which a name does not carry, and Keras's layers fail when they call it",
}


def activation(name: str | Activation | Callable[..., Any] | None) -> Activation:
    """Look an activation up by Keras's name, or by Keras's function; ``None`` is ``"linear"``, as in Keras.

    A name may say parameters, as ``"leaky_relu(0.01)"`` does (:data:`~.parametrised.FAMILIES`).

    Raises
    ------
    ValueError
        If the name is unknown, and the message lists the known ones; or if it is a function that is not one of Keras's
        activations, and the message says how to describe it.
    """
    if isinstance(name, Activation):
        return name
    key: Any = "linear" if name is None else name
    if callable(name):
        key = getattr(name, "__name__", "mine")
        # Functions of the same names elsewhere may be other functions: keras.ops.gelu is.
        if getattr(name, "__module__", None) not in KERAS_MODULES:
            raise ValueError(
                f"nothing is known of the activation {name!r} that would bound an error on its way through it: write "
                f"Activation({key!r}, f) if f is monotone, Activation({key!r}, f, turns=(...)) with the arguments "
                f"where it turns from falling to rising or back, or Activation({key!r}, f, lipschitz=L) if its slope "
                f"nowhere exceeds L"
            )
    if isinstance(key, str) and (said := parameters(key)) is not None:
        return _with_parameters(spelled(*said))
    try:
        return ACTIVATIONS[key]
    except (KeyError, TypeError):
        if isinstance(key, str) and key in IMPOSSIBLE:
            raise ValueError(f"{key!r} cannot be the activation of a layer: {IMPOSSIBLE[key]}") from None
        known = ", ".join(sorted(ACTIVATIONS))
        raise ValueError(f"unknown activation {name!r}: expected an Activation or one of {known}") from None


@lru_cache
def _with_parameters(name: str) -> Activation:
    made = parametrised(name)
    return ACTIVATIONS[name] if made is None else Activation(name, **made)


def known_by_name(f: Activation) -> bool:
    """Whether its name is enough to know it: it is none of the user's own."""
    try:
        return activation(f.name) == f
    except ValueError:
        return False


#: What Keras 2 and ONNX call ``hard_sigmoid``.
HARD_SIGMOID_OF_KERAS_2 = activation("hard_sigmoid(0.2, 0.5)")

#: Where Keras 3 and Keras 2 define their activations.
KERAS_MODULES = ("keras.src.activations.activations", "keras.src.activations", "keras.activations")
