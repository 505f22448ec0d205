#!/usr/bin/env bash
# MNN 3.6.1: an ONNX GRU with linear_before_reset=0, the default of ONNX, computes a third recurrence.
#
# Expected: the ONNX specification: with linear_before_reset=0 the candidate is tanh(.. + (r * h) Rh + Rbh), the reset
#   gate before the matrix product (Keras: reset_after=False); with 1 it is tanh(.. + r * (h Rh + Rbh)) (PyTorch).
# Happens: 1 is right. For 0 the converter writes, and the runtime computes, tanh(.. + r * (h Rh) + Rbh): the gate after
#   the product as in 1, the bias outside as in 0. That is neither of the two. Nothing is said.
# Output seen:
#   linear_before_reset=1 (control): off by 0.0000   linear_before_reset=0: off by 0.0711, from the third recurrence by 0.
# Upstream: MNN#2239 (closed) reports wrong GRU results from TensorFlow through ONNX without this cause.
# Who is hit: GRUs of Keras with reset_after=False, of TensorFlow 1, and all models that leave out the attribute. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'mnn==3.6.1' 'onnx==1.23.2' 'onnxruntime==1.31.1' 'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY'
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper

def model(op, x, outputs=("Y", "Y_h"), lens=None, peepholes=False, directions=1, **attributes):
    """A model of one recurrent node with random weights, hidden size 4."""
    rng, gates = np.random.default_rng(1), {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    draw = lambda *shape: rng.normal(0, 0.7, shape).astype("float32")
    given = {"W": draw(directions, gates * 4, x.shape[2]), "R": draw(directions, gates * 4, 4),
             "B": draw(directions, 2 * gates * 4)}
    names = ["X", "W", "R", "B"]
    if lens is not None:
        given["L"] = np.array(lens, "int32"); names += ["L"]
    if peepholes:
        given["P"] = draw(directions, 12); names += ["", "", "", "P"]
    node = helper.make_node(op, names, list(outputs), hidden_size=4, **attributes)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs if o],
        [numpy_helper.from_array(v, k) for k, v in given.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return onnx.shape_inference.infer_shapes(made)

def reference(made, x):
    """What onnxruntime computes; it agrees with the specification here."""
    import onnxruntime
    return onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"X": x})

import subprocess, sys

run_mnn = """
import sys, numpy as np, MNN.nn as nn, MNN.expr as F
x = np.load("x.npy")
net = nn.load_module_from_file("m.mnn", ["X"], ["Y"])
v = F.placeholder(list(x.shape), F.NCHW, F.float); v.write(x)
out = net.forward([v]); out = out[0] if isinstance(out, (list, tuple)) else out
np.save("y.npy", np.array(F.convert(out, F.NCHW).read()))
"""

def mnn(made, x):
    onnx.save(made, "m.onnx"); np.save("x.npy", x)
    subprocess.run([sys.executable, "-m", "MNN.tools.mnnconvert", "-f", "ONNX", "--modelFile", "m.onnx",
                    "--MNNModel", "m.mnn", "--bizCode", "x"], check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", run_mnn], check=True, capture_output=True)
    return np.load("y.npy")

def recurrence(made, x):
    """What MNN turns out to compute for 0: the gate after the product, the bias outside."""
    W, R, B = (numpy_helper.to_array(t)[0].astype("float64") for t in made.graph.initializer)
    sigmoid, h, ys = lambda a: 1 / (1 + np.exp(-a)), np.zeros((1, 4)), []
    for step in x:
        a, b = step @ W.T + B[:12] + B[12:], h @ R.T
        z, r = sigmoid((a + b)[:, :4]), sigmoid((a + b)[:, 4:8])
        h = (1 - z) * np.tanh(a[:, 8:] + r * b[:, 8:]) + z * h
        ys.append(h)
    return np.stack(ys)[:, None]

x = np.random.default_rng(2).normal(size=(5, 1, 3)).astype("float32")
gap = lambda a, b: float(np.abs(np.asarray(a) - b).max())
one, zero = (model("GRU", x, linear_before_reset=value) for value in (1, 0))
y = mnn(zero, x)
right, off, third = gap(mnn(one, x), reference(one, x)[0]), gap(y, reference(zero, x)[0]), gap(y, recurrence(zero, x))
print(f"linear_before_reset=1 (control): off by {right:.4f}   linear_before_reset=0: off by {off:.4f}, "
      f"from the third recurrence by {third:.4f}")
raise SystemExit(0 if right < 1e-5 and off > 1e-2 and third < 1e-5 else "the behaviour has changed")
PY
