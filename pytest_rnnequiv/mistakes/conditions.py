"""What a mistake may depend on: it is made only in layers that have some option."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..model.layers import RNN
from ..model.spec import Spec

__all__ = ["Only", "conditions_of"]

#: Options of a layer, and of its cell, that a port may have a branch of its own for.
OF_LAYER = ("activation", "use_bias", "go_backwards", "unroll", "return_sequences", "stateful", "initial_state")
OF_CELL = ("name", "recurrent_activation", "reset_after")


class Only(NamedTuple):
    """An option of a layer, and the value that it has where a mistake is made."""

    option: str
    value: str

    def holds(self, direction: RNN, cell: int = 0) -> bool:
        """Whether a layer, in its direction, has the option."""
        return _value(direction, cell, self.option) == self.value

    def __str__(self) -> str:
        if self.option == "name":
            return f"in {self.value}"
        return f"where `{self.option}` is {self.value}"


def _value(direction: RNN, cell: int, option: str) -> str | None:
    owner: Any = direction if option in OF_LAYER else direction.kinds[cell]
    value = getattr(owner, option, None)
    return None if value is None else str(value)


def conditions_of(spec: Spec) -> frozenset[Only]:
    """What holds somewhere in a model."""
    return frozenset(
        Only(option, value)
        for place in spec.places
        for option in (*OF_LAYER, *OF_CELL)
        if (value := _value(spec.direction(place), place.cell, option)) is not None
    )
