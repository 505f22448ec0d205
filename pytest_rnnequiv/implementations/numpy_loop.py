"""The notebook's own loop, as an implementation: the recurrence in the numbers of the case."""

from __future__ import annotations

from ..case import Case
from ..recurrence import reference
from ..trajectory import Trajectory

__all__ = ["NumpyLoop"]


class NumpyLoop:
    """NumPy's arithmetic, one step after the other. Useful to see the suite run without TensorFlow."""

    name = "numpy"

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        import numpy as np

        return {"numpy": np.__version__}

    def run(self, case: Case) -> Trajectory:
        """Show outputs and states of every step."""
        return reference(case, case.spec.dtype)
