"""C-style loops with one buffer for the old and the new state: unit 1 already reads the new unit 0."""

import math

import numpy as np


def run(case):
    outputs = np.empty((case.N, case.K), np.float32)
    for n in range(case.N):
        h = np.zeros(case.M, np.float32)
        for t in range(case.T):
            for j in range(case.M):
                a = float(case.bh[j])
                for d in range(case.D):
                    a += float(case.x[n, t, d]) * float(case.Wx[d, j])
                for i in range(case.M):
                    a += float(h[i]) * float(case.Wh[i, j])
                h[j] = math.tanh(a)
        outputs[n] = h @ case.Wo + case.bo
    return outputs
