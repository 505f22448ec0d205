"""Judge what a whole model puts out, whatever layers stand round the recurrent ones.

Inputs go through all layers as inexact numbers: what stands round the recurrent layers by
:mod:`~..model.around`, recurrent layers by the bound of a whole run (:mod:`.enclosure`). So nothing has to be shown but
the outputs. Where that bound is too wide to tell right from wrong, the verdict is inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import Precision
from ..model.around import Around, Tensor
from ..model.call import Call
from ..model.case import Case
from ..model.forward import Computed, Walk
from ..model.graph import Graph, Node, Recurrent, Source
from ..model.trajectory import BadAnswer, floats
from ..model.wiring import RIGHT, Wiring
from .enclosure import Enclosure
from .verdict import Finding, Verdict, sharp_enough

__all__ = ["WHOLE_MODEL", "Asked", "Change", "enclosed", "first_case", "judge_answer", "judge_whole"]

Array = npt.NDArray[Any]

#: The way in which it is judged.
WHOLE_MODEL = "whole model"

#: What a recurrent layer computes in the place of what it should: of its case, another one and its wiring.
Change = Callable[[Case], tuple[Case, Wiring] | None]


@dataclass(frozen=True, eq=False)
class Asked:
    """What one call of a model should give.

    Attributes
    ----------
    outputs : list of Tensor
        Sums may be open.
    cases : dict of str to Case
        Of each recurrent layer, the case that its inputs make of it.
    """

    outputs: list[Tensor]
    cases: dict[str, Case]


def enclosed(
    graph: Graph,
    inputs: Sequence[Array],
    precision: Precision,
    changes: Mapping[str, Change] | None = None,
    *,
    bounds: bool = True,
) -> Asked:
    """Compute the outputs of a model, and how far those of a correct implementation may be from them.

    Parameters
    ----------
    changes : mapping, optional
        By the names of recurrent layers, what they compute instead.
    bounds : bool
        False leaves the bounds of the recurrent layers out, which take most of the time.

    Raises
    ------
    Unfollowed
        If a layer has an option that is not followed.
    """
    walk = _Walk(precision, changes or {}, bounds)
    with np.errstate(all="ignore"):
        outputs = walk.graph(graph, [Tensor(Inexact(np.float64(x), precision)) for x in inputs])
    return Asked(outputs, walk.cases)


def first_case(graph: Graph, inputs: Sequence[Array], precision: Precision | None = None) -> Case:
    """Return the case of the first recurrent layer, with what comes to it of inputs of the whole model."""
    return next(iter(enclosed(graph, inputs, precision or Precision.float32, bounds=False).cases.values()))


class _Walk:
    """One pass through a model."""

    def __init__(self, precision: Precision, changes: Mapping[str, Change], bounds: bool = True) -> None:
        self.p, self.changes, self.bounds = precision, changes, bounds
        self.cases = dict[str, Case]()

    def graph(self, graph: Graph, inputs: Sequence[Tensor], within: str = "") -> list[Tensor]:
        known = {Source(each.name): x for each, x in zip(graph.inputs, inputs, strict=True)}
        for node in graph.nodes.values():
            for number, sources in enumerate(node.calls):
                given = [known[source] for source in sources]
                for i, made in enumerate(self._made(node, given, f"{within}{node.name}")):
                    known[Source(node.name, number, i)] = made
        return [known[source] for source in graph.outputs]

    def _made(self, node: Node, given: list[Tensor], name: str) -> list[Tensor]:
        if node.layer is None:
            return given[:1]
        if isinstance(node.layer, Graph):
            return self.graph(node.layer, given, f"{name}/")
        if isinstance(node.layer, Around):
            return [node.layer(given)]
        return self._recurrent(node.layer, given, name)

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
        if self.bounds:
            walk: Walk = _Within(case, self.p, wiring, _as_changed(x, right, case), states)
        else:
            walk = Computed(case, wiring)
        shown = walk.calls().layers[0]
        assert shown is not None
        (own,) = spec.layers
        on = mask if own.return_sequences else None
        outputs = shown.output if isinstance(shown.output, tuple) else (shown.output,)
        found = [*((each, on) for each in outputs), *((each, None) for each in shown.final_states or ())]
        return [Tensor(each if self.bounds else Inexact(each, self.p), one) for each, one in found]


def _as_changed(x: Inexact, right: Case, case: Case) -> Inexact | None:
    """Return what a recurrent layer is given, where a mistake may have moved or replaced it."""
    one, other = right.calls[0].x, case.calls[0].x
    if one is other:
        return x
    largest = 0.0 if x.exact else float(x.bound.max(initial=0.0))
    return Inexact(np.float64(other), x.precision, np.full(other.shape, largest) if largest else 0.0)


class _Within(Enclosure):
    """The recurrence of a layer whose inputs were computed, with their bounds."""

    def __init__(self, case: Case, p: Precision, wiring: Wiring, x: Any, states: list[Inexact]) -> None:
        super().__init__(case, p, wiring)
        self._x, self._states = x, iter(states)

    def weight(self, name: str, array: Any) -> Inexact:
        """A weight, or what was computed of the inputs."""
        return super().weight(name, array) if name else self._x

    def given_state(self, array: Any) -> Inexact:
        """An initial state that another layer gives."""
        known = next(self._states, None)
        return super().given_state(array) if known is None or known.shape != array.shape else known


def judge_answer(
    graph: Graph, inputs: Sequence[Array], ask: Callable[[], Sequence[Any]], precision: Precision | None = None
) -> tuple[Verdict, Sequence[Any]]:
    """Ask for the outputs of a whole model, judge them, and return both."""
    try:
        outputs = ask()
    except BadAnswer as problem:
        return Verdict.without_answer(str(problem)), ()
    return judge_whole(graph, inputs, outputs, precision), outputs


def judge_whole(
    graph: Graph,
    inputs: Sequence[Array],
    outputs: Sequence[Any],
    precision: Precision | None = None,
    changes: Mapping[str, Change] | None = None,
) -> Verdict:
    """Judge what an implementation of a whole model put out.

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
    asked = enclosed(graph, inputs, p, changes)
    names = [f"output {source.layer}" if len(graph.outputs) > 1 else "output" for source in graph.outputs]
    if len(outputs) != len(names):
        return Verdict.without_answer(f"it has {len(outputs)} outputs, expected {len(names)}")
    findings = []
    try:
        for name, got, expected in zip(names, outputs, asked.outputs, strict=True):
            findings.append(_finding(name, got, expected.number, p))
    except BadAnswer as problem:
        return Verdict.without_answer(str(problem))
    with np.errstate(all="ignore"):
        broken = np.concatenate([each.broken.ravel() for each in findings])
        return Verdict.of(findings, WHOLE_MODEL, int(broken.sum()), len(broken), seen_states=False)


def _finding(name: str, got: Any, expected: Inexact, p: Precision) -> Finding:
    """Set an output beside what it should be."""
    shape = expected.shape
    shown = floats(f"the numbers of its {name}", got, shape).reshape(_steps(shape))
    # beside its terms, a sum may be small
    size = expected.magnitude if expected.terms else np.abs(expected.value)
    value, radius, size = (a.reshape(_steps(shape)) for a in (expected.value, expected.bound + p.shown, size))
    certain = np.isnan(value) & np.isfinite(radius)
    radius = sharp_enough(p, shown, value, radius, size)
    return Finding(name, shown, value, radius, 0, certain)


def _steps(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape ``(N, steps, units)`` of an output."""
    if len(shape) == 3:
        return shape
    return (shape[0], 1, int(np.prod(shape[1:], dtype=int)))
