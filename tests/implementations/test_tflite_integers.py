"""Unrolled layers in a ``.tflite`` that computes in integers: what its scales declare, and what is wrong in one."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import converter_to_tflite

from pytest_rnnequiv import Case, Trajectory, judge, read_model
from pytest_rnnequiv.arithmetic.formats import Scaled
from pytest_rnnequiv.failures.two_files import answers
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files.tflite_data import Operator, Subgraph, Tensor, load
from pytest_rnnequiv.implementations.files.tflite_integers import precision_of_unrolled
from pytest_rnnequiv.implementations.files.tflite_operators import Operators
from pytest_rnnequiv.implementations.files.tflite_unrolled import Unrolled
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.judging.verdict import Verdict
from pytest_rnnequiv.mistakes.diagnosis import explain
from pytest_rnnequiv.model.trajectory import BadAnswer
from pytest_rnnequiv.suite.probing import of_its_file

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("ignore")]

N, T, D, M = 1, 3, 2, 4

#: How files are made: the layer, the scheme, and whether inputs and outputs are integers too.
MADE = {"LSTM": ("LSTM", "int8", True), "GRU": ("GRU", "int16", False)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, and what TensorFlow's converter makes of them with a representative dataset."""
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("models")
    for name, (cell, scheme, io) in MADE.items():
        keras.utils.set_random_seed(1)
        layers = [getattr(keras.layers, cell)(M, unroll=True), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((T, D), batch_size=N), *layers])
        rng = np.random.default_rng(1)
        model.set_weights([rng.normal(size=w.shape) / 2 for w in model.get_weights()])
        model.save(folder / f"{name}.keras")
        converter, sets = converter_to_tflite(model), tf.lite.OpsSet
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        samples = [[rng.standard_normal((N, T, D)).astype("f4")] for _ in range(30)]
        converter.representative_dataset = lambda samples=samples: iter(samples)
        int16 = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [int16 if scheme == "int16" else sets.TFLITE_BUILTINS_INT8]
        if io:
            converter.inference_input_type = converter.inference_output_type = tf.int8
        (folder / f"{name}.tflite").write_bytes(converter.convert())
    return folder


@pytest.fixture(autouse=True)
def litert(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteRT; where it is not installed, the interpreter that TensorFlow still has of it."""
    if find_spec("ai_edge_litert") is None:
        interpreter: Any = pytest.importorskip("tensorflow.lite.python.interpreter")
        package = types.ModuleType("ai_edge_litert")
        package.__version__ = "of TensorFlow"  # type: ignore[attr-defined]
        package.__spec__ = ModuleSpec("ai_edge_litert", None)
        monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
        monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", interpreter)


def asked(file: Path, model: Path, count: int = 12) -> tuple[Port, list[tuple[Case, Trajectory]]]:
    """Run a file on some inputs."""
    port, (spec, weights), rng = resolve(str(file)), read_model(model), np.random.default_rng(2)
    cases = [Case(spec, rng.standard_normal((N, T, D)), weights=weights) for _ in range(count)]
    return port, [(case, port.run(case)) for case in cases]


def verdicts(
    port: Port, seen: list[tuple[Case, Trajectory]], change: Callable[..., Any] | None = None
) -> list[Verdict]:
    """Judge what was seen as another model, whose weights are changed."""
    cases = [case if change is None else case.with_weights(**change(case)) for case, _ in seen]
    return [judge(case, shown, port.precision) for case, (_, shown) in zip(cases, seen, strict=True)]


def transposed(case: Case) -> dict[str, Any]:
    return {"layer0/Wh": np.concatenate([gate.T for gate in np.split(case.Wh, case.Wh.shape[1] // M, 1)], 1)}


def without_bias(case: Case) -> dict[str, Any]:
    return {"layer0/bh": np.zeros_like(case.bh)}


def one_channel(case: Case) -> dict[str, Any]:
    return {"layer0/Wx": case.Wx * np.where(np.arange(case.Wx.shape[1]) == 2, 2, 1).astype("f4")}


def test_a_right_file_is_equivalent_and_no_other_model_is(files: Path) -> None:
    port, seen = asked(files / "LSTM.tflite", files / "LSTM.keras")
    assert port.precision is not None
    assert port.precision.name == "int8, as its file says"
    assert not port.supports.nan
    right = verdicts(port, seen)
    assert {each.status for each in right} == {"equivalent"}
    assert {each.way for each in right} == {"induction"}
    for change in (transposed, without_bias, one_channel):
        assert {each.status for each in verdicts(port, seen, change)} == {"different"}
    assert not port.remarks()


def test_a_mistake_is_named(files: Path) -> None:
    """The model is the one with the mistake here, which comes to the same, and takes no other conversion."""
    port, seen = asked(files / "LSTM.tflite", files / "LSTM.keras")
    for change, name in ((transposed, "Wh-transposed"), (one_channel, "Wx-scale-of-unit-2-of-i-halved")):
        wrong = [Observation.of(case.with_weights(**change(case)), shown) for case, shown in seen[:3]]
        assert name in [m.name for each in explain(wrong, port.precision).explanations for m in each.mistakes]


def test_biases_on_another_scale_are_told(files: Path) -> None:
    """TensorFlow 2.21 gives a GRU in 16x8 one bias for all steps, whose scale is that of one of them."""
    port, seen = asked(files / "GRU.tflite", files / "GRU.keras", 3)
    assert port.precision is not None
    assert port.precision.name == "int16, as its file says"
    if port.says:  # until that is mended
        assert {each.status for each in verdicts(port, seen)} == {"different"}
        *_, name = next(answers(read_model(files / "GRU.keras"), str(files / "GRU.keras"), str(files / "GRU.tflite")))
        assert re.search(r"in which \d products? adds? a bias whose scale is not theirs: it counts for", name)
        assert of_its_file(port)[0].startswith("in its file, ")
    else:
        assert {each.status for each in verdicts(port, seen)} == {"equivalent"}


def changed(file: Path, to: Path, change: Callable[[Any, Callable[[int], list[Any]]], None]) -> Path:
    """Write a file with another content; `change` gets its graph, and the outputs of each kind of operators."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema: Any = pytest.importorskip("tensorflow.lite.python.schema_py_generated")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read_bytes(), 0))
    (graph,), codes = model.subgraphs, [code.builtinCode for code in model.operatorCodes]

    def outputs(code: int) -> list[Any]:
        return [graph.tensors[e.outputs[0]] for e in graph.operators if codes[e.opcodeIndex] == code]

    change(graph, outputs)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    to.write_bytes(bytes(builder.Output()))
    return to


def test_a_zero_point_that_cuts_off_is_remarked(files: Path, tmp_path: Path) -> None:
    def shift(graph: Any, outputs: Callable[[int], list[Any]]) -> None:
        outputs(18)[2].quantization.zeroPoint = np.array([127])

    port, seen = asked(changed(files / "LSTM.tflite", tmp_path / "shifted.tflite", shift), files / "LSTM.keras")
    assert {each.status for each in verdicts(port, seen)} == {"equivalent"}  # it is a range that the file may have
    (remark,) = port.remarks()
    assert remark.startswith("shifted.tflite: its tensor '")
    assert "is cut off at an end of its range in most cases: its zero point or its scale is wrong" in remark


def test_copies_on_another_scale_are_no_answer(files: Path, tmp_path: Path) -> None:
    def shift(graph: Any, outputs: Callable[[int], list[Any]]) -> None:
        said = outputs(0)[1].quantization
        said.scale = np.array(said.scale) * np.float32(1.5)

    file = changed(files / "LSTM.tflite", tmp_path / "scale.tflite", shift)
    with pytest.raises(BadAnswer, match="its .* has another scale or zero point than the integers that it hands on"):
        asked(file, files / "LSTM.keras", 1)


def test_a_wrong_scale_of_a_kernel_is_seen(files: Path, tmp_path: Path) -> None:
    def doubled(graph: Any, outputs: Callable[[int], list[Any]]) -> None:
        said = next(each for each in graph.tensors if each.type == 9 and list(each.shape) == [4 * M, M]).quantization
        said.scale = np.array(said.scale) * np.float32(2)

    port, seen = asked(changed(files / "LSTM.tflite", tmp_path / "doubled.tflite", doubled), files / "LSTM.keras")
    assert {each.status for each in verdicts(port, seen)} == {"different"}
    found = explain([Observation.of(*each) for each in seen[:2]], port.precision).explanations
    assert [each.says for each in found][:1] == ["with `Wh` multiplied by 2"]


def test_what_litert_does_not_compute_is_no_answer(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, _ = asked(files / "LSTM.tflite", files / "LSTM.keras", 1)
    lite = port.runner.implementation._interpreter
    wrong = port.runner.implementation.unrolled.states[1]
    true = lite.get_tensor
    monkeypatch.setattr(lite, "get_tensor", lambda number: true(number) + (number == wrong))
    spec, weights = read_model(files / "LSTM.keras")
    with pytest.raises(
        BadAnswer, match="LiteRT computes something else than the file says: its MUL '.*' is off by more"
    ):
        port.run(Case(spec, np.ones((N, T, D)), weights=weights))


def test_what_is_not_followed_is_refused(files: Path, tmp_path: Path) -> None:
    def cut(graph: Any, outputs: Callable[[int], list[Any]]) -> None:
        graph.operators = graph.operators[: len(graph.operators) // 2]
        graph.outputs = [int(graph.operators[-1].outputs[0])]

    file = changed(files / "LSTM.tflite", tmp_path / "half.tflite", cut)
    with pytest.raises(ImplementationError, match="no kernel is applied to the states of three steps or more; it comp"):
        resolve(str(file))


# ---- without a converter ----


def test_dynamic_range_of_an_unrolled_layer() -> None:
    """Kernels of int8 between floats: what they are multiplied with is rounded by row."""
    rng = np.random.default_rng(0)
    q = np.array([0.01]), np.zeros(1, int)
    whole = {n: np.full(shape, 1.27, "f4") for n, shape in {1: (M, D), 2: (M, M), 3: (2, M)}.items()}
    tensors = [Tensor(f"t{n}", (), np.dtype("f4"), None) for n in range(20)]
    for n, numbers in whole.items():
        tensors[n] = Tensor(f"t{n}", numbers.shape, np.dtype("i1"), numbers, q) if n < 3 else tensors[n]
    tensors[3] = Tensor("head", (2, M), np.dtype("f4"), rng.normal(size=(2, M)))

    class Asymmetric:
        def number(self, field: int, kind: str, default: Any) -> Any:
            return field == 3

    table: Any = Asymmetric()

    def graph(options: Any) -> Subgraph:
        made = [Operator("UNPACK", (0,), (4, 5, 6), None)]
        product = lambda x, w, y: Operator("FULLY_CONNECTED", (x, w, -1), (y,), options)  # noqa: E731
        made += [product(4, 1, 7), Operator("TANH", (7,), (8,), None)]
        for x, h, at in ((5, 8, 9), (6, 12, 13)):
            made += [product(x, 1, at), product(h, 2, at + 1), Operator("ADD", (at, at + 1), (at + 2,), None)]
            made.append(Operator("TANH", (at + 2,), (at + 3,), None))
        return Subgraph(tuple(tensors), (0,), (17,), (*made, product(16, 3, 17)))

    found = Unrolled(graph(table))
    assert found.states == [8, 12, 16]
    assert {letter: len(kernels) for letter, kernels in found.kernels.items()} == {"Wx": 1, "Wh": 1, "Wo": 1}
    p = precision_of_unrolled(found)
    assert p is not None
    assert p.name == "dynamic range int8, as its file says"
    assert {name: each.per for name, each in p.formats.items() if isinstance(each, Scaled)} == {
        "Wx": "tensor",
        "Wh": "tensor",
        "factors": "row",
    }
    with pytest.raises(ImplementationError, match="it rounds factors symmetrically"):
        precision_of_unrolled(Unrolled(graph(None)))


def test_an_operator_that_is_not_followed() -> None:
    with pytest.raises(ImplementationError, match="its operator WHILE is not followed in an unrolled layer"):
        Operators(Subgraph((), (), (), (Operator("WHILE", (), (), None),)))


def test_a_file_of_int8_is_read(files: Path) -> None:
    (graph,) = load(str(files / "LSTM.tflite"))
    found = Unrolled(graph)
    assert {letter: [t.shape for t in kernels] for letter, kernels in found.kernels.items()} == {
        "Wx": [(4 * M, D)],
        "Wh": [(4 * M, M)],
        "Wo": [(2, M)],
    }
    assert len(found.states) == T
    assert {*found.constants_off()} >= {"bh", "bo"}
