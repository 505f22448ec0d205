"""PyTorch on the CPU: ``nn.RNN``, ``nn.GRU`` and ``nn.LSTM``, eager, with packed sequences where there are lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cells import GRUCell, LSTMCell
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.layouts import to_torch
from ..model.spec import Layer
from ..model.trajectory import ShownLayer, Trajectory
from ..model.wiring import RIGHT, held
from .supports import Supports

__all__ = ["TorchLayers"]


class TorchLayers:
    """``nn.RNN(...)(x, states)``, layer by layer, then ``nn.functional.linear``.

    What goes backwards is turned round by ``torch.flip``; a ``Bidirectional`` is one module, ``bidirectional=True``,
    whose two halves are merged as the model says.
    """

    name = "torch"
    supports = Supports(
        cells=("SimpleRNN", GRUCell(), LSTMCell()),
        activations=("tanh", "relu"),
        activations_of={"GRU": ("tanh",), "LSTM": ("tanh",)},
        dtypes=("float32", "float64"),
        options=(
            *("use_bias", "activation", "return_sequences", "return_state", "initial_state", "go_backwards", "layers"),
            *("bidirectional", "merge_mode", "head", "mask", "embedding", "zero_output_for_mask"),
        ),
        lengths=1,  # a packed sequence has no rows of length 0
    )

    def __init__(self) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(1)

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {"torch": self.torch.__version__}

    def accepts(self, case: Case) -> bool:
        """Whether PyTorch has such layers: what goes backwards would have to be turned within its length."""
        one_sided = (layer.go_backwards for layer in case.spec.layers if isinstance(layer, RNN))
        return not (case.spec.masked and any(one_sided))

    def run(self, case: Case) -> Trajectory:
        """Show outputs, and of every layer its output and its states."""
        with self.torch.no_grad(), np.errstate(all="ignore"):
            return Trajectory.of_calls([self._call(case, call) for call in case.calls])

    def _call(self, case: Case, call: Call) -> Trajectory:
        spec, layers = case.spec, []
        x, mask = case.inputs(call)
        y = self.torch.from_numpy(np.array(x))
        lengths = self.torch.from_numpy(mask.sum(1)) if spec.masked else None
        given = iter(call.states)
        for i, layer in enumerate(spec.layers):
            units = [M for direction in layer.directions for M in direction.state_units]
            states = [next(given) for _ in units] if layer.initial_state else None
            y, shown = self._layer(case, i, layer, y, lengths, states)
            layers.append(shown)
        if spec.head is not None:
            Wo, bo = (self.torch.from_numpy(np.array(weight)) for weight in case.head_weights())
            y = self.torch.nn.functional.linear(y, Wo.T, bo if spec.head.use_bias else None)
            y = {"tanh": self.torch.tanh, "relu": self.torch.relu}.get(spec.head.activation.name, lambda a: a)(y)
        return Trajectory(y if isinstance(y, tuple) else y.numpy(), layers=tuple(layers))

    def _layer(self, case: Case, i: int, layer: Layer, x: Any, lengths: Any, states: Any) -> tuple[Any, ShownLayer]:
        """Run one layer: what it gives to the next one, and what it shows."""
        torch, both = self.torch, isinstance(layer, Bidirectional)
        turned = isinstance(layer, RNN) and layer.go_backwards
        first = layer.directions[0]
        (kind,), (M,) = first.kinds, first.cells
        own: dict[str, Any] = {"nonlinearity": first.activation.name} if kind.name == "SimpleRNN" else {}
        module = getattr(torch.nn, {"SimpleRNN": "RNN"}.get(kind.name, kind.name))(
            *(x.shape[-1], M), bias=first.use_bias, batch_first=True, bidirectional=both, dtype=x.dtype, **own
        )
        weights = to_torch(layer, case.part(f"layer{i}").values())
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.from_numpy(weights[name]))
        entered = torch.flip(x, [1]) if turned else x
        if lengths is not None:
            entered = torch.nn.utils.rnn.pack_padded_sequence(entered, lengths, batch_first=True, enforce_sorted=False)
        count = len(kind.states)
        start = None
        if states is not None:
            start = tuple(torch.from_numpy(np.stack(states[k::count])) for k in range(count))
            start = start[0] if count == 1 else start
        y, final = module(entered, start)
        if lengths is not None:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        finals = (final,) if count == 1 else final
        sides = y.split(M, -1) if both else [y]
        if not layer.return_sequences:
            sides = list(finals[0])
        elif both:  # in the order of processing, as the rules of merging take it
            sides = [sides[0], torch.flip(sides[1], [1])]
        output = RIGHT.merged(layer, [side.numpy() for side in sides])
        following = output if isinstance(output, tuple) else torch.from_numpy(output.copy())
        told = tuple(finals[k][j].numpy() for j in range(1 + both) for k in range(count))
        every = None
        if not both:  # all of them, also where the layer gives only its last output
            on = np.ones(x.shape[:2], bool) if lengths is None else np.arange(x.shape[1]) < lengths.numpy()[:, None]
            every = held(on, y.numpy())
        return following, ShownLayer(output, every, told if layer.return_state else None)
