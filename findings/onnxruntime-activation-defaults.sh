#!/usr/bin/env bash
# onnxruntime 1.32.0: in RNN, GRU and LSTM, ThresholdedRelu without activation_alpha has the threshold 0.
#
# Expected: ONNX's "Default values are the same as of corresponding ONNX operators": ThresholdedRelu's alpha is 1. So it
#   is for LeakyRelu, Elu and HardSigmoid.
# Happens: its threshold is 0, and it is Relu. Affine and ScaledTanh, whose operators are gone, have alpha = beta = 0: the
#   layer puts out 0 whatever comes in.
# Output seen (inputs -1, .5, 2 of one unit with weights 1):
#   LeakyRelu: -0.01 0.50 2.00, its operator -0.01 0.50 2.00
#   Elu: -0.63 0.50 2.00, its operator -0.63 0.50 2.00
#   HardSigmoid: 0.30 0.60 0.90, its operator 0.30 0.60 0.90
#   ThresholdedRelu: 0.00 0.50 2.00, its operator 0.00 0.00 2.00
#   Affine: 0.00 0.00 0.00; ScaledTanh: 0.00 0.00 0.00
# Upstream: none found. Who is hit: models written by hand or by a converter that leaves defaults out. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'onnxruntime==1.32.0' 'onnx==1.23.2' 'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import numpy as np, onnxruntime
from onnx import TensorProto, helper, numpy_helper

x = np.array([-1, .5, 2], "float32")

def asked(node, shape, weights=()):
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x.reshape(shape)})[0].ravel()

def in_rnn(name):
    weights = [numpy_helper.from_array(np.full((1, 1, 1), v, "float32"), k) for k, v in (("W", 1), ("R", 0))]
    node = helper.make_node("RNN", ["x", "W", "R"], ["y"], hidden_size=1, activations=[name])
    return asked(node, (1, 3, 1), weights)  # three rows of one step

def alone(name):
    return asked(helper.make_node(name, ["x"], ["y"]), (3,))

show = lambda numbers: " ".join(f"{n:.2f}" for n in numbers + 0)
right = {}
for name in ("LeakyRelu", "Elu", "HardSigmoid", "ThresholdedRelu"):
    got, operator = in_rnn(name), alone(name)
    print(f"{name}: {show(got)}, its operator {show(operator)}")
    right[name] = np.allclose(got, operator, atol=1e-6)
affine, scaled = in_rnn("Affine"), in_rnn("ScaledTanh")
print(f"Affine: {show(affine)}; ScaledTanh: {show(scaled)}")
wrong = [name for name in right if not right[name]]
raise SystemExit(0 if wrong == ["ThresholdedRelu"] and not affine.any() and not scaled.any() else "the behaviour has changed")
PY
