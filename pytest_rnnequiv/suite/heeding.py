"""Keep the numbers of a case to those that a port takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..implementations.supports import Supports
from ..model.case import Case

__all__ = ["heeding"]


def heeding(case: Case, supports: Supports) -> Case:
    """Keep the numbers of a case, and its masks, to those that a port takes."""
    case = supports.padded(case)
    largest = supports.largest
    if largest is None and supports.nan:
        return case

    def taken(array: Any) -> Any:
        if array.dtype.kind in "bi":
            return array
        if not supports.nan:
            array = np.where(np.isnan(array), 0.0, array)
        return array if largest is None else np.clip(array, -largest, largest)

    within = case.map_calls(lambda call: call.replace(x=taken(call.x), states=tuple(map(taken, call.states))))
    return within.replace(weights=tuple(map(taken, case.weights)))
