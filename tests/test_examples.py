"""The examples, each run the way its user would run it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_rnnequiv import LSTM, Bidirectional, Dense, Spec, diagnose, judge
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.strategies.architectures import _candidates
from pytest_rnnequiv.strategies.codes import Style

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = ("--rnn-equiv", "--rnn-equiv-profile", "quick")

#: pytester gives its runs another home folder, in which rustup finds no compiler.
RUSTUP = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))

needs_compiler = pytest.mark.skipif(
    sys.platform == "win32" or not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="needs a C compiler"
)
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs torch, which is not installed"
)


@pytest.fixture
def run(pytester: pytest.Pytester) -> object:
    def run(example: str, *arguments: str) -> pytest.RunResult:
        left = shutil.ignore_patterns(".*", "__pycache__")  # what a run in the folder itself leaves behind
        shutil.copytree(EXAMPLES / example, pytester.path, dirs_exist_ok=True, ignore=left)
        return pytester.runpytest_subprocess(*arguments, timeout=200)

    return run


def test_numpy_loop(run) -> None:
    run("numpy_loop").assert_outcomes(passed=1)
    result = run("numpy_loop", *QUICK, "-k", "recurrence or nan or law_past")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["rnn-equiv: rnn_implementation; profile quick", "*judged by*prefixes*"])


@pytest.mark.tensorflow
def test_notebook() -> None:
    command = [sys.executable, EXAMPLES / "notebook" / "run.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


@needs_compiler
def test_c_port(run) -> None:
    result = run("c_port", "--rnn-equiv-profile", "quick", "-k", "q15 or recurrence or nan")
    result.assert_outcomes(passed=9)  # three of its own, and two checks for each of three ports
    result.stdout.fnmatch_lines(["c_port *", "c_port, fast tanh *", "c_port, LSTM *", "own tests *"])


@needs_compiler
def test_c_port_with_an_undeclared_fast_tanh(run) -> None:
    result = run("c_port", *QUICK, "-k", "recurrence", "--rnn-equiv-impl", "c_port:CPortFastTanhUndeclared")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*told at the end: with a fast tanh: tanh as Lambert's fraction*"])


@needs_compiler
def test_c_lstm_with_gates_in_another_order(run) -> None:
    result = run("c_port", *QUICK, "-k", "recurrence", "--rnn-equiv-impl", "c_port:CLSTMOrderOfONNX")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*told at the end: with its gates taken for i, o, f, c*"])


@needs_torch
def test_torch_port(run) -> None:
    right = run("torch_port", "--rnn-equiv-profile", "quick", "-k", "test_cells or test_recurrence")
    right.assert_outcomes(passed=2)
    both = ("--rnn-equiv-impl", "torch_port:BothBiases", "--rnn-equiv-impl", "torch_port:GatesAsTheyAre")
    wrong = run("torch_port", *QUICK, "-k", "recurrence", *both)
    wrong.assert_outcomes(failed=2)
    wrong.stdout.fnmatch_lines(["*with the bias `bh` counted twice*"])
    wrong.stdout.fnmatch_lines(["*with its gates taken for r, z, h*"])


@needs_torch
def test_torch_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES / "torch_port"))
    port = importlib.import_module("torch_network").TorchNetwork()
    supports = port.supports
    specs = [spec for spec, _ in _candidates(Style.of(**supports.drawn(), max_layers=3, max_units=5), 0, 90)]
    drawn = [rnn.generic_case(spec, 3, 5, seed=seed) for seed, spec in enumerate(specs) if supports.takes(spec)]
    cases = [case for case in map(supports.padded, drawn) if port.accepts(case)]
    assert set().union(*(case.spec.options for case in cases)) >= {*supports.options} - {"use_bias", "return_sequences"}
    verdicts = [judge(case, port.run(case)) for case in cases]
    assert not any(verdict.different for verdict in verdicts)
    assert sum(verdict.equivalent for verdict in verdicts) > 0.9 * len(cases) > 30


@needs_torch
@pytest.mark.tensorflow
def test_torch_to_keras(run) -> None:
    run("torch_port", "-k", "to_keras").assert_outcomes(passed=2)


@pytest.mark.tensorflow
def test_tf1_checkpoint(run) -> None:
    run("tf1_checkpoint").assert_outcomes(passed=3)


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_javascript_port(run) -> None:
    result = run("javascript_port", *QUICK, "-k", "cells or nan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["judged by induction*"])


def test_tfjs_port(run) -> None:
    node = shutil.which("node")
    found = node and subprocess.run([node, "-e", "require.resolve('@tensorflow/tfjs')"], capture_output=True).returncode
    if found != 0:
        pytest.skip("needs node and @tensorflow/tfjs, on NODE_PATH")
    result = run("tfjs_port", *QUICK, "-k", "cells or nan or initial_state")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["judged by induction*"])


@pytest.mark.skipif(not shutil.which("cc"), reason="needs cc")
def test_c_program(run) -> None:
    result = run("c_program", *QUICK, "-k", "equal_sizes or nan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["rnn.c *", "judged by prefixes*"])


@pytest.mark.skipif(not shutil.which("rustc"), reason="needs rustc")
def test_rust_port(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTUP_HOME", RUSTUP)
    result = run("rust_port", *QUICK, "-k", "recurrence or nan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["judged by prefixes*"])


def test_network_port(run) -> None:
    result = run("network_port", "--rnn-equiv-profile", "quick", "-k", "test_cells or test_networks")
    result.assert_outcomes(passed=2)


def test_wrong_network_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README says of each is what it is told."""
    folder = EXAMPLES / "network_port"
    monkeypatch.syspath_prepend(str(folder))
    ports = importlib.import_module("network_port")
    table = (folder / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE))
    assert {*told} == {each.__name__ for each in ports.NetworkPort.__subclasses__()}
    ends = Spec(2, Bidirectional(LSTM(2)), Dense(2))
    steps = Spec(2, Bidirectional(LSTM(2, return_sequences=True)), Dense(2))
    models = {"LastStepOfBoth": ends, "NotTurnedBack": steps, "BackwardFirst": steps}
    models["ResetBefore"] = Spec.simple(2, 3, 2, cell="GRU")
    for name, sentence in told.items():
        case = rnn.generic_case(models.get(name, Spec.simple(2, 3, 2, cell="LSTM")), 2, 4)
        assert judge(case, ports.NetworkPort().run(case)).equivalent
        wrong = getattr(ports, name)().run(case)
        assert sentence in [each.says for each in diagnose(case, wrong).explanations], name


def test_int8_port(run) -> None:
    result = run("int8_port", "--rnn-equiv-profile", "quick", "-rs", "-k", "recurrence or nan or large_sizes")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*has weights of its own"])
    wrong = run("int8_port", *QUICK, "-k", "recurrence", "--rnn-equiv-impl", "int8_port:WrongScale")
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(["int8, wrong scale is wrong: it is not the recurrence*", "*times its bound"])


def test_step_port(run) -> None:
    result = run("step_port", *QUICK, "-k", "recurrence or nan")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["judged by induction*"])


def test_wrong_ports(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the README says of each is what it is told."""
    monkeypatch.setenv("COLUMNS", "250")
    table = (EXAMPLES / "wrong_ports" / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", table, re.MULTILINE))
    files = {path.stem for path in (EXAMPLES / "wrong_ports").glob("*.py")}
    assert {name.partition(":")[0] for name in told} == files
    named = [argument for name in told for argument in ("--rnn-equiv-impl", name)]
    result = run("wrong_ports", *QUICK, "-k", "equal_sizes", *named)  # which looks for no smaller case
    result.assert_outcomes(failed=len(told))
    summary = dict(
        re.findall(r"^FAILED rnn_equiv.py::test_equal_sizes\[(.+?)\] - (.+)$", result.stdout.str(), re.MULTILINE)
    )
    for name, sentence in told.items():
        assert summary[name].startswith(sentence), name
