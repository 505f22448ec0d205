"""The fixed-point port takes numbers in [-8, 8) only, so it has a property test of its own which keeps to them."""

import numpy as np
import pytest
from c_port import Q15Port, compiler
from hypothesis import Phase, given, settings

from pytest_rnnequiv import EquivalenceError, assert_equivalent, judge
from pytest_rnnequiv import strategies as rnn

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C compiler: set CC, or install cc, gcc or clang")


def in_range(case):
    """Clip every number; inputs come from a sensor and are multiples of 2^-12 already."""
    x, *weights = (np.clip(a, -7.9, 7.9) for a in (case.x, *case.weights))
    return case.replace(weights=weights, x=np.round(x / Q15Port.step) * Q15Port.step)


fixed_point_cases = rnn.cases(T=rnn.sizes(max_value=20), M=rnn.sizes(max_value=16)).map(in_range)


@pytest.fixture(scope="module")
def port():
    return Q15Port()


@settings(deadline=None)
@given(case=fixed_point_cases)
def test_q15(port, case):
    assert_equivalent(case, port.run(case), port.precision)


@settings(deadline=None, max_examples=20)
@given(case=fixed_point_cases)
def test_one_step_is_seen(port, case):
    """A state that is off by 2^-15 cannot come of the declared roundings."""
    shown = port.run(case)
    shown.states[-1, -1, -1] -= np.copysign(2.0**-15, shown.states[-1, -1, -1])
    assert judge(case, shown, port.precision).different


def test_a_32_bit_accumulator_is_too_narrow():
    """It wraps around where |a| reaches 16, which nobody has declared."""
    narrow = Q15Port("-DACC=int32_t", "-fwrapv")

    @settings(deadline=None, database=None, phases=[Phase.generate])
    @given(case=fixed_point_cases)
    def check(case):
        assert_equivalent(case, narrow.run(case), narrow.precision)

    with pytest.raises(EquivalenceError):
        check()
