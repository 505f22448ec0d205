"""The checks of the laws that need no oracle, one for each of :data:`~..judging.relations.LAWS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import strategies as rnn
from .. import tally
from ..arithmetic.activations import ACTIVATIONS
from ..divergences.known import concerning
from ..failures.assertion import EquivalenceError
from ..failures.script import script
from ..implementations.port import Port
from ..judging.comparing import Numbers, Start, compare, numbers
from ..judging.laws import Facts, Law, Other, Relation
from ..judging.relations import LAWS
from ..judging.verdict import Verdict
from ..model.case import Case
from ..model.layers import Bidirectional, Dense, SimpleRNN
from ..model.spec import Spec
from ..model.trajectory import BadAnswer
from . import asking_again
from .asking import answer
from .budget import budget
from .drawing import SIZES, choose, draw_pack, known_of_plain, near, need, opening_shape, steer
from .failing import fail, no_answer, without_answer
from .heeding import heeding
from .registry import PROFILES, Data, Opening, check, running

__all__ = ["LawBroken", "examine", "hold"]


class LawBroken(EquivalenceError):
    """An implementation contradicts itself.

    Attributes
    ----------
    law : Law
    other : Other
        What was asked beside the case, and how the answers should be related.
    """

    def __init__(self, law: Law, case: Case, other: Other, verdict: Verdict, **more: Any) -> None:
        super().__init__(case, verdict, **more)
        self.law = law
        self.other = other

    def _brief(self) -> str:
        if self.again or (self.known is not None and self.known.explanations):
            return super()._brief()
        return f"{self._sentence()}: {self.law.cause}"

    @property
    def cases(self) -> tuple[Case, ...]:
        """What was asked: the case, and what was changed about it."""
        return self.case, self.other.case

    @property
    def contradiction(self) -> tuple[str, str, str]:
        """Which law it breaks, the sentence about that, and the usual cause."""
        return self.law.name, f"breaks a law of recurrences ({self.law.says}): {self._sentence()}", self.law.cause

    def _sentence(self) -> str:
        p = self.verdict.place
        assert p is not None
        if np.isnan(p.got) and np.isnan(p.expected):
            return f"{self.other.changed}, and {p} is NaN, before as after"
        return (
            f"{self.other.changed}, but {p} is no longer {p.expected:.9g} but {p.got:.9g}, "
            f"where rounding explains {p.bound:.2g}"
        )

    def _lines(self) -> list[str]:
        lines = [f"{self.name or 'the implementation'} breaks a law of recurrences", ""]
        lines += [f"  {label:<13}{text}" for label, text in self.rows()]
        # What shows the case alone comes first; what was changed about it follows.
        return [*lines, "", *self._shown_alone(), "", "  and what was changed:", "", *self._changes()]

    def rows(self) -> list[tuple[str, str]]:
        """Return what is told of the failure, each line with its label."""
        p = self.verdict.place
        assert p is not None
        rows = {
            "asked again": self.again,
            "law": self.law.says,
            "but": self._sentence(),
            "diagnosis": "" if self.known is None else str(self.known),
            "usual cause": (self.known.cause if self.known is not None else "") or self.law.cause,
            "first broken": str(p),
            "before": f"{p.expected:.9g}",
            "after": f"{p.got:.9g}",
        }
        if p.error_over_bound != float("inf"):
            rows["off by"] = f"{p.got - p.expected:+.3g}, {p.error_over_bound:.3g} times what rounding explains"
        else:
            rows["room"] = f"{p.bound:.2g}"
        return [(label, text) for label, text in rows.items() if text]

    def script(self, file: str | None = None) -> str:
        """Write the script of both runs, one after the other."""
        other = script(self.other.case, called_as=self.called_as)
        return f"{super().script(file)}\n\n# ---- the other run: {self.other.changed} ----\n\n{other}"

    def _changes(self) -> list[str]:
        before, other = self.case.numbers(), self.other.case
        changed = [f"    # {self.other.changed}"]
        if other.spec != self.case.spec:
            changed.append(f"    # {other.spec}")
        for name, array in other.numbers().items():
            if name not in before or not np.array_equal(before[name], array, equal_nan=array.dtype.kind == "f"):
                shown = array.tolist() if array.size <= 100 else f"... {array.shape}"
                changed.append(f"    {_letter(name, other)} = {shown}")
        return changed


def _letter(name: str, case: Case) -> str:
    """Name an array by its letter, where there is only one of it."""
    if not case.spec.letters or len(case.calls) > 1:
        return name
    return name.rpartition("/")[2].replace("state0", "h0")


def hold(law: Law, port: Port, data: Data) -> None:
    """See whether an implementation keeps a law, on one drawn case.

    Raises
    ------
    EquivalenceError
        If it does not, or gives no answer that can be judged.
    """
    __tracebackhide__ = True
    facts = _facts(port)
    why_not = law.why_not(facts)
    need(port, not why_not, why_not)
    specs = _specs(law, port, facts)
    need(port, law.plain or bool(specs), "takes none of the models that show it")
    of_these = bool(specs) and (not law.plain or choose(data, _SELDOM, "of one of these models"))
    case = _case_of(specs, law, port, data) if of_these else _plain_case(law, port, data)
    seed = choose(data, _SEEDS, "changes")
    spent = budget()
    key = (law.name.encode(), case.fingerprint(), bytes([seed]))
    if key in spent.failures:  # Hypothesis asks again; a hanging port would hang again
        fail(spent.failures[key])
    try:
        examine(law, port, case, seed)
    except EquivalenceError as failure:
        spent.failures[key] = failure
        asking_again.prepare_whole(failure, port, lambda: examine(law, port, case, seed))
        raise


def _facts(port: Port) -> Facts:
    identity_head = port.precision is None or port.precision.keeps_identity
    cell = port.supports.kinds[0] if port.fixed is None else port.fixed[0].directions[0].kinds[0]
    return Facts(port.supports, port.fixed is None, identity_head=identity_head, cell=cell)


#: Other models take long to build; where the notebook's shows a law too, its cases come first.
_SELDOM = (False, False, False, False, False, True)
_SEEDS = range(256)


def examine(law: Law, port: Port, case: Case, seed: int) -> Verdict | None:
    """See whether an implementation keeps a law on one case.

    Parameters
    ----------
    law : Law
    port : Port
    case : Case
    seed : int
        Chooses what is changed about the case.

    Returns
    -------
    Verdict or None
        Equivalent or inconclusive; None where this case cannot show the law.

    Raises
    ------
    EquivalenceError
        If the law is broken, or there is no answer that can be judged.
    """
    __tracebackhide__ = True
    facts, random = _facts(port), np.random.default_rng(seed)
    first = _asked(port, case)
    if case.spec.plain:  # the law may depend on what is seen
        facts = replace(facts, shows=_visible(first))
        why_not = law.why_not(facts)
        need(port, not why_not, why_not)
    found = law.relation(case, random, facts)
    if found is None:
        return None
    if found.base is not case:
        first = _asked(port, found.base)
    verdicts = []
    for other, verdict in _compared(port, found, first):
        verdicts.append(verdict)
        if verdict.different:
            tally.current().record(verdict)
            fail(LawBroken(law, found.base, other, verdict, precision=port.precision, name=port.name))
    if not verdicts:
        return None
    worst = max(verdicts, key=lambda verdict: (verdict.inconclusive, verdict.error_over_bound))
    tally.current().record(worst)
    return worst


def _compared(port: Port, found: Relation, first: Sequence[Numbers]) -> Iterator[tuple[Other, Verdict]]:
    """Ask for the others one after the other, and compare each."""
    precision = port.precision or found.base.spec.precision
    before: Sequence[Numbers] = ()
    for other in found.others:
        case, start = other.case, None
        if concerning(case, port.diverges_as):
            continue
        if other.continues:
            final = before[0]  # the states, or the outputs where these are the states
            state = final.got[:, -1]
            if not np.isfinite(state).all():
                continue
            case = case.replace(h0=state)
            start = final.bound.expected[:, -1], final.bound.radius[:, -1]
        before = _asked(port, case, other.like, start)
        with tally.spending("judge"):
            verdict = compare(other, first, before, precision)
        yield replace(other, case=case), verdict


def _asked(port: Port, case: Case, like: Case | None = None, start: Start | None = None) -> list[Numbers]:
    """Ask for a case, and sort what is shown."""
    __tracebackhide__ = True
    shown = answer(port, case)
    try:
        with tally.spending("judge"):
            return numbers(case, shown, port.precision, like=like, start=start)
    except BadAnswer as problem:
        verdict = without_answer(problem)
    return no_answer(port, case, verdict)


def _visible(shown: Sequence[Numbers]) -> str:
    """What an answer lets see."""
    if shown[0].what == "state":
        return "states"
    return "last output" if shown[0].first else "every output"


# ---- cases ----


def _plain_case(law: Law, port: Port, data: Data) -> Case:
    supports, fixed = port.supports, port.fixed is not None
    coarse = port.precision is not None and max(port.precision.unit, port.precision.operand) > _COARSE
    steps = (law.steps[0], min(law.steps[1], 3)) if coarse else law.steps
    wanted: dict[str, Any] = {"N": near(port, "N", *law.samples), "T": near(port, "T", *steps)}
    masks = supports.masks and not known_of_plain(port, supports.kinds[0], masked=True)
    extras = [each for each in law.extras if not each or (masks if each == "mask" else supports.initial_state)]
    need(port, bool(extras), "is known to be wrong about masks")
    extra = extras[0] if len(extras) == 1 else choose(data, extras, "beside inputs and weights")
    if not fixed:
        known = [name for name in supports.activations if name in ACTIVATIONS]
        names = [name for name in law.activations or ("tanh",) if name in known] or known
        if port.builds_models and running() != PROFILES["thorough"]:  # each is another model
            quick = running() == PROFILES["quick"]
            names = names[: 1 if quick else 3]
            sizes = SIZES[0] if quick else choose(data, SIZES, "sizes")
            wanted |= {letter: (size, size) for letter, size in zip("DMK", sizes, strict=True)}
        elif coarse:
            wanted |= {letter: near(port, letter, 1 + (letter in law.at_least_two), 4) for letter in "DMK"}
        elif not port.builds_models:
            wanted |= {letter: near(port, letter, 2, 33) for letter in law.at_least_two}
        wanted["activation"] = names[0] if len(names) == 1 else (names[0], *names)
    more = {"initial_state": extra == "h0", "masked": extra == "mask"}
    (case,) = draw_pack(port, data, most=1, small=True, **wanted, **more)
    # Where rounding grows from step to step, little can be said of two runs.
    if not fixed and choose(data, _MOSTLY, "contracting"):
        case = _contracting(case, 0.3 if coarse else 0.9)
    return case


#: Unit round-off from which on little can be said of more than a few numbers at once.
_COARSE = 2.0**-13
_MOSTLY = (True, True, True, True, True, False)


def _contracting(case: Case, norm: float) -> Case:
    """Divide ``Wh`` by the power of 2 that brings its norm under a limit."""
    size = float(np.linalg.norm(case.Wh.astype(np.float64), 2))
    return case if size <= norm else case.replace(Wh=case.Wh * 2.0 ** np.floor(np.log2(norm / size)))


#: Other models than the notebook's, for implementations that take long to build one; the simplest first.
_KEPT = (
    Spec(3, SimpleRNN(4, return_sequences=True), Dense(2)),
    Spec(3, SimpleRNN(4), Dense(2)),
    Spec(3, SimpleRNN(4, return_sequences=True, stateful=True), Dense(2), N=2),
    Spec(3, SimpleRNN(4, stateful=True), Dense(2), N=2),
    Spec(3, Bidirectional(SimpleRNN(2, return_sequences=True)), Dense(3), source="mask"),
    Spec(2, (SimpleRNN(3, return_sequences=True), SimpleRNN(4, return_sequences=True)), Dense(3)),
    Spec(2, (SimpleRNN(3, return_sequences=True, stateful=True), SimpleRNN(4, stateful=True)), Dense(3), N=3),
)


#: Options of these models that a law may need, and those that only a law which needs them is asked with.
_TELLING, _APART = frozenset({"stateful", "mask", "return_sequences"}), frozenset({"stateful", "mask"})


def _specs(law: Law, port: Port, facts: Facts) -> list[Spec]:
    """Choose the models that can show a law on a port: fewer in a quick run, since each takes long to build."""
    if not law.heeded(facts) or port.fixed is not None:
        return []
    wanted = {*(law.options or ())}
    specs = [
        spec
        for spec in _KEPT
        if wanted & _TELLING <= spec.options and spec.options & _APART <= wanted and not (spec.plain and law.plain)
        if not concerning(spec, port.diverges_as)
        if _takes(port, _generic(spec, near(port, "N", *law.samples)[0], near(port, "T", *law.steps)[0]))
    ]
    if not port.builds_models or running() == PROFILES["thorough"]:
        return specs
    if law.plain:  # plain cases show it faster
        return []
    return specs[: 1 if running() == PROFILES["quick"] else 2]


def _takes(port: Port, case: Case) -> bool:
    return port.supports.accepts(heeding(case, port.supports))


def _generic(spec: Spec, N: int, T: int, seed: int = 0) -> Case:
    return rnn.generic_case(spec, spec.N or N, T, seed=seed)


def _case_of(specs: list[Spec], law: Law, port: Port, data: Data) -> Case:
    """Draw a case of one of some models."""
    spec = choose(data, specs, "spec")
    # an unrolled model is made for one T
    steps = (4, 4) if "unroll" in (law.options or ()) else law.steps
    ranges = {"N": near(port, "N", *law.samples), "T": near(port, "T", *steps)}
    if isinstance(data, Opening):
        shape = opening_shape(data, **ranges)
        case = _generic(spec, shape.N, shape.T, seed=1 + data.number)
    else:
        N = spec.N or choose(data, range(ranges["N"][0], ranges["N"][1] + 1), "N")
        T = choose(data, range(ranges["T"][0], ranges["T"][1] + 1), "T")
        with tally.spending("draw"):
            case = data.draw(rnn.cases(spec=spec, N=N, T=T, calls=1), label="case")
    steer(port, data, [case])
    return heeding(case, port.supports)


# ---- the checks ----


def _check_of(law: Law) -> Callable[[Port, Data], None]:
    def test(port: Port, data: Data) -> None:
        __tracebackhide__ = True
        hold(law, port, data)

    test.__name__ = test.__qualname__ = f"test_law_{law.name}"
    test.__doc__ = law.says
    return test


for _each in LAWS.values():
    check(examples=40, share=0.15, models="notebook's")(_check_of(_each))
