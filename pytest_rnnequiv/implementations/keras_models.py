"""Specs as Keras models that show everything: how they are built, asked and compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from .. import tally
from ..model.call import Call
from ..model.case import Case
from ..model.spec import Spec
from ..model.trajectory import ShownLayer, Trajectory
from ._quiet import load
from .keras_layers import inputs, nest, parts, states_of

__all__ = ["MODELS_KEPT", "Built", "Graph", "build", "forget", "graph", "retracing"]

#: Specs whose models and graphs are kept; a graph takes about 1 MB.
MODELS_KEPT = 160

#: From so many cases of one spec on, packs go through ``tf.map_fn``. Measured on two CPU cores, in ms: tracing and
#: first run 70 for one case, 120 more for the map; then each case 0.4 to 0.8 alone, 0.1 to 0.2 in a pack of 16 or more.
#: ``tf.vectorized_map`` needs 0.02 to 0.06, but 800 to trace, and it rewrites the operations: what it runs is not what
#: people run.
MAPPED_FROM = 200


@dataclass(frozen=True, eq=False)
class Built:
    """A Keras model of a spec.

    Attributes
    ----------
    spec : Spec
    everything : bool
        Whether its outputs are all that can be shown; else they are what the model of the users gives.
    model : keras.Model
        From x (and mask, and initial states) to the flat list of its outputs.
    layers : list of keras.layers.Layer
        The recurrent layers, in order.
    """

    spec: Spec
    everything: bool
    model: Any
    layers: list[Any]

    def run(self, case: Case, ask: Callable[[list[Any]], Any], fill: bool = True) -> Trajectory:
        """Make the calls of a case one after the other, with its weights in the model; `ask` calls the model.

        Without `fill`, the model has its weights already.
        """
        _, keras = load()
        if fill:
            self.model.set_weights(list(case.weights))
        self.reset()
        calls = []
        for call in case.calls:
            if call.reset:
                self.reset()
            shown = [keras.ops.convert_to_numpy(each) for each in flat(ask(given(call)))]
            kept = {i: [keras.ops.convert_to_numpy(v) for v in self._kept(i)] for i in self._stateful}
            calls.append(self.trajectory(shown, kept))
        return Trajectory.of_calls(calls)

    def reset(self) -> None:
        """Begin anew, as users do."""
        for i in self._stateful:
            self.layers[i].reset_state()

    @cached_property
    def _stateful(self) -> list[int]:
        return [i for i, layer in enumerate(self.spec.layers) if layer.stateful]

    def _kept(self, i: int) -> list[Any]:
        """The variables in which a layer keeps its states, of each direction and each cell."""
        layer = self.layers[i]
        directions = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else [layer]
        return [variable for each in directions for variable in flat(each.states)]

    def trajectory(self, shown: Sequence[Any], kept: dict[int, list[Any]]) -> Trajectory:
        """Sort the model's outputs; `kept` are the states that stateful layers have after the call."""
        left, layers = iter(shown), []
        for i, layer in enumerate(self.spec.layers if self.everything else ()):
            two = getattr(layer, "merge_mode", "concat") is None
            output = (next(left), next(left)) if two else next(left)
            returned = (
                [next(left) for each in layer.directions for _ in each.state_units] if layer.return_state else None
            )
            layers.append(ShownLayer(output, final_states=kept.get(i, returned)))
        outputs = tuple(left) or (layers[-1].output,)
        return Trajectory(outputs if len(outputs) > 1 else outputs[0], layers=tuple(layers))


def given(call: Call) -> list[Any]:
    """What a call gives to the model, in the order of its inputs."""
    return [call.x, *([] if call.mask is None else [call.mask]), *call.states]


def one_or_all(entered: Sequence[Any]) -> Any:
    """What a model is called with: x alone, or the list of all its inputs."""
    return list(entered) if len(entered) > 1 else entered[0]


def flat(answer: Any) -> Iterator[Any]:
    """Yield all that a model or a layer gives."""
    if isinstance(answer, (list, tuple)):
        for each in answer:
            yield from flat(each)
    else:
        yield answer


def build(spec: Spec, everything: bool = True) -> Built:
    """Build the model of a spec, or return the one that there is.

    Parameters
    ----------
    everything : bool
        Whether it shows the outputs of all layers and the states that they return; else only what users get.

    Raises
    ------
    NotImplementedError
        If an activation is not one of Keras's, or a cell is not.
    """
    return _build(spec, everything)


@lru_cache(maxsize=MODELS_KEPT)
def _build(spec: Spec, everything: bool) -> Built:
    with tally.spending("build"):
        return _made(spec, everything)


def _made(spec: Spec, everything: bool) -> Built:
    described, states = parts(spec, spec.dtype), states_of(spec)
    _, keras = load()
    entered = {name: each.make(keras) for name, each in inputs(spec).items()}
    x, layers, shown = entered["x"], [], []
    for name, part in described.items():
        made, more = part.make(keras), {}
        if name == "layer0" and "mask" in entered:
            more["mask"] = entered["mask"]
        if states.get(name):
            more["initial_state"] = nest(states[name], entered.__getitem__)
        answer = list(flat(made(x, **more)))
        x = answer[0]
        if name in states:
            layers.append(made)
        if name in states or name == "head":
            last = answer
            shown += answer
    if not everything:
        shown = last[: 2 if spec.two_outputs else 1]
    return Built(spec, everything, keras.Model(one_or_all([*entered.values()]), shown), layers)


# ---- compiled ----


class Graph:
    """The compiled forms of one model: for a single call, and for a pack of cases. Traced when first used.

    One ``tf.function`` serves all weights, which are arguments of it, and all ``N`` and ``T`` that the spec leaves
    open. The weights of a stateful model stay in its variables, since its states do too: ``stateless_call`` does not
    return them.

    With `xla`, they are compiled by XLA, for each ``N`` and ``T`` anew.

    Raises
    ------
    ImportError
        If Keras runs on another backend than TensorFlow.
    """

    def __init__(self, built: Built, xla: bool = False) -> None:
        tf, keras = load()
        if tf is None:
            raise no_graph(keras.config.backend())
        self.built, self.tf = built, tf
        #: How many cases it was asked about.
        self.asked = 0
        #: Which of its forms were traced.
        self.traced = set[str]()
        model = built.model
        single, one = (model.inputs, self._called) if built.spec.stateful else self.function()
        types = tuple(output.dtype for output in model.outputs)

        def pack(*arguments: Any) -> Any:
            return tf.map_fn(lambda a: one(*a), arguments, fn_output_signature=types)

        def compiled(function: Any, *outer: int | None) -> Any:
            signature = [tf.TensorSpec((*outer, *v.shape), v.dtype) for v in single]
            return tf.function(function, input_signature=signature, autograph=False, jit_compile=xla or None)

        self.one, self.pack = compiled(one), compiled(pack, None)
        # NumPy has no bfloat16; up to Keras 3.4 an Input takes on the dtype that its first layer computes in
        self._entered = [partial(tf.cast, dtype=v.dtype) if v.dtype.endswith("16") else tf.constant for v in single]

    def _called(self, *arguments: Any) -> Any:
        return tuple(flat(self.built.model(one_or_all(arguments))))

    def function(self) -> tuple[list[Any], Callable[..., Any]]:
        """What the compiled function is given, weights before inputs, and the function."""
        model = self.built.model
        index = {id(v): i for i, v in enumerate(model.weights)}
        # the seeds of dropouts that are not used, but that stateless_call wants
        seeds = {id(v): self.tf.constant(v.numpy()) for v in model.non_trainable_variables if id(v) not in index}

        def one(*arguments: Any) -> Any:
            weights = {key: arguments[i] for key, i in index.items()} | seeds
            trainable, others = (
                [weights[id(v)] for v in variables]
                for variables in (model.trainable_variables, model.non_trainable_variables)
            )
            answer, _ = model.stateless_call(trainable, others, one_or_all(arguments[len(index) :]))
            return tuple(flat(answer))

        return [*model.weights, *model.inputs], one

    def run(self, case: Case) -> Trajectory:
        """Run one case."""
        self.asked += 1
        with retracing():
            if case.spec.stateful:
                return self.built.run(case, self._ask)
            calls = [self._ask([*case.weights, *given(call)]) for call in case.calls]
        return Trajectory.of_calls([self.built.trajectory([a.numpy() for a in shown], {}) for shown in calls])

    def run_many(self, cases: Sequence[Case]) -> list[Trajectory]:
        """Run several cases of one call each, of equal shapes; as a pack, where they are many."""
        if len(cases) == 1 or self.asked + len(cases) < MAPPED_FROM:
            return [self.run(case) for case in cases]
        self.asked += len(cases)
        arguments = ([*case.weights, *given(case.calls[0])] for case in cases)
        with retracing(), self._spending("pack"):
            shown = self.pack(*self._tensors([np.stack(column) for column in zip(*arguments, strict=True)]))
        columns = [a.numpy() for a in shown]
        return [self.built.trajectory([column[i] for column in columns], {}) for i in range(len(cases))]

    def _ask(self, arguments: Sequence[Any]) -> Any:
        with self._spending("one"):
            return self.one(*self._tensors(arguments))

    def _spending(self, form: str) -> tally.spending:
        """Charge the first call of a form, in which it is traced, to that."""
        new = form not in self.traced
        self.traced.add(form)
        return tally.spending("trace" if new else "run")

    def _tensors(self, arrays: Sequence[Any]) -> list[Any]:
        return [enter(array) for enter, array in zip(self._entered, arrays, strict=True)]


def graph(spec: Spec, everything: bool = True, xla: bool = False) -> Graph:
    """Compile the model of a spec, as :func:`build` builds it, or return the one that there is."""
    return _graph(spec, everything, xla)


@lru_cache(maxsize=MODELS_KEPT)
def _graph(spec: Spec, everything: bool, xla: bool) -> Graph:
    return Graph(_build(spec, everything), xla)


def forget() -> None:
    """Let go of all models and graphs."""
    _build.cache_clear()
    _graph.cache_clear()


def no_graph(backend: str) -> ImportError:
    """Say that another backend has no ``tf.function``."""
    return ImportError(
        f"keras-graph needs Keras on TensorFlow, and Keras runs on {backend} here: "
        f"use keras-call or keras-predict, or set KERAS_BACKEND=tensorflow"
    )


@contextmanager
def retracing() -> Iterator[None]:
    """Trace on purpose: one function for each spec is what the caches are for, and no reason for a warning."""
    logger = logging.getLogger("tensorflow")

    def other(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)
