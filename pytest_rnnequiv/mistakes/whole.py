"""Which mistake explains what a whole model puts out: one in a recurrent layer, or one in a layer round them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import activation
from ..arithmetic.precision import Precision
from ..judging.verdict import Verdict
from ..judging.whole import Change, enclosed, judge_whole
from ..model.around import Around, Unfollowed
from ..model.case import Case
from ..model.graph import Graph
from ..model.wiring import Unmade, Wiring
from .catalogue import EVERY, Mistake
from .evidence import Explanation

__all__ = ["Run", "explain_whole"]

Array = npt.NDArray[Any]


class Run(NamedTuple):
    """What a whole model was asked, and what it put out."""

    inputs: Sequence[Array]
    outputs: Sequence[Any]


#: Seconds of the processor in which mistakes are tried.
SECONDS = 20.0

#: By how many times the bound of the right outputs a mistake's may be off to be worth its own: bounds are alike.
MUCH = 1e3


def explain_whole(graph: Graph, seen: Sequence[Run], precision: Precision | None = None) -> tuple[Explanation, ...]:
    """Return the mistakes under which all that was seen is equivalent.

    Parameters
    ----------
    seen : sequence of Run
        Runs that are different without a mistake come first.
    """
    until = time.process_time() + SECONDS
    found, p = [], precision or Precision.float32
    before = [judge_whole(graph, *run, precision) for run in seen]
    inputs, outputs = seen[0]
    room = [MUCH * each.number.bound for each in enclosed(graph, inputs, p).outputs]
    for mistake, model, changes in _candidates(graph):
        if time.process_time() > until:
            break
        if not _near(model, inputs, outputs, p, changes, room):
            continue
        verdicts = _verdicts(model, seen, precision, changes)
        if verdicts is None:
            continue
        steps, broken = (sum(getattr(each, name) for each in before) for name in ("steps", "broken"))
        found.append(Explanation((mistake,), steps, steps, steps - broken))
    return tuple(found)


def _near(
    model: Graph, inputs: Sequence[Array], outputs: Sequence[Any], p: Precision, changes: dict[str, Change], room: Any
) -> bool:
    """Whether a model with a mistake comes near enough to what was put out, that it is worth its bounds."""
    try:
        made = enclosed(model, inputs, p, changes, bounds=False).outputs
    except (Unfollowed, Unmade, ValueError, IndexError):
        return False
    each = zip(made, outputs, room, strict=True)
    return all(
        one.number.shape == np.shape(got) and bool((np.abs(one.number.value - got) <= much).all())
        for one, got, much in each
    )


def _verdicts(
    model: Graph, seen: Sequence[Run], precision: Precision | None, changes: dict[str, Change]
) -> list[Verdict] | None:
    """Judge runs of a model with a mistake; None as soon as one is not equivalent."""
    verdicts = []
    for run in seen:
        try:
            verdict = judge_whole(model, *run, precision, changes)
        except (Unfollowed, Unmade, ValueError, IndexError):  # the mistake gives shapes that do not fit
            return None
        if not verdict.equivalent:
            return None
        verdicts.append(verdict)
    return verdicts


def _candidates(graph: Graph) -> Iterator[tuple[Mistake, Graph, dict[str, Change]]]:
    """Yield mistakes, and the model with each of them."""
    for name, layer in graph.layers():
        if isinstance(layer, Around):
            for mistake, changed in _around(name, layer):
                yield mistake, graph.with_layer(name, changed), {}
    recurrent = graph.recurrent()
    for mistake in EVERY:
        if mistake.group in ("calls", "embedding", "head") or (mistake.precision is not None and not mistake.computed):
            continue
        for name, one in recurrent.items():
            says = [(mistake, f"{mistake.says} (in {name})")]
            says += [(each, f"{each.says} of {name}") for each in mistake.placed(one.spec)]
            for each, said in says:
                yield replace(each, name=f"{name}.{each.name}", says=said), graph, {name: _made(each)}


def _made(mistake: Mistake) -> Change:
    def change(case: Case) -> tuple[Case, Wiring] | None:
        made = mistake.made(case)
        return None if made is None else (made.case, made.wiring)

    return change


# ---- round the recurrent layers ----


def _around(name: str, layer: Around) -> Iterator[tuple[Mistake, Around | None]]:
    """Yield the mistakes that people make in a layer that is not recurrent, and the layer with each."""

    def one(what: str, says: str, cause: str) -> Mistake:
        return Mistake(f"{name}.{what}", says, cause, "around")

    yield one("left-out", f"with its {name} left out", "a layer that a converter or a port does not know"), None
    if layer.function is not None and layer.function.name != "linear":
        forgotten = replace(layer, function=activation("linear"))
        yield (
            one("activation", f"with the activation of its {name} forgotten", "it is an option of the layer"),
            forgotten,
        )
    yield from _weights(name, layer, one)
    for option, value, says, cause in OPTIONS.get(layer.kind, ()):
        if layer.options.get(option) != value:
            changed = replace(layer, options={**layer.options, option: value})
            yield one(f"{option}-{value}", f"with {says} in its {name}", cause), changed


def _weights(name: str, layer: Around, one: Any) -> Iterator[tuple[Mistake, Around]]:
    kernel = layer.weights[0] if layer.weights else np.zeros(0)
    if layer.kind in ("Conv1D", "Dense") and len(layer.weights) > 1:
        dropped = replace(layer, weights=(kernel, np.zeros_like(layer.weights[1])))
        yield one("bias-dropped", f"without the bias of its {name}", "biases are the second array of a layer"), dropped
    if layer.kind == "Dense" and kernel.shape[0] == kernel.shape[1]:
        turned = replace(layer, weights=(kernel.T, *layer.weights[1:]))
        yield one("transposed", f"with the kernel of its {name} transposed", "PyTorch and ONNX keep (out, in)"), turned
    if layer.kind == "Conv1D":
        flipped = replace(layer, weights=(kernel[::-1], *layer.weights[1:]))
        cause = "a convolution as mathematics has it, where deep learning has a correlation"
        yield one("flipped", f"with the kernel of its {name} turned round in time", cause), flipped
    for place, (array, what, value) in enumerate(_of_normalization(layer)):
        without = [value if i == place else a for i, a in enumerate(layer.weights)]
        changed = replace(layer, weights=tuple(without))
        if not np.array_equal(array, value):
            yield (
                one(f"{what}-dropped", f"without the {what} of its {name}", "the arrays of a layer miscounted"),
                changed,
            )


def _of_normalization(layer: Around) -> Iterator[tuple[Array, str, Array]]:
    """Yield the weights of a normalization, what they are, and what they would be where nobody sets them."""
    if layer.kind not in ("BatchNormalization", "LayerNormalization"):
        return
    scaled, centred = (layer.options.get(option, True) for option in ("scale", "center"))
    names = [*(["gamma"] if scaled else []), *(["beta"] if centred else []), "moving mean", "moving variance"]
    for array, what in zip(layer.weights, names, strict=False):
        value = np.ones_like(array) if what in ("gamma", "moving variance") else np.zeros_like(array)
        yield array, what, value


#: Options of layers that people have otherwise: its name, its value, what is said of it, and how it comes.
OPTIONS: dict[str, tuple[tuple[str, Any, str, str], ...]] = {
    "BatchNormalization": (("epsilon", 1e-5, "an epsilon of 1e-5", "that of PyTorch; Keras has 1e-3"),),
    "LayerNormalization": (("epsilon", 1e-5, "an epsilon of 1e-5", "that of PyTorch; Keras has 1e-3"),),
    "Conv1D": (
        ("padding", "same", "padding on both sides", "padding='causal' is on the left alone"),
        ("padding", "causal", "padding on the left alone", "padding='same' is on both sides"),
    ),
}
