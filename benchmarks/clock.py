"""Seconds by what they were spent on, for benchmarks that run within one process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - started

    def __str__(self) -> str:
        whole = sum(self.seconds.values())
        return ", ".join(f"{what} {100 * spent / whole:.0f} %" for what, spent in self.seconds.items())
