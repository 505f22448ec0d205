"""Mistakes in how layers and stacked cells are put together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import joined, zeros_like
from ..model.call import Call
from ..model.case import Case
from ..model.spec import Layer, Place, Spec
from ..model.wiring import Unmade, Wiring
from .exchanging import exchanged, with_states_of
from .mistake import in_case, in_wiring
from .needs import as_many_units_as_features, given_states, several_layers

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


# ---- stacks of layers ----


def _register_exchanged_layers() -> None:
    def neighbours(case: Case, a: int) -> Case | None:
        return exchanged(case, [(f"layer{a}/", f"layer{a + 1}/")])

    def turned(case: Case) -> Case | None:
        last = len(case.spec.layers) - 1
        return exchanged(case, [(f"layer{i}/", f"layer{last - i}/") for i in range((last + 1) // 2)])

    in_case(
        "stack",
        "layers-reversed",
        "with the weights of its layers in reverse order (as far as the shapes fit)",
        "weights loaded by position from a list in another order",
        needs=several_layers,
    )(turned)
    for a in range(2):
        in_case(
            "stack",
            f"layers-{a}-and-{a + 1}-exchanged",
            f"with the weights of layer{a} and layer{a + 1} exchanged",
            "weights loaded by name from layers that were numbered in another order",
            needs=several_layers,
        )(partial(neighbours, a=a))


_register_exchanged_layers()


@in_wiring(
    "stack",
    "every-layer-gets-the-input",
    "with the model's input in every layer, not the output of the layer before",
    "the wrong variable passed on; only possible where the layer before has as many units as there are features",
    needs=as_many_units_as_features,
)
class _GetsInput(Wiring):
    def layer_input(self, i: int, outputs: list[Any], one_step: bool) -> Any:
        if outputs[0].shape != outputs[-1].shape:
            raise Unmade
        return outputs[0]


@in_wiring(
    "stack",
    "residual-added",
    "with the input of a layer added to its output",
    "a residual connection that the model does not have; only possible where a layer has as many units as features",
)
class _Residual(Wiring):
    shows_states = False

    def passed_on(self, i: int, output: Any, x: Any) -> Any:
        if output.shape == x.shape:
            return output + x
        return output + x[:, -1] if output.shape == x[:, -1].shape else output


@in_wiring(
    "stack",
    "state-passed-to-next-layer",
    "with each layer starting from the final state of the layer before",
    "one state variable for all layers, which is set to zeros before the first",
    needs=several_layers,
)
class _SharedState(Wiring):
    def initial_states(self, given: Any, kept: Any, below: Any) -> Any:
        return super().initial_states(given, kept, below) if below is None else below


@in_case(
    "stack",
    "first-initial-state-for-all",
    "with the first layer's initial state in every layer",
    "one initial state where there are several",
    needs=given_states,
)
def _(case: Case) -> Case | None:
    def given(call: Call) -> Call:
        states = [call.states[0] if s.shape == call.states[0].shape else s for s in call.states]
        return call.replace(states=tuple(states))

    return case.map_calls(given) if case.calls[0].states else None


@in_case(
    "stack",
    "initial-states-reversed",
    "with its initial states in reverse order (as far as the shapes fit)",
    "states given to the last layer first",
    needs=given_states,
)
def _(case: Case) -> Case | None:
    def given(call: Call) -> Call:
        back = [b if b.shape == a.shape else a for a, b in zip(call.states, call.states[::-1], strict=True)]
        return call.replace(states=tuple(back))

    return case.map_calls(given)


@in_wiring(
    "stack",
    "only-last-step-passed-on",
    "with only the last step passed on from layer to layer",
    "`return_sequences` forgotten in a layer that another follows",
)
class _LastStepOnly(Wiring):
    def layer_input(self, i: int, outputs: list[Any], one_step: bool) -> Any:
        if not one_step:
            raise Unmade
        return outputs[-1][:, -1:] if i else outputs[-1]

    def layer_mask(self, i: int, masks: list[Bools]) -> Bools:
        return np.ones_like(masks[-1][:, -1:]) if i else masks[-1]


@in_wiring(
    "stack",
    "a-layer-left-out",
    "with a layer that fits left out (what it gets is passed on)",
    "a loop over the layers that begins or ends one off",
    needs=as_many_units_as_features,
)
class _LeftOut(Wiring):
    shows_states = False

    def passed_on(self, i: int, output: Any, x: Any) -> Any:
        if output.shape == x.shape:
            return x
        return x[:, -1] if output.shape == x[:, -1].shape else output


@in_wiring(
    "stack",
    "first-output-taken",
    "with the output of the first step in the place of the last",
    "`return` inside the loop over the steps, `output[:, 0]`, or a sequence in the other order",
)
class _FirstOutput(Wiring):
    shows_states = False

    def last_output(self, j: int, outputs: Any) -> Any:
        return outputs[:, 0]


@in_wiring(
    "stack",
    "mean-output-taken",
    "with the mean of the outputs of all steps in the place of the last",
    "average pooling over time, as classifiers have it",
)
class _MeanOutput(Wiring):
    shows_states = False

    def last_output(self, j: int, outputs: Any) -> Any:
        steps = outputs.shape[1]
        total = outputs[:, 0]
        for t in range(1, steps):
            total = total + outputs[:, t]
        return total * (1 / steps)


# ---- stacked cells ----


def _stacked(spec: Spec) -> Iterator[tuple[str, int]]:
    for i, layer in enumerate(spec.layers):
        for j, direction in enumerate(layer.directions):
            if len(direction.cells) > 1:
                yield spec.prefix(Place(i, j, 0)).removesuffix("cell0/"), len(direction.cells)


@in_case(
    "cells",
    "cells-reversed",
    "with the weights of its stacked cells in reverse order (as far as the shapes fit)",
    "cells counted from the output down",
)
def _(case: Case) -> Case | None:
    return exchanged(
        case,
        [
            (f"{prefix}cell{k}/", f"{prefix}cell{count - 1 - k}/")
            for prefix, count in _stacked(case.spec)
            for k in range(count // 2)
        ],
    )


@in_case(
    "cells",
    "initial-states-of-cells-exchanged",
    "with the initial states of its stacked cells in reverse order",
    "cells counted from the output down",
)
def _(case: Case) -> Case | None:
    def order(layer: Layer, own: list[int]) -> list[int]:
        taken: list[int] = []
        first = own[0]
        for direction in layer.directions:
            end = first + len(direction.state_units)
            taken += range(end - 1, first - 1, -1)
            first = end
        return taken

    return with_states_of(case, order)


@in_wiring(
    "cells",
    "upper-cell-one-step-late",
    "with each stacked cell getting the output of the one below from the step before",
    "all cells are updated at once, from the states of the last step",
)
class _OneStepLate(Wiring):
    def stacked_input(self, x: Any) -> Any:
        return joined([zeros_like(x[:, :1]), x[:, :-1]], axis=1)
