"""What a run tells: the header, the summary, the progress; and the tally from which it knows."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from pytest_rnnequiv import tally
from pytest_rnnequiv.plugin.report import Entry, Ledger
from pytest_rnnequiv.plugin.report.remarks import remarks
from pytest_rnnequiv.plugin.settings import Settings
from pytest_rnnequiv.tally import Tally, enough

if TYPE_CHECKING:
    from conftest import Project

PRELUDE = """
import numpy as np
import pytest

from pytest_rnnequiv import tally


class Verdict:
    def __init__(self, status, error_over_bound=0.0):
        self.status, self.way, self.error_over_bound = status, "induction", error_over_bound


def configure(profile, selfcheck):
    pass


def record(status="equivalent", error=0.25, cases=10, implementation="keras-graph"):
    counted = tally.current()
    counted.implementation = implementation
    for _ in range(cases):
        counted.record(Verdict(status, error))
"""


def summary(result: pytest.RunResult) -> list[str]:
    """Return the lines of our section, as they are on an idle machine."""
    lines = [re.sub(r"\b0\.\ds\b", "0.0s", line) for line in result.outlines]
    start = next(number for number, line in enumerate(lines) if re.fullmatch("=+ rnn-equiv =+", line))
    end = next(number for number in range(start + 1, len(lines)) if lines[number].startswith("==="))
    return lines[start + 1 : end]


class TestHeader:
    def test_names_implementations_versions_and_profile(self, project: Project) -> None:
        project.write({"port.py": "raise RuntimeError('nobody imports it for a header')"})
        args = ("--rnn-equiv-impl=numpy", "--rnn-equiv-impl=port:run", "--rnn-equiv-profile=quick")
        result = project.run("--rnn-equiv", *args)
        (line,) = (line for line in result.outlines if line.startswith("rnn-equiv:"))
        assert line == f"rnn-equiv: numpy (numpy {np.__version__}), port:run; profile quick"

    def test_is_silent_without_the_flag(self, project: Project) -> None:
        project.write({"test_own.py": "def test_own(): pass"})
        assert "rnn-equiv: " not in project.run().stdout.str()
        assert "= rnn-equiv =" not in project.run().stdout.str()

    def test_names_the_overridden_fixture_without_the_default(self, project: Project) -> None:
        project.write(
            {"conftest.py": "import pytest\n@pytest.fixture(scope='session')\ndef rnn_implementation(): ...\n"}
        )
        result = project.run("--rnn-equiv")
        (line,) = (line for line in result.outlines if line.startswith("rnn-equiv:"))
        assert line == "rnn-equiv: rnn_implementation; profile default"


class TestSummary:
    def test_says_by_which_ways_it_was_judged(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record()\n    tally.current().way['prefixes'] = 3\n")
        assert summary(project.run("--rnn-equiv"))[-1] == "judged by induction (10), prefixes (3)"

    def test_lists_the_checks_of_one_implementation(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "def test_recurrence():\n    record(cases=200, error=0.61)\n"
            + "    tally.current().versions = {'keras': '3.15.1'}\n"
            + "def test_a_later_one():\n    record('inconclusive', cases=3)\n    record()\n"
        )
        assert summary(project.run("--rnn-equiv")) == [
            "               cases   conclusive  error/bound  time",
            "keras-graph      213  210 (3 not)         0.61  0.0s",
            "  recurrence     200          200         0.61  0.0s",
            "  a_later_one     13   10 (3 not)         0.25  0.0s",
            "judged by induction; keras 3.15.1",
        ]

    def test_adds_up_several(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "@pytest.mark.parametrize('port', ['keras', 'onnx'])\n"
            + "def test_recurrence(port):\n    record(implementation=port)\n"
        )
        assert summary(project.run("--rnn-equiv")) == [
            "              cases  conclusive  error/bound  time",
            "keras            10          10         0.25  0.0s",
            "  recurrence     10          10         0.25  0.0s",
            "onnx             10          10         0.25  0.0s",
            "  recurrence     10          10         0.25  0.0s",
            "total            20          20         0.25  0.0s",
            "judged by induction",
        ]

    def test_is_short_unless_verbose(self, project: Project) -> None:
        checks = "".join(f"def test_{number}():\n    record()\n" for number in range(30))
        project.write_suite(PRELUDE + checks + "def test_unsure():\n    record('inconclusive')\n    record()\n")
        assert summary(project.run("--rnn-equiv")) == [
            "             cases    conclusive  error/bound  time",
            "keras-graph    320  310 (10 not)         0.25  0.0s",
            "  unsure        20   10 (10 not)         0.25  0.0s",
            "judged by induction; -v shows each check",
        ]
        assert len(summary(project.run("--rnn-equiv", "-v"))) == 34

    def test_is_one_line_when_quiet(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "def test_one():\n    record()\n    record('inconclusive', cases=1)\n"
            + "    tally.current().versions = {'keras': '3.15.1'}\n"
            + "def test_two():\n    pytest.skip('not now')\n"
        )
        result = project.run("--rnn-equiv", "-q")
        assert result.outlines[1:2] == ["rnn-equiv: 11 cases, 1 inconclusive, error/bound 0.25, 0.0s, keras 3.15.1"]
        assert len(result.outlines) == 3

    @pytest.mark.parametrize("columns", [60, 80, 120])
    def test_keeps_within_the_terminal(self, project: Project, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        project.write_suite(PRELUDE + f"def test_{'long_' * 20}name():\n    record()\n")
        lines = summary(project.run("--rnn-equiv"))
        assert max(map(len, lines)) < columns
        name = f"  {'long_' * 20}name"
        assert lines[2] == name if columns > len(name) else re.fullmatch(r"  l.*\.\.\..*_name", lines[2])
        assert lines[3].split() == ["10", "10", "0.25", "0.0s"]

    def test_in_a_narrow_terminal_names_have_lines_of_their_own(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        project.write_suite(PRELUDE + "def test_equal_sizes():\n    record()\n")
        assert summary(project.run("--rnn-equiv"))[1:5] == [
            "keras-graph",
            "     10          10         0.25  0.0s",
            "  equal_sizes",
            "     10          10         0.25  0.0s",
        ]

    def test_counts_skips_by_reason(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "@pytest.mark.parametrize('number', range(3))\n"
            + "def test_masks(number):\n    pytest.skip('no masks in C')\n"
            + "@pytest.mark.skip(reason='too slow')\ndef test_long(): pass\n"
        )
        result = project.run("--rnn-equiv")
        result.assert_outcomes(skipped=4)
        assert summary(result)[:2] == ["3 checks skipped: no masks in C", "1 check skipped: too slow"]

    def test_shows_notes_once(self, project: Project) -> None:
        check = "def test_{}():\n    record()\n    tally.current().notes.append('mind the gap')\n"
        project.write_suite(PRELUDE + check.format("a") + check.format("b"))
        assert summary(project.run("--rnn-equiv")).count("mind the gap") == 1

    def test_says_when_no_check_ran(self, project: Project) -> None:
        project.write({"test_own.py": "def test_own(): pass"})
        assert summary(project.run("--rnn-equiv", "-m", "not rnn_equiv")) == ["no check of the suite ran"]
        assert summary(project.run("--rnn-equiv", "-k", "recurence or own")) == [
            "no check of the suite ran: -k fits none of parameter_law, recurrence, last, all"
        ]
        project.run("--rnn-equiv", "-m", "not rnn_equiv", "-q").stdout.fnmatch_lines(["no check of the suite ran"])

    def test_is_absent_when_only_listing(self, project: Project) -> None:
        assert "= rnn-equiv =" not in project.run("--rnn-equiv", "--collect-only").stdout.str()

    def test_counts_own_property_tests(self, project: Project) -> None:
        project.write({"test_port.py": PRELUDE + "def test_port():\n    record(implementation='')\n"})
        assert summary(project.run()) == [
            "                           cases  conclusive  error/bound  time",
            "own tests                     10          10         0.25  0.0s",
            "  test_port.py::test_port     10          10         0.25  0.0s",
            "judged by induction",
        ]

    def test_counts_what_is_imported_late(self, project: Project) -> None:
        test = "def test_port():\n    from pytest_rnnequiv import tally\n    tally.current().count()\n"
        project.write({"test_port.py": test})
        result = project.run_apart("-q")
        result.stdout.fnmatch_lines(["rnn-equiv: 1 case, *"])

    def test_after_an_interruption(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "def test_one():\n    record()\n"
            + "def test_two():\n    record(cases=3)\n    raise KeyboardInterrupt\n"
        )
        result = project.run_apart("--rnn-equiv")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        lines = [line for line in result.outlines if line.startswith(("  one  ", "interrupted after"))]
        assert lines[0].split()[:3] == ["one", "10", "10"]
        assert lines[1:] == ["interrupted after 3 cases of one more"]

    def test_failures_are_red(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record('different', 3e7)\n    assert False\n")
        result = project.run("--rnn-equiv", "--color=yes")
        result.stdout.fnmatch_lines(["?[[]31m  one *3e+07*"])


class TestEmptyChecks:
    """A green dot that checked nothing is a bug."""

    def test_a_check_without_a_case_fails(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    pass\ndef test_two():\n    record()\n")
        result = project.run("--rnn-equiv")
        result.assert_outcomes(failed=1, passed=1)
        result.stdout.fnmatch_lines(["test_one judged no case at all, so it has shown nothing."])

    def test_a_case_in_a_fixture_counts(self, project: Project) -> None:
        fixture = "@pytest.fixture\ndef prepared():\n    record()\n"
        project.write_suite(PRELUDE + fixture + "def test_one(prepared):\n    pass\n")
        project.run("--rnn-equiv").assert_outcomes(passed=1)

    def test_what_a_teardown_counts_is_not_the_next_items(self, project: Project) -> None:
        fixture = "@pytest.fixture\ndef after():\n    yield\n    record()\n"
        project.write_suite(PRELUDE + fixture + "def test_a(after):\n    record()\ndef test_b():\n    pass\n")
        project.run("--rnn-equiv").assert_outcomes(passed=1, failed=1)

    def test_skips_and_expected_failures_may_be_empty(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "def test_one():\n    pytest.skip('no')\n"
            + "@pytest.mark.xfail(strict=True, reason='known')\ndef test_two():\n    assert False\n"
        )
        project.run("--rnn-equiv").assert_outcomes(skipped=1, xfailed=1)

    def test_own_tests_may_be_empty(self, project: Project) -> None:
        project.write({"test_own.py": "def test_own(): pass"})
        project.run("--rnn-equiv").assert_outcomes(passed=6)

    @pytest.mark.parametrize("args", [[], ["-q"]], ids=str)
    def test_a_pass_without_an_answer_is_pointed_out(self, project: Project, args: list[str]) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record('inconclusive')\n")
        result = project.run("--rnn-equiv", *args)
        result.assert_outcomes(passed=1)
        loud = "PASSED, BUT NOTHING WAS SHOWN: rnn_equiv.py::test_one: 10 cases, none conclusive"
        assert loud in project.unwrapped(result)


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are a matter of POSIX")
class TestProgress:
    SUITE = (
        PRELUDE
        + """
import time

from pytest_rnnequiv.plugin.report.progress import progress


@pytest.fixture(scope="session")
def runtime(pytestconfig):
    progress(pytestconfig).say("loading the runtime ...")


def test_long(runtime, capfd):
    print("out of the check")
    for _ in range(20):
        record(cases=1)
        time.sleep(0.05)
    assert capfd.readouterr().out == "out of the check\\n"


def test_short():
    record()
"""
    )

    def run_in_terminal(self, project: Project, *args: str) -> str:
        """Run pytest in a pseudo-terminal; return what it wrote there."""
        import pty

        command = [sys.executable, "-m", "pytest", "-p", "fake_plugin", "--rnn-equiv", *args]
        controller, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        for name in ("NO_COLOR", "PY_COLORS"):
            environment.pop(name, None)
        with subprocess.Popen(command, stdout=terminal, stderr=terminal, cwd=project.path, env=environment):
            os.close(terminal)
            written = b""
            try:
                while chunk := os.read(controller, 4096):
                    written += chunk
            except OSError:  # how Linux says that the other end is closed
                pass
        os.close(controller)
        return written.decode()

    @pytest.mark.parametrize("args", [[], ["-v"]], ids=str)
    def test_comes_and_goes(self, project: Project, args: list[str]) -> None:
        project.write_suite(self.SUITE)
        written = self.run_in_terminal(project, *args)
        messages = re.findall("\x1b7\x1b\\[\\?7l (.*?)\x1b\\[K\x1b\\[\\?7h\x1b8", written)
        assert messages[0] == "loading the runtime ..."
        assert len(messages) >= 3
        assert all(re.fullmatch(r"keras-graph: \d+ cases?", message) for message in messages[1:])
        # What is left without the messages, and without colours, is what pytest writes on its own.
        rest = re.sub("\x1b7.*?\x1b8", "", written)
        assert "\x1b[K" in rest
        lines = re.sub("\x1b\\[[0-9;]*[mK]", "", rest).split("\r\n")
        expected = r"rnn_equiv.py::test_long PASSED +\[ 50%\]" if args else r"rnn_equiv.py \.\. +\[100%\]"
        assert any(re.fullmatch(expected, line) for line in lines), lines

    def test_is_there_while_a_failure_is_explained(self, project: Project) -> None:
        """That happens when pytest asks for the message, after the check; and is gone where pytest writes on."""
        project.write_suite(
            PRELUDE
            + """
import time

from pytest_rnnequiv import tally


class Wrong(AssertionError):
    def __str__(self):
        for tried in range(12):
            time.sleep(0.1)
            tally.busy(f"explaining the failure: {tried} tried")
        return "wrong"


def test_wrong():
    record(cases=1)
    raise Wrong
"""
        )
        written = self.run_in_terminal(project)
        _, *explaining = re.split("\x1b7\x1b\\[\\?7l explaining the failure: \\d+ tried\x1b\\[K", written)
        assert len(explaining) >= 3
        assert explaining[-1].startswith("\x1b[?7h\x1b8\x1b[K")

    @pytest.mark.parametrize("args", [["-q"], ["--color=no"], ["-p", "no:terminal"]], ids=str)
    def test_stays_away(self, project: Project, args: list[str]) -> None:
        project.write_suite(self.SUITE.replace("range(20)", "range(1)"))
        assert "\x1b7" not in self.run_in_terminal(project, *args)

    def test_stays_away_without_a_terminal(self, project: Project) -> None:
        project.write_suite(self.SUITE.replace("range(20)", "range(1)"))
        result = project.run_apart("--rnn-equiv", "--color=yes")
        result.assert_outcomes(passed=2)
        assert "\x1b7" not in result.stdout.str()


class Verdict(NamedTuple):
    """As much of a verdict as a tally reads."""

    status: str
    error_over_bound: float = 0.0
    way: str = "induction"


class TestTally:
    def test_counts_verdicts(self) -> None:
        counted = Tally()
        for verdict in (
            Verdict("equivalent", 0.5),
            Verdict("different", 7.0),
            Verdict("inconclusive", 99.0, "trajectory"),
        ):
            counted.record(verdict)
        assert (counted.cases, counted.conclusive, counted.inconclusive, counted.failures) == (3, 2, 1, 1)
        assert counted.worst_error_over_bound == 7.0
        assert counted.way == {"induction": 2, "trajectory": 1}
        assert counted.undecided == {"trajectory": 1}
        assert (counted.judged, counted.decided) == (3, 2)

    @pytest.mark.parametrize(
        ("decided", "judged", "least", "enough"),
        [
            (0, 5, 0.0, False),
            (1, 5, 0.5, True),
            (40, 80, 0.5, True),
            (30, 80, 0.5, True),  # that may be chance
            (10, 80, 0.5, False),
            (350, 1000, 0.5, False),
            (10, 80, 0.125, True),
            (79, 80, 1.0, False),
            (80, 80, 1.0, True),
        ],
    )
    def test_enough_is_a_share_but_for_chance(self, decided: int, judged: int, least: float, enough: bool) -> None:
        ways = {"way": {"last output": judged, "law": 9}, "undecided": {"last output": judged - decided, "law": 3}}
        counted = Tally(cases=judged + 9, conclusive=decided + 6, **ways)
        assert tally.shows_enough(counted, least) is enough

    def test_chance_is_bounded(self) -> None:
        exact = [sum(math.comb(n, k) * 0.3**k * 0.7 ** (n - k) for k in range(6)) for n in (20, 40, 80)]
        bounds = [enough.chance_at_most(5, n, 0.3) for n in (20, 40, 80)]
        assert all(tail <= bound < 30 * tail for tail, bound in zip(exact, bounds, strict=True))

    def test_a_mistake_is_seen_if_one_item_sees_it(self) -> None:
        whole = Tally()
        for mistakes in ({"a": False, "b": True}, {"a": True, "b": False, "c": False}):
            whole.add(Tally(mistakes=mistakes))
        assert whole.mistakes == {"a": True, "b": True, "c": False}

    def test_no_number_is_the_worst_error(self) -> None:
        counted = Tally()
        counted.record(Verdict("different", math.nan))
        counted.record(Verdict("equivalent", 0.5))
        assert counted.worst_error_over_bound == math.inf

    def test_refuses_another_status(self) -> None:
        counted = Tally()
        with pytest.raises(ValueError, match="'equal'"):
            counted.record(Verdict("equal"))
        assert counted == Tally()

    def test_properties_there_and_back(self) -> None:
        counted = Tally(
            "keras-graph",
            {"keras": "3.15.1"},
            {"induction": 2},
            cases=3,
            conclusive=2,
            failures=1,
            declined=4,
            worst_error_over_bound=0.5,
            seconds=1.5,
            notes=["one", "two"],
            facts={"caught after": "3"},
            undecided={"induction": 1},
            would={"states": 1},
            mistakes={"bh-dropped": True, "weights-to-int8": False},
        )
        properties = tally.to_properties(counted)
        assert all(name.startswith("rnn_equiv.") for name, _ in properties)
        assert all(isinstance(value, str | int | float) for _, value in properties)
        foreign: list[tuple[str, object]] = [("mine", 1), (tally.CHECK, "recurrence")]
        assert tally.from_properties([*foreign, *properties]) == counted
        assert tally.from_properties(foreign) is None

    def test_an_item_that_runs_again_tells_of_its_last_run(self, project: Project) -> None:
        project.write(
            {
                "conftest.py": """
                    from _pytest.runner import runtestprotocol

                    def pytest_runtest_protocol(item, nextitem):
                        runtestprotocol(item, log=False, nextitem=nextitem)
                """
            }
        )
        project.write_suite(PRELUDE + "def test_one():\n    record()\n")
        assert summary(project.run("--rnn-equiv"))[1].split()[:2] == ["keras-graph", "10"]


class TestExitCode:
    """It agrees with what the summary says."""

    def test_a_pass_without_an_answer_is_not_green(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record('inconclusive')\ndef test_two():\n    record()\n")
        result = project.run("--rnn-equiv")
        result.assert_outcomes(passed=2)
        assert result.ret == pytest.ExitCode.TESTS_FAILED

    @pytest.mark.parametrize("args", [[], ["-q"]], ids=str)
    def test_an_implementation_of_which_nothing_was_shown(self, project: Project, args: list[str]) -> None:
        project.write_suite(
            PRELUDE
            + "@pytest.mark.parametrize('port', ['numpy', 'mine:run'])\n"
            + "def test_one(port):\n    record() if port == 'numpy' else pytest.skip('declares no masks')\n"
        )
        result = project.run("--rnn-equiv", *args)
        result.assert_outcomes(passed=1, skipped=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "TOO LITTLE WAS SHOWN OF mine:run: every check that was asked for was skipped; " in project.unwrapped(
            result
        )

    def test_it_says_what_would_help(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record('inconclusive')\n")
        result = project.run("--rnn-equiv")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        said = "TOO LITTLE WAS SHOWN OF keras-graph: 10 cases, none conclusive. What helps: what rounding may do "
        assert said in project.unwrapped(result)

    @pytest.mark.parametrize(("args", "green"), [([], False), (["--rnn-equiv-least=25%"], True)], ids=str)
    def test_most_cases_have_to_be_conclusive(self, project: Project, args: list[str], green: bool) -> None:
        project.write_suite(
            PRELUDE
            + "def test_one():\n    record('inconclusive', cases=70)\n    record(cases=10)\n"
            + "    tally.current().would = {'every output': 5, 'states': 65}\n"
        )
        result = project.run("--rnn-equiv", *args)
        result.assert_outcomes(passed=1)
        assert result.ret == (pytest.ExitCode.OK if green else pytest.ExitCode.TESTS_FAILED)
        said = (
            "TOO LITTLE WAS SHOWN OF keras-graph: 10 of 80 cases are conclusive, and at least 50% have to be "
            "(--rnn-equiv-least). What helps: give the states of every step (return Trajectory(outputs=y, states=h)): "
            "then 75 of 80 cases are conclusive"
        )
        assert (said in project.unwrapped(result)) is not green

    def test_a_law_is_no_answer_to_what_is_asked(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "def test_one():\n    record('inconclusive', cases=96)\n    record(cases=4)\n"
            + "def test_law():\n    Verdict.way = property(lambda self: 'law', lambda self, way: None)\n"
            + "    record(cases=90)\n"
        )
        result = project.run("--rnn-equiv")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "4 of 100 cases are conclusive" in project.unwrapped(result)

    def test_laws_alone_are_enough_where_nothing_else_was_asked(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "def test_law():\n    Verdict.way = property(lambda self: 'law', lambda self, way: None)\n"
            + "    record()\n    record('inconclusive', cases=90)\n"
        )
        assert project.run("--rnn-equiv").ret == pytest.ExitCode.OK

    def test_a_skip_beside_what_was_shown_is_green(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record()\ndef test_two():\n    pytest.skip('no')\n")
        assert project.run("--rnn-equiv").ret == pytest.ExitCode.OK

    def test_it_says_what_it_could_not_have_seen(self, project: Project) -> None:
        names = [f"weights-to-{bits}-bits" for bits in range(9, 17)]
        mistakes = {"bh-dropped": True, **dict.fromkeys(names, False)}
        project.write_suite(PRELUDE + f"def test_one():\n    record()\n    tally.current().mistakes = {mistakes}\n")
        said = f"keras-graph: would have seen 1 of 9 mistakes; not: {', '.join(names[:6])} and 2 more"
        assert said in project.unwrapped(project.run("--rnn-equiv"))

    def test_own_tests_are_the_users(self, project: Project) -> None:
        project.write({"test_port.py": PRELUDE + "def test_port():\n    record('inconclusive', implementation='')\n"})
        assert project.run().ret == pytest.ExitCode.OK


class TestRows:
    """What makes an implementation another one is what was asked for, and not how it calls itself."""

    def test_two_of_one_name(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "@pytest.mark.parametrize('port', ['a:run', 'b:run'])\n"
            + "def test_one(port):\n    record(implementation='firmware')\n"
        )
        labels = [line.split("  ")[0] for line in summary(project.run("--rnn-equiv")) if not line.startswith(" ")]
        assert labels[:3] == ["firmware (a:run)", "firmware (b:run)", "total"]

    def test_of_fixtures(self, project: Project) -> None:
        port = "import pytest\n@pytest.fixture(scope='session'{})\ndef rnn_implementation(): return 'run'\n"
        project.write({"conftest.py": port.format(""), "sub/conftest.py": port.format(", params=['c', 'rust']")})
        lines = summary(project.run("--rnn-equiv"))
        labels = [line.split("  ")[0] for line in lines if line.startswith("run")]
        assert labels == [
            "run (sub/rnn_implementation[c])",
            "run (sub/rnn_implementation[rust])",
            "run (rnn_implementation)",
        ]

    def test_one_that_calls_itself_as_the_default_is_not_the_default(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "@pytest.mark.parametrize('port', ['mine:run'])\n"
            + "def test_one(port):\n    record(implementation='keras-js')\n"
        )
        assert project.run("--rnn-equiv", "--rnn-equiv-require-impl").ret == pytest.ExitCode.OK
        project.write_suite(project.suite.replace("mine:run", "keras-graph").replace("keras-js", "mine"))
        assert project.run("--rnn-equiv", "--rnn-equiv-require-impl").ret == pytest.ExitCode.TESTS_FAILED

    def test_what_was_declined_is_told(self, project: Project) -> None:
        ledger = Ledger()
        counted = Tally("mine", cases=3, conclusive=3)
        counted.declined = 2  # type: ignore[attr-defined, unused-ignore]
        entry = Entry("rnn_equiv.py::test_one", "one", 1, "passed", "", counted, "mine:run")
        ledger._entries["rnn_equiv.py::test_one", ""] = entry
        told = "mine declined 2 cases, which are left out"
        assert [remark.text for remark in remarks(ledger, Settings())] == [told]
        counted.because = {"too large": 2}  # type: ignore[attr-defined, unused-ignore]
        assert [remark.text for remark in remarks(ledger, Settings())] == [f"{told}: too large (2)"]


class TestToldOnce:
    SUITE = (
        PRELUDE
        + """
@pytest.fixture(scope="session")
def port(request):
    if request.param == "broken:run":
        pytest.fail("broken:run cannot be loaded", pytrace=False)


@pytest.mark.parametrize("port", ["broken:run", "mine:run"], indirect=True)
@pytest.mark.parametrize("number", range(4))
def test_one(port, number):
    record()
"""
    )

    @pytest.mark.parametrize("args", [[], ["-x"], ["-k", "2 or 3"], ["--lf"]], ids=str)
    def test_the_first_has_all_of_it(self, project: Project, args: list[str]) -> None:
        project.write_suite(self.SUITE)
        result = project.run("--rnn-equiv", *args)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert result.outlines.count("broken:run cannot be loaded") == 1
        assert result.parseoutcomes()["errors" if "errors" in result.parseoutcomes() else "error"] == 1

    def test_the_others_point_to_it(self, project: Project) -> None:
        project.write_suite(self.SUITE)
        result = project.run("--rnn-equiv")
        result.assert_outcomes(errors=1, skipped=3, passed=4)
        said = "3 checks skipped: not run: its setup fails as that of rnn_equiv.py::test_one"
        assert said in project.unwrapped(result)

    def test_in_each_process(self, project: Project) -> None:
        pytest.importorskip("xdist")
        project.write_suite(self.SUITE)
        result = project.run_apart("--rnn-equiv", "-n2")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        outcomes = result.parseoutcomes()
        assert 1 <= outcomes.get("errors", outcomes.get("error", 0)) <= 2
        assert outcomes["passed"] == 4

    def test_other_problems_are_told(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "@pytest.fixture\ndef odd(request):\n    raise ValueError(request.node.name)\n"
            + "def test_one(odd): pass\ndef test_two(odd): pass\n"
        )
        project.run("--rnn-equiv").assert_outcomes(errors=2)

    def test_a_class_of_the_projects_own(self, project: Project) -> None:
        """Own tests are left alone."""
        project.write(
            {
                "test_own.py": "import pytest\n@pytest.fixture\ndef bad(): assert 0\n"
                "def test_a(bad): pass\ndef test_b(bad): pass"
            }
        )
        project.run("--rnn-equiv").assert_outcomes(errors=2, passed=5)


class TestInterruption:
    def test_in_the_first_check(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    record(cases=646)\n    raise KeyboardInterrupt\n")
        result = project.run_apart("--rnn-equiv")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert summary_of(result) == ["interrupted after 646 cases of one more"]

    def test_before_anything_was_counted(self, project: Project) -> None:
        project.write_suite(PRELUDE + "def test_one():\n    raise KeyboardInterrupt\n")
        assert summary_of(project.run_apart("--rnn-equiv")) == ["interrupted before the first check was over"]

    @pytest.mark.skipif(os.name != "posix", reason="SIGTERM is a matter of POSIX")
    def test_sigterm(self, project: Project) -> None:
        project.write_suite(
            PRELUDE
            + "import os, signal, time\n"
            + "def test_one():\n    record(cases=3)\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)\n"
        )
        result = project.run_apart("--rnn-equiv", "--rnn-equiv-report", "out")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert summary_of(result) == ["interrupted after 3 cases of one more"]
        assert json.loads((project.path / "out/summary.json").read_text())["interrupted"] is True

    @pytest.mark.skipif(os.name != "posix", reason="SIGTERM is a matter of POSIX")
    def test_somebody_else_may_listen_to_it(self, project: Project) -> None:
        project.write(
            {
                "conftest.py": "import signal\nsignal.signal(signal.SIGTERM, print)\n"
                "def pytest_unconfigure():\n    assert signal.getsignal(signal.SIGTERM) is print\n"
            }
        )
        project.run_apart("--rnn-equiv").assert_outcomes(passed=5)


def summary_of(result: pytest.RunResult) -> list[str]:
    """Return the lines of our section in a run that was interrupted."""
    lines = result.outlines
    start = next(number for number, line in enumerate(lines) if re.fullmatch("=+ rnn-equiv =+", line))
    end = next(number for number in range(start + 1, len(lines)) if lines[number].startswith(("===", "!!!")))
    return lines[start + 1 : end]


def test_an_item_that_runs_again_counts_once(project: Project) -> None:
    """As pytest-rerunfailures reports it: the runs before the last one as ``rerun``."""
    project.write(
        {
            "conftest.py": """
                from _pytest.runner import runtestprotocol

                def pytest_runtest_protocol(item, nextitem):
                    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
                    for last in (False, True):
                        for report in runtestprotocol(item, log=False, nextitem=nextitem):
                            if report.when == "call" and not last:
                                report.outcome = "rerun"
                            item.ihook.pytest_runtest_logreport(report=report)
                    return True
            """
        }
    )
    project.write_suite(PRELUDE + "def test_one():\n    record()\n")
    result = project.run("--rnn-equiv")
    assert summary(result)[1].split()[:2] == ["keras-graph", "10"]
    assert result.ret == pytest.ExitCode.OK


def test_what_is_longer_than_a_line_is_wrapped(project: Project) -> None:
    """Not cut, and with nothing lost."""
    said = "a sentence that is much longer than the eighty columns of a terminal, which it has to fit into all the same"
    project.write_suite(PRELUDE + f"def test_one():\n    record()\n    tally.current().notes.append({said!r})\n")
    result = project.run("--rnn-equiv")
    assert said in " ".join(" ".join(result.outlines).split())
    assert max(map(len, summary(result))) <= 80
