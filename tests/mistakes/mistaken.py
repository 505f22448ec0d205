"""What the tests of mistakes share: cases in which each of them shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from samples import NETWORKS, filled, generic, sequences

from pytest_rnnequiv import Case, Dense, Precision, Spec, Trajectory, judge
from pytest_rnnequiv.mistakes.activations import NAMESAKES
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, Mistake

GRADUAL = replace(Precision.float32, subnormals=True)
TINY = float(np.finfo(np.float32).tiny)

#: Mistakes that a case has to be made for; the others show in any case without symmetries.
SPECIAL: dict[str, Callable[[], Case]] = {
    "Wx-and-Wh-swapped": lambda: generic(D=4, M=4),
    "previous-input-for-state": lambda: generic(D=4, M=4),
    "bh-and-bo-swapped": lambda: generic(M=4, K=4),
    "head-dropped": lambda: generic(M=4, K=4),
    "activation-tanh": lambda: generic(activation="sigmoid"),
    **{
        name: (lambda activation=activation: generic(activation=activation))  # type: ignore[misc]
        for name, (activation, _, _) in NAMESAKES.items()
    },
    "softplus-overflows": lambda: generic(activation="softplus", scale=60.0),
    "computed-in-float32": lambda: generic(dtype="float64"),
    "softmax-over-time": lambda: filled(Spec(3, (sequences(3),), Dense(2)), 2),
    **{
        mistake.name: (lambda mistake=mistake: with_gates(mistake))  # type: ignore[misc]
        for mistake in CATALOGUE
        if mistake.group == "gates"
    },
    "activation-parameters-ignored": lambda: generic(activation="leaky_relu(0.01)"),
    "NaN-swallowed": lambda: with_nan(generic(), 0),
    "flushed-to-zero": lambda: nearly_zero(generic(activation="linear"), 0),
}


def with_gates(mistake: Mistake) -> Case:
    """A case of a cell with gates in which the mistake can be made."""
    cells: tuple[dict[str, Any], ...] = ({"cell": "LSTM"}, {"cell": "GRU"}, {"cell": "GRU", "reset_after": False})
    hard = ({**each, "recurrent_activation": "hard_sigmoid"} for each in cells)
    h0 = "initial" in mistake.name
    cases = (generic(h0=h0, **options) for options in (*cells, *hard))
    return next(case for case in cases if mistake(case) is not None)


def with_nan(case: Case, number: int) -> Case:
    x = case.x.copy()
    x[tuple(np.random.default_rng(number).integers(0, x.shape))] = np.nan
    return case.replace(x=x)


def nearly_zero(case: Case, _: int) -> Case:
    return case.replace(x=case.x * TINY, bh=case.bh * TINY, bo=case.bo * TINY)


def case_for(mistake: Mistake) -> Case:
    return SPECIAL.get(mistake.name, generic)()


#: The mistakes that can be made in the notebook's model; the others need masks, options or layers.
PLAIN = [m for m in CATALOGUE if case_for(m).spec.plain and m(case_for(m)) is not None]
EVERY = pytest.mark.parametrize("mistake", CATALOGUE, ids=str)
EVERY_PLAIN = pytest.mark.parametrize("mistake", PLAIN, ids=str)


def declared(mistake: Mistake) -> Precision | None:
    """What an implementation declares; flushing to zero is no mistake of one that declares nothing."""
    return GRADUAL if mistake.name == "flushed-to-zero" else None


def same(a: Case, b: Case) -> bool:
    one, two = a.numbers(), b.numbers()
    return a.spec == b.spec and one.keys() == two.keys() and all(one[n].tobytes() == two[n].tobytes() for n in one)


def leaves_states(mistake: Mistake) -> bool:
    """Whether it is in what becomes of right states."""
    return mistake.group == "head" or mistake.name in ("first-output-taken", "mean-output-taken")


def numbers(shown: Trajectory) -> bytes:
    """All that is shown, bit by bit, in numbers that hold it."""
    return b"".join(a.astype(np.float64).tobytes() for _, a in shown.numbers() if a.dtype != object)


def outputs_only(shown: Trajectory) -> Trajectory:
    return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])


def last_output(shown: Trajectory) -> Any:
    return shown.outputs if np.ndim(shown.outputs) == 2 else shown.outputs[:, -1]


def shows_in(mistake: Mistake) -> Iterator[tuple[Case, Trajectory]]:
    """The models of several parts in which a mistake shows, with what it shows."""
    for case in NETWORKS.values():
        if mistake(case) is not None:
            shown = mistake.run(case)
            verdict = judge(case, shown)
            if verdict.different and verdict.place is not None:
                yield case, shown
