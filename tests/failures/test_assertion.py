"""The failure that teaches: what its message says, when it is made, and what it says of misuse."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
from samples import NETWORKS, both, filled, generic

from pytest_rnnequiv import (
    Case,
    Dense,
    EquivalenceError,
    Precision,
    SimpleRNN,
    Spec,
    Trajectory,
    assert_equivalent,
    judge,
    reference,
    tally,
)
from pytest_rnnequiv.failures import assertion
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.mistakes.diagnosis import Diagnosis


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the failures of another."""
    monkeypatch.setattr(assertion, "_failing", [])
    monkeypatch.setattr(assertion, "_test", None)


def failure(case: Case, actual: Any, precision: Any = None) -> EquivalenceError:
    with pytest.raises(EquivalenceError) as caught:
        assert_equivalent(case, actual, precision)
    return caught.value


# ---- what passes ----


def test_the_right_passes_in_every_form() -> None:
    case = generic()
    shown = reference(case, np.float32)
    for answer in (shown, shown.outputs, shown.outputs[:, -1], shown.outputs.tolist(), reference(case)):
        assert_equivalent(case, answer)


def test_what_cannot_be_told_passes() -> None:
    case = generic(T=200, M=16, radius=3.0, scale=0.2)
    answer = reference(case, np.float32).outputs[:, -1]
    assert judge(case, answer).inconclusive
    assert_equivalent(case, answer)


def test_a_declared_precision_is_heeded() -> None:
    case = generic()
    half = reference(case, np.float16)
    assert_equivalent(case, half, "float16")
    assert_equivalent(case, half, Precision.float16)
    assert failure(case, half).precision is Precision.float32
    with pytest.raises(ValueError, match="unknown precision 'half'"):
        assert_equivalent(case, half, "half")


# ---- the message ----


def test_the_message_has_all_its_parts() -> None:
    case = generic()
    error = failure(case, by_name("Wh-transposed").run(case))
    place = error.verdict.place
    assert place is not None
    text = str(error)
    lines = text.splitlines()
    assert lines[0] == "the implementation is not the recurrence on SimpleRNN(D=3, M=4, K=2), N=3, T=5"
    assert (
        "  diagnosis    it is the recurrence with `Wh` transposed: so, 15 of 15 steps are within their bound; " in text
    )
    assert f"  first broken state (sample {place.n}, step 1, unit {place.unit})" in lines
    assert f"  got          {place.got:.9g}" in lines
    assert f"  expected     {place.expected:.9g} +- {place.bound:.2g}" in lines
    off = f"{place.got - place.expected:+.3g}, {place.error_over_bound:.3g} times its bound"
    assert f"  off by       {off}" in lines
    assert f"  broken       {error.verdict.broken} of 15 steps (judged by induction, in float32)" in lines
    assert "column vectors without transposing" in text
    assert error.brief == "with `Wh` transposed"


def test_the_script_in_the_message_runs(capsys: pytest.CaptureFixture[str]) -> None:
    case = generic(N=1, T=2)
    text = str(failure(case, by_name("bh-dropped").run(case)))
    source = text.split("  to see it with numpy alone:\n\n", 1)[1]
    names: dict[str, Any] = {}
    exec("\n".join(line[4:] for line in source.splitlines()), names)
    assert capsys.readouterr().out.count("step") == 2
    assert np.allclose(names["h"], reference(case).states[:, -1], atol=1e-6)


def test_without_an_explanation_it_says_how_it_looks_and_how_much_room_it_needs() -> None:
    case = generic(1)
    right = reference(case)
    error = failure(case, Trajectory(right.outputs, right.states + 3e-6))
    text = str(error)
    assert "  diagnosis    no mistake of the catalogue explains it" in text
    assert "  it looks     every unit is off by +3e-06" in text
    assert re.search(
        r"  room needed  \d\S* times what float32 gives, as of a unit round-off of \S+e-0\d; declare the", text
    )
    assert error.brief == "every unit is off by +3e-06"
    far = str(failure(case, Trajectory(right.outputs, right.states + 0.5)))
    assert "room needed" not in far


def test_what_several_mistakes_come_to_names_none() -> None:
    case = generic(N=1, T=1, D=1, M=1, K=1).replace(x=[[[1]]], Wx=[[1]], Wh=[[1]], bh=[1], Wo=[[1]], bo=[0])
    text = str(failure(case, by_name("bh-doubled").run(case)))
    assert "what was seen is too little to name a mistake by: it may be the recurrence with" in text
    assert "; or starting from a state of ones" in text


def test_nan_has_no_distance() -> None:
    case = generic()
    text = str(failure(case, np.full((3, 2), np.nan)))
    assert "  got          nan" in text
    assert "off by" not in text


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            None,
            "the implementation returned None, expected an array of outputs or a Trajectory (is a `return` missing?)",
        ),
        (
            np.zeros((2, 3)),
            "the outputs have shape (2, 3), expected (N, K) = (3, 2) (the last step) or (N, T, K) = (3, 5, 2)",
        ),
        (np.zeros((3, 2), int), "the outputs have dtype int64, expected floats"),
    ],
)
def test_what_is_no_answer_fails_with_its_sentence(answer: Any, sentence: str) -> None:
    error = failure(generic(), answer)
    assert f"  problem      {sentence}" in str(error)
    assert error.brief.startswith(sentence)
    assert "diagnosis" not in str(error)


def test_it_knows_whom_it_is_about() -> None:
    case = generic()
    error = EquivalenceError(case, judge(case, np.zeros((3, 2), np.float32)), name="my port")
    assert str(error).startswith("my port is not the recurrence on ")


# ---- when it is made ----


def test_nothing_is_diagnosed_until_somebody_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def explained(*args: Any, **options: Any) -> Diagnosis:
        calls.append(args)
        return Diagnosis((), "")

    monkeypatch.setattr(assertion, "explain", explained)
    case = generic()
    error = failure(case, np.zeros((3, 2), np.float32))
    assert error.verdict.different
    assert error.case is case
    assert not calls
    first = str(error)
    assert len(calls) == 1
    assert str(error) is first
    assert error.diagnosis is error.diagnosis
    assert len(calls) == 1


def test_it_travels_between_processes_as_text() -> None:
    case = generic()
    error = failure(case, by_name("bh-dropped").run(case))
    sent = pickle.loads(pickle.dumps(error))
    assert type(sent) is AssertionError
    assert str(sent) == str(error)
    assert str(copy.copy(error)) == str(error)


# ---- misuse ----


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((3, 2)), generic()), "needs a Case, not ndarray; the case comes first"),
        ((np.zeros((3, 2)), np.zeros((3, 2))), "needs a Case, not ndarray"),
        ((None, np.zeros((3, 2))), "needs a Case, not NoneType"),
        (
            (generic(), lambda case: None),
            "needs what the implementation gave for the case, not the implementation: call it",
        ),
        ((generic(), reference), "not the implementation"),
    ],
)
def test_misuse_is_a_type_error_that_says_so(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        assert_equivalent(*arguments)


def test_a_verdict_is_not_an_answer_to_assert() -> None:
    case = generic()
    with pytest.raises(TypeError, match="a verdict has three values: ask for .equivalent, .different or .inconclusive"):
        assert judge(case, reference(case))


# ---- memory ----


def test_earlier_failures_of_the_same_test_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = by_name("starts-at-one")
    large = generic(1)
    small = generic(N=1, T=1, D=1, M=1, K=1).replace(x=[[[1]]], Wx=[[1]], Wh=[[1]], bh=[1], Wo=[[1]], bo=[0])
    assert failure(small, mistake.run(small)).diagnosis.names == ()
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_one (call)")
    assert failure(large, mistake.run(large)).diagnosis.names == ("starts-at-one",)
    assert failure(small, mistake.run(small)).diagnosis.names == ("starts-at-one",)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_other (call)")
    assert failure(small, mistake.run(small)).diagnosis.names == ()


def test_only_a_few_and_only_small_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_many (call)")
    mistake = by_name("bh-dropped")
    for seed in range(20):
        case = generic(seed)
        failure(case, mistake.run(case))
    assert len(assertion._failing) == assertion.FAILURES_KEPT
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_large (call)")
    case = generic(N=4, T=50, M=30)
    failure(case, mistake.run(case))
    assert assertion._failing == []


PROPERTY = """
    import numpy as np
    from hypothesis import given, settings
    from pytest_rnnequiv import assert_equivalent, strategies as rnn

    def forward(x, Wx, Wh, bh, Wo, bo):
        h = np.{start}((x.shape[0], Wh.shape[0]), np.float32)
        states = []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ Wx + h @ {Wh} + {bias})
            states.append(h)
        return h @ Wo + bo

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(case=rnn.cases(M=rnn.sizes(max_value=9)))
    def test_port(case):
        assert_equivalent(case, forward(case.x, *case.weights))
"""


@pytest.mark.parametrize(
    ("start", "Wh", "bias", "says"),
    [
        ("ones", "Wh", "bh", "starting from a state of ones"),
        ("zeros", "Wh.T", "bh", "with `Wh` transposed"),
        ("zeros", "Wh", "2 * bh", "with the bias `bh` counted twice"),
        ("zeros", "(0 * Wh)", "bh", "without the recurrent term `h Wh`"),
    ],
)
def test_a_property_test_ends_with_a_small_case_and_the_right_diagnosis(
    pytester: pytest.Pytester, start: str, Wh: str, bias: str, says: str
) -> None:
    pytester.makepyfile(PROPERTY.format(start=start, Wh=Wh, bias=bias))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert f"it is the recurrence {says}" in text
    shown = re.search(r"is not the recurrence on SimpleRNN\(D=(\d+), M=(\d+), K=(\d+)\), N=(\d+), T=(\d+)", text)
    assert shown is not None
    assert max(map(int, shown.groups())) <= 3
    assert "to see it with numpy alone" in text


def test_a_property_test_of_the_right_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PROPERTY.format(start="zeros", Wh="Wh", bias="bh"))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_large_case_does_not_flood_the_message() -> None:
    case = generic(T=100, M=33)
    with pytest.raises(EquivalenceError) as error:
        assert_equivalent(case, reference(case.replace(bh=np.zeros(33)), np.float32))
    text = str(error.value)
    assert len(text) < 3000
    assert "np.load('case.npz')" in text


# ---- models of several parts ----


def test_a_right_network_passes_and_is_counted() -> None:
    tally.take()
    for case in NETWORKS.values():
        assert_equivalent(case, reference(case, np.float32))
        if len(case.calls) == 1:
            assert_equivalent(case, reference(case, np.float32).outputs)
    counted = tally.take()
    assert counted is not None
    assert counted.cases > len(NETWORKS)
    assert counted.failures == 0


def test_the_message_of_a_network_has_all_its_parts() -> None:
    case = filled(Spec(2, (both(2), SimpleRNN(2)), Dense(1)), 3, N=2, T=3)
    error = failure(case, by_name("backward-not-turned-back").run(case))
    place = error.verdict.place
    assert place is not None
    text = str(error)
    lines = text.splitlines()
    assert lines[0] == (
        "the implementation is not the recurrence on "
        "D=2 -> Bidirectional(SimpleRNN(2, return_sequences=True)) -> SimpleRNN(2) -> Dense(1), N=2, T=3"
    )
    assert "  diagnosis    it is the recurrence with the outputs of the backward layer not turned back into the" in text
    assert "  usual cause  the second of the two reversals is forgotten" in lines
    assert "  first broken layer0 backward: state (sample 0, step 0, unit 1), in the order of processing" in lines
    assert f"  got          {place.got:.9g}" in lines
    assert f"  expected     {place.expected:.9g} +- {place.bound:.2g}" in lines
    assert (
        f"  broken       {error.verdict.broken} of {error.verdict.steps} steps (judged layer by layer, in float32)"
        in lines
    )
    assert "  to see it with Keras and numpy alone:" in lines
    assert error.brief == "with the outputs of the backward layer not turned back into the order of time"


def test_a_broken_forward_layer_is_broken_in_the_order_of_time() -> None:
    case = NETWORKS["both"]
    text = str(failure(case, by_name("Wh-transposed").run(case)))
    assert re.search(r"first broken layer0 forward: state \(sample \d, step 1, unit \d\)\n", text)
    backwards = NETWORKS["backwards"]
    assert "in the order of processing" in str(failure(backwards, by_name("Wh-transposed").run(backwards)))
    calls = NETWORKS["stateful"]
    text = str(failure(calls, by_name("state-not-carried").run(calls)))
    assert text.splitlines()[0].endswith("N=3, T=5, 3 calls")
    assert re.search(r"first broken call 1: layer0: state \(sample \d, step 0, unit \d\)\n", text)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "None"),
        (np.zeros((2, 3)), "the outputs have shape (2, 3), expected (N, K) = (3, 2) (the last step) or (N,"),
        (np.zeros((3, 2), int), "the outputs have dtype int64, expected floats"),
        ([[1.0], [2.0, 3.0]], "the outputs"),
    ],
)
def test_what_is_no_answer_of_a_network_fails_with_its_sentence(answer: Any, sentence: str) -> None:
    tally.take()
    error = failure(NETWORKS["stack"], answer)
    assert sentence in str(error)
    assert sentence in error.brief
    assert "diagnosis" not in str(error)
    counted = tally.take()
    assert counted is not None
    assert counted.failures == 1


def test_nan_in_a_network_never_passes() -> None:
    error = failure(NETWORKS["stack"], np.full((3, 2), np.nan))
    assert "  it looks     the wrong numbers of output 0 are NaN" in str(error)
    assert "off by" not in str(error)


def test_misuse_with_networks_is_a_type_error_that_says_so() -> None:
    case = NETWORKS["stack"]
    with pytest.raises(TypeError, match="needs a Case, not ndarray; the case comes first"):
        assert_equivalent(np.zeros((3, 2)), case)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=re.escape("not the implementation: call it with case.calls and case.weights")):
        assert_equivalent(case, lambda case: None)


def test_earlier_failures_of_other_models_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    mistake = by_name("bh-dropped")
    small = filled(Spec(1, SimpleRNN(1), Dense(1, use_bias=False)), N=1, T=1)
    small = small.replace(weights=tuple(np.ones_like(w) for w in small.weights), x=[[[1]]])
    assert failure(small, mistake.run(small)).diagnosis.names == ()
    for larger in (generic(), NETWORKS["stack"]):
        monkeypatch.setenv("PYTEST_CURRENT_TEST", f"tests/test_x.py::test_{larger.spec.plain} (call)")
        failure(larger, mistake.run(larger))
        assert failure(small, mistake.run(small)).diagnosis.names == ("bh-dropped",)
        assert len(assertion._failing) == 2


def test_failures_that_have_no_mistake_in_common_are_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_two (call)")
    plain, stack = generic(), NETWORKS["stack"]
    assert failure(plain, by_name("Wh-transposed").run(plain)).diagnosis.name == "Wh-transposed"
    assert failure(stack, by_name("bh-dropped").run(stack)).diagnosis.explanations == ()


def test_failures_of_different_networks_are_explained_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_networks (call)")
    for name in ("stack", "cells, both", "embedding", "stateful"):
        case = NETWORKS[name]
        failure(case, by_state(case) if len(case.calls) > 1 else Trajectory.of(1.01 * reference(case).outputs))
    assert failure(NETWORKS["stack"], np.zeros((3, 2), np.float32)).diagnosis.explanations == ()


def by_state(case: Case) -> Trajectory:
    return by_name("state-not-carried").run(case)


def test_a_large_network_does_not_flood_the_message() -> None:
    case = filled(Spec(3, (both(20), SimpleRNN(20)), Dense(2)), N=2, T=20)
    text = str(failure(case, by_name("bh-dropped").run(case)))
    assert len(text) < 5000
    assert "Case.load('case.npz')" in text
