from pathlib import Path

import pytest

from pytest_rnnequiv import Command, Supports
from pytest_rnnequiv.cells import GRUCell, LSTMCell


@pytest.fixture(scope="session")
def rnn_implementation():
    program = Path(__file__).parent / "tfjs.js"
    supports = Supports(
        cells=("SimpleRNN", GRUCell(reset_after=False), LSTMCell()),  # its gru knows no resetAfter
        activations=("tanh", "relu", "sigmoid", "linear"),
        options=("initial_state",),
    )
    return Command(["node", program], name="TensorFlow.js", supports=supports, timeout=60)
