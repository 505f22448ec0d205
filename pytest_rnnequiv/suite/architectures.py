"""The checks of whole architectures: every option of the layers and of what wraps them, alone and together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import assume

from .. import tally
from ..divergences.keras import KERAS
from ..divergences.known import DIVERGENCES, Divergence, concerning, installed
from ..divergences.table import ON_CARD
from ..failures.assertion import EquivalenceError
from ..implementations.devices import cuda_seen
from ..implementations.port import Port
from ..implementations.supports import Supports
from ..model.case import Case
from ..model.spec import POLICIES, Spec
from ..strategies import architecture_pool, generic_case, packs
from ..strategies.architectures import features, pool_members
from .budget import budget
from .drawing import choose, near, need, opening_shape, steer
from .features import diverges
from .heeding import heeding
from .registry import PROFILES, Data, Opening, check, running
from .verification import introduce, verify

__all__ = ["divergences", "show_divergence"]


def known_in(runtime: str) -> Callable[[Spec], bool]:
    """Whether a runtime is known to be wrong about an architecture."""
    return lambda spec: bool(concerning(spec, runtime))


def known_in_layers(spec: Spec) -> bool:
    """Whether Keras's layers are, called or compiled."""
    return any(concerning(spec, runtime) for runtime in ("keras-graph", "keras-call"))


@cache
def _excluded(runtime: str, supports: Supports) -> Callable[[Spec], bool]:
    """Return the function that says which architectures a port is not asked about; the same one each time."""

    def excluded(spec: Spec) -> bool:
        return bool(concerning(spec, runtime)) or not supports.takes(spec)

    return known_in_layers if runtime in KERAS else excluded


def pool_for(port: Port) -> dict[str, Any]:
    """Say which architectures are drawn for a port, in the running profile: the arguments of ``architecture_pool``."""
    supports, profile = port.supports, running()
    # The ways of running Keras draw from one pool, which is chosen once, and its models built once; what one of them is
    # known to be wrong about, or does not take, it turns away from. Each may be a model to build, or cost nothing.
    shared = port.diverges_as in KERAS and len(supports.dtypes) > len(POLICIES) / 2
    dtypes = tuple(POLICIES) if shared else supports.dtypes
    count = profile.networks if port.builds_models else max(profile.networks, PROFILES["default"].networks)
    return {
        **supports.drawn(),
        "count": count,
        "dtypes": dtypes,
        "activations": _some(supports.activations),
        "max_units": profile.units,
        "exclude": _excluded(port.diverges_as, supports),
    }


def members_for(port: Port) -> list[Spec]:
    """List the architectures that a port is asked about, but for the smallest ones."""
    return [spec for spec in pool_members(**pool_for(port)) if spec.dtype in port.supports.dtypes]


#: One activation of each kind: bounded, with a kink, positive, none, and of the whole layer. All of them would crowd
#: the pairs of other options out of a small pool; each has its turn in ``test_activations``.
KINDS = ("tanh", "relu", "sigmoid", "linear", "softmax")


def _some(activations: tuple[str, ...]) -> tuple[str, ...]:
    """Those that architectures of the running profile have."""
    kinds = tuple(name for name in KINDS if name in activations)
    return activations if running().networks > 10 * len(activations) or not kinds else kinds


def draw_networks(port: Port, data: Data, most: int) -> list[Case]:
    """Draw cases of an architecture that the port supports, and in which Keras is not known to be wrong."""
    more = port.supports.options or port.supports.head_activations
    need(port, bool(more) and port.fixed is None, "declares no options of layers")
    with budget().paused(), tally.spending("draw"):  # choosing those of a pool takes seconds
        pool = architecture_pool(**pool_for(port))
    if isinstance(data, Opening):
        cases = [_opened(port, data)]
    else:
        N, T = (_ends(port, letter) for letter in "NT")
        with tally.spending("draw"):
            cases = data.draw(packs(max_size=most, spec=pool, N=N, T=T), label="cases")
        assume(cases[0].spec.dtype in port.supports.dtypes)
    cases = [heeding(case, port.supports) for case in cases]
    steer(port, data, cases)  # in a pool, only shrinking comes by one in which Keras is known to be wrong
    return cases


def _ends(port: Port, letter: str) -> tuple[int, int] | None:
    """The range of a size that a port supports; None for any."""
    said = getattr(port.supports, letter)
    return (said, said) if isinstance(said, int) else said


def _opened(port: Port, data: Opening) -> Case:
    """Make up the case of an opening, of an architecture whose cases are mostly conclusive."""
    members = members_for(port)
    members.sort(key=lambda spec: spec.compute_dtype.endswith("16"))  # sharp ones first
    ranges = {letter: near(port, letter, 1, 64) for letter in "NT"}
    spec = members[data.number % len(members)]
    shape = opening_shape(Opening(0), **ranges)
    return generic_case(spec, shape.N, shape.T, calls=2 if spec.stateful else 1, seed=1 + data.number)


@check(examples=500, share=7.5, everywhere=True, openings=8, members=True)
def test_networks(port: Port, data: Data) -> None:
    """Stacks, both directions, masks, states, dtypes and all options, judged layer by layer."""
    cases = draw_networks(port, data, 2 if port.secondary else 16)
    covered = tally.current()
    if not covered.covered:  # what may come
        for found in (each for spec in members_for(port) for each in features(spec)):
            covered.cover(found, 0)
    verify(port, cases)
    call = cases[0].calls[0]
    ones = {f"{letter}={n}" for letter, n in (("N", call.N), ("T", call.T), ("D", cases[0].spec.D)) if n < 2}
    for found in features(cases[0].spec):
        covered.cover(found | ones, len(cases))


@check(examples=40, share=0.5, keras=True)
def test_network_parameters(port: Port, data: Data) -> None:
    """The parameter law of every layer and in total, what is trainable, and the shapes."""
    from ..implementations.keras_models import build

    (case,) = draw_networks(port, data, 1)
    spec = case.spec
    built = build(spec)
    tally.current().count()
    for i, layer in enumerate(built.layers):
        law, counted = spec.param_counts[f"layer{i}"], layer.count_params()
        assert counted == law, f"layer{i} of {spec} has {counted} parameters, by the law {law}"
    counted = built.model.count_params()
    assert counted == spec.param_count, f"{spec} has {counted} parameters, by the law {spec.param_count}"
    shapes = [tuple(weight.shape) for weight in built.model.get_weights()]
    assert shapes == list(spec.weight_shapes.values()), f"the weights of {spec}"
    trainable = sum(math.prod(variable.shape) for variable in built.model.trainable_variables)
    assert trainable == spec.trainable_count, f"trainable parameters of {spec}"


#: Chance of a false alarm, by which the share of dropped units is judged (Hoeffding's inequality).
CHANCE = 1e-12


@check(examples=12, share=0.5, keras=True)
def test_dropout(port: Port, data: Data) -> None:
    """In training: one inverted mask for each call, shared by all steps, on the inputs or inside ``h Wh`` only."""
    from ..implementations.keras import load

    _, keras = load()
    rate = choose(data, (0.5, 0.25, 0.75), "rate")
    ignored = any(
        each.name == "recurrent-dropout-ignored" and each.exists(port.diverges_as, installed()) for each in DIVERGENCES
    )
    recurrent = not ignored and choose(data, (False, True), "recurrent")
    unroll = choose(data, (False, True), "unroll")
    cell = choose(data, (False, True), "cell")
    N, T, M = 40, 3, 16
    options = {"activation": None, "use_bias": False, "recurrent_dropout" if recurrent else "dropout": rate}
    shown = {"return_sequences": True, "unroll": unroll}
    if cell:
        layer = keras.layers.RNN(keras.layers.SimpleRNNCell(M, **options), **shown)
    else:
        layer = keras.layers.SimpleRNN(M, **options, **shown)
    x = np.ones((N, T, M), np.float32)
    layer(x)
    # With identities and zeros the outputs are the masks themselves.
    layer.set_weights([np.eye(M), np.eye(M) if recurrent else np.zeros((M, M))])
    one, two = (np.asarray(layer(x, training=True)) for _ in range(2))
    tally.current().count()
    where = f"{layer.name}({', '.join(f'{k}={v!r}' for k, v in {**options, **shown}.items())})"
    kept = 1 / (1 - rate)
    if recurrent:
        assert np.allclose(one[:, 0], 1), f"{where}: recurrent dropout must leave the first step as it is"
        mask = one[:, 1] - 1
        assert np.allclose(one[:, 2], 1 + mask * one[:, 1], rtol=1e-5), f"{where}: the mask must be that of step 1"
    else:
        mask = one[:, 0]
        assert np.array_equal(one, np.repeat(mask[:, None], T, 1)), f"{where}: the mask must be the same at every step"
    scaled = np.isclose(mask, 0, atol=1e-6) | np.isclose(mask, kept, rtol=1e-5)
    assert scaled.all(), f"{where}: kept units must be scaled by {kept}, and it gives {np.unique(mask)}"
    room = math.sqrt(math.log(2 / CHANCE) / (2 * mask.size))
    share = float(np.isclose(mask, 0, atol=1e-6).mean())
    assert abs(share - rate) <= room, f"{where} drops {share:.3f} of its units, expected {rate} +- {room:.3f}"
    assert not np.array_equal(one, two), f"{where}: each call must draw a mask of its own"
    assert np.allclose(layer(x), layer(x)), f"{where}: nothing is dropped at inference"


# ---- where Keras is known to be wrong ----

#: The cheapest runtime first.
_IN_ORDER = ("keras-call", "keras-graph", "keras-predict")


def divergences(names: list[str]) -> list[Any]:
    """Parameters of an item for each known divergence: the runtime on which it is shown, and the divergence.

    Where the installed Keras has it, the item is expected to fail, strictly; where it is repaired, to pass. There is no
    item where another divergence hides whether it is.
    """
    items, card = [], ON_CARD if cuda_seen() else ""
    for each in DIVERGENCES:
        found = installed(each.library)
        ordered = sorted(each.runtimes, key=lambda runtime: _IN_ORDER.index(runtime) if runtime in _IN_ORDER else -1)
        runtimes = [runtime for runtime in ordered if runtime in names and not each.hidden(runtime + card, found)]
        if not runtimes or not each.shown or (each.on_card and not card):
            continue
        marks = []
        if each.exists(runtimes[0] + card, found):
            library = "Keras" if each.library == "keras" else each.library
            reason = f"known divergence of {library} {found}: {each.says}"
            marks.append(pytest.mark.xfail(reason=reason, raises=AssertionError, strict=True))
        items.append(pytest.param(runtimes[0], each, id=f"{runtimes[0]}-{each}", marks=marks))
    return items


def show_divergence(port: Port, divergence: Divergence) -> None:
    """A known divergence is shown; once it is repaired, this item says so by passing."""
    introduce(port)
    need(port, not divergence.on_card or port.diverges_as.endswith(ON_CARD), "does not compute on a card")
    counted = tally.current()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Keras warns of here is known
            _show(port, divergence)
    except EquivalenceError as failure:
        failure.ask_again = None  # it fails each time, as it is known to
        if divergence.exists(port.diverges_as, installed(divergence.library)):
            failure.leave_unexplained()
            diverges(failure.case, divergence.name)
        # It had to be different: that is no failure, and nothing that the summary should measure.
        counted.failures, counted.worst_error_over_bound, counted.way = 0, 0.0, {}
        raise


def _show(port: Port, divergence: Divergence) -> None:
    if divergence.smallest is not None:
        unknown = set(divergence.activations) - set(port.supports.activations)
        if divergence.library == "keras":
            need(port, not unknown, f"of Keras {installed()} does not know {', '.join(sorted(unknown))}")
        verify(port, [divergence.smallest()])
    else:
        assert divergence.demonstration is not None
        tally.current().count()
        if divergence.library == "keras":
            from ..implementations.keras import load

            divergence.demonstration(load()[1])
        else:
            divergence.demonstration(import_module(divergence.library))
