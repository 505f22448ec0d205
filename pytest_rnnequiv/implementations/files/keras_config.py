"""The architecture of a Keras model, read from its configuration: layers by name, and options, of Keras 2 and 3.

Layers that do nothing at inference, such as ``Dropout``, are skipped. An ``Activation`` behind a ``Dense`` without one
is that of the ``Dense``; several of these are one head. A model inside of a model is its layers. What a spec cannot
hold is refused in a sentence that names the layer; each recurrent layer can be read by itself, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arithmetic.activations import HARD_SIGMOID_OF_KERAS_2, Activation, activation
from ...cells import CELLS
from ...cells.cell import Cell
from ...model.layers import LAYERS, RNN, Bidirectional, Dense
from ...model.spec import POLICIES, Layer, Spec
from ..errors import ImplementationError
from .model import PARTS, RECURRENT_ONLY, Model, Part, by_name, model_of

__all__ = ["SHAPES", "Entry", "Reader", "chain", "entries_of", "inside_of", "read", "refuse_code", "with_states"]

Array = npt.NDArray[Any]

RECURRENT = (*LAYERS, "RNN", "Bidirectional")

#: Layers that do nothing at inference.
IDLE = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "InputLayer",
    "SpatialDropout1D",
)

#: Layers that apply a function, and the options under which it is the one of that name.
FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "ELU": ("elu", {"alpha": 1.0}),
    "ReLU": ("relu", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "Softmax": ("softmax", {"axis": -1}),
}

#: Options of a recurrent layer that are those of the spec's, and are off where nothing is said.
FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")

#: Where Keras's own layers come from. Another module's class of the same name is another layer.
KERAS = ("keras", "tf_keras", "tensorflow")

#: Refused before all else, and why.
CODE = {
    "Lambda": "runs code that the file brings, which is never done here",
    "TFOpLambda": "calls whatever function the file names, which is never done here",
    "TFSMLayer": "runs another file that this one names, which is never done here",
}


@dataclass(frozen=True, eq=False)
class Entry:
    """A layer of a configuration."""

    kind: str
    config: Mapping[str, Any]
    name: str
    sources: list[list[str]] = field(default_factory=list)
    """The layers on which it is called, in each of its calls; empty in a Sequential."""
    number: int = 0
    """How many layers of its class stand before it in its model."""
    within: tuple[Entry, ...] = ()
    """The models in which it lies inside of the whole one, from the outermost on."""
    refused: str = ""
    """Why it is not read, where it is code or somebody's own."""
    nodes: Sequence[Any] = ()
    """The records of its calls, as they stand in the file."""

    def __str__(self) -> str:
        return self.kind if not self.name else f"{self.kind} ({self.name})"


def _entry(record: Mapping[str, Any]) -> Entry:
    """Take down what the record of a layer says, and whether it is one of Keras's own layers."""
    kind, config = str(record.get("class_name")), record.get("config")
    if not isinstance(config, Mapping):
        config = {}
    entry = Entry(
        kind,
        config,
        str(record.get("name") or config.get("name") or ""),
        [list(_sources(node)) for node in record.get("inbound_nodes") or ()],
        nodes=record.get("inbound_nodes") or (),
    )
    if kind in CODE:
        return replace(entry, refused=f"its {entry} {CODE[kind]}")
    registered, module = record.get("registered_name"), record.get("module")
    if registered not in (None, kind) or str(module or "keras").partition(".")[0] not in KERAS:
        return replace(
            entry,
            refused=f"its {entry} is no layer of Keras but {registered or module!r}, a class of somebody's own: what "
            "it computes is not known, and code that a file names is not run",
        )
    return entry


def refuse_code(entries: Iterable[Entry], hint: str = "") -> None:
    """Refuse layers that are code, or classes of the user's own."""
    for entry in entries:
        if entry.refused:
            raise ImplementationError(entry.refused + hint)


def inside_of(record: Mapping[str, Any]) -> Entry:
    """Read the record of what a layer has inside."""
    entry = _entry(record)
    refuse_code([entry])
    return entry


# ---- the layers in their order ----


#: Models that say their layers, by the names of their classes; the last one before Keras 2.3.
MODELS = ("Sequential", "Functional", "Model")


def chain(config: Any, part: Part = "whole") -> list[Entry]:
    """Return the layers of a model, each of which is called once on the one before.

    Parameters
    ----------
    config : mapping
        ``{"class_name": ..., "config": ...}``, as Keras writes it.
    part : str
        Where it is the name of a layer, that one alone, wherever it stands.

    Raises
    ------
    ImplementationError
        If the model says no layers, or they are no chain.
    """
    if part not in PARTS:
        return [_named(_all(config), part)]
    ordered = []
    said = config.get("config") if isinstance(config, Mapping) else None
    entries = list(entries_of(config))
    if part == "whole":
        refuse_code(entries, f". {RECURRENT_ONLY}")
    if isinstance(said, Mapping) and any(entry.sources for entry in entries):
        entries = _in_order(entries, list(_sources(said.get("output_layers"))), _recurrent_names(config))
    for entry in entries:
        if entry.kind not in MODELS:
            ordered.append(entry)
            continue
        ordered += _moved_into(entry, chain({"class_name": entry.kind, "config": entry.config}, part))
    return ordered


def entries_of(config: Any) -> Iterator[Entry]:
    """Yield the layers of a model, and the models inside as one each, in the order in which they are listed."""
    kind, inner = (config.get("class_name"), config.get("config")) if isinstance(config, Mapping) else (None, None)
    records = inner if isinstance(inner, list) else (inner or {}).get("layers")  # a list before Keras 2.3
    if not isinstance(records, list):
        raise ImplementationError(
            f"what a {kind} computes is not known: only Sequential and functional models say their layers"
        )
    seen: dict[str, int] = {}
    for record in records:
        entry = _entry(record)
        yield replace(entry, number=seen.get(entry.kind, 0))
        seen[entry.kind] = seen.get(entry.kind, 0) + 1


def _all(config: Any) -> Iterator[Entry]:
    """Yield all layers of a model and of those inside of it, however they are connected."""
    for entry in entries_of(config):
        if entry.kind in MODELS:
            yield from _moved_into(entry, _all({"class_name": entry.kind, "config": entry.config}))
        else:
            yield entry


def _moved_into(model: Entry, entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield replace(entry, within=(model, *entry.within))


def _recurrent_names(config: Any) -> list[str]:
    return [entry.name for entry in _all(config) if entry.kind in RECURRENT]


def _named(entries: Iterable[Entry], name: str) -> Entry:
    """Pick the recurrent layer of a name, given with its states where the model calls it so."""
    layers = [entry for entry in entries if entry.kind in RECURRENT]
    for entry in layers:
        if entry.name == name:
            return entry
    names = ", ".join(entry.name for entry in layers) or "none"
    raise ImplementationError(f"it has no recurrent layer of the name {name!r}; it has {names}")


def _in_order(entries: list[Entry], ends: list[str], names: list[str]) -> list[Entry]:
    """Follow a functional model from its input on; `names` are those of its recurrent layers."""
    alone = by_name(names)
    inputs = [entry for entry in entries if entry.kind == "InputLayer"]
    if len(inputs) != 1:
        given = ", ".join(entry.name for entry in inputs)
        raise ImplementationError(
            f"it has {len(inputs)} inputs ({given}), and a chain of layers has one: initial states, masks and second "
            f"inputs are not read off a file{alone}"
        )
    ordered, left = inputs, [entry for entry in entries if entry.kind != "InputLayer"]
    for entry in left:
        if len(entry.sources) != 1 or len(set(entry.sources[0])) != 1:
            called = f"{len(entry.sources)} times" if len(entry.sources) != 1 else f"on {len(entry.sources[0])} tensors"
            raise ImplementationError(
                f"its {entry} is called {called}, and in a chain each layer is called once, on the one before{alone}"
            )
    while left:
        following = [entry for entry in left if entry.sources[0][0] == ordered[-1].name]
        if len(following) != 1:
            others = " and ".join(map(str, following)) or "nothing"
            raise ImplementationError(
                f"behind its {ordered[-1]} comes {others}, and in a chain each layer is called once, on the one "
                f"before{alone}"
            )
        ordered = [*ordered, following[0]]
        left.remove(following[0])
    if {*ends} - {ordered[-1].name}:
        raise ImplementationError(f"its outputs are those of {', '.join(ends)}, and those of a chain come last{alone}")
    return ordered


def _sources(node: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a call is given, wherever they stand in its record."""
    if isinstance(node, Mapping):
        history = node.get("config", {}).get("keras_history") if isinstance(node.get("config"), Mapping) else None
        for each in [history] if history else node.values():
            yield from _sources(each)
    elif isinstance(node, (list, tuple)):
        if len(node) >= 3 and isinstance(node[0], str) and all(isinstance(i, int) for i in node[1:3]):
            yield node[0]
            node = node[3:]
        for each in node:
            yield from _sources(each)


# ---- what they are ----


def read(
    entries: Sequence[Entry], weights: Callable[[Entry], Sequence[Array]], version: str = "", part: Part = "whole"
) -> Model:
    """Make a spec of a chain of layers, and put its weights into order.

    Parameters
    ----------
    entries : sequence of Entry
    weights : callable
        Gives the arrays of a layer, in the order of its ``get_weights()``.
    version : str
        The Keras that wrote it; functions of one name have changed.
    part : str
        ``"whole"``, ``"recurrent"``, or the name of the only layer.

    Raises
    ------
    ImplementationError
        If a spec cannot hold such a model, or the arrays do not fit; the message names the layer.
    """
    reader = Reader(version)
    shape = next((entry.config.get(key) for entry in entries[:1] for key in SHAPES if entry.config.get(key)), None)
    working = [each for each in entries if each.refused or not (each.kind in IDLE or reader.is_identity(each))]
    places = [i for i, entry in enumerate(working) if entry.kind in RECURRENT]
    if not places:
        kinds = " -> ".join(map(str, working)) or "empty"
        raise ImplementationError(f"it has no recurrent layer of {', '.join(RECURRENT)}: it is {kinds}")
    before, layers, behind = working[: places[0]], working[places[0] : places[-1] + 1], working[places[-1] + 1 :]
    refuse_code(layers)
    for entry in layers:
        if entry.kind not in RECURRENT:
            raise ImplementationError(
                f"its {entry} stands between recurrent layers, and a Spec has nothing but recurrent layers there"
                + by_name([each.name for each in layers if each.kind in RECURRENT])
            )
    source, options = reader.source(before, part)
    made = tuple(reader.layer(entry) for entry in layers)
    if part not in PARTS and _given_states(layers[0], made[0]):
        made = (with_states(made[0]),)
    masked = options.get("source") in ("masking", "embedding with mask") and made[-1].return_sequences
    head = reader.head(behind, masked) if part == "whole" else {}
    arrays = {entry: list(weights(entry)) for entry in [*source, *layers, *head]}
    flat = [array for each in arrays.values() for array in each]
    kernel = arrays[layers[0]][0] if arrays[layers[0]] else np.zeros(0)
    if any(layer.stateful for layer in made):
        options["N"] = _at(shape, 0)
    if any(layer.unroll for each in made for layer in each.directions):
        options["T"] = _at(shape, 1)
    try:
        D = options.pop("D", kernel.shape[0] if kernel.ndim == 2 else 0)
        spec = Spec(D, made, tuple(head.values()) or None, dtype=reader.policy(layers, kernel), **options)
    except (TypeError, ValueError) as error:
        raise ImplementationError(f"its layers are not covered: {error}") from None
    return model_of(spec, flat)


SHAPES = ("batch_shape", "batch_input_shape")


def _given_states(entry: Entry, layer: Layer) -> bool:
    """Whether a model calls a layer on as many tensors more than its input as it has states."""
    states = sum(len(direction.state_units) for direction in layer.directions)
    return any(len(tensors) == 1 + states for tensors in entry.sources)


def with_states(layer: Layer) -> Layer:
    """Return a layer that is given its states to begin with."""
    if isinstance(layer, RNN):
        return layer.replace(initial_state=True)
    backward = layer.backward and layer.backward.replace(initial_state=True)
    return layer.replace(forward=layer.forward.replace(initial_state=True), backward=backward)


def _at(shape: Any, i: int) -> int | None:
    found = shape[i] if isinstance(shape, (list, tuple)) and len(shape) > i else None
    return found if isinstance(found, int) else None


class Reader:
    """Reads layers of one model."""

    def __init__(self, version: str) -> None:
        self.old = version.partition(".")[0] in ("1", "2")

    # ---- functions ----

    def function(self, given: Any, entry: Entry) -> Activation:
        """Look up a layer's activation."""
        if isinstance(given, Mapping):
            inner = given.get("config")
            what = f"the function {inner!r}" if isinstance(inner, str) else "which is stored as code"
            raise ImplementationError(
                f"its {entry} has an activation of the user's own, {what}: what a file names is not run; give model = "
                "(Spec, weights) with an Activation that says what is known of it"
            )
        if given == "hard_sigmoid" and self.old:
            return HARD_SIGMOID_OF_KERAS_2
        try:
            return activation(given)
        except ValueError as error:
            raise ImplementationError(f"its {entry}: {error}") from None

    def applied(self, entry: Entry, masked: bool) -> Activation | None:
        """The function that a layer applies and does nothing else; None if it does more."""
        if entry.kind == "Activation":
            return self.function(entry.config.get("activation"), entry)
        if entry.kind == "Softmax" and masked:  # the layer takes the mask of the steps for one of its features
            return None
        name, wanted = FUNCTIONS.get(entry.kind, (None, {}))
        if name is None or any(entry.config.get(key, value) != value for key, value in wanted.items()):
            return None
        return activation(name)

    def is_identity(self, entry: Entry) -> bool:
        """Whether a layer applies the identity."""
        return entry.kind == "Activation" and entry.config.get("activation") in (None, "linear")

    # ---- before the recurrent layers ----

    def source(self, before: list[Entry], part: Part) -> tuple[list[Entry], dict[str, Any]]:
        """What inputs and mask come from: the entries that have weights, and the options of the spec."""
        if not before:
            return [], {}
        if len(before) == 1 and before[0].kind == "Masking":
            return [], {"source": "masking", "mask_value": float(before[0].config.get("mask_value", 0.0))}
        if len(before) == 1 and before[0].kind == "Embedding":
            config = before[0].config
            source = "embedding with mask" if config.get("mask_zero") else "embedding"
            return before, {"source": source, "vocabulary": config["input_dim"], "D": config["output_dim"]}
        if part == "recurrent":
            return [], {}
        other = next((entry for entry in before if entry.kind not in ("Masking", "Embedding")), before[-1])
        raise ImplementationError(
            f"its {other} stands before the recurrent layers, where a Spec has a Masking or an Embedding, and nothing "
            f"else: {RECURRENT_ONLY}"
        )

    # ---- the recurrent layers ----

    def layer(self, entry: Entry) -> Layer:
        """Make the layer of the spec."""
        try:
            return self._bidirectional(entry) if entry.kind == "Bidirectional" else self._recurrent(entry)
        except (TypeError, ValueError, KeyError) as error:
            what = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise ImplementationError(f"its {entry}: {what}") from None

    def _recurrent(self, entry: Entry, without: Sequence[str] = ()) -> RNN:
        config = entry.config
        if config.get("time_major"):
            raise ImplementationError(f"its {entry} has time_major=True, which Keras 3 has no more: a Spec has none")
        flags = {name: bool(config.get(name, False)) for name in FLAGS if name not in without}
        if entry.kind == "RNN":
            return self._cells(entry, flags)
        if entry.kind not in LAYERS:
            raise ImplementationError(f"its {entry} is no layer of {', '.join(LAYERS)} and RNN")
        kind = LAYERS[entry.kind]
        options = {"use_bias": bool(config.get("use_bias", True)), "cell": self._cell(kind.kind, entry)}
        return kind(config["units"], self.function(config.get("activation"), entry), **options, **flags)

    def _cell(self, kind: type[Cell], entry: Entry) -> Cell:
        options: dict[str, Any] = {}
        if "recurrent_activation" in entry.config:
            options["recurrent_activation"] = self.function(entry.config["recurrent_activation"], entry)
        if kind.name == "GRU":
            options["reset_after"] = bool(entry.config.get("reset_after", not self.old))  # before 2.1 there was none
        return kind(**options)

    def _cells(self, entry: Entry, flags: dict[str, bool]) -> RNN:
        record = entry.config["cell"]
        stacked = isinstance(record, Mapping) and record.get("class_name") == "StackedRNNCells"
        records = record["config"]["cells"] if stacked else [record]
        cells = [inside_of(each) for each in records]
        kinds, units, shared = [], [], set()
        for cell in cells:
            name = cell.kind.removesuffix("Cell")
            if name not in CELLS or cell.kind == name:
                raise ImplementationError(
                    f"its {entry} has a {cell.kind}, and only {', '.join(f'{each}Cell' for each in CELLS)} are known"
                )
            kinds.append(self._cell(CELLS[name], cell))
            units.append(cell.config["units"])
            shared.add((self.function(cell.config.get("activation"), cell), bool(cell.config.get("use_bias", True))))
        if len(shared) != 1:
            raise ImplementationError(
                f"the cells of its {entry} differ in activation or use_bias, and those of a Spec share them"
            )
        (function, use_bias) = shared.pop()
        of = (tuple(units), tuple(kinds)) if stacked else (units[0], kinds[0])
        return RNN(of[0], function, use_bias=use_bias, cell=of[1], **flags)

    def _bidirectional(self, entry: Entry) -> Bidirectional:
        config, without = entry.config, ("zero_output_for_mask", "go_backwards")  # the wrapper decides on both
        forward = self._recurrent(inside_of(config["layer"]), without)
        if config["layer"]["config"].get("go_backwards"):
            raise ImplementationError(f"its {entry} wraps a layer with go_backwards=True, which Keras refuses")
        given = config.get("backward_layer")
        backward = forward if given is None else self._recurrent(inside_of(given), without)
        return Bidirectional(forward, None if backward == forward else backward, config.get("merge_mode"))

    # ---- behind them ----

    def head(self, behind: list[Entry], masked: bool) -> dict[Entry, Dense]:
        """The Dense layers behind the recurrent ones, by the entries that have their weights."""
        found: dict[Entry, Dense] = {}
        left = [*behind]
        while left:
            entry = left.pop(0)
            dense, distributed = self._dense(entry, [*found])
            function = self.function(dense.config.get("activation"), dense)
            if function.name == "linear" and left and (folded := self.applied(left[0], masked)) is not None:
                function, left = folded, left[1:]
            use_bias = bool(dense.config.get("use_bias", True))
            try:
                found[entry] = Dense(dense.config["units"], function, use_bias, distributed)
            except (TypeError, ValueError, KeyError) as error:
                raise ImplementationError(f"its {entry}: {error}") from None
        return found

    def _dense(self, entry: Entry, before: list[Entry]) -> tuple[Entry, bool]:
        """The Dense layer that an entry is or distributes over the steps, and whether it does."""
        distributed = entry.kind == "TimeDistributed"
        dense = inside_of(entry.config["layer"]) if distributed else entry
        if dense.kind == "Dense":
            return dense, distributed
        what = f"a {entry.kind}({dense.kind})" if distributed else f"{entry}"
        where = f"its {before[-1]}" if before else "its recurrent layers"
        raise ImplementationError(
            f"behind {where} stands {what}, where a Spec has Dense layers, also in TimeDistributed, each with its "
            f"activation, and nothing else: {RECURRENT_ONLY}"
        )

    # ---- its numbers ----

    def policy(self, layers: Sequence[Entry], kernel: Array) -> str:
        """The dtype policy of the recurrent layers."""
        found = {_policy(entry.config.get("dtype")) or str(kernel.dtype) for entry in layers}
        if len(found) > 1:
            raise ImplementationError(f"its recurrent layers compute in {' and '.join(sorted(found))}: a Spec in one")
        (name,) = found
        if name not in POLICIES:
            raise ImplementationError(f"its layers compute under the policy {name}: known are {', '.join(POLICIES)}")
        return name


def _policy(given: Any) -> str | None:
    if isinstance(given, Mapping):
        inner = given.get("config")
        given = inner.get("name") if isinstance(inner, Mapping) else None
    return given if isinstance(given, str) else None
