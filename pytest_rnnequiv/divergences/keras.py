"""Where Keras itself is not the recurrence: the one home of what is known about that.

Each divergence says which networks it concerns, in which versions and ways of running Keras, what happens in one
sentence, what to do instead, and where it was reported. The suite steers around them everywhere (``concerning``), and
has one item for each that shows it by its smallest case: an expected failure, and a strict one, so that its repair is
noticed. What is no matter of a case (a seed that is lost, a reset that raises) has a demonstration in the place of the
case, and concerns no network, or only what is counted of it. Some have both, since layers called one after the other do
not show what a model does.

They come in this order: wrong values without a word before exceptions; and those that do most harm first. Each was
tried on all of the releases from 3.1.1 to 3.15.1 that ``benchmarks/keras_versions.py`` names, by that script; Keras 3.0
was not, since it needs ``dm-tree``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ..judging.network_oracle import judge_network
from ..model.case import Case
from ..model.network import Bidirectional, Head, Layer, Network
from ..model.network_case import Call, NetworkCase, stored

__all__ = ["DIVERGENCES", "UPCOMING", "Divergence", "concerning"]

#: The ways to run Keras.
WAYS = ("keras-graph", "keras-call", "keras-predict")

#: What Keras's own repository has changed, and no release yet when we looked.
UPCOMING = (
    "The repository of Keras, which calls itself 3.16.0, no longer hands masks on through `RNN` (`SimpleRNN`, `LSTM`, "
    "`GRU`), `Bidirectional` and `TimeDistributed` (https://github.com/keras-team/keras/pull/23235): it warns, and the "
    "layers above compute through the padding. `Masking -> SimpleRNN(return_sequences=True) -> SimpleRNN` gives other "
    "numbers then. Passing the mask to every layer yourself, `layer(x, mask=mask)`, gives the same before and after."
)


@dataclass(frozen=True, eq=False)
class Divergence:
    """Something that Keras does otherwise.

    Parameters
    ----------
    name : str
        Short, without spaces.
    says : str
        What happens, in one sentence for users of Keras.
    instead : str
        What to do about it.
    concerns : callable
        Network -> bool: whether it happens there, whatever the numbers.
    in_case : callable, optional
        NetworkCase -> bool: whether it happens there, where the network alone does not say.
    smallest : callable, optional
        The smallest case that shows it.
    demonstration : callable, optional
        What shows it by a few lines of Keras, where the layers of a case do not: it is given the module ``keras``, and
        raises an AssertionError that says what was expected and what came. It leaves nothing changed behind.
    silent : bool
        Wrong values without a word; otherwise an exception.
    since : str
        The first version in which it was seen, of those that were tried.
    until : str, optional
        The first version that is right again, of those that were tried.
    ways : tuple of str
        The ways to run Keras that have it.
    report : str, optional
        Where it was reported upstream.
    """

    name: str
    says: str
    instead: str
    concerns: Callable[[Network], bool]
    in_case: Callable[[NetworkCase], bool] | None = None
    smallest: Callable[[], NetworkCase] | None = None
    demonstration: Callable[[Any], None] | None = None
    silent: bool = True
    since: str = "3.1.1"
    until: str | None = None
    ways: tuple[str, ...] = WAYS
    report: str | None = None

    def exists(self, way: str, keras: str) -> bool:
        """Whether that way of running that version of Keras has it."""
        return way in self.ways and _ordered(self.since) <= _ordered(keras) < _ordered(self.until or "999")

    def hidden(self, way: str, keras: str) -> bool:
        """Whether its case tells nothing about it there, since only other divergences meet that case."""
        case = None if self.smallest is None else self.smallest()
        return case is not None and not self.exists(way, keras) and bool(concerning(case, way, keras))

    def meets(self, what: Network | Case | NetworkCase) -> bool:
        """Whether it happens in a network, whatever the numbers, or in a case."""
        if isinstance(what, Network):
            return self.concerns(what)
        case = NetworkCase.of(what) if isinstance(what, Case) else what
        return self.concerns(case.network) or (self.in_case is not None and self.in_case(case))

    @property
    def activations(self) -> tuple[str, ...]:
        """The names of the activations in its case, which not every version has."""
        return () if self.smallest is None else tuple(each.activation.name for each in _layers(self.smallest().network))

    def outcome(self, keras: Any, run: Callable[[NetworkCase], Any]) -> str:
        """Try it, whatever the version.

        Parameters
        ----------
        keras : module
        run : callable
            Runs a case on that Keras, in one of the ways.

        Returns
        -------
        str
            ``"right"``, ``"wrong"`` (values), ``"raises"``, or ``"not applicable"`` where that Keras lacks what it
            takes.

        Raises
        ------
        Exception
            If a demonstration fails by anything but its AssertionError.
        """
        if self.smallest is None:
            assert self.demonstration is not None
            try:
                self.demonstration(keras)
            except AssertionError:
                return "wrong" if self.silent else "raises"
            return "right"
        if not all(hasattr(keras.activations, name) for name in self.activations):
            return "not applicable"
        case = self.smallest()
        try:
            answer = run(case)
        except Exception:
            return "raises"
        return "right" if judge_network(case, answer).equivalent else "wrong"

    def __str__(self) -> str:
        return self.name


@cache
def _ordered(numbers: str) -> tuple[int, ...]:
    return tuple(int(part) for part in numbers.split(".") if part.isdigit())


@cache
def installed() -> str:
    """The version of Keras that would be imported; empty if there is none."""
    try:
        return version("keras")
    except PackageNotFoundError:
        return ""


def concerning(what: Network | Case | NetworkCase, way: str, keras: str | None = None) -> list[Divergence]:
    """Return the divergences that a network, or a case, would meet in one of Keras's ways; none for others.

    A network meets those that depend on it alone; a case meets also those that depend on its numbers and their shapes.
    """
    if way not in WAYS:
        return []
    keras = installed() if keras is None else keras
    if isinstance(what, Case):
        what = NetworkCase.of(what)
    return [each for each in DIVERGENCES if each.exists(way, keras) and each.meets(what)]


DIVERGENCES: list[Divergence] = []


def _divergence(**what: object) -> Callable[[Callable[[Network], bool]], Callable[[Network], bool]]:
    """Register one that is a matter of networks, by a function that says of which."""

    def register(concerns: Callable[[Network], bool]) -> Callable[[Network], bool]:
        DIVERGENCES.append(Divergence(concerns=concerns, **what))  # type: ignore[arg-type]
        return concerns

    return register


def _nowhere(network: Network) -> bool:
    return False


def _demonstrated(
    concerns: Callable[[Network], bool] = _nowhere, **what: object
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register one that is no matter of a case, by a function that shows it."""

    def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
        shows = _leaving_nothing(function)
        DIVERGENCES.append(Divergence(concerns=concerns, demonstration=shows, **what))  # type: ignore[arg-type]
        return shows

    return register


def _leaving_nothing(function: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(function)
    def demonstration(keras: Any) -> None:
        # Keras draws the seeds of layers that are given none from the generator that all share.
        state, policy = random.getstate(), keras.config.dtype_policy()
        try:
            function(keras)
        finally:
            keras.config.set_dtype_policy(policy)
            random.setstate(state)

    return demonstration


def _counting(network: Network, x: object, **call: object) -> NetworkCase:
    """A case whose numbers one can follow: all weights are 1, biases 0, so that linear layers count and add."""
    shapes = network.weight_shapes
    weights = tuple(np.zeros(s) if name.endswith(("bh", "bo")) else np.ones(s) for name, s in shapes.items())
    return NetworkCase(network, weights, (Call(np.asarray(x), **call),))  # type: ignore[arg-type]


def _layers(network: Network) -> list[Layer]:
    return [direction for layer in network.layers for direction in layer.directions]


def _expect(what: str, expected: object, got: object) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected}, got {got}")


def _adding(keras: Any, units: int = 1, **options: Any) -> Any:
    """A layer whose units all add up what they have been given so far."""
    return keras.layers.SimpleRNN(
        units, activation=None, kernel_initializer="ones", recurrent_initializer="ones", **options
    )


def _list(keras: Any, tensor: Any) -> Any:
    return keras.ops.convert_to_numpy(tensor).tolist()


# ---- wrong values, without a word ----


@_divergence(
    name="mask-lost-with-initial-state",
    says="a mask that comes from Masking, Embedding or the layer below is ignored as soon as initial_state is passed "
    "too, as in every masked encoder-decoder",
    instead="pass the mask yourself: layer(x, initial_state=h, mask=mask)",
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear", initial_state=True), source="masking"),
        [[[2.0], [0.0]]],
        states=(np.ones((1, 1)),),
    ).with_weights(**{"layer0/Wh": [[3.0]]}),
)
def _(network: Network) -> bool:
    explicit = 1 if network.source == "mask" else 0
    return network.masked and any(layer.initial_state for layer in network.layers[explicit:])


@_divergence(
    name="mask-argument-not-handed-on",
    says="the mask that the first recurrent layer is given as mask= is not handed on to the next one",
    instead="give each layer the mask: layer(x, mask=mask)",
    until="3.11.0",
    report="https://github.com/keras-team/keras/pull/21449",
    smallest=lambda: _counting(
        Network(1, (Layer(1, "linear", return_sequences=True), Layer(1, "linear")), source="mask"),
        [[[1.0], [0.0]]],
        mask=np.array([[True, False]]),
    ),
)
def _(network: Network) -> bool:
    return network.source == "mask" and len(network.layers) > 1


@_divergence(
    name="unrolled-backward-mask",
    says="an unrolled layer that goes backwards, the backward one of a Bidirectional above all, zeroes the outputs of "
    "the wrong steps when there is a mask and sequences are returned",
    instead="leave unroll=True out where there is a mask",
    smallest=lambda: _counting(
        Network(1, Bidirectional(Layer(1, "linear", return_sequences=True, unroll=True)), source="masking", T=2),
        [[[1.0], [0.0]]],
    ),
)
def _(network: Network) -> bool:
    return network.masked and any(
        layer.unroll and layer.go_backwards and layer.zero_output_for_mask and layer.return_sequences
        for layer in _layers(network)
    )


@_divergence(
    name="backward-mask-order",
    says="a layer with go_backwards and return_sequences turns its outputs round but hands on the mask as it was, so "
    "that the next recurrent layer skips the wrong steps",
    instead="give the next layer its mask: layer(x, mask=keras.ops.flip(mask, 1))",
    smallest=lambda: _counting(
        Network(
            1,
            (Layer(1, "linear", return_sequences=True, go_backwards=True), Layer(1, "linear")),
            source="masking",
        ),
        [[[1.0], [0.0], [0.0]]],
    ),
    report="https://github.com/keras-team/keras/issues/6022",
)
def _(network: Network) -> bool:
    return network.masked and any(isinstance(layer, Layer) and layer.go_backwards for layer in network.layers[:-1])


@_demonstrated(
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
    _expect("row 257", [[[1.0]]], _list(keras, keras.ops.cast(model(np.array([[257]])), "float32")))


def _frozen(network: Network) -> list[Layer]:
    return [layer for layer in _layers(network) if not layer.trainable]


@_demonstrated(
    name="frozen-wrapper-is-trained",
    says="RNN, Bidirectional and TimeDistributed do not hand the argument trainable=False on to what they wrap: a "
    "model trains its weights all the same",
    instead="set layer.trainable = False when it is made, or give the argument to the inner layer or cell too",
    concerns=lambda network: any(layer.cell or isinstance(layer.units, tuple) for layer in _frozen(network)),
    report="https://github.com/keras-team/keras/issues/7504",
)
def _(keras: Any) -> None:
    layer = keras.layers.Bidirectional(_adding(keras), trainable=False)
    model = keras.Sequential([keras.Input((1, 1)), layer])
    _expect("weights that are trained", 0, len(model.trainable_variables))


@_demonstrated(
    name="frozen-layer-is-trained",
    says="a layer that was frozen before it was built, as by trainable=False, is trained in a model all the same",
    instead="set layer.trainable = False when it is built",
    concerns=lambda network: bool(_frozen(network)) or (network.head is not None and not network.head.trainable),
    until="3.2.0",
)
def _(keras: Any) -> None:
    model = keras.Sequential([keras.Input((1, 1)), _adding(keras, trainable=False)])
    _expect("weights that are trained", 0, len(model.trainable_variables))


@_demonstrated(
    name="recurrent-dropout-ignored",
    says="recurrent_dropout drops at the rate of dropout, which is 0 by default, and not at its own",
    instead="upgrade",
    until="3.2.0",
    report="https://github.com/keras-team/keras/issues/19395",
)
def _(keras: Any) -> None:
    layer = _adding(keras, recurrent_dropout=0.75)
    output = _list(keras, layer(np.ones((1, 2, 1), "float32"), training=True))
    _expect("1 + 1, of which dropout makes 0 or 4 the first", True, output in ([[1.0]], [[5.0]]))


@_demonstrated(
    name="time-distributed-mask",
    says="TimeDistributed of a layer that does not return sequences hands on the mask of the inner steps: a recurrent "
    "layer above masks each of its units by another inner step if it has as many, and raises otherwise",
    instead="give the layer above its own mask: layer(x, mask=keras.ops.any(inner_mask, -1))",
    report="https://github.com/keras-team/keras/pull/4258",
)
def _(keras: Any) -> None:
    # Two sentences of two words, the last of which is padding; each sentence becomes the number of its words.
    words = keras.layers.Embedding(2, 1, mask_zero=True, embeddings_initializer="ones")(np.array([[[1, 1], [1, 0]]]))
    sentences = keras.layers.TimeDistributed(_adding(keras))(words)
    # Each unit adds both units to the new number: 2, then 1 + 2 + 2.
    _expect("two units over two sentences", [[5.0, 5.0]], _list(keras, _adding(keras, 2)(sentences)))


@_demonstrated(
    name="time-distributed-makes-no-mask",
    says="Embedding(mask_zero=True) and Masking make no mask inside of TimeDistributed",
    instead="leave TimeDistributed out: both take inputs of any number of axes",
    report="https://github.com/keras-team/keras/issues/3651",
)
def _(keras: Any) -> None:
    embedding = keras.layers.Embedding(2, 1, mask_zero=True, embeddings_initializer="ones")
    words = keras.layers.TimeDistributed(embedding)(np.array([[[1, 0]]]))
    _expect("words, without padding", [[[1.0]]], _list(keras, keras.layers.TimeDistributed(_adding(keras))(words)))


@_divergence(
    name="sparsemax",
    says="the activation sparsemax is not sparsemax: its values do not sum to 1",
    instead="write the projection yourself",
    since="3.8.0",
    report="https://github.com/keras-team/keras/issues/23425",
    smallest=lambda: _counting(Network(3, Layer(3, "sparsemax", use_bias=False)), [[[0.0, 0.5, 1.0]]]).with_weights(
        **{"layer0/Wx": np.eye(3)}
    ),
)
def _(network: Network) -> bool:
    return _uses(network, "sparsemax")


@_demonstrated(
    name="mask-sticks-to-inputs",
    says="model(x, mask=mask) writes the mask onto the tensor x, so that the next model(x) uses it as well",
    instead="give it a copy, model(keras.ops.copy(x), mask=mask), or a NumPy array",
)
def _(keras: Any) -> None:
    model = keras.Sequential([keras.Input((2, 1)), _adding(keras)])
    x = keras.ops.convert_to_tensor([[[1.0], [2.0]]])
    model(x, mask=np.array([[True, False]]))
    _expect("1 + 2, without a mask", [[3.0]], _list(keras, model(x)))


@_divergence(
    name="masking-value-rounded",
    says="Masking that computes in other numbers than float32 compares with its mask_value in float32: one such as 0.1 "
    "masks nothing",
    instead="choose a mask_value that both have, such as 0 or -1",
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear"), source="masking", mask_value=0.1, dtype="mixed_float16"), [[[1.0], [0.1]]]
    ),
)
def _(network: Network) -> bool:
    held = stored(network.mask_value, network.compute_dtype)
    return network.source == "masking" and float(held) != float(np.float32(network.mask_value))


@_demonstrated(
    name="stateless-call-of-stateful",
    says="model.stateless_call neither returns nor keeps the states of a stateful layer, so that each call starts from "
    "the same ones",
    instead="give the layer return_state=True, and each call the states of the last one as initial_state",
)
def _(keras: Any) -> None:
    model = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), _adding(keras, stateful=True)])
    trainable, others, x = model.trainable_variables, model.non_trainable_variables, np.ones((1, 1, 1), "float32")
    _, others = model.stateless_call(trainable, others, x)
    output, _ = model.stateless_call(trainable, others, x)
    _expect("1 + 1, in two calls", [[2.0]], _list(keras, output))


@_leaving_nothing
def _open_shape(keras: Any) -> None:
    import tensorflow as tf

    model = keras.Sequential([keras.Input((None, 1)), keras.layers.TimeDistributed(keras.layers.Dense(1))])
    compiled = tf.function(model, input_signature=[tf.TensorSpec((None, None, 1))])
    try:
        shape = tuple(compiled(np.ones((1, 2, 1), "float32")).shape)
    except ValueError as error:
        raise AssertionError(f"1 sample of 2 steps: expected an output, got {type(error).__name__}") from error
    _expect("1 sample of 2 steps", (1, 2, 1), shape)


@_divergence(
    name="time-distributed-open-steps",
    since="3.14.0",
    says="TimeDistributed in a compiled function whose number of steps is open puts out as many steps as there are "
    "samples",
    instead="give the model its number of steps, or leave TimeDistributed out: Dense works on every step by itself",
    ways=("keras-graph",),
    demonstration=_open_shape,
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear", return_sequences=True), Head(1, distributed=True)), [[[1.0], [1.0]]]
    ),
)
def _(network: Network) -> bool:
    return network.head is not None and network.head.distributed and network.T is None


@_demonstrated(
    name="activity-regularizer",
    says="SimpleRNN takes an activity_regularizer and drops it: there is no loss, and none in the saved config",
    instead="put keras.layers.ActivityRegularization(l2=...) behind the layer",
)
def _(keras: Any) -> None:
    layer = _adding(keras, activity_regularizer="l2")
    layer(np.ones((1, 1, 1), "float32"))
    _expect("losses of a layer that regularizes its output", 1, len(layer.losses))


@_demonstrated(
    name="seed-lost",
    says="the seed of a SimpleRNN's dropout is not in its config: a model that was saved, cloned or wrapped in "
    "Bidirectional draws other masks each time",
    instead="call keras.utils.set_random_seed before you build or load the model, or write "
    "RNN(SimpleRNNCell(units, dropout=0.5, seed=7)), which keeps its seed",
    report="https://github.com/keras-team/keras/issues/23657",
)
def _(keras: Any) -> None:
    layer = keras.layers.SimpleRNN(1, dropout=0.5, seed=7)
    _expect("the seed of a copy", 7, keras.layers.SimpleRNN.from_config(layer.get_config()).cell.seed)


@_demonstrated(
    name="training-none",
    says="a layer that is called with training=None inside of another one does not inherit training=True from it: its "
    "dropout is off",
    instead="leave the argument out of the inner call, or pass True or False",
    since="3.10.0",
)
def _(keras: Any) -> None:
    inner = _adding(keras, dropout=0.75)

    class Outer(keras.layers.Layer):  # type: ignore[misc]  # Keras is Any here
        def call(self, x: Any, training: bool = False) -> Any:
            return inner(x, training=None)

    output = _list(keras, Outer()(np.ones((1, 1, 1), "float32"), training=True))
    _expect("a 1 behind dropout, which makes 0 or 4 of it", True, output in ([[0.0]], [[4.0]]))


@_demonstrated(
    name="bidirectional-weights",
    says="Bidirectional takes weights= and drops them",
    instead="call set_weights when it is built",
)
def _(keras: Any) -> None:
    weights = [np.full((1, 1), 5.0), np.zeros((1, 1)), np.zeros(1)] * 2
    layer = keras.layers.Bidirectional(_adding(keras), weights=weights)
    _expect("5 times 1, in both directions", [[5.0, 5.0]], _list(keras, layer(np.ones((1, 1, 1), "float32"))))


@_leaving_nothing
def _predict(keras: Any) -> None:
    model = keras.Sequential([keras.Input((1, 1), dtype="float64"), _adding(keras, dtype="float64")])
    _expect("0.1 in float64", [[0.1]], model.predict(np.array([[[0.1]]]), verbose=0).tolist())


@_divergence(
    name="predict-rounds-inputs",
    says="model.predict rounds its inputs to keras.config.floatx(), float32 as a rule, in a float64 model too",
    instead="call model(x), or set keras.config.set_floatx('float64')",
    ways=("keras-predict",),
    demonstration=_predict,
    smallest=lambda: _counting(Network(1, Layer(1, "linear"), dtype="float64"), [[[0.1]]]),
)
def _(network: Network) -> bool:
    states = any(layer.initial_state for layer in network.layers)  # they are inputs as well
    return network.variable_dtype == "float64" and (states or not network.embedded)


@_leaving_nothing
def _cells(keras: Any) -> None:
    ones = {"kernel_initializer": "ones", "recurrent_initializer": "ones", "activation": None}
    cells = [keras.layers.SimpleRNNCell(1, **ones, dtype="float64") for _ in range(2)]
    layer = keras.layers.RNN(cells, dtype="float64")
    _expect("0.1 in float64", [[0.1]], _list(keras, layer(np.array([[[0.1]]]))))


@_divergence(
    name="cells-dtype",
    says="RNN([cells], dtype=...) makes a stack of the cells that keeps the global dtype: float64 is computed through "
    "float32, and a mask or a compiled function raises, in 16 bits too",
    instead="write RNN(StackedRNNCells(cells, dtype='float64'), dtype='float64')",
    demonstration=_cells,
    smallest=lambda: _counting(Network(1, Layer((1, 1), "linear"), dtype="float64"), [[[0.1]]]),
)
def _(network: Network) -> bool:
    # the global dtype is float32 where networks are run
    return network.dtype != "float32" and any(isinstance(layer.units, tuple) for layer in _layers(network))


@_divergence(
    name="leaky-relu-float64",
    says="leaky_relu in float64 has the slope of float32, so that it is good to 8 digits only",
    instead="write keras.ops.maximum(x, 0.2 * x)",
    smallest=lambda: _counting(Network(1, Layer(1, "leaky_relu"), dtype="float64"), [[[-1.0]]]),
)
def _(network: Network) -> bool:
    return network.compute_dtype == "float64" and _uses(network, "leaky_relu")


@_divergence(
    name="gelu-float64",
    says="gelu in float64 has a constant of float32, so that it is good to 8 digits only",
    instead="write it with keras.ops.erf and constants of float64",
    since="3.3.3",
    smallest=lambda: _counting(Network(1, Layer(1, "gelu"), dtype="float64"), [[[1.0]]]),
)
def _(network: Network) -> bool:
    return network.compute_dtype == "float64" and _uses(network, "gelu")


def _uses(network: Network, name: str) -> bool:
    used = [layer.activation.name for layer in _layers(network)]
    return name in used or (network.head is not None and network.head.activation.name == name)


# ---- exceptions ----


@_leaving_nothing
def _different_units(keras: Any) -> None:
    layer = keras.layers.Bidirectional(_adding(keras), backward_layer=_adding(keras, 2, go_backwards=True))
    _expect("features of 1 unit and 2", 3, layer(keras.Input((1, 1))).shape[-1])


@_divergence(
    name="bidirectional-different-units",
    says="Bidirectional with a backward_layer of other units tells the layers above a wrong size: they raise",
    instead="give both directions as many units, or join the outputs of two layers yourself",
    silent=False,
    report="https://github.com/keras-team/keras/issues/23688",
    demonstration=_different_units,
    smallest=lambda: _counting(Network(1, Bidirectional(Layer(1, "linear"), Layer(2, "linear")), Head(1)), [[[1.0]]]),
)
def _(network: Network) -> bool:
    last = len(network.layers) - (network.head is None)
    return any(
        isinstance(layer, Bidirectional) and len({d.features for d in layer.directions}) > 1
        for layer in network.layers[:last]
    )


@_divergence(
    name="time-distributed-open-shape",
    says="TimeDistributed in a compiled function whose numbers of samples and steps are open raises ValueError",
    instead="leave TimeDistributed out: Dense works on every step by itself",
    silent=False,
    until="3.4.1",
    ways=("keras-graph",),
    demonstration=_open_shape,
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear", return_sequences=True), Head(1, distributed=True)), [[[1.0], [1.0]]]
    ),
)
def _(network: Network) -> bool:
    return network.head is not None and network.head.distributed and network.T is None


@_leaving_nothing
def _open_mask(keras: Any) -> None:
    import tensorflow as tf

    distributed = keras.layers.TimeDistributed(keras.layers.Dense(1))
    model = keras.Sequential([keras.Input((2, 1)), keras.layers.Masking(), distributed])
    try:
        tf.function(model, input_signature=[tf.TensorSpec((None, 2, 1))])(np.ones((1, 2, 1), "float32"))
    except TypeError as error:
        raise AssertionError(f"1 sample of 2 steps: expected an output, got {type(error).__name__}") from error


@_divergence(
    name="time-distributed-open-mask",
    says="TimeDistributed of masked inputs, in a compiled function whose number of samples or steps is open, raises "
    "OperatorNotAllowedInGraphError",
    instead="leave TimeDistributed out: Dense works on every step by itself",
    silent=False,
    since="3.4.1",
    until="3.9.2",
    ways=("keras-graph",),
    demonstration=_open_mask,
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear", return_sequences=True), Head(1, distributed=True), source="masking", T=2),
        [[[1.0], [1.0]]],
    ),
)
def _(network: Network) -> bool:
    distributed = network.head is not None and network.head.distributed
    return distributed and network.masked and (network.T is None or network.N is None)


@_leaving_nothing
def _return_state(keras: Any) -> None:
    layer = keras.layers.Bidirectional(_adding(keras, return_state=True))
    try:
        layer(keras.Input((1, 1)))
    except TypeError as error:
        raise AssertionError(f"in a model: expected an output and two states, got {type(error).__name__}") from error


@_divergence(
    name="bidirectional-return-state",
    says="Bidirectional with return_state=True raises TypeError in a model",
    instead="call two layers yourself",
    silent=False,
    until="3.2.0",
    report="https://github.com/keras-team/keras/issues/19328",
    demonstration=_return_state,
    smallest=lambda: _counting(Network(1, Bidirectional(Layer(1, "linear", return_state=True))), [[[1.0]]]),
)
def _(network: Network) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.return_state for layer in network.layers)


@_divergence(
    name="stateful-mixed",
    says="a stateful layer under a mixed policy raises ValueError",
    instead="return the states, and pass them as initial_state",
    silent=False,
    until="3.8.0",
    smallest=lambda: _counting(Network(1, Layer(1, "linear", stateful=True), dtype="mixed_float16", N=1), [[[1.0]]]),
)
def _(network: Network) -> bool:
    return network.stateful and network.compute_dtype != network.variable_dtype


@_divergence(
    name="bidirectional-stateful-return-state",
    says="Bidirectional with stateful=True and return_state=True raises TypeError",
    instead="read the states from forward_layer.states and backward_layer.states",
    silent=False,
    since="3.2.0",
    smallest=lambda: _counting(
        Network(1, Bidirectional(Layer(1, "linear", stateful=True, return_state=True)), N=1), [[[1.0]]]
    ),
)
def _(network: Network) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.stateful and layer.return_state for layer in network.layers)


@_divergence(
    name="single-cell-mask",
    says="RNN([cell]) of a single cell raises ValueError when there is a mask",
    instead="write RNN(cell)",
    silent=False,
    smallest=lambda: _counting(Network(1, Layer((1,), "linear"), source="masking"), [[[1.0]]]),
)
def _(network: Network) -> bool:
    return network.masked and any(
        layer.units == layer.cells[:1] and not layer.unroll and not layer.initial_state for layer in _layers(network)
    )


@_leaving_nothing
def _predicts_nothing(keras: Any) -> None:
    model = keras.Sequential([keras.Input((1, 1)), _adding(keras)])
    try:
        model.predict(np.zeros((0, 1, 1)), verbose=0)
    except UnboundLocalError as error:
        raise AssertionError(f"no samples: expected no outputs, got {type(error).__name__}") from error


@_divergence(
    name="predict-of-nothing",
    says="model.predict raises UnboundLocalError when there are no samples, where model(x) gives no outputs",
    instead="call model(x), or leave out batches that are empty",
    silent=False,
    ways=("keras-predict",),
    demonstration=_predicts_nothing,
    smallest=lambda: _counting(Network(1, Layer(1, "linear")), np.zeros((0, 1, 1))),
    in_case=lambda case: any(call.N == 0 for call in case.calls),
)
def _(network: Network) -> bool:
    return False  # a matter of cases


@_leaving_nothing
def _doubles_states(keras: Any) -> None:
    forward = keras.layers.RNN([keras.layers.SimpleRNNCell(1), keras.layers.SimpleRNNCell(1)], return_state=True)
    layer = keras.layers.Bidirectional(forward, backward_layer=_adding(keras, return_state=True, go_backwards=True))
    _expect("an output, 2 states and 1", 4, len(layer(keras.Input((1, 1)))))


@_divergence(
    name="bidirectional-doubles-states",
    says="a model takes a Bidirectional with return_state=True to return as many states backward as forward: it leaves "
    "some out, or raises, where the numbers of cells differ",
    instead="give both directions as many cells, or call two layers yourself",
    silent=False,
    since="3.2.0",
    demonstration=_doubles_states,
    smallest=lambda: _counting(
        Network(1, Bidirectional(Layer((1, 1), "linear", return_state=True), Layer(1, "linear", return_state=True))),
        [[[1.0]]],
    ),
)
def _(network: Network) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.return_state and _uneven(layer) for layer in network.layers)


def _uneven(layer: Bidirectional) -> bool:
    return len({len(direction.cells) for direction in layer.directions}) > 1


@_divergence(
    name="bidirectional-halves-states",
    says="Bidirectional gives half of its initial_state to each direction, whatever number of cells they have, and "
    "raises where it is not the same",
    instead="give both directions as many cells, or call two layers yourself",
    silent=False,
    smallest=lambda: _counting(
        Network(1, Bidirectional(Layer((1, 1), "linear", initial_state=True), Layer(1, "linear", initial_state=True))),
        [[[1.0]]],
        states=(np.ones((1, 1)),) * 3,
    ),
)
def _(network: Network) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.initial_state and _uneven(layer) for layer in network.layers)


@_divergence(
    name="reset-of-stacked-cells",
    says="reset_state() of a stateful RNN([cells]) raises AttributeError, so that its state cannot be reset",
    instead="assign zeros to the variables in layer.states yourself",
    silent=False,
    smallest=lambda: _counting(Network(1, Layer((1, 1), "linear", stateful=True), N=1), [[[1.0]]], reset=True),
)
def _(network: Network) -> bool:
    return any(layer.stateful and isinstance(layer.units, tuple) for layer in _layers(network))


@_demonstrated(
    name="reset-state-as-documented",
    says="reset_state(states=...) and model.reset_state(), both of which RNN's docstring names, raise TypeError and "
    "AttributeError",
    instead="assign to the variables in layer.states, and call reset_state() of each stateful layer",
    silent=False,
    report="https://github.com/keras-team/keras/issues/20327",
)
def _(keras: Any) -> None:
    layer = _adding(keras, stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(1, 1, 1)), layer])
    try:
        layer.reset_state(states=[np.ones((1, 1))])
        model.reset_state()
    except (TypeError, AttributeError) as error:
        raise AssertionError(f"a reset: expected none to raise, got {type(error).__name__}") from error


@_demonstrated(
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


@_demonstrated(
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
