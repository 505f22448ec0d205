"""What an implementation says of itself, and how it is brought into the one form that the checks use.

A port is a plain function ``run(case)``, an object with a method ``run(case)``, or an object with a method
``step(x_t, state) -> state, y`` that takes one time step of one sample. It may also declare what it is, with the
attributes that :func:`declare` reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

import numpy as np

from ..arithmetic.activations import ACTIVATIONS, activation
from ..arithmetic.precision import Precision
from ..cells import CELLS, variants
from ..cells.cell import Cell
from ..model.case import Call, Case
from ..model.layers import RNN
from ..model.spec import OPTIONS, POLICIES, Spec
from ..model.trajectory import Trajectory
from ..wording import cleaned, described, told
from .errors import ImplementationError
from .files import read_model

__all__ = ["Declaration", "Supports", "declare", "fixed_model", "made", "normalize"]

#: Seconds that one case may take, where the implementation does not say otherwise.
TIMEOUT = 10.0

#: Seconds that the first one may take: it may import a framework, trace a graph, convert a model.
FIRST_TIMEOUT = 180.0

#: More seconds than that are no limit, and too many for some systems.
LONGEST_TIMEOUT = 1e6

#: Characters of a name; it heads tables.
NAME = 80


@dataclass(frozen=True)
class Supports:
    """What an implementation can be asked. Cases outside are never drawn for it, and the summary says so.

    Parameters
    ----------
    D, M, K, N, T : int or (int, int), optional
        A fixed size, or the smallest and the largest one; None for any.
    activations : tuple of str
        Names of the activations that it knows.
    cells : tuple of str or Cell
        Of ``"SimpleRNN"``, ``"GRU"`` and ``"LSTM"``, each with any options, and a sigmoid or what `activations` names
        for its gates; or a cell with the options that it knows, such as ``GRUCell(reset_after=False)``.
    dtypes : tuple of str
        Of ``"float32"`` and ``"float64"``; beside one of these also Keras's other dtype policies.
    options : tuple of str
        What it heeds beyond plain layers and heads, of :data:`~..spec.OPTIONS`: ``"mask"`` for ``case.mask``,
        ``"initial_state"`` for ``case.h0``, ``"layers"`` for stacks, and so on. It is asked about models that have any
        of them.
    largest : float, optional
        The largest absolute value of inputs and weights; None for any. Fixed-point numbers have one.
    nan : bool
        Whether a NaN that goes in comes out. False leaves the check of that out.
    activations_of : mapping of str to tuple of str
        Of a cell by its name, those of `activations` that it knows, where these are not all: ``{"LSTM": ("tanh",)}``.
    lengths : int, optional
        For an implementation that takes a length for each sample in the place of any mask: the smallest one. Masks are
        drawn so that the padding is at the end, and layers of it put out zeros there (``zero_output_for_mask``).
    """

    D: int | tuple[int, int] | None = None
    M: int | tuple[int, int] | None = None
    K: int | tuple[int, int] | None = None
    N: int | tuple[int, int] | None = None
    T: int | tuple[int, int] | None = None
    activations: tuple[str, ...] = ("tanh",)
    cells: tuple[str | Cell, ...] = ("SimpleRNN",)
    dtypes: tuple[str, ...] = ("float32",)
    largest: float | None = None
    nan: bool = True
    options: tuple[str, ...] = ()
    activations_of: Mapping[str, tuple[str, ...]] | tuple[tuple[str, tuple[str, ...]], ...] = ()
    lengths: int | None = None

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
        for what in ("activations", "cells", "dtypes", "options"):
            names = getattr(self, what)
            listed = isinstance(names, (tuple, list, set, frozenset))
            kinds = (str, Cell) if what == "cells" else (str,)
            if not listed or not all(isinstance(name, kinds) for name in names):
                raise ImplementationError(f"supports.{what} must be a tuple of names, not {described(names)}")
            object.__setattr__(self, what, tuple(names))
        plain = ("float32", "float64")
        policies = tuple(POLICIES) if {*plain} & {*self.dtypes} else plain
        known_names = {
            "activations": tuple(ACTIVATIONS),
            "cells": tuple(CELLS),
            "dtypes": policies,
            "options": OPTIONS,
        }
        for what, known in known_names.items():
            unknown = [name for name in getattr(self, what) if name not in known and not isinstance(name, Cell)]
            if unknown or (what != "options" and not getattr(self, what)):
                found = ", ".join(map(described, unknown)) or "none"
                raise ImplementationError(f"supports.{what} must be some of {', '.join(known)}, not {found}")
        # an alias such as swish is known to specs by its first name
        named = tuple(dict.fromkeys(ACTIVATIONS[name].name for name in self.activations))
        object.__setattr__(self, "activations", named)
        object.__setattr__(self, "activations_of", _of_cells(self.activations_of))
        if self.lengths is not None and (type(self.lengths) is not int or self.lengths < 0):
            raise ImplementationError(
                f"supports.lengths must be the smallest length, a whole number from 0 on, not {described(self.lengths)}"
            )
        if self.largest is not None and not (isinstance(self.largest, Real) and self.largest > 0):
            raise ImplementationError(f"supports.largest must be a number above 0, not {described(self.largest)}")

    @property
    def kinds(self) -> tuple[Cell, ...]:
        """The cells that it is asked about; the first one wherever a check does not say which."""
        return tuple(cell for kind in self.cells for cell in variants((kind,)) if self.knows(cell))

    def knows(self, cell: Cell) -> bool:
        """Whether a cell is among those that it is asked about."""
        gates = [(value, usual) for name, value, usual in cell.said() if name == "recurrent_activation"]
        return cell in self.cells or (
            cell.name in self.cells and all(f == usual or f in self.activations for f, usual in gates)
        )

    @property
    def initial_state(self) -> bool:
        """Whether it heeds ``case.h0``."""
        return "initial_state" in self.options

    @property
    def masks(self) -> bool:
        """Whether it heeds ``case.mask``."""
        return "mask" in self.options

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
        spec = case.spec
        sizes = [("D", spec.D), ("K", spec.K), *(("M", M) for layer in spec.directions for M in layer.cells)]
        sizes += [(letter, getattr(call, letter)) for call in case.calls for letter in "NT"]
        numbers = (array for array in case.numbers().values() if array.dtype.kind == "f" and array.size)
        return (
            all(self.includes(letter, size) for letter, size in sizes)
            and self.takes(spec)
            and self.heeds_mask(case)
            and (self.largest is None or all(np.nan_to_num(np.abs(a)).max() <= self.largest for a in numbers))
        )

    def lacks(self, spec: Spec) -> str:
        """Say what a model needs that is not supported; empty if it is supported."""
        functions = {layer.activation.name for layer in spec.directions}
        cells = {kind for layer in spec.directions for kind in layer.kinds}
        lacking = {
            "cell": [str(kind) for kind in cells if not self.knows(kind)],
            "activation": functions - {*self.activations},
            "dtype": {spec.dtype} - {*self.dtypes},
            "option": spec.options - {*self.options},
        }
        return ", no ".join(f"{what} {', '.join(sorted(names))}" for what, names in lacking.items() if names)

    def including(self, spec: Spec) -> Supports:
        """Return the same, with what a model needs: who has it compiled in supports it."""
        functions = [layer.activation.name for layer in spec.directions]
        kinds = dict.fromkeys(kind for layer in spec.directions for kind in layer.kinds)
        return replace(
            self,
            cells=(*self.cells, *(kind for kind in kinds if not self.knows(kind))),
            activations=(*self.activations, *(name for name in functions if name in ACTIVATIONS)),
            dtypes=tuple(dict.fromkeys((*self.dtypes, spec.dtype))),
            options=tuple(dict.fromkeys((*self.options, *sorted(spec.options)))),
        )

    def takes(self, spec: Spec) -> bool:
        """Whether models of a spec are among what is supported, whatever the numbers and sizes."""
        own = dict(self.activations_of)
        return (
            all(
                self.knows(kind) and layer.activation.name in own.get(kind.name, self.activations)
                for layer in spec.directions
                for kind in layer.kinds
            )
            and spec.dtype in self.dtypes
            and spec.options <= {*self.options}
            and (self.lengths is None or not spec.masked or _keeps_padding_behind(spec))
        )

    def heeds_mask(self, case: Case) -> bool:
        """Whether the masks of a case are of those that are heeded: any, or lengths."""
        if self.lengths is None or not case.spec.masked:
            return True
        masks = (case.inputs(call)[1] for call in case.calls)
        return all(
            mask.shape[1] >= self.lengths
            and bool(mask[:, : self.lengths].all())
            and not (mask[:, 1:] & ~mask[:, :-1]).any()
            for mask in masks
        )

    def padded(self, case: Case) -> Case:
        """Return the case with its masked steps at the ends of the samples and zeros put out there, as lengths are.

        A case without a mask is itself, and so is every case where any mask is heeded.
        """
        spec = case.spec
        if self.lengths is None or not spec.masked:
            return case
        least = self.lengths
        layers = []
        for layer in spec.layers:
            zeros = {"zero_output_for_mask": layer.return_sequences} if isinstance(layer, RNN) else {}
            layers.append(layer.replace(**zeros))

        def sorted_(call: Call) -> Call:
            mask = case.inputs(call)[1]
            order = np.argsort(~mask, axis=1, kind="stable")
            x, mask = call.x[np.arange(call.N)[:, None], order], np.take_along_axis(mask, order, axis=1)
            # what is masked may hold anything
            more = ~mask & (np.arange(call.T) < least)
            x = np.where(more.reshape(*more.shape, *(1,) * (x.ndim - 2)), int(spec.embedded), x)
            return call.replace(x=x, mask=mask | more if spec.source == "mask" else None)

        return case.map_calls(sorted_).under(spec.replace(layers=tuple(layers)))

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


def _of_cells(given: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Check ``supports.activations_of``, and return it in a form that can be hashed."""
    try:
        pairs = dict(given)
        named = tuple((cell, tuple(activation(name).name for name in names)) for cell, names in pairs.items())
    except (TypeError, ValueError) as error:
        raise ImplementationError(
            f'supports.activations_of must be a dict such as {{"LSTM": ("tanh",)}}, not {described(given)}: '
            f"{told(error)}"
        ) from None
    if unknown := sorted(cell for cell in pairs if cell not in CELLS):
        raise ImplementationError(
            f"supports.activations_of names no cell by {', '.join(unknown)}: expected some of {', '.join(CELLS)}"
        )
    return named


def _keeps_padding_behind(spec: Spec) -> bool:
    """Whether every layer gets its padding at the end: what goes backwards hands it on at the beginning."""
    return spec.source != "masking" and not any(
        layer.go_backwards for layer in spec.layers[:-1] if isinstance(layer, RNN)
    )


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
        model, supports = getattr(implementation, "model", None), _supports(implementation)
        fixed = None if model is None else fixed_model(model)
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
    """Say how those of the names are declared that are options, and no fields; empty if none is."""
    singular = {f"{option}s": option for option in OPTIONS} | {option: option for option in OPTIONS}
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
    from .keras import read_model as read_keras

    return read_keras(model)
