"""Judge what was seen of a network: each of its recurrences by itself, on the inputs that *it* was seen to get.

A network is judged layer by layer, as a recurrence is judged step by step. What a layer was seen to put out is the
input of the next one, exactly; what was not seen (a lower cell, one direction of a sum) is computed, with a bound that
travels on. So a wrong layer is found wrong, and the layers behind it are not blamed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.inexact import Inexact, choose
from ..arithmetic.precision import Precision
from ..cells.simple_rnn import CellWeights, SimpleRNN
from ..model.forward import mask_behind
from ..model.network import Bidirectional, Layer
from ..model.network_case import Call, NetworkCase
from ..model.trajectory import BadAnswer, NetworkTrajectory, ShownCall, ShownLayer, floats
from .enclosure import Chain, free_run, induction, layer_output, lost_when_shown
from .verdict import Finding, Verdict, sharp_enough

__all__ = ["Walk", "judge_network"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: The way in which a network is judged.
LAYER_BY_LAYER = "layer by layer"


def judge_network(case: NetworkCase, answer: Any, precision: Precision | None = None) -> Verdict:
    """Judge what an implementation showed of a network.

    Parameters
    ----------
    case : NetworkCase
    answer : NetworkTrajectory or array
        An array is the outputs of the only call.
    precision : Precision, optional
        The arithmetic that the implementation declares; by default that of the network's dtype.

    Returns
    -------
    Verdict
        Never an exception for a bad answer.
    """
    p = case.network.precision if precision is None else precision
    if p.unit > Precision.of(case.network.variable_dtype).unit:  # the case's numbers are rounded when they enter
        p = replace(p, operand=max(p.operand, p.unit))
    try:
        trajectory = NetworkTrajectory.of(answer)
        if len(trajectory.calls) != len(case.calls):
            raise BadAnswer(f"{len(trajectory.calls)} calls were shown, expected {len(case.calls)}")
        with np.errstate(all="ignore"):
            walk = Walk(case, p)
            for c, (call, shown) in enumerate(zip(case.calls, trajectory.calls, strict=True)):
                walk.call(f"call {c}: " if len(case.calls) > 1 else "", call, shown)
            broken = sum(int(finding.broken.sum()) for finding in walk.findings)
            steps = sum(finding.got.shape[0] * finding.got.shape[1] for finding in walk.findings)
            return Verdict.of(walk.findings, LAYER_BY_LAYER, broken, steps, seen_states=not walk.unseen)
    except BadAnswer as problem:
        return Verdict("different", problem=str(problem), error_over_bound=float("inf"))


@dataclass
class Walk:
    """One walk through the calls and layers of a case."""

    case: NetworkCase
    p: Precision
    findings: list[Finding] = field(default_factory=list)
    #: The states that stateful layers have after the last call.
    kept: dict[int, list[Inexact]] = field(default_factory=dict)
    #: Whether something had to be judged by a bound that travels.
    unseen: bool = False

    def call(self, where: str, call: Call, shown: ShownCall) -> None:
        """Judge one call."""
        case, network = self.case, self.case.network
        layers = [*shown.layers, *(None for _ in network.layers[len(shown.layers) :])]
        if network.head is None:  # then the last layer's output is the model's
            last = layers[-1]
            layers[-1] = ShownLayer(shown.outputs, None if last is None else last.states)
        x, mask = case.inputs(call, self._weight)
        given = iter(call.states)
        for i, (layer, seen) in enumerate(zip(network.layers, layers, strict=True)):
            if layer.initial_state:
                h0 = [self._given(next(given)) for _ in _each_cell(layer)]
            elif call.reset or i not in self.kept:
                h0 = [Inexact(np.zeros((call.N, M)), self.p) for M in _each_cell(layer)]
            else:
                h0 = self.kept[i]
            x = self._layer(f"{where}layer{i}", i, x, mask, h0, seen)
            mask = mask_behind(layer, mask)
        if network.head is not None:
            Wo, bo = case.head_weights(self._weight)
            y = network.head.activation(x @ Wo + bo).closed()
            got = floats(f"{where}the outputs", shown.outputs, y.value.shape)
            self._compare(f"{where}output", got, y, travelled=self._travelled(x))

    def _weight(self, name: str, value: Array) -> Inexact:
        return Inexact.weight(name, value, self.p)

    def _seen(self, shown: Array) -> Inexact:
        """What was shown, as far as the implementation may go on with something else."""
        return Inexact(shown, self.p, lost_when_shown(shown, self.p))

    def _travelled(self, x: Inexact) -> bool:
        """Whether a bound has come a way, and is more than what is lost by showing a number."""
        return not x.exact and bool((x.bound > self.p.tiny).any())

    def _given(self, state: Array) -> Inexact:
        """An initial state, as the implementation holds it."""
        value = state.astype(np.float64)
        if not self.p.operand:
            return Inexact(value, self.p)
        beyond = np.abs(value) * (1 + self.p.unit) > self.p.largest
        rounding = self.p.operand * np.abs(value) + np.where(value == 0, 0.0, self.p.tiny)
        return Inexact(value, self.p, np.where(beyond, np.inf, rounding))

    def _layer(
        self, where: str, i: int, x: Inexact, mask: Bools, h0: list[Inexact], seen: ShownLayer | None
    ) -> Inexact:
        """Judge one layer, and return what the next one gets."""
        layer = self.case.network.layers[i]
        names = ("forward ", "backward ") if isinstance(layer, Bidirectional) else ("",)
        shown = None if seen is None or seen.output is None else self._shown(where, layer, mask, seen.output)
        apart = _apart(layer, shown)
        outputs: list[Inexact] = []
        finals: list[Inexact] = []
        for name, direction, weights, own in zip(
            names, layer.directions, self.case.cell_weights(i, self._weight), apart, strict=True
        ):
            cells = len(direction.cells)
            states = h0[len(finals) : len(finals) + cells]
            output, final = self._direction(f"{where} {name}".rstrip(), direction, weights, x, mask, states, own)
            outputs.append(output)
            finals += final
        if seen is not None and seen.states is not None:
            finals = self._finals(where, seen.states, finals)
        if layer.stateful:
            self.kept[i] = finals
        if not isinstance(layer, Bidirectional) or layer.merge_mode is None:
            return outputs[0]
        merged = _merged(layer, *outputs)
        if shown is None:
            return merged
        if layer.merge_mode != "concat":
            self._compare(f"{where}: merged output", shown, merged, travelled=True)
        return self._seen(shown)

    def _shown(self, where: str, layer: Layer | Bidirectional, mask: Bools, output: Any) -> Any:
        """What was seen of a layer's output, as float64 of the right shape; a pair with ``merge_mode=None``."""
        steps = mask.shape if layer.return_sequences else mask.shape[:1]
        if isinstance(layer, Bidirectional) and layer.merge_mode is None:
            if not isinstance(output, (tuple, list)) or len(output) != 2:
                raise BadAnswer(f"{where} has merge_mode=None: a pair of outputs was expected")
            return tuple(
                floats(f"the outputs of {where} {name}", each, (*steps, direction.features))
                for name, each, direction in zip(("forward", "backward"), output, layer.directions, strict=True)
            )
        return floats(f"the outputs of {where}", output, (*steps, layer.features))

    def _finals(self, where: str, shown: Sequence[Any], finals: list[Inexact]) -> list[Inexact]:
        """Judge the final states of a layer, and return them as they were shown."""
        if len(shown) != len(finals):
            raise BadAnswer(f"{len(shown)} final states of {where} were shown, expected {len(finals)}")
        kept = []
        for k, (state, final) in enumerate(zip(shown, finals, strict=True)):
            got = floats(f"the numbers of final state {k} of {where}", state, final.value.shape)
            travelled = self._travelled(final)
            # It may be kept in wider numbers than the outputs, or in the numbers of the weights.
            wider = max(self.p.operand, self.p.unit) * np.abs(final.value) + self.p.tiny
            final = Inexact(final.value, self.p, final.radius + wider)
            self._compare(f"{where}: final state {k}", got, final, travelled=travelled)
            kept.append(self._seen(got))
        return kept

    def _direction(
        self,
        where: str,
        layer: Layer,
        weights: Sequence[CellWeights],
        x: Inexact,
        mask: Bools,
        h0: Sequence[Inexact],
        shown: Array | None,
    ) -> tuple[Inexact, list[Inexact]]:
        """Judge the cells of one direction; returns its output in the order of processing, and the final states."""
        x = x.closed()
        if layer.go_backwards:
            x, mask = x[:, ::-1], mask[:, ::-1]
        finals: list[Inexact] = []
        begun = np.logical_or.accumulate(mask, axis=1)
        for k, (w, start) in enumerate(zip(weights, h0, strict=True)):
            zero = layer.zero_output_for_mask and k == len(weights) - 1
            chain = Chain(x, w, start, mask, layer.activation, SimpleRNN())
            if shown is not None and k == len(weights) - 1 and layer.return_sequences:
                states = _states_behind(shown, mask, start.closed().value)
                expected, radius, certain_nan = induction(chain, states)
                if self._travelled(x):
                    self.unseen = True
                    radius = sharp_enough(self.p, states, expected, radius, self._size(expected))
                self.findings.append(Finding(f"{where}: state", states, expected, radius, 0, certain_nan))
                held = Inexact(layer_output(mask, states, zero), self.p)
                self._compare(f"{where}: output", shown, held, travelled=False)
                x = self._seen(shown)
                known = self._seen(states[:, -1])
                final = known if start.exact else choose(begun[:, -1:], known, start)
            else:
                expected, radius, _ = free_run(chain)
                x = Inexact(layer_output(mask, expected, zero), self.p, layer_output(mask, radius, zero))
                final = Inexact(expected[:, -1], self.p, radius[:, -1])
                if not layer.return_sequences and k == len(weights) - 1:
                    x = x[:, -1]
                    if shown is not None:
                        self._compare(f"{where}: output", shown, x, travelled=True)
                        x = self._seen(shown)
                        same = mask[:, -1:] if zero else begun[:, -1:]  # then the state is what was put out
                        final = choose(same, x, final)
            finals.append(final)
        return x, finals

    def _compare(self, what: str, got: Array, expected: Inexact, *, travelled: bool) -> None:
        """Set numbers beside what they should be; `travelled` says that their bound has, and may have become wide."""
        value, radius = expected.value, expected.bound
        if got.ndim == 2:
            got, value, radius = (a[:, None] for a in (got, value, radius))
        certain_nan = np.isnan(value) & np.isfinite(radius)
        if travelled:
            self.unseen = True
            radius = sharp_enough(self.p, got, value, radius, self._size(value))
        self.findings.append(Finding(what, got, value, radius, 0, certain_nan))

    def _size(self, values: Array) -> Array:
        """The size of a sample's numbers, beside which a bound is wide or not; a layer may well be silent."""
        size: Array = np.abs(np.nan_to_num(values)).max(axis=(1, 2), keepdims=True, initial=self.p.unit)
        return size


def _each_cell(layer: Layer | Bidirectional) -> list[int]:
    return [M for direction in layer.directions for M in direction.cells]


def _states_behind(outputs: Array, mask: Bools, h0: Array) -> Array:
    """The states that a layer has if it puts these out: at a masked step, that of the last step that was not."""
    last = np.maximum.accumulate(np.where(mask, np.arange(mask.shape[1]), -1), axis=1)[..., None]
    return np.where(last >= 0, np.take_along_axis(outputs, np.maximum(last, 0), axis=1), h0[:, None])


def _apart(layer: Layer | Bidirectional, shown: Any) -> list[Any]:
    """What was seen of each direction, in the order of processing; None where it cannot be told."""
    if isinstance(layer, Layer):
        return [shown]
    if shown is None or layer.merge_mode in ("sum", "mul", "ave"):
        return [None, None]
    forward = layer.directions[0].features
    one, other = shown if layer.merge_mode is None else (shown[..., :forward], shown[..., forward:])
    return [one, other[:, ::-1] if layer.return_sequences else other]


def _as_shown(layer: Bidirectional, backward: Inexact) -> Inexact:
    return backward[:, ::-1] if layer.return_sequences else backward.closed()


def _merged(layer: Bidirectional, forward: Inexact, backward: Inexact) -> Inexact:
    forward, backward = forward.closed(), _as_shown(layer, backward)
    p = forward.precision
    if layer.merge_mode == "concat":
        both = forward, backward
        return Inexact(np.concatenate([y.value for y in both], -1), p, np.concatenate([y.bound for y in both], -1))
    if layer.merge_mode == "mul":
        return (forward * backward).closed()
    total = (forward + backward).closed()
    if layer.merge_mode == "ave":
        return Inexact(total.value / 2, p, total.radius / 2 + p.tiny)
    return total
