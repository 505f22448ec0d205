"""Mistakes in cells with gates: their order, their functions, their biases, and the states that they act on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation, activation
from ..cells import Cell, GRUCell, LSTMCell, has_name
from ..cells.cell import CellWeights
from ..model.call import Call
from ..model.case import Case
from ..model.layouts import ORDERS
from .activations import NAMESAKES
from .mistake import Recurrence, in_case, in_recurrence

__all__ = ["GATES"]

Array = npt.NDArray[Any]
Act = Callable[[Any], Any]

#: What the gates are called.
GATES = {
    "i": "the input gate",
    "f": "the forget gate",
    "c": "the candidate of the cell state",
    "o": "the output gate",
    "z": "the update gate",
    "r": "the reset gate",
    "h": "the candidate of the state",
}


# ---- their order ----


def _in_order(r: Recurrence, order: Sequence[str]) -> Recurrence | None:
    """Take the blocks of the weights for the gates in another order."""
    gates = r.cell.gates
    if sorted(order) != sorted(gates) or len(gates) < 2:
        return None
    columns = np.concatenate([np.arange(r.M) + order.index(gate) * r.M for gate in gates])
    return r.map(lambda a: a[..., columns])


def _register_orders() -> None:
    for name, order, whose in (
        ("ONNX", ORDERS["ONNX"]["LSTM"], "ONNX's order"),
        ("TensorFlow-1", ORDERS["TensorFlow 1"]["LSTM"], "TensorFlow 1's `BasicLSTMCell` (i, j, f, o), and CNTK's"),
        ("Core-ML", ORDERS["Core ML"]["LSTM"], "Core ML's and DL4J's order"),
        ("PyTorch-GRU", ORDERS["PyTorch"]["GRU"], "PyTorch's and cuDNN's order of a GRU (r, z, n)"),
    ):

        def change(r: Recurrence, order: tuple[str, ...] = order) -> Recurrence | None:
            return _in_order(r, order)

        says = f"with its gates taken for {', '.join(order)}"
        in_recurrence("gates", f"gates-of-{name}", says, f"weights copied without reordering: {whose}")(change)
    for cell in (LSTMCell, GRUCell):
        for a, b in combinations(cell.gates, 2):
            if (a, b) in (("f", "c"), ("c", "o"), ("z", "r")):  # these are orders that have a name
                continue

            def exchanged(r: Recurrence, a: str = a, b: str = b, cell: type[Cell] = cell) -> Recurrence | None:
                swap = {a: b, b: a}
                order = [swap.get(gate, gate) for gate in cell.gates]
                return _in_order(r, order) if has_name(r.cell, cell.name) else None

            in_recurrence(
                "gates",
                f"gates-{a}-and-{b}-exchanged",
                f"with {GATES[a]} and {GATES[b]} exchanged",
                "another framework's order of gates",
            )(exchanged)


_register_orders()


@in_recurrence(
    "gates",
    "gates-side-by-side",
    "with the gates of each unit side by side in its weights",
    "a kernel read as (units, gates), where it is (gates, units): `reshape(D, M, 4)` or `a[4*j + gate]`",
)
def _(r: Recurrence) -> Recurrence | None:
    gates = len(r.cell.gates)
    columns = np.arange(gates * r.M).reshape(r.M, gates).T.ravel()
    return r.map(lambda a: a[..., columns]) if min(gates, r.M) > 1 else None


# ---- their weights, gate by gate ----


def _in_gate(r: Recurrence, gate: str, change: Callable[[Array], Array], *names: str) -> Recurrence | None:
    """Change the block of one gate in some of the weights."""
    if gate not in r.cell.gates or len(r.cell.gates) < 2:
        return None
    own = r.cell.gates.index(gate)
    block = slice(own * r.M, (own + 1) * r.M)
    changed = {}
    for name in names:
        weight = getattr(r, name).copy()
        new = change(weight[..., block])
        if new.shape != weight[..., block].shape:  # transposed, of a projection
            return None
        weight[..., block] = new
        changed[name] = weight
    return r.replace(**changed)


def _register_gates() -> None:
    for gate, what in GATES.items():
        for name, says, cause, change, weights in (
            ("Wh-transposed", f"with `Wh` of {what} transposed", "one matrix for each gate, one of them transposed",
             np.transpose, ("Wh",)),
            ("bias-dropped", f"without the bias of {what}", "a bias that is forgotten for one gate",
             np.zeros_like, ("bh",)),
            ("dropped", f"without the weights of {what}", "a block that is not loaded", np.zeros_like,
             ("Wx", "Wh", "bh")),
            ("negated", f"with the sign of {what} turned", "`1 - gate` for `gate`, or a minus where a plus belongs",
             np.negative, ("Wx", "Wh", "bh")),
        ):  # fmt: skip
            if (gate, name) == ("z", "negated"):  # 1 - z for z, which has a name
                continue

            def made(
                r: Recurrence, gate: str = gate, change: Any = change, weights: tuple[str, ...] = weights
            ) -> Recurrence | None:
                return _in_gate(r, gate, change, *weights)

            in_recurrence("gates", f"gate-{gate}-{name}", says, cause)(made)


_register_gates()


@in_recurrence(
    "gates",
    "forget-bias-added",
    "with 1 added to the bias of the forget gate",
    "`forget_bias=1` of TensorFlow 1, added when it runs, on weights that have it already",
)
def _(r: Recurrence) -> Recurrence | None:
    return _in_gate(r, "f", lambda b: b + 1, "bh")


@in_recurrence(
    "gates",
    "forget-bias-left-out",
    "with 1 taken from the bias of the forget gate",
    "weights of TensorFlow 1, whose `forget_bias` is no part of them",
)
def _(r: Recurrence) -> Recurrence | None:
    return _in_gate(r, "f", lambda b: b - 1, "bh")


# ---- the functions of the gates ----


def _with_gates_by(r: Recurrence, function: Activation) -> Recurrence | None:
    if not hasattr(r.cell, "recurrent_activation") or r.cell.recurrent_activation == function:
        return None
    return r.replace(cell=type(r.cell)(**vars(r.cell) | {"recurrent_activation": function}))


def _register_functions() -> None:
    for name, function, cause in (
        ("hard_sigmoid", activation("hard_sigmoid"), "Keras 3's hard sigmoid, for speed"),
        ("hard_sigmoid-of-Keras-2", NAMESAKES["hard_sigmoid-of-Keras-2"][1], "the default of Keras 1 and 2"),
        ("sigmoid", activation("sigmoid"), "the default of Keras 3; that of Keras 1 and 2 was the hard one"),
        ("tanh", activation("tanh"), "one activation for all gates"),
        ("linear", activation("linear"), "forgotten"),
    ):  # fmt: skip

        def change(r: Recurrence, function: Activation = function) -> Recurrence | None:
            return _with_gates_by(r, function)

        says = f"with `{function.name}` for its gates"
        in_recurrence("gates", f"recurrent-activation-{name}", says, cause)(change)


_register_functions()


# ---- LSTM: the cell state ----


class OutputNotActivated(LSTMCell):
    """``h = o c``: the activation of the cell state left out."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        c = gate(f) * c + gate(i) * act(g)
        return out(c) * c, c


class CandidateNotActivated(LSTMCell):
    """``c = f c + i g`` with the candidate as it is."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        c = gate(f) * c + gate(i) * g
        return out(c) * act(c), c


class OldCellState(LSTMCell):
    """``h_t = o_t act(c_{t-1})``: the output is made before the cell state is updated."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        return out(c) * act(c), gate(f) * c + gate(i) * act(g)


class CoupledGates(LSTMCell):
    """``i = 1 - f``: the input gate coupled to the forget gate."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        kept = gate(f)
        c = kept * c + (1 - kept) * act(g)
        return out(c) * act(c), c


class ForgetsNothing(LSTMCell):
    """``c = c + i g``: the first LSTM of 1997, without a forget gate."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        c = c + gate(i) * act(g)
        return out(c) * act(c), c


class CellStateForgotten(LSTMCell):
    """The cell state is zeros before every step."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        c = gate(i) * act(g)
        return out(c) * act(c), c


class StateKept(LSTMCell):
    """``c_t = f h_{t-1} + i g``: the state is what is kept, and there is no cell state."""

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        h, _ = states
        return super().step(x, (h, h), w, activation)


class CellStateOut(LSTMCell):
    """The cell state is put out, and goes into the next step, in the place of the state."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        c = gate(f) * c + gate(i) * act(g)
        return c, c


class CellStateClipped(LSTMCell):
    """The cell state clipped to [-1, 1]."""

    def update(self, act: Act, c: Any, i: Any, f: Any, g: Any, out: Act) -> tuple[Any, ...]:
        gate = self.gate
        c = CLIP(gate(f) * c + gate(i) * act(g))
        return out(c) * act(c), c


CLIP = activation("hard_tanh")


# ---- GRU ----


class UpdateTurned(GRUCell):
    """``h_t = (1 - z) h_{t-1} + z candidate``, as in the first paper."""

    def update(self, h: Any, z: Any, candidate: Any) -> Any:
        return (1 - z) * h + z * candidate


class ResetBefore(GRUCell):
    """The reset gate applied to the state before the product, with the biases of a layer that applies it after."""

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        gate = self.gate
        (Wz, Wr, Wh), (bz, br, bh) = self.split(w.Wh), self.split(w.bh[1])
        xz, xr, xh = self.split(x @ w.Wx + w.bh[0])
        z, r = gate(xz + h @ Wz + bz), gate(xr + h @ Wr + br)
        return (z * h + (1 - z) * self.applied(activation)(xh + (r * h) @ Wh + bh),)


class ResetAfter(GRUCell):
    """The reset gate applied after the product, in a layer that applies it before."""

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        gate = self.gate
        (xz, xr, xh), (hz, hr, hh) = self.split(x @ w.Wx + w.bh), self.split(h @ w.Wh)
        z = gate(xz + hz)
        return (z * h + (1 - z) * self.applied(activation)(xh + gate(xr + hr) * hh),)


class NoReset(GRUCell):
    """The reset gate left out."""

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        two = self.reset_after
        (xz, _, xh), (hz, _, hh) = self.split(x @ w.Wx + (w.bh[0] if two else w.bh)), self.split(h @ w.Wh)
        if two:
            bz, _, bh = self.split(w.bh[1])
            hz, hh = hz + bz, hh + bh
        z = self.gate(xz + hz)
        return (z * h + (1 - z) * self.applied(activation)(xh + hh),)


class ResetOutside(GRUCell):
    """The reset gate applied to the candidate."""

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        (h,) = states
        gate, two = self.gate, self.reset_after
        a, b = x @ w.Wx + (w.bh[0] if two else w.bh), h @ w.Wh
        (xz, xr, xh), (hz, hr, hh) = self.split(a), self.split(b + w.bh[1] if two else b)
        z = gate(xz + hz)
        return (z * h + (1 - z) * (gate(xr + hr) * self.applied(activation)(xh + hh)),)


def _register_cells() -> None:
    both, unprojected = (lambda cell: True), (lambda cell: not cell.projection)
    after, before = (lambda cell: cell.reset_after), (lambda cell: not cell.reset_after)
    for wrong, fits, name, says, cause in (
        (OutputNotActivated, both, "cell-state-not-activated", "without the activation of the cell state",
         "`h = o * c` for `h = o * tanh(c)`"),
        (CandidateNotActivated, both, "candidate-not-activated", "without the activation of the candidate",
         "`i * g` for `i * tanh(g)`"),
        (OldCellState, both, "output-of-old-cell-state", "with its output made of the cell state before the step",
         "the output computed before the cell state is updated"),
        (CoupledGates, both, "input-gate-coupled", "with `1 - f` in the place of the input gate",
         "coupled input and forget gates (CIFG)"),
        (ForgetsNothing, both, "forget-gate-left-out", "without its forget gate", "the LSTM of 1997"),
        (CellStateForgotten, both, "cell-state-not-kept", "with its cell state starting from zeros at every step",
         "`c` declared inside the loop over the steps"),
        (StateKept, unprojected, "state-in-place-of-cell-state", "with its state in the place of the cell state",
         "`h = c = zeros(...)`, one array, which is then changed in place; or one variable for both"),
        (CellStateOut, both, "cell-state-put-out", "with its cell state in the place of the state",
         "`c` returned for `h`"),
        (CellStateClipped, both, "cell-state-clipped", "with its cell state clipped to [-1, 1]",
         "`cell_clip`, or a fixed-point format without integer bits"),
        (UpdateTurned, both, "update-gate-turned", "with `1 - z` in the place of `z`",
         "papers and libraries differ in which part the update gate keeps"),
        (ResetBefore, after, "reset-before", "with the reset gate applied before the product with `Wh`",
         "the form of the first paper, and Keras 2's default: `reset_after=False`"),
        (ResetAfter, before, "reset-after", "with the reset gate applied after the product with `Wh`",
         "cuDNN's and PyTorch's form: `reset_after=True`"),
        (ResetOutside, both, "reset-outside", "with the reset gate applied to the candidate, behind its activation",
         "`r * tanh(...)`: a parenthesis closed too early"),
        (NoReset, both, "reset-gate-left-out", "without its reset gate", "a minimal gated unit"),
    ):  # fmt: skip

        def change(r: Recurrence, wrong: Any = wrong, fits: Any = fits) -> Recurrence | None:
            base = LSTMCell if issubclass(wrong, LSTMCell) else GRUCell
            if not has_name(r.cell, base.name) or not fits(r.cell):
                return None
            return r.replace(cell=wrong(**vars(r.cell)))

        in_recurrence("gates", name, says, cause)(change)


_register_cells()


# ---- two biases ----


def _biases(r: Recurrence, change: Callable[[Array, Array], tuple[Array, Array]]) -> Recurrence | None:
    """Change the two biases of a cell that has two."""
    return r.replace(bh=np.stack(change(*r.bh))) if r.bh.ndim == 2 else None


@in_recurrence(
    "gates",
    "recurrent-bias-dropped",
    "without the recurrent bias",
    "one bias read where there are two",
)
def _(r: Recurrence) -> Recurrence | None:
    return _biases(r, lambda b, c: (b, np.zeros_like(c)))


@in_recurrence(
    "gates",
    "input-bias-dropped",
    "without the bias of the inputs",
    "one bias read where there are two",
)
def _(r: Recurrence) -> Recurrence | None:
    return _biases(r, lambda b, c: (np.zeros_like(b), c))


@in_recurrence(
    "gates",
    "biases-added",
    "with the sum of its two biases on the side of the inputs",
    "two biases merged into one, which the reset gate forbids for the candidate",
)
def _(r: Recurrence) -> Recurrence | None:
    return _biases(r, lambda b, c: (b + c, np.zeros_like(c)))


@in_recurrence(
    "gates",
    "biases-exchanged",
    "with its two biases exchanged",
    "`bias_hh` before `bias_ih`",
)
def _(r: Recurrence) -> Recurrence | None:
    return _biases(r, lambda b, c: (c, b))


@in_recurrence(
    "gates",
    "candidate-recurrent-bias-dropped",
    "without the recurrent bias of the candidate",
    "`r * (h Wh)` for `r * (h Wh + b)`",
)
def _(r: Recurrence) -> Recurrence | None:
    M = r.M
    return _biases(r, lambda b, c: (b, np.concatenate([c[: 2 * M], np.zeros_like(c[2 * M :])])))


# ---- initial states ----


@in_case(
    "gates",
    "initial-states-h-and-c-exchanged",
    "with the initial states `h` and `c` exchanged",
    "states given as (c, h), as TensorFlow 1's `LSTMStateTuple` has them",
)
def _(case: Case) -> Case | None:
    order: list[int] = []
    for layer in case.spec.layers:
        for direction in layer.directions if layer.initial_state else ():
            for kind in direction.kinds:
                first = len(order)
                order += range(first, first + len(kind.states))[::-1]
    shapes = case.spec.state_shapes(1)
    if order == sorted(order) or [shapes[k] for k in order] != shapes:
        return None

    def given(call: Call) -> Call:
        return call.replace(states=tuple(call.states[k] for k in order))

    return case.map_calls(given)
