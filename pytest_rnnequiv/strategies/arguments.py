"""Arguments of strategies: a plain value, or a strategy of such values.

Plain values are checked at once, where the user wrote them; the values of a strategy when they are drawn.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from zlib import crc32

from hypothesis.strategies import DrawFn, SearchStrategy

from ..arithmetic.activations import Activation
from ..cells import Cell, SimpleRNNCell
from ..model.sizes import size

__all__ = [
    "FLOAT32",
    "LINEAR",
    "SIMPLE_RNN",
    "TANH",
    "Bool",
    "Function",
    "Kind",
    "Name",
    "Size",
    "check_alone",
    "check_bools",
    "check_sizes",
    "plain_ones",
    "resolve",
]

Size = int | SearchStrategy[int]
Bool = bool | SearchStrategy[bool]
Name = str | SearchStrategy[str]
Function = str | Activation | None | SearchStrategy[Any]
Kind = str | Cell | SearchStrategy[Any]


class _Default(str):
    """A default value, which can be distinguished from the same word given by the user."""

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # cases that hold one are sent to ports as they would be with the plain word


TANH, LINEAR, FLOAT32 = _Default("tanh"), _Default("linear"), _Default("float32")
SIMPLE_RNN = _Default(SimpleRNNCell.name)


@lru_cache
def _label(role: str) -> int:
    return crc32(role.encode())


def resolve(draw: DrawFn, role: str, argument: Any) -> Any:
    """Draw `argument` if it is a strategy.

    Every role has a label of its own. After an example Hypothesis tries five copies in which one part replaces another
    of the same label; without labels, fifteen of the sixteen cases of a pack would come again five times.
    """
    return draw(argument, label=_label(role)) if isinstance(argument, SearchStrategy) else argument


def plain_ones(**arguments: Any) -> dict[str, Any]:
    """Return those arguments that are no strategies."""
    return {name: value for name, value in arguments.items() if not isinstance(value, SearchStrategy)}


def check_sizes(**letters: Any) -> None:
    """Check the sizes that are said, each at least 1."""
    for letter, value in plain_ones(**letters).items():
        if value is not None:
            size(letter, value)


def check_bools(**arguments: Bool) -> None:
    """Check what is on or off."""
    for name, value in plain_ones(**arguments).items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True, False or a strategy of these, not {value!r}")


def check_alone(name: str, what: str, **others: Any) -> None:
    """Refuse arguments that say what `name` already says."""
    said = [other for other, value in others.items() if value is not None and not isinstance(value, _Default)]
    if said:
        raise ValueError(f"{name} already says {what}: leave out {' and '.join(said)}")
