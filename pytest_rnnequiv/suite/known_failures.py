"""Checks that are known to fail for an implementation, each with its reason.

An entry is ``CHECK[IMPLEMENTATION]: REASON``, or ``CHECK: REASON`` for every implementation, with the names that node
ids and the summary have: ``nan[firmware:Port]: the clamp in front of the table swallows NaN``. A known failure is
strict: the check must fail, so that its repair is noticed too. What is expected is a judgement: an implementation that
cannot be loaded, or that was not judged, fails as ever. An entry that matches nothing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from ..failures.errors import errors_in
from . import told_before

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


class KnownFailures:
    """The plugin that marks the items.

    Parameters
    ----------
    entries : list of KnownFailure
    """

    def __init__(self, entries: list[KnownFailure]) -> None:
        self.entries = entries
        self._reasons: dict[str, str] = {}

    @classmethod
    def read(cls, given: Sequence[str | Path]) -> KnownFailures:
        """Read entries, and files of entries.

        Raises
        ------
        pytest.UsageError
            If a file cannot be read, or a line is no entry.
        """
        entries = []
        for each in given:
            if isinstance(each, str):
                entries += parse([each], "rnn_equiv_known_failures")
                continue
            try:
                text = each.read_text(encoding="utf-8-sig")  # with or without a byte order mark
            except (OSError, UnicodeDecodeError) as error:
                raise pytest.UsageError(f"known failures: {each} cannot be read: {error}") from None
            entries += parse(text.split("\n"), str(each))
        return cls(entries)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Find the items that are meant, before any of them is deselected (pytest hook)."""
        suite = [item for item in items if item.get_closest_marker("rnn_equiv")]
        # Node ids on the command line collect a part of the suite, in which an entry may well match nothing.
        complete = bool(suite) and not any("::" in arg for arg in config.invocation_params.args)
        for entry in self.entries:
            meant = [item for item in suite if entry.matches(item)]
            self._reasons.update({item.nodeid: entry.reason for item in meant})
            if not meant and complete:
                names = sorted({item.name.removeprefix("test_") for item in suite})
                raise pytest.UsageError(
                    f"the known failure {entry.text!r} matches no check; there are {', '.join(names)}"
                )

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Expect a judged failure of a check that is known to fail, and nothing else (pytest hook)."""
        reason = self._reasons.get(pyfuncitem.nodeid)
        if reason is None or pyfuncitem.config.option.runxfail:
            return (yield)
        try:
            yield
        except Exception as failure:
            if not _judged(failure):
                raise
            told_before.forget([*errors_in(failure)])
            raise pytest.xfail.Exception(reason) from failure
        pytest.fail(f"[XPASS(strict)] {reason}", pytrace=False)


def _judged(failure: BaseException) -> bool:
    """Whether an implementation was found to be wrong: by one failure, or several, as Hypothesis raises them."""
    inner = getattr(failure, "exceptions", None)
    return all(map(_judged, inner)) if inner else isinstance(failure, AssertionError)
