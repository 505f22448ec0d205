"""One verdict for each implementation, in runs of the packaged suite."""

from __future__ import annotations

import re
import textwrap

import pytest

# Loaded before the runs within this process, which would forget what they load (see conftest.py).
import pytest_rnnequiv.plugin.report.evidence
import pytest_rnnequiv.plugin.suite_items  # noqa: F401
from pytest_rnnequiv.suite.registry import PROFILES

PORTS = """
import numpy as np
from pytest_rnnequiv import Declined, Supports

def rnn(case, Wh, bh, act=np.tanh, x=None):
    x = case.x if x is None else x
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = act(x[:, t] @ case.Wx + h @ Wh + bh).astype(np.float32)
    return h @ case.Wo + case.bo

def transposed(case):
    return rnn(case, case.Wh.T, case.bh)

def no_bias(case):
    return rnn(case, case.Wh, 0)

def transposed_and_clamped(case):
    return rnn(case, case.Wh.T, case.bh, x=np.nan_to_num(case.x))

def raises(case):
    if (case.D, case.M, case.K) == (3, 5, 2):
        return rnn(case, case.Wh, case.bh)
    raise ValueError(f"no room for {case.x.shape}")

def of_its_own(case):
    return rnn(case, case.Wh, case.bh, lambda a: np.tanh(a) * (1 + 0.01 * np.sin(9 * a)))

def lstm(case):  # and does not say so
    h = c = np.zeros((case.N, case.M))
    for t in range(case.T):
        i, f, g, o = np.split(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh, 4, 1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    return h @ case.Wo + case.bo

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": lambda a: np.maximum(a, 0),
    "softsign": lambda a: np.tanh(a),
}

class Several:
    supports = Supports(activations=tuple(ACTIVATIONS))

    def run(self, case):
        return rnn(case, case.Wh, case.bh, ACTIVATIONS[case.spec.activation.name])
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("COLUMNS", "80")
    # What a check finds is not to be a matter of how busy the machine is: it ends when enough was seen.
    monkeypatch.setitem(PROFILES, "quick", PROFILES["quick"]._replace(seconds=600.0))
    pytester.makepyfile(ported=PORTS)
    return pytester


def verdict(project: pytest.Pytester, checks: str, *arguments: str, ports: str = "transposed") -> pytest.RunResult:
    asked = [each for port in ports.split() for each in ("--rnn-equiv-impl", f"ported.py:{port}")]
    return project.runpytest_inprocess("--rnn-equiv-profile=quick", "-k", checks, *asked, *arguments)


def sentence(result: pytest.RunResult, which: int = 0) -> str:
    """What the short summary ends with, unwrapped."""
    text = result.stdout.str()
    found = re.findall(r"^VERDICT .*(?:\n  .*)*", text[text.index("short test summary") :], re.MULTILINE)
    return " ".join(found[which].split())


def test_several_implementations_have_a_verdict_each(project: pytest.Pytester) -> None:
    result = verdict(project, "notebook or nan", ports="transposed no_bias")
    result.assert_outcomes(failed=3, passed=1)  # the notebook's biases are zeros
    assert sentence(result, 0) == (
        "VERDICT ported:transposed is wrong: it is the recurrence with `Wh` transposed (2 failing checks)"
    )
    assert "ported:no_bias is wrong: it is the recurrence without the bias `bh`" in sentence(result, 1)
    result.stdout.fnmatch_lines(["*what is wrong with ported:transposed*", "*what is wrong with ported:no_bias*"])
    assert result.stdout.str().count("usual cause") == 2


def test_two_reasons_are_told_as_two(project: pytest.Pytester) -> None:
    """And a reason is no excuse for what it does not explain."""
    result = verdict(project, "notebook or nan", ports="transposed_and_clamped")
    result.assert_outcomes(failed=2)
    assert "is wrong in 2 ways: (1) it is the recurrence with `Wh` transposed; (2) it is not" in sentence(result)
    result.stdout.fnmatch_lines(["(1) It is the recurrence with `Wh` transposed.", "(2) It is not the recurrence*"])


def test_an_exception_is_one_reason(project: pytest.Pytester) -> None:
    result = verdict(project, "notebook or nan or samples_are", "-q", ports="raises")
    assert "gives no answer that can be judged: the port raised ValueError: no room for" in sentence(result)
    assert "(3 failing checks)" in sentence(result)
    result.stdout.fnmatch_lines(["*what is wrong with ported:raises*"])
    text = " ".join(result.stdout.str().split())
    assert re.search(r"ported:raises raised in \d+ of \d+ cases, such as SimpleRNN\(D=\d+, .*?\), N=\d+, T=\d+", text)
    assert "run.supports = Supports(N=(1, 8), T=10, D=3, M=5, K=2)" in text


def test_an_lstm_that_does_not_say_so_is_told_what_to_declare(project: pytest.Pytester) -> None:
    result = verdict(project, "notebook", ports="lstm")
    assert sentence(result).endswith("in split; it is right as LSTM (1 failing check)")
    text = " ".join(result.stdout.str().split())
    declared = 'right as LSTM; if that is meant, declare supports = Supports(cells=("LSTM",))'
    assert f"probed {declared}" in text
    assert f"ported:lstm is {declared}, after from pytest_rnnequiv import Supports. A class has supports" in text
    assert "If it takes some sizes only" not in text


def test_what_nothing_explains_takes_the_laws_along(project: pytest.Pytester) -> None:
    result = verdict(project, "equal_sizes or unread_units or bias_is or signs", ports="of_its_own")
    assert sentence(result).startswith("VERDICT ported:of_its_own is wrong: it is not the recurrence, and no mistake")


def test_each_activation_has_its_reason(project: pytest.Pytester) -> None:
    for _ in ("first", "again"):  # what Hypothesis remembers to have failed is one of them
        result = verdict(project, "activations", ports="Several")
        result.assert_outcomes(failed=1)
        assert "ported:Several is wrong in 2 ways" in sentence(result)
        text = result.stdout.str()
        assert "activation=sigmoid" in text
        assert "activation=softsign" in text
        assert "activation=relu" not in text


def test_verbose_shows_each_failure_whole(project: pytest.Pytester) -> None:
    text = verdict(project, "notebook or nan", "-v").stdout.str()
    assert text.count("EquivalenceError: ported:transposed is not the recurrence") == 2
    assert text.count("usual cause") == 3
    assert "told at the end" not in text


def test_the_first_failure_alone(project: pytest.Pytester) -> None:
    result = verdict(project, "notebook or nan", "-x", "--tb=short")
    result.assert_outcomes(failed=1)
    assert sentence(result).endswith("(1 failing check)")
    result = verdict(project, "notebook or nan", "--lf")
    result.assert_outcomes(failed=1)
    assert sentence(result).endswith("(1 failing check)")


def test_known_failures_are_in_no_story(project: pytest.Pytester) -> None:
    known = "nan[ported:transposed]: not yet"
    result = verdict(project, "notebook or nan", "--rnn-equiv-known-failures", known)
    result.assert_outcomes(failed=1, xfailed=1)
    assert sentence(result).endswith("(1 failing check)")
    assert "nan (" not in result.stdout.str().split("what is wrong with")[1]


def test_a_right_port_has_none(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--rnn-equiv-impl=numpy", "-k", "notebook")
    result.assert_outcomes(passed=1)
    assert "VERDICT" not in result.stdout.str()


def test_a_class_tells_what_is_wrong_and_what_cannot_be_loaded_once(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_port=textwrap.dedent("""
        import ported
        from pytest_rnnequiv import EquivalenceSuite

        class TestWrong(EquivalenceSuite):
            def run(self, case):
                return ported.no_bias(case)

        class TestNowhere(EquivalenceSuite):
            implementation = "nowhere:run"
        """)
    )
    result = project.runpytest_subprocess("-k", "equal_sizes or nan")
    result.assert_outcomes(failed=2, errors=1, skipped=1)
    assert "TestWrong is wrong: it is the recurrence without the bias `bh` (2 failing checks)" in sentence(result)
    # pytest's own short summary says it again, whole where the variable CI is set.
    told = [line for line in result.outlines if "importing nowhere failed" in line and not line.startswith("ERROR ")]
    assert len(told) == 1


def test_where_nothing_is_wrong_nothing_is_said(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--rnn-equiv-impl=numpy", "--rnn-equiv-profile=quick", "-k", "notebook")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*shows each failure whole*")
