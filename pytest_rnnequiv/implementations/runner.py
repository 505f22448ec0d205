"""Where a port runs: in this process, in a fork of it, or in a fresh one.

A port may hang, or take its process down with it. :class:`Spawned` (``module:attribute``, on every system) and
:class:`Forked` (objects that live here, on Linux) run it in a process of its own, which costs a fraction of a
millisecond a case; then a hang is cut off and a death is told from an answer, and the next case finds a fresh process.
:class:`InProcess` runs it here: no cost, breakpoints work, and a hang can be cut off only where Python itself runs.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from ..case import Case
from ..trajectory import BadAnswer, NetworkTrajectory, ShownCall, ShownLayer, Trajectory, as_trajectory
from . import ImplementationError
from .port import Declaration, declare, normalise

__all__ = ["Forked", "InProcess", "PortFailure", "Spawned", "can_fork"]

#: Seconds that loading an implementation may take (importing a large framework can).
LOADING = 180.0


class PortFailure(Exception):
    """A port that gave no answer: it raised, hung, died, or wrote into its inputs. The message is the sentence."""


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


def compute(implementation: Any, cases: list[Case]) -> list[Trajectory]:
    """Run cases here, on copies, and see that the inputs are left as they were.

    Raises
    ------
    PortFailure
        If the implementation raises or writes into its inputs.
    """
    run, many = normalise(implementation)
    handed = [case.writable() for case in cases]
    try:
        # One by one, an answer is taken out of its buffer at once: the next run may overwrite it.
        answers = [_kept(run(case)) for case in handed] if many is None else _one_each(many(handed), len(cases))
    except (KeyboardInterrupt, BadAnswer, _TimeIsUp):
        raise
    except BaseException as error:
        raise PortFailure(_raised(error)) from error
    for case, given in zip(cases, handed, strict=True):
        for name, array in case.numbers().items():
            if not np.array_equal(array, given.numbers()[name], equal_nan=array.dtype.kind == "f"):
                raise PortFailure(
                    f"the port writes into its input `{name}`; it must leave its inputs as they are (work on a copy)"
                )
    return [
        as_trajectory(answer) if isinstance(case, Case) else NetworkTrajectory.of(answer)
        for case, answer in zip(cases, answers, strict=True)
    ]


def _one_each(answers: Any, count: int) -> list[Any]:
    """Return the answers of ``run_many`` as a list, one for each case."""
    try:
        listed = list(answers)
    except TypeError:
        raise ImplementationError(
            f"run_many returned {type(answers).__name__}, expected a list with an answer to each case"
        ) from None
    if len(listed) != count:
        raise ImplementationError(f"run_many returned {len(listed)} answers to {count} cases")
    return listed


def _kept(answer: Any) -> Any:
    """Copy what is an array or a framework's tensor; anything else is left for the judge to describe."""
    if isinstance(answer, Trajectory):
        return Trajectory(_kept(answer.outputs), _kept(answer.states))
    if isinstance(answer, (NetworkTrajectory, ShownCall, ShownLayer)):
        return type(answer)(*(_kept(getattr(answer, field.name)) for field in fields(answer)))
    if isinstance(answer, tuple):
        return tuple(map(_kept, answer))
    if hasattr(answer, "__array__"):
        try:
            return np.array(answer)
        except Exception as error:
            if "BFloat16" in str(error):  # PyTorch's, which NumPy has no numbers for
                return _kept(answer.float())
            raise BadAnswer(
                f"the {type(answer).__name__} that the port returned cannot be made an array: {error}"
            ) from error
    return answer


def _raised(error: BaseException) -> str:
    """One sentence, and where in the port it came from."""
    if isinstance(error, ImplementationError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = next((f for f in reversed(frames) if os.path.dirname(__file__) not in f.filename), None)
    place = f" at {os.path.basename(where.filename)}:{where.lineno} in {where.name}" if where else ""
    text = str(error).strip() or "no message"
    if isinstance(error, TypeError) and "positional argument" in text and where is None:
        text += " (a port takes one argument, the case)"
    return f"the port raised {type(error).__name__}: {text}{place}"


class _TimeIsUp(BaseException):
    """Raised inside a port that runs in this process; no ``except Exception`` of its own shall stop it."""


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Interrupt Python code of the main thread after some seconds, where the system can."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _hung(timeout: float) -> str:
    return f"the port hangs: no answer after {timeout:g} s (set `timeout` on it, in seconds, if it is only slow)"


_IN_A_FORK = (
    ". It ran in a fork of this process, where threads that were started before do not exist: if it needs some, give "
    "it as --rnn-equiv-impl module:attribute"
)


class InProcess:
    """Run a port here."""

    def __init__(self, implementation: Any, name: str | None = None) -> None:
        normalise(implementation)
        self.implementation = implementation() if isinstance(implementation, type) else implementation
        self.declaration: Declaration = declare(self.implementation, name)

    def run(self, case: Case) -> Trajectory:
        """Compute one case."""
        return self.run_many([case])[0]

    def run_many(self, cases: list[Case]) -> list[Trajectory]:
        """Compute several cases."""
        timeout = self.declaration.timeout
        try:
            with _alarm(timeout * len(cases)):
                return compute(self.implementation, cases)
        except _TimeIsUp:
            raise PortFailure(_hung(timeout)) from None

    def close(self) -> None:
        """Nothing is held."""


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
    except Exception as error:
        raise ImplementationError(
            f"implementation {path!r}: importing {module} failed: {type(error).__name__}: {error}"
        ) from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ImplementationError(f"implementation {path!r}: {module} has no attribute {attribute!r}") from None
    return found


def _serve(
    connection: Any, inherited: Any, path: str | None, implementation: Any, name: str | None, search: list[str]
) -> None:
    """Answer cases until the other end closes: the body of a port's own process."""
    if inherited is not None:
        inherited.close()  # a fork's copy of the parent's end, which would keep this end from ever seeing it close
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; it ends this process
    try:
        if path is not None:
            sys.path[:] = search
            implementation = load(path)
        runner = InProcess(implementation, name)
        connection.send(("ready", runner.declaration))
        implementation = runner.implementation
    except ImplementationError as error:
        connection.send(("unusable", str(error)))
        return
    except BaseException as error:
        connection.send(("unusable", f"implementation {name or path}: {type(error).__name__}: {error}"))
        return
    while True:
        try:
            cases = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[str, Any] = ("answer", compute(implementation, cases))
        except PortFailure as failure:
            answer = ("failure", str(failure))
        except BadAnswer as bad:
            answer = ("bad", str(bad))
        try:
            connection.send(answer)
        except (OSError, EOFError):
            return
        except Exception as error:
            connection.send(("failure", f"the port's answer cannot be sent: {type(error).__name__}: {error}"))


class _Own:
    """Run a port in a process of its own."""

    def __init__(self, path: str | None, implementation: Any, name: str | None, method: str) -> None:
        self._start_with = (path, implementation, name, list(sys.path))
        self._context: Any = multiprocessing.get_context(method)
        self._process: Any = None
        self._connection: Any = None
        self.declaration: Declaration = self._start()

    def _start(self) -> Declaration:
        self._connection, theirs = self._context.Pipe()
        inherited = self._connection if self._context.get_start_method() == "fork" else None
        self._process = self._context.Process(target=_serve, args=(theirs, inherited, *self._start_with), daemon=True)
        with warnings.catch_warnings():
            # The child runs the port and nothing else; threads that other libraries have here do not matter to it.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()
        kind, what = self._receive(LOADING)
        if kind == "ready":
            declaration: Declaration = what
            return declaration
        self.close()
        name = self._start_with[0] or self._start_with[2] or "the implementation"
        if kind == "died":
            raise ImplementationError(f"implementation {name!r} {what} while it was loaded")
        if kind == "silent":
            raise ImplementationError(f"implementation {name!r}: not loaded after {LOADING:g} s")
        raise ImplementationError(str(what))

    def _receive(self, timeout: float) -> tuple[str, Any]:
        try:
            if not self._connection.poll(timeout):
                return "silent", None
            kind, what = self._connection.recv()
            return kind, what
        except (EOFError, OSError):
            self._process.join(5)
            return "died", _death(self._process.exitcode)

    def run(self, case: Case) -> Trajectory:
        """Compute one case."""
        return self.run_many([case])[0]

    def run_many(self, cases: list[Case]) -> list[Trajectory]:
        """Compute several cases."""
        if self._process is None:
            self._start()
        try:
            self._connection.send(cases)
        except OSError:  # it died between two cases
            self.close()
            self._start()
            self._connection.send(cases)
        timeout = self.declaration.timeout
        kind, what = self._receive(timeout * len(cases))
        if kind == "answer":
            answers: list[Trajectory] = what
            return answers
        if kind == "bad":
            raise BadAnswer(what)
        if kind == "failure":
            raise PortFailure(str(what))
        self.close()  # the next case finds a fresh process
        if kind != "silent":
            raise PortFailure(f"the port {what}")
        forked = self._context.get_start_method() == "fork"
        raise PortFailure(_hung(timeout) + (_IN_A_FORK if forked else ""))

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
        if process is not None:
            process.kill()
            process.join(5)


def _death(code: int | None) -> str:
    """Say how a process ended."""
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = {
            "SIGSEGV": " (an index out of bounds, or a wrong pointer or type in its signature?)",
            "SIGABRT": " (a failed assertion, or memory written out of bounds?)",
            "SIGFPE": " (an integer division by zero?)",
            "SIGKILL": " (out of memory?)",
        }.get(name, "")
        return f"killed its process: {name}{hint}"
    if code in (0xC0000005, -1073741819):
        return "killed its process: access violation (an index out of bounds, or a wrong pointer?)"
    return f"ended its process with exit code {code}"


class Forked(_Own):
    """Run an object of this process in a fork of it (Linux)."""

    def __init__(self, implementation: Any, name: str | None = None) -> None:
        super().__init__(None, implementation, name, "fork")


class Spawned(_Own):
    """Run ``module:attribute`` in a fresh interpreter (every system)."""

    def __init__(self, path: str) -> None:
        super().__init__(path, None, path, "spawn")
