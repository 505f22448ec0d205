"""A verdict by evidence: what many cases say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from samples import NETWORKS, generic

from pytest_rnnequiv import Case, Precision, Trajectory, judge, reference
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.judging.verdict import Verdict
from pytest_rnnequiv.mistakes.excluding import usual
from pytest_rnnequiv.mistakes.weighing import Balance, Weighed, named, weigh
from pytest_rnnequiv.tally import EVIDENCE

STEP = 0.02
#: Weights on a grid, by a rule that is not told: too wide to prove anything by the last output.
UNTOLD = replace(Precision.float32, radius=dict.fromkeys(("Wx", "Wh", "Wo"), STEP / 2), name="weights on some grid")

OPEN = Verdict("inconclusive", "last output", steps=1)


def run(case: Case) -> Trajectory:
    Wx, Wh, Wo = (np.rint(w / STEP) * STEP for w in (case.Wx, case.Wh, case.Wo))
    h = np.zeros((case.N, case.M))
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ Wx + h @ Wh + case.bh)
    return Trajectory((h @ Wo + case.bo).astype(np.float32))


def case_of(seed: int) -> Case:
    return generic(seed, N=1, T=8, D=3, M=6, K=3, radius=0.9)


@cache
def weighed(change: Callable[[Case], Case] | None = None, cases: int = 18) -> list[Weighed]:
    found = []
    for seed in range(cases):
        case = case_of(seed)
        shown = run(case if change is None else change(case))
        one = weigh(Observation.of(case, shown), UNTOLD)
        assert one is not None
        found.append(one)
    return found


def balance_of(cases: list[Weighed]) -> Balance:
    balance = Balance()
    for one in cases:
        balance.add(one)
    return balance


def transposed(case: Case) -> Case:
    return case.replace(Wh=case.Wh.T)


def nowhere(case: Case) -> Case:
    return case.replace(Wh=case.Wh[:, ::-1] * 1.7 - 0.3, bh=case.bh + 1)


def test_each_case_by_itself_is_inconclusive() -> None:
    case = case_of(0)
    assert judge(case, run(case), UNTOLD).inconclusive
    assert not balance_of(weighed()[:3]).equivalent


def test_a_right_port_is_equivalent_by_evidence() -> None:
    balance = balance_of(weighed())
    assert balance.equivalent
    assert not balance.different
    verdict = balance.verdict(weighed()[0], OPEN)
    assert (verdict.status, verdict.way) == ("equivalent", EVIDENCE)


def test_a_wrong_port_is_different_and_named() -> None:
    balance = balance_of(weighed(transposed))
    assert balance.different
    assert not balance.equivalent
    verdict = balance.verdict(weighed(transposed)[0], OPEN)
    assert (verdict.status, verdict.way) == ("different", EVIDENCE)
    assert "by evidence" in (verdict.problem or "")
    first, *_ = named(balance.kept, UNTOLD)
    assert first.name == "Wh-transposed"
    assert "from the recurrence itself" in str(first)


def test_what_is_far_from_everything_is_different_without_a_name() -> None:
    balance = balance_of(weighed(nowhere))
    assert balance.different
    assert named(balance.kept, UNTOLD) == []


def test_what_comes_again_says_nothing_new() -> None:
    balance = balance_of([weighed(transposed)[0]] * 30)
    assert balance.right.cases == 1
    assert not balance.different


def test_cases_of_one_model_are_told_by_their_inputs() -> None:
    one, other = weighed()[0], weigh(Observation.of(again := case_of(0).replace(x=-case_of(0).x), run(again)), UNTOLD)
    assert other is not None
    for fixed, cases in ((True, 2), (False, 1)):
        balance = Balance(fixed=fixed)
        balance.add(one)
        balance.add(other)
        assert balance.right.cases == cases


def test_a_near_case_of_a_wrong_port_stays_open() -> None:
    balance = balance_of(weighed(transposed))
    assert balance.verdict(weighed()[0], OPEN) is OPEN


def test_a_far_case_of_a_right_port_is_not_equivalent() -> None:
    balance = balance_of(weighed())
    assert balance.verdict(weighed(transposed)[0], OPEN) is OPEN


def test_nan_never_passes() -> None:
    found = []
    for seed in range(12):
        case = case_of(seed)
        shown = np.array(run(case).outputs)
        shown[0, 0] = np.nan
        one = weigh(Observation.of(case, Trajectory(shown)), UNTOLD)
        assert one is not None
        assert not one.near
        found.append(one)
    assert balance_of(found).different


def test_what_tells_nothing_is_no_evidence() -> None:
    blind = replace(UNTOLD, radius=dict.fromkeys(("Wx", "Wh", "Wo", "bh", "bo"), 3.0))
    balance = Balance()
    for seed in range(16):
        case = case_of(seed)
        one = weigh(Observation.of(case, run(case)), blind, balance.asked)
        assert one is not None
        balance.add(one)
    assert not balance.equivalent
    assert not balance.different


def test_states_are_judged_and_not_weighed() -> None:
    case = case_of(0)
    shown: Any = run(case)
    assert weigh(Observation.of(case, Trajectory(shown.outputs, np.zeros((1, 8, 6)))), UNTOLD) is None


@pytest.mark.parametrize("name", NETWORKS)
def test_any_architecture_is_weighed(name: str) -> None:
    case = NETWORKS[name]
    alone = Trajectory.of_calls([Trajectory(call.outputs) for call in reference(case).each_call])
    few = [m for m in usual() if m.name in ("Wh-transposed", "time-reversed")]
    for p in (Precision.bfloat16, Precision.float16_accumulated_in_float32, Precision.dynamic_range_int8(at_least=1)):
        one = weigh(Observation.of(case, alone), p, few)
        if case.spec.two_outputs:
            assert one is None
        else:
            assert one is not None
            assert one.mistakes, p.name
