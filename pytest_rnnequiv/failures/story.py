"""What is wrong with an implementation, told once: all failures that have one reason are one story.

Each failure gives an :class:`Account` of itself, of plain data: it travels between the processes of pytest-xdist.
Whoever has all of them makes :func:`stories`, and a story has a sentence, and lines for a terminal.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..implementations.answering import HANGS
from ..model.case import Case
from ..model.spec import Spec
from ..wording import cleaned, plural
from .assertion import EquivalenceError, indented

__all__ = [
    "MOST_LINES",
    "RIGHT_AS",
    "UNEXPLAINED",
    "Account",
    "Story",
    "Told",
    "account",
    "not_asked",
    "reason",
    "size",
]
__all__ += ["stories", "summed_up"]

#: The reasons that are no mistake of the catalogue, and no sentence of the port's.
UNEXPLAINED, UNSTEADY, LAW = "unexplained", "unsteady", "law"

#: What begins the sentence about a port that is right as another cell than it was asked for.
RIGHT_AS = "right as"

#: Lines of a story, at most, with a heading 40; a script that does not fit is left to its file.
MOST_LINES = 38

#: Rows that a story has in its own words, or for all its failures together.
_SUMMED_UP = ("diagnosis", "usual cause", "or", "asked again", "problem", "broken", "room needed", "law")


@dataclass(frozen=True)
class Account:
    """What one failure says of itself.

    Attributes
    ----------
    keys : list of str
        What it may be, likeliest first: names of mistakes, or one key of another kind. Failures that share one have
        one reason.
    says : list of str
        For each key a sentence that follows the name of the implementation.
    causes : list of str
        For each key how people come to do it; may be empty.
    about : str
        The cell or the activation that it is about; empty for the plainest.
    called : str
        What its case is a case of.
    size : list of int
        The numbers of its case, and how many of them are not zero.
    rows : list of (str, str)
        What is told of the case, each line with its label.
    script : list of str
        Numbers and calls that show it; empty where there are too many numbers to read.
    within, steps, before : int
        How many steps are within their bound under the likeliest mistake, of how many, and how many without it.
    """

    keys: list[str]
    says: list[str]
    causes: list[str]
    about: str
    called: str
    size: list[int]
    rows: list[list[str]] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    within: int = 0
    steps: int = 0
    before: int = 0

    def plain(self) -> dict[str, Any]:
        """Return it as what any report format takes."""
        return asdict(self)


def account(failure: EquivalenceError) -> Account:
    """Return what a failure says of itself. Its diagnosis, which was put off, is made now."""
    keys, says, causes = reason(failure)
    found = [] if failure.again or failure.without_answer else failure.diagnosis.explanations
    best = found[0] if found else None
    rows = [*failure.rows(), ("the script", failure.note)]
    other = next((text for _, text in rows if text.startswith(RIGHT_AS)), "")
    if other and failure.without_answer:
        says = [f"{each}; it is {other.partition(';')[0]}" for each in says]
    return Account(
        keys,
        says,
        causes,
        about=_about(failure.case),
        called=failure.called,
        size=list(size(failure.case)),
        rows=[[label, text] for label, text in rows if label not in _SUMMED_UP and text],
        script=failure.short_script(),
        within=int(best.within) if best else 0,
        steps=int(best.steps) if best else 0,
        before=int(best.within_before) if best else 0,
    )


def not_asked(why: str) -> Account:
    """Return the account of a check that judged no case: its port hangs, and is not asked any more."""
    return Account([HANGS], [_no_answer(why)], [""], "", "", [_ENDLESS, _ENDLESS])


#: Any case that can be read is smaller than none.
_ENDLESS = 2**31 - 1


def size(case: Case) -> tuple[int, int]:
    """How much there is to read of a case: its numbers, and those of them that are not zero."""
    arrays = case.numbers().values()
    return sum(array.size for array in arrays), sum(int(np.count_nonzero(array)) for array in arrays)


def reason(failure: EquivalenceError) -> tuple[list[str], list[str], list[str]]:
    """Return the keys of what a failure may come from, for each a sentence, and for each its usual cause."""
    problem = failure.verdict.problem or ""
    if failure.again or _differs(problem):
        return [UNSTEADY], [f"does not give one answer to one case: {failure.again or problem}"], [""]
    if failure.without_answer:
        return [failure.verdict.reason or _key(problem)], [_no_answer(problem)], [""]
    diagnosis = failure.diagnosis
    if diagnosis.explanations:
        explained = diagnosis.explanations
        causes = ["; ".join(mistake.cause for mistake in each.mistakes) for each in explained]
        return [each.name for each in explained], [f"is the recurrence {each.says}" for each in explained], causes
    own = failure.contradiction if failure.known is None else None
    if own is not None:
        law, sentence, cause = own
        return [f"{LAW} {law}"], [sentence], [cause]
    about = _about(failure.case)
    of = f" with {about}" if about else ""
    seen = f": {diagnosis.facts[0]}" if diagnosis.facts else ""
    return (
        [f"{UNEXPLAINED} {about}".strip()],
        [f"is not the recurrence{of}, and no mistake of the catalogue explains it{seen}"],
        [""],
    )


def _no_answer(problem: str) -> str:
    return f"gives no answer that can be judged: {cleaned(problem, 300, lines=False)}"


def _differs(problem: str) -> bool:
    return problem.startswith("the same case, run again")


_NUMBERS = re.compile(r"[-+]?\d[\d.,e+-]*(?:[\s,]+[-+]?\d[\d.,e+-]*)*")


def _key(problem: str) -> str:
    """Return a sentence without its numbers: what stays the same when the case is another one."""
    return _NUMBERS.sub("#", problem)


#: What nobody need be told that a case is about.
_PLAINEST = Spec.simple(1, 1, 1)


def _about(case: Case) -> str:
    """Name the cell or the activation that a case of the notebook's model is about; empty for the plainest."""
    spec = case.spec
    if not spec.plain:
        return ""
    if spec.cell.name != _PLAINEST.cell.name:
        return str(spec.cell)
    return "" if spec.activation == _PLAINEST.activation else f"activation {spec.activation.name!r}"


class Told(NamedTuple):
    """A failure in its place."""

    check: str
    """The check that failed."""
    cases: int
    """How many cases of the check were different."""
    files: list[str]
    """The evidence that it left."""
    account: Account


class Story:
    """All failures of an implementation that have one reason.

    Attributes
    ----------
    who : str
        The implementation.
    told : list of Told
        The failures.
    keys : list of str
        What explains all of them, likeliest first.
    """

    def __init__(self, who: str, told: Iterable[Told]) -> None:
        self.who = who
        self.told = list(told)
        self.keys = [key for key in self._likeliest if all(key in each.account.keys for each in self.told)]

    @property
    def _likeliest(self) -> list[str]:
        # where few mistakes are left, more was seen
        return min((each.account.keys for each in self.told), key=len)

    def shares(self, other: Account) -> bool:
        """Whether another failure may have the same reason."""
        return bool({*self.keys} & {*other.keys})

    @property
    def unexplained(self) -> bool:
        """Whether no mistake explains it."""
        return self.keys[:1] == [] or self.keys[0].startswith(UNEXPLAINED)

    @property
    def smallest(self) -> Told:
        """The failure whose case is the smallest to read."""
        return min(self.told, key=lambda each: each.account.size)

    @property
    def checks(self) -> dict[str, int]:
        """How many cases were different, by check."""
        found: dict[str, int] = {}
        for each in self.told:
            found[each.check] = max(found.get(each.check, 0), each.cases)
        return found

    @property
    def says(self) -> str:
        """What is wrong, in a sentence that follows the name of the implementation."""
        first = self.told if self.keys == [UNSTEADY] else [self.smallest, *self.told]  # which check saw it says how
        account = next((each.account for each in first if {*self.keys[:1]} <= {*each.account.keys}), first[0].account)
        place = account.keys.index(self.keys[0]) if self.keys else 0
        return account.says[place]

    @property
    def sentence(self) -> str:
        """What is wrong, in a sentence."""
        return f"{self.who} is wrong: it {self.says}"

    @property
    def cause(self) -> str:
        """How people come to make this mistake; empty where nothing is known of it."""
        given = self.smallest.account
        return given.causes[given.keys.index(self.keys[0])] if self.keys and self.keys[0] in given.keys else ""

    @property
    def others(self) -> list[str]:
        """What else would explain it, in sentences."""
        given = self.smallest.account
        return [given.says[given.keys.index(key)] for key in self.keys[1:] if key in given.keys]

    @property
    def evidence(self) -> str:
        """Which checks fail for it, and in how many cases."""
        counted = self.checks
        fail = "fails" if len(counted) == 1 else "fail"
        cases = f", in {plural(sum(counted.values()), 'case')}" if any(counted.values()) else ""
        text = f"{plural(len(counted), 'check')} {fail} so{cases}: {_listed(counted)}"
        accounts = [one.account for one in self.told]
        if steps := sum(one.steps for one in accounts):
            within, before = (sum(getattr(one, name) for one in accounts) for name in ("within", "before"))
            text += (
                f". With the mistake made on purpose {within:,} of {steps:,} steps are within their bound, "
                f"without it {before:,}"
            )
        return text

    def lines(self, width: int = 80, what_next: str = "", number: str = "") -> list[str]:
        """Return the story for a terminal, of :data:`MOST_LINES` lines at most.

        Parameters
        ----------
        width : int
            Columns of the terminal.
        what_next : str
            How to run again what failed.
        number : str
            What stands before the first line, where there are several stories.
        """
        told = self.smallest
        sentence = f"{number}It {self.says}." if number else f"{self.sentence}."
        lines = textwrap.wrap(sentence, width, break_long_words=False, break_on_hyphens=False)
        lines.append("")
        rows = [("usual cause", self.cause), ("or", "; or it ".join(self.others[:3])), ("evidence", self.evidence)]
        if told.account.called:
            rows.append(("smallest", f"{told.account.called}, by the check {told.check}"))
        rows += [(label, text) for label, text in told.account.rows]
        script = next((file for file in told.files if file.endswith(".py")), "")
        case = next((file for file in told.files if file.endswith(".npz")), "")
        if script:
            rows.append(("to see it", f"python {script}"))
        if script and case:
            rows.append(("", "the .npz beside it is the case (pytest_rnnequiv.Case.load reads it)"))
        rows.append(("when mended", what_next))
        for label, text in rows:
            lines += _row(label, text, width)
        shown = ["", *indented(told.account.script)]
        if len(lines) > MOST_LINES:
            lines = [*lines[: MOST_LINES - 1], "  ... (-v shows all)"]
        # numbers that fill lines are no pleasure to read, and the file has them
        fits = len(lines) + len(shown) <= MOST_LINES and max(map(len, shown)) <= width
        return lines + shown if told.account.script and fits else lines


#: Checks that are listed by their names.
_NAMED = 7


def _listed(counted: dict[str, int]) -> str:
    """List checks with their cases; the laws, of which there are many, by their number."""
    laws = [check for check in counted if check.startswith("law_")]
    named = [check for check in counted if check not in laws or len(laws) == 1]
    words = [f"{check} ({counted[check]})" if counted[check] else check for check in named[:_NAMED]]
    if more := len(named) - _NAMED if len(named) > _NAMED else 0:
        words.append(f"{more} more")
    if len(laws) > 1:
        words.append(f"{len(laws)} laws")
    return ", ".join(words)


def _row(label: str, text: str, width: int) -> list[str]:
    """Write a line with its label, wrapped; paths stay whole, so that they can be copied."""
    if not text:
        return []
    room = max(width - 15, 40)
    if max(map(len, text.split())) > room:  # a path that needs the whole width
        return [f"  {label}", f"    {text}"]
    parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return [f"  {label if i == 0 else '':<13}{part}" for i, part in enumerate(parts)]


def stories(who: str, told: Iterable[Told]) -> list[Story]:
    """Gather the failures of an implementation by their reasons, that of most checks first."""
    found: list[Story] = []
    # those that fit little come first, and those that fit much join them
    for each in sorted(told, key=lambda each: len(each.account.keys)):
        known = next((story for story in found if story.shares(each.account)), None)
        if known is None:
            found.append(Story(who, [each]))
        else:
            found[found.index(known)] = Story(who, [*known.told, each])
    plainest = next((story for story in found if story.keys == [UNEXPLAINED]), None)
    if plainest is not None:  # then it is no matter of an activation
        # and what breaks a law has the same reason, of which nobody knows the name
        rest = [story for story in found if story.unexplained or story.keys[0].split()[0] == LAW]
        rest.remove(plainest)
        merged = Story(who, [*plainest.told, *(each for story in rest for each in story.told)])
        merged.keys = [UNEXPLAINED]
        found = [merged, *(story for story in found if story not in (*rest, plainest))]
    return sorted(found, key=lambda story: (-len(story.checks), story.unexplained))


def summed_up(who: str, found: Sequence[Story]) -> str:
    """Say in a sentence what is wrong with an implementation."""
    if len(found) == 1:
        (story,) = found
        return f"{story.sentence} ({plural(len(story.checks), 'failing check')})"
    ways = [f"({number}) it {story.says}" for number, story in enumerate(found[:_FEW], 1)]
    more = f"; and {len(found) - _FEW} more" if len(found) > _FEW else ""
    return f"{who} is wrong in {len(found)} ways: {'; '.join(ways)}{more}"


#: Ways that are told in one sentence.
_FEW = 4
