"""The table of faults: ports that misbehave, each of which ends in a sentence that says so, and the run goes on.

The ports are in `ports/misbehaving.py`, each with what is told of it, and that file prints the table.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ports.misbehaving import APART, FAULTS, FORKED, FRESH, HERE, Fault
from samples import generic

from pytest_rnnequiv import Declined, EquivalenceError
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.runner import PortFailure
from pytest_rnnequiv.model.trajectory import BadAnswer

PORTS = Path(__file__).parents[1] / "ports" / "misbehaving.py"
CASES = [generic(seed, N=4, K=3) for seed in range(3)]

here_or_linux = {
    HERE: (),
    FORKED: pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is safe on Linux only"),
    FRESH: pytest.mark.skipif(sys.platform == "win32", reason="Windows names other signals, and has no fork"),
}


def made(name: str, fault: Fault, way: str) -> Port:
    if way == FRESH:
        return Port.from_path(f"ports.misbehaving:{name}")
    return Port(fault.port, isolated=way == FORKED)


def what_comes_of(name: str, fault: Fault, way: str) -> str:
    """Run a port on some cases, and return the sentence in which that ends; empty if it is right."""
    port = None
    try:
        port = made(name, fault, way)
        for case in CASES:
            verdict = port.observe(case).judge(port.precision)
            if not verdict.equivalent:
                return str(EquivalenceError(case, verdict, precision=port.precision, name=port.name))[:1000]
    except Declined as declined:
        return f"declined: {declined}"
    except (ImplementationError, PortFailure, BadAnswer) as error:
        return str(error)
    finally:
        if port is not None:
            port.close()
    return ""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """See that nothing of a port is left in this process."""
    folder, errors, fpe = os.getcwd(), (sys.stdout, sys.stderr), np.geterr()
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert os.getcwd() == folder
    assert (sys.stdout, sys.stderr) == errors
    assert np.geterr() == fpe
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    if hasattr(signal, "getitimer"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        pytest.param(name, way, marks=here_or_linux[way], id=f"{name}-{way}")
        for name, fault in FAULTS.items()
        for way in fault.ways
        if hasattr(os, "fork") or fault.ways != APART
    ],
)
def test_what_is_told_of_each(name: str, way: str) -> None:
    fault = FAULTS[name]
    said = what_comes_of(name, fault, way)
    assert fault.told in said if fault.told else not said, said
    assert len(said) < 1500
    assert all(character.isprintable() or character == "\n" for character in said)


def test_the_name_of_a_port_is_one_line_that_can_be_seen() -> None:
    name = Port(FAULTS["NameInRed"].port).name
    assert name.startswith(r"\x1b[31mfirm ware xxxxx")
    assert name.isprintable()
    assert len(name) < 120


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    shutil.copy(PORTS, pytester.path)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    return pytester


def check(project: pytest.Pytester, *names: str, only: str = "recurrence") -> pytest.RunResult:
    named = [argument for name in names for argument in ("--rnn-equiv-impl", f"misbehaving:{name}")]
    return project.runpytest_subprocess("--rnn-equiv", "-k", only, *named, timeout=200)


#: Some of each kind, all the way to the report.
REPORTED = (
    "raises_in_red",
    "one_axis_more",
    "waits",
)
DEADLY = ("exits", "segfaults", "HangsInC")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names other signals")
def test_each_ends_in_its_sentence_and_the_run_goes_on(project: pytest.Pytester) -> None:
    names = (*REPORTED, *DEADLY)
    result = check(project, *names, "not_deterministic", "right")
    result.assert_outcomes(failed=len(names) + 1, passed=1)
    text = result.stdout.str()
    flat = " ".join(text.split())  # lines are wrapped
    for name in names:
        assert f"VERDICT misbehaving:{name} is wrong: it " in flat
        assert " ".join(FAULTS[name].told.split()) in flat, name
    assert "asked the same twice, it gives two answers" in text
    assert len(text) < 100_000
    assert "\x1b[2J" not in text


def test_odd_looking_ports_are_right(project: pytest.Pytester) -> None:
    names = ("OwnBuffer", "Slow", "HasAPool") if hasattr(os, "fork") else ("OwnBuffer", "Slow")
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
    named = ("--rnn-equiv-impl", "broken:run", "--rnn-equiv-impl", "misbehaving:none")
    result = project.runpytest_subprocess("--rnn-equiv", "-k", "notebook", *named)
    result.stdout.fnmatch_lines(["*importing broken failed: ModuleNotFoundError: No module named 'no_such_library'*"])
    result.stdout.fnmatch_lines(["implementation 'misbehaving:none': misbehaving has no attribute 'none'; it has *"])
    result.stdout.no_fnmatch_line("*During handling*")
