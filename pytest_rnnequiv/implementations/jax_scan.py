"""JAX, on whatever device it sees: the recurrence in ``jax.lax.scan``, as its users write it, compiled by ``jax.jit``.

On an NVIDIA card JAX rounds the factors of products to TF32 unless it is told otherwise, so there are two: ``jax`` runs
under ``jax.default_matmul_precision("float32")``, and ``jax-tf32`` as JAX is by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from ..arithmetic.activations import Activation
from ..arithmetic.precision import Precision
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import Layer, Place, Spec
from ..model.trajectory import ShownLayer, Trajectory
from ..model.wiring import merge
from .supports import Supports

__all__ = ["JaxScan", "JaxScanTf32", "function"]

#: Programs that are kept; each is compiled anew for each number of samples and of steps.
PROGRAMS_KEPT = 160


def function(activation: Activation) -> Any:
    """Return JAX's function of that name."""
    import jax

    return (lambda a: a) if activation.name == "linear" else getattr(jax.nn, activation.name)


class JaxScan:
    """A ``lax.scan`` for each recurrence, and one ``jax.jit`` round the network.

    Where there are lengths, the state is held from a row's end on by ``jnp.where``, and zeros are put out there.
    """

    name = "jax"
    supports = Supports(
        cells=("SimpleRNN", "GRU", "LSTM"),
        activations=("tanh", "relu", "sigmoid", "linear", "hard_sigmoid", "silu"),
        head_activations=("tanh", "relu", "sigmoid", "hard_sigmoid", "silu", "softmax", "softplus", "elu"),
        options=(
            *("use_bias", "activation", "return_sequences", "return_state", "initial_state", "go_backwards", "layers"),
            *("bidirectional", "merge_mode", "backward_layer", "head", "hidden", "mask", "embedding"),
            "zero_output_for_mask",
        ),
        lengths=1,
    )
    timeout = 60.0  # each case may be a program to compile
    #: In what products of float32 are asked for; None for what JAX does by default.
    products: ClassVar[str | None] = "float32"

    def __init__(self) -> None:
        import jax

        self.jax, self.device = jax, jax.devices()[0]
        self._program = lru_cache(PROGRAMS_KEPT)(self._compiled)

    @property
    def precision(self) -> Precision:
        """Float32; on a card where JAX chooses, TF32."""
        return Precision.tf32 if self.products is None and self.device.platform == "gpu" else Precision.float32

    def versions(self) -> dict[str, str]:
        """Name what takes part, and the device."""
        return {"jax": self.jax.__version__, "device": self.device.device_kind}

    def run(self, case: Case) -> Trajectory:
        """Show outputs, and of every layer its output and its states."""
        return Trajectory.of_calls([self._call(case, call) for call in case.calls])

    def _call(self, case: Case, call: Call) -> Trajectory:
        x, mask = case.inputs(call)
        lengths = mask.sum(1).astype(np.int32) if case.spec.masked else None
        with self.jax.default_matmul_precision(self.products):
            shown = self._program(case.spec)(case.named_weights, x, lengths, call.states)
        y, layers = self.jax.tree.map(np.asarray, shown)
        return Trajectory(y, layers=tuple(ShownLayer(*each) for each in layers))

    def _compiled(self, spec: Spec) -> Any:
        return self.jax.jit(lambda *arguments: self._network(spec, *arguments))

    def _network(self, spec: Spec, weights: Mapping[str, Any], x: Any, lengths: Any, states: Any) -> Any:
        """Return the outputs, and of each layer what it puts out, every state, and the states at the end."""
        import jax.numpy as jnp

        left, shown = iter(states), []
        for i, layer in enumerate(spec.layers):
            runs = []
            for j, direction in enumerate(layer.directions):
                (kind,), (M,) = direction.kinds, direction.cells
                begin = tuple(
                    next(left) if layer.initial_state else jnp.zeros((len(x), M), x.dtype) for _ in kind.states
                )
                named = {name: weights.get(f"{spec.prefix(Place(i, j, 0))}{name}") for name in ("Wx", "Wh", "bh")}
                runs.append(self.recurrence(direction, named, x, lengths, begin))
            every, finals = runs[0][0], tuple(state for _, last in runs for state in last)
            x = self._output(layer, runs, lengths)
            shown.append((x, None if len(runs) > 1 else every, finals if layer.return_state else None))
        for part, dense in spec.dense.items():
            x = function(dense.activation)(x @ weights[f"{part}/Wo"] + weights.get(f"{part}/bo", 0.0))
        return x, shown

    def _output(self, layer: Layer, runs: list[Any], lengths: Any) -> Any:
        """What a layer puts out, of the states at every step of each direction, and of the last ones."""
        import jax.numpy as jnp

        if layer.return_sequences:
            sides = [every for every, _ in runs]
            if lengths is not None:
                on = jnp.arange(sides[0].shape[1]) < lengths[:, None]
                sides = [
                    jnp.where((on[:, ::-1] if each.go_backwards else on)[..., None], side, 0.0)
                    for each, side in zip(layer.directions, sides, strict=True)
                ]
            if isinstance(layer, Bidirectional):
                sides[1] = sides[1][:, ::-1]
        else:
            sides = [last[0] for _, last in runs]
        if not isinstance(layer, Bidirectional):
            return sides[0]
        return merge(layer.merge_mode, *sides, join=partial(jnp.concatenate, axis=-1))

    def recurrence(self, layer: RNN, weights: Mapping[str, Any], x: Any, lengths: Any, begin: Any) -> tuple[Any, Any]:
        """Run one direction: its state after every step, in the order of processing, and its states at the end.

        Parameters
        ----------
        weights : mapping
            ``Wx``, ``Wh`` and ``bh``, in Keras's layout; ``bh`` is None in a layer without.
        x : (N, T, F)
        lengths : (N,), or None
        begin : tuple of (N, M)
        """
        import jax.numpy as jnp

        step, steps = _step(layer, weights), x.shape[1]
        order = jnp.arange(steps)[::-1] if layer.go_backwards else jnp.arange(steps)

        def one(states: Any, t: Any) -> Any:
            after = step(states, x[:, t])
            if lengths is not None:
                on = (t < lengths)[:, None]
                after = tuple(jnp.where(on, new, old) for new, old in zip(after, states, strict=True))
            return after, after[0]

        last, every = self.jax.lax.scan(one, begin, order)
        return jnp.swapaxes(every, 0, 1), last


def _step(layer: RNN, weights: Mapping[str, Any]) -> Any:
    """Write one step, from the states before it and the inputs to the states after it."""
    import jax.numpy as jnp

    (kind,) = layer.kinds
    Wx, Wh, f = weights["Wx"], weights["Wh"], function(layer.activation)
    gate = function(getattr(kind, "recurrent_activation", layer.activation))
    bh = jnp.zeros(Wx.shape[-1:], Wx.dtype) if weights["bh"] is None else weights["bh"]
    bx, bs = bh if bh.ndim == 2 else (bh, jnp.zeros_like(bh))  # a GRU with reset_after has two

    def simple_rnn(states: Any, x: Any) -> Any:
        return (f(x @ Wx + states[0] @ Wh + bh),)

    def gru(states: Any, x: Any) -> Any:
        (h,) = states
        xz, xr, xn = jnp.split(x @ Wx + bx, 3, -1)
        if kind.reset_after:  # type: ignore[attr-defined]
            hz, hr, hn = jnp.split(h @ Wh + bs, 3, -1)
            z, r = gate(xz + hz), gate(xr + hr)
            n = f(xn + r * hn)
        else:
            Uz, Ur, Un = jnp.split(Wh, 3, -1)
            z, r = gate(xz + h @ Uz), gate(xr + h @ Ur)
            n = f(xn + (r * h) @ Un)
        return ((1 - z) * n + z * h,)

    def lstm(states: Any, x: Any) -> Any:
        h, c = states
        i, o_f, g, o = jnp.split(x @ Wx + h @ Wh + bh, 4, -1)
        c = gate(o_f) * c + gate(i) * f(g)
        return gate(o) * f(c), c

    return {"SimpleRNN": simple_rnn, "GRU": gru, "LSTM": lstm}[kind.name]


class JaxScanTf32(JaxScan):
    """The same in what JAX does by default: TF32 on an NVIDIA card."""

    name = "jax-tf32"
    products = None
