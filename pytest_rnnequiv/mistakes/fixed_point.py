"""Mistakes of fixed point: how many bits stand behind the point, rounded or cut, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..cells.cell import Cell, CellWeights
from ..model.case import Case
from .mistake import Mistake, Recurrence, cell_like, family, made_in

Array = npt.NDArray[Any]
Change = Callable[[Array], Array]

#: Bits behind the point, the coarsest first. The catalogue lists 8, which is what 16-bit numbers have most often.
BITS = range(4, 17)


def rounded_to(bits: int) -> Change:
    """Round to multiples of ``2^-bits``."""
    return lambda a: np.round(a * 2.0**bits) / 2.0**bits


def cut_to(bits: int) -> Change:
    """Cut to multiples of ``2^-bits``, downwards, as a shift to the right does."""
    return lambda a: np.floor(a * 2.0**bits) / 2.0**bits


def chopped_to(bits: int) -> Change:
    """Cut to multiples of ``2^-bits``, towards zero, as a cast to an integer does."""
    return lambda a: np.trunc(a * 2.0**bits) / 2.0**bits


#: How a number comes to fewer bits: part of a name, what is said of it, how people come to it, the function.
ROUNDINGS = (
    ("", "rounded to", "", rounded_to),
    ("cut-", "cut downwards to", ", where a shift to the right, or `ap_fixed`, cuts", cut_to),
    ("chopped-", "cut towards zero to", ", by a cast to an integer", chopped_to),
)


def _of_weights(name: str, says: str, cause: str, change: Change) -> Mistake:
    def everywhere(case: Case) -> Case:
        return case.replace(weights=tuple(map(change, case.weights)))

    return Mistake(name, says, cause, "numbers", everywhere, lambda r: r.map(change))


def _of_state(name: str, says: str, cause: str, change: Change) -> Mistake:
    return Mistake(name, says, cause, "numbers", recurrence=_state_by(change, says))


def _state_by(change: Change, says: str) -> Callable[[Recurrence], Recurrence]:
    return lambda r: r.replace(cell=cell_like(r.cell, says, partial(_on_grid, change=change, says=says)))


def _on_grid(kind: type[Cell], change: Change, says: str) -> dict[str, Any]:
    """The states are kept in fewer bits."""
    # non-decreasing, with jumps; what it is applied to bears the error of the activation already
    grid = Activation(says, change, ulps=0, floor=0)

    def step(self: Any, x: Any, states: tuple[Any, ...], w: CellWeights, activation: Any) -> tuple[Any, ...]:
        return tuple(grid(h) for h in kind.step(self, x, states, w, activation))

    return {"step": step}


def _of_everything(name: str, says: str, cause: str, change: Change, of_weights: Change) -> Mistake:
    def everywhere(case: Case) -> Case:
        if not case.spec.embedded:
            case = case.map_calls(lambda call: call.replace(x=change(call.x)))
        case = case.replace(weights=tuple(map(of_weights, case.weights)))
        for place in case.spec.places:
            case = made_in(case, place, _state_by(change, says))
        return case

    return Mistake(name, says, cause, "numbers", everywhere)


def _register() -> None:
    shown = BITS.index(8)
    for short, verb, cause, change in ROUNDINGS:
        family(
            shown,
            *(
                _of_weights(
                    f"weights-{short}to-{bits}-fraction-bits",
                    f"with its weights {verb} multiples of 2^-{bits}",
                    f"fixed point{cause}",
                    change(bits),
                )
                for bits in BITS
            ),
        )
        family(
            shown,
            *(
                _of_state(
                    f"state-{short}in-Q{bits}",
                    f"with its state {verb} multiples of 2^-{bits} at every step",
                    f"a fixed-point state{cause}",
                    change(bits),
                )
                for bits in BITS
            ),
        )
        family(
            shown,
            *(
                _of_everything(
                    f"all-{short}in-Q{bits}",
                    f"with weights rounded, and inputs and states {verb}, to multiples of 2^-{bits}".replace(
                        " to,", ","
                    ),
                    f"fixed point throughout{cause}",
                    change(bits),
                    rounded_to(bits),
                )
                for bits in BITS
            ),
        )


_register()


# ---- what does not fit ----

#: Integers: their bits, and how many of these may stand behind the point.
INTEGERS = {8: (4, 5, 6, 7), 16: (12, 13, 14, 15)}


def wrapped_at(limit: float) -> Change:
    """Bring numbers into ``[-limit, limit)``, as integers that overflow do."""
    return lambda a: (a + limit) % (2 * limit) - limit


def saturated_at(limit: float, step: float) -> Change:
    """Clip to ``[-limit, limit)``, on a grid of some step."""
    return lambda a: np.clip(a, -limit, limit - step)


def _of_integers(wraps: bool) -> list[Mistake]:
    found = []
    for total, behind in INTEGERS.items():
        for bits in behind:
            limit, step = 2.0 ** (total - 1 - bits), 2.0**-bits
            beyond = wrapped_at(limit) if wraps else saturated_at(limit, step)
            for short, verb, _, way in ROUNDINGS[::2]:
                to_grid = way(bits)

                def change(a: Array, to_grid: Change = to_grid, beyond: Change = beyond) -> Array:
                    return beyond(to_grid(a))

                found.append(
                    _of_weights(
                        f"weights-{short}to-int{total}-of-{bits}-fraction-bits-that-{'wrap' if wraps else 'saturate'}",
                        f"with its weights {verb} multiples of 2^-{bits} and "
                        f"{'wrapped' if wraps else 'clipped'} at {limit:g}",
                        f"fixed point in int{total}, "
                        + ("which wraps around where a weight is too large" if wraps else "which ends there"),
                        change,
                    )
                )
    return found


# 7 bits behind the point: in int8 nothing from 1 on fits
family(6, *_of_integers(wraps=True))
family(6, *_of_integers(wraps=False))


def _sum_wrapped(limit: float) -> Callable[[Recurrence], Recurrence | None]:
    # the function jumps where the sum passes the limit; beyond some turns nothing is known of it
    turns = tuple(
        each for k in range(-15, 17, 2) for each in (np.nextafter(k * limit, -np.inf), k * limit)
    )  # fmt: skip
    wrap = wrapped_at(limit)

    def by(f: Activation) -> Activation:
        return replace(
            f, name=f"{f.name} of sums that wrap at {limit:g}", function=lambda a: f.function(wrap(a)), slope=None,
            turns=turns, peak=None,
        )  # fmt: skip

    def change(r: Recurrence) -> Recurrence | None:
        if r.activation.turns or r.activation.per_term or r.activation.lipschitz is not None:
            return None
        changes: dict[str, Any] = {"activation": by(r.activation)}
        gate = getattr(r.cell, "recurrent_activation", None)
        if gate is not None and len(r.cell.states) == 1:  # the cell state of an LSTM is no such sum
            changes["cell"] = type(r.cell)(**vars(r.cell) | {"recurrent_activation": by(gate)})
        return r.replace(**changes)

    return change


family(
    1,
    *(
        Mistake(
            f"sums-wrap-at-{limit:g}",
            f"with sums that wrap around at {limit:g}",
            "an integer accumulator that is too small: what is too large comes out negative",
            "numbers",
            recurrence=_sum_wrapped(limit),
        )
        for limit in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 128.0)
    ),
)
