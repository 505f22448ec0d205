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

from pytest_rnnequiv import Spec
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files import read_file
from pytest_rnnequiv.implementations.keras import build_simple_rnn, load, read_model

h5py = pytest.importorskip("h5py")
pytest.importorskip("tensorflow")

MODELS = Path(__file__).parents[1] / "models"


def functional(**options: Any) -> Any:
    _, keras = load()
    x = keras.Input((None, 3), name="inputs")
    h = keras.layers.SimpleRNN(4, name="rnn", **options)(x)
    return keras.Model(x, keras.layers.Dense(2, name="mine")(h))


BUILT: dict[str, Callable[[], Any]] = {
    "sequential": lambda: build_simple_rnn(T=4, D=2, M=3, K=1, activation="relu"),
    "functional": functional,
    "no biases": lambda: functional(use_bias=False),
    "every output": lambda: build_simple_rnn(return_sequences=True, head_activation="softmax"),
    "dropout": lambda: functional(dropout=0.5, recurrent_dropout=0.25, unroll=False, trainable=False),
    "float64": lambda: build_simple_rnn(dtype="float64", activation="leaky_relu"),
    "mixed": lambda: build_simple_rnn(dtype="mixed_float16"),
    "linear": lambda: build_simple_rnn(activation=None, head_activation="hard_sigmoid"),
}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", BUILT)
@pytest.mark.filterwarnings("ignore")  # that .h5 is the old format
def test_it_reads_what_keras_reads(name: str, suffix: str, tmp_path: Path) -> None:
    _, keras = load()
    model = BUILT[name]()
    model.set_weights([np.random.default_rng(i).standard_normal(w.shape) for i, w in enumerate(model.get_weights())])
    file = tmp_path / f"model.{suffix}"
    model.save(file)
    theirs = read_model(keras.saving.load_model(file, compile=False))
    for spec, weights in (read_file(file), read_model(file), read_model(model)):
        assert spec == theirs[0]
        assert [w.dtype for w in weights] == [w.dtype for w in theirs[1]]
        assert all(map(np.array_equal, weights, theirs[1]))


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_was_trained(tmp_path: Path) -> None:
    model = build_simple_rnn()
    model.compile("adam", "mse")
    model.fit(np.ones((2, 10, 3)), np.ones((2, 2)), verbose=0)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"model.{suffix}")
        assert all(map(np.array_equal, read_file(tmp_path / f"model.{suffix}")[1], model.get_weights()))


def ramp(spec: Spec, without: str) -> list[Any]:
    """Weights that count up in eighths, as those of the files are."""
    first, weights = 0, []
    for name, full in spec.letters.items():
        shape = spec.weight_shapes[full]
        size = 0 if name == without else int(np.prod(shape))
        weights.append(np.zeros(shape) if name == without else (first + np.arange(size)).reshape(shape) / 8)
        first += size
    return weights


@pytest.mark.parametrize(
    ("file", "spec", "without"),
    [
        ("keras2_sequential.h5", Spec.simple(2, 3, 1, "relu"), "bo"),
        ("keras2_functional.h5", Spec.simple(2, 3, 1, head_activation="softmax"), "bh"),
        ("keras2_functional.keras", Spec.simple(2, 3, 1, head_activation="softmax"), "bh"),
    ],
)
def test_files_of_keras_2(file: str, spec: Spec, without: str) -> None:
    """Which Keras 3 cannot load: it does not know ``time_major``."""
    got, weights = read_file(MODELS / file)
    assert got == spec
    assert all(map(np.array_equal, weights, ramp(spec, without)))


def test_no_keras_is_needed() -> None:
    """Nothing of it is imported, so nothing of it can run what a file names."""
    code = (
        "import sys\nfrom pytest_rnnequiv.implementations.declaration import fixed_model\n"
        f"print(fixed_model({str(MODELS / 'keras2_sequential.h5')!r})[0])\n"
        "print({'keras', 'tensorflow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "SimpleRNN(D=2, M=3, K=1, activation=relu)\nset()\n"


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


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_layer("Lambda"), "it is SimpleRNN -> Dense -> Lambda: Lambda is not covered"),
        (with_layer("Dense"), "it is SimpleRNN -> Dense -> Dense: more than one Dense is not covered"),
        (with_option("go_backwards", True), "the model's SimpleRNN has go_backwards=True, which is not covered"),
        (with_option("return_state", True), "the model's SimpleRNN has return_state=True, which is not covered"),
        (with_option("time_major", True), "the model's SimpleRNN has time_major=True, which is not covered"),
        (with_option("units", 5), "the model's Wx has shape (3, 4), expected (3, 5)"),
        (with_option("units", "many"), "the model's layers are not covered: M must be a whole number, not 'many'"),
        (with_option("use_bias", False), "the model's SimpleRNN has 3 weights, expected 2"),
        (with_option("activation", "no such"), "the model's layers are not covered: unknown activation 'no such'"),
        (
            with_option("activation", {"class_name": "function", "config": "cube"}),
            "SimpleRNN has an activation of the user's own, the function 'cube'; give model = (Spec, weights)",
        ),
        (
            with_option("activation", {"class_name": "__lambda__", "config": {"value": "none"}}),
            "SimpleRNN has an activation of the user's own, which is stored as code;",
        ),
        (two_outputs, "with one input and one output"),
        (two_inputs, "with one input and one output"),
        (head_on_the_inputs, "each called once on what comes before"),
        (called_twice, "each called once on what comes before"),
        (of_another_kind, "what a Mine computes is not known: only Sequential and functional models say it"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
@pytest.mark.filterwarnings("ignore")
def test_other_models(change: Any, sentence: str, suffix: str, tmp_path: Path) -> None:
    file = changed(tmp_path, suffix, change)
    with pytest.raises(ImplementationError, match=re.escape(sentence)) as raised:
        read_file(file)
    assert str(raised.value).startswith(f"the model {file} cannot be read: ")


@pytest.mark.filterwarnings("ignore")
def test_an_activation_that_was_another_function(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["config"]["layers"][2]["config"]["activation"] = "hard_sigmoid"

    file = changed(tmp_path, "h5", change)
    assert read_file(file)[0].head_activation.name == "hard_sigmoid"
    with h5py.File(file, "r+") as stored:
        stored["model_weights"].attrs["keras_version"] = "2.15.0"
    with pytest.raises(ImplementationError, match=r"Keras 2.15.0 wrote it, whose hard_sigmoid is clip\(0.2 x"):
        read_file(file)


def test_models_at_hand_that_are_none() -> None:
    _, keras = load()

    class Mine(keras.Model):  # type: ignore[misc, name-defined]  # Keras is Any here
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = keras.layers.SimpleRNN(2), keras.layers.Dense(1)

    with pytest.raises(ImplementationError, match="what a Mine computes is not known"):
        read_model(Mine())
    own = build_simple_rnn(activation=lambda a: a / 2)
    with pytest.raises(ImplementationError, match="nothing is known of the activation <function"):
        read_model(own)
    x = keras.Input((3, 2))
    reused = keras.layers.Dense(1)
    stacked = keras.Model(x, reused(keras.layers.Bidirectional(keras.layers.SimpleRNN(2))(x)))
    with pytest.raises(ImplementationError, match="it is Bidirectional -> Dense: Bidirectional is not covered"):
        read_model(stacked)


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
        read_file(rewritten(tmp_path, change))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no model", "it is neither a .keras file nor an .h5 file"),
        (None, "it is not there, and a .keras or .h5 file was expected"),
        ("folder", "it is a directory, and a .keras or .h5 file was expected"),
        ("weights", "it holds weights and no architecture: save the whole model, by model.save"),
        ("archive", "it has no config.json in it"),
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
        read_file(file)


def test_a_member_that_unfolds_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_rnnequiv.implementations import files

    monkeypatch.setattr(files, "LARGEST", 2**20)
    file = tmp_path / "model.keras"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 2**21)
    assert os.path.getsize(file) < 10_000
    with pytest.raises(ImplementationError, match="its config.json is larger than 1 MiB"):
        read_file(file)


def test_without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImplementationError, match="cannot be read without h5py: pip install h5py"):
        read_file("model.h5")


def test_an_archive_is_read_without_being_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_simple_rnn().save(tmp_path / "model.keras")
    before = {*tmp_path.iterdir()}
    monkeypatch.setattr(zipfile.ZipFile, "extract", None)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", None)
    read_file(tmp_path / "model.keras")
    assert {*tmp_path.iterdir()} == before
