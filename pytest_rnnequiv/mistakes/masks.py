"""Mistakes about masks, and about the embedding that a mask may come from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import choose, zeros_like
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import Layer
from ..model.wiring import Wiring, held
from .mistake import each_layer, in_case, in_wiring, with_mask
from .needs import backwards, masked

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


def _masked_by(case: Case, mask: Callable[[Call, Array], Array | None]) -> Case | None:
    """Return the same features under another mask, where there is one at all."""
    return with_mask(case, mask) if case.spec.masked else None


@in_case(
    "mask",
    "mask-ignored",
    "with the mask ignored",
    "a mask that is not passed on, a `Masking` layer that is left out, or `mask_zero` that is not read: id 0 counts",
)
def _(case: Case) -> Case | None:
    return _masked_by(case, lambda call, mask: None)


@in_wiring(
    "mask",
    "mask-ignored-after-first-layer",
    "with the mask ignored behind the first layer",
    "the mask is used up by the layer that gets it",
)
class _FirstLayerOnly(Wiring):
    def layer_mask(self, i: int, masks: list[Bools]) -> Bools:
        return masks[0] if i == 0 else np.ones_like(masks[-1])


@in_wiring(
    "mask",
    "mask-not-reversed",
    "with the mask read forwards where the inputs are read backwards",
    "the inputs are turned round and the mask is forgotten",
)
class _MaskForwards(Wiring):
    def direction_input(self, j: int, direction: RNN, x: Any, mask: Bools) -> tuple[Any, Bools]:
        return x[:, ::-1] if direction.go_backwards else x, mask


@in_wiring(
    "mask",
    "mask-not-turned-with-outputs",
    "with the mask behind a `go_backwards` layer still in the order of time",
    "outputs come in the order of processing, and their mask has to",
    needs=lambda case: backwards(case) and masked(case),
)
class _MaskNotTurned(Wiring):
    def layer_mask(self, i: int, masks: list[Bools]) -> Bools:
        return masks[0] if masks[0].shape == masks[-1].shape else masks[-1]


def _holding(layer: Layer) -> Layer:
    if isinstance(layer, RNN):
        return layer.replace(zero_output_for_mask=False)
    return _HoldingBidirectional(layer.forward, layer.backward, layer.merge_mode)


class _HoldingBidirectional(Bidirectional):
    """Holds the output where the mask is False."""

    @property
    def directions(self) -> tuple[RNN, ...]:
        return tuple(layer.replace(zero_output_for_mask=False) for layer in super().directions)


@in_case(
    "mask",
    "zero-output-ignored",
    "with the outputs of masked steps held, not zeroed",
    "`zero_output_for_mask` is not read, or it is not known that `Bidirectional` sets it",
)
def _(case: Case) -> Case | None:
    return each_layer(case, _holding) if case.spec.masked else None


@in_case(
    "mask",
    "zero-output-unasked",
    "with the outputs of masked steps zeroed, not held",
    "padding that comes out as zeros, as in PyTorch's packed sequences",
)
def _(case: Case) -> Case | None:
    if not case.spec.masked:
        return None
    return each_layer(case, lambda a: a.replace(zero_output_for_mask=True) if isinstance(a, RNN) else a)


@in_wiring(
    "mask",
    "masked-output-is-state",
    "with the state as the output of masked steps (also before the first that is not masked)",
    "one variable for both: Keras's output before the first step is zeros, whatever the initial state is",
)
class _OutputIsState(Wiring):
    shows_states = False

    def cell_output(self, mask: Bools, states: Any) -> Any:
        return states


@in_wiring(
    "mask",
    "masked-steps-zero-the-state",
    "with the state set to zeros at masked steps",
    "the new state is multiplied by the mask",
)
class _StateZeroed(Wiring):
    shows_states = False

    def held_state(self, h: Any) -> Any:
        return zeros_like(h)

    def cell_output(self, mask: Bools, states: Any) -> Any:
        return states


@in_wiring(
    "mask",
    "masked-inputs-zeroed",
    "with zeros as the inputs of masked steps, which are computed all the same",
    "the inputs are multiplied by the mask",
)
class _InputsZeroed(Wiring):
    shows_states = False

    def cell_input(self, x: Any, mask: Bools) -> Any:
        return choose(mask[..., None], x, 0.0)

    def state_mask(self, mask: Bools) -> Bools:
        return np.ones_like(mask)

    def cell_output(self, mask: Bools, states: Any) -> Any:
        return states


@in_wiring(
    "mask",
    "only-outputs-masked",
    "with the state going on through masked steps, of which only the outputs are masked",
    "the mask is applied to what comes out",
)
class _OnlyOutputs(Wiring):
    shows_states = False

    def state_mask(self, mask: Bools) -> Bools:
        return np.ones_like(mask)

    def cell_output(self, mask: Bools, states: Any) -> Any:
        return held(mask, states)


@in_case(
    "mask",
    "mask-inverted",
    "with the mask inverted",
    'True taken for "masked", as in PyTorch\'s `key_padding_mask`',
)
def _(case: Case) -> Case | None:
    return _masked_by(case, lambda call, mask: ~mask)


@in_case(
    "mask",
    "mask-taken-for-lengths",
    "with as many steps masked, but always the last ones",
    "the mask summed up to lengths, as packed sequences want them",
)
def _(case: Case) -> Case | None:
    return _masked_by(case, lambda call, mask: np.arange(call.T) < mask.sum(1, keepdims=True))


@in_case(
    "mask",
    "mask-of-first-sample-for-all",
    "with the first sample's mask in every sample",
    "a mask of one sample that is broadcast over the batch",
)
def _(case: Case) -> Case | None:
    return _masked_by(case, lambda call, mask: np.repeat(mask[:1], call.N, axis=0))


@in_case(
    "mask",
    "masked-within-a-tolerance",
    "with a step masked where it is near the `mask_value`",
    "`isclose`, or a difference beside a small number, for an exact comparison",
)
def _(case: Case) -> Case | None:
    if case.spec.source != "masking":
        return None
    value = case.spec.mask_value
    near = 1e-3 * max(abs(value), 1.0)
    return _masked_by(case, lambda call, mask: np.asarray((np.abs(call.x.astype(np.float64) - value) > near).any(-1)))


def _unlike(case: Case, call: Call) -> Array:
    return np.asarray(call.x != case.spec.mask_value)


@in_case(
    "mask",
    "masked-by-any-feature",
    "with a step masked where any feature is the `mask_value`",
    "`any` for `all`",
)
def _(case: Case) -> Case | None:
    if case.spec.source != "masking":
        return None
    return _masked_by(case, lambda call, mask: np.asarray(_unlike(case, call).all(-1)))


@in_case(
    "mask",
    "masked-by-first-feature",
    "with a step masked where its first feature is the `mask_value`",
    "only one feature looked at",
)
def _(case: Case) -> Case | None:
    return _masked_by(case, lambda call, mask: _unlike(case, call)[..., 0]) if case.spec.source == "masking" else None


@in_case("mask", "mask-value-taken-for-zero", "with 0 as its `mask_value`", "the default, whatever is asked for")
def _(case: Case) -> Case | None:
    if case.spec.source != "masking":
        return None
    return case.replace(spec=case.spec.replace(mask_value=0.0))


# ---- the embedding ----


def _register_embeddings() -> None:
    def embedded(case: Case, change: Callable[[Array], Array]) -> Case | None:
        if not case.spec.embedded:
            return None
        return case.with_weights(**{"embedding/E": change(case.part("embedding")["E"])})

    for name, says, cause, rows in (
        ("one-too-far", "the row after that of its number", "numbers that start at 0 taken to start at 1", -1),
        ("one-too-early", "the row before that of its number", "numbers that start at 1 taken to start at 0", 1),
    ):
        rolled = partial(np.roll, shift=rows, axis=0)
        in_case("embedding", f"embedding-{name}", f"with {says} read from the embedding", cause)(
            partial(embedded, change=rolled)
        )
    in_case(
        "embedding",
        "embedding-one-too-early-from-0",
        "with the row before that of its number read from the embedding, and row 0 for 0",
        "`max(id - 1, 0)`: numbers that start at 1 taken to start at 0, and kept in bounds",
    )(lambda case: embedded(case, lambda E: np.concatenate([E[:1], E[:-1]])))
    in_case(
        "embedding",
        "embedding-memory-order",
        "with the embedding read in the other memory order",
        "a table written row by row and read column by column",
    )(lambda case: embedded(case, lambda E: E.reshape(E.shape[::-1]).T))


_register_embeddings()
