"""The suite as a module of pytest's: which checks run on which implementations, and the implementation as a fixture.

The checks themselves are in :mod:`~..suite`. How much they do is set for the whole run by :func:`configure`, which
makes pytest's test functions of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase

from ..implementations.errors import ImplementationError
from ..implementations.port import Port
from ..implementations.registry import DEFAULT, expand, runs_file
from ..implementations.resolving import resolve, resolve_whole
from ..implementations.runner import can_fork
from ..mistakes.catalogue import CATALOGUE, Mistake
from ..model.graph import Graph
from ..suite import selfcheck
from ..suite.architectures import divergences, show_divergence
from ..suite.checks import CHECKS
from ..suite.registry import PROFILES, running
from . import GIVEN
from .given import give
from .report.progress import progress
from .settings import settings

__all__ = ["configure"]

#: The name under which the fixture that users override is checked.
FIXTURE = "rnn_implementation"


def configure(profile: str, selfcheck: bool = False, plain: bool | None = None) -> None:
    """Make the test functions, for a run of the given profile and under Hypothesis's own settings.

    A selfcheck is a run of its own: the checks are then run on mistaken implementations, and on nothing else.

    Parameters
    ----------
    plain : bool, optional
        Of a run about one model, whether it is the notebook's. Then only the checks that can be asked about it are
        made, and no known divergence of another model is shown.
    """
    chosen = running(PROFILES[profile])
    for name in [*CHECKS, "test_selfcheck", "test_known_divergence"]:
        globals().pop(name, None)
    if selfcheck:
        globals()["test_selfcheck"] = selfcheck_item
    else:
        wanted = {name: each for name, each in CHECKS.items() if plain is None or each.about_one_model(plain)}
        globals().update((name, each.item(chosen)) for name, each in wanted.items())
        if plain is None:
            globals()["test_known_divergence"] = show_divergence


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check on each implementation that was asked for."""
    if "port" not in metafunc.fixturenames:
        return
    if "mistake" in metafunc.fixturenames:
        metafunc.parametrize("port", implementations(metafunc)[:1], indirect=True, scope="session")
        metafunc.parametrize("mistake", CATALOGUE, ids=str)
        return
    if "divergence" in metafunc.fixturenames:
        shown = divergences(implementations(metafunc)) or [(None, None)]
        metafunc.parametrize(("port", "divergence"), shown, indirect=["port"], scope="session")
        return
    check = CHECKS[metafunc.function.__name__]
    names = check.applies_to(implementations(metafunc), _whole(metafunc.config) is not None)
    if check.recorded and settings(metafunc.config).inputs is None:
        names = []
    # A check that applies to nothing here has no port, and is not collected.
    metafunc.parametrize("port", names or [None], ids=_short, indirect=True, scope="session")


def _whole(config: pytest.Config) -> Graph | None:
    """The whole model that the run is about, where a spec has no place for it."""
    given = config.stash.get(GIVEN, None)
    return None if given is None else given.graph


def _short(name: str | None) -> str | None:
    """Name a model file in a node id as its folder does; anything else as it is."""
    return os.path.basename(name) if name is not None and runs_file(name) is not None else None


def implementations(metafunc: pytest.Metafunc) -> list[str]:
    """Names of what to check: the overridden fixture, and what the options name."""
    asked = list(settings(metafunc.config).implementations)
    definitions = metafunc._arg2fixturedefs.get(FIXTURE, ())
    own = definitions[-1] if definitions else None
    overridden = own is not None and own.func.__module__ != "pytest_rnnequiv.plugin.fixtures"
    if own is not None and own.scope != "session":
        raise pytest.UsageError(
            f"the fixture {FIXTURE} must live as long as the run: write @pytest.fixture(scope='session') before it"
        )
    return ([FIXTURE] if overridden else []) + expand(asked or ([] if overridden else [DEFAULT]))


@pytest.fixture(scope="session")
def port(request: pytest.FixtureRequest, rnn_implementation: Any) -> Iterator[Port]:
    """The implementation that is checked."""
    problem = ""
    try:
        if request.param != FIXTURE:
            progress(request.config).say(f"loading {request.param} ...")  # TensorFlow takes seconds
            whole = _whole(request.config)
            if whole is not None and runs_file(request.param) is not None:
                ready = resolve_whole(request.param, whole)
            else:
                ready = resolve(request.param, settings(request.config).part)
        elif isinstance(rnn_implementation, Port):
            ready = rnn_implementation
        else:
            ready = Port(rnn_implementation, isolated=_isolate(request.config), identity=FIXTURE)
    except ImplementationError as error:
        problem = f"the fixture {FIXTURE}: {error}" if request.param == FIXTURE else str(error)
    else:
        problem = ready.keep_to(settings(request.config).cells)
        if not problem and (given := request.config.stash.get(GIVEN, None)) is not None:
            problem = give(ready, given)
        if not problem and not ready.any_weights and ready.fixed is None and not ready.whole:
            problem = (
                f"{ready.name} can be run, and not be read ({ready.runner.implementation.unread}): say which model it "
                "was made of, by --rnn-equiv-model FILE"
            )
    if problem:  # outside of the handler, or it would be told twice
        pytest.fail(problem, pytrace=False)
    yield ready
    ready.close()


def _isolate(config: pytest.Config) -> bool:
    """Whether a port that lives in this process should run in a fork of it; a debugger wants it here."""
    if config.getoption("usepdb", False) or config.getoption("trace", False):
        return False
    return can_fork()


def selfcheck_item(port: Port, mistake: Mistake) -> None:
    """A mistaken implementation, in the place of the one that is checked, is caught."""
    hunts = {
        name: each.item(running(), phases=[Phase.generate], database=None)
        for name, each in CHECKS.items()
        if each.examples and each.of_ports
    }
    selfcheck.catch(port, mistake, hunts)
