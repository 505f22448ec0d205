"""The script for a machine with a graphics card, on one that has none: its table, its wheels, what it measures."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not FILE.exists():
        pytest.skip("the benchmarks are not here")
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("gpu", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def summary(folder: Path, **check: Any) -> None:
    (folder / "report").mkdir(parents=True)
    checks = {
        "networks": {"cases": 5, "conclusive": 4, "failures": 0, "worst_error_over_bound": 0.25} | check,
        "nan": {"cases": 2, "conclusive": 2, "failures": 0, "worst_error_over_bound": None},
    }
    whole = {"checks": checks, "versions": {"torch": "9.9", "device": "a card"}, "verdict": {"sentence": "it is"}}
    (folder / "report" / "summary.json").write_text(json.dumps({"implementations": {"torch": whole}}))


def test_a_row_counts_what_the_summary_says(gpu: Any, tmp_path: Path) -> None:
    summary(tmp_path)
    expected = "| torch-cuda | a card | torch 9.9 | 7 | 6 | 1 | 0 | 0.25 | 12 | it is |"
    assert gpu.row("torch-cuda", tmp_path, "exit code 0", 12.3) == expected


def test_a_row_says_what_failed(gpu: Any, tmp_path: Path) -> None:
    summary(tmp_path, failures=3, worst_error_over_bound="infinite")
    expected = "| torch-cuda | a card | torch 9.9 | 7 | 3 | 1 | 3 | inf | 12 | it is (networks) |"
    assert gpu.row("torch-cuda", tmp_path, "exit code 1", 12.3) == expected


def test_a_run_without_a_result_has_a_row(gpu: Any, tmp_path: Path) -> None:
    (tmp_path / "printed.txt").write_text("a\nERROR: no such thing\n")
    row = gpu.row("jax", tmp_path, "exit code 4", 2.0)
    assert row == "| jax | | | | | | | | 2 | no result, exit code 4: ERROR: no such thing |"
    failed: Future[tuple[str, float]] = Future()
    failed.set_exception(OSError("no space"))
    assert gpu.row_of("jax", tmp_path, failed).endswith("| no result: OSError: no space |")


def test_wheels_are_unpacked_that_fit_and_are_missing(gpu: Any, tmp_path: Path) -> None:
    own = f"cp{sys.version_info.major}{sys.version_info.minor}"
    for name in ("absent_one-1.0-py3-none-any", f"absent_two-2.0-{own}-{own}-x", "absent_three-1.0-cp27-cp27m-x"):
        with zipfile.ZipFile(tmp_path / f"{name}.whl", "w") as wheel:
            wheel.writestr(f"{name.partition('-')[0]}.py", "")
    with zipfile.ZipFile(tmp_path / "pytest-1.0-py3-none-any.whl", "w"):
        pass
    into = tmp_path / "packages"
    assert gpu.unpacked(tmp_path, into) == ["absent_one 1.0", "absent_two 2.0"]
    assert {file.name for file in into.iterdir()} == {"absent_one.py", "absent_two.py"}


def test_errors_are_told_in_units_of_round_off(gpu: Any) -> None:
    x = np.array([-1.0, 0.0, 20.0])
    y = np.tanh(x) + np.array([3 * 2.0**-24, 0, 2.0**-23])
    assert gpu.errors("tanh", x, y) == ("tanh: 3.0 u absolute (at -1), 3.9 u relative (at -1), beyond 1 by 2.0 u")


def test_how_factors_are_rounded_is_told(gpu: Any) -> None:
    assert gpu.rounded(np.round(np.array(gpu.FACTORS) * 2**10) / 2**10).endswith("k = 0, 0, 0, 0, 8, 8, 8")


def test_a_page_is_put_between_its_marks(gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "runtimes.md"
    page.write_text("a\n<!-- card -->\nold\n<!-- end of card -->\nb\n")
    monkeypatch.setattr(gpu, "PAGE", page)
    gpu.put("new \\1\n")
    assert page.read_text() == "a\n<!-- card -->\n\nnew \\1\n\n<!-- end of card -->\nb\n"
    page.write_text("nothing")
    with pytest.raises(AssertionError, match="has no place for it"):
        gpu.put("new")


def test_without_a_card_the_page_says_so(gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "card", lambda: "")

    def ran(name: str, budget: float, until: float, folder: Path, packages: Path) -> tuple[str, float]:
        summary(folder)
        return "done", 1.0

    monkeypatch.setattr(gpu, "ran", ran)
    monkeypatch.setattr(gpu, "printed", lambda arguments, until, packages: " ".join(arguments))
    monkeypatch.setattr(gpu, "ON_PROCESSOR", ("numpy",))
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path / "out")])
    gpu.main()
    page = (tmp_path / "out" / "gpu.md").read_text()
    assert page.startswith("not run on a card: no GPU seen, so this is the processor\n")
    assert "| numpy | a card | torch 9.9 | 7 | 6 | 1 | 0 | 0.25 | 1 | it is |" in page
    assert (tmp_path / "out" / "facts.txt").read_text() == "--facts\n--large numpy"
    assert (tmp_path / "out" / "gpu.tar.gz").is_file()
