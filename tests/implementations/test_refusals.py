"""Files of somebody else's that say what cannot be: each is refused in a sentence, before anything is made of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from whole_models import LAYERS, MODEL, layer, sequential, weights, write_keras

from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files import limits, read_model
from pytest_rnnequiv.implementations.files.keras_config import chain, read
from pytest_rnnequiv.implementations.files.tflite_data import Operator, Subgraph, Tensor, _meant, load
from pytest_rnnequiv.implementations.files.tflite_step import Step

GRU = layer("GRU", "rnn", units=2)
OWN = {**layer("Mine", "own"), "registered_name": "a>Mine", "module": "mine"}


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            (layer("RNN", "rnn", cell=OWN),),
            "its Mine (own) is no layer of Keras but 'a>Mine', a class of somebody's own",
        ),
        ((layer("RNN", "rnn", cell=layer("ConvLSTM2DCell", "c")),), "its RNN (rnn) has a ConvLSTM2DCell, and only"),
        ((layer("Bidirectional", "rnn", layer=OWN),), "its Mine (own) is no layer of Keras"),
        (
            (layer("Bidirectional", "rnn", layer=layer("GRU", "r", units=2, go_backwards=True)),),
            "its Bidirectional (rnn) wraps a layer with go_backwards=True, which Keras refuses",
        ),
        ((GRU, layer("TimeDistributed", "each", layer=OWN)), "its Mine (own) is no layer of Keras"),
        ((layer("GRU", "rnn", units=-1),), "its GRU (rnn): "),
        ((layer("GRU", "rnn"),), "its GRU (rnn): it lacks 'units'"),
        ((GRU, layer("Dense", "head", units="many")), "its Dense (head): "),
        ((layer("GRU", "rnn", units=2, activation="os.system"),), "its GRU (rnn): "),
        (
            (layer("GRU", "one", units=2, return_sequences=True), layer("GRU", "rnn", units=2, dtype="float64")),
            "its recurrent layers compute in float32 and float64: a Spec in one",
        ),
        ((GRU,), "it has 1 arrays, and D=3 -> GRU(2, activation=linear) has 3: layer0/Wx, layer0/Wh"),
        (
            (layer("SimpleRNN", "rnn", units=7, use_bias=False),),
            "it has 1 arrays, and D=3 -> SimpleRNN(7, activation=linear, use_bias=False)",
        ),
    ],
)
def test_configurations(layers: Any, sentence: str) -> None:
    config = {"class_name": "Sequential", "config": {"layers": [*layers]}}
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read(chain(config), lambda entry: [np.zeros((3, 6), np.float32)])


def test_arrays_of_other_shapes() -> None:
    config = {"class_name": "Sequential", "config": {"layers": [layer("SimpleRNN", "rnn", units=2)]}}
    arrays = [np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32), np.zeros(2, np.float32)]
    with pytest.raises(ImplementationError, match=r"its layer0/Wh has shape \(3, 2\), expected \(2, 2\)"):
        read(chain(config), lambda entry: arrays)


def test_links_and_sizes_hold_for_whole_models_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read by the same reader: what a file must not do there, it must not do here."""
    h5py = pytest.importorskip("h5py")
    from pytest_rnnequiv.implementations.files.keras_graph import read_graph

    file = write_keras(tmp_path / "model.keras", MODEL, weights())
    monkeypatch.setattr(limits, "LARGEST", 1000)
    with pytest.raises(ImplementationError, match="would take .* bytes, and no more than 1,000 are read"):
        read_graph(file)
    monkeypatch.undo()
    nested: dict[str, Any] = sequential(*LAYERS)
    for _ in range(120):
        nested = {"class_name": "Sequential", "config": {"name": "m", "layers": [nested | {"name": "m"}]}}
    with pytest.raises(ImplementationError, match="cannot be read: "):
        read_graph(write_keras(tmp_path / "deep.keras", nested, weights()))
    with h5py.File(tmp_path / "linked.h5", "w") as stored:
        import json

        stored.attrs["model_config"] = json.dumps(MODEL)
        stored["model_weights/conv"] = h5py.ExternalLink("other.h5", "data")
    with pytest.raises(ImplementationError, match="its conv is a link, which is not followed"):
        read_graph(tmp_path / "linked.h5")
    with pytest.raises(ImplementationError, match="how its layers are connected is read off .keras, .h5, .hdf5 only"):
        read_graph(tmp_path / "model.onnx")


# ---- .tflite ----


def test_a_tflite_without_a_graph(tmp_path: Path) -> None:
    """Sixteen bytes are a file: a root, its name, and a table of nothing."""
    content = b"\x0c\0\0\0TFL3" + b"\x04\0\x04\0" + b"\x04\0\0\0"
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(ImplementationError, match="it has no graph in it, in 16 bytes"):
        load(str(tmp_path / "model.tflite"))
    (tmp_path / "model.tflite").write_bytes(b"\x0c\0\0\0TFL4" + content[8:])
    with pytest.raises(ImplementationError, match="cannot be read: it is no TFL3 file"):
        read_model(tmp_path / "model.tflite")


@pytest.mark.parametrize(
    ("scales", "zeros", "axis", "sentence"),
    [
        ([1.0, 2.0], [0, 0, 0], 0, "its numbers have 2 scales and 3 zero points"),
        ([1.0, 2.0], [], 1, r"it has 2 scales for an array of shape (2, 3)"),
        ([1.0, 2.0], [], 5, r"it has 2 scales for an array of shape (2, 3)"),
    ],
)
def test_scales_that_do_not_fit(scales: Any, zeros: Any, axis: int, sentence: str) -> None:
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        _meant(np.zeros((2, 3), np.int8), np.array(scales), np.array(zeros), axis)


def body(kind: str, *shapes: tuple[int, ...]) -> Subgraph:
    """A loop's body of one operator on constants."""
    kept = tuple(Tensor(f"t{i}", shape, np.dtype(np.float32), np.zeros(shape)) for i, shape in enumerate(shapes))
    result = Tensor("result", (), np.dtype(np.float32), None)
    made = Operator(kind, tuple(range(len(kept))), (len(kept),), None)
    return Subgraph((*kept, result), (), (len(kept),), (made,))


@pytest.mark.parametrize(
    ("graph", "number", "sentence"),
    [
        (body("ADD", (2**13, 1), (1, 2**13)), 2, "its loop makes an array of more than 16,777,216 numbers in one step"),
        (body("CUSTOM", (2, 2)), 1, "its loop has the operator CUSTOM, and no cell of a Spec has one"),
        (body("STRIDED_SLICE", (2,), (1,), (1,), (1,)), 4, "its loop takes a slice that no cell of a Spec has"),
        (Subgraph((body("ADD").tensors[0],), (), (), ()), 0, "its loop takes something that is neither an input"),
    ],
)
def test_loops_that_do_something_else(graph: Subgraph, number: int, sentence: str) -> None:
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        Step(graph, {}).value(number)


# ---- .onnx ----


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "it has no input"),
        ({"x": [2, 3, 4, 5]}, "its input x has 4 axes, expected (N, T, F) or (T, N, F), or two axes of whole numbers"),
    ],
)
def test_graphs_of_other_inputs(inputs: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    given = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    node = helper.make_node("Constant", [], ["y"], value_float=1.0)
    onnx.save(helper.make_model(helper.make_graph([node], "model", given, [y])), tmp_path / "model.onnx")
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(tmp_path / "model.onnx")
