"""Where the time of a check goes, and when it last saw something new."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_rnnequiv import run_state, tally


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[tally.Tally]:
    """Count in a run of its own, whose clock says 1, 2, 3, ... seconds."""
    ticks = iter(range(1, 1000))
    run = run_state.begin()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(time, "perf_counter", lambda: next(ticks))
            yield tally.current()
    finally:
        run_state.end(run)


def test_a_part_within_another_is_not_charged_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with counting(monkeypatch) as counted, tally.spending("judge"):  # 1
        with tally.spending("run"), tally.spending("trace"):  # 2, 3
            pass  # 4, 5
        with pytest.raises(KeyboardInterrupt), tally.spending("run"):  # 6
            raise KeyboardInterrupt  # 7
        # 8
    assert counted.spent == {"judge": 3, "run": 3, "trace": 1}


def test_nothing_is_charged_where_nothing_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with counting(monkeypatch):
        tally.take()
        with tally.spending("run"):
            pass
        assert tally.take() is None


def test_telling_of_a_failure_is_part_of_its_time() -> None:
    counted = tally.Tally(seconds=2.0, spent={"run": 1.5, "report": 0.25})
    properties: list[tuple[str, object]] = [("other", 1), *tally.to_properties(counted)]
    tally.charge_report(properties, 4.0)
    found = tally.from_properties(properties)
    assert found is not None
    assert (found.seconds, found.spent) == (6.0, {"run": 1.5, "report": 4.25})
    assert ("other", 1) in properties
    nothing: list[tuple[str, object]] = [("other", 1)]
    tally.charge_report(nothing, 4.0)
    assert nothing == [("other", 1)]


def test_what_was_last_new() -> None:
    counted = tally.Tally()
    for number, (options, sizes) in enumerate(
        [(["a", "activation=relu"], {"N": 2}), (["a"], {"N": 3}), (["a", "b"], {"N": 3}), (["b"], {"N": 2})]
    ):
        counted.conclusive = number
        counted.cover(options)
        counted.meet(**sizes)
    assert counted.news == {"option": 2, "pair": 2, "activation": 0, "size": 1}
    again = tally.from_properties(tally.to_properties(counted))
    assert again is not None
    assert again.news == counted.news


def test_an_answer_that_is_none_has_a_way_without_a_name() -> None:
    counted = tally.Tally(cases=1, conclusive=1, failures=1, way={"": 1})
    again = tally.from_properties(tally.to_properties(counted))
    assert again == counted
