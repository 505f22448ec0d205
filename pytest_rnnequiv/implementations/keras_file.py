"""A model that lies in a Keras file, run by Keras: built anew of what was read, since nothing in the file is run."""

from __future__ import annotations

import os

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.trajectory import Trajectory
from .errors import ImplementationError
from .files import Part, read_model
from .files.model import shows_the_same
from .keras import KerasGraph

__all__ = ["KerasFile"]


class KerasFile:
    """The model of a file, whatever the weights of a case are."""

    first_timeout = 600.0

    def __init__(self, path: str, part: Part = "whole") -> None:
        self.name = os.path.basename(path)
        self.model = self._spec, self._weights = read_model(path, part)
        self._keras = KerasGraph()

    @property
    def precision(self) -> Precision | None:
        """That of Keras as it runs here."""
        return self._keras.precision

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part."""
        return self._keras.versions()

    def run(self, case: Case) -> Trajectory:
        """Run the file's model on the inputs of a case."""
        try:
            own = Case(self._spec, weights=self._weights, calls=case.calls)
        except (TypeError, ValueError) as error:
            raise ImplementationError(f"{self.name} is {self._spec}, and does not take these inputs: {error}") from None
        shown = self._keras.run(own)
        if shows_the_same(own.spec, case.spec):
            return shown
        return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])
