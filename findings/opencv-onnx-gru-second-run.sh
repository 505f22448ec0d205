#!/usr/bin/env bash
# OpenCV 5.0.0 (opencv-python-headless 5.0.0.93), dnn module, ONNX GRU: a network takes a batch once.
#
# Expected: a network that has run can be run again, on inputs of the same shape, as one with an LSTM can.
# Happens: a GRU node that is given no initial_h keeps a state of one row. The first forward() spreads it over the batch,
#   and is right; the second raises "Initial hidden state blob has incorrect dimensions". A batch of one row can be run
#   again, and so can a network that is given an initial_h of zeros.
# Output seen:
#   LSTM, 2 rows: right, right   GRU, 1 row: right, right   GRU, 2 rows, initial_h: right, right
#   GRU, 2 rows: right, raises 'h0.rows' is 1 must be equal to 'expectedRows' is 2
# Upstream: none found (opencv#26309 is the new GRU parser).
# Who is hit: who runs a GRU on batches, as text recognition does: the second image of a program fails. Heard.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'opencv-python-headless==5.0.0.93' 'onnx==1.23.2' 'onnxruntime==1.31.1' 'numpy==2.4.6'
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import cv2, numpy as np, onnxruntime
from onnx import TensorProto, helper, numpy_helper

def model(op, rows, given_state=False):
    """A model of one recurrent node with random weights, hidden size 4."""
    rng, gates = np.random.default_rng(1), {"GRU": 3, "LSTM": 4}[op]
    draw = lambda *shape: rng.normal(0, 0.7, shape).astype("float32")
    given = {"W": draw(1, gates * 4, 3), "R": draw(1, gates * 4, 4), "B": draw(1, 2 * gates * 4)}
    names = ["X", *given]
    if given_state:
        given["H"] = np.zeros((1, rows, 4), "float32"); names += ["", "H"]
    node = helper.make_node(op, names, ["Y", "Y_h"], hidden_size=4)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, (5, rows, 3))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, (5, 1, rows, 4)),
         helper.make_tensor_value_info("Y_h", TensorProto.FLOAT, (1, rows, 4))],
        [numpy_helper.from_array(v, k) for k, v in given.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

def runs(op, rows, **options):
    """Run one network twice, on two inputs: what came of each."""
    made = model(op, rows, **options).SerializeToString()
    net, session = cv2.dnn.readNetFromONNX(np.frombuffer(made, np.uint8)), onnxruntime.InferenceSession(made)
    for seed in (2, 3):
        x = np.random.default_rng(seed).normal(size=(5, rows, 3)).astype("float32")
        net.setInput(x, "X")
        try:
            y = net.forward(["Y", "Y_h"])[0]
        except cv2.error as error:
            yield "raises " + " ".join(str(error).partition("where")[2].replace(">", " ").split())
        else:
            yield "right" if np.abs(y - session.run(["Y"], {"X": x})[0]).max() < 1e-5 else "wrong"

controls = {"LSTM, 2 rows": [*runs("LSTM", 2)], "GRU, 1 row": [*runs("GRU", 1)],
            "GRU, 2 rows, initial_h": [*runs("GRU", 2, given_state=True)]}
print("   ".join(f"{name}: {', '.join(came)}" for name, came in controls.items()))
first, second = runs("GRU", 2)
print(f"GRU, 2 rows: {first}, {second}")
same = all(came == ["right"] * 2 for came in controls.values()) and first == "right" and second.startswith("raises")
raise SystemExit(0 if same else 1)
PY
