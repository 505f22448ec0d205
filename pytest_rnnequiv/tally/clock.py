"""Where the time of a check goes, part by part."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ..run_state import state
from .item import opened
from .properties import PREFIX

__all__ = ["PARTS", "charge_report", "spending"]

PARTS = ("draw", "build", "trace", "run", "judge", "report")
"""What a check spends its time on, beside its own steps and Hypothesis's.

To draw cases; to build models, and to trace what is compiled of them (of implementations in this process); to run
cases; to judge what was seen; to explain a failure and to write it down.
"""

#: The properties to which the time of a report is added.
_REPORTED = (f"{PREFIX}seconds", f"{PREFIX}spent.report")


@dataclass
class _Clock:
    """The parts that go on, the innermost last, and since when the innermost was not charged."""

    parts: list[str] = field(default_factory=list)
    since: float = 0.0

    def charge(self) -> None:
        """Add what has passed to the innermost part."""
        now = time.perf_counter()
        if self.parts and (tally := opened()) is not None:
            part = self.parts[-1]
            tally.spent[part] = tally.spent.get(part, 0.0) + now - self.since
        self.since = now


class spending:  # a context manager, used as a function is
    """Charge the time of a block to one of the :data:`PARTS`, but for what a block within it takes for another.

    Takes about a microsecond. Outside of an item that counts, nothing is charged.
    """

    __slots__ = ("_clock", "_part")

    def __init__(self, part: str) -> None:
        self._part = part

    def __enter__(self) -> None:
        self._clock = clock = state().part(_Clock)
        clock.charge()
        clock.parts.append(self._part)

    def __exit__(self, *_: object) -> None:
        self._clock.charge()
        self._clock.parts.pop()


def charge_report(properties: list[tuple[str, object]], seconds: float) -> None:
    """Add to a report that bears a tally how long it took to explain its failure, and to write it down."""
    before = {name: float(str(value)) for name, value in properties if name in _REPORTED}
    if f"{PREFIX}seconds" in before:
        properties[:] = [each for each in properties if each[0] not in _REPORTED]
        properties += [(name, before.get(name, 0.0) + seconds) for name in _REPORTED]
