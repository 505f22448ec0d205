#!/usr/bin/env bash
# SpeechBrain 1.1.2 (PyTorch 2.13.0): the last states of a bidirectional LiGRU or SLiGRU are those of other rows, and
# none of them is a last state of the backward direction.
#
# Expected: what PyTorch's layers give: h[0] is the last state of the forward direction of each row, h[1] that of the
#   backward direction, which is at time 0. Given as the initial state hx, h[0] goes to the forward direction of each
#   row, and h[1] to the backward one: that is so here.
# Happens: the last step of the output, (rows, 2 units), is taken and reshaped to (2, rows, units) instead of turned. So
#   row 1 of h[0] is the backward state of row 0, and so on; and every backward state is that of its first step, at the
#   end of time. The output, and layers of one direction, are right. With one row the directions are in their places.
# Output seen (3 rows, 6 steps; y[row, time, direction]):
#   h[0] = y[0,5,forward] y[0,5,backward] y[1,5,forward]   h[1] = y[1,5,backward] y[2,5,forward] y[2,5,backward]
#   should be h[0] = y[0,5,forward] y[1,5,forward] y[2,5,forward]   h[1] = y[0,0,backward] y[1,0,backward] y[2,0,backward]
#   LiGRU, SLiGRU: the same; one direction (control): right
# Upstream: none found.
# Who is hit: encoders that hand their state to a decoder, and classifiers that read h of a batch. Silent.
# torchaudio, which the package imports and these layers do not use, is replaced by an empty module.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.13.0' 'numpy==2.4.6' 'scipy==1.17.1' hyperpyyaml joblib packaging requests \
    sentencepiece soundfile tqdm huggingface_hub
"$dir/venv/bin/pip" install -q --no-deps 'speechbrain==1.1.2'
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import importlib.machinery, sys, types

torchaudio = types.ModuleType("torchaudio")
torchaudio.__version__, torchaudio.__spec__ = "2.11", importlib.machinery.ModuleSpec("torchaudio", None)
torchaudio.list_audio_backends = lambda: ["none"]
sys.modules["torchaudio"] = torchaudio
import torch
from speechbrain.nnet.RNN import LiGRU, SLiGRU

torch.manual_seed(0)
x = torch.randn(3, 6, 4)

def made(kind, bidirectional):
    return kind(input_shape=x.shape, hidden_size=5, num_layers=1, bidirectional=bidirectional).eval()

def place(state, y):
    """Where in the output a state is found."""
    found = [f"y[{n},{t},{name}]" for n in range(3) for t in range(6) for d, name in enumerate(("forward", "backward"))
             if torch.allclose(state, y[n, t, 5 * d : 5 * d + 5], atol=1e-6)]
    return found[0] if len(found) == 1 else str(found)

seen = {}
with torch.no_grad():
    for kind in (LiGRU, SLiGRU):
        y, h = made(kind, True)(x)
        one, last = made(kind, False)(x)
        assert h.shape == (2, 3, 5) and torch.allclose(last[0], one[:, -1])
        seen[kind.__name__] = [[place(h[k, row], y) for row in range(3)] for k in range(2)]
write = lambda places: "   ".join(f"h[{k}] = {' '.join(row)}" for k, row in enumerate(places))
print(write(seen["LiGRU"]))
right = [[f"y[{n},{t},{name}]" for n in range(3)] for t, name in ((5, "forward"), (0, "backward"))]
print("should be", write(right))
print(f"LiGRU, SLiGRU: {'the same' if seen['LiGRU'] == seen['SLiGRU'] else 'not the same'}; one direction (control): right")
mixed = [["y[0,5,forward]", "y[0,5,backward]", "y[1,5,forward]"], ["y[1,5,backward]", "y[2,5,forward]", "y[2,5,backward]"]]
raise SystemExit(0 if seen["LiGRU"] == seen["SLiGRU"] == mixed else 1)
PY
