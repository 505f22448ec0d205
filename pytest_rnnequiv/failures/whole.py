"""The failure of a whole model: of recurrent layers and of those round them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..judging.verdict import Verdict
from ..judging.whole import Judged, Run, first_case
from ..mistakes.diagnosis import Diagnosis
from ..mistakes.whole import explain_whole
from ..model.graph import Graph
from .assertion import EquivalenceError

__all__ = ["WholeModelError"]

Array = npt.NDArray[Any]


class WholeModelError(EquivalenceError):
    """What somebody made of a whole model is not that model.

    Its case is that of the first recurrent layer, with the inputs that come to it.

    Parameters
    ----------
    graph : Graph
    runs : sequence of Run
        What was asked and put out, the failing one first.
    files : (str, str)
        Of the model, and of what somebody made of it.
    facts : callable
        Tells what else is known, when somebody reads it.
    judged : Judged, optional
        The verdict on the first run, with what it comes of.
    """

    what = "the model"

    def __init__(
        self,
        graph: Graph,
        runs: Sequence[Run],
        verdict: Verdict,
        *,
        precision: Precision | None = None,
        name: str = "",
        files: tuple[str, str] = ("", ""),
        facts: Callable[[], tuple[str, ...]] = tuple,
        judged: Judged | None = None,
    ) -> None:
        self.graph, self.runs, self.files, self._judged = graph, tuple(runs), files, judged
        super().__init__(
            first_case(graph, runs[0].inputs, precision), verdict, self._explain, precision=precision, name=name
        )
        self._more = facts

    def _explain(self) -> Diagnosis:
        if self.verdict.place is None:
            return Diagnosis((), self.verdict.problem or "", probed=self._more)
        found = explain_whole(self.graph, self.runs, self.precision, self._judged)
        layers = ", ".join(name for name, _ in self.graph.layers())
        picture = "" if found else f"the model has the layers {layers}, and only its outputs are seen"
        return Diagnosis(found, picture, probed=self._known)

    def _known(self) -> tuple[str, ...]:
        asked = None if self._judged is None else self._judged.asked
        told = "" if asked is None else asked.told
        return (*([told] if told else []), *self._more())

    @property
    def called(self) -> str:
        """What was asked, and its size."""
        shapes = ", ".join(str(np.shape(x)) for x in self.runs[0].inputs)
        return f"{os.path.basename(self.files[0])}, on inputs of shape {shapes}"

    def _shown_alone(self) -> list[str]:
        return []

    def short_script(self) -> list[str]:
        """Return no lines: what was asked is a whole model, and lies in files."""
        return []

    def script(self, file: str | None = None) -> str:
        """Write what shows this failure: the two files beside each other."""
        model, made = self.files
        return "\n".join(
            [
                f'"""Shows that {os.path.basename(made)} is not the model {os.path.basename(model)}."""',
                "",
                "from pytest_rnnequiv import assert_equivalent",
                "",
                f"assert_equivalent({model!r}, {made!r})",
                "",
            ]
        )
