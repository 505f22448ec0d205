"""Architectures: what fits together, the shapes of weights, and the parameter law."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pytest_rnnequiv import Spec, param_count
from pytest_rnnequiv.model.network import MERGE_MODES, Bidirectional, Head, Layer, Network


@pytest.mark.parametrize(
    ("network", "counts", "trainable"),
    [
        (Network.of(Spec(D=3, M=5, K=2)), {"layer0": 5 * (3 + 5 + 1), "head": 2 * (5 + 1)}, 57),
        (Network(3, Layer(5, use_bias=False), Head(2, use_bias=False)), {"layer0": 5 * (3 + 5), "head": 2 * 5}, 50),
        (Network(3, Layer(5, cell=True)), {"layer0": 45}, 45),
        (Network(3, Layer((5, 4))), {"layer0": 5 * (3 + 5 + 1) + 4 * (5 + 4 + 1)}, 85),
        (Network(3, Bidirectional(Layer(5))), {"layer0": 2 * 45}, 90),
        (Network(3, Bidirectional(Layer(5), Layer(2, use_bias=False))), {"layer0": 45 + 2 * (3 + 2)}, 55),
        (
            Network(3, (Bidirectional(Layer(5, return_sequences=True)), Layer(4)), Head(2, distributed=False)),
            {"layer0": 90, "layer1": 4 * (10 + 4 + 1), "head": 2 * (4 + 1)},
            160,
        ),
        (
            Network(3, (Bidirectional(Layer(5, return_sequences=True), merge_mode="sum"), Layer(4))),
            {"layer0": 90, "layer1": 4 * (5 + 4 + 1)},
            130,
        ),
        (Network(3, Layer(5, trainable=False), Head(2)), {"layer0": 45, "head": 12}, 12),
        (Network(3, Layer(5), Head(2, trainable=False)), {"layer0": 45, "head": 12}, 45),
        (Network(3, Layer(5), source="embedding", vocabulary=7), {"embedding": 21, "layer0": 45}, 66),
        (Network(3, Layer(5), source="masking"), {"layer0": 45}, 45),
    ],
    ids=str,
)
def test_the_parameter_law(network: Network, counts: dict[str, int], trainable: int) -> None:
    assert network.param_counts == counts
    assert network.param_count == sum(counts.values())
    assert network.trainable_count == trainable


def test_the_plain_law_is_that_of_the_notebook() -> None:
    assert Network.of(Spec(4, 6, 3)).param_count == param_count(4, 6, 3)


def test_the_law_is_keras_s() -> None:
    pytest.importorskip("tensorflow")
    from pytest_rnnequiv.implementations.keras_networks import build

    network = Network(
        3,
        (
            Bidirectional(Layer((5, 4), use_bias=False, return_sequences=True), Layer(2, return_sequences=True)),
            Layer(3, trainable=False, return_sequences=True),
        ),
        Head(2, distributed=True),
        source="embedding with mask",
        T=4,
    ).with_layer(0, Bidirectional(Layer((5, 4), use_bias=False, return_sequences=True)))
    model = build(network).model
    assert [tuple(w.shape) for w in model.get_weights()] == list(network.weight_shapes.values())
    assert model.count_params() == network.param_count
    assert sum(v.numpy().size for v in model.trainable_variables) == network.trainable_count


def test_a_network_is_a_value() -> None:
    one, two = (Network(3, [Layer(5, "relu")], Head(2)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one.replace(D=4) != one


def test_a_bidirectional_zeroes_masked_outputs_where_it_returns_sequences() -> None:
    for sequences in (False, True):
        layer = Bidirectional(Layer(2, zero_output_for_mask=True, return_sequences=sequences))
        forward, backward = layer.directions
        assert forward.zero_output_for_mask is backward.zero_output_for_mask is sequences
        assert (forward.go_backwards, backward.go_backwards) == (False, True)


@pytest.mark.parametrize("mode", MERGE_MODES)
def test_features_of_both_directions(mode: Any) -> None:
    assert Bidirectional(Layer(3), merge_mode=mode).features == (6 if mode == "concat" else 3)


def test_it_is_printed_as_one_would_write_it() -> None:
    network = Network(
        3,
        (Bidirectional(Layer(4, "relu", return_sequences=True), merge_mode="sum"), Layer((5, 2), stateful=True)),
        Head(2, use_bias=False),
        source="masking",
        dtype="mixed_float16",
        N=2,
    )
    assert str(network) == (
        "D=3 -> Masking(0.0) -> Bidirectional(SimpleRNN(4, activation=relu, return_sequences=True), merge_mode='sum') "
        "-> RNN((5, 2), stateful=True) -> Dense(2, use_bias=False) [dtype='mixed_float16', N=2]"
    )


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: Layer(0), ValueError, "units must be at least 1"),
        (lambda: Layer(()), ValueError, "units must be a number, or a number for each cell"),
        (lambda: Layer(2.5), TypeError, "units must be a whole number"),
        (lambda: Layer(2, "sinus"), ValueError, "unknown activation 'sinus'"),
        (lambda: Layer(2, use_bias=1), TypeError, "use_bias must be True or False, not 1"),
        (lambda: Layer(2, dropout=1.5), ValueError, "dropout must be a rate from 0 to 1"),
        (lambda: Bidirectional(Layer(2), merge_mode="max"), ValueError, "merge_mode must be one of 'concat'"),
        (lambda: Bidirectional(Layer(2, go_backwards=True)), ValueError, "leave go_backwards out"),
        (lambda: Bidirectional(Layer(2, stateful=True), Layer(2)), ValueError, "need the same stateful"),
        (lambda: Bidirectional(Layer(2), Layer(3), "sum"), ValueError, "as many units backward as forward"),
        (lambda: Network(3, ()), TypeError, "layers must be one or more"),
        (lambda: Network(3, Layer(2), source="file"), ValueError, "source must be one of input"),
        (lambda: Network(3, Layer(2), dtype="int8"), ValueError, "dtype must be one of float32"),
        (lambda: Network(3, (Layer(2), Layer(2))), ValueError, "it has to give one sequence"),
        (lambda: Network(3, Bidirectional(Layer(2), merge_mode=None), Head(1)), ValueError, "a head needs one input"),
        (lambda: Network(3, Layer(2), Head(1, distributed=True)), ValueError, "TimeDistributed needs steps"),
        (lambda: Network(3, Layer(2, unroll=True)), ValueError, "needs a fixed number of steps"),
        (lambda: Network(3, Layer(2, stateful=True)), ValueError, "needs a fixed number of samples"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()
