"""A port that computes on a busy machine is waited for; one that hangs is not."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from samples import generic

from pytest_rnnequiv import Case, judge, reference
from pytest_rnnequiv.implementations import alarm, patience, runner
from pytest_rnnequiv.implementations.patience import BUSIEST, MOST, Patience, computed_here, computed_in_group
from pytest_rnnequiv.implementations.runner import Forked, InProcess, PortFailure

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and /proc, are Linux's")

#: Seconds of a processor that a port has had after so many seconds, and how long it is waited for with a limit of 8 s.
SHARES: dict[str, tuple[Callable[[float], float | None], float]] = {
    "had a processor all the time": (lambda waited: waited, 8.0),
    "asks for none": (lambda waited: 0.0, 8.0),
    "a watchdog of its own ticks": (lambda waited: 0.01 * waited, 8.0),
    "computed, and waits for a lock": (lambda waited: min(waited, 3.0), 9.0),
    "has half of a processor": (lambda waited: 0.5 * waited, 15.0),
    "has a quarter of one": (lambda waited: 0.25 * waited, 29.0),
    "has a tenth of one": (lambda waited: 0.1 * waited, 8 * BUSIEST),
    "was starved, and has now two": (lambda waited: 0.1 * min(waited, 9.0) + 2 * max(0.0, waited - 9.0), 13.0),
    "nothing is known": (lambda waited: None, 8.0),
}


class Clock:
    """A clock that goes on only while somebody waits."""

    now = 0.0

    def waited(self, limit: float, computed: Callable[[float], float | None]) -> float:
        for seconds in Patience(limit, lambda: computed(self.now)).waits():
            self.now += seconds
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(patience.time, "monotonic", lambda: made.now)
    return made


@pytest.mark.parametrize("case", SHARES)
def test_how_long_a_port_is_waited_for(case: str, clock: Clock) -> None:
    computed, expected = SHARES[case]
    assert clock.waited(8.0, computed) == expected


def test_nobody_is_waited_for_much_longer_than_a_long_limit(clock: Clock) -> None:
    assert clock.waited(180.0, lambda waited: 0.1 * waited) == 180.0 + MOST


@on_linux
def test_what_a_group_has_computed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    before = computed_in_group(os.getpgrp())
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    after = computed_in_group(os.getpgrp())
    assert before is not None
    assert after is not None
    assert after >= before + 0.04  # in ticks of 10 ms
    assert computed_in_group(2**30) == 0.0

    def without(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(patience.os, "listdir", without)
    assert computed_in_group(os.getpgrp()) is None


def test_what_this_process_has_computed_is_known() -> None:
    assert 0.0 < (computed_here() or 0.0) <= time.process_time()


class Starved:
    """Takes four times its limit."""

    timeout = first_timeout = 0.3

    def run(self, case: Case) -> Any:
        time.sleep(1.2)
        return reference(case, np.float32)


@pytest.mark.parametrize("make", [InProcess, pytest.param(Forked, marks=on_linux)])
@pytest.mark.parametrize(("share", "waited_for"), [(0.15, True), (0.0, False)])
def test_a_port_is_given_the_time_that_the_machine_took(
    make: Any, share: float, waited_for: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm, "computed_here", lambda: share * time.monotonic())
    monkeypatch.setattr(runner, "computed_in_group", lambda group: share * time.monotonic())
    case, port = generic(), make(Starved())
    try:
        if waited_for:
            assert judge(case, port.run(case)).equivalent
        else:
            with pytest.raises(PortFailure, match="the port hangs: no answer after 0.3 s"):
                port.run(case)
    finally:
        port.close()
