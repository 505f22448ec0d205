"""What ``--rnn-equiv-list`` prints: the runtimes, whether they are installed here, and what they can be asked.

No runtime is imported for it: what is installed is read off the metadata of distributions.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from textwrap import wrap
from typing import Any

from pytest_rnnequiv.implementations.devices import CUDA
from pytest_rnnequiv.implementations.registry import ALL, BUILT_IN, GROUPS, Runtime
from pytest_rnnequiv.model.spec import BEYOND_KERAS, OPTIONS

__all__ = ["listing"]


def listing(width: int = 80) -> Iterator[str]:
    """Yield the lines of the list."""
    yield "implementations that --rnn-equiv-impl knows:"
    for runtime in BUILT_IN.values():
        yield ""
        yield f"{runtime.name}: {_state(runtime)}"
        supports = declared(runtime)
        yield from _folded("cells", map(_brief, supports.cells), width)
        yield from _folded("activations", supports.activations, width)
        if supports.head_activations is not None:
            yield from _folded("of heads", ("linear", *supports.head_activations), width)
        yield from _folded("dtypes", supports.dtypes, width)
        yield from _folded("options", _options(supports), width)
        if left_out := supports.left_out():
            yield from _folded("sizes", [left_out], width)
    yield ""
    for name, members in GROUPS.items():
        yield f"{name}: {', '.join(members)}"
    there = [name for name, runtime in BUILT_IN.items() if not runtime.missing]
    yield f"{ALL}: all that are installed here: {', '.join(there)}"
    yield "module:attribute or file.py:attribute: your own"


def _state(runtime: Runtime) -> str:
    versions = ", ".join(f"{library} {version}" for library, version in runtime.versions().items())
    missing = runtime.missing
    if missing == [CUDA]:
        return f"{versions}, needs {CUDA}, and none is seen here"
    return f"not installed, needs {', '.join(missing)}: {runtime.install}" if missing else versions


def declared(runtime: Runtime) -> Any:
    """Return what a runtime declares, without the library itself."""
    implementation = getattr(import_module(f"..implementations.{runtime.module}", __package__), runtime.attribute)
    return getattr(implementation, "declared", None) or implementation.supports


def _brief(cell: Any) -> str:
    return str(cell)


def _options(supports: Any) -> Iterator[str]:
    if set(OPTIONS) <= {*supports.options}:
        yield "all"
        yield from (option for option in BEYOND_KERAS if option in supports.options)
        return
    for option in supports.options:
        if option == "mask" and supports.lengths is not None:
            yield f"lengths from {supports.lengths} on"
        elif option == "merge_mode" and supports.merge_modes is not None:
            yield f"merge_mode ({', '.join(map(str, supports.merge_modes))})"
        else:
            yield f"{option} without a mask" if option == "embedding" and not supports.mask_zero else option


def _folded(title: str, words: Any, width: int) -> Iterator[str]:
    text = ", ".join(words) or "none"
    yield from wrap(text, max(width, 40), initial_indent=f"  {title:<12}", subsequent_indent=" " * 14)
