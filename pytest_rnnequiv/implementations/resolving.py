"""Load an implementation by what was asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..model.graph import Graph
from .errors import MissingRuntime, UnknownImplementation
from .files.model import Part
from .port import Port
from .registry import ALL, BUILT_IN, GROUPS, expand, runs_file

__all__ = ["resolve", "resolve_whole"]


def resolve(name: str, part: Part = "whole") -> Port:
    """Load one implementation, ready to run; of a model file, all of it or a part.

    Raises
    ------
    ImplementationError
        If it cannot be had; the message says why.
    """
    if name in GROUPS or name == ALL:
        raise UnknownImplementation(f"{name!r} stands for several: {', '.join(expand([name]))}")
    (name,) = expand([name])
    of_file = runs_file(name)
    runtime = BUILT_IN.get(name) or of_file
    if runtime is None:
        return Port.from_path(name)
    if runtime.isolated:
        return Port.of_runtime(runtime)
    try:
        made = getattr(import_module(f".{runtime.module}", __package__), runtime.attribute)
        built_in: Any = made() if of_file is None else made(name, part)
    except ImportError as error:
        raise MissingRuntime(f"the implementation {name!r} cannot be loaded: {error}") from error
    if of_file is None:
        return Port(built_in, name=name, identity=name, runtime=runtime)
    port = Port(built_in, name=name, identity=name)
    port.own_weights, port.diverges_as, port.says = True, of_file.runs, getattr(built_in, "says", ())
    return port


def resolve_whole(path: str, graph: Graph) -> Port:
    """Load a model file that is to be a whole model, whatever layers that has.

    Raises
    ------
    ImplementationError
        If it cannot be had; the message says why.
    """
    from .whole_file import WholeFile

    try:
        port = Port(WholeFile(path, graph), name=path, identity=path)
    except ImportError as error:
        raise MissingRuntime(f"the implementation {path!r} cannot be loaded: {error}") from error
    port.whole = True
    return port
