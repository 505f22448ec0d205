"""The catalogue: each entry changes what is computed, is told from the truth, and is caught soon."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import permutations
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from mistaken import (
    EVERY,
    EVERY_PLAIN,
    PLAIN,
    case_for,
    declared,
    last_output,
    leaves_states,
    nearly_zero,
    numbers,
    same,
    shows_in,
    with_nan,
)
from samples import NETWORKS, filled, generic

from pytest_rnnequiv import GRU, LSTM, Bidirectional, Case, Dense, SimpleRNN, Spec, Trajectory, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.bfloat16 import to_bfloat16
from pytest_rnnequiv.cells.gru import GRUCell
from pytest_rnnequiv.cells.lstm import LSTMCell
from pytest_rnnequiv.judging.observing import observe
from pytest_rnnequiv.mistakes.activations import FAST_TANH, NAMESAKES
from pytest_rnnequiv.mistakes.arithmetic import KEPT_IN
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, GROUPS, Mistake, by_name
from pytest_rnnequiv.mistakes.needs import anywhere
from pytest_rnnequiv.mistakes.rounding import to_int8
from pytest_rnnequiv.mistakes.weights import permuted
from pytest_rnnequiv.model.wiring import RIGHT

# ---- the catalogue ----


@pytest.mark.parametrize(("forward", "backward"), [*permutations([SimpleRNN, GRU, LSTM], 2)])
def test_each_can_be_made_where_directions_have_other_cells(forward: Any, backward: Any) -> None:
    options = {"initial_state": True, "return_sequences": True}
    case = filled(Spec(2, Bidirectional(forward(2, **options), backward(2, **options)), Dense(2)), 3, N=2, T=3)
    assert sum(mistake.made(case) is not None for mistake in CATALOGUE) > 100


def test_names_are_unique_and_can_be_typed() -> None:
    placed = [one for mistake in CATALOGUE for one in mistake.placed(NETWORKS["cells, both"].spec)]
    assert len(placed) > len(CATALOGUE)
    every = [*CATALOGUE, *placed]
    assert Counter(m.name for m in every).most_common(1)[0][1] == 1
    assert Counter(m.says for m in every).most_common(1)[0][1] == 1
    for mistake in every:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", mistake.name), mistake.name
        assert str(mistake) == mistake.name
    for mistake in CATALOGUE:
        assert "." not in mistake.name
        assert by_name(mistake.name) is mistake


@EVERY
def test_it_says_what_it_is_and_how_people_come_to_make_it(mistake: Mistake) -> None:
    assert re.match(r"(with|without|starting|computed|one step) ", mistake.says)
    assert not mistake.says.endswith(".")
    assert len(mistake.cause) > 5
    assert mistake.group in GROUPS


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no mistake is called 'typo'; the catalogue has gates-of-ONNX, "):
        by_name("typo")


# ---- each of them ----


@EVERY_PLAIN
def test_it_changes_the_case_and_leaves_the_one_it_was_given(mistake: Mistake) -> None:
    case = case_for(mistake)
    before = case.replace()
    changed = mistake(case)
    assert changed is not None
    assert same(case, before)
    assert mistake.precision is not None or mistake.wiring is not RIGHT or not same(case, changed)
    again = mistake(case)
    assert again is not None
    assert mistake.name == "activation-twice" or same(changed, again)


@EVERY_PLAIN
def test_it_is_different_from_the_truth(mistake: Mistake) -> None:
    case = case_for(mistake)
    verdict = judge(case, mistake.run(case), declared(mistake))
    assert verdict.different
    assert verdict.place is not None
    if mistake.name not in ("bh-and-bo-swapped", "weights-to-6-decimals"):  # which are about the head as well
        assert (verdict.place.what == "output") == leaves_states(mistake)


@EVERY_PLAIN
def test_it_is_the_recurrence_of_the_mistaken_case(mistake: Mistake) -> None:
    case = case_for(mistake)
    mistaken = mistake(case)
    assert mistaken is not None
    shown = mistake.run(case)
    if mistake.head_only:
        shown = Trajectory(shown.outputs)
    p = mistake.precision or declared(mistake)
    verdict = judge(mistaken, shown, p, wiring=mistake.wiring)
    assert verdict.equivalent or (verdict.inconclusive and mistake.name in ("byte-order", "softplus-overflows")), (
        verdict
    )
    # and by its last output alone, it is not called anything else
    if mistake.name != "head-of-last-step-for-all":  # of which nothing is seen in the last step
        assert not judge(mistaken, last_output(shown), p, wiring=mistake.wiring).different


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(
    pack=rnn.packs(
        max_size=1,
        T=st.integers(1, 6),
        M=rnn.sizes(max_value=9),
        activation=rnn.activations(),
        initial_state=st.booleans(),
        masked=st.booleans(),
    )
)
def test_on_drawn_cases_each_is_the_recurrence_of_its_mistaken_case(pack: list[Case]) -> None:
    (case,) = pack
    for mistake in CATALOGUE:
        mistaken = mistake(case)
        shown = mistake.run(case)
        if mistaken is None:
            assert np.array_equal(shown.outputs, reference(case, case.spec.dtype).outputs, equal_nan=True)
            continue
        made = mistake.made(case)
        assert made is not None
        assert made.case.spec == mistaken.spec or mistake.group in ("activation", "numbers")
        verdict = judge(mistaken, made.seen(shown), mistake.precision, wiring=mistake.wiring)
        assert not verdict.different, f"{mistake}: {verdict}"


@EVERY_PLAIN
def test_it_is_made_in_double_precision_as_well(mistake: Mistake) -> None:
    case = case_for(mistake)
    if mistake.name in ("flushed-to-zero", "softplus-overflows", "computed-in-float32"):
        return  # a float32 subnormal is none there, and single precision is meant
    double = case.replace(spec=case.spec.replace(dtype="float64"))
    if mistake.precision is not None:
        assert mistake(double) is None  # single precision is no mistake's name for what computes in double
        return
    assert mistake(double) is not None
    assert judge(double, mistake.run(double)).different


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("Wx-and-Wh-swapped", generic(D=3, M=4)),
        ("previous-input-for-state", generic(D=3, M=4)),
        ("bh-and-bo-swapped", generic(M=4, K=2)),
        ("head-dropped", generic(M=4, K=2)),
        ("leaks-between-samples", generic(N=1)),
        ("first-sample-only", generic(N=1)),
        ("N-and-T-swapped", generic(N=1)),
        ("N-and-T-swapped", generic(T=1)),
        ("time-reversed", generic(T=1)),
        ("first-input-repeated", generic(T=1)),
        ("stride-wrong", generic(D=1)),
        ("stride-wrong", generic(T=1)),
        ("Wh-transposed", generic(M=1)),
        ("Wx-memory-order", generic(D=1)),
        ("Wx-columns-reversed", generic(M=1)),
        ("Wo-columns-rolled", generic(K=1)),
        ("Wo-memory-order", generic(K=1)),
        ("bias-of-first-unit", generic(M=1)),
        ("bh-dropped", generic().replace(bh=np.zeros(4))),
        ("bh-doubled", generic().replace(bh=np.zeros(4))),
        ("bo-dropped", generic().replace(bo=np.zeros(2))),
        ("starts-at-bias", generic().replace(bh=np.zeros(4))),
        ("recurrent-term-dropped", generic().replace(Wh=np.zeros((4, 4)))),
        ("Wh-diagonal-only", generic(M=1)),
        ("activation-tanh", generic()),
        ("activation-relu", generic(activation="relu")),
        ("activation-forgotten", generic(activation="linear")),
        ("activation-on-head", generic(head_activation="tanh")),
        ("fast-tanh-rational", generic(activation="sigmoid")),
        ("NaN-swallowed", generic()),
        ("flushed-to-zero", generic()),
        ("inputs-clipped", generic(scale=0.01)),
        (
            "weights-to-6-decimals",
            generic().replace(weights=tuple(map(np.ones, generic().spec.weight_shapes.values()))),
        ),
        ("starts-at-one", generic(h0=True).replace(h0=np.ones((3, 4)))),
        ("computed-in-tf32", generic(dtype="float64")),
    ],
)
def test_where_it_cannot_be_made_it_is_none_and_runs_as_the_truth(name: str, case: Case) -> None:
    mistake = by_name(name)
    assert mistake(case) is None
    truth, shown = reference(case, case.spec.dtype), mistake.run(case)
    assert np.array_equal(shown.outputs, truth.outputs, equal_nan=True)
    assert np.array_equal(shown.states, truth.states, equal_nan=True)


def test_a_mistake_that_cannot_be_made_leaves_the_plain_recurrence() -> None:
    case = NETWORKS["stack"]
    right = numbers(reference(case, np.float32))
    for name in ("mask-inverted", "backward-not-turned-back", "cells-reversed", "embedding-one-too-far"):
        mistake = by_name(name)
        assert numbers(mistake.run(case)) == right
        assert mistake.judge(case, reference(case, np.float32)) is None
        assert mistake.judge(case, by_name("Wh-transposed").run(case)) is None


@EVERY
def test_in_a_model_without_what_it_needs_it_changes_nothing(mistake: Mistake) -> None:
    """That it is passed over is no more than haste: made all the same, it would come to the truth."""
    anyhow = replace(mistake, needs=anywhere)
    for case in (*NETWORKS.values(), generic(), generic(D=4, M=4, h0=True, mask=True)):
        if mistake.name == "backward-output-of-last-step" and case.spec.plain:
            continue  # it shows the last output only
        if "-loop-" in mistake.name and not mistake.needs(case):
            continue  # of one layer that gives its last output, there is another for it
        if not mistake.needs(case):
            assert numbers(anyhow.run(case, np.float64)) == numbers(reference(case))


@EVERY
def test_it_shows_somewhere(mistake: Mistake) -> None:
    case = case_for(mistake)
    plain = mistake(case) is not None and judge(case, mistake.run(case), declared(mistake)).different
    assert plain or next(shows_in(mistake), None) is not None


def test_in_a_mistake_of_the_head_the_states_are_right() -> None:
    for mistake in PLAIN:
        case = case_for(mistake)
        right = np.array_equal(mistake.run(case).states, reference(case, case.spec.dtype).states)
        assert right == leaves_states(mistake) or mistake.name == "bh-and-bo-swapped", mistake.name


# ---- some by hand ----


def states_of(name: str, case: Case) -> Any:
    return by_name(name).run(case, np.float64).states


def test_some_are_what_their_sentence_says() -> None:
    case = generic()
    x, Wx, Wh, bh = (a.astype(float) for a in (case.x, case.Wx, case.Wh, case.bh))
    right = reference(case).states
    first = x[:, 0] @ Wx

    def close(name: str, step: int, expected: Any) -> bool:
        return np.allclose(states_of(name, case)[:, step], expected, rtol=1e-6)

    assert close("bh-after-activation", 0, np.tanh(first) + bh)
    assert close("input-outside-activation", 0, first + np.tanh(bh))
    assert close("recurrence-outside-activation", 0, np.tanh(first + bh))
    assert close("terms-multiplied", 0, np.tanh(0 * first + bh))
    assert close("activation-twice", 0, np.tanh(np.tanh(first + bh)))
    assert close("starts-at-one", 0, np.tanh(first + np.ones(4) @ Wh + bh))
    assert close("starts-at-bias", 0, np.tanh(first + bh @ Wh + bh))
    assert close("starts-at-activated-bias", 0, np.tanh(first + np.tanh(bh) @ Wh + bh))
    assert close("first-step-skipped", 0, np.zeros((3, 4)))
    assert close("last-step-skipped", 4, right[:, 3])
    for step in range(1, 5):
        assert close("one-step-late", step, right[:, step - 1])
    assert close("state-not-weighted", 1, np.tanh(x[:, 1] @ Wx + states_of("state-not-weighted", case)[:, 0] + bh))
    assert close("Wh-diagonal-only", 1, np.tanh(x[:, 1] @ Wx + right[:, 0] * np.diag(Wh) + bh))
    assert close("time-reversed", 0, np.tanh(x[:, 4] @ Wx + bh))
    assert close("one-step-ahead", 0, np.tanh(x[:, 1] @ Wx + bh))
    assert close("input-one-step-behind", 0, np.broadcast_to(np.tanh(bh), (3, 4)))
    leaked = np.tanh(first[1] + right[0, -1] @ Wh + bh)
    assert np.allclose(states_of("leaks-between-samples", case)[1, 0], leaked, rtol=1e-5)
    assert np.array_equal(states_of("leaks-between-samples", case)[0], right[0])


def test_previous_input_for_state_by_hand() -> None:
    case = generic(D=4, M=4)
    x, Wx, Wh, bh = (a.astype(float) for a in (case.x, case.Wx, case.Wh, case.bh))
    shown = states_of("previous-input-for-state", case)
    assert np.allclose(shown[:, 0], np.tanh(x[:, 0] @ Wx + bh))
    assert np.allclose(shown[:, 2], np.tanh(x[:, 2] @ Wx + x[:, 1] @ Wh + bh))


def test_an_overwritten_state_by_hand() -> None:
    case = generic(N=1, T=2)
    x, Wx, Wh, bh = (a.astype(float) for a in (case.x, case.Wx, case.Wh, case.bh))
    h = np.zeros(4)
    for t in range(2):
        for unit in range(4):
            h[unit] = np.tanh(x[0, t] @ Wx[:, unit] + h @ Wh[:, unit] + bh[unit])
        assert np.allclose(states_of("state-overwritten", case)[0, t], h)


def test_the_state_before_activation_is_carried_and_the_head_sees_the_activated_one() -> None:
    case = generic(N=1, T=2)
    x, Wx, Wh, bh, Wo, bo = (a.astype(float) for a in (case.x, *case.weights))
    first = x[0, 0] @ Wx + bh
    second = x[0, 1] @ Wx + first @ Wh + bh
    shown = by_name("state-before-activation").run(case, np.float64)
    assert np.allclose(shown.states[0], [first, second])
    assert np.allclose(shown.outputs[0, 1], np.tanh(second) @ Wo + bo)


def test_roundings() -> None:
    a = np.array([1.0, 1.00390625, 1.001953125, -1.0117, 3e-39, 0.0, np.inf, -np.inf, np.nan], np.float32)
    ml_dtypes = pytest.importorskip("ml_dtypes")
    expected = a.astype(ml_dtypes.bfloat16).astype(np.float32)
    assert np.array_equal(to_bfloat16(a), expected, equal_nan=True)
    rng = np.random.default_rng(0)
    many = rng.standard_normal(10_000).astype(np.float32)
    assert np.array_equal(to_bfloat16(many), many.astype(ml_dtypes.bfloat16).astype(np.float32))
    assert len(np.unique(to_int8(many))) <= 255
    assert np.abs(to_int8(many) - many).max() <= np.abs(many).max() / 254 * 1.0001
    assert not to_int8(np.zeros(3)).any()
    for kept in (KEPT_IN["bfloat16"], KEPT_IN["float16"]):
        assert np.array_equal(kept(kept(many)), kept(many))
        assert not np.array_equal(kept(many), many)


def test_permutations() -> None:
    a = np.array([[1, 2, 3], [4, 5, 6]])
    assert permuted(a, 1, "reversed").tolist() == [[3, 2, 1], [6, 5, 4]]
    assert permuted(a, 1, "rolled").tolist() == [[3, 1, 2], [6, 4, 5]]
    assert permuted(a, 1, "rolled back").tolist() == [[2, 3, 1], [5, 6, 4]]
    assert permuted(a, 0, "rolled").tolist() == [[4, 5, 6], [1, 2, 3]]


@pytest.mark.parametrize(
    ("name", "worst"), [("rational", 0.024), ("lambert", 1e-4), ("quadratic", 0.044), ("table", 1e-3), ("steps", 0.02)]
)
def test_the_fast_tanhs_are_off_by_what_is_said_of_them(name: str, worst: float) -> None:
    a = np.linspace(-10, 10, 200_001)
    off = np.abs(FAST_TANH[name][0](a) - np.tanh(a)).max()
    assert off <= worst
    assert off > worst / 10


# ---- each is caught soon ----

#: Cases that the quick profile looks at, in round numbers.
CASES = 600
SQUARE: dict[str, Any] = dict.fromkeys("DMK", st.shared(rnn.sizes(max_value=9), key="square"))
DRAWN: dict[str, tuple[str, dict[str, Any], Callable[[Case, int], Case] | None]] = {
    "Wx-and-Wh-swapped": ("square", SQUARE, None),
    "previous-input-for-state": ("square", SQUARE, None),
    "bh-and-bo-swapped": ("square", SQUARE, None),
    "head-dropped": ("square", SQUARE, None),
    "activation-tanh": ("activations", {"activation": rnn.activations()}, None),
    **{name: (activation, {"activation": activation}, None) for name, (activation, _, _) in NAMESAKES.items()},
    "activation-parameters-ignored": ("parameters", {"activation": "leaky_relu(0.01)"}, None),
    "computed-in-float32": ("float64", {"dtype": "float64"}, None),
    "NaN-swallowed": ("NaN", {}, with_nan),
    "flushed-to-zero": ("nearly zero", {"activation": "linear"}, nearly_zero),
    "reset-after": ("reset before", {"cell": GRUCell(reset_after=False)}, None),
    "recurrent-activation-sigmoid": ("hard", {"cell": LSTMCell("hard_sigmoid")}, None),
    "initial-states-h-and-c-exchanged": ("initial states", {"cell": "LSTM", "initial_state": True}, None),
}


@cache
def drawn(kind: str, seed_: int) -> list[Case]:
    """Draw packs of cases as the suite does, until there are enough."""
    default = ({"cell": kind} if kind in ("GRU", "LSTM") else {}, None)
    options, change = next(((o, c) for k, o, c in DRAWN.values() if k == kind), default)
    cases: list[Case] = []

    @settings(
        max_examples=60, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @seed(seed_)
    @given(rnn.packs(**options))
    def collect(pack: list[Case]) -> None:
        if len(cases) < CASES:
            cases.extend(pack)

    collect()
    return [change(case, number) for number, case in enumerate(cases)] if change else cases


def caught_after(mistake: Mistake, seed_: int, show: Callable[[Trajectory], Any]) -> int | None:
    """Count the cases that are judged until the mistake is found."""
    cell = case_for(mistake).spec.cell.name
    kind = DRAWN.get(mistake.name, ("" if cell == "SimpleRNN" else cell, {}, None))[0]
    for number, case in enumerate(drawn(kind, seed_), 1):
        if observe(lambda asked: show(mistake.run(asked)), case).judge(declared(mistake)).different:
            return number
    return None


@EVERY_PLAIN
@pytest.mark.parametrize("show", ["states", "last output"])
def test_drawn_cases_catch_it(mistake: Mistake, show: str) -> None:
    if show == "last output" and mistake.name == "head-of-last-step-for-all":
        pytest.skip("nothing is wrong with the last step's output")
    shown = {"states": lambda t: t, "last output": last_output}[show]
    counts = [caught_after(mistake, seed_, shown) for seed_ in range(2)]
    assert None not in counts, "missed"
    # a pack or two of what is small and plain comes first
    assert median(n for n in counts if n is not None) <= 250
