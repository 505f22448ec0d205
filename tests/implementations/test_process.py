"""A port's own process: how it is started, that it never outlives pytest, and that other plugins see into it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no /bin/sleep, and there are no signals")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is safe on Linux only")

#: A port that writes down its process, and that of a child, before it does what it is asked for.
PORT = """
import ctypes, os, signal, subprocess, sys, time
import numpy as np
from pytest_rnnequiv import reference

def write(*pids):
    with open("pids.new", "w") as file:
        file.write(" ".join(map(str, pids)))
    os.replace("pids.new", "pids")

class Answers:
    def run(self, case):
        if not os.path.exists("pids"):
            write(os.getpid(), subprocess.Popen(["sleep", "600"]).pid)
        return self.answer(case)

    def answer(self, case):
        return reference(case, np.float32)

class Hangs(Answers):
    def answer(self, case):
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        while True:
            time.sleep(1)

class HangsInC(Answers):
    def answer(self, case):
        while True:
            ctypes.PyDLL(None).usleep(600_000_000)
"""

PARENT = """
import sys, time
sys.path.insert(0, {tests!r})
import ported
from samples import generic
from pytest_rnnequiv.implementations.runner import Forked, Spawned

runner = Spawned("ported:{name}") if {fresh} else Forked(ported.{name}())
other = Forked(ported.Answers())  # a fork of this process has all that it has open
runner.run(generic())
time.sleep(600)
"""


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
    return not state or state.startswith("Z")


def soon(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def written(folder: Path) -> list[int]:
    """Wait for a port to write down the processes that it consists of."""
    assert soon((folder / "pids").exists, 60)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def all_end(pids: list[int]) -> bool:
    ended = soon(lambda: all(map(gone, pids)))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)
    return ended


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
@pytest.mark.parametrize("name", ["Answers", "Hangs", "HangsInC"])
@pytest.mark.parametrize("fresh", [pytest.param(False, marks=linux, id="forked"), pytest.param(True, id="fresh")])
def test_a_process_ends_with_its_parent(tmp_path: Path, name: str, fresh: bool, how: signal.Signals) -> None:
    (tmp_path / "ported.py").write_text(PORT)
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(tests=str(Path(__file__).parents[1]), name=name, fresh=fresh))
    parent = subprocess.Popen([sys.executable, script], cwd=tmp_path)
    try:
        pids = written(tmp_path)
        assert len(pids) == 2
        parent.send_signal(how)
        parent.wait(30)
    finally:
        parent.kill()
    assert all_end(pids)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(ported=PORT)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    return pytester


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_a_hanging_port_ends_with_pytest(project: pytest.Pytester, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "pytest", "--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "ported:HangsInC"]
    with open(project.path / "out", "w") as out:
        ran = subprocess.Popen(command, cwd=project.path, stdout=out, stderr=out)
        try:
            pids = written(project.path)
            ran.send_signal(how)
            ran.wait(60)
        finally:
            ran.kill()
    assert all_end(pids)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in (project.path / "out").read_text()


def test_what_a_port_has_started_ends_with_the_run(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "ported:Answers")
    result.assert_outcomes(passed=1)
    assert all_end(written(project.path))


#: A script without `if __name__ == "__main__"`.
SCRIPT = """
import sys, pytest
print("the script runs")
sys.exit(pytest.main(["--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "ported:Answers"]))
"""


@pytest.mark.parametrize("way", ["file", "stdin", "-c"])
def test_a_script_without_a_main_guard_runs_once(project: pytest.Pytester, way: str) -> None:
    script = project.makepyfile(run=SCRIPT)
    command = {"file": [str(script)], "stdin": ["-"], "-c": ["-c", SCRIPT]}[way]
    ran = subprocess.run(
        [sys.executable, *command], input=SCRIPT, capture_output=True, text=True, cwd=project.path, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("the script runs") == 1
    assert all_end(written(project.path))


def test_modules_of_the_standard_librarys_names_are_no_danger(project: pytest.Pytester) -> None:
    """What starts the process imports nothing of the folder it is started in."""
    project.makepyprojecttoml('[tool.pytest.ini_options]\nrnn_equiv_profile = "quick"')
    other = project.mkdir("elsewhere")
    for name in ("json", "pickle", "subprocess", "signal"):
        (other / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("pytest")), "--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "numpy"],
        cwd=other,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


# ---- coverage ----

COVERED = """
import numpy as np
from pytest_rnnequiv import reference

def run(case):
    return covered(case)

def covered(case):
    return reference(case, np.float32)

def never():
    return 0
"""


@pytest.mark.parametrize("fixture", [pytest.param(True, marks=linux, id="forked"), pytest.param(False, id="fresh")])
def test_coverage_of_a_port_in_a_process_of_its_own(pytester: pytest.Pytester, fixture: bool) -> None:
    pytest.importorskip("pytest_cov")
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    pytester.makepyfile(mine=COVERED)
    ask = ["--rnn-equiv-impl", "mine:run"]
    if fixture:
        ask = []
        pytester.makeconftest(
            """
            import pytest

            @pytest.fixture(scope="session")
            def rnn_implementation():
                import mine
                return mine.run
            """
        )
    result = pytester.runpytest_subprocess(
        "--rnn-equiv", "-k", "notebook", *ask, "--cov=mine", "--cov-report=term-missing", timeout=120
    )
    result.assert_outcomes(passed=1)
    # only the body of `never` was not run
    result.stdout.re_match_lines([r"mine\.py +8 +1 +88% +11"])
    assert not list(pytester.path.glob(".coverage.*"))


# ---- other plugins ----


def test_pytest_timeout_goes_on_after_a_case_in_its_process(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_timeout")
    pytester.makepyfile(
        """
        import time
        import pytest
        from pytest_rnnequiv.implementations.port import Port
        from pytest_rnnequiv.model.notebook import notebook_case
        from pytest_rnnequiv import reference

        @pytest.mark.timeout(1)
        def test_after():
            Port(reference).run(notebook_case())
            time.sleep(60)

        @pytest.mark.timeout(1)
        def test_within():
            Port(lambda case: time.sleep(60)).run(notebook_case())
        """
    )
    result = pytester.runpytest_subprocess("--timeout-method=signal", timeout=50)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*Timeout (>1.0s) from pytest-timeout*"] * 2)


def test_a_test_that_runs_again_counts_once(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(
        """
        from pytest_rnnequiv import assert_equivalent, reference
        from pytest_rnnequiv.model.notebook import notebook_case

        times = []

        def test_port():
            times.append(1)
            for seed in range(len(times)):
                assert_equivalent(notebook_case(seed), reference(notebook_case(seed)))
            assert len(times) == 3
        """
    )
    result = pytester.runpytest_subprocess("--reruns", "5", "-p", "no:randomly", "--rnn-equiv-report", "report")
    result.stdout.fnmatch_lines(["*1 passed, 2 rerun*"])
    result.stdout.re_match_lines([r".*\b3 +3\b.*"])
    assert '"cases": 3' in (pytester.path / "report" / "summary.json").read_text()
