#!/usr/bin/env bash
# NNCF 3.4.0 with OpenVINO 2026.4.1 (CPU): a GRU after nncf.quantize() cannot hold a state larger than its input.
#
# Expected: 8 bits cost about 1 % of accuracy. The state of a GRU lies between -1 and 1, whatever the input is.
# Happens: the state and the output are stored on the grid of the *input*, with its scale and its limits. With inputs
#   between -.05 and .05 every state is clipped to that, though the float network is at .77 (from its biases): the
#   outputs are a straight line at the limit. Nothing is said; the input's own quantization is correct.
#   Not so with linear_before_reset=1, which NNCF leaves in float without a word.
# Output seen:
#   inputs up to 0.05: float up to 0.7704, int8 up to 0.0502, off by 0.7202
#   inputs up to 0.20: float up to 0.8038, int8 up to 0.2005, off by 0.6032
#   linear_before_reset=1 (control): float up to 0.7569, int8 up to 0.7569, off by 0.0000
# Upstream: none found (near: nncf#2115, which says why linear_before_reset=1 is left). Who is hit: GRUs behind small
#   features (normalized audio, differences). Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'nncf==3.4.0' 'openvino==2026.4.1' 'onnx==1.23.2' 'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY' 2>/dev/null | grep -E '^(inputs|linear)'
import logging, numpy as np, onnx, openvino, nncf
from onnx import TensorProto, helper, numpy_helper

nncf.set_log_level(logging.ERROR)
rng = np.random.default_rng(0)
core = openvino.Core()
STEPS, ROWS, INPUTS, UNITS = 12, 2, 8, 8
weights = {"W": (1, 3 * UNITS, INPUTS), "R": (1, 3 * UNITS, UNITS), "B": (1, 6 * UNITS)}
weights = {name: rng.normal(0, 0.3, shape).astype("float32") for name, shape in weights.items()}

def model(**attributes):
    graph = helper.make_graph(
        [helper.make_node("GRU", ["X", *weights], ["Y"], hidden_size=UNITS, **attributes)], "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, (STEPS, ROWS, INPUTS))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (STEPS, 1, ROWS, UNITS))],
        [numpy_helper.from_array(v, k) for k, v in weights.items()])
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return core.read_model(whole.SerializeToString())

def run(net, x):
    compiled = core.compile_model(net, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled([x])[0])

same = True
for limit, attributes in ((0.05, {}), (0.2, {}), (0.05, {"linear_before_reset": 1})):
    draw = lambda: rng.uniform(-limit, limit, (STEPS, ROWS, INPUTS)).astype("float32")
    quantized = nncf.quantize(model(**attributes), nncf.Dataset([draw() for _ in range(300)]))
    x = draw()
    y, small = run(model(**attributes), x), run(quantized, x)
    name = "linear_before_reset=1 (control)" if attributes else f"inputs up to {limit:.2f}"
    top, clipped, off = (float(np.abs(v).max()) for v in (y, small, y - small))
    print(f"{name}: float up to {top:.4f}, int8 up to {clipped:.4f}, off by {off:.4f}")
    same = same and (off < 1e-5 if attributes else top > 0.6 and clipped < 1.01 * limit)
raise SystemExit(0 if same else "the behaviour has changed")
PY
