"""The suite probes a port that fails: once for each kind of case, and within a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from ports import by_hand
from samples import generic

from pytest_rnnequiv import Case, Declined, Supports, tally
from pytest_rnnequiv.arithmetic.precision import Precision
from pytest_rnnequiv.failures.assertion import EquivalenceError
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.mistakes.diagnosis import Diagnosis
from pytest_rnnequiv.mistakes.evidence import Evidence, Explanation
from pytest_rnnequiv.suite import probing, told_before
from pytest_rnnequiv.suite.probing import probed

BY_SAMPLE = ("`bh` reaches sample 0 only", "right whenever N = 1, wrong from N = 2 on", "right whenever `bh` is 0")


def test_a_port_is_probed_once_for_each_kind_of_case() -> None:
    port = Port(by_hand.bias_indexed_by_sample)
    said = list[str]()
    tally.watch(said.append)
    facts = probed(port, generic())
    tally.watch(None)
    calls = port.calls
    assert said == ["bias_indexed_by_sample: asking what its answer depends on"] * calls
    assert facts == BY_SAMPLE
    assert probed(port, generic(5, N=1, M=7)) is facts
    assert port.calls == calls
    assert probed(port, generic(activation="relu")) == ()  # which it does not declare
    assert probed(port, generic(h0=True)) == ()
    assert port.calls == calls


def test_what_a_port_declines_says_nothing_of_it() -> None:
    def run(case: Case) -> object:
        if case.T > 8:
            raise Declined
        return by_hand.right(case)

    assert probed(Port(run), generic()) == ()


def test_a_port_of_few_sizes_is_asked_for_no_others() -> None:
    class Firmware:
        supports = Supports(N=2, T=5, D=3, M=4, K=2)

        def run(self, case: Case) -> object:
            assert (case.N, case.T, case.D, case.M, case.K) == (2, 5, 3, 4, 2)
            return by_hand.last_row_skipped(case)

    told = probed(Port(Firmware()), generic(N=2, T=5))
    assert told == ("row 3 of `Wh`, the last, has no effect", "right whenever `Wh` is 0")


def test_a_port_that_hung_is_not_probed() -> None:
    port = Port(by_hand.bias_indexed_by_sample)
    port.hangs = 1
    assert probed(port, generic()) == ()


def test_a_slow_port_is_probed_for_as_long_as_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "SECONDS", 0.0)
    port = Port(by_hand.bias_indexed_by_sample)
    assert probed(port, generic()) == ()
    assert port.calls == 0


def test_a_failure_tells_what_was_probed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        by_sample="""
        import numpy as np

        def run(case):
            behind = np.concatenate([case.bh, np.zeros(case.N * case.M, np.float32)])
            h = np.zeros((case.N, case.M), np.float32)
            for t in range(case.T):
                bias = behind[: case.N * case.M].reshape(case.N, case.M)
                h = np.tanh(case.x[:, t] @ case.Wx + h @ case.Wh + bias)
            return h @ case.Wo + case.bo
        """
    )
    result = pytester.runpytest_subprocess(
        "--rnn-equiv", "--rnn-equiv-impl", "by_sample:run", "-k", "large_sizes", "--rnn-equiv-profile", "quick"
    )
    result.stdout.fnmatch_lines(["*probed*`bh` reaches sample 0 only", "*right whenever N = 1, wrong from N = 2 on"])
    result.assert_outcomes(failed=1, deselected=28)


def test_how_a_port_fails_is_told_in_its_own_words() -> None:
    def run(case: Case) -> object:
        if case.T > 8:
            raise ValueError("at most eight steps")
        return by_hand.right(case)

    (fact,) = probed(Port(run), generic(T=9))
    assert fact == "right up to T = 8, raises ValueError from T = 9 on"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda case: 1 / 0, "it raises ZeroDivisionError in a case of the usual kind and size"),
        (lambda case: case.x.fill(0), "it writes into its inputs in a case of the usual kind and size"),
    ],
)
def test_a_port_that_never_answers_is_told_by_what_it_does(answer: Callable[[Case], object], told: str) -> None:
    assert told in probed(Port(answer), generic())


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("Wh-transposed", [1]),  # what all runs have shown together is explained
        ("time-reversed", [1, 1 + told_before.OTHERS]),  # each run is reversed by itself
    ],
)
def test_a_known_mistake_is_tried_on_a_few_runs_of_a_new_failure(
    monkeypatch: pytest.MonkeyPatch, name: str, runs: list[int]
) -> None:
    tried: list[int] = []

    class Counting(Evidence):
        def __init__(self, observations: Sequence[Observation], precision: Precision | None) -> None:
            tried.extend(len(each.runs) for each in observations)
            super().__init__(observations, precision)

    monkeypatch.setattr(told_before, "Evidence", Counting)
    mistake = by_name(name)
    port = Port(lambda case: np.asarray(mistake.run(case).outputs, np.float32)[:, -1])
    known, failures = Diagnosis((Explanation((mistake,), 1, 1, 0),), ""), []
    for T in (3, 12):
        seen = port.observe(generic(T=T, D=4, M=4, K=4))
        failure = EquivalenceError(seen.case, seen.judge(), lambda: known)
        failure.seen = (seen,)
        failures.append(failure)
    told_before.remember(port, failures[0])
    assert told_before.follows(port, failures[1])
    assert failures[1].diagnosis.name == mistake.name
    assert len(failures[1].seen[0].runs) == 13
    assert tried == runs
