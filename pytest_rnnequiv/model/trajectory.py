"""What an implementation shows of its run, brought into one form, or a sentence about why that cannot be done."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..wording import told

__all__ = ["BadAnswer", "NetworkTrajectory", "ShownCall", "ShownLayer", "Trajectory"]


class BadAnswer(ValueError):
    """An answer that is no trajectory at all; the message says what it is and what was expected."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The visible part of one run.

    Parameters
    ----------
    outputs : (N, K) or (N, T, K) array
        The outputs of the last step, as ``model.predict`` returns them, or of every step.
    states : (N, T, M) array, optional
        The hidden state *after* every step. Whoever shows it is judged step by step, with no room for chaos.
    through_head : bool
        The states are outputs under an identity head; a head that rounds its factors has rounded them.
    separate_runs : bool
        Each state is from a run of its own, in which those before it may have been rounded in another way.
    """

    outputs: Any
    states: Any = None
    through_head: bool = False
    separate_runs: bool = False

    def checked(self, N: int, T: int, M: int, K: int) -> CheckedTrajectory:
        """Return the arrays as float64, after checking kind and shape.

        Raises
        ------
        BadAnswer
            If something is no array of floats or has another shape than the case asks for.
        """
        outputs = _floats("the outputs", self.outputs)
        if outputs.shape not in ((N, K), (N, T, K)):
            raise BadAnswer(
                f"the outputs have shape {outputs.shape}, expected (N, K) = {(N, K)} (the last step) "
                f"or (N, T, K) = {(N, T, K)} (every step)" + _shape_hint(outputs.shape, (N, T, K))
            )
        states = None
        if self.states is not None:
            states = _floats("the states", self.states)
            if states.shape != (N, T, M):
                raise BadAnswer(
                    f"the states have shape {states.shape}, expected (N, T, M) = {(N, T, M)}"
                    + _shape_hint(states.shape, (N, T, M))
                )
        return CheckedTrajectory(outputs, states)


@dataclass(frozen=True, eq=False)
class ShownLayer:
    """What was seen of one layer of a network in one call.

    Parameters
    ----------
    output : array, or pair of arrays
        What the layer gives to the next one: ``(N, T, F)`` or ``(N, F)``; a pair with ``merge_mode=None``.
    states : sequence of (N, M) arrays, optional
        The states after the last step, of each direction and each cell, where the layer returns or keeps them.
    """

    output: Any = None
    states: Any = None


@dataclass(frozen=True, eq=False)
class ShownCall:
    """What was seen of one call of a network.

    Parameters
    ----------
    outputs : array, or pair of arrays
        What the model returns: of the head, or of the last layer where there is no head.
    layers : sequence of ShownLayer or None
        Of each layer; empty where only the outputs are seen.
    """

    outputs: Any
    layers: tuple[ShownLayer | None, ...] = ()


@dataclass(frozen=True, eq=False)
class NetworkTrajectory:
    """The visible part of a network's calls, one after the other."""

    calls: tuple[ShownCall, ...]

    @classmethod
    def of(cls, answer: Any) -> NetworkTrajectory:
        """Wrap the outputs of a single call; what is a trajectory stays one.

        Raises
        ------
        BadAnswer
            If there is nothing in it.
        """
        if answer is None:
            raise BadAnswer(
                "the implementation returned None, expected an array of outputs or a NetworkTrajectory "
                "(is a `return` missing?)"
            )
        if isinstance(answer, Trajectory):
            answer = answer.outputs
        return answer if isinstance(answer, NetworkTrajectory) else cls((ShownCall(answer),))


@dataclass(frozen=True, eq=False)
class CheckedTrajectory:
    """A trajectory whose arrays are float64 and have the shapes of their case."""

    outputs: npt.NDArray[np.float64]
    states: npt.NDArray[np.float64] | None


def as_trajectory(answer: Any) -> Trajectory:
    """Wrap what a port returned; a bare array is its outputs.

    Raises
    ------
    BadAnswer
        If there is nothing in it.
    """
    if answer is None:
        raise BadAnswer(
            "the implementation returned None, expected an array of outputs or a Trajectory (is a `return` missing?)"
        )
    if isinstance(answer, tuple) and len(answer) == 2 and all(isinstance(part, np.ndarray) for part in answer):
        raise BadAnswer(
            "the implementation returned a pair; to show outputs and states, return Trajectory(outputs=y, states=h)"
        )
    return answer if isinstance(answer, Trajectory) else Trajectory(answer)


def _floats(what: str, answer: Any) -> npt.NDArray[np.float64]:
    if answer is None:
        raise BadAnswer(f"{what} are None, expected an array of floats (is a `return` missing?)")
    try:
        array = np.asarray(answer)
    except Exception as error:
        raise BadAnswer(
            f"{what} cannot be made an array ({type(error).__name__}: {told(error)}); expected an array of floats"
        ) from error
    if array.dtype.hasobject:
        raise BadAnswer(no_array(what, answer))
    if array.dtype.kind in "US":
        raise BadAnswer(f"{what} are text (dtype {array.dtype}), expected an array of floats")
    # bfloat16 and its like (ml_dtypes) are void to numpy's kinds, and floats to everybody else.
    if array.dtype.kind != "f" and "float" not in array.dtype.name:
        raise BadAnswer(f"{what} have dtype {array.dtype}, expected floats (float16, float32 or float64)")
    if array.size == 0:
        raise BadAnswer(f"{what} are empty (shape {array.shape})")
    return array.astype(np.float64)


def no_array(what: str, answer: Any) -> str:
    """Say what an answer is that is no data, and what may be the reason."""
    if inspect.iscoroutine(answer):
        answer.close()  # or Python would complain that nobody has waited for it
    kind, hint = _called(answer), ""
    if inspect.isawaitable(answer) or inspect.isasyncgen(answer):
        hint = " (an `async def` has to be run to its end: asyncio.run)"
    elif isinstance(answer, Iterator):
        hint = " (it has to be run to its end: a `return` in the place of `yield`, or np.array(list(...)))"
    elif isinstance(answer, Mapping):
        hint = " (return the array that is in it)"
    elif callable(answer):
        hint = " (call it, and return what it gives)"
    elif hasattr(answer, "__array__"):
        kind += " of Python objects"
    elif isinstance(answer, (list, tuple)):
        kind, hint = f"{kind} of Python objects", " (rows of unequal length?)"
    return f"{what} are {kind}, expected an array of floats{hint}"


def floats(what: str, answer: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Return an answer as float64, after checking kind and shape; an empty one where there are no samples.

    Raises
    ------
    BadAnswer
        If it is no array of floats, or has another shape.
    """
    array = np.zeros(shape) if 0 in shape and np.shape(answer) == shape else _floats(what, answer)
    if array.shape != shape:
        raise BadAnswer(f"{what} have shape {array.shape}, expected {shape}")
    return array


def _called(answer: Any) -> str:
    name = type(answer).__name__
    return "an array" if isinstance(answer, np.ndarray) else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _shape_hint(got: tuple[int, ...], full: tuple[int, int, int]) -> str:
    """Name the most common reasons of a wrong shape."""
    N, T, last = full
    if any(got[:i] + got[i + 1 :] in ((N, last), full) for i, size in enumerate(got) if size == 1):
        return "; there is an axis of length 1 too many"
    if len(got) > 3:
        return "; there is an axis too many"
    if got == (T, N, last):
        return "; N and T are swapped (time-major?)"
    if got in ((last,), (T, last)) and N == 1:
        return "; the sample axis is missing"
    if got == (N, last, T):
        return "; the last two axes are swapped"
    if got == (last, N):
        return "; it is transposed"
    if len(got) == 3 and got[0] == N and got[2] == last and got[1] in (T - 1, T + 1):
        return f"; there is a step {'missing' if got[1] < T else 'too many (the initial state?)'}"
    return ""
