"""Which options came together in the networks that were drawn, and when something new was last seen."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_rnnequiv.plugin.report import Ledger
from pytest_rnnequiv.wording import plural, wrapped

from .words import aligned

__all__ = ["lines", "news"]

_MOST = 3
"""Checks of which it is told when they saw something new: those with most cases."""


def lines(covered: dict[tuple[str, str], int], width: int) -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield which options of networks were drawn, how often, and how often each came together with others."""
    if not covered:
        return
    pairs = {pair: cases for pair, cases in covered.items() if pair[0] != pair[1]}
    cells = [("option", "cases", "together with", "least often with")]
    for option in sorted(one for one, two in covered if one == two):
        company = {two if one == option else one: n for (one, two), n in pairs.items() if n and option in (one, two)}
        rarest = min(company, key=lambda other: (company[other], other), default="")
        least = f"{rarest} ({company[rarest]})" if rarest else "-"
        others = plural(len(company), "other")
        cells.append((option, str(covered[option, option]), others, least))
    yield "", {}
    for index, line in enumerate(aligned(cells, right=(1, 2))):
        yield line, {"bold": True} if index == 0 else {}
    together = [n for n in pairs.values() if n]
    once = f", each in {min(together)} to {max(together)} cases" if together else ""
    if missed := len(pairs) - len(together):
        once += f"; {missed} more might have, and there was no time"
    said = f"{plural(len(together), 'pair')} of options came together in one layer{once}"
    for line in wrapped(said, width):
        yield line, {"light": True}


def news(ledger: Ledger) -> Iterator[str]:
    """Say of the checks with most cases when they last saw something new: how much good it would do to go on."""
    told = [(entry, entry.tally) for entry in ledger.counted if entry.check and entry.tally and entry.tally.news]
    for entry, tally in sorted(told, key=lambda each: -each[1].conclusive)[:_MOST]:
        name = entry.nodeid.rpartition("::")[2].removeprefix("test_")
        last = ", ".join(f"{kind} after {cases:,}" for kind, cases in tally.news.items())
        yield f"{name}: the last new {last} of {tally.conclusive:,} conclusive cases"
