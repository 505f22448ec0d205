"""A model in a ``.tflite`` file, run by the LiteRT interpreter.

What it is, the file says where its layers can be read; else it is asked about the model that it was made of. Its
outputs are seen, and nothing of what is inside; but of an unrolled layer that computes in integers the states are, as
tensors of the file. For that it runs on LiteRT's own kernels: what XNNPACK takes over, it does not show.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import numpy as np

from ..arithmetic.precision import Precision
from ..cells import CELLS
from ..model.call import Call
from ..model.case import Case
from ..model.trajectory import BadAnswer, Trajectory
from .errors import ImplementationError
from .files.limits import bounded, told
from .files.model import Model, Part
from .files.tflite_data import load
from .files.tflite_graph import read_tflite
from .files.tflite_hybrid import DECLARE, in_integers, precision_of_file
from .files.tflite_integers import precision_of_unrolled, says_of_unrolled
from .files.tflite_operators import COPIES
from .files.tflite_unrolled import Unrolled
from .supports import Supports

__all__ = ["LiteRtFile"]


#: In how many runs numbers have to be seen before it is told what is cut off in most of them.
RUNS = 10

#: Characters of the name of a tensor.
NAME = 40


class LiteRtFile:
    """The model of a file, whatever the weights of a case are.

    One interpreter serves all calls, as in an application: what it keeps between them is found.
    """

    first_timeout = 600.0

    def __init__(self, path: str, part: Part = "whole") -> None:
        self.name, self.unread = os.path.basename(path), ""
        self.model: Model | None = None
        self.precision: Precision | None = None
        #: The layer, where it is unrolled and computes in integers.
        self.unrolled: Unrolled | None = None
        #: What is wrong in the file by itself.
        self.says: tuple[str, ...] = ()
        #: How often it was run, and in how many runs numbers of a tensor were cut off, by its name.
        self.runs, self.cut_off = 0, Counter[str]()
        with told(path):
            if part != "whole":
                raise ImplementationError("a part of it cannot be run alone: a .tflite is run as a whole")
            self._read(bounded(path))
            self._interpreter: Any = _interpreter(path, shows=self.unrolled is not None)
            self._x = self._only("input", self._interpreter.get_input_details())
            self._y = self._only("output", self._interpreter.get_output_details())
            kinds = [np.dtype(each["dtype"]) for each in (self._x, self._y)]
            if self.unrolled is None and (kinds[0].itemsize < 4 or kinds[1].kind != "f"):
                raise ImplementationError(
                    "its inputs or outputs are quantized: convert it with floating-point inputs and outputs "
                    "(inference_input_type and inference_output_type as they are by default)"
                )
        N, T = (int(size) if size > 0 else None for size in self._x["shape_signature"][:2])
        # of one sample and the last step alone, nothing but NaN is left to be seen
        nan = N != 1 or len(self._y["shape"]) > 2
        self.supports = Supports(cells=tuple(CELLS), N=N, T=T, nan=nan)

    def _read(self, path: str) -> None:
        """Read what the file says, of its layers and of its arithmetic."""
        integers = False
        try:
            integers = in_integers(path)
            self.model = read_tflite(path)
            self.precision = precision_of_file(path, self.model)
            if not integers:
                return
        except (ImplementationError, ArithmeticError, LookupError, ValueError) as error:  # it may run all the same
            self.unread = str(error)
        try:
            unrolled = Unrolled(load(path)[0])
            self.precision = precision_of_unrolled(unrolled)
        except (ImplementationError, ArithmeticError, LookupError, ValueError) as error:
            if integers:
                raise ImplementationError(f"{error}; {DECLARE}") from None
            return
        if integers:
            self.unrolled, self.says = unrolled, (*says_of_unrolled(unrolled),)

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

    def remarks(self) -> list[str]:
        """Return what is cut off in most runs: a matter of calibration, and not of a verdict."""
        if self.runs < RUNS:
            return []
        often = [name for name, runs in self.cut_off.most_common() if 2 * runs > self.runs]
        more = f" (and {len(often) - 1} more)" if len(often) > 1 else ""
        return [
            f"its tensor {shortened(name)!r}{more} is cut off at an end of its range in most cases: its zero point or "
            "its scale is wrong, or it was calibrated on smaller inputs (--rnn-equiv-inputs gives inputs as they come)"
            for name in often[:1]
        ]

    def run(self, case: Case) -> Trajectory:
        """Run the file's model on the inputs of a case."""
        return Trajectory.of_calls([self._call(call) for call in case.calls])

    def _call(self, call: Call) -> Trajectory:
        x, lite = _as_stored(call.x, self._x), self._interpreter
        try:
            if tuple(lite.get_input_details()[0]["shape"]) != x.shape:
                lite.resize_tensor_input(self._x["index"], x.shape, strict=True)
                lite.allocate_tensors()
            lite.set_tensor(self._x["index"], x)
            lite.invoke()
        except (RuntimeError, ValueError) as error:  # its own, for sizes that do not fit
            raise ImplementationError(f"{self.name} does not take these inputs: {error}") from None
        if self.unrolled is None:
            return Trajectory(lite.get_tensor(self._y["index"]))
        return self._seen(self.unrolled, x.shape)

    def _seen(self, unrolled: Unrolled, shape: tuple[int, ...]) -> Trajectory:
        """Return the states and outputs that the operators of a file make in real numbers.

        First it is seen that LiteRT has made just these operators, each with one rounding of its own.

        Raises
        ------
        BadAnswer
            If it has not.
        """
        operators, held = unrolled.operators, dict[int, Any]()

        def shown(number: int) -> Any:
            if number not in held:
                constant = unrolled.graph.constant(number)
                known = self._interpreter.get_tensor(number) if constant is None else constant
                held[number] = operators.meant(number, known) if constant is None else np.float64(constant)
            return held[number]

        for operator, number, off in operators.off(shown):
            if off.any():
                which = f"its {operator.kind} {shortened(unrolled.graph.tensors[number].name)!r}"
                if operator.kind in COPIES:
                    raise BadAnswer(f"{which} has another scale or zero point than the integers that it hands on")
                raise BadAnswer(
                    f"LiteRT computes something else than the file says: {which} is off by more than a rounding"
                )
        self.runs += 1
        self.cut_off.update({*operators.cut_off(shown)})
        begin = {n: shown(n) for n in (*unrolled.graph.inputs, *unrolled.rounded_inputs)}
        exact = operators.exactly(begin, shown)
        outputs = exact[unrolled.graph.outputs[0]]
        states = np.stack([exact[number] for number in unrolled.states], 1)
        if states.shape[1] != shape[1]:
            return Trajectory(outputs)
        return Trajectory(outputs, states.reshape(*shape[:2], -1))


def shortened(name: str) -> str:
    """Return the end of a name that a converter has put together, which tells most."""
    last = name.partition(";")[0]
    return last if len(last) <= NAME else f"...{last[-NAME:]}"


def _interpreter(path: str, shows: bool) -> Any:
    """Load a file; all tensors are kept where it `shows` what is inside."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    options: dict[str, Any] = {}
    if shows:
        options["experimental_preserve_all_tensors"] = True
        options["experimental_op_resolver_type"] = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(model_path=path, num_threads=1, **options)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ImplementationError(f"LiteRT refuses it: {error}") from None
    return interpreter


def _as_stored(x: Any, details: dict[str, Any]) -> Any:
    """Return inputs as a file takes them: rounded to nearest, on its scale, where it takes integers."""
    kind, (scale, zero) = np.dtype(details["dtype"]), details["quantization"]
    if kind.kind != "i" or not scale:
        return x.astype(kind)
    ends = np.iinfo(kind)
    return np.clip(np.rint(x / np.float64(np.float32(scale))) + zero, ends.min, ends.max).astype(kind)
