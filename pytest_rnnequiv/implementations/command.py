"""A program in any language as an implementation: it reads cases from standard input, and writes answers."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from ..wording import cleaned
from .errors import ImplementationError

__all__ = ["Command"]

#: What a port may declare beside `run`; see :func:`~.declaration.declare`.
DECLARED = ("name", "precision", "supports", "model", "accepts", "timeout", "first_timeout", "versions")

#: JSON has no word for these: a string stands for them. ``null`` is NaN too, since JavaScript writes NaN so.
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

#: Characters of a line of a program, and of its last words, that a message shows.
SHOWN = 300


class Command:
    """A program that computes cases: one line of text goes in for each, and one comes out.

    Parameters
    ----------
    command : str or sequence of str or path
        The program and its arguments: ``["node", "rnn.js"]``; a string is split as a shell would split it.
    form : {"json", "numbers"}
        What a line is. ``"json"``: in goes an object with the sizes ``N, T, D, M, K``, ``cell``, ``activation``,
        ``head_activation``, ``dtype``, the options of the cell, ``x``, the weights ``Wx, Wh, bh, Wo, bo``, and
        ``mask``, ``h0``, ``c0`` where there are any, all arrays as nested lists. Out comes a nested list of outputs,
        ``(N, K)`` or ``(N, T, K)``, or ``{"outputs": ..., "states": ...}``, or ``{"error": "a sentence"}``. NaN and the
        infinities are the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``; ``null`` is read as NaN.
        ``"numbers"``, for programs without a JSON reader: in go ``N T D M K`` and all numbers of ``x, Wx, Wh, bh, Wo,
        bo``, row by row; out come the ``N*K`` or ``N*T*K`` numbers of the outputs.
    once : bool
        Whether the program is started for each case, and reads to the end of its input. Else it goes on, line by line,
        and has to flush what it writes.
    cwd : path, optional
        The folder in which it runs.
    **declared
        What a port may declare: ``name``, ``precision``, ``supports``, ``timeout``, ...

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.
    """

    def __init__(
        self,
        command: str | Sequence[str | os.PathLike[str]],
        *,
        form: str = "json",
        once: bool = False,
        cwd: str | os.PathLike[str] | None = None,
        **declared: Any,
    ) -> None:
        words = shlex.split(command, posix=os.name != "nt") if isinstance(command, str) else list(command)
        if not words or not all(isinstance(word, (str, os.PathLike)) for word in words):
            raise TypeError(f"command must be a program and its arguments, such as ['node', 'rnn.js'], not {command!r}")
        if form not in ("json", "numbers"):
            raise ValueError(f"form must be 'json' or 'numbers', not {form!r}")
        if unknown := sorted(declared.keys() - {*DECLARED}):
            raise TypeError(f"Command has no argument {', '.join(unknown)}: a port may declare {', '.join(DECLARED)}")
        self.command, self.form, self.once, self.cwd = [os.fspath(word) for word in words], form, once, cwd
        self.name = os.path.basename(self.command[-1])
        vars(self).update(declared)
        self._process: subprocess.Popen[str] | None = None
        self._stderr: Any = None
        self._last = ""

    def run(self, case: Case) -> Trajectory:
        """Have the program compute a case.

        Raises
        ------
        ImplementationError
            If it cannot be started, ends, or says that it failed.
        BadAnswer
            If its answer cannot be read.
        """
        line = self._asked(case)
        answer = self._at_once(line) if self.once else self._by_line(line)
        if not answer.strip():
            raise ImplementationError(f"the program {self._shown()} {self._last or 'wrote an empty line'}")
        return self._read_json(answer) if self.form == "json" else self._read_numbers(answer, case)

    # ---- the program ----

    def _start(self) -> subprocess.Popen[str]:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 -- it lives as long as the program
        try:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=self.cwd,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise ImplementationError(
                f"the program {self.command[0]!r} of the command {self._shown()} cannot be started: "
                f"{error.strerror or error} (is it installed, and on the PATH or in the folder "
                f"{self.cwd or os.curdir!s}?)"
            ) from error

    def _at_once(self, line: str) -> str:
        """Start the program for one case, and return all that it writes."""
        self._process = self._start()
        try:
            answer = self._process.communicate(line + "\n")[0]
            return "" if self._process.returncode else answer
        finally:
            self.close()

    def _by_line(self, line: str) -> str:
        """Write one line to the program, and return the one that it answers; "" where it ended."""
        if self._process is None:
            self._process = self._start()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        answer = ""
        try:
            with suppress(BrokenPipeError):  # it has ended
                stdin.write(line + "\n")
                stdin.flush()
                answer = stdout.readline()
            return answer
        finally:
            # it has ended, or its time is over: a late answer must not be taken for the next one
            if not answer:
                self.close()

    def close(self) -> None:
        """End the program."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what it has not read
                    pipe.close()
        try:
            code = process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 4 * SHOWN))
        words = self._stderr.read().decode("utf-8", "replace").strip()[-SHOWN:]
        self._stderr.close()
        said = f"it said: {cleaned(words)}" if words else "it wrote nothing to stderr"
        self._last = f"ended with exit code {code} and without an answer; {said}"

    def _shown(self) -> str:
        return cleaned(shlex.join(self.command), SHOWN)

    # ---- what goes in ----

    def _asked(self, case: Case) -> str:
        if not case.spec.letters or len(case.calls) > 1 or case.spec.head is None:
            raise ImplementationError(
                "Command sends models of one recurrence, a head and one call: leave out the options of `supports` that "
                "mean more than that"
            )
        return json.dumps(self._described(case)) if self.form == "json" else self._numbers(case)

    def _described(self, case: Case) -> dict[str, Any]:
        cell = case.spec.cell
        head = case.spec.head
        assert head is not None
        said = {letter: getattr(case, letter) for letter in "NTDMK"}
        said |= {
            "cell": cell.name,
            "activation": str(case.spec.layer.activation),
            "head_activation": str(head.activation),
        }
        said |= {"dtype": case.spec.dtype, **{name: value for name, value, _ in cell.said()}}
        arrays = {"x": case.x, **{letter: case.weights[i] for i, letter in enumerate(case.spec.letters)}}
        if case.mask is not None:
            arrays["mask"] = case.mask
        if given := case.calls[0].states:
            arrays |= {f"{state}0": array for state, array in zip(cell.states, given, strict=True)}
        return said | {name: _listed(array) for name, array in arrays.items()}

    def _numbers(self, case: Case) -> str:
        if case.mask is not None or case.calls[0].states:
            raise ImplementationError("the form 'numbers' has no masks and no initial states: use the form 'json'")
        sizes = [str(getattr(case, letter)) for letter in "NTDMK"]
        arrays = (case.x, *case.weights)
        return " ".join(sizes + [repr(float(number)) for array in arrays for number in array.ravel()])

    # ---- what comes out ----

    def _read_json(self, answer: str) -> Trajectory:
        try:
            read = json.loads(answer)
        except ValueError as error:
            raise BadAnswer(
                f"the program {self._shown()} wrote a line that is no JSON ({error}): "
                f"{cleaned(answer.strip(), SHOWN)!r}; what is no answer belongs on stderr"
            ) from error
        if isinstance(read, dict) and "error" in read:
            raise ImplementationError(f"the program {self._shown()} failed: {cleaned(str(read['error']), SHOWN)}")
        shown = read if isinstance(read, dict) else {"outputs": read}
        if not shown.keys() & {"outputs", "states"} or shown.keys() - {"outputs", "states"}:
            raise BadAnswer(
                "the answer has the keys "
                + ", ".join(map(repr, shown))
                + ", expected 'outputs', 'states' or both, or 'error'"
            )
        return Trajectory(**{what: _array(numbers, what) for what, numbers in shown.items()})

    def _read_numbers(self, answer: str, case: Case) -> Trajectory:
        try:
            numbers = np.array([float(word) for word in answer.split()])
        except ValueError as error:
            raise BadAnswer(
                f"the program {self._shown()} wrote what is no number: {cleaned(str(error), SHOWN)}"
            ) from error
        shapes = {math.prod(shape): shape for shape in ((case.N, case.T, case.K), (case.N, case.K))}
        if numbers.size not in shapes:
            raise BadAnswer(
                f"the program {self._shown()} wrote {numbers.size} numbers, expected N*K = {case.N * case.K} or "
                f"N*T*K = {case.N * case.T * case.K}"
            )
        return Trajectory(numbers.reshape(shapes[numbers.size]))


def _listed(array: Any) -> Any:
    """Return nested lists of JSON's numbers, and strings for those that it has not."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        words = {math.inf: "Infinity", -math.inf: "-Infinity"}
        found = [number if math.isfinite(number) else words.get(number, "NaN") for number in array.ravel().tolist()]
        return np.array(found, object).reshape(array.shape).tolist()
    return array.tolist()


def _array(numbers: Any, what: str) -> Any:
    """Return an array of floats of nested lists; whole numbers are floats too."""

    def number(value: Any) -> Any:
        if isinstance(value, list):
            return [number(each) for each in value]
        if value is None or isinstance(value, str):
            value = math.nan if value is None else NOT_FINITE.get(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadAnswer(f"the {what} hold what is no number")
        return float(value)

    try:
        return np.array(number(numbers), np.float64)
    except ValueError as error:
        if isinstance(error, BadAnswer):
            raise
        raise BadAnswer(f"the {what} are lists of unequal lengths") from error
