"""The notebook's model: its sizes, and the recurrent weights that the notebook printed."""

from __future__ import annotations

import numpy as np

from .case import Case
from .spec import Spec

__all__ = ["WEIGHTS", "notebook_case"]

#: ``Wx (3, 5)``, ``Wh (5, 5)`` and ``bh (5,)`` as the notebook's Keras had drawn them. Its inputs and its head were not
#: printed.
WEIGHTS = {
    "Wx": [
        [-0.5771147, -0.7949681, -0.79112685, -0.16118777, -0.1343574],
        [-0.04461998, 0.7848541, 0.6128548, -0.06366748, -0.13665152],
        [-0.50506353, -0.0672335, 0.72423214, 0.19857019, -0.43335834],
    ],
    "Wh": [
        [0.0905472, -0.6346878, 0.58943063, 0.411487, 0.26874292],
        [-0.07867615, -0.05655946, -0.3573017, 0.7756978, -0.5111159],
        [0.7101112, 0.11097431, 0.3652898, -0.13166033, -0.57676315],
        [0.3275412, -0.68906987, -0.57345605, -0.29739106, -0.0246226],
        [-0.6116127, -0.3268637, 0.25023726, -0.35099214, -0.57730055],
    ],
    "bh": [0.0, 0.0, 0.0, 0.0, 0.0],
}


def notebook_case(seed: int = 0) -> Case:
    """Return a case of the notebook's model: N=1, T=10, D=3, M=5, K=2.

    Parameters
    ----------
    seed : int
        Of the inputs, uniform from 0 to 1, and of the head, Glorot-uniform, as the notebook drew them.
    """
    rng = np.random.default_rng(seed)
    limit = np.sqrt(6 / (5 + 2))
    return Case(
        Spec.simple(D=3, M=5, K=2),
        x=rng.random((1, 10, 3)),
        Wo=rng.uniform(-limit, limit, (5, 2)),
        bo=np.zeros(2),
        **WEIGHTS,  # type: ignore[arg-type]
    )
