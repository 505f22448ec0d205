"""flax (nnx), on whatever device JAX sees: ``nnx.RNN`` over ``SimpleCell``, ``GRUCell`` and ``LSTMCell``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cells import GRUCell, LSTMCell
from ..model.layers import RNN
from .jax_scan import JaxScan, function
from .supports import Supports

__all__ = ["Flax", "FlaxTf32"]


class Flax(JaxScan):
    """``nnx.RNN(cell)(x, seq_lengths=...)``, each layer by itself, and one ``jax.jit`` round the network.

    A cell of flax has one bias; where a layer has two, it gets their sum, as whoever carries weights over would do.
    """

    name = "flax"
    supports = Supports(
        cells=("SimpleRNN", GRUCell(), GRUCell("hard_sigmoid"), LSTMCell(), LSTMCell("hard_sigmoid")),
        activations=JaxScan.supports.activations,
        head_activations=JaxScan.supports.head_activations,
        options=JaxScan.supports.options,
        lengths=1,  # an empty row is a known divergence
    )

    def versions(self) -> dict[str, str]:
        """Name what takes part, and the device."""
        import flax

        return {"flax": flax.__version__, **super().versions()}

    def recurrence(self, layer: RNN, weights: Mapping[str, Any], x: Any, lengths: Any, begin: Any) -> tuple[Any, Any]:
        """Run one direction, as in :class:`JaxScan`."""
        import jax.numpy as jnp
        from flax import nnx

        back = layer.go_backwards
        # with lengths, it turns each row within its length: in order of time, the padding is at the end again
        rnn = nnx.RNN(_cell(layer, weights), return_carry=True, reverse=back, keep_order=lengths is not None)
        carry = begin[0] if len(begin) == 1 else begin[::-1]  # of an LSTM c comes first
        last, every = rnn(x, initial_carry=carry, seq_lengths=lengths)
        if lengths is not None:  # behind a row's end it goes on through the padding; the state is that of the end
            t = jnp.arange(x.shape[1])
            if back:
                every = jnp.where((t < lengths[:, None])[..., None], every, begin[0][:, None])[:, ::-1]
            else:
                every = jnp.take_along_axis(every, jnp.minimum(t, lengths[:, None] - 1)[..., None], 1)
        return every, (last,) if len(begin) == 1 else last[::-1]


def _cell(layer: RNN, weights: Mapping[str, Any]) -> Any:
    """Make a cell with weights, in flax's layout: a GRU's gates are r z n, an LSTM's are apart."""
    import jax.numpy as jnp
    from flax import nnx

    (kind,), (M,) = layer.kinds, layer.cells
    Wx, Wh, bh = weights["Wx"], weights["Wh"], weights["bh"]
    bias = jnp.zeros(Wx.shape[-1:], Wx.dtype) if bh is None else bh.reshape(-1, Wx.shape[-1]).sum(0)
    zeros = nnx.initializers.zeros_init()
    options: dict[str, Any] = {"activation_fn": function(layer.activation), "rngs": nnx.Rngs(0)}
    options |= {"kernel_init": zeros, "recurrent_kernel_init": zeros}
    if kind.name == "SimpleRNN":
        cell = nnx.SimpleCell(len(Wx), M, **options)
    else:
        gate = function(kind.recurrent_activation)  # type: ignore[attr-defined]
        cell = getattr(nnx, f"{kind.name}Cell")(len(Wx), M, gate_fn=gate, **options)
    if kind.name == "LSTM":
        blocks = zip("ifgo", *(jnp.split(weight, 4, -1) for weight in (Wx, Wh, bias)), strict=True)
        for gate, of_inputs, of_state, own in blocks:
            inputs, state = (getattr(cell, {"if": "if_"}.get(f"{side}{gate}", f"{side}{gate}")) for side in "ih")
            inputs.kernel, state.kernel, state.bias = map(nnx.Param, (of_inputs, of_state, own))
    else:
        if kind.name == "GRU":
            Wx, Wh, bias = (_reset_first(weight) for weight in (Wx, Wh, bias))
        cell.dense_i.kernel, cell.dense_h.kernel, cell.dense_i.bias = map(nnx.Param, (Wx, Wh, bias))
    return cell


def _reset_first(weight: Any) -> Any:
    """Move the blocks of a GRU from Keras's order, z r h, to flax's."""
    import jax.numpy as jnp

    z, r, n = jnp.split(weight, 3, -1)
    return jnp.concatenate([r, z, n], -1)


class FlaxTf32(Flax):
    """The same in what JAX does by default: TF32 on an NVIDIA card."""

    name = "flax-tf32"
    products = None
