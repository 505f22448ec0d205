"""The oracle: what is right passes, what is wrong does not, and where it goes wrong is named exactly."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import generic, rounded_run

from pytest_rnnequiv import Case, Precision, Trajectory, Verdict, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS
from pytest_rnnequiv.judging.verdict import Broken

ANY = {
    "activation": rnn.activations(),
    "initial_state": st.booleans(),
    "masked": st.booleans(),
}
SEED = st.integers(0, 2**32 - 1)


def last(shown: Trajectory) -> Trajectory:
    return Trajectory(shown.outputs[:, -1])


# ---- what is right is never called different ----


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=rnn.cases(**ANY), seed=SEED, dtype=st.sampled_from([np.float32, np.float64]))
def test_whatever_is_computed_correctly_is_never_different(case: Case, seed: int, dtype: Any) -> None:
    shown = rounded_run(case, np.random.default_rng(seed), dtype)
    by_states = judge(case, shown)
    assert not by_states.different, by_states
    assert not judge(case, Trajectory(shown.outputs)).different
    assert not judge(case, last(shown)).different


@settings(max_examples=40)
@given(case=rnn.cases(dtype="float64", **ANY), seed=SEED)
def test_double_precision_has_a_bound_of_its_own(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shown = rounded_run(case, rng, np.float64)
    assert not judge(case, shown).different
    assert not judge(case, last(shown)).different


def test_double_precision_computed_in_single_is_different() -> None:
    case = generic(dtype="float64")
    assert judge(case, reference(case)).equivalent
    assert judge(case, reference(case, np.float32)).different
    assert judge(case, reference(case, np.float32), "float32").equivalent


@pytest.mark.parametrize("seed", range(10))
def test_chaos_is_no_excuse_and_no_alarm_where_states_are_shown(seed: int) -> None:
    case = generic(seed, N=2, T=300, M=33, D=4, radius=3.0)
    shown = rounded_run(case, np.random.default_rng(seed))
    verdict = judge(case, shown)
    assert verdict.equivalent
    assert 0 < verdict.error_over_bound < 1
    assert verdict.steps == 600
    # the trajectory itself is not the one of exact arithmetic at all
    assert np.abs(shown.states[:, -1] - reference(case).states[:, -1]).max() > 0.1


# ---- the three ways, and the three verdicts ----


def test_states_are_judged_by_induction() -> None:
    case = generic(N=3, T=5)
    verdict = judge(case, reference(case, np.float32))
    assert (verdict.status, verdict.way, verdict.steps, verdict.broken) == ("equivalent", "induction", 15, 0)
    assert verdict.equivalent
    assert not verdict.different
    assert not verdict.inconclusive
    assert verdict.place is verdict.problem is None
    assert 0 < verdict.error_over_bound <= 1
    assert re.fullmatch(r"equivalent \(induction\): 15 steps, worst error 0\.\d+ of its bound", str(verdict))


def test_outputs_only_are_judged_by_the_trajectory() -> None:
    case = generic(N=3, T=5)
    shown = reference(case, np.float32)
    every, only_last = judge(case, shown.outputs), judge(case, shown.outputs[:, -1])
    assert (every.status, every.way, every.steps) == ("equivalent", "every output", 15)
    assert (only_last.status, only_last.way, only_last.steps) == ("equivalent", "last output", 3)


def test_states_and_only_the_last_output() -> None:
    case = generic(N=3, T=5)
    shown = reference(case, np.float32)
    mixed = Trajectory(shown.outputs[:, -1], shown.states)
    assert judge(case, mixed).equivalent
    wrong = Trajectory(shown.outputs[:, -1] + 1e-3, shown.states)
    verdict = judge(case, wrong)
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.what, verdict.place.t) == ("output", 4)
    assert (verdict.broken, verdict.steps) == (3, 15)


def test_under_an_identity_head_outputs_are_states() -> None:
    case = generic(T=60, M=9, radius=3.0).with_identity_head()
    verdict = judge(case, reference(case, np.float32).outputs)
    assert (verdict.status, verdict.way) == ("equivalent", "induction")
    almost = case.replace(bo=np.full(9, 1e-30))
    assert judge(almost, reference(almost, np.float32).outputs).way == "every output"
    active = case.replace(spec=case.spec.replace(head_activation="relu"))
    assert judge(active, reference(active, np.float32).outputs).way == "every output"


def test_one_step_has_one_output() -> None:
    case = generic(T=1)
    shown = reference(case, np.float32)
    for answer in (shown, shown.outputs, shown.outputs[:, 0]):
        verdict = judge(case, answer)
        assert verdict.equivalent
        assert verdict.steps == 3
    assert judge(case, shown.outputs[:, 0]).way == "last output"
    assert judge(case, shown.outputs[:, 0] + 1e-4).different


@pytest.mark.parametrize("seed", range(5))
def test_chaos_seen_by_its_last_output_is_inconclusive(seed: int) -> None:
    case = generic(seed, T=200, M=16, radius=3.0, scale=0.2)
    right = rounded_run(case, np.random.default_rng(seed))
    wrong = reference(case.replace(bh=1.01 * case.bh), np.float32)
    for shown in (right, wrong):
        verdict = judge(case, last(shown))
        assert verdict.inconclusive
        assert verdict.undetermined == verdict.steps * case.K == case.N * case.K
        assert verdict.problem == (
            f"{case.N * case.K} of the numbers cannot be judged (last output): "
            "a correct implementation may be this far off, since the recurrence amplifies rounding; "
            "show the states to be judged step by step"
        )
        assert str(verdict) == f"inconclusive: {verdict.problem}"
    assert judge(case, wrong).different


def test_even_in_chaos_an_impossible_output_is_different() -> None:
    case = generic(T=200, M=16, radius=3.0)
    outputs = reference(case, np.float32).outputs[:, -1].copy()
    outputs[1, 0] = 1e6
    verdict = judge(case, outputs)
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.n, verdict.place.t, verdict.place.unit) == (1, 199, 0)


def test_a_contracting_recurrence_is_conclusive_after_hundreds_of_steps() -> None:
    case = generic(N=2, T=300, M=33, radius=0.7)
    assert judge(case, last(rounded_run(case, np.random.default_rng(0)))).equivalent
    assert judge(case, last(reference(case.replace(bh=1.001 * case.bh), np.float32))).different


# ---- the place ----


@settings(max_examples=60)
@given(case=rnn.cases(M=rnn.sizes(max_value=9), **ANY), data=st.data())
def test_one_wrong_state_breaks_its_step_and_no_earlier_one(case: Case, data: st.DataObject) -> None:
    shown = rounded_run(case, np.random.default_rng(0))
    if not judge(case, shown).equivalent:
        return  # overflow
    n, t, unit = (data.draw(st.integers(0, size - 1)) for size in shown.states.shape)
    states, outputs = shown.states.copy(), shown.outputs.copy()
    states[n, t, unit] += max(0.5, abs(states[n, t, unit]))
    bound = judge(case, Trajectory(outputs, states)).place
    assert bound is not None
    if bound.bound > 0.1:
        return  # so large are the numbers there
    verdict = judge(case, Trajectory(outputs, states))
    assert verdict.different
    place = verdict.place
    assert place is not None
    assert (place.what, place.n, place.t, place.unit) == ("state", n, t, unit)
    assert place.got == states[n, t, unit]
    assert place.expected == pytest.approx(shown.states[n, t, unit], abs=place.bound)
    if place.bound:
        assert place.error_over_bound == pytest.approx(abs(place.got - place.expected) / place.bound)
    else:
        assert case.mask is not None
        assert not case.mask[n, t]
    assert verdict.error_over_bound >= place.error_over_bound > 1
    assert verdict.step_broken is not None
    assert verdict.step_broken[n, t]
    # nothing else is touched but the step after, which starts from it
    allowed = np.zeros((case.N, case.T), bool)
    allowed[n, t : t + 2] = True
    assert not (verdict.step_broken & ~allowed).any()
    assert verdict.broken == verdict.step_broken.sum()
    assert verdict.steps == case.N * case.T


@settings(max_examples=30)
@given(case=rnn.cases(T=st.integers(1, 6), M=rnn.sizes(max_value=9)), data=st.data())
def test_a_wrong_head_breaks_outputs_only(case: Case, data: st.DataObject) -> None:
    shown = rounded_run(case, np.random.default_rng(0))
    n, t, k = (data.draw(st.integers(0, size - 1)) for size in shown.outputs.shape)
    outputs = shown.outputs.copy()
    outputs[n, t, k] = 2 * outputs[n, t, k] + 1
    verdict = judge(case, Trajectory(outputs, shown.states))
    if verdict.place is not None and verdict.place.bound > 1e-3:
        return
    if abs(outputs[n, t, k] - shown.outputs[n, t, k]) < 1e-3:
        return
    if np.abs(case.Wo).max() > 1e3 or np.abs(case.bo).max() > 1e3:
        return
    assert verdict.different
    assert verdict.place is not None
    assert str(verdict.place) == f"output (sample {n}, step {t}, unit {k})"
    assert verdict.broken == 1


def test_the_first_broken_step_is_the_earliest_of_all_samples() -> None:
    case = generic(N=3, T=5)
    shown = reference(case, np.float32)
    states = shown.states.copy()
    states[0, 3] += 1
    states[2, 1, 2] += 1
    states[2, 1, 3] -= 2
    verdict = judge(case, Trajectory(shown.outputs, states))
    assert verdict.place is not None
    assert (verdict.place.n, verdict.place.t, verdict.place.unit) == (2, 1, 3)
    assert re.fullmatch(
        r"different \(induction\): first broken at state \(sample 2, step 1, unit 3\): got -?\d\S*, expected -?0\.\d+ "
        r"\+- \S+e-0\d; 4 of 15 steps broken, worst error \S+ times its bound",
        str(verdict),
    )


def test_a_broken_state_is_told_before_a_broken_output() -> None:
    case = generic(N=2, T=4)
    shown = reference(case, np.float32)
    states, outputs = shown.states.copy(), shown.outputs.copy()
    outputs[0, 0] += 1
    states[1, 2] += 1
    verdict = judge(case, Trajectory(outputs, states))
    assert verdict.place is not None
    assert (verdict.place.what, verdict.place.t) == ("state", 2)
    assert verdict.broken == 3  # the output, the state, and the state after it


@pytest.mark.parametrize(("factor", "status"), [(0.99, "equivalent"), (1.01, "different")])
def test_the_bound_is_the_border(factor: float, status: str) -> None:
    case = generic(N=1, T=1)
    exact = reference(case)
    nudged = Trajectory(exact.outputs, exact.states + 1)
    place = judge(case, nudged).place
    assert place is not None
    for sign in (-1, 1):
        states = exact.states.copy()
        states[0, 0, place.unit] = place.expected + sign * factor * place.bound
        outputs = states @ case.Wo.astype(float) + case.bo
        verdict = judge(case, Trajectory(outputs, states))
        assert verdict.status == status
        assert verdict.error_over_bound == pytest.approx(factor, rel=1e-6)


# ---- base, masks ----


def test_the_base_is_zero_or_the_given_state() -> None:
    plain, started = generic(), generic(h0=True)
    assert judge(started, reference(started, np.float32)).equivalent
    for asked, shown in ((plain, started), (started, plain)):
        verdict = judge(asked.replace(x=plain.x, Wx=plain.Wx), reference(shown.replace(x=plain.x), np.float32))
        assert verdict.place is not None
        assert verdict.place.t == 0
        assert verdict.broken == 3


def test_a_masked_step_holds_the_state_to_the_bit() -> None:
    mask = np.ones((2, 5), bool)
    mask[1, 2] = False
    case = generic(N=2, T=5).replace(mask=mask)
    shown = reference(case, np.float32)
    assert judge(case, shown).equivalent
    states = shown.states.copy()
    states[1, 2, 1] = np.nextafter(states[1, 2, 1], np.float32(2))
    verdict = judge(case, Trajectory(shown.outputs, states))
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.n, verdict.place.t, verdict.place.unit, verdict.place.bound) == (1, 2, 1, 0.0)
    assert verdict.place.error_over_bound == float("inf")


def test_a_mask_that_was_not_heeded_is_different() -> None:
    case = generic(mask=True)
    shown = reference(case.replace(mask=None), np.float32)
    assert judge(case, shown).different
    assert judge(case, last(shown)).different
    first_held = judge(case, shown).place
    assert first_held is not None
    assert not case.mask[first_held.n, first_held.t]  # type: ignore[index]


def test_a_masked_input_may_be_anything() -> None:
    case = generic(mask=True)
    x = np.where(case.mask[..., None], case.x, np.nan)  # type: ignore[index]
    case = case.replace(x=x)
    shown = reference(case, np.float32)
    assert not np.isnan(shown.states).any()
    assert judge(case, shown).equivalent
    assert judge(case, shown.outputs).equivalent
    assert judge(case, last(shown)).equivalent


def test_the_initial_state_is_held_where_the_first_steps_are_masked() -> None:
    mask = np.array([[False, False, True]])
    case = generic(N=1, T=3, h0=True).replace(mask=mask)
    shown = reference(case, np.float32)
    assert judge(case, shown).equivalent
    zeros = shown.states.copy()
    zeros[:, :2] = 0
    assert judge(case, Trajectory(shown.outputs, zeros)).different


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_an_initial_state_is_held_as_well_as_its_numbers_can(dtype: Any) -> None:
    mask = np.array([[False, False, True, False]])
    case = generic(N=1, T=4, h0=True, dtype="float64").replace(mask=mask)
    shown = reference(case, dtype)
    declared = Precision.of(np.dtype(dtype).name)
    assert judge(case, shown, declared).equivalent
    assert judge(case, shown).different
    states = shown.states.astype(float)
    states[0, 1] *= 1 + declared.unit / 4  # of its own numbers, it holds every bit
    assert judge(case, Trajectory(shown.outputs, states), declared).different
    states = shown.states.astype(float)
    states[0, :2] *= 1 + 4 * declared.unit
    assert judge(case, Trajectory(shown.outputs, states), declared).different


# ---- NaN, infinity, overflow ----


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_wrong_nan_or_infinity_never_passes(activation: str, value: float) -> None:
    case = generic(activation=activation)
    shown = reference(case, np.float32)
    states, outputs = shown.states.copy(), shown.outputs.copy()
    states[1, 2, 3] = value
    outputs[2, 4, 1] = value
    for answer in (
        Trajectory(shown.outputs, states),
        Trajectory(outputs, shown.states),
        outputs,
        outputs[:, -1],
        Trajectory(np.full_like(outputs, value), np.full_like(states, value)),
    ):
        verdict = judge(case, answer)
        if verdict.inconclusive:  # a run that grows without limit, seen by its outputs only
            assert activation == "exponential"
            assert judge(case, shown.outputs).inconclusive
            continue
        assert verdict.different
        assert verdict.error_over_bound == float("inf")
        assert verdict.place is not None
        assert verdict.place.error_over_bound == float("inf")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_nan_that_goes_in_comes_out(activation: str) -> None:
    x = generic().x.copy()
    x[1, 2, 0] = np.nan
    case = generic(activation=activation).replace(x=x)
    right = reference(case, np.float32)
    swallowed = reference(case.replace(x=np.nan_to_num(x)), np.float32)
    assert judge(case, right).equivalent or (activation == "exponential" and judge(case, right).inconclusive)
    unlimited = activation in ("exponential", "log_softmax")  # by outputs only, nothing can be said of these
    for seen in (right.outputs, last(right)):
        assert judge(case, seen).equivalent or (unlimited and judge(case, seen).inconclusive)
    verdict = judge(case, swallowed)
    assert verdict.place is not None
    assert (verdict.place.n, verdict.place.t) == (1, 2)
    assert np.isnan(verdict.place.expected)
    assert verdict.place.error_over_bound == float("inf")
    # the later steps follow rightly from what it made of it
    assert verdict.broken == 1
    # what is made of NaN may be 0 there, and what comes of that is not seen in outputs
    may_be_zero = not case.spec.activation.keeps_nan
    for seen in (swallowed.outputs, last(swallowed)):
        assert judge(case, seen).different or unlimited or (may_be_zero and judge(case, seen).inconclusive)


def test_a_nan_spreads_to_every_unit_and_later_step_of_its_sample_only() -> None:
    x = generic().x.copy()
    x[1, 2, 0] = np.nan
    case = generic().replace(x=x)
    shown = reference(case, np.float32)
    for spoil in ((1, 2, 3), (1, 4, 0)):  # a number where NaN belongs
        states = shown.states.copy()
        states[spoil] = 0.5
        assert judge(case, Trajectory(shown.outputs, states)).different
    for spoil in ((0, 4, 0), (1, 1, 0), (2, 2, 2)):  # NaN where a number belongs
        states = shown.states.copy()
        states[spoil] = np.nan
        assert judge(case, Trajectory(shown.outputs, states)).different
    outputs = shown.outputs.copy()
    outputs[1, 3, 1] = 0.5
    assert judge(case, Trajectory(outputs, shown.states)).different
    assert judge(case, outputs).different


def test_a_nan_in_the_initial_state_comes_out() -> None:
    case = generic(h0=True)
    h0 = case.h0.copy()  # type: ignore[union-attr]
    h0[0, 1] = np.nan
    asked = case.replace(h0=h0)
    assert judge(asked, reference(asked, np.float32)).equivalent
    assert judge(asked, reference(case, np.float32)).different


@pytest.mark.parametrize("value", [np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("activation", ["tanh", "linear", "relu"])
def test_where_overflow_is_a_matter_of_order_nothing_is_said(value: float, activation: str) -> None:
    x = generic(N=1, T=2).x.copy()
    x[0, 0] = value
    case = generic(N=1, T=2, activation=activation).replace(x=x)
    shown = reference(case, np.float32)
    verdict = judge(case, shown)
    assert verdict.inconclusive
    assert verdict.undetermined > 0
    assert verdict.problem is not None
    assert verdict.problem.partition(": ")[2].startswith("overflow there is a matter of the order of summation")
    assert not judge(case, last(shown)).equivalent


def test_numbers_beside_an_overflow_are_still_judged() -> None:
    x = generic().x.copy()
    x[0, 0] = np.inf
    case = generic().replace(x=x)
    states = reference(case, np.float32).states.copy()
    states[2, 3, 1] += 1
    assert judge(case, Trajectory(reference(case, np.float32).outputs, states)).different


def test_large_numbers_that_cannot_overflow_are_judged() -> None:
    case = generic(activation="linear", T=2, scale=1e30)
    assert judge(case, reference(case, np.float32)).equivalent
    assert judge(case, reference(case.replace(bh=case.bh + 1e28), np.float32)).different


def test_subnormals_may_be_flushed_unless_gradual_underflow_is_promised() -> None:
    gradual = replace(Precision.float32, subnormals=True)
    tiny = float(np.finfo(np.float32).tiny)
    case = generic(activation="linear", T=1, scale=tiny / 64)
    case = case.replace(bh=np.zeros(4), bo=np.zeros(2))
    exact = reference(case, np.float32)
    assert exact.states.any()
    flushed = Trajectory(np.zeros_like(exact.outputs), np.zeros_like(exact.states))
    assert judge(case, exact).equivalent
    assert judge(case, flushed).equivalent
    assert judge(case, exact, gradual).equivalent
    assert judge(case, flushed, gradual).different


# ---- answers that are none ----


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            lambda y: None,
            "the implementation returned None, expected an array of outputs or a Trajectory (is a `return` missing?)",
        ),
        (lambda y: y.astype(int), "the outputs have dtype int64, expected floats (float16, float32 or float64)"),
        (lambda y: y.astype(object), "the outputs are an array of Python objects, expected an array of floats"),
        (lambda y: y[:0], "the outputs are empty (shape (0, 2))"),
        (
            lambda y: y.T,
            "the outputs have shape (2, 3), expected (N, K) = (3, 2) (the last step) or (N, T, K) = (3, 5, 2) (every step); it is transposed",  # noqa: E501
        ),
        (lambda y: Trajectory(y, y), "the states have shape (3, 2), expected (N, T, M) = (3, 5, 4)"),
        (lambda y: "wrong", "the outputs are text (dtype <U5), expected an array of floats"),
    ],
)
def test_an_answer_that_is_none_is_different_and_has_its_sentence(answer: Callable[[Any], Any], sentence: str) -> None:
    case = generic()
    verdict = judge(case, answer(reference(case, np.float32).outputs[:, -1]))
    assert verdict.different
    assert verdict.problem == sentence
    assert verdict.place is None
    assert verdict.error_over_bound == float("inf")
    assert str(verdict) == f"different: {sentence}"


def test_lists_and_float16_and_read_only_arrays_are_answers() -> None:
    case = generic()
    y = reference(case, np.float32).outputs
    frozen = y.copy()
    frozen.flags.writeable = False
    for answer in (y.tolist(), frozen, np.asfortranarray(y), y[::-1][::-1], y.astype(np.float64)):
        assert judge(case, answer).equivalent
    assert judge(case, y.astype(np.float16)).different
    assert judge(case, y.astype(np.float16), "float16").status in ("equivalent", "inconclusive")


def test_an_unknown_precision_is_an_error() -> None:
    case = generic()
    with pytest.raises(ValueError, match="unknown precision 'float99'"):
        judge(case, reference(case), "float99")


# ---- what a verdict is ----


def test_verdicts_are_compared_and_pickled() -> None:
    case = generic()
    wrong = reference(case.replace(bh=2 * case.bh), np.float32)
    one, two = judge(case, wrong), judge(case, wrong)
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one != judge(case, reference(case))


def test_error_over_bound_of_a_place() -> None:
    place = Broken("state", 0, 0, 0, got=1.5, expected=1.0, bound=0.25)
    assert place.error_over_bound == 2.0
    assert replace(place, bound=0.0).error_over_bound == float("inf")
    assert replace(place, got=1.0, bound=0.0).error_over_bound == 0.0
    assert replace(place, got=float("nan")).error_over_bound == float("inf")
    assert replace(place, expected=float("nan")).error_over_bound == float("inf")


def test_every_verdict_is_one_of_three() -> None:
    for status in ("equivalent", "different", "inconclusive"):
        verdict = Verdict(status)
        assert [verdict.equivalent, verdict.different, verdict.inconclusive].count(True) == 1


@pytest.mark.parametrize("name", ["soft_shrink", "hard_shrink"])
def test_what_is_defined_by_comparisons_may_make_zero_of_nan(name: str) -> None:
    case = generic(activation=name, head_activation=name, T=3)
    x = case.x.copy()
    x[0, -1] = np.nan
    case = case.replace(x=x)
    kept = reference(case, np.float32)
    assert kept.states is not None
    for zero, right in ((np.nan, True), (0.0, True), (1.0, False)):
        states = np.where(np.isnan(kept.states), np.float32(zero), kept.states)
        head = case.replace(spec=case.spec.replace(activation="linear"))
        outputs = head.spec.head_activation(states @ case.Wo + case.bo)
        assert judge(case, Trajectory(outputs, states)).equivalent == right
        hidden = np.where(np.isnan(kept.outputs), np.float32(zero), kept.outputs)
        assert judge(case, Trajectory(hidden, kept.states)).equivalent == right
        assert judge(case, hidden).equivalent if np.isnan(zero) else judge(case, hidden).inconclusive
    tanh = case.replace(spec=case.spec.replace(activation="tanh"))
    assert judge(tanh, Trajectory(outputs, states)).different


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_what_is_carried_in_wider_numbers_may_be_shown_as_zero(activation: str) -> None:
    """The state that goes on is not the one that is shown, which underflows."""
    case = generic(N=1, T=2, D=1, M=1, K=1, activation=activation).replace(
        x=[[[2e-8], [0]]], Wx=[[1]], Wh=[[6e4]], bh=[0], Wo=[[6e4]], bo=[0]
    )
    exact = reference(case)
    assert exact.states is not None
    shown = Trajectory(np.float16(exact.outputs), np.float16(exact.states))
    assert shown.states[0, 0, 0] == 0 < shown.states[0, 1, 0]
    verdict = judge(case, shown, "float16")
    assert not verdict.different
    off = Trajectory(shown.outputs, shown.states + np.float16([[[0], [10]]]))
    assert judge(case, off, "float16").different


# ---- what a bound says ----


def test_the_range_of_an_activation_is_known() -> None:
    spans = {name: ACTIVATIONS[name].span for name in ("tanh", "sigmoid", "softmax", "relu6", "hard_tanh", "softsign")}
    assert spans == pytest.approx({"tanh": 2, "sigmoid": 1, "softmax": 1, "relu6": 6, "hard_tanh": 2, "softsign": 2})
    for name in ("relu", "linear", "exponential", "silu", "gelu", "log_softmax", "soft_shrink"):
        assert ACTIVATIONS[name].span == np.inf, name


def test_a_state_whose_bound_is_a_good_part_of_its_range_shows_nothing() -> None:
    """In bfloat16 nearly any number is within the bound of a long sum that cancels."""
    case = generic(0, N=1, T=1, D=40, M=1, K=1)
    case = case.replace(Wx=np.where(np.arange(40) % 2, 1.0, -1.0)[:, None], x=np.full((1, 1, 40), 4.0), bh=[0.0])
    right = reference(case)
    assert judge(case, right, "bfloat16").inconclusive
    assert judge(case, right, "float32").equivalent
    assert judge(case, replace(right, states=np.full((1, 1, 1), 1.5)), "bfloat16").different, "tanh is never 1.5"
    small = case.replace(x=case.x / 256)
    assert judge(small, reference(small), "bfloat16").equivalent
