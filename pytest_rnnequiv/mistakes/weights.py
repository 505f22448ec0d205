"""Mistakes in the weights of a recurrence: their layout, order, sign, and biases."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.case import Case
from .mistake import Recurrence, in_case, in_recurrence

__all__ = ["permuted"]

Array = npt.NDArray[Any]


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
    "Wx-memory-order",
    "with `Wx` read in the other memory order (for D = M that is transposed)",
    "a buffer written row by row (C) and read column by column (Fortran, Eigen, MATLAB), or PyTorch's `weight_ih`",
)
def _(r: Recurrence) -> Recurrence | None:
    return r.replace(Wx=r.Wx.reshape(r.Wx.shape[::-1]).T)


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
