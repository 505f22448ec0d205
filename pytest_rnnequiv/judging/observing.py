"""Ask an implementation about a case in the strongest way that it allows.

Whoever shows states is judged by induction. Whoever shows outputs only, but takes any weights, can be *made* to show
its states: under the identity head (``K = M``, ``Wo = I``, ``bo = 0``) its outputs are its states, and run on every
prefix ``x[:, :t]`` even an implementation that shows nothing but its last output shows all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.layers import RNN
from ..model.spec import Layer
from ..model.trajectory import Assembled, BadAnswer, ShownLayer, Trajectory, shape_of
from .inspection import INDUCTION, LAYER_BY_LAYER, inspection
from .nominal import nominal
from .oracle import judge, judge_all
from .verdict import Verdict

__all__ = ["PREFIXES", "Asking", "Observation", "judge_observations", "observe", "settle", "would_help"]

#: The way of an implementation that shows outputs only and was run on every prefix.
PREFIXES = "prefixes"


@dataclass(frozen=True, eq=False)
class Observation:
    """What was seen of an implementation on one case.

    Attributes
    ----------
    case : Case
    trajectory : Trajectory
        With states wherever they could be obtained.
    way : str or None
        ``"prefixes"`` where the states were obtained by prefixes.
    runs : tuple of (Case, Trajectory)
        The runs that were really made; a mistake has to explain each of them.
    """

    case: Case
    trajectory: Trajectory
    way: str | None
    runs: tuple[tuple[Case, Trajectory], ...]
    #: What it was judged, by which arithmetic: a failure is asked for by all who tell of it.
    _judged: list[tuple[Precision | None, Verdict]] = field(default_factory=list, init=False, repr=False)

    @classmethod
    def of(cls, case: Case, trajectory: Trajectory) -> Observation:
        """What one run showed, as it is."""
        return cls(case, trajectory, None, ((case, trajectory),))

    def judge(self, precision: Precision | None = None) -> Verdict:
        """Judge it in the strongest way."""
        for asked, verdict in self._judged:
            if asked is precision:
                return verdict
        return self.noted(judge(self.case, self.trajectory, precision), precision)

    def noted(self, verdict: Verdict, precision: Precision | None = None) -> Verdict:
        """Return the verdict on its trajectory, with the way in which the trajectory was obtained."""
        if self.way and verdict.way in (INDUCTION, LAYER_BY_LAYER):
            if verdict.different and not self.case.spec.plain:
                verdict = self._unless_in_no_run(verdict, precision)
            verdict = replace(verdict, way=self.way)
        self._judged.append((precision, verdict))
        return verdict

    def leaves_head_open(self, verdict: Verdict) -> bool:
        """Whether the outputs do not follow from states that were shown by another head: see :func:`settle`."""
        case, place = self.case, verdict.place
        if self.way != PREFIXES or not case.spec.plain or place is None or place.what != "output":
            return False
        return bool(case.K != case.M)

    def _unless_in_no_run(self, verdict: Verdict, precision: Precision | None) -> Verdict:
        """Keep a verdict that is different only if one of the runs is different by itself.

        A layer that was seen in a run of its own may have been rounded differently in the run of the next layer.
        """
        worst = 0.0
        for case, shown in self.runs:
            one = judge(case, shown, precision)
            if one.different:
                return verdict
            worst = max(worst, one.error_over_bound)
        return Verdict(
            "inconclusive",
            error_over_bound=worst,
            steps=verdict.steps,
            undetermined=verdict.undetermined,
            problem="each run by itself may be right, and no layer follows from what another run has shown",
        )


def judge_observations(seen: Sequence[Observation], precision: Precision | None = None) -> list[Verdict]:
    """Judge each in the strongest way; those of one spec and shape at once."""
    verdicts = judge_all([each.case for each in seen], [each.trajectory for each in seen], precision)
    return [each.noted(verdict, precision) for each, verdict in zip(seen, verdicts, strict=True)]


def would_help(seen: Observation, precision: Precision | None = None) -> list[str]:
    """Find out what more an implementation would have to show, for a case to be conclusive.

    What a right one would show is judged as it would be.

    Returns
    -------
    list of str
        ``"every output"`` and ``"states"``, each where it would help.
    """
    case, shown = seen.case, seen.trajectory
    if any(layer is not None for call in shown.each_call for layer in call.shown_layers):
        return []
    p = case.spec.precision if precision is None else precision
    with np.errstate(all="ignore"):
        right = nominal(case, p)
    more = {"states": right}
    if shape_of(shown.outputs) != shape_of(right.outputs):
        more = {"every output": Trajectory.of_calls([Trajectory(call.outputs) for call in right.each_call]), **more}
    return [what for what, each in more.items() if not judge(case, each, p).undetermined]


#: Longer cases are not run on every prefix: that many runs would take too long.
MOST_PREFIXES = 64


@dataclass(frozen=True)
class Asking:
    """What an implementation can be asked, beside the case itself.

    Parameters
    ----------
    any_weights : bool
        Whether it takes any weights.
    any_length : bool
        Whether it takes any number of time steps.
    takes : callable
        Whether it takes a case of another model: with other outputs, of some of the layers, with the outputs of every
        step.
    """

    any_weights: bool = True
    any_length: bool = True
    takes: Callable[[Case], bool] = lambda case: case.spec.plain


#: What an implementation can be asked that takes any plain case.
ANYTHING = Asking()


def observe(
    run: Callable[[Case], Any],
    case: Case,
    asking: Asking = ANYTHING,
    *,
    first: Trajectory | None = None,
    precision: Precision | None = None,
    settled: bool = True,
) -> Observation:
    """Run an implementation on a case, and on more where that makes it show its states.

    Parameters
    ----------
    run : callable
        Case -> outputs or Trajectory.
    asking : Asking
        What else it can be asked.
    first : Trajectory, optional
        What it showed of the case itself, if it has already been run.
    precision : Precision, optional
        The arithmetic that it declares.
    settled : bool
        Whether to judge what is seen, and to :func:`settle` it where need be; otherwise the caller does that.

    Returns
    -------
    Observation
        Where something is wrong with an answer, whatever was seen until then; :meth:`Observation.judge` says what.
    """
    first = _shown(run(case)) if first is None else first
    plain = Observation.of(case, first)
    identity = asking.any_weights and (precision is None or precision.keeps_identity)
    if not identity or len(case.calls) > 1 or first.shown_layers or not _fits(first, case):
        return plain
    if not case.spec.plain:
        return _by_layers(run, case, asking, plain)
    bare = case.with_identity_head()
    if not asking.takes(bare):
        return plain
    if np.ndim(first.outputs) == 3:
        shown = _shown(run(bare))
        if not _fits(shown, bare, 3):
            return Observation.of(bare, shown)
        states = Assembled(first.outputs, shown.outputs)
        seen = Observation(case, states, PREFIXES, (*plain.runs, (bare, shown)))
        return _settled(run, seen, precision) if settled else seen
    if not asking.any_length or case.T > MOST_PREFIXES:
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
    shown = Assembled(first.outputs, np.stack(last, axis=1), separate_runs=True)
    seen = Observation(case, shown, PREFIXES, tuple(runs))
    return _settled(run, seen, precision) if settled else seen


def _settled(run: Callable[[Case], Any], seen: Observation, precision: Precision | None) -> Observation:
    return settle(run, seen) if seen.leaves_head_open(seen.judge(precision)) else seen


def settle(run: Callable[[Case], Any], seen: Observation) -> Observation:
    """Where the outputs do not follow from the states, obtain the states again, by a head of the case's own shape.

    A compiler that takes recurrence and head as a whole may round the states differently where there are other outputs.
    So the states behind the outputs are seen only with as many outputs: K units at a time.
    """
    case, outputs = seen.case, seen.trajectory.outputs
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
    return replace(seen, trajectory=seen.trajectory.replace(states=states), runs=tuple(runs))


def _by_layers(run: Callable[[Case], Any], case: Case, asking: Asking, plain: Observation) -> Observation:
    """Obtain the output of each layer from the model that ends with it."""
    runs, layers = list(plain.runs), list[ShownLayer | None]()
    for i in range(len(case.spec.layers)):
        asked = _ending_at(case, i)
        if asked is None or not asking.takes(asked):
            layers.append(None)
            continue
        shown = _shown(run(asked))
        runs.append((asked, shown))
        if not _fits(shown, asked):
            return Observation.of(asked, shown)
        layers.append(_shown_layer(case.spec.layers[i], np.asarray(shown.outputs)))
    if not any(layers):
        return plain
    trajectory = Assembled(plain.trajectory.outputs, layers=tuple(layers), separate_runs=True)
    return Observation(case, trajectory, PREFIXES, tuple(runs))


def _shown_layer(layer: Layer, output: Any) -> ShownLayer:
    """What the outputs of every step show of a layer."""
    one = isinstance(layer, RNN) and len(layer.cells) == 1 and not layer.zero_output_for_mask
    return ShownLayer(output if layer.return_sequences else None, output if one else None)


def _ending_at(case: Case, i: int) -> Case | None:
    """The model that ends with layer `i`, under an identity head; None where nothing would be seen by it."""
    layer = case.spec.layers[i]
    if isinstance(layer, RNN):
        layer = layer.replace(return_sequences=True)
    elif not layer.return_sequences or layer.merge_mode is None:
        return None
    spec = replace(case.spec, layers=(*case.spec.layers[:i], layer), head=None)
    (call,) = case.calls
    call = call.replace(states=call.states[: len(spec.state_shapes(call.N))])
    return Case(spec, weights=case.weights[: len(spec.weight_shapes)], calls=(call,)).with_identity_head()


def _shown(answer: Any) -> Trajectory:
    try:
        return Trajectory.of(answer)
    except BadAnswer:
        return Trajectory(None)


def _fits(trajectory: Trajectory, case: Case, ndim: int | None = None) -> bool:
    """Whether it is an answer to the case; and if asked for, one with outputs of the last or of every step."""
    if ndim is not None and len(shape_of(trajectory.outputs)) != ndim:
        return False
    try:
        inspection(case, trajectory).check()
    except BadAnswer:
        return False
    return True
