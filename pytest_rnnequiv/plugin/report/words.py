"""Numbers and tables as the terminal shows them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

__all__ = ["aligned", "duration", "listed", "ratio", "shortened"]


def aligned(rows: Iterable[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Return rows of a table as lines; the columns whose numbers are in `right` end at the same place."""
    rows = [*rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = [">" if i in right else "<" for i in range(len(widths))]
    return [
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip()
        for row in rows
    ]


def listed(versions: Mapping[str, str]) -> str:
    """Return the versions of distributions in a line."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def ratio(value: float) -> str:
    """Return an error over its bound; a dash where nothing was compared."""
    if not value:
        return "-"
    return f"{value:.2f}" if 0.01 <= value < 100 else f"{value:.0e}"


def duration(seconds: float) -> str:
    """Return seconds, from a minute on with minutes."""
    return f"{seconds:.1f}s" if seconds < 60 else f"{int(seconds // 60)}m{int(seconds % 60):02}s"


def shortened(text: str, width: int) -> str:
    """Cut the middle out of a text that is too long: both ends of a node id tell something."""
    if len(text) <= width:
        return text
    tail = (width - 3) * 2 // 3
    return f"{text[: width - 3 - tail]}...{text[len(text) - tail :]}"
