"""Checks that are known to fail: what is expected is that a port is found to be wrong, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

SUITE = """
import pytest

from pytest_rnnequiv import tally


def configure(profile, selfcheck):
    pass


class Verdict:
    way, error_over_bound = "induction", 0.5

    def __init__(self, status):
        self.status = status


@pytest.fixture(scope="session")
def port(request):
    if request.param == "unloaded:run":
        pytest.fail("unloaded:run cannot be loaded", pytrace=False)
    assert request.param != "asserting:run", "the fixture wants a licence"


@pytest.mark.parametrize("port", ["right:run"], indirect=True)
def test_nan(port):
    tally.current().record(Verdict("equivalent"))
"""


def run(project: Project, port: str, body: str, known: bytes = b"nan: the clamp") -> pytest.RunResult:
    """Run a suite of one check, which is known to fail."""
    project.write_suite(SUITE.replace("right:run", port) + body)
    project.path.joinpath("known.txt").write_bytes(known)
    return project.run("-rx", "--rnn-equiv-known-failures", "known.txt")


DIFFERENT = "    tally.current().record(Verdict('different'))\n"


@pytest.mark.parametrize(
    "known",
    [
        b"nan: the clamp",
        b"\xef\xbb\xbfnan[mine:run]: the clamp\n",
        b"\xef\xbb\xbf# ours\r\n\r\n  nan: the clamp  \r\n",
        b"# ours\r\rtest_nan: the clamp\r",
        b"\n\n# nothing\n",
    ],
    ids=["plain", "byte order mark", "Windows", "old Mac", "none"],
)
def test_files_of_all_kinds(project: Project, known: bytes) -> None:
    result = run(project, "mine:run", DIFFERENT + "    assert False\n", known)
    if b"clamp" in known:
        result.assert_outcomes(xfailed=1)
        result.stdout.fnmatch_lines(["XFAIL rnn_equiv.py::test_nan?mine:run? - *the clamp"])
        assert result.ret == pytest.ExitCode.OK
    else:
        result.assert_outcomes(failed=1)


def test_a_file_in_another_encoding_is_told(project: Project) -> None:
    result = run(project, "mine:run", "", "nan: the clamp".encode("utf-16"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: known failures: *known.txt cannot be read: *"])


@pytest.mark.parametrize("port", ["unloaded:run", "asserting:run"])
def test_what_cannot_be_loaded_is_not_expected(project: Project, port: str) -> None:
    result = run(project, port, "")
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("body", ["    pytest.fail('not asked again')\n", "    raise KeyError('ours')\n"])
def test_what_was_not_judged_is_not_expected(project: Project, body: str) -> None:
    result = run(project, "mine:run", body)
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_check_without_a_case_is_not_expected(project: Project) -> None:
    project.write_suite(SUITE.replace('    tally.current().record(Verdict("equivalent"))', "    pass"))
    project.run("-o", "rnn_equiv_known_failures=nan: the clamp", "--rnn-equiv").assert_outcomes(failed=1)


def test_several_failures_at_once_are_expected(project: Project) -> None:
    """As Hypothesis raises them."""
    group = (
        "class Several(Exception):\n    exceptions = (AssertionError('one'), {})\n"
        "def test_group():\n    tally.current().record(Verdict('different'))\n    raise Several\n"
    )
    known = ("-o", "rnn_equiv_known_failures=group: the clamp", "--rnn-equiv", "-k", "group")
    project.write_suite(SUITE + group.format("AssertionError('two')"))
    project.run(*known).assert_outcomes(xfailed=1)
    project.write_suite(SUITE + group.format("KeyError('ours')"))
    project.run(*known).assert_outcomes(failed=1)


def test_they_are_strict(project: Project) -> None:
    result = run(project, "mine:run", "")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["[[]XPASS(strict)[]] the clamp"])


def test_they_can_be_run_as_if_nothing_were_known(project: Project) -> None:
    project.write_suite(SUITE + DIFFERENT + "    assert False\n")
    known = ("-o", "rnn_equiv_known_failures=nan: the clamp", "--rnn-equiv")
    project.run(*known, "--runxfail").assert_outcomes(failed=1)
    project.run(*known).assert_outcomes(xfailed=1)
