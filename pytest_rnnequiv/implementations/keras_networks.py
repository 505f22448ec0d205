"""Networks in Keras: each part of a :class:`~..network.Network` as the layer that users would write for it.

The model shows everything: its outputs are those of every layer, the states that layers return, and the head's. What a
stateful layer keeps is read from its variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..model.network import Bidirectional, Head, Layer, Network
from ..model.network_case import Call, NetworkCase
from ..model.trajectory import NetworkTrajectory, ShownCall, ShownLayer

__all__ = ["Built", "build", "graph"]

#: Networks whose models and graphs are kept.
KEPT = 96


@dataclass(frozen=True, eq=False)
class Built:
    """A Keras model of a network.

    Attributes
    ----------
    network : Network
    model : keras.Model
        From x (and mask, and initial states) to the flat list of all that is shown.
    layers : list of keras.layers.Layer
        The recurrent layers, in order.
    """

    network: Network
    model: Any
    layers: list[Any]

    def inputs(self, call: Call) -> Any:
        """What the model is called with: x, or the list of x, mask and initial states."""
        return _one_or_all([call.x, *([] if call.mask is None else [call.mask]), *call.states])

    def state_variables(self, i: int) -> list[Any]:
        """The variables in which layer `i` keeps its states, of each direction and each cell."""
        layer = self.layers[i]
        directions = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else [layer]
        return [variable for each in directions for variable in _flat(each.states)]

    def reset(self) -> None:
        """Begin anew, as users do."""
        for layer, spec in zip(self.layers, self.network.layers, strict=True):
            if spec.stateful:
                layer.reset_state()

    def shown(self, flat: Sequence[Any], kept: dict[int, list[Any]]) -> ShownCall:
        """Sort the model's outputs; `kept` are the states that stateful layers have after the call."""
        given, layers = iter(flat), []
        for i, layer in enumerate(self.network.layers):
            two = isinstance(layer, Bidirectional) and layer.merge_mode is None
            output = (next(given), next(given)) if two else next(given)
            returned = [next(given) for each in layer.directions for _ in each.cells] if layer.return_state else None
            layers.append(ShownLayer(output, kept.get(i, returned)))
        return ShownCall(layers[-1].output if self.network.head is None else next(given), tuple(layers))

    def run(self, case: NetworkCase, ask: Callable[[Any], Sequence[Any]], to_numpy: Any) -> NetworkTrajectory:
        """Make the calls of a case one after the other; `ask` calls the model."""
        self.model.set_weights(list(case.weights))
        self.reset()
        calls = []
        for call in case.calls:
            if call.reset:
                self.reset()
            flat = [to_numpy(each) for each in _flat(ask(self.inputs(call)))]
            kept = {
                i: [to_numpy(variable) for variable in self.state_variables(i)]
                for i, layer in enumerate(self.network.layers)
                if layer.stateful
            }
            calls.append(self.shown(flat, kept))
        return NetworkTrajectory(tuple(calls))


def _one_or_all(inputs: list[Any]) -> Any:
    return inputs if len(inputs) > 1 else inputs[0]


def _flat(answer: Any) -> Iterator[Any]:
    if isinstance(answer, (list, tuple)):
        for each in answer:
            yield from _flat(each)
    else:
        yield answer


@lru_cache(maxsize=KEPT)
def build(network: Network) -> Built:
    """Build the model of a network.

    Raises
    ------
    NotImplementedError
        If an activation is not one of Keras's.
    """
    from .keras import load

    _, keras = load()
    shape = (network.T,) if network.embedded else (network.T, network.D)
    dtype = "int32" if network.embedded else network.variable_dtype
    x = keras.Input(shape, batch_size=network.N, dtype=dtype)
    inputs, more, layers, shown = [x], {}, [], []
    if network.source == "mask":
        inputs.append(keras.Input((network.T,), batch_size=network.N, dtype="bool"))
        more["mask"] = inputs[-1]
    if network.source == "masking":
        x = keras.layers.Masking(network.mask_value, dtype=network.dtype)(x)
    if network.embedded:
        masks = network.source == "embedding with mask"
        x = keras.layers.Embedding(network.vocabulary, network.D, mask_zero=masks, dtype=network.dtype)(x)
    for layer in network.layers:
        built = _wrapped(keras, layer, network.dtype)
        if layer.initial_state:
            states = [
                keras.Input((M,), batch_size=network.N, dtype=network.variable_dtype)
                for direction in layer.directions
                for M in direction.cells
            ]
            inputs += states
            more["initial_state"] = states
        answer = list(_flat(built(x, **more)))
        x, more = answer[0], {}
        layers.append(built)
        shown += answer
    if network.head is not None:
        shown.append(_dense(keras, network.head, network.dtype)(x))
    return Built(network, keras.Model(_one_or_all(inputs), shown), layers)


def _dense(keras: Any, head: Head, dtype: str) -> Any:
    from .keras import keras_name

    dense = keras.layers.Dense(
        head.K, activation=keras_name(head.activation), use_bias=head.use_bias, trainable=head.trainable, dtype=dtype
    )
    return keras.layers.TimeDistributed(dense, trainable=head.trainable, dtype=dtype) if head.distributed else dense


def _wrapped(keras: Any, layer: Layer | Bidirectional, dtype: str) -> Any:
    if isinstance(layer, Layer):
        return _recurrent(keras, layer, dtype)
    backward = None
    if layer.backward is not None:
        backward = _recurrent(keras, layer.backward.replace(go_backwards=True), dtype)
    forward = _recurrent(keras, layer.forward, dtype)
    return keras.layers.Bidirectional(
        forward, merge_mode=layer.merge_mode, backward_layer=backward, trainable=layer.trainable, dtype=dtype
    )


def _recurrent(keras: Any, layer: Layer, dtype: str) -> Any:
    from .keras import keras_name

    of_cell = {
        "activation": keras_name(layer.activation),
        "use_bias": layer.use_bias,
        "dropout": layer.dropout,
        "recurrent_dropout": layer.recurrent_dropout,
        "recurrent_initializer": "glorot_uniform",  # the default, orthogonal, has no kernel for bfloat16
        "dtype": dtype,
    }
    of_layer = {
        name: getattr(layer, name)
        for name in (
            "return_sequences",
            "return_state",
            "go_backwards",
            "stateful",
            "unroll",
            "zero_output_for_mask",
            "trainable",
        )
    }
    if isinstance(layer.units, int):
        if not layer.cell:
            return keras.layers.SimpleRNN(layer.units, **of_cell, **of_layer)
        cell = keras.layers.SimpleRNNCell(layer.units, **of_cell)
    else:
        cell = [keras.layers.SimpleRNNCell(M, **of_cell) for M in layer.units]
    return keras.layers.RNN(cell, **of_layer, dtype=dtype)


@lru_cache(maxsize=KEPT)
def graph(network: Network, jit: bool = False) -> Callable[[NetworkCase], NetworkTrajectory]:
    """Compile a network: one ``tf.function``, for all ``N`` and ``T`` that it leaves open.

    The weights are arguments of it. Those of a stateful network stay in their variables, since its states do too:
    ``stateless_call`` does not return them.
    """
    from .keras import load

    tf, keras = load()
    built = build(network)
    model = built.model

    def compiled(function: Callable[..., Any], variables: Sequence[Any]) -> Callable[..., Any]:
        signature = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
        traced = tf.function(function, input_signature=signature, autograph=False, jit_compile=jit or None)
        return lambda *arguments: traced(*(tf.cast(a, s.dtype) for a, s in zip(arguments, signature, strict=True)))

    if network.stateful:
        ask = compiled(lambda *inputs: list(_flat(model(_one_or_all(list(inputs))))), model.inputs)
        return lambda case: built.run(case, lambda inputs: ask(*_flat(inputs)), keras.ops.convert_to_numpy)

    index = {id(v): i for i, v in enumerate(model.weights)}
    # the seeds of dropouts that are not used, but that stateless_call wants
    seeds = {id(v): tf.constant(v.numpy()) for v in model.non_trainable_variables if id(v) not in index}

    def one(*arguments: Any) -> list[Any]:
        weights = {key: arguments[i] for key, i in index.items()} | seeds
        answer, _ = model.stateless_call(
            [weights[id(v)] for v in model.trainable_variables],
            [weights[id(v)] for v in model.non_trainable_variables],
            _one_or_all(list(arguments[len(index) :])),
        )
        return list(_flat(answer))

    function = compiled(one, [*model.weights, *model.inputs])

    def run(case: NetworkCase) -> NetworkTrajectory:
        answers = (function(*case.weights, *_flat(built.inputs(call))) for call in case.calls)
        return NetworkTrajectory(tuple(built.shown([a.numpy() for a in answer], {}) for answer in answers))

    return run
