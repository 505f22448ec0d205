"""``--rnn-equiv-model`` of a model with other layers round the recurrent ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from whole_models import LAYERS, MODEL, layer, sequential, weights, write_keras

pytest.importorskip("h5py")

QUICK = ("--rnn-equiv-profile", "quick", "-p", "no:cacheprovider")


def write_files(pytester: pytest.Pytester) -> None:
    wrong = weights()
    wrong["rnn"][1] = np.concatenate([block.T for block in np.split(wrong["rnn"][1], 4, 1)], 1)
    write_keras(pytester.path / "model.keras", MODEL, weights())
    write_keras(pytester.path / "wrong.keras", MODEL, wrong)
    np.savez(pytester.path / "x.npz", one=np.random.default_rng(0).standard_normal((5, 5, 3)))


def test_what_somebody_made_of_it(pytester: pytest.Pytester) -> None:
    """A file is asked about all of it, on drawn inputs and on recorded ones; a port about the recurrent layers."""
    write_files(pytester)
    args = ("--rnn-equiv-model", "model.keras", "--rnn-equiv-inputs", "x.npz", "--rnn-equiv-impl")
    result = pytester.runpytest(*args, "wrong.keras", *QUICK, "-k", "recorded")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the model model.keras: series -> conv -> batch -> rnn -> dropout ->*",
            "*norm -> head, of which the recurrent layers are D=5 -> LSTM(4*",
            "wrong.keras is wrong: it is the recurrence with `Wh` transposed (in rnn)*",
            "*model.keras, on inputs of shape (5, 5, 3)*",
            "VERDICT wrong.keras is wrong: *",
        ]
    )
    both = (*args, "model.keras", "--rnn-equiv-impl", "numpy", *QUICK)
    listed = pytester.runpytest(*both, "--collect-only", "-q").outlines
    checks = {line.partition("::test_")[2] for line in listed if "::" in line}
    assert {each for each in checks if "model.keras" in each} == {
        "whole_model[model.keras]",
        "recorded_inputs[model.keras]",
    }
    assert {"recurrence[numpy]", "recorded_inputs[numpy]", "long_sequences[numpy]"} <= checks
    assert "whole_model[numpy]" not in checks
    pytester.runpytest(*both, "-k", "recorded").assert_outcomes(passed=2)


def branches() -> dict[str, Any]:
    """Return the configuration of a model with two recurrent layers side by side."""

    def called(name: str, kind: str, *sources: str, **options: Any) -> dict[str, Any]:
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [each, 0, 0]}} for each in sources]
        given = tensors if len(tensors) == 1 else [tensors]
        return {**layer(kind, name, **options), "name": name, "inbound_nodes": [{"args": given, "kwargs": {}}]}

    options = {"units": 4, "activation": "tanh", "recurrent_activation": "sigmoid"}
    layers = [
        {**layer("InputLayer", "series", batch_shape=[None, None, 5]), "name": "series", "inbound_nodes": []},
        called("rnn", "LSTM", "series", **options),
        called("other", "Activation", "rnn", activation="relu"),
        called("both", "Add", "rnn", "other"),
        called("head", "Dense", "both", units=2, activation="linear"),
    ]
    ends = {"input_layers": [["series", 0, 0]], "output_layers": [["head", 0, 0]]}
    return {"class_name": "Functional", "config": {"layers": layers, **ends}}


def test_layers_that_are_no_chain(pytester: pytest.Pytester) -> None:
    """A port is told how to be asked about one of them."""
    arrays = {name: each for name, each in weights().items() if name in ("rnn", "head")}
    write_keras(pytester.path / "model.keras", branches(), arrays)
    args = ("--rnn-equiv-model", "model.keras", *QUICK, "--rnn-equiv-impl")
    result = pytester.runpytest(*args, "numpy", "-k", "repeats")
    result.stdout.fnmatch_lines(
        ["*numpy is asked about recurrent layers that follow one another, and those of model.k*"]
    )
    result.stdout.fnmatch_lines(["*--rnn-equiv-model-part rnn asks about one of them (it has rnn)*"])


def test_inputs_of_another_model(pytester: pytest.Pytester) -> None:
    write_files(pytester)
    np.savez(pytester.path / "x.npz", x=np.zeros((2, 5, 4)))
    result = pytester.runpytest("--rnn-equiv-model", "model.keras", "--rnn-equiv-inputs", "x.npz", *QUICK)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *its series has shape (2, 5, 4), expected (None, 5, 3)*"])


def test_words_outside_of_the_vocabulary_and_names_of_inputs(tmp_path: Any) -> None:
    from pytest_rnnequiv.implementations.errors import ImplementationError
    from pytest_rnnequiv.implementations.files.keras_graph import graph_of
    from pytest_rnnequiv.implementations.files.recorded import recorded_inputs

    words = sequential(layer("Embedding", "words", input_dim=6, output_dim=5), *LAYERS[2:], shape=(5,))
    arrays = weights() | {"words": [np.zeros((6, 5), np.float32)]}
    graph = graph_of(words, lambda entry: arrays[entry.name])
    assert graph.inputs[0].vocabulary == 6
    np.savez(tmp_path / "x.npz", x=np.full((2, 5), 6))
    with pytest.raises(ImplementationError, match="its series has numbers outside of the vocabulary, 0 to 5"):
        recorded_inputs(tmp_path / "x.npz", graph)
    np.savez(tmp_path / "x.npz", x=np.full((2, 5), 5))
    assert len(recorded_inputs(tmp_path / "x.npz", graph)) == 1
    from dataclasses import replace

    two = replace(graph, inputs=(*graph.inputs, graph.inputs[0]._replace(name="side")))
    with pytest.raises(ImplementationError, match="it has the arrays x, and the model has the inputs series, side"):
        recorded_inputs(tmp_path / "x.npz", two)
    np.savez(tmp_path / "none.npz")
    with pytest.raises(ImplementationError, match="it has no arrays in it"):
        recorded_inputs(tmp_path / "none.npz", graph)
