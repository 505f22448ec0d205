"""What an implementation shows, brought into one form, or a sentence about why that cannot be done."""

from __future__ import annotations

import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from samples import filled, generic

from pytest_rnnequiv import Bidirectional, Case, SimpleRNN, Spec, Trajectory, judge
from pytest_rnnequiv.judging.inspection import inspection
from pytest_rnnequiv.model.trajectory import BadAnswer, ShownLayer

N, T, M, K = 2, 5, 4, 3


def case(n: int = N) -> Case:
    return filled(Spec.simple(2, M, K), N=n, T=T)


def checked(answer: Any, n: int = N) -> Trajectory:
    """Bring an answer to a case of `n` samples into one form."""
    (shown,) = inspection(case(n), answer).check()
    return shown


class Tensor:
    """What frameworks return: no array, but it can become one."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.array, dtype)


class Unwilling:
    """A tensor that cannot become an array, such as one on another device."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("it is on the GPU")


async def waiting() -> None: ...


async def generating() -> Any:
    yield 1.0


def outputs(*shape: int, dtype: Any = np.float32) -> Any:
    return np.ones(shape, dtype)


@pytest.mark.parametrize(
    "answer",
    [
        outputs(N, K),
        outputs(N, T, K),
        outputs(N, K, dtype=np.float64),
        outputs(N, K, dtype=np.float16),
        outputs(N, K, dtype=ml_dtypes.bfloat16),
        outputs(N, K, dtype=np.longdouble),
        outputs(N, K).astype(">f4"),
        outputs(N, K).tolist(),
        outputs(K, N).T,
        outputs(2 * N, K)[::2],
        Tensor(outputs(N, K)),
        [Tensor(outputs(K)) for _ in range(N)],
    ],
    ids=lambda answer: f"{type(answer).__name__}-{getattr(answer, 'dtype', '')}",
)
def test_arrays_of_floats_are_welcome_in_every_form(answer: Any) -> None:
    shown = checked(answer)
    assert shown.outputs.dtype == np.float64
    assert (shown.outputs == 1).all()
    assert shown.states is None


def test_a_trajectory_stays_itself_and_keeps_its_states() -> None:
    shown = Trajectory(outputs(N, K), outputs(N, T, M))
    assert Trajectory.of(shown) is shown
    assert checked(shown).states.shape == (N, T, M)


def test_none_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match=re.escape("the implementation returned None") + ".*is a `return` missing"):
        Trajectory.of(None)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.ones((N, K), int), "the outputs have dtype int64, expected floats (float16, float32 or float64)"),
        (np.ones((N, K), bool), "the outputs have dtype bool, expected floats"),
        (np.ones((N, K), complex), "the outputs have dtype complex128, expected floats"),
        ("text", "the outputs are text (dtype <U4), expected an array of floats"),
        ([["1.5", "2.5"]], "the outputs are text (dtype <U3), expected an array of floats"),
        (b"bytes", "the outputs are text (dtype |S5), expected an array of floats"),
        (object(), "the outputs are an object, expected an array of floats"),
        ((x for x in [1.0]), "the outputs are a generator, expected an array of floats (it has to be run to its end"),
        (map(float, [1.0]), "the outputs are a map, expected an array of floats (it has to be run to its end"),
        (waiting(), "the outputs are a coroutine, expected an array of floats (an `async def` has to be run"),
        (generating(), "the outputs are an async_generator, expected an array of floats (an `async def`"),
        (len, "the outputs are a builtin_function_or_method, expected an array of floats (call it, and return"),
        (np.array([[1.0, None]], object), "the outputs are an array of Python objects, expected an array of floats"),
        (
            [[1.0, None]],
            "the outputs are a list of Python objects, expected an array of floats (rows of unequal length?)",
        ),
        ({"y": 1.0}, "the outputs are a dict, expected an array of floats (return the array that is in it)"),
        ([[1.0], [1.0, 2.0]], "the outputs cannot be made an array (ValueError: "),
        (Unwilling(), "the outputs cannot be made an array (RuntimeError: it is on the GPU)"),
        (outputs(0, K), f"the outputs are empty (shape (0, {K}))"),
        ([], "the outputs are empty (shape (0,))"),
        (
            1.0,
            "the outputs have shape (), expected (N, K) = (2, 3) (the last step) or (N, T, K) = (2, 5, 3) (every step)",
        ),
        (outputs(N, K + 1), "the outputs have shape (2, 4), expected"),
        (outputs(T, N, K), "(every step); N and T are swapped (time-major?)"),
        (outputs(N, K, T), "; the last two axes are swapped"),
        (outputs(K, N), "; it is transposed"),
        (outputs(N, K, 1), "; there is an axis of length 1 too many"),
        (outputs(N, 1, T, K), "; there is an axis of length 1 too many"),
        (outputs(N, T, K, 2), "; there is an axis too many"),
        (outputs(N, T - 1, K), "; there is a step missing"),
        (outputs(N, T + 1, K), "; there is a step too many (the initial state?)"),
    ],
)
def test_what_is_no_answer_gets_its_sentence(answer: Any, message: str) -> None:
    with pytest.raises(BadAnswer, match=re.escape(message)):
        checked(answer)


@pytest.mark.parametrize("shape", [(K,), (T, K)])
def test_one_sample_without_its_axis(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadAnswer, match="; the sample axis is missing"):
        checked(outputs(*shape), 1)


def test_rows_of_steps_are_no_rows_of_samples() -> None:
    with pytest.raises(BadAnswer, match=r"\(every step\)$"):
        checked(outputs(K))
    with pytest.raises(BadAnswer, match=r"; there is a row for each step, and not for each sample \(time-major"):
        checked(outputs(T, K))


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (outputs(N, M), "the states have shape (2, 4), expected (N, T, M) = (2, 5, 4)"),
        (
            outputs(N, T + 1, M),
            "the states have shape (2, 6, 4), expected (N, T, M) = (2, 5, 4); there is a step too many",
        ),
        (outputs(T, N, M), "; N and T are swapped (time-major?)"),
        (outputs(N, T, M, 1), "; there is an axis of length 1 too many"),
        (outputs(N, T, M, dtype=int), "the states have dtype int64, expected floats"),
        ([], "the states are empty"),
    ],
)
def test_states_are_checked_as_well(states: Any, message: str) -> None:
    with pytest.raises(BadAnswer, match=re.escape(message)):
        checked(Trajectory(outputs(N, K), states))


def test_a_trajectory_without_outputs_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="the outputs are an object, expected an array of floats|the outputs are None"):
        checked(Trajectory(None, outputs(N, T, M)))


# ---- layers, calls, and pairs of outputs ----


def test_of_several_calls_each_has_its_own() -> None:
    one, other = Trajectory(outputs(N, K)), Trajectory(outputs(N, K), outputs(N, T, M))
    assert Trajectory.of_calls([one]) is one
    assert one.each_call == (one,)
    whole = Trajectory.of_calls([one, other])
    assert whole.each_call == (one, other)
    assert [name for name, _ in whole.numbers()] == ["call 0: output 0", "call 1: layer0: states", "call 1: output 0"]
    two = filled(case().spec, N=N, T=T, calls=2)
    assert [each.states is None for each in inspection(two, whole).check()] == [True, False]
    assert str(judge(two, one)) == "different: 1 calls were shown, expected 2"
    assert "call 1: the states have shape (2, 4)" in str(
        judge(two, Trajectory.of_calls([one, Trajectory(one.outputs, outputs(N, M))]))
    )


def test_states_are_those_of_the_only_layer() -> None:
    states = outputs(N, T, M)
    (layer,) = Trajectory(outputs(N, K), states).shown_layers
    assert layer.states is states
    assert layer.output is layer.final_states is None
    assert not Trajectory(outputs(N, K)).shown_layers
    seen = (ShownLayer(final_states=(outputs(N, M),)),)
    assert Trajectory(outputs(N, K), layers=seen).shown_layers is seen


def test_all_numbers_of_a_trajectory_have_names() -> None:
    layers = (
        ShownLayer((outputs(2), outputs(3)), final_states=(outputs(4),)),
        None,
        ShownLayer(outputs(5), outputs(6)),
    )
    shown = Trajectory(outputs(7), layers=layers)
    assert {name: a.size for name, a in shown.numbers()} == {
        "call 0: layer0: output 0": 2,
        "call 0: layer0: output 1": 3,
        "call 0: layer0: final state 0": 4,
        "call 0: layer2: output 0": 5,
        "call 0: layer2: states": 6,
        "call 0: output 0": 7,
    }
    assert shown.replace(outputs=None).outputs is None
    assert shown.outputs is not None


def test_a_pair_is_an_answer_only_where_there_are_two_outputs() -> None:
    pair = outputs(N, M), outputs(N, M)
    with pytest.raises(BadAnswer, match=re.escape("return Trajectory(outputs=y, states=h)")):
        Trajectory.of(pair)
    assert Trajectory.of(pair, two_outputs=True).outputs is pair
    apart = filled(Spec(2, Bidirectional(SimpleRNN(M), merge_mode=None)), N=N, T=T)
    assert "merge_mode=None: a pair of outputs was expected" in str(judge(apart, outputs(N, 2 * M)))
    assert "pair" not in str(judge(apart, pair))
    assert "the implementation returned a pair" in str(judge(generic(), pair))


@pytest.mark.parametrize("answer", [Unwilling(), [[1.0], [1.0, 2.0]], "text", object(), outputs(0, K + 1)])
def test_an_answer_to_no_samples_is_checked_as_well(answer: Any) -> None:
    none = filled(case().spec, N=0, T=T)
    assert judge(none, outputs(0, K)).equivalent
    assert judge(none, outputs(0, T, K)).equivalent
    assert judge(none, answer).different
