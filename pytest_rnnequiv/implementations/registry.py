"""What can be checked: the implementations that come with the plugin, and the user's own, by name.

This module imports no runtime: pytest's start-up may read it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..distributions import version_of
from ..wording import did_you_mean
from .devices import CUDA, cuda_seen
from .errors import MissingRuntime, UnknownImplementation

__all__ = [
    "ALL",
    "BUILT_IN",
    "DEFAULT",
    "FILES",
    "GROUPS",
    "Runtime",
    "absent",
    "check_available",
    "expand",
    "importable",
    "runs_file",
]


@dataclass(frozen=True)
class Runtime:
    """An implementation that comes with the plugin, and what it declares before it is loaded.

    The checks ask this declaration, and never a name: a port may call itself what it likes.

    Parameters
    ----------
    name : str
        The name by which it is asked for.
    module, attribute : str
        Where it is, in this package.
    libraries : tuple of str
        What it needs: names to import. Those of the distributions are the same, or in :mod:`..distributions`.
    group : str
        The name of all that share its arithmetic.
    secondary : bool
        Whether it differs from another of its group only in who calls the layer: then it gets the checks that show a
        difference, and the other gets most of the cases.
    builds_models : bool
        Whether every spec costs a model to build.
    extra : str
        The extra of this package that installs what it needs; empty where the package needs it itself.
    isolated : bool
        Whether it runs in a process of its own, so that it may die or hang, and keeps its threads to itself.
    runs : str
        Of an implementation that runs model files, the name of its runtime: known divergences of that one are its own.
    on_cuda : bool
        Whether it is there for an NVIDIA card, and nothing without one.
    """

    name: str
    module: str
    attribute: str
    libraries: tuple[str, ...]
    group: str
    secondary: bool = False
    builds_models: bool = False
    extra: str = ""
    isolated: bool = False
    runs: str = ""
    on_cuda: bool = False

    @property
    def install(self) -> str:
        """The line that installs what it needs."""
        package = "pytest-rnnequiv"
        return f'pip install "{package}[{self.extra}]"' if self.extra else f"pip install {' '.join(self.libraries)}"

    @property
    def missing(self) -> list[str]:
        """What it needs and is not here, its libraries and its device; none of them is imported."""
        libraries = [library for library in self.libraries if not _is_there(library)]
        return [*libraries, *([CUDA] if self.on_cuda and not cuda_seen() else [])]

    @property
    def absence(self) -> str:
        """Why it is not here, and what to do about it; empty where it is."""
        missing = self.missing
        if missing == [CUDA]:
            return f"needs {CUDA}, and none is seen here"
        return f"needs {' and '.join(missing)}, which is not installed here: {self.install}" if missing else ""

    def versions(self) -> dict[str, str]:
        """Return the versions of its libraries as they are installed."""
        return {library: version_of(library) or "unknown" for library in self.libraries if _is_there(library)}


def _keras(way: str, attribute: str, *, secondary: bool = False) -> Runtime:
    libraries = ("tensorflow", "keras")
    return Runtime(f"keras-{way}", "keras", attribute, libraries, "keras", secondary=secondary, builds_models=True)


def _keras_way(
    way: str, attribute: str, libraries: tuple[str, ...] = ("tensorflow", "keras"), extra: str = ""
) -> Runtime:
    """A runtime of Keras that is asked for by its name, and runs in a process of its own."""
    return Runtime(
        *(f"keras-{way}", "keras_ways", attribute, libraries, f"keras-{way}"),
        builds_models=True,
        extra=extra,
        isolated=True,
    )


def _other(
    name: str, module: str, attribute: str, libraries: tuple[str, ...], *, extra: str = "", **more: Any
) -> Runtime:
    return Runtime(name, module, attribute, libraries, name, extra=extra or name, isolated=True, **more)


#: The implementations that come with the plugin, by the names by which they are asked for.
BUILT_IN: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        _keras("graph", "KerasGraph"),
        _keras("call", "KerasCall", secondary=True),
        _keras("predict", "KerasPredict", secondary=True),
        _keras_way("xla", "KerasXla"),
        _keras_way("implementation-1", "KerasImplementation1"),
        _keras_way("reloaded", "KerasReloaded"),
        _keras_way("h5", "KerasH5"),
        _keras_way("export", "KerasExport"),
        _keras_way("jax", "KerasJax", ("keras", "jax"), "jax"),
        _keras_way("torch", "KerasTorch", ("keras", "torch"), "torch"),
        _keras_way("numpy", "KerasNumpy", ("keras", "jax"), "jax"),
        Runtime("numpy", "numpy_loop", "NumpyLoop", ("numpy",), "numpy"),
        _other("torch", "torch", "TorchLayers", ("torch",)),
        _other("torch-compile", "torch", "TorchCompile", ("torch",), extra="torch", builds_models=True),
        _other("torch-export", "torch", "TorchExport", ("torch",), extra="torch", builds_models=True),
        _other("torch-cuda", "torch", "TorchCuda", ("torch",), extra="torch", on_cuda=True),
        _other("torch-cuda-tf32", "torch", "TorchCudaTf32", ("torch",), extra="torch", on_cuda=True),
        _other("jax", "jax_scan", "JaxScan", ("jax",), builds_models=True),
        _other("jax-tf32", "jax_scan", "JaxScanTf32", ("jax",), extra="jax", builds_models=True, on_cuda=True),
        _other("flax", "flax", "Flax", ("jax", "flax"), builds_models=True),
        _other("flax-tf32", "flax", "FlaxTf32", ("jax", "flax"), extra="flax", builds_models=True, on_cuda=True),
        _other("onnxruntime", "onnxruntime", "OnnxRuntime", ("onnx", "onnxruntime")),
        _other("onnx-reference", "onnx_reference", "OnnxReference", ("onnx",), extra="onnx"),
        _other("openvino", "openvino", "OpenVino", ("onnx", "openvino"), builds_models=True),
        _other("iree", "iree", "Iree", ("onnx", "iree.compiler", "iree.runtime"), builds_models=True),
        _other("mnn", "mnn", "Mnn", ("onnx", "MNN"), builds_models=True),
        _other("opencv", "opencv", "OpenCv", ("onnx", "cv2")),
        _other("tract", "tract", "Tract", ("onnx", "tract")),
        _other("litert", "litert", "LiteRt", ("tensorflow", "keras", "ai_edge_litert"), builds_models=True),
    )
}

#: Model files that can be run, by suffix, and by what. The path is what they are asked for by.
FILES: dict[str, Runtime] = {
    **dict.fromkeys(
        (".keras", ".h5", ".hdf5"),
        Runtime("Keras", "keras_file", "KerasFile", ("tensorflow", "keras", "h5py"), "files", runs="keras-graph"),
    ),
    ".onnx": Runtime(
        *("ONNX Runtime", "onnx_file", "OnnxFile", ("onnx", "onnxruntime"), "files"),
        extra="onnxruntime",
        runs="onnxruntime",
    ),
    ".tflite": Runtime("LiteRT", "litert_file", "LiteRtFile", ("ai_edge_litert",), "files", extra="litert"),
}

#: Names for several at once. ``keras`` is Keras as installed, run in each of the ways that people run it.
GROUPS: dict[str, tuple[str, ...]] = {
    "keras": tuple(name for name, runtime in BUILT_IN.items() if runtime.group == "keras")
}

#: What is checked where nothing is asked for.
DEFAULT = "keras"

#: The name for all that come with the plugin and are installed here.
ALL = "all"


def absent() -> list[Runtime]:
    """Return the runtimes that need something which is not installed here."""
    return [runtime for runtime in BUILT_IN.values() if runtime.missing]


def expand(names: list[str]) -> list[str]:
    """Replace the names of groups by their members; keep ``module:attribute`` as it is; drop repetitions.

    Raises
    ------
    UnknownImplementation
        If a name is neither built in nor of the form ``module:attribute``.
    """
    expanded: dict[str, None] = {}
    for name in names:
        if name == ALL:
            expanded.update((each, None) for each, runtime in BUILT_IN.items() if not runtime.missing)
        elif name in GROUPS:
            expanded.update(dict.fromkeys(GROUPS[name]))
        elif name in BUILT_IN or _is_path(name) or runs_file(name) is not None:
            expanded[name] = None
        else:
            if os.path.isfile(f"{name}.py"):
                raise UnknownImplementation(
                    f"implementation {name!r} is a module: say what in it is to be checked, as {name}:run does"
                )
            known = ", ".join([ALL, *GROUPS, *BUILT_IN])
            raise UnknownImplementation(
                f"unknown implementation {name!r}: expected module:attribute or one of {known}, or a model file "
                f"({', '.join(FILES)}){did_you_mean(name, (ALL, *GROUPS, *BUILT_IN))}"
            )
    return list(expanded)


def check_available(names: list[str]) -> None:
    """See, without importing a runtime, that all of these could be run.

    Raises
    ------
    UnknownImplementation, MissingRuntime
        With one sentence that says what is wrong and what to do.
    """
    for name in expand(names):
        runtime = BUILT_IN.get(name) or runs_file(name)
        if runtime is not None:
            if runtime.group == "files" and not os.path.isfile(name):
                raise UnknownImplementation(f"there is no file {name}")
            if absence := runtime.absence:
                raise MissingRuntime(f"the implementation {name!r} {absence}, or choose another with --rnn-equiv-impl")
        else:
            module = name.partition(":")[0]
            if not _is_there(module):
                files = (file.removesuffix(".py") for file in os.listdir() if file.endswith(".py"))
                raise UnknownImplementation(
                    f"implementation {name!r}: there is no module {module!r} on the path, nor in {os.getcwd()} "
                    "(expected module:attribute or file.py:attribute; is its directory on pytest's `pythonpath`?)"
                    f"{did_you_mean(module, files)}"
                )


def runs_file(name: str) -> Runtime | None:
    """Return what runs a model file of that name; None if it is no name of one."""
    return FILES.get(os.path.splitext(name)[1].lower())


def _is_there(module: str) -> bool:
    """Whether a module can be found; a package around it that fails to import says so later, when it is loaded."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError as error:
        return not (error.name and f"{module}.".startswith(f"{error.name}."))
    except ValueError:
        return False
    except Exception:
        return True


def importable(name: str, folders: Sequence[Path]) -> str:
    """Return ``module:attribute`` for what was asked for, and have the module found.

    A module that is not on the path is looked for in `folders`, as ``python -m`` does in the current one; then the
    folder is put at the end of `sys.path`. A file is what it is: ``my_rnn.py:run`` becomes ``my_rnn:run``, and its
    folder (that of its outermost package, if it lies in one) is put first, as pytest does with test files.

    Raises
    ------
    UnknownImplementation
        If there is no such file, or another module comes in its place.
    """
    place, _, attribute = name.rpartition(":")
    if place.endswith(".py"):
        # else a module that is called so, in a package
        if Path(place).is_file() or not _is_there(Path(place).name):
            return f"{_module_of(Path(place))}:{attribute}"
        return f"{Path(place).name}:{attribute}"
    if name not in BUILT_IN and _is_path(name):
        module = name.partition(":")[0]
        for folder in folders:
            if not _is_there(module) and str(folder) not in sys.path:
                sys.path.append(str(folder))
                invalidate_caches()
    return name


def _module_of(file: Path) -> str:
    """Return the module that a file is, and see that it is the one that will be imported."""
    file = Path(os.path.abspath(file))
    if not file.is_file():
        raise UnknownImplementation(f"there is no file {file}")
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    module = ".".join(parts)
    if not all(part.isidentifier() for part in parts):
        raise UnknownImplementation(f"{file} cannot be imported: {module!r} is not the name of a module")
    if not _is_file_of(module, file):
        sys.path.insert(0, str(folder))
        invalidate_caches()
        if not _is_file_of(module, file):
            raise UnknownImplementation(
                f"{file} cannot be imported: another module is called {module!r}; give the file another name"
            )
    return module


def _is_file_of(module: str, file: Path) -> bool:
    try:
        found = find_spec(module)
    except Exception:  # a package around it that does not load: told when it is loaded
        return module.partition(".")[0] in sys.modules or _is_there(module)
    origin = None if found is None else found.origin
    return origin is not None and os.path.exists(origin) and os.path.samefile(origin, file)


def _is_path(name: str) -> bool:
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in f"{module}.{attribute}".split("."))
