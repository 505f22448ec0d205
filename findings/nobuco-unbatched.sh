#!/usr/bin/env bash
# nobuco 0.17.0, PyTorch to Keras: an unbatched nn.LSTM or nn.GRU runs as T rows of one step.
#
# Expected: unbatched input (T, D), which PyTorch takes, gives what PyTorch gives, whatever batch_first says (it has no
#   meaning without a batch).
# Happens: the converter puts the missing axis in front, (1, T, D), and with batch_first=False, the default, Keras reads
#   time first: one step of T rows. Each output starts from zeros, as if the recurrence were not there, and the states
#   are those after the first step. The shapes are right.
# Output seen (largest difference of y and of the state(s) from PyTorch; then of y from one step at a time from zeros):
#   LSTM, batch (control): y 0.0000, h 0.0000, c 0.0000
#   LSTM, unbatched, batch_first=True (control): y 0.0000, h 0.0000, c 0.0000
#   LSTM, unbatched: y 0.7060, h 0.6328, c 1.0374; from steps that know no past 0.0000
#   GRU, batch (control): y 0.0000, h 0.0000
#   GRU, unbatched, batch_first=True (control): y 0.0000, h 0.0000
#   GRU, unbatched: y 0.2324, h 0.4462; from steps that know no past 0.0000
# Upstream: none found. Who is hit: single streams and reinforcement learning. A line of its log ("Max diff") shows it;
#   the call returns the model.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3.11 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'nobuco==0.17.0' 'tensorflow-cpu==2.15.1' 'keras==2.15.0' 'torch==2.2.2' \
  'torchvision==0.17.2' 'numpy==1.26.4'
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import contextlib, io
import nobuco, torch
from nobuco import ChannelOrder

torch.manual_seed(0)

class Net(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        y, states = self.layer(x)
        return (y, *states) if isinstance(states, tuple) else (y, states)

def gaps(layer, *shape):
    """How far y and the states are from PyTorch's, and y from PyTorch's steps without a past."""
    net, x = Net(layer).eval(), torch.randn(*shape)
    with torch.no_grad():
        right = net(x)
        lone = torch.cat([layer(x[t:t + 1])[0] for t in range(len(x))]) if x.dim() == 2 else None
    with contextlib.redirect_stdout(io.StringIO()):
        model = nobuco.pytorch_to_keras(net, args=[x], inputs_channel_order=ChannelOrder.PYTORCH,
                                        outputs_channel_order=ChannelOrder.PYTORCH)
    got = [torch.from_numpy(a.numpy()) for a in model(x.numpy())]
    off = [float((a - b).abs().max()) for a, b in zip(got, right)]
    return off, None if lone is None else float((got[0] - lone).abs().max())

def show(name, off):
    return f"{name}: " + ", ".join(f"{what} {value:.4f}" for what, value in zip("yhc", off))

same = True
for kind in (torch.nn.LSTM, torch.nn.GRU):
    batch, _ = gaps(kind(3, 4), 5, 2, 3)
    first, _ = gaps(kind(3, 4, batch_first=True), 5, 3)
    off, lone = gaps(kind(3, 4), 5, 3)
    print(show(f"{kind.__name__}, batch (control)", batch))
    print(show(f"{kind.__name__}, unbatched, batch_first=True (control)", first))
    print(show(f"{kind.__name__}, unbatched", off) + f"; from steps that know no past {lone:.4f}")
    same = same and max(batch + first) < 1e-5 and min(off) > 1e-2 and lone < 1e-5
raise SystemExit(0 if same else "the behaviour has changed")
PY
