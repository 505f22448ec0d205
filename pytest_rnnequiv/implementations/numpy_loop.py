"""The notebook's own loop, as an implementation: the recurrence in the numbers of the case."""

from __future__ import annotations

import numpy as np

from ..arithmetic.activations import ACTIVATIONS
from ..model.case import Case
from ..model.forward import reference
from ..model.network import OPTIONS
from ..model.network_case import NetworkCase
from ..model.trajectory import NetworkTrajectory, Trajectory
from .port import Supports

__all__ = ["NumpyLoop"]


class NumpyLoop:
    """NumPy's arithmetic, one step after the other. Useful to see the suite run without TensorFlow."""

    name = "numpy"
    supports = Supports(
        activations=tuple(ACTIVATIONS),
        dtypes=("float32", "float64"),
        initial_state=True,
        masks=True,
        options=OPTIONS,
    )

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {"numpy": np.__version__}

    def run(self, case: Case | NetworkCase) -> Trajectory | NetworkTrajectory:
        """Show outputs and states of every step; of a network, outputs and final states of every layer."""
        if isinstance(case, NetworkCase):
            return reference(case, case.network.compute_dtype)
        return reference(case, case.spec.dtype)
