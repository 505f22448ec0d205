"""The checks as a class to subclass, for projects that want them among their own tests, without the flag."""

from __future__ import annotations

from typing import Any, ClassVar

from ..implementations.port import Port
from ..implementations.resolving import resolve
from .checks import CHECKS
from .registry import PROFILES

__all__ = ["EquivalenceSuite", "port_of"]


class EquivalenceSuite:
    """Subclass it, say what to check, and pytest collects the checks::

        from pytest_rnnequiv import EquivalenceSuite

        class TestMyPort(EquivalenceSuite):
            def run(self, case):
                return my_rnn.forward(case.x, *case.weights)

    What a port may declare (``precision``, ``supports``, ``timeout``, ...) are attributes of the class. It runs in
    pytest's own process: breakpoints work, and a port that dies takes the run with it.

    Attributes
    ----------
    implementation
        In the place of ``run``: an object, or ``"module:attribute"``, which gets a process of its own.
    profile : {"quick", "default", "thorough"}
        How much the checks do.

    Raises
    ------
    TypeError
        When the subclass is made, if it does not say what to check.
    """

    __test__ = False
    implementation: ClassVar[Any] = None
    profile: ClassVar[str] = "quick"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vars(cls).get("__test__") is False:
            return  # a base class of the project's own
        says = [
            callable(getattr(cls, "run", None)),
            callable(getattr(cls, "step", None)),
            cls.implementation is not None,
        ]
        if sum(says) != 1:
            raise TypeError(
                f"{cls.__name__} {'says twice' if any(says) else 'does not say'} what to check: give it a method "
                "run(self, case), a method step(self, x_t, state), or an attribute `implementation`"
            )
        if cls.profile not in PROFILES:
            raise TypeError(f"{cls.__name__}.profile must be one of {', '.join(PROFILES)}, not {cls.profile!r}")
        cls.__test__ = True
        # New functions for each subclass: Hypothesis rightly refuses one test that runs in several classes.
        for name, check in CHECKS.items():
            if check.of_ports and name not in vars(cls):
                setattr(cls, name, check.method(PROFILES[cls.profile]))


def port_of(suite: type[EquivalenceSuite]) -> Port:
    """Make the port that a subclass describes.

    Raises
    ------
    ImplementationError
        If it is none.
    """
    own = suite.implementation
    if isinstance(own, Port):
        return own
    if isinstance(own, str):
        return resolve(own)
    if own is None:
        own = suite()
    return Port(own, name=getattr(own, "name", suite.__name__), identity=suite.__qualname__)
