"""HDF5 files, and archives of one: ``.h5`` of any Keras, ``.keras`` of Keras 2.12 and later.

Links and datasets that lead out of the file are refused, and arrays that are not stored as they are: an array cannot be
larger than its file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import ImplementationError
from .keras_config import RECURRENT, Entry, chain, read
from .limits import LARGEST_TEXT, bounded, member, seen_zip
from .model import Model, Part

__all__ = ["Stored", "archive", "hdf5", "read_archive", "read_hdf5"]

Array = npt.NDArray[Any]

#: Where the layers' weights lie in a ``.keras`` file; the second is that of Keras 2.12.
ROOTS = ("layers", "_layer_checkpoint_dependencies")


@dataclass(frozen=True, eq=False)
class Stored:
    """A model as a file has it: its configuration, the arrays of each layer, and the Keras that wrote it."""

    config: Any
    weights: Callable[[Entry], list[Array]]
    version: str


def read_archive(path: str, part: Part = "whole") -> Model:
    """Read a ``.keras`` file: an archive of the configuration and of the weights."""
    with archive(path) as stored:
        return read(chain(stored.config, part), stored.weights, stored.version, part)


def read_hdf5(path: str, part: Part = "whole") -> Model:
    """Read an ``.h5`` file: the configuration is an attribute, and the weights lie in a group for each layer."""
    with hdf5(path) as stored:
        return read(chain(stored.config, part), stored.weights, stored.version, part)


@contextmanager
def archive(path: str) -> Iterator[Stored]:
    """Open a ``.keras`` file."""
    bounded(path)
    if not zipfile.is_zipfile(path):
        raise ImplementationError("it is no .keras file, which is a zip archive" + _other(path))
    with zipfile.ZipFile(path) as members:
        seen_zip(members)
        config = json.loads(member(members, "config.json", LARGEST_TEXT))
        version = json.loads(member(members, "metadata.json", LARGEST_TEXT)).get("keras_version", "")
        with h5py.File(io.BytesIO(member(members, "model.weights.h5")), "r") as stored:
            root = next((name for name in ROOTS if name in stored), ROOTS[0])

            def weights(entry: Entry) -> list[Array]:
                place = f"/{root}/".join(_group(each.kind, each.number) for each in (*entry.within, entry))
                group = _child(stored, f"{root}/{place}")
                return [array for inner in _inside(entry) for array in _numbered(group, inner, _floats_of(entry))]

            yield Stored(config, weights, str(version))


@contextmanager
def hdf5(path: str) -> Iterator[Stored]:
    """Open an ``.h5`` file."""
    bounded(path)
    if not h5py.is_hdf5(path):
        raise ImplementationError("it is no HDF5 file" + _other(path))
    with h5py.File(path, "r") as stored:
        if "model_config" not in stored.attrs:
            raise ImplementationError("it holds weights and no architecture: save the whole model, by model.save")
        group = _child(stored, "model_weights")
        versions = [_text(each.attrs["keras_version"]) for each in (group, stored) if "keras_version" in each.attrs]

        def weights(entry: Entry) -> list[Array]:
            own = _child(group, (*entry.within, entry)[0].name)
            names = [_text(name) for name in own.attrs["weight_names"]]
            if entry.within:  # those of a model inside lie in one group, under the names of its layers
                names = [name for name in names if entry.name in name.split("/")[:-1]]
            return [_array(own, name) for name in names[: _floats_of(entry)]]

        yield Stored(json.loads(_text(stored.attrs["model_config"])), weights, next(iter(versions), ""))


def _floats_of(entry: Entry) -> int | None:
    """How many of a layer's arrays are floats: behind its statistics, a Normalization keeps how many it has seen."""
    return 2 if entry.kind == "Normalization" else None


def _other(path: str) -> str:
    """Say what a file is instead, if that can be seen."""
    if zipfile.is_zipfile(path):
        return ", but a zip archive: is it a .keras file?"
    return ", but HDF5: is it an .h5 file?" if h5py.is_hdf5(path) else ""


# ---- where Keras puts the weights of a layer in a .keras file ----


def _group(kind: str, number: int) -> str:
    """Return the name of a group: of the class of its layer, and counted where there are several."""
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()
    return f"{name}_{number}" if number else name


def _inside(entry: Entry) -> list[str]:
    """Where the arrays of a layer lie in its group, in the order of its ``get_weights()``."""
    if entry.kind == "Bidirectional":
        inner = (entry.config["layer"], entry.config.get("backward_layer") or entry.config["layer"])
        sides = zip(("forward_layer", "backward_layer"), inner, strict=True)
        return [f"{side}/{place}" for side, layer in sides for place in _of_record(layer)]
    if entry.kind == "TimeDistributed":
        return ["layer/vars"]
    return _of_record({"class_name": entry.kind, "config": entry.config})


def _of_record(record: Mapping[str, Any]) -> list[str]:
    if record["class_name"] not in RECURRENT:
        return ["vars"]
    cell = record["config"].get("cell") or {}
    if cell.get("class_name") != "StackedRNNCells":
        return ["cell/vars"]
    kinds = [str(each["class_name"]) for each in cell["config"]["cells"]]
    return [f"cell/cells/{_group(kind, kinds[:i].count(kind))}/vars" for i, kind in enumerate(kinds)]


def _numbered(group: Any, path: str, count: int | None = None) -> list[Array]:
    own = _child(group, path)
    return [_array(own, name) for name in sorted(own, key=int)[:count]]


# ---- arrays that lie in the file, and nowhere else ----


def _text(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    if len(text) > LARGEST_TEXT:
        raise ImplementationError(f"its configuration has {len(text):,} characters, expected at most {LARGEST_TEXT:,}")
    return text


def _child(group: Any, path: str) -> Any:
    """Go down into a file, by its own groups and datasets only: a link may lead into any other file."""
    for name in path.split("/"):
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) and name else None
        if link is None:
            raise ImplementationError(f"it has no {path} in it")
        if not isinstance(link, h5py.HardLink):
            raise ImplementationError(f"its {path} is a link, which is not followed")
        group = group[name]
    return group


def _array(group: Any, path: str) -> Array:
    """Read an array that is stored in the file as it is: not compressed, and not in another file."""
    dataset = _child(group, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        raise ImplementationError(f"its {path} is no array of floats")
    properties = dataset.id.get_create_plist()
    if dataset.is_virtual or dataset.external or properties.get_nfilters():
        raise ImplementationError(f"its {path} is compressed, or lies in another file: neither is read")
    if dataset.id.get_storage_size() != dataset.size * dataset.dtype.itemsize:
        raise ImplementationError(f"its {path} should have {dataset.size} numbers, which the file does not hold")
    return np.array(dataset)
