"""The NumPy recurrence, as one would write it on a blackboard; and what is built of it."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..cells.simple_rnn import CellWeights, SimpleRNN
from .case import Case
from .network import Layer
from .network_case import NetworkCase
from .trajectory import NetworkTrajectory, ShownCall, ShownLayer, Trajectory

__all__ = ["recurrence", "reference"]

Array = npt.NDArray[Any]


def recurrence(
    x: Array, h: Array, mask: Array, w: CellWeights, act: Activation, cell: SimpleRNN
) -> tuple[Array, Array]:
    """Compute the recurrence itself, step by step: ``h_t = act(x_t Wx + h_{t-1} Wh + bh)``.

    Parameters
    ----------
    x : (N, T, D) array
    h : (N, M) array
        The state before the first step.
    mask : (N, T) bool array
        A False step holds the state. The output there is the one before, which is zeros before the first True step.

    Returns
    -------
    outputs, states : (N, T, M) arrays
    """
    outputs, states = np.empty((2, *mask.shape, h.shape[1]), h.dtype)
    o = np.zeros_like(h)
    for t in range(x.shape[1]):
        on = mask[:, t, None]
        new = cell.step(x[:, t], h, w, act)
        outputs[:, t] = o = np.where(on, new, o)
        states[:, t] = h = np.where(on, new, h)
    return outputs, states


@overload
def reference(case: Case, dtype: Any = ...) -> Trajectory: ...
@overload
def reference(case: NetworkCase, dtype: Any = ...) -> NetworkTrajectory: ...
def reference(case: Case | NetworkCase, dtype: Any = np.float64) -> Trajectory | NetworkTrajectory:
    """Compute a case with NumPy.

        h_t = act(x_t Wx + h_{t-1} Wh + bh)
        y_t = h_t Wo + bo

    Parameters
    ----------
    case : Case or NetworkCase
    dtype : dtype
        The numbers to compute in; float64 by default, whatever the case's own dtype is.

    Returns
    -------
    Trajectory
        ``outputs (N, T, K)`` and ``states (N, T, M)`` of every step.
    NetworkTrajectory
        For a network's case: outputs and final states of each layer, in each call.
    """
    with np.errstate(all="ignore"):  # saturation, overflow and NaN are answers here, not accidents
        if isinstance(case, NetworkCase):
            return _network(case, dtype)
        spec = case.spec
        x, Wo, bo = (a.astype(dtype) for a in (case.x, case.Wo, case.bo))
        w = CellWeights(*(a.astype(dtype) for a in case.cell_weights))
        h0 = np.zeros((case.N, case.M), dtype) if case.h0 is None else case.h0.astype(dtype)
        mask = np.ones((case.N, case.T), bool) if case.mask is None else case.mask
        outputs, states = recurrence(x, h0, mask, w, spec.activation, spec.cell)
        y = spec.head_activation(spec.cell.readout(outputs, spec.activation) @ Wo + bo)
        return Trajectory(y.astype(dtype), states)


def _network(case: NetworkCase, dtype: Any) -> NetworkTrajectory:
    network, calls = case.network, []
    kept: dict[int, list[Array]] = {}  # what stateful layers remember
    for call in case.calls:
        x, mask = case.inputs(call)
        x, given, shown = x.astype(dtype), iter(call.states), []
        for i, layer in enumerate(network.layers):
            outputs: list[Array] = []
            finals: list[Array] = []
            for direction, cells in zip(layer.directions, case.cell_weights(i), strict=True):
                zeros = [np.zeros((call.N, M), dtype) for M in direction.cells]
                if layer.initial_state:
                    h0 = [next(given).astype(dtype) for _ in direction.cells]
                elif i in kept and not call.reset:
                    h0 = kept[i][len(finals) : len(finals) + len(direction.cells)]
                else:
                    h0 = zeros
                output, final = _layer(direction, x, mask, h0, cells)
                outputs.append(output)
                finals += final
            if layer.stateful:
                kept[i] = finals
            merged = merge(layer, outputs)
            shown.append(ShownLayer(merged, tuple(finals) if layer.return_state or layer.stateful else None))
            if isinstance(merged, tuple):
                continue  # two outputs: this is the last layer, without a head
            x, mask = merged, mask_behind(layer, mask)
        y = shown[-1].output
        if network.head is not None:
            Wo, bo = (a.astype(dtype) for a in case.head_weights())
            y = network.head.activation(x @ Wo + bo)
        calls.append(ShownCall(y, tuple(shown)))
    return NetworkTrajectory(tuple(calls))


def _layer(
    layer: Layer, x: Array, mask: Array, h0: list[Array], weights: list[CellWeights]
) -> tuple[Array, list[Array]]:
    """One layer in one direction: its output, in the order of processing, and the final state of each cell."""
    if layer.go_backwards:
        x, mask = x[:, ::-1], mask[:, ::-1]
    finals = []
    for w, h in zip(weights, h0, strict=True):
        w = CellWeights(*(a.astype(x.dtype) for a in w))
        x, states = recurrence(x, h, mask, w, layer.activation, SimpleRNN())
        finals.append(states[:, -1])
    if layer.zero_output_for_mask:
        x = np.where(mask[..., None], x, 0)
    return (x if layer.return_sequences else x[:, -1]), finals


def merge(layer: Any, outputs: list[Any]) -> Any:
    """What a layer makes of the outputs of its directions: of a plain layer the only one.

    Both are in the order of processing; the backward one is turned round where it is a sequence. Takes arrays, and
    whatever adds and multiplies as they do.
    """
    if len(outputs) == 1:
        return outputs[0]
    forward, backward = outputs
    if layer.return_sequences:
        backward = backward[:, ::-1]
    match layer.merge_mode:
        case "concat":
            return np.concatenate([forward, backward], axis=-1)
        case "sum":
            return forward + backward
        case "ave":
            return (forward + backward) / 2
        case "mul":
            return forward * backward
        case _:
            return forward, backward


def mask_behind(layer: Any, mask: Array) -> Array:
    """The mask that belongs to the outputs of a layer: in their order, and none behind a single output."""
    if not layer.return_sequences:
        return np.ones((len(mask), 1), bool)
    return mask[:, ::-1] if getattr(layer, "go_backwards", False) else mask
