"""Mistakes in how the two directions of a layer are put together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import joined, zeros_like
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import Layer, Spec
from ..model.wiring import Unmade, Wiring
from .exchanging import exchanged, with_states_of
from .mistake import each_layer, in_case, in_wiring

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


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
    return exchanged(case, _both(case.spec))


@in_case(
    "directions",
    "forward-weights-for-both",
    "with the forward weights in both directions",
    "one layer used twice, where each direction has its own weights",
)
def _(case: Case) -> Case | None:
    return exchanged(case, _both(case.spec), one_way=True)


@in_case(
    "directions",
    "backward-weights-for-both",
    "with the backward weights in both directions",
    "the second set of weights loaded over the first",
)
def _(case: Case) -> Case | None:
    return exchanged(case, [(b, a) for a, b in _both(case.spec)], one_way=True)


def _register_half_copied() -> None:
    for name, what, letters in (
        ("Wx", "forward `Wx`", ("Wx",)),
        ("Wh", "forward `Wh`", ("Wh",)),
        ("bh", "forward bias", ("bh",)),
        ("kernels", "forward kernels (not the bias)", ("Wx", "Wh")),
    ):

        def change(case: Case, letters: tuple[str, ...] = letters) -> Case | None:
            return exchanged(case, _both(case.spec), one_way=True, letters=letters)

        in_case(
            "directions",
            f"forward-{name}-for-both",
            f"with the {what} in both directions",
            "the lines for the backward direction copied from those for the forward one, and changed half",
        )(change)


_register_half_copied()


@in_case(
    "directions",
    "initial-states-of-directions-exchanged",
    "with the initial states of forward and backward exchanged",
    "states in another order than Keras's, which is forward before backward",
)
def _(case: Case) -> Case | None:
    return with_states_of(case, lambda a, own: own[len(own) // 2 :] + own[: len(own) // 2] if _two_way(a) else own)


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
    return with_states_of(case, lambda a, own: own[: len(own) // 2] * 2 if _two_way(a) else own)


def _two_way(layer: Layer) -> bool:
    """Whether it has two directions with the same states: those of an LSTM fit no GRU."""
    return isinstance(layer, Bidirectional) and len({tuple(d.state_units) for d in layer.directions}) == 1
