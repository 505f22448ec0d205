"""What can be checked: the implementations that come with the plugin, and the user's own.

This module holds names and errors only, and imports no runtime: pytest's start-up may read it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .port import Port

__all__ = ["ImplementationError", "MissingRuntime", "UnknownImplementation", "check_available", "expand", "resolve"]


class ImplementationError(Exception):
    """An implementation that cannot be used; the message is one sentence for the user."""


class UnknownImplementation(ImplementationError):
    """There is nothing of that name."""


class MissingRuntime(ImplementationError):
    """The library that the implementation runs on is not installed."""


#: Built-in implementations: name -> (module of this package, attribute, libraries it needs).
BUILT_IN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "keras-graph": ("keras", "KerasGraph", ("tensorflow", "keras")),
    "keras-call": ("keras", "KerasCall", ("tensorflow", "keras")),
    "keras-predict": ("keras", "KerasPredict", ("tensorflow", "keras")),
    "numpy": ("numpy_loop", "NumpyLoop", ("numpy",)),
}

#: Names for several at once. ``keras`` is Keras as installed, run in each of the ways that people run it.
GROUPS: dict[str, tuple[str, ...]] = {"keras": ("keras-graph", "keras-call", "keras-predict")}

#: What is checked where nothing is asked for.
DEFAULT = "keras"


def expand(names: list[str]) -> list[str]:
    """Replace the names of groups by their members; keep ``module:attribute`` as it is; drop repetitions.

    Raises
    ------
    UnknownImplementation
        If a name is neither built in nor of the form ``module:attribute``.
    """
    expanded: dict[str, None] = {}
    for name in names:
        if name in GROUPS:
            expanded.update(dict.fromkeys(GROUPS[name]))
        elif name in BUILT_IN or _is_path(name):
            expanded[name] = None
        else:
            known = ", ".join([*GROUPS, *BUILT_IN])
            raise UnknownImplementation(f"unknown implementation {name!r}: expected module:attribute or one of {known}")
    return list(expanded)


def check_available(names: list[str]) -> None:
    """See, without importing a runtime, that all of these could be run.

    Raises
    ------
    UnknownImplementation, MissingRuntime
        With one sentence that says what is wrong and what to do.
    """
    for name in expand(names):
        if name in BUILT_IN:
            for library in BUILT_IN[name][2]:
                if find_spec(library) is None:
                    raise MissingRuntime(
                        f"the implementation {name!r} needs {library}, which is not installed here: "
                        f"pip install {library}, or choose another with --rnn-equiv-impl"
                    )
        else:
            module = name.partition(":")[0]
            try:
                found = find_spec(module)
            except (ImportError, ValueError):
                found = None
            if found is None:
                raise UnknownImplementation(
                    f"implementation {name!r}: there is no module {module!r} on the path "
                    "(expected module:attribute; is the directory on pytest's `pythonpath`?)"
                )


def resolve(name: str) -> Port:
    """Load one implementation, ready to run.

    Raises
    ------
    ImplementationError
        If it cannot be had; the message says why.
    """
    from .port import Port

    if name in GROUPS:
        raise UnknownImplementation(f"{name!r} stands for several: {', '.join(GROUPS[name])}")
    (name,) = expand([name])
    if name not in BUILT_IN:
        return Port.from_path(name)
    from importlib import import_module

    module, attribute, _ = BUILT_IN[name]
    try:
        built_in: Any = getattr(import_module(f".{module}", __name__), attribute)()
    except ImportError as error:
        raise MissingRuntime(f"the implementation {name!r} cannot be loaded: {error}") from error
    port = Port(built_in, name=name)
    port.how = name
    return port


def _is_path(name: str) -> bool:
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in f"{module}.{attribute}".split("."))
