"""Ports that misbehave, each in its own way."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

import numpy as np

from pytest_rnnequiv import Case, Trajectory, reference


def right(case: Case) -> Any:
    return reference(case, np.float32).outputs[:, -1]


def raises(case: Case) -> Any:
    raise RuntimeError("the firmware did not answer")


def returns_none(case: Case) -> Any:
    right(case)


def wrong_shape(case: Case) -> Any:
    return right(case)[:, :1].T


def time_major(case: Case) -> Any:
    return np.swapaxes(reference(case).outputs, 0, 1)


def objects(case: Case) -> Any:
    return np.array([[None] * case.K] * case.N)


def integers(case: Case) -> Any:
    return right(case).astype(np.int32)


def empty(case: Case) -> Any:
    return np.zeros((0, case.K))


def not_a_number(case: Case) -> Any:
    return right(case) * np.nan


def infinite(case: Case) -> Any:
    return right(case) + np.inf


def writes_into_x(case: Case) -> Any:
    answer = right(case)
    case.x[...] = 0.5 - case.x
    return answer


def not_deterministic(case: Case) -> Any:
    return right(case) + np.random.default_rng().standard_normal()


def exits(case: Case) -> Any:
    os._exit(3)


def aborts(case: Case) -> Any:
    os.abort()


def segfaults(case: Case) -> Any:
    ctypes.string_at(0)


class Hangs:
    """In Python, where an alarm could interrupt it."""

    timeout = 0.3

    def run(self, case: Case) -> Any:
        while True:
            time.sleep(0.01)


class HangsInC:
    """Where nothing but a signal that kills can."""

    timeout = 0.3

    def run(self, case: Case) -> Any:
        while True:  # a foreign call that begins again, whatever Python wants
            ctypes.PyDLL(None).usleep(10_000_000)


# ---- ports that are right, though they look odd ----


def lists(case: Case) -> Any:
    return right(case).tolist()


def read_only(case: Case) -> Any:
    answer = right(case)
    answer.flags.writeable = False
    return answer


def not_contiguous(case: Case) -> Any:
    return np.asfortranarray(np.repeat(right(case), 2, axis=1))[:, ::2]


class OwnBuffer:
    """A view of a buffer that the next call overwrites."""

    def __init__(self) -> None:
        self.buffer = np.zeros(100_000, np.float32)

    def run(self, case: Case) -> Any:
        view = self.buffer[: case.N * case.K].reshape(case.N, case.K)
        view[...] = right(case)
        return view


class Slow:
    def run(self, case: Case) -> Any:
        time.sleep(0.05)
        return Trajectory(*reference(case, np.float32).__dict__.values())
