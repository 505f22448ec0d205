"""Coarse ports that a library makes: LiteRT's dynamic range, as its converter quantizes a model of Keras."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from samples import converter_to_tflite

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, diagnose, judge

#: Kernels of fewer than 1,024 numbers would stay in float32; the head's is one of these.
D, M, K, T = 32, 32, 3, 5


def interpreter(buffer: bytes) -> Any:
    """The interpreter of LiteRT, or the one that TensorFlow still has."""
    try:
        Interpreter = import_module("ai_edge_litert.interpreter").Interpreter
    except ImportError:
        Interpreter = pytest.importorskip("tensorflow").lite.Interpreter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is to be removed
        return Interpreter(model_content=buffer, num_threads=1)


@pytest.mark.tensorflow
@pytest.mark.parametrize("cell", ["SimpleRNN", "GRU", "LSTM"])
def test_dynamic_range_of_litert(cell: str) -> None:
    import keras
    import tensorflow as tf

    inputs = keras.Input((T, D), batch_size=1)
    states = getattr(keras.layers, cell)(M, return_sequences=True)(inputs)
    model = keras.Model(inputs, [states, keras.layers.Dense(K)(states)])
    rng = np.random.default_rng(0)
    weights = [(rng.standard_normal(w.shape) / np.sqrt(M)).astype(np.float32) for w in model.get_weights()]
    model.set_weights(weights)
    converter = converter_to_tflite(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    port = interpreter(converter.convert())
    port.allocate_tensors()
    spec, declared = Spec.simple(D, M, K, cell=cell), Precision.dynamic_range_int8()
    for _ in range(3):
        x = rng.standard_normal((1, T, D)).astype(np.float32)
        port.set_tensor(port.get_input_details()[0]["index"], x)
        port.invoke()
        answers = {a.shape[-1]: a for a in (port.get_tensor(d["index"]) for d in port.get_output_details())}
        shown, case = Trajectory(answers[K], answers[M]), Case(spec, x=x, weights=weights)
        last = Trajectory(answers[K][:, -1])
        assert judge(case, shown, declared).equivalent
        assert judge(case, last, declared).equivalent
        assert judge(case, shown, "float32").different
    # the file has another kernel than the model
    exchanged = case.replace(Wh=case.Wh.T if cell == "SimpleRNN" else np.roll(case.Wh, M, axis=1))
    for seen in (shown, last):
        assert judge(exchanged, seen, declared).different
    if cell == "SimpleRNN":
        assert diagnose(exchanged, shown, declared).explanations[0].name == "Wh-transposed"
