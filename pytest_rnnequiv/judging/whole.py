"""Judge what a whole model puts out, whatever layers stand round the recurrent ones.

Inputs go through all layers as inexact numbers: what stands round the recurrent layers by
:mod:`~..model.around`, recurrent layers by the bound of a whole run (:mod:`.enclosure`). So nothing has to be shown but
the outputs. Where that bound is too wide to tell right from wrong, the verdict is inconclusive.

Where a file shows what it computes on the way (:mod:`.parts`), what was shown of a layer is the input of the next one,
and a recurrence is judged by induction on its states. Then no bound has a way to travel, and nothing is amplified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import Precision
from ..cells.cell import Cell, CellWeights
from ..model.around import Tensor
from ..model.call import Call
from ..model.case import Case
from ..model.forward import Computed, Walk, recurrence
from ..model.graph import Graph, Node, Recurrent, Source
from ..model.layers import RNN
from ..model.spec import Place
from ..model.trajectory import BadAnswer, floats
from ..model.wiring import RIGHT, Wiring, held
from .enclosure import Chain, Enclosure, induction, lost_when_shown
from .inspection import LAYER_BY_LAYER
from .parts import INPUTS, Parts
from .verdict import Finding, Verdict, sharp_enough

__all__ = [
    "WHOLE_MODEL",
    "Asked",
    "Change",
    "Judged",
    "Run",
    "computed",
    "enclosed",
    "first_case",
    "judge_answer",
    "judge_run",
    "judge_whole",
    "judged_run",
]

Array = npt.NDArray[Any]

#: The way in which it is judged.
WHOLE_MODEL = "whole model"

#: What a recurrent layer computes in the place of what it should: of its case, another one and its wiring.
Change = Callable[[Case], tuple[Case, Wiring] | None]


class Run(NamedTuple):
    """What a whole model was asked, and what it put out.

    Attributes
    ----------
    parts : Parts or None
        What it has shown on the way.
    """

    inputs: Sequence[Array]
    outputs: Sequence[Any]
    parts: Parts | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """What one call of a model should give.

    Attributes
    ----------
    outputs : list of Tensor
        Sums may be open.
    cases : dict of str to Case
        Of each recurrent layer, the case that its inputs make of it.
    shown : list of Finding
        What was shown on the way, beside what it should be.
    found : dict of str to bool
        Of each layer, whether what it puts out is among what was shown.
    """

    outputs: list[Tensor]
    cases: dict[str, Case]
    shown: list[Finding]
    found: dict[str, bool]

    @property
    def through(self) -> frozenset[str]:
        """The tensors of which the outputs were computed."""
        return frozenset[str]().union(*(each.through for each in self.outputs))

    @property
    def next(self) -> str:
        """The layer behind the last one that was shown to be right; empty where there is none."""
        names = [*self.found]
        right = [number for number, name in enumerate(names) if self.found[name]]
        return next(iter(names[right[-1] + 1 :] if right else names), "")

    @property
    def told(self) -> str:
        """The last layer that was shown to be right, and the next one; empty where none was looked for."""
        right = [name for name, found in self.found.items() if found]
        begun = f"what it shows of {right[-1]} is right" if right else ""
        if not self.next:
            return begun
        return f"{begun}{', and ' if begun else ''}nothing that it shows is what {self.next} should put out"


def enclosed(
    graph: Graph,
    inputs: Sequence[Array],
    precision: Precision,
    changes: Mapping[str, Change] | None = None,
    *,
    bounds: bool = True,
    parts: Parts | None = None,
) -> Asked:
    """Compute the outputs of a model, and how far those of a correct implementation may be from them.

    Parameters
    ----------
    changes : mapping, optional
        By the names of recurrent layers, what they compute instead.
    bounds : bool
        False leaves the bounds of the recurrent layers out, which take most of the time.
    parts : Parts, optional
        What a run has shown, to be taken in the place of what is computed.

    Raises
    ------
    Unfollowed
        If a layer has an option that is not followed.
    """
    walk = (_Walk if bounds else _Computing)(precision, changes or {}, parts)
    return walk.asked(graph, inputs)


def first_case(graph: Graph, inputs: Sequence[Array], precision: Precision | None = None) -> Case:
    """Return the case of the first recurrent layer, with what comes to it of inputs of the whole model."""
    return next(iter(enclosed(graph, inputs, precision or Precision.float32, bounds=False).cases.values()))


def computed(graph: Graph, inputs: Sequence[Array]) -> Parts:
    """Compute a model in float64, and show all of it."""
    walk = _Computing(Precision.float32, {}, None)
    asked = walk.asked(graph, inputs)
    # not rounded: an output may be a state as it was shown, to the last bit, or the small sum of two of them
    outputs = tuple(each.number.value for each in asked.outputs)
    ends = [name for each in asked.outputs for name in each.through]
    return Parts(walk.tensors, outputs, walk.made_of, ends)


class _Walk:
    """One pass through a model."""

    def __init__(self, precision: Precision, changes: Mapping[str, Change], parts: Parts | None) -> None:
        self.p, self.changes, self.parts = precision, changes, parts
        self.cases = dict[str, Case]()
        self.shown: list[Finding] = []
        self.found = dict[str, bool]()

    def asked(self, graph: Graph, inputs: Sequence[Array]) -> Asked:
        """Compute the outputs of a model."""
        begin = [Tensor(Inexact(np.float64(x), self.p), through=frozenset({INPUTS})) for x in inputs]
        with np.errstate(all="ignore"):
            outputs = self.graph(graph, begin)
        return Asked(outputs, self.cases, self.shown, self.found)

    def graph(self, graph: Graph, inputs: Sequence[Tensor], within: str = "", last: bool = True) -> list[Tensor]:
        """Compute a model; what the last one puts out is judged, and not looked for among what was shown."""
        known = {Source(each.name): x for each, x in zip(graph.inputs, inputs, strict=True)}
        for node in graph.nodes.values():
            for number, sources in enumerate(node.calls):
                given = [known[source] for source in sources]
                ends = last and any(source[:2] == (node.name, number) for source in graph.outputs)
                for i, made in enumerate(self._made(node, given, f"{within}{node.name}", ends)):
                    known[Source(node.name, number, i)] = made
        return [known[source] for source in graph.outputs]

    def _made(self, node: Node, given: list[Tensor], name: str, last: bool) -> list[Tensor]:
        if node.layer is None:
            return given[:1]
        if isinstance(node.layer, Graph):
            return self.graph(node.layer, given, f"{name}/", last)
        if isinstance(node.layer, Recurrent):
            return self._recurrent(node.layer, given, name)
        through = frozenset[str]().union(*(each.through for each in given))
        made = replace(node.layer(given), through=through, travelled=any(map(self._inexact, given)))
        return [made if last else self._as_shown(made, name)]

    def _inexact(self, given: Tensor) -> bool:
        return given.travelled or bool(np.max(given.number.radius, initial=0.0) > self.p.tiny)

    def _as_shown(self, made: Tensor, name: str) -> Tensor:
        """Return the tensor as it was shown, where it was; what is computed of it is not blamed for its errors."""
        number = made.number.closed()
        if self.parts is None or (number.exact and not made.number.terms):
            return made
        value, bound = number.value, number.bound + self.p.shown
        if made.travelled and not _sharp(self.p, made, value, bound):
            return made
        found = self.parts.within(value, bound)
        self.found[name] = found is not None
        if found is None:
            return made
        part, array = found
        self.shown.append(_beside(f"output of {name}", array, value, bound))
        return Tensor(Inexact(array, self.p, lost_when_shown(array, self.p)), made.mask, through=frozenset({part}))

    def _recurrent(self, layer: Recurrent, given: list[Tensor], name: str) -> list[Tensor]:
        first, mask, spec = given[0].number, given[0].mask, layer.spec
        if first.terms:  # what is affine before it may have been folded into its kernel, too
            first = Inexact(first.value, self.p, first.radius, first.terms + spec.D, first.magnitude)
            first.roundings = given[0].number.roundings
        x, *states = (each.closed() for each in (first, *(one.number for one in given[1:])))
        spec = spec.replace(source="input" if mask is None else "mask")
        call = Call(x.value, mask, tuple(state.value for state in states))
        case = right = Case(spec, weights=layer.weights, calls=(call,))
        self.cases.setdefault(name, case)
        wiring = RIGHT
        if (change := self.changes.get(name)) is not None and (changed := change(case)) is not None:
            case, wiring = changed
        through = frozenset[str]().union(*(each.through for each in given))
        outputs, finals, seen = self._run(name, case, wiring, _as_changed(x, right, case), states)
        (own,) = spec.layers
        on = mask if own.return_sequences else None
        travelled = seen is None
        of_states = through if seen is None else seen
        made = [Tensor(self._number(each), on, through=of_states, travelled=travelled) for each in outputs]
        return made + [Tensor(self._number(each), through=through | of_states, travelled=True) for each in finals]

    def _run(
        self, name: str, case: Case, wiring: Wiring, x: Inexact | None, states: list[Inexact]
    ) -> tuple[Sequence[Any], Sequence[Any], frozenset[str] | None]:
        """Compute a recurrent layer: outputs, final states, and the names of the tensors that show all its states."""
        walk = _Within(case, self.p, wiring, x, states, self.parts)
        outputs, finals = _put_out(walk)
        self.shown += [replace(each, what=f"{each.what} of {name}") for each in walk.shown]
        if self.parts is not None:
            self.found[name] = not walk.missed
        return outputs, finals, None if walk.missed else frozenset(walk.names)

    def _number(self, number: Any) -> Inexact:
        return number if isinstance(number, Inexact) else Inexact(number, self.p)


class _Computing(_Walk):
    """One pass without the bounds of the recurrent layers, that notes what it has computed of what."""

    def __init__(self, precision: Precision, changes: Mapping[str, Change], parts: Parts | None) -> None:
        super().__init__(precision, changes, parts)
        self.tensors = dict[str, Array]()
        self.made_of = dict[str, Sequence[str]]()

    def _as_shown(self, made: Tensor, name: str) -> Tensor:
        return replace(made, through=self._noted(name, made.number.value, made.through))

    def _made(self, node: Node, given: list[Tensor], name: str, last: bool) -> list[Tensor]:
        return super()._made(node, given, name, False)

    def _noted(self, name: str, numbers: Array, of: frozenset[str]) -> frozenset[str]:
        name = f"{name}:{len(self.tensors)}"  # a layer may be called twice
        self.tensors[name], self.made_of[name] = numbers, sorted(of)
        return frozenset({name})

    def _run(
        self, name: str, case: Case, wiring: Wiring, x: Inexact | None, states: list[Inexact]
    ) -> tuple[Sequence[Any], Sequence[Any], frozenset[str] | None]:
        walk = _Noting(case, wiring)
        outputs, finals = _put_out(walk)
        self._states = walk.states
        return outputs, finals, None

    def _recurrent(self, layer: Recurrent, given: list[Tensor], name: str) -> list[Tensor]:
        made = super()._recurrent(layer, given, name)
        through = made[0].through
        names = [self._noted(name, numbers, through) for numbers in self._states]
        return [
            replace(each, through=frozenset[str]().union(*names, *([through] if i else [])))
            for i, each in enumerate(made)
        ]


class _Noting(Computed):
    """A walk in float64 which notes the states of each recurrence, in the order of processing."""

    def __init__(self, case: Case, wiring: Wiring) -> None:
        super().__init__(case, wiring)
        self.states: list[Array] = []

    def run(self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Any, w: CellWeights) -> Any:
        """Run one recurrence."""
        every, last = super().run(place, direction, cell, x, start, mask, w)
        self.states.append(every)
        return every, last


def _put_out(walk: Walk) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the outputs and the final states of the one layer of a walk."""
    shown = walk.calls().layers[0]
    assert shown is not None
    return shown.output if isinstance(shown.output, tuple) else (shown.output,), shown.final_states or ()


def _as_changed(x: Inexact, right: Case, case: Case) -> Inexact | None:
    """Return what a recurrent layer is given, where a mistake may have moved or replaced it."""
    one, other = right.calls[0].x, case.calls[0].x
    if one is other:
        return x
    largest = 0.0 if x.exact else float(x.bound.max(initial=0.0))
    return Inexact(np.float64(other), x.precision, np.full(other.shape, largest) if largest else 0.0)


class _Within(Enclosure):
    """The recurrence of a layer whose inputs were computed, with their bounds, or shown.

    Attributes
    ----------
    names : set of str
        The tensors that show its states.
    missed : bool
        Whether there is a recurrence whose states are not shown.
    shown : list of Finding
    """

    def __init__(
        self, case: Case, p: Precision, wiring: Wiring, x: Any, states: list[Inexact], parts: Parts | None = None
    ) -> None:
        super().__init__(case, p, wiring)
        self._x, self._states, self._parts = x, iter(states), parts
        self.names, self.missed = set[str](), False
        self.shown: list[Finding] = []

    def weight(self, name: str, array: Any) -> Inexact:
        """A weight, or what was computed of the inputs."""
        return super().weight(name, array) if name else self._x

    def given_state(self, array: Any) -> Inexact:
        """An initial state that another layer gives."""
        known = next(self._states, None)
        return super().given_state(array) if known is None or known.shape != array.shape else known

    def run(
        self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Any, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        """Judge one recurrence where its states are shown, and else compute it with its bound."""
        chain = self._chain(direction, cell, x, start, mask, w)
        for name, states in () if self._parts is None else self._parts.near(self._about(place, chain)):
            states = held(mask, states, chain.start[0].closed().value)
            expected, radius, certain_nan, others = induction(chain, states)
            if not chain.x.exact:
                radius = sharp_enough(self.p, states, expected, radius, np.abs(expected))
            finding = Finding("state", states, expected, radius + self.p.shown, 0, certain_nan)
            if not finding.broken.any() and np.isfinite(radius).all():
                self.names.add(name)
                self.shown.append(finding)
                every = Inexact(states, self.p, lost_when_shown(states, self.p))
                return every, [every[:, -1], *others]
        self.missed = True
        return super().run(place, direction, cell, x, start, mask, w)

    def _about(self, place: Place, chain: Chain) -> Array:
        """Compute the states in float64: what to look for."""
        w = self.case.cell_weights(place, lambda _, array: np.float64(array))
        start = [np.broadcast_to(each.closed().value, each.shape) for each in chain.start]
        return recurrence(chain.x.value, start, chain.mask, w, chain.activation, chain.cell, self.wiring)[0]


def _beside(name: str, got: Array, value: Array, bound: Array) -> Finding:
    """Set what was shown on the way beside what it should be."""
    shape = _steps(value.shape)
    got, value, bound = (a.reshape(shape) for a in (got, value, bound))
    return Finding(name, got, value, bound, 0, np.zeros((), bool))


class Judged(NamedTuple):
    """A verdict, and what it comes of.

    Attributes
    ----------
    asked : Asked or None
        What should have been put out; None where there was no answer.
    """

    verdict: Verdict
    run: Run
    asked: Asked | None


def judge_answer(
    graph: Graph,
    inputs: Sequence[Array],
    ask: Callable[[], Sequence[Any]],
    precision: Precision | None = None,
    show: Callable[[], Parts | None] = lambda: None,
) -> Judged:
    """Ask for the outputs of a whole model, and for what it can show, and judge them."""
    try:
        run = Run(inputs, ask(), show())
    except BadAnswer as problem:
        return Judged(Verdict.without_answer(str(problem)), Run(inputs, ()), None)
    return judged_run(graph, run, precision)


def judge_run(
    graph: Graph, run: Run, precision: Precision | None = None, changes: Mapping[str, Change] | None = None
) -> Verdict:
    """Judge what a model put out, layer by layer as far as it has shown that, and else by its outputs alone."""
    return judged_run(graph, run, precision, changes).verdict


def judged_run(
    graph: Graph, run: Run, precision: Precision | None = None, changes: Mapping[str, Change] | None = None
) -> Judged:
    """Return the verdict of :func:`judge_run` with what it comes of."""
    p, parts = precision or Precision.float32, run.parts
    if parts is not None and _alike(p, run.outputs, parts.outputs):
        asked = enclosed(graph, run.inputs, p, changes, parts=parts)
        found = Judged(_judged(graph, asked, parts.outputs, p), run, asked)
        if not found.verdict.different or _told(parts, asked):
            return found
    asked = enclosed(graph, run.inputs, p, changes)
    return Judged(_judged(graph, asked, run.outputs, p), run, asked)


def _told(parts: Parts, asked: Asked) -> bool:
    """Whether the outputs are made of what was shown, and of nothing else: only then can that be held against them."""
    return asked.through == {INPUTS} or (INPUTS not in asked.through and parts.separate(asked.through))


def _alike(p: Precision, outputs: Sequence[Any], shown: Sequence[Array]) -> bool:
    """Whether two runs of one file agree as far as is told anywhere: one that shows all may sum in another order."""
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(outputs, shown, strict=True)]
    if not all(a.shape == b.shape and np.isfinite(a).all() and np.isfinite(b).all() for a, b in pairs):
        return False
    return all(bool((np.abs(a - b) <= np.sqrt(p.unit) * np.abs(b).max(initial=0.0)).all()) for a, b in pairs)


def judge_whole(
    graph: Graph,
    inputs: Sequence[Array],
    outputs: Sequence[Any],
    precision: Precision | None = None,
    changes: Mapping[str, Change] | None = None,
) -> Verdict:
    """Judge what an implementation of a whole model put out, of which nothing else was seen.

    Parameters
    ----------
    outputs : sequence of arrays
        In the order of the model's outputs.
    precision : Precision, optional
        The arithmetic that it declares; by default float32.

    Returns
    -------
    Verdict
        Never an exception for a bad answer.
    """
    p = precision or Precision.float32
    return _judged(graph, enclosed(graph, inputs, p, changes), outputs, p)


def _judged(graph: Graph, asked: Asked, outputs: Sequence[Any], p: Precision) -> Verdict:
    names = [f"output {source.layer}" if len(graph.outputs) > 1 else "output" for source in graph.outputs]
    if len(outputs) != len(names):
        return Verdict.without_answer(f"it has {len(outputs)} outputs, expected {len(names)}")
    findings = [*asked.shown]
    try:
        for name, got, expected in zip(names, outputs, asked.outputs, strict=True):
            findings.append(_finding(name, got, expected, p))
    except BadAnswer as problem:
        return Verdict.without_answer(str(problem))
    with np.errstate(all="ignore"):
        broken = np.concatenate([each.broken.ravel() for each in findings])
        way = LAYER_BY_LAYER if asked.shown else WHOLE_MODEL
        return Verdict.of(findings, way, int(broken.sum()), len(broken), seen_states=False)


def _finding(name: str, got: Any, expected: Tensor, p: Precision) -> Finding:
    """Set an output beside what it should be."""
    number = expected.number
    shown = floats(f"the numbers of its {name}", got, number.shape)
    finding = _beside(name, shown, number.value, number.bound + p.shown)
    certain = np.isnan(finding.expected) & np.isfinite(finding.radius)
    radius = finding.radius
    if expected.travelled:
        radius = sharp_enough(p, finding.got, finding.expected, radius, _size(expected))
    return replace(finding, radius=radius, certain_nan=certain)


def _size(made: Tensor) -> Array:
    """What the errors of a tensor are small beside: of a sum, its terms, as it may be small itself."""
    number, size = made.number, np.abs(made.number.value)
    if number.terms:
        size = number.magnitude
    elif made.size is not None:
        size = np.maximum(size, made.size)
    return np.broadcast_to(size, number.shape).reshape(_steps(number.shape))


def _sharp(p: Precision, made: Tensor, value: Array, bound: Array) -> bool:
    """Whether the bounds of a tensor tell it from others."""
    value, bound = (a.reshape(_steps(value.shape)) for a in (value, bound))
    return bool(np.isfinite(sharp_enough(p, value, value, bound, _size(made))).all())


def _steps(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape ``(N, steps, units)`` of an output."""
    if len(shape) == 3:
        return shape
    return (shape[0], 1, int(np.prod(shape[1:], dtype=int)))
