"""What one pytest item did: the seam between the checks, which count, and the reports, which tell.

A check writes::

    from pytest_rnnequiv import tally

    tally.current().record(verdict)

and the plugin carries what was counted into the item's report. The package knows the standard library only, so
that anything may import it. Outside of pytest the counting works too, and nobody reads it.
"""

from .clock import PARTS, charge_report, spending
from .counts import EVIDENCE, LAW, Feature, Tally, VerdictLike
from .enough import shows_enough, what_helps
from .item import close, current, take
from .properties import CHECK, IDENTITY, PREFIX, from_properties, to_properties
from .watching import busy, watch

__all__ = [
    "CHECK",
    "EVIDENCE",
    "IDENTITY",
    "LAW",
    "PARTS",
    "PREFIX",
    "Feature",
    "Tally",
    "VerdictLike",
    "busy",
    "charge_report",
    "close",
    "current",
    "from_properties",
    "shows_enough",
    "spending",
    "take",
    "to_properties",
    "watch",
    "what_helps",
]
