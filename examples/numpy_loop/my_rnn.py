"""The notebook's loop: what `model.predict(x)` returns, in NumPy."""

import numpy as np


def forward(x, Wx, Wh, bh, Wo, bo):
    """Return the outputs of the last step, `(N, K)`, for inputs `(N, T, D)`."""
    N, T, _ = x.shape
    outputs = []
    for n in range(N):
        h = np.zeros(len(bh))
        for t in range(T):
            h = np.tanh(x[n, t] @ Wx + h @ Wh + bh)
        outputs.append(h @ Wo + bo)
    return np.array(outputs)
