"""A head of several Dense layers: its law, its recurrence and bounds, its files, and how it is drawn and explained."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import collect
from samples import NETWORKS

from pytest_rnnequiv import (
    GRU,
    LSTM,
    Bidirectional,
    Case,
    Dense,
    SimpleRNN,
    Spec,
    Supports,
    Trajectory,
    diagnose,
    judge,
    reference,
)
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.judging.observing import Asking, observe
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.strategies import generic_case

HEAD = (Dense(6, "relu"), Dense(5, "tanh", use_bias=False), Dense(2, "softmax"))
SPEC = Spec(3, LSTM(4), HEAD)


def test_the_last_one_is_the_head_and_all_have_names() -> None:
    assert (SPEC.head, SPEC.hidden) == (HEAD[-1], HEAD[:-1])
    assert list(SPEC.dense.items()) == [("dense0", HEAD[0]), ("dense1", HEAD[1]), ("head", HEAD[2])]
    assert Spec(3, LSTM(4), HEAD[2], hidden=HEAD[:2]) == SPEC
    assert str(SPEC).endswith(
        "-> Dense(6, activation=relu) -> Dense(5, activation=tanh, use_bias=False) -> " + str(HEAD[2])
    )
    assert SPEC.options == {"hidden", "head"}
    assert SPEC.K == 2
    assert not SPEC.plain


def test_the_law_of_each() -> None:
    counts = SPEC.param_counts
    assert [counts[name] for name in SPEC.dense] == [6 * (4 + 1), 5 * 6, 2 * (5 + 1)]
    frozen = SPEC.with_dense([HEAD[0].replace(trainable=False), *HEAD[1:]])
    assert frozen.param_count - frozen.trainable_count == 6 * (4 + 1)


def test_without_a_head_there_are_none_before_it() -> None:
    assert SPEC.replace(head=None).hidden == ()
    assert Spec(3, LSTM(4), ()).head is None
    assert Spec(3, LSTM(4), [Dense(2)]) == Spec(3, LSTM(4), Dense(2))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Spec(3, LSTM(4), (Dense(2), 3)), "head must be a Dense, or several of them, not"),  # type: ignore[list-item]
        (lambda: Spec(3, LSTM(4), (Dense(2, distributed=True), Dense(1))), "TimeDistributed needs steps"),
        (lambda: Spec(3, Bidirectional(LSTM(4), merge_mode=None), HEAD), "a head needs one input"),
        (lambda: SPEC.M, "has several Dense layers: look into its layers for M"),
        (lambda: generic_case(SPEC, 1, 1).Wo, "has no Wo: look into case.named_weights"),
    ],
)
def test_what_does_not_fit_is_told(wrong: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError), match=told):
        wrong()


def test_each_computes_on_what_the_one_before_puts_out() -> None:
    case = generic_case(SPEC.replace(layers=(SimpleRNN(4, return_sequences=True),)), 2, 3)
    w = {name: array.astype(np.float64) for name, array in case.named_weights.items()}
    y = np.asarray(reference(case).shown_layers[0].output)
    y = np.maximum(y @ w["dense0/Wo"] + w["dense0/bo"], 0)
    y = np.exp(np.tanh(y @ w["dense1/Wo"]) @ w["head/Wo"] + w["head/bo"])
    assert np.allclose(reference(case).outputs, y / y.sum(-1, keepdims=True), 1e-12)


@pytest.mark.parametrize("seen", ["layers", "outputs"])
def test_a_right_one_is_never_called_different(seen: str) -> None:
    functions = ("relu", "tanh", "softmax", "linear", "softplus", "gelu")
    for seed, (first, second) in enumerate(product(functions, functions)):
        layer = (LSTM(4), GRU(5, return_sequences=True), Bidirectional(SimpleRNN(3)))[seed % 3]
        case = generic_case(Spec(3, layer, (Dense(7, first), Dense(4, second), Dense(2))), 2, 5, seed=seed)
        shown = reference(case, np.float32)
        verdict = judge(case, shown if seen == "layers" else Trajectory(shown.outputs))
        assert verdict.equivalent, verdict
        off = np.asarray(shown.outputs) + np.float32(1e-3)
        assert not judge(case, Trajectory(off) if seen == "outputs" else shown.replace(outputs=off)).equivalent


def test_nan_comes_through_all_of_them() -> None:
    case = generic_case(SPEC.replace(layers=(SimpleRNN(4),)), 2, 3)
    x = case.calls[0].x.copy()
    x[0, 1, 0] = np.nan
    case = case.replace(x=x)
    right = reference(case, np.float32)
    assert np.isnan(np.asarray(right.outputs)[0]).all()
    assert judge(case, right.outputs).equivalent
    assert judge(case, np.nan_to_num(right.outputs)).different


def test_who_shows_outputs_only_is_seen_without_the_head() -> None:
    spec = Spec(3, (GRU(4, return_sequences=True),), HEAD)
    case = generic_case(spec, 2, 4)
    asked: list[Spec] = []

    def run(case: Case) -> Any:
        asked.append(case.spec)
        return reference(case, np.float32).outputs

    seen = observe(run, case, Asking(takes=lambda case: True))
    assert [str(each.head) for each in asked] == [str(HEAD[-1]), "Dense(4)"]
    assert asked[1].hidden == ()
    assert seen.judge().equivalent


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    case = NETWORKS["several Dense"]
    case.save(tmp_path / "case.npz")
    again = Case.load(tmp_path / "case.npz")
    assert again.spec == case.spec
    assert again.fingerprint() == case.fingerprint()


def test_they_are_drawn_for_those_who_declare_them() -> None:
    specs = collect(rnn.architectures(options=("hidden", "head", "return_sequences")), 300)
    assert {len(spec.hidden) for spec in specs} == {0, 1, 2}
    assert any(spec.hidden and spec.head and spec.head.distributed for spec in specs)
    assert all(len({dense.distributed for dense in spec.dense.values()}) < 2 for spec in specs)
    assert not any(spec.hidden for spec in collect(rnn.architectures(options=("head",)), 100))
    of_heads = rnn.architectures(options=("hidden",), head_activations=("softmax",))
    assert {dense.activation.name for spec in collect(of_heads, 100) for dense in spec.hidden} == {"softmax"}


def test_who_does_not_declare_them_is_not_asked() -> None:
    assert Supports(options=("hidden",), cells=("LSTM",)).takes(Spec(3, LSTM(4), (Dense(3), Dense(2))))
    assert Supports(cells=("LSTM",)).lacks(SPEC) == "option head, hidden"
    said = Supports(options=("head", "hidden"), cells=("LSTM",), head_activations=("softmax", "relu"))
    assert said.lacks(SPEC) == "head activation tanh"
    assert said.including(SPEC).takes(SPEC)


NAMED = (
    *("head-activation-ignored", "bo-dropped", "Wo-columns-reversed", "dense-left-out"),
    *("hidden-activation-on-head", "hidden-activations-ignored", "hidden-activation-relu", "dense-0-and-1-exchanged"),
)


@pytest.mark.parametrize("name", NAMED)
def test_a_mistake_is_named_by_the_outputs_alone(name: str) -> None:
    case = NETWORKS["several Dense"]
    mistake = by_name(name)
    placed = [one for one in mistake.placed(case.spec) if one(case) is not None]
    for one in (*placed, mistake) if name in ("bo-dropped", "dense-left-out") else (mistake,):
        shown = Trajectory(one.run(case).outputs)
        assert judge(case, shown).different
        named = diagnose(case, shown).name
        assert named == one.name or (name, named) == ("head-activation-ignored", "hidden-activations-ignored")


def test_a_mistake_in_one_of_them_is_named_with_its_place() -> None:
    case = NETWORKS["several Dense"]
    placed = {one.name: one for one in by_name("bo-doubled").placed(case.spec)}
    assert list(placed) == ["dense0.bo-doubled", "dense1.bo-doubled", "head.bo-doubled"]
    assert placed["dense1.bo-doubled"].says == "with the bias `bo` of the head counted twice (in dense1)"
    assert [*by_name("bo-doubled").placed(NETWORKS["stack"].spec)] == []
