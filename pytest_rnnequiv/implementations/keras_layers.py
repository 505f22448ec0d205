"""A spec as Keras's layers: each of its parts as the call that users write for it.

A :class:`Part` is described once. :meth:`Part.make` makes the layer, and :meth:`Part.source` writes it into a script:
so a script builds what was run. Importing this module loads no Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from ..arithmetic.activations import ACTIVATIONS, Activation
from ..arithmetic.parametrised import parameters
from ..cells import BEYOND_KERAS, CELLS
from ..cells.cell import Cell
from ..model.layers import RNN, Bidirectional, Dense
from ..model.spec import Layer, Spec

__all__ = ["Part", "identifier", "inputs", "is_own", "nest", "nest_source", "own_activations", "parts", "states_of"]

#: The cells that Keras has: its layer bears the cell's name, and its own cell the name with ``Cell`` behind.
KERAS_CELLS = tuple(CELLS.values())

#: What says how the weights begin, by layers.
_INITIALIZERS = dict.fromkeys(CELLS, ("kernel_initializer", "recurrent_initializer")) | {
    "Dense": ("kernel_initializer",),
    "Embedding": ("embeddings_initializer",),
}

#: The options of a cell, and those of the layer round it, as Keras has them.
_OF_CELL = ("activation", "use_bias", "dropout", "recurrent_dropout")
_OF_LAYER = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
    "trainable",
)


@dataclass(frozen=True, eq=False)
class Part:
    """A call of something in the module ``keras``.

    Parameters
    ----------
    name : str
        What is called: ``"layers.Dense"``.
    arguments : tuple
        Numbers and shapes, parts, or lists of parts.
    options : mapping
        The same by name, and activations; those that are as they are by default are left out.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, keras: Any) -> Any:
        """Make it, with weights that are zeros: to draw random ones takes half of the time, and each case has its own.

        Raises
        ------
        NotImplementedError
            If an activation is not one of Keras's.
        """
        kind = self.name.rpartition(".")[2]
        options = dict.fromkeys(_INITIALIZERS.get(kind.removesuffix("Cell"), ()), "zeros")
        options |= {name: _made(value, keras) for name, value in self.options.items()}
        return attrgetter(self.name)(keras)(*(_made(value, keras) for value in self.arguments), **options)

    def source(self) -> str:
        """Write it. An activation of the user's own is written as :func:`identifier` names it."""
        said = ((name, value) for name, value in self.options.items() if (name, value) != ("dtype", "float32"))
        written = [*map(_written, self.arguments), *(f"{name}={_written(value)}" for name, value in said)]
        return f"keras.{self.name}({', '.join(written)})"


def _made(value: Any, keras: Any) -> Any:
    if isinstance(value, list):
        return [_made(each, keras) for each in value]
    if isinstance(value, Activation):
        said = parameters(value.name)
        return _keras_name(value) if said is None else _with_parameters(keras, *said)
    return value.make(keras) if isinstance(value, Part) else value


def _with_parameters(keras: Any, family: str, values: tuple[float, ...]) -> Callable[[Any], Any]:
    """Return the function of Keras that an activation with parameters is; it has no name for it."""
    if family == "hard_sigmoid":
        alpha, beta = values
        return lambda a: keras.ops.clip(alpha * a + beta, 0.0, 1.0)
    name = {"leaky_relu": "negative_slope", "elu": "alpha"}[family]
    return partial(getattr(keras.activations, family), **{name: values[0]})


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Activation):
        return identifier(value) if is_own(value) else repr(value.name)
    return value.source() if isinstance(value, Part) else repr(value)


def is_own(activation: Activation) -> bool:
    """Whether an activation is the user's own, and none that has a name."""
    known = ACTIVATIONS.get(activation.name)
    return known is None or known.function is not activation.function


def _keras_name(activation: Activation) -> str:
    if is_own(activation):
        raise NotImplementedError(
            f"Keras is run with its own activations only, and {activation.name!r} is none of them"
        )
    return activation.name


def identifier(activation: Activation) -> str:
    """Name the function that an activation of the user's own is in a script."""
    return "".join(c if c.isalnum() else "_" for c in f"activation_{activation.name}")


def own_activations(spec: Spec) -> list[Activation]:
    """The activations of a spec that Keras has no name for."""
    found = [direction.activation for direction in spec.directions]
    kinds = (kind for direction in spec.directions for kind in direction.kinds)
    found += [value for kind in kinds for value in vars(kind).values() if isinstance(value, Activation)]
    found += [dense.activation for dense in spec.dense.values()]
    return list({each.name: each for each in found if is_own(each)}.values())


# ---- a spec ----


def inputs(spec: Spec) -> dict[str, Part]:
    """Describe what a model of a spec is called with, in its order: ``x``, ``mask``, ``state0``, ..."""
    shapes: dict[str, tuple[tuple[int | None, ...], str]] = {
        "x": ((spec.T,), "int32") if spec.embedded else ((spec.T, spec.D), spec.variable_dtype)
    }
    if spec.source == "mask":
        shapes["mask"] = (spec.T,), "bool"
    shapes |= {f"state{i}": ((M,), spec.variable_dtype) for i, (_, M) in enumerate(spec.state_shapes(0))}
    samples = {} if spec.N is None else {"batch_size": spec.N}
    return {name: Part("Input", (shape,), samples | {"dtype": dtype}) for name, (shape, dtype) in shapes.items()}


def states_of(spec: Spec) -> dict[str, list[Any]]:
    """Name the inputs that are the initial states of each layer: ``{"layer0": ["state0"], ...}``.

    Cells in a list that have several states each want them in lists of their own.
    """
    found: dict[str, list[Any]] = {}
    names = iter(inputs(spec))
    names = (name for name in names if name.startswith("state"))
    for i, layer in enumerate(spec.layers):
        directions = layer.directions if layer.initial_state else ()
        found[f"layer{i}"] = [each for direction in directions for each in _states_of(direction, names)]
    return found


def _states_of(layer: RNN, names: Iterator[str]) -> list[Any]:
    by_cell = [[next(names) for _ in kind.states] for kind in layer.kinds]
    if isinstance(layer.units, tuple):
        return [each if len(each) > 1 else each[0] for each in by_cell]
    return by_cell[0]


def nest(names: Any, made: Callable[[str], Any]) -> Any:
    """Return what a function makes of names, in the same lists."""
    return [nest(each, made) for each in names] if isinstance(names, list) else made(names)


def nest_source(names: Any, written: Callable[[str], str]) -> str:
    """Write names, in the same lists."""
    if isinstance(names, list):
        return f"[{', '.join(nest_source(each, written) for each in names)}]"
    return written(names)


def parts(spec: Spec, dtype: str | None) -> dict[str, Part]:
    """Describe the layers of a spec, by the names of its parts, in the order in which they are called.

    Parameters
    ----------
    dtype : str or None
        The policy that every layer is given; None where the global one says it.

    Raises
    ------
    NotImplementedError
        If Keras has no layer for a cell.
    """
    own = {} if dtype is None else {"dtype": dtype}
    return dict(_parts(spec, own))


def _parts(spec: Spec, own: dict[str, Any]) -> Iterator[tuple[str, Part]]:
    if spec.source == "masking":
        yield "masking", Part("layers.Masking", (float(spec.mask_value),), own)
    if spec.embedded:
        masks = {"mask_zero": True} if spec.source == "embedding with mask" else {}
        yield "embedding", Part("layers.Embedding", (spec.vocabulary, spec.D), masks | own)
    # orthogonal, the default, has no kernel for bfloat16
    start = {"recurrent_initializer": "glorot_uniform"} if spec.dtype == "bfloat16" else {}
    for i, layer in enumerate(spec.layers):
        yield f"layer{i}", _layer(layer, start, own)
    for name, dense in spec.dense.items():
        yield name, _head(dense, own)


def _layer(layer: Layer, start: dict[str, Any], own: dict[str, Any]) -> Part:
    if isinstance(layer, RNN):
        return _recurrent(layer, start, own)
    options = _options(layer, Bidirectional(layer.forward), ("merge_mode",))
    if layer.backward is not None:
        options["backward_layer"] = _recurrent(layer.backward.replace(go_backwards=True), start, own)
    options |= _options(layer, RNN(1), ("trainable",))
    return Part("layers.Bidirectional", (_recurrent(layer.forward, start, own),), options | own)


def _recurrent(layer: RNN, start: dict[str, Any], own: dict[str, Any]) -> Part:
    of_cell, of_layer = _options(layer, RNN(1), _OF_CELL) | start, _options(layer, RNN(1), _OF_LAYER)
    if type(layer) is not RNN:
        (kind,) = layer.kinds
        options = _options_of(kind) | of_cell | of_layer | own
        return Part(f"layers.{_cell_name(kind)}", (layer.units,), options)
    cells = [
        Part(f"layers.{_cell_name(kind)}Cell", (M,), _options_of(kind) | of_cell | own)
        for M, kind in zip(layer.cells, layer.kinds, strict=True)
    ]
    return Part("layers.RNN", (cells if isinstance(layer.units, tuple) else cells[0],), of_layer | own)


def _cell_name(cell: Cell) -> str:
    if type(cell) not in KERAS_CELLS:
        raise NotImplementedError(f"Keras is run with {', '.join(CELLS)} only, not with the cell {cell!r}")
    return cell.name


def _options_of(cell: Cell) -> dict[str, Any]:
    """The options of a cell that Keras has; it may have no others."""
    if cell.beyond:
        raise NotImplementedError(
            f"Keras's {cell.name} has no {' and no '.join(sorted(cell.beyond))}: build the model of the cell {cell!r} "
            "with a runtime that has it, such as onnxruntime"
        )
    return {name: value for name, value in vars(cell).items() if name not in BEYOND_KERAS}


def _head(head: Dense, own: dict[str, Any]) -> Part:
    frozen = _options(head, Dense(1), ("trainable",))
    dense = Part("layers.Dense", (head.K,), _options(head, Dense(1), ("activation", "use_bias")) | frozen | own)
    return Part("layers.TimeDistributed", (dense,), frozen | own) if head.distributed else dense


def _options(owner: Any, default: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The options that are not as they are by default."""
    values = {name: getattr(owner, name) for name in names}
    return {name: value for name, value in values.items() if value != getattr(default, name)}
