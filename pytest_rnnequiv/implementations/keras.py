"""Keras as installed, run in the three ways in which people run it.

=================  ===================================  ==========================================================
``keras-call``     ``model(x)``                         eager: operation by operation
``keras-predict``  ``model.predict(x, verbose=0)``      Keras's own compiled loop over batches
``keras-graph``    ``model.stateless_call(weights, x)`` one ``tf.function`` for all weights and all ``N`` and ``T``
=================  ===================================  ==========================================================

All three show all that Keras can show: they run the model whose outputs are those of every layer, the states that
layers return, and the head's. The notebook's model is run with ``return_sequences=True``, so that its outputs are its
states. What ties it to the model that users build is :meth:`KerasImplementation.last_outputs`, which runs that one.

Importing this module is cheap; TensorFlow and Keras come with the first call of :func:`load`.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import metadata
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from .. import tally
from ..arithmetic.activations import ACTIVATIONS, activation
from ..arithmetic.precision import Precision
from ..cells import CELLS
from ..model.case import Case
from ..model.sizes import size
from ..model.spec import OPTIONS, POLICIES
from ..model.trajectory import Trajectory
from ._quiet import load
from .errors import ImplementationError
from .files.keras_config import Entry, chain, read
from .files.model import Model
from .keras_models import Built, build, graph, no_graph, one_or_all, retracing
from .supports import Supports
from .timeouts import FIRST_TIMEOUT

__all__ = [
    "KerasCall",
    "KerasGraph",
    "KerasImplementation",
    "KerasPredict",
    "build_gru",
    "build_lstm",
    "build_simple_rnn",
    "load",
    "read_model",
]


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
    return _plain_model("SimpleRNN", "build_simple_rnn", (T, D, M, K, N), head_activation, options)


def build_gru(
    T: int | None = 10,
    D: int = 3,
    M: int = 5,
    K: int = 2,
    *,
    N: int | None = None,
    head_activation: str | None = None,
    **options: Any,
) -> Any:
    """Build ``Input(T, D) -> GRU(M) -> Dense(K)``; all else is as for :func:`build_simple_rnn`."""
    return _plain_model("GRU", "build_gru", (T, D, M, K, N), head_activation, options)


def build_lstm(
    T: int | None = 10,
    D: int = 3,
    M: int = 5,
    K: int = 2,
    *,
    N: int | None = None,
    head_activation: str | None = None,
    **options: Any,
) -> Any:
    """Build ``Input(T, D) -> LSTM(M) -> Dense(K)``; all else is as for :func:`build_simple_rnn`."""
    return _plain_model("LSTM", "build_lstm", (T, D, M, K, N), head_activation, options)


def _plain_model(
    kind: str, builder: str, sizes: Sequence[Any], head_activation: str | None, options: dict[str, Any]
) -> Any:
    """Build the model of a layer and a head."""
    _, keras = load()
    layer = getattr(keras.layers, kind)
    known = _options(layer)
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(
            f"{builder} has no option {', '.join(map(repr, unknown))}: expected T, D, M, K, N, "
            f"head_activation, or one of {kind}'s {', '.join(known)}"
        )
    T, D, M, K, N = sizes
    D, M, K = size("D", D), size("M", M), size("K", K)
    T, N = (None if value is None else size(letter, value) for letter, value in (("T", T), ("N", N)))
    rnn = layer(M, **options)
    return keras.Sequential(
        [
            # the inputs keep the weights' precision: a narrower Input would round what a wider layer gets
            keras.Input((T, D), batch_size=N, dtype=rnn.variable_dtype),
            rnn,
            keras.layers.Dense(K, activation=head_activation, dtype=rnn.dtype_policy),
        ]
    )


def read_model(model: Any) -> Model:
    """Read architecture and weights off a Keras model.

    Parameters
    ----------
    model : keras.Model
        Recurrent layers and a head, as :func:`.files.read_model` has them of a file.

    Returns
    -------
    spec, weights
        ``weights`` in the order of ``get_weights()``.

    Raises
    ------
    ImplementationError
        If it is no such model; the message names the layer.
    """
    layers = {each.name: each for each in getattr(model, "layers", ())}
    if not layers:
        raise ImplementationError(f"the model must be a Keras model or the path of a file, not {type(model).__name__}")
    try:
        for layer in layers.values():
            _see_functions(layer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a lambda, which is refused in our own words
            entries = chain({"class_name": type(model).__name__, "config": model.get_config()})
        return read(entries, lambda entry: _layer_of(model, entry).get_weights())
    except ImplementationError as error:
        raise ImplementationError(f"the model {model.name} cannot be read: {error}") from None


def _layer_of(model: Any, entry: Entry) -> Any:
    for each in (*entry.within, entry):
        model = next(layer for layer in model.layers if layer.name == each.name)
    return model


#: Where a layer has others inside.
_INSIDE = ("cell", "cells", "layer", "layers", "forward_layer", "backward_layer")


def _see_functions(layer: Any) -> None:
    """See that activations are Keras's own: another function may have the name of one of them."""
    for name in ("activation", "recurrent_activation"):
        try:
            activation(getattr(layer, name, None))
        except ValueError as error:
            raise ImplementationError(f"its {layer.name}: {error}") from None
    inside = [getattr(layer, name, None) or () for name in _INSIDE]
    for each in (one for found in inside for one in (found if isinstance(found, (list, tuple)) else [found])):
        _see_functions(each)


@cache
def _options(layer: Any) -> tuple[str, ...]:
    """Names of the options of a recurrent layer that leave it one output."""
    named = inspect.signature(layer).parameters.values()
    own = [p.name for p in named if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("units", "return_state")]
    return (*own, "zero_output_for_mask", "dtype", "name", "trainable")


class KerasImplementation:
    """What the three ways have in common.

    They raise ``NotImplementedError`` for a case that Keras cannot run: another cell, an activation that is not
    Keras's, or an initial state that a masked first step hides.
    """

    name: ClassVar[str]
    #: What the newest Keras can be asked.
    declared: ClassVar[Supports] = Supports(
        cells=tuple(CELLS), activations=tuple(ACTIVATIONS), dtypes=tuple(POLICIES), options=OPTIONS
    )
    #: Any call may be the first of its model, which is built and traced in it: 10 s and more on a busy machine.
    timeout: ClassVar[float] = FIRST_TIMEOUT

    @property
    def supports(self) -> Supports:
        """What the installed Keras can be asked: it has learned activations over the years."""
        _, keras = load()
        known = tuple(name for name in ACTIVATIONS if hasattr(keras.activations, name))
        return replace(self.declared, activations=known)

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

    def run(self, case: Case) -> Trajectory:
        """Run the model that shows everything: of the notebook's, outputs and states of every step."""
        return with_states(case, self._run(self._showing_states(case), everything=True))

    def run_many(self, cases: Sequence[Case]) -> list[Any]:
        """Run several cases, in the order given."""
        return [self.run(case) for case in cases]

    def last_outputs(self, case: Case) -> npt.NDArray[Any]:
        """Run the model that users build, with no other outputs than its own: of the last step, ``(N, K)``."""
        self._refuse(case)
        outputs: npt.NDArray[Any] = self._run(case, everything=False).outputs
        return outputs

    def _showing_states(self, case: Case) -> Case:
        """The case of the model that shows its states."""
        self._refuse(case)
        return case.with_every_output()

    def _refuse(self, case: Case) -> None:
        """Refuse what Keras does not show of the notebook's model."""
        for call in case.calls if case.spec.plain else ():
            if call.states and call.mask is not None and any(h[~call.mask[:, 0]].any() for h in call.states):
                raise NotImplementedError(
                    "Keras does not show the state of a sample whose first step is masked: it puts out zeros there, "
                    "while the state stays at h0"
                )

    def _run(self, case: Case, everything: bool) -> Trajectory:
        built = build(case.spec, everything)
        return built.run(case, lambda entered: self._ask(built, entered))

    def _ask(self, built: Built, entered: list[Any]) -> Any:
        """Call a model."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.name}>"


def with_states(case: Case, shown: Trajectory) -> Trajectory:
    """Say of the notebook's model that the outputs of its layer are its states."""
    if not case.spec.plain:
        return shown
    # without the outputs of the layer, which are the same: what is shown twice is judged twice
    calls = [Trajectory(call.outputs, layer.output) for call in shown.each_call for layer in call.layers if layer]
    return Trajectory.of_calls(calls)


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

    def _ask(self, built: Built, entered: list[Any]) -> Any:
        return built.model(one_or_all(entered))


class KerasPredict(KerasImplementation):
    """``model.predict(x, verbose=0)``: what the notebook does.

    ``predict`` rounds its inputs to ``keras.config.floatx()``, float32 unless the user has changed it, whatever the
    model's dtype; so float64 is not among what it supports, and of the notebook's model it raises
    ``NotImplementedError``. Other models of float64 show it, as the known divergence that it is.
    """

    name = "keras-predict"
    declared = replace(KerasImplementation.declared, dtypes=tuple(policy for policy in POLICIES if policy != "float64"))

    def __init__(self) -> None:
        #: The shapes that each model was asked about.
        self._compiled = WeakKeyDictionary[Built, set[tuple[tuple[int, ...], ...]]]()

    def _refuse(self, case: Case) -> None:
        super()._refuse(case)
        _, keras = load()
        floatx, dtype = keras.config.floatx(), case.spec.variable_dtype
        if case.spec.plain and Precision.of(floatx).unit > Precision.of(dtype).unit:
            raise NotImplementedError(
                f"model.predict rounds its inputs to keras.config.floatx(), {floatx}, "
                f"so that it cannot run a {dtype} case as it is"
            )

    def _run(self, case: Case, everything: bool) -> Trajectory:
        with retracing():
            return super()._run(case, everything)

    def _ask(self, built: Built, entered: list[Any]) -> Any:
        # Keras compiles for each shape anew
        shapes = tuple(np.shape(each) for each in entered)
        new = shapes not in self._compiled.setdefault(built, set())
        self._compiled[built].add(shapes)
        # one batch: a stateful layer has one state for each of its samples
        with tally.spending("trace" if new else "run"):
            return built.model.predict(one_or_all(entered), batch_size=len(entered[0]), verbose=0)


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
            raise no_graph(os.environ["KERAS_BACKEND"])

    def run_many(self, cases: Sequence[Case]) -> list[Any]:
        """Run several cases, in the order given; those that share spec, N and T, and are many, in one call."""
        groups: dict[Any, list[int]] = {}
        for i, case in enumerate(cases):
            one = len(case.calls) == 1 and not case.spec.stateful
            key = (case.spec, case.calls[0].N, case.calls[0].T) if one else i
            groups.setdefault(key, []).append(i)
        answers: dict[int, Trajectory] = {}
        for members in groups.values():
            asked = [self._showing_states(cases[i]) for i in members]
            shown = graph(asked[0].spec).run_many(asked)
            answers.update((i, with_states(cases[i], each)) for i, each in zip(members, shown, strict=True))
        return [answers[i] for i in range(len(cases))]

    def _run(self, case: Case, everything: bool) -> Trajectory:
        return graph(case.spec, everything).run(case)
