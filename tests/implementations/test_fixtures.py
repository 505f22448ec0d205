"""The fixtures, as a project meets them."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import Case, Spec, judge
from pytest_rnnequiv.implementations import resolving


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve names without loading a runtime."""
    monkeypatch.setattr(resolving, "resolve", lambda name: SimpleNamespace(asked=name))


@pytest.mark.tensorflow
def test_build_simple_rnn(build_simple_rnn: Any) -> None:
    assert build_simple_rnn().count_params() == 57
    assert build_simple_rnn(T=None, D=1, M=2, K=3, return_sequences=True).output_shape == (None, None, 3)


@pytest.mark.tensorflow
def test_rnn_implementation(rnn_implementation: Any) -> None:
    assert rnn_implementation.name == "keras-graph"
    spec = Spec.simple(1, 1, 1)
    case = Case(spec, np.ones((1, 2, 1)), [[0.5]], [[0.25]], [0.125], [[2.0]], [1.0])
    assert judge(case, rnn_implementation.run(case)).equivalent


def test_they_are_documented(pytester: pytest.Pytester) -> None:
    output = pytester.runpytest_inprocess("--fixtures").stdout
    output.fnmatch_lines(
        [
            "build_simple_rnn [[]session scope[]]*",
            "    A factory of the plain Keras model*",
            "rnn_implementation [[]session scope[]]*",
            "    The implementation that is checked; override it in your ``conftest.py``*",
        ]
    )


@pytest.mark.usefixtures("stub")
def test_the_default(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(rnn_implementation): assert rnn_implementation.asked == 'keras-graph'")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.usefixtures("stub")
def test_names_are_resolved(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("rnn_implementation", ["numpy", "my_rnn:run"], indirect=True)
        def test(rnn_implementation):
            assert rnn_implementation.asked in ("numpy", "my_rnn:run")
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)


@pytest.mark.usefixtures("stub")
def test_it_is_loaded_once_and_when_it_is_used(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(name: str) -> Any:
        asked.append(name)
        return SimpleNamespace(run=lambda case: case)

    monkeypatch.setattr(resolving, "resolve", resolve)
    pytester.makepyfile(test_a="def test(rnn_implementation): pass")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
    assert asked == []
    source = "def test(rnn_implementation): assert rnn_implementation(1) == rnn_implementation.run(1) == 1"
    pytester.makepyfile(test_a=source, test_b=source)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert asked == ["keras-graph"]


def test_a_project_puts_its_own_in_place(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def rnn_implementation():
            return "my own"
        """
    )
    pytester.makepyfile("def test(rnn_implementation): assert rnn_implementation == 'my own'")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_they_import_nothing_heavy() -> None:
    heavy = "{'numpy', 'hypothesis', 'keras', 'tensorflow'}"
    source = f"import sys, pytest_rnnequiv.plugin.fixtures; print({heavy} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, text=True).stdout == "set()\n"
