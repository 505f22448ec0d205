"""``--rnn-equiv-budget`` and ``--rnn-equiv-shard``: how long each check of the suite may take, and which part it does.

Each check has a weight: its share of the time. A shard does whole checks; of a check that weighs more than a shard
should, it does a part of the cases. When its turn comes, a check is given its share of what is left of the budget, so
what one check leaves goes to the checks after it. The checks with most to see come last.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Generator

import pytest

from pytest_rnnequiv.plugin.collection import Suite
from pytest_rnnequiv.plugin.settings import Shard
from pytest_rnnequiv.suite.allotment import Allotment, allot
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.registry import FIXED, Check

__all__ = ["Allotting", "divided"]

_LARGE = 2.0
"""From this weight on a check goes on until its time is over; what others leave is for these."""


class Allotting:
    """The plugin that gives checks their parts.

    Parameters
    ----------
    budget : float or None
        Seconds for the whole run, from now on.
    shard : Shard or None
    workers : int
        How many processes of pytest-xdist share the work; 0 without it.
    """

    def __init__(self, budget: float | None, shard: Shard | None, workers: int = 0) -> None:
        self.budget, self.shard, self.workers = budget, shard, workers
        self._began = time.perf_counter()
        self._parts: dict[str, Shard] = {}
        self._todo: dict[str, float] = {}
        self._first: tuple[float, float] | None = None

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return max(0.0, (self.budget or 0.0) - (time.perf_counter() - self._began))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what other shards do; with a budget, put the checks with most to see last (pytest hook)."""
        if self.shard is not None:
            weights = {item.nodeid: _weight(item) for item in items if _is_ours(item)}
            divisible = {item.nodeid for item in items if (check := _check(item)) is not None and check.examples}
            self._parts = divided(weights, self.shard, divisible)
            others = [item for item in items if item.nodeid in weights and item.nodeid not in self._parts]
            if others:
                items[:] = [item for item in items if item not in others]
                config.hook.pytest_deselected(items=others)
        if self.budget is not None:
            ours = iter(sorted(filter(_is_ours, items), key=_last))
            items[:] = [next(ours) if _is_ours(item) else item for item in items]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """See what there is to do (pytest hook)."""
        self._todo = {item.nodeid: _weight(item, self._parts) for item in session.items if _is_ours(item)}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Give a check its part (pytest hook)."""
        if not _is_ours(pyfuncitem):
            return (yield)
        number, of = self._parts.get(pyfuncitem.nodeid, Shard(1, 1))
        allot(Allotment(self._seconds(pyfuncitem), _weight(pyfuncitem) < _LARGE, number, of))
        try:
            return (yield)
        finally:
            allot(Allotment())

    def _seconds(self, item: pytest.Item) -> float | None:
        if self.budget is None:
            return None
        own, left = _weight(item, self._parts), self.left
        self._first = self._first or (left, max(sum(self._todo.values()), own))
        if self.workers:  # nobody knows what the others will take
            seconds, weights = self._first
            return min(left, seconds * min(1.0, self.workers * own / weights))
        behind = sum(self._todo.values()) - self._todo.pop(item.nodeid, own)
        return left * own / (own + behind)


def divided(weights: dict[str, float], shard: Shard, divisible: Collection[str]) -> dict[str, Shard]:
    """Return what a shard does: node ids, and which part of the cases of each.

    What draws cases and weighs more than an N-th of all is in each shard, with an N-th of its cases. The others go, the
    heaviest first, to the shard that has least. It depends on the node ids alone, so it is the same on every machine.
    """
    order = sorted(weights, key=lambda nodeid: (-weights[nodeid], nodeid))
    fair = sum(weights.values()) / shard.of
    parts = {nodeid: shard for nodeid in order if shard.of > 1 and nodeid in divisible and weights[nodeid] > fair}
    loads = [0.0] * shard.of
    for nodeid in order:
        if nodeid not in parts:
            least = min(range(shard.of), key=loads.__getitem__)
            loads[least] += weights[nodeid]
            if least == shard.number - 1:
                parts[nodeid] = Shard(1, 1)
    return parts


def _is_ours(item: pytest.Item) -> bool:
    return item.getparent(Suite) is not None


def _check(item: pytest.Item) -> Check | None:
    return CHECKS.get(getattr(item, "originalname", ""))


def _weight(item: pytest.Item, parts: dict[str, Shard] | None = None) -> float:
    """The weight of an item, or of the part of it that is done here."""
    check, parameters = _check(item), getattr(getattr(item, "callspec", None), "params", {})
    whole = FIXED if check is None else check.weight(str(parameters.get("port", "")))
    return whole / (parts or {}).get(item.nodeid, Shard(1, 1)).of


def _last(item: pytest.Item) -> tuple[bool, float]:
    """Order items by how much there is to see; last those that apply to every implementation and every model."""
    check = _check(item)
    return check is not None and check.everywhere and check.models == "any", _weight(item)
