#!/usr/bin/env bash
# PyTorch 2.11.0+cu130 with cuDNN 9.19, CUDA device: with TF32 off, the tanh inside nn.RNN is 80 times less exact than
# torch.tanh on the same device.
#
# Expected: after torch.backends.cudnn.allow_tf32 = False a float32 layer is good to a few units in the last place.
#   torch.tanh is: 1.7 u absolute, 2.9 u relative (u = 2**-24).
# Happens: nn.RNN(1, 1) as a bare tanh (weight 1, no recurrence) is off by 126 u absolute (7.5e-6) and 176 u relative;
#   it is odd, and exactly 1 from 8.0 on. A network of 64 units is 8.6e-6 off float64 where its cell is 2.7e-7 off; torch.backends.cudnn.enabled = False
#   restores that. A bound made from 2 u, or from the CPU, is broken by a correct network.
# Output seen (NVIDIA H200):
#   torch.tanh: 1.7 u, 2.9 u relative   tanh inside nn.RNN: 125.9 u, 175.9 u relative
#   64 units: 8.6e-06, without cuDNN 2.7e-07
# Upstream: no report found. Who is hit: tests with tight tolerances on a GPU that have already switched TF32 off. Silent.
set -euo pipefail
command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1 || { echo "needs a CUDA device: skipped"; exit 0; }
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q 'torch==2.11.0' 'numpy==2.4.6'
"$dir/venv/bin/python" - <<'PY'
import torch

torch.backends.cudnn.allow_tf32 = False
u = 2.0 ** -24
x = torch.cat([torch.logspace(-10, 1.2, 20001), torch.linspace(-12, 12, 40000)])
right = torch.tanh(x.double())

def errors(y):
    gap = (y.double().cpu() - right).abs()
    return gap.max().item() / u, (gap / right.abs()).max().item() / u

with torch.no_grad():
    net = torch.nn.RNN(1, 1)
    for weight in net.parameters():
        weight.zero_()
    net.weight_ih_l0.fill_(1.0)
    inside = errors(net.cuda()(x.view(1, -1, 1).cuda())[0].flatten())
    plain = errors(torch.tanh(x.cuda()))
    torch.manual_seed(0)
    net, z = torch.nn.RNN(64, 64), torch.randn(50, 8, 64)
    exact = net.double()(z.double())[0]
    net = net.float().cuda()
    layer = (net(z.cuda())[0].double().cpu() - exact).abs().max().item()
    torch.backends.cudnn.enabled = False
    native = (net(z.cuda())[0].double().cpu() - exact).abs().max().item()
print(f"torch.tanh: {plain[0]:.1f} u, {plain[1]:.1f} u relative   tanh inside nn.RNN: {inside[0]:.1f} u, {inside[1]:.1f} u "
      f"relative   64 units: {layer:.1e}, without cuDNN {native:.1e}")
raise SystemExit(0 if plain[0] < 5 and inside[0] > 30 and layer > 5 * native else "the behaviour has changed")
PY
