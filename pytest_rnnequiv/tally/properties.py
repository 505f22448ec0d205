"""A tally as user properties of pytest's reports, which pytest-xdist and JUnit files carry."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .counts import Feature, Tally

__all__ = ["CHECK", "IDENTITY", "PREFIX", "from_properties", "to_properties"]

PREFIX = "rnn_equiv."
"""How the names of the user properties begin that bear a tally."""

CHECK = PREFIX + "check"
"""The user property which names the check, and by which an item of the suite is known."""

IDENTITY = PREFIX + "identity"
"""The user property which says what was asked for, whatever an implementation calls itself."""


#: Counts by a word.
COUNTS = ("way", "undecided", "would", "because", "news", "spent")


def to_properties(tally: Tally) -> list[tuple[str, object]]:
    """Return a tally as user properties: flat, and of plain types which any report format takes."""
    properties: list[tuple[str, object]] = [
        ("implementation", tally.implementation),
        ("cases", tally.cases),
        ("conclusive", tally.conclusive),
        ("inconclusive", tally.inconclusive),
        ("failures", tally.failures),
        ("declined", tally.declined),
        ("worst_error_over_bound", tally.worst_error_over_bound),
        ("seconds", tally.seconds),
    ]
    for kind in COUNTS:
        properties += ((f"{kind}.{key}", number) for key, number in getattr(tally, kind).items())
    properties += ((f"version.{name}", version) for name, version in tally.versions.items())
    properties += ((f"fact.{name}", fact) for name, fact in tally.facts.items())
    properties += (("note", note) for note in tally.notes)
    if tally.mistakes:
        properties.append(("mistakes", json.dumps(tally.mistakes, separators=(",", ":"))))
    if tally.covered:
        properties.append(("covered", _packed(tally.covered)))
    if tally.features:
        cells = {name: list(vars(cell).values()) for name, cell in tally.features.items()}
        properties.append(("features", json.dumps(cells, separators=(",", ":"))))
    return [(PREFIX + name, value) for name, value in properties]


def from_properties(properties: Iterable[tuple[str, Any]]) -> Tally | None:
    """Return the tally that `properties` bear, or None if they bear none."""
    tally, found = Tally(), False
    for name, value in properties:
        if not name.startswith(PREFIX) or name in (CHECK, IDENTITY):
            continue
        found = True
        kind, dot, rest = name.removeprefix(PREFIX).partition(".")
        if kind in COUNTS and dot:  # the way of an answer that is none has no name
            getattr(tally, kind)[rest] = value
        elif kind == "version":
            tally.versions[rest] = value
        elif kind == "fact":
            tally.facts[rest] = value
        elif kind == "note":
            tally.notes.append(value)
        elif kind == "mistakes":
            tally.mistakes = json.loads(value)
        elif kind == "covered":
            tally.covered = _unpacked(value)
        elif kind == "features":
            tally.features = {name: Feature(*cell) for name, cell in json.loads(value).items()}
        elif kind != "inconclusive":
            setattr(tally, kind, value)
    return tally if found else None


def _packed(covered: dict[tuple[str, str], int]) -> str:
    """Write the counts of pairs as a triangle of numbers: hundreds of pairs of dozens of names."""
    names = sorted({name for pair in covered for name in pair})
    rows = [[covered.get((one, two)) for two in names[i:]] for i, one in enumerate(names)]
    return json.dumps([names, rows], separators=(",", ":"))


def _unpacked(text: str) -> dict[tuple[str, str], int]:
    names, rows = json.loads(text)
    pairs = ((pair, cases) for i, row in enumerate(rows) for pair, cases in zip(names[i:], row, strict=True))
    ones = (one for i, one in enumerate(names) for _ in names[i:])
    return {(one, two): cases for one, (two, cases) in zip(ones, pairs, strict=True) if cases is not None}
