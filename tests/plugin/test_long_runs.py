"""A long run loses nothing: neither when it is killed, nor when what it would keep cannot be kept."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

PORT = """
import os, time
import numpy as np
from pytest_rnnequiv import Supports, reference

slow, right = "SLOW" in os.environ, "RIGHT" in os.environ

def run(case):
    wrong = case.N not in (1, 2, 3, 5) and not right  # right in every opening: it is found among what is drawn
    with open("calls.txt", "a") as calls:
        calls.write("wrong\\n" if wrong else "right\\n")
    if wrong and slow:
        time.sleep(0.1)  # there is time to be killed
    return reference(case, np.float32).outputs + wrong

run.supports = Supports(T=(1, 3), D=1, M=(1, 2), K=1)
"""
COMMAND = ("--rnn-equiv-impl", "port:run", "--rnn-equiv-profile=quick", "-k", "recurrence", "-p", "no:cacheprovider")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("HYPOTHESIS_STORAGE_DIRECTORY", raising=False)
    monkeypatch.delenv("CI", raising=False)  # Hypothesis keeps nothing there
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]')
    pytester.makepyfile(port=PORT)
    pytester.makeconftest(
        """
        from hypothesis import Phase, settings
        settings.register_profile("found", phases=[Phase.reuse, Phase.generate])
        """
    )
    return pytester


def entries(folder: Path) -> list[Path]:
    return [each for each in (folder / ".hypothesis" / "examples").rglob("*") if each.is_file()]


def shrinking(folder: Path) -> bool:
    """Whether it has failed several times: the database has names of its own to write before the first failure."""
    calls = folder / "calls.txt"
    return bool(entries(folder)) and calls.read_text(encoding="utf-8").count("wrong") > 5


def test_killed_while_shrinking_the_next_run_begins_with_what_failed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW", "1")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *COMMAND, "--rnn-equiv-profile=thorough"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not shrinking(project.path) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert run.poll() is None, "it came to its end before it was killed"
    run.kill()  # SIGKILL
    run.wait()
    monkeypatch.delenv("SLOW")
    (project.path / "calls.txt").unlink()
    project.runpytest_subprocess(*COMMAND, "--hypothesis-profile=found").assert_outcomes(failed=1)
    assert (project.path / "calls.txt").read_text(encoding="utf-8").startswith("wrong")
    # what another version may have left there
    for each in entries(project.path):
        each.write_bytes(b"\xff\x00nonsense")
    monkeypatch.setenv("RIGHT", "1")
    project.runpytest_subprocess(*COMMAND).assert_outcomes(passed=1)


def test_a_database_that_cannot_be_written_is_no_reason_not_to_run(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.path / ".hypothesis").write_text("", encoding="utf-8")
    monkeypatch.setenv("RIGHT", "1")
    project.runpytest_subprocess(*COMMAND).assert_outcomes(passed=1)
