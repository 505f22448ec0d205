"""Judge a trajectory against a case: equivalence by induction, with the rounding of one step as the only room.

An implementation that shows its states ``h`` is not compared with a trajectory of our own. Its *own* ``h_{t-1}`` is put
into the right-hand side of the recurrence, and its ``h_t`` must be the correctly computed left-hand side:

    h_0 = 0 (or the case's h0)                    base
    h_t = act(x_t Wx + h_{t-1} Wh + bh)           induction step, for every t
    y_t = h_t Wo + bo                             head

If base and every step hold, the whole trajectory is the recurrence, by induction, and the bound of one step cannot be
amplified by chaos.

A model of several layers is judged layer by layer, in the same spirit. What a layer was seen to put out is the input of
the next one, exactly; what was not seen (a lower cell, one direction of a sum) is computed, with a bound that travels
on. So a wrong layer is found wrong, and the layers behind it are not blamed for it.

When only outputs are seen, they are compared with the recurrence under a bound that follows every rounding error
through the whole run (:func:`~.enclosure.free_run`); where that bound is too wide to tell right from wrong, the verdict
is *inconclusive*, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.pack import Apart, Pack, together
from ..model.trajectory import BadAnswer, Trajectory
from ..model.wiring import RIGHT, Wiring
from .inspection import inspect
from .verdict import Verdict

__all__ = ["judge", "judge_all"]


def judge(case: Case, trajectory: Any, precision: Precision | str | None = None, *, wiring: Wiring = RIGHT) -> Verdict:
    """Judge what an implementation showed.

    Parameters
    ----------
    case : Case
    trajectory : Trajectory or array
        A bare array is outputs: what the model returns, or those of every step, ``(N, T, K)``.
    precision : Precision or str, optional
        The arithmetic that the implementation declares; by default that of the spec's dtype.
    wiring : Wiring
        How the recurrences are put together; any but the right one is a mistake.

    Returns
    -------
    Verdict
        Never an exception for a bad answer: a wrong shape, an object array or NaN is *different*, with its sentence.

    Raises
    ------
    Unmade
        If the wiring cannot put the parts together.
    """
    try:
        walk = inspect(case, trajectory, precision, wiring=wiring)
    except BadAnswer as problem:
        return Verdict.without_answer(str(problem))
    with np.errstate(all="ignore"):
        return walk.verdict()


#: Numbers up to which cases are judged at once: weights, for every sample, and inputs. Beyond, what is saved is little
#: beside the time of the arithmetic, and the errors that travel would take much memory.
AT_ONCE = 100_000


def judge_all(
    cases: Sequence[Case], trajectories: Sequence[Any], precision: Precision | str | None = None
) -> list[Verdict]:
    """Judge what an implementation showed of several cases: the verdicts of :func:`judge`, in a fraction of the time.

    Cases of one spec and shape are judged in one expression. Those that differ in what decides how they are judged, or
    in what was shown, are told apart by halves.
    """
    if len(cases) > 1:
        with suppress(Apart, BadAnswer):
            return _judged_together(cases, trajectories, precision)
        half = len(cases) // 2
        parts = (slice(half), slice(half, None))
        return [v for part in parts for v in judge_all(cases[part], trajectories[part], precision)]
    return [judge(case, shown, precision) for case, shown in zip(cases, trajectories, strict=True)]


def _judged_together(
    cases: Sequence[Case], trajectories: Sequence[Any], precision: Precision | str | None
) -> list[Verdict]:
    first = cases[0]
    if precision is not None and Precision.of(precision).joins_samples:
        raise Apart
    numbers = sum(call.N * (first.spec.param_count + call.x[:1].size) for call in first.calls)
    if not numbers or len(cases) * numbers > AT_ONCE:
        raise Apart
    shown = together([Trajectory.of(each, first.spec.two_outputs) for each in trajectories])
    if not all(np.isfinite(array).all() for _, array in shown.numbers()):
        raise Apart
    walk = inspect(Pack.of(cases), shown, precision)
    with np.errstate(all="ignore"):
        return walk.verdicts()
