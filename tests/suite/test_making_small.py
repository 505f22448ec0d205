"""A failing opening is made small: to sizes and numbers that a person reads, always the same, in a few cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import Case, EquivalenceError, Spec, Supports, reference
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.suite.making_small import SMALL, made_small, small_enough
from pytest_rnnequiv.suite.verification import verify

LARGE = generic_case(Spec.simple(3, 5, 2), 2, 4)


def made(name: str) -> Callable[[Case], Any]:
    mistake = next(each for each in CATALOGUE if each.name == name)
    return lambda case: np.asarray(mistake.run(case).outputs, np.float32)


def wrong_from(**least: int) -> Callable[[Case], Any]:
    def run(case: Case) -> Any:
        wrong = all(getattr(case, letter) >= size for letter, size in least.items())
        return reference(case, np.float32).outputs + np.float32(wrong)

    return run


def failing(run: Any, case: Case = LARGE) -> tuple[EquivalenceError, Port]:
    port = Port(run)
    with pytest.raises(EquivalenceError) as failure:
        verify(port, [case])
    return failure.value, port


def asked(failure: EquivalenceError) -> Case:
    """What the port was asked; a report may show a part of it."""
    return failure.seen[0].case


def sizes(case: Case) -> dict[str, int]:
    return {letter: getattr(case, letter) for letter in "NTDM"}


@pytest.mark.parametrize(
    ("name", "smallest"),
    [
        ("Wh-transposed", {"N": 1, "T": 2, "D": 1, "M": 2}),
        ("recurrent-term-dropped", {"N": 1, "T": 2, "D": 1, "M": 1}),
        ("bh-dropped", {"N": 1, "T": 1, "D": 1, "M": 1}),
        ("leaks-between-samples", {"N": 2, "T": 1, "D": 1, "M": 1}),
    ],
)
def test_a_mistake_is_left_with_what_it_needs(name: str, smallest: dict[str, int]) -> None:
    failure, port = failing(made(name))
    small = made_small(port, failure)
    assert sizes(asked(small)) == smallest
    arrays = small.case.numbers().values()
    assert sum(array.size for array in arrays) <= SMALL
    # all that are left are needed: without any of them it is right
    left = [float(number) for array in arrays for number in array.flat if number]
    assert left
    assert len(left) <= 8
    assert small.diagnosis.explanations[0].name == name


def test_what_is_wrong_from_some_sizes_on_is_left_with_these() -> None:
    failure, port = failing(wrong_from(T=3, M=5), generic_case(Spec.simple(3, 17, 2), 2, 40))
    small = made_small(port, failure)
    assert sizes(asked(small)) == {"N": 1, "T": 3, "D": 1, "M": 5}


def test_sizes_that_are_not_supported_are_not_asked() -> None:
    met: list[Case] = []

    def run(case: Case) -> Any:
        met.append(case)
        return reference(case, np.float32).outputs + np.float32(1)

    run.supports = Supports(D=3, M=(4, 5), T=(2, 9))  # type: ignore[attr-defined]
    failure, port = failing(run)
    small = made_small(port, failure)
    assert sizes(asked(small)) == {"N": 1, "T": 2, "D": 3, "M": 5}
    assert all(port.supports.accepts(case) for case in met)


def test_it_is_always_the_same_and_takes_few_cases() -> None:
    found = []
    for _ in range(2):
        failure, port = failing(made("bh-doubled"))
        before = port.calls
        found.append(made_small(port, failure).case.fingerprint())
        assert port.calls - before < 120  # with the runs on prefixes
    assert found[0] == found[1]


def test_what_raises_is_left_as_it_is() -> None:
    def run(case: Case) -> Any:
        raise ValueError("no")

    failure, port = failing(run)
    assert made_small(port, failure) is failure


def test_what_fails_in_large_cases_only_is_left_for_hypothesis_to_look_for() -> None:
    failure, port = failing(wrong_from(M=9), generic_case(Spec.simple(3, 17, 2), 2, 3))
    small = made_small(port, failure)
    assert sizes(asked(small)) == {"N": 1, "T": 1, "D": 1, "M": 9}
    assert not small_enough(small)
