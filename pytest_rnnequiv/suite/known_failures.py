"""Checks that are known to fail for an implementation, each with its reason.

An entry is ``CHECK[IMPLEMENTATION]: REASON``, or ``CHECK: REASON`` for every implementation, with the names that node ids
and the summary have: ``nan[firmware:Port]: the clamp in front of the table swallows NaN``. A known failure is strict: the
check must fail, so that its repair is noticed too. An entry that matches nothing is an error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["KnownFailure", "KnownFailures", "parse"]

_ENTRY = re.compile(r"(?:test_)?(?P<check>\w+)(?:\[(?P<implementation>[^\]]+)\])?\s*:\s+(?P<reason>\S.*)")


class KnownFailure(NamedTuple):
    """One entry."""

    text: str
    check: str
    implementation: str | None
    reason: str

    def matches(self, item: pytest.Item) -> bool:
        """Whether the entry means this item of the suite."""
        name, _, parameters = item.name.partition("[")
        return name.removeprefix("test_") == self.check and self.implementation in (None, parameters[:-1])


def parse(lines: list[str], source: str) -> list[KnownFailure]:
    """Read entries; empty lines and those that begin with ``#`` are left out.

    Raises
    ------
    pytest.UsageError
        If a line is no entry.
    """
    entries = []
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        match = _ENTRY.fullmatch(line)
        if match is None:
            raise pytest.UsageError(
                f"{source}: {line!r} is no known failure; expected CHECK[IMPLEMENTATION]: REASON, "
                "such as nan[my_port:run]: it clamps its inputs"
            )
        entries.append(KnownFailure(line, match["check"], match["implementation"], match["reason"]))
    return entries


def read(file: Path) -> list[KnownFailure]:
    """Read entries from a file, one a line.

    Raises
    ------
    pytest.UsageError
        If the file cannot be read, or a line is no entry.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"--rnn-equiv-known-failures: {file} cannot be read: {error}") from None
    return parse(lines, str(file))


class KnownFailures:
    """The plugin that marks the items.

    Parameters
    ----------
    entries : list of KnownFailure
    complete : bool
        Whether the whole suite is collected, so that an entry without an item is an error.
    """

    def __init__(self, entries: list[KnownFailure], complete: bool) -> None:
        self.entries = entries
        self.complete = complete

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the items as strict expected failures (pytest hook), before any of them is deselected."""
        suite = [item for item in items if item.get_closest_marker("rnn_equiv")]
        for entry in self.entries:
            meant = [item for item in suite if entry.matches(item)]
            for item in meant:
                item.add_marker(pytest.mark.xfail(reason=entry.reason, strict=True))
            if not meant and self.complete:
                names = sorted({item.name.removeprefix("test_") for item in suite})
                raise pytest.UsageError(
                    f"the known failure {entry.text!r} matches no check; there are {', '.join(names) or 'none'}"
                )
