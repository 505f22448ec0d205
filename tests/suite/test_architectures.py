"""The checks of all architectures, as those who plug something in see them."""

from __future__ import annotations

import contextlib
import json
from typing import Any, ClassVar

import numpy as np
import pytest
import samples

from pytest_rnnequiv import Case, SimpleRNN, Spec, judge, reference, tally
from pytest_rnnequiv.divergences.keras import DIVERGENCES, concerning, installed
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN
from pytest_rnnequiv.implementations.supports import Supports
from pytest_rnnequiv.model.spec import OPTIONS
from pytest_rnnequiv.suite.architectures import divergences, known_in, known_in_layers
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.registry import PROFILES

PORT = """
import numpy as np
from pytest_rnnequiv import reference

class Port:
    supports = {"options": OPTIONS, "activations": ("tanh", "relu")}

    def run(self, case):
        assert self.knows(case.spec), case.spec
        return reference(self.taken(case), np.float32)

    def knows(self, spec):
        return True

    def taken(self, case):
        return case
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
    return pytester


def checked(project: pytest.Pytester, port: str, *arguments: str, options: str = repr(OPTIONS)) -> pytest.RunResult:
    project.makepyfile(port=PORT.replace("OPTIONS", options) + port)
    return project.runpytest("--rnn-equiv", "--rnn-equiv-impl", "port:Port", "-k", "networks", *arguments)


def test_a_port_that_heeds_all_options_passes(project: pytest.Pytester) -> None:
    result = checked(project, "", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines(
        [
            r"  networks +\d+ +\d+",
            r"option +cases +together with",
            r"stateful +\d+ +\d+ others",
            r"[\d,]+ pairs of options",
        ]
    )


def test_a_port_is_asked_for_what_it_heeds_only(project: pytest.Pytester) -> None:
    knows = """
    def knows(self, spec):
        (layer,) = spec.layers
        return layer == layer.replace(units=layer.units, use_bias=True, go_backwards=False,
                                      return_sequences=False, unroll=False) or not layer.use_bias or layer.go_backwards
"""
    checked(project, knows, options="('use_bias', 'go_backwards')").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("taken", "diagnosis"),
    [
        ("case.with_weights(**{'layer0/Wh': case.named_weights['layer0/Wh'].T})", "with `Wh` transposed"),
        ("case.replace(spec=spec.with_layer(0, spec.layers[0].replace(go_backwards=False)))", "go_backwards"),
    ],
    ids=["weights", "option"],
)
def test_a_mistake_is_caught_and_named(project: pytest.Pytester, taken: str, diagnosis: str) -> None:
    source = f"\n    def taken(self, case):\n        spec = case.spec\n        return {taken}\n"
    result = checked(project, source, options="('go_backwards', 'return_sequences')")
    result.assert_outcomes(failed=1)
    text = " ".join(result.stdout.str().split())  # it is wrapped
    verdict = text[text.index("port:Port is wrong: it is the recurrence") :]
    assert diagnosis in verdict.partition("usual cause")[0]
    assert "SimpleRNN(" in verdict.partition(" smallest ")[2].partition("by the check networks")[0]


def test_a_port_without_options_is_skipped_clearly(project: pytest.Pytester) -> None:
    result = checked(project, "", options="()")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*Port declares no options of layers*"])


def test_an_option_that_there_is_not() -> None:
    with pytest.raises(Exception, match="supports.options must be some of activation, use_bias"):
        Supports(options=("bias",))


def test_ports_in_other_processes_are_given_any_architecture(project: pytest.Pytester) -> None:
    project.makepyfile(port=PORT.replace("OPTIONS", repr(OPTIONS)))
    project.syspathinsert()
    port = Port.from_path("port:Port")
    try:
        shown = port.run(samples.filled(Spec(2, SimpleRNN(3, return_state=True))))
        assert shown.outputs.shape == (3, 3)
    finally:
        port.close()


# ---- where Keras is known to be wrong ----


class TestKnownDivergences:
    @pytest.fixture(autouse=True)
    def keras(self) -> Any:
        return pytest.importorskip("keras")

    def test_each_has_one_item_on_the_cheapest_runtime(self) -> None:
        names = ["keras-graph", "keras-call", "keras-predict"]
        items = divergences(names)
        hidden = [each for each in DIVERGENCES if all(each.hidden(runtime, installed()) for runtime in each.runtimes)]
        assert [item.values[1] for item in items] == [each for each in DIVERGENCES if each not in hidden]
        assert len(hidden) < len(items) / 10
        assert all(item.values[0] in item.values[1].runtimes for item in items)
        assert divergences(["my_port:run"]) == []

    def test_they_are_shown_and_counted(self, project: pytest.Pytester) -> None:
        arguments = ("--rnn-equiv", "-k", "known_divergence and (mask-lost or unrolled-backward)", "-rx")
        result = project.runpytest_subprocess(*arguments)
        result.assert_outcomes(xfailed=2)
        result.stdout.fnmatch_lines(
            [
                "2 known divergences of Keras shown*",
                "XFAIL *mask-lost-with-initial-state* - known divergence of Keras *",
            ]
        )

    def test_a_repair_is_noticed(self, project: pytest.Pytester) -> None:
        """A divergence that is in the table and not in Keras fails the run."""
        project.makeconftest(
            """
            from dataclasses import replace
            from pytest_rnnequiv import SimpleRNN, Spec
            from pytest_rnnequiv.divergences.known import DIVERGENCES
            from pytest_rnnequiv.divergences.table import counting

            right = lambda: counting(Spec(1, SimpleRNN(1, "linear")), [[[1.0]]])
            of_keras = next(each for each in DIVERGENCES if each.library == "keras")
            DIVERGENCES[:] = [replace(of_keras, name="repaired", smallest=right, demonstration=None, on_card=False)]
            """
        )
        result = project.runpytest_subprocess("--rnn-equiv", "-k", "known_divergence")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*XPASS(strict)*"])

    def test_the_suite_steers_around_them(self) -> None:
        for divergence in DIVERGENCES:
            if divergence.smallest is None or divergence.in_case is not None:  # of cases: seen when they are drawn
                continue
            network = divergence.smallest().spec
            for way in ("keras-graph", "keras-call"):
                if divergence.exists(way, installed()):
                    assert known_in(way)(network), divergence
                    assert known_in_layers(network), divergence
        assert not known_in_layers(Spec(3, SimpleRNN(4)))


def test_dropout_that_is_not_shared_over_time_is_noticed(project: pytest.Pytester) -> None:
    pytest.importorskip("tensorflow")
    cell = pytest.importorskip("keras.src.layers.rnn.dropout_rnn_cell").DropoutRNNCell
    if not hasattr(cell, "_create_dropout_mask"):
        pytest.skip("this Keras makes its masks elsewhere")
    project.makeconftest(
        """
        from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

        def anew(self, step_input):
            return self._create_dropout_mask(step_input, self.dropout) if self.dropout else None

        DropoutRNNCell.get_dropout_mask = anew
        """
    )
    result = project.runpytest_subprocess("--rnn-equiv", "-k", "dropout and not known_divergence")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the mask must be the same at every step*"])


# ---- what was drawn ----


def test_what_was_drawn_travels_with_the_report() -> None:
    counted = tally.Tally()
    counted.cover({"unroll", "stateful"}, 3)
    counted.cover({"unroll"})
    assert counted.covered == {("stateful", "stateful"): 3, ("stateful", "unroll"): 3, ("unroll", "unroll"): 4}
    properties = tally.to_properties(counted)
    json.dumps(properties)
    back = tally.from_properties(properties)
    assert back is not None
    assert back.covered == counted.covered
    back.add(counted)
    assert back.covered["unroll", "unroll"] == 8


@pytest.mark.parametrize("batches", [False, True])
def test_a_port_that_keeps_no_state_is_given_one_call_at_a_time(batches: bool) -> None:
    """As the docs have it: it returns the outputs of the only call."""

    class Stateless:
        supports = Supports(options=("bidirectional", "use_bias", "go_backwards", "return_sequences", "layers"))
        seen: ClassVar[list[int]] = []

        def run(self, case: Any) -> Any:
            self.seen.append(len(case.calls))
            return reference(case, np.float32).outputs

        if batches:

            def run_many(self, cases: Any) -> Any:
                return [self.run(case) for case in cases]

    CHECKS["test_networks"].item(PROFILES["quick"], database=None, max_examples=40)(port=Port(Stateless()))
    assert {*Stateless.seen} == {1}
    two = samples.NETWORKS["two calls"]
    shown = Port(Stateless()).run_many([two, two])
    assert all(judge(two, each).equivalent for each in shown)


@pytest.mark.parametrize(
    "sizes",
    [
        {"N": 1},
        {"N": (2, 3), "T": (2, 5)},
        {"D": 4, "M": (16, 20), "K": (1, 2), "T": 6},
        {"M": 1, "largest": 2.0},
    ],
    ids=str,
)
def test_cases_keep_to_the_sizes_and_numbers_that_a_port_declares(sizes: dict[str, Any]) -> None:
    class Particular:
        supports = Supports(options=OPTIONS, **sizes)
        asked: ClassVar[list[Case]] = []

        def run(self, case: Any) -> Any:
            self.asked.append(case)
            return reference(case, np.float32)

    port = Port(Particular())
    names = ["test_networks", "test_law_samples_are_independent", "test_law_stateful_goes_on"]
    patient = PROFILES["quick"]._replace(seconds=600.0)  # it ends when enough was seen
    for name in names:
        with contextlib.suppress(pytest.skip.Exception):
            CHECKS[name].item(patient, database=None, max_examples=12)(port=port)
    asked = Particular.asked
    assert len(asked) > 20
    supports, largest = Particular.supports, sizes.get("largest", np.inf)
    for case in asked:
        spec = case.spec
        assert supports.includes("D", spec.D)
        assert all(supports.includes(letter, getattr(call, letter)) for call in case.calls for letter in "NT")
        assert all(supports.includes("M", M) for layer in spec.directions for M in layer.cells)
        assert spec.head is None or supports.includes("K", spec.head.K)
        numbers = [a for a in case.numbers().values() if a.dtype.kind == "f"]
        assert all(np.nan_to_num(np.abs(a)).max(initial=0) <= largest for a in numbers)


def test_batches_of_nothing_are_left_out_where_keras_cannot_predict_them() -> None:
    class Predict:
        """Declares what Keras does, and has none of it."""

        name = "keras-predict"
        supports = Supports(options=("use_bias", "return_sequences", "layers"))
        empty: ClassVar[int] = 0

        def run(self, case: Any) -> Any:
            type(self).empty += any(call.N == 0 for call in case.calls)
            return reference(case, np.float32)

    (divergence,) = (each for each in DIVERGENCES if each.name == "predict-of-nothing")
    assert divergence.smallest is not None
    if not concerning(divergence.smallest(), "keras-predict"):
        pytest.skip("this Keras predicts nothing from nothing")
    item = CHECKS["test_networks"].item(PROFILES["default"], database=None, derandomize=True)
    item(port=Port(Predict(), identity="keras-predict", runtime=BUILT_IN["keras-predict"]))
    assert Predict.empty == 0
