"""The features of cases, by the names of the matrix that says which implementation computes what rightly.

Whatever a check judges counts for all features of its case. So no cell of the matrix is filled by hand: it holds what a
run has judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from .. import tally
from ..implementations.supports import Supports
from ..judging.verdict import Verdict
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import BEYOND_KERAS, Spec

__all__ = ["FEATURES", "count", "diverges", "features_of", "open_matrix"]

#: What the simplest case has too: a divergence is not about these.
PLAIN = ("SimpleRNN", "tanh", "float32", "T = 1", "N = 1", "open T", "open N")


def _option(name: str) -> Callable[[Supports], bool]:
    return lambda supports: name in supports.options


def _cell(name: str, **options: object) -> Callable[[Supports], bool]:
    def known(supports: Supports) -> bool:
        return any(
            cell.name == name and all(getattr(cell, key, None) == value for key, value in options.items())
            for cell in supports.kinds
        )

    return known


def _functions(*names: str) -> Callable[[Supports], bool]:
    return lambda supports: bool({*names} & {*supports.activations})


def _others(supports: Supports) -> bool:
    return bool({*supports.activations} - {"tanh", "relu", "sigmoid", "linear"})


def _dtype(*names: str) -> Callable[[Supports], bool]:
    return lambda supports: bool({*names} & {*supports.dtypes})


_HALVES = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")

#: The features in the order of the matrix, and whether an implementation that declares something is asked about each.
FEATURES: dict[str, Callable[[Supports], bool]] = {
    "SimpleRNN": _cell("SimpleRNN"),
    "GRU, reset after": _cell("GRU", reset_after=True),
    "GRU, reset before": _cell("GRU", reset_after=False),
    "LSTM": _cell("LSTM"),
    "backwards": _option("go_backwards"),
    "both directions": _option("bidirectional"),
    "several layers": _option("layers"),
    "masks or lengths": _option("mask"),
    "initial states": _option("initial_state"),
    "final states": _option("return_state"),
    "stateful": _option("stateful"),
    "unrolled": _option("unroll"),
    "embedding": _option("embedding"),
    "no bias": _option("use_bias"),
    "clip": _option("clip"),
    "peepholes": _option("peepholes"),
    "tanh": _functions("tanh"),
    "relu": _functions("relu"),
    "sigmoid": _functions("sigmoid"),
    "linear": _functions("linear"),
    "other activations": _others,
    "float32": _dtype("float32"),
    "float64": _dtype("float64"),
    "16 bits": _dtype(*_HALVES),
    "open T": lambda supports: not isinstance(supports.T, int),
    "fixed T": _option("T"),
    "open N": lambda supports: not isinstance(supports.N, int),
    "fixed N": _option("N"),
    "T = 1": lambda supports: supports.includes("T", 1),
    "N = 1": lambda supports: supports.includes("N", 1),
    "several calls": _option("stateful"),
    "NaN": lambda supports: supports.nan,
}


@lru_cache(maxsize=1024)
def _of_spec(spec: Spec) -> frozenset[str]:
    return frozenset(_named(spec))


def _named(spec: Spec) -> Iterator[str]:
    for layer in spec.directions:
        for kind in layer.kinds:
            reset_after = getattr(kind, "reset_after", None)
            yield kind.name if reset_after is None else f"{kind.name}, reset {'after' if reset_after else 'before'}"
        known = layer.activation.name in FEATURES
        yield layer.activation.name if known else "other activations"
        for option, name in _OPTIONS.items():
            if getattr(layer, option):
                yield name
        if not layer.use_bias:
            yield "no bias"
    for each in spec.layers:
        if isinstance(each, Bidirectional):
            yield "both directions"
        elif isinstance(each, RNN) and each.go_backwards:
            yield "backwards"
    if len(spec.layers) > 1:
        yield "several layers"
    yield from (option for option in BEYOND_KERAS if option in spec.options)
    if spec.masked:
        yield "masks or lengths"
    if spec.embedded:
        yield "embedding"
    yield "16 bits" if spec.dtype in _HALVES else spec.dtype
    yield "open T" if spec.T is None else "fixed T"
    yield "open N" if spec.N is None else "fixed N"


_OPTIONS = {
    "return_state": "final states",
    "initial_state": "initial states",
    "stateful": "stateful",
    "unroll": "unrolled",
}


def features_of(case: Case) -> frozenset[str]:
    """Name what a case has about it, of :data:`FEATURES`."""
    calls = case.calls
    more = {"T = 1": any(call.T == 1 for call in calls), "N = 1": any(call.N == 1 for call in calls)}
    more["several calls"] = len(calls) > 1
    more["NaN"] = any(call.x.dtype.kind == "f" and bool(np.isnan(call.x).any()) for call in calls)
    return (_of_spec(case.spec) | {name for name, there in more.items() if there}) & FEATURES.keys()


def open_matrix(supports: Supports) -> None:
    """Take note of what an implementation is asked about: what is not among it is not supported."""
    counted = tally.current()
    for name, asked in FEATURES.items():
        if asked(supports):
            counted.feature(name)


def count(case: Case, verdict: Verdict) -> None:
    """Count a case that was judged for each of its features."""
    counted = tally.current()
    for name in features_of(case):
        counted.feature(name, verdict.status, verdict.error_over_bound)


def diverges(case: Case | None, name: str) -> None:
    """Take note of a known divergence that was shown: for what its smallest case has beyond a plain one."""
    counted = tally.current()
    for each in counted.features.values():
        each.clear()
    about = features_of(case) - {*PLAIN} if case is not None else frozenset[str]()
    for feature in about:
        counted.feature(feature)
        counted.features[feature].known.append(name)
