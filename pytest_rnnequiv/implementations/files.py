"""Models that lie on disk: ``.keras`` and ``.h5`` files are read here as data, and nothing in them is run.

Keras makes a model of such a file by building whatever the file names, and the file may name code. Release after
release has closed a way to have it run: ``safe_mode`` was ignored for ``.h5`` until 3.11.3 (CVE-2025-9905), and was got
round in ``.keras`` until 3.9.0, 3.11.0, 3.11.3 and 3.14.0 (CVE-2025-1550, CVE-2025-9906, CVE-2025-49655,
CVE-2026-1462). For one recurrent layer and a head no model has to be built: two layers by name, a few options and five
arrays are enough. So no release of Keras matters here, and none has to be installed.

Links and datasets that lead out of the file are refused, and arrays that are not stored as they are: an array cannot be
larger than its file.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model.spec import Spec
from .errors import ImplementationError

__all__ = ["Model", "assemble", "plain_layers", "read_file"]

Model = tuple[Spec, tuple[npt.NDArray[Any], ...]]

#: Bytes of a member of a ``.keras`` archive that are read.
LARGEST = 2**30

#: Where the layers' weights lie in a ``.keras`` file; the second is that of Keras 2.12.
ROOTS = ("layers", "_layer_checkpoint_dependencies")


def read_file(file: str | os.PathLike[str]) -> Model:
    """Read spec and weights off a file that Keras saved, as data.

    Parameters
    ----------
    file : path
        A ``.keras`` file of Keras 3 or 2, or an ``.h5`` file of any release.

    Returns
    -------
    spec, weights
        ``weights`` in the order of ``get_weights()``; a bias that the model does without is zeros.

    Raises
    ------
    ImplementationError
        If it is no such file, or its model is not ``SimpleRNN -> Dense``; the message says what was found.
    """
    path = os.fspath(file)
    try:
        import h5py
    except ImportError as error:
        raise ImplementationError(f"the model {path} cannot be read without h5py: pip install h5py") from error
    with _told(path):
        if zipfile.is_zipfile(path):
            return _read_archive(path, h5py)
        if not os.path.isfile(path):
            found = "a directory" if os.path.isdir(path) else "not there"
            raise ImplementationError(f"it is {found}, and a .keras or .h5 file was expected")
        if not h5py.is_hdf5(path):
            raise ImplementationError("it is neither a .keras file nor an .h5 file")
        with h5py.File(path, "r") as stored:
            return _read_hdf5(stored, h5py)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Name the file in every sentence."""
    try:
        yield
    except ImplementationError as error:
        raise ImplementationError(f"the model {path} cannot be read: {error}") from None
    except Exception as error:  # a broken file raises anything
        raise ImplementationError(f"the model {path} cannot be read: {type(error).__name__}: {error}") from error


# ---- what a configuration says ----


def plain_layers(config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find the recurrent layer and the head in a model's configuration.

    Parameters
    ----------
    config : mapping
        ``{"class_name": ..., "config": ...}``, as Keras writes it.

    Returns
    -------
    dict, dict
        The configurations of the SimpleRNN and of the Dense layer.

    Raises
    ------
    ImplementationError
        If the model is another one; the message names the layer that is not covered.
    """
    inner = config.get("config")
    entries = inner if isinstance(inner, list) else (inner or {}).get("layers")  # a list before Keras 2.3
    if not isinstance(entries, list):
        raise ImplementationError(
            f"the model must be SimpleRNN -> Dense, and what a {config.get('class_name')} computes is not known: only "
            "Sequential and functional models say it"
        )
    inputs = [each for each in entries if each.get("class_name") == "InputLayer"]
    layers = [each for each in entries if each.get("class_name") != "InputLayer"]
    kinds = [str(each.get("class_name")) for each in layers]
    if kinds != ["SimpleRNN", "Dense"]:
        raise ImplementationError(
            f"the model must be SimpleRNN -> Dense, and it is {' -> '.join(kinds) or 'empty'}: {_in_the_way(kinds)}"
        )
    if len(inputs) > 1 or any("inbound_nodes" in each for each in layers):
        _see_chain(inner, inputs, layers)
    rnn, dense = (each["config"] for each in layers)
    for option in ("go_backwards", "stateful", "return_state", "time_major"):
        if rnn.get(option):
            raise ImplementationError(f"the model's SimpleRNN has {option}=True, which is not covered")
    return rnn, dense


def _in_the_way(kinds: list[str]) -> str:
    """Say which layer is not covered."""
    other = next((kind for kind in kinds if kind not in ("SimpleRNN", "Dense")), None)
    if other is not None:
        return f"{other} is not covered"
    for kind in ("SimpleRNN", "Dense"):
        if kinds.count(kind) != 1:
            return f"{'more than one' if kind in kinds else 'no'} {kind} is not covered"
    return "Dense before SimpleRNN is not covered"


def _see_chain(config: Mapping[str, Any], inputs: list[Any], layers: list[Any]) -> None:
    """See that a functional model is a chain: one input, each layer called once, on the one before."""
    names = [_name(each) for each in [*inputs, *layers]]
    calls = [[list(_sources(node)) for node in each.get("inbound_nodes", ())] for each in layers]
    ends = list(_sources(config.get("output_layers")))
    if len(inputs) != 1 or calls != [[[name]] for name in names[:2]] or ends != names[2:]:
        raise ImplementationError(
            "the model must be SimpleRNN -> Dense, each called once on what comes before, with one input and one output"
        )


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry["config"]["name"])


def _sources(node: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs a call is given, wherever they stand in its record."""
    if isinstance(node, dict):
        history = node.get("config", {}).get("keras_history") if isinstance(node.get("config"), dict) else None
        for each in [history] if history else node.values():
            yield from _sources(each)
    elif isinstance(node, (list, tuple)):
        if len(node) >= 3 and isinstance(node[0], str) and all(isinstance(i, int) for i in node[1:3]):
            yield node[0]
            node = node[3:]
        for each in node:
            yield from _sources(each)


def assemble(
    rnn: Mapping[str, Any], dense: Mapping[str, Any], weights: Callable[[str], Sequence[npt.NDArray[Any]]]
) -> Model:
    """Put spec and weights together.

    Parameters
    ----------
    rnn, dense : mapping
        The layers' configurations.
    weights : callable
        ``"SimpleRNN"`` or ``"Dense"`` -> that layer's arrays, in the order of ``get_weights()``.

    Raises
    ------
    ImplementationError
        If they do not fit together, or Spec does not know such a thing.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for kind, config, names in (("SimpleRNN", rnn, ("Wx", "Wh", "bh")), ("Dense", dense, ("Wo", "bo"))):
        used = names if config.get("use_bias", True) else names[:-1]
        arrays = weights(kind)
        if len(arrays) != len(used):
            raise ImplementationError(f"the model's {kind} has {len(arrays)} weights, expected {len(used)}")
        found |= dict(zip(used, arrays, strict=True))
    kernel = found["Wx"]
    activations = [_activation(kind, config) for kind, config in (("SimpleRNN", rnn), ("Dense", dense))]
    try:
        D = kernel.shape[0] if kernel.ndim == 2 else 0
        spec = Spec.simple(D, rnn["units"], dense["units"], activations[0], str(kernel.dtype), activations[1])
    except (TypeError, ValueError) as error:
        raise ImplementationError(f"the model's layers are not covered: {error}") from None
    for letter, name in spec.letters.items():
        shape = spec.weight_shapes[name]
        found.setdefault(letter, np.zeros(shape, spec.dtype))
        if found[letter].shape != shape:
            raise ImplementationError(f"the model's {letter} has shape {found[letter].shape}, expected {shape}")
    return spec, tuple(found[letter] for letter in spec.letters)


def _activation(kind: str, config: Mapping[str, Any]) -> Any:
    given = config.get("activation", "linear")
    if isinstance(given, dict):  # a function by its module and name, or a lambda by its code
        raise ImplementationError(
            f"the model's layers are not covered: {kind} has an activation of the user's own, {_function(given)}; give "
            "model = (Spec, weights) with an Activation that says what is known of it"
        )
    return given


def _function(config: Mapping[str, Any]) -> str:
    inner = config.get("config")
    return f"the function {inner!r}" if isinstance(inner, str) else "which is stored as code"


# ---- what a file holds ----


def _read_archive(path: str, h5py: Any) -> Model:
    """Read a ``.keras`` file: an archive of the configuration and of the weights."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(_member(archive, "config.json"))
        rnn, dense = plain_layers(config)
        version = json.loads(_member(archive, "metadata.json")).get("keras_version", "")
        _same_function(rnn, dense, version)
        with h5py.File(io.BytesIO(_member(archive, "model.weights.h5")), "r") as stored:
            places = {"SimpleRNN": "simple_rnn/cell/vars", "Dense": "dense/vars"}

            def weights(kind: str) -> list[npt.NDArray[Any]]:
                root = next((name for name in ROOTS if name in stored), ROOTS[0])
                group = _child(stored, f"{root}/{places[kind]}", h5py)
                return [_array(group, name, h5py) for name in sorted(group, key=int)]

            return assemble(rnn, dense, weights)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise ImplementationError(f"it has no {name} in it") from None
    if member.file_size > LARGEST:
        raise ImplementationError(f"its {name} is larger than {LARGEST >> 20} MiB")
    return archive.read(member)


def _read_hdf5(stored: Any, h5py: Any) -> Model:
    """Read an ``.h5`` file: the configuration is an attribute, and the weights lie in a group for each layer."""
    if "model_config" not in stored.attrs:
        raise ImplementationError("it holds weights and no architecture: save the whole model, by model.save")
    rnn, dense = plain_layers(json.loads(_text(stored.attrs["model_config"])))
    group = _child(stored, "model_weights", h5py)
    version = next(
        (_text(each.attrs["keras_version"]) for each in (group, stored) if "keras_version" in each.attrs), ""
    )
    _same_function(rnn, dense, version)
    named = {"SimpleRNN": rnn["name"], "Dense": dense["name"]}

    def weights(kind: str) -> list[npt.NDArray[Any]]:
        own = _child(group, named[kind], h5py)
        return [_array(own, _text(name), h5py) for name in own.attrs["weight_names"]]

    return assemble(rnn, dense, weights)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _same_function(rnn: Mapping[str, Any], dense: Mapping[str, Any], version: str) -> None:
    """Refuse the one activation that is another function in Keras 2."""
    if version[:1] in ("1", "2") and "hard_sigmoid" in (rnn.get("activation"), dense.get("activation")):
        raise ImplementationError(
            f"the model's layers are not covered: Keras {version} wrote it, whose hard_sigmoid is clip(0.2 x + 0.5, 0, "
            "1), while Keras 3's is clip(x / 6 + 0.5, 0, 1)"
        )


def _child(group: Any, path: str, h5py: Any) -> Any:
    """Go down into a file, by its own groups and datasets only: a link may lead into any other file."""
    for name in path.split("/"):
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise ImplementationError(f"it has no {path} in it")
        if not isinstance(link, h5py.HardLink):
            raise ImplementationError(f"its {path} is a link, which is not followed")
        group = group[name]
    return group


def _array(group: Any, path: str, h5py: Any) -> npt.NDArray[Any]:
    """Read an array that lies in the file as it is: not in other files, and not unfolded from less."""
    dataset = _child(group, path, h5py)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise ImplementationError(f"its {path} is no array of floats")
    properties = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external or properties.get_nfilters():
        raise ImplementationError(f"its {path} is compressed, or lies in another file: neither is read")
    if dataset.id.get_storage_size() != dataset.size * dataset.dtype.itemsize:
        raise ImplementationError(f"its {path} should have {dataset.size} numbers, which the file does not hold")
    return np.array(dataset)
