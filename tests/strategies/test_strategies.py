"""Drawn cases look for trouble, keep to what was asked for, and say in one sentence what they cannot do."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from drawn import collect
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_rnnequiv import Case, Spec, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.cells.cell import Cell
from pytest_rnnequiv.model.layers import Dense, SimpleRNN
from pytest_rnnequiv.strategies.drawn_numbers import SIMPLEST, code_book, fill
from pytest_rnnequiv.strategies.sizes import EDGES, size_ladder
from pytest_rnnequiv.strategies.specs import _pooled


@pytest.fixture(scope="module")
def cases():
    return collect(rnn.cases(), 500)


@pytest.fixture(scope="module")
def packs():
    return collect(rnn.packs(spec=rnn.pool()), 100)


@pytest.fixture(scope="module")
def packed(packs):
    return [case for pack in packs for case in pack]


# ---- looking for trouble ----


def numbers(case):
    return np.concatenate([a.ravel() for a in (*case.weights, case.x)])


def saturated(case):
    """The share of units and steps whose pre-activation is beyond 3."""
    states = reference(case).states
    previous = np.concatenate([np.zeros((case.N, 1, case.M)), states[:, :-1]], axis=1)
    x, Wx, Wh, bh = (a.astype(np.float64) for a in (case.x, case.Wx, case.Wh, case.bh))
    return np.mean(np.abs(x @ Wx + previous @ Wh + bh) > 3)


def radius(case):
    return np.abs(np.linalg.eigvals(case.Wh.astype(np.float64))).max()


def rounded_away(array):
    """The share of numbers that half precision cannot hold, nor six decimals."""
    with np.errstate(over="ignore"):
        return np.mean((array != array.astype(np.float16)) & (array != np.round(array, 6)))


def holds_subnormal(case):
    array = np.abs(numbers(case))
    return ((array > 0) & (array < np.finfo(array.dtype).tiny)).any()


def half_empty(case):
    """Whether zeros make up about half of a block that is large enough to tell."""
    return any(a.size > 20 and 0.3 < np.mean(a == 0) < 0.7 for a in (*case.weights, case.x))


SHARES = {
    "D, M, K distinct": (lambda c: len({c.D, c.M, c.K}) == 3, 0.9, 1),
    "D, M, K distinct or 1": (
        lambda c: max(Counter(s for s in (c.D, c.M, c.K) if s > 1).values(), default=1) == 1,
        1,
        1,
    ),
    "N > 1": (lambda c: c.N > 1, 0.8, 0.98),
    "T = 1": (lambda c: c.T == 1, 0.05, 0.3),
    "T in 1, 2, 3": (lambda c: c.T <= 3, 0.35, 0.65),
    "T >= 20": (lambda c: c.T >= 20, 0.1, 0.35),
    "M at an edge": (lambda c: c.M in EDGES, 0.7, 0.98),
    "M = 1": (lambda c: c.M == 1, 0.02, 0.15),
    "M <= 9": (lambda c: c.M <= 9, 0.45, 0.8),
    "M > 16": (lambda c: c.M > 16, 0.1, 0.5),
    "bh not all zero": (lambda c: c.bh.any(), 0.96, 1),
    "bo not all zero": (lambda c: c.bo.any(), 0.96, 1),
    "bh not all equal": (lambda c: c.M == 1 or np.ptp(c.bh) > 0, 0.98, 1),
    "Wh asymmetric": (lambda c: c.M == 1 or (c.Wh != c.Wh.T).any(), 0.98, 1),
    "samples differ": (lambda c: c.N == 1 or not np.array_equal(c.x[0], c.x[-1]), 0.97, 1),
    "a unit saturates": (lambda c: saturated(c) > 0, 0.6, 1),
    "not all is saturated": (lambda c: saturated(c) < 0.9, 0.9, 1),
    "Wh < 0.5": (lambda c: radius(c) < 0.5, 0.08, 0.4),
    "Wh < 0.7": (lambda c: radius(c) < 0.7, 0.15, 0.5),
    "Wh > 1.5": (lambda c: radius(c) > 1.5, 0.3, 0.7),
    "Wh >= 3": (lambda c: radius(c) >= 3, 0.1, 0.4),
    "most numbers are of full mantissa": (lambda c: rounded_away(numbers(c)) > 0.8, 0.85, 1),
    "zeros": (lambda c: (numbers(c) == 0).any(), 0.3, 1),
    "subnormals": (holds_subnormal, 0.75, 1),
    "sparse blocks": (half_empty, 0.03, 0.25),
    "large values": (lambda c: np.abs(numbers(c)).max() > 100, 0.03, 0.2),
    "huge values": (lambda c: np.abs(numbers(c)).max() > 1e20, 0.001, 0.03),
    "finite": (lambda c: np.isfinite(numbers(c)).all(), 1, 1),
}


@pytest.mark.parametrize("what", SHARES)
@pytest.mark.parametrize("whence", ["cases", "packed"])
def test_share(what, whence, request):
    drawn = request.getfixturevalue(whence)
    holds, least, most = SHARES[what]
    share = sum(map(bool, map(holds, drawn))) / len(drawn)
    assert least <= share <= most


def test_every_edge_comes_at_every_letter(cases):
    for letter in "DMK":
        assert set(EDGES) <= {getattr(case, letter) for case in cases}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_numbers_use_the_mantissa_of_their_dtype(dtype):
    drawn = np.concatenate([numbers(case) for case in collect(rnn.cases(dtype=dtype), 50)])
    assert drawn.dtype == dtype
    narrower = {"float32": "float16", "float64": "float32"}[dtype]
    with np.errstate(over="ignore"):
        assert np.mean(drawn != drawn.astype(narrower)) > 0.9
    lowest_bits = drawn.view({"float32": np.uint32, "float64": np.uint64}[dtype]) & 0xFF
    assert len(np.unique(lowest_bits)) == 256


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_code_book_goes_from_simple_to_odd(dtype):
    book = code_book(dtype)
    assert book[:5].tolist() == [0, 1, -1, 0.5, -0.5]
    assert len(book) == len({(v, np.signbit(v)) for v in book}) == 256
    assert np.array_equal(book, book.astype(dtype))
    assert abs(book.mean()) < 0.1
    assert 0.8 < book.std() < 1.3


# ---- packs ----


def test_a_pack_shares_what_it_should_and_nothing_else(packs):
    for pack in packs:
        assert 1 <= len(pack) <= 16
        assert len({(case.spec, case.N, case.T) for case in pack}) == 1
    full = [pack for pack in packs if len(pack) == 16]
    assert len(full) > len(packs) / 2
    different = [len({(c.x.tobytes(), c.Wx.tobytes(), c.bh.tobytes()) for c in pack}) == 16 for pack in full]
    assert np.mean(different) > 0.8


@pytest.mark.parametrize("size", [1, 2, 64])
def test_a_pack_has_the_size_asked_for(size):
    assert max(map(len, collect(rnn.packs(max_size=size, M=2, D=1, K=3)))) == size


def test_a_pool_bounds_the_number_of_models(packed):
    sizes = {(case.D, case.M, case.K) for case in packed}
    assert 15 < len(sizes) <= 24


def test_a_pool_is_the_same_every_time_and_another_with_another_seed():
    def drawn(seed):
        drawn = collect(rnn.pool(count=10, seed=seed), 100)
        return {(s.D, s.M, s.K) for s in drawn} | {(1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2)}

    assert drawn(1) == drawn(1)
    assert drawn(1) & drawn(2) == {(1, 1, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2)}
    assert len(drawn(1)) == len(drawn(2)) == 10


def test_a_pool_gives_every_edge_its_turn():
    assert {spec.M for spec in collect(rnn.pool(), 200)} >= set(EDGES)


@given(st.integers(5, 30), st.integers(0, 99), st.integers(3, 40))
@settings(database=None, deadline=None)
def test_a_pool_keeps_its_bounds(count, seed, max_size):
    pooled = _pooled(count, seed, max_size)
    assert 1 <= len(pooled) <= count - 4
    assert all(1 <= s <= max_size for letters in pooled for s in letters)
    assert all(len(set(letters)) == 3 for letters in pooled)


# ---- asking for something ----


@given(st.data(), st.integers(1, 200), st.integers(0, 3000))
@settings(database=None, deadline=None)
def test_sizes_keep_their_bounds_and_reach_them(data, least, more):
    ladder = size_ladder(least, least + more)
    assert ladder == tuple(sorted(ladder))
    assert (ladder[0], ladder[-1]) == (least, least + more)
    if more < 1000:
        assert set(ladder) == set(range(least, least + more + 1))
    assert least <= data.draw(rnn.sizes(min_value=least, max_value=least + more)) <= least + more


def test_sizes_prefer_edges():
    drawn = collect(rnn.cases(M=rnn.sizes(max_value=300)).map(lambda case: case.M), 300)
    assert max(drawn) <= 300
    assert np.mean([m in {*EDGES, 63, 64, 65, 127, 128, 129, 255, 256, 257, 300} for m in drawn]) > 0.5


@pytest.mark.parametrize("letter", "NTDMK")
@pytest.mark.parametrize("argument", [6, st.sampled_from([6, 11]), np.int64(6)], ids=["plain", "strategy", "numpy"])
def test_each_letter_is_a_number_or_a_strategy(letter, argument):
    for strategy in (rnn.shapes(**{letter: argument}), rnn.cases(**{letter: argument})):
        got = {getattr(example, letter) for example in collect(strategy, 30)}
        assert got == ({6, 11} if isinstance(argument, st.SearchStrategy) else {6})


def test_the_letters_left_out_keep_away_from_those_given():
    for shape in collect(rnn.shapes(M=3, K=st.just(4)), 200):
        assert shape.D not in (3, 4)


def test_shapes_are_those_of_cases():
    shape = collect(rnn.shapes(N=1, T=2, D=3, M=4, K=5), 1)[0]
    assert shape == (1, 2, 3, 4, 5)
    assert shape._asdict() == {"N": 1, "T": 2, "D": 3, "M": 4, "K": 5}


def test_long_sequences_when_asked_for():
    assert {case.T for case in collect(rnn.cases(T=500), 20)} == {500}


def test_options_are_values_or_strategies():
    plain = {s.activation.name for s in collect(rnn.specs(), 30)}
    assert plain == {"tanh"}
    mixed = Counter(s.activation.name for s in collect(rnn.specs(activation=rnn.activations()), 200))
    assert mixed.most_common(1)[0][0] == "tanh"
    assert {"relu", "sigmoid", "linear"} <= mixed.keys()
    assert {s.activation.name for s in collect(rnn.specs(activation=None), 5)} == {"linear"}
    spec = collect(rnn.specs(dtype=st.just("float64"), head_activation="relu"), 1)[0]
    assert (spec.dtype, spec.head_activation.name) == ("float64", "relu")


SPEC = Spec.simple(D=3, M=5, K=2, activation="relu")
X, W = np.ones((1, 1, 3)), [np.ones(shape) for shape in SPEC.weight_shapes.values()]


@pytest.mark.parametrize("spec", [SPEC, st.just(SPEC)], ids=["plain", "strategy"])
def test_cases_of_a_spec(spec):
    assert {case.spec for case in collect(rnn.cases(spec=spec), 30)} == {SPEC}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_a_spec(dtype):
    spec = SPEC.replace(dtype=dtype)
    for weights in collect(rnn.weights(spec=spec), 30):
        assert [w.shape for w in weights] == [(3, 5), (5, 5), (5,), (5, 2), (2,)]
        assert {w.dtype.name for w in weights} == {dtype}


def test_weights_of_any_spec():
    assert len({weights[1].shape for weights in collect(rnn.weights())}) > 5


def test_inputs():
    for x in collect(rnn.inputs(N=2, T=st.integers(3, 4), D=5, dtype="float64"), 30):
        assert x.dtype == np.float64
        assert x.shape in ((2, 3, 5), (2, 4, 5))


def test_given_weights_stay_and_inputs_vary():
    weights = [np.full(shape, 0.1, np.float32) for shape in SPEC.weight_shapes.values()]
    packs = collect(rnn.packs(spec=SPEC, weights=weights), 20)
    for case in (case for pack in packs for case in pack):
        assert all(map(np.array_equal, case.weights, weights))
    assert len({case.x.tobytes() for pack in packs for case in pack}) > 100


def test_given_inputs_stay_and_weights_vary():
    x = np.ones((2, 4, 3), np.float32)
    drawn = collect(rnn.cases(spec=SPEC, inputs=st.just(x), initial_state=True), 20)
    assert all(np.array_equal(case.x, x) and case.h0.shape == (2, 5) for case in drawn)
    assert len({case.Wh.tobytes() for case in drawn}) > 10


def test_own_strategies_make_whole_cases():
    weights = rnn.weights(spec=SPEC)
    assert all(isinstance(c, Case) for c in collect(rnn.cases(spec=SPEC, weights=weights, inputs=np.ones((1, 1, 3)))))


def test_initial_state_and_mask():
    assert all(case.h0 is None and case.mask is None for case in collect(rnn.cases(), 10))
    drawn = collect(rnn.cases(initial_state=True, masked=True), 200)
    assert all(case.h0.shape == (case.N, case.M) and case.mask.shape == (case.N, case.T) for case in drawn)
    assert np.mean([case.h0.any() for case in drawn]) > 0.95
    assert 0.4 < np.mean([not case.mask.all() for case in drawn]) < 0.95
    assert any(not case.mask[:, 0].all() for case in drawn)
    assert any(not case.mask.any(1).all() for case in drawn)
    some = collect(rnn.cases(initial_state=st.booleans()), 50)
    assert {case.h0 is None for case in some} == {True, False}


def test_a_pair_is_a_range_of_samples_and_steps():
    assert {(c.N, c.T) for c in collect(rnn.cases(N=(2, 3), T=(4, 5)), 60)} == {(2, 4), (2, 5), (3, 4), (3, 5)}
    assert {c.T for c in collect(rnn.cases(T=(50, 60)), 20)} == {50, 60}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_of_16_bits_runs_are_short_and_contract(dtype):
    drawn = collect(rnn.cases(dtype=dtype, M=8), 100)
    assert max(case.T for case in drawn) <= 12
    assert np.mean([radius(case) < 1 for case in drawn]) > 0.6


class Gated(Cell):
    """A cell of three gates, with a kernel and a bias of its own."""

    name, gates = "Gated", ("z", "r", "h")

    def weight_shapes(self, F, M):
        return super().weight_shapes(F, M) | {"bh": (2, 3 * M), "Wp": (M, 2), "bp": (M,)}


def test_a_cell_of_other_weights_is_given_numbers_too():
    drawn = collect(rnn.cases(spec=Spec(3, SimpleRNN(4, cell=Gated()), Dense(2))), 100)
    assert drawn[0].part("layer0").keys() == {"Wx", "Wh", "bh", "Wp", "bp"}
    assert np.mean([all(weight.any() for weight in case.weights) for case in drawn]) > 0.9
    assert len({case.part("layer0")["Wp"].tobytes() for case in drawn}) > 60
    case = rnn.generic_case(drawn[0].spec, 2, 5)
    assert all(np.ptp(weight) > 0 for weight in case.weights)


# ---- made up ----


def test_a_generic_case_is_always_the_same_and_another_for_another_seed():
    case = rnn.generic_case(SPEC, 3, 7, initial_state=True, masked=True)
    assert (case.N, case.T, case.h0.shape, case.mask.shape) == (3, 7, (3, 5), (3, 7))
    assert case.spec.plain
    assert not case.mask.all()
    assert case.fingerprint() == rnn.generic_case(SPEC, 3, 7, initial_state=True, masked=True).fingerprint()
    assert set(case.bh) != set(rnn.generic_case(SPEC, 3, 7, seed=2).bh)


def test_a_generic_case_has_the_weights_that_are_given_and_the_pattern():
    case = rnn.generic_case(SPEC, 2, 4, masked=True, weights=W, pattern="all")
    assert all(map(np.array_equal, case.weights, W))
    assert not case.mask.any()


def test_a_long_generic_case_remembers():
    short, long = (rnn.generic_case(SPEC, 2, T) for T in (29, 30))
    assert radius(short) < radius(long) < 1.3


def test_the_same_choices_make_the_same_cases():
    def drawn():
        return [numbers(case).tobytes() for case in collect(rnn.cases(M=40), 20)]

    assert drawn() == drawn()


@pytest.mark.parametrize("seed", [0, 1, 65535])
def test_rows_differ_however_long_they_are(seed):
    for length in range(2, 80):
        spec = Spec.simple(length, length, length)
        (case,) = fill(spec, 2, 3, [bytes(i % 256 for i in range(len(SIMPLEST)))], seed)
        for array in (case.Wx, case.Wh, case.Wo, case.x):
            first, second = array.reshape(-1, length)[:2]
            assert (first != second).mean() > 0.4


def test_large_kernels_are_not_made_of_few_values():
    kinds = [len(np.unique(case.Wh)) for case in collect(rnn.cases(M=33), 50)]
    assert np.median(kinds) > 150


def test_packs_do_not_repeat_themselves(packed):
    assert len({numbers(case).tobytes() for case in packed}) > 0.95 * len(packed)


def test_cases_do_not_repeat_themselves(cases):
    assert len({case.bh[0] * case.x[0, 0, 0] for case in cases}) > 0.9 * len(cases)


# ---- what cannot be done ----


WRONG = [
    (lambda: rnn.sizes(min_value=5, max_value=4), ValueError, "min_value must not be more than max_value, but 5 > 4"),
    (lambda: rnn.sizes(min_value=40), ValueError, "min_value must not be more than max_value, but 40 > 33"),
    (lambda: rnn.sizes(min_value=0), ValueError, "min_value must be at least 1, not 0"),
    (lambda: rnn.sizes(max_value=2.5), TypeError, "max_value must be a whole number, not 2.5"),
    (lambda: rnn.shapes(N=0), ValueError, "N must be at least 1, not 0"),
    (lambda: rnn.shapes(M="5"), TypeError, "M must be a whole number, not '5'"),
    (lambda: rnn.cases(M=0), ValueError, "M must be at least 1, not 0"),
    (lambda: rnn.cases(T=True), ValueError, "T must be at least 1, not True"),
    (lambda: rnn.cases(N=(3, 2)), ValueError, "N must be (smallest, largest), not (3, 2)"),
    (lambda: rnn.cases(T=(1, 2, 3)), ValueError, "T must be (smallest, largest), not (1, 2, 3)"),
    (lambda: rnn.cases(D=(1, 4)), TypeError, "D must be a whole number, not (1, 4)"),
    (
        lambda: rnn.cases(activation="tnh"),
        ValueError,
        "unknown activation 'tnh': expected an Activation or one of celu,",
    ),
    (lambda: rnn.specs(head_activation="x"), ValueError, "unknown activation 'x'"),
    (lambda: rnn.specs(dtype="float8"), ValueError, "dtype must be one of float32, float64, float16,"),
    (lambda: rnn.inputs(dtype="int8"), ValueError, "dtype must be one of float32, float64, float16,"),
    (lambda: rnn.cases(spec=SPEC, D=3), ValueError, "spec already says what the model is: leave out D"),
    (
        lambda: rnn.cases(spec=SPEC, K=st.just(2), activation="tanh", dtype="float32"),
        ValueError,
        "spec already says what the model is: leave out K and activation and dtype",
    ),
    (lambda: rnn.cases(spec=(3, 5, 2)), TypeError, "spec must be a Spec or a strategy of specs, not (3, 5, 2)"),
    (lambda: rnn.weights(spec="rnn"), TypeError, "spec must be a Spec or a strategy of specs, not 'rnn'"),
    (lambda: rnn.cases(weights=W), ValueError, "weights and inputs belong to a model: give its spec beside them"),
    (lambda: rnn.cases(inputs=X), ValueError, "weights and inputs belong to a model: give its spec beside them"),
    (
        lambda: rnn.cases(spec=SPEC, weights=W[:3]),
        ValueError,
        f"{SPEC} has 5 weights (Wx, Wh, bh, Wo, bo), not 3",
    ),
    (lambda: rnn.cases(spec=SPEC, weights=W[::-1]), ValueError, "Wx has shape (2,), expected (3, 5)"),
    (lambda: rnn.cases(spec=SPEC, inputs=X[0]), ValueError, "x has shape (1, 3), expected (N, T, D) with D = 3"),
    (
        lambda: rnn.cases(spec=SPEC, inputs=X, T=5),
        ValueError,
        "inputs already says how many samples and steps there are: leave out T",
    ),
    (lambda: rnn.cases(masked="no"), TypeError, "masked must be True, False or a strategy of these, not 'no'"),
    (lambda: rnn.cases(initial_state=1), TypeError, "initial_state must be True, False or a strategy of these, not 1"),
    (lambda: rnn.packs(max_size=0), ValueError, "max_size must be at least 1, not 0"),
    (
        lambda: rnn.packs(max_size=65),
        ValueError,
        "max_size must be at most 64, or Hypothesis runs out of entropy, not 65",
    ),
    (lambda: rnn.pool(count=4), ValueError, "count must be at least 5, not 4"),
    (lambda: rnn.pool(max_size=2), ValueError, "max_size must be at least 3, not 2"),
    (lambda: rnn.pool(activation="x"), ValueError, "unknown activation 'x'"),
]


@pytest.mark.parametrize(("call", "kind", "sentence"), WRONG, ids=[sentence for _, _, sentence in WRONG])
def test_misuse_is_refused_where_it_is_written(call, kind, sentence):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


WRONG_LATER = [
    (rnn.cases(M=st.just(0)), "M must be at least 1, not 0"),
    (rnn.cases(T=st.just(0)), "T must be at least 1, not 0"),
    (rnn.cases(activation=st.just("tnh")), "unknown activation 'tnh'"),
    (rnn.cases(spec=SPEC, inputs=st.just(X[0])), "x has shape (1, 3), expected (N, T, D) with D = 3"),
    (
        rnn.cases(spec=SPEC, weights=st.just(W[:4])),
        f"{SPEC} has 5 weights (Wx, Wh, bh, Wo, bo), not 4",
    ),
    (rnn.packs(spec=SPEC, max_size=9, inputs=rnn.inputs(D=3)), "inputs of one pack must have one shape, not "),
]


@pytest.mark.parametrize(("strategy", "sentence"), WRONG_LATER, ids=[sentence for _, sentence in WRONG_LATER])
def test_what_a_strategy_draws_is_checked_too(strategy, sentence):
    with pytest.raises(ValueError) as error:
        collect(strategy)
    assert str(error.value).startswith(sentence)
