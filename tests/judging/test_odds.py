"""Odds: what is paid, and that no right port comes to much."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_rnnequiv.judging.odds import FALSE_ALARM, MOST, NEAR, RARE, ROOM, SHARES, Odds, bet

distances = st.one_of(st.floats(0, 100), st.just(math.inf))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 1)), min_size=1, max_size=6), distances)
def test_what_a_right_port_is_paid_is_no_more_than_its_stake(common: Any, rare: float) -> None:
    values, weights = map(np.array, zip(*common, strict=True))
    weights = weights / weights.sum()
    mean_square = float(weights @ values**2)
    if mean_square > ROOM**2:  # as large as a right port's may be
        values = values * ROOM / math.sqrt(mean_square)
    paid = sum(p * math.exp(bet([v])) for v, p in zip(values, weights, strict=True))
    assert (1 - RARE) * paid + RARE * math.exp(bet([rare])) <= 1 + 1e-12


def test_samples_of_a_case_count_as_one() -> None:
    assert bet([2.0, 2.0, 2.0]) == bet([2.0])
    assert bet([0.0, 8.0]) < bet([8.0, 8.0])


def test_no_case_decides_alone() -> None:
    odds = Odds()
    for _ in range(8):
        odds.weigh([math.inf])
    assert not odds.exclude(FALSE_ALARM / SHARES)
    odds.weigh([math.inf])
    assert odds.exclude(FALSE_ALARM / SHARES)
    assert odds.worst == math.inf
    assert math.exp(bet([math.inf])) == pytest.approx(MOST / (1 + RARE * (MOST - 1)))


def test_near_cases_take_the_odds_down() -> None:
    odds = Odds()
    odds.weigh([0.5, 0.5])
    assert odds.log < 0
    assert odds.distance == odds.worst == 0.5 <= NEAR


def test_the_odds_pass_a_threshold_as_seldom_as_is_said() -> None:
    # the worst that is allowed: the mean square is all that there is room for, now and then more than one case pays
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(400):
        odds = Odds()
        for _ in range(40):
            rare = rng.random() < RARE
            odds.weigh([math.inf if rare else ROOM * math.sqrt(rng.exponential())])
            if odds.exclude(0.05):
                passed += 1
                break
    assert passed <= 0.05 * 400
