"""SIGTERM ends a run as Ctrl-C does: in order, with its summary, its report, and an end of the ports' processes."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

__all__ = ["Terminated", "in_order"]


class Terminated(KeyboardInterrupt):
    """SIGTERM came; pytest takes it for Ctrl-C."""


def in_order(config: pytest.Config) -> None:
    """Take SIGTERM for Ctrl-C while the session lasts, unless somebody else listens to it.

    Its second coming ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return
    owner = os.getpid()

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != owner:  # a fork has the handler too
            os.kill(os.getpid(), number)
        raise Terminated("SIGTERM")

    def restore() -> None:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, end)
    config.add_cleanup(restore)
