"""Where Keras gives wrong values without a word; those that do most harm first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.call import stored
from ..model.case import Case
from ..model.layers import RNN, Bidirectional, Dense, SimpleRNN
from ..model.spec import Spec
from .table import adding, as_list, counting, demonstrated, divergence, expect, leaving_nothing

__all__ = ["open_case", "open_shape", "open_steps"]


@divergence(
    name="mask-lost-with-initial-state",
    says="a mask that comes from Masking, Embedding or the layer below is ignored as soon as initial_state is passed "
    "too, as in every masked encoder-decoder",
    instead="pass the mask yourself: layer(x, initial_state=h, mask=mask)",
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear", initial_state=True), source="masking"),
        [[[2.0], [0.0]]],
        states=(np.ones((1, 1)),),
    ).with_weights(**{"layer0/Wh": [[3.0]]}),
)
def _(spec: Spec) -> bool:
    explicit = 1 if spec.source == "mask" else 0
    return spec.masked and any(layer.initial_state for layer in spec.layers[explicit:])


@divergence(
    name="mask-argument-not-handed-on",
    says="the mask that the first recurrent layer is given as mask= is not handed on to the next one",
    instead="give each layer the mask: layer(x, mask=mask)",
    until="3.11.0",
    report="https://github.com/keras-team/keras/pull/21449",
    smallest=lambda: counting(
        Spec(1, (SimpleRNN(1, "linear", return_sequences=True), SimpleRNN(1, "linear")), source="mask"),
        [[[1.0], [0.0]]],
        mask=np.array([[True, False]]),
    ),
)
def _(spec: Spec) -> bool:
    return spec.source == "mask" and len(spec.layers) > 1


@divergence(
    name="unrolled-backward-mask",
    says="an unrolled layer that goes backwards, the backward one of a Bidirectional above all, zeroes the outputs of "
    "the wrong steps when there is a mask and sequences are returned",
    instead="leave unroll=True out where there is a mask",
    smallest=lambda: counting(
        Spec(1, Bidirectional(SimpleRNN(1, "linear", return_sequences=True, unroll=True)), source="masking", T=2),
        [[[1.0], [0.0]]],
    ),
)
def _(spec: Spec) -> bool:
    return spec.masked and any(
        layer.unroll and layer.go_backwards and layer.zero_output_for_mask and layer.return_sequences
        for layer in spec.directions
    )


@divergence(
    name="backward-mask-order",
    says="a layer with go_backwards and return_sequences turns its outputs round but hands on the mask as it was, so "
    "that the next recurrent layer skips the wrong steps",
    instead="give the next layer its mask: layer(x, mask=keras.ops.flip(mask, 1))",
    smallest=lambda: counting(
        Spec(
            1,
            (SimpleRNN(1, "linear", return_sequences=True, go_backwards=True), SimpleRNN(1, "linear")),
            source="masking",
        ),
        [[[1.0], [0.0], [0.0]]],
    ),
    report="https://github.com/keras-team/keras/issues/6022",
)
def _(spec: Spec) -> bool:
    return spec.masked and any(isinstance(layer, RNN) and layer.go_backwards for layer in spec.layers[:-1])


@demonstrated(
    name="ids-rounded-to-16-bits",
    says="a Sequential model that begins with Embedding and has no Input rounds its ids to 16 bits under a global "
    "policy of 16 bits, mixed or not, and so looks up the wrong rows: from 257 on in bfloat16, from 2049 in float16",
    instead="begin the model with keras.Input((None,), dtype='int32')",
    report="https://github.com/keras-team/keras/issues/19332",
)
def _(keras: Any) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    embedding = keras.layers.Embedding(258, 1)
    model = keras.Sequential([embedding])
    model.build((None, 1))
    embedding.set_weights([np.arange(258)[:, None] == 257])
    expect("row 257", [[[1.0]]], as_list(keras, keras.ops.cast(model(np.array([[257]])), "float32")))


def _frozen(spec: Spec) -> list[RNN]:
    return [layer for layer in spec.directions if not layer.trainable]


@demonstrated(
    name="frozen-wrapper-is-trained",
    says="RNN, Bidirectional and TimeDistributed do not hand the argument trainable=False on to what they wrap: a "
    "model trains its weights all the same",
    instead="set layer.trainable = False when it is made, or give the argument to the inner layer or cell too",
    concerns=lambda spec: any(type(layer) is RNN for layer in _frozen(spec)),
    report="https://github.com/keras-team/keras/issues/7504",
)
def _(keras: Any) -> None:
    layer = keras.layers.Bidirectional(adding(keras), trainable=False)
    model = keras.Sequential([keras.Input((1, 1)), layer])
    expect("weights that are trained", 0, len(model.trainable_variables))


@demonstrated(
    name="frozen-layer-is-trained",
    says="a layer that was frozen before it was built, as by trainable=False, is trained in a model all the same",
    instead="set layer.trainable = False when it is built",
    concerns=lambda spec: bool(_frozen(spec)) or not all(dense.trainable for dense in spec.dense.values()),
    until="3.2.0",
)
def _(keras: Any) -> None:
    model = keras.Sequential([keras.Input((1, 1)), adding(keras, trainable=False)])
    expect("weights that are trained", 0, len(model.trainable_variables))


@demonstrated(
    name="recurrent-dropout-ignored",
    says="recurrent_dropout drops at the rate of dropout, which is 0 by default, and not at its own",
    instead="upgrade",
    until="3.2.0",
    report="https://github.com/keras-team/keras/issues/19395",
)
def _(keras: Any) -> None:
    layer = adding(keras, recurrent_dropout=0.75)
    output = as_list(keras, layer(np.ones((1, 2, 1), "float32"), training=True))
    expect("1 + 1, of which dropout makes 0 or 4 the first", True, output in ([[1.0]], [[5.0]]))


@demonstrated(
    name="time-distributed-mask",
    says="TimeDistributed of a layer that does not return sequences hands on the mask of the inner steps: a recurrent "
    "layer above masks each of its units by another inner step if it has as many, and raises otherwise",
    instead="give the layer above its own mask: layer(x, mask=keras.ops.any(inner_mask, -1))",
    report="https://github.com/keras-team/keras/pull/4258",
)
def _(keras: Any) -> None:
    # Two sentences of two words, the last of which is padding; each sentence becomes the number of its words.
    words = keras.layers.Embedding(2, 1, mask_zero=True, embeddings_initializer="ones")(np.array([[[1, 1], [1, 0]]]))
    sentences = keras.layers.TimeDistributed(adding(keras))(words)
    # Each unit adds both units to the new number: 2, then 1 + 2 + 2.
    expect("two units over two sentences", [[5.0, 5.0]], as_list(keras, adding(keras, 2)(sentences)))


@demonstrated(
    name="time-distributed-makes-no-mask",
    says="Embedding(mask_zero=True) and Masking make no mask inside of TimeDistributed",
    instead="leave TimeDistributed out: both take inputs of any number of axes",
    report="https://github.com/keras-team/keras/issues/3651",
)
def _(keras: Any) -> None:
    embedding = keras.layers.Embedding(2, 1, mask_zero=True, embeddings_initializer="ones")
    words = keras.layers.TimeDistributed(embedding)(np.array([[[1, 0]]]))
    expect("words, without padding", [[[1.0]]], as_list(keras, keras.layers.TimeDistributed(adding(keras))(words)))


@divergence(
    name="sparsemax",
    says="the activation sparsemax is not sparsemax: its values do not sum to 1",
    instead="write the projection yourself",
    since="3.8.0",
    report="https://github.com/keras-team/keras/issues/23425",
    smallest=lambda: counting(Spec(3, SimpleRNN(3, "sparsemax", use_bias=False)), [[[0.0, 0.5, 1.0]]]).with_weights(
        **{"layer0/Wx": np.eye(3)}
    ),
)
def _(spec: Spec) -> bool:
    return _uses(spec, "sparsemax")


@demonstrated(
    name="mask-sticks-to-inputs",
    says="model(x, mask=mask) writes the mask onto the tensor x, so that the next model(x) uses it as well",
    instead="give it a copy, model(keras.ops.copy(x), mask=mask), or a NumPy array",
)
def _(keras: Any) -> None:
    model = keras.Sequential([keras.Input((2, 1)), adding(keras)])
    x = keras.ops.convert_to_tensor([[[1.0], [2.0]]])
    model(x, mask=np.array([[True, False]]))
    expect("1 + 2, without a mask", [[3.0]], as_list(keras, model(x)))


@divergence(
    name="masking-value-rounded",
    says="Masking that computes in other numbers than float32 compares with its mask_value in float32: one such as 0.1 "
    "masks nothing",
    instead="choose a mask_value that both have, such as 0 or -1",
    smallest=lambda: counting(
        Spec(1, SimpleRNN(1, "linear"), source="masking", mask_value=0.1, dtype="mixed_float16"), [[[1.0], [0.1]]]
    ),
)
def _(spec: Spec) -> bool:
    held = stored(spec.mask_value, spec.compute_dtype)
    return spec.source == "masking" and float(held) != float(np.float32(spec.mask_value))


@demonstrated(
    name="stateless-call-of-stateful",
    says="model.stateless_call neither returns nor keeps the states of a stateful layer, so that each call starts from "
    "the same ones",
    instead="give the layer return_state=True, and each call the states of the last one as initial_state",
)
def _(keras: Any) -> None:
    model = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), adding(keras, stateful=True)])
    trainable, others, x = model.trainable_variables, model.non_trainable_variables, np.ones((1, 1, 1), "float32")
    _, others = model.stateless_call(trainable, others, x)
    output, _ = model.stateless_call(trainable, others, x)
    expect("1 + 1, in two calls", [[2.0]], as_list(keras, output))


@leaving_nothing
def open_shape(keras: Any) -> None:
    """Leave the numbers of samples and steps open."""
    import tensorflow as tf

    model = keras.Sequential([keras.Input((None, 1)), keras.layers.TimeDistributed(keras.layers.Dense(1))])
    compiled = tf.function(model, input_signature=[tf.TensorSpec((None, None, 1))])
    try:
        shape = tuple(compiled(np.ones((1, 2, 1), "float32")).shape)
    except ValueError as error:
        raise AssertionError(f"1 sample of 2 steps: expected an output, got {type(error).__name__}") from error
    expect("1 sample of 2 steps", (1, 2, 1), shape)


def open_case() -> Case:
    """A case of :func:`open_steps`."""
    spec = Spec(1, SimpleRNN(1, "linear", return_sequences=True), Dense(1, distributed=True))
    return counting(spec, [[[1.0], [1.0]]])


def open_steps(spec: Spec) -> bool:
    """Whether a head is distributed over a number of steps that is open."""
    return spec.T is None and any(dense.distributed for dense in spec.dense.values())


@divergence(
    name="time-distributed-open-steps",
    since="3.14.0",
    says="TimeDistributed in a compiled function whose number of steps is open puts out as many steps as there are "
    "samples",
    instead="give the model its number of steps, or leave TimeDistributed out: Dense works on every step by itself",
    runtimes=("keras-graph",),
    demonstration=open_shape,
    smallest=open_case,
)
def _(spec: Spec) -> bool:
    return open_steps(spec)


@demonstrated(
    name="activity-regularizer",
    says="SimpleRNN takes an activity_regularizer and drops it: there is no loss, and none in the saved config",
    instead="put keras.layers.ActivityRegularization(l2=...) behind the layer",
)
def _(keras: Any) -> None:
    layer = adding(keras, activity_regularizer="l2")
    layer(np.ones((1, 1, 1), "float32"))
    expect("losses of a layer that regularizes its output", 1, len(layer.losses))


@demonstrated(
    name="seed-lost",
    says="the seed of a SimpleRNN's dropout is not in its config: a model that was saved, cloned or wrapped in "
    "Bidirectional draws other masks each time",
    instead="call keras.utils.set_random_seed before you build or load the model, or write "
    "RNN(SimpleRNNCell(units, dropout=0.5, seed=7)), which keeps its seed",
    report="https://github.com/keras-team/keras/issues/23657",
)
def _(keras: Any) -> None:
    layer = keras.layers.SimpleRNN(1, dropout=0.5, seed=7)
    expect("the seed of a copy", 7, keras.layers.SimpleRNN.from_config(layer.get_config()).cell.seed)


@demonstrated(
    name="training-none",
    says="a layer that is called with training=None inside of another one does not inherit training=True from it: its "
    "dropout is off",
    instead="leave the argument out of the inner call, or pass True or False",
    since="3.10.0",
)
def _(keras: Any) -> None:
    inner = adding(keras, dropout=0.75)

    class Outer(keras.layers.Layer):  # type: ignore[misc]  # Keras is Any here
        def call(self, x: Any, training: bool = False) -> Any:
            return inner(x, training=None)

    output = as_list(keras, Outer()(np.ones((1, 1, 1), "float32"), training=True))
    expect("a 1 behind dropout, which makes 0 or 4 of it", True, output in ([[0.0]], [[4.0]]))


@demonstrated(
    name="bidirectional-weights",
    says="Bidirectional takes weights= and drops them",
    instead="call set_weights when it is built",
)
def _(keras: Any) -> None:
    weights = [np.full((1, 1), 5.0), np.zeros((1, 1)), np.zeros(1)] * 2
    layer = keras.layers.Bidirectional(adding(keras), weights=weights)
    expect("5 times 1, in both directions", [[5.0, 5.0]], as_list(keras, layer(np.ones((1, 1, 1), "float32"))))


@leaving_nothing
def _predict(keras: Any) -> None:
    model = keras.Sequential([keras.Input((1, 1), dtype="float64"), adding(keras, dtype="float64")])
    expect("0.1 in float64", [[0.1]], model.predict(np.array([[[0.1]]]), verbose=0).tolist())


@divergence(
    name="predict-rounds-inputs",
    says="model.predict rounds its inputs to keras.config.floatx(), float32 as a rule, in a float64 model too",
    instead="call model(x), or set keras.config.set_floatx('float64')",
    runtimes=("keras-predict",),
    demonstration=_predict,
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "linear"), dtype="float64"), [[[0.1]]]),
)
def _(spec: Spec) -> bool:
    states = any(layer.initial_state for layer in spec.layers)  # they are inputs as well
    return spec.variable_dtype == "float64" and (states or not spec.embedded)


@leaving_nothing
def _cells(keras: Any) -> None:
    ones = {"kernel_initializer": "ones", "recurrent_initializer": "ones", "activation": None}
    cells = [keras.layers.SimpleRNNCell(1, **ones, dtype="float64") for _ in range(2)]
    layer = keras.layers.RNN(cells, dtype="float64")
    expect("0.1 in float64", [[0.1]], as_list(keras, layer(np.array([[[0.1]]]))))


@divergence(
    name="cells-dtype",
    says="RNN([cells], dtype=...) makes a stack of the cells that keeps the global dtype: float64 is computed through "
    "float32, and a mask or a compiled function raises, in 16 bits too",
    instead="write RNN(StackedRNNCells(cells, dtype='float64'), dtype='float64')",
    demonstration=_cells,
    smallest=lambda: counting(Spec(1, RNN((1, 1), "linear"), dtype="float64"), [[[0.1]]]),
)
def _(spec: Spec) -> bool:
    # the global dtype is float32 where models are run
    return spec.dtype != "float32" and any(isinstance(layer.units, tuple) for layer in spec.directions)


@demonstrated(
    name="softmax-masks-units",
    says="the layer Softmax behind masked steps takes the mask of the steps for one of the units: where there are as "
    "many steps as units, units of valid steps become 0; elsewhere it raises",
    instead='write Activation("softmax"), or Dense(units, activation="softmax")',
)
def _(keras: Any) -> None:
    layers = [keras.layers.Masking(), keras.layers.SimpleRNN(2, return_sequences=True, kernel_initializer="zeros")]
    model = keras.Sequential([*layers, keras.layers.Softmax()])
    valid = as_list(keras, model(np.array([[[1.0], [0.0]]], np.float32)))[0][0]
    expect("the softmax of two equal units in a valid step", [0.5, 0.5], [round(each, 3) for each in valid])


@divergence(
    name="leaky-relu-float64",
    says="leaky_relu in float64 has the slope of float32, so that it is good to 8 digits only",
    instead="write keras.ops.maximum(x, 0.2 * x)",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "leaky_relu"), dtype="float64"), [[[-1.0]]]),
)
def _(spec: Spec) -> bool:
    return spec.compute_dtype == "float64" and _uses(spec, "leaky_relu")


@divergence(
    name="gelu-float64",
    says="gelu in float64 has a constant of float32, so that it is good to 8 digits only",
    instead="write it with keras.ops.erf and constants of float64",
    since="3.3.3",
    smallest=lambda: counting(Spec(1, SimpleRNN(1, "gelu"), dtype="float64"), [[[1.0]]]),
)
def _(spec: Spec) -> bool:
    return spec.compute_dtype == "float64" and _uses(spec, "gelu")


def _uses(spec: Spec, name: str) -> bool:
    used = [layer.activation for layer in spec.directions] + [dense.activation for dense in spec.dense.values()]
    return any(function.name == name for function in used)
