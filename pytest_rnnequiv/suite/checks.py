"""The checks that ``--rnn-equiv`` runs. Each is a pytest item for each implementation.

A check is written once, as a function of a port and of what Hypothesis draws. How much it does is up to the profile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import strategies as rnn
from .. import tally
from ..cells.cell import Cell
from ..divergences.known import concerning
from ..failures.assertion import EquivalenceError, assert_equivalent
from ..implementations.port import Port
from ..judging.observing import Observation
from ..judging.oracle import judge
from ..model.case import Case
from ..model.notebook import notebook_case
from ..model.sizes import param_count
from ..model.spec import Spec
from ..model.trajectory import Trajectory
from .architectures import known_in
from .asking import answer
from .budget import budget
from .drawing import (
    choose,
    draw_pack,
    draw_place,
    few_sizes,
    fewer_models,
    known_of_plain,
    near,
    need,
    opening_shape,
)
from .heeding import heeding
from .registry import CHECKS, Data, Opening, check, running
from .verification import each_in_turn, expect, verify
from .whole import verify_whole, whole_inputs

__all__ = ["CHECKS"]


@check(examples=300, share=2.5, everywhere=True, openings=5, models="any")
def test_recurrence(port: Port, data: Data) -> None:
    """Base, every step and the head, on generated weights and inputs."""
    verify(port, draw_pack(port, data, most=2 if port.secondary else 16))


#: Samples of recorded inputs that are asked at once.
AT_ONCE = 32


@check(everywhere=True, models="any", recorded=True)
def test_recorded_inputs(port: Port) -> None:
    """The inputs of ``--rnn-equiv-inputs``, on the model that is meant."""
    if port.whole:
        for inputs in port.recorded_inputs:
            verify_whole(port, inputs)
        return
    need(port, bool(port.recorded), "was given no recorded inputs")
    asked, samples = 0, sum(case.calls[0].N for case in port.recorded)
    for case in port.recorded:
        N = case.calls[0].N
        step = N if case.spec.N is not None else AT_ONCE
        for first in range(0, N, max(step, 1)):
            if asked and budget().over:
                tally.current().notes.append(f"{asked} of {samples} recorded samples were asked, as time allows")
                return
            verify(port, [case if step >= N else case.samples(slice(first, first + step))])
            asked += min(step, N - first)


#: Samples and steps of the inputs of whole models, the size of the numbers, and whether rows are padded.
WHOLE = ((3, 9, 1.3, False), (2, 24, 1.3, True), (2, 12, 5.0, False), (4, 40, 0.2, True), (1, 5, 1.3, False))


@check(examples=60, openings=len(WHOLE), models="whole")
def test_whole_model(port: Port, data: Data) -> None:
    """The outputs of a whole model, with the layers that stand round the recurrent ones."""
    N, T, size, padded = choose(data, WHOLE, "N, T, size, padded")
    seed = data.number if isinstance(data, Opening) else choose(data, range(2**16), "seed")
    verify_whole(port, whole_inputs(port, seed, N, T, size=size, padded=padded))


@check(examples=30, share=0.5)
def test_equal_sizes(port: Port, data: Data) -> None:
    """Equal sizes, D = M = K, in which exchanged weights still fit; everywhere else sizes differ."""
    need(port, port.fixed is None, "has sizes of its own")
    size = choose(data, (3, 2, 5) if isinstance(data, Opening) else (2, 3, 5), "size")
    verify(port, draw_pack(port, data, most=4, small=True, D=(size, size), M=(size, size), K=(size, size)))


#: ``D, M, K`` beside the widths of the kernels that are used for so many.
LARGE = ((3, 130, 2), (100, 257, 5), (257, 64, 300))


@check(examples=20, share=0.8)
def test_large_sizes(port: Port, data: Data) -> None:
    """Hundreds of features, units and outputs: the blocks of matrix products, and the remainders."""
    need(port, port.fixed is None, "has weights of its own")
    D, M, K = choose(data, LARGE, "D, M, K")
    sizes = {"N": near(port, "N", 1, 3), "T": near(port, "T", 1, 4), "D": (D, D), "M": (M, M), "K": (K, K)}
    verify(port, draw_pack(port, data, most=2, **sizes))


@check(examples=40, models="any")
def test_long_sequences(port: Port, data: Data) -> None:
    """Hundreds of steps, in chaotic recurrences as well."""
    need(port, port.fixed is None or port.fixed[0].T is None, "has a fixed number of steps")
    sizes = {"N": near(port, "N", 1, 2)}
    if not port.builds_models:  # else they come from the pool of small ones
        sizes["M"] = near(port, "M", 1, 9)
    verify(port, draw_pack(port, data, most=1, small=True, T=(41, running().longest), **sizes))


@check(examples=60, share=2)
def test_float64(port: Port, data: Data) -> None:
    """Weights, inputs and states in double precision, with every activation."""
    need(port, "float64" in port.supports.dtypes and port.fixed is None, "declares float32 only")
    _in_turn(port, data, _activations(port, "float64"), dtype="float64")


@check(examples=40, share=3)
def test_activations(port: Port, data: Data) -> None:
    """The other activations."""
    others = [name for name in _activations(port, "float32") if name != "tanh"]
    need(port, bool(others) and port.fixed is None, "declares tanh only")
    _in_turn(port, data, others)


def _activations(port: Port, dtype: str) -> list[str]:
    """Return those that a port knows, without those about which Keras is known to be wrong."""
    known = known_in(port.diverges_as)
    return [name for name in port.supports.activations if not known(Spec.simple(1, 1, 1, name, dtype))]


def _in_turn(port: Port, data: Data, activations: list[str], **wanted: Any) -> None:
    """Verify activations, all of them on the same numbers, so that each has its turn."""
    __tracebackhide__ = True
    covered = tally.current()
    for name in activations:
        covered.cover([f"activation={name}"], 0)
    first = choose(data, range(len(activations)), "first activation")
    cases = draw_pack(port, data, most=4, activation=activations[0], **few_sizes(port, data), **wanted)
    if isinstance(data, Opening):
        cases += [each for case in cases if not concerning(each := far_out(port, case), port.diverges_as)]

    def turn(name: str) -> None:
        __tracebackhide__ = True
        if budget().ended():
            return
        verify(port, [case.replace(spec=case.spec.replace(activation=name)) for case in cases])
        covered.cover([f"activation={name}"], len(cases))

    names = activations[first:] + activations[:first]
    each_in_turn((partial(turn, name) for name in names), all_of_them=isinstance(data, Opening))


def far_out(port: Port, case: Case) -> Case:
    """Return the case with inputs so large that an `exp` without a guard overflows in the first step."""
    limit = 1.25 * np.log(float(np.finfo(case.spec.dtype).max))
    largest = np.abs(case.x @ case.Wx).max(initial=0.0)
    return heeding(case.replace(x=case.x * (limit / largest)), port.supports) if largest else case


@check(examples=40, share=3)
def test_cells(port: Port, data: Data) -> None:
    """The other cells, with various options, each on numbers of its own."""
    first, *others = port.supports.kinds
    others = [cell for cell in others if not known_of_plain(port, cell)]
    need(port, bool(others) and port.fixed is None, f"declares {first} only, or is known to be wrong about others")
    covered = tally.current()
    for cell in others:
        covered.cover([f"cell={cell}"], 0)
    start = choose(data, range(len(others)), "first cell")

    def turn(cell: Cell) -> None:
        __tracebackhide__ = True
        if budget().ended():
            return
        cases = draw_pack(port, data, most=4, cell=cell, **few_sizes(port, data))
        verify(port, cases)
        covered.cover([f"cell={cell}"], len(cases))

    turns = (partial(turn, cell) for cell in others[start:] + others[:start])
    each_in_turn(turns, all_of_them=isinstance(data, Opening))


@check(everywhere=True)
def test_notebook(port: Port) -> None:
    """The recurrent weights of the notebook: N=1, T=10, D=3, M=5, K=2."""
    need(port, port.fixed is None, "has weights of its own")
    need(port, "tanh" in port.supports.activations, "does not know tanh")
    example = notebook_case()
    need(port, example.spec.cell in port.supports.kinds, f"does not know {example.spec.cell}")
    need(port, "float32" in port.supports.dtypes, "does not know float32")
    for letter in "NTDMK":
        need(port, port.supports.includes(letter, getattr(example, letter)), f"supports {port.supports.left_out()}")
    for seed in range(10):
        if seed and budget().ended():
            return
        verify(port, [notebook_case(seed)])


@check(examples=25, everywhere=True, models="any")
def test_nan(port: Port, data: Data) -> None:
    """A NaN that goes in comes out, in its own sample and from its own step on."""
    need(port, port.supports.nan, "declares no NaN")
    need(port, port.fixed is None or not port.fixed[0].embedded, "takes whole numbers")
    need(port, port.fixed is None or not port.fixed[0].stateful, "is stateful: what a NaN leaves stays")
    some = {} if port.fixed is None else {"N": near(port, "N", 1, 8)}  # of other models there may be no sample
    (case,) = draw_pack(port, data, most=1, small=True, **some)
    first, *others = case.calls  # of several, the others have to begin anew
    n, t, d = (draw_place(data, size) for size in first.x.shape)
    x = first.x.copy()
    x[n, t, d] = np.nan
    case = case.replace(calls=(first.replace(x=x), *others))
    known = ", ".join(map(str, concerning(case, port.diverges_as)))
    need(port, not known, f"is known to be wrong there: {known}")
    verify(port, [case])


@check(examples=40, models="notebook's")
def test_initial_state(port: Port, data: Data) -> None:
    """A state before the first step that is not zero."""
    need(port, port.supports.initial_state, "declares no initial state")
    verify(port, draw_pack(port, data, most=4, small=True, models=fewer_models(), initial_state=True))


@check(examples=40, models="notebook's")
def test_masks(port: Port, data: Data) -> None:
    """Masked steps hold the state, exactly."""
    need(port, port.supports.masks, "declares no masks")
    verify(port, draw_pack(port, data, most=4, small=True, models=fewer_models(), masked=True))


@check(examples=25, everywhere=True, models="any")
def test_repeats(port: Port, data: Data) -> None:
    """The same case gives the same answer, whatever was computed in between."""
    pack = draw_pack(port, data, most=2, small=True)
    case, other = pack[0], pack[-1]
    shown = answer(port, case)
    answer(port, other.map_calls(lambda call: call.replace(x=call.x[::-1, ::-1])), anew=True)
    shown_again = answer(port, case, anew=True)
    if (first := _outputs(shown)) is None or (again := _outputs(shown_again)) is None:
        verify(port, [case])  # says what is wrong with it
        return
    same = first.shape == again.shape and np.array_equal(first, again, equal_nan=True)
    sentence = ""
    if not same:
        verdicts = [judge(case, each, port.precision) for each in (shown, shown_again)]
        if all(verdict.equivalent for verdict in verdicts):
            # Threads may sum in another order each time.
            note = f"{port.name} is not deterministic, within rounding"
            same = True
            if note not in tally.current().notes:
                tally.current().notes.append(note)
        elif not any(verdict.different for verdict in verdicts):
            tally.current().record(next(verdict for verdict in verdicts if verdict.inconclusive))
            return
    if not same:
        sentence = (
            "the same case, run again after another one, gives another answer "
            f"({_first_difference(first, again)}): a state is kept between calls, or it is not deterministic"
        )
    expect(same, port, case, sentence)


def _outputs(trajectory: Trajectory) -> Any:
    """The outputs as an array; None if they are none."""
    try:
        outputs = np.asarray(trajectory.outputs)
    except ValueError:
        return None
    return outputs if outputs.dtype.kind in "fiub" else None


def _first_difference(a: Any, b: Any) -> str:
    if a.shape != b.shape:
        return f"shape {a.shape}, then {b.shape}"
    place = np.argwhere(~((a == b) | (np.isnan(a) & np.isnan(b))))
    index = tuple(int(i) for i in place[0])
    return f"outputs{list(index)}: {a[index]:.9g}, then {b[index]:.9g}"


@check(examples=40, everywhere=True, keras=True, models="notebook's")
def test_model_as_built(port: Port, data: Data) -> None:
    """The model without ``return_sequences``, as users build it, gives the last output of the one with its states."""
    (case,) = draw_pack(port, data, most=1, small=True)
    last, shown = port.runner.implementation.last_outputs(case), answer(port, case)
    # Two models, which may round otherwise: then the states of the one say nothing of the outputs of the other.
    same = np.array_equal(last, _outputs(shown)[:, -1], equal_nan=True)
    seen = Trajectory(last, shown.states if same else None)
    try:
        assert_equivalent(case, seen, port.precision)
    except EquivalenceError as failure:
        failure.name, failure.called_as, failure.as_built = port.name, port.called_as, True
        failure.seen = (Observation.of(case, seen),)
        raise


#: The law of each layer: its parameters, and the shape of its biases.
LAWS_OF_PARAMETERS: dict[tuple[str, bool], Callable[[int, int], tuple[int, tuple[int, ...]]]] = {
    ("SimpleRNN", True): lambda D, M: (M * (D + M + 1), (M,)),
    ("LSTM", True): lambda D, M: (4 * M * (D + M + 1), (4 * M,)),
    ("GRU", True): lambda D, M: (3 * M * (D + M + 2), (2, 3 * M)),
    ("GRU", False): lambda D, M: (3 * M * (D + M + 1), (3 * M,)),
}


@check(examples=40, keras=True)
def test_parameter_law(port: Port, data: Data) -> None:
    """The parameters of the layer by its law, ``K*(M+1)`` in the head; the shapes, and what is trainable."""
    from ..implementations import keras

    shape = opening_shape(data) if isinstance(data, Opening) else data.draw(rnn.shapes(), label="shape")
    laws = [law for law in LAWS_OF_PARAMETERS if law[0] in port.supports.cells]
    name, reset_after = choose(data, laws, "layer")
    options: dict[str, Any] = {} if reset_after else {"reset_after": False}
    _, T, D, M, K = shape
    build = {"SimpleRNN": keras.build_simple_rnn, "GRU": keras.build_gru, "LSTM": keras.build_lstm}[name]
    model = build(T=T, D=D, M=M, K=K, **options)
    layer, head = model.layers
    spec = Spec.simple(D, M, K, cell=name, **options)
    shapes = [tuple(w.shape) for w in model.get_weights()]
    own, bias = LAWS_OF_PARAMETERS[name, reset_after](D, M)
    law = f"the law of {spec}"
    tally.current().count()
    assert layer.count_params() == own, f"the layer: {law}"
    assert head.count_params() == K * (M + 1), f"the head: {law}"
    assert model.count_params() == param_count(D, M, K, name, **options) == spec.param_count == own + K * (M + 1), law
    gated = len(spec.cell.gates) * M
    assert shapes == [(D, gated), (M, gated), bias, (M, K), (K,)] == list(spec.weight_shapes.values()), law
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == spec.param_count, f"trainable parameters: {law}"
    assert not [w for w in model.non_trainable_weights if "seed" not in w.path], f"non-trainable weights: {law}"


from . import laws as laws  # noqa: E402  # last, as its checks are
