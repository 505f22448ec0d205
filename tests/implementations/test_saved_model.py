"""SavedModels of Keras 2: layers and weights are read as data, and the functions in them are left alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytest_rnnequiv import GRU, LSTM, Bidirectional, Dense, Spec, read_model
from pytest_rnnequiv.implementations.errors import ImplementationError

pytestmark = pytest.mark.tensorflow
pytest.importorskip("tensorflow")

SAVED = Path(__file__).parents[1] / "models" / "keras2_saved_model"
SPEC = Spec(3, (Bidirectional(GRU(2, return_sequences=True)), LSTM(3)), Dense(2, "softmax"), source="masking")


def test_layers_and_weights_are_read() -> None:
    """The file has no ``saved_model.pb``, where the functions are: it is not needed."""
    spec, weights = read_model(SAVED)
    assert spec == SPEC
    for (name, shape), array in zip(SPEC.weight_shapes.items(), weights, strict=True):
        assert np.array_equal(array, np.random.default_rng(0).normal(size=shape).astype("f4")), name


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAVED, tmp_path / "model"))


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (
            "no layers",
            "it is a SavedModel without keras_metadata.pb, which holds functions and no layers",
        ),
        ("cut", "its keras_metadata.pb is cut off, or no protocol buffer"),
        ("empty", "its keras_metadata.pb names no model"),
        ("no weights", "its variables/variables.index: it is not there"),
        ("other layers", "its checkpoint has no variables of layer_with_weights-9"),
        ("lambda", "Lambda"),
    ],
)
def test_what_is_no_model_is_refused(spoilt: str, sentence: str, copy: Path) -> None:
    metadata = copy / "keras_metadata.pb"
    content = metadata.read_bytes()
    if spoilt == "no layers":
        metadata.rename(copy / "saved_model.pb")
    elif spoilt == "cut":
        metadata.write_bytes(content[:-20])
    elif spoilt == "empty":
        metadata.write_bytes(b"")
    elif spoilt == "no weights":
        (copy / "variables" / "variables.index").unlink()
    elif spoilt == "other layers":
        metadata.write_bytes(content.replace(b"root.layer_with_weights-1", b"root.layer_with_weights-9"))
    else:  # of as many letters, so that the lengths in the file hold
        metadata.write_bytes(content.replace(b'"class_name": "Masking"', b'"class_name": "Lambda" '))
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(copy)
