"""The scales in a quantized model file, by the names of its tensors: what a coarse port declares of its numbers.

They are read as data. What they belong to is in the names: a file says which tensor is a kernel, and not which letter
of a spec that is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from ...arithmetic.formats import Scaled
from ..errors import ImplementationError
from .limits import bounded, told
from .tflite_data import load

__all__ = ["of_onnx", "of_tflite", "read_scales"]

#: How ONNX Runtime's quantizer calls the integers of a tensor, their scale and their zero point.
_QUANTIZED, _SCALE, _ZERO = "_quantized", "_scale", "_zero_point"


def read_scales(path: str | os.PathLike[str]) -> dict[str, Scaled]:
    """Read the scales and zero points of a ``.tflite`` or a quantized ``.onnx``.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of str to Scaled
        By the name of the tensor that is quantized. A scale for each output unit has shape ``(M,)``.

    Raises
    ------
    ImplementationError
        If it is neither, cannot be read, or is an ``.onnx`` and onnx is not installed.
    """
    path = os.fspath(path)
    with told(path):
        bounded(path)
        if path.lower().endswith(".onnx"):
            return of_onnx(path)
        if path.lower().endswith(".tflite"):
            return of_tflite(path)
        raise ImplementationError("scales are read of .tflite and .onnx only")


def of_tflite(path: str) -> dict[str, Scaled]:
    """Return the scales of a ``.tflite``, of what is computed as well as of weights."""
    return {
        each.name: _scaled(scales, zeros if len(zeros) else np.zeros(len(scales)), each.dtype)
        for graph in reversed(load(path))  # of one name, the model's own is meant
        for each in graph.tensors
        if each.quantized is not None and each.dtype is not None
        for scales, zeros in (each.quantized,)
    }


def of_onnx(path: str) -> dict[str, Scaled]:
    """Return the scales of an ``.onnx``: of ``QuantizeLinear`` and ``DequantizeLinear``, and of integer kernels."""
    if not find_spec("onnx"):
        raise ImplementationError('an .onnx is read by onnx: pip install "pytest-rnnequiv[onnx]"')
    onnx = import_module("onnx")
    graph = onnx.load(path, load_external_data=False).graph
    known = {each.name: each for each in graph.initializer}
    found = {}
    for name, scale, zero in _named(graph, known):
        if scale in known and (not zero or zero in known):
            zeros = onnx.numpy_helper.to_array(known[zero]) if zero else np.zeros((), np.uint8)
            found[name] = _scaled(onnx.numpy_helper.to_array(known[scale]), zeros, zeros.dtype)
    return found


def _named(graph: Any, known: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield a tensor's name, that of its scale, and that of its zero point."""
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            yield node.input[0].removesuffix(_QUANTIZED), node.input[1], node.input[2] if len(node.input) > 2 else ""
    for name in known:
        if name.endswith(_QUANTIZED):
            bare = name.removesuffix(_QUANTIZED)
            yield bare, bare + _SCALE, bare + _ZERO


def _scaled(scale: Any, zero: Any, dtype: np.dtype[Any]) -> Scaled:
    bits = 8 * dtype.itemsize
    zero = np.asarray(zero, np.int64) - (2 ** (bits - 1) if dtype.kind == "u" else 0)
    scale = np.asarray(scale, np.float64)
    if scale.size == 1:
        return Scaled(float(scale.item()), int(zero.ravel()[0]), bits)
    return Scaled(scale.ravel(), zero.ravel() if zero.any() else 0, bits)
