"""Whole models that show what they compute on the way: judged layer by layer, so that no bound has a way to travel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from whole_models import layer, sequential

from pytest_rnnequiv import Precision
from pytest_rnnequiv.implementations.files.keras_graph import graph_of
from pytest_rnnequiv.judging.parts import INPUTS, Parts, layouts, sequences
from pytest_rnnequiv.judging.whole import Judged, Run, computed, enclosed, judge_run, judge_whole, judged_run
from pytest_rnnequiv.mistakes.whole import answered, by_place, candidates, explain_whole, shown_right
from pytest_rnnequiv.model.graph import Graph

LSTM = {"units": 6, "activation": "tanh", "recurrent_activation": "sigmoid"}


def model(seed: int = 0, size: float = 1.5, **options: Any) -> Graph:
    """A convolution, a normalization, two recurrent layers, in which errors grow, and a head."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int) -> Any:
        return (size * rng.standard_normal(shape)).astype(np.float32)

    config = sequential(
        layer("Conv1D", "conv", kernel_size=[3], strides=[1], padding="causal", activation="relu"),
        layer("BatchNormalization", "batch", epsilon=options.get("epsilon", 1e-3)),
        layer("Bidirectional", "both", merge_mode="concat", layer=layer("LSTM", "one", **LSTM, return_sequences=True)),
        layer("LSTM", "rnn", **LSTM),
        layer("Dense", "head", units=2, activation="linear"),
        shape=(None, 3),
    )
    arrays = {
        "conv": [drawn(3, 3, 5), drawn(5)],
        "batch": [drawn(5), drawn(5), drawn(5), np.abs(drawn(5)) + np.float32(0.5)],
        "both": [each for _ in range(2) for each in (drawn(5, 24), drawn(6, 24), drawn(24))],
        "rnn": [drawn(12, 24), drawn(6, 24), drawn(24)],
        "head": [drawn(6, 2), drawn(2)],
    }
    for name, change in options.get("changed", {}).items():
        arrays[name] = change(arrays[name])
    return graph_of(config, lambda entry: arrays[entry.name])


def run_of(graph: Graph, inputs: list[Any]) -> Run:
    parts = computed(graph, inputs)
    return Run(inputs, parts.outputs, parts)


@pytest.fixture(scope="module")
def inputs() -> list[Any]:
    return model().drawn(np.random.default_rng(1), 2, 24)


def test_a_run_that_is_inconclusive_by_its_outputs_is_proved_by_what_it_shows(inputs: list[Any]) -> None:
    run = run_of(model(), inputs)
    assert judge_whole(model(), *run[:2]).inconclusive
    judged = judged_run(model(), run)
    assert judged.verdict.equivalent
    assert judged.verdict.way == "layer by layer"
    assert judged.asked is not None
    assert judged.asked.found == dict.fromkeys(("conv", "batch", "both", "rnn"), True)
    assert judged.asked.told == "what it shows of rnn is right"


@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul"])
@pytest.mark.parametrize("every", [False, True])
def test_a_model_may_end_with_a_recurrent_layer(merge: str, every: bool) -> None:
    rng = np.random.default_rng(3)
    config = sequential(
        layer("Conv1D", "conv", kernel_size=[3], strides=[1], padding="causal", activation="relu"),
        layer("Bidirectional", "both", merge_mode=merge, layer=layer("LSTM", "one", **LSTM, return_sequences=every)),
        shape=(None, 3),
    )
    shapes = {"conv": [(3, 3, 5), (5,)], "both": [(5, 24), (6, 24), (24,)] * 2}
    arrays = {name: [rng.normal(size=shape).astype(np.float32) for shape in each] for name, each in shapes.items()}
    graph = graph_of(config, lambda entry: arrays[entry.name])
    for T in (1, 5, 24):
        run = run_of(graph, graph.drawn(rng, 2, T))
        judged = judged_run(graph, run)
        assert judged.verdict.equivalent, judged.verdict
        off = Run(run.inputs, [y + np.float32(1e-3) for y in run.outputs], run.parts)
        assert not judged_run(graph, off).verdict.equivalent


@pytest.mark.parametrize("layout", [(1, 0, 2), (0, 2, 1)])
def test_layouts_and_names_are_those_of_the_file(layout: tuple[int, ...], inputs: list[Any]) -> None:
    """Time first, or channels first; two directions beside each other; the numbers tell what is what."""
    run = run_of(model(), inputs)
    assert run.parts is not None
    names = {name: f"t{number}" for number, name in enumerate(run.parts.tensors)}
    tensors = {names[name]: a.transpose(layout) for name, a in run.parts.tensors.items() if a.ndim == 3}
    forward, backward = (a for name, a in run.parts.tensors.items() if name.startswith("both:") and a.shape[2] == 6)
    del tensors[next(names[n] for n, a in run.parts.tensors.items() if a is forward)]
    tensors["both directions"] = np.stack([forward, backward[:, ::-1]]).transpose(2, 0, 1, 3)
    parts = Parts(tensors, run.parts.outputs, {}, ["y"])
    assert judged_run(model(), run._replace(parts=parts)).verdict.equivalent


@pytest.mark.parametrize(
    ("options", "says", "told"),
    [
        (
            {"epsilon": 1e-5},
            "with an epsilon of 1e-5 in its batch",
            "what it shows of conv is right, and nothing that it shows is what batch should put out",
        ),
        (
            {"changed": {"conv": lambda arrays: [arrays[0][::-1], arrays[1]]}},
            "with the kernel of its conv turned round in time",
            "nothing that it shows is what conv should put out",
        ),
    ],
)
def test_what_hides_in_wide_bounds_is_found_and_named(options: Any, says: str, told: str, inputs: list[Any]) -> None:
    """A layer that is wrong is not among what is shown."""
    run = run_of(model(**options), [x[:1, :5] for x in inputs])
    judged = judged_run(model(), run)
    assert judged.verdict.different
    assert judged.asked is not None
    assert judged.asked.told == told
    assert says in [each.says for each in explain_whole(model(), [run], judged=judged)]


def order(arrays: list[Any]) -> list[Any]:
    return [np.concatenate([np.split(a, 4, -1)[i] for i in (0, 2, 1, 3)], -1) for a in arrays]


def test_a_mistake_in_all_layers_is_one_mistake() -> None:
    """A converter that makes it makes it everywhere; it is tried for the first layer that is wrong."""
    inputs = model().drawn(np.random.default_rng(1), 1, 5)
    run = run_of(model(changed={"both": order, "rnn": order}), inputs)
    judged = judged_run(model(), run)
    first, *_ = by_place(judged, [*candidates(model(), without=shown_right(judged))])
    assert all("both" in each.layers for each in first)
    says = "with its gates taken for i, c, f, o (in both and rnn)"
    (one,) = (each for each in first if each.mistake.says == says)
    assert judge_run(one.graph, run, changes=one.changes).equivalent
    twice = model().with_layer("head", model().nodes["conv"].layer)
    says = "without the bias of its conv and head"
    assert says in [each.mistake.says for each in candidates(twice)]


def test_what_is_not_shown_is_not_held_against_a_file(inputs: list[Any]) -> None:
    """Where something gets to the outputs past what was shown, a difference may be that of two computations."""
    wrong = run_of(model(changed={"head": lambda arrays: [arrays[0], arrays[1] + np.float32(1e-4)]}), inputs)
    assert judged_run(model(), wrong).verdict.different
    assert wrong.parts is not None
    past = {**wrong.parts.made_of, wrong.parts.ends[0]: [*wrong.parts.made_of[wrong.parts.ends[0]], INPUTS]}
    beside = wrong._replace(parts=replace(wrong.parts, made_of=past))
    assert judged_run(model(), beside).verdict.inconclusive
    other = wrong._replace(outputs=tuple(2 * y for y in wrong.outputs))  # what it shows is another run
    assert judged_run(model(), other).verdict.way == "whole model"


def test_separate() -> None:
    made = {"x": [INPUTS], "a": ["x", "W"], "b": ["a"], "c": ["x"], "y": ["b", "c"]}
    parts = Parts({}, (), made, ["y"])
    assert parts.separate(frozenset({"b", "c"}))
    assert parts.separate(frozenset({"x"}))
    assert not parts.separate(frozenset({"b"}))


def test_layouts() -> None:
    a = np.arange(24.0).reshape(4, 1, 2, 3)
    (found,) = layouts(a, (2, 4, 3))
    assert (found == a[:, 0].swapaxes(0, 1)).all()
    assert not [*layouts(a, (2, 4, 4))]
    both = np.arange(48.0).reshape(4, 2, 2, 3)
    assert any((each == both[:, 1].swapaxes(0, 1)[:, ::-1]).all() for each in sequences(both, (2, 4, 3), turned=True))


def test_a_bound_is_an_answer_where_it_excludes_what_goes_wrong() -> None:
    """Beside the outputs it is wide, and narrow beside what any mistake makes of them; one that is wider is none."""
    graph = model(size=0.5)
    inputs = graph.drawn(np.random.default_rng(1), 1, 5)
    run = Run(inputs, computed(graph, inputs).outputs)
    judged = judged_run(graph, run)
    assert judged.asked is not None
    wide = judged.verdict.__class__("inconclusive", "whole model", steps=2)
    found = answered(graph, Judged(wide, run, judged.asked))
    assert found.equivalent
    assert found.way == "exclusion of mistakes"
    (made,) = judged.asked.outputs
    number = made.number.closed()
    number.radius = np.full(number.shape, 10.0)
    wider = replace(judged.asked, outputs=[replace(made, number=number)])
    assert answered(graph, Judged(wide, run, wider)) is wide
    assert answered(graph, judged) is judged.verdict


def test_an_output_of_an_activation_is_small_beside_what_goes_into_it() -> None:
    """A probability of 1e-5 has no more than the rounding of its argument, and is not beside what it is off."""
    graph = model()
    head = graph.nodes["head"].layer
    assert head is not None
    from pytest_rnnequiv.arithmetic.activations import activation
    from pytest_rnnequiv.model.around import Around

    assert isinstance(head, Around)
    kernel, _ = head.weights
    weights = (0.1 * kernel, np.full(2, -12, np.float32))
    graph = graph.with_layer("head", replace(head, weights=weights, function=activation("sigmoid")))
    inputs = graph.drawn(np.random.default_rng(1), 2, 3)
    outputs = [each.number.value.astype(np.float32) for each in enclosed(graph, inputs, Precision.float32).outputs]
    assert np.max(outputs) < 1e-4
    assert judge_whole(graph, inputs, outputs).equivalent
