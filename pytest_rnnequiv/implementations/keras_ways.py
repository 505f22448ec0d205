"""More ways of running Keras: compiled by XLA, saved and loaded again, exported, on other backends.

==========================  =======================================================================================
``keras-xla``               the ``tf.function`` of ``keras-graph`` with ``jit_compile=True``
``keras-implementation-1``  ``model(x)``, GRU and LSTM with ``implementation=1``: a product for each gate
``keras-reloaded``          ``model.save("model.keras")``, ``keras.models.load_model``, ``model(x)``
``keras-h5``                the same by ``model.h5``
``keras-export``            ``model.export(folder)``, ``tf.saved_model.load(folder).serve(x)``
``keras-jax``, ...          ``model(x)`` on another backend
==========================  =======================================================================================

Each runs in a process of its own, since Keras has one backend in a process, and it is chosen before Keras is imported.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.spec import OPTIONS, Spec
from ..model.trajectory import Trajectory
from ._quiet import load
from .devices import ERROR_OF_CUDNN
from .keras import KerasCall, KerasGraph, KerasImplementation
from .keras_models import Built, build, flat, given, graph, one_or_all, retracing

__all__ = [
    "KerasExport",
    "KerasH5",
    "KerasImplementation1",
    "KerasJax",
    "KerasNumpy",
    "KerasReloaded",
    "KerasTorch",
    "KerasXla",
]

#: Exported models that are kept.
MODELS_KEPT = 32


class KerasXla(KerasGraph):
    """``tf.function(..., jit_compile=True)``: compiled by XLA anew for each number of samples and of steps."""

    name = "keras-xla"

    def run_many(self, cases: Sequence[Case]) -> list[Any]:
        """Run several cases, one after the other."""
        return [self.run(case) for case in cases]

    def _run(self, case: Case, everything: bool) -> Trajectory:
        return graph(case.spec, everything, xla=True).run(case)


class KerasImplementation1(KerasCall):
    """``model(x)`` of GRU and LSTM with ``implementation=1``; 2, the default, is what ``keras-call`` runs."""

    name = "keras-implementation-1"

    def _ask(self, built: Built, entered: list[Any]) -> Any:
        with _implementation(built, 1):
            return super()._ask(built, entered)


@contextmanager
def _implementation(built: Built, number: int) -> Iterator[None]:
    """Have the cells of a model compute in another way for a time; a model that is called eagerly heeds that."""
    cells = [cell for layer in built.layers for cell in _cells(layer) if hasattr(cell, "implementation")]
    before = [cell.implementation for cell in cells]
    try:
        for cell in cells:
            cell.implementation = number
        yield
    finally:
        for cell, kept in zip(cells, before, strict=True):
            cell.implementation = kept


def _cells(layer: Any) -> Iterator[Any]:
    if hasattr(layer, "forward_layer"):
        yield from (*_cells(layer.forward_layer), *_cells(layer.backward_layer))
    else:
        yield from getattr(layer.cell, "cells", [layer.cell])


class KerasReloaded(KerasCall):
    """``model(x)`` of what was saved with the weights of the case, and loaded again."""

    name = "keras-reloaded"
    suffix: ClassVar[str] = ".keras"

    def _run(self, case: Case, everything: bool) -> Trajectory:
        built = build(case.spec, everything)
        built.model.set_weights(list(case.weights))
        again = self._saved(built)
        return again.run(case, lambda entered: self._ask(again, entered), fill=False)

    def _saved(self, built: Built) -> Built:
        _, keras = load()
        with tempfile.TemporaryDirectory() as folder, _without_advice():
            file = os.path.join(folder, f"model{self.suffix}")
            built.model.save(file)
            model = keras.models.load_model(file, compile=False)
        return replace(built, model=model, layers=[model.get_layer(layer.name) for layer in built.layers])


@contextmanager
def _without_advice() -> Iterator[None]:
    """Leave out that HDF5 is the older format: here that is meant."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


class KerasH5(KerasReloaded):
    """The same in the older format, HDF5."""

    name = "keras-h5"
    suffix = ".h5"


class KerasExport(KerasImplementation):
    """``tf.saved_model.load(folder).serve(x)`` of ``model.export(folder)``.

    A model is exported once; the weights of a case are put into the variables of what was loaded. What is exported has
    no state between calls, so stateful layers are not asked about.
    """

    name = "keras-export"
    declared = replace(
        KerasImplementation.declared, options=tuple(option for option in OPTIONS if option != "stateful")
    )

    def _run(self, case: Case, everything: bool) -> Trajectory:
        built, served = _exported(case.spec, everything)
        with retracing():
            calls = []
            _fill(built, served, case)
            for call in case.calls:
                entered = [
                    np.asarray(each, dtype) for each, dtype in zip(given(call), _dtypes(built.model), strict=True)
                ]
                shown = [each.numpy() for each in flat(served.serve(one_or_all(entered)))]
                calls.append(built.trajectory(shown, {}))
        return Trajectory.of_calls(calls)


def _fill(built: Built, served: Any, case: Case) -> None:
    """Put weights into the variables of what was loaded: those of the model, the seeds of dropouts among them."""
    places = {id(variable): i for i, variable in enumerate(built.model.variables)}
    if len(served.variables) != len(places):
        raise NotImplementedError(
            f"what was exported has {len(served.variables)} variables, and the model {len(places)}"
        )
    for own, weight in zip(built.model.weights, case.weights, strict=True):
        served.variables[places[id(own)]].assign(weight)


def _dtypes(model: Any) -> list[str]:
    return [each.dtype for each in model.inputs]


@lru_cache(maxsize=MODELS_KEPT)
def _exported(spec: Spec, everything: bool) -> tuple[Built, Any]:
    tf, _ = load()
    built = build(spec, everything)
    with tempfile.TemporaryDirectory() as folder, retracing():
        quiet = {"verbose": False} if "verbose" in signature(built.model.export).parameters else {}  # from Keras 3.8 on
        built.model.export(folder, **quiet)
        return built, tf.saved_model.load(folder)


# ---- other backends ----


class _OnBackend(KerasCall):
    """``model(x)`` on another backend than TensorFlow.

    Raises
    ------
    ImportError
        If Keras has been imported here already, on yet another one.
    """

    backend: ClassVar[str]

    def __init__(self) -> None:
        os.environ["KERAS_BACKEND"] = self.backend
        _, keras = load()
        if keras.config.backend() != self.backend:
            raise ImportError(f"{self.name} needs a process of its own: Keras runs on {keras.config.backend()} here")

    #: On a card, where the backend uses it: products may be in TF32, and LSTM and GRU are cuDNN's.
    on_card: ClassVar[Precision] = Precision.tf32.with_activation_error(ERROR_OF_CUDNN)

    def device(self) -> str:
        """Name the card that the backend computes on; "cpu" where it uses none."""
        return "cpu"

    @property
    def precision(self) -> Precision | None:
        """None, that of the spec's dtype; on a card what is allowed there by default."""
        return None if self.device() == "cpu" else self.on_card

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part, and the device."""
        return {**super().versions(), "device": self.device()}


#: What Keras's other backends are asked: JAX computes float64 in float32 unless it is told otherwise, PyTorch some of
#: its products, and not all of them have the kernels of initializers in 16 bits.
_DECLARED = replace(KerasImplementation.declared, dtypes=("float32",))


class KerasJax(_OnBackend):
    """Keras on JAX."""

    name = "keras-jax"
    backend = "jax"
    declared = _DECLARED

    def device(self) -> str:
        """Name JAX's first device."""
        import jax

        return str(jax.devices()[0].device_kind)


class KerasTorch(_OnBackend):
    """Keras on PyTorch."""

    name = "keras-torch"
    backend = "torch"
    declared = _DECLARED

    def device(self) -> str:
        """Name the card, which Keras uses wherever PyTorch finds one."""
        import torch

        return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "cpu"


class KerasNumpy(_OnBackend):
    """Keras on NumPy; of JAX it uses the shapes only."""

    name = "keras-numpy"
    backend = "numpy"
    declared = _DECLARED
