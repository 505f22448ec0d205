"""The known divergences of other runtimes than Keras: each is there as the table says."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from pytest_rnnequiv import RNN, SimpleRNN, Spec, judge, reference, tally
from pytest_rnnequiv.cells import GRUCell, LSTMCell
from pytest_rnnequiv.divergences import keras
from pytest_rnnequiv.divergences.known import DIVERGENCES, concerning, installed
from pytest_rnnequiv.divergences.table import ON_CARD
from pytest_rnnequiv.implementations.devices import cuda_seen
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.implementations.runner import PortFailure
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.suite.architectures import divergences
from pytest_rnnequiv.suite.drawing import steer
from pytest_rnnequiv.suite.registry import Opening

OTHERS = [each for each in DIVERGENCES if each not in keras.DIVERGENCES]
NAMES = [f"{each.runtimes[0]}-{each}" for each in OTHERS]


@pytest.mark.parametrize("each", OTHERS, ids=NAMES)
def test_an_entry_says_what_users_need(each):
    assert re.fullmatch(r"[a-z0-9-]{5,36}", each.name)
    assert all(way in BUILT_IN for way in each.runtimes)
    assert each.library in {library for way in each.runtimes for library in BUILT_IN[way].libraries}
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


def test_a_runtime_has_those_of_the_library_whose_models_it_runs():
    masked = Spec(1, SimpleRNN(1, initial_state=True), source="masking")
    found = {
        way: [str(each) for each in concerning(masked, way, "3.15.1")] for way in ("keras-graph", "litert", "torch")
    }
    assert found["litert"] == found["keras-graph"] == ["mask-lost-with-initial-state"]
    assert found["torch"] == []


def test_what_ends_a_process_is_told_and_has_no_case():
    fatal = [each for each in OTHERS if not each.shown]
    assert {each.name for each in fatal} == {"open-sizes-end-the-process", "batch-ends-the-process"}
    for each in fatal:
        assert not each.silent
        items = divergences([each.library])
        assert all(item.values[1] is not each for item in items)
        assert len(items) == sum(other.library == each.library and other.shown for other in OTHERS)


def test_a_check_that_a_runtime_is_known_to_fail_is_skipped_with_the_reason(pytester):
    """What is drawn there would be thrown away again, to the last case."""
    pytester.makepyfile(
        own="""
        from pytest_rnnequiv import Supports, reference
        from pytest_rnnequiv.implementations.registry import BUILT_IN, Runtime

        class Deaf:
            name = "deaf"
            supports = Supports(options=("mask", "initial_state"), lengths=1)

            def run(self, case):
                return reference(case)
        """,
        conftest="""
        import pytest
        from pytest_rnnequiv.divergences.table import DIVERGENCES, Divergence
        from pytest_rnnequiv.implementations.port import Port
        from pytest_rnnequiv.implementations.registry import Runtime

        DIVERGENCES.append(
            Divergence("masks-ignored", "says", "instead", lambda spec: spec.masked, runtimes=("deaf",),
                       library="numpy", since="1")
        )

        @pytest.fixture(scope="session")
        def rnn_implementation():
            from own import Deaf
            return Port(Deaf(), runtime=Runtime("deaf", "", "", ("numpy",), "deaf"))
        """,
    )
    chosen = "test_masks or test_initial_state or masked_steps_hold"
    result = pytester.runpytest_subprocess("--rnn-equiv", "--rnn-equiv-profile=quick", "-k", chosen, "-rs")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*SKIPPED*deaf is known to be wrong there: masks-ignored*"])


@pytest.fixture(scope="module")
def ports():
    """Each runtime, loaded once."""
    loaded = {}

    def get(way):
        if way not in loaded:
            loaded[way] = resolve(way)
        return loaded[way]

    yield get
    for port in loaded.values():
        port.close()


@pytest.mark.parametrize("each", [each for each in OTHERS if each.shown], ids=str)
def test_it_is_there(each, ports):
    (way, *_) = each.runtimes
    if BUILT_IN[way].missing:
        pytest.skip(f"{way} {BUILT_IN[way].absence}")
    if each.on_card and not cuda_seen():
        pytest.skip("needs a CUDA device, and none is seen here")
    there = each.exists(way + (ON_CARD if each.on_card else ""), installed(each.library))
    if each.smallest is None:
        outcome = each.outcome(import_module(each.library), lambda case: None)
        assert (outcome == ("wrong" if each.silent else "raises")) is there
        return
    port, case = ports(way), each.smallest()
    try:
        wrong = judge(case, port.run(case), port.precision).different
        assert each.silent or not wrong
    except PortFailure:
        wrong = True
        assert not each.silent
    assert wrong is there


def test_a_file_whose_model_meets_one_is_asked_all_the_same():
    """It was asked for; that it meets a known divergence is a note of the check."""
    spec = Spec(2, (SimpleRNN(3, return_sequences=True, go_backwards=True), SimpleRNN(2)), source="masking")
    case = generic_case(spec, 2, 3)

    class File:
        model = (spec, case.weights)

        def run(self, case):
            return reference(case)

    port = Port(File())
    port.diverges_as = "keras-graph"
    tally.take()
    steer(port, Opening(), [case])
    (note,) = tally.take().notes
    assert note.startswith("known divergence backward-mask-order: ")


def test_a_list_of_one_cell_on_jax(ports):
    """What is said of when it raises, and what to do instead."""
    if BUILT_IN["keras-jax"].missing:
        pytest.skip("keras-jax is not installed")
    for cells, options, right in (
        (RNN((1,), "linear"), {}, False),
        (RNN((1,), "linear", cell=GRUCell()), {"return_state": True}, False),
        (RNN((1,), "linear"), {"unroll": True}, True),
        (RNN((1,), "linear"), {"initial_state": True}, True),
        (RNN((1, 1), "linear", cell=LSTMCell()), {}, True),
        (RNN(1, "linear", cell=LSTMCell()), {}, True),
    ):
        spec = Spec(1, cells.replace(**options), T=2, N=1)
        case = generic_case(spec, 1, 2)
        assert bool(concerning(spec, "keras-jax")) is not right
        if right:
            assert judge(case, ports("keras-jax").run(case)).equivalent
        else:
            with pytest.raises(PortFailure, match="TypeError"):
                ports("keras-jax").run(case)
