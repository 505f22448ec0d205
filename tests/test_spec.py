"""What a model is: sizes, options, weight shapes and the parameter law."""

from __future__ import annotations

import pickle
import re
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_rnnequiv import Precision, Spec, param_count
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.mistakes.catalogue import BiasAfterActivation
from pytest_rnnequiv.model.spec import WEIGHT_NAMES

SIZE = st.integers(1, 10**6)


def test_the_notebook_has_57_parameters() -> None:
    assert param_count(D=3, M=5, K=2) == Spec(D=3, M=5, K=2).param_count == 45 + 12 == 57


@given(D=SIZE, M=SIZE, K=SIZE)
def test_the_closed_form_counts_the_weights(D: int, M: int, K: int) -> None:
    spec = Spec(D, M, K)
    assert list(spec.weight_shapes) == list(WEIGHT_NAMES)
    assert list(spec.weight_shapes.values()) == [(D, M), (M, M), (M,), (M, K), (K,)]
    assert sum(prod(shape) for shape in spec.weight_shapes.values()) == spec.param_count
    assert spec.param_count == param_count(D, M, K) == M * (D + M + 1) + K * (M + 1)


@pytest.mark.parametrize("letter", ["D", "M", "K"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "{} must be at least 1, not 0"),
        (-3, ValueError, "{} must be at least 1, not -3"),
        (True, ValueError, "{} must be at least 1, not True"),
        (2.0, TypeError, "{} must be a whole number, not 2.0"),
        ("3", TypeError, "{} must be a whole number, not '3'"),
        (None, TypeError, "{} must be a whole number, not None"),
    ],
)
def test_a_size_that_is_none_is_an_error(letter: str, value: Any, error: type[Exception], message: str) -> None:
    sizes = {"D": 3, "M": 5, "K": 2} | {letter: value}
    for made in (Spec, param_count):
        with pytest.raises(error, match=re.escape(message.format(letter))):
            made(**sizes)


def test_numpy_integers_are_sizes() -> None:
    spec = Spec(np.int64(3), np.uint8(5), np.int32(2))
    assert spec == Spec(3, 5, 2)
    assert {type(size) for size in (spec.D, spec.M, spec.K)} == {int}


@pytest.mark.parametrize("option", ["activation", "head_activation"])
def test_an_unknown_activation_is_an_error_that_lists_the_known_ones(option: str) -> None:
    with pytest.raises(ValueError, match="unknown activation 'sinus': expected an Activation or one of .*tanh"):
        Spec(1, 1, 1, **{option: "sinus"})


@pytest.mark.parametrize("dtype", ["float16", "int32", None, np.float32])
def test_an_unknown_dtype_is_an_error(dtype: Any) -> None:
    with pytest.raises(ValueError, match="dtype must be 'float32' or 'float64', not "):
        Spec(1, 1, 1, dtype=dtype)


def test_activations_are_looked_up_by_name() -> None:
    own = Activation("cube", lambda a: a**3)
    assert Spec(1, 1, 1).activation is ACTIVATIONS["tanh"]
    assert Spec(1, 1, 1, activation="relu").activation is ACTIVATIONS["relu"]  # type: ignore[arg-type]
    assert Spec(1, 1, 1, activation=None).activation is ACTIVATIONS["linear"]  # type: ignore[arg-type]
    assert Spec(1, 1, 1, activation=own).activation is own


def test_equal_specs_are_one_key() -> None:
    a, b = Spec(3, 5, 2, activation="relu"), Spec(3, 5, 2).replace(activation="relu")  # type: ignore[arg-type]
    assert a == b
    assert len({a, b, Spec(3, 5, 2)}) == 2
    assert a != a.replace(cell=BiasAfterActivation())
    assert pickle.loads(pickle.dumps(a)) == a


def test_the_dtype_promises_a_precision() -> None:
    assert Spec(1, 1, 1).precision is Precision.float32
    assert Spec(1, 1, 1, dtype="float64").precision is Precision.float64


def test_it_prints_what_is_not_default() -> None:
    assert str(Spec(3, 5, 2)) == "SimpleRNN(D=3, M=5, K=2)"
    spec = Spec(3, 5, 2, activation="relu", dtype="float64", head_activation="sigmoid")  # type: ignore[arg-type]
    assert str(spec) == "SimpleRNN(D=3, M=5, K=2, activation=relu, head_activation=sigmoid, dtype=float64)"


def test_a_spec_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Spec(3, 5, 2).D = 4  # type: ignore[misc]
