"""What an implementation shows of its run, brought into one form, or a sentence about why that cannot be done."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..wording import told

__all__ = ["Assembled", "BadAnswer", "ShownLayer", "Trajectory", "floats", "shape_of"]


class BadAnswer(ValueError):
    """An answer that is no trajectory at all; the message says what it is and what was expected."""


@dataclass(frozen=True, eq=False)
class ShownLayer:
    """What was seen of one layer in one call: its output, its states, or both.

    Parameters
    ----------
    output : array, or pair of arrays
        What the layer gives to the next one: ``(N, T, F)`` or ``(N, F)``; a pair with ``merge_mode=None``.
    states : (N, T, M) array
        Of a layer of one recurrence: the state *after* every step, in the order of processing.
    final_states : sequence of (N, M) arrays
        The states after the last step, of each direction and each cell, as the layer returns or keeps them.
    """

    output: Any = None
    states: Any = None
    final_states: Any = None

    def numbers(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Yield all arrays, by name."""
        if self.output is not None:
            yield from ((f"output {j}", np.asarray(a)) for j, a in enumerate(_pair(self.output)))
        if self.states is not None:
            yield "states", np.asarray(self.states)
        yield from ((f"final state {j}", np.asarray(a)) for j, a in enumerate(self.final_states or ()))


def _pair(output: Any) -> Sequence[Any]:
    """The two outputs of ``merge_mode=None``, or the only one."""
    return output if isinstance(output, (tuple, list)) else (output,)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The visible part of a run.

    Parameters
    ----------
    outputs : array, or pair of arrays
        What the model returns: ``(N, K)`` of the last step, or ``(N, T, K)`` of every step, which may be shown also
        where the model returns only the last. A pair where the last layer has ``merge_mode=None``.
    states : (N, T, M) array, optional
        Of a model of one recurrence: the hidden state *after* every step. Whoever shows it is judged step by step, with
        no room for chaos. Beside `layers`, it stands for the states and the outputs of the only one.
    layers : sequence of ShownLayer or None
        What was seen of each layer; left out where only the outputs are seen.
    calls : sequence of Trajectory
        For a case of several calls, that of each one, in the place of all else. A call without outputs, and without
        layers, was not recorded: its states are computed, and it is not judged.
    """

    outputs: Any = None
    states: Any = None
    layers: Sequence[ShownLayer | None] = ()
    calls: tuple[Trajectory, ...] = ()

    @classmethod
    def of(cls, answer: Any, two_outputs: bool = False) -> Trajectory:
        """Wrap what a port returned; a bare array is its outputs.

        Parameters
        ----------
        two_outputs : bool
            Whether the model returns a pair.

        Raises
        ------
        BadAnswer
            If there is nothing in it.
        """
        if answer is None:
            raise BadAnswer(
                "the implementation returned None, expected an array of outputs or a Trajectory "
                "(is a `return` missing?)"
            )
        pair = isinstance(answer, tuple) and len(answer) == 2 and all(isinstance(part, np.ndarray) for part in answer)
        if pair and not two_outputs:
            raise BadAnswer(
                "the implementation returned a pair; to show outputs and states, return Trajectory(outputs=y, states=h)"
            )
        return answer if isinstance(answer, Trajectory) else cls(answer)

    @classmethod
    def of_calls(cls, calls: Sequence[Trajectory]) -> Trajectory:
        """Join the trajectories of several calls; of a single call, return its own."""
        return calls[0] if len(calls) == 1 else cls(calls=tuple(calls))

    @property
    def each_call(self) -> tuple[Trajectory, ...]:
        """The trajectories of its calls; where there is one call, itself."""
        return self.calls or (self,)

    @property
    def shown_layers(self) -> Sequence[ShownLayer | None]:
        """What was seen of each layer of one call; `states` are those of the only layer."""
        first = self.layers[0] if self.layers else None
        if self.states is None or (first is not None and first.states is self.states):
            return self.layers
        return (ShownLayer(states=self.states, final_states=first and first.final_states), *self.layers[1:])

    def numbers(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        """Yield all arrays, by name."""
        for c, call in enumerate(self.each_call):
            for i, layer in enumerate(call.shown_layers):
                if layer is not None:
                    yield from ((f"call {c}: layer{i}: {what}", a) for what, a in layer.numbers())
            yield from ((f"call {c}: output {j}", np.asarray(a)) for j, a in enumerate(_pair(call.outputs)))

    def replace(self, **changes: Any) -> Trajectory:
        """Return a copy with some parts changed."""
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Assembled(Trajectory):
    """A trajectory that was put together from several runs (:mod:`~..judging.observing`).

    Attributes
    ----------
    through_head : bool
        The states are outputs of an identity head. A head that rounds its factors has rounded them.
    separate_runs : bool
        Each state comes from a run of its own, in which the states before it may have been rounded differently.
    """

    through_head: bool = True
    separate_runs: bool = False


def shape_of(answer: Any) -> tuple[int, ...]:
    """The shape of an answer as an array; that of a number if it cannot be made one."""
    try:
        return np.shape(answer)
    except Exception:  # whatever a foreign object raises
        return ()


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
    """Say what an answer that is no array is, and what may be the reason."""
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


def floats(
    what: str, answer: Any, shape: tuple[int, ...], letters: str = "", every: int | None = None
) -> npt.NDArray[np.float64]:
    """Return an answer as float64, after checking kind and shape; an empty one where there are no samples.

    Parameters
    ----------
    what : str
        What the answer is, for the message.
    shape : tuple of int
        What it has to be.
    letters : str
        The shape in letters, such as ``"(N, T, M)"``.
    every : int, optional
        The number of steps, where an answer for every step is accepted as well as one of shape `shape`.

    Raises
    ------
    BadAnswer
        If it is no array of floats, or has another shape.
    """
    full = shape if every is None else (shape[0], every, *shape[1:])
    allowed = (shape, full)
    got = shape_of(answer) if 0 in shape else ()
    array = np.zeros(got) if 0 in got and got in allowed else _floats(what, answer)
    if array.shape not in allowed:
        expected = f"{letters} = {shape}" if letters else str(shape)
        if every is not None:
            expected += f" (the last step) or {letters.replace(', ', ', T, ', 1)} = {full} (every step)"
        hint = _shape_hint(array.shape, full) if len(full) == 3 else ""
        raise BadAnswer(f"{what} have shape {array.shape}, expected {expected}{hint}")
    return array


def _called(answer: Any) -> str:
    name = type(answer).__name__
    return "an array" if isinstance(answer, np.ndarray) else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _shape_hint(got: tuple[int, ...], full: tuple[int, ...]) -> str:
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
    if got == (T, last):
        return "; there is a row for each step, and not for each sample (time-major, or one sample only?)"
    if got == (N, last, T):
        return "; the last two axes are swapped"
    if got == (last, N):
        return "; it is transposed"
    if len(got) == 3 and got[0] == N and got[2] == last and got[1] in (T - 1, T + 1):
        return f"; there is a step {'missing' if got[1] < T else 'too many (the initial state?)'}"
    return ""
