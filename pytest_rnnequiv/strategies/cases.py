"""Strategies of the notebook's model: its sizes, its numbers, and whole cases.

A case has hundreds of numbers, and a draw for each would cost more than most implementations take to compute with
them. So a case draws one string of bytes, and a byte stands for a float in a code book, simplest first: 0 is ``0.0``,
1 is ``1.0``, 2 is ``-1.0``. Hypothesis shrinks bytes one by one towards 0, hence numbers towards zero and one. The
first bytes are *knobs* (the scale of each block, sparsity, large values), of which 0 is the plain choice.

Each block has a few bytes of its own in the string, as many for every architecture, so that its first numbers stay
what they are while sizes shrink. Larger blocks repeat them, with *noise* added that is expanded from a seed; seed 0 is
no noise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import accumulate
from math import prod, sqrt
from operator import attrgetter, itemgetter
from random import Random
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..arithmetic.activations import ACTIVATIONS, Activation
from ..model.case import Case
from ..model.spec import WEIGHT_NAMES, Spec, param_count, size
from .drawn_numbers import EDGES, SEEDS, code_book, noise, resolve, size_ladder, spread

__all__ = [
    "Shape",
    "activations",
    "cases",
    "generic_case",
    "inputs",
    "packs",
    "pool",
    "pooled_sizes",
    "shapes",
    "sizes",
    "specs",
    "weights",
]

Array = npt.NDArray[Any]
Weights = Sequence[Any]
Size = int | SearchStrategy[int]
Bool = bool | SearchStrategy[bool]
Name = str | SearchStrategy[str]
Function = str | Activation | None | SearchStrategy[Any]


# ---- arguments: a plain value or a strategy ----


class _Default(str):
    """A default, which can be told from the same word said by the user."""


_TANH, _LINEAR, _FLOAT32 = _Default("tanh"), _Default("linear"), _Default("float32")


# Plain values are checked at once, where the user wrote them; the values of a strategy when they are drawn.


def _plain(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if not isinstance(value, SearchStrategy)}


def _check_sizes(**letters: Size | None) -> None:
    for letter, value in _plain(**letters).items():
        if value is not None:
            size(letter, value)


def _check_bools(**arguments: Bool) -> None:
    for name, value in _plain(**arguments).items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True, False or a strategy of these, not {value!r}")


def _check_alone(name: str, what: str, **others: Any) -> None:
    """Nobody says twice what `name` says."""
    said = [other for other, value in others.items() if value is not None and not isinstance(value, _Default)]
    if said:
        raise ValueError(f"{name} already says {what}: leave out {' and '.join(said)}")


# ---- sizes ----

#: Samples and steps come from short ladders, since runtimes trace anew for every pair of them.
SAMPLES = (1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 8)
STEPS = (1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 7, 8, 9, 9, 16, 17, 20, 31, 33, 40)


def sizes(*, min_value: int = 1, max_value: int = 33) -> SearchStrategy[int]:
    """Sizes from `min_value` to `max_value`, most of them where kernels change (1, 2, 3, ..., 31, 32, 33, 63, ...).

    Every size may come; of a range longer than a thousand, a thousand evenly spread ones and those near powers of 2.

    Raises
    ------
    TypeError, ValueError
        If a bound is no whole number or less than 1, or `min_value` is more than `max_value`.
    """
    least, most = size("min_value", min_value), size("max_value", max_value)
    if least > most:
        raise ValueError(f"min_value must not be more than max_value, but {least} > {most}")
    return st.sampled_from(size_ladder(least, most))


# Strategies are made once: making one costs more than drawing from it.
_SIZE, _SAMPLES, _STEPS = sizes(), st.sampled_from(SAMPLES), st.sampled_from(STEPS)


class Shape(NamedTuple):
    """The five letters of a case: samples, steps, features, units, outputs."""

    N: int
    T: int
    D: int
    M: int
    K: int


def shapes(
    *,
    N: Size | None = None,
    T: Size | None = None,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
) -> SearchStrategy[Shape]:
    """``Shape(N, T, D, M, K)``, such that swapped axes show.

    Of the letters left out, `D`, `M` and `K` are from 1 to 33 and differ from the others unless they are 1; `N` is
    mostly more than 1; `T` is often 1, 2 or 3, sometimes long, and at most 40.

    Raises
    ------
    TypeError, ValueError
        If a letter is no whole number or less than 1.
    """
    _check_sizes(N=N, T=T, D=D, M=M, K=K)
    return _shapes(N, T, D, M, K)


@st.composite
def _shapes(draw: DrawFn, N: Any, T: Any, D: Any, M: Any, K: Any) -> Shape:
    D, M, K = _draw_sizes(draw, D, M, K)
    return Shape(*_draw_run(draw, N, T), D, M, K)


def _draw_sizes(draw: DrawFn, D: Any, M: Any, K: Any) -> tuple[int, int, int]:
    drawn: dict[str, int] = {}
    # those that the user chose come first: the others have to keep away from them
    for letter, argument in sorted({"M": M, "D": D, "K": K}.items(), key=lambda item: item[1] is None):
        if argument is None:
            drawn[letter] = _apart(resolve(draw, letter, _SIZE), drawn.values())
        else:
            drawn[letter] = size(letter, resolve(draw, letter, argument))
    return drawn["D"], drawn["M"], drawn["K"]


def _apart(value: int, taken: Collection[int]) -> int:
    """Move `value` to the nearest size that is not taken; but 1 stays, or nothing would shrink to (1, 1, 1)."""
    if value == 1:
        return 1
    return min((s for s in range(2, EDGES[-1] + 1) if s not in taken), key=lambda s: abs(s - value))


def _draw_run(draw: DrawFn, N: Any, T: Any) -> tuple[int, int]:
    return (
        size("N", resolve(draw, "N", _SAMPLES if N is None else N)),
        size("T", resolve(draw, "T", _STEPS if T is None else T)),
    )


# ---- specs ----


def activations() -> SearchStrategy[str]:
    """Names of the activations that the oracle knows: every second one is ``"tanh"``."""
    others = [name for name in ACTIVATIONS if name != "tanh"]
    return st.sampled_from(["tanh"] * len(others) + others)


def specs(
    *,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
    activation: Function = _TANH,
    head_activation: Function = _LINEAR,
    dtype: Name = _FLOAT32,
) -> SearchStrategy[Spec]:
    """Architectures; sizes that are left out are drawn as :func:`shapes` draws them.

    >>> specs(M=sizes(max_value=64), activation=activations())  # doctest: +SKIP

    Raises
    ------
    TypeError, ValueError
        If a size is no whole number or less than 1, or an activation or dtype is unknown.
    """
    _check_sizes(D=D, M=M, K=K)
    Spec(1, 1, 1, **_plain(activation=activation, head_activation=head_activation, dtype=dtype))
    return _specs(D, M, K, {"activation": activation, "head_activation": head_activation, "dtype": dtype})


@st.composite
def _specs(draw: DrawFn, D: Any, M: Any, K: Any, options: dict[str, Any]) -> Spec:
    D, M, K = _draw_sizes(draw, D, M, K)
    return Spec(D, M, K, **{name: resolve(draw, name, value) for name, value in options.items()})


#: What a pool begins with: enough to show every mistake in its smallest form.
_SMALLEST = ((1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2))
# A draw of its own, and any of the others seldom: then a failure tries all of the smallest.
_WHICH = st.sampled_from((*range(len(_SMALLEST)), *(len(_SMALLEST),) * 80))


def pool(
    *,
    count: int = 24,
    seed: int = 0,
    max_size: int = 33,
    activation: Function = _TANH,
    head_activation: Function = _LINEAR,
    dtype: Name = _FLOAT32,
) -> SearchStrategy[Spec]:
    """At most `count` different sizes ``(D, M, K)``, for implementations that take long to build a model.

    The same arguments always give the same pool, so that Hypothesis can replay a failure; another `seed` gives another
    pool. It goes from small to large and begins with ``D, M, K`` of ``1, 1, 1``, ``1, 2, 1``, ``2, 1, 1`` and
    ``1, 1, 2``: drawn rarely, and there to shrink to. Strategies of activations or dtypes multiply the number of specs.

    Raises
    ------
    TypeError, ValueError
        If `count` is less than 5, a size is no whole number or less than 1, or an activation or dtype is unknown.
    """
    size("count", count, least=len(_SMALLEST) + 1)
    size("max_size", max_size, least=3)
    options = {"activation": activation, "head_activation": head_activation, "dtype": dtype}
    Spec(1, 1, 1, **_plain(**options))
    return _pool(st.sampled_from(_pooled(count, seed, max_size)), options)


@st.composite
def _pool(draw: DrawFn, rest: SearchStrategy[tuple[int, int, int]], options: dict[str, Any]) -> Spec:
    which = resolve(draw, "which", _WHICH)
    letters = _SMALLEST[which] if which < len(_SMALLEST) else resolve(draw, "rest", rest)
    return Spec(*letters, **{name: resolve(draw, name, value) for name, value in options.items()})


def pooled_sizes(*, count: int = 24, seed: int = 0, max_size: int = 33) -> list[tuple[int, int, int]]:
    """List the sizes ``(D, M, K)`` of a :func:`pool` beside the smallest, in order."""
    return list(_pooled(count, seed, max_size))


@lru_cache
def _pooled(count: int, seed: int, max_size: int) -> list[tuple[int, int, int]]:
    """``(D, M, K)`` of a pool beside the smallest, in order."""
    random, ladder = Random(seed), size_ladder(1, max_size)
    edges = [s for s in EDGES if 1 < s <= max_size]
    pooled: set[tuple[int, int, int]] = set()
    for _ in range(100 * count):  # few sizes may not give that many specs
        if len(pooled) == count - len(_SMALLEST):
            break
        # first every edge has its turn at M, in which most kernels change
        M = edges[len(pooled)] if len(pooled) < len(edges) else random.choice(ladder)
        D, K = random.choice(ladder), random.choice(ladder)
        if len({D, M, K}) == 3:
            pooled.add((D, M, K))
    return sorted(pooled, key=lambda letters: (param_count(*letters), letters))


# ---- numbers ----

#: The bytes of a case: how many each block has to itself, in the order in which they shrink away. Those of a block are
#: read from the last to the first: sorted bytes, which Hypothesis tries, put the numbers into the first sample, step
#: and unit, so that the others can go.
_BYTES_OF = {"knobs": 8, "mask": 5, "h0": 3, "bo": 3, "Wo": 7, "x": 19, "Wx": 13, "Wh": 17, "bh": 5}

_BYTES = st.binary(min_size=sum(_BYTES_OF.values()), max_size=sum(_BYTES_OF.values()))

#: Scales of a block, divided by the root of its fan-in; knob 0 is the plain code book, as it stands. Those of ``Wh``
#: are about its spectral radius (the circular law), from contracting to chaotic. No powers of 2: nothing is exact.
_SCALES: dict[str, tuple[float, ...]] = {
    "x": (0.3, 0.9, 1.1, 2.7),
    "Wx": (0.4, 0.9, 1.3, 2.3),
    "Wh": (0.3, 0.6, 0.9, 1.1, 1.7, 2.6, 3.7),
    "bh": (0.3, 0.7, 1.1),
    "Wo": (0.4, 0.9, 2.3),
    "bo": (0.3, 0.7, 1.1),
}
#: One case in ten has a block with large values among the others: knob -> block, factor.
_LARGE = {
    1: ("x", 1e2),
    2: ("x", 1e5),
    3: ("Wx", 1e3),
    4: ("Wh", 1e2),
    5: ("bh", 1e3),
    6: ("bo", 1e6),
    7: ("x", 1e30),
}
#: And one in eight a block that is half zeros.
_SPARSE = {1: "x", 2: "Wx", 3: "Wh", 4: "Wo"}
_OF = {"large": 70, "sparse": 32}
_LARGE_CODES, _HELD_CODES = 232, 160


def _fill(blocks: dict[str, tuple[int, ...]], strings: list[bytes], seed: int, dtype: str) -> list[dict[str, Array]]:
    """Give every block its numbers, once for each string of bytes."""
    drawn = np.frombuffer(b"".join(strings), np.uint8).reshape(len(strings), -1)
    added = noise(seed, sum(prod(shape) for shape in blocks.values()))
    ends = dict(zip(_BYTES_OF, accumulate(_BYTES_OF.values()), strict=True))
    knobs = [dict(zip((*_SCALES, *_OF), row, strict=True)) for row in drawn[:, : ends["knobs"]].tolist()]
    filled: list[dict[str, Array]] = [{} for _ in strings]
    start = 0
    for name, shape in blocks.items():
        own, length = _BYTES_OF[name], prod(shape)
        codes = drawn[:, ends[name] - 1 - spread(own, length)]
        codes[:, own:] += added[start + own : start + length]
        start += length
        values = code_book(dtype)[codes]
        for arrays, knob, value, code in zip(filled, knobs, values, codes, strict=True):
            numbers = code < _HELD_CODES if name == "mask" else _tuned(name, shape, value, code, knob)
            arrays[name] = numbers.reshape(shape)
    return filled


def _tuned(name: str, shape: tuple[int, ...], values: Array, codes: Array, knob: dict[str, int]) -> Array:
    """Turn the knobs of a case at one of its blocks."""
    scales = _SCALES.get(name, ())
    scale = knob.get(name, 0) % (len(scales) + 1)
    if scale:
        values = values * (scales[scale - 1] / (sqrt(shape[0]) if name in ("Wx", "Wh", "Wo") else 1.0))
    large, factor = _LARGE.get(knob["large"] % _OF["large"], ("", 1.0))
    if name == large:
        values = np.where(codes >= _LARGE_CODES, values * factor, values)
    if name == _SPARSE.get(knob["sparse"] % _OF["sparse"]):
        values = np.where(codes % 2, 0.0, values)
    return values


#: Knobs of a generic case: every block in full mantissas and of usual size, and ``Wh`` contracting, so that a run which
#: is judged by its last output only has a narrow bound.
_GENERIC = {"x": 3, "Wx": 2, "Wh": 2, "bh": 2, "Wo": 2, "bo": 2, "large": 0, "sparse": 0}

#: From so many steps on a generic case is one that remembers its first steps: it saturates less, and contracts less.
LONG = 30
_REMEMBERING = {"x": 1, "bh": 1, "Wh": 4}


def generic_case(
    spec: Spec,
    N: int,
    T: int,
    *,
    seed: int = 1,
    weights: Weights | None = None,
    initial_state: bool = False,
    masked: bool = False,
) -> Case:
    """Return a case without anything special in it: always the same for the same arguments, and nothing to shrink.

    Parameters
    ----------
    spec : Spec
    N, T : int
    seed : int
        Chooses the numbers, from 1 on.
    weights : sequence of arrays, optional
        ``(Wx, Wh, bh, Wo, bo)``; generic ones if left out.
    initial_state, masked : bool
        Give the case an ``h0``, and a mask.
    """
    blocks = {} if weights is not None else dict(spec.weight_shapes)
    blocks["x"] = (N, T, spec.D)
    blocks |= {"h0": (N, spec.M)} if initial_state else {}
    blocks |= {"mask": (N, T)} if masked else {}
    knobs = _GENERIC | (_REMEMBERING if T >= LONG else {})
    codes = bytes(knobs[name] for name in (*_SCALES, *_OF)) + noise(seed, sum(_BYTES_OF.values())).tobytes()
    (arrays,) = _fill(blocks, [codes[: sum(_BYTES_OF.values())]], seed, spec.dtype)
    return Case(spec, **({} if weights is None else _named(weights)), **arrays)


def weights(*, spec: Spec | SearchStrategy[Spec] | None = None) -> SearchStrategy[tuple[Array, ...]]:
    """``(Wx, Wh, bh, Wo, bo)`` of a spec, in the order of Keras's ``get_weights()``; without `spec`, of any.

    Biases are neither all zero nor all equal, kernels asymmetric, and `Wh` contracting or expanding, as far as a shrunk
    example does not need to show that it fails without.

    Raises
    ------
    TypeError
        If `spec` is no spec.
    """
    return cases(spec=spec, N=1, T=1).map(attrgetter("weights"))


def inputs(
    *, N: Size | None = None, T: Size | None = None, D: Size | None = None, dtype: Name = _FLOAT32
) -> SearchStrategy[Array]:
    """Inputs, ``(N, T, D)``: full-mantissa numbers of several scales, and zeros, subnormals and large ones among them.

    Raises
    ------
    TypeError, ValueError
        If a letter is no whole number or less than 1, or `dtype` is unknown.
    """
    return cases(N=N, T=T, D=D, M=1, K=1, dtype=dtype).map(attrgetter("x"))


# ---- cases ----

#: Cases in a pack. Hypothesis allows a test 8192 bytes.
MOST_CASES = 64


def cases(
    *,
    spec: Spec | SearchStrategy[Spec] | None = None,
    N: Size | None = None,
    T: Size | None = None,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
    activation: Function = _TANH,
    head_activation: Function = _LINEAR,
    dtype: Name = _FLOAT32,
    weights: Weights | SearchStrategy[Any] | None = None,
    inputs: Array | SearchStrategy[Any] | None = None,
    initial_state: Bool = False,
    masked: Bool = False,
) -> SearchStrategy[Case]:
    """Whole cases: everything that is needed to run once.

    Parameters
    ----------
    spec : Spec
        The architecture, all of it. Left out, `D`, `M`, `K`, `activation`, `head_activation` and `dtype` describe it.
    N, T, D, M, K : int
        Letters that are left out are drawn as :func:`shapes` draws them.
    activation, head_activation : str or Activation
        :func:`activations` draws various ones.
    dtype : {"float32", "float64"}
    weights : sequence of arrays
        ``(Wx, Wh, bh, Wo, bo)``, such as those of a trained model; needs `spec`.
    inputs : (N, T, D) array
        Instead of `N` and `T`.
    initial_state : bool
        Give the case an ``h0``.
    masked : bool
        Give the case a mask that holds some steps.

    Each may also be a strategy of such values.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value, or two of them say the same thing.
    """
    return packs(
        max_size=1,
        spec=spec,
        N=N,
        T=T,
        D=D,
        M=M,
        K=K,
        activation=activation,
        head_activation=head_activation,
        dtype=dtype,
        weights=weights,
        inputs=inputs,
        initial_state=initial_state,
        masked=masked,
    ).map(itemgetter(0))


def packs(
    *,
    max_size: int = 16,
    spec: Spec | SearchStrategy[Spec] | None = None,
    N: Size | None = None,
    T: Size | None = None,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
    activation: Function = _TANH,
    head_activation: Function = _LINEAR,
    dtype: Name = _FLOAT32,
    weights: Weights | SearchStrategy[Any] | None = None,
    inputs: Array | SearchStrategy[Any] | None = None,
    initial_state: Bool = False,
    masked: Bool = False,
) -> SearchStrategy[list[Case]]:
    """Lists of 1 to `max_size` cases that share spec, `N` and `T`, to be computed in one call; mostly full.

    The other parameters are those of :func:`cases`. ``spec=pool()`` bounds the number of models that are to be built.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value, or two of them say the same thing.
    """
    if size("max_size", max_size) > MOST_CASES:
        raise ValueError(f"max_size must be at most {MOST_CASES}, or Hypothesis runs out of entropy, not {max_size}")
    _check_sizes(N=N, T=T)
    _check_bools(initial_state=initial_state, masked=masked)
    if spec is not None:
        if not isinstance(spec, (Spec, SearchStrategy)):
            raise TypeError(f"spec must be a Spec or a strategy of specs, not {spec!r}")
        model = {"D": D, "M": M, "K": K}
        options = {"activation": activation, "head_activation": head_activation, "dtype": dtype}
        _check_alone("spec", "what the model is", **model, **options)
    elif weights is not None or inputs is not None:
        raise ValueError("weights and inputs belong to a model: give its spec beside them")
    if inputs is not None:
        _check_alone("inputs", "how many samples and steps there are", N=N, T=T)
    if isinstance(spec, Spec):  # then Case itself can check what is plain
        blank = {name: np.zeros(shape) for name, shape in spec.weight_shapes.items()}
        plain = {name: value for name, value in _plain(weights=weights, inputs=inputs).items() if value is not None}
        x = plain.get("inputs", np.zeros((1, 1, spec.D)))
        Case(spec, x, **(_named(plain["weights"]) if "weights" in plain else blank))
    if spec is None:
        spec = specs(D=D, M=M, K=K, activation=activation, head_activation=head_activation, dtype=dtype)
    more = st.sampled_from((False, *(True,) * (4 * max_size)))
    return _packs(max_size, more, spec, N, T, weights, inputs, initial_state, masked)


def _named(weights: Weights) -> dict[str, Any]:
    if len(weights) != len(WEIGHT_NAMES):
        raise ValueError(
            f"weights must be the {len(WEIGHT_NAMES)} arrays {', '.join(WEIGHT_NAMES)}, not {len(weights)}"
        )
    return dict(zip(WEIGHT_NAMES, weights, strict=True))


@st.composite
def _packs(
    draw: DrawFn,
    most: int,
    more: SearchStrategy[bool],
    spec: Any,
    N: Any,
    T: Any,
    weights: Any,
    inputs: Any,
    initial_state: Any,
    masked: Any,
) -> list[Case]:
    # Bytes come before sizes. Hypothesis begins a run with examples that are as simple as can be after the first new
    # choice; thus they are small cases with numbers in them, and not large ones full of zeros.
    strings = [resolve(draw, "bytes 0", _BYTES)]
    # One string and one answer each, so that any of the cases can go.
    while len(strings) < most and resolve(draw, f"more than {len(strings)}", more):
        strings.append(resolve(draw, f"bytes {len(strings)}", _BYTES))
    spec = resolve(draw, "spec", spec)
    if inputs is None:
        N, T = _draw_run(draw, N, T)
    initial_state, masked = resolve(draw, "initial_state", initial_state), resolve(draw, "masked", masked)
    seed = resolve(draw, "seed", SEEDS)
    given: list[dict[str, Any]] = []
    for i in range(len(strings)):
        own = {} if weights is None else _named(resolve(draw, f"weights {i}", weights))
        if inputs is not None:
            own["x"] = np.asarray(resolve(draw, f"inputs {i}", inputs))
        given.append(own)
    if inputs is not None:
        drawn = {own["x"].shape for own in given}
        if len(drawn) > 1:
            raise ValueError(f"inputs of one pack must have one shape, not {' and '.join(map(str, drawn))}")
        N, T = (*drawn.pop(), 0, 0)[:2]
    blocks = {} if weights is not None else dict(spec.weight_shapes)
    if inputs is None:
        blocks["x"] = (N, T, spec.D)
    if initial_state:
        blocks["h0"] = (N, spec.M)
    if masked:
        blocks["mask"] = (N, T)
    filled = _fill(blocks, strings, seed, spec.dtype)
    return [Case(spec, **own, **arrays) for own, arrays in zip(given, filled, strict=True)]
