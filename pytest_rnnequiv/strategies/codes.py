"""From bytes to architectures.

An architecture is drawn as a case's numbers are: one string of bytes, its *codes*, of which each stands for one choice.
0 is the default, so Hypothesis shrinks option by option. Every layer has codes of its own, one of which says whether it
is there; so has each direction of a ``Bidirectional``. Thus any of them can be removed, and the others stay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hypothesis.strategies import SearchStrategy

from ..arithmetic.activations import Activation, activation
from ..cells import Cell, SimpleRNNCell, variants
from ..model.layers import LAYERS, MERGE_MODES, RNN, Bidirectional, Dense
from ..model.sizes import size
from ..model.spec import BEYOND_KERAS, OPTIONS, POLICIES, Spec
from .sizes import size_ladder

__all__ = [
    "DIRECTION",
    "LAYER",
    "ONE_OF_THREE",
    "PLACE",
    "SLOT",
    "SPEC",
    "Functions",
    "Names",
    "Sizes",
    "Style",
    "decode",
]

Names = Collection[str]
Functions = str | Activation | Sequence[str | Activation | None] | None
Sizes = Mapping[str, int | tuple[int, int]]

#: What an option brings with it.
_PARTS = {"bidirectional": ("merge_mode", "backward_layer"), "dropout": ("recurrent_dropout",)}

#: Activations that are drawn if nobody says which: of each kind one (bounded, with a kink, positive, none).
USUAL_ACTIVATIONS = ("tanh", "relu", "sigmoid", "linear")
MASK_VALUES = (0.0, -1.0, 0.1)


@dataclass(frozen=True)
class Style:
    """Which architectures there may be."""

    options: frozenset[str]
    dtypes: tuple[str, ...]
    activations: tuple[Activation, ...]
    max_layers: int
    max_units: int
    ranges: tuple[tuple[str, tuple[int, int]], ...] = ()
    cells: tuple[Cell, ...] = (SimpleRNNCell(),)
    merge_modes: tuple[str | None, ...] = MERGE_MODES
    mask_zero: bool = True
    head_activations: tuple[Activation, ...] | None = None

    @classmethod
    def of(
        cls,
        options: Names | None,
        dtypes: str | Names,
        activations: Functions,
        max_layers: int,
        max_units: int,
        sizes: Sizes | None = None,
        cells: Collection[str | Cell] = (SimpleRNNCell.name,),
        *,
        merge_modes: Collection[str | None] = MERGE_MODES,
        mask_zero: bool = True,
        head_activations: Functions = None,
    ) -> Style:
        """Check what the user said."""
        for name, said in (("options", options), ("dtypes", dtypes), ("activations", activations)):
            if isinstance(said, SearchStrategy):
                raise TypeError(f"{name} must be the names to choose from, not a strategy of them")
        names = OPTIONS if options is None else options
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"options must be a collection of names, such as ('use_bias',), not {options!r}")
        known = (*OPTIONS, *BEYOND_KERAS)
        unknown = sorted(set(names) - {*known})
        if unknown:
            raise ValueError(f"unknown options {', '.join(unknown)}: expected some of {', '.join(known)}")
        kinds = (dtypes,) if isinstance(dtypes, str) else tuple(dtypes)
        for kind in kinds:
            if kind not in POLICIES:
                raise ValueError(f"dtypes must be some of {', '.join(POLICIES)}, not {kind!r}")
        functions: tuple[Any, ...]
        if activations is None:
            functions = USUAL_ACTIVATIONS if "activation" in names else USUAL_ACTIVATIONS[:1]
        else:
            functions = _each(activations)
        if not kinds or not functions:
            raise ValueError(f"{'activations' if kinds else 'dtypes'} must be at least one")
        parts = {part for name in names for part in _PARTS.get(name, ())}
        if not parts.isdisjoint(_PARTS["bidirectional"]) or not set(names).isdisjoint(_PARTS["bidirectional"]):
            parts.add("bidirectional")
        return cls(
            frozenset(names) | parts,
            kinds,
            tuple(map(activation, functions)),
            min(size("max_layers", max_layers), max_layers if "layers" in names else 1),
            size("max_units", max_units),
            _ranges(sizes or {}),
            variants((cells,) if isinstance(cells, str) else cells, names),
            _modes(merge_modes),
            mask_zero,
            None if head_activations is None else tuple(map(activation, _each(head_activations))),
        )

    @property
    def length(self) -> int:
        """Codes of a spec; behind all others come those of the cells, one for each direction, and of hidden layers."""
        return self.hidden_codes + (MOST_HIDDEN * len(HIDDEN) if "hidden" in self.options else 0)

    @property
    def hidden_codes(self) -> int:
        """Where the codes of the Dense layers before the head begin."""
        return self.cell_codes + (2 * self.max_layers if len(self.cells) > 1 else 0)

    @property
    def cell_codes(self) -> int:
        """Where the codes of the cells begin."""
        return len(SPEC) + self.max_layers * SLOT

    def cells_of(self, start: int) -> slice:
        """Where those of a layer are, both directions', whose other codes start there."""
        first = self.cell_codes + 2 * ((start - len(SPEC)) // SLOT)
        return slice(first, first + 2)

    def within(self, letter: str, values: Sequence[int]) -> tuple[int, ...]:
        """Those of some values that a letter may have; the least that it may, if there are none."""
        low, high = dict(self.ranges).get(letter, (0, max(values)))
        return tuple(value for value in values if low <= value <= high) or (low,)

    def ladder(self, letter: str) -> tuple[int, ...]:
        """Sizes of a letter to choose from, simplest first."""
        if letter not in self._ladders:
            self._ladders[letter] = self._ladder(letter)
        return self._ladders[letter]

    @cached_property
    def _ladders(self) -> dict[str, tuple[int, ...]]:
        """Those that were asked for: a cache by styles would hash all of a style each time."""
        return {}

    def _ladder(self, letter: str) -> tuple[int, ...]:
        low, high = dict(self.ranges).get(letter, (1, self.max_units))
        ladder = size_ladder(low, min(high, max(low, self.max_units)))
        return (
            ladder if len(ladder) < 256 else tuple(sorted(set(ladder) & {*range(1, 34), *ladder[:: len(ladder) // 99]}))
        )

    @cached_property
    def equal(self) -> tuple[int, ...]:
        """Sizes that features and all units may have together, or 0 for none."""
        fits = all(each in self.ladder(letter) for letter in "DMK" for each in _EQUAL if each)
        return _EQUAL if fits else (0,)


def _each(functions: str | Activation | Sequence[str | Activation | None]) -> tuple[Any, ...]:
    """Activations, of which one may be said by itself."""
    return (functions,) if isinstance(functions, (str, Activation)) else tuple(functions)


def _modes(merge_modes: Collection[str | None]) -> tuple[str | None, ...]:
    """Check the merge modes that the user said, and return them with the simplest first."""
    if isinstance(merge_modes, str) or not merge_modes or any(mode not in MERGE_MODES for mode in merge_modes):
        raise ValueError(f"merge_modes must be some of {', '.join(map(repr, MERGE_MODES))}, not {merge_modes!r}")
    return tuple(mode for mode in MERGE_MODES if mode in merge_modes)


def _ranges(sizes: Sizes) -> tuple[tuple[str, tuple[int, int]], ...]:
    """Check the ranges of letters that the user said."""
    ranges = []
    for letter, said in sizes.items():
        if letter not in tuple("DMKNT"):
            raise ValueError(f"sizes has no letter {letter!r}: expected some of D, M, K, N, T")
        low, high = (size(letter, end) for end in (said if isinstance(said, tuple) else (said, said)))
        if low > high:
            raise ValueError(f"sizes[{letter!r}] must be (smallest, largest), not {said!r}")
        ranges.append((letter, (low, high)))
    return tuple(sorted(ranges))


# The codes, by name: those of the spec, then of each layer those of both directions together and of each.
SPEC = (
    *("equal sizes", "D", "source", "mask_value", "vocabulary", "fix T", "T", "fix N", "N", "dtype"),
    *("head", "K", "head_use_bias", "head_activation", "head_trainable"),
)
LAYER = (
    *("there", "alike", "wrapped", "backward only", "merge_mode", "own backward", "return_sequences", "return_state"),
    *("initial_state", "stateful", "go_backwards", "trainable"),
)
DIRECTION = (
    *("kind", "units0", "units1", "units2", "activation", "use_bias", "unroll", "zero_output_for_mask"),
    *("dropout", "recurrent_dropout"),
)
#: Of a Dense layer before the head.
HIDDEN = ("there", "units", "activation", "use_bias")
MOST_HIDDEN = 2
SLOT = len(LAYER) + 2 * len(DIRECTION)
PLACE: dict[str, int] = {name: place for names in (SPEC, LAYER, DIRECTION) for place, name in enumerate(names)}
#: Kinds of layers: one of its own, ``RNN`` of a cell, and ``RNN`` of a list of 1, 2, 3 cells.
_KINDS = ("layer", "cell", 2, 3, 1)
ONE_OF_THREE = (False, False, True)
#: A size that features and all units have, or 0: only then do weights and states fit that were exchanged for others.
_EQUAL = (0, 0, 0, 0, 2, 3)
#: Sizes that a spec says beforehand; unrolled steps cost time.
_FIXED_T, _FIXED_N = (1, 2, 3, 3, 4, 5, 7), (1, 2, 2, 3, 3, 4)


class _Codes:
    """Reads choices from codes, and takes down which of them were read."""

    def __init__(self, codes: Sequence[int], style: Style) -> None:
        self.codes, self.style = codes, style
        self.read: set[int] = set()
        self.equal: int = self(0, "equal sizes", style.equal)

    def __call__(self, start: int, name: str, values: Sequence[Any], *needs: str) -> Any:
        """Choose one of the values: the first if it needs an option that is not to be had."""
        if not self.style.options.issuperset(needs):
            return values[0]
        return self.at(start + PLACE[name], values)

    def at(self, place: int, values: Sequence[Any]) -> Any:
        """Choose one of the values by the code at a place."""
        self.read.add(place)
        return values[self.codes[place] % len(values)]

    def cell(self, start: int) -> Cell:
        """Choose the cell of the direction whose codes start there."""
        if len(self.style.cells) == 1:
            return self.style.cells[0]
        within = (start - len(SPEC)) % SLOT
        place = self.style.cells_of(start).start + (within > len(LAYER))
        cell: Cell = self.at(place, self.style.cells)
        return cell

    def size(self, start: int, name: str, beside: int | None = None) -> int:
        """Choose a size that differs from its neighbour, so that swapped axes show; but 1 stays. Or all are equal."""
        return self.size_at(start + PLACE[name], "M" if name.startswith("units") else name, beside)

    def size_at(self, place: int, letter: str, beside: int | None) -> int:
        """Choose a size of a letter by the code at a place."""
        if self.equal:
            return self.equal
        ladder = self.style.ladder(letter)
        chosen: int = self.at(place, ladder)
        if chosen != beside or chosen == 1:
            return chosen
        others = (chosen - 1, chosen + 1) if chosen > 2 or max(ladder) < 3 else (chosen + 1,)
        return next((other for other in others if min(ladder) <= other <= max(ladder)), chosen)


def decode(codes: Sequence[int], style: Style) -> tuple[Spec, set[int]]:
    """Return the spec that codes stand for, and the places of the codes that were read for it."""
    choose = _Codes(codes, style)
    starts = [len(SPEC) + i * SLOT for i in range(style.max_layers)]
    there = [start for start in starts if style.max_layers > 1 and choose(start, "there", (False, True))] or starts[:1]
    F = D = choose.size(0, "D")
    layers: list[RNN | Bidirectional] = []
    like = 0
    for i, start in enumerate(there):
        # Most stacks that people build are of layers alike.
        like = like if i and choose(start, "alike", ONE_OF_THREE) else start
        layers.append(_layer(choose, start, like, F, last=start == there[-1]))
        F = layers[-1].features
    hidden = _hidden(choose, layers[-1])
    head = _head(choose, layers, hidden[-1].K if hidden else F)
    hidden = [dense.replace(distributed=head is not None and head.distributed) for dense in hidden]
    unrolled = any(each.unroll for layer in layers for each in layer.directions)
    dtype = choose(0, "dtype", style.dtypes)
    fixed: dict[str, Any] = {}
    if unrolled or choose(0, "fix T", (False, True), "T"):
        fixed["T"] = choose(0, "T", style.within("T", _FIXED_T[:4] if dtype.endswith("16") else _FIXED_T))
    if any(layer.stateful for layer in layers) or choose(0, "fix N", ONE_OF_THREE, "N"):
        fixed["N"] = choose(0, "N", style.within("N", _FIXED_N))
    sources = ["input"]
    sources += ["masking", "masking"] * ("masking" in style.options) + ["mask", "mask"] * ("mask" in style.options)
    if "embedding" in style.options:
        sources += ["embedding", "embedding with mask"] if style.mask_zero else ["embedding"]
    source = choose(0, "source", sources)
    if source == "masking":
        fixed["mask_value"] = choose(0, "mask_value", MASK_VALUES)
    if source.startswith("embedding"):
        fixed["vocabulary"] = choose(0, "vocabulary", (2, 3, 5, 9))
    return Spec(D, tuple(layers), head, source, dtype, **fixed, hidden=tuple(hidden)), choose.read


def _layer(choose: _Codes, start: int, like: int, F: int, last: bool) -> RNN | Bidirectional:
    """The layer whose codes start there, on `F` features; its directions are those of the codes at `like`."""
    two_outputs = last and "head" in choose.style.options
    modes = [mode for mode in choose.style.merge_modes if mode is not None or two_outputs]
    wrapped = choose(like, "wrapped", (False, False, True, True, True), "bidirectional") and modes
    shared: dict[str, Any] = {
        "return_sequences": not last or choose(start, "return_sequences", (False, True), "return_sequences")
    }
    for name in ("return_state", "initial_state", "stateful"):
        shared[name] = choose(start, name, ONE_OF_THREE, name)
    shared["trainable"] = choose(start, "trainable", (True, True, True, False), "trainable")
    forward, backward = (like + len(LAYER) + i * len(DIRECTION) for i in range(2))
    if not wrapped:
        only = choose(like, "backward only", (False, False, False, True), "backward_layer")
        shared["go_backwards"] = choose(start, "go_backwards", ONE_OF_THREE, "go_backwards")
        return _direction(choose, backward if only else forward, F, shared)
    merge_mode = choose(like, "merge_mode", modes, "merge_mode")
    one, other = _direction(choose, forward, F, shared), None
    if choose(like, "own backward", (False, True), "backward_layer"):
        M = None if merge_mode in ("concat", None) else one.features
        other = _direction(choose, backward, F, shared, M)
    return Bidirectional(one, other, merge_mode)


def _direction(choose: _Codes, start: int, F: int, shared: dict[str, Any], M: int | None = None) -> RNN:
    """One direction of a layer; `M` says how many features it has to have."""
    kind = choose(start, "kind", _KINDS, "cells")
    cells: list[int] = []
    count = kind if isinstance(kind, int) else 1
    for k in range(count):
        said = M if k == count - 1 else None
        cells.append(choose.size(start, f"units{k}", [F, *cells][-1]) if said is None else said)
    cell = choose.cell(start)
    if "projection" in cell.beyond:
        cell, cells = _projected(choose, cell, cells, M)
    own: dict[str, Any] = {}
    for name in ("unroll", "zero_output_for_mask"):
        own[name] = choose(start, name, ONE_OF_THREE, name)
    for name in ("dropout", "recurrent_dropout"):
        own[name] = choose(start, name, (0.0, 0.0, 0.5), name)
    own["activation"] = choose(start, "activation", choose.style.activations)
    own["use_bias"] = choose(start, "use_bias", (True, True, False), "use_bias")
    if kind == "layer":
        return LAYERS[cell.name](cells[0], cell=cell, **own, **shared)
    return RNN(tuple(cells) if isinstance(kind, int) else cells[0], cell=cell, **own, **shared)


def _projected(choose: _Codes, cell: Cell, cells: list[int], M: int | None) -> tuple[Cell, list[int]]:
    """Fit projection and units: it has as many features as there have to be, mostly fewer than there are units.

    PyTorch wants it so. Where all sizes are equal, these are too.
    """
    P = cell.state_units(1)[0] if M is None else M
    most = max(choose.style.ladder("M"))
    larger = [units if units > P or choose.equal or units + P > most else units + P for units in cells]
    return type(cell)(**vars(cell) | {"projection": P}), larger


def _hidden(choose: _Codes, last: RNN | Bidirectional) -> list[Dense]:
    """Choose Dense layers before the head; where there is none in the end, there are none of these either."""
    style = choose.style
    if "hidden" not in style.options or getattr(last, "merge_mode", "concat") is None:
        return []
    functions = style.activations if style.head_activations is None else style.head_activations
    found: list[Dense] = []
    F = last.features
    for start in range(style.hidden_codes, style.length, len(HIDDEN)):
        there, units, function, use_bias = (start + k for k in range(len(HIDDEN)))
        if choose.at(there, ONE_OF_THREE):
            F = choose.size_at(units, "M", F)
            biased = choose.at(use_bias, (True, True, False)) if "head" in style.options else True
            found.append(Dense(F, choose.at(function, functions or (None,)), biased))
    return found


def _head(choose: _Codes, layers: list[RNN | Bidirectional], F: int) -> Dense | None:
    """Choose a head for the layers, if they can have one. One that needs steps gets them."""
    last = layers[-1]
    if getattr(last, "merge_mode", "concat") is None:
        return None
    if "head" not in choose.style.options:
        return Dense(choose.size(0, "K", F), _head_activation(choose))
    kinds = (None, "Dense", "TimeDistributed") if last.return_sequences else (None, "Dense", "Dense")
    kind = choose(0, "head", kinds)
    if kind is None:
        return None
    return Dense(
        choose.size(0, "K", F),
        _head_activation(choose),
        choose(0, "head_use_bias", (True, True, False)),
        kind == "TimeDistributed",
        choose(0, "head_trainable", (True, True, True, False)),
    )


def _head_activation(choose: _Codes) -> Activation:
    """Choose the activation of a head: of those that heads may have, or else of those of the layers."""
    style = choose.style
    functions = style.head_activations
    if functions is None:
        functions = style.activations if style.options >= {"activation", "head"} else ()
    some = (activation("linear"), *(f for f in functions if f.name != "linear"))
    chosen: Activation = choose(0, "head_activation", some) if len(some) > 1 else some[0]
    return chosen
