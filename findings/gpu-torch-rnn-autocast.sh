#!/usr/bin/env bash
# PyTorch 2.11.0+cu130, CUDA device: under autocast to bfloat16, nn.RNN, nn.GRU and nn.LSTM run in float16.
#
# Expected: torch.autocast("cuda", dtype=torch.bfloat16) computes the eligible operations in bfloat16, whose range is
#   that of float32. RNNCell, GRUCell and LSTMCell do, and the layers do on the CPU (RNN and LSTM).
# Happens: the layers cast to float16 whatever dtype was asked for; output and states are float16. Values above 65504
#   become inf: a ReLU RNN whose state is 100000 in float32, and finite in bfloat16, overflows.
# Output seen (NVIDIA H200):
#   RNN: layer torch.float16, cell torch.bfloat16 (GRU and LSTM the same)
#   ReLU RNN, state 100000: inf in the layer, 99840.0 in the cell
# Upstream: no report found of the dtype. Who is hit: mixed precision training in bfloat16, which uses no loss scaling
#   just because bfloat16 needs none. Silent.
set -euo pipefail
command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1 || { echo "needs a CUDA device: skipped"; exit 0; }
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.11.0' 'numpy==2.4.6'
"$dir/venv/bin/python" - <<'PY'
import torch

same = True
x = torch.randn(3, 2, 8, device="cuda")
for name in ("RNN", "GRU", "LSTM"):
    layer, cell = getattr(torch.nn, name)(8, 8).cuda(), getattr(torch.nn, name + "Cell")(8, 8).cuda()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        y, state = layer(x)[0], cell(x[0])
    state = state[0] if isinstance(state, tuple) else state
    print(f"{name}: layer {y.dtype}, cell {state.dtype}")
    same = same and y.dtype == torch.float16 and state.dtype == torch.bfloat16
layer, cell = torch.nn.RNN(1, 1, nonlinearity="relu").cuda(), torch.nn.RNNCell(1, 1, nonlinearity="relu").cuda()
with torch.no_grad():
    for weight in (*layer.parameters(), *cell.parameters()):
        weight.zero_()
    layer.weight_ih_l0.fill_(1000.0)
    cell.weight_ih.fill_(1000.0)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        big = torch.full((1, 1, 1), 100.0, device="cuda")
        a, b = layer(big)[0].item(), cell(big[0]).item()
print(f"ReLU RNN, state 100000: {a} in the layer, {b} in the cell")
raise SystemExit(0 if same and a == float("inf") and b < 2e5 else "the behaviour has changed")
PY
