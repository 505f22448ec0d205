"""Ask an implementation about made-up cases, within limits of calls and seconds, and keep its answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.precision import Precision
from ..cells.cell import Cell
from ..judging.enclosure import Enclosure
from ..judging.observing import Asking
from ..judging.oracle import judge
from ..judging.verdict import Verdict
from ..model.call import Call
from ..model.case import Case
from ..model.forward import reference
from ..model.spec import Spec
from ..model.trajectory import Trajectory, shape_of

__all__ = ["SIZES", "Answer", "Asker", "Unasked", "probe_case"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: How many times the bound of a correct implementation a number has to move before that counts as movement: a wrong one
#: may amplify its rounding more than the recurrence does.
MARGIN = 64.0

#: Sizes of a probing case: all distinct, so that no axis is taken for another.
SIZES = {"N": 3, "T": 6, "D": 4, "M": 5, "K": 2}


class Unasked(Exception):
    """The implementation does not take such a case: that says nothing of it."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What an implementation gave for a case.

    Attributes
    ----------
    case : Case
    shown : Trajectory or None
        None where it raised, or was not asked.
    precision : Precision
    failed : str
        What it did instead of answering ("raises ValueError", "gives no answer"); empty if it answered.
    """

    case: Case
    shown: Trajectory | None
    precision: Precision
    failed: str = ""

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the oracle says of it; None where there is no answer."""
        return None if self.shown is None else judge(self.case, self.shown, self.precision)

    @property
    def right(self) -> bool:
        """Whether it is right, for certain."""
        return self.verdict is not None and self.verdict.equivalent

    @property
    def wrong(self) -> bool:
        """Whether it is wrong, for certain."""
        return bool(self.failed) or (self.verdict is not None and self.verdict.different)

    @cached_property
    def numbers(self) -> Array | None:
        """The outputs ``(N, S, K)``, with ``S = T`` or 1; None where they have another shape or are not finite."""
        if self.shown is None or len(self.case.calls) > 1 or self.case.spec.two_outputs:
            return None
        try:
            y = np.asarray(self.shown.outputs, np.float64)
        except (TypeError, ValueError):
            return None
        last = shape_of(self._true.outputs)
        y = y[:, None] if y.ndim == 2 else y
        good = (
            y.ndim == 3 and (y.shape[0], y.shape[2]) == (last[0], last[-1]) and y.shape[1] in (1, self.case.calls[0].T)
        )
        return y if good and np.isfinite(y).all() else None

    @cached_property
    def _true(self) -> Trajectory:
        return reference(self.case)

    @property
    def expected(self) -> Array:
        """What the outputs should be, of the steps that were shown."""
        return self._as_shown(np.asarray(self._true.outputs))

    @cached_property
    def room(self) -> float:
        """How far an output must move to be more than rounding, in this case or one with numbers of the same size."""
        with np.errstate(all="ignore"):
            walk = Enclosure(self.case.with_every_output(), self.precision).calls()
        return 2 * MARGIN * float(self._as_shown(walk.outputs.bound).max())

    def _as_shown(self, a: Any) -> Array:
        a = a[:, None] if a.ndim == 2 else a
        assert self.numbers is not None
        return np.asarray(a[:, -self.numbers.shape[1] :])


@dataclass
class Asker:
    """Asks an implementation, as often as it may.

    Parameters
    ----------
    run : callable
        Case -> what the implementation gives. It may raise :class:`Unasked`.
    asking : Asking
        What it takes.
    precision : Precision or None
        The arithmetic that it declares.
    most, seconds : int, float
        Calls that it may be asked, and the time for all of them.
    seed : int
        Chooses the numbers of the cases.
    """

    run: Callable[[Case], Any]
    asking: Asking
    precision: Precision | None
    most: int
    seconds: float
    seed: int = 1
    calls: int = 0
    started: float = field(default_factory=time.perf_counter)
    known: dict[bytes, Answer] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether it is not to be asked any more."""
        return self.calls >= self.most or time.perf_counter() - self.started > self.seconds

    def ask(self, case: Case | None, *, anew: bool = False) -> Answer | None:
        """Ask about a case; None where it does not take it, or may not be asked any more."""
        if case is None:
            return None
        key = case.fingerprint()
        if key in self.known and not anew:
            return self.known[key]
        if self.over or not self.asking.takes(case):
            return None
        self.calls += 1
        answer = self._answer(case)
        if answer is not None:
            self.known.setdefault(key, answer)
        return answer

    @property
    def ever_wrong(self) -> bool:
        """Whether any of its answers was wrong."""
        return any(answer.wrong for answer in self.known.values())

    def once_more(self, case: Case) -> Answer | None:
        """Ask again about a case that it takes, even if all calls are spent."""
        return self._answer(case)

    def _answer(self, case: Case) -> Answer | None:
        precision = self.precision or case.spec.precision
        try:
            shown = Trajectory.of(self.run(case), case.spec.two_outputs)
        except Unasked:
            return None
        except Exception as error:
            return Answer(case, None, precision, failed=getattr(error, "in_short", f"raises {type(error).__name__}"))
        return Answer(case, _kept(shown), precision)


def _kept(shown: Trajectory) -> Trajectory:
    """Copy what was shown out of a buffer that the next call may overwrite."""
    if isinstance(shown.outputs, np.ndarray):
        return shown.replace(
            outputs=shown.outputs.copy(), states=np.copy(shown.states) if shown.states is not None else None
        )
    return shown


def probe_case(like: Case, seed: int = 1, any_weights: bool = True, cell: Cell | None = None, **sizes: int) -> Case:
    """Make up a generic case of the kind of another: all numbers different, biases not zero, nothing saturated.

    Parameters
    ----------
    like : Case
        Of one call.
    any_weights : bool
        Whether weights and their sizes may be others.
    cell : Cell, optional
        In the place of its own, of a model of one recurrence whose weights may be others.
    **sizes
        ``N``, ``T``, and of a model of one recurrence ``D``, ``M``, ``K``; by default :data:`SIZES`.
    """
    wanted, spec = SIZES | sizes, like.spec if cell is None else like.spec.replace(cell=cell)
    N, T = spec.N or wanted["N"], spec.T or wanted["T"]
    if any_weights and spec.letters and spec.head is not None and not spec.embedded:
        spec = spec.replace(**{letter: wanted[letter] for letter in "DMK"})
    rng = np.random.default_rng(seed)
    weights = like.weights
    if any_weights:
        weights = tuple(_weight(rng, name, shape) for name, shape in spec.weight_shapes.items())
    return Case(spec, weights=weights, calls=(_call(like, spec, N, T, rng),))


def _weight(rng: Any, name: str, shape: tuple[int, ...]) -> Array:
    """Numbers of either sign, none near zero, such that a sum over the rows stays of the size of 1."""
    sizes = rng.uniform(0.4, 1.0, shape) * rng.choice((-1.0, 1.0), shape)
    letter = name.rpartition("/")[2]
    if letter in ("bh", "bo"):
        return np.asarray(0.5 * sizes)
    return np.asarray(sizes * (0.9 if letter == "Wx" else 1.3) / np.sqrt(shape[0]))


def _call(like: Case, spec: Spec, N: int, T: int, rng: Any) -> Call:
    off = rng.random((N, T)) < 0.25
    off[:, 0] = off[:, -1] = False
    if T > 2:  # a step in the middle of some sample is held
        off[N - 1, T // 2] = True
    x: Any
    if spec.embedded:
        x = rng.integers(1, max(2, spec.vocabulary), (N, T)) % spec.vocabulary
        x[off] = 0
    else:
        x = rng.uniform(0.3, 1.0, (N, T, spec.D)) * rng.choice((-1.0, 1.0), (N, T, spec.D))
        if spec.source == "masking":
            x[off] = spec.mask_value
    states = tuple(rng.uniform(0.2, 0.8, shape) * rng.choice((-1.0, 1.0), shape) for shape in spec.state_shapes(N))
    return Call(x, ~off if spec.source == "mask" else None, states, like.calls[0].reset)
