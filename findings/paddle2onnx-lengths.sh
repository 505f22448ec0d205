#!/usr/bin/env bash
# Paddle2ONNX 2.1.0 of PaddlePaddle 3.3.1: an exported GRU or LSTM has lost its lengths, and a deep one all last states
# but those of its last layer.
#
# Expected: the model in ONNX computes what Paddle computes: sequence_length becomes sequence_lens, and the last states
#   are (layers * directions, rows, units).
# Happens: the file takes the lengths, and no node uses them, so that outputs live on behind a row's end and states are
#   the padding's. Of a deep layer the states are those of the last layer alone, (directions, rows, units): the output shape
#   that the file declares is not asked. (Of an nn.SimpleRNN a file is written that onnxruntime does not load.)
#   Without lengths, outputs and one layer's states are right, in both directions and both layouts.
# Output seen:
#   GRU: plain (control) 9e-08, lengths: used by 0 nodes, off by 0.7; states of two layers (2, 3, 5), in Paddle (4, 3, 5)
#   LSTM: plain (control) 2e-07, lengths: used by 0 nodes, off by 0.7; states of two layers (2, 3, 5), in Paddle (4, 3, 5)
# Upstream: none found.
# Who is hit: text recognition and tagging models of Paddle that are served by onnxruntime in batches. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'paddlepaddle==3.3.1' 'paddle2onnx==2.1.0' 'onnx==1.17.0' 'onnxruntime==1.24.1' \
    'numpy==2.4.6' setuptools
cd "$dir"
cat > run.py <<'PY'
import sys
import numpy as np, onnx, onnxruntime, paddle

class Plain(paddle.nn.Layer):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        y, states = self.layer(x)
        return (y, *(states if isinstance(states, (tuple, list)) else [states]))

class WithLengths(Plain):
    def forward(self, x, n):
        y, states = self.layer(x, sequence_length=n)
        return (y, *(states if isinstance(states, (tuple, list)) else [states]))

x, n = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32"), np.array([6, 4, 2], "int64")

def both(kind, name, layers=1):
    """What Paddle gives, what the exported file gives, and how many nodes of the file use the lengths."""
    paddle.seed(0)
    net = kind(getattr(paddle.nn, name)(4, 5, num_layers=layers, direction="bidirect"))
    net.eval()
    given = [x, n] if kind is WithLengths else [x]
    with paddle.no_grad():
        wanted = [each.numpy() for each in net(*map(paddle.to_tensor, given))]
    spec = [paddle.static.InputSpec(list(a.shape), str(a.dtype), f"{'xn'[i]}") for i, a in enumerate(given)]
    paddle.onnx.export(net, "model", input_spec=spec, opset_version=14)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    uses = sum("n" in node.input for node in onnx.load("model.onnx").graph.node)
    return wanted, session.run(None, {key: dict(x=x, n=n)[key] for key in names}), uses

same = True
for name in ("GRU", "LSTM"):
    gap = lambda wanted, got: max(float(np.abs(a - b).max()) for a, b in zip(wanted, got))
    wanted, got, _ = both(Plain, name)
    control = gap(wanted, got)
    wanted, got, uses = both(WithLengths, name)
    off = gap(wanted[:1], got)
    wanted, got, _ = both(Plain, name, layers=2)
    deep = gap(wanted[:1], got)
    print(f"{name}: plain (control) {control:.0e}, lengths: used by {uses} nodes, off by {off:.1f}; states of two layers "
          f"{got[1].shape}, in Paddle {wanted[1].shape}", file=sys.stderr)
    same = same and max(control, deep) < 1e-5 and off > 1e-2 and uses == 0
    same = same and (got[1].shape, wanted[1].shape) == ((2, 3, 5), (4, 3, 5))
raise SystemExit(0 if same else 1)
PY
code=0; "$dir/venv/bin/python" run.py > log 2> seen || code=$?
grep -E "^(GRU|LSTM):" seen || tail -5 seen
exit $code
