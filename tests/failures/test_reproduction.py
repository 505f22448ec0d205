"""The script: with numpy alone, it shows what the recurrence of a case gives."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import NETWORKS, both, filled, generic, sequences

from pytest_rnnequiv import (
    RNN,
    Bidirectional,
    Case,
    Dense,
    EquivalenceError,
    SimpleRNN,
    Spec,
    Trajectory,
    judge,
    reference,
    tally,
)
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.cells import BEYOND_KERAS, CELLS, variants
from pytest_rnnequiv.cells.cell import Cell
from pytest_rnnequiv.cells.gru import GRUCell
from pytest_rnnequiv.cells.lstm import LSTMCell
from pytest_rnnequiv.cells.simple_rnn import SimpleRNNCell
from pytest_rnnequiv.divergences.keras import DIVERGENCES, Divergence, concerning, installed
from pytest_rnnequiv.failures.numpy_script import needs_numpy_only
from pytest_rnnequiv.failures.script import READABLE, rounding_room, script, shows
from pytest_rnnequiv.failures.written import nested
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.model.notebook import notebook_case
from pytest_rnnequiv.plugin.report.evidence import leave
from pytest_rnnequiv.suite import verification
from pytest_rnnequiv.suite.budget import open_budget
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.registry import PROFILES


def run(source: str, **names: Any) -> tuple[Trajectory, dict[str, Any]]:
    """Run a script; return what it printed, and its names."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), np.errstate(all="ignore"):
        exec(compile(source, "script", "exec"), names)
    states, outputs = [], []
    for number, line in enumerate(printed.getvalue().splitlines()):
        found = re.fullmatch(r"step (\d+) h = (.*) y = (.*)", line)
        assert found is not None
        assert int(found[1]) == number
        states.append(eval(found[2], {"nan": np.nan, "inf": np.inf}))
        outputs.append(eval(found[3], {"nan": np.nan, "inf": np.inf}))
    return Trajectory(
        np.stack([np.array(y, float) for y in outputs], 1), np.stack([np.array(h) for h in states], 1)
    ), names


def by_letter(case: Case) -> dict[str, Any]:
    letters = ("x", "Wx", "Wh", "bh", "Wo", "bo", "h0", "mask")
    return {name: getattr(case, name) for name in letters if getattr(case, name) is not None}


def shows_plain(case: Case, source: str | None = None) -> bool:
    shown, names = run(source or script(case))
    for name, array in by_letter(case).items():
        assert names[name].dtype == array.dtype
        assert names[name].tobytes() == array.tobytes() or np.isnan(array).any()
        assert np.array_equal(names[name], array, equal_nan=array.dtype != bool)
    truth = reference(case)
    return (
        not judge(case, shown).different
        and np.allclose(shown.states, truth.states, atol=1e-4, equal_nan=True)
        and np.allclose(shown.outputs, truth.outputs, atol=1e-4, equal_nan=True)
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_activation(activation: str, dtype: str) -> None:
    growing = {"T": 2} if activation == "exponential" else {}  # which in five steps is beyond float32
    assert shows_plain(generic(activation=activation, dtype=dtype, **growing))
    assert shows_plain(generic(head_activation=activation, dtype=dtype, N=2, T=2))


@pytest.mark.parametrize("options", [{"h0": True}, {"mask": True}, {"h0": True, "mask": True}, {"N": 1, "T": 1}])
def test_every_part_of_a_case(options: dict[str, Any]) -> None:
    assert shows_plain(generic(**options))
    assert shows_plain(generic(activation="relu", **options))


@pytest.mark.parametrize("cell", [*variants(CELLS), LSTMCell("silu"), GRUCell("tanh", reset_after=False)], ids=str)
@pytest.mark.parametrize("options", [{}, {"h0": True}, {"mask": True}, {"h0": True, "mask": True}])
def test_every_cell(cell: Cell, options: dict[str, Any]) -> None:
    case = generic(cell=cell, **options)
    assert shows_plain(case)
    assert shows_plain(generic(cell=cell, activation="relu", **options))
    if not isinstance(cell, SimpleRNNCell):
        _, names = run(script(case))
        gate = {"LSTM": "gate_f", "GRU": "gate_z"}[cell.name]
        source = script(case)
        assert source.count(f"    {gate} = ") == 1
        assert not shows_plain(case, source.replace(f"{gate} * ", f"(1 - {gate}) * "))
        assert len(names["Wx"][0]) == len(cell.gates) * case.M


def test_an_activation_of_ones_own_is_to_be_defined() -> None:
    own = Activation("cube root", np.cbrt)
    source = script(generic(cell=LSTMCell(own), activation="tanh"))
    assert source.count("def recurrent_activation(a):  # define it: cube root") == 1
    assert source.count("= recurrent_activation(a)") == 3


def test_nan_infinity_and_minus_zero() -> None:
    x = np.array([np.nan, 1.0, 2.0, -0.0, 1e-45, 3.4028235e38], np.float32).reshape(2, 1, 3)
    assert shows_plain(generic(N=2, T=1).replace(x=x))
    special = np.array([np.inf, -np.inf, -0.0], np.float32).reshape(1, 1, 3)
    _, names = run(script(generic(N=1, T=1).replace(x=special)))
    assert names["x"].tobytes() == special.tobytes()


def test_the_notebook() -> None:
    assert shows_plain(notebook_case())


def test_zeros_are_written_short_and_minus_zeros_are_kept() -> None:
    case = generic(N=1, T=1)
    assert "bh = np.zeros((4,), np.float32)" in script(case.replace(bh=np.zeros(4)))
    minus = case.replace(bh=-np.zeros(4))
    assert "bh = np.array([-0.0, -0.0, -0.0, -0.0], np.float32)" in script(minus)
    assert shows_plain(minus)


@settings(max_examples=100)
@given(
    bits=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3),
    more=st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3),
)
def test_numbers_keep_every_bit(bits: list[int], more: list[int]) -> None:
    for raw, kind, dtype in (
        (np.array(bits, np.uint32), np.float32, "float32"),
        (np.array(more, np.uint64), np.float64, "float64"),
    ):
        x = raw.view(kind).reshape(1, 1, 3)
        case = generic(N=1, T=1, dtype=dtype).replace(x=x)
        _, names = run(script(case))
        assert names["x"].dtype == kind
        assert np.array_equal(names["x"], x, equal_nan=True)
        assert np.array_equal(np.signbit(names["x"]), np.signbit(x)) or np.isnan(x).any()


@settings(max_examples=40)
@given(
    case=rnn.cases(
        T=st.integers(1, 4),
        D=rnn.sizes(max_value=4),
        M=rnn.sizes(max_value=4),
        K=rnn.sizes(max_value=3),
        activation=rnn.activations(),
        head_activation=rnn.activations(),
        initial_state=st.booleans(),
        masked=st.booleans(),
    )
)
def test_what_a_script_shows_is_never_different(case: Case) -> None:
    shown, _ = run(script(case))
    assert not judge(case, shown).different


def test_a_large_case_is_read_from_its_file(tmp_path: Path) -> None:
    case = generic(M=20, T=8, h0=True, mask=True)
    file = tmp_path / "case's.npz"
    case.save(file)
    source = script(case, str(file))
    assert len(source) < 700
    assert repr(str(file)) in source
    assert shows_plain(case, source)


def test_a_small_case_is_written_out_even_where_there_is_a_file() -> None:
    case = generic(N=1, T=1)
    assert sum(a.size for a in case.numbers().values()) < READABLE
    assert script(case, "case.npz") == script(case)


@pytest.mark.parametrize("options", [{}, {"mask": True}])
def test_an_activation_of_the_users_own_is_left_to_define(options: dict[str, Any]) -> None:
    def cube(a: Any) -> Any:
        return a**3 / 10

    case = generic(
        N=1, T=2, activation=Activation("my cube", cube), head_activation=Activation("other", np.abs), **options
    )
    source = script(case)
    assert "# define it: my cube" in source
    assert "# define it: other" in source
    compile(source, "script", "exec")
    shown, _ = run(
        source.replace("raise NotImplementedError", "return a**3 / 10", 1).replace(
            "raise NotImplementedError", "return abs(a)", 1
        )
    )
    assert np.allclose(shown.states, reference(case).states, atol=1e-5)
    assert np.allclose(shown.outputs, reference(case).outputs, atol=1e-5)


def test_the_last_line_says_how_to_call_the_port() -> None:
    last = script(generic()).splitlines()[-1]
    assert last == "# and the port on the same numbers: print(forward(x, Wx, Wh, bh, Wo, bo))"


# ---- networks ----

#: More networks, of which a script has to write some option.
MORE: dict[str, Case] = {
    "float64": filled(Spec(2, (both(2), SimpleRNN(2)), Dense(1), dtype="float64"), 1),
    "float16": filled(Spec(2, (SimpleRNN(2),), Dense(1), dtype="float16"), 1, N=1, T=2),
    "bfloat16": filled(Spec(2, (SimpleRNN(2),), Dense(1), dtype="bfloat16"), 1, N=1, T=2),
    "mixed": filled(Spec(2, (sequences(2), SimpleRNN(2)), Dense(1), dtype="mixed_float16"), 1, N=1, T=2),
    "one cell": filled(Spec(2, (RNN(3, use_bias=False),), Dense(2, use_bias=False)), 2),
    "unrolled": filled(Spec(2, (sequences(3, unroll=True, go_backwards=True),), T=3), 3),
    "distributed": filled(Spec(2, (sequences(3, activation="relu"),), Dense(2, "softmax", distributed=True)), 4),
    "frozen": filled(Spec(2, (SimpleRNN(3, trainable=False),), Dense(2)), 5),
    "two sizes": filled(Spec(2, (Bidirectional(SimpleRNN(3), SimpleRNN(2, "relu")),), Dense(2)), 6),
    "apart": filled(Spec(2, (both(2, None),)), 7),
    "stateful, both": filled(Spec(2, (both(2, stateful=True),), N=2), 8, calls=3, resets=(2,)),
    "cells, both, states": filled(Spec(2, (both((2, 3), return_state=True),)), 9),
}


def printed(source: str) -> list[str]:
    """Run a script in Keras, and give back what it prints."""
    pytest.importorskip("tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(source, "script", "exec"), {})
    finally:
        keras.config.set_dtype_policy("float32")
    return printed.getvalue().splitlines()


#: Models that Keras has.
OF_KERAS = {name: case for name, case in (NETWORKS | MORE).items() if not case.spec.options & {*BEYOND_KERAS}}

#: Keras hands on the mask of a layer that goes backwards as it was, which is a known divergence.
DIVERGES = {"masked backwards"}


def skip_in_older(case: Case, way: str) -> None:
    """Skip a case of which an older Keras makes something else, which a newer one has mended."""
    if names := [each.name for each in concerning(case, way) if each.until]:
        pytest.skip(f"Keras {installed()} has {', '.join(names)}")


@pytest.mark.parametrize("name", [name for name, case in OF_KERAS.items() if not needs_numpy_only(case)])
def test_keras_gives_what_a_networks_script_expects(name: str) -> None:
    case = OF_KERAS[name]
    skip_in_older(case, "keras-call")
    lines = printed(script(case))
    assert lines[-1] == ("NOT as expected" if name in DIVERGES else "as expected"), "\n".join(lines)


@pytest.mark.parametrize(
    ("mistaken", "mistake"),
    [("stack", "Wh-transposed"), ("both", "backward-not-turned-back"), ("states", "initial-state-ignored")],
)
def test_other_numbers_are_not_as_expected(mistaken: str, mistake: str) -> None:
    case = NETWORKS[mistaken]
    wrong = by_name(mistake).run(case).outputs
    right = reference(case).outputs.astype(np.float32)
    source = script(case)
    assert nested(right) in source
    assert printed(source.replace(nested(right), nested(wrong)))[-1] == "NOT as expected"


def test_a_script_says_only_what_is_not_so_by_default() -> None:
    case = filled(Spec(1, (SimpleRNN(1),), Dense(1), T=1), N=1)
    case = case.replace(weights=tuple(np.ones_like(w) for w in case.weights), calls=(case.calls[0].replace(x=[[[1]]]),))
    assert (
        script(case)
        == '''"""D=1 -> SimpleRNN(1) -> Dense(1) [T=1]: what Keras gives, and what the recurrence gives."""

import keras
import numpy as np

layer0 = keras.layers.SimpleRNN(1)
layer0.build((None, 1, 1))
layer0.set_weights([
    np.array([[1.0]], np.float32),  # Wx
    np.array([[1.0]], np.float32),  # Wh
    np.array([1.0], np.float32),  # bh
])
head = keras.layers.Dense(1)
head.build((None, 1))
head.set_weights([
    np.array([[1.0]], np.float32),  # Wo
    np.array([1.0], np.float32),  # bo
])

x = np.array([[[1.0]]], np.float32)
y = layer0(x)
y = head(y)

compared = [
    ('output', y, [[1.9640275]]),
]
right = True
for name, got, expected in compared:
    got = keras.ops.convert_to_numpy(got)
    expected = np.array(expected, got.dtype)
    print(name, "got", got, "expected", expected, sep="\\n")
    # rounding may be as large as the tolerance here
    near = got.shape == expected.shape and np.allclose(1.0 * got, 1.0 * expected, 0, 4e-06, equal_nan=True)
    right = right and near
print("as expected" if right else "NOT as expected")
'''
    )


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        (SimpleRNN(2), "keras.layers.SimpleRNN(2)"),
        (RNN(2), "keras.layers.RNN(keras.layers.SimpleRNNCell(2))"),
        (
            RNN((2, 3), "relu", use_bias=False, return_sequences=True),
            "keras.layers.RNN([keras.layers.SimpleRNNCell(2, activation='relu', use_bias=False), "
            "keras.layers.SimpleRNNCell(3, activation='relu', use_bias=False)], return_sequences=True)",
        ),
        (
            Bidirectional(SimpleRNN(2), SimpleRNN(2, dropout=0.5), "sum"),
            "keras.layers.Bidirectional(keras.layers.SimpleRNN(2), merge_mode='sum', "
            "backward_layer=keras.layers.SimpleRNN(2, dropout=0.5, go_backwards=True))",
        ),
    ],
)
def test_layers_are_written_as_users_write_them(layer: Any, source: str) -> None:
    assert f"layer0 = {source}\n" in script(filled(Spec(2, (layer,)), N=1, T=1))


def test_a_large_network_is_read_from_its_file(tmp_path: Path) -> None:
    case = filled(Spec(3, (both(8, return_state=True), sequences(8)), Dense(2), source="mask"), T=8)
    file = tmp_path / "case's.npz"
    case.save(file)
    source = script(case, str(file))
    assert len(source) < 2500
    assert repr(str(file)) in source
    small = NETWORKS["embedding"]
    assert script(small, "case.npz").startswith(script(small))
    skip_in_older(case, "keras-call")
    assert printed(source)[-1] == "as expected"


def test_an_activation_of_ones_own_in_a_network_is_left_to_define() -> None:
    own = Activation("my cube", lambda a: a**3 / 10)
    case = filled(Spec(2, (SimpleRNN(2, own),)), N=1, T=2)
    source = script(case)
    assert "def activation_my_cube(a):  # define it: my cube" in source
    assert "activation=activation_my_cube)" in source
    assert printed(source.replace("raise NotImplementedError", "return a**3 / 10"))[-1] == "as expected"


# ---- in the way in which it failed ----

WAYS_OF_KERAS = ("keras-call", "keras-predict", "keras-graph")


def ran(source: str) -> str:
    """Run a script, and return the last line that it prints; or what it raises."""
    try:
        return printed(source)[-1]
    except Exception as error:
        return f"raises {type(error).__name__}"


def cases_of_divergences() -> list[Any]:
    """Every known divergence that the installed Keras has a case for, in the cheapest of its ways."""
    keras = installed()
    found = []
    for each in DIVERGENCES:
        ways = [way for way in WAYS_OF_KERAS if way in each.runtimes and each.exists(way, keras)]
        if each.smallest is not None and ways:
            found.append(pytest.param(each, ways[0], id=f"{each}-{ways[0]}"))
    return found


@pytest.mark.parametrize(("divergence", "way"), cases_of_divergences())
def test_the_script_shows_a_known_divergence(divergence: Divergence, way: str) -> None:
    assert divergence.smallest is not None
    outcome = ran(script(divergence.smallest(), called_as=way))
    assert outcome == "NOT as expected" if divergence.silent else outcome.startswith("raises ")


@pytest.mark.parametrize("way", WAYS_OF_KERAS)
@pytest.mark.parametrize("name", ["backward-mask-order", "sparsemax", "single-cell-mask"])
def test_it_shows_it_in_every_way(name: str, way: str) -> None:
    divergence = next(each for each in DIVERGENCES if each.name == name)
    if not divergence.exists(way, installed()):
        pytest.skip("the installed Keras has it right")
    assert divergence.smallest is not None
    assert ran(script(divergence.smallest(), called_as=way)) != "as expected"


def test_what_predict_alone_has_wrong() -> None:
    """The layers, called one by one, are right; so is the model that is called or compiled."""
    divergence = next(each for each in DIVERGENCES if each.name == "predict-rounds-inputs")
    assert divergence.smallest is not None
    case = divergence.smallest()
    assert ran(script(case)) == "as expected"
    told = {way: ran(script(case, called_as=way)) for way in WAYS_OF_KERAS}
    assert told == {"keras-call": "as expected", "keras-predict": "NOT as expected", "keras-graph": "as expected"}


@pytest.mark.parametrize("name", OF_KERAS)
def test_a_model_gives_what_its_script_expects(name: str) -> None:
    case = OF_KERAS[name]
    known = bool(concerning(case.spec, "keras-call"))
    skip_in_older(case, "keras-call")
    assert (ran(script(case, called_as="keras-call")) == "as expected") != known


@pytest.mark.parametrize("way", ["keras-predict", "keras-graph"])
@pytest.mark.parametrize("name", ["stack", "states", "embedding with mask", "stateful, reset", "both, apart"])
def test_the_other_ways_give_it_too(name: str, way: str) -> None:
    skip_in_older(NETWORKS[name], way)
    assert ran(script(NETWORKS[name], called_as=way)) == "as expected"


@pytest.mark.parametrize("way", WAYS_OF_KERAS)
@pytest.mark.parametrize("options", [{}, {"h0": True, "mask": True}, {"activation": "relu", "N": 1, "T": 1}])
def test_a_plain_case_is_run_on_the_model_that_shows_its_states(options: dict[str, Any], way: str) -> None:
    source = script(generic(**options), called_as=way)
    assert ran(source) == "as expected"
    assert {"keras-call": "model(", "keras-predict": "model.predict(", "keras-graph": "tf.function("}[way] in source
    assert "'layer0, output'" in source


def test_a_large_case_of_keras_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "case's.npz"
    for case in (generic(M=20, T=8, h0=True, mask=True), NETWORKS["states of two"]):
        case.save(file)
        source = script(case, str(file), called_as="keras-call")
        assert ran(source) == "as expected"
        assert (repr(str(file)) in source) == (sum(a.size for a in case.numbers().values()) > READABLE)
    large = filled(Spec(3, (sequences(8, stateful=True), both(8)), Dense(2), N=2), T=8, calls=2, resets=(1,))
    large.save(file)
    source = script(large, str(file), called_as="keras-call")
    assert repr(str(file)) in source
    assert ran(source) == "as expected"


def test_rounding_has_as_much_room_as_it_may_grow_to() -> None:
    case = generic()
    assert 0 < rounding_room(case) < 1e-4
    assert rounding_room(case) < rounding_room(case.replace(Wh=9 * case.Wh))
    assert rounding_room(generic(activation="linear", radius=50.0, T=60)) > 1


def test_what_is_wrong_by_less_than_the_script_can_see_says_so() -> None:
    case = generic(activation="relu", T=40, radius=4.0)
    right = reference(case)
    assert not shows(case, right)
    assert not shows(case, Trajectory(right.outputs, right.states))
    assert shows(case, Trajectory(right.outputs, right.states * 3))
    assert shows(case, Trajectory(right.outputs * 3, right.states))
    assert shows(case, None)
    error = EquivalenceError(case, judge(case, right), trajectory=right)
    error.called_as = "keras-call"
    assert error.note.startswith("This script prints numbers as expected: what failed is a single step")
    assert error.script().splitlines()[0].startswith("# This script prints numbers as expected")
    error.called_as = ""
    assert error.note == ""


PORT = """
import numpy as np
from pytest_rnnequiv import reference

def right(case):
    return reference(case, case.spec.dtype).outputs[:, -1]

def transposed(case):
    return right(case.replace(Wh=case.Wh.T))

class Ports:
    def run(self, case):
        raise RuntimeError("no answer")
"""


def ran_apart(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    file = folder / "script.py"
    file.write_text(source, encoding="utf-8")
    return subprocess.run([sys.executable, str(file)], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "options",
    [{}, {"h0": True, "mask": True, "activation": "relu"}, {"dtype": "float64", "head_activation": "softmax"}],
)
def test_a_port_is_called_by_its_import(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any folder: the script knows where the module was found."""
    (tmp_path / "my_ports_22.py").write_text(PORT, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    case = generic(N=2, T=2, **options)
    for port, last in (("right", "as expected"), ("transposed", "NOT as expected ")):
        done = ran_apart(script(case, called_as=f"my_ports_22:{port}"), tmp_path / port)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[-1] == last
        assert "the port gives" in lines
        assert any(" is " in line and " and not " in line for line in lines) == (port == "transposed")
    done = ran_apart(script(case, called_as="my_ports_22:Ports"), tmp_path / "raises")
    assert "PortFailure: the port raised RuntimeError: no answer" in done.stderr


def test_a_port_of_networks_is_called_by_its_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_networks_22.py").write_text(
        "import numpy as np\nfrom pytest_rnnequiv import reference\n"
        "def run(case):\n    return reference(case).outputs.astype(np.float32) + np.float32(1)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    case = NETWORKS["stack"]
    case.save(tmp_path / "case.npz")
    source = script(case, str(tmp_path / "case.npz"), called_as="my_networks_22:run")
    lines = printed(source)
    assert "as expected" in lines
    assert lines[-1] == "NOT as expected "
    assert script(case, called_as="my_networks_22:run") == script(case)  # nothing makes the case again
    assert script(case, "case.npz").splitlines()[-1] == (
        "# and the port on the same numbers: print(run(Case.load('case.npz')))"
    )


def test_a_port_with_an_activation_of_ones_own_is_left_to_call() -> None:
    case = generic(N=1, T=1, activation=Activation("my cube", lambda a: a**3 / 10))
    assert script(case, called_as="my_ports_22:right").splitlines()[-1].startswith("# and the port on the same numbers")


def test_a_module_that_is_installed_needs_no_folder() -> None:
    assert "sys.path" not in script(generic(), called_as="pytest_no_such_module:run")
    assert "sys.path" not in script(generic(), called_as="numpy:run")


def test_a_note_comes_first() -> None:
    source = script(generic(), note="It may print the expected numbers. " * 5)
    assert source.startswith("# It may print the expected numbers. It may")
    assert all(len(line) < 110 for line in source.splitlines()[:3])
    assert shows_plain(generic(), source)


# ---- what a failure leaves ----


def failed(port: Port, case: Any) -> EquivalenceError:
    """Have a case verified, as a check does it."""
    tally.take()
    open_budget()
    with pytest.raises(EquivalenceError) as caught:
        verification.verify(port, [case])
    tally.take()
    return caught.value


@pytest.mark.parametrize("way", WAYS_OF_KERAS)
def test_a_failure_of_keras_leaves_what_failed(way: str, tmp_path: Path) -> None:
    divergence = next(each for each in DIVERGENCES if each.name == "sparsemax")
    if not divergence.exists(way, installed()):
        pytest.skip("the installed Keras has it right")
    assert divergence.smallest is not None
    error = failed(resolve(way), divergence.smallest())
    assert error.called_as == way
    files = leave(error, tmp_path, "a test")
    source = next(file for file in files if file.suffix == ".py").read_text(encoding="utf-8")
    assert {"keras-call": "model(x)", "keras-predict": "model.predict(x,", "keras-graph": "run(x)"}[way] in source
    assert ran(source) == "NOT as expected"
    assert "to see it with Keras and numpy alone" in str(error)
    assert error.note == ""


def test_a_name_makes_no_way() -> None:
    class Port_:
        name = "keras-predict"

        def run(self, case: Case) -> Any:
            return reference(case, np.float32).outputs[:, -1] + np.float32(1)

    error = failed(Port(Port_()), generic())
    assert error.called_as == ""
    assert "keras" not in error.script()


def test_a_failure_of_a_module_leaves_its_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_failing_22.py").write_text(PORT, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    port = resolve("my_failing_22:transposed")
    try:
        error = failed(port, generic(N=2, T=2))
        assert "my_failing_22.transposed" in error.script()
        assert "my_failing_22" not in "".join(str(error).split("to see it")[1:])  # numpy alone
        done = ran_apart(error.script(), tmp_path / "elsewhere")
        assert done.stdout.splitlines()[-1] == "NOT as expected "
    finally:
        port.close()


def test_a_broken_law_leaves_both_runs() -> None:
    def leaks(case: Case) -> Any:
        return reference(case, np.float32).outputs[:, -1] + np.float32(case.x.sum())

    item = CHECKS["test_law_samples_are_independent"].item(PROFILES["quick"], database=None)
    with pytest.raises(EquivalenceError) as caught:
        item(port=Port(leaks))
    error = caught.value
    source = error.script()
    first, second = source.split("# ---- the other run: ")
    assert second.startswith(error.other.changed)  # type: ignore[attr-defined]
    assert first.startswith(script(error.case))
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "script", "exec"), names)
    assert np.array_equal(names["x"], error.other.case.x)  # type: ignore[attr-defined]
