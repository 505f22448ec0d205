"""Find the failures of the suite in the exceptions that Hypothesis and pytest make of them."""

from __future__ import annotations

from collections.abc import Iterator

from .assertion import EquivalenceError

__all__ = ["errors_in"]


def errors_in(error: BaseException) -> Iterator[EquivalenceError]:
    """Find our errors in an exception: in a group, as Hypothesis raises it for several bugs, or as another's cause.

    A failure that does not come again is `Flaky` to Hypothesis: it is in a group or, in older releases, the cause. A
    known failure is the cause of pytest's own exception.
    """
    if isinstance(error, EquivalenceError):
        yield from (error, *error.beside)
        return
    for inner in getattr(error, "exceptions", ()):
        yield from errors_in(inner)
    if error.__cause__ is not None and not hasattr(error, "exceptions"):
        yield from errors_in(error.__cause__)
