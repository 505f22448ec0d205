"""The notebook's model is the smallest network: a case and the same case as one of a network get the same verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from samples import generic

from pytest_rnnequiv import Case, Precision, Trajectory, judge, reference
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE
from pytest_rnnequiv.model.network_case import NetworkCase
from pytest_rnnequiv.model.trajectory import NetworkTrajectory, ShownCall, ShownLayer

SCALES = {"Wx": 2.0**-6, "Wh": 2.0**-6, "bh": 2.0**-6, "Wo": 2.0**-6, "bo": 2.0**-6}
KINDS: dict[str, Any] = {
    "float32": (Precision.float32, np.float32),
    "float64": (Precision.float64, np.float64),
    "float16": (Precision.float16, np.float16),
    "bfloat16": (Precision.bfloat16, ml_dtypes.bfloat16),
    "quantised": (Precision.float32.quantised(**SCALES), np.float32),
    "rough activation": (Precision.float32.with_activation_error(1e-3), np.float32),
}
#: What an implementation may show: every state and output, every output, the last output.
SHOWN = ("states", "outputs", "last")


def as_network(case: Case, shown: str) -> NetworkCase:
    network = NetworkCase.of(case)
    if shown == "last":
        return network
    layer = network.network.layers[0].replace(return_sequences=True)
    return NetworkCase(network.network.with_layer(0, layer), network.weights, network.calls)


def verdicts(case: Case, run: Trajectory, precision: Precision, shown: str) -> tuple[Any, Any]:
    """Judge a run as a plain case and as one of a network, where no more is seen of it than `shown`."""
    outputs, states = np.asarray(run.outputs), np.asarray(run.states)
    if shown == "last":
        outputs = outputs[:, -1]
    plain = Trajectory(outputs, states if shown == "states" else None)
    layers: tuple[ShownLayer, ...] = ()
    if shown == "states":
        begun = np.ones(outputs.shape[:2], bool)
        if case.mask is not None:
            begun = np.logical_or.accumulate(case.mask, axis=1)
        layers = (ShownLayer(np.where(begun[..., None], states, 0).astype(states.dtype)),)
    network = NetworkTrajectory((ShownCall(outputs, layers),))
    return judge(case, plain, precision), judge(as_network(case, shown), network, precision)


def computed(case: Case, kind: str) -> Trajectory:
    """Run a case as an implementation of that arithmetic does."""
    _, dtype = KINDS[kind]
    if kind == "quantised":
        grid = {name: np.round(getattr(case, name) / s) * s for name, s in SCALES.items()}
        case = case.replace(**grid)
    run = reference(case, np.float32 if dtype is ml_dtypes.bfloat16 else dtype)
    if dtype is not ml_dtypes.bfloat16:
        return run
    states, outputs = (np.asarray(a).astype(dtype).astype(np.float32) for a in (run.states, run.outputs))
    return Trajectory(outputs, states)


def cases() -> Iterator[Any]:
    all_options: list[dict[str, Any]] = [
        {},
        {"activation": "relu"},
        {"activation": "linear", "T": 3},
        {"activation": "softmax", "head_activation": "sigmoid"},
        {"h0": True},
        {"mask": True},
        {"h0": True, "mask": True},
        {"T": 1},
        {"N": 1, "T": 9},
        {"T": 40, "radius": 2.0},
        {"M": 17, "scale": 8.0},
    ]
    for seed, options in enumerate(all_options):
        yield pytest.param(generic(seed, **options), id=", ".join(f"{k}={v}" for k, v in options.items()) or "plain")


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [*cases()])
def test_a_right_run_gets_one_verdict(case: Case, kind: str, shown: str) -> None:
    if kind == "float64":
        case = case.replace(spec=case.spec.replace(dtype="float64"))
    plain, network = verdicts(case, computed(case, kind), KINDS[kind][0], shown)
    assert not plain.different
    assert not network.different, str(network)
    if shown == "states":
        assert plain.status == network.status


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("mistake", CATALOGUE, ids=lambda mistake: mistake.name)
def test_a_wrong_run_gets_one_verdict(mistake: Any, shown: str) -> None:
    case = generic(5, N=3, T=6)
    plain, network = verdicts(case, mistake.run(case), Precision.float32, shown)
    assert plain.different == network.different


@pytest.mark.parametrize("shown", SHOWN)
def test_a_port_that_computes_wide_may_show_flushed_subnormals(shown: str) -> None:
    """It goes on with the number that it does not show."""
    case = generic(3, activation="linear", N=2, T=8, scale=1e-3)
    case = case.replace(Wx=case.Wx * np.float32(3e-36), bh=np.zeros(4), bo=np.zeros(2), Wo=case.Wo * np.float32(1e30))
    wide = reference(case)
    tiny = np.finfo(np.float32).tiny
    states = np.where(np.abs(wide.states) < tiny, 0, wide.states).astype(np.float32)
    assert (states == 0).any(), "some are flushed"
    assert (states != 0).any(), "and some are not"
    run = Trajectory(np.asarray(wide.outputs).astype(np.float32), states)
    plain, network = verdicts(case, run, Precision.float32, shown)
    assert not plain.different
    assert not network.different, str(network)


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear", "sigmoid"])
def test_a_nan_that_is_swallowed_is_seen(activation: str, shown: str) -> None:
    case = generic(4, activation=activation)
    x = case.x.copy()
    x[1, 2, 0] = np.nan
    run = reference(case.replace(x=np.nan_to_num(x)), np.float32)
    plain, network = verdicts(case.replace(x=x), run, Precision.float32, shown)
    assert plain.different
    assert network.different, str(network)


def test_scales_that_fit_one_layer_and_not_another_are_told() -> None:
    p = Precision.float32.quantised(Wx=np.full(4, 0.1))
    with pytest.raises(ValueError, match="declared for Wx have shape \\(4,\\), and layer0/Wx has shape \\(3, 5\\)"):
        judge(as_network(generic(0, M=5), "last"), np.zeros((3, 2), np.float32), p)
    assert Precision.float32.quantised(**{"layer0/Wx": 0.1}).weight_radius("layer1/Wx", (3, 5)) == 0
    with pytest.raises(ValueError, match="there are no weights layer0/Wy"):
        Precision.float32.quantised(**{"layer0/Wy": 0.1})


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("weight", ["Wx", "Wh", "bh", "Wo", "bo"])
def test_a_nan_in_a_weight_comes_out(weight: str, shown: str) -> None:
    """Read in the wrong byte order, a weight may be NaN: a port that takes it so is right about that."""
    case = generic(6)
    numbers = getattr(case, weight).copy()
    numbers.flat[1] = np.nan
    case = case.replace(**{weight: numbers})
    for verdict in verdicts(case, reference(case, np.float32), Precision.float32, shown):
        assert not verdict.different, str(verdict)
    swallowed = reference(case.replace(**{weight: np.nan_to_num(numbers)}), np.float32)
    for verdict in verdicts(case, swallowed, Precision.float32, shown):
        assert verdict.different if shown == "states" else not verdict.equivalent, str(verdict)
