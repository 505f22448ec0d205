"""Tell a port that hangs from one that computes on a machine with too much to do.

A limit in seconds is meant for a port that has a processor. Where pytest-xdist, a build and a browser share two of
them, a port that compiles for 3 s may need 15, and nothing is wrong with it. So when the limit is over we ask how long
it has *computed*. One that had a processor all the time hangs, and so does one that does not ask for it. Only one that
goes on computing, and has had less than its limit, is waited for.
"""

import os
import time
from collections.abc import Callable, Iterator

__all__ = ["Patience", "computed_here", "computed_in_group"]

#: How many times its limit a port may take on a busy machine, and how many seconds more than the limit at most.
BUSIEST, MOST = 8.0, 120.0

#: A port that had this part of its limit to compute has had it: clocks are coarse, and it does not compute only.
ENOUGH = 0.9

#: A port that computes for less than this part of the time waits for something. One that gets less of a processor would
#: not come to its limit in `BUSIEST` times the time either.
LEAST = 0.05


def computed_here() -> float | None:
    """Return the seconds that this process has computed, in all its threads."""
    return time.process_time()


def computed_in_group(group: int) -> float | None:
    """Return the seconds that all processes of a group have computed; None where the system does not tell.

    Linux tells it in ``/proc`` (proc_pid_stat(5)): fields 14 and 15, in clock ticks; field 5 is the group.
    """
    try:
        ticks = [_ticks(name, group) for name in os.listdir("/proc") if name.isdigit()]
        return sum(ticks) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError):
        return None


def _ticks(pid: str, group: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()  # a name in parentheses may have anything in it
    except OSError:
        return 0  # it has ended meanwhile
    return int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0


class Patience:
    """How long to wait for one answer.

    Parameters
    ----------
    limit : float
        Seconds that the port may compute.
    computed : callable
        Returns the seconds that it has computed so far, or None.
    """

    def __init__(self, limit: float, computed: Callable[[], float | None]) -> None:
        self._limit, self._computed = limit, computed
        self._until = time.monotonic() + limit + min(limit * (BUSIEST - 1), MOST)
        self._at, self._last = time.monotonic(), computed()
        self._first = self._last

    def longer(self) -> float:
        """Return for how many seconds to wait on, once the limit is over; 0 if the port hangs."""
        now, computed = time.monotonic(), self._computed()
        if computed is None or self._last is None or self._first is None or now >= self._until:
            return 0.0
        share = (computed - self._last) / max(now - self._at, 1e-9)
        self._at, self._last = now, computed
        if share < LEAST or computed - self._first >= ENOUGH * self._limit:
            return 0.0
        return min(max(self._limit / 8, 0.1), self._until - now)

    def waits(self) -> Iterator[float]:
        """Iterate over the seconds to wait, one time after the other, until the port hangs."""
        yield self._limit
        while seconds := self.longer():
            yield seconds
