"""Mistakes in the numbers: weights, inputs and states that are rounded, and coarser arithmetics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.bfloat16 import to_bfloat16
from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.forward import rounded
from .arithmetic import KEPT_IN, to_float16
from .half_sums import SUMS_IN_FLOAT16
from .mistake import Recurrence, in_case, in_recurrence

Array = npt.NDArray[Any]


def to_int8(a: Array) -> Array:
    """Round to 255 equal steps over the array's range, as symmetric per-tensor int8 quantization does."""
    scale = np.abs(a).max(initial=0.0) / 127
    return np.round(a / scale) * scale if scale else a


def _register_roundings() -> None:
    for short, says, cause, change in (
        ("float16", "float16", "weights exported in half precision", lambda a: a.astype(np.float16)),
        ("bfloat16", "bfloat16", "weights exported in bfloat16", to_bfloat16),
        ("int8", "int8 (per tensor)", "weights quantized, and the port declared as float32", to_int8),
        ("6-decimals", "6 decimals", "weights printed with `%f` into a header file", lambda a: a.round(6)),
        ("5-decimals", "5 decimals", "weights printed with `%.5f`", lambda a: a.round(5)),
        ("4-decimals", "4 decimals", "weights printed with `%.4f`", lambda a: a.round(4)),
        ("3-decimals", "3 decimals", "weights printed with `%.3f`", lambda a: a.round(3)),
        ("integers", "whole numbers", "weights in an integer array, or an integer division", np.trunc),
    ):

        def everywhere(case: Case, change: Callable[[Array], Array] = change) -> Case | None:
            return case.replace(weights=tuple(map(change, case.weights)))

        def rounding(r: Recurrence, change: Callable[[Array], Array] = change) -> Recurrence | None:
            return r.map(change)

        says, name = f"with its weights rounded to {says}", f"weights-to-{short}"
        in_case("numbers", name, says, cause, recurrence=rounding)(everywhere)


_register_roundings()


def _register_state_roundings() -> None:
    for short, rounding in (("float16", to_float16), ("bfloat16", KEPT_IN["bfloat16"])):

        def change(
            r: Recurrence, short: str = short, rounding: Callable[[Array], Array] = rounding
        ) -> Recurrence | None:
            return r.replace(activation=rounded(r.activation, short, rounding))

        in_recurrence(
            "numbers",
            f"state-in-{short}",
            f"with its state rounded to {short} at every step",
            "the state is kept in half precision",
        )(change)


_register_state_roundings()


def _inputs(case: Case, change: Callable[[Array], Array]) -> Case | None:
    """Change the inputs, where they are numbers."""
    if case.spec.embedded:
        return None
    return case.map_calls(lambda call: call.replace(x=change(call.x)))


@in_case("numbers", "inputs-to-float16", "with its inputs rounded to float16", "inputs sent in half precision")
def _(case: Case) -> Case | None:
    return _inputs(case, to_float16)


@in_case("numbers", "inputs-to-integers", "with its inputs cut to whole numbers", "inputs in an integer array")
def _(case: Case) -> Case | None:
    return _inputs(case, np.trunc)


@in_case(
    "numbers",
    "inputs-clipped",
    "with its inputs clipped to [-1, 1]",
    "a fixed-point input, or a normalization that is not part of the model",
)
def _(case: Case) -> Case | None:
    return _inputs(case, lambda x: np.clip(x, -1, 1))


@in_case(
    "numbers",
    "NaN-swallowed",
    "with NaN inputs taken as zeros",
    "`fmax`, `clip` or `nan_to_num` on the way: NaN goes in and a number comes out",
)
def _(case: Case) -> Case | None:
    return _inputs(case, lambda x: np.nan_to_num(x, nan=0.0, posinf=np.inf, neginf=-np.inf))


@in_case(
    "numbers",
    "flushed-to-zero",
    "with subnormal numbers taken as zeros",
    "a fast-math flag; only a mistake for an implementation that promises gradual underflow",
)
def _(case: Case) -> Case | None:
    dtype = case.weights[0].dtype
    tiny = np.finfo(dtype).tiny

    def flushed(a: Array) -> Array:
        return np.where(np.abs(a) < tiny, a * 0, a)

    changed = _inputs(case, flushed) or case
    return changed.replace(weights=tuple(map(flushed, case.weights)))


def _register_arithmetics() -> None:
    for precision, how in (
        (Precision.bfloat16, "a mixed-precision policy, or a fast-math mode of the matrix library"),
        (Precision.float16, "a policy of 16 bits, or a model converted to half precision"),
        (Precision.tf32, "tensor cores, which round the factors of float32 products to 11 bits by default"),
    ):

        def change(case: Case, precision: Precision = precision) -> Case | None:
            if case.spec.compute_dtype != "float32" or (precision is Precision.tf32 and not case.spec.plain):
                return None
            return case

        in_case(
            "numbers",
            f"computed-in-{precision.name}",
            f"computed as coarsely as in {precision.name}",
            f"{how}; weights of 8 bits, a table for the activation, or fixed point are as coarse",
            precision=precision,
        )(change)


_register_arithmetics()


@in_case(
    "numbers",
    "summed-in-float16",
    "with its dot products summed up in float16",
    "an accumulator of half precision: `half sum` in a kernel, or a matrix product whose output is float16",
    precision=SUMS_IN_FLOAT16,
)
def _(case: Case) -> Case | None:
    return case if case.spec.compute_dtype == "float32" and case.spec.plain else None


@in_case(
    "numbers",
    "computed-in-float32",
    "computed as coarsely as in float32, where float64 was promised",
    "`.astype('float32')` on the way, or `float` for `double` in C; the declared dtype is the one that is judged",
    precision=Precision.float32,
)
def _(case: Case) -> Case | None:
    return case if case.spec.compute_dtype == "float64" else None
