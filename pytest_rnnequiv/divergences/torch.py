"""Where PyTorch is something else than its own layers are."""

from __future__ import annotations

from typing import Any

from .table import demonstrated, expect

__all__: list[str] = []


@demonstrated(
    name="exported-with-one-tensor-twice",
    says="an LSTM that torch.export exports with the same tensor as example of h0 and of c0 starts from c0 in place of "
    "both ever after, and so does what torch.onnx.export(dynamo=True) makes of it",
    instead="give two tensors as examples: zeros, zeros.clone()",
    library="torch",
    runtimes=("torch",),
    since="2.13.0",
    report="https://github.com/pytorch/pytorch/issues/144683",
)
def _(torch: Any) -> None:
    layer = torch.nn.LSTM(1, 1)
    x, zeros, ones = torch.ones(1, 1, 1), torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.fill_(1.0)
        program = torch.export.export(layer, (x, (zeros, zeros))).module()
        expected, got = (run(x, (ones, zeros))[0].item() for run in (layer, program))
    expect("the output from h0 = 1, c0 = 0", round(expected, 5), round(got, 5))


@demonstrated(
    name="bfloat16-autocast-is-float16",
    says="under torch.autocast('cuda', dtype=torch.bfloat16), nn.RNN, nn.GRU and nn.LSTM compute and answer in "
    "float16, so that values above 65504 are inf; their cells are in bfloat16",
    instead="model.bfloat16(), or with torch.autocast('cuda', enabled=False) round the layer",
    library="torch",
    runtimes=("torch-cuda",),
    since="2.11.0",
    on_card=True,
)
def _(torch: Any) -> None:
    layer, x = torch.nn.LSTM(1, 1).cuda(), torch.ones(1, 1, 1, device="cuda")
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        got = layer(x)[0].dtype
    expect("the dtype of the outputs", torch.bfloat16, got)
