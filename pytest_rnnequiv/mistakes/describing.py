"""How the first broken step looks, where no mistake explains it.

What is said is said of the implementation, so it has to hold in every case in which it was seen to be wrong: a case
that was shrunk is all zeros for many reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.observing import Observation
from ..judging.oracle import judge
from ..judging.verdict import Verdict
from ..model.case import Case
from ..model.forward import reference
from ..model.trajectory import Trajectory

__all__ = ["describe", "describe_all"]

#: What has to be so in every case that was seen, to be said of an implementation.
OF_ALL = ("it is NaN", "it is infinite", "it is all zeros", "it is saturated")

#: Numbers that have to be zeros, or saturated, before that is said.
ENOUGH = 4

#: Activations whose values come to -1 and +1.
TO_ONE = ("tanh", "hard_tanh", "softsign")


def describe_all(seen: Sequence[Observation], precision: Precision | None = None) -> str:
    """Say what the first broken step looks like, of all runs in which an implementation was wrong.

    Parameters
    ----------
    seen : sequence of Observation
        The first of them broken.
    """
    judged = [(o, o.judge(precision)) for o in seen]
    broken = [(o, v) for o, v in judged if v.different and v.place is not None]
    if not broken or not broken[0][0].case.spec.plain:
        return describe(seen[0].case, seen[0].trajectory, precision)
    # the largest says most
    broken.sort(key=lambda each: -sum(call.x.size for call in each[0].case.calls))
    each = [_features_of(o, v) for o, v in broken]
    kept = [text for text in each[0] if _everywhere(text, each)]
    return "; ".join(kept)


def _features_of(o: Observation, verdict: Verdict) -> list[str]:
    return [] if verdict.step_broken is None else _Picture(o.case, o.trajectory, verdict).features()


def _everywhere(text: str, each: list[list[str]]) -> bool:
    """Whether what is said of one run may be said of the implementation."""
    key = next((key for key in OF_ALL if text.startswith(key)), None)
    return key is None or all(any(other.startswith(key) for other in features) for features in each)


def describe(
    case: Case, trajectory: Trajectory, precision: Precision | None = None, verdict: Verdict | None = None
) -> str:
    """Say in a few words what the first broken step looks like; empty if there is nothing peculiar about it.

    Parameters
    ----------
    case, trajectory, precision
        As for :func:`~.oracle.judge`.
    verdict : Verdict, optional
        The verdict, if it is known.
    """
    verdict = judge(case, trajectory, precision) if verdict is None else verdict
    place = verdict.place
    if place is None or verdict.step_broken is None:
        return verdict.problem or ""
    if case.spec.plain:
        return "; ".join(_Picture(case, trajectory, verdict).features())
    return _of_parts(case, trajectory)


class _Picture:
    """The broken numbers beside what they should be."""

    def __init__(self, case: Case, trajectory: Trajectory, verdict: Verdict) -> None:
        assert verdict.place is not None
        assert verdict.step_broken is not None
        self.case, self.place, self.broken = case, verdict.place, verdict.step_broken
        self.of_states = self.place.what == "state"
        first = next(iter(trajectory.shown_layers), None)  # states may be shown beside the output of the only layer
        shown = trajectory.outputs, None if first is None else first.states
        outputs, states = (None if a is None else np.asarray(a, np.float64) for a in shown)
        self.states = states
        numbers: Any = states if self.of_states and states is not None else outputs
        self.got = numbers if numbers.ndim == 3 else numbers[:, None]
        self.offset = 0 if numbers.ndim == 3 else case.T - 1

    @cached_property
    def expected(self) -> Any:
        """What the broken step should show, given the step before."""
        case, p = self.case, self.place
        if not self.of_states and self.states is not None:
            h = self.states[:, p.t]
            with np.errstate(all="ignore"):
                return case.spec.head_activation(case.spec.cell.readout(h, case.spec.activation) @ case.Wo + case.bo)
        if self.of_states and p.t > 0:
            one = case.replace(x=case.x[:, p.t : p.t + 1], h0=np.nan_to_num(self.got[:, p.t - 1]), mask=None)
            return reference(one).states[:, 0]
        whole = reference(case.prefix(p.t + 1))
        return (whole.states if self.of_states else whole.outputs)[:, -1]

    def features(self) -> list[str]:
        """What is peculiar about the broken step."""
        p, broken = self.place, self.broken
        got, expected = self.got[p.n, p.t - self.offset], self.expected[p.n]
        features = []
        if np.isnan(got).any():
            rest = self.got[p.n, p.t - self.offset :]
            features.append("it is NaN" + (" from here on" if len(rest) > 1 and np.isnan(rest).any(-1).all() else ""))
        elif np.isinf(got).any():
            features.append("it is infinite")
        else:
            error = got - expected
            with np.errstate(all="ignore"):
                factor = got / expected
            close = 1e-4
            every = len(error) > 1 and bool((np.abs(error) > p.bound).all())
            name = "bh" if self.of_states else "bo"
            bias = getattr(self.case, name).astype(float)
            if bias.shape != error.shape:  # of several gates
                bias = np.zeros_like(error)
            if self._zeros():
                features.append("it is all zeros")
            elif self.of_states and self._saturated(got, expected):
                features.append("it is saturated: every unit is +1 or -1")
            elif bias.any() and np.allclose(error, bias, rtol=close, atol=close * np.abs(bias).max()):
                features.append(f"it is off by the bias `{name}`")
            elif bias.any() and np.allclose(error, -bias, rtol=close, atol=close * np.abs(bias).max()):
                features.append(f"it is off by minus the bias `{name}`")
            elif every and np.ptp(error) < close * np.abs(error).max():
                features.append(f"every unit is off by {error.mean():+.6g}")
            elif every and np.isfinite(factor).all() and np.ptp(factor) < close * np.abs(factor).max():
                features.append(f"every unit is {factor.mean():.6g} times what it should be")
            units = np.flatnonzero(np.abs(error) > 10 * p.bound)
            if 0 < len(units) < len(got):
                features.append(f"only unit{'s' if len(units) > 1 else ''} {_listed(units)} of {len(got)}")
        if not broken[0].any() and self.case.N > 1:
            features.append("only samples after the first are wrong")
        if self.of_states and self.case.T > 1 and broken[:, 0].any() and not broken[:, 1:].any():
            features.append(
                "every later step follows rightly from the one before: does it start from a state other than zero?"
            )
        return features

    def _zeros(self) -> bool:
        """Whether all that is broken is zeros."""
        wrong = self.got[self.broken[:, self.offset :]]
        return wrong.size >= ENOUGH and not wrong.any()

    def _saturated(self, got: Any, expected: Any) -> bool:
        """Whether all units are at the ends of an activation that has such, and should not be."""
        if self.case.spec.activation.name not in TO_ONE or len(got) < ENOUGH:
            return False
        return bool((np.abs(got) == 1).all() and (np.abs(expected) < 0.99).any())


def _listed(numbers: Any) -> str:
    words = [str(int(n)) for n in numbers[:6]]
    return ", ".join(words) + (", ..." if len(numbers) > 6 else "")


def _of_parts(case: Case, shown: Trajectory) -> str:
    """Say in a few words what the first broken numbers of a model of several parts look like."""
    true = {name: a for name, a in reference(case).numbers() if a.dtype != object}
    for name, a in shown.numbers():
        got = np.asarray(a)
        if name not in true or got.dtype == object or got.shape != true[name].shape:
            continue
        got, expected = got.astype(np.float64), true[name].astype(np.float64)
        with np.errstate(all="ignore"):
            close = 1e-5 * max(1e-30, float(np.abs(np.nan_to_num(expected)).max(initial=0.0)))
            wrong = ~(np.abs(got - expected) <= close)
            wrong &= ~((got == expected) | (np.isnan(got) & np.isnan(expected)))
        if wrong.any():
            return "; ".join(_features(name.partition(": ")[2], got, expected, wrong, close))
    return ""


def _features(name: str, got: Any, expected: Any, wrong: Any, close: float) -> Iterator[str]:
    """What is peculiar about numbers, beside those that should be there."""

    def same(a: Any) -> bool:
        return a.shape == expected.shape and bool((np.abs(a - expected) <= close).all())

    if np.isnan(got[wrong]).all():
        yield f"the wrong numbers of {name} are NaN"
    elif np.isinf(got[wrong]).all():
        yield f"the wrong numbers of {name} are infinite"
    elif not got.any() and got.size >= ENOUGH:
        yield f"{name} is all zeros"
    elif got.ndim == 3 and got.shape[1] > 1 and same(got[:, ::-1]):
        yield f"{name} has the right numbers, with its steps in reverse order"
    elif got.shape[-1] > 1 and same(got[..., ::-1]):
        yield f"{name} has the right numbers, with its units in reverse order"
    elif len(got) > 1 and same(got[::-1]):
        yield f"{name} has the right numbers, with its samples in reverse order"
    elif not got[wrong].any():
        yield f"the wrong numbers of {name} are zeros"
    units = np.flatnonzero(wrong.any(tuple(range(wrong.ndim - 1))))
    if len(units) < wrong.shape[-1]:
        yield f"only unit{'s' if len(units) > 1 else ''} {_listed(units)} of {wrong.shape[-1]}"
    if wrong.ndim == 3 and (steps := np.flatnonzero(wrong.any((0, 2)))).size < wrong.shape[1]:
        yield f"only step{'s' if len(steps) > 1 else ''} {_listed(steps)} of {wrong.shape[1]}"
    if len(wrong) > 1 and not wrong[0].any():
        yield "only samples after the first are wrong"
