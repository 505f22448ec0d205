"""The table of known divergences: what an entry says, and which of them a spec or a case would meet.

A divergence says which specs it concerns, in which versions of a library and on which runtimes, what happens in one
sentence, what to do instead, and where it was reported. The suite steers around divergences everywhere
(``concerning``), and has one item for each, which shows it by its smallest case: a strict expected failure, so that a
repair is noticed. What no case can show (a seed that is lost, a reset that raises) has a demonstration instead, and
concerns no spec, or only what is counted of it. Some have both, since layers called one after the other do not show
what a model does. What ends the process of a runtime has neither.

:mod:`.known` fills the table, a module for each library.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

import numpy as np

from ..distributions import version_of
from ..judging.oracle import judge
from ..model.call import Call
from ..model.case import Case
from ..model.spec import Spec

__all__ = [
    "DIVERGENCES",
    "INHERITED",
    "KERAS",
    "ON_CARD",
    "Divergence",
    "adding",
    "as_list",
    "concerning",
    "counting",
    "demonstrated",
    "divergence",
    "expect",
    "has_nan",
    "installed",
    "leaving_nothing",
    "of_library",
    "ordered",
]

#: The runtimes of Keras that run by default.
KERAS = ("keras-graph", "keras-call", "keras-predict")

#: Runtimes that run the model of another, whose divergences they share.
INHERITED = {
    "litert": "keras-graph",
    "keras-xla": "keras-graph",
    "keras-export": "keras-graph",
    **dict.fromkeys(("keras-implementation-1", "keras-reloaded", "keras-h5"), "keras-call"),
    **dict.fromkeys(("keras-jax", "keras-torch", "keras-numpy"), "keras-call"),
}

#: What is put behind the name of a runtime where it computes on an NVIDIA card.
ON_CARD = "/cuda"


@dataclass(frozen=True, eq=False)
class Divergence:
    """Something that a library does otherwise than it says.

    Parameters
    ----------
    name : str
        Short, without spaces.
    says : str
        What happens, in one sentence for users of the library.
    instead : str
        What to do about it.
    concerns : callable
        Spec -> bool: whether it happens there, whatever the numbers.
    in_case : callable, optional
        Case -> bool: whether it happens there, where the spec alone does not say.
    smallest : callable, optional
        The smallest case that shows it.
    demonstration : callable, optional
        What shows it by a few lines of code, where the layers of a case do not: it is given the library's module, and
        raises an AssertionError that says what was expected and what came. It leaves nothing changed behind.
    silent : bool
        Wrong values without a word; otherwise an exception.
    since : str
        The first version in which it was seen, of those that were tried.
    until : str, optional
        The first version that is right again, of those that were tried.
    runtimes : tuple of str
        The names of the runtimes that have it.
    library : str
        The name under which the library is imported whose versions are meant.
    on_card : bool
        Whether it is there on an NVIDIA card only.
    report : str, optional
        Where it was reported upstream.
    """

    name: str
    says: str
    instead: str
    concerns: Callable[[Spec], bool]
    in_case: Callable[[Case], bool] | None = None
    smallest: Callable[[], Case] | None = None
    demonstration: Callable[[Any], None] | None = None
    silent: bool = True
    since: str = "3.1.1"
    until: str | None = None
    runtimes: tuple[str, ...] = KERAS
    report: str | None = None
    library: str = "keras"
    on_card: bool = False

    @property
    def shown(self) -> bool:
        """Whether there is something that shows it; what ends the process of a runtime is told, and kept nowhere."""
        return self.smallest is not None or self.demonstration is not None

    def exists(self, runtime: str, version: str) -> bool:
        """Whether a runtime has it, with that version of the library; its name says whether it is on a card."""
        name = runtime.removesuffix(ON_CARD)
        here = name in self.runtimes or INHERITED.get(name) in self.runtimes
        here = here and (name != runtime or not self.on_card)
        return here and ordered(self.since) <= ordered(version) < ordered(self.until or "9999")

    def hidden(self, runtime: str, version: str) -> bool:
        """Whether its case tells nothing about it there, since only other divergences meet that case."""
        case = None if self.smallest is None else self.smallest()
        return case is not None and not self.exists(runtime, version) and bool(concerning(case, runtime, version))

    def meets(self, what: Spec | Case) -> bool:
        """Whether it happens in models of a spec, whatever the numbers, or in a case."""
        if isinstance(what, Spec):
            return self.concerns(what)
        return self.concerns(what.spec) or (self.in_case is not None and self.in_case(what))

    @property
    def activations(self) -> tuple[str, ...]:
        """The names of the activations in its case, which not every version has."""
        return () if self.smallest is None else tuple(each.activation.name for each in self.smallest().spec.directions)

    def outcome(self, keras: Any, run: Callable[[Case], Any]) -> str:
        """Try it, whatever the version.

        Parameters
        ----------
        keras : module
        run : callable
            Runs a case on that Keras, by one of its runtimes.

        Returns
        -------
        str
            ``"right"``, ``"wrong"`` (values), ``"raises"``, or ``"not applicable"`` where that Keras lacks what it
            takes.

        Raises
        ------
        Exception
            If a demonstration fails by anything but its AssertionError.
        """
        if self.smallest is None:
            assert self.demonstration is not None
            try:
                self.demonstration(keras)
            except AssertionError:
                return "wrong" if self.silent else "raises"
            return "right"
        if not all(hasattr(keras.activations, name) for name in self.activations):
            return "not applicable"
        case = self.smallest()
        try:
            answer = run(case)
        except Exception:
            return "raises"
        return "right" if judge(case, answer).equivalent else "wrong"

    def __str__(self) -> str:
        return self.name


@cache
def ordered(numbers: str) -> tuple[int, ...]:
    """Return a version as numbers, which can be compared; what stands behind a plus says where it was built."""
    return tuple(int(part) for part in numbers.partition("+")[0].split(".") if part.isdigit())


def installed(library: str = "keras") -> str:
    """The version of a library that would be imported; empty if there is none."""
    return version_of(library)


def concerning(what: Spec | Case, runtime: str, keras: str | None = None) -> list[Divergence]:
    """Return the divergences that a spec, or a case, would meet in a runtime; none in a user's own port.

    A spec meets those that depend on it alone; a case meets also those that depend on its numbers and their shapes.

    Parameters
    ----------
    runtime : str
        The name of the runtime, with :data:`ON_CARD` behind it where it computes on one.
    keras : str, optional
        A version of Keras other than the installed one.
    """
    return [each for each in DIVERGENCES if each.exists(runtime, _version(each, keras)) and each.meets(what)]


def _version(each: Divergence, keras: str | None) -> str:
    return keras if keras is not None and each.library == "keras" else installed(each.library)


def of_library(name: str) -> list[Divergence]:
    """Return those of one library."""
    return [each for each in DIVERGENCES if each.library == name]


#: All of them, in the order in which they were registered.
DIVERGENCES: list[Divergence] = []


def divergence(**what: object) -> Callable[[Callable[[Spec], bool]], Callable[[Spec], bool]]:
    """Register one that is a matter of specs, by a function that says of which."""

    def register(concerns: Callable[[Spec], bool]) -> Callable[[Spec], bool]:
        DIVERGENCES.append(Divergence(concerns=concerns, **what))  # type: ignore[arg-type]
        return concerns

    return register


def _nowhere(spec: Spec) -> bool:
    return False


def demonstrated(
    concerns: Callable[[Spec], bool] = _nowhere, **what: object
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register one that is no matter of a case, by a function that shows it."""

    def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
        shows = function if "library" in what else leaving_nothing(function)
        DIVERGENCES.append(Divergence(concerns=concerns, demonstration=shows, **what))  # type: ignore[arg-type]
        return shows

    return register


def leaving_nothing(function: Callable[[Any], None]) -> Callable[[Any], None]:
    """Have a demonstration leave Keras as it was."""

    @wraps(function)
    def demonstration(keras: Any) -> None:
        # Keras draws the seeds of layers that are given none from the generator that all share.
        state, policy = random.getstate(), keras.config.dtype_policy()
        try:
            function(keras)
        finally:
            keras.config.set_dtype_policy(policy)
            random.setstate(state)

    return demonstration


def counting(spec: Spec, x: object, **call: object) -> Case:
    """A case whose numbers one can follow: all weights are 1, biases 0, so that linear layers count and add."""
    shapes = spec.weight_shapes
    weights = tuple(np.zeros(s) if name.endswith(("bh", "bo")) else np.ones(s) for name, s in shapes.items())
    return Case(spec, weights=weights, calls=(Call(np.asarray(x), **call),))  # type: ignore[arg-type]


def has_nan(case: Case) -> bool:
    """Whether there is a NaN among the numbers of a case."""
    return any(bool(np.isnan(array).any()) for array in case.numbers().values() if array.dtype.kind == "f")


def expect(what: str, expected: object, got: object) -> None:
    """Raise an AssertionError if something else came than was expected."""
    if got != expected:
        raise AssertionError(f"{what}: expected {expected}, got {got}")


def adding(keras: Any, units: int = 1, **options: Any) -> Any:
    """A layer whose units all add up what they have been given so far."""
    return keras.layers.SimpleRNN(
        units, activation=None, kernel_initializer="ones", recurrent_initializer="ones", **options
    )


def as_list(keras: Any, tensor: Any) -> Any:
    """Return the numbers in a tensor."""
    return keras.ops.convert_to_numpy(tensor).tolist()
