"""Where Keras raises an exception; those that do most harm first. They come behind the wrong values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cells import Cell, LSTMCell
from ..model.case import Case
from ..model.layers import LSTM, RNN, Bidirectional, Dense, SimpleRNN
from ..model.spec import Spec
from .keras_values import open_case, open_shape, open_steps
from .table import adding, counting, demonstrated, divergence, expect, leaving_nothing


@leaving_nothing
def _different_units(keras: Any) -> None:
    layer = keras.layers.Bidirectional(adding(keras), backward_layer=adding(keras, 2, go_backwards=True))
    expect("features of 1 unit and 2", 3, layer(keras.Input((1, 1))).shape[-1])


@divergence(
    name="bidirectional-different-units",
    says="Bidirectional with a backward_layer of other units tells the layers above a wrong size: they raise",
    instead="give both directions as many units, or join the outputs of two layers yourself",
    silent=False,
    report="https://github.com/keras-team/keras/issues/23688",
    demonstration=_different_units,
    smallest=lambda: counting(
        Spec(1, Bidirectional(SimpleRNN(1, "linear"), SimpleRNN(2, "linear")), Dense(1)), [[[1.0]]]
    ),
)
def _(spec: Spec) -> bool:
    last = len(spec.layers) - (spec.head is None)
    return any(
        isinstance(layer, Bidirectional) and len({d.features for d in layer.directions}) > 1
        for layer in spec.layers[:last]
    )


@divergence(
    name="time-distributed-open-shape",
    says="TimeDistributed in a compiled function whose numbers of samples and steps are open raises ValueError",
    instead="leave TimeDistributed out: Dense works on every step by itself",
    silent=False,
    until="3.4.1",
    runtimes=("keras-graph",),
    demonstration=open_shape,
    smallest=open_case,
)
def _(spec: Spec) -> bool:
    return open_steps(spec)


@leaving_nothing
def _open_mask(keras: Any) -> None:
    import tensorflow as tf

    distributed = keras.layers.TimeDistributed(keras.layers.Dense(1))
    model = keras.Sequential([keras.Input((2, 1)), keras.layers.Masking(), distributed])
    try:
        tf.function(model, input_signature=[tf.TensorSpec((None, 2, 1))])(np.ones((1, 2, 1), "float32"))
    except TypeError as error:
        raise AssertionError(f"1 sample of 2 steps: expected an output, got {type(error).__name__}") from error


@divergence(
    name="time-distributed-open-mask",
    says="TimeDistributed of masked inputs, in a compiled function whose number of samples or steps is open, raises "
    "OperatorNotAllowedInGraphError",
    instead="leave TimeDistributed out: Dense works on every step by itself",
    silent=False,
    since="3.4.1",
    until="3.9.2",
    runtimes=("keras-graph",),
    demonstration=_open_mask,
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear", return_sequences=True), Dense(1, distributed=True), source="masking", T=2),
        [[[1.0], [1.0]]],
    ),
)
def _(spec: Spec) -> bool:
    distributed = any(dense.distributed for dense in spec.dense.values())
    return distributed and spec.masked and (spec.T is None or spec.N is None)


@leaving_nothing
def _return_state(keras: Any) -> None:
    layer = keras.layers.Bidirectional(adding(keras, return_state=True))
    try:
        layer(keras.Input((1, 1)))
    except TypeError as error:
        raise AssertionError(f"in a model: expected an output and two states, got {type(error).__name__}") from error


@divergence(
    name="bidirectional-return-state",
    says="Bidirectional with return_state=True raises TypeError in a model",
    instead="call two layers yourself",
    silent=False,
    until="3.2.0",
    report="https://github.com/keras-team/keras/issues/19328",
    demonstration=_return_state,
    smallest=lambda: counting(Spec(1, Bidirectional(SimpleRNN(1, "linear", return_state=True))), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.return_state for layer in spec.layers)


@divergence(
    name="stateful-mixed",
    says="a stateful layer under a mixed policy raises ValueError",
    instead="return the states, and pass them as initial_state",
    silent=False,
    until="3.8.0",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "linear", stateful=True), dtype="mixed_float16", N=1), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return spec.stateful and spec.compute_dtype != spec.variable_dtype


@divergence(
    name="bidirectional-stateful-return-state",
    says="Bidirectional with stateful=True and return_state=True raises TypeError",
    instead="read the states from forward_layer.states and backward_layer.states",
    silent=False,
    since="3.2.0",
    smallest=lambda: counting(
        Spec(1, Bidirectional(SimpleRNN(1, "linear", stateful=True, return_state=True)), N=1), [[[1.0]]]
    ),
)
def _(spec: Spec) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.stateful and layer.return_state for layer in spec.layers)


@divergence(
    name="single-cell-mask",
    says="RNN([cell]) of a single cell raises ValueError when there is a mask",
    instead="write RNN(cell)",
    silent=False,
    smallest=lambda: counting(Spec(1, RNN((1,), "linear"), source="masking"), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return spec.masked and any(
        lone(layer) and not layer.unroll and (len(layer.state_units) > 1 or not layer.initial_state)
        for layer in spec.directions
    )


def lone(layer: RNN) -> bool:
    """Whether a layer is made of a list of one cell."""
    return layer.units == layer.cells[:1]


@divergence(
    name="single-cell-unrolled",
    says="RNN([LSTMCell], unroll=True), a list of one cell with two states, raises IndexError unless there is a mask",
    instead="write RNN(cell)",
    silent=False,
    smallest=lambda: counting(Spec(1, RNN((1,), "linear", unroll=True, cell=LSTMCell()), T=2), [[[1.0], [1.0]]]),
)
def _(spec: Spec) -> bool:
    return not spec.masked and any(
        lone(layer) and layer.unroll and len(layer.state_units) > 1 for layer in spec.directions
    )


def _of_nothing(case: Case) -> bool:
    return any(call.N == 0 for call in case.calls)


@leaving_nothing
def _predicts_nothing(keras: Any) -> None:
    model = keras.Sequential([keras.Input((1, 1)), adding(keras)])
    try:
        model.predict(np.zeros((0, 1, 1)), verbose=0)
    except UnboundLocalError as error:
        raise AssertionError(f"no samples: expected no outputs, got {type(error).__name__}") from error


@divergence(
    name="predict-of-nothing",
    says="model.predict raises UnboundLocalError when there are no samples, where model(x) gives no outputs",
    instead="call model(x), or leave out batches that are empty",
    silent=False,
    runtimes=("keras-predict",),
    demonstration=_predicts_nothing,
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "linear")), np.zeros((0, 1, 1))),
    in_case=_of_nothing,
)
def _(spec: Spec) -> bool:
    return False  # a matter of cases


@divergence(
    name="lstm-of-nothing",
    says="an LSTM that is called eagerly raises when there are no samples, where SimpleRNN and GRU give no outputs",
    instead="leave out batches that are empty",
    silent=False,
    since="3.12.0",
    runtimes=("keras-call",),
    smallest=lambda: counting(Spec(1, LSTM(1, "linear")), np.zeros((0, 1, 1))),
    in_case=lambda case: _of_nothing(case) and any(_kinds(case.spec, LSTMCell)),
)
def _(spec: Spec) -> bool:
    return False  # a matter of cases


def _kinds(spec: Spec, kind: type[Cell]) -> list[bool]:
    """Say of each cell of a model whether it is of a kind."""
    return [isinstance(cell, kind) for layer in spec.directions for cell in layer.kinds]


@leaving_nothing
def _doubles_states(keras: Any) -> None:
    forward = keras.layers.RNN([keras.layers.SimpleRNNCell(1), keras.layers.SimpleRNNCell(1)], return_state=True)
    layer = keras.layers.Bidirectional(forward, backward_layer=adding(keras, return_state=True, go_backwards=True))
    expect("an output, 2 states and 1", 4, len(layer(keras.Input((1, 1)))))


@divergence(
    name="bidirectional-doubles-states",
    says="a model takes a Bidirectional with return_state=True to return as many states backward as forward: it leaves "
    "some out, or raises, where the numbers of cells differ",
    instead="give both directions as many states, or call two layers yourself",
    silent=False,
    since="3.2.0",
    demonstration=_doubles_states,
    smallest=lambda: counting(
        Spec(1, Bidirectional(RNN((1, 1), "linear", return_state=True), SimpleRNN(1, "linear", return_state=True))),
        [[[1.0]]],
    ),
)
def _(spec: Spec) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.return_state and _uneven(layer) for layer in spec.layers)


def _uneven(layer: Bidirectional) -> bool:
    return len({len(direction.state_units) for direction in layer.directions}) > 1


@divergence(
    name="bidirectional-halves-states",
    says="Bidirectional gives half of its initial_state to each direction, whatever number of states they have, and "
    "raises where it is not the same",
    instead="give both directions as many states, or call two layers yourself",
    silent=False,
    smallest=lambda: counting(
        Spec(1, Bidirectional(RNN((1, 1), "linear", initial_state=True), SimpleRNN(1, "linear", initial_state=True))),
        [[[1.0]]],
        states=(np.ones((1, 1)),) * 3,
    ),
)
def _(spec: Spec) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.initial_state and _uneven(layer) for layer in spec.layers)


@divergence(
    name="reset-of-stacked-cells",
    says="reset_state() of a stateful RNN([cells]) raises AttributeError, so that its state cannot be reset",
    instead="assign zeros to the variables in layer.states yourself",
    silent=False,
    smallest=lambda: counting(Spec(1, RNN((1, 1), "linear", stateful=True), N=1), [[[1.0]]], reset=True),
)
def _(spec: Spec) -> bool:
    return any(layer.stateful and isinstance(layer.units, tuple) for layer in spec.directions)


@demonstrated(
    name="reset-state-as-documented",
    says="reset_state(states=...) and model.reset_state(), both of which RNN's docstring names, raise TypeError and "
    "AttributeError",
    instead="assign to the variables in layer.states, and call reset_state() of each stateful layer",
    silent=False,
    report="https://github.com/keras-team/keras/issues/20327",
)
def _(keras: Any) -> None:
    layer = adding(keras, stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), layer])
    try:
        layer.reset_state(states=[np.ones((1, 1))])
        model.reset_state()
    except (TypeError, AttributeError) as error:
        raise AssertionError(f"a reset: expected none to raise, got {type(error).__name__}") from error


@demonstrated(
    name="bfloat16-orthogonal",
    says="a recurrent layer with dtype='bfloat16' cannot be built: its default recurrent_initializer, orthogonal, "
    "has no kernel for these numbers in TensorFlow",
    instead="write recurrent_initializer='glorot_uniform', or dtype='mixed_bfloat16'",
    silent=False,
    report="https://github.com/keras-team/keras/issues/16970",
)
def _(keras: Any) -> None:
    layer = keras.layers.SimpleRNN(1, dtype="bfloat16")
    try:
        layer.build((1, 1, 1))
    except Exception as error:
        raise AssertionError(f"a layer of bfloat16: expected one, got {type(error).__name__}") from error


@demonstrated(
    name="stale-dropout-mask",
    says="a cell with dropout that was called directly, at inference too, keeps its dropout mask: in training a layer "
    "of it uses that mask, or raises where the number of samples is another; so does a layer one of whose calls raised",
    instead="call cell.reset_dropout_mask() and cell.reset_recurrent_dropout_mask() before the next call",
    silent=False,
)
def _(keras: Any) -> None:
    cell = keras.layers.SimpleRNNCell(1, dropout=0.5)
    cell(np.ones((2, 1), "float32"), [np.zeros((2, 1), "float32")])
    try:
        keras.layers.RNN(cell)(np.ones((3, 1, 1), "float32"), training=True)
    except Exception as error:
        raise AssertionError(f"3 samples after 2: expected an output, got {type(error).__name__}") from error
