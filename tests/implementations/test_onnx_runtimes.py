"""What the runtimes of ONNX do before they run: nodes as they take them, converters, versions."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError

import pytest

from pytest_rnnequiv import GRU, LSTM, Bidirectional, SimpleRNN, Spec, distributions
from pytest_rnnequiv.divergences.nodes import functions, nodes, reversed_alone, unusual
from pytest_rnnequiv.implementations import mnn
from pytest_rnnequiv.implementations.onnx_model import onnx_model
from pytest_rnnequiv.implementations.opencv import leave_usual_activations_unsaid
from pytest_rnnequiv.strategies import generic_case

needs_onnx = pytest.mark.skipif(importlib.util.find_spec("onnx") is None, reason="needs onnx")


@pytest.fixture
def only_one(monkeypatch):
    def version(distribution):
        if distribution != "opencv-python":
            raise PackageNotFoundError(distribution)
        return "5.0.0.93"

    monkeypatch.setattr(distributions, "version", version)
    distributions.version_of.cache_clear()
    yield
    distributions.version_of.cache_clear()


def test_a_library_is_found_in_whichever_distribution_has_it(only_one):
    assert distributions.version_of("cv2") == "5.0.0.93"
    assert distributions.version_of("iree.compiler") == distributions.version_of("numpy") == ""


def test_the_nodes_of_a_model():
    layers = (
        SimpleRNN(2, return_sequences=True, go_backwards=True),
        Bidirectional(LSTM(2, return_sequences=True), LSTM(2, "relu", return_sequences=True)),
        Bidirectional(GRU(2, return_sequences=True), GRU(3, return_sequences=True)),
    )
    spec = Spec(1, layers)
    found = [(direction, [layer.kinds[0].name for layer in each]) for direction, each in nodes(spec)]
    assert found == [
        ("reverse", ["SimpleRNN"]),
        ("bidirectional", ["LSTM", "LSTM"]),
        ("forward", ["GRU"]),
        ("reverse", ["GRU"]),
    ]
    assert [direction for direction, _ in nodes(spec, "LSTM")] == ["bidirectional"]
    assert reversed_alone(spec, "GRU")
    assert not reversed_alone(spec, "LSTM")
    assert [functions(layer) for layer in spec.directions][:2] == [("tanh",), ("tanh", "sigmoid")]
    assert [unusual(layer) for layer in spec.directions] == [False, False, True, False, False]


@needs_onnx
@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (GRU(2), False),
        (LSTM(2), False),
        (Bidirectional(LSTM(2)), False),
        (GRU(2, "relu"), True),
        (LSTM(2, "relu"), True),
    ],
    ids=str,
)
def test_opencv_is_told_no_activations_that_hold_anyway(layer, said):
    spec = Spec(1, layer)
    (node,) = (each for each in onnx_model(generic_case(spec, 1, 2)).graph.node if each.op_type in ("GRU", "LSTM"))
    leave_usual_activations_unsaid(node)
    assert ("activations" in {each.name for each in node.attribute}) is said
    assert "hidden_size" in {each.name for each in node.attribute}


def test_what_mnn_does_not_convert_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(mnn, "CONVERT", "import sys; sys.exit('These Op Not Support: ONNX::LSTM')")
    with pytest.raises(RuntimeError, match=r"^MNN's converter takes no such model: These Op Not Support: ONNX::LSTM$"):
        mnn.converted(b"", str(tmp_path))
    monkeypatch.setattr(mnn, "CONVERT", "import sys; open(sys.argv[-1], 'w').close()")
    assert mnn.converted(b"", str(tmp_path)) == str(tmp_path / "model.mnn")
