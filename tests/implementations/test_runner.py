"""Ports that misbehave: each ends in a sentence, and the next case is answered."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import generic

from pytest_rnnequiv import Case, Trajectory, judge, reference
from pytest_rnnequiv.implementations import alarm as alarm_module
from pytest_rnnequiv.implementations.declaration import FIRST_TIMEOUT, TIMEOUT, declare
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.runner import (
    LOADING,
    THREADED,
    Clock,
    Forked,
    InProcess,
    PortFailure,
    Spawned,
    _death,
    can_fork,
)
from pytest_rnnequiv.model.trajectory import BadAnswer

needs_fork = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is safe on Linux only")
RUNNERS = [InProcess, pytest.param(Forked, marks=needs_fork)]


def right(case: Case) -> Any:
    return reference(case, np.float32)


def odd_when(n: int, what: Callable[[Case], Any]) -> Callable[[Case], Any]:
    """Return a port that does something odd with cases of N samples, and is right otherwise."""

    def run(case: Case) -> Any:
        return what(case) if n == case.N else right(case)

    return run


ODD, PLAIN = generic(N=5), generic(N=3)


@contextlib.contextmanager
def running(make: Any, *args: Any) -> Iterator[Any]:
    runner = make(*args)
    try:
        yield runner
    finally:
        runner.close()


def answers(runner: Any) -> bool:
    return judge(PLAIN, runner.run(PLAIN)).equivalent


def fails(runner: Any, message: str, kind: type[Exception] = PortFailure) -> None:
    """The odd case ends in the sentence, twice, and the plain one is answered before and after."""
    assert answers(runner)
    for _ in range(2):
        with pytest.raises(kind, match=message):
            runner.run(ODD)
        assert answers(runner)


class Tensor:
    """What frameworks return."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.array, dtype)


class OnDevice:
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("it requires grad")


def raising(error: BaseException) -> Callable[[Case], Any]:
    def run(case: Case) -> Any:
        raise error

    return run


# ---- answers of every kind ----


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize(
    "form",
    [
        lambda t: t,
        lambda t: t.outputs,
        lambda t: t.outputs[:, -1],
        lambda t: t.outputs.tolist(),
        lambda t: Tensor(t.outputs),
        lambda t: Trajectory(Tensor(t.outputs), Tensor(t.states)),
        lambda t: np.asfortranarray(t.outputs),
        lambda t: t.outputs[:, ::-1][:, ::-1],
        lambda t: np.frombuffer(t.outputs.tobytes(), np.float32).reshape(t.outputs.shape),
    ],
)
def test_arrays_lists_and_tensors_come_through(make: Any, form: Callable[[Trajectory], Any]) -> None:
    with running(make, lambda case: form(right(case))) as runner:
        assert judge(PLAIN, runner.run(PLAIN)).equivalent


@pytest.mark.parametrize("make", RUNNERS)
def test_a_buffer_that_is_overwritten_by_the_next_run_is_copied_in_time(make: Any) -> None:
    buffer = np.zeros((3, 2), np.float32)

    def run(case: Case) -> Any:
        buffer[:] = right(case).outputs[:, -1]
        return buffer

    cases = [generic(seed, N=3) for seed in range(4)]
    with running(make, run) as runner:
        one_by_one = [runner.run(case) for case in cases]
        together = runner.run_many(cases)
    for shown in (one_by_one, together):
        assert all(judge(case, t).equivalent for case, t in zip(cases, shown, strict=True))


@pytest.mark.parametrize("make", RUNNERS)
def test_bad_arrays_are_left_for_the_judge(make: Any) -> None:
    with running(make, lambda case: right(case).outputs.astype(int)) as runner:
        assert "have dtype int64" in (judge(PLAIN, runner.run(PLAIN)).problem or "")


# ---- ports that give none ----


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (raising(ValueError("bad shape")), r"the port raised ValueError: bad shape at test_runner.py:\d+ in run"),
        (raising(ZeroDivisionError()), r"the port raised ZeroDivisionError: no message at test_runner.py:\d+ in run"),
        (raising(SystemExit(3)), "the port raised SystemExit: 3 at test_runner.py"),
        (raising(MemoryError("too large")), "the port raised MemoryError: too large"),
        (
            lambda case: case.no_such_thing,
            "the port raised AttributeError: a case has no attribute 'no_such_thing'",
        ),
    ],
)
def test_a_port_that_raises(make: Any, odd: Callable[[Case], Any], message: str) -> None:
    with running(make, odd_when(5, odd)) as runner:
        fails(runner, message)


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize(
    ("odd", "raised", "in_short", "reason"),
    [
        (raising(KeyError("Wq")), "KeyError", "raises KeyError", r"raises KeyError at test_runner\.py:\d+"),
        (lambda case: case.x.fill(0), "", "writes into its inputs", ""),
    ],
)
def test_what_a_port_does_instead_of_answering(
    make: Any, odd: Callable[[Case], Any], raised: str, in_short: str, reason: str
) -> None:
    with running(make, odd_when(5, odd)) as runner, pytest.raises(PortFailure) as failure:
        runner.run(ODD)
    assert (failure.value.raised, failure.value.in_short) == (raised, in_short)
    assert re.fullmatch(reason, failure.value.reason)


@pytest.mark.parametrize("make", RUNNERS)
def test_a_port_that_returns_nothing(make: Any) -> None:
    with running(make, odd_when(5, lambda case: None)) as runner:
        fails(runner, r"the implementation returned None, .*\(is a `return` missing\?\)", BadAnswer)


@pytest.mark.parametrize("make", RUNNERS)
def test_a_port_whose_answer_is_no_array(make: Any) -> None:
    with running(make, odd_when(5, lambda case: OnDevice())) as runner:
        fails(runner, "the OnDevice that the port returned cannot be made an array: it requires grad", BadAnswer)


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize("name", ["x", "Wx", "Wh", "bh", "Wo", "bo", "h0", "mask"])
def test_a_port_that_writes_into_its_inputs(make: Any, name: str) -> None:
    def run(case: Case) -> Any:
        answer = right(case)
        array = getattr(case, name)
        array[...] = 0
        return answer

    case = generic(h0=True, mask=True)
    with running(make, run) as runner:
        message = f"the port writes into its input `{name}`; it must leave its inputs as they are (work on a copy)"
        with pytest.raises(PortFailure, match=re.escape(message)):
            runner.run(case)
    assert getattr(case, name).any()


def test_nan_inputs_are_not_taken_for_written_ones() -> None:
    x = PLAIN.x.copy()
    x[0, 0, 0] = np.nan
    assert InProcess(right).run(PLAIN.replace(x=x)) is not None


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize(
    ("many", "message"),
    [
        (lambda cases: [], "run_many returned 0 answers to 2 cases"),
        (lambda cases: [right(cases[0])], "run_many returned 1 answers to 2 cases"),
        (lambda cases: None, "run_many returned NoneType, expected a list with an answer to each case"),
        (lambda cases: 5, "run_many returned int, expected a list"),
    ],
)
def test_a_port_that_does_not_answer_each_case(make: Any, many: Any, message: str) -> None:
    port = type("Packed", (), {"run": staticmethod(right), "run_many": staticmethod(many)})()
    with running(make, port) as runner, pytest.raises(PortFailure, match=re.escape(message)):
        runner.run_many([PLAIN, PLAIN])


def press_ctrl_c(case: Case) -> Any:
    signal.raise_signal(signal.SIGINT)
    return right(case)


def press_ctrl_c_and_hold_it_back(case: Case) -> Any:
    with contextlib.suppress(BaseException):
        press_ctrl_c(case)
    return right(case)


@pytest.mark.parametrize("port", [press_ctrl_c, press_ctrl_c_and_hold_it_back])
def test_ctrl_c_is_the_users(port: Any) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        InProcess(port).run(PLAIN)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_port_is_asked_again_after_ctrl_c_and_not_answered_by_what_came_before() -> None:
    """What a port was computing when pytest was interrupted is not the answer to the next case."""

    def run(case: Case) -> Any:
        if case.N == 5:
            time.sleep(0.5)
        return right(case)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for make in (Forked,) if sys.platform.startswith("linux") else ():
        with running(make, run) as runner:
            assert answers(runner)
            before = signal.signal(signal.SIGALRM, interrupt)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                with pytest.raises(KeyboardInterrupt):
                    runner.run(ODD)
            finally:
                signal.signal(signal.SIGALRM, before)
            assert answers(runner)


# ---- ports that hang ----


class Hanging:
    timeout: float = 0.3
    first_timeout: float = 180.0

    def __init__(self, how: Callable[[], Any]) -> None:
        self.how = how

    def run(self, case: Case) -> Any:
        if case.N == 5:
            self.how()
        return right(case)


def spin() -> None:
    while True:
        pass


def stubborn() -> None:
    while True:
        with contextlib.suppress(Exception):
            time.sleep(10)


def hold_back() -> None:
    with contextlib.suppress(BaseException):
        time.sleep(60)


def most_stubborn() -> None:
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            continue


def in_a_with() -> None:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.01)


def with_a_finally() -> None:
    tidied = 0
    while True:
        try:
            try:
                time.sleep(0.01)
            finally:
                tidied += 1
        except BaseException:
            continue


def stubborn_twice() -> None:
    while True:
        try:
            most_stubborn()
        except BaseException:
            continue


@pytest.mark.parametrize("make", RUNNERS)
@pytest.mark.parametrize(
    "how", [lambda: time.sleep(60), spin, stubborn, most_stubborn, stubborn_twice, in_a_with, with_a_finally]
)
def test_a_port_that_hangs_is_cut_off_and_asked_again(make: Any, how: Callable[[], Any]) -> None:
    watched = sys.gettrace(), sys.getprofile()
    with running(make, Hanging(how)) as runner:
        assert answers(runner)
        started = time.perf_counter()
        hung = "the port hangs: no answer after 0.3 s (set `timeout` on it, in seconds, if it is only slow)"
        with pytest.raises(PortFailure, match=re.escape(hung)):
            runner.run(ODD)
        assert 0.25 < time.perf_counter() - started < 50  # the shortest of them takes 60 s
        assert answers(runner)
    assert sys.exc_info() == (None, None, None)
    assert (sys.gettrace(), sys.getprofile()) == watched


def test_a_port_that_lets_nothing_out_is_told_of(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setattr(alarm_module, "HOPELESS", 2)
    with pytest.raises(PortFailure, match="the port hangs"):
        InProcess(always(most_stubborn, 0.2)).run(PLAIN)
    said = capfd.readouterr().err
    assert "a port has hung for 0.2 s in pytest's process, and holds every exception back." in said
    assert "--rnn-equiv-impl module:attribute, which runs it in a process of its own." in said


def test_nobody_is_hurried_in_a_debugger() -> None:
    debugger = {"__name__": "pdb", "sleep": time.sleep}
    exec("def wait(): sleep(1.0)", debugger)
    assert answers(InProcess(always(debugger["wait"], 0.4)))


def test_a_pack_has_the_time_of_its_cases_together() -> None:
    class Slow:
        timeout = 0.5

        def run(self, case: Case) -> Any:
            time.sleep(0.2)
            return right(case)

    assert len(InProcess(Slow()).run_many([PLAIN] * 4)) == 4


@pytest.fixture
def alarm() -> Iterator[list[float]]:
    """Somebody else's alarm: when it rang."""
    rang: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(time.monotonic()))
    yield rang
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_the_alarm_is_put_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    InProcess(right).run(PLAIN)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def slowly_right(case: Case) -> Any:
    time.sleep(0.2)
    return right(case)


def test_the_alarm_of_somebody_else_goes_on(alarm: list[float]) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 100, 50)
    InProcess(slowly_right).run(PLAIN)
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 50 < left < 99.9
    assert interval == 50
    assert signal.getsignal(signal.SIGALRM) is handler
    assert not alarm


def test_the_alarm_of_somebody_else_rings_in_time_while_a_port_runs(alarm: list[float]) -> None:
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(PortFailure, match="the port hangs"):
        InProcess(always(lambda: time.sleep(60), 0.5)).run(PLAIN)
    ended = time.monotonic()
    assert len(alarm) == 1
    assert began + 0.09 < alarm[0] < ended
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_the_alarm_of_somebody_else_raises_goes_through_the_port(alarm: list[float]) -> None:
    class TestTakesTooLong(BaseException):
        pass

    def ring(*_: Any) -> None:
        raise TestTakesTooLong

    signal.signal(signal.SIGALRM, ring)
    for how in (lambda: time.sleep(60), hold_back):
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(TestTakesTooLong):
            InProcess(Hanging(how)).run(ODD)
    assert signal.getsignal(signal.SIGALRM) is ring


def test_a_port_that_uses_the_alarm_itself_leaves_nothing_of_it() -> None:
    def run(case: Case) -> Any:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        return right(case)

    before = signal.getsignal(signal.SIGALRM)
    assert answers(InProcess(run))
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# ---- ports that start slowly ----


def always(how: Callable[[], Any], timeout: float, first_timeout: float | None = None) -> Any:
    """Return a port that does something with each case."""
    port = Hanging(how)
    port.run = lambda case: how() or right(case)  # type: ignore[method-assign]
    port.timeout, port.first_timeout = timeout, first_timeout or timeout
    return port


@pytest.mark.parametrize("make", RUNNERS)
def test_a_cold_start_is_no_hang(make: Any) -> None:
    warm: list[bool] = []

    def start() -> None:
        if not warm:
            time.sleep(2.0)
            warm.append(True)

    with running(make, always(start, 1.0, 60)) as runner:
        assert answers(runner)
        assert answers(runner)


@needs_fork
def test_a_process_that_was_killed_may_start_slowly_again() -> None:
    warm: list[bool] = []

    def run(case: Case) -> Any:
        if not warm:
            time.sleep(2.0)
            warm.append(True)
        if case.N == 5:
            time.sleep(60)
        return right(case)

    port = type("Port", (), {"timeout": 1.0, "run": staticmethod(run)})()
    with running(Forked, port) as runner:
        fails(runner, "the port hangs: no answer after 1 s")


@pytest.mark.parametrize("make", RUNNERS)
def test_a_port_that_always_hangs_has_the_long_time_once(make: Any) -> None:
    with running(make, always(lambda: time.sleep(60), 0.2, 1.0)) as runner:
        with pytest.raises(
            PortFailure, match="no answer to its first call after 1 s .set `first_timeout` on it"
        ) as one:
            runner.run(PLAIN)
        for _ in range(2):
            with pytest.raises(PortFailure, match="no answer after 0.2 s .set `timeout` on it") as two:
                runner.run(PLAIN)
    assert one.value.hung
    assert two.value.hung


def test_the_time_of_a_first_call_is_bounded() -> None:
    clock = Clock(declare(right))
    assert clock.allows(1) == LOADING == FIRST_TIMEOUT
    assert clock.allows(3) == LOADING + 2 * TIMEOUT
    clock.answered(15.0)
    assert clock.allows(3) == 3 * TIMEOUT
    clock.cold = True
    assert clock.allows(1) == TIMEOUT + 4 * 15
    assert "no answer after 70 s" in str(clock.hung(1))
    assert clock.allows(1) == TIMEOUT + 4 * 15
    clock.answered(0.01)
    clock.cold = True
    assert clock.allows(1) == TIMEOUT + 4 * 15


def test_a_port_that_raises_is_still_cold() -> None:
    runner = InProcess(odd_when(5, raising(ValueError("no"))))
    with pytest.raises(PortFailure) as failed:
        runner.run(ODD)
    assert not failed.value.hung
    assert runner._clock.cold
    assert answers(runner)
    assert not runner._clock.cold


# ---- ports that die ----


def crash() -> None:
    ctypes.string_at(0)


@needs_fork
@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda: os._exit(3), r"^the port ended its process with exit code 3$"),
        (lambda: os._exit(0), r"^the port ended its process with exit code 0$"),
        (os.abort, r"^the port killed its process: SIGABRT \(a failed assertion, or memory written out of bounds\?\)$"),
        (
            crash,
            r"^the port killed its process: SIGSEGV "
            r"\(an index out of bounds, or a wrong pointer or type in its signature\?\)$",
        ),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), r"^the port killed its process: SIGKILL \(out of memory\?\)$"),
        (lambda: os.kill(os.getpid(), signal.SIGFPE), r"process: SIGFPE \(an integer division by zero\?\)$"),
    ],
)
def test_a_port_that_dies_is_told_how_and_asked_again(how: Callable[[], Any], message: str, capfd: Any) -> None:
    def dying(case: Case) -> Any:
        import faulthandler

        faulthandler.disable()
        how()

    with running(Forked, odd_when(5, dying)) as runner:
        fails(runner, message)


@needs_fork
def test_a_port_that_dies_between_two_cases_is_started_again() -> None:
    with running(Forked, right) as runner:
        assert answers(runner)
        first = runner._process.pid
        os.kill(first, signal.SIGKILL)
        runner._process.died()
        assert answers(runner)
        assert runner._process.pid != first


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (1, "ended its process with exit code 1"),
        (None, "closed the connection to pytest"),
        (-1000, "killed its process: signal 1000"),
        (0xC0000005, "killed its process: access violation (an index out of bounds, or a wrong pointer?)"),
    ],
)
def test_how_a_process_ended(code: int | None, sentence: str) -> None:
    assert _death(code) == sentence


# ---- processes ----


def gone(pid: int, seconds: float = 5) -> bool:
    """Whether a process ends within some seconds; one that has ended and was not waited for counts as ended."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@needs_fork
def test_a_closed_port_leaves_no_process_and_can_be_asked_again() -> None:
    runner = Forked(right)
    pid = runner._process.pid
    assert pid != os.getpid()
    assert Path(f"/proc/{pid}").exists()
    runner.close()
    assert gone(pid)
    runner.close()
    assert answers(runner)
    runner.close()
    del runner
    gc.collect()


@needs_fork
def test_the_process_ends_when_its_parent_dies(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            import numpy as np
            from pytest_rnnequiv import reference
            from pytest_rnnequiv.implementations.runner import Forked

            runners = [Forked(lambda case: reference(case)) for _ in range(2)]
            print(*(runner._process.pid for runner in runners), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            """
        )
    )
    printed = tmp_path / "printed"
    with printed.open("w") as file:  # a pipe would be held open by a process that is left over
        parent = subprocess.run([sys.executable, script], stdout=file, check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    pids = [int(word) for word in printed.read_text().split()]
    assert len(pids) == 2
    left = [pid for pid in pids if not gone(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


@needs_fork
def test_a_port_of_this_process_runs_in_a_fork_of_it() -> None:
    secret = {"seen": 0}

    def run(case: Case) -> Any:
        secret["seen"] += 1
        return np.full((case.N, case.K), secret["seen"], np.float32)

    with running(Forked, run, "mine") as runner:
        assert [float(np.asarray(runner.run(PLAIN).outputs)[0, 0]) for _ in range(3)] == [1, 2, 3]
        assert secret["seen"] == 0
        assert runner.declaration.name == "mine"


@pytest.mark.parametrize("make", RUNNERS)
def test_an_answer_that_is_no_data_is_told_alike_everywhere(make: Any) -> None:
    with running(make, odd_when(5, lambda case: [[lambda: 0]])) as runner:
        fails(runner, r"^the outputs are a function, expected an array of floats \(call it", BadAnswer)


@needs_fork
def test_a_port_that_is_none_is_told_at_once() -> None:
    with pytest.raises(ImplementationError, match="5 is no implementation"):
        Forked(5)
    odd = type("odd", (), {"timeout": -1, "run": staticmethod(right)})()
    with pytest.raises(ImplementationError, match="timeout must be a number of seconds"):
        Forked(odd)


@needs_fork
def test_a_port_that_dies_while_it_is_made_is_told() -> None:
    class Dying:
        def __init__(self) -> None:
            os._exit(7)

        def run(self, case: Case) -> Any:
            return None

    with pytest.raises(
        ImplementationError, match="^implementation 'dying' ended its process with exit code 7 while it was loaded$"
    ):
        Forked(Dying, "dying")


def test_in_a_thread_a_hang_cannot_be_cut_off_and_nothing_else_changes() -> None:
    import threading

    shown: list[Any] = []
    thread = threading.Thread(target=lambda: shown.append(InProcess(right).run(PLAIN)))
    thread.start()
    thread.join(10)
    assert judge(PLAIN, shown[0]).equivalent


# ---- module:attribute ----


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module to a directory on the path, and return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        name = f"ported_{abs(hash(source))}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return name

    return write


def test_a_spawned_port_answers_dies_hangs_and_answers_again(module: Callable[[str], str]) -> None:
    name = module(
        """
        import os, time
        import numpy as np
        from pytest_rnnequiv import reference

        class Port:
            timeout = 1.0
            versions = {"pid": str(os.getpid())}

            def run(self, case):
                if case.N == 5:
                    os.abort()
                if case.N == 6:
                    time.sleep(60)
                return reference(case, np.float32)
        """
    )
    with running(Spawned, f"{name}:Port") as runner:
        assert runner.declaration.name == f"{name}:Port"
        assert runner.declaration.versions["pid"] == str(runner._process.pid)
        assert answers(runner)
        with pytest.raises(PortFailure, match="the port killed its process: SIGABRT"):
            runner.run(ODD)
        assert answers(runner)
        with pytest.raises(PortFailure, match="the port hangs: no answer after 1 s"):
            runner.run(generic(N=6))
        pid = runner._process.pid if runner._process else None
        assert answers(runner)
        assert runner._process.pid != pid
        last = runner._process.pid
    assert gone(last)


@pytest.mark.parametrize(
    ("source", "attribute", "message"),
    [
        (
            "import no_such_library",
            "run",
            "importing {0} failed: ModuleNotFoundError: No module named 'no_such_library' at {0}.py:1",
        ),
        ("\n1 / 0", "run", "importing {0} failed: ZeroDivisionError: division by zero at {0}.py:2"),
        ("def run(case): pass", "ran", "{} has no attribute 'ran'; did you mean 'run'?"),
        ("def run(case): pass\ndef _x(): pass", "forward", "{} has no attribute 'forward'; it has run"),
        ("run = 5", "run.it", "{} has no attribute 'run.it'"),
        ("class a: pass", "a.b.c", "{} has no attribute 'a.b.c'"),
        ("run = 5", "run", "5 is no implementation: expected a function run(case)"),
        ("import os; os._exit(4)", "run", "ended its process with exit code 4 while it was loaded"),
        ("import sys; sys.exit('no licence')", "run", "SystemExit: no licence"),
    ],
)
def test_a_path_that_cannot_be_loaded_is_told_why(
    module: Callable[[str], str], source: str, attribute: str, message: str
) -> None:
    name = module(source)
    with pytest.raises(ImplementationError, match=re.escape(message.format(name))):
        Spawned(f"{name}:{attribute}")


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ImplementationError, match="importing no_such_module failed: .*'no_such_module'$"):
        Spawned("no_such_module:run")


@needs_fork
class TestForks:
    """A fork leaves threads behind, and what waits for them waits for ever."""

    @pytest.fixture(autouse=True)
    def alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in THREADED:  # other tests may have loaded them
            monkeypatch.delitem(sys.modules, module, raising=False)

    @pytest.mark.parametrize("module", THREADED)
    def test_frameworks_with_threads_are_not_forked(self, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, module, sys)
        assert not can_fork()

    def test_nor_is_a_pool_of_threads(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(int).result()
            assert not can_fork()

    def test_nor_is_openmp(self) -> None:
        program = """
            import ctypes, ctypes.util, sys
            from pytest_rnnequiv.implementations.runner import can_fork
            before = can_fork()
            try:
                ctypes.CDLL("libgomp.so.1")
            except OSError:
                print("none here")
            else:
                print(before, can_fork())
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
        assert done.stdout.strip() in ("none here", "True False"), done.stderr

    def test_a_hang_in_a_fork_says_so(self) -> None:
        class Hangs:
            timeout = first_timeout = 0.2

            def run(self, case: Case) -> Any:
                time.sleep(60)

        with running(Forked, Hangs()) as runner, pytest.raises(PortFailure, match="in a fork .* module:attribute"):
            runner.run(PLAIN)
