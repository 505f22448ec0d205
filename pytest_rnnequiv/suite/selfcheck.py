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
from ..arithmetic.precision import Precision
from ..divergences.keras import DIVERGENCES, installed
from ..failures.assertion import EquivalenceError
from ..implementations.port import Port
from ..judging.oracle import judge
from ..mistakes.catalogue import NAMESAKES, Mistake
from ..mistakes.diagnosis import telling_case
from ..mistakes.networks import NetworkMistake, arrays
from ..model.case import Case
from ..model.network import Layer, Network
from ..model.network_case import Call, NetworkCase
from ..model.spec import Spec
from ..model.trajectory import NetworkTrajectory, ShownCall
from ..plugin.report.evidence import errors_in
from .registry import NothingShown

__all__ = ["Mistaken", "MistakenNetworks", "catch", "visible"]


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


def shows_layers(port: Port) -> bool:
    """Find out whether an implementation shows the layers of a network, from one run."""
    network = Network(2, Layer(3))
    blank = NetworkCase(network, tuple(map(np.zeros, network.weight_shapes.values())), (Call(np.zeros((1, 1, 2))),))
    try:
        return any(call.layers for call in port.run_network(blank).calls)
    except Exception:
        return False  # it does not take this case; so much every implementation shows


#: What computes networks as every mistake does, and makes none.
NONE = NetworkMistake("none", "without a mistake", "", "")


class MistakenNetworks:
    """An implementation of networks that makes a mistake, and is like another in all that it shows and declares.

    Attributes
    ----------
    made : bool
        Whether there was a case in which the mistake shows: it moves a number, something can be told of the case, and
        it is none of 16 bits, whose rounding may move a number as far.
    """

    def __init__(self, port: Port, mistake: NetworkMistake) -> None:
        self.mistake = mistake
        self.layers = shows_layers(port)
        self.name = port.name
        self.precision = port.precision
        self.supports = port.supports
        self.made = False

    def run(self, case: NetworkCase) -> NetworkTrajectory:
        """Compute the mistaken network."""
        shown = self.mistake.run(case)
        answer = shown if self.layers else NetworkTrajectory(tuple(ShownCall(call.outputs) for call in shown.calls))
        sharp = not case.network.compute_dtype.endswith("16")
        if sharp and not self.made and numbers(shown) != numbers(NONE.run(case)):
            self.made = not judge(case, answer, self.precision).inconclusive
        return answer


#: Mistakes that Keras itself makes, by the divergence that they are.
OF_KERAS = {"mask-not-turned-with-outputs": "backward-mask-order"}


def allowed(mistake: Mistake | NetworkMistake, port: Port) -> str:
    """Say why what is a mistake to others is none to this implementation; empty if it is one."""
    if isinstance(mistake, NetworkMistake):
        if not port.supports.options or port.fixed is not None:
            return f"{port.name} declares no options of networks"
        known = OF_KERAS.get(mistake.name)
        if any(each.name == known and each.exists(port.way, installed()) for each in DIVERGENCES):
            return f"it is a known divergence of Keras, {known}"
    precision = port.precision or Precision.float32
    if mistake.name == "flushed-to-zero" and not precision.subnormals:
        return f"{precision.name} promises nothing below {precision.tiny:.2g}"
    if mistake.precision is not None and mistake.precision.unit <= precision.unit > Precision.float32.unit:
        return f"{precision.name} is what it declares"
    if mistake.name == "activation-tanh" and set(port.supports.activations) <= {"tanh"}:
        return "tanh is all that it supports"
    if mistake.name in NAMESAKES and NAMESAKES[mistake.name][0] not in port.supports.activations:
        return f"it does not know {NAMESAKES[mistake.name][0]}"
    return ""


def catch(port: Port, mistake: Mistake | NetworkMistake, hunts: dict[str, Callable[..., None]]) -> None:
    """Run the checks, one after the other, until one of them catches the mistake.

    Parameters
    ----------
    port : Port
        The implementation in whose place the mistaken one is put.
    mistake : Mistake or NetworkMistake
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
    counted.facts["mistake"] = full_name(mistake)
    if isinstance(mistake, NetworkMistake):
        mistaken = _in_place_of(port, MistakenNetworks(port, mistake))
        hunts = {"test_networks": hunts["test_networks"]}
    else:
        mistaken = _in_place_of(port, Mistaken(port, mistake, visible(port)))
    for name, hunt in hunts.items():
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
    if isinstance(mistake, NetworkMistake) and not mistaken.runner.implementation.made:
        del counted.facts["mistake"]
        pytest.skip("no mistake here: it showed in none of the networks that were drawn")
    raise AssertionError(
        f"{mistake.name} slipped through {counted.cases} cases, {counted.conclusive} of them conclusive: "
        f"an implementation {mistake.says} would pass"
    )


def _in_place_of(port: Port, mistaken: Mistaken | MistakenNetworks) -> Port:
    """Make a port that the checks treat as they treat the one that is checked."""
    return Port(mistaken, identity=port.identity, runtime=port.runtime)


def full_name(mistake: Mistake | NetworkMistake) -> str:
    """Name a mistake of either catalogue: some of networks have the names of plain ones."""
    return f"network-{mistake}" if isinstance(mistake, NetworkMistake) else str(mistake)


def _tell(counted: tally.Tally, mistake: Mistake | NetworkMistake, check: str, found: EquivalenceError) -> None:
    counted.failures = 0  # it had to fail
    counted.worst_error_over_bound = 0.0
    counted.facts["caught after"] = str(counted.cases)
    counted.facts["by"] = check.removeprefix("test_")
    names = found.diagnosis.names
    counted.facts["named"] = full_name(mistake) if mistake.name in names else (names[0] if names else "-")


def numbers(shown: NetworkTrajectory) -> list[bytes]:
    """All that is shown, bit by bit."""
    return [np.asarray(a, np.float64).tobytes() for _, a in arrays(shown)]
