"""A script that shows a case to somebody who has numpy and nothing else; a network's, to somebody who has Keras too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import ACTIVATIONS, Activation
from .case import Case
from .network import Bidirectional, Head, Layer
from .network_case import NetworkCase
from .network_mistakes import rounding_room
from .recurrence import reference

__all__ = ["READABLE", "script"]

#: The activations, as one would type them.
_TYPED = {
    "tanh": "np.tanh(a)",
    "linear": "a",
    "relu": "np.maximum(a, 0)",
    "sigmoid": "1 / (1 + np.exp(-a))",
    "hard_sigmoid": "np.clip(a / 6 + 0.5, 0, 1)",
    "hard_tanh": "np.clip(a, -1, 1)",
    "softsign": "a / (1 + np.abs(a))",
    "softplus": "np.logaddexp(a, 0)",
    "elu": "np.where(a > 0, a, np.expm1(np.minimum(a, 0)))",
    "leaky_relu": "np.where(a >= 0, a, 0.2 * a)",
    "relu6": "np.clip(a, 0, 6)",
    "celu": "np.where(a > 0, a, np.expm1(np.minimum(a, 0)))",
    "selu": "1.0507009873554805 * np.where(a > 0, a, 1.6732632423543772 * np.expm1(np.minimum(a, 0)))",
    "exponential": "np.exp(a)",
    "log_sigmoid": "-np.logaddexp(-a, 0)",
    "gelu": "a * np.vectorize(math.erfc)(-a / 2**0.5) / 2",
    "silu": "a / (1 + np.exp(-a))",
    "hard_silu": "a * (np.clip(a + 3, 0, 6) / 6)",
    "mish": "a * np.tanh(np.logaddexp(a, 0))",
    "tanh_shrink": "a - np.tanh(a)",
    "soft_shrink": "a - np.clip(a, -0.5, 0.5)",
    "hard_shrink": "np.where(np.abs(a) <= 0.5, 0, a)",
    "sparse_sigmoid": "np.clip((a + 1) / 2, 0, 1)",
    "sparse_plus": "np.where(a >= 1, a, np.clip(a + 1, 0, 2)**2 / 4)",
    "squareplus": "(a + np.hypot(a, 2)) / 2",
    "softmax": "np.exp(a - np.logaddexp.reduce(a, -1, keepdims=True))",
    "log_softmax": "a - np.logaddexp.reduce(a, -1, keepdims=True)",
    "sparsemax": (
        "np.maximum(a - ((np.cumsum(-np.sort(-a, -1), -1) - 1) / np.arange(1, a.shape[-1] + 1))"
        ".max(-1, keepdims=True), 0)"
    ),
}

#: Numbers beyond which a script would be unreadable, and reads the case from its file instead.
READABLE = 300


def script(case: Case | NetworkCase, file: str | None = None) -> str:
    """Write a case as a script that others can run.

    Parameters
    ----------
    case : Case or NetworkCase
    file : str, optional
        The ``.npz`` that the case was saved to, for a case with many numbers.

    Returns
    -------
    str
        Python source. Of a plain case, it needs numpy only, and prints states and outputs of every step; its last line
        is a comment which says how to call the port on the same numbers. Of a network's case, it needs numpy and Keras,
        and prints what Keras gives beside what is expected; the last line that it prints is "as expected" or "NOT as
        expected". Where there are too many numbers to read, it takes them from the file, with pytest-rnnequiv.
    """
    return _of_network(case, file) if isinstance(case, NetworkCase) else _of_recurrence(case, file)


def _of_recurrence(case: Case, file: str | None) -> str:
    spec = case.spec
    numbers = case.numbers()
    lines = ["import numpy as np", ""]
    if file is not None and sum(a.size for a in numbers.values()) > READABLE:
        lines.append(f"case = np.load({file!r})")
        lines.append(f"{', '.join(numbers)} = (case[name] for name in {tuple(numbers)!r})")
    else:
        lines += [f"{name} = {_literal(array)}" for name, array in numbers.items()]
    h = "h0" if case.h0 is not None else f"np.zeros(({case.N}, {case.M}))"
    new, y = _typed(spec.activation.name, "activation"), _typed(spec.head_activation.name, "head_activation")
    if "math." in new + y:
        lines.insert(0, "import math")
    for function, own in (("activation", spec.activation), ("head_activation", spec.head_activation)):
        if own.name not in _TYPED:
            lines += ["", f"def {function}(a):  # define it: {own.name}", "    raise NotImplementedError"]
    lines += ["", f"h = {h}"]
    # What is put out before the first step that is not masked is zeros, whatever the initial state is.
    o = "h" if case.mask is None or case.h0 is None else "o"
    if o == "o":
        lines.append("o = np.zeros_like(h)")
    lines += [f"for t in range({case.T}):", "    a = x[:, t] @ Wx + h @ Wh + bh"]
    if case.mask is None:
        lines.append(f"    h = {new}")
    else:
        lines.append(f"    h = np.where(mask[:, t, None], {new}, h)")
    if o == "o":
        lines.append("    o = np.where(mask[:, t, None], h, o)  # the output: zeros before the first step that counts")
    if spec.head_activation.name == "linear":
        lines.append(f"    y = {o} @ Wo + bo")
    else:
        lines += [f"    a = {o} @ Wo + bo", f"    y = {y}"]
    lines += ['    print("step", t, "h =", h.tolist(), "y =", y.tolist())']
    lines += ["# and the port on the same numbers: print(forward(x, Wx, Wh, bh, Wo, bo))"]
    return "\n".join(lines) + "\n"


def _typed(name: str, function: str) -> str:
    return _TYPED.get(name, f"{function}(a)")


def _literal(array: npt.NDArray[Any]) -> str:
    """Write an array as Python source that gives the same bits."""
    if not array.any() and array.dtype.kind == "f" and not np.signbit(array).any():
        return f"np.zeros({array.shape}, np.{array.dtype})"
    text = _nested(array)
    return f"np.array({text}, {'bool' if array.dtype == bool else f'np.{array.dtype}'})"


def _nested(array: npt.NDArray[Any]) -> str:
    """Write numbers with the fewest digits that give the same bits."""
    if array.ndim:
        return f"[{', '.join(_nested(row) for row in array)}]"
    text = str(array[()])
    return f"np.{text}" if text in ("nan", "inf") else "-np.inf" if text == "-inf" else text


# ------------------------------------------------------------------------------------------------------- networks


def _of_network(case: NetworkCase, file: str | None) -> str:
    """Write Keras's own layers, the numbers, the calls, and what they should give."""
    network = case.network
    large = file is not None and sum(a.size for a in case.numbers().values()) > READABLE
    lines = [
        f'"""{network}: what Keras gives, and what the recurrence gives."""',
        "",
        "import keras",
        "import numpy as np",
    ]
    if large:
        lines += ["from pytest_rnnequiv import reference", "from pytest_rnnequiv.network_case import NetworkCase"]
    lines.append("")
    if network.dtype != "float32":
        lines.append(f"keras.config.set_dtype_policy({network.dtype!r})")
    for own in _own_activations(case):
        lines += ["", f"def {_identifier(own)}(a):  # define it: {own.name}", "    raise NotImplementedError", ""]
    if large:
        lines += [f"case = np.load({file!r})", f"calls = reference(NetworkCase.load({file!r})).calls", ""]
    for part, source in _parts(case):
        lines += [f"{part} = {source}", *_weights(case, part, large)]
    named, compared = len(case.calls) > 1, []
    for c in range(len(case.calls)):
        suffix = str(c) if named else ""
        lines += ["", *_called(case, c, suffix, large)]
        compared += list(_compared(case, c, suffix, large))
    room = f"{rounding_room(case):.0e}".replace("inf", "np.inf")
    lines += ["", "compared = [", *(f"    ({name!r}, {got}, {expected})," for name, got, expected in compared), "]"]
    lines += [
        "right = True",
        "for name, got, expected in compared:",
        "    got = keras.ops.convert_to_numpy(got)",
        '    print(name, "got", got, "expected", np.array(expected, got.dtype), sep="\\n")',
        "    # rounding may be as large as the tolerance here",
        f"    right &= np.allclose(got.astype(float), expected, rtol=0, atol={room}, equal_nan=True)",
        'print("as expected" if right else "NOT as expected")',
    ]
    return "\n".join(lines) + "\n"


def _own_activations(case: NetworkCase) -> list[Activation]:
    """The activations of a network that Keras has no name for."""
    found = [direction.activation for layer in case.network.layers for direction in layer.directions]
    found += [case.network.head.activation] if case.network.head else []
    return list({a.name: a for a in found if ACTIVATIONS.get(a.name) != a}.values())


def _identifier(activation: Activation) -> str:
    return "".join(c if c.isalnum() else "_" for c in f"activation_{activation.name}")


def _parts(case: NetworkCase) -> Iterator[tuple[str, str]]:
    """Yield every part of a network, by its name, as a Keras layer is written."""
    network = case.network
    if network.source == "masking":
        yield "masking", f"keras.layers.Masking({float(network.mask_value)!r})"
    if network.embedded:
        more = ", mask_zero=True" if network.source == "embedding with mask" else ""
        yield "embedding", f"keras.layers.Embedding({network.vocabulary}, {network.D}{more})"
    for i, layer in enumerate(network.layers):
        yield f"layer{i}", _layer(layer, network.dtype)
    if network.head is not None:
        yield "head", _head(network.head)


def _layer(layer: Layer | Bidirectional, dtype: str) -> str:
    if isinstance(layer, Layer):
        return _recurrent(layer, dtype)
    options = [_recurrent(layer.forward, dtype)]
    if layer.merge_mode != "concat":
        options.append(f"merge_mode={layer.merge_mode!r}")
    if layer.backward is not None:
        options.append(f"backward_layer={_recurrent(layer.backward.replace(go_backwards=True), dtype)}")
    return f"keras.layers.Bidirectional({', '.join(options)})"


#: The options of a cell, and those of the layer round it, as Keras has them.
_OF_CELL = ("activation", "use_bias", "dropout", "recurrent_dropout")
_OF_LAYER = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


def _recurrent(layer: Layer, dtype: str) -> str:
    of_cell = _options(layer, Layer(1), _OF_CELL)
    if dtype == "bfloat16":  # orthogonal, the default, has no kernel for it
        of_cell.append("recurrent_initializer='glorot_uniform'")
    of_layer = _options(layer, Layer(1), _OF_LAYER)
    if isinstance(layer.units, int) and not layer.cell:
        return f"keras.layers.SimpleRNN({', '.join([str(layer.units), *of_cell, *of_layer])})"
    cells = [f"keras.layers.SimpleRNNCell({', '.join([str(M), *of_cell])})" for M in layer.cells]
    cell = f"[{', '.join(cells)}]" if isinstance(layer.units, tuple) else cells[0]
    return f"keras.layers.RNN({', '.join([cell, *of_layer])})"


def _head(head: Head) -> str:
    dense = f"keras.layers.Dense({', '.join([str(head.K), *_options(head, Head(1), ('activation', 'use_bias'))])})"
    return f"keras.layers.TimeDistributed({dense})" if head.distributed else dense


def _options(owner: Layer | Head, default: Layer | Head, names: tuple[str, ...]) -> list[str]:
    """The options that are not as they are by default."""
    said = []
    for name in names:
        value = getattr(owner, name)
        if value != getattr(default, name):
            if isinstance(value, Activation):
                value = value.name if ACTIVATIONS.get(value.name) == value else value
            said.append(f"{name}={_identifier(value) if isinstance(value, Activation) else repr(value)}")
    return said


def _weights(case: NetworkCase, part: str, large: bool) -> Iterator[str]:
    """Yield the lines that give a part its weights."""
    weights = case.part(part) if part in case.network.parts else {}
    if not weights:
        return
    network = case.network
    features = {"embedding": network.D, "layer0": network.D} | {
        after: layer.features
        for after, layer in zip(
            [*(f"layer{i + 1}" for i in range(len(network.layers) - 1)), "head"], network.layers, strict=True
        )
    }
    shape: tuple[Any, ...] = (network.N, network.T, features[part])
    if part == "embedding":
        shape = shape[:2]
    elif part == "head" and not network.layers[-1].return_sequences:
        shape = shape[::2]
    yield f"{part}.build({shape})"
    if large:
        yield f"{part}.set_weights([case[name] for name in {tuple(f'{part}/{name}' for name in weights)}])"
        return
    yield f"{part}.set_weights(["
    yield from (f"    {_literal(array)},  # {name}" for name, array in weights.items())
    yield "])"


def _called(case: NetworkCase, c: int, suffix: str, large: bool) -> Iterator[str]:
    """Yield the lines of one call."""
    network, call = case.network, case.calls[c]

    def number(name: str, array: npt.NDArray[Any]) -> str:
        return f"case['call{c}/{name}']" if large else _literal(array)

    yield f"x{suffix} = {number('x', call.x)}"
    if call.mask is not None:
        yield f"mask{suffix} = {number('mask', call.mask)}"
    if call.reset:
        yield from (f"layer{i}.reset_state()" for i, layer in enumerate(network.layers) if layer.stateful)
    given = iter(range(len(call.states)))
    before, y = f"x{suffix}", f"y{suffix}"
    for part, _ in _parts(case):
        more = ""
        if part == "layer0" and call.mask is not None:
            more += f", mask=mask{suffix}"
        told = y
        if part.startswith("layer"):
            i = int(part.removeprefix("layer"))
            layer = network.layers[i]
            if layer.initial_state:
                own = [next(given) for direction in layer.directions for _ in direction.cells]
                states = ", ".join(number(f"state{k}", call.states[k]) for k in own)
                more += f", initial_state=[{states}]"
            if getattr(layer, "merge_mode", "concat") is None:
                told = f"forward{suffix}, backward{suffix}"
            if layer.return_state:
                told += f", *states{i}{'_' + suffix if suffix else ''}"
        yield f"{told} = {part}({before}{more})"
        before = y


def _compared(case: NetworkCase, c: int, suffix: str, large: bool) -> Iterator[tuple[str, str, str]]:
    """Yield what is compared after one call: its name, the variable, and what it should be."""
    network, shown = case.network, reference(case).calls[c]
    where = f"call {c}, " if suffix else ""

    def number(source: str, array: Any) -> str:
        return f"calls[{c}].{source}" if large else _nested(np.asarray(array).astype(_printed(network.compute_dtype)))

    if isinstance(shown.outputs, tuple):
        for k, name in enumerate(("forward", "backward")):
            yield f"{where}{name} output", f"{name}{suffix}", number(f"outputs[{k}]", shown.outputs[k])
    else:
        yield f"{where}output", f"y{suffix}", number("outputs", shown.outputs)
    for i, (layer, seen) in enumerate(zip(network.layers, shown.layers, strict=True)):
        if layer.return_state and seen is not None:
            for k, state in enumerate(seen.states):
                name = f"states{i}{'_' + suffix if suffix else ''}"
                if len(case.network.layers[i].directions[0].cells) > 1:
                    nest = f"keras.tree.flatten({name})[{k}]"
                else:
                    nest = f"{name}[{k}]"
                yield f"{where}layer{i}, final state {k}", nest, number(f"layers[{i}].states[{k}]", state)


def _printed(dtype: str) -> str:
    """Numbers to print in; NumPy has no bfloat16."""
    return "float32" if dtype == "bfloat16" else dtype
