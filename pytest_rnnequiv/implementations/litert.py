"""LiteRT on the CPU: a Keras model as the TensorFlow Lite converter makes a flat buffer of it.

The weights are inputs of the converted function, so that one conversion, which takes seconds, serves all weights of a
spec. The number of samples is fixed in the conversion, since the converter refuses an open one; the number of steps is
open. The converter runs in the process of the runtime, which may die of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..model.call import Call
from ..model.case import Case
from ..model.spec import Spec
from ..model.trajectory import Trajectory
from ._quiet import load
from .keras import with_states
from .keras_models import MODELS_KEPT, Built, Graph, build, given
from .supports import Supports

__all__ = ["LiteRt"]


class LiteRt:
    """``TFLiteConverter.from_concrete_functions(...)``, run by ``ai_edge_litert.interpreter.Interpreter``."""

    name = "litert"
    first_timeout = 300.0
    timeout = 120.0
    supports = Supports(
        N=(1, 2),
        cells=("SimpleRNN", "GRU", "LSTM"),
        activations=("tanh", "relu", "sigmoid", "linear"),
        options=(
            *("use_bias", "activation", "return_sequences", "return_state", "initial_state", "go_backwards", "layers"),
            *("bidirectional", "merge_mode", "backward_layer", "head", "hidden", "masking", "mask", "embedding"),
            *("zero_output_for_mask", "cells", "N"),
        ),
    )

    def versions(self) -> dict[str, str]:
        """Name what takes part."""
        import ai_edge_litert

        tf, keras = load()
        return {"litert": ai_edge_litert.__version__, "tensorflow": tf.__version__, "keras": keras.__version__}

    def run(self, case: Case) -> Trajectory:
        """Show all that the model of Keras shows: outputs of every layer, and the states that layers return."""
        shown = case.with_every_output()
        calls = [_converted(shown.spec, call.N).run(shown, call) for call in shown.calls]
        return with_states(case, Trajectory.of_calls(calls))


class _Converted:
    """A model as a flat buffer, and its interpreter.

    Parameters
    ----------
    spec : Spec
    N : int
        Samples, of all its calls.
    """

    def __init__(self, spec: Spec, N: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        tf, _ = load()
        self.built: Built = build(spec)
        single, one = Graph(self.built).function()
        weights = len(self.built.model.weights)
        signature = [
            tf.TensorSpec(v.shape if i < weights else (N, *v.shape[1:]), v.dtype) for i, v in enumerate(single)
        ]
        function = tf.function(one, input_signature=signature, autograph=False).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], self.built.model)
        # the interpreter does not keep it
        self.buffer = converter.convert()
        self._run: Any = Interpreter(model_content=self.buffer, num_threads=1).get_signature_runner()

    def run(self, case: Case, call: Call) -> Trajectory:
        """Make one call."""
        arguments = [*case.weights, *given(call)]
        answer = self._run(**{f"arguments_{i}": argument for i, argument in enumerate(arguments)})
        return self.built.trajectory([answer[f"output_{i}"] for i in range(len(answer))], {})


@lru_cache(maxsize=MODELS_KEPT)
def _converted(spec: Spec, N: int) -> _Converted:
    return _Converted(spec, N)
