"""Errors that travel stay in a set of a fixed size, which holds all of them and little more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_rnnequiv.arithmetic import zonotope
from pytest_rnnequiv.arithmetic.zonotope import Zonotope, extent


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), M=st.integers(1, 5), order=st.integers(3, 6), T=st.integers(1, 40))
def test_no_error_leaves_it(seed: int, M: int, order: int, T: int) -> None:
    """Corners of the boxes that come in, carried along by hand, are inside: in every direction."""
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(zonotope, "ORDER", order)
        errors = Zonotope(np.zeros((2, M)))
        real = np.zeros((2, 50, M))
        for _ in range(T):
            matrix = rng.standard_normal((M, M)) * rng.choice([0.3, 0.7, 1.0])
            box = rng.random((2, M)) * 10.0 ** rng.integers(-6, 1)
            errors.become(errors.image(matrix))
            errors.add(box)
            real = real @ matrix + box[:, None] * rng.choice([-1.0, 1.0], real.shape)
            directions = rng.standard_normal((M, 7))
            reach = extent(errors.image(directions))
            assert (np.abs(real @ directions).max(1) <= reach * (1 + 1e-9)).all()
            assert errors.generators.shape[1] <= order * M


@pytest.mark.parametrize("M", [4, 16])
def test_it_forgets_where_errors_contract_and_does_not_swell_where_they_rotate(M: int) -> None:
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((M, M))).Q
    for factor, room in ((0.5, 1.0001), (0.9, 1.05), (0.97, 2.0)):
        errors, exact, power = Zonotope(np.zeros((1, M))), np.zeros(M), np.eye(M)
        for _ in range(400):
            errors.become(errors.image(factor * rotation))
            errors.add(np.ones((1, M)))
            exact += np.abs(power).sum(0)
            power = power @ (factor * rotation)
        assert (extent(errors.generators) >= exact * (1 - 1e-12)).all()
        assert (extent(errors.generators) <= exact * room).all(), factor


def test_what_is_not_known_is_not_known_later() -> None:
    errors = Zonotope(np.array([[np.inf, 1.0], [1.0, 1.0]]))
    for _ in range(300):
        errors.become(errors.image(np.array([[0.5, 0.1], [0.0, 0.5]])))
        errors.add(np.ones((2, 2)))
    reach = extent(errors.generators)
    assert not np.isfinite(reach[0]).any()
    assert np.isfinite(reach[1]).all()
