"""Change one thing of a case, and see which numbers of the answer move.

Rounding is never taken for movement: a number has moved if it is further off than the bounds of both runs allow,
:data:`~.asked.MARGIN` times over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model.case import Case
from .asked import Answer, Array, Asker, Bools

__all__ = ["Changing", "Movement", "without_effect"]


@dataclass(frozen=True, eq=False)
class Movement:
    """Which outputs moved when a case was changed, each array ``(N, S, K)``.

    Attributes
    ----------
    still : where not a bit has changed
    moved : where it moved for certain
    should : where it should have moved, for certain
    must_not : where it should not have changed at all
    """

    still: Bools
    moved: Bools
    should: Bools
    must_not: Bools

    def only(self, axis: int) -> Movement:
        """The same along one axis: an index is still if all at it is, and moved if any of it has."""
        others = tuple(i for i in range(3) if i != axis)
        return Movement(
            still=np.asarray(self.still.all(others)),
            moved=np.asarray(self.moved.any(others)),
            should=np.asarray(self.should.any(others)),
            must_not=np.asarray(self.must_not.all(others)),
        )

    @property
    def dead(self) -> bool:
        """Whether nothing has changed where something should have."""
        return bool(self.should.any() and self.still.all())

    @property
    def alive(self) -> bool:
        """Whether something has moved where it should have."""
        return bool((self.moved & self.should).any())


class Changing:
    """An answer, and cases in which one thing is another than in the case that was answered.

    Parameters
    ----------
    asker : Asker
        Whom to ask about the changed cases.
    base : Answer
    """

    def __init__(self, asker: Asker, base: Answer) -> None:
        self.asker, self.base, self.case = asker, base, base.case
        self.spec = self.case.spec
        self.rng = np.random.default_rng(100 + asker.seed)

    def movement(self, case: Case, of: Answer | None = None) -> Movement | None:
        """Ask about a changed case, and say what moved; None where nothing can be said."""
        before, after = of or self.base, self.asker.ask(case)
        if after is None or after.numbers is None or before.numbers is None:
            return None
        if after.numbers.shape != before.numbers.shape:
            return None
        room = before.room
        change, right = np.abs(after.numbers - before.numbers), np.abs(after.expected - before.expected)
        return Movement(
            still=np.asarray(change == 0),
            moved=np.asarray(change > room),
            should=np.asarray(right > room),
            must_not=np.asarray(right == 0),
        )

    def fresh(self, array: Array, where: Any = True) -> Array:
        """Other numbers of the size that an array's have, in some places of it."""
        size = np.abs(array).mean() or 0.5
        other = self.rng.uniform(0.5, 1.5, array.shape) * self.rng.choice((-1.0, 1.0), array.shape) * size
        return np.where(where, other, array)

    def with_x(self, where: Any) -> Case:
        """Other inputs in some places; masked steps stay masked."""
        call, spec = self.case.calls[0], self.spec
        x = call.x
        if spec.embedded:
            most = max(1, spec.vocabulary - 1)
            other = np.where(x > 0, x % most + 1, x) if spec.vocabulary > 2 else x
            where = np.broadcast_to(where, (*x.shape, 1))[..., 0]
            return self.case.map_calls(lambda c: c.replace(x=np.where(where, other, x)))
        held = (x == np.float32(spec.mask_value)).all(-1, keepdims=True) if spec.source == "masking" else False
        return self.case.map_calls(lambda c: c.replace(x=self.fresh(x, where & ~np.asarray(held))))

    def with_weights(self, of: Case | None = None, **where: Any) -> Case:
        """Other numbers in some places of some weights, by full name."""
        case = of or self.case
        named = case.named_weights
        return case.with_weights(**{name: self.fresh(named[name], place) for name, place in where.items()})

    def short(self, name: str) -> str:
        """What a weight is called: its letter where there is one."""
        return f"`{name.rpartition('/')[2] if self.spec.letters else name}`"


def without_effect(seen: Mapping[int, Movement]) -> list[int]:
    """What has no effect, where all others have one."""
    dead = sorted(i for i, m in seen.items() if m.dead)
    alive = [i for i, m in seen.items() if m.alive]
    return dead if alive and len(alive) + len(dead) == len(seen) else []
