"""What a model is: sizes, layers and options that fit together, weight shapes and the parameter law."""

from __future__ import annotations

import pickle
import re
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import both, sequences

from pytest_rnnequiv import RNN, Bidirectional, Dense, Precision, SimpleRNN, Spec, param_count
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.divergences.known import concerning
from pytest_rnnequiv.mistakes.steps import BiasAfterActivation
from pytest_rnnequiv.model.layers import MERGE_MODES
from pytest_rnnequiv.model.spec import OPTIONS, POLICIES, Place

SIZE = st.integers(1, 10**6)

# ---- the notebook's model ----


def test_the_notebook_has_57_parameters() -> None:
    assert param_count(D=3, M=5, K=2) == Spec.simple(D=3, M=5, K=2).param_count == 45 + 12 == 57


@given(D=SIZE, M=SIZE, K=SIZE)
def test_the_closed_form_counts_the_weights(D: int, M: int, K: int) -> None:
    spec = Spec.simple(D, M, K)
    assert list(spec.weight_shapes) == ["layer0/Wx", "layer0/Wh", "layer0/bh", "head/Wo", "head/bo"]
    assert list(spec.weight_shapes.values()) == [(D, M), (M, M), (M,), (M, K), (K,)]
    assert sum(prod(shape) for shape in spec.weight_shapes.values()) == spec.param_count
    assert spec.param_count == param_count(D, M, K) == M * (D + M + 1) + K * (M + 1)


@pytest.mark.parametrize("letter", ["D", "M", "K"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "{} must be at least 1, not 0"),
        (-3, ValueError, "{} must be at least 1, not -3"),
        (True, ValueError, "{} must be at least 1, not True"),
        (2.0, TypeError, "{} must be a whole number, not 2.0"),
        ("3", TypeError, "{} must be a whole number, not '3'"),
        (None, TypeError, "{} must be a whole number, not None"),
    ],
)
def test_a_size_that_is_none_is_an_error(letter: str, value: Any, error: type[Exception], message: str) -> None:
    sizes = {"D": 3, "M": 5, "K": 2} | {letter: value}
    for made in (Spec.simple, param_count):
        with pytest.raises(error, match=re.escape(message.format(letter))):
            made(**sizes)


def test_numpy_integers_are_sizes() -> None:
    spec = Spec.simple(np.int64(3), np.uint8(5), np.int32(2))  # type: ignore[arg-type]
    assert spec == Spec.simple(3, 5, 2)
    assert {type(size) for size in (spec.D, spec.M, spec.K)} == {int}


@pytest.mark.parametrize("option", ["activation", "head_activation"])
def test_an_unknown_activation_is_an_error_that_lists_the_known_ones(option: str) -> None:
    with pytest.raises(ValueError, match="unknown activation 'sinus': expected an Activation or one of .*tanh"):
        Spec.simple(1, 1, 1, **{option: "sinus"})


@pytest.mark.parametrize("dtype", ["float8", "int32", None, np.float32])
def test_an_unknown_dtype_is_an_error(dtype: Any) -> None:
    with pytest.raises(ValueError, match="dtype must be one of float32, float64, float16, .*, not "):
        Spec.simple(1, 1, 1, dtype=dtype)


def test_activations_are_looked_up_by_name() -> None:
    own = Activation("cube", lambda a: a**3)
    assert Spec.simple(1, 1, 1).activation is ACTIVATIONS["tanh"]
    assert Spec.simple(1, 1, 1, activation="relu").activation is ACTIVATIONS["relu"]
    assert Spec.simple(1, 1, 1, activation=None).activation is ACTIVATIONS["linear"]
    assert Spec.simple(1, 1, 1, activation=own).activation is own


def test_equal_specs_are_one_key() -> None:
    a, b = Spec.simple(3, 5, 2, activation="relu"), Spec.simple(3, 5, 2).replace(activation="relu")
    assert a == b
    assert len({a, b, Spec.simple(3, 5, 2)}) == 2
    assert a != a.replace(cell=BiasAfterActivation())
    assert pickle.loads(pickle.dumps(a)) == a


def test_the_dtype_promises_a_precision() -> None:
    assert Spec.simple(1, 1, 1).precision is Precision.float32
    assert Spec.simple(1, 1, 1, dtype="float64").precision is Precision.float64
    for policy, (variable, compute) in POLICIES.items():
        spec = Spec.simple(1, 1, 1, dtype=policy)
        assert (spec.variable_dtype, spec.compute_dtype) == (variable, compute)
        assert spec.precision is Precision.of(compute)


def test_it_prints_what_is_not_default() -> None:
    assert str(Spec.simple(3, 5, 2)) == "SimpleRNN(D=3, M=5, K=2)"
    spec = Spec.simple(3, 5, 2, activation="relu", dtype="float64", head_activation="sigmoid")
    assert str(spec) == "SimpleRNN(D=3, M=5, K=2, activation=relu, head_activation=sigmoid, dtype=float64)"


def test_a_spec_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Spec.simple(3, 5, 2).D = 4  # type: ignore[misc]


def test_one_layer_needs_no_brackets() -> None:
    assert Spec(3, SimpleRNN(5), Dense(2)) == Spec(3, [SimpleRNN(5)], Dense(2)) == Spec.simple(3, 5, 2)
    assert Spec.simple(3, 5, 2, use_bias=False) == Spec(3, SimpleRNN(5, use_bias=False), Dense(2))


# ---- the letters ----

STACK = Spec(3, (SimpleRNN(4, return_sequences=True), SimpleRNN(2)), Dense(2))


@pytest.mark.parametrize(
    ("spec", "letters"),
    [
        (Spec.simple(3, 5, 2), ["Wx", "Wh", "bh", "Wo", "bo"]),
        (Spec.simple(3, 5, 2, use_bias=False), ["Wx", "Wh", "Wo", "bo"]),
        (Spec(3, SimpleRNN(5)), ["Wx", "Wh", "bh"]),
        (Spec(3, RNN((5,)), Dense(2)), ["Wx", "Wh", "bh", "Wo", "bo"]),
        (Spec(3, SimpleRNN(5), source="embedding"), ["E", "Wx", "Wh", "bh"]),
        (STACK, []),
        (Spec(3, RNN((5, 4))), []),
        (Spec(3, Bidirectional(SimpleRNN(5))), []),
    ],
    ids=str,
)
def test_the_weights_of_one_recurrence_have_letters(spec: Spec, letters: list[str]) -> None:
    assert list(spec.letters) == letters
    if letters:
        assert list(spec.letters.values()) == list(spec.weight_shapes)
        assert (spec.M, spec.activation.name, spec.cell.name) == (5, "tanh", "SimpleRNN")


@pytest.mark.parametrize("letter", ["M", "activation", "cell", "layer"])
def test_there_are_no_letters_of_several_recurrences(letter: str) -> None:
    with pytest.raises(AttributeError, match=f"has more than one recurrence: look into its layers for {letter}"):
        getattr(STACK, letter)


def test_outputs_are_those_of_the_head_or_of_the_last_layer() -> None:
    assert (Spec.simple(3, 5, 2).K, Spec(3, SimpleRNN(5)).K, Spec(3, both(5)).K) == (2, 5, 10)
    with pytest.raises(AttributeError, match="has no head"):
        Spec(3, SimpleRNN(5)).head_activation
    with pytest.raises(AttributeError, match="has no head"):
        Spec(3, SimpleRNN(5)).replace(K=3)


def test_letters_can_be_changed() -> None:
    spec = Spec.simple(3, 5, 2)
    changed = spec.replace(D=7, M=6, K=4, activation="relu", head_activation="softmax", dtype="float64")
    assert changed == Spec.simple(7, 6, 4, "relu", "float64", "softmax")
    with pytest.raises(AttributeError, match="more than one recurrence"):
        STACK.replace(activation="relu")
    assert STACK.replace(K=5).K == 5


@pytest.mark.parametrize(
    ("spec", "plain"),
    [
        (Spec.simple(3, 5, 2, "relu", "float64", "softmax"), True),
        (Spec.simple(3, 5, 2, dtype="mixed_float16"), True),
        (Spec.simple(3, 5, 2, initial_state=True), True),
        (Spec.simple(3, 5, 2).replace(source="mask"), True),
        (Spec.simple(3, 5, 2, cell=BiasAfterActivation()), True),
        (Spec.simple(3, 5, 2, use_bias=False), False),
        (Spec.simple(3, 5, 2, return_sequences=True), False),
        (Spec.simple(3, 5, 2, return_state=True), False),
        (Spec.simple(3, 5, 2).replace(source="masking"), False),
        (Spec.simple(3, 5, 2).replace(T=4), False),
        (Spec(3, SimpleRNN(5), Dense(2, use_bias=False)), False),
        (Spec(3, SimpleRNN(5)), False),
        (Spec(3, RNN(5), Dense(2)), False),
        (STACK, False),
    ],
    ids=str,
)
def test_the_plain_ones_are_the_notebook_s(spec: Spec, plain: bool) -> None:
    assert spec.plain is plain


# ---- the options ----


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        (Spec.simple(3, 5, 2), set()),
        (Spec.simple(3, 5, 2, "relu", "float64", "softmax"), set()),
        (Spec.simple(3, 5, 2, use_bias=False), {"use_bias"}),
        (Spec.simple(3, 5, 2, initial_state=True).replace(source="mask"), {"initial_state", "mask"}),
        (Spec(3, SimpleRNN(5)), {"head"}),
        (Spec(3, SimpleRNN(5), Dense(2, use_bias=False)), {"head"}),
        (STACK, {"layers"}),
        (STACK.with_layer(1, sequences(2)), {"layers", "return_sequences"}),
        (Spec(3, RNN((5, 4)), Dense(2)), {"cells"}),
        (Spec(3, RNN(5), Dense(2)), {"cells"}),
        (Spec(3, SimpleRNN(5, unroll=True), Dense(2), T=4), {"unroll"}),
        (Spec(3, SimpleRNN(5), Dense(2), T=4, N=2), {"T", "N"}),
        (Spec(3, SimpleRNN(5, stateful=True), Dense(2), N=2), {"stateful"}),
        (Spec(3, Bidirectional(SimpleRNN(5)), Dense(2)), {"bidirectional"}),
        (Spec(3, Bidirectional(SimpleRNN(5), merge_mode="sum"), Dense(2)), {"bidirectional", "merge_mode"}),
        (Spec(3, Bidirectional(SimpleRNN(5), SimpleRNN(2)), Dense(2)), {"bidirectional", "backward_layer"}),
        (
            Spec(3, Bidirectional(SimpleRNN(5, zero_output_for_mask=True)), Dense(2), source="masking"),
            {"bidirectional", "zero_output_for_mask", "masking"},
        ),
        (Spec(3, SimpleRNN(5, go_backwards=True, dropout=0.5), Dense(2)), {"go_backwards", "dropout"}),
        (Spec(3, SimpleRNN(5, recurrent_dropout=0.5), Dense(2)), {"recurrent_dropout"}),
        (Spec(3, SimpleRNN(5, trainable=False), Dense(2)), {"trainable"}),
        (Spec(3, SimpleRNN(5), Dense(2), source="embedding"), {"embedding"}),
        (
            Spec(3, SimpleRNN(5, return_state=True), Dense(2), source="embedding with mask"),
            {"embedding", "return_state"},
        ),
    ],
    ids=lambda value: ", ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_its_options_are_what_it_has_beyond_a_plain_layer_and_head(spec: Spec, options: set[str]) -> None:
    assert spec.options == options
    assert spec.options <= {*OPTIONS}


# ---- any model ----


@pytest.mark.parametrize(
    ("spec", "counts", "trainable"),
    [
        (Spec.simple(D=3, M=5, K=2), {"layer0": 5 * (3 + 5 + 1), "head": 2 * (5 + 1)}, 57),
        (Spec(3, SimpleRNN(5, use_bias=False), Dense(2, use_bias=False)), {"layer0": 5 * (3 + 5), "head": 2 * 5}, 50),
        (Spec(3, RNN(5)), {"layer0": 45}, 45),
        (Spec(3, RNN((5, 4))), {"layer0": 5 * (3 + 5 + 1) + 4 * (5 + 4 + 1)}, 85),
        (Spec(3, Bidirectional(SimpleRNN(5))), {"layer0": 2 * 45}, 90),
        (Spec(3, Bidirectional(SimpleRNN(5), SimpleRNN(2, use_bias=False))), {"layer0": 45 + 2 * (3 + 2)}, 55),
        (
            Spec(3, (Bidirectional(SimpleRNN(5, return_sequences=True)), SimpleRNN(4)), Dense(2, distributed=False)),
            {"layer0": 90, "layer1": 4 * (10 + 4 + 1), "head": 2 * (4 + 1)},
            160,
        ),
        (
            Spec(3, (Bidirectional(SimpleRNN(5, return_sequences=True), merge_mode="sum"), SimpleRNN(4))),
            {"layer0": 90, "layer1": 4 * (5 + 4 + 1)},
            130,
        ),
        (Spec(3, SimpleRNN(5, trainable=False), Dense(2)), {"layer0": 45, "head": 12}, 12),
        (Spec(3, SimpleRNN(5), Dense(2, trainable=False)), {"layer0": 45, "head": 12}, 45),
        (Spec(3, SimpleRNN(5), source="embedding", vocabulary=7), {"embedding": 21, "layer0": 45}, 66),
        (Spec(3, SimpleRNN(5), source="masking"), {"layer0": 45}, 45),
    ],
    ids=str,
)
def test_the_parameter_law(spec: Spec, counts: dict[str, int], trainable: int) -> None:
    assert spec.param_counts == counts
    assert spec.param_count == sum(counts.values())
    assert spec.trainable_count == trainable


def test_the_law_is_keras_s() -> None:
    pytest.importorskip("tensorflow")
    from pytest_rnnequiv.implementations.keras_models import build

    spec = Spec(
        3,
        (
            Bidirectional(RNN((5, 4), use_bias=False, return_sequences=True)),
            SimpleRNN(3, trainable=False, return_sequences=True),
        ),
        Dense(2, distributed=True),
        source="embedding with mask",
        T=4,
    )
    model = build(spec).model
    assert [tuple(w.shape) for w in model.get_weights()] == list(spec.weight_shapes.values())
    assert model.count_params() == spec.param_count
    if not concerning(spec, "keras-call"):  # older releases train what is frozen
        assert sum(v.numpy().size for v in model.trainable_variables) == spec.trainable_count


def test_a_spec_is_a_value() -> None:
    one, two = (Spec(3, [SimpleRNN(5, "relu")], Dense(2)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one.replace(D=4) != one


def test_a_place_has_its_name_its_layer_and_its_address() -> None:
    spec = Spec(3, (both((5, 4)), SimpleRNN(2)), Dense(2))
    assert spec.places == (
        *(Place(0, j, k) for j in range(2) for k in range(2)),
        Place(1, 0, 0),
    )
    place = Place(0, 1, 1)
    assert spec.prefix(place) == "layer0/backward/cell1/"
    assert spec.weight_shapes["layer0/backward/cell1/Wx"] == (5, 4)
    assert spec.address(place) == ["layer0", "backward", "cell1"]
    assert spec.address(place, whole_direction=True) == ["layer0", "backward"]
    assert spec.direction(place).go_backwards
    assert spec.prefix(Place(1, 0, 0)) == "layer1/"
    changed = spec.with_direction(place, activation="relu")
    assert [direction.activation.name for direction in changed.directions] == ["tanh", "relu", "tanh"]


def test_states_are_given_to_every_cell_of_the_layers_that_want_some() -> None:
    spec = Spec(3, (both((5, 4), initial_state=True), sequences(2), SimpleRNN(6, initial_state=True)))
    assert spec.state_shapes(2) == [(2, 5), (2, 4), (2, 5), (2, 4), (2, 6)]
    assert Spec.simple(3, 5, 2).state_shapes(2) == []


def test_the_model_that_gives_every_output_differs_in_the_last_layer_only() -> None:
    assert STACK.with_every_output() == STACK.with_layer(1, sequences(2))
    assert STACK.with_every_output().with_every_output() == STACK.with_every_output()


def test_a_bidirectional_zeroes_masked_outputs_where_it_returns_sequences() -> None:
    for returned in (False, True):
        layer = Bidirectional(SimpleRNN(2, zero_output_for_mask=True, return_sequences=returned))
        forward, backward = layer.directions
        assert forward.zero_output_for_mask is backward.zero_output_for_mask is returned
        assert (forward.go_backwards, backward.go_backwards) == (False, True)


@pytest.mark.parametrize("mode", MERGE_MODES)
def test_features_of_both_directions(mode: Any) -> None:
    assert Bidirectional(SimpleRNN(3), merge_mode=mode).features == (6 if mode == "concat" else 3)


def test_it_is_printed_as_one_would_write_it() -> None:
    spec = Spec(
        3,
        (Bidirectional(SimpleRNN(4, "relu", return_sequences=True), merge_mode="sum"), RNN((5, 2), stateful=True)),
        Dense(2, use_bias=False),
        source="masking",
        dtype="mixed_float16",
        N=2,
    )
    assert str(spec) == (
        "D=3 -> Masking(0.0) -> Bidirectional(SimpleRNN(4, activation=relu, return_sequences=True), merge_mode='sum') "
        "-> RNN((5, 2), stateful=True) -> Dense(2, use_bias=False) [dtype='mixed_float16', N=2]"
    )


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: SimpleRNN(0), ValueError, "units must be at least 1"),
        (lambda: RNN(()), ValueError, "units must be a number, or a number for each cell"),
        (lambda: SimpleRNN(2.5), TypeError, "units must be a whole number"),
        (lambda: SimpleRNN((2, 3)), TypeError, "SimpleRNN has one number of units, .*; RNN takes several cells"),
        (lambda: SimpleRNN(2, "sinus"), ValueError, "unknown activation 'sinus'"),
        (lambda: SimpleRNN(2, use_bias=1), TypeError, "use_bias must be True or False, not 1"),
        (lambda: SimpleRNN(2, dropout=1.5), ValueError, "dropout must be a rate from 0 to 1"),
        (lambda: RNN(2, cell="LSTM"), TypeError, "cell must be a Cell"),
        (lambda: Bidirectional(SimpleRNN(2), merge_mode="max"), ValueError, "merge_mode must be one of 'concat'"),
        (lambda: Bidirectional(SimpleRNN(2, go_backwards=True)), ValueError, "leave go_backwards out"),
        (lambda: Bidirectional(SimpleRNN(2, stateful=True), SimpleRNN(2)), ValueError, "need the same stateful"),
        (lambda: Bidirectional(SimpleRNN(2), SimpleRNN(3), "sum"), ValueError, "as many units backward as forward"),
        (lambda: Spec(3, ()), TypeError, "layers must be one or more"),
        (lambda: Spec(3, 5, 2), TypeError, r"the notebook's model is Spec.simple\(D, M, K\)"),
        (lambda: Spec(3, SimpleRNN(2), source="file"), ValueError, "source must be one of input"),
        (lambda: Spec(3, SimpleRNN(2), dtype="int8"), ValueError, "dtype must be one of float32"),
        (lambda: Spec(3, (SimpleRNN(2), SimpleRNN(2))), ValueError, "it has to give one sequence"),
        (lambda: Spec(3, Bidirectional(SimpleRNN(2), merge_mode=None), Dense(1)), ValueError, "a head needs one input"),
        (lambda: Spec(3, SimpleRNN(2), Dense(1, distributed=True)), ValueError, "TimeDistributed needs steps"),
        (lambda: Spec(3, SimpleRNN(2, unroll=True)), ValueError, "needs a fixed number of steps"),
        (lambda: Spec(3, SimpleRNN(2, stateful=True)), ValueError, "needs a fixed number of samples"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()
