"""More ways of running Keras: each computes what the case says, with the weights and the options of the case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import GRU, LSTM, RNN, Bidirectional, Dense, Spec, judge
from pytest_rnnequiv.cells import GRUCell
from pytest_rnnequiv.divergences.known import concerning
from pytest_rnnequiv.implementations import keras_ways
from pytest_rnnequiv.implementations.registry import BUILT_IN, GROUPS
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.strategies import generic_case

pytestmark = pytest.mark.tensorflow

WAYS = {name: runtime for name, runtime in BUILT_IN.items() if runtime.module == "keras_ways"}
ON_TENSORFLOW = [name for name, runtime in WAYS.items() if "tensorflow" in runtime.libraries]
COMPILED = ("keras-xla", "keras-export")
ELSEWHERE = [name for name in WAYS if name not in ON_TENSORFLOW]

SPECS = {
    "stack": Spec(
        2, (Bidirectional(GRU(3, return_sequences=True)), LSTM(2, dropout=0.5, recurrent_activation="hard_sigmoid"))
    ),
    "states": Spec(
        2, (RNN(3, cell=GRUCell(), initial_state=True, return_sequences=True), LSTM(2, return_sequences=True)), Dense(2)
    ),
}


def made(name: str) -> Any:
    return getattr(keras_ways, WAYS[name].attribute)()


@pytest.mark.parametrize(
    ("name", "which"),
    # what is compiled takes seconds for each model
    [(name, which) for name in ON_TENSORFLOW for which in SPECS if which == "states" or name not in COMPILED],
)
def test_it_is_right_with_the_weights_of_each_case(name: str, which: str) -> None:
    way, spec = made(name), SPECS[which]
    assert way.name == name
    if known := [each.name for each in concerning(spec, name)]:
        pytest.skip(f"this Keras has {', '.join(known)}")
    for seed in (1, 2):
        case = generic_case(spec, 2, 3, seed=seed)
        verdict = judge(case, way.run(case), way.precision)
        assert verdict.equivalent, verdict


@pytest.mark.parametrize("name", ["keras-reloaded", "keras-h5"])
def test_what_a_file_loses_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    way, case = made(name), generic_case(Spec.simple(2, 3, 2), 2, 3)
    saved = way._saved

    def losing(built: Any) -> Any:
        again = saved(built)
        again.model.set_weights([0.5 * weight for weight in again.model.get_weights()])
        return again

    monkeypatch.setattr(way, "_saved", losing)
    assert judge(case, way.run(case)).different


def test_implementation_1_is_asked_for_and_taken_back() -> None:
    way, case = made("keras-implementation-1"), generic_case(Spec.simple(2, 3, 2, cell="LSTM"), 2, 3)
    from pytest_rnnequiv.implementations import keras_models

    built, seen = keras_models.build(case.with_every_output().spec), []
    (cell,) = keras_ways._cells(built.layers[0])
    real = type(cell).call

    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(self.implementation)
        return real(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(cell), "call", call)
        way.run(case)
    assert {*seen} == {1}
    assert cell.implementation == 2


def test_what_was_exported_is_exported_once() -> None:
    way, spec = made("keras-export"), Spec.simple(2, 3, 2)
    answers = [way.run(generic_case(spec, 2, 3, seed=seed)).outputs for seed in (1, 2)]
    assert not np.array_equal(*answers)
    assert "stateful" not in way.supports.options


def test_a_backend_needs_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # and put back what it sets
    keras_ways.load()  # on TensorFlow, also where this test runs alone
    with pytest.raises(ImportError, match="keras-jax needs a process of its own: Keras runs on tensorflow here"):
        made("keras-jax")


@pytest.mark.parametrize("name", ELSEWHERE)
def test_another_backend_is_right(name: str) -> None:
    if missing := WAYS[name].missing:
        pytest.skip(f"needs {', '.join(missing)}: {WAYS[name].install}")
    port = resolve(name)
    try:
        assert {*port.versions()} >= {"keras", name.removeprefix("keras-")}
        case = generic_case(SPECS["stack"], 2, 3)
        verdict = judge(case, port.run(case), port.precision)
        assert verdict.equivalent, verdict
    finally:
        port.close()


def test_none_is_in_the_default_run() -> None:
    assert not {*GROUPS["keras"]} & {*WAYS}
    assert all(runtime.isolated for runtime in WAYS.values())
