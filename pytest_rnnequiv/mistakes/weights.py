"""Mistakes in the weights of a recurrence: their layout, order, sign, and biases."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import choose
from ..cells.cell import Cell, CellWeights
from ..model.case import Case
from .mistake import Recurrence, cell_like, in_case, in_recurrence

__all__ = ["permuted"]

Array = npt.NDArray[Any]

#: The weights that are matrices of a product; a bias of two rows is none.
KERNELS = ("Wx", "Wh", "Wo")


def of_kernels(case: Case, change: Callable[[Array], Array]) -> Case:
    """Change all kernels of a case."""
    named = case.named_weights
    return case.with_weights(**{n: change(a) for n, a in named.items() if n.rpartition("/")[2] in KERNELS})


def other_order(a: Array) -> Array:
    """Read in Fortran's order what was written in C's."""
    read: Array = a.reshape(a.shape[::-1]).T
    return read


def laid_out_transposed(a: Array) -> Array:
    """Read in C's order, and in the same shape, what was written transposed."""
    read: Array = a.T.reshape(a.shape)
    return read


# ---- their layout, all of them alike ----


def _register_layouts() -> None:
    for name, says, cause, change in (
        (
            "kernels-memory-order",
            "with all its kernels read in the other memory order",
            "`w[out*inputs + in]` in C on what `get_weights()[i].flatten()` gave, which lies as `w[in*outputs + out]`",
            other_order,
        ),
        (
            "kernels-transposed",
            "with all its kernels transposed in memory",
            "a `state_dict` as it is: PyTorch keeps kernels as (outputs, inputs), and the port reads (inputs, outputs)",
            laid_out_transposed,
        ),
    ):

        def everywhere(case: Case, change: Callable[[Array], Array] = change) -> Case:
            return of_kernels(case, change)

        def own(r: Recurrence, change: Callable[[Array], Array] = change) -> Recurrence:
            return r.replace(Wx=change(r.Wx), Wh=change(r.Wh))

        in_case("weights", name, says, cause, recurrence=own)(everywhere)


_register_layouts()


@in_recurrence(
    "weights",
    "kernels-joined-in-other-order",
    "with one kernel for `[h, x]` that is multiplied by `[x, h]`",
    "`concat([x, h]) @ W`, with `Wh` stacked above `Wx`",
)
def _(r: Recurrence) -> Recurrence | None:
    joined = np.concatenate([r.Wh, r.Wx])
    return r.replace(Wx=joined[: r.D], Wh=joined[r.D :])


@in_recurrence(
    "weights",
    "kernels-joined-as-inputs-first",
    "with one kernel for `[x, h]` that is multiplied by `[h, x]`",
    "`concat([h, x]) @ W`, with `Wx` stacked above `Wh`, as TensorFlow 1 has it",
)
def _(r: Recurrence) -> Recurrence | None:
    joined = np.concatenate([r.Wx, r.Wh])
    return r.replace(Wx=joined[r.M :], Wh=joined[: r.M])


# ---- one by one ----


@in_recurrence(
    "weights",
    "Wh-transposed",
    "with `Wh` transposed",
    "`Wh @ h` on column vectors without transposing, a row-major kernel read by a column-major library, or PyTorch's "
    "`weight_hh` (which is kept transposed) copied as it is",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wh=r.by_gate(r.Wh, np.transpose))


@in_recurrence(
    "weights",
    "Wh-integers-transposed",
    "with the integers of `Wh` transposed, and their scales not",
    "an int8 kernel turned for another library; its scales, one for each output unit, stay where they were",
)
def _(r: Recurrence) -> Recurrence | None:
    if not r.feeds_units:
        return None
    scale = np.abs(r.Wh).max(0)
    scale = np.where(scale > 0, scale, 1)
    integers = r.by_gate(r.Wh / scale, np.transpose)
    return r.replace(Wh=(integers * scale).astype(r.Wh.dtype))


@in_recurrence(
    "weights",
    "Wx-memory-order",
    "with `Wx` read in the other memory order (for D = M that is transposed)",
    "a buffer written row by row (C) and read column by column (Fortran, Eigen, MATLAB), or PyTorch's `weight_ih`",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wx=other_order(r.Wx))


@in_recurrence(
    "weights",
    "Wx-laid-out-transposed",
    "with `Wx` transposed in memory, and read in its own shape",
    "`weight_ih` of PyTorch, which is (outputs, inputs), copied byte by byte",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wx=laid_out_transposed(r.Wx))


@in_recurrence(
    "weights",
    "Wx-and-Wh-swapped",
    "with `Wx` and `Wh` exchanged",
    "weights loaded by position from a list in another order; only possible where D = M",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wx=r.Wh, Wh=r.Wx) if r.D == r.M else None


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
            ("bh", -1, "the units of `bh`"),
        ):
            side = "" if name.startswith("b") else ("-columns" if axis else "-rows")

            def change(r: Recurrence, name: str = name, axis: int = axis, how: str = how) -> Recurrence:
                return r.replace(**{name: permuted(getattr(r, name), axis, how)})

            in_recurrence(
                "weights",
                f"{name}{side}-{how.replace(' ', '-')}",
                f"with {what} {how}" + ("" if how == "reversed" else " by one"),
                "units or features kept in another order, or a loop that starts one too far",
            )(change)


_register_permutations()


def _register_signs() -> None:
    for name in ("Wx", "Wh", "bh"):

        def change(r: Recurrence, name: str = name) -> Recurrence:
            return r.replace(**{name: -getattr(r, name)})

        in_recurrence(
            "weights" if name != "bh" else "bias",
            f"{name}-negated",
            f"with the sign of `{name}` turned",
            "a minus where a plus belongs",
        )(change)


_register_signs()


def _register_factors() -> None:
    for short, says, cause, factor in (
        ("doubled", "multiplied by 2", "a scale that is applied twice, or two terms where one belongs", 2.0),
        ("halved", "divided by 2", "a mean where a sum belongs, or one shift too many", 0.5),
        ("times-127-128", "multiplied by 127/128", "scaled by 127 and unscaled by 128, as int8 numbers are", 127 / 128),
        ("times-128-127", "multiplied by 128/127", "scaled by 128 and unscaled by 127, as int8 numbers are", 128 / 127),
    ):
        for name in ("Wx", "Wh"):

            def change(r: Recurrence, name: str = name, factor: float = factor) -> Recurrence:
                return r.replace(**{name: getattr(r, name) * factor})

            in_recurrence("weights", f"{name}-{short}", f"with `{name}` {says}", cause)(change)

        def everywhere(case: Case, factor: float = factor) -> Case:
            return of_kernels(case, lambda a: a * factor)

        def own(r: Recurrence, factor: float = factor) -> Recurrence:
            return r.replace(Wx=r.Wx * factor, Wh=r.Wh * factor)

        in_case("weights", f"kernels-{short}", f"with all its kernels {says}", cause, recurrence=own)(everywhere)


_register_factors()


def _register_skipped() -> None:
    for which, at in (("first", 0), ("last", -1)):
        for name, what, of_what in (
            ("Wx", "feature", f"with its {which} feature not read (that row of `Wx` is skipped)"),
            ("Wh", "unit", f"with the {which} unit of the old state not read (that row of `Wh` is skipped)"),
        ):

            def without(r: Recurrence, name: str = name, at: int = at) -> Recurrence:
                kernel = getattr(r, name).copy()
                kernel[at] = 0
                return r.replace(**{name: kernel})

            in_recurrence("weights", f"{which}-{what}-not-read", of_what, _LOOP[which])(without)

        def uncomputed(r: Recurrence, at: int = at) -> Recurrence:
            return r.replace(cell=cell_like(r.cell, f"without unit {at}", partial(_lacking, unit=at)))

        in_recurrence(
            "weights",
            f"{which}-unit-not-computed",
            f"with the {which} unit of the new state not computed (it stays 0)",
            _LOOP[which],
        )(uncomputed)


_LOOP = {
    "first": "a loop over units or features that starts at 1",
    "last": "a loop over units or features that ends one too early (`< n - 1`)",
}


def _lacking(kind: type[Cell], unit: int) -> dict[str, Any]:
    """One of the units is not computed."""

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        states = kind.step(self, x, states, w, activation)
        return tuple(choose(np.arange(M := h.shape[-1]) != unit % M, h, 0.0) for h in states)

    return {"step": step}


_register_skipped()


def _swapped(a: Array) -> Array:
    swapped: Array = a.byteswap()
    return swapped


@in_case(
    "weights",
    "byte-order",
    "with its weights read in the other byte order",
    "a file of floats moved between big- and little-endian machines",
    recurrence=lambda r: r.map(_swapped),
)
def _(case: Case) -> Case | None:
    return case.replace(weights=tuple(map(_swapped, case.weights)))


# ---- biases ----


@in_recurrence(
    "bias", "bh-dropped", "without the bias `bh`", "forgotten; unseen while biases are Keras's initial zeros"
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(bh=np.zeros_like(r.bh))


@in_recurrence(
    "bias",
    "bh-doubled",
    "with the bias `bh` counted twice",
    "two biases, as PyTorch's `b_ih` and `b_hh`, both loaded with Keras's one",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(bh=2 * r.bh)


@in_recurrence(
    "bias",
    "bh-halved",
    "with half of the bias `bh`",
    "one of two biases that were split for a framework which adds two",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(bh=0.5 * r.bh)


def _by_sample(kind: type[Cell]) -> dict[str, Any]:
    """The biases reach the first sample only."""

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        first = (np.arange(x.shape[0]) == 0).reshape(-1, *(1 for _ in x.shape[1:]))
        bh = [choose(first, row, 0.0) for row in ([w.bh] if w.bh.ndim == 1 else [w.bh[0], w.bh[1]])]
        own = CellWeights(**vars(w) | {"bh": bh[0] if w.bh.ndim == 1 else bh})
        return kind.step(self, x, states, own, activation)

    return {"step": step}


@in_recurrence(
    "bias",
    "bh-by-sample",
    "with its bias in the first sample only",
    "`bias[sample*units + unit]` for `bias[unit]`, in a buffer that is zero behind the bias",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(cell=cell_like(r.cell, "with its bias by sample", _by_sample)) if r.bh.any() else None


@in_case(
    "bias",
    "bh-by-sample-read-on",
    "with what lies behind the bias in memory as the bias of later samples",
    "`bias[sample*units + unit]` for `bias[unit]`, in one buffer of all weights",
)
def _(case: Case) -> Case | None:
    (call, *others) = case.calls
    if not case.spec.plain or others or case.bh.ndim > 1:
        return None
    behind = np.concatenate([w.ravel() for w in (case.bh, case.Wo, case.bo)])
    read = np.pad(behind, (0, call.N * case.bh.size))[: call.N * case.bh.size].reshape(call.N, -1)
    # the number of the sample, as more features of it
    which = np.broadcast_to(np.eye(call.N, dtype=call.x.dtype)[:, None], (call.N, call.T, call.N))
    return case.replace(
        spec=case.spec.replace(D=case.D + call.N),
        x=np.concatenate([call.x, which], axis=2),
        Wx=np.concatenate([case.Wx, read]),
        bh=np.zeros_like(case.bh),
    )


@in_recurrence(
    "bias",
    "bias-of-first-unit",
    "with the first unit's bias in every unit",
    "a scalar broadcast, or a pointer that is not advanced",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(bh=np.full_like(r.bh, r.bh[0]))


@in_case(
    "bias",
    "bh-and-bo-swapped",
    "with `bh` and `bo` exchanged",
    "weights loaded by position from a list in another order; only possible where M = K",
)
def _(case: Case) -> Case | None:
    letters = case.spec.letters
    if not {"bh", "bo"} <= letters.keys() or case.bh.shape != case.bo.shape:
        return None
    return case.replace(bh=case.bo, bo=case.bh)
