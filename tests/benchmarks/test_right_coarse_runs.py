"""The benchmark of right coarse runs: a sitting, and what is kept of it however it ends."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "right_coarse_runs.py"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    if not FILE.exists():
        pytest.skip("the benchmarks are not here")
    spec = importlib.util.spec_from_file_location("right_coarse_runs", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["right_coarse_runs"] = module
    spec.loader.exec_module(module)
    return module


def test_a_sitting_is_kept_and_read_again(benchmark: Any, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "kept.jsonl"
    one = benchmark.sit((7, "q7"))
    assert one.counts.total() == benchmark.TOGETHER
    assert not one.counts["different"]
    kept = benchmark.Kept(file)
    kept.add(one)
    kept.add(benchmark.Sitting("q15", "ordinary", 8, one.counts, worst=2.0, told=["DIFFERENT by proof"]))
    with file.open("a") as lines:
        lines.write('{"kind": "q15", "char')  # as a kill leaves it
    again = benchmark.Kept(file)
    assert again.seeds == {7, 8}
    assert again.runs == kept.runs == 2 * benchmark.TOGETHER
    assert again.rows["q15"].worst == 2.0
    assert capsys.readouterr().out.count("DIFFERENT by proof") == 2  # when it came, and when it was read again


def test_runs_of_a_pack_are_judged_as_each_by_itself(benchmark: Any) -> None:
    import numpy as np

    make, cell = benchmark.KINDS["q15, cut"]
    rng = np.random.default_rng(3)
    port = make(rng)
    cases = next(benchmark.alike(rng, cell, "ordinary", "float32"))
    together = [verdict for *_, verdict in benchmark.judged(port, cases)]
    alone = [next(benchmark.judged(port, [case]))[3] for case in cases]
    assert [(v.status, v.error_over_bound) for v in together] == [(v.status, v.error_over_bound) for v in alone]
