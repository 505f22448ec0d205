"""PyTorch: ``nn.RNN``, ``nn.GRU`` and ``nn.LSTM``, with packed sequences where there are lengths.

===================  ==============================================================================================
``torch``            eager, on the CPU
``torch-compile``    a compiled step in a loop over time, since ``torch.compile`` leaves layers alone
``torch-export``     ``torch.export.export(network, ...).module()``, one for each number of steps
``torch-cuda``       eager on an NVIDIA card, by cuDNN, in float32
``torch-cuda-tf32``  the same as PyTorch is by default: the factors of cuDNN's products may be in TF32
===================  ==============================================================================================

What is asked of ``torch.set_float32_matmul_precision`` says nothing to cuDNN, which has a flag of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from ..arithmetic.precision import Precision
from ..cells import GRUCell, LSTMCell
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.layouts import to_torch
from ..model.spec import Layer, Spec
from ..model.trajectory import ShownLayer, Trajectory
from ..model.wiring import held, merge
from .devices import CUDA, ERROR_OF_CUDNN
from .supports import Supports

__all__ = ["TorchCompile", "TorchCuda", "TorchCudaTf32", "TorchExport", "TorchLayers"]

#: The weights of a layer and of a cell, in the order in which a step takes them.
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

#: Networks that are kept.
NETWORKS_KEPT = 160


class TorchLayers:
    """A network of ``nn.RNN(...)(x, states)``, then ``nn.Linear``.

    What goes backwards is turned round by ``torch.flip``; a ``Bidirectional`` is one module, ``bidirectional=True``,
    whose two halves are merged as the model says.
    """

    name = "torch"
    supports = Supports(
        cells=("SimpleRNN", GRUCell(), LSTMCell(), LSTMCell(projection=2)),
        activations=("tanh", "relu"),
        activations_of={"GRU": ("tanh",), "LSTM": ("tanh",)},
        head_activations=("tanh", "relu", "sigmoid", "softmax", "softsign", "elu"),
        dtypes=("float32", "float64"),
        options=(
            *("use_bias", "activation", "return_sequences", "return_state", "initial_state", "go_backwards", "layers"),
            *("bidirectional", "merge_mode", "head", "hidden", "mask", "embedding", "zero_output_for_mask"),
            "projection",
        ),
        lengths=1,  # a packed sequence has no rows of length 0
    )
    device: ClassVar[str] = "cpu"

    def __init__(self) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(1)
        self._eager = lru_cache(NETWORKS_KEPT)(self._new)

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {"torch": self.torch.__version__}

    def accepts(self, case: Case) -> bool:
        """Whether PyTorch has such layers.

        What goes backwards would have to be turned within its length, and a batch of none cannot be packed. A
        projection has to be smaller than the number of units.
        """
        if any("projection" in d.kinds[0].beyond and d.features >= d.cells[0] for d in case.spec.directions):
            return False
        one_sided = (layer.go_backwards for layer in case.spec.layers if isinstance(layer, RNN))
        return not (case.spec.masked and (any(one_sided) or not all(call.N for call in case.calls)))

    def run(self, case: Case) -> Trajectory:
        """Show outputs, and of every layer its output and its states."""
        with self.torch.no_grad(), np.errstate(all="ignore"):
            return Trajectory.of_calls([self._call(case, call) for call in case.calls])

    def _call(self, case: Case, call: Call) -> Trajectory:
        spec = case.spec
        network, ask = self._network(spec, call.T)
        for module, layer, i in zip(network.recurrent, spec.layers, range(len(spec.layers)), strict=True):
            weights = to_torch(layer, case.part(f"layer{i}").values())
            for name, parameter in module.named_parameters():
                parameter.copy_(self.torch.from_numpy(weights[name]))
        for part, dense in spec.dense.items():
            Wo, bo = map(self._tensor, case.head_weights(part=part))
            network.dense[part].weight.copy_(Wo.T)
            if dense.use_bias:
                network.dense[part].bias.copy_(bo)
        x, mask = case.inputs(call)
        lengths = self.torch.from_numpy(mask.sum(1)) if spec.masked else None
        y, shown = ask(self._tensor(x), lengths, [self._tensor(state) for state in call.states])
        layers = []
        for layer, (output, every, finals) in zip(spec.layers, shown, strict=True):
            states = None
            if not isinstance(layer, Bidirectional):  # all of them, also where it gives only its last output
                states = held(mask, every.cpu().numpy())
            told = [final.cpu().numpy() for final in finals] if layer.return_state else None
            layers.append(ShownLayer(_numbers(output), states, told))
        return Trajectory(_numbers(y), layers=tuple(layers))

    def _tensor(self, array: Any) -> Any:
        return self.torch.from_numpy(np.array(array)).to(self.device)

    def _network(self, spec: Spec, T: int) -> tuple[Any, Any]:
        """Return the network of a spec, and what is called with inputs of so many steps, lengths and states."""
        network = self._eager(spec)
        return network, network

    def run_layer(self, layer: Layer, module: Any, x: Any, lengths: Any, states: Any) -> tuple[Any, Any, Any]:
        """Run one layer: what it puts out, its states at every step, and its last ones of each direction."""
        return _run(layer, module, x, lengths, states)

    def _new(self, spec: Spec) -> Any:
        return _network(spec, self.run_layer).to(self.device, getattr(self.torch, spec.dtype)).eval()


def _numbers(output: Any) -> Any:
    return tuple(map(_numbers, output)) if isinstance(output, tuple) else output.cpu().numpy()


def _network(spec: Spec, run_layer: Callable[..., Any]) -> Any:
    """Return the ``nn.Module`` of a spec; `run_layer` runs one layer, as :func:`_run` does."""
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # untyped where PyTorch is absent
        """From inputs, lengths and states to outputs, and of each layer its output, all states and the last ones."""

        def __init__(self) -> None:
            super().__init__()
            self.recurrent, F = torch.nn.ModuleList(), spec.D
            for layer in spec.layers:
                self.recurrent.append(_module(torch, layer, F))
                F = layer.features
            self.dense = torch.nn.ModuleDict()
            for part, dense in spec.dense.items():
                self.dense[part] = torch.nn.Linear(F, dense.K, bias=dense.use_bias)
                F = dense.K

        def forward(self, x: Any, lengths: Any, states: Sequence[Any]) -> Any:
            left, shown = iter(states), []
            for module, layer in zip(self.recurrent, spec.layers, strict=True):
                units = [M for direction in layer.directions for M in direction.state_units]
                start = [next(left) for _ in units] if layer.initial_state else None
                shown.append(run_layer(layer, module, x, lengths, start))
                x = shown[-1][0]
            for part, dense in spec.dense.items():
                x = _activated(dense.activation.name, self.dense[part](x))
            return x, shown

    return Network()


def _activated(name: str, a: Any) -> Any:
    """Apply the activation of a head."""
    import torch

    along = {"dim": -1} if name == "softmax" else {}
    return a if name == "linear" else getattr(torch.nn.functional, name)(a, **along)


def _module(torch: Any, layer: Layer, F: int) -> Any:
    """Make the module of a layer on `F` features."""
    first = layer.directions[0]
    (kind,), (M,) = first.kinds, first.cells
    own: dict[str, Any] = {"nonlinearity": first.activation.name} if kind.name == "SimpleRNN" else {}
    made = getattr(torch.nn, {"SimpleRNN": "RNN"}.get(kind.name, kind.name))
    both = isinstance(layer, Bidirectional)
    own |= {"proj_size": first.features} if "projection" in kind.beyond else {}
    return made(F, M, bias=first.use_bias, batch_first=True, bidirectional=both, **own)


def _run(layer: Layer, module: Any, x: Any, lengths: Any, states: Any) -> tuple[Any, Any, Any]:
    """Run one layer: what it puts out, its states at every step, and its last ones of each direction."""
    import torch

    turned = isinstance(layer, RNN) and layer.go_backwards
    count = len(layer.directions[0].kinds[0].states)
    entered = torch.flip(x, [1]) if turned else x
    start: Any = None
    if states is not None:
        start = tuple(torch.stack(states[k::count]) for k in range(count))
        start = start[0] if count == 1 else start
    if lengths is None:
        y, final = module(entered, start)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(entered, lengths, batch_first=True, enforce_sorted=False)
        y, final = module(packed, start)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
    finals = (final,) if count == 1 else final
    told = tuple(finals[k][j] for j in range(len(layer.directions)) for k in range(count))
    sides = torch.chunk(y, len(layer.directions), -1) if layer.return_sequences else finals[0].unbind()
    return _merged(layer, sides), y, told


def _merged(layer: Layer, sides: Sequence[Any]) -> Any:
    """What a layer puts out, of its directions, in order of time."""
    import torch

    if not isinstance(layer, Bidirectional):
        return sides[0]
    return merge(layer.merge_mode, *sides, join=partial(torch.cat, dim=-1))


#: A packed sequence is neither exported nor run by a loop over cells.
WITHOUT_LENGTHS = replace(
    TorchLayers.supports,
    options=tuple(o for o in TorchLayers.supports.options if o not in ("mask", "zero_output_for_mask")),
    lengths=None,
    mask_zero=False,
)


class TorchCompile(TorchLayers):
    """A step of ``nn.GRUCell`` and its like, by ``torch.compile(..., dynamic=True)``, in a loop over time.

    The weights are arguments, so that one program serves all sizes but 1, of which PyTorch makes a constant.
    """

    name = "torch-compile"
    first_timeout = 300.0
    timeout = 120.0
    supports = replace(  # lstm_cell has no projection
        WITHOUT_LENGTHS,
        cells=tuple(cell for cell in WITHOUT_LENGTHS.cells if cell != LSTMCell(projection=2)),
        options=tuple(option for option in WITHOUT_LENGTHS.options if option != "projection"),
    )

    def __init__(self) -> None:
        super().__init__()
        # else it gives up after 8 programs and goes on without compiling, and takes sizes that are equal for one
        self.torch._dynamo.config.recompile_limit = self.torch._dynamo.config.accumulated_recompile_limit = 1024
        self.torch.fx.experimental._config.use_duck_shape = False
        self._steps = {
            name: self.torch.compile(getattr(self.torch, f"{name}_cell"), dynamic=True)
            for name in ("rnn_tanh", "rnn_relu", "gru", "lstm")
        }

    def run_layer(self, layer: Layer, module: Any, x: Any, lengths: Any, states: Any) -> tuple[Any, Any, Any]:
        """Run one layer as a loop over its cells."""
        torch, runs, finals, left = self.torch, [], list[Any](), iter(states or ())
        step = self._steps[module.mode.lower()]
        for direction, suffix in zip(layer.directions, ("", "_reverse"), strict=False):
            weights = [getattr(module, f"{name}_l0{suffix}", None) for name in WEIGHTS]
            count = len(direction.kinds[0].states)
            zeros = torch.zeros(len(x), module.hidden_size, dtype=x.dtype)
            state, every = [zeros if states is None else next(left) for _ in range(count)], []
            for t in reversed(range(x.shape[1])) if direction.go_backwards else range(x.shape[1]):
                answer = step(x[:, t], state if count > 1 else state[0], *weights)
                state = list(answer) if count > 1 else [answer]
                every.append(state[0])
            finals += state
            runs.append(torch.stack(every, 1))
        sides = [every if layer.return_sequences else every[:, -1] for every in runs]
        if isinstance(layer, Bidirectional) and layer.return_sequences:
            sides[1] = torch.flip(sides[1], [1])
        return _merged(layer, sides), runs[0], tuple(finals)


class TorchExport(TorchLayers):
    """``torch.export.export(network, ...).module()``, open in samples only: it unrolls the steps."""

    name = "torch-export"
    timeout = 120.0
    supports = WITHOUT_LENGTHS

    def __init__(self) -> None:
        super().__init__()
        self._program = lru_cache(NETWORKS_KEPT)(self._exported)

    def _network(self, spec: Spec, T: int) -> tuple[Any, Any]:
        return self._eager(spec), self._program(spec, T)

    def _exported(self, spec: Spec, T: int) -> Any:
        torch, dtype = self.torch, getattr(self.torch, spec.dtype)
        # of 1 sample it makes a constant, and of two examples that are the same tensor one input
        x, N = torch.zeros(3, T, spec.D, dtype=dtype), torch.export.Dim("N")
        states = [torch.zeros(shape, dtype=dtype) for shape in spec.state_shapes(3)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tensors that its own layers keep beside their weights
            program = torch.export.export(
                self._eager(spec), (x, None, states), dynamic_shapes=({0: N}, None, [{0: N} for _ in states])
            )
        # it has the weights of the network, not a copy
        return program.module()


class TorchCuda(TorchLayers):
    """The same on an NVIDIA card, by cuDNN, with ``torch.backends.cudnn.allow_tf32 = False``."""

    name = "torch-cuda"
    supports = replace(TorchLayers.supports, dtypes=("float32",))
    precision = Precision.float32.with_activation_error(ERROR_OF_CUDNN)
    device = "cuda"
    tf32: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        if not self.torch.cuda.is_available():
            raise ImportError(f"{self.name} needs {CUDA}, and PyTorch {self.torch.__version__} finds none")
        self.torch.backends.cudnn.allow_tf32 = self.tf32

    def versions(self) -> dict[str, str]:
        """Name what takes part, and the card."""
        cudnn = str(self.torch.backends.cudnn.version())
        return {**super().versions(), "cudnn": cudnn, "device": self.torch.cuda.get_device_name()}


class TorchCudaTf32(TorchCuda):
    """The same as PyTorch is by default: cuDNN may round the factors of products to TF32."""

    name = "torch-cuda-tf32"
    precision = Precision.tf32.with_activation_error(ERROR_OF_CUDNN)
    tf32 = True
