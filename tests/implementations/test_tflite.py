"""A ``.tflite`` file is run by LiteRT as a whole: its outputs are judged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pytest_rnnequiv import EquivalenceError, assert_equivalent, read_model
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.registry import resolve


def test_it_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"anything")
    sentence = "a .tflite file is run and not read, by pytest-rnnequiv[litert]: say which model it was made of"
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(tmp_path / "model.tflite")


def test_what_is_none(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    file = tmp_path / "model.tflite"
    file.write_bytes(b"anything")
    with pytest.raises(ImplementationError, match=f"{re.escape(str(file))} cannot be read: LiteRT refuses it"):
        resolve(str(file))
    with pytest.raises(ImplementationError, match="a part of it cannot be run alone"):
        resolve(str(file), "recurrent")


@pytest.mark.tensorflow
def test_it_is_run(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")

    def model() -> object:
        layers = [keras.Input((3, 2), batch_size=1), keras.layers.GRU(4, unroll=True), keras.layers.Dense(2)]
        return keras.Sequential(layers)

    right, wrong = model(), model()
    for number, each in enumerate((right, wrong)):
        rng = np.random.default_rng(number)
        each.set_weights([rng.normal(size=weight.shape) for weight in each.get_weights()])  # type: ignore[attr-defined]
    right.save(tmp_path / "model.keras")  # type: ignore[attr-defined]
    for name, each in (("right", right), ("wrong", wrong)):
        (tmp_path / f"{name}.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(each).convert())
    assert_equivalent(tmp_path / "model.keras", tmp_path / "right.tflite")
    with pytest.raises(EquivalenceError):
        assert_equivalent(tmp_path / "model.keras", tmp_path / "wrong.tflite")
    port = resolve(str(tmp_path / "right.tflite"))
    assert (port.supports.N, port.supports.T) == (1, 3)
    assert not port.any_weights
    assert port.fixed is None
