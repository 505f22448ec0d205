"""One example, whole: checked when it is made, the same after it was kept and loaded."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import generic

from pytest_rnnequiv import Case, Spec, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.mistakes.catalogue import BiasAfterActivation
from pytest_rnnequiv.model.notebook import notebook_case


def same_bits(a: Case, b: Case) -> bool:
    one, two = a.numbers(), b.numbers()
    return (
        a.spec == b.spec
        and one.keys() == two.keys()
        and all(one[n].dtype == two[n].dtype and one[n].tobytes() == two[n].tobytes() for n in one)
        and all(one[n].shape == two[n].shape for n in one)
    )


# ---- making one ----


def test_the_letters_are_the_shapes() -> None:
    case = generic(N=3, T=5, D=2, M=4, K=6)
    assert (case.N, case.T, case.D, case.M, case.K) == (3, 5, 2, 4, 6)
    assert [w.shape for w in case.weights] == [(2, 4), (4, 4), (4,), (4, 6), (6,)]
    assert [w.shape for w in case.cell_weights] == [(2, 4), (4, 4), (4,)]
    assert repr(case) == "<case SimpleRNN(D=2, M=4, K=6), N=3, T=5>"
    assert repr(generic(h0=True, mask=True)).endswith("N=3, T=5, h0, mask>")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((5, 3))}, "x has shape (5, 3), expected (N, T, D) with D = 3"),
        ({"x": np.zeros((2, 5, 4))}, "x has shape (2, 5, 4), expected (N, T, D) with D = 3"),
        ({"x": np.zeros((0, 5, 3))}, "x has shape (0, 5, 3): a case needs at least one sample and one step"),
        ({"x": np.zeros((2, 0, 3))}, "x has shape (2, 0, 3): a case needs at least one sample and one step"),
        ({"x": None}, "x has shape (), expected (N, T, D) with D = 3"),
        ({"x": "text"}, "x is no array of numbers"),
        ({"x": [[1, 2], [3]]}, "x is no array of numbers"),
        ({"Wx": np.zeros((4, 3))}, "Wx has shape (4, 3), expected (3, 4) for SimpleRNN(D=3, M=4, K=2)"),
        ({"Wh": np.zeros((4, 3))}, "Wh has shape (4, 3), expected (4, 4) for"),
        ({"bh": np.zeros((1, 4))}, "bh has shape (1, 4), expected (4,) for"),
        ({"bh": None}, "bh has shape (), expected (4,) for"),
        ({"Wo": np.zeros((2, 4))}, "Wo has shape (2, 4), expected (4, 2) for"),
        ({"bo": 0.0}, "bo has shape (), expected (2,) for"),
        ({"h0": np.zeros(4)}, "h0 has shape (4,), expected (3, 4) for"),
        ({"mask": np.ones((5, 3), bool)}, "mask has shape (5, 3), expected (N, T) = (3, 5)"),
    ],
)
def test_what_does_not_fit_is_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        generic().replace(**changes)


def test_numbers_are_stored_in_the_dtype_of_the_spec() -> None:
    for dtype in ("float32", "float64"):
        case = generic(dtype=dtype, h0=True, mask=True)
        kinds = {name: str(array.dtype) for name, array in case.numbers().items()}
        assert kinds.pop("mask") == "bool"
        assert set(kinds.values()) == {dtype}


def test_what_was_given_is_copied_and_cannot_be_written_to() -> None:
    x = np.zeros((1, 2, 3), np.float32)
    case = generic(N=1, T=2).replace(x=x)
    x[:] = 7
    assert not case.x.any()
    for array in case.numbers().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1


def test_lists_and_odd_memory_orders_are_welcome() -> None:
    case = generic(N=2, T=2)
    from_lists = case.replace(**{name: array.tolist() for name, array in case.numbers().items()})
    fortran = case.replace(**{name: np.asfortranarray(array) for name, array in case.numbers().items()})
    assert same_bits(case, from_lists)
    assert same_bits(case, fortran)
    assert all(array.flags.c_contiguous for array in fortran.numbers().values())


def test_a_writable_copy_is_a_copy() -> None:
    case = generic(h0=True, mask=True)
    copy = case.writable()
    assert same_bits(case, copy)
    for name, array in copy.numbers().items():
        array[...] = 0
        assert getattr(case, name).any(), name


def test_a_prefix_has_the_first_steps() -> None:
    case = generic(T=5, h0=True, mask=True)
    whole, first = reference(case), reference(case.prefix(3))
    assert np.array_equal(first.states, whole.states[:, :3])
    assert np.array_equal(first.outputs, whole.outputs[:, :3])
    assert same_bits(case.prefix(5), case)


@pytest.mark.parametrize("head", ["linear", "relu"])
def test_under_the_identity_head_the_output_is_the_state(head: str) -> None:
    case = generic(head_activation=head).with_identity_head()
    shown = reference(case, np.float32)
    assert np.array_equal(shown.outputs, shown.states)
    assert case.K == case.M


# ---- keeping one ----


def test_a_pickled_case_is_the_same_and_still_cannot_be_written_to() -> None:
    case = generic(h0=True, mask=True, activation="elu", dtype="float64")
    copy = pickle.loads(pickle.dumps(case))
    assert same_bits(case, copy)
    assert not any(array.flags.writeable for array in copy.numbers().values())


@settings(max_examples=50)
@given(
    case=rnn.cases(
        activation=rnn.activations(),
        head_activation=rnn.activations(),
        dtype=st.sampled_from(["float32", "float64"]),
        initial_state=st.booleans(),
        masked=st.booleans(),
    )
)
def test_a_saved_case_loads_with_the_same_bits(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    file = tmp_path_factory.getbasetemp() / "case"  # a name without a suffix stays as it is
    case.save(file)
    assert same_bits(case, Case.load(file))
    with np.load(file) as plain:  # and numpy alone can read it
        assert all(plain[name].tobytes() == array.tobytes() for name, array in case.numbers().items())


def test_special_numbers_survive_the_file(tmp_path: Path) -> None:
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4028235e38], np.float32).reshape(1, 2, 3)
    case = generic(N=1, T=2).replace(x=x)
    case.save(tmp_path / "case.npz")
    assert same_bits(case, Case.load(tmp_path / "case.npz"))


def test_what_no_file_can_hold_is_not_saved(tmp_path: Path) -> None:
    own = Activation("mine", np.tanh)
    for option in ("activation", "head_activation"):
        with pytest.raises(
            ValueError, match="a case with the activation 'mine' cannot be saved: it is not one by name"
        ):
            generic(**{option: own}).save(tmp_path / "case.npz")
    case = generic()
    wrong = case.replace(spec=case.spec.replace(cell=BiasAfterActivation()))
    with pytest.raises(ValueError, match="a case with the cell .* cannot be saved"):
        wrong.save(tmp_path / "case.npz")
    assert not list(tmp_path.iterdir())


def test_loading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Case.load(tmp_path / "nothing.npz")


def saved(tmp_path: Path, **changes: Any) -> Path:
    """Save a case and change what the file holds; None takes it out."""
    file = tmp_path / "case.npz"
    generic().save(file)
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(str(arrays["spec"]))
    spec = changes.pop("header", {})
    arrays["spec"] = np.array(spec if isinstance(spec, str) else json.dumps(header | spec))
    arrays |= {name: value for name, value in changes.items() if value is not None}
    np.savez(file, **{name: value for name, value in arrays.items() if changes.get(name, 0) is not None})
    return file


def test_loading_what_is_no_archive(tmp_path: Path) -> None:
    text, array = tmp_path / "text.npz", tmp_path / "array.npy"
    text.write_text("no archive")
    np.save(array, np.zeros(3))
    for file in (text, array, tmp_path):
        with pytest.raises(ValueError, match=re.escape(f"{file} is no .npz file of a case: ")):
            Case.load(file)


def test_loading_what_lacks_something(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="case.npz is no case: it lacks Wh, bo"):
        Case.load(saved(tmp_path, Wh=None, bo=None))


def test_loading_what_a_newer_version_wrote(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="was written by a newer version of pytest-rnnequiv"):
        Case.load(saved(tmp_path, header={"format": 2}))


@pytest.mark.parametrize("header", ["no json", "[1, 2]", {"depth": 3}, {"M": None}])
def test_loading_what_has_a_header_of_something_else(tmp_path: Path, header: Any) -> None:
    with pytest.raises(ValueError, match="case.npz is no case: "):
        Case.load(saved(tmp_path, header=header))


def test_loading_what_does_not_fit_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Wh has shape \(4, 5\), expected \(4, 4\)"):
        Case.load(saved(tmp_path, Wh=np.zeros((4, 5))))


def test_arrays_beside_the_case_are_left_alone(tmp_path: Path) -> None:
    file = saved(tmp_path, outputs=np.zeros((3, 2)))
    assert same_bits(Case.load(file), generic())


def test_nothing_pickled_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "case.npz"
    np.savez(file, spec=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="is no .npz file of a case"):
        Case.load(file)


# ---- the notebook ----


def test_the_notebook_has_its_shapes_and_its_weights() -> None:
    case = notebook_case()
    assert (case.N, case.T, case.D, case.M, case.K) == (1, 10, 3, 5, 2)
    assert case.spec == Spec(D=3, M=5, K=2)
    assert case.spec.param_count == 57
    # Keras draws recurrent kernels orthogonal
    assert np.allclose(case.Wh.astype(float) @ case.Wh.T.astype(float), np.eye(5), atol=1e-6)
    assert not case.bh.any()
    assert same_bits(notebook_case(3), notebook_case(3))
    assert not same_bits(notebook_case(3), notebook_case(4))


def test_every_activation_has_a_name_that_a_file_can_hold(tmp_path: Path) -> None:
    for name in ACTIVATIONS:
        case = generic(activation=name)
        case.save(tmp_path / "case.npz")
        assert Case.load(tmp_path / "case.npz").spec.activation is ACTIVATIONS[name]
