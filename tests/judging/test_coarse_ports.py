"""Coarse ports that declare how they round: right ones are proved, and a mistake of one step is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from coarse import (
    ApFixed,
    Fixed,
    FixedLSTM,
    FixedPort,
    Fp8,
    FullInt8,
    Half,
    Hybrid,
    HybridGated,
    WholeSequence,
    table_of_tanh,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import generic

from pytest_rnnequiv import Case, Dense, Precision, SimpleRNN, Spec, Trajectory, diagnose, judge, reference
from pytest_rnnequiv.judging.sampling import expected, flat
from pytest_rnnequiv.strategies import generic_case

ROUNDINGS = ("nearest-even", "nearest-away", "nearest-up", "floor", "zero")

roundings = st.sampled_from(ROUNDINGS)


@st.composite
def grids(draw: Any, integer: int, most: int = 13) -> Fixed:
    """A fixed-point format of some integer bits."""
    overflow = draw(st.sampled_from(["saturate", "wrap"]))
    return Fixed(integer, draw(st.integers(3, most)), draw(roundings), overflow)


def shapes() -> Any:
    return st.fixed_dictionaries(
        {"T": st.integers(1, 6), "M": st.integers(1, 9), "D": st.integers(1, 4), "K": st.integers(1, 3)}
    )


def ways(shown: Trajectory) -> list[Trajectory]:
    """All that is shown, the outputs of every step, that of the last one."""
    return [shown, Trajectory(shown.outputs), Trajectory(shown.outputs[:, -1])]


def not_different(port: Any, case: Any) -> None:
    shown = port.run(case)
    for seen in ways(shown):
        verdict = judge(case, seen, port.precision)
        assert not verdict.different, verdict


@settings(max_examples=30, deadline=None)
@given(
    weights=grids(3),
    states=grids(0, 15),
    sums=st.none() | grids(2),
    seed=st.integers(0, 2**32 - 1),
    shape=shapes(),
)
def test_fixed_point_is_never_different(weights: Fixed, states: Fixed, sums: Any, seed: int, shape: Any) -> None:
    behind = weights.fraction + max(weights.fraction, states.fraction)
    if sums is not None and sums.fraction > behind:
        sums = replace(sums, fraction=behind)
    case = generic(seed, **shape)
    port = FixedPort(weights, states, sums)
    not_different(port, case)
    assert judge(case, port.run(case), port.precision).equivalent


@settings(max_examples=15, deadline=None)
@given(weights=grids(3, 12), states=grids(0, 15), sums=grids(3, 12), seed=st.integers(0, 2**32 - 1), shape=shapes())
def test_a_fixed_point_lstm_is_never_different(
    weights: Fixed, states: Fixed, sums: Fixed, seed: int, shape: Any
) -> None:
    sums = replace(sums, fraction=min(sums.fraction, states.fraction, 2 * max(weights.fraction, states.fraction)))
    not_different(FixedLSTM(weights, states, sums), generic(seed, cell="LSTM", **shape))


@settings(max_examples=15, deadline=None)
@given(bits=st.integers(6, 18), integer=st.integers(1, 6), seed=st.integers(0, 2**32 - 1), shape=shapes())
def test_ap_fixed_is_never_different(bits: int, integer: int, seed: int, shape: Any) -> None:
    port, case = ApFixed(bits, integer), generic(seed, **shape)
    not_different(port, case)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["SimpleRNN", "GRU", "LSTM"]),
    at_least=st.sampled_from([1, 40]),
    seed=st.integers(0, 2**32 - 1),
    shape=shapes(),
    scale=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_hybrid_kernels_are_never_different(kind: str, at_least: int, seed: int, shape: Any, scale: float) -> None:
    port = (Hybrid if kind == "SimpleRNN" else HybridGated)(at_least)
    not_different(port, generic(seed, cell=kind, scale=scale, **shape))


@settings(max_examples=25, deadline=None)
@given(
    zero=st.integers(-128, 127),
    scale=st.sampled_from([0.01, 0.03, 1 / 32, 0.2]),
    seed=st.integers(0, 2**32 - 1),
    shape=shapes(),
)
def test_full_int8_is_never_different(zero: int, scale: float, seed: int, shape: Any) -> None:
    not_different(FullInt8(scale, zero), generic(seed, **shape))


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(["float16", "bfloat16", "e4m3", "e5m2"]), seed=st.integers(0, 2**32 - 1), shape=shapes())
def test_narrow_floats_are_never_different(kind: str, seed: int, shape: Any) -> None:
    not_different(narrow(kind), generic(seed, **shape))


def narrow(kind: str) -> Any:
    if kind == "float16":
        return Half(np.float16, "float16_accumulated_in_float32")
    if kind == "bfloat16":
        return Half(ml_dtypes.bfloat16, "bfloat16_accumulated_in_float32")
    port = Fp8(ml_dtypes.float8_e4m3fn if kind == "e4m3" else ml_dtypes.float8_e5m2, f"fp8_{kind}")
    port.largest = 448.0 if kind == "e4m3" else 57344.0
    return port


# ---- a mistake of one step is seen ----


def off_by_one(step: int, sign: int) -> Any:
    def wrong(t: int, h: Any) -> Any:
        if t == step:
            h = h.copy()
            h[1, 2] -= np.sign(h[1, 2]) * sign or 1
        return h

    return wrong


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("fraction", [7, 15])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_fixed_point_state_that_is_off_by_one_step_is_different(rounding: str, fraction: int, sign: int) -> None:
    case = generic(5)
    states = Fixed(0, fraction, rounding)
    port = FixedPort(Fixed(3, 12, rounding), states, wrong=off_by_one(3, sign))
    verdict = judge(case, port.run(case), port.precision)
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.what, verdict.place.n, verdict.place.t, verdict.place.unit) == ("state", 1, 3, 2)
    assert abs(verdict.place.got - verdict.place.expected) == states.step
    assert verdict.place.bound < states.step
    # on its way to the last output it may be rounded away
    last = FixedPort(Fixed(3, 12, rounding), states, wrong=off_by_one(case.T - 1, sign)).run(case)
    assert judge(case, Trajectory(last.outputs[:, -1]), port.precision).different


@pytest.mark.parametrize(("right", "wrong"), [("floor", "nearest-even"), ("nearest-up", "floor"), ("zero", "floor")])
def test_another_rounding_than_the_declared_one_is_different(right: str, wrong: str) -> None:
    case = generic(3)
    port = FixedPort(Fixed(3, 12), Fixed(0, 15, wrong))
    declared = Precision.fixed_point(Fixed(3, 12), Fixed(0, 15, right))
    assert judge(case, port.run(case), declared).different
    assert judge(case, port.run(case), port.precision).equivalent
    unknown = Precision.fixed_point(Fixed(3, 12), Fixed(0, 15, "unknown"))
    assert judge(case, port.run(case), unknown).equivalent


@pytest.mark.parametrize("wrong", ["zero point", "channel", "transposed", "cut"])
def test_what_is_wrong_with_int8_is_different(wrong: str) -> None:
    case = generic(4, N=1, T=4, M=8, D=4, scale=0.4, radius=0.9)
    right, port = FullInt8(), FullInt8(wrong=wrong)
    assert judge(case, right.run(case), right.precision).equivalent
    assert judge(case, Trajectory(right.run(case).outputs[:, -1]), right.precision).equivalent
    assert judge(case, port.run(case), port.precision).different
    if wrong == "transposed":
        assert diagnose(case, port.run(case), port.precision).names == ("Wh-integers-transposed",)


@pytest.mark.parametrize("seed", range(4))
def test_a_table_is_computed(seed: int) -> None:
    sums, states = Fixed(3, 12, "floor"), Fixed(0, 15, "floor")
    right, late = (FixedPort(Fixed(3, 12), states, sums, tanh=table_of_tanh(n)) for n in (0, 1))
    declared = right.precision.with_table(2.0**-11, tanh=table_of_tanh())
    case = generic(seed, scale=0.6)
    shown = right.run(case)
    assert judge(case, shown, declared).equivalent
    assert judge(case, shown, right.precision).different  # it is no tanh to the last bit
    assert judge(case, late.run(case), declared).different
    with pytest.raises(ValueError, match="more than"):
        right.precision.with_table(2.0**-11, tanh=table_of_tanh(1))


def test_an_accumulator_that_wraps_is_another_than_one_that_saturates() -> None:
    case = generic(1, scale=4.0)
    wraps, ends = (FixedPort(Fixed(3, 12), Fixed(0, 15), Fixed(1, 12, "floor", o)) for o in ("wrap", "saturate"))
    assert judge(case, wraps.run(case), wraps.precision).equivalent
    assert judge(case, ends.run(case), ends.precision).equivalent
    assert judge(case, wraps.run(case), ends.precision).different
    assert judge(case, ends.run(case), wraps.precision).different


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_one_integer_that_is_off_by_one_is_seen_in_hybrid_kernels(cell: str) -> None:
    def nudge(q: Any) -> Any:
        q = q.copy()
        q[0, 0] += 1 if q[0, 0] < 127 else -1
        return q

    case = generic(2, M=16, D=8, cell=cell)
    kind = Hybrid if cell == "SimpleRNN" else HybridGated
    right, wrong = kind(), kind(nudge=nudge)
    assert judge(case, right.run(case), right.precision).equivalent
    assert judge(case, wrong.run(case), right.precision).different
    assert judge(case, Trajectory(wrong.run(case).outputs[:, -1]), right.precision).different


def test_the_last_output_of_hybrid_kernels_is_conclusive() -> None:
    port, shown = Hybrid(), []
    for seed in range(20):
        case = generic(seed, N=1, T=10, M=64, D=8, scale=0.4, radius=0.9)
        shown.append(judge(case, Trajectory(port.run(case).outputs[:, -1]), port.precision).status)
    assert shown.count("equivalent") >= 18
    assert "different" not in shown


def test_a_scale_that_is_wrong_in_one_unit_is_different_where_only_the_last_output_is_seen() -> None:
    port = Hybrid()
    case = generic(4, N=1, T=10, M=64, D=8, scale=0.4, radius=0.9)
    Wh = case.Wh.copy()
    Wh[:, 7] *= 2
    shown = port.run(case.replace(Wh=Wh)).outputs[:, -1]
    assert judge(case, Trajectory(shown), port.precision).different


# ---- a mistake is named, whatever it is rounded to ----


def fixed() -> FixedPort:
    return FixedPort(Fixed(3, 12), Fixed(0, 15))


@pytest.mark.parametrize("port", [Hybrid, fixed])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("name", "change"), [
    ("Wh-transposed", lambda case: case.replace(Wh=case.Wh.T)),
    ("bh-dropped", lambda case: case.replace(bh=0 * case.bh)),
])  # fmt: skip
def test_a_mistake_is_named_under_roundings(port: Any, last: bool, name: str, change: Any) -> None:
    case = generic(3, N=2, T=5, M=8, scale=0.6, radius=0.9)
    shown = port().run(change(case))
    shown = Trajectory(shown.outputs[:, -1]) if last else shown
    assert [each.name for each in diagnose(case, shown, port().precision).explanations][:1] == [name]


def test_a_mistake_after_rounding_is_named() -> None:
    """The scales of a transposed kernel are others than those that the kernel was rounded on."""
    case = generic(3, N=2, T=5, M=8, scale=0.6, radius=0.9)
    scale = np.abs(case.Wh).max() / 127 * np.linspace(0.5, 1.0, case.M).astype(np.float32)
    rounded = (np.rint(case.Wh / scale) * scale).astype(np.float32)
    declared = Precision.float32.quantized(Wh=scale)
    right = reference(case.replace(Wh=rounded), np.float32)
    assert judge(case, right, declared).equivalent
    wrong = reference(case.replace(Wh=rounded.T), np.float32)
    assert [each.name for each in diagnose(case, wrong, declared).explanations][:1] == ["Wh-transposed"]


@pytest.mark.parametrize(("cell", "seed"), [("SimpleRNN", 0), ("SimpleRNN", 1), ("LSTM", 0)])
def test_a_whole_sequence_on_one_scale_is_computed(cell: str, seed: int) -> None:
    """Inputs are rounded over all samples and time steps, states step by step, and what goes into the head at once."""
    case = generic(seed, cell=cell, N=2, T=9, D=4, M=8, K=3, scale=0.5, radius=0.9)
    port = WholeSequence()
    shown, p = port.run(case), port.precision
    turned = case.replace(Wh=np.concatenate([gate.T for gate in np.split(case.Wh, case.Wh.shape[1] // case.M, 1)], 1))
    for seen in (shown, Trajectory(shown.outputs), Trajectory(port.last(case))):
        assert judge(case, seen, p).equivalent
        assert judge(case, seen, p.rounded(factors=p.formats["factors"].by_step())).different
        assert judge(turned, seen, p).different
    if cell == "SimpleRNN":
        last = Trajectory(port.last(case))
        assert expected(case, last, p).distance(flat(last, last)).max() < 1
        assert (expected(turned, last, p).distance(flat(last, last)) > 3).all()


def test_layers_behind_each_other_round_whole_sequences() -> None:
    """The second layer takes the states of the first one all at once."""
    spec = Spec(3, (SimpleRNN(6, return_sequences=True), SimpleRNN(5)), Dense(2))
    case, port = generic_case(spec, N=2, T=6), WholeSequence()
    Wx, Wh, bh, Vx, Vh, vh, Wo, bo = case.weights
    first = port.run(Case(Spec.simple(3, 6, 2), x=case.calls[0].x, weights=(Wx, Wh, bh, np.zeros((6, 2)), bo))).states
    second = Case(Spec.simple(6, 5, 2), x=first, weights=(Vx, Vh, vh, Wo, bo))
    y, p = port.last(second), port.precision
    assert judge(case, y, p).equivalent
    assert not judge(case, y, p.rounded(factors=p.formats["factors"].by_step())).equivalent
    assert judge(case.with_weights(**{"layer1/Wh": Vh.T}), y, p).different


@pytest.mark.parametrize("seed", [11, 17, 135])
def test_samples_that_share_a_scale_share_their_ties(seed: int) -> None:
    """Which zero point is taken at a tie is one choice for all samples, and what one sample is rounded to moves all."""
    case = generic(seed, N=3, T=4, D=17, M=13, K=31, scale=0.5, radius=0.9)
    port = WholeSequence()
    assert judge(case, Trajectory(port.last(case)), port.precision).equivalent
    assert judge(case.replace(Wh=case.Wh.T), Trajectory(port.last(case)), port.precision).different
