"""An implementation that heeds half of an option is asked for that half only."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_rnnequiv import Bidirectional, Dense, SimpleRNN, Spec, Supports
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.registry import BUILT_IN, Runtime
from pytest_rnnequiv.plugin import listing
from pytest_rnnequiv.plugin.listing import declared
from pytest_rnnequiv.strategies.architectures import _candidates
from pytest_rnnequiv.strategies.codes import Style


def members(supports: Supports) -> list[Spec]:
    """Architectures that may be drawn for it."""
    style = Style.of(**supports.drawn(), max_layers=3, max_units=5)
    return [spec for spec, _ in _candidates(style, 0, 200)]


def modes(specs: list[Spec]) -> set[str | None]:
    return {layer.merge_mode for spec in specs for layer in spec.layers if isinstance(layer, Bidirectional)}


def heads(specs: list[Spec]) -> set[str]:
    return {spec.head.activation.name for spec in specs if spec.head}


BOTH = ("bidirectional", "backward_layer", "layers", "return_sequences")


@pytest.mark.parametrize(
    ("said", "drawn"),
    [
        ({}, {"concat"}),
        ({"merge_modes": ("concat",)}, {"concat"}),
        ({"merge_modes": ("sum",)}, {"sum"}),
        ({"merge_modes": ("ave", "concat")}, {"concat", "ave"}),
        ({"merge_modes": (None, "mul"), "options": (*BOTH, "head")}, {"mul", None}),
        ({"merge_modes": ("concat",), "options": (*BOTH, "merge_mode")}, {"concat"}),
        ({"options": (*BOTH, "merge_mode", "head")}, {"concat", "sum", "mul", "ave", None}),
    ],
    ids=["none said", "concat", "sum", "two", "mul or two outputs", "the option, and one", "the option"],
)
def test_directions_are_merged_in_those_ways_only(said: dict[str, Any], drawn: set[str | None]) -> None:
    supports = Supports(**{"options": BOTH} | said)
    specs = members(supports)
    assert modes(specs) == drawn
    assert all(map(supports.takes, specs))
    for mode in ("concat", "sum", "mul", "ave", None):
        spec = Spec(2, Bidirectional(SimpleRNN(3), merge_mode=mode), None if mode is None else Dense(2))
        spec = spec if "head" in supports.options or spec.head else spec.replace(head=None)
        assert ("merge mode" in supports.lacks(spec)) is (mode not in drawn)
        assert supports.including(spec).takes(spec)


def test_only_pairs_of_outputs_leave_layers_of_one_direction_below() -> None:
    specs = members(Supports(options=(*BOTH, "head"), merge_modes=(None,)))
    assert modes(specs) == {None}
    assert any(len(spec.layers) > 1 for spec in specs)


@pytest.mark.parametrize("half", [True, False])
def test_embeddings_are_drawn_without_a_mask_where_only_these_are_heeded(half: bool) -> None:
    supports = Supports(options=("embedding",), mask_zero=not half)
    specs = members(supports)
    assert {spec.source for spec in specs} == {"input", "embedding"} | (set() if half else {"embedding with mask"})
    masked = Spec(2, SimpleRNN(3), Dense(1), "embedding with mask")
    assert supports.takes(masked) is not half
    assert supports.lacks(masked) == ("mask of an embedding (mask_zero=True)" if half else "")
    assert supports.including(masked).takes(masked)


@pytest.mark.parametrize("options", [(), ("use_bias",), ("activation", "head")], ids=str)
def test_heads_have_activations_of_their_own(options: tuple[str, ...]) -> None:
    supports = Supports(options=options, activations=("tanh", "relu"), head_activations=("softmax", "linear"))
    specs = members(supports)
    assert heads(specs) == {"linear", "softmax"}
    assert all(map(supports.takes, specs))
    relu = Spec.simple(2, 3, 2, head_activation="relu")
    assert supports.lacks(relu) == "head activation relu"
    assert supports.including(relu).takes(relu)


def test_heads_have_those_of_the_layers_where_nothing_else_is_said() -> None:
    supports = Supports(options=("activation", "head"), activations=("tanh", "relu"))
    assert heads(members(supports)) == {"linear", "tanh", "relu"}
    assert heads(members(Supports(options=("use_bias",), activations=("tanh", "relu")))) == {"linear"}
    assert supports.takes(Spec.simple(2, 3, 2, head_activation="softmax"))


def test_heads_of_float64_have_no_parameters_that_onnx_rounds() -> None:
    """Attributes of ONNX have 32 bits, so that 0.2 of leaky_relu is another number there."""
    reference = declared(BUILT_IN["onnx-reference"])
    assert "float64" in reference.dtypes
    assert {"elu", "softsign"} < {*reference.head_activations}
    assert {"leaky_relu", "hard_sigmoid"}.isdisjoint(reference.head_activations)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            {"merge_modes": ("concat", "add")},
            "merge_modes must be a tuple of some of 'concat', 'sum', 'mul', 'ave', None",
        ),
        ({"merge_modes": "concat"}, "merge_modes must be a tuple of some of 'concat'"),
        ({"merge_modes": ()}, "merge_modes must be a tuple of some of 'concat'"),
        ({"merge_modes": ("sum",), "options": ()}, 'add "bidirectional" to supports.options'),
        ({"mask_zero": "no"}, "supports.mask_zero must be True, or False for embeddings without a mask only, not 'no'"),
        ({"head_activations": ("softmx",)}, "supports.head_activations must be a tuple of some of tanh, linear"),
        ({"head_activations": "softmax"}, "supports.head_activations must be a tuple of some of tanh, linear"),
    ],
    ids=str,
)
def test_what_there_is_is_told(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ImplementationError) as error:
        Supports(**{"options": BOTH} | said)
    assert told in str(error.value)


def test_strategies_tell_which_merge_modes_there_are() -> None:
    with pytest.raises(ValueError, match="merge_modes must be some of 'concat', 'sum', 'mul', 'ave', None, not"):
        Style.of(None, "float32", None, 3, 9, merge_modes=("add",))


def test_the_list_tells_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    half = Supports(
        options=("embedding", "bidirectional"),
        merge_modes=("concat", "sum"),
        mask_zero=False,
        head_activations=("softmax",),
    )
    monkeypatch.setattr(listing, "BUILT_IN", {"numpy": BUILT_IN["numpy"]})
    monkeypatch.setattr(listing, "declared", lambda runtime: half)
    assert isinstance(BUILT_IN["numpy"], Runtime)
    text = "\n".join(listing.listing())
    assert "options     embedding without a mask, bidirectional, merge_mode (concat, sum)" in text
    assert "of heads    linear, softmax" in text
