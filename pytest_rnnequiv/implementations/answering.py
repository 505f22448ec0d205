"""Ask a port in this process: its answers become arrays, and whatever goes wrong becomes a sentence.

Every runner calls :func:`compute`, so that the sentences are the same wherever a port runs.
"""

from __future__ import annotations

import importlib
import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any

import numpy as np

from ..model.case import Case
from ..model.layouts import NoSuchLayer
from ..model.trajectory import BadAnswer, ShownLayer, Trajectory, no_array
from ..wording import cleaned, described, told
from .declaration import normalize
from .errors import Declined, ImplementationError

__all__ = ["HANGS", "RAISES", "PortFailure", "compute"]

#: What the reasons begin with why a port gave no answer.
HANGS, RAISES = "hangs", "raises"


class PortFailure(Exception):
    """A port that gave no answer: it raised, hung, died, or wrote into its inputs. The message is the sentence.

    Attributes
    ----------
    hung : bool
        Whether it took all the time that it was given: asked again, it may take as long again.
    raised : str
        The type of the exception that the port raised; empty where it has not.
    at : str
        The file and the line of the port that it came from, as ``my_rnn.py:6``; empty where that is not known.
    wrote : bool
        Whether it wrote into its inputs.
    """

    def __init__(
        self, message: str, *, hung: bool = False, raised: str = "", at: str = "", wrote: bool = False
    ) -> None:
        super().__init__(message)
        self.hung = hung
        self.raised = raised
        self.at = at
        self.wrote = wrote

    @property
    def in_short(self) -> str:
        """What the port does instead of answering: "raises ValueError", "gives no answer"."""
        if self.raised:
            return f"{RAISES} {self.raised}"
        return "writes into its inputs" if self.wrote else "gives no answer"

    @property
    def reason(self) -> str:
        """The part of it that does not depend on the case; empty where only the sentence is known."""
        if self.hung:
            return HANGS
        return f"{RAISES} {self.raised} at {self.at}" if self.raised and self.at else ""


def compute(
    implementation: Any,
    cases: Sequence[Case],
    not_its_own: Callable[[BaseException], bool] = lambda error: False,
) -> list[Any]:
    """Run cases here, on copies, and see that the inputs are left as they were.

    Parameters
    ----------
    implementation
    cases : sequence of Case
    not_its_own : callable, optional
        Tells of an exception whether somebody else raised it into the port: it goes through as it is.

    Raises
    ------
    PortFailure
        If the implementation raises or writes into its inputs.
    BadAnswer
        If it returns what no array can be made of.
    Declined
        If it does not take one of the cases.
    """
    handed = [case.writable() for case in cases]
    process = os.getpid()
    try:
        # What the port changes for all that runs here after it (numpy.seterr) is put back.
        with np.errstate():
            answers = _answers(implementation, handed)
    except BaseException as error:
        if os.getpid() == process and (isinstance(error, (BadAnswer, Declined)) or not_its_own(error)):
            raise
        _end_copies(process)
        if isinstance(error, NoSuchLayer):  # the port has asked for a layout that cannot hold the case
            raise Declined(told(error)) from error
        own = not isinstance(error, ImplementationError)
        where = _where(error) if own else None
        at = "" if where is None else _file_and_line(where)
        raise PortFailure(_raised(error), raised=_type_of(error) if own else "", at=at) from error
    _end_copies(process)
    for case, given in zip(cases, handed, strict=True):
        _see_untouched(case, given)
    return [Trajectory.of(answer, case.spec.two_outputs) for case, answer in zip(cases, answers, strict=True)]


def _answers(implementation: Any, handed: list[Case]) -> list[Any]:
    accepts = getattr(implementation, "accepts", None)
    if callable(accepts):
        for case in handed:
            _see_accepted(accepts(case))
    run, many = normalize(implementation)
    if many is None:
        # One by one, an answer is taken out of its buffer at once: the next run may overwrite it.
        return [_kept(run(case)) for case in handed]
    return [_kept(answer) for answer in _one_each(many(handed), len(handed))]


def _see_accepted(answer: Any) -> None:
    if not isinstance(answer, (bool, np.bool_)):
        raise ImplementationError(f"accepts(case) returned {described(answer)}, expected True or False")
    if not answer:
        raise Declined("accepts(case) said no")


def _see_untouched(case: Case, given: Case) -> None:
    handed = given.numbers()
    for name, array in case.numbers().items():
        if not np.array_equal(array, handed[name], equal_nan=array.dtype.kind == "f"):
            raise PortFailure(
                f"the port writes into its input `{_letter(case, name)}`; it must leave its inputs as they are "
                "(work on a copy)",
                wrote=True,
            )


def _letter(case: Case, name: str) -> str:
    """Return the letter by which a port reads an array, where the case has one; else the full name."""
    letters = {full: letter for letter, full in case.spec.letters.items()}
    if letters and len(case.calls) == 1:
        letters |= {"call0/x": "x", "call0/mask": "mask", "call0/state0": "h0"}
    return letters.get(name, name)


def _end_copies(process: int) -> None:
    """End this process if it is a fork that the port made and did not end: only the original may answer."""
    if os.getpid() != process:
        os._exit(0)


def _one_each(answers: Any, count: int) -> list[Any]:
    """Return the answers of ``run_many`` as a list, one for each case."""
    if inspect.iscoroutine(answers):
        _kept(answers)  # tells what it is
    if not isinstance(answers, Iterable) or isinstance(answers, (str, bytes, Mapping)):
        raise ImplementationError(
            f"run_many returned {type(answers).__name__}, expected a list with an answer to each case"
        )
    listed = list(islice(answers, count + 1))  # it may have no end
    if len(listed) != count:
        many = f"{len(listed)}" if len(listed) < count else f"more than {count}"
        raise ImplementationError(f"run_many returned {many} answers to {count} cases")
    return listed


def _kept(answer: Any, what: str = "the outputs") -> Any:
    """Return an answer as copies of its arrays.

    Raises
    ------
    BadAnswer
        If there is something in it that is no data: a generator, a coroutine, an object of the port's own.
    """
    if answer is None:
        return None
    if isinstance(answer, (Trajectory, ShownLayer)):
        named = {each.name: getattr(answer, each.name) for each in fields(answer)}
        return type(answer)(**{name: _kept(part, f"the {name.replace('_', ' ')}") for name, part in named.items()})
    if isinstance(answer, tuple) and not answer:
        return answer
    return _listed(answer, what) if isinstance(answer, (list, tuple)) else _array(answer, what)


def _array(answer: Any, what: str) -> Any:
    try:
        array = np.array(answer)
    except Exception as error:
        if "BFloat16" in str(error):  # PyTorch's, which NumPy has no numbers for
            return _array(answer.float(), what)
        raise BadAnswer(
            f"the {type(answer).__name__} that the port returned cannot be made an array: {told(error)}"
        ) from error
    if array.dtype.hasobject:
        raise BadAnswer(no_array(what, answer))
    return array


def _listed(answer: Sequence[Any], what: str) -> Any:
    """Return an array of lists of numbers; arrays in a list stay what they are, one by one."""
    if not any(hasattr(part, "__array__") or part is None for part in answer):
        try:
            array = np.array(answer)
        except Exception:
            array = np.empty(0, object)
        if not array.dtype.hasobject:
            return array
    parts = [_kept(part, what) for part in answer]
    return tuple(parts) if isinstance(answer, tuple) else parts


def _raised(error: BaseException) -> str:
    """One sentence, and where in the port it came from."""
    if isinstance(error, ImplementationError):
        return cleaned(str(error))
    place = came_from(error)
    text = told(error)
    if isinstance(error, TypeError) and "positional argument" in text and not place:
        text += " (a port takes one argument, the case)"
    return f"the port raised {_type_of(error)}: {text}{place}"


def _type_of(error: BaseException) -> str:
    return cleaned(type(error).__name__, 80)


def came_from(error: BaseException) -> str:
    """Return where in a user's code an exception came from, such as `` at my_rnn.py:6 in run``; empty if nowhere."""
    where = _where(error)
    if where is None:
        return ""
    function = "" if where.name == "<module>" else f" in {where.name}"
    return cleaned(f" at {_file_and_line(where)}{function}", 200)


def _where(error: BaseException) -> traceback.FrameSummary | None:
    frames = traceback.extract_tb(error.__traceback__)
    others = (os.path.dirname(__file__), "<frozen importlib", str(importlib.__file__))
    return next((f for f in reversed(frames) if not f.filename.startswith(others)), None)


def _file_and_line(where: traceback.FrameSummary) -> str:
    return cleaned(f"{os.path.basename(where.filename)}:{where.lineno}", 200)
