"""Show that the suite can fail: run it against every mistake of the catalogue.

A mistaken implementation takes the place of the one that is checked. It shows as much of itself (states, outputs of
every step, or of the last one), declares the same precision, and supports the same cases. So what slips through here
would slip through there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from .. import tally
from ..assertion import EquivalenceError
from ..case import Case
from ..diagnosis import telling_case
from ..implementations.port import Port
from ..mistakes import Mistake
from ..precision import Precision
from ..report.evidence import errors_in
from ..spec import Spec

__all__ = ["Mistaken", "catch", "visible"]


def visible(port: Port) -> str:
    """Find out what an implementation lets see, from one run: ``"states"``, ``"every output"`` or ``"last output"``."""
    spec, weights = port.fixed or (Spec(2, 3, 2), None)
    blank = Case(spec, np.zeros((1, 1, spec.D)), *(weights or (np.zeros(s) for s in spec.weight_shapes.values())))
    case = telling_case(blank, 0, port.any_weights, port.any_length)
    try:
        shown = port.run(case)
    except Exception:
        return "last output"  # it does not take this case; so much every implementation shows
    if shown.states is not None:
        return "states"
    return "every output" if np.ndim(shown.outputs) == 3 else "last output"


class Mistaken:
    """An implementation that makes a mistake, and is like another in all that it shows and declares."""

    def __init__(self, port: Port, mistake: Mistake, shows: str) -> None:
        self.mistake = mistake
        self.shows = shows
        self.name = port.name
        self.precision = port.precision
        self.supports = replace(port.supports, options=())  # these are mistakes in plain cases
        self.model = port.fixed

    def run(self, case: Case) -> Any:
        """Compute the mistaken case."""
        shown = self.mistake.run(case)
        if self.shows == "states":
            return shown
        return shown.outputs if self.shows == "every output" else np.asarray(shown.outputs)[:, -1]


def allowed(mistake: Mistake, port: Port) -> str:
    """Say why what is a mistake to others is none to this implementation; empty if it is one."""
    precision = port.precision or Precision.float32
    if mistake.name == "flushed-to-zero" and not precision.subnormals:
        return f"{precision.name} promises nothing below {precision.tiny:.2g}"
    if mistake.precision is not None and mistake.precision.unit <= precision.unit > Precision.float32.unit:
        return f"{precision.name} is what it declares"
    if mistake.name == "activation-tanh" and set(port.supports.activations) <= {"tanh"}:
        return "tanh is all that it supports"
    return ""


def catch(port: Port, mistake: Mistake, hunts: dict[str, Callable[..., None]]) -> None:
    """Run the checks, one after the other, until one of them catches the mistake.

    Parameters
    ----------
    port : Port
        The implementation in whose place the mistaken one is put.
    mistake : Mistake
    hunts : dict
        The checks as functions of a port, by name; they stop at the first failure.

    Raises
    ------
    AssertionError
        If the mistake slips through all of them.
    """
    reason = allowed(mistake, port)
    if reason:
        pytest.skip(f"no mistake here: {reason}")
    counted = tally.current()
    counted.implementation = port.name
    counted.facts["mistake"] = mistake.name
    mistaken = Port(Mistaken(port, mistake, visible(port)))
    for name, hunt in hunts.items():
        try:
            hunt(port=mistaken)
        except pytest.skip.Exception:
            continue
        except Exception as error:
            found = next(errors_in(error), None)
            if found is None:
                raise
            _tell(counted, mistake, name, found)
            return
    raise AssertionError(
        f"{mistake.name} slipped through {counted.cases} cases, {counted.conclusive} of them conclusive: "
        f"an implementation {mistake.says} would pass"
    )


def _tell(counted: tally.Tally, mistake: Mistake, check: str, found: EquivalenceError) -> None:
    names = found.diagnosis.names
    counted.failures = 0  # it had to fail
    counted.worst_error_over_bound = 0.0
    counted.facts["caught after"] = str(counted.cases)
    counted.facts["by"] = check.removeprefix("test_")
    counted.facts["named"] = mistake.name if mistake.name in names else (names[0] if names else "-")
