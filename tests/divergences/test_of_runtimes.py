"""The known divergences of other runtimes than Keras: each is there as the table says."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec

import pytest

from pytest_rnnequiv import judge, reference
from pytest_rnnequiv.divergences.known import DIVERGENCES, concerning, installed
from pytest_rnnequiv.implementations.registry import BUILT_IN, resolve
from pytest_rnnequiv.implementations.runner import PortFailure

OTHERS = [each for each in DIVERGENCES if each.library != "keras"]
NAMES = [f"{each.ways[0]}-{each}" for each in OTHERS]


@pytest.mark.parametrize("each", OTHERS, ids=NAMES)
def test_an_entry_says_what_users_need(each):
    assert re.fullmatch(r"[a-z0-9-]{5,36}", each.name)
    assert all(way in BUILT_IN for way in each.ways)
    assert each.library in {library for way in each.ways for library in BUILT_IN[way].libraries}
    assert each.says
    assert each.instead
    assert not each.says.endswith(".")
    assert not each.instead.endswith(".")


def test_an_entry_has_one_name():
    assert len({*NAMES}) == len(NAMES)


@pytest.mark.parametrize("each", [each for each in OTHERS if each.smallest], ids=str)
def test_the_smallest_case_is_met_and_conclusive(each):
    case = each.smallest()
    assert each.meets(case)
    assert judge(case, reference(case)).equivalent
    assert concerning(case, "numpy") == []


@pytest.mark.parametrize("each", [each for each in OTHERS if each.shown], ids=str)
def test_it_is_there(each):
    (way, *_) = each.ways
    if any(find_spec(library) is None for library in BUILT_IN[way].libraries):
        pytest.skip(f"{way} is not installed: {BUILT_IN[way].install}")
    there = each.exists(way, installed(each.library))
    if each.smallest is None:
        outcome = each.outcome(import_module(each.library), lambda case: None)
        assert (outcome == ("wrong" if each.silent else "raises")) is there
        return
    port, case = resolve(way), each.smallest()
    try:
        wrong = judge(case, port.run(case), port.precision).different
        assert each.silent or not wrong
    except PortFailure:
        wrong = True
        assert not each.silent
    finally:
        port.close()
    assert wrong is there
