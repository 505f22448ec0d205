"""Sentences about what was probed: numbers and names in words, and what all answers have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.case import Case
from .asked import Answer

__all__ = ["has", "in_common", "it", "joined", "listed", "no_numbers", "special"]


#: Numbers that are no generic ones.
LARGE, TINY = 30.0, 1e-30


def listed(numbers: Sequence[Any] | npt.NDArray[Any]) -> str:
    """Return numbers to follow a noun: `` 2``, or ``s 2 and 3``."""
    plural = "s" if len(numbers) > 1 else ""
    return f"{plural} {joined([str(int(n)) for n in numbers])}"


def joined(words: Sequence[str]) -> str:
    """Return ``a``, or ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def has(things: Sequence[Any]) -> str:
    """Return the verb for so many things."""
    return "has" if len(things) == 1 else "have"


def it(things: Sequence[Any]) -> str:
    """Return the pronoun for so many things."""
    return "it" if len(things) == 1 else "them"


def no_numbers(base: Answer) -> Iterator[str]:
    """Say of an answer that is none, or not finite, what it is."""
    if base.shown is None:
        yield f"it {base.failed} in a case of the usual kind and size"
        return
    y = np.asarray(base.shown.outputs)
    if y.dtype.kind == "f" and y.ndim > 1 and not np.isfinite(y).all():
        what = "NaN" if np.isnan(y).any() else "infinite"
        bad = np.flatnonzero(~np.isfinite(y).all(tuple(range(1, y.ndim))))
        where = "" if len(bad) == len(y) else f", in sample{listed(bad)}"
        yield f"of finite, moderate numbers it makes {what}{where}"


def special(case: Case) -> str:
    """Say what is not generic about a case: "wrong in one with NaN"."""
    numbers = np.concatenate([a.ravel().astype(np.float64) for a in case.numbers().values() if a.dtype.kind == "f"])
    size = np.abs(numbers)
    call = case.calls[0]
    what = f"of N = {call.N}, T = {call.T}"
    if np.isnan(numbers).any():
        what = "with NaN"
    elif size.max() > LARGE:
        what = f"with numbers up to {size.max():.3g}"
    elif ((size > 0) & (size < TINY)).any():
        what = f"with numbers down to {size[size > 0].min():.3g}"
    elif len({*numbers}) < len(numbers) / 2:
        what = f"{what}, in which numbers are equal"
    return f"wrong in one {what}"


def in_common(answers: Sequence[Answer], bent: bool) -> Iterator[str]:
    """What all answers have in common that those of the recurrence do not.

    Parameters
    ----------
    bent : bool
        Whether the outputs were seen not to be linear in the head's bias.
    """
    if len(answers) < 4:
        return
    spec = answers[0].case.spec
    pairs: list[tuple[Any, Any]] = [(a.numbers, a.expected) for a in answers]
    if not any(np.any(y) for y, _ in pairs):
        yield "every answer is all zeros"
        return
    N, _, K = pairs[0][0].shape
    if spec.head is None or spec.head.activation.name != "linear":
        return
    if K > 1 and all(np.allclose(y.sum(-1), 1, atol=1e-3) for y, _ in pairs):
        yield "the outputs of each sample sum to 1, as a softmax makes them"
        return
    if N > 1 and all(np.allclose(y.sum(0), 1, atol=1e-3) for y, _ in pairs):
        yield "each output sums to 1 over the samples: a softmax over the wrong axis?"
        return
    if not bent:
        return
    largest, smallest = (float(f(f(true) for _, true in pairs)) for f in (_max, _min))
    if all((np.abs(y) <= 1).all() for y, _ in pairs) and max(largest, -smallest) > 1.5:
        low = 0 if all((y >= 0).all() for y, _ in pairs) and smallest < -0.5 else -1
        yield f"no output is beyond {low}..1, where {smallest:.2g}..{largest:.2g} is right: an activation on the head?"
    elif all((y >= 0).all() for y, _ in pairs) and smallest < -0.5:
        yield f"no output is below 0, where {smallest:.2g} is right: an activation on the head?"


def _max(numbers: Any) -> float:
    return max(float(np.max(n)) for n in numbers)


def _min(numbers: Any) -> float:
    return min(float(np.min(n)) for n in numbers)
