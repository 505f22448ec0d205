"""Mistakes about the options of layers, and about what passes from call to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.case import Case
from ..model.layers import RNN
from ..model.spec import Layer
from ..model.wiring import Wiring
from .mistake import each_layer, in_case, in_wiring
from .needs import backwards, dropout, given_or_kept_states, given_states, kept_states, several_calls

Array = npt.NDArray[Any]


@in_case(
    "options",
    "go-backwards-ignored",
    "with `go_backwards` ignored",
    "an option that the port or the converter does not read",
    needs=backwards,
)
def _(case: Case) -> Case | None:
    return each_layer(case, lambda a: a.replace(go_backwards=False) if isinstance(a, RNN) else a)


@in_wiring(
    "options",
    "go-backwards-turned-round",
    "with the outputs of `go_backwards` turned round again",
    "outputs brought back into the order of time; Keras leaves them in the order of processing",
)
class _TurnedRound(Wiring):
    shows_states = False

    def merged(self, layer: Layer, outputs: list[Any]) -> Any:
        if isinstance(layer, RNN) and layer.go_backwards and layer.return_sequences:
            return outputs[0][:, ::-1]
        return super().merged(layer, outputs)


@in_case(
    "options",
    "initial-state-ignored",
    "with `initial_state` ignored (it starts from zeros)",
    "an argument that is not passed on",
    needs=given_states,
)
def _(case: Case) -> Case | None:
    return case.map_calls(lambda call: call.replace(states=tuple(map(np.zeros_like, call.states))))


@in_case(
    "options",
    "state-not-carried",
    "with `stateful` ignored (every call starts afresh)",
    "the state is a local variable of the call",
)
def _(case: Case) -> Case | None:
    return case.map_calls(lambda call: call.replace(reset=True)) if case.spec.stateful else None


@in_case(
    "options",
    "reset-ignored",
    "with `reset_state()` ignored",
    "a reset that reaches a copy of the state, or the outer model only",
)
def _(case: Case) -> Case | None:
    return case.map_calls(lambda call: call.replace(reset=False)) if case.spec.stateful else None


@in_case(
    "options",
    "state-carried-unasked",
    "with the state carried from call to call, though the layers are not stateful",
    "a state that is an attribute, and is set to zeros at construction only",
    needs=several_calls,
)
def _(case: Case) -> Case | None:
    sizes = {call.N for call in case.calls}
    if case.spec.stateful or len(case.calls) < 2 or len(sizes) > 1 or min(sizes) < 1:
        return None

    def stateful(layer: Any) -> Any:
        if isinstance(layer, RNN):
            return layer.replace(stateful=True)
        backward = layer.backward and layer.backward.replace(stateful=True)
        return layer.replace(forward=layer.forward.replace(stateful=True), backward=backward)

    return each_layer(case.replace(spec=case.spec.replace(N=min(sizes))), stateful)


@in_wiring(
    "options",
    "stored-state-wins",
    "with the state of the call before in the place of the given `initial_state`",
    "the stored state is looked at first",
    needs=kept_states,
)
class _StoredWins(Wiring):
    def initial_states(self, given: Any, kept: Any, below: Any) -> Any:
        return given if kept is None else kept


@in_wiring(
    "options",
    "first-state-for-all-samples",
    "with the first sample's initial or kept state in every sample",
    "a state of one sample that is broadcast over the batch",
    needs=given_or_kept_states,
)
class _FirstSamplesState(Wiring):
    def initial_states(self, given: Any, kept: Any, below: Any) -> Any:
        states = super().initial_states(given, kept, below)
        return None if states is None else [h[np.zeros(len(h), int)] for h in states]


@in_wiring(
    "options",
    "returned-state-is-last-output",
    "with its last output returned as its final state",
    "`output[:, -1]` taken for the state, which it is not where that step is masked or read backwards",
)
class _LastOutput(Wiring):
    def final_states(self, layer: Layer, finals: list[Any], outputs: list[Any]) -> list[Any]:
        return [y[:, -1] for y in outputs] if len(outputs) == len(finals) else finals


@in_wiring(
    "options",
    "returned-states-reversed",
    "with its final states returned in the other order",
    "a list of states (of directions, or of cells) built from its end",
)
class _StatesReversed(Wiring):
    def final_states(self, layer: Layer, finals: list[Any], outputs: list[Any]) -> list[Any]:
        return finals[::-1]


def _register_dropout() -> None:
    def scaled(case: Case, factor: Callable[[float], float]) -> Case | None:
        changes: dict[str, Array] = {}
        for place in case.spec.places:
            direction, w, prefix = case.spec.direction(place), case.cell_weights(place), case.spec.prefix(place)
            for name, kernel, rate in (("Wx", w.Wx, direction.dropout), ("Wh", w.Wh, direction.recurrent_dropout)):
                if 0 < rate < 1:
                    changes[f"{prefix}{name}"] = kernel * factor(1 - rate)
        return case.with_weights(**changes) if changes else None

    in_case(
        "options",
        "dropout-scales-at-inference",
        "with what dropout would keep (1 - p) multiplied in at inference",
        "the original form of dropout, which scales at inference; Keras's scales in training",
        needs=dropout,
    )(lambda case: scaled(case, lambda keep: keep))
    in_case(
        "options",
        "dropout-scale-left-in",
        "with the scale 1/(1 - p) of dropout left in at inference",
        "the mask is left out at inference, and its scale is not",
        needs=dropout,
    )(lambda case: scaled(case, lambda keep: 1 / keep))


_register_dropout()


@in_wiring("calls", "calls-in-other-order", "with its calls made in the other order", "a queue that is a stack")
class _CallsReversed(Wiring):
    def call_order(self, calls: int) -> Sequence[int]:
        return range(calls)[::-1]
