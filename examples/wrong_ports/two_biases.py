"""PyTorch's layer has two biases, `b_ih` and `b_hh`, and both were loaded with Keras's one."""

import numpy as np


def run(case):
    b_ih = b_hh = case.bh
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = np.tanh((case.x[:, t] @ case.Wx + b_ih) + (h @ case.Wh + b_hh))
    return h @ case.Wo + case.bo
