"""Is a port that fails right as another cell than it was asked for?

A port that declares no cells is asked for SimpleRNN, and one that declares ``"GRU"`` for both of its resets. Who has
written an LSTM, or the GRU of the first paper, and has not said so, should not have to find that out from a shape that
does not fit, or from numbers that nothing explains.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ..cells.cell import Cell
from ..cells.gru import GRUCell
from ..cells.lstm import LSTMCell
from ..failures.story import RIGHT_AS
from ..implementations.port import Port
from ..mistakes.asked import Asker, probe_case
from ..model.case import Case

__all__ = ["right_as"]

#: Cases that must be right.
TRIES = 2


def right_as(port: Port, case: Case, run: Callable[[Case], Any], seconds: float) -> tuple[str, ...]:
    """Return what a failing port should declare, where it is right as another cell.

    Parameters
    ----------
    case : Case
        In which it fails.
    run : callable
        Case -> what the port gives; it may raise :class:`~..mistakes.asked.Unasked`.
    seconds : float
        The time for all of it.

    Returns
    -------
    tuple of str
        One sentence, or none.
    """
    if not (case.spec.plain and port.any_weights):
        return ()
    sizes = _sizes(port, case)
    if not port.asking.takes(probe_case(case, 1, True, None, **sizes)):
        return ()
    others = [*_others(port, case.spec.cell)]
    asker = Asker(run, port.asking, port.precision, most=TRIES * len(others), seconds=seconds)
    for cell, name, declared in others:
        if all(_right(asker, probe_case(case, seed, True, cell, **sizes)) for seed in range(1, TRIES + 1)):
            return (f"{RIGHT_AS} {name}; if that is meant, declare supports = Supports(cells=({declared},))",)
    return ()


def _others(port: Port, cell: Cell) -> Iterator[tuple[Cell, str, str]]:
    """Yield what it may be instead, its name, and how that is declared; nothing that it is asked for anyway."""
    declared = port.supports.cells
    if declared == ("SimpleRNN",):
        yield LSTMCell(), "LSTM", '"LSTM"'
        yield from (_gru(after) for after in (True, False))
    elif "GRU" in declared and isinstance(cell, GRUCell):
        yield _gru(not cell.reset_after)


def _gru(after: bool) -> tuple[Cell, str, str]:
    options = f"(reset_after={after})"
    return GRUCell(reset_after=after), f"GRU{options}", f"GRUCell{options}"


def _sizes(port: Port, case: Case) -> dict[str, int]:
    """Sizes that it takes: those of a probing case, or else those of the case that has failed."""
    usual = probe_case(case)
    return {} if port.asking.takes(usual) else {letter: getattr(case, letter) for letter in "NTDMK"}


def _right(asker: Asker, case: Case) -> bool:
    if asker.over:
        return False
    asker.calls += 1
    answer = asker.once_more(case)  # it has not declared to take it
    return answer is not None and answer.right
