"""The weights were printed into a header file with `%.4f`."""

import numpy as np


def run(case):
    Wx, Wh, bh, Wo, bo = (
        np.array([float(f"{w:.4f}") for w in a.flat], np.float32).reshape(a.shape) for a in case.weights
    )
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ Wx + h @ Wh + bh)
    return h @ Wo + bo
