"""The seam for cells: a cell of a test's own, with a gate, a second activation and a state that nobody sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from pytest_rnnequiv import RNN, Bidirectional, Case, Dense, Precision, Spec, Trajectory, diagnose, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import activation
from pytest_rnnequiv.cells.cell import Cell
from pytest_rnnequiv.judging.observing import observe
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE

SIGMOID = activation("sigmoid")


class Leaky(Cell):
    """``u_t = sigmoid(x Wu + h Vu + bu)``, ``c_t = (1-a) c_{t-1} + a u_t``, ``h_t = c_t act(x Wc + h Vc + bc)``."""

    name = "Leaky"
    gates = ("u", "c")
    states = ("h", "c")

    def __init__(self, a: float = 0.25) -> None:
        self.a = a

    def step(self, x: Any, states: tuple[Any, ...], w: Any, act: Any) -> tuple[Any, ...]:
        h, c = states
        M = w.Wh.shape[0]
        total = x @ w.Wx + h @ w.Wh + w.bh
        c = c * (1 - self.a) + SIGMOID(total[..., :M]) * self.a
        return c * act(total[..., M:]), c


SPEC = Spec.simple(3, 4, 2, cell=Leaky())


def filled(spec: Spec, seed: int = 0, N: int = 3, T: int = 5, **given_: Any) -> Case:
    return rnn.generic_case(spec, N, T, seed=1 + seed, **given_)


def test_the_law_counts_its_gates() -> None:
    M, D, K = 4, 3, 2
    assert SPEC.param_count == 2 * M * (D + M + 1) + K * (M + 1)
    assert [tuple(a.shape) for a in filled(SPEC).weights] == [(3, 8), (4, 8), (8,), (4, 2), (2,)]


def test_the_recurrence_is_what_one_would_write() -> None:
    case = filled(SPEC)
    h, c = np.zeros((2, 3, 4))
    for t in range(5):
        total = case.x[:, t].astype(float) @ case.Wx + h @ case.Wh + case.bh
        c = 0.75 * c + 0.25 / (1 + np.exp(-total[:, :4]))
        h = c * np.tanh(total[:, 4:])
    np.testing.assert_allclose(reference(case).states[:, -1], h, rtol=1e-12)


@pytest.mark.parametrize("shown", ["states", "every output", "last output"])
@settings(max_examples=25, deadline=None)
@given(case=rnn.cases(spec=SPEC, T=rnn.sizes(max_value=12)))
def test_a_right_run_is_never_different(shown: str, case: Case) -> None:
    run = reference(case, np.float32)
    answer = {
        "states": run,
        "every output": run.outputs,
        "last output": np.asarray(run.outputs)[:, -1],
    }[shown]
    assert not judge(case, answer).different


def test_its_unseen_state_is_enclosed_so_that_a_shown_run_is_proved() -> None:
    for seed in range(20):
        case = filled(SPEC, seed, T=40)
        verdict = judge(case, reference(case, np.float32))
        assert verdict.equivalent
        assert verdict.way == "induction"


def test_prefixes_show_its_state() -> None:
    case = filled(SPEC, T=6)
    seen = observe(lambda asked: np.asarray(reference(asked, np.float32).outputs)[:, -1], case)
    assert seen.judge().way == "prefixes"
    assert seen.judge().equivalent


def test_a_leak_of_another_rate_is_seen() -> None:
    case = filled(SPEC, T=6)
    wrong = reference(case.replace(spec=case.spec.replace(cell=Leaky(0.3))), np.float32)
    assert judge(case, wrong).different


@pytest.mark.parametrize("mistake", [m for m in CATALOGUE if m.group in ("weights", "bias")], ids=str)
def test_mistakes_in_its_weights_are_named(mistake: Any) -> None:
    case = filled(SPEC, T=4)
    if mistake(case) is None:
        pytest.skip("cannot be made here")
    diagnosis = diagnose(case, mistake.run(case), run=mistake.run)
    assert mistake.name in diagnosis.names


def test_it_goes_into_every_architecture() -> None:
    layer = RNN(3, return_sequences=True, return_state=True, cell=Leaky())
    spec = Spec(2, (Bidirectional(layer), RNN((3, 2), "relu", cell=Leaky(0.5), initial_state=True)), Dense(2))
    case = filled(spec, T=4)
    assert len(case.calls[0].states) == 4, "two states of each of two cells"
    run = reference(case, np.float32)
    assert not judge(case, run).different
    assert judge(case, Trajectory(run.outputs)).way == "last output"
    units = case.named_weights["layer0/forward/Wh"]
    wrong = case.with_weights(**{"layer0/forward/Wh": units[:, ::-1]})
    assert judge(case, reference(wrong, np.float32)).different


def test_scales_and_precisions_hold_for_it() -> None:
    case = filled(SPEC, T=5)
    step = 2.0**-8
    p = Precision.float32.quantized(Wx=step, Wh=step, bh=step, Wo=step, bo=step)
    rounded = case.replace(weights=tuple(np.round(w / step) * step for w in case.weights))
    assert not judge(case, reference(rounded, np.float32), p).different
