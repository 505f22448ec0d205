"""Whether a tally shows enough of an implementation, and what would show more."""

from __future__ import annotations

import math

from .counts import Tally

__all__ = ["chance_at_most", "shows_enough", "what_helps"]

#: What to do to show more.
_HOW_TO_SHOW = {
    "every output": "give the outputs of every step (convert with return_sequences=True)",
    "states": "give the states of every step (return Trajectory(outputs=y, states=h))",
}
_OTHERWISE = (
    "what rounding may do is more than what would tell right from wrong: support shorter sequences and fewer units, or "
    "declare a finer precision if it has one; of a quantized port, say how it rounds (Precision.int8_weights(), "
    ".dynamic_range_int8(), .fixed_point(...)), since what is declared is computed"
)

BY_CHANCE = 1e-6
"""How seldom a run may show too little by chance."""


def chance_at_most(hits: int, cases: int, share: float) -> float:
    """Bound how likely it is that of so many cases no more hit, where each does with a probability of `share`.

    Chernoff's bound, ``exp(-n KL(hits / n, share))`` (Hoeffding 1963, theorem 1), for hits below that share.
    """
    found = hits / cases
    if share >= 1:
        return 0.0
    apart = (1 - found) * math.log((1 - found) / (1 - share)) + (found * math.log(found / share) if found else 0.0)
    return math.exp(-cases * apart)


def shows_enough(tally: Tally, least: float) -> bool:
    """Whether a tally shows enough: `least` is the share of its cases that have to be conclusive.

    Something has to be, and some of what was set beside the recurrence. It is too little as well where so few of
    these cases have an answer that it can hardly be chance: cases are drawn, and one whose share of conclusive ones
    is `least` may come to fewer in a run.
    """
    if not tally.conclusive or (tally.judged and not tally.decided):
        return False
    return tally.decided >= least * tally.judged or chance_at_most(tally.decided, tally.judged, least) >= BY_CHANCE


def what_helps(tally: Tally) -> str:
    """Say how more would be shown; what is promised was judged case by case."""
    best = max(tally.would, key=lambda what: tally.would[what], default="")  # the first one, where they are equal
    if best and tally.would[best]:
        then = f"then {tally.decided + tally.would[best]} of {tally.judged} cases are conclusive"
        return f"{_HOW_TO_SHOW[best]}: {then}"
    return _OTHERWISE
