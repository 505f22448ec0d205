"""The formats that can be read, by the suffix of the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module

from .._quiet import quiet_import
from ..errors import ImplementationError
from .limits import bounded, told
from .model import Model, Part
from .saved_model import is_saved_model

__all__ = ["READERS", "Reader", "read_model"]


@dataclass(frozen=True)
class Reader:
    """A format.

    Parameters
    ----------
    module, function : str
        What reads it, in this package.
    needs : str
        A library, by the name by which it is imported and installed; empty where none is needed.
    extra : str
        The extra of pytest-rnnequiv that brings it; empty where it comes with what is always installed.
    """

    module: str
    function: str
    needs: str = ""
    extra: str = ""


#: Suffix -> what reads such a file.
READERS: dict[str, Reader] = {
    ".keras": Reader("hdf5", "read_archive", "h5py"),
    ".h5": Reader("hdf5", "read_hdf5", "h5py"),
    ".hdf5": Reader("hdf5", "read_hdf5", "h5py"),
    ".onnx": Reader("onnx_graph", "read_onnx", "onnx", "onnx"),
    ".pt": Reader("state_dict", "read_torch", "torch", "torch"),
    ".pth": Reader("state_dict", "read_torch", "torch", "torch"),
    ".safetensors": Reader("state_dict", "read_safetensors"),
    ".tflite": Reader("tflite_graph", "read_tflite"),
}

#: What reads the directory of a SavedModel.
SAVED_MODEL = Reader("saved_model", "read_saved_model", "tensorflow")


def read_model(file: str | os.PathLike[str], part: Part = "whole") -> Model:
    """Read spec and weights off a model file, as data: nothing in it is run.

    Parameters
    ----------
    file : path
        Its suffix says what it is: one of :data:`READERS`.
    part : str
        ``"whole"``; ``"recurrent"`` leaves out what is not recurrent before and behind the recurrent layers, which a
        spec may have no place for; the name of a recurrent layer reads that one by itself, wherever it stands.

    Returns
    -------
    spec, weights
        ``weights`` in the order of Keras's ``get_weights()``.

    Raises
    ------
    ImplementationError
        If it is no such file, or holds a model that a spec cannot; the message names the layer, and says what is
        possible.
    """
    path = os.fspath(file)
    if not isinstance(part, str) or not part:
        raise ValueError(f"part must be 'whole', 'recurrent' or the name of a recurrent layer, not {part!r}")
    with told(path):
        reader = READERS.get(os.path.splitext(path)[1].lower())
        if os.path.isdir(path) and is_saved_model(path):
            reader = SAVED_MODEL
        if reader is None:
            expected = f"expected one of {', '.join(READERS)}"
            if os.path.isdir(path):
                raise ImplementationError(
                    f"it is a directory and no SavedModel: {expected}, or the directory of a SavedModel"
                )
            bounded(path)
            raise ImplementationError(f"its suffix says nothing that is known: {expected}")
        if reader.needs:
            try:
                with quiet_import():
                    import_module(reader.needs)
            except ImportError as error:
                line = f"pytest-rnnequiv[{reader.extra}]" if reader.extra else reader.needs
                quoted = f'"{line}"' if reader.extra else line
                raise ImplementationError(f"that needs {reader.needs}: pip install {quoted}") from error
        read = getattr(import_module(f".{reader.module}", __package__), reader.function)
        model: Model = read(path, part)
        return model
