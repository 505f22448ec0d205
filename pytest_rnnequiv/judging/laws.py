"""Laws of recurrences that need no oracle: an implementation is compared with itself on related cases.

A law turns a case into others and says how the answers must be related: other numbers in one sample leave the other
samples alone, two halves with the state carried over are the whole, a masked step may hold anything. A broken law says
what no single answer can show: a state leaks between samples, the future is seen. Testers say metamorphic relation. The
laws themselves are in :mod:`.relations`; how two answers are compared is in :mod:`.comparing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..cells.cell import Cell
from ..model.case import Case

if TYPE_CHECKING:
    from ..implementations.supports import Supports

__all__ = ["Facts", "Law", "Other", "Relation", "Rng", "Selection"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Facts:
    """What has to be known of an implementation before a law is asked of it.

    Parameters
    ----------
    supports : Supports
    any_weights : bool
        Whether it takes any weights.
    cell : Cell
        The cell that it is asked about; by default the first that it supports.
    identity_head : bool
        Whether it takes an identity matrix for ``Wo`` as it is.
    shows : {"", "states", "every output", "last output"}
        What it lets see of the notebook's model; empty as long as nobody has looked.
    """

    supports: Supports
    any_weights: bool = True
    shows: str = ""
    identity_head: bool = True
    cell: Cell = None  # type: ignore[assignment]  # the default is set below

    def __post_init__(self) -> None:
        if self.cell is None:
            object.__setattr__(self, "cell", self.supports.kinds[0])

    def most(self, letter: str) -> int:
        """Return the largest size that it takes."""
        return self.supports.range(letter, 1, 1_000_000)[1]


@dataclass(frozen=True)
class Selection:
    """Some of the numbers of an answer, in an order; None is all.

    Parameters
    ----------
    samples, steps : sequence of int
    units : sequence of int
        Of the states; outputs are always meant all.
    """

    samples: Sequence[int] | None = None
    steps: Sequence[int] | None = None
    units: Sequence[int] | None = None


@dataclass(frozen=True)
class Other:
    """Another case, and which numbers of its answer must equal which of the first one's.

    Parameters
    ----------
    case : Case
    changed : str
        What was done to the first one, as half a sentence.
    here, there : Selection
        The numbers that must be equal: of the first answer, and of this one.
    state_factor, output_factor : float
        What the numbers of this one are multiplied with in comparison; powers of 2, or their negatives.
    like : Case, optional
        A case with the same exact answer, which has a bound where `case` itself has none.
    continues : bool
        The case begins with the state in which the one before it ended: its ``h0`` is filled in.
    """

    case: Case
    changed: str
    here: Selection = field(default_factory=Selection)
    there: Selection = field(default_factory=Selection)
    state_factor: float = 1.0
    output_factor: float = 1.0
    like: Case | None = None
    continues: bool = False


@dataclass(frozen=True)
class Relation:
    """The case that is asked first (the drawn one, or what became of it), and those that are compared with it."""

    base: Case
    others: tuple[Other, ...]


@dataclass(frozen=True)
class Law:
    """One law.

    Parameters
    ----------
    name : str
    says : str
        The law, as a sentence.
    cause : str
        What is mostly wrong with an implementation that breaks it.
    relate : callable
        ``(case, random, facts) -> Relation``, or None where this case cannot show it.
    needs : sequence of callable
        ``facts -> str``: why the law says nothing of an implementation; empty if it does.
    options : sequence of str, optional
        The options of models that an implementation must heed for the law to say something of other models than the
        notebook's; None if it speaks of that one only, by its letters.
    plain : bool
        Whether the notebook's model shows it.
    extras : sequence of str
        What the cases have beside inputs and weights, where supported: of ``""``, ``"h0"``, ``"mask"``.
    samples, steps : (int, int)
        How many the case had best have.
    at_least_two : sequence of str
        Sizes that the case must have more than one of.
    activations : sequence of str, optional
        Those that it holds for, or with which it says most.
    """

    name: str
    says: str
    cause: str
    relate: Callable[[Case, Rng, Facts], Relation | None]
    needs: tuple[Callable[[Facts], str], ...]
    options: tuple[str, ...] | None = None
    plain: bool = True
    extras: tuple[str, ...] = ("",)
    samples: tuple[int, int] = (1, 4)
    steps: tuple[int, int] = (1, 8)
    at_least_two: tuple[str, ...] = ()
    activations: tuple[str, ...] | None = None

    def why_not(self, facts: Facts) -> str:
        """Why it says nothing of an implementation; empty if it does."""
        if not self.plain and not self.heeded(facts):
            return f"does not declare the option {' or '.join(self.options or ())}"
        return next(filter(None, (need(facts) for need in self.needs)), "")

    def heeded(self, facts: Facts) -> bool:
        """Whether an implementation heeds the options that other models than the notebook's need."""
        return self.options is not None and {*self.options} <= {*facts.supports.options}

    def relation(self, case: Case, random: Rng, facts: Facts) -> Relation | None:
        """Turn a case into what the law says of it; None where it says nothing, or too much for the implementation."""
        if self.options is None and not case.spec.plain:
            return None
        with np.errstate(all="ignore"):
            found = self.relate(case, random, facts)
        if found is None:
            return None
        asked = [found.base, *(other.case for other in found.others)]
        return found if found.others and all(map(facts.supports.accepts, asked)) else None

    def __str__(self) -> str:
        return self.name
