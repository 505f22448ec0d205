"""What other runtimes have beyond Keras, as options of the cells: in the spec, the bounds, what is drawn, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from samples import filled

from pytest_rnnequiv import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Case,
    Dense,
    SimpleRNN,
    Spec,
    Supports,
    Trajectory,
    diagnose,
    judge,
    param_count,
    read_model,
    reference,
)
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import clipping
from pytest_rnnequiv.arithmetic.affine import Affine
from pytest_rnnequiv.arithmetic.inexact import Inexact, clip
from pytest_rnnequiv.arithmetic.precision import Precision
from pytest_rnnequiv.cells import BEYOND_KERAS, CELLS, GRUCell, LSTMCell, SimpleRNNCell, variants
from pytest_rnnequiv.divergences.known import concerning
from pytest_rnnequiv.failures.script import script
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE
from pytest_rnnequiv.model import layouts
from pytest_rnnequiv.strategies.architectures import pool_members

CLIP = 0.7
KINDS = [
    SimpleRNNCell(clip=CLIP),
    GRUCell(clip=CLIP),
    LSTMCell(clip=CLIP),
    LSTMCell(peepholes=True),
    LSTMCell(clip=CLIP, peepholes=True),
]


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def cut(a: Any) -> Any:
    return np.minimum(np.maximum(a, -CLIP), CLIP)


def by_hand(case: Case) -> Any:
    """The states of every step, as ONNX writes them: the argument of f, g and h is clipped."""
    Wx, Wh, bh = (a.astype(float) for a in (case.Wx, case.Wh, case.bh))
    h, c = np.zeros((2, case.N, case.M))
    states = []
    for t in range(case.T):
        x, cell = case.x[:, t].astype(float), case.spec.cell
        if cell.name == "SimpleRNN":
            h = np.tanh(cut(x @ Wx + h @ Wh + bh))
        elif cell.name == "LSTM":
            i, f, g, o = np.split(x @ Wx + h @ Wh + bh, 4, axis=1)
            c = sigmoid(cut(f)) * c + sigmoid(cut(i)) * np.tanh(cut(g))
            h = sigmoid(cut(o)) * np.tanh(cut(c))
        else:
            (xz, xr, xh), (hz, hr, hh) = np.split(x @ Wx + bh[0], 3, axis=1), np.split(h @ Wh + bh[1], 3, axis=1)
            z, r = sigmoid(cut(xz + hz)), sigmoid(cut(xr + hr))
            h = z * h + (1 - z) * np.tanh(cut(xh + r * hh))
        states.append(h)
    return np.stack(states, axis=1)


@pytest.mark.parametrize("layer", [SimpleRNN, GRU, LSTM])
def test_the_recurrence_with_a_clip_is_that_of_onnx(layer: Any) -> None:
    case = filled(Spec(3, layer(4, clip=CLIP), Dense(2)), 1, T=6)
    np.testing.assert_allclose(reference(case).states, by_hand(case), rtol=1e-12, atol=1e-14)
    free = case.under(Spec(3, layer(4), Dense(2)))
    assert not np.allclose(reference(case).states, reference(free).states, atol=0.01)


def test_peepholes_look_at_the_cell_state() -> None:
    case = filled(Spec(3, LSTM(4, peepholes=True), Dense(2)), 1, T=6)
    Wx, Wh, bh, (pi, pf, po) = (a.astype(float) for a in (case.Wx, case.Wh, case.bh, case.Wp))
    h, c = np.zeros((2, case.N, case.M))
    for t in range(case.T):
        i, f, g, o = np.split(case.x[:, t].astype(float) @ Wx + h @ Wh + bh, 4, axis=1)
        c = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * np.tanh(g)
        h = sigmoid(o + po * c) * np.tanh(c)
        np.testing.assert_allclose(np.asarray(reference(case).states)[:, t], h, rtol=1e-12, atol=1e-14)


def test_peepholes_have_a_law_and_a_letter() -> None:
    assert param_count(3, 5, 2, cell="LSTM", peepholes=True) == 4 * 5 * (3 + 5 + 1) + 3 * 5 + 2 * (5 + 1)
    spec = Spec.simple(3, 5, 2, cell="LSTM", peepholes=True)
    case = filled(spec, 1)
    assert [*spec.letters] == ["Wx", "Wh", "bh", "Wp", "Wo", "bo"]
    assert case.Wp.shape == (3, 5)
    same = Case(spec, case.x, case.Wx, case.Wh, case.bh, case.Wo, case.bo, Wp=case.Wp)
    assert all(np.array_equal(a, b) for a, b in zip(same.weights, case.weights, strict=True))
    assert not case.replace(Wp=np.zeros((3, 5))).Wp.any()
    with pytest.raises(TypeError, match="needs Wp"):
        Case(spec, case.x, case.Wx, case.Wh, case.bh, case.Wo, case.bo)
    assert Spec(3, LSTM(5, peepholes=True, use_bias=False)).param_count == 4 * 5 * (3 + 5) + 3 * 5


@settings(max_examples=15, deadline=None)
@given(case=rnn.cases(cell=LSTMCell(peepholes=True), M=rnn.sizes(max_value=17), T=rnn.sizes(max_value=12)))
def test_a_sum_with_peepholes_is_right_in_any_order(case: Case) -> None:
    """The peephole first, or last, or in the middle of a sum."""
    Wx, Wh, bh, Wp, Wo, bo = case.weights
    rng = np.random.default_rng(0)
    h = c = np.zeros((case.N, case.M), np.float32)
    states = []

    def gate(a: Any) -> Any:
        return np.float32(1) / (1 + np.exp(-a))

    with np.errstate(all="ignore"):
        for t in range(case.T):
            one = np.ones((case.N, 1), np.float32)
            left, right = np.concatenate([case.x[:, t], h, one], 1), np.vstack([Wx, Wh, bh])

            def summed_with(seen: Any, k: int, p: Any, left: Any = left, right: Any = right) -> Any:
                block = right[:, k * case.M : (k + 1) * case.M]
                return summed_in(rng, left, block, [] if p is None else [seen * p])

            i, f = (gate(summed_with(c, k, Wp[k])) for k in (0, 1))
            c = f * c + i * np.tanh(summed_with(c, 2, None))
            h = gate(summed_with(c, 3, Wp[2])) * np.tanh(c)
            states.append(h)
    assert not judge(case, Trajectory(np.stack(states, 1) @ Wo + bo, np.stack(states, 1))).different


def summed_in(rng: Any, left: Any, right: Any, more: list[Any]) -> Any:
    """``left @ right`` and more terms, added up one after the other in some order, in float32."""
    terms = [*(left[:, i, None] * right[i] for i in range(len(right))), *more]
    total = np.zeros_like(terms[0])
    for k in rng.permutation(len(terms)):
        total = total + terms[k]
    return total


@pytest.mark.parametrize("shown", ["states", "outputs", "last"])
@settings(max_examples=15, deadline=None)
@given(
    case=rnn.cases(spec=rnn.architectures(options=("activation", "bidirectional", *BEYOND_KERAS), cells=tuple(CELLS)))
)
def test_a_right_run_is_never_different(shown: str, case: Case) -> None:
    whole = reference(case, np.float32)
    if case.spec.letters and shown != "states":
        outputs = np.asarray(whole.outputs)
        whole = Trajectory(outputs if shown == "outputs" or outputs.ndim == 2 else outputs[:, -1])
    assert not judge(case, whole).different


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_right_run_is_mostly_proved(kind: Any) -> None:
    for seed in range(1, 4):
        case = rnn.generic_case(Spec.simple(3, 5, 2, cell=kind), 2, 12, seed=seed)
        run = reference(case, np.float32)
        assert judge(case, run).equivalent
        assert judge(case, run.outputs).equivalent


def test_a_clip_bounds_what_it_is_given() -> None:
    p = Precision.float32
    a = np.array([[-3.0, -0.5, 0.0, 0.5, 0.7, 3.0]])
    radius = np.full(a.shape, 0.01)
    clipped = clip(Inexact(a, p, radius), 0.5)
    for shift in (-0.01, 0.0, 0.01):
        assert clipped.contains(np.clip(a + shift, -0.5, 0.5)).all()
    assert clipped.radius[0, 0] <= p.unit  # beyond the limit nothing of an error is left but the limit's own
    # errors that travel end there, too
    moved = clip(Affine(Inexact(a, p), 0.01 * np.ones((1, 1, 6))), 0.5)
    assert moved.generators is not None
    assert moved.generators[0, 0].tolist() == [0, 0, 0.01, 0, 0, 0]
    assert np.isnan(clip(Inexact(np.array([np.nan]), p), 0.5).value).all()
    assert clip(np.array([-2.0, 2.0]), 0.5).tolist() == [-0.5, 0.5]
    assert clipping(0.5) is clipping(0.5)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1", True])
def test_a_clip_is_a_number_above_zero(value: Any) -> None:
    with pytest.raises(ValueError, match="clip must be a number above 0, or None for no clipping, not"):
        LSTM(4, clip=value)


def test_it_is_an_option_of_the_spec(tmp_path: Path) -> None:
    spec = Spec(3, Bidirectional(RNN((2, 3), cell=(SimpleRNNCell(clip=1.5), GRUCell()))), Dense(2))
    assert "clip" in spec.options
    assert (
        spec.param_count == Spec(3, Bidirectional(RNN((2, 3), cell=(SimpleRNNCell(), GRUCell()))), Dense(2)).param_count
    )
    case = filled(spec, 1)
    case.save(tmp_path / "case.npz")
    assert Case.load(tmp_path / "case.npz").spec == spec
    assert "SimpleRNNCell(clip=1.5)" in str(spec)
    assert spec != Spec(3, Bidirectional(RNN((2, 3), cell=(SimpleRNNCell(clip=2.0), GRUCell()))), Dense(2))


def test_only_whoever_declares_it_is_asked_about_it() -> None:
    drawn = {kind for spec in _pool(("clip",)) for layer in spec.directions for kind in layer.kinds}
    assert {kind.name for kind in drawn if kind.clip} == {*CELLS}
    assert any(not kind.clip for kind in drawn)
    assert not any(kind.clip for spec in _pool(()) for layer in spec.directions for kind in layer.kinds)
    assert not any(kind.beyond for spec in _pool(None) for layer in spec.directions for kind in layer.kinds)
    assert not any(cell.beyond for cell in variants(CELLS))
    spec = Spec(3, SimpleRNN(4, clip=1.0), Dense(2))
    assert Supports(options=("clip",)).takes(spec)
    assert not Supports().takes(spec)
    assert Supports().lacks(spec) == "cell SimpleRNN(clip=1.0), no option clip"
    assert Supports().including(spec).takes(spec)
    with pytest.raises(ImplementationError, match=r"supports.options must be some of .*clip.*, not .*clipping"):
        Supports(options=("clipping",))


def _pool(options: Any) -> list[Spec]:
    sizes: dict[str, Any] = {"max_units": 3, "cells": tuple(CELLS), "count": 20, "dtypes": ("float32",)}
    return pool_members(options=options, activations=None, exclude=None, **sizes)


@pytest.mark.parametrize("name", [m.name for m in CATALOGUE if m.option])
def test_each_mistake_with_an_option_is_caught_in_drawn_cases_and_named(name: str) -> None:
    mistake = next(m for m in CATALOGUE if m.name == name)
    assert mistake.option in BEYOND_KERAS
    assert mistake(filled(Spec.simple(3, 4, 2), 1)) is None
    square = name in ("projection-of-cell-state", "projection-not-fed-back")
    M = 2 if square else 4  # 2 are as many as there are of the projection
    cases = [
        rnn.generic_case(Spec.simple(3, M, 2, "relu", cell=kind), 3, 6, seed=seed)
        for kind in variants(CELLS, (mistake.option,))
        for seed in range(1, 7)
    ]
    caught = [case for case in cases if mistake(case) is not None and judge(case, mistake.run(case)).different]
    assert len(caught) > 3
    assert name in diagnose(caught[0], mistake.run(caught[0]), run=mistake.run).names


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_script_writes_the_step_with_it(kind: Any, capsys: pytest.CaptureFixture[str]) -> None:
    case = filled(Spec.simple(3, 4, 2, cell=kind), 1)
    exec(script(case), names := dict[str, Any]())
    assert capsys.readouterr().out.count("step") == case.T
    np.testing.assert_allclose(names["h"], np.asarray(reference(case).states)[:, -1], rtol=1e-5, atol=1e-6)


def test_a_script_of_a_model_that_keras_lacks_computes_it_with_numpy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = filled(Spec(3, (SimpleRNN(4, return_sequences=True, clip=CLIP), LSTM(2)), Dense(2)), 1)
    source = script(case, str(tmp_path / "case.npz"))
    assert "# Keras has no clip: " in source
    case.save(tmp_path / "case.npz")
    exec(source, {})
    assert "expected" in capsys.readouterr().out
    assert "case = Case.load('case.npz')  # what case.save(\"case.npz\") has written" in script(case)


@pytest.mark.tensorflow
def test_keras_refuses_them_with_a_sentence() -> None:
    from pytest_rnnequiv.implementations.keras_models import build

    with pytest.raises(NotImplementedError, match=r"Keras's GRU has no clip: .*GRUCell\(clip=2.0\)"):
        build(Spec(3, GRU(4, clip=2.0), Dense(2)))


def test_a_node_of_onnx_has_peepholes_in_its_order() -> None:
    spec = Spec(3, Bidirectional(LSTM(4, peepholes=True)))
    case = filled(spec, 1)
    node = layouts.to_onnx(spec, case.weights)
    i, f, o = case.named_weights["layer0/forward/Wp"]
    assert node.P is not None
    assert np.array_equal(node.P[0], np.concatenate([i, o, f]))
    found, weights = layouts.from_onnx(node.op, node.W, node.R, node.B, node.P, **node.attributes)
    assert isinstance(found, Bidirectional)
    assert found.forward == LSTM(4, peepholes=True, return_sequences=True)
    assert all(np.array_equal(a, b) for a, b in zip(weights, case.weights, strict=True))
    with pytest.raises(ValueError, match=r"GRU has no peepholes \(P\)"):
        layouts.from_onnx("GRU", node.W, node.R, node.B, node.P)
    with pytest.raises(ValueError, match="PyTorch's LSTM has no peepholes; ONNX's has"):
        layouts.to_torch(LSTM(4, peepholes=True), filled(Spec(3, LSTM(4, peepholes=True)), 1).weights)


@pytest.mark.parametrize("options", [{"clip": 0.5}, {"peepholes": True}])
def test_a_file_of_onnx_with_it_is_read(options: dict[str, Any], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from pytest_rnnequiv.implementations.onnx_model import onnx_model

    case = filled(Spec(3, LSTM(4, return_sequences=True, **options), Dense(2)), 1)
    onnx.save(onnx_model(case), tmp_path / "model.onnx")
    spec, weights = read_model(tmp_path / "model.onnx")
    assert spec == case.spec
    assert all(np.allclose(a, b) for a, b in zip(weights, case.weights, strict=True))


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnx-reference", "openvino", "tract"])
def test_runtimes_that_declare_it_have_it(runtime: str) -> None:
    known = BUILT_IN[runtime]
    if known.missing:
        pytest.skip(f"{runtime} is not installed")
    port = Port(resolve(runtime))
    for kind in port.supports.kinds:
        if kind.beyond:
            case = rnn.generic_case(Spec.simple(3, 4, 2, cell=kind), 1, 4)
            assert concerning(case, runtime) or port.observe(case).judge(port.precision).equivalent


@pytest.mark.parametrize("layer", [SimpleRNN, GRU, LSTM])
def test_a_node_of_onnx_has_it(layer: Any) -> None:
    for spec in (Spec(3, layer(4, clip=CLIP)), Spec(3, Bidirectional(layer(4, clip=CLIP)))):
        case = filled(spec, 1)
        node = layouts.to_onnx(spec, case.weights)
        assert node.attributes["clip"] == CLIP
        found, weights = layouts.from_onnx(node.op, node.W, node.R, node.B, **node.attributes)
        assert found == spec.with_layer(0, found).layers[0]
        assert {kind.clip for side in found.directions for kind in side.kinds} == {CLIP}
        assert all(np.allclose(a, b) for a, b in zip(weights, case.weights, strict=True))
    one, other = LSTM(4, clip=CLIP), LSTM(4)
    with pytest.raises(ValueError, match="a node of ONNX has the same cell and units in both directions"):
        layouts.to_onnx(Bidirectional(one, other), filled(Spec(3, Bidirectional(one, other)), 1).weights)
