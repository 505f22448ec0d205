"""The exceptions of implementations. The module imports nothing, since pytest's start-up may read it."""

from __future__ import annotations

__all__ = ["Declined", "ImplementationError", "MissingRuntime", "UnknownImplementation"]


class ImplementationError(Exception):
    """An implementation that cannot be used; the message is one sentence for the user."""


class UnknownImplementation(ImplementationError):
    """There is nothing of that name."""


class MissingRuntime(ImplementationError):
    """The library that the implementation runs on is not installed."""


class Declined(Exception):
    """Raised by a port that does not take a case: it is left out, and counted."""
