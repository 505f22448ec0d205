"""Whatever a user plugs in, ready to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import tally
from ..arithmetic.precision import Precision
from ..cells.cell import Cell
from ..divergences.table import ON_CARD
from ..judging.observing import Asking, Observation, observe, settle
from ..model.case import Case
from ..model.spec import Spec
from ..model.trajectory import Trajectory
from .declaration import Declaration
from .errors import Declined, ImplementationError
from .files import Model
from .registry import Runtime
from .runner import Forked, InProcess, Spawned
from .supports import Supports

__all__ = ["Port"]


class Port:
    """An implementation that is ready to be asked.

    Parameters
    ----------
    implementation : callable or object
        See the module.
    name : str, optional
        What reports call it; by default its own name.
    isolated : bool
        Run it in a process of its own, so that it may hang or die.
    identity : str
        What was asked for: the name of a runtime, ``module:attribute``, or a fixture; not what it calls itself.
    runtime : Runtime, optional
        What it declares, if it comes with the plugin.

    Raises
    ------
    ImplementationError
        If it is none, or declares something impossible.
    """

    #: How often it has hung in this run.
    hangs: int = 0
    #: How many cases it was given in this run.
    calls: int = 0
    #: Whether it has weights of its own, and takes no others.
    own_weights: bool = False
    #: The name of the runtime by which known divergences hold; empty for a user's own port.
    diverges_as: str = ""
    #: The model that the run is about, whatever the port is able to.
    given: Model | None = None
    #: Whether it is asked as a whole model, whatever layers it has round the recurrent ones.
    whole: bool = False
    #: The file of the model that it was made of.
    made_of: str = ""
    #: What is wrong in its file, whatever model it was made of.
    says: tuple[str, ...] = ()
    #: Inputs of a whole model that were recorded.
    recorded_inputs: tuple[Any, ...] = ()
    #: Cases of inputs that were recorded, for the model that is given or compiled in.
    recorded: tuple[Case, ...] = ()

    def __init__(
        self,
        implementation: Any,
        *,
        name: str | None = None,
        isolated: bool = False,
        identity: str = "",
        runtime: Runtime | None = None,
    ) -> None:
        self.runner: Any = (Forked if isolated else InProcess)(implementation, name)
        self.declaration: Declaration = self.runner.declaration
        self._known_as(identity, runtime)

    def _known_as(self, identity: str, runtime: Runtime | None) -> None:
        self.identity, self.runtime = identity, runtime
        self.diverges_as = "" if runtime is None else runtime.name

    @classmethod
    def from_path(cls, path: str) -> Port:
        """Load ``module:attribute`` in a process of its own.

        Raises
        ------
        ImplementationError
            If it cannot be loaded there; the message says why.
        """
        port = cls.__new__(cls)
        port.runner = Spawned(path)
        port.declaration = port.runner.declaration
        port._known_as(path, None)
        return port

    @classmethod
    def of_runtime(cls, runtime: Runtime) -> Port:
        """Load an implementation that comes with the plugin, in a process of its own.

        Raises
        ------
        ImplementationError
            If it cannot be loaded there; the message says why.
        """
        port = cls.from_path(f"{__package__}.{runtime.module}:{runtime.attribute}")
        port._known_as(runtime.name, runtime)
        if port.versions().get("device", "cpu") != "cpu":
            port.diverges_as += ON_CARD
        return port

    @property
    def called_as(self) -> str:
        """How others can call it again: the name of a runtime, or ``module:attribute``; empty where they cannot."""
        return self.identity if self.runtime is not None or ":" in self.identity else ""

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.declaration.name

    @property
    def builds_models(self) -> bool:
        """Whether every spec costs a model to build."""
        return self.runtime is not None and self.runtime.builds_models

    @property
    def secondary(self) -> bool:
        """Whether it gets a small share of the cases, since another of its group gets most."""
        return self.runtime is not None and self.runtime.secondary

    @property
    def precision(self) -> Precision | None:
        """The arithmetic that it declares; None for that of the case's dtype."""
        return self.declaration.precision

    @property
    def supports(self) -> Supports:
        """What it can be asked."""
        return self.declaration.supports

    @property
    def fixed(self) -> tuple[Spec, tuple[Any, ...]] | None:
        """The only model that it is asked about, if there is one: the one that is given, or that is compiled in."""
        return self.given or self.declaration.fixed

    def versions(self) -> dict[str, str]:
        """Name the libraries that take part."""
        return dict(self.declaration.versions)

    def remarks(self) -> list[str]:
        """Return what a summary should tell of its runs, which no verdict tells."""
        tell = getattr(getattr(self.runner, "implementation", None), "remarks", None)
        return [f"{self.name}: {each}" for each in tell()] if self.own_weights and callable(tell) else []

    @property
    def any_weights(self) -> bool:
        """Whether it takes other weights than those that are compiled in."""
        return self.declaration.fixed is None and not self.own_weights

    @property
    def any_length(self) -> bool:
        """Whether it takes every beginning of a sequence."""
        return self.supports.includes("T", 1)

    @property
    def asking(self) -> Asking:
        """What it can be asked to make it show its states."""
        return Asking(self.any_weights, self.any_length, self.supports.accepts)

    def observe(self, case: Case, first: Any = None, *, settled: bool = True) -> Observation:
        """Ask about a case in the strongest way it allows.

        Parameters
        ----------
        first : optional
            What it has already shown of the case itself.
        settled : bool
            As for :func:`~.observing.observe`.
        """
        first = self.run(case) if first is None else first
        try:
            return observe(self.run, case, self.asking, first=first, precision=self.precision, settled=settled)
        except Declined:  # it takes the case, but not those in which it would show its states
            return Observation.of(case, first)

    def settle(self, seen: Observation) -> Observation:
        """Have it show the states again, by heads of the case's own shape, where it takes those."""
        try:
            return settle(self.run, seen)
        except Declined:
            return Observation.of(*seen.runs[0])

    def run_supported(self, case: Case) -> Trajectory:
        """Compute a case if it is supported.

        Raises
        ------
        ImplementationError
            If it is not.
        """
        if not self.supports.accepts(case):
            raise ImplementationError(f"{self.name} supports {self.supports.left_out()}")
        return self.run(case)

    def run(self, case: Case) -> Trajectory:
        """Compute one case; one call at a time where the implementation keeps no state between calls.

        Raises
        ------
        PortFailure
            If it raises, hangs, dies, or writes into its inputs; the message is the sentence.
        BadAnswer
            If it returns nothing, or no data.
        Declined
            If it does not take the case.
        """
        if self._splits(case):
            return Trajectory.of_calls([self.run(case.replace(calls=(call,))) for call in case.calls])
        self.calls += 1
        with tally.spending("run"):
            shown = self.runner.run(case)
        return Trajectory.of(shown, case.spec.two_outputs)

    def _splits(self, case: Case) -> bool:
        return len(case.calls) > 1 and "stateful" not in self.supports.options

    def run_many(self, cases: Sequence[Case]) -> list[Any]:
        """Compute several cases of one spec and shape; in one call where the implementation can.

        Raises
        ------
        PortFailure, BadAnswer, Declined
            As :meth:`run`, if it holds for one of them.
        """
        if any(map(self._splits, cases)):
            return [self.run(case) for case in cases]
        self.calls += len(cases)
        with tally.spending("run"):
            return list(self.runner.run_many(cases))

    def keep_to(self, cells: Sequence[str]) -> str:
        """Ask it about some cells only; without names, about all that it declares.

        Returns
        -------
        str
            Why nothing is left to ask; empty if something is.
        """
        own = self.supports.cells
        kept = tuple(cell for cell in own if (cell.name if isinstance(cell, Cell) else cell) in cells) if cells else own
        if not kept:
            return f"{self.name} declares {', '.join(map(str, own))} only, and was to be asked about {', '.join(cells)}"
        self.declaration = replace(self.declaration, supports=replace(self.supports, cells=kept))
        return ""

    def keep_to_model(self, model: Model) -> str:
        """Ask it about one model only: about its architecture, with its weights.

        Returns
        -------
        str
            Why it cannot be asked; empty if it can.
        """
        self.given, spec = model, model[0]
        if not self.any_weights:
            self.declaration = replace(self.declaration, supports=self.supports.including(spec))
            return ""
        lacks = self.supports.lacks(spec)
        return f"{self.name} cannot be asked about the model {spec}: it declares no {lacks}" if lacks else ""

    def close(self) -> None:
        """End its process, if it has one."""
        self.runner.close()

    def __repr__(self) -> str:
        return f"<port {self.name}>"
