"""A model that lies in a Keras file, run by Keras: built anew of what was read, since nothing in the file is run."""

from __future__ import annotations

import os

from ..model.case import Case
from ..model.spec import Spec
from ..model.trajectory import Trajectory
from .errors import ImplementationError
from .files import read_model
from .keras import KerasGraph

__all__ = ["KerasFile"]


class KerasFile:
    """The model of a file, whatever the weights of a case are."""

    first_timeout = 600.0

    def __init__(self, path: str) -> None:
        self.name = os.path.basename(path)
        self.model = self._spec, self._weights = read_model(path)
        self._keras = KerasGraph()

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
        if case.spec.plain == own.spec.plain and _shows_the_same(own.spec, case.spec):
            return shown
        return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])


def _shows_the_same(one: Spec, other: Spec) -> bool:
    """Whether what is shown of the layers of two specs has the same shapes."""

    def shown(spec: Spec) -> list[object]:
        return [(type(layer), layer.features, layer.return_sequences, layer.return_state) for layer in spec.layers]

    return shown(one) == shown(other) and [d.state_units for d in one.directions] == [
        d.state_units for d in other.directions
    ]
