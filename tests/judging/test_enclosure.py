"""The bound of a run that is not seen: no correct implementation leaves it, and it is not wider than it has to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from samples import generic, rounded_run

from pytest_rnnequiv import Case, Precision, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic import zonotope
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS
from pytest_rnnequiv.arithmetic.inexact import Inexact
from pytest_rnnequiv.judging.enclosure import Chain, Enclosure, induction
from pytest_rnnequiv.model.spec import Place


def trajectory_bound(case: Case, p: Precision) -> tuple[Any, Any, Any]:
    """Outputs of every step, how far a correct implementation's may be from them, and the size of their terms."""
    whole = case.with_every_output()
    y = Enclosure(whole, p).calls().outputs.closed()
    with np.errstate(all="ignore"):
        scale = np.abs(reference(whole).layers[0].output) @ np.abs(case.Wo.astype(float)) + np.abs(case.bo)
    return y.value, y.bound, scale


# The state that goes on here is the one that was computed: nothing is lost by showing it, and no bound is too wide.
@patch("pytest_rnnequiv.judging.enclosure.telling", lambda got, expected, radius, span: radius)
@patch("pytest_rnnequiv.judging.enclosure.lost_when_shown", lambda *_: 0.0)
def perturbed(case: Case, p: Precision, rng: np.random.Generator, kind: str) -> Any:
    """Run the recurrence with an error in each step as large as a correct implementation may make it.

    The errors are at the ends of the bound or anywhere within; the bound is that of the step from where the run is.
    """
    walk = Enclosure(case, p)
    x, mask = case.inputs(case.calls[0], walk.weight)
    w = case.cell_weights(Place(0, 0, 0), walk.weight)
    Wo, bo = case.head_weights(walk.weight)
    h = np.zeros((case.N, case.M)) if case.h0 is None else case.h0.astype(float)
    outputs = []
    for t in range(case.T):
        on = np.ones((case.N, 1), bool)
        # h may be no float32, and is taken as it is
        one = Chain(x[:, t : t + 1], w, (Inexact(h, walk.p),), on, case.spec.activation, case.spec.cell)
        expected, radius, _, _ = induction(one, h[:, None])
        error = {
            "ends": rng.choice([-1.0, 1.0], radius.shape),
            "up": np.ones(radius.shape),
            "within": rng.uniform(-1, 1, radius.shape),
        }[kind]
        new = (expected + error * radius)[:, 0]
        # The radius is the wider side of the interval; no function puts out what lies outside of its range.
        f = case.spec.activation
        ends = f.function(np.array([[1e300, -1e300], [-1e300, 1e300]]))[:, :1]
        low, high = (
            end(ends, initial=f.function(np.array([*f.turns]) if f.turns else ends[:, 0]).item(0))
            for end in (np.min, np.max)
        )
        own = f.ulps * p.unit * np.maximum(abs(low), abs(high)) + f.floor * p.unit
        new = np.clip(new, low - own, high + own) if np.isfinite(own) and np.isfinite([low, high]).all() else new
        h = np.where(mask[:, t, None], new, h)
        begun = mask[:, : t + 1].any(1, keepdims=True)
        y = case.spec.head_activation(Inexact(np.where(begun, h, 0.0), walk.p) @ Wo + bo).closed()
        sign = rng.choice([-1.0, 1.0], y.shape) if kind != "within" else rng.uniform(-1, 1, y.shape)
        outputs.append(y.value + sign * y.bound)
    return np.stack(outputs, 1)


def compare_with_brute_force(case: Case, p: Precision, runs: int, seed: int) -> float:
    """Return the worst error of perturbed runs as a share of the bound, which no run may leave."""
    expected, radius, scale = trajectory_bound(case, p)
    rng = np.random.default_rng(seed)
    worst = 0.0
    for number in range(runs):
        error = np.abs(perturbed(case, p, rng, ("ends", "up", "within")[number % 3]) - expected)
        share = np.where(np.isfinite(radius), error / np.where(radius > 0, radius, 1), 0)
        # the runs, and what is expected, are themselves rounded to float64; and a number that is moved below the
        # smallest normal one counts here as moved and as flushed to zero
        rounding = 1e-14 * scale + p.tiny * (np.abs(case.Wh).sum() + 1) * (np.abs(case.Wo).sum() + 1)
        inside = (error <= radius * (1 + 1e-9) + rounding) | np.isinf(radius)
        assert inside.all(), f"left the bound by {share.max():.12g}"
        worst = max(worst, float(share.max()))
    return worst


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # some overflow
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("radius", [0.5, 1.0, 2.0])
def test_no_run_with_errors_within_their_bounds_leaves_the_trajectory_bound(activation: str, radius: float) -> None:
    case = generic(3, T=7, M=4, radius=radius, activation=activation, h0=True, mask=True)
    for p in (Precision.float32, Precision.bfloat16, Precision.tf32):
        compare_with_brute_force(case, p, 6, 0)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    case=rnn.cases(
        T=st.integers(1, 9),
        M=rnn.sizes(max_value=9),
        activation=rnn.activations(),
        initial_state=st.booleans(),
        masked=st.booleans(),
    ),
    p=st.sampled_from([Precision.float32, Precision.float16, Precision.tf32]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_drawn_run_leaves_the_trajectory_bound(case: Case, p: Precision, seed: int) -> None:
    # At a jump the radius is the wider side of an interval that has no other: the half of these runs does not exist.
    assume(case.spec.activation.name != "hard_shrink")
    with np.errstate(all="ignore"):
        compare_with_brute_force(case, p, 6, seed)


def test_a_run_on_weights_that_are_known_to_some_extent_stays_in_the_trajectory_bound() -> None:
    case = generic(4, T=6)
    scale = 2.0**-9
    p = replace(Precision.float32, radius=dict.fromkeys(("Wx", "Wh", "bh", "Wo", "bo"), scale / 2))
    expected, radius, _ = trajectory_bound(case, p)
    rng = np.random.default_rng(0)
    for _ in range(60):
        moved = {
            name: getattr(case, name) + rng.choice([-0.5, 0.5], getattr(case, name).shape) * scale
            for name in ("Wx", "Wh", "bh", "Wo", "bo")
        }
        assert (np.abs(reference(case.replace(**moved)).outputs - expected) <= radius).all()
    plain = trajectory_bound(case, Precision.float32)[1]
    assert (radius > 100 * plain).all()


def test_the_bound_is_sharp() -> None:
    for seed in range(4):
        case = generic(seed, N=1, T=4, M=2, D=1, K=1, radius=0.8)
        assert compare_with_brute_force(case, Precision.float32, 200, seed) > 0.5


@pytest.mark.parametrize("radius", [0.5, 0.9])
def test_a_contracting_recurrence_forgets_its_errors(radius: float) -> None:
    case = generic(N=1, T=300, M=33, radius=radius)
    _, bound, scale = trajectory_bound(case, Precision.float32)
    assert (bound[:, -1] < 1e-4 * scale[:, -1]).all()
    assert bound[0, -1].max() < 3 * bound[0, 150].max()


def test_chaos_makes_the_bound_wide_and_never_wrong() -> None:
    wide = 0
    for seed in range(6):
        case = generic(seed, N=1, T=120, M=20, radius=3.0, scale=0.2)
        expected, bound, scale = trajectory_bound(case, Precision.float32)
        outputs = rounded_run(case, np.random.default_rng(seed)).outputs
        assert (np.abs(outputs - expected) <= bound).all()
        assert not np.isnan(bound).any()
        wide += bool((bound[:, -1] > scale[:, -1]).all())
    assert wide >= 4


def test_old_errors_are_enclosed_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    case = generic(2, N=2, T=9, M=4, radius=0.9, mask=True)
    whole = trajectory_bound(case, Precision.float32)
    monkeypatch.setattr(zonotope, "ORDER", 3)
    cut = trajectory_bound(case, Precision.float32)
    assert np.array_equal(whole[0], cut[0])
    assert np.allclose(whole[1][:, :3], cut[1][:, :3], rtol=1e-12)
    assert (cut[1][:, 5:] > 1.001 * whole[1][:, 5:]).any()
    assert (cut[1] < 2 * whole[1]).all()
    assert (cut[1] >= whole[1] * (1 - 1e-12)).all()
    compare_with_brute_force(case, Precision.float32, 20, 0)


def test_the_last_output_alone_has_the_bound_that_it_has_among_all() -> None:
    case = generic(T=6)
    value, bound, _ = trajectory_bound(case, Precision.float32)
    last = Enclosure(case, Precision.float32).calls().outputs.closed()
    assert np.array_equal(value[:, -1:], last.value)
    assert np.array_equal(bound[:, -1:], last.bound)


def test_what_is_expected_is_the_recurrence() -> None:
    case = generic(T=6, h0=True, mask=True, head_activation="relu", activation="elu")
    assert np.allclose(trajectory_bound(case, Precision.float32)[0], reference(case).outputs, rtol=1e-13, atol=1e-15)
