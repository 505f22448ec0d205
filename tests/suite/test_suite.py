"""The checks that `--rnn-equiv` runs, on ports that a project plugs in."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from pytest_rnnequiv import Case, EquivalenceError, Spec, Trajectory, reference, tally
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, by_name
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.suite.budget import budget, open_budget
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.registry import PROFILES, Check
from pytest_rnnequiv.suite.verification import verify

RIGHT = """
import numpy as np
from pytest_rnnequiv import reference

def run(case):
    return reference(case, np.float32).outputs[:, -1]
"""
WRONG = """
import numpy as np
from pytest_rnnequiv import reference

def run(case):
    return reference(case.replace(Wh=case.Wh.T), np.float32).outputs[:, -1]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    return pytester


class TestSelfcheck:
    def test_mistakes_are_caught_and_named(self, project: pytest.Pytester) -> None:
        """One of every other group; `.ci/run` has all of them."""
        of_groups = {each.group: each.name for each in reversed(CATALOGUE)} | {"weights": "Wh-transposed"}
        names = [*{*list(of_groups.values())[::2], "Wh-transposed", "NaN-swallowed"}]
        ids = [f"rnn_equiv.py::test_selfcheck[numpy-{name}]" for name in names]
        result = project.runpytest("--rnn-equiv-selfcheck", "--rnn-equiv-impl", "numpy", *ids)
        result.assert_outcomes(passed=len(names))
        result.stdout.fnmatch_lines(
            [
                "Wh-transposed * recurrence * rightly",
                "NaN-swallowed * nan * rightly",
                f"{len(names)} of {len(names)} mistakes caught, {len(names)} of {len(names)} named rightly",
            ]
        )

    def test_every_mistake_has_an_item(self, project: pytest.Pytester) -> None:
        """And nothing else has one: a selfcheck is a run of its own."""
        result = project.runpytest("--rnn-equiv-selfcheck", "--co", "-q", "--rnn-equiv-impl", "numpy")
        ids = [line for line in result.outlines if "::" in line]
        assert ids == [f"rnn_equiv.py::test_selfcheck[numpy-{each.name}]" for each in CATALOGUE]
        assert len(ids) > 100

    def test_so_it_is_where_only_the_last_output_is_seen(self, project: pytest.Pytester) -> None:
        project.makepyfile(port=RIGHT)
        names = "Wh-transposed or bh-dropped or state-kept or leaks or weights-to-float16"
        result = project.runpytest("--rnn-equiv-selfcheck", "--rnn-equiv-impl", "port:run", "-k", names)
        assert result.ret == 0
        result.stdout.re_match_lines([r"(\d+) of \1 mistakes caught"])

    def test_what_slips_through_is_told(self, project: pytest.Pytester) -> None:
        """A port that declares float16 cannot be told from one that rounds its weights to 5 decimals."""
        source = "from pytest_rnnequiv import Trajectory, reference\nimport numpy as np\nclass Coarse:\n"
        source += "    precision = 'float16'\n    def run(self, case): return reference(case, np.float32)\n"
        project.makepyfile(coarse=source)
        arguments = ("--rnn-equiv-selfcheck", "--rnn-equiv-impl", "coarse:Coarse", "-k", "5-decimals or transposed")
        result = project.runpytest(*arguments)
        assert result.ret == 1
        result.stdout.fnmatch_lines(
            [
                "*weights-to-5-decimals slipped through * cases*",
                "weights-to-5-decimals *NOT CAUGHT in * cases",
                "5 of 6 mistakes caught, 5 of 5 named rightly",
            ]
        )


class TestKnownFailures:
    def test_they_are_expected_with_their_reason(self, project: pytest.Pytester) -> None:
        project.makepyfile(port=WRONG)
        project.path.joinpath("known.txt").write_text("# ours\n\nnotebook[port:run]: Wh is transposed\n")
        result = project.runpytest(
            *("--rnn-equiv", "-k", "notebook", "-rx", "--rnn-equiv-impl", "port:run"),
            *("--rnn-equiv-known-failures", "known.txt"),
        )
        result.assert_outcomes(xfailed=1)
        result.stdout.fnmatch_lines(["XFAIL rnn_equiv.py::test_notebook[[]port:run[]] - *Wh is transposed"])

    def test_from_the_ini_file(self, project: pytest.Pytester) -> None:
        project.makepyfile(port=WRONG)
        project.makepyprojecttoml(
            '[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_impl = ["port:run"]\n'
            'rnn_equiv_known_failures = ["notebook: Wh is transposed"]'
        )
        project.runpytest("--rnn-equiv", "-k", "notebook").assert_outcomes(xfailed=1)

    def test_they_are_strict(self, project: pytest.Pytester) -> None:
        arguments = ("--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "numpy")
        result = project.runpytest(*arguments, "--rnn-equiv-known-failures", "notebook: it was wrong once")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*XPASS(strict)*it was wrong once*"])

    @pytest.mark.parametrize(
        ("entry", "sentence"),
        [
            ("nothing: really", "the known failure 'nothing: really' matches no check; there are *notebook*numpy*"),
            ("notebook[[]other[]]: really", "the known failure *matches no check*"),
            (
                "note book: really",
                "*'note book: really' is no known failure; expected CHECK[[]IMPLEMENTATION[]]: REASON*",
            ),
            ("missing.txt", "*missing.txt cannot be read*"),
        ],
    )
    def test_an_entry_that_means_nothing_is_an_error(self, project: pytest.Pytester, entry: str, sentence: str) -> None:
        entry = entry.replace("[[]", "[").replace("[]]", "]")
        arguments = ("--rnn-equiv", "--rnn-equiv-impl", "numpy", "--rnn-equiv-known-failures", entry)
        result = project.runpytest(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*{sentence}"])


class TestPorts:
    def test_several_at_once(self, project: pytest.Pytester) -> None:
        project.makepyfile(right=RIGHT, wrong=WRONG)
        result = project.runpytest(
            *("--rnn-equiv", "-k", "notebook", "--rnn-equiv-impl", "right:run", "--rnn-equiv-impl", "wrong:run")
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED rnn_equiv.py::test_notebook[[]wrong:run[]] - with `Wh` transposed"])

    def test_a_fixture_with_parameters(self, project: pytest.Pytester) -> None:
        project.makepyfile(right=RIGHT, wrong=WRONG)
        project.makeconftest(
            """
            import pytest, right, wrong

            @pytest.fixture(scope="session", params=[right.run, wrong.run], ids=["right", "wrong"])
            def rnn_implementation(request):
                return request.param
            """
        )
        result = project.runpytest("--rnn-equiv", "-k", "notebook")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED rnn_equiv.py::test_notebook[[]rnn_implementation-wrong[]]*"])

    def test_a_fixture_of_too_narrow_a_scope(self, project: pytest.Pytester) -> None:
        project.makeconftest("import pytest\n@pytest.fixture\ndef rnn_implementation(): return lambda case: None")
        result = project.runpytest("--rnn-equiv")
        assert result.ret != 0
        text = result.stdout.str() + result.stderr.str()
        assert "the fixture rnn_implementation must live as long as the run" in text

    def test_a_fixture_that_is_no_implementation(self, project: pytest.Pytester) -> None:
        project.makeconftest("import pytest\n@pytest.fixture(scope='session')\ndef rnn_implementation(): return 3")
        result = project.runpytest("--rnn-equiv", "-k", "notebook")
        result.stdout.fnmatch_lines(["*the fixture rnn_implementation: 3 is no implementation: expected a function*"])

    @pytest.mark.usefixtures("brief")
    def test_only_what_it_supports_is_drawn(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            port="""
            import numpy as np
            from pytest_rnnequiv import reference

            class Port:
                supports = {"M": (64, 70), "N": 1, "T": (2, 30), "K": 3}

                def run(self, case):
                    assert 64 <= case.M <= 70 and case.N == 1 and 2 <= case.T <= 30 and case.K == 3
                    return reference(case, np.float32)
            """
        )
        result = project.runpytest("--rnn-equiv", "--rnn-equiv-impl", "port:Port")
        assert result.parseoutcomes().keys() == {"passed", "skipped"}
        result.stdout.fnmatch_lines(["*port:Port was asked for only M in 64..70, K = 3, N = 1, T in 2..30*"])

    @pytest.mark.usefixtures("brief")
    def test_only_what_it_declares_is_asked(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            port="""
            import numpy as np
            from pytest_rnnequiv import Supports, reference

            class Port:
                supports = Supports(dtypes=("float64",), activations=("relu", "sigmoid"), largest=8.0, nan=False)

                def run(self, case):
                    assert case.spec.dtype == "float64"
                    assert case.spec.activation.name in ("relu", "sigmoid")
                    assert all(np.abs(a).max() <= 8 for a in case.numbers().values())  # no NaN is below 8
                    return reference(case, case.spec.dtype)
            """
        )
        result = project.runpytest("--rnn-equiv", "--rnn-equiv-impl", "port:Port")
        assert result.parseoutcomes().keys() == {"passed", "skipped"}

    def test_declared_masks_and_initial_states_are_checked(self, project: pytest.Pytester) -> None:
        """Also where the model is compiled in."""
        project.makepyfile(
            port="""
            import numpy as np
            from pytest_rnnequiv import Spec, Supports, reference

            spec = Spec.simple(D=2, M=3, K=1)

            class Deaf:
                supports = Supports(options=("mask", "initial_state"))

                def run(self, case):
                    return reference(case.replace(h0=None, mask=None), np.float32)

            class CompiledIn(Deaf):
                model = spec, [np.full(shape, 0.3, np.float32) for shape in spec.weight_shapes.values()]
            """
        )
        ports = ("--rnn-equiv-impl", "port:Deaf", "--rnn-equiv-impl", "port:CompiledIn")
        project.runpytest("--rnn-equiv", *ports, "-k", "initial_state or masks").assert_outcomes(failed=4)

    def test_a_compiled_in_model(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            port="""
            import numpy as np
            from pytest_rnnequiv import Spec, reference

            spec = Spec.simple(D=2, M=3, K=1)
            weights = [np.full(shape, 0.3, np.float32) for shape in spec.weight_shapes.values()]

            class Port:
                model = spec, weights

                def run(self, case):
                    assert all(np.array_equal(a, b) for a, b in zip(case.weights, weights))
                    return reference(case, np.float32).outputs[:, -1]
            """
        )
        result = project.runpytest("--rnn-equiv", "--rnn-equiv-impl", "port:Port", "-k", "recurrence or nan")
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(["judged by last output*"])


class TestEquivalenceSuite:
    def test_a_subclass_is_collected(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            right=RIGHT,
            wrong=WRONG,
            test_own_ports="""
            import right, wrong
            from pytest_rnnequiv import EquivalenceSuite

            class TestRight(EquivalenceSuite):
                profile = "quick"

                def run(self, case):
                    return right.run(case)

            class TestWrong(EquivalenceSuite):
                implementation = "wrong:run"
                profile = "quick"

            class TestSteps(EquivalenceSuite):
                profile = "quick"

                def load(self, case):
                    self.case = case

                def step(self, x_t, state):
                    import numpy as np
                    c = self.case
                    h = np.tanh(x_t @ c.Wx + (0 if state is None else state @ c.Wh) + c.bh)
                    return h, h @ c.Wo + c.bo
            """,
        )
        result = project.runpytest("-k", "notebook or nan", "-rf")
        result.assert_outcomes(passed=4, failed=2)
        result.stdout.fnmatch_lines(["FAILED test_own_ports.py::TestWrong::test_notebook*"])

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ("pass", "TestPort does not say what to check: give it a method run(self, case)"),
            ("implementation = 'a:b'\n    def run(self, case): ...", "TestPort says twice what to check"),
            (
                "profile = 'fast'\n    def run(self, case): ...",
                "TestPort.profile must be one of quick, default, thorough",
            ),
        ],
    )
    def test_misuse(self, body: str, sentence: str) -> None:
        source = f"from pytest_rnnequiv import EquivalenceSuite\nclass TestPort(EquivalenceSuite):\n    {body}\n"
        with pytest.raises(TypeError, match=re.escape(sentence)):
            exec(source)

    def test_something_that_is_no_port(self, project: pytest.Pytester) -> None:
        source = (
            "from pytest_rnnequiv import EquivalenceSuite\nclass TestPort(EquivalenceSuite):\n    implementation = 3"
        )
        project.makepyfile(source)
        result = project.runpytest("-k", "notebook")
        result.stdout.fnmatch_lines(["*TestPort: 3 is no implementation*"])


def test_a_hanging_port_costs_a_few_timeouts(project: pytest.Pytester) -> None:
    project.makepyfile(
        port="""
        import time

        class Hangs:
            timeout = first_timeout = 1.0

            def run(self, case):
                time.sleep(1000)
        """
    )
    result = project.runpytest_subprocess("--rnn-equiv", "--rnn-equiv-impl", "port:Hangs", timeout=300)
    assert result.parseoutcomes()["failed"] >= 4
    result.stdout.fnmatch_lines(["*the port hangs: no answer after 1 s*", "*not asked again: it hung 3 times*"])


def test_a_port_that_sums_in_another_order_each_time_is_right(project: pytest.Pytester) -> None:
    project.makepyfile(
        port="""
        import numpy as np
        from pytest_rnnequiv import Trajectory, reference
        rng = np.random.default_rng()

        class Port:
            supports = {"M": (6, 9)}  # sums of so many terms have room for one more rounding

            def run(self, case):
                shown = reference(case, np.float32)
                return Trajectory(shown.outputs * np.float32(1 + rng.choice([-1, 1]) * 2.0**-23), shown.states)
        """
    )
    result = project.runpytest("--rnn-equiv", "--rnn-equiv-impl", "port:Port", "-k", "repeats")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["port:Port is not deterministic, within rounding"])


def test_a_check_that_runs_out_of_time_passes_on_what_it_saw(project: pytest.Pytester) -> None:
    project.makepyfile(
        slow="""
        import time, numpy as np
        from pytest_rnnequiv import Trajectory, reference

        def run(case):
            time.sleep(0.2)
            return reference(case, np.float32)
        """
    )
    result = project.runpytest("--rnn-equiv", "-k", "nan", "--rnn-equiv-impl", "slow:run")
    result.assert_outcomes(passed=1)
    (cases,) = re.findall(r"^slow:run +(\d+) ", result.stdout.str(), re.MULTILINE)
    assert 1 <= int(cases) < 12


def test_hypothesis_options_hold(project: pytest.Pytester) -> None:
    arguments = ("--rnn-equiv", "-k", "nan", "--rnn-equiv-impl", "numpy")
    result = project.runpytest_subprocess(*arguments, "--hypothesis-show-statistics", "--hypothesis-seed=3")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["rnn_equiv.py::test_nan[[]numpy[]]:", "*passing*"])


def test_the_shrunk_case_is_small(project: pytest.Pytester) -> None:
    project.makepyfile(port=WRONG)
    arguments = ("--rnn-equiv", "-k", "recurrence", "--rnn-equiv-impl", "port:run", "--rnn-equiv-report", "out")
    project.runpytest(*arguments)
    case = Case.load(next(Path(project.path, "out", "failures").glob("*.npz")))
    assert (case.N, case.T, case.D, case.M) == (1, 2, 1, 2)
    assert np.count_nonzero(case.Wh) == 1


class Rounding:
    """Two models of one recurrence, as a compiler makes them: each rounds its states in its own way."""

    name = "rounding"

    def run(self, case: Case) -> Trajectory:
        return reference(case, np.float32)

    def last_outputs(self, case: Case) -> np.ndarray:
        other = case.replace(spec=case.spec.replace(dtype="float64"))
        return reference(other, np.float64).outputs[:, -1].astype(np.float32)


def test_a_model_without_sequences_may_round_otherwise() -> None:
    item = CHECKS["test_model_as_built"].item(PROFILES["default"], database=None, max_examples=200)
    item(port=Port(Rounding()))


@pytest.mark.parametrize("mistake", ["head-of-previous-step", "Wo-rows-reversed", "bo-dropped"])
def test_a_model_without_sequences_that_is_wrong_is_found(mistake: str) -> None:
    class Wrong(Rounding):
        def last_outputs(self, case: Case) -> np.ndarray:
            return np.asarray(by_name(mistake).run(case).outputs)[:, -1]

    item = CHECKS["test_model_as_built"].item(PROFILES["default"], database=None)
    with pytest.raises(AssertionError):
        item(port=Port(Wrong()))


def test_time_that_is_over_within_an_example_makes_no_check_flaky() -> None:
    drawn: list[int] = []

    def several(port: Port, data: st.DataObject) -> None:
        tally.current().count()
        drawn.append(0)
        for step in range(3):
            if len(drawn) == 2 and step == 1:
                budget().seconds = budget().before = -100
            if budget().ended():
                return
            if step:  # so that the second example begins as the first one did
                data.draw(st.integers(0, 9))
                drawn[-1] += 1

    Check(several, 100, 1.0, False, False, openings=0).item(PROFILES["default"], database=None)(port=Port(Rounding()))
    assert drawn == [2, 0]


def test_an_opening_that_is_over_leaves_time_for_the_next_one() -> None:
    asked: list[bool] = []

    def opened(port: Port, data: st.DataObject) -> None:
        tally.current().count()
        budget().seconds, budget().before = 0.0, -100
        asked.append(budget().ended())

    Check(opened, 100, 1.0, False, False, openings=2).item(PROFILES["default"], database=None)(port=Port(Rounding()))
    assert asked == [True, True]


def test_shrinking_ends_in_time_with_the_smallest_failure() -> None:
    seen: list[int] = []
    tried: list[int] = []

    def slowly_wrong(port: Port, data: st.DataObject) -> None:
        budget().shrinking = 0.5
        numbers = data.draw(st.lists(st.integers(0, 10**9), min_size=60))
        time.sleep(0.02)
        tried.append(sum(numbers))
        tally.current().count()
        if sum(numbers) > 100:
            seen.append(sum(numbers))
            raise AssertionError(f"the sum is {sum(numbers)}")

    item = Check(slowly_wrong, 100, 1.0, False, False, openings=0).item(PROFILES["default"], database=None)
    with pytest.raises(AssertionError, match="the sum is") as caught:
        item(port=Port(Rounding()))
    assert len(tried) < 250  # Hypothesis would have gone on for minutes
    assert str(caught.value) == f"the sum is {seen[-1]}"
    assert caught.value.__suppress_context__  # Hypothesis's frames tell nothing


def test_a_port_that_is_wrong_is_not_asked_about_what_stands_behind_its_failure() -> None:
    asked: list[Case] = []

    class Wrong:
        def run(self, case: Case) -> Trajectory:
            asked.append(case)
            shown = reference(case, np.float32)
            return Trajectory(shown.outputs * np.float32(2), shown.states)

    port, cases = Port(Wrong()), [generic_case(Spec.simple(2, 3, 1), 2, 3, seed=seed) for seed in range(1, 5)]
    spent, before = open_budget(), tally.current().cases
    with pytest.raises(EquivalenceError) as failure:  # it was right up to now: all are looked at, and judged at once
        verify(port, cases)
    assert (len(asked), tally.current().cases - before) == (4, 1)
    spent.failures.clear()
    spent.found(failure.value)
    with pytest.raises(EquivalenceError):
        verify(port, cases)
    assert len(asked) == 5


def test_a_port_that_gives_no_answer_is_not_asked_for_the_next() -> None:
    asked: list[Case] = []

    class Falls:
        def run(self, case: Case) -> Trajectory:
            asked.append(case)
            if len(asked) > 1:
                raise OSError("fallen")
            return reference(case, np.float32)

    cases, before = [generic_case(Spec.simple(2, 3, 1), 2, 3, seed=seed) for seed in range(1, 5)], tally.current().cases
    open_budget()
    with pytest.raises(EquivalenceError, match="fallen"):
        verify(Port(Falls()), cases)
    different = {case.fingerprint() for case in asked}  # what failed is asked again, to be told
    assert (len(different), tally.current().cases - before) == (2, 2)
