"""Is it still the same model? What it computed and what Keras computes, judged by the weights that were converted."""

import pytest

pytest.importorskip("tensorflow")

from convert import convert, keras_model, read
from hypothesis import given, settings
from old_model import predict

from pytest_rnnequiv import EquivalenceError, Trajectory, assert_equivalent
from pytest_rnnequiv import strategies as rnn

VARIABLES = read()
SPEC, WEIGHTS = convert(VARIABLES)
MODEL = keras_model(VARIABLES)
inputs = given(case=rnn.cases(spec=SPEC, weights=WEIGHTS, N=(1, 3), calls=1))


@settings(deadline=None, max_examples=40)
@inputs
def test_what_tensorflow_1_computed(case):
    outputs, states = predict(VARIABLES, case.x)
    assert_equivalent(case, Trajectory(outputs, states))


@settings(deadline=None, max_examples=20)
@inputs
def test_what_keras_computes(case):
    assert_equivalent(case, MODEL(case.x))


def test_without_the_forget_bias_it_is_another_model():
    """The checkpoint does not tell it: TensorFlow 1 added 1 when it ran."""
    spec, weights = convert(VARIABLES, forget_bias=0)
    case = rnn.generic_case(spec, 2, 5, weights=weights)
    with pytest.raises(EquivalenceError, match="with 1 added to the bias of the forget gate"):
        assert_equivalent(case, Trajectory(*predict(VARIABLES, case.x)))
