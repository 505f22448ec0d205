"""What a check is, and how much of it is done: each becomes a pytest item for each implementation."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from ..implementations import BUILT_IN
from ..implementations.port import Port
from .verification import ShrinkingIsOver, budget, introduce, not_again

__all__ = ["CHECKS", "PROFILES", "Check", "Profile", "check", "running"]


class Profile(NamedTuple):
    """How much the checks do."""

    seconds: float
    """For a check with a share of 1."""
    factor: float
    """On the numbers of examples."""
    models: int
    """Different sizes for implementations that take long to build a model."""
    longest: int
    """Steps of the longest sequence."""
    networks: int
    """Different networks."""
    units: int
    """Units of their widest layer."""


PROFILES = {
    "quick": Profile(0.5, 0.25, 9, 120, 8, 9),
    "default": Profile(1.3, 1.0, 20, 300, 40, 9),
    "thorough": Profile(90.0, 60.0, 48, 1000, 600, 65),
}
_running = PROFILES["default"]


def running(profile: Profile | None = None) -> Profile:
    """Return the profile under which checks run now; with an argument, change it."""
    global _running
    if profile is not None:
        _running = profile
    return _running


class Check:
    """A check before it is configured: a function of a port and of Hypothesis's ``data``."""

    def __init__(
        self, function: Callable[..., None], examples: int, share: float, everywhere: bool, keras: bool
    ) -> None:
        self.function = function
        self.examples = examples
        self.share = share
        self.everywhere = everywhere
        self.keras = keras

    def applies_to(self, names: list[str]) -> list[str]:
        """Choose the implementations that the check is for."""
        runtimes = {name: BUILT_IN.get(name) for name in names}
        if self.keras:
            runtimes = {name: runtime for name, runtime in runtimes.items() if runtime and runtime.group == "keras"}
        if self.everywhere:
            return list(runtimes)
        primary = [name for name, runtime in runtimes.items() if not (runtime and runtime.secondary)]
        return primary or (list(runtimes)[:1] if self.keras else [])

    def item(self, profile: Profile, **own: Any) -> Callable[..., None]:
        """Return a test function of a port; `own` are settings of Hypothesis that go before the profile's."""
        if not self.examples:
            return self.function

        def test(port: Port, data: st.DataObject) -> None:
            __tracebackhide__ = True
            self.run(profile, port, data)

        return self._drawn(test, profile, own)

    def method(self, profile: Profile) -> Callable[..., None]:
        """Return the same as a method of a test class."""

        def plain(_: Any, _rnn_equiv_port: Port) -> None:
            __tracebackhide__ = True
            self.function(_rnn_equiv_port)

        def test(_: Any, _rnn_equiv_port: Port, data: st.DataObject) -> None:
            __tracebackhide__ = True
            self.run(profile, _rnn_equiv_port, data)

        return self._drawn(test, profile, {}) if self.examples else self._named(plain)

    def run(self, profile: Profile, port: Port, data: st.DataObject) -> None:
        """Run one example."""
        __tracebackhide__ = True
        running(profile)
        introduce(port)
        share = min(self.share, 0.5) if port.secondary else self.share
        # A check draws even when its time is over: Hypothesis wants the same draws when it asks again.
        spent = budget(share * profile.seconds, self.function.__name__)
        # Before anything is drawn, so that there is nothing to shrink; but what failed here once has to fail so again.
        if (why := not_again(port)) and not spent.failures:
            pytest.fail(f"{port.name}: {why}", pytrace=False)
        try:
            self.function(port, data)
        except AssertionError as failure:
            spent.found(failure)
            spent.goes_on()
            raise
        spent.goes_on()  # at the end: Hypothesis takes it for flaky if an example draws less than before

    def _named(self, test: Callable[..., None]) -> Callable[..., None]:
        test.__name__ = test.__qualname__ = self.function.__name__
        test.__doc__ = self.function.__doc__
        test.__module__ = self.function.__module__
        return test

    def _drawn(self, test: Callable[..., None], profile: Profile, own: dict[str, Any]) -> Callable[..., None]:
        inherited = settings.default
        assert inherited is not None
        chosen: dict[str, Any] = {
            "max_examples": max(5, round(self.examples * profile.factor)),
            "deadline": None,  # the first case of a spec builds a model
            "phases": [phase for phase in inherited.phases if phase is not Phase.explain],  # ours is the diagnosis
            "suppress_health_check": [*inherited.suppress_health_check, HealthCheck.too_slow],
        }
        drawn: Callable[..., None] = settings(**chosen | own)(given(data=st.data())(self._named(test)))

        @wraps(drawn)
        def in_time(*arguments: Any, **named: Any) -> None:
            try:
                drawn(*arguments, **named)
            except (ShrinkingIsOver, Flaky):  # what does not fail again has failed all the same: asking again tells
                failure = budget().smallest
                if failure is None:
                    raise
                raise failure.with_traceback(None) from None

        return in_time


CHECKS: dict[str, Check] = {}


def check(
    *, examples: int = 0, share: float = 1.0, everywhere: bool = False, keras: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a check.

    Parameters
    ----------
    examples : int
        How many examples the default profile draws; 0 for a check that draws nothing.
    share : float
        Its share of the time.
    everywhere : bool
        Whether it is worth running on every way to run Keras.
    keras : bool
        Whether it is about Keras's models, and not about ports.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        CHECKS[function.__name__] = Check(function, examples, share, everywhere, keras)
        return function

    return register
