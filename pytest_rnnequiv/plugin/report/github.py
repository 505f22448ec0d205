"""Annotations for GitHub Actions: what is wrong, beside the file that it is about.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions has the form of these lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from . import Entry, Ledger
from .summary_json import verdicts_by_implementation

__all__ = ["commands"]


def commands(ledger: Ledger, root: Path) -> Iterator[str]:
    """Yield a line for each reason for which an implementation is wrong, or for what kept it from being checked.

    Parameters
    ----------
    root : Path
        The root directory of the run, to which node ids are relative.
    """
    for label, (entries, verdict) in verdicts_by_implementation(ledger).items():
        if verdict["status"] not in ("different", "failed"):
            continue
        failed = [entry for entry in entries if entry.outcome == "failed"]
        said = [(failed[0], reason["sentence"]) for reason in verdict["reasons"]]
        if not said and failed[0].check:
            said = [(failed[0], verdict["sentence"])]
        elif not said:  # tests of the project's own, each with its line
            said = [(each, f"{each.nodeid.rpartition('::')[2]} failed: what it judges is different") for each in failed]
        for entry, sentence in said:
            yield f"::error {_place(entry, root)}title={_property(f'rnn-equiv: {label}')}::{_data(sentence)}"


def _place(entry: Entry, root: Path) -> str:
    """Return ``file=...,`` and the line, where they are known, as the repository has them."""
    file, _, _ = entry.nodeid.partition("::")
    at = root / file
    where: Path | None
    if not entry.check:
        where, line = at, f"line={entry.line + 1},"
    elif at.is_file():  # a class of the project's own that holds the checks
        where, line = at, ""
    else:
        where, line = _source(entry.identity, at.with_name("conftest.py")), ""
    if where is None or not where.is_file():
        return ""
    workspace = os.environ.get("GITHUB_WORKSPACE") or root
    try:
        inside = where.resolve().relative_to(Path(workspace).resolve())
    except ValueError:
        return ""
    return f"file={_property(inside.as_posix())},{line}"


def _source(identity: str, conftest: Path) -> Path | None:
    """Return the file of an implementation: a module, a model file, or the conftest that has the fixture."""
    if os.path.isfile(identity):
        return Path(identity)
    module, colon, _ = identity.partition(":")
    if not colon:
        return conftest
    try:
        found = find_spec(module)
    except Exception:  # a package around it that does not load
        return None
    return Path(found.origin) if found is not None and found.origin else None


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
