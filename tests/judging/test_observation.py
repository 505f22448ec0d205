"""Asking an implementation in the strongest way that it allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import NETWORKS, both, filled, generic, sequences

from pytest_rnnequiv import Bidirectional, Case, Dense, SimpleRNN, Spec, Trajectory, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.precision import Precision
from pytest_rnnequiv.judging.observing import MOST_PREFIXES, PREFIXES, Asking, Observation, observe
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.model.trajectory import Assembled


class Recorder:
    """An implementation that remembers what it was asked."""

    def __init__(self, show: Callable[[Trajectory], Any]) -> None:
        self.show = show
        self.asked: list[Case] = []

    def __call__(self, case: Case) -> Any:
        self.asked.append(case)
        return self.show(reference(case, np.float32))


def states(shown: Trajectory) -> Any:
    return shown


def every(shown: Trajectory) -> Any:
    return shown.outputs


def last(shown: Trajectory) -> Any:
    return shown.outputs[:, -1]


def test_who_shows_states_is_asked_once() -> None:
    run, case = Recorder(states), generic()
    seen = observe(run, case)
    assert run.asked == [case]
    assert seen.way is None
    assert seen.judge().way == "induction"
    assert seen.judge().equivalent
    assert [asked for asked, _ in seen.runs] == [case]


def test_who_shows_every_output_is_asked_for_its_states_by_an_identity_head() -> None:
    run, case = Recorder(every), generic(T=6)
    seen = observe(run, case)
    assert len(run.asked) == 2
    assert np.array_equal(run.asked[1].Wo, np.eye(4))
    assert not run.asked[1].bo.any()
    assert seen.judge().way == PREFIXES
    assert seen.judge().equivalent
    assert np.array_equal(seen.trajectory.states, reference(case, np.float32).states)
    assert [asked for asked, _ in seen.runs] == run.asked


def test_who_shows_its_last_output_is_asked_for_every_prefix() -> None:
    run, case = Recorder(last), generic(T=6, h0=True, mask=True)
    seen = observe(run, case)
    assert [asked.T for asked in run.asked] == [6, 1, 2, 3, 4, 5, 6]
    assert [asked.K for asked in run.asked] == [2, 4, 4, 4, 4, 4, 4]
    assert seen.judge().way == PREFIXES
    assert seen.judge().equivalent
    assert seen.judge().steps == 18
    assert np.array_equal(seen.trajectory.states, reference(case, np.float32).states)


@pytest.mark.parametrize(
    ("options", "show", "way"),
    [
        ({"any_weights": False}, every, "every output"),
        ({"any_weights": False}, last, "last output"),
        ({"any_length": False}, last, "last output"),
        ({"any_length": False}, every, PREFIXES),
    ],
)
def test_nobody_is_asked_for_what_it_does_not_take(options: dict[str, bool], show: Any, way: str) -> None:
    run, case = Recorder(show), generic()
    seen = observe(run, case, Asking(**options))
    assert seen.judge().way == way
    assert all(asked.T == case.T for asked in run.asked)
    if not options.get("any_weights", True):
        assert run.asked == [case]


def test_long_cases_are_not_run_on_every_prefix() -> None:
    run, case = Recorder(last), generic(T=MOST_PREFIXES + 1, radius=0.5)
    seen = observe(run, case)
    assert len(run.asked) == 1
    assert seen.judge().way == "last output"


def test_what_was_seen_already_is_not_asked_again() -> None:
    case = generic()
    run = Recorder(last)
    seen = observe(run, case, first=Trajectory(last(reference(case, np.float32))))
    assert all(asked.K == case.M for asked in run.asked)
    assert seen.judge().equivalent


@pytest.mark.parametrize("spoilt", [0, 1, 3, 6])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "None"),
        (np.zeros((7, 7), np.float32), "have shape (7, 7)"),
        (np.zeros((3, 2), int), "have dtype int64"),
        ("text", "are text (dtype <U4)"),
    ],
)
def test_a_bad_answer_is_told_wherever_it_comes(spoilt: int, answer: Any, sentence: str) -> None:
    run = Recorder(last)

    def spoiling(case: Case) -> Any:
        right = run(case)
        return answer if len(run.asked) == spoilt + 1 else right

    seen = observe(spoiling, generic(T=6))
    verdict = seen.judge()
    assert verdict.different
    assert verdict.problem is not None
    assert sentence in verdict.problem
    assert len(run.asked) == spoilt + 1
    assert seen.case is run.asked[-1]


def test_who_changes_its_mind_about_what_it_shows_is_judged_by_what_it_showed() -> None:
    case = generic()

    def fickle(asked: Case) -> Any:
        shown = reference(asked, np.float32)
        return shown.outputs if asked.K == asked.M else shown.outputs[:, -1]

    assert observe(fickle, case).judge().equivalent


def test_of_one_run() -> None:
    case = generic()
    shown = reference(case, np.float32)
    seen = Observation.of(case, shown)
    assert seen.runs == ((case, shown),)
    assert seen.judge().equivalent


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("show", [every, last])
def test_chaos_is_conclusive_once_the_states_were_made_to_show(seed: int, show: Any) -> None:
    case = generic(seed, T=50, M=12, radius=3.0, scale=0.3)
    assert observe(Recorder(show), case).judge().equivalent
    late = by_name("bh-doubled")
    assert observe(lambda asked: show(late.run(asked)), case).judge().different


@pytest.mark.parametrize("show", [every, last])
def test_a_nan_that_goes_in_is_conclusive(show: Any) -> None:
    case = generic()
    x = case.x.copy()
    x[1, 2, 0] = np.nan
    case = case.replace(x=x)
    assert observe(Recorder(show), case).judge().equivalent
    assert observe(lambda asked: show(by_name("NaN-swallowed").run(asked)), case).judge().different


@settings(max_examples=40)
@given(
    case=rnn.cases(T=st.integers(1, 8), activation=rnn.activations(), masked=st.booleans(), initial_state=st.booleans())
)
def test_the_correct_is_never_different_in_any_way(case: Case) -> None:
    for show in (states, every, last):
        assert not observe(Recorder(show), case).judge().different


def test_a_wrong_head_is_seen_beside_right_states() -> None:
    case, wrong = generic(), by_name("bo-dropped")
    verdict = observe(lambda asked: last(wrong.run(asked)), case).judge()
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.what, verdict.place.t) == ("output", case.T - 1)
    # one that spoils the identity head as well spoils what looks like states
    for name in ("Wo-dropped", "activation-on-head"):
        assert observe(lambda asked, m=by_name(name): last(m.run(asked)), case).judge().different  # type: ignore[misc]


def test_an_identity_head_rounds_what_it_shows_where_factors_are_rounded() -> None:
    case = generic(T=4)

    def rounding(asked: Case) -> Any:
        """A port of TF32: exact but for the head, which rounds the states that go through it."""
        shown = reference(asked)
        mantissa, exponent = np.frexp(shown.states)
        rounded = np.ldexp(np.round(mantissa * 2.0**11), exponent - 11)
        return rounded[:, -1] @ asked.Wo.astype(float) + asked.bo

    seen = observe(rounding, case)
    assert isinstance(seen.trajectory, Assembled)
    assert seen.trajectory.through_head
    assert seen.judge(Precision.tf32).equivalent
    assert seen.judge().different


def by_length(case: Case) -> Any:
    """Round the projections of the inputs in another way in every other length, as a multiplication of all may."""
    if case.T % 2:
        # Each weight as the sum of two, exactly: other numbers are rounded, whatever BLAS makes of their order.
        coarse = np.float32(np.ldexp(np.trunc(np.ldexp(case.Wx, 8)), -8))
        spec = case.spec.replace(D=2 * case.D)
        parts = np.concatenate([case.x, case.x], -1), np.concatenate([coarse, case.Wx - coarse])
        case = Case(spec, *parts, case.Wh, case.bh, case.Wo, case.bo, h0=case.h0, mask=case.mask)
    return last(reference(case, np.float32))


@pytest.mark.parametrize("options", [{}, {"mask": True, "h0": True}])
@pytest.mark.parametrize("seed", range(5))
def test_another_rounding_in_runs_of_another_length_is_no_difference(seed: int, options: dict[str, bool]) -> None:
    chaotic = generic(seed, T=64, D=7, M=40, radius=2.5, scale=0.02, **options)
    seen = observe(by_length, chaotic)
    assert judge(chaotic, Assembled(seen.trajectory.outputs, seen.trajectory.states)).different
    assert not seen.judge().different
    calm = generic(seed, T=50, D=7, M=12, radius=0.5, **options)
    assert observe(by_length, calm).judge().equivalent
    assert observe(lambda asked: by_length(by_name("bh-doubled")(asked) or asked), calm).judge().different


def overflowing() -> Case:
    """Of the first unit, a state that is infinite from step 1 on, which goes to zero in step 2 in the other units."""
    spec = Spec.simple(1, 2, 1, "exponential")
    case = generic(D=1, M=2, K=1, N=1, T=4, activation="exponential")
    assert case.spec == spec
    return case.replace(
        x=np.array([[[0], [100], [0], [0]]], np.float32),
        Wx=np.array([[1, 0]], np.float32),
        Wh=np.array([[0, -1], [0, 0]], np.float32),
        bh=np.zeros(2, np.float32),
    )


@pytest.mark.parametrize("show", [every, last])
def test_an_infinite_state_hides_the_others_behind_an_identity_head(show: Any) -> None:
    case = overflowing()
    right = reference(case, np.float32)
    assert right.states is not None
    assert np.isinf(right.states[0, 1]).tolist() == [True, False]
    verdict = observe(Recorder(show), case).judge()
    assert verdict.inconclusive
    # step 1 is hidden, and what comes of it; step 3 comes of a state that was seen again
    doubled = by_name("bh-doubled")
    late = case.replace(x=case.x[:, [0, 1, 2, 2]], bh=np.ones(2, np.float32))
    assert observe(lambda asked: show(doubled.run(asked)), late).judge().different


def test_another_rounding_under_another_head_is_no_difference() -> None:
    """Whoever compiles recurrence and head as a whole may round the states otherwise for the identity head."""

    def compiled(asked: Case) -> Any:
        shown = reference(asked, np.float32)
        assert shown.states is not None
        off = 1 if asked.K == asked.M else 1 + 12 * 2.0**-24
        return ((shown.states[:, -1] * np.float32(off)) @ asked.Wo + asked.bo).astype(np.float32)

    for case in (generic(M=5, K=2), generic(M=1, K=7, D=9, T=1)):
        case = case.replace(bo=np.zeros(case.K, np.float32))
        seen = observe(compiled, case)
        assert seen.judge().equivalent
        if case.M == 1:  # with another head it looks wrong
            assert judge(case, replace(seen.trajectory, states=compiled(case.with_identity_head())[:, None])).different
        dropped = by_name("Wo-rows-reversed" if case.M > 1 else "activation-on-head")
        wrong = observe(lambda asked, m=dropped: last(m.run(asked)), case)  # type: ignore[misc]
        assert wrong.judge().different


def quantized(step: float) -> Callable[[Case], Any]:
    """A port that keeps its head on a grid, and nothing else."""

    def run(asked: Case) -> Any:
        return last(reference(asked.replace(Wo=np.float32(np.round(asked.Wo / step) * step)), np.float32))

    return run


@pytest.mark.parametrize(("step", "kept"), [(1 / 64, True), (2 / 127, False), (0.03, False)])
def test_an_identity_head_is_asked_for_only_where_it_is_on_the_grid_of_wo(step: float, kept: bool) -> None:
    p = Precision.float32.quantized(Wo=step)
    assert p.keeps_identity is kept
    seen = observe(quantized(step), generic(), precision=p)
    assert (seen.way == PREFIXES) is kept
    assert not seen.judge(p).different
    wrong = observe(lambda asked: quantized(step)(asked.replace(bh=2 * asked.bh)), generic(), precision=p)
    assert wrong.judge(p).different


def test_what_comes_of_an_infinite_state_is_hidden_too_where_it_is_shown_in_shorter_numbers() -> None:
    """Behind an infinite state the bound is no number, and that is no bound to break."""
    spec = Spec.simple(1, 2, 2, "relu")
    x, Wx, Wh = [[[-7e37], [0], [0]]], [[-2.4, -0.9]], [[3.9, -0.3], [0, 0]]
    case = Case(spec, x, Wx, Wh, np.zeros(2), np.eye(2), np.zeros(2))
    with np.errstate(all="ignore"):
        shown = np.float16(reference(case, np.float32).outputs)
    assert np.isinf(shown[0, 1:, 0]).all()
    assert np.isnan(shown[0, 1:, 1]).all()
    assert judge(case, shown, "float16").inconclusive


# ---- whole models that show outputs only ----

ANYTHING = Asking(takes=lambda case: True)
STACK = Spec(3, (sequences(4), SimpleRNN(5)), Dense(2))
ONE_CALL = {name: case for name, case in NETWORKS.items() if len(case.calls) == 1}


def returned(case: Case, shown: Trajectory) -> Any:
    """The outputs that the model itself returns."""
    one = case.spec.plain and not case.spec.layers[-1].return_sequences
    return last(shown) if one else shown.outputs


def model_of(case: Case) -> Any:
    return returned(case, reference(case, np.float32))


def test_a_model_is_asked_for_each_layer_by_the_model_that_ends_there() -> None:
    asked: list[Case] = []

    def run(case: Case) -> Any:
        asked.append(case)
        return model_of(case)

    case = filled(STACK, T=7)
    seen = observe(run, case, ANYTHING)
    assert [len(one.spec.layers) for one in asked] == [2, 1, 2]
    assert asked[0] is case
    for one in asked[1:]:
        assert np.array_equal(one.named_weights["head/Wo"], np.eye(one.K))
        assert one.spec.layers[-1].return_sequences
    assert [one for one, _ in seen.runs] == asked
    verdict = seen.judge()
    assert (verdict.status, verdict.way, verdict.steps) == ("equivalent", PREFIXES, 21)
    truth = reference(case, np.float32)
    for mine, its in zip(seen.trajectory.shown_layers, truth.layers, strict=True):
        assert mine is not None
        assert np.array_equal(mine.states, its.states)


@pytest.mark.parametrize("name", ONE_CALL)
def test_a_right_model_is_never_different(name: str) -> None:
    verdict = observe(model_of, ONE_CALL[name], ANYTHING).judge()
    assert verdict.equivalent, str(verdict)


@pytest.mark.parametrize("mistake", ["Wh-transposed", "bh-doubled", "Wx-memory-order", "activation-relu"])
@pytest.mark.parametrize("layer", [0, 1])
def test_a_mistake_in_a_layer_is_found_there(layer: int, mistake: str) -> None:
    square = Spec(4, (sequences(4), SimpleRNN(4)), Dense(2))
    case = filled(square, T=30)
    (placed,) = [m for m in by_name(mistake).placed(square) if m.name.startswith(f"layer{layer}")]
    verdict = observe(lambda asked: returned(asked, placed.run(asked)), case, ANYTHING).judge()
    assert verdict.different
    assert verdict.way == PREFIXES
    assert verdict.place is not None
    assert verdict.place.what == f"layer{layer}: state"


def test_a_wrong_head_of_a_model_is_seen_beside_right_layers() -> None:
    case = filled(STACK)
    verdict = observe(lambda asked: returned(asked, by_name("bo-dropped").run(asked)), case, ANYTHING).judge()
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.what, verdict.place.t) == ("output", case.T - 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_chaotic_model_is_conclusive_once_its_layers_were_made_to_show(seed: int) -> None:
    case = filled(Spec(3, (sequences(12), SimpleRNN(9)), Dense(2)), seed, T=200)
    assert judge(case, model_of(case)).inconclusive
    assert observe(model_of, case, ANYTHING).judge().equivalent
    late = case.with_weights(**{"layer0/bh": 1.0001 * case.named_weights["layer0/bh"]})

    def wrong(asked: Case) -> Any:
        return model_of(asked.with_weights(**{"layer0/bh": late.named_weights["layer0/bh"]}))

    assert judge(case, wrong(case)).inconclusive
    assert observe(wrong, case, ANYTHING).judge().different


def by_depth(case: Case) -> Any:
    """Compute in wider numbers, and in another order, where there is but one layer."""
    dtype = np.float64 if len(case.spec.layers) == 1 else np.float32
    return np.float32(returned(case, reference(case, dtype)))


@pytest.mark.parametrize("source", ["input", "mask"])
@pytest.mark.parametrize("seed", range(5))
def test_another_rounding_in_the_run_of_another_layer_is_no_difference(seed: int, source: str) -> None:
    chaotic = filled(Spec(7, (sequences(30), SimpleRNN(20)), Dense(2), source=source), seed, T=60)
    seen = observe(by_depth, chaotic, ANYTHING)
    shown = seen.trajectory
    assert judge(chaotic, Trajectory(shown.outputs, layers=shown.layers)).different, "had it all been one run"
    verdict = seen.judge()
    assert verdict.inconclusive
    assert (verdict.way, verdict.place, verdict.broken) == (PREFIXES, None, 0)
    assert verdict.error_over_bound < 1
    assert "each run by itself may be right" in str(verdict)
    calm = filled(Spec(7, (sequences(3), SimpleRNN(3)), Dense(2), source=source), seed, T=6)
    assert observe(by_depth, calm, ANYTHING).judge().equivalent
    doubled = by_name("bh-doubled")
    wrong = observe(lambda asked: by_depth(doubled(asked) or asked), calm, ANYTHING)
    assert wrong.judge().different


def test_layers_are_asked_for_only_where_the_model_is_taken() -> None:
    case = filled(STACK)
    seen = observe(model_of, case, Asking(takes=lambda asked: len(asked.spec.layers) == 1))
    first, second = seen.trajectory.shown_layers
    assert first is not None
    assert second is None
    assert seen.judge().equivalent
    for asking in (Asking(), Asking(any_weights=False, takes=lambda asked: True)):
        seen = observe(model_of, case, asking)
        assert [asked for asked, _ in seen.runs] == [case]
        assert seen.judge().way == "last output"
    of_sequences = case.under(STACK.with_every_output())
    assert observe(model_of, of_sequences, Asking()).judge().way == "every output"


def test_directions_that_are_merged_are_asked_for_and_those_that_cannot_be_are_not() -> None:
    merged = filled(Spec(3, (both(3), Bidirectional(SimpleRNN(2))), Dense(2)))
    first, second = observe(model_of, merged, ANYTHING).trajectory.shown_layers
    assert first is not None
    assert first.output.shape == (3, 5, 6)
    assert first.states is None
    assert second is None, "one output of each direction tells no states"


@pytest.mark.parametrize("spoilt", [1, 2])
def test_a_bad_answer_about_a_layer_is_told(spoilt: int) -> None:
    count = 0

    def run(case: Case) -> Any:
        nonlocal count
        count += 1
        return np.zeros((7, 7), np.float32) if count == spoilt + 1 else model_of(case)

    seen = observe(run, filled(STACK), ANYTHING)
    assert seen.judge().different
    assert "have shape (7, 7)" in str(seen.judge())
    assert len(seen.case.spec.layers) == spoilt


@pytest.mark.parametrize("name", ["two calls", "stateful"])
def test_models_of_several_calls_are_asked_once(name: str) -> None:
    case = NETWORKS[name]
    run = reference(case, np.float32)
    seen = observe(lambda asked: Trajectory.of_calls([Trajectory(c.outputs) for c in run.each_call]), case, ANYTHING)
    assert [asked for asked, _ in seen.runs] == [case]
    assert seen.judge().equivalent
