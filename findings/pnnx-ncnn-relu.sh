#!/usr/bin/env bash
# pnnx 20261020 + ncnn 1.0.20261020: nn.RNN(nonlinearity="relu") is converted to a tanh RNN, with exit status 0.
#
# Expected: a converter that cannot express a layer stops, or writes a layer that the runtime refuses to load.
# Happens: pnnx writes one line to standard error in the middle of its log ("RNN nonlinearity=relu not supported"),
#   finishes with exit status 0 and writes the files all the same; they hold ncnn's RNN layer, which is tanh. ncnn loads
#   them and computes tanh. (RNN tanh, GRU and LSTM, bidirectional, stacked, with h0 and with proj_size are right.)
# Output seen:
#   tanh (control): off by 0.0000   relu: off by 0.7656, from the tanh network by 0.0000   exit status of pnnx: 0
# Upstream: no report found. Who is hit: ReLU RNNs on phones. Silent in ncnn, one line among thirty in pnnx.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.13.0' 'pnnx==20261020' 'ncnn==1.0.20261020' 'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import subprocess
import numpy as np, ncnn, pnnx, torch

class Net(torch.nn.Module):
    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = torch.nn.RNN(3, 4, batch_first=True, nonlinearity=kind)
    def forward(self, x):
        return self.rnn(x)[0]

torch.manual_seed(1)
x = torch.randn(1, 5, 3)

def convert_and_run(kind):
    net = Net(kind).eval()
    torch.jit.trace(net, x).save("m.pt")
    done = subprocess.run([pnnx.EXEC_PATH, "m.pt", "inputshape=[1,5,3]", "fp16=0"], capture_output=True, text=True)
    run = ncnn.Net()
    run.load_param("m.ncnn.param"); run.load_model("m.ncnn.bin")
    extractor = run.create_extractor()
    extractor.input("in0", ncnn.Mat(x[0].numpy()))
    return done.returncode, np.array(extractor.extract("out0")[1])

tanh_status, tanh = convert_and_run("tanh")
relu_status, relu = convert_and_run("relu")
right = {kind: Net(kind).eval()(x)[0].detach().numpy() for kind in ("tanh", "relu")}
gap = lambda a, b: float(np.abs(a - b).max())
print(f"tanh (control): off by {gap(tanh, right['tanh']):.4f}   relu: off by {gap(relu, right['relu']):.4f}, from the tanh "
      f"network by {gap(relu, right['tanh']):.4f}   exit status of pnnx: {relu_status}")
same = gap(tanh, right["tanh"]) < 1e-5 and gap(relu, right["relu"]) > 1e-2 and gap(relu, right["tanh"]) < 1e-5
raise SystemExit(0 if same and relu_status == 0 else "the behaviour has changed")
PY
