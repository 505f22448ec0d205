"""The recurrence over time, and the walk through a model's calls and layers; each is written once, here.

:class:`Walk` computes with NumPy's numbers. The oracle walks the same way with inexact numbers, and takes what an
implementation has shown instead of what it would compute (:mod:`~..judging.oracle`). A mistake walks it with a
wrong :class:`~.wiring.Wiring`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.inexact import choose
from ..arithmetic.per_case import ArrayPerCase
from ..cells.cell import Cell, CellWeights
from .call import Call
from .case import Case
from .layers import RNN
from .spec import Layer, Place
from .trajectory import ShownLayer, Trajectory
from .wiring import RIGHT, Unmade, Wiring

__all__ = ["Walk", "recurrence", "reference"]

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]


def recurrence(
    x: Array,
    states: Sequence[Array],
    mask: Bools,
    w: CellWeights,
    activation: Activation,
    cell: Cell,
    wiring: Wiring = RIGHT,
) -> tuple[Array, ...]:
    """Compute the recurrence itself, step by step: ``h_t = act(x_t Wx + h_{t-1} Wh + bh)``.

    Parameters
    ----------
    x : (N, T, D) array
    states : sequence of (N, M) arrays
        Before the first step.
    mask : (N, T) bool array
        A False step holds the states.

    Returns
    -------
    tuple of (N, T, M) arrays
        Each state after every step.
    """
    x, mask = wiring.cell_input(x, mask), wiring.state_mask(mask)
    found = tuple(np.empty((*mask.shape, h.shape[1]), h.dtype) for h in states)
    for t in range(mask.shape[1]):
        new = cell.step(x[:, t], tuple(states), w, activation)
        if not (on := mask[:, t, None]).all():
            new = tuple(choose(on, one, wiring.held_state(h)) for one, h in zip(new, states, strict=True))
        states = new
        for whole, h in zip(found, states, strict=True):
            whole[:, t] = h
    return found


class Walk:
    """A walk through the calls and layers of a case, in some arithmetic.

    Parameters
    ----------
    case : Case
    wiring : Wiring
        How the parts are put together.
    """

    def __init__(self, case: Case, wiring: Wiring = RIGHT) -> None:
        self.case, self.wiring = case, wiring
        #: The states that stateful layers have after the last call.
        self.kept: dict[int, list[Any]] = {}

    def calls(self) -> Trajectory:
        """Make all calls.

        Raises
        ------
        Unmade
            If the wiring cannot put the parts together.
        """
        shown: dict[int, Trajectory] = {}
        with np.errstate(all="ignore"):  # saturation, overflow and NaN are answers here, not accidents
            for c in self.wiring.call_order(len(self.case.calls)):
                shown[c] = self.call(c, self.case.calls[c])
        return Trajectory.of_calls([shown[c] for c in range(len(shown))])

    def call(self, c: int, call: Call) -> Trajectory:
        """Make one call."""
        case, spec, wiring = self.case, self.case.spec, self.wiring
        x, mask = case.inputs(call, self.weight)
        outputs, masks, shown = [x], [mask], []
        given = iter(call.states)
        below: list[Any] | None = None
        one_step = not spec.layers[-1].return_sequences
        for i, layer in enumerate(spec.layers):
            x, mask = wiring.layer_input(i, outputs, one_step), wiring.layer_mask(i, masks)
            units = [M for direction in layer.directions for M in direction.state_units]
            own = [self.given_state(next(given)) for _ in units] if layer.initial_state else None
            kept = None if call.reset else self.kept.get(i)
            start = wiring.initial_states(own, kept, below)
            unset = self.unknown if layer.stateful and not call.reset else self.zeros
            start = [unset(call.N, M) for M in units] if start is None else list(start)
            if [h.shape for h in start] != [(call.N, M) for M in units] or mask.shape != x.shape[:2]:
                raise Unmade
            output, below, returned, states = self.layer(i, layer, x, mask, start)
            if layer.stateful:
                self.kept[i] = below
            shown.append(ShownLayer(output, states, tuple(returned)))
            if not isinstance(output, tuple):
                outputs.append(output)
                masks.append(wiring.passed_mask(layer, mask))
        y = shown[-1].output
        if spec.head is not None:
            y = self.head(outputs[-1])
        return Trajectory(y, layers=tuple(shown))

    def layer(
        self, i: int, layer: Layer, x: Any, mask: Bools, start: list[Any]
    ) -> tuple[Any, list[Any], list[Any], Any]:
        """Compute one layer.

        Returns
        -------
        output : what it gives to the next one
        finals, returned : lists of (N, M)
            Its final states, and those that the layer returns.
        states : (N, T, M) or None
            Of a layer of one recurrence, its state after every step, as it was put out.
        """
        wiring = self.wiring
        finals: list[Any] = []
        sequences: list[Any] = []
        states: Any = None
        for j, direction in enumerate(layer.directions):
            y, on = wiring.direction_input(j, direction, x, mask)
            for k, cell in enumerate(direction.kinds):
                place = Place(i, j, k)
                count = len(cell.states)
                own = start[len(finals) : len(finals) + count]
                w = self.case.cell_weights(place, self.weight)
                if y.shape[-1] != len(w.Wx):
                    raise Unmade
                every, last = self.run(place, direction, cell, wiring.stacked_input(y) if k else y, own, on, w)
                finals += last
                y = cell.readout(wiring.cell_output(on, every), self.activation(direction.activation))
                states = every
            sequences.append(wiring.direction_output(direction, on, y))
        ends = [wiring.last_output(j, y) for j, y in enumerate(sequences)]
        output = wiring.merged(layer, sequences if layer.return_sequences else ends)
        if not isinstance(output, tuple):
            output = wiring.passed_on(i, output, x)
        one = isinstance(layer, RNN) and len(layer.cells) == 1
        returned = wiring.final_states(layer, finals, sequences)
        return self.stored(output), finals, returned, states if one else None

    # ---- the arithmetic: NumPy's, as it stands here ----

    def weight(self, name: str, array: Array) -> Any:
        """A weight, in the numbers that are computed with; without a name, the inputs."""
        return self.stored(array)

    def given_state(self, array: Array) -> Any:
        """An initial state, in the numbers that are computed with."""
        return self.stored(array)

    def zeros(self, N: int, M: int) -> Any:
        """The initial state where none is given."""
        raise NotImplementedError

    def unknown(self, N: int, M: int) -> Any:
        """The state in which a stateful layer may begin the first call, where calls before it were not recorded."""
        return self.zeros(N, M)

    def stored(self, a: Any) -> Any:
        """An array as it is stored, or a pair of arrays."""
        raise NotImplementedError

    def activation(self, f: Activation) -> Activation:
        """An activation, as it is computed."""
        return f

    def run(
        self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Bools, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        """Run one recurrence: its first state after every step, and all its final states."""
        raise NotImplementedError

    def head(self, x: Any) -> Any:
        """Outputs of the model."""
        head = self.case.spec.head
        assert head is not None
        Wo, bo = self.case.head_weights(self.weight)
        total = self.wiring.head_sum(self.product(self.hidden(x), Wo), bo)
        return self.put_out(self.wiring.head_output(head, total))

    def hidden(self, x: Any) -> Any:
        """What the Dense layers before the head make of the output of the last layer."""
        for part, dense in self.case.spec.dense.items():
            if part != "head":
                Wo, bo = self.case.head_weights(self.weight, part)
                x = self.put_out(self.wiring.dense_output(part, dense, self.product(x, Wo) + bo))
        return x

    def product(self, x: Any, Wo: Any) -> Any:
        """The product of a Dense layer."""
        return x @ Wo

    def put_out(self, y: Any) -> Any:
        """The outputs of a Dense layer, as they are stored."""
        return self.stored(y)


class Computed(Walk):
    """A walk in NumPy's numbers of some dtype.

    Parameters
    ----------
    dtype : dtype
    rounding : callable, optional
        Rounds everything that is stored, for an arithmetic that NumPy does not have.
    """

    def __init__(
        self,
        case: Case,
        wiring: Wiring = RIGHT,
        dtype: Any = np.float64,
        rounding: Callable[[Array], Array] | None = None,
    ) -> None:
        super().__init__(case, wiring)
        self.dtype, self.rounding = dtype, rounding

    def weight(self, name: str, array: Array) -> Any:
        """A weight, or the inputs; of several cases at once, for the samples of each its own."""
        own = self.stored(array)
        return ArrayPerCase(own) if self.case.cases > 1 and name in self.case.named_weights else own

    def zeros(self, N: int, M: int) -> Any:
        """The initial state where none is given."""
        return np.zeros((N, M), self.dtype)

    def stored(self, a: Any) -> Any:
        """An array as it is stored, or a pair of arrays."""
        if isinstance(a, tuple):
            return tuple(map(self.stored, a))
        a = a.astype(self.dtype)
        return a if self.rounding is None else self.rounding(a)

    def activation(self, f: Activation) -> Activation:
        """An activation, as it is computed."""
        return f if self.rounding is None else rounded(f, "fewer bits", self.rounding)

    def run(
        self, place: Place, direction: RNN, cell: Cell, x: Any, start: list[Any], mask: Bools, w: CellWeights
    ) -> tuple[Any, list[Any]]:
        """Run one recurrence, step by step."""
        f = self.activation(direction.activation)
        found = recurrence(x, start, mask, w, f, cell, self.wiring)
        return found[0], [h[:, -1] for h in found]


def rounded(f: Activation, name: str, rounding: Callable[[Array], Array]) -> Activation:
    """Return the activation with its value rounded: the state is kept in fewer bits."""
    return replace(f, name=f"{f.name} in {name}", function=lambda a: rounding(f.function(a)), slope=None)


def reference(case: Case, dtype: Any = np.float64) -> Trajectory:
    """Compute a case with NumPy.

        h_t = act(x_t Wx + h_{t-1} Wh + bh)
        y_t = h_t Wo + bo

    Parameters
    ----------
    case : Case
    dtype : dtype
        The numbers to compute in; float64 by default, whatever the case's own dtype is.

    Returns
    -------
    Trajectory
        Outputs, and outputs and states of each layer. Of the notebook's model, ``outputs (N, T, K)`` and ``states (N,
        T, M)`` of every step. Of a case of several calls, one for each.
    """
    return shown_by(Computed(case.with_every_output(), dtype=dtype).calls(), case)


def shown_by(walked: Trajectory, case: Case) -> Trajectory:
    """Keep what a model shows of all that was computed: final states only where its layers return or keep them."""
    calls = []
    for call in walked.each_call:
        layers = tuple(
            ShownLayer(seen.output, seen.states, seen.final_states if layer.return_state or layer.stateful else None)
            for layer, seen in zip(case.spec.layers, call.layers, strict=True)
            if seen is not None
        )
        calls.append(Trajectory(call.outputs, layers[0].states if case.spec.letters else None, layers))
    return Trajectory.of_calls(calls)
