"""What a model is: layers of cells, both directions, a head, a source of masks, a dtype; and the parameter law.

The notebook's model, ``Input(T, D) -> SimpleRNN(M) -> Dense(K)``, is the smallest one: :meth:`Spec.simple` makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arithmetic.activations import Activation
from ..arithmetic.precision import Precision
from ..cells.cell import BEYOND_KERAS, Cell
from .layers import LAYERS, RNN, Bidirectional, Dense, SimpleRNN
from .sizes import size

__all__ = ["BEYOND_KERAS", "OPTIONS", "POLICIES", "Place", "Spec"]

#: Keras's dtype policies: the numbers of the weights, and those that are computed with.
POLICIES: dict[str, tuple[str, str]] = {
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "mixed_float16": ("float32", "float16"),
    "mixed_bfloat16": ("float32", "bfloat16"),
}
#: Where the mask comes from: nowhere, ``Masking``, ``Embedding(mask_zero=True)``, the argument ``mask``; ``embedding``
#: is one without a mask.
SOURCES = ("input", "masking", "mask", "embedding", "embedding with mask")

#: What a model of Keras may have beyond a plain layer and a plain head, by the names under which a port says that it
#: heeds it; what other runtimes have, :data:`~..cells.cell.BEYOND_KERAS` lists.
#: ``bidirectional`` is also ``merge_mode`` and ``backward_layer``, ``dropout`` is also ``recurrent_dropout``; said
#: alone, a part brings only itself. ``hidden`` are Dense layers before the head. ``T`` and ``N`` are sizes that a
#: model says beforehand; ``unroll`` and ``stateful`` bring the one that they need.
OPTIONS = (
    "activation",
    "use_bias",
    "return_sequences",
    "return_state",
    "initial_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
    "dropout",
    "trainable",
    "cells",
    "layers",
    "bidirectional",
    "head",
    "hidden",
    "masking",
    "mask",
    "embedding",
    "recurrent_dropout",
    "merge_mode",
    "backward_layer",
    "T",
    "N",
)

Layer = RNN | Bidirectional


class Place(NamedTuple):
    """Where one recurrence of a model is."""

    layer: int
    direction: int
    cell: int


@dataclass(frozen=True)
class Spec:
    """An architecture of one or more recurrent layers. Hashable.

    Parameters
    ----------
    D : int
        Input features; of an ``Embedding``, its ``output_dim``.
    layers : sequence of RNN or Bidirectional
        All but the last return sequences.
    head : Dense or sequence of Dense, optional
        Of several, the last one is the head, and those before it are `hidden`.
    source : {"input", "masking", "mask", "embedding", "embedding with mask"}
        Where inputs and mask come from: the model's input; a ``Masking`` layer; the argument ``mask``; an ``Embedding``
        of whole numbers, whose zeros may be masked.
    dtype : str
        A dtype policy of Keras.
    mask_value : float
        Of ``Masking``.
    vocabulary : int
        Of ``Embedding``: its ``input_dim``.
    T, N : int, optional
        Steps and samples where the model's input says how many; None leaves them open. ``unroll`` needs `T`, and
        ``stateful`` needs `N`.
    hidden : tuple of Dense
        Dense layers between the recurrent ones and the head; without a head there are none.

    Raises
    ------
    TypeError, ValueError
        If the parts do not fit together; the message says which.
    """

    D: int
    layers: tuple[Layer, ...]
    head: Dense | None = None
    source: str = "input"
    dtype: str = "float32"
    mask_value: float = 0.0
    vocabulary: int = 5
    T: int | None = None
    N: int | None = None
    hidden: tuple[Dense, ...] = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            D: int,
            layers: Layer | Sequence[Layer],
            head: Dense | Sequence[Dense] | None = None,
            source: str = "input",
            dtype: str = "float32",
            mask_value: float = 0.0,
            vocabulary: int = 5,
            T: int | None = None,
            N: int | None = None,
            hidden: tuple[Dense, ...] = (),
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "D", size("D", self.D))
        layers = (self.layers,) if isinstance(self.layers, (RNN, Bidirectional)) else self.layers
        if not isinstance(layers, (tuple, list)) or not layers or not all(isinstance(a, Layer) for a in layers):
            raise TypeError(
                f"layers must be one or more of SimpleRNN, RNN and Bidirectional, not {self.layers!r}; "
                "the notebook's model is Spec.simple(D, M, K)"
            )
        layers = tuple(layers)
        object.__setattr__(self, "layers", layers)
        self._sort_head()
        if self.source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}, not {self.source!r}")
        if self.dtype not in POLICIES:
            raise ValueError(f"dtype must be one of {', '.join(POLICIES)}, not {self.dtype!r}")
        size("vocabulary", self.vocabulary)
        for letter, least in (("T", 1), ("N", 0)):
            if getattr(self, letter) is not None:
                object.__setattr__(self, letter, size(letter, getattr(self, letter), least))
        for layer in layers[:-1]:
            if not layer.return_sequences or getattr(layer, "merge_mode", "concat") is None:
                raise ValueError(f"another layer follows {layer}: it has to give one sequence (return_sequences=True)")
        last = layers[-1]
        if self.head is not None and getattr(last, "merge_mode", "concat") is None:
            raise ValueError("a head needs one input: with merge_mode=None leave it out")
        if any(dense.distributed for dense in self.dense.values()) and not last.return_sequences:
            raise ValueError("TimeDistributed needs steps: the last layer must have return_sequences=True")
        for layer in self.directions:
            if layer.unroll and self.T is None:
                raise ValueError(f"{layer} needs a fixed number of steps: give the spec its T")
            if layer.stateful and self.N is None:
                raise ValueError(f"{layer} needs a fixed number of samples: give the spec its N")

    def _sort_head(self) -> None:
        """Take a head of several Dense layers apart."""
        chain = [*self.hidden, self.head]
        if isinstance(self.head, (tuple, list)):
            chain = [*self.head] or [None]
        if chain[-1] is None:
            chain = [None]
        if not all(isinstance(dense, Dense) for dense in chain) and chain != [None]:
            raise TypeError(f"head must be a Dense, or several of them, not {self.head!r}")
        object.__setattr__(self, "head", chain[-1])
        object.__setattr__(self, "hidden", tuple(chain[:-1]))

    @classmethod
    def simple(
        cls,
        D: int,
        M: int,
        K: int,
        activation: str | Activation | None = "tanh",
        dtype: str = "float32",
        head_activation: str | Activation | None = "linear",
        cell: str | Cell = "SimpleRNN",
        **options: Any,
    ) -> Spec:
        """The notebook's model: ``Input(T, D) -> SimpleRNN(M) -> Dense(K)``, or the same with another layer.

        Parameters
        ----------
        D, M, K : int
            Input features, hidden units, outputs; each at least 1.
        activation, head_activation : str or Activation
            Keras's names, or an :class:`~.activations.Activation`; that of a dense head is ``"linear"`` by default.
        dtype : str
            A dtype policy of Keras.
        cell : str or Cell
            The layer by its name, ``"SimpleRNN"``, ``"GRU"`` or ``"LSTM"``; or what one step computes.
        **options
            Of the layer.

        Raises
        ------
        TypeError, ValueError
            If a size is no positive whole number, or an activation, dtype or option is unknown.
        """
        size("D", D)
        if isinstance(cell, str) and cell not in LAYERS:
            raise ValueError(f"cell must be one of {', '.join(LAYERS)}, or a Cell, not {cell!r}")
        if isinstance(cell, str):
            layer: RNN = LAYERS[cell](size("M", M), activation, **options)
        else:
            layer = LAYERS.get(cell.name, SimpleRNN)(size("M", M), activation, cell=cell, **options)
        return cls(D, (layer,), Dense(K, head_activation), dtype=dtype)

    # ---- the letters of a model of one recurrence ----

    @cached_property
    def letters(self) -> dict[str, str]:
        """Full names of the weights by letter: ``{"Wx": "layer0/Wx", ..., "Wo": "head/Wo"}``.

        Empty for a model that is :attr:`without_letters`.
        """
        if self.without_letters:
            return {}
        return {name.rpartition("/")[2]: name for name in self.weight_shapes}

    @cached_property
    def without_letters(self) -> str:
        """What it has, so that letters do not say what its weights are; empty if they do."""
        if len(self.layers) > 1 or len(self.places) > 1:
            return "more than one recurrence"
        if self.hidden:
            return "several Dense layers"
        # then M is not the number of rows of Wh and Wo
        (cell,) = self.directions[0].kinds
        return "a projection" if "projection" in cell.beyond else ""

    @cached_property
    def plain(self) -> bool:
        """Whether it is the notebook's model, with any activation and dtype; a state or a mask may be given with x."""
        if not self.letters or self.head is None or self.source not in ("input", "mask"):
            return False
        layer, head = self.layer, self.head
        if type(layer) is RNN or (self.T, self.N) != (None, None):
            return False
        return layer.is_plain and head.is_plain

    @property
    def layer(self) -> RNN:
        """The only layer of a model of one recurrence."""
        self._needs_letters("layer")
        only = self.layers[0]
        assert isinstance(only, RNN)
        return only

    @property
    def M(self) -> int:
        """Hidden units of a model of one recurrence."""
        self._needs_letters("M")
        return self.layer.features

    @property
    def K(self) -> int:
        """Outputs: of the head, or of the last layer where there is none."""
        return self.layers[-1].features if self.head is None else self.head.K

    @property
    def activation(self) -> Activation:
        """Activation of the recurrence of a model that has only one."""
        self._needs_letters("activation")
        return self.layer.activation

    @property
    def head_activation(self) -> Activation:
        """Activation of the head."""
        if self.head is None:
            raise AttributeError(f"{self} has no head")
        return self.head.activation

    @property
    def cell(self) -> Cell:
        """The cell of a model of one recurrence."""
        self._needs_letters("cell")
        return self.layer.kinds[0]

    def _needs_letters(self, letter: str) -> None:
        if not self.letters:
            raise AttributeError(f"{self} has {self.without_letters}: look into its layers for {letter}")

    # ---- its parts ----

    @cached_property
    def dense(self) -> dict[str, Dense]:
        """The Dense layers behind the recurrent ones, by the names of their parts: ``dense0, dense1, ..., head``."""
        named = {f"dense{k}": dense for k, dense in enumerate(self.hidden)}
        return named if self.head is None else named | {"head": self.head}

    @cached_property
    def directions(self) -> tuple[RNN, ...]:
        """All layers that run over inputs, each direction by itself, in the order of the weights."""
        return tuple(direction for layer in self.layers for direction in layer.directions)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Where its recurrences are, in the order of the weights."""
        return tuple(
            Place(i, j, k)
            for i, layer in enumerate(self.layers)
            for j, direction in enumerate(layer.directions)
            for k in range(len(direction.cells))
        )

    def direction(self, place: Place) -> RNN:
        """The layer that a recurrence belongs to, in its direction."""
        return self.layers[place.layer].directions[place.direction]

    def state_units(self, place: Place) -> tuple[int, ...]:
        """How many numbers each state of a recurrence has."""
        direction = self.direction(place)
        return direction.kinds[place.cell].state_units(direction.cells[place.cell])

    def prefix(self, place: Place) -> str:
        """How the full names of the weights of a recurrence begin: ``"layer0/backward/cell1/"``."""
        side = f"{SIDES[place.direction]}/" if isinstance(self.layers[place.layer], Bidirectional) else ""
        return f"layer{place.layer}/{side}{self.direction(place).prefix(place.cell)}"

    def address(self, place: Place, whole_direction: bool = False) -> list[str]:
        """In words, where a recurrence is: layer, and direction and cell where there is more than one."""
        address = [f"layer{place.layer}"]
        if isinstance(self.layers[place.layer], Bidirectional):
            address.append(SIDES[place.direction])
        if len(self.direction(place).cells) > 1 and not whole_direction:
            address.append(f"cell{place.cell}")
        return address

    @cached_property
    def options(self) -> frozenset[str]:
        """The options that it has beyond plain layers and a plain head: of :data:`OPTIONS` and :data:`BEYOND_KERAS`."""
        last = self.layers[-1]
        pairs = [layer for layer in self.layers if isinstance(layer, Bidirectional)]
        found = {
            "layers": len(self.layers) > 1,
            "return_sequences": last.return_sequences,
            "bidirectional": bool(pairs),
            "merge_mode": any(pair.merge_mode != "concat" for pair in pairs),
            "backward_layer": any(pair.backward is not None for pair in pairs),
            "go_backwards": any(isinstance(layer, RNN) and layer.go_backwards for layer in self.layers),
            "cells": any(type(layer) is RNN for layer in self.directions),
            "use_bias": any(not layer.use_bias for layer in self.directions),
            "trainable": any(not layer.trainable for layer in self.layers),
            "head": self.head is None or not all(dense.is_plain for dense in self.dense.values()),
            "hidden": bool(self.hidden),
            "masking": self.source == "masking",
            "mask": self.source == "mask",
            "embedding": self.embedded,
        }
        for name in ("return_state", "initial_state", "stateful", "unroll", "dropout", "recurrent_dropout"):
            found[name] = any(getattr(layer, name) for layer in self.directions)
        own = [one for layer in self.layers for one in ((layer,) if isinstance(layer, RNN) else layer.given)]
        found["zero_output_for_mask"] = any(layer.zero_output_for_mask for layer in own)
        found["T"] = self.T is not None and not found["unroll"]
        found["N"] = self.N is not None and not found["stateful"]
        beyond = (kind.beyond for layer in self.directions for kind in layer.kinds)
        return frozenset(name for name, there in found.items() if there).union(*beyond)

    @property
    def embedded(self) -> bool:
        """Whether the inputs are whole numbers that an ``Embedding`` looks up."""
        return self.source.startswith("embedding")

    @property
    def masked(self) -> bool:
        """Whether there is a mask."""
        return self.source in ("masking", "mask", "embedding with mask")

    @property
    def stateful(self) -> bool:
        """Whether a call may depend on the calls before it."""
        return any(layer.stateful for layer in self.directions)

    @property
    def two_outputs(self) -> bool:
        """Whether the model returns a pair: its last layer has ``merge_mode=None``."""
        last = self.layers[-1]
        return self.head is None and isinstance(last, Bidirectional) and last.merge_mode is None

    @property
    def variable_dtype(self) -> str:
        """Numbers of the weights."""
        return POLICIES[self.dtype][0]

    @property
    def compute_dtype(self) -> str:
        """Numbers that are computed with, and shown."""
        return POLICIES[self.dtype][1]

    @property
    def precision(self) -> Precision:
        """The arithmetic that the policy promises, unless an implementation declares another."""
        return Precision.of(self.compute_dtype)

    # ---- its weights, and how many ----

    @cached_property
    def parts(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Shapes of the weights of every part that has some, in the model's order: ``parts["layer0"]["Wx"]``."""
        parts: dict[str, dict[str, tuple[int, ...]]] = {}
        if self.embedded:
            parts["embedding"] = {"E": (self.vocabulary, self.D)}
        F = self.D
        for i, layer in enumerate(self.layers):
            parts[f"layer{i}"] = layer.weight_shapes(F)
            F = layer.features
        for name, dense in self.dense.items():
            parts[name] = dense.weight_shapes(F)
            F = dense.K
        return parts

    @cached_property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by full name, ``"layer0/Wx"``, in the order of ``model.get_weights()``."""
        return {f"{part}/{name}": shape for part, shapes in self.parts.items() for name, shape in shapes.items()}

    @property
    def param_counts(self) -> dict[str, int]:
        """Parameters of each part, by the law of :mod:`.layers`; an ``Embedding`` has ``vocabulary*D``."""
        return {part: sum(map(prod, shapes.values())) for part, shapes in self.parts.items()}

    @property
    def param_count(self) -> int:
        """Parameters in all, trainable or not; of the notebook's model ``M*(D+M+1) + K*(M+1)``."""
        return sum(self.param_counts.values())

    @property
    def trainable_count(self) -> int:
        """Parameters that training changes: those of the parts that are ``trainable``."""
        frozen = {f"layer{i}" for i, layer in enumerate(self.layers) if not layer.trainable}
        frozen |= {name for name, dense in self.dense.items() if not dense.trainable}
        return sum(count for part, count in self.param_counts.items() if part not in frozen)

    def state_shapes(self, N: int) -> list[tuple[int, int]]:
        """Shapes of the initial states that a call on `N` samples is given, in their order."""
        given = (direction for layer in self.layers if layer.initial_state for direction in layer.directions)
        return [(N, M) for direction in given for M in direction.state_units]

    # ---- changed copies ----

    def replace(self, **changes: Any) -> Spec:
        """Return a copy with some parts changed.

        Of a model of one recurrence, `M`, `activation` and `cell` are those of its layer; `K` and `head_activation` are
        those of the head.
        """
        layer = {_LAYER_LETTERS[name]: changes.pop(name) for name in _LAYER_LETTERS if name in changes}
        head = {_HEAD_LETTERS[name]: changes.pop(name) for name in _HEAD_LETTERS if name in changes}
        changed = replace(self, **changes) if changes else self
        if layer:
            changed = changed.with_layer(0, changed.layer.replace(**layer))
        if head:
            if changed.head is None:
                raise AttributeError(f"{self} has no head")
            changed = replace(changed, head=changed.head.replace(**head))
        return changed

    def with_layer(self, i: int, layer: Layer) -> Spec:
        """Return a copy with layer `i` changed."""
        return replace(self, layers=(*self.layers[:i], layer, *self.layers[i + 1 :]))

    def with_dense(self, dense: Sequence[Dense]) -> Spec:
        """Return a copy with other Dense layers behind the recurrent ones; of several, the last one is the head."""
        *hidden, head = dense
        return replace(self, head=head, hidden=tuple(hidden))

    def with_direction(self, place: Place, **changes: Any) -> Spec:
        """Return a copy with options of one direction of one layer changed."""
        layer = self.layers[place.layer]
        if isinstance(layer, RNN):
            return self.with_layer(place.layer, layer.replace(**changes))
        both = [layer.forward, layer.backward or layer.forward]
        both[place.direction] = both[place.direction].replace(**changes)
        return self.with_layer(place.layer, layer.replace(forward=both[0], backward=both[1]))

    def with_every_output(self) -> Spec:
        """Return the model that gives the outputs of every step, where it has one direction at the end."""
        return self._every_output

    @cached_property
    def _every_output(self) -> Spec:
        last = self.layers[-1]
        assert isinstance(last, RNN)
        return self.with_layer(len(self.layers) - 1, last.replace(return_sequences=True))

    def __str__(self) -> str:
        if self.plain and self.source == "input" and not self.layer.initial_state:
            return self._plainly()
        more = [f"{n}={getattr(self, n)!r}" for n in ("dtype", "T", "N") if getattr(self, n) != _default(n)]
        start = {
            "masking": f"Masking({self.mask_value!r})",
            "embedding": f"Embedding({self.vocabulary}, {self.D})",
            "embedding with mask": f"Embedding({self.vocabulary}, {self.D}, mask_zero=True)",
            "mask": "a mask",
        }
        chain = [f"D={self.D}", *([start[self.source]] if self.source in start else []), *map(str, self.layers)]
        return " -> ".join([*chain, *map(str, self.dense.values())]) + (f" [{', '.join(more)}]" if more else "")

    def _plainly(self) -> str:
        options = "".join(
            f", {name}={value}"
            for name, value, default in (
                ("activation", str(self.activation), "tanh"),
                ("head_activation", str(self.head_activation), "linear"),
                ("dtype", self.dtype, "float32"),
                *self.cell.said(),
            )
            if value != default
        )
        return f"{self.cell.name}(D={self.D}, M={self.M}, K={self.K}{options})"


#: Names of the two directions of a ``Bidirectional``.
SIDES = ("forward", "backward")
_LAYER_LETTERS = {"M": "units", "activation": "activation", "cell": "cell"}
_HEAD_LETTERS = {"K": "K", "head_activation": "activation"}


def _default(name: str) -> Any:
    return Spec.__dataclass_fields__[name].default
