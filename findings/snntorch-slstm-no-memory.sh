#!/usr/bin/env bash
# snnTorch 1.0.0 (PyTorch 2.13.0), SLSTM: with hidden_size other than input_size the cell has no memory.
#
# Expected: what its documentation says: syn and mem are c and h of an LSTM; where no spike is fired (a high threshold) and
#   with the default reset_mechanism="none", they are those of torch.nn.LSTMCell with the same weights.
# Happens: forward() compares the shape of the states that it is given with that of the input, (rows, input_size), and not
#   with (rows, hidden_size). Where the two sizes differ, the states are replaced by zeros at every step: each output is
#   that of a first step. Where they are equal, all is right. Nothing is said.
# Output seen:
#   SLSTM(4, 4): 6 steps off by 0.00 from LSTMCell; SLSTM(4, 5): off by 0.18, and by 0.00 from a first step at each step
#   a given state changes the next output: SLSTM(4, 4) True, SLSTM(4, 5) False
# Upstream: none found.
# Who is hit: every spiking LSTM whose layers have other sizes than their inputs, as in the documentation's own example.
#   Silent: it trains, on one step at a time.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.13.0' 'snntorch==1.0.0' 'numpy==2.4.6'
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import torch, snntorch
from torch import nn

torch.manual_seed(0)
torch.set_grad_enabled(False)
x, zeros = torch.rand(6, 3, 4), lambda M: torch.zeros(3, M)

def run(M):
    """The gaps of 6 steps: from an LSTMCell, and from one that starts anew at each step; whether a state is heeded."""
    layer, cell = snntorch.SLSTM(4, M, threshold=100.0), nn.LSTMCell(4, M)
    cell.load_state_dict(layer.lstm_cell.state_dict())
    syn, mem, state = zeros(M), zeros(M), (zeros(M), zeros(M))
    whole, anew = 0.0, 0.0
    for step in x:
        spikes, syn, mem = layer(step, syn, mem)
        assert not spikes.any()
        state = cell(step, state)
        whole = max(whole, float((mem - state[0]).abs().max()))
        anew = max(anew, float((mem - cell(step)[0]).abs().max()))
    one, other = (layer(x[0], given, given)[2] for given in (zeros(M), torch.ones(3, M)))
    return whole, anew, not torch.equal(one, other)

square, oblong = run(4), run(5)
print(f"SLSTM(4, 4): 6 steps off by {square[0]:.2f} from LSTMCell; SLSTM(4, 5): off by {oblong[0]:.2f}, and by "
      f"{oblong[1]:.2f} from a first step at each step")
print(f"a given state changes the next output: SLSTM(4, 4) {square[2]}, SLSTM(4, 5) {oblong[2]}")
same = square[0] < 1e-6 and square[2] and oblong[0] > 1e-2 and oblong[1] < 1e-6 and not oblong[2]
raise SystemExit(0 if same else 1)
PY
