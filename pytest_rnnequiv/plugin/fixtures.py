"""The fixtures. They import what they need when they are used: pytest reads this module at every start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import pytest

__all__ = ["_rnn_equiv_port", "build_gru", "build_lstm", "build_simple_rnn", "rnn_implementation"]

#: What ``rnn_implementation`` is unless a project says otherwise.
DEFAULT = "keras-graph"


@pytest.fixture(scope="session")
def build_simple_rnn() -> Callable[..., Any]:
    """A factory of the plain Keras model, ``Input(T, D) -> SimpleRNN(M) -> Dense(K)``.

    ``build_simple_rnn(T=10, D=3, M=5, K=2, **options)`` returns a ``keras.Sequential``; the options are those of
    ``keras.layers.SimpleRNN`` (``activation``, ``return_sequences``, ``go_backwards``, ``dtype``, ...). ``T=None``
    leaves the number of steps open. An unknown option is a TypeError that lists the known ones.
    """
    from ..implementations.keras import build_simple_rnn

    return build_simple_rnn


@pytest.fixture(scope="session")
def build_gru() -> Callable[..., Any]:
    """A factory of ``Input(T, D) -> GRU(M) -> Dense(K)``, as ``build_simple_rnn`` is of its model."""
    from ..implementations.keras import build_gru

    return build_gru


@pytest.fixture(scope="session")
def build_lstm() -> Callable[..., Any]:
    """A factory of ``Input(T, D) -> LSTM(M) -> Dense(K)``, as ``build_simple_rnn`` is of its model."""
    from ..implementations.keras import build_lstm

    return build_lstm


@pytest.fixture(scope="session")
def rnn_implementation(request: pytest.FixtureRequest) -> Any:
    """The implementation that is checked; override it in your ``conftest.py`` to check your own.

    Return a function of one case (``case.x, case.Wx, case.Wh, case.bh, case.Wo, case.bo, case.spec``) that gives the
    outputs, ``(N, K)`` or ``(N, T, K)``, or better a ``Trajectory(outputs=y, states=h)``. Session-scoped.

    As it stands it is Keras as installed (``keras-graph``), or the name or ``module:attribute`` that
    ``pytest.mark.parametrize("rnn_implementation", [...], indirect=True)`` gives: called with a case, it gives the
    Trajectory. It is loaded when it is first used.
    """
    return _WhenUsed(getattr(request, "param", DEFAULT))


class _WhenUsed:
    """A built-in implementation that is loaded when it is first used.

    The suite asks for the fixture without knowing whether it is overridden; TensorFlow must not be loaded for that.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def _port(self) -> Any:
        from ..implementations.resolving import resolve

        return resolve(self.name)

    def __call__(self, case: Any) -> Any:
        return self._port.run(case)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._port, attribute)


@pytest.fixture(scope="class")
def _rnn_equiv_port(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The implementation that an ``EquivalenceSuite`` describes."""
    from ..implementations.errors import ImplementationError
    from ..suite.equivalence import port_of

    problem = ""
    try:
        port = port_of(request.cls)
    except ImplementationError as error:
        problem = f"{request.cls.__name__}: {error}"
    if problem:  # outside of the handler, or it would be told twice
        pytest.fail(problem, pytrace=False)
    yield port
    port.close()
