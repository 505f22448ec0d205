#!/usr/bin/env bash
# PyDyNet 1.1: the directions of a deep bidirectional RNN or LSTM never meet, and with batch_first a last state cannot go
#   on as the first one of the next chunk.
#
# Expected: what PyTorch does, whose names and arguments this library has. In a second bidirectional layer each direction
#   reads both of the first one, so its first step depends on the last input. (h, c) that come out can go in again.
# Happens: the second layer's forward half reads the first one's forward half only (its kernel has M rows, not 2M), and the
#   backward one alike: two networks that do not know of each other. With batch_first the states come out as
#   (N, layers, M), and go in as (layers, N, M): where N = layers, rows and layers are exchanged.
# Output seen (two layers, N = 2; the second number is by how much the forward half of the first output moves with the
#   last input):
#   RNN: rows of the second kernel 4 of 8, moves by 0.0000; one by one batch_first 1.2579, else (control) 0.0000
#   LSTM: rows of the second kernel 4 of 8, moves by 0.0000; one by one batch_first 0.4390, else (control) 0.0000
# Upstream: none found. Who is hit: whoever moves weights from PyTorch, or learns from it how PyTorch works. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'pydynet==1.1' 'numpy==2.4.6'
"$dir/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from pydynet import nn
from pydynet.core import Tensor

D, M, N, T = 3, 4, 2, 6
rng = np.random.default_rng(0)
x = rng.normal(size=(T, N, D)).astype("float32")
changed = x.copy()
changed[-1] += 1


def drawn(kind, **options):
    """A network of two layers whose weights are not small."""
    made = kind(D, M, num_layers=2, **options)
    for weight in made.parameters():
        weight.data[...] = rng.normal(0, 0.7, weight.shape)
    return made


def one_by_one(network, x, steps):
    """How far the last output is off if each step is a call, with the states of the call before."""
    whole, states, y = network(Tensor(x))[0].numpy(), (), None
    for t in range(T):
        y, now = network(Tensor(np.take(x, [t], steps)), *states)
        states = (now,)
    return float(np.abs(np.take(whole, -1, steps) - np.take(y.numpy(), -1, steps)).max())


seen = []
for kind in (nn.RNN, nn.LSTM):
    both = drawn(kind, bidirectional=True)
    rows = getattr(both, f"{kind.__name__.lower()}_1").Wx.shape[0]
    first, other = (both(Tensor(each))[0].numpy()[0, :, :M] for each in (x, changed))
    off = one_by_one(drawn(kind, batch_first=True), x.swapaxes(0, 1), 1), one_by_one(drawn(kind), x, 0)
    seen.append((rows == M, float(np.abs(first - other).max()) == 0, off[0] > .01, off[1] < 1e-5))
    print(f"{kind.__name__}: rows of the second kernel {rows} of {2 * M}, moves by {np.abs(first - other).max():.4f}; "
          f"one by one batch_first {off[0]:.4f}, else (control) {off[1]:.4f}")
raise SystemExit(0 if np.all(seen) else "the behaviour has changed")
PY
