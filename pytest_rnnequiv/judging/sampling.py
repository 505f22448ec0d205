"""Right runs by the dozen: what a right implementation may show where its roundings are not known, as examples.

An :class:`~.enclosure.Enclosure` follows all errors at once, and takes the worst of them together. Here a few right
runs are computed instead. Where a step may be off by a radius, each run is off by just that, up or down, and goes on
from there: so ties fall either way, scales that are made of the numbers move, and chaos amplifies, as they do in the
implementation itself. How far these runs are from the one without errors is the *expected error*.

Roundings are no dice, and a right implementation may err always in the same way. So there are runs of several
*manners*: errors with a sign each, drawn at random; the same sign in all steps of a unit; all up, all down, all away
from zero, all towards it. The expected error is that of the worst manner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact, choose
from ..arithmetic.precision import Precision
from ..cells.cell import Cell, CellWeights
from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN
from ..model.pack import Apart, Pack
from ..model.spec import Place
from ..model.trajectory import Trajectory
from ..model.wiring import RIGHT, Wiring
from .enclosure import Enclosure, kept_states
from .reading import as_shown

__all__ = ["MANNERS", "Expected", "expected", "flat"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: The sign of an error, from the number that is off and what draws: in :data:`MANNERS` with how many runs there are.
Sign = Callable[[Array, np.random.Generator], Any]


def _drawn(a: Array, rng: np.random.Generator) -> Any:
    return rng.choice((-1.0, 1.0), a.shape)


#: How runs err: the name of the manner, how many runs, and the sign of each error. Where it says "by unit", signs are
#: drawn once for each unit of a sample, and kept over time.
MANNERS: dict[str, tuple[int, Sign]] = {
    "exact": (1, lambda a, rng: 0.0),
    "random": (8, _drawn),
    "by unit": (4, _drawn),
    "up": (1, lambda a, rng: 1.0),
    "down": (1, lambda a, rng: -1.0),
    "away from zero": (1, lambda a, rng: np.sign(a)),
    "towards zero": (1, lambda a, rng: -np.sign(a)),
}

#: How many roundings of the outputs' own size the expected error is at least.
ROUNDINGS = 64


class Expected:
    """What a right implementation is expected to show, and how far from it.

    Attributes
    ----------
    value : (N, numbers) array
        The run without errors; see :func:`flat`.
    error : (N,) array
        The root of the mean square of the error, over a sample's numbers, in the worst manner. Infinite where nothing
        is known.
    """

    def __init__(self, value: Array, error: Array) -> None:
        self.value, self.error = value, error

    def distance(self, numbers: Array) -> Array:
        """How far numbers are from what is expected, in units of the expected error, ``(N,)``; NaN is infinitely far.

        Where nothing is known it is 0, as everything is near then.
        """
        with np.errstate(all="ignore"):
            off = np.sqrt(np.mean((numbers - self.value) ** 2, axis=1)) / self.error
        off = np.where(np.isnan(off), np.inf, off)
        return np.asarray(np.where(np.isfinite(self.error), off, 0.0))


def expected(case: Case, shown: Trajectory, p: Precision, wiring: Wiring = RIGHT, seed: int = 0) -> Expected:
    """Compute right runs of a case, and what of them an implementation shows that shows its outputs.

    Parameters
    ----------
    shown : Trajectory
        What was shown: outputs of the last step, or of every one.
    p : Precision
        The arithmetic that is declared.
    wiring : Wiring
        How the parts are put together.
    seed : int
        Of the signs of the errors.

    Raises
    ------
    Unmade
        If the parts do not fit together in the way of the wiring.
    """
    case = as_shown(case, shown)
    rng = np.random.default_rng(seed)
    runs = [(manner, k) for manner, (count, _) in MANNERS.items() for k in range(count)]
    # what one sample has to do with the others is as in a run of its own
    together = wiring is RIGHT and not p.joins_samples
    with np.errstate(all="ignore"):
        groups = [(case, [manner]) for manner, _ in runs]
        if together:
            with suppress(Apart):
                groups = [(_side_by_side(case, len(runs), p), [manner for manner, _ in runs])]
        numbers = [_run(many, shown, p, wiring, group, rng) for many, group in groups]
        whole = np.concatenate(numbers)  # (runs, N, numbers)
        exact, others = whole[0], whole[1:]
        squares = np.mean((others - exact) ** 2, axis=2)
        manners = np.array([manner for manner, _ in runs[1:]])
        worst = np.max([squares[manners == manner].mean(0) for manner in dict.fromkeys(manners)], axis=0)
        own = ROUNDINGS * p.quantizer * np.abs(exact).max(axis=1, initial=p.tiny) + p.shown
        error = np.sqrt(worst + own**2)
    return Expected(exact, np.where(np.isfinite(error), error, np.inf))


def flat(shown: Trajectory, like: Trajectory) -> Array:
    """Put the outputs of all calls side by side that `like` shows, ``(N, numbers)``; of every step or the last."""
    found = []
    for call, seen in zip(shown.each_call, like.each_call, strict=True):
        if seen.outputs is None:
            continue
        y, ndim = np.asarray(call.outputs, np.float64), np.ndim(seen.outputs)
        if y.ndim == 3 and (ndim == 2 or np.shape(seen.outputs)[1] == 1):
            y = y[:, -1]
        found.append(y.reshape(len(y), -1))
    return np.concatenate(found, axis=1)


def _uncertain_weights(case: Case, p: Precision) -> bool:
    return any(not Inexact.weight(name, a, p).exact for name, a in case.named_weights.items())


def _run(
    case: Case, shown: Trajectory, p: Precision, wiring: Wiring, manners: Sequence[str], rng: np.random.Generator
) -> Array:
    """Compute a run for each manner, ``(runs, N, numbers)``; the case has so many times N samples."""
    made = flat(_Sampled(case, p, wiring, manners, rng).calls(), shown)
    return made.reshape(len(manners), len(made) // len(manners), -1)


def _side_by_side(case: Case, many: int, p: Precision) -> Case:
    """The samples of a case so many times; with weights of their own each time, where these may be off.

    Raises
    ------
    Apart
        If that cannot be, as some number is not finite.
    """
    if _uncertain_weights(case, p):
        return Pack.of([case] * many)
    N = case.calls[0].N
    own = case.spec.N
    wide = case if own is None else case.under(replace(case.spec, N=own * many))
    return wide.samples(np.tile(np.arange(N), many))


class _AtRandom(Precision):
    """An arithmetic whose roundings within one sum are independent: what they come to grows with the root of terms.

    ``sqrt(n) u`` bounds the root of the mean square of the relative error (Connolly, Higham and Mary, *Stochastic
    rounding and its probabilistic backward error analysis*, 2021, theorem 4.8 with lambda = 1).
    """

    def gamma(self, terms: int) -> float:
        """Return the relative error of a sum."""
        return min(super().gamma(terms), float(np.sqrt(terms)) * (self.unit + 2.0**-53))


def _at_random(p: Precision) -> Precision:
    return _AtRandom(**{each.name: getattr(p, each.name) for each in fields(p)})


class _Sampled(Enclosure):
    """Runs that err in known manners, one for each N samples.

    Parameters
    ----------
    manners : sequence of str
    rng : numpy.random.Generator
    """

    def __init__(
        self, case: Case, p: Precision, wiring: Wiring, manners: Sequence[str], rng: np.random.Generator
    ) -> None:
        super().__init__(case, _at_random(p), wiring)
        self.manners, self.rng = manners, rng
        self._by_unit: dict[tuple[int, ...], Array] = {}

    def call(self, c: int, call: Call) -> Trajectory:
        """Make one call, and leave of its numbers what they are."""
        made = super().call(c, call)
        return Trajectory(made.outputs.closed().value)

    def settled(self, number: Any, by_sample: bool = True) -> Inexact:
        """Take one of the numbers that an inexact one may be."""
        closed: Inexact = number.closed()
        if closed.exact:
            return closed
        radius, shape = closed.bound, closed.value.shape
        rows = len(closed.value) // len(self.manners) if by_sample else len(closed.value)
        signs = np.empty(shape)
        for k, manner in enumerate(self.manners if by_sample else self.manners[:1]):
            part = slice(k * rows, (k + 1) * rows)
            signs[part] = self._signs(manner, closed.value[part], k)
        # an infinite radius makes NaN, of whichever sign: nothing is known there
        found = type(closed)(closed.value + np.where(np.isinf(radius), np.nan, signs * radius), self.p)
        found.format = number.format
        return found

    def _signs(self, manner: str, value: Array, k: int) -> Any:
        if manner != "by unit":
            return MANNERS[manner][1](value, self.rng)
        key = (k, *value.shape)
        if key not in self._by_unit:
            self._by_unit[key] = _drawn(value, self.rng)
        return self._by_unit[key]

    # ---- the arithmetic ----

    def weight(self, name: str, array: Any) -> Inexact:
        """A weight, of each case of a pack or the same of all samples; or the inputs."""
        return self.settled(super().weight(name, array), by_sample=not name or self.case.cases > 1)

    def given_state(self, array: Any) -> Inexact:
        """An initial state, as the implementation holds it."""
        return self.settled(super().given_state(array))

    def unknown(self, N: int, M: int) -> Any:
        """A state of which nothing is known where calls were made before the first."""
        return self.settled(super().unknown(N, M))

    def stored(self, a: Any) -> Any:
        """A number whose sum is rounded, or a pair of these."""
        return tuple(map(self.settled, a)) if isinstance(a, tuple) else self.settled(a)

    def run(
        self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Bools, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        """Run one recurrence, step by step; what each step is off by goes on."""
        x, on_at = self.wiring.cell_input(x.closed(), mask), self.wiring.state_mask(mask)
        x = self.settled(x.met_as_a_whole(w.Wx).with_scale())
        states = [self.settled(state) for state in kept_states(start)]
        shown = []
        for t in range(mask.shape[1]):
            new = [self.settled(h) for h in kept_states(cell.step(x[:, t], tuple(states), w, direction.activation))]
            on = on_at[:, t, None]
            if not on.all():
                pairs = zip(new, states, strict=True)
                new = [choose(on, one, self.wiring.held_state(old)) for one, old in pairs]
            states = new
            shown.append(states[0].value)
        return Inexact(np.stack(shown, 1), self.p), list(states)

    def head(self, x: Any) -> Any:
        """Compute the outputs of the head."""
        return self.settled(super().head(x))
