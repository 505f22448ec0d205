"""Which mistake explains this?

A mistake explains an implementation if, with the mistake made on purpose, the correct recurrence gives what the
implementation shows: the very oracle that found it different finds it equivalent to the mistaken case, step by step.
Single mistakes are tried first: in all recurrences alike, then in the one that first breaks, then in any other; then
pairs. When several explain all that was seen, and the implementation can be run, cases are made up that tell them
apart; when none does, the first broken step is described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.observing import ANYTHING, Asking, Observation, observe
from ..model.case import Call, Case
from ..model.trajectory import BadAnswer, Trajectory
from .describing import describe
from .evidence import Evidence, Explanation

__all__ = ["Diagnosis", "diagnose", "explain", "telling_case"]


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with an implementation, as far as it can be told.

    Attributes
    ----------
    explanations : tuple of Explanation
        The mistakes that explain all that was seen, likeliest first; none if no mistake of the catalogue does.
        Several cannot be told apart by what was seen.
    picture : str
        How the first broken step looks.
    """

    explanations: tuple[Explanation, ...]
    picture: str

    @property
    def name(self) -> str | None:
        """The name of the likeliest mistake (or of two joined by ``+``), or None."""
        return self.explanations[0].name if self.explanations else None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all mistakes that explain it."""
        return tuple(e.name for e in self.explanations)

    def __str__(self) -> str:
        if not self.explanations:
            return "no mistake of the catalogue explains it" + (f"; {self.picture}" if self.picture else "")
        text = str(self.explanations[0])
        return f"{text}. What was seen fits as well: {self.others}" if self.others else text

    @property
    def how(self) -> str:
        """How people come to make the likeliest mistake."""
        return "; ".join(m.how for e in self.explanations[:1] for m in e.mistakes)

    @property
    def others(self) -> str:
        """The other explanations in words; empty if there is none."""
        others = [e.says for e in self.explanations[1:]]
        more = [f"and {len(others) - 3} more"] if len(others) > 3 else []
        return "; or ".join(others[:3] + more)


def diagnose(
    case: Case,
    actual: Any,
    precision: Precision | str | None = None,
    *,
    run: Callable[[Case], Any] | None = None,
) -> Diagnosis:
    """Name the mistake that explains what an implementation gave for a case.

    Parameters
    ----------
    case : Case
    actual : array or Trajectory
        What the implementation gave.
    precision : Precision or str, optional
        The arithmetic that it declares.
    run : callable, optional
        The implementation, case -> what it gives. With it, mistakes that fit alike are told apart on cases made up for
        that.

    Returns
    -------
    Diagnosis
        Without explanations if it is equivalent, or no trajectory at all.
    """
    p = None if precision is None else Precision.of(precision)
    try:
        return explain([Observation.of(case, Trajectory.of(actual, two_outputs=case.spec.two_outputs))], p, run=run)
    except BadAnswer as problem:
        return Diagnosis((), str(problem))


def explain(
    seen: Sequence[Observation],
    precision: Precision | None = None,
    *,
    run: Callable[[Case], Any] | None = None,
    asking: Asking = ANYTHING,
) -> Diagnosis:
    """Name the mistake that explains all observations together.

    Parameters
    ----------
    seen : sequence of Observation
        At least one of them different.
    run, asking
        As for :func:`~.observing.observe`, to make up cases that tell mistakes apart.
    """
    verdicts = [o.judge(precision) for o in seen]
    broken = next(((o, v) for o, v in zip(seen, verdicts, strict=True) if v.different), None)
    if broken is None:
        return Diagnosis((), "")
    first, verdict = broken
    if verdict.place is None:
        return Diagnosis((), verdict.problem or "")
    observations = list(seen)
    if run is not None:
        observations += _telling(run, first.case if len(seen) == 1 else seen[0].case, precision, asking)
    evidence = Evidence(observations, precision)
    found = evidence.explanations(first.case.spec, verdict.place.what)
    picture = describe(first.case, first.trajectory, precision, verdict)
    firm = [each for each in found if not each.few]
    if found and not firm:
        # what many mistakes come to is evidence for none
        few = Diagnosis(tuple(found), "")
        others = f"; or {few.others}" if few.others else ""
        told = f"what was seen is too little to name a mistake by: it may be the recurrence {found[0].says}{others}"
        return Diagnosis((), "; ".join(filter(None, [told, picture])))
    if not firm and run is not None and any(_answers_differ(run, o.case) for o in reversed(observations)):
        picture = "; ".join(
            filter(None, ["asked the same twice, it gives two answers: is a state kept between calls?", picture])
        )
    return Diagnosis(tuple(firm), picture)


def _answers_differ(run: Callable[[Case], Any], case: Case) -> bool:
    """Whether an implementation gives two answers to one case."""
    try:
        once, again = (np.asarray(Trajectory.of(run(case)).outputs, np.float64) for _ in range(2))
    except Exception:
        return False  # no answer at all, which is told elsewhere
    return not np.array_equal(once, again, equal_nan=True)


def _telling(
    run: Callable[[Case], Any], like: Case, precision: Precision | None, asking: Asking
) -> Iterator[Observation]:
    """Run the implementation on cases in which every mistake shows, as far as it takes them."""
    for number in range(3 if like.spec.plain else 2):
        case = telling_case(like, number, asking.any_weights, asking.any_length)
        try:
            observation = observe(run, case, asking, precision=precision)
        except Exception:
            continue  # it does not take such a case: the mistakes stay as they are
        verdict = observation.judge(precision)
        if verdict.place is not None or not verdict.different:
            yield observation


def telling_case(like: Case, number: int, any_weights: bool = True, any_length: bool = True) -> Case:
    """Make up a case without symmetries: all numbers different, some units saturated, some steps masked.

    Of the notebook's model the sizes are others too, and distinct.
    """
    rng = np.random.default_rng(20 + number)
    spec = like.spec
    if spec.plain:
        return _telling_plain(like, number, rng, any_weights, any_length)
    if spec.embedded:  # or the row after a word's is the row before it
        spec = spec.replace(vocabulary=max(spec.vocabulary, 4))
    N, T = spec.N or 3, spec.T or 4 + number
    weights = tuple(0.8 * rng.standard_normal(shape) for shape in spec.weight_shapes.values())
    calls = []
    for call in like.calls:
        off = rng.random((N, T)) < 0.25
        x: Any
        if spec.embedded:
            x = np.where(off, 0, rng.integers(0, spec.vocabulary, (N, T)))
        else:
            x = 1.3 * rng.standard_normal((N, T, spec.D))
            if spec.source == "masking":
                # What is masked is told from what looks like it: one feature of the value, and all of them 0.
                x[~off & (rng.random((N, T)) < 0.4), :1] = spec.mask_value
                x[~off & (rng.random((N, T)) < 0.2)] = 0.0
                x[off] = spec.mask_value
        states = tuple(rng.standard_normal(shape) for shape in spec.state_shapes(N))
        calls.append(Call(x, None if call.mask is None else ~off, states, call.reset))
    return Case(spec, weights=weights if any_weights else like.weights, calls=calls)


def _telling_plain(like: Case, number: int, rng: Any, any_weights: bool, any_length: bool) -> Case:
    """Of the notebook's model: without mask and initial state, which a port need not know."""
    spec = like.spec
    N, T = (like.N, like.T) if not any_length else ((3, 5), (2, 6), (4, 4))[number]
    if any_weights:
        D, M, K = ((3, 4, 2), (4, 4, 4), (2, 5, 3))[number]
        spec = spec.replace(D=D, M=M, K=K)
    scale = {"Wx": 0.8, "Wh": 0.9, "bh": 0.7, "Wo": 1.0, "bo": 0.6}
    weights = [scale[letter] * rng.standard_normal(spec.weight_shapes[full]) for letter, full in spec.letters.items()]
    # in one of them large inputs, which show what a function does far from 0
    x = (1.3, 4.0, 1.3)[number] * rng.standard_normal((N, T, spec.D))
    return Case(spec, x, **dict(zip(spec.letters, weights if any_weights else like.weights, strict=True)))
