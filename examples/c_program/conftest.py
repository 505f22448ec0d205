import subprocess
from pathlib import Path

import pytest

from pytest_rnnequiv import Command

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def rnn_implementation(tmp_path_factory):
    program = tmp_path_factory.mktemp("c") / "rnn"
    subprocess.run(["cc", "-O2", "-std=c99", HERE / "rnn.c", "-o", program, "-lm"], check=True)
    return Command([program], form="numbers", name="rnn.c")
