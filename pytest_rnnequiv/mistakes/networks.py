"""Well-known ways to get a network of recurrent layers wrong.

As in :mod:`.mistakes`, a mistake is best written as a *case transformation followed by the correct recurrence*: whoever
ignores ``go_backwards`` computes the right recurrence of the network without it, and whoever transposes ``Wh`` in one
place that of the case in which it is transposed there. So every mistake of the plain catalogue that is about one
recurrence's weights or activation is a mistake in each place of a network, and in all of them at once; these are made
when they are asked for (:func:`everywhere`, :func:`placed`), for a network of three layers in both directions has
hundreds of them.

What is wrong *between* the recurrences is no case of any network: outputs that are not turned back, a mask that does
not reach the second layer, one layer's state in another. Such a mistake is a wrong :class:`Wiring`, followed by the
correct recurrence of each cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import Activation
from ..arithmetic.precision import Precision
from ..cells.simple_rnn import CellWeights, SimpleRNN
from ..judging.oracle import judge
from ..judging.verdict import Finding, Verdict, sharp_enough
from ..model.case import Case
from ..model.forward import mask_behind, merge, recurrence
from ..model.network import Bidirectional, Head, Layer, Network
from ..model.network_case import Call, NetworkCase
from ..model.spec import Spec
from ..model.trajectory import NetworkTrajectory, ShownCall, ShownLayer, floats
from .catalogue import CATALOGUE as PLAIN
from .catalogue import KEPT_IN, Mistake, rounded

__all__ = [
    "CATALOGUE",
    "NetworkMistake",
    "Place",
    "Wiring",
    "arrays",
    "by_name",
    "everywhere",
    "placed",
    "rounding_room",
]

Array = npt.NDArray[Any]
Change = Callable[[NetworkCase], "NetworkCase | None"]


class Unmade(Exception):
    """The mistake cannot be made in this network."""


class Wiring:
    """How the recurrences of a network are put together: right as it stands here, wrong in one point in each heir."""

    cell: SimpleRNN = SimpleRNN()

    def order(self, calls: int) -> Sequence[int]:
        """The order in which the calls are made."""
        return range(calls)

    def feeds(self, i: int, seen: list[Array], case: NetworkCase) -> Array:
        """What layer `i` gets, of the features and the outputs of the layers before it."""
        return seen[-1]

    def masks(self, i: int, masks: list[Array], layers: Sequence[Layer | Bidirectional]) -> Array:
        """The mask that layer `i` goes by."""
        return masks[-1]

    def starts(self, given: list[Array] | None, kept: list[Array] | None, finals: list[Array] | None) -> Any:
        """The states that a layer starts from: given, kept of the call before, or (None) zeros.

        `finals` are the final states of the layer before, in this call.
        """
        return kept if given is None else given

    def reads(self, j: int, direction: Layer, x: Array, mask: Array) -> tuple[Array, Array]:
        """Inputs and mask of direction `j`, in the order of processing."""
        return (x[:, ::-1], mask[:, ::-1]) if direction.go_backwards else (x, mask)

    def cell_at(self, place: Place) -> SimpleRNN:
        """The cell in a place."""
        return self.cell

    def runs(
        self, x: Array, h: Array, mask: Array, w: CellWeights, act: Activation, cell: SimpleRNN
    ) -> tuple[Array, Array]:
        """One cell's outputs and states."""
        return recurrence(x, h, mask, w, act, cell)

    def climbs(self, x: Array) -> Array:
        """What a stacked cell gets of the outputs of the one below."""
        return x

    def puts_out(self, direction: Layer, mask: Array, outputs: Array) -> Array:
        """The sequence of outputs of one direction, in the order of processing."""
        return np.where(mask[..., None], outputs, 0) if direction.zero_output_for_mask else outputs

    def ends(self, j: int, outputs: Array) -> Array:
        """The one output of direction `j`, which returns no sequence."""
        return outputs[:, -1]

    def merges(self, layer: Layer | Bidirectional, outputs: list[Array]) -> Any:
        """The output of a layer, of its directions' outputs in the order of processing."""
        return merge(layer, outputs)

    def passes_on(self, i: int, output: Array, x: Array) -> Array:
        """What is passed on of layer `i`, which got `x`."""
        return output

    def returns(self, layer: Layer | Bidirectional, finals: list[Array], outputs: list[Array]) -> list[Array]:
        """The final states as they are shown, of those that there are and of the sequences of outputs."""
        return finals

    def heads(self, head: Head, a: Array) -> Array:
        """The head's activation."""
        return np.asarray(head.activation(a))


RIGHT = Wiring()


class Place(NamedTuple):
    """One recurrence of a network."""

    layer: int
    direction: int
    cell: int

    def within(self, network: Network, whole_direction: bool = False) -> list[str]:
        """Its address: layer, and direction and cell where there is more than one."""
        layer = network.layers[self.layer]
        address = [f"layer{self.layer}"]
        if isinstance(layer, Bidirectional):
            address.append(("forward", "backward")[self.direction])
        if len(layer.directions[self.direction].cells) > 1 and not whole_direction:
            address.append(f"cell{self.cell}")
        return address


def places(network: Network) -> Iterator[Place]:
    """Yield all recurrences of a network, in the order of the weights."""
    for i, layer in enumerate(network.layers):
        for j, direction in enumerate(layer.directions):
            for k in range(len(direction.cells)):
                yield Place(i, j, k)


def wired(
    case: NetworkCase, wiring: Wiring = RIGHT, dtype: Any = np.float64, keep: Callable[[Array], Array] | None = None
) -> NetworkTrajectory:
    """Compute a case whose parts are put together in some way; with the right one it is :func:`~.recurrence.reference`.

    Parameters
    ----------
    dtype : dtype
        The numbers to compute in.
    keep : callable, optional
        Rounds everything that is stored, for an arithmetic that NumPy does not have.

    Raises
    ------
    Unmade
        If what comes out does not fit into the next part.
    """
    network = case.network
    calls: list[ShownCall | None] = [None] * len(case.calls)
    kept: dict[int, list[Array]] = {}

    def number(a: Array) -> Array:
        a = a.astype(dtype)
        return a if keep is None else keep(a)

    def act(f: Activation) -> Activation:
        return f if keep is None else rounded(f, "fewer bits", keep)

    with np.errstate(all="ignore"):
        for c in wiring.order(len(case.calls)):
            call = case.calls[c]
            x, mask = case.inputs(call)
            seen, masks, shown = [number(x)], [mask], []
            given = iter(call.states)
            finals: list[Array] | None = None
            for i, layer in enumerate(network.layers):
                x = wiring.feeds(i, seen, case)
                mask = wiring.masks(i, masks, network.layers)
                cells = [M for direction in layer.directions for M in direction.cells]
                own = [number(next(given)) for _ in cells] if layer.initial_state else None
                start = wiring.starts(own, None if call.reset else kept.get(i), finals)
                h0 = [np.zeros((call.N, M), dtype) for M in cells] if start is None else list(start)
                if [h.shape for h in h0] != [(call.N, M) for M in cells] or mask.shape != x.shape[:2]:
                    raise Unmade
                finals, sequences = [], []
                for j, (direction, weights) in enumerate(zip(layer.directions, case.cell_weights(i), strict=True)):
                    y, on = wiring.reads(j, direction, x, mask)
                    for k, w in enumerate(weights):
                        w = CellWeights(*map(number, w))
                        if y.shape[-1] != len(w.Wx):
                            raise Unmade
                        cell, f = wiring.cell_at(Place(i, j, k)), act(direction.activation)
                        y, states = wiring.runs(wiring.climbs(y) if k else y, h0[len(finals)], on, w, f, cell)
                        y = cell.readout(y, f)
                        finals.append(states[:, -1])
                    sequences.append(wiring.puts_out(direction, on, y))
                ends = [wiring.ends(j, y) for j, y in enumerate(sequences)]
                output = wiring.merges(layer, sequences if layer.return_sequences else ends)
                if layer.stateful:
                    kept[i] = finals
                told = wiring.returns(layer, finals, sequences) if layer.return_state or layer.stateful else None
                if not isinstance(output, tuple):
                    output = wiring.passes_on(i, number(output), x)
                    seen.append(output)
                    masks.append(mask_behind(layer, mask))
                shown.append(ShownLayer(output, None if told is None else tuple(told)))
            y = shown[-1].output
            if network.head is not None:
                Wo, bo = map(number, case.head_weights())
                y = number(wiring.heads(network.head, y @ Wo + bo))
            calls[c] = ShownCall(y, tuple(shown))
    return NetworkTrajectory(tuple(call for call in calls if call is not None))


@dataclass(frozen=True)
class NetworkMistake:
    """One well-known way to get a network wrong.

    Parameters
    ----------
    name : str
        Short, without spaces: what tables and ``-k`` use.
    says : str
        Completes "it is the recurrence ...".
    how : str
        How people come to make it.
    group : str
        The part of the network that it is about.
    change : callable, optional
        Case -> case, or None where the mistake cannot be made.
    wiring : Wiring, optional
        The wrong way to put the parts together, where that is the mistake.
    precision : Precision, optional
        The arithmetic, where that is the mistake.
    """

    name: str
    says: str
    how: str
    group: str
    change: Change | None = None
    wiring: Wiring = RIGHT
    precision: Precision | None = None

    def __call__(self, case: NetworkCase) -> NetworkCase | None:
        """Return the case as the mistaken implementation takes it, or None where the mistake cannot be made."""
        if self.change is None:
            return case
        with np.errstate(all="ignore"):  # what overflows is as wrong as it should be
            changed = self.change(case)
        if changed is None or (self.precision is None and changed.fingerprint() == case.fingerprint()):
            return None
        return changed

    def run(self, case: NetworkCase, dtype: Any = None) -> NetworkTrajectory:
        """Compute what an implementation that makes this mistake shows.

        Parameters
        ----------
        dtype : dtype, optional
            The numbers to compute in; by default those of the network, or of the arithmetic that is the mistake. Where
            the mistake cannot be made, it is the plain recurrence.
        """
        precision = case.network.precision if self.precision is None else self.precision
        how = (dtype, None) if dtype is not None else _arithmetic(precision, case)
        try:
            shown = wired(self(case) or case, self.wiring, *how)
        except Unmade:
            shown = wired(case, RIGHT, *how)
        return _as_of(case.network, shown)

    def judge(self, case: NetworkCase, shown: NetworkTrajectory, precision: Precision | None = None) -> Verdict | None:
        """Judge whether this is what an implementation with this mistake shows; None where it changes nothing."""
        changed = self(case)
        if changed is None:
            return None
        p = self.precision or precision
        if self.wiring is RIGHT:
            if self.precision is not None and not _has_digits(shown, self.precision):
                return None
            verdict = judge(changed, shown, p)
            if self.precision is not None or not verdict.inconclusive:
                return verdict
        # Where the bound of all that is not seen is too wide to say anything, the numbers may say it.
        return _compared(case, changed, shown, self.wiring, case.network.precision if p is None else p)

    def __str__(self) -> str:
        return self.name


def _as_of(network: Network, shown: NetworkTrajectory) -> NetworkTrajectory:
    """Show states where the network does, and nowhere else."""
    return NetworkTrajectory(
        tuple(
            ShownCall(
                call.outputs,
                tuple(
                    ShownLayer(seen.output, seen.states if layer.return_state or layer.stateful else None)
                    for layer, seen in zip(network.layers, call.layers, strict=True)
                    if seen is not None
                ),
            )
            for call in shown.calls
        )
    )


def _arithmetic(p: Precision, case: NetworkCase) -> tuple[Any, Callable[[Array], Array] | None]:
    """How to compute in an arithmetic: numbers of NumPy, and a rounding where it has none."""
    if p.name in KEPT_IN:
        return np.float32, KEPT_IN[p.name]
    return (np.float64 if p.unit <= Precision.float64.unit else np.float32), None


def _has_digits(shown: NetworkTrajectory, p: Precision) -> bool:
    """Whether all numbers are numbers of that arithmetic: its bound alone is so wide that much would fit."""
    with np.errstate(all="ignore"):
        return all(np.array_equal(a, KEPT_IN[p.name](a), equal_nan=True) for _, a in arrays(shown))


def arrays(shown: NetworkTrajectory) -> Iterator[tuple[str, Array]]:
    """Yield all that is shown, by name."""
    for c, call in enumerate(shown.calls):
        for i, layer in enumerate(call.layers):
            if layer is not None:
                pair = layer.output if isinstance(layer.output, (tuple, list)) else (layer.output,)
                yield from ((f"call {c}: layer{i}: output {j}", np.asarray(a)) for j, a in enumerate(pair))
                yield from (
                    (f"call {c}: layer{i}: final state {j}", np.asarray(a)) for j, a in enumerate(layer.states or ())
                )
        pair = call.outputs if isinstance(call.outputs, (tuple, list)) else (call.outputs,)
        yield from ((f"call {c}: output {j}", np.asarray(a)) for j, a in enumerate(pair))


#: How many times the rounding error of our own run, and how many units of round-off of a sample's largest number, an
#: implementation with a wrong wiring may be off from it: there is no recurrence of any case to judge it by.
OWN_ERROR, UNITS = 8.0, 32.0


def _compared(
    case: NetworkCase, changed: NetworkCase, shown: NetworkTrajectory, wiring: Wiring, p: Precision
) -> Verdict | None:
    """Set what is shown beside a mistaken run; None where the mistake changes nothing.

    Where the right run is as near to it, that tells nothing.
    """
    ways = ((np.float64, None), _arithmetic(p, case))
    try:
        exact, coarse = (dict(arrays(_as_of(case.network, wired(changed, wiring, *how)))) for how in ways)
    except Unmade:
        return None
    right = dict(arrays(wired(case)))
    if all(np.array_equal(right[name], a, equal_nan=True) for name, a in exact.items()):
        return None
    findings, refuted = [], False
    for name, got in arrays(shown):
        if got.dtype == object:  # a layer that is not shown
            continue
        expected, own, true = (a[name].astype(np.float64) for a in (exact, coarse, right))
        if expected.shape != true.shape:  # and so is not what was shown
            return None
        got = floats(name, got, expected.shape)
        got, expected, own, true = (a[:, None] if a.ndim == 2 else a for a in (got, expected, own, true))
        with np.errstate(all="ignore"):
            size = np.abs(np.nan_to_num(expected)).max(axis=(1, 2), keepdims=True, initial=p.unit)
            error = np.abs(own - expected).max(axis=(1, 2), keepdims=True, initial=0.0)
            radius = np.broadcast_to(OWN_ERROR * error + UNITS * p.unit * size, got.shape)
            radius = sharp_enough(p, got, expected, np.where(np.isnan(radius), np.inf, radius), size)
            findings.append(Finding(name, got, expected, radius, 0, np.isnan(expected)))
            refuted |= bool(Finding(name, got, true, radius, 0, np.isnan(true)).broken.any())
    broken = sum(int(finding.broken.sum()) for finding in findings)
    steps = sum(finding.got.shape[0] * finding.got.shape[1] for finding in findings)
    verdict = Verdict.of(findings, "numbers", broken, steps, seen_states=False)
    if refuted or verdict.different:
        return verdict
    return replace(verdict, status="inconclusive", problem="what is shown is as near to the right run")


def rounding_room(case: NetworkCase) -> float:
    """How far rounding may carry a right implementation's outputs and final states, roughly: for scripts, not to judge.

    Returns
    -------
    float
        Infinite where the recurrence amplifies rounding beyond all bounds.
    """
    p = case.network.precision
    exact, coarse = (dict(arrays(wired(case, RIGHT, *how))) for how in ((np.float64, None), _arithmetic(p, case)))
    room = 0.0
    for name, expected in exact.items():
        with np.errstate(all="ignore"):
            error = np.abs(np.nan_to_num(coarse[name].astype(np.float64) - expected)).max(initial=0.0)
            size = np.abs(np.nan_to_num(expected)).max(initial=1.0)
        room = max(room, float(OWN_ERROR * error + UNITS * p.unit * size))
    return room


CATALOGUE: list[NetworkMistake] = []


def _mistake(group: str, name: str, says: str, how: str, **more: Any) -> Callable[[Change], Change]:
    """Register a mistake that makes another case."""

    def register(change: Change) -> Change:
        CATALOGUE.append(NetworkMistake(name, says, how, group, change, **more))
        return change

    return register


def _wrong(group: str, name: str, says: str, how: str) -> Callable[[type[Wiring]], type[Wiring]]:
    """Register a wrong wiring."""

    def register(kind: type[Wiring]) -> type[Wiring]:
        CATALOGUE.append(NetworkMistake(name, says, how, group, wiring=kind()))
        return kind

    return register


def by_name(name: str) -> NetworkMistake:
    """Look a mistake up, also one of the plain catalogue, which is then made everywhere.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    for mistake in (*CATALOGUE, *everywhere()):
        if mistake.name == name:
            return mistake
    raise ValueError(f"no mistake of networks is called {name!r}; the catalogue has {', '.join(map(str, CATALOGUE))}")


def _each_layer(case: NetworkCase, change: Callable[[Any], Any]) -> NetworkCase:
    return case.replace(network=case.network.replace(layers=tuple(map(change, case.network.layers))))


def _each_call(case: NetworkCase, change: Callable[[Call], Call]) -> NetworkCase:
    return case.replace(calls=tuple(map(change, case.calls)))


def _exchanged(case: NetworkCase, pairs: Sequence[tuple[str, str]], one_way: bool = False) -> NetworkCase | None:
    """Exchange weights by the beginnings of their names where all shapes fit; None where none do."""
    named = dict(zip(case.network.weight_shapes, case.weights, strict=True))
    changes: dict[str, Array] = {}
    for a, b in pairs:
        one = {n.removeprefix(a): w for n, w in named.items() if n.startswith(a)}
        two = {n.removeprefix(b): w for n, w in named.items() if n.startswith(b)}
        if {n: w.shape for n, w in one.items()} == {n: w.shape for n, w in two.items()}:
            changes |= {b + n: w for n, w in one.items()}
            if not one_way:
                changes |= {a + n: w for n, w in two.items()}
    return case.with_weights(**changes) if changes else None


# ---------------------------------------------------------------------------------------------------------- options


@_mistake(
    "options",
    "go-backwards-ignored",
    "with `go_backwards` ignored",
    "an option that the port or the converter does not read",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _each_layer(case, lambda a: a.replace(go_backwards=False) if isinstance(a, Layer) else a)


@_wrong(
    "options",
    "go-backwards-turned-round",
    "with the outputs of `go_backwards` turned round again",
    "outputs brought back into the order of time; Keras leaves them in the order of processing",
)
class _TurnedRound(Wiring):
    def merges(self, layer: Layer | Bidirectional, outputs: list[Array]) -> Any:
        if isinstance(layer, Layer) and layer.go_backwards and layer.return_sequences:
            return outputs[0][:, ::-1]
        return merge(layer, outputs)


@_mistake(
    "options",
    "initial-state-ignored",
    "with `initial_state` ignored (it starts from zeros)",
    "an argument that is not passed on",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _each_call(case, lambda call: call.replace(states=tuple(map(np.zeros_like, call.states))))


@_mistake(
    "options",
    "state-not-carried",
    "with `stateful` ignored (every call starts afresh)",
    "the state is a local variable of the call",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _each_call(case, lambda call: call.replace(reset=True)) if case.network.stateful else None


@_mistake(
    "options",
    "reset-ignored",
    "with `reset_state()` ignored",
    "a reset that reaches a copy of the state, or the outer model only",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _each_call(case, lambda call: call.replace(reset=False)) if case.network.stateful else None


@_mistake(
    "options",
    "state-carried-unasked",
    "with the state carried from call to call, though the layers are not stateful",
    "a state that is an attribute, and is set to zeros at construction only",
)
def _(case: NetworkCase) -> NetworkCase | None:
    sizes = {call.N for call in case.calls}
    if len(case.calls) < 2 or len(sizes) > 1 or min(sizes) < 1:
        return None

    def stateful(layer: Any) -> Any:
        if isinstance(layer, Layer):
            return layer.replace(stateful=True)
        backward = layer.backward and layer.backward.replace(stateful=True)
        return layer.replace(forward=layer.forward.replace(stateful=True), backward=backward)

    network = case.network.replace(N=min(sizes))
    return _each_layer(case.replace(network=network), stateful)


@_wrong(
    "options",
    "stored-state-wins",
    "with the state of the call before in the place of the given `initial_state`",
    "the stored state is looked at first",
)
class _StoredWins(Wiring):
    def starts(self, given: Any, kept: Any, finals: Any) -> Any:
        return given if kept is None else kept


@_wrong(
    "options",
    "first-state-for-all-samples",
    "with the first sample's initial or kept state in every sample",
    "a state of one sample that is broadcast over the batch",
)
class _FirstSamplesState(Wiring):
    def starts(self, given: Any, kept: Any, finals: Any) -> Any:
        states = super().starts(given, kept, finals)
        return None if states is None else [np.repeat(h[:1], len(h), axis=0) for h in states]


@_wrong(
    "options",
    "returned-state-is-last-output",
    "with its last output returned as its final state",
    "`output[:, -1]` taken for the state, which it is not where that step is masked or read backwards",
)
class _LastOutput(Wiring):
    def returns(self, layer: Layer | Bidirectional, finals: list[Array], outputs: list[Array]) -> list[Array]:
        return [y[:, -1] for y in outputs] if len(outputs) == len(finals) else finals


@_wrong(
    "options",
    "returned-states-reversed",
    "with its final states returned in the other order",
    "a list of states (of directions, or of cells) built from its end",
)
class _StatesReversed(Wiring):
    def returns(self, layer: Layer | Bidirectional, finals: list[Array], outputs: list[Array]) -> list[Array]:
        return finals[::-1]


def _register_dropout() -> None:
    def scaled(case: NetworkCase, factor: Callable[[float], float], only: str | None = None) -> NetworkCase | None:
        changes: dict[str, Array] = {}
        for place in places(case.network):
            direction, w = _at(case, place)
            keep, keep_state = 1 - direction.dropout, 1 - direction.recurrent_dropout
            prefix = _prefix(case.network, place)
            if keep and keep < 1:
                changes[f"{prefix}Wx"] = w.Wx * factor(keep)
            if keep_state and keep_state < 1:
                changes[f"{prefix}Wh"] = w.Wh * factor(keep_state)
        return case.with_weights(**changes) if changes else None

    _mistake(
        "options",
        "dropout-scales-at-inference",
        "with what dropout would keep (1 - p) multiplied in at inference",
        "the original form of dropout, which scales at inference; Keras's scales in training",
    )(lambda case: scaled(case, lambda keep: keep))
    _mistake(
        "options",
        "dropout-scale-left-in",
        "with the scale 1/(1 - p) of dropout left in at inference",
        "the mask is left out at inference, and its scale is not",
    )(lambda case: scaled(case, lambda keep: 1 / keep))


def _at(case: NetworkCase, place: Place) -> tuple[Layer, CellWeights]:
    i, j, k = place
    return case.network.layers[i].directions[j], case.cell_weights(i)[j][k]


def _prefix(network: Network, place: Place) -> str:
    """How the names of the weights in a place begin."""
    layer = network.layers[place.layer]
    side = f"{('forward', 'backward')[place.direction]}/" if isinstance(layer, Bidirectional) else ""
    cell = f"cell{place.cell}/" if isinstance(layer.directions[place.direction].units, tuple) else ""
    return f"layer{place.layer}/{side}{cell}"


_register_dropout()


# ------------------------------------------------------------------------------------------------------------- mask


def _masked_by(case: NetworkCase, mask: Callable[[Call], Array | None]) -> NetworkCase | None:
    """The same features under another mask (None is no mask), given as an argument."""
    network, weights = case.network, case.weights
    if not network.masked:
        return None
    calls = []
    for call in case.calls:
        x = case.part("embedding")["E"][call.x] if network.embedded else call.x
        calls.append(call.replace(x=x, mask=mask(call)))
    if network.embedded:
        weights = weights[1:]
    source = "input" if calls[0].mask is None else "mask"
    return NetworkCase(network.replace(source=source), weights, tuple(calls))


@_mistake(
    "mask",
    "mask-ignored",
    "with the mask ignored",
    "a mask that is not passed on, a `Masking` layer that is left out, or `mask_zero` that is not read: id 0 counts",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _masked_by(case, lambda call: None)


@_wrong(
    "mask",
    "mask-ignored-after-first-layer",
    "with the mask ignored behind the first layer",
    "the mask is used up by the layer that gets it",
)
class _FirstLayerOnly(Wiring):
    def masks(self, i: int, masks: list[Array], layers: Sequence[Layer | Bidirectional]) -> Array:
        return masks[0] if i == 0 else np.ones_like(masks[-1])


@_wrong(
    "mask",
    "mask-not-reversed",
    "with the mask read forwards where the inputs are read backwards",
    "the inputs are turned round and the mask is forgotten",
)
class _MaskForwards(Wiring):
    def reads(self, j: int, direction: Layer, x: Array, mask: Array) -> tuple[Array, Array]:
        return x[:, ::-1] if direction.go_backwards else x, mask


@_wrong(
    "mask",
    "mask-not-turned-with-outputs",
    "with the mask behind a `go_backwards` layer still in the order of time",
    "outputs come in the order of processing, and their mask has to",
)
class _MaskNotTurned(Wiring):
    def masks(self, i: int, masks: list[Array], layers: Sequence[Layer | Bidirectional]) -> Array:
        return masks[0]


def _holding(layer: Layer | Bidirectional) -> Layer | Bidirectional:
    if isinstance(layer, Layer):
        return layer.replace(zero_output_for_mask=False)
    return _HoldingBidirectional(layer.forward, layer.backward, layer.merge_mode)


class _HoldingBidirectional(Bidirectional):
    """Holds the output where the mask is False."""

    @property
    def directions(self) -> tuple[Layer, ...]:
        return tuple(layer.replace(zero_output_for_mask=False) for layer in super().directions)


@_mistake(
    "mask",
    "zero-output-ignored",
    "with the outputs of masked steps held, not zeroed",
    "`zero_output_for_mask` is not read, or it is not known that `Bidirectional` sets it",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _each_layer(case, _holding) if case.network.masked else None


@_mistake(
    "mask",
    "zero-output-unasked",
    "with the outputs of masked steps zeroed, not held",
    "padding that comes out as zeros, as in PyTorch's packed sequences",
)
def _(case: NetworkCase) -> NetworkCase | None:
    if not case.network.masked:
        return None
    return _each_layer(case, lambda a: a.replace(zero_output_for_mask=True) if isinstance(a, Layer) else a)


@_wrong(
    "mask",
    "masked-output-is-state",
    "with the state as the output of masked steps (also before the first that is not masked)",
    "one variable for both: Keras's output before the first step is zeros, whatever the initial state is",
)
class _OutputIsState(Wiring):
    def runs(self, x: Array, h: Array, mask: Array, w: Any, act: Any, cell: Any) -> tuple[Array, Array]:
        _, states = recurrence(x, h, mask, w, act, cell)
        return states, states


@_wrong(
    "mask",
    "masked-steps-zero-the-state",
    "with the state set to zeros at masked steps",
    "the new state is multiplied by the mask",
)
class _StateZeroed(Wiring):
    def runs(self, x: Array, h: Array, mask: Array, w: Any, act: Any, cell: Any) -> tuple[Array, Array]:
        states = np.empty((*mask.shape, h.shape[1]), h.dtype)
        for t in range(mask.shape[1]):
            states[:, t] = h = np.where(mask[:, t, None], cell.step(x[:, t], h, w, act), 0)
        return states, states


@_wrong(
    "mask",
    "masked-inputs-zeroed",
    "with zeros as the inputs of masked steps, which are computed all the same",
    "the inputs are multiplied by the mask",
)
class _InputsZeroed(Wiring):
    def runs(self, x: Array, h: Array, mask: Array, w: Any, act: Any, cell: Any) -> tuple[Array, Array]:
        return recurrence(np.where(mask[..., None], x, 0), h, np.ones_like(mask), w, act, cell)


@_wrong(
    "mask",
    "only-outputs-masked",
    "with the state going on through masked steps, of which only the outputs are masked",
    "the mask is applied to what comes out",
)
class _OnlyOutputs(Wiring):
    def runs(self, x: Array, h: Array, mask: Array, w: Any, act: Any, cell: Any) -> tuple[Array, Array]:
        states, _ = recurrence(x, h, np.ones_like(mask), w, act, cell)
        outputs, o = np.empty_like(states), np.zeros_like(h)
        for t in range(mask.shape[1]):
            outputs[:, t] = o = np.where(mask[:, t, None], states[:, t], o)
        return outputs, states


@_mistake(
    "mask",
    "mask-inverted",
    "with the mask inverted",
    'True taken for "masked", as in PyTorch\'s `key_padding_mask`',
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _masked_by(case, lambda call: np.asarray(np.logical_not(case.inputs(call)[1])))


@_mistake(
    "mask",
    "mask-taken-for-lengths",
    "with as many steps masked, but always the last ones",
    "the mask summed up to lengths, as packed sequences want them",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _masked_by(case, lambda call: np.arange(call.T) < case.inputs(call)[1].sum(1, keepdims=True))


@_mistake(
    "mask",
    "mask-of-first-sample-for-all",
    "with the first sample's mask in every sample",
    "a mask of one sample that is broadcast over the batch",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _masked_by(case, lambda call: np.repeat(case.inputs(call)[1][:1], call.N, axis=0))


@_mistake(
    "mask",
    "masked-within-a-tolerance",
    "with a step masked where it is near the `mask_value`",
    "`isclose`, or a difference beside a small number, for an exact comparison",
)
def _(case: NetworkCase) -> NetworkCase | None:
    if case.network.source != "masking":
        return None
    value = case.network.mask_value
    near = 1e-3 * max(abs(value), 1.0)
    return _masked_by(case, lambda call: np.asarray((np.abs(call.x.astype(np.float64) - value) > near).any(-1)))


def _unlike(case: NetworkCase, call: Call) -> Array:
    return np.asarray(call.x != case.network.mask_value)


@_mistake(
    "mask",
    "masked-by-any-feature",
    "with a step masked where any feature is the `mask_value`",
    "`any` for `all`",
)
def _(case: NetworkCase) -> NetworkCase | None:
    if case.network.source != "masking":
        return None
    return _masked_by(case, lambda call: np.asarray(_unlike(case, call).all(-1)))


@_mistake(
    "mask",
    "masked-by-first-feature",
    "with a step masked where its first feature is the `mask_value`",
    "only one feature looked at",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _masked_by(case, lambda call: _unlike(case, call)[..., 0]) if case.network.source == "masking" else None


@_mistake("mask", "mask-value-taken-for-zero", "with 0 as its `mask_value`", "the default, whatever is asked for")
def _(case: NetworkCase) -> NetworkCase | None:
    if case.network.source != "masking":
        return None
    return case.replace(network=case.network.replace(mask_value=0.0))


# -------------------------------------------------------------------------------------------------------- embedding


def _register_embeddings() -> None:
    def embedded(case: NetworkCase, change: Callable[[Array], Array]) -> NetworkCase | None:
        if not case.network.embedded:
            return None
        return case.with_weights(**{"embedding/E": change(case.part("embedding")["E"])})

    for name, says, how, rows in (
        ("one-too-far", "the row after that of its number", "numbers that start at 0 taken to start at 1", -1),
        ("one-too-early", "the row before that of its number", "numbers that start at 1 taken to start at 0", 1),
    ):
        rolled = partial(np.roll, shift=rows, axis=0)
        _mistake("embedding", f"embedding-{name}", f"with {says} read from the embedding", how)(
            partial(embedded, change=rolled)
        )
    _mistake(
        "embedding",
        "embedding-one-too-early-from-0",
        "with the row before that of its number read from the embedding, and row 0 for 0",
        "`max(id - 1, 0)`: numbers that start at 1 taken to start at 0, and kept in bounds",
    )(lambda case: embedded(case, lambda E: np.concatenate([E[:1], E[:-1]])))
    _mistake(
        "embedding",
        "embedding-memory-order",
        "with the embedding read in the other memory order",
        "a table written row by row and read column by column",
    )(lambda case: embedded(case, lambda E: E.reshape(E.shape[::-1]).T))


_register_embeddings()


# ------------------------------------------------------------------------------------------------------- directions


def _both(network: Network) -> list[tuple[str, str]]:
    return [
        (f"layer{i}/forward/", f"layer{i}/backward/")
        for i, layer in enumerate(network.layers)
        if isinstance(layer, Bidirectional)
    ]


@_wrong(
    "directions",
    "backward-not-turned-back",
    "with the outputs of the backward layer not turned back into the order of time",
    "the second of the two reversals is forgotten",
)
class _NotTurnedBack(Wiring):
    def merges(self, layer: Layer | Bidirectional, outputs: list[Array]) -> Any:
        if len(outputs) == 2 and layer.return_sequences:
            outputs = [outputs[0], outputs[1][:, ::-1]]
        return merge(layer, outputs)


@_wrong(
    "directions",
    "backward-reads-forwards",
    "with both directions read forwards",
    "a second layer where a backward one should be",
)
class _ReadsForwards(Wiring):
    def reads(self, j: int, direction: Layer, x: Array, mask: Array) -> tuple[Array, Array]:
        return (x, mask) if j else super().reads(j, direction, x, mask)

    def merges(self, layer: Layer | Bidirectional, outputs: list[Array]) -> Any:
        return _NotTurnedBack().merges(layer, outputs)


@_wrong(
    "directions",
    "backward-reads-forwards-turned-back",
    "with the backward layer read forwards and its outputs turned round",
    "the first of the two reversals is forgotten",
)
class _FirstReversalForgotten(Wiring):
    def reads(self, j: int, direction: Layer, x: Array, mask: Array) -> tuple[Array, Array]:
        return (x, mask) if j else super().reads(j, direction, x, mask)


@_wrong(
    "directions",
    "backward-output-of-last-step",
    "with the backward output taken at the last step in time, which is the first that it read",
    "`output[:, -1]` of a bidirectional sequence, as one writes it in PyTorch",
)
class _LastInTime(Wiring):
    def ends(self, j: int, outputs: Array) -> Array:
        return outputs[:, 0] if j else outputs[:, -1]


@_wrong(
    "directions",
    "merge-order-exchanged",
    "with the backward outputs before the forward ones",
    "the two are joined in the other order",
)
class _OtherOrder(Wiring):
    def merges(self, layer: Layer | Bidirectional, outputs: list[Array]) -> Any:
        if not isinstance(layer, Bidirectional) or layer.merge_mode not in ("concat", None):
            return merge(layer, outputs)
        if layer.return_sequences:
            outputs = [outputs[0], outputs[1][:, ::-1]]
        if layer.merge_mode == "concat":
            return np.concatenate(outputs[::-1], -1)
        if outputs[0].shape != outputs[1].shape:
            raise Unmade
        return outputs[1], outputs[0]


def _register_merges() -> None:
    for mode in ("sum", "ave", "mul"):

        def change(case: NetworkCase, mode: str = mode) -> NetworkCase | None:
            return _each_layer(
                case,
                lambda a: (
                    a.replace(merge_mode=mode)
                    if isinstance(a, Bidirectional) and a.merge_mode in ("sum", "ave", "mul")
                    else a
                ),
            )

        done = {"sum": "added up", "ave": "averaged", "mul": "multiplied"}[mode]
        _mistake("directions", f"merged-by-{mode}", f"with the two directions {done}", "another `merge_mode`")(change)


_register_merges()


def _register_scales() -> None:
    for was, is_, says, how in (
        ("ave", "sum", "with `ave` not halved", "a sum whose division by 2 is forgotten"),
        ("sum", "ave", "with `sum` halved", "a mean over the two directions"),
    ):

        def change(case: NetworkCase, was: str = was, is_: str = is_) -> NetworkCase | None:
            return _each_layer(case, lambda a: a.replace(merge_mode=is_) if getattr(a, "merge_mode", "") == was else a)

        _mistake("directions", f"{was}-merged-by-{is_}", says, how)(change)


_register_scales()


@_mistake(
    "directions",
    "forward-activation-for-both",
    "with the forward activation in both directions",
    "one activation where each direction has its own",
)
def _(case: NetworkCase) -> NetworkCase | None:
    def one(a: Layer | Bidirectional) -> Layer | Bidirectional:
        if not isinstance(a, Bidirectional) or a.backward is None:
            return a
        return a.replace(backward=a.backward.replace(activation=a.forward.activation))

    return _each_layer(case, one)


@_wrong("directions", "forward-only", "without its backward outputs (zeros in their place)", "a direction left out")
class _ForwardOnly(Wiring):
    def merges(self, layer: Layer | Bidirectional, outputs: list[Array]) -> Any:
        return merge(layer, [outputs[0], np.zeros_like(outputs[1])] if len(outputs) == 2 else outputs)


@_mistake(
    "directions",
    "directions-exchanged",
    "with the weights of forward and backward exchanged",
    "weights loaded by position from a list in another order",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _exchanged(case, _both(case.network))


@_mistake(
    "directions",
    "forward-weights-for-both",
    "with the forward weights in both directions",
    "one layer used twice, where each direction has its own weights",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _exchanged(case, _both(case.network), one_way=True)


@_mistake(
    "directions",
    "backward-weights-for-both",
    "with the backward weights in both directions",
    "the second set of weights loaded over the first",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _exchanged(case, [(b, a) for a, b in _both(case.network)], one_way=True)


def _with_states(case: NetworkCase, order: Callable[[Layer | Bidirectional, list[int]], Sequence[int]]) -> NetworkCase:
    """Give every layer its initial states in another order, where they fit."""

    def given(call: Call) -> Call:
        states, first = list(call.states), 0
        for layer in case.network.layers:
            if layer.initial_state:
                own = range(first, first + sum(len(direction.cells) for direction in layer.directions))
                for at, taken in zip(own, order(layer, list(own)), strict=True):
                    if call.states[at].shape == call.states[taken].shape:
                        states[at] = call.states[taken]
                first = own.stop
        return call.replace(states=tuple(states))

    return _each_call(case, given)


@_mistake(
    "directions",
    "initial-states-of-directions-exchanged",
    "with the initial states of forward and backward exchanged",
    "states in another order than Keras's, which is forward before backward",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _with_states(case, lambda a, own: own[len(own) // 2 :] + own[: len(own) // 2] if _two_way(a) else own)


@_mistake(
    "directions",
    "initial-state-of-backward-ignored",
    "with the initial state of the backward layer ignored (it starts from zeros)",
    "one initial state is passed on where there are two",
)
def _(case: NetworkCase) -> NetworkCase | None:
    kept = [
        not direction.go_backwards or isinstance(layer, Layer)
        for layer in case.network.layers
        if layer.initial_state
        for direction in layer.directions
        for _ in direction.cells
    ]
    return _each_call(
        case,
        lambda call: call.replace(
            states=tuple(h if keep else np.zeros_like(h) for h, keep in zip(call.states, kept, strict=True))
        ),
    )


@_mistake(
    "directions",
    "forward-state-for-both",
    "with the forward initial state in both directions",
    "one initial state where there are two",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _with_states(case, lambda a, own: own[: len(own) // 2] * 2 if _two_way(a) else own)


def _two_way(layer: Layer | Bidirectional) -> bool:
    return isinstance(layer, Bidirectional) and len({d.cells for d in layer.directions}) == 1


# ------------------------------------------------------------------------------------------------------------ stack


def _register_exchanged_layers() -> None:
    def exchanged(case: NetworkCase, a: int) -> NetworkCase | None:
        return _exchanged(case, [(f"layer{a}/", f"layer{a + 1}/")])

    def turned(case: NetworkCase) -> NetworkCase | None:
        last = len(case.network.layers) - 1
        return _exchanged(case, [(f"layer{i}/", f"layer{last - i}/") for i in range((last + 1) // 2)])

    _mistake(
        "stack",
        "layers-reversed",
        "with the weights of its layers in reverse order (as far as the shapes fit)",
        "weights loaded by position from a list in another order",
    )(turned)
    for a in range(2):
        _mistake(
            "stack",
            f"layers-{a}-and-{a + 1}-exchanged",
            f"with the weights of layer{a} and layer{a + 1} exchanged",
            "weights loaded by name from layers that were numbered in another order",
        )(partial(exchanged, a=a))


_register_exchanged_layers()


@_wrong(
    "stack",
    "every-layer-gets-the-input",
    "with the model's input in every layer, not the output of the layer before",
    "the wrong variable passed on; only possible where the layer before has as many units as there are features",
)
class _GetsInput(Wiring):
    def feeds(self, i: int, seen: list[Array], case: NetworkCase) -> Array:
        if seen[0].shape != seen[-1].shape:
            raise Unmade
        return seen[0]


@_wrong(
    "stack",
    "residual-added",
    "with the input of a layer added to its output",
    "a residual connection that the model does not have; only possible where a layer has as many units as features",
)
class _Residual(Wiring):
    def passes_on(self, i: int, output: Array, x: Array) -> Array:
        if output.shape == x.shape:
            return output + x
        return output + x[:, -1] if output.shape == x[:, -1].shape else output


@_wrong(
    "stack",
    "state-passed-to-next-layer",
    "with each layer starting from the final state of the layer before",
    "one state variable for all layers, which is set to zeros before the first",
)
class _SharedState(Wiring):
    def starts(self, given: Any, kept: Any, finals: Any) -> Any:
        return super().starts(given, kept, finals) if finals is None else finals


@_mistake(
    "stack",
    "first-initial-state-for-all",
    "with the first layer's initial state in every layer",
    "one initial state where there are several",
)
def _(case: NetworkCase) -> NetworkCase | None:
    def given(call: Call) -> Call:
        states = [call.states[0] if s.shape == call.states[0].shape else s for s in call.states]
        return call.replace(states=tuple(states))

    return _each_call(case, given) if case.calls[0].states else None


@_mistake(
    "stack",
    "initial-states-reversed",
    "with its initial states in reverse order (as far as the shapes fit)",
    "states given to the last layer first",
)
def _(case: NetworkCase) -> NetworkCase | None:
    def given(call: Call) -> Call:
        back = [b if b.shape == a.shape else a for a, b in zip(call.states, call.states[::-1], strict=True)]
        return call.replace(states=tuple(back))

    return _each_call(case, given)


@_wrong(
    "stack",
    "only-last-step-passed-on",
    "with only the last step passed on from layer to layer",
    "`return_sequences` forgotten in a layer that another follows",
)
class _LastStepOnly(Wiring):
    def feeds(self, i: int, seen: list[Array], case: NetworkCase) -> Array:
        if case.network.layers[-1].return_sequences:
            raise Unmade
        return seen[-1][:, -1:] if i else seen[-1]

    def masks(self, i: int, masks: list[Array], layers: Sequence[Layer | Bidirectional]) -> Array:
        return np.ones_like(masks[-1][:, -1:]) if i else masks[-1]


@_wrong(
    "stack",
    "a-layer-left-out",
    "with a layer that fits left out (what it gets is passed on)",
    "a loop over the layers that begins or ends one off",
)
class _LeftOut(Wiring):
    def passes_on(self, i: int, output: Array, x: Array) -> Array:
        if output.shape == x.shape:
            return x
        return x[:, -1] if output.shape == x[:, -1].shape else output


@_wrong(
    "stack",
    "first-output-taken",
    "with the output of the first step in the place of the last",
    "`output[:, 0]`, or a sequence in the other order",
)
class _FirstOutput(Wiring):
    def ends(self, j: int, outputs: Array) -> Array:
        return outputs[:, 0]


# ------------------------------------------------------------------------------------------------------------ cells


def _stacked(network: Network) -> Iterator[tuple[str, int]]:
    for i, layer in enumerate(network.layers):
        for j, direction in enumerate(layer.directions):
            if len(direction.cells) > 1:
                yield _prefix(network, Place(i, j, 0)).removesuffix("cell0/"), len(direction.cells)


@_mistake(
    "cells",
    "cells-reversed",
    "with the weights of its stacked cells in reverse order (as far as the shapes fit)",
    "cells counted from the output down",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _exchanged(
        case,
        [
            (f"{prefix}cell{k}/", f"{prefix}cell{count - 1 - k}/")
            for prefix, count in _stacked(case.network)
            for k in range(count // 2)
        ],
    )


@_mistake(
    "cells",
    "initial-states-of-cells-exchanged",
    "with the initial states of its stacked cells in reverse order",
    "cells counted from the output down",
)
def _(case: NetworkCase) -> NetworkCase | None:
    def order(layer: Layer | Bidirectional, own: list[int]) -> list[int]:
        taken: list[int] = []
        first = own[0]
        for direction in layer.directions:
            end = first + len(direction.cells)
            taken += range(end - 1, first - 1, -1)
            first = end
        return taken

    return _with_states(case, order)


@_wrong(
    "cells",
    "upper-cell-one-step-late",
    "with each stacked cell getting the output of the one below from the step before",
    "all cells are updated at once, from the states of the last step",
)
class _OneStepLate(Wiring):
    def climbs(self, x: Array) -> Array:
        return np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


# ------------------------------------------------------------------------------------------------------------- head


def _headed(case: NetworkCase, **changes: Callable[[Array], Array]) -> NetworkCase | None:
    own = case.part("head")
    return case.with_weights(**{f"head/{name}": change(own[name]) for name, change in changes.items() if name in own})


@_mistake("head", "bo-dropped", "without the bias `bo` of the head", "forgotten")
def _(case: NetworkCase) -> NetworkCase | None:
    return _headed(case, bo=np.zeros_like)


@_mistake("head", "bo-doubled", "with the bias `bo` of the head counted twice", "added twice")
def _(case: NetworkCase) -> NetworkCase | None:
    return _headed(case, bo=lambda bo: 2 * bo)


@_mistake(
    "head",
    "Wo-memory-order",
    "with `Wo` read in the other memory order (where it is square that is transposed)",
    "a buffer written row by row and read column by column, or PyTorch's `Linear.weight`",
)
def _(case: NetworkCase) -> NetworkCase | None:
    return _headed(case, Wo=lambda Wo: Wo.reshape(Wo.shape[::-1]).T)


@_mistake("head", "Wo-rows-reversed", "with the units of `Wo` (rows) reversed", "units kept in another order")
def _(case: NetworkCase) -> NetworkCase | None:
    return _headed(case, Wo=lambda Wo: Wo[::-1])


def _with_head_activation(case: NetworkCase, activation: Any) -> NetworkCase | None:
    head = case.network.head
    if head is None:
        return None
    changed = Head(head.K, activation, head.use_bias, head.distributed, head.trainable)
    return case.replace(network=case.network.replace(head=changed))


@_mistake("head", "head-activation-ignored", "without the activation of the head", "logits taken for the output")
def _(case: NetworkCase) -> NetworkCase | None:
    return _with_head_activation(case, "linear")


@_mistake(
    "head",
    "activation-on-head",
    "with the recurrent activation applied to the head as well",
    "one activation for all layers",
)
def _(case: NetworkCase) -> NetworkCase | None:
    head = case.network.head
    if head is None or head.activation.name != "linear":
        return None
    return _with_head_activation(case, case.network.layers[-1].directions[0].activation)


class _HeadOverAxis(Wiring):
    """The activation of the head, where it is of a whole axis, over another one."""

    axis: int

    def heads(self, head: Head, a: Array) -> Array:
        if head.activation.per_term is None or a.ndim <= self.axis:
            raise Unmade
        return np.moveaxis(np.asarray(head.activation(np.moveaxis(a, self.axis, -1))), -1, self.axis)


@_wrong(
    "head",
    "head-of-last-step-for-all",
    "with the head's output of the last step in every step",
    "a head that is applied once, and repeated",
)
class _LastRepeated(Wiring):
    def heads(self, head: Head, a: Array) -> Array:
        if a.ndim == 2:
            raise Unmade
        return super().heads(head, np.repeat(a[:, -1:], a.shape[1], axis=1))


@_wrong("head", "softmax-over-time", "with the head's softmax over the steps, not the outputs", "the wrong axis")
class _OverTime(_HeadOverAxis):
    axis = 1

    def heads(self, head: Head, a: Array) -> Array:
        if a.ndim == 2:
            raise Unmade
        return super().heads(head, a)


@_wrong("head", "softmax-over-samples", "with the head's softmax over the samples, not the outputs", "the wrong axis")
class _OverSamples(_HeadOverAxis):
    axis = 0


# ------------------------------------------------------------------------------------------------------------ calls


@_wrong("calls", "calls-in-other-order", "with its calls made in the other order", "a queue that is a stack")
class _CallsReversed(Wiring):
    def order(self, calls: int) -> Sequence[int]:
        return range(calls)[::-1]


# ---------------------------------------------------------------------------------------------------------- numbers


def _register_arithmetics() -> None:
    for precision, how in (
        (Precision.bfloat16, "a mixed-precision policy, or a fast-math mode of the matrix library"),
        (Precision.float16, "a policy of 16 bits, or a model converted to half precision"),
    ):
        CATALOGUE.append(
            NetworkMistake(
                f"computed-in-{precision.name}",
                f"computed in {precision.name}",
                how,
                "numbers",
                lambda case: case if case.network.compute_dtype == "float32" else None,
                precision=precision,
            )
        )


_register_arithmetics()


# ------------------------------------------------------------------------------------ the plain mistakes, in a place

#: Groups of the plain catalogue that may be about one recurrence's weights or activation.
_LIFTED = ("weights", "bias", "recurrence", "activation", "numbers")


class _WrongCell(Wiring):
    """A cell whose step is wrong, in one place or in all."""

    def __init__(self, cell: SimpleRNN, where: Place | None) -> None:
        self.cell, self.where = cell, where

    def cell_at(self, place: Place) -> SimpleRNN:
        return self.cell if self.where in (None, place) else RIGHT.cell


def _alone(case: NetworkCase, place: Place) -> Case:
    """One recurrence as a plain case, on inputs that no mistake can change."""
    direction, w = _at(case, place)
    F, M = w.Wx.shape
    dtype = "float64" if case.network.variable_dtype == "float64" else "float32"
    return Case(Spec(F, M, 1, direction.activation, dtype), np.zeros((1, 1, F)), *w, Wo=np.ones((M, 1)), bo=np.zeros(1))


def _lifts(plain: Mistake) -> bool:
    """Whether a plain mistake is one of weights, activation or step, and of nothing else of its case."""
    return (
        plain.group in _LIFTED
        and not plain.head_only
        and plain.precision is None
        and plain.name
        not in (
            "bh-and-bo-swapped",  # is about the head as well
            "previous-input-for-state",  # the next four are about the inputs
            "inputs-to-float16",
            "inputs-to-integers",
            "inputs-clipped",
            "NaN-swallowed",
            "flushed-to-zero",
        )
    )


def _wrong_cell(plain: Mistake) -> SimpleRNN | None:
    """The wrong cell that a plain mistake is, if it is one."""
    if plain.group not in ("bias", "recurrence"):
        return None
    changed = plain(
        Case(Spec(1, 1, 1), np.zeros((1, 1, 1)), *(np.ones(shape) for shape in ((1, 1), (1, 1), 1, (1, 1), 1)))
    )
    return None if changed is None or type(changed.spec.cell) is SimpleRNN else changed.spec.cell


def _made_in(case: NetworkCase, plain: Mistake, where: Sequence[Place] | None = None) -> NetworkCase | None:
    """Make a plain mistake in some places, or in all, as far as it can be made there."""
    network = case.network
    weights: dict[str, Array] = {}
    own = list(places(network))  # a case of another network may lack the place
    for place in own if where is None else [place for place in where if place in own]:
        alone = _alone(case, place)
        changed = plain(alone)
        direction = network.layers[place.layer].directions[place.direction]
        if changed is None or (changed.bh.any() and not direction.use_bias):
            continue
        prefix = _prefix(network, place)
        names = ("Wx", "Wh", "bh") if direction.use_bias else ("Wx", "Wh")
        weights |= {f"{prefix}{name}": getattr(changed, name) for name in names}
        if changed.spec.activation is not alone.spec.activation and place.cell == 0:
            network = _with_activation(network, place, changed.spec.activation)
    return case.replace(network=network).with_weights(**weights)


def _with_activation(network: Network, place: Place, activation: Activation) -> Network:
    """Give one direction of one layer another activation; its cells have theirs in common."""
    layer = network.layers[place.layer]
    if isinstance(layer, Layer):
        return network.with_layer(place.layer, layer.replace(activation=activation))
    both = [layer.forward, layer.backward or layer.forward]
    both[place.direction] = both[place.direction].replace(activation=activation)
    return network.with_layer(place.layer, layer.replace(forward=both[0], backward=both[1]))


def _nothing() -> tuple[Array, ...]:
    """Weights of one unit, all zeros: Wh, bh, Wo, bo."""
    return np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1)


def _in_all_weights(case: NetworkCase, plain: Mistake) -> NetworkCase | None:
    """Make a mistake that is about the numbers of the weights in all of them, those of head and embedding too."""

    def changed(a: Array) -> Array:
        dtype = "float64" if case.network.variable_dtype == "float64" else "float32"
        column = Case(Spec(a.size, 1, 1, dtype=dtype), np.zeros((1, 1, a.size)), a.reshape(-1, 1), *_nothing())
        made = plain(column)
        return a if made is None else made.Wx.reshape(a.shape)

    return case.replace(weights=tuple(map(changed, case.weights)))


def everywhere() -> Iterator[NetworkMistake]:
    """Yield the mistakes of the plain catalogue that can be made in every recurrence of a network alike."""
    for plain in filter(_lifts, PLAIN):
        if (cell := _wrong_cell(plain)) is not None:
            yield NetworkMistake(plain.name, plain.says, plain.how, plain.group, wiring=_WrongCell(cell, None))
        elif plain.name.startswith("weights-to-") or plain.name == "byte-order":
            yield NetworkMistake(plain.name, plain.says, plain.how, plain.group, partial(_in_all_weights, plain=plain))
        else:
            change = partial(_made_in, plain=plain)
            yield NetworkMistake(plain.name, plain.says, plain.how, plain.group, change)


def placed(network: Network, only: Callable[[Place], bool] = lambda place: True) -> Iterator[NetworkMistake]:
    """Yield the mistakes of the plain catalogue, each made in one place of a network that has several.

    Parameters
    ----------
    only : callable
        Which places to make them in.
    """
    where = list(places(network))
    if len(where) < 2:
        return
    for place in filter(only, where):
        for plain in filter(_lifts, PLAIN):
            # The cells of a layer have one activation in common.
            shared = plain.group == "activation" or plain.name.startswith("state-in-")
            if shared and place.cell:
                continue
            address = place.within(network, shared)
            cell = _wrong_cell(plain)
            yield NetworkMistake(
                ".".join([*address, plain.name]),
                f"{plain.says} (in {', '.join(address)})",
                plain.how,
                plain.group,
                None if cell is not None else partial(_made_in, plain=plain, where=[place]),
                RIGHT if cell is None else _WrongCell(cell, place),
            )
