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
from collections.abc import Callable, Generator
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_rnnequiv.plugin.fixtures import (
    _rnn_equiv_port,
    build_gru,
    build_lstm,
    build_simple_rnn,
    rnn_implementation,
)

if TYPE_CHECKING:
    from pytest_rnnequiv.plugin.given import Given
    from pytest_rnnequiv.plugin.report import Ledger
    from pytest_rnnequiv.run_state import RunState

__all__ = [
    "DEFAULT_IMPLEMENTATION",
    "GIVEN",
    "MODEL_SUFFIXES",
    "PROFILES",
    "SUITE_FILE",
    "Settings",
    "_rnn_equiv_port",
    "build_gru",
    "build_lstm",
    "build_simple_rnn",
    "rnn_implementation",
    "settings",
    "to_check",
]

DEFAULT_IMPLEMENTATION = "keras"
"""What is checked when nobody says what to check."""

SUITE_FILE = "rnn_equiv.py"
"""The file that the suite's node ids name. It exists nowhere; it ends so because editors split ids there."""

PROFILES = ("quick", "default", "thorough")

CELL_NAMES = ("SimpleRNN", "GRU", "LSTM")
"""The cells that come with the plugin; a test holds it to `cells.CELLS`, which is too much to import here."""


def _profile(text: str) -> str:
    if text not in PROFILES:
        raise ValueError(f"{text!r} is not a profile; choose one of {', '.join(PROFILES)}.")
    return text


def _cell(text: str) -> str:
    if text not in CELL_NAMES:
        raise ValueError(f"{text!r} is not a cell; choose some of {', '.join(CELL_NAMES)}.")
    return text


class SourceFile(NamedTuple):
    """An implementation in a file, as it was asked for: ``my_rnn.py:run``."""

    path: Path
    attribute: str


def _implementation(text: str) -> str | SourceFile | ModelFile:
    if text == text.strip() and text.lower().endswith(MODEL_SUFFIXES):
        return ModelFile(Path(text))
    module, colon, attribute = text.rpartition(":")  # the last one: a path on Windows has another
    if not text or (colon and not (module and attribute)) or text != text.strip():
        raise ValueError(f"{text!r} is neither the name of an implementation nor module:attribute.")
    if text.endswith(".py"):
        raise ValueError(f"{text!r} does not say what in that file is to be checked, as {text}:run does.")
    return SourceFile(Path(module), attribute) if module.endswith(".py") else text


MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".onnx", ".tflite")
"""Files that can be run; a test holds it to `registry.FILES`, which is too much to import here."""


class ModelFile(NamedTuple):
    """An implementation that is a model file: ``model.onnx``."""

    path: Path


def _part(text: str) -> str:
    if text not in ("whole", "recurrent"):
        raise ValueError(f"{text!r} is no part of a model; choose one of whole, recurrent.")
    return text


def _file(text: str) -> Path:
    if not text:
        raise ValueError("the name of a file is missing.")
    return Path(text)


def _directory(text: str) -> Path:
    if not text:
        raise ValueError("the name of a directory is missing.")
    return Path(text)


def _known_failure(text: str) -> str | Path:
    if not text:
        raise ValueError("the name of a file is missing.")
    return text if ": " in text or text.startswith("#") else Path(text)


def _option(
    flag: str,
    help: str,
    *,
    metavar: str | None = None,
    parse: Callable[[str], object] | None = None,
    implies: bool = False,
    ini: bool = True,
) -> dict[str, Any]:
    """Describe the option behind a field of `Settings`.

    The field's default decides what kind of option it is: ``False`` makes a switch, ``()`` an option that may
    be given several times, and anything else an option with one value. `parse` turns the text of a value into
    the value; if it cannot, it raises `ValueError` with one sentence. An option that names what to check implies the
    suite where it stands on the command line: asked for, it must not be ignored. Its ini value says how, not whether.
    An option that only asks something has no ini twin.
    """
    return {"flag": flag, "help": help, "metavar": metavar, "parse": parse, "implies": implies, "ini": ini}


@dataclass(frozen=True, eq=False, repr=False)  # what is left out costs time at every start
class Settings:
    """What the user asked for: one field for each option, which is declared here and nowhere else.

    Each option has an ini twin, ``rnn_equiv_profile`` for ``--rnn-equiv-profile``; the command line wins.
    """

    enabled: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv", "Run the built-in suite of RNN equivalence checks beside the project's own tests."
        ),
    )
    implementations: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "--rnn-equiv-impl",
            "What to check: the name of an implementation (--rnn-equiv-list names them), all, module:attribute, "
            f"file.py:attribute, or a model file that can be run ({', '.join(MODEL_SUFFIXES)}); may be given several "
            f"times (default: {DEFAULT_IMPLEMENTATION}).",
            metavar="NAME",
            parse=_implementation,
            implies=True,
        ),
    )
    cells: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "--rnn-equiv-cell",
            f"Which cells to check, of {', '.join(CELL_NAMES)}; may be given several times (default: all that an "
            "implementation declares).",
            metavar="NAME",
            parse=_cell,
            implies=True,
        ),
    )
    model: Path | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-model",
            "The model that is meant: its architecture and its trained weights, of a file that is read as data; only "
            "inputs are drawn.",
            metavar="FILE",
            parse=_file,
            implies=True,
        ),
    )
    inputs: Path | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-inputs",
            "Recorded inputs of that model, an .npz or .npy file of arrays (N, T, D), beside those that are drawn.",
            metavar="FILE",
            parse=_file,
            implies=True,
        ),
    )
    part: str = field(
        default="whole",
        metadata=_option(
            "--rnn-equiv-model-part",
            "Which part of that model: whole, or recurrent, without what is before and behind its recurrent layers.",
            metavar="PART",
            parse=_part,
            implies=True,
        ),
    )
    profile: str = field(
        default="default",
        metadata=_option(
            "--rnn-equiv-profile",
            f"How much to check: {', '.join(PROFILES)}.",
            metavar="PROFILE",
            parse=_profile,
            implies=True,
        ),
    )
    require_implementation: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-require-impl", "Fail the run if nothing but the default implementation was checked."
        ),
    )
    report: Path | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-report",
            "Write report.html, summary.json, badge.json and the evidence of each failure to DIR.",
            metavar="DIR",
            parse=_directory,
            implies=True,
        ),
    )
    selfcheck: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-selfcheck",
            "Run the suite against every mistake in the catalogue and say what was caught (implies --rnn-equiv).",
        ),
    )

    known_failures: tuple[str | Path, ...] = field(
        default=(),
        metadata=_option(
            "--rnn-equiv-known-failures",
            "A file of checks that are known to fail, one a line as CHECK[IMPLEMENTATION]: REASON, or such a line "
            "itself; may be given several times. Strict: they must fail.",
            metavar="FILE",
            parse=_known_failure,
            implies=True,
        ),
    )

    listing: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-list",
            "List the implementations that can be checked: installed or not, version, what they can be asked, and the "
            "line that installs them; then exit.",
            ini=False,
        ),
    )


_SETTINGS = pytest.StashKey[Settings]()
GIVEN: pytest.StashKey[Given] = pytest.StashKey()
"""The model and the inputs that the options name; set where they name any."""
_RUN: pytest.StashKey[RunState] = pytest.StashKey()


def settings(config: pytest.Config) -> Settings:
    """Return what the command line and the ini file of `config` ask for.

    Raises
    ------
    pytest.UsageError
        If an option or an ini value means nothing.
    """
    known = config.stash.get(_SETTINGS, None)
    if known is None:
        known = Settings(**{option.name: _read(config, option) for option in fields(Settings)})
        if known.selfcheck or _implied(config) or _suite_is_named(config):
            known = replace(known, enabled=True)
        config.stash[_SETTINGS] = known
    return known


def _read(config: pytest.Config, option: Field[Any]) -> Any:
    """Return the value of one option: from the command line, else from the ini file, else its default."""
    flag, parse = option.metadata["flag"], option.metadata["parse"]
    source, base = flag, config.invocation_params.dir
    value = config.getoption(_dest(flag))
    if value is None and option.metadata["ini"]:
        source, base = f"ini value {_dest(flag)}", config.rootpath
        try:
            value = config.getini(_dest(flag)) or None
        except (TypeError, ValueError, pytest.UsageError) as error:
            raise pytest.UsageError(f"{source}: {error}.") from None
    if value is None or parse is None:
        return option.default if value is None else value
    try:
        parsed = tuple(map(parse, value)) if isinstance(value, list) else parse(value)
    except ValueError as error:
        raise pytest.UsageError(f"{source}: {error}") from None
    if isinstance(parsed, tuple):
        return tuple(_placed(each, base) for each in parsed)
    return _placed(parsed, base)


def _placed(value: Any, base: Path) -> Any:
    """Take a path as it is meant where it was written."""
    if isinstance(value, ModelFile):
        return str(base / value.path)
    if isinstance(value, SourceFile):
        return f"{base / value.path}:{value.attribute}"
    return base / value if isinstance(value, Path) else value


def _dest(flag: str) -> str:
    """Return the name under which pytest keeps an option; its ini twin has the same."""
    return flag.lstrip("-").replace("-", "_")


def _implied(config: pytest.Config) -> bool:
    """Tell whether an option on the command line is about the suite and nothing else."""
    implying = (option.metadata["flag"] for option in fields(Settings) if option.metadata["implies"])
    return any(config.getoption(_dest(flag)) for flag in implying)


def _suite_is_named(config: pytest.Config) -> bool:
    """Tell whether a node id of the suite is on the command line: that asks for the suite clearly enough."""
    if not any(SUITE_FILE in arg for arg in config.args):
        return False
    from pytest_rnnequiv.plugin.collection import parse_suite_id

    return any(parse_suite_id(config, arg) for arg in config.args)


def _is_xdist_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini twins (pytest hook)."""
    group = parser.getgroup("rnn-equiv", "equivalence of RNN implementations")
    for option in fields(Settings):
        flag, help, metavar = (option.metadata[key] for key in ("flag", "help", "metavar"))
        # Without a value on the command line an option is None, so that the ini file can speak.
        if option.default is False:
            group.addoption(flag, action="store_true", default=None, help=help)
            if option.metadata["ini"]:
                parser.addini(_dest(flag), help, type="bool", default=False)
        elif option.default == ():
            group.addoption(flag, action="append", default=None, metavar=metavar, help=help)
            parser.addini(_dest(flag), help, type="linelist", default=[])
        else:
            group.addoption(flag, default=None, metavar=metavar, help=help)
            parser.addini(_dest(flag), help, type="string", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> None:
    """Name the option that was meant, where pytest would say only that it knows none of that name (pytest hook)."""
    known = [option.metadata["flag"] for option in fields(Settings)]
    for flag in (arg.partition("=")[0] for arg in args if arg.startswith("--rnn-equiv")):
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
    if chosen.enabled:
        _start(config, chosen)
    if _reports(config, chosen):
        _begin_report(chosen)


def _start(config: pytest.Config, chosen: Settings) -> None:
    from pytest_rnnequiv.plugin.collection import SuiteCollection, load_root_conftest
    from pytest_rnnequiv.plugin.report.terminal import TerminalReport

    load_root_conftest(config)
    chosen = config.stash[_SETTINGS] = _found(config, chosen)
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
        directory.begin(chosen.profile, chosen.report)
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
    report = yield
    if call.excinfo is not None and "pytest_rnnequiv.failures.assertion" in sys.modules:
        from pytest_rnnequiv.plugin.report import evidence

        evidence.keep(item, settings(item.config).report, call.excinfo.value, report)
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
        _write_report(ledger, chosen.profile, chosen.report)
    if not _is_green(ledger, chosen) and session.exitstatus in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _write_report(ledger: Ledger, profile: str, place: Path) -> None:
    from pytest_rnnequiv.plugin.report import directory

    try:
        directory.write(ledger, profile, place)
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
