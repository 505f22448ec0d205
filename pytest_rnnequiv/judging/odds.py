r"""A verdict by evidence: what many cases say together where each of them alone leaves open whether a port is right.

Where bounds are too wide, nothing can be proved. But a right port is near the right numbers in one case after the
other, and a wrong one is not. How near is told in units of the *expected error* of a right port in that case
(:mod:`.sampling`): ``D`` is the distance of what was shown, over all numbers of a sample.

Assumption
----------
Roundings are no dice: a right port rounds in the same way each time, and its errors may be correlated, over steps,
units and samples. So nothing is assumed of single roundings, and no distribution of them. This alone is:

    Whatever came in the cases before, of a right port the mean square of ``D`` in a case is at most ``ROOM ** 2``; but
    for a share ``RARE`` of the cases, in which anything may happen.

``ROOM`` is 3: a right port errs three times as much as expected, in the mean of squares, where what is expected is the
worst of several systematic manners, each with every single error as large as it can be. One case in 50 may be anything
at all: a tie that none of the sampled runs has met. No single case decides, however far it is.

Derivation
----------
A case bets on the port being wrong. It pays

    e = min(MOST, (1 - STAKE) + STAKE * mean over samples of (D / ROOM) ** 2) / (1 + RARE * (MOST - 1))

for each unit that is staked. By the assumption the expectation of the numerator is at most ``(1 - RARE) * 1 + RARE *
MOST`` for a right port, so that of ``e`` is at most 1, whatever came before. The mean is taken over the samples of a
case, of which it does not matter how they depend on each other. So the product of ``e`` over the cases of a run is a
nonnegative supermartingale that starts from 1, and by Ville's inequality the chance that it *ever* passes ``1 / alpha``
is at most ``alpha``: at whatever moment somebody looks, and however many cases there are. (Ville, *Étude critique de la
notion de collectif*, 1939; Shafer, *Testing by betting*, 2021; Ramdas et al., *Game-theoretic statistics and safe
anytime-valid inference*, 2023.)

The product is *the odds* against the port. With ``alpha = FALSE_ALARM / SHARES`` a run raises a false alarm with a
probability of at most ``FALSE_ALARM``, though each process of it, and each implementation, up to ``SHARES`` of them,
keeps odds of its own.

The same odds are kept against each mistake, as if the port were right but for that: ``D`` is the distance from what
comes of the mistake, which is as uncertain. Where a mistake moves a case by less than ``FAR`` expected errors, the case
cannot tell it from the right one, and nothing is staked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["FALSE_ALARM", "FAR", "MISTAKE", "MOST", "NEAR", "RARE", "ROOM", "SHARES", "STAKE", "Odds", "bet"]

#: How many times the expected error a right port may err, in the mean of squares.
ROOM = 3.0

#: In which share of the cases anything may happen.
RARE = 1 / 50

#: The most that one case may pay, before what is rare has been allowed for.
MOST = 32.0

#: The part of what there is that is staked.
STAKE = 0.8

#: How seldom a run may call a right port different by evidence.
FALSE_ALARM = 1e-9

#: How many odds a run may keep: processes times implementations.
SHARES = 64

#: By which chance a mistake is excluded: nothing hangs on a single one.
MISTAKE = 1e-6

#: From how many expected errors on a mistake can be told from the right run, and up to how many a case is near it.
FAR, NEAR = 2.5 * ROOM, ROOM


def bet(distances: Any) -> float:
    """Return the logarithm of what one case pays.

    Parameters
    ----------
    distances : (N,) array
        How far each sample is, in expected errors; infinite where it is no number.
    """
    with np.errstate(over="ignore"):
        squares = np.minimum((np.asarray(distances, np.float64) / ROOM) ** 2, MOST / STAKE)
    pays = min(MOST, (1 - STAKE) + STAKE * float(np.mean(squares)))
    return math.log(pays / (1 + RARE * (MOST - 1)))


@dataclass
class Odds:
    """What some cases came to together.

    Attributes
    ----------
    log : float
        The logarithm of the odds.
    cases : int
        How many cases there are.
    worst : float
        The largest distance of a case: the root of the mean square of its samples.
    squares : float
        The sum of the squares of the cases' distances.
    """

    log: float = 0.0
    cases: int = 0
    worst: float = 0.0
    squares: float = 0.0

    def weigh(self, distances: Any) -> None:
        """Add a case."""
        with np.errstate(over="ignore"):
            square = float(np.mean(np.asarray(distances, np.float64) ** 2))
        self.log += bet(distances)
        self.cases += 1
        self.worst = max(self.worst, math.sqrt(square))
        self.squares += square

    @property
    def distance(self) -> float:
        """How far the cases are, in expected errors: the root of the mean square."""
        return math.sqrt(self.squares / self.cases) if self.cases else 0.0

    def exclude(self, chance: float) -> bool:
        """Whether what they are against would come to them with no more than that chance."""
        return self.log >= -math.log(chance)

    def __str__(self) -> str:
        return f"1e{int(self.log / math.log(10))} to 1"
