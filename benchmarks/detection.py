"""How fast every mistake of the catalogue is caught, and how often it is named rightly.

    python benchmarks/detection.py [--seeds 5] [--cases 1000] [--habit-trials 50] [--pairs 0]

Cases are drawn as the suite draws them, but one by one, so that the count is of cases and not of packs; the quick
profile has about a thousand. Each mistake is made on purpose in an otherwise correct implementation, which is asked
case after case until it is found out: once it shows the states of every step, once nothing but its last output. Then
the diagnosis is asked which mistake it was. What the notebook's model cannot show is looked for in all architectures,
where an implementation shows all of its layers, or nothing but its outputs.

Beside it stands the habit: three random inputs, one sample each, through a model with Keras's initial weights (Glorot,
orthogonal, biases of zero), and ``np.allclose(actual, expected, atol=1e-5)`` on the last output. It has no opinion on
what the notebook's model cannot show.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, reference, strategies
from pytest_rnnequiv.judging.observing import Observation, observe
from pytest_rnnequiv.mistakes.activations import NAMESAKES
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, Mistake, by_name
from pytest_rnnequiv.mistakes.diagnosis import Diagnosis, explain
from pytest_rnnequiv.mistakes.evidence import COMMON
from pytest_rnnequiv.suite.selfcheck import numbers, shows_in_plain

Run = Callable[[Case], Trajectory]

#: The arithmetic that promises gradual underflow; only there is flushing to zero a mistake.
GRADUAL = replace(Precision.float32, name="float32 with subnormals", subnormals=True)


def drawn(seed_: int, count: int, change: Callable[[Case, int], Case] | None = None, **options: Any) -> list[Case]:
    """Draw cases, as the suite does."""
    cases: list[Case] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(seed_)
    @given(strategies.cases(**options))
    def collect(case: Case) -> None:
        cases.append(case)

    collect()
    return [change(case, number) for number, case in enumerate(cases)] if change else cases


def with_nan(case: Case, seed_: int) -> Case:
    """Return the case with one input not a number."""
    rng = np.random.default_rng(seed_)
    x = case.x.copy()
    x[tuple(rng.integers(0, x.shape))] = np.nan
    return case.replace(x=x)


def nearly_zero(case: Case, _: int) -> Case:
    """Return the case with inputs and biases that are subnormal, or nearly."""
    tiny = float(np.finfo(case.spec.dtype).tiny)
    return case.replace(x=case.x * tiny, bh=case.bh * tiny, bo=case.bo * tiny)


#: What has to be drawn for some mistakes to show at all: equal sizes, a NaN, another activation, numbers near 0.
SQUARE: dict[str, Any] = dict.fromkeys("DMK", st.shared(strategies.sizes(max_value=9), key="square"))
SPECIAL: dict[str, tuple[str, dict[str, Any], Precision | None]] = {
    "Wx-and-Wh-swapped": ("D = M", SQUARE, None),
    "previous-input-for-state": ("D = M", SQUARE, None),
    "bh-and-bo-swapped": ("M = K", SQUARE, None),
    "head-dropped": ("M = K", SQUARE, None),
    "NaN-swallowed": ("a NaN in each case", {"change": with_nan}, None),
    **{
        name: (f"activation {activation}", {"activation": activation}, None)
        for name, (activation, _, _) in NAMESAKES.items()
    },
    "activation-tanh": ("any activation", {"activation": strategies.activations()}, None),
    "computed-in-float32": ("float64", {"dtype": "float64"}, None),
    "flushed-to-zero": (
        "linear, inputs near 0, float32 with subnormals declared",
        {"activation": "linear", "change": nearly_zero},
        GRADUAL,
    ),
}


#: What is drawn for a mistake that the notebook's model cannot show.
ANY_ARCHITECTURE: tuple[str, dict[str, Any], Precision | None]
ANY_ARCHITECTURE = ("any architecture", {"spec": strategies.architectures()}, None)


@cache
def setting(name: str) -> tuple[str, dict[str, Any], Precision | None]:
    """Say what to draw for a mistake, and what the implementation declares: most need nothing special."""
    plain = name in SPECIAL or shows_in_plain(by_name(name))
    return SPECIAL.get(name, ("", {}, None)) if plain else ANY_ARCHITECTURE


def showing_states(mistake: Mistake) -> Run:
    """Return an implementation that makes the mistake and shows its states."""
    return mistake.run


def showing_last(mistake: Mistake) -> Run:
    """Return an implementation that makes the mistake and shows what ``model.predict`` would."""

    def run(case: Case) -> Trajectory:
        shown = mistake.run(case)
        if case.spec.plain:
            return Trajectory(shown.outputs[:, -1] if np.ndim(shown.outputs) == 3 else shown.outputs)
        return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])

    return run


KERAS: dict[str, Callable[[Mistake], Run]] = {"states": showing_states, "last": showing_last}


def first_caught(run: Run, cases: list[Case], precision: Precision | None) -> tuple[int, Observation | None]:
    """Ask case after case; return how many it took, and what was seen of the one."""
    for number, case in enumerate(cases, 1):
        observation = observe(run, case)
        if observation.judge(precision).different:
            return number, observation
    return len(cases), None


def same_implementation(a: str | None, b: Mistake, case: Case, made: Callable[[Mistake], Run]) -> bool:
    """Whether the mistake of a name is another word for this one: both show the same, whatever they are asked."""
    if a is None or "+" in a:
        return False
    if a == b.name:
        return True
    a = a.rpartition(".")[2]  # without the place that it is made in
    asked = [case, *(generic(case.spec) if case.spec.plain else ())]
    return all(numbers(made(by_name(a))(each)) == numbers(made(b)(each)) for each in asked)


def generic(like: Spec) -> Iterator[Case]:
    """Make cases of the notebook's model of which all numbers differ."""
    rng = np.random.default_rng(5)
    for N, T, D, M, K in ((3, 5, 3, 4, 2), (2, 6, 4, 4, 4), (4, 4, 2, 5, 3), (3, 3, 1, 1, 1)):
        spec = Spec.simple(D, M, K, like.activation, like.dtype, like.head_activation)
        weights = [rng.normal(size=shape) for shape in spec.weight_shapes.values()]
        yield Case(spec, rng.normal(size=(N, T, D)), weights=weights)


@dataclass
class Row:
    """What is known of one mistake."""

    mistake: Mistake
    caught: dict[str, list[int | None]] = field(default_factory=dict)
    named: dict[str, list[bool]] = field(default_factory=dict)
    wrong: list[tuple[str, int, Diagnosis]] = field(default_factory=list)
    habit: float | None = None


def measure(seeds: int, count: int, diagnose: bool = True) -> list[Row]:
    """Measure every mistake of the catalogue."""
    drawn_for: dict[tuple[Any, ...], list[Case]] = {}
    rows = []
    for mistake in CATALOGUE:
        row = Row(mistake)
        special, options, precision = setting(mistake.name)
        for seed_ in range(seeds):
            key = (special, seed_)
            if key not in drawn_for:
                drawn_for[key] = drawn(seed_, count, **options)
            for way, made in KERAS.items():
                run = made(mistake)
                number, observation = first_caught(run, drawn_for[key], precision)
                row.caught.setdefault(way, []).append(number if observation else None)
                if observation is None or not diagnose:
                    continue
                found = explain([observation], precision, run=run)
                right = same_implementation(found.name, mistake, observation.case, made)
                row.named.setdefault(way, []).append(right)
                if not right:
                    row.wrong.append((way, seed_, found))
        rows.append(row)
    return rows


def keras_like(rng: np.random.Generator, activation: str = "tanh") -> Case:
    """Return a case as people make it: the notebook's shapes, one sample, Keras's initial weights."""
    T, D, M, K = 10, 3, 5, 2
    glorot = [rng.uniform(-1, 1, (a, b)) * np.sqrt(6 / (a + b)) for a, b in ((D, M), (M, K))]
    q, r = np.linalg.qr(rng.normal(size=(M, M)))
    spec = Spec.simple(D, M, K, activation=activation)
    return Case(
        spec,
        rng.normal(size=(1, T, D)),
        glorot[0],
        q * np.sign(np.diag(r)),
        np.zeros(M),
        glorot[1],
        np.zeros(K),
    )


def seen_by_habit(mistake: Mistake, trials: int) -> float:
    """Share of trials in which the habit sees the mistake."""
    rng = np.random.default_rng(1)
    seen = 0
    activation = "relu" if mistake.name == "activation-tanh" else "tanh"
    for _ in range(trials):
        first = keras_like(rng, activation)
        inputs = [first.x, *(rng.normal(size=first.x.shape) for _ in range(2))]
        cases = [first.replace(x=x) for x in inputs]
        seen += not all(
            np.allclose(mistake.run(case).outputs[:, -1], reference(case).outputs[:, -1], atol=1e-5) for case in cases
        )
    return seen / trials


def pairs(count: int) -> tuple[int, int, list[str]]:
    """Make two mistakes at once, of those that the diagnosis tries in pairs; return how many were named rightly."""
    common = [m for m in CATALOGUE if m.name in COMMON]
    both = [(a, b) for a, b in combinations(common, 2) if a.group != b.group]
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(both), size=min(count, len(both)), replace=False)
    cases = drawn(0, 100)
    right, tried, wrong = 0, 0, []
    for a, b in (both[i] for i in sorted(chosen)):

        def run(case: Case, a: Mistake = a, b: Mistake = b) -> Trajectory:
            return b.run(a(case) or case) if not a.head_only else a.run(b(case) or case)

        _, observation = first_caught(run, cases, None)
        if observation is None or any(
            np.array_equal(run(observation.case).outputs, alone.run(observation.case).outputs, equal_nan=True)
            for alone in (a, b)
        ):
            continue  # one of them changes nothing, or undoes the other
        tried += 1
        found = explain([observation], run=run)
        if found.name is not None and set(found.name.split(" + ")) == {a.name, b.name}:
            right += 1
        else:
            wrong.append(f"{a} + {b}: named {found.name}")
    return right, tried, wrong


def _special(mistake: Mistake) -> str:
    words = setting(mistake.name)[0]
    return f" ({words})" if words else ""


def _cases(numbers: list[int | None]) -> str:
    caught = [n for n in numbers if n is not None]
    if len(caught) < len(numbers):
        return f"**missed {len(numbers) - len(caught)} of {len(numbers)}**"
    return f"{median(caught):g} (at most {max(caught)})"


def _share(right: list[bool]) -> str:
    return f"{sum(right)} of {len(right)}" if right else "-"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=1000, help="at most so many a seed")
    parser.add_argument("--habit-trials", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=0, help="also make so many pairs of two mistakes")
    options = parser.parse_args()

    started = time.perf_counter()
    rows = measure(options.seeds, options.cases)
    for row in rows:
        if setting(row.mistake.name) is not ANY_ARCHITECTURE:
            row.habit = seen_by_habit(row.mistake, options.habit_trials)
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}; {len(rows)} mistakes, {options.seeds} seeds, "
        f"at most {options.cases} cases each; {time.perf_counter() - started:.0f} s"
    )
    print()
    print(
        "| mistake | caught after (states shown) | caught after (last output only) | named rightly (states) ",
        end="",
    )
    print("| named rightly (last output) | seen by the habit |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.mistake.name}{_special(row.mistake)} "
            f"| {_cases(row.caught['states'])} | {_cases(row.caught['last'])} "
            f"| {_share(row.named.get('states', []))} | {_share(row.named.get('last', []))} "
            f"| {'-' if row.habit is None else f'{row.habit:.0%}'} |"
        )
    print()
    for way in KERAS:
        right = [r for row in rows for r in row.named.get(way, [])]
        caught = [n for row in rows for n in row.caught[way]]
        print(
            f"{way}: caught {sum(n is not None for n in caught)} of {len(caught)}, "
            f"named rightly {sum(right)} of {len(right)} ({sum(right) / max(len(right), 1):.1%})"
        )
    habits = [row.habit for row in rows if row.habit is not None]
    print(f"habit: sees {np.mean(habits):.0%} of the mistakes on average, {habits.count(0)} of {len(habits)} never")
    for row in rows:
        for way, seed_, found in row.wrong:
            print(f"misnamed: {row.mistake.name} ({way}, seed {seed_}): {' or '.join(found.names[:6]) or found}")
    if options.pairs:
        right_pairs, tried, wrong = pairs(options.pairs)
        print(f"pairs: named rightly {right_pairs} of {tried}")
        for line in wrong:
            print(f"misnamed pair: {line}")


if __name__ == "__main__":
    main()
