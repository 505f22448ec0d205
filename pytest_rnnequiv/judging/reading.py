"""What was shown of a call, read as numbers of the right kind and shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.case import Case
from ..model.layers import RNN, Bidirectional
from ..model.spec import SIDES, Layer, Spec
from ..model.trajectory import BadAnswer, Trajectory, floats, shape_of

__all__ = ["Reading", "apart", "as_shown", "every_output", "unrecorded"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """Reads what was shown of one call as float64. Each method raises BadAnswer where it is no such array.

    Parameters
    ----------
    case : Case
    c : int
        Which of its calls.
    one_output : bool
        Whether the model returns the output of the last step only, of which those of every step may be shown.
    """

    case: Case
    c: int
    one_output: bool

    @property
    def where(self) -> str:
        """How messages and findings begin: with the call, where there are several."""
        return f"call {self.c}: " if len(self.case.calls) > 1 else ""

    def whole(self, shown: Trajectory) -> Trajectory:
        """Read the outputs of the model, and the states of a model of one recurrence."""
        spec, call = self.case.spec, self.case.calls[self.c]
        shape = (call.N, call.T)
        if spec.head is None:
            outputs = self.layer(len(spec.layers) - 1, shape, shown.outputs)
        else:
            outputs = self.outputs(shown.outputs)
        layers = shown.shown_layers if spec.letters else ()
        states = None if not layers or layers[0] is None else layers[0].states
        return Trajectory(outputs, None if states is None else self.states(0, shape, states))

    def outputs(self, outputs: Any) -> Array:
        """Read the outputs of a head, ``(N, steps, K)``."""
        call = self.case.calls[self.c]
        spec, every = self.case.spec, self.case.spec.layers[-1].return_sequences
        if self.one_output:
            shape: tuple[int, ...] = (call.N, spec.K)
            got = floats(f"{self.where}the outputs", outputs, shape, "(N, K)", every=call.T)
        else:
            shape = (call.N, call.T, spec.K) if every else (call.N, spec.K)
            got = floats(f"{self.where}the outputs", outputs, shape, "(N, T, K)" if every else "(N, K)")
        got = got if got.ndim == 3 else got[:, None]
        return got if every else got[:, -1:]

    def layer(self, i: int, shape: tuple[int, ...], output: Any) -> Any:
        """Read the output of layer `i` on ``shape = (N, T)``; a pair with ``merge_mode=None``."""
        layer = self.case.spec.layers[i]
        named = self.case.spec.head or len(self.case.spec.layers) > 1
        what = f"{self.where}the outputs{f' of layer{i}' if named else ''}"
        N, T = shape
        steps, letters = ((N, T), "(N, T, F)") if layer.return_sequences else ((N,), "(N, F)")
        if isinstance(layer, Bidirectional) and layer.merge_mode is None:
            if not isinstance(output, (tuple, list)) or len(output) != 2:
                raise BadAnswer(f"{self.where}layer{i} has merge_mode=None: a pair of outputs was expected")
            return tuple(
                floats(f"{what} {name}", each, (*steps, direction.features), letters)
                for name, each, direction in zip(SIDES, output, layer.directions, strict=True)
            )
        return floats(what, output, (*steps, layer.features), letters)

    def states(self, i: int, shape: tuple[int, ...], states: Any) -> Array:
        """Read the states of layer `i` on ``shape = (N, T)``."""
        what = f"{self.where}the states" + ("" if self.case.spec.letters else f" of layer{i}")
        return floats(what, states, (*shape, self.case.spec.layers[i].features), "(N, T, M)")


def as_shown(case: Case, shown: Trajectory) -> Case:
    """Return the case that what was shown answers: where every output was shown, that of the model that gives them."""
    pairs = zip(shown.each_call, case.calls, strict=True)
    if every_output(case.spec) and all(_shows_every_output(each, call.T, case.spec) for each, call in pairs):
        return case.under(case.spec.with_every_output())
    return case


def every_output(spec: Spec) -> bool:
    """Whether outputs of every step may be shown of a model that returns the last one's."""
    last = spec.layers[-1]
    return isinstance(last, RNN) and not last.return_sequences


def _shows_every_output(shown: Trajectory, T: int, spec: Spec) -> bool:
    if len(shape_of(shown.outputs)) == 3 or unrecorded(shown):
        return True
    return T == 1 and spec.head is not None and all(seen is None or seen.output is None for seen in shown.shown_layers)


def unrecorded(shown: Trajectory) -> bool:
    """Whether nothing was recorded of a call."""
    return shown.outputs is None and not any(layer is not None for layer in shown.shown_layers)


def apart(layer: Layer, shown: Any) -> list[Any]:
    """What was seen of each direction, in the order of processing; None where it cannot be told."""
    if isinstance(layer, RNN):
        return [shown]
    if shown is None or layer.merge_mode in ("sum", "mul", "ave"):
        return [None, None]
    forward = layer.directions[0].features
    one, other = shown if layer.merge_mode is None else (shown[..., :forward], shown[..., forward:])
    return [one, other[:, ::-1] if layer.return_sequences else other]
