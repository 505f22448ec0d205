#!/usr/bin/env bash
# MXNet 1.9.1, CPU: gluon.rnn.RNN, GRU and LSTM with use_sequence_length=True do not heed the lengths.
#
# Expected: padding behind a row's end does not matter: the outputs there are 0, the states are those at the end, and the
#   reverse direction begins at the end. unroll(valid_length=...) of the cells does so.
# Happens: the lengths are taken and dropped. The padding runs through the recurrence, the states are those of the last
#   step, and a bidirectional layer is wrong at every valid step, too.
# Output seen (the same two rows, padded with 0 and with 9):
#   RNNCell.unroll (control): another padding moves valid outputs by 0.0000, the last state by 0.0000
#   RNN: another padding moves valid outputs by 0.0000, the last state by 16.4253   bidirectional: 1.8454, 7.4044
#   GRU: .. 0.0000, .. 1.0022   bidirectional: .. 0.8027, .. 0.7950
#   LSTM: .. 0.0000, .. 1.8324   bidirectional: .. 0.5262, .. 1.0547
# Upstream: mxnet#19323, whose repair (mxnet#19466) is not in the last release on PyPI. Who is hit: models trained on a
#   GPU, where cuDNN heeds the lengths, and served on a CPU. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'mxnet==1.9.1' 'numpy==1.23.5'
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import numpy as np
np.bool = np.bool_  # MXNet 1.9.1 asks for a name that NumPy has dropped
import mxnet as mx
from mxnet.gluon import rnn

mx.random.seed(0)
rng = np.random.default_rng(0)
zeros = rng.normal(size=(5, 2, 3)).astype("float32")
zeros[3:, 1] = 0
nines = zeros.copy()
nines[3:, 1] = 9
lengths = mx.nd.array([5, 3])
shift = lambda a, b: float(np.abs(a.asnumpy() - b.asnumpy()).max())

def shifts(run):
    """How far another padding moves the outputs of row 1 before its end, and its states."""
    (y, s), (y9, s9) = run(mx.nd.array(zeros)), run(mx.nd.array(nines))
    return shift(y[:3, 1], y9[:3, 1]), max(shift(a[:, 1] if a.ndim == 3 else a[1], b[:, 1] if b.ndim == 3 else b[1])
                                           for a, b in zip(s, s9))

cell = rnn.RNNCell(4, input_size=3)
cell.initialize(mx.init.Uniform(0.7))
control = shifts(lambda x: cell.unroll(5, x, layout="TNC", merge_outputs=True, valid_length=lengths))
print(f"RNNCell.unroll (control): another padding moves valid outputs by {control[0]:.4f}, the last state by {control[1]:.4f}")
same = max(control) < 1e-6
for kind in (rnn.RNN, rnn.GRU, rnn.LSTM):
    found = []
    for both in (False, True):
        layer = kind(4, input_size=3, bidirectional=both, use_sequence_length=True)
        layer.initialize(mx.init.Uniform(0.7))
        found.append(shifts(lambda x: layer(x, layer.begin_state(2), lengths)))
    (y, s), (y2, s2) = found
    print(f"{kind.__name__}: another padding moves valid outputs by {y:.4f}, the last state by {s:.4f}   "
          f"bidirectional: {y2:.4f}, {s2:.4f}")
    same = same and y < 1e-6 and min(s, y2, s2) > 1e-2
raise SystemExit(0 if same else "the behaviour has changed")
PY
