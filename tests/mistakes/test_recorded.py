"""Numbers without code: judged and diagnosed to the decimals that were recorded, and what they do not show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from samples import NETWORKS, filled, generic

from pytest_rnnequiv import (
    GRU,
    LSTM,
    Case,
    Dense,
    Precision,
    SimpleRNN,
    Spec,
    Trajectory,
    assert_equivalent,
    diagnose,
    judge,
    reference,
)
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.mistakes.made import Made
from pytest_rnnequiv.mistakes.seen import Seen


def printed(a: Any, decimals: int = 4) -> Any:
    return np.round(np.asarray(a, np.float64), decimals)


def as_printed(case: Case, decimals: int = 4, dtype: str = "float32") -> Case:
    spec = case.spec.replace(dtype=dtype)
    return Case(spec, printed(case.x, decimals), weights=[printed(w, decimals) for w in case.weights])


@pytest.mark.parametrize("decimals", [2, 4, 6])
@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_was_printed_of_a_right_run_is_never_different(decimals: int, cell: str, dtype: str) -> None:
    worst = 0.0
    for seed in range(8):
        true = generic(seed, N=2, T=6, cell=cell, dtype="float64")
        right, case = reference(true), as_printed(true, decimals, dtype)
        y, h = printed(right.outputs, decimals), printed(right.states, decimals)
        for shown in (Trajectory(y, h), Trajectory(y), y[:, -1]):
            verdict = judge(case, shown, Precision.of(dtype).recorded(decimals))
            assert not verdict.different, str(verdict)
            worst = max(worst, verdict.error_over_bound)
    assert worst > 0.4  # the room is that of the decimals, and not much more


def test_without_the_decimals_said_it_is_different() -> None:
    true = generic(1)
    case, y = as_printed(true), printed(reference(true).outputs)
    assert judge(case, y).different
    assert judge(case, y, Precision.float32.recorded(outputs=4)).different
    assert judge(case, y, Precision.float32.recorded(4)).equivalent
    with pytest.raises(AssertionError):
        assert_equivalent(case, y + 1e-2, Precision.float32.recorded(4))
    wide = Precision.float32.recorded(inputs=4, weights=4)
    assert judge(case, reference(true).outputs, wide).equivalent


def test_initial_states_are_inputs_that_were_printed_too() -> None:
    true = generic(2, h0=True, dtype="float64")
    case = Case(true.spec.replace(dtype="float32"), true.x, weights=true.weights, h0=printed(true.h0, 2))
    shown = reference(true)
    assert judge(case, shown).different
    assert judge(case, shown, Precision.float32.recorded(inputs=2)).equivalent


def test_too_few_decimals_tell_nothing() -> None:
    true = generic(1)
    case, y = as_printed(true, 0), printed(reference(true).outputs, 0)
    found = diagnose(case, y, decimals=0)
    assert found.verdict is not None
    assert found.verdict.inconclusive
    assert found.explanations == ()
    assert str(found) == str(found.verdict)
    assert "record more decimals: 8 hold a float32" in found.record_also


@pytest.mark.parametrize("name", ["Wh-transposed", "bh-doubled", "time-reversed", "recurrent-term-dropped"])
@pytest.mark.parametrize("shows", ["every output", "last output"])
def test_a_mistake_is_named_by_printed_numbers(name: str, shows: str) -> None:
    true = generic(3, N=4, T=4)
    y = printed(by_name(name).run(true).outputs)
    found = diagnose(as_printed(true), y if shows == "every output" else y[:, -1], decimals=4)
    assert found.names == (name,)
    assert found.verdict is not None
    assert found.verdict.different
    assert found.facts == ()


def test_what_nothing_explains_is_told_by_its_numbers() -> None:
    case = generic(3, N=1, K=1)
    found = diagnose(case, printed(reference(case).outputs[:, -1] + 0.1234), decimals={"outputs": 4})
    assert found.explanations == ()
    assert str(found).startswith("no mistake of the catalogue explains it; different (last output): first broken at")


def test_what_a_small_record_does_not_show() -> None:
    true = generic(3, N=1, T=2)
    true = true.replace(bh=0 * true.bh, bo=0 * true.bo)
    y = printed(reference(true).outputs[:, -1])
    found = diagnose(as_printed(true, 6), y, decimals={"inputs": 6, "weights": 6, "outputs": 4})
    assert found.verdict is not None
    assert found.verdict.equivalent
    same, *wanted = found.record_also
    assert same.startswith("this record would look the same without the bias `bh`, with the bias `bh` counted twice")
    assert [sentence.split(":")[0] for sentence in wanted] == [
        "record a model whose biases are not 0",
        "record two samples or more in one call, with different inputs",
        "record three steps or more",
        "record the outputs of every step, or better the states",
        "record more decimals",
    ]


def test_what_shows_every_common_mistake_needs_no_more() -> None:
    case = generic(3)
    assert diagnose(case, reference(case, np.float32)).record_also == ()


def test_small_inputs_are_said_to_be_small() -> None:
    case = generic(3, scale=1e-4)
    case = case.replace(bh=0 * case.bh)
    assert any("larger inputs" in sentence for sentence in diagnose(case, reference(case, np.float32)).record_also)


def test_a_call_that_was_not_recorded_is_left_out() -> None:
    case = NETWORKS["stateful"]
    first, second, third = (call.outputs for call in reference(case).calls)
    found = diagnose(case, [None, printed(second), printed(third)], decimals={"outputs": 4})
    assert found.verdict is not None
    assert found.verdict.equivalent
    assert found.verdict.steps == 6  # one output for each sample and call that was recorded
    assert diagnose(case, [None, second, third + 1e-2], decimals={"outputs": 4}).verdict.different  # type: ignore[union-attr]
    reset = filled(case.spec, 21, calls=3, resets=(1,))
    assert judge(reset, Trajectory.of_calls([Trajectory(None), *reference(case).calls[1:]])).different
    assert judge(case, Trajectory.of_calls([Trajectory(None), Trajectory(second), Trajectory(third)])).equivalent
    assert "None" in str(diagnose(case.replace(calls=case.calls[:1]), Trajectory(None)))
    assert "2 calls were shown, expected 3" in str(diagnose(case, [first, second]))


@pytest.mark.parametrize(
    ("decimals", "message"),
    [
        (-1, "decimals of inputs must be a whole number from 0 to 20, not -1"),
        (4.0, "decimals of inputs must be a whole number from 0 to 20, not 4.0"),
        ({"outputs": "4"}, "decimals of outputs must be a whole number from 0 to 20, not '4'"),
        ({"outptus": 4}, "decimals are of inputs, weights and outputs, not of outptus"),
    ],
)
def test_decimals_that_are_none_are_refused(decimals: Any, message: str) -> None:
    case = generic()
    with pytest.raises(ValueError, match=message):
        diagnose(case, reference(case), decimals=decimals)


def test_a_precision_says_what_was_recorded() -> None:
    p = Precision.float32.recorded(weights=6, outputs=4)
    assert p.name == "float32, weights to 6 decimals, outputs to 4 decimals"
    assert p.coarseness == pytest.approx(5e-5, rel=1e-2)
    assert Precision.float32.recorded() == Precision.float32
    assert Spec.simple(1, 1, 1).precision.coarseness == 0


# ---- a stateful layer that was called before ----


def called_before(cell: str = "SimpleRNN") -> tuple[Case, Case]:
    """Three calls, and the last two of them."""
    layer = {"SimpleRNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}[cell]
    spec = Spec(3, layer(4, stateful=True, return_sequences=True), Dense(2), N=2)
    whole = filled(spec, 7, calls=3)
    return whole, whole.replace(calls=whole.calls[1:])


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_states_from_before_the_record_may_be_any(cell: str) -> None:
    whole, rest = called_before(cell)
    shown = list(reference(whole, np.float32).each_call[1:])
    assert diagnose(rest, shown).verdict.different  # type: ignore[union-attr]  # it did not begin with zeros
    for answers in (shown, [each.outputs for each in shown]):
        found = diagnose(rest, answers, from_start=False)
        assert found.verdict is not None
        assert found.verdict.inconclusive
        assert "numbers cannot be judged, since the states before the first call are not known; nothing" in str(found)
        assert "record from a call before which the states are reset, or the states themselves" in found.record_also
    verdict = diagnose(rest, shown, from_start=False).verdict
    # an LSTM's first call is not known until it shows its `c`
    unknown = rest.calls[0].T + 1 if cell == "LSTM" else 1
    assert verdict is not None
    assert verdict.undetermined == 2 * 4 * unknown


@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_a_step_that_does_not_follow_is_different_whatever_was_before(cell: str) -> None:
    whole, rest = called_before(cell)
    found = diagnose(rest, list(by_name("Wh-transposed").run(whole).each_call[1:]), from_start=False)
    assert found.verdict is not None
    assert found.verdict.different
    assert found.names == ("Wh-transposed",)


def test_what_is_known_from_its_start_is_not_to_be_called_before() -> None:
    case = generic()
    with pytest.raises(ValueError, match="the model has no stateful layer: its states are known, so leave it out"):
        diagnose(case, reference(case), from_start=False)
    _, rest = called_before()
    reset = rest.replace(calls=(rest.calls[0].replace(reset=True), rest.calls[1]))
    with pytest.raises(ValueError, match="is reset before its first call"):
        diagnose(reset, list(reference(reset).each_call), from_start=False)


def test_of_one_output_a_softmax_would_be_seen() -> None:
    true = generic(1, K=1, N=2, T=6)
    told = diagnose(true, reference(true).outputs[:, -1])
    assert not any("`softmax` on its head" in sentence for sentence in told.record_also)
    assert "`softmax` on its head" in str(diagnose(true, np.ones((2, 1), np.float32)))


SEEN = ("Wh-transposed", "bh-dropped", "time-reversed", "recurrent-term-dropped", "activation-relu", "bo-doubled")


@pytest.mark.parametrize("decimals", [1, 2, 4, 6])
def test_what_a_mistake_printed_is_not_far_from_it_and_mostly_from_all_others(decimals: int) -> None:
    told = []
    for seed in range(4):
        true = generic(seed, N=2, T=7, dtype="float64")
        case, p = as_printed(true, decimals), Precision.float32.recorded(decimals)
        mistakes = [by_name(name) for name in SEEN]
        for mistake in mistakes:
            shown = Trajectory(printed(mistake.run(true).outputs, decimals))
            seen = Seen(case, shown, p, judge(case, shown, p))
            for other in mistakes:
                made = other.made(case)
                assert isinstance(made, Made)
                (far,) = seen.far_from([made])
                if other is mistake:
                    assert not far
                else:
                    told.append(far)
    if decimals > 2:
        assert np.mean(told) > 0.9  # for these no bounds have to be computed


def test_the_calls_that_were_shown_are_enough_to_see_that_a_mistake_is_far() -> None:
    case = NETWORKS["stateful"]
    p = case.spec.precision
    shown = Trajectory.of_calls([Trajectory(None), *(Trajectory(call.outputs) for call in reference(case).calls[1:])])
    seen = Seen(case, shown, p, judge(case, shown, p))
    assert seen.far_from([Made(case), None]) == [False, False]
    negated = Made(case.replace(weights=tuple(-w for w in case.weights)))
    assert seen.far_from([Made(case), negated, negated]) == [False, True, True]
    nothing = Trajectory.of_calls([Trajectory(None)] * len(case.calls))
    assert not Seen(case, nothing, p, judge(case, nothing, p)).computable
