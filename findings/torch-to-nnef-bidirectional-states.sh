#!/usr/bin/env bash
# torch-to-nnef 0.24.12 (PyTorch to NNEF, for tract 0.23.9): a bidirectional layer that is given states is wrong.
#
# Expected: as PyTorch. Of h0 (and c0), a tensor of (layers * 2, N, M), the forward direction takes [0], the backward
#   one [1].
# Happens: both directions start from [0], and [1] has no effect (in a second layer both from [1]). Without states, or in
#   one direction with them, all is right.
# Output seen (largest difference from PyTorch of y, and of the last states):
#   RNN: one direction, given h0 0.0000 0.0000; both directions, no h0 0.0000 0.0000; both, given h0 0.9623 0.0211
#   GRU: one direction, given h0 0.0000 0.0000; both directions, no h0 0.0000 0.0000; both, given h0 1.0996 0.0422
#   LSTM: one direction, given h0 0.0000 0.0000; both directions, no h0 0.0000 0.0000; both, given h0 0.5793 0.2366
#   h0 of zeros, both directions: 0.0000 0.0000
# Its own check after the export (check_io, which runs tract's binary, and is off here) sees it if the example's states
#   are not zeros, as they mostly are. Upstream: none found. Who is hit: streaming encoders. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch-to-nnef==0.24.12' 'tract==0.23.9' 'torch==2.13.0' 'numpy==2.4.6'
cd "$dir"
printf '#!/bin/sh\necho tract 0.23.1\n' > tract; chmod +x tract   # only asked for its version
"$dir/venv/bin/python" -W ignore - <<'PY' 2>/dev/null
import pathlib
import numpy as np, torch, tract
from torch_to_nnef import TractNNEF, export_model_to_nnef

torch.set_grad_enabled(False)

class Net(torch.nn.Module):
    def __init__(self, kind, both):
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(3, 4, bidirectional=both)

    def forward(self, x, *states):
        y, last = self.rnn(x, (states if len(states) > 1 else states[0]) if states else None)
        return (y, *last) if isinstance(last, tuple) else (y, last)

def differences(kind, both, given, scale=1.0):
    torch.manual_seed(0)
    net, count = Net(kind, both).eval(), 2 if kind == "LSTM" else 1
    x = torch.randn(5, 2, 3)
    states = [scale * torch.randn(1 + both, 2, 4) for _ in range(count)] if given else []
    target = TractNNEF("0.23.1", check_io=False, specific_tract_binary_path=pathlib.Path("tract").absolute())
    file = export_model_to_nnef(net, (x, *states), pathlib.Path("model.nnef.tgz").absolute(), target, log_level=50,
                                input_names=["x", "h0", "c0"][: 1 + len(states)], output_names=["y", "h", "c"][: 1 + count])
    got = tract.nnef().load(str(file)).into_runnable().run([np.ascontiguousarray(a.numpy()) for a in (x, *states)])
    off = [float(np.abs(a.to_numpy() - b.numpy()).max()) for a, b in zip(got, net(x, *states))]
    file.unlink()
    return off[0], max(off[1:])

same = True
for kind in ("RNN", "GRU", "LSTM"):
    one, none, both = differences(kind, False, True), differences(kind, True, False), differences(kind, True, True)
    print(f"{kind}: one direction, given h0 {one[0]:.4f} {one[1]:.4f}; both directions, no h0 {none[0]:.4f} {none[1]:.4f}; "
          f"both, given h0 {both[0]:.4f} {both[1]:.4f}", flush=True)
    same &= max(one + none) < 1e-5 and both[0] > .05
zeros = differences("LSTM", True, True, scale=0.0)
print(f"h0 of zeros, both directions: {zeros[0]:.4f} {zeros[1]:.4f}")
raise SystemExit(0 if same and max(zeros) < 1e-5 else "the behaviour has changed")
PY
