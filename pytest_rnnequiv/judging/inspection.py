"""Set what was shown of a run beside what should have been shown, number by number: the evidence of a verdict.

A walk through the model takes what an implementation showed in the place of what it would compute. What was seen of a
layer is the input of the next one; what was not seen is computed, with a bound that travels on. How a verdict comes of
it, and why that is a proof, is in :mod:`.oracle`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.arrays import of_shape, some, where
from ..arithmetic.inexact import Inexact, choose
from ..arithmetic.precision import Precision
from ..arithmetic.ties import MOST_RUNS
from ..cells.cell import Cell, CellWeights
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.pack import agreed, by_case
from ..model.spec import Layer, Place
from ..model.trajectory import Assembled, BadAnswer, ShownLayer, Trajectory, floats, shape_of
from ..model.wiring import RIGHT, Unmade, Wiring, held
from .enclosure import (
    Chain,
    Enclosure,
    HeadWeights,
    Run,
    free_run,
    induction,
    keeping_nan,
    lost_when_shown,
    run_that_shows,
    zero_of_nan,
)
from .reading import Reading, apart, as_shown, every_output, unrecorded
from .verdict import Finding, Verdict, sharp_enough

__all__ = ["INDUCTION", "LAYER_BY_LAYER", "Inspection", "inspect", "inspection"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: The ways in which a trajectory is judged, strongest first.
INDUCTION, LAYER_BY_LAYER, EVERY_OUTPUT, LAST_OUTPUT = "induction", "layer by layer", "every output", "last output"


def inspect(
    case: Case, trajectory: Any, precision: Precision | str | None = None, *, wiring: Wiring = RIGHT
) -> Inspection:
    """Set every number of a trajectory beside what it should be; the arguments are those of :func:`judge`.

    Raises
    ------
    BadAnswer
        If it is no trajectory of the case.
    """
    walk = inspection(case, trajectory, precision, wiring=wiring)
    walk.calls()
    return walk


def inspection(
    case: Case,
    trajectory: Any,
    precision: Precision | str | None = None,
    *,
    wiring: Wiring = RIGHT,
    kind: type[Inspection] | None = None,
) -> Inspection:
    """Prepare what :func:`inspect` does; `kind` is a subclass of :class:`Inspection`, to inspect in another way.

    Raises
    ------
    BadAnswer
        If there is nothing to be inspected.
    """
    shown = Trajectory.of(trajectory, two_outputs=case.spec.two_outputs)
    if len(shown.each_call) != len(case.calls):
        raise BadAnswer(f"{len(shown.each_call)} calls were shown, expected {len(case.calls)}")
    p = case.spec.precision if precision is None else Precision.of(precision)
    return (kind or Inspection)(case, shown, p, wiring)


class Inspection(Enclosure):
    """An enclosure which takes what was shown in the place of what it would compute.

    Attributes
    ----------
    findings : list of Finding
        What was found, in the order of the walk.
    unseen : (cases,) bool array
        Whether something had to be judged by a bound that travels.
    """

    #: How many runs are followed where roundings of what is not seen have several outcomes.
    most_runs = MOST_RUNS

    def __init__(self, case: Case, shown: Trajectory, p: Precision, wiring: Wiring = RIGHT) -> None:
        #: Whether the model returns the output of the last step only, of which those of every step may be shown.
        self.one_output = every_output(case.spec)
        super().__init__(as_shown(case, shown), p, wiring)
        self.shown = shown
        self.findings: list[Finding] = []
        self.unseen = np.zeros(case.cases, bool)
        self._inductions = 0
        self._layers_seen = False
        self._broken = [np.zeros((call.N, call.T), bool) for call in case.calls]
        self._judged = [np.zeros(call.T, bool) for call in case.calls]
        self._reading = Reading(self.case, 0, self.one_output)
        self._skipped = False
        self._states: list[Any] = []
        self._from_outputs = False
        self._unseen_nan: Bools | None = None

    def check(self) -> list[Trajectory]:
        """Return outputs and states of each call as float64, without judging them.

        Raises
        ------
        BadAnswer
            If they are no answer at all.
        """
        calls = range(len(self.case.calls))
        return [Reading(self.case, c, self.one_output).whole(self.shown.each_call[c]) for c in calls]

    # ---- the walk ----

    def call(self, c: int, call: Call) -> Trajectory:
        """Judge one call."""
        self._reading = Reading(self.case, c, self.one_output)
        shown, spec = self.shown.each_call[c], self.case.spec
        self._skipped = len(self.case.calls) > 1 and unrecorded(shown)
        if self._skipped:  # its states are computed, and nothing is judged
            self._seen_layers = list[ShownLayer | None]([None] * len(spec.layers))
            self._outputs = None
            return super().call(c, call)
        layers = [*shown.shown_layers, *(None for _ in spec.layers[len(shown.shown_layers) :])]
        if spec.head is None:  # then the last layer's output is the model's
            layers[-1] = replace(layers[-1] or ShownLayer(), output=shown.outputs)
        self._seen_layers = layers
        self._outputs = None if spec.head is None else self._reading.outputs(shown.outputs)
        return super().call(c, call)

    def _named(self, place: Place, what: str) -> str:
        """What findings call it: with its address, where there is more than one recurrence."""
        spec = self.case.spec
        address = [] if spec.letters else spec.address(place, whole_direction=True)
        return f"{self._reading.where}{' '.join(address)}{': ' if address else ''}{what}"

    def layer(
        self, i: int, layer: Layer, x: Any, mask: Bools, start: list[Any]
    ) -> tuple[Any, list[Any], list[Any], Any]:
        """Judge one layer, and return what the next one gets."""
        seen = self._seen_layers[i]
        shown = None if seen is None or seen.output is None else self._reading.layer(i, mask.shape, seen.output)
        self._states = self._shown_states(i, layer, mask, start, seen, shown)
        before = len(self.findings)
        output, finals, returned, states = super().layer(i, layer, x, mask, start)
        self._layers_seen |= shown is not None and self.case.spec.head is not None
        if shown is not None:
            finals = self._judge_output(i, layer, mask, shown, output, finals, induced=len(self.findings) > before)
            output = tuple(map(self._seen, shown)) if isinstance(shown, tuple) else self._seen(shown)
        if seen is not None and seen.final_states is not None:
            right = type(self.wiring).final_states is Wiring.final_states
            as_shown = self._judge_finals(i, seen.final_states, finals if right else returned)
            finals = as_shown if right else finals
        return output, finals, returned, states

    def run(
        self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Bools, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        """Judge one recurrence where its states are seen, and else compute it with its bound."""
        shown = self._states[place.direction] if place.cell == len(direction.cells) - 1 else None
        if shown is None:
            return super().run(place, direction, cell, x, start, mask, w)
        return self._induction(place, self._chain(direction, cell, x, start, mask, w), shown)

    def followed(self, chain: Chain, head: HeadWeights | None, first: int) -> Run:
        """The run of a recurrence of which nothing was seen but what its head made of it."""
        if head is None or self._outputs is None:
            return super().followed(chain, head, first)
        return run_that_shows(chain, head, first, self._outputs, self.most_runs)

    def _head_behind(self, place: Place, direction: RNN, mask: Bools) -> Any:
        seen = self._seen_layers[place.layer]
        return None if seen is not None and seen.output is not None else super()._head_behind(place, direction, mask)

    def _induction(self, place: Place, chain: Chain, shown: Array) -> tuple[Any, list[Any]]:
        self._inductions += 1
        notes = self._notes
        expected, radius, certain_nan, others = induction(chain, shown)
        hold = ~chain.mask[..., None]
        if notes.through_head and self.p.operand:
            radius = np.where(hold, radius, radius + self.p.operand * np.abs(expected))
            given = np.abs(chain.start[0].closed().value)
            radius[:, 0] = np.where(hold[:, 0], radius[:, 0] + self.p.operand * given, radius[:, 0])
        travelled = self._travelled(chain.x)
        radius = self._if_travelled(travelled, shown, expected, radius + self.p.shown)
        steps = Finding(self._named(place, "state"), shown, expected, radius, 0, certain_nan)
        if notes.separate_runs and not agreed(~steps.broken, self.case.cases):
            steps = self._between_runs(chain, steps)
            self.unseen[:] = True
        if notes.through_head and np.isnan(shown).any():
            self._unseen_nan = unseen = _hidden_by_nan(chain.mask, steps)
            after = np.pad(unseen, ((0, 0), (1, 0)))[:, :-1] & chain.mask
            steps = steps.without((unseen[..., None] & np.isnan(shown)) | after[..., None])
        self._found(steps)
        states = self._seen(shown)
        return states, [states[:, -1], *others]

    @property
    def _notes(self) -> Assembled:
        """How the states were had."""
        shown = self.shown.each_call[self._reading.c]
        if isinstance(shown, Assembled):
            return shown
        return Assembled(through_head=self._from_outputs, separate_runs=False)

    def _between_runs(self, chain: Chain, steps: Finding) -> Finding:
        """Pass over what is no step from the state shown before it, but may well come of another run's.

        Whoever multiplies the inputs of all steps at once may round them otherwise in a longer run. So a state breaks
        only if it is outside of the bound of a whole run, too; where that bound is not sharp, it is undetermined.
        """
        run = free_run(chain)
        expected, bound = run.states.value, run.states.bound + self.p.operand * np.abs(run.states.value)
        possible = (np.abs(steps.got - expected) <= bound) | np.isinf(bound)
        passed = (steps.ratio()[0] > 1) & possible & ~steps.certain_nan
        bound = self._sharp(steps.got, expected, bound, np.abs(expected))
        return replace(
            steps,
            expected=np.where(passed, expected, steps.expected),
            radius=np.where(passed, bound, steps.radius),
            certain_nan=steps.certain_nan & ~passed,
        )

    def head(self, x: Any) -> Any:
        """Judge the outputs of the head."""
        head, got = self.case.spec.head, self._outputs
        if self._skipped:
            return super().head(x)
        assert head is not None
        assert got is not None
        x = self.hidden(x)
        y, scale, certain_nan = self._head_of(x)
        if y.shape != got.shape:
            raise Unmade
        if (lost := np.isnan(got) & np.isnan(y.value) & ~certain_nan).any():
            certain_nan = certain_nan | (lost & self._nan_if_kept())
        zeroed = zero_of_nan(head.activation, certain_nan, got)
        y = choose(zeroed, 0.0, y) if zeroed.any() else y
        bound = y.bound + self.p.shown
        finding = Finding(f"{self._reading.where}output", got, y.value, bound, self._first(got), certain_nan & ~zeroed)
        travelled = self._travelled(x) if self._headed is None else np.ones(self.case.cases, bool)
        if some(travelled):
            # however large the sums are, an activation's values are no larger than its range is wide
            size = np.maximum(np.minimum(scale, head.activation.span), np.abs(y.value))
            finding = replace(finding, radius=self._if_travelled(travelled, got, y.value, bound, size))
        if self._unseen_nan is not None:
            finding = finding.without(self._unseen_nan[:, finding.first :, None])
        self._found(finding)
        return y

    def _nan_if_kept(self) -> Any:
        """Where outputs are NaN for certain as long as functions keep NaN, which some need not."""
        whole = keeping_nan(self.case)
        return (
            whole is not self.case
            and Enclosure(whole, self.p, self.wiring).calls().each_call[self._reading.c].outputs.nan
        )

    def _seen(self, shown: Array) -> Inexact:
        """What was shown, as far as the implementation may go on with something else."""
        return Inexact(shown, self.p, lost_when_shown(shown, self.p))

    def _travelled(self, x: Inexact) -> Bools:
        """Whether a bound of each case has come a way, and is more than what is lost by showing a number.

        That of numbers which were printed to some decimals may be as wide.
        """
        if self.p.coarseness:
            return np.ones(self.case.cases, bool)
        if x.exact or not some(more := x.bound > self.p.tiny):
            return np.zeros(self.case.cases, bool)
        return np.asarray(by_case(more, self.case.cases).any(1))

    def _if_travelled(self, travelled: Bools, got: Array, expected: Array, radius: Array, scale: Any = None) -> Array:
        """Take away the bounds that have travelled, and are too wide to acquit, and note that they have."""
        if not some(travelled):
            return radius
        self.unseen |= travelled
        sharp = self._sharp(got, expected, radius, np.abs(expected) if scale is None else scale)
        rows = np.repeat(travelled, len(got) // self.case.cases)
        return np.asarray(where(of_shape(rows[:, None, None], got.shape), sharp, radius))

    # ---- what was shown ----

    def _shown_states(
        self, i: int, layer: Layer, mask: Bools, start: list[Inexact], seen: ShownLayer | None, shown: Any
    ) -> list[Array | None]:
        """What was seen of the states of each direction's last cell, in the order of processing; None if nothing."""
        self._from_outputs, self._unseen_nan = False, None
        spec = self.case.spec
        if seen is not None and seen.states is not None and isinstance(layer, RNN) and len(layer.cells) == 1:
            states = self._reading.states(i, mask.shape, seen.states)
            if self._notes.through_head:
                states = self._since_begun(layer, mask, start, states)
            return [states]
        if not layer.return_sequences or not self.wiring.shows_states:
            return [None, None]
        if shown is None:
            if i < len(spec.layers) - 1 or not isinstance(layer, RNN) or not self._has_identity_head(layer):
                return [None, None]
            # outputs are states
            self._from_outputs = True
            assert self._outputs is not None
            return [self._since_begun(layer, mask, start, self._outputs)]
        sides = apart(layer, shown)
        ends = np.cumsum([len(direction.state_units) for direction in layer.directions])
        found: list[Array | None] = []
        for j, (direction, own, end) in enumerate(zip(layer.directions, sides, ends, strict=True)):
            if own is None or not _puts_out_state(direction):
                found.append(None)
                continue
            on = self._mask_read(j, direction, mask)
            h0 = start[end - len(direction.kinds[-1].states)].closed().value
            found.append(held(on, own, h0))
        return found

    def _mask_read(self, j: int, direction: RNN, mask: Bools) -> Bools:
        """The mask of a direction, in the order of processing."""
        return self.wiring.direction_input(j, direction, mask[..., None], mask)[1]

    def _since_begun(self, layer: RNN, mask: Bools, start: list[Inexact], shown: Array) -> Array:
        """Outputs are states from the first step on that is not masked; before, the state is the initial one."""
        on = self._mask_read(0, layer, mask)
        begun = np.logical_or.accumulate(on, axis=1)[..., None]
        return np.where(begun, shown, start[0].closed().value[:, None])

    def _has_identity_head(self, layer: RNN) -> bool:
        """Whether the outputs *are* the states of the last layer."""
        case, head = self.case, self.case.spec.head
        if (
            head is None
            or case.spec.hidden
            or head.activation.name != "linear"
            or not self.p.keeps_identity
            or len(layer.cells) > 1
        ):
            return False
        wiring = type(self.wiring)
        if wiring.head_output is not Wiring.head_output or wiring.head_sum is not Wiring.head_sum:
            return False
        if not _puts_out_state(layer) or layer.zero_output_for_mask:
            return False
        if layer.features != head.K:
            return False
        Wo, bo = case.head_weights()
        return agreed((Wo == np.eye(head.K)).all((-2, -1)) & ~bo.any(-1), case.cases)

    # ---- what is found ----

    def _judge_output(
        self, i: int, layer: Layer, mask: Bools, shown: Any, output: Any, finals: list[Any], induced: bool
    ) -> list[Any]:
        """Compare the output of a layer, and return its final states, which may be known better now."""
        pairs = zip(shown, output, strict=True) if isinstance(shown, tuple) else [(shown, output)]
        place = Place(i, 0, 0)
        what = "output"
        if isinstance(layer, Bidirectional):
            what = "merged output" if layer.merge_mode not in ("concat", None) else "output"
        for j, (got, expected) in enumerate(pairs):
            name = self._named(place._replace(direction=j), what)
            if isinstance(layer, Bidirectional) and not isinstance(shown, tuple):
                name = f"{self._reading.where}layer{i}: {what}"
            if got.shape != expected.shape:
                raise Unmade
            exactly = induced and not (isinstance(layer, Bidirectional) and layer.merge_mode in ("sum", "ave", "mul"))
            self._compare(name, got, expected, travelled=self._travelled(expected) & (not exactly))
        if layer.return_sequences or self.wiring is not RIGHT:
            return finals
        finals = [*finals]
        end = 0
        for direction, own in zip(layer.directions, apart(layer, shown), strict=True):
            end += len(direction.state_units)
            if own is None or not _puts_out_state(direction):
                continue
            on = mask[:, ::-1] if direction.go_backwards else mask
            # then the state is what was put out
            same = on[:, -1:] if direction.zero_output_for_mask else on.any(1, keepdims=True)
            at = end - len(direction.kinds[-1].states)
            finals[at] = choose(same, self._seen(own), finals[at])
        return finals

    def _judge_finals(self, i: int, shown: Sequence[Any], finals: list[Inexact]) -> list[Inexact]:
        """Judge the final states of a layer, and return them as they were shown."""
        where = f"{self._reading.where}layer{i}"
        if len(shown) != len(finals):
            raise BadAnswer(f"{len(shown)} final states of {where} were shown, expected {len(finals)}")
        kept = []
        for k, (state, final) in enumerate(zip(shown, finals, strict=True)):
            final = final.closed()
            got = floats(f"the numbers of final state {k} of {where}", state, final.value.shape)
            travelled = self._travelled(final)
            # It may be kept in wider numbers than the outputs, or in the numbers of the weights.
            wider = max(self.p.operand, self.p.unit) * np.abs(final.value) + self.p.tiny
            final = Inexact(final.value, self.p, final.radius + wider)
            self._compare(f"{where}: final state {k}", got, final, travelled=travelled)
            kept.append(self._seen(got))
        return kept

    def _compare(self, what: str, got: Array, expected: Inexact, *, travelled: Bools) -> None:
        """Set numbers beside what they should be; `travelled` says that their bound has, and may have become wide."""
        expected = expected.closed()
        value, radius, first = expected.value, expected.bound + self.p.shown, 0
        if got.ndim == 2:
            got, value, radius = (a[:, None] for a in (got, value, radius))
            first = self._first(got)
        certain_nan = np.isnan(value) & np.isfinite(radius)
        radius = self._if_travelled(travelled, got, value, radius)
        self._found(Finding(what, got, value, radius, first, certain_nan))

    def _sharp(self, got: Array, expected: Array, radius: Array, scale: Array) -> Array:
        """Take away bounds that are too wide to acquit, of what was computed and not seen."""
        return sharp_enough(self.p, got, expected, radius, scale)

    def _first(self, got: Array) -> int:
        """The step that numbers begin with: the first, or the last one where there is but one."""
        return 0 if got.shape[1] > 1 else self.case.calls[self._reading.c].T - 1

    def _found(self, finding: Finding) -> None:
        self.findings.append(finding)
        steps = slice(finding.first, finding.first + finding.got.shape[1])
        self._broken[self._reading.c][:, steps] |= finding.broken
        self._judged[self._reading.c][steps] = True

    def verdict(self) -> Verdict:
        """Sum up what was found."""
        (verdict,) = self.verdicts()
        return verdict

    def verdicts(self) -> list[Verdict]:
        """Sum up what was found of each case."""
        cases = self.case.cases
        steps = sum(some(on) * (len(broken) // cases) for on, broken in zip(self._judged, self._broken, strict=True))
        broken = sum(by_case(each, cases).sum(1) for each in self._broken).tolist()
        first = self._broken[0]
        by_step = first.reshape(cases, len(first) // cases, first.shape[1])
        return Verdict.of_each(self.findings, self._way, broken, steps, by_step, (~self.unseen).tolist())

    @property
    def _way(self) -> str:
        """How it was judged."""
        spec = self.case.spec
        if spec.letters and self._inductions:
            return INDUCTION
        if self._layers_seen or (self._inductions and not spec.letters):
            return LAYER_BY_LAYER
        every = not self.one_output or any(len(shape_of(call.outputs)) == 3 for call in self.shown.each_call)
        return EVERY_OUTPUT if every and spec.layers[-1].return_sequences else LAST_OUTPUT


def _puts_out_state(direction: RNN) -> bool:
    """Whether the last cell of a direction puts out its first state as it is."""
    return type(direction.kinds[-1]).readout is Cell.readout


def _hidden_by_nan(mask: Bools, steps: Finding) -> Bools:
    """Where NaN hides the states, ``(N, T)``: an identity head makes NaN of all units of a step beside an infinite one.

    After such a step anything may come, and what comes may be hidden again.
    """
    begins = np.asarray((~np.isfinite(steps.radius) & ~steps.certain_nan).any(-1) & mask)
    nan = np.asarray(np.isnan(steps.got).any(-1))
    N, T = mask.shape
    unseen = np.zeros((N, T + 1), bool)  # the last one is before the first
    for t in range(T):
        unseen[:, t] = nan[:, t] & (begins[:, t] | unseen[:, t - 1])
    return unseen[:, :-1]
