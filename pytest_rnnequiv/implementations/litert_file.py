"""A model in a ``.tflite`` file, run by the LiteRT interpreter: its outputs are seen, and nothing of what is inside.

What it is, the file says where its layers can be read; else it is asked about the model that it was made of.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..cells import CELLS
from ..model.call import Call
from ..model.case import Case
from ..model.trajectory import Trajectory
from .errors import ImplementationError
from .files.limits import bounded, told
from .files.model import Model, Part
from .files.tflite_graph import read_tflite
from .files.tflite_hybrid import DECLARE, in_integers, precision_of_file
from .supports import Supports

__all__ = ["LiteRtFile"]


class LiteRtFile:
    """The model of a file, whatever the weights of a case are.

    One interpreter serves all calls, as in an application: what it keeps between them is found.
    """

    first_timeout = 600.0

    def __init__(self, path: str, part: Part = "whole") -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.name, self.unread = os.path.basename(path), ""
        self.model: Model | None = None
        self.precision: Precision | None = None
        with told(path):
            if part != "whole":
                raise ImplementationError("a part of it cannot be run alone: a .tflite is run as a whole")
            bounded(path)
            integers = False
            try:
                integers = in_integers(path)
                self.model = read_tflite(path)
                self.precision = precision_of_file(path, self.model)
            except (ImplementationError, ArithmeticError, LookupError, ValueError) as error:  # it may run all the same
                self.unread = str(error)
            if integers:
                raise ImplementationError(DECLARE)
            try:
                self._interpreter: Any = Interpreter(model_path=path, num_threads=1)
                self._interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise ImplementationError(f"LiteRT refuses it: {error}") from None
            self._x = self._only("input", self._interpreter.get_input_details())
            self._y = self._only("output", self._interpreter.get_output_details())
            self._kind = np.dtype(self._x["dtype"])
            if self._kind.itemsize < 4 or np.dtype(self._y["dtype"]).kind != "f":
                raise ImplementationError(
                    "its inputs or outputs are quantized: convert it with floating-point inputs and outputs "
                    "(inference_input_type and inference_output_type as they are by default)"
                )
        N, T = (int(size) if size > 0 else None for size in self._x["shape_signature"][:2])
        # of one sample and the last step alone, nothing but NaN is left to be seen
        nan = N != 1 or len(self._y["shape"]) > 2
        self.supports = Supports(cells=tuple(CELLS), N=N, T=T, nan=nan)

    @staticmethod
    def _only(what: str, details: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the one input or output that there is."""
        if len(details) != 1:
            names = ", ".join(each["name"] for each in details)
            raise ImplementationError(f"it has {len(details)} {what}s ({names}), and one is covered")
        return details[0]

    def versions(self) -> dict[str, str]:
        """Versions of everything that takes part."""
        import ai_edge_litert

        return {"litert": ai_edge_litert.__version__, "numpy": np.__version__}

    def run(self, case: Case) -> Trajectory:
        """Run the file's model on the inputs of a case."""
        return Trajectory.of_calls([self._call(call) for call in case.calls])

    def _call(self, call: Call) -> Trajectory:
        x, lite = call.x.astype(self._kind), self._interpreter
        try:
            if tuple(lite.get_input_details()[0]["shape"]) != x.shape:
                lite.resize_tensor_input(self._x["index"], x.shape, strict=True)
                lite.allocate_tensors()
            lite.set_tensor(self._x["index"], x)
            lite.invoke()
        except (RuntimeError, ValueError) as error:  # its own, for sizes that do not fit
            raise ImplementationError(f"{self.name} does not take these inputs: {error}") from None
        return Trajectory(lite.get_tensor(self._y["index"]))
