"""Dot products that are summed up in float16, of numbers that are kept in float32.

The bound of such sums is wide, so they are recognized by their digits: a sum in float16 is a multiple of about half a
thousandth of its own size, and the bias and the activation, which are applied in float32, can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.forward import Computed
from ..model.trajectory import Assembled, Trajectory

__all__ = ["SUMS_IN_FLOAT16", "HalfSums", "bits_of_sums", "has_sums"]

Array = npt.NDArray[Any]

SUMS_IN_FLOAT16 = replace(Precision.float16, name="float16 sums")

#: What undoes an activation, and how much faster the argument moves than the value.
_INVERSES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (np.arctanh, lambda h: 1 / (1 - h * h)),
    "sigmoid": (lambda h: np.log(h / (1 - h)), lambda h: 1 / (h * (1 - h))),
    "linear": (lambda h: h, np.ones_like),
}


class _Kernel(np.ndarray[Any, Any]):
    """A kernel by which products are summed up in float16, one term after the other."""

    def __rmatmul__(self, x: Any) -> Any:
        rows = np.asarray(self)
        total = np.zeros((*x.shape[:-1], rows.shape[-1]), np.float16)
        for k, row in enumerate(rows):
            total = (total + x[..., k, None] * row).astype(np.float16)
        return total.astype(x.dtype)


class HalfSums(Computed):
    """A walk in float32, but for its dot products."""

    def weight(self, name: str, array: Array) -> Any:
        """A weight; kernels sum up in float16."""
        known = super().weight(name, array)
        return known.view(_Kernel) if name.endswith(("/Wx", "/Wh", "/Wo")) else known

    def stored(self, a: Any) -> Any:
        """A number, as it is kept."""
        return super().stored(np.asarray(a)) if not isinstance(a, tuple) else super().stored(a)


def has_sums(case: Case, shown: Trajectory) -> bool:
    """Whether the sums before the states, or of the head, all look summed up in float16, as far as can be told."""
    return case.spec.plain and any(both is not None for both in _seen(case, shown))


def bits_of_sums(case: Case, shown: Trajectory) -> tuple[float, set[float]]:
    """How much that tells: bits, and of which numbers.

    An even multiple may come from coarser numbers, such as fixed point, so it does not count; where most multiples are
    even, none counts.
    """
    for multiples in _seen(case, shown):
        if multiples is not None:
            odd, all_bits, numbers = multiples
            if odd.sum() < len(odd) / 4:
                continue
            return float(all_bits[odd].sum()), set(numbers[odd].tolist())
    return 0.0, set()


Multiples = tuple[npt.NDArray[np.bool_], Array, Array]


def _seen(case: Case, shown: Trajectory) -> Iterator[Multiples | None]:
    """Yield, for each way in which sums and biases may have been added, what is told; None where it was not that way.

    The sums before the states decide where they can be seen exactly, else those of the head.
    """
    with np.errstate(all="ignore"):
        inverse = _INVERSES.get(case.spec.activation.name) if case.spec.cell.name == "SimpleRNN" else None
        states = shown.states if inverse and case.mask is None else None
        if states is not None and inverse is not None:
            yield from _before_states(case, np.asarray(states, np.float64), *inverse)
        # states that were seen through a head have been summed up once more
        if (states is None or isinstance(shown, Assembled)) and case.spec.head_activation.name == "linear":
            y, bo = np.asarray(shown.outputs, np.float64), case.bo.astype(np.float64)
            for value in (y, y - bo):
                yield _multiples(value, _unit(value), 2.0**-23 * np.abs(y))


def _before_states(
    case: Case, h: Array, undone: Callable[[Array], Array], steepness: Callable[[Array], Array]
) -> Iterator[Multiples | None]:
    x, Wx, Wh, bh = (a.astype(np.float64) for a in (case.x, case.Wx, case.Wh, case.bh))
    h0 = np.zeros_like(h[:, 0]) if case.h0 is None else case.h0
    before = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    total = undone(h)
    error = 2.0**-20 * np.abs(h) * steepness(h) + 2.0**-22 * (np.abs(total) + np.abs(bh))
    yield _multiples(total, _unit(total), error)
    parts = [(a @ W, np.abs(a) @ np.abs(W) * len(W) * 2.0**-11) for a, W in ((x, Wx), (before, Wh))]
    units = [np.where(v == 0, np.inf, np.where(_unit(v - off) == _unit(v + off), _unit(v), np.nan)) for v, off in parts]
    yield _multiples(total - bh, np.minimum(*units), error)


def _unit(a: Array) -> Array:
    """The unit in the last place that a number has in float16."""
    return np.maximum(2.0 ** (np.floor(np.log2(np.abs(a))) - 10), 2.0**-24)


def _multiples(value: Array, unit: Array, error: Array) -> Multiples | None:
    """Whether numbers, known to some error, may all be multiples of their units; None if one is not."""
    bits = np.log2(unit / (2 * error))
    use = np.isfinite(value) & (value != 0) & np.isfinite(bits) & (bits > 2)
    value, unit, error, bits = value[use], unit[use], error[use], bits[use]
    times = np.round(value / unit)
    if (np.abs(value - times * unit) > error).any():
        return None
    return times % 2 == 1, bits, np.abs(value)
