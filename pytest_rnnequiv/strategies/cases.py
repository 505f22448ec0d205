"""Strategies of whole cases, and of packs of them: of the notebook's model, or of any spec or strategy of specs."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..model.case import Case
from ..model.sizes import size
from ..model.spec import Spec
from .arguments import (
    FLOAT32,
    LINEAR,
    SIMPLE_RNN,
    TANH,
    Bool,
    Function,
    Kind,
    Name,
    Size,
    check_alone,
    check_bools,
    plain_ones,
    resolve,
)
from .drawn_numbers import BYTES, SEEDS, SIMPLEST, fill, with_given
from .masks import known
from .scales import calls_of, usual
from .specs import specs

__all__ = ["cases", "inputs", "packs", "weights"]

Array = npt.NDArray[Any]
Weights = Sequence[Any]
#: Of samples and steps also a pair: the smallest and the largest.
Run = Size | tuple[int, int]

#: Cases in a pack. Hypothesis allows a test 8192 bytes.
MOST_CASES = 64
# How far up a ladder of sizes a case is: which ladder, its spec says. Of many more, Hypothesis prefers the first.
_POSITIONS = 120
_POSITION = st.sampled_from(range(_POSITIONS))
_RESET = st.sampled_from((False, False, False, True))
_LEAST = {"N": 0, "T": 1}


def cases(
    *,
    spec: Spec | SearchStrategy[Spec] | None = None,
    N: Run | None = None,
    T: Run | None = None,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
    activation: Function = TANH,
    head_activation: Function = LINEAR,
    dtype: Name = FLOAT32,
    cell: Kind = SIMPLE_RNN,
    weights: Weights | SearchStrategy[Any] | None = None,
    inputs: Array | SearchStrategy[Any] | None = None,
    initial_state: Bool = False,
    masked: Bool = False,
    calls: Size | None = None,
    pattern: Name | None = None,
) -> SearchStrategy[Case]:
    """Whole cases: everything that is needed to run once.

    Parameters
    ----------
    spec : Spec
        The architecture, all of it, such as ``architectures()`` draws. Left out, it is the notebook's model, which `D`,
        `M`, `K`, `activation`, `head_activation`, `dtype` and `cell` describe.
    N, T : int
        Samples and steps. Left out, those that the spec fixes; or else `N` is mostly 2 or 3, and `T` often 1, 2 or 3
        and sometimes up to 40. A pair is the smallest and the largest of those.
    D, M, K : int
        Letters that are left out are drawn as ``shapes`` draws them.
    activation, head_activation : str or Activation
        ``activations()`` draws various ones.
    dtype : str
        A dtype policy of Keras.
    cell : str or Cell
        ``"SimpleRNN"``, ``"GRU"`` or ``"LSTM"``; ``cells()`` draws them with various options.
    weights : sequence of arrays
        In the order of Keras's ``get_weights()``, such as those of a trained model; needs `spec`.
    inputs : (N, T, D) array
        Of each call, instead of `N` and `T`; needs `spec`.
    initial_state : bool
        Give every layer of the spec an initial state: ``h0``.
    masked : bool
        Give the spec a mask.
    calls : int
        Calls in a row. Left out, up to 3 of a stateful spec, some of them after a reset; 1 of the notebook's model, and
        mostly 1 of another.
    pattern : {"none", "trailing", "leading", "scattered", "rows", "all"}
        Which steps are masked: none, the last ones of each sample, the first ones, any, all of some samples, all. Left
        out, any of these. Inputs of a spec without a mask have no steps to mask; where ids are looked up without a mask
        they are 0 there.

    Each may also be a strategy of such values.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value, two of them say the same thing, or the spec fixes another `N` or `T`.
    """
    return _case(
        packs(
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
            cell=cell,
            weights=weights,
            inputs=inputs,
            initial_state=initial_state,
            masked=masked,
            calls=calls,
            pattern=pattern,
        )
    )


# No .map() here: Hypothesis takes all that is mapped for parts of one kind, which may stand in for each other.
@st.composite
def _case(draw: DrawFn, packs: SearchStrategy[list[Case]]) -> Case:
    return draw(packs)[0]


def weights(*, spec: Spec | SearchStrategy[Spec] | None = None) -> SearchStrategy[tuple[Array, ...]]:
    """Weights of a spec, in the order of Keras's ``get_weights()``: ``(Wx, Wh, bh, Wo, bo)`` of the notebook's model.

    Biases are neither all zero nor all equal, kernels are asymmetric, and `Wh` is contracting or expanding. A shrunk
    example loses what its failure does not need. Without `spec`, they are of the notebook's model in any size.

    Raises
    ------
    TypeError
        If `spec` is no spec.
    """
    return cases(spec=spec, N=(1, 1), T=(1, 1), calls=1).map(attrgetter("weights"))


def inputs(
    *, N: Run | None = None, T: Run | None = None, D: Size | None = None, dtype: Name = FLOAT32
) -> SearchStrategy[Array]:
    """Inputs, ``(N, T, D)``: full-mantissa numbers of several scales, and zeros, subnormals and large ones among them.

    Raises
    ------
    TypeError, ValueError
        If a letter is no whole number or less than 1, or `dtype` is unknown.
    """
    return cases(N=N, T=T, D=D, M=1, K=1, dtype=dtype).map(attrgetter("x"))


def packs(
    *,
    max_size: int = 16,
    spec: Spec | SearchStrategy[Spec] | None = None,
    N: Run | None = None,
    T: Run | None = None,
    D: Size | None = None,
    M: Size | None = None,
    K: Size | None = None,
    activation: Function = TANH,
    head_activation: Function = LINEAR,
    dtype: Name = FLOAT32,
    cell: Kind = SIMPLE_RNN,
    weights: Weights | SearchStrategy[Any] | None = None,
    inputs: Array | SearchStrategy[Any] | None = None,
    initial_state: Bool = False,
    masked: Bool = False,
    calls: Size | None = None,
    pattern: Name | None = None,
) -> SearchStrategy[list[Case]]:
    """Lists of 1 to `max_size` cases, mostly full, that one call can compute: of one spec, `N`, `T`, calls and resets.

    The other parameters are those of :func:`cases`. ``spec=pool()`` and ``spec=architecture_pool()`` bound the number
    of models that are to be built.

    Raises
    ------
    TypeError, ValueError
        If an argument is no such value, two of them say the same thing, or the spec fixes another `N` or `T`.
    """
    if size("max_size", max_size) > MOST_CASES:
        raise ValueError(f"max_size must be at most {MOST_CASES}, or Hypothesis runs out of entropy, not {max_size}")
    check_bools(initial_state=initial_state, masked=masked)
    if spec is not None:
        if not isinstance(spec, (Spec, SearchStrategy)):
            raise TypeError(f"spec must be a Spec or a strategy of specs, not {spec!r}")
        model = {"D": D, "M": M, "K": K}
        options = {"activation": activation, "head_activation": head_activation, "dtype": dtype, "cell": cell}
        check_alone("spec", "what the model is", **model, **options)
    elif weights is not None or inputs is not None:
        raise ValueError("weights and inputs belong to a model: give its spec beside them")
    if inputs is not None:
        check_alone("inputs", "how many samples and steps there are", N=N, T=T)
    for letter, said in plain_ones(N=N, T=T).items():
        if said is not None:
            _check_run(letter, said, spec)
    if calls is not None and plain_ones(calls=calls):
        size("calls", calls)
    if pattern is not None and plain_ones(pattern=pattern):
        known(pattern)
    if isinstance(spec, Spec):
        _check_arrays(spec, **plain_ones(weights=weights, inputs=inputs))
    if spec is None:
        spec = specs(D=D, M=M, K=K, activation=activation, head_activation=head_activation, dtype=dtype, cell=cell)
    more = st.sampled_from((False, *(True,) * (4 * max_size)))
    return _packs(_Asked(max_size, more, spec, N, T, weights, inputs, initial_state, masked, calls, pattern))


def _check_run(letter: str, said: Any, spec: Any) -> None:
    """Check samples or steps where the user wrote them."""
    if not isinstance(said, tuple):
        value = size(letter, said, _LEAST[letter])
        if isinstance(spec, Spec):
            _fits(spec, letter, value)
        return
    ends = [size(letter, end, _LEAST[letter]) for end in said]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"{letter} must be (smallest, largest), not {said!r}")


def _fits(spec: Spec, letter: str, value: int) -> int:
    """Check a size against the one that the spec fixes."""
    fixed = getattr(spec, letter)
    if fixed not in (None, value):
        raise ValueError(f"{letter} = {value}, but {spec} is made for {letter} = {fixed}: leave {letter} out")
    return value


def _check_arrays(spec: Spec, weights: Any = None, inputs: Any = None) -> None:
    """Let a case check weights and inputs where the user wrote them."""
    N, T = (spec.N or 0, spec.T or 1) if inputs is None else _sizes_of(inputs)
    own = None if weights is None else [weights]
    fill(spec, N, T, [SIMPLEST], weights=own, inputs=None if inputs is None else [[inputs]])


def _sizes_of(x: Any) -> tuple[int, int]:
    N, T = (*np.shape(x), 0, 0)[:2]
    return N, T


class _Asked(NamedTuple):
    """What packs are made of: each a plain value or a strategy; None where it is left open."""

    most: int
    more: SearchStrategy[bool]
    spec: Any
    N: Any
    T: Any
    weights: Any
    inputs: Any
    initial_state: Any
    masked: Any
    calls: Any
    pattern: Any


@st.composite
def _packs(draw: DrawFn, asked: _Asked) -> list[Case]:
    # Bytes come before sizes. Hypothesis begins a run with examples that are as simple as can be after the first new
    # choice; thus they are small cases with numbers in them, and not large ones full of zeros.
    strings = [resolve(draw, "bytes 0", BYTES)]
    # One string and one answer each, so that any of the cases can go.
    while len(strings) < asked.most and resolve(draw, f"more than {len(strings)}", asked.more):
        strings.append(resolve(draw, f"bytes {len(strings)}", BYTES))
    each = range(len(strings))
    # As many draws for each spec, or it could not change while all else stays.
    spec = resolve(draw, "spec", asked.spec)
    N, T = (_run(draw, letter, getattr(asked, letter), spec) for letter in "NT") if asked.inputs is None else (0, 0)
    own = (resolve(draw, name, getattr(asked, name)) for name in ("initial_state", "masked"))
    spec = with_given(spec, *own)
    resets = _resets(draw, asked.calls, spec)
    seed = resolve(draw, "seed", SEEDS)
    given: dict[str, Any] = {}
    if asked.pattern is not None:
        given["patterns"] = [known(resolve(draw, f"pattern {i}", asked.pattern)) for i in each]
    if asked.weights is not None:
        given["weights"] = [resolve(draw, f"weights {i}", asked.weights) for i in each]
    if asked.inputs is not None:
        calls = range(len(resets))
        given["inputs"] = [[resolve(draw, f"inputs {i} {c}", asked.inputs) for c in calls] for i in each]
        N, T = _sizes_of(_of_one_shape([x for mine in given["inputs"] for x in mine]))
    return fill(spec, N, T, strings, seed, resets=resets, **given)


def _run(draw: DrawFn, letter: str, said: Any, spec: Spec) -> int:
    """Samples or steps: what the user says; or else what the spec fixes, or what is usual."""
    usually = said is None or isinstance(said, tuple)
    drawn: int = resolve(draw, letter, _POSITION if usually else said)
    if not usually:
        return _fits(spec, letter, size(letter, drawn, _LEAST[letter]))
    fixed: int | None = getattr(spec, letter)
    ladder = usual(spec).samples if letter == "N" else usual(spec).steps
    if said is not None:
        low, high = said
        ladder = tuple(step for step in ladder if low <= step <= high) or (low, high)
    return _at(drawn, ladder) if fixed is None else fixed


def _at(position: int, ladder: Sequence[int]) -> int:
    return ladder[position * len(ladder) // _POSITIONS]


def _resets(draw: DrawFn, said: Any, spec: Spec) -> list[bool]:
    """For each call, whether a reset comes before."""
    drawn = resolve(draw, "calls", _POSITION if said is None else said)
    count = _at(drawn, calls_of(spec)) if said is None else size("calls", drawn)
    return [False, *(resolve(draw, f"reset {c}", _RESET) for c in range(1, count))]


def _of_one_shape(arrays: list[Any]) -> Any:
    shapes = {np.shape(x) for x in arrays}
    if len(shapes) > 1:
        raise ValueError(f"inputs of one pack must have one shape, not {' and '.join(map(str, shapes))}")
    return arrays[0]
