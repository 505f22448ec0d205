from pathlib import Path

import pytest

from pytest_rnnequiv import Command, Supports


@pytest.fixture(scope="session")
def rnn_implementation():
    program = Path(__file__).parent / "rnn.js"
    return Command(["node", program], supports=Supports(cells=("SimpleRNN", "LSTM")))
