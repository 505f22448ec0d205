"""Wrong ports as people write them: NumPy loops, flattened C, loops in the style of JavaScript.

Each takes a case of the notebook's model and returns the last output, as `model.predict` does. They were written after
public reports and course exercises, not after the catalogue.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_rnnequiv import Case

Port = Callable[[Case], Any]
f32 = np.float32


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def c_reads_out_times_inputs_plus_in(case: Case) -> Any:
    """`w[out*inputs + in]`, from `get_weights()[i].flatten()`: for all three matrices."""
    Wx, Wh, Wo = (w.flatten() for w in (case.Wx, case.Wh, case.Wo))
    D, M, K = case.D, case.M, case.K
    y = np.zeros((case.N, K), f32)
    for n in range(case.N):
        h = np.zeros(M, f32)
        for t in range(case.T):
            new = np.zeros(M, f32)
            for j in range(M):
                a = case.bh[j]
                for i in range(D):
                    a += Wx[j * D + i] * case.x[n, t, i]
                for i in range(M):
                    a += Wh[j * M + i] * h[i]
                new[j] = math.tanh(a)
            h = new
        for k in range(K):
            y[n, k] = case.bo[k] + sum(Wo[k * M + i] * h[i] for i in range(M))
    return y


def state_dict_as_it_is(case: Case) -> Any:
    """Kernels `(out, in)` of a framework that multiplies from the left, put into `x @ W`; needs square ones."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx.T + h @ case.Wh.T + case.bh)
    return h @ case.Wo.T + case.bo


def returns_inside_the_loop(case: Case) -> Any:  # noqa: RET503
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
        return h @ case.Wo + case.bo


def returns_inside_the_loop_over_samples(case: Case) -> Any:  # noqa: RET503
    y = np.zeros((case.N, case.K), f32)
    for n in range(case.N):
        h = np.zeros(case.M, f32)
        for t in range(case.T):
            h = np.tanh(case.x[n, t] @ case.Wx + h @ case.Wh + case.bh)
        y[n] = h @ case.Wo + case.bo
        return y


def bias_by_sample(case: Case) -> Any:
    """`bias[sample*M + unit]`, of a buffer that is larger than the bias, and zero behind it."""
    N, M = case.N, case.M
    bias = np.zeros(N * M, f32)
    bias[:M] = case.bh
    h = np.zeros((N, M), f32)
    for t in range(case.T):
        new = np.zeros((N, M), f32)
        for n in range(N):
            for j in range(M):
                new[n, j] = math.tanh(case.x[n, t] @ case.Wx[:, j] + h[n] @ case.Wh[:, j] + bias[n * M + j])
        h = new
    return h @ case.Wo + case.bo


def bias_by_sample_of_one_buffer(case: Case) -> Any:
    """The same, where the head's weights lie behind the bias in memory."""
    N, M = case.N, case.M
    memory = np.concatenate([case.bh, case.Wo.ravel(), case.bo, np.zeros(N * M, f32)])
    h = np.zeros((N, M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + memory[: N * M].reshape(N, M))
    return h @ case.Wo + case.bo


def adds_wh_in_the_loop(case: Case) -> Any:
    """`a += h[i] + Wh[i][j]` in the inner loop."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        a = case.x[:, t] @ case.Wx + case.bh
        for i in range(case.M):
            a = a + (h[:, i : i + 1] + case.Wh[i])
        h = np.tanh(a)
    return h @ case.Wo + case.bo


def adds_wh_beside_the_state(case: Case) -> Any:
    """`tanh(x @ Wx + h + Wh)`: with as many samples as units the shapes fit."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + (h + case.Wh.sum(0)) + case.bh)
    return h @ case.Wo + case.bo


def c_with_three_mistakes(case: Case) -> Any:
    """It never reads the old state, takes `x[0]` at every step, and has no activation."""
    y = np.zeros((case.N, case.K), f32)
    for n in range(case.N):
        h = [0.0] * case.M
        for _ in range(case.T):
            for j in range(case.M):
                h[j] = case.bh[j] + sum(case.x[n, 0, d] * case.Wx[d, j] for d in range(case.D))
        for k in range(case.K):
            y[n, k] = case.bo[k] + sum(h[i] * case.Wo[i, k] for i in range(case.M))
    return y


def softmax_of_the_course(case: Case) -> Any:
    """`e / e.sum(axis=0)`: over the samples, where these are the rows."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    y = h @ case.Wo + case.bo
    e = np.exp(y - np.max(y))
    return e / e.sum(axis=0)


def softmax_over_everything(case: Case) -> Any:
    """`exp(y) / sum(exp(y))`, without an axis."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    e = np.exp(h @ case.Wo + case.bo)
    return e / np.sum(e)


def softmax_on_the_head(case: Case) -> Any:
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    e = np.exp(h @ case.Wo + case.bo)
    return e / e.sum(-1, keepdims=True)


def sigmoid_on_the_head(case: Case) -> Any:
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return sigmoid(h @ case.Wo + case.bo)


def last_unit_not_read(case: Case) -> Any:
    """`for (i = 0; i < M - 1; i++)` over the old state."""
    M, h = case.M, np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h[:, : M - 1] @ case.Wh[: M - 1] + case.bh)
    return h @ case.Wo + case.bo


def last_unit_not_computed(case: Case) -> Any:
    """`for (j = 0; j < M - 1; j++)` over the new state, which stays 0 there."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        new = np.zeros_like(h)
        for j in range(case.M - 1):
            new[:, j] = np.tanh(case.x[:, t] @ case.Wx[:, j] + h @ case.Wh[:, j] + case.bh[j])
        h = new
    return h @ case.Wo + case.bo


def last_feature_not_read(case: Case) -> Any:
    D, h = case.D, np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t, : D - 1] @ case.Wx[: D - 1] + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo


def head_without_its_last_unit(case: Case) -> Any:
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return h[:, :-1] @ case.Wo[:-1] + case.bo


def pre_activation_clipped(case: Case) -> Any:
    """`constrain(a, -4, 4)` before an `exp`."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(np.clip(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh, -4, 4))
    return h @ case.Wo + case.bo


def state_clipped(case: Case) -> Any:
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.clip(np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh), -0.9, 0.9).astype(f32)
    return h @ case.Wo + case.bo


def weights_in_q5(case: Case) -> Any:
    """Weights as `ap_fixed` with 5 fraction bits, which cuts."""
    Wx, Wh, bh, Wo, bo = ((np.floor(w * 32) / 32).astype(f32) for w in case.weights)
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ Wx + h @ Wh + bh)
    return h @ Wo + bo


def weights_in_int8_that_wrap(case: Case) -> Any:
    """`(int8_t)(w * 128)`: what does not fit wraps around."""
    Wx, Wh, bh, Wo, bo = ((np.trunc(w * 128).astype(np.int64).astype(np.int8) / f32(128)) for w in case.weights)
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ Wx + h @ Wh + bh)
    return h @ Wo + bo


def scaled_by_128_for_127(case: Case) -> Any:
    """The scale of int8 taken as 127 here and as 128 there, of `Wh`."""
    Wh = case.Wh * f32(127 / 128)
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ Wh + case.bh)
    return h @ case.Wo + case.bo


def javascript_concatenates_the_other_way(case: Case) -> Any:
    """One kernel for `[h, x]`, used on `[x, h]`."""
    W = np.concatenate([case.Wh, case.Wx])
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(np.concatenate([case.x[:, t], h], 1) @ W + case.bh)
    return h @ case.Wo + case.bo


def time_ends_one_early(case: Case) -> Any:
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T - 1):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo


def tanh_of_the_state_too(case: Case) -> Any:
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return np.tanh(h) @ case.Wo + case.bo


def float16_sums(case: Case) -> Any:
    """Weights in float32, sums in half precision."""
    h = np.zeros((case.N, case.M), np.float16)
    for t in range(case.T):
        a = np.zeros((case.N, case.M), np.float16)
        for d in range(case.D):
            a = a + (case.x[:, t, d, None] * case.Wx[d]).astype(np.float16)
        for i in range(case.M):
            a = a + (h[:, i, None] * case.Wh[i]).astype(np.float16)
        h = np.tanh(a + case.bh.astype(np.float16))
    return h.astype(f32) @ case.Wo + case.bo


def lstm_loop(case: Case, order: str = "ifco", forget: float = 0.0, out: Any = np.tanh, stateful: bool = True) -> Any:
    M = case.M
    h, c = np.zeros((case.N, M), f32), np.zeros((case.N, M), f32)
    for t in range(case.T):
        a = case.x[:, t] @ case.Wx + h @ case.Wh + case.bh
        g = {name: a[:, k * M : (k + 1) * M] for k, name in enumerate(order)}
        c = sigmoid(g["f"] + f32(forget)) * c + sigmoid(g["i"]) * np.tanh(g["c"])
        h = sigmoid(g["o"]) * out(c)
    return h @ case.Wo + case.bo


def lstm_state_dict(case: Case) -> Any:
    """All kernels of an LSTM transposed as they lie in memory."""
    other = [w.reshape(w.shape[::-1]).T for w in (case.Wx, case.Wh, case.Wo)]
    return lstm_loop(case.replace(Wx=other[0], Wh=other[1], Wo=other[2]))


def gru_bias_by_sample(case: Case) -> Any:
    """A GRU whose input bias reaches sample 0 only."""
    M, h = case.M, np.zeros((case.N, case.M), f32)
    first = (np.arange(case.N) == 0)[:, None].astype(f32)
    for t in range(case.T):
        a, b = case.x[:, t] @ case.Wx + first * case.bh[0], h @ case.Wh + first * case.bh[1]
        z, r = sigmoid(a[:, :M] + b[:, :M]), sigmoid(a[:, M : 2 * M] + b[:, M : 2 * M])
        h = z * h + (1 - z) * np.tanh(a[:, 2 * M :] + r * b[:, 2 * M :])
    return h @ case.Wo + case.bo


# ---- of gates, and of what is done to the state ----


def lstm_gates_side_by_side(case: Case) -> Any:
    """`a[4*j + gate]`: kernels read as (units, gates)."""
    h = np.zeros((case.N, case.M), f32)
    c = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        a = case.x[:, t] @ case.Wx + h @ case.Wh + case.bh
        i, f, g, o = (a[:, k::4] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h @ case.Wo + case.bo


def lstm_cell_state_of_the_loop(case: Case) -> Any:
    """`c` declared inside the loop over the steps."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        c = np.zeros((case.N, case.M), f32)
        i, f, g, o = np.split(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh, 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h @ case.Wo + case.bo


def lstm_concatenates_the_other_way(case: Case) -> Any:
    """One kernel for `[x, h]`, used on `[h, x]`."""
    W = np.concatenate([case.Wx, case.Wh])
    h, c = np.zeros((2, case.N, case.M), f32)
    for t in range(case.T):
        i, f, g, o = np.split(np.concatenate([h, case.x[:, t]], 1) @ W + case.bh, 4, 1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h @ case.Wo + case.bo


def lstm_of_one_array(case: Case) -> Any:
    """`h` and `c` are one array, which is changed in place."""
    h = c = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        i, f, g, o = np.split(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh, 4, 1)
        c[:] = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h[:] = sigmoid(o) * np.tanh(c)
    return h @ case.Wo + case.bo


def gru_in_one_buffer(case: Case) -> Any:
    """Loops of JavaScript over one typed array: later units read the new state of earlier ones."""
    M, y = case.M, []
    for n in range(case.N):
        h = np.zeros(M, f32)
        for t in range(case.T):
            a = case.x[n, t] @ case.Wx + case.bh[0]
            for j in range(M):
                z, r = (sigmoid(a[k] + h @ case.Wh[:, k] + case.bh[1, k]) for k in (j, M + j))
                g = np.tanh(a[2 * M + j] + r * (h @ case.Wh[:, 2 * M + j] + case.bh[1, 2 * M + j]))
                h[j] = z * h[j] + (1 - z) * g
        y.append(h @ case.Wo + case.bo)
    return np.stack(y)


def gru_resets_the_candidate(case: Case) -> Any:
    """`r * tanh(...)`: a parenthesis closed too early."""
    M = case.M
    h = np.zeros((case.N, M), f32)
    for t in range(case.T):
        a, b = case.x[:, t] @ case.Wx + case.bh[0], h @ case.Wh + case.bh[1]
        z, r = sigmoid(a[:, :M] + b[:, :M]), sigmoid(a[:, M : 2 * M] + b[:, M : 2 * M])
        h = z * h + (1 - z) * (r * np.tanh(a[:, 2 * M :] + b[:, 2 * M :]))
    return h @ case.Wo + case.bo


def pools_over_time(case: Case) -> Any:
    """The mean of all states goes into the head."""
    h, total = np.zeros((case.N, case.M), f32), np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
        total = total + h
    return total / case.T @ case.Wo + case.bo


def leaks_by_a_tenth(case: Case) -> Any:
    """`h += dt * (tanh(...) - h)`."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = h + f32(0.1) * (np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh) - h)
    return h @ case.Wo + case.bo


def normalizes_its_inputs(case: Case) -> Any:
    """Each sample's features are standardized over time, as in training, and nobody wrote that down."""
    x = (case.x - case.x.mean(1, keepdims=True)) / (case.x.std(1, keepdims=True) + 1e-7)
    h = np.zeros((case.N, case.M), f32)
    for t in range(case.T):
        h = np.tanh(x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return (h @ case.Wo + case.bo).astype(f32)


def keeps_eight_steps(case: Case) -> Any:
    """A ring buffer of eight steps."""
    h = np.zeros((case.N, case.M), f32)
    for t in range(max(0, case.T - 8), case.T):
        h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo
