"""Compare two answers of one implementation where a law says that they are equal.

Two runs that are equal on paper may differ by rounding: another batch size takes another kernel, another order of units
another order of summation. Equal numbers are right at once. Others may be as far apart as a correct implementation may
be from the exact answers in both runs together, by the bound that follows every rounding error through the whole run
(:class:`~.enclosure.Enclosure`); where that is too wide to tell right from wrong, as in chaos, the comparison is
*inconclusive*. So a law never convicts on bits alone, and the oracle lends the room, not the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.trajectory import Trajectory
from ..tally import LAW
from .enclosure import Enclosure
from .inspection import inspection
from .laws import Other
from .reading import as_shown
from .verdict import Broken, Finding, Verdict, sharp_enough

__all__ = ["Bound", "Numbers", "Start", "compare", "numbers"]

Array = npt.NDArray[np.float64]

#: What is known of a state, and how far it may be from that: each (N, M).
Start = tuple[Array, Array]


class Bound(NamedTuple):
    """What numbers are exactly, how far a correct implementation's may be from that, and their size."""

    expected: Array
    radius: Array
    scale: Array


class Numbers:
    """One kind of numbers of an answer, ``(N, steps, units)``, which knows its bound once somebody asks.

    Attributes
    ----------
    what : {"state", "output"}
    got : (N, T - first, units) array
    first : int
        The step that it begins with.
    """

    def __init__(self, what: str, got: Array, first: int, bounded: Callable[[], Bound]) -> None:
        self.what = what
        self.got = got
        self.first = first
        self._bounded = bounded

    @cached_property
    def bound(self) -> Bound:
        """The bound of each number; infinite where there is none."""
        with np.errstate(all="ignore"):
            expected, radius, scale = self._bounded()
            return Bound(expected, np.where(np.isnan(radius) | np.isnan(expected), np.inf, radius), scale)


def numbers(
    case: Case,
    shown: Any,
    precision: Precision | None,
    *,
    like: Case | None = None,
    start: Start | None = None,
) -> list[Numbers]:
    """Sort what was shown of a case: states, where it has one recurrence and they are seen, and outputs.

    The calls follow each other, and two outputs stand side by side.

    Parameters
    ----------
    case : Case
    shown : Trajectory or array
    precision : Precision or None
        What the implementation declares.
    like : Case, optional
        A case with the same exact answer.
    start : (expected, radius), optional
        What is known of the state before the first step, where that is not the case's own.

    Raises
    ------
    BadAnswer
        If it is no answer to the case.
    """
    seen = inspection(case, shown, precision)
    calls = seen.check()
    # roundings that are computed depend on the case's own numbers
    like = None if precision is not None and precision.formats else like
    unseen = _Unseen(as_shown(like or case, seen.shown), precision or case.spec.precision, start)
    found = []
    if all(call.states is not None for call in calls):
        found.append(Numbers("state", np.concatenate([call.states for call in calls], axis=1), 0, unseen.states))
    outputs = _in_a_row([_side_by_side(call.outputs) for call in calls], unseen.case)
    first = sum(call.T for call in case.calls) - 1 if _one_output(unseen.case) else 0
    return [*found, Numbers("output", outputs, first, unseen.outputs)]


class _Unseen(Enclosure):
    """The exact numbers of a case of which nothing was seen, with their bounds.

    Parameters
    ----------
    start : (expected, radius), optional
        What is known of the state that it begins with.
    """

    def __init__(self, case: Case, p: Precision, start: Start | None) -> None:
        super().__init__(case, p)
        self._start = start
        self._sizes: list[Array] = []

    def given_state(self, array: Any) -> Inexact:
        """An initial state; one that was shown has been rounded to the numbers of the case."""
        if self._start is None:
            return super().given_state(array)
        p, (value, radius) = self.p, self._start
        size = np.abs(value) + radius
        unit = Precision.of(self.case.spec.variable_dtype).unit
        radius = radius + unit * size + np.where(size > 0, p.tiny, 0.0)
        return self._entering(value, np.where(size * (1 + p.unit) > p.largest, np.inf, radius))

    def head(self, x: Any) -> Any:
        """Compute the outputs of the head, and keep their size."""
        y, size, _ = self._head_of(self.hidden(x))
        self._sizes.append(np.maximum(size, np.abs(y.value)))
        return y

    @cached_property
    def _calls(self) -> Sequence[Trajectory]:
        return self.calls().each_call

    def states(self) -> Bound:
        """The states of a model of one recurrence."""
        states = [call.layers[0].states for call in self._calls]  # type: ignore[union-attr]
        expected, radius = (np.concatenate(each, axis=1) for each in zip(*map(_parted, states), strict=True))
        return Bound(expected, radius, np.abs(expected))

    def outputs(self) -> Bound:
        """The outputs."""
        pairs = (_parted(call.outputs) for call in self._calls)
        expected, radius = (_in_a_row(each, self.case) for each in zip(*pairs, strict=True))
        return Bound(expected, radius, _in_a_row(self._sizes, self.case) if self._sizes else np.abs(expected))


def _parted(number: Any) -> tuple[Array, Array]:
    """Values and bounds of an inexact number, or of a pair of these side by side."""
    parts = number if isinstance(number, tuple) else (number,)
    return _side_by_side(tuple(part.value for part in parts)), _side_by_side(tuple(part.bound for part in parts))


def _side_by_side(outputs: Any) -> Array:
    """Outputs of one call as ``(N, steps, F)``; two of them side by side."""
    whole = np.concatenate(outputs, axis=-1) if isinstance(outputs, tuple) else outputs
    return whole if whole.ndim == 3 else whole[:, None]


def _in_a_row(calls: Sequence[Array], case: Case) -> Array:
    """The outputs of all calls as those of one."""
    return calls[-1] if _one_output(case) else np.concatenate(calls, axis=1)


def _one_output(case: Case) -> bool:
    return not case.spec.layers[-1].return_sequences


# ---- comparing ----


def compare(other: Other, first: Sequence[Numbers], second: Sequence[Numbers], p: Precision) -> Verdict:
    """Compare two answers where they must be equal.

    Parameters
    ----------
    other : Other
    first, second : sequence of Numbers
        Of the base, and of `other`.
    p : Precision
        The arithmetic of both runs.

    Returns
    -------
    Verdict
        Its place says where the first answer has what (`expected`), what the other has there instead (`got`, brought to
        the first one's scale), and how far apart they may be (`bound`).
    """
    with np.errstate(all="ignore"):
        return _compare(other, first, second, p)


def _compare(other: Other, first: Sequence[Numbers], second: Sequence[Numbers], p: Precision) -> Verdict:
    found: list[Finding] = []
    places: list[Broken] = []
    for what, a, b, factor in _pairs(other, first, second):
        finding, (samples, steps, units) = _set_beside(what, a, b, other, factor, p)
        if finding is None:
            continue
        found.append(finding)
        if (place := finding.place()) is not None:
            places.append(replace(place, n=samples[place.n], t=steps[place.t], unit=units[place.unit]))
    broken = sum(int(finding.broken.sum()) for finding in found)
    judged = sum(finding.got.shape[0] * finding.got.shape[1] for finding in found)
    verdict = Verdict.of(found, LAW, broken, judged, seen_states=False)
    return replace(verdict, place=min(places, key=lambda place: place.t)) if places else verdict


def _pairs(
    other: Other, first: Sequence[Numbers], second: Sequence[Numbers]
) -> Iterator[tuple[str, Numbers, Numbers, float]]:
    theirs = {each.what: each for each in second}
    for each in first:
        if each.what in theirs:
            factor = other.state_factor if each.what == "state" else other.output_factor
            yield each.what, each, theirs[each.what], factor


def _set_beside(
    what: str, a: Numbers, b: Numbers, other: Other, factor: float, p: Precision
) -> tuple[Finding | None, tuple[list[int], list[int], list[int]]]:
    """Compare the numbers that must be equal; return also where they stand in the first answer."""
    samples = [_all(part.samples, len(each.got)) for part, each in ((other.here, a), (other.there, b))]
    steps = [_all(part.steps, e.first + e.got.shape[1]) for part, e in ((other.here, a), (other.there, b))]
    units = [_all(None, each.got.shape[2]) for each in (a, b)]
    if what == "state":
        units = [_all(part.units, each.got.shape[2]) for part, each in ((other.here, a), (other.there, b))]
    seen = [(s, t) for s, t in zip(*steps, strict=True) if s >= a.first and t >= b.first]
    where = samples[0], [s for s, _ in seen], units[0]
    if not seen or not samples[0] or not units[0]:
        return None, where
    one = np.ix_(samples[0], [s - a.first for s, _ in seen], units[0])
    two = np.ix_(samples[1], [t - b.first for _, t in seen], units[1])
    got, changed = a.got[one], factor * b.got[two]
    radius = np.zeros(got.shape)
    # Two NaN are the same only where a NaN may be.
    same = got == changed
    if not same.all():
        bounds = [np.broadcast_to(each, a.got.shape)[one] for each in a.bound]
        others = [np.broadcast_to(each, b.got.shape)[two] for each in b.bound]
        # Both exact answers are one number, and the bounds of both count the oracle's own rounding in.
        radius = bounds[1] + abs(factor) * others[1]
        if p.formats:  # what is rounded in known ways is rounded otherwise in the other case
            radius = radius + np.abs(bounds[0] - factor * others[0])
        size = np.maximum(bounds[2], abs(factor) * others[2])
        # Whoever computes something else, with larger numbers, may well keep this law: its rounding is larger too.
        beside = np.maximum(_largest(np.nan_to_num(size)), p.unit)
        radius = radius * np.maximum(1.0, np.maximum(_largest(got), _largest(changed)) / beside)
        radius = sharp_enough(p, changed, got, radius, size)
        same |= np.isnan(got) & np.isnan(changed) & ~np.isfinite(radius)
        radius = np.where(same, 0.0, radius)
        got, changed = np.where(same, 0.0, got), np.where(same, 0.0, changed)
    return Finding(what, changed, got, radius, 0, np.zeros(got.shape, bool)), where


def _largest(a: Array) -> Array:
    """The largest finite number of each sample."""
    largest: Array = np.where(np.isfinite(a), np.abs(a), 0.0).max(axis=(1, 2), keepdims=True)
    return largest


def _all(which: Sequence[int] | None, count: int) -> list[int]:
    return list(range(count)) if which is None else [int(each) for each in which]
