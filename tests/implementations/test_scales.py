"""Scales that are read out of model files, and the ports that libraries make with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import generic

from pytest_rnnequiv import Case, Precision, Trajectory, diagnose, judge
from pytest_rnnequiv.arithmetic.formats import Scaled
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files.scales import read_scales


def a_case(seed: int) -> Case:
    return generic(seed, N=2, T=4, M=24, D=8, scale=0.4, radius=0.9)


def all_ways(shown: Trajectory) -> list[Trajectory]:
    return [shown, Trajectory(np.asarray(shown.outputs)[:, -1])]


# ---- ONNX ----


def as_onnx(case: Case, path: Path) -> None:
    """The notebook's model, step by step: what a converter unrolls."""
    onnx = pytest.importorskip("onnx")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes, inputs, outputs = [], [], []

    def node(operator: str, made: str, *of: str) -> None:
        nodes.append(make.make_node(operator, list(of), [made], name=f"{operator}-{made}"))

    for t in range(case.T):
        node("MatMul", f"ax{t}", f"x{t}", "Wx")
        if t:
            node("MatMul", f"ah{t}", f"h{t - 1}", "Wh")
            node("Add", f"s{t}", f"ax{t}", f"ah{t}")
        node("Add", f"a{t}", f"s{t}" if t else f"ax{t}", "bh")
        node("Tanh", f"h{t}", f"a{t}")
        node("MatMul", f"m{t}", f"h{t}", "Wo")
        node("Add", f"y{t}", f"m{t}", "bo")
        inputs.append(make.make_tensor_value_info(f"x{t}", kind, [case.N, case.D]))
        outputs.append(make.make_tensor_value_info(f"h{t}", kind, [case.N, case.M]))
        outputs.append(make.make_tensor_value_info(f"y{t}", kind, [case.N, case.K]))
    letters = zip(("Wx", "Wh", "bh", "Wo", "bo"), case.weights, strict=True)
    graph = make.make_graph(
        nodes, "rnn", inputs, outputs, [onnx.numpy_helper.from_array(a, name) for name, a in letters]
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), path)


def run_onnx(case: Case, path: Path) -> Trajectory:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    told = dict(zip(names, session.run(None, {f"x{t}": case.x[:, t] for t in range(case.T)}), strict=True))
    y, h = (np.stack([told[f"{letter}{t}"] for t in range(case.T)], 1) for letter in "yh")
    return Trajectory(y, h)


@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic_quantization_of_onnx_runtime(tmp_path: Path, per_channel: bool) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    case = a_case(0)
    plain, file = tmp_path / "rnn.onnx", tmp_path / "int8.onnx"
    as_onnx(case, plain)
    # kernels in 7 bits: with 8, sums of two products overflow their 16 bits on processors without VNNI
    quantization.quantize_dynamic(plain, file, per_channel=per_channel, reduce_range=True)
    scales = read_scales(file)
    assert scales.keys() == {"Wx", "Wh", "Wo"}
    assert np.shape(scales["Wh"].scale) == ((case.M,) if per_channel else ())
    declared = Precision.float32.rounded(**scales, factors=Scaled(per="tensor", symmetric=False))
    transposed = case.replace(Wh=case.Wh.T)
    for shown in all_ways(run_onnx(case, file)):
        assert judge(case, shown, declared).equivalent
        assert judge(transposed, shown, declared).different
        assert judge(case.replace(bh=0 * case.bh), shown, declared).different
    assert diagnose(transposed, run_onnx(case, file), declared).name == "Wh-transposed"


def lstm_as_onnx(case: Case, path: Path) -> None:
    """An LSTM -> Dense of all steps, with one operator for the layer."""
    onnx = pytest.importorskip("onnx")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    biases = np.concatenate([gates_of_onnx(case.bh), np.zeros_like(case.bh)])
    known = {"W": gates_of_onnx(case.Wx).T, "R": gates_of_onnx(case.Wh).T, "B": biases}
    nodes = [
        make.make_node("LSTM", ["x", "W", "R", "B"], ["by_direction"], hidden_size=case.M),
        make.make_node("Squeeze", ["by_direction", "axis"], ["h"]),
        make.make_node("MatMul", ["h", "Wo"], ["products"]),
        make.make_node("Add", ["products", "bo"], ["y"]),
    ]
    arrays = {"axis": np.array([1]), "Wo": case.Wo, "bo": case.bo, **{name: a[None] for name, a in known.items()}}
    ends = {name: [case.T, case.N, size] for name, size in (("x", case.D), ("y", case.K), ("h", case.M))}
    x, y, h = (make.make_tensor_value_info(name, kind, shape) for name, shape in ends.items())
    constants = [onnx.numpy_helper.from_array(np.ascontiguousarray(a), name) for name, a in arrays.items()]
    graph = make.make_graph(nodes, "lstm", [x], [y, h], constants)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 14)], ir_version=8), path)


def gates_of_onnx(a: np.ndarray) -> np.ndarray:
    i, f, g, o = np.split(a, 4, -1)
    return np.concatenate([i, o, f, g], -1)


def gates_of_keras(scale: Any) -> Any:
    """The scales of an LSTM's kernel, in the order in which Keras has the gates."""
    if np.size(scale) == 1:
        return float(np.ravel(scale)[0])
    i, o, f, g = np.split(np.ravel(scale), 4)
    return np.concatenate([i, f, g, o])


def wrong_lstm(case: Case) -> dict[str, Case]:
    i, f, g, o = np.split(case.Wh, 4, 1)
    one_channel = np.where(np.arange(4 * case.M) == 1, np.float32(2), np.float32(1))
    return {
        "transposed": case.replace(Wh=np.concatenate([each.T for each in (i, f, g, o)], 1)),
        "bias": case.replace(bh=0 * case.bh),
        "gates": case.replace(Wh=np.concatenate([f, i, g, o], 1)),
        "scale": case.replace(Wx=2 * case.Wx),
        "channel": case.replace(Wx=one_channel * case.Wx),
    }


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_whole_sequence_has_one_scale_in_onnx_runtime(tmp_path: Path, per_channel: bool) -> None:
    """``DynamicQuantizeLSTM`` rounds all inputs at once, and states step by step; so does a product of all states."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    runtime = pytest.importorskip("onnxruntime")
    case = generic(0, cell="LSTM", N=2, T=7, D=5, M=12, K=3, scale=0.5, radius=0.9)
    plain, file = tmp_path / "lstm.onnx", tmp_path / "int8.onnx"
    lstm_as_onnx(case, plain)
    quantization.quantize_dynamic(
        plain, file, per_channel=per_channel, reduce_range=True, weight_type=quantization.QuantType.QInt8
    )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # several share the samples, and each makes scales of its own
    session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    y, h = session.run(["y", "h"], {"x": case.x.swapaxes(0, 1)})
    scales = read_scales(file)
    kernels = {"Wx": Scaled(gates_of_keras(scales["W"].scale)), "Wh": Scaled(gates_of_keras(scales["R"].scale))}
    factors = Scaled(per="sequence", symmetric=False)
    declared = Precision.float32.rounded(**kernels, Wo=scales["Wo"], factors=factors)
    by_step = declared.rounded(factors=factors.by_step())
    shown = Trajectory(y.swapaxes(0, 1), h.swapaxes(0, 1))
    for seen in (shown, Trajectory(shown.outputs)):
        assert judge(case, seen, declared).equivalent
        assert judge(case, seen, by_step).different
        for wrong in wrong_lstm(case).values():
            assert judge(wrong, seen, declared).different
    assert diagnose(wrong_lstm(case)["transposed"], shown, declared).name == "Wh-transposed"


def test_scales_of_quantize_and_dequantize(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    make, array = onnx.helper, onnx.numpy_helper.from_array
    nodes = [
        make.make_node("QuantizeLinear", ["x", "sx", "zx"], ["qx"]),
        make.make_node("DequantizeLinear", ["qx", "sx", "zx"], ["x8"]),
        make.make_node("DequantizeLinear", ["w_quantized", "sw", "zw"], ["w8"], axis=1),
        make.make_node("MatMul", ["x8", "w8"], ["y"]),
    ]
    known = [
        array(np.float32(0.02), "sx"),
        array(np.uint8(130), "zx"),
        array(np.zeros((2, 3), np.int8), "w_quantized"),
        array(np.array([0.1, 0.2, 0.3], np.float32), "sw"),
        array(np.zeros(3, np.int8), "zw"),
    ]
    ends = (make.make_tensor_value_info(name, 1, [1, size]) for name, size in (("x", 2), ("y", 3)))
    graph = make.make_graph(nodes, "g", [next(ends)], [next(ends)], known)
    onnx.save(make.make_model(graph), tmp_path / "qdq.onnx")
    found = read_scales(tmp_path / "qdq.onnx")
    assert (round(found["x"].scale, 6), found["x"].zero_point, found["x"].bits) == (0.02, 2, 8)
    assert found["w"].scale == pytest.approx([0.1, 0.2, 0.3])
    assert found["w"].zero_point == 0


# ---- .tflite ----


@pytest.mark.tensorflow
def test_scales_of_a_tflite(tmp_path: Path) -> None:
    flatbuffers = pytest.importorskip("flatbuffers")
    schema: Any = pytest.importorskip("tensorflow.lite.python.schema_py_generated")

    def tensor(name: str, kind: int, scales: list[float], zeros: list[int]) -> Any:
        made, said = schema.TensorT(), schema.QuantizationParametersT()
        said.scale, said.zeroPoint = scales, zeros
        made.name, made.shape, made.type, made.quantization = name, [len(scales), 1], kind, said
        return made

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [schema.BufferT()], [graph], []
    graph.inputs, graph.outputs, graph.operators = [], [], []
    graph.tensors = [tensor("x", 9, [0.5], [-3]), tensor("w", 9, [0.25, 0.5], [0, 0]), tensor("y", 0, [], [])]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "model.tflite").write_bytes(bytes(builder.Output()))
    found = read_scales(tmp_path / "model.tflite")
    assert found.keys() == {"x", "w"}
    assert (found["x"].scale, found["x"].zero_point) == (0.5, -3)
    assert found["w"].scale.tolist() == [0.25, 0.5]


def test_another_file_has_none(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    file.write_bytes(b"PK")
    with pytest.raises(ImplementationError, match=r"scales are read of \.tflite and \.onnx only"):
        read_scales(file)


# ---- PyTorch ----


class TorchCell:
    """``quantize_dynamic`` of a loop over an ``RNNCell``: int8 kernels, inputs and states in 7 bits for each step."""

    def __init__(self, case: Case) -> None:
        self.torch = torch = pytest.importorskip("torch")
        Wx, Wh, bh, Wo, bo = (torch.tensor(a) for a in case.weights)
        cell, head = torch.nn.RNNCell(case.D, case.M), torch.nn.Linear(case.M, case.K)
        with torch.no_grad():
            pairs = ((cell.weight_ih, Wx.T), (cell.weight_hh, Wh.T), (cell.bias_ih, bh), (cell.bias_hh, 0 * bh))
            for parameter, value in (*pairs, (head.weight, Wo.T), (head.bias, bo)):
                parameter.copy_(value)
        whole = torch.nn.ModuleDict({"cell": cell, "head": head})
        self.model = torch.ao.quantization.quantize_dynamic(whole, {torch.nn.RNNCell, torch.nn.Linear})
        kernels = self.model["cell"].get_weight()
        scales = (kernels["weight_ih"], kernels["weight_hh"], self.model["head"].weight())
        formats = {name: Scaled(w.q_scale()) for name, w in zip(("Wx", "Wh", "Wo"), scales, strict=True)}
        self.precision = Precision.float32.rounded(
            **formats, factors=Scaled(bits=7, per="tensor", symmetric=False)
        ).named("PyTorch's dynamic int8")

    def run(self, case: Case) -> Trajectory:
        torch, states, outputs = self.torch, [], []
        with torch.no_grad():
            h = torch.zeros(case.N, case.M)
            for t in range(case.T):
                h = self.model["cell"](torch.tensor(case.x[:, t]), h)
                states.append(h.numpy())
                outputs.append(self.model["head"](h).numpy())
        return Trajectory(np.stack(outputs, 1), np.stack(states, 1))


@pytest.mark.filterwarnings("ignore")  # it is to be removed
def test_dynamic_quantization_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    if torch.backends.quantized.engine not in ("x86", "fbgemm"):
        pytest.skip("other kernels of PyTorch round to 8 bits")
    for seed in range(2):
        case = a_case(seed)
        port = TorchCell(case)
        for shown in all_ways(port.run(case)):
            assert judge(case, shown, port.precision).equivalent
            assert judge(case.replace(Wh=case.Wh.T), shown, port.precision).different
            one_channel = case.Wh * np.where(np.arange(case.M) == 1, np.float32(2), np.float32(1))
            assert judge(case.replace(Wh=one_channel), shown, port.precision).different


@pytest.mark.filterwarnings("ignore")  # it is to be removed
def test_a_whole_sequence_has_one_scale_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    if torch.backends.quantized.engine not in ("x86", "fbgemm"):
        pytest.skip("other kernels of PyTorch round to 8 bits")
    case = generic(1, cell="LSTM", N=2, T=7, D=5, M=12, K=3, scale=0.5, radius=0.9)
    layer, head = torch.nn.LSTM(case.D, case.M, batch_first=True), torch.nn.Linear(case.M, case.K)
    with torch.no_grad():
        pairs = ((layer.weight_ih_l0, case.Wx.T), (layer.weight_hh_l0, case.Wh.T), (layer.bias_ih_l0, case.bh))
        ends = ((layer.bias_hh_l0, 0 * case.bh), (head.weight, case.Wo.T), (head.bias, case.bo))
        for parameter, value in (*pairs, *ends):
            parameter.copy_(torch.tensor(np.ascontiguousarray(value)))
        whole = torch.nn.ModuleDict({"layer": layer, "head": head})
        model = torch.ao.quantization.quantize_dynamic(whole, {torch.nn.LSTM, torch.nn.Linear})
        h, _ = model["layer"](torch.tensor(case.x))
        y = model["head"](h)
    kernels = model["layer"].get_weight()
    scales = (kernels["weight_ih_l0"], kernels["weight_hh_l0"], model["head"].weight())
    formats = {name: Scaled(w.q_scale()) for name, w in zip(("Wx", "Wh", "Wo"), scales, strict=True)}
    factors = Scaled(bits=7, per="sequence", symmetric=False)
    declared = Precision.float32.rounded(**formats, factors=factors)
    shown = Trajectory(y.numpy(), h.numpy())
    for seen in (shown, Trajectory(shown.outputs)):
        assert judge(case, seen, declared).equivalent
        assert judge(case, seen, declared.rounded(factors=factors.by_step())).different
        for wrong in wrong_lstm(case).values():
            assert judge(wrong, seen, declared).different
