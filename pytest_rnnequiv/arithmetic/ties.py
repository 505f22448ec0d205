"""Ties on the way of a run: where a number may be rounded to either of two neighbours, both runs are followed.

A run whose states are not seen is known as long as every rounding has one outcome. A number that is nearer to a tie
than the arithmetic's own error has two, a whole step apart, and an enclosure of both grows from step to step. But a
correct implementation has taken one of them. So the run is made for each choice (depth first, as a decision tree), and
what is shown has to be near one of these runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .formats import Ends

__all__ = ["MOST_RUNS", "Ties", "all_runs"]

Bools = npt.NDArray[np.bool_]

#: How many runs are made at most; where there are more, the enclosure of all outcomes is used. It is used at once where
#: the first run meets so many more ties that following them is hopeless: other runs meet others.
MOST_RUNS, SPARE = 64, 3


class Ties:
    """Choices for each sample of a batch, in the order in which ties are met; behind the last one, the lower outcome.

    Parameters
    ----------
    chosen : list of list of bool
        Of each sample; or one list for all samples, where each depends on the others.

    Attributes
    ----------
    met : list of list of bool
        All choices of a run, by the same.
    """

    def __init__(self, chosen: list[list[bool]]) -> None:
        self.met: list[list[bool]] = [[] for _ in chosen]
        self._chosen = chosen

    def chosen(self, tie: Bools) -> Bools:
        """Choose for each tie whether the higher outcome is taken; the first axis is that of the samples."""
        up = np.zeros(tie.shape, bool)
        for place in zip(*np.nonzero(tie), strict=True):
            own = place[0] if len(self.met) > 1 else 0
            met, chosen = self.met[own], self._chosen[own]
            up[place] = chosen[len(met)] if len(met) < len(chosen) else False
            met.append(bool(up[place]))
        return up

    def decided(self, ends: Ends) -> Ends:
        """Choose where there are two outcomes."""
        if not ends.tie.any():
            return ends
        up = self.chosen(ends.tie)
        one = np.where(up, ends.high, ends.low)
        return ends._replace(low=np.where(ends.tie, one, ends.low), high=np.where(ends.tie, one, ends.high))


def all_runs(run: Callable[[Ties], Any], of: Bools, most: int = MOST_RUNS) -> tuple[list[tuple[Any, Bools]], Bools]:
    """Make a run for each choice.

    Parameters
    ----------
    run : callable
        Makes the run, with its ties decided.
    of : (samples,) bool array
        Of which samples; one for all of them, where each depends on the others.
    most : int
        How many runs may be made.

    Returns
    -------
    runs : list of (run, of)
        Each run, and of which samples it is one that had not been made before.
    known : (samples,) bool array
        Of which samples these are all.
    """
    chosen: list[list[bool]] = [[] for _ in of]
    new, lost = of.copy(), ~of
    runs: list[tuple[Any, Bools]] = []
    while new.any() and len(runs) < most:
        ties = Ties(chosen)
        runs.append((run(ties), new.copy()))
        if len(runs) == 1:
            lost |= new & (np.array([len(met) for met in ties.met]) > most.bit_length() + SPARE)
            new &= ~lost
        for n in np.flatnonzero(new):
            path = ties.met[n]
            while path and path[-1]:
                path.pop()
            new[n] = bool(path)
            chosen[n] = [*path[:-1], True] if path else []
    return runs, ~new & ~lost
