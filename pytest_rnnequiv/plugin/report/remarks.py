"""What a reader of the summary must not miss: the lines below the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest

from pytest_rnnequiv import tally
from pytest_rnnequiv.plugin.report import Ledger, coverage, summed
from pytest_rnnequiv.plugin.settings import DEFAULT_IMPLEMENTATION, Settings
from pytest_rnnequiv.wording import plural

__all__ = ["LOUD", "Markup", "Remark", "remarks"]

Markup = dict[str, bool]

LOUD: Markup = {"yellow": True, "bold": True}
_FAILED: Markup = {"red": True, "bold": True}


class Remark(NamedTuple):
    """A line below the table."""

    text: str
    markup: Markup
    loud: bool = False  # even with -q


def remarks(ledger: Ledger, settings: Settings, deselected: Iterable[pytest.Item] = ()) -> Iterator[Remark]:
    """Yield what a reader must not miss, most harmless first."""
    yield from _skips(ledger)
    for note in summed(ledger.counted).notes:
        yield Remark(note, {})
    for label, entries in ledger.by_implementation(ledger.entries).items():
        if declined := sum(entry.declined for entry in entries):
            why = "; ".join(f"{reason} ({cases})" for reason, cases in summed(entries).because.items())
            said = f"{label} declined {plural(declined, 'case')}, which are left out"
            yield Remark(f"{said}: {why}" if why else said, {"yellow": True})
    shown = [entry for entry in ledger.entries if entry.check == "known_divergence" and entry.outcome == "xfailed"]
    if shown:
        # "known divergence of Keras 3.15.1: ...", as the items say it
        libraries = dict.fromkeys(entry.reason.partition(": ")[0].split()[-2] for entry in shown)
        yield Remark(
            f"{plural(len(shown), 'known divergence')} of {', '.join(libraries)} shown, and steered around elsewhere "
            "(-rx names them)",
            {"yellow": True},
        )
    if settings.budget is not None or settings.profile == "thorough":
        yield from (Remark(text, {}) for text in coverage.news(ledger))
    interrupted = tally.take()
    if interrupted is not None and interrupted.cases:
        yield Remark(f"interrupted after {plural(interrupted.cases, 'case')} of one more", {"yellow": True})
    elif ledger.interrupted and settings.enabled and not ledger.entries:
        yield Remark("interrupted before the first check was over", {"yellow": True})
    for label, entries in ledger.by_implementation(ledger.counted).items():
        if not any(entry.outcome == "failed" for entry in entries) and (mistakes := summed(entries).mistakes):
            yield Remark(f"{label}: {_what_it_saw(mistakes)}", {})
        if (counted := summed(entries)).by_evidence and not counted.failures:
            yield Remark(f"{label}: {_by_evidence(counted.by_evidence, counted.decided)}", {})
    for entry in ledger.passed_without_an_answer():
        cases = plural(entry.cases, "case")
        text = f"PASSED, BUT NOTHING WAS SHOWN: {entry.nodeid}: {cases}, none conclusive"
        yield Remark(text, LOUD, loud=True)
    for label, why in ledger.showing_too_little().items():
        yield Remark(f"TOO LITTLE WAS SHOWN OF {label}: {why}", _FAILED, loud=True)
    if settings.enabled and not ledger.interrupted and not any(entry.check for entry in ledger.entries):
        yield Remark(f"no check of the suite ran{_what_there_is(deselected)}", LOUD, loud=True)
    for problem in ledger.problems:
        yield Remark(problem, _FAILED, loud=True)
    if settings.require_implementation and not ledger.checked_more_than(DEFAULT_IMPLEMENTATION):
        text = f"nothing but the default implementation ({DEFAULT_IMPLEMENTATION}) was checked."
        yield Remark(f"--rnn-equiv-require-impl: {text}", _FAILED, loud=True)


def _what_there_is(deselected: Iterable[pytest.Item]) -> str:
    """Name the checks that -k has left out, where it has left out all: there may be a typing error in it."""
    checks = [item for item in deselected if item.get_closest_marker("rnn_equiv")]
    if not checks:
        return ""
    names = dict.fromkeys(getattr(item, "originalname", item.name).removeprefix("test_") for item in checks)
    return f": -k fits none of {', '.join(names)}"


#: Reasons of skips that are told one by one; more fill a screen, and pytest's ``-rs`` has them all.
_FEW_REASONS = 3


def _skips(ledger: Ledger) -> Iterator[Remark]:
    """Count the checks that were skipped, by their reasons, or by implementation where there are many of them."""
    skipped = [entry for entry in ledger.entries if entry.check and entry.outcome == "skipped"]
    by_reason = Counter(entry.reason for entry in skipped)
    if len(by_reason) <= _FEW_REASONS:
        for reason, number in by_reason.items():
            yield Remark(f"{plural(number, 'check')} skipped: {reason or 'no reason given'}", {"yellow": True})
        return
    for label, entries in ledger.by_implementation(skipped).items():
        reasons = len({entry.reason for entry in entries})
        if reasons == 1:
            text = f"{plural(len(entries), 'check')} skipped: {entries[0].reason or 'no reason given'}"
        else:
            text = f"{label}: {plural(len(entries), 'check')} skipped, for {reasons} reasons (-rs tells them)"
        yield Remark(text, {"yellow": True})


#: Names of mistakes that are told in the terminal; all of them are in ``summary.json``.
_FEW_NAMES = 6


def _by_evidence(cases: int, of: int) -> str:
    """Say how many cases are not proved."""
    return (
        f"{cases} of {plural(of, 'conclusive case')} {'is' if cases == 1 else 'are'} equivalent by evidence, not by "
        "proof (a right implementation is called different by evidence in at most one of 1e9 runs)"
    )


def _what_it_saw(mistakes: dict[str, bool]) -> str:
    """Say which mistakes would have been seen, and which would not."""
    missed = [name for name, seen in mistakes.items() if not seen]
    said = f"would have seen {len(mistakes) - len(missed)} of {plural(len(mistakes), 'mistake')}"
    if not missed:
        return said
    more = f" and {len(missed) - _FEW_NAMES} more" if len(missed) > _FEW_NAMES else ""
    return f"{said}; not: {', '.join(missed[:_FEW_NAMES])}{more}"
