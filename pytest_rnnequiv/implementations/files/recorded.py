"""Recorded inputs of a model: an ``.npz`` or ``.npy`` file of arrays, read without pickle."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ...model.call import Call
from ...model.case import Case
from ...model.graph import Graph, Input
from ...model.spec import Spec
from ..errors import ImplementationError
from .limits import bounded, seen_zip, told

__all__ = ["recorded_cases", "recorded_inputs"]

Array = npt.NDArray[Any]

MASK = "mask"


def recorded_cases(file: str | os.PathLike[str], spec: Spec, weights: Sequence[Array]) -> tuple[Case, ...]:
    """Make a case of each array in a file.

    Parameters
    ----------
    file : path
        ``.npy``, or ``.npz`` with arrays of any names. An array called ``mask`` is that of all the others.
    spec, weights
        The model whose inputs they are: ``(N, T, D)``, or ``(N, T)`` of whole numbers for an ``Embedding``.

    Raises
    ------
    ImplementationError
        If they cannot be read, or are not inputs of that model; the message says which array.
    """
    path = os.fspath(file)
    with told(path, "inputs"):
        arrays = dict(_arrays(path))
        mask = arrays.pop(MASK, None) if spec.source == "mask" else None
        if not arrays:
            raise ImplementationError("it has no arrays in it")
        return tuple(_case(name, x, mask, spec, weights) for name, x in arrays.items())


def recorded_inputs(file: str | os.PathLike[str], graph: Graph) -> tuple[list[Array], ...]:
    """Return the inputs of a whole model that are in a file, in the order of its inputs.

    Parameters
    ----------
    file : path
        As for :func:`recorded_cases`; of a model with several inputs, arrays by their names.
    graph : Graph
        The model whose inputs they are.

    Raises
    ------
    ImplementationError
        If they cannot be read, or are not inputs of that model; the message says which array.
    """
    path, names = os.fspath(file), [each.name for each in graph.inputs]
    with told(path, "inputs"):
        arrays = dict(_arrays(path))
        if not arrays:
            raise ImplementationError("it has no arrays in it")
        if len(names) > 1 and {*names} != {*arrays}:
            raise ImplementationError(
                f"it has the arrays {', '.join(arrays)}, and the model has the inputs {', '.join(names)}"
            )
        sets = [[arrays[name] for name in names]] if len(names) > 1 else [[x] for x in arrays.values()]
        return tuple([_input(x, each) for x, each in zip(one, graph.inputs, strict=True)] for one in sets)


def _input(x: Array, given: Input) -> Array:
    wanted = (None, *given.shape)
    if x.dtype.kind not in "fiu" or x.ndim != len(wanted) or 0 in x.shape:
        raise ImplementationError(
            f"its {given.name} has dtype {x.dtype} and shape {x.shape}, expected numbers {wanted}"
        )
    if any(size not in (None, own) for size, own in zip(wanted, x.shape, strict=True)):
        raise ImplementationError(f"its {given.name} has shape {x.shape}, expected {wanted}")
    if given.vocabulary and not 0 <= x.min() <= x.max() < given.vocabulary:
        raise ImplementationError(
            f"its {given.name} has numbers outside of the vocabulary, 0 to {given.vocabulary - 1}"
        )
    return np.asarray(x, np.float32)


def _case(name: str, x: Array, mask: Array | None, spec: Spec, weights: Sequence[Array]) -> Case:
    if x.dtype.kind not in "fiu":
        raise ImplementationError(f"its {name} has dtype {x.dtype}, expected numbers")
    try:
        return Case(spec, weights=weights, calls=(Call(x, mask),))
    except ValueError as error:
        raise ImplementationError(f"its {name}: {error}") from None


def _arrays(path: str) -> Iterator[tuple[str, Array]]:
    bounded(path)
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as stream:
            yield "array", _array("array", stream, os.path.getsize(path))
        return
    with zipfile.ZipFile(path) as archive:
        for each in seen_zip(archive).infolist():
            with archive.open(each) as stream:
                name = each.filename.removesuffix(".npy")
                yield name, _array(name, stream, each.file_size)


def _array(name: str, stream: IO[bytes], size: int) -> Array:
    """Read one array, whose header says no more than there is."""
    fmt = np.lib.format
    try:
        version = fmt.read_magic(stream)
    except ValueError:
        raise ImplementationError("it is neither an .npy nor an .npz file of NumPy") from None
    header = {(1, 0): fmt.read_array_header_1_0, (2, 0): fmt.read_array_header_2_0}.get(version)
    if header is None:
        raise ImplementationError(f"its {name} is of version {version} of the format, expected 1.0 or 2.0")
    shape, fortran, dtype = header(stream)
    if dtype.hasobject:
        raise ImplementationError(f"its {name} holds Python objects, which only pickle reads, and pickle runs code")
    count = int(np.prod(shape, dtype=object))
    if count * dtype.itemsize > size:
        raise ImplementationError(f"its {name} should have {count:,} numbers, which the file does not hold")
    flat = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
