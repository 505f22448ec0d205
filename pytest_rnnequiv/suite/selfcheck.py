"""Show that the suite can fail: run it against every mistake of the catalogue.

A mistaken implementation takes the place of the one that is checked. It shows as much of itself (states, layers,
outputs of every step, or of the last one), declares the same precision, and supports the same cases. So what slips
through here would slip through there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from .. import tally
from ..arithmetic.precision import Precision
from ..divergences.known import DIVERGENCES, installed
from ..failures.assertion import EquivalenceError
from ..failures.errors import errors_in
from ..implementations.port import Port
from ..judging.oracle import judge
from ..mistakes.activations import NAMESAKES
from ..mistakes.catalogue import EVERY, Mistake
from ..mistakes.diagnosis import telling_case
from ..model.case import Case
from ..model.layers import SimpleRNN
from ..model.spec import Spec
from ..model.trajectory import Trajectory
from .registry import NothingShown

__all__ = ["Mistaken", "catch", "visible"]


def visible(port: Port) -> str:
    """Find out what an implementation lets see, from one run: ``"states"``, ``"every output"`` or ``"last output"``."""
    spec, weights = port.fixed or (Spec.simple(2, 3, 2, cell=port.supports.kinds[0]), None)
    case = telling_case(_blank(spec, weights), 0, port.any_weights, port.any_length)
    try:
        shown = port.run(case)
    except Exception:
        return "last output"  # it does not take this case; so much every implementation shows
    if shown.shown_layers:
        return "states"
    return "every output" if np.ndim(shown.outputs) == 3 else "last output"


def _blank(spec: Spec, weights: Any = None) -> Case:
    """A case of zeros."""
    zeros = tuple(map(np.zeros, spec.weight_shapes.values()))
    return Case(spec, np.zeros((1, 1, spec.D)), weights=zeros if weights is None else weights)


def shows_layers(port: Port) -> bool:
    """Find out whether an implementation shows the layers of a model, from one run."""
    try:
        return bool(port.run(_blank(Spec(2, SimpleRNN(3)))).layers)
    except Exception:
        return False  # it does not take this case; so much every implementation shows


#: What computes as every mistake does, and makes none.
NONE = Mistake("none", "without a mistake", "", "")


class Mistaken:
    """An implementation that makes a mistake, and is like another in all that it shows and declares.

    Attributes
    ----------
    made : bool
        Whether there was a case in which the mistake shows: it moves a number, something can be told of the case, and
        it is none of 16 bits, whose rounding may move a number as far.
    """

    def __init__(self, port: Port, mistake: Mistake) -> None:
        self.mistake = mistake
        #: Whether the notebook's model is enough to show it; else it is looked for in all architectures.
        self.plain = shows_in_plain(mistake)
        self.shows = visible(port)
        self.layers = bool(port.supports.options) and shows_layers(port)
        self.name = port.name
        self.precision = port.precision
        heeded = ("mask", "initial_state") if self.plain else port.supports.options
        self.supports = replace(
            port.supports, options=tuple(option for option in port.supports.options if option in heeded)
        )
        self.model = port.fixed
        self.made = self.plain

    def run(self, case: Case) -> Any:
        """Compute the mistaken case."""
        shown = self.mistake.run(case)
        answer = self._visible(case, shown)
        sharp = not case.spec.compute_dtype.endswith("16")
        if sharp and not self.made and numbers(shown) != numbers(NONE.run(case)):
            self.made = not judge(case, answer, self.precision).inconclusive
        return answer

    def _visible(self, case: Case, shown: Trajectory) -> Trajectory:
        """Leave of a run what the other implementation shows."""
        if case.spec.plain:
            if self.shows == "states":
                return shown
            outputs = np.asarray(shown.outputs)
            every = self.shows == "every output" or outputs.ndim == 2
            return Trajectory(outputs if every else outputs[:, -1])
        if not self.layers:
            return Trajectory.of_calls([Trajectory(call.outputs) for call in shown.each_call])
        # outputs and final states, as a framework's layers show them
        return Trajectory.of_calls(
            [
                Trajectory(call.outputs, layers=tuple(layer and replace(layer, states=None) for layer in call.layers))
                for call in shown.each_call
            ]
        )


def shows_in_plain(mistake: Mistake) -> bool:
    """Whether a mistake moves the last output of the notebook's model."""
    if mistake.group in ("activation", "numbers"):  # shown with other functions, and other numbers
        return True
    for number in range(3):
        case = telling_case(_blank(Spec.simple(3, 4, 2)), number)
        wrong, right = (np.asarray(each.run(case, np.float64).outputs) for each in (mistake, NONE))
        if wrong.shape != right.shape or not np.array_equal(wrong[:, -1], right[:, -1]):
            return True
    return False


#: Mistakes that Keras itself makes, by the divergence that they are.
OF_KERAS = {"mask-not-turned-with-outputs": "backward-mask-order"}


def allowed(mistake: Mistake, port: Port) -> str:
    """Say why what is a mistake to others is none to this implementation; empty if it is one."""
    if not shows_in_plain(mistake) and (not port.supports.options or port.fixed is not None):
        return f"{port.name} declares no options of layers"
    if mistake.option and mistake.option not in port.supports.options:
        return f"{port.name} declares no {mistake.option}"
    known = OF_KERAS.get(mistake.name)
    if any(each.name == known and each.exists(port.diverges_as, installed()) for each in DIVERGENCES):
        return f"it is a known divergence of Keras, {known}"
    precision = port.precision or Precision.float32
    if mistake.name == "flushed-to-zero" and not precision.subnormals:
        return f"{precision.name} promises nothing below {precision.tiny:.2g}"
    if mistake.precision is Precision.float32 and precision.unit >= Precision.float32.unit:
        return f"{precision.name} is what it declares"
    if mistake.precision is not None and mistake.precision.unit <= precision.unit > Precision.float32.unit:
        return f"{precision.name} is what it declares"
    if mistake.name == "activation-tanh" and set(port.supports.activations) <= {"tanh"}:
        return "tanh is all that it supports"
    if mistake.name == "activation-parameters-ignored" and not any("(" in name for name in port.supports.activations):
        return "it knows no activation with parameters"
    if mistake.name in NAMESAKES and NAMESAKES[mistake.name][0] not in port.supports.activations:
        return f"it does not know {NAMESAKES[mistake.name][0]}"
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
    mistaken = Port(Mistaken(port, mistake), identity=port.identity, runtime=port.runtime)
    implementation: Mistaken = mistaken.runner.implementation
    for name, hunt in hunts.items():
        if (name == "test_networks") == implementation.plain:
            continue
        try:
            hunt(port=mistaken)
        except (pytest.skip.Exception, NothingShown):
            continue
        except Exception as error:
            found = next(errors_in(error), None)
            if found is None:
                raise
            _tell(counted, mistake, name, found)
            return
    if not implementation.made:
        del counted.facts["mistake"]
        pytest.skip("no mistake here: it showed in none of the architectures that were drawn")
    raise AssertionError(
        f"{mistake.name} slipped through {counted.cases} cases, {counted.conclusive} of them conclusive: "
        f"an implementation {mistake.says} would pass"
    )


def _tell(counted: tally.Tally, mistake: Mistake, check: str, found: EquivalenceError) -> None:
    counted.failures = 0  # it had to fail
    counted.worst_error_over_bound = 0.0
    counted.facts["caught after"] = str(counted.cases)
    counted.facts["by"] = check.removeprefix("test_")
    names = found.diagnosis.names
    told = any(_same_mistake(name, mistake, found.case) for name in names)
    counted.facts["named"] = mistake.name if told else (names[0] if names else "-")


def _same_mistake(name: str, mistake: Mistake, case: Case) -> bool:
    """Whether a name is that of a mistake, or of one that makes the same of a case: of two such, one is told."""
    if name == mistake.name or "+" in name:
        return name == mistake.name
    other = next((m for m in EVERY if m.name == name), None)
    return other is not None and numbers(other.run(case)) == numbers(mistake.run(case)) != numbers(NONE.run(case))


def numbers(shown: Trajectory) -> list[bytes]:
    """All that is shown, bit by bit."""
    return [np.asarray(a, np.float64).tobytes() for _, a in shown.numbers()]
