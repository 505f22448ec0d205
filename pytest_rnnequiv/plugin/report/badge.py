"""``badge.json``: the verdict of a run as a badge for a README.

The format is that of endpoint badges of shields.io, https://shields.io/badges/endpoint-badge: whoever publishes the
file shows ``https://img.shields.io/endpoint?url=...``.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["badge", "text"]

#: What a badge says and its colour, the worst first: one implementation that is wrong is what a reader must know.
_SAYS = {
    "different": "red",
    "failed": "red",
    "inconclusive": "lightgrey",
    "equivalent": "brightgreen",
}


def badge(summary: dict[str, Any]) -> dict[str, Any]:
    """Return the badge of a summary, as plain data.

    A run that did not come to its end, or in which nothing was checked, is no proof of anything.
    """
    found = [each["verdict"]["status"] for each in summary["implementations"].values()]
    status = next((status for status in _SAYS if status in found), "nothing checked")
    message = "interrupted" if summary["interrupted"] and status not in ("different", "failed") else status
    colour = _SAYS.get(message, "lightgrey")
    return {"schemaVersion": 1, "label": "rnn-equiv", "message": message, "color": colour}


def text(summary: dict[str, Any]) -> str:
    """Return the file."""
    return json.dumps(badge(summary), indent=2) + "\n"
