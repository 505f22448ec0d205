"""A failing case shrinks to what a person would have written: few numbers, most of them zero, the others one.

Each mistake is a transformation of the case followed by the correct recurrence, in the case's own precision; the test
is the one that a user would write.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle, product

import drawn
import numpy as np
import pytest
from hypothesis import strategies as st

from pytest_rnnequiv import judge, reference
from pytest_rnnequiv import strategies as rnn

shrunk = partial(drawn.shrunk, examples=300)


def is_found(case, mistake):
    return not judge(case, reference(mistake(case), np.float32)).equivalent


def letters(case):
    return case.N, case.T, case.D, case.M, case.K


def numbers(case):
    return np.concatenate([a.ravel() for a in (*case.weights, case.x, *(a for a in [case.h0] if a is not None))])


def linear(case):
    return case.replace(spec=case.spec.replace(activation="linear"))


def without_first_step(case):
    return case.replace(x=np.concatenate([case.x[:, 1:], np.zeros_like(case.x[:, :1])], axis=1))


#: name -> mistake, the smallest shape (N, T, D, M, K) that shows it, and how many numbers have to be other than 0.
MISTAKES = {
    "bias dropped": (lambda c: c.replace(bh=0 * c.bh), (1, 1, 1, 1, 1), 1),
    "bias doubled": (lambda c: c.replace(bh=2 * c.bh), (1, 1, 1, 1, 1), 1),
    "head bias dropped": (lambda c: c.replace(bo=0 * c.bo), (1, 1, 1, 1, 1), 1),
    "activation forgotten": (linear, (1, 1, 1, 1, 1), 1),
    "first step skipped": (without_first_step, (1, 1, 1, 1, 1), 2),
    "time reversed": (lambda c: c.replace(x=c.x[:, ::-1]), (1, 2, 1, 1, 1), 2),
    "recurrence dropped": (lambda c: c.replace(Wh=0 * c.Wh), (1, 2, 1, 1, 1), 2),
    "Wh transposed": (lambda c: c.replace(Wh=c.Wh.T), (1, 2, 1, 2, 1), 2),
    "Wx units swapped": (lambda c: c.replace(Wx=c.Wx[:, ::-1]), (1, 1, 1, 2, 1), 2),
    "features swapped": (lambda c: c.replace(Wx=c.Wx[::-1]), (1, 1, 2, 1, 1), 2),
    "outputs swapped": (lambda c: c.replace(Wo=c.Wo[:, ::-1]), (1, 1, 1, 1, 2), 2),
    "samples swapped": (lambda c: c.replace(x=c.x[::-1]), (2, 1, 1, 1, 1), 2),
}

#: Wh needs a state to act on: an input and its weight where no bias makes one.
SPARE = 1

STRATEGIES = {
    "cases": rnn.cases().map(lambda case: [case]),
    "large": rnn.cases(M=rnn.sizes(max_value=200), T=rnn.sizes(max_value=100)).map(lambda case: [case]),
    "packs": rnn.packs(spec=rnn.pool()),
}


@pytest.mark.parametrize(
    ("name", "whence"),
    [*product(MISTAKES, ["packs"]), *zip(MISTAKES, cycle(["cases", "large"]), strict=False)],
)
def test_a_mistake_shrinks_to_what_one_would_have_written(name, whence):
    mistake, shape, others = MISTAKES[name]
    pack = shrunk(STRATEGIES[whence], lambda pack: any(is_found(case, mistake) for case in pack))
    assert len(pack) == 1
    (case,) = pack
    assert letters(case) == shape
    assert set(numbers(case)) <= {0, 1}
    assert others <= np.count_nonzero(numbers(case)) <= others + SPARE
    assert is_found(case, mistake)


def test_a_mask_shrinks():
    case = shrunk(rnn.cases(masked=True), lambda c: is_found(c, lambda c: c.replace(mask=np.ones_like(c.mask))))
    assert letters(case) == (1, 1, 1, 1, 1)
    assert not case.mask.any()
    assert set(numbers(case)) == {0, 1}


def test_an_initial_state_shrinks():
    case = shrunk(rnn.cases(initial_state=True), lambda c: is_found(c, lambda c: c.replace(h0=None)))
    assert letters(case) == (1, 1, 1, 1, 1)
    assert case.h0 == case.Wh == 1
    assert np.count_nonzero(numbers(case)) == 2


def test_options_leave_where_they_do_not_matter():
    strategy = rnn.cases(initial_state=st.booleans(), masked=st.booleans(), activation=rnn.activations())
    case = shrunk(strategy, lambda c: is_found(c, lambda c: c.replace(bo=0 * c.bo)))
    assert case.h0 is None
    assert case.mask is None
    assert case.spec.activation.name == "tanh"


@pytest.mark.parametrize("strategy", [rnn.cases(), rnn.packs(max_size=1).map(lambda pack: pack[0])])
def test_the_simplest_case_is_all_zero(strategy):
    case = shrunk(strategy, lambda case: True)
    assert letters(case) == (1, 1, 1, 1, 1)
    assert not numbers(case).any()


def test_a_failure_of_one_case_leaves_a_pack_of_one():
    """One case in a hundred has a number like this, in whatever place of the pack.

    How far each search comes depends on what else the process has imported, since Hypothesis draws constants of it: of
    ten, some seven end with the smallest case, and others with one of another member of the pool.
    """
    packs = [
        shrunk(rnn.packs(spec=rnn.pool()), lambda pack: any(np.abs(c.x).max() > 1e4 for c in pack), seed)
        for seed in range(5)
    ]
    assert sum(len(pack) == 1 for pack in packs) >= 3
    smallest = [pack[0] for pack in packs if letters(pack[0]) == (1, 1, 1, 1, 1)]
    assert smallest
    assert all(np.count_nonzero(numbers(case)) == 1 for case in smallest)


def test_full_mantissas_stay_where_they_are_what_matters():
    case = shrunk(rnn.cases(), lambda c: is_found(c, lambda c: c.replace(Wx=c.Wx.astype(np.float16))))
    assert letters(case) == (1, 1, 1, 1, 1)
    assert case.x == 1
    assert case.Wx != case.Wx.astype(np.float16)
    assert np.count_nonzero(numbers(case)) == 2


@pytest.mark.parametrize("least", [1, 6, 13, 40])
def test_sizes_shrink_to_the_least_that_fails(least):
    case = shrunk(rnn.cases(M=rnn.sizes(max_value=300)), lambda case: case.M not in range(least))
    assert letters(case) == (1, 1, 1, least, 1)
