"""Mistakes in how layers, directions and stacked cells are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import joined, zeros_like
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import Layer, Place, Spec
from ..model.wiring import Unmade, Wiring
from .mistake import each_layer, in_case, in_wiring
from .needs import as_many_units_as_features, given_states, several_layers

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


def _exchanged(
    case: Case, pairs: Sequence[tuple[str, str]], one_way: bool = False, letters: Sequence[str] = ("Wx", "Wh", "bh")
) -> Case | None:
    """Exchange weights by the beginnings of their names where all shapes fit; None where none do."""
    named = {name: w for name, w in case.named_weights.items() if name.rpartition("/")[2] in letters}
    changes: dict[str, Array] = {}
    for a, b in pairs:
        one = {n.removeprefix(a): w for n, w in named.items() if n.startswith(a)}
        two = {n.removeprefix(b): w for n, w in named.items() if n.startswith(b)}
        if {n: w.shape for n, w in one.items()} == {n: w.shape for n, w in two.items()}:
            changes |= {b + n: w for n, w in one.items()}
            if not one_way:
                changes |= {a + n: w for n, w in two.items()}
    return case.with_weights(**changes) if changes else None


# ---- directions ----


def _both(spec: Spec) -> list[tuple[str, str]]:
    return [
        (f"layer{i}/forward/", f"layer{i}/backward/")
        for i, layer in enumerate(spec.layers)
        if isinstance(layer, Bidirectional)
    ]


@in_wiring(
    "directions",
    "backward-not-turned-back",
    "with the outputs of the backward layer not turned back into the order of time",
    "the second of the two reversals is forgotten",
)
class _NotTurnedBack(Wiring):
    shows_states = False

    def merged(self, layer: Layer, outputs: list[Any]) -> Any:
        if len(outputs) == 2 and layer.return_sequences:
            outputs = [outputs[0], outputs[1][:, ::-1]]
        return super().merged(layer, outputs)


@in_wiring(
    "directions",
    "backward-reads-forwards",
    "with both directions read forwards",
    "a second layer where a backward one should be",
)
class _ReadsForwards(Wiring):
    shows_states = False

    def direction_input(self, j: int, direction: RNN, x: Any, mask: Bools) -> tuple[Any, Bools]:
        return (x, mask) if j else super().direction_input(j, direction, x, mask)

    def merged(self, layer: Layer, outputs: list[Any]) -> Any:
        return _NotTurnedBack().merged(layer, outputs)


@in_wiring(
    "directions",
    "backward-reads-forwards-turned-back",
    "with the backward layer read forwards and its outputs turned round",
    "the first of the two reversals is forgotten",
)
class _FirstReversalForgotten(Wiring):
    def direction_input(self, j: int, direction: RNN, x: Any, mask: Bools) -> tuple[Any, Bools]:
        return (x, mask) if j else super().direction_input(j, direction, x, mask)


@in_wiring(
    "directions",
    "backward-output-of-last-step",
    "with the backward output taken at the last step in time, which is the first that it read",
    "`output[:, -1]` of a bidirectional sequence, as one writes it in PyTorch",
)
class _LastInTime(Wiring):
    shows_states = False

    def last_output(self, j: int, outputs: Any) -> Any:
        return outputs[:, 0] if j else outputs[:, -1]


@in_wiring(
    "directions",
    "merge-order-exchanged",
    "with the backward outputs before the forward ones",
    "the two are joined in the other order",
)
class _OtherOrder(Wiring):
    shows_states = False

    def merged(self, layer: Layer, outputs: list[Any]) -> Any:
        if not isinstance(layer, Bidirectional) or layer.merge_mode not in ("concat", None):
            return super().merged(layer, outputs)
        if layer.return_sequences:
            outputs = [outputs[0], outputs[1][:, ::-1]]
        if layer.merge_mode == "concat":
            return joined(outputs[::-1])
        if outputs[0].shape != outputs[1].shape:
            raise Unmade
        return outputs[1], outputs[0]


def _register_merges() -> None:
    for mode in ("sum", "ave", "mul"):

        def change(case: Case, mode: str = mode) -> Case | None:
            return each_layer(
                case,
                lambda a: (
                    a.replace(merge_mode=mode)
                    if isinstance(a, Bidirectional) and a.merge_mode in ("sum", "ave", "mul")
                    else a
                ),
            )

        done = {"sum": "added up", "ave": "averaged", "mul": "multiplied"}[mode]
        in_case("directions", f"merged-by-{mode}", f"with the two directions {done}", "another `merge_mode`")(change)


_register_merges()


def _register_scales() -> None:
    for was, is_, says, cause in (
        ("ave", "sum", "with `ave` not halved", "a sum whose division by 2 is forgotten"),
        ("sum", "ave", "with `sum` halved", "a mean over the two directions"),
    ):

        def change(case: Case, was: str = was, is_: str = is_) -> Case | None:
            return each_layer(case, lambda a: a.replace(merge_mode=is_) if getattr(a, "merge_mode", "") == was else a)

        in_case("directions", f"{was}-merged-by-{is_}", says, cause)(change)


_register_scales()


@in_case(
    "directions",
    "forward-activation-for-both",
    "with the forward activation in both directions",
    "one activation where each direction has its own",
)
def _(case: Case) -> Case | None:
    def one(a: Layer) -> Layer:
        if not isinstance(a, Bidirectional) or a.backward is None:
            return a
        return a.replace(backward=a.backward.replace(activation=a.forward.activation))

    return each_layer(case, one)


@in_wiring("directions", "forward-only", "without its backward outputs (zeros in their place)", "a direction left out")
class _ForwardOnly(Wiring):
    shows_states = False

    def merged(self, layer: Layer, outputs: list[Any]) -> Any:
        return super().merged(layer, [outputs[0], zeros_like(outputs[1])] if len(outputs) == 2 else outputs)


@in_case(
    "directions",
    "directions-exchanged",
    "with the weights of forward and backward exchanged",
    "weights loaded by position from a list in another order",
)
def _(case: Case) -> Case | None:
    return _exchanged(case, _both(case.spec))


@in_case(
    "directions",
    "forward-weights-for-both",
    "with the forward weights in both directions",
    "one layer used twice, where each direction has its own weights",
)
def _(case: Case) -> Case | None:
    return _exchanged(case, _both(case.spec), one_way=True)


@in_case(
    "directions",
    "backward-weights-for-both",
    "with the backward weights in both directions",
    "the second set of weights loaded over the first",
)
def _(case: Case) -> Case | None:
    return _exchanged(case, [(b, a) for a, b in _both(case.spec)], one_way=True)


def _register_half_copied() -> None:
    for name, what, letters in (
        ("Wx", "forward `Wx`", ("Wx",)),
        ("Wh", "forward `Wh`", ("Wh",)),
        ("bh", "forward bias", ("bh",)),
        ("kernels", "forward kernels (not the bias)", ("Wx", "Wh")),
    ):

        def change(case: Case, letters: tuple[str, ...] = letters) -> Case | None:
            return _exchanged(case, _both(case.spec), one_way=True, letters=letters)

        in_case(
            "directions",
            f"forward-{name}-for-both",
            f"with the {what} in both directions",
            "the lines for the backward direction copied from those for the forward one, and changed half",
        )(change)


_register_half_copied()


def _with_states_of(case: Case, order: Callable[[Layer, list[int]], Sequence[int]]) -> Case:
    """Give every layer its initial states in another order, where they fit."""

    def given(call: Call) -> Call:
        states, first = list(call.states), 0
        for layer in case.spec.layers:
            if layer.initial_state:
                own = range(first, first + sum(len(direction.state_units) for direction in layer.directions))
                for at, taken in zip(own, order(layer, list(own)), strict=True):
                    if call.states[at].shape == call.states[taken].shape:
                        states[at] = call.states[taken]
                first = own.stop
        return call.replace(states=tuple(states))

    return case.map_calls(given)


@in_case(
    "directions",
    "initial-states-of-directions-exchanged",
    "with the initial states of forward and backward exchanged",
    "states in another order than Keras's, which is forward before backward",
)
def _(case: Case) -> Case | None:
    return _with_states_of(case, lambda a, own: own[len(own) // 2 :] + own[: len(own) // 2] if _two_way(a) else own)


@in_case(
    "directions",
    "initial-state-of-backward-ignored",
    "with the initial state of the backward layer ignored (it starts from zeros)",
    "one initial state is passed on where there are two",
)
def _(case: Case) -> Case | None:
    kept = [
        not direction.go_backwards or isinstance(layer, RNN)
        for layer in case.spec.layers
        if layer.initial_state
        for direction in layer.directions
        for _ in direction.state_units
    ]
    return case.map_calls(
        lambda call: call.replace(
            states=tuple(h if keep else np.zeros_like(h) for h, keep in zip(call.states, kept, strict=True))
        ),
    )


@in_case(
    "directions",
    "forward-state-for-both",
    "with the forward initial state in both directions",
    "one initial state where there are two",
)
def _(case: Case) -> Case | None:
    return _with_states_of(case, lambda a, own: own[: len(own) // 2] * 2 if _two_way(a) else own)


def _two_way(layer: Layer) -> bool:
    return isinstance(layer, Bidirectional) and len({d.cells for d in layer.directions}) == 1


# ---- stacks of layers ----


def _register_exchanged_layers() -> None:
    def exchanged(case: Case, a: int) -> Case | None:
        return _exchanged(case, [(f"layer{a}/", f"layer{a + 1}/")])

    def turned(case: Case) -> Case | None:
        last = len(case.spec.layers) - 1
        return _exchanged(case, [(f"layer{i}/", f"layer{last - i}/") for i in range((last + 1) // 2)])

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
        )(partial(exchanged, a=a))


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
    return _exchanged(
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

    return _with_states_of(case, order)


@in_wiring(
    "cells",
    "upper-cell-one-step-late",
    "with each stacked cell getting the output of the one below from the step before",
    "all cells are updated at once, from the states of the last step",
)
class _OneStepLate(Wiring):
    def stacked_input(self, x: Any) -> Any:
        return joined([zeros_like(x[:, :1]), x[:, :-1]], axis=1)
