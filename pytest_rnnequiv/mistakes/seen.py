"""What was seen of one run, and how much of it a mistake tells.

Numbers that lie within the bounds of a mistake are no evidence by themselves: a wide bound contains much. What counts
is how narrow the bound is beside the distance of the right number, in bits, and for how many numbers. NaN and zeros
come from too many mistakes to count for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..cells.cell import Cell
from ..judging.inspection import Inspection
from ..judging.oracle import judge
from ..judging.verdict import Finding, Verdict
from ..model.case import Case
from ..model.forward import Computed
from ..model.pack import Apart, Pack
from ..model.trajectory import Trajectory
from ..model.wiring import RIGHT, Unmade, Wiring
from .arithmetic import bits_of_marks
from .made import FEW, Made, outputs_of, whole

__all__ = ["NOTHING", "Seen", "Told", "Wide", "findings"]

Array = npt.NDArray[np.float64]
Arrays = list[Array]


@dataclass(frozen=True)
class Told:
    """How much is told of what is broken.

    Attributes
    ----------
    bits : float
        Of each number the base-2 logarithm of how many times the bound fits into the distance of the right number, and
        one bit for its side.
    numbers : frozenset of (float, float)
        Those that tell something: what should be in their place, and what they are.
    """

    bits: float = 0.0
    numbers: frozenset[tuple[float, float]] = frozenset()

    def __add__(self, other: Told) -> Told:
        return Told(self.bits + other.bits, self.numbers | other.numbers)

    def enough(self, among: int = 1) -> bool:
        """Whether it is more than one number, and so much that one mistake in a thousand would fit by chance.

        Of mistakes that are so many, and alike, one in a thousand such crowds.
        """
        return self.bits >= 10 + np.log2(among) and len(self.numbers) > 1


NOTHING = Told()

#: Runs of so few steps, with no larger numbers, in which rounding stays far below this share of the outputs.
SHORT, LARGE, FAR = 6, 32.0, 0.02
#: That share where the bounds of the right run are narrow, and how many times these it is otherwise.
NEAR, MORE = 1e-3, 1000.0

#: Longer runs are computed twice, in single and in double precision: how many times what these differ by is far.
LONG, GROWN = 512, 1000.0

#: Recorded numbers are moved to one end or the other of what they may be, so many times: how many times what that moves
#: outputs by is far.
MOVED, AT_MOST = 3, 100.0

#: The same of numbers that are rounded to 8 bits, and to fewer.
FAR_IN_8_BITS, FAR_IN_FEWER = 0.1, 0.3


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of one run, and what the oracle says of it.

    Attributes
    ----------
    case : Case
    shown : Trajectory
    precision : Precision
        The arithmetic that is declared.
    verdict : Verdict
    """

    case: Case
    shown: Trajectory
    precision: Precision
    verdict: Verdict

    @cached_property
    def zeros(self) -> bool:
        """Whether nothing but zeros was seen, which many mistakes give."""
        return not any(np.any(a) for _, a in self.shown.numbers() if a.dtype != object)

    @property
    def wrong_before_head(self) -> bool:
        """Whether states are broken, and not only what the head makes of them."""
        place = self.verdict.place
        return place is not None and not place.what.endswith("output")

    @cached_property
    def of_outputs(self) -> Verdict:
        """The verdict of the outputs alone."""
        return judge(self.case, Trajectory(self.shown.outputs), self.precision)

    @cached_property
    def findings(self) -> list[Finding]:
        """What was seen beside what is right."""
        return findings(Made(self.case), self.shown, self.precision)

    @cached_property
    def output_findings(self) -> list[Finding]:
        """The outputs beside what is right."""
        return findings(Made(self.case), outputs_of(self.shown), self.precision)

    def far_from(self, many: Sequence[Made | None]) -> list[bool]:
        """Whether each of some mistakes gives outputs that are far from those seen: then it needs no bounds.

        Only runs in single precision, or better, are looked at in this way. In a few steps rounding cannot have grown
        that far; in more of them, it is seen by how far it grows, and so is what recorded numbers leave open.
        """
        far = [False] * len(many)
        if not self.computable:
            return far
        asked = {i: made for i, made in enumerate(many) if made is not None and made.precision is None}
        walked = self._walked(asked, self._dtype)
        off = {i: _apart(list(self._outputs.values()), each, self.precision.shown) for i, each in walked.items()}
        asked = {i: asked[i] for i in walked if off[i] > self._far}
        for i in self._beyond_doubt(asked, walked, off):
            far[i] = True
        return far

    def _beyond_doubt(
        self, asked: Mapping[int, Made], walked: Mapping[int, Arrays], off: Mapping[int, float]
    ) -> set[int]:
        """Which of those that seem far are so beside all that may part what is computed from what is shown."""
        if self._recorded:
            for seed in range(MOVED):
                moved = self._walked(asked, self._dtype, seed)
                asked = {i: asked[i] for i in moved if off[i] > AT_MOST * _apart(walked[i], moved[i])}
            return set(asked)
        if self._short:
            return set(asked)
        double = self._walked(asked, np.float64)
        return {i for i in asked if i in double and off[i] > GROWN * _apart(walked[i], double[i])}

    def _walked(self, many: Mapping[int, Made], dtype: Any, moved: int | None = None) -> dict[int, Arrays]:
        """The outputs of mistakes, of the calls and steps that were shown, if they can be made and are finite.

        Recorded numbers may be `moved`, by a seed, to an end of what they may be. Cases that are alike are computed
        together, if their cells are right: a wrong one may look from one sample to another.
        """
        every = any(np.ndim(outputs) == 3 for outputs in self._outputs.values())
        cases = {i: whole(made.case, made.wiring) if every else made.case for i, made in many.items()}
        if moved is not None:
            cases = {i: _moved(case, self.precision, moved) for i, case in cases.items()}
        alike: dict[Any, list[int]] = {}
        for i, case in cases.items():
            right = many[i].wiring is RIGHT and not case.spec.two_outputs and _cells(case) == _cells(self.case)
            shapes = tuple((array.shape, array.dtype) for array in case.numbers().values())
            alike.setdefault((case.spec, shapes) if right else i, []).append(i)
        found: dict[int, Arrays] = {}
        for group in alike.values():
            # in its own numbers, since what is cut jumps where it saturates
            for i, own in zip(group, _computed([cases[i] for i in group], many[group[0]].wiring, dtype), strict=True):
                if own is not None and (outputs := self._as_shown(own)) is not None:
                    found[i] = outputs
        return found

    def _as_shown(self, each_call: Arrays) -> Arrays | None:
        """Of the outputs of each call those that were shown; None where they are of other shapes, or not finite."""
        shown = [(got, np.asarray(each_call[call], np.float64)) for call, got in self._outputs.items()]
        outputs = [a[:, -1] if a.ndim == 3 and got.ndim == 2 else a for got, a in shown]
        if [a.shape for a in outputs] != [a.shape for a in self._outputs.values()]:
            return None
        return outputs if all(np.isfinite(a).all() for a in outputs) else None

    @property
    def _recorded(self) -> bool:
        """Whether inputs or weights are known to some decimals only."""
        return bool(self.precision.given or self.precision.radius)

    @property
    def _short(self) -> bool:
        return max(call.T for call in self.case.calls) <= SHORT

    @cached_property
    def _far(self) -> float:
        """What share of the outputs is far more than rounding moves them by."""
        grain = max((each.grain for each in self.precision.formats.values()), default=0.0)
        if grain:
            return FAR_IN_8_BITS if grain <= 2.0**-8 else FAR_IN_FEWER
        shares = [
            each.radius.max(initial=0.0) / np.abs(each.expected).max(initial=0.05) for each in self.output_findings
        ]
        share = MORE * max(shares, default=FAR)
        return float(np.clip(share, NEAR, FAR)) if np.isfinite(share) else FAR

    @property
    def _dtype(self) -> Any:
        return np.float64 if self.precision.unit < Precision.float32.unit else np.float32

    @cached_property
    def _outputs(self) -> dict[int, Array]:
        """The outputs of each call of which they were shown, by its number."""
        shown = ((i, call.outputs) for i, call in enumerate(self.shown.each_call))
        return {i: np.asarray(outputs, np.float64) for i, outputs in shown if outputs is not None}

    @cached_property
    def computable(self) -> bool:
        """Whether nothing but single precision, over not too many steps, parts what is computed from what is shown.

        And recording, where numbers are known to some decimals.
        """
        p, arrays = self.precision, self.case.numbers().values()
        if max(p.unit, p.operand) > Precision.float32.unit or p.activation_error or p.begun or p.tables:
            return False
        if (p.operand or p.radius) and not p.coarseness:
            return False
        if any(getattr(each, "overflow", "") == "wrap" for name, each in p.formats.items() if name != "accumulator"):
            return False  # then what comes may be anywhere
        if "outputs" in p.formats:
            return False  # they may have been cut where their range ends
        double = p.unit < Precision.float32.unit  # what is finer cannot be seen to grow
        if max(call.T for call in self.case.calls) > (SHORT if double else LONG) or self.case.spec.two_outputs:
            return False
        large = max((float(np.abs(a).max(initial=0.0)) for a in arrays if a.dtype.kind == "f"), default=0.0)
        return large < LARGE and bool(self._outputs) and all(np.isfinite(a).all() for a in self._outputs.values())

    def told_by(self, made: Made, judged: Verdict) -> Told:
        """How much a mistake tells of what is broken here, of which it is known that it is not refuted.

        Where it leaves numbers undetermined, it must give, at each number that is broken, what was seen, and exclude
        what is right.
        """
        if made.by_digits and made.precision is not None:
            # Its bounds are so wide that they tell nothing: it is known by its digits.
            bits, numbers = bits_of_marks(made.precision, self.case, self.shown)
            return Told(bits, frozenset((number, number) for number in numbers))
        wrong = {finding.what: finding for finding in findings(made, self.shown, self.precision)}
        if self.verdict.place is None:  # final states of other shapes; under the mistake, they are what they should be
            return sum((_told_alone(each) for what, each in wrong.items() if "final state" in what), NOTHING)
        broken = [finding for finding in self.findings if finding.broken.any()]
        if any(_unlike(wrong.get(right.what), right) for right in broken):
            broken = [finding for finding in self.output_findings if finding.broken.any()]
        told = NOTHING
        for right in broken:
            more = _told(wrong.get(right.what), right, strictly=not judged.equivalent, zeros=self.zeros)
            if more is None:
                return NOTHING
            told += more
        return told


def _apart(one: Arrays, other: Arrays, allowed: float = 0.0) -> float:
    """How far outputs are apart, as a share of the largest of the others; infinite where that is no number.

    Beside what is `allowed` to each.
    """
    with np.errstate(all="ignore"):
        shares = [
            float((np.abs(a - b).max(initial=allowed) - allowed) / np.abs(b).max(initial=0.05))
            for a, b in zip(one, other, strict=True)
        ]
    return np.inf if any(map(isnan, shares)) else max(shares)


def _cells(case: Case) -> list[tuple[Cell, ...]]:
    """The cells of each direction of each layer."""
    return [direction.kinds for layer in case.spec.layers for direction in layer.directions]


def _computed(cases: list[Case], wiring: Wiring, dtype: Any) -> list[Arrays | None]:
    """The outputs of each call, of each of some cases of one spec and shape; None where it cannot be made."""
    if len(cases) > 1:
        try:
            together = Computed(Pack.of(cases), wiring, dtype).calls()
        except (Apart, Unmade):
            return [outputs for case in cases for outputs in _computed([case], wiring, dtype)]
        by_call = [np.split(np.asarray(call.outputs), len(cases)) for call in together.each_call]
        return [list(each) for each in zip(*by_call, strict=True)]
    try:
        return [[call.outputs for call in Computed(cases[0], wiring, dtype).calls().each_call]]
    except Unmade:
        return [None]  # which is told elsewhere


def _moved(case: Case, p: Precision, seed: int) -> Case:
    """Move each number that was recorded to an end of what it may be; padding stays what it is."""
    rng, weight = np.random.default_rng(seed), max(map(np.max, p.radius.values()), default=0.0)

    def by(a: Any, most: float) -> Any:
        a = np.asarray(a)
        if a.dtype.kind != "f" or not most:
            return a
        return np.where(a == case.spec.mask_value, a, a + most * rng.choice((-1.0, 1.0), a.shape)).astype(a.dtype)

    return case.replace(
        weights=tuple(by(a, weight) for a in case.weights),
        calls=[
            call.replace(x=by(call.x, p.given), states=tuple(by(state, p.given) for state in call.states))
            for call in case.calls
        ],
    )


class Wide(Inspection):
    """An inspection that keeps bounds which are too wide to acquit."""

    most_runs = FEW

    def _sharp(self, got: Array, expected: Array, radius: Array, scale: Array) -> Array:
        return radius


def findings(made: Made, shown: Trajectory, precision: Precision) -> list[Finding]:
    """What was shown beside what it should be, with all bounds, however wide."""
    walk = Wide(made.case, made.seen(shown), made.precision or precision, made.wiring)
    walk.calls()
    return walk.findings


def _unlike(wrong: Finding | None, right: Finding) -> bool:
    return wrong is None or wrong.got.shape != right.got.shape


#: No number tells more than its digits.
MOST_BITS = 53.0


def _told_alone(wrong: Finding) -> Told:
    """How much a mistake tells of numbers that have no right ones beside them."""
    got, radius = wrong.got, wrong.radius
    tells = np.isfinite(got) & (got != 0) & (np.abs(got) > radius)
    bits = np.log2(np.abs(got[tells]) / np.maximum(radius[tells], np.abs(got[tells]) * 2.0**-MOST_BITS))
    return Told(float(bits.sum()), frozenset((a, a) for a in np.abs(got[tells]).astype(np.float32).tolist()))


def _told(wrong: Finding | None, right: Finding, strictly: bool, zeros: bool) -> Told | None:
    """How much a mistake tells of the numbers that are broken; None, `strictly`, where it leaves one open.

    `zeros` says that there is nothing else, so that they do not count.
    """
    if wrong is None or _unlike(wrong, right):
        return None
    at = right.ratio()[0] > 1
    got, expected, radius, truth = (a[at] for a in (wrong.got, wrong.expected, wrong.radius, right.expected))
    with np.errstate(all="ignore"):
        off = np.where(np.isnan(truth), np.abs(expected), np.abs(truth - expected))
        counts = np.isfinite(got) & ((got != 0) | (not zeros))
        # what overflows, and should, tells as much as a number does
        overflown = np.isinf(got) & (got == expected) & np.isfinite(truth)
        tells = counts & np.isfinite(radius) & (off > radius)
        if strictly and (counts & ~tells).any():
            return None
        bits = np.log2(off / np.maximum(radius, off * 2.0**-MOST_BITS))
        own = [np.abs(np.nan_to_num(a[tells | overflown])).astype(np.float32).tolist() for a in (truth, got)]
    total = float(bits[tells].sum()) + float(tells.sum()) + MOST_BITS * float(overflown.any())
    return Told(total, frozenset(zip(*own, strict=True)))
