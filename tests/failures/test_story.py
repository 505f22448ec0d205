"""Failures that have one reason are one story, and a story fits a screen."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import Case, Spec, Verdict, reference
from pytest_rnnequiv.failures.assertion import EquivalenceError, assert_equivalent
from pytest_rnnequiv.failures.story import (
    MOST_LINES,
    UNEXPLAINED,
    Account,
    Story,
    Told,
    account,
    not_asked,
    stories,
    summed_up,
)
from pytest_rnnequiv.implementations.answering import HANGS, PortFailure
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.suite.verification import without_answer


def an_account(*keys: str, about: str = "", size: int = 10, **more: Any) -> Account:
    says = [f"is the recurrence with {key}" for key in keys]
    return Account(
        [*keys], says, [f"how {key} comes" for key in keys], about, f"a case of {size}", [size, size], **more
    )


def told(check: str, *keys: str, cases: int = 1, **more: Any) -> Told:
    return Told(check, cases, [f"{check}.npz", f"{check}.py"], an_account(*keys, **more))


def unanswered(problem: str | PortFailure) -> EquivalenceError:
    verdict = Verdict.without_answer(problem) if isinstance(problem, str) else without_answer(problem)
    return EquivalenceError(generic_case(Spec.simple(2, 3, 1), 2, 2), verdict)


def a_raise(says: str, raised: str = "ValueError", at: str = "my.py:8") -> PortFailure:
    return PortFailure(f"the port raised {raised}: {says} at {at} in run", raised=raised, at=at)


# ---- what belongs together ----


def test_one_reason_is_one_story() -> None:
    (story,) = stories("it", [told("recurrence", "a"), told("nan", "a"), told("equal_sizes", "a")])
    assert story.checks == {"recurrence": 1, "nan": 1, "equal_sizes": 1}
    assert story.sentence == "it is wrong: it is the recurrence with a"


def test_two_reasons_are_two_stories_that_of_more_checks_first() -> None:
    one, two = stories("it", [told("nan", "b"), told("recurrence", "a"), told("equal_sizes", "a")])
    assert (one.keys, two.keys) == (["a"], ["b"])
    assert summed_up("it", [one, two]) == (
        "it is wrong in 2 ways: (1) it is the recurrence with a; (2) it is the recurrence with b"
    )


@pytest.mark.parametrize("turned", [False, True])
def test_what_fits_several_goes_with_what_fits_one(turned: bool) -> None:
    given = [told("notebook", "b", "a"), told("recurrence", "a", "c"), told("nan", "a")]
    (story,) = stories("it", given[::-1] if turned else given)
    assert story.keys == ["a"]
    assert not story.others


def test_what_fits_equally_is_told() -> None:
    (story,) = stories("it", [told("recurrence", "a", "b"), told("nan", "b", "a", "c")])
    assert story.keys == ["a", "b"]
    assert "or           is the recurrence with b" in "\n".join(story.lines())


def test_the_smallest_case_is_shown() -> None:
    (story,) = stories("it", [told("recurrence", "a", size=30), told("nan", "a", size=4)])
    assert "smallest     a case of 4, by the check nan" in "\n".join(story.lines())
    assert "python nan.py" in "\n".join(story.lines())


def test_activations_that_are_not_explained_are_one_story_where_the_plainest_is_not_either() -> None:
    relu, elu = told("activations", f"{UNEXPLAINED} relu"), told("activations", f"{UNEXPLAINED} elu")
    assert len(stories("it", [relu, elu])) == 2
    (story,) = stories("it", [relu, elu, told("recurrence", UNEXPLAINED)])
    assert len(story.told) == 3


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("the outputs have shape (2, 3), expected (3, 2)", "the outputs have shape (1, 7), expected (7, 1)", True),
        (a_raise("shapes (2,3) (4,)"), a_raise("no room for 7"), True),
        (a_raise("a"), a_raise("a", at="my.py:9"), False),
        (a_raise("a"), a_raise("a", raised="KeyError"), False),
        # what a message says of itself is no place
        (a_raise("that hangs: at other.py:3 in run"), a_raise("b"), True),
        (PortFailure("no answer to its first call", hung=True), PortFailure("none after 1 s", hung=True), True),
        (PortFailure("the port died: signal 11"), PortFailure("the port died: signal 6"), True),
        ("the outputs are empty (shape (0,))", "the outputs are None", False),
    ],
)
def test_sentences_of_ports(one: str | PortFailure, two: str | PortFailure, same: bool) -> None:
    keys = [account(unanswered(problem)).keys for problem in (one, two)]
    assert (keys[0] == keys[1]) == same


def test_a_port_that_is_not_asked_again_hung() -> None:
    given = [
        Told("recurrence", 1, [], account(unanswered(PortFailure("the port hangs: no answer after 1 s", hung=True)))),
        Told("nan", 0, [], not_asked("the port is not asked again: it hung 3 times")),
    ]
    (story,) = stories("it", given)
    assert story.keys == [HANGS]
    assert story.says.endswith("the port hangs: no answer after 1 s")


# ---- what a failure says of itself ----


def transposed(case: Case) -> Any:
    return reference(case.replace(Wh=case.Wh.T), np.float32)


def failed(case: Case, answer: Any) -> EquivalenceError:
    with pytest.raises(EquivalenceError) as caught:
        assert_equivalent(case, answer)
    return caught.value


def test_an_account_is_plain_data() -> None:
    case = generic_case(Spec.simple(2, 3, 1), 2, 4)
    given = account(failed(case, transposed(case)))
    assert given == Account(**json.loads(json.dumps(given.plain())))
    assert given.keys == ["Wh-transposed"]
    assert given.says == ["is the recurrence with `Wh` transposed"]
    assert given.within == given.steps > given.before
    assert "import numpy as np" in given.script
    assert dict(given.rows).keys() >= {"first broken", "got", "expected"}


def test_an_activation_that_is_not_explained_is_named() -> None:
    case = generic_case(Spec.simple(2, 3, 1, activation="softplus"), 2, 4)
    shown = reference(case, np.float32)
    given = account(failed(case, shown.replace(states=shown.states * np.float32(1.013))))
    assert given.keys == [f"{UNEXPLAINED} activation 'softplus'"]
    assert given.says[0].startswith("is not the recurrence with activation 'softplus'")


# ---- lines ----


def test_a_story_fits_a_screen() -> None:
    rows = [["label", "word " * 40]] * 5
    small = told("recurrence", "a", rows=rows, script=["x = 1"] * 12)
    lines = Story("it", [small]).lines(80)
    assert len(lines) <= MOST_LINES < 40
    assert max(map(len, lines)) <= 80
    assert "    x = 1" not in lines  # no room
    assert "    x = 1" in Story("it", [told("recurrence", "a", script=["x = 1"] * 12)]).lines(80)


def test_numbers_that_fill_lines_are_left_to_the_file() -> None:
    lines = Story("it", [told("recurrence", "a", script=["x = " + "0.5, " * 30])]).lines(80)
    assert max(map(len, lines)) <= 80


def test_a_path_stays_whole() -> None:
    path = "a_very_long_folder_of_somebody/" * 4 + "script.py"
    lines = Story("it", [Told("recurrence", 1, [path], an_account("a"))]).lines(60)
    assert any(path in line for line in lines)


def test_laws_are_counted_and_others_named() -> None:
    given = [told(f"law_{n}", "a") for n in range(5)] + [told(f"check{n}", "a") for n in range(9)]
    (story,) = stories("it", given)
    assert "check6 (1), 2 more, 5 laws" in story.evidence
    assert "law_0" not in story.evidence
