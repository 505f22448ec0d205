"""What the tests share: a light suite which stands in for the packaged one."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from pytest_rnnequiv.plugin import collection

pytest_plugins = ["pytester"]

# Where the tests run in the background, Ctrl-C is ignored, and whatever they start would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Runs within the tests fail on purpose: that is no annotation of ours.
os.environ.pop("GITHUB_ACTIONS", None)

# The tests start hundreds of Pythons and of pytest runs: without compiled files, each would compile, and rewrite the
# assertions of, some 300 modules, which is a third of all their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine is no failure. What else the profile in use says (that of CI, for one) holds.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")

# A run in this process forgets the modules that it was the first to import, while their package goes on to
# hold them as attributes; and Hypothesis takes a second to import. So what all share is imported here.
for module in (
    "hypothesis.internal.observability",
    "numpy",
    "pytest_rnnequiv.plugin.report.terminal",
    "pytest_rnnequiv.tally",
):
    import_module(module)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs TensorFlow where there is none; elsewhere it may not be missing."""
    if item.get_closest_marker("tensorflow") and not (find_spec("tensorflow") and find_spec("keras")):
        pytest.skip("needs TensorFlow and Keras")


FAKE_SUITE = '''
"""Stands in for the packaged suite: checks of the same form, which take no time and need no runtime."""

import pytest

from pytest_rnnequiv import tally

def configure(profile, selfcheck):
    pass


class Verdict:
    status, way, error_over_bound = "equivalent", "induction", 0.5


def record(cases, override, path="graph"):
    counted = tally.current()
    counted.implementation = override if isinstance(override, str) else f"keras-{path}"
    counted.versions = {"fakeruntime": "1.2.3"}
    for _ in range(cases):
        counted.record(Verdict)


@pytest.mark.parametrize("path", ["graph", "eager"])
def test_parameter_law(path, rnn_implementation):
    record(3, rnn_implementation, path)


def test_recurrence(rnn_implementation):
    record(10, rnn_implementation)


class TestShapes:
    def test_last(self, rnn_implementation):
        record(1, rnn_implementation)

    def test_all(self, rnn_implementation):
        record(1, rnn_implementation)
'''

FAKE_PLUGIN = """
import pytest_rnnequiv.plugin.collection

pytest_rnnequiv.plugin.collection.SUITE_MODULE = "fake_checks"
"""


class Project:
    """A downstream project in a directory of its own, with a light suite instead of the packaged one.

    Parameters
    ----------
    pytester
        The directory, and the ways to run pytest in it.
    library
        Where the light suite lies: outside of the project, as an installed package does.
    """

    suite_ids = (
        "rnn_equiv.py::test_parameter_law[graph]",
        "rnn_equiv.py::test_parameter_law[eager]",
        "rnn_equiv.py::test_recurrence",
        "rnn_equiv.py::TestShapes::test_last",
        "rnn_equiv.py::TestShapes::test_all",
    )

    def __init__(self, pytester: pytest.Pytester, library: Path) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.library = library
        self.write_suite(FAKE_SUITE)
        (library / "fake_plugin.py").write_text(FAKE_PLUGIN, encoding="utf-8")

    def write_suite(self, source: str) -> None:
        """Replace the light suite."""
        self.suite = source
        (self.library / "fake_checks.py").write_text(source, encoding="utf-8")

    def write(self, files: dict[str, str]) -> None:
        """Write files, whose names are relative to the project."""
        for name, source in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source), encoding="utf-8")

    def run(self, *args: str) -> pytest.RunResult:
        """Run pytest with the light suite, in this process."""
        return self.pytester.runpytest_inprocess("-p", "fake_plugin", *args)

    @staticmethod
    def unwrapped(result: pytest.RunResult) -> str:
        """Return what a run printed, with lines that were wrapped put together again."""
        return " ".join(result.stdout.str().split())

    def run_apart(self, *args: str) -> pytest.RunResult:
        """Run pytest with the light suite, in a process of its own."""
        return self.pytester.runpytest_subprocess("-p", "fake_plugin", *args)

    def ids(self, *args: str) -> list[str]:
        """Return the node ids that ``pytest --rnn-equiv --collect-only`` lists."""
        result = self.run("--rnn-equiv", "--collect-only", "-q", *args)
        return [line for line in result.outlines if "::" in line]

    def outcomes(self, *args: str) -> dict[str, str]:
        """Run pytest in this process and return what became of each item, in the order of the run."""
        recorder = self.pytester.inline_run("-p", "fake_plugin", *args)
        reports = recorder.getreports("pytest_runtest_logreport")
        return {
            report.nodeid: report.outcome
            for report in reports
            if isinstance(report, pytest.TestReport) and (report.when == "call" or not report.passed)
        }


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """For runs of all checks in this process: what each opens with, and a few drawn examples, are enough."""
    from pytest_rnnequiv.suite.registry import PROFILES

    monkeypatch.setitem(PROFILES, "quick", PROFILES["quick"]._replace(seconds=0.1, factor=0.05))


@pytest.fixture
def project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A downstream project; see `Project`."""
    library = tmp_path_factory.mktemp("library")
    # Another process and the workers of pytest-xdist find it by the environment.
    monkeypatch.setenv("PYTHONPATH", str(library), prepend=os.pathsep)
    monkeypatch.syspath_prepend(library)
    # The fake plugin sets it for good.
    monkeypatch.setattr(collection, "SUITE_MODULE", collection.SUITE_MODULE)
    return Project(pytester, library)
