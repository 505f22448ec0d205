"""Mistakes in the activation: another function, an approximation of it, none, or twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import HARD_SIGMOID_OF_KERAS_2, Activation, activation
from ..arithmetic.functions import sigmoid, softplus
from ..arithmetic.parametrised import parameters
from ..cells.cell import Cell, CellWeights
from .mistake import Mistake, Recurrence, cell_like, family, in_recurrence

__all__ = ["FAST_TANH", "NAMESAKES", "with_functions"]

Array = npt.NDArray[Any]


def _rational(a: Array) -> Array:
    a = np.clip(a, -3, 3)
    value: Array = a * (27 + a * a) / (27 + 9 * a * a)
    return value


def _lambert(a: Array) -> Array:
    a = np.clip(a, -4.971787, 4.971787)
    a2 = a * a
    value: Array = a * (135135 + a2 * (17325 + a2 * (378 + a2))) / (135135 + a2 * (62370 + a2 * (3150 + a2 * 28)))
    return np.clip(value, -1, 1)


def _quadratic(a: Array) -> Array:
    a = np.clip(a, -2, 2)
    return a * (1 - np.abs(a) / 4)


def _table(a: Array) -> Array:
    grid = np.linspace(-4, 4, 256)
    value: Array = np.interp(a, grid, np.tanh(grid))
    return value


def _coarse_table(a: Array) -> Array:
    step = 8 / 256
    return np.tanh(np.clip(np.round(a / step) * step, -4, 4))


def _twice_tanh(a: Array) -> Array:
    return np.tanh(np.tanh(a))


def _tanh_as_sigmoid(a: Array) -> Array:
    return 2 * sigmoid(a) - 1


#: Fast hyperbolic tangents in common use; each is non-decreasing, as the oracle asks of an activation.
FAST_TANH = {
    "rational": (
        Activation("tanh as a(27+a^2)/(27+9a^2)", _rational),
        "the Pade approximant of music software, clipped at 3: off by up to 0.024",
    ),
    "lambert": (
        Activation("tanh as Lambert's fraction", _lambert),
        "Lambert's continued fraction to a^7, clipped at 1: off by up to 1e-4",
    ),
    "quadratic": (
        Activation("tanh as a(1-|a|/4)", _quadratic),
        "two parabolas, for machines without division: off by up to 0.04",
    ),
    "table": (Activation("tanh from 256 points", _table), "a table of 256 points with linear interpolation"),
    "steps": (Activation("tanh from 256 steps", _coarse_table), "a table of 256 entries without interpolation"),
    "half-argument": (Activation("tanh(a/2)", _tanh_as_sigmoid), "`2*sigmoid(a) - 1`, the inner 2 forgotten"),
}


def _leaky(slope: float) -> Activation:
    return Activation(f"leaky_relu of slope {slope}", lambda a: np.where(a >= 0, a, slope * a), kinks=(0.0,))


def _gelu_by_tanh(a: Array) -> Array:
    value: Array = 0.5 * a * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (a + 0.044715 * a**3)))
    return value


#: Other functions of the same name: name of the mistake -> name, other function, its cause.
NAMESAKES = {
    "leaky_relu-of-PyTorch": ("leaky_relu", _leaky(0.01), "PyTorch's and ONNX's default slope is 0.01, Keras's 0.2"),
    "leaky_relu-of-the-layer": (
        "leaky_relu",
        _leaky(0.3),
        "the slope of Keras's layer LeakyReLU; its activation's is 0.2",
    ),
    "gelu-by-tanh": (
        "gelu",
        Activation("gelu by tanh", _gelu_by_tanh, floor=8, of_argument=8, turns=(-0.7524614,)),
        "the approximation that JAX and keras.ops.gelu take by default; off by up to 5e-4",
    ),
    "hard_sigmoid-of-Keras-2": (
        "hard_sigmoid",
        HARD_SIGMOID_OF_KERAS_2,
        "Keras 2's and ONNX's function of that name; Keras 3's and PyTorch's has a slope of 1/6",
    ),
}


def _unguarded_softplus(a: Array) -> Array:
    # the largest float32 is exp(88.72...)
    value: Array = np.where(a > 88.7228, np.inf, softplus(np.minimum(a, 88.7228)))
    return value


NAMESAKES["softplus-overflows"] = (
    "softplus",
    Activation("log(1 + exp(a)), which overflows from 88.72 on", _unguarded_softplus),
    "`log(1 + exp(a))` without a guard: three runtimes have it",
)


@in_recurrence(
    "activation",
    "activation-parameters-ignored",
    "with the parameters that Keras has in its activation, and not its own",
    "`alpha` and `beta` of ONNX, or PyTorch's slope, not read: Keras's leaky_relu, elu and hard_sigmoid have others",
)
def _(r: Recurrence) -> Recurrence | None:
    def usual(f: Activation) -> Activation:
        said = parameters(f.name)
        return f if said is None else activation(said[0])

    found = with_functions(r, usual)
    return None if (found.activation, found.cell) == (r.activation, r.cell) else found


def _register_activations() -> None:
    for name, (known, namesake, cause) in NAMESAKES.items():

        def of_that_name(r: Recurrence, known: str = known, namesake: Activation = namesake) -> Recurrence | None:
            return r.replace(activation=namesake) if r.activation.name == known else None

        in_recurrence("activation", name, f"with another function for `{known}`: {namesake.name}", cause)(of_that_name)
    for other in ("linear", "relu", "sigmoid", "tanh", "softsign", "hard_tanh", "hard_sigmoid", "elu", "leaky_relu"):
        forgotten = other == "linear"

        def another(r: Recurrence, other: str = other) -> Recurrence | None:
            return r.replace(activation=activation(other)) if r.activation.name != other else None

        in_recurrence(
            "activation",
            "activation-forgotten" if forgotten else f"activation-{other}",
            "without its activation" if forgotten else f"with `{other}` as its activation",
            "forgotten" if forgotten else "another framework's default, or a cheaper function",
        )(another)
    for name, (fast, cause) in FAST_TANH.items():

        def approximated(r: Recurrence, fast: Activation = fast) -> Recurrence | None:
            return r.replace(activation=fast) if r.activation.name == "tanh" else None

        in_recurrence("activation", f"fast-tanh-{name}", f"with a fast tanh: {fast.name}", cause)(approximated)


_register_activations()


# ---- clamps ----


def with_functions(r: Recurrence, change: Callable[[Activation], Activation]) -> Recurrence:
    """Change the functions of a recurrence: its activation, and that of its gates."""
    gate = getattr(r.cell, "recurrent_activation", None)
    cell = r.cell if gate is None else type(r.cell)(**vars(r.cell) | {"recurrent_activation": change(gate)})
    return r.replace(activation=change(r.activation), cell=cell)


def _clamped_before(limit: float) -> Callable[[Recurrence], Recurrence | None]:
    def by(f: Activation) -> Activation:
        def function(a: Array) -> Array:
            return f.function(np.clip(a, -limit, limit))

        return replace(f, name=f"{f.name} within {limit:g}", function=function, slope=None, peak=None)

    def change(r: Recurrence) -> Recurrence | None:
        far = np.array([[-2.0, 2.0]]) * limit
        clamped = by(r.activation)
        # beyond 8 or so nothing is to be seen of it in tanh
        return with_functions(r, by) if np.abs(clamped(far) - r.activation(far)).max() > 1e-6 else None

    return change


def _clamping(kind: type[Cell], limit: float) -> dict[str, Any]:
    """The state is clipped."""
    clip = Activation(f"clip({limit:g})", lambda a: np.clip(a, -limit, limit), ulps=1, floor=0)

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        h, *others = kind.step(self, x, states, w, activation)
        return (clip(h), *others)

    return {"step": step}


def _clamped_after(limit: float) -> Callable[[Recurrence], Recurrence | None]:
    def change(r: Recurrence) -> Recurrence | None:
        far = np.array([[-1e3, 1e3]])
        if np.abs(r.activation(far)).max() <= limit:
            return None
        return r.replace(cell=cell_like(r.cell, f"within {limit:g}", partial(_clamping, limit=limit)))

    return change


family(
    3,
    *(
        Mistake(
            f"sums-clamped-at-{limit:g}",
            f"with the arguments of its activations clamped to [-{limit:g}, {limit:g}]",
            "`constrain(a, -4, 4)` before an `exp` or a table",
            "activation",
            recurrence=_clamped_before(limit),
        )
        for limit in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 16.0, 20.0, 30.0, 50.0)
    ),
)
family(
    2,
    *(
        Mistake(
            f"state-clamped-at-{limit:g}".replace(".", "_"),
            f"with its state clamped to [-{limit:g}, {limit:g}]",
            "a clip against numbers that grow, or a format which ends there",
            "activation",
            recurrence=_clamped_after(limit),
        )
        for limit in (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 20.0, 50.0, 100.0)
    ),
)


@in_recurrence(
    "activation",
    "activation-twice",
    "with its activation applied twice",
    "an activation in the layer and another behind it",
)
def _(r: Recurrence) -> Recurrence | None:
    f = r.activation
    grid = np.linspace(-8, 8, 65)
    if f.turns or f.per_term or np.array_equal(f(f(grid)), f(grid)):  # where that would turn is not known; relu
        return None
    twice = Activation(f"{f.name} twice", lambda a: f.function(f.function(a)))
    return r.replace(activation=twice)
