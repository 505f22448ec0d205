"""One recurrence with its bounds: what is left of a layer without its options.

A :class:`Chain` has an input, exact or not, weights, states to begin with and a mask, in the order of processing. Two
things can be asked of it: what each state should be, given the states that were shown before it (:func:`induction`),
and, where no states are shown, what they should be at all (:func:`free_run`). An :class:`Enclosure` does the second for
all recurrences of a case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.affine import Affine
from ..arithmetic.arrays import of_shape, some, where
from ..arithmetic.inexact import Inexact, Radius, choose
from ..arithmetic.per_case import PerCase
from ..arithmetic.precision import Precision
from ..arithmetic.ties import Ties, all_runs
from ..arithmetic.zonotope import Zonotope
from ..cells.cell import Cell, CellWeights
from ..model.call import Call
from ..model.case import Case
from ..model.forward import Walk
from ..model.layers import RNN, Bidirectional
from ..model.pack import agreed
from ..model.spec import Place
from ..model.trajectory import Trajectory
from ..model.wiring import RIGHT, Wiring
from .verdict import telling

__all__ = [
    "Chain",
    "Enclosure",
    "Run",
    "free_run",
    "induction",
    "keeping_nan",
    "kept_states",
    "lost_when_shown",
    "run_that_shows",
    "zero_of_nan",
]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chain:
    """One recurrence.

    Parameters
    ----------
    x : Inexact, (N, T, D)
    w : CellWeights of Inexact
    start : tuple of Inexact, (N, M)
        Its states before the first step.
    mask : (N, T) bool array
    activation : Activation
    cell : Cell
    wiring : Wiring
    cases : int
        How many cases the samples belong to.
    """

    x: Inexact
    w: CellWeights
    start: tuple[Inexact, ...]
    mask: Bools
    activation: Activation
    cell: Cell
    wiring: Wiring = RIGHT
    cases: int = 1

    @property
    def precision(self) -> Precision:
        """The arithmetic of the implementation that is judged."""
        return self.x.precision


def induction(chain: Chain, shown: Array) -> tuple[Array, Array, Bools, tuple[Inexact, ...]]:
    """Base and induction step: every state from its own predecessor.

    The states that the cell has beside the shown one (an LSTM's ``c``) are enclosed on the way. Each step takes the
    shown state as it was shown, so no error of that travels.

    Parameters
    ----------
    shown : (N, T, M) array
        The first state after every step.

    Returns
    -------
    expected, radius : (N, T, M) arrays
        A masked step must repeat the state before it to the bit; a masked first step, the initial state.
    certain_nan : (N, T, M) bool array
        Where NaN, and nothing else, is right.
    unseen : tuple of Inexact, (N, M)
        The other states after the last step.
    """
    wiring = chain.wiring
    h0, x = chain.start[0].closed(), wiring.cell_input(chain.x.closed(), chain.mask).closed()
    previous = np.concatenate([h0.value[:, None], shown[:, :-1]], axis=1)
    before = Inexact(previous, x.precision, _before(h0, lost_when_shown(shown[:, :-1], x.precision), previous))
    if len(chain.cell.states) == 1:
        (h,) = kept_states(chain.cell.step(x, (before,), chain.w, chain.activation))
        unseen = tuple[Inexact, ...]()
    else:
        h, unseen = _enclosed(chain, x, before)
    expected, bound = h.value, telling(shown, h.value, h.bound, _reach(chain, len(shown)))
    certain_nan = h.nan
    if some(np.isnan(x.value)) or some(np.isnan(previous)):
        certain_nan = certain_nan | x.nan.any(-1, keepdims=True) | before.nan.any(-1, keepdims=True)
    if some(zeroed := zero_of_nan(chain.activation, certain_nan, shown)):
        expected, bound, certain_nan = (
            np.where(zeroed, 0.0, expected),
            np.where(zeroed, 0.0, bound),
            certain_nan & ~zeroed,
        )
    hold = ~wiring.state_mask(chain.mask)[..., None]
    if some(hold):
        # A held state is its predecessor to the bit; in the first step that is the given state, as far as it is known.
        kept = wiring.held_state(previous)
        expected, bound = np.where(hold, kept, expected), np.where(hold, _before(h0, 0.0, previous), bound)
        certain_nan = np.where(hold, np.isnan(kept), certain_nan)
    return expected, bound, certain_nan, unseen


def _reach(chain: Chain, N: int) -> Any:
    """How wide the range of a state is: that of the activation, or of what a projection makes of it."""
    span, Wr = chain.activation.span, getattr(chain.w, "Wr", None)
    if Wr is None:
        return span
    reach = np.maximum(np.abs(Wr.value).sum(-2), chain.precision.unit)
    return span * (reach if reach.ndim == 1 else np.repeat(reach, N // chain.cases, axis=0)[:, None])


def _enclosed(chain: Chain, x: Inexact, before: Inexact) -> tuple[Inexact, tuple[Inexact, ...]]:
    """Enclose the first state after each step, given the state shown before it; and the other states after the last."""
    others = tuple(state.closed() for state in chain.start[1:])
    value, radius = np.empty(before.shape), np.empty(before.shape)
    for t in range(chain.mask.shape[1]):
        h, *new = kept_states(chain.cell.step(x[:, t], (before[:, t], *others), chain.w, chain.activation))
        value[:, t], radius[:, t] = h.value, h.bound
        on = chain.mask[:, t, None]
        others = tuple(choose(on, one, old) for one, old in zip(new, others, strict=True))
    return Inexact(value, chain.precision, radius), others


def kept_states(states: Sequence[Any]) -> list[Any]:
    """States as they are kept: the first one in its own format, an LSTM's cell state as a sum."""
    first, *others = (state.closed() for state in states)
    return [first.kept_as("states"), *(other.kept_as("sums") for other in others)]


def _before(h0: Inexact, of_shown: Radius, previous: Array) -> Radius:
    """Return bounds of the states before each step: of the given one, and of those that were shown."""
    if h0.exact and isinstance(of_shown, float):
        return 0.0
    radius = np.zeros_like(previous)
    radius[:, 1:] = of_shown
    radius[:, 0] = h0.radius
    return radius


def lost_when_shown(shown: Array, p: Precision) -> Radius:
    """How far the number that a port computes with may be from the one that it shows, where that is near zero.

    It may compute in wider numbers. Away from zero that is a rounding, for which every sum has room
    (:meth:`~.inexact.Inexact.closed`). Numbers that were printed may be off by half a unit of the last decimal.
    """
    if "states" in p.formats:  # what is kept is what is shown
        return np.full(shown.shape, p.shown) if p.shown else 0.0
    small = np.abs(shown) <= p.tiny
    lost = np.where(small, p.tiny * (p.unit if p.subnormals else 1.0), 0.0) if some(small) else 0.0
    return lost + np.full(shown.shape, p.shown) if p.shown else lost


def zero_of_nan(activation: Activation, certain_nan: Bools, got: Array) -> Bools:
    """Where a NaN that went in came out as 0, which some functions may make of it."""
    return np.zeros((), bool) if activation.keeps_nan else np.asarray(certain_nan & (got == 0))


#: The weights and the activation of each Dense layer, ``(Wo, bo, activation)``, by which states become outputs.
HeadWeights = Sequence[tuple[Inexact, Inexact, Activation]]


@dataclass(frozen=True, eq=False)
class Run:
    """What a recurrence whose states are not seen should give, with bounds.

    Attributes
    ----------
    states : Inexact, (N, T, M)
        Its first state after every step.
    finals : list of Inexact, (N, M)
        All its states after the last step.
    outputs : Inexact, (N, T - first, K), or None
        The outputs of the head, where one was given.
    scale : array of that shape
        The sum of the absolute terms of each output: the size that an error has to be compared with.
    """

    states: Inexact
    finals: list[Inexact]
    outputs: Inexact | None = None
    scale: Any = None


def free_run(chain: Chain, head: HeadWeights | None = None, first: int = 0, ties: Ties | None = None) -> Run:
    """Compute states and, with a head, outputs of a recurrence, and how far those of a correct implementation may be.

    Every step is the source of an error that travels on, through the *signed* product of the following steps' matrices,
    so that a contracting recurrence forgets it: the step is made on :class:`~.affine.Affine` numbers, whose generators
    are those of a :class:`~.zonotope.Zonotope` over all states of the cell. So time is linear in the number of steps.
    Chaos makes the bound wide, never wrong.

    Parameters
    ----------
    head : sequence of (Wo, bo, activation), optional
        Gives the outputs beside the states.
    first : int
        The step whose output is the first.
    ties : Ties, optional
        What decides where a number may be rounded to either of two neighbours.
    """
    cell, p, wiring = chain.cell, chain.precision, chain.wiring
    x = wiring.cell_input(chain.x.closed(), chain.mask)
    if ties is not None:
        p = replace(p, ties=ties)
        x = x.decided_by(p)
    on_at = wiring.state_mask(chain.mask)
    states = [state.closed() for state in chain.start]
    begin = np.concatenate([np.broadcast_to(h.radius, h.shape) for h in states], axis=-1)
    errors = Zonotope(begin, agreed(np.asarray(~begin.any(-1)), chain.cases), chain.cases)
    shown: list[Inexact] = []
    outputs: list[Inexact] = []
    scale: list[Array] = []
    for t in range(on_at.shape[1]):
        on = on_at[:, t, None]
        before = _with_errors(states, errors, p)
        after = tuple(kept_states(cell.step(Affine(x[:, t].closed()), before, chain.w, chain.activation)))
        if not on.all():
            pairs = zip(after, before, strict=True)
            after = tuple(choose(on, new, wiring.held_state(old)) for new, old in pairs)
        states = _carried_on([new.closed() for new in after], errors)
        shown.append(states[0])
        if head is None or t < first:
            continue
        # A layer puts out zeros as long as all is masked, whatever its state is.
        begun = np.asarray(chain.mask[:, : t + 1].any(1, keepdims=True))
        y, size = _headed(choose(begun, _with_errors(states, errors, p)[0], 0.0), head)
        outputs.append(y)
        scale.append(size)
    whole = _stacked(shown)
    return Run(whole, states) if head is None else Run(whole, states, _stacked(outputs), np.stack(scale, 1))


def run_that_shows(chain: Chain, head: HeadWeights, first: int, got: Array, most: int) -> Run:
    """Follow the run whose outputs are nearest to those that were shown, where roundings may have several outcomes.

    The states enclose those of all runs. Where there are more than `most` runs, so do the outputs.
    """
    whole = free_run(chain, head, first)
    assert whole.outputs is not None
    if not chain.precision.formats or not some(bound := whole.outputs.bound):
        return whole
    # what is outside is none of the runs, and what is narrow need not be told from others
    several = (np.abs(got - whole.outputs.value) <= bound).all(axis=(1, 2)) & _blunt(whole.outputs, whole.scale)
    if not some(several):
        return whole
    if chain.precision.joins_samples:  # what one sample meets moves the scale of all
        several = np.array([several.any()])
    runs, known = all_runs(lambda ties: free_run(chain, head, first, ties), several, most)
    value, bound, scale = whole.outputs.value.copy(), whole.outputs.bound.copy(), np.array(whole.scale)
    best = np.full(len(got), np.inf)
    for run, new in runs:
        y = run.outputs
        assert y is not None
        off = np.nan_to_num(np.abs(got - y.value) / y.bound, nan=np.inf).max(axis=(1, 2))
        off = np.where((got == y.value).all(axis=(1, 2)), 0.0, off)
        better = known & new & ((off < best) | np.isinf(best))
        best = np.where(better, off, best)
        value[better], bound[better], scale[better] = y.value[better], y.bound[better], np.asarray(run.scale)[better]
    return replace(whole, outputs=Inexact(value, whole.outputs.precision, bound), scale=scale)


def _blunt(outputs: Inexact, scale: Array) -> Bools:
    """Which samples may have several outcomes: their bounds are wider than a few roundings of the outputs."""
    size = np.maximum(scale, np.abs(outputs.value))
    return np.asarray((outputs.bound > 64 * outputs.precision.quantizer * size).any(axis=(1, 2)))


def _stacked(steps: list[Inexact]) -> Inexact:
    values, radii = (np.stack(each, 1) for each in ([h.value for h in steps], [h.bound for h in steps]))
    return Inexact(values, steps[0].precision, radii)


def _with_errors(states: list[Inexact], errors: Zonotope, p: Precision) -> tuple[Affine, ...]:
    """Return states with their shares of the errors that travel."""
    if p.formats and not some(errors.generators):  # known numbers are rounded to known numbers
        return tuple(Affine(Inexact(h.value, p)) for h in states)
    ends = np.cumsum([h.shape[-1] for h in states[:-1]])
    generators = np.split(errors.generators, ends, axis=-1) if len(states) > 1 else [errors.generators]
    return tuple(Affine(Inexact(h.value, p), g) for h, g in zip(states, generators, strict=True))


def _carried_on(after: list[Affine], errors: Zonotope) -> list[Inexact]:
    """Let the errors travel on by one step, add what the step adds, and return the states with all of it."""
    local = [of_shape(new.centre.radius, new.shape) for new in after]
    generators = [
        np.zeros((*errors.generators.shape[:2], new.shape[-1])) if new.generators is None else new.generators
        for new in after
    ]
    errors.become(np.concatenate(generators, axis=-1))
    errors.add(np.concatenate(local, axis=-1))
    known = []
    for new, source in zip(after, local, strict=True):
        radius = new.extent + source
        known.append(Inexact(new.centre.value, new.centre.precision, where(~np.isnan(radius), radius, np.inf)))
    return known


def _headed(h: Affine, head: HeadWeights) -> tuple[Inexact, Array]:
    """Outputs of one step, and their size."""
    *hidden, (Wo, bo, activation) = head
    for W, b, f in hidden:
        h = f(h @ W + b).kept_as("outputs").closed()
    total = h @ Wo + bo
    c = total.closed().centre
    y = activation(Inexact(c.value, c.precision, c.radius + total.extent)).kept_as("outputs").closed()
    size = Wo.times(np.abs(h.centre.value), np.abs(Wo.value))
    return y, size + bo.beside(np.abs(bo.value), h.centre)


def keeping_nan(case: Case) -> Case:
    """Return the case with functions that all keep NaN; itself if its own do."""
    spec, head = case.spec, case.spec.head
    for place in spec.places:
        f = spec.direction(place).activation
        if not f.keeps_nan:
            spec = spec.with_direction(place, activation=replace(f, keeps_nan=True))
    if head is not None and not head.activation.keeps_nan:
        spec = spec.replace(head_activation=replace(head.activation, keeps_nan=True))
    if not all(dense.activation.keeps_nan for dense in spec.hidden):
        kept = [dense.replace(activation=replace(dense.activation, keeps_nan=True)) for dense in spec.hidden]
        spec = spec.replace(hidden=tuple(kept))
    return case if spec is case.spec else case.under(spec)


#: The rules of a wiring that stand between a recurrence and the head behind it.
_BEFORE_HEAD = (
    "cell_output",
    "direction_output",
    "last_output",
    "merged",
    "passed_on",
    "layer_mask",
    "dense_output",
    "head_sum",
    "head_output",
)


class Enclosure(Walk):
    """A walk with inexact numbers: what each should be, and how far a correct implementation's may be from it.

    Parameters
    ----------
    case : Case
    p : Precision
        The arithmetic of the implementation.
    wiring : Wiring
        How the parts are put together.

    Attributes
    ----------
    coarser : bool
        Whether the case's numbers are rounded when they enter.
    """

    def __init__(self, case: Case, p: Precision, wiring: Wiring = RIGHT) -> None:
        super().__init__(case, wiring)
        self.coarser = p.unit > Precision.of(case.spec.variable_dtype).unit
        self.p = replace(p, operand=max(p.operand, p.unit)) if self.coarser else p
        #: Outputs and their size, where the head was computed together with the recurrence before it.
        self._headed: tuple[Inexact, Any] | None = None

    def call(self, c: int, call: Call) -> Trajectory:
        """Make one call."""
        self._headed = None
        return super().call(c, call)

    def run(
        self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Bools, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        """Compute one recurrence with its bound."""
        chain = self._chain(direction, cell, x, start, mask, w)
        head = self._head_behind(place, direction, mask)
        run = self.followed(chain, head, 0 if direction.return_sequences else mask.shape[1] - 1)
        if head is not None:
            assert run.outputs is not None
            self._headed = run.outputs, run.scale
        return run.states, run.finals

    def followed(self, chain: Chain, head: HeadWeights | None, first: int) -> Run:
        """The run of a recurrence of which nothing was seen."""
        return free_run(chain, head, first)

    def _chain(self, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Bools, w: CellWeights) -> Chain:
        kept = tuple(kept_states(start))
        return Chain(
            x.closed().met_as_a_whole(w.Wx), w, kept, mask, direction.activation, cell, self.wiring, self.case.cases
        )

    def _head_behind(self, place: Place, direction: RNN, mask: Bools) -> Any:
        """Return the head where it follows a recurrence directly: then errors keep their signs through it."""
        spec, wiring = self.case.spec, type(self.wiring)
        if spec.head is None or place.layer < len(spec.layers) - 1 or place.cell < len(direction.cells) - 1:
            return None
        if isinstance(spec.layers[-1], Bidirectional):
            return None
        if direction.zero_output_for_mask and not agreed(mask, self.case.cases):
            return None
        if any(getattr(wiring, rule) is not getattr(Wiring, rule) for rule in _BEFORE_HEAD):
            return None
        if type(direction.kinds[place.cell]).readout is not Cell.readout:
            return None
        head = [(*self.case.head_weights(self.weight, part), dense.activation) for part, dense in spec.dense.items()]
        factors = self.p.formats.get("factors")
        whole = direction.return_sequences and factors is not None and factors.whole
        if whole and any(Wo.format is not None for Wo, *_ in head):
            return None  # it takes all states at once
        return head

    def head(self, x: Any) -> Any:
        """Compute the outputs of the head, ``(N, steps, K)``."""
        return self._head_of(self.hidden(x))[0]

    def hidden(self, x: Any) -> Any:
        """What the Dense layers before the head make of it, if the head is not computed already."""
        return x if self._headed is not None else super().hidden(x)

    def product(self, x: Any, Wo: Any) -> Any:
        """The product of a Dense layer, which takes all of its inputs at once."""
        return super().product(x.met_as_a_whole(Wo), Wo)

    def put_out(self, y: Any) -> Any:
        """The outputs of a Dense layer, as they are stored."""
        return self.stored(y.kept_as("outputs"))

    def _head_of(self, x: Any) -> tuple[Inexact, Array, Bools]:
        """Outputs of the head, their size (the sum of the absolute terms), and where NaN goes into it for certain."""
        if self._headed is not None:
            y, scale = self._headed
            return y, scale, y.nan
        Wo, bo = self.case.head_weights(self.weight)
        total = self.wiring.head_sum(self.product(x, Wo), bo)
        assert self.case.spec.head is not None
        y, scale = self.wiring.head_output(self.case.spec.head, total).kept_as("outputs").closed(), total.magnitude
        nan = total.nan | y.nan
        return (y, scale, nan) if y.ndim == 3 else (y[:, None], scale[:, None], nan[:, None])

    # ---- the arithmetic ----

    def weight(self, name: str, array: Any) -> Inexact:
        """A weight, or the inputs."""
        of_pack = self.case.cases > 1 and name in self.case.named_weights
        return (PerCase if of_pack else Inexact).weight(name, array, self.p)

    def given_state(self, array: Any) -> Inexact:
        """An initial state, as the implementation holds it."""
        value = array.astype(np.float64)
        return self._entering(value, np.full(value.shape, self.p.given) if self.p.given else 0.0)

    def _entering(self, value: Array, radius: Radius = 0.0) -> Inexact:
        """Return a given number, known to some radius, as the implementation holds it."""
        if not self.coarser:
            return Inexact(value, self.p, radius)
        size = np.abs(value) + radius
        rounding = self.p.operand * size + np.where(size == 0, 0.0, self.p.tiny)
        return Inexact(value, self.p, np.where(size * (1 + self.p.unit) > self.p.largest, np.inf, radius + rounding))

    def zeros(self, N: int, M: int) -> Inexact:
        """The initial state where none is given."""
        return Inexact(np.zeros((N, M)), self.p)

    def unknown(self, N: int, M: int) -> Any:
        """A state of which nothing is known where calls were made before the first."""
        zeros = self.zeros(N, M)
        return Inexact(zeros.value, self.p, np.full((N, M), self.p.largest)) if self.p.begun else zeros

    def stored(self, a: Any) -> Any:
        """A number, or a pair of these, whose sum is rounded."""
        return tuple(each.closed() for each in a) if isinstance(a, tuple) else a.closed()
