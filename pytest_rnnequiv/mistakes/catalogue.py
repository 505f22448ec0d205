"""The catalogue: well-known ways to get a recurrent layer wrong.

A mistake is a *case transformation followed by the correct recurrence*: whoever transposes ``Wh`` computes the right
recurrence of the case in which ``Wh`` is transposed. So one catalogue serves twice. The oracle must tell every
mistake from the truth (the selfcheck), and a port that differs is explained by the mistake under which it becomes
equivalent (the diagnosis). Where a mistake is in the step itself, the transformed case has a wrong cell in its spec;
where it is in the numbers, a coarser activation or another arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation, sigmoid
from ..arithmetic.inexact import choose
from ..arithmetic.precision import Precision, to_bfloat16
from ..cells.simple_rnn import CellWeights, SimpleRNN
from ..judging.enclosure import layer_output
from ..model.case import Case
from ..model.forward import reference
from ..model.trajectory import Trajectory

__all__ = ["CATALOGUE", "Mistake", "by_name", "permuted"]

Array = npt.NDArray[Any]
Change = Callable[[Case], "Case | None"]


@dataclass(frozen=True)
class Mistake:
    """One well-known way to get it wrong.

    Parameters
    ----------
    name : str
        Short, without spaces: what tables and ``-k`` use.
    says : str
        Completes "it is the recurrence ...".
    how : str
        How people come to make it.
    change : callable
        Case -> case, or None where the mistake cannot be made (``Wx`` and ``Wh`` swapped needs ``D == M``).
    group : str
        The part of the recurrence that it is about.
    precision : Precision, optional
        The arithmetic of the transformed case, where that is the mistake.
    head_only : bool
        The states are right; only the outputs can show it.
    """

    name: str
    says: str
    how: str
    change: Change
    group: str
    precision: Precision | None = None
    head_only: bool = False

    def __call__(self, case: Case) -> Case | None:
        """Return the case as the mistaken implementation takes it, or None where that changes nothing."""
        with np.errstate(all="ignore"):  # what overflows is as wrong as it should be
            changed = self.change(case)
        if changed is None or (self.precision is None and _same(case, changed)):
            return None
        return changed

    def run(self, case: Case, dtype: Any = None) -> Trajectory:
        """Compute what an implementation that makes this mistake shows, in the numbers of the case.

        Where the mistake cannot be made, that is the plain recurrence.
        """
        changed = self(case)
        if changed is None:
            return reference(case, case.spec.dtype if dtype is None else dtype)
        if dtype is None:
            dtype = case.spec.dtype
            if self.precision is not None and self.precision.name == "float16":
                dtype = np.float16
        shown = reference(changed, dtype)
        if self.precision is not None and dtype != np.float16:
            shown = _coarse(changed, self.precision)
        if self.head_only:
            shown = Trajectory(shown.outputs, reference(case, dtype).states)
        return shown

    def __str__(self) -> str:
        return self.name


def _same(a: Case, b: Case) -> bool:
    if a.spec != b.spec or a.x.shape != b.x.shape:
        return False
    for name in ("x", "Wx", "Wh", "bh", "Wo", "bo"):
        if not np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True):
            return False
    zeros = np.zeros((a.N, a.M))
    if not np.array_equal(zeros if a.h0 is None else a.h0, zeros if b.h0 is None else b.h0):
        return False
    full = np.ones((a.N, a.T), bool)
    return np.array_equal(full if a.mask is None else a.mask, full if b.mask is None else b.mask)


CATALOGUE: list[Mistake] = []


def _mistake(group: str, name: str, says: str, how: str, **more: Any) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        CATALOGUE.append(Mistake(name, says, how, change, group, **more))
        return change

    return register


def by_name(name: str) -> Mistake:
    """Look a mistake up.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    for mistake in CATALOGUE:
        if mistake.name == name:
            return mistake
    raise ValueError(f"no mistake is called {name!r}; the catalogue has {', '.join(map(str, CATALOGUE))}")


# ---------------------------------------------------------------------------------------------------------- weights


@_mistake(
    "weights",
    "Wh-transposed",
    "with `Wh` transposed",
    "`Wh @ h` on column vectors without transposing, a row-major kernel read by a column-major library, or PyTorch's "
    "`weight_hh` (which is kept transposed) copied as it is",
)
def _(case: Case) -> Case | None:
    return case.replace(Wh=case.Wh.T)


@_mistake(
    "weights",
    "Wx-memory-order",
    "with `Wx` read in the other memory order (for D = M that is transposed)",
    "a buffer written row by row (C) and read column by column (Fortran, Eigen, MATLAB), or PyTorch's `weight_ih`",
)
def _(case: Case) -> Case | None:
    return case.replace(Wx=case.Wx.reshape(case.M, case.D).T)


@_mistake(
    "weights",
    "Wx-and-Wh-swapped",
    "with `Wx` and `Wh` exchanged",
    "weights loaded by position from a list in another order; only possible where D = M",
)
def _(case: Case) -> Case | None:
    return case.replace(Wx=case.Wh, Wh=case.Wx) if case.D == case.M else None


def permuted(a: Array, axis: int, how: str) -> Array:
    """Reverse an axis, or roll it by one either way."""
    return np.flip(a, axis) if how == "reversed" else np.roll(a, 1 if how == "rolled" else -1, axis)


def _register_permutations() -> None:
    for how in ("reversed", "rolled", "rolled back"):
        for name, axis, what in (
            ("Wx", 1, "the units of `Wx` (columns)"),
            ("Wx", 0, "the features of `Wx` (rows)"),
            ("Wh", 1, "the units of `Wh` (columns)"),
            ("Wh", 0, "the previous units of `Wh` (rows)"),
            ("bh", 0, "the units of `bh`"),
            ("Wo", 0, "the units of `Wo` (rows)"),
            ("Wo", 1, "the outputs of `Wo` (columns)"),
            ("bo", 0, "the outputs of `bo`"),
        ):
            side = "" if name.startswith("b") else ("-columns" if axis else "-rows")

            def change(case: Case, name: str = name, axis: int = axis, how: str = how) -> Case:
                return case.replace(**{name: permuted(getattr(case, name), axis, how)})

            _mistake(
                "head" if name.endswith("o") else "weights",
                f"{name}{side}-{how.replace(' ', '-')}",
                f"with {what} {how}" + ("" if how == "reversed" else " by one"),
                "units or features kept in another order, or a loop that starts one too far",
                head_only=name.endswith("o"),
            )(change)


_register_permutations()


def _register_signs() -> None:
    for name in ("Wx", "Wh", "bh"):

        def change(case: Case, name: str = name) -> Case:
            return case.replace(**{name: -getattr(case, name)})

        _mistake(
            "weights" if name != "bh" else "bias",
            f"{name}-negated",
            f"with the sign of `{name}` turned",
            "a minus where a plus belongs",
        )(change)


_register_signs()


def _all_weights(case: Case, change: Callable[[Array], Array]) -> Case:
    with np.errstate(all="ignore"):
        return case.replace(**{name: change(getattr(case, name)) for name in ("Wx", "Wh", "bh", "Wo", "bo")})


def to_int8(a: Array) -> Array:
    """Round to 255 equal steps over the array's range, as symmetric per-tensor int8 quantisation does."""
    scale = np.abs(a).max(initial=0.0) / 127
    return np.round(a / scale) * scale if scale else a


def _register_roundings() -> None:
    for short, says, how, change in (
        ("float16", "float16", "weights exported in half precision", lambda a: a.astype(np.float16)),
        ("bfloat16", "bfloat16", "weights exported in bfloat16", to_bfloat16),
        ("int8", "int8 (per tensor)", "weights quantised, and the port declared as float32", to_int8),
        ("6-decimals", "6 decimals", "weights printed with `%f` into a header file", lambda a: a.round(6)),
        ("5-decimals", "5 decimals", "weights printed with `%.5f`", lambda a: a.round(5)),
        ("4-decimals", "4 decimals", "weights printed with `%.4f`", lambda a: a.round(4)),
        ("3-decimals", "3 decimals", "weights printed with `%.3f`", lambda a: a.round(3)),
        ("8-fraction-bits", "multiples of 2^-8", "Q8.8 fixed point", lambda a: np.round(a * 2**8) / 2**8),
        ("12-fraction-bits", "multiples of 2^-12", "Q4.12 fixed point", lambda a: np.round(a * 2**12) / 2**12),
        ("15-fraction-bits", "multiples of 2^-15", "Q1.15 fixed point", lambda a: np.round(a * 2**15) / 2**15),
        ("integers", "whole numbers", "weights in an integer array, or an integer division", np.trunc),
    ):

        def rounding(case: Case, change: Callable[[Array], Array] = change) -> Case:
            return _all_weights(case, change)

        _mistake("numbers", f"weights-to-{short}", f"with its weights rounded to {says}", how)(rounding)


@_mistake(
    "weights",
    "byte-order",
    "with its weights read in the other byte order",
    "a file of floats moved between big- and little-endian machines",
)
def _(case: Case) -> Case | None:
    return _all_weights(case, lambda a: a.byteswap())


# ------------------------------------------------------------------------------------------------------------- bias


@_mistake("bias", "bh-dropped", "without the bias `bh`", "forgotten; unseen while biases are Keras's initial zeros")
def _(case: Case) -> Case | None:
    return case.replace(bh=np.zeros_like(case.bh))


@_mistake(
    "bias",
    "bh-doubled",
    "with the bias `bh` counted twice",
    "two biases, as PyTorch's `b_ih` and `b_hh`, both loaded with Keras's one",
)
def _(case: Case) -> Case | None:
    return case.replace(bh=2 * case.bh)


@_mistake(
    "bias",
    "bh-and-bo-swapped",
    "with `bh` and `bo` exchanged",
    "weights loaded by position from a list in another order; only possible where M = K",
)
def _(case: Case) -> Case | None:
    return case.replace(bh=case.bo, bo=case.bh) if case.M == case.K else None


@_mistake(
    "bias",
    "bias-of-first-unit",
    "with the first unit's bias in every unit",
    "a scalar broadcast, or a pointer that is not advanced",
)
def _(case: Case) -> Case | None:
    return case.replace(bh=np.full_like(case.bh, case.bh[0]))


class WrongCell(SimpleRNN):
    """A cell whose step is wrong."""


class BiasAfterActivation(WrongCell):
    """``h = act(x Wx + h Wh) + bh``."""

    name = "SimpleRNN (bias after the activation)"

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        return act(x @ w.Wx + h @ w.Wh) + w.bh


class Multiplied(WrongCell):
    """``h = act((x Wx) * (h Wh) + bh)``."""

    name = "SimpleRNN (terms multiplied)"

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        return act((x @ w.Wx) * (h @ w.Wh) + w.bh)


class InputNotActivated(WrongCell):
    """``h = x Wx + act(h Wh + bh)``: the parenthesis closed too early."""

    name = "SimpleRNN (input outside the activation)"

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        return x @ w.Wx + act(h @ w.Wh + w.bh)


class RecurrenceNotActivated(WrongCell):
    """``h = act(x Wx + bh) + h Wh``: the recurrent term outside the activation."""

    name = "SimpleRNN (recurrent term outside the activation)"

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        return act(x @ w.Wx + w.bh) + h @ w.Wh


class Unactivated(WrongCell):
    """The state before activation is carried on; only the head sees the activated one."""

    name = "SimpleRNN (state carried before the activation)"

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        return self.preactivation(x, h, w)

    def readout(self, h: Any, act: Activation) -> Any:
        return act(h)


class InPlace(WrongCell):
    """The state is overwritten unit by unit while it is still being read."""

    name = "SimpleRNN (state overwritten while it is read)"

    def step(self, x: Any, h: Any, w: CellWeights, act: Activation) -> Any:
        M = w.Wh.shape[0] if isinstance(w.Wh, np.ndarray) else w.Wh.value.shape[0]
        for unit in range(M):
            h = choose(np.arange(M) == unit, act(self.preactivation(x, h, w)), h)
        return h


def _register_cells() -> None:
    for cell, group, name, says, how in (
        (
            BiasAfterActivation,
            "bias",
            "bh-after-activation",
            "with the bias `bh` added after the activation",
            "a parenthesis closed too early",
        ),
        (
            Multiplied,
            "recurrence",
            "terms-multiplied",
            "with the recurrent term multiplied where it is added",
            "`*` for `+`",
        ),
        (
            InputNotActivated,
            "recurrence",
            "input-outside-activation",
            "with the input term added after the activation",
            "a parenthesis closed too early",
        ),
        (
            RecurrenceNotActivated,
            "recurrence",
            "recurrence-outside-activation",
            "with the recurrent term added after the activation",
            "a parenthesis closed too early",
        ),
        (
            Unactivated,
            "recurrence",
            "state-before-activation",
            "with the state carried on before the activation",
            "the pre-activation is stored as the state and the activation applied for the head only",
        ),
        (
            InPlace,
            "recurrence",
            "state-overwritten",
            "with the state overwritten while it is still being read",
            "one buffer for old and new state: unit 1 already sees the new unit 0",
        ),
    ):

        def change(case: Case, cell: type[WrongCell] = cell) -> Case | None:
            return case.replace(spec=case.spec.replace(cell=cell()))

        _mistake(group, name, says, how)(change)


_register_cells()


# ------------------------------------------------------------------------------------------------------- recurrence


@_mistake(
    "recurrence",
    "recurrent-term-dropped",
    "without the recurrent term `h Wh` (or with a state that is reset at every step)",
    "a state that is never written back, or a Dense layer where the RNN should be",
)
def _(case: Case) -> Case | None:
    return case.replace(Wh=np.zeros_like(case.Wh))


@_mistake(
    "recurrence",
    "input-term-dropped",
    "without the input term `x Wx`",
    "an input buffer that is never filled",
)
def _(case: Case) -> Case | None:
    return case.replace(Wx=np.zeros_like(case.Wx))


@_mistake(
    "recurrence",
    "Wh-diagonal-only",
    "with only the diagonal of `Wh`",
    "`h * Wh` elementwise where a matrix product belongs",
)
def _(case: Case) -> Case | None:
    return case.replace(Wh=np.diag(np.diag(case.Wh)))


@_mistake(
    "recurrence",
    "state-not-weighted",
    "with `h` added without its weights `Wh`",
    "`tanh(x Wx + h + bh)`",
)
def _(case: Case) -> Case | None:
    return case.replace(Wh=np.eye(case.M))


@_mistake(
    "recurrence",
    "previous-input-for-state",
    "with the previous input in the place of the previous state",
    "the wrong variable kept from the last turn of the loop; only possible where D = M",
)
def _(case: Case) -> Case | None:
    if case.D != case.M:
        return None
    before = np.concatenate([np.zeros_like(case.x[:, :1]), case.x[:, :-1]], axis=1)
    return case.replace(
        spec=case.spec.replace(D=2 * case.D),
        x=np.concatenate([case.x, before], axis=2),
        Wx=np.concatenate([case.Wx, case.Wh]),
        Wh=np.zeros_like(case.Wh),
    )


# ------------------------------------------------------------------------------------------------------------- time


def _mask(case: Case) -> Array:
    return np.ones((case.N, case.T), bool) if case.mask is None else case.mask.copy()


@_mistake(
    "time",
    "time-reversed",
    "with time reversed",
    "`go_backwards` left on, or a buffer that is read from its end",
)
def _(case: Case) -> Case | None:
    return case.replace(x=case.x[:, ::-1])


@_mistake(
    "time",
    "first-step-skipped",
    "with the first step skipped",
    "a loop that starts at 1, or a state that is initialised from the first step's place",
)
def _(case: Case) -> Case | None:
    mask = _mask(case)
    mask[:, 0] = False
    return case.replace(mask=mask)


@_mistake("time", "last-step-skipped", "with the last step skipped", "a loop that ends one too early (`< T - 1`)")
def _(case: Case) -> Case | None:
    mask = _mask(case)
    mask[:, -1] = False
    return case.replace(mask=mask)


@_mistake(
    "time",
    "one-step-late",
    "one step late (each step shows what the step before should)",
    "outputs or states stored before the update, or a delay line",
)
def _(case: Case) -> Case | None:
    mask = _mask(case)
    mask[:, 0] = False
    return case.replace(x=np.roll(case.x, 1, axis=1), mask=mask)


@_mistake(
    "time",
    "one-step-ahead",
    "with the inputs one step ahead (the last one repeated)",
    "an index off by one",
)
def _(case: Case) -> Case | None:
    return case.replace(x=np.concatenate([case.x[:, 1:], case.x[:, -1:]], axis=1))


@_mistake(
    "time",
    "input-one-step-behind",
    "with the inputs one step behind (zeros first)",
    "the input buffer is filled after the step instead of before",
)
def _(case: Case) -> Case | None:
    return case.replace(x=np.concatenate([np.zeros_like(case.x[:, :1]), case.x[:, :-1]], axis=1))


@_mistake(
    "time",
    "first-input-repeated",
    "with the first step's input at every step",
    "the input pointer is not advanced",
)
def _(case: Case) -> Case | None:
    return case.replace(x=np.repeat(case.x[:, :1], case.T, axis=1))


@_mistake(
    "time",
    "N-and-T-swapped",
    "with samples and steps exchanged in memory (time-major read of batch-major data)",
    "`batch_first` forgotten",
)
def _(case: Case) -> Case | None:
    return case.replace(x=case.x.reshape(case.T, case.N, case.D).swapaxes(0, 1))


@_mistake(
    "time",
    "stride-wrong",
    "with steps and features exchanged in memory",
    "the stride of a step taken as T instead of D, or channels-first data",
)
def _(case: Case) -> Case | None:
    return case.replace(x=case.x.reshape(case.N, case.D, case.T).swapaxes(1, 2))


# ------------------------------------------------------------------------------------------------------------ state


def _state(case: Case) -> Array:
    return np.zeros((case.N, case.M)) if case.h0 is None else case.h0.astype(np.float64)


@_mistake("state", "starts-at-one", "starting from a state of ones", "a buffer filled with the wrong value")
def _(case: Case) -> Case | None:
    return case.replace(h0=np.ones((case.N, case.M)))


@_mistake("state", "starts-at-bias", "starting from the bias as its state", "buffers in the wrong order")
def _(case: Case) -> Case | None:
    return case.replace(h0=np.broadcast_to(case.bh, (case.N, case.M)))


@_mistake(
    "state",
    "starts-at-activated-bias",
    "with one step too many before the first (an empty input)",
    "a warm-up step, or a padding step that is not masked",
)
def _(case: Case) -> Case | None:
    with np.errstate(all="ignore"):
        w = CellWeights(*(a.astype(np.float64) for a in case.cell_weights))
        h = case.spec.cell.step(np.zeros((case.N, case.D)), _state(case), w, case.spec.activation)
    return case.replace(h0=h) if np.isfinite(h).all() else None


@_mistake(
    "state",
    "leaks-between-samples",
    "with each sample starting from the last state of the sample before",
    "the state is reset once, not for every sample; unseen with one sample a batch",
)
def _(case: Case) -> Case | None:
    if case.N < 2:
        return None
    h0 = _state(case)
    for n in range(1, case.N):
        one = case.replace(
            x=case.x[n - 1 : n], h0=h0[n - 1 : n], mask=None if case.mask is None else case.mask[n - 1 : n]
        )
        h0[n] = reference(one, case.spec.dtype).states[0, -1]
    return case.replace(h0=h0) if np.isfinite(h0).all() else None


@_mistake(
    "state",
    "first-sample-only",
    "with the first sample's inputs in every sample",
    "the batch index is left out, or the sample stride is 0",
)
def _(case: Case) -> Case | None:
    return case.replace(x=np.repeat(case.x[:1], case.N, axis=0))


# ------------------------------------------------------------------------------------------------------- activation


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


def _old_hard_sigmoid(a: Array) -> Array:
    value: Array = np.clip(0.2 * a + 0.5, 0.0, 1.0)
    return value


#: Other functions that go by the same name: name of the mistake -> name, other function, how people come by it.
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
        Activation("clip(0.2 a + 0.5, 0, 1)", _old_hard_sigmoid),
        "Keras 2's and ONNX's function of that name; Keras 3's and PyTorch's has a slope of 1/6",
    ),
}


def _register_activations() -> None:
    for name, (activation, namesake, how) in NAMESAKES.items():

        def of_that_name(case: Case, activation: str = activation, namesake: Activation = namesake) -> Case | None:
            spec = case.spec
            return case.replace(spec=spec.replace(activation=namesake)) if spec.activation.name == activation else None

        _mistake("activation", name, f"with another function for `{activation}`: {namesake.name}", how)(of_that_name)
    for other in ("linear", "relu", "sigmoid", "tanh", "softsign", "hard_tanh", "hard_sigmoid", "elu", "leaky_relu"):
        forgotten = other == "linear"

        def another(case: Case, other: str = other) -> Case | None:
            return case.replace(spec=case.spec.replace(activation=other))

        _mistake(
            "activation",
            "activation-forgotten" if forgotten else f"activation-{other}",
            "without its activation" if forgotten else f"with `{other}` as its activation",
            "forgotten" if forgotten else "another framework's default, or a cheaper function",
        )(another)
    for name, (fast, how) in FAST_TANH.items():

        def approximated(case: Case, fast: Activation = fast) -> Case | None:
            spec = case.spec
            return case.replace(spec=spec.replace(activation=fast)) if spec.activation.name == "tanh" else None

        _mistake("activation", f"fast-tanh-{name}", f"with a fast tanh: {fast.name}", how)(approximated)


_register_activations()


@_mistake(
    "activation",
    "activation-twice",
    "with its activation applied twice",
    "an activation in the layer and another behind it",
)
def _(case: Case) -> Case | None:
    f = case.spec.activation
    grid = np.linspace(-8, 8, 65)
    if f.turns or f.per_term or np.array_equal(f(f(grid)), f(grid)):  # where that would turn is not known; relu
        return None
    twice = Activation(f"{f.name} twice", lambda a: f.function(f.function(a)))
    return case.replace(spec=case.spec.replace(activation=twice))


@_mistake(
    "activation",
    "activation-on-head",
    "with the recurrent activation applied to the head as well",
    "one activation for all layers",
    head_only=True,
)
def _(case: Case) -> Case | None:
    return case.replace(spec=case.spec.replace(head_activation=case.spec.activation))


# ------------------------------------------------------------------------------------------------------------- head


@_mistake("head", "bo-dropped", "without the bias `bo` of the head", "forgotten", head_only=True)
def _(case: Case) -> Case | None:
    return case.replace(bo=np.zeros_like(case.bo))


@_mistake("head", "bo-doubled", "with the bias `bo` of the head counted twice", "added twice", head_only=True)
def _(case: Case) -> Case | None:
    return case.replace(bo=2 * case.bo)


@_mistake(
    "head",
    "Wo-memory-order",
    "with `Wo` read in the other memory order (for K = M that is transposed)",
    "a buffer written row by row and read column by column, or PyTorch's `Linear.weight`",
    head_only=True,
)
def _(case: Case) -> Case | None:
    return case.replace(Wo=case.Wo.reshape(case.K, case.M).T)


@_mistake(
    "head", "Wo-dropped", "without the weights `Wo` of the head (only its bias)", "a product left out", head_only=True
)
def _(case: Case) -> Case | None:
    return case.replace(Wo=np.zeros_like(case.Wo))


@_mistake(
    "head",
    "head-dropped",
    "without the head (the states are returned)",
    "the layer's output taken for the model's; only possible where K = M",
    head_only=True,
)
def _(case: Case) -> Case | None:
    return case.with_identity_head() if case.K == case.M else None


@_mistake(
    "head",
    "head-of-previous-step",
    "with the head applied to the state of the step before",
    "the head computed before the state is updated",
    head_only=True,
)
def _(case: Case) -> Case | None:
    mask = _mask(case)
    mask[:, 0] = False
    return case.replace(x=np.roll(case.x, 1, axis=1), mask=mask)


# ---------------------------------------------------------------------------------------------------------- numbers


def rounded(f: Activation, name: str, rounding: Callable[[Array], Array]) -> Activation:
    """Return the activation with its value rounded: the state is kept in fewer bits."""
    return replace(f, name=f"{f.name} in {name}", function=lambda a: rounding(f.function(a)), slope=None)


def _float16(a: Array) -> Array:
    return a.astype(np.float16).astype(a.dtype)


def _bfloat16(a: Array) -> Array:
    return to_bfloat16(a.astype(np.float32)).astype(a.dtype)


#: Arithmetics whose results can be told by their digits, the coarsest first: numbers that survive the rounding.
KEPT_IN: dict[str, Callable[[Array], Array]] = {"bfloat16": _bfloat16, "float16": _float16}


def _register_state_roundings() -> None:
    for short, rounding in (
        ("float16", _float16),
        ("bfloat16", _bfloat16),
        ("Q15", lambda a: np.round(a * 2**15) / 2**15),
        ("Q12", lambda a: np.round(a * 2**12) / 2**12),
        ("Q8", lambda a: np.round(a * 2**8) / 2**8),
        ("Q7", lambda a: np.round(a * 2**7) / 2**7),
    ):

        def change(case: Case, short: str = short, rounding: Callable[[Array], Array] = rounding) -> Case | None:
            spec = case.spec
            return case.replace(spec=spec.replace(activation=rounded(spec.activation, short, rounding)))

        fixed = short.startswith("Q")
        _mistake(
            "numbers",
            f"state-in-{short}",
            f"with its state rounded to {short if not fixed else f'multiples of 2^-{short[1:]}'} at every step",
            "a fixed-point state" if fixed else "the state is kept in half precision",
        )(change)


_register_roundings()
_register_state_roundings()


@_mistake("numbers", "inputs-to-float16", "with its inputs rounded to float16", "inputs sent in half precision")
def _(case: Case) -> Case | None:
    return case.replace(x=_float16(case.x))


@_mistake("numbers", "inputs-to-integers", "with its inputs cut to whole numbers", "inputs in an integer array")
def _(case: Case) -> Case | None:
    return case.replace(x=np.trunc(case.x))


@_mistake(
    "numbers",
    "inputs-clipped",
    "with its inputs clipped to [-1, 1]",
    "a fixed-point input, or a normalisation that is not part of the model",
)
def _(case: Case) -> Case | None:
    return case.replace(x=np.clip(case.x, -1, 1))


@_mistake(
    "numbers",
    "NaN-swallowed",
    "with NaN inputs taken as zeros",
    "`fmax`, `clip` or `nan_to_num` on the way: NaN goes in and a number comes out",
)
def _(case: Case) -> Case | None:
    return case.replace(x=np.nan_to_num(case.x, nan=0.0, posinf=np.inf, neginf=-np.inf))


@_mistake(
    "numbers",
    "flushed-to-zero",
    "with subnormal numbers taken as zeros",
    "a fast-math flag; only a mistake for an implementation that promises gradual underflow",
)
def _(case: Case) -> Case | None:
    tiny = np.finfo(case.spec.dtype).tiny
    flushed = _all_weights(case, lambda a: np.where(np.abs(a) < tiny, a * 0, a))
    return flushed.replace(x=np.where(np.abs(case.x) < tiny, case.x * 0, case.x))


def _register_arithmetics() -> None:
    for precision, how in (
        (Precision.bfloat16, "a mixed-precision policy, or a fast-math mode of the matrix library"),
        (Precision.float16, "a model converted to half precision"),
        (Precision.tf32, "tensor cores, which round the factors of float32 products to 11 bits by default"),
    ):
        _mistake(
            "numbers",
            f"computed-in-{precision.name}",
            f"computed in {precision.name}",
            how,
            precision=precision,
        )(lambda case: case if case.spec.dtype == "float32" else None)


def _coarse(case: Case, precision: Precision) -> Trajectory:
    """Run the recurrence in an arithmetic that NumPy does not have, by rounding its factors."""
    to = to_bfloat16 if precision.name == "bfloat16" else to_tf32
    store = precision.name == "bfloat16"
    coarse = _all_weights(case, to).replace(x=to(case.x))
    f = case.spec.activation
    state = rounded(f, precision.name, to)
    if store:
        shown = reference(coarse.replace(spec=case.spec.replace(activation=state)), np.float32)
        return Trajectory(to(shown.outputs), shown.states)
    h = _state(case).astype(np.float32)
    states = np.empty((case.N, case.T, case.M), np.float32)
    with np.errstate(all="ignore"):
        for t in range(case.T):
            new = f(coarse.x[:, t] @ coarse.Wx + to(h) @ coarse.Wh + case.bh)
            h = new if case.mask is None else np.where(case.mask[:, t, None], new, h)
            states[:, t] = h
        mask = np.ones(states.shape[:2], bool) if case.mask is None else case.mask
        return Trajectory(to(layer_output(mask, states)) @ coarse.Wo + case.bo, states)


def to_tf32(a: Array) -> Array:
    """Round to 11 bits with float32's range, ties to even; NaN and infinities stay."""
    bits = np.asarray(a, np.float32).view(np.uint32)
    rounded_bits = bits + (0x0FFF + ((bits >> 13) & 1)).astype(np.uint32)
    result = (rounded_bits & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isfinite(a), result, a).astype(a.dtype)


_register_arithmetics()
