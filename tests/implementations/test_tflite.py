"""A ``.tflite`` file: its layers and weights are read as data, and LiteRT runs it as a whole."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import converter_to_tflite

from pytest_rnnequiv import LSTM, Case, EquivalenceError, SimpleRNN, Spec, assert_equivalent, judge, read_model
from pytest_rnnequiv.arithmetic.formats import Scaled
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files.tflite_data import Operator, Subgraph, Tensor
from pytest_rnnequiv.implementations.files.tflite_hybrid import precision_of_file
from pytest_rnnequiv.implementations.files.tflite_mask import Held
from pytest_rnnequiv.implementations.resolving import resolve


def test_what_is_none(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    file = tmp_path / "model.tflite"
    file.write_bytes(b"anything")
    with pytest.raises(ImplementationError, match=f"{re.escape(str(file))} cannot be read: LiteRT refuses it"):
        resolve(str(file))
    with pytest.raises(ImplementationError, match="a part of it cannot be run alone"):
        resolve(str(file), "recurrent")


@pytest.mark.tensorflow
def test_it_is_run(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    keras = pytest.importorskip("keras")

    def model() -> object:
        layers = [keras.Input((3, 2), batch_size=1), keras.layers.GRU(4, unroll=True), keras.layers.Dense(2)]
        return keras.Sequential(layers)

    right, wrong = model(), model()
    for number, each in enumerate((right, wrong)):
        rng = np.random.default_rng(number)
        each.set_weights([rng.normal(size=weight.shape) for weight in each.get_weights()])  # type: ignore[attr-defined]
    right.save(tmp_path / "model.keras")  # type: ignore[attr-defined]
    for name, each in (("right", right), ("wrong", wrong)):
        (tmp_path / f"{name}.tflite").write_bytes(converter_to_tflite(each).convert())
    assert_equivalent(tmp_path / "model.keras", tmp_path / "right.tflite")
    with pytest.raises(EquivalenceError):
        assert_equivalent(tmp_path / "model.keras", tmp_path / "wrong.tflite")
    port = resolve(str(tmp_path / "right.tflite"))
    assert (port.supports.N, port.supports.T) == (1, 3)
    assert not port.any_weights
    assert port.fixed is None
    assert "its recurrence is unrolled" in port.runner.implementation.unread


# ---- read ----


def converted(file: Path, layers: Sequence[Any], shape: tuple[int | None, ...], **options: Any) -> Spec:
    """Have TensorFlow convert a model with weights that are drawn, and save it beside; return its spec."""
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input(shape, batch_size=1), *layers])
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=weight.shape) / 2 for weight in model.get_weights()])
    model.save(file.with_suffix(".keras"))
    converter = converter_to_tflite(model)
    for name, value in options.items():
        setattr(converter, name, value)
    file.write_bytes(converter.convert())
    own = read_model(file)[1]
    spec, weights = read_model(file.with_suffix(".keras"))
    assert [a.shape for a in own] == [a.shape for a in weights]
    assert all(np.allclose(a, b, 0, 0.02 if options else 0) for a, b in zip(own, weights, strict=True))
    return spec


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_loops_are_read(tmp_path: Path) -> None:
    """A loop is the cell that it computes: with its options, its order of time, and all its weights, bit by bit."""
    k = pytest.importorskip("keras").layers
    file = tmp_path / "model.tflite"
    layers = [
        k.Embedding(9, 3),
        k.Bidirectional(k.LSTM(2, return_sequences=True), merge_mode="ave"),
        k.GRU(4, "relu", "hard_sigmoid", go_backwards=True, reset_after=False, use_bias=False),
        k.Dense(6, activation="relu"),
        k.Dense(5, activation="tanh"),
        k.Dense(3, activation="softmax"),
    ]
    spec = converted(file, layers, (5,))
    assert len(spec.hidden) == 2
    assert read_model(file)[0] == spec
    with pytest.raises(ImplementationError, match="a part of it cannot be read alone: its layers have no names any"):
        read_model(file, part="recurrent")


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_loops_that_heed_a_mask(tmp_path: Path) -> None:
    """Of words, in both directions; and of steps that hold a value, whose outputs are zeros or the last one."""
    k = pytest.importorskip("keras").layers
    file = tmp_path / "model.tflite"
    words = [k.Embedding(9, 3, mask_zero=True), k.Bidirectional(k.LSTM(2)), k.Dense(3, activation="softmax")]
    spec = converted(file, words, (5,))
    assert read_model(file)[0] == spec
    assert spec.source == "embedding with mask"
    steps = [k.Masking(0.5), k.GRU(3, return_sequences=True, zero_output_for_mask=True), k.SimpleRNN(2)]
    spec = converted(file, steps, (5, 3))
    assert read_model(file)[0] == spec
    assert (spec.source, spec.mask_value) == ("masking", 0.5)


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_weights_of_8_bits_are_what_they_stand_for(tmp_path: Path) -> None:
    tf, k = pytest.importorskip("tensorflow"), pytest.importorskip("keras").layers
    layers = [k.LSTM(40), k.Dense(2)]
    spec = converted(tmp_path / "model.tflite", layers, (5, 30), optimizations=[tf.lite.Optimize.DEFAULT])
    own, weights = read_model(tmp_path / "model.tflite")
    assert own == spec
    assert len(np.unique(weights[0][:, 0])) < 30 <= weights[0].shape[0]  # rounded, to steps of their own


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seen", [True, False], ids=["states", "last output"])
def test_int8_kernels_declare_how_they_are_computed(seen: bool, tmp_path: Path) -> None:
    """Kernels of int8 between floats say their arithmetic; the head's 78 numbers stay float, as the file has them."""
    tf, k = pytest.importorskip("tensorflow"), pytest.importorskip("keras").layers
    file = tmp_path / "model.tflite"
    layers = [k.SimpleRNN(39, return_sequences=seen), *([] if seen else [k.Dense(2)])]
    spec = converted(file, layers, (4, 30), optimizations=[tf.lite.Optimize.DEFAULT])
    declared = precision_of_file(str(file), read_model(file))
    assert declared is not None
    assert {*declared.formats} == {"layer0/Wx", "layer0/Wh", "factors"}
    for name, each in declared.formats.items():
        assert isinstance(each, Scaled)
        assert each.per == ("row" if name == "factors" else "channel")
    pytest.importorskip("ai_edge_litert")
    port, (_, weights) = resolve(str(file)), read_model(file.with_suffix(".keras"))
    assert port.precision is not None
    assert port.precision.name == declared.name == "dynamic range int8, as its file says"
    assert not port.supports.nan  # int8 has none
    case = Case(spec, np.random.default_rng(2).standard_normal((1, 4, 30)), weights=weights)
    answer = port.run(case)
    assert judge(case, answer, declared).equivalent
    assert judge(case, answer).different
    assert judge(case.with_weights(**{"layer0/Wh": weights[1].T}), answer, declared).different


@pytest.mark.tensorflow
def test_scales_that_are_not_made_of_the_kernels_are_those_of_the_file(tmp_path: Path) -> None:
    spec, file = Spec.simple(2, 3, 2), tmp_path / "model.tflite"
    numbers = [np.array([[50, -3], [7, 100], [20, 9]], "i1"), np.arange(-4, 5, dtype="i1").reshape(3, 3)]
    products(file, [(each, [0.5, 0.25, 0.125]) for each in numbers])
    weights = [(a * np.float32([[0.5], [0.25], [0.125]])).T for a in numbers]
    model = spec, (*weights, np.zeros(3, "f4"), np.ones((3, 2), "f4"), np.zeros(2, "f4"))
    declared = precision_of_file(str(file), model)
    assert declared is not None
    assert {*declared.formats} == {"layer0/Wx", "layer0/Wh", "factors"}
    of_file = declared.formats["layer0/Wx"]
    assert isinstance(of_file, Scaled)
    assert np.array_equal(of_file.scale, [0.5, 0.25, 0.125])
    other = spec, (weights[0], np.ones((3, 3), "f4"), *model[1][2:])
    found = precision_of_file(str(file), other)
    assert found is not None
    assert {*found.formats} == {"layer0/Wx", "factors"}
    half = weights[0].copy()
    half[0, 0] += 1
    assert precision_of_file(str(file), (spec, (half, *model[1][1:]))) is None
    products(file, [(each, [0.5, 0.25, 0.125]) for each in numbers], asymmetric=False)
    assert precision_of_file(str(file), model) is None


@pytest.mark.tensorflow
def test_int8_throughout_is_told_what_to_declare(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    products(tmp_path / "model.tflite", [(np.ones((3, 2), "i1"), [0.5])], of_integers=True)
    with pytest.raises(ImplementationError, match="it computes in int8 throughout.*Precision.full_int8"):
        resolve(str(tmp_path / "model.tflite"))


def products(
    file: Path, kernels: Sequence[tuple[Any, list[float]]], asymmetric: bool = True, of_integers: bool = False
) -> None:
    """Write a file of dense products with int8 kernels, each of an input of its own."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema: Any = pytest.importorskip("tensorflow.lite.python.schema_py_generated")
    model, graph, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT()
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT()], [graph], [code]
    code.builtinCode = code.deprecatedBuiltinCode = 9
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    for numbers, scales in kernels:
        tensors = [schema.TensorT() for _ in range(3)]
        for tensor, shape in zip(tensors, ((1, numbers.shape[1]), numbers.shape, (1, len(numbers))), strict=True):
            tensor.shape, tensor.type, tensor.name = list(shape), 9 if of_integers else 0, "t"
        buffer, said = schema.BufferT(), schema.QuantizationParametersT()
        buffer.data, said.scale = np.frombuffer(numbers.tobytes(), np.uint8), scales
        tensors[1].buffer, tensors[1].type, tensors[1].quantization = len(model.buffers), 9, said
        model.buffers.append(buffer)
        made, options = schema.OperatorT(), schema.FullyConnectedOptionsT()
        options.asymmetricQuantizeInputs = asymmetric
        x, y = len(graph.tensors), len(graph.tensors) + 2
        made.inputs, made.outputs, made.builtinOptions = [x, x + 1, -1], [y], options
        made.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        graph.tensors += tensors
        graph.operators.append(made)
        graph.inputs.append(x)
        graph.outputs.append(y)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_chain_of_layers(tmp_path: Path) -> None:
    k = pytest.importorskip("keras").layers
    file = tmp_path / "model.tflite"
    for layers, sentence in (
        ([k.Conv1D(2, 2), k.GRU(2)], "its recurrence is unrolled, or its input goes through something else before"),
        ([k.GRU(2, return_sequences=True), k.Flatten()], "does what a Spec has no place for: say which model"),
    ):
        with pytest.raises(ImplementationError, match=re.escape(sentence)):
            converted(file, layers, (3, 2))


def fused(file: Path, clip: float = 0.0, change: Any = None) -> tuple[Any, ...]:
    """Write a file of the two operators that are a whole layer: an LSTM, and an RNN on its outputs."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema: Any = pytest.importorskip("tensorflow.lite.python.schema_py_generated")
    rng, model, kinds = np.random.default_rng(0), schema.ModelT(), schema.BuiltinOptions
    model.version, model.buffers, graph = 3, [schema.BufferT()], schema.SubGraphT()
    graph.tensors, graph.operators, model.operatorCodes = [], [], []

    def tensor(shape: tuple[int, ...], numbers: Any = None) -> int:
        made = schema.TensorT()
        made.shape, made.type, made.name, made.buffer = list(shape), 0, f"t{len(graph.tensors)}", 0
        if numbers is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.asarray(numbers, "<f4").tobytes(), np.uint8)
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def operator(number: int, inputs: list[int], output: int, kind: int, options: Any) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        made.opcodeIndex = len(model.operatorCodes)
        made.inputs, made.outputs, made.builtinOptionsType, made.builtinOptions = inputs, [output], kind, options
        model.operatorCodes.append(code)
        graph.operators.append(made)

    def some(*shape: int) -> Any:
        return rng.standard_normal(shape).astype("f4")

    gates, rnn = [[some(4, 3) for _ in range(4)], [some(4, 4) for _ in range(4)], [some(4) for _ in range(4)]], None
    kernels, recurrent, biases = ([tensor(a.shape, a) for a in each] for each in gates)
    x, h, y = tensor((1, 5, 3)), tensor((1, 5, 4)), tensor((1, 5, 2))
    states = [tensor((1, 4)), tensor((1, 4)), tensor((1, 2))]
    for state in states:
        graph.tensors[state].isVariable = True
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction, options.cellClip = 4, clip
    operator(
        44,
        [x, *kernels, *recurrent, -1, -1, -1, *biases, -1, -1, *states[:2]],
        h,
        kinds.UnidirectionalSequenceLSTMOptions,
        options,
    )
    rnn, of_rnn = (some(2, 4), some(2, 2), some(2)), schema.SequenceRNNOptionsT()
    of_rnn.fusedActivationFunction = 1
    operator(35, [h, *(tensor(a.shape, a) for a in rnn), states[2]], y, kinds.SequenceRNNOptions, of_rnn)
    graph.inputs, graph.outputs, model.subgraphs = [x], [y], [graph]
    if change is not None:
        change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    joined = [np.concatenate([a.T for a in each], -1) for each in gates[:2]]
    return (*joined, np.concatenate(gates[2]), rnn[0].T, rnn[1].T, rnn[2])


@pytest.mark.tensorflow
def test_operators_that_are_layers_are_read(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    expected = fused(file)
    spec, weights = read_model(file)
    assert spec == Spec(3, (LSTM(4, return_sequences=True), SimpleRNN(2, "relu", return_sequences=True)))
    assert all(map(np.array_equal, weights, expected))
    if importlib.util.find_spec("ai_edge_litert") is not None:  # its first call begins with zeros
        case = Case(spec, np.random.default_rng(2).standard_normal((1, 5, 3)), weights=weights)
        assert judge(case, resolve(str(file)).run(case)).equivalent
    fused(file, clip=10.0)
    with pytest.raises(ImplementationError, match="its LSTM clips its cell state at 10, as converted LSTMs of Keras 2"):
        read_model(file)


def of_another_size(model: Any) -> None:
    model.subgraphs[0].tensors[0].shape = [1 << 20, 1 << 20]


def of_no_such_tensor(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs[1] = 99


def two_inputs(model: Any) -> None:
    model.subgraphs[0].inputs = [*model.subgraphs[0].inputs, 0]


def peepholes(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs[9] = 0


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (of_another_size, "its t0 should have 4,398,046,511,104 bytes, and 48 are there"),
        (of_no_such_tensor, "it names a tensor that it does not have"),
        (two_inputs, "it has 2 inputs, and one is read"),
        (peepholes, "its LSTM has peepholes, a projection or a layer norm, and no Spec has one"),
    ],
)
def test_files_that_say_something_else(change: Any, sentence: str, tmp_path: Path) -> None:
    fused(tmp_path / "model.tflite", change=change)
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(tmp_path / "model.tflite")


@pytest.mark.tensorflow
def test_a_file_that_is_cut_off_or_garbled_is_an_error_of_one_sentence(tmp_path: Path) -> None:
    """Whatever a position in the file points to."""
    file = tmp_path / "model.tflite"
    fused(file)
    content, rng = file.read_bytes(), np.random.default_rng(0)
    for i in range(60):
        spoilt = bytearray(content[: int(rng.integers(8, len(content)))] if i % 2 else content)
        for at in rng.integers(8, len(spoilt), 40):
            spoilt[at] = int(rng.integers(256))
        file.write_bytes(spoilt)
        with contextlib.suppress(ImplementationError):  # any other would be told as a failure
            read_model(file)
    for other in (b"", b"anything", b"\xff\xff\xff\x7fTFL3"):
        file.write_bytes(other)
        with pytest.raises(ImplementationError, match="it is no TFL3 file|it is cut off, or no FlatBuffer"):
            read_model(file)


def operators(*made: tuple[str, tuple[int, ...], int]) -> Subgraph:
    """A loop's body of operators on tensors 0 (a mask), 1 (what is carried) and others."""
    tensors = tuple(Tensor(str(i), (1, 2), np.dtype(np.float32), None) for i in range(9))
    return Subgraph(tensors, (), (), tuple(Operator(kind, given, (made,), None) for kind, given, made in made))


GATHERED = ("GATHER", (0, 8), 2)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (operators(GATHERED, ("ADD", (1, 3), 4)), "its loop heeds a mask in another way than by holding its states"),
        (
            operators(GATHERED, ("ADD", (1, 3), 5), ("SELECT", (2, 5, 3), 4)),
            "its loop heeds a mask in another way than by holding its states",
        ),
        (
            operators(GATHERED, ("ADD", (1, 3), 5), ("SELECT", (2, 5, 1), 4), ("RESHAPE", (5,), 6)),
            "its loop puts out something else at masked steps than zeros or the last output",
        ),
    ],
)
def test_masks_that_no_spec_has(body: Subgraph, sentence: str) -> None:
    with pytest.raises(ImplementationError, match=sentence):
        assert Held(body, 0, {1: (4, 7, 8)}).zero_output


def test_what_is_held_at_a_masked_step() -> None:
    """The state goes on with what it is where nothing is masked; the last output is carried on, and is no state."""
    new = (("ADD", (1, 3), 5), ("SELECT", (2, 5, 1), 4), ("SELECT", (2, 5, 7), 8), ("RESHAPE", (8,), 6))
    held = Held(operators(GATHERED, *new), 0, {1: (4, 0, 0), 7: (8, 0, 0)})
    assert held.states == {1: (5, 0, 0)}
    assert not held.zero_output
