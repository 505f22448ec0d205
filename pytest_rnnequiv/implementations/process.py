"""A process of a port's own: how it is started, how it ends, and why it never outlives this one.

On every system but Windows the process leads a session of its own, so that what it starts (the workers of a pool) is
in its group and ends with it. Beside it, in its group, sleeps a *watchman*: a small process that reads from a pipe, the
*lifeline*, whose other end is held by this process alone. However this process ends, be it by ``kill -9``, the system
closes the pipe, the watchman wakes and ends the whole group: a port that hangs in C code and could not act itself
is ended as well. On Windows a job object does the same.

This module is the first thing that a fresh process imports, so it knows the standard library only: the watchman is
forked off before there are threads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from multiprocessing import connection as pipes
from typing import Any, NoReturn

__all__ = ["Process", "fork", "start"]

#: Seconds that a process has to end in order, once it is told to.
GRACE = 3.0

#: What a fresh interpreter runs: no ``__main__`` of anybody's is run again. Nothing but builtins until the path is set.
PROGRAM = """
import sys
sys.path[:] = eval(sys.stdin.readline())
from pytest_rnnequiv.implementations.process import serve
serve(int(sys.argv[1]))
"""


class Process:
    """A running process, and the two ends of pipes that tie it to this one.

    Attributes
    ----------
    pid : int
    connection : Connection
        Answers come, and cases go, through it.
    """

    def __init__(self, child: Any, connection: Any, lifeline: Any, job: Any = None) -> None:
        self._child = child
        self._lifeline = lifeline
        self._job = job
        self.pid: int = child.pid
        self.connection = connection
        _ours.add(self)
        # at the end of the run, if nobody has closed the port
        self._at_exit = weakref.finalize(self, _end, child, connection, lifeline, job, GRACE)

    def died(self) -> int | None:
        """Wait for a process that has closed its end; return its exit code, None if it lives on."""
        return _waited(self._child, 2)

    def end(self, grace: float = 0.0) -> None:
        """End it and all that it has started; in order, if it does so within some seconds."""
        if self._at_exit.detach() is not None:
            _end(self._child, self.connection, self._lifeline, self._job, grace)

    def forget(self) -> None:
        """Let go of it in a fork of its owner: it belongs to the original."""
        self._at_exit.detach()
        self.connection.close()
        _closed(self._lifeline)


#: The processes of this one. A fork of it must not hold their lifelines.
_ours: weakref.WeakSet[Process] = weakref.WeakSet()


def _forget_all() -> None:
    for each in list(_ours):
        each.forget()
    _ours.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _end(child: Any, connection: Any, lifeline: Any, job: Any, grace: float) -> None:
    with contextlib.suppress(OSError):
        connection.close()  # it sees that, unless it is busy
    if grace:
        _waited(child, grace)
    _kill(child, job)
    _waited(child, 5)
    _closed(lifeline)


def _closed(lifeline: Any) -> None:
    with contextlib.suppress(OSError):
        lifeline.close()


def _waited(child: Any, seconds: float) -> int | None:
    try:
        code: int | None = child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    return code


if sys.platform == "win32":

    def _kill(child: Any, job: Any) -> None:
        if job is not None:
            job.close()  # and with the job all that is in it
        with contextlib.suppress(OSError):
            child.kill()

else:

    def _kill(child: Any, job: Any) -> None:
        # The watchman is in the group as well, so the group is there, and its number is nobody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            child.kill()  # before it has come to lead its group


def start(search: list[str]) -> Process:
    """Start a fresh interpreter that serves; `search` is its ``sys.path``."""
    ours, theirs = pipes.Pipe()
    handle = theirs.fileno()
    command = [sys.executable, *_flags(), "-c", PROGRAM, str(handle)]
    how: dict[str, Any]
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        how = {
            "startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]}),
            "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP,
        }
    else:
        how = {"pass_fds": [handle], "start_new_session": True}
    try:
        child: subprocess.Popen[bytes] = subprocess.Popen(command, stdin=subprocess.PIPE, **how)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    assert child.stdin is not None
    process = Process(child, ours, child.stdin, _job(child))
    with contextlib.suppress(OSError):  # it died: whoever waits for its first message finds out
        child.stdin.write(ascii([os.fspath(each) for each in search]).encode() + b"\n")
        child.stdin.flush()
    return process


def _flags() -> list[str]:
    """Return the options that this interpreter was started with, as multiprocessing passes them on."""
    flags: Callable[[], list[str]] = getattr(subprocess, "_args_from_interpreter_flags", list)
    return flags()


def serve(handle: int) -> NoReturn:
    """Be a port's process: the body of a fresh interpreter, of which :func:`start` is the other end."""
    if sys.platform == "win32":
        connection: Any = pipes.PipeConnection(handle)
    else:
        connection = pipes.Connection(handle)
        os.set_inheritable(handle, False)
        _watch(os.dup(0))
    _without_input()
    from .runner import answer_path  # it takes a while to import, and is watched meanwhile

    answer_path(connection)
    sys.exit(0)  # in order: what waits for the end, such as coverage.py and pools, has its turn


def fork(body: Callable[[Any], None]) -> Process:
    """Start a fork of this process that runs `body` with its end of the connection."""
    ours, theirs = pipes.Pipe()
    down, up = os.pipe()
    _flush()
    with warnings.catch_warnings():
        # The child runs the port and nothing else; threads that other libraries have here do not matter to it.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = _Fork()
    if child.pid == 0:
        code = 1
        try:
            ours.close()
            os.close(up)
            os.setsid()
            _watch(down)
            _without_input()
            body(theirs)
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            _flush()
            os._exit(code)
    theirs.close()
    os.close(down)
    return Process(child, ours, os.fdopen(up, "wb", 0))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _open_files() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        return list(range(256))


def _without_input() -> None:
    """Close what a port could read from: the terminal is pytest's, and the pipe is the watchman's."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)


class _Fork:
    """A fork, with what is used here of :class:`subprocess.Popen`."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has waited for it
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        for _ in _moments(timeout):
            if self.poll() is not None:
                break
        if self.returncode is None:
            raise subprocess.TimeoutExpired("fork", timeout)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _moments(seconds: float) -> Iterator[None]:
    """Take turns until some seconds are over: often at first, seldom later."""
    until, nap = time.monotonic() + seconds, 0.0005
    yield
    while time.monotonic() < until:
        time.sleep(nap)
        nap = min(2 * nap, 0.05)
        yield


if sys.platform != "win32":

    def _watch(lifeline: int) -> None:
        """Set a watchman beside this process, which ends its group when the other end of the lifeline is closed.

        It is a grandchild, which the system adopts: a port that waits for all of its children does not wait for it.
        """
        group = os.getpid()
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            os.close(lifeline)
            return
        if os.fork():
            os._exit(0)
        try:
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
                signal.signal(each, signal.SIG_IGN)
            os.chdir("/")
            for file in _open_files():
                if file != lifeline:
                    with contextlib.suppress(OSError):
                        os.close(file)
            os.read(lifeline, 1)
        finally:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
            os._exit(0)


if sys.platform == "win32":

    def _job(child: Any) -> Any:
        """Put a process into a job that ends with its last handle, which only this process has; None if none is had."""
        with contextlib.suppress(Exception):
            return _Job(child)
        return None

    class _Job:
        """A Windows job object: ``JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE``."""

        def __init__(self, child: Any) -> None:
            import ctypes
            from ctypes import wintypes

            class Basic(ctypes.Structure):
                _fields_ = (
                    ("PerProcessUserTimeLimit", ctypes.c_int64),
                    ("PerJobUserTimeLimit", ctypes.c_int64),
                    ("LimitFlags", wintypes.DWORD),
                    ("MinimumWorkingSetSize", ctypes.c_size_t),
                    ("MaximumWorkingSetSize", ctypes.c_size_t),
                    ("ActiveProcessLimit", wintypes.DWORD),
                    ("Affinity", ctypes.c_size_t),
                    ("PriorityClass", wintypes.DWORD),
                    ("SchedulingClass", wintypes.DWORD),
                )

            class Extended(ctypes.Structure):
                _fields_ = (
                    ("Basic", Basic),
                    ("IoInfo", ctypes.c_uint64 * 6),
                    ("ProcessMemoryLimit", ctypes.c_size_t),
                    ("JobMemoryLimit", ctypes.c_size_t),
                    ("PeakProcessMemoryUsed", ctypes.c_size_t),
                    ("PeakJobMemoryUsed", ctypes.c_size_t),
                )

            self._kernel = kernel = ctypes.WinDLL("kernel32", use_last_error=True)
            kernel.CreateJobObjectW.restype = wintypes.HANDLE
            kernel.CreateJobObjectW.argtypes = (ctypes.c_void_p, wintypes.LPCWSTR)
            kernel.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD)
            kernel.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
            kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
            self._handle = kernel.CreateJobObjectW(None, None)
            limits = Extended()
            limits.Basic.LimitFlags = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
            # 9: JobObjectExtendedLimitInformation
            kernel.SetInformationJobObject(self._handle, 9, ctypes.byref(limits), ctypes.sizeof(limits))
            kernel.AssignProcessToJobObject(self._handle, int(child._handle))

        def close(self) -> None:
            handle, self._handle = self._handle, None
            if handle:
                self._kernel.CloseHandle(handle)

else:

    def _job(child: Any) -> Any:
        """Only Windows has jobs."""
        return None
