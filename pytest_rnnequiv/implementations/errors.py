"""The exceptions of implementations. The module imports nothing, since pytest's start-up may read it."""

from __future__ import annotations

__all__ = ["Declined", "ImplementationError", "MissingRuntime", "UnknownImplementation"]


#: Characters of a reason.
REASON = 300


class ImplementationError(Exception):
    """An implementation that cannot be used; the message is one sentence for the user."""


class UnknownImplementation(ImplementationError):
    """There is nothing of that name."""


class MissingRuntime(ImplementationError):
    """The library that the implementation runs on is not installed."""


class Declined(Exception):
    """Raised by a port that does not take a case: it is left out, and counted, by the reason that is given."""

    @property
    def reason(self) -> str:
        """Why, in the port's words; empty where it says nothing."""
        from ..wording import told

        return told(self, REASON) if self.args else ""
