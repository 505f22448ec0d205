#!/usr/bin/env bash
# PyTorch 2.13.0 (CPU), torch.utils.flop_counter.FlopCounterMode: an nn.LSTM has no operations at all.
#
# Expected: 2 T N g (D M + M M) for a layer of g gates, as for T steps of its cell, and twice that again for the way
#   back. nn.RNN and nn.GRU are counted so, and so is nn.LSTM once oneDNN is switched off.
# Happens: on the CPU an nn.LSTM is one call of oneDNN, which the counter does not know: 0, forward and backward,
#   with and without gradients. Nothing is said.
# Output seen:
#   RNN  by the formula 15360, cells 15360, layer 15360, layer there and back 39936
#   GRU  by the formula 46080, cells 46080, layer 46080, layer there and back 119808
#   LSTM by the formula 61440, cells 61440, layer 0, layer there and back 0
#   LSTM without oneDNN: 61440
# Upstream: no report in PyTorch found; meta-pytorch/tnt#624 (closed) names it in passing.
# Who is hit: tables of costs, and choices between LSTM and GRU that are made by them. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.4.6'
"$dir/venv/bin/python" - <<'PY'
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

T, N, D, M = 10, 2, 8, 16
x = torch.randn(T, N, D)

def counted(run):
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()

def steps(cell):
    state = None
    for step in x:
        state = cell(step, state)

seen = {}
for name, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    layer, cell = getattr(nn, name)(D, M), getattr(nn, f"{name}Cell")(D, M)
    law = 2 * T * N * gates * (D * M + M * M)
    seen[name] = law, counted(lambda: steps(cell)), counted(lambda: layer(x)), counted(lambda: layer(x)[0].sum().backward())
    print(f"{name:4} by the formula {law}, cells {seen[name][1]}, layer {seen[name][2]}, layer there and back {seen[name][3]}")
with torch.backends.mkldnn.flags(enabled=False):
    without = counted(lambda: layer(x))
print(f"LSTM without oneDNN: {without}")
others = all(law == cells == whole < both for law, cells, whole, both in (seen["RNN"], seen["GRU"]))
same = others and seen["LSTM"][0] == seen["LSTM"][1] == without and seen["LSTM"][2:] == (0, 0)
raise SystemExit(0 if same else "the behaviour has changed")
PY
