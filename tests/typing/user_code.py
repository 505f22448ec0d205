"""What a project writes that uses the plugin: checked by ``mypy --strict``, never run.

The types are those of the installed package (``py.typed``), and nothing here is silenced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from pytest_rnnequiv import (
    Case,
    Dense,
    EquivalenceSuite,
    Precision,
    SimpleRNN,
    Spec,
    Supports,
    Trajectory,
    Verdict,
    assert_equivalent,
    diagnose,
    judge,
    param_count,
    reference,
    strategies,
)

# ---- conftest.py ----


class MyPort:
    """A port as an object that declares what it is."""

    name = "my port"
    precision = Precision.float32
    supports = Supports(M=(1, 64), options=("mask", "initial_state"))

    def run(self, case: Case) -> Trajectory:
        h = np.zeros((case.N, case.M), np.float32)
        states = np.empty((case.N, case.T, case.M), np.float32)
        for t in range(case.T):
            h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
            states[:, t] = h
        return Trajectory(outputs=states[:, -1] @ case.Wo + case.bo, states=states)


@pytest.fixture(scope="session")
def rnn_implementation() -> MyPort:
    return MyPort()


# ---- test_my_rnn.py ----


@given(case=strategies.cases())
def test_my_port(case: Case) -> None:
    assert_equivalent(case, MyPort().run(case))


@given(case=strategies.cases(D=3, M=5, K=2))
def test_outputs_alone_are_enough(case: Case) -> None:
    outputs = MyPort().run(case).outputs
    assert outputs is not None
    assert_equivalent(case, outputs)


@given(case=strategies.cases(spec=strategies.architectures()))
def test_any_architecture(case: Case) -> None:
    assert case.spec.param_count >= 1


def test_a_stack() -> None:
    spec = Spec(3, [SimpleRNN(4, return_sequences=True), SimpleRNN(5, "relu")], Dense(2))
    assert spec.weight_shapes["layer0/Wx"] == (3, 4)


def test_what_a_verdict_says(tmp_path: Path) -> None:
    spec = Spec.simple(3, 5, 2)
    count: int = param_count(3, 5, 2)
    assert spec.param_count == count
    x = np.ones((1, 4, 3), np.float32)
    case = Case(spec, x, np.ones((3, 5)), np.eye(5), np.ones(5), np.ones((5, 2)), np.zeros(2))
    shown: Trajectory = reference(case)
    verdict: Verdict = judge(case, shown)
    equivalent: bool = verdict.equivalent
    error: float = verdict.error_over_bound
    assert equivalent
    assert error <= 1
    found = diagnose(case, shown)
    assert found is None or str(found)
    facts: tuple[str, ...] = diagnose(case, lambda asked: reference(asked).outputs).facts
    also: tuple[str, ...] = diagnose(case, shown, decimals={"outputs": 4}).record_also
    assert not facts
    assert also


class TestMyPort(EquivalenceSuite):
    """The checks as a class of the project's own."""

    def run(self, case: Case) -> Any:
        return MyPort().run(case)
