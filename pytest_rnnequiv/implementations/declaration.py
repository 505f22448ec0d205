"""What an implementation declares, and how the forms that it may have become one.

A port is a plain function ``run(case)``, an object with a method ``run(case)``, or an object with a method
``step(x_t, state) -> state, y`` that takes one time step of one sample. In the place of the case, ``run`` may take
letters of it by their names, as ``run(x, Wx, Wh, bh, Wo, bo)`` does. It may also declare what it is, with the
attributes that :func:`declare` reads.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..model.call import Call
from ..model.case import LETTERS, Case
from ..model.spec import BEYOND_KERAS, OPTIONS, Spec
from ..model.trajectory import Trajectory
from ..wording import cleaned, described, told
from .errors import ImplementationError
from .files import read_model
from .keras import read_model as read_keras
from .supports import Supports
from .timeouts import FIRST_TIMEOUT, LONGEST_TIMEOUT, TIMEOUT

__all__ = ["Declaration", "declare", "fixed_model", "made", "normalize"]

#: Characters of a name; it heads tables.
NAME = 80


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
    normalize(implementation)
    return implementation


def normalize(implementation: Any) -> tuple[Callable[[Case], Any], Callable[[list[Case]], list[Any]] | None]:
    """Find the function that computes a case, and the one that computes many at once if there is one.

    Raises
    ------
    ImplementationError
        If there is none; the message says what was expected.
    """
    run = getattr(implementation, "run", None)
    if callable(run):
        many = getattr(implementation, "run_many", None)
        return _by_letters(run), many if callable(many) else None
    if callable(getattr(implementation, "step", None)):
        return _by_steps(implementation), None
    if callable(implementation):
        return _by_letters(implementation), None
    raise ImplementationError(
        f"{described(implementation)} is no implementation: expected a function run(case), or an object with a method "
        "run(case) or step(x_t, state)"
    )


def _by_letters(run: Callable[..., Any]) -> Callable[[Case], Any]:
    """Hand the letters of a case to a function that asks for several by name: ``run(x, Wx, Wh, bh, Wo, bo)``."""
    try:
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return run  # some that are not written in Python do not tell
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(needed) < 2:
        return run
    if not {p.name for p in needed} <= {*LETTERS}:
        name = cleaned(getattr(run, "__name__", "run"), NAME)
        raise ImplementationError(
            f"{name}({', '.join(p.name for p in needed)}) takes {len(needed)} arguments: a port takes one, the case, "
            f"or some of these by their names: {', '.join(LETTERS)}"
        )

    def run_letters(case: Case) -> Any:
        by_place = [getattr(case, p.name) for p in needed if p.kind is not p.KEYWORD_ONLY]
        return run(*by_place, **{p.name: getattr(case, p.name) for p in needed if p.kind is p.KEYWORD_ONLY})

    return run_letters


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
        model, supports = getattr(implementation, "model", None), _supports(implementation)
        fixed = None if model is None else fixed_model(model)
        if precision is not None and precision.in_integers:
            supports = replace(supports, nan=False)  # an emulation keeps a NaN, integers make a number of it
        return Declaration(
            name,
            precision,
            supports if fixed is None else supports.including(fixed[0]),
            fixed,
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
        unknown = sorted(key if isinstance(key, str) else described(key) for key in supports if key not in known)
        if unknown:
            raise ImplementationError(
                f"supports has no {', '.join(unknown)}; it knows {', '.join(known)}{_as_options(unknown)}"
            )
        supports = Supports(**supports)
    if not isinstance(supports, Supports):
        raise ImplementationError(f"supports must be a Supports or a dict, not {type(supports).__name__}")
    by_steps = callable(getattr(implementation, "step", None)) and not callable(getattr(implementation, "run", None))
    if by_steps and supports.options:
        raise ImplementationError(
            "step(x_t, state) is given inputs and weights only: leave options out of supports, or write run(case)"
        )
    return supports


def _as_options(names: Sequence[str]) -> str:
    """Say of names that are options, and no fields, how they are declared; empty if none is an option."""
    singular = {name: option for option in (*OPTIONS, *BEYOND_KERAS) for name in (f"{option}s", option)}
    options = tuple(singular[name] for name in names if name in singular)
    return f"; what it heeds is an option: options={options}".replace("'", '"') if options else ""


def _seconds(implementation: Any, name: str, default: float) -> float:
    seconds = getattr(implementation, name, default)
    known = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if not known or not 0 < seconds < float("inf"):
        raise ImplementationError(f"{name} must be a number of seconds, not {described(seconds)}")
    return min(float(seconds), LONGEST_TIMEOUT)


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


def _of_zeros(spec: Spec) -> Call:
    N, T = (1 if size is None else size for size in (spec.N, spec.T))
    x = np.zeros((N, T) if spec.embedded else (N, T, spec.D))
    mask = np.ones((N, T), bool) if spec.source == "mask" else None
    return Call(x, mask, tuple(map(np.zeros, spec.state_shapes(N))))


def fixed_model(model: Any) -> tuple[Spec, tuple[Any, ...]]:
    """Read spec and weights off a case, a pair ``(spec, weights)``, a Keras model, or a model file.

    Raises
    ------
    ImplementationError
        If it is something else, or a model that a spec cannot hold.
    """
    if isinstance(model, Case):
        return model.spec, model.weights
    if isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], Spec):
        spec, weights = model
        try:
            case = Case(spec, weights=weights, calls=(_of_zeros(spec),))
        except (TypeError, ValueError) as error:
            raise ImplementationError(f"model = (spec, weights): {error}") from None
        return spec, case.weights
    if isinstance(model, (str, os.PathLike)):
        return read_model(model)
    return read_keras(model)
