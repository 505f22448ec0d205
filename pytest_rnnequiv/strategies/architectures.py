"""Strategies of architectures: stacks, both directions, masks, states, dtypes and all options together.

A pool is a list of :mod:`codes <.codes>`. It is chosen so that as many pairs of options as possible come together *in
one layer*, and with the model-wide ones, since a bug that one option does not show is most often one of two. A
member shrinks as its codes allow: they are set to 0 one by one.

    from pytest_rnnequiv import strategies as rnn

    @given(case=rnn.cases(spec=rnn.architecture_pool(options=("use_bias", "go_backwards", "mask"))))
    def test_port(case): ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from itertools import combinations
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..cells import SimpleRNNCell
from ..cells.cell import Cell
from ..model.layers import MERGE_MODES, RNN, Bidirectional
from ..model.sizes import size
from ..model.spec import Spec
from .arguments import resolve
from .codes import DIRECTION, LAYER, ONE_OF_THREE, PLACE, SLOT, SPEC, Functions, Names, Sizes, Style, decode

#: The cells that are drawn where nobody says which.
PLAIN_CELL = (SimpleRNNCell.name,)

__all__ = ["architecture_pool", "architectures", "coverage", "features", "pool_members", "together"]

# ---- any architecture ----


def architectures(
    *,
    options: Names | None = None,
    dtypes: str | Names = ("float32",),
    activations: Functions = None,
    max_layers: int = 3,
    max_units: int = 9,
    sizes: Sizes | None = None,
    cells: Collection[str | Cell] = PLAIN_CELL,
    merge_modes: Collection[str | None] = MERGE_MODES,
    mask_zero: bool = True,
    head_activations: Functions = None,
) -> SearchStrategy[Spec]:
    """Architectures with any of the options, all together. They shrink to one layer with those that matter.

    Parameters
    ----------
    options : collection of str
        Which of :data:`OPTIONS` may differ from their defaults, and which of :data:`BEYOND_KERAS` cells may have: what
        a port heeds. All that Keras has, if left out.
    dtypes : str or collection of str
        Dtype policies.
    activations : str, Activation or sequence of these
        Of the layers, and of heads where `options` has both; simplest first. By default
        :data:`.codes.USUAL_ACTIVATIONS`, or only ``"tanh"`` if `options` lacks ``"activation"``.
    max_layers, max_units : int
    sizes : mapping, optional
        Of some of the letters ``D, M, K, N, T`` the size, or the smallest and the largest one.
    cells : collection of str
        Names of the cells that layers may have, simplest first.
    merge_modes : collection of str or None
        Of the option ``"bidirectional"``.
    mask_zero : bool
        Whether the option ``"embedding"`` has embeddings with a mask, too.
    head_activations : str, Activation or sequence of these, optional
        Of heads, beside ``"linear"``, where they are not those of the layers; whatever `options` has.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value.
    """
    half: dict[str, Any] = {"merge_modes": merge_modes, "mask_zero": mask_zero, "head_activations": head_activations}
    style = Style.of(options, dtypes, activations, max_layers, max_units, sizes, cells, **half)
    return _drawn(st.binary(min_size=style.length, max_size=style.length), style)


# No .map() here: Hypothesis takes all that is mapped for parts of one kind, which may stand in for each other.
@st.composite
def _drawn(draw: DrawFn, codes: SearchStrategy[bytes], style: Style) -> Spec:
    return decode(resolve(draw, "codes", codes), style)[0]


def features(spec: Spec) -> list[frozenset[str]]:
    """The options of each recurrent layer and direction that are not plain: ``{"use_bias=False", "T=None", ...}``.

    One set for each layer that runs over the inputs, with the layer's own options and those of the spec. So pairs and
    triples that come together in one layer can be counted.
    """
    shared = {f"dtype={spec.dtype}"} - {"dtype=float32"} | {f"source={spec.source}"} - {"source=input"}
    shared |= {"T=None" if spec.T is None else "T fixed", "N=None" if spec.N is None else "N fixed"}
    if spec.source == "masking" and spec.mask_value:
        shared.add(f"mask_value={spec.mask_value}")
    if len(spec.layers) > 1:
        shared.add(f"layers={len(spec.layers)}")
    if (head := spec.head) is not None:
        shared.add("head=TimeDistributed" if head.distributed else "head=Dense")
        shared |= {"head_use_bias=False"} if not head.use_bias else set()
        shared |= {"head_trainable=False"} if not head.trainable else set()
        shared |= {f"head_activation={head.activation}"} if head.activation.name != "linear" else set()
        shared |= {"hidden"} if spec.hidden else set()
    found = []
    shapes: list[dict[str, tuple[int, ...]]] = []
    F = spec.D
    for i, layer in enumerate(spec.layers):
        wrapping = {"below another"} if i < len(spec.layers) - 1 else set()
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
    *("return_sequences", "return_state", "initial_state", "go_backwards", "stateful", "unroll"),
    *("zero_output_for_mask", "dropout", "recurrent_dropout"),
)


def _own_features(layer: RNN, F: int) -> set[str]:
    """Those of one direction of a layer on `F` features, as the user wrote it."""
    own = {name for name in _FLAGS if getattr(layer, name)}
    own |= {f"{name}=False" for name in ("use_bias", "trainable") if not getattr(layer, name)}
    own |= {f"activation={layer.activation}"} - {"activation=tanh"}
    if F == layer.cells[0] > 1:
        own.add("units=features")
    if isinstance(layer.units, tuple):
        own |= {f"cells={len(layer.cells)}"} | ({"equal cells"} if len({*layer.cells}) < len(layer.cells) else set())
    elif type(layer) is RNN:
        own.add("cell")
    kind = layer.kinds[0]
    own |= {f"{name}={value}" for name, value, default in kind.said() if value != default}
    return own if kind == SimpleRNNCell() else own | {kind.name}


def together(specs: Iterable[Spec], strength: int = 2) -> Counter[tuple[str, ...]]:
    """Count the layers in which features come together: pairs, or as many as `strength` says."""
    counted: Counter[tuple[str, ...]] = Counter()
    for spec in specs:
        for found in features(spec):
            counted.update(combinations(sorted(found), strength))
    return counted


def coverage(
    specs: Iterable[Spec],
    *,
    strength: int = 2,
    options: Names | None = None,
    dtypes: str | Names = ("float32",),
    activations: Functions = None,
    max_layers: int = 3,
    cells: Collection[str | Cell] = PLAIN_CELL,
) -> tuple[int, int]:
    """Count the pairs of features that come together in a layer of some spec, and those that may at all.

    Parameters
    ----------
    specs : iterable of Spec
    strength : int
        2 for pairs, 3 for triples.
    options, dtypes, activations, max_layers, cells
        Which specs there may be, as in :func:`architectures`. What may come together is found among 4000 random ones of
        them: 1214 pairs by default, all of which a pool of 40 has.

    Returns
    -------
    covered, possible : int
    """
    covered = set(together(specs, strength))
    style = Style.of(options, dtypes, activations, max_layers, 3, cells=cells)
    return len(covered), len(covered | _possible(style, strength))


@lru_cache(8)
def _possible(style: Style, strength: int) -> frozenset[tuple[str, ...]]:
    return frozenset(together((spec for spec, _ in _candidates(style, 0, 4000)), strength))


# ---- pools ----

#: Candidates of a pool, and how many more for each dtype. With float32 and the usual activations one spec of 45 or so
#: has the rarest pair.
_CANDIDATES, _FOR_EACH_DTYPE = 1500, 200


def _candidates(style: Style, seed: int, count: int) -> Iterable[tuple[Spec, tuple[int, ...]]]:
    """Yield specs with their codes: as random as can be, and the same on every machine and in every version."""
    random = Random(seed).random
    for _ in range(count):
        codes = [int(256 * random()) for _ in range(style.length)]
        spec, read = decode(codes, style)
        yield spec, tuple([code if place in read else 0 for place, code in enumerate(codes)])


class _Candidate(NamedTuple):
    """A spec that a pool may have: its pairs of features as bits, and what it costs to build and to compute."""

    spec: Spec
    codes: tuple[int, ...]
    pairs: int
    cost: int


@lru_cache(16)
def _weighed(seed: int, style: Style, count: int) -> tuple[_Candidate, ...]:
    numbers: dict[str, int] = {}
    weighed: dict[Spec, _Candidate] = {}
    for spec, codes in _candidates(style, seed, count):
        cost = 1 + sum(len(layer.directions) for layer in spec.layers)
        weighed.setdefault(spec, _Candidate(spec, codes, _pairs(spec, numbers), cost))
    return tuple(weighed.values())


def _pairs(spec: Spec, numbers: dict[str, int]) -> int:
    """Return the pairs of features as bits: that of the ``i``-th and an earlier ``j``-th is bit ``i (i - 1) / 2 + j``.

    `numbers` are those of the features, in the order in which they were met; new ones are added.
    """
    pairs = 0
    for found in features(spec):
        own = 0
        for i in sorted(numbers.setdefault(each, len(numbers)) for each in found):
            pairs |= own << i * (i - 1) // 2
            own |= 1 << i
    return pairs


@lru_cache
def _pooled(
    count: int, seed: int, style: Style, exclude: Callable[[Spec], bool] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Choose the members of a pool beside the smallest. Each adds as many new pairs of features as its cost allows.

    When all pairs have come, they are counted anew, so that each comes in other company.
    """
    # most of them may be excluded
    tried = max(_CANDIDATES + _FOR_EACH_DTYPE * len(style.dtypes), 12 * count)
    candidates = list(_weighed(seed, style, tried))
    known: dict[Spec, bool] = {}

    def excluded(spec: Spec) -> bool:
        if exclude is not None and spec not in known:  # only those that would be chosen: to ask takes time
            known[spec] = exclude(spec)
        return known.get(spec, False)

    chosen, covered = list[tuple[int, ...]](), 0
    while len(chosen) < count:
        gains = [(each.pairs & ~covered).bit_count() / each.cost for each in candidates]
        in_order = sorted(range(len(candidates)), key=gains.__getitem__, reverse=True)  # of equal ones the first
        best = next((i for i in in_order if not excluded(candidates[i].spec)), None)
        if best is None:
            break
        if covered and not gains[best]:
            covered = 0
            continue
        _, codes, pairs, _ = candidates.pop(best)
        covered |= pairs
        chosen.append(_simplest(_each_its_own(codes, style), style))
    return tuple(chosen)


def _each_its_own(codes: tuple[int, ...], style: Style) -> tuple[int, ...]:
    """Give a layer that is like another its own codes, which say the same, so that the other can be removed."""
    own, like = list(codes), None
    shared = [PLACE[name] for name in ("wrapped", "backward only", "merge_mode", "own backward")]
    for start in (len(SPEC) + i * SLOT for i in range(style.max_layers)):
        if not codes[start + PLACE["there"]] % 2:
            continue
        alike = start + PLACE["alike"]
        like = like if like is not None and codes[alike] % len(ONE_OF_THREE) == 2 else start
        for k in (*shared, *range(len(LAYER), SLOT)):
            own[start + k] = codes[like + k]
        own[style.cells_of(start)] = codes[style.cells_of(like)]
        own[alike] = 0
    return tuple(own)


@lru_cache(4096)
def _simplest(codes: tuple[int, ...], style: Style) -> tuple[int, ...]:
    """Set codes to 0 that change nothing."""
    spec, _ = decode(codes, style)
    for place, code in enumerate(codes):
        if code:
            tried = (*codes[:place], 0, *codes[place + 1 :])
            codes = tried if decode(tried, style)[0] == spec else codes
    return codes


#: Sizes ``D, M`` that a pool begins with.
_SMALLEST = ((1, 1), (1, 2), (2, 1))
_WHICH = st.sampled_from((*range(len(_SMALLEST)), *(len(_SMALLEST),) * 80))
#: Bytes for each change that makes a member simpler: it is made where they are 0. That is rare, since each makes
#: another model, which costs an implementation time; shrinking asks for all of them.
_SIMPLER = 2


def architecture_pool(
    *,
    count: int = 40,
    seed: int = 0,
    options: Names | None = None,
    dtypes: str | Names = ("float32",),
    activations: Functions = None,
    max_layers: int = 3,
    max_units: int = 9,
    sizes: Sizes | None = None,
    exclude: Callable[[Spec], bool] | None = None,
    cells: Collection[str | Cell] = PLAIN_CELL,
    merge_modes: Collection[str | None] = MERGE_MODES,
    mask_zero: bool = True,
    head_activations: Functions = None,
) -> SearchStrategy[Spec]:
    """At most `count` different architectures, for implementations that take long to build a model.

    They are chosen so that as many pairs of features (see :func:`features`) as possible come together in some layer,
    those that bring most of them first. The first three are the smallest specs, with no options: drawn rarely, and
    there to shrink to. A failing example shrinks further than to a member of the pool: its layers, head and options
    leave it one by one, which costs a few models more. The same arguments always give the same pool, and another `seed`
    gives another.

    Parameters
    ----------
    count, seed : int
    options, dtypes, activations, max_layers, max_units, sizes, cells, merge_modes, mask_zero, head_activations
        As in :func:`architectures`.
    exclude : callable, optional
        Says of a spec whether it must not be in the pool; others come in its place. A simpler one that shrinking tries
        may be such all the same. Pass the same function each time: for another, the pool is made anew.

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
        cells=cells,
        merge_modes=merge_modes,
        mask_zero=mask_zero,
        head_activations=head_activations,
    )
    # At once, for it takes a second, which Hypothesis would complain of in a draw.
    most = max((len(_simplifications(codes, style)) for codes in chosen), default=0)
    return _drawn_of(chosen, style, st.binary(min_size=_SIMPLER * most, max_size=_SIMPLER * most))


def pool_members(**arguments: Any) -> list[Spec]:
    """List a pool but for its smallest specs; the arguments are those of :func:`architecture_pool`, all given.

    Only `seed`, `max_layers`, `sizes`, `cells` and what says half of an option may be left out.
    """
    chosen, style = _chosen(**arguments)
    return [_spec_of(codes, style) for codes in chosen]


def _chosen(
    *,
    count: int,
    options: Names | None,
    dtypes: str | Names,
    activations: Functions,
    max_units: int,
    exclude: Callable[[Spec], bool] | None,
    seed: int = 0,
    max_layers: int = 3,
    sizes: Sizes | None = None,
    cells: Collection[str | Cell] = PLAIN_CELL,
    **half: Any,
) -> tuple[tuple[tuple[int, ...], ...], Style]:
    size("count", count, least=len(_SMALLEST) + 1)
    size("seed", seed, least=0)
    if exclude is not None and not callable(exclude):
        raise TypeError(f"exclude must be a function that takes a spec, not {exclude!r}")
    style = Style.of(options, dtypes, activations, max_layers, max_units, sizes, cells, **half)
    return _pooled(count - len(_SMALLEST), seed, style, exclude), style


@st.composite
def _drawn_of(draw: DrawFn, pooled: tuple[tuple[int, ...], ...], style: Style, kept: SearchStrategy[bytes]) -> Spec:
    which = resolve(draw, "which", _WHICH)
    if which < len(_SMALLEST) or not pooled:  # or all are excluded
        return _smallest(which % len(_SMALLEST), style)
    codes = pooled[resolve(draw, "rest", _index(len(pooled)))]
    keep = resolve(draw, "simpler", kept)
    for i, changes in enumerate(_simplifications(codes, style)):
        if not any(keep[i * _SIMPLER : (i + 1) * _SIMPLER]):
            codes = tuple(changes.get(place, code) for place, code in enumerate(codes))
    return _spec_of(codes, style)


@lru_cache
def _index(count: int) -> SearchStrategy[int]:
    return st.sampled_from(range(count))


@lru_cache(4096)
def _spec_of(codes: tuple[int, ...], style: Style) -> Spec:
    return decode(codes, style)[0]


def _smallest(which: int, style: Style) -> Spec:
    spec = _spec_of((0,) * style.length, style)
    D, M = (
        style.within(letter, (min(each, style.max_units),))[0]
        for letter, each in zip("DM", _SMALLEST[which], strict=True)
    )
    (layer,) = spec.layers
    assert isinstance(layer, RNN)
    return spec.replace(D=D).with_layer(0, layer.replace(units=M))


@lru_cache(4096)
def _simplifications(codes: tuple[int, ...], style: Style) -> tuple[dict[int, int], ...]:
    """What may be changed about a pool's member while it shrinks, in this order: codes by their places."""
    changes: list[tuple[int, dict[int, int]]] = []
    for place, code in enumerate(codes):
        if not code:
            continue
        start, name = _named(place) if place < style.cell_codes else (0, "cell")
        if name == "there":
            changes.append((0, {place: 0}))
        elif name == "wrapped":
            # one direction alone: either
            changes += [(1, {place: 0}), (2, {place: 0, start + PLACE["backward only"]: 3})]
        elif name in ("D", "K", "units0", "units1", "units2"):
            ladder = style.ladder("M" if name.startswith("units") else name)
            changes += [(5, {place: 0}), (4, {place: ladder.index(2) if 2 in ladder else 0})]
        else:
            changes.append((3, {place: 0}))
    return tuple(change for _, change in sorted(changes, key=itemgetter(0)))


def _named(place: int) -> tuple[int, str]:
    """Where the layer of a code starts, and the code's name."""
    if place < len(SPEC):
        return 0, SPEC[place]
    slot, place = divmod(place - len(SPEC), SLOT)
    start = len(SPEC) + slot * SLOT
    return start, (LAYER + 2 * DIRECTION)[place]
