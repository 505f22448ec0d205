"""One example, whole: checked when it is made, the same after it was kept and loaded."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import NETWORKS, filled, generic, sequences

from pytest_rnnequiv import RNN, Bidirectional, Call, Case, Dense, SimpleRNN, Spec, reference
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.mistakes.steps import BiasAfterActivation
from pytest_rnnequiv.model.notebook import notebook_case
from pytest_rnnequiv.model.spec import Place

SPECS = [
    Spec(3, SimpleRNN(4), Dense(2)),
    Spec(3, (Bidirectional(SimpleRNN(4, return_sequences=True), merge_mode="mul"), RNN((3, 2))), source="masking"),
    Spec(3, SimpleRNN(4, initial_state=True), source="mask"),
    Spec(3, SimpleRNN(4, stateful=True), source="embedding with mask", N=2),
    Spec(3, SimpleRNN(4, "relu"), dtype="float16"),
    Spec(3, SimpleRNN(4), dtype="mixed_bfloat16"),
]
STACK = Spec(3, (sequences(4), SimpleRNN(2)), Dense(2))


def same_bits(a: Case, b: Case) -> bool:
    one, two = a.numbers(), b.numbers()
    return (
        a.spec == b.spec
        and one.keys() == two.keys()
        and all(one[n].dtype == two[n].dtype and one[n].tobytes() == two[n].tobytes() for n in one)
        and all(one[n].shape == two[n].shape for n in one)
        and [call.reset for call in a.calls] == [call.reset for call in b.calls]
        and a.fingerprint() == b.fingerprint()
    )


# ---- making one ----


def test_the_letters_are_the_shapes() -> None:
    case = generic(N=3, T=5, D=2, M=4, K=6)
    assert (case.N, case.T, case.D, case.M, case.K) == (3, 5, 2, 4, 6)
    assert [w.shape for w in case.weights] == [(2, 4), (4, 4), (4,), (4, 6), (6,)]
    assert [w.shape for w in (case.Wx, case.Wh, case.bh, case.Wo, case.bo)] == [w.shape for w in case.weights]
    assert case.h0 is case.mask is None
    assert repr(case) == "<case SimpleRNN(D=2, M=4, K=6), N=3, T=5>"
    assert repr(generic(h0=True, mask=True)).endswith("N=3, T=5, h0, mask>")


def test_letters_weights_and_calls_make_the_same_case() -> None:
    case = generic(h0=True, mask=True)
    letters = {name: getattr(case, name) for name in ("Wx", "Wh", "bh", "Wo", "bo", "h0", "mask")}
    plain = Spec.simple(3, 4, 2)
    assert same_bits(case, Case(plain, case.x, **letters))
    assert same_bits(case, Case(plain, case.x, weights=case.weights, h0=case.h0, mask=case.mask))
    assert same_bits(case, Case(case.spec, weights=case.weights, calls=[Call(case.x, case.mask, (case.h0,))]))
    assert case.spec == Spec(3, SimpleRNN(4, initial_state=True), Dense(2), source="mask")


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({}, "a case needs inputs: x, or calls"),
        ({"x": np.zeros((1, 2, 3))}, "a case of SimpleRNN(D=3, M=4, K=2) needs Wx, Wh, bh, Wo, bo"),
        ({"x": np.zeros((1, 2, 3)), "weights": (), "Wh": 1, "bo": 2}, "weights already says what Wh, bo are"),
        ({"x": np.zeros((1, 2, 3)), "calls": ()}, "calls already say what x, h0 and mask are"),
    ],
)
def test_what_is_missing_or_said_twice_is_an_error(given_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TypeError, match=re.escape(sentence)):
        Case(Spec.simple(3, 4, 2), **given_)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((5, 3))}, "x has shape (5, 3), expected (N, T, D) with D = 3"),
        ({"x": np.zeros((2, 5, 4))}, "x has shape (2, 5, 4), expected (N, T, D) with D = 3"),
        ({"x": np.zeros((2, 0, 3))}, "x has shape (2, 0, 3): a call needs at least one step"),
        ({"x": None}, "x has shape (), expected (N, T, D) with D = 3"),
        ({"x": "text"}, "x is no array of numbers"),
        ({"x": [[1, 2], [3]]}, "x is no array of numbers"),
        ({"Wx": np.zeros((4, 3))}, "Wx has shape (4, 3), expected (3, 4) for SimpleRNN(D=3, M=4, K=2)"),
        ({"Wh": np.zeros((4, 3))}, "Wh has shape (4, 3), expected (4, 4) for"),
        ({"bh": np.zeros((1, 4))}, "bh has shape (1, 4), expected (4,) for"),
        ({"Wo": np.zeros((2, 4))}, "Wo has shape (2, 4), expected (4, 2) for"),
        ({"bo": 0.0}, "bo has shape (), expected (2,) for"),
        ({"h0": np.zeros(4)}, "initial states have shapes [(4,)], expected [(3, 4)] for"),
        ({"mask": np.ones((5, 3), bool)}, "mask has shape (5, 3), expected (N, T) = (3, 5)"),
        ({"spec": Spec.simple(3, 4, 2).replace(T=4)}, "x has shape (3, 5, 3), but the spec is made for T = 4"),
        ({"weights": ()}, "SimpleRNN(D=3, M=4, K=2) has 5 weights (Wx, Wh, bh, Wo, bo), not 0"),
        ({"calls": ()}, "a case needs at least one call"),
    ],
)
def test_what_does_not_fit_is_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        generic().replace(**changes)


def test_a_weight_that_is_none_is_missing() -> None:
    with pytest.raises(TypeError, match=re.escape("a case of SimpleRNN(D=3, M=4, K=2) needs bh")):
        generic().replace(bh=None)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda c: c.replace(weights=c.weights[1:]), "has 8 weights (layer0/Wx, layer0/Wh, layer0/bh, layer1/Wx"),
        (lambda c: c.with_weights(**{"layer0/Wh": np.eye(2)}), "layer0/Wh has shape (2, 2), expected (4, 4)"),
        (lambda c: c.replace(calls=()), "at least one call"),
        (
            lambda c: c.replace(calls=(Call(np.zeros((1, 2, 2))),)),
            "x has shape (1, 2, 2), expected (N, T, D) with D = 3",
        ),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 0, 3))),)), "needs at least one step"),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 2, 3)), mask=[[1, 1]]),)), "if, and only if"),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 2, 3)), states=([[0.0] * 4],)),)), "initial states have shapes"),
        (lambda c: c.replace(spec=STACK.replace(N=5)), "is made for N = 5"),
        (lambda c: c.replace(spec=STACK.replace(source="mask")), "if, and only if"),
    ],
)
def test_what_does_not_fit_a_larger_spec_is_an_error(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make(filled(STACK))


def test_a_mask_of_another_shape_is_an_error() -> None:
    case = filled(STACK.replace(source="mask"))
    with pytest.raises(ValueError, match=re.escape("mask has shape (1, 3), expected (N, T) = (1, 2)")):
        case.replace(calls=(Call(np.zeros((1, 2, 3)), mask=[[1, 1, 1]]),))


def test_ids_outside_of_the_vocabulary_are_an_error() -> None:
    case = filled(Spec(2, SimpleRNN(1), source="embedding"))
    with pytest.raises(ValueError, match="outside of the vocabulary, 0 to 4"):
        case.replace(calls=(Call([[5]]),))


def test_no_samples_are_a_case() -> None:
    for case in (filled(STACK, N=0), generic(N=0, h0=True, mask=True)):
        assert case.calls[0].N == 0
        assert reference(case).outputs.shape[0] == 0


@pytest.mark.parametrize(
    ("dtype", "kept"), [("float64", 1 + 2**-40), ("float32", 1 + 2**-20), ("float16", 1 + 2**-9), ("bfloat16", 1.0)]
)
def test_numbers_are_those_of_the_dtype(dtype: str, kept: float) -> None:
    spec = Spec(1, SimpleRNN(1, use_bias=False), dtype=dtype)
    case = Case(spec, weights=([[1 + 2**-9 + 0]], [[kept]]), calls=(Call([[[0.1]]]),))
    assert float(case.weights[1][0, 0]) == kept
    assert not any(array.flags.writeable for array in case.numbers().values())
    assert all(array.flags.writeable for array in case.writable().numbers().values())
    assert not any(array.flags.writeable for array in case.numbers().values())


def test_numbers_are_stored_in_the_dtype_of_the_spec() -> None:
    for dtype in ("float32", "float64"):
        case = generic(dtype=dtype, h0=True, mask=True)
        kinds = {name: str(array.dtype) for name, array in case.numbers().items()}
        assert kinds.pop("call0/mask") == "bool"
        assert set(kinds.values()) == {dtype}


def test_what_was_given_is_copied_and_cannot_be_written_to() -> None:
    x = np.zeros((1, 2, 3), np.float32)
    case = generic(N=1, T=2).replace(x=x)
    x[:] = 7
    assert not case.x.any()
    for array in case.numbers().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1


@pytest.mark.parametrize("name", ["x", "spec", "Wh", "anything"])
def test_a_case_does_not_change(name: str) -> None:
    case = generic()
    with pytest.raises(AttributeError, match=rf"cannot be changed: case.replace\({name}=...\) makes another"):
        setattr(case, name, getattr(case, name, 0))


def test_lists_and_odd_memory_orders_are_welcome() -> None:
    case = generic(N=2, T=2, h0=True, mask=True)
    letters = {name: getattr(case, name) for name in ("x", "Wx", "Wh", "bh", "Wo", "bo", "h0", "mask")}
    from_lists = case.replace(**{name: array.tolist() for name, array in letters.items()})
    fortran = case.replace(**{name: np.asfortranarray(array) for name, array in letters.items()})
    assert same_bits(case, from_lists)
    assert same_bits(case, fortran)
    assert all(array.flags.c_contiguous for array in fortran.numbers().values())


# ---- its letters and its weights ----


@pytest.mark.parametrize("letter", ["Wx", "Wh", "bh", "Wo", "bo"])
def test_weights_of_several_recurrences_have_no_letters(letter: str) -> None:
    with pytest.raises(AttributeError, match=f"a case of D=3 -> .* has no {letter}: look into case.named_weights"):
        getattr(filled(STACK), letter)


@pytest.mark.parametrize("letter", ["x", "mask", "N", "T", "h0"])
def test_several_calls_have_no_letters(letter: str) -> None:
    case = NETWORKS["two calls"]
    with pytest.raises(AttributeError, match=f"a case of 2 calls has no {letter} of its own: look into case.calls"):
        getattr(case, letter)


def test_other_letters_are_those_of_the_only_call_and_of_the_spec() -> None:
    case = filled(STACK)
    assert case.x is case.calls[0].x
    assert (case.N, case.T, case.D, case.K) == (3, 5, 3, 2)
    assert case.mask is case.h0 is None
    with pytest.raises(AttributeError, match="has more than one recurrence: look into its layers for M"):
        case.M
    with pytest.raises(AttributeError, match="a case has no attribute 'Wy'"):
        case.Wy  # type: ignore[attr-defined]
    assert not hasattr(case, "Wh")
    assert copy.deepcopy(case).fingerprint() == case.fingerprint()


def test_a_bias_that_is_not_there_is_zeros_and_a_head_that_is_not_there_is_none() -> None:
    case = filled(Spec(3, SimpleRNN(4, use_bias=False), Dense(2, use_bias=False)))
    assert [*case.named_weights] == ["layer0/Wx", "layer0/Wh", "head/Wo"]
    assert np.array_equal(case.bh, np.zeros(4))
    assert np.array_equal(case.bo, np.zeros(2))
    assert np.array_equal(case.cell_weights(Place(0, 0, 0)).bh, np.zeros(4))
    with pytest.raises(ValueError, match="bh is given, and .* has none"):
        case.replace(bh=np.ones(4))
    with pytest.raises(AttributeError, match="has no Wo"):
        filled(Spec(3, SimpleRNN(4))).Wo


def test_a_part_has_its_weights_by_their_names_in_it() -> None:
    case = filled(Spec(3, (Bidirectional(sequences(4)), SimpleRNN(2)), Dense(2)))
    assert [*case.part("layer0")] == [f"{side}/{w}" for side in ("forward", "backward") for w in ("Wx", "Wh", "bh")]
    assert [*case.part("head")] == ["Wo", "bo"]
    assert case.part("layer1")["Wh"] is case.named_weights["layer1/Wh"]
    backward = case.cell_weights(Place(0, 1, 0))
    assert backward.Wh is case.named_weights["layer0/backward/Wh"]


# ---- what the first layer gets ----


def test_a_layer_has_its_weights_by_direction_and_cell() -> None:
    case = NETWORKS["cells, both"]
    ways = case.layer_weights(0)
    assert [[w.Wx.shape for w in cells] for cells in ways] == [[(3, 2), (2, 3)]] * 2
    assert ways[1][0].Wh is case.named_weights["layer0/backward/cell0/Wh"]


def test_each_layer_gets_the_mask_of_the_one_below() -> None:
    """Turned round behind a layer that goes backwards, and none behind a single output."""
    mask = np.array([[True, True, False]])
    layers = (sequences(2, go_backwards=True), sequences(2), SimpleRNN(2))
    case = filled(Spec(1, layers, Dense(1), source="mask"), 1, N=1, T=3).replace(
        calls=(Call(np.ones((1, 3, 1)), mask),)
    )
    masks = [each.tolist() for each in case.masks(case.calls[0])]
    assert masks == [[[True, True, False]], [[False, True, True]], [[False, True, True]], [[True]]]


def test_masking_masks_where_all_features_are_the_value() -> None:
    spec = Spec(2, SimpleRNN(1), source="masking", mask_value=-1.0)
    case = filled(spec).replace(calls=(Call([[[-1.0, -1.0], [-1.0, 0.0], [0.0, 0.0]]]),))
    x, mask = case.inputs(case.calls[0])
    assert mask.tolist() == [[False, True, True]]
    assert x.tolist() == [[[0.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]]


def test_an_embedding_masks_its_zeros() -> None:
    case = filled(Spec(2, SimpleRNN(1), source="embedding with mask")).replace(calls=(Call([[0, 3]]),))
    x, mask = case.inputs(case.calls[0])
    assert mask.tolist() == [[False, True]]
    assert np.array_equal(x[0], case.weights[0][[0, 3]])


# ---- changed copies ----


def test_letters_are_replaced_one_by_one() -> None:
    case = generic()
    changed = case.replace(Wh=case.Wh.T, bo=[1, 2])
    assert np.array_equal(changed.Wh, case.Wh.T)
    assert changed.bo.tolist() == [1, 2]
    for name in ("Wx", "bh", "Wo", "x"):
        assert np.array_equal(getattr(changed, name), getattr(case, name))
    assert case.replace(x=case.x[:1]).N == 1
    assert case.replace().fingerprint() == case.fingerprint()
    with pytest.raises(TypeError, match="a case has no Wy to replace"):
        case.replace(Wy=1)
    with pytest.raises(TypeError, match=r"more than one recurrence: give weights=model.get_weights\(\)"):
        filled(STACK).replace(Wh=np.eye(4))


def test_a_state_and_a_mask_come_and_go_with_their_letters() -> None:
    case = generic()
    given_ = case.replace(h0=np.ones((3, 4)), mask=np.ones((3, 5)))
    assert given_.spec.layer.initial_state
    assert given_.spec.source == "mask"
    assert given_.spec.plain
    assert same_bits(given_.replace(h0=None, mask=None), case)
    kept = given_.replace(x=2 * case.x)
    assert np.array_equal(kept.h0, given_.h0)
    assert np.array_equal(kept.mask, given_.mask)


def test_another_spec_takes_the_same_numbers() -> None:
    case = generic()
    relu = case.replace(spec=case.spec.replace(activation="relu"))
    assert relu.weights[0] is not case.weights[0]
    assert relu.spec.activation.name == "relu"
    wide = case.replace(spec=case.spec.replace(dtype="float64"))
    assert wide.x.dtype == np.float64
    assert np.array_equal(wide.x, case.x)


def test_weights_are_replaced_by_full_name() -> None:
    case = filled(STACK)
    changed = case.with_weights(**{"layer1/Wh": np.eye(2)})
    assert [n for n, w in changed.named_weights.items() if not np.array_equal(w, case.named_weights[n])] == [
        "layer1/Wh"
    ]


@pytest.mark.parametrize("name", ["states", "masked backwards", "stateful", "embedding with mask"])
def test_some_samples_are_a_case_of_their_own(name: str) -> None:
    case = NETWORKS[name]
    rows = [2, 0, 1] if case.spec.N else [2, 0]
    some = case.samples(rows)
    for call, chosen in zip(case.calls, some.calls, strict=True):
        assert np.array_equal(chosen.x, call.x[rows])
        assert call.mask is None or np.array_equal(chosen.mask, call.mask[rows])
        assert all(np.array_equal(a, b[rows]) for a, b in zip(chosen.states, call.states, strict=True))
    whole, part = dict(reference(case).numbers()), dict(reference(some).numbers())
    assert whole.keys() == part.keys()
    assert all(np.allclose(part[key], whole[key][rows], rtol=1e-12, atol=1e-15) for key in whole)


def test_a_prefix_has_the_first_steps() -> None:
    case = generic(T=5, h0=True, mask=True)
    whole, first = reference(case), reference(case.prefix(3))
    assert np.array_equal(first.states, whole.states[:, :3])
    assert np.array_equal(first.outputs, whole.outputs[:, :3])
    assert same_bits(case.prefix(5), case)


def test_every_output_is_asked_of_the_notebook_s_model_only() -> None:
    case = generic(mask=True)
    every = case.with_every_output()
    assert every.spec == case.spec.with_every_output()
    assert every.weights is case.weights
    assert every.calls is case.calls
    assert not every.spec.plain
    assert every.with_every_output() is every
    assert filled(STACK).with_every_output().spec == STACK


def test_under_another_spec_the_numbers_are_the_same_ones() -> None:
    case = filled(STACK)
    every = case.under(STACK.with_every_output())
    assert every.spec.layers[-1].return_sequences
    assert every.weights is case.weights
    assert np.allclose(reference(every).outputs[:, -1], reference(case).outputs, rtol=1e-15)
    assert case.spec == STACK, "the case itself does not change"


@pytest.mark.parametrize("head", ["linear", "relu"])
def test_under_the_identity_head_the_output_is_the_state(head: str) -> None:
    case = generic(head_activation=head).with_identity_head()
    shown = reference(case, np.float32)
    assert np.array_equal(shown.outputs, shown.states)
    assert case.K == case.M
    assert case.spec.plain


def test_the_identity_head_goes_behind_any_last_layer() -> None:
    for name in ("masked", "both", "cells"):
        case = NETWORKS[name]
        bare = case.with_identity_head()
        assert bare.spec.head == Dense(case.spec.layers[-1].features)
        run = reference(bare)
        assert np.array_equal(run.outputs, run.layers[-1].output)


def test_a_head_may_show_some_of_the_units() -> None:
    case = generic(M=5, K=2)
    states = reference(case).states
    for first in (0, 2, 4):
        outputs = reference(case.with_units_for_outputs(first)).outputs
        assert np.array_equal(outputs[..., : 5 - first], states[..., first : first + 2])
        assert not outputs[..., 5 - first :].any()


def test_a_writable_copy_is_a_copy() -> None:
    case = generic(h0=True, mask=True)
    writable = case.writable()
    assert same_bits(case, writable)
    for name, array in writable.numbers().items():
        array[...] = 0
        assert case.numbers()[name].any(), name


# ---- keeping one ----


def test_its_numbers_have_full_names() -> None:
    assert [*generic(h0=True, mask=True).numbers()] == [
        *("layer0/Wx", "layer0/Wh", "layer0/bh", "head/Wo", "head/bo"),
        *("call0/x", "call0/mask", "call0/state0"),
    ]
    assert [*NETWORKS["stateful, given"].numbers()][-4:] == ["call0/x", "call0/state0", "call1/x", "call1/state0"]


def test_a_pickled_case_is_the_same_and_still_cannot_be_written_to() -> None:
    case = generic(h0=True, mask=True, activation="elu", dtype="float64")
    again = pickle.loads(pickle.dumps(case))
    assert same_bits(case, again)
    assert not any(array.flags.writeable for array in again.numbers().values())


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


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_any_spec_comes_back_from_a_file_and_from_a_pickle(spec: Spec, tmp_path: Path) -> None:
    case = filled(spec, calls=3 if spec.stateful else 1, resets=(2,))
    case.save(tmp_path / "case.npz")
    for back in (Case.load(tmp_path / "case.npz"), pickle.loads(pickle.dumps(case))):
        assert back.spec == spec
        assert same_bits(back, case)


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


def saved(tmp_path: Path, header: Any = None, spec: Any = None, **changes: Any) -> Path:
    """Save a case and change what the file holds; None takes it out."""
    file = tmp_path / "case.npz"
    generic().save(file)
    with np.load(file) as archive:
        arrays = {name: archive[name] for name in archive.files}
    written = json.loads(str(arrays["spec"]))
    written["spec"] |= spec or {}
    arrays["spec"] = np.array(header if isinstance(header, str) else json.dumps(written | (header or {})))
    arrays |= {name: value for name, value in changes.items() if value is not None}
    np.savez(file, **{name: value for name, value in arrays.items() if changes.get(name, 0) is not None})
    return file


@pytest.mark.parametrize("content", [b"", b"no file of numbers"])
def test_loading_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    text, array = tmp_path / "text.npz", tmp_path / "array.npy"
    text.write_bytes(content)
    np.save(array, np.zeros(3))
    for file in (text, array, tmp_path):
        with pytest.raises(ValueError, match=re.escape(f"{file} is no .npz file of a case: ")):
            Case.load(file)


def test_loading_an_archive_of_something_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="other.npz is no case: it lacks 'spec'"):
        Case.load(tmp_path / "other.npz")


@pytest.mark.parametrize("missing", ["layer0/Wh", "head/bo", "call0/x"])
def test_loading_what_lacks_something(tmp_path: Path, missing: str) -> None:
    name = missing.removeprefix("call0/")
    with pytest.raises(ValueError, match=f"case.npz is no case: it lacks '{name}'"):
        Case.load(saved(tmp_path, **{missing: None}))


@pytest.mark.parametrize("version", [1, 3])
def test_loading_what_another_version_wrote(tmp_path: Path, version: int) -> None:
    with pytest.raises(ValueError, match="was written by another version of pytest-rnnequiv"):
        Case.load(saved(tmp_path, header={"format": version}))


@pytest.mark.parametrize("spec", [{"depth": 3}, {"D": None}, {"is": "Net"}, {"is": "cell", "name": "SimpleRNN"}])
def test_loading_what_has_a_spec_of_something_else(tmp_path: Path, spec: Any) -> None:
    with pytest.raises(ValueError, match="case.npz is no case: "):
        Case.load(saved(tmp_path, spec=spec))


@pytest.mark.parametrize("header", ["no json", "[1, 2]", "3", {"spec": None}, {"spec": [1]}, {"resets": 3}])
def test_loading_what_has_a_header_of_something_else(tmp_path: Path, header: Any) -> None:
    with pytest.raises(ValueError, match="case.npz is no case: "):
        Case.load(saved(tmp_path, header=header))


def test_loading_what_does_not_fit_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Wh has shape \(4, 5\), expected \(4, 4\)"):
        Case.load(saved(tmp_path, **{"layer0/Wh": np.zeros((4, 5))}))


def test_arrays_beside_the_case_are_left_alone(tmp_path: Path) -> None:
    file = saved(tmp_path, outputs=np.zeros((3, 2)))
    assert same_bits(Case.load(file), generic())


def test_nothing_pickled_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "case.npz"
    np.savez(file, spec=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="is no .npz file of a case"):
        Case.load(file)


def test_every_activation_has_a_name_that_a_file_can_hold(tmp_path: Path) -> None:
    for name in ACTIVATIONS:
        case = generic(activation=name)
        case.save(tmp_path / "case.npz")
        assert Case.load(tmp_path / "case.npz").spec.activation is ACTIVATIONS[name]


# ---- the notebook ----


def test_the_notebook_has_its_shapes_and_its_weights() -> None:
    case = notebook_case()
    assert (case.N, case.T, case.D, case.M, case.K) == (1, 10, 3, 5, 2)
    assert case.spec == Spec.simple(D=3, M=5, K=2)
    assert case.spec.param_count == 57
    # Keras draws recurrent kernels orthogonal
    assert np.allclose(case.Wh.astype(float) @ case.Wh.T.astype(float), np.eye(5), atol=1e-6)
    assert not case.bh.any()
    assert same_bits(notebook_case(3), notebook_case(3))
    assert not same_bits(notebook_case(3), notebook_case(4))
