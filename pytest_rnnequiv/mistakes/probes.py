"""What does the answer of an implementation depend on?

One thing of a generic case is changed at a time: an input, a weight, a row of one. The numbers that move are set beside
those that should. The field calls it sensitivity analysis, or ablation. A sentence is only said where it is true of all
that was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.observing import ANYTHING, Asking
from ..model.case import Case
from ..model.forward import reference
from .asked import Answer, Asker, probe_case
from .contributions import counted
from .localising import localise
from .movement import Changing, Movement, without_effect
from .sentences import has, in_common, it, joined, listed, no_numbers, special

__all__ = ["probe"]

#: Calls that probing may take, and sentences that are told of what the answer depends on.
MOST_CALLS, TOLD = 110, 6

#: What is added to a seed for other numbers: a part without effect beside all of them has none.
OTHER_NUMBERS = (1000, 2000)


def probe(
    run: Callable[[Case], Any],
    like: Case,
    precision: Precision | None = None,
    *,
    asking: Asking = ANYTHING,
    most: int = MOST_CALLS,
    seconds: float = 5.0,
    seed: int = 1,
) -> tuple[str, ...]:
    """Find out what the answer of a wrong implementation depends on, and where it is right.

    Parameters
    ----------
    run : callable
        The implementation, case -> what it gives. It may raise :class:`~.asked.Unasked` for a case that it does not
        take.
    like : Case
        A case in which it is wrong: its cell, activation and options are those to ask about.
    precision : Precision, optional
        The arithmetic that it declares.
    asking : Asking
        What it takes.
    most, seconds : int, float
        How often it may be asked, and for how long.
    seed : int
        Chooses the numbers.

    Returns
    -------
    tuple of str
        Sentences, each true of all that was asked; none for an implementation that was never wrong.
    """
    if len(like.calls) > 1:
        return ()
    asker = Asker(run, asking, precision, most, seconds, seed)
    base = next((a for a in map(asker.ask, _bases(like, asking, seed)) if a is not None), None)
    if base is None:
        return ()
    again = asker.ask(base.case, anew=True)
    if again is not None and (differing := _differing(base, again)):
        return (differing,)
    depends = [] if base.right else list(_Dependence(asker, base).facts())
    where = list(localise(asker, base, nothing_told=not depends))
    if asker.ever_wrong:
        last = asker.once_more(base.case)
        if last is not None and _differing(base, last):
            return ("the same case gets another answer after other cases were asked: something is kept between calls",)
        return (*depends[:TOLD], *where)
    right = sum(answer.right for answer in asker.known.values())
    failed = asker.ask(like)
    return (f"right in all {right} generic cases that were asked, {special(like)}",) if failed and failed.wrong else ()


def _bases(like: Case, asking: Asking, seed: int) -> Iterator[Case]:
    """Cases to begin with, the best first: an implementation may take one size only."""
    free = asking.any_weights
    call = like.calls[0]
    own = {letter: getattr(like.spec, letter) for letter in "DMK"} if like.spec.letters else {}
    yield probe_case(like, seed, any_weights=free)
    yield probe_case(like, seed, any_weights=free, N=call.N)
    if own:
        yield probe_case(like, seed, any_weights=free, **own)
    yield probe_case(like, seed, any_weights=free, N=call.N, **own)
    yield probe_case(like, seed, any_weights=free, T=call.T, **own)
    yield probe_case(like, seed, any_weights=free, N=call.N, T=call.T, **own)


def _differing(one: Answer, two: Answer) -> str:
    """Say that two answers to the same case differ, beyond rounding; empty if they do not."""
    if one.numbers is None or two.numbers is None or one.numbers.shape != two.numbers.shape:
        return ""
    if (np.abs(one.numbers - two.numbers) <= one.room).all():
        return ""
    first = ": right the first time, wrong the second" if one.right and two.wrong else ""
    return f"asked the same twice in a row, it gives two answers{first}: is a state kept between calls?"


class _Dependence(Changing):
    """One wrong answer, and what it depends on."""

    def __init__(self, asker: Asker, base: Answer) -> None:
        super().__init__(asker, base)
        #: Weights that have no effect.
        self.dead: list[str] = []

    def facts(self) -> Iterator[str]:
        """Yield sentences, the most telling first."""
        if self.base.numbers is None:
            yield from no_numbers(self.base)
            return
        bent = False
        inputs = [*self.of_inputs()]
        samples = [*self.of_samples()]
        weights = [*self.of_weights()] if self.asker.asking.any_weights else []
        yield from inputs
        yield from samples
        yield from weights
        yield from self.of_given()
        if self.asker.asking.any_weights and self.spec.letters and self.spec.head is not None:
            of_factors = [*counted(self.asker, self.base, self.dead)]
            yield from of_factors
            bent = any(sentence.startswith("moving `bo` twice") for sentence in of_factors)
            yield from self._beyond_reach()
            yield from self.of_parts()
            yield from self.of_order()
        yield from self.of_features()
        yield from in_common([a for a in self.asker.known.values() if a.numbers is not None], bent)

    # ---- the inputs ----

    def of_inputs(self) -> Iterator[str]:
        """Which steps' inputs matter, and to which outputs."""
        N, T = self.case.calls[0].N, self.case.calls[0].T
        at = np.arange(T).reshape(1, T, 1)
        seen = {}
        for t in sorted(range(T), key=lambda t: (0 < t < T - 1, t)):
            if (m := self.movement(self.with_x(np.broadcast_to(at == t, (N, T, 1))))) is not None:
                seen[t] = m
        alive = sorted(t for t, m in seen.items() if m.moved.any())
        dead = sorted(t for t, m in seen.items() if m.dead)
        if dead and len(alive) + len(dead) == T:
            yield _steps(alive, dead, T)
        every = self.base.numbers is not None and self.base.numbers.shape[1] == T > 1
        if every and len(alive) > 1 and not dead:
            yield from self._across_steps(seen, T)

    def _across_steps(self, seen: dict[int, Movement], T: int) -> Iterator[str]:
        by_step = {t: m.only(1) for t, m in seen.items()}
        others = {t: np.arange(T) != t for t in by_step}
        further = {t: m for t, m in by_step.items() if (m.should & others[t]).any()}
        if len(further) > 1 and all(m.still[others[t]].all() for t, m in by_step.items()):
            yield "an input moves the output of its own step only: no step reads the state before it"
        if any((m.moved & m.must_not)[:t].any() for t, m in by_step.items()):
            yield "outputs move with the inputs of later steps"

    def of_samples(self) -> Iterator[str]:
        """Which samples move with which sample's inputs."""
        N = self.case.calls[0].N
        which = np.arange(N).reshape(N, 1, 1)
        pairs, silent, asked = [], [], []
        for n in range(N if N > 1 else 0):
            m = self.movement(self.with_x(which == n))
            if m is None:
                continue
            own = m.only(0)
            asked.append(n)
            pairs += [(n, k) for k in range(N) if k != n and own.moved[k] and own.must_not[k]]
            if own.should[n] and own.still[n]:
                silent.append(n)
        if silent and len(silent) < len(asked):
            whose = "its" if len(silent) == 1 else "their"
            yield f"the inputs of sample{listed(silent)} have no effect on {whose} outputs"
        if not pairs:
            return
        n, k = pairs[0]
        if len(asked) == N > 2 and len(pairs) == N * (N - 1):
            yield "each sample moves when any other's input does"
        elif len(asked) == N > 2 and set(pairs) == {(i, j) for i in range(N) for j in range(i + 1, N)}:
            yield "a sample moves when the input of one before it does"
        elif len(asked) == N > 2 and set(pairs) == {(i, i + 1) for i in range(N - 1)}:
            yield "a sample moves when the input of the one before it does"
        elif len(pairs) < 3:
            yield "; ".join(f"sample {k} moves when sample {n}'s input does" for n, k in pairs)
        else:
            yield f"samples move with other samples' inputs, as sample {k} with that of sample {n}"

    def of_features(self) -> Iterator[str]:
        """Which features of the inputs matter."""
        if self.spec.embedded or self.spec.D == 1:
            return
        seen = {}
        for d in sorted(range(self.spec.D), key=lambda d: -d):
            if (m := self.movement(self.with_x(np.arange(self.spec.D) == d))) is not None:
                seen[d] = m
        if dead := without_effect(seen):
            last = ", the last," if dead == [self.spec.D - 1] else ""
            yield f"feature{listed(dead)}{last} of the inputs {has(dead)} no effect"

    # ---- the weights ----

    def of_weights(self) -> Iterator[str]:
        """Which weights matter, and to which samples, steps and outputs."""
        partly = []
        for name in self.case.named_weights:
            m = self.movement(self.with_weights(None, **{name: True}))
            if m is None:
                continue
            if m.dead:
                other = self.movement(self.case.with_weights(**{name: -1.5 * self.case.named_weights[name]}))
                if other is not None and other.still.all():
                    self.dead.append(name)
                continue
            partly += [*self._reach(self.short(name), m)]
        if len(self.dead) == len(self.case.named_weights):
            yield "no weight has any effect: are they compiled in?"
        elif self.dead:
            called = joined([self.short(name) for name in self.dead])
            yield f"{called} {has(self.dead)} no effect: other numbers in {it(self.dead)} change nothing"
        yield from partly

    def _reach(self, what: str, m: Movement) -> Iterator[str]:
        """Say which samples, steps and outputs something has no effect on, or should have none on."""
        for axis, word in enumerate(("sample", "step", "output")):
            one = m.only(axis)
            silent = np.flatnonzero(one.should & one.still)
            reached = np.flatnonzero(one.moved)
            if len(silent) and len(reached) == 1:
                yield f"{what} reaches {word} {reached[0]} only"
            elif len(silent) and len(reached):
                yield f"{what} has no effect on {word}{listed(silent)}"

    def of_given(self) -> Iterator[str]:
        """Whether the initial states and the mask matter."""
        call = self.case.calls[0]
        if call.states:
            m = self.movement(self.case.map_calls(lambda c: c.replace(states=tuple(map(self.fresh, c.states)))))
            if m is not None and m.dead:
                yield "the initial state has no effect"
        if call.mask is not None and not call.mask.all():
            m = self.movement(self.case.map_calls(lambda c: c.replace(mask=np.ones_like(c.mask))))
            if m is not None and m.dead:
                yield "the mask has no effect"
            off = ~call.mask[..., None]
            m = self.movement(self.with_x(off))
            if m is not None and (m.moved & m.must_not).any():
                yield "the inputs of masked steps have an effect"

    def _beyond_reach(self) -> Iterator[str]:
        """Whether outputs are larger than the states can make them that an activation allows."""
        f = self.spec.activation
        if f.name not in (
            "tanh",
            "sigmoid",
            "hard_sigmoid",
            "hard_tanh",
            "softsign",
            "softmax",
        ) or self.spec.source not in ("input", "mask"):
            return
        far = self.asker.ask(self.case.map_calls(lambda c: c.replace(x=30 * c.x)))
        linear = self.spec.head is not None and self.spec.head.activation.name == "linear"
        if far is None or far.numbers is None or not linear:
            return
        reach = np.abs(self.case.Wo.astype(np.float64)).sum(0) + np.abs(self.case.bo)
        if (np.abs(far.numbers) > 2 * reach).any():
            largest, most = float(np.abs(far.numbers).max()), float(reach.max())
            yield f"large inputs make outputs of {largest:.2g}, where units within -1..1 can make {most:.2g} at most"

    def of_parts(self) -> Iterator[str]:
        """Which gates, rows, columns and entries of the weights matter."""
        live = {short: full for short, full in self.spec.letters.items() if full not in self.dead}
        if self.spec.cell.gated:
            yield from self._of_gates(live)
        yield from self._of_units(live)
        columns = np.arange(self.spec.K)
        wandering = False
        for short, word in (("bo", "number"), ("Wo", "column")):
            if short in live:
                for sentence in self._columns(short, live[short], word, columns):
                    if "should not" not in sentence or not wandering:
                        yield sentence
                    wandering |= "should not" in sentence

    def _of_units(self, live: dict[str, str]) -> Iterator[str]:
        """Which rows, columns and numbers of the weights matter, each of which belongs to a unit."""
        M, gates = self.spec.M, len(self.spec.cell.gates)
        row, column = np.arange(M)[:, None], np.arange(gates * M) % M
        wanted = (("Wh", "row", row), ("Wh", "column", column), ("Wo", "row", row), ("bh", "number", column))
        dead = {
            (short, word): self._dead_places(live[short], [places == j for j in range(M)])
            for short, word, places in (*wanted, ("Wx", "column", column))
            if short in live
        }
        everywhere = sorted(set.intersection(*map(set, dead.values()))) if len(dead) > 3 else []
        if everywhere:
            yield f"unit{listed(everywhere)} of {M} {has(everywhere)} no effect"
        for (short, word), units in dead.items():
            if rest := [unit for unit in units if unit not in everywhere]:
                last = ", the last," if rest == [M - 1] else ""
                of_all = " (in all gates)" if gates > 1 and word != "row" else ""
                yield f"{word}{listed(rest)} of `{short}`{last} {has(rest)} no effect{of_all}"

    def _of_gates(self, live: dict[str, str]) -> Iterator[str]:
        """Which gates of the weights matter."""
        gates, M = self.spec.cell.gates, self.spec.M
        gate_of = np.arange(len(gates) * M) // M
        dead: dict[str, list[str]] = {}
        for short in ("Wx", "Wh", "bh"):
            if short in live:
                for g in self._dead_places(live[short], [gate_of == g for g in range(len(gates))]):
                    dead.setdefault(f"gate `{gates[g]}`", []).append(f"`{short}`")
        for gate, weights in dead.items():
            yield f"{gate} has no effect" if len(weights) == 3 else f"{gate} of {joined(weights)} has no effect"

    def _dead_places(self, full: str, places: Sequence[Any]) -> list[int]:
        """Which places of a weight have no effect, where all others have one; the last is asked first."""
        seen = {}
        for i in reversed(range(len(places))):
            if (m := self.movement(self.with_weights(**{full: places[i]}))) is not None:
                seen[i] = m
        return [i for i in without_effect(seen) if not self._lives_elsewhere(full, places[i])]

    def _lives_elsewhere(self, full: str, where: Any) -> bool:
        """Whether a part of a weight matters where all numbers are others, as behind a unit that was silent here."""
        N, T = self.case.calls[0].N, self.case.calls[0].T
        sizes = {letter: getattr(self.spec, letter) for letter in "DMK"}
        for further in OTHER_NUMBERS:
            other = self.asker.ask(probe_case(self.case, self.asker.seed + further, N=N, T=T, **sizes))
            if other is None:
                continue
            m = self.movement(self.with_weights(other.case, **{full: where}), other)
            if m is not None and m.moved.any():
                return True
        return False

    def _columns(self, short: str, full: str, word: str, columns: Any) -> Iterator[str]:
        """Say which columns of the head have no effect, or one on other outputs."""
        linear = self.spec.head is not None and self.spec.head.activation.per_term is None
        seen, wandering = {}, []
        for k in columns:
            m = self.movement(self.with_weights(**{full: columns == k}))
            if m is None:
                continue
            seen[int(k)], own = m, m.only(2)
            wandering += [(k, other) for other in np.flatnonzero(own.moved & own.must_not)] if linear else []
        if dead := without_effect(seen):
            yield f"{word}{listed(dead)} of `{short}` {has(dead)} no effect"
        if wandering:
            k, other = wandering[0]
            yield f"{word} {k} of `{short}` moves output {other}, which it should not"

    # ---- the order of the weights ----

    def of_order(self) -> Iterator[str]:
        """Whether a row of a weight is multiplied by its own factor: beside zeros it counts for nothing."""
        if found := [f"`{short}`" for short in ("Wx", "Wh", "Wo") if self._rows_wander(short)]:
            are = "is it" if len(found) == 1 else "are they"
            why = f"{are} read in another order, or added, or is that factor not 0?"
            yield f"rows of {joined(found)} matter whose factor should be 0: {why}"

    def _rows_wander(self, short: str) -> bool:
        """Whether the rows of a weight matter all of which are multiplied by zero."""
        full = self.spec.letters[short]
        alone = self._one_feature() if short == "Wx" else self._one_unit()
        before = None if full in self.dead else self.asker.ask(alone)
        if alone is None or before is None or before.numbers is None:
            return False
        others = np.arange(len(alone.named_weights[full]))[:, None] > 0
        m = self.movement(self.with_weights(alone, **{full: others}), before)
        return m is not None and bool((m.moved & m.must_not).any())

    def _one_feature(self) -> Case | None:
        """The case in which only feature 0 is not zero."""
        if self.spec.D == 1 or self.spec.source == "masking" or self.spec.embedded:
            return None
        return self.case.map_calls(lambda c: c.replace(x=np.where(np.arange(self.spec.D) == 0, c.x, 0.0)))

    def _one_unit(self) -> Case | None:
        """The case in which only unit 0 of the state is not zero; None where there is none."""
        letters, M = self.spec.letters, self.spec.M
        if self.spec.layer.initial_state or M == 1:
            return None
        own = np.arange(M * len(self.spec.cell.gates)) % M == 0
        named = self.case.named_weights
        zeroed = {letters[n]: np.where(own, named[letters[n]], 0.0) for n in ("Wx", "Wh", "bh") if n in letters}
        alone = self.case.with_weights(**zeroed)
        # an activation may make something else of 0
        return None if np.any(np.asarray(reference(alone).states)[..., 1:]) else alone


def _steps(alive: list[int], dead: list[int], T: int) -> str:
    """Say which steps' inputs matter, where that is known of each, and some do not."""
    if not alive:
        return "the inputs have no effect"
    if alive == [0]:
        return "only the first step's input has an effect: nothing after it changes the answer"
    if alive == [T - 1]:
        return "only the last step's input has an effect: nothing before it changes the answer"
    which = {0: ", the first,", T - 1: ", the last,"}.get(dead[0], "") if len(dead) == 1 else ""
    return f"the input of step{listed(dead)}{which} has no effect"
