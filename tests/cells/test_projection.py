"""An LSTM whose state is a projection of its units: recurrence, law, bounds, layouts, and how it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import collect
from samples import filled

from pytest_rnnequiv import (
    LSTM,
    Bidirectional,
    Case,
    Dense,
    Spec,
    Supports,
    Trajectory,
    judge,
    layouts,
    reference,
)
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.cells import CELLS, LSTMCell
from pytest_rnnequiv.failures.script import script
from pytest_rnnequiv.judging.oracle import judge_all
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE
from pytest_rnnequiv.model.trajectory import ShownLayer

ONE = Spec(3, LSTM(4, projection=2, return_sequences=True, return_state=True), Dense(3))
SPECS = {
    "one": ONE,
    "as many": Spec(3, LSTM(4, projection=4), Dense(2)),
    "more": Spec(3, LSTM(2, projection=5, use_bias=False), Dense(2)),
    "given states": Spec(3, LSTM(4, projection=2, initial_state=True, return_state=True), source="mask"),
    "both, and one on top": Spec(
        3,
        (Bidirectional(LSTM(4, projection=3, return_sequences=True)), LSTM(5, projection=2, peepholes=True, clip=1.0)),
        Dense(2),
    ),
}


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))


def test_the_state_is_what_the_projection_makes_of_the_units() -> None:
    """As PyTorch writes it: ``h_t = W_hr (o_t * tanh(c_t))``, and this ``h_t`` goes into the next step."""
    case = filled(ONE, 1, T=6)
    w = {name: array.astype(np.float64) for name, array in case.part("layer0").items()}
    (shown,) = reference(case).shown_layers
    assert shown is not None
    assert shown.final_states is not None
    x = case.calls[0].x.astype(np.float64)
    h, c = np.zeros((len(x), 2)), np.zeros((len(x), 4))
    for t in range(6):
        i, f, g, o = np.split(x[:, t] @ w["Wx"] + h @ w["Wh"] + w["bh"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = (sigmoid(o) * np.tanh(c)) @ w["Wr"]
        np.testing.assert_allclose(np.asarray(shown.output)[:, t], h, rtol=1e-12, atol=1e-14)
    for state, final in zip(shown.final_states, (h, c), strict=True):
        np.testing.assert_allclose(state, final, rtol=1e-12, atol=1e-14)


def test_it_has_a_law_and_shapes_of_its_own() -> None:
    assert ONE.param_counts["layer0"] == 4 * 4 * (3 + 2 + 1) + 4 * 2
    assert ONE.parts["layer0"] == {"Wx": (3, 16), "Wh": (2, 16), "bh": (16,), "Wr": (4, 2)}
    assert SPECS["given states"].state_shapes(7) == [(7, 2), (7, 4)]
    assert SPECS["both, and one on top"].parts["layer1"]["Wx"] == (6, 20)
    assert ONE.options == {"projection", "return_sequences", "return_state"}
    assert not ONE.letters
    assert "LSTM(4, return_sequences=True, return_state=True, projection=2)" in str(ONE)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_it_is_a_number_of_units(value: Any) -> None:
    with pytest.raises(ValueError, match="projection must be a number of units from 1 on, or None for no projection"):
        LSTMCell(projection=value)


def test_letters_do_not_say_what_its_weights_are() -> None:
    with pytest.raises(AttributeError, match="has a projection: look into its layers for M"):
        _ = ONE.M
    with pytest.raises(TypeError, match="has a projection: give weights"):
        Case(ONE, np.zeros((1, 1, 3)), Wx=np.zeros((3, 16)))


@pytest.mark.parametrize("name", SPECS)
def test_a_right_run_is_proved_and_none_is_called_different(name: str) -> None:
    cases = [rnn.generic_case(SPECS[name], 2, 12, seed=seed) for seed in range(1, 7)]
    runs = [reference(case, np.float32) for case in cases]
    assert all(judge(case, run).equivalent for case, run in zip(cases, runs, strict=True))
    together = judge_all(cases, runs)  # as a pack: each with a projection of its own
    assert [str(each) for each in together] == [str(judge(case, run)) for case, run in zip(cases, runs, strict=True)]
    outputs = [judge(case, Trajectory(run.outputs)) for case, run in zip(cases, runs, strict=True)]
    assert not any(verdict.different for verdict in outputs)
    assert sum(verdict.equivalent for verdict in outputs) > 4


def test_a_state_that_is_slightly_off_is_seen() -> None:
    case = rnn.generic_case(ONE, 2, 12, seed=3)
    run = reference(case, np.float32)
    (shown,) = run.shown_layers
    assert shown is not None
    off = np.array(shown.output)
    off[1, 5, 1] += 1e-4
    verdict = judge(case, Trajectory(run.outputs, layers=(ShownLayer(off),)))
    assert verdict.different
    assert verdict.place is not None
    assert (verdict.place.n, verdict.place.t, verdict.place.unit) == (1, 5, 1)


def test_coarse_steps_are_told_by_the_reach_of_the_projection() -> None:
    """A bound that is a good part of what a number can be shows nothing: large sums in bfloat16 are so uncertain."""
    spec = ONE.replace(dtype="bfloat16")
    case = rnn.generic_case(spec, 2, 5, seed=1)
    wide = case.with_weights(**{"layer0/Wh": case.named_weights["layer0/Wh"] * 500})
    assert not judge(wide, reference(wide)).different
    assert judge(wide, reference(wide)).inconclusive


@pytest.mark.parametrize("name", SPECS)
def test_a_mistake_is_made_or_cannot_be_made(name: str) -> None:
    """Whatever is square without a projection need not be so with one."""
    case = filled(SPECS[name], 1)
    made = [mistake for mistake in CATALOGUE if mistake.precision is None and mistake(case) is not None]
    assert len(made) > 100
    for mistake in made[::5]:
        mistake.run(case)
    assert {"Wh-transposed", "gate-f-Wh-transposed"}.isdisjoint(m.name for m in made) is (name != "as many")


def test_units_have_no_order() -> None:
    case = filled(SPECS["as many"], 1)
    kind = case.spec.directions[0].kinds[0]
    w = case.cell_weights(case.spec.places[0])
    order = [2, 0, 3, 1]
    turned = kind.permuted(w, order)
    other = case.with_weights(**{f"layer0/{name}": array for name, array in vars(turned).items()})
    np.testing.assert_allclose(reference(other).outputs, reference(case).outputs, rtol=1e-12)
    assert not np.array_equal(turned.Wr, w.Wr)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    case = filled(ONE, 1)
    case.save(tmp_path / "case.npz")
    assert Case.load(tmp_path / "case.npz").fingerprint() == case.fingerprint()


def test_a_script_computes_it_with_numpy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = filled(ONE, 1)
    case.save(tmp_path / "case.npz")
    source = script(case, str(tmp_path / "case.npz"))
    assert "# Keras has no projection: " in source
    exec(source, {})
    assert "expected" in capsys.readouterr().out


def test_it_is_drawn_for_those_who_declare_it() -> None:
    some = ("projection", "bidirectional", "merge_mode", "layers", "cells")
    specs = collect(rnn.architectures(options=some, cells=tuple(CELLS)), 200)
    drawn = [layer for spec in specs for layer in spec.directions if "projection" in layer.kinds[-1].beyond]
    assert len(drawn) > 40
    smaller = [layer.features < min(layer.cells) for layer in drawn]
    assert sum(smaller) > 0.6 * len(drawn)  # as PyTorch wants it; in some all sizes are equal
    assert not all(smaller)
    assert not any("projection" in spec.options for spec in collect(rnn.architectures(cells=("LSTM",)), 50))


def test_of_whatever_size_it_is_heeded() -> None:
    supports = Supports(cells=(LSTMCell(), LSTMCell(projection=2)), options=("projection",))
    assert supports.takes(Spec(3, LSTM(4, projection=3), Dense(2)))
    assert not supports.takes(Spec(3, LSTM(4, projection=3, peepholes=True), Dense(2)))
    assert not Supports(cells=(LSTMCell(),)).takes(Spec(3, LSTM(4, projection=3), Dense(2)))


def test_there_and_back_in_the_layouts_that_have_it() -> None:
    for layer in (LSTM(4, projection=2, return_sequences=True), LSTM(4, projection=4, return_sequences=True)):
        weights = filled(Spec(3, layer), 1).weights
        layer_, back = layouts.from_tf1("LSTM", layouts.to_tf1(layer, weights))
        assert layer_ == layer
        assert all(np.allclose(a, b, 0, 1e-6) for a, b in zip(weights, back, strict=True))
    both = Bidirectional(LSTM(4, projection=2, return_sequences=True))
    weights = filled(Spec(3, both), 1).weights
    state = layouts.to_torch(both, weights)
    assert state["weight_hr_l0_reverse"].shape == (2, 4)
    (layer__,), back = layouts.from_torch(state)
    assert layer__ == both
    assert all(map(np.array_equal, weights, back))
