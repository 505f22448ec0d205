"""The last step first: a ring buffer that is read from its newest entry."""

import numpy as np


def run(case):
    h = np.zeros((case.N, case.M), np.float32)
    for t in reversed(range(case.T)):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo
