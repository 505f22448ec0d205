"""Mistakes in the very roundings that a port declares: numbers that are cut, and wrong zero points.

What can go wrong here depends on what is declared, so these are not in the catalogue: they are made of a declaration.
A port that cuts is the right recurrence in another arithmetic, which is as well known as the declared one. So it is
computed and judged by its own bounds, and needs no marks in its digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..arithmetic.formats import Choose, Ends, Fixed, Format, Scaled
from ..arithmetic.inexact import Inexact
from ..arithmetic.precision import LETTERS, ROLES, Precision
from ..model.case import Case
from ..model.spec import Spec
from .mistake import Mistake

__all__ = ["of_declared"]

#: What is rounded: a name, what is said of it, and the formats of the declaration.
ROUNDED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("states", "states, and values of activations,", ("states", "activations")),
    ("sums", "sums", ("sums",)),
    ("products", "products and their sums", ("accumulator",)),
    ("outputs", "outputs", ("outputs",)),
    ("inputs", "inputs", ("inputs",)),
    ("weights", "weights", ("weights",)),
    ("kept-states", "states, but not values of gates,", ("states",)),
    ("activations", "values of activations, but not states,", ("activations",)),
    ("all-numbers", "all numbers", ("weights", *ROLES)),
)

#: What differs from "states" only in cells with gates.
OF_GATES = ("kept-states", "activations")

#: How a port may come to whole steps: a name, the rounding, what is said of it, how people come to it.
WAYS = (
    ("cut", "floor", "cut downwards", "a shift to the right without half a step added before it, or `floor`"),
    ("chopped", "zero", "cut towards zero", "a cast to an integer without rounding before it, or an integer division"),
    (
        "rounded-to-nearest",
        "nearest-even",
        "rounded to nearest",
        "`round`, or half a step that is added before a shift",
    ),
)

#: Roundings of which a port does what is declared in one case, and not in another.
_OPEN = ("unknown", "stochastic")


def of_declared(p: Precision, spec: Spec) -> Iterator[Mistake]:
    """Yield the mistakes that can be made in a declared arithmetic; none where nothing is declared to be rounded."""
    yield from _other_roundings(p, spec)
    yield from _zero_points(p)
    yield from _states_as_factors(p, spec)


def _other_roundings(p: Precision, spec: Spec) -> Iterator[Mistake]:
    gated = any(len(cell.gates) > 1 for direction in spec.directions for cell in direction.kinds)
    # What was rounded to multiples of a scale once stays as it is when it is rounded to nearest again. Cut again, it
    # might lose a whole step, as its division by the scale may come out below a whole number.
    once = (
        not gated
        and isinstance(p.formats.get("activations"), Scaled)
        and all(direction.activation.name != "linear" for direction in spec.directions)
    )
    met = set()
    for name, what, roles in ROUNDED:
        if name in OF_GATES and not gated:
            continue
        if name == "states" and once:
            roles = ("activations",)
        for short, rounding, says, cause in WAYS:
            changed: dict[str, Format] = {
                role: replace(each, rounding=rounding)
                for role, each in p.formats.items()
                if _role(role) in roles and isinstance(each, (Fixed, Scaled)) and _another(each.rounding, rounding)
            }
            # where nothing but one thing is rounded, that is all of it
            if changed and (rounding, *sorted(changed)) not in met:
                met.add((rounding, *sorted(changed)))
                says_so = f"with {what} {says}, where {_declared(p, changed)} is declared"
                yield _in(p, changed, f"{name}-{short}", says_so, cause)


def _role(name: str) -> str:
    """What a format is of: all weights are one thing."""
    return "weights" if name.rpartition("/")[2] in LETTERS else name


def _another(declared: str, rounding: str) -> bool:
    """Whether a rounding is another one than the declared one, and not only at ties."""
    if declared in _OPEN:
        return False
    return declared != rounding and not (declared.startswith("nearest") and rounding.startswith("nearest"))


def _declared(p: Precision, formats: dict[str, Format]) -> str:
    """What is declared in the place of formats."""
    kinds: dict[str, Any] = {role: p.formats[role] for role in formats}
    says = {"floor": "cutting downwards", "zero": "cutting towards zero"}
    return " and ".join(dict.fromkeys(says.get(each.rounding, "rounding to nearest") for each in kinds.values()))


def _in(p: Precision, formats: dict[str, Format], name: str, says: str, cause: str) -> Mistake:
    """A mistake that is another arithmetic."""
    other = replace(p, name=f"{p.name}, {name}", formats={**p.formats, **formats})
    return Mistake(name, says, cause, "numbers", precision=other, computed=True)


# ---- zero points ----

#: By how much a zero point is taken too high, or too low, where it is near.
FEW = (1, 2, 3, 4)


@dataclass(frozen=True)
class Displaced(Format):
    """Integers which are read with another zero point than they were made with."""

    kind: Scaled
    by: float

    integers = True
    roundings = Scaled.roundings

    @property
    def grain(self) -> float:
        """Half a step, beside numbers of the size of 1."""
        return self.kind.grain

    def applies(self, size: int) -> bool:
        """Whether an array of that many numbers is rounded at all."""
        return self.kind.applies(size)

    def holds_one(self) -> bool:
        """Whether 0 and 1 are numbers of the format: 0 is read as another number."""
        return False

    def ends(self, value: Any, radius: Any, own: float, choose: Choose | None = None) -> Ends:
        """Round, and move."""
        ends = self.kind.ends(value, radius, own, choose)
        return ends._replace(low=ends.low + self.by, high=ends.high + self.by)

    def moved(self, value: Any) -> tuple[Any, Any]:
        """Where rounding puts numbers of up to this size."""
        shift, radius = self.kind.moved(value)
        return shift + self.by, radius

    def __str__(self) -> str:
        return str(self.kind)


def _zero_points(p: Precision) -> Iterator[Mistake]:
    for role, whose in (("inputs", "the inputs"), ("outputs", "the outputs")):
        if (kind := _on_one_scale(p, role)) is None:
            continue
        scale, zero = float(np.ravel(kind.scale)[0]), int(np.ravel(kind.zero_point)[0])
        for short, wrong, says, cause in _taken_for(zero):
            displaced = Displaced(kind, (zero - wrong) * scale)
            says_so = f"with {says} as the zero point of {whose}, where {zero} is declared"
            yield _in(p, {role: displaced}, f"zero-point-of-{role}-{short}", says_so, cause)


def _on_one_scale(p: Precision, role: str) -> Scaled | None:
    """The format of something, where it is one scale that is given."""
    kind = p.formats.get(role)
    if not isinstance(kind, Scaled) or kind.scale is None or np.size(kind.scale) > 1 or np.size(kind.zero_point) > 1:
        return None
    return kind


def _states_as_factors(p: Precision, spec: Spec) -> Iterator[Mistake]:
    """Yield states that are multiplied with kernels as if their integers had another zero point or scale.

    The states themselves are what they are. In products, each is off by the same number, which comes to another bias:
    ``(h + d) Wh = h Wh + d sum(Wh)``; or by the same factor.
    """
    kind = _on_one_scale(p, "states")
    # a GRU with reset_after=False multiplies its states with a gate before
    if kind is None or not spec.plain or getattr(spec.cell, "reset_after", True) is False:
        return
    scale, zero = float(np.ravel(kind.scale)[0]), int(np.ravel(kind.zero_point)[0])
    for short, wrong, says, cause in _taken_for(zero):
        says_so = f"with {says} as the zero point of the states in products, where {zero} is declared"
        change = partial(_moved_states, p=p, by=(zero - wrong) * scale)
        yield Mistake(f"zero-point-of-states-{short}", says_so, cause, "numbers", change)
    for short, says, factor in (("doubled", "multiplied by 2", 2.0), ("halved", "divided by 2", 0.5)):
        cause = "the scale of states in [-1, 1], which is 1/128 or 1/127, taken for that of another range"
        change = partial(_scaled_states, by=factor)
        yield Mistake(
            f"scale-of-states-{short}", f"with the scale of the states {says} in products", cause, "numbers", change
        )


def _moved_states(case: Case, p: Precision, by: float) -> Case | None:
    """Multiply ``h + by`` with the kernels, by another bias."""
    changed = {}
    for kernel, bias in (("layer0/Wh", "layer0/bh"), ("head/Wo", "head/bo")):
        W, b = (case.named_weights.get(name) for name in (kernel, bias))
        if W is None or b is None:
            return None
        moved = np.array(b, np.float64)
        # of a GRU with two biases, the second one is that of the states
        moved[(1,) if moved.ndim == 2 else ()] += by * Inexact.weight(kernel, W, p).value.sum(0)
        changed[bias] = moved.astype(b.dtype)
    return case.with_weights(**changed)


def _scaled_states(case: Case, by: float) -> Case | None:
    """Multiply ``by h`` with the kernels."""
    kernels = {name: case.named_weights.get(name) for name in ("layer0/Wh", "head/Wo")}
    found = {name: (W * by).astype(W.dtype) for name, W in kernels.items() if W is not None}
    return case.with_weights(**found) if len(found) == len(kernels) else None


def _taken_for(zero: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield what is taken for a zero point: a name, the number, what is said, how people come to it; each once."""
    met = {zero}
    for short, wrong, says, cause in _wrong_for(zero):
        if wrong not in met:
            met.add(wrong)
            yield short, wrong, says, cause


def _wrong_for(zero: int) -> Iterator[tuple[str, int, str, str]]:
    yield "forgotten", 0, "0", "the zero point is not subtracted, as in symmetric quantization"
    yield "negated", -zero, str(-zero), "the zero point is added where it should be subtracted"
    for short, by in (("above", 128), ("below", -128)):
        yield (
            f"128-{short}",
            zero + by,
            str(zero + by),
            "the zero point of uint8 with integers of int8, or the other way",
        )
    for few in FEW:
        for short, by in (("above", few), ("below", -few)):
            yield f"{few}-{short}", zero + by, str(zero + by), "the zero point of another calibration, or cut"
