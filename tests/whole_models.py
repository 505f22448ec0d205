"""Whole models, with layers round the recurrent ones, as Keras files that are written by hand: no Keras is needed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Weights = dict[str, list[Any]]


def layer(kind: str, name: str, **options: Any) -> dict[str, Any]:
    """Return the record of a layer."""
    return {"class_name": kind, "config": {"name": name, **options}}


def sequential(*layers: dict[str, Any], shape: tuple[int | None, ...] = (5, 3)) -> dict[str, Any]:
    """Return the configuration of a Sequential."""
    entered = layer("InputLayer", "series", batch_shape=[None, *shape])
    return {"class_name": "Sequential", "config": {"name": "model", "layers": [entered, *layers]}}


#: A convolution, a normalization, a recurrent layer, another normalization and a head.
LAYERS = (
    layer("Conv1D", "conv", kernel_size=[3], strides=[1], padding="same", activation="relu"),
    layer("BatchNormalization", "batch", epsilon=1e-3),
    layer("LSTM", "rnn", units=4, activation="tanh", recurrent_activation="sigmoid", return_sequences=True),
    layer("Dropout", "dropout", rate=0.5),
    layer("LayerNormalization", "norm", epsilon=1e-3),
    layer("Dense", "head", units=2, activation="linear"),
)
MODEL = sequential(*LAYERS)


def weights(seed: int = 1) -> Weights:
    """Draw the weights of :data:`MODEL`."""
    rng = np.random.default_rng(seed)

    def drawn(*shape: int, size: float = 0.7) -> Any:
        return (size * rng.standard_normal(shape)).astype(np.float32)

    positive = np.abs(drawn(5)) + np.float32(0.5)
    return {
        "conv": [drawn(3, 3, 5), drawn(5)],
        "batch": [drawn(5), drawn(5), drawn(5), positive],
        "rnn": [drawn(5, 16), drawn(4, 16), drawn(16)],
        "norm": [drawn(4), drawn(4)],
        "head": [drawn(4, 2), drawn(2)],
    }


#: Where a ``.keras`` file has the arrays of a layer.
GROUPS = {
    "conv": "conv1d/vars",
    "batch": "batch_normalization/vars",
    "rnn": "lstm/cell/vars",
    "norm": "layer_normalization/vars",
    "head": "dense/vars",
}


def write_keras(file: Path, config: Any, arrays: Weights) -> Path:
    """Write a ``.keras`` file."""
    h5py = pytest.importorskip("h5py")

    content = io.BytesIO()
    with h5py.File(content, "w") as stored:
        for name, each in arrays.items():
            for i, array in enumerate(each):
                stored[f"layers/{GROUPS[name]}/{i}"] = array
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", content.getvalue())
    return file
