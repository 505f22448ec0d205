#!/usr/bin/env bash
# onnx2fx 0.0.1 with PyTorch 2.13.0: RNN, GRU and LSTM run with the default activations and without clip and lengths.
#
# Expected: it converts the three operators; other converters to PyTorch (onnx2pytorch,
#   onnx2torch) refuse by name what they cannot do.
# Happens: `activations`, `clip` and `sequence_lens` are not read. A Relu network runs as tanh, a GRU whose gates are
#   HardSigmoid (Keras's old default) runs with Sigmoid, and a short row goes on through its padding, in Y and in Y_h.
#   Directions, linear_before_reset, input_forget and the initial states are right.
# Output seen (largest difference from onnxruntime, of Y):
#   RNN: plain (control) 0.0000, reverse (control) 0.0000, activations 3.7611, clip 1.4053, sequence_lens 0.9996
#   GRU: plain (control) 0.0000, reverse (control) 0.0000, activations 0.0878, clip 0.6099, sequence_lens 0.9997
#   LSTM: plain (control) 0.0000, reverse (control) 0.0000, activations 0.0511, clip 0.5852, sequence_lens 0.2287
# Upstream: none found. Who is hit: models from Keras (hard_sigmoid, relu) and every padded batch. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'onnx2fx==0.0.1' 'torch==2.13.0' 'onnx==1.23.2' 'onnxruntime==1.31.1' 'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import numpy as np, onnx2fx, onnxruntime, torch
from onnx import TensorProto, helper, numpy_helper

STEPS, ROWS, INPUTS, UNITS = 6, 2, 3, 4
OTHER = {"RNN": ["Relu"], "GRU": ["HardSigmoid", "Tanh"], "LSTM": ["HardSigmoid", "Tanh", "Tanh"]}
rng = np.random.default_rng(0)

def gap(op, gates, lengths=None, **attributes):
    shapes = {"W": (1, gates * UNITS, INPUTS), "R": (1, gates * UNITS, UNITS), "B": (1, 2 * gates * UNITS)}
    values = {name: rng.normal(0, 1, shape).astype("float32") for name, shape in shapes.items()}
    if lengths:
        values["lengths"] = np.array(lengths, "int32")
    graph = helper.make_graph(
        [helper.make_node(op, ["X", *values], ["Y"], hidden_size=UNITS, **attributes)], "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, (STEPS, ROWS, INPUTS))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (STEPS, 1, ROWS, UNITS))],
        [numpy_helper.from_array(v, k) for k, v in values.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = rng.normal(size=(STEPS, ROWS, INPUTS)).astype("float32")
    right = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": x})[0]
    return float(np.abs(onnx2fx.convert(model)(torch.from_numpy(x)).detach().numpy() - right).max())

same = True
for op, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    seen = {"plain (control)": gap(op, gates), "reverse (control)": gap(op, gates, direction="reverse"),
            "activations": gap(op, gates, activations=OTHER[op]), "clip": gap(op, gates, clip=0.5),
            "sequence_lens": gap(op, gates, lengths=[6, 2])}
    print(f"{op}: " + ", ".join(f"{name} {value:.4f}" for name, value in seen.items()))
    same = same and all((v < 1e-5) if "control" in n else v > 1e-2 for n, v in seen.items())
raise SystemExit(0 if same else "the behaviour has changed")
PY
