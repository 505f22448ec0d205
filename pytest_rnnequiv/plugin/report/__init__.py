"""What a run found out, gathered from pytest's reports; how to tell it is for the modules of this package."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from pytest_rnnequiv.tally import Tally

__all__ = ["ACCOUNTS", "LEDGER", "OWN_TESTS", "Entry", "Ledger", "summed", "too_little"]

_PREFIX = "rnn_equiv."  # `tally.PREFIX`, without importing it in runs that have nothing to tell

ACCOUNTS = "rnn_equiv_accounts"
"""The attribute of a report that bears what its failures say of themselves: plain data, which pytest-xdist carries."""

OWN_TESTS = "own tests"
"""What stands in the place of an implementation's name where a project's own tests judge something."""


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
    identity: str = ""
    """What was asked for; empty where a project's own tests judge something."""
    accounts: tuple[dict[str, Any], ...] = ()
    """What each failure of a check says of itself, with the files that it left."""

    @property
    def name(self) -> str:
        """What the implementation calls itself; empty if it did not come to that."""
        return self.tally.implementation if self.tally is not None else ""

    @property
    def title(self) -> str:
        """What tables call it: its check, or its test without parameters."""
        return self.check or self.nodeid.partition("[")[0]

    @property
    def cases(self) -> int:
        """How many cases were judged."""
        return self.tally.cases if self.tally is not None else 0

    @property
    def conclusive(self) -> int:
        """How many of them had an answer."""
        return self.tally.conclusive if self.tally is not None else 0

    @property
    def declined(self) -> int:
        """How many cases the implementation declined."""
        return getattr(self.tally, "declined", 0)


class Ledger:
    """Keeps an entry for each item of the suite, and for each other item that counted something.

    It reads the reports only, so that it works under pytest-xdist, where the items run in other processes.

    Attributes
    ----------
    interrupted : bool
        Whether the run did not come to its end.
    partial : bool
        Whether it is a shard of a larger one.
    problems : list of str
        What went wrong around the run, and must be told.
    least : float
        The share of the cases of an implementation that have to be conclusive.
    """

    def __init__(self, least: float = 0.0) -> None:
        self.least = least
        self._entries: dict[tuple[str, str], Entry] = {}
        self.interrupted = False
        self.partial = False
        self.problems: list[str] = []

    @property
    def entries(self) -> list[Entry]:
        """What each item came to, in the order in which they ended."""
        return list(self._entries.values())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a report that tells of us (pytest hook).

        An item that runs again, as pytest-rerunfailures makes it, counts once: by its last run.
        """
        if not any(name.startswith(_PREFIX) for name, _ in report.user_properties):
            return
        if report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        from pytest_rnnequiv.tally import CHECK, IDENTITY, from_properties

        said = {name: str(value) for name, value in report.user_properties if name in (CHECK, IDENTITY)}
        entry = Entry(
            nodeid=report.nodeid,
            check=said.get(CHECK, ""),
            line=report.location[1] or 0,
            outcome=_outcome(report),
            reason=_reason(report),
            tally=from_properties(report.user_properties),
            identity=said.get(IDENTITY, ""),
            accounts=tuple(getattr(report, ACCOUNTS, ())),
        )
        if not entry.check and entry.name:  # a class of the project's own that holds the checks
            entry = entry._replace(identity=report.nodeid.partition("[")[0].rpartition("::")[0])
        key = report.nodeid, getattr(report, "worker_id", "")
        self._entries.pop(key, None)
        self._entries[key] = entry

    # -- the verdicts, in all reports that there are

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """Cut failures that have a story before pytest lists them, and end with a sentence (pytest hook)."""
        if not self._failed_with_reason:
            return (yield)
        from . import verdicts

        verdicts.point(terminalreporter, self)
        yield
        verdicts.write_sentences(terminalreporter, self)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Put the verdicts into the JUnit file before it is written (pytest hook)."""
        if not self._failed_with_reason:
            return
        from _pytest.junitxml import xml_key

        from . import verdicts

        if (xml := session.config.stash.get(xml_key, None)) is not None:
            for label, sentence in verdicts.sentences(self).items():
                xml.add_global_property(f"{_PREFIX}verdict[{label}]", sentence)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Put the verdicts on top of pytest-html's page (its hook)."""
        if self._failed_with_reason:
            from . import verdicts

            prefix.extend(verdicts.html_summary(self))

    @property
    def _failed_with_reason(self) -> bool:
        return any(entry.accounts for entry in self._entries.values())

    @property
    def counted(self) -> list[Entry]:
        """The entries of the items that came to count something."""
        return [e for e in self.entries if e.tally is not None and (e.outcome != "skipped" or e.cases)]

    def labels(self) -> dict[str, str]:
        """Return how reports call each implementation, by its identity: by its name, unless others bear it too."""
        names: dict[str, str] = {}
        for entry in self.entries:
            names[entry.identity] = names.get(entry.identity) or entry.name
        plain = {identity: name or identity or OWN_TESTS for identity, name in names.items()}
        taken = list(plain.values())
        return {
            identity: f"{label} ({identity})" if taken.count(label) > 1 and identity != label else label
            for identity, label in plain.items()
        }

    def by_implementation(self, entries: list[Entry]) -> dict[str, list[Entry]]:
        """Sort entries by the implementation that they are about, under its label."""
        labels = self.labels()
        groups: dict[str, list[Entry]] = {}
        for entry in entries:
            groups.setdefault(labels[entry.identity], []).append(entry)
        return groups

    def checked_more_than(self, default: str) -> bool:
        """Tell whether a case of another implementation than `default` was judged.

        The ways in which the default can be run, such as ``keras-graph``, are the default too. A test of the
        project's own checks the project's own implementation, whatever it calls it.
        """
        from pytest_rnnequiv.implementations.registry import GROUPS

        ours = ("", default, *GROUPS.get(default, ()))
        return any(entry.cases > 0 and (not entry.check or entry.identity not in ours) for entry in self.entries)

    def showing_too_little(self) -> dict[str, str]:
        """Say of which implementations the suite has shown nothing, or less than it has to, and what would help.

        Those that have failed have said so.
        """
        if self.interrupted or self.partial:  # nobody knows what would have come, or comes elsewhere
            return {}
        checks = self.by_implementation([entry for entry in self.entries if entry.check])
        quiet = {label: each for label, each in checks.items() if not any(entry.outcome == "failed" for entry in each)}
        counted = {label: summed(entries) for label, entries in quiet.items()}
        return {label: why for label, each in counted.items() if (why := too_little(each, self.least))}

    def passed_without_an_answer(self) -> list[Entry]:
        """Return the items that passed, and had no conclusive case."""
        return [entry for entry in self.counted if entry.outcome == "passed" and not entry.conclusive]

    @property
    def green(self) -> bool:
        """Whether what passed has shown something, and of each implementation enough."""
        return not self.showing_too_little() and not any(each.check for each in self.passed_without_an_answer())


def summed(entries: Iterable[Entry]) -> Tally:
    """Add up what items counted."""
    from pytest_rnnequiv.tally import Tally

    whole = Tally()
    for entry in entries:
        if entry.tally is not None:
            whole.add(entry.tally)
    return whole


def too_little(counted: Tally, least: float) -> str:
    """Say what was shown and what would help; empty where enough was shown."""
    from pytest_rnnequiv.tally import shows_enough, what_helps

    if shows_enough(counted, least):
        return ""
    if not counted.cases:
        return "every check that was asked for was skipped; the reasons say what it would have to support"
    if not counted.conclusive:
        cases = "1 case" if counted.cases == 1 else f"{counted.cases} cases"
        return f"{cases}, none conclusive. What helps: {what_helps(counted)}"
    share = f"{counted.decided} of {counted.judged} cases are conclusive, and at least {least:.0%} have to be"
    return f"{share} (--rnn-equiv-least). What helps: {what_helps(counted)}"


LEDGER = pytest.StashKey[Ledger]()
"""Where `pytest.Config.stash` keeps the ledger of a run."""


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    # What runs again has failed, if it does not come to that.
    return "failed" if report.outcome == "rerun" else str(report.outcome)  # type: ignore[comparison-overlap]


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail).removeprefix("reason: ")
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return ""
