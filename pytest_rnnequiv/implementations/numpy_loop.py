"""The notebook's own loop, as an implementation: the recurrence in the numbers of the case."""

from __future__ import annotations

import numpy as np

from ..arithmetic.activations import ACTIVATIONS
from ..arithmetic.parametrised import EXAMPLES
from ..cells import CELLS
from ..model.case import Case
from ..model.forward import reference
from ..model.spec import BEYOND_KERAS, OPTIONS
from ..model.trajectory import Trajectory
from .supports import Supports

__all__ = ["NumpyLoop"]


class NumpyLoop:
    """NumPy's arithmetic, one step after the other. Useful to see the suite run without TensorFlow."""

    name = "numpy"
    supports = Supports(
        cells=tuple(CELLS),
        activations=(*ACTIVATIONS, *EXAMPLES),
        dtypes=("float32", "float64"),
        options=(*OPTIONS, *BEYOND_KERAS),
    )

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {"numpy": np.__version__}

    def run(self, case: Case) -> Trajectory:
        """Show outputs and states of every step, and of each layer its output."""
        return reference(case, case.spec.compute_dtype)
