"""Which mistake explains what a whole model puts out: one in a recurrent layer, or one in a layer round them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic.activations import activation
from ..arithmetic.precision import Precision
from ..judging.verdict import Verdict
from ..judging.whole import Change, Judged, Run, enclosed, judge_run, judged_run
from ..model.around import Around, Unfollowed
from ..model.case import Case
from ..model.graph import Graph
from ..model.wiring import Unmade, Wiring
from .catalogue import EVERY, Mistake
from .evidence import Explanation
from .excluding import EXCLUSION, LEAST_EXCLUDED, SAME, usual

__all__ = ["answered", "by_place", "candidates", "explain_whole", "shown_right"]

Array = npt.NDArray[Any]


#: Seconds of the processor in which mistakes are tried.
SECONDS = 20.0

#: How far a mistake's outputs may be from what was put out to be worth their bounds, beside how far the right ones are.
NEARER = 0.5

#: By how many times they may be farther than those of a mistake that explains all: both have to be within bounds.
AS_NEAR = 1e3

#: What is raised where a mistake gives shapes that do not fit.
NO_MODEL = (Unfollowed, Unmade, ValueError, IndexError)


class Candidate(NamedTuple):
    """A mistake, and the model with it.

    Attributes
    ----------
    layers : names
        Those in which it is made.
    changes : dict
        What recurrent layers compute instead.
    everywhere : bool
        Whether it is made in all of a layer, and not in one gate or one direction.
    """

    mistake: Mistake
    layers: Collection[str]
    graph: Graph
    changes: dict[str, Change]
    everywhere: bool = True


def explain_whole(
    graph: Graph, seen: Sequence[Run], precision: Precision | None = None, judged: Judged | None = None
) -> tuple[Explanation, ...]:
    """Return the mistakes under which all that was seen is equivalent.

    Parameters
    ----------
    seen : sequence of Run
        Runs that are different without a mistake come first.
    judged : Judged, optional
        The verdict on the first run, where it is known.
    """
    until = time.process_time() + SECONDS
    p = precision or Precision.float32
    first = judged_run(graph, seen[0], precision) if judged is None else judged
    before = [first.verdict, *(judge_run(graph, run, precision) for run in seen[1:])]
    steps, broken = (sum(getattr(each, name) for each in before) for name in ("steps", "broken"))
    for some in by_place(first, [*candidates(graph, without=shown_right(first))]):
        found, limit = dict[int, Explanation](), NEARER
        for number, off in _by_nearness(graph, some, seen[0], p, until):
            if time.process_time() > until or off > limit:
                break
            mistake, _, model, changes, _ = some[number]
            if _explains(model, seen, precision, changes):
                found[number] = Explanation((mistake,), steps, steps, steps - broken)
                limit = min(limit, AS_NEAR * max(off, p.unit))
        if found:
            return tuple(found[number] for number in sorted(found))
    return ()


def by_place(judged: Judged, some: list[Candidate]) -> list[list[Candidate]]:
    """Split mistakes: first those in the first layer that is not shown to be right, of these first the plain ones."""
    place = "" if judged.asked is None else judged.asked.next
    ranks = [(place not in each.layers) * 2 + (not each.everywhere) for each in some]
    return [[each for each, own in zip(some, ranks, strict=True) if own == rank] for rank in range(4)]


def _by_nearness(
    graph: Graph, some: Sequence[Candidate], run: Run, p: Precision, until: float
) -> list[tuple[int, float]]:
    """Sort mistakes by how far what comes of them is from what was put out, as a share of how far right outputs are.

    It takes no more than half of the time that is left.
    """
    until = 0.5 * (time.process_time() + until)
    right = enclosed(graph, run.inputs, p, bounds=False).outputs
    pairs = zip(right, run.outputs, strict=True)
    size = [max(float(np.abs(each.number.value - got).max()), p.tiny) for each, got in pairs]
    far = dict[int, float]()
    for number, (_, _, model, changes, _) in enumerate(some):
        if time.process_time() > until:
            break
        try:
            made = enclosed(model, run.inputs, p, changes, bounds=False).outputs
        except NO_MODEL:
            continue
        each = [*zip(made, run.outputs, size, strict=True)]
        if all(one.number.shape == np.shape(got) for one, got, _ in each):
            far[number] = max(float(np.abs(one.number.value - got).max()) / most for one, got, most in each)
    return sorted((one for one in far.items() if one[1] <= NEARER), key=lambda one: one[1])  # none that is NaN


def _explains(model: Graph, seen: Sequence[Run], precision: Precision | None, changes: dict[str, Change]) -> bool:
    """Whether what was put out is right for a model with a mistake."""
    try:
        return all(judge_run(model, run, precision, changes).equivalent for run in seen)
    except NO_MODEL:
        return False


def answered(graph: Graph, judged: Judged, precision: Precision | None = None) -> Verdict:
    """Return the verdict with an answer, where it is inconclusive for its width and excludes what people get wrong.

    As with coarse arithmetic (:mod:`.excluding`), a bound has to be no smaller than what it should tell apart. What
    comes of a mistake has as wide a bound, so twice that width has to lie between them. Layers that were shown to be
    right need no more of an answer.
    """
    verdict, asked, p = judged.verdict, judged.asked, precision or Precision.float32
    if not verdict.inconclusive or asked is None:
        return verdict
    inputs, shown = judged.run.inputs, shown_right(judged)
    right = [each.number.value for each in enclosed(graph, inputs, p, bounds=False).outputs]
    room = [2 * (each.number.bound + p.shown) for each in asked.outputs]
    made = missed = 0
    some = [each for each in candidates(graph, usual(), shown) if len(each.layers) == 1]
    for _, _, model, changes, _ in some:
        try:
            wrong = [each.number.value for each in enclosed(model, inputs, p, changes, bounds=False).outputs]
        except NO_MODEL:
            continue
        if [a.shape for a in wrong] != [a.shape for a in right]:
            continue
        off = [np.abs(one - other) for one, other in zip(wrong, right, strict=True)]
        if all((a <= SAME * np.abs(b).max(initial=0.0)).all() for a, b in zip(off, right, strict=True)):
            continue
        made += 1
        missed += not any((a > b).any() for a, b in zip(off, room, strict=True))
        if missed > (1 - LEAST_EXCLUDED) * len(some):
            return verdict
    if not made or missed > (1 - LEAST_EXCLUDED) * made:
        return verdict
    return Verdict("equivalent", EXCLUSION, verdict.error_over_bound, steps=verdict.steps)


def shown_right(judged: Judged) -> set[str]:
    """Return the names of the layers that were shown to be right."""
    return set() if judged.asked is None else {name for name, found in judged.asked.found.items() if found}


def candidates(graph: Graph, mistakes: Sequence[Mistake] = EVERY, without: Collection[str] = ()) -> Iterator[Candidate]:
    """Yield mistakes, and the model with each of them, in one layer or in all of its kind; none in some layers."""
    yield from _candidates_around(graph, without)
    recurrent = {name: layer for name, layer in graph.recurrent().items() if name not in without}
    for mistake in mistakes:
        if mistake.group in ("calls", "embedding", "head") or (mistake.precision is not None and not mistake.computed):
            continue
        for name, one in recurrent.items():
            says = [(mistake, f"{mistake.says} (in {name})")]
            if mistakes is EVERY:
                says += [(each, f"{each.says} of {name}") for each in mistake.placed(one.spec)]
            for each, said in says:
                named = replace(each, name=f"{name}.{each.name}", says=said)
                yield Candidate(named, (name,), graph, {name: _made(each)}, each is mistake)
        if len(recurrent) > 1:
            everywhere = replace(mistake, says=f"{mistake.says} (in {_all(recurrent)})")
            yield Candidate(everywhere, [*recurrent], graph, dict.fromkeys(recurrent, _made(mistake, needed=False)))


def _candidates_around(graph: Graph, without: Collection[str]) -> Iterator[Candidate]:
    alike = dict[tuple[str, str], list[tuple[str, Mistake, Around | None]]]()
    for name, layer in graph.layers():
        if not isinstance(layer, Around) or name in without:
            continue
        for mistake, changed in _around(name, layer):
            yield Candidate(mistake, (name,), graph.with_layer(name, changed), {})
            what = mistake.name.removeprefix(f"{name}.")
            alike.setdefault((layer.kind, what), []).append((name, mistake, changed))
    for (kind, what), each in alike.items():
        if len(each) == 1 or what == "left-out":
            continue
        model = graph
        for name, _, changed in each:
            model = model.with_layer(name, changed)
        first, mistake, _ = each[0]
        names = [name for name, *_ in each]
        says = mistake.says.replace(f"its {first}", f"its {_all(names)}")
        yield Candidate(replace(mistake, name=f"{kind}.{what}", says=says), names, model, {})


def _all(names: Collection[str]) -> str:
    """Name several layers."""
    *first, last = names
    return f"{', '.join(first)} and {last}"


def _made(mistake: Mistake, needed: bool = True) -> Change:
    """Return what makes a mistake in a recurrent layer.

    Where it cannot be made, nothing is left to be tried; of one in all layers, some may have no place for it.
    """

    def change(case: Case) -> tuple[Case, Wiring] | None:
        made = mistake.made(case)
        if made is None and needed:
            raise Unmade
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
