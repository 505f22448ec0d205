"""Mistakes in declared roundings: each is named, by states shown and by the last output, and by its own name only."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from coarse import ApFixed, Fixed, FixedLSTM, FixedPort, FullInt8
from samples import generic

from pytest_rnnequiv import Precision, Trajectory, diagnose, judge
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.mistakes.arithmetic import has_marks
from pytest_rnnequiv.mistakes.declared import of_declared
from pytest_rnnequiv.mistakes.evidence import Evidence

SIZES: dict[str, Any] = {"N": 2, "T": 3, "M": 4, "D": 3, "scale": 0.4, "radius": 0.9}


def by_last_output(shown: Trajectory) -> Trajectory:
    return Trajectory(shown.outputs[:, -1])


def fixed(weights: str = "nearest-even", states: str = "nearest-even", sums: str = "nearest-even") -> FixedPort:
    return FixedPort(Fixed(3, 12, weights), Fixed(0, 15, states), Fixed(3, 12, sums))


@pytest.mark.parametrize(
    ("declared", "port", "name"),
    [
        (fixed(), fixed(states="floor"), "states-cut"),
        (fixed(), fixed(states="zero"), "states-chopped"),
        (fixed(states="floor"), fixed(), "states-rounded-to-nearest"),
        (fixed(), fixed(sums="floor"), "sums-cut"),
        (fixed(), fixed(sums="zero"), "sums-chopped"),
        (fixed(sums="floor"), fixed(), "sums-rounded-to-nearest"),
        (fixed(), fixed("floor", "floor", "floor"), "all-numbers-cut"),
    ],
)
def test_what_is_rounded_otherwise_than_declared_is_one_of_them(declared: Any, port: Any, name: str) -> None:
    case = generic(4, **SIZES)
    right, shown = declared.run(case), port.run(case)
    assert judge(case, right, declared.precision).equivalent
    for seen in (shown, by_last_output(shown)):
        of_these = [m.name for m in of_declared(declared.precision, case.spec) if fits(m, case, seen, declared)]
        assert of_these == [name]


def fits(mistake: Any, case: Any, shown: Trajectory, declared: Any) -> bool:
    verdict = mistake.judge(case, shown, declared.precision)
    return verdict is not None and not verdict.different


def test_by_the_last_output_alone_it_is_named_too() -> None:
    case = generic(4, **SIZES)
    shown = by_last_output(fixed(sums="floor").run(case))
    assert diagnose(case, shown, fixed().precision).names == ("sums-cut",)


@pytest.mark.parametrize(("wrong", "name"), [("cut", "states-chopped"), ("floor", "states-cut")])
def test_states_that_are_cut_to_int8_are_one_of_them(wrong: str, name: str) -> None:
    case, right = generic(4, **SIZES), FullInt8()
    shown = FullInt8(wrong=wrong).run(case)
    assert judge(case, shown, right.precision).different
    assert [m.name for m in of_declared(right.precision, case.spec) if fits(m, case, shown, right)] == [name]


def test_it_is_named_and_said() -> None:
    case = generic(4, **SIZES)
    found = diagnose(case, fixed(states="floor").run(case), fixed().precision)
    assert found.names == ("states-cut",)
    assert found.explanations[0].says == (
        "with states, and values of activations, cut downwards, where rounding to nearest is declared"
    )
    assert "a shift to the right" in found.cause


@pytest.mark.parametrize(
    ("declared", "taken", "name"),
    [
        (-7, -5, "zero-point-of-inputs-2-above"),
        (-7, -8, "zero-point-of-inputs-1-below"),
        (-7, 0, "zero-point-of-inputs-forgotten"),
        (-7, 7, "zero-point-of-inputs-negated"),
        (-7, 121, "zero-point-of-inputs-128-above"),
    ],
)
def test_a_wrong_zero_point_of_the_inputs_is_one_of_them(declared: int, taken: int, name: str) -> None:
    case, right, port = generic(4, **SIZES), FullInt8(zero=declared), FullInt8(zero=declared, taken=taken)
    assert judge(case, right.run(case), right.precision).equivalent
    shown = port.run(case)
    assert judge(case, shown, right.precision).different
    assert [m.name for m in of_declared(right.precision, case.spec) if fits(m, case, shown, right)] == [name]


@pytest.mark.parametrize("last", [False, True])
def test_a_wrong_zero_point_of_the_inputs_is_named(last: bool) -> None:
    case, right = generic(4, **{**SIZES, "K": 4}), FullInt8()
    shown = FullInt8(wrong="zero point").run(case)
    shown = by_last_output(shown) if last else shown
    found = diagnose(case, shown, right.precision)
    assert found.names == ("zero-point-of-inputs-2-above",)
    assert found.explanations[0].says == "with -5 as the zero point of the inputs, where -7 is declared"


@pytest.mark.parametrize(
    ("read_as", "name", "last"),
    [
        ((1, 3), "zero-point-of-states-3-above", False),
        ((1, 128), "zero-point-of-states-128-above", True),
        ((0.5, 0), "scale-of-states-halved", False),
    ],
)
def test_states_that_are_read_on_another_scale_are_named(read_as: tuple[float, int], name: str, last: bool) -> None:
    case, right = generic(4, **{**SIZES, "K": 4}), FullInt8()
    shown = FullInt8(read_as=read_as).run(case)
    assert judge(case, shown, right.precision).different
    shown = by_last_output(shown) if last else shown
    assert name in diagnose(case, shown, right.precision).names


def test_a_wrong_zero_point_of_the_outputs_is_named() -> None:
    case, right = generic(4, **SIZES), FullInt8()
    shown = right.run(case)
    assert right.BESIDE == 5
    read_as_symmetric = shown.replace(outputs=shown.outputs + right.BESIDE * right.OUTPUTS)
    found = diagnose(case, read_as_symmetric, right.precision)
    assert found.names == ("zero-point-of-outputs-forgotten",)


def test_outputs_in_int8_bear_no_marks_of_bfloat16() -> None:
    """They have few digits, as is declared: whatever else is wrong, that is no evidence of an arithmetic."""
    case = generic(0, **SIZES)
    Wh = case.Wh.copy()
    Wh[:, 1] *= 3
    seen = Observation.of(case, by_last_output(FullInt8().run(case.replace(Wh=Wh))))
    assert has_marks(Precision.bfloat16, case, seen.trajectory)
    for p, bears in ((FullInt8().precision, False), (Precision.float32, True)):
        assert seen.judge(p).different
        assert Evidence([seen], p).bears_marks(Precision.bfloat16) == bears


def test_an_lstm_that_cuts_its_sums_is_one_of_them() -> None:
    weights, states = Fixed(3, 12), Fixed(0, 15)
    case = generic(4, cell="LSTM", **{**SIZES, "M": 3, "T": 2})
    right, wrong = (FixedLSTM(weights, states, Fixed(3, 12, each)) for each in ("nearest-even", "floor"))
    assert judge(case, right.run(case), right.precision).equivalent
    shown = wrong.run(case)
    assert judge(case, shown, right.precision).different
    assert [m.name for m in of_declared(right.precision, case.spec) if fits(m, case, shown, right)] == ["sums-cut"]


#: What is declared, and the mistakes that move something: in ap_fixed, sums are made of what was rounded to their grid.
DECLARED: dict[str, tuple[Precision, set[str]]] = {
    "q15": (fixed().precision, {"states", "sums", "inputs", "weights", "all-numbers"}),
    "ap_fixed": (ApFixed(16, 7).precision, {"states", "products", "inputs", "weights", "all-numbers"}),
}


@pytest.mark.parametrize("kind", DECLARED)
def test_each_is_told_from_the_truth_and_from_the_others(kind: str) -> None:
    """It is the right run of its own arithmetic, and of no other one that rounds the same numbers."""
    (p, moving), case = DECLARED[kind], generic(4, **SIZES)
    every = list(of_declared(p, case.spec))
    truth = replace(every[0], precision=p).run(case)
    assert judge(case, truth, p).equivalent
    runs = {m.name: m.run(case, precision=p) for m in every}
    assert len(runs) == len(every)
    mistakes = [m for m in every if not np.array_equal(runs[m.name].outputs, truth.outputs)]
    assert {re.sub("-(cut|chopped|rounded-to-nearest)$", "", m.name) for m in mistakes} == moving
    for mistake in mistakes:
        own = mistake.judge(case, runs[mistake.name], p)
        assert own is not None
        assert own.equivalent, f"{mistake}: {own}"
        assert judge(case, runs[mistake.name], p).different, mistake
        against = mistake.judge(case, truth, p)
        assert against is not None
        assert against.different, mistake
        for other in mistakes:
            verdict = other.judge(case, runs[mistake.name], p)
            assert verdict is not None
            assert verdict.different == (other is not mistake), f"{other} for {mistake}"


@pytest.mark.parametrize("rounding", ["unknown", "stochastic"])
def test_a_rounding_that_is_open_cannot_be_wrong(rounding: str) -> None:
    p = Precision.fixed_point(Fixed(3, 12, rounding), Fixed(0, 15, rounding), accumulator=Fixed(30, 30, rounding))
    assert not list(of_declared(p, generic().spec))


def test_without_a_declared_rounding_there_are_none() -> None:
    assert not list(of_declared(Precision.float32, generic().spec))
    assert not list(of_declared(Precision.float16_accumulated_in_float32, generic().spec))
