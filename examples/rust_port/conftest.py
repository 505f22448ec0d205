import subprocess
from pathlib import Path

import pytest

from pytest_rnnequiv import Command

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def rnn_implementation(tmp_path_factory):
    program = tmp_path_factory.mktemp("rust") / "rnn"
    subprocess.run(["rustc", "-O", HERE / "rnn.rs", "-o", program], check=True)
    return Command([program], form="numbers", name="rust_port")
