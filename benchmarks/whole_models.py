"""How often a right whole model gets an answer, by its outputs alone, and layer by layer with what its file shows.

    python benchmarks/whole_models.py [--format {keras,onnx,tflite}] [MODEL ...]

Twelve models such as people have, with the weights that Keras gives them, are saved and judged as what they are, in
runs of 5, 24 and 100 steps (as far as a model leaves that open). A format but Keras's own is made by Keras's exporters.
In seconds of the processor.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pytest_rnnequiv.implementations.files.keras_graph import read_graph
from pytest_rnnequiv.implementations.whole_file import WholeFile
from pytest_rnnequiv.judging.verdict import Verdict
from pytest_rnnequiv.judging.whole import judge_answer, judge_whole
from pytest_rnnequiv.mistakes.whole import answered
from pytest_rnnequiv.model.graph import Graph

#: Samples and steps of the runs.
RUNS = ((3, 5), (2, 24), (2, 100))


def models(layers: Any) -> dict[str, tuple[tuple[int | None, ...], list[Any]]]:
    """Return the shape of a sample and the layers of each model, by its name."""
    L = layers
    return {
        "conv-lstm": ((24, 6), [L.Conv1D(8, 3, padding="causal", activation="relu"), L.LSTM(16), L.Dense(2)]),
        "conv-bn-lstm": ((24, 6), [L.Conv1D(16, 5), L.BatchNormalization(), L.ReLU(), L.LSTM(32), L.Dense(1)]),
        "words-gru": ((40,), [L.Embedding(50, 16), L.LayerNormalization(), L.GRU(32), L.Dense(3, "softmax")]),
        "dense-lstm": ((100, 8), [L.Dense(32, "relu"), L.LSTM(64), L.Dense(1)]),
        "conv-pool-two-lstm": (
            (60, 5),
            [L.Conv1D(16, 3), L.MaxPooling1D(2), L.LSTM(32, return_sequences=True), L.LSTM(16), L.Dense(4)],
        ),
        "both-gru-pool": (
            (50, 7),
            [L.LayerNormalization(), L.Bidirectional(L.GRU(24, return_sequences=True)), L.GlobalAveragePooling1D()],
        ),
        "bn-lstm-ln": (
            (100, 4),
            [L.BatchNormalization(), L.LSTM(32, return_sequences=True), L.LayerNormalization(), L.Dense(2)],
        ),
        "words-conv-both-lstm": (
            (60,),
            [L.Embedding(50, 24), L.Conv1D(16, 3, activation="relu"), L.Bidirectional(L.LSTM(24)), L.Dense(1)],
        ),
        "autoencoder": (
            (30, 3),
            [L.LSTM(16), L.RepeatVector(30), L.LSTM(16, return_sequences=True), L.TimeDistributed(L.Dense(3))],
        ),
        "two-conv-gru": (
            (100, 6),
            [L.Conv1D(32, 7, strides=2), L.BatchNormalization(), L.Conv1D(32, 5), L.GRU(64), L.Dense(2)],
        ),
        "conv-simple": ((40, 3), [L.Conv1D(8, 3, activation="relu"), L.SimpleRNN(16), L.Dense(2)]),
        "conv-three-lstm": (
            (None, 3),
            [L.Conv1D(8, 3), L.LSTM(16, return_sequences=True), L.LSTM(16, return_sequences=True), L.LSTM(16)],
        ),
    }


def saved(keras: Any, name: str, folder: Path, to: str) -> tuple[Path, Path]:
    """Save a model, and write it in another format, too."""
    shape, layers = models(keras.layers)[name]
    model = keras.Sequential([keras.Input(shape), *layers])
    own, other = folder / f"{name}.keras", folder / f"{name}.{to}"
    model.save(own)
    if to != "keras":
        model.export(other, format={"onnx": "onnx", "tflite": "litert"}[to], verbose=False)
    return own, other


def by_outputs(graph: Graph, file: WholeFile, inputs: list[Any]) -> Verdict:
    """Judge by the outputs alone."""
    return judge_whole(graph, inputs, file.ask(inputs), file.precision)


def by_layers(graph: Graph, file: WholeFile, inputs: list[Any]) -> Verdict:
    """Judge with all that the file shows."""
    judged = judge_answer(graph, inputs, partial(file.ask, inputs), file.precision, partial(file.show, inputs))
    return answered(graph, judged, file.precision)


WAYS: tuple[Callable[[Graph, WholeFile, list[Any]], Verdict], ...] = (by_outputs, by_layers)


def main() -> None:
    """Print the table."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(1)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--format", choices=("keras", "onnx", "tflite"), default="keras")
    parser.add_argument("names", nargs="*", default=[*models(keras.layers)])
    given = parser.parse_args()
    print("| model | by outputs: answers | different | seconds | layer by layer: answers | different | seconds |")
    print("|---|---|---|---|---|---|---|")
    total = np.zeros((len(WAYS), 3))
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names:
            own, other = saved(keras, name, Path(folder), given.format)
            graph = read_graph(str(own))
            file, rng = WholeFile(str(other), graph), np.random.default_rng(0)
            runs = [graph.drawn(rng, file.N or N, file.steps(T)) for N, T in RUNS]
            row = np.zeros_like(total)
            for i, way in enumerate(WAYS):
                began = time.process_time()
                verdicts = [way(graph, file, inputs) for inputs in runs]
                spent = time.process_time() - began
                row[i] = sum(v.equivalent for v in verdicts), sum(v.different for v in verdicts), spent
            total += row
            print(line(name, row), flush=True)
    print(line(f"of {len(RUNS) * len(given.names)} runs", total))


def line(name: str, row: np.ndarray[Any, Any]) -> str:
    """Return a row of the table."""
    return f"| {name} | {' | '.join(f'{int(a)} | {int(b)} | {c:.1f}' for a, b, c in row)} |"


if __name__ == "__main__":
    main()
