"""How fast every mistake of the catalogue is caught, and how often it is named rightly.

    python benchmarks/detection.py [--seeds 5] [--cases 1000] [--habit-trials 50] [--cell LSTM] [--processes 1]

Cases are drawn as the suite draws them, but one by one, so that the count is of cases and not of packs; the quick
profile has about a thousand. Each mistake is made on purpose in an otherwise correct implementation, which is asked
case after case until it is found out: once it shows the states of every step, once nothing but its last output. Then
the diagnosis is asked which mistake it was. What the notebook's model cannot show is looked for in all architectures,
where an implementation shows all of its layers, or nothing but its outputs. With ``--cell`` the plain model has that
cell, and the mistakes are those that show in it. Each mistake is measured by itself, in one of the processes.

Beside it stands the habit: three random inputs, one sample each, through a model with Keras's initial weights (Glorot,
orthogonal, biases of zero), and ``np.allclose(actual, expected, atol=1e-5)`` on the last output. It has no opinion on
what the notebook's model cannot show.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from statistics import median
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, reference, strategies
from pytest_rnnequiv.judging.observing import Observation, observe
from pytest_rnnequiv.mistakes.activations import NAMESAKES
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, Mistake, by_name
from pytest_rnnequiv.mistakes.diagnosis import explain, telling_case
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


#: The cell of the notebook's model.
NOTEBOOK = "SimpleRNN"

#: What is drawn for a mistake that the notebook's model cannot show.
ANY_ARCHITECTURE: tuple[str, dict[str, Any], Precision | None]
ANY_ARCHITECTURE = ("any architecture", {"spec": strategies.architectures()}, None)


@cache
def setting(name: str, cell: str) -> tuple[str, dict[str, Any], Precision | None]:
    """Say what to draw for a mistake, and what the implementation declares: most need nothing special."""
    if name not in SPECIAL and cell == NOTEBOOK and not shows_in_plain(by_name(name)):
        return ANY_ARCHITECTURE
    words, options, precision = SPECIAL.get(name, ("", {}, None))
    return words, {"cell": cell, **options}, precision


@cache
def drawn_for(name: str, cell: str, seed_: int, count: int) -> tuple[Case, ...]:
    """Draw the cases that a mistake is looked for in."""
    words, options, _ = setting(name, cell)
    same = next(m.name for m in CATALOGUE if setting(m.name, cell)[0] == words)
    return tuple(drawn(seed_, count, **options)) if same == name else drawn_for(same, cell, seed_, count)


def mistakes_of(cell: str) -> list[Mistake]:
    """Mistakes that show with a cell: of the notebook's, all, whatever architecture they need."""
    if cell == NOTEBOOK:
        return list(CATALOGUE)
    spec = Spec.simple(3, 4, 2, cell=cell)
    blank = Case(spec, np.zeros((1, 1, 3)), weights=[np.zeros(shape) for shape in spec.weight_shapes.values()])
    asked = [telling_case(blank, number) for number in range(3)]
    right = [numbers(reference(case)) for case in asked]
    return [m for m in CATALOGUE if m.name in SPECIAL or [numbers(m.run(case, np.float64)) for case in asked] != right]


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


#: No mistake at all.
RIGHT = Mistake("none", "none", "", "", change=lambda case: None)

WAYS: dict[str, Callable[[Mistake], Run]] = {"states": showing_states, "last": showing_last}


def first_caught(run: Run, cases: list[Case], precision: Precision | None) -> tuple[int, Observation | None]:
    """Ask case after case; return how many it took, and what was seen of the one."""
    for number, case in enumerate(cases, 1):
        observation = observe(run, case)
        if observation.judge(precision).different:
            return number, observation
    return len(cases), None


def shows(run: Run, right: Run, cases: Iterable[Case]) -> bool:
    """Whether an implementation shows other numbers than the right one in any of the cases."""
    return any(numbers(run(case)) != numbers(right(case)) for case in cases)


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
    """What is known of one mistake: after how many cases it was caught, and what it was named, by what is shown."""

    mistake: str
    caught: dict[str, list[int | None]] = field(default_factory=dict)
    named: dict[str, list[bool]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    habit: float | None = None


def measure(name: str, cell: str, seeds: int, count: int, habit_trials: int) -> Row:
    """Measure one mistake of the catalogue."""
    row, mistake = Row(name), by_name(name)
    words, _, precision = setting(name, cell)
    for seed_ in range(seeds):
        for way, made in WAYS.items():
            run = made(mistake)
            cases = drawn_for(name, cell, seed_, count)
            number, observation = first_caught(run, cases, precision)
            if observation is None and not shows(run, WAYS[way](RIGHT), cases):
                continue
            row.caught.setdefault(way, []).append(number if observation else None)
            if observation is None:
                continue
            found = explain([observation], precision, run=run)
            right = same_implementation(found.name, mistake, observation.case, made)
            row.named.setdefault(way, []).append(right)
            if not right:
                row.wrong.append(f"{name} ({way}, seed {seed_}): {' or '.join(found.names[:6]) or found}")
    if cell == NOTEBOOK and words != ANY_ARCHITECTURE[0]:
        row.habit = seen_by_habit(mistake, habit_trials)
    return row


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


def _special(name: str, cell: str) -> str:
    words = setting(name, cell)[0]
    return f" ({words})" if words else ""


def _cases(numbers: list[int | None]) -> str:
    if not numbers:
        return "cannot show"
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
    parser.add_argument("--cell", default=NOTEBOOK, help="SimpleRNN, GRU or LSTM")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()

    started = time.perf_counter()
    task = partial(
        measure, cell=options.cell, seeds=options.seeds, count=options.cases, habit_trials=options.habit_trials
    )
    names = [mistake.name for mistake in mistakes_of(options.cell)]
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}; {options.cell}, {len(names)} mistakes, "
        f"{options.seeds} seeds, at most {options.cases} cases each"
    )
    print()
    print("| mistake | caught after (states shown) | caught after (last output only) ", end="")
    print("| named rightly (states) | named rightly (last output) | seen by the habit |")
    print("|---|---|---|---|---|---|")
    rows = []
    with ProcessPoolExecutor(options.processes) as processes:
        for row in processes.map(task, names):  # in order, each as soon as it is there: a run may be stopped
            rows.append(row)
            print(
                f"| {row.mistake}{_special(row.mistake, options.cell)} "
                f"| {_cases(row.caught.get('states', []))} | {_cases(row.caught.get('last', []))} "
                f"| {_share(row.named.get('states', []))} | {_share(row.named.get('last', []))} "
                f"| {'-' if row.habit is None else f'{row.habit:.0%}'} |",
                flush=True,
            )
    print()
    for way in WAYS:
        right = [r for row in rows for r in row.named.get(way, [])]
        caught = [n for row in rows for n in row.caught.get(way, [])]
        print(
            f"{way}: caught {sum(n is not None for n in caught)} of {len(caught)}, "
            f"named rightly {sum(right)} of {len(right)} ({sum(right) / max(len(right), 1):.1%})"
        )
    habits = [row.habit for row in rows if row.habit is not None]
    if habits:
        print(f"habit: sees {np.mean(habits):.0%} of the mistakes on average, {habits.count(0)} of {len(habits)} never")
    for line in (line for row in rows for line in row.wrong):
        print(f"misnamed: {line}")
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
