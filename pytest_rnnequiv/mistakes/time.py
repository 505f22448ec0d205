"""Mistakes in the order of steps and samples, and in the state before the first step."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arithmetic.inexact import choose
from ..model.call import Call
from ..model.case import Case
from ..model.forward import Computed
from ..model.layers import RNN
from ..model.spec import Place
from ..model.wiring import Wiring
from .mistake import in_case, in_wiring, initial_state, one_step_late, started_at, weights_of, with_mask, with_states
from .needs import both_directions, several_layers


@in_case(
    "time",
    "time-reversed",
    "with time reversed",
    "`go_backwards` left on, or a buffer that is read from its end",
)
def _(case: Case) -> Case | None:
    return case.map_calls(
        lambda call: call.replace(x=call.x[:, ::-1], mask=None if call.mask is None else call.mask[:, ::-1])
    )


def _in_several(case: Case) -> bool:
    # of one layer that gives its last output it is nothing new
    return several_layers(case) or both_directions(case) or case.spec.layers[-1].return_sequences


@in_wiring(
    "time",
    "every-loop-reversed",
    "with the loop over time reversed in every layer (outputs stand at their own steps)",
    "`for t in reversed(range(T))`: `go_backwards` taken for all layers, or the wrong branch of it",
    needs=_in_several,
)
class _LoopsReversed(Wiring):
    shows_states = False

    def direction_input(self, j: int, direction: RNN, x: Any, mask: Any) -> tuple[Any, Any]:
        x, mask = super().direction_input(j, direction, x, mask)
        return x[:, ::-1], mask[:, ::-1]

    def direction_output(self, direction: RNN, mask: Any, outputs: Any) -> Any:
        return super().direction_output(direction, mask, outputs)[:, ::-1]

    def last_output(self, j: int, outputs: Any) -> Any:
        return outputs[:, 0]


class _StepLeftOut(Wiring):
    """A loop over time that leaves out a step, whose outputs stay zeros."""

    shows_states = False
    step: int

    def _left_out(self, T: int) -> Any:
        return np.arange(T) == self.step % T

    def state_mask(self, mask: Any) -> Any:
        return mask & ~self._left_out(mask.shape[1])

    def cell_output(self, mask: Any, states: Any) -> Any:
        return super().cell_output(mask & ~self._left_out(mask.shape[1]), states)

    def direction_output(self, direction: RNN, mask: Any, outputs: Any) -> Any:
        outputs = super().direction_output(direction, mask, outputs)
        if not direction.return_sequences:
            return outputs
        return choose(self._left_out(mask.shape[1])[:, None], 0.0, outputs)


@in_wiring(
    "time",
    "last-step-of-every-loop-skipped",
    "with the last step of every layer's loop skipped (its outputs are zeros)",
    "`range(T - 1)`, in the order in which each layer reads",
    needs=_in_several,
)
class _LastLeftOut(_StepLeftOut):
    step = -1


@in_wiring(
    "time",
    "first-step-of-every-loop-skipped",
    "with the first step of every layer's loop skipped (its outputs are zeros)",
    "`range(1, T)`, in the order in which each layer reads",
    needs=_in_several,
)
class _FirstLeftOut(_StepLeftOut):
    step = 0


@in_case(
    "time",
    "first-step-skipped",
    "with the first step skipped",
    "a loop that starts at 1, or a state that is initialised from the first step's place",
)
def _(case: Case) -> Case | None:
    return with_mask(case, lambda call, mask: mask & (np.arange(call.T) > 0))


@in_case("time", "last-step-skipped", "with the last step skipped", "a loop that ends one too early (`< T - 1`)")
def _(case: Case) -> Case | None:
    return with_mask(case, lambda call, mask: mask & (np.arange(call.T) < call.T - 1))


@in_case(
    "time",
    "one-step-late",
    "one step late (each step shows what the step before should)",
    "outputs or states stored before the update, or a delay line",
)
def _(case: Case) -> Case | None:
    return one_step_late(case)


@in_case(
    "time",
    "one-step-ahead",
    "with the inputs one step ahead (the last one repeated)",
    "an index off by one",
)
def _(case: Case) -> Case | None:
    return case.map_calls(lambda call: call.replace(x=np.concatenate([call.x[:, 1:], call.x[:, -1:]], axis=1)))


@in_case(
    "time",
    "input-one-step-behind",
    "with the inputs one step behind (zeros first)",
    "the input buffer is filled after the step instead of before",
)
def _(case: Case) -> Case | None:
    return case.map_calls(
        lambda call: call.replace(x=np.concatenate([np.zeros_like(call.x[:, :1]), call.x[:, :-1]], axis=1))
    )


@in_case(
    "time",
    "first-input-repeated",
    "with the first step's input at every step",
    "the input pointer is not advanced",
)
def _(case: Case) -> Case | None:
    return case.map_calls(lambda call: call.replace(x=np.repeat(call.x[:, :1], call.T, axis=1)))


@in_case(
    "time",
    "N-and-T-swapped",
    "with samples and steps exchanged in memory (time-major read of batch-major data)",
    "`batch_first` forgotten",
)
def _(case: Case) -> Case | None:
    def swapped(call: Call) -> Call:
        N, T, *rest = call.x.shape
        return call.replace(x=call.x.reshape(T, N, *rest).swapaxes(0, 1))

    return case.map_calls(swapped)


@in_case(
    "time",
    "stride-wrong",
    "with steps and features exchanged in memory",
    "the stride of a step taken as T instead of D, or channels-first data",
)
def _(case: Case) -> Case | None:
    if case.spec.embedded:
        return None
    return case.map_calls(lambda call: call.replace(x=call.x.reshape(call.N, -1, call.T).swapaxes(1, 2)))


# ---- the state before the first step ----


@in_case("state", "starts-at-one", "starting from a state of ones", "a buffer filled with the wrong value")
def _(case: Case) -> Case | None:
    return started_at(case, lambda place, call: np.ones((call.N, case.spec.state_units(place)[0])))


@in_case("state", "starts-at-bias", "starting from the bias as its state", "buffers in the wrong order")
def _(case: Case) -> Case | None:
    def bias(place: Place, call: Call) -> Any:
        bh, M = case.cell_weights(place).bh, case.spec.direction(place).cells[place.cell]
        return np.broadcast_to(bh, (call.N, M)) if bh.shape == (M,) else None

    return started_at(case, bias)


@in_case(
    "state",
    "starts-at-activated-bias",
    "with one step too many before the first (an empty input)",
    "a warm-up step, or a padding step that is not masked",
)
def _(case: Case) -> Case | None:
    def after_nothing(place: Place, call: Call) -> Any:
        direction, w = case.spec.direction(place), weights_of(case, place)
        others = (np.zeros((call.N, M)) for M in case.spec.state_units(place)[1:])
        before = (initial_state(case, place, call), *others)
        h, *_ = direction.kinds[place.cell].step(np.zeros((call.N, len(w.Wx))), before, w, direction.activation)
        return h if np.isfinite(h).all() else None

    return started_at(case, after_nothing)


@in_case(
    "state",
    "leaks-between-samples",
    "with each sample starting from the last state of the sample before",
    "the state is reset once, not for every sample; unseen with one sample a batch",
)
def _(case: Case) -> Case | None:
    if len(case.calls) > 1 or case.calls[0].N < 2:
        return None
    started = with_states(case, lambda place, call: initial_state(case, place, call))
    if started is None:
        return None
    (call,) = started.calls
    states = [state.copy() for state in call.states]
    for n in range(1, call.N):
        so_far = started.map_calls(lambda call: call.replace(states=tuple(states)))
        layers = Computed(so_far, dtype=case.weights[0].dtype).calls().layers
        finals = [h for layer in layers if layer is not None for h in layer.final_states]
        for state, final in zip(states, finals, strict=True):
            state[n] = final[n - 1]
    if not all(np.isfinite(state).all() for state in states):
        return None
    return started.map_calls(lambda call: call.replace(states=tuple(states)))


@in_case(
    "state",
    "first-sample-only",
    "with the first sample's inputs in every sample",
    "the batch index is left out, or the sample stride is 0",
)
def _(case: Case) -> Case | None:
    return case.map_calls(lambda call: call.replace(x=np.repeat(call.x[:1], call.N, axis=0)))
