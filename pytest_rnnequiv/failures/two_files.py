"""Two model files: the first says what is right, and the second is run or read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import tally
from ..arithmetic.precision import Precision
from ..implementations.answering import PortFailure
from ..implementations.errors import MissingRuntime
from ..implementations.files import Model, read_model
from ..implementations.files.model import other_weights, shows_the_same
from ..implementations.port import Port
from ..implementations.registry import check_available
from ..implementations.resolving import resolve
from ..implementations.whole_file import WholeFile, in_its_file, numbers_lacking
from ..judging.whole import judge_answer
from ..mistakes.whole import answered
from ..model.call import Call
from ..model.case import Case
from ..model.forward import reference
from ..model.graph import Graph
from ..model.spec import Spec
from ..model.trajectory import BadAnswer, Trajectory
from .whole import WholeModelError

__all__ = ["answers", "assert_whole"]

#: Samples and steps of the inputs.
SIZES = ((3, 5), (2, 1), (2, 24))

#: Files that hold weights only; the other file says the rest.
WEIGHTS_ONLY = (".pt", ".pth", ".safetensors")

#: Files that are run, where that is possible: what they say is a matter of the runtime too.
RUN = (".onnx", ".tflite")


def answers(
    model: Model, expected: str, actual: str
) -> Iterator[tuple[Case, Callable[[], Any], Precision | None, str]]:
    """Yield cases of the model in the first file, what asks the second for its answer, its arithmetic and its name.

    Raises
    ------
    ImplementationError
        If the second can neither be read nor run.
    """
    port = _runner(actual)
    own = read_model(actual) if port is None else port.fixed
    if own is not None:
        model, own = _completed(expected, model, actual, own)
    (spec, weights), name = model, os.path.basename(actual) + (", as it was read," if port is None else "")
    if own is not None and own[0] != spec:
        name = f"{name.rstrip(',')}, which is {own[0]},"
    if own is not None and (others := other_weights(model, own)):
        name = (
            f"{name.rstrip(',')}, whose {' and '.join(others)} {'has' if len(others) == 1 else 'have'} other numbers,"
        )
    if port is not None and port.says:
        name = f"{name.rstrip(',')}, in which {' and '.join(port.says)},"
    elif own is None and (absent := numbers_lacking(expected, actual)):
        name = f"{name}, which has not the numbers of the kernel of {' and '.join(absent)},"
    for seed, sizes in enumerate(SIZES):
        case = Case(spec, weights=weights, calls=(_inputs(spec, seed, *_sizes(spec, port, *sizes)),))
        yield case, _asking(case, own, port, name), None if port is None else port.precision, name


def assert_whole(graph: Graph, expected: str, actual: str, precision: Precision | None = None) -> None:
    """Judge the second file as the whole model in the first.

    Raises
    ------
    WholeModelError
        If the second is another model.
    ImplementationError
        If it cannot be run.
    """
    __tracebackhide__ = True
    file = WholeFile(actual, graph)
    p = precision or file.precision
    for seed, (N, T) in enumerate(SIZES):
        inputs = graph.drawn(np.random.default_rng(seed), file.N or N, file.steps(max(T, 5)), padded=bool(seed))
        judged = judge_answer(graph, inputs, partial(file.ask, inputs), p, partial(file.show, inputs))
        verdict = answered(graph, judged, p)
        tally.current().record(verdict)
        if verdict.different:
            files = (expected, actual)
            raise WholeModelError(
                graph,
                [judged.run],
                verdict,
                precision=p,
                name=file.name,
                files=files,
                facts=lambda: in_its_file(file),
                judged=judged,
            )


def _sizes(spec: Spec, port: Port | None, *sizes: int) -> Iterator[int]:
    """Yield samples and steps that both models take, as near to those that are wanted as they allow."""
    for letter, wanted in zip("NT", sizes, strict=True):
        low, high = (1, 10**6) if port is None else port.supports.range(letter, 1, 10**6)
        yield getattr(spec, letter) or min(max(wanted, low), high)


def _asking(case: Case, own: Model | None, port: Port | None, name: str) -> Callable[[], Any]:
    def ask() -> Any:
        try:
            if port is not None:
                return port.run(case)
            assert own is not None
            theirs = Case(own[0], weights=own[1], calls=case.calls)
        except (ValueError, PortFailure) as error:
            raise BadAnswer(f"{name.rstrip(',')} does not take the inputs of {case.spec}: {error}") from None
        shown = reference(theirs, own[0].compute_dtype)  # what the file says, by NumPy
        return shown if shows_the_same(own[0], case.spec) else Trajectory(shown.outputs)

    return ask


def _runner(file: str) -> Port | None:
    """Return what runs a file, where it is one to be run and that is installed."""
    if not file.lower().endswith(RUN):
        return None
    try:
        check_available([file])
    except MissingRuntime:
        return None
    return resolve(file)


def _completed(expected: str, model: Model, actual: str, own: Model) -> tuple[Model, Model]:
    """Where a file tells no more than weights, let the other say the rest, if the weights are those of its layers."""
    (spec, weights), (other, others) = model, own
    alike = [w.shape for w in weights] == [w.shape for w in others] and [
        kind.name for layer in spec.directions for kind in layer.kinds
    ] == [kind.name for layer in other.directions for kind in layer.kinds]
    if alike and actual.lower().endswith(WEIGHTS_ONLY):
        return model, (spec, others)
    return ((other, weights), own) if alike and expected.lower().endswith(WEIGHTS_ONLY) else (model, own)


def _inputs(spec: Spec, seed: int, N: int, T: int) -> Call:
    """Return inputs without anything special in them; where there is a mask, rows end at different steps."""
    rng = np.random.default_rng(seed)
    mask: npt.NDArray[np.bool_] = np.arange(T) < T - np.arange(N)[:, None] % T
    if spec.embedded:
        x: Any = rng.integers(min(1, spec.vocabulary - 1), spec.vocabulary, (N, T))
        return Call(np.where(mask, x, 0))
    x = 1.3 * rng.standard_normal((N, T, spec.D))
    return Call(np.where(mask[..., None], x, spec.mask_value) if spec.source == "masking" else x)
