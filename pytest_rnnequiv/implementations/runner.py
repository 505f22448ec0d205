"""Where a port runs: in this process, in a fork of it, or in a fresh one.

A port may hang, or take its process down with it. :class:`Spawned` (``module:attribute``, on every system) and
:class:`Forked` (objects that live here, on Linux) run it in a process of its own, which costs a fraction of a
millisecond a case; then a hang is cut off and a death is told from an answer, and the next case finds a fresh process.
:class:`InProcess` runs it here: no cost, breakpoints work, and a hang can be cut off only where Python itself runs.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import fields
from typing import Any

from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from ..wording import did_you_mean, told
from . import measured, process
from .alarm import Guard, TimeIsUp
from .answering import PortFailure, came_from, compute
from .declaration import Declaration, declare, made
from .errors import Declined, ImplementationError
from .patience import Patience, computed_in_group

__all__ = ["Forked", "InProcess", "PortFailure", "Spawned", "can_fork"]

#: Seconds that loading an implementation may take (importing a large framework can).
LOADING = 180.0

#: Seconds after which we look what a port's process has computed: most answers are there before.
FIRST_LOOK = 0.25

#: How many times as long as the longest cold start a later one may take, at least a second: the machine may be busier.
SLOWER = 4.0

#: Modules whose threads a fork leaves behind, so that what uses them there waits for ever.
THREADED = ("tensorflow", "jax", "torch", "numba")


def can_fork() -> bool:
    """Whether an object of this process can be run in a fork of it: on Linux, and without threads that it may need.

    OpenMP's are seen by its libraries, those of a pool by their names. OpenBLAS's, which NumPy has, know about forks.
    """
    if not sys.platform.startswith("linux") or {*THREADED} & sys.modules.keys():
        return False
    if any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate()):
        return False
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as mapped:
            return not any(name in line for line in mapped for name in ("libgomp", "libiomp5", "libomp"))
    except OSError:
        return True


class Clock:
    """How long a port may take to answer.

    A port is *cold* until it has answered once in its process: its first call may import a framework, trace a graph,
    convert a model. So a cold one has `first_timeout` once in a run. Where that ends in a hang, no more is given than
    `timeout`, so that a port that always hangs does not take it again and again; where it ends in an answer, later cold
    starts have a few times what this one took.
    """

    def __init__(self, declaration: Declaration) -> None:
        self.timeout = declaration.timeout
        self.first = declaration.first_timeout
        self.cold = True
        self._longest: float | None = None

    def allows(self, cases: int) -> float:
        """Return the seconds in which so many cases should be answered."""
        if not self.cold:
            return self.timeout * cases
        if self._longest is None:
            return max(self.first, self.timeout) + self.timeout * (cases - 1)
        return max(1.0, SLOWER * self._longest) + self.timeout * cases

    def answered(self, seconds: float) -> None:
        """Take note of an answer, which took so long."""
        if self.cold:
            self._longest = max(seconds, self._longest or 0.0)
            self.cold = False

    def hung(self, cases: int) -> PortFailure:
        """Return the failure of a port that did not answer so many cases in time."""
        waited = self.allows(cases)
        if self.cold and self._longest is None and self.first > self.timeout:
            self.first = 0.0
            return PortFailure(
                f"the port hangs: no answer to its first call after {waited:g} s (set `first_timeout` on it, in "
                "seconds, if it only takes long to start)",
                hung=True,
            )
        return PortFailure(
            f"the port hangs: no answer after {waited:g} s (set `timeout` on it, in seconds, if it is only slow)",
            hung=True,
        )


class InProcess:
    """Run a port here."""

    def __init__(self, implementation: Any, name: str | None = None) -> None:
        self.implementation = made(implementation)
        self.declaration: Declaration = declare(self.implementation, name)
        self._clock = Clock(self.declaration)

    def run(self, case: Case) -> Trajectory:
        """Compute one case."""
        answer: Trajectory = self.run_many([case])[0]
        return answer

    def run_many(self, cases: list[Case]) -> list[Any]:
        """Compute several cases."""
        guard = Guard(self._clock.allows(len(cases)))
        began, folder = time.monotonic(), _folder()
        try:
            with guard:
                answers = compute(self.implementation, cases, guard.foreign)
        except TimeIsUp as up:
            if not guard.own(up):
                raise
            raise self._clock.hung(len(cases)) from None
        finally:
            if folder and _folder() != folder:
                with suppress(OSError):
                    os.chdir(folder)  # what runs after the port counts on it
        self._clock.answered(time.monotonic() - began)
        return answers

    def close(self) -> None:
        """Nothing is held."""


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def load(path: str) -> Any:
    """Import ``module:attribute``.

    Raises
    ------
    ImplementationError
        If there is no such thing, or importing it fails.
    """
    module, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except BaseException as error:
        why = f"{type(error).__name__}: {told(error)}{came_from(error)}"
        raise ImplementationError(f"implementation {path!r}: importing {module} failed: {why}") from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ImplementationError(
                f"implementation {path!r}: {module} has no attribute {attribute!r}{_there_is(found, part)}"
            ) from None
    return found


def _there_is(place: Any, name: str) -> str:
    """Say what a module has that may have been meant."""
    home = getattr(place, "__name__", "")
    own = [each for each, what in getattr(place, "__dict__", {}).items() if getattr(what, "__module__", None) == home]
    public = [each for each in own if not each.startswith("_")]
    return did_you_mean(name, public) or (f"; it has {', '.join(public[:8])}" if public else "")


def answer_path(connection: Any) -> None:
    """Load what the first message names, and answer cases until the other end closes: the body of a fresh process."""
    try:
        path, coverage = connection.recv()
    except (EOFError, OSError):
        return
    measured.begin(coverage)
    try:
        _answer(connection, lambda: load(path), path)
    finally:
        measured.finish()


def _answer(connection: Any, get: Any, name: str | None) -> None:
    """Answer cases until the other end closes."""
    try:
        runner = InProcess(get(), name)
        first: tuple[str, Any] = ("ready", runner.declaration)
    except ImplementationError as error:
        first = ("unusable", str(error))
    except BaseException as error:
        first = ("unusable", f"implementation {name}: {type(error).__name__}: {told(error)}")
    _send(connection, first)
    if first[0] != "ready":
        return
    while True:
        try:
            cases = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[str, Any] = ("answer", compute(runner.implementation, cases))
        except PortFailure as failure:
            answer = ("failure", (str(failure), failure.raised, failure.at, failure.wrote))
        except BadAnswer as bad:
            answer = ("bad", str(bad))
        except Declined as declined:
            answer = ("declined", declined.reason)
        _send(connection, answer)


def _send(connection: Any, answer: tuple[str, Any]) -> None:
    try:
        connection.send(answer)
    except OSError:
        return  # nobody is there any more; the next recv says so too
    except Exception as error:
        connection.send(("failure", (_unsent(*answer, error), "", "", False)))


def _unsent(kind: str, what: Any, error: Exception) -> str:
    """Say what of a port cannot be sent to the process that judges it, and what to do."""
    why = f"{type(error).__name__}: {told(error)}"
    if kind != "ready":
        return f"the port's answer cannot be sent: {why}"
    part = next((each.name for each in fields(what) if not _can_be_sent(getattr(what, each.name))), "declaration")
    return (
        f"implementation {what.name!r}: its {CALLED.get(part, part)} cannot be sent to pytest's process, which judges "
        f"it ({why}): a function or a class in it has to stand at the top of a module, by its own name. Give a lambda, "
        "and what is defined within a function, a `def` or `class` there"
    )


#: How attributes of a port are called that a declaration calls otherwise.
CALLED = {"fixed": "model"}


def _can_be_sent(what: Any) -> bool:
    try:
        pickle.dumps(what)
    except Exception:  # whatever the port's own classes raise
        return False
    return True


class _Own:
    """Run a port in a process of its own."""

    #: What is said of a hang in such a process beside that it is one.
    hint = ""

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._process: process.Process | None = None
        self.declaration: Declaration = self._ready()
        self._clock = Clock(self.declaration)

    def _start(self) -> process.Process:
        """Start the process."""
        raise NotImplementedError

    def _ready(self) -> Declaration:
        """Start the process, and hear what the port declares."""
        name = self._name or "the implementation"
        try:
            self._process = self._start()
        except OSError as error:
            raise ImplementationError(f"implementation {name!r}: its process cannot be started: {error}") from error
        kind, what = self._receive(LOADING)
        if kind == "ready":
            declaration: Declaration = what
            return declaration
        self._end()
        if kind == "died":
            raise ImplementationError(f"implementation {name!r} {what} while it was loaded")
        if kind == "silent":
            raise ImplementationError(f"implementation {name!r}: not loaded after {LOADING:g} s")
        raise ImplementationError(what[0] if kind == "failure" else str(what))

    def _receive(self, timeout: float) -> tuple[str, Any]:
        assert self._process is not None
        try:
            if not self._speaks(timeout):
                return "silent", None
            kind, what = self._process.connection.recv()
            return kind, what
        except (EOFError, OSError):
            return "died", _death(self._process.died())
        except BaseException as error:
            # Ctrl-C, or pytest-timeout: what comes after it must not find the answer to this case.
            self._end()
            if not isinstance(error, Exception):
                raise
            why = f"what the port's process says cannot be read: {type(error).__name__}: {told(error)}"
            return "failure", (why, "", "", False)

    def _speaks(self, timeout: float) -> bool:
        """Wait until the process says something; not for ever."""
        assert self._process is not None
        connection, pid = self._process.connection, self._process.pid
        look = min(FIRST_LOOK, timeout / 4)
        if connection.poll(look):
            return True
        patience = Patience(timeout - look, lambda: computed_in_group(pid))
        return any(connection.poll(seconds) for seconds in patience.waits())

    def run(self, case: Case) -> Trajectory:
        """Compute one case."""
        answer: Trajectory = self.run_many([case])[0]
        return answer

    def run_many(self, cases: list[Case]) -> list[Any]:
        """Compute several cases."""
        began = self._ask(cases)
        kind, what = self._receive(self._clock.allows(len(cases)))
        if kind == "answer":
            self._clock.answered(time.monotonic() - began)
            answers: list[Any] = what
            return answers
        if kind == "bad":
            raise BadAnswer(what)
        if kind == "declined":
            raise Declined(*([what] if what else []))
        if kind == "failure":
            sentence, raised, at, wrote = what
            raise PortFailure(sentence, raised=raised, at=at, wrote=wrote)
        self._end()  # the next case finds a fresh process
        if kind == "silent":
            failure = self._clock.hung(len(cases))
            raise PortFailure(str(failure) + self.hint, hung=True)
        raise PortFailure(f"the port {what}")

    def _ask(self, cases: list[Case]) -> float:
        """Send cases; return when that was. A process that has ended since the last ones is replaced."""
        if self._process is not None:
            try:
                began = time.monotonic()
                self._process.connection.send(cases)
                return began
            except OSError:
                self._end()
        self._ready()
        self._clock.cold = True
        began = time.monotonic()
        assert self._process is not None
        self._process.connection.send(cases)
        return began

    def _end(self, grace: float = 0.0) -> None:
        ended, self._process = self._process, None
        if ended is not None:
            ended.end(grace)

    def close(self) -> None:
        """End the process, in order where it is not busy."""
        self._end(process.GRACE)


def _death(code: int | None) -> str:
    """Say how a process ended."""
    if code is None:
        return "closed the connection to pytest"
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"killed its process: {name}{HINTS.get(name, '')}"
    if code in (0xC0000005, -1073741819):
        return "killed its process: access violation (an index out of bounds, or a wrong pointer?)"
    return f"ended its process with exit code {code}"


#: What may be behind a signal.
HINTS = {
    "SIGSEGV": " (an index out of bounds, or a wrong pointer or type in its signature?)",
    "SIGBUS": " (a wrong pointer, or a file that is shorter than what was mapped of it?)",
    "SIGABRT": " (a failed assertion, or memory written out of bounds?)",
    "SIGFPE": " (an integer division by zero?)",
    "SIGILL": " (compiled for another processor?)",
    "SIGKILL": " (out of memory?)",
}


class Forked(_Own):
    """Run an object of this process in a fork of it (Linux)."""

    hint = (
        ". It ran in a fork of this process, where threads that were started before do not exist: if it needs some, "
        "give it as --rnn-equiv-impl module:attribute"
    )

    def __init__(self, implementation: Any, name: str | None = None) -> None:
        self._implementation = implementation
        super().__init__(name)

    def _start(self) -> process.Process:
        def body(connection: Any) -> None:
            try:
                _answer(connection, lambda: self._implementation, self._name)
            finally:
                measured.finish()

        return process.fork(body)


class Spawned(_Own):
    """Run ``module:attribute`` in a fresh interpreter (every system)."""

    def __init__(self, path: str) -> None:
        self._search = list(sys.path)
        super().__init__(path)

    def _start(self) -> process.Process:
        started = process.start(search=self._search)
        with suppress(OSError):  # it has ended: told by whoever waits for its first word
            started.connection.send((self._name, measured.settings()))
        return started
