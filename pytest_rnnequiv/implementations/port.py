"""Whatever a user plugs in, in the one form that the checks use.

A port is a plain function ``run(case)``, an object with a method ``run(case)``, or an object with a method
``step(x_t, state) -> state, y`` that takes one time step of one sample. An object may also declare what it is, with the
attributes of :class:`Port`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np

from ..arithmetic.activations import ACTIVATIONS
from ..arithmetic.precision import Precision
from ..judging.observing import Observation, observe
from ..model.case import Case
from ..model.network import OPTIONS, POLICIES
from ..model.network_case import NetworkCase
from ..model.spec import Spec
from ..model.trajectory import NetworkTrajectory, Trajectory, as_trajectory
from ..wording import cleaned, described, told
from . import ImplementationError, Runtime

__all__ = ["Declaration", "Declined", "Port", "Supports", "declare", "made", "normalise"]

#: Seconds that one case may take, where the implementation does not say otherwise.
TIMEOUT = 10.0

#: Seconds that the first one may take: it may import a framework, trace a graph, convert a model.
FIRST_TIMEOUT = 180.0

#: More seconds than that are no limit, and too many for some systems.
LONGEST = 1e6

#: Characters of a name; it heads tables.
NAME = 80


class Declined(Exception):
    """Raised by a port that does not take a case: it is left out, and counted."""


@dataclass(frozen=True)
class Supports:
    """What an implementation can be asked. Cases outside are never drawn for it, and the summary says so.

    Parameters
    ----------
    D, M, K, N, T : int or (int, int), optional
        A fixed size, or the smallest and the largest one; None for any.
    activations : tuple of str
        Names of the activations that it knows.
    dtypes : tuple of str
        Of ``"float32"`` and ``"float64"``; for networks also Keras's other dtype policies.
    options : tuple of str
        The options of networks that it heeds, of those in :data:`~..network.OPTIONS`. With some it is asked about
        networks too: ``run`` is then given a :class:`~..network_case.NetworkCase`.
    largest : float, optional
        The largest absolute value of inputs and weights; None for any. Fixed-point numbers have one.
    nan : bool
        Whether a NaN that goes in comes out. False leaves the check of that out.
    initial_state, masks : bool
        Whether it heeds ``case.h0`` and ``case.mask``; then that is checked.
    """

    D: int | tuple[int, int] | None = None
    M: int | tuple[int, int] | None = None
    K: int | tuple[int, int] | None = None
    N: int | tuple[int, int] | None = None
    T: int | tuple[int, int] | None = None
    activations: tuple[str, ...] = ("tanh",)
    dtypes: tuple[str, ...] = ("float32",)
    largest: float | None = None
    nan: bool = True
    initial_state: bool = False
    masks: bool = False
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for letter in "DMKNT":
            size = getattr(self, letter)
            if size is None:
                continue
            ends = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
            try:
                low, high = (end.__index__() for end in ends)
                fits = 1 <= low <= high
            except (AttributeError, ValueError):
                fits = False
            if not fits:
                raise ImplementationError(
                    f"supports.{letter} must be a size or (smallest, largest), not {described(size)}"
                )
            object.__setattr__(self, letter, (low, high) if isinstance(size, (tuple, list)) else low)
        for what in ("activations", "dtypes", "options"):
            names = getattr(self, what)
            listed = isinstance(names, (tuple, list, set, frozenset))
            if not listed or not all(isinstance(name, str) for name in names):
                raise ImplementationError(f"supports.{what} must be a tuple of names, not {described(names)}")
            object.__setattr__(self, what, tuple(names))
        plain = ("float32", "float64")
        policies = tuple(POLICIES) if {*plain} & {*self.dtypes} else plain
        for what, known in (("activations", tuple(ACTIVATIONS)), ("dtypes", policies), ("options", OPTIONS)):
            unknown = [name for name in getattr(self, what) if name not in known]
            if unknown or (what != "options" and not getattr(self, what)):
                found = ", ".join(map(described, unknown)) or "none"
                raise ImplementationError(f"supports.{what} must be some of {', '.join(known)}, not {found}")
        # an alias such as swish is known to specs by its first name
        named = tuple(dict.fromkeys(ACTIVATIONS[name].name for name in self.activations))
        object.__setattr__(self, "activations", named)
        if self.largest is not None and not (isinstance(self.largest, Real) and self.largest > 0):
            raise ImplementationError(f"supports.largest must be a number above 0, not {described(self.largest)}")

    def range(self, letter: str, low: int, high: int) -> tuple[int, int]:
        """Cut the range of a size to what is supported; empty (low > high) where nothing is left."""
        size = getattr(self, letter)
        if size is None:
            return low, high
        return (size, size) if isinstance(size, int) else (max(low, size[0]), min(high, size[1]))

    def includes(self, letter: str, size: int) -> bool:
        """Whether a size is supported."""
        own = getattr(self, letter)
        if own is None:
            return True
        return size == own if isinstance(own, int) else own[0] <= size <= own[1]

    def accepts(self, case: Case) -> bool:
        """Whether a case is among what is supported."""
        numbers = (case.x, *case.weights)
        return (
            all(self.includes(letter, getattr(case, letter)) for letter in "DMKNT")
            and case.spec.activation.name in self.activations
            and case.spec.dtype in self.dtypes
            and (self.largest is None or all(np.nan_to_num(np.abs(a)).max() <= self.largest for a in numbers))
        )

    def left_out(self) -> str:
        """Say in a few words what is never drawn; empty if nothing is."""
        parts = []
        for letter in "DMKNT":
            size = getattr(self, letter)
            if size is not None:
                parts.append(f"{letter} = {size}" if isinstance(size, int) else f"{letter} in {size[0]}..{size[1]}")
        if self.largest is not None:
            parts.append(f"numbers up to {self.largest:g}")
        return ("only " + ", ".join(parts)) if parts else ""


@dataclass(frozen=True)
class Declaration:
    """What an implementation says of itself.

    Parameters
    ----------
    name : str
    precision : Precision or None
        None for what the spec's dtype promises.
    supports : Supports
    fixed : (Spec, (Wx, Wh, bh, Wo, bo)) or None
        The model, where it is compiled in: only inputs are drawn.
    timeout, first_timeout : float
        Seconds that one case may take, and the first one.
    versions : mapping
        The libraries that take part.
    batches : bool
        Whether it computes several cases in one call.
    """

    name: str
    precision: Precision | None
    supports: Supports
    fixed: tuple[Spec, tuple[Any, ...]] | None
    timeout: float
    versions: Mapping[str, str]
    batches: bool = False
    first_timeout: float = FIRST_TIMEOUT


def made(implementation: Any) -> Any:
    """Return an implementation; of a class, an object.

    Raises
    ------
    ImplementationError
        If it is none; the message says what was expected.
    """
    if isinstance(implementation, type):
        try:
            implementation = implementation()
        except Exception as error:
            raise ImplementationError(
                f"{implementation.__name__}() cannot be made without arguments: {type(error).__name__}: {told(error)}"
            ) from error
    normalise(implementation)
    return implementation


def normalise(implementation: Any) -> tuple[Callable[[Case], Any], Callable[[list[Case]], list[Any]] | None]:
    """Find the function that computes a case, and the one that computes many at once if there is one.

    Raises
    ------
    ImplementationError
        If there is none; the message says what was expected.
    """
    run = getattr(implementation, "run", None)
    if callable(run):
        many = getattr(implementation, "run_many", None)
        return run, many if callable(many) else None
    if callable(getattr(implementation, "step", None)):
        return _by_steps(implementation), None
    if callable(implementation):
        return implementation, None
    raise ImplementationError(
        f"{described(implementation)} is no implementation: expected a function run(case), or an object with a method "
        "run(case) or step(x_t, state)"
    )


def _by_steps(port: Any) -> Callable[[Case], Trajectory]:
    """Drive a port that takes one step of one sample: ``step(x_t (D,), state) -> state, y (K,)``.

    The state is None before the first step, and then whatever the port returned. A state which is an array of M floats
    is taken as the hidden state, and judged. A method ``load(case)`` is called before each case, for ports that take
    weights.
    """

    def run(case: Case) -> Trajectory:
        if callable(getattr(port, "load", None)):
            port.load(case)
        outputs, states = [], []
        for n in range(case.N):
            state: Any = None
            for t in range(case.T):
                answer = port.step(case.x[n, t], state)
                try:
                    state, y = answer
                except (TypeError, ValueError):
                    raise ImplementationError(
                        f"step(x_t, state) returned {type(answer).__name__}, expected a pair (state, y)"
                    ) from None
                outputs.append(np.array(y))
                states.append(np.array(state) if _is_state(state, case.M) else None)
        shown = all(s is not None for s in states)
        shape = (case.N, case.T)
        y = np.array(outputs)
        return Trajectory(
            y.reshape(*shape, *y.shape[1:]),
            np.array(states).reshape(*shape, case.M) if shown else None,
        )

    return run


def _is_state(state: Any, M: int) -> bool:
    return isinstance(state, np.ndarray) and state.shape == (M,) and state.dtype.kind == "f"


def declare(implementation: Any, name: str | None = None) -> Declaration:
    """Read what an implementation says of itself.

    Raises
    ------
    ImplementationError
        If one of its attributes is not what it should be.
    """
    name = _name(implementation, name)
    try:
        precision = getattr(implementation, "precision", None)
        precision = None if precision is None else Precision.of(precision)
        accepts = getattr(implementation, "accepts", None)
        if accepts is not None and not callable(accepts):
            raise ImplementationError(f"accepts must be a method accepts(case), not {described(accepts)}")
        model = getattr(implementation, "model", None)
        return Declaration(
            name,
            precision,
            _supports(implementation),
            None if model is None else fixed_model(model),
            _seconds(implementation, "timeout", TIMEOUT),
            _versions(implementation),
            callable(getattr(implementation, "run_many", None)),
            _seconds(implementation, "first_timeout", FIRST_TIMEOUT),
        )
    except (ImplementationError, ValueError) as error:
        raise ImplementationError(f"{name}: {error}") from None
    except Exception as error:
        raise ImplementationError(
            f"{name}: what it declares cannot be read: {type(error).__name__}: {told(error)}"
        ) from error


def _name(implementation: Any, given: str | None) -> str:
    """Return what reports call it: one line, of characters that can be seen."""
    try:
        own = getattr(implementation, "name", None)
    except Exception as error:
        raise ImplementationError(
            f"{type(implementation).__name__}: its name cannot be read: {type(error).__name__}: {told(error)}"
        ) from error
    if own is not None and not isinstance(own, str):
        raise ImplementationError(
            f"{given or type(implementation).__name__}: name must be a text, not {described(own)}"
        )
    name = own or given or getattr(implementation, "__name__", None) or type(implementation).__name__
    return cleaned(str(name), NAME, lines=False)


def _supports(implementation: Any) -> Supports:
    supports = getattr(implementation, "supports", None) or Supports()
    if isinstance(supports, Mapping):
        known = [each.name for each in fields(Supports)]
        unknown = [described(key) if not isinstance(key, str) else key for key in supports if key not in known]
        if unknown:
            raise ImplementationError(f"supports has no {', '.join(sorted(unknown))}; it knows {', '.join(known)}")
        supports = Supports(**supports)
    if not isinstance(supports, Supports):
        raise ImplementationError(f"supports must be a Supports or a dict, not {type(supports).__name__}")
    if callable(getattr(implementation, "step", None)) and not callable(getattr(implementation, "run", None)):
        given = [option for option in ("initial_state", "masks") if getattr(supports, option)]
        if given or supports.options:
            raise ImplementationError(
                "step(x_t, state) is given neither initial states nor masks nor options of networks: leave "
                f"{', '.join(given) or 'options'} out of supports, or write run(case)"
            )
    return supports


def _seconds(implementation: Any, name: str, default: float) -> float:
    seconds = getattr(implementation, name, default)
    known = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if not known or not 0 < seconds < float("inf"):
        raise ImplementationError(f"{name} must be a number of seconds, not {described(seconds)}")
    return min(float(seconds), LONGEST)


def _versions(implementation: Any) -> dict[str, str]:
    versions = getattr(implementation, "versions", None)
    if callable(versions):
        try:
            versions = versions()
        except Exception as error:
            raise ImplementationError(f"versions() raised {type(error).__name__}: {told(error)}") from error
    if versions is None:
        return {}
    if not isinstance(versions, Mapping):
        raise ImplementationError(
            'versions must be a dict such as {"mylib": "1.2"}, or a method that returns one, not '
            f"{described(versions)}"
        )
    return {
        cleaned(str(name), NAME, lines=False): cleaned(str(version), NAME, lines=False)
        for name, version in versions.items()
    }


def fixed_model(model: Any) -> tuple[Spec, tuple[Any, ...]]:
    """Read spec and weights off a case, a pair ``(spec, weights)``, a Keras model, or a ``.keras`` or ``.h5`` file.

    Raises
    ------
    ImplementationError
        If it is something else, or a model that is not ``SimpleRNN -> Dense``.
    """
    if isinstance(model, Case):
        return model.spec, model.weights
    if isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], Spec):
        spec, weights = model
        try:
            case = Case(spec, np.zeros((1, 1, spec.D)), *weights)
        except (TypeError, ValueError) as error:
            raise ImplementationError(f"model = (spec, weights): {error}") from None
        return spec, case.weights
    from .keras import read_model

    return read_model(model)


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
        What was asked for: the name of a runtime, ``module:attribute``, or a fixture. Its own name says nothing.
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

    def __init__(
        self,
        implementation: Any,
        *,
        name: str | None = None,
        isolated: bool = False,
        identity: str = "",
        runtime: Runtime | None = None,
    ) -> None:
        from .runner import Forked, InProcess

        self.runner: Any = (Forked if isolated else InProcess)(implementation, name)
        self.declaration: Declaration = self.runner.declaration
        self.identity, self.runtime = identity, runtime

    @classmethod
    def from_path(cls, path: str) -> Port:
        """Load ``module:attribute`` in a process of its own.

        Raises
        ------
        ImplementationError
            If it cannot be loaded there; the message says why.
        """
        from .runner import Spawned

        port = cls.__new__(cls)
        port.runner = Spawned(path)
        port.declaration = port.runner.declaration
        port.identity, port.runtime = path, None
        return port

    @property
    def how(self) -> str:
        """How others can call it: the name of what comes with the plugin, or ``module:attribute``; else empty."""
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
        """Whether it leaves the volume to another of its group."""
        return self.runtime is not None and self.runtime.secondary

    @property
    def way(self) -> str:
        """The way of running Keras that it is; empty for anything else."""
        return self.runtime.name if self.runtime is not None and self.runtime.group == "keras" else ""

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
        """The model that is compiled in, if one is."""
        return self.declaration.fixed

    def versions(self) -> dict[str, str]:
        """Name the libraries that take part."""
        return dict(self.declaration.versions)

    @property
    def any_weights(self) -> bool:
        """Whether it takes other weights than those that are compiled in."""
        return self.fixed is None

    @property
    def any_length(self) -> bool:
        """Whether it takes every beginning of a sequence."""
        return self.supports.includes("T", 1)

    def observe(self, case: Case | NetworkCase, first: Any = None) -> Observation:
        """Look at it in the strongest way it allows; `first` is what it showed of the case itself, if that was seen."""
        if isinstance(case, NetworkCase):
            return Observation.of(case, self.run_network(case) if first is None else NetworkTrajectory.of(first))
        identity_head = self.any_weights and self.supports.includes("K", case.M)
        first = self.run(case) if first is None else first
        try:
            return observe(
                self.run,
                case,
                any_weights=identity_head,
                any_length=self.any_length,
                first=first,
                precision=self.precision,
            )
        except Declined:  # it takes the case, but not those in which it would show its states
            return Observation.of(case, first)

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
        """Compute one case.

        Raises
        ------
        PortFailure
            If it raises, hangs, dies, or writes into its inputs; the message is the sentence.
        BadAnswer
            If it returns nothing, or no data.
        Declined
            If it does not take the case.
        """
        self.calls += 1
        return as_trajectory(self.runner.run(case))

    def run_network(self, case: NetworkCase) -> NetworkTrajectory:
        """Compute one case of a network; one call at a time where the implementation keeps no state between calls.

        Raises
        ------
        PortFailure, BadAnswer, Declined
            As :meth:`run`.
        """
        if self._splits(case):
            shown = [self.run_network(case.replace(calls=(call,))) for call in case.calls]
            return NetworkTrajectory(tuple(call for each in shown for call in each.calls))
        self.calls += 1
        return NetworkTrajectory.of(self.runner.run(case))

    def _splits(self, case: Case | NetworkCase) -> bool:
        return isinstance(case, NetworkCase) and len(case.calls) > 1 and "stateful" not in self.supports.options

    def run_many(self, cases: Sequence[Case | NetworkCase]) -> list[Any]:
        """Compute several cases of one spec and shape; in one call where the implementation can.

        Raises
        ------
        PortFailure, BadAnswer, Declined
            As :meth:`run`, if it holds for one of them.
        """
        if any(map(self._splits, cases)):
            return [self.run_network(case) if isinstance(case, NetworkCase) else self.run(case) for case in cases]
        self.calls += len(cases)
        return list(self.runner.run_many(cases))

    def close(self) -> None:
        """Give back what it holds: its process, if it has one."""
        self.runner.close()

    def __repr__(self) -> str:
        return f"<port {self.name}>"
