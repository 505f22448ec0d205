"""Ask an implementation about a case in the strongest way that it allows.

Whoever shows states is judged by induction. Whoever shows outputs only, but takes any weights, can be *made* to show
its states: under the identity head (``K = M``, ``Wo = I``, ``bo = 0``) its outputs are its states, and run on every
prefix ``x[:, :t]`` even an implementation that shows nothing but its last output shows all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.network_case import NetworkCase
from ..model.trajectory import BadAnswer, NetworkTrajectory, Trajectory, as_trajectory
from .oracle import INDUCTION, Verdict, judge

__all__ = ["PREFIXES", "Observation", "observe"]

#: The way of an implementation that shows outputs only and was run on every prefix.
PREFIXES = "prefixes"


@dataclass(frozen=True, eq=False)
class Observation:
    """What was seen of an implementation on one case.

    Attributes
    ----------
    case : Case or NetworkCase
    trajectory : Trajectory or NetworkTrajectory
        With states wherever they could be had.
    way : str or None
        ``"prefixes"`` where the states were had by prefixes.
    runs : tuple of (Case, Trajectory)
        The runs that were really made; a mistake has to explain each of them.
    """

    case: Any
    trajectory: Any
    way: str | None
    runs: tuple[tuple[Any, Any], ...]

    @classmethod
    def of(cls, case: Case | NetworkCase, trajectory: Trajectory | NetworkTrajectory) -> Observation:
        """What one run showed, as it is."""
        return cls(case, trajectory, None, ((case, trajectory),))

    def judge(self, precision: Precision | None = None) -> Verdict:
        """Judge it in the strongest way."""
        verdict = judge(self.case, self.trajectory, precision)
        return replace(verdict, way=self.way) if self.way and verdict.way == INDUCTION else verdict


#: Longer cases are not run on every prefix: that many runs would take too long.
LONGEST = 64


def observe(
    run: Callable[[Case], Any],
    case: Case,
    *,
    any_weights: bool = True,
    any_length: bool = True,
    first: Trajectory | None = None,
    precision: Precision | None = None,
) -> Observation:
    """Run an implementation on a case, and on more where that makes it show its states.

    Parameters
    ----------
    run : callable
        Case -> outputs or Trajectory.
    any_weights : bool
        Whether it takes any weights, and as many outputs as it has units.
    any_length : bool
        Whether it takes any number of time steps.
    first : Trajectory, optional
        What it showed of the case itself, if it has already been run.
    precision : Precision, optional
        The arithmetic that it declares.

    Returns
    -------
    Observation
        Where something is wrong with an answer, whatever was seen until then; :meth:`Observation.judge` says what.
    """
    first = _shown(run(case)) if first is None else first
    plain = Observation.of(case, first)
    identity = any_weights and (precision is None or precision.keeps_identity)
    if first.states is not None or not identity or not _outputs_only(first, case):
        return plain
    bare = case.with_identity_head()
    if np.ndim(first.outputs) == 3:
        shown = _shown(run(bare))
        if not _fits(shown, bare, 3):
            return Observation.of(bare, shown)
        states = Trajectory(first.outputs, shown.outputs, through_head=True)
        return _under_own_head(run, Observation(case, states, PREFIXES, (*plain.runs, (bare, shown))), precision)
    if not any_length or case.T > LONGEST:
        return plain
    runs = [(case, first)]
    last = []
    for t in range(1, case.T + 1):
        prefix = bare.prefix(t)
        shown = _shown(run(prefix))
        runs.append((prefix, shown))
        if not _fits(shown, prefix, 2):
            return Observation.of(prefix, shown)
        last.append(np.asarray(shown.outputs))
    shown = Trajectory(first.outputs, np.stack(last, axis=1), through_head=True, separate_runs=True)
    return _under_own_head(run, Observation(case, shown, PREFIXES, tuple(runs)), precision)


def _under_own_head(run: Callable[[Case], Any], seen: Observation, precision: Precision | None) -> Observation:
    """Where the outputs do not follow from the states, have the states shown again, by a head of the case's own shape.

    Whoever compiles recurrence and head as a whole may round the states otherwise where there are other outputs. So the
    states that the outputs came of are seen only where there are as many: K units at a time.
    """
    case: Case = seen.case
    verdict = seen.judge(precision)
    if verdict.place is None or verdict.place.what != "output" or case.K == case.M:
        return seen
    outputs = seen.trajectory.outputs
    runs, units = list(seen.runs), []
    for unit in range(0, case.M, case.K):
        asked = case.with_units_for_outputs(unit)
        shown = _shown(run(asked))
        runs.append((asked, shown))
        if not _fits(shown, asked, np.ndim(outputs)):
            return Observation.of(asked, shown)
        units.append(np.asarray(shown.outputs))
    again = np.concatenate(units, axis=-1)[..., : case.M]
    states = np.asarray(seen.trajectory.states)
    states = again if np.ndim(outputs) == 3 else np.concatenate([states[:, :-1], again[:, None]], axis=1)
    return replace(seen, trajectory=replace(seen.trajectory, states=states), runs=tuple(runs))


def _shown(answer: Any) -> Trajectory:
    try:
        return as_trajectory(answer)
    except BadAnswer:
        return Trajectory(None)


def _outputs_only(trajectory: Trajectory, case: Case) -> bool:
    try:
        trajectory.checked(case.N, case.T, case.M, case.K)
    except BadAnswer:
        return False
    return True


def _fits(trajectory: Trajectory, case: Case, ndim: int) -> bool:
    return _outputs_only(trajectory, case) and np.ndim(trajectory.outputs) == ndim
