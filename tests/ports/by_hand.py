"""Wrong ports as people write them, with bugs of their own: none of them is in the catalogue of mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_rnnequiv import Case


def tanh(a: Any) -> Any:
    return np.tanh(a)


def forward(x: Any, Wx: Any, Wh: Any, bh: Any, Wo: Any, bo: Any) -> Any:
    h = np.zeros((len(x), len(bh)), np.float32)
    for t in range(x.shape[1]):
        h = tanh(x[:, t] @ Wx + h @ Wh + bh)
    return h @ Wo + bo


def right(case: Case) -> Any:
    return forward(case.x, *case.weights)


def right_at_every_step(case: Case) -> Any:
    outputs = []
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
        outputs.append(h @ case.Wo + case.bo)
    return np.stack(outputs, axis=1)


def returns_in_the_loop(case: Case) -> Any:
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
        return h @ case.Wo + case.bo
    return None


def starts_from_ones(case: Case) -> Any:
    h = np.ones((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo


def never_updates_the_state(case: Case) -> Any:
    h_prev = np.zeros((case.N, case.M), np.float32)
    h = h_prev
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h_prev @ case.Wh + case.bh)
    return h @ case.Wo + case.bo


def no_recurrence_at_every_step(case: Case) -> Any:
    return tanh(case.x @ case.Wx + case.bh) @ case.Wo + case.bo


def first_input_at_every_step(case: Case) -> Any:
    h = np.zeros((case.N, case.M), np.float32)
    for _ in range(case.T):
        h = tanh(case.x[:, 0] @ case.Wx + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo


def bias_indexed_by_sample(case: Case) -> Any:
    N, M = case.N, case.M
    behind = np.concatenate([case.bh, np.zeros(N * M, np.float32)])  # what lies behind the array in C
    h = np.zeros((N, M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h @ case.Wh + behind[: N * M].reshape(N, M))
    return h @ case.Wo + case.bo


def adds_the_recurrent_weights(case: Case) -> Any:
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h + case.Wh.sum(axis=0) + case.bh)
    return h @ case.Wo + case.bo


def state_set_up_once(case: Case) -> Any:
    outputs = []
    h = np.zeros(case.M, np.float32)
    for n in range(case.N):
        for t in range(case.T):
            h = tanh(case.x[n, t] @ case.Wx + h @ case.Wh + case.bh)
        outputs.append(h @ case.Wo + case.bo)
    return np.array(outputs)


def last_row_skipped(case: Case) -> Any:
    M = case.M
    h = np.zeros((case.N, M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h[:, : M - 1] @ case.Wh[: M - 1] + case.bh)
    return h @ case.Wo + case.bo


def sixteen_steps_at_most(case: Case) -> Any:
    return forward(case.x[:, :16], *case.weights)


def buffer_of_sixteen_steps(case: Case) -> Any:
    states = np.zeros((case.N, 16, case.M), np.float32)
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)
        states[:, t] = h
    return states[:, case.T - 1] @ case.Wo + case.bo


def samples_in_reverse(case: Case) -> Any:
    return right(case)[::-1].copy()


class KeepsItsState:
    def __init__(self) -> None:
        self.h: Any = None

    def __call__(self, case: Case) -> Any:
        if self.h is None or self.h.shape != (case.N, case.M):
            self.h = np.zeros((case.N, case.M), np.float32)
        for t in range(case.T):
            self.h = tanh(case.x[:, t] @ case.Wx + self.h @ case.Wh + case.bh)
        return self.h @ case.Wo + case.bo


class KeepsALittle:
    """Not seen at once: only what is asked after other cases is off."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, case: Case) -> Any:
        self.calls += 1
        drift = np.float32(0.0 if self.calls < 12 else 0.01 * self.calls)
        return right(case) + drift


def softmax_over_samples(case: Case) -> Any:
    e = np.exp(right(case))
    return e / e.sum(axis=0)


def softmax_on_the_head(case: Case) -> Any:
    e = np.exp(right(case))
    return e / e.sum(axis=-1, keepdims=True)


def column_by_column(case: Case) -> Any:
    """A C port that reads ``w[out * inputs + in]`` from ``get_weights()[i].flatten()``."""
    Wx, Wh, Wo = (W.reshape(W.shape[1], W.shape[0]).T for W in (case.Wx, case.Wh, case.Wo))
    return forward(case.x, Wx, Wh, case.bh, Wo, case.bo)


def stride_of_one_less(case: Case) -> Any:
    N, T, D = case.x.shape
    flat = np.concatenate([case.x.ravel(), np.zeros(D, np.float32)])
    x = np.array([[flat[(n * T + t) * max(D - 1, 1) :][:D] for t in range(T)] for n in range(N)])
    return forward(x, *case.weights)


def bias_added_twice(case: Case) -> Any:
    return forward(case.x, case.Wx, case.Wh, case.bh + case.bh, case.Wo, case.bo)


def recurrence_halved(case: Case) -> Any:
    return forward(case.x, case.Wx, case.Wh / 2, case.bh, case.Wo, case.bo)


def clamped_before_tanh(case: Case) -> Any:
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(np.clip(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh, -3, 3))
    return h @ case.Wo + case.bo


def blocks_of_four_units(case: Case) -> Any:
    """A kernel that computes four units at a time and forgets what is left."""
    M = case.M // 4 * 4
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h[:, :M] = tanh(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh)[:, :M]
    return h @ case.Wo + case.bo


def returns_zeros(case: Case) -> Any:
    return np.zeros((case.N, case.K), np.float32)


def normalizes_over_the_batch(case: Case) -> Any:
    y = right(case)
    return (y - y.mean(axis=0)) / (y.std(axis=0) + 1e-3)


def centers_over_time(case: Case) -> Any:
    return right_at_every_step(case.replace(x=case.x - case.x.mean(axis=1, keepdims=True)))


def last_feature_skipped(case: Case) -> Any:
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = tanh(case.x[:, t, : case.D - 1] @ case.Wx[: case.D - 1] + h @ case.Wh + case.bh)
    return h @ case.Wo + case.bo


def weights_compiled_in(case: Case) -> Any:
    weights = [np.full(w.shape, 0.1, np.float32) for w in case.weights]
    return forward(case.x, *weights)


def not_a_number_in_the_first_sample(case: Case) -> Any:
    y = right(case)
    y[0] = np.nan
    return y


def lstm_without_its_forget_gate(case: Case) -> Any:
    M = case.M
    h = np.zeros((case.N, M), np.float32)
    for t in range(case.T):
        a = case.x[:, t] @ case.Wx + h @ case.Wh + case.bh
        i, g, o = (a[:, k * M : (k + 1) * M] for k in (0, 2, 3))
        h = np.tanh(np.tanh(g) / (1 + np.exp(-i))) / (1 + np.exp(-o))
    return h @ case.Wo + case.bo
