"""Whatever a user plugs in: what counts as an implementation, and what it declares."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from samples import NETWORKS, filled, generic, sequences

from pytest_rnnequiv import Case, Declined, Dense, Precision, Spec, Supports, Trajectory, layouts, reference
from pytest_rnnequiv.cells import SimpleRNNCell
from pytest_rnnequiv.implementations import port as port_module
from pytest_rnnequiv.implementations import runner
from pytest_rnnequiv.implementations.declaration import TIMEOUT, declare, fixed_model, normalize
from pytest_rnnequiv.implementations.errors import ImplementationError, MissingRuntime, UnknownImplementation
from pytest_rnnequiv.implementations.numpy_loop import NumpyLoop
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN, GROUPS, check_available, expand
from pytest_rnnequiv.implementations.resolving import resolve


def forward(case: Case) -> Any:
    return reference(case, np.float32).outputs[:, -1]


class WithRun:
    name = "mine"
    precision = "float16"
    supports = {"D": 3, "M": [2, 8], "activations": ("tanh", "relu")}  # noqa: RUF012
    timeout = 3
    versions = {"mylib": "1.2"}  # noqa: RUF012

    def run(self, case: Case) -> Any:
        return forward(case)


class ByStep:
    """A step port that carries its state as an array."""

    def load(self, case: Case) -> None:
        self.case = case

    def step(self, x: Any, state: Any) -> Any:
        c = self.case
        h = np.zeros(c.M, np.float32) if state is None else state
        h = np.tanh(x @ c.Wx + h @ c.Wh + c.bh)
        return h, h @ c.Wo + c.bo


class Hidden(ByStep):
    """A step port that carries its state as something of its own."""

    def step(self, x: Any, state: Any) -> Any:
        h, y = super().step(x, None if state is None else np.array(state["h"]))
        return {"h": h.tolist()}, y


# ---- what an implementation is ----


@pytest.mark.parametrize(
    "implementation",
    [forward, WithRun(), WithRun, NumpyLoop(), ByStep(), Hidden()],
    ids=["function", "object", "class", "built in", "steps", "hidden state"],
)
def test_functions_objects_classes_and_step_ports_are_implementations(implementation: Any) -> None:
    ready = Port(implementation)
    case = generic()
    verdict = ready.observe(case).judge(None if implementation is not NumpyLoop else ready.precision)
    assert verdict.equivalent
    ready.close()


def test_a_step_port_with_an_array_shows_its_states_and_another_its_outputs() -> None:
    case = generic()
    shown, hidden = Port(ByStep()).run(case), Port(Hidden()).run(case)
    assert shown.states is not None
    assert np.asarray(shown.states).shape == (3, 5, 4)
    assert np.asarray(shown.outputs).shape == (3, 5, 2)
    assert hidden.states is None
    assert np.allclose(hidden.outputs, shown.outputs)


def test_a_step_port_starts_every_sample_anew_and_is_loaded_once_a_case() -> None:
    log: list[Any] = []

    class Logging(ByStep):
        def load(self, case: Case) -> None:
            log.append("load")
            super().load(case)

        def step(self, x: Any, state: Any) -> Any:
            log.append("start" if state is None else "step")
            return super().step(x, state)

    Port(Logging()).run(generic(N=2, T=3))
    assert log == ["load", "start", "step", "step", "start", "step", "step"]


def test_a_state_that_is_one_buffer_is_copied_before_it_is_overwritten() -> None:
    class InOneBuffer(ByStep):
        def load(self, case: Case) -> None:
            super().load(case)
            self.h, self.y = np.zeros(case.M, np.float32), np.zeros(case.K, np.float32)

        def step(self, x: Any, state: Any) -> Any:
            self.h[:], self.y[:] = super().step(x, state)
            return self.h, self.y

    case = generic()
    assert np.allclose(Port(InOneBuffer()).run(case).states, reference(case).states, atol=1e-5)


@pytest.mark.parametrize("answer", [None, 3, np.zeros(4), (1, 2, 3)])
def test_a_step_that_returns_no_pair_is_told(answer: Any) -> None:
    class Wrong:
        def step(self, x: Any, state: Any) -> Any:
            return answer

    with pytest.raises(Exception, match=r"step\(x_t, state\) returned \w+, expected a pair \(state, y\)"):
        Port(Wrong()).run(generic())


def test_one_sample_of_one_output_may_be_a_number() -> None:
    class Scalar(ByStep):
        def step(self, x: Any, state: Any) -> Any:
            h, y = super().step(x, state)
            return h, y[:1]

    assert Port(Scalar()).observe(generic(K=1)).judge().equivalent


@pytest.mark.parametrize("thing", [3, None, "text", object(), {"run": 1}])
def test_what_is_none_is_an_error_that_says_what_was_expected(thing: Any) -> None:
    with pytest.raises(
        ImplementationError,
        match=re.escape(
            "is no implementation: expected a function run(case), or an object with a method run(case) or step("
        ),
    ):
        Port(thing)


def test_a_class_that_needs_arguments_is_an_error() -> None:
    class Needy:
        def __init__(self, path: str) -> None:
            self.path = path

        def run(self, case: Case) -> Any:
            return forward(case)

    with pytest.raises(ImplementationError, match=r"Needy\(\) cannot be made without arguments: TypeError: "):
        Port(Needy)
    assert Port(Needy("x")).run(generic()) is not None


def by_letters(x: Any, Wx: Any, Wh: Any, bh: Any, Wo: Any, bo: Any, scale: float = 1.0) -> Any:
    """The notebook's loop as a function of arrays."""
    h = np.zeros((len(x), len(Wh)), np.float32)
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + bh)
    return scale * (h @ Wo + bo)


def test_a_function_takes_letters_of_a_case_by_their_names() -> None:
    class Sizes:
        def run(self, x: Any, *, M: int, T: int) -> Any:
            return np.full((len(x), M), T)

    case = generic()
    assert np.array_equal(Port(by_letters).run(case).outputs, forward(case))
    assert np.array_equal(Port(Sizes()).run(case).outputs, np.full((case.N, case.M), case.T))


@pytest.mark.parametrize("run", [lambda x, weights: x, lambda case, Wx: case.x], ids=["no letter", "case and letter"])
def test_a_function_of_other_arguments_is_told_which_there_are(run: Any) -> None:
    with pytest.raises(ImplementationError, match=r"takes 2 arguments: a port takes one, the case, or some .* x, Wx,"):
        Port(run)


def test_many_cases_at_once_where_it_can() -> None:
    class Packed:
        def run(self, case: Case) -> Any:
            raise AssertionError("one by one")

        def run_many(self, cases: list[Case]) -> list[Any]:
            return [forward(case) for case in cases]

    cases = [generic(seed) for seed in range(3)]
    shown = Port(Packed()).run_many(cases)
    assert len(shown) == 3
    assert all(np.array_equal(t.outputs, forward(case)) for t, case in zip(shown, cases, strict=True))
    assert [t.outputs.shape for t in Port(forward).run_many(cases)] == [(3, 2)] * 3
    run, many = normalize(Packed())
    assert callable(run)
    assert many is not None


# ---- what it declares ----


def test_an_object_declares_what_it_is() -> None:
    ready = Port(WithRun)
    assert ready.name == "mine"
    assert repr(ready) == "<port mine>"
    assert ready.precision is Precision.float16
    assert ready.supports == Supports(D=3, M=(2, 8), activations=("tanh", "relu"))
    assert ready.fixed is None
    assert ready.versions() == {"mylib": "1.2"}
    assert ready.declaration.timeout == 3.0


def test_who_declares_nothing_has_defaults() -> None:
    ready = Port(forward)
    assert ready.name == "forward"
    assert Port(Hidden()).name == "Hidden"
    assert Port(forward, name="other").name == "other"
    assert ready.precision is None
    assert ready.supports == Supports()
    assert ready.versions() == {}
    assert ready.declaration.timeout == TIMEOUT
    assert ready.any_weights
    assert ready.any_length


def test_a_function_may_declare_too() -> None:
    def run(case: Case) -> Any:
        return forward(case)

    run.precision = Precision.bfloat16  # type: ignore[attr-defined]
    run.versions = lambda: {"a": "1"}  # type: ignore[attr-defined]
    assert Port(run).precision is Precision.bfloat16
    assert Port(run).versions() == {"a": "1"}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"precision": "float8"}, "odd: unknown precision 'float8': expected a Precision or one of float32"),
        (
            {"supports": {"L": 3, "Q": 1}},
            "odd: supports has no L, Q; it knows D, M, K, N, T, activations, cells, dtypes, largest, nan, options",
        ),
        ({"supports": {3: 1}}, "odd: supports has no 3; it knows D, M"),
        (
            {"supports": {"masks": True}},
            "odd: supports has no masks; it knows D, M, K, N, T, activations, cells, dtypes, largest, nan, options, "
            "activations_of, lengths, merge_modes, mask_zero, head_activations; "
            'what it heeds is an option: options=("mask",)',
        ),
        (
            {"supports": {"masks": True, "initial_state": True, "L": 1}},
            "dtypes, largest, nan, options, activations_of, lengths, merge_modes, mask_zero, head_activations; "
            'what it heeds is an option: options=("initial_state", "mask")',
        ),
        ({"supports": {"options": ("masks",)}}, "odd: supports.options must be some of activation, use_bias, "),
        ({"supports": 5}, "odd: supports must be a Supports or a dict, not int"),
        ({"supports": {"M": 0}}, "supports.M must be a size or (smallest, largest), not 0"),
        ({"supports": {"M": (4, 2)}}, "supports.M must be a size or (smallest, largest), not (4, 2)"),
        ({"supports": {"M": (1, 2, 3)}}, "supports.M must be a size or (smallest, largest), not (1, 2, 3)"),
        ({"supports": {"T": "5"}}, "supports.T must be a size or (smallest, largest), not '5'"),
        ({"supports": {"N": 2.0}}, "supports.N must be a size or (smallest, largest), not 2.0"),
        ({"supports": {"K": (1, None)}}, "supports.K must be a size or (smallest, largest), not (1, None)"),
        ({"supports": {"activations": "relu"}}, "supports.activations must be a tuple of names, not 'relu'"),
        ({"supports": {"dtypes": "float64"}}, "supports.dtypes must be a tuple of names, not 'float64'"),
        ({"timeout": 0}, "odd: timeout must be a number of seconds, not 0"),
        ({"timeout": "5"}, "odd: timeout must be a number of seconds, not '5'"),
        ({"timeout": True}, "odd: timeout must be a number of seconds, not True"),
        ({"model": (Spec.simple(3, 4, 2), (np.zeros((3, 4)),))}, "model = (spec, weights): "),
        (
            {"model": (Spec.simple(3, 4, 2), tuple(np.zeros(1) for _ in range(5)))},
            "model = (spec, weights): Wx has shape (1,)",
        ),
    ],
)
def test_a_wrong_declaration_is_one_sentence(attributes: dict[str, Any], message: str) -> None:
    odd = type("odd", (), {**attributes, "run": staticmethod(forward)})()
    with pytest.raises(ImplementationError, match=re.escape(message)):
        declare(odd, "odd")
    with pytest.raises(ImplementationError, match=re.escape(message)):
        Port(odd, name="odd")


@pytest.mark.parametrize(
    ("precision", "nan"),
    [
        ("float32", True),
        (Precision.int8_weights(), True),
        (Precision.q15, False),
        (Precision.ap_fixed(16, 7), False),
        (Precision.dynamic_range_int8(), False),
    ],
    ids=["float32", "int8 weights", "q15", "ap_fixed", "dynamic range"],
)
def test_who_computes_in_integers_is_asked_for_no_nan(precision: Any, nan: bool) -> None:
    port = Port(SimpleNamespace(run=forward, precision=precision))
    assert port.supports.nan is nan


def test_sizes_may_be_numpys() -> None:
    assert Supports(M=np.int64(3)).range("M", 1, 9) == (3, 3)  # type: ignore[arg-type]


def test_what_is_supported() -> None:
    supports = Supports(D=3, M=(2, 8), T=(1, 40))
    assert supports.range("D", 1, 33) == (3, 3)
    assert supports.range("M", 1, 33) == (2, 8)
    assert supports.range("M", 4, 6) == (4, 6)
    assert supports.range("K", 1, 33) == (1, 33)
    low, high = supports.range("M", 9, 33)
    assert low > high
    assert [supports.includes("D", size) for size in (2, 3, 4)] == [False, True, False]
    assert [supports.includes("M", size) for size in (1, 2, 8, 9)] == [False, True, True, False]
    assert supports.includes("N", 1000)
    assert supports.left_out() == "only D = 3, M in 2..8, T in 1..40"
    assert Supports().left_out() == ""


@pytest.mark.parametrize(
    ("supports", "way"),
    [
        ({}, "prefixes"),
        ({"K": (1, 9), "M": (1, 9), "T": (1, 20)}, "prefixes"),
        ({"D": 3}, "prefixes"),
        ({"K": 2}, "last output"),
        ({"T": 5}, "last output"),
        ({"T": (2, 20)}, "last output"),
    ],
)
def test_who_is_asked_under_an_identity_head_and_on_prefixes(supports: dict[str, Any], way: str) -> None:
    def run(case: Case) -> Any:
        assert ready.supports.accepts(case)
        return forward(case)

    ready = Port(type("P", (), {"supports": supports, "run": staticmethod(run)})())
    assert ready.observe(generic()).judge().way == way


def test_only_supported_cases_tell_mistakes_apart() -> None:
    ready = Port(type("P", (), {"supports": {"M": (1, 3)}, "run": staticmethod(forward)})())
    with pytest.raises(ImplementationError, match="P supports only M in 1..3"):
        ready.run_supported(generic(M=4))
    assert ready.run_supported(generic(M=3)).outputs is not None


@pytest.mark.parametrize(
    ("supports", "sentence"),
    [
        ({"activations": ("tanh", "sinus")}, "supports.activations must be some of tanh, linear"),
        ({"activations": ()}, "not none"),
        ({"dtypes": ("float16",)}, "supports.dtypes must be some of float32, float64, not 'float16'"),
        ({"largest": 0}, "supports.largest must be a number above 0, not 0"),
    ],
)
def test_support_of_what_nobody_knows(supports: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        Port(type("P", (), {"supports": supports, "run": staticmethod(forward)})())


# ---- cases that it does not take ----

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is safe on Linux only")
WAYS = [pytest.param(False, id="here"), pytest.param(True, marks=linux, id="forked")]


class ByMethod:
    """Takes an even number of units."""

    def accepts(self, case: Case) -> Any:
        return np.bool_(case.M % 2 == 0)

    def run(self, case: Case) -> Any:
        assert case.M % 2 == 0
        return forward(case)


class ByException:
    """Takes an even number of units, and sees so late."""

    def run(self, case: Case) -> Any:
        if case.M % 2:
            raise Declined("an odd number of units")
        return forward(case)


@pytest.mark.parametrize("isolated", WAYS)
@pytest.mark.parametrize(
    ("implementation", "why"), [(ByMethod, "accepts.case. said no"), (ByException, "an odd number of units")]
)
def test_a_port_declines_a_case(implementation: Any, why: str, isolated: bool) -> None:
    ready = Port(implementation, isolated=isolated)
    odd, even = generic(M=3), generic(M=4)
    try:
        for ask in (ready.run, ready.observe, lambda case: ready.run_many([even, case])):
            with pytest.raises(Declined, match=why):
                ask(odd)
            assert ready.observe(even).judge().equivalent
    finally:
        ready.close()


def test_a_case_with_options_is_declined_too() -> None:
    class NoStacks:
        supports = Supports(options=("layers", "return_sequences"))

        def run(self, case: Case) -> Any:
            if len(case.spec.layers) > 1:
                raise Declined("no stacks today")
            return reference(case).outputs

    ready = Port(NoStacks())
    one, stack = filled(Spec(3, sequences(3), Dense(2))), NETWORKS["stack"]
    assert ready.observe(one).judge().equivalent
    assert ready.supports.accepts(stack)
    for ask in (ready.run, ready.observe, lambda case: ready.run_many([one, case])):
        with pytest.raises(Declined, match="no stacks today"):
            ask(stack)


def test_calls_are_made_one_by_one_where_no_state_is_kept_between_them() -> None:
    seen: list[int] = []

    def run(case: Case) -> Any:
        seen.append(len(case.calls))
        return reference(case)

    stateful = NETWORKS["stateful, reset"]
    assert Port(run).observe(NETWORKS["two calls"]).judge().equivalent
    assert {*seen} == {1}
    seen.clear()
    run.supports = Supports(options=("stateful",))  # type: ignore[attr-defined]
    assert Port(run).observe(stateful).judge().equivalent
    assert {*seen} == {len(stateful.calls)}


def test_a_layout_that_cannot_hold_a_case_declines_it() -> None:
    """A port that asks for the weights of a framework meets a layer which that has not: told, and no failure of it."""

    def run(case: Case) -> Any:
        layouts.to_torch(case.spec, case.weights)
        return reference(case).outputs

    ready = Port(run)
    assert ready.run(filled(Spec.simple(2, 3, 1))) is not None
    with pytest.raises(
        Declined, match="PyTorch's SimpleRNN has tanh or relu, not softsign, for its activation"
    ) as raised:
        ready.run(filled(Spec.simple(2, 3, 1, activation="softsign")))
    assert raised.value.reason == str(raised.value)
    assert Declined().reason == ""


def test_what_cannot_be_sent_is_told_by_its_attribute() -> None:
    """What a port declares goes to pytest's process: no lambda, and no class that a function defines."""

    class Local(SimpleRNNCell):
        pass

    def run(case: Case) -> Any:
        return reference(case).outputs

    def sent(what: str, value: Any) -> Any:
        setattr(run, what, value)
        here, there = Pipe()
        with here, there:
            runner._send(here, ("ready", declare(run)))
            return there.recv()

    kind, declared = sent("supports", Supports())
    assert (kind, declared.name) == ("ready", "run")
    kind, (why, *_) = sent("precision", Precision.q15.with_table(1e-2, tanh=lambda a: np.tanh(a)))
    assert kind == "failure"
    assert why.startswith("implementation 'run': its precision cannot be sent to pytest's process, which judges it (")
    assert "a function or a class in it has to stand at the top of a module" in why
    run.precision = None  # type: ignore[attr-defined]
    assert "its supports cannot be sent" in sent("supports", Supports(cells=(Local(),)))[1][0]


def test_declined_is_a_public_name() -> None:
    import pytest_rnnequiv

    assert pytest_rnnequiv.Declined is Declined
    assert issubclass(Declined, Exception)


def test_who_takes_a_case_but_no_identity_head_is_judged_by_what_it_shows() -> None:
    class TwoOutputs:
        def accepts(self, case: Case) -> bool:
            return case.K == 2

        def run(self, case: Case) -> Any:
            return forward(case)

    ready = Port(TwoOutputs())
    assert ready.observe(generic(K=2)).judge().way == "last output"
    with pytest.raises(Declined):
        ready.observe(generic(K=3))


@pytest.mark.parametrize("isolated", WAYS)
def test_a_function_carries_what_it_supports(isolated: bool) -> None:
    def run(case: Case) -> Any:
        return forward(case)

    run.supports = Supports(M=(1, 9), activations=("tanh", "relu"))  # type: ignore[attr-defined]
    run.accepts = lambda case: case.D == 3  # type: ignore[attr-defined]
    run.timeout = 2  # type: ignore[attr-defined]
    ready = Port(run, isolated=isolated)
    try:
        assert ready.supports == Supports(M=(1, 9), activations=("tanh", "relu"))
        assert ready.declaration.timeout == 2
        assert ready.name == "run"
        with pytest.raises(Declined):
            ready.run(generic(D=2))
    finally:
        ready.close()


def test_a_function_of_a_module_carries_what_it_supports(on_path: Path) -> None:
    (on_path / "carries.py").write_text(
        "from pytest_rnnequiv import Precision, Supports, reference\n"
        "def run(case):\n    return reference(case)\n"
        "run.supports = Supports(M=(1, 9))\nrun.precision = Precision.float32\nrun.first_timeout = 20\n"
    )
    ready = resolve("carries:run")
    try:
        assert ready.supports == Supports(M=(1, 9))
        assert ready.precision is Precision.float32 or ready.precision == Precision.float32
        assert ready.declaration.first_timeout == 20
    finally:
        ready.close()


def test_a_class_is_made_once() -> None:
    made: list[int] = []

    class OnABoard:
        def __init__(self) -> None:
            made.append(1)

        def run(self, case: Case) -> Any:
            return forward(case)

    ready = Port(OnABoard)
    ready.run(generic())
    assert made == [1]


# ---- a model that is compiled in ----


def test_a_case_or_a_pair_is_a_model() -> None:
    case = generic()
    for model in (case, (case.spec, case.weights), (case.spec, [w.tolist() for w in case.weights])):
        spec, weights = fixed_model(model)
        assert spec == case.spec
        assert all(np.array_equal(a, b) for a, b in zip(weights, case.weights, strict=True))
    ready = Port(type("P", (), {"model": case, "run": staticmethod(forward)})())
    assert ready.fixed is not None
    assert ready.fixed[0] == case.spec
    assert not ready.any_weights


# ---- names ----


def test_names_are_expanded_and_repetitions_dropped() -> None:
    assert expand(["keras"]) == list(GROUPS["keras"])
    assert expand(["numpy", "keras-call", "keras", "numpy"]) == ["numpy", "keras-call", "keras-graph", "keras-predict"]
    assert expand(["pkg.mod:obj.attr", "mod:f"]) == ["pkg.mod:obj.attr", "mod:f"]
    assert expand([]) == []


@pytest.mark.parametrize("name", ["kears", "", "a:", ":b", "a:b:c", "a b:c", "1a:b", "mod.:f", "path/mod:f"])
def test_an_unknown_name_is_an_error_that_lists_the_known_ones(name: str) -> None:
    for ask in (lambda: expand([name]), lambda: check_available([name]), lambda: resolve(name)):
        with pytest.raises(
            UnknownImplementation,
            match=re.escape(
                f"unknown implementation {name!r}: expected module:attribute or one of all, keras, keras-graph"
            ),
        ):
            ask()


@pytest.mark.parametrize("module", ["no_such_module", "no_such.module", "numpy.no_such"])
def test_a_module_that_is_not_there_is_told_before_anything_runs(module: str) -> None:
    with pytest.raises(UnknownImplementation, match=re.escape(f"there is no module {module!r} on the path")):
        check_available([f"{module}:run"])
    check_available(["json:loads", "numpy"])


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_rnn.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownImplementation, match=r"nor in .*did you mean 'my_rnn'\?"):
        check_available(["my_rn:run"])
    with pytest.raises(UnknownImplementation, match=r"did you mean 'onnxruntime'\?"):
        check_available(["onnxrt"])


def test_a_runtime_that_is_not_installed_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, "keras-graph", replace(BUILT_IN["keras-graph"], libraries=("no_such_library",)))
    with pytest.raises(
        MissingRuntime, match="needs no_such_library, which is not installed here: pip install no_such_library"
    ):
        check_available(["keras"])


def test_a_runtime_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, "numpy", replace(BUILT_IN["numpy"], module="no_such_module"))
    with pytest.raises(MissingRuntime, match="the implementation 'numpy' cannot be loaded: "):
        resolve("numpy")


def test_a_group_is_not_one_implementation() -> None:
    with pytest.raises(
        UnknownImplementation, match="'keras' stands for several: keras-graph, keras-call, keras-predict"
    ):
        resolve("keras")


def test_a_built_in_one_is_resolved() -> None:
    ready = resolve("numpy")
    assert ready.name == "numpy"
    assert ready.versions() == {"numpy": np.__version__}
    assert ready.observe(generic()).judge().equivalent


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_path_is_resolved_in_a_process_of_its_own(on_path: Path) -> None:
    (on_path / "my_port_module.py").write_text(
        "import os\nimport numpy as np\nfrom pytest_rnnequiv import reference\n"
        "class Nested:\n    precision = 'float16'\n    versions = {'pid': str(os.getpid())}\n"
        "    def run(self, case):\n        return reference(case, np.float16)\n"
        "class box:\n    inner = Nested\n"
    )
    import os

    ready = resolve("my_port_module:box.inner")
    try:
        assert ready.name == "my_port_module:box.inner"
        assert ready.precision is not None
        assert ready.precision == Precision.float16
        assert ready.versions()["pid"] != str(os.getpid())
        assert ready.observe(generic()).judge(ready.precision).equivalent
        assert ready.observe(generic()).judge().different
    finally:
        ready.close()


@pytest.mark.tensorflow
def test_importing_the_names_imports_no_runtime() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import pytest_rnnequiv.implementations.registry as i; i.check_available(['keras', 'numpy']);"
        "print(sorted({'numpy', 'tensorflow', 'keras', 'hypothesis'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_states_of_a_trajectory_come_through() -> None:
    def run(case: Case) -> Any:
        return reference(case, np.float32)

    shown = Port(run).run(generic())
    assert isinstance(shown, Trajectory)
    assert port_module.Port(run).observe(generic()).judge().way == "induction"


@pytest.mark.parametrize("option", ["initial_state", "mask", "layers"])
def test_a_step_port_that_declares_what_it_is_not_given_is_told(option: str) -> None:
    class Steps:
        supports: ClassVar[dict[str, Any]] = {"options": (option,)}

        def step(self, x: Any, state: Any) -> Any:
            return None, x

    with pytest.raises(ImplementationError, match="leave options out of supports, or write run"):
        Port(Steps())
