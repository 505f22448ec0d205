"""Implementations by features: what a run has judged of each, as numbers, as words and as a table.

Nothing here is said by hand. A cell is what the cases with that feature came to; under the table stand the known
divergences that the run has shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_rnnequiv.tally import Feature

from . import Ledger, summed
from .words import aligned

__all__ = ["cells", "data", "feature", "markdown", "plain"]


def cells(ledger: Ledger) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the matrix as plain data: implementation -> feature -> what was judged.

    A feature that an implementation does not declare is not there.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for label, entries in ledger.by_implementation(ledger.entries).items():
        if features := summed(entries).features:
            found[label] = {name: data(cell) for name, cell in features.items()}
    return found


def data(cell: Feature) -> dict[str, Any]:
    """Return a cell as plain data."""
    return {
        "status": _status(cell),
        "equivalent": cell.equivalent,
        "inconclusive": cell.inconclusive,
        "different": cell.different,
        "worst_error_over_bound": round(cell.worst, 4),
        "known_divergences": list(cell.known),
    }


def feature(data: Mapping[str, Any]) -> Feature:
    """Return a cell, from what it is as plain data."""
    counts = {status: data[status] for status in ("equivalent", "inconclusive", "different")}
    return Feature(**counts, worst=data["worst_error_over_bound"], known=list(data["known_divergences"]))


def _status(cell: Feature) -> str:
    if cell.different:
        return "different"
    if cell.equivalent:
        return "equivalent"
    if cell.known:
        return "diverges"
    return "inconclusive" if cell.inconclusive else "not asked"


def _rows(matrix: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The features of all, in the order of the first that has each."""
    rows: dict[str, None] = {}
    for own in matrix.values():
        rows.update(dict.fromkeys(own))
    from pytest_rnnequiv.suite.features import FEATURES

    order = [*FEATURES]
    return sorted((row for row in rows if row in order), key=order.index)


def _worded(cell: Mapping[str, Any] | None, notes: Mapping[str, int]) -> str:
    """What stands in a cell: how many cases were equivalent and the worst error over its bound, or why none was."""
    if cell is None:
        return "-"
    marks = ",".join(str(notes[name]) for name in cell["known_divergences"])
    said = {
        "equivalent": f"{cell['equivalent']} ({cell['worst_error_over_bound']:.2f})",
        "inconclusive": f"{cell['inconclusive']} open",
        "different": "DIFFERENT",
        "diverges": "diverges",
        "not asked": "not asked",
    }[cell["status"]]
    return f"{said} [{marks}]" if marks else said


def _notes(matrix: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    names = {name for own in matrix.values() for cell in own.values() for name in cell["known_divergences"]}
    return {name: number for number, name in enumerate(sorted(names), 1)}


def _table(matrix: Mapping[str, Mapping[str, Any]], notes: Mapping[str, int]) -> Iterator[list[str]]:
    yield ["", *matrix]
    for row in _rows(matrix):
        yield [row, *(_worded(own.get(row), notes) for own in matrix.values())]


#: What the words in a cell mean.
LEGEND = (
    "cases that are equivalent, and their worst error over its bound; open: inconclusive; "
    "-: not declared; [n]: known divergence"
)


def plain(matrix: Mapping[str, Mapping[str, Any]], width: int) -> Iterator[str]:
    """Yield the table for a terminal; where it is too wide, in several parts."""
    names, notes = list(matrix), _notes(matrix)
    while names:
        part = {name: matrix[name] for name in names}
        while len(part) > 1 and max(map(len, _lines(part, notes))) > width:
            part.popitem()
        yield from _lines(part, notes)
        names = names[len(part) :]
        yield ""
    yield LEGEND
    yield from (f"[{number}] {name}" for name, number in notes.items())


def _lines(matrix: Mapping[str, Mapping[str, Any]], notes: Mapping[str, int]) -> list[str]:
    return aligned(_table(matrix, notes))


def markdown(matrix: Mapping[str, Mapping[str, Any]], says: Mapping[str, str], absent: Sequence[str] = ()) -> str:
    """Return the table for a page, with what `says` of each known divergence below it, and who is absent."""
    notes = _notes(matrix)
    head, *rows = _table(matrix, notes)
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", f"{LEGEND[0].upper()}{LEGEND[1:]}.", ""]
    lines += [f"{number}. `{name}`: {says.get(name, '')}" for name, number in notes.items()]
    if absent:
        lines += ["", f"Not installed where this was run: {', '.join(absent)}."]
    return "\n".join(lines)
