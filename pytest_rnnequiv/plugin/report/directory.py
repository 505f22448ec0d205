"""The directory of a report: what lies in it is of the last run, and of nothing else.

``summary.json`` is for programs, ``report.html`` for people, ``badge.json`` for a README, and the evidence lies in
``failures``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from . import Ledger

__all__ = ["FAILURES", "begin", "take_down", "write"]

FAILURES = "failures"
"""Where, in the directory of a report, the evidence of failures lies."""

_WRITTEN = ".written"
"""The file in it that names the evidence: what a user keeps there is not ours to delete."""


def begin(profile: str, directory: Path, shard: str = "") -> None:
    """Make the directory of a report, take away the evidence of earlier runs, and say that this one is not over.

    So what a run leaves behind that is killed says so too.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    failures = directory / FAILURES
    if failures.exists():
        _forget(failures)
    unfinished = Ledger()
    unfinished.interrupted = True
    write(unfinished, profile, directory, shard)


def _forget(failures: Path) -> None:
    written = failures / _WRITTEN
    if not failures.is_dir():
        raise NotADirectoryError(f"{failures} is no directory")
    if not written.exists():
        return
    for name in written.read_text(encoding="utf-8").splitlines():
        if name == Path(name).name:
            (failures / name).unlink(missing_ok=True)
    written.unlink()
    with contextlib.suppress(OSError):  # something of the user's is in it
        failures.rmdir()


def take_down(failures: Path, files: list[Path]) -> None:
    """Take down which files are evidence of this run; the next one takes them away.

    Raises
    ------
    OSError
        If that cannot be written.
    """
    with (failures / _WRITTEN).open("a", encoding="utf-8") as written:
        written.writelines(f"{file.name}\n" for file in files)


def write(ledger: Ledger, profile: str, directory: Path, shard: str = "") -> None:
    """Write all files of a report into a directory, which is made if need be.

    Raises
    ------
    OSError
        If one of them cannot be written.
    """
    from . import badge, page, summary_json

    directory.mkdir(parents=True, exist_ok=True)
    summary = summary_json.summary(ledger, profile, shard)
    for name, text in (
        ("summary.json", summary_json.text(summary)),
        ("badge.json", badge.text(summary)),
        ("report.html", page.text(ledger, summary, directory)),
    ):
        (directory / name).write_text(text, encoding="utf-8")
