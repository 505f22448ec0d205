"""How often does each weight count, and is it multiplied?

Where all numbers are small, a recurrence is linear. What a weight adds to the outputs is its contribution, which can be
set beside that of the recurrence. A weight that is added twice contributes twice as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..model.case import Case
from ..model.forward import reference
from .asked import Answer, Array, Asker, probe_case

__all__ = ["counted"]

#: The size of the numbers of a case in which activations are linear, but for the square of it.
SMALL = 0.04

#: How exactly two parts have to be proportional.
PROPORTIONAL = 1e-2

#: How many times the room for rounding a part has to be, to be known well enough; and how far from 1 a factor.
CLEAR, NOT_ONE = 20.0, 0.05


def counted(asker: Asker, base: Answer, dead: Sequence[str]) -> Iterator[str]:
    """Yield which weights count how often, and which are not multiplied, of those that are not `dead`."""
    of_head = [] if base.case.spec.letters.get("bo") in dead else [*_of_bo(asker, base)]
    yield from of_head
    spec = base.case.spec
    f = spec.activation
    linear = spec.head is not None and spec.head.activation.name == "linear"
    at_zero = f(np.array([0.0, 1e-3, -1e-3]))
    # the activation must be a line through zero there
    if not linear or spec.cell.gated or f.per_term is not None or at_zero[0] or spec.masked:
        return
    if not np.isclose(at_zero[1], -at_zero[2], rtol=1e-2) or not at_zero[1]:
        return
    if _normalized(asker, _small(base.case, 5)):
        yield "inputs twice as large give the same answer: are they normalized?"
        return
    names = [short for short in ("Wx", "Wh", "bh", "Wo") if short in spec.letters]
    for short in names:
        full = spec.letters[short]
        case = _small(base.case, 5)
        if (once := _contribution(asker, case, full)) is None:
            continue
        if (times := once.times) is not None and abs(times - 1) > NOT_ONE:
            # a bias has the same part in each sample, and two outputs are in proportion by chance
            again = _contribution(asker, _small(base.case, 6), full)
            alike = again is not None and again.times is not None and abs(again.times - times) <= NOT_ONE * abs(times)
            # at two steps, a mean over the steps halves what the state brings
            if alike and (short != "Wh" or _counts_in_three_steps(asker, base.case, full, times)):
                yield f"`{short}` counts {times:.2g} times"
        elif times is None and short in ("Wx", "Wh") and not of_head:
            twice = _contribution(asker, _scaled(case, 2.0), full)
            if twice is not None and once.stays_in(twice):
                doubled = "the inputs and `bh`" if "bh" in spec.letters else "the inputs"
                other = ", or does the state not start from 0" if short == "Wh" else ""
                yield f"doubling {doubled} does not double the part of `{short}`: is it added, not multiplied{other}?"


def _of_bo(asker: Asker, base: Answer) -> Iterator[str]:
    """Whether the outputs move by what `bo` is moved by."""
    spec = base.case.spec
    if "bo" not in spec.letters or spec.head is None or spec.head.activation.name != "linear":
        return
    shift = np.resize((0.25, -0.375, 0.5), spec.K)
    one, two = (
        asker.ask(base.case.with_weights(**{spec.letters["bo"]: base.case.bo + times * shift})) for times in (1, 2)
    )
    answers = [a.numbers for a in (base, one, two) if a is not None and a.numbers is not None]
    if one is None or two is None or len(answers) < 3 or len({y.shape for y in answers}) > 1:
        return
    room = base.room
    if np.abs(shift).max() <= 2 * CLEAR * room:  # a coarse port may be off by as much
        return
    once, more = answers[1] - answers[0], answers[2] - answers[1]
    if np.abs(once).max() <= CLEAR * room:
        yield "moving `bo` moves no output"
        return
    if np.abs(more - once).max() > max(room, 0.02 * np.abs(once).max()):
        yield "moving `bo` twice as far does not move the outputs twice as far: is there an activation on the head?"
        return
    if np.ptp(once, axis=(0, 1)).max() > CLEAR * room:
        yield "moving `bo` moves the outputs of one sample further than those of another: is it added?"
        return
    times = float(np.median(once / shift))
    if (np.abs(once - times * shift) <= room).all() and abs(times - 1) > NOT_ONE:
        yield f"`bo` counts {times:.2g} times"


def _normalized(asker: Asker, case: Case) -> bool:
    """Whether an answer stays as it is where inputs are twice as large, though it should not."""
    once, twice = asker.ask(case), asker.ask(case.map_calls(lambda c: c.replace(x=2 * c.x)))
    if once is None or twice is None or once.numbers is None or twice.numbers is None:
        return False
    room, same = once.room + twice.room, np.abs(twice.numbers - once.numbers).max()
    size = np.abs(once.numbers).max()
    # numbers that are added to an input, and not multiplied, move it as well
    return bool(size > CLEAR * room and same <= max(room, 1e-3 * size) < np.abs(twice.expected - once.expected).max())


def _counts_in_three_steps(asker: Asker, like: Case, name: str, times: float) -> bool:
    """Whether three steps show that a weight counts so many times."""
    case = _small(like, 7, T=3)
    part = _contribution(asker, case, name)
    if part is None:
        return False
    named = case.named_weights[name]
    runs = (reference(case.with_weights(**{name: factor * named})).outputs for factor in (times, 0.0))
    scaled, without = (np.asarray(y)[:, -part.got.shape[1] :] for y in runs)
    right = scaled - without
    return bool(np.abs(part.got - right).max() <= max(CLEAR * part.room, 5 * PROPORTIONAL * np.abs(right).max()))


def _small(case: Case, seed: int, T: int = 2) -> Case:
    """A few steps of a case with small numbers, so that activations are linear."""
    small = probe_case(case, seed, T=T, D=case.D, M=case.M, K=case.K, N=case.N)
    # without the bias of the head, beside which the other numbers would be known less exactly
    bo = [full for short, full in case.spec.letters.items() if short == "bo"]
    return _scaled(small, SMALL).with_weights(**{full: np.zeros(case.K) for full in bo})


def _scaled(case: Case, times: float) -> Case:
    """Inputs, initial states and biases times a factor: so are all states, as long as they are small."""
    names = [full for short, full in case.spec.letters.items() if short == "bh"]
    scaled = case.with_weights(**{name: times * case.named_weights[name] for name in names})
    return scaled.map_calls(lambda c: c.replace(x=times * c.x, states=tuple(times * s for s in c.states)))


@dataclass(frozen=True, eq=False)
class Contribution:
    """What a weight adds to the outputs, what it should add, and the room for rounding."""

    got: Array
    right: Array
    room: float

    @property
    def times(self) -> float | None:
        """How many times the right part it is; None where it is no multiple of that, or not known well enough."""
        size = np.abs(self.right).max()
        if size <= CLEAR * self.room:
            return None
        times = float((self.got * self.right).sum() / (self.right * self.right).sum())
        off = float(np.abs(self.got - times * self.right).max() / size)
        return times if off <= PROPORTIONAL * max(1.0, abs(times)) and abs(times) > NOT_ONE else None

    def stays_in(self, twice: Contribution) -> bool:
        """Whether the part is the same where it should be twice as large."""
        if np.abs(self.got).max() <= CLEAR * (self.room + twice.room):
            return False
        doubles = np.abs(twice.right - 2 * self.right).max() < 0.1 * np.abs(self.right).max()
        return bool(doubles and np.abs(twice.got - self.got).max() < 0.1 * np.abs(self.got).max())


def _contribution(asker: Asker, case: Case, name: str) -> Contribution | None:
    """Return what a weight adds to the outputs; None where that cannot be asked."""
    whole = asker.ask(case)
    without = asker.ask(case.with_weights(**{name: np.zeros_like(case.named_weights[name])}))
    if whole is None or without is None:
        return None
    one, two = whole.numbers, without.numbers
    if one is None or two is None or one.shape != two.shape:
        return None
    return Contribution(one - two, whole.expected - without.expected, whole.room)
