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

from .activations import Activation
from .cells import CellWeights, SimpleRNN
from .inexact import Inexact, Radius
from .precision import Precision
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
    certain_nan = np.asarray(x.nan.any(-1, keepdims=True) | before.nan.any(-1, keepdims=True))
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

#: Numbers that the error window of :func:`free_run` may hold; older errors fall back on the interval bound.
WINDOW = 4_000_000


def free_run(chain: Chain, head: Head | None = None, first: int = 0) -> tuple[Array, Array, Array]:
    """States of the recurrence or outputs of its head, and how far a correct implementation's may be from them.

    An implementation's state is off by ``e_t = act(a_t + Wh' e_{t-1} + d_t) - act(a_t)``, where ``d_t`` is the
    rounding of one step. Linearised, ``e_t = slope_t (Wh' e_{t-1} + d_t) + r_t``: every step is the source of an
    error that travels on through the *signed* product of the following steps' matrices, so that a contracting
    recurrence forgets it. The remainder ``r_t`` of the linearisation (Taylor, with the largest second derivative)
    enters as one more source; it depends on earlier errors only, so the bound is rigorous, not first order. Chaos
    makes it wide, never wrong.

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
    h = h0.value
    N, M = h.shape
    sharp = type(cell) is SimpleRNN
    Wh, abs_Wh = w.Wh.value, np.abs(w.Wh.value)
    # sources R (N, S, M): bounds of errors; paths P (N, S, M, M): where unit i of source s is now, in unit j.
    paths, sources, old = np.zeros((N, 0, M, M)), np.zeros((N, 0, M)), np.zeros((N, M))
    E = np.zeros((N, M))
    if not h0.exact:
        E = np.broadcast_to(h0.radius, h.shape)
        paths, sources, old = _with_source(paths, sources, old, E)
    expected, radius, scale = [], [], []
    for t in range(chain.mask.shape[1]):
        x = all_x[:, t]
        on = chain.mask[:, t, None]
        if sharp:
            a = cell.preactivation(x, Inexact(h, p), w).off_by(E, w.Wh).closed()
            travelled = paths @ Wh
            carried = np.einsum("nsi,nsij->nj", sources, np.abs(travelled)) + old @ abs_Wh
            delta = carried + a.radius
            slope, remainder = act.linearise(a.value, delta)
            # the activation's own error; its argument's error is counted above
            new = act.function(a.value)
            own = act.error(p, a.value, new, delta, act.spread(a.value, delta))
            source = np.where(np.isfinite(delta), np.abs(slope) * a.radius + remainder + own, np.inf)
            if (nan := a.nan & act.keeps_nan).any():  # no error changes that
                slope, source = np.where(nan, 0.0, slope), np.where(nan, 0.0, source)
            travelled = travelled * slope[:, None, None, :]
            new_old = (old @ abs_Wh) * np.abs(slope)
            if not on.all():
                source = np.where(on, source, 0.0)
                travelled = np.where(on[:, None, None], travelled, paths)
                new_old = np.where(on, new_old, old)
            paths, sources, old = _with_source(travelled, sources, new_old, source)
            E = np.einsum("nsi,nsij->nj", sources, np.abs(paths)) + old
        else:
            step = cell.step(x, Inexact(h, p, E), w, act).closed()
            new, new_E = step.value, step.radius
            E = np.where(on, new_E, E)
        h = np.where(on, new, h)
        E = np.where(np.isnan(E), np.inf, E)
        if t < first:
            continue
        if head is None:
            y, size = Inexact(h, p, E), np.abs(h)
        else:
            # A layer puts out zeros as long as all is masked, whatever its state is.
            begun = np.asarray(chain.mask[:, : t + 1].any(1, keepdims=True))
            travelling = (sources * begun[:, None], old * begun) if sharp else None
            y, size = _headed(chain, head, np.where(begun, h, 0.0), np.where(begun, E, 0.0), paths, travelling)
        expected.append(y.value)
        radius.append(np.where(np.isnan(y.radius), np.inf, y.radius))
        scale.append(size)
    return np.stack(expected, 1), np.stack(radius, 1), np.stack(scale, 1)


def _headed(
    chain: Chain, head: Head, h: Array, E: Array, paths: Array, travelling: tuple[Array, Array] | None
) -> tuple[Inexact, Array]:
    """Outputs of one step, and their size; what travels keeps its sign through the head."""
    Wo, bo, activation = head
    p, abs_Wo = chain.precision, np.abs(Wo.value)
    if travelling is None:
        y = (chain.cell.readout(Inexact(h, p, E), chain.activation) @ Wo + bo).closed()
    else:
        sources, old = travelling
        arriving = np.einsum("nsi,nsik->nk", sources, np.abs(paths @ Wo.value)) + old @ abs_Wo
        y = (Inexact(h, p) @ Wo + bo).off_by(E, Wo).closed()
        y = Inexact(y.value, p, y.radius + arriving)
    return activation(y).closed(), np.abs(h) @ abs_Wo + np.abs(bo.value)


def _with_source(paths: Array, sources: Array, old: Array, source: Array) -> tuple[Array, Array, Array]:
    """Add a source at the present step; the oldest ones leave the window for the interval bound when it is full."""
    N, S, M = sources.shape
    room = max(1, WINDOW // (max(N, 1) * M * M))
    if room <= S:
        drop = S + 1 - room
        old = old + np.einsum("nsi,nsij->nj", sources[:, :drop], np.abs(paths[:, :drop]))
        paths, sources = paths[:, drop:], sources[:, drop:]
    here = np.broadcast_to(np.eye(M), (N, 1, M, M))
    return np.concatenate([paths, here], 1), np.concatenate([sources, source[:, None]], 1), old
