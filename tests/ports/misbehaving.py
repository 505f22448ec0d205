"""Ports that misbehave, each in its own way, and ports that are right though they look odd; what is told of each.

``python tests/ports/misbehaving.py`` prints the table.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import locale
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pytest_rnnequiv import Case, Declined, Supports, Trajectory, reference

#: Ways of running a port: in pytest's process, in a fork of it, in a fresh process.
HERE, FORKED, FRESH = "here", "forked", "fresh"
EVERYWHERE, APART = (HERE, FORKED, FRESH), (FORKED, FRESH)


@dataclass(frozen=True)
class Fault:
    """A port, and what a user is told of it; nothing, if it is right."""

    port: Any
    told: str
    ways: tuple[str, ...]

    @property
    def what(self) -> str:
        return (self.port.__doc__ or "").strip().splitlines()[0]


FAULTS: dict[str, Fault] = {}


def told(sentence: str, *ways: str) -> Callable[[Any], Any]:
    def register(port: Any) -> Any:
        FAULTS[port.__name__] = Fault(port, sentence, ways or (HERE, FORKED))
        return port

    return register


def is_right(*ways: str) -> Callable[[Any], Any]:
    return told("", *ways)


def right(case: Case) -> Any:
    return reference(case, np.float32).outputs[:, -1]


# ---- what it raises ----


@told("the port raised RuntimeError: the firmware did not answer at misbehaving.py:", *EVERYWHERE)
def raises(case: Case) -> Any:
    """raises"""
    raise RuntimeError("the firmware did not answer")


@told("the port raised ValueError: xxxxxx", *EVERYWHERE)
def raises_ten_megabytes(case: Case) -> Any:
    """raises with a text of 10 MB"""
    raise ValueError("x" * 10_000_000)


@told(r"the port raised ValueError: \x1b[2J\x1b[31mred\x07\u202e at misbehaving.py:")
def raises_in_red(case: Case) -> Any:
    """raises with control characters in its text"""
    raise ValueError("\x1b[2J\x1b[31mred\a\u202e")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@told(
    "the port raised Unspeakable: its text cannot be had: str() of it raised RuntimeError at misbehaving.py:",
    *EVERYWHERE,
)
def raises_without_words(case: Case) -> Any:
    """raises what has no text: its str() raises"""
    raise Unspeakable


@told("the port raised KeyboardInterrupt: no message at misbehaving.py:", *EVERYWHERE)
def raises_keyboard_interrupt(case: Case) -> Any:
    """raises KeyboardInterrupt"""
    raise KeyboardInterrupt


@told("the port raised SystemExit: 3 at misbehaving.py:")
def exits_in_order(case: Case) -> Any:
    """calls sys.exit(3)"""
    sys.exit(3)


@told("the port raised RecursionError: maximum recursion depth exceeded")
def recurses(case: Case) -> Any:
    """recurses without end"""
    return recurses(case)


@told("the port raised MemoryError: Unable to allocate")
def wants_too_much_memory(case: Case) -> Any:
    """asks for more memory than there is"""
    return np.ones(10**15)


@told("the port raised AttributeError: a case has no attribute 'X'")
def misspells(case: Case) -> Any:
    """asks a case for what it does not have"""
    return case.X  # type: ignore[attr-defined]


@told("(a port takes one argument, the case)")
def takes_none() -> Any:
    """takes no argument"""


# ---- how it dies ----


@told("the port ended its process with exit code 3", *APART)
def exits(case: Case) -> Any:
    """calls os._exit(3)"""
    os._exit(3)


@told("the port ended its process with exit code 0", FORKED)
def exits_content(case: Case) -> Any:
    """calls os._exit(0)"""
    os._exit(0)


@told("the port killed its process: SIGABRT (a failed assertion, or memory written out of bounds?)", *APART)
def aborts(case: Case) -> Any:
    """aborts"""
    quiet()
    os.abort()


@told("the port killed its process: SIGSEGV (an index out of bounds, or a wrong pointer", *APART)
def segfaults(case: Case) -> Any:
    """reads address 0"""
    quiet()
    ctypes.string_at(0)


@told("the port killed its process: SIGBUS (a wrong pointer, or a file that is shorter", FORKED)
def maps_too_much(case: Case) -> Any:
    """is killed by SIGBUS"""
    die_of(signal.SIGBUS)


@told("the port killed its process: SIGFPE (an integer division by zero?)", FORKED)
def divides_by_zero(case: Case) -> Any:
    """is killed by SIGFPE"""
    die_of(signal.SIGFPE)


@told("the port killed its process: SIGILL (compiled for another processor?)", FORKED)
def is_for_another_processor(case: Case) -> Any:
    """is killed by SIGILL"""
    die_of(signal.SIGILL)


@told("the port killed its process: SIGKILL (out of memory?)", FORKED)
def is_out_of_memory(case: Case) -> Any:
    """is killed by SIGKILL"""
    die_of(signal.SIGKILL)


@told("the port killed its process: SIGTERM", FORKED)
def is_terminated(case: Case) -> Any:
    """is killed by SIGTERM"""
    die_of(signal.SIGTERM)


@told("the port killed its process: SIGKILL", FORKED)
def kills_its_group(case: Case) -> Any:
    """kills its whole process group"""
    os.killpg(0, signal.SIGKILL)


@told("the port closed the connection to pytest", FORKED)
def closes_every_file(case: Case) -> Any:
    """closes every file that is open, and sleeps"""
    os.closerange(0, 256)
    time.sleep(60)


def quiet() -> None:
    """Die without a page about it."""
    import faulthandler

    faulthandler.disable()


def die_of(which: int) -> None:
    quiet()
    os.kill(os.getpid(), which)
    time.sleep(60)


# ---- how it hangs ----


@told("the port hangs: no answer after 0.3 s", *EVERYWHERE)
class Hangs:
    """hangs in Python"""

    timeout = first_timeout = 0.3

    def run(self, case: Case) -> Any:
        while True:
            time.sleep(0.01)


@told("the port hangs: no answer after 0.3 s", *APART)
class HangsInC(Hangs):
    """hangs in C, and holds the interpreter's lock"""

    def run(self, case: Case) -> Any:
        while True:  # a foreign call that begins again, whatever Python wants
            ctypes.PyDLL(None).usleep(10_000_000)


@told("the port hangs: no answer after 0.3 s", HERE, FORKED)
class HoldsBack(Hangs):
    """hangs in a loop with `except BaseException: pass`"""

    def run(self, case: Case) -> Any:
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                continue


# ---- what it returns ----


@told(
    "the implementation returned None, expected an array of outputs or a Trajectory (is a `return` missing?)",
    *EVERYWHERE,
)
def returns_none(case: Case) -> Any:
    """returns nothing"""
    right(case)


@told("the outputs have shape (1, ")
def wrong_shape(case: Case) -> Any:
    """returns one output for all samples"""
    return right(case)[:1, :1]


@told("; there is an axis of length 1 too many")
def one_axis_more(case: Case) -> Any:
    """returns an axis more, at the end"""
    return right(case)[..., None]


@told("; there is an axis of length 1 too many")
def in_a_list(case: Case) -> Any:
    """returns its array in a list"""
    return [reference(case, np.float32).outputs]


@told("; it is transposed")
def transposed(case: Case) -> Any:
    """returns (K, N)"""
    return right(case).T


@told("N and T are swapped (time-major?)")
def time_major(case: Case) -> Any:
    """returns (T, N, K)"""
    return np.swapaxes(reference(case).outputs, 0, 1)


@told("the implementation returned a pair; to show outputs and states, return Trajectory(outputs=y, states=h)")
def pair(case: Case) -> Any:
    """returns (outputs, states)"""
    shown = reference(case, np.float32)
    return shown.outputs, shown.states


@told("the outputs are an array of Python objects, expected an array of floats")
def objects(case: Case) -> Any:
    """returns an array of objects"""
    return np.array([[None] * case.K] * case.N)


@told("the outputs are a Box, expected an array of floats", *EVERYWHERE)
def own_object(case: Case) -> Any:
    """returns an object of its own"""
    return Box()


class Box:
    lock = threading.Lock()


@told("the OnDevice that the port returned cannot be made an array: it is on the GPU")
def on_the_device(case: Case) -> Any:
    """returns a tensor that gives no array"""
    return OnDevice()


class OnDevice:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("it is on the GPU")


@told("the outputs have dtype int32, expected floats")
def integers(case: Case) -> Any:
    """returns whole numbers"""
    return right(case).astype(np.int32)


@told("the outputs are text (dtype <U")
def strings(case: Case) -> Any:
    """returns numbers as text"""
    return [[str(y) for y in row] for row in right(case)]


@told("the outputs are a dict, expected an array of floats (return the array that is in it)")
def in_a_dict(case: Case) -> Any:
    """returns a dict"""
    return {"outputs": right(case)}


@told("the outputs are a generator, expected an array of floats (it has to be run to its end: a `return`", *EVERYWHERE)
def generates(case: Case) -> Any:
    """is a generator: `yield` in the place of `return`"""
    yield right(case)


@told(
    "the outputs are a coroutine, expected an array of floats (an `async def` has to be run to its end: asyncio.run)",
    *EVERYWHERE,
)
async def waits(case: Case) -> Any:
    """is an `async def`"""
    return right(case)


@told("the outputs are a function, expected an array of floats (call it, and return what it gives)")
def curries(case: Case) -> Any:
    """returns a function"""
    return lambda: right(case)


@told("the outputs are empty")
def empty(case: Case) -> Any:
    """returns an empty array"""
    return np.zeros((0, case.K))


@told("got          nan")
def not_a_number(case: Case) -> Any:
    """returns NaN"""
    return right(case) * np.nan


@told("got          inf")
def infinite(case: Case) -> Any:
    """returns infinity"""
    return right(case) + np.inf


@told("the port writes into its input `x`; it must leave its inputs as they are (work on a copy)")
def writes_into_x(case: Case) -> Any:
    """writes into its inputs"""
    answer = right(case)
    case.x[...] = 0.5 - case.x
    return answer


@told("the port writes into its input `Wh`")
def writes_into_weights(case: Case) -> Any:
    """writes into its weights"""
    answer = right(case)
    case.Wh[...] = 0
    return answer


# ---- what it declares ----


class Plain:
    def run(self, case: Case) -> Any:
        return right(case)


@told("name must be a text, not 17", *EVERYWHERE)
class NumberForAName(Plain):
    """declares name = 17"""

    name = 17


@told("its name cannot be read: ZeroDivisionError: integer division or modulo by zero")
class RaisesItsName(Plain):
    """raises when it is asked for its name"""

    @property
    def name(self) -> str:
        raise ZeroDivisionError("integer division or modulo by zero")


@told('versions must be a dict such as {"mylib": "1.2"}, or a method that returns one, not \'1.2\'', *EVERYWHERE)
class VersionsOfText(Plain):
    """declares versions = "1.2\""""

    versions = "1.2"


@told("versions() raised OSError: no such board")
class RaisesItsVersions(Plain):
    """raises in versions()"""

    def versions(self) -> Any:
        raise OSError("no such board")


@told("timeout must be a number of seconds, not -1")
class NegativeTimeout(Plain):
    """declares timeout = -1"""

    timeout = -1


@told("timeout must be a number of seconds, not nan")
class NoTimeout(Plain):
    """declares timeout = nan"""

    timeout = float("nan")


@told("first_timeout must be a number of seconds, not '1 min'")
class TextForATimeout(Plain):
    """declares first_timeout = "1 min\""""

    first_timeout = "1 min"


@told("unknown precision 'float8': expected a Precision or one of float32")
class UnknownPrecision(Plain):
    """declares precision = "float8\""""

    precision = "float8"


@told("supports must be a Supports or a dict, not list")
class ListOfSupports(Plain):
    """declares supports = [...]"""

    supports: ClassVar[Any] = ["tanh"]


@told("supports has no units; it knows D, M, K, N, T, activations")
class UnknownSupports(Plain):
    """declares support of what nobody knows"""

    supports: ClassVar[Any] = {"units": 3}


@told('what it heeds is an option: options=("mask",)')
class MasksAsAField(Plain):
    """declares supports = {"masks": True}"""

    supports: ClassVar[Any] = {"masks": True}


@told("supports.activations must be a tuple of names, not 5")
class NumberOfActivations(Plain):
    """declares activations = 5"""

    supports: ClassVar[Any] = {"activations": 5}


@told("accepts must be a method accepts(case), not True")
class AcceptsAll(Plain):
    """declares accepts = True"""

    accepts = True


@told("accepts(case) returned None, expected True or False", *EVERYWHERE)
class AcceptsNothing(Plain):
    """has an accepts(case) without a `return`"""

    def accepts(self, case: Case) -> Any:
        _ = case.M <= 64


@told("step(x_t, state) is given inputs and weights only: leave options out of supports, or write run(case)")
class StepsWithMasks:
    """takes steps, and declares masks"""

    supports: ClassVar[Any] = {"options": ("mask",)}

    def step(self, x: Any, state: Any) -> Any:
        return None, x


@told("NeedsArguments() cannot be made without arguments: TypeError")
class NeedsArguments(Plain):
    """is a class that needs arguments"""

    def __init__(self, path: str) -> None:
        self.path = path


class _Nothing:
    """is no implementation: an object without run or step"""

    __name__ = "nothing"

    def __repr__(self) -> str:
        return "\x1b[31m" + 1000 * "nothing "


nothing = _Nothing()
told(r"\x1b[31mnothing nothing", *EVERYWHERE)(nothing)


# ---- cases that it does not take ----


@told("declined: accepts(case) said no")
class TakesNone(Plain):
    """accepts no case"""

    def accepts(self, case: Case) -> bool:
        return False


@told("declined: only even sizes", *EVERYWHERE)
def declines(case: Case) -> Any:
    """raises Declined"""
    raise Declined("only even sizes")


# ---- right, though it looks odd ----


@is_right()
def lists(case: Case) -> Any:
    """returns lists"""
    return right(case).tolist()


@is_right()
def read_only(case: Case) -> Any:
    """returns an array that cannot be written"""
    answer = right(case)
    answer.flags.writeable = False
    return answer


@is_right()
def not_contiguous(case: Case) -> Any:
    """returns every second number of a larger array"""
    return np.asfortranarray(np.repeat(right(case), 2, axis=1))[:, ::2]


@is_right()
def from_c(case: Case) -> Any:
    """returns an array of ctypes"""
    answer = right(case)
    in_c = ((ctypes.c_float * case.K) * case.N)()
    np.ctypeslib.as_array(in_c)[...] = answer
    return in_c


@is_right()
def memory(case: Case) -> Any:
    """returns a memoryview"""
    return memoryview(array.array("f", right(case).ravel())).cast("B").cast("f", right(case).shape)


@is_right()
def double(case: Case) -> Any:
    """returns float64"""
    return right(case).astype(np.float64)


@is_right()
def lazy(case: Case) -> Any:
    """returns a tensor that computes when it is made an array"""
    return Lazy(case)


class Lazy:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.lock = threading.Lock()  # nothing that could be sent anywhere

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return right(self.case)


@is_right(*EVERYWHERE)
class OwnBuffer:
    """returns a view of a buffer that the next call overwrites"""

    def __init__(self) -> None:
        self.buffer = np.zeros(100_000, np.float32)

    def run(self, case: Case) -> Any:
        view = self.buffer[: case.N * case.K].reshape(case.N, case.K)
        view[...] = right(case)
        return view


@is_right()
class Slow:
    """takes 50 ms, and shows its states"""

    def run(self, case: Case) -> Any:
        time.sleep(0.05)
        shown = reference(case, np.float32)
        return Trajectory(shown.outputs, shown.states)


@is_right(*EVERYWHERE)
class StartsSlowly(Plain):
    """takes twice its timeout for its first call, in each process"""

    timeout = 1.0
    cold = True

    def run(self, case: Case) -> Any:
        if self.cold:
            time.sleep(2 * self.timeout)
            self.cold = False
        return right(case)


@is_right(*EVERYWHERE)
class NameInRed(Plain):
    """has a name of many lines, in red"""

    name = "\x1b[31mfirm\r\nware " + 100 * "x"


def with_supports(case: Case) -> Any:
    """is a function that declares"""
    return right(case)


with_supports.supports = Supports(M=(1, 9))  # type: ignore[attr-defined]
is_right(*EVERYWHERE)(with_supports)


@is_right()
def prints_a_lot(case: Case) -> Any:
    """prints 1 MB"""
    print("x" * 1_000_000)
    return right(case)


@is_right(*APART)
def closes_stdout(case: Case) -> Any:
    """closes stdin, stdout and stderr"""
    answer = right(case)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()
    for file in range(3):
        with contextlib.suppress(OSError):
            os.close(file)
    return answer


@is_right()
def changes_the_folder(case: Case) -> Any:
    """changes the working directory"""
    os.chdir(tempfile.gettempdir())
    return right(case)


@is_right()
def changes_settings(case: Case) -> Any:
    """changes numpy.seterr, the locale, and the seeds of random numbers"""
    answer = right(case)
    np.seterr(all="raise")
    np.random.seed(0)
    random.seed(0)
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_NUMERIC, "")
    return answer


@is_right()
def uses_the_alarm(case: Case) -> Any:
    """uses the alarm clock, and leaves it on"""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    return right(case)


@is_right()
def starts_threads(case: Case) -> Any:
    """starts threads, and leaves one running"""
    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
    answer: list[Any] = []
    thread = threading.Thread(target=lambda: answer.append(right(case)))
    thread.start()
    thread.join()
    return answer[0]


def double_of(number: int) -> int:
    return 2 * number


@is_right(*APART)
class HasAPool:
    """has a pool of processes"""

    pool: Any = None

    def run(self, case: Case) -> Any:
        if self.pool is None:
            self.pool = multiprocessing.get_context("fork").Pool(2)
        assert self.pool.map(double_of, [1, 2]) == [2, 4]
        return right(case)


@is_right(*EVERYWHERE)
def forks_and_forgets(case: Case) -> Any:
    """forks, and lets the copy answer as well"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        os.fork()
    return right(case)


@is_right(*APART)
def waits_for_its_children(case: Case) -> Any:
    """waits for its children until there is none"""
    if os.fork() == 0:
        os._exit(0)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return right(case)


# ---- what is seen in more than one answer ----


def not_deterministic(case: Case) -> Any:
    return right(case) + np.random.default_rng().standard_normal()


def table() -> str:
    """Return the table of all of these, in Markdown."""
    rows = [("a port that", "runs", "is told")]
    rows += [
        (fault.what, ", ".join(fault.ways), f"`{fault.told}`" if fault.told else "right") for fault in FAULTS.values()
    ]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


if __name__ == "__main__":
    print(table())
