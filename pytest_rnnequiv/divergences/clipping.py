"""Where the clip of an LSTM node of ONNX meets its cell state: what two runtimes leave out."""

from __future__ import annotations

import numpy as np

from ..cells.lstm import ClippedBeforeCellState
from ..model.case import Case
from ..model.forward import reference
from ..model.layers import LSTM
from ..model.spec import Spec
from .table import counting

__all__ = ["clip_reaches_cell_state", "clipped_lstm"]


def clipped_lstm() -> Case:
    """Return the smallest case: i = f = g = o = 1.5, so that c = 1.5 * 1.5 is beyond the clip."""
    return counting(Spec(1, LSTM(1, "relu", recurrent_activation="relu", clip=1.5)), [[[2.0]]])


def clip_reaches_cell_state(case: Case) -> bool:
    """Whether it makes a difference that a cell state is clipped where the output is made of it."""
    spec = case.spec
    for place in spec.places:
        direction = spec.direction(place)
        kinds = list(direction.kinds)
        if kinds[place.cell].name != "LSTM" or kinds[place.cell].clip is None:
            continue
        kinds[place.cell] = ClippedBeforeCellState(**vars(kinds[place.cell]))
        spec = spec.with_direction(place, cell=tuple(kinds) if isinstance(direction.units, tuple) else kinds[0])
    if spec is case.spec:
        return False
    one, other = (dict(reference(each).numbers()) for each in (case, case.under(spec)))
    return not all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
