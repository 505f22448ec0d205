"""PyTorch's weights: a ``state_dict``, in ``.safetensors`` or in a ``.pt`` that is read with weights only.

Names and shapes are all that there is. So what is not said is taken as is usual: an ``nn.RNN`` computes tanh; each
layer gives every step, as PyTorch's do; a table before the recurrent layers that fits them is an ``Embedding`` without
a mask, and a matrix behind them that fits them is a ``Dense`` on every step.

Format of safetensors: https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...model.layers import Dense
from ...model.layouts import from_torch
from ...model.spec import Layer, Spec
from ..errors import ImplementationError
from .limits import LARGEST_TEXT, bounded, seen_zip
from .model import PARTS, RECURRENT_ONLY, Model, Part, model_of

__all__ = ["model_of_state", "read_safetensors", "read_torch"]

Array = npt.NDArray[Any]

#: Where training scripts put the weights among other things.
NESTED = ("state_dict", "model_state_dict", "model")

#: safetensors' names of numbers; NumPy has no bfloat16.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}

RECURRENT = re.compile(r"(.*?)(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(_l\d+(_reverse)?)?")


def read_safetensors(path: str, part: Part = "whole") -> Model:
    """Read a ``.safetensors`` file: a header that says where in the file each array lies."""
    bounded(path)
    size = os.path.getsize(path)
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(LARGEST_TEXT, size - 8):
            raise ImplementationError("it is no .safetensors file: its header is said to be longer than the file")
        header = json.loads(stream.read(length))
        start, arrays = 8 + length, {}
        for name, said in header.items():
            if name != "__metadata__" and said["dtype"] in DTYPES:
                arrays[name] = _tensor(stream, name, said, start, size)
    return model_of_state(arrays, part)


def _tensor(stream: Any, name: str, said: Mapping[str, Any], start: int, size: int) -> Array:
    dtype, (begin, end) = np.dtype(DTYPES[said["dtype"]]), said["data_offsets"]
    shape = tuple(int(n) for n in said["shape"])
    expected = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if min((*shape, begin)) < 0 or end - begin != expected or start + end > size:
        raise ImplementationError(f"its {name} should have {expected:,} bytes, which the file does not hold there")
    stream.seek(start + begin)
    flat = np.frombuffer(stream.read(expected), dtype)
    if said["dtype"] == "BF16":
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(shape)


def read_torch(path: str, part: Part = "whole") -> Model:
    """Read a ``.pt`` or ``.pth`` file that ``torch.save(model.state_dict(), path)`` wrote."""
    import torch

    bounded(path)
    if not zipfile.is_zipfile(path):
        raise ImplementationError(
            "it is no archive as torch.save has written since 1.6: save model.state_dict() again, or as .safetensors"
        )
    with zipfile.ZipFile(path) as archive:
        seen_zip(archive)
        if any(each.filename.endswith("/constants.pkl") for each in archive.infolist()):
            raise ImplementationError("it is a TorchScript program, which is code: save model.state_dict()")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # its own errors name what may be allowed, which is never done here
        raise ImplementationError(
            "it holds more than weights, whose pickle would run code: save torch.save(model.state_dict(), path), or "
            f".safetensors ({type(error).__name__})"
        ) from None
    for name in NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping):
        raise ImplementationError(f"it holds a {type(found).__name__}, expected the state_dict of a model")
    return model_of_state({str(name): _array(name, each) for name, each in found.items() if _is_float(each)}, part)


def _is_float(value: Any) -> bool:
    return hasattr(value, "is_floating_point") and bool(value.is_floating_point())


def _array(name: Any, tensor: Any) -> Array:
    """Return a tensor as an array, if it is as large as its storage: one that repeats a number could be of any size."""
    if tensor.is_sparse or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ImplementationError(f"its {name} should have {tensor.numel():,} numbers, which the file does not hold")
    tensor = tensor.detach()
    array: Array = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
    return array


def model_of_state(state: Mapping[str, Array], part: Part = "whole") -> Model:
    """Make a model of the weights of PyTorch's modules, by names and shapes.

    Raises
    ------
    ImplementationError
        If there is no recurrent module among them, or one that a spec has no place for; the message names it.
    """
    prefixes = list(dict.fromkeys(m[1] for name in state if (m := RECURRENT.fullmatch(name))))
    if not prefixes:
        raise ImplementationError(
            f"it has no weights of nn.RNN, GRU or LSTM (weight_ih_l0, ...); it has {', '.join(state) or 'none'}"
        )
    if part not in PARTS:
        names_of = {prefix.rstrip("."): prefix for prefix in prefixes}
        if part not in names_of:
            known = ", ".join(name or "one without a name" for name in names_of)
            raise ImplementationError(f"it has no recurrent module of the name {part!r}; it has {known}")
        prefixes = [names_of[part]]
    layers: list[Layer] = []
    weights: list[Array] = []
    for prefix in prefixes:
        try:
            own, arrays = from_torch(state, prefix)
        except ValueError as error:
            raise ImplementationError(str(error)) from None
        layers += own
        weights += arrays
    D, options = int(weights[0].shape[0]), dict[str, Any]()
    names = list(state)
    first = min(names.index(name) for name in names if RECURRENT.fullmatch(name))
    table, kernel, bias = _around(state, names, first, D, layers[-1].features) if part == "whole" else (None,) * 3
    if table is not None:
        options = {"source": "embedding", "vocabulary": len(state[table])}
        weights.insert(0, state[table])
    head = None
    if kernel is not None:
        head = Dense(len(state[kernel]), use_bias=bias is not None)
        weights += [state[kernel].T, *([] if bias is None else [state[bias]])]
    try:
        spec = Spec(D, tuple(layers), head, dtype=str(weights[0].dtype), **options)
    except (TypeError, ValueError) as error:
        raise ImplementationError(f"its modules are not covered: {error}") from None
    return model_of(spec, weights)


def _around(
    state: Mapping[str, Array], names: list[str], first: int, D: int, features: int
) -> tuple[str | None, str | None, str | None]:
    """Find the table before the recurrent modules, and the matrix behind them with its bias."""
    left = [name for name in names if not RECURRENT.fullmatch(name)]
    table = next((name for name in left if names.index(name) < first and _fits(state[name], D)), None)
    kernel = next((name for name in left if name != table and _fits(state[name], features)), None)
    bias = None if kernel is None else f"{kernel.removesuffix('weight')}bias"
    if bias not in state:
        bias = None
    others = [name for name in left if name not in (table, kernel, bias)]
    if others:
        raise ImplementationError(
            f"beside its recurrent modules it has {', '.join(others)}, and a Spec has one Embedding before them and "
            f"one Dense behind them: {RECURRENT_ONLY}"
        )
    return table, kernel, bias


def _fits(array: Array, last: int) -> bool:
    return array.ndim == 2 and array.shape[1] == last
