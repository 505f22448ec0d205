"""From bytes to the numbers of a case.

A case has hundreds of numbers, and a draw for each would cost more than most implementations take to compute with
them. So a case draws one string of bytes, and a byte stands for a float in a :func:`code_book`, simplest first: 0 is
``0.0``, 1 is ``1.0``, 2 is ``-1.0``. Hypothesis shrinks bytes one by one towards 0, hence numbers towards zero and one.
The first bytes are *knobs* (the scale of each kind of block, sparsity, large values, masks), of which 0 is the plain
choice.

Each kind of block has a few bytes of its own in the string, as many for every spec, so that its first numbers stay what
they are while sizes shrink. Larger blocks :func:`repeat <spread>` them, with :func:`noise` added that is expanded from
a seed; seed 0 is no noise. A second block of a kind (another cell, direction, layer or call) begins elsewhere among
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import shake_128
from itertools import accumulate
from math import prod, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from ..model.call import Call
from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import Spec
from .masks import inputs_under, known, mask_of, usual_pattern
from .scales import LONG, SPARSE, SPARSE_OF, Usual, usual

__all__ = ["BYTES", "SEEDS", "SIMPLEST", "code_book", "fill", "generic_case", "with_given"]

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Blocks = tuple[tuple[str, tuple[int, ...]], ...]

# ---- bytes ----

KNOBS = ("x", "Wx", "Wh", "bh", "Wo", "bo", "state", "large", "sparse", "pattern", "held")

#: How many bytes each kind of block has, in the order in which they shrink away. Those of a kind are read from the last
#: to the first: sorted bytes, which Hypothesis tries, put the numbers into the first sample, step and unit, so that the
#: others can go.
_BYTES_OF = {"knobs": len(KNOBS), "mask": 5, "state": 5, "bo": 3, "Wo": 7, "x": 19, "Wx": 13, "Wh": 17, "bh": 5}
_ENDS = dict(zip(_BYTES_OF, accumulate(_BYTES_OF.values()), strict=True))
_LENGTH = sum(_BYTES_OF.values())

#: The bytes of a case, and those of the simplest.
BYTES = st.binary(min_size=_LENGTH, max_size=_LENGTH)
SIMPLEST = bytes(_LENGTH)
#: Seeds of noise; 0 is none.
SEEDS = st.integers(0, 2**16 - 1)

#: Codes from this one on are large, where some are.
_LARGE = 232


@lru_cache
def code_book(dtype: str) -> Array:
    """The 256 floats that bytes stand for, simplest first, about standard normal, nearly all of full mantissa.

    Returns
    -------
    (256,) array of float64
        Each is a number of `dtype`, with its own subnormals and its own neighbours of 1.
    """
    info = np.finfo(dtype)
    tiny, eps = float(info.tiny), float(info.eps)
    simple = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 0.1, -0.1, 0.3, -0.3, 0.7, -0.7, 1.5, -1.5]
    odd = [
        -0.0,
        tiny / 8,
        -tiny / 3,
        1.7 * tiny,
        -1e-12 / 3,
        1e-5 / 3,
        -1e-3 / 3,
        1 + eps,
        eps / 2 - 1,
        4.4,
        -5.3,
    ]
    count = 256 - len(simple) - len(odd)
    normal = NormalDist().inv_cdf
    usual = [(-1) ** i * normal(0.5 + (i + 0.5) / (2 * count)) for i in range(count)]
    book = np.array([*simple, *usual, *odd]).astype(dtype).astype(np.float64)
    book.flags.writeable = False
    return book


def noise(seed: int, length: int) -> Bytes:
    """Bytes that make repeated bytes differ. From a hash, since NumPy's generators may change their streams."""
    if seed == 0:
        return np.zeros(length, np.uint8)
    return np.frombuffer(shake_128(seed.to_bytes(2, "little")).digest(length), np.uint8)


def spread(own: int, length: int) -> Bytes:
    """Which of its `own` bytes each number of a block reads: first each in turn, then all again in random order.

    In order, all rows would be equal where a row is as long as the block's bytes.
    """
    return _order(own, 1 << length.bit_length())[:length]


@lru_cache(128)
def _order(own: int, length: int) -> Bytes:
    """The first part of the order of :func:`spread`; longer orders begin with the same part."""
    order = noise(1, length) % own
    order[:own] = np.arange(min(own, length))
    return order


# ---- from bytes to blocks ----


#: The numbers that an ``Embedding`` looks up are drawn as inputs are.
_LIKE = {"E": "x"}


def _kind(weight: str, shape: tuple[int, ...]) -> str:
    """Kind of a weight: the last part of its name. Others that a cell may have are drawn as kernels or biases are."""
    name = weight.rpartition("/")[2]
    kind = _LIKE.get(name, name)
    if kind in _BYTES_OF:
        return kind
    return "Wx" if len(shape) > 1 else "bh"


class _Block(NamedTuple):
    """Where the numbers of a block are in those of a case."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int
    #: One over the root of its fan-in.
    root: float

    def of(self, rows: Array) -> Array:
        """Its numbers, of all cases."""
        return rows[:, self.start : self.end].reshape(len(rows), *self.shape)


class _Plan(NamedTuple):
    """How blocks are laid out over the bytes of a case.

    Of each number: the byte that it reads, and how much of the noise is added.
    """

    blocks: tuple[_Block, ...]
    reads: Bytes
    noisy: Bytes


@lru_cache(128)
def _plan(shapes: Blocks) -> _Plan:
    met: Counter[str] = Counter()
    blocks, reads, noisy, start = [], [np.zeros(0, np.uint8)], [np.zeros(0, np.uint8)], 0
    for kind, shape in shapes:
        length, own = prod(shape), _BYTES_OF[kind]
        root = 1 / sqrt(shape[0]) if kind in ("Wx", "Wh", "Wo") else 1.0
        blocks.append(_Block(kind, shape, start, start + length, root))
        order = spread(own, length)
        if met[kind]:
            order = (order + 2 * met[kind] % own) % own
        reads.append(_ENDS[kind] - 1 - order)
        share = np.ones(length, np.uint8)
        share[: 0 if met[kind] else own] = 0
        noisy.append(share)
        met[kind] += 1
        start += length
    return _Plan(tuple(blocks), np.concatenate(reads), np.concatenate(noisy))


def _tuned(values: Array, codes: Bytes, plan: _Plan, knobs: list[dict[str, int]], usually: Usual) -> Array:
    """Turn the knobs of each case; `values` are changed in place."""
    for block in plan.blocks:
        scales = [usually.scale(block.kind, knob.get(block.kind, 0)) for knob in knobs]
        if any(scales):
            factors = [1.0 if scale is None else scale * block.root for scale in scales]
            values[:, block.start : block.end] *= np.array(factors)[:, None]
    for value, code, knob in zip(values, codes, knobs, strict=True):
        large, factor = usually.large.get(knob["large"] % usually.large_of, ("", 1.0))
        sparse = SPARSE.get(knob["sparse"] % SPARSE_OF, "")
        for block in plan.blocks if large or sparse else ():
            own = slice(block.start, block.end)
            if block.kind == large:
                value[own][code[own] >= _LARGE] *= factor
            if block.kind == sparse:
                value[own][code[own] % 2 == 1] = 0.0
    return values


# ---- from blocks to cases ----


def fill(
    spec: Spec,
    N: int,
    T: int,
    strings: Sequence[bytes],
    seed: int = 0,
    *,
    resets: Sequence[bool] = (False,),
    patterns: Sequence[str | None] | None = None,
    weights: Sequence[Sequence[Any]] | None = None,
    inputs: Sequence[Sequence[Any]] | None = None,
) -> list[Case]:
    """Give a spec its numbers, once for each string of bytes.

    Parameters
    ----------
    resets : sequence of bool
        For each call, whether a reset comes before.
    patterns : sequence of str, optional
        For each string, which steps are masked; None leaves that to the knobs.
    weights, inputs : sequences, optional
        For each string, weights and the inputs of each call that are given, and not made up.
    """
    own = [] if weights else [(_kind(name, shape), shape) for name, shape in spec.weight_shapes.items()]
    call = _call_blocks(spec, N, T, inputs is None)
    plan = _plan((*own, *call * len(resets)))
    drawn = np.frombuffer(b"".join(strings), np.uint8).reshape(len(strings), -1)
    codes = drawn[:, plan.reads] + plan.noisy * noise(seed, len(plan.noisy))
    knobs = [dict(zip(KNOBS, row, strict=True)) for row in drawn[:, : len(KNOBS)].tolist()]
    dtype = spec.variable_dtype if spec.variable_dtype != "bfloat16" else "float32"
    cases = []
    with np.errstate(over="ignore"):  # of 16 bits, rarely
        values = _tuned(code_book(dtype)[codes], codes, plan, knobs, usual(spec)).astype(dtype)
        parts = [_Part(block.kind, block.of(values), block.of(codes)) for block in plan.blocks]
        for i, knob in enumerate(knobs):
            said = patterns[i] if patterns else None
            calls = []
            for c, reset in enumerate(resets):
                start = len(own) + c * len(call)
                pattern = usual_pattern(knob["pattern"], c, T) if said is None else said
                x = inputs[i][c] if inputs else None
                calls.append(_call(spec, i, parts[start : start + len(call)], pattern, knob["held"], reset, x))
            given = weights[i] if weights else [part.values[i] for part in parts[: len(own)]]
            cases.append(Case(spec, weights=given, calls=calls))
    return cases


def _call_blocks(spec: Spec, N: int, T: int, with_inputs: bool) -> list[tuple[str, tuple[int, ...]]]:
    """Kinds and shapes of what a call is given."""
    blocks: list[tuple[str, tuple[int, ...]]] = [("state", shape) for shape in spec.state_shapes(N)]
    if spec.masked or spec.embedded:
        blocks.append(("mask", (N, T + 1)))  # the first code of a sample is its own
    if with_inputs:
        blocks.append(("x", (N, T) if spec.embedded else (N, T, spec.D)))
    return blocks


class _Part(NamedTuple):
    """The numbers of a block in every case, and the bytes that they come from."""

    kind: str
    values: Array
    codes: Bytes


def _call(spec: Spec, i: int, parts: Sequence[_Part], pattern: str, held: int, reset: bool, x: Any) -> Call:
    """Make up a call of case `i`; `x` are inputs that are given."""
    mask = None
    for part in parts:
        if part.kind == "mask":
            mask = mask_of(pattern, part.codes[i])
        elif part.kind == "x":
            x = part.values[i]
            if mask is not None:
                x = inputs_under(mask, spec, x, part.codes[i], held)
    states = tuple(part.values[i] for part in parts if part.kind == "state")
    return Call(x, mask if spec.source == "mask" else None, states, reset)


# ---- cases that are made up ----


def generic_case(
    spec: Spec,
    N: int,
    T: int,
    *,
    calls: int = 1,
    seed: int = 1,
    weights: Sequence[Any] | None = None,
    initial_state: bool = False,
    masked: bool = False,
    pattern: str | None = None,
) -> Case:
    """Return a case without anything special in it: always the same for the same arguments, and not shrunk.

    Parameters
    ----------
    spec : Spec
    N, T : int
        Samples and steps, where the spec leaves them open.
    calls : int
    seed : int
        Chooses the numbers, from 1 on.
    weights : sequence of arrays, optional
        In the order of Keras's ``get_weights()``; generic ones if left out.
    initial_state, masked : bool
        Give the spec an initial state, and a mask, if it has none.
    pattern : str, optional
        Which steps are masked, one of :data:`~.masks.PATTERNS`; left out, those of the numbers' own.
    """
    spec = with_given(spec, initial_state, masked)
    N, T = spec.N or N, spec.T or T
    knobs = usual(spec).remembering if T >= LONG else usual(spec).generic
    codes = bytes(knobs.get(knob, 0) for knob in KNOBS) + noise(seed, _LENGTH).tobytes()
    (case,) = fill(
        spec,
        N,
        T,
        [codes[:_LENGTH]],
        seed,
        resets=(False,) * calls,
        patterns=[None if pattern is None else known(pattern)],
        weights=None if weights is None else [weights],
    )
    return case


def with_given(spec: Spec, initial_state: bool, masked: bool) -> Spec:
    """Return the spec whose every layer is given an initial state, or that has a mask, beside what it has itself."""
    if initial_state:
        spec = replace(spec, layers=tuple(map(_given_a_state, spec.layers)))
    if masked and not spec.masked:
        spec = replace(spec, source="embedding with mask" if spec.embedded else "mask")
    return spec


def _given_a_state(layer: RNN | Bidirectional) -> RNN | Bidirectional:
    if isinstance(layer, RNN):
        return layer.replace(initial_state=True)
    backward = layer.backward and layer.backward.replace(initial_state=True)
    return layer.replace(forward=layer.forward.replace(initial_state=True), backward=backward)
