"""Which mistake explains this?

A mistake explains an implementation if, with the mistake made on purpose, the correct recurrence gives what the
implementation shows: the very oracle that found it different finds it equivalent to the mistaken case, step by step.
Single mistakes are tried first: in all recurrences alike, then in the one that first breaks, then in any other; then
pairs. When several explain all that was seen, and the implementation can be run, cases are made up that tell them
apart; when none does, the first broken step is described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.observing import ANYTHING, Asking, Observation, observe
from ..judging.verdict import Verdict
from ..model.call import Call
from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from .describing import describe_all
from .evidence import Evidence, Explanation
from .probes import probe
from .recording import record_also

__all__ = ["Diagnosis", "diagnose", "explain", "probing", "telling_case"]


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
    verdict : Verdict, optional
        What the oracle says, where one case was diagnosed.
    probed, recorded : callable, optional
        Find out what :attr:`facts` and :attr:`record_also` tell; each is called once, when somebody reads that.
    """

    explanations: tuple[Explanation, ...]
    picture: str
    verdict: Verdict | None = field(default=None, compare=False)
    recorded: Callable[[], tuple[str, ...]] | None = field(default=None, compare=False, repr=False)
    probed: Callable[[], tuple[str, ...]] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """What the answer depends on, and where the implementation is right.

        Sentences, each true of all that was asked. Empty where there is no implementation to ask (:mod:`.probes`).
        """
        return () if self.probed is None else self.probed()

    @cached_property
    def record_also(self) -> tuple[str, ...]:
        """What the numbers do not show, and what to record beside them to be sure.

        Empty where every common mistake would show, and where there is an implementation to ask
        (:mod:`.recording`).
        """
        return () if self.recorded is None else self.recorded()

    @property
    def name(self) -> str | None:
        """The name of the likeliest mistake (or of two joined by ``+``), or None."""
        return self.explanations[0].name if self.explanations else None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all mistakes that explain it."""
        return tuple(e.name for e in self.explanations)

    def __str__(self) -> str:
        if self.verdict is not None and not self.verdict.different:
            return str(self.verdict)
        if not self.explanations:
            known = [*([self.picture] if self.picture else []), *self.facts]
            if not known and self.verdict is not None:
                known = [str(self.verdict)]
            return "; ".join(["no mistake of the catalogue explains it", *known])
        text = str(self.explanations[0])
        text = f"{text}. What was seen fits as well: {self.others}" if self.others else text
        return f"{text}. Probed: {'; '.join(self.facts)}" if self.facts else text

    @property
    def cause(self) -> str:
        """How people come to make the likeliest mistake."""
        return "; ".join(m.cause for e in self.explanations[:1] for m in e.mistakes)

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
    decimals: int | Mapping[str, int] | None = None,
    from_start: bool = True,
) -> Diagnosis:
    """Name the mistake that explains what an implementation gave for a case.

    Parameters
    ----------
    case : Case
    actual : array, Trajectory, list or callable
        What the implementation gave; of several calls, a list of that, with None for a call of which nothing was
        recorded. Or the implementation itself, case -> what it gives.
    precision : Precision or str, optional
        The arithmetic that it declares.
    run : callable, optional
        The implementation, beside what it gave. With it, mistakes that fit alike are told apart on cases made up for
        that, and it is probed: what its answer depends on, and where it is right.
    decimals : int or mapping, optional
        To how many decimals the numbers were rounded when they were recorded: all of them, or
        ``{"inputs": 6, "weights": 6, "outputs": 4}``. They are judged as far as that tells, and no further.
    from_start : bool
        False where a stateful model was called before the first call of the case, and nothing is known of that: then
        its states may be any, and only what does not depend on them is judged.

    Returns
    -------
    Diagnosis
        Without explanations if it is equivalent, or no trajectory at all.

    Raises
    ------
    ValueError
        If `decimals` are none, or nothing is kept from before the first call.
    """
    p = None if precision is None else Precision.of(precision)
    if not from_start:
        if not case.spec.stateful or case.calls[0].reset:
            why = "is reset before its first call" if case.spec.stateful else "has no stateful layer"
            raise ValueError(f"from_start=False, but the model {why}: its states are known, so leave it out")
        p = replace(case.spec.precision if p is None else p, begun=True)
    if decimals is not None:
        p = _recorded(case.spec.precision if p is None else p, decimals)
    if callable(actual) and not hasattr(actual, "__array__"):
        run, actual = actual, actual(case)
    try:
        seen = Observation.of(case, _shown(case, actual))
        found, verdict = explain([seen], p, run=run), seen.judge(p)
    except BadAnswer as problem:
        found, verdict = Diagnosis((), str(problem)), None
    if verdict is not None and verdict.inconclusive and not from_start:
        verdict = replace(verdict, problem=_any_start(verdict))
    found = replace(found, verdict=verdict)
    if run is None:
        return found if verdict is None else replace(found, recorded=lambda: record_also(case, seen.trajectory, p))
    if verdict is not None and not verdict.different:
        return found
    return replace(found, probed=probing(run, case, p))


def _any_start(verdict: Verdict) -> str:
    """Say what is known where the states before the first call are not."""
    return (
        f"{verdict.undetermined} numbers cannot be judged, since the states before the first call are not known; "
        "nothing that can be judged is wrong"
    )


def probing(run: Callable[[Case], Any], case: Case, precision: Precision | None) -> Callable[[], tuple[str, ...]]:
    """Return a function that probes a wrong implementation; it takes cases like `case`, of any size."""
    asking = Asking(takes=lambda other: _of_a_kind(other, case))
    return lambda: probe(run, case, precision, asking=asking)


def _recorded(precision: Precision, decimals: int | Mapping[str, int]) -> Precision:
    """Return the arithmetic whose numbers are known to some decimals."""
    if not isinstance(decimals, Mapping):
        return precision.recorded(decimals)
    unknown = sorted(map(str, decimals.keys() - {"inputs", "weights", "outputs"}))
    if unknown:
        raise ValueError(f"decimals are of inputs, weights and outputs, not of {', '.join(unknown)}")
    return precision.recorded(**decimals)


def _shown(case: Case, actual: Any) -> Trajectory:
    """Return what was given as a trajectory; of several calls, it was a list."""
    if len(case.calls) > 1 and isinstance(actual, (list, tuple)):
        each = (Trajectory(None) if one is None else Trajectory.of(one, case.spec.two_outputs) for one in actual)
        return Trajectory.of_calls(tuple(each))
    return Trajectory.of(actual, two_outputs=case.spec.two_outputs)


def _of_a_kind(asked: Case, case: Case) -> bool:
    """Whether two cases are of one architecture, but for sizes."""
    one, two = asked.spec, case.spec
    if not (one.letters and two.letters and one.head and two.head) or one.embedded:
        return one == two
    return one.replace(D=1, M=1, K=1) == two.replace(D=1, M=1, K=1)


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
        problem = verdict.problem or ""
        # states in another order may have other shapes
        reordered = Evidence([first], precision).of_wirings() if "final state" in problem else []
        return Diagnosis(tuple(reordered), problem)
    observations = list(seen)
    if run is not None:
        observations += _telling(run, first.case if len(seen) == 1 else seen[0].case, precision, asking)
    evidence = Evidence(observations, precision)
    found = evidence.explanations(first.case.spec, verdict.place.what)
    picture = describe_all([first, *(o for o in observations if o is not first)], precision)
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

    For the notebook's model, the sizes are other ones as well, all different.
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
    scale = {"Wx": 0.8, "Wh": 0.9, "bh": 0.7, "Wp": 0.8, "Wo": 1.0, "bo": 0.6}
    weights = [scale[letter] * rng.standard_normal(spec.weight_shapes[full]) for letter, full in spec.letters.items()]
    # in one of them large inputs, which show what a function does far from 0
    x = (1.3, 4.0, 1.3)[number] * rng.standard_normal((N, T, spec.D))
    return Case(spec, x, **dict(zip(spec.letters, weights if any_weights else like.weights, strict=True)))
