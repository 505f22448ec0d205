"""Drawn specs have every pair of options, their cases look for trouble, and both shrink to little."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from drawn import collect, shrunk
from hypothesis import strategies as st

from pytest_rnnequiv import judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.model.layers import MERGE_MODES, RNN, Bidirectional, Dense, SimpleRNN
from pytest_rnnequiv.model.spec import OPTIONS, SOURCES, Spec
from pytest_rnnequiv.strategies.architectures import (
    _pairs,
    _pooled,
    _spec_of,
    _weighed,
    coverage,
    features,
    together,
)
from pytest_rnnequiv.strategies.codes import Style
from pytest_rnnequiv.strategies.masks import PATTERNS

DTYPES = ("float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


def each(spec):
    """All recurrent layers, as they were written."""
    for layer in spec.layers:
        yield from (layer.forward, layer.backward or layer.forward) if isinstance(layer, Bidirectional) else (layer,)


def everything(spec):
    return set().union(*features(spec))


@pytest.fixture(scope="module")
def specs():
    return collect(rnn.architectures(dtypes=DTYPES), 1000)


@pytest.fixture(scope="module")
def pool():
    """The default pool but for its smallest, without what Hypothesis makes of it."""
    style = Style.of(None, ("float32",), None, 3, 9)
    return [_spec_of(codes, style) for codes in _pooled(37, 0, style)]


@pytest.fixture(scope="module")
def cases():
    return collect(rnn.cases(spec=rnn.architectures(dtypes=DTYPES)), 600)


# ---- every option comes ----

VALUES = (
    *("activation=relu", "activation=sigmoid", "activation=linear", "use_bias=False", "return_sequences"),
    *("return_state", "initial_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask", "dropout"),
    *("recurrent_dropout", "trainable=False", "cell", "cells=1", "cells=2", "cells=3"),
    *(f"merge_mode={mode}" for mode in MERGE_MODES),
    *("backward", "backward_layer", "layers=2", "layers=3", "below another", "above another"),
    *("head=Dense", "head=TimeDistributed", "head_use_bias=False", "head_activation=relu", "head_trainable=False"),
    *(f"source={source}" for source in SOURCES[1:]),
    *("mask_value=-1.0", "mask_value=0.1", "T=None", "T fixed", "N=None", "N fixed"),
    *(f"dtype={dtype}" for dtype in DTYPES[1:]),
    *("units=features", "equal cells"),
)


@pytest.mark.parametrize("value", VALUES)
def test_every_value_comes_and_its_default_too(value, specs):
    with_it = sum(value in everything(spec) for spec in specs)
    assert 0.03 * len(specs) < with_it < 0.97 * len(specs)


def test_there_are_no_other_values(specs):
    others = {f for spec in specs for f in everything(spec)} - set(VALUES)
    assert others <= {
        "like layer 0",
        "like layer 1",
        "head_activation=tanh",
        "head_activation=sigmoid",
        "head_activation=linear",
        "hidden",
    }


SHARES = {
    "one layer": (lambda n: len(n.layers) == 1, 0.4, 0.65),
    "D differs from the units": (lambda n: n.D == 1 or next(each(n)).cells[0] != n.D, 0.6, 0.85),
    "all sizes are equal": (lambda n: {n.D} == {M for layer in each(n) for M in layer.cells} != {1}, 0.15, 0.4),
    "a layer like the one below": (lambda n: any(a.startswith("like") for a in everything(n)), 0.02, 0.2),
    "D = 1": (lambda n: n.D == 1, 0.01, 0.25),
    "units > 4": (lambda n: any(M > 4 for layer in each(n) for M in layer.cells), 0.5, 1),
    "another kind backward": (
        lambda n: any(
            isinstance(a, Bidirectional) and a.backward and a.forward.cells != a.backward.cells for a in n.layers
        ),
        0.1,
        1,
    ),
    "no head": (lambda n: n.head is None, 0.2, 0.6),
    "nothing masked": (lambda n: not n.masked, 0.2, 0.7),
}


@pytest.mark.parametrize("what", SHARES)
def test_share(what, specs):
    holds, least, most = SHARES[what]
    assert least <= np.mean([bool(holds(spec)) for spec in specs]) <= most


def test_features_are_those_of_each_layer_and_of_the_network():
    forward = SimpleRNN(2, "relu", return_sequences=True, unroll=True)
    backward = RNN((3, 2), use_bias=False, return_sequences=True)
    both = Bidirectional(forward, backward, "sum")
    spec = Spec(1, (both, SimpleRNN(4, go_backwards=True)), Dense(1, use_bias=False), "masking", mask_value=-1.0, T=3)
    shared = {"source=masking", "mask_value=-1.0", "layers=2", "head=Dense", "head_use_bias=False", "T fixed", "N=None"}
    wrapped = shared | {"merge_mode=sum", "backward_layer", "return_sequences", "below another"}
    assert features(spec) == [
        wrapped | {"activation=relu", "unroll"},
        wrapped | {"backward", "use_bias=False", "cells=2"},
        shared | {"go_backwards", "above another"},
    ]
    assert features(Spec(1, SimpleRNN(1))) == [{"T=None", "N=None"}]


def test_pairs_as_bits_are_those_that_come_together(specs):
    numbers: dict[str, int] = {}
    for spec in specs[:200]:
        bits = _pairs(spec, numbers)
        pairs = {tuple(sorted(numbers[each] for each in pair)) for pair in together([spec])}
        assert bits == sum(1 << (high * (high - 1) // 2 + low) for low, high in pairs)


def test_together_counts_layers():
    spec = Spec(1, (SimpleRNN(1, return_sequences=True), SimpleRNN(1, unroll=True)), T=2)
    counted = together([spec, spec])
    assert counted["N=None", "layers=2"] == 4
    assert counted["N=None", "unroll"] == 2
    assert ("return_sequences", "unroll") not in counted
    assert together([spec], 3)["N=None", "T fixed", "unroll"] == 1


# ---- as asked for ----

#: name -> what some specs are where it alone is an option, and none where it is not.
ALONE = {
    "activation": lambda n: next(each(n)).activation.name != "tanh",
    "use_bias": lambda n: not next(each(n)).use_bias,
    "return_sequences": lambda n: next(each(n)).return_sequences,
    "return_state": lambda n: next(each(n)).return_state,
    "initial_state": lambda n: next(each(n)).initial_state,
    "go_backwards": lambda n: next(each(n)).go_backwards,
    "stateful": lambda n: next(each(n)).stateful and n.N is not None,
    "unroll": lambda n: next(each(n)).unroll and n.T is not None,
    "zero_output_for_mask": lambda n: next(each(n)).zero_output_for_mask,
    "dropout": lambda n: next(each(n)).dropout > 0,
    "recurrent_dropout": lambda n: next(each(n)).recurrent_dropout > 0,
    "trainable": lambda n: not next(each(n)).trainable,
    "cells": lambda n: isinstance(next(each(n)).units, tuple),
    "layers": lambda n: len(n.layers) > 1,
    "bidirectional": lambda n: isinstance(n.layers[0], Bidirectional) and n.layers[0].merge_mode == "sum",
    "merge_mode": lambda n: isinstance(n.layers[0], Bidirectional) and n.layers[0].merge_mode == "sum",
    "backward_layer": lambda n: isinstance(n.layers[0], Bidirectional) and n.layers[0].backward,
    "head": lambda n: n.head is None or not n.head.use_bias,
    "hidden": lambda n: bool(n.hidden),
    "masking": lambda n: n.source == "masking" and n.mask_value,
    "mask": lambda n: n.source == "mask",
    "embedding": lambda n: n.source == "embedding with mask",
    "T": lambda n: n.T is not None,
    "N": lambda n: n.N is not None,
}


#: What an option brings with it.
NEEDED = {
    "bidirectional": {"merge_mode", "backward_layer"},
    "dropout": {"recurrent_dropout"},
    "unroll": {"T"},
    "stateful": {"N"},
    "layers": {"return_sequences"},
    "merge_mode": {"bidirectional"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_one_option_alone(name):
    drawn = collect(rnn.architectures(options=[name]), 60)
    assert any(map(ALONE[name], drawn))
    allowed = NEEDED.get(name, set()) | {name}
    for other in set(OPTIONS) - allowed:
        assert not any(map(ALONE[other], drawn))


def test_no_options_are_plain_networks():
    for spec in collect(rnn.architectures(options=()), 50):
        (layer,) = spec.layers
        assert spec == Spec(spec.D, (SimpleRNN(layer.units),), Dense(spec.head.K))


def test_sizes_dtypes_and_activations_keep_to_what_was_asked():
    asked = rnn.architectures(dtypes="float64", activations=["elu", "gelu"], max_layers=2, max_units=4)
    for strategy in (
        asked,
        rnn.architecture_pool(dtypes="float64", activations=["elu", "gelu"], max_layers=2, max_units=4),
    ):
        drawn = collect(strategy, 100)
        assert {n.dtype for n in drawn} == {"float64"}
        assert {layer.activation.name for n in drawn for layer in each(n)} == {"elu", "gelu"}
        assert {len(n.layers) for n in drawn} == {1, 2}
        assert {M for n in drawn for layer in each(n) for M in layer.cells} == {1, 2, 3, 4}
    large = collect(rnn.architectures(max_units=300), 200)
    assert max(M for n in large for layer in each(n) for M in layer.cells) > 100


# ---- pools ----


def test_all_pairs_come_together_in_the_default_pool(pool):
    covered, possible = coverage(pool)
    assert possible > 1100
    assert covered >= possible - 2


def test_most_triples_do(pool):
    covered, possible = coverage(pool, strength=3)
    assert covered > 0.75 * possible > 10000


def test_coverage_is_not_full_by_itself(pool):
    assert coverage(pool[:5])[0] < 0.95 * coverage(pool)[1]
    assert coverage([Spec(1, SimpleRNN(1))]) == (1, coverage(pool)[1])


def test_a_pool_of_all_dtypes_covers_their_pairs_too():
    style = Style.of(None, DTYPES, None, 3, 9)
    covered, possible = coverage([_spec_of(codes, style) for codes in _pooled(37, 0, style)], dtypes=DTYPES)
    assert covered > 0.99 * possible > 1100


def test_a_pool_is_what_is_drawn_and_little_else(pool):
    """The rest is what shrinking is made of."""
    counted = Counter(collect(rnn.architecture_pool(), 1000))
    assert all(counted[spec] > 2 for spec in pool)
    others = counted.keys() - set(pool)
    assert sum(counted[spec] for spec in others) < 0.1 * 1000
    assert len(others) < 0.05 * 1000 + 3
    assert {Spec(1, SimpleRNN(1)), Spec(1, SimpleRNN(2)), Spec(2, SimpleRNN(1))} <= others


def test_a_pool_is_the_same_every_time_and_another_with_another_seed():
    style = Style.of(None, ("float32",), None, 3, 9)
    first, second = _pooled(8, 0, style), _pooled(8, 1, style)
    assert not set(first) & set(second)
    assert _pooled(5, 0, style) == first[:5]
    _pooled.cache_clear()
    _weighed.cache_clear()
    assert _pooled(8, 0, style) == first


def test_a_pool_does_not_hang_on_the_hash_seed():
    script = (
        "from pytest_rnnequiv.strategies.architectures import _pooled, _spec_of\n"
        "from pytest_rnnequiv.strategies.codes import Style\n"
        "style = Style.of(('use_bias', 'mask', 'bidirectional'), ('float32', 'float16'), None, 3, 9)\n"
        "print([str(_spec_of(codes, style)) for codes in _pooled(8, 0, style)])"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1
    assert "Bidirectional" in shown.pop()


def test_what_is_excluded_is_in_no_pool():
    def unrolled(spec):
        return any(layer.unroll for layer in each(spec))

    assert any(map(unrolled, collect(rnn.architecture_pool(count=12), 50)))
    assert not any(map(unrolled, collect(rnn.architecture_pool(count=12, exclude=unrolled), 100)))
    nothing = collect(rnn.architecture_pool(count=12, exclude=lambda spec: True), 20)
    assert all(len(spec.layers) == 1 for spec in nothing)


# ---- shrinking ----


def masked_and_all(spec):
    return spec.masked and any(
        layer.unroll and layer.go_backwards and layer.zero_output_for_mask for layer in each(spec)
    )


LITTLE = SimpleRNN(1, go_backwards=True, unroll=True, zero_output_for_mask=True)


@pytest.mark.parametrize("strategy", [rnn.architectures(), rnn.architecture_pool(count=80)])
def test_a_network_shrinks_to_the_options_that_matter(strategy):
    spec = shrunk(strategy, masked_and_all)
    assert spec == Spec(1, LITTLE, source=spec.source, T=1, vocabulary=spec.vocabulary)


ESSENCES = {
    "go_backwards, not the last": (
        lambda n: any(getattr(layer, "go_backwards", False) for layer in n.layers[:-1]),
        Spec(1, (SimpleRNN(1, return_sequences=True, go_backwards=True), SimpleRNN(1))),
    ),
    "sum": (
        lambda n: any(getattr(layer, "merge_mode", "") == "sum" for layer in n.layers),
        Spec(1, Bidirectional(SimpleRNN(1), merge_mode="sum")),
    ),
    "no bias, with relu": (
        lambda n: any(layer.activation.name == "relu" and not layer.use_bias for layer in each(n)),
        Spec(1, SimpleRNN(1, "relu", use_bias=False)),
    ),
    "head": (lambda n: n.head is not None and not n.head.use_bias, Spec(1, SimpleRNN(1), Dense(1, use_bias=False))),
    "two cells, stateful": (
        lambda n: any(len(layer.cells) == 2 and layer.stateful for layer in each(n)),
        Spec(1, RNN((1, 1), stateful=True), N=1),
    ),
}


@pytest.mark.parametrize("name", ESSENCES)
def test_essence(name):
    fails, essence = ESSENCES[name]
    # What fails in the backward layer only may stay there: to take its place, two codes would have to change at once.
    assert essence in [shrunk(rnn.architectures(), fails, seed) for seed in range(3)]


def test_essence_of_a_member():
    """Any of two layers, directions, kinds and the head can leave it."""
    fails, essence = ESSENCES["no bias, with relu"]
    assert shrunk(rnn.architecture_pool(), fails) == essence


def test_the_backward_layer_of_a_member_can_be_what_stays(pool):
    def looks(layer):
        return layer.activation.name, layer.cells, layer.use_bias, layer.dropout, layer.unroll

    both = [layer for spec in pool for layer in spec.layers if isinstance(layer, Bidirectional)]
    others = [
        looks(layer) for n in pool for layer in each(n.replace(head=None)) if layer not in [b.backward for b in both]
    ]
    # The others have as many units as the forward layer, which alone they would not.
    free = [b.backward for b in both if b.backward and b.merge_mode in ("concat", None)]
    only = next(looks(backward) for backward in free if looks(backward) not in others)
    spec = shrunk(rnn.architecture_pool(), lambda n: any(looks(layer) == only for layer in each(n)))
    assert isinstance(spec.layers[0], RNN)
    assert len(spec.layers) == 1


def test_parts_that_have_to_differ_shrink_to_simple_numbers():
    spec = Spec(1, Bidirectional(SimpleRNN(1)))
    case = shrunk(rnn.cases(spec=spec), lambda c: len({w.tobytes() for w in weights(c, "Wx")}) == 2)
    assert set(np.concatenate([a.ravel() for a in case.numbers().values()])) == {0, 1}


@pytest.mark.parametrize("whence", ["architectures", "architecture_pool"])
def test_a_failing_case_shrinks_with_its_network(whence):
    """Somebody forgets that a masked output is zero where it was told to be."""

    def fails(case):
        layers = [
            layer.replace(zero_output_for_mask=False) if isinstance(layer, RNN) else layer for layer in case.spec.layers
        ]
        spec = case.spec.replace(layers=tuple(layers))
        if case.spec.stateful or spec == case.spec:
            return False
        return judge(case, reference(case.replace(spec=spec), np.float32)).status == "different"

    case = shrunk(rnn.cases(spec=getattr(rnn, whence)(options=("mask", "zero_output_for_mask", "layers"))), fails)
    assert case.spec.replace(head=None) == Spec(1, SimpleRNN(1, zero_output_for_mask=True), source="mask")
    (call,) = case.calls
    assert call.x.shape == (1, 2, 1)
    assert call.mask.tolist() == [[True, False]]
    numbers = np.concatenate([a.ravel() for a in (*case.weights, call.x)])
    assert set(numbers) <= {0, 1}


@pytest.mark.parametrize("spec", [rnn.architectures(), rnn.architecture_pool()])
def test_the_simplest_case(spec):
    case = shrunk(rnn.cases(spec=spec), lambda case: True)
    assert case.spec == Spec(1, SimpleRNN(1))
    assert len(case.calls) == 1
    assert case.calls[0].x.shape == (1, 1, 1)
    assert not any(array.any() for array in case.numbers().values())


# ---- cases ----


def radii(case):
    named = zip(case.spec.weight_shapes, case.weights, strict=True)
    return [np.abs(np.linalg.eigvals(w.astype(float))).max() for name, w in named if name.endswith("Wh")]


def weights(case, what):
    return [w for name, w in zip(case.spec.weight_shapes, case.weights, strict=True) if name.endswith(what)]


CASES = {
    "N = 0": (lambda c: c.calls[0].N == 0, 0.002, 0.04),
    "N = 1": (lambda c: c.calls[0].N == 1, 0.05, 0.35),
    "T = 1": (lambda c: c.calls[0].T == 1, 0.1, 0.35),
    "T <= 3": (lambda c: c.calls[0].T <= 3, 0.45, 0.9),
    "T > 6": (lambda c: c.calls[0].T > 6, 0.03, 0.3),
    "biases not zero": (lambda c: all(b.any() for b in weights(c, "bh")), 0.9, 1),
    "biases not equal": (lambda c: all(len(b) == 1 or np.ptp(b) for b in weights(c, "bh")), 0.9, 1),
    "Wh asymmetric": (lambda c: all(len(w) == 1 or (w != w.T).any() for w in weights(c, "Wh")), 0.95, 1),
    "contracting": (lambda c: max(radii(c)) < 0.7, 0.1, 0.8),
    "Wh > 1.5": (lambda c: max(radii(c)) > 1.5, 0.05, 0.5),
    "all parts differ": (lambda c: len({w.tobytes() for w in weights(c, "Wh")}) == len(weights(c, "Wh")), 0.8, 1),
    "finite weights": (lambda c: all(np.isfinite(w).all() for w in c.weights), 1, 1),
    "more calls": (lambda c: len(c.calls) > 1, 0.1, 0.6),
    "a call after a reset": (lambda c: any(call.reset for call in c.calls), 0.01, 0.4),
}


@pytest.mark.parametrize("what", CASES)
def test_share_of_cases(what, cases):
    holds, least, most = CASES[what]
    assert least <= np.mean([bool(holds(case)) for case in cases]) <= most


def test_states_and_masks_can_be_asked_for():
    for case in collect(rnn.cases(spec=rnn.architectures(), initial_state=True, masked=True), 100):
        assert case.spec.masked
        assert all(layer.initial_state for layer in case.spec.directions)
        assert case.calls[0].states


def test_inputs_are_those_of_each_call():
    x = np.ones((4, 5, 2), np.float32)
    drawn = collect(rnn.cases(spec=Spec(2, SimpleRNN(3, stateful=True), N=4), inputs=x), 50)
    assert {len(case.calls) for case in drawn} == {1, 2, 3}
    assert all(np.array_equal(call.x, x) for case in drawn for call in case.calls)


def test_weights_of_an_unrolled_stack():
    spec = Spec(2, (SimpleRNN(3, unroll=True, return_sequences=True), SimpleRNN(4, stateful=True)), T=4, N=2)
    for drawn in collect(rnn.weights(spec=spec), 20):
        assert [w.shape for w in drawn] == list(spec.weight_shapes.values())


def test_calls_differ(cases):
    more = [case for case in cases if len(case.calls) > 1 and case.calls[0].x.size > 3 and not case.spec.embedded]
    assert len(more) > 20
    assert np.mean([not np.array_equal(c.calls[0].x, c.calls[1].x, equal_nan=True) for c in more]) > 0.9
    assert all(len(case.calls) <= 3 for case in cases)
    once = [case for case in cases if not case.spec.stateful]
    assert np.mean([len(case.calls) == 1 for case in once]) > 0.8


def test_initial_states_matter(cases):
    given_some = [case for case in cases if case.calls[0].states and case.calls[0].N]
    assert len(given_some) > 100
    assert np.mean([all(s.any() for s in case.calls[0].states) for case in given_some]) > 0.9


def seen_mask(case, c=0):
    return case.inputs(case.calls[c])[1]


MASKED = Spec(3, SimpleRNN(2), source="mask")

#: What every mask of a pattern is, N = 4 and T = 5.
LOOKS = {
    "none": lambda m: m.all(),
    "trailing": lambda m: m[:, 0].all() and not m.all() and (np.diff(m.astype(int), axis=1) <= 0).all(),
    "leading": lambda m: m[:, -1].all() and not m.all() and (np.diff(m.astype(int), axis=1) >= 0).all(),
    "scattered": lambda m: not m.all(),
    "rows": lambda m: not m.any(1).all() and m.all(1).any(),
    "all": lambda m: not m.any(),
}


@pytest.mark.parametrize("source", ["mask", "masking", "embedding with mask"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern, source):
    spec = MASKED.replace(source=source, mask_value=0.1)
    masks = [seen_mask(c) for c in collect(rnn.cases(spec=spec, N=4, T=5, pattern=pattern), 60)]
    assert all(map(LOOKS[pattern], masks))
    if pattern not in ("none", "all"):
        assert len({mask.tobytes() for mask in masks}) > 10


@pytest.mark.parametrize("source", ["mask", "masking", "embedding with mask"])
def test_every_pattern_comes(source):
    drawn = collect(rnn.cases(spec=MASKED.replace(source=source), N=4, T=5), 300)
    for pattern in PATTERNS:
        share = np.mean([LOOKS[pattern](seen_mask(case)) for case in drawn])
        assert 0.03 < share < 0.95
    # holes, which no other pattern has
    assert any((np.diff(seen_mask(case).astype(int)) > 0).any() and seen_mask(case)[:, 0].any() for case in drawn)


@pytest.mark.parametrize("value", [0.0, -1.0, 0.1])
def test_masked_steps_hold_the_value_and_others_some_of_it(value):
    spec = MASKED.replace(source="masking", mask_value=value)
    drawn = collect(rnn.cases(spec=spec, N=3, T=4), 200)
    held = [case.calls[0].x == np.float32(value) for case in drawn]
    assert all(np.array_equal(h.all(-1), ~seen_mask(c)) for h, c in zip(held, drawn, strict=True))
    assert np.mean([(h.any(-1) & ~h.all(-1)).any() for h in held]) > 0.4
    tiny = [np.abs(case.calls[0].x[case.calls[0].x != 0]).min(initial=1) for case in drawn]
    assert min(tiny) >= np.float32(1e-4)


def test_steps_under_a_mask_hold_anything():
    drawn = collect(rnn.cases(spec=MASKED, N=3, T=4), 400)
    held = [call.x[~call.mask] for case in drawn for call in case.calls]
    assert any(np.isnan(x).any() for x in held)
    assert any(np.isinf(x).any() for x in held)
    assert any((np.abs(x) == np.float32(1e30)).any() for x in held)
    assert np.mean([np.isfinite(x).all() for x in held]) > 0.6
    assert all(np.isfinite(call.x[call.mask]).all() for case in drawn for call in case.calls)


@pytest.mark.parametrize("source", ["embedding", "embedding with mask"])
def test_ids(source):
    spec = MASKED.replace(source=source, vocabulary=5)
    ids = np.concatenate([c.calls[0].x.ravel() for c in collect(rnn.cases(spec=spec), 200)])
    assert set(ids) == set(range(5))
    assert 0.1 < np.mean(ids == 0) < 0.6
    (alone,) = {x for c in collect(rnn.cases(spec=spec.replace(vocabulary=1)), 20) for x in c.calls[0].x.flat}
    assert alone == 0


def test_a_pack_shares_what_it_should_and_nothing_else():
    packs = collect(rnn.packs(spec=rnn.architecture_pool()), 60)
    for pack in packs:
        assert 1 <= len(pack) <= 16
        assert len({(c.spec, c.calls[0].x.shape, tuple(call.reset for call in c.calls)) for c in pack}) == 1
    full = [pack for pack in packs if len(pack) == 16]
    assert len(full) > 30
    assert np.mean([len({case.fingerprint() for case in pack}) == 16 for pack in full]) > 0.8


def test_letters_and_calls_are_numbers_or_strategies():
    spec = Spec(2, SimpleRNN(3, stateful=True), N=4)
    for case in collect(rnn.cases(spec=spec, T=st.just(6), calls=st.integers(2, 4)), 30):
        assert {call.x.shape for call in case.calls} == {(4, 6, 2)}
        assert 2 <= len(case.calls) <= 4
    assert {c.calls[0].N for c in collect(rnn.cases(spec=MASKED, N=0, T=3), 5)} == {0}


# ---- the oracle agrees ----


def answer(case):
    return reference(case, np.float64 if case.spec.dtype == "float64" else np.float32)


def test_no_case_is_a_false_alarm(cases):
    statuses = Counter(
        ("16 bits" if case.spec.compute_dtype.endswith("16") else "", judge(case, answer(case)).status)
        for case in cases
    )
    assert not statuses["", "different"]
    assert not statuses["16 bits", "different"]
    assert statuses["", "inconclusive"] < 0.1 * statuses["", "equivalent"]
    # stacks and both directions are judged by a bound that travels, and 16 bits do not go far
    assert statuses["16 bits", "inconclusive"] < 1.5 * statuses["16 bits", "equivalent"]


# ---- what cannot be done ----

WRONG = [
    (
        lambda: rnn.architectures(options=["use_bais"]),
        ValueError,
        "unknown options use_bais: expected some of activation,",
    ),
    (
        lambda: rnn.architectures(options="use_bias"),
        TypeError,
        "options must be a collection of names, such as ('use_bias',), not 'use_bias'",
    ),
    (lambda: rnn.architectures(dtypes=["float8"]), ValueError, "dtypes must be some of float32, float64, float16,"),
    (lambda: rnn.architectures(dtypes=()), ValueError, "dtypes must be at least one"),
    (lambda: rnn.architectures(activations=()), ValueError, "activations must be at least one"),
    (lambda: rnn.architectures(activations="tnh"), ValueError, "unknown activation 'tnh'"),
    (
        lambda: rnn.architectures(activations=rnn.activations()),
        TypeError,
        "activations must be the names to choose from, not a strategy of them",
    ),
    (lambda: rnn.architectures(max_layers=0), ValueError, "max_layers must be at least 1, not 0"),
    (lambda: rnn.architectures(max_units=2.5), TypeError, "max_units must be a whole number, not 2.5"),
    (lambda: rnn.architecture_pool(count=3), ValueError, "count must be at least 4, not 3"),
    (lambda: rnn.architecture_pool(seed=-1), ValueError, "seed must be at least 0, not -1"),
    (lambda: rnn.architecture_pool(exclude=["unroll"]), TypeError, "exclude must be a function that takes a spec, not"),
    (lambda: rnn.cases(spec="rnn"), TypeError, "spec must be a Spec or a strategy of specs, not"),
    (lambda: rnn.cases(N=-1), ValueError, "N must be at least 0, not -1"),
    (lambda: rnn.cases(T=0), ValueError, "T must be at least 1, not 0"),
    (lambda: rnn.cases(calls=0), ValueError, "calls must be at least 1, not 0"),
    (
        lambda: rnn.cases(pattern="left"),
        ValueError,
        "pattern must be one of none, trailing, leading, scattered,",
    ),
    (
        lambda: rnn.cases(spec=MASKED.replace(T=3), T=4),
        ValueError,
        "T = 4, but D=3 -> a mask -> SimpleRNN(2) [T=3] is made for T = 3: leave T out",
    ),
    (lambda: rnn.packs(max_size=0), ValueError, "max_size must be at least 1, not 0"),
    (lambda: rnn.packs(max_size=65), ValueError, "max_size must be at most 64, or Hypothesis runs out of"),
]


@pytest.mark.parametrize(("call", "kind", "sentence"), WRONG, ids=[sentence for _, _, sentence in WRONG])
def test_misuse_is_refused_where_it_is_written(call, kind, sentence):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


WRONG_LATER = [
    (rnn.cases(pattern=st.just("left")), "pattern must be one of none,"),
    (rnn.cases(T=st.just(0)), "T must be at least 1, not 0"),
    (rnn.cases(calls=st.just(0)), "calls must be at least 1, not 0"),
    (rnn.cases(spec=st.just(MASKED.replace(N=3)), N=2), "N = 2, but D=3 -> a mask"),
]


@pytest.mark.parametrize(("strategy", "sentence"), WRONG_LATER, ids=[sentence for _, sentence in WRONG_LATER])
def test_what_a_strategy_draws_is_checked_too(strategy, sentence):
    with pytest.raises(ValueError) as error:
        collect(strategy)
    assert str(error.value).startswith(sentence)
