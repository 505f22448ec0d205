"""The layers that a model is built of, under Keras's names and with Keras's options.

The options compose: each of them changes what goes into a plain recurrence, or what is shown of it, and none changes
the recurrence itself, which stands in ``forward.py`` once.

=====================================  =============================================================================
layer, on ``F`` features               parameters, with ``b = 1`` if ``use_bias`` else ``0``
=====================================  =============================================================================
``SimpleRNN(M)``                       ``M*(F + M + b)``
``GRU(M)``                             ``3*M*(F + M + 2*b)``; ``3*M*(F + M + b)`` with ``reset_after=False``
``LSTM(M)``                            ``4*M*(F + M + b)``; ``3*M`` more with ``peepholes``
``LSTM(M, projection=P)``              ``4*M*(F + P + b) + M*P``
``RNN([cell, cell, ...])``             the sum over the cells, each on the units of the one before
``Bidirectional``                      that of the forward layer and that of the backward layer
``Dense(K)``, also in TimeDistributed  ``K*(F + b)``
=====================================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from ..arithmetic.activations import Activation, activation
from ..cells import has_name
from ..cells.cell import Cell
from ..cells.gru import GRUCell
from ..cells.lstm import LSTMCell
from ..cells.simple_rnn import SimpleRNNCell
from .sizes import size

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GRU", "LAYERS", "LSTM", "MERGE_MODES", "RNN", "Bidirectional", "Dense", "SimpleRNN"]

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


def _flags(owner: Any, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(owner, name), bool):
            raise TypeError(f"{name} must be True or False, not {getattr(owner, name)!r}")


def _default(owner: Any, name: str) -> Any:
    return owner.__dataclass_fields__[name].default


@cache
def _flags_of_rnn() -> tuple[str, ...]:
    """Names of the options of a layer that are True or False; subclasses of RNN have no others."""
    return tuple(name for name in RNN.__dataclass_fields__ if isinstance(_default(RNN, name), bool))


@dataclass(frozen=True)
class RNN:
    """``keras.layers.RNN`` over one or more cells. A layer of one cell, such as ``SimpleRNN``, is a subclass.

    Parameters
    ----------
    units : int or tuple of int
        One number is ``RNN(cell(units))``; a tuple is ``RNN([cell(M) for M in units])``.
    activation : str or Activation
    initial_state : bool
        The layer is called with an ``initial_state``, one array for each cell.
    dropout, recurrent_dropout : float
        Rates; nothing is dropped at inference.
    use_bias, return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, trainable : bool
        As in Keras.
    cell : Cell or tuple of Cell
        What one step computes; of several cells, each may be another.

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
    cell: Cell | tuple[Cell, ...] = field(default_factory=SimpleRNNCell)

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
            cell: Cell | tuple[Cell, ...] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        units = tuple(self.units) if isinstance(self.units, (tuple, list)) else self.units
        if units == ():
            raise ValueError("units must be a number, or a number for each cell, not ()")
        sizes = tuple(size("units", each) for each in (units if isinstance(units, tuple) else (units,)))
        object.__setattr__(self, "units", sizes if isinstance(units, tuple) else sizes[0])
        object.__setattr__(self, "activation", activation(self.activation))
        _flags(self, *_flags_of_rnn())
        kinds = self.cell if isinstance(self.cell, tuple) else (self.cell,) * len(self.cells)
        if len(kinds) != len(self.cells) or not all(isinstance(kind, Cell) for kind in kinds):
            raise TypeError(
                f"cell must be a Cell, such as SimpleRNNCell(), or one for each of units, not {self.cell!r}"
            )
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a rate from 0 to 1, not {getattr(self, name)!r}")

    @property
    def cells(self) -> tuple[int, ...]:
        """Units of each cell, from the input up; one for a plain layer."""
        return self.units if isinstance(self.units, tuple) else (self.units,)

    @property
    def kinds(self) -> tuple[Cell, ...]:
        """What each cell computes in one step."""
        return self.cell if isinstance(self.cell, tuple) else (self.cell,) * len(self.cells)

    @property
    def state_units(self) -> tuple[int, ...]:
        """Units of each state of each cell, in the order in which they are given and returned."""
        return tuple(each for M, kind in zip(self.cells, self.kinds, strict=True) for each in kind.state_units(M))

    @property
    def features(self) -> int:
        """Features of the output: the units of the last cell, or of their projection."""
        return self.kinds[-1].state_units(self.cells[-1])[0]

    @property
    def is_plain(self) -> bool:
        """Whether all is as by default but the units, the activation, the cell, and whether a state is given."""
        return all(getattr(self, name) == value for name, value in _defaults(RNN))

    @property
    def directions(self) -> tuple[RNN, ...]:
        """The layers that run over the inputs, each with its own weights: this one."""
        return (self,)

    def weight_shapes(self, F: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights on `F` features, in the order of ``get_weights()``."""
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (M, kind) in enumerate(zip(self.cells, self.kinds, strict=True)):
            for name, shape in kind.weight_shapes(F, M).items():
                if self.use_bias or name not in kind.biases:
                    shapes[f"{self.prefix(i)}{name}"] = shape
            F = kind.state_units(M)[0]
        return shapes

    def prefix(self, cell: int) -> str:
        """How the names of a cell's weights begin within the layer."""
        return f"cell{cell}/" if isinstance(self.units, tuple) else ""

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some options changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        kind = type(self).__name__
        own = [] if self.cell == SimpleRNNCell() else [f"cell={self.cell!r}"]
        return f"{kind}({', '.join([str(self.units), *_said(self, 'units', 'cell'), *own])})"


class _OneCell(RNN):
    """A layer of one cell of a kind, which takes the options of that cell beside its own."""

    kind: ClassVar[type[Cell]]

    def __init__(self, units: int, activation: Any = "tanh", **options: Any) -> None:
        of_cell = {name: options.pop(name) for name in [*options] if name in self.kind.options()}
        cell = options.pop("cell", None) or self.kind()
        if of_cell:
            cell = self.kind(**vars(cell) | of_cell)
        super().__init__(units, activation, cell=cell, **options)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.units, tuple):
            raise TypeError(
                f"{type(self).__name__} has one number of units, not {self.units!r}; RNN takes several cells"
            )

    def __str__(self) -> str:
        (cell,) = self.kinds
        if has_name(cell):
            own = [f"{name}={value}" for name, value, default in cell.said() if value != default]
        else:
            own = [f"cell={cell!r}"]
        return f"{type(self).__name__}({', '.join([str(self.units), *_said(self, 'units', 'cell'), *own])})"


@dataclass(frozen=True, init=False)
class SimpleRNN(_OneCell):
    """``keras.layers.SimpleRNN``: the options of :class:`RNN`."""

    kind = SimpleRNNCell


@dataclass(frozen=True, init=False)
class GRU(_OneCell):
    """``keras.layers.GRU``: the options of :class:`RNN`, and ``recurrent_activation`` and ``reset_after``."""

    kind = GRUCell


@dataclass(frozen=True, init=False)
class LSTM(_OneCell):
    """``keras.layers.LSTM``: the options of :class:`RNN`, and ``recurrent_activation``."""

    kind = LSTMCell


#: The layers of one cell, by Keras's names.
LAYERS: dict[str, type[_OneCell]] = {layer.kind.name: layer for layer in (SimpleRNN, GRU, LSTM)}


@dataclass(frozen=True)
class Bidirectional:
    """``keras.layers.Bidirectional``: a layer forward, one backward, and what becomes of the two outputs.

    Parameters
    ----------
    forward : RNN
    backward : RNN, optional
        Left out, it is a copy of the forward layer, as Keras makes one. Some options must be the same in both, as Keras
        wants it: ``return_sequences``, ``return_state``, ``stateful``; and ``initial_state``.
    merge_mode : {"concat", "sum", "mul", "ave", None}
        None gives both outputs.

    Raises
    ------
    ValueError
        If the two do not fit together.
    """

    forward: RNN
    backward: RNN | None = None
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

    @property
    def given(self) -> tuple[RNN, RNN]:
        """Both layers, as they were given."""
        return self.forward, self.backward or self.forward

    @cached_property
    def directions(self) -> tuple[RNN, ...]:
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
class Dense:
    """The head: ``keras.layers.Dense(K)``, on every step where there are steps.

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

    @property
    def is_plain(self) -> bool:
        """Whether all is as by default but the outputs and the activation."""
        return all(getattr(self, name) == value for name, value in _defaults(Dense))

    def replace(self, **changes: Any) -> Dense:
        """Return a copy with some options changed."""
        return replace(self, **changes)

    def weight_shapes(self, F: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights on `F` features."""
        return {"Wo": (F, self.K)} | ({"bo": (self.K,)} if self.use_bias else {})

    def __str__(self) -> str:
        dense = f"Dense({', '.join([str(self.K), *_said(self, 'K', 'distributed')])})"
        return f"TimeDistributed({dense})" if self.distributed else dense


@lru_cache
def _defaults(kind: type[RNN | Dense]) -> tuple[tuple[str, Any], ...]:
    """The options of a layer that make it another one than the notebook's, and what they are by default."""
    told = ("activation", "initial_state")  # which a plain layer may have, or a case say
    known = ((each.name, each.default) for each in fields(kind) if each.name not in told)
    return tuple((name, default) for name, default in known if isinstance(default, (bool, float)))


def _said(owner: Any, *without: str) -> Iterator[str]:
    """Yield the options of a layer that are not as they are by default."""
    for name in owner.__dataclass_fields__:
        value = getattr(owner, name)
        named = _named(value)
        default = _default(owner, name)
        if name not in without and named != (default if isinstance(value, Activation) else repr(default)):
            yield f"{name}={named}"


def _named(value: Any) -> str:
    return str(value) if isinstance(value, (Activation, RNN)) else repr(value)
