"""Cases for the tests: without symmetries, so that every mistake shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_rnnequiv import Case, Spec

SCALES = {"Wx": 0.8, "Wh": 0.9, "bh": 0.7, "Wo": 1.0, "bo": 0.6}


def generic(
    seed: int = 0,
    *,
    N: int = 3,
    T: int = 5,
    D: int = 3,
    M: int = 4,
    K: int = 2,
    scale: float = 1.0,
    radius: float | None = None,
    **options: Any,
) -> Case:
    """Make a case of which all numbers differ.

    Parameters
    ----------
    scale : float
        Of the inputs.
    radius : float, optional
        Spectral radius of ``Wh``, roughly (the circular law).
    **options
        Of the spec; ``h0=True`` and ``mask=True`` add these to the case.
    """
    h0, mask = options.pop("h0", False), options.pop("mask", False)
    rng = np.random.default_rng(seed)
    spec = Spec(D, M, K, **options)
    numbers: dict[str, Any] = {
        name: SCALES[name] * rng.standard_normal(shape) for name, shape in spec.weight_shapes.items()
    }
    if radius is not None:
        numbers["Wh"] *= radius / (SCALES["Wh"] * np.sqrt(M))
    if h0:
        numbers["h0"] = rng.standard_normal((N, M))
    if mask:
        numbers["mask"] = rng.random((N, T)) < 0.6
    return Case(spec, 1.3 * scale * rng.standard_normal((N, T, D)), **numbers)
