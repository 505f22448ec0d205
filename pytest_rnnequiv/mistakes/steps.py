"""Mistakes in the step of a recurrence: what is added, multiplied, activated, and when."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..arithmetic.activations import Activation
from ..arithmetic.inexact import choose
from ..cells.cell import Cell, CellWeights
from ..cells.simple_rnn import SimpleRNNCell
from ..model.case import Case
from .mistake import Mistake, Recurrence, cell_like, family, in_case, in_recurrence

__all__ = ["WrongCell"]


class WrongCell(SimpleRNNCell):
    """A cell whose step is wrong."""


class BiasAfterActivation(WrongCell):
    """``h = activation(x Wx + h Wh) + bh``."""

    name = "SimpleRNN (bias after the activation)"

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        return (self.applied(activation)(x @ w.Wx + h @ w.Wh) + w.bh,)


class Multiplied(WrongCell):
    """``h = activation((x Wx) * (h Wh) + bh)``."""

    name = "SimpleRNN (terms multiplied)"

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        return (activation((x @ w.Wx) * (h @ w.Wh) + w.bh),)


class InputNotActivated(WrongCell):
    """``h = x Wx + activation(h Wh + bh)``: the parenthesis closed too early."""

    name = "SimpleRNN (input outside the activation)"

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        return (x @ w.Wx + self.applied(activation)(h @ w.Wh + w.bh),)


class RecurrenceNotActivated(WrongCell):
    """``h = activation(x Wx + bh) + h Wh``: the recurrent term outside the activation."""

    name = "SimpleRNN (recurrent term outside the activation)"

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        return (self.applied(activation)(x @ w.Wx + w.bh) + h @ w.Wh,)


class Unactivated(WrongCell):
    """The state before activation is carried on; only the head sees the activated one."""

    name = "SimpleRNN (state carried before the activation)"

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        return (self.preactivation(x, h, w),)

    def readout(self, h: Any, activation: Activation) -> Any:
        return self.applied(activation)(h)


def _register_cells() -> None:
    for cell, name, says, cause in (
        (
            BiasAfterActivation,
            "bh-after-activation",
            "with the bias `bh` added after the activation",
            "a parenthesis closed too early",
        ),
        (
            Multiplied,
            "terms-multiplied",
            "with the recurrent term multiplied where it is added",
            "`*` for `+`",
        ),
        (
            InputNotActivated,
            "input-outside-activation",
            "with the input term added after the activation",
            "a parenthesis closed too early",
        ),
        (
            RecurrenceNotActivated,
            "recurrence-outside-activation",
            "with the recurrent term added after the activation",
            "a parenthesis closed too early",
        ),
        (
            Unactivated,
            "state-before-activation",
            "with the state carried on before the activation",
            "the pre-activation is stored as the state and the activation applied for the head only",
        ),
    ):

        def change(r: Recurrence, cell: type[WrongCell] = cell) -> Recurrence | None:
            return r.replace(cell=cell(**vars(r.cell))) if isinstance(r.cell, SimpleRNNCell) else None

        in_recurrence("recurrence", name, says, cause)(change)


_register_cells()


def _in_place(kind: type[Cell]) -> dict[str, Any]:
    """The states are overwritten unit by unit while they are still being read."""

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        for unit in range(max(state.shape[-1] for state in states)):
            new = kind.step(self, x, states, w, activation)
            pairs = zip(new, states, strict=True)
            states = tuple(choose(np.arange(old.shape[-1]) == unit, one, old) for one, old in pairs)
        return states

    return {"step": step}


@in_recurrence(
    "recurrence",
    "state-overwritten",
    "with the state overwritten while it is still being read",
    "one buffer for old and new state: unit 1 already sees the new unit 0",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(cell=cell_like(r.cell, "state overwritten while it is read", _in_place))


def _leaking(kind: type[Cell], share: float) -> dict[str, Any]:
    """A step goes only a share of the way to the new state."""

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        (h,) = states
        (new,) = kind.step(self, x, states, w, activation)
        return ((1 - share) * h + share * new,)

    return {"step": step}


def _leaky(share: float) -> Mistake:
    def change(r: Recurrence) -> Recurrence | None:
        if not isinstance(r.cell, SimpleRNNCell):
            return None
        return r.replace(cell=cell_like(r.cell, f"leaky, {share:g}", partial(_leaking, share=share)))

    name = f"state-leaky-{share:g}".replace(".", "_")
    says = f"with {1 - share:g} of the old state and {share:g} of the new one"
    cause = "a leaky integrator, as in continuous-time RNNs and echo state networks: `h += dt * (tanh(...) - h)`"
    return Mistake(name, says, cause, "recurrence", recurrence=change)


family(4, *map(_leaky, (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 0.95)))


@in_recurrence(
    "recurrence",
    "recurrent-term-dropped",
    "without the recurrent term `h Wh` (or with a state that is reset at every step)",
    "a state that is never written back, or a Dense layer where the RNN should be",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wh=np.zeros_like(r.Wh))


@in_recurrence(
    "recurrence",
    "input-term-dropped",
    "without the input term `x Wx`",
    "an input buffer that is never filled",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wx=np.zeros_like(r.Wx))


@in_recurrence(
    "recurrence",
    "Wh-diagonal-only",
    "with only the diagonal of `Wh`",
    "`h * Wh` elementwise where a matrix product belongs",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wh=r.by_gate(r.Wh, lambda Wh: np.diag(np.diag(Wh))))


@in_recurrence(
    "recurrence",
    "state-not-weighted",
    "with `h` added without its weights `Wh`",
    "`tanh(x Wx + h + bh)`",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wh=r.by_gate(r.Wh, lambda Wh: np.eye(r.M)))


def _with_more_bias(r: Recurrence, more: Any, of_state: bool) -> Any:
    """The bias of a recurrence and something more, which belongs to the state or to the inputs where there are two."""
    if r.bh.ndim == 1:
        return r.bh + more
    return r.bh + np.stack([0 * more, more] if of_state else [more, 0 * more])


@in_recurrence(
    "recurrence",
    "Wh-added-in-products",
    "with `h + Wh` for `h * Wh` in every term of the product",
    "`sum += h[i] + Wh[i][j]`: `+` for `*` in the inner loop",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wh=np.ones_like(r.Wh), bh=_with_more_bias(r, r.Wh.sum(0), of_state=True))


@in_recurrence(
    "recurrence",
    "Wx-added-in-products",
    "with `x + Wx` for `x * Wx` in every term of the product",
    "`sum += x[d] + Wx[d][j]`: `+` for `*` in the inner loop",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wx=np.ones_like(r.Wx), bh=_with_more_bias(r, r.Wx.sum(0), of_state=False))


@in_recurrence(
    "recurrence",
    "Wh-added-to-state",
    "with the state and the column sums of `Wh` added, not multiplied",
    "`h + Wh` for `h @ Wh`, summed where the shapes do not fit",
)
def _(r: Recurrence) -> Recurrence | None:
    eye = r.by_gate(r.Wh, lambda Wh: np.eye(r.M, dtype=Wh.dtype))
    return r.replace(Wh=eye, bh=_with_more_bias(r, r.Wh.sum(0), of_state=True))


@in_case(
    "recurrence",
    "previous-input-for-state",
    "with the previous input in the place of the previous state",
    "the wrong variable kept from the last turn of the loop; only possible where D = M",
)
def _(case: Case) -> Case | None:
    if not case.spec.plain or case.Wx.shape != case.Wh.shape:
        return None
    before = np.concatenate([np.zeros_like(case.x[:, :1]), case.x[:, :-1]], axis=1)
    return case.replace(
        spec=case.spec.replace(D=2 * case.D),
        x=np.concatenate([case.x, before], axis=2),
        Wx=np.concatenate([case.Wx, case.Wh]),
        Wh=np.zeros_like(case.Wh),
    )
