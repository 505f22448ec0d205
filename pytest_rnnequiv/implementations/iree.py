"""IREE on the CPU: a hand-built ONNX model, imported and compiled for ``llvm-cpu``, with numbers for its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..distributions import version_of
from .onnx_model import OPTIONS, Array, OnnxImplementation
from .supports import Supports

__all__ = ["Iree"]

#: What is compiled for.
FOR_THIS_CPU = [
    "--iree-hal-target-device=local",
    "--iree-hal-local-target-device-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
]

#: What it gets wrong wherever it is asked for: see the known divergences.
UNKNOWN = ("go_backwards", "mask", "zero_output_for_mask")


class Iree(OnnxImplementation):
    """What ``iree-import-onnx``, ``iree-compile`` and ``iree-run-module`` do, in one process."""

    name = "iree"
    fixed_sizes = True
    timeout = 120.0  # each case may be a model to compile
    supports = Supports(
        cells=("SimpleRNN", "GRU", "LSTM"),
        activations=("tanh", "relu", "sigmoid"),
        options=tuple(option for option in OPTIONS if option not in UNKNOWN),
        mask_zero=False,
    )
    precision = Precision.float32

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        return {library: version_of(library) for library in ("iree.compiler", "iree.runtime", "onnx")}

    def load(self, model: bytes) -> Any:
        """Make a module of a serialized model."""
        import iree.runtime
        import onnx
        from iree.compiler import compile_str
        from iree.compiler.extras import onnx_importer
        from iree.compiler.ir import Context

        proto = onnx.shape_inference.infer_shapes(onnx.load_from_string(model), data_prop=True)
        info = onnx_importer.ModelInfo(proto)
        module = info.create_module(context=Context()).operation
        onnx_importer.NodeImporter.define_function(info.main_graph, module).import_all()
        compiled = compile_str(str(module), input_type="onnx", extra_args=FOR_THIS_CPU)
        context = iree.runtime.SystemContext(config=iree.runtime.Config("local-sync"))
        context.add_vm_module(iree.runtime.VmModule.copy_buffer(context.instance, compiled))
        run = context.modules.module[proto.graph.name]
        return run, *([each.name for each in which] for which in (proto.graph.input, proto.graph.output))

    def ask(self, session: Any, given: dict[str, Array]) -> Mapping[str, Array]:
        """Run a module: all its outputs by name."""
        run, inputs, outputs = session
        answers = run(*(np.ascontiguousarray(given[name]) for name in inputs))
        answers = answers if isinstance(answers, tuple) else (answers,)
        return {name: np.array(answer.to_host()) for name, answer in zip(outputs, answers, strict=True)}
