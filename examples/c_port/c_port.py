"""The C port, compiled with the system's compiler and called through ctypes."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from pytest_rnnequiv import Precision

HERE = Path(__file__).parent


def compiler():
    return next((cc for cc in (os.environ.get("CC"), "cc", "gcc", "clang") if cc and shutil.which(cc)), None)


def build(*flags):
    """Compile `rnn.c` into a shared library and load it."""
    cc = compiler()
    if cc is None:
        raise RuntimeError("a C compiler is needed: set CC, or install cc, gcc or clang")
    library = Path(tempfile.mkdtemp()) / "rnn.so"
    subprocess.run(
        [cc, "-O2", "-std=c99", "-shared", "-fPIC", *flags, HERE / "rnn.c", "-o", library, "-lm"], check=True
    )
    function = ctypes.CDLL(str(library)).rnn_forward
    array = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
    function.argtypes = [ctypes.c_int] * 4 + [array] * 8
    function.restype = None
    return function


class CPort:
    """Sequential float32 sums and the library's `tanhf`."""

    name = "c_port"
    precision = "float32"
    flags = ()

    def __init__(self):
        self.forward = build(*self.flags)

    def run(self, case):
        y = np.empty((case.N, case.K), np.float32)
        scratch = np.empty(2 * case.M, np.float32)
        for n in range(case.N):
            self.forward(case.T, case.D, case.M, case.K, case.x[n], *case.weights, scratch, y[n])
        return y


class CPortFastTanh(CPort):
    """The same with a fast tanh, which says by how much it may be off: so the rest is still proved."""

    name = "c_port, fast tanh"
    precision = Precision.float32.with_activation_error(1e-4)
    flags = ("-DFAST_TANH",)


class CPortFastTanhUndeclared(CPortFastTanh):
    """The same, but nobody said so."""

    name = "c_port, fast tanh undeclared"
    precision = "float32"
