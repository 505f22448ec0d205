"""What a right implementation of a declared arithmetic shows, as far as that can be computed without it.

Declared roundings are made as in exact arithmetic; at a tie, the middle of both outcomes is taken. The result is one of
the runs that an :class:`~.enclosure.Enclosure` contains. It stands for a right implementation where there is none to
ask.
"""

from __future__ import annotations

from typing import Any

from ..arithmetic.precision import Precision
from ..model.case import Case
from ..model.forward import reference, shown_by
from ..model.trajectory import ShownLayer, Trajectory
from .enclosure import Enclosure

__all__ = ["Nominal", "nominal"]


class Nominal(Enclosure):
    """The middle of an enclosure, as plain numbers."""

    def calls(self) -> Trajectory:
        """Make all calls."""
        return Trajectory.of_calls([_plain(call) for call in super().calls().each_call])


def nominal(case: Case, precision: Precision) -> Trajectory:
    """Return what a right implementation shows, with the outputs of every step and all states."""
    if not (precision.formats or precision.tables):
        return reference(case)
    return shown_by(Nominal(case.with_every_output(), precision).calls(), case)


def _plain(call: Trajectory) -> Trajectory:
    layers = (
        seen and ShownLayer(_values(seen.output), _values(seen.states), _values(seen.final_states))
        for seen in call.layers
    )
    return Trajectory(_values(call.outputs), layers=tuple(layers))


def _values(a: Any) -> Any:
    """The numbers without their bounds; of several arrays, those of each."""
    if a is None:
        return None
    return tuple(map(_values, a)) if isinstance(a, (tuple, list)) else a.closed().value
