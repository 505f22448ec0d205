"""However much an implementation shows of a run, what is right is never different, and what is wrong never passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from samples import filled, generic, sequences

from pytest_rnnequiv import Case, Dense, Precision, ShownLayer, SimpleRNN, Spec, Trajectory, Verdict, judge, reference
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE

SCALES = {"Wx": 2.0**-6, "Wh": 2.0**-6, "bh": 2.0**-6, "Wo": 2.0**-6, "bo": 2.0**-6}
KINDS: dict[str, Any] = {
    "float32": (Precision.float32, np.float32),
    "float64": (Precision.float64, np.float64),
    "float16": (Precision.float16, np.float16),
    "bfloat16": (Precision.bfloat16, ml_dtypes.bfloat16),
    "quantized": (Precision.float32.quantized(**SCALES), np.float32),
    "rough activation": (Precision.float32.with_activation_error(1e-3), np.float32),
}
#: What an implementation may show: its states, what its layer puts out, the outputs of every step, the last one.
SHOWN = ("states", "states of the layer", "outputs of the layer", "outputs", "last")


def verdict_on(case: Case, run: Trajectory, precision: Precision, shown: str) -> Verdict:
    """Judge a run of the notebook's model of which no more is seen than `shown`."""
    outputs, states = np.asarray(run.outputs), np.asarray(run.states)
    if shown == "states":
        return judge(case, Trajectory(outputs, states), precision)
    if shown == "states of the layer":
        return judge(case, Trajectory(outputs, layers=(ShownLayer(states=states),)), precision)
    if shown == "outputs of the layer":
        begun = np.ones(states.shape[:2], bool)
        if case.mask is not None:
            begun = np.logical_or.accumulate(case.mask, axis=1)
        put_out = np.where(begun[..., None], states, 0).astype(states.dtype)
        if outputs.ndim == 2:
            return judge(case, Trajectory(outputs, layers=(ShownLayer(put_out[:, -1]),)), precision)
        return judge(case.with_every_output(), Trajectory(outputs, layers=(ShownLayer(put_out),)), precision)
    return judge(case, outputs if shown == "outputs" else outputs[:, -1], precision)


def computed(case: Case, kind: str) -> Trajectory:
    """Run a case as an implementation of that arithmetic does."""
    _, dtype = KINDS[kind]
    if kind == "quantized":
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [*cases()])
def test_a_right_run_is_never_different_and_states_get_one_verdict(case: Case, kind: str) -> None:
    if kind == "float64":
        case = case.replace(spec=case.spec.replace(dtype="float64"))
    run = computed(case, kind)
    by_way = {shown: verdict_on(case, run, KINDS[kind][0], shown) for shown in SHOWN}
    for shown, verdict in by_way.items():
        assert not verdict.different, (shown, str(verdict))
    assert by_way["states"] == by_way["states of the layer"]
    assert by_way["states"].status == by_way["outputs of the layer"].status


@pytest.mark.parametrize("mistake", CATALOGUE, ids=lambda mistake: mistake.name)
def test_a_wrong_run_gets_one_verdict(mistake: Any) -> None:
    case = generic(5, N=3, T=6, scale=2.0)  # so that clamps at round numbers show
    run = mistake.run(case)
    states, of_layer, puts_out = (verdict_on(case, run, Precision.float32, shown) for shown in SHOWN[:3])
    assert states == of_layer
    assert states.different == puts_out.different
    if mistake(case) is not None and mistake.precision is None:
        assert states.different, str(states)


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
    verdict = verdict_on(case, run, Precision.float32, shown)
    assert not verdict.different, str(verdict)


# ---- NaN ----


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("activation", ["tanh", "relu", "linear", "sigmoid"])
def test_a_nan_that_is_swallowed_is_seen(activation: str, shown: str) -> None:
    case = generic(4, activation=activation)
    x = case.x.copy()
    x[1, 2, 0] = np.nan
    run = reference(case.replace(x=np.nan_to_num(x)), np.float32)
    verdict = verdict_on(case.replace(x=x), run, Precision.float32, shown)
    assert verdict.different, str(verdict)


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("weight", ["Wx", "Wh", "bh", "Wo", "bo"])
def test_a_nan_in_a_weight_comes_out(weight: str, shown: str) -> None:
    """Read in the wrong byte order, a weight may be NaN: a port that takes it so is right about that."""
    case = generic(6)
    numbers = getattr(case, weight).copy()
    numbers.flat[1] = np.nan
    case = case.replace(**{weight: numbers})
    verdict = verdict_on(case, reference(case, np.float32), Precision.float32, shown)
    assert not verdict.different, str(verdict)
    swallowed = reference(case.replace(**{weight: np.nan_to_num(numbers)}), np.float32)
    verdict = verdict_on(case, swallowed, Precision.float32, shown)
    assert verdict.different if shown in SHOWN[:3] else not verdict.equivalent, str(verdict)


# ---- scales ----

STACK = Spec(3, (sequences(5), SimpleRNN(4)), Dense(2))


def test_scales_that_fit_one_layer_and_not_another_are_told() -> None:
    p = Precision.float32.quantized(Wx=np.full(4, 0.1))
    sentence = "declared for Wx have shape \\(4,\\), and layer0/Wx has shape \\(3, 5\\)"
    for case in (generic(0, M=5), filled(STACK)):
        with pytest.raises(ValueError, match=sentence):
            judge(case, np.zeros((3, 2), np.float32), p)
    with pytest.raises(ValueError, match="there are no weights layer0/Wy"):
        Precision.float32.quantized(**{"layer0/Wy": 0.1})


@pytest.mark.parametrize("by", ["layer", "letter"])
def test_scales_are_declared_by_layer_or_for_all_of_a_letter(by: str) -> None:
    case = filled(STACK)
    step = 2.0**-5
    names = [name for name in case.named_weights if name.endswith("Wh")]
    rounded = case.with_weights(**{name: np.round(case.named_weights[name] / step) * step for name in names})
    run = reference(rounded, np.float32)
    p = Precision.float32.quantized(**({"Wh": step} if by == "letter" else dict.fromkeys(names, step)))
    assert judge(case, run, p).equivalent
    assert judge(case, run).different
    one = Precision.float32.quantized(**{names[1]: step})
    verdict = judge(case, run, one)
    assert verdict.place is not None
    assert verdict.place.what == "layer0: state"
    assert one.weight_radius("layer0/Wh", (5, 5)) == 0
