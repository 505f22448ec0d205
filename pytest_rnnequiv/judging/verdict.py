"""What is said of a trajectory: equivalent, different or inconclusive, and where it first breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.arrays import some, where
from ..arithmetic.precision import Precision
from ..model.pack import by_case

__all__ = ["Broken", "Finding", "Verdict", "sharp_enough", "telling"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Broken:
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
    place : Broken or None
        The first broken step, and the worst unit of it.
    broken, steps : int
        How many (sample, step) pairs are broken, and how many were judged.
    undetermined : int
        How many numbers could not be judged: the bound is too wide there, or overflow is a matter of order.
    problem : str or None
        Why the answer is no trajectory (a wrong shape, None, ...), or why the verdict is inconclusive.
    reason : str
        The part of the problem that does not depend on the case, such as ``"raises ValueError at my_rnn.py:6"``. Empty
        where only the sentence is known.
    """

    status: str
    way: str = ""
    error_over_bound: float = 0.0
    place: Broken | None = None
    broken: int = 0
    steps: int = 0
    undetermined: int = 0
    problem: str | None = None
    reason: str = ""
    step_broken: npt.NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def without_answer(cls, problem: str, reason: str = "") -> Verdict:
        """Return the verdict where there is no answer that could be judged: it is different."""
        return cls("different", problem=problem, reason=reason, error_over_bound=float("inf"))

    @classmethod
    def of(
        cls,
        findings: Sequence[Finding],
        way: str,
        broken: int,
        steps: int,
        step_broken: Any = None,
        *,
        seen_states: bool,
    ) -> Verdict:
        """Sum up findings. The place is that of the first finding that is broken."""
        each = None if step_broken is None else step_broken[None]
        return cls.of_each(findings, way, [broken], steps, each, [seen_states])[0]

    @classmethod
    def of_each(
        cls,
        findings: Sequence[Finding],
        way: str,
        broken: Sequence[int],
        steps: int,
        step_broken: Any,
        seen_states: Sequence[bool],
    ) -> list[Verdict]:
        """Sum up what was found of several cases, whose samples stand one after the other.

        Parameters
        ----------
        broken, step_broken, seen_states
            Of each case.
        """
        cases = len(broken)
        worst, undetermined, wrong = np.zeros(cases), np.zeros(cases, int), np.zeros(cases, bool)
        for finding in findings:
            ratio, unknown = (by_case(a, cases) for a in finding.ratio())
            worst = np.maximum(worst, ratio.max(1, initial=0.0))
            if some(unknown):
                undetermined = undetermined + unknown.sum(1)
            if some(finding.broken):
                wrong = wrong | by_case(finding.broken, cases).any(1)
        each = zip(worst.tolist(), undetermined.tolist(), wrong.tolist(), broken, seen_states, strict=True)
        verdicts = []
        for i, (error, unknown, different, breaks, seen) in enumerate(each):
            place = next(filter(None, (finding.place(i, cases) for finding in findings))) if different else None
            status = "different" if different else "inconclusive" if unknown else "equivalent"
            problem = _inconclusive(unknown, way, seen) if status == "inconclusive" else None
            own = None if step_broken is None else step_broken[i]
            verdicts.append(cls(status, way, error, place, breaks, steps, unknown, problem, step_broken=own))
        return verdicts

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


def _inconclusive(undetermined: int, way: str, seen_states: bool) -> str:
    """Why some numbers cannot be judged."""
    why = (
        "overflow there is a matter of the order of summation, or the rounding of a single step is a good part "
        "of the activation's range"
        if seen_states
        else "a correct implementation may be this far off, since the recurrence amplifies rounding; "
        "show the states to be judged step by step"
    )
    return f"{undetermined} of the numbers cannot be judged ({way}): {why}"


@dataclass(frozen=True)
class Finding:
    """Numbers and what they should be.

    Attributes
    ----------
    what : str
        ``"state"``, ``"output"``, or which of them in a network.
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

    def without(self, hidden: npt.NDArray[np.bool_]) -> Finding:
        """Leave hidden numbers undetermined."""
        hidden = np.broadcast_to(hidden, self.got.shape)
        return replace(self, radius=np.where(hidden, np.inf, self.radius), certain_nan=self.certain_nan & ~hidden)

    @cached_property
    def broken(self) -> npt.NDArray[np.bool_]:
        """Which steps are broken, ``(N, T - first)``."""
        return np.asarray((self.ratio()[0] > 1).any(-1))

    def place(self, case: int = 0, cases: int = 1) -> Broken | None:
        """The first broken step of one of some cases, and the worst unit of it; None where nothing is broken."""
        N = len(self.got) // cases
        rows = slice(case * N, case * N + N)
        ratio, broken = self.ratio()[0][rows], self.broken[rows]
        if not some(broken):
            return None
        t = int(broken.any(0).argmax())
        n = int(broken[:, t].argmax())
        unit = int(ratio[n, t].argmax())
        got, expected, radius = (float(a[rows][n, t, unit]) for a in (self.got, self.expected, self.radius))
        if self.certain_nan[rows][n, t, unit]:
            expected = float("nan")
        return Broken(self.what, n, t + self.first, unit, got, expected, radius)

    def ratio(self) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the error over its bound, and which numbers are undetermined."""
        return self._ratio

    @cached_property
    def _ratio(self) -> tuple[Array, npt.NDArray[np.bool_]]:
        undetermined = ~np.isfinite(self.radius)
        with np.errstate(all="ignore"):
            # A held state may be infinite, and inf - inf is no error; 0/0 is a number that had to be exact and is.
            ratio = where(self.got != self.expected, np.abs(self.got - self.expected) / self.radius, 0.0)
        ratio = where(~(np.isnan(ratio) | undetermined), ratio, np.where(undetermined, 0.0, np.inf))
        if some(self.certain_nan):
            ratio = np.where(self.certain_nan, np.where(np.isnan(self.got), 0.0, np.inf), ratio)
            undetermined &= ~self.certain_nan
        return ratio, undetermined


#: The share of an activation's range from which on a bound says nothing: both sides of it are half of the range.
GOOD_PART = 0.25


def telling(got: Array, expected: Array, radius: Array, span: Any) -> Array:
    """Make infinite the bounds of single steps that are a good part of the activation's range: they show nothing.

    In bfloat16 the sum of a dozen terms may be off by tenths. What is outside of such a bound is wrong all the same.
    """
    blunt = radius > GOOD_PART * span
    return np.where(blunt & ~(np.abs(got - expected) > radius), np.inf, radius) if some(blunt) else radius


def sharp_enough(p: Precision, got: Array, expected: Array, radius: Array, scale: Array) -> Array:
    """Make infinite the bounds that are too wide to say "right": what they would acquit is undetermined.

    A bound that is wide beside the size of the numbers cannot tell right from wrong; what is outside of it is wrong all
    the same. `scale` is that size: of a sum, its absolute terms; of all else, the numbers themselves.
    """
    u = max(p.unit, p.operand, p.coarseness)
    # beside the largest of its sample: a unit may well be silent
    scale = np.nan_to_num(scale).max(axis=(1, 2), keepdims=True, initial=p.unit)
    # In bfloat16 a single step is uncertain by tenths; there that much is what can be told at all.
    # Where states or sums are rounded to a coarse grid, that is the arithmetic.
    resolution = max(np.sqrt(max(u, p.grain)), min(0.25, 64 * u))
    blunt = (radius > resolution * scale) & ~(np.abs(got - expected) > radius)
    return np.asarray(where(~blunt, radius, np.inf))
