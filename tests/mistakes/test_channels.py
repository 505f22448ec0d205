"""Wrong scales of single channels are named, where scales are declared by channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from coarse import FullInt8, Hybrid, HybridGated
from samples import generic

from pytest_rnnequiv import Case, Precision, Trajectory, diagnose, judge, reference
from pytest_rnnequiv.mistakes.channels import MOST, of_channels
from pytest_rnnequiv.mistakes.seen import Told

SIZES: dict[str, Any] = {"N": 2, "T": 3, "M": 4, "D": 3, "scale": 0.6, "radius": 0.9}


def scaled(case: Case, letter: str, **factors: Any) -> Case:
    """The scales of some columns times something."""
    w = getattr(case, letter).copy()
    for column, factor in factors.items():
        w[:, int(column[1:])] *= factor
    return case.replace(**{letter: w})


def with_scales_of(case: Case, letter: str, order: list[int]) -> Case:
    """The same integers with the scales of other columns."""
    w = getattr(case, letter)
    scales = np.abs(w).max(0)
    return case.replace(**{letter: (w / scales * scales[order]).astype(w.dtype)})


def test_a_wrong_scale_of_one_channel_is_named_by_the_last_output() -> None:
    case, port = generic(3, **SIZES), Hybrid()
    shown = port.run(scaled(case, "Wh", _2=2)).outputs[:, -1]
    found = diagnose(case, Trajectory(shown), port.precision)
    assert found.names == ("Wh-scale-of-unit-2-doubled",)
    assert found.explanations[0].says == "with the scale of unit 2 multiplied by 2 in `Wh`"


CHANGED = {
    "Wx-scale-of-unit-1-halved": lambda case: scaled(case, "Wx", _1=0.5),
    "Wh-scale-of-unit-2-doubled": lambda case: scaled(case, "Wh", _2=2),
    "Wo-scale-of-unit-0-doubled": lambda case: scaled(case, "Wo", _0=2),
    "Wh-scales-of-units-1-and-2-exchanged": lambda case: with_scales_of(case, "Wh", [0, 2, 1, 3]),
    "Wx-scales-rolled": lambda case: with_scales_of(case, "Wx", [3, 0, 1, 2]),
    "Wx-scales-rolled-back": lambda case: with_scales_of(case, "Wx", [1, 2, 3, 0]),
    "Wh-scales-of-first-unit-for-all": lambda case: with_scales_of(case, "Wh", [0, 0, 0, 0]),
    "Wh-scales-reversed": lambda case: with_scales_of(case, "Wh", [3, 2, 1, 0]),
}


@pytest.mark.parametrize(
    ("kind", "name"), [*((Hybrid, name) for name in CHANGED), (FullInt8, "Wh-scale-of-unit-2-doubled")]
)
def test_each_fits_what_comes_of_it_and_nothing_else(kind: Any, name: str) -> None:
    case, port = generic(3, **SIZES), kind()
    right, shown = port.run(case), port.run(CHANGED[name](case))
    assert judge(case, right, port.precision).equivalent
    assert judge(case, shown, port.precision).different
    every = list(of_channels(port.precision, case.spec, None, None))
    assert [m.name for m in every if fits(m, case, shown, port.precision)] == [name]
    assert not [m for m in every if fits(m, case, right, port.precision)]


def fits(mistake: Any, case: Case, shown: Trajectory, p: Precision) -> bool:
    verdict = mistake.judge(case, shown, p)
    return verdict is not None and not verdict.different


@pytest.mark.parametrize("name", ["Wh-scales-of-units-0-and-3-exchanged", "Wo-scale-of-unit-1-doubled"])
def test_where_states_are_shown_only_wrong_units_are_looked_at(name: str) -> None:
    case, port = generic(3, **SIZES), Hybrid()
    changed = scaled(case, "Wo", _1=2) if name.startswith("Wo") else with_scales_of(case, "Wh", [3, 1, 2, 0])
    assert diagnose(case, port.run(changed), port.precision).names == (name,)


def test_a_wrong_scale_of_one_gate_is_named() -> None:
    case, port = generic(3, cell="GRU", **SIZES), HybridGated()
    column = 4 + 1
    shown = port.run(scaled(case, "Wh", **{f"_{column}": 2}))
    gate = case.spec.cell.gates[1]
    assert diagnose(case, shown, port.precision).names == (f"Wh-scale-of-unit-1-of-{gate}-doubled",)


def test_it_is_made_in_cases_with_other_units_too() -> None:
    """A port that can be run is asked about such cases, to tell mistakes apart."""
    case, port = generic(3, **SIZES), Hybrid()
    found = diagnose(case, lambda asked: port.run(scaled(asked, "Wh", _1=2)), port.precision)
    assert found.names == ("Wh-scale-of-unit-1-doubled",)
    beyond = next(
        m for m in of_channels(port.precision, case.spec, {3}, set()) if m.name == "Wh-scale-of-unit-3-halved"
    )
    assert beyond(case) is not None
    assert beyond(generic(3, M=2)) is None


def test_a_wrong_channel_on_declared_scales_is_named() -> None:
    """Doubled integers would not fit on a scale that is known: what is wrong is wrong after they were rounded."""
    case = generic(3, **SIZES)
    scale = np.abs(case.Wh).max(0) / np.float32(127)
    rounded = case.replace(Wh=(np.rint(case.Wh / scale) * scale).astype(np.float32))
    declared = Precision.int8_weights({"Wh": scale})
    assert judge(case, reference(rounded, np.float32), declared).equivalent
    shown = reference(scaled(rounded, "Wh", _2=2), np.float32)
    assert diagnose(case, shown, declared).names == ("Wh-scale-of-unit-2-doubled",)


def test_there_are_none_without_scales_by_channel() -> None:
    spec = generic(3, **SIZES).spec
    for p in (Precision.float32, Precision.q15, Precision.int8_weights(per="tensor")):
        assert not list(of_channels(p, spec, None, None))
    assert not list(of_channels(Precision.int8_weights({"Wh": 0.01}), spec, None, None))
    assert list(of_channels(Precision.int8_weights(), spec, None, None))


def test_so_many_are_tried_and_no_more() -> None:
    p = Precision.int8_weights()
    few, many = (generic(M=M, D=2, K=2).spec for M in (60, 200))
    assert 0 < len(list(of_channels(p, few, None, None))) <= MOST
    assert not list(of_channels(p, many, None, None))
    assert {m.name for m in of_channels(p, many, {150}, set())} == {
        f"{kernel}-scale-of-unit-150-{how}" for kernel in ("Wx", "Wh") for how in ("doubled", "halved")
    }


def test_of_many_that_are_alike_one_needs_more_evidence() -> None:
    told = Told(12.0, frozenset({(1.0, 2.0), (2.0, 3.0)}))
    assert told.enough()
    assert told.enough(4)
    assert not told.enough(5)
    every = list(of_channels(Precision.int8_weights(), generic(3, **SIZES).spec, None, None))
    assert {m.among for m in every} == {len(every)}
