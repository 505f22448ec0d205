"""Ports that misbehave: each ends in a sentence that says so, and the run goes on."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

PORTS = Path(__file__).parent / "ports" / "misbehaving.py"

SENTENCES = {
    "raises": "the port raised RuntimeError: the firmware did not answer at misbehaving.py:",
    "returns_none": "the implementation returned None, expected an array of outputs or a Trajectory",
    "wrong_shape": "the outputs have shape (1, ",
    "time_major": "N and T are swapped (time-major?)",
    "objects": "the outputs are an array of Python objects, expected an array of floats",
    "integers": "the outputs have dtype int32, expected floats",
    "empty": "the outputs are empty",
    "not_a_number": "it is NaN",
    "infinite": "it is infinite",
    "writes_into_x": "the port writes into its input `x`",
    "not_deterministic": "asked the same twice, it gives two answers",
}
FATAL = {
    "exits": "the port ended its process with exit code 3",
    "aborts": "the port killed its process: SIGABRT",
    "segfaults": "the port killed its process: SIGSEGV",
    "Hangs": "the port hangs: no answer after 0.3 s",
    "HangsInC": "the port hangs: no answer after 0.3 s",
}


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    shutil.copy(PORTS, pytester.path)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    return pytester


def check(project: pytest.Pytester, *names: str, only: str = "recurrence") -> pytest.RunResult:
    named = [argument for name in names for argument in ("--rnn-equiv-impl", f"misbehaving:{name}")]
    return project.runpytest_subprocess("--rnn-equiv", "-k", only, *named, timeout=120)


def test_each_ends_in_its_sentence(project: pytest.Pytester) -> None:
    result = check(project, *SENTENCES)
    result.assert_outcomes(failed=len(SENTENCES))
    text = result.stdout.str()
    for name, sentence in SENTENCES.items():
        assert f"misbehaving:{name} is not the recurrence" in text
        assert sentence in text, name


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names other signals")
def test_neither_a_hang_nor_a_death_ends_the_run(project: pytest.Pytester) -> None:
    result = check(project, *FATAL, "right")
    result.assert_outcomes(failed=len(FATAL), passed=1)
    text = result.stdout.str()
    for name, sentence in FATAL.items():
        assert sentence in text, name


def test_odd_looking_ports_are_right(project: pytest.Pytester) -> None:
    names = ("lists", "read_only", "not_contiguous", "OwnBuffer", "Slow")
    check(project, *names, only="notebook or repeats").assert_outcomes(passed=2 * len(names))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a fixture's port is forked on Linux only")
def test_a_fixture_may_die_too(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import os, pytest

        @pytest.fixture(scope="session")
        def rnn_implementation():
            def dies(case):
                os._exit(5)
            return dies
        """
    )
    result = project.runpytest_subprocess("--rnn-equiv", "-k", "recurrence or notebook", timeout=60)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*the port ended its process with exit code 5*"])


def test_a_port_that_cannot_be_loaded_is_an_error_of_its_checks(project: pytest.Pytester) -> None:
    project.makepyfile(broken="import no_such_library")
    result = project.runpytest_subprocess("--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "broken:run")
    result.stdout.fnmatch_lines(["*importing broken failed: ModuleNotFoundError: No module named 'no_such_library'*"])
    result = project.runpytest_subprocess("--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "misbehaving:none")
    result.stdout.fnmatch_lines(["implementation 'misbehaving:none': misbehaving has no attribute 'none'"])
    result.stdout.no_fnmatch_line("*During handling*")
