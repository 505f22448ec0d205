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

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .case import Case
from .cells import CellWeights, SimpleRNN
from .inexact import Inexact
from .precision import Precision
from .trajectory import BadAnswer, Trajectory, as_trajectory

__all__ = ["Place", "Verdict", "judge"]

Array = npt.NDArray[np.float64]

#: The ways in which a trajectory is judged, strongest first.
INDUCTION, EVERY_OUTPUT, LAST_OUTPUT = "induction", "every output", "last output"


@dataclass(frozen=True)
class Place:
    """Where a trajectory first breaks, and how it looks there. Indices count from 0, as NumPy's do."""

    what: str
    n: int
    t: int
    unit: int
    got: float
    expected: float
    bound: float

    @property
    def error_over_bound(self) -> float:
        """By how many times its bound the value is off; infinite for NaN."""
        if np.isnan(self.got) != np.isnan(self.expected):
            return float("inf")
        error = abs(self.got - self.expected)
        return error / self.bound if self.bound else float("inf") if error else 0.0

    def __str__(self) -> str:
        return f"{self.what} (sample {self.n}, step {self.t}, unit {self.unit})"


@dataclass(frozen=True)
class Verdict:
    """The answer about one trajectory.

    Attributes
    ----------
    status : {"equivalent", "different", "inconclusive"}
    way : str
        How it was judged: ``"induction"``, ``"prefixes"`` (induction on states that an output-only port was made to
        show), ``"every output"``, ``"last output"``; empty where the answer was no trajectory at all.
    error_over_bound : float
        The worst error of all numbers judged, as a fraction of its bound; more than 1 is different.
    place : Place or None
        The first broken step, and the worst unit of it.
    broken, steps : int
        Of how many (sample, step) pairs judged how many are broken.
    undetermined : int
        How many numbers could not be judged: the bound is too wide there, or overflow is a matter of order.
    problem : str or None
        Why the answer is no trajectory (a wrong shape, None, ...), or why nothing can be said.
    """

    status: str
    way: str = ""
    error_over_bound: float = 0.0
    place: Place | None = None
    broken: int = 0
    steps: int = 0
    undetermined: int = 0
    problem: str | None = None
    step_broken: npt.NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)

    @property
    def equivalent(self) -> bool:
        """Every number was judged, and each is within its bound."""
        return self.status == "equivalent"

    @property
    def different(self) -> bool:
        """At least one number cannot come from a correct implementation."""
        return self.status == "different"

    @property
    def inconclusive(self) -> bool:
        """Nothing is wrong that can be seen, but not everything can be seen."""
        return self.status == "inconclusive"

    def __bool__(self) -> bool:
        raise TypeError(
            "a verdict has three values: ask for .equivalent, .different or .inconclusive, or use assert_equivalent"
        )

    def __str__(self) -> str:
        if self.problem and not self.place:
            return f"{self.status}: {self.problem}"
        if self.place:
            p = self.place
            return (
                f"{self.status} ({self.way}): first broken at {p}: got {p.got:.9g}, expected {p.expected:.9g} "
                f"+- {p.bound:.2g}; {self.broken} of {self.steps} steps broken, worst error "
                f"{self.error_over_bound:.3g} times its bound"
            )
        tail = f", {self.undetermined} numbers undetermined" if self.undetermined else ""
        return (
            f"{self.status} ({self.way}): {self.steps} steps, "
            f"worst error {self.error_over_bound:.2g} of its bound{tail}"
        )


def judge(case: Case, trajectory: Any, precision: Precision | str | None = None) -> Verdict:
    """Judge what an implementation showed.

    Parameters
    ----------
    case : Case
    trajectory : Trajectory or array
        A bare array is outputs: ``(N, K)`` of the last step or ``(N, T, K)`` of every step.
    precision : Precision or str, optional
        The arithmetic that the implementation declares; by default that of the spec's dtype.

    Returns
    -------
    Verdict
        Never an exception for a bad answer: a wrong shape, an object array or NaN is *different*, with its sentence.
    """
    p = case.spec.precision if precision is None else Precision.of(precision)
    try:
        way, findings = inspect(case, as_trajectory(trajectory), p)
    except BadAnswer as problem:
        return Verdict("different", problem=str(problem), error_over_bound=float("inf"))
    with np.errstate(all="ignore"):
        return _verdict(case, way, findings)


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
    if states is None and every and _has_identity_head(case):
        states = outputs
    with np.errstate(all="ignore"):
        if states is not None:
            return INDUCTION, [
                _steps(case, p, states, through_head),
                _head(case, p, states, outputs, every),
            ]
        return way, [_trajectory(case, p, outputs, every)]


@dataclass(frozen=True)
class Finding:
    """Numbers and what they should be.

    Attributes
    ----------
    what : {"state", "output"}
    got, expected, radius : (N, T - first, units) arrays
        What was shown, what it should be, and how far it may be from that.
    first : int
        The step that the arrays begin with.
    certain_nan : bool array
        Where NaN, and nothing else, is right.
    """

    what: str
    got: Array
    expected: Array
    radius: Array
    first: int
    certain_nan: npt.NDArray[np.bool_]

    def ratio(self) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the error over its bound, and which numbers are undetermined."""
        # A held state may be infinite, and inf - inf is no error.
        error = np.where(self.got == self.expected, 0.0, np.abs(self.got - self.expected))
        # 0/0 is a number that had to be exact and is.
        ratio = np.where(error == 0, 0.0, error / self.radius)
        ratio = np.where(np.isnan(ratio), np.inf, ratio)
        undetermined = ~np.isfinite(self.radius)
        ratio = np.where(undetermined, 0.0, ratio)
        if self.certain_nan.any():
            ratio = np.where(self.certain_nan, np.where(np.isnan(self.got), 0.0, np.inf), ratio)
            undetermined &= ~self.certain_nan
        return ratio, undetermined


def _inexact_weights(case: Case, p: Precision) -> tuple[CellWeights, Inexact, Inexact]:
    def weight(name: str) -> Inexact:
        value = getattr(case, name)
        radius = p.radius.get(name)
        return Inexact(value, p, None if radius is None else np.broadcast_to(radius, value.shape))

    return CellWeights(weight("Wx"), weight("Wh"), weight("bh")), weight("Wo"), weight("bo")


def _initial_state(case: Case) -> Array:
    return np.zeros((case.N, case.M)) if case.h0 is None else case.h0.astype(np.float64)


def _steps(case: Case, p: Precision, states: Array, through_head: bool) -> Finding:
    """Base and induction step, all at once: every state from its own predecessor."""
    previous = np.concatenate([_initial_state(case)[:, None], states[:, :-1]], axis=1)
    x = case.x.astype(np.float64)
    w, _, _ = _inexact_weights(case, p)
    h = case.spec.cell.step(Inexact(x, p), Inexact(previous, p), w, case.spec.activation).closed()
    expected, radius = h.value, h.radius
    if through_head and p.operand:
        radius = radius + p.operand * np.abs(expected)
    # A NaN that goes in comes out, in whatever order the sum is taken; an infinity may or may not become one.
    certain_nan = np.isnan(x).any(-1, keepdims=True) | np.isnan(previous).any(-1, keepdims=True)
    if case.mask is not None:
        held = ~case.mask[..., None]
        expected = np.where(held, previous, expected)
        radius = np.where(held, 0.0, radius)
        # Its own number it holds to the bit; the one that it is given, as well as its arithmetic can.
        radius[:, 0] = np.where(held[:, 0], _given(case, p, previous[:, 0], through_head), radius[:, 0])
        certain_nan = np.where(held, np.isnan(previous), certain_nan)
    return Finding("state", states, expected, radius, 0, np.broadcast_to(certain_nan, states.shape))


def _given(case: Case, p: Precision, h0: Array, through_head: bool) -> Array:
    """How far a state that is only stored, and perhaps shown through a head, may be from the case's own."""
    coarser = p.unit > case.spec.precision.unit
    rounding = (p.unit if coarser else 0.0) + (p.operand if through_head else 0.0)
    radius = rounding * np.abs(h0) + np.where(h0 == 0, 0.0, p.tiny if coarser else 0.0)
    return np.where(coarser & (np.abs(h0) * (1 + p.unit) > p.largest), np.inf, radius)


def _head(case: Case, p: Precision, states: Array, outputs: Array, every: bool) -> Finding:
    """The head, on the states that were shown."""
    first = 0 if every else case.T - 1
    states = states[:, first:]
    _, Wo, bo = _inexact_weights(case, p)
    seen = case.spec.cell.readout(Inexact(states, p), case.spec.activation)
    y = case.spec.head_activation(seen @ Wo + bo).closed()
    certain_nan = np.isnan(states).any(-1, keepdims=True)
    got = outputs if every else outputs[:, None]
    return Finding("output", got, y.value, y.radius, first, np.broadcast_to(certain_nan, got.shape))


def _trajectory(case: Case, p: Precision, outputs: Array, every: bool) -> Finding:
    """The outputs, under the bound that follows every error through the whole run."""
    first = 0 if every else case.T - 1
    expected, radius, scale = trajectory_bound(case, p, first)
    # A bound that is wide beside the numbers it bounds cannot tell right from wrong, so it may not say "right".
    resolution = np.sqrt(max(p.unit, p.operand))
    got = outputs if every else outputs[:, None]
    error = np.abs(got - expected)
    blunt = (radius > resolution * scale) & ~(error > radius)
    radius = np.where(blunt, np.inf, radius)
    poisoned = np.asarray(np.maximum.accumulate(np.isnan(case.x).any(-1) & _active(case), axis=1))
    poisoned = poisoned[:, first:, None]
    return Finding("output", got, expected, radius, first, np.broadcast_to(poisoned, got.shape))


def _active(case: Case) -> npt.NDArray[np.bool_]:
    return np.ones((case.N, case.T), bool) if case.mask is None else case.mask


#: Numbers that the error window of :func:`trajectory_bound` may hold; older errors fall back on the interval bound.
WINDOW = 4_000_000


def trajectory_bound(case: Case, p: Precision, first: int = 0) -> tuple[Array, Array, Array]:
    """Outputs of the recurrence, and how far a correct implementation's may be from them.

    An implementation's state is off by ``e_t = act(a_t + Wh' e_{t-1} + d_t) - act(a_t)``, where ``d_t`` is the
    rounding of one step. Linearised, ``e_t = slope_t (Wh' e_{t-1} + d_t) + r_t``: every step is the source of an
    error that travels on through the *signed* product of the following steps' matrices, so that a contracting
    recurrence forgets it. The remainder ``r_t`` of the linearisation (Taylor, with the largest second derivative)
    enters as one more source; it depends on earlier errors only, so the bound is rigorous, not first order. Chaos
    makes it wide, never wrong.

    Returns
    -------
    expected, radius, scale : (N, T - first, K) arrays
        The outputs, the bound, and the sum of the absolute terms of each output, which is the size that an error has to
        be compared with.
    """
    spec, cell, act = case.spec, case.spec.cell, case.spec.activation
    N, M = case.N, case.M
    w, Wo, bo = _inexact_weights(case, p)
    abs_Wo, abs_bo = np.abs(Wo.value), np.abs(bo.value)
    h, E = _initial_state(case), np.zeros((N, M))
    sharp = type(cell) is SimpleRNN
    Wh, abs_Wh = w.Wh.value, np.abs(w.Wh.value)
    # sources R (N, S, M): bounds of errors; paths P (N, S, M, M): where unit i of source s is now, in unit j.
    paths, sources, old = np.zeros((N, 0, M, M)), np.zeros((N, 0, M)), np.zeros((N, M))
    expected, radius, scale = [], [], []
    for t in range(case.T):
        x = Inexact(case.x[:, t], p)
        on = np.ones((N, 1), bool) if case.mask is None else case.mask[:, t, None]
        if sharp:
            open_sum = cell.preactivation(x, Inexact(h, p), w)
            open_sum.magnitude = open_sum.magnitude + E @ abs_Wh
            if (more := _rounding_of_factors(E, w.Wh)) is not None:
                open_sum.radius = open_sum.radius + more
            a = open_sum.closed()
            travelled = paths @ Wh
            carried = np.einsum("nsi,nsij->nj", sources, np.abs(travelled)) + old @ abs_Wh
            delta = carried + a.radius
            slope, remainder = act.linearise(a.value, delta)
            # the activation's own error; its argument's error is counted above
            own = act(Inexact(a.value, p)).radius + act.ulps * p.unit * act.spread(a.value, delta)
            source = np.where(np.isfinite(delta), np.abs(slope) * a.radius + remainder + own, np.inf)
            travelled = travelled * slope[:, None, None, :]
            new_old = (old @ abs_Wh) * np.abs(slope)
            if case.mask is not None:
                source = np.where(on, source, 0.0)
                travelled = np.where(on[:, None, None], travelled, paths)
                new_old = np.where(on, new_old, old)
            paths, sources, old = _with_source(travelled, sources, new_old, source)
            E = np.einsum("nsi,nsij->nj", sources, np.abs(paths)) + old
            new = act.function(a.value)
        else:
            step = cell.step(x, Inexact(h, p, E), w, act).closed()
            new, new_E = step.value, step.radius
            E = np.where(on, new_E, E)
        h = np.where(on, new, h)
        E = np.where(np.isnan(E), np.inf, E)
        if t < first:
            continue
        if sharp:
            carried = np.einsum("nsi,nsik->nk", sources, np.abs(paths @ Wo.value)) + old @ abs_Wo
            y = Inexact(h, p) @ Wo + bo
            y.magnitude = y.magnitude + E @ abs_Wo
            if (more := _rounding_of_factors(E, Wo)) is not None:
                y.radius = y.radius + more
            y = y.closed()
            y = Inexact(y.value, p, y.radius + carried)
        else:
            y = (cell.readout(Inexact(h, p, E), act) @ Wo + bo).closed()
        y = spec.head_activation(y).closed()
        expected.append(y.value)
        radius.append(np.where(np.isnan(y.radius), np.inf, y.radius))
        scale.append(np.abs(h) @ abs_Wo + abs_bo)
    return np.stack(expected, 1), np.stack(radius, 1), np.stack(scale, 1)


def _rounding_of_factors(error: Array, weight: Inexact) -> Array | None:
    """What the uncertainty of both factors adds to an error on its way through a product; None for nothing."""
    p = weight.precision
    if weight.radius is None and not p.operand:
        return None
    absolute = np.abs(weight.value)
    radius = p.operand * absolute
    if weight.radius is not None:
        radius = radius + weight.radius * (1 + p.operand)
    added: Array = error @ (radius + p.operand * (absolute + radius))
    return added


def _with_source(paths: Array, sources: Array, old: Array, source: Array) -> tuple[Array, Array, Array]:
    """Add a source at the present step; the oldest ones leave the window for the interval bound when it is full."""
    N, S, M = sources.shape
    room = max(1, WINDOW // (N * M * M))
    if room <= S:
        drop = S + 1 - room
        old = old + np.einsum("nsi,nsij->nj", sources[:, :drop], np.abs(paths[:, :drop]))
        paths, sources = paths[:, drop:], sources[:, drop:]
    here = np.broadcast_to(np.eye(M), (N, 1, M, M))
    return np.concatenate([paths, here], 1), np.concatenate([sources, source[:, None]], 1), old


def _verdict(case: Case, way: str, findings: list[Finding]) -> Verdict:
    step_broken = np.zeros((case.N, case.T), bool)
    worst, undetermined, place = 0.0, 0, None
    judged = case.N * case.T if way != LAST_OUTPUT else case.N
    for finding in findings:
        ratio, unknown = finding.ratio()
        undetermined += int(unknown.sum())
        worst = max(worst, float(ratio.max(initial=0.0)))
        broken: npt.NDArray[np.bool_] = np.asarray((ratio > 1).any(-1))
        if not broken.any():
            continue
        step_broken[:, finding.first :] |= broken
        if place is None:
            t = int(broken.any(0).argmax())
            n = int(broken[:, t].argmax())
            unit = int(ratio[n, t].argmax())
            got, expected, radius = (float(a[n, t, unit]) for a in (finding.got, finding.expected, finding.radius))
            if finding.certain_nan[n, t, unit]:
                expected = float("nan")
            place = Place(finding.what, n, t + finding.first, unit, got, expected, radius)
    status = "different" if place else "inconclusive" if undetermined else "equivalent"
    problem = None
    if status == "inconclusive":
        problem = (
            f"{undetermined} of the numbers cannot be judged ({way}): "
            + (
                "overflow there is a matter of the order of summation"
                if way == INDUCTION
                else "a correct implementation may be this far off, since the recurrence amplifies rounding"
            )
            + ("" if way == INDUCTION else "; show the states to be judged step by step")
        )
    return Verdict(
        status,
        way,
        worst,
        place,
        int(step_broken.sum()),
        judged,
        undetermined,
        problem,
        step_broken,
    )


def _has_identity_head(case: Case) -> bool:
    """Whether the outputs *are* the states."""
    return (
        case.K == case.M
        and case.spec.head_activation.name == "linear"
        and not case.bo.any()
        and type(case.spec.cell).readout is SimpleRNN.readout
        and np.array_equal(case.Wo, np.eye(case.M))
    )
