"""What a run found out, gathered from pytest's reports; how to tell it is for the modules of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pytest_rnnequiv.tally import Tally

__all__ = ["LEDGER", "Entry", "Ledger"]

_PREFIX = "rnn_equiv."  # `tally.PREFIX`, without importing it in runs that have nothing to tell


class Entry(NamedTuple):
    """What one item came to."""

    nodeid: str
    check: str
    """The name of the check; empty for a test of the project's own."""
    line: int
    """Where its function stands in its file: checks are listed in the order in which they are written."""
    outcome: str
    """``"passed"``, ``"failed"``, ``"skipped"``, ``"xfailed"`` or ``"xpassed"``."""
    reason: str
    """Why it was skipped."""
    tally: Tally | None
    """What it counted; None if it did not come to that."""


class Ledger:
    """Keeps an entry for each item of the suite, and for each other item that counted something.

    It reads the reports only, so that it works under pytest-xdist, where the items run in other processes.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a report that tells of us (pytest hook)."""
        if not any(name.startswith(_PREFIX) for name, _ in report.user_properties):
            return
        if report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        if report.outcome == "rerun":  # type: ignore[comparison-overlap]  # pytest-rerunfailures: its last run counts
            return
        from pytest_rnnequiv.tally import CHECK, Tally

        self.entries.append(
            Entry(
                nodeid=report.nodeid,
                check=next((str(value) for name, value in report.user_properties if name == CHECK), ""),
                line=report.location[1] or 0,
                outcome=_outcome(report),
                reason=_reason(report),
                tally=Tally.from_properties(report.user_properties),
            )
        )

    @property
    def counted(self) -> list[Entry]:
        """The entries of the items that came to count something."""
        return [entry for entry in self.entries if entry.tally is not None and entry.outcome != "skipped"]

    def checked_more_than(self, default: str) -> bool:
        """Tell whether a case of another implementation than `default` was judged.

        The ways in which the default can be run, such as ``keras-graph``, are the default too. A test of the
        project's own checks the project's own implementation, whatever it calls it.
        """
        return any(
            entry.tally is not None
            and entry.tally.cases > 0
            and (not entry.check or entry.tally.implementation.partition("-")[0] not in ("", default))
            for entry in self.entries
        )


LEDGER = pytest.StashKey[Ledger]()
"""Where `pytest.Config.stash` keeps the ledger of a run."""


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    return str(report.outcome)


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return ""
