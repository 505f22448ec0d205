"""``python -m pytest_rnnequiv merge``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_rnnequiv.plugin.report import merging, summary_json


def check(nodeid: str, outcome: str = "passed", cases: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "nodeid": nodeid,
        "outcome": outcome,
        "cases": cases,
        "conclusive": cases - 1,
        "inconclusive": 1,
        "declined": 0,
        "failures": 0,
        "worst_error_over_bound": 0.5,
        "seconds": 1.5,
        "news": {"pair": 3},
        "spent": {"run": 1.0},
        "judged_by": {"induction": cases},
    } | more


def summary(shard: str, checks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    verdict = summary_json.favourable("my_rnn", sum(each["conclusive"] for each in checks), 0)
    implementation = {
        "identity": "my_rnn:run",
        "verdict": verdict,
        "versions": {"my-rnn": "1"},
        "checks": {each["nodeid"].rpartition("::test_")[2]: each for each in checks},
        "coverage": {"a": {"a": 2, "b": 0}} if shard.startswith("1") else {"a": {"b": 3}, "b": {"b": 3}},
        "features": {"tanh": feature("equivalent", 3)},
    }
    return {
        "format": 1,
        "interrupted": False,
        "profile": "quick",
        "shards": [shard],
        "versions": {"pytest-rnnequiv": "0"},
        "platform": "here",
        "implementations": {"my_rnn": implementation | more},
    }


def feature(status: str, equivalent: int) -> dict[str, Any]:
    counts = {"equivalent": equivalent, "inconclusive": 0, "different": 0}
    return {"status": status, **counts, "worst_error_over_bound": 0.25, "known_divergences": []}


ONE = summary("1/2", [check("rnn_equiv.py::test_recurrence"), check("rnn_equiv.py::test_nan")])
TWO = summary("2/2", [check("rnn_equiv.py::test_recurrence", cases=10, worst_error_over_bound=0.75)])


def write(folder: Path, *summaries: dict[str, Any]) -> list[str]:
    places = []
    for number, each in enumerate(summaries):
        (folder / f"{number}").mkdir()
        (folder / f"{number}" / "summary.json").write_text(json.dumps(each), encoding="utf-8")
        places.append(str(folder / f"{number}"))
    return places


def test_what_was_counted_is_added_up() -> None:
    whole = merging.merged([TWO, ONE])
    assert whole["shards"] == ["1/2", "2/2"]
    mine = whole["implementations"]["my_rnn"]
    both = mine["checks"]["recurrence"]
    assert (both["cases"], both["conclusive"], both["seconds"]) == (14, 12, 3.0)
    assert (both["worst_error_over_bound"], both["judged_by"], both["spent"]) == (0.75, {"induction": 14}, {"run": 2.0})
    assert mine["checks"]["nan"] == check("rnn_equiv.py::test_nan")
    assert mine["coverage"] == {"a": {"a": 2, "b": 3}, "b": {"b": 3}}
    assert mine["features"]["tanh"]["equivalent"] == 6
    assert mine["verdict"]["sentence"] == "my_rnn is the recurrence in 15 conclusive cases"


def test_too_few_conclusive_cases_of_all_shards_together_are_too_little() -> None:
    """Each shard by itself says nothing of that: the others may have shown more."""
    ways = {"judged_by": {"last output": 40}, "would_help": {"states": 30}}
    of_one = [check("rnn_equiv.py::test_recurrence", cases=40, undecided={"last output": 30}, conclusive=10, **ways)]
    for least, status in ((0.25, "equivalent"), (0.9, "inconclusive")):
        parts = [summary(shard, of_one) | {"least": least} for shard in ("1/2", "2/2")]
        verdict = merging.merged(parts)["implementations"]["my_rnn"]["verdict"]
        assert verdict["status"] == status
    assert verdict["sentence"] == (
        "too little was shown of my_rnn: 20 of 80 cases are conclusive, and at least 90% have to be "
        "(--rnn-equiv-least). What helps: give the states of every step (return Trajectory(outputs=y, states=h)): "
        "then 80 of 80 cases are conclusive"
    )
    (alone,) = parts[:1]
    assert merging.merged([alone])["implementations"]["my_rnn"]["verdict"]["status"] == "equivalent"


def test_it_is_a_summary_again() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, which is not installed")
    schema = json.loads(Path(summary_json.__file__).with_name("summary.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(merging.merged([ONE, TWO]))


def test_one_shard_that_is_wrong_makes_the_whole_wrong() -> None:
    reason = {"names": ["wh-transposed"], "sentence": "Wh is transposed", "usual_cause": "", "case": "", "files": ["f"]}
    reason["checks"] = {"recurrence": 2}  # type: ignore[assignment]
    verdict = {"status": "different", "sentence": "my_rnn: Wh is transposed", "reasons": [reason]}
    wrong = summary("2/2", [check("rnn_equiv.py::test_recurrence", "failed", failures=2)], verdict=verdict)
    third = json.loads(json.dumps(wrong)) | {"shards": ["1/2"]}
    for shards in ([ONE, wrong], [wrong, ONE]):
        mine = merging.merged(shards)["implementations"]["my_rnn"]
        assert mine["verdict"] == verdict
        assert mine["checks"]["recurrence"]["outcome"] == "failed"
    (both,) = merging.merged([third, wrong])["implementations"]["my_rnn"]["verdict"]["reasons"]
    assert (both["checks"], both["files"]) == ({"recurrence": 4}, ["f"])


def test_the_command(tmp_path: Path) -> None:
    places = write(tmp_path, ONE, TWO)
    command = [sys.executable, "-m", "pytest_rnnequiv", "merge", *places, "--output", str(tmp_path / "whole")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "my_rnn is the recurrence in 15 conclusive cases",
        "  1 of 1 pairs of options came together in one layer",
    ]
    assert json.loads((tmp_path / "whole" / "summary.json").read_text(encoding="utf-8")) == merging.merged([ONE, TWO])
    assert json.loads((tmp_path / "whole" / "badge.json").read_text(encoding="utf-8"))["message"] == "equivalent"


def test_a_part_that_is_missing_or_was_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = write(tmp_path, ONE, TWO | {"interrupted": True})
    assert merging.main(["merge", places[0]]) == 1
    assert "missing: shard 2/2" in capsys.readouterr().out
    assert merging.main(["merge", *places]) == 1
    assert "one of them did not come to its end" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (ONE, "there are two of shard 1/2"),
        (TWO | {"profile": "thorough"}, "they differ in profile: quick and thorough"),
        (TWO | {"least": 0.9}, "they differ in least: null and 0.9"),
        (TWO | {"shards": ["2/3"]}, "they are shards of different runs: 1/2, 2/3"),
        ({"format": 1}, "is no summary.json of this version"),
    ],
)
def test_what_cannot_be_added_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, Any], sentence: str
) -> None:
    assert merging.main(["merge", *write(tmp_path, ONE, other)]) == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "summary.json").write_text("no", encoding="utf-8")
    assert merging.main(["merge", str(tmp_path)]) == 2
    assert merging.main(["merge", str(tmp_path / "absent.json")]) == 2
    said = capsys.readouterr().err
    assert "is no JSON" in said
    assert "cannot be read" in said


def test_a_mistake_that_one_shard_would_have_seen_would_have_been_seen() -> None:
    one = summary("1/2", [check("rnn_equiv.py::test_nan")], would_have_seen={"a": False, "b": True})
    two = summary("2/2", [check("rnn_equiv.py::test_recurrence")], would_have_seen={"a": True, "c": False, "b": False})
    whole = merging.merged([one, two])["implementations"]["my_rnn"]
    assert whole["would_have_seen"] == {"a": True, "b": True, "c": False}
