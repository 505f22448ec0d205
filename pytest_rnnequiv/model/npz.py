"""A case as one ``.npz`` file: its numbers by name, and its spec as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .call import Call
from .spec import Spec
from .spec_json import from_plain, plain

__all__ = ["read", "write"]

FORMAT = 2
"""The version of the format: a file of another one is refused."""

T_ = TypeVar("T_")


def write(
    file: str | os.PathLike[str], spec: Spec, resets: Sequence[bool], numbers: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write what a case consists of.

    Raises
    ------
    ValueError
        If the spec has an activation or a cell of the user's own, which a file cannot hold.
    """
    header = {"format": FORMAT, "spec": plain(spec), "resets": list(resets)}
    with open(file, "wb") as stream:  # savez would add a suffix to a name without one
        np.savez(stream, allow_pickle=False, spec=np.array(json.dumps(header)), **dict(numbers))


def read(file: str | os.PathLike[str], case: Callable[..., T_]) -> T_:
    """Make a case of what :func:`write` wrote: ``case(spec, weights=..., calls=...)``.

    Raises
    ------
    ValueError
        If the file is no ``.npz`` of a case; the message says what is missing.
    FileNotFoundError
        If there is no such file.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{os.fspath(file)} is no .npz file of a case: {error}") from error
    try:
        header = dict(json.loads(str(arrays.pop("spec"))))
        if header.get("format") != FORMAT:
            raise ValueError("it was written by another version of pytest-rnnequiv")
        spec = from_plain(header["spec"])
        calls = []
        for c, reset in enumerate(header["resets"]):
            own = {name.partition("/")[2]: a for name, a in arrays.items() if name.startswith(f"call{c}/")}
            states = [own[f"state{i}"] for i in range(sum(name.startswith("state") for name in own))]
            calls.append(Call(own["x"], own.get("mask"), tuple(states), reset))
        return case(spec, weights=tuple(arrays[name] for name in spec.weight_shapes), calls=calls)
    except KeyError as error:
        raise ValueError(f"{os.fspath(file)} is no case: it lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{os.fspath(file)} is no case: {error}") from error
