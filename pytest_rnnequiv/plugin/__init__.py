"""pytest's face of the package: the options, the marker, and the switch that starts the rest.

Every pytest run of every project that has the package installed imports this module, mostly without
``--rnn-equiv``. So what stands here is only what pytest must know before it knows whether it is wanted:
the options, the marker, the fixtures' names. What collects the suite (`pytest_rnnequiv.plugin.collection`) and what
prints (`pytest_rnnequiv.plugin.report.terminal`) are plugins of their own, which are imported and registered at
the start of a session that asked for them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_rnnequiv.plugin.fixtures import (
    _rnn_equiv_port,
    build_gru,
    build_lstm,
    build_simple_rnn,
    rnn_implementation,
)
from pytest_rnnequiv.plugin.settings import DEFAULT_IMPLEMENTATION, SETTINGS, Settings, add_options, settings

if TYPE_CHECKING:
    from pytest_rnnequiv.plugin.given import Given
    from pytest_rnnequiv.plugin.report import Ledger
    from pytest_rnnequiv.run_state import RunState

__all__ = [
    "ALLOTTING",
    "GIVEN",
    "_rnn_equiv_port",
    "build_gru",
    "build_lstm",
    "build_simple_rnn",
    "rnn_implementation",
    "to_check",
]

GIVEN: pytest.StashKey[Given] = pytest.StashKey()
"""The model and the inputs that the options name; set where they name any."""
ALLOTTING = "rnn_equiv_allotting"
"""The name of the plugin that gives checks their parts of a budget, and of a shard."""
_RUN: pytest.StashKey[RunState] = pytest.StashKey()


def _is_xdist_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini twins (pytest hook)."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> None:
    """Name the option that was meant, where pytest would say only that it knows none of that name (pytest hook)."""
    asked = [arg.partition("=")[0] for arg in args if arg.startswith("--rnn-equiv")]
    known = [option.metadata["flag"] for option in fields(Settings)] if asked else []
    for flag in asked:
        if flag not in known:
            from pytest_rnnequiv.wording import did_you_mean

            meant = did_you_mean(flag, known) or f"; there are {', '.join(known)}"
            raise pytest.UsageError(f"there is no option {flag}{meant}")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print the list that was asked for, in the place of a run (pytest hook)."""
    if not config.getoption("rnn_equiv_list"):
        return None
    from _pytest.config import create_terminal_writer

    from pytest_rnnequiv.plugin.listing import listing

    terminal = create_terminal_writer(config)
    for line in listing(terminal.fullwidth):
        terminal.line(line)
    return 0


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for ``--strict-markers`` (pytest hook)."""
    config.addinivalue_line("markers", "rnn_equiv: a check of the suite that --rnn-equiv adds.")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start what the user asked for, before pytest prints its header (pytest hook).

    Not at configure time: a bad ini value should not take ``pytest --help`` away.
    """
    from pytest_rnnequiv import run_state
    from pytest_rnnequiv.plugin.report import LEDGER, Ledger

    config = session.config
    config.stash[_RUN] = run = run_state.begin()
    config.add_cleanup(lambda: run_state.end(run))
    config.stash[LEDGER] = ledger = Ledger()
    config.pluginmanager.register(ledger, "rnn_equiv_ledger")
    chosen = settings(config)
    ledger.least = chosen.least
    ledger.partial = chosen.shard is not None
    if chosen.enabled:
        _start(config, chosen)
    if _reports(config, chosen):
        _begin_report(chosen)


def _start(config: pytest.Config, chosen: Settings) -> None:
    from pytest_rnnequiv.plugin.collection import SuiteCollection, load_root_conftest
    from pytest_rnnequiv.plugin.report.terminal import TerminalReport

    load_root_conftest(config)
    chosen = config.stash[SETTINGS] = _found(config, chosen)
    if chosen.model is not None or chosen.inputs is not None:
        from pytest_rnnequiv.plugin.given import read_given

        config.stash[GIVEN] = read_given(chosen)
    if not _is_xdist_worker(config):
        from pytest_rnnequiv.plugin import termination

        _check_available(config, chosen)
        termination.in_order(config)
    if chosen.known_failures:
        from pytest_rnnequiv.suite.known_failures import KnownFailures

        config.pluginmanager.register(KnownFailures.read(chosen.known_failures), "rnn_equiv_known_failures")
    config.pluginmanager.register(SuiteCollection(config, chosen), "rnn_equiv_collection")
    if chosen.budget is not None or chosen.shard is not None:
        from pytest_rnnequiv.plugin.allotting import Allotting

        workers = int(getattr(config, "workerinput", {}).get("workercount", 0))
        config.pluginmanager.register(Allotting(chosen.budget, chosen.shard, workers), ALLOTTING)
    config.pluginmanager.register(TerminalReport(config, chosen), "rnn_equiv_terminal")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have what keeps an implementation from being checked told once, where there are checks (pytest hook).

    They may stand in a class of the project's own, without the flag.
    """
    if settings(session.config).enabled or "pytest_rnnequiv.suite.equivalence" in sys.modules:
        from pytest_rnnequiv.plugin.told_once import ToldOnce

        session.config.pluginmanager.register(ToldOnce(), "rnn_equiv_told_once")


def _found(config: pytest.Config, chosen: Settings) -> Settings:
    """Return the settings with importable names for all that is checked; `sys.path` grows if need be.

    Raises
    ------
    pytest.UsageError
        If a file that was named is not there, or cannot be imported.
    """
    from pytest_rnnequiv.implementations.errors import ImplementationError
    from pytest_rnnequiv.implementations.registry import importable

    folders = [config.invocation_params.dir, config.rootpath]
    try:
        names = tuple(importable(name, folders) for name in chosen.implementations)
    except ImplementationError as error:
        raise pytest.UsageError(str(error)) from None
    return replace(chosen, implementations=names)


def _reports(config: pytest.Config, chosen: Settings) -> bool:
    """Tell whether this process writes the report."""
    return chosen.report is not None and not config.option.collectonly and not _is_xdist_worker(config)


def _begin_report(chosen: Settings) -> None:
    """See that the report can be written, before anything runs.

    Raises
    ------
    pytest.UsageError
        If it cannot.
    """
    from pytest_rnnequiv.plugin.report import directory

    assert chosen.report is not None
    try:
        directory.begin(chosen.profile, chosen.report, str(chosen.shard or ""))
    except OSError as error:
        raise pytest.UsageError(f"--rnn-equiv-report: {chosen.report} cannot be written: {error}") from None


def to_check(config: pytest.Config, chosen: Settings) -> list[str]:
    """Return the names of what is checked, unless a conftest that is not known yet says otherwise."""
    from pytest_rnnequiv.plugin.collection import OVERRIDE, overrides_implementation

    overridden = any(map(overrides_implementation, config.pluginmanager.get_plugins()))
    named = [OVERRIDE] if overridden else []
    return [*named, *chosen.implementations] or [DEFAULT_IMPLEMENTATION]


def _check_available(config: pytest.Config, chosen: Settings) -> None:
    """Raise a usage error if an implementation is unknown, or what it needs is not installed."""
    from pytest_rnnequiv.implementations.errors import ImplementationError
    from pytest_rnnequiv.implementations.registry import check_available
    from pytest_rnnequiv.plugin.collection import OVERRIDE

    try:
        check_available([name for name in to_check(config, chosen) if name != OVERRIDE])
    except ImplementationError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the item counted into its report, and keep the evidence of a failure (pytest hook).

    As user properties the counts travel through pytest-xdist and into the JUnit file. That holds for every
    item: a project's own test which calls `assert_equivalent` is counted like a check of the suite.
    """
    tally = sys.modules.get("pytest_rnnequiv.tally")
    if tally is not None:
        tally.close(item, call)
    began = time.perf_counter()
    report = yield
    if call.excinfo is not None and "pytest_rnnequiv.failures.assertion" in sys.modules:
        from pytest_rnnequiv.plugin.report import evidence

        evidence.keep(item, settings(item.config).report, call.excinfo.value, report)
        if tally is not None:
            tally.charge_report(report.user_properties, time.perf_counter() - began)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, and fail a run that has not shown what it was to show (pytest hook)."""
    config = session.config
    chosen = settings(config)
    if config.option.collectonly or _is_xdist_worker(config):
        return
    from pytest_rnnequiv.plugin.report import LEDGER

    ledger = config.stash.get(LEDGER, None)
    if ledger is None:  # the session did not begin
        return
    stopped = session.exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
    ledger.interrupted = bool(stopped or session.shouldstop or session.shouldfail)
    if chosen.report is not None:
        _write_report(ledger, chosen, chosen.report)
    if not _is_green(ledger, chosen) and session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write_report(ledger: Ledger, chosen: Settings, place: Path) -> None:
    from pytest_rnnequiv.plugin.report import directory

    try:
        directory.write(ledger, chosen.profile, place, str(chosen.shard or ""))
    except OSError as error:  # a disk that is full by now must not cost the table and the failures
        ledger.problems.append(f"the report could not be written: {error}")


def _is_green(ledger: Ledger, chosen: Settings) -> bool:
    """Tell whether what was to be checked was checked, and shown."""
    if chosen.require_implementation and not ledger.checked_more_than(DEFAULT_IMPLEMENTATION):
        return False
    return ledger.green


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was checked (pytest hook)."""
    from pytest_rnnequiv.plugin.report import LEDGER

    ledger = config.stash[LEDGER]
    chosen = settings(config)
    if ledger.entries or ledger.problems or chosen.enabled or chosen.require_implementation:
        from pytest_rnnequiv.plugin.report.terminal import write_summary

        write_summary(terminalreporter, ledger, chosen)
    if any(entry.accounts for entry in ledger.entries):
        from pytest_rnnequiv.plugin.report.verdicts import write_stories

        write_stories(terminalreporter, ledger)
    if any(entry.outcome == "failed" for entry in ledger.entries) and os.environ.get("GITHUB_ACTIONS") == "true":
        from pytest_rnnequiv.plugin.report.github import commands

        for line in commands(ledger, config.rootpath):
            terminalreporter.write_line(line)
