"""What keeps an implementation from being checked at all is told once for a run, and not once for each check."""

from __future__ import annotations

from collections.abc import Generator

import pytest

__all__ = ["ToldOnce", "is_check"]


def is_check(item: pytest.Item) -> bool:
    """Tell whether an item is a check of the suite, be it in a class of the project's own."""
    return bool(item.get_closest_marker("rnn_equiv")) or "_rnn_equiv_port" in getattr(item, "fixturenames", ())


class ToldOnce:
    """The plugin that cuts repetitions short: an import that fails, a wrong declaration, a model that is not covered.

    The first check that meets the problem ends in an error, with the whole of it. The others are skipped, and their
    reason names the first. So there is a red item wherever one was skipped, also in each process of pytest-xdist.
    """

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Skip a check whose setup fails as that of another did (pytest hook)."""
        try:
            return (yield)
        except (Exception, pytest.fail.Exception) as problem:
            # an item that runs again is still the first
            first = self._first.setdefault(_key(item, problem), item.nodeid)
            if first == item.nodeid or not is_check(item):
                raise
        raise pytest.skip.Exception(f"not run: its setup fails as that of {first} does")


def _key(item: pytest.Item, problem: BaseException) -> tuple[str, str]:
    asked = getattr(getattr(item, "callspec", None), "params", {}).get("port", "")
    try:
        return str(asked), f"{type(problem).__name__}: {problem}"
    except Exception:  # it cannot even say what it is
        return str(asked), f"{type(problem).__name__} {id(problem)}"
