"""Which mistake explains this?

A mistake explains an implementation if, with the mistake made on purpose, the correct recurrence gives what the
implementation shows: the very oracle that found it different finds it equivalent to the mistaken case, step by step.
Single mistakes are tried first, then pairs; of a network, those that are about options and wiring first, then those of
the weights: in every layer, in the place where it first breaks, in any other. When several explain all that was seen,
and the implementation can be run, cases are made up that tell them apart; when none does, the first broken step is
described.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np

from ..arithmetic.precision import Precision
from ..judging.observing import Observation, observe
from ..judging.oracle import Verdict, inspect, judge
from ..model.case import Case
from ..model.forward import reference
from ..model.network import Network
from ..model.network_case import Call, NetworkCase
from ..model.trajectory import BadAnswer, NetworkTrajectory, Trajectory, as_trajectory
from .catalogue import CATALOGUE, KEPT_IN, Mistake, to_tf32
from .networks import CATALOGUE as OF_NETWORKS
from .networks import NetworkMistake, Place, arrays, everywhere, placed

__all__ = ["Diagnosis", "Explanation", "diagnose", "explain", "explain_network"]


@dataclass(frozen=True)
class Explanation:
    """One mistake, or two together, under which everything that was seen is the recurrence.

    Attributes
    ----------
    mistakes : tuple of Mistake or NetworkMistake
    within, steps : int
        How many steps are within their bound with the mistake made on purpose, of how many.
    within_before : int
        How many are without it.
    """

    mistakes: tuple[Mistake, ...] | tuple[NetworkMistake, ...]
    within: int
    steps: int
    within_before: int

    @property
    def name(self) -> str:
        """The mistakes' names, joined by ``+``."""
        return " + ".join(m.name for m in self.mistakes)

    @property
    def says(self) -> str:
        """Completes "it is the recurrence ..."."""
        return " and ".join(m.says for m in self.mistakes)

    def __str__(self) -> str:
        return (
            f"it is the recurrence {self.says}: so, {self.within} of {self.steps} steps are within their bound; "
            f"without, {self.within_before} of {self.steps}"
        )


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


#: Mistakes that are tried together, two at a time: those that people make side by side.
_COMMON = (
    "Wh-transposed",
    "Wx-memory-order",
    "Wx-and-Wh-swapped",
    "Wo-memory-order",
    "weights-to-float16",
    "weights-to-bfloat16",
    "bh-dropped",
    "bh-doubled",
    "bh-and-bo-swapped",
    "bh-after-activation",
    "bo-dropped",
    "bo-doubled",
    "recurrent-term-dropped",
    "state-overwritten",
    "time-reversed",
    "first-step-skipped",
    "last-step-skipped",
    "one-step-late",
    "N-and-T-swapped",
    "stride-wrong",
    "leaks-between-samples",
    "starts-at-one",
    "activation-forgotten",
    "activation-relu",
    "activation-sigmoid",
    "activation-tanh",
    "activation-hard_tanh",
    "activation-softsign",
    "fast-tanh-rational",
    "activation-twice",
    "activation-on-head",
    "Wh-negated",
    "Wx-columns-reversed",
    "Wh-rows-reversed",
)


@overload
def diagnose(
    case: Case, actual: Any, precision: Precision | str | None = ..., *, run: Callable[[Case], Any] | None = ...
) -> Diagnosis: ...
@overload
def diagnose(
    case: NetworkCase,
    actual: Any,
    precision: Precision | str | None = ...,
    *,
    run: Callable[[NetworkCase], Any] | None = ...,
) -> Diagnosis: ...
def diagnose(
    case: Case | NetworkCase,
    actual: Any,
    precision: Precision | str | None = None,
    *,
    run: Callable[[Any], Any] | None = None,
) -> Diagnosis:
    """Name the mistake that explains what an implementation gave for a case.

    Parameters
    ----------
    case : Case or NetworkCase
    actual : array, Trajectory or NetworkTrajectory
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
        if isinstance(case, NetworkCase):
            return explain_network([(case, NetworkTrajectory.of(actual))], p, run=run)
        return explain([Observation.of(case, as_trajectory(actual))], p, run=run)
    except BadAnswer as problem:
        return Diagnosis((), str(problem))


def explain(
    seen: Sequence[Observation],
    precision: Precision | None = None,
    *,
    run: Callable[[Case], Any] | None = None,
    any_weights: bool = True,
    any_length: bool = True,
) -> Diagnosis:
    """Name the mistake that explains all observations together.

    Parameters
    ----------
    seen : sequence of Observation
        At least one of them different.
    run, any_weights, any_length
        As for :func:`~.observation.observe`, to make up cases that tell mistakes apart.
    """
    verdicts = [o.judge(precision) for o in seen]
    broken = next(((o, v) for o, v in zip(seen, verdicts, strict=True) if v.different), None)
    if broken is None:
        return Diagnosis((), "")
    if broken[1].place is None:
        return Diagnosis((), broken[1].problem or "")
    observations = list(seen)
    if run is not None:
        observations += _telling(run, seen, precision, any_weights, any_length)
    evidence = _Evidence(observations, precision)
    found = evidence.explanations()
    picture = describe(broken[0].case, broken[0].trajectory, precision, broken[1])
    if not found and run is not None and any(_answers_differ(run, o.case) for o in reversed(observations)):
        picture = "; ".join(
            filter(None, ["asked the same twice, it gives two answers: is a state kept between calls?", picture])
        )
    return Diagnosis(tuple(found), picture)


def _answers_differ(run: Callable[[Case], Any], case: Case) -> bool:
    """Whether an implementation gives two answers to one case."""
    try:
        once, again = (np.asarray(as_trajectory(run(case)).outputs, np.float64) for _ in range(2))
    except Exception:
        return False  # no answer at all, which is told elsewhere
    return not np.array_equal(once, again, equal_nan=True)


def _telling(
    run: Callable[[Case], Any],
    seen: Sequence[Observation],
    precision: Precision | None,
    any_weights: bool,
    any_length: bool,
) -> Iterable[Observation]:
    """Run the implementation on cases in which every mistake shows, as far as it takes them."""
    model = seen[0].case
    for number in range(3):
        case = telling_case(model, number, any_weights, any_length)
        try:
            observation = observe(run, case, any_weights=any_weights, any_length=any_length, precision=precision)
        except Exception:
            continue  # it does not take such a case: the mistakes stay as they are
        try:
            observation.trajectory.checked(
                observation.case.N, observation.case.T, observation.case.M, observation.case.K
            )
        except BadAnswer:
            continue
        yield observation


def telling_case(like: Case, number: int, any_weights: bool = True, any_length: bool = True) -> Case:
    """Make up a case without symmetries: distinct sizes, all numbers different, some units saturated."""
    rng = np.random.default_rng(20 + number)
    spec = like.spec
    N, T = (like.N, like.T) if not any_length else ((3, 5), (2, 6), (4, 4))[number]
    if any_weights:
        D, M, K = ((3, 4, 2), (4, 4, 4), (2, 5, 3))[number]
        spec = spec.replace(D=D, M=M, K=K)
    shapes = spec.weight_shapes
    scale = {"Wx": 0.8, "Wh": 0.9, "bh": 0.7, "Wo": 1.0, "bo": 0.6}
    weights = {
        name: getattr(like, name) if not any_weights else scale[name] * rng.standard_normal(shape)
        for name, shape in shapes.items()
    }
    return Case(spec, 1.3 * rng.standard_normal((N, T, spec.D)), **weights)


class _Evidence:
    """All that was seen, the most telling first."""

    def __init__(self, observations: Sequence[Observation], precision: Precision | None) -> None:
        self.precision = precision
        #: What was put together of several runs, with the states that they show.
        self.whole = self._judged((o.case, o.trajectory) for o in observations)
        #: The runs as they were made: a mistake that shows differently in every prefix (time reversed), or under
        #: another head (biases exchanged), explains each of them, and not what was put together.
        self.runs = self._judged(run for o in observations for run in o.runs)

    def _judged(self, pairs: Iterable[tuple[Case, Trajectory]]) -> list[tuple[Case, Trajectory, Verdict]]:
        judged = [(case, shown, judge(case, shown, self.precision)) for case, shown in pairs]
        # Broken runs refute most mistakes; short ones are judged fastest and are nearly always conclusive.
        return sorted(judged, key=lambda r: (not r[2].different, r[0].N * r[0].T * r[0].M))

    def explanations(self) -> list[Explanation]:
        """Find the smallest sets of mistakes that explain everything."""
        plain = [m for m in CATALOGUE if m.precision is None]
        # The bound of a coarse arithmetic is wide: without its digits, anything that is nearly right would fit it.
        # Those that round what they store are tried first, the coarsest before the finer.
        coarse = sorted(
            (m for m in CATALOGUE if m.precision is not None and self._has_numbers_of(m)),
            key=lambda m: (m.precision.name not in KEPT_IN, -m.precision.unit) if m.precision else (True, 0.0),
        )
        common = [m for m in CATALOGUE if m.name in _COMMON]
        for candidates in (
            [(m,) for m in plain],
            [(m,) for m in coarse],
            [(a, b) for i, a in enumerate(common) for b in common[i + 1 :] if _together(a, b)],
        ):
            found = [e for e in map(self.try_out, candidates) if e is not None]
            if found:
                return self._without_equals(found)
        return []

    def _has_numbers_of(self, mistake: Mistake) -> bool:
        """Whether what was shown bears the marks of the arithmetic: its digits, or the rounding of its factors."""
        if mistake.precision is None:
            return True
        keep = KEPT_IN.get(mistake.precision.name)
        if keep is None:
            return all(_rounds_factors(case, shown) for case, shown, _ in self.whole)
        # The outputs too: states that were shown through a head are as coarse as its factors.
        numbers = (np.asarray(a) for _, t, _ in self.whole for a in (t.outputs, t.states) if a is not None)
        with np.errstate(all="ignore"):
            return all(np.array_equal(a, keep(a), equal_nan=True) for a in numbers)

    def try_out(self, mistakes: tuple[Mistake, ...]) -> Explanation | None:
        """Judge everything under the mistakes."""
        return self._try_on(self.whole, mistakes) or self._try_on(self.runs, mistakes)

    def _try_on(
        self, seen: list[tuple[Case, Trajectory, Verdict]], mistakes: tuple[Mistake, ...]
    ) -> Explanation | None:
        """Judge these under the mistakes; None as soon as one refutes them."""
        within = steps = before = 0
        conclusive = False
        precision = next((m.precision for m in mistakes if m.precision is not None), self.precision)
        head_only = all(m.head_only for m in mistakes)
        for case, shown, verdict in seen:
            mistaken = _apply(mistakes, case)
            if mistaken is None:  # the mistake changes nothing here, so it explains nothing that is broken
                if verdict.different:
                    return None
                continue
            judged = judge(mistaken, Trajectory(shown.outputs) if head_only else shown, precision)
            if judged.different:
                return None
            conclusive |= verdict.different and judged.equivalent
            within += judged.steps
            steps += judged.steps
            if verdict.steps != judged.steps:
                verdict = judge(case, Trajectory(shown.outputs), self.precision)
            before += verdict.steps - verdict.broken
        return Explanation(mistakes, within, steps, before) if conclusive else None

    def _without_equals(self, found: list[Explanation]) -> list[Explanation]:
        """Keep one of several mistakes that make the same case of every run."""
        kept: dict[Any, Explanation] = {}
        for e in found:
            mistakes = tuple(m for m in e.mistakes if isinstance(m, Mistake))
            cases = tuple(_fingerprint(_apply(mistakes, case)) for case, _, _ in self.runs)
            kept.setdefault((cases, tuple(m.precision for m in mistakes)), e)
        return list(kept.values())


def _rounds_factors(case: Case, trajectory: Trajectory) -> bool:
    """Whether the states come, to the rounding of float32, from factors that were rounded to TF32's 11 bits.

    True as well where no states are to be seen.
    """
    if trajectory.states is None:
        return True
    with np.errstate(all="ignore"):
        states = np.asarray(trajectory.states).astype(np.float32)
        if trajectory.through_head:  # which multiplies them, rounded, by 1
            return np.array_equal(to_tf32(states), states, equal_nan=True)
        N, T, M = states.shape
        h0 = np.zeros((N, M), np.float32) if case.h0 is None else case.h0
        previous = np.concatenate([h0[:, None], states[:, :-1]], axis=1).reshape(-1, M)
        moved = np.ones(N * T, bool) if case.mask is None else case.mask.ravel()
        after = Trajectory(np.zeros((moved.sum(), case.K)), states.reshape(N * T, 1, M)[moved])
        if not moved.any():
            return True
        one = case.replace(
            x=to_tf32(case.x.reshape(N * T, 1, -1)[moved]),
            h0=to_tf32(previous[moved]),
            Wx=to_tf32(case.Wx),
            Wh=to_tf32(case.Wh),
            mask=None,
        )
        _, (steps, _) = inspect(one, after, Precision.float32)
        ratio, _ = steps.ratio()
        return bool((ratio <= 1).all())


def _together(a: Mistake, b: Mistake) -> bool:
    """Whether two mistakes are made side by side, and not the second in place of the first."""
    return a.group != b.group or a.group not in ("activation", "numbers")


def _apply(mistakes: tuple[Mistake, ...], case: Case) -> Case | None:
    """Make the mistakes one after the other, as far as each can be made; None if none can."""
    made = False
    for mistake in mistakes:
        changed = mistake(case)
        if changed is not None:
            made, case = True, changed
    return case if made else None


def _fingerprint(case: Case | None) -> bytes:
    return b"" if case is None else case.fingerprint()


# ------------------------------------------------------------------------------------------------------- networks


def explain_network(
    seen: Sequence[tuple[NetworkCase, NetworkTrajectory]],
    precision: Precision | None = None,
    *,
    run: Callable[[NetworkCase], Any] | None = None,
) -> Diagnosis:
    """Name the mistake that explains everything that was seen of networks.

    Parameters
    ----------
    seen : sequence of (NetworkCase, NetworkTrajectory)
        At least one of them different.
    run : callable, optional
        As for :func:`diagnose`.
    """
    judged = [(case, shown, judge(case, shown, precision)) for case, shown in seen]
    broken = next((each for each in judged if each[2].different), None)
    if broken is None:
        return Diagnosis((), "")
    case, shown, verdict = broken
    if verdict.place is None:
        return Diagnosis((), verdict.problem or "")
    if run is not None:
        judged += _telling_networks(run, case, precision)
    # Broken runs refute most mistakes, and small ones do so fastest.
    judged.sort(key=lambda each: (not each[2].different, sum(call.x.size for call in each[0].calls)))
    for candidates in _candidates(case.network, verdict.place.what):
        found = [e for e in (_explained(mistake, judged, precision) for mistake in candidates) if e is not None]
        if found:
            return Diagnosis(tuple(_ordered(found, judged)), _of_network(case, shown, verdict))
    return Diagnosis((), _of_network(case, shown, verdict))


def _candidates(network: Network, what: str) -> Iterator[Iterable[NetworkMistake]]:
    """Yield the mistakes that may explain what first breaks in this place, the likeliest first."""

    def here(place: Place) -> bool:
        return " ".join(place.within(network, whole_direction=True)) in what

    yield OF_NETWORKS
    yield everywhere()
    yield placed(network, here)
    yield placed(network, lambda place: not here(place))


JudgedNetwork = tuple[NetworkCase, NetworkTrajectory, Verdict]


def _explained(
    mistake: NetworkMistake, seen: Sequence[JudgedNetwork], precision: Precision | None
) -> Explanation | None:
    """Judge everything under a mistake; None as soon as one thing refutes it."""
    steps = before = 0
    conclusive = False
    for case, shown, verdict in seen:
        judged = mistake.judge(case, shown, precision)
        if judged is None:  # the mistake changes nothing here, so it explains nothing that is broken
            if verdict.different:
                return None
            continue
        if judged.different:
            return None
        # What is computed in 16 bits is known by its digits, where its bound is too wide to say anything.
        told = judged.equivalent or (mistake.precision is not None and judged.inconclusive)
        # Zeros come of too much to put them down to one thing.
        conclusive |= verdict.different and told and any(np.any(got) for _, got in arrays(shown) if got.dtype != object)
        steps += verdict.steps
        before += verdict.steps - verdict.broken
    return Explanation((mistake,), steps, steps, before) if conclusive else None


def _ordered(found: Sequence[Explanation], seen: Sequence[JudgedNetwork]) -> list[Explanation]:
    """Put those last that come to the same numbers as one before in all that was seen."""
    met: set[bytes] = set()
    first: list[Explanation] = []
    again: list[Explanation] = []
    for e in found:
        (mistake,) = e.mistakes
        assert isinstance(mistake, NetworkMistake)
        numbers = b"".join(a.tobytes() for case, _, _ in seen for _, a in arrays(mistake.run(case, np.float64)))
        if mistake.precision is not None:
            numbers = b""  # those of a coarse arithmetic are numbers of a finer one too
        (again if numbers in met else first).append(e)
        met.add(numbers)
    return [*first, *again]


def _telling_networks(
    run: Callable[[NetworkCase], Any], like: NetworkCase, precision: Precision | None
) -> Iterator[JudgedNetwork]:
    """Run the implementation on other numbers in the same network, as far as it takes them."""
    for number in range(2):
        case = telling_network_case(like, number)
        try:
            shown = NetworkTrajectory.of(run(case))
        except Exception:
            continue  # it does not take such a case: the mistakes stay as they are
        verdict = judge(case, shown, precision)
        if verdict.place is not None or not verdict.different:
            yield case, shown, verdict


def telling_network_case(like: NetworkCase, number: int) -> NetworkCase:
    """Make up numbers for a network: all of them different, some steps masked, some samples and steps."""
    rng = np.random.default_rng(20 + number)
    network = like.network
    if network.embedded:  # or the row after a word's is the row before it
        network = network.replace(vocabulary=max(network.vocabulary, 4))
    N, T = network.N or 3, network.T or 4 + number
    weights = tuple(0.8 * rng.standard_normal(shape) for shape in network.weight_shapes.values())
    calls = []
    for call in like.calls:
        off = rng.random((N, T)) < 0.25
        x: Any
        if network.embedded:
            x = np.where(off, 0, rng.integers(0, network.vocabulary, (N, T)))
        else:
            x = 1.3 * rng.standard_normal((N, T, network.D))
            if network.source == "masking":
                # What is masked is told from what looks like it: one feature of the value, and all of them 0.
                x[~off & (rng.random((N, T)) < 0.4), :1] = network.mask_value
                x[~off & (rng.random((N, T)) < 0.2)] = 0.0
                x[off] = network.mask_value
        states = tuple(rng.standard_normal(shape) for shape in like.state_shapes(N))
        calls.append(Call(x, None if call.mask is None else ~off, states, call.reset))
    return NetworkCase(network, weights, tuple(calls))


# ---------------------------------------------------------------------------------------------------- description


def describe(
    case: Case, trajectory: Trajectory, precision: Precision | None = None, verdict: Verdict | None = None
) -> str:
    """Say in a few words what the first broken step looks like; empty if there is nothing peculiar about it.

    Parameters
    ----------
    case, trajectory, precision
        As for :func:`~.oracle.judge`.
    verdict : Verdict, optional
        The verdict, if it is known.
    """
    verdict = judge(case, trajectory, precision) if verdict is None else verdict
    place = verdict.place
    if place is None or verdict.step_broken is None:
        return verdict.problem or ""
    return "; ".join(_Picture(case, trajectory, verdict).features())


class _Picture:
    """The broken numbers beside what they should be."""

    def __init__(self, case: Case, trajectory: Trajectory, verdict: Verdict) -> None:
        assert verdict.place is not None
        assert verdict.step_broken is not None
        self.case, self.place, self.broken = case, verdict.place, verdict.step_broken
        shown = trajectory.checked(case.N, case.T, case.M, case.K)
        self.of_states = self.place.what == "state"
        self.states = shown.states
        numbers = shown.states if self.of_states and shown.states is not None else shown.outputs
        self.got = numbers if numbers.ndim == 3 else numbers[:, None]
        self.offset = 0 if numbers.ndim == 3 else case.T - 1

    @cached_property
    def expected(self) -> Any:
        """What the broken step should show, given the step before."""
        case, p = self.case, self.place
        if not self.of_states and self.states is not None:
            h = self.states[:, p.t]
            with np.errstate(all="ignore"):
                return case.spec.head_activation(case.spec.cell.readout(h, case.spec.activation) @ case.Wo + case.bo)
        if self.of_states and p.t > 0:
            one = case.replace(x=case.x[:, p.t : p.t + 1], h0=np.nan_to_num(self.got[:, p.t - 1]), mask=None)
            return reference(one).states[:, 0]
        whole = reference(case.prefix(p.t + 1))
        return (whole.states if self.of_states else whole.outputs)[:, -1]

    def features(self) -> list[str]:
        """What is peculiar about the broken step."""
        p, broken = self.place, self.broken
        got, expected = self.got[p.n, p.t - self.offset], self.expected[p.n]
        features = []
        if np.isnan(got).any():
            rest = self.got[p.n, p.t - self.offset :]
            features.append("it is NaN" + (" from here on" if len(rest) > 1 and np.isnan(rest).any(-1).all() else ""))
        elif np.isinf(got).any():
            features.append("it is infinite")
        else:
            error = got - expected
            with np.errstate(all="ignore"):
                factor = got / expected
            close = 1e-4
            name = "bh" if self.of_states else "bo"
            bias = getattr(self.case, name).astype(float)
            if not got.any():
                features.append("it is all zeros")
            elif self.of_states and (np.abs(got) == 1).all():
                features.append("it is saturated: every unit is +1 or -1")
            elif bias.any() and np.allclose(error, bias, rtol=close, atol=close * np.abs(bias).max()):
                features.append(f"it is off by the bias `{name}`")
            elif bias.any() and np.allclose(error, -bias, rtol=close, atol=close * np.abs(bias).max()):
                features.append(f"it is off by minus the bias `{name}`")
            elif len(error) > 1 and np.ptp(error) < close * np.abs(error).max():
                features.append(f"every unit is off by {error.mean():+.6g}")
            elif len(error) > 1 and np.isfinite(factor).all() and np.ptp(factor) < close * np.abs(factor).max():
                features.append(f"every unit is too large by a factor of {factor.mean():.6g}")
            units = np.flatnonzero(np.abs(error) > 10 * p.bound)
            if 0 < len(units) < len(got):
                features.append(f"only unit{'s' if len(units) > 1 else ''} {_listed(units)} of {len(got)}")
        if not broken[0].any() and self.case.N > 1:
            features.append("only samples after the first are wrong: is a state left over from the sample before?")
        if self.of_states and self.case.T > 1 and broken[:, 0].any() and not broken[:, 1:].any():
            features.append(
                "every later step follows rightly from the one before: does it start from a state other than zero?"
            )
        return features


def _listed(numbers: Any) -> str:
    words = [str(int(n)) for n in numbers[:6]]
    return ", ".join(words) + (", ..." if len(numbers) > 6 else "")


def _of_network(case: NetworkCase, shown: NetworkTrajectory, verdict: Verdict) -> str:
    """Say in a few words what the first broken numbers of a network look like."""
    place = verdict.place
    if place is None:
        return verdict.problem or ""
    whole = reference(case)
    true = {name: a for name, a in arrays(whole) if a.dtype != object}
    for name, a in arrays(shown):
        got = np.asarray(a)
        if name not in true or got.dtype == object or got.shape != true[name].shape:
            continue
        got, expected = got.astype(np.float64), true[name].astype(np.float64)
        with np.errstate(all="ignore"):
            close = 1e-5 * max(1e-30, float(np.abs(np.nan_to_num(expected)).max(initial=0.0)))
            wrong = ~(np.abs(got - expected) <= close)
            wrong &= ~((got == expected) | (np.isnan(got) & np.isnan(expected)))
        if wrong.any():
            return "; ".join(_features(name.partition(": ")[2], got, expected, wrong, close))
    return ""


def _features(name: str, got: Any, expected: Any, wrong: Any, close: float) -> Iterator[str]:
    """What is peculiar about numbers, beside those that should be there."""

    def same(a: Any) -> bool:
        return a.shape == expected.shape and bool((np.abs(a - expected) <= close).all())

    if np.isnan(got[wrong]).all():
        yield f"the wrong numbers of {name} are NaN"
    elif np.isinf(got[wrong]).all():
        yield f"the wrong numbers of {name} are infinite"
    elif not got.any():
        yield f"{name} is all zeros"
    elif got.ndim == 3 and got.shape[1] > 1 and same(got[:, ::-1]):
        yield f"{name} has the right numbers, with its steps in reverse order"
    elif got.shape[-1] > 1 and same(got[..., ::-1]):
        yield f"{name} has the right numbers, with its units in reverse order"
    elif len(got) > 1 and same(got[::-1]):
        yield f"{name} has the right numbers, with its samples in reverse order"
    elif not got[wrong].any():
        yield f"the wrong numbers of {name} are zeros"
    units = np.flatnonzero(wrong.any(tuple(range(wrong.ndim - 1))))
    if len(units) < wrong.shape[-1]:
        yield f"only unit{'s' if len(units) > 1 else ''} {_listed(units)} of {wrong.shape[-1]}"
    if wrong.ndim == 3 and (steps := np.flatnonzero(wrong.any((0, 2)))).size < wrong.shape[1]:
        yield f"only step{'s' if len(steps) > 1 else ''} {_listed(steps)} of {wrong.shape[1]}"
    if len(wrong) > 1 and not wrong[0].any():
        yield "only samples after the first are wrong: is a state left over from the sample before?"
