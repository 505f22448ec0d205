"""What a run leaves behind: `summary.json`, and the evidence of each failure."""

from __future__ import annotations

import base64
import errno
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pytest_rnnequiv import Case
from pytest_rnnequiv.plugin.report import Entry, Ledger, badge, evidence, github, page, summary_json
from pytest_rnnequiv.tally import Tally

PORT = """
import numpy as np

def run(case):
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh)
    return h @ case.Wo + case.bo
"""
DIAGNOSIS = "it is the recurrence without the bias `bh`"


INI = """
[tool.pytest.ini_options]
pythonpath = ["."]
rnn_equiv_profile = "quick"
rnn_equiv_impl = ["port:run"]
"""
NAME = "rnn_equiv.py-test_recurrence-port-run"
PLOTS, HTML = (importlib.util.find_spec(name) is not None for name in ("matplotlib", "pytest_html"))


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml(INI)
    pytester.makepyfile(port=PORT)
    return pytester


class Finished(NamedTuple):
    """A run that is over: the directory in which it was, and what it printed."""

    path: Path
    text: str

    def says(self, *lines: str) -> None:
        pytest.LineMatcher(self.text.splitlines()).fnmatch_lines(lines)


def finished(path: Path, *arguments: str) -> Finished:
    """Check three things of the port, of which it has one right, and write all reports that there are."""
    (path / "pyproject.toml").write_text(INI)
    (path / "port.py").write_text(PORT)
    command = [sys.executable, "-m", "pytest", "--rnn-equiv", "-k", "recurrence or equal_sizes or repeats", *arguments]
    plain = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}  # such as -n 2
    done = subprocess.run(
        command, cwd=path, env=plain, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "2 failed, 1 passed" in done.stdout
    return Finished(path, done.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run, of which much can be asked."""
    reports = ("--rnn-equiv-report", "out/here", "--junitxml", "junit.xml")
    html = ("--html", "report.html", "--self-contained-html") if HTML else ()
    return finished(tmp_path_factory.mktemp("run"), *reports, *html)


@pytest.fixture(scope="module")
def run_apart(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The same in another process, without a report."""
    return finished(tmp_path_factory.mktemp("apart"), "-n", "1")


def test_summary_json(run: Finished) -> None:
    summary = json.loads((run.path / "out/here/summary.json").read_text())
    assert summary["profile"] == "quick"
    assert summary["interrupted"] is False
    assert summary["implementations"]["port:run"]["identity"] == "port:run"
    assert summary["versions"].keys() == {"pytest-rnnequiv", "python"}
    checks = summary["implementations"]["port:run"]["checks"]
    assert checks.keys() == {"recurrence", "equal_sizes", "repeats"}
    broken = checks["recurrence"]
    assert broken["outcome"] == "failed"
    assert broken["cases"] == broken["conclusive"] + broken["inconclusive"] > 0
    assert broken["failures"] > 0
    assert broken["worst_error_over_bound"] > 1
    assert broken["seconds"] > 0
    assert sum(broken["judged_by"].values()) == broken["cases"]
    assert checks["repeats"]["failures"] == 0


def test_summary_json_has_the_verdict(run: Finished) -> None:
    verdict = json.loads((run.path / "out/here/summary.json").read_text())["implementations"]["port:run"]["verdict"]
    assert verdict["status"] == "different"
    assert verdict["sentence"] == f"port:run is wrong: {DIAGNOSIS} (2 failing checks)"
    (reason,) = verdict["reasons"]
    assert reason["names"] == ["bh-dropped"]
    assert reason["checks"].keys() == {"recurrence", "equal_sizes"}
    assert reason["case"] == "SimpleRNN(D=1, M=1, K=1), N=1, T=1"
    assert str(Path(f"out/here/failures/{NAME}.py")) in reason["files"]


@pytest.mark.parametrize("where", ["run", "run_apart"])
def test_evidence(where: str, request: pytest.FixtureRequest) -> None:
    """In the report, or in pytest's cache where there is none; however the run is made."""
    run: Finished = request.getfixturevalue(where)
    folder = Path("out/here/failures" if where == "run" else ".pytest_cache/d/rnn_equiv")
    files = {path.name for path in (run.path / folder).iterdir()}
    other = NAME.replace("recurrence", "equal_sizes")  # what it explained before is not drawn again
    assert files - {".written"} - {f"{other}.npz", f"{other}.py"} == {f"{NAME}.npz", f"{NAME}.py"} | (
        {f"{NAME}.png"} if PLOTS and where == "run" else set()
    )
    run.says(f"*{folder / NAME}.py", "*the .npz beside it is the case*")
    case = Case.load(run.path / folder / f"{NAME}.npz")
    assert (case.N, case.T, case.M) == (1, 1, 1)
    script = subprocess.run(
        [sys.executable, f"{NAME}.py"], cwd=run.path / folder, capture_output=True, text=True, check=True
    )
    assert f"h = {np.tanh(case.bh.astype(float)).reshape(1, 1).tolist()}" in script.stdout


def test_the_message_teaches(run: Finished) -> None:
    run.says(
        f"port:run is wrong: {DIAGNOSIS}.",
        "  usual cause *",
        "  evidence     2 checks fail so, in * cases: recurrence (*), equal_sizes (*",
        "  smallest     SimpleRNN(D=1, M=1, K=1), N=1, T=1, by the check recurrence",
        "  first broken state (sample 0, step 0, unit 0)",
        "  got * 0",
        "  expected *+-*",
        "  off by *times its bound",
        "  to see it *",
        "  when mended *--lf*",
        "    import numpy as np",
        "    for t in range(1):",
        "FAILED rnn_equiv.py::test_recurrence[[]port:run[]] - without the bias `bh`",
        f"VERDICT port:run is wrong: {DIAGNOSIS}*",
    )
    text = " ".join(run.text.split())  # it is wrapped
    assert re.search(r"With the mistake made on purpose (\d+) of \1 steps are within their bound, without it \d+", text)
    assert f"VERDICT port:run is wrong: {DIAGNOSIS} (2 failing checks)" in text


@pytest.mark.parametrize("where", ["run", "run_apart"])
def test_it_is_told_once_and_pointed_to(where: str, request: pytest.FixtureRequest) -> None:
    run: Finished = request.getfixturevalue(where)
    run.says(
        "_* test_recurrence[[]port:run[]] _*",
        "told at the end: without the bias `bh`",
        "_* test_equal_sizes[[]port:run[]] _*",
        "told at the end: without the bias `bh`",
        "=* rnn-equiv =*",
        "=* rnn-equiv: what is wrong with port:run =*",
        "=* short test summary info =*",
    )
    assert run.text.count("usual cause") == 1
    lines = run.text.splitlines()
    story = lines[lines.index(f"port:run is wrong: {DIAGNOSIS}.") : lines.index("-v shows each failure whole")]
    assert len(story) < 40
    assert max(map(len, story)) <= 80


def test_it_shows_the_message_and_not_our_frames(run: Finished) -> None:
    assert "__tracebackhide__" not in run.text
    assert "def verify" not in run.text


def test_junitxml_has_it_too(run: Finished) -> None:
    tree = ElementTree.parse(run.path / "junit.xml")
    for failure in tree.iter("failure"):
        assert DIAGNOSIS in (failure.text or "")
        assert "import numpy as np" in (failure.text or "")
    suite = next(tree.iter("testsuite"))
    verdicts = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
    assert verdicts["rnn_equiv.verdict[port:run]"] == f"port:run is wrong: {DIAGNOSIS} (2 failing checks)"
    (case,) = (case for case in tree.iter("testcase") if "recurrence" in case.get("name", ""))
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert int(properties["rnn_equiv.failures"] or 0) > 0


@pytest.mark.skipif(not HTML, reason="needs pytest-html")
@pytest.mark.skipif(not PLOTS, reason="needs matplotlib")
def test_pytest_html_shows_the_picture(run: Finished) -> None:
    assert "data:image/png;base64" in (run.path / "report.html").read_text()


@pytest.mark.skipif(not HTML, reason="needs pytest-html")
def test_pytest_html_has_the_verdict_on_top(run: Finished) -> None:
    page = (run.path / "report.html").read_text()
    assert f"<h2>rnn-equiv: port:run is wrong: {DIAGNOSIS} (2 failing checks)</h2>" in page
    assert "usual cause" in page


@pytest.mark.parametrize("style", ["long", "short", "line", "native", "no"])
def test_whatever_the_style_of_tracebacks(project: pytest.Pytester, style: str) -> None:
    result = project.runpytest("--rnn-equiv", "-k", "recurrence", f"--tb={style}")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "INTERNALERROR" not in text
    assert f"VERDICT port:run is wrong: {DIAGNOSIS}" in text
    assert ("usual cause" in text) == (style in ("long", "short", "native"))


def test_a_projects_own_test_leaves_its_case_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import port
        from hypothesis import given
        from pytest_rnnequiv import assert_equivalent, strategies

        @given(case=strategies.cases())
        def test_port(case):
            assert_equivalent(case, port.run(case))
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{DIAGNOSIS}*", "*rnn-equiv: the failing case*"])
    assert list((project.path / ".pytest_cache/d/rnn_equiv").glob("*test_port.npz"))


def test_a_right_port_leaves_no_evidence(project: pytest.Pytester) -> None:
    result = project.runpytest(
        "--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "numpy", "--rnn-equiv-report", "out"
    )
    result.assert_outcomes(passed=1)
    files = {path.name for path in (project.path / "out").iterdir()}
    assert files == {"summary.json", "report.html", "badge.json"}


def test_a_stack_leaves_its_case_and_its_script(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import numpy as np
        from pytest_rnnequiv import Case, Dense, SimpleRNN, Spec, assert_equivalent

        def test_port():
            spec = Spec(2, (SimpleRNN(2, return_sequences=True), SimpleRNN(2)), Dense(1))
            weights = [np.full(shape, 0.5) for shape in spec.weight_shapes.values()]
            assert_equivalent(Case(spec, np.ones((1, 2, 2)), weights=weights), np.zeros((1, 1), np.float32))
        """
    )
    result = pytester.runpytest("-o", "rnn_equiv_report=out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*EquivalenceError: the implementation is not the recurrence on D=2 -> SimpleRNN(2*"])
    (case,) = (pytester.path / "out/failures").glob("*.npz")
    assert Case.load(case).spec.param_count == 2 * (2 * (2 + 2 + 1)) + 3
    (script,) = (pytester.path / "out/failures").glob("*.py")
    compile(script.read_text(), "script", "exec")
    assert {path.suffix for path in script.parent.iterdir()} == {".npz", ".py", ""} | ({".png"} if PLOTS else set())


def test_no_picture_is_drawn_that_nobody_is_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        from pytest_rnnequiv import assert_equivalent
        from pytest_rnnequiv.model.notebook import notebook_case

        def test_port():
            case = notebook_case()
            assert_equivalent(case, case.x[:, 0, :2])

        def test_after_it():
            assert "pytest_rnnequiv.plugin.report.picture" not in sys.modules
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1, passed=1)
    left = {path.suffix for path in (pytester.path / ".pytest_cache/d/rnn_equiv").iterdir()}
    assert left == {".npz", ".py"}


def blocked(path: Path) -> Path:
    """Put a file where a directory should be made: nobody can write there, root neither."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


class TestNothingCanBeWritten:
    """That costs no failure, no table, and no other check."""

    @pytest.fixture
    def project(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
        """A project whose own tests judge two wrong answers, which takes no time."""
        pytester.makepyfile(
            """
            import numpy as np
            import pytest
            from pytest_rnnequiv import Case, Spec, assert_equivalent

            @pytest.mark.parametrize("number", [1, 2])
            def test_port(number):
                case = Case(Spec.simple(1, 1, 1), np.ones((1, 1, 1)), [[1.0]], [[1.0]], [1.0], [[1.0]], [1.0])
                assert_equivalent(case, np.zeros((1, 1), np.float32))
            """
        )
        return pytester

    def failing(self, project: pytest.Pytester, *arguments: str) -> str:
        result = project.runpytest_inprocess(*arguments)
        result.assert_outcomes(failed=2)
        result.stdout.fnmatch_lines(["*EquivalenceError: the implementation is not the recurrence*", "*= rnn-equiv =*"])
        assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
        return result.stdout.str()

    def test_where_the_cache_should_be(self, project: pytest.Pytester) -> None:
        blocked(project.path / ".pytest_cache")
        quiet = ("-W", "ignore::pytest.PytestCacheWarning")  # an error in this project
        assert "it could not be kept: " in self.failing(project, *quiet)

    def test_with_a_disk_that_is_full(self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(self: Case, file: Path) -> None:
            Path(file).write_text("half a ca")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Case, "save", full)
        assert f"it could not be kept: OSError: [Errno {errno.ENOSPC}]" in self.failing(
            project, "-o", "rnn_equiv_report=out"
        )
        assert not list((project.path / "out/failures").glob("*"))  # half a file is worse than none

    @pytest.mark.parametrize("expected", [True, False])
    def test_what_is_known_to_fail_leaves_none(self, project: pytest.Pytester, expected: bool) -> None:
        project.makepyfile(
            f"""
            import numpy as np
            import pytest
            from pytest_rnnequiv import EquivalenceError, Spec, assert_equivalent
            from pytest_rnnequiv.strategies import generic_case

            @pytest.mark.xfail(condition={expected}, reason="known")
            def test_known():
                try:
                    assert_equivalent(generic_case(Spec.simple(2, 3, 2), 1, 2), np.zeros((1, 2)))
                except EquivalenceError as failure:
                    failure.leave_unexplained()
                    raise
            """
        )
        project.runpytest_inprocess("--rnn-equiv-report", "out", "--rnn-equiv-impl", "numpy", "-k", "test_known")
        assert bool(list(project.path.glob("out/failures/*.npz"))) is not expected

    def test_whatever_else_goes_wrong_there(self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> str:
            raise RuntimeError("out of ink")

        monkeypatch.setattr(evidence.EquivalenceError, "script", broken)
        assert "it could not be kept: RuntimeError: out of ink" in self.failing(project)

    @pytest.mark.parametrize("place", ["out", "out/below", "failures"])
    def test_a_report_that_cannot_be_written_is_told_before_anything_runs(
        self, project: pytest.Pytester, place: str
    ) -> None:
        blocked(project.path / ("there/failures" if place == "failures" else "out"))
        given = "there" if place == "failures" else place
        result = project.runpytest_inprocess("--rnn-equiv", "--rnn-equiv-report", given)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: --rnn-equiv-report: *{given} cannot be written: *"])
        assert "test session starts" not in result.stdout.str()

    def test_a_report_that_can_no_longer_be_written(self, project: pytest.Pytester) -> None:
        project.makeconftest(
            """
            import pathlib, shutil

            def pytest_collection_finish(session):
                shutil.rmtree("out")
                pathlib.Path("out").write_text("")
            """
        )
        text = self.failing(project, "-o", "rnn_equiv_report=out")
        assert "\nthe report could not be written: " in text
        assert "it could not be kept: " in text

    def test_the_database_of_hypothesis(self, pytester: pytest.Pytester) -> None:
        blocked(pytester.path / ".hypothesis")
        blocked(pytester.path / ".pytest_cache")
        pytester.makepyfile(port=PORT)
        result = pytester.runpytest_subprocess(
            *("-k", "recurrence or notebook", "--rnn-equiv-profile=quick", "--rnn-equiv-impl=port.py:run")
        )
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["*it could not be kept: *", "*= rnn-equiv =*", f"*{DIAGNOSIS}*"])


class TestOneRunOneReport:
    """What lies in the directory of a report is of the last run."""

    @pytest.fixture
    def project(self, pytester: pytest.Pytester) -> pytest.Pytester:
        pytester.makeini("[pytest]\nrnn_equiv_report = out")
        pytester.makepyfile(
            """
            import os
            import numpy as np
            import pytest
            from pytest_rnnequiv import Case, Spec, assert_equivalent

            @pytest.mark.parametrize("answer", [float(each) for each in os.environ["ANSWERS"].split()])
            def test_port(answer):
                if answer == 5:
                    raise KeyboardInterrupt
                case = Case(Spec.simple(1, 1, 1), np.ones((1, 1, 1)), [[0.0]], [[0.0]], [0.0], [[1.0]], [1.0])
                assert_equivalent(case, np.full((1, 1), answer, np.float32))
            """
        )
        return pytester

    def run(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, answers: str, *arguments: str
    ) -> tuple[bool, list[str]]:
        """Run with these answers, of which 1 is right; return what the summary says, and what evidence there is."""
        monkeypatch.setenv("ANSWERS", answers)
        apart = "5" in answers or (project.path / "conftest.py").exists()  # what ends this process too
        (project.runpytest_subprocess if apart else project.runpytest_inprocess)(*arguments)
        summary = json.loads((project.path / "out/summary.json").read_text())
        return summary["interrupted"], sorted(path.stem[-8:] for path in (project.path / "out").rglob("*.npz"))

    def test_evidence_of_earlier_runs_is_gone(self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.run(project, monkeypatch, "2 3") == (False, ["port-2.0", "port-3.0"])
        assert self.run(project, monkeypatch, "2 1") == (False, ["port-2.0"])
        assert self.run(project, monkeypatch, "1") == (False, [])
        assert not (project.path / "out/failures").exists()

    def test_what_is_the_users_stays(self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run(project, monkeypatch, "2")
        failures = project.path / "out/failures"
        for name in ("notes.npz", "test_mine.py"):
            (failures / name).write_text("")
        self.run(project, monkeypatch, "1")
        assert {path.name for path in failures.iterdir()} - {"__pycache__"} == {"notes.npz", "test_mine.py"}

    def test_it_says_that_the_run_was_interrupted(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.run(project, monkeypatch, "1 5 1")[0]
        assert self.run(project, monkeypatch, "2 1", "-x")[0]
        assert not self.run(project, monkeypatch, "2 1")[0]

    def test_a_run_that_is_killed_has_said_so_before(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.run(project, monkeypatch, "1")
        project.makeconftest("import os\ndef pytest_runtest_setup():\n    os._exit(9)\n")
        assert self.run(project, monkeypatch, "1")[0]


def test_two_of_one_name_are_two_in_the_summary(pytester: pytest.Pytester) -> None:
    ledger = Ledger()
    for identity in ("a:run", "b:run"):
        counted = Tally("firmware", cases=2, conclusive=2)
        nodeid = f"rnn_equiv.py::test_one[{identity}]"
        ledger._entries[nodeid, ""] = Entry(nodeid, "one", 1, "passed", "", counted, identity)
    found = summary_json.summary(ledger, "quick")["implementations"]
    assert {label: each["identity"] for label, each in found.items()} == {
        "firmware (a:run)": "a:run",
        "firmware (b:run)": "b:run",
    }
    assert all(each["checks"]["one"]["declined"] == 0 for each in found.values())


# ---- the schema, the page, the badge, and GitHub's annotations ----


def told_of(*entries: Entry) -> Ledger:
    """A ledger of a run in which this was found."""
    ledger = Ledger()
    for entry in entries:
        ledger._entries[entry.nodeid, ""] = entry
    return ledger


def entry(check: str, identity: str = "port:run", outcome: str = "passed", reason: str = "", **counted: Any) -> Entry:
    tally = Tally(identity, versions={"numpy": "2.0"}, way={"induction": 1}, **counted) if counted else None
    return Entry(f"rnn_equiv.py::test_{check}[{identity}]", check, 1, outcome, reason, tally, identity)


COVERED = {("gru", "gru"): 2, ("gru", "mask"): 0}
ALL_KINDS = (
    entry("recurrence", cases=3, conclusive=2, worst_error_over_bound=0.5, covered=COVERED),
    entry("shapes", cases=1, conclusive=1),
    entry("nan", outcome="failed", cases=1, conclusive=1, failures=1, worst_error_over_bound=np.inf),
    entry("masks", outcome="skipped", reason="it heeds no <mask>"),
    entry("known", outcome="xfailed", reason="keras 3: it is so", cases=1, conclusive=1, worst_error_over_bound=9.0),
    entry("recurrence", "<script>alert(1)</script>", cases=2, mistakes={"bh-dropped": True, "weights-to-int8": False}),
)


@pytest.fixture(scope="module")
def validate() -> Any:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, which is not installed")
    file = Path(summary_json.__file__).with_name("summary.schema.json")
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).validate


class TestSchema:
    def test_a_real_summary_is_as_the_schema_says(self, validate: Any, run: Finished) -> None:
        validate(json.loads((run.path / "out/here/summary.json").read_text()))

    def test_so_is_whatever_may_come(self, validate: Any) -> None:
        ledger = told_of(*ALL_KINDS)
        validate(json.loads(summary_json.text(summary_json.summary(ledger, "quick"))))
        ledger.interrupted = True
        validate(summary_json.summary(ledger, "thorough"))
        validate(summary_json.summary(Ledger(), "default"))

    def test_of_a_coarse_port_it_says_what_would_have_been_seen(self) -> None:
        *_, other = summary_json.summary(told_of(*ALL_KINDS), "quick")["implementations"].values()
        assert other["would_have_seen"] == {"bh-dropped": True, "weights-to-int8": False}

    def test_too_little_is_inconclusive(self) -> None:
        ledger = told_of(entry("recurrence", cases=90, conclusive=9))
        ledger.entries[0].tally.way, ledger.entries[0].tally.undecided = {"last output": 90}, {"last output": 81}
        assert (
            next(iter(summary_json.summary(ledger, "quick")["implementations"].values()))["verdict"]["status"]
            == "equivalent"
        )
        ledger.least = 0.5
        verdict = next(iter(summary_json.summary(ledger, "quick")["implementations"].values()))["verdict"]
        assert verdict["status"] == "inconclusive"
        assert verdict["sentence"].startswith(
            "too little was shown of port:run: 9 of 90 cases are conclusive, and at least 50%"
        )

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"format": 2}, "1 was expected"),
            ({"profile": "fast"}, "'fast' is not one of"),
            ({"more": 1}, "'more' was unexpected"),
            ({"implementations": {"a": {}}}, "'identity' is a required property"),
        ],
    )
    def test_another_is_not(self, validate: Any, change: dict[str, Any], problem: str) -> None:
        with pytest.raises(Exception, match=re.escape(problem)):
            validate(summary_json.summary(told_of(*ALL_KINDS), "quick") | change)


#: A headless browser, if there is one.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


class Page(HTMLParser):
    """What a browser or a screen reader would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def real(run: Finished) -> Page:
    return Page((run.path / "out/here/report.html").read_text(encoding="utf-8"))


class TestPage:
    def made(self, tmp_path: Path, ledger: Ledger) -> Page:
        return Page(page.text(ledger, summary_json.summary(ledger, "quick"), tmp_path))

    def test_it_is_one_file_that_loads_nothing(self, real: Page) -> None:
        assert not real.of("script")
        assert {each.get("href", "")[:5] for each in real.of("link")} == {"data:"}
        assert all((each.get("src") or "").startswith("data:image/png;base64,") for each in real.of("img"))
        assert {each.get("href") for each in real.of("a") if not each["href"].startswith("data:")} == {"summary.json"}

    def test_verdicts_come_first_and_each_failure_once(self, real: Page) -> None:
        headings = [attributes["id"] for tag, attributes in real.tags if tag == "h2"]
        assert headings == ["verdicts", "wrong", "checks", "versions"]
        assert len(real.of("article")) == 1
        assert f"different port:run is wrong: {DIAGNOSIS} (2 failing checks)" in real.text
        assert "usual cause" in real.text

    def test_it_bears_the_case_and_the_script(self, real: Page, run: Finished) -> None:
        saved = {each["download"] or "": each["href"] or "" for each in real.of("a") if "download" in each}
        assert saved.keys() == {f"{NAME}.py", f"{NAME}.npz"}
        name, link = next((name, link) for name, link in saved.items() if name.endswith(".npz"))
        content = base64.b64decode(link.partition("base64,")[2])
        assert content == (run.path / "out/here/failures" / name).read_bytes()
        with np.load(BytesIO(content)) as arrays:
            assert len(arrays.files) > 1

    def test_a_screen_reader_can_tell_it(self, real: Page) -> None:
        assert real.of("html")[0]["lang"] == "en"
        assert len(real.of("h1")) == len(real.of("main")) == 1
        levels = [int(tag[1]) for tag, _ in real.tags if re.fullmatch(r"h\d", tag)]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert all(each.get("scope") for each in real.of("th"))
        assert all(each.get("aria-label") or each.get("aria-labelledby") for each in real.of("section"))
        for each in real.of("img"):
            assert "first broken state (sample 0, step 0, unit 0)" in (each["alt"] or "")
        assert len(real.of("img")) == PLOTS
        assert real.of("meta")[1]["content"] == "width=device-width, initial-scale=1"

    def test_what_others_wrote_is_escaped(self, tmp_path: Path) -> None:
        made = self.made(tmp_path, told_of(*ALL_KINDS))
        assert not made.of("script")
        assert "<script>alert(1)</script>" in made.text
        assert "it heeds no <mask>" in made.text

    def test_options_are_a_heat_map(self, tmp_path: Path) -> None:
        made = self.made(tmp_path, told_of(*ALL_KINDS))
        cells = [each.get("class") or each.get("style") for each in made.of("td") if {*each} & {"class", "style"}]
        assert "--warm:1.0" in cells  # the most frequent option
        assert "never" in cells  # it might have come with a mask
        assert "none" in cells  # a mask beside itself was not counted

    def test_the_worst_comes_first(self, tmp_path: Path) -> None:
        ledger = told_of(ALL_KINDS[0], entry("nan", "wrong:run", outcome="failed", cases=1, conclusive=1, failures=1))
        text = self.made(tmp_path, ledger).text
        assert text.index("wrong:run failed") < text.index("port:run is the recurrence")

    def test_it_says_what_was_not_shown(self, tmp_path: Path) -> None:
        interrupted = told_of(*ALL_KINDS)
        interrupted.interrupted = True
        assert "This run did not come to its end." in self.made(tmp_path, interrupted).text
        assert "1 failed, 1 inconclusive" in self.made(tmp_path, told_of(*ALL_KINDS)).text
        assert "nothing was checked" in self.made(tmp_path, Ledger()).text

    @pytest.mark.skipif(not CHROMIUM, reason="needs chromium, which is not installed")
    def test_chromium_opens_it(self, run: Finished, tmp_path: Path) -> None:
        quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND")
        file = (run.path / "out/here/report.html").as_uri()
        command = [CHROMIUM, *quiet, f"--user-data-dir={tmp_path}", "--window-size=360,800", "--dump-dom", file]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        assert Page(shown).text == Page((run.path / "out/here/report.html").read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    ("entries", "interrupted", "message", "colour"),
    [
        (ALL_KINDS, False, "failed", "red"),
        (ALL_KINDS[:1], False, "equivalent", "brightgreen"),
        (ALL_KINDS[:1], True, "interrupted", "lightgrey"),
        (ALL_KINDS[-1:], False, "inconclusive", "lightgrey"),
        ((), False, "nothing checked", "lightgrey"),
    ],
)
def test_badge(entries: tuple[Entry, ...], interrupted: bool, message: str, colour: str) -> None:
    ledger = told_of(*entries)
    ledger.interrupted = interrupted
    made = badge.badge(summary_json.summary(ledger, "quick"))
    assert made == {"schemaVersion": 1, "label": "rnn-equiv", "message": message, "color": colour}


def test_all_files_say_first_that_the_run_is_not_over(run: Finished, tmp_path: Path) -> None:
    from pytest_rnnequiv.plugin.report import directory

    shutil.copytree(run.path / "out/here", tmp_path / "out")
    directory.begin("quick", tmp_path / "out")
    assert "did not come to its end" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out/badge.json").read_text())["message"] == "interrupted"


class TestGitHub:
    WRONG = """
        import numpy as np
        from pytest_rnnequiv import Case, Spec, assert_equivalent

        def test_port():
            case = Case(Spec.simple(1, 1, 1), np.ones((1, 1, 1)), [[1.0]], [[1.0]], [1.0], [[1.0]], [1.0])
            assert_equivalent(case, np.zeros((1, 1), np.float32))
    """

    def test_a_failure_is_an_annotation_in_actions(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(test_a=self.WRONG)
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
        result = pytester.runpytest_inprocess()
        (line,) = (line for line in result.outlines if line.startswith("::"))
        where = "file=test_a.py,line=4,title=rnn-equiv%3A own tests"
        assert line == f"::error {where}::test_port failed: what it judges is different"

    def test_and_nothing_elsewhere(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        pytester.makepyfile(test_a=self.WRONG)
        monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
        assert "::error" not in pytester.runpytest_inprocess().stdout.str()

    def test_it_names_the_file_of_a_port(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "annotated_port.py").write_text("")
        (tmp_path / "conftest.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
        for identity, file in (("annotated_port:run", "annotated_port.py"), ("rnn_implementation", "conftest.py")):
            failed = entry("nan", identity, outcome="failed", cases=1, conclusive=1, failures=1)
            (line,) = github.commands(told_of(failed), tmp_path)
            assert line.startswith(f"::error file={file},title=rnn-equiv%3A "), line
        (line,) = github.commands(told_of(entry("nan", "nowhere:100%", outcome="failed", cases=1)), tmp_path)
        assert line == "::error title=rnn-equiv%3A nowhere%3A100%25::nowhere:100%25 failed: 1 of 1"
