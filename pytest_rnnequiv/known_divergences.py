"""Where Keras itself is not the recurrence: the one home of what is known about that.

Each divergence says which networks it concerns, in which versions and ways of running Keras, what happens in one
sentence, what to do instead, and where it was reported. The suite steers around them everywhere (``concerning``), and
has one item for each that shows it by its smallest case: an expected failure, and a strict one, so that its repair is
noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .network import Bidirectional, Head, Layer, Network
from .network_case import Call, NetworkCase

__all__ = ["DIVERGENCES", "Divergence", "concerning"]

#: The ways to run Keras.
WAYS = ("keras-graph", "keras-call", "keras-predict")


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
        Network -> bool: whether it happens there.
    smallest : callable, optional
        The smallest case that shows it.
    demonstration : callable, optional
        What shows it where it is no matter of a case that is run: it is given the module ``keras``, and raises an
        AssertionError that says what was expected and what came.
    silent : bool
        Wrong values without a word; otherwise an exception.
    since : str
        The first version in which it was seen, of those that were tried.
    until : str, optional
        The first version that is right again.
    ways : tuple of str
        The ways to run Keras that have it.
    report : str, optional
        Where it was reported upstream.
    """

    name: str
    says: str
    instead: str
    concerns: Callable[[Network], bool]
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

    def __str__(self) -> str:
        return self.name


def _ordered(numbers: str) -> tuple[int, ...]:
    return tuple(int(part) for part in numbers.split(".") if part.isdigit())


def installed() -> str:
    """The version of Keras that would be imported; empty if there is none."""
    try:
        return version("keras")
    except PackageNotFoundError:
        return ""


def concerning(network: Network, way: str, keras: str | None = None) -> list[Divergence]:
    """Return the divergences that a network would meet, run in one of Keras's ways; none for other implementations."""
    keras = installed() if keras is None else keras
    return [each for each in DIVERGENCES if each.exists(way, keras) and each.concerns(network)]


DIVERGENCES: list[Divergence] = []


def _divergence(**what: object) -> Callable[[Callable[[Network], bool]], Callable[[Network], bool]]:
    def register(concerns: Callable[[Network], bool]) -> Callable[[Network], bool]:
        DIVERGENCES.append(Divergence(concerns=concerns, **what))  # type: ignore[arg-type]
        return concerns

    return register


def _counting(network: Network, x: object, **call: object) -> NetworkCase:
    """A case whose numbers one can follow: all weights are 1, biases 0, so that linear layers count and add."""
    shapes = network.weight_shapes
    weights = tuple(np.zeros(s) if name.endswith(("bh", "bo")) else np.ones(s) for name, s in shapes.items())
    return NetworkCase(network, weights, (Call(np.asarray(x), **call),))  # type: ignore[arg-type]


def _layers(network: Network) -> list[Layer]:
    return [direction for layer in network.layers for direction in layer.directions]


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
    instead="turn the outputs back with keras.ops.flip, or pass the mask of the next layer yourself",
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


@_divergence(
    name="time-distributed-open-steps",
    says="TimeDistributed in a compiled function whose number of steps is open puts out as many steps as there are "
    "samples",
    instead="give the model its number of steps, or leave TimeDistributed out: Dense works on every step by itself",
    ways=("keras-graph",),
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear", return_sequences=True), Head(1, distributed=True)), [[[1.0], [1.0]]]
    ),
)
def _(network: Network) -> bool:
    return network.head is not None and network.head.distributed and network.T is None


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


@_divergence(
    name="predict-rounds-inputs",
    says="model.predict rounds its inputs to keras.config.floatx(), float32 as a rule, in a float64 model too",
    instead="call model(x), or set keras.config.set_floatx('float64')",
    ways=("keras-predict",),
    smallest=lambda: _counting(Network(1, Layer(1, "linear"), dtype="float64"), [[[0.1]]]),
)
def _(network: Network) -> bool:
    return network.variable_dtype == "float64" and not network.embedded


@_divergence(
    name="masking-float64",
    ways=("keras-graph", "keras-call"),
    says="Masking in float64 compares with its mask_value rounded to float32: a value such as 0.1 masks nothing",
    instead="choose a mask_value that float32 has, such as 0 or -1",
    smallest=lambda: _counting(
        Network(1, Layer(1, "linear"), source="masking", mask_value=0.1, dtype="float64"), [[[1.0], [0.1]]]
    ),
)
def _(network: Network) -> bool:
    value = network.mask_value
    return network.source == "masking" and network.dtype == "float64" and float(np.float32(value)) != value


@_divergence(
    name="cells-float64",
    says="RNN([cells], dtype='float64') computes through float32, or raises, since the stack that it makes of the "
    "cells keeps the global dtype",
    instead="write RNN(StackedRNNCells(cells, dtype='float64'), dtype='float64')",
    smallest=lambda: _counting(Network(1, Layer((1, 1), "linear"), dtype="float64"), [[[0.1]]]),
)
def _(network: Network) -> bool:
    return network.dtype == "float64" and _stacked(network)


def _stacked(network: Network) -> bool:
    return any(isinstance(layer.units, tuple) for layer in _layers(network))


@_divergence(
    name="reset-of-stacked-cells",
    says="reset_state() of a stateful RNN([cells]) raises AttributeError, so that its state cannot be reset",
    instead="assign zeros to the variables in layer.states yourself",
    silent=False,
    smallest=lambda: _counting(Network(1, Layer((1, 1), "linear", stateful=True), N=1), [[[1.0]]]),
)
def _(network: Network) -> bool:
    return any(layer.stateful and isinstance(layer.units, tuple) for layer in _layers(network))


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


@_divergence(
    name="bidirectional-stateful-return-state",
    says="Bidirectional with stateful=True and return_state=True raises TypeError",
    instead="read the states from forward_layer.states and backward_layer.states",
    silent=False,
    smallest=lambda: _counting(
        Network(1, Bidirectional(Layer(1, "linear", stateful=True, return_state=True)), N=1), [[[1.0]]]
    ),
)
def _(network: Network) -> bool:
    return any(isinstance(layer, Bidirectional) and layer.stateful and layer.return_state for layer in network.layers)


@_divergence(
    name="bidirectional-different-units",
    says="Bidirectional with a backward_layer of other units tells the layers above a wrong size: they raise",
    instead="give both directions as many units, or join the outputs of two layers yourself",
    silent=False,
    report="https://github.com/keras-team/keras/issues/23688",
    smallest=lambda: _counting(Network(1, Bidirectional(Layer(1, "linear"), Layer(2, "linear")), Head(1)), [[[1.0]]]),
)
def _(network: Network) -> bool:
    last = len(network.layers) - (network.head is None)
    return any(
        isinstance(layer, Bidirectional) and len({d.features for d in layer.directions}) > 1
        for layer in network.layers[:last]
    )


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
    return any(
        isinstance(layer, Bidirectional) and layer.initial_state and len({len(d.cells) for d in layer.directions}) > 1
        for layer in network.layers
    )
