"""The NumPy recurrence, as one would write it on a blackboard."""

from __future__ import annotations

from typing import Any

import numpy as np

from .case import Case
from .cells import CellWeights
from .trajectory import Trajectory

__all__ = ["reference"]


def reference(case: Case, dtype: Any = np.float64) -> Trajectory:
    """Compute the recurrence, step by step.

        h_t = act(x_t Wx + h_{t-1} Wh + bh)
        y_t = h_t Wo + bo

    Parameters
    ----------
    case : Case
    dtype : dtype
        The numbers to compute in; float64 by default, whatever the case's own dtype is.

    Returns
    -------
    Trajectory
        ``outputs (N, T, K)`` and ``states (N, T, M)`` of every step.
    """
    spec = case.spec
    states = np.empty((case.N, case.T, case.M), dtype)
    outputs = np.empty((case.N, case.T, case.K), dtype)
    with np.errstate(all="ignore"):  # saturation, overflow and NaN are answers here, not accidents
        x, Wo, bo = (a.astype(dtype) for a in (case.x, case.Wo, case.bo))
        w = CellWeights(*(a.astype(dtype) for a in case.cell_weights))
        h = np.zeros((case.N, case.M), dtype) if case.h0 is None else case.h0.astype(dtype)
        for t in range(case.T):
            new = spec.cell.step(x[:, t], h, w, spec.activation)
            h = new if case.mask is None else np.where(case.mask[:, t, None], new, h)
            states[:, t] = h
            outputs[:, t] = spec.head_activation(spec.cell.readout(h, spec.activation) @ Wo + bo)
    return Trajectory(outputs, states)
