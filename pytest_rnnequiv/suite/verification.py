"""Judge an implementation on drawn cases, count the verdicts, and fail with what explains a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from .. import tally
from ..failures.assertion import EquivalenceError
from ..failures.story import size
from ..implementations.errors import Declined
from ..implementations.port import Port
from ..implementations.runner import PortFailure
from ..judging.observing import PREFIXES, Observation, judge_observations, would_help
from ..judging.verdict import Verdict
from ..mistakes.describing import describe
from ..mistakes.diagnosis import Diagnosis, explain
from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from . import asking_again, balance, features, sight, told_before
from .asking import as_many_as_fit, ask, ask_together, asked_once, heard, pace, patience, worth_shrinking
from .budget import Budget, budget
from .failing import fail, without_answer
from .probing import probed

__all__ = ["each_in_turn", "expect", "introduce", "verify"]

#: Weights up to which it takes seconds, and not minutes, to try every mistake on a case that was not shrunk.
PUZZLING = 500

#: Failing observations of a kind that a check keeps for the diagnosis, and how many numbers they may have.
FAILURES_KEPT, SIZE_KEPT = 4, 1500


def introduce(port: Port) -> None:
    """Put the implementation's name and versions into the tally of the check."""
    now = tally.current()
    now.implementation = port.name
    now.versions.update(port.versions())
    if port.whole:
        return
    features.open_matrix(port.supports)
    now.notes += (remark for remark in port.remarks() if remark not in now.notes)
    left_out = port.supports.left_out()
    note = f"{port.name} was asked for {left_out}: that is what it supports"
    if left_out and note not in now.notes:
        now.notes.append(note)


def verify(port: Port, cases: Sequence[Case]) -> None:
    """Judge an implementation on cases of one spec and shape.

    Raises
    ------
    EquivalenceError
        On the first case on which it is different, or gives no answer that can be judged.
    """
    __tracebackhide__ = True
    introduce(port)
    spent = budget()
    key = tuple(case.fingerprint() for case in cases)
    if key in spent.failures:  # Hypothesis asks again; a hanging port would hang again
        fail(spent.failures[key])
    cases = as_many_as_fit(port, cases)
    never_asked = not port.calls
    answers = ask_together(port, cases)
    judged = _judged(port, cases, answers, at_once=spent.failed_at is None and not spent.content)
    for number, (case, (observation, verdict)) in enumerate(zip(cases, judged, strict=True)):
        if isinstance(verdict, Declined):
            tally.current().decline(verdict.reason)
            continue
        if observation is not None:
            verdict = sight.decided(port, observation, verdict)
        counted = tally.current()
        counted.record(verdict)
        counted.meet(**_sizes(case))
        features.count(case, verdict)
        if observation is not None and verdict.inconclusive:
            balance.left_open(port, verdict, _note_what_would_help(observation, port))
        elif observation is not None and verdict.equivalent:
            sight.look(port, observation, spent)
        if verdict.different:
            failure = _failure(port, observation, case, verdict, spent)
            at_first = never_asked and not number and observation is not None and _wrong_by_itself(port, observation)
            in_batch = answers[number] is not None
            if verdict.way != tally.EVIDENCE:  # a case by itself says nothing there
                asking_again.prepare(failure, port, cases, number, in_batch=in_batch, at_first=at_first)
            spent.failures[key] = failure
            fail(failure)
        asking_again.remember(port, case, right=verdict.equivalent)


def _wrong_by_itself(port: Port, seen: Observation) -> bool:
    """Whether the first of several runs is wrong, whatever the others show."""
    case, shown = seen.runs[0]
    return case is seen.case and Observation.of(case, shown).judge(port.precision).different


def _note_what_would_help(seen: Observation, port: Port) -> list[str]:
    """Count for a case without an answer what would have given it one, if that were shown, and return that."""
    would, helps = tally.current().would, would_help(seen, port.precision)
    for what in helps:
        would[what] = would.get(what, 0) + 1
    return helps


def _sizes(case: Case) -> dict[str, int]:
    """Return the sizes of a case by their letters; units and outputs of the notebook's model only."""
    call, spec = case.calls[0], case.spec
    return {"N": call.N, "T": call.T, "D": spec.D} | ({"M": case.M, "K": case.K} if spec.plain else {})


def _judged(
    port: Port, cases: Sequence[Case], answers: Sequence[Any], *, at_once: bool
) -> Iterator[tuple[Observation | None, Verdict | Declined]]:
    """Look at a port on each case, and judge what is seen; or give how it declines.

    What is judged `at_once` is looked at before anything is judged. That is for a port which has been right up to now:
    one that is wrong is not to be asked about the cases behind the first failure.
    """
    each = _looked_at(port, cases, answers)
    for seen in [[*each]] if at_once else ([one] for one in each):
        with tally.spending("judge"):
            verdicts = iter(judge_observations([one for one in seen if isinstance(one, Observation)], port.precision))
        for one in seen:
            yield _settled(port, one, next(verdicts)) if isinstance(one, Observation) else (None, one)


def _settled(port: Port, seen: Observation, verdict: Verdict) -> tuple[Observation | None, Verdict]:
    """Have the states shown again, where the outputs do not follow from them: they may have been rounded otherwise."""
    if not seen.leaves_head_open(verdict):
        return seen, verdict
    try:
        with patience(port):
            settled = port.settle(seen)
    except (PortFailure, BadAnswer) as problem:
        return None, without_answer(problem)
    return (seen, verdict) if settled is seen else (settled, settled.judge(port.precision))


def _looked_at(port: Port, cases: Sequence[Case], answers: Sequence[Any]) -> Iterator[Observation | Verdict | Declined]:
    """Yield what is seen of a port on each case, or how it declines; no answer is the last, and a verdict."""
    for case, first in zip(cases, answers, strict=True):
        try:
            yield _observe(port, case, first)
        except Declined as declined:
            yield declined
        except (PortFailure, BadAnswer) as problem:
            yield without_answer(problem)
            return


def _observe(port: Port, case: Case, first: Any) -> Observation:
    """Look at a port in the strongest way that there is time for."""
    first = ask(port, case) if first is None else first
    runs = max(len(case.spec.layers), *(call.T for call in case.calls))
    if runs * pace(port) > budget().seconds:  # no time for a run on every prefix
        return Observation.of(case, first)
    with patience(port), tally.spending("judge"):  # what it shows decides what is asked next
        return port.observe(case, first, settled=False)


def _failure(
    port: Port, observation: Observation | None, case: Case, verdict: Verdict, spent: Budget
) -> EquivalenceError:
    if observation is not None and verdict.way == tally.EVIDENCE:
        return balance.failure(port, observation, verdict)
    if observation is None or verdict.place is None:
        asked = case if observation is None else observation.case
        told_of = Diagnosis((), verdict.problem or "", probed=lambda: probed(port, asked))
        return EquivalenceError(asked, verdict, lambda: told_of, precision=port.precision, name=port.name)
    # What is smaller says less: the first failures, which look for trouble, tell mistakes apart.
    # One mistake explains what is of one kind; the activations of a port may be wrong in a way of their own each.
    seen = [observation, *(each for each in spent.seen if told_before.about(each.case) == told_before.about(case))]
    if spent.keeping and len(seen) <= FAILURES_KEPT and size(case)[0] <= SIZE_KEPT:
        spent.seen.append(observation)
    if not worth_shrinking(port) and asked_once(port):  # a first call may be slow
        with suppress(PortFailure, BadAnswer, Declined):
            ask(port, case, anew=True)
    slow, kept = not worth_shrinking(port), balance.kept_of(port)
    shown = observation
    told = verdict

    def explained() -> Diagnosis:
        with tally.spending("report"):
            return explanation()

    def explanation() -> Diagnosis:
        found = balance.or_near(named(), port.precision, kept, seen)
        return replace(found, probed=lambda: probed(port, case))

    def named() -> Diagnosis:
        if slow and case.spec.param_count > PUZZLING:
            return Diagnosis((), describe(case, observation.trajectory, port.precision, told))
        if slow:  # what it has been asked already
            return explain([*seen, *_heard(port)], port.precision)
        return explain(seen, port.precision, run=port.run_supported, asking=port.asking)

    if observation.way == PREFIXES and case.spec.plain and verdict.place.what == "state":
        # The run in which the port itself gave the broken numbers, as its outputs.
        steps = verdict.place.t + 1
        states = np.asarray(observation.trajectory.states)[:, :steps]
        shown = Observation.of(case.with_identity_head().prefix(steps), Trajectory(states))
        verdict = replace(shown.judge(port.precision), way=PREFIXES)
    failure = EquivalenceError(
        shown.case,
        verdict,
        explained,
        trajectory=shown.trajectory,
        precision=port.precision,
        name=port.name,
    )
    failure.seen = (observation,)
    return failure


def _heard(port: Port) -> list[Observation]:
    """Return small cases that were asked of a port, with its answers."""
    return [Observation.of(case, answer) for case, answer in heard(port) if case.spec.param_count <= PUZZLING]


def each_in_turn(turns: Iterable[Callable[[], None]], *, all_of_them: bool) -> None:
    """Take turns, such as one for each activation; with `all_of_them` the later ones too where an earlier one fails.

    Raises
    ------
    EquivalenceError
        The first failure. The others are kept in the budget, one of each kind.
    """
    __tracebackhide__ = True
    first: EquivalenceError | None = None
    for turn in turns:
        try:
            turn()
        except EquivalenceError as failure:
            if not all_of_them:
                raise
            first = first or failure
            budget().of_each_kind.setdefault(told_before.about(failure.case), failure)
    if first is not None:
        fail(first)


def expect(condition: bool, port: Port, case: Case, sentence: str) -> None:
    """Count something that needs no bound, and fail with a sentence where it does not hold.

    Raises
    ------
    EquivalenceError
    """
    __tracebackhide__ = True
    introduce(port)
    tally.current().count(condition)
    if not condition:
        verdict = Verdict.without_answer(sentence)
        failure = EquivalenceError(case, verdict, precision=port.precision, name=port.name)
        asking_again.prepare(failure, port, [case], 0)
        fail(failure)
