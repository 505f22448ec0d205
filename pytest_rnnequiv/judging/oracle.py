"""Judge a trajectory against a case: equivalence by induction, with the rounding of one step as the only room.

An implementation that shows its states ``h`` is not compared with a trajectory of our own. Its *own* ``h_{t-1}`` is put
into the right-hand side of the recurrence, and its ``h_t`` must be the correctly computed left-hand side:

    h_0 = 0 (or the case's h0)                    base
    h_t = act(x_t Wx + h_{t-1} Wh + bh)           induction step, for every t
    y_t = h_t Wo + bo                             head

If base and every step hold, the whole trajectory is the recurrence, by induction, and the bound of one step cannot be
amplified by chaos. When only outputs are seen, they are compared with the NumPy recurrence under a bound that follows
every rounding error through the linearised recurrence (:func:`trajectory_bound`); where that bound is too wide to tell
right from wrong, the verdict is *inconclusive*, never a pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import Precision
from ..cells.simple_rnn import CellWeights, SimpleRNN
from ..model.case import Case
from ..model.network_case import NetworkCase
from ..model.spec import WEIGHT_NAMES
from ..model.trajectory import BadAnswer, Trajectory, as_trajectory
from .enclosure import Chain, free_run, induction, layer_output, lost_when_shown, zero_of_nan
from .network_oracle import judge_network
from .verdict import Finding, Place, Verdict, sharp_enough

__all__ = ["Place", "Verdict", "judge"]

Array = npt.NDArray[np.float64]

#: The ways in which a trajectory is judged, strongest first.
INDUCTION, EVERY_OUTPUT, LAST_OUTPUT = "induction", "every output", "last output"


def judge(case: Case | NetworkCase, trajectory: Any, precision: Precision | str | None = None) -> Verdict:
    """Judge what an implementation showed.

    Parameters
    ----------
    case : Case or NetworkCase
    trajectory : Trajectory or array
        A bare array is outputs: ``(N, K)`` of the last step or ``(N, T, K)`` of every step. For a network's case, a
        NetworkTrajectory, or the outputs of its only call.
    precision : Precision or str, optional
        The arithmetic that the implementation declares; by default that of the spec's dtype.

    Returns
    -------
    Verdict
        Never an exception for a bad answer: a wrong shape, an object array or NaN is *different*, with its sentence.
    """
    if isinstance(case, NetworkCase):
        return judge_network(case, trajectory, None if precision is None else Precision.of(precision))
    p = case.spec.precision if precision is None else Precision.of(precision)
    try:
        shown = as_trajectory(trajectory)
        way, findings = inspect(case, shown, p)
    except BadAnswer as problem:
        return Verdict("different", problem=str(problem), error_over_bound=float("inf"))
    with np.errstate(all="ignore"):
        return _verdict(case, way, findings, one_run=not shown.separate_runs)


def inspect(case: Case, trajectory: Trajectory, p: Precision) -> tuple[str, list[Finding]]:
    """Set every number of a trajectory beside what it should be.

    Returns
    -------
    way : str
    findings : list of Finding
        Of the states, if they can be seen, and of the outputs.

    Raises
    ------
    BadAnswer
        If it is no trajectory of the case.
    """
    if p.unit > case.spec.precision.unit:  # the case's numbers are rounded when they enter
        p = replace(p, operand=max(p.operand, p.unit))
    shown = trajectory.checked(case.N, case.T, case.M, case.K)
    outputs, states = shown.outputs, shown.states
    through_head = states is None or trajectory.through_head
    way = EVERY_OUTPUT if outputs.ndim == 3 else LAST_OUTPUT
    if case.T == 1 and outputs.ndim == 2:
        outputs = outputs[:, None]  # the last step is every step
    every = outputs.ndim == 3
    if states is None and every and _has_identity_head(case) and p.keeps_identity:
        states = outputs
    with np.errstate(all="ignore"):
        if states is not None:
            if through_head:  # outputs are states from the first step on that is not masked
                begun = np.logical_or.accumulate(_active(case), axis=1)[..., None]
                states = np.where(begun, states, _initial_state(case)[:, None])
            steps = _steps(case, p, states, through_head)
            head = _head(case, p, states, outputs, every)
            if trajectory.separate_runs and steps.broken.any():
                steps = _between_runs(case, p, steps)
            if through_head and np.isnan(states).any():
                unseen = _unseen(case, steps)
                after = np.pad(unseen, ((0, 0), (1, 0)))[:, :-1] & _active(case)
                lost = (unseen[..., None] & np.isnan(states)) | after[..., None]
                steps, head = steps.without(lost), head.without(unseen[:, head.first :, None])
            return INDUCTION, [steps, head]
        return way, [_trajectory(case, p, outputs, every)]


def _inexact_weights(case: Case, p: Precision) -> tuple[CellWeights, Inexact, Inexact]:
    Wx, Wh, bh, Wo, bo = (Inexact.weight(name, getattr(case, name), p) for name in WEIGHT_NAMES)
    return CellWeights(Wx, Wh, bh), Wo, bo


def _initial_state(case: Case) -> Array:
    return np.zeros((case.N, case.M)) if case.h0 is None else case.h0.astype(np.float64)


def _chain(case: Case, p: Precision, x: Array) -> Chain:
    w, _, _ = _inexact_weights(case, p)
    return Chain(
        Inexact(x, p), w, Inexact(_initial_state(case), p), _active(case), case.spec.activation, case.spec.cell
    )


def _steps(case: Case, p: Precision, states: Array, through_head: bool) -> Finding:
    """Base and induction step."""
    expected, radius, certain_nan = induction(_chain(case, p, case.x.astype(np.float64)), states)
    held = ~_active(case)[..., None]
    if through_head and p.operand:
        radius = np.where(held, radius, radius + p.operand * np.abs(expected))
    # A held step has its predecessor's number to the bit; the first one has what it is given, as well as it can.
    given = _given(case, p, _initial_state(case), through_head)
    radius[:, 0] = np.where(held[:, 0], given, radius[:, 0])
    return Finding("state", states, expected, radius, 0, certain_nan)


def _between_runs(case: Case, p: Precision, steps: Finding) -> Finding:
    """Pass over what is no step from the state shown before it, but may well come of another run's.

    Whoever multiplies the inputs of all steps at once may round them otherwise in a longer run. So a state breaks only
    if it is outside of the bound of a whole run, too; where that bound is not sharp, it is undetermined.
    """
    expected, bound, size = free_run(_chain(case, p, case.x.astype(np.float64)))
    bound = bound + p.operand * np.abs(expected)
    possible = (np.abs(steps.got - expected) <= bound) | np.isinf(bound)
    passed = (steps.ratio()[0] > 1) & possible & ~_poisoned(case)[..., None]
    bound = sharp_enough(p, steps.got, expected, bound, size.max(-1, keepdims=True))
    return replace(
        steps,
        expected=np.where(passed, expected, steps.expected),
        radius=np.where(passed, bound, steps.radius),
        certain_nan=steps.certain_nan & ~passed,
    )


def _unseen(case: Case, steps: Finding) -> npt.NDArray[np.bool_]:
    """Where NaN hides the states, ``(N, T)``: an identity head makes NaN of all units of a step beside an infinite one.

    After such a step anything may come, and what comes may be hidden again.
    """
    begins = np.asarray((~np.isfinite(steps.radius) & ~steps.certain_nan).any(-1) & _active(case))
    nan = np.asarray(np.isnan(steps.got).any(-1))
    unseen = np.zeros((case.N, case.T + 1), bool)  # the last one is before the first
    for t in range(case.T):
        unseen[:, t] = nan[:, t] & (begins[:, t] | unseen[:, t - 1])
    return unseen[:, :-1]


def _given(case: Case, p: Precision, h0: Array, through_head: bool) -> Array:
    """How far a state that is only stored, and perhaps shown through a head, may be from the case's own."""
    coarser = p.unit > case.spec.precision.unit
    rounding = (p.unit if coarser else 0.0) + (p.operand if through_head else 0.0)
    radius = rounding * np.abs(h0) + np.where(h0 == 0, 0.0, p.tiny if coarser else 0.0)
    return np.where(coarser & (np.abs(h0) * (1 + p.unit) > p.largest), np.inf, radius)


def _head(case: Case, p: Precision, states: Array, outputs: Array, every: bool) -> Finding:
    """The head, on the states that were shown."""
    first = 0 if every else case.T - 1
    states = layer_output(_active(case), states)[:, first:]
    _, Wo, bo = _inexact_weights(case, p)
    seen = case.spec.cell.readout(Inexact(states, p, lost_when_shown(states, p)), case.spec.activation)
    y = case.spec.head_activation(seen @ Wo + bo).closed()
    certain_nan = np.asarray(np.isnan(states).any(-1, keepdims=True) | y.nan)
    got = outputs if every else outputs[:, None]
    zeroed = zero_of_nan(case.spec.head_activation, certain_nan, got)
    expected, radius = np.where(zeroed, 0.0, y.value), np.where(zeroed, 0.0, y.radius)
    return Finding("output", got, expected, radius, first, certain_nan & ~zeroed)


def _trajectory(case: Case, p: Precision, outputs: Array, every: bool) -> Finding:
    """The outputs, under the bound that follows every error through the whole run."""
    first = 0 if every else case.T - 1
    expected, radius, scale = trajectory_bound(case, p, first)
    got = outputs if every else outputs[:, None]
    radius = sharp_enough(p, got, expected, radius, scale)
    stays = case.spec.activation.keeps_nan and case.spec.head_activation.keeps_nan
    certain_nan = _poisoned(case)[:, first:, None] & (stays | np.isnan(got))
    certain_nan = certain_nan | (np.isnan(expected) & np.isfinite(radius))
    return Finding("output", got, expected, radius, first, certain_nan)


def _poisoned(case: Case) -> npt.NDArray[np.bool_]:
    """From which step on a NaN has come in, ``(N, T)``."""
    return np.asarray(np.logical_or.accumulate(np.isnan(case.x).any(-1) & _active(case), axis=1))


def _active(case: Case) -> npt.NDArray[np.bool_]:
    return np.ones((case.N, case.T), bool) if case.mask is None else case.mask


def trajectory_bound(case: Case, p: Precision, first: int = 0) -> tuple[Array, Array, Array]:
    """Outputs of the recurrence, and how far a correct implementation's may be from them: :func:`~.chain.free_run`.

    Returns
    -------
    expected, radius, scale : (N, T - first, K) arrays
    """
    _, Wo, bo = _inexact_weights(case, p)
    return free_run(_chain(case, p, case.x), (Wo, bo, case.spec.head_activation), first)


def _verdict(case: Case, way: str, findings: list[Finding], one_run: bool) -> Verdict:
    step_broken = np.zeros((case.N, case.T), bool)
    judged = case.N * case.T if way != LAST_OUTPUT else case.N
    for finding in findings:
        step_broken[:, finding.first :] |= finding.broken
    seen = way == INDUCTION and one_run
    return Verdict.of(findings, way, int(step_broken.sum()), judged, step_broken, seen_states=seen)


def _has_identity_head(case: Case) -> bool:
    """Whether the outputs *are* the states."""
    return (
        case.K == case.M
        and case.spec.head_activation.name == "linear"
        and not case.bo.any()
        and type(case.spec.cell).readout is SimpleRNN.readout
        and np.array_equal(case.Wo, np.eye(case.M))
    )
