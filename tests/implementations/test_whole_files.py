"""Whole models: what stands round the recurrent layers is computed too, and a file of all of it is judged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from whole_models import LAYERS, MODEL, Weights, layer, sequential, weights, write_keras

from pytest_rnnequiv import EquivalenceError, Precision, Spec, assert_equivalent, layouts
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files.keras_graph import graph_of, read_graph
from pytest_rnnequiv.implementations.whole_file import WholeFile, lacking, numbers_lacking, whole_model
from pytest_rnnequiv.judging.whole import enclosed, judge_answer, judge_whole
from pytest_rnnequiv.model.around import AROUND, Around
from pytest_rnnequiv.model.graph import Graph
from pytest_rnnequiv.model.layers import LSTM

pytest.importorskip("h5py")


def graph(config: Any = MODEL, arrays: Weights | None = None) -> Graph:
    arrays = weights() if arrays is None else arrays
    return graph_of(config, lambda entry: arrays[entry.name])


# ---- as Keras has them ----


def chains(k: Any, keras: Any) -> list[Any]:
    """Models of Keras that have, together, every layer which is followed."""
    x, y = keras.Input((8, 3), name="x"), keras.Input((4,), name="y")
    h, state = k.GRU(4, return_sequences=True, return_state=True, go_backwards=True)(x)
    d = k.SimpleRNN(4, return_sequences=True)(k.ZeroPadding1D(1)(h), initial_state=state)
    both = k.Subtract()([k.Add()([k.Cropping1D((1, 1))(d), h]), k.Multiply()([h, h])])
    both = k.Minimum()([both, k.Maximum()([both, h])])
    side = k.Dense(4, activation="relu")(y)
    mean = k.Average()([k.GlobalAveragePooling1D()(both), k.GlobalMaxPooling1D()(both), side])
    windows = [
        k.Rescaling(0.5, offset=-0.25),
        k.Conv1D(5, 3, strides=2, padding="same"),
        k.BatchNormalization(),
        k.LeakyReLU(),
        k.Conv1D(4, 2, dilation_rate=2, padding="causal", use_bias=False),
        k.MaxPooling1D(2, strides=1, padding="same"),
        k.Bidirectional(k.SimpleRNN(3, return_sequences=True), merge_mode="sum"),
        k.AveragePooling1D(2, padding="same"),
        k.ReLU(max_value=6.0),
        k.LayerNormalization(),
    ]
    turned = [
        k.SimpleRNN(3),
        k.RepeatVector(2),
        k.UpSampling1D(2),
        k.ELU(),
        k.Permute((2, 1)),
        k.Reshape((6, 2)),
        k.TimeDistributed(k.Dense(3, activation="tanh")),
        k.Activation("softmax"),
    ]
    words = [
        k.Embedding(9, 4, mask_zero=True),
        k.SpatialDropout1D(0.5),
        k.LayerNormalization(center=False),
        k.LSTM(3, return_sequences=True),
        k.GlobalAveragePooling1D(),
        k.Dense(3),
        k.Softmax(),
    ]
    return [
        keras.Sequential([keras.Input((12, 3)), *windows]),
        keras.Sequential([keras.Input((5, 3)), *turned]),
        keras.Sequential([keras.Input((None,)), *words]),
        keras.Sequential([keras.Input((6, 3)), k.Masking(0.0), k.Dense(4), k.SimpleRNN(3), k.Dense(4), k.Dense(2)]),
        keras.Model([x, y], [k.Dense(2, name="p")(k.Concatenate()([mean, side])), k.Flatten(name="q")(both)]),
    ]


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_every_layer_is_as_keras_has_it(tmp_path: Path) -> None:
    """In files of both kinds; and a thousandth of the largest output is seen."""
    from pytest_rnnequiv.implementations.keras import load

    _, keras = load()
    rng, kinds = np.random.default_rng(3), set()
    for number, model in enumerate(chains(keras.layers, keras)):
        drawn = [(w.path, 0.4 * rng.standard_normal(w.shape)) for w in model.weights]
        model.set_weights([np.abs(a) + 0.1 if "variance" in path else a for path, a in drawn])
        model.save(file := tmp_path / f"model.{('keras', 'h5')[number % 2]}")
        read = read_graph(file)
        kinds |= {each.kind for _, each in read.layers() if isinstance(each, Around)}
        inputs = read.drawn(rng, 3, 7, padded=True)
        shown = model(inputs[0] if len(inputs) == 1 else inputs)
        outputs = [np.asarray(each) for each in (shown if isinstance(shown, list) else [shown])]
        assert judge_whole(read, inputs, outputs).equivalent, number
        wrong = [each + np.float32(1e-3) * np.abs(each).max() for each in outputs]
        assert judge_whole(read, inputs, wrong).different, number
    assert kinds | {"Normalization"} == AROUND.keys()


@pytest.mark.tensorflow
def test_statistics_that_were_learned(tmp_path: Path) -> None:
    """A Normalization counts, as a whole number, what it has seen; the count is none of its weights."""
    from pytest_rnnequiv.implementations.keras import load

    _, keras = load()
    rng = np.random.default_rng(3)
    scale = keras.layers.Normalization()
    scale.adapt(3 + rng.standard_normal((20, 5, 3)))
    model = keras.Sequential([keras.Input((5, 3)), scale, keras.layers.GRU(3), keras.layers.Dense(2)])
    for suffix in ("keras", "h5"):
        model.save(file := tmp_path / f"model.{suffix}")
        x = (3 + rng.standard_normal((4, 5, 3))).astype(np.float32)
        assert judge_whole(read_graph(file), [x], [np.asarray(model(x))]).equivalent


# ---- in ONNX, as a converter leaves them ----


def write_onnx(file: Path, arrays: Weights, folded: bool = True) -> Path:
    """Write :data:`MODEL`; `folded`, with the scale of its normalization in the kernel of the layer behind."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    made = layouts.to_onnx(LSTM(4, return_sequences=True), arrays["rnn"])
    gamma, beta, mean, variance = (np.float64(a) for a in arrays["batch"])
    scale = gamma / np.sqrt(variance + 1e-3)
    constants = {
        "K": arrays["conv"][0].transpose(2, 1, 0),
        "b": arrays["conv"][1],
        "scale": scale.astype(np.float32),
        "shift": (beta - mean * scale).astype(np.float32),
        "W": made.W,
        "R": made.R,
        "B": made.B,
        "axis": np.array([1]),
        "norm/g": arrays["norm"][0],
        "norm/b": arrays["norm"][1],
        "Wo": arrays["head"][0],
        "bo": arrays["head"][1],
    }
    if folded:
        W, B = made.W.astype(np.float64), made.B.astype(np.float64)
        B[:, :16] += W[0] @ constants["shift"]
        constants["W"], constants["B"] = (W * scale).astype(np.float32), B.astype(np.float32)
    nodes = [
        helper.make_node("Transpose", ["x"], ["channels"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["channels", "K", "b"], ["c"], pads=[1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Transpose", ["r"], ["time" if folded else "t"], perm=[2, 0, 1]),
        *(
            []
            if folded
            else [helper.make_node("Mul", ["t", "scale"], ["s"]), helper.make_node("Add", ["s", "shift"], ["time"])]
        ),
        helper.make_node("LSTM", ["time", "W", "R", "B"], ["Y"], hidden_size=4),
        helper.make_node("Squeeze", ["Y", "axis"], ["h"]),
        helper.make_node("Transpose", ["h"], ["n"], perm=[1, 0, 2]),
        helper.make_node("LayerNormalization", ["n", "norm/g", "norm/b"], ["m"], axis=-1, epsilon=1e-3),
        helper.make_node("MatMul", ["m", "Wo"], ["o"]),
        helper.make_node("Add", ["o", "bo"], ["y"]),
    ]
    shapes = {"x": ["N", 5, 3], "y": ["N", 5, 2]}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    tensors = [numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in constants.items()]
    model = helper.make_graph(nodes, "model", [x], [y], tensors)
    onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


@pytest.mark.parametrize("folded", [False, True])
def test_an_onnx_file_of_a_whole_model(folded: bool, tmp_path: Path) -> None:
    """The right one is right however the converter has put layers together; the wrong one is named."""
    pytest.importorskip("onnxruntime")
    file = write_keras(tmp_path / "model.keras", MODEL, weights())
    assert_equivalent(file, write_onnx(tmp_path / "right.onnx", weights(), folded))
    right, (x,) = WholeFile(str(tmp_path / "right.onnx"), graph()), graph().drawn(np.random.default_rng(0), 2, 5)
    judged = judge_answer(graph(), [x], lambda: right.ask([x]), right.precision, lambda: right.show([x]))
    assert judged.verdict.way == "layer by layer"
    assert judged.asked is not None
    assert judged.asked.found == {"conv": True, "batch": not folded, "rnn": True, "norm": True}
    assert judged.asked.through < right.show([x]).tensors.keys()
    if not folded:
        return
    wrong = weights()
    i, f, c, o = np.split(wrong["rnn"][1], 4, 1)
    wrong["rnn"][1] = np.concatenate([i.T, f.T, c.T, o.T], 1)
    with pytest.raises(EquivalenceError, match=r"with `Wh` transposed \(in rnn\)") as raised:
        assert_equivalent(file, write_onnx(tmp_path / "wrong.onnx", wrong, folded))
    text = str(raised.value)
    assert text.startswith("wrong.onnx is not the model model.keras, on inputs of shape (3, 5, 3)\n")
    assert "first broken output (sample 0, step 1" in text
    compile(raised.value.script(), "script", "exec")
    assert "right.onnx" not in raised.value.script()


def test_of_what_tensors_are_made() -> None:
    """Of what graphs inside take, too; and not of a tensor whose sizes are asked for."""
    onnx = pytest.importorskip("onnx")
    from pytest_rnnequiv.implementations.files.onnx_tensors import made_of, showing_all
    from pytest_rnnequiv.judging.parts import INPUTS

    make, info = onnx.helper.make_node, onnx.helper.make_empty_tensor_value_info
    body = onnx.helper.make_graph([make("Add", ["b", "b"], ["inner"])], "body", [], [info("inner")])
    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Relu", ["x"], ["b"]),
        make("If", ["on"], ["y"], then_branch=body, else_branch=body),
        make("GRU", ["b", "W", "R", "", "", "h0"], ["", "last"], hidden_size=3),
    ]
    of_graph = onnx.helper.make_graph(nodes, "g", [info("x"), info("on")], [info("y")])
    made = made_of(of_graph)
    assert (made["x"], made["s"], made["b"]) == ((INPUTS,), (), ("x",))
    assert set(made["y"]) == {"on", "b", "inner"}
    assert made["last"] == ("rnn_equiv/3",)
    assert set(made["rnn_equiv/3"]) == {"b", "W", "R", "h0"}
    shown = {each.name for each in showing_all(onnx.helper.make_model(of_graph)).graph.output}
    assert shown == {"y", "s", "b", "last", "rnn_equiv/3"}
    assert [each.name for each in of_graph.output] == ["y"]


def test_an_onnx_file_of_another_model(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    right = write_onnx(tmp_path / "right.onnx", weights())
    more = sequential(*LAYERS[:-1], layer("Dense", "head", units=3))
    arrays = weights() | {"head": [np.ones((4, 3)), np.ones(3)]}
    with pytest.raises(EquivalenceError, match=r"right.onnx is another model: its outputs have the shapes \(3, 5, 2\)"):
        assert_equivalent(write_keras(tmp_path / "more.keras", more, arrays), right)
    wide = write_keras(
        tmp_path / "wide.keras",
        sequential(*LAYERS, shape=(5, 4)),
        weights() | {"conv": [np.ones((3, 4, 5)), np.ones(5)]},
    )
    with pytest.raises(
        ImplementationError, match=re.escape("its inputs have the shapes (None, 5, 3), expected (None, 5, 4)")
    ):
        assert_equivalent(wide, right)
    proto = onnx.load(right)
    proto.graph.input.append(onnx.helper.make_tensor_value_info("mean", onnx.TensorProto.FLOAT, [1, 1, 3]))
    onnx.save(proto, tmp_path / "more.onnx")
    sentence = (
        "it has 2 inputs (x, mean), and the model has 1 (series): what an exporter leaves out of the file becomes an"
    )
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        WholeFile(str(tmp_path / "more.onnx"), graph())
    proto.graph.node.append(onnx.helper.make_node("DequantizeLinear", ["Wo", "b"], ["unused"]))
    onnx.save(proto, tmp_path / "int8.onnx")
    with pytest.raises(ImplementationError, match="it has DequantizeLinear: a whole model is judged in float32"):
        WholeFile(str(tmp_path / "int8.onnx"), graph())


# ---- mistakes, by name, and where they are ----


def transposed(arrays: Weights) -> None:
    arrays["rnn"][1] = np.concatenate([block.T for block in np.split(arrays["rnn"][1], 4, 1)], 1)


def flipped(arrays: Weights) -> None:
    arrays["conv"][0] = np.ascontiguousarray(arrays["conv"][0][::-1])


def mean_forgotten(arrays: Weights) -> None:
    arrays["batch"][2] = np.zeros_like(arrays["batch"][2])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (transposed, "with `Wh` transposed (in rnn)"),
        (flipped, "with the kernel of its conv turned round in time"),
        (mean_forgotten, "without the moving mean of its batch"),
        (LAYERS[:4] + LAYERS[5:], "with its norm left out"),
        (
            (layer("Conv1D", "conv", kernel_size=[3], padding="causal", activation="relu"), *LAYERS[1:]),
            "with padding on the left alone in its conv",
        ),
        (
            (layer("Conv1D", "conv", kernel_size=[3], padding="same", activation="linear"), *LAYERS[1:]),
            "with the activation of its conv forgotten",
        ),
    ],
)
def test_the_mistake_is_named_and_its_layer(change: Any, sentence: str, tmp_path: Path) -> None:
    """Of two files that are read, so that no runtime is needed; nothing but the outputs is compared."""
    arrays, layers = weights(), LAYERS
    if isinstance(change, tuple):
        layers = change
        arrays = {name: each for name, each in arrays.items() if any(one["config"]["name"] == name for one in layers)}
    else:
        change(arrays)
    right = write_keras(tmp_path / "right.keras", MODEL, weights())
    wrong = write_keras(tmp_path / "wrong.keras", sequential(*layers), arrays)
    with pytest.raises(EquivalenceError) as raised:
        assert_equivalent(right, wrong)
    assert raised.value.diagnosis.explanations[0].says == sentence
    assert_equivalent(wrong, wrong)


def test_weights_of_an_earlier_checkpoint_in_one_layer(tmp_path: Path) -> None:
    """No mistake explains them; that they are not in the file tells the layer."""
    right = write_keras(tmp_path / "right.keras", MODEL, weights())
    earlier = weights() | {"rnn": [each * np.float32(0.9) for each in weights()["rnn"]]}
    wrong = write_keras(tmp_path / "wrong.keras", MODEL, earlier)
    with pytest.raises(EquivalenceError) as raised:
        assert_equivalent(right, wrong)
    assert not raised.value.diagnosis.explanations
    fact = "in its file, nothing has the numbers of the kernel of rnn"
    place = "what it shows of batch is right, and nothing that it shows is what rnn should put out"
    assert raised.value.diagnosis.facts == (place, fact)
    assert fact in str(raised.value)
    arrays = [weights()["rnn"][1].T, weights()["head"][0] * 2]
    assert lacking(graph(), arrays) == ["head"]
    assert lacking(graph(), []) == []


def test_files_that_are_run_and_not_read(tmp_path: Path) -> None:
    """Their numbers tell the layer all the same; gates in another order, and kernels transposed, are there."""
    pytest.importorskip("onnxruntime")
    model = str(write_keras(tmp_path / "model.keras", MODEL, weights()))
    earlier = weights() | {"rnn": [each * np.float32(0.9) for each in weights()["rnn"]]}
    assert numbers_lacking(model, str(write_onnx(tmp_path / "right.onnx", weights()))) == []
    assert numbers_lacking(model, str(write_onnx(tmp_path / "earlier.onnx", earlier))) == ["rnn"]
    assert numbers_lacking(model, str(tmp_path / "gone.onnx")) == []
    assert numbers_lacking("model.onnx", str(tmp_path / "right.onnx")) == []


# ---- bounds ----


def test_bounds_hold_what_is_computed_in_other_orders() -> None:
    """Layers that are folded into one another are within the bounds, which are no wider than they need be."""
    model, arrays = graph(), weights()
    (x,) = model.drawn(np.random.default_rng(0), 3, 5)
    gamma, beta, mean, variance = (each.astype(np.float32) for each in arrays["batch"])
    scale = (gamma / np.sqrt(variance + np.float32(1e-3))).astype(np.float32)
    kernel, bias = arrays["conv"][0] * scale, (arrays["conv"][1] - mean) * scale + beta
    linear = sequential(layer("Conv1D", "conv", kernel_size=[3], padding="same"), *LAYERS[1:])
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    folded = sum((padded[:, i : i + 5] @ kernel[i] for i in range(3)), bias).astype(np.float32)
    own = graph(linear).nodes["conv"].layer, graph(linear).nodes["batch"].layer
    from pytest_rnnequiv.arithmetic.inexact import Inexact
    from pytest_rnnequiv.model.around import Tensor

    given = Tensor(Inexact(np.float64(x), Precision.float32))
    assert isinstance(own[0], Around)
    assert isinstance(own[1], Around)
    both = own[1]([own[0]([given])]).number.closed()
    assert both.contains(folded).all()
    assert both.bound.max() < 1e-4
    assert not both.contains(folded + np.float32(1e-3)).any()


# ---- what is not followed ----


def lost(config: dict[str, Any]) -> dict[str, Any]:
    node = {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["nowhere", 0, 0]}}], "kwargs": {}}
    rnn = {**layer("LSTM", "rnn", units=4), "inbound_nodes": [node], "name": "rnn"}
    outputs = {"input_layers": [["series", 0, 0]], "output_layers": [["rnn", 0, 0]]}
    inputs = layer("InputLayer", "series", batch_shape=[None, 5, 5])
    return {"class_name": "Functional", "config": {"layers": [inputs, rnn], **outputs}}


def called_round(config: dict[str, Any]) -> dict[str, Any]:
    lost_one: dict[str, Any] = lost(config)
    lost_one["config"]["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "rnn"
    return lost_one


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            sequential(layer("Attention", "own"), *LAYERS[2:]),
            "its Attention (own) is not followed: known are Activation, ",
        ),
        (sequential(*LAYERS, layer("Lambda", "own")), "its Lambda (own) runs code that the file brings"),
        (
            sequential(layer("Mine", "own") | {"registered_name": "a>Mine", "module": "mine"}, *LAYERS),
            "its Mine (own) is no layer of Keras but 'a>Mine', a class of somebody's own",
        ),
        (sequential(layer("Dense", "head", units=2)), "it has no recurrent layer of SimpleRNN, GRU, LSTM, RNN"),
        (
            sequential(*LAYERS, layer("TimeDistributed", "own", layer=layer("Conv1D", "inner"))),
            "its TimeDistributed (own) has a Conv1D inside",
        ),
        (
            sequential(*LAYERS, layer("ReLU", "own", max_value=2.0)),
            "its ReLU (own) has max_value=2.0, and 6 is followed",
        ),
        (sequential(*LAYERS, layer("ReLU", "own", threshold=1.0)), "its ReLU (own) has a threshold"),
        (
            sequential(*LAYERS, layer("Activation", "own", activation={"class_name": "function", "config": "mine"})),
            "its Activation (own) has an activation of the user's own, the function 'mine'",
        ),
        (
            sequential(*LAYERS, shape=(10**9, 3)),
            "its input series has the shape [None, 1000000000, 3], and 33,554,432 numbers are followed",
        ),
        (sequential(*LAYERS, shape=(-1, 3)), "its input series has the shape [None, -1, 3], and 33,554,432"),
        (lost(MODEL), "its layers are called on nowhere, which it does not have"),
        (called_round(MODEL), "its rnn are called on each other"),
        (
            {"class_name": "Sequential", "config": {"layers": [*LAYERS]}},
            "it does not say the shape of its input: call it once before it is saved",
        ),
    ],
)
def test_models_that_are_not_followed(config: Any, sentence: str) -> None:
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        graph(config)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            sequential(layer("Conv1D", "conv", kernel_size=[3], groups=3), *LAYERS[1:]),
            "it has groups: that is not followed",
        ),
        (
            sequential(layer("Conv1D", "conv", kernel_size=[3], data_format="channels_first"), *LAYERS[1:]),
            "it has data_format='channels_first': that is not",
        ),
        (
            sequential(*LAYERS[:4], layer("LayerNormalization", "norm", axis=1), LAYERS[5]),
            "it has axis=1: that is not followed",
        ),
        (
            sequential(*LAYERS, layer("RepeatVector", "own", n=10**9)),
            "numbers, where no more than 33,554,432 are followed",
        ),
        (sequential(*LAYERS, layer("UpSampling1D", "own", size=10**9)), "it makes 10,000,000,000 numbers, where no"),
        (sequential(*LAYERS, layer("ZeroPadding1D", "own", padding=10**9)), "numbers, where no more than 33,554,432"),
        (
            sequential(*LAYERS, layer("MaxPooling1D", "own", pool_size=10**9, padding="same", strides=1)),
            "it makes 5,000,000,000 numbers, where no more than",
        ),
        (
            sequential(*LAYERS[:1], layer("Masking", "own"), *LAYERS[1:]),
            "it stands behind layers that compute, so that what it masks may depend on a rounding",
        ),
        (sequential(*LAYERS, shape=(5, 4)), "it gets the shape (1, 5, 4), and has a kernel (3, 3, 5): that is not"),
    ],
)
def test_options_that_are_not_followed(config: Any, sentence: str, tmp_path: Path) -> None:
    """The message names the file, and says what to do: the recurrent layers can be read without the others."""
    file = write_keras(tmp_path / "model.keras", config, weights())
    with pytest.raises(ImplementationError, match=re.escape(sentence)) as raised:
        whole_model(str(file))
    assert str(raised.value).startswith(f"the model {file} cannot be read: ")
    assert "part='recurrent' (--rnn-equiv-model-part recurrent) reads the recurrent layers" in str(raised.value)


def test_what_a_spec_holds_is_no_whole_model(tmp_path: Path) -> None:
    """Then it is judged more sharply; and what is wrong with a file is told in the words of its reader."""
    plain = write_keras(tmp_path / "plain.keras", sequential(LAYERS[2], LAYERS[5], shape=(5, 5)), weights())
    assert whole_model(str(plain)) is None
    with pytest.raises(ImplementationError, match="plain.safetensors cannot be read: it is not there"):
        whole_model(str(tmp_path / "plain.safetensors"))
    with pytest.raises(ImplementationError, match=r"gone.keras cannot be read: it is not there$"):
        whole_model(str(tmp_path / "gone.keras"))
    with pytest.raises(
        ImplementationError, match=r"as a whole model it is neither run nor read: .onnx, .tflite, .keras"
    ):
        WholeFile("model.pt", graph())


def test_cases_are_those_that_come_to_the_recurrent_layers() -> None:
    model = graph()
    (x,) = model.drawn(np.random.default_rng(0), 2, 5)
    (case,) = enclosed(model, [x], Precision.float32).cases.values()
    assert case.spec == Spec(5, LSTM(4, return_sequences=True))
    assert case.x.shape == (2, 5, 5)
