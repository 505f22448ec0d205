"""Keras as installed, run in the three ways in which people run it.

=================  ===================================  ==========================================================
``keras-call``     ``model(x)``                         eager: operation by operation
``keras-predict``  ``model.predict(x, verbose=0)``      Keras's own compiled loop over batches
``keras-graph``    ``model.stateless_call(weights, x)`` one ``tf.function`` for all weights and all ``N`` and ``T``
=================  ===================================  ==========================================================

All three show their states: they run ``Input(None, D) -> SimpleRNN(M, return_sequences=True) -> Dense(K)`` with the
outputs ``[h, y]``. What ties it to the model that users build is :meth:`KerasImplementation.last_outputs`, which runs
that one.

Importing this module is cheap; TensorFlow and Keras come with the first call of :func:`load`.
"""

from __future__ import annotations

import inspect
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import import_module, metadata
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import ACTIVATIONS, Activation
from ..arithmetic.precision import Precision
from ..cells.simple_rnn import SimpleRNN
from ..model.case import Case
from ..model.network import OPTIONS, POLICIES
from ..model.network_case import NetworkCase
from ..model.spec import Spec, size
from ..model.trajectory import NetworkTrajectory, Trajectory
from . import ImplementationError
from ._quiet import quiet_import
from .files import Model, assemble, plain_layers, read_file
from .keras_networks import build, graph
from .port import Supports

__all__ = ["KerasCall", "KerasGraph", "KerasImplementation", "KerasPredict", "build_simple_rnn", "load"]

#: Architectures whose models and graphs are kept; a graph takes about 1 MB.
KEPT = 64

#: From so many cases of one architecture on, packs go through ``tf.map_fn``. Measured on two CPU cores, in ms:
#: tracing and first run 70 for one case, 120 more for the map; then each case 0.4 to 0.8 alone, 0.1 to 0.2 in a pack of
#: 16 or more. ``tf.vectorized_map`` needs 0.02 to 0.06, but 800 to trace, and it rewrites the operations: what it
#: runs is not what people run.
MAPPED_FROM = 200


@cache
def load() -> tuple[Any, Any]:
    """Import TensorFlow and Keras, once and quietly.

    Returns
    -------
    tensorflow, keras : modules
        ``tensorflow`` is None where the user has chosen another backend (``KERAS_BACKEND``, ``keras.json``).

    Raises
    ------
    ImportError
        If one of them cannot be imported; the message says what to do.
    """
    wanted = "keras"
    with quiet_import():
        try:
            keras = import_module(wanted)
            if keras.config.backend() != "tensorflow":
                return None, keras
            wanted = "tensorflow"
            tf = import_module(wanted)
            tf.config.list_physical_devices()  # looks for a GPU, and complains where there is none
        except Exception as error:  # a broken build raises anything: AttributeError, TypeError, SystemError
            missing = getattr(error, "name", None) or wanted
            raise ImportError(
                f"the Keras implementations need keras and its backend, but importing {missing} failed "
                f"({type(error).__name__}: {error}); try `pip install --upgrade tensorflow keras`, or set "
                f"KERAS_BACKEND to a backend that is installed",
                name=missing,
            ) from error
    return tf, keras


def build_simple_rnn(
    T: int | None = 10,
    D: int = 3,
    M: int = 5,
    K: int = 2,
    *,
    N: int | None = None,
    head_activation: str | None = None,
    **options: Any,
) -> Any:
    """Build the plain Keras model ``Input(T, D) -> SimpleRNN(M) -> Dense(K)``, a ``keras.Sequential``.

    Parameters
    ----------
    T : int or None
        Time steps; None leaves them open.
    D, M, K : int
        Input features, hidden units, outputs. NumPy's whole numbers are welcome.
    N : int, optional
        A fixed number of samples, as ``stateful=True`` needs it.
    head_activation : str, optional
        Activation of the dense head; none by default.
    **options
        Arguments of ``keras.layers.SimpleRNN`` under Keras's names: ``activation``, ``use_bias``, ``return_sequences``,
        ``go_backwards``, ``unroll``, ... ``dtype`` holds for the whole model.

    Raises
    ------
    TypeError
        If an option is unknown (the message lists the known ones) or a size is no whole number.
    ValueError
        If a size is less than 1, or Keras refuses an option's value.
    ImportError
        If Keras cannot be imported.
    """
    _, keras = load()
    known = _options(keras)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(
            f"build_simple_rnn has no option {', '.join(map(repr, unknown))}: expected T, D, M, K, N, "
            f"head_activation, or one of SimpleRNN's {', '.join(known)}"
        )
    D, M, K = size("D", D), size("M", M), size("K", K)
    T, N = (None if value is None else size(letter, value) for letter, value in (("T", T), ("N", N)))
    rnn = keras.layers.SimpleRNN(M, **options)
    return keras.Sequential(
        [
            # the inputs keep the weights' precision: a narrower Input would round what a wider layer gets
            keras.Input((T, D), batch_size=N, dtype=rnn.variable_dtype),
            rnn,
            keras.layers.Dense(K, activation=head_activation, dtype=rnn.dtype_policy),
        ]
    )


def read_model(model: Any) -> Model:
    """Read architecture and weights off a Keras model, or a file that Keras saved.

    Parameters
    ----------
    model : keras.Model or path
        ``SimpleRNN -> Dense``, whatever the number of steps. A file is read as data, see :mod:`.files`: nothing in it
        is run.

    Returns
    -------
    spec, weights
        ``weights`` in the order of ``get_weights()``; a bias that the model does without is zeros.

    Raises
    ------
    ImplementationError
        If it is no such model, or the file cannot be read; the message says what was found.
    """
    if isinstance(model, (str, os.PathLike)):
        return read_file(model)
    layers = {type(each).__name__: each for each in getattr(model, "layers", ())}
    if not layers:
        raise ImplementationError(f"the model must be SimpleRNN -> Dense, and it is {type(model).__name__}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a lambda, which is refused in our own words
        rnn, dense = plain_layers({"class_name": type(model).__name__, "config": model.get_config()})
    # The functions themselves: another one may have the name of one of Keras's.
    own = [{**config, "activation": layers[kind].activation} for kind, config in (("SimpleRNN", rnn), ("Dense", dense))]
    return assemble(own[0], own[1], lambda kind: layers[kind].get_weights())


@cache
def _options(keras: Any) -> tuple[str, ...]:
    """Names of the options of SimpleRNN that leave it a layer with one output."""
    named = inspect.signature(keras.layers.SimpleRNN).parameters.values()
    own = [p.name for p in named if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("units", "return_state")]
    return (*own, "zero_output_for_mask", "dtype", "name", "trainable")


def keras_name(activation: Activation) -> str:
    known = ACTIVATIONS.get(activation.name)
    if known is None or known.function is not activation.function:
        raise NotImplementedError(
            f"Keras is run with its own activations only, and {activation.name!r} is none of them"
        )
    return activation.name


def _check(case: Case) -> None:
    """Refuse what Keras has no layer for."""
    if type(case.spec.cell) is not SimpleRNN:
        raise NotImplementedError(f"Keras is run with SimpleRNN only, not with the cell {case.spec.cell!r}")
    if case.h0 is not None and case.mask is not None and case.h0[~case.mask[:, 0]].any():
        raise NotImplementedError(
            "Keras does not show the state of a sample whose first step is masked: it puts out zeros there, "
            "while the state stays at h0"
        )


@lru_cache(maxsize=KEPT)
def _model(spec: Spec, every: bool, with_h0: bool, with_mask: bool) -> Any:
    """Build the model that shows its states, ``[h, y]`` of every step, or the users' own, ``y`` of the last step.

    Its inputs are x, or the list of x and those of h0 and mask that it has.
    """
    _, keras = load()
    model = build_simple_rnn(
        None,
        spec.D,
        spec.M,
        spec.K,
        activation=keras_name(spec.activation),
        head_activation=keras_name(spec.head_activation),
        return_sequences=every,
        dtype=spec.dtype,
    )
    inputs = model.inputs[0]
    rnn, dense = model.layers
    h, y = rnn.output, dense.output
    more = {}
    if with_h0:
        more["initial_state"] = keras.Input((spec.M,), dtype=spec.dtype)
    if with_mask:
        more["mask"] = keras.Input((None,), dtype="bool")
    if more:
        h = rnn(inputs, **more)
        y = dense(h)
        inputs = [inputs, *more.values()]
    elif not every:
        return model
    return keras.Model(inputs, [h, y] if every else y)


def _inputs(case: Case) -> Any:
    more = [a for a in (case.h0, case.mask) if a is not None]
    return [case.x, *more] if more else case.x


class KerasImplementation:
    """What the three ways have in common.

    They raise ``NotImplementedError`` for a case that Keras cannot run: another cell, an activation that is not
    Keras's, or an initial state that a masked first step hides.
    """

    name: ClassVar[str]
    dtypes: ClassVar[tuple[str, ...]] = tuple(POLICIES)

    @property
    def supports(self) -> Supports:
        """What the installed Keras can be asked: it has learned activations over the years."""
        _, keras = load()
        known = tuple(name for name in ACTIVATIONS if hasattr(keras.activations, name))
        return Supports(activations=known, dtypes=self.dtypes, initial_state=True, masks=True, options=OPTIONS)

    @property
    def precision(self) -> Precision | None:
        """None, that of the spec's dtype; on a GPU that is allowed to use TF32, :attr:`Precision.tf32`."""
        tf, _ = load()
        if _device(tf) == "gpu" and tf.config.experimental.tensor_float_32_execution_enabled():
            return Precision.tf32
        return None

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part, and the device: ``"cpu"`` or ``"gpu"``."""
        tf, keras = load()
        backend = keras.config.backend()
        device = {} if tf is None else {"device": _device(tf)}
        backend_version = tf.__version__ if tf is not None else _version(backend)
        return {"keras": keras.__version__, backend: backend_version, "numpy": np.__version__, **device}

    def run(self, case: Case | NetworkCase) -> Trajectory | NetworkTrajectory:
        """Run the model that shows its states, ``(N, T, M)``, or all layers of a network; outputs ``(N, T, K)``."""
        if isinstance(case, NetworkCase):
            return self._run_network(case)
        _check(case)
        states, outputs = self._answer(case, every=True)
        return Trajectory(outputs, states)

    def run_many(self, cases: Sequence[Case | NetworkCase]) -> list[Any]:
        """Run several cases, in the order given."""
        return [self.run(case) for case in cases]

    def last_outputs(self, case: Case) -> npt.NDArray[Any]:
        """Run the model that users build, without ``return_sequences``: outputs ``(N, K)`` of the last step."""
        _check(case)
        outputs: npt.NDArray[Any] = self._answer(case, every=False)
        return outputs

    def _answer(self, case: Case, every: bool) -> Any:
        raise NotImplementedError

    def _run_network(self, case: NetworkCase) -> NetworkTrajectory:
        _, keras = load()
        built = build(case.network)
        return built.run(case, lambda inputs: self._ask(built.model, inputs), keras.ops.convert_to_numpy)

    def _ask(self, model: Any, inputs: Any) -> Any:
        raise NotImplementedError

    def _loaded(self, case: Case, every: bool) -> Any:
        model = _model(case.spec, every, case.h0 is not None, case.mask is not None)
        model.set_weights(case.weights)
        return model

    def __repr__(self) -> str:
        return f"<{self.name}>"


def _device(tf: Any) -> str:
    return "gpu" if tf is not None and tf.config.get_visible_devices("GPU") else "cpu"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


class KerasCall(KerasImplementation):
    """``model(x)``: the layers called directly."""

    name = "keras-call"

    def _answer(self, case: Case, every: bool) -> Any:
        _, keras = load()
        return _to_numpy(keras, self._loaded(case, every)(_inputs(case)))

    def _ask(self, model: Any, inputs: Any) -> Any:
        return model(inputs)


class KerasPredict(KerasImplementation):
    """``model.predict(x, verbose=0)``: what the notebook does.

    ``predict`` rounds its inputs to ``keras.config.floatx()``, float32 unless the user has changed it, whatever the
    model's dtype; so float64 is not among what it supports, and raises ``NotImplementedError``.
    """

    name = "keras-predict"
    dtypes: ClassVar[tuple[str, ...]] = tuple(policy for policy in POLICIES if policy != "float64")

    def _answer(self, case: Case, every: bool) -> Any:
        _, keras = load()
        if keras.config.floatx() not in (case.spec.dtype, "float64"):
            raise NotImplementedError(
                f"model.predict rounds its inputs to keras.config.floatx(), {keras.config.floatx()}, "
                f"so that it cannot run a {case.spec.dtype} case as it is"
            )
        with _retracing():
            return self._loaded(case, every).predict(_inputs(case), verbose=0)

    def _ask(self, model: Any, inputs: Any) -> Any:
        with _retracing():
            # one batch: a stateful layer has one state for each of its samples
            samples = len(inputs[0] if isinstance(inputs, list) else inputs)
            return model.predict(inputs, batch_size=samples, verbose=0)


@contextmanager
def _retracing() -> Iterator[None]:
    """Trace on purpose: one function for each architecture is what the caches are for, and no reason for a warning."""
    logger = logging.getLogger("tensorflow")

    def other(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)


class KerasGraph(KerasImplementation):
    """A ``tf.function`` over ``model.stateless_call``, with the weights as arguments: traced once for each spec.

    Raises
    ------
    ImportError
        If Keras runs on another backend than TensorFlow, which has no ``tf.function``.
    """

    name = "keras-graph"

    def __init__(self) -> None:
        if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
            raise _no_graph(os.environ["KERAS_BACKEND"])

    def _run_network(self, case: NetworkCase) -> NetworkTrajectory:
        with _retracing():
            return graph(case.network)(case)

    def run_many(self, cases: Sequence[Case | NetworkCase]) -> list[Any]:
        """Run several cases, in the order given; those that share spec, N and T, and are many, in one call."""
        plain = [case for case in cases if isinstance(case, Case)]
        if len(plain) < len(cases):
            return super().run_many(cases)
        groups: dict[Any, list[int]] = {}
        for i, case in enumerate(plain):
            _check(case)
            key = case.spec, case.h0 is not None, case.mask is not None, case.N, case.T
            groups.setdefault(key, []).append(i)
        answers: dict[int, Trajectory] = {}
        for (spec, with_h0, with_mask, _, _), members in groups.items():
            graph = _graph(spec, True, with_h0, with_mask)
            results = graph.many([_arguments(plain[i]) for i in members])
            answers.update((i, Trajectory(y, h)) for i, (h, y) in zip(members, results, strict=True))
        return [answers[i] for i in range(len(plain))]

    def _answer(self, case: Case, every: bool) -> Any:
        graph = _graph(case.spec, every, case.h0 is not None, case.mask is not None)
        result = graph.single(_arguments(case))
        return result if every else result[0]


def _no_graph(backend: str) -> ImportError:
    return ImportError(
        f"keras-graph needs Keras on TensorFlow, and Keras runs on {backend} here: "
        f"use keras-call or keras-predict, or set KERAS_BACKEND=tensorflow"
    )


def _arguments(case: Case) -> list[npt.NDArray[Any]]:
    """Weights and inputs, in the order of a graph's arguments."""
    return [*case.weights, *(a for a in (case.x, case.h0, case.mask) if a is not None)]


def _to_numpy(keras: Any, answer: Any) -> Any:
    if isinstance(answer, (list, tuple)):
        return [_to_numpy(keras, a) for a in answer]
    return keras.ops.convert_to_numpy(answer)


@lru_cache(maxsize=2 * KEPT)
def _graph(spec: Spec, every: bool, with_h0: bool, with_mask: bool) -> _Graph:
    return _Graph(_model(spec, every, with_h0, with_mask))


@dataclass
class _Graph:
    """The compiled forms of one model: for a single case, and for a pack of them. Traced when first used."""

    model: Any
    asked: int = 0
    one: Any = field(init=False)
    pack: Any = field(init=False)

    def __post_init__(self) -> None:
        tf, keras = load()
        if tf is None:
            raise _no_graph(keras.config.backend())
        model = self.model
        count = len(model.trainable_variables)
        # the seed of a dropout that is not used, but that stateless_call wants
        rest = [tf.constant(v.numpy()) for v in model.non_trainable_variables]

        def one(*arguments: Any) -> Any:
            inputs = arguments[count:]
            answer, _ = model.stateless_call(arguments[:count], rest, list(inputs) if len(inputs) > 1 else inputs[0])
            return tuple(answer) if isinstance(answer, (list, tuple)) else (answer,)

        def pack(*arguments: Any) -> Any:
            types = tuple(output.dtype for output in model.outputs)
            return tf.map_fn(lambda a: one(*a), arguments, fn_output_signature=types)

        variables = [*model.trainable_variables, *model.inputs]
        single = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
        stacked = [tf.TensorSpec((None, *v.shape), v.dtype) for v in variables]
        self.one = tf.function(one, input_signature=single, autograph=False)
        self.pack = tf.function(pack, input_signature=stacked, autograph=False)

    def single(self, arguments: Sequence[Any]) -> list[Any]:
        """Run one case; returns the model's outputs."""
        tf, _ = load()
        self.asked += 1
        with _retracing():
            return [a.numpy() for a in self.one(*map(tf.constant, arguments))]

    def many(self, packs: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Run several cases of equal shapes; returns the model's outputs of each."""
        tf, _ = load()
        if len(packs) == 1 or self.asked + len(packs) < MAPPED_FROM:
            return [self.single(arguments) for arguments in packs]
        self.asked += len(packs)
        with _retracing():
            answer = self.pack(*(tf.constant(np.stack(column)) for column in zip(*packs, strict=True)))
        columns = [a.numpy() for a in answer]
        return [[column[i] for column in columns] for i in range(len(packs))]
