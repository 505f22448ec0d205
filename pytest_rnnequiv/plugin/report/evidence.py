"""What a failure leaves behind: the case as ``.npz``, a script, and a picture of the broken run."""

from __future__ import annotations

import base64
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest

from ...failures.assertion import EquivalenceError
from ...failures.errors import errors_in
from ...failures.story import Account, account, not_asked
from ..told_once import is_check
from . import ACCOUNTS
from .directory import FAILURES, take_down

__all__ = ["keep", "leave"]

_SECTION = "rnn-equiv: the failing case"


def directory(config: pytest.Config, report: Path | None) -> Path | None:
    """Where evidence goes: the report's directory, else pytest's cache; None where there is neither."""
    if report is not None:
        path = report / FAILURES
        path.mkdir(parents=True, exist_ok=True)
        return path
    cache = getattr(config, "cache", None)
    return None if cache is None else Path(cache.mkdir("rnn_equiv"))


def leave(error: EquivalenceError, where: Path, name: str, *, drawn: bool = True) -> list[Path]:
    """Write the evidence of one failure.

    Parameters
    ----------
    drawn : bool
        Whether somebody is shown the picture: to load matplotlib takes longer than most checks.

    Returns
    -------
    list of Path
        The case, the script, and the picture if matplotlib is installed. A case that no file can hold (an activation
        of the user's own) has its script only.
    """
    stem = where / re.sub(r"[^\w.-]+", "-", name).strip("-")
    written = []
    case_file = stem.with_name(stem.name + ".npz")
    try:
        error.case.save(case_file)
        written.append(case_file)
    except ValueError:
        case_file.unlink(missing_ok=True)
    except BaseException:  # half a file is worse than none
        with contextlib.suppress(OSError):
            case_file.unlink(missing_ok=True)
        raise
    script_file = stem.with_name(stem.name + ".py")
    script_file.write_text(error.script(case_file.name if written else None), encoding="utf-8")
    written.append(script_file)
    picture_file = stem.with_name(stem.name + ".png")
    if not drawn or error.known is not None:  # the failure that was explained first has one, of a smaller case
        return written
    with contextlib.suppress(Exception):  # no matplotlib, or nowhere to write: the case and the script are there
        from .picture import draw

        if draw(error, picture_file):
            written.append(picture_file)
    return written


def keep(item: pytest.Item, chosen: Path | None, error: BaseException, report: Any) -> None:
    """Leave the evidence of a failed item, name it in the item's report, and have the report say what is wrong."""
    found = list(errors_in(error))
    ours = is_check(item)
    if not found:
        if ours and (why := getattr(error, "not_asked", "")):
            _say(report, [(not_asked(why), why, [])])
        return
    if hasattr(report, "wasxfail") and all(each.untold for each in found):
        return
    if ours:
        with contextlib.suppress(Exception):  # then the report is long
            shorten(report, found[0])
    files: list[list[str]] = [[] for _ in found]
    try:
        files = _keep(item.config, chosen, found, report)
    except Exception as problem:  # a full disk, a directory that cannot be written: the failure itself is told
        what = f"it could not be kept: {type(problem).__name__}: {problem}"
        report.sections.append((_SECTION, f"{what} (--rnn-equiv-report DIR names another place)"))
    if ours:
        with contextlib.suppress(Exception):  # then the failure is told, and not gathered with others
            _say(report, [(account(each), each.brief, names) for each, names in zip(found, files, strict=True)])


def _say(report: Any, accounts: list[tuple[Account, str, list[str]]]) -> None:
    """Have a report say what its failures come from, in plain data."""
    said = [{"account": each.plain(), "brief": brief, "files": files} for each, brief, files in accounts]
    setattr(report, ACCOUNTS, said)


def _keep(config: pytest.Config, chosen: Path | None, found: list[EquivalenceError], report: Any) -> list[list[str]]:
    """Leave the evidence of each failure; return the names of the files."""
    where = directory(config, chosen)
    if where is None:
        return [[] for _ in found]
    drawn = chosen is not None or bool(config.getoption("htmlpath", None))
    named = []
    for number, each in enumerate(found):
        name = report.nodeid + (f"-{number + 1}" if len(found) > 1 else "")
        files = leave(each, where, name, drawn=drawn)
        if chosen is not None:
            take_down(where, files)
        attach(config, report, files, each.note)
        named.append([str(_short(config, path)) for path in files])
    return named


def shorten(report: Any, error: EquivalenceError) -> None:
    """Leave the message only: the frames between a check and its failure are ours, and tell the user nothing.

    pytest's short summary, one line for each failure, gets the diagnosis.
    """
    shown = report.longrepr
    if not hasattr(shown, "chain") or not hasattr(shown, "reprcrash"):
        return  # --tb=native, line or no
    last = shown.chain[-1][0]
    for entry in last.reprentries[-1:]:
        entry.lines = [line for line in entry.lines if line.startswith("E")]
        entry.reprfuncargs = entry.reprlocals = None
    last.reprentries = last.reprentries[-1:]
    shown.chain = shown.chain[-1:]
    shown.reprtraceback = last
    if shown.reprcrash is not None:
        shown.reprcrash.message = error.brief


def attach(config: pytest.Config, report: Any, files: list[Path], note: str = "") -> None:
    """Name the files in pytest's report, and show the picture in pytest-html's."""
    names = "\n".join([*(str(_short(config, path)) for path in files), *([note] if note else [])])
    report.sections.append((_SECTION, names))
    pictures = [path for path in files if path.suffix == ".png"]
    if pictures and config.pluginmanager.hasplugin("html"):
        with contextlib.suppress(ImportError):
            from pytest_html import extras

            images = [extras.png(base64.b64encode(path.read_bytes()).decode()) for path in pictures]
            report.extras = [*getattr(report, "extras", []), *images]


def _short(config: pytest.Config, path: Path) -> Path:
    with contextlib.suppress(ValueError):
        return path.relative_to(config.invocation_params.dir)
    return path
