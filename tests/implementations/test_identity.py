"""What an implementation is, is what was asked for: never the name that it gives itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import Supports, tally
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN, GROUPS
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.model.spec import OPTIONS
from pytest_rnnequiv.suite import selfcheck
from pytest_rnnequiv.suite.architectures import members_for, pool_for
from pytest_rnnequiv.suite.checks import CHECKS


class CallsItselfKeras:
    """Somebody's port to JavaScript, whose name begins as ours do, or is one of ours."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.supports = Supports(options=OPTIONS)

    def run(self, case: Any) -> Any:
        return np.zeros((case.N, case.K))


@pytest.mark.parametrize("name", ["keras-js", *BUILT_IN])
def test_a_port_is_not_what_it_calls_itself(name: str) -> None:
    port = Port(CallsItselfKeras(name), identity="rnn_implementation")
    assert (port.name, port.identity, port.runtime) == (name, "rnn_implementation", None)
    assert not port.builds_models
    assert not port.secondary
    assert not port.diverges_as
    assert pool_for(port) == pool_for(Port(CallsItselfKeras("other")))


def test_a_runtime_is_what_the_registry_says() -> None:
    port = resolve("keras-predict")
    assert port.identity == port.diverges_as == "keras-predict"
    assert port.builds_models
    assert port.secondary
    assert pool_for(port)["exclude"] is not None
    numpy = resolve("numpy")
    assert (numpy.identity, numpy.diverges_as, numpy.builds_models, numpy.secondary) == ("numpy", "numpy", False, False)


@pytest.mark.tensorflow
def test_the_ways_of_running_keras_draw_from_one_pool_and_are_asked_what_they_take() -> None:
    graph, predict = resolve("keras-graph"), resolve("keras-predict")
    assert pool_for(graph) == pool_for(predict)
    assert members_for(predict) == [spec for spec in members_for(graph) if spec.dtype != "float64"]


def test_a_mistaken_one_is_checked_as_the_one_in_whose_place_it_is() -> None:
    port = resolve("keras-call")
    asked: list[Port] = []
    with pytest.raises(AssertionError, match="slipped through"):
        selfcheck.catch(port, by_name("Wh-transposed"), {"test_recurrence": lambda port: asked.append(port)})
    tally.take()  # it was asked nothing
    (mistaken,) = asked
    assert isinstance(mistaken.runner.implementation, selfcheck.Mistaken)
    assert (mistaken.identity, mistaken.runtime) == (port.identity, port.runtime)


def test_which_checks_apply_is_a_matter_of_what_was_asked_for() -> None:
    names = ["rnn_implementation", *GROUPS["keras"], "keras_js:run"]
    assert CHECKS["test_parameter_law"].applies_to(names) == ["keras-graph"]
    assert CHECKS["test_parameter_law"].applies_to(["keras_js:run", "keras-predict"]) == ["keras-predict"]
    assert CHECKS["test_parameter_law"].applies_to(["keras_js:run"]) == []
    assert CHECKS["test_model_as_built"].applies_to(names) == list(GROUPS["keras"])
    assert CHECKS["test_masks"].applies_to(names) == ["rnn_implementation", "keras-graph", "keras_js:run"]
