"""Is the model still the same? Both are judged by the recurrence with the weights that were read."""

import pytest
from hypothesis import given, settings

from pytest_rnnequiv import assert_equivalent
from pytest_rnnequiv import strategies as rnn

pytest.importorskip("tensorflow")

import torch
from to_keras import Tagger, read, to_keras


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
def test_to_keras(kind):
    torch.manual_seed(1)
    before = Tagger(kind)
    spec, weights = read(before)
    after = to_keras(before)

    @settings(deadline=None, max_examples=5)
    @given(case=rnn.cases(spec=spec, weights=weights, N=(1, 3), T=(1, 12), calls=1))
    def check(case):
        with torch.no_grad():
            assert_equivalent(case, before(torch.tensor(case.x)))
        assert_equivalent(case, after(case.x))

    check()
