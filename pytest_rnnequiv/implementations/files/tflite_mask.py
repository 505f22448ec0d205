"""Masked steps in a ``.tflite``: what the body of a loop holds, and what it goes on with."""

from __future__ import annotations

from ..errors import ImplementationError
from .tflite_data import Subgraph

__all__ = ["SELECTS", "Held"]

#: Operators that choose between two arrays.
SELECTS = ("SELECT", "SELECT_V2")


class Held:
    """What the body of a loop holds at masked steps.

    Parameters
    ----------
    body : Subgraph
    mask : int
        The tensor of the mask of all steps.
    carried : dict of int to (int, int, int)
        What is carried on from step to step: by the tensor before a step, that after it, what it begins with, and
        where it is shown.

    Attributes
    ----------
    states : dict
        The states among them, each with the tensor that it becomes at a step that is not masked.

    Raises
    ------
    ImplementationError
        If something else than what was carried on is kept at a masked step.
    """

    def __init__(self, body: Subgraph, mask: int, carried: dict[int, tuple[int, int, int]]) -> None:
        self._body = body
        on = {number for each in body.operators if mask in each.inputs for number in each.outputs}
        selects = [each for each in body.operators if each.kind in SELECTS and each.inputs[0] in on]
        self._selects = {number: each for each in selects for number in each.outputs}
        self.states = dict[int, tuple[int, int, int]]()
        self._outputs = set[int]()
        for inner, (after, given, shown) in carried.items():
            select = self._selects.get(after)
            if select is None or select.inputs[2] != inner:
                raise ImplementationError("its loop heeds a mask in another way than by holding its states")
            if sum(inner in each.inputs for each in body.operators) == 1:  # the last output, of which nothing is made
                self._outputs.add(inner)
            else:
                self.states[inner] = (select.inputs[1], given, shown)

    @property
    def zero_output(self) -> bool:
        """Whether the output of a masked step is zeros; else it is the last output.

        Raises
        ------
        ImplementationError
            If it is something else.
        """
        shown = {i for each in self._body.operators if each.kind in ("EXPAND_DIMS", "RESHAPE") for i in each.inputs}
        kept = {self._selects[number].inputs[2] for number in shown & self._selects.keys()}
        if kept and kept <= {*self._outputs, *self.states}:
            return False
        zeros = [self._body.constant(number) for number in kept]
        if not kept or any(each is None or each.any() for each in zeros):
            raise ImplementationError("its loop puts out something else at masked steps than zeros or the last output")
        return True
