"""Scripts of Keras: its own layers called one after the other, or a whole model run in one of its ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..implementations.keras_layers import identifier, inputs, nest_source, own_activations, parts, states_of
from ..mistakes.arithmetic import walk_in
from ..model.call import Call
from ..model.case import Case
from ..model.forward import reference
from ..model.layers import Bidirectional
from ..model.spec import SIDES, Layer, Spec
from ..model.trajectory import Trajectory
from ..model.wiring import RIGHT
from .written import defined, is_large, literal, nested

__all__ = ["CALLS", "layers_script", "model_script", "rounding_room", "shows"]

#: The ways to run Keras, each as the call of a model.
CALLS = {
    "keras-call": "model({inputs})",
    "keras-predict": "model.predict({inputs}, batch_size=len(x), verbose=0)",
    "keras-graph": "run({each})",
}
#: What each way is to its users.
_SAID = {
    "keras-call": "model(x)",
    "keras-predict": "model.predict(x)",
    "keras-graph": "the model in a tf.function",
}

#: How far a right run may be off: so many times the rounding error of our own run, and so many units of round-off.
OWN_ERROR, UNITS = 8.0, 32.0


def rounding_room(case: Case) -> float:
    """How far rounding may carry a right implementation's outputs and final states, roughly: for scripts, not to judge.

    Returns
    -------
    float
        Infinite where the recurrence amplifies rounding beyond all bounds.
    """
    case, p = case.with_every_output(), case.spec.precision
    exact = dict(walk_in(p, case, RIGHT, np.float64).calls().numbers())
    room = 0.0
    for name, coarse in walk_in(p, case).calls().numbers():
        with np.errstate(all="ignore"):
            error = np.abs(np.nan_to_num(coarse.astype(np.float64) - exact[name])).max(initial=0.0)
            size = np.abs(np.nan_to_num(exact[name])).max(initial=1.0)
            room = max(room, float(OWN_ERROR * error + UNITS * p.unit * size))
    return room


def _room(case: Case) -> float:
    """The tolerance of a script: rounded as it is written."""
    return float(f"{rounding_room(case):.0e}")


def shows(case: Case, shown: Trajectory | None, as_built: bool = False) -> bool:
    """Tell whether the script for a way to run Keras calls what was shown wrong, by its own tolerance.

    A step may be wrong by less than what rounding has grown to at the end, where the script compares.
    """
    if shown is None:
        return True  # there was no answer: the script raises, as the model did
    case = case.with_every_output()
    right, room = reference(case), _room(case)
    if as_built:
        last = np.asarray(right.outputs)[:, -1]
        return not np.allclose(np.asarray(shown.outputs), last, 0, room, equal_nan=True)
    for got, expected in zip(shown.each_call, right.each_call, strict=True):
        for _, path in _shown(case.spec):
            a, b = _taken(got, path), np.asarray(_taken(expected, path))
            if a is None and path[-1] == "output":  # where these are the states
                a = _taken(got, (*path[:-1], "states"))
            if a is not None and (np.shape(a) != b.shape or not np.allclose(a, b, 0, room, equal_nan=True)):
                return True
    return False


# ---- what both have in common ----


def _large(case: Case, file: str | None) -> bool:
    return file is not None and is_large(case)


def _top(case: Case, file: str | None, what: str, *imports: str) -> Iterator[str]:
    """Yield the first lines: what it is, what it needs, and where the numbers are."""
    yield f'"""{case.spec}: what {what} gives, and what the recurrence gives."""'
    yield from ("", "import keras", "import numpy as np", *imports)
    if _large(case, file):
        yield "from pytest_rnnequiv import Case, reference"
    for own in own_activations(case.spec):
        yield from defined(own, identifier(own))
    yield ""
    if _large(case, file):
        yield f"loaded = Case.load({file!r}).with_every_output()"
        yield from ("case, calls = loaded.numbers(), reference(loaded).each_call", "")


def _set_weights(case: Case, part: str, large: bool) -> Iterator[str]:
    """Yield the lines that give a part its weights."""
    weights = case.part(part)
    if weights and large:
        yield f"{part}.set_weights([case[name] for name in {tuple(f'{part}/{name}' for name in weights)}])"
    elif weights:
        yield f"{part}.set_weights(["
        yield from (f"    {literal(array)},  # {name}" for name, array in weights.items())
        yield "])"


def _reset(case: Case, call: Call) -> Iterator[str]:
    if call.reset:
        yield from (f"layer{i}.reset_state()" for i, layer in enumerate(case.spec.layers) if layer.stateful)


def _given(call: Call) -> dict[str, npt.NDArray[Any]]:
    """What a call gives to the model, in its order."""
    mask = {} if call.mask is None else {"mask": call.mask}
    return {"x": call.x, **mask, **{f"state{i}": state for i, state in enumerate(call.states)}}


def _number(c: int, name: str, array: npt.NDArray[Any], large: bool) -> str:
    """Write what a call is given."""
    return f"case['call{c}/{name}']" if large else literal(array)


#: Where a trajectory of one call has something: attributes and indices, from the outside in.
Path = tuple[str | int, ...]


def _shown(spec: Spec) -> Iterator[tuple[str, Path]]:
    """Yield what a model shows in one call, in its order: its name, and where a trajectory has it.

    Stateful layers return nothing of what they keep: the script reads it from their variables.
    """
    for i, layer in enumerate(spec.layers):
        yield from ((f"layer{i}, {name}", ("shown_layers", i, *path)) for name, path in _outputs(layer, "output"))
        if layer.return_state or layer.stateful:
            yield from _final_states(i, layer)
    if spec.head is not None:
        yield "output", ("outputs",)


def _outputs(layer: Layer, attribute: str) -> list[tuple[str, Path]]:
    if getattr(layer, "merge_mode", "concat") is None:
        return [(f"{side} output", (attribute, k)) for k, side in enumerate(SIDES)]
    return [("output", (attribute,))]


def _final_states(i: int, layer: Layer) -> Iterator[tuple[str, Path]]:
    for k in range(_count(layer)):
        yield f"layer{i}, final state {k}", ("shown_layers", i, "final_states", k)


def _count(layer: Layer) -> int:
    """How many final states a layer has."""
    return sum(len(direction.state_units) for direction in layer.directions)


def _taken(call: Trajectory, path: Path) -> Any:
    """Take something of a trajectory; None where it was not shown."""
    found: Any = call
    for step in path:
        if found is None or (isinstance(step, int) and step >= len(found)):
            return None
        found = getattr(found, step) if isinstance(step, str) else found[step]
    return found


def _expected(c: int, call: Trajectory, path: Path, dtype: str, large: bool) -> str:
    """Write what something should be."""
    if large:
        return f"calls[{c}]" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)
    printed = "float32" if dtype == "bfloat16" else dtype  # NumPy has no bfloat16
    return nested(np.asarray(_taken(call, path)).astype(printed))


def _comparison(case: Case) -> list[str]:
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


# ---- layers ----


def layers_script(case: Case, file: str | None) -> str:
    """Write Keras's own layers, the numbers, the calls, and what they should give."""
    case = case.with_every_output()
    large, several = _large(case, file), len(case.calls) > 1
    lines = [*_top(case, file, "Keras")]
    if case.spec.dtype != "float32":
        lines += [f"keras.config.set_dtype_policy({case.spec.dtype!r})", ""]
    for name, part in parts(case.spec, None).items():
        lines += [f"{name} = {part.source()}", *_built(case, name, large)]
    right, compared = reference(case).each_call, []
    for c, call in enumerate(right):
        suffix, where = (str(c), f"call {c}, ") if several else ("", "")
        lines += ["", *_called(case, c, suffix, large)]
        for name, variable, path in _returned(case.spec, suffix):
            expected = _expected(c, call, path, case.spec.compute_dtype, large)
            compared.append(f"    ({where + name!r}, {variable}, {expected}),")
    return "\n".join([*lines, "", "compared = [", *compared, "]", *_comparison(case)]) + "\n"


def _built(case: Case, name: str, large: bool) -> Iterator[str]:
    """Yield the lines that build a part, and give it its weights."""
    spec = case.spec
    if not case.part(name):
        return
    features = {"embedding": spec.D, "layer0": spec.D}
    F = spec.layers[-1].features
    for part, dense in spec.dense.items():
        features[part], F = F, dense.K
    features |= {f"layer{i + 1}": layer.features for i, layer in enumerate(spec.layers[:-1])}
    shape: tuple[Any, ...] = (spec.N, spec.T, features[name])
    if name == "embedding":
        shape = shape[:2]
    elif name in spec.dense and not spec.layers[-1].return_sequences:
        shape = shape[::2]
    yield f"{name}.build({shape})"
    yield from _set_weights(case, name, large)


def _called(case: Case, c: int, suffix: str, large: bool) -> Iterator[str]:
    """Yield the lines of one call."""
    spec, call = case.spec, case.calls[c]
    written = {name: _number(c, name, array, large) for name, array in _given(call).items()}
    yield from (f"{name}{suffix} = {written[name]}" for name in ("x", "mask") if name in written)
    yield from _reset(case, call)
    before, y, states = f"x{suffix}", f"y{suffix}", states_of(spec)
    for name in parts(spec, None):
        more = f", mask=mask{suffix}" if name == "layer0" and call.mask is not None else ""
        if states.get(name):
            more += f", initial_state={nest_source(states[name], written.__getitem__)}"
        yield f"{_told(spec, name, suffix)} = {name}({before}{more})"
        before = y


def _told(spec: Spec, name: str, suffix: str) -> str:
    """Name what a part returns."""
    layer = spec.layers[int(name.removeprefix("layer"))] if name.startswith("layer") else None
    pair = layer is not None and getattr(layer, "merge_mode", "concat") is None
    told = ", ".join(f"{side}{suffix}" for side in SIDES) if pair else f"y{suffix}"
    return f"{told}, *{_states(name, suffix)}" if layer is not None and layer.return_state else told


def _states(name: str, suffix: str) -> str:
    return f"states{name.removeprefix('layer')}{f'_{suffix}' if suffix else ''}"


def _returned(spec: Spec, suffix: str) -> Iterator[tuple[str, str, Path]]:
    """Yield what is compared after one call: its name, the variable, and where a trajectory has it."""
    pair = spec.head is None and spec.two_outputs
    for name, path in _outputs(spec.layers[-1], "outputs") if pair else [("output", ("outputs",))]:
        yield name, f"{name.removesuffix(' output') if pair else 'y'}{suffix}", path
    for i, layer in enumerate(spec.layers):
        states = _states(f"layer{i}", suffix)
        nest = f"keras.tree.flatten({states})" if len(layer.directions[0].cells) > 1 else states
        for k, (name, path) in enumerate(_final_states(i, layer) if layer.return_state else ()):
            yield name, f"{nest}[{k}]", path


# ---- a model, in one of the ways to run it ----


def model_script(case: Case, file: str | None, runtime: str, as_built: bool = False) -> str:
    """Write the model as the suite builds it: a functional one that shows everything, run in one of the ways.

    Parameters
    ----------
    as_built : bool
        Write the model that users build of a plain spec, which shows the output of its last step and nothing else.
    """
    right = [*reference(case.with_every_output()).each_call]
    if as_built:
        right = [Trajectory(np.asarray(call.outputs)[:, -1]) for call in right]
    else:
        case = case.with_every_output()
    large = _large(case, file)
    described = parts(case.spec, case.spec.dtype)
    lines = [*_top(case, file, _SAID[runtime], *(["import tensorflow as tf"] if runtime == "keras-graph" else []))]
    lines += [*_model(case.spec, as_built), ""]
    for name in described:
        lines += _set_weights(case, name, large)
    if runtime == "keras-graph":
        entered = [*inputs(case.spec)]
        lines += [
            "signature = [tf.TensorSpec(each.shape, each.dtype) for each in model.inputs]",
            f"run = tf.function(lambda {', '.join(entered)}: model({_listed(entered)}), "
            "input_signature=signature, autograph=False)",
        ]
    lines += ["", "compared = []"]
    for c, call in enumerate(right):
        lines += _asked(case, c, call, runtime, large, as_built)
    return "\n".join([*lines, *_comparison(case)]) + "\n"


def _model(spec: Spec, as_built: bool) -> Iterator[str]:
    """Yield the lines that build the model."""
    entered = inputs(spec)
    yield from (f"{name} = {each.source()}" for name, each in entered.items())
    before, shown, states = "x", [], states_of(spec)
    for name, part in parts(spec, spec.dtype).items():
        yield f"{name} = {part.source()}"
        if name not in states:
            yield f"{name}_y = {name}({before})"
            before = f"{name}_y"
            shown += [before] if name == "head" else []
            continue
        more = ", mask=mask" if name == "layer0" and "mask" in entered else ""
        more += f", initial_state={nest_source(states[name], str)}" if states[name] else ""
        yield f"{name}_y = keras.tree.flatten({name}({before}{more}))"
        before = f"{name}_y[0]"
        shown.append(f"*{name}_y")
    yield f"model = keras.Model({_listed([*entered])}, [{before if as_built else ', '.join(shown)}])"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _asked(case: Case, c: int, right: Trajectory, runtime: str, large: bool, as_built: bool) -> Iterator[str]:
    """Yield the lines of one call, and of what it is compared with."""
    spec, call = case.spec, case.calls[c]
    yield ""
    yield from _reset(case, call)
    given = _given(call)
    yield from (f"{name} = {_number(c, name, array, large)}" for name, array in given.items())
    asked = CALLS[runtime].format(inputs=_listed([*given]), each=", ".join(given))
    yield f"got = keras.tree.flatten({asked})"
    yield from _kept_states(spec)
    where = f"call {c}, " if len(case.calls) > 1 else ""
    shown: list[tuple[str, Path]] = [("output of the last step", ("outputs",))] if as_built else [*_shown(spec)]
    last = "[:, -1]" if as_built and large else ""
    yield "compared += zip(["
    yield from (f"    {where + name!r}," for name, _ in shown)
    yield "], got, ["
    yield from (f"    {_expected(c, right, path, spec.compute_dtype, large)}{last}," for _, path in shown)
    yield "])"


def _kept_states(spec: Spec) -> Iterator[str]:
    """Yield the lines that put what stateful layers keep where their final states are compared."""
    place = 0
    for i, layer in enumerate(spec.layers):
        place += len(_outputs(layer, "output"))
        end = place + _count(layer) if layer.return_state else place
        if layer.stateful:
            kept = f"layer{i}.states"
            if isinstance(layer, Bidirectional):
                kept = f"[layer{i}.forward_layer.states, layer{i}.backward_layer.states]"
            yield f"kept = keras.tree.flatten({kept})"
            yield f"got[{place}:{end}] = [np.array(keras.ops.convert_to_numpy(each)) for each in kept]"
            end = place + _count(layer)
        place = end
