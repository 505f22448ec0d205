"""Ports of GRU and LSTM written by hand, as users write them: the right ones pass, and a wrong one is named."""

from __future__ import annotations

import pytest

from pytest_rnnequiv.cells import CELLS
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.plugin.settings import CELL_NAMES

GATES = """
import numpy as np
from pytest_rnnequiv import Supports
from pytest_rnnequiv.cells import GRUCell, LSTMCell

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

class Port:
    supports = Supports(cells=(CELL,), options=("initial_state",))

    def run(self, case):
        layer, w = case.spec.layer, case.cell_weights(case.spec.places[0])
        act = layer.activation
        states = [np.zeros((case.N, case.M), np.float32) for _ in case.spec.cell.states]
        if case.calls[0].states:
            states = list(case.calls[0].states)
        shown = []
        for t in range(case.T):
            states = self.step(case.x[:, t], *states, w, act, case.spec.cell)
            shown.append(states[0])
        return np.stack([case.spec.head.activation(h @ case.Wo + case.bo) for h in shown], 1)
"""
LSTM = """
    def step(self, x, h, c, w, act, cell):
        i, f, g, o = np.split(x @ w.Wx + h @ w.Wh + w.bh, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * act(g)
        return [sigmoid(o) * act(c), c]
"""
GRU = """
    def step(self, x, h, w, act, cell):
        bx, bh = w.bh
        a, b = x @ w.Wx + bx, h @ w.Wh + bh
        z, r = (sigmoid(a[:, k * h.shape[1]:(k + 1) * h.shape[1]] + b[:, k * h.shape[1]:(k + 1) * h.shape[1]])
                for k in range(2))
        c = act(a[:, -h.shape[1]:] + r * b[:, -h.shape[1]:])
        return [z * h + (1 - z) * c]
"""
PORTS = {"LSTM": LSTM, "GRU": GRU}
#: name of the mistake -> the cell, what a right port says, and what a wrong one says instead
WRONG = {
    "gates-i-and-f-exchanged": ("LSTM", "i, f, g, o", "f, i, g, o"),
    "update-gate-turned": ("GRU", "z * h + (1 - z) * c", "(1 - z) * h + z * c"),
}


@pytest.fixture
def run(pytester: pytest.Pytester):
    def run(cell: str, old: str = "", new: str = "", *arguments: str) -> pytest.RunResult:
        body = PORTS[cell]
        assert old in body
        pytester.makepyfile(port=GATES.replace("CELL", f"{cell}Cell()") + body.replace(old, new, 1 if old else 0))
        pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
        return pytester.runpytest("--rnn-equiv-impl", "port:Port", *arguments)

    return run


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("cell", PORTS)
def test_a_right_port_passes(run, cell: str) -> None:
    result = run(cell)
    assert result.ret == 0
    assert "failed" not in result.parseoutcomes()
    assert result.parseoutcomes()["passed"] > 10


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_port_is_told_what_is_wrong(run, mistake: str) -> None:
    result = run(*WRONG[mistake], "-k", "recurrence")
    assert result.ret == 1
    assert f"usual cause {by_name(mistake).cause}" in " ".join(result.stdout.str().split())  # it is wrapped


def test_a_port_of_another_cell_is_not_asked_for_simple_rnns(run) -> None:
    result = run("LSTM", "", "", "-k", "notebook", "-rs")
    result.stdout.fnmatch_lines(["*does not know SimpleRNN*"])


def test_the_cells_asked_for_are_those_checked(run) -> None:
    result = run("LSTM", "", "", "--rnn-equiv-cell", "GRU", "-rs")
    assert "passed" not in result.parseoutcomes()
    result.stdout.fnmatch_lines(["*port:Port declares LSTM only, and was to be asked about GRU*"])


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("cell", CELLS)
def test_each_cell_alone_passes(pytester: pytest.Pytester, cell: str) -> None:
    """Every check is green or says why it has nothing to say."""
    arguments = ("--rnn-equiv-impl", "numpy", "--rnn-equiv-profile", "quick")
    outcomes = pytester.runpytest(*arguments, "--rnn-equiv-cell", cell).parseoutcomes()
    assert "failed" not in outcomes
    assert outcomes["passed"] > 15


def test_a_bad_name_is_a_usage_error(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--rnn-equiv-cell", "Elman")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --rnn-equiv-cell: 'Elman' is not a cell; choose some of SimpleRNN, GRU, LSTM."]
    )


def test_the_plugin_knows_all_cells() -> None:
    assert tuple(CELLS) == CELL_NAMES
