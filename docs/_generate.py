"""Fill in what the code knows better: the table of options and the catalogue of mistakes (an mkdocs hook)."""

from __future__ import annotations

from dataclasses import fields
from itertools import groupby
from typing import Any

from pytest_rnnequiv.mistakes import CATALOGUE
from pytest_rnnequiv.plugin import Settings


def options() -> str:
    """Return the table of options: command line, ini twin, default, meaning."""
    rows = ["| option | ini | default | |", "|---|---|---|---|"]
    for option in fields(Settings):
        flag, metavar = option.metadata["flag"], option.metadata["metavar"]
        ini = flag.lstrip("-").replace("-", "_")
        default = {False: "off", (): "`keras`" if "impl" in flag else "none", None: "none"}.get(
            option.default, f"`{option.default}`"
        )
        rows.append(f"| `{flag}{' ' + metavar if metavar else ''}` | `{ini}` | {default} | {option.metadata['help']} |")
    return "\n".join(rows)


def mistakes() -> str:
    """Return the catalogue, a table for each part of the recurrence."""
    parts = []
    for group, members in groupby(sorted(CATALOGUE, key=lambda m: m.group), key=lambda m: m.group):
        parts += [f"## {group.capitalize()}", "", "| mistake | it is the recurrence ... | how people come to make it |"]
        parts += ["|---|---|---|"]
        parts += [f"| `{m.name}` | {m.says} | {m.how} |" for m in members]
        parts += [""]
    return "\n".join(parts)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers (mkdocs hook)."""
    return markdown.replace("<!-- options -->", options()).replace("<!-- mistakes -->", mistakes())
