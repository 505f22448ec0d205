"""Weights in the layouts of other frameworks: there and back, and computed there."""

from __future__ import annotations

import doctest
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_rnnequiv import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Case,
    Dense,
    SimpleRNN,
    Spec,
    judge,
    layouts,
    reference,
)
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.cells import GRUCell
from pytest_rnnequiv.model.layouts import common, onnx, pytorch

LAYERS: dict[str, Any] = {"SimpleRNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch, which is not installed")


def weights_of(spec: Spec, seed: int = 0, dtype: Any = np.float32) -> list[Any]:
    """Numbers that all differ."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in spec.weight_shapes.values()]


def same(ours: Any, theirs: Any) -> bool:
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)
    )


@st.composite
def networks(draw: Any, depth: int = 3, **fixed: Any) -> Spec:
    """Layers that one module of PyTorch can be; all of them show every step."""
    cell = draw(st.sampled_from(sorted(LAYERS)))
    options = {"use_bias": draw(st.booleans()), "return_sequences": True} | fixed
    options = {name: option for name, option in options.items() if cell == "GRU" or name != "reset_after"}
    layer = LAYERS[cell](draw(st.integers(1, 5)), **options)
    both = draw(st.booleans())
    return Spec(draw(st.integers(1, 5)), (Bidirectional(layer) if both else layer,) * draw(st.integers(1, depth)))


# ---- there and back ----


@given(spec=networks(), dtype=st.sampled_from(["float32", "float64", "float16"]))
def test_to_pytorch_and_back(spec: Spec, dtype: str) -> None:
    weights = weights_of(spec, dtype=dtype)
    layers, back = layouts.from_torch(layouts.to_torch(spec, weights))
    assert layers == spec.layers
    assert same(back, weights)


@given(spec=networks(depth=1), reset_after=st.booleans(), data=st.data())
def test_to_onnx_and_back(spec: Spec, reset_after: bool, data: Any) -> None:
    (layer,) = spec.layers
    functions = st.sampled_from(sorted(onnx.ONNX_ACTIVATIONS))
    changes: dict[str, Any] = {"activation": data.draw(functions)}
    direction = layer if isinstance(layer, RNN) else layer.forward
    if isinstance(direction, GRU):
        changes["cell"] = GRUCell(data.draw(functions), reset_after)
    if isinstance(layer, RNN):
        layer = layer.replace(go_backwards=data.draw(st.booleans()), **changes)
    else:
        layer = Bidirectional(direction.replace(**changes), direction if data.draw(st.booleans()) else None)
        if isinstance(direction, GRU) and layer.backward:
            layer = layer.replace(backward=direction.replace(cell=GRUCell(reset_after=reset_after)))
        if layer.backward == layer.forward:
            layer = layer.replace(backward=None)
    spec = Spec(spec.D, layer)
    weights = weights_of(spec)
    node = layouts.to_onnx(layer, weights)
    in_a_file = {name: np.float32(value).tolist() if "alpha" in name or "beta" in name else value
                 for name, value in node.attributes.items()}  # fmt: skip
    again, back = layouts.from_onnx(node.op, node.W, node.R, node.B, **in_a_file)
    assert again == layer
    assert same(back, weights)


@given(spec=networks(depth=1, use_bias=True, reset_after=False), bias=st.sampled_from([0.0, 1.0, 5.0]))
def test_to_tensorflow_1_and_back(spec: Spec, bias: float) -> None:
    (layer,) = spec.layers
    layer = layer.forward if isinstance(layer, Bidirectional) else layer
    weights = weights_of(Spec(spec.D, layer), dtype=np.float64)
    variables = layouts.to_tf1(layer, weights, bias)
    saved = {f"rnn/some_cell/{name}": value for name, value in variables.items()}
    saved |= {f"{name}/Adam": np.zeros_like(value) for name, value in saved.items()}
    saved |= {"dense/kernel": np.zeros((layer.features, 2)), "dense/bias": np.zeros(2), "global_step": np.int64(3)}
    again, back = layouts.from_tf1(type(layer).__name__, saved, forget_bias=bias)
    assert again == layer
    assert same(back[:2], weights[:2])
    np.testing.assert_allclose(back[2], weights[2], rtol=0, atol=1e-15)


@given(spec=networks(depth=1, use_bias=True, reset_after=False))
def test_what_is_not_there_is_zeros(spec: Spec) -> None:
    (layer,) = spec.layers
    without = Spec(spec.D, (layer if isinstance(layer, RNN) else layer.forward).replace(use_bias=False))
    variables = layouts.to_tf1(without, weights_of(without), forget_bias=0)
    assert not any(value.any() for name, value in variables.items() if name.endswith("bias"))


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM"])
def test_two_biases_become_their_sum(cell: str) -> None:
    spec = Spec(3, LAYERS[cell](4))
    state = layouts.to_torch(spec, weights_of(spec))
    state["bias_hh_l0"] = 2 * state["bias_ih_l0"] + 1
    (_, _, bh) = layouts.from_torch(state)[1]
    np.testing.assert_array_equal(bh, state["bias_ih_l0"] + state["bias_hh_l0"])
    node = layouts.to_onnx(spec, weights_of(spec))
    assert node.B is not None
    (_, _, bh) = layouts.from_onnx(node.op, node.W, node.R, node.B + 1)[1]
    np.testing.assert_allclose(bh, weights_of(spec)[2] + 2, rtol=1e-6)


# ---- PyTorch's own modules ----


def module_of(spec: Spec) -> Any:
    import torch

    layer = spec.directions[0]
    (cell,) = layer.kinds
    kind = {"SimpleRNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}[cell.name]
    both = isinstance(spec.layers[0], Bidirectional)
    return kind(spec.D, layer.features, len(spec.layers), bias=layer.use_bias, batch_first=True, bidirectional=both)


def computed_by(module: Any, case: Case) -> Any:
    import torch

    with torch.no_grad():
        return module(torch.tensor(np.array(case.x)))[0].numpy()


@needs_torch
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["one way", "both ways"])
def test_pytorch_computes_it(cell: str, use_bias: bool, wrapped: bool, depth: int) -> None:
    import torch

    layer = LAYERS[cell](4, use_bias=use_bias, return_sequences=True)
    spec = Spec(3, (Bidirectional(layer) if wrapped else layer,) * depth)
    case = rnn.generic_case(spec, 2, 6)
    module = module_of(spec)
    module.load_state_dict({n: torch.from_numpy(a) for n, a in layouts.to_torch(spec, case.weights).items()})
    verdict = judge(case, computed_by(module, case))
    assert verdict.equivalent, str(verdict)
    # and a module with numbers of its own
    torch.manual_seed(1)
    module = module_of(spec)
    layers, weights = layouts.from_torch(module.state_dict())
    assert layers == spec.layers
    case = Case(spec, case.x, weights=weights)
    verdict = judge(case, computed_by(module, case))
    assert verdict.equivalent, str(verdict)


@needs_torch
def test_of_a_module_of_pytorch_only_its_weights_are_taken() -> None:
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.RNN(3, 4, nonlinearity="relu", batch_first=True)
            self.gru = torch.nn.GRUCell(4, 2)
            self.head = torch.nn.Linear(4, 2)

    model = Model()
    (layer,), weights = layouts.from_torch(model.state_dict(), "rnn.", activation="relu")
    assert layer == SimpleRNN(4, "relu", return_sequences=True)
    case = rnn.generic_case(Spec(3, layer), 2, 6, weights=weights)
    assert judge(case, computed_by(model.rnn, case)).equivalent
    with_gradients = dict(model.named_parameters())
    assert layouts.from_torch(with_gradients, "gru.")[0] == (GRU(2, return_sequences=True),)
    halves = {name: value.bfloat16() for name, value in model.state_dict().items()}
    assert layouts.from_torch(halves, "rnn.")[1][0].dtype == np.float32


# ---- ONNX, by its specification ----


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def by_the_specification_of_onnx(node: layouts.OnnxNode, x: Any) -> Any:
    """The equations of the operators, with default activations: ``Y (T, directions, N, M)``."""
    M = node.attributes["hidden_size"]
    N, T = x.shape[:2]
    Y = np.zeros((T, len(node.W), N, M))
    for d, (W, R) in enumerate(zip(node.W.astype(float), node.R.astype(float), strict=True)):
        g = len(R) // M
        Wb, Rb = np.zeros((2, g * M)) if node.B is None else np.split(node.B[d].astype(float), 2)
        H = C = np.zeros((N, M))
        steps = range(T)[::-1] if d or node.attributes["direction"] == "reverse" else range(T)
        for t in steps:
            X = x[:, t].astype(float)
            if node.op == "RNN":
                H = np.tanh(X @ W.T + H @ R.T + Wb + Rb)
            elif node.op == "LSTM":
                i, o, f, c = np.split(X @ W.T + H @ R.T + Wb + Rb, 4, axis=1)
                C = sigmoid(f) * C + sigmoid(i) * np.tanh(c)
                H = sigmoid(o) * np.tanh(C)
            else:
                (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(W, 3), np.split(R, 3)
                (Wbz, Wbr, Wbh), (Rbz, Rbr, Rbh) = np.split(Wb, 3), np.split(Rb, 3)
                z, r = sigmoid(X @ Wz.T + H @ Rz.T + Wbz + Rbz), sigmoid(X @ Wr.T + H @ Rr.T + Wbr + Rbr)
                if node.attributes["linear_before_reset"]:
                    h = np.tanh(X @ Wh.T + r * (H @ Rh.T + Rbh) + Wbh)
                else:
                    h = np.tanh(X @ Wh.T + (r * H) @ Rh.T + Rbh + Wbh)
                H = (1 - z) * h + z * H
            Y[t, d] = H
    return Y


@given(spec=networks(depth=1, reset_after=False))
def test_onnx_computes_it(spec: Spec) -> None:
    for layer in {spec.layers[0], *([GRU(3, return_sequences=True)] if isinstance(spec.layers[0], GRU) else [])}:
        case = rnn.generic_case(Spec(spec.D, layer), 2, 5)
        Y = by_the_specification_of_onnx(layouts.to_onnx(case.spec, case.weights), case.x)
        np.testing.assert_allclose(np.concatenate([*np.moveaxis(Y, 1, 0)], -1).swapaxes(0, 1), reference(case).outputs,
                                   rtol=1e-12, atol=1e-14)  # fmt: skip


def test_onnx_reads_what_keras_calls_otherwise() -> None:
    node = layouts.to_onnx(LSTM(2), weights_of(Spec(3, LSTM(2))))
    functions = {"activations": [b"hardsigmoid", "TANH", "tanh"], "activation_alpha": [1 / 6], "direction": b"reverse"}
    layer, _ = layouts.from_onnx("LSTM", node.W, node.R, node.B, layout=1, clip=None, input_forget=0, **functions)
    assert layer == LSTM(2, recurrent_activation="hard_sigmoid", return_sequences=True, go_backwards=True)
    layer, _ = layouts.from_onnx("LSTM", node.W, node.R, P=np.zeros((1, 6)))
    assert layer == LSTM(2, use_bias=False, return_sequences=True)
    node = layouts.to_onnx(GRU(2), weights_of(Spec(3, GRU(2))))
    assert layouts.from_onnx("GRU", *node[1:4])[0] == GRU(2, reset_after=False, return_sequences=True)


# ---- TensorFlow 1's own kernels ----


@pytest.mark.tensorflow
def test_the_lstm_of_tensorflow_1_computes_it() -> None:
    import tensorflow as tf

    case = rnn.generic_case(Spec(3, LSTM(4, return_sequences=True)), 2, 5)
    cell = layouts.to_tf1(case.spec, case.weights, forget_bias=1.0)
    h = c = np.zeros((2, 4), np.float32)
    none = np.zeros(4, np.float32)
    steps = []
    for t in range(5):
        done = tf.raw_ops.LSTMBlockCell(x=case.calls[0].x[:, t], cs_prev=c, h_prev=h, w=cell["kernel"], wci=none,
                                        wcf=none, wco=none, b=cell["bias"], forget_bias=1.0, cell_clip=-1)  # fmt: skip
        c, h = done.cs, done.h
        steps.append(h.numpy())
    assert judge(case, np.stack(steps, 1)).equivalent


@pytest.mark.tensorflow
def test_the_peepholes_of_tensorflow_1_compute_it() -> None:
    import tensorflow as tf

    case = rnn.generic_case(Spec(3, LSTM(4, peepholes=True, return_sequences=True)), 2, 5)
    cell = layouts.to_tf1(case.spec, case.weights)
    h = c = np.zeros((2, 4), np.float32)
    steps = []
    for t in range(5):
        done = tf.raw_ops.LSTMBlockCell(x=case.calls[0].x[:, t], cs_prev=c, h_prev=h, w=cell["kernel"],
                                        wci=cell["w_i_diag"], wcf=cell["w_f_diag"], wco=cell["w_o_diag"],
                                        b=cell["bias"], forget_bias=1.0, cell_clip=-1, use_peephole=True)  # fmt: skip
        c, h = done.cs, done.h
        steps.append(h.numpy())
    assert judge(case, np.stack(steps, 1)).equivalent
    layer, weights = layouts.from_tf1("LSTM", cell)
    assert layer == case.spec.layers[0]
    assert all(np.allclose(a, b) for a, b in zip(weights, case.weights, strict=True))


@pytest.mark.tensorflow
def test_the_gru_of_tensorflow_1_computes_it() -> None:
    import tensorflow as tf

    case = rnn.generic_case(Spec(3, GRU(4, reset_after=False, return_sequences=True)), 2, 5)
    cell = layouts.to_tf1(case.spec, case.weights)
    h = np.zeros((2, 4), np.float32)
    steps = []
    for t in range(5):
        _, _, _, h = tf.raw_ops.GRUBlockCell(x=case.calls[0].x[:, t], h_prev=h, w_ru=cell["gates/kernel"],
                                             w_c=cell["candidate/kernel"], b_ru=cell["gates/bias"],
                                             b_c=cell["candidate/bias"])  # fmt: skip
        steps.append(h.numpy())
    assert judge(case, np.stack(steps, 1)).equivalent


# ---- what cannot be mapped, and what was meant otherwise ----


def made(what: Any) -> Any:
    return what, weights_of(Spec(3, what))


def named(what: Any) -> str:
    return ", ".join(map(str, what)) if isinstance(what, tuple) else str(what)


class OwnCell(GRUCell):
    """Some other step."""


SEQUENCES = {"return_sequences": True}


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (GRU(4, reset_after=False), "applies the reset gate after the product with Wh"),
        (LSTM(4, "relu"), "PyTorch's LSTM has tanh, not relu"),
        (SimpleRNN(4, "sigmoid"), "PyTorch's SimpleRNN has tanh or relu, not sigmoid"),
        (GRU(4, recurrent_activation="hard_sigmoid"), "PyTorch's GRU has sigmoid gates, not hard_sigmoid"),
        ((LSTM(4, **SEQUENCES), LSTM(5)), "the same units in all"),
        ((GRU(4, **SEQUENCES), LSTM(4)), "the same kinds in all"),
        ((GRU(4, **SEQUENCES), GRU(4, use_bias=False)), "the same use_bias in all"),
        ((LSTM(4, **SEQUENCES), Bidirectional(LSTM(4))), "bidirectional in all layers or in none"),
        ((Bidirectional(LSTM(4, **SEQUENCES), merge_mode="sum"), Bidirectional(LSTM(4))), "concatenates both"),
        ((LSTM(4, **SEQUENCES), LSTM(4, go_backwards=True)), "all run in the same direction"),
        (RNN((4, 4)), "has a list of cells"),
        (RNN(4, cell=OwnCell()), "is no cell of Keras"),
    ],
    ids=named,
)
def test_what_pytorch_cannot_compute(what: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layouts.to_torch(*made(what))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (LSTM(4, "selu"), "ONNX has no activation 'selu'"),
        (Bidirectional(LSTM(4), LSTM(3)), "the same cell and units in both directions"),
        (Bidirectional(GRU(4), GRU(4, reset_after=False)), "the same cell and units in both directions"),
        (Bidirectional(GRU(4), LSTM(4)), "the same cell and units in both directions"),
        ((LSTM(4, **SEQUENCES), LSTM(5)), "a node of ONNX is one layer, and these are 2"),
    ],
    ids=named,
)
def test_what_onnx_cannot_compute(what: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layouts.to_onnx(*made(what))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (GRU(4), "it cannot compute reset_after=True"),
        (LSTM(4, recurrent_activation="hard_sigmoid"), "sigmoid gates, not hard_sigmoid"),
        (Bidirectional(LSTM(4)), "a cell of its own for each direction"),
    ],
    ids=named,
)
def test_what_tensorflow_1_cannot_compute(what: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layouts.to_tf1(*made(what))


def test_weights_that_do_not_fit_are_told() -> None:
    layer, weights = made(LSTM(4))
    with pytest.raises(ValueError, match=r"LSTM\(4\) has 3 weights \(Wx, Wh, bh\), not 2"):
        layouts.to_torch(layer, weights[:2])
    with pytest.raises(ValueError, match=r"Wh has shape \(16, 4\), expected \(4, 16\)"):
        layouts.to_onnx(layer, [weights[0], weights[1].T, weights[2]])
    with pytest.raises(ValueError, match=r"has 5 weights \(layer0/Wx.*\), not 3"):
        layouts.to_torch(Spec(3, layer, Dense(2)), weights)
    with pytest.raises(ValueError, match="weight 1 is no array of numbers, but str"):
        layouts.to_torch(layer, [weights[0], "Wh", weights[2]])
    with pytest.raises(TypeError, match="is needed, or several of them, or a Spec, not 'LSTM'"):
        layouts.to_torch("LSTM", weights)  # type: ignore[arg-type]


def test_a_state_dict_that_is_none_is_told() -> None:
    state = layouts.to_torch(*made(LSTM(4)))
    with pytest.raises(ValueError, match=r"no weight_ih_l0 among lstm.weight_ih_l0, .*: give prefix"):
        layouts.from_torch({f"lstm.{name}": value for name, value in state.items()})
    with pytest.raises(ValueError, match="layer 0 has weight_hh, bias_ih, bias_hh; expected weight_ih"):
        layouts.from_torch({name: value for name, value in state.items() if name != "weight_ih_l0"})
    with pytest.raises(ValueError, match="layer 0 has no weights; expected"):
        layouts.from_torch({name.replace("l0", "l1"): value for name, value in state.items()})
    with pytest.raises(ValueError, match=r"is no RNN, GRU or LSTM: it has weight_ih \(16, 3\), weight_hh \(8, 4\)"):
        layouts.from_torch(state | {"weight_hh_l0": np.zeros((8, 4))})
    with pytest.raises(ValueError, match=r"is no RNN, GRU or LSTM: it has .*weight_hr \(2, 4\)"):
        layouts.from_torch(state | {"weight_hr_l0": np.zeros((2, 4))})
    with pytest.raises(ValueError, match="PyTorch's proj_size has to be smaller than the number of units"):
        layouts.to_torch(*made(LSTM(4, projection=4)))


def test_a_node_that_keras_lacks_is_told() -> None:
    node = layouts.to_onnx(*made(LSTM(4)))
    for given_, message in (
        ({"input_forget": 1}, "couples input and forget gate"),
        ({"P": np.ones((1, 16))}, r"P has shape \(1, 16\), expected \(1, 12\) for LSTM in 1"),
        ({"hidden_size": 5}, r"hidden_size is 5, but R has shape \(1, 16, 4\)"),
        ({"direction": "backward"}, "direction must be one of forward, reverse, bidirectional, not 'backward'"),
        ({"direction": "bidirectional"}, r"W has shape \(1, 16, 3\), expected \(2, 16, 3\) for LSTM in 2"),
        ({"activations": ["Tanh"]}, "has 3 activations, not Tanh"),
        ({"activations": ["Sigmoid", "Tanh", "Relu"]}, "one activation for candidate and cell state"),
        ({"activations": ["ScaledTanh", "Tanh", "Tanh"]}, "Keras has no activation ScaledTanh"),
        (
            {"activations": ["LeakyRelu", "Tanh", "Tanh"], "activation_alpha": [-0.5]},
            r"'leaky_relu\(-0.5\)' needs as many positive numbers as leaky_relu has, in parentheses",
        ),
        (
            {"activations": ["Affine", "Tanh", "Tanh"], "activation_alpha": [0.5]},
            "Affine with alpha=0.5 is not Keras's linear, which has alpha=1",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            layouts.from_onnx("LSTM", *node[1:4], **given_)
    with pytest.raises(ValueError, match="op must be one of RNN, GRU, LSTM, not 'SimpleRNN'"):
        layouts.from_onnx("SimpleRNN", *node[1:4])
    with pytest.raises(TypeError, match="no attribute hidden; it has activations"):
        layouts.from_onnx("LSTM", *node[1:4], hidden=4)


def test_variables_that_are_no_cell_are_told() -> None:
    variables = layouts.to_tf1(*made(LSTM(4)))
    two = {f"rnn/cell_{k}/lstm_cell/{name}": value for k in range(2) for name, value in variables.items()}
    with pytest.raises(
        ValueError, match="several cells below scope='': give the scope of one of rnn/cell_0/lstm_cell/"
    ):
        layouts.from_tf1("LSTM", two)
    assert layouts.from_tf1("LSTM", two, scope="rnn/cell_1/")[0] == LSTM(4, **SEQUENCES)
    with pytest.raises(ValueError, match="no cell below scope='rnn/cell_2': give the scope of one of rnn/cell_0"):
        layouts.from_tf1("LSTM", two, scope="rnn/cell_2")
    with pytest.raises(ValueError, match="there is no bias beside kernel"):
        layouts.from_tf1("LSTM", {"kernel": variables["kernel"]})
    with pytest.raises(ValueError, match=r"kernel \(7, 16\) and bias \(16,\) are not those of SimpleRNN"):
        layouts.from_tf1("SimpleRNN", variables)
    with pytest.raises(ValueError, match="there is no w_i_diag, w_o_diag beside the other peepholes"):
        layouts.from_tf1("LSTM", variables | {"w_f_diag": np.zeros(4)})
    three = dict.fromkeys(("w_i_diag", "w_f_diag", "w_o_diag"), np.zeros(3))
    with pytest.raises(ValueError, match=r"peepholes of 4 units must have shape \(4,\), not \(3,\), \(3,\), \(3,\)"):
        layouts.from_tf1("LSTM", variables | three)
    with pytest.raises(ValueError, match=r"projection/kernel has shape \(3, 2\), expected \(4, P\), of an LSTM"):
        layouts.from_tf1("LSTM", variables | {"projection/kernel": np.zeros((3, 2))})
    with pytest.raises(ValueError, match="the projection of the cell has more than a kernel.*: projection/bias"):
        layouts.from_tf1("LSTM", variables | {"projection/bias": np.zeros(2)})
    with pytest.raises(ValueError, match="an LSTM node of ONNX has no projection; PyTorch"):
        layouts.to_onnx(*made(LSTM(4, projection=2)))
    with pytest.raises(ValueError, match="cell_clip of TensorFlow 1 clips the cell state"):
        layouts.to_tf1(*made(LSTM(4, clip=2.0)))
    with pytest.raises(ValueError, match="cell must be one of SimpleRNN, GRU, LSTM, not 'BasicLSTMCell'"):
        layouts.from_tf1("BasicLSTMCell", variables)


def test_an_order_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="a framework must be one of Keras, PyTorch, .*, not 'Torch'"):
        layouts.reorder(np.zeros(8), "LSTM", "Torch")
    with pytest.raises(ValueError, match="the cell must be SimpleRNN, LSTM, not 'GRU', for the order of CNTK"):
        layouts.reorder(np.zeros(6), "GRU", "CNTK")
    with pytest.raises(ValueError, match=r"LSTM has 4 gates, but axis -1 of the shape \(6,\) is no multiple of that"):
        layouts.reorder(np.zeros(6), "LSTM", "ONNX")


@pytest.mark.parametrize("module", [common, onnx, pytorch])
def test_the_docstrings_say_what_happens(module: Any) -> None:
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed
