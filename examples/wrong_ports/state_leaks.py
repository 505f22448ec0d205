"""The state is made once, before the loop over the samples, where each sample needs a new one."""

import numpy as np


def run(case):
    h = np.zeros(case.M, np.float32)
    outputs = []
    for x in case.x:
        for x_t in x:
            h = np.tanh(x_t @ case.Wx + h @ case.Wh + case.bh)
        outputs.append(h @ case.Wo + case.bo)
    return np.array(outputs)
