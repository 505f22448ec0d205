"""The checks that ``--rnn-equiv`` runs. Each is a pytest item for each implementation.

A check is written once, as a function of a port and of what Hypothesis draws. How much it does is set for the whole run
by :func:`configure`, which makes pytest's test functions of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase

from .. import strategies as rnn
from .. import tally
from ..failures.assertion import assert_equivalent
from ..implementations import DEFAULT, ImplementationError, expand, resolve
from ..implementations.port import Port
from ..implementations.runner import can_fork
from ..judging.oracle import judge
from ..mistakes.catalogue import CATALOGUE, Mistake
from ..mistakes.networks import CATALOGUE as NETWORK_CATALOGUE
from ..mistakes.networks import NetworkMistake
from ..model.network import Layer, Network
from ..model.notebook import notebook_case
from ..model.spec import Spec, param_count
from ..model.trajectory import Trajectory
from ..plugin import settings as plugin_settings
from ..plugin.report.terminal import progress
from . import selfcheck
from .drawing import choose, draw_pack, draw_place, few_sizes, near, need, opening_shape
from .network_checks import divergences, known_in, show_divergence
from .registry import CHECKS, PROFILES, Data, Opening, check, running
from .verification import answer, budget, expect, verify

__all__ = ["CHECKS", "configure"]

#: The name under which the fixture that users override is checked.
FIXTURE = "rnn_implementation"


def configure(profile: str, selfcheck: bool = False) -> None:
    """Make the test functions, for a run of the given profile and under Hypothesis's own settings.

    A selfcheck is a run of its own: the checks are then run on mistaken implementations, and on nothing else.
    """
    chosen = running(PROFILES[profile])
    for name in [*CHECKS, "test_selfcheck", "test_known_divergence"]:
        globals().pop(name, None)
    if selfcheck:
        globals()["test_selfcheck"] = selfcheck_item
    else:
        globals().update((name, each.item(chosen)) for name, each in CHECKS.items())
        globals()["test_known_divergence"] = show_divergence


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each check on each implementation that was asked for."""
    if "port" not in metafunc.fixturenames:
        return
    if "mistake" in metafunc.fixturenames:
        metafunc.parametrize("port", implementations(metafunc)[:1], indirect=True, scope="session")
        metafunc.parametrize("mistake", [*CATALOGUE, *NETWORK_CATALOGUE], ids=selfcheck.full_name)
        return
    if "divergence" in metafunc.fixturenames:
        shown = divergences(implementations(metafunc)) or [(None, None)]
        metafunc.parametrize(("port", "divergence"), shown, indirect=["port"], scope="session")
        return
    names = CHECKS[metafunc.function.__name__].applies_to(implementations(metafunc))
    # A check that applies to nothing here has no port, and is not collected.
    metafunc.parametrize("port", names or [None], indirect=True, scope="session")


def implementations(metafunc: pytest.Metafunc) -> list[str]:
    """Names of what to check: the overridden fixture, and what the options name."""
    asked = list(plugin_settings(metafunc.config).implementations)
    definitions = metafunc._arg2fixturedefs.get(FIXTURE, ())
    own = definitions[-1] if definitions else None
    overridden = own is not None and own.func.__module__ != "pytest_rnnequiv.plugin.fixtures"
    if own is not None and own.scope != "session":
        raise pytest.UsageError(
            f"the fixture {FIXTURE} must live as long as the run: write @pytest.fixture(scope='session') before it"
        )
    return ([FIXTURE] if overridden else []) + expand(asked or ([] if overridden else [DEFAULT]))


@pytest.fixture(scope="session")
def port(request: pytest.FixtureRequest, rnn_implementation: Any) -> Iterator[Port]:
    """The implementation that is checked."""
    problem = ""
    try:
        if request.param != FIXTURE:
            progress(request.config).say(f"loading {request.param} ...")  # TensorFlow takes seconds
            ready = resolve(request.param)
        elif isinstance(rnn_implementation, Port):
            ready = rnn_implementation
        else:
            ready = Port(rnn_implementation, isolated=_isolate(request.config), identity=FIXTURE)
    except ImplementationError as error:
        problem = f"the fixture {FIXTURE}: {error}" if request.param == FIXTURE else str(error)
    if problem:  # outside of the handler, or it would be told twice
        pytest.fail(problem, pytrace=False)
    yield ready
    ready.close()


def _isolate(config: pytest.Config) -> bool:
    """Whether a port that lives in this process should run in a fork of it; a debugger wants it here."""
    if config.getoption("usepdb", False) or config.getoption("trace", False):
        return False
    return can_fork()


def selfcheck_item(port: Port, mistake: Mistake | NetworkMistake) -> None:
    """A mistaken implementation, in the place of the one that is checked, is caught."""
    hunts = {
        name: each.item(running(), phases=[Phase.generate], database=None)
        for name, each in CHECKS.items()
        if each.examples and not each.keras
    }
    selfcheck.catch(port, mistake, hunts)


@check(examples=300, share=2.5, everywhere=True, openings=5)
def test_recurrence(port: Port, data: Data) -> None:
    """Base, every step and the head, on generated weights and inputs."""
    verify(port, draw_pack(port, data, most=2 if port.secondary else 16))


@check(examples=30, share=0.5)
def test_equal_sizes(port: Port, data: Data) -> None:
    """D = M = K, where weights that were exchanged for others fit: everywhere else sizes differ."""
    size = choose(data, (3, 2, 5) if isinstance(data, Opening) else (2, 3, 5), "size")
    verify(port, draw_pack(port, data, most=4, small=True, D=(size, size), M=(size, size), K=(size, size)))


#: ``D, M, K`` beside the widths of the kernels that are used for so many.
LARGE = ((3, 130, 2), (100, 257, 5), (257, 64, 300))


@check(examples=20, share=0.8)
def test_large_sizes(port: Port, data: Data) -> None:
    """Hundreds of features, units and outputs, in the blocks that matrix products are made of, and in what is left."""
    need(port, port.fixed is None, "has weights of its own")
    D, M, K = choose(data, LARGE, "D, M, K")
    sizes = {"N": near(port, "N", 1, 3), "T": near(port, "T", 1, 4), "D": (D, D), "M": (M, M), "K": (K, K)}
    verify(port, draw_pack(port, data, most=2, **sizes))


@check(examples=40)
def test_long_sequences(port: Port, data: Data) -> None:
    """Hundreds of steps, in chaotic recurrences as well."""
    sizes = {"N": near(port, "N", 1, 2), "M": near(port, "M", 1, 9)}
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
    known = known_in(port.way)
    return [name for name in port.supports.activations if not known(Network(1, Layer(1, name), dtype=dtype))]


def _in_turn(port: Port, data: Data, activations: list[str], **wanted: Any) -> None:
    """Verify activations, all of them on the same numbers, so that each has its turn."""
    __tracebackhide__ = True
    covered = tally.current()
    for name in activations:
        covered.cover([f"activation={name}"], 0)
    first = choose(data, range(len(activations)), "first activation")
    cases = draw_pack(port, data, most=4, activation=activations[0], **few_sizes(port, data), **wanted)
    for name in activations[first:] + activations[:first]:
        if budget().over:
            return
        verify(port, [case.replace(spec=case.spec.replace(activation=name)) for case in cases])
        covered.cover([f"activation={name}"], len(cases))


@check(everywhere=True)
def test_notebook(port: Port) -> None:
    """The recurrent weights of the notebook: N=1, T=10, D=3, M=5, K=2."""
    need(port, port.fixed is None, "has weights of its own")
    need(port, "tanh" in port.supports.activations, "does not know tanh")
    need(port, "float32" in port.supports.dtypes, "does not know float32")
    example = notebook_case()
    for letter in "NTDMK":
        need(port, port.supports.includes(letter, getattr(example, letter)), f"supports {port.supports.left_out()}")
    for seed in range(10):
        if seed and budget().over:
            return
        verify(port, [notebook_case(seed)])


@check(examples=25, everywhere=True)
def test_nan(port: Port, data: Data) -> None:
    """A NaN that goes in comes out, in its own sample and from its own step on."""
    need(port, port.supports.nan, "declares no NaN")
    (case,) = draw_pack(port, data, most=1, small=True)
    n, t, d = (draw_place(data, size) for size in case.x.shape)
    x = case.x.copy()
    x[n, t, d] = np.nan
    verify(port, [case.replace(x=x)])


@check(examples=40)
def test_initial_state(port: Port, data: Data) -> None:
    """A state before the first step that is not zero."""
    need(port, port.supports.initial_state, "declares no initial state")
    verify(port, draw_pack(port, data, most=4, small=True, initial_state=True))


@check(examples=40)
def test_masks(port: Port, data: Data) -> None:
    """Masked steps hold the state, exactly."""
    need(port, port.supports.masks, "declares no masks")
    verify(port, draw_pack(port, data, most=4, small=True, masked=True))


@check(examples=25, everywhere=True)
def test_repeats(port: Port, data: Data) -> None:
    """The same case gives the same answer, whatever was computed in between."""
    pack = draw_pack(port, data, most=2, small=True)
    case, other = pack[0], pack[-1]
    shown = answer(port, case)
    answer(port, other.replace(x=other.x[::-1, ::-1]), anew=True)
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


@check(examples=40, everywhere=True, keras=True)
def test_model_as_built(port: Port, data: Data) -> None:
    """The model without ``return_sequences``, as users build it, gives the last output of the one with its states."""
    (case,) = draw_pack(port, data, most=1, small=True)
    last, shown = port.runner.implementation.last_outputs(case), answer(port, case)
    # Two models, which may round otherwise: then the states of the one say nothing of the outputs of the other.
    same = np.array_equal(last, _outputs(shown)[:, -1], equal_nan=True)
    assert_equivalent(case, Trajectory(last, shown.states if same else None), port.precision)


@check(examples=40, keras=True)
def test_parameter_law(port: Port, data: Data) -> None:
    """``M*(D+M+1)`` parameters in the RNN, ``K*(M+1)`` in the head; the shapes, and what is trainable."""
    from ..implementations.keras import build_simple_rnn

    shape = opening_shape(data) if isinstance(data, Opening) else data.draw(rnn.shapes(), label="shape")
    _, T, D, M, K = shape
    model = build_simple_rnn(T=T, D=D, M=M, K=K)
    layer, head = model.layers
    spec = Spec(D, M, K)
    shapes = [tuple(w.shape) for w in model.get_weights()]
    law = f"M*(D+M+1) + K*(M+1) for {shape}"
    tally.current().count()
    assert layer.count_params() == M * (D + M + 1), f"the RNN of {law}"
    assert head.count_params() == K * (M + 1), f"the head of {law}"
    assert model.count_params() == param_count(D, M, K) == spec.param_count, law
    assert shapes == [(D, M), (M, M), (M,), (M, K), (K,)] == list(spec.weight_shapes.values()), law
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == param_count(D, M, K), f"trainable parameters: {law}"
    assert not model.non_trainable_weights, f"non-trainable weights: {law}"


from . import laws as laws  # noqa: E402  # last, as its checks are
