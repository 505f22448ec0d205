"""The cells, each in a file of its own: what one time step computes. :data:`CELLS` lists them by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .cell import BEYOND_KERAS, Cell
from .gru import GRUCell
from .lstm import LSTMCell
from .simple_rnn import SimpleRNNCell

__all__ = ["BEYOND_KERAS", "CELLS", "Cell", "GRUCell", "LSTMCell", "SimpleRNNCell", "has_name", "variants"]

#: The cells that come with the plugin, by the names of Keras's layers.
CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in (SimpleRNNCell, GRUCell, LSTMCell)}


def has_name(cell: Cell, name: str = "") -> bool:
    """Whether a cell is one of :data:`CELLS`, that of a name if one is given, and not a subclass of such a cell."""
    return type(cell) is CELLS.get(name or cell.name)


def variants(kinds: Iterable[str | Cell], options: Collection[str] = ()) -> tuple[Cell, ...]:
    """Return cells of some kinds: of a name with various options, the default first, and each cell as it is.

    Parameters
    ----------
    kinds : iterable of str or Cell
    options : collection of str
        Those of :data:`BEYOND_KERAS` that cells of a name may have, too.

    Raises
    ------
    ValueError
        If there is no cell of a name.
    """
    kinds = tuple(kinds)
    unknown = [kind for kind in kinds if not isinstance(kind, Cell) and kind not in CELLS]
    if unknown or not kinds:
        raise ValueError(f"cells must be some of {', '.join(CELLS)}, not {', '.join(map(repr, unknown)) or 'none'}")
    found: list[Cell] = []
    for kind in kinds:
        if isinstance(kind, Cell):
            found.append(kind)
        else:
            found += [*CELLS[kind].variants(), *CELLS[kind].variants_beyond(options)]
    return tuple(found)
