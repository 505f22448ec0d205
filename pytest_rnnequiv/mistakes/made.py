"""What an implementation with a mistake computes, and whether that is what was shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.inspection import Inspection, inspection
from ..judging.verdict import Finding, Verdict
from ..model.case import Case
from ..model.forward import shown_by
from ..model.trajectory import BadAnswer, Trajectory
from ..model.wiring import RIGHT, Unmade, Wiring
from .arithmetic import has_marks, walk_in

__all__ = ["Made", "only_what", "outputs_of", "whole"]


@dataclass(frozen=True, eq=False)
class Made:
    """What an implementation with one or more mistakes computes: another case, or the same case in another way.

    Attributes
    ----------
    case : Case
    wiring : Wiring
    precision : Precision or None
        The arithmetic, where that is a mistake.
    head_only : bool
        Only the outputs are those of that case.
    computed : bool
        The arithmetic is known to the last rounding, and not by its digits.
    """

    case: Case
    wiring: Wiring = RIGHT
    precision: Precision | None = None
    head_only: bool = False
    computed: bool = False

    @property
    def by_digits(self) -> bool:
        """Whether it is an arithmetic that is known by its digits only, as its bounds are too wide to tell."""
        return self.precision is not None and not self.computed

    def then(self, after: Made | None) -> Made:
        """Return what comes of this mistake, followed by another one."""
        if after is None:
            return self
        wiring = self.wiring if after.wiring is RIGHT else after.wiring
        last = self if after.precision is None else after
        return Made(after.case, wiring, last.precision, self.head_only and after.head_only, last.computed)

    def seen(self, shown: Trajectory) -> Trajectory:
        """What of a trajectory belongs to the case."""
        return outputs_of(shown) if self.head_only else shown

    def judge(self, truth: Case, shown: Trajectory, precision: Precision | None = None) -> Verdict | None:
        """Judge whether this is what was shown; None where it cannot be, or is the truth.

        Parameters
        ----------
        truth : Case
            The case itself, without the mistake.
        """
        if self.by_digits and self.precision is not None and not has_marks(self.precision, truth, shown):
            return None
        seen, p = self.seen(shown), self.precision or precision
        try:
            verdict = _judged(self.case, seen, p, self.wiring)
            if verdict.different or self.wiring is RIGHT:
                return verdict
            beside = _beside_the_right(verdict, self.case, seen, p, self.wiring)
            # a wiring that changes nothing may be made beside a mistake that does
            return verdict if beside is None and self.case is not truth else beside
        except Unmade:
            return None


class _Refuted(Exception):
    """Something is broken."""


#: How many runs are followed to try out a mistake.
FEW = 8


class _Refuting(Inspection):
    """An inspection that ends at the first thing that is broken: nearly all mistakes are refuted."""

    most_runs = FEW

    def _found(self, finding: Finding) -> None:
        super()._found(finding)
        if finding.broken.any():
            raise _Refuted


def _judged(case: Case, shown: Trajectory, p: Precision | None, wiring: Wiring) -> Verdict:
    """Judge as the oracle does, without finding out where it is broken."""
    try:
        walk = inspection(case, shown, p, wiring=wiring, kind=_Refuting)
        walk.calls()
    except (BadAnswer, _Refuted):
        return Verdict("different", error_over_bound=float("inf"))
    with np.errstate(all="ignore"):
        return walk.verdict()


def _beside_the_right(
    verdict: Verdict, case: Case, shown: Trajectory, p: Precision | None, wiring: Wiring
) -> Verdict | None:
    """Return the verdict on what is shown of a wrong wiring; None where that changes nothing.

    Where the right run lies within the bounds of the wrong one, being near the wrong one tells nothing.
    """
    wrong, right = (
        walk_in(Precision.float64, whole(case, wiring), each, np.float64).calls() for each in (wiring, RIGHT)
    )
    true = dict(right.numbers())
    if all(name in true and np.array_equal(true[name], a, equal_nan=True) for name, a in wrong.numbers()):
        return None
    as_shown = only_what(shown, shown_by(right, case))
    if _judged(case, as_shown, p, wiring).different:
        return verdict
    return replace(verdict, status="inconclusive", problem="what is shown is as near to the right run")


def only_what(shown: Trajectory, whole: Trajectory) -> Trajectory:
    """Show of a whole run what another shows."""
    calls = []
    for seen, call in zip(shown.each_call, whole.each_call, strict=True):
        outputs: Any = call.outputs if seen.outputs is not None else None
        if outputs is not None and np.ndim(seen.outputs) == 2 and np.ndim(outputs) == 3:
            outputs = np.asarray(outputs)[:, -1]
        layers = [
            None
            if one is None
            else replace(
                every,
                output=None if one.output is None else every.output,
                states=None if one.states is None else every.states,
                final_states=None if one.final_states is None else every.final_states,
            )
            for one, every in zip(seen.shown_layers, call.layers, strict=False)
            if every is not None
        ]
        calls.append(Trajectory(outputs, layers=tuple(layers)))
    return Trajectory.of_calls(calls)


def whole(case: Case, wiring: Wiring) -> Case:
    """The case that shows the outputs of every step, unless the mistake is which of them is the last."""
    return case if type(wiring).last_output is not Wiring.last_output else case.with_every_output()


def outputs_of(shown: Trajectory) -> Trajectory:
    """Leave of a trajectory its outputs."""
    return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])
