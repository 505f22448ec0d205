"""A stateful port that is never reset: the second call starts where the first one ended."""

import numpy as np


class StateKept:
    name = "state_kept"

    def __init__(self):
        self.h = None

    def run(self, case):
        if self.h is None or self.h.shape != (case.N, case.M):
            self.h = np.zeros((case.N, case.M), np.float32)
        for t in range(case.T):
            self.h = np.tanh(case.x[:, t] @ case.Wx + self.h @ case.Wh + case.bh)
        return self.h @ case.Wo + case.bo
