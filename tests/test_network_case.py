"""Cases of networks: shapes, the numbers of every dtype, and files."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import network_case

from pytest_rnnequiv import Case, Spec
from pytest_rnnequiv.arithmetic.activations import Activation
from pytest_rnnequiv.model.network import Bidirectional, Head, Layer, Network
from pytest_rnnequiv.model.network_case import Call, NetworkCase

NETWORKS = [
    Network(3, Layer(4), Head(2)),
    Network(3, (Bidirectional(Layer(4, return_sequences=True), merge_mode="mul"), Layer((3, 2))), source="masking"),
    Network(3, Layer(4, initial_state=True), source="mask"),
    Network(3, Layer(4, stateful=True), source="embedding with mask", N=2),
    Network(3, Layer(4, "relu"), dtype="float16"),
    Network(3, Layer(4), dtype="mixed_bfloat16"),
]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_it_comes_back_from_a_file_and_from_a_pickle(network: Network, tmp_path: Path) -> None:
    case = network_case(network, calls=3 if network.stateful else 1)
    case.save(tmp_path / "case.npz")
    for back in (NetworkCase.load(tmp_path / "case.npz"), pickle.loads(pickle.dumps(case))):
        assert back.network == network
        assert back.fingerprint() == case.fingerprint()
        assert [call.reset for call in back.calls] == [call.reset for call in case.calls]


@pytest.mark.parametrize(
    ("dtype", "kept"), [("float64", 1 + 2**-40), ("float32", 1 + 2**-20), ("float16", 1 + 2**-9), ("bfloat16", 1.0)]
)
def test_numbers_are_those_of_the_dtype(dtype: str, kept: float) -> None:
    case = NetworkCase(
        Network(1, Layer(1, use_bias=False), dtype=dtype), ([[1 + 2**-9 + 0]], [[kept]]), (Call([[[0.1]]]),)
    )
    assert float(case.weights[1][0, 0]) == kept
    assert not any(array.flags.writeable for array in case.numbers().values())
    assert all(array.flags.writeable for array in case.writable().numbers().values())
    assert not any(array.flags.writeable for array in case.numbers().values())


def test_a_plain_case_is_one_of_a_network() -> None:
    rng = np.random.default_rng(0)
    spec = Spec(3, 4, 2)
    weights = {name: rng.normal(size=shape) for name, shape in spec.weight_shapes.items()}
    plain = Case(spec, rng.normal(size=(2, 3, 3)), **weights, h0=rng.normal(size=(2, 4)), mask=rng.random((2, 3)) < 0.5)
    case = NetworkCase.of(plain)
    assert case.network == Network(3, Layer(4, initial_state=True), Head(2), source="mask")
    for mine, its in zip(case.weights, plain.weights, strict=True):
        assert np.array_equal(mine, its)


def test_masking_masks_where_all_features_are_the_value() -> None:
    network = Network(2, Layer(1), source="masking", mask_value=-1.0)
    case = network_case(network).replace(calls=(Call([[[-1.0, -1.0], [-1.0, 0.0], [0.0, 0.0]]]),))
    x, mask = case.inputs(case.calls[0])
    assert mask.tolist() == [[False, True, True]]
    assert x.tolist() == [[[0.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]]


def test_an_embedding_masks_its_zeros() -> None:
    case = network_case(Network(2, Layer(1), source="embedding with mask")).replace(calls=(Call([[0, 3]]),))
    x, mask = case.inputs(case.calls[0])
    assert mask.tolist() == [[False, True]]
    assert np.array_equal(x[0], case.weights[0][[0, 3]])


PLAIN = Network(2, Layer(3), Head(1))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda c: c.replace(weights=c.weights[1:]), "has 5 weights"),
        (lambda c: c.with_weights(**{"layer0/Wh": np.eye(2)}), "layer0/Wh has shape (2, 2), expected (3, 3)"),
        (lambda c: c.replace(calls=()), "at least one call"),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 2, 3))),)), "x has shape (1, 2, 3), expected (N, T, 2)"),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 0, 2))),)), "needs at least one step"),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 2, 2)), mask=[[1, 1]]),)), "if, and only if"),
        (lambda c: c.replace(calls=(Call(np.zeros((1, 2, 2)), states=([[0.0] * 3],)),)), "initial states have shapes"),
        (lambda c: c.replace(network=PLAIN.replace(T=5)), "is made for T = 5"),
        (lambda c: c.replace(network=PLAIN.replace(source="mask")), "if, and only if"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make(network_case(PLAIN))


def test_a_mask_of_another_shape_is_refused() -> None:
    case = network_case(PLAIN.replace(source="mask"))
    with pytest.raises(ValueError, match=re.escape("mask has shape (1, 3), expected (N, T) = (1, 2)")):
        case.replace(calls=(Call(np.zeros((1, 2, 2)), mask=[[1, 1, 1]]),))


def test_ids_outside_of_the_vocabulary_are_refused() -> None:
    case = network_case(Network(2, Layer(1), source="embedding"))
    with pytest.raises(ValueError, match="outside of the vocabulary, 0 to 4"):
        case.replace(calls=(Call([[5]]),))


def test_no_samples_are_a_case() -> None:
    case = network_case(PLAIN).replace(calls=(Call(np.zeros((0, 2, 2))),))
    assert case.calls[0].N == 0


def test_an_activation_of_the_user_s_own_cannot_be_saved(tmp_path: Path) -> None:
    case = network_case(Network(2, Layer(1, Activation("own", np.tanh))))
    with pytest.raises(ValueError, match="'own' cannot be saved"):
        case.save(tmp_path / "case.npz")


@pytest.mark.parametrize("content", [b"", b"no file of numbers", None])
def test_files_that_are_none(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "other.npz"
    if content is None:
        np.savez(file, x=np.zeros(3))
    else:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="other.npz is no"):
        NetworkCase.load(file)
    with pytest.raises(FileNotFoundError):
        NetworkCase.load(tmp_path / "none.npz")
