"""A port that is right as another cell than it is asked for is told what to declare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ports import by_hand
from samples import generic

from pytest_rnnequiv import Case, Spec, Supports, reference
from pytest_rnnequiv.cells import GRUCell, LSTMCell
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.suite.probing import probed

AS = "right as {}; if that is meant, declare supports = Supports(cells=({},))"


def only(cell: Any, supports: Supports | None = None, strict: bool = True) -> Any:
    """Return a port that computes one cell, whatever it is asked for: it raises, or takes what fits of the weights."""

    def run(case: Case) -> Any:
        mine = case.spec.replace(cell=cell)
        shapes = list(mine.weight_shapes.values())
        if strict and [np.shape(w) for w in case.weights] != shapes:
            raise ValueError("operands could not be broadcast together")
        weights = [np.resize(w, shape) for w, shape in zip(case.weights, shapes, strict=True)]
        return reference(Case(mine, weights=weights, calls=case.calls), np.float32)

    if supports is not None:
        run.supports = supports  # type: ignore[attr-defined]
    return run


BEFORE, AFTER = GRUCell(reset_after=False), GRUCell(reset_after=True)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("cell", "supports", "asked", "named", "declared"),
    [
        (LSTMCell(), None, "SimpleRNN", "LSTM", '"LSTM"'),
        (BEFORE, None, "SimpleRNN", "GRU(reset_after=False)", "GRUCell(reset_after=False)"),
        (AFTER, None, "SimpleRNN", "GRU(reset_after=True)", "GRUCell(reset_after=True)"),
        (BEFORE, Supports(cells=("GRU",)), AFTER, "GRU(reset_after=False)", "GRUCell(reset_after=False)"),
        (AFTER, Supports(cells=("GRU",)), BEFORE, "GRU(reset_after=True)", "GRUCell(reset_after=True)"),
        (AFTER, Supports(cells=("GRU", "LSTM")), BEFORE, "GRU(reset_after=True)", "GRUCell(reset_after=True)"),
    ],
)
def test_what_it_is_right_as(strict: bool, cell: Any, supports: Any, asked: Any, named: str, declared: str) -> None:
    port = Port(only(cell, supports, strict))
    assert probed(port, generic(cell=asked)) == (AS.format(named, declared),)


@pytest.mark.parametrize(
    ("port", "asked"),
    [
        (by_hand.starts_from_ones, "SimpleRNN"),  # wrong as what it is, and no other cell
        (only(LSTMCell(), Supports(cells=("LSTM",))), "LSTM"),
        (only(BEFORE, Supports(cells=(AFTER,))), AFTER),  # it has said which it is
        (only(LSTMCell(), Supports(cells=("GRU",))), AFTER),
    ],
)
def test_where_nothing_else_is_meant_it_is_not_said(port: Any, asked: Any) -> None:
    assert not any(fact.startswith("right as") for fact in probed(Port(port), generic(cell=asked)))


def test_a_wrong_lstm_is_no_lstm() -> None:
    def run(case: Case) -> Any:
        answer = only(LSTMCell())(case)
        return replace(answer, outputs=np.asarray(answer.outputs) + 0.01)

    assert not any(fact.startswith("right as") for fact in probed(Port(run), generic()))


def test_a_port_of_few_sizes_is_asked_for_these() -> None:
    port = Port(only(LSTMCell(), Supports(D=3, M=4, K=2, N=(1, 3), T=(1, 5))))
    assert probed(port, generic()) == (AS.format("LSTM", '"LSTM"'),)
    assert probed(Port(only(LSTMCell(), Supports(M=9))), generic()) == ()


def test_a_model_of_its_own_has_its_own_cell() -> None:
    case = generic()

    class Compiled:
        model = (Spec.simple(3, 4, 2), list(case.weights))

        def run(self, case: Case) -> Any:
            return by_hand.starts_from_ones(case)

    assert not any(fact.startswith("right as") for fact in probed(Port(Compiled()), case))
