"""Tell `pytest --rnn-equiv` what to check."""

import my_rnn
import pytest


@pytest.fixture(scope="session")
def rnn_implementation():
    def run(case):
        return my_rnn.forward(case.x, case.Wx, case.Wh, case.bh, case.Wo, case.bo)

    return run
