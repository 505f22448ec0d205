"""The benchmark that runs the suite many times: what it reads, and the table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "green_runs.py"


@pytest.fixture(scope="module")
def green_runs() -> Any:
    if not FILE.exists():
        pytest.skip("the benchmarks are not here")
    spec = importlib.util.spec_from_file_location("green_runs", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["green_runs"] = module
    spec.loader.exec_module(module)
    return module


def test_a_summary_is_read(green_runs: Any) -> None:
    checks = {
        "nan": {"nodeid": "rnn_equiv.py::test_nan[a]", "outcome": "passed", "cases": 5, "conclusive": 4},
        "masks": {"nodeid": "rnn_equiv.py::test_masks[a]", "outcome": "failed", "cases": 2, "conclusive": 2},
        "repeats": {"nodeid": "rnn_equiv.py::test_repeats[a]", "outcome": "passed", "cases": 3, "conclusive": 0},
        "known": {"nodeid": "rnn_equiv.py::test_known[a]", "outcome": "xfailed", "cases": 1, "conclusive": 0},
        "float64": {"nodeid": "rnn_equiv.py::test_float64[a]", "outcome": "skipped"},
    }
    run = green_runs.Run("quick", 1, 1, 2.0)
    green_runs.read({"implementations": {"a": {"checks": checks}}}, run)
    assert (run.cases, run.conclusive) == (11, 6)
    assert run.failed == ["rnn_equiv.py::test_masks[a]"]
    assert run.nothing == ["rnn_equiv.py::test_repeats[a]"]


def test_the_table_says_which_were_red(green_runs: Any) -> None:
    runs = [
        green_runs.Run("quick", 1, 0, 10.0, 100, 90),
        green_runs.Run("quick", 2, 1, 20.0, 300, 280, ["x::nan"]),
        green_runs.Run("default", 1, 0, 60.0, 1000, 990, [], ["x::repeats"]),
    ]
    lines = green_runs.table(runs).splitlines()
    assert lines[2] == "| quick | 2 | 1 | 1 | 100, 200, 300 | 90, 185 | 10, 15, 20 | 0 |"
    assert lines[3].startswith("| default | 1 | 1 | 0 |")
    assert "red: x::nan in 1 runs of quick" in lines
    assert "green, and showed nothing: x::repeats in 1 runs of default" in lines
    assert lines[-1] == "seeds of red runs of quick: 2"


def test_a_run_is_made(green_runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder: of an implementation that needs no TensorFlow."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--rnn-equiv-impl=numpy -k nan")
    run = green_runs.run("quick", 3)
    assert run.code == 0
    assert run.conclusive > 0
    assert run.failed == run.nothing == []
