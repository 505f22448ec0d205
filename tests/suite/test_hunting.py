"""How a check looks at a port: what it begins with, when it ends, and what it makes of what it has seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase
from samples import NETWORKS

from pytest_rnnequiv import Case, Precision, Verdict, reference, tally
from pytest_rnnequiv.failures.assertion import EquivalenceError
from pytest_rnnequiv.implementations.errors import Declined
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.runner import PortFailure
from pytest_rnnequiv.suite import checks, registry
from pytest_rnnequiv.suite.budget import open_budget
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.registry import PROFILES, Check, Data, NothingShown, Opening


class Right:
    """A port that is right, and remembers what it was asked."""

    name = "right"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.asked: list[Case] = []

    def run(self, case: Case) -> Any:
        time.sleep(self.seconds)
        self.asked.append(case)
        return self.answer(case)

    def answer(self, case: Case) -> Any:
        return reference(case, np.float32).outputs[:, -1]


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    tally.take()
    yield
    tally.take()


def item(function: Callable[..., None], examples: int = 100, share: float = 1.0, **own: Any) -> Callable[..., None]:
    return Check(function, examples, share, False, False).item(PROFILES["quick"], **{"database": None} | own)


def drawn(data: Data) -> Any:
    return -1 if isinstance(data, Opening) else data.draw(st.integers(0, 10**9))


# ---- when it ends ----


def test_nothing_is_drawn_when_the_time_is_over() -> None:
    seen = []

    def slow(port: Port, data: Data) -> None:
        seen.append(drawn(data))
        time.sleep(0.01)
        tally.current().count()

    item(slow, examples=100_000, share=0.1)(port=Port(Right()))
    assert 1 <= len(seen) < 1000


def test_a_failure_at_hand_is_told_though_the_time_is_over() -> None:
    def fails_late(port: Port, data: Data) -> None:
        drawn(data)
        tally.current().count()
        if not isinstance(data, Opening):
            time.sleep(1)
            raise AssertionError("it is wrong")

    with pytest.raises(AssertionError, match="it is wrong"):
        item(fails_late, share=1)(port=Port(Right()))


def test_a_failure_that_only_an_opening_shows_is_told() -> None:
    def fails_at_once(port: Port, data: Data) -> None:
        tally.current().count()
        assert drawn(data) >= 0, "the opening is wrong"

    with pytest.raises(AssertionError, match="the opening is wrong"):
        item(fails_at_once)(port=Port(Right()))


def test_as_many_conclusive_cases_as_a_check_should_see() -> None:
    """However long each of them takes: the time is over with the first one."""

    def slow(port: Port, data: Data) -> None:
        number = drawn(data)
        time.sleep(0.02)
        status = "equivalent" if number % 2 else "inconclusive"
        tally.current().record(Verdict(status, error_over_bound=0.1))

    item(slow, share=0.02)(port=Port(Right()))
    assert tally.current().conclusive >= 1


@pytest.mark.parametrize(("examples", "enough"), [(40, 12), (160, 40)])
def test_a_check_that_has_seen_enough_ends_though_there_is_time(examples: int, enough: int) -> None:
    def right(port: Port, data: Data) -> None:
        number = drawn(data)
        tally.current().record(Verdict("equivalent" if number % 2 else "inconclusive", error_over_bound=0.1))

    item(right, examples=examples, share=1000, max_examples=1000)(port=Port(Right()))
    assert tally.current().conclusive == enough


def test_a_check_that_sees_new_options_goes_on() -> None:
    def right(port: Port, data: Data) -> None:
        drawn(data)
        now = tally.current()
        now.count()
        now.cover([f"option {min(now.cases, 30)}"])

    item(right, examples=40, share=1000, max_examples=1000)(port=Port(Right()))
    assert tally.current().conclusive == 30 + 12


def test_what_another_check_has_seen_is_new_to_this_one() -> None:
    """The selfcheck has one tally for many checks: an activation of the last one must have its turn in the next."""

    def right(port: Port, data: Data) -> None:
        drawn(data)
        now = tally.current()
        now.count()
        now.cover([f"option {min(now.cases - before, 30)}"])

    for _ in range(2):
        before = tally.current().cases
        item(right, examples=40, share=1000, max_examples=1000)(port=Port(Right()))
        assert tally.current().conclusive - before == 30 + 12


def test_options_that_only_might_come_keep_no_check_going() -> None:
    def right(port: Port, data: Data) -> None:
        drawn(data)
        now = tally.current()
        now.count()
        now.cover([f"option {now.cases}"], 0)

    item(right, examples=40, share=1000, max_examples=1000)(port=Port(Right()))
    assert tally.current().conclusive == 12


def test_one_that_leaves_the_volume_to_another_is_asked_less(monkeypatch: pytest.MonkeyPatch) -> None:
    def right(port: Port, data: Data) -> None:
        drawn(data)
        tally.current().count()

    monkeypatch.setattr(Port, "secondary", True)
    patient = PROFILES["quick"]._replace(seconds=600.0)  # it ends when enough was seen
    Check(right, 100, 1.0, False, False).item(patient, database=None, max_examples=1000)(port=Port(Right()))
    assert tally.current().conclusive == patient.secondary < 12


def test_a_long_check_is_several_runs_with_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ROUND", 20)
    seen: list[int] = []

    def counts(port: Port, data: Data) -> None:
        seen.append(drawn(data))
        tally.current().count()

    item(counts, examples=10_000, share=1000, max_examples=100)(port=Port(Right()))
    assert len(seen) == 101
    assert len({*seen}) > 40  # each run begins with 0


def test_given_a_seed_all_runs_are_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ROUND", 20)
    settings.register_profile("same", settings(), derandomize=True, database=None)
    settings.load_profile("same")
    seen: list[list[int]] = []

    def counts(port: Port, data: Data) -> None:
        seen[-1].append(drawn(data))
        tally.current().count()

    try:
        for _ in range(2):
            seen.append([])
            item(counts, examples=10_000, share=1000, max_examples=50)(port=Port(Right()))
    finally:
        settings.load_profile("default")
    assert seen[0] == seen[1]
    assert len({*seen[0]}) > 20


def test_what_failed_before_is_asked_first() -> None:
    database = InMemoryExampleDatabase()
    seen: list[int] = []

    def wrong(port: Port, data: Data) -> None:
        seen.append(drawn(data))
        tally.current().count()
        assert seen[-1] < 10**6

    test = item(wrong, database=database)
    with pytest.raises(AssertionError):
        test(port=Port(Right()))
    tally.take()
    seen.clear()
    with pytest.raises(AssertionError):
        test(port=Port(Right()))
    assert seen[0] == 10**6


# ---- what it begins with ----


@pytest.mark.parametrize("name", [name for name, each in CHECKS.items() if each.examples and each.of_ports])
def test_every_check_begins_with_a_case_that_can_be_conclusive(name: str) -> None:
    """No zeros, and nothing of size 1 that need not be: a port that is asked once has shown something."""
    port = Right()
    try:
        CHECKS[name].function(Port(port), Opening())
    except pytest.skip.Exception:
        return
    assert tally.current().conclusive == tally.current().cases == 1
    case = port.asked[0]
    assert case.N >= 2 or "size" in name
    assert len({case.D, case.M, case.K}) == 3 or name == "test_equal_sizes"
    assert np.count_nonzero(case.Wh) > 0.9 * case.Wh.size


@pytest.mark.parametrize("leaks", [False, True])
def test_a_nan_of_one_call_is_not_in_the_next(monkeypatch: pytest.MonkeyPatch, leaks: bool) -> None:
    """A model that is given may be called twice in a case."""
    met = []

    def run(case: Case) -> Any:
        met.append(bool(np.isnan(case.x).any()))
        outputs = reference(case, np.float32).outputs
        return np.full_like(outputs, np.nan) if leaks and any(met) else outputs

    monkeypatch.setattr(checks, "draw_pack", lambda *_, **__: [NETWORKS["two calls"]])
    with pytest.raises(EquivalenceError) if leaks else nullcontext():
        CHECKS["test_nan"].function(Port(run), Opening())
    assert met[:2] == [True, False]


def test_what_checks_begin_with_is_asked_once() -> None:
    port = Right()
    ready = Port(port)
    for name in ("test_recurrence", "test_law_units_have_no_order", "test_law_signs_go_through"):
        open_budget(0.5).opening = True
        CHECKS[name].function(ready, Opening())
    first = port.asked[0].fingerprint()
    assert [case.fingerprint() for case in port.asked].count(first) == 1


def test_repeats_asks_again() -> None:
    class Forgets(Right):
        def answer(self, case: Case) -> Any:
            return super().answer(case) + np.float32(len(self.asked))

    with pytest.raises(EquivalenceError):
        CHECKS["test_repeats"].item(PROFILES["quick"], database=None)(port=Port(Forgets()))


# ---- slow ports ----


@pytest.mark.parametrize(
    "wrong",
    [
        lambda case: case.replace(Wh=case.Wh.T),
        lambda case: case if case.M < 32 else case.replace(Wh=np.round(case.Wh * 64) / 64),
        lambda case: case if case.T <= 16 else case.replace(x=case.x[:, case.T - 16 :]),
        lambda case: case.replace(x=np.repeat(case.x[:1], case.N, axis=0)),
        lambda case: case.replace(x=case.x * (np.arange(case.D) < 4)),
    ],
    ids=["Wh transposed", "coarse from M = 32 on", "the last 16 steps", "the first sample", "four features"],
)
def test_a_few_calls_find_what_a_slow_port_gets_wrong(wrong: Callable[[Case], Case]) -> None:
    class Wrong(Right):
        def answer(self, case: Case) -> Any:
            return super().answer(wrong(case))

    port = Wrong(seconds=0.25)
    with pytest.raises(EquivalenceError):
        CHECKS["test_recurrence"].item(PROFILES["quick"], database=None)(port=Port(port))
    assert len(port.asked) <= 12


def test_a_slow_port_is_not_asked_about_every_prefix() -> None:
    port = Right(seconds=0.1)
    CHECKS["test_notebook"].item(PROFILES["quick"])(port=Port(port))
    assert 1 <= len(port.asked) <= 40  # with every prefix, ten cases of ten steps are 110 calls
    assert tally.current().conclusive >= 1


# ---- what it makes of what it has seen ----


@pytest.mark.parametrize(
    "name", ["test_recurrence", "test_repeats", "test_nan", "test_notebook", "test_law_signs_go_through"]
)
def test_a_port_that_dies_is_told_by_every_check_however_late(name: str) -> None:
    class Dies(Right):
        def answer(self, case: Case) -> Any:
            time.sleep(0.3)  # the time of most checks is over then
            raise OSError("the board does not answer")

    with pytest.raises(AssertionError, match="the board does not answer"):
        CHECKS[name].item(PROFILES["quick"], database=None)(port=Port(Dies()))


def test_a_port_that_dies_when_asked_again_is_told() -> None:
    class DiesLater(Right):
        deaths: ClassVar[int] = 0

        def answer(self, case: Case) -> Any:
            if len(self.asked) > 2:
                raise OSError("the board does not answer")
            time.sleep(0.5)
            return super().answer(case)

    with pytest.raises(AssertionError, match="the board does not answer"):
        CHECKS["test_repeats"].item(PROFILES["quick"], database=None)(port=Port(DiesLater()))


def test_a_port_that_hangs_is_told_that_it_hangs() -> None:
    class Hangs(Port):
        def run(self, case: Case) -> Any:
            time.sleep(0.2)
            raise PortFailure("the port hangs", hung=True)

    port = Hangs(Right())
    object.__setattr__(port.declaration, "timeout", 0.2)
    for name in ("test_repeats", "test_law_signs_go_through", "test_recurrence"):
        with pytest.raises(AssertionError, match="the port hangs"):
            CHECKS[name].item(PROFILES["quick"], database=None)(port=port)
        tally.take()
    with pytest.raises(pytest.fail.Exception, match="it hung 3 times"):
        CHECKS["test_nan"].item(PROFILES["quick"], database=None)(port=port)


def unsure(port: Port, data: Data) -> None:
    drawn(data)
    tally.current().record(Verdict("inconclusive", way="last output", error_over_bound=0.1))


NONE = r"none of \d+ cases was conclusive \(judged by last output\).*say how it rounds"


def test_a_check_whose_cases_were_all_inconclusive_fails() -> None:
    with pytest.raises(NothingShown, match=NONE):
        item(unsure)(port=Port(Right()))


def test_of_a_coarse_port_it_is_skipped() -> None:
    """Too few cases, or too wild ones, are no fault of it; whether all checks together show enough, the run says."""
    port = Port(Right())
    object.__setattr__(port.declaration, "precision", Precision.bfloat16)
    with pytest.raises(pytest.skip.Exception, match=NONE):
        item(unsure)(port=port)
    assert tally.current().inconclusive


class Declines(Port):
    """A port that does not take cases of more units than this."""

    most = 4

    def run(self, case: Case) -> Any:
        if self.most < case.M:
            raise Declined
        return super().run(case)


@pytest.mark.parametrize("name", ["test_recurrence", "test_repeats", "test_law_units_have_no_order"])
def test_cases_that_a_port_declines_are_left_out_and_counted(name: str) -> None:
    CHECKS[name].item(PROFILES["default"], database=None)(port=Declines(Right()))
    assert tally.current().declined > 0
    assert tally.current().conclusive > 0
    assert tally.current().failures == 0


def test_a_port_that_declines_everything_is_skipped() -> None:
    port = Declines(Right())
    port.most = 0
    with pytest.raises(pytest.skip.Exception, match=r"right declined all of the \d+ cases"):
        CHECKS["test_nan"].item(PROFILES["quick"], database=None)(port=port)


def test_what_was_declined_travels_with_the_report() -> None:
    counted = tally.Tally(cases=3, conclusive=3)
    for reason in ("", "odd sizes v. 1.0", "odd sizes v. 1.0", "two", "three", "four"):
        counted.decline(reason)
    back = tally.from_properties(tally.to_properties(counted))
    assert back is not None
    back.add(counted)
    assert back.declined == 12
    assert back.because == {"odd sizes v. 1.0": 4, "two": 2, "three": 2}  # of the first few
