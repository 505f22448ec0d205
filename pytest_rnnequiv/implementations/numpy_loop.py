"""The notebook's own loop, as an implementation: the recurrence in the numbers of the case."""

from __future__ import annotations

import numpy as np

from ..activations import ACTIVATIONS
from ..case import Case
from ..recurrence import reference
from ..trajectory import Trajectory
from .port import Supports

__all__ = ["NumpyLoop"]


class NumpyLoop:
    """NumPy's arithmetic, one step after the other. Useful to see the suite run without TensorFlow."""

    name = "numpy"
    supports = Supports(activations=tuple(ACTIVATIONS), dtypes=("float32", "float64"), initial_state=True, masks=True)

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {"numpy": np.__version__}

    def run(self, case: Case) -> Trajectory:
        """Show outputs and states of every step."""
        return reference(case, case.spec.dtype)
