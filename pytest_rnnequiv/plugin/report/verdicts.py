"""One verdict for each implementation: told last in the terminal, and in a sentence wherever pytest reports.

Ten checks of a wrong port fail for one reason. So the failures that have a story are cut to one line each where pytest
lists them (``-v`` leaves them whole), and the story comes at the end, once.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

import pytest
from _pytest._code.code import TerminalRepr
from _pytest._io import TerminalWriter

from ...failures.story import RIGHT_AS, Account, Story, Told, stories, summed_up
from ...implementations.answering import RAISES
from ...wording import wrapped
from . import Entry, Ledger

__all__ = ["advice", "html_summary", "of_all", "point", "sentences", "write_sentences", "write_stories"]

#: Stories of an implementation that are told whole; more get a sentence each.
TOLD_WHOLE = 3

#: How a class declares what advice says of a function, and what declares one cell.
OF_A_CLASS = "A class has supports as an attribute, a function as run.supports = ..."
AND_CELL = ", and from pytest_rnnequiv.cells import GRUCell"

#: Columns from which on a story is no wider: long lines are hard to read.
WIDEST = 100


def of_all(ledger: Ledger) -> dict[str, list[Story]]:
    """Gather what failed by its reasons, for each implementation under its label."""
    found = {}
    failed = (entry for entry in ledger.entries if entry.outcome == "failed" and entry.accounts)
    for label, entries in ledger.by_implementation(sorted(failed, key=lambda entry: entry.line)).items():
        found[label] = stories(label, (told for entry in entries for told in _told(entry)))
    return found


def _told(entry: Entry) -> Iterator[Told]:
    check = entry.check or entry.nodeid.rpartition("::")[2].removeprefix("test_")
    failures = entry.tally.failures if entry.tally is not None else 0
    for number, each in enumerate(entry.accounts):
        # of several ways in which a check fails nobody has counted which case was which
        yield Told(check, 0 if number else failures, each["files"], Account(**each["account"]))


def sentences(ledger: Ledger) -> dict[str, str]:
    """Say of each wrong implementation in a sentence what is wrong with it."""
    return {label: summed_up(label, found) for label, found in of_all(ledger).items()}


def advice(ledger: Ledger, label: str, found: Sequence[Story]) -> list[str]:
    """Say what to declare of an implementation that is another cell, or takes other sizes, than it was asked for.

    Returns
    -------
    list of str
        Sentences; none where it is right as no other cell, and has mostly answered, or was wrong in another way too.
    """
    other = _right_as(found)
    if other:
        imports = f"from pytest_rnnequiv import Supports{AND_CELL if 'GRUCell' in other else ''}"
        return [f"{label} is {other}, after {imports}. {OF_A_CLASS}"]
    counted = [each.tally for each in ledger.by_implementation(ledger.entries)[label] if each.tally is not None]
    cases = sum(each.cases for each in counted)
    failures = sum(each.failures for each in counted)
    raised = all(story.keys[0].startswith(RAISES) for story in found if story.keys)
    if not failures or 2 * failures < cases or not raised:
        return []
    told = [each.account for story in found for each in story.told if each.account.called]
    tried = list(dict.fromkeys(each.called for each in sorted(told, key=lambda each: each.size)))
    share = "all" if failures == cases else failures
    return [
        f"{label} raised in {share} of {cases} cases, such as {'; '.join(tried[:4])}.",
        "If it takes some sizes only, say which, and no others are drawn, for example "
        "run.supports = Supports(N=(1, 8), T=10, D=3, M=5, K=2), after from pytest_rnnequiv import Supports. "
        + OF_A_CLASS,
    ]


def _right_as(found: Sequence[Story]) -> str:
    """Return as which other cell an implementation is right, if its failures tell that."""
    rows = (text for story in found for told in story.told for _, text in told.account.rows)
    return next((text for text in rows if text.startswith(RIGHT_AS)), "")


# ---- the terminal ----


def point(reporter: pytest.TerminalReporter, ledger: Ledger) -> None:
    """Shorten each failure that has a story to a line that points to the story."""
    if reporter.verbosity > 0 or not _told_here(reporter):
        return
    accounts = {entry.nodeid: entry.accounts for entry in ledger.entries if entry.accounts}
    for report in reporter.stats.get("failed", []):
        if report.nodeid in accounts and hasattr(report, "longrepr"):
            briefly = "; ".join(dict.fromkeys(each["brief"] for each in accounts[report.nodeid]))
            report.longrepr = _Pointer(briefly)
            if all(each["files"] for each in accounts[report.nodeid]):  # else a section says why there are none
                report.sections = [(name, text) for name, text in report.sections if not name.startswith("rnn-equiv")]


def _told_here(reporter: pytest.TerminalReporter) -> bool:
    """Whether stories are told in the terminal: who wants no tracebacks, or one line of each, gets the sentences."""
    return reporter.config.option.tbstyle not in ("no", "line")


class _Pointer(TerminalRepr):
    """What is shown in the place of a failure that has a story."""

    def __init__(self, briefly: str) -> None:
        self.briefly = briefly
        self.reprcrash = SimpleNamespace(message=briefly)  # what the short summary takes

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write it (pytest calls this)."""
        line = f"told at the end: {' '.join(self.briefly.split())}"
        tw.line(line if len(line) <= tw.fullwidth else f"{line[: tw.fullwidth - 3]}...")


def write_stories(reporter: pytest.TerminalReporter, ledger: Ledger) -> None:
    """Write what is wrong with each implementation."""
    if not _told_here(reporter):
        return
    width = min(reporter._tw.fullwidth, WIDEST)
    cached = getattr(reporter.config, "cache", None) is not None
    what_next = "the same command with --lf runs what failed again" if cached else ""
    told = of_all(ledger)
    for label, found in told.items():
        reporter.section(f"rnn-equiv: what is wrong with {label}", red=True, bold=True)
        if len(found) > 1:
            _wrapped(reporter, f"{label} is wrong in {len(found)} ways, each with a reason of its own:")
        for number, story in enumerate(found, 1):
            if len(found) > 1:
                reporter.write_line("")
            if number > TOLD_WHOLE:
                checks = ", ".join(story.checks)
                _wrapped(reporter, f"({number}) it {story.says} ({checks})")
                continue
            first, *lines = story.lines(width, what_next if number == 1 else "", f"({number}) " * (len(found) > 1))
            reporter.write_line(first, red=True, bold=True)
            for line in lines:
                reporter.write_line(line)
        for sentence in advice(ledger, label, found):
            reporter.write_line("")
            _wrapped(reporter, sentence, bold=True)
    if told and reporter.verbosity <= 0:
        reporter.write_line("")
        reporter.write_line("-v shows each failure whole")


def write_sentences(reporter: pytest.TerminalReporter, ledger: Ledger) -> None:
    """Write each verdict in full, below pytest's short summary, which cuts its lines."""
    for sentence in sentences(ledger).values():
        _wrapped(reporter, f"VERDICT {sentence}", red=True)


def _wrapped(reporter: pytest.TerminalReporter, text: str, **markup: bool) -> None:
    for line in wrapped(text, min(reporter._tw.fullwidth, WIDEST)):
        reporter.write_line(line, **markup)


# ---- other reports ----


def html_summary(ledger: Ledger) -> Iterable[str]:
    """Yield the stories for the top of pytest-html's page."""
    for label, found in of_all(ledger).items():
        yield f"<h2>rnn-equiv: {html.escape(summed_up(label, found))}</h2>"
        for story in found[:TOLD_WHOLE]:
            text = "\n".join(story.lines(WIDEST))
            yield f"<pre>{html.escape(text)}</pre>"
