"""What the terminal shows: a line in the header, a sign of life during long checks, and the summary.

The summary is a table with one line for each check, below the implementation it was run on::

                       cases   conclusive  error/bound  time
    keras-graph          240  233 (7 not)         0.61  2.5s
      parameter_law       40           40            -  0.4s
      recurrence         200  193 (7 not)         0.61  2.1s
    keras 3.15.1, tensorflow 2.21.0

``(7 not)`` says that seven cases had no answer; ``error/bound`` is the worst error as a fraction of what
rounding may do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import pytest

from pytest_rnnequiv import tally
from pytest_rnnequiv.plugin import ALLOTTING, GIVEN, to_check
from pytest_rnnequiv.plugin.report import LEDGER, Entry, Ledger, coverage, durations, matrix, summed
from pytest_rnnequiv.plugin.settings import Settings
from pytest_rnnequiv.tally import Tally
from pytest_rnnequiv.wording import plural, wrapped

from .header import header
from .progress import progress
from .remarks import LOUD, Markup, remarks
from .words import aligned, duration, listed, ratio, shortened

__all__ = ["TerminalReport", "write_summary"]

_INDENT = " " * len("rnn-equiv: ")
_MOST_LINES = 15  # a longer summary is folded, unless -v


class TerminalReport:
    """The plugin that writes the header and the progress; registered when the user wants the suite."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._progress = progress(config)
        self._began = time.monotonic()
        tally.watch(self._tick)

    def pytest_report_header(self) -> str:
        """Name the implementations, their versions and the profile (pytest hook)."""
        said = header(to_check(self._config, self._settings), self._settings)
        given = self._config.stash.get(GIVEN, None)
        lines = [*f"rnn-equiv: {said}".split("\n"), *([] if given is None else [f"{_INDENT}{given}"])]
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        width = 80 if reporter is None else reporter._tw.fullwidth
        return "\n".join(part for line in lines for part in wrapped(line, width, _INDENT))

    def pytest_runtest_logstart(self) -> None:
        """Give the next item its time before it must show that it lives (pytest hook)."""
        self._progress.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the message away before pytest writes on (pytest hook).

        Of a setup that passed it writes nothing: "loading ..." stays until the first case is answered.
        """
        if report.when != "setup" or not report.passed:
            self._progress.clear()

    def pytest_keyboard_interrupt(self) -> None:
        """Take the message away before pytest says that it was stopped (pytest hook)."""
        self._progress.clear()

    def pytest_unconfigure(self) -> None:
        """Count without us from now on (pytest hook)."""
        tally.watch(None)

    def _tick(self, what: str) -> None:
        self._progress.tick(what if self._settings.budget is None else f"{self._of_budget()}: {what}")

    def _of_budget(self) -> str:
        """Say how many cases were judged in all, how many a second, and what is left of the budget."""
        cases = tally.current().cases + sum(entry.cases for entry in self._config.stash[LEDGER].entries)
        rate = cases / max(time.monotonic() - self._began, 1e-3)
        left = getattr(self._config.pluginmanager.get_plugin(ALLOTTING), "left", 0.0)
        return f"{cases:,} cases, {rate:.0f} a second, {duration(left)} left"


class _Row(NamedTuple):
    """A line of the table."""

    label: str
    tally: Tally
    failed: bool
    kind: Literal["implementation", "check", "total"]


def write_summary(reporter: pytest.TerminalReporter, ledger: Ledger, settings: Settings) -> None:
    """Write the summary: a table, and below it what a reader must not miss; with ``-q`` one line."""
    if reporter.config.option.collectonly:
        return
    deselected = reporter.stats.get("deselected", []) if reporter.config.option.keyword else []
    below = list(remarks(ledger, settings, deselected))
    reporter.ensure_newline()
    if reporter.verbosity < 0:
        below = [remark for remark in below if remark.loud]
        if ledger.counted:
            _write_line(reporter, f"rnn-equiv: {_in_words(summed(ledger.counted))}", _markup(_total(ledger)))
    else:
        reporter.section("rnn-equiv")
        if settings.selfcheck:
            _write_selfcheck(reporter, ledger)
        elif ledger.counted:
            _write_table(reporter, ledger, room=_MOST_LINES - 1 - len(below))
            if reporter.verbosity > 0:
                for line, markup in coverage.lines(summed(ledger.counted).covered, reporter._tw.fullwidth):
                    reporter.write_line(line, **markup)
                _write_matrix(reporter, ledger)
    if settings.durations:
        reporter.write_line("")
        for line in durations.lines(ledger):
            reporter.write_line(line)
    for remark in below:
        _write_wrapped(reporter, remark.text, remark.markup)


def _write_table(reporter: pytest.TerminalReporter, ledger: Ledger, room: int) -> None:
    rows = _rows(ledger)
    whole = summed(ledger.counted)
    versions = listed(whole.versions)
    folded = reporter.verbosity == 0 and 1 + len(rows) + bool(versions) > room
    if folded:
        rows = [row for row in rows if row.kind != "check" or _is_remarkable(row)]
    cells = [("", "cases", "conclusive", "error/bound", "time"), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    full = reporter._tw.fullwidth - 1
    beside = full - sum(2 + width for width in widths[1:])
    widths[0] = max(len(label) for label, *_ in cells if len(label) <= max(beside, 0))
    for row, (label, *numbers) in zip([None, *rows], cells, strict=True):
        markup = {"bold": True} if row is None else _markup(row)
        if len(label) > widths[0]:  # a line of its own
            _write_line(reporter, shortened(label, full), markup)
            label = ""
        line = f"{label:<{widths[0]}}"
        line += "".join(f"  {number:>{width}}" for number, width in zip(numbers, widths[1:], strict=True))
        _write_line(reporter, line, markup)
    more = "-v shows each check" if folded else ""
    _write_wrapped(reporter, "; ".join(filter(None, (_judged_by(whole), versions, more))), {"light": True})


def _write_matrix(reporter: pytest.TerminalReporter, ledger: Ledger) -> None:
    """Write which implementation computes what rightly, by features; of a single one it is asked for by ``-vv``."""
    found = matrix.cells(ledger)
    if len(found) > 1 or (found and reporter.verbosity > 1):
        reporter.write_line("")
        for line in matrix.plain(found, reporter._tw.fullwidth):
            reporter.write_line(line)


def _judged_by(counted: Tally) -> str:
    ways = {way or "no trajectory at all": cases for way, cases in counted.way.items()}
    if len(ways) < 2:
        return "".join(f"judged by {way}" for way in ways)
    return "judged by " + ", ".join(f"{way} ({cases})" for way, cases in ways.items())


def _write_line(reporter: pytest.TerminalReporter, line: str, markup: Markup) -> None:
    if line:
        reporter.write_line(line, **markup)


def _write_wrapped(reporter: pytest.TerminalReporter, text: str, markup: Markup) -> None:
    """Write a sentence in lines that fit; what cannot be broken, such as a path, stays whole."""
    for line in wrapped(text, reporter._tw.fullwidth):
        _write_line(reporter, line, markup)


def _write_selfcheck(reporter: pytest.TerminalReporter, ledger: Ledger) -> None:
    """Write what was caught of the catalogue, after how many cases, by which check, and what it was named."""
    tallies = [entry.tally for entry in ledger.counted if entry.tally is not None and "mistake" in entry.tally.facts]
    keys = ("mistake", "caught after", "by", "named")
    cells = [list(keys)]
    for counted in tallies:
        facts = counted.facts
        missed = f"NOT CAUGHT in {plural(counted.cases, 'case')}"
        row = [facts.get(key, "") for key in keys]
        if "caught after" not in facts:
            row[1] = missed
        elif facts["named"] == facts["mistake"]:
            row[3] = "rightly"
        cells.append(row)
    for index, line in enumerate(aligned(cells)):
        missed_markup: Markup = {"red": True} if "NOT CAUGHT" in line else {}
        _write_line(reporter, line, {"bold": True} if index == 0 else missed_markup)
    caught = [counted.facts for counted in tallies if "caught after" in counted.facts]
    named = sum(facts["named"] == facts["mistake"] for facts in caught)
    total = f"{len(caught)} of {len(tallies)} mistakes caught, {named} of {len(caught)} named rightly"
    _write_line(reporter, total, {"green" if len(caught) == len(tallies) else "red": True})


def _rows(ledger: Ledger) -> list[_Row]:
    """Return a row for each implementation, below it one for each of its checks, and at the end the total."""
    # The order of the suite, which pytest-xdist shuffles; the project's own tests come last.
    entries = sorted(ledger.counted, key=lambda entry: (not entry.check, entry.check and entry.line))
    rows = []
    by_implementation = ledger.by_implementation(entries)
    for implementation, below in by_implementation.items():
        rows.append(_row(implementation, below, "implementation"))
        for check, group in _group(below, lambda entry: entry.title).items():
            rows.append(_row(f"  {check}", group, "check"))
    return rows if len(by_implementation) == 1 else [*rows, _total(ledger)]


def _group(entries: Iterable[Entry], key: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry)
    return groups


def _row(label: str, entries: list[Entry], kind: Literal["implementation", "check", "total"]) -> _Row:
    return _Row(label, summed(entries), any(entry.outcome == "failed" for entry in entries), kind)


def _total(ledger: Ledger) -> _Row:
    return _row("total", ledger.counted, "total")


def _cells(row: _Row) -> tuple[str, str, str, str, str]:
    counted = row.tally
    conclusive = str(counted.conclusive)
    if counted.inconclusive:
        conclusive += f" ({counted.inconclusive} not)"
    numbers = str(counted.cases), conclusive, ratio(counted.worst_error_over_bound), duration(counted.seconds)
    return (row.label, *numbers)


def _in_words(counted: Tally) -> str:
    words = [plural(counted.cases, "case")]
    if counted.inconclusive:
        words.append(f"{counted.inconclusive} inconclusive")
    words += (f"error/bound {ratio(counted.worst_error_over_bound)}", duration(counted.seconds))
    return ", ".join((*words, listed(counted.versions))).removesuffix(", ")


def _is_remarkable(row: _Row) -> bool:
    # what failed without having been asked is told in the verdict
    return (row.failed and row.tally.cases > 0) or row.tally.inconclusive > 0


def _markup(row: _Row) -> Markup:
    if row.failed:
        return {"red": True}
    if not row.tally.conclusive:
        return LOUD
    if row.tally.inconclusive:
        return {"yellow": True}
    return {} if row.kind == "check" else {"green": True}
