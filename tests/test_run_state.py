"""What a run keeps is its own: a run within a run has something else, and leaves nothing behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pytest_rnnequiv import run_state, tally
from pytest_rnnequiv.run_state import RunState, state
from pytest_rnnequiv.suite.registry import PROFILES, running


@pytest.fixture
def outer() -> Iterator[RunState]:
    """A run that goes on, inside of which others begin and end."""
    run = run_state.begin()
    yield run
    run_state.end(run)
    assert state() is not run


@dataclass
class Seen:
    what: list[str] = field(default_factory=list)


def test_a_part_is_made_when_it_is_first_asked_for(outer: RunState) -> None:
    state().part(Seen).what.append("one")
    assert outer.part(Seen).what == ["one"]


class Owner:
    """Something that a run keeps something of."""


def test_what_is_kept_of_an_object_goes_with_it(outer: RunState) -> None:
    one, two = Owner(), Owner()
    state().part(Seen, of=one).what.append("one")
    assert state().part(Seen, of=two).what == state().part(Seen).what == []
    assert sorted(each.what for each in outer.parts(Seen)) == [[], ["one"]]
    del one
    gc.collect()
    assert [each.what for each in outer.parts(Seen)] == [[]]
    assert outer.parts(Owner) == []


def test_what_ends_is_gone_and_what_goes_on_stays(outer: RunState) -> None:
    state().part(Seen).what.append("outer")
    first, second = run_state.begin(), run_state.begin()
    assert state() is second
    assert second.part(Seen).what == first.part(Seen).what == []
    run_state.end(first)  # whichever ends first
    assert state() is second
    run_state.end(second)
    run_state.end(second)  # more than once is as once
    assert state() is outer
    assert state().part(Seen).what == ["outer"]


def test_outside_of_all_runs_there_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_state, "_states", [RunState()])
    outside = state()
    run_state.end(outside)
    assert state() is outside


COUNTING = """
import numpy as np
import pytest
from pytest_rnnequiv import Case, Spec, assert_equivalent, tally

@pytest.mark.parametrize("answer", [1.0, 1.0, 0.0])
def test_port(answer):
    assert tally.take() is None  # nothing is there of whoever runs this
    case = Case(Spec.simple(1, 1, 1), np.ones((1, 1, 1)), [[0.0]], [[0.0]], [0.0], [[1.0]], [1.0])
    assert_equivalent(case, np.full((1, 1), answer, np.float32))
"""


def test_a_run_within_a_run_counts_for_itself(pytester: pytest.Pytester, outer: RunState) -> None:
    counted = tally.current()
    counted.cases = 7
    looked_on: list[str] = []
    tally.watch(looked_on.append)
    pytester.makepyfile(COUNTING)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["own tests * 3 * 3 *"])
    assert state() is outer
    assert tally.current() is counted
    assert (counted.cases, counted.failures, looked_on) == (7, 0, [])


def test_its_profile_is_its_own(pytester: pytest.Pytester, outer: RunState) -> None:
    running(PROFILES["thorough"])
    arguments = ("--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl=numpy", "--rnn-equiv-profile=quick")
    pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=1)
    assert state() is outer
    assert running() == PROFILES["thorough"]


@pytest.mark.parametrize(
    ("source", "arguments", "code"),
    [
        ("def test_own(): pass", ["--collect-only"], pytest.ExitCode.OK),
        ("def test_own(): pass", ["--rnn-equiv-profile=none"], pytest.ExitCode.USAGE_ERROR),
        ("import nothing_of_this_name", [], pytest.ExitCode.INTERRUPTED),
        ("def test_own(): raise KeyboardInterrupt", [], pytest.ExitCode.INTERRUPTED),
    ],
    ids=["collected", "misused", "not collected", "interrupted"],
)
def test_however_it_ends(
    pytester: pytest.Pytester, outer: RunState, source: str, arguments: list[str], code: pytest.ExitCode
) -> None:
    pytester.makepyfile(source)
    recorded = pytester.inline_run(*arguments, no_reraise_ctrlc=True)
    assert recorded.ret == code
    assert state() is outer
