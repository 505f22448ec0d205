"""Hypothesis strategies for networks, and for cases of them: all options together, and numbers that show each of them.

A network is drawn as a case's numbers are: one string of bytes, its *codes*, of which each stands for one choice. 0 is
the default, and so Hypothesis shrinks option by option. Every layer has codes of its own and one that says whether it
is there; so has each direction of a ``Bidirectional``. Thus any of them can go, and those that matter stay as they are.

A pool is a list of such codes. It is chosen so that as many pairs of options as possible come together *in one layer*,
and with the network-wide ones, since a bug that one option does not show is most often one of two. What the codes of a
member allow, its shrinking does: they are set to 0 one by one.

    from pytest_rnnequiv import strategies as rnn

    @given(case=rnn.network_cases(network=rnn.network_pool(options=("use_bias", "go_backwards", "mask"))))
    def test_port(case): ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations
from math import prod, sqrt
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..arithmetic.activations import Activation, activation
from ..model.network import MERGE_MODES, OPTIONS, POLICIES, Bidirectional, Head, Layer, Network
from ..model.network_case import Call, NetworkCase
from ..model.spec import size
from .drawn_numbers import SEEDS, code_book, noise, resolve, size_ladder, spread

__all__ = [
    "OPTIONS",
    "PATTERNS",
    "coverage",
    "features",
    "generic_network_case",
    "network_cases",
    "network_packs",
    "network_pool",
    "networks",
    "pool_members",
    "together",
]

Array = npt.NDArray[Any]
Names = Collection[str]
Functions = str | Activation | Sequence[str | Activation | None] | None
Sizes = Mapping[str, int | tuple[int, int]]

#: What an option brings with it.
_PARTS = {"bidirectional": ("merge_mode", "backward_layer"), "dropout": ("recurrent_dropout",)}

#: Activations that are drawn if nobody says which: of each kind one (bounded, with a kink, positive, none).
ACTIVATIONS = ("tanh", "relu", "sigmoid", "linear")
MASK_VALUES = (0.0, -1.0, 0.1)


# ---- from codes to networks ----


@dataclass(frozen=True)
class _Style:
    """Which networks there may be."""

    options: frozenset[str]
    dtypes: tuple[str, ...]
    activations: tuple[Activation, ...]
    max_layers: int
    max_units: int
    ranges: tuple[tuple[str, tuple[int, int]], ...] = ()

    @classmethod
    def of(
        cls,
        options: Names | None,
        dtypes: str | Names,
        activations: Functions,
        max_layers: int,
        max_units: int,
        sizes: Sizes | None = None,
    ) -> _Style:
        """Check what the user said."""
        for name, said in (("options", options), ("dtypes", dtypes), ("activations", activations)):
            if isinstance(said, SearchStrategy):
                raise TypeError(f"{name} must be the names to choose from, not a strategy of them")
        names = OPTIONS if options is None else options
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"options must be a collection of names, such as ('use_bias',), not {options!r}")
        unknown = sorted(set(names) - set(OPTIONS))
        if unknown:
            raise ValueError(f"unknown options {', '.join(unknown)}: expected some of {', '.join(OPTIONS)}")
        kinds = (dtypes,) if isinstance(dtypes, str) else tuple(dtypes)
        for kind in kinds:
            if kind not in POLICIES:
                raise ValueError(f"dtypes must be some of {', '.join(POLICIES)}, not {kind!r}")
        functions: tuple[Any, ...]
        if activations is None:
            functions = ACTIVATIONS if "activation" in names else ACTIVATIONS[:1]
        elif isinstance(activations, (str, Activation)):
            functions = (activations,)
        else:
            functions = tuple(activations)
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
        )

    @property
    def length(self) -> int:
        """Codes of a network."""
        return len(_NETWORK) + self.max_layers * _SLOT

    def within(self, letter: str, values: Sequence[int]) -> tuple[int, ...]:
        """Those of some values that a letter may have; the least that it may, if there are none."""
        low, high = dict(self.ranges).get(letter, (0, max(values)))
        return tuple(value for value in values if low <= value <= high) or (low,)

    @lru_cache(64)  # noqa: B019  # styles are few
    def ladder(self, letter: str) -> tuple[int, ...]:
        """Sizes of a letter to choose from, simplest first."""
        low, high = dict(self.ranges).get(letter, (1, self.max_units))
        ladder = size_ladder(low, min(high, max(low, self.max_units)))
        return (
            ladder if len(ladder) < 256 else tuple(sorted(set(ladder) & {*range(1, 34), *ladder[:: len(ladder) // 99]}))
        )

    @property
    def equal(self) -> tuple[int, ...]:
        """Sizes that features and all units may have together, or 0 for none."""
        fits = all(each in self.ladder(letter) for letter in "DMK" for each in _EQUAL if each)
        return _EQUAL if fits else (0,)


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


# The codes, by name: those of the network, then of each layer those of both directions together and of each.
_NETWORK = (
    *("equal sizes", "D", "source", "mask_value", "vocabulary", "fix T", "T", "fix N", "N", "dtype"),
    *("head", "K", "head_use_bias", "head_activation", "head_trainable"),
)
_LAYER = (
    *("there", "alike", "wrapped", "backward only", "merge_mode", "own backward", "return_sequences", "return_state"),
    *("initial_state", "stateful", "go_backwards", "trainable"),
)
_DIRECTION = (
    *("kind", "units0", "units1", "units2", "activation", "use_bias", "unroll", "zero_output_for_mask"),
    *("dropout", "recurrent_dropout"),
)
_SLOT = len(_LAYER) + 2 * len(_DIRECTION)
_PLACE: dict[str, int] = {name: place for names in (_NETWORK, _LAYER, _DIRECTION) for place, name in enumerate(names)}
#: Kinds of layers: ``SimpleRNN``, ``RNN(SimpleRNNCell)``, and ``RNN`` of a list of 1, 2, 3 cells.
_KINDS = ("SimpleRNN", "cell", 2, 3, 1)
_ONE_OF_THREE = (False, False, True)
#: A size that features and all units have, or 0: only then do weights and states fit that were exchanged for others.
_EQUAL = (0, 0, 0, 0, 2, 3)
#: Sizes that a network says beforehand; unrolled steps cost time.
_FIXED_T, _FIXED_N = (1, 2, 3, 3, 4, 5, 7), (1, 2, 2, 3, 3, 4)


class _Codes:
    """Reads choices from codes, and takes down which of them were read."""

    def __init__(self, codes: Sequence[int], style: _Style) -> None:
        self.codes, self.style = codes, style
        self.read: set[int] = set()
        self.equal: int = self(0, "equal sizes", style.equal)

    def __call__(self, start: int, name: str, values: Sequence[Any], *needs: str) -> Any:
        """Choose one of the values: the first if it needs an option that is not to be had."""
        if not self.style.options.issuperset(needs):
            return values[0]
        place = start + _PLACE[name]
        self.read.add(place)
        return values[self.codes[place] % len(values)]

    def size(self, start: int, name: str, beside: int | None = None) -> int:
        """Choose a size that differs from the one beside it, lest swapped axes hide; but 1 stays. Or all are equal."""
        if self.equal:
            return self.equal
        ladder = self.style.ladder("M" if name.startswith("units") else name)
        chosen: int = self(start, name, ladder)
        if chosen != beside or chosen == 1:
            return chosen
        others = (chosen - 1, chosen + 1) if chosen > 2 or max(ladder) < 3 else (chosen + 1,)
        return next((other for other in others if min(ladder) <= other <= max(ladder)), chosen)


def _decode(codes: Sequence[int], style: _Style) -> tuple[Network, set[int]]:
    """Return the network that codes stand for, and the places of the codes that have a say in it."""
    choose = _Codes(codes, style)
    starts = [len(_NETWORK) + i * _SLOT for i in range(style.max_layers)]
    there = [start for start in starts if style.max_layers > 1 and choose(start, "there", (False, True))] or starts[:1]
    F = D = choose.size(0, "D")
    layers: list[Layer | Bidirectional] = []
    like = 0
    for i, start in enumerate(there):
        # Most stacks that people build are of layers alike.
        like = like if i and choose(start, "alike", _ONE_OF_THREE) else start
        layers.append(_layer(choose, start, like, F, last=start == there[-1]))
        F = layers[-1].features
    head = _head(choose, layers, F)
    unrolled = any(
        each.unroll
        for layer in layers
        for each in ((layer,) if isinstance(layer, Layer) else (layer.forward, layer.backward or layer.forward))
    )
    dtype = choose(0, "dtype", style.dtypes)
    fixed: dict[str, Any] = {}
    if unrolled or choose(0, "fix T", (False, True), "T"):
        fixed["T"] = choose(0, "T", style.within("T", _FIXED_T[:4] if dtype.endswith("16") else _FIXED_T))
    if any(layer.stateful for layer in layers) or choose(0, "fix N", _ONE_OF_THREE, "N"):
        fixed["N"] = choose(0, "N", style.within("N", _FIXED_N))
    sources = ["input"]
    sources += ["masking", "masking"] * ("masking" in style.options) + ["mask", "mask"] * ("mask" in style.options)
    sources += ["embedding", "embedding with mask"] * ("embedding" in style.options)
    source = choose(0, "source", sources)
    if source == "masking":
        fixed["mask_value"] = choose(0, "mask_value", MASK_VALUES)
    if source.startswith("embedding"):
        fixed["vocabulary"] = choose(0, "vocabulary", (2, 3, 5, 9))
    return Network(D, tuple(layers), head, source, dtype, **fixed), choose.read


def _layer(choose: _Codes, start: int, like: int, F: int, last: bool) -> Layer | Bidirectional:
    """The layer whose codes start there, on `F` features; its directions are those of the codes at `like`."""
    wrapped = choose(like, "wrapped", (False, False, True, True, True), "bidirectional")
    shared: dict[str, Any] = {
        "return_sequences": not last or choose(start, "return_sequences", (False, True), "return_sequences")
    }
    for name in ("return_state", "initial_state", "stateful"):
        shared[name] = choose(start, name, _ONE_OF_THREE, name)
    shared["trainable"] = choose(start, "trainable", (True, True, True, False), "trainable")
    forward, backward = (like + len(_LAYER) + i * len(_DIRECTION) for i in range(2))
    if not wrapped:
        only = choose(like, "backward only", (False, False, False, True), "backward_layer")
        shared["go_backwards"] = choose(start, "go_backwards", _ONE_OF_THREE, "go_backwards")
        return _direction(choose, backward if only else forward, F, shared)
    modes = MERGE_MODES if last and (choose.style.options >= {"head"}) else MERGE_MODES[:-1]
    merge_mode = choose(like, "merge_mode", modes, "merge_mode")
    one, other = _direction(choose, forward, F, shared), None
    if choose(like, "own backward", (False, True), "backward_layer"):
        M = None if merge_mode in ("concat", None) else one.features
        other = _direction(choose, backward, F, shared, M)
    return Bidirectional(one, other, merge_mode)


def _direction(choose: _Codes, start: int, F: int, shared: dict[str, Any], M: int | None = None) -> Layer:
    """One direction of a layer; `M` says how many features it has to have."""
    kind = choose(start, "kind", _KINDS, "cells")
    cells: list[int] = []
    count = kind if isinstance(kind, int) else 1
    for k in range(count):
        said = M if k == count - 1 else None
        cells.append(choose.size(start, f"units{k}", [F, *cells][-1]) if said is None else said)
    own: dict[str, Any] = {}
    for name in ("unroll", "zero_output_for_mask"):
        own[name] = choose(start, name, _ONE_OF_THREE, name)
    for name in ("dropout", "recurrent_dropout"):
        own[name] = choose(start, name, (0.0, 0.0, 0.5), name)
    return Layer(
        tuple(cells) if isinstance(kind, int) else cells[0],
        choose(start, "activation", choose.style.activations),
        choose(start, "use_bias", (True, True, False), "use_bias"),
        cell=kind == "cell",
        **own,
        **shared,
    )


def _head(choose: _Codes, layers: list[Layer | Bidirectional], F: int) -> Head | None:
    """Choose a head for the layers, if they can have one. One that needs steps gets them."""
    last = layers[-1]
    if getattr(last, "merge_mode", "concat") is None:
        return None
    if "head" not in choose.style.options:
        return Head(choose.size(0, "K", F))
    kinds = (None, "Dense", "TimeDistributed") if last.return_sequences else (None, "Dense", "Dense")
    kind = choose(0, "head", kinds)
    if kind is None:
        return None
    functions = (activation("linear"), *(a for a in choose.style.activations if a.name != "linear"))
    return Head(
        choose.size(0, "K", F),
        functions[0] if "activation" not in choose.style.options else choose(0, "head_activation", functions),
        choose(0, "head_use_bias", (True, True, False)),
        kind == "TimeDistributed",
        choose(0, "head_trainable", (True, True, True, False)),
    )


# ---- networks ----


def networks(
    *,
    options: Names | None = None,
    dtypes: str | Names = ("float32",),
    activations: Functions = None,
    max_layers: int = 3,
    max_units: int = 9,
    sizes: Sizes | None = None,
) -> SearchStrategy[Network]:
    """Networks with any of the options, all together. They shrink to one layer with those that matter.

    Parameters
    ----------
    options : collection of str
        Which of :data:`OPTIONS` may differ from their defaults: what a port heeds. All, if left out.
    dtypes : str or collection of str
        Dtype policies.
    activations : str, Activation or sequence of these
        Of the layers, and of heads where `options` has both; simplest first. By default :data:`ACTIVATIONS`, or only
        ``"tanh"`` if `options` lacks ``"activation"``.
    max_layers, max_units : int
    sizes : mapping, optional
        Of some of the letters ``D, M, K, N, T`` the size, or the smallest and the largest one.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value.
    """
    style = _Style.of(options, dtypes, activations, max_layers, max_units, sizes)
    return _networks(st.binary(min_size=style.length, max_size=style.length), style)


# No .map() here: Hypothesis takes all that is mapped for parts of one kind, which may stand in for each other.
@st.composite
def _networks(draw: DrawFn, codes: SearchStrategy[bytes], style: _Style) -> Network:
    return _decode(resolve(draw, "network codes", codes), style)[0]


def features(network: Network) -> list[frozenset[str]]:
    """What is not plain about each recurrent layer, and each direction of it: ``{"use_bias=False", "T=None", ...}``.

    One set for each layer that runs over the inputs, with the layer's own options and those of the network. So pairs
    and triples that come together in one layer can be counted.
    """
    shared = {f"dtype={network.dtype}"} - {"dtype=float32"} | {f"source={network.source}"} - {"source=input"}
    shared |= {"T=None" if network.T is None else "T fixed", "N=None" if network.N is None else "N fixed"}
    if network.source == "masking" and network.mask_value:
        shared.add(f"mask_value={network.mask_value}")
    if len(network.layers) > 1:
        shared.add(f"layers={len(network.layers)}")
    if (head := network.head) is not None:
        shared.add("head=TimeDistributed" if head.distributed else "head=Dense")
        shared |= {"head_use_bias=False"} if not head.use_bias else set()
        shared |= {"head_trainable=False"} if not head.trainable else set()
        shared |= {f"head_activation={head.activation}"} if head.activation.name != "linear" else set()
    found = []
    shapes: list[dict[str, tuple[int, ...]]] = []
    F = network.D
    for i, layer in enumerate(network.layers):
        wrapping = {"below another"} if i < len(network.layers) - 1 else set()
        wrapping |= {"above another"} if i else set()
        # Weights of two layers can be exchanged only where they have the same shapes.
        shapes.append(layer.weight_shapes(F))
        wrapping |= {f"like layer {below}" for below in range(i) if shapes[below] == shapes[i]}
        if isinstance(layer, Bidirectional):
            wrapping |= {f"merge_mode={layer.merge_mode}"} | ({"backward_layer"} if layer.backward else set())
            found.append(frozenset(shared | wrapping | _own_features(layer.forward, F)))
            backward = _own_features(layer.backward or layer.forward, F)
            found.append(frozenset(shared | wrapping | backward | {"backward"}))
        else:
            found.append(frozenset(shared | wrapping | _own_features(layer, F)))
        F = layer.features
    return found


_FLAGS = (
    *("return_sequences", "return_state", "initial_state", "go_backwards", "stateful", "unroll", "cell"),
    *("zero_output_for_mask", "dropout", "recurrent_dropout"),
)


def _own_features(layer: Layer, F: int) -> set[str]:
    """Those of one direction of a layer on `F` features, as the user wrote it."""
    own = {name for name in _FLAGS if getattr(layer, name)}
    own |= {f"{name}=False" for name in ("use_bias", "trainable") if not getattr(layer, name)}
    own |= {f"activation={layer.activation}"} - {"activation=tanh"}
    if F == layer.cells[0] > 1:
        own.add("units=features")
    if isinstance(layer.units, tuple):
        own |= {f"cells={len(layer.cells)}"} | ({"equal cells"} if len({*layer.cells}) < len(layer.cells) else set())
    return own


def together(networks: Iterable[Network], strength: int = 2) -> Counter[tuple[str, ...]]:
    """Count the layers in which features come together: pairs, or as many as `strength` says."""
    counted: Counter[tuple[str, ...]] = Counter()
    for network in networks:
        for found in features(network):
            counted.update(combinations(sorted(found), strength))
    return counted


def coverage(
    networks: Iterable[Network],
    *,
    strength: int = 2,
    options: Names | None = None,
    dtypes: str | Names = ("float32",),
    activations: Functions = None,
    max_layers: int = 3,
) -> tuple[int, int]:
    """Count the pairs of features that come together in a layer of some network, and those that may at all.

    Parameters
    ----------
    networks : iterable of Network
    strength : int
        2 for pairs, 3 for triples.
    options, dtypes, activations, max_layers
        Which networks there may be, as in :func:`networks`. What may come together is found among 4000 random ones of
        them: 1165 pairs by default, of which a pool of 40 has all but two.

    Returns
    -------
    covered, possible : int
    """
    covered = set(together(networks, strength))
    style = _Style.of(options, dtypes, activations, max_layers, 3)
    return len(covered), len(covered | _possible(style, strength))


@lru_cache(8)
def _possible(style: _Style, strength: int) -> frozenset[tuple[str, ...]]:
    return frozenset(together((network for network, _ in _candidates(style, 0, 4000)), strength))


# ---- pools ----

#: Candidates of a pool, and how many more for each dtype. With float32 and the usual activations one network of 45 or
#: so has the rarest pair.
_CANDIDATES, _FOR_EACH_DTYPE = 1500, 200


def _candidates(style: _Style, seed: int, count: int) -> Iterable[tuple[Network, tuple[int, ...]]]:
    """Yield networks with their codes: as random as can be, and the same on every machine and in every version."""
    random = Random(seed).random
    for _ in range(count):
        codes = tuple(int(256 * random()) for _ in range(style.length))
        network, read = _decode(codes, style)
        yield network, tuple(code if place in read else 0 for place, code in enumerate(codes))


class _Candidate(NamedTuple):
    """A network that a pool may have: its pairs of features as bits, and what it costs to build and to compute."""

    network: Network
    codes: tuple[int, ...]
    pairs: int
    cost: int


@lru_cache(16)
def _weighed(seed: int, style: _Style, count: int) -> tuple[_Candidate, ...]:
    numbers: dict[tuple[str, ...], int] = {}
    weighed: dict[Network, _Candidate] = {}
    for network, codes in _candidates(style, seed, count):
        pairs = 0
        for pair in together([network]):
            pairs |= 1 << numbers.setdefault(pair, len(numbers))
        cost = 1 + sum(len(layer.directions) for layer in network.layers)
        weighed.setdefault(network, _Candidate(network, codes, pairs, cost))
    return tuple(weighed.values())


@lru_cache
def _pooled(
    count: int, seed: int, style: _Style, exclude: Callable[[Network], bool] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Codes of a pool's members beside the smallest: each adds as many new pairs of features as one of its cost can.

    Where there are none left, the pairs are begun again: then each comes in other company.
    """
    # most of them may be excluded
    tried = max(_CANDIDATES + _FOR_EACH_DTYPE * len(style.dtypes), 12 * count)
    candidates = [each for each in _weighed(seed, style, tried) if exclude is None or not exclude(each.network)]
    chosen, covered = list[tuple[int, ...]](), 0
    while candidates and len(chosen) < count:
        gains = [(each.pairs & ~covered).bit_count() / each.cost for each in candidates]
        best = gains.index(max(gains))
        if covered and not gains[best]:
            covered = 0
            continue
        _, codes, pairs, _ = candidates.pop(best)
        covered |= pairs
        chosen.append(_simplest(_each_its_own(codes, style), style))
    return tuple(chosen)


def _each_its_own(codes: tuple[int, ...], style: _Style) -> tuple[int, ...]:
    """Give a layer that is like another codes of its own, which say the same, so that the other can go."""
    own, like = list(codes), None
    shared = [_PLACE[name] for name in ("wrapped", "backward only", "merge_mode", "own backward")]
    for start in (len(_NETWORK) + i * _SLOT for i in range(style.max_layers)):
        if not codes[start + _PLACE["there"]] % 2:
            continue
        alike = start + _PLACE["alike"]
        like = like if like is not None and codes[alike] % len(_ONE_OF_THREE) == 2 else start
        for k in (*shared, *range(len(_LAYER), _SLOT)):
            own[start + k] = codes[like + k]
        own[alike] = 0
    return tuple(own)


@lru_cache(4096)
def _simplest(codes: tuple[int, ...], style: _Style) -> tuple[int, ...]:
    """Set codes to 0 that change nothing."""
    network, _ = _decode(codes, style)
    for place, code in enumerate(codes):
        if code:
            tried = (*codes[:place], 0, *codes[place + 1 :])
            codes = tried if _decode(tried, style)[0] == network else codes
    return codes


#: Sizes ``D, M`` that a pool begins with.
_SMALLEST = ((1, 1), (1, 2), (2, 1))
_WHICH = st.sampled_from((*range(len(_SMALLEST)), *(len(_SMALLEST),) * 80))
# Rare: each makes another model, which costs an implementation time. Shrinking asks for all of them.
_SIMPLER = st.sampled_from((True, *(False,) * 3000))


def network_pool(
    *,
    count: int = 40,
    seed: int = 0,
    options: Names | None = None,
    dtypes: str | Names = ("float32",),
    activations: Functions = None,
    max_layers: int = 3,
    max_units: int = 9,
    sizes: Sizes | None = None,
    exclude: Callable[[Network], bool] | None = None,
) -> SearchStrategy[Network]:
    """At most `count` different networks, for implementations that take long to build a model.

    They are chosen so that as many pairs of features (see :func:`features`) as possible come together in some layer,
    those that bring most of them first. The first three are the smallest networks, with no options: drawn rarely, and
    there to shrink to. A failing example shrinks further than to a member of the pool: its layers, head and options
    leave it one by one, which costs a few models more. The same arguments always give the same pool, and another `seed`
    gives another.

    Parameters
    ----------
    count, seed : int
    options, dtypes, activations, max_layers, max_units, sizes
        As in :func:`networks`.
    exclude : callable, optional
        Says of a network whether it must not be in the pool; others come in its place. A simpler one that shrinking
        tries may be such all the same. Pass the same function each time: for another, the pool is made anew.

    Raises
    ------
    TypeError, ValueError
        If `count` is less than 4, or an argument is no such value.
    """
    chosen, style = _chosen(
        count=count,
        seed=seed,
        options=options,
        dtypes=dtypes,
        activations=activations,
        max_layers=max_layers,
        max_units=max_units,
        sizes=sizes,
        exclude=exclude,
    )
    # At once, for it takes a second, which Hypothesis would complain of in a draw.
    return _network_pool(chosen, style)


def pool_members(**arguments: Any) -> list[Network]:
    """List what is in a pool beside the smallest networks; the arguments are those of :func:`network_pool`, all given.

    Only `seed`, `max_layers` and `sizes` may be left out.
    """
    chosen, style = _chosen(**arguments)
    return [_network_of(codes, style) for codes in chosen]


def _chosen(
    *,
    count: int,
    options: Names | None,
    dtypes: str | Names,
    activations: Functions,
    max_units: int,
    exclude: Callable[[Network], bool] | None,
    seed: int = 0,
    max_layers: int = 3,
    sizes: Sizes | None = None,
) -> tuple[tuple[tuple[int, ...], ...], _Style]:
    size("count", count, least=len(_SMALLEST) + 1)
    size("seed", seed, least=0)
    if exclude is not None and not callable(exclude):
        raise TypeError(f"exclude must be a function that takes a network, not {exclude!r}")
    style = _Style.of(options, dtypes, activations, max_layers, max_units, sizes)
    return _pooled(count - len(_SMALLEST), seed, style, exclude), style


@st.composite
def _network_pool(draw: DrawFn, pooled: tuple[tuple[int, ...], ...], style: _Style) -> Network:
    which = resolve(draw, "which", _WHICH)
    if which < len(_SMALLEST) or not pooled:  # or all are excluded
        return _smallest(which % len(_SMALLEST), style)
    codes = pooled[resolve(draw, "rest", _index(len(pooled)))]
    for i, changes in enumerate(_simplifications(codes, style)):
        if resolve(draw, f"simpler {i}", _SIMPLER):
            codes = tuple(changes.get(place, code) for place, code in enumerate(codes))
    return _network_of(codes, style)


@lru_cache
def _index(count: int) -> SearchStrategy[int]:
    return st.sampled_from(range(count))


@lru_cache(4096)
def _network_of(codes: tuple[int, ...], style: _Style) -> Network:
    return _decode(codes, style)[0]


def _smallest(which: int, style: _Style) -> Network:
    network = _network_of((0,) * style.length, style)
    D, M = (
        style.within(letter, (min(each, style.max_units),))[0]
        for letter, each in zip("DM", _SMALLEST[which], strict=True)
    )
    (layer,) = network.layers
    assert isinstance(layer, Layer)
    return network.replace(D=D).with_layer(0, layer.replace(units=M))


@lru_cache(4096)
def _simplifications(codes: tuple[int, ...], style: _Style) -> tuple[dict[int, int], ...]:
    """What may be changed about a pool's member while it shrinks, in this order: codes by their places."""
    changes: list[tuple[int, dict[int, int]]] = []
    for place, code in enumerate(codes):
        if not code:
            continue
        start, name = _named(place)
        if name == "there":
            changes.append((0, {place: 0}))
        elif name == "wrapped":
            # one direction alone: either
            changes += [(1, {place: 0}), (2, {place: 0, start + _PLACE["backward only"]: 3})]
        elif name in ("D", "K", "units0", "units1", "units2"):
            ladder = style.ladder("M" if name.startswith("units") else name)
            changes += [(5, {place: 0}), (4, {place: ladder.index(2) if 2 in ladder else 0})]
        else:
            changes.append((3, {place: 0}))
    return tuple(change for _, change in sorted(changes, key=itemgetter(0)))


def _named(place: int) -> tuple[int, str]:
    """Where the layer of a code starts, and the code's name."""
    if place < len(_NETWORK):
        return 0, _NETWORK[place]
    slot, place = divmod(place - len(_NETWORK), _SLOT)
    start = len(_NETWORK) + slot * _SLOT
    return start, (_LAYER + 2 * _DIRECTION)[place]


# ---- numbers ----

#: Bytes of a case: how many each kind of block has, in the order in which they shrink away. Those of a kind are read
#: from the last to the first; a second block of a kind (another cell, direction, layer or call) begins elsewhere among
#: them.
_BYTES_OF = {"knobs": 12, "mask": 7, "state": 5, "bo": 3, "Wo": 7, "E": 11, "x": 19, "Wx": 13, "Wh": 17, "bh": 5}
_BYTES = st.binary(min_size=sum(_BYTES_OF.values()), max_size=sum(_BYTES_OF.values()))
_ENDS = dict(zip(_BYTES_OF, accumulate(_BYTES_OF.values()), strict=True))
_KIND_OF = {kind: k for k, kind in enumerate(_BYTES_OF)}

#: Scales of a kind of block, divided by the root of its fan-in; knob 0 is the plain code book. Those of ``Wh`` are
#: about its spectral radius: mostly contracting, since where states are not shown the bound travels with them.
_SCALES: dict[str, tuple[float, ...]] = {
    "x": (0.3, 0.9, 1.1, 2.7),
    "E": (0.3, 0.9, 1.1, 2.7),
    "Wx": (0.4, 0.9, 1.3, 2.3),
    "Wh": (0.3, 0.5, 0.6, 0.7, 0.9, 1.1, 0.8, 1.7, 0.4, 0.9, 2.6),
    "bh": (0.3, 0.7, 1.1),
    "Wo": (0.4, 0.9, 1.3),
    "bo": (0.3, 0.7, 1.1),
    "state": (0.3, 0.9),
}
#: The same for 16 bits. Their bounds are wide, and more so where they travel. Beside states that biases keep large, and
#: with little that is handed on, they still tell right from wrong: this was chosen by trying.
_SCALES_16: dict[str, tuple[float, ...]] = {
    "x": (0.9, 0.5, 1.1),
    "E": (0.9, 0.5, 1.1),
    "Wx": (0.5, 0.3),
    "Wh": (0.3, 0.2, 0.2, 0.5),
    "bh": (1.1, 1.5),
    "Wo": (0.9, 0.4),
    "bo": (1.1, 0.7),
    "state": (0.5, 0.9),
}
#: Rarely a block has large values among the others: knob -> kind, factor. The last one overflows 16 bits.
_LARGE = {1: ("x", 1e2), 2: ("Wx", 1e2), 3: ("bh", 1e2), 4: ("state", 1e2), 5: ("bo", 1e3), 6: ("x", 1e5)}
_LARGE_OF, _LARGE_CODES = 160, 232
#: What masked steps hold where that must not matter, now and then.
_RUBBISH: dict[int, float] = {1: float("nan"), 2: float("inf"), 3: 1e30, 4: -7.7, 5: 0.0}
_RUBBISH_OF = 12
_KNOBS = (*_SCALES, "large", "pattern", "rubbish", "decoys")

#: Which steps are masked: none, the last ones, the first ones, any, all of some samples, all.
PATTERNS = ("none", "trailing", "leading", "scattered", "rows", "all")
_USUAL_PATTERNS = ("none", *PATTERNS[1:5] * 3, "none", "all")


class _Plan(NamedTuple):
    """How the blocks of a network are laid out over the bytes of a case."""

    shapes: tuple[tuple[int, ...], ...]
    #: Of each number: the byte that it reads, how much of the noise is added, its kind, one over its fan-in's root.
    reads: npt.NDArray[np.intp]
    noisy: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.intp]
    roots: npt.NDArray[np.float64]


@lru_cache(512)
def _plan(network: Network, N: int, T: int, calls: int) -> _Plan:
    """Lay out the weights, and then inputs, mask and initial states of each call."""
    blocks = [(name.rpartition("/")[2], shape) for name, shape in network.weight_shapes.items()]
    own: list[tuple[str, tuple[int, ...]]] = [("x", (N, T) if network.embedded else (N, T, network.D))]
    own.append(("mask", (N, T + 1)))  # the first code of a sample is its own
    own += [("state", (N, M)) for layer in network.layers if layer.initial_state for M in _cells(layer)]
    blocks += own * calls
    met: Counter[str] = Counter()
    reads, noisy, kinds, roots = [], [], [], []
    for kind, shape in blocks:
        length, bytes_ = prod(shape), _BYTES_OF[kind]
        reads.append(_ENDS[kind] - 1 - (spread(bytes_, length).astype(np.intp) + 2 * met[kind]) % bytes_)
        noisy.append((np.arange(length) >= (0 if met[kind] else bytes_)).astype(np.uint8))
        kinds.append(np.full(length, _KIND_OF[kind]))
        roots.append(np.full(length, 1 / sqrt(shape[0]) if kind in ("Wx", "Wh", "Wo") else 1.0))
        met[kind] += 1
    shapes = tuple(shape for _, shape in blocks)
    return _Plan(shapes, np.concatenate(reads), np.concatenate(noisy), np.concatenate(kinds), np.concatenate(roots))


def _cells(layer: Layer | Bidirectional) -> list[int]:
    return [M for direction in layer.directions for M in direction.cells]


def _fill(
    network: Network, N: int, T: int, resets: Sequence[bool], strings: list[bytes], seed: int, patterns: Sequence[Any]
) -> list[NetworkCase]:
    """Give a network its numbers, once for each string of bytes."""
    plan = _plan(network, N, T, len(resets))
    drawn = np.frombuffer(b"".join(strings), np.uint8).reshape(len(strings), -1)
    codes = drawn[:, plan.reads] + plan.noisy * noise(seed, len(plan.noisy))
    book = code_book(network.variable_dtype if network.variable_dtype != "bfloat16" else "float32")
    values = book[codes]
    ends = np.cumsum([prod(shape) for shape in plan.shapes])[:-1]
    cases = []
    for own, value, code, pattern in zip(drawn.tolist(), values, codes, patterns, strict=True):
        knobs = dict(zip(_KNOBS, own, strict=False))
        value = _tuned(value, code, plan, knobs, _short(network))
        arrays = [a.reshape(s) for a, s in zip(np.split(value, ends), plan.shapes, strict=True)]
        coded = [a.reshape(s) for a, s in zip(np.split(code, ends), plan.shapes, strict=True)]
        count = len(network.weight_shapes)
        each = (len(arrays) - count) // len(resets)
        calls = []
        for c, reset in enumerate(resets):
            first = count + c * each
            chosen = pattern or _USUAL_PATTERNS[(knobs["pattern"] + c) % len(_USUAL_PATTERNS)]
            if pattern is None and not knobs["pattern"]:
                chosen = "none"
            mask = _mask(chosen, coded[first + 1])
            x = _inputs(network, arrays[first], coded[first], mask, knobs)
            given = mask if network.source == "mask" else None
            calls.append(Call(x, given, tuple(arrays[first + 2 : first + each]), reset))
        with np.errstate(over="ignore"):  # of 16 bits, rarely
            cases.append(NetworkCase(network, tuple(arrays[:count]), tuple(calls)))
    return cases


#: Knobs of a generic case, by kind of block: what is usual, and handed on by a contracting ``Wh``.
_GENERIC = {"x": 3, "E": 3, "Wx": 2, "Wh": 2, "bh": 2, "Wo": 2, "bo": 2, "state": 2, "pattern": 3}


def generic_network_case(
    network: Network, N: int, T: int, *, calls: int = 1, seed: int = 1, pattern: str | None = None
) -> NetworkCase:
    """Return a case of a network without anything special in it: always the same for the same arguments.

    Parameters
    ----------
    network : Network
    N, T : int
        Samples and steps, where the network leaves them open.
    calls : int
    seed : int
        Chooses the numbers, from 1 on.
    pattern : str, optional
        Which steps are masked, one of :data:`PATTERNS`; left out, those of the numbers' own.
    """
    N, T = network.N or N, network.T or T
    codes = bytes(_GENERIC.get(knob, 0) for knob in _KNOBS) + noise(seed, sum(_BYTES_OF.values())).tobytes()
    strings = [codes[: sum(_BYTES_OF.values())]]
    (case,) = _fill(network, N, T, (False,) * calls, strings, seed, [pattern])
    return case


def _short(network: Network) -> bool:
    """Whether it is computed in 16 bits."""
    return network.compute_dtype.endswith("16")


def _tuned(values: Array, codes: Array, plan: _Plan, knobs: dict[str, int], short: bool) -> Array:
    """Turn the knobs of a case."""
    scales, plain = np.ones(len(_KIND_OF)), np.ones(len(_KIND_OF), bool)
    for kind, known in (_SCALES_16 if short else _SCALES).items():
        knob = knobs[kind]
        # of 16 bits only what is shrunk is plain
        if knob := (knob and 1 + knob % len(known)) if short else knob % (len(known) + 1):
            scales[_KIND_OF[kind]], plain[_KIND_OF[kind]] = known[knob - 1], False
    values = values * np.where(plain[plan.kinds], 1.0, scales[plan.kinds] * plan.roots)
    kind, factor = _LARGE.get(knobs["large"] % _LARGE_OF, ("", 1.0))
    if kind:
        values = np.where((codes >= _LARGE_CODES) & (plan.kinds == _KIND_OF[kind]), values * factor, values)
    return values


def _mask(pattern: str, codes: Array) -> npt.NDArray[np.bool_]:
    """The mask of a call: False where a step is masked. The first code of each sample says how many steps, or whether.

    A pattern that is not ``"none"`` masks something if there is more than one step to mask, whatever the codes are.
    """
    N, T = codes.shape[0], codes.shape[1] - 1
    first, rest, steps = codes[:, :1].astype(int), codes[:, 1:], np.arange(T)
    mask: npt.NDArray[np.bool_] = np.ones((N, T), bool)
    if pattern in ("trailing", "leading") and N:
        count = first % T  # of masked steps, never all
        count[0, 0] = max(count[0, 0], T > 1)
        mask = steps < T - count if pattern == "trailing" else steps >= count
    elif pattern == "scattered" and N:
        mask = rest % 5 < 3
        mask[0, (first[0, 0] + 1) % T] = False
    elif pattern == "rows" and N:
        mask = (rest % 8 < 6) & (first % 3 > 0)
        mask[first[0, 0] % N] = False
        if N > 1:
            mask[(first[0, 0] + 1) % N] = True  # beside one that is all there
    elif pattern == "all":
        mask[:] = False
    return mask


def _inputs(network: Network, x: Array, codes: Array, mask: npt.NDArray[np.bool_], knobs: dict[str, int]) -> Array:
    """What a call gets as its inputs, such that the steps that are to be masked are."""
    if network.embedded:
        # the same where zeros are not masked: then they are a word like any other
        ids = 1 + codes.astype(np.int32) % (network.vocabulary - 1) if network.vocabulary > 1 else 0 * codes
        return np.where(mask, ids, 0)
    if network.source == "masking":
        # Runtimes that take subnormals for 0 would see other steps masked.
        x = np.where((x != 0) & (np.abs(x) < 1e-4), 0.25, x)
        if knobs["decoys"] % 4:  # steps that hold the mask_value in some features, but not in all
            some = codes % 3 == 0
            some &= ~some.all(-1, keepdims=True)
            x = np.where(some, network.mask_value, x)
        if knobs["decoys"] % 3 == 1:  # and steps that hold what is near to it
            near = network.mask_value * (1 + 1e-4) or 2e-4
            x = np.where(codes[..., :1] % 4 == 1, near, x)
        return np.where(mask[..., None], x, network.mask_value)
    if network.source == "mask" and (rubbish := knobs["rubbish"] % _RUBBISH_OF) in _RUBBISH:
        return np.where(mask[..., None], x, _RUBBISH[rubbish])
    return x


# ---- cases ----

#: Cases in a pack. Hypothesis allows a test 8192 bytes.
MOST_CASES = 48
#: Samples and steps that a network leaves open. No samples at all: rarely, and not to shrink to.
_SAMPLES_OF = (*sorted((1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 8) * 5), 0, 0, 0)
_SAMPLES = st.sampled_from(range(len(_SAMPLES_OF)))
#: By whether it is computed in 16 bits, where long sequences are mostly inconclusive.
_STEPS_OF = {
    False: (*sorted((1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 12, 2) * 3), 40),
    True: (*sorted((1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 5) * 3), 12),
}
_STEPS = st.sampled_from(range(len(_STEPS_OF[False])))
_STATEFUL_CALLS, _OTHER_CALLS = (1,) * 3 + (2,) * 7 + (3,) * 6, (1,) * 15 + (2,)
_CALLS = st.sampled_from(range(len(_OTHER_CALLS)))
_RESET = st.sampled_from((False, False, False, True))

Size = int | tuple[int, int] | SearchStrategy[int]


def network_cases(
    *,
    network: Network | SearchStrategy[Network] | None = None,
    N: Size | None = None,
    T: Size | None = None,
    calls: Size | None = None,
    pattern: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[NetworkCase]:
    """Whole cases of networks: weights, and the inputs, masks and initial states of one or more calls.

    Parameters
    ----------
    network : Network
        Left out, any that :func:`networks` draws.
    N, T : int
        Samples and steps. Left out, those that the network says; or else `N` mostly 2 or 3 and rarely 0, and `T` often
        1, 2 or 3, sometimes up to 12, rarely 40. A pair is the smallest and the largest of those.
    calls : int
        Calls in a row. Left out, up to 3 of a stateful network, some of them after a reset, and mostly 1 of another.
    pattern : {"none", "trailing", "leading", "scattered", "rows", "all"}
        Which steps are masked: none, the last ones of each sample, the first ones, any, all of some samples, all. Left
        out, any of these. Inputs of a network without a mask have no steps to mask; where ids are looked up without a
        mask they are 0 there.

    Each may also be a strategy of such values.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value, or the network is made for another `N` or `T`.
    """
    return _case(network_packs(max_size=1, network=network, N=N, T=T, calls=calls, pattern=pattern))


@st.composite
def _case(draw: DrawFn, packs: SearchStrategy[list[NetworkCase]]) -> NetworkCase:
    return draw(packs)[0]


def network_packs(
    *,
    max_size: int = 16,
    network: Network | SearchStrategy[Network] | None = None,
    N: Size | None = None,
    T: Size | None = None,
    calls: Size | None = None,
    pattern: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[list[NetworkCase]]:
    """Lists of 1 to `max_size` cases with the same network, `N`, `T`, calls and resets; mostly full.

    The other parameters are those of :func:`network_cases`. ``network=network_pool()`` bounds the number of models that
    are to be built.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value, or the network is made for another `N` or `T`.
    """
    if size("max_size", max_size) > MOST_CASES:
        raise ValueError(f"max_size must be at most {MOST_CASES}, or Hypothesis runs out of entropy, not {max_size}")
    if network is not None and not isinstance(network, (Network, SearchStrategy)):
        raise TypeError(f"network must be a Network or a strategy of networks, not {network!r}")
    for name, value, least in (("N", N, 0), ("T", T, 1), ("calls", calls, 1)):
        if isinstance(value, tuple):
            _ranges({name: value})
        elif value is not None and not isinstance(value, SearchStrategy):
            size(name, value, least)
            if isinstance(network, Network) and name != "calls":
                _fixed(network, name, value)
    if pattern is not None and not isinstance(pattern, SearchStrategy):
        _known(pattern)
    return _packs(max_size, _more(max_size), networks() if network is None else network, N, T, calls, pattern)


@lru_cache
def _more(most: int) -> SearchStrategy[bool]:
    return st.sampled_from((False, *(True,) * (4 * most)))


def _known(pattern: Any) -> str:
    if pattern not in PATTERNS:
        raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not {pattern!r}")
    return str(pattern)


def _fixed(network: Network, letter: str, value: int) -> int:
    """Check a size against the one that the network is made for."""
    fixed = getattr(network, letter)
    if fixed not in (None, value):
        raise ValueError(f"{letter} = {value}, but {network} is made for {letter} = {fixed}: leave {letter} out")
    return value


@lru_cache
def _of_range(values: tuple[int, ...], ends: tuple[int, int] | None) -> tuple[int, ...]:
    """Those of the usual values that lie in a range; its ends, if there are none."""
    if ends is None:
        return values
    low, high = ends
    return tuple(value for value in values if low <= value <= high) or (low, high)


@st.composite
def _packs(
    draw: DrawFn, most: int, more: SearchStrategy[bool], network: Any, N: Any, T: Any, calls: Any, pattern: Any
) -> list[NetworkCase]:
    # Bytes come before all else, for the reason that cases.py gives.
    strings = [resolve(draw, "bytes 0", _BYTES)]
    while len(strings) < most and resolve(draw, f"more than {len(strings)}", more):
        strings.append(resolve(draw, f"bytes {len(strings)}", _BYTES))
    network = resolve(draw, "network", network)
    # As many draws for each network, or it could not change while all else stays.
    sizes: dict[str, int] = {}
    for letter, argument, usual, least in (("N", N, _SAMPLES, 0), ("T", T, _STEPS, 1)):
        usually = argument is None or isinstance(argument, tuple)
        drawn = resolve(draw, letter, usual if usually else argument)
        if usually:
            values = _SAMPLES_OF if letter == "N" else _STEPS_OF[_short(network)]
            drawn = _of_range(values, argument)[drawn % len(_of_range(values, argument))]
        drawn = size(letter, drawn, least)
        fixed = getattr(network, letter)
        sizes[letter] = fixed if usually and fixed is not None else _fixed(network, letter, drawn)
    count = resolve(draw, "calls", _CALLS if calls is None else calls)
    if calls is None:
        count = (_STATEFUL_CALLS if network.stateful else _OTHER_CALLS)[count]
    seed = resolve(draw, "seed", SEEDS)
    patterns = [
        None if pattern is None else _known(resolve(draw, f"pattern {i}", pattern)) for i in range(len(strings))
    ]
    resets = [False, *(resolve(draw, f"reset {c}", _RESET) for c in range(1, size("calls", count)))]
    return _fill(network, sizes["N"], sizes["T"], resets, strings, seed, patterns)
