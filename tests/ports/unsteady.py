"""Ports that are right on the case that a report would show: by itself, now and then, or for a while."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_rnnequiv import Case, reference


def right(case: Case) -> Any:
    return reference(case, np.float32).outputs[:, -1]


def off(case: Case) -> Any:
    return right(case) + np.float32(1)


class MixesUp:
    """Its answers come in another order."""

    def run(self, case: Case) -> Any:
        return right(case)

    def run_many(self, cases: list[Case]) -> Any:
        return [right(case) for case in reversed(cases)]


class Alike(MixesUp):
    """In a batch of several, each answer is off."""

    def run_many(self, cases: list[Case]) -> Any:
        return [right(case) if len(cases) == 1 else off(case) for case in cases]


class NoBatches(Alike):
    """A batch of several comes through the first time only."""

    calls = 0

    def run_many(self, cases: list[Case]) -> Any:
        self.calls += len(cases) > 1
        if self.calls > 1:
            raise RuntimeError("out of handles")
        return super().run_many(cases)


class NowAndThen:
    """Wrong on every second call of a case."""

    calls = 0

    def run(self, case: Case) -> Any:
        self.calls += 1
        return off(case) if self.calls % 2 else right(case)


class Seldom:
    """Wrong on every 37th call."""

    calls = 0

    def run(self, case: Case) -> Any:
        self.calls += 1
        return right(case) if self.calls % 37 else off(case)


class Tires:
    """Wrong from its sixth call on."""

    calls = 0

    def run(self, case: Case) -> Any:
        self.calls += 1
        return right(case) if self.calls < 6 else off(case)


class Breaks:
    """Raises from its sixth call on."""

    calls = 0

    def run(self, case: Case) -> Any:
        self.calls += 1
        if self.calls > 5:
            raise RuntimeError("out of handles")
        return right(case)


class FirstWeights:
    """Keeps the weights of the first case of each shape, as a cache of compiled models may."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}

    def run(self, case: Case) -> Any:
        return right(case.replace(Wx=self.kept.setdefault(case.Wx.shape, case.Wx.copy())))


class AfterAnother:
    """Wrong on a case that is not the one before."""

    before = b""

    def run(self, case: Case) -> Any:
        same = self.before in (b"", case.x.tobytes())
        self.before = case.x.tobytes()
        return right(case) if same else off(case)
