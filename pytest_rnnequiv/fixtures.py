"""The fixtures. They import what they need when they are used: pytest reads this module at every start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

__all__ = ["_rnn_equiv_port", "build_simple_rnn", "rnn_implementation"]

#: What ``rnn_implementation`` is unless a project says otherwise.
DEFAULT = "keras-graph"


@pytest.fixture(scope="session")
def build_simple_rnn() -> Callable[..., Any]:
    """A factory of the plain Keras model, ``Input(T, D) -> SimpleRNN(M) -> Dense(K)``.

    ``build_simple_rnn(T=10, D=3, M=5, K=2, **options)`` returns a ``keras.Sequential``; the options are those of
    ``keras.layers.SimpleRNN`` (``activation``, ``return_sequences``, ``go_backwards``, ``dtype``, ...). ``T=None``
    leaves the number of steps open. An unknown option is a TypeError that lists the known ones.
    """
    from .implementations.keras import build_simple_rnn

    return build_simple_rnn


@pytest.fixture(scope="session")
def rnn_implementation(request: pytest.FixtureRequest) -> Any:
    """The implementation that is checked; override it in your ``conftest.py`` to check your own.

    Return a function of one case (``case.x, case.Wx, case.Wh, case.bh, case.Wo, case.bo, case.spec``) that gives the
    outputs, ``(N, K)`` or ``(N, T, K)``, or better a ``Trajectory(outputs=y, states=h)``. Session-scoped.

    As it stands it is Keras as installed (``keras-graph``), or the name or ``module:attribute`` that
    ``pytest.mark.parametrize("rnn_implementation", [...], indirect=True)`` gives.
    """
    from .implementations import resolve

    return resolve(getattr(request, "param", DEFAULT))


@pytest.fixture(scope="class")
def _rnn_equiv_port(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The implementation that an ``EquivalenceSuite`` describes."""
    from .implementations import ImplementationError
    from .suite.equivalence import port_of

    try:
        port = port_of(request.cls)
    except ImplementationError as error:
        pytest.fail(f"{request.cls.__name__}: {error}", pytrace=False)
    yield port
    port.close()
