"""A property test of the project's own, beside the suite that `--rnn-equiv` adds."""

import my_rnn
from hypothesis import given, settings

from pytest_rnnequiv import assert_equivalent
from pytest_rnnequiv import strategies as rnn


@settings(deadline=None)
@given(case=rnn.cases(T=rnn.sizes(max_value=5), M=rnn.sizes(max_value=16)))
def test_forward(case):
    assert_equivalent(case, my_rnn.forward(case.x, *case.weights))
