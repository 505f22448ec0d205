"""How the first broken step looks, where no mistake explains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from samples import NETWORKS, generic, rounded_run

from pytest_rnnequiv import Case, ShownLayer, Trajectory, diagnose, judge, reference
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.mistakes.describing import describe, describe_all


def spoilt(case: Case, change: Callable[[Any, int], Any], start: int = 2, what: str = "states") -> Trajectory:
    """Run the recurrence, with the state (or the output) changed at each step from one on."""
    h = np.zeros((case.N, case.M))
    states_, outputs = [], []
    for t in range(case.T):
        h = reference(case.replace(x=case.x[:, t : t + 1], h0=h, mask=None)).states[:, 0]
        if what == "states" and t >= start:
            h = change(h.copy(), t)
        with np.errstate(invalid="ignore"):
            y = h @ case.Wo.astype(float) + case.bo
        states_.append(h)
        outputs.append(change(y.copy(), t) if what == "outputs" and t >= start else y)
    return Trajectory(np.stack(outputs, 1), np.stack(states_, 1))


def picture(case: Case, shown: Trajectory) -> str:
    verdict = judge(case, shown)
    assert verdict.different
    assert describe(case, shown) == describe(case, shown, None, verdict)
    return describe(case, shown)


def unit_set(value: float, units: Any = slice(None), samples: Any = slice(None)) -> Callable[[Any, int], Any]:
    def change(a: Any, t: int) -> Any:
        a[samples, units] = value
        return a

    return change


CASE = generic(11, N=3, T=5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a, t: a + 0.125, "every unit is off by +0.125"),
        (lambda a, t: a - 0.25, "every unit is off by -0.25"),
        (lambda a, t: 1.5 * a, "every unit is 1.5 times what it should be"),
        (lambda a, t: a + CASE.bh, "it is off by the bias `bh`"),
        (lambda a, t: a - CASE.bh, "it is off by minus the bias `bh`"),
        (lambda a, t: np.sign(a), "it is saturated: every unit is +1 or -1"),
        (lambda a, t: 0 * a, "it is all zeros"),
        (lambda a, t: a * np.nan, "it is NaN from here on"),
        (lambda a, t: a * np.inf, "it is infinite"),
        (lambda a, t: a + np.array([0, 0.1, 0, 0]), "only unit 1 of 4"),
        (lambda a, t: a + np.array([0.2, 0, 0, 0.1]), "only units 0, 3 of 4"),
        (
            lambda a, t: a + np.array([[0], [0.1], [0.2]]) * np.arange(1, 5),
            "only samples after the first are wrong",
        ),
    ],
)
def test_the_first_broken_state_is_described(change: Callable[[Any, int], Any], sentence: str) -> None:
    assert sentence in picture(CASE, spoilt(CASE, change))


def test_a_nan_that_goes_away_is_not_there_from_here_on() -> None:
    shown = spoilt(CASE, lambda a, t: a)
    wrong = shown.states.copy()
    wrong[1, 2] = np.nan
    assert "it is NaN" in picture(CASE, Trajectory(shown.outputs, wrong))
    assert "from here on" not in picture(CASE, Trajectory(shown.outputs, wrong))


def test_another_start_is_described() -> None:
    started = CASE.replace(h0=np.random.default_rng(0).standard_normal((3, 4)))
    shown = reference(started, np.float32)
    assert picture(CASE, shown).endswith(
        "every later step follows rightly from the one before: does it start from a state other than zero?"
    )
    assert diagnose(CASE, shown).explanations == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a, t: a + CASE.bo, "it is off by the bias `bo`"),
        (lambda a, t: a + 0.5, "every unit is off by +0.5"),
        (lambda a, t: 3 * a, "every unit is 3 times what it should be"),
        (lambda a, t: a + np.array([0, 0.1]), "only unit 1 of 2"),
    ],
)
@pytest.mark.parametrize("shows", ["states", "every output", "last output"])
def test_the_first_broken_output_is_described(change: Callable[[Any, int], Any], sentence: str, shows: str) -> None:
    shown = spoilt(CASE, change, what="outputs")
    if shows == "every output":
        shown = Trajectory(shown.outputs)
    elif shows == "last output":
        shown = Trajectory(shown.outputs[:, -1])
    assert sentence in picture(CASE, shown)


def test_an_output_is_described_beside_the_states_that_were_shown() -> None:
    chaotic = generic(2, N=1, T=120, M=20, radius=3.0, scale=0.2)
    right = rounded_run(chaotic, np.random.default_rng(0))
    wrong = right.outputs.copy()
    wrong[:, 110:] += chaotic.bo
    assert picture(chaotic, Trajectory(wrong, right.states)) == "it is off by the bias `bo`"


def test_there_is_nothing_to_say_of_the_right_and_little_of_the_strange() -> None:
    right = reference(CASE, np.float32)
    assert describe(CASE, right) == ""
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, right.states.shape)
    assert picture(CASE, Trajectory(right.outputs, right.states + noise)) == ""


def test_what_no_mistake_explains_is_said_so() -> None:
    shown = spoilt(CASE, lambda a, t: a + 0.125)
    found = diagnose(CASE, shown)
    assert found.explanations == ()
    assert str(found) == "no mistake of the catalogue explains it; every unit is off by +0.125"
    assert found.cause == ""


# ---- of the implementation, and not of a case that was shrunk ----


def ones(case: Case) -> Trajectory:
    """States of ones, whatever is asked."""
    h = np.ones((case.N, case.T, case.M))
    return Trajectory(h @ case.Wo + case.bo, h)


def test_a_few_zeros_are_not_called_all_zeros() -> None:
    small = generic(1, N=1, T=1, D=1, M=1, K=1)
    zeros = Trajectory(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))
    assert "zeros" not in describe(small, zeros)
    large = np.zeros((3, 5, 4)), np.zeros((3, 5, 2))
    assert "it is all zeros" in describe(CASE, Trajectory(large[1], large[0]))


def test_what_holds_in_one_case_only_is_not_said_of_the_port() -> None:
    def shown(case: Case) -> Observation:
        return Observation.of(case, reference(case.replace(bh=0 * case.bh)))

    silent = CASE.replace(x=0 * CASE.x)  # without its bias, the port answers with zeros
    assert "it is all zeros" in describe_all([shown(silent)])
    assert "zeros" not in describe_all([shown(silent), shown(CASE)])
    assert "zeros" not in describe_all([shown(CASE), shown(silent)])
    assert describe_all([shown(CASE)]) == describe(CASE, shown(CASE).trajectory)


def test_only_what_can_be_saturated_is_called_so() -> None:
    assert "saturated" in describe(CASE, ones(CASE))
    for activation in ("linear", "softmax", "relu", "sigmoid"):
        assert "saturated" not in describe(generic(11, activation=activation), ones(CASE))
    few = generic(11, M=2)
    assert "saturated" not in describe(few, ones(few))


# ---- models of several parts ----


@pytest.mark.parametrize(
    ("change", "picture"),
    [
        (lambda y: y + np.nan, "the wrong numbers of output 0 are NaN"),
        (lambda y: y + np.inf, "the wrong numbers of output 0 are infinite"),
        (lambda y: 0 * y, "output 0 is all zeros"),
        (
            lambda y: np.where(np.arange(5)[:, None] == 2, 0, y),
            "the wrong numbers of output 0 are zeros; only step 2 of 5",
        ),
        (lambda y: y[:, ::-1] + 0, "output 0 has the right numbers, with its steps in reverse order"),
        (lambda y: y[::-1] + 0, "output 0 has the right numbers, with its samples in reverse order"),
        (lambda y: y[..., ::-1] + 0, "output 0 has the right numbers, with its units in reverse order"),
        (lambda y: y + np.eye(5)[:, [1, 1]], "only step 1 of 5"),
        (lambda y: y + np.array([0, 1, 2]).reshape(3, 1, 1), "only samples after the first are wrong"),
    ],
)
def test_the_first_broken_numbers_of_a_model_of_several_parts_are_described(
    change: Callable[[Any], Any], picture: str
) -> None:
    case = NETWORKS["cells"]
    found = diagnose(case, change(reference(case).outputs))
    assert found.explanations == ()
    assert found.picture.startswith(picture)


def test_states_that_are_shown_as_those_of_the_only_layer() -> None:
    """Beside outputs of another size than the states."""
    broken = spoilt(CASE, lambda a, t: a + 0.125)
    shown = Trajectory(broken.outputs[:, -1], layers=(ShownLayer(states=broken.states),))
    assert picture(CASE, shown) == "every unit is off by +0.125"
