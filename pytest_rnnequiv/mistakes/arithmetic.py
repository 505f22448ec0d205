"""The coarse arithmetics that are mistakes: how to compute in them, and the marks that they leave in numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.bfloat16 import to_bfloat16
from ..arithmetic.precision import Precision
from ..cells.cell import Cell, CellWeights
from ..judging.inspection import inspect
from ..judging.nominal import Nominal
from ..model.case import Case
from ..model.forward import Computed, Walk
from ..model.trajectory import Assembled, Trajectory
from ..model.wiring import RIGHT, Wiring
from .half_sums import SUMS_IN_FLOAT16, HalfSums, bits_of_sums, has_sums

__all__ = ["KEPT_IN", "bits_of_marks", "has_marks", "to_float16", "to_tf32", "walk_in"]

Array = npt.NDArray[Any]


def to_float16(a: Array) -> Array:
    """Round to float16."""
    return a.astype(np.float16).astype(a.dtype)


def _bfloat16(a: Array) -> Array:
    return to_bfloat16(a.astype(np.float32)).astype(a.dtype)


def to_tf32(a: Array) -> Array:
    """Round to 11 bits with float32's range, ties to even; NaN and infinities stay."""
    bits = np.asarray(a, np.float32).view(np.uint32)
    rounded_bits = bits + (0x0FFF + ((bits >> 13) & 1)).astype(np.uint32)
    result = (rounded_bits & np.uint32(0xFFFFE000)).view(np.float32)
    return np.where(np.isfinite(a), result, a).astype(a.dtype)


#: Arithmetics whose results can be told by their digits, the coarsest first: numbers that survive the rounding.
KEPT_IN: dict[str, Callable[[Array], Array]] = {
    "bfloat16": _bfloat16,
    "float16": to_float16,
    "float32": lambda a: a.astype(np.float32).astype(a.dtype),
}


def walk_in(p: Precision, case: Case, wiring: Wiring = RIGHT, dtype: Any = None) -> Walk:
    """Return a walk that computes in an arithmetic; `dtype` says another one than NumPy's nearest."""
    if dtype is not None:
        return Computed(case, wiring, dtype)
    if p.formats or p.tables:
        return Nominal(case, p, wiring)
    if p.name in KEPT_IN and p.unit > Precision.float32.unit:
        return Computed(case, wiring, np.float32, KEPT_IN[p.name])
    if p is SUMS_IN_FLOAT16:
        return HalfSums(case, wiring, np.float32)
    if p.name == Precision.tf32.name:
        return _Tf32(case, wiring, np.float32)
    return Computed(case, wiring, np.float64 if p.unit <= Precision.float64.unit else np.float32)


class _Tf32(Computed):
    """Products of factors that were rounded to 11 bits, summed in float32."""

    def weight(self, name: str, array: Array) -> Any:
        bias = name.endswith(("/bh", "/bo"))
        return super().weight(name, array if bias else to_tf32(array))

    def run(
        self, place: Any, direction: Any, cell: Cell, x: Any, start: list[Any], mask: Any, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        return super().run(place, direction, _RoundsFactors(cell), x, start, mask, w)

    def product(self, x: Any, Wo: Any) -> Any:
        return super().product(to_tf32(x), Wo)


class _RoundsFactors(Cell):
    """A cell whose factors are rounded to TF32."""

    name = "rounded factors"

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def step(self, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Activation) -> tuple[Any, ...]:
        return self.cell.step(to_tf32(x), tuple(map(to_tf32, states)), w, activation)


def has_marks(p: Precision, case: Case, shown: Trajectory) -> bool:
    """Whether what is shown may bear the marks of an arithmetic: its digits, or the rounding of its factors.

    The bound of a coarse arithmetic is so wide that, without these, anything that is nearly right would fit it.
    """
    if p is SUMS_IN_FLOAT16:
        return has_sums(case, shown)
    if (keep := KEPT_IN.get(p.name)) is None:
        return _rounds_factors(case, shown)
    with np.errstate(all="ignore"):
        shown_numbers = [a for _, a in shown.numbers() if a.dtype != object]
        return bool(shown_numbers) and all(np.array_equal(a, keep(a), equal_nan=True) for a in shown_numbers)


def bits_of_marks(p: Precision, case: Case, shown: Trajectory) -> tuple[float, set[float]]:
    """How much the marks tell, of which it is known that nothing speaks against them: bits, and of which numbers.

    A number of a coarse arithmetic is one of few. Factors that were rounded are seen in states only.
    """
    if p is SUMS_IN_FLOAT16:
        return bits_of_sums(case, shown)
    if p.name not in KEPT_IN and shown.states is None:
        return 0.0, set()
    arrays = [a for _, a in shown.numbers()] if p.name in KEPT_IN else [shown.states]
    numbers = np.abs(np.concatenate([np.asarray(a, np.float64).ravel() for a in arrays]))
    told = set(numbers[np.isfinite(numbers) & (numbers != 0)].tolist())
    unit = max(p.unit, p.operand)
    return len(told) * float(np.log2(unit / case.spec.precision.unit)), told


def _rounds_factors(case: Case, trajectory: Trajectory) -> bool:
    """Whether the states come, to the rounding of float32, from factors that were rounded to TF32's 11 bits.

    True as well where no states are to be seen.
    """
    if not case.spec.plain or len(case.spec.cell.states) > 1:
        return False
    if trajectory.states is None:
        return True
    with np.errstate(all="ignore"):
        states = np.asarray(trajectory.states).astype(np.float32)
        if isinstance(trajectory, Assembled):  # through a head, which multiplies them, rounded, by 1
            return np.array_equal(to_tf32(states), states, equal_nan=True) and _begins_rounded(case, states)
        N, T, M = states.shape
        h0 = np.zeros((N, M), np.float32) if case.h0 is None else case.h0
        previous = np.concatenate([h0[:, None], states[:, :-1]], axis=1).reshape(-1, M)
        moved = np.ones(N * T, bool) if case.mask is None else case.mask.ravel()
        if not moved.any():
            return True
        after = Trajectory(np.zeros((moved.sum(), case.K)), states.reshape(N * T, 1, M)[moved])
        one = case.replace(
            x=to_tf32(case.x.reshape(N * T, 1, -1)[moved]),
            h0=to_tf32(previous[moved]),
            Wx=to_tf32(case.Wx),
            Wh=to_tf32(case.Wh),
            mask=None,
        )
        steps, _ = inspect(one, after, Precision.float32).findings
        return bool((steps.ratio()[0] <= 1).all())


def _begins_rounded(case: Case, states: Array) -> bool:
    """Whether the states of the first step are, to the digit, what comes of rounded factors: that is known exactly."""
    first = case.prefix(1).replace(x=to_tf32(case.x[:, :1]), Wx=to_tf32(case.Wx), Wh=to_tf32(case.Wh))
    if case.h0 is not None:
        first = first.replace(h0=to_tf32(case.h0))
    exact = Computed(first.with_every_output(), dtype=np.float64).calls().layers[0]
    expected = np.asarray(exact.states if exact is not None else states[:, 0])
    off = np.abs(states[:, :1] - expected)
    sure = np.isfinite(expected) & np.isfinite(states[:, :1])
    if case.mask is not None:  # a step that is held may show the state, or nothing yet
        sure &= case.mask[:, :1, None]
    return bool((off <= 1.01 * 2.0**-11 * np.abs(expected) + 64 * Precision.float32.unit)[sure].all())
