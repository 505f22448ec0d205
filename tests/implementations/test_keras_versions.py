"""The command that tries releases of Keras: its table, and what it says where a release cannot be tried."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from pytest_rnnequiv.divergences.keras import DIVERGENCES, Divergence

FILE = Path(__file__).parents[2] / "benchmarks" / "keras_versions.py"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the benchmarks are not here")

ENTRIES = [
    Divergence("one", "says", "instead", lambda spec: False, smallest=lambda: None, until="3.4.1"),  # type: ignore[return-value]
    Divergence("two", "says", "instead", lambda spec: False, demonstration=lambda keras: None),
]


@pytest.fixture(scope="module")
def versions():
    spec = util.spec_from_file_location("keras_versions", FILE)
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("ways", "text"),
    [
        ({"": "raises"}, "raises"),
        ({"keras-graph": "wrong", "keras-call": "wrong"}, "wrong"),
        ({"keras-graph": "wrong", "keras-call": "right", "keras-predict": "wrong"}, "wrong (graph, predict)"),
        ({"keras-graph": "raises", "keras-call": "wrong"}, "raises (graph), wrong (call)"),
    ],
)
def test_a_cell(versions, ways, text):
    assert versions.cell(ways) == text


def test_the_table(versions):
    ways = dict.fromkeys(("keras-graph", "keras-call", "keras-predict"), "wrong")
    right = dict.fromkeys(ways, "right")
    tried = [
        versions.Tried("3.0.5", problem="it cannot be imported"),
        versions.Tried("3.1.1", {"one": ways, "two": {"": "wrong"}}, {"passed": 3, "failed": 1}, ["test_a[b]"]),
        versions.Tried("3.4.1", {"one": right, "two": {"": "wrong"}}, {"xfailed": 2, "passed": 3}),
    ]
    assert versions.table(tried, ENTRIES).splitlines() == [
        "|  | 3.0.5 | 3.1.1 | 3.4.1 |",
        "|---|---|---|---|",
        "| `one` | (1) | wrong | right |",
        "| `two` | (1) | wrong | wrong |",
        "| the suite | (1) | 3 passed, 1 failed (2) | 2 xfailed, 3 passed |",
        "",
        "(1) Keras 3.0.5: it cannot be imported.",
        "",
        "(2) Keras 3.1.1, failed: test_a[b].",
    ]


def test_the_table_says_where_since_and_until_are_wrong(versions, monkeypatch):
    monkeypatch.setattr(versions, "DIVERGENCES", ENTRIES)
    tried = versions.Tried("3.4.1", {"one": {"keras-call": "wrong"}, "two": {"": "not applicable"}})
    assert versions.disagreeing(tried) == ["one"]
    assert "table of known divergences says: one on 3.4.1." in versions.table([tried], ENTRIES)


def test_junit(versions):
    text = """<testsuites><testsuite>
    <testcase name="test_a"/><testcase name="test_b[x]"><failure/></testcase><testcase name="test_c"><error/></testcase>
    <testcase name="test_d"><skipped type="pytest.xfail"/></testcase>
    <testcase name="test_e"><skipped type="pytest.skip"/></testcase>
    </testsuite></testsuites>"""
    counts = {"passed": 1, "failed": 2, "xfailed": 1, "skipped": 1}
    assert versions.read_junit(text) == (counts, ["test_b[x]", "test_c"])


def test_a_release_that_pip_does_not_find(versions, monkeypatch, tmp_path):
    stderr = (
        "WARNING: Location '/some/where' is ignored\n"
        "ERROR: Could not find a version (from versions: 3.0, 3.1)\n"
        "ERROR: No matching distribution found for keras==9.9.9, see https://host/simple and /home/me/x\n"
    )
    failed = subprocess.CompletedProcess([], 1, "", stderr)
    monkeypatch.setattr(versions.subprocess, "run", lambda *_, **__: failed)
    tried = versions.try_release("9.9.9", tmp_path, None)
    assert tried.problem == (
        "pip could not install keras==9.9.9: No matching distribution found for keras==9.9.9, see ... and ..."
    )
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_installation_leaves_nothing(versions, monkeypatch, tmp_path, capsys):
    def interrupted(command, **_):
        Path(command[-2], "keras").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(versions.subprocess, "run", interrupted)
    assert versions.main(["--versions", "3.1.1", "--cache", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_what_is_installed_is_used_again(versions, monkeypatch, tmp_path):
    def finished(command, **_):
        Path(command[-2], "keras").mkdir(parents=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(versions.subprocess, "run", finished)
    folder = versions.install("3.1.1", tmp_path)
    monkeypatch.setattr(versions.subprocess, "run", None)
    assert versions.install("3.1.1", tmp_path) == folder == tmp_path / "keras-3.1.1"


@pytest.mark.tensorflow
def test_a_release_that_cannot_be_imported(versions, tmp_path, monkeypatch, capsys):
    package = tmp_path / "keras-3.0.5" / "keras"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import no_such_tree\n", encoding="utf-8")
    file = tmp_path / "page.md"
    arguments = ["--versions", "3.0.5", "--cache", str(tmp_path), "--profile", "none", "--write", str(file)]
    assert versions.main(arguments) == 0
    page = file.read_text(encoding="utf-8")
    assert "Keras 3.0.5: it cannot be imported: ModuleNotFoundError: No module named 'no_such_tree'." in page
    assert page.count("| (1) |") == len(DIVERGENCES)
    assert str(tmp_path) not in page
    assert "python benchmarks/keras_versions.py --versions 3.0.5" in page
    assert all(name in page for name in ("Python 3.", "TensorFlow 2.", "NumPy "))
    output = capsys.readouterr()
    assert output.out.split("\n\n", 1)[1] in page
    assert "Keras 3.0.5: installing" in output.err
