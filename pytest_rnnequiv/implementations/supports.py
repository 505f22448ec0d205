"""What an implementation can be asked: sizes, cells, activations, dtypes and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from ..arithmetic.activations import ACTIVATIONS, activation
from ..cells import CELLS, variants
from ..cells.cell import Cell
from ..model.call import Call
from ..model.case import Case
from ..model.layers import MERGE_MODES, RNN, Bidirectional
from ..model.spec import BEYOND_KERAS, OPTIONS, POLICIES, Spec
from ..wording import described, told
from .errors import ImplementationError

__all__ = ["Supports"]


@dataclass(frozen=True)
class Supports:
    """What an implementation can be asked. Cases outside are never drawn for it, and the summary says so.

    Parameters
    ----------
    D, M, K, N, T : int or (int, int), optional
        A fixed size, or the smallest and the largest one; None for any.
    activations : tuple of str
        Names of the activations that it knows, with parameters where they are not Keras's: ``"leaky_relu(0.01)"``.
    cells : tuple of str or Cell
        Of ``"SimpleRNN"``, ``"GRU"`` and ``"LSTM"``, each with any options, and a sigmoid or what `activations` names
        for its gates; or a cell with the options that it knows, such as ``GRUCell(reset_after=False)``.
    dtypes : tuple of str
        Of ``"float32"`` and ``"float64"``; beside one of these also Keras's other dtype policies.
    options : tuple of str
        What it heeds beyond plain layers and heads, of :data:`~..spec.OPTIONS`: ``"mask"`` for ``case.mask``,
        ``"initial_state"`` for ``case.h0``, ``"layers"`` for stacks, and so on; and of
        :data:`~..spec.BEYOND_KERAS`: ``"clip"`` for cells with a ``clip``. It is asked about models that have any of
        them.
    largest : float, optional
        The largest absolute value of inputs and weights; None for any. Fixed-point numbers have one.
    nan : bool
        Whether a NaN that goes in comes out. False leaves the check of that out.
    activations_of : mapping of str to tuple of str
        Of a cell by its name, those of `activations` that it knows, where these are not all: ``{"LSTM": ("tanh",)}``.
    merge_modes : tuple of (str or None), optional
        Of a ``Bidirectional``, those that it knows: ``("concat", "sum")``. Left out, these are all with the option
        ``"merge_mode"``, and ``"concat"`` without.
    mask_zero : bool
        Whether it heeds ``Embedding(mask_zero=True)``; False leaves embeddings without a mask, where `options` has
        ``"embedding"``.
    head_activations : tuple of str, optional
        Of heads, beside ``"linear"``. Left out, heads of the options ``"head"`` and ``"activation"`` have those of
        `activations`.
    lengths : int, optional
        For an implementation that takes a length for each sample instead of a mask: the smallest length. Masks are
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
    merge_modes: tuple[str | None, ...] | None = None
    mask_zero: bool = True
    head_activations: tuple[str, ...] | None = None

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
            "options": (*OPTIONS, *BEYOND_KERAS),
        }
        for what, known in known_names.items():
            unknown = [name for name in getattr(self, what) if name not in known and not isinstance(name, Cell)]
            if what == "activations":  # a name may say parameters
                unknown = [name for name in unknown if not _is_activation(name)]
            if unknown or (what != "options" and not getattr(self, what)):
                found = ", ".join(map(described, unknown)) or "none"
                raise ImplementationError(f"supports.{what} must be some of {', '.join(known)}, not {found}")
        # an alias such as swish is known to specs by its first name
        named = tuple(dict.fromkeys(activation(name).name for name in self.activations))
        object.__setattr__(self, "activations", named)
        self._check_halves()
        object.__setattr__(self, "activations_of", _of_cells(self.activations_of))
        if self.lengths is not None and (type(self.lengths) is not int or self.lengths < 0):
            raise ImplementationError(
                f"supports.lengths must be the smallest length, a whole number from 0 on, not {described(self.lengths)}"
            )
        if self.largest is not None and not (isinstance(self.largest, Real) and self.largest > 0):
            raise ImplementationError(f"supports.largest must be a number above 0, not {described(self.largest)}")

    def _check_halves(self) -> None:
        """Check what says that an option is heeded in part."""
        if self.merge_modes is not None:
            object.__setattr__(self, "merge_modes", _merge_modes(self.merge_modes))
            if "bidirectional" not in self.options:
                raise ImplementationError(
                    'supports.merge_modes are those of Bidirectional: add "bidirectional" to supports.options'
                )
            others = tuple(name for name in self.options if name != "merge_mode")
            more = () if self.merge_modes == ("concat",) else ("merge_mode",)
            object.__setattr__(self, "options", (*others, *more))
        if self.head_activations is not None:
            object.__setattr__(self, "head_activations", _of_heads(self.head_activations))
        if not isinstance(self.mask_zero, bool):
            raise ImplementationError(
                "supports.mask_zero must be True, or False for embeddings without a mask only, "
                f"not {described(self.mask_zero)}"
            )

    @property
    def merged_by(self) -> tuple[str | None, ...]:
        """The merge modes of ``Bidirectional`` that it is asked about."""
        if self.merge_modes is not None:
            return self.merge_modes
        return MERGE_MODES if "merge_mode" in self.options else MERGE_MODES[:1]

    def drawn(self) -> dict[str, Any]:
        """Return the arguments of ``strategies.architectures`` that say all this."""
        return {
            "options": self.options,
            "dtypes": self.dtypes,
            "activations": self.activations,
            "cells": self.cells,
            "sizes": {letter: each for letter in "DMKNT" if (each := getattr(self, letter)) is not None},
            "merge_modes": self.merged_by,
            "mask_zero": self.mask_zero,
            "head_activations": self.head_activations,
        }

    @property
    def kinds(self) -> tuple[Cell, ...]:
        """The cells that it is asked about; the first one wherever a check does not say which."""
        return tuple(cell for kind in self.cells for cell in variants((kind,), self.options) if self.knows(cell))

    def knows(self, cell: Cell) -> bool:
        """Whether a cell is among those that it is asked about."""
        gates = [(value, usual) for name, value, usual in cell.said() if name == "recurrent_activation"]
        return any(_alike(cell, own) for own in self.cells) or (
            cell.name in self.cells
            and cell.beyond <= {*self.options}
            and all(f == usual or f in self.activations for f, usual in gates)
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
            "head activation": self._heads_beyond(spec),
            "merge mode": {str(mode) for mode in _modes(spec) - {*self.merged_by}},
            "mask of an embedding": {"(mask_zero=True)"} if self._masks_zero_too(spec) else set(),
            "option": spec.options - {*self.options} - {"merge_mode"},
        }
        return ", no ".join(f"{what} {', '.join(sorted(names))}" for what, names in lacking.items() if names)

    def including(self, spec: Spec) -> Supports:
        """Return the same, extended by what a model needs that is compiled in."""
        functions = [layer.activation.name for layer in spec.directions]
        kinds = dict.fromkeys(kind for layer in spec.directions for kind in layer.kinds)
        return replace(
            self,
            cells=(*self.cells, *(kind for kind in kinds if not self.knows(kind))),
            activations=(*self.activations, *(name for name in functions if _is_activation(name))),
            dtypes=tuple(dict.fromkeys((*self.dtypes, spec.dtype))),
            options=tuple(dict.fromkeys((*self.options, *sorted(spec.options)))),
            merge_modes=None if self.merge_modes is None else (*self.merge_modes, *_modes(spec)),
            mask_zero=self.mask_zero or self._masks_zero_too(spec),
            head_activations=(*self.head_activations, *self._heads_beyond(spec)) if self.head_activations else None,
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
            and _modes(spec) <= {*self.merged_by}
            and not self._heads_beyond(spec)
            and not self._masks_zero_too(spec)
            and (self.lengths is None or not spec.masked or _keeps_padding_behind(spec))
        )

    def _masks_zero_too(self, spec: Spec) -> bool:
        """Whether an embedding has a mask, where only those without are heeded."""
        return not self.mask_zero and spec.source == "embedding with mask"

    def _heads_beyond(self, spec: Spec) -> set[str]:
        """The activations of Dense layers that are not heeded; none where nothing is said of them."""
        if self.head_activations is None:
            return set()
        return {dense.activation.name for dense in spec.dense.values()} - {"linear", *self.head_activations}

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


def _is_activation(name: str) -> bool:
    """Whether an activation is known by its name."""
    try:
        activation(name)
    except ValueError:
        return False
    return True


def _alike(cell: Cell, own: str | Cell) -> bool:
    """Whether a cell is another, whatever the size of its projection."""
    if cell == own or not isinstance(own, Cell) or cell.beyond != own.beyond or "projection" not in cell.beyond:
        return cell == own
    return type(cell) is type(own) and vars(cell) | {"projection": None} == vars(own) | {"projection": None}


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


def _merge_modes(given: Any) -> tuple[str | None, ...]:
    """Check ``supports.merge_modes``."""
    listed = isinstance(given, (tuple, list, set, frozenset)) and given
    if not listed or any(mode not in MERGE_MODES for mode in given):
        known = ", ".join(map(repr, MERGE_MODES))
        raise ImplementationError(f"supports.merge_modes must be a tuple of some of {known}, not {described(given)}")
    return tuple(mode for mode in MERGE_MODES if mode in given)


def _of_heads(given: Any) -> tuple[str, ...]:
    """Check ``supports.head_activations``; ``linear``, which every head may have, is left out."""
    listed = isinstance(given, (tuple, list, set, frozenset)) and all(isinstance(name, str) for name in given)
    if not listed or not all(map(_is_activation, given)):
        raise ImplementationError(
            f"supports.head_activations must be a tuple of some of {', '.join(ACTIVATIONS)}, not {described(given)}"
        )
    return tuple(name for name in dict.fromkeys(activation(each).name for each in given) if name != "linear")


def _modes(spec: Spec) -> set[str | None]:
    """The merge modes of a model."""
    return {layer.merge_mode for layer in spec.layers if isinstance(layer, Bidirectional)}


def _keeps_padding_behind(spec: Spec) -> bool:
    """Whether every layer gets its padding at the end: a layer that goes backwards passes it on at the beginning."""
    return spec.source != "masking" and not any(
        layer.go_backwards for layer in spec.layers[:-1] if isinstance(layer, RNN)
    )
