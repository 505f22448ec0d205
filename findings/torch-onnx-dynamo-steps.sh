#!/usr/bin/env bash
# PyTorch 2.13.0, torch.onnx.export(dynamo=True), onnxscript 0.7.2: a GRU with an initial state, exported with an open
# number of steps, has the example's number of steps in it and folds other lengths into the batch.
#
# Expected: with dynamic_shapes {"x": {0: Dim.AUTO, 1: Dim.AUTO}, "h": {1: Dim.AUTO}} the model's input is declared
#   (T, N, 3) with T and N open, so any T works or is refused. The TorchScript exporter (dynamo=False) does it right.
# Happens: the file declares T open, but ends in a Reshape to (5, -1, 4), the 5 being the example's T. With T = 10 and
#   N = 1 it answers with shape (5, 2, 4) instead of (10, 1, 4): half the sequence has become a second row. With T = 7
#   onnxruntime raises. With Dim("T") instead of Dim.AUTO the input is quietly declared fixed at 5.
# Output seen:
#   old exporter: input declared ['T', 'N', 3], output for (10, 1, 3) is (10, 1, 4), PyTorch's (10, 1, 4)
#   new exporter: input declared ['s77', 's12', 3], output for (10, 1, 3) is (5, 2, 4), PyTorch's (10, 1, 4)
# Upstream: pytorch#191855 and pytorch#193192 report the frozen length for hand-made bidirectional pairs, and call plain
#   layers right; pytorch#126339 has the refusals of torch.export.
# Who is hit: streaming models that pass the state in and out. Silent where the batch is open and T a multiple.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.13.0' 'onnx==1.23.2' 'onnxscript==0.7.2' 'onnx-ir==1.1.0' 'onnxruntime==1.31.1' \
    'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import numpy as np, onnxruntime, torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(3, 4)
    def forward(self, x, h):
        return self.rnn(x, h)[0]

torch.manual_seed(0)
net, auto = Net().eval(), torch.export.Dim.AUTO
example = torch.randn(5, 2, 3), torch.randn(1, 2, 4)
torch.onnx.export(net, example, "new.onnx", dynamo=True, verbose=False,
                  dynamic_shapes={"x": {0: auto, 1: auto}, "h": {1: auto}})
torch.onnx.export(net, example, "old.onnx", dynamo=False, input_names=["x", "h"],
                  dynamic_axes={"x": {0: "T", 1: "N"}, "h": {1: "N"}})
x, h = torch.randn(10, 1, 3), torch.randn(1, 1, 4)
right = net(x, h).detach().numpy()
shapes = {}
for name in ("old", "new"):
    session = onnxruntime.InferenceSession(f"{name}.onnx")
    shapes[name] = session.run(None, {"x": x.numpy(), "h": h.numpy()})[0].shape
    print(f"{name} exporter: input declared {session.get_inputs()[0].shape}, output for (10, 1, 3) is {shapes[name]}, "
          f"PyTorch's {right.shape}")
raise SystemExit(0 if shapes == {"old": (10, 1, 4), "new": (5, 2, 4)} else "the behaviour has changed")
PY
