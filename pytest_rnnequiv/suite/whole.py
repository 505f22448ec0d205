"""Ask a file that is to be a whole model, and judge what it puts out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import tally
from ..failures.whole import WholeModelError
from ..implementations.errors import Declined, ImplementationError
from ..implementations.port import Port
from ..implementations.whole_file import WholeFile, in_its_file
from ..judging.whole import judge_answer
from ..mistakes.whole import answered
from ..model.around import Unfollowed
from .failing import fail
from .registry import NotThisOne
from .verification import introduce

__all__ = ["verify_whole", "whole_inputs"]

Array = npt.NDArray[Any]


def _file(port: Port) -> WholeFile:
    file: WholeFile = port.runner.implementation
    return file


def whole_inputs(port: Port, seed: int, N: int, T: int, *, size: float, padded: bool) -> list[Array]:
    """Draw inputs of sizes that the file takes."""
    file = _file(port)
    return file.graph.drawn(np.random.default_rng(seed), file.N or N, file.steps(T), size, padded)


def verify_whole(port: Port, inputs: Sequence[Array]) -> None:
    """Judge what a file puts out for inputs of the whole model.

    Raises
    ------
    WholeModelError
        If it cannot come from a correct implementation of the model.
    """
    __tracebackhide__ = True
    introduce(port)
    file = _file(port)
    for rows in _batches(file, inputs):
        port.calls += 1
        try:
            judged = judge_answer(file.graph, rows, partial(file.ask, rows), port.precision, partial(file.show, rows))
            verdict = answered(file.graph, judged, port.precision)
        except ImplementationError as error:
            raise Declined(str(error)) from None
        except Unfollowed:
            raise NotThisOne from None
        tally.current().record(verdict)
        if verdict.different:
            fail(
                WholeModelError(
                    file.graph,
                    [judged.run],
                    verdict,
                    precision=port.precision,
                    name=port.name,
                    files=(port.made_of, port.identity),
                    facts=lambda: in_its_file(file),
                    judged=judged,
                )
            )


def _batches(file: WholeFile, inputs: Sequence[Array]) -> list[list[Array]]:
    """Split inputs into as many samples as the file takes at once; what is left over is left out."""
    count = len(inputs[0])
    step = file.N or min(count, 32)
    return [[x[first : first + step] for x in inputs] for first in range(0, count - step + 1, step)]
