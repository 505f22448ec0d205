"""One recurrence with its bounds: what a layer is once its options are taken off.

A :class:`Chain` has an input, exact or not, weights, a state to begin with and a mask, in the order of processing. Two
things can be asked of it: what each state should be, given the states that were shown before it
(:func:`induction`), and, where no states are shown, what they should be at all (:func:`free_run`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.inexact import Inexact, Radius
from ..arithmetic.precision import Precision
from ..arithmetic.zonotope import Zonotope, extent
from ..cells.simple_rnn import CellWeights, SimpleRNN
from .verdict import telling

__all__ = ["Chain", "free_run", "induction", "layer_output", "lost_when_shown", "zero_of_nan"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Chain:
    """One recurrence.

    Parameters
    ----------
    x : Inexact, (N, T, D)
    w : CellWeights of Inexact
    h0 : Inexact, (N, M)
    mask : (N, T) bool array
    activation : Activation
    cell : SimpleRNN
    """

    x: Inexact
    w: CellWeights
    h0: Inexact
    mask: Bools
    activation: Activation
    cell: SimpleRNN

    @property
    def precision(self) -> Precision:
        """The arithmetic of the implementation that is judged."""
        return self.x.precision


def layer_output(mask: Bools, states: npt.NDArray[Any], zero_output: bool = False) -> npt.NDArray[Any]:
    """What a layer puts out where it has these states ``(N, T, M)``, or bounds of them.

    That of a masked step is the output of the step before, which is zeros before the first step that is not masked,
    whatever the initial state is; or it is zeros at every masked step.
    """
    shown = mask if zero_output else np.logical_or.accumulate(mask, axis=1)
    return np.where(shown[..., None], states, np.zeros((), states.dtype))


def induction(chain: Chain, states: Array) -> tuple[Array, Array, Bools]:
    """Base and induction step, all at once: every state from its own predecessor.

    Parameters
    ----------
    states : (N, T, M) array
        What was shown.

    Returns
    -------
    expected, radius : (N, T, M) arrays
        A masked step holds its own number to the bit; a masked first step that of `h0`.
    certain_nan : (N, T, M) bool array
        Where NaN, and nothing else, is right.
    """
    h0, x = chain.h0.closed(), chain.x.closed()
    previous = np.concatenate([h0.value[:, None], states[:, :-1]], axis=1)
    before = Inexact(previous, x.precision, _before(h0, lost_when_shown(previous, x.precision), previous))
    h = chain.cell.step(x, before, chain.w, chain.activation).closed()
    certain_nan = np.asarray(x.nan.any(-1, keepdims=True) | before.nan.any(-1, keepdims=True) | h.nan)
    zeroed = zero_of_nan(chain.activation, certain_nan, states)
    held = ~chain.mask[..., None]
    shown = telling(states, h.value, h.radius, chain.activation.span)
    expected = np.where(held, previous, np.where(zeroed, 0.0, h.value))
    # A held state is its predecessor to the bit; the first one is what is given, as well as that is known.
    bound = np.where(held, _before(h0, 0.0, previous), np.where(zeroed, 0.0, shown))
    certain_nan = certain_nan & ~zeroed
    certain_nan = np.where(held, np.isnan(previous), certain_nan)
    return expected, bound, np.broadcast_to(certain_nan, states.shape)


def _before(h0: Inexact, of_shown: Radius, previous: Array) -> Radius:
    """Bounds of the states before each step: of the one that is given, and of those that were shown."""
    if h0.exact and isinstance(of_shown, float):
        return 0.0
    radius = np.zeros_like(previous) + of_shown
    radius[:, 0] = h0.radius
    return radius


def lost_when_shown(shown: Array, p: Precision) -> Radius:
    """How far a number that a port computes with, in wider numbers, may be from the one that it shows, near zero.

    Elsewhere that is a rounding, which every sum has room for (:meth:`~.inexact.Inexact.closed`).
    """
    small = np.abs(shown) <= p.tiny
    return np.where(small, p.tiny * (p.unit if p.subnormals else 1.0), 0.0) if small.any() else 0.0


def zero_of_nan(activation: Activation, certain_nan: Bools, got: Array) -> Bools:
    """Where a NaN that went in came out as 0, which some functions may make of it."""
    return np.asarray(certain_nan & (got == 0) & (not activation.keeps_nan))


#: What a head makes of states, and of the states' uncertainty as it travels with its sign.
Head = tuple[Inexact, Inexact, Activation]


def free_run(chain: Chain, head: Head | None = None, first: int = 0) -> tuple[Array, Array, Array]:
    """States of the recurrence or outputs of its head, and how far a correct implementation's may be from them.

    An implementation's state is off by ``e_t = act(a_t + Wh' e_{t-1} + d_t) - act(a_t)``, where ``d_t`` is the
    rounding of one step. Linearised, ``e_t = slope_t (Wh' e_{t-1} + d_t) + r_t``: every step is the source of an
    error that travels on through the *signed* product of the following steps' matrices, so that a contracting
    recurrence forgets it. The remainder ``r_t`` of the linearisation (Taylor, with the largest second derivative)
    enters as one more source; it depends on earlier errors only, so the bound is rigorous, not first order. Chaos
    makes it wide, never wrong. The errors are kept as a :class:`~.zonotope.Zonotope`, so that time is linear in the
    number of steps.

    Parameters
    ----------
    head : (Wo, bo, activation), optional
        Without it the states themselves are returned, with it what it makes of the layer's outputs.
    first : int
        The step to begin with.

    Returns
    -------
    expected, radius, scale : (N, T - first, M or K) arrays
        The numbers, the bound, and the sum of the absolute terms of each, which is the size that an error has to be
        compared with.
    """
    cell, act, p, w = chain.cell, chain.activation, chain.precision, chain.w
    all_x, h0 = chain.x.closed(), chain.h0.closed()
    h, E = h0.value, np.array(np.broadcast_to(h0.radius, h0.value.shape))
    sharp = type(cell) is SimpleRNN
    errors = Zonotope(E)
    expected, radius, scale = [], [], []
    for t in range(chain.mask.shape[1]):
        on = chain.mask[:, t, None]
        if sharp:
            a = cell.preactivation(all_x[:, t], Inexact(h, p), w).off_by(E, w.Wh).closed()
            travelled = errors.image(w.Wh.value)
            carried = extent(travelled)
            delta = carried + a.radius
            spread = act.spread(a.value, delta)
            slope, remainder = act.linearise(a.value, delta, spread)
            # the activation's own error; its argument's error is counted above
            new = act.function(a.value)
            own = act.error(p, a.value, new, delta, spread)
            source = np.where(np.isfinite(delta), np.abs(slope) * a.radius + remainder + own, np.inf)
            if (nan := a.nan & act.keeps_nan).any():  # no error changes that
                slope, source = np.where(nan, 0.0, slope), np.where(nan, 0.0, source)
            travelled *= slope[:, None]
            new_E = carried * np.abs(slope) + source
            if not on.all():
                travelled = np.where(on[:, None], travelled, errors.generators)
                source = np.where(on, source, 0.0)
            errors.become(travelled)
            errors.add(source)
        else:
            step = cell.step(all_x[:, t], Inexact(h, p, E), w, act).closed()
            new, new_E = step.value, step.bound
        h, E = np.where(on, new, h), np.where(on, new_E, E)
        E = np.where(np.isnan(E), np.inf, E)
        if t < first:
            continue
        if head is None:
            y, size = Inexact(h, p, E), np.abs(h)
        else:
            # A layer puts out zeros as long as all is masked, whatever its state is.
            begun = np.asarray(chain.mask[:, : t + 1].any(1, keepdims=True))
            arriving = np.where(begun, extent(errors.image(head[0].value)), 0.0) if sharp else None
            y, size = _headed(chain, head, np.where(begun, h, 0.0), np.where(begun, E, 0.0), arriving)
        expected.append(y.value)
        radius.append(y.bound)
        scale.append(size)
    return np.stack(expected, 1), np.stack(radius, 1), np.stack(scale, 1)


def _headed(chain: Chain, head: Head, h: Array, E: Array, arriving: Array | None) -> tuple[Inexact, Array]:
    """Outputs of one step, and their size; `arriving` is what travels, which keeps its sign through the head."""
    Wo, bo, activation = head
    p = chain.precision
    if arriving is None:
        y = (chain.cell.readout(Inexact(h, p, E), chain.activation) @ Wo + bo).closed()
    else:
        y = (Inexact(h, p) @ Wo + bo).off_by(E, Wo).closed()
        y = Inexact(y.value, p, y.radius + arriving)
    return activation(y).closed(), np.abs(h) @ np.abs(Wo.value) + np.abs(bo.value)
