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
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from . import network as _network
from .activations import Activation, activation
from .drawn_numbers import size_ladder
from .network import MERGE_MODES, POLICIES, Bidirectional, Head, Layer, Network
from .spec import size

__all__ = [
    "OPTIONS",
    "PATTERNS",
    "coverage",
    "features",
    "network_cases",
    "network_packs",
    "network_pool",
    "networks",
    "together",
]

Array = npt.NDArray[Any]
Names = Collection[str]
Functions = str | Activation | Sequence[str | Activation | None] | None

#: What may differ from its default, by name: :data:`.network.OPTIONS`, parts of some of these, and the sizes that a
#: network may say beforehand. ``bidirectional`` is also ``merge_mode`` and ``backward_layer``, ``dropout`` is also
#: ``recurrent_dropout``; said alone, a part brings only itself. ``unroll`` and ``stateful`` bring the ``T`` and ``N``
#: that they need. Without ``head`` a network has a plain one.
OPTIONS = (*_network.OPTIONS, "recurrent_dropout", "merge_mode", "backward_layer", "T", "N")
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

    @classmethod
    def of(
        cls, options: Names | None, dtypes: str | Names, activations: Functions, max_layers: int, max_units: int
    ) -> _Style:
        """Check what the user said."""
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
        if parts | {*names} >= {"merge_mode"} or "backward_layer" in names:
            parts.add("bidirectional")
        return cls(
            frozenset(names) | parts,
            kinds,
            tuple(map(activation, functions)),
            size("max_layers", max_layers) if "layers" in names else size("max_layers", max_layers) and 1,
            size("max_units", max_units),
        )

    @property
    def layers(self) -> int:
        """Layers that have codes."""
        return self.max_layers

    @property
    def length(self) -> int:
        """Codes of a network."""
        return len(_NETWORK) + self.layers * _SLOT

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes to choose from, simplest first."""
        ladder = size_ladder(1, self.max_units)
        return ladder if len(ladder) < 256 else tuple(sorted(set(ladder) & {*range(1, 34), *ladder[:: len(ladder) // 99]}))


# The codes, by name: those of the network, then of each layer those of both directions together and of each.
_NETWORK = ("D", "source", "mask_value", "vocabulary", "fix T", "T", "fix N", "N", "dtype")
_NETWORK += ("head", "K", "head_use_bias", "head_activation", "head_trainable")
_LAYER = ("there", "wrapped", "backward only", "merge_mode", "own backward", "return_sequences", "return_state")
_LAYER += ("initial_state", "stateful", "go_backwards", "trainable")
_DIRECTION = ("kind", "units0", "units1", "units2", "activation", "use_bias", "unroll", "zero_output_for_mask")
_DIRECTION += ("dropout", "recurrent_dropout")
_SLOT = len(_LAYER) + 2 * len(_DIRECTION)
_PLACE: dict[str, int] = {
    name: place for names in (_NETWORK, _LAYER, _DIRECTION) for place, name in enumerate(names)
}
#: Kinds of layers: ``SimpleRNN``, ``RNN(SimpleRNNCell)``, and ``RNN`` of a list of 1, 2, 3 cells.
_KINDS = ("SimpleRNN", "cell", 2, 3, 1)
_ONE_OF_THREE = (False, False, True)
#: Sizes that a network says beforehand; unrolled steps cost time.
_FIXED_T, _FIXED_N = (1, 2, 3, 3, 4, 5, 7), (1, 2, 2, 3, 3, 4)


class _Codes:
    """Reads choices from codes, and takes down which of them were read."""

    def __init__(self, codes: Sequence[int], style: _Style) -> None:
        self.codes, self.style = codes, style
        self.read: set[int] = set()

    def __call__(self, start: int, name: str, values: Sequence[Any], *needs: str) -> Any:
        """Choose one of the values: the first if it needs an option that is not to be had."""
        if not self.style.options.issuperset(needs):
            return values[0]
        place = start + _PLACE[name]
        self.read.add(place)
        return values[self.codes[place] % len(values)]

    def size(self, start: int, name: str, beside: int | None = None) -> int:
        """Choose a size that differs from the one beside it, lest swapped axes hide; but 1 stays."""
        chosen: int = self(start, name, self.style.sizes)
        if chosen != beside or chosen == 1:
            return chosen
        return chosen - 1 if chosen > 2 or self.style.max_units < 3 else chosen + 1


def _decode(codes: Sequence[int], style: _Style) -> tuple[Network, set[int]]:
    """Return the network that codes stand for, and the places of the codes that have a say in it."""
    choose = _Codes(codes, style)
    starts = [len(_NETWORK) + i * _SLOT for i in range(style.layers)]
    there = [start for start in starts if style.layers > 1 and choose(start, "there", (False, True))] or starts[:1]
    F = D = choose.size(0, "D")
    layers: list[Layer | Bidirectional] = []
    for start in there:
        layers.append(_layer(choose, start, F, last=start == there[-1]))
        F = layers[-1].features
    head = _head(choose, layers, F)
    unrolled = any(d.unroll for layer in layers for d in layer.directions)
    fixed: dict[str, Any] = {}
    if unrolled or choose(0, "fix T", (False, True), "T"):
        fixed["T"] = choose(0, "T", _FIXED_T)
    if any(layer.stateful for layer in layers) or choose(0, "fix N", _ONE_OF_THREE, "N"):
        fixed["N"] = choose(0, "N", _FIXED_N)
    sources = ["input"]
    sources += ["masking", "masking"] * ("masking" in style.options) + ["mask", "mask"] * ("mask" in style.options)
    sources += ["embedding", "embedding with mask"] * ("embedding" in style.options)
    source = choose(0, "source", sources)
    if source == "masking":
        fixed["mask_value"] = choose(0, "mask_value", MASK_VALUES)
    if source.startswith("embedding"):
        fixed["vocabulary"] = choose(0, "vocabulary", (2, 3, 5, 9))
    dtype = choose(0, "dtype", style.dtypes)
    return Network(D, tuple(layers), head, source, dtype, **fixed), choose.read


def _layer(choose: _Codes, start: int, F: int, last: bool) -> Layer | Bidirectional:
    """The layer whose codes start there, on `F` features."""
    wrapped = choose(start, "wrapped", (False, False, True, True, True), "bidirectional")
    shared: dict[str, Any] = {
        "return_sequences": not last or choose(start, "return_sequences", (False, True), "return_sequences")
    }
    for name in ("return_state", "initial_state", "stateful"):
        shared[name] = choose(start, name, _ONE_OF_THREE, name)
    shared["trainable"] = choose(start, "trainable", (True, True, True, False), "trainable")
    forward, backward = (start + len(_LAYER) + i * len(_DIRECTION) for i in range(2))
    if not wrapped:
        only = choose(start, "backward only", (False, False, False, True), "backward_layer")
        shared["go_backwards"] = choose(start, "go_backwards", _ONE_OF_THREE, "go_backwards")
        return _direction(choose, backward if only else forward, F, shared)
    modes = MERGE_MODES if last and (choose.style.options >= {"head"}) else MERGE_MODES[:-1]
    merge_mode = choose(start, "merge_mode", modes, "merge_mode")
    one, other = _direction(choose, forward, F, shared), None
    if choose(start, "own backward", (False, True), "backward_layer"):
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

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value.
    """
    style = _Style.of(options, dtypes, activations, max_layers, max_units)
    return st.binary(min_size=style.length, max_size=style.length).map(lambda codes: _decode(codes, style)[0])


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
    for i, layer in enumerate(network.layers):
        wrapping = {"below another"} if i < len(network.layers) - 1 else set()
        wrapping |= {"above another"} if i else set()
        if isinstance(layer, Bidirectional):
            wrapping |= {f"merge_mode={layer.merge_mode}"} | ({"backward_layer"} if layer.backward else set())
            found.append(frozenset(shared | wrapping | _own_features(layer.forward)))
            backward = _own_features(layer.backward or layer.forward)
            found.append(frozenset(shared | wrapping | backward | {"backward"}))
        else:
            found.append(frozenset(shared | wrapping | _own_features(layer)))
    return found


def _own_features(layer: Layer) -> set[str]:
    """Those of one direction of a layer, as the user wrote it."""
    names = ("return_sequences", "return_state", "initial_state", "go_backwards", "stateful", "unroll", "cell")
    names += ("zero_output_for_mask", "dropout", "recurrent_dropout")
    own = {name for name in names if getattr(layer, name)}
    own |= {f"{name}=False" for name in ("use_bias", "trainable") if not getattr(layer, name)}
    own |= {f"activation={layer.activation}"} - {"activation=tanh"}
    return own | ({f"cells={len(layer.cells)}"} if isinstance(layer.units, tuple) else set())


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
        Which networks there may be, as in :func:`networks`. What may come together is found among 4000 of them that are
        as random as the pool's candidates are, and in `networks`.

    Returns
    -------
    covered, possible : int
    """
    covered = set(together(networks, strength))
    style = _Style.of(options, dtypes, activations, max_layers, 3)
    drawn = (network for network, _ in _candidates(style, 0, 4000))
    return len(covered), len(covered | set(together(drawn, strength)))
