"""Ask a port, here and now: what it answers is brought into arrays, and whatever goes wrong into a sentence.

Every way of running a port comes through :func:`compute`, so that the sentences are the same in each.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any

import numpy as np

from ..model.case import Case
from ..model.network_case import NetworkCase
from ..model.trajectory import BadAnswer, NetworkTrajectory, ShownCall, ShownLayer, Trajectory, as_trajectory, no_array
from ..wording import cleaned, described, told
from . import ImplementationError
from .port import Declined, normalise

__all__ = ["PortFailure", "compute"]


class PortFailure(Exception):
    """A port that gave no answer: it raised, hung, died, or wrote into its inputs. The message is the sentence.

    Attributes
    ----------
    hung : bool
        Whether it took all the time that it was given: asked again, it may take as long again.
    """

    def __init__(self, message: str, *, hung: bool = False) -> None:
        super().__init__(message)
        self.hung = hung


def compute(
    implementation: Any,
    cases: Sequence[Case | NetworkCase],
    not_its_own: Callable[[BaseException], bool] = lambda error: False,
) -> list[Any]:
    """Run cases here, on copies, and see that the inputs are left as they were.

    Parameters
    ----------
    implementation
    cases : sequence of Case or NetworkCase
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
        raise PortFailure(_raised(error)) from error
    _end_copies(process)
    for case, given in zip(cases, handed, strict=True):
        _see_untouched(case, given)
    return [
        as_trajectory(answer) if isinstance(case, Case) else NetworkTrajectory.of(answer)
        for case, answer in zip(cases, answers, strict=True)
    ]


def _answers(implementation: Any, handed: list[Any]) -> list[Any]:
    accepts = getattr(implementation, "accepts", None)
    if callable(accepts):
        for case in handed:
            _see_accepted(accepts(case))
    run, many = normalise(implementation)
    if many is None:
        # One by one, an answer is taken out of its buffer at once: the next run may overwrite it.
        return [_kept(run(case)) for case in handed]
    return [_kept(answer) for answer in _one_each(many(handed), len(handed))]


def _see_accepted(answer: Any) -> None:
    if not isinstance(answer, (bool, np.bool_)):
        raise ImplementationError(f"accepts(case) returned {described(answer)}, expected True or False")
    if not answer:
        raise Declined("accepts(case) said no")


def _see_untouched(case: Any, given: Any) -> None:
    for name, array in case.numbers().items():
        if not np.array_equal(array, given.numbers()[name], equal_nan=array.dtype.kind == "f"):
            raise PortFailure(
                f"the port writes into its input `{name}`; it must leave its inputs as they are (work on a copy)"
            )


def _end_copies(process: int) -> None:
    """End the copy of this process that a port has made by a fork, and forgotten to end: it must not answer too."""
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
    if isinstance(answer, Trajectory):
        return Trajectory(_kept(answer.outputs), _kept(answer.states, "the states"))
    if isinstance(answer, (NetworkTrajectory, ShownCall, ShownLayer)):
        return type(answer)(
            *(_kept(getattr(answer, each.name), f"the {each.name}") for each in fields(answer) if each.init)
        )
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
    frames = traceback.extract_tb(error.__traceback__)
    where = next((f for f in reversed(frames) if os.path.dirname(__file__) not in f.filename), None)
    place = f" at {os.path.basename(where.filename)}:{where.lineno} in {where.name}" if where else ""
    text = told(error)
    if isinstance(error, TypeError) and "positional argument" in text and where is None:
        text += " (a port takes one argument, the case)"
    return f"the port raised {cleaned(type(error).__name__, 80)}: {text}{cleaned(place, 200)}"
