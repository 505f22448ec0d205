"""A run with a budget, and a run that is a shard of a larger one."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_rnnequiv.plugin import allotting
from pytest_rnnequiv.plugin.allotting import divided
from pytest_rnnequiv.plugin.settings import Shard

RIGHT = """
import numpy as np
from pytest_rnnequiv import reference

def run(case):
    return reference(case, np.float32)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    pytester.makepyfile(right=RIGHT)
    return pytester


@given(
    weights=st.dictionaries(st.text("abc", min_size=1, max_size=4), st.sampled_from([0.25, 1.0, 7.5]), min_size=1),
    of=st.integers(1, 70),
    data=st.data(),
)
def test_shards_are_disjoint_and_together_the_whole(weights: dict[str, float], of: int, data: st.DataObject) -> None:
    divisible = data.draw(st.sets(st.sampled_from(sorted(weights))))
    shards = [divided(weights, Shard(number, of), divisible) for number in range(1, of + 1)]
    for nodeid in weights:
        parts = [shard[nodeid] for shard in shards if nodeid in shard]
        if len(parts) == 1:
            assert parts == [Shard(1, 1)]
        else:
            assert parts == [Shard(number, of) for number in range(1, of + 1)]
            assert nodeid in divisible
    order = dict(reversed(weights.items()))
    assert divided(order, Shard(1, of), divisible) == shards[0]
    loads = [sum(weights[nodeid] / part.of for nodeid, part in shard.items()) for shard in shards]
    assert max(loads) - min(loads) <= max(weights.values()) + 1e-9


def collected(project: pytest.Pytester, *arguments: str) -> list[str]:
    result = project.runpytest("--rnn-equiv-impl", "right:run", "--collect-only", "-q", *arguments)
    return [line for line in result.outlines if "::" in line]


def test_what_each_shard_collects(project: pytest.Pytester) -> None:
    whole = collected(project)
    shards = [collected(project, f"--rnn-equiv-shard={number}/3") for number in (1, 2, 3)]
    assert sorted({nodeid for shard in shards for nodeid in shard}) == sorted(whole)
    assert sum(map(len, shards)) == len(whole)  # of so few parts, none has a part of a check
    assert all(shards)


def test_a_shard_of_many_has_a_part_of_the_large_checks(project: pytest.Pytester) -> None:
    one, two = (collected(project, f"--rnn-equiv-shard={number}/40") for number in (1, 2))
    assert "rnn_equiv.py::test_recurrence[right:run]" in one
    assert "rnn_equiv.py::test_recurrence[right:run]" in two
    assert not {each for each in one if "notebook" in each} & {each for each in two if "notebook" in each}


def test_a_shard_says_which_and_shows_its_part(project: pytest.Pytester) -> None:
    arguments = ("--rnn-equiv-impl", "right:run", "-v", "--rnn-equiv-shard", "2/64", "-k", "recurrence")
    result = project.runpytest(*arguments)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["rnn-equiv: *profile quick, shard 2/64"])
    (cases,) = re.findall(r"^ +recurrence +(\d+) ", result.stdout.str(), re.MULTILINE)
    assert int(cases) < 75  # those of the whole


def test_a_shard_of_which_everything_is_skipped_is_not_red(project: pytest.Pytester) -> None:
    arguments = ("--rnn-equiv-impl", "right:run", "-k", "masks")
    assert project.runpytest(*arguments).ret == pytest.ExitCode.TESTS_FAILED  # nothing was shown
    for number in (1, 2):
        result = project.runpytest(*arguments, f"--rnn-equiv-shard={number}/2")
        assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def test_a_budget_leaves_to_the_end_what_has_most_to_show(project: pytest.Pytester) -> None:
    arguments = ("--rnn-equiv-impl", "right:run", "-v", "--rnn-equiv-budget", "4", "--rnn-equiv-durations")
    result = project.runpytest(*arguments, "-k", "equal_sizes or recurrence or notebook or masks")
    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(["rnn-equiv: *profile quick, budget 4.0s", "*test_recurrence*100%*"])
    result.stdout.fnmatch_lines(["seconds *draw *build *trace *run *judge *report *other *all", "  recurrence *"])
    result.stdout.fnmatch_lines(["recurrence[[]right:run]: the last new size after * of * conclusive cases"])


def test_a_budget_is_shared_by_the_processes_of_xdist(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    arguments = ("--rnn-equiv-impl", "right:run", "-n2", "--rnn-equiv-budget", "6", "-v")
    result = project.runpytest_subprocess(*arguments, "-k", "equal_sizes or nan")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["rnn-equiv: *profile quick, budget 6.0s", "*conclusive*", "right:run *"])


def test_a_run_with_a_budget_that_is_interrupted_tells_what_was_done(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        from pytest_rnnequiv.suite import checks

        verify, calls = checks.verify, []

        def interrupted(port, cases):
            for case in cases:
                verify(port, [case])
                calls.append(case)
                if len(calls) == 7:
                    raise KeyboardInterrupt  # as Ctrl-C does

        checks.verify = interrupted
        """
    )
    arguments = ("--rnn-equiv-impl", "right:run", "--rnn-equiv-budget", "600", "-k", "recurrence")
    result = project.runpytest_subprocess(*arguments, "--rnn-equiv-report", "report")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["interrupted after 7 cases of one more"])
    assert json.loads((project.path / "report" / "summary.json").read_text(encoding="utf-8"))["interrupted"] is True


@pytest.mark.parametrize("workers", [0, 2])
def test_what_one_check_leaves_goes_to_those_behind_it(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    now = 100.0
    monkeypatch.setattr(allotting, "time", SimpleNamespace(perf_counter=lambda: now))
    given = allotting.Allotting(60.0, None, workers)
    names = ("test_law_signs_go_through", "test_nan", "test_recurrence")
    items: list[Any] = [SimpleNamespace(nodeid=name, originalname=name) for name in names]
    weights = [allotting._weight(item) for item in items]
    given._todo = dict(zip(names, weights, strict=True))
    now += 10.0  # loading
    first = given._seconds(items[0])
    assert first == pytest.approx(50.0 * weights[0] / sum(weights) * max(workers, 1))
    now += 1.0  # of its seconds
    second = given._seconds(items[1])
    now += 1.0
    third = given._seconds(items[2])
    if workers:
        assert second == pytest.approx(50.0 * workers * weights[1] / sum(weights))
        assert third == 48.0  # no more than there is
    else:
        assert second == pytest.approx(49.0 * weights[1] / sum(weights[1:]))
        assert third == 48.0
    now += 100.0
    assert given.left == 0.0


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--rnn-equiv-budget=-1", "'-1' is no number of seconds above 0, such as 600."),
        ("--rnn-equiv-budget=nan", "'nan' is no number of seconds above 0, such as 600."),
        ("--rnn-equiv-shard=3", "'3' is no part of a run; write I/N, such as 3/64 for the third of 64."),
        ("--rnn-equiv-shard=0/3", "'0/3' is no part of a run: I must be 1 at least, and N at most."),
    ],
)
def test_what_means_nothing_is_an_error(project: pytest.Pytester, argument: str, sentence: str) -> None:
    result = project.runpytest(argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--rnn-equiv-*: {sentence}"])
