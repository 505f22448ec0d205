#!/usr/bin/env bash
# pnnx 20261020 + ncnn 1.0.20261020: a recurrent layer traced with a batch of two computes the first row only, or runs
# along the batch instead of along the time.
#
# Expected: a network traced on input (2, 5, 3) maps two rows, or the converter refuses batches (ncnn has none).
# Happens: pnnx converts without a word, and ncnn takes the 3-d input without a word. With batch_first=True the output is
#   row 0 alone. Without it, the input (5 steps, 2 rows, 3) is read as channels, and ncnn runs a sequence of length 2
#   along the *rows* of step 0; the other four steps are never read.
# Output seen:
#   batch_first, input (2, 5, 3): output (5, 4), PyTorch (2, 5, 4); off row 0 by 0.0000
#   time first, input (5, 2, 3): output (2, 4), PyTorch (5, 2, 4); off the recurrence along the two rows of step 0 by 0.0000
#   status 0, a word about it: False
# Upstream: no report found (ncnn#4945 has the converter's own words for a reshape of a batch; here it has none).
# Who is hit: exports of nn.GRU, nn.LSTM, nn.RNN in PyTorch's default layout with more than one row. Silent.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.13.0' 'pnnx==20261020' 'ncnn==1.0.20261020' 'numpy==2.4.6'
cd "$dir"
"$dir/venv/bin/python" - <<'PY' 2>/dev/null
import subprocess
import numpy as np, ncnn, pnnx, torch

class Net(torch.nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.rnn = torch.nn.GRU(3, 4, batch_first=batch_first)
    def forward(self, x):
        return self.rnn(x)[0]

def convert_and_run(net, x):
    torch.jit.trace(net, x).save("m.pt")
    shape = ",".join(str(n) for n in x.shape)
    done = subprocess.run([pnnx.EXEC_PATH, "m.pt", f"inputshape=[{shape}]", "fp16=0"], capture_output=True, text=True)
    log = done.stdout + done.stderr
    run = ncnn.Net()
    run.load_param("m.ncnn.param"); run.load_model("m.ncnn.bin")
    extractor = run.create_extractor()
    extractor.input("in0", ncnn.Mat(np.ascontiguousarray(x.numpy())))
    status, out = extractor.extract("out0")
    return np.array(out), done.returncode + status, "support" in log or "batch" in log

torch.manual_seed(0)
first = Net(True).eval()
rows = torch.randn(2, 5, 3)
a, a_status, a_said = convert_and_run(first, rows)
right = first(rows).detach().numpy()
print(f"batch_first, input (2, 5, 3): output {a.shape}, PyTorch {right.shape}; off row 0 by {np.abs(a - right[0]).max():.4f}")

time = Net(False).eval()
steps = torch.randn(5, 2, 3)
b, b_status, b_said = convert_and_run(time, steps)
along_rows = time(steps[0][:, None])[0:, 0].detach().numpy()
print(f"time first, input (5, 2, 3): output {b.shape}, PyTorch {tuple(time(steps).shape)}; off the recurrence along the "
      f"two rows of step 0 by {np.abs(b - along_rows).max():.4f}")
print(f"status {a_status + b_status}, a word about it: {a_said or b_said}")
same = a.shape == (5, 4) and np.abs(a - right[0]).max() < 1e-5 and b.shape == (2, 4)
same = same and np.abs(b - along_rows).max() < 1e-5 and a_status + b_status == 0
raise SystemExit(0 if same else "the behaviour has changed")
PY
