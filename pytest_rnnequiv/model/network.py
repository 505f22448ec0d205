"""What is built of recurrent layers: stacks, both directions, heads, and every option of the layers in them.

A :class:`Network` is to :class:`~.spec.Spec` what any Keras model is to the notebook's. Its options bear Keras's names
and mean what they mean there. They compose: each of them changes what goes into a plain recurrence, or what is shown
of it, and none changes the recurrence itself, which stands in ``forward.py`` once.

=====================================  =============================================================================
layer, on ``F`` features               parameters, with ``b = 1`` if ``use_bias`` else ``0``
=====================================  =============================================================================
``SimpleRNN(M)``                       ``M*(F + M + b)``
``RNN([cell, cell, ...])``             the sum over the cells, each on the units of the one before
``Bidirectional``                      that of the forward layer and that of the backward layer
``Dense(K)``, also in TimeDistributed  ``K*(F + b)``
``Embedding``                          ``vocabulary*F``
``Masking``, dropout, masks, states    none
=====================================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from ..arithmetic.activations import Activation, activation
from ..arithmetic.precision import Precision
from .spec import Spec, size

__all__ = ["Bidirectional", "Head", "Layer", "Network"]

#: Keras's dtype policies: the numbers of the weights, and those that are computed with.
POLICIES: dict[str, tuple[str, str]] = {
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "mixed_float16": ("float32", "float16"),
    "mixed_bfloat16": ("float32", "bfloat16"),
}
MERGE_MODES = ("concat", "sum", "mul", "ave", None)
#: Where the mask comes from: nowhere, ``Masking``, ``Embedding(mask_zero=True)``, the argument ``mask``; ``embedding``
#: is one without a mask.
SOURCES = ("input", "masking", "mask", "embedding", "embedding with mask")

#: What a network may have beyond a plain layer and a plain head, by the names under which a port says that it heeds it.
#: ``bidirectional`` is also ``merge_mode`` and ``backward_layer``, ``dropout`` is also ``recurrent_dropout``; said
#: alone, a part brings only itself. ``T`` and ``N`` are sizes that a network says beforehand; ``unroll`` and
#: ``stateful`` bring the one that they need.
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
    "masking",
    "mask",
    "embedding",
    "recurrent_dropout",
    "merge_mode",
    "backward_layer",
    "T",
    "N",
)


def _flags(owner: Any, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(owner, name), bool):
            raise TypeError(f"{name} must be True or False, not {getattr(owner, name)!r}")


def _default(owner: Any, name: str) -> Any:
    return owner.__dataclass_fields__[name].default


@dataclass(frozen=True)
class Layer:
    """``keras.layers.SimpleRNN`` with its options, or ``keras.layers.RNN`` over one or more ``SimpleRNNCell``.

    Parameters
    ----------
    units : int or tuple of int
        One number is a ``SimpleRNN``; a tuple is ``RNN([SimpleRNNCell(M) for M in units])``.
    cell : bool
        With one number of units: ``RNN(SimpleRNNCell(units))`` in the place of ``SimpleRNN(units)``.
    activation : str or Activation
    initial_state : bool
        The layer is called with an ``initial_state``, one array for each cell.
    dropout, recurrent_dropout : float
        Rates; nothing is dropped at inference.
    use_bias, return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, trainable : bool
        As in Keras.

    Raises
    ------
    TypeError, ValueError
        If an option has no such value.
    """

    units: int | tuple[int, ...]
    activation: Activation = field(default="tanh")  # type: ignore[assignment]  # a name is looked up below
    use_bias: bool = True
    return_sequences: bool = False
    return_state: bool = False
    initial_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    trainable: bool = True
    cell: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            units: int | tuple[int, ...],
            activation: str | Activation | None = "tanh",
            use_bias: bool = True,
            return_sequences: bool = False,
            return_state: bool = False,
            initial_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            zero_output_for_mask: bool = False,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            trainable: bool = True,
            cell: bool = False,
        ) -> None: ...

    def __post_init__(self) -> None:
        units = tuple(self.units) if isinstance(self.units, (tuple, list)) else self.units
        if units == ():
            raise ValueError("units must be a number, or a number for each cell, not ()")
        sizes = tuple(size("units", each) for each in (units if isinstance(units, tuple) else (units,)))
        object.__setattr__(self, "units", sizes if isinstance(units, tuple) else sizes[0])
        object.__setattr__(self, "activation", activation(self.activation))
        _flags(self, *(name for name in self.__dataclass_fields__ if isinstance(_default(self, name), bool)))
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a rate from 0 to 1, not {getattr(self, name)!r}")

    @property
    def cells(self) -> tuple[int, ...]:
        """Units of each cell, from the input up; one for a plain layer."""
        return self.units if isinstance(self.units, tuple) else (self.units,)

    @property
    def features(self) -> int:
        """Features of the output: the units of the last cell."""
        return self.cells[-1]

    @property
    def directions(self) -> tuple[Layer, ...]:
        """The layers that run over the inputs, each with its own weights: this one."""
        return (self,)

    def weight_shapes(self, F: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights on `F` features, in the order of ``get_weights()``."""
        shapes: dict[str, tuple[int, ...]] = {}
        for i, M in enumerate(self.cells):
            prefix = f"cell{i}/" if isinstance(self.units, tuple) else ""
            shapes |= {f"{prefix}Wx": (F, M), f"{prefix}Wh": (M, M)} | ({f"{prefix}bh": (M,)} if self.use_bias else {})
            F = M
        return shapes

    def replace(self, **changes: Any) -> Layer:
        """Return a copy with some options changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        kind = "SimpleRNN" if isinstance(self.units, int) and not self.cell else "RNN"
        return f"{kind}({', '.join([str(self.units), *_said(self, 'units', 'cell')])})"


@dataclass(frozen=True)
class Bidirectional:
    """``keras.layers.Bidirectional``: a layer forward, one backward, and what becomes of the two outputs.

    Parameters
    ----------
    forward : Layer
    backward : Layer, optional
        Left out, it is a copy of the forward layer, as Keras makes one. Some options must be the same in both, as Keras
        wants it: ``return_sequences``, ``return_state``, ``stateful``; and ``initial_state``.
    merge_mode : {"concat", "sum", "mul", "ave", None}
        None gives both outputs.

    Raises
    ------
    ValueError
        If the two do not fit together.
    """

    forward: Layer
    backward: Layer | None = None
    merge_mode: str | None = "concat"

    def __post_init__(self) -> None:
        if self.merge_mode not in MERGE_MODES:
            raise ValueError(f"merge_mode must be one of {', '.join(map(repr, MERGE_MODES))}, not {self.merge_mode!r}")
        forward, backward = self.forward, self.backward or self.forward
        if forward.go_backwards or (self.backward is not None and self.backward.go_backwards):
            raise ValueError("Bidirectional turns the backward layer itself: leave go_backwards out of both")
        for name in ("return_sequences", "return_state", "stateful", "initial_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(f"both layers of a Bidirectional need the same {name}")
        if self.merge_mode not in ("concat", None) and forward.features != backward.features:
            raise ValueError(
                f"merge_mode={self.merge_mode!r} needs as many units backward as forward, "
                f"not {forward.features} and {backward.features}"
            )

    @property
    def features(self) -> int:
        """Features of the output."""
        forward, backward = self.directions
        return forward.features + (backward.features if self.merge_mode == "concat" else 0)

    @cached_property
    def directions(self) -> tuple[Layer, ...]:
        """The layers that run over the inputs, forward and backward, as Keras changes them.

        Both zero their masked outputs where they return sequences, and nowhere else, whatever they were told.
        """
        forced = self.forward.return_sequences
        forward = self.forward.replace(zero_output_for_mask=forced)
        return forward, (self.backward or self.forward).replace(zero_output_for_mask=forced, go_backwards=True)

    def __getattr__(self, name: str) -> Any:
        # What both layers have in common is an option of the wrapper too.
        if name in ("return_sequences", "return_state", "stateful", "initial_state", "trainable"):
            return getattr(self.forward, name)
        raise AttributeError(f"Bidirectional has no attribute {name!r}")

    def weight_shapes(self, F: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights on `F` features, in the order of ``get_weights()``."""
        return {
            f"{name}/{weight}": shape
            for name, layer in zip(("forward", "backward"), self.directions, strict=True)
            for weight, shape in layer.weight_shapes(F).items()
        }

    def replace(self, **changes: Any) -> Bidirectional:
        """Return a copy with some options changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        return f"Bidirectional({', '.join([str(self.forward), *_said(self, 'forward')])})"


@dataclass(frozen=True)
class Head:
    """``keras.layers.Dense(K)``, on every step where there are steps.

    Parameters
    ----------
    K : int
        Outputs.
    activation : str or Activation
    use_bias : bool
    distributed : bool
        Inside ``TimeDistributed``, which needs steps.
    trainable : bool
    """

    K: int
    activation: Activation = field(default="linear")  # type: ignore[assignment]
    use_bias: bool = True
    distributed: bool = False
    trainable: bool = True

    if TYPE_CHECKING:

        def __init__(
            self,
            K: int,
            activation: str | Activation | None = "linear",
            use_bias: bool = True,
            distributed: bool = False,
            trainable: bool = True,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", size("K", self.K))
        object.__setattr__(self, "activation", activation(self.activation))
        _flags(self, "use_bias", "distributed", "trainable")

    def weight_shapes(self, F: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights on `F` features."""
        return {"Wo": (F, self.K)} | ({"bo": (self.K,)} if self.use_bias else {})

    def __str__(self) -> str:
        dense = f"Dense({', '.join([str(self.K), *_said(self, 'K', 'distributed')])})"
        return f"TimeDistributed({dense})" if self.distributed else dense


def _said(owner: Any, *without: str) -> Iterator[str]:
    """Yield the options of a layer that are not as they are by default."""
    for name in owner.__dataclass_fields__:
        value = getattr(owner, name)
        named = str(value) if isinstance(value, (Activation, Layer)) else repr(value)
        default = _default(owner, name)
        if name not in without and named != (default if isinstance(value, Activation) else repr(default)):
            yield f"{name}={named}"


@dataclass(frozen=True)
class Network:
    """An architecture of one or more recurrent layers. Hashable.

    Parameters
    ----------
    D : int
        Input features; of an ``Embedding``, its ``output_dim``.
    layers : sequence of Layer or Bidirectional
        All but the last return sequences.
    head : Head, optional
    source : {"input", "masking", "mask", "embedding", "embedding with mask"}
        Where inputs and mask come from: the model's input; a ``Masking`` layer; the argument ``mask``; an ``Embedding``
        of whole numbers, whose zeros may be masked.
    mask_value : float
        Of ``Masking``.
    vocabulary : int
        Of ``Embedding``: its ``input_dim``.
    dtype : str
        A dtype policy of Keras.
    T, N : int, optional
        Steps and samples where the model's input says how many; None leaves them open. ``unroll`` needs `T`, and
        ``stateful`` needs `N`.

    Raises
    ------
    TypeError, ValueError
        If the parts do not fit together; the message says which.
    """

    D: int
    layers: tuple[Layer | Bidirectional, ...]
    head: Head | None = None
    source: str = "input"
    dtype: str = "float32"
    mask_value: float = 0.0
    vocabulary: int = 5
    T: int | None = None
    N: int | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            D: int,
            layers: Layer | Bidirectional | Sequence[Layer | Bidirectional],
            head: Head | None = None,
            source: str = "input",
            dtype: str = "float32",
            mask_value: float = 0.0,
            vocabulary: int = 5,
            T: int | None = None,
            N: int | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "D", size("D", self.D))
        layers = (self.layers,) if isinstance(self.layers, (Layer, Bidirectional)) else tuple(self.layers)
        object.__setattr__(self, "layers", layers)
        if not layers or not all(isinstance(layer, (Layer, Bidirectional)) for layer in layers):
            raise TypeError(f"layers must be one or more Layer or Bidirectional, not {self.layers!r}")
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
        if self.head is not None and self.head.distributed and not last.return_sequences:
            raise ValueError("TimeDistributed needs steps: the last layer must have return_sequences=True")
        for layer in self._each():
            if layer.unroll and self.T is None:
                raise ValueError(f"{layer} needs a fixed number of steps: give the network its T")
            if layer.stateful and self.N is None:
                raise ValueError(f"{layer} needs a fixed number of samples: give the network its N")

    @classmethod
    def of(cls, spec: Spec) -> Network:
        """The network that a plain spec means: one layer, and a head."""
        return cls(spec.D, (Layer(spec.M, spec.activation),), Head(spec.K, spec.head_activation), dtype=spec.dtype)

    def _each(self) -> Iterator[Layer]:
        for layer in self.layers:
            yield from layer.directions

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
        return any(layer.stateful for layer in self._each())

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
        if self.head is not None:
            parts["head"] = self.head.weight_shapes(F)
        return parts

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name, in the order of ``model.get_weights()``."""
        return {f"{part}/{name}": shape for part, shapes in self.parts.items() for name, shape in shapes.items()}

    @property
    def param_counts(self) -> dict[str, int]:
        """Parameters of each part, by the law that the module's table gives."""
        return {part: sum(map(prod, shapes.values())) for part, shapes in self.parts.items()}

    @property
    def param_count(self) -> int:
        """Parameters in all, trainable or not."""
        return sum(self.param_counts.values())

    @property
    def trainable_count(self) -> int:
        """Parameters that training changes: those of the parts that are ``trainable``."""
        frozen = {f"layer{i}" for i, layer in enumerate(self.layers) if not layer.trainable}
        if self.head is not None and not self.head.trainable:
            frozen.add("head")
        return sum(count for part, count in self.param_counts.items() if part not in frozen)

    def replace(self, **changes: Any) -> Network:
        """Return a copy with some parts changed."""
        return replace(self, **changes)

    def with_layer(self, i: int, layer: Layer | Bidirectional) -> Network:
        """Return a copy with layer `i` changed."""
        return self.replace(layers=(*self.layers[:i], layer, *self.layers[i + 1 :]))

    def __str__(self) -> str:
        more = [f"{n}={getattr(self, n)!r}" for n in ("dtype", "T", "N") if getattr(self, n) != _default(self, n)]
        start = {
            "masking": f"Masking({self.mask_value!r})",
            "embedding": f"Embedding({self.vocabulary}, {self.D})",
            "embedding with mask": f"Embedding({self.vocabulary}, {self.D}, mask_zero=True)",
            "mask": "a mask",
        }
        chain = [f"D={self.D}", *([start[self.source]] if self.source in start else []), *map(str, self.layers)]
        return " -> ".join(chain + ([str(self.head)] if self.head else [])) + (f" [{', '.join(more)}]" if more else "")
