"""Cut off a port that hangs in pytest's own process, beside whoever else uses the alarm and Ctrl-C there.

There is one alarm clock in a process (``ITIMER_REAL``, ``SIGALRM``), and pytest-timeout uses it too. So a timer and a
handler that were there before go on: they ring in time while a port runs, and are put back after it.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from .patience import Patience, computed_here

__all__ = ["Guard", "TimeIsUp"]

#: Seconds between two attempts to get out of a port that holds every exception back.
RETRY_SECONDS = 0.1

#: Attempts that a port may hold back before its `except` clauses are made to fail.
POLITE = 3

#: Attempts after which a sentence says that there is no way out.
HOPELESS = 50

#: Instructions of a handler that are let be, in one attempt after the other. The first ones set it up; and after those
#: of a ``finally`` come those of the ``except`` around it.
INTO = (3, 3, 5, 7, 9, 12, 15, 19, 24, 30)

#: Who waits for a person, and should not be hurried.
DEBUGGERS = ("bdb", "pdb", "pydevd", "IPython.core.debugger")

#: What must not be cut off itself.
STARTERS = (__name__, f"{__package__}.runner")


class TimeIsUp(BaseException):
    """Raised inside a port; no ``except Exception`` of its own shall stop it."""


class Guard:
    """While a port runs in the main thread of this process: ring when its time is up, and pass on what is not ours.

    Elsewhere (in other threads, on Windows) it does nothing: there a hang cannot be cut off.

    Attributes
    ----------
    passing : BaseException or None
        What a handler of somebody else raised: Ctrl-C, or pytest-timeout. It is not the port's.
    """

    passing: BaseException | None = None

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._rings = 0
        self._watched_by: tuple[Any, Any] | None = None
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> Guard:
        self._rings = 0
        self._on = threading.current_thread() is threading.main_thread()
        # a handler that is None was set by C code, and could not be put back
        self._clock = self._on and hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is not None
        if self._on and callable(signal.getsignal(signal.SIGINT)):
            self._take(signal.SIGINT, self._pass_on)
        if self._clock:
            now = time.monotonic()
            left, self._interval = signal.getitimer(signal.ITIMER_REAL)
            self._due, self._theirs = now + self._seconds, now + left if left else None
            self._patience = Patience(self._seconds, computed_here)
            self._take(signal.SIGALRM, self._ring)
            self._wind()
        return self

    def __exit__(self, *raised: Any) -> None:
        if not self._on:
            return
        self._on = False  # from here on nothing is raised into this function
        if self._clock:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in reversed(self._before):
            signal.signal(number, handler)
        self._before.clear()
        if self._watched_by is not None:
            sys.settrace(self._watched_by[0])
            sys.setprofile(self._watched_by[1])
            self._watched_by = None
        if self._clock and self._theirs is not None:
            signal.setitimer(signal.ITIMER_REAL, max(self._theirs - time.monotonic(), 1e-6), self._interval)
        if self.passing is not None and raised[1] is not self.passing:
            raise self.passing  # the port has held back what was not meant for it

    def _take(self, number: int, handler: Any) -> None:
        self._before.append((number, signal.getsignal(number)))
        signal.signal(number, handler)

    def foreign(self, error: BaseException) -> bool:
        """Whether an exception is none of the port's: it goes through all that would make a sentence of it."""
        return error is self.passing or isinstance(error, TimeIsUp)

    def own(self, error: TimeIsUp) -> bool:
        """Whether it is our time that is up, and not that of a guard around us."""
        return error.args == (id(self),)

    def _wind(self) -> None:
        """Set the clock to whoever is due first."""
        due = self._due if self._theirs is None else min(self._due, self._theirs)
        signal.setitimer(signal.ITIMER_REAL, max(due - time.monotonic(), 1e-6))

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Do what was to be done without us."""
        handler = dict(self._before)[number]
        if not callable(handler):  # the system's own, which ends the process
            signal.signal(number, handler)
            signal.raise_signal(number)
            return
        try:
            handler(number, frame)
        except BaseException as error:
            self.passing = error
            raise

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if not self._on:
            return
        now = time.monotonic()
        if self._theirs is not None and now >= self._theirs:
            self._theirs = now + self._interval if self._interval else None
            self._wind()
            self._pass_on(number, frame)
        if now < self._due:
            self._wind()
            return
        longer = 0.0 if self._rings else self._patience.longer()
        if longer:
            self._due = now + longer
            self._wind()
            return
        inside = _port_frames(frame)
        waits = _debugged(inside)
        self._due = now + (self._seconds if waits else RETRY_SECONDS)  # after a person the port has all its time again
        self._wind()
        if waits or not inside:
            return
        self._rings += 1
        if self._rings == HOPELESS:
            _give_up(self._seconds)
        if self._rings > POLITE:
            self._insist(inside)
        raise TimeIsUp(id(self))

    def _insist(self, frames: list[FrameType]) -> None:
        """Have each `except` clause that catches us raise as well, and so leave the loop around it.

        A handler's own instructions are outside of its ``try``: what is raised there goes up. They are found by
        tracing. A tracer that raises is switched off by Python; so a profiler sees the frame end, and switches it on
        for the next one.
        """
        if self._watched_by is None:
            self._watched_by = sys.gettrace(), sys.getprofile()
        catching: FrameType | None = None
        instructions, enough = 0, INTO[self._rings % len(INTO)]

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal catching, instructions
            if event == "exception" and arg[0] is TimeIsUp:
                catching, instructions = frame, 0
                frame.f_trace_opcodes = True
            elif event == "opcode" and frame is catching:
                instructions += 1
                if instructions == enough:
                    raise TimeIsUp(id(self))
            return trace

        def profile(frame: FrameType, event: str, arg: Any) -> None:
            if event == "return" and frame is catching:
                sys.settrace(trace)

        for frame in frames:
            frame.f_trace = trace
        sys.setprofile(profile)
        sys.settrace(trace)


def _port_frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames above those that start and stop a port; empty where these are at work themselves."""
    found = []
    while frame is not None and frame.f_globals.get("__name__") not in STARTERS:
        found.append(frame)
        frame = frame.f_back
    return found


def _debugged(frames: list[FrameType]) -> bool:
    return any(frame.f_globals.get("__name__") in DEBUGGERS for frame in frames)


def _give_up(seconds: float) -> None:
    if sys.__stderr__ is not None:
        print(
            f"\nrnn-equiv: a port has hung for {seconds:g} s in pytest's process, and holds every exception back. "
            "Nothing can cut it off there: end pytest, and give the port as --rnn-equiv-impl module:attribute, which "
            "runs it in a process of its own.",
            file=sys.__stderr__,
            flush=True,
        )
