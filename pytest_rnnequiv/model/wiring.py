"""How the recurrences of a model are put together: all that is between them, as Keras does it.

Each rule is a method, so that a wrong wiring, which is a mistake, is a subclass that gets one of them wrong. The rules
work on arrays and on inexact numbers alike: they use only indexing, :func:`~..arithmetic.inexact.choose` and
:func:`~..arithmetic.inexact.joined`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import choose, joined
from .layers import RNN, Bidirectional, Dense
from .spec import Layer

__all__ = ["RIGHT", "Unmade", "Wiring", "held", "layer_output", "merge"]

Bools = npt.NDArray[np.bool_]


class Unmade(Exception):
    """The parts of a model cannot be put together as a wiring wants it: shapes do not fit."""


class Wiring:
    """The rules, right as they stand here.

    Attributes
    ----------
    shows_states : bool
        Whether a layer's output at a step that is not masked is the state with which it goes on. Then states can be
        read off the outputs.
    """

    shows_states = True

    def call_order(self, calls: int) -> Sequence[int]:
        """The order in which the calls are made."""
        return range(calls)

    def layer_input(self, i: int, outputs: list[Any], one_step: bool) -> Any:
        """The input of layer `i`. `outputs` are the features, and the outputs of the layers before it.

        `one_step` says that the last layer returns its last output only.
        """
        return outputs[-1]

    def layer_mask(self, i: int, masks: list[Bools]) -> Bools:
        """The mask of layer `i`. `masks` are those of `outputs` in :meth:`layer_input`."""
        return masks[-1]

    def initial_states(self, given: list[Any] | None, kept: list[Any] | None, below: list[Any] | None) -> Any:
        """The states that a layer starts from: given, kept of the call before, or (None) zeros.

        `below` are the final states of the layer before, in this call.
        """
        return kept if given is None else given

    def direction_input(self, j: int, direction: RNN, x: Any, mask: Bools) -> tuple[Any, Bools]:
        """Inputs and mask of direction `j`, in the order of processing."""
        return (x[:, ::-1], mask[:, ::-1]) if direction.go_backwards else (x, mask)

    def stacked_input(self, x: Any) -> Any:
        """The input of a stacked cell. `x` are the outputs of the cell below."""
        return x

    def cell_input(self, x: Any, mask: Bools) -> Any:
        """The input of a cell at each step, masked steps among them."""
        return x

    def state_mask(self, mask: Bools) -> Bools:
        """The steps at which the state is updated: True updates, False holds."""
        return mask

    def held_state(self, h: Any) -> Any:
        """The state after a masked step. `h` is the state before it."""
        return h

    def cell_output(self, mask: Bools, states: Any) -> Any:
        """The output of a cell at each step. `states` are its states after every step."""
        return layer_output(mask, states)

    def direction_output(self, direction: RNN, mask: Bools, outputs: Any) -> Any:
        """The sequence of outputs of one direction, in the order of processing."""
        return choose(mask[..., None], outputs, 0.0) if direction.zero_output_for_mask else outputs

    def last_output(self, j: int, outputs: Any) -> Any:
        """The one output of direction `j`, which returns no sequence."""
        return outputs[:, -1]

    def merged(self, layer: Layer, outputs: list[Any]) -> Any:
        """The output of a layer, merged of its directions: sequences in the order of processing, or last outputs."""
        if isinstance(layer, RNN):
            return outputs[0]
        forward, backward = outputs
        if layer.return_sequences:
            backward = backward[:, ::-1]
        return merge(layer.merge_mode, forward, backward)

    def passed_on(self, i: int, output: Any, x: Any) -> Any:
        """What layer `i`, whose input was `x`, passes on to the next layer."""
        return output

    def passed_mask(self, layer: Layer, mask: Bools) -> Bools:
        """The mask that goes with the outputs of a layer: in their order; after a single output there is none."""
        if not layer.return_sequences:
            return np.ones((len(mask), 1), bool)
        return mask[:, ::-1] if not isinstance(layer, Bidirectional) and layer.go_backwards else mask

    def final_states(self, layer: Layer, finals: list[Any], outputs: list[Any]) -> list[Any]:
        """The final states that a layer returns. `finals` are those that it has, `outputs` its sequences of outputs."""
        return finals

    def dense_output(self, part: str, dense: Dense, a: Any) -> Any:
        """The outputs of a Dense layer before the head. `a` are its sums."""
        return dense.activation(a)

    def head_sum(self, product: Any, bo: Any) -> Any:
        """The sums of the head: its product and its bias."""
        return product + bo

    def head_output(self, head: Dense, a: Any) -> Any:
        """The outputs of the head. `a` are its sums."""
        return head.activation(a)


RIGHT = Wiring()


def layer_output(mask: Bools, states: Any) -> Any:
    """Return the outputs of a layer that has these states ``(N, T, M)``.

    A masked step repeats the output of the step before. Before the first step that is not masked, the output is zeros,
    whatever the initial state is.
    """
    if mask.all():
        return states
    return choose(np.logical_or.accumulate(mask, axis=1)[..., None], states, 0.0)


def held(mask: Bools, numbers: Any, before: Any = 0.0) -> Any:
    """Replace masked steps by the last step before them that is not masked; where there is none, by `before`.

    Parameters
    ----------
    numbers : (N, T, M)
    before : (N, M), or 0
    """
    last = np.maximum.accumulate(np.where(mask, np.arange(mask.shape[1]), -1), axis=1)
    found = numbers[np.arange(len(mask))[:, None], np.maximum(last, 0)]
    return choose(last[..., None] >= 0, found, before if isinstance(before, float) else before[:, None])


def merge(mode: str | None, forward: Any, backward: Any, *, join: Callable[[list[Any]], Any] = joined) -> Any:
    """What a ``Bidirectional`` makes of the outputs of its directions, both in one order of time.

    Parameters
    ----------
    mode : {"concat", "sum", "ave", "mul", None}
    forward, backward : (N, T, M) or (N, M)
        Numbers of any kind that can be added and multiplied.
    join : callable
        How these are put side by side, along the last axis.
    """
    match mode:
        case "concat":
            return join([forward, backward])
        case "sum":
            return forward + backward
        case "ave":
            return (forward + backward) * 0.5  # exact, except where the result is subnormal
        case "mul":
            return forward * backward
        case _:
            return forward, backward
