"""What fails is asked again before it is told: a port that is right on the case that is shown says so."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis.errors import Flaky
from ports import unsteady
from samples import NETWORKS, generic

from pytest_rnnequiv import Case, EquivalenceError, Supports, Trajectory, reference, tally
from pytest_rnnequiv.divergences.keras import DIVERGENCES, installed
from pytest_rnnequiv.failures.errors import errors_in
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.suite import asking_again
from pytest_rnnequiv.suite.architectures import show_divergence
from pytest_rnnequiv.suite.budget import open_budget
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.registry import PROFILES
from pytest_rnnequiv.suite.verification import expect, verify

PORTS = Path(__file__).parents[1] / "ports" / "unsteady.py"


@pytest.fixture(autouse=True)
def _own_tally() -> Iterator[None]:
    """What is counted here is not counted for the run of these tests."""
    tally.take()
    yield
    tally.take()


def failing(port: Port, *packs: list[Any]) -> EquivalenceError:
    """Verify packs of cases one after the other, and return the first failure."""
    open_budget()
    try:
        for cases in packs:
            verify(port, cases)
    except EquivalenceError as failure:
        return failure
    raise AssertionError("nothing failed")


def pack(count: int = 3, **options: Any) -> list[Case]:
    return [generic(seed, N=2, T=2, **options) for seed in range(count)]


def packs(count: int) -> list[list[Case]]:
    return [[each] for each in pack(count)]


FOUND = {
    "MixesUp": (
        [pack()],
        "run_many mixes up its answers: right alone, wrong in a batch of 3 (answer 1 belongs to case 3)",
    ),
    "Alike": ([pack()], "run_many computes something else than run: right alone, wrong in a batch of 3"),
    "NoBatches": (
        [pack()],
        "run_many fails where run does not: right alone, wrong in a batch of 3: the port raised RuntimeError: out of "
        "handles at unsteady.py",
    ),
    "Seldom": (
        packs(40),
        "its answers are wrong now and then: right 5 times of 5 when it is asked again",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_right_alone(name: str) -> None:
    given, sentence = FOUND[name]
    error = failing(Port(getattr(unsteady, name)()), *given)
    assert error.again.startswith(sentence)
    assert error.brief == error.again
    text = str(error)
    assert f"\n  asked again  {sentence}" in text
    assert "diagnosis" not in text
    assert "it looks" not in text


def test_answers_that_differ() -> None:
    error = failing(Port(unsteady.NowAndThen()), *packs(3))
    assert error.again in ("its answers differ when it is asked again: wrong in 2 of 5", error.again.replace("2", "3"))


def test_a_state_that_another_case_leaves() -> None:
    # a network's case is asked by one call, so that the case before is the other one
    error = failing(Port(unsteady.AfterAnother()), [generic(0, T=1, N=2), generic(1, T=1, N=2)])
    assert error.again == "something is kept between calls: right alone, wrong after another case"


def test_what_was_right_at_first_in_this_process() -> None:
    for port in (unsteady.Tires(), unsteady.Breaks()):
        error = failing(Port(port), *packs(9))
        assert error.again.startswith("something is kept between calls: after ")
        assert error.again.endswith(" calls, it is wrong even where it was right at first")


@pytest.mark.parametrize("name", ["Tires", "Breaks"])
def test_a_fresh_process_is_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PORTS.parent))
    port = Port.from_path(f"unsteady:{name}")
    try:
        error = failing(port, *packs(9))
        assert error.again == "something is kept between calls: right in a fresh process, wrong after 5 calls"
    finally:
        port.close()


def test_weights_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had right at first is right still."""
    monkeypatch.syspath_prepend(str(PORTS.parent))
    port = Port.from_path("unsteady:FirstWeights")
    try:
        error = failing(port, *packs(2))
        assert error.again.startswith("something is kept between calls: right in a fresh process, wrong after ")
    finally:
        port.close()


def test_a_mistake_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    error = failing(Port(lambda case: unsteady.right(case.replace(Wh=case.Wh.T))), pack())
    assert error.again == ""
    assert "asked again" not in str(error)
    assert error.brief == "with `Wh` transposed"


@pytest.mark.parametrize("asked_before", [True, False], ids=["asked before", "wrong in its first call"])
def test_a_fresh_process_is_started_once_and_not_for_what_was_wrong_at_first(
    monkeypatch: pytest.MonkeyPatch, asked_before: bool
) -> None:
    monkeypatch.syspath_prepend(str(PORTS.parent))
    port = Port.from_path("unsteady:off")
    started = []
    start = port.runner._start

    def counted() -> Any:
        started.append(1)
        return start()

    monkeypatch.setattr(port.runner, "_start", counted)
    try:
        if asked_before:
            port.run(pack(1)[0])
        for cases in packs(3):
            assert failing(port, cases).again == ""
        assert len(started) == asked_before
    finally:
        port.close()


def test_nothing_is_asked_until_somebody_reads() -> None:
    asked: list[Case] = []

    def port(case: Case) -> Any:
        asked.append(case)
        return Trajectory(*(a + np.float32(1) for a in reference(case, np.float32).__dict__.values()))

    error = failing(Port(port), pack(1))
    assert len(asked) == 1
    assert error.again == error.again == ""
    assert len(asked) < 10


def test_a_slow_port_is_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_again, "SLOW", 0.02)
    asked = []

    def port(case: Case) -> Any:
        asked.append(case)
        time.sleep(0.05)
        return Trajectory(*(a + np.float32(1) for a in reference(case, np.float32).__dict__.values()))

    error = failing(Port(port), pack(1))
    assert error.again == ""
    assert len(asked) == 2


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_again, "PATIENCE", 0.0)
    assert failing(Port(unsteady.Seldom()), *packs(40)).again.endswith("right 1 times of 1 when it is asked again")


def test_a_port_that_hangs_is_not_asked_again() -> None:
    asked = []

    def hangs(case: Case) -> Any:
        asked.append(case)
        time.sleep(10)

    hangs.timeout = hangs.first_timeout = 0.2  # type: ignore[attr-defined]
    error = failing(Port(hangs), pack(1))
    assert error.again == ""
    assert len(asked) == 1


def test_asking_again_costs_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    error = failing(Port(unsteady.Seldom()), *packs(40))
    monkeypatch.setattr(asking_again, "_found", lambda failed: 1 / 0)
    assert error.again == ""
    assert "is not the recurrence" in str(error)


def test_a_known_divergence_is_not_asked_again() -> None:
    """Each run shows them all, and prints none."""
    pytest.importorskip("tensorflow")
    from pytest_rnnequiv.implementations.resolving import resolve

    name = "sparsemax"
    divergence = next(each for each in DIVERGENCES if each.name == name)
    if not divergence.exists("keras-call", installed()):
        pytest.skip("the installed Keras has it right")
    with pytest.raises(EquivalenceError) as caught:
        show_divergence(resolve("keras-call"), divergence)
    assert caught.value.ask_again is None


def test_our_error_is_found_in_what_hypothesis_raises() -> None:
    error = failing(Port(unsteady.off), pack(1))
    flaky = Flaky("unreliable")
    flaky.__cause__ = error
    assert [*errors_in(flaky)] == [error]
    assert [*errors_in(error)] == [error]


def test_stacks_are_asked_again_too() -> None:
    case = NETWORKS["stack"]
    calls = []

    class Stacks:
        supports = Supports(options=("layers", "return_sequences"))

        def run(self, case: Any) -> Any:
            calls.append(case)
            answer = reference(case).outputs.astype(np.float32)
            return answer + (len(calls) == 1)

    error = failing(Port(Stacks()), [case])
    assert error.again == "its answers are wrong now and then: right 5 times of 5 when it is asked again"


def test_what_needs_no_bound_is_asked_again() -> None:
    with pytest.raises(EquivalenceError) as caught:
        expect(False, Port(unsteady.MixesUp()), generic(), "the second answer is another one")
    assert caught.value.again.startswith("its answers are wrong now and then")
    assert "problem      the second answer is another one" in str(caught.value)


# ---- in a check ----


def checked(name: str, port: Any) -> EquivalenceError:
    """Run a check with time enough, as Hypothesis does it, and return what it raises."""
    item = CHECKS[name].item(PROFILES["quick"]._replace(seconds=60.0), database=None, derandomize=True)
    with pytest.raises(EquivalenceError) as caught:
        item(port=Port(port))
    return caught.value


class Once:
    """Wrong on its 9th call, and never again."""

    calls = 0

    def run(self, case: Case) -> Any:
        self.calls += 1
        return unsteady.off(case) if self.calls == 9 else unsteady.right(case)


def test_what_hypothesis_calls_flaky_is_told() -> None:
    """It asks again for what failed, and says "unreliable" when it does not fail: that would bury the sentence."""
    error = checked("test_repeats", Once())
    assert error.again.startswith("its answers are wrong now and then")
    assert "problem      the same case, run again after another one, gives another answer" in str(error)


def test_a_law_that_is_broken_now_and_then() -> None:
    error = checked("test_law_samples_are_independent", unsteady.NowAndThen())
    assert error.again.startswith("its answers ")
    assert error.brief == error.again
    assert f"  asked again  {error.again}" in str(error)


def test_a_law_that_is_broken_each_time() -> None:
    def leaks(case: Case) -> Any:
        return unsteady.right(case) + np.float32(case.x.sum())

    error = checked("test_law_samples_are_independent", leaks)
    assert error.again == ""
    assert "asked again" not in str(error)


# ---- in a run ----


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    shutil.copy(PORTS, pytester.path)
    # What does not fail each time is shrunk until the time for it is over.
    (pytester.path / "hurry.py").write_text(
        "from functools import partial\nfrom pytest_rnnequiv.suite import budget\n"
        "budget.Budget = partial(budget.Budget, shrinking=1.0)\n"
    )
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    return pytester.runpytest_subprocess("--rnn-equiv", "-p", "hurry", "-k", "recurrence", *arguments, timeout=300)


def test_each_is_told_in_its_own_process(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = {
        "MixesUp": "run_many mixes up its answers: right alone, wrong in a batch of ",
        "Tires": "something is kept between calls: right in a fresh process, wrong after ",
    }
    result = run(pytester, *(argument for name in told for argument in ("--rnn-equiv-impl", f"unsteady:{name}")))
    result.assert_outcomes(failed=len(told))
    for name, sentence in told.items():
        result.stdout.fnmatch_lines([f"FAILED rnn_equiv.py::test_recurrence?unsteady:{name}? - {sentence}*"])
    text = " ".join(result.stdout.str().split())  # it is wrapped
    assert "This script may print the expected numbers: run_many mixes up its answers: " in text
    result.stdout.no_fnmatch_line("*Flaky*")
    (script,) = pytester.path.glob("**/*recurrence-unsteady-Tires.py")
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(
        "# This script may print the expected numbers: something is kept between calls: right in"
    )


def test_each_is_told_in_pytests_process(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    pytester.makeconftest(
        """
        import pytest, unsteady
        from pytest_rnnequiv.implementations.port import Port

        @pytest.fixture(scope="session", params=["NowAndThen", "Tires"])
        def rnn_implementation(request):
            return Port(getattr(unsteady, request.param)())
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "FAILED *NowAndThen* - its answers *",
            "FAILED *Tires* - something is kept between calls: after * calls, it is wrong even where it was right *",
        ]
    )
    result.stdout.no_fnmatch_line("*Flaky*")
