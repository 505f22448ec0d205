"""What the verdict on a coarse port excludes: a bound need not be small, only smaller than what can go wrong.

In bfloat16 a right state may be off by tenths, and yet a transposed kernel moves it further. So each mistake is made
on purpose, in the declared arithmetic, and its outcome is judged as if it had been shown. Where nearly all of the most
frequent mistakes are found different in a case, that case has an answer, however wide its bounds are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.inspection import inspection
from ..judging.observing import Observation
from ..judging.oracle import judge_all
from ..judging.verdict import Finding, Verdict
from ..model.case import Case
from ..model.forward import reference
from ..model.trajectory import Trajectory
from ..model.wiring import Unmade
from .catalogue import CATALOGUE, Mistake
from .evidence import COMMON
from .made import only_what
from .seen import Wide

__all__ = ["EXCLUSION", "LEAST_EXCLUDED", "by_exclusion", "excluded", "is_coarse", "outcome", "usual"]

#: The way of a verdict whose bounds are wide, and exclude what people get wrong most.
EXCLUSION = "exclusion of mistakes"

#: The share of the usual mistakes that have to be excluded. A tenth is room for those that *are* roundings, such as
#: weights in float16, and for those that happen to move little in a case.
LEAST_EXCLUDED = 0.9

#: How many mistakes are made before it is asked whether there is any use in going on.
AT_A_TIME = 8

#: Differences beside the largest number that are the rounding of float64, and no mistake.
SAME = 2.0**-40


def usual() -> list[Mistake]:
    """Return the mistakes that people make most, in weights, steps and order; no coarse arithmetic is among them."""
    return [m for m in CATALOGUE if m.precision is None and (m.name in COMMON or m.group == "gates")]


#: Errors up to here are roundings of float32, a few dozen of them, as activations of runtimes have.
FINE = 64 * Precision.float32.unit


def is_coarse(p: Precision) -> bool:
    """Whether an arithmetic is coarser than float32."""
    own = max(p.unit, p.operand)
    return bool(p.formats or p.radius or p.activation_error > FINE or own > Precision.float32.unit)


def by_exclusion(seen: Observation, verdict: Verdict, precision: Precision) -> Verdict:
    """Return the verdict with an answer, where it is inconclusive for its width and excludes the usual mistakes."""
    if not verdict.inconclusive:
        return verdict
    mistakes, missed, made = usual(), 0, 0
    for found in excluded(seen, precision, mistakes, at_once=True):
        made, missed = made + len(found), missed + sum(not each for each in found.values())
        if missed > (1 - LEAST_EXCLUDED) * len(mistakes):
            return verdict
    if not made or missed > (1 - LEAST_EXCLUDED) * made:
        return verdict
    return Verdict("equivalent", EXCLUSION, verdict.error_over_bound, steps=verdict.steps)


def excluded(
    seen: Observation, precision: Precision, mistakes: Iterable[Mistake], *, at_once: bool = False
) -> Iterator[dict[str, bool]]:
    """Make mistakes in a case, a few at a time, and judge whether they would have been seen.

    Parameters
    ----------
    at_once : bool
        By the bounds of all right runs together. Without it the runs after each tie are followed for each mistake,
        which excludes more, and takes as many runs.

    Yields
    ------
    dict
        By the names of mistakes, whether the enclosure of the right run excludes what comes of them. Those that move
        no number of the case are left out.
    """
    case, shown = seen.case, seen.trajectory
    exact = dict(only_what(shown, reference(case)).numbers())
    outcomes = ((m, run) for m in mistakes if (run := outcome(m, case, shown, precision, exact)) is not None)
    beside = _bounds(case, shown, precision, at_once=at_once)
    while some := list(islice(outcomes, AT_A_TIME)):
        runs = [run for _, run in some]
        if beside is None:
            out = [v.different for v in judge_all([case] * len(runs), runs, precision)]
        else:  # their bounds do not depend on what was shown
            out = [_outside(run, beside) for run in runs]
        yield dict(zip((m.name for m, _ in some), out, strict=True))


def outcome(
    mistake: Mistake, case: Case, shown: Trajectory, precision: Precision, exact: dict[str, Any] | None = None
) -> Trajectory | None:
    """Return what would have been shown with a mistake; None where it cannot be made, or moves nothing.

    Parameters
    ----------
    exact : dict, optional
        The numbers of the right run in float64, by name. Without them, what moves nothing is returned too.
    """
    if mistake(case) is None:
        return None
    try:
        wrong = only_what(shown, mistake.run(case, np.float64))
        if exact is not None and _same(dict(wrong.numbers()), exact):
            return None
        return only_what(shown, mistake.run(case, precision=precision)) if precision.formats else wrong
    except (Unmade, ValueError):
        return None


def _same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    if one.keys() != two.keys():
        return False
    with np.errstate(all="ignore"):
        return all(
            a.shape == two[name].shape
            and np.allclose(a, two[name], rtol=0, atol=SAME * np.abs(two[name]).max(initial=0.0), equal_nan=True)
            for name, a in one.items()
        )


class _AllAtOnce(Wide):
    """An inspection by the bounds of all runs together, whatever is chosen at ties."""

    most_runs = 0


def _bounds(case: Case, shown: Trajectory, precision: Precision, *, at_once: bool) -> list[Finding] | None:
    """The bounds of each call's outputs, where these are all that was shown; None where they depend on that."""
    more = any(layer is not None for call in shown.each_call for layer in call.shown_layers)
    if (precision.formats and not at_once) or more or case.spec.two_outputs:
        return None
    walk = inspection(case, shown, precision, kind=_AllAtOnce)
    walk.calls()
    return walk.findings if len(walk.findings) == len(case.calls) else None


def _outside(run: Trajectory, beside: Sequence[Finding]) -> bool:
    """Whether outputs are outside of their bounds somewhere."""
    for call, right in zip(run.each_call, beside, strict=True):
        y = np.asarray(call.outputs, np.float64)
        y = y if y.ndim == 3 else y[:, None]
        if y.shape != right.expected.shape:
            return True
        with np.errstate(invalid="ignore"):
            inside = (np.abs(y - right.expected) <= right.radius) | (y == right.expected) | ~np.isfinite(right.radius)
        if not (inside | (np.isnan(y) & right.certain_nan)).all():
            return True
    return False
