#!/usr/bin/env bash
# emx-onnx-cgen 1.4.0 (ONNX to C): an LSTM with clip and peepholes is clipped before the peepholes are added.
#
# Expected: ONNX's clip "is applied to the input of activations", peepholes included, as onnxruntime does.
# Happens: the sum of input, state and bias is clipped, the peephole added behind: a gate's argument exceeds the clip.
#   With either of the two alone the C code is right.
# Output seen (largest difference of Y from onnxruntime, then from a NumPy LSTM with either order):
#   plain (control) 0.0000, clip (control) 0.0000, peepholes (control) 0.0000, both 0.0358
#   NumPy, clip last: off onnxruntime by 0.0000, off the C code by 0.0358
#   NumPy, clip before the peepholes: off the C code by 0.0000
# Upstream: none found. Who is hit: LSTMPs of speech recognition, which have both, on microcontrollers. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'emx-onnx-cgen==1.4.0' 'onnx==1.23.2' 'onnxruntime==1.31.1' 'numpy==2.4.6'
cd "$dir"
PATH="$dir/venv/bin:$PATH" "$dir/venv/bin/python" - <<'PY' 2>/dev/null
import ctypes, subprocess
import numpy as np, onnx, onnxruntime
from onnx import TensorProto, helper, numpy_helper

STEPS, ROWS, INPUTS, UNITS, CLIP = 5, 2, 3, 4, 0.5
rng = np.random.default_rng(0)
shapes = {"W": (1, 4 * UNITS, INPUTS), "R": (1, 4 * UNITS, UNITS), "B": (1, 8 * UNITS), "P": (1, 3 * UNITS)}
values = {name: rng.normal(0, 1, shape).astype("float32") for name, shape in shapes.items()}
x = rng.normal(size=(STEPS, ROWS, INPUTS)).astype("float32")

def compiled(name, peepholes, **attributes):
    """Y of the C code, and of onnxruntime."""
    inputs = ["X", "W", "R", "B"] + (["", "", "", "P"] if peepholes else [])
    graph = helper.make_graph(
        [helper.make_node("LSTM", inputs, ["Y"], hidden_size=UNITS, **attributes)], "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (STEPS, 1, ROWS, UNITS))],
        [numpy_helper.from_array(v, k) for k, v in values.items() if k in inputs])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{name}.onnx")
    subprocess.run(["emx-onnx-cgen", "compile", f"{name}.onnx", f"{name}.c"], check=True, capture_output=True)
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", f"./{name}.so", f"{name}.c", "-lm"], check=True)
    right = onnxruntime.InferenceSession(f"{name}.onnx").run(None, {"X": x})[0]
    got = np.zeros_like(right)
    ctypes.CDLL(f"./{name}.so").model(*(ctypes.c_void_p(v.ctypes.data) for v in (x, got)))
    return got, right

def numpy_lstm(clip_last):
    """The recurrence with clip and peepholes; the gates are i, o, f, c."""
    cut = lambda a: np.clip(a, -CLIP, CLIP)
    arg = lambda a, peep: cut(a + peep) if clip_last else cut(a) + peep
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    w, r, p, b = values["W"][0], values["R"][0], np.split(values["P"][0], 3), values["B"][0].reshape(2, -1).sum(0)
    h = c = np.zeros((ROWS, UNITS))
    y = []
    for step in x:
        i, o, f, g = np.split(step @ w.T + h @ r.T + b, 4, axis=1)
        new = sigmoid(arg(f, p[2] * c)) * c + sigmoid(arg(i, p[0] * c)) * np.tanh(cut(g))
        c, h = new, sigmoid(arg(o, p[1] * new)) * np.tanh(cut(new))
        y.append(h)
    return np.stack(y)[:, None]

off = lambda a, b: float(np.abs(a - b).max())
controls = [off(*compiled("plain", False)), off(*compiled("clip", False, clip=CLIP)), off(*compiled("peep", True))]
got, right = compiled("both", True, clip=CLIP)
last, first = numpy_lstm(True), numpy_lstm(False)
print("plain (control) {:.4f}, clip (control) {:.4f}, peepholes (control) {:.4f}".format(*controls), end="")
print(f", both {off(got, right):.4f}")
print(f"NumPy, clip last: off onnxruntime by {off(last, right):.4f}, off the C code by {off(last, got):.4f}")
print(f"NumPy, clip before the peepholes: off the C code by {off(first, got):.4f}")
same = max(controls + [off(last, right), off(first, got)]) < 1e-5 and off(got, right) > 1e-2
raise SystemExit(0 if same else "the behaviour has changed")
PY
