"""A script that shows a failure to somebody else, who has numpy and what failed.

It runs what failed in the way in which it failed: Keras's model called, compiled or by ``predict``, a port of
``module:attribute`` by its import. Where only a fixture has the port, it says how to call it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import ACTIVATIONS, Activation
from ..mistakes.networks import rounding_room
from ..model.case import Case
from ..model.forward import reference
from ..model.network import Bidirectional, Head, Layer, Network
from ..model.network_case import Call, NetworkCase
from ..model.trajectory import NetworkTrajectory, ShownCall, ShownLayer, Trajectory

__all__ = ["READABLE", "WAYS", "as_network", "script", "shows"]

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


#: The ways to run Keras, each as the call of a model.
WAYS = {
    "keras-call": "model({inputs})",
    "keras-predict": "model.predict({inputs}, {batch}verbose=0)",
    "keras-graph": "run({each})",
}


def script(case: Case | NetworkCase, file: str | None = None, *, how: str = "", note: str = "") -> str:
    """Write a case as a script that others can run.

    Parameters
    ----------
    case : Case or NetworkCase
    file : str, optional
        The ``.npz`` that the case was saved to, for a case with many numbers.
    how : str
        How what failed was called: a way to run Keras (``keras-call``, ``keras-predict``, ``keras-graph``), or
        ``module:attribute``; empty where that is not known.
    note : str
        What has to be known first; it becomes a comment at the top.

    Returns
    -------
    str
        Python source. For a way to run Keras, it runs a model in this way, and prints what it gives beside what is
        expected; the last line that it prints is "as expected" or "NOT as expected". Else, of a plain case, it needs
        numpy only, and prints states and outputs of every step; of a network's case, it does the same with Keras's
        layers as with a model. Then a port by ``module:attribute`` is called and judged, and for any other a comment
        says how to call it. Where there are too many numbers to read, it takes them from the file, with
        pytest-rnnequiv.
    """
    if how in WAYS:
        source = _of_model(case, file, how)
    else:
        port = _of_port(case, file, how)
        source = (_of_network(case, file) if isinstance(case, NetworkCase) else _of_recurrence(case, file)) + port
    top = "".join(f"# {line}\n" for line in textwrap.wrap(note, 100))
    return f"{top}\n{source}" if top else source


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
    return "\n".join(lines) + "\n"


# ---- the port ----


def _of_port(case: Case | NetworkCase, file: str | None, how: str) -> str:
    """Write the call of a port, which is judged as it was judged; or a comment, where it cannot be imported."""
    made = _made(case, file)
    if ":" not in how or made is None:
        call = "forward(x, Wx, Wh, bh, Wo, bo)" if isinstance(case, Case) else made and f"run({made})"
        return f"# and the port on the same numbers: print({call})\n" if call else ""
    module, _, attribute = how.partition(":")
    kind = type(case).__name__
    lines = ["", f"# the port {how}, asked and judged as it was"]
    if home := _home(module):
        lines += ["import sys", "", f"sys.path.insert(0, {home!r})"]
    lines += [
        f"import {module}",
        f"from pytest_rnnequiv import {'Case, Spec' if made.startswith('Case(') else 'Case'}"
        if kind == "Case"
        else "from pytest_rnnequiv.model.network_case import NetworkCase",
        "from pytest_rnnequiv.implementations.port import Port",
        "",
        f"port = Port({module}.{attribute})",
        f"seen = port.observe({made})",
        "verdict = seen.judge(port.precision)",
    ]
    if kind == "Case":
        lines.append('print("the port gives", np.asarray(seen.trajectory.outputs).tolist())')
    else:
        lines.append('print("the port gives", [call.outputs for call in seen.trajectory.calls])')
    lines += [
        "if verdict.place is not None:",
        "    print(verdict.place, 'is', verdict.place.got, 'and not', verdict.place.expected)",
        'print(f"NOT as expected {verdict.problem or str()}" if verdict.different else "as expected")',
    ]
    return "\n".join(lines) + "\n"


def _made(case: Case | NetworkCase, file: str | None) -> str | None:
    """Write the case itself as an expression; None where neither numbers nor a file make it."""
    if isinstance(case, NetworkCase):
        return None if file is None else f"NetworkCase.load({file!r})"
    spec = case.spec
    if any(ACTIVATIONS.get(each.name) != each for each in (spec.activation, spec.head_activation)):
        return None
    if file is not None and sum(a.size for a in case.numbers().values()) > READABLE:
        return f"Case.load({file!r})"
    more = [
        f"{name}={value!r}"
        for name, value, default in (
            ("activation", spec.activation.name, "tanh"),
            ("dtype", spec.dtype, "float32"),
            ("head_activation", spec.head_activation.name, "linear"),
        )
        if value != default
    ]
    given = [f"{name}={name}" for name in ("h0", "mask") if getattr(case, name) is not None]
    sizes = ", ".join([*(f"{letter}={getattr(spec, letter)}" for letter in "DMK"), *more])
    return f"Case({', '.join([f'Spec({sizes})', 'x', 'Wx', 'Wh', 'bh', 'Wo', 'bo', *given])})"


def _home(module: str) -> str | None:
    """Find the folder that a module is imported from; None for what is installed, or not found here."""
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    origin = None if found is None else found.origin or next(iter(found.submodule_search_locations or ()), None)
    if origin is None or "site-packages" in origin:
        return None
    path = Path(origin).parent
    return str(path.parent if found is not None and found.submodule_search_locations else path)


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
        lines += ["from pytest_rnnequiv import reference", "from pytest_rnnequiv.model.network_case import NetworkCase"]
    lines.append("")
    if network.dtype != "float32":
        lines.append(f"keras.config.set_dtype_policy({network.dtype!r})")
    for own in _own_activations(case):
        lines += ["", f"def {_identifier(own)}(a):  # define it: {own.name}", "    raise NotImplementedError", ""]
    if large:
        lines += [f"case = np.load({file!r})", f"calls = reference(NetworkCase.load({file!r})).calls", ""]
    for part, source in _parts(case.network, None):
        lines += [f"{part} = {source}", *_weights(case, part, large)]
    named, compared = len(case.calls) > 1, []
    for c in range(len(case.calls)):
        suffix = str(c) if named else ""
        lines += ["", *_called(case, c, suffix, large)]
        compared += list(_compared(case, c, suffix, large))
    lines += ["", "compared = [", *(f"    ({name!r}, {got}, {expected})," for name, got, expected in compared), "]"]
    return "\n".join([*lines, *_comparison(case)]) + "\n"


def _comparison(case: NetworkCase) -> list[str]:
    room = f"{_room(case):.0e}".replace("inf", "np.inf")
    return [
        "right = True",
        "for name, got, expected in compared:",
        "    got = keras.ops.convert_to_numpy(got)",
        "    expected = np.array(expected, got.dtype)",
        '    print(name, "got", got, "expected", expected, sep="\\n")',
        "    # rounding may be as large as the tolerance here",
        f"    near = got.shape == expected.shape and np.allclose(1.0 * got, 1.0 * expected, 0, {room}, equal_nan=True)",
        "    right = right and near",
        'print("as expected" if right else "NOT as expected")',
    ]


def _room(case: NetworkCase) -> float:
    """The tolerance of a script: rounded as it is written."""
    return float(f"{rounding_room(case):.0e}")


def _own_activations(case: NetworkCase) -> list[Activation]:
    """The activations of a network that Keras has no name for."""
    found = [direction.activation for layer in case.network.layers for direction in layer.directions]
    found += [case.network.head.activation] if case.network.head else []
    return list({a.name: a for a in found if ACTIVATIONS.get(a.name) != a}.values())


def _identifier(activation: Activation) -> str:
    return "".join(c if c.isalnum() else "_" for c in f"activation_{activation.name}")


def _parts(network: Network, dtype: str | None) -> Iterator[tuple[str, str]]:
    """Yield every part of a network, by its name, as a Keras layer is written.

    `dtype` is that which every layer is given; None where the global policy says it.
    """
    own = [] if dtype in (None, "float32") else [f"dtype={dtype!r}"]
    if network.source == "masking":
        yield "masking", f"keras.layers.Masking({', '.join([repr(float(network.mask_value)), *own])})"
    if network.embedded:
        more = ["mask_zero=True"] if network.source == "embedding with mask" else []
        options = ", ".join([str(network.vocabulary), str(network.D), *more, *own])
        yield "embedding", f"keras.layers.Embedding({options})"
    for i, layer in enumerate(network.layers):
        yield f"layer{i}", _layer(layer, network.dtype, own)
    if network.head is not None:
        yield "head", _head(network.head, own)


def _layer(layer: Layer | Bidirectional, dtype: str, own: list[str]) -> str:
    if isinstance(layer, Layer):
        return _recurrent(layer, dtype, own)
    options = [_recurrent(layer.forward, dtype, own)]
    if layer.merge_mode != "concat":
        options.append(f"merge_mode={layer.merge_mode!r}")
    if layer.backward is not None:
        options.append(f"backward_layer={_recurrent(layer.backward.replace(go_backwards=True), dtype, own)}")
    return f"keras.layers.Bidirectional({', '.join([*options, *own])})"


#: The options of a cell, and those of the layer round it, as Keras has them.
_OF_CELL = ("activation", "use_bias", "dropout", "recurrent_dropout")
_OF_LAYER = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


def _recurrent(layer: Layer, dtype: str, own: list[str]) -> str:
    of_cell = _options(layer, Layer(1), _OF_CELL)
    if dtype == "bfloat16":  # orthogonal, the default, has no kernel for it
        of_cell.append("recurrent_initializer='glorot_uniform'")
    of_layer = _options(layer, Layer(1), _OF_LAYER)
    if isinstance(layer.units, int) and not layer.cell:
        return f"keras.layers.SimpleRNN({', '.join([str(layer.units), *of_cell, *of_layer, *own])})"
    cells = [f"keras.layers.SimpleRNNCell({', '.join([str(M), *of_cell, *own])})" for M in layer.cells]
    cell = f"[{', '.join(cells)}]" if isinstance(layer.units, tuple) else cells[0]
    return f"keras.layers.RNN({', '.join([cell, *of_layer, *own])})"


def _head(head: Head, own: list[str]) -> str:
    options = _options(head, Head(1), ("activation", "use_bias"))
    dense = f"keras.layers.Dense({', '.join([str(head.K), *options, *own])})"
    return f"keras.layers.TimeDistributed({', '.join([dense, *own])})" if head.distributed else dense


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
    """Yield the lines that build a part, and give it its weights."""
    if part not in case.network.parts or not case.part(part):
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
    yield from _set_weights(case, part, large)


def _set_weights(case: NetworkCase, part: str, large: bool) -> Iterator[str]:
    """Yield the lines that give a part its weights."""
    weights = case.part(part) if part in case.network.parts else {}
    if not weights:
        return
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
    for part, _ in _parts(case.network, None):
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


# ---------------------------------------------------------------------------------------------- a way to run Keras


def as_network(case: Case | NetworkCase) -> NetworkCase:
    """Return the network that a plain case is for Keras, which shows the states of every step."""
    if isinstance(case, NetworkCase):
        return case
    spec = case.spec
    layer = Layer(spec.M, spec.activation, return_sequences=True, initial_state=case.h0 is not None)
    source = "input" if case.mask is None else "mask"
    network = Network(spec.D, layer, Head(spec.K, spec.head_activation), source=source, dtype=spec.dtype)
    states = () if case.h0 is None else (case.h0,)
    return NetworkCase(network, case.weights, (Call(case.x, case.mask, states),))


def shows(case: Case | NetworkCase, shown: Trajectory | NetworkTrajectory | None) -> bool:
    """Tell whether the script for a way to run Keras calls what was shown wrong, by its own tolerance.

    What was judged step by step may be wrong by less than rounding may have grown to where the script compares.
    """
    network = as_network(case)
    if isinstance(shown, Trajectory):
        shown = NetworkTrajectory((ShownCall(shown.outputs, (ShownLayer(shown.states),)),))
    if shown is None:
        return True  # there was no answer: the script raises, as the model did
    room, right = _room(network), reference(network)
    for got, expected in zip(_numbers(shown, network.network), _numbers(right, network.network), strict=True):
        if got.shape != expected.shape or not np.allclose(got, expected, 0, room, equal_nan=True):
            return True
    return False


def _numbers(shown: NetworkTrajectory, network: Network) -> Iterator[npt.NDArray[Any]]:
    """All numbers that a script compares."""
    for call in shown.calls:
        for _, path in _shown(network):
            yield np.asarray(_taken(call, path), np.float64)


#: Where a shown call has something: attributes and indices, from the outside in.
Place = tuple[str | int, ...]


def _shown(network: Network) -> Iterator[tuple[str, Place]]:
    """Yield what a model shows in one call, in its order: its name, and where a shown call has it.

    Stateful layers return nothing of what they keep: the script reads it from their variables.
    """
    for i, layer in enumerate(network.layers):
        if getattr(layer, "merge_mode", "concat") is None:
            for k, name in enumerate(("forward", "backward")):
                yield f"layer{i}, {name} output", ("layers", i, "output", k)
        else:
            yield f"layer{i}, output", ("layers", i, "output")
        if layer.return_state or layer.stateful:
            for k in range(_cells(layer)):
                yield f"layer{i}, final state {k}", ("layers", i, "states", k)
    if network.head is not None:
        yield "output", ("outputs",)


def _taken(call: ShownCall, path: Place) -> Any:
    found: Any = call
    for step in path:
        found = getattr(found, step) if isinstance(step, str) else found[step]
    return found


def _written(path: Place) -> str:
    return "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)


def _cells(layer: Layer | Bidirectional) -> int:
    return sum(len(direction.cells) for direction in layer.directions)


def _of_model(given: Case | NetworkCase, file: str | None, how: str) -> str:
    """Write the model as the suite builds it: a functional one that shows all, run in one of the ways."""
    case = as_network(given)
    network = case.network
    large = file is not None and sum(a.size for a in case.numbers().values()) > READABLE
    lines = [
        f'"""{network}: what {_SAID[how]} gives, and what the recurrence gives."""',
        "",
        "import keras",
        "import numpy as np",
        *(["import tensorflow as tf"] if how == "keras-graph" else []),
        *(_loaded(given, str(file)) if large else ()),
    ]
    for own in _own_activations(case):
        lines += ["", f"def {_identifier(own)}(a):  # define it: {own.name}", "    raise NotImplementedError", ""]
    lines += ["", *_model(network), ""]
    for part, _ in _parts(network, network.dtype):
        lines += _set_weights(case, part, large)
    if how == "keras-graph":
        each = ", ".join(_given(case.calls[0]))
        lines += [
            "signature = [tf.TensorSpec(each.shape, each.dtype) for each in model.inputs]",
            f"run = tf.function(lambda {each}: model({_listed(each.split(', '))}), "
            "input_signature=signature, autograph=False)",
        ]
    lines += ["", "compared = []"]
    for c in range(len(case.calls)):
        lines += _asked(case, c, how, isinstance(given, Case), large)
    return "\n".join([*lines, *_comparison(case)]) + "\n"


def _loaded(given: Case | NetworkCase, file: str) -> Iterator[str]:
    """Yield the lines that read a case from its file, and compute what is right."""
    if isinstance(given, Case):
        yield "from pytest_rnnequiv import Case, reference"
        yield "from pytest_rnnequiv.failures.script import as_network"
        case = f"as_network(Case.load({file!r}))"
    else:
        yield "from pytest_rnnequiv import reference"
        yield "from pytest_rnnequiv.model.network_case import NetworkCase"
        case = f"NetworkCase.load({file!r})"
    yield from ("", f"loaded = {case}", "case, calls = loaded.numbers(), reference(loaded).calls")


#: What each way is to its users.
_SAID = {
    "keras-call": "model(x)",
    "keras-predict": "model.predict(x)",
    "keras-graph": "the model in a tf.function",
}


def _model(network: Network) -> Iterator[str]:
    """Yield the lines that build the model."""
    inputs: list[str] = []

    def input_of(name: str, shape: tuple[int | None, ...], dtype: str) -> str:
        inputs.append(name)
        options = [str(shape), *([] if network.N is None else [f"batch_size={network.N}"]), f"dtype={dtype!r}"]
        return f"{name} = keras.Input({', '.join(options)})"

    T = (network.T,)
    yield input_of("x", *((T, "int32") if network.embedded else ((*T, network.D), network.variable_dtype)))
    if network.source == "mask":
        yield input_of("mask", T, "bool")
    before, shown = "x", []
    for part, source in _parts(network, network.dtype):
        yield f"{part} = {source}"
        if not part.startswith("layer"):
            yield f"{part}_y = {part}({before})"
            before = f"{part}_y"
            shown += [before] if part == "head" else []
            continue
        i = int(part.removeprefix("layer"))
        layer, more = network.layers[i], ", mask=mask" if i == 0 and network.source == "mask" else ""
        if layer.initial_state:
            first = len(inputs)
            for M in (M for direction in layer.directions for M in direction.cells):
                given = len(inputs) - 1 - (network.source == "mask")
                yield input_of(f"state{given}", (M,), network.variable_dtype)
            more += f", initial_state=[{', '.join(inputs[first:])}]"
        yield f"{part}_y = keras.tree.flatten({part}({before}{more}))"
        before = f"{part}_y[0]"
        shown.append(f"*{part}_y")
    yield f"model = keras.Model({_listed(inputs)}, [{', '.join(shown)}])"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _given(call: Call) -> dict[str, npt.NDArray[Any]]:
    """What a call gives to the model, in its order."""
    mask = {} if call.mask is None else {"mask": call.mask}
    return {"x": call.x, **mask, **{f"state{k}": state for k, state in enumerate(call.states)}}


def _asked(case: NetworkCase, c: int, how: str, plain: bool, large: bool) -> Iterator[str]:
    """Yield the lines of one call, and of what it is compared with."""
    network, call = case.network, case.calls[c]
    yield ""
    if call.reset:
        yield from (f"layer{i}.reset_state()" for i, layer in enumerate(network.layers) if layer.stateful)
    given = _given(call)
    for name, array in given.items():
        yield f"{name} = case['call{c}/{name}']" if large else f"{name} = {_literal(array)}"
    batch = "" if plain else "batch_size=len(x), "  # one batch: a stateful layer has one state for each sample
    asked = WAYS[how].format(inputs=_listed([*given]), each=", ".join(given), batch=batch)
    yield f"got = keras.tree.flatten({asked})"
    yield from _kept_states(network)
    where = f"call {c}, " if len(case.calls) > 1 else ""
    right, dtype = reference(case).calls[c], _printed(network.compute_dtype)
    yield "compared += zip(["
    yield from (f"    {where + name!r}," for name, _ in _shown(network))
    yield "], got, ["
    for _, path in _shown(network):
        expected = np.asarray(_taken(right, path)).astype(dtype)
        yield f"    {f'calls[{c}]{_written(path)}' if large else _nested(expected)},"
    yield "])"


def _kept_states(network: Network) -> Iterator[str]:
    """Yield the lines that put what stateful layers keep where their final states are compared."""
    place = 0
    for i, layer in enumerate(network.layers):
        place += 2 if getattr(layer, "merge_mode", "concat") is None else 1
        end = place + _cells(layer) if layer.return_state else place
        if layer.stateful:
            kept = f"layer{i}.states"
            if isinstance(layer, Bidirectional):
                kept = f"[layer{i}.forward_layer.states, layer{i}.backward_layer.states]"
            yield f"kept = keras.tree.flatten({kept})"
            yield f"got[{place}:{end}] = [np.array(keras.ops.convert_to_numpy(each)) for each in kept]"
            end = place + _cells(layer)
        place = end
