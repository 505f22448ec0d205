"""Models of PyTorch and ONNX that lie on disk: read as data, and an .onnx run by ONNX Runtime."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import filled

from pytest_rnnequiv import (
    GRU,
    LSTM,
    Bidirectional,
    Case,
    Dense,
    EquivalenceError,
    SimpleRNN,
    Spec,
    assert_equivalent,
    judge,
    layouts,
    read_model,
)
from pytest_rnnequiv.failures.two_files import answers
from pytest_rnnequiv.implementations.errors import ImplementationError, MissingRuntime
from pytest_rnnequiv.implementations.files.dense import DenseChain
from pytest_rnnequiv.implementations.registry import check_available
from pytest_rnnequiv.implementations.resolving import resolve


def sequences(layer: Any) -> Any:
    if isinstance(layer, Bidirectional):
        return layer.replace(forward=layer.forward.replace(return_sequences=True))
    return layer.replace(return_sequences=True)


# ---- PyTorch ----

TORCH = {
    "lstm": Spec(3, LSTM(4, return_sequences=True), Dense(2)),
    "gru, two layers": Spec(
        3, (GRU(4, return_sequences=True), GRU(4, return_sequences=True)), Dense(2, use_bias=False)
    ),
    "rnn, both": Spec(3, Bidirectional(SimpleRNN(4, return_sequences=True)), Dense(2)),
    "words": Spec(3, LSTM(4, return_sequences=True), Dense(2), source="embedding", vocabulary=7),
    "no head": Spec(3, GRU(5, return_sequences=True)),
    "projection": Spec(3, LSTM(4, return_sequences=True, projection=2), Dense(3)),
    "projection, both": Spec(3, Bidirectional(LSTM(4, return_sequences=True, projection=3))),
}


def state_of(case: Case, prefix: str = "encoder.rnn.") -> dict[str, Any]:
    """Name the weights of a case as a module of PyTorch does that has them."""
    state = {"table.weight": case.named_weights["embedding/E"]} if case.spec.embedded else {}
    state |= {f"{prefix}{name}": a for name, a in layouts.to_torch(case.spec, case.weights).items()}
    if case.spec.head is not None:
        own = case.part("head")
        state["fc.weight"] = np.ascontiguousarray(own["Wo"].T)
        state |= {"fc.bias": own["bo"]} if "bo" in own else {}
    return state


def write_safetensors(file: Path, state: dict[str, Any], **changed: Any) -> None:
    header, data = {}, b""
    for name, array in state.items():
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets} | changed
        data += array.tobytes()
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("name", TORCH)
def test_safetensors(name: str, tmp_path: Path) -> None:
    case = filled(TORCH[name], 1)
    write_safetensors(tmp_path / "model.safetensors", state_of(case))
    spec, weights = read_model(tmp_path / "model.safetensors")
    assert spec == case.spec
    for ours, theirs, full in zip(weights, case.weights, spec.weight_shapes, strict=True):
        assert np.array_equal(ours, theirs), full


@pytest.mark.parametrize("nested", [None, "state_dict", "model_state_dict"])
def test_a_state_dict_with_weights_only(nested: str | None, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    case = filled(TORCH["lstm"], 1)
    state: Any = {name: torch.tensor(np.array(array)) for name, array in state_of(case).items()}
    state["steps"] = torch.tensor(3)  # a counter, such as that of a batch norm, is no weight
    torch.save(state if nested is None else {"epoch": 3, nested: state}, tmp_path / "model.pt")
    spec, weights = read_model(tmp_path / "model.pt")
    assert spec == case.spec
    assert all(map(np.array_equal, weights, case.weights))


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (
            {"fc.weight": np.zeros((2, 4), "f4")},
            "it has no weights of nn.RNN, GRU or LSTM (weight_ih_l0, ...); it has fc",
        ),
        (
            {**state_of(filled(TORCH["lstm"])), "out.weight": np.zeros((3, 2), "f4")},
            "beside its recurrent modules it has out.weight, and a Spec has one Embedding before them and one Dense",
        ),
        (
            {**state_of(filled(TORCH["lstm"])), "encoder.rnn.weight_hr_l0": np.zeros((2, 4), "f4")},
            "layer 0 is no RNN, GRU or LSTM: it has weight_ih (16, 3), weight_hh (16, 4)",
        ),
    ],
)
def test_modules_that_a_spec_has_no_place_for(state: Any, sentence: str, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", state)
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(tmp_path / "model.safetensors")


def test_the_recurrent_part_of_a_state_dict(tmp_path: Path) -> None:
    case = filled(TORCH["lstm"])
    write_safetensors(tmp_path / "model.safetensors", {**state_of(case), "out.weight": np.zeros((3, 2), "f4")})
    spec, weights = read_model(tmp_path / "model.safetensors", part="recurrent")
    assert spec == Spec(3, LSTM(4, return_sequences=True))
    assert all(map(np.array_equal, weights, case.weights[:3]))
    assert read_model(tmp_path / "model.safetensors", part="encoder.rnn")[0] == spec


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"shape": [1 << 20, 1 << 20]}, "should have 4,398,046,511,104 bytes, which the file does not hold there"),
        ({"shape": [-1, 3]}, "which the file does not hold there"),
        ({"data_offsets": [1 << 40, (1 << 40) + 192]}, "which the file does not hold there"),
    ],
)
def test_safetensors_that_say_more_than_they_hold(changed: Any, sentence: str, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", state_of(filled(TORCH["lstm"])), **changed)
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 8 + b"{}")
    with pytest.raises(ImplementationError, match="its header is said to be longer than the file"):
        read_model(tmp_path / "model.safetensors")


class Touches:
    """What pickle makes of it is a call; a harmless one, which would leave a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return (Path.touch, (self.file,))


def test_pickles_are_not_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    touched, file = tmp_path / "touched", tmp_path / "model.pt"
    torch.save({"rnn.weight_ih_l0": torch.zeros(4, 3), "more": Touches(touched)}, file)
    with pytest.raises(ImplementationError, match="it holds more than weights, whose pickle would run code: save"):
        read_model(file)
    torch.save(torch.nn.LSTM(2, 3), file)  # a whole module
    with pytest.raises(ImplementationError, match="it holds more than weights"):
        read_model(file)
    torch.save(torch.nn.LSTM(2, 3).state_dict(), file, _use_new_zipfile_serialization=False)
    with pytest.raises(ImplementationError, match=r"it is no archive as torch.save has written since 1.6"):
        read_model(file)
    torch.save([1], file)
    with pytest.raises(ImplementationError, match="it holds a list, expected the state_dict of a model"):
        read_model(file)
    torch.save({"rnn.weight_ih_l0": torch.zeros(1).expand(1 << 20, 1 << 20)}, file)  # one number, repeated
    with pytest.raises(
        ImplementationError, match="should have 1,099,511,627,776 numbers, which the file does not hold"
    ):
        read_model(file)
    assert not touched.exists()


@pytest.mark.parametrize(("suffix", "library", "line"), [("pt", "torch", "torch"), ("onnx", "onnx", "onnx")])
def test_what_is_not_installed(suffix: str, library: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, library, None)
    sentence = f'that needs {library}: pip install "pytest-rnnequiv[{line}]"'
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(f"model.{suffix}")


# ---- ONNX ----


class Made:
    """An ONNX model that is made node by node, as exporters make them."""

    def __init__(self, case: Case, batch_first: bool = True) -> None:
        import onnx

        self.onnx, self.case, self.batch_first = onnx, case, batch_first
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        spec, axes = case.spec, (["N", "T"] if batch_first else ["T", "N"])
        kind = onnx.TensorProto.INT32 if spec.embedded else onnx.TensorProto.FLOAT
        self.x = onnx.helper.make_tensor_value_info("x", kind, axes + ([] if spec.embedded else [spec.D]))
        self.tip = "x"
        if spec.embedded:
            self.add("Gather", self.constant("E", case.named_weights["embedding/E"]), "x")
        if batch_first:
            self.add("Transpose", self.tip, perm=[1, 0, 2])

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def add(self, op: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        made = list(outputs) or [f"{op}{len(self.nodes)}"]
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), made, name=f"n{len(self.nodes)}", **attributes))
        self.tip = made[0]
        return self.tip

    def recurrent(self, i: int, **more: Any) -> str:
        """Add the node of a layer; its first output is every step, its second the last states."""
        layer = self.case.spec.layers[i]
        node = layouts.to_onnx(layer, list(self.case.part(f"layer{i}").values()))
        names = [self.constant(f"{letter}{i}", getattr(node, letter)) for letter in "WR"]
        names += [] if node.B is None else [self.constant(f"B{i}", node.B)]
        return self.add(node.op, self.tip, *names, outputs=[f"Y{i}", f"Yh{i}"], **node.attributes | more)

    def forward(self, i: int) -> None:
        """Add a layer of one direction."""
        self.recurrent(i)
        last = not self.case.spec.layers[i].return_sequences
        self.add("Squeeze", f"Yh{i}" if last else f"Y{i}", self.constant("axes", [0] if last else [1]))

    def both(self, i: int) -> None:
        """Add a layer of two directions, which are put side by side by a reshape."""
        self.recurrent(i)
        self.add("Transpose", f"Y{i}", perm=[0, 2, 1, 3])
        self.add("Reshape", self.tip, self.constant("shape", [0, 0, -1]))

    def head(self, *functions: str) -> None:
        own = self.case.part("head")
        if self.case.spec.layers[-1].return_sequences and self.batch_first:
            self.add("Transpose", self.tip, perm=[1, 0, 2])
        self.add("MatMul", self.tip, self.constant("Wo", own["Wo"]))
        if "bo" in own:
            self.add("Add", self.constant("bo", own["bo"]), self.tip)
        for function in functions:
            self.add(function, self.tip)

    def save(self, file: Path, **options: Any) -> Path:
        make, from_array = self.onnx.helper, self.onnx.numpy_helper.from_array
        y = self.onnx.ValueInfoProto(name=self.tip)
        constants = [from_array(np.array(a, order="C"), name) for name, a in self.constants.items()]
        graph = make.make_graph(self.nodes, "made", [self.x], [y], constants)
        model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
        self.onnx.save(model, file, **options)
        return file


def lstm_with_head(made: Made) -> None:
    made.forward(0)
    made.head()


def stack(made: Made) -> None:
    made.both(0)
    made.forward(1)
    made.head("Softmax")


def last_step(made: Made) -> None:
    made.recurrent(0)
    made.add("Squeeze", made.tip, made.constant("axes", [1]))
    made.add("Gather", made.tip, made.constant("last", -1), axis=0)
    made.head("Relu")


def gemm(made: Made) -> None:
    made.forward(0)
    own = made.case.part("head")
    made.add("Gemm", made.tip, made.constant("W", own["Wo"].T), made.constant("b", own["bo"]), transB=1)


def summed(made: Made) -> None:
    made.recurrent(0)
    sides = [made.add("Gather", "Y0", made.constant(f"d{d}", d), axis=1) for d in (0, 1)]
    made.add("Add", *sides)
    made.add("Mul", made.tip, made.constant("half", np.float32(0.5)))


def backwards(made: Made) -> None:
    made.recurrent(0)
    made.add("Squeeze", "Y0", made.constant("axes", [1]))
    ends = {"start": [-1], "end": [np.iinfo(np.int64).min], "axis": [0], "step": [-1]}
    made.add("Slice", made.tip, *(made.constant(name, np.array(a, np.int64)) for name, a in ends.items()))
    made.add("Transpose", made.tip, perm=[1, 0, 2])


ONNX: dict[str, tuple[Spec, Callable[[Made], None], bool]] = {
    "lstm": (Spec.simple(3, 4, 2, cell="LSTM"), lstm_with_head, True),
    "time major": (Spec.simple(3, 4, 2, cell="GRU"), lstm_with_head, False),
    "stack": (
        Spec(3, (Bidirectional(GRU(4, return_sequences=True)), LSTM(3)), Dense(2, "softmax", use_bias=False)),
        stack,
        True,
    ),
    "last step": (Spec.simple(3, 4, 2, "relu", head_activation="relu"), last_step, True),
    "gemm": (Spec(3, GRU(4, reset_after=False, use_bias=False), Dense(2)), gemm, True),
    "summed": (Spec(3, Bidirectional(SimpleRNN(4, return_sequences=True), merge_mode="ave")), summed, False),
    "backwards": (Spec(3, LSTM(4, return_sequences=True, go_backwards=True)), backwards, True),
    "words": (Spec(3, GRU(4), Dense(2), source="embedding", vocabulary=7), lstm_with_head, True),
}


def write_onnx(name: str, file: Path, **options: Any) -> Case:
    spec, build, batch_first = ONNX[name]
    case = filled(spec, 1)
    made = Made(case, batch_first)
    build(made)
    made.save(file, **options)
    return case


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name: str, tmp_path: Path) -> None:
    """What is read is what was written, and what ONNX Runtime computes of it, layer by layer."""
    pytest.importorskip("onnx")
    case = write_onnx(name, tmp_path / "model.onnx")
    spec, weights = read_model(tmp_path / "model.onnx")
    assert spec == case.spec
    assert all(np.array_equal(a, b) for a, b in zip(weights, case.weights, strict=True))
    pytest.importorskip("onnxruntime")
    port = resolve(str(tmp_path / "model.onnx"))
    assert port.fixed is not None
    assert not port.any_weights
    shown = port.run(case)
    verdict = judge(case, shown)
    assert verdict.equivalent, verdict
    assert [layer is not None for layer in shown.shown_layers] == [True] * len(spec.layers)


@pytest.mark.parametrize("steps", [True, False])
def test_several_dense_layers_are_one_head(steps: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx_model = import_module("pytest_rnnequiv.implementations.onnx_model").onnx_model
    head = (Dense(6, "relu"), Dense(5, use_bias=False), Dense(4, "sigmoid"), Dense(2))
    case = filled(Spec(3, LSTM(4, return_sequences=steps), head), 3)
    (tmp_path / "model.onnx").write_bytes(onnx_model(case).SerializeToString())
    spec, weights = read_model(tmp_path / "model.onnx")
    assert spec == case.spec
    assert all(map(np.array_equal, weights, case.weights))
    port = resolve(str(tmp_path / "model.onnx"))
    assert judge(case, port.run(case), port.precision).equivalent


def test_a_branch_is_no_further_dense_layer() -> None:
    """A tensor that has not come through all Dense layers goes through no other one."""
    chain, one = DenseChain(), np.ones((2, 2))
    assert chain.extend(0, one) == 1
    assert chain.add_bias(1, np.ones(2))
    assert not chain.add_bias(1, np.ones(2))
    assert chain.activate(1, "relu")
    assert not chain.activate(1, "relu")
    assert chain.extend(0, one) is None
    assert chain.extend(1, one, np.ones(3)) is None
    chain.end(1)
    assert (chain.layers, len(chain.arrays)) == ([Dense(2, "relu")], 2)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_a_right_file_is_judged_in_the_arithmetic_of_its_runtime(activation: str, tmp_path: Path) -> None:
    """The candidate of a GRU of ONNX Runtime passes the limits of tanh and of sigmoid, in a file too."""
    pytest.importorskip("onnxruntime")
    onnx_model = import_module("pytest_rnnequiv.implementations.onnx_model").onnx_model
    file, declared = tmp_path / "model.onnx", resolve("onnxruntime").precision
    for seed in range(6):
        case = filled(Spec.simple(1, 4, 1, activation, cell="GRU"), seed)
        case = case.replace(Wh=0 * case.Wh, x=np.linspace(-60, 60, 2000).reshape(-1, 2, 1))
        file.write_bytes(onnx_model(case).SerializeToString())
        port = resolve(str(file))
        assert port.precision == declared
        verdict = judge(case, port.run(case), port.precision)
        assert verdict.equivalent, verdict
    assert [precision for *_, precision, _ in answers(read_model(file), str(file), str(file))] == [declared] * 3


def test_weights_that_lie_beside_the_model(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    outside = tmp_path / "weights.bin"
    folder = tmp_path / "model"
    folder.mkdir()
    file = folder / "model.onnx"
    external = {"save_as_external_data": True, "size_threshold": 0, "location": "weights.bin"}
    case = write_onnx("lstm", file, **external)
    assert all(map(np.array_equal, read_model(file)[1], case.weights))
    content, model = (folder / "weights.bin").read_bytes(), file.read_bytes()
    outside.write_bytes(content)
    for location in ("../weights.bin", str(outside), "..\\weights.bin", "", "a/../../weights.bin"):
        proto = onnx.load_from_string(model)
        for tensor in proto.graph.initializer:
            for entry in tensor.external_data:
                entry.value = location if entry.key == "location" else entry.value
        file.write_bytes(proto.SerializeToString())
        with pytest.raises(ImplementationError, match="outside of its folder, where nothing is read"):
            read_model(file)
    file.write_bytes(model)
    (folder / "weights.bin").unlink()
    try:
        (folder / "weights.bin").symlink_to(outside)
    except OSError:  # not everybody may do that on Windows
        pass
    else:
        with pytest.raises(ImplementationError, match="outside of its folder, where nothing is read"):
            read_model(file)
        (folder / "weights.bin").unlink()
    (folder / "weights.bin").write_bytes(content[:8])
    with pytest.raises(ImplementationError, match=r"should have 192 bytes, and weights.bin has 8, of which"):
        read_model(file)


def lengths(made: Made) -> None:
    made.forward(0)
    made.nodes[-2].input.extend([made.constant("lengths", np.array([3, 5, 5], np.int32))])


def a_state(made: Made) -> None:
    made.forward(0)
    made.nodes[-2].input.extend(["", made.constant("h0", np.ones((1, 3, 4), np.float32))])


def something_behind(made: Made) -> None:
    lstm_with_head(made)
    made.add("Erf", made.tip)


def no_recurrence(made: Made) -> None:
    made.add("MatMul", made.tip, made.constant("W", np.ones((3, 2), np.float32)))


def last_of_both(made: Made) -> None:
    made.both(0)
    made.add("Gather", made.tip, made.constant("last", -1), axis=0)


@pytest.mark.parametrize(
    ("spec", "build", "sentence"),
    [
        (Spec(3, LSTM(4)), lengths, "its node LSTM takes sequence_lens"),
        (Spec(3, LSTM(4)), a_state, "its node LSTM takes an initial state, h0, that is not zeros"),
        (
            Spec.simple(3, 4, 2),
            something_behind,
            "its node Erf (n5) does what a Spec has no place for: part='recurrent'",
        ),
        (Spec(3, GRU(4)), no_recurrence, "it has no node RNN, GRU or LSTM: its recurrence is unrolled, or in a Loop"),
        (Spec(3, Bidirectional(GRU(4))), last_of_both, "it takes the last step of what was read backwards"),
    ],
)
def test_graphs_that_a_spec_cannot_hold(spec: Spec, build: Any, sentence: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    made = Made(filled(spec, 1))
    build(made)
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(made.save(tmp_path / "model.onnx"))


def test_the_recurrent_part_of_a_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made = Made(filled(Spec.simple(3, 4, 2), 1))
    something_behind(made)
    file = made.save(tmp_path / "model.onnx")
    spec, weights = read_model(file, part="recurrent")
    assert spec == Spec(3, SimpleRNN(4, return_sequences=True))
    case = filled(spec, 2).replace(weights=weights)
    assert judge(case, resolve(str(file), "recurrent").run(case)).equivalent


def test_the_recurrent_part_without_what_comes_before_it(tmp_path: Path) -> None:
    """It is run as it stands in the file, from the tensor on with which it begins."""
    pytest.importorskip("onnxruntime")
    made = Made(filled(Spec.simple(3, 4, 2, cell="LSTM"), 1))
    made.add("Sin", made.tip)
    lstm_with_head(made)
    file = made.save(tmp_path / "model.onnx")
    with pytest.raises(ImplementationError, match=r"its node Sin \(n1\) does what a Spec has no place for: part='rec"):
        read_model(file)
    spec, weights = read_model(file, part="recurrent")
    assert spec == Spec(3, LSTM(4, return_sequences=True))
    case = filled(spec, 2).replace(weights=weights)
    port = resolve(str(file), "recurrent")
    assert judge(case, port.run(case)).equivalent
    assert judge(case.replace(weights=[2 * w for w in weights]), port.run(case)).different


def test_one_node_of_a_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    spec = Spec(3, (Bidirectional(GRU(4, return_sequences=True)), LSTM(5, return_sequences=True)), Dense(2))
    made = Made(filled(spec, 1))
    made.both(0)
    made.add("Abs", made.tip)
    made.forward(1)
    made.head()
    gru, lstm = (node.name for node in made.nodes if node.op_type in ("GRU", "LSTM"))
    file = made.save(tmp_path / "model.onnx")
    with pytest.raises(ImplementationError, match=rf"part='{gru}' .* by itself \(it has {gru}, {lstm}\)"):
        read_model(file)
    for name, own in ((gru, Spec(3, spec.layers[0])), (lstm, Spec(8, spec.layers[1]))):
        assert read_model(file, part=name)[0] == own
        case = filled(own, 2).replace(weights=read_model(file, part=name)[1])
        assert judge(case, resolve(str(file), name).run(case)).equivalent
    with pytest.raises(ImplementationError, match=f"no recurrent node of the name 'lstm'; it has {gru}, {lstm}"):
        read_model(file, part="lstm")


def ids_below_zero(made: Made, table: str = "E") -> None:
    """Look ids up as Keras does, those below 0 counted from the end, with what tf2onnx makes of it."""
    made.nodes.clear()
    vocabulary = len(made.constants[table])
    below = made.add("Less", "x", made.constant("zero", np.int32(0)))
    turned = made.add("Add", "x", made.constant("size", np.int32(vocabulary)))
    made.add("Gather", table, made.add("Where", below, turned, "x"))
    made.add("Transpose", made.tip, perm=[1, 0, 2])


def test_an_embedding_of_keras(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    spec = Spec(3, GRU(4), Dense(2), source="embedding", vocabulary=7)
    made = Made(filled(spec, 1))
    ids_below_zero(made)
    lstm_with_head(made)
    assert read_model(made.save(tmp_path / "model.onnx"))[0] == spec
    made.constants["size"] = np.int32(6)  # a slip, but of ids that nobody has
    assert read_model(made.save(tmp_path / "model.onnx"))[0] == spec
    made.constants["zero"] = np.int32(1)
    with pytest.raises(ImplementationError, match="its node Gather .* does what a Spec has no place for"):
        read_model(made.save(tmp_path / "model.onnx"))


def both_ends(made: Made) -> None:
    """Take the last step of each direction where it ends, as Keras's export does."""
    made.recurrent(0)
    sides = []
    for d, (start, end) in enumerate(((-1, 2**31 - 1), (0, 1))):
        side = made.add("Gather", "Y0", made.constant(f"d{d}", d), axis=1)
        ends = [made.constant(f"{name}{d}", np.array([n])) for name, n in (("start", start), ("end", end), ("axis", 0))]
        sides.append(made.add("Squeeze", made.add("Slice", side, *ends), made.constant("axes", [0])))
    made.add("Concat", *sides, axis=1)


def test_both_directions_at_their_ends(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made = Made(filled(Spec(3, Bidirectional(LSTM(4))), 1))
    both_ends(made)
    file = made.save(tmp_path / "model.onnx")
    assert read_model(file)[0] == made.case.spec
    assert judge(made.case, resolve(str(file)).run(made.case)).equivalent


def test_constants_that_unfold_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each node doubles what there was; all together are bounded."""
    pytest.importorskip("onnx")
    constants = import_module("pytest_rnnequiv.implementations.files.onnx_constants")
    monkeypatch.setattr(constants, "LARGEST", 2**20)
    made = Made(filled(Spec.simple(3, 4, 2), 1))
    name = made.constant("seed", np.ones(64, np.float32))
    for _ in range(12):
        name = made.add("Concat", name, name, axis=0)
    lstm_with_head(made)
    with pytest.raises(ImplementationError, match="its nodes would put more than 1,048,576 bytes of constants toget"):
        read_model(made.save(tmp_path / "model.onnx"))


def test_files_that_are_no_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    for content in (b"", b"no model at all"):
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(ImplementationError, match="it is no ONNX model"):
            read_model(tmp_path / "model.onnx")


# ---- two files ----


def test_two_files_of_one_model(tmp_path: Path) -> None:
    """Of weights alone, the other file says what there is beside them."""
    pytest.importorskip("onnxruntime")
    write_onnx("lstm", tmp_path / "model.onnx")
    case = filled(ONNX["lstm"][0], 1)
    write_safetensors(tmp_path / "model.safetensors", state_of(case))
    assert_equivalent(tmp_path / "model.safetensors", tmp_path / "model.onnx")
    assert_equivalent(str(tmp_path / "model.onnx"), str(tmp_path / "model.safetensors"))


def test_two_files_of_two_models(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    case = filled(TORCH["lstm"], 1)
    own = dict(zip(("Wx", "Wh", "bh"), case.weights, strict=False))
    wrong = [np.concatenate([a[..., 4:8], a[..., :4], a[..., 8:]], -1) for a in own.values()]
    write_safetensors(tmp_path / "right.safetensors", state_of(case))
    write_safetensors(tmp_path / "wrong.safetensors", state_of(case.replace(weights=[*wrong, *case.weights[3:]])))
    with pytest.raises(EquivalenceError) as raised:
        assert_equivalent(tmp_path / "right.safetensors", tmp_path / "wrong.safetensors")
    assert raised.value.diagnosis.explanations[0].says == "with the input gate and the forget gate exchanged"
    sentence = "wrong.safetensors, as it was read, whose layer0 has other numbers, is not the recurrence"
    assert sentence in str(raised.value)
    write_safetensors(tmp_path / "other.safetensors", state_of(filled(Spec(2, GRU(3, return_sequences=True)))))
    with pytest.raises(
        EquivalenceError, match=r"which is D=2 -> GRU\(3, return_sequences=True\), is not the recurrence"
    ):
        assert_equivalent(tmp_path / "right.safetensors", tmp_path / "other.safetensors")


def test_a_file_that_can_be_run_and_not_be_read(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made = Made(filled(Spec.simple(3, 4, 2), 1))
    no_recurrence(made)
    port = resolve(str(made.save(tmp_path / "model.onnx")))
    assert port.fixed is None
    assert not port.any_weights
    assert "it has no node RNN, GRU or LSTM" in port.runner.implementation.unread


def test_a_runtime_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    monkeypatch.setattr("pytest_rnnequiv.implementations.registry.find_spec", lambda name: None)
    with pytest.raises(
        MissingRuntime, match=r'needs onnx and onnxruntime, .* here: pip install "pytest-rnnequiv\[onnxruntime\]"'
    ):
        check_available([str(tmp_path / "model.onnx")])


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "dynamo"])
@pytest.mark.filterwarnings("ignore")
def test_what_the_exporters_of_pytorch_write(dynamo: bool, tmp_path: Path) -> None:
    """The file is read, run, and found to be the model of its state_dict, and not that of an earlier one of a layer."""
    for library in ("onnx", "onnxruntime", *(["onnxscript"] if dynamo else [])):
        pytest.importorskip(library)
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.GRU(3, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
            self.fc = torch.nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            return self.fc(self.rnn(x)[0])

    net, model = Net().eval(), tmp_path / "net.onnx"
    state = net.state_dict()
    torch.save(state, tmp_path / "net.pt")
    earlier = {name: 0.9 * each if name == "rnn.weight_hh_l1" else each for name, each in state.items()}
    torch.save(earlier, tmp_path / "earlier.pt")
    sizes: dict[str, Any] = {"dynamic_axes": {"x": {0: "N", 1: "T"}}}
    if dynamo:
        sizes = {"dynamic_shapes": ({0: torch.export.Dim("N"), 1: torch.export.Dim("T")},)}
    torch.onnx.export(net, (torch.zeros(2, 6, 3),), model, dynamo=dynamo, input_names=["x"], **sizes)
    assert str(read_model(model)[0]).count("Bidirectional(GRU(4, return_sequences=True))") == 2
    assert_equivalent(tmp_path / "net.pt", model)
    with pytest.raises(EquivalenceError, match="net.onnx, whose layer1/forward/Wh has other numbers, is not") as raised:
        assert_equivalent(tmp_path / "earlier.pt", model)
    assert "first broken layer1 forward: state (sample 0, step 1" in str(raised.value)
