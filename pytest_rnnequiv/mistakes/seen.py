"""What was seen of one run, and how much of it a mistake tells.

Numbers that lie within the bounds of a mistake are no evidence by themselves: a wide bound contains much. What counts
is how narrow the bound is beside the distance of the right number, in bits, and for how many numbers. NaN and zeros
come from too many mistakes to count for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..judging.inspection import Inspection
from ..judging.oracle import judge
from ..judging.verdict import Finding, Verdict
from ..model.case import Case
from ..model.forward import Computed
from ..model.trajectory import Trajectory
from ..model.wiring import Unmade
from .arithmetic import bits_of_marks
from .made import FEW, Made, outputs_of, whole

__all__ = ["NOTHING", "Seen", "Told", "Wide", "findings"]

Array = npt.NDArray[np.float64]


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

    def far_from(self, made: Made) -> bool:
        """Whether a mistake gives outputs that are far from those seen: then no bounds have to be computed.

        Only runs in single precision, or better, are looked at in this way. In a few steps rounding cannot have grown
        that far; in more of them, it is seen by how far it grows.
        """
        if not self.computable or made.precision is not None:
            return False
        walked = self._walked(made, self._dtype)
        if walked is None or [a.shape for a in walked] != [a.shape for a in self._outputs]:
            return False
        if not all(np.isfinite(a).all() for a in walked):
            return False
        off = _apart(self._outputs, walked)
        if off <= self._far or self._short:
            return off > self._far
        double = self._walked(made, np.float64)
        return double is not None and off > GROWN * _apart(walked, double)

    def _walked(self, made: Made, dtype: Any) -> list[Array] | None:
        """The outputs of a mistake, of the steps that were shown; None where it cannot be made."""
        every = any(np.ndim(outputs) == 3 for outputs in self._outputs)
        case = whole(made.case, made.wiring) if every else made.case
        try:
            # in its own numbers, since what is cut jumps where it saturates
            walked = Computed(case, made.wiring, dtype).calls().each_call
        except Unmade:
            return None  # which is told elsewhere
        outputs = [np.asarray(call.outputs, np.float64) for call in walked]
        return [a[:, -1] if a.ndim == 3 and got.ndim == 2 else a for got, a in zip(self._outputs, outputs, strict=True)]

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
    def _outputs(self) -> list[Array]:
        return [np.asarray(call.outputs, np.float64) for call in self.shown.each_call]

    @cached_property
    def computable(self) -> bool:
        """Whether nothing but single precision, over not too many steps, parts what is computed from what is shown."""
        p, arrays = self.precision, self.case.numbers().values()
        if p.unit > Precision.float32.unit or p.operand or p.activation_error or p.radius or p.begun:
            return False
        if p.tables or p.coarseness:
            return False
        if any(getattr(each, "overflow", "") == "wrap" for name, each in p.formats.items() if name != "accumulator"):
            return False  # then what comes may be anywhere
        if "outputs" in p.formats:
            return False  # they may have been cut where their range ends
        double = p.unit < Precision.float32.unit  # what is finer cannot be seen to grow
        if max(call.T for call in self.case.calls) > (SHORT if double else LONG) or self.case.spec.two_outputs:
            return False
        large = max((float(np.abs(a).max(initial=0.0)) for a in arrays if a.dtype.kind == "f"), default=0.0)
        return large < LARGE and all(np.isfinite(a).all() for a in self._outputs)

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


def _apart(one: list[Array], other: list[Array]) -> float:
    """How far outputs are apart, as a share of the largest of the others; infinite where that is no number."""
    with np.errstate(all="ignore"):
        shares = [np.abs(a - b).max(initial=0.0) / np.abs(b).max(initial=0.05) for a, b in zip(one, other, strict=True)]
    return float(np.nan_to_num(max(shares), nan=np.inf))


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
