"""The script: with numpy alone, it shows what the recurrence of a case gives."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import generic

from pytest_rnnequiv import Case, Trajectory, judge, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.notebook import notebook_case
from pytest_rnnequiv.reproduction import READABLE, script


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
    assert shows(generic(activation=activation, dtype=dtype))
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
