"""Where is a wrong implementation right?

It is asked about generic cases under conditions (one sample, one step, no bias, small numbers), and where a size makes
the difference, from which size on: by bisection. The field calls it fault localisation, and the last part delta
debugging (Zeller and Hildebrandt, 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from ..model.case import Case
from ..model.forward import reference
from .asked import Answer, Asker, probe_case
from .smallest import smallest

__all__ = ["localise"]

#: Sizes that are tried where a case of the usual ones is right, one letter at a time.
LARGE = {"T": (40, 100), "N": (9,), "D": (19, 40), "M": (19, 40), "K": (9, 40)}

#: Cases that must be right for a condition to be said.
TRIES = 2

#: Conditions that are told.
TOLD = 4

#: A bias that shuts a gate, or opens it; and what among a cell's blocks is no gate.
SHUT, CANDIDATES = 40.0, ("h", "c")


@dataclass(frozen=True)
class Condition:
    """Something that may hold of a case.

    Attributes
    ----------
    says : str
    sizes, other : mapping
        Of its case, and of the second one if that is of another size.
    change : callable
        What is done to it.
    """

    says: str
    sizes: Mapping[str, int] = field(default_factory=dict)
    other: Mapping[str, int] = field(default_factory=dict)
    change: Callable[[Case], Case] = lambda case: case


def localise(asker: Asker, base: Answer, *, nothing_told: bool = True) -> Iterator[str]:
    """Yield where an implementation is right, and where it is wrong.

    Parameters
    ----------
    base : Answer
        What it gave for a generic case.
    nothing_told : bool
        Whether nothing is known of what its answers depend on: then it is asked for the smallest number that is wrong,
        where it is right nowhere.
    """
    found = _Localising(asker, base, nothing_told)
    yield from found.smaller() if base.wrong else found.larger() if base.right else ()


class _Localising:
    def __init__(self, asker: Asker, base: Answer, nothing_told: bool) -> None:
        self.asker, self.base, self.nothing_told = asker, base, nothing_told
        self.case, self.spec = base.case, base.case.spec
        self.sizes = {letter: getattr(base.case.calls[0], letter) for letter in "NT"}
        self.free = asker.asking.any_weights and bool(self.spec.letters) and self.spec.head is not None
        if self.spec.letters:
            self.sizes |= {letter: getattr(self.spec, letter) for letter in "DMK"}

    def made(self, *conditions: Condition, seed: int = 0, **sizes: int) -> Case | None:
        """Make a case under conditions; None where there is none."""
        wanted = self.sizes | sizes
        for condition in conditions:
            wanted |= condition.other if condition.other and seed else condition.sizes
        try:
            case = probe_case(self.case, self.asker.seed + seed, self.asker.asking.any_weights, **wanted)
            for condition in conditions:
                case = condition.change(case)
        except (TypeError, ValueError, AttributeError):
            return None
        return case

    def ask(self, *conditions: Condition, seed: int = 0, **sizes: int) -> Answer | None:
        """Ask about a case under conditions."""
        return self.asker.ask(self.made(*conditions, seed=seed, **sizes))

    def right_under(self, *conditions: Condition) -> bool | None:
        """Whether all of several cases are right under conditions; None where that is not known of one."""
        for seed in range(TRIES):
            answer = self.ask(*conditions, seed=seed)
            if answer is None or not (answer.right or answer.wrong):
                return None
            if answer.wrong:
                return False
        return True

    # ---- the usual case is wrong ----

    def smaller(self) -> Iterator[str]:
        """Where it is right, though the usual case is wrong."""
        conditions = [*self.conditions()]
        found = [c for c in conditions if self.right_under(c)]
        says = {c.says for c in found}
        if "T = 1" in says:  # then there is no state that `Wh` could be multiplied by
            found = [c for c in found if not c.says.endswith("`Wh` is 0")]
        told = [*self._told(found)]
        if self.free:
            told = [*self._multiples(), *told]
        if not told:
            told = [*self._together(conditions)]
        yield from islice(told, TOLD)

    def conditions(self) -> Iterator[Condition]:
        """Conditions that the usual case does not meet."""
        letters = "NTDMK" if self.free else "NT"
        for letter in letters:
            if letter == "T" and self.spec.masked:
                continue  # in a step or two, none is masked
            if letter in "DMK" or (self.sizes[letter] > 1 and getattr(self.spec, letter) is None):
                yield Condition(f"{letter} = 1", {letter: 1})
        call = self.case.calls[0]
        if call.mask is not None:
            yield Condition("no step is masked", change=lambda case: case.map_calls(_unmasked))
        if call.states:
            yield Condition("the initial state is 0", change=lambda case: case.map_calls(_from_zero))
        if not self.spec.embedded and self.spec.source != "masking":
            yield Condition("the inputs are 0", change=lambda case: case.map_calls(_without_input))
        if not self.asker.asking.any_weights:
            return
        for name in self.spec.weight_shapes:
            short = name.rpartition("/")[2]
            if short in ("Wh", "bh", "bo"):
                yield Condition(f"`{short if self.spec.letters else name}` is 0", change=_zeroed(name))
        if self.free:
            yield Condition("D = M", {"D": 4, "M": 4}, other={"D": 5, "M": 5})
            yield from self._gates_shut()
            if not self.spec.cell.gated:
                yield Condition("all numbers before the activation are small", change=_tamed)

    def _gates_shut(self) -> Iterator[Condition]:
        """Conditions that a gate is 0, or 1, by its bias."""
        gates, M = self.spec.cell.gates, self.spec.M
        if not self.spec.cell.gated or "bh" not in self.spec.letters:
            return
        for k, gate in enumerate(gates):
            for value, bias in ((0, -SHUT), (1, SHUT)):
                shut = Condition(f"gate `{gate}` is {value}", change=_biased(k * M, M, bias))
                case = None if gate in CANDIDATES else self.made(shut)
                # where all states are 0, nothing else matters
                if case is not None and np.abs(np.asarray(reference(case).states)).max() > 0.01:
                    yield shut

    def _told(self, found: Sequence[Condition]) -> Iterator[str]:
        """Say the conditions under which it is right; of a size, up to which."""
        plain = []
        for condition in found:
            letter = condition.says[0]
            sizes = [*condition.sizes]
            if len(sizes) == 1 and (sentence := self._up_to(letter, 1, self.sizes[letter])):
                yield sentence
            else:
                plain.append(condition.says)
        if plain:
            yield "right whenever " + ", and whenever ".join(plain)

    def _up_to(self, letter: str, low: int, high: int) -> str:
        """Find from which size on it is wrong; empty where that is not so simple."""
        right, wrong = {low}, {high}
        unknown = False
        while max(right) + 1 < min(wrong):
            middle = (max(right) + min(wrong)) // 2
            answer = self.ask(**{letter: middle})
            if answer is None or not (answer.right or answer.wrong):
                unknown = True
                break
            (right if answer.right else wrong).add(middle)
        answers = [(n, self.ask(**{letter: n})) for n in (min(wrong) + 1, high + 1) if n not in right | wrong]
        right |= {n for n, a in answers if a is not None and a.right}
        wrong |= {n for n, a in answers if a is not None and a.wrong}
        if max(right) > min(wrong):
            return ""
        begins = f"from {letter} = {min(wrong)} on" if not unknown else f"at {letter} = {min(wrong)}"
        upto = f"whenever {letter} = 1" if max(right) == 1 else f"up to {letter} = {max(right)}"
        failed = self._failed(letter, wrong)
        return f"right {upto}, {failed or 'wrong'} {begins}"

    def _failed(self, letter: str, sizes: set[int]) -> str:
        """What it does instead of answering, where that is the same in each case."""
        names = {a.failed if a is not None else "" for a in (self.ask(**{letter: n}) for n in sizes)}
        return names.pop() if len(names) == 1 and "" not in names else ""

    def _multiples(self) -> Iterator[str]:
        """Whether it is right where a size is a multiple of what fits into a block."""
        for letter in "DMK":
            first = self.ask(**{letter: 8})
            if first is None or not first.right:
                continue
            asked = {n: self.ask(**{letter: n}) for n in (2, 3, 4, 6, 7, 8, 9, 12, 16)}
            asked[self.sizes[letter]] = self.base
            known = {n: a.right for n, a in asked.items() if a is not None and (a.right or a.wrong)}
            for block in (2, 4, 8):
                if all(right == (n % block == 0) for n, right in known.items()):
                    yield f"right where {letter} is a multiple of {block}, wrong where it is not"

    def _together(self, conditions: Sequence[Condition]) -> Iterator[str]:
        """Find the fewest conditions that make it right together, where none does alone."""
        names = ("N = 1", "T = 1", "no step is masked", "the initial state is 0", "`bh` is 0", "`bo` is 0")
        kept = [c for c in conditions if c.says in names]
        if len(kept) < 2:
            return
        so = self.right_under(*kept)
        if so is None:
            return
        if not so:
            yield f"wrong even where {_and_zero(kept)}"
            if self.free and self.nothing_told:
                yield from smallest(self.asker, self.case)
            return
        for condition in [*kept]:
            fewer = [c for c in kept if c is not condition]
            if fewer and self.right_under(*fewer):
                kept = fewer
        yield f"right where {_and_zero(kept)}"

    # ---- the usual case is right ----

    def larger(self) -> Iterator[str]:
        """From which size on it is wrong, where the usual case is right."""
        for letter, sizes in LARGE.items():
            if letter in "DMK" and not self.free:
                continue
            for size in sizes:
                if getattr(self.spec, letter, None) is not None and letter in "NT":
                    continue
                answer = self.ask(**{letter: size})
                if answer is not None and answer.wrong:
                    if sentence := self._up_to(letter, self.sizes[letter], size):
                        yield sentence
                    break
        yield from self._beyond()

    def _beyond(self) -> Iterator[str]:
        """From which size of the numbers on it is wrong."""
        if self.spec.embedded or self.spec.source == "masking":
            return
        # In one step nothing is forgotten before it is seen.
        case = self.made(T=1, N=9) or self.case
        answer = self.asker.ask(case)
        case = case if answer is not None and answer.right else self.case
        wrong = next((times for times in (4.0, 16.0) if (a := self._times(case, times)) is not None and a.wrong), 0.0)
        if wrong:
            yield from self._between(case, 1.0, wrong)

    def _times(self, case: Case, times: float) -> Answer | None:
        return self.asker.ask(_with_inputs(case, times))

    def _between(self, case: Case, right: float, wrong: float) -> Iterator[str]:
        """Bisect between a factor of the inputs for which it is right, and one for which it is wrong."""
        for _ in range(7):
            middle = (right * wrong) ** 0.5
            answer = self._times(case, middle)
            if answer is None or not (answer.right or answer.wrong):
                break
            right, wrong = (middle, wrong) if answer.right else (right, middle)
        what, low, high = self._reaching(case, right, wrong)
        if float(f"{low:.3g}") < float(f"{high:.3g}"):
            yield f"right as long as {what} up to {low:.3g}, wrong from {high:.3g} on"

    def _reaching(self, case: Case, right: float, wrong: float) -> tuple[str, float, float]:
        """How large numbers become: those before the activation where these are known, else the inputs."""
        if self.spec.letters and not self.spec.cell.gated and not self.case.spec.masked:
            return "all |a| before the activation are", _largest(case, right), _largest(case, wrong)
        x = float(np.abs(case.calls[0].x).max())
        return "all |x| are", right * x, wrong * x


def _with_inputs(case: Case, times: float) -> Case:
    return case.map_calls(lambda c: c.replace(x=times * c.x))


def _largest(case: Case, times: float) -> float:
    """The largest number before the activation."""
    f, largest = case.spec.activation, 0.0

    def watched(a: Any) -> Any:
        nonlocal largest
        largest = max(largest, float(np.abs(a).max()))
        return f.function(a)

    reference(_with_inputs(case, times).under(case.spec.replace(activation=replace(f, function=watched))))
    return largest


def _and_zero(conditions: Sequence[Condition]) -> str:
    says = [c.says for c in conditions]
    sizes = " = ".join([*(c.says[0] for c in conditions if c.sizes), "1"])
    others = [s for c, s in zip(conditions, says, strict=True) if not c.sizes]
    return " and ".join([*([sizes] if sizes != "1" else []), *others])


def _unmasked(call: Any) -> Any:
    return call.replace(mask=np.ones_like(call.mask))


def _from_zero(call: Any) -> Any:
    return call.replace(states=tuple(np.zeros_like(state) for state in call.states))


def _without_input(call: Any) -> Any:
    return call.replace(x=np.zeros_like(call.x))


def _zeroed(name: str) -> Callable[[Case], Case]:
    return lambda case: case.with_weights(**{name: np.zeros_like(case.named_weights[name])})


def _biased(first: int, M: int, bias: float) -> Callable[[Case], Case]:
    """Set the biases of a gate: those of the inputs, where the state has others."""

    def change(case: Case) -> Case:
        name = case.spec.letters["bh"]
        bh = case.named_weights[name].copy()
        (bh if bh.ndim == 1 else bh[0])[first : first + M] = bias
        return case.with_weights(**{name: bh})

    return change


def _tamed(case: Case) -> Case:
    """Inputs, biases and initial states so small that an activation is a line."""
    names = [full for short, full in case.spec.letters.items() if short == "bh"]
    tamed = case.with_weights(**{name: 0.003 * case.named_weights[name] for name in names})
    return tamed.map_calls(lambda c: c.replace(x=0.003 * c.x, states=tuple(0.003 * state for state in c.states)))
