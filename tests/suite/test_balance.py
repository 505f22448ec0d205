"""The suite's verdicts by evidence: what is counted, what is told, and what came before it was known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from samples import generic

from pytest_rnnequiv import Precision, Trajectory, reference, tally
from pytest_rnnequiv.failures.assertion import EquivalenceError
from pytest_rnnequiv.failures.story import reason
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.judging.verdict import Verdict
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE
from pytest_rnnequiv.mistakes.diagnosis import Diagnosis
from pytest_rnnequiv.mistakes.evidence import Explanation
from pytest_rnnequiv.mistakes.weighing import Balance, Weighed, weigh
from pytest_rnnequiv.suite import balance, verification
from pytest_rnnequiv.tally import EVIDENCE, Tally


class Wide:
    """Weights that may be off by so much that the last output proves nothing."""

    name = "wide"
    precision = Precision.float32.recorded(weights=1)
    wrong = False

    def run(self, case: Any) -> Trajectory:
        h = np.zeros((case.N, case.M))
        for t in range(case.T):
            h = np.tanh(case.x[:, t] @ case.Wx + h @ (case.Wh.T if self.wrong else case.Wh) + case.bh)
        return Trajectory((h @ case.Wo + case.bo).astype(np.float32))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Port:
    """A port whose cases say what the test has them say: near, and far from the mistakes, or far."""
    tally.take()
    port = Port(Wide(), name="wide")

    def weigh(seen: Any, precision: Precision, mistakes: Any) -> Weighed:
        far = np.array([9.0 if port.runner.implementation.wrong else 0.5])
        names = [f"mistake-{k}" for k in range(20)]
        return Weighed(seen, None, far, {name: (50.0, np.array([50.0])) for name in names})  # type: ignore[arg-type]

    monkeypatch.setattr(balance, "weigh", weigh)
    monkeypatch.setattr("pytest_rnnequiv.suite.sight.by_exclusion", lambda seen, verdict, precision: verdict)
    monkeypatch.setattr(verification, "_observe", lambda port, case, first: _plainly(port, case))
    return port


def _plainly(port: Port, case: Any) -> Any:
    return Observation.of(case, port.run(case))


def verify(port: Port, seeds: Any) -> None:
    for seed in seeds:
        verification.verify(port, [generic(seed, N=1, T=8, D=3, M=6, K=2)])


def test_what_was_open_is_settled_once_enough_is_known(port: Port) -> None:
    verify(port, range(4))
    counted = tally.current()
    assert (counted.conclusive, counted.by_evidence) == (0, 0)
    verify(port, range(4, 14))
    assert counted.conclusive == counted.by_evidence == counted.way[EVIDENCE] == counted.cases == 14
    assert not counted.undecided
    assert not counted.would


def test_a_wrong_port_fails_by_evidence(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    port.runner.implementation.wrong = True
    mistake = next(m for m in CATALOGUE if m.name == "Wh-transposed")
    near = Explanation((mistake,), 0, 0, 0, near="it is near")
    monkeypatch.setattr(balance, "named", lambda kept, precision: [near])
    with pytest.raises(EquivalenceError) as failed:
        verify(port, range(60))
    failure = failed.value
    assert (failure.verdict.status, failure.verdict.way) == ("different", EVIDENCE)
    assert 8 < tally.current().cases < 60
    keys, says, _ = reason(failure)
    assert keys == ["Wh-transposed"]
    assert says == [f"is the recurrence {mistake.says}"]
    assert "by evidence" in str(failure)
    assert "it is near" in str(failure)
    assert failure.brief == mistake.says


def test_a_wrong_port_without_a_name(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    port.runner.implementation.wrong = True
    monkeypatch.setattr(balance, "named", lambda kept, precision: [])
    with pytest.raises(EquivalenceError) as failed:
        verify(port, range(60))
    assert "no mistake of the catalogue explains it" in reason(failed.value)[1][0]
    assert "1e" in failed.value.brief


UNTOLD = replace(Precision.float32, radius=dict.fromkeys(("Wx", "Wh", "Wo"), 0.01), name="weights on some grid")


def turned(seed: int, **sizes: Any) -> Observation:
    """A port on weights that may be off a little, with its recurrent kernel transposed, by its last output."""
    case = generic(seed, **{"N": 1, "T": 8, "D": 3, "M": 6, "K": 3, "radius": 0.9, **sizes})
    return Observation.of(case, Trajectory(reference(case.replace(Wh=case.Wh.T)).outputs[:, -1]))


def test_a_case_that_was_made_small_keeps_the_name_of_larger_ones() -> None:
    small = turned(0, T=2, D=1, M=2, K=1)
    none = Diagnosis((), "how it looks")
    larger = [turned(seed) for seed in range(3)]
    kept = [one for seen in larger if (one := weigh(seen, UNTOLD)) is not None]
    assert balance.or_near(none, UNTOLD, kept, [small]).name == "Wh-transposed"
    assert balance.or_near(none, UNTOLD, [], [small, *larger]).name == "Wh-transposed"
    told = Diagnosis((Explanation((CATALOGUE[0],), 1, 1, 0),), "")
    assert balance.or_near(told, UNTOLD, kept, [small]) is told
    assert balance.or_near(none, UNTOLD, [], [small]) is none  # one case tells no name
    assert balance.or_near(none, Precision.float32, kept, [small]) is none


def test_a_failure_that_is_proved_has_what_was_kept(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """The balance of the port is asked, and not that of a check which is over."""
    port.runner.implementation.wrong = True
    verify(port, range(3))
    tally.take()
    assert len(balance.kept_of(port)) == 3
    assert balance.kept_of(Port(Wide(), name="another")) == []


def test_a_settled_case_is_open_no_more() -> None:
    counted = Tally()
    counted.record(Verdict("inconclusive", "last output"))
    counted.would["states"] = 1
    counted.settle("last output", ["states"])
    assert (counted.conclusive, counted.by_evidence, counted.inconclusive) == (1, 1, 0)
    assert counted.way == {EVIDENCE: 1}
    assert counted.undecided == counted.would == {}


def test_a_balance_is_of_one_port() -> None:
    assert Balance().right is not Balance().right
