"""``--rnn-equiv-durations``: where the time of each check went, the slowest first."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_rnnequiv.plugin.report import Ledger, summed
from pytest_rnnequiv.tally import PARTS, Tally

from .words import aligned

__all__ = ["lines"]

_LEAST = 0.05
"""Seconds below which a number of the table is a dash."""


def lines(ledger: Ledger) -> Iterator[str]:
    """Yield the table: seconds by implementation and check; `other` is Hypothesis's, and the check's own."""
    rows = []
    for label, entries in ledger.by_implementation(ledger.counted).items():
        checks: dict[str, Tally] = {}
        for entry in entries:
            assert entry.tally is not None
            checks.setdefault(entry.title, Tally()).add(entry.tally)
        slowest = sorted(checks.items(), key=lambda item: item[1].seconds, reverse=True)
        rows += [_row(label, summed(entries)), *(_row(f"  {check}", counted) for check, counted in slowest)]
    if not rows:
        return
    cells = [("seconds", *PARTS, "other", "all"), *rows]
    yield from aligned(cells, right=range(1, len(cells[0])))


def _row(name: str, counted: Tally) -> tuple[str, ...]:
    spent = [counted.spent.get(part, 0.0) for part in PARTS]
    other = counted.seconds - sum(spent)
    return name, *(f"{each:.1f}" if each >= _LEAST else "-" for each in (*spent, other, counted.seconds))
