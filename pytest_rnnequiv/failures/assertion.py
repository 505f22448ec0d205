"""Assert equivalence, with a message that teaches.

The message is made only when somebody reads it: Hypothesis raises the error hundreds of times while it shrinks, and
shows it once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .. import tally
from ..arithmetic.precision import Precision
from ..judging.inspection import LAYER_BY_LAYER
from ..judging.observing import PREFIXES, Observation
from ..judging.oracle import judge
from ..judging.verdict import Verdict
from ..mistakes.diagnosis import Diagnosis, explain, probing
from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from .script import CALLS, READABLE, script, shows

__all__ = ["EquivalenceError", "assert_equivalent", "called", "indented"]


class EquivalenceError(AssertionError):
    """An implementation is not the recurrence.

    Attributes
    ----------
    case : Case
        What it was asked; the smallest that Hypothesis found, where Hypothesis looked.
    verdict : Verdict
    trajectory : Trajectory or None
        What it showed, if it showed anything.
    called_as : str
        How others can call it again: the name of a runtime of Keras, or ``module:attribute``; empty if not known.
    ask_again : callable or None
        Asks again what failed, and returns a sentence about it; empty where it fails each time. It is called once, when
        somebody reads the failure.
    seen : tuple of Observation
        What an implementation showed, where it is more than the trajectory.
    known : Diagnosis or None
        What explained an earlier failure of the run, and explains this one too; then no other is looked for.
    as_built : bool
        Whether the model that users build failed, and not the one that shows its states.
    beside : tuple of EquivalenceError
        Other ways in which the same check failed: one for each activation, or each cell.
    untold : bool
        Whether nobody is going to read it: it shows what is known to be wrong.
    """

    called_as: str = ""
    ask_again: Callable[[], str] | None = None
    seen: tuple[Observation, ...] = ()
    known: Diagnosis | None = None
    #: What it is not.
    what: str = "the recurrence on"
    as_built: bool = False
    beside: tuple[EquivalenceError, ...] = ()
    untold: bool = False

    def __init__(
        self,
        case: Case,
        verdict: Verdict,
        explained: Callable[[], Diagnosis] | None = None,
        *,
        trajectory: Trajectory | None = None,
        precision: Precision | None = None,
        name: str = "",
    ) -> None:
        super().__init__()
        self.case = case
        self.verdict = verdict
        self.trajectory = trajectory
        self.name = name
        self.precision = precision or case.spec.precision
        self._explained = explained
        self._diagnosis: Diagnosis | None = None
        self._text: str | None = None
        self._again: str | None = None

    @property
    def again(self) -> str:
        """What was found by asking again, where it does not fail each time: no mistake in the numbers explains that."""
        if self.known is not None:
            return ""
        if self._again is None:
            self._again = "" if self.ask_again is None else self.ask_again()
        return self._again

    @property
    def diagnosis(self) -> Diagnosis:
        """Which mistake explains it; looked for at the first reading."""
        if self.known is not None:
            return self.known
        if self._diagnosis is None:
            self._diagnosis = Diagnosis((), "") if self._explained is None else self._explained()
        return self._diagnosis

    @property
    def without_answer(self) -> bool:
        """Whether there is no answer that can be judged."""
        return self.verdict.place is None and self.verdict.way != tally.EVIDENCE

    def leave_unexplained(self) -> None:
        """Make no diagnosis and leave no evidence of an expected failure: that takes time, and nobody reads it."""
        self._explained = self._diagnosis = None
        self.untold = True

    @property
    def brief(self) -> str:
        """The failure in one line, for lists of failures."""
        return "; ".join(dict.fromkeys([self._brief(), *(each._brief() for each in self.beside)]))

    def _brief(self) -> str:
        if self.again:
            return self.again
        if self.without_answer:
            return self.verdict.problem or "not the recurrence"
        diagnosis = self.diagnosis
        if diagnosis.explanations:
            return diagnosis.explanations[0].says
        place = self.verdict.place
        first = f"first broken at {place}" if place is not None else self.verdict.problem or ""
        return next(iter(diagnosis.facts), diagnosis.picture) or first

    def __str__(self) -> str:
        if self._text is None:
            each = ("\n".join(failure._lines()) for failure in (self, *self.beside))
            self._text = "\n\nand in another way:\n\n".join(each)
        return self._text

    def _lines(self) -> list[str]:
        lines = [f"{self.name or 'the implementation'} is not {self.what} {self.called}", ""]
        lines += [f"  {label:<13}{text}" for label, text in self.rows()]
        return [*lines, "", *self._shown_alone()]

    def rows(self) -> list[tuple[str, str]]:
        """Return what is told of the failure, each line with its label."""
        case, v = self.case, self.verdict
        rows: list[tuple[str, str]] = []

        def row(label: str, text: str) -> None:
            rows.append((label, text))

        if self.again:
            row("asked again", self.again)
        if self.without_answer:
            row("problem", v.problem or "")
            for number, fact in enumerate(() if self.again else self.diagnosis.facts):
                row("" if number else "probed", fact)
        else:
            diagnosis = Diagnosis((), "") if self.again else self.diagnosis
            if self.again:
                pass  # a mistake that explains one answer of many would mislead
            elif diagnosis.explanations:
                row("diagnosis", str(diagnosis.explanations[0]))
                row("usual cause", diagnosis.cause)
                if diagnosis.others:
                    row("or", f"what was seen fits as well: {diagnosis.others}")
            else:
                row("diagnosis", "no mistake of the catalogue explains it")
            for number, fact in enumerate(diagnosis.facts):
                row("" if number else "probed", fact)
            p = v.place
            if p is None:
                row("by evidence", v.problem or "")
                return rows
            if v.way == PREFIXES:
                row("asked", "with an identity head (K = M, Wo = I, bo = 0), so that its outputs are its states")
            row("first broken", str(p) + (", in the order of processing" if _backwards(case, p.what) else ""))
            row("got", f"{p.got:.9g}")
            row("expected", f"{p.expected:.9g} +- {p.bound:.2g}")
            if p.error_over_bound != float("inf"):
                row("off by", f"{p.got - p.expected:+.3g}, {p.error_over_bound:.3g} times its bound")
            if not diagnosis.explanations and diagnosis.picture:
                row("it looks", diagnosis.picture)
            row("broken", f"{v.broken} of {v.steps} steps (judged {_by(v.way)}, in {self.precision.name})")
            if 1 < v.error_over_bound < 1000 and not diagnosis.explanations and not self.again:
                row("room needed", self._room())
        return rows

    def _shown_alone(self) -> list[str]:
        """Return the numbers and the calls by which others see the case."""
        case, runtime = self.case, self._keras
        large = sum(array.size for array in case.numbers().values()) > READABLE
        hint = ", where case.npz is the file that this failure leaves (or error.case.save)" if large else ""
        tools = "Keras and numpy" if runtime or not case.spec.plain else "numpy"
        source = script(case, "case.npz" if large else None, called_as=runtime, as_built=self.as_built)
        return [f"  to see it with {tools} alone{hint}:", "", *indented(source.splitlines())]

    @property
    def called(self) -> str:
        """What its case is a case of, and its size."""
        return called(self.case)

    @property
    def cases(self) -> tuple[Case, ...]:
        """What was asked, all of it."""
        return (self.case,)

    @property
    def contradiction(self) -> tuple[str, str, str] | None:
        """Which law it breaks, the sentence about that, and the usual cause; None where an oracle has judged."""
        return None

    @property
    def _keras(self) -> str:
        """The way to run Keras that failed; of a port the message shows the numbers, and the file the call."""
        return self.called_as if self.called_as in CALLS else ""

    def short_script(self) -> list[str]:
        """Return the lines of a script with the numbers alone; none where there are too many to read."""
        if sum(array.size for array in self.case.numbers().values()) > READABLE:
            return []
        return script(self.case, called_as=self._keras, as_built=self.as_built).splitlines()

    @property
    def note(self) -> str:
        """What somebody has to know who runs the script, if it does not show the failure by itself."""
        if self.again:
            return f"This script may print the expected numbers: {self.again}. The failure needs more than one call."
        if self.called_as in CALLS and not shows(self.case, self.trajectory, self.as_built):
            return (
                "This script prints numbers as expected: what failed is a single step, by less than rounding may have "
                "grown to where the script compares. Its case, judged by pytest-rnnequiv, shows it."
            )
        return ""

    def script(self, file: str | None = None) -> str:
        """Write the script that shows this failure, in the way in which it failed.

        Parameters
        ----------
        file : str, optional
            The ``.npz`` that the case was saved to.
        """
        return script(self.case, file, called_as=self.called_as, note=self.note, as_built=self.as_built)

    def _room(self) -> str:
        """Say how much more an implementation would have to declare."""
        p, times = self.precision, self.verdict.error_over_bound
        room = f"{times:.2g} times what {p.name} gives"
        if p.radius or p.activation_error:
            return f"{room}; if that is right, declare it"
        return (
            f"{room}, as of a unit round-off of {p.unit * times:.1e}; declare the precision that it computes in, "
            "if it is another"
        )

    def __reduce__(self) -> Any:
        # Reports travel between processes as text.
        return AssertionError, (str(self),)


def indented(lines: Iterable[str]) -> list[str]:
    """Indent a script below what is said of it."""
    return ["    " + line if line else "" for line in lines]


def _by(way: str) -> str:
    return way if way == LAYER_BY_LAYER else f"by {way}"


def called(case: Case) -> str:
    """What a case is a case of, and its size."""
    first = case.calls[0]
    calls = f", {len(case.calls)} calls" if len(case.calls) > 1 else ""
    return f"{case.spec}, N={first.N}, T={first.T}{calls}"


def _backwards(case: Case, what: str) -> bool:
    """Whether the steps of what broke are those of a layer that is read backwards."""
    kind = re.search(r"(?:layer(\d+)( backward)?: )?(?:state|output)$", what)
    if kind is None or (kind[1] is None and (what.endswith("output") or not case.spec.letters)):
        return False
    layer = case.spec.layers[int(kind[1] or 0)]
    return layer.return_sequences and layer.directions[kind[2] is not None].go_backwards


def assert_equivalent(
    case: Case | str | os.PathLike[str],
    actual: Any,
    precision: Precision | str | None = None,
    *,
    run: Callable[[Case], Any] | None = None,
) -> None:
    """Assert that what an implementation gave for a case is the recurrence, up to the rounding of single steps.

    Of two model files, assert that the second is the model of the first, on inputs of several sizes.

    Parameters
    ----------
    case : Case, or path of a model file
    actual : array or Trajectory, or path of a model file
        Outputs ``(N, K)`` of the last step, ``(N, T, K)`` of every step, or a Trajectory with states, which is judged
        step by step, or with the outputs of each layer, which are judged layer by layer. An ``.onnx`` file is run by
        ONNX Runtime where that is installed; other files are read, and what they say is computed by NumPy.
    precision : Precision or str, optional
        The arithmetic that the implementation declares; by default that of the case's dtype, and of a file that is
        run, what its runtime declares.
    run : callable, optional
        The implementation, case -> what it gives: a failure then tells what its answer depends on, and where it is
        right.

    Raises
    ------
    EquivalenceError
        An AssertionError which says where it first breaks, by how much, and which mistake explains it. A case in which
        right and wrong cannot be told apart does not raise: it is counted as inconclusive in pytest's summary.
    TypeError
        If the arguments are not a case and an answer.
    ImplementationError
        If a model file cannot be read.
    """
    __tracebackhide__ = True
    if isinstance(case, (str, os.PathLike)) and isinstance(actual, (str, os.PathLike)):
        _judge_files(os.fspath(case), os.fspath(actual), None if precision is None else Precision.of(precision))
        return
    if not isinstance(case, Case):
        hint = "; the case comes first" if isinstance(actual, Case) else ""
        raise TypeError(f"assert_equivalent(case, actual) needs a Case, not {type(case).__name__}{hint}")
    if callable(actual) and not hasattr(actual, "__array__"):
        raise TypeError(
            "assert_equivalent(case, actual) needs what the implementation gave for the case, not the implementation: "
            f"call it with {_handed_to_ports(case)}"
        )
    _judged(case, lambda: actual, None if precision is None else Precision.of(precision), run=run)


def _judge_files(expected: str, actual: str, own: Precision | None) -> None:
    """Judge the second of two files as the model of the first."""
    __tracebackhide__ = True
    from ..implementations.whole_file import read_either  # which loads all that can run a file
    from ..model.graph import Graph
    from .two_files import answers, assert_whole

    model = read_either(expected)
    if isinstance(model, Graph):
        assert_whole(model, expected, actual, own)
        return
    for case, ask, its_own, name in answers(model, expected, actual):
        _judged(case, ask, its_own if own is None else own, name)


def _judged(
    case: Case,
    ask: Callable[[], Any],
    p: Precision | None,
    name: str = "",
    run: Callable[[Case], Any] | None = None,
) -> None:
    """Judge an answer, count it, and raise where it is different."""
    __tracebackhide__ = True
    shown: Trajectory | None = None
    try:
        shown = Trajectory.of(ask(), case.spec.two_outputs)
        verdict = judge(case, shown, p)
    except BadAnswer as problem:
        verdict = Verdict.without_answer(str(problem))
    tally.current().record(verdict)
    if verdict.different:
        explained = _explaining(case, shown, p, run)
        raise EquivalenceError(case, verdict, explained, trajectory=shown, precision=p, name=name) from None


def _handed_to_ports(case: Case) -> str:
    by_letter = case.spec.letters and len(case.calls) == 1
    return "case.x, *case.weights" if by_letter else "case.calls and case.weights"


def _explaining(
    case: Case, shown: Trajectory | None, p: Precision | None, run: Callable[[Case], Any] | None
) -> Callable[[], Diagnosis]:
    """Put off the diagnosis of a failing case, beside those that the running test has shown before."""
    earlier = [] if shown is None else [(case, shown), *_remembered(case, shown)]
    seen = [Observation.of(*each) for each in earlier]

    def explained() -> Diagnosis:
        found = explain(seen, p) if seen else Diagnosis((), "")
        return found if run is None else replace(found, probed=probing(run, case, p))

    return explained


Seen = tuple[Case, Trajectory]

#: How many failing cases of a test are kept for the diagnosis.
FAILURES_KEPT = 6
_failing: list[Seen] = []
_test: str | None = None


def _remembered(case: Case, shown: Trajectory) -> list[Seen]:
    """Remember a failing case, and return those that the running test has shown before.

    By the time that Hypothesis is done, the failing case is so small that many mistakes fit it. The larger ones that it
    came from tell them apart.
    """
    global _test
    running = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" (")[0]
    if running != _test:
        _test = running
        _failing.clear()
    earlier = list(_failing)
    if running and len(_failing) < FAILURES_KEPT and _size(case) <= 1000:
        _failing.append((case, shown))
    return earlier


def _size(case: Case) -> int:
    """How many states a case has, which is what judging it costs."""
    steps = sum(call.N * call.T for call in case.calls)
    return steps * sum(M for each in case.spec.directions for M in each.cells)
