"""The script: with numpy alone, it shows what the recurrence of a case gives."""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_samples import NETWORKS, both, filled, sequences
from samples import generic

from pytest_rnnequiv import Case, Trajectory, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.network import Bidirectional, Head, Layer, Network
from pytest_rnnequiv.network_case import NetworkCase
from pytest_rnnequiv.network_mistakes import by_name as of_network
from pytest_rnnequiv.notebook import notebook_case
from pytest_rnnequiv.reproduction import READABLE, _nested, script


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


def shows(case: Case, source: str | None = None) -> bool:
    shown, names = run(source or script(case))
    for name, array in case.numbers().items():
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
    assert shows(generic(activation=activation, dtype=dtype, **growing))
    assert shows(generic(head_activation=activation, dtype=dtype, N=2, T=2))


@pytest.mark.parametrize("options", [{"h0": True}, {"mask": True}, {"h0": True, "mask": True}, {"N": 1, "T": 1}])
def test_every_part_of_a_case(options: dict[str, Any]) -> None:
    assert shows(generic(**options))
    assert shows(generic(activation="relu", **options))


def test_nan_infinity_and_minus_zero() -> None:
    x = np.array([np.nan, 1.0, 2.0, -0.0, 1e-45, 3.4028235e38], np.float32).reshape(2, 1, 3)
    assert shows(generic(N=2, T=1).replace(x=x))
    special = np.array([np.inf, -np.inf, -0.0], np.float32).reshape(1, 1, 3)
    _, names = run(script(generic(N=1, T=1).replace(x=special)))
    assert names["x"].tobytes() == special.tobytes()


def test_the_notebook() -> None:
    assert shows(notebook_case())


def test_zeros_are_written_short_and_minus_zeros_are_kept() -> None:
    case = generic(N=1, T=1)
    assert "bh = np.zeros((4,), np.float32)" in script(case.replace(bh=np.zeros(4)))
    minus = case.replace(bh=-np.zeros(4))
    assert "bh = np.array([-0.0, -0.0, -0.0, -0.0], np.float32)" in script(minus)
    assert shows(minus)


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
    assert shows(case, source)


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
MORE: dict[str, NetworkCase] = {
    "float64": filled(Network(2, (both(2), Layer(2)), Head(1), dtype="float64"), 1),
    "float16": filled(Network(2, (Layer(2),), Head(1), dtype="float16"), 1, N=1, T=2),
    "bfloat16": filled(Network(2, (Layer(2),), Head(1), dtype="bfloat16"), 1, N=1, T=2),
    "mixed": filled(Network(2, (sequences(2), Layer(2)), Head(1), dtype="mixed_float16"), 1, N=1, T=2),
    "one cell": filled(Network(2, (Layer(3, cell=True, use_bias=False),), Head(2, use_bias=False)), 2),
    "unrolled": filled(Network(2, (sequences(3, unroll=True, go_backwards=True),), T=3), 3),
    "distributed": filled(Network(2, (sequences(3, activation="relu"),), Head(2, "softmax", distributed=True)), 4),
    "frozen": filled(Network(2, (Layer(3, trainable=False),), Head(2)), 5),
    "two sizes": filled(Network(2, (Bidirectional(Layer(3), Layer(2, "relu")),), Head(2)), 6),
    "apart": filled(Network(2, (both(2, None),)), 7),
    "stateful, both": filled(Network(2, (both(2, stateful=True),), N=2), 8, calls=3, resets=(2,)),
    "cells, both, states": filled(Network(2, (both((2, 3), return_state=True),)), 9),
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


#: Keras hands on the mask of a layer that goes backwards as it was, which is a known divergence.
DIVERGES = {"masked backwards"}


@pytest.mark.parametrize("name", [*NETWORKS, *MORE])
def test_keras_gives_what_a_networks_script_expects(name: str) -> None:
    case = NETWORKS[name] if name in NETWORKS else MORE[name]
    lines = printed(script(case))
    assert lines[-1] == ("NOT as expected" if name in DIVERGES else "as expected"), "\n".join(lines)


@pytest.mark.parametrize(
    ("mistaken", "mistake"),
    [("stack", "Wh-transposed"), ("both", "backward-not-turned-back"), ("states", "initial-state-ignored")],
)
def test_other_numbers_are_not_as_expected(mistaken: str, mistake: str) -> None:
    case = NETWORKS[mistaken]
    wrong = of_network(mistake).run(case).calls[0].outputs
    right = reference(case).calls[0].outputs.astype(np.float32)
    source = script(case)
    assert _nested(right) in source
    assert printed(source.replace(_nested(right), _nested(wrong)))[-1] == "NOT as expected"


def test_a_script_says_only_what_is_not_so_by_default() -> None:
    case = filled(Network(1, (Layer(1),), Head(1)), N=1, T=1)
    case = case.replace(weights=tuple(np.ones_like(w) for w in case.weights), calls=(case.calls[0].replace(x=[[[1]]]),))
    assert (
        script(case)
        == '''"""D=1 -> SimpleRNN(1) -> Dense(1): what Keras gives, and what the recurrence gives."""

import keras
import numpy as np

layer0 = keras.layers.SimpleRNN(1)
layer0.build((None, None, 1))
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
        (Layer(2), "keras.layers.SimpleRNN(2)"),
        (Layer(2, cell=True), "keras.layers.RNN(keras.layers.SimpleRNNCell(2))"),
        (
            Layer((2, 3), "relu", use_bias=False, return_sequences=True),
            "keras.layers.RNN([keras.layers.SimpleRNNCell(2, activation='relu', use_bias=False), "
            "keras.layers.SimpleRNNCell(3, activation='relu', use_bias=False)], return_sequences=True)",
        ),
        (
            Bidirectional(Layer(2), Layer(2, dropout=0.5), "sum"),
            "keras.layers.Bidirectional(keras.layers.SimpleRNN(2), merge_mode='sum', "
            "backward_layer=keras.layers.SimpleRNN(2, dropout=0.5, go_backwards=True))",
        ),
    ],
)
def test_layers_are_written_as_users_write_them(layer: Any, source: str) -> None:
    assert f"layer0 = {source}\n" in script(filled(Network(2, (layer,)), N=1, T=1))


def test_a_large_network_is_read_from_its_file(tmp_path: Path) -> None:
    case = filled(Network(3, (both(8, return_state=True), sequences(8)), Head(2), source="mask"), T=8)
    file = tmp_path / "case's.npz"
    case.save(file)
    source = script(case, str(file))
    assert len(source) < 2500
    assert repr(str(file)) in source
    assert printed(source)[-1] == "as expected"
    small = NETWORKS["embedding"]
    assert script(small, "case.npz") == script(small)


def test_an_activation_of_ones_own_in_a_network_is_left_to_define() -> None:
    own = Activation("my cube", lambda a: a**3 / 10)
    case = filled(Network(2, (Layer(2, own),), Head(1)), N=1, T=2)
    source = script(case)
    assert "def activation_my_cube(a):  # define it: my cube" in source
    assert "activation=activation_my_cube)" in source
    assert printed(source.replace("raise NotImplementedError", "return a**3 / 10"))[-1] == "as expected"
