"""The mistakes with networks: each changes what is computed, is told from the truth, and is named."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from network_samples import NETWORKS, both, filled, sequences

from pytest_rnnequiv import assert_equivalent, diagnose, judge, reference
from pytest_rnnequiv.mistakes.networks import (
    CATALOGUE,
    NetworkMistake,
    arrays,
    by_name,
    everywhere,
    placed,
    rounding_room,
    wired,
)
from pytest_rnnequiv.model.network import Head, Layer, Network
from pytest_rnnequiv.model.network_case import NetworkCase
from pytest_rnnequiv.model.trajectory import NetworkTrajectory, ShownCall

LIFTED = list(everywhere())
EACH = pytest.mark.parametrize("mistake", [*CATALOGUE, *LIFTED[::6]], ids=str)


def numbers(shown: NetworkTrajectory) -> bytes:
    return b"".join(a.astype(np.float64).tobytes() for _, a in arrays(shown) if a.dtype != object)


def outputs_only(shown: NetworkTrajectory) -> NetworkTrajectory:
    return NetworkTrajectory(tuple(ShownCall(call.outputs) for call in shown.calls))


def shows_in(mistake: NetworkMistake) -> Iterator[tuple[NetworkCase, NetworkTrajectory]]:
    """The networks in which a mistake shows, with what it shows."""
    for case in NETWORKS.values():
        shown = mistake.run(case)
        verdict = judge(case, shown)
        if verdict.different and verdict.place is not None:
            yield case, shown


def named(mistake: NetworkMistake, case: NetworkCase, names: tuple[str, ...]) -> bool:
    """Whether it is among the names, or one that comes to the same numbers is."""
    own = numbers(mistake.run(case, np.float64))
    return mistake.name in names or any(
        numbers(other.run(case, np.float64)) == own
        for other in (*CATALOGUE, *LIFTED, *placed(case.network))
        if other.name in names
    )


# ---- the catalogue ----


def test_names_are_unique_and_can_be_typed() -> None:
    every = [*CATALOGUE, *LIFTED, *placed(NETWORKS["cells, both"].network)]
    assert Counter(m.name for m in every).most_common(1)[0][1] == 1
    for mistake in every:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", mistake.name), mistake.name
        assert re.match(r"(with|without|starting|computed) ", mistake.says), mistake.says
        assert not mistake.says.endswith(".")
        assert len(mistake.how) > 5
    assert by_name("mask-inverted").name == str(by_name("mask-inverted")) == "mask-inverted"
    assert by_name("Wh-transposed").says == "with `Wh` transposed"


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no mistake of networks is called 'typo'; the catalogue has go-backwards-ign"):
        by_name("typo")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_put_together_rightly_is_the_recurrence(name: str, dtype: Any) -> None:
    case = NETWORKS[name]
    mine, theirs = wired(case, dtype=dtype), reference(case, dtype)
    assert numbers(mine) == numbers(theirs)
    assert judge(case, mine).equivalent


# ---- each of them ----


@EACH
def test_it_is_told_from_the_truth_and_named(mistake: NetworkMistake) -> None:
    found = list(shows_in(mistake))
    assert found
    explained = 0
    for case, shown in found[:2]:
        before = case.fingerprint()
        judged = mistake.judge(case, shown)
        assert judged is not None
        assert not judged.different
        assert case.fingerprint() == before
        if judged.equivalent:
            explained += 1
            diagnosis = diagnose(case, shown)
            assert named(mistake, case, diagnosis.names), diagnosis
            (first, *_) = diagnosis.explanations
            assert first.within == first.steps > first.within_before
    # where all is coarse, a state that jumps leaves much undetermined
    assert explained or mistake.name.startswith(("computed-in", "state-in"))


@pytest.mark.parametrize("mistake", [*CATALOGUE[::4], *LIFTED[::12]], ids=str)
def test_the_outputs_of_the_model_are_mostly_enough(mistake: NetworkMistake) -> None:
    for case, whole in shows_in(mistake):
        shown = outputs_only(whole)
        judged = mistake.judge(case, shown)
        if judge(case, shown).different and judged is not None and judged.equivalent:
            assert named(mistake, case, diagnose(case, shown).names)
            return
    assert mistake.name.startswith(("returned-state", "computed-in"))


def test_a_mistake_that_cannot_be_made_leaves_the_plain_recurrence() -> None:
    case = NETWORKS["stack"]
    right = numbers(reference(case, np.float32))
    for name in ("mask-inverted", "backward-not-turned-back", "cells-reversed", "embedding-one-too-far"):
        mistake = by_name(name)
        assert numbers(mistake.run(case)) == right
        assert mistake.judge(case, reference(case, np.float32)) is None
        assert mistake.judge(case, by_name("Wh-transposed").run(case)) is None


# ---- in one place ----


@pytest.mark.parametrize("plain", ["Wh-transposed", "bh-dropped", "activation-relu", "bh-after-activation"])
def test_a_mistake_in_one_place_is_named_with_its_place(plain: str) -> None:
    case = NETWORKS["cells, both"]
    mine = [m for m in placed(case.network) if m.name.endswith(f".{plain}")]
    assert len(mine) == (2 if plain.startswith("activation") else 4)
    for mistake in mine:
        shown = mistake.run(case)
        assert judge(case, shown).different
        diagnosis = diagnose(case, shown)
        assert diagnosis.names == (mistake.name,)
        address = mistake.name.removesuffix(f".{plain}").replace(".", ", ")
        assert f"(in {address}): so, " in str(diagnosis)
    if plain == "Wh-transposed":
        assert mine[0].says == "with `Wh` transposed (in layer0, forward, cell0)"


def test_in_which_of_its_layers_is_seen_from_the_outputs_alone() -> None:
    case = NETWORKS["three"]
    for i in range(3):
        mistake = next(m for m in placed(case.network) if m.name == f"layer{i}.Wx-columns-reversed")
        assert diagnose(case, mistake.run(case).calls[0].outputs).names == (mistake.name,)


def test_a_network_of_one_recurrence_has_no_places() -> None:
    assert list(placed(NETWORKS["embedding"].network)) == []


@pytest.mark.parametrize("wiring", ["state-not-carried", "calls-in-other-order"])
def test_what_breaks_in_a_later_call_is_told_of_the_outputs(wiring: str) -> None:
    case = NETWORKS["stateful"]
    case = case.replace(
        network=case.network.with_layer(0, sequences(3, stateful=True, go_backwards=True)),
    )
    shown = outputs_only(by_name(wiring).run(case))
    with pytest.raises(AssertionError) as caught:
        assert_equivalent(case, shown)
    (first,) = (line for line in str(caught.value).splitlines() if "first broken" in line)
    assert re.search(r"call \d: output \(sample", first)
    assert "in the order of processing" not in first


def test_equal_mistakes_are_named_behind_the_first() -> None:
    case = NETWORKS["stack"]
    diagnosis = diagnose(case, by_name("layers-0-and-1-exchanged").run(case))
    assert set(diagnosis.names) >= {"layers-reversed", "layers-0-and-1-exchanged"}
    assert "What was seen fits as well: " in str(diagnosis)


# ---- what is right, and what is strange ----


@pytest.mark.parametrize("name", NETWORKS)
def test_the_right_is_never_explained(name: str) -> None:
    case = NETWORKS[name]
    for shown in (reference(case, np.float32), outputs_only(reference(case, np.float32)), reference(case)):
        diagnosis = diagnose(case, shown)
        assert diagnosis.explanations == ()
        assert diagnosis.picture == ""


@pytest.mark.parametrize("name", list(NETWORKS)[::4])
@pytest.mark.parametrize("factor", [1.01, 0.9])
def test_what_is_in_no_catalogue_is_given_no_name(name: str, factor: float) -> None:
    case = NETWORKS[name]
    strange = case.replace(weights=tuple(factor * w if w.ndim > 1 else w for w in case.weights))
    shown = reference(strange, np.float32)
    assert judge(case, shown).different
    assert diagnose(case, shown).explanations == ()


def test_where_rounding_is_amplified_beyond_all_bounds_nothing_is_explained() -> None:
    case = filled(Network(2, (Layer(16),), source="mask"), N=2, T=150)
    chaotic = case.with_weights(**{f"layer0/{name}": 0.1 * case.part("layer0")[name] for name in ("Wx", "bh")})
    assert rounding_room(chaotic) > 1
    mistake = by_name("masked-inputs-zeroed")
    shown = mistake.run(chaotic)
    assert judge(chaotic, shown).inconclusive
    judged = mistake.judge(chaotic, shown)
    assert judged is not None
    assert judged.inconclusive
    assert diagnose(chaotic, shown).explanations == ()


# ---- what Keras does ----


def test_keras_with_the_mask_of_a_layer_that_goes_backwards() -> None:
    """Keras hands the mask on as it was: a known divergence, which is named as what it is."""
    pytest.importorskip("tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    network = Network(3, (sequences(4, go_backwards=True), sequences(2)), Head(2), source="masking")
    case = filled(network, 5)
    parts = [
        keras.layers.Masking(),
        keras.layers.SimpleRNN(4, go_backwards=True, return_sequences=True),
        keras.layers.SimpleRNN(2, return_sequences=True),
        keras.layers.Dense(2),
    ]
    model = keras.Sequential([keras.Input((None, 3)), *parts])
    model.set_weights(list(case.weights))
    diagnosis = diagnose(case, model.predict(case.calls[0].x, verbose=0))
    assert diagnosis.names == ("mask-not-turned-with-outputs",)


def test_both_directions_over_a_mask_leave_room_for_one_name() -> None:
    case = filled(Network(3, (both(3), Layer(2)), Head(2), source="mask"), 31)
    for name in ("mask-not-reversed", "mask-ignored", "mask-ignored-after-first-layer", "zero-output-ignored"):
        assert diagnose(case, by_name(name).run(case)).names == (name,)
