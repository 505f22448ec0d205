"""Activations with parameters in their names: values, bounds, files, and who runs them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import filled, generic

from pytest_rnnequiv import GRU, Case, Dense, Precision, SimpleRNN, Spec, Supports, diagnose, judge, layouts, reference
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation, activation, known_by_name
from pytest_rnnequiv.arithmetic.inexact import Inexact
from pytest_rnnequiv.arithmetic.parametrised import EXAMPLES, FAMILIES
from pytest_rnnequiv.failures.script import script
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.mistakes.catalogue import by_name

NAMES = [*EXAMPLES, "leaky_relu(1.5)", "elu(3)", "hard_sigmoid(2, 3)"]


def in_float32(name: str, a: Any) -> Any:
    """The function as one writes it, in float32."""
    family, _, rest = name.partition("(")
    alpha, *more = (np.float32(each) for each in rest.rstrip(")").split(","))
    if family == "leaky_relu":
        return np.where(a >= 0, a, alpha * a)
    if family == "elu":
        return np.where(a > 0, a, alpha * (np.exp(np.minimum(a, 0)) - np.float32(1)))
    return np.clip(alpha * a + more[0], np.float32(0), np.float32(1))


@pytest.mark.parametrize("name", NAMES)
def test_values_slopes_and_bounds(name: str) -> None:
    f, p = activation(name), Precision.float32
    a = np.linspace(-7, 7, 2001).astype(np.float32)
    np.testing.assert_allclose(f(a.astype(float)), in_float32(name, a), rtol=1e-6, atol=1e-6)
    assert f(Inexact(a, p)).contains(in_float32(name, a)).all()
    # an argument that is off moves the value no further than the interval and the linear model say
    delta = np.full(a.shape, 0.01)
    slope, remainder = f.linearize(a.astype(float), delta)
    for shift in (-0.01, -0.003, 0.01):
        moved = f(a.astype(float) + shift) - f(a.astype(float))
        assert (np.abs(moved) <= f.spread(a.astype(float), delta) + 1e-12).all()
        assert (np.abs(moved - slope * shift) <= remainder + 1e-12).all()


def test_a_name_says_it_all() -> None:
    for name in EXAMPLES:
        f = activation(name)
        assert (str(f), known_by_name(f)) == (name, True)
        assert pickle.loads(pickle.dumps(f)) == f
    assert activation("leaky_relu(0.20)") is ACTIVATIONS["leaky_relu"]
    assert activation("hard_sigmoid(0.16666667, 0.5)") is ACTIVATIONS["hard_sigmoid"]
    assert activation("elu(0.5)") == activation("elu(.50)") != activation("elu(0.6)")
    assert not known_by_name(Activation("elu(1, 2)", np.tanh))
    assert {name.partition("(")[0] for name in EXAMPLES} == {*FAMILIES}


@pytest.mark.parametrize("name", ["leaky_relu()", "leaky_relu(0.1, 2)", "elu(-1)", "elu(nan)", "hard_sigmoid(x, 1)"])
def test_parameters_are_positive_numbers(name: str) -> None:
    with pytest.raises(ValueError, match="needs as many positive numbers as .* has, in parentheses"):
        activation(name)
    with pytest.raises(ImplementationError, match="supports.activations must be some of "):
        Supports(activations=(name,))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_case_with_it_is_saved_judged_and_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = generic(activation=name)
    case.save(tmp_path / "case.npz")
    assert Case.load(tmp_path / "case.npz").spec == case.spec
    run = reference(case, np.float32)
    assert judge(case, run).equivalent
    assert judge(case, run.outputs).equivalent
    exec(script(case), names := dict[str, Any]())
    assert capsys.readouterr().out.count("step") == case.T
    np.testing.assert_allclose(names["h"], np.asarray(run.states)[:, -1], rtol=1e-4, atol=1e-5)
    assert Supports(activations=("tanh", name)).takes(case.spec)
    assert not Supports(activations=("tanh", name.partition("(")[0])).takes(case.spec)
    assert Supports().including(case.spec).takes(case.spec)


@pytest.mark.parametrize("name", EXAMPLES)
def test_keras_s_parameters_in_their_place_are_named(name: str) -> None:
    mistake = by_name("activation-parameters-ignored")
    case = generic(activation=name)
    assert mistake(generic(activation=name.partition("(")[0])) is None
    names = diagnose(case, mistake.run(case), run=mistake.run).names
    assert {"activation-parameters-ignored", f"activation-{name.partition('(')[0]}"} & {*names}


@pytest.mark.parametrize("name", EXAMPLES)
def test_onnx_has_alpha_and_beta(name: str) -> None:
    spec = Spec(3, GRU(4, name, recurrent_activation="hard_sigmoid(0.2, 0.5)"))
    case = filled(spec, 1)
    node = layouts.to_onnx(spec, case.weights)
    attributes = {
        key: [float(np.float32(each)) for each in value] if key.startswith("activation_") else value
        for key, value in node.attributes.items()
    }
    layer, _ = layouts.from_onnx(node.op, node.W, node.R, node.B, **attributes)
    assert layer == spec.layers[0].replace(return_sequences=True)
    # HardSigmoid without parameters has ONNX's, which are not Keras's
    layer, _ = layouts.from_onnx("RNN", node.W[:, :4], node.R[:, :4], activations=["HardSigmoid"])
    assert str(layer.directions[0].activation) == "hard_sigmoid(0.2, 0.5)"


@pytest.mark.parametrize("name", EXAMPLES)
def test_onnx_runtime_computes_it(name: str) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from pytest_rnnequiv.implementations.onnxruntime import OnnxRuntime

    case = filled(Spec(3, SimpleRNN(4, name, return_sequences=True), Dense(2, name)), 1)
    assert judge(case, OnnxRuntime().run(case), OnnxRuntime.precision).equivalent


@pytest.mark.tensorflow
def test_keras_is_given_a_function() -> None:
    from pytest_rnnequiv.implementations.keras import KerasCall

    case = filled(
        Spec(3, [SimpleRNN(4, EXAMPLES[0], return_sequences=True), GRU(3, EXAMPLES[1])], Dense(2, EXAMPLES[2])), 1
    )
    assert judge(case, KerasCall().run(case)).equivalent
