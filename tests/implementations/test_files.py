"""Models that lie on disk: read as data, whatever Keras is installed, and nothing in them is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import GRU, LSTM, Call, Case, Dense, SimpleRNN, Spec, judge, read_model
from pytest_rnnequiv.arithmetic.activations import HARD_SIGMOID_OF_KERAS_2
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.keras import KerasCall, build_simple_rnn, load
from pytest_rnnequiv.implementations.keras import read_model as read_live
from pytest_rnnequiv.implementations.keras_models import build, flat

h5py = pytest.importorskip("h5py")
pytest.importorskip("tensorflow")

MODELS = Path(__file__).parents[1] / "models"


def functional(**options: Any) -> Any:
    _, keras = load()
    x = keras.Input((None, 3), name="inputs")
    h = keras.layers.SimpleRNN(4, name="rnn", **options)(x)
    return keras.Model(x, keras.layers.Dense(2, name="mine")(h))


def sequential(*layers: str, T: int | None = None, N: int | None = None, D: int | None = 3, **dtype: Any) -> Any:
    """Build a Sequential of layers that are written as Keras's, with ``k`` for ``keras.layers``."""
    _, keras = load()
    entered = keras.Input((T,) if D is None else (T, D), batch_size=N)
    return keras.Sequential([entered, *(eval(layer, {"k": keras.layers}) for layer in layers)], **dtype)


BUILT: dict[str, Callable[[], Any]] = {
    "sequential": lambda: build_simple_rnn(T=4, D=2, M=3, K=1, activation="relu"),
    "functional": functional,
    "no biases": lambda: functional(use_bias=False),
    "every output": lambda: build_simple_rnn(return_sequences=True, head_activation="softmax"),
    "dropout": lambda: functional(dropout=0.5, recurrent_dropout=0.25, unroll=False, trainable=False),
    "float64": lambda: build_simple_rnn(dtype="float64", activation="leaky_relu"),
    "mixed": lambda: build_simple_rnn(dtype="mixed_float16"),
    "linear": lambda: build_simple_rnn(activation=None, head_activation="hard_sigmoid"),
    "gru": lambda: sequential("k.GRU(4)", "k.Dense(2)"),
    "gru, reset before": lambda: sequential("k.GRU(4, reset_after=False, recurrent_activation='hard_sigmoid')"),
    "lstm": lambda: sequential("k.LSTM(4, unit_forget_bias=False, use_bias=False, go_backwards=True)", "k.Dense(2)"),
    "stack": lambda: sequential(
        "k.Dropout(.5)",
        "k.LSTM(4, return_sequences=True, dropout=.5)",
        "k.SpatialDropout1D(.5)",
        "k.Bidirectional(k.GRU(3, return_sequences=True), merge_mode='ave')",
        "k.Activation('linear')",
        "k.SimpleRNN(2, return_sequences=True, name='other')",
        "k.SimpleRNN(2, return_state=True)",
    ),
    "directions": lambda: sequential(
        "k.Bidirectional(k.LSTM(3), merge_mode=None, backward_layer=k.LSTM(3, activation='relu', go_backwards=True))"
    ),
    "words": lambda: sequential(
        "k.Embedding(7, 3, mask_zero=True)",
        "k.Bidirectional(k.GRU(2, return_sequences=True), merge_mode='mul')",
        "k.TimeDistributed(k.Dense(4))",
        "k.Activation('softmax')",
        D=None,
    ),
    "words without a mask": lambda: sequential(
        "k.Embedding(7, 3)", "k.SimpleRNN(2)", "k.Dense(3)", "k.Softmax()", D=None
    ),
    "several Dense": lambda: sequential(
        "k.LSTM(4, return_sequences=True)",
        "k.Dense(6, activation='relu')",
        "k.Dropout(.5)",
        "k.TimeDistributed(k.Dense(5, use_bias=False))",
        "k.Activation('tanh')",
        "k.Dense(3)",
        "k.Softmax()",
    ),
    "masking": lambda: sequential("k.Masking(.5)", "k.LSTM(2, zero_output_for_mask=True)", "k.Dense(1)", "k.ReLU()"),
    "cells": lambda: sequential(
        "k.RNN([k.GRUCell(3), k.LSTMCell(2), k.GRUCell(4)], return_sequences=True)", "k.RNN(k.SimpleRNNCell(3))"
    ),
    "stateful": lambda: sequential("k.SimpleRNN(2, stateful=True, return_sequences=True)", T=4, N=3),
    "unrolled": lambda: sequential("k.GRU(2, unroll=True)", T=4),
    "models inside": lambda: load()[1].Sequential(
        [
            sequential("k.Dropout(.1)", "k.GRU(4, return_sequences=True)", "k.GRU(3, return_sequences=True)"),
            functional(),
        ]
    ),
}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", BUILT)
@pytest.mark.filterwarnings("ignore")  # that .h5 is the old format
def test_it_reads_what_keras_reads(name: str, suffix: str, tmp_path: Path) -> None:
    """The model that is built of what was read is the model that was saved: same weights, same outputs."""
    _, keras = load()
    model = BUILT[name]()
    model.set_weights([np.random.default_rng(i).standard_normal(w.shape) for i, w in enumerate(model.get_weights())])
    file = tmp_path / f"model.{suffix}"
    model.save(file)
    spec, weights = read_model(file)
    assert (spec, list(map(str, weights))) == (read_live(model)[0], list(map(str, read_live(model)[1])))
    assert [w.dtype for w in weights] == [w.dtype for w in model.get_weights()]
    assert all(map(np.array_equal, weights, model.get_weights()))
    N, T = spec.N or 2, spec.T or 4
    x = np.random.default_rng(0).integers(0, 7, (N, T)) if spec.embedded else np.arange(N * T * 3.0).reshape(N, T, 3)
    x = x if spec.embedded else np.where(x % 6 < 3, 0.5, x / 30)[..., : spec.D]
    case = Case(spec, weights=weights, calls=(Call(x),))
    ours = build(spec, everything=False)
    ours.model.set_weights(list(weights))
    ours.reset()
    for one, other in zip(flat(ours.model(case.calls[0].x)), flat(model(case.calls[0].x)), strict=False):
        assert np.allclose(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other), 1e-6, 1e-9)


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_was_trained(tmp_path: Path) -> None:
    model = build_simple_rnn()
    model.compile("adam", "mse")
    model.fit(np.ones((2, 10, 3)), np.ones((2, 2)), verbose=0)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"model.{suffix}")
        assert all(map(np.array_equal, read_model(tmp_path / f"model.{suffix}")[1], model.get_weights()))


def ramp(spec: Spec) -> list[Any]:
    """Weights that count up in eighths, as those of the files are."""
    first, weights = 0, []
    for shape in spec.weight_shapes.values():
        weights.append((first + np.arange(np.prod(shape))).reshape(shape) / 8)
        first += weights[-1].size
    return weights


@pytest.mark.parametrize(
    ("file", "spec"),
    [
        ("keras2_sequential.h5", Spec(2, SimpleRNN(3, "relu"), Dense(1, use_bias=False))),
        ("keras2_functional.h5", Spec(2, SimpleRNN(3, use_bias=False), Dense(1, "softmax"))),
        ("keras2_functional.keras", Spec(2, SimpleRNN(3, use_bias=False), Dense(1, "softmax"))),
    ],
)
def test_files_of_keras_2(file: str, spec: Spec) -> None:
    """Which Keras 3 cannot load: it does not know ``time_major``."""
    got, weights = read_model(MODELS / file)
    assert got == spec
    assert all(map(np.array_equal, weights, ramp(spec)))


def test_no_keras_is_needed() -> None:
    """Nothing of it is imported, so nothing of it can run what a file names."""
    code = (
        "import sys\nfrom pytest_rnnequiv.implementations.declaration import fixed_model\n"
        f"print(fixed_model({str(MODELS / 'keras2_sequential.h5')!r})[0])\n"
        "print({'keras', 'tensorflow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "D=2 -> SimpleRNN(3, activation=relu) -> Dense(1, use_bias=False)\nset()\n"


# ---- what is refused ----


def changed(tmp_path: Path, suffix: str, change: Callable[[dict[str, Any]], None], name: str = "functional") -> Path:
    """Save a model, and change its configuration."""
    file = tmp_path / f"model.{suffix}"
    BUILT[name]().save(file)
    if suffix == "h5":
        with h5py.File(file, "r+") as stored:
            config = json.loads(stored.attrs["model_config"])
            change(config)
            stored.attrs["model_config"] = json.dumps(config)
        return file
    with zipfile.ZipFile(file) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return file


def with_layer(kind: str) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"].append({"class_name": kind, "config": {"name": "one more"}, "inbound_nodes": []})

    return change


def with_option(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1]["config"][name] = value

    return change


def two_outputs(config: dict[str, Any]) -> None:
    config["config"]["output_layers"] = [["mine", 0, 0], ["rnn", 0, 0]]


def head_on_the_inputs(config: dict[str, Any]) -> None:
    layers = config["config"]["layers"]
    layers[2]["inbound_nodes"] = layers[1]["inbound_nodes"]


def called_twice(config: dict[str, Any]) -> None:
    config["config"]["layers"][1]["inbound_nodes"] *= 2


def two_inputs(config: dict[str, Any]) -> None:
    config["config"]["layers"].insert(1, {**config["config"]["layers"][0], "name": "state"})


def of_another_kind(config: dict[str, Any]) -> None:
    config.update(class_name="Mine", config={"units": 3})


def of_module(module: str, registered: str | None) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][1] |= {"module": module, "registered_name": registered}

    return change


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_layer("Lambda"), "its Lambda (one more) runs code that the file brings, which is never done here"),
        (with_option("time_major", True), "its SimpleRNN (rnn) has time_major=True"),
        (with_option("units", 5), "its layer0/Wx has shape (3, 4), expected (3, 5)"),
        (with_option("units", "many"), "its SimpleRNN (rnn): units must be a whole number, not 'many'"),
        (with_option("use_bias", False), "it has 5 arrays, and D=3 -> SimpleRNN(4, use_bias=False) -> Dense(2) has 4"),
        (with_option("activation", "no such"), "its SimpleRNN (rnn): unknown activation 'no such'"),
        (
            with_option("activation", {"class_name": "function", "config": "cube"}),
            "its SimpleRNN (rnn) has an activation of the user's own, the function 'cube': what a file names is not",
        ),
        (
            with_option("activation", {"class_name": "__lambda__", "config": {"value": "none"}}),
            "its SimpleRNN (rnn) has an activation of the user's own, which is stored as code:",
        ),
        (of_module("mine", "mine>SimpleRNN"), "is no layer of Keras but 'mine>SimpleRNN', a class of somebody's own"),
        (of_module("os", None), "is no layer of Keras but 'os', a class of somebody's own"),
        (with_option("dtype", "int8"), "its layers compute under the policy int8: known are float32"),
        (two_outputs, "its outputs are those of mine, rnn, and those of a chain come last"),
        (two_inputs, "it has 2 inputs (inputs, state), and a chain of layers has one"),
        (head_on_the_inputs, "comes SimpleRNN (rnn) and Dense (mine), and in a chain each layer is called once"),
        (called_twice, "its SimpleRNN (rnn) is called 2 times, and in a chain each layer is called once"),
        (of_another_kind, "what a Mine computes is not known: only Sequential and functional models say their layers"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
@pytest.mark.filterwarnings("ignore")
def test_other_models(change: Any, sentence: str, suffix: str, tmp_path: Path) -> None:
    file = changed(tmp_path, suffix, change)
    with pytest.raises(ImplementationError, match=re.escape(sentence)) as raised:
        read_model(file)
    assert str(raised.value).startswith(f"the model {file} cannot be read: ")


RECURRENT_PART = Spec(3, LSTM(4, return_sequences=True))


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (("k.Dense(3)", "k.LSTM(4, return_sequences=True)"), "its Dense (dense) stands before the recurrent layers"),
        (("k.LSTM(4, return_sequences=True)", "k.Flatten()"), "behind its recurrent layers stands Flatten (flatten)"),
        (
            ("k.LSTM(4, return_sequences=True)", "k.Dense(2)", "k.Dense(1)", "k.LeakyReLU()"),
            "behind its Dense (dense_1) stands LeakyReLU",
        ),
    ],
)
def test_what_stands_round_the_recurrent_layers(layers: Any, sentence: str, tmp_path: Path) -> None:
    """It is refused by name, or left out where the user says so."""
    _, keras = load()
    keras.backend.clear_session()
    sequential(*layers, T=5).save(tmp_path / "model.keras")
    with pytest.raises(ImplementationError, match=re.escape(sentence)) as raised:
        read_model(tmp_path / "model.keras")
    assert "part='recurrent' (--rnn-equiv-model-part recurrent) reads the recurrent layers" in str(raised.value)
    spec, weights = read_model(tmp_path / "model.keras", part="recurrent")
    assert spec == RECURRENT_PART
    assert len(weights) == 3
    with pytest.raises(ValueError, match="part must be 'whole', 'recurrent' or the name of a recurrent layer, not ''"):
        read_model(tmp_path / "model.keras", part="")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore")
def test_each_layer_by_itself(suffix: str, tmp_path: Path) -> None:
    """Of an encoder and a decoder, which are no chain: the decoder is called on states, and lies in a model inside."""
    _, keras = load()
    x, y = keras.Input((None, 3)), keras.Input((None, 2))
    _, *states = keras.layers.LSTM(4, return_state=True, name="encoder")(x)
    inner = [keras.Input((None, 2)), keras.Input((4,)), keras.Input((4,))]
    decoder = keras.layers.LSTM(4, return_sequences=True, name="decoder")
    decoded = keras.Model(inner, decoder(inner[0], initial_state=inner[1:]), name="inside")([y, *states])
    model, file = keras.Model([x, y], keras.layers.Dense(2)(decoded)), tmp_path / f"model.{suffix}"
    model.save(file)
    sentence = "part='encoder' (--rnn-equiv-model-part encoder) reads the layer of that name by itself (it has encoder,"
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(file, part="recurrent")
    for name, spec in (
        ("encoder", Spec(3, LSTM(4, return_state=True))),
        ("decoder", Spec(2, LSTM(4, return_sequences=True, initial_state=True))),
    ):
        got, weights = read_model(file, part=name)
        assert got == spec
        own = decoder if name == "decoder" else model.get_layer(name)
        assert all(map(np.array_equal, weights, own.get_weights()))
    with pytest.raises(ImplementationError, match="no recurrent layer of the name 'lstm'; it has encoder, decoder"):
        read_model(file, part="lstm")


def test_code_behind_the_recurrent_layers_is_left_out_with_them(tmp_path: Path) -> None:
    sequential("k.GRU(2)", "k.Dense(1)", "k.Lambda(lambda x: 100 * x)").save(tmp_path / "model.keras")
    sentence = r"its Lambda \(.*\) runs code that the file brings, which is never done here. part='recurrent'"
    with pytest.raises(ImplementationError, match=sentence):
        read_model(tmp_path / "model.keras")
    assert read_model(tmp_path / "model.keras", part="recurrent")[0] == Spec(3, GRU(2))
    layers = ("k.GRU(2, return_sequences=True)", "k.Lambda(lambda x: 100 * x)", "k.GRU(3)")
    sequential(*layers).save(tmp_path / "model.keras")
    with pytest.raises(ImplementationError, match=r"its Lambda \(.*\) runs code"):
        read_model(tmp_path / "model.keras", part="recurrent")


def test_a_softmax_that_takes_the_mask_of_steps_for_one_of_features(tmp_path: Path) -> None:
    layers = ("k.Masking()", "k.GRU(2, return_sequences=True)", "k.Dense(5)", "k.Softmax()")
    sequential(*layers, T=5).save(tmp_path / "model.keras")
    with pytest.raises(ImplementationError, match=r"stands Softmax \(softmax"):
        read_model(tmp_path / "model.keras")


def test_what_stands_between_them_is_never_left_out(tmp_path: Path) -> None:
    sequential("k.GRU(2, return_sequences=True)", "k.LayerNormalization()", "k.GRU(2)").save(tmp_path / "model.keras")
    between = (
        r"its LayerNormalization \(.*\) stands between recurrent layers.*part='gru(_\d+)?' \(--rnn-equiv-model-part"
    )
    with pytest.raises(ImplementationError, match=between):
        read_model(tmp_path / "model.keras", part="recurrent")
    sequential("k.Dense(2)").save(tmp_path / "model.keras")
    with pytest.raises(ImplementationError, match="it has no recurrent layer of SimpleRNN, GRU, LSTM, RNN"):
        read_model(tmp_path / "model.keras")


@pytest.mark.filterwarnings("ignore")
def test_an_activation_that_was_another_function(tmp_path: Path) -> None:
    """``hard_sigmoid`` of Keras 2 has a slope of 0.2; a recurrent layer of Keras 1 had it for its gates."""
    file = tmp_path / "model.h5"
    sequential("k.LSTM(2, recurrent_activation='hard_sigmoid')", "k.Dense(1, activation='hard_sigmoid')").save(file)
    (layer,), head = (spec := read_model(file)[0]).layers, spec.head
    assert head is not None
    assert (vars(layer.directions[0].kinds[0])["recurrent_activation"].name, head.activation.name) == (
        "hard_sigmoid",
    ) * 2
    with h5py.File(file, "r+") as stored:
        stored["model_weights"].attrs["keras_version"] = "2.15.0"
    (layer,), head = (spec := read_model(file)[0]).layers, spec.head
    assert head is not None
    assert vars(layer.directions[0].kinds[0])["recurrent_activation"] == HARD_SIGMOID_OF_KERAS_2 == head.activation
    weights = [np.random.default_rng(i).standard_normal(w.shape) for i, w in enumerate(read_model(file)[1])]
    case = Case(spec, np.random.default_rng(9).standard_normal((2, 4, 3)), weights=weights)
    assert judge(case, KerasCall().run(case)).equivalent
    assert [HARD_SIGMOID_OF_KERAS_2.function(np.array(a)) for a in (-3, -2.5, 0, 1, 2.5)] == [0, 0, 0.5, 0.7, 1]


def test_models_at_hand_that_are_none() -> None:
    _, keras = load()

    class Mine(keras.Model):  # type: ignore[misc, name-defined]  # Keras is Any here
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = keras.layers.SimpleRNN(2), keras.layers.Dense(1)

    with pytest.raises(ImplementationError, match="what a Mine computes is not known"):
        read_live(Mine())

    def tanh(a: Any) -> Any:
        return a / 2

    for layer in ("SimpleRNN", "GRU"):
        for own in (
            getattr(keras.layers, layer)(2, activation=tanh),
            keras.layers.RNN([getattr(keras.layers, f"{layer}Cell")(2, activation=tanh)]),
            keras.layers.LSTM(2, recurrent_activation=tanh),
        ):
            with pytest.raises(ImplementationError, match="nothing is known of the activation <function"):
                read_live(keras.Sequential([keras.Input((3, 2)), own]))


def rewritten(tmp_path: Path, change: Callable[[Any, str], None]) -> Path:
    """Save a model in each format, and store one of its arrays in another way."""
    file = tmp_path / "model.h5"
    functional().save(file)
    with h5py.File(file, "r+") as stored:
        group = stored["model_weights/mine"]
        name = group.attrs["weight_names"][0]
        if change is not link_to_a_file and change is not soft_link:
            del group[name]
        change(group, name)
    return file


def compressed(group: Any, name: str) -> None:
    group.create_dataset(name, data=np.zeros((4, 2), np.float32), compression="gzip")


def elsewhere(group: Any, name: str) -> None:
    group.create_dataset(name, (4, 2), np.float32, external=[("other.bin", 0, 32)])


def virtual(group: Any, name: str) -> None:
    layout = h5py.VirtualLayout((4, 2), np.float32)
    layout[...] = h5py.VirtualSource("other.h5", "data", (4, 2))
    group.create_virtual_dataset(name, layout)


def never_written(group: Any, name: str) -> None:
    group.create_dataset(name, (2**20, 2**20), np.float32)


def whole_numbers(group: Any, name: str) -> None:
    group.create_dataset(name, data=np.zeros((4, 2), np.int32))


def missing(group: Any, name: str) -> None:
    pass


def link_to_a_file(group: Any, name: str) -> None:
    parent = group.parent
    del parent["mine"]
    parent["mine"] = h5py.ExternalLink("other.h5", "data")


def soft_link(group: Any, name: str) -> None:
    parent = group.parent
    del parent["mine"]
    parent["mine"] = h5py.SoftLink("/model_weights/rnn")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (compressed, "is compressed, or lies in another file: neither is read"),
        (elsewhere, "is compressed, or lies in another file: neither is read"),
        (virtual, "is compressed, or lies in another file: neither is read"),
        (never_written, "should have 1099511627776 numbers, which the file does not hold"),
        (whole_numbers, "is no array of floats"),
        (missing, "in it"),
        (link_to_a_file, "its mine is a link, which is not followed"),
        (soft_link, "its mine is a link, which is not followed"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_arrays_that_do_not_lie_in_the_file(change: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ImplementationError, match=re.escape(sentence)):
        read_model(rewritten(tmp_path, change))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no model", "it is no HDF5 file"),
        (None, "it is not there"),
        ("folder", "it is a directory"),
        ("weights", "it holds weights and no architecture: save the whole model, by model.save"),
        ("archive", "it is no HDF5 file, but a zip archive: is it a .keras file?"),
        (b"\x89HDF\r\n\x1a\n broken", "OSError: "),
    ],
    ids=["text", "missing", "folder", "weights", "archive", "broken"],
)
@pytest.mark.filterwarnings("ignore")
def test_files_that_are_no_model(content: Any, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "model.weights.h5"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "folder":
        file.mkdir()
    elif content == "weights":
        build_simple_rnn().save_weights(file)
    elif content == "archive":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("readme", "nothing")
    with pytest.raises(ImplementationError, match=re.escape(f"the model {file} cannot be read: {sentence}")):
        read_model(file)


def test_an_archive_that_unfolds_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared sizes are summed before anything is read: of one member, and of many small ones."""
    from pytest_rnnequiv.implementations.files import limits

    monkeypatch.setattr(limits, "LARGEST", 2**20)
    file = tmp_path / "model.keras"
    for members in (1, 32):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(members):
                archive.writestr(f"config{i}.json", b" " * (2**21 // members))
        assert os.path.getsize(file) < 10_000
        with pytest.raises(
            ImplementationError, match="unfolded, it would take 2,097,152 bytes, and no more than 1,048,57"
        ):
            read_model(file)
    monkeypatch.setattr(limits, "MOST_MEMBERS", 10)
    with pytest.raises(ImplementationError, match="it has 32 members, and no more than 10 are read"):
        read_model(file)
    monkeypatch.setattr(limits, "LARGEST", 1000)
    with pytest.raises(ImplementationError, match="it would take .* bytes, and no more than 1,000 are read"):
        limits.bounded(str(file), 1000)


def test_an_archive_that_lacks_something(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(ImplementationError, match=r"it has no config.json in it"):
        read_model(file)
    file.write_bytes(b"no model")
    with pytest.raises(ImplementationError, match=r"it is no .keras file, which is a zip archive"):
        read_model(file)


@pytest.mark.parametrize("kind", ["Lambda", "TFOpLambda", "TFSMLayer"])
def test_layers_that_are_code(kind: str) -> None:
    """Wherever they stand, and in whatever they stand: what is read never holds one."""
    from pytest_rnnequiv.implementations.files.keras_config import chain, read

    rnn = {"class_name": "GRU", "config": {"name": "rnn", "units": 2, "return_sequences": True}}
    own = {"class_name": kind, "config": {"name": "own"}}
    inside = {"class_name": "Sequential", "config": {"layers": [own]}}
    around = {"class_name": "Bidirectional", "config": {"name": "both", "layer": own}}
    for layers, parts in (
        ([rnn, own], ["whole"]),
        ([rnn, inside, rnn], ["whole", "recurrent"]),
        ([around], ["whole", "recurrent", "both"]),
    ):
        for part in parts:
            with pytest.raises(ImplementationError, match=rf"its {kind} \(own\) (runs|calls) .* never done here"):
                read(chain({"class_name": "Sequential", "config": {"layers": layers}}, part), lambda _: [], part=part)


def test_a_configuration_that_is_nested_too_deeply(tmp_path: Path) -> None:
    file = tmp_path / "model.keras"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", "[" * 100_000)
    with pytest.raises(ImplementationError, match="it is nested too deeply"):
        read_model(file)


def test_suffixes(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(b"anything")
    with pytest.raises(
        ImplementationError, match=r"its suffix says nothing that is known: expected one of .keras, .h5"
    ):
        read_model(file)
    with pytest.raises(ImplementationError, match="it is a directory and no SavedModel: expected one of"):
        read_model(tmp_path)


def test_without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImplementationError, match="cannot be read: that needs h5py: pip install h5py"):
        read_model("model.h5")


def test_an_archive_is_read_without_being_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_simple_rnn().save(tmp_path / "model.keras")
    before = {*tmp_path.iterdir()}
    monkeypatch.setattr(zipfile.ZipFile, "extract", None)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", None)
    read_model(tmp_path / "model.keras")
    assert {*tmp_path.iterdir()} == before
