"""How large the drawn numbers are, and how long the runs, such that a bound still tells right from wrong.

An implementation that shows its state at every step, as it can for the notebook's model, may be asked about long and
chaotic runs. Elsewhere the bound travels with the run, and with 16 bits it is wide from the start.
"""

from __future__ import annotations

from typing import NamedTuple

from ..model.spec import Spec
from .sizes import SAMPLES, STEPS

__all__ = ["LONG", "SPARSE", "SPARSE_OF", "Usual", "calls_of", "usual"]

Scales = dict[str, tuple[float, ...]]

#: From so many steps on a generic case is one that remembers its first steps: it saturates less, and contracts less.
LONG = 30

#: One case in eight has a block that is half zeros: knob -> kind of block.
SPARSE = {1: "x", 2: "Wx", 3: "Wh", 4: "Wo"}
SPARSE_OF = 32


class Usual(NamedTuple):
    """What is usual about the cases of a kind of spec.

    Attributes
    ----------
    scales : dict
        Scales of each kind of block, divided by the root of its fan-in. Those of ``Wh`` are about its spectral radius
        (the circular law). No powers of 2: nothing is exact.
    plain : bool
        Whether a block is often of the plain code book, as it stands; else only one whose knob is 0 is.
    large : dict
        What large values stand among the others now and then: knob -> kind of block, factor.
    large_of : int
        The knob is taken modulo this.
    samples, steps : tuple of int
        To choose from, where nobody says how many.
    generic : dict
        Knobs of a generic case: every block in full mantissas and of usual size, and ``Wh`` contracting, so that a run
        which is judged by its last output only has a narrow bound.
    remembering : dict
        Those of a long one.
    """

    scales: Scales
    plain: bool
    large: dict[int, tuple[str, float]]
    large_of: int
    samples: tuple[int, ...]
    steps: tuple[int, ...]
    generic: dict[str, int]
    remembering: dict[str, int]

    def scale(self, kind: str, knob: int) -> float | None:
        """Scale of a kind of block by its knob; None is the plain code book."""
        known = self.scales.get(kind)
        if not known or not knob:
            return None
        if not self.plain:
            return known[knob % len(known)]
        knob %= len(known) + 1
        return known[knob - 1] if knob else None


#: No samples at all: rarely, and not to shrink to.
_SAMPLES = (*sorted(SAMPLES * 5), 0, 0, 0)
_GENERIC = {"x": 3, "Wx": 2, "Wh": 2, "bh": 2, "Wo": 2, "bo": 2, "state": 2, "pattern": 3}

_SHOWN = Usual(
    scales={
        "x": (0.3, 0.9, 1.1, 2.7),
        "Wx": (0.4, 0.9, 1.3, 2.3),
        "Wh": (0.3, 0.6, 0.9, 1.1, 1.7, 2.6, 3.7),  # from contracting to chaotic
        "bh": (0.3, 0.7, 1.1),
        "Wo": (0.4, 0.9, 2.3),
        "bo": (0.3, 0.7, 1.1),
    },
    plain=True,
    large={
        1: ("x", 1e2),
        2: ("x", 1e5),
        3: ("Wx", 1e3),
        4: ("Wh", 1e2),
        5: ("bh", 1e3),
        6: ("bo", 1e6),
        7: ("x", 1e30),
    },
    large_of=70,
    samples=SAMPLES,
    steps=STEPS,
    generic=_GENERIC,
    remembering=_GENERIC | {"x": 1, "bh": 1, "Wh": 4},
)

_TRAVELLING = Usual(
    scales={
        "x": (0.3, 0.9, 1.1, 2.7),
        "Wx": (0.4, 0.9, 1.3, 2.3),
        "Wh": (0.3, 0.5, 0.6, 0.7, 0.9, 1.1, 0.8, 1.7, 0.4, 0.9, 2.6),  # mostly contracting
        "bh": (0.3, 0.7, 1.1),
        "Wo": (0.4, 0.9, 1.3),
        "bo": (0.3, 0.7, 1.1),
        "state": (0.3, 0.9),
    },
    plain=True,
    # the last one overflows 16 bits
    large={1: ("x", 1e2), 2: ("Wx", 1e2), 3: ("bh", 1e2), 4: ("state", 1e2), 5: ("bo", 1e3), 6: ("x", 1e5)},
    large_of=160,
    samples=_SAMPLES,
    steps=(*sorted((1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 12, 2) * 3), 40),
    generic=_GENERIC,
    remembering=_GENERIC,
)

#: Where biases keep the states large and little is handed on, bounds of 16 bits still tell right from wrong. These
#: scales were chosen by trying.
_SHORT = _TRAVELLING._replace(
    scales={
        "x": (0.9, 0.5, 1.1),
        "Wx": (0.5, 0.3),
        "Wh": (0.3, 0.2, 0.2, 0.5),
        "bh": (1.1, 1.5),
        "Wo": (0.9, 0.4),
        "bo": (1.1, 0.7),
        "state": (0.5, 0.9),
    },
    plain=False,
    steps=(*sorted((1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 5) * 3), 12),
)


def usual(spec: Spec) -> Usual:
    """What is usual about the cases of a spec."""
    if spec.compute_dtype.endswith("16"):
        return _SHORT
    return _SHOWN if spec.plain else _TRAVELLING


def calls_of(spec: Spec) -> tuple[int, ...]:
    """Numbers of calls to choose from, where nobody says how many."""
    if spec.stateful:
        return (1,) * 3 + (2,) * 7 + (3,) * 6
    return (1,) if spec.plain else (1,) * 15 + (2,)
