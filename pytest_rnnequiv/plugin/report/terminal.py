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

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Literal, NamedTuple

import pytest

from pytest_rnnequiv import tally
from pytest_rnnequiv.plugin import ALLOTTING, GIVEN, to_check
from pytest_rnnequiv.plugin.report import LEDGER, Entry, Ledger, coverage, durations, matrix, summed
from pytest_rnnequiv.plugin.settings import DEFAULT_IMPLEMENTATION, Settings
from pytest_rnnequiv.tally import Tally
from pytest_rnnequiv.wording import wrapped

__all__ = ["Progress", "TerminalReport", "progress", "write_summary"]

_INDENT = " " * len("rnn-equiv: ")
_MOST_LINES = 15  # a longer summary is folded, unless -v


# -- progress


class Progress:
    """Shows a passing message behind whatever pytest has written on the current line.

    The message leaves no trace: the cursor returns to where it was, pytest's own writer does not learn of it,
    and it goes around the capturing. Where that cannot work, nothing is shown.

    Parameters
    ----------
    config
        The run; None makes a progress that never shows anything.
    """

    _PATIENCE = 0.5
    """Seconds an item may take before its ticks are shown; most need no sign of life."""

    _PERIOD = 0.1
    """Seconds between two ticks that are shown."""

    def __init__(self, config: pytest.Config | None) -> None:
        self._config = config
        self._shown = False
        self._next_tick = 0.0

    def say(self, text: str) -> None:
        """Show `text` now, until something else is written."""
        if self._config is not None:
            # Save the cursor and stop wrapping, write, erase the rest, and take all back.
            self._write(f"\x1b7\x1b[?7l {text}\x1b[K\x1b[?7h\x1b8")
            self._shown = True

    def tick(self, text: str) -> None:
        """Show `text` if the last message is old enough; to be called as often as one likes."""
        if self._config is not None and (now := time.monotonic()) >= self._next_tick:
            self._next_tick = now + self._PERIOD
            self.say(text)

    def start(self) -> None:
        """Begin a new item, whose first tick may wait."""
        self._next_tick = time.monotonic() + self._PATIENCE

    def clear(self) -> None:
        """Take the message away."""
        if self._shown:
            self._write("\x1b[K")
            self._shown = False

    def _write(self, text: str) -> None:
        assert self._config is not None
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            sys.stdout.write(text)
            sys.stdout.flush()


_PROGRESS = pytest.StashKey[Progress]()


def progress(config: pytest.Config) -> Progress:
    """Return what shows a passing message in the terminal of this run.

    It shows something only on a real terminal that understands control sequences, and neither with ``-q`` nor
    in the processes of pytest-xdist.
    """
    shown = config.stash.get(_PROGRESS, None)
    if shown is None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        visible = reporter is not None and reporter.isatty and reporter.hasmarkup and reporter.verbosity >= 0
        shown = config.stash[_PROGRESS] = Progress(config if visible else None)
    return shown


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
        header = _header(to_check(self._config, self._settings), self._settings)
        given = self._config.stash.get(GIVEN, None)
        lines = [*f"rnn-equiv: {header}".split("\n"), *([] if given is None else [f"{_INDENT}{given}"])]
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
        return f"{cases:,} cases, {rate:.0f} a second, {_duration(left)} left"


# -- header


def _header(names: list[str], settings: Settings) -> str:
    selfcheck = ", selfcheck" if settings.selfcheck else ""
    more = selfcheck
    more += "" if settings.budget is None else f", budget {_duration(settings.budget)}"
    more += "" if settings.shard is None else f", shard {settings.shard}"
    return f"{', '.join(map(_with_versions, names))}; profile {settings.profile}{more}{_absent(names)}"


def _absent(names: list[str]) -> str:
    """Say which runtimes are not among `all`, since they are not installed, and how to have them."""
    from pytest_rnnequiv.implementations.registry import ALL, absent

    missing = absent() if ALL in names else []
    return "".join(f"\n  not installed: {runtime.name} ({runtime.install})" for runtime in missing)


def _with_versions(implementation: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    versions = {}
    for distribution in _distributions(implementation):
        try:
            versions[distribution] = version(distribution)
        except PackageNotFoundError:
            continue
    implementation = os.path.basename(implementation)
    return f"{implementation} ({_list(versions)})" if versions else implementation


def _distributions(implementation: str) -> list[str]:
    """Return whose versions matter: what a runtime, or a group of them, needs, or the package in which a port is."""
    from pytest_rnnequiv.implementations.registry import ALL, BUILT_IN, GROUPS, expand, runs_file

    named = expand([implementation]) if implementation in (ALL, *GROUPS) else [implementation]
    members = [member for name in named if (member := BUILT_IN.get(name) or runs_file(name))]
    libraries = {library for member in members for library in member.libraries}
    return sorted(libraries) or [implementation.partition(":")[0].partition(".")[0]]


# -- summary

Markup = dict[str, bool]

_LOUD: Markup = {"yellow": True, "bold": True}
_FAILED: Markup = {"red": True, "bold": True}


class _Row(NamedTuple):
    """A line of the table."""

    label: str
    tally: Tally
    failed: bool
    kind: Literal["implementation", "check", "total"]


class _Remark(NamedTuple):
    """A line below the table."""

    text: str
    markup: Markup
    loud: bool = False  # even with -q


def write_summary(reporter: pytest.TerminalReporter, ledger: Ledger, settings: Settings) -> None:
    """Write the summary: a table, and below it what a reader must not miss; with ``-q`` one line."""
    if reporter.config.option.collectonly:
        return
    deselected = reporter.stats.get("deselected", []) if reporter.config.option.keyword else []
    remarks = list(_remarks(ledger, settings, deselected))
    reporter.ensure_newline()
    if reporter.verbosity < 0:
        remarks = [remark for remark in remarks if remark.loud]
        if ledger.counted:
            _write_line(reporter, f"rnn-equiv: {_in_words(summed(ledger.counted))}", _markup(_total(ledger)))
    else:
        reporter.section("rnn-equiv")
        if settings.selfcheck:
            _write_selfcheck(reporter, ledger)
        elif ledger.counted:
            _write_table(reporter, ledger, room=_MOST_LINES - 1 - len(remarks))
            if reporter.verbosity > 0:
                for line, markup in coverage.lines(summed(ledger.counted).covered, reporter._tw.fullwidth):
                    reporter.write_line(line, **markup)
                _write_matrix(reporter, ledger)
    if settings.durations:
        reporter.write_line("")
        for line in durations.lines(ledger):
            reporter.write_line(line)
    for remark in remarks:
        _write_wrapped(reporter, remark.text, remark.markup)


def _write_table(reporter: pytest.TerminalReporter, ledger: Ledger, room: int) -> None:
    rows = _rows(ledger)
    whole = summed(ledger.counted)
    versions = _list(whole.versions)
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
            _write_line(reporter, _shorten(label, full), markup)
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
        missed = f"NOT CAUGHT in {_plural(counted.cases, 'case')}"
        row = [facts.get(key, "") for key in keys]
        if "caught after" not in facts:
            row[1] = missed
        elif facts["named"] == facts["mistake"]:
            row[3] = "rightly"
        cells.append(row)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for index, cell_row in enumerate(cells):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cell_row, widths, strict=True)).rstrip()
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
        for check, group in _group(below, _check).items():
            rows.append(_row(f"  {check}", group, "check"))
    return rows if len(by_implementation) == 1 else [*rows, _total(ledger)]


def _check(entry: Entry) -> str:
    return entry.check or entry.nodeid.partition("[")[0]


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
    ratio = _ratio(counted.worst_error_over_bound)
    return row.label, str(counted.cases), conclusive, ratio, _duration(counted.seconds)


def _in_words(counted: Tally) -> str:
    words = [_plural(counted.cases, "case")]
    if counted.inconclusive:
        words.append(f"{counted.inconclusive} inconclusive")
    words += (f"error/bound {_ratio(counted.worst_error_over_bound)}", _duration(counted.seconds))
    return ", ".join((*words, _list(counted.versions))).removesuffix(", ")


def _remarks(ledger: Ledger, settings: Settings, deselected: Iterable[pytest.Item] = ()) -> Iterator[_Remark]:
    """Yield what a reader must not miss, most harmless first."""
    yield from _skips(ledger)
    for note in summed(ledger.counted).notes:
        yield _Remark(note, {})
    for label, entries in ledger.by_implementation(ledger.entries).items():
        if declined := sum(entry.declined for entry in entries):
            yield _Remark(f"{label} declined {_plural(declined, 'case')}, which are left out", {"yellow": True})
    shown = [entry for entry in ledger.entries if entry.check == "known_divergence" and entry.outcome == "xfailed"]
    if shown:
        # "known divergence of Keras 3.15.1: ...", as the items say it
        libraries = dict.fromkeys(entry.reason.partition(": ")[0].split()[-2] for entry in shown)
        yield _Remark(
            f"{_plural(len(shown), 'known divergence')} of {', '.join(libraries)} shown, and steered around elsewhere "
            "(-rx names them)",
            {"yellow": True},
        )
    if settings.budget is not None or settings.profile == "thorough":
        yield from (_Remark(text, {}) for text in coverage.news(ledger))
    interrupted = tally.take()
    if interrupted is not None and interrupted.cases:
        yield _Remark(f"interrupted after {_plural(interrupted.cases, 'case')} of one more", {"yellow": True})
    elif ledger.interrupted and settings.enabled and not ledger.entries:
        yield _Remark("interrupted before the first check was over", {"yellow": True})
    for label, entries in ledger.by_implementation(ledger.counted).items():
        if not any(entry.outcome == "failed" for entry in entries) and (mistakes := summed(entries).mistakes):
            yield _Remark(f"{label}: {_what_it_saw(mistakes)}", {})
    for entry in ledger.passed_without_an_answer():
        cases = _plural(entry.cases, "case")
        text = f"PASSED, BUT NOTHING WAS SHOWN: {entry.nodeid}: {cases}, none conclusive"
        yield _Remark(text, _LOUD, loud=True)
    for label, why in ledger.showing_too_little().items():
        yield _Remark(f"TOO LITTLE WAS SHOWN OF {label}: {why}", _FAILED, loud=True)
    if settings.enabled and not ledger.interrupted and not any(entry.check for entry in ledger.entries):
        yield _Remark(f"no check of the suite ran{_what_there_is(deselected)}", _LOUD, loud=True)
    for problem in ledger.problems:
        yield _Remark(problem, _FAILED, loud=True)
    if settings.require_implementation and not ledger.checked_more_than(DEFAULT_IMPLEMENTATION):
        text = f"nothing but the default implementation ({DEFAULT_IMPLEMENTATION}) was checked."
        yield _Remark(f"--rnn-equiv-require-impl: {text}", _FAILED, loud=True)


def _what_there_is(deselected: Iterable[pytest.Item]) -> str:
    """Name the checks that -k has left out, where it has left out all: there may be a typing error in it."""
    checks = [item for item in deselected if item.get_closest_marker("rnn_equiv")]
    if not checks:
        return ""
    names = dict.fromkeys(getattr(item, "originalname", item.name).removeprefix("test_") for item in checks)
    return f": -k fits none of {', '.join(names)}"


#: Reasons of skips that are told one by one; more fill a screen, and pytest's ``-rs`` has them all.
_FEW_REASONS = 3


def _skips(ledger: Ledger) -> Iterator[_Remark]:
    """Count the checks that were skipped, by their reasons, or by implementation where there are many of them."""
    skipped = [entry for entry in ledger.entries if entry.check and entry.outcome == "skipped"]
    by_reason = Counter(entry.reason for entry in skipped)
    if len(by_reason) <= _FEW_REASONS:
        for reason, number in by_reason.items():
            yield _Remark(f"{_plural(number, 'check')} skipped: {reason or 'no reason given'}", {"yellow": True})
        return
    for label, entries in ledger.by_implementation(skipped).items():
        reasons = len({entry.reason for entry in entries})
        if reasons == 1:
            text = f"{_plural(len(entries), 'check')} skipped: {entries[0].reason or 'no reason given'}"
        else:
            text = f"{label}: {_plural(len(entries), 'check')} skipped, for {reasons} reasons (-rs tells them)"
        yield _Remark(text, {"yellow": True})


#: Names of mistakes that are told in the terminal; all of them are in ``summary.json``.
_FEW_NAMES = 6


def _what_it_saw(mistakes: dict[str, bool]) -> str:
    """Say which mistakes would have been seen, and which would not."""
    missed = [name for name, seen in mistakes.items() if not seen]
    said = f"would have seen {len(mistakes) - len(missed)} of {_plural(len(mistakes), 'mistake')}"
    if not missed:
        return said
    more = f" and {len(missed) - _FEW_NAMES} more" if len(missed) > _FEW_NAMES else ""
    return f"{said}; not: {', '.join(missed[:_FEW_NAMES])}{more}"


def _is_remarkable(row: _Row) -> bool:
    # what failed without having been asked is told in the verdict
    return (row.failed and row.tally.cases > 0) or row.tally.inconclusive > 0


def _markup(row: _Row) -> Markup:
    if row.failed:
        return {"red": True}
    if not row.tally.conclusive:
        return _LOUD
    if row.tally.inconclusive:
        return {"yellow": True}
    return {} if row.kind == "check" else {"green": True}


# -- words


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _ratio(value: float) -> str:
    if not value:
        return "-"
    return f"{value:.2f}" if 0.01 <= value < 100 else f"{value:.0e}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else f"{int(seconds // 60)}m{int(seconds % 60):02}s"


def _shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: both ends of a node id tell something."""
    if len(text) <= width:
        return text
    tail = (width - 3) * 2 // 3
    return f"{text[: width - 3 - tail]}...{text[len(text) - tail :]}"
