"""The C ports, compiled with the system's compiler and called through ctypes."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from pytest_rnnequiv import Fixed, Precision, Supports, Trajectory
from pytest_rnnequiv.cells import LSTMCell

HERE = Path(__file__).parent


def compiler():
    """Return the command of a C compiler, or None."""
    return next((cc for cc in (os.environ.get("CC"), "cc", "gcc", "clang") if cc and shutil.which(cc)), None)


def build(source, *flags):
    """Compile a C file into a shared library and load it."""
    cc = compiler()
    if cc is None:
        raise RuntimeError("a C compiler is needed: set CC, or install cc, gcc or clang")
    with tempfile.TemporaryDirectory() as folder:  # once it is loaded, the file may go
        library = Path(folder) / "rnn.so"
        command = [cc, "-O2", "-std=c99", "-shared", "-fPIC", *flags, HERE / source, "-o", library, "-lm"]
        subprocess.run(command, check=True)
        return ctypes.CDLL(str(library))


def signature(function, *dtypes):
    """Declare `function(T, D, M, K, array, ...)`, so that a wrong array is an error in Python and not a crash in C."""
    function.argtypes = [ctypes.c_int] * 4 + [np.ctypeslib.ndpointer(d, flags="C_CONTIGUOUS") for d in dtypes]
    function.restype = None
    return function


class CPort:
    """Sequential float32 sums and the library's `tanhf`."""

    name = "c_port"
    precision = "float32"
    flags = ()

    def __init__(self):
        self.forward = signature(build("rnn.c", *self.flags).rnn_forward, *8 * [np.float32])

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


class CLSTM:
    """An LSTM, one sample after another."""

    name = "c_port, LSTM"
    precision = "float32"
    supports = Supports(cells=(LSTMCell(),))  # with sigmoid gates, and no others
    flags = ()

    def __init__(self):
        self.forward = signature(build("lstm.c", *self.flags).lstm_forward, *8 * [np.float32])

    def run(self, case):
        y = np.empty((case.N, case.K), np.float32)
        scratch = np.empty(6 * case.M, np.float32)
        for n in range(case.N):
            self.forward(case.T, case.D, case.M, case.K, case.x[n], *case.weights, scratch, y[n])
        return y


class CLSTMOrderOfONNX(CLSTM):
    """The same, written for weights in ONNX's order (i, o, f, c), and given Keras's."""

    name = "c_port, LSTM in the order of ONNX"
    flags = ("-DBLOCKS={0,2,3,1}",)


TABLE = np.minimum(np.floor(np.tanh(np.arange(1026) / 128) * 32768 + 0.5), 32767).astype(np.int64)


def table_of_tanh(a):
    """What `activate` in rnn_q15.c makes of a sum: the table, with lines between its entries, cut to 2^-15."""
    m = np.minimum(np.floor(np.abs(a) * 2.0**27), 2.0**30).astype(np.int64)
    i = np.minimum(m >> 20, 1024)
    v = TABLE[i] + (((TABLE[i + 1] - TABLE[i]) * (m & 0xFFFFF)) >> 20)
    return np.sign(a) * np.where(m >= 8 << 27, 32767, v) / 2.0**15


class Q15Port:
    """Fixed point: weights and inputs in Q3.12, states in Q0.15, exact sums, and a tanh from a table.

    All of it is declared, so all of it is computed: a state that is off by one step of 2^-15 is found.
    """

    step = 2.0**-12
    precision = Precision.fixed_point(Fixed(3, 12), Fixed(0, 15)).with_table(2.0**-14, tanh=table_of_tanh)

    def __init__(self, *flags):
        library = build("rnn_q15.c", *flags)
        library.rnn_init()
        self.forward = signature(library.rnn_forward, *7 * [np.int16], np.int64)

    def run(self, case):
        x, *weights = (np.round(a.astype(float) / self.step).astype(np.int16) for a in (case.x, *case.weights))
        h = np.empty((case.N, case.T, case.M), np.int16)
        y = np.empty((case.N, case.T, case.K), np.int64)
        for n in range(case.N):
            self.forward(case.T, case.D, case.M, case.K, x[n], *weights, h[n], y[n])
        return Trajectory(outputs=y / 2.0**27, states=h / 2.0**15)
