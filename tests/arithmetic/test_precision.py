"""How exactly an implementation computes: the numbers that every bound is made of."""

from __future__ import annotations

import pickle
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import generic

from pytest_rnnequiv import Precision, Trajectory, judge, reference
from pytest_rnnequiv.arithmetic.inexact import Inexact
from pytest_rnnequiv.arithmetic.precision import KNOWN
from pytest_rnnequiv.mistakes.activations import FAST_TANH


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("float64", np.float64),
        ("float32", np.float32),
        ("float16", np.float16),
        ("bfloat16", ml_dtypes.bfloat16),
    ],
)
def test_the_numbers_are_those_of_the_format(name: str, kind: type) -> None:
    p, info = Precision.of(name), ml_dtypes.finfo(kind)
    assert p.name == name
    assert p.unit == float(info.eps) / 2
    assert p.tiny == pytest.approx(float(info.tiny), rel=1e-6)
    assert p.largest == pytest.approx(float(info.max), rel=0.01)


def test_tf32_rounds_factors_and_sums_in_float32() -> None:
    assert Precision.tf32.unit == Precision.float32.unit
    assert Precision.tf32.operand == 2.0**-11
    assert Precision.float32.operand == 0


def test_every_precision_is_found_by_its_name() -> None:
    for name, p in KNOWN.items():
        assert Precision.of(name) is p
        assert Precision.of(p) is p
        assert pickle.loads(pickle.dumps(p)) == p


@pytest.mark.parametrize("name", ["float8", "", None, 32, ["float32"]])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(name: object) -> None:
    with pytest.raises(
        ValueError,
        match="unknown precision .*: expected a Precision or one of float32, float64, tf32, bfloat16, float16",
    ):
        Precision.of(name)  # type: ignore[arg-type]


@given(n=st.integers(1, 2000), name=st.sampled_from(sorted(KNOWN)))
def test_gamma_covers_the_worst_case_of_n_roundings(n: int, name: str) -> None:
    p = KNOWN[name]
    u = Fraction(p.unit)
    gamma = p.gamma(n)
    if n * u >= 1:
        assert gamma == float("inf")
        return
    # Higham, lemma 3.1: |prod (1 + d_i)^(+-1) - 1| <= gamma_n; the extremes are all up and all down
    assert (1 + u) ** n - 1 <= Fraction(gamma)
    assert 1 - (1 - u) ** n <= Fraction(gamma)
    assert 1 / (1 - u) ** n - 1 <= Fraction(gamma)
    assert gamma <= p.gamma(n + 1)
    assert gamma <= 2.1 * n * p.unit / (1 - n * p.unit - n * 2.0**-53) if n * p.unit < 0.9 else True


def test_quantized_weights_are_known_numbers() -> None:
    p = Precision.float32.quantized(Wx=0.5, Wh=[0.25, 1.0])
    assert p.name == "float32, quantized weights"
    assert p.unit == Precision.float32.unit
    weight = Inexact.weight("Wh", [[0.3, 0.3], [0.375, 0.5]], p)
    assert weight.value.tolist() == [[0.25, 0.0], [0.375, 0.5]]  # two of them lie at ties
    assert weight.bound.tolist() == [[0.0, 0.0], [0.125, 0.5]]
    more = p.quantized(bh=2.0)
    assert set(more.formats) == {"Wx", "Wh", "bh"}
    assert not Precision.float32.formats
    hash(p)


@pytest.mark.parametrize("seed", range(20))
def test_a_quantized_port_is_equivalent_under_its_scales_and_under_no_finer_ones(seed: int) -> None:
    case = generic(seed, M=9, D=7, T=8)
    scales = {name: np.abs(getattr(case, name)).max(axis=0) / 127 for name in ("Wx", "Wh", "Wo")}
    weights = {name: np.round(getattr(case, name) / scale) * scale for name, scale in scales.items()}
    shown = reference(case.replace(**weights), np.float32)
    declared = Precision.float32.quantized(**scales)
    assert judge(case, shown, declared).equivalent
    assert judge(case, Trajectory(shown.outputs), declared).status in ("equivalent", "inconclusive")
    assert judge(case, shown).different
    assert judge(case, shown, Precision.float32.quantized(**{n: s / 20 for n, s in scales.items()})).different


@pytest.mark.parametrize("name", ["Wx", "Wh", "bh", "Wo", "bo"])
def test_the_room_of_one_weight_is_for_that_weight(name: str) -> None:
    case = generic()
    step = 0.125
    rounded = reference(case.replace(**{name: np.round(getattr(case, name) / step) * step}), np.float32)
    assert judge(case, rounded, Precision.float32.quantized(**{name: step})).equivalent
    for other in {"Wx", "Wh", "bh", "Wo", "bo"} - {name}:
        # only in the head, or only before it, is the room of another weight of no use at all
        if (other in ("Wo", "bo")) != (name in ("Wo", "bo")):
            assert judge(case, rounded, Precision.float32.quantized(**{other: step})).different


def test_a_scale_of_no_weight_is_an_error() -> None:
    with pytest.raises(ValueError, match="there are no weights W, bias: expected Wx, Wh, bh, Wp, Wr, Wo, bo, E, or"):
        Precision.float32.quantized(bias=1.0, W=1.0, Wx=1.0)


@pytest.mark.parametrize("name", FAST_TANH)
def test_a_fast_tanh_is_equivalent_under_its_declared_error_and_no_smaller_one(name: str) -> None:
    fast = FAST_TANH[name][0]
    case = generic(2, scale=2.0, T=9)
    shown = reference(case.replace(spec=case.spec.replace(activation=fast)), np.float32)
    a = np.linspace(-40, 40, 800_001)
    error = float(np.abs(fast(a) - np.tanh(a)).max()) * (1 + 1e-6)
    declared = Precision.float32.with_activation_error(error)
    assert declared.activation_error == error
    assert declared.name == f"float32, activation within {error:g}"
    assert judge(case, shown, declared).equivalent
    assert not judge(case, shown.outputs, declared).different
    assert not judge(case, shown.outputs[:, -1], declared).different
    assert judge(case, shown).different
    assert judge(case, shown, Precision.float32.with_activation_error(error / 100)).different


def test_the_error_of_an_activation_is_not_one_of_sums() -> None:
    lax = Precision.float32.with_activation_error(0.1)
    case = generic(activation="linear")
    assert judge(case, reference(case, np.float32), lax).equivalent
    assert judge(case, reference(case.replace(bh=case.bh + 0.01), np.float32), lax).different
    right = reference(generic(), np.float32)
    assert judge(generic(), Trajectory(right.outputs + 0.01, right.states), lax).different


@pytest.mark.parametrize("error", [-1e-9, float("nan")])
def test_an_activation_error_that_is_none_is_an_error(error: float) -> None:
    with pytest.raises(ValueError, match="an activation error must be a number of at least 0, not "):
        Precision.float32.with_activation_error(error)
