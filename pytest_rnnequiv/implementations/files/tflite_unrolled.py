"""An unrolled layer in a ``.tflite``: which of its kernels is which weight, which tensors are the states.

The converter writes an unrolled layer as products, sums and functions, one step after the other. What it is, is not
read off; but whoever knows the model can be told what the operators compute, and what is rounded on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

from ..errors import ImplementationError
from .tflite_data import Array, Operator, Subgraph, Tensor
from .tflite_operators import COPIES, Operators

__all__ = ["Unrolled"]


class Unrolled:
    """One unrolled layer with a head or without.

    Parameters
    ----------
    graph : Subgraph

    Attributes
    ----------
    kernels : dict of str to list of Tensor
        By the letters ``Wx``, ``Wh``, ``Wo``.
    states : list of int
        The tensors of the states, in the order of processing: one for each step, the last one among them.

    Raises
    ------
    ImplementationError
        If it is none; the message says what was met.
    """

    def __init__(self, graph: Subgraph) -> None:
        self.graph = graph
        self.makers = {number: each for each in graph.operators for number in each.outputs}
        self.order = {number: i for i, each in enumerate(graph.operators) for number in each.outputs}
        self.operators = Operators(graph)
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise ImplementationError("an unrolled layer with one input and one output is followed, and no other")
        self.products = [each for each in graph.operators if each.kind == "FULLY_CONNECTED"]
        self._letters()
        self.states = self._states()

    # ---- which is which ----

    def data(self, operator: Operator) -> tuple[int, ...]:
        """Return the tensors that an operator of :data:`COPIES` hands on."""
        place = COPIES[operator.kind]
        return operator.inputs if place is None else operator.inputs[place : place + 1]

    @cached_property
    def given(self) -> set[int]:
        """The input, and what is copied of it."""
        found = {*self.graph.inputs}
        for each in self.graph.operators:
            if each.kind in COPIES and found.issuperset(self.data(each)):
                found.update(each.outputs)
        return found

    def _kernel(self, product: Operator) -> bytes:
        """What tells a kernel from others: the converter may write it several times."""
        tensor = self.operators.kernel(product)
        assert tensor.numbers is not None
        return str(tensor.shape).encode() + tensor.numbers.tobytes()

    def _letters(self) -> None:
        """Tell kernels of inputs from those of states and of the head, by what they are applied to."""
        behind: dict[int, frozenset[bytes]] = {}  # the kernels by which a tensor was made
        names: dict[bytes, str] = {}
        for each in self.graph.operators:
            found = frozenset[bytes]().union(*(behind.get(i, frozenset()) for i in each.inputs))
            if each.kind == "FULLY_CONNECTED":
                key = self._kernel(each)
                if each.inputs[0] in self.given:
                    names[key] = "Wx"
                elif key in found:
                    names[key] = "Wh"
                else:
                    names.setdefault(key, "Wo")
                found |= {key}
            behind.update(dict.fromkeys(each.outputs, found))
        self._named = names
        recurrent = {key for key, letter in names.items() if letter == "Wh"}
        if not recurrent or "Wx" not in names.values():
            raise ImplementationError("no kernel is applied to the states of three steps or more")
        before = frozenset[bytes]().union(
            *(behind[each.inputs[0]] for each in self.products if self.is_recurrent(each))
        )
        if any(letter == "Wo" and key in before for key, letter in names.items()):
            raise ImplementationError(
                "it has several layers, or steps with different kernels, and one layer is followed"
            )
        last = [behind[each.outputs[0]] for each in self.products if self.is_recurrent(each)][-1]
        if not recurrent <= last:
            raise ImplementationError("it has two directions, and one is followed")
        self.kernels: dict[str, list[Tensor]] = {}
        seen = set[bytes]()
        for each in self.products:
            if (key := self._kernel(each)) not in seen:
                seen.add(key)
                self.kernels.setdefault(names[key], []).append(self.graph.tensors[each.inputs[1]])

    def is_recurrent(self, product: Operator) -> bool:
        """Whether a product is one of a state."""
        return self._named[self._kernel(product)] == "Wh"

    def sources(self, number: int) -> list[int]:
        """Return what a tensor is put together of, by copies only."""
        maker = self.makers.get(number)
        if maker is None or maker.kind not in COPIES:
            return [number]
        return [each for i in self.data(maker) for each in self.sources(i)]

    def _states(self) -> list[int]:
        """Find the states: what recurrent kernels are multiplied with, and what goes into the head."""
        met = {each for p in self.products if self.is_recurrent(p) for each in self.sources(p.inputs[0])}
        # the reset state of a GRU is made of a state
        of_states = {n for n in met if self.makers[n].kind == "MUL" and met & self._roots(self.makers[n].inputs)}
        heads = [p for p in self.products if self._named[self._kernel(p)] == "Wo"]
        end = heads[0].inputs[0] if heads else self.graph.outputs[0]
        found = {*(met - of_states), *self.sources(end)}
        return sorted((n for n in found if self.makers[n].kind != "FILL"), key=self.order.__getitem__)

    def _roots(self, numbers: Iterable[int]) -> set[int]:
        return {root for n in numbers for root in self.sources(n)}

    # ---- roundings ----

    def input_format(self) -> tuple[float, int, int]:
        """Scale, zero point and bits of the integers that inputs become."""
        for number in (*self.graph.inputs, *self.rounded_inputs):
            if (said := self.operators.said(number)) is not None:
                return said
        raise ImplementationError("its inputs are rounded in a way that is not followed")

    @property
    def rounded_inputs(self) -> list[int]:
        """The tensors that hold the inputs as integers, where the model takes floats."""
        return [e.outputs[0] for e in self.graph.operators if e.kind == "QUANTIZE" and e.inputs[0] in self.graph.inputs]

    def constants_off(self) -> dict[str, float]:
        """How far numbers in the file may be from those of the model: biases of the layer, of the head, and others.

        Kernels are rounded on scales of their own, and known. Biases are rounded to units of the accumulator, or like
        what they are added to.
        """
        found = {"bh": 0.0, "bo": 0.0, "states": 0.0}
        for each in self.graph.operators:
            if each.kind == "FULLY_CONNECTED":
                role = "bo" if self._named[self._kernel(each)] == "Wo" else "bh"
                bias = self.graph.tensors[each.inputs[2]] if len(each.inputs) > 2 and each.inputs[2] >= 0 else None
                off = 0.0 if bias is None or bias.quantized is None else 0.5 * float(bias.quantized[0].max())
                found[role] = max(found[role], off)
            elif each.kind in ("ADD", "SUB", "MUL"):
                for number in each.inputs:
                    role = "bh" if self.order[each.outputs[0]] <= self.order[self.states[-1]] else "bo"
                    numbers = self.graph.constant(number)
                    if numbers is None:
                        continue
                    off = 0.5 * self.operators.step(number)
                    if np.ptp(numbers) == 0:
                        # one number, as the 1 of ``1 - z``, is an end of its range, but for the rounding of the scale
                        role, off = "states", 2.0**-22 * float(np.abs(numbers).max())
                    found[role] = max(found[role], off)
        return {role: off for role, off in found.items() if off}

    def biases_off(self) -> Iterator[Array]:
        """Yield for each bias that has another scale than the product to which it is added, how much too much it is."""
        for each in self.products:
            ratio = self.operators.bias_ratio(each)
            if ratio is not None and np.abs(ratio - 1).max() > 2.0**-10:
                yield ratio
