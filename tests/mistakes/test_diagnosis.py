"""The diagnosis: what explains an implementation is named, and nothing is named for a correct one."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import numpy as np
import pytest
from mistaken import PLAIN, case_for, declared, last_output, outputs_only, same
from samples import NETWORKS, filled, generic, rounded_run, sequences

from pytest_rnnequiv import (
    Case,
    Dense,
    SimpleRNN,
    Spec,
    Trajectory,
    assert_equivalent,
    diagnose,
    judge,
    reference,
    tally,
)
from pytest_rnnequiv.judging.observing import Asking, Observation
from pytest_rnnequiv.mistakes.catalogue import by_name
from pytest_rnnequiv.mistakes.diagnosis import explain, telling_case
from pytest_rnnequiv.mistakes.evidence import Explanation
from pytest_rnnequiv.mistakes.made import Made


def test_one_case_with_its_states_is_mostly_enough() -> None:
    named = {}
    for mistake in islice(PLAIN, 0, None, 3):
        case = generic(1, N=2, T=3, D=4, M=4, K=4)
        case = case_for(mistake) if mistake(case) is None else case
        shown = mistake.run(case)
        if judge(case, shown, declared(mistake)).different:
            found = diagnose(case, shown, declared(mistake)).name
            # of two that make the same case one is named
            again = "" if found is None or "+" in found else by_name(found)(case)
            made = mistake(case)
            named[mistake.name] = mistake.name if again and made and same(again, made) else found
    assert len(named) >= 34
    assert sum(name == found for name, found in named.items()) >= 0.95 * len(named), named


def test_a_small_case_names_nothing_and_running_it_does() -> None:
    mistake = by_name("bh-doubled")
    small = generic(N=1, T=1, D=1, M=1, K=1).replace(x=[[[1]]], Wx=[[1]], Wh=[[1]], bh=[1], Wo=[[1]], bo=[0])
    shown = mistake.run(small)
    alone = diagnose(small, shown)
    assert alone.names == ()  # one number is evidence for nothing
    assert "too little to name a mistake by" in alone.picture
    assert "with the bias `bh` counted twice; or " in alone.picture
    told_apart = diagnose(small, shown, run=mistake.run)
    assert told_apart.names == ("bh-doubled",)
    assert not told_apart.others


def test_a_diagnosis_says_that_it_goes_on() -> None:
    case, said = generic(), list[str]()
    tally.watch(said.append)
    try:
        assert diagnose(case, by_name("Wh-transposed").run(case)).name == "Wh-transposed"
    finally:
        tally.watch(None)
    tried = [
        int(line.removeprefix("explaining the failure: ").partition(" of the usual mistakes tried")[0]) for line in said
    ]
    assert tried == sorted(tried)
    assert tried[-1] > 50


def test_several_cases_together_tell_mistakes_apart() -> None:
    mistake = by_name("starts-at-one")
    cases = [generic(seed, N=1, T=1, D=1, M=1, K=1) for seed in range(4)]
    seen = [Observation.of(case, mistake.run(case)) for case in cases]
    alone, together = explain(seen[:1]), explain(seen)
    assert alone.names == ()
    assert "starting from a state of ones" in alone.picture
    assert "starts-at-one" in together.names
    assert all(e.steps == 4 for e in together.explanations)


def test_a_mistake_that_changes_nothing_here_explains_nothing_here() -> None:
    alone, together = generic(1, N=1), generic(2, N=3)
    seen = [
        Observation.of(alone, reference(alone.replace(bh=3 * alone.bh), np.float32)),
        Observation.of(together, by_name("leaks-between-samples").run(together)),
    ]
    assert explain(seen[1:]).name == "leaks-between-samples"
    assert explain(seen).explanations == ()


def test_a_mistake_under_which_nothing_can_be_judged_explains_nothing() -> None:
    backwards_infinite = np.array(0x0000807F, np.uint32).view(np.float32)
    case = generic(3).replace(Wx=np.full((3, 4), backwards_infinite), Wo=np.zeros((4, 2)), bo=np.zeros(2))
    mistaken = by_name("byte-order")(case)
    assert mistaken is not None
    assert np.isinf(mistaken.Wx).all()
    shown = reference(case.replace(bh=3 * case.bh), np.float32)
    assert judge(mistaken, shown).inconclusive
    assert diagnose(case, shown).explanations == ()


def test_of_two_words_for_the_same_one_is_enough() -> None:
    case = generic(K=2)
    assert diagnose(case, by_name("bo-rolled").run(case)).names == ("bo-reversed",)


def test_one_mistake_is_never_explained_by_two() -> None:
    for mistake in islice(PLAIN, 0, None, 7):
        case = case_for(mistake)
        found = diagnose(case, mistake.run(case), declared(mistake), run=mistake.run)
        assert all(len(e.mistakes) == 1 for e in found.explanations)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_named_for_a_correct_implementation(seed: int) -> None:
    case = generic(seed, T=9, M=7, h0=True, mask=True)
    shown = rounded_run(case, np.random.default_rng(seed))
    for answer in (shown, Trajectory(shown.outputs), Trajectory(shown.outputs[:, -1])):
        found = diagnose(case, answer, run=lambda asked: reference(asked, np.float32))
        assert found.explanations == ()
        assert found.name is None
        assert found.names == ()
        assert found.picture == ""


def test_nothing_is_named_where_nothing_can_be_seen() -> None:
    chaotic = generic(T=200, M=16, radius=3.0, scale=0.2)
    shown = by_name("bh-doubled").run(chaotic).outputs[:, -1]
    assert judge(chaotic, shown).inconclusive
    assert diagnose(chaotic, shown).explanations == ()


def test_an_answer_that_is_none_is_described_by_its_sentence() -> None:
    case = generic()
    assert "returned None" in str(diagnose(case, None))
    assert "have shape (3, 7)" in diagnose(case, np.ones((3, 7))).picture
    assert diagnose(case, np.ones((3, 7))).name is None


def test_a_port_that_does_not_take_the_telling_cases_is_still_diagnosed() -> None:
    case, mistake = generic(), by_name("Wh-transposed")

    def stubborn(asked: Case) -> Any:
        if asked.spec != case.spec:
            raise RuntimeError("compiled for other sizes")
        return mistake.run(asked)

    assert diagnose(case, mistake.run(case), run=stubborn).name == "Wh-transposed"
    assert diagnose(case, mistake.run(case), run=lambda asked: None).name == "Wh-transposed"


def test_a_port_of_one_model_and_length_is_asked_for_nothing_else() -> None:
    case, mistake = generic(), by_name("bh-dropped")
    asked = []

    def run(other: Case) -> Any:
        asked.append(other)
        return mistake.run(other)

    found = explain(
        [Observation.of(case, mistake.run(case))], run=run, asking=Asking(any_weights=False, any_length=False)
    )
    assert found.name == "bh-dropped"
    assert asked
    assert all(np.array_equal(other.Wh, case.Wh) and other.x.shape == case.x.shape for other in asked)


def test_a_declared_precision_is_heeded() -> None:
    case = generic()
    shown = reference(case, np.float16)
    assert diagnose(case, shown, "float16").explanations == ()
    assert diagnose(case, shown).name == "computed-in-float16"


def test_the_sentence() -> None:
    case = generic()
    found = diagnose(case, by_name("Wh-transposed").run(case))
    assert str(found) == (
        "it is the recurrence with `Wh` transposed: so, 15 of 15 steps are within their bound; without, 3 of 15"
    )
    assert isinstance(found.explanations[0], Explanation)
    assert found.explanations[0].says == "with `Wh` transposed"


# ---- models of several parts ----


def test_the_sentence_of_a_network() -> None:
    case = NETWORKS["both"]
    found = diagnose(case, by_name("backward-not-turned-back").run(case))
    assert re.fullmatch(
        r"it is the recurrence with the outputs of the backward layer not turned back into the order of time: so, "
        r"(\d+) of \1 steps are within their bound; without, \d+ of \1",
        str(found),
    )
    assert found.cause == "the second of the two reversals is forgotten"


def one_number() -> Case:
    """A network in which all is one: many mistakes come to the same."""
    case = filled(Spec(1, SimpleRNN(1), Dense(1, use_bias=False)), N=1, T=1)
    return case.replace(weights=tuple(np.ones_like(w) for w in case.weights), x=[[[1]]])


def test_running_a_network_tells_mistakes_apart() -> None:
    small, mistake = one_number(), by_name("bh-dropped")
    shown = mistake.run(small)
    assert "without the bias `bh`; or " in diagnose(small, shown).picture
    assert diagnose(small, shown, run=mistake.run).names == ("bh-dropped",)
    assert diagnose(small, shown, run=lambda case: mistake.run(case).outputs).names == ("bh-dropped",)


def test_a_network_that_takes_no_other_case_is_diagnosed_all_the_same() -> None:
    case, mistake = NETWORKS["both"], by_name("merge-order-exchanged")

    def stubborn(asked: Case) -> Any:
        raise RuntimeError("compiled for other sizes")

    for run in (stubborn, lambda asked: None, lambda asked: np.zeros((1, 1))):
        assert diagnose(case, mistake.run(case), run=run).names == ("merge-order-exchanged",)


def test_several_cases_of_networks_tell_mistakes_apart() -> None:
    mistake = by_name("bh-dropped")
    cases = [one_number(), filled(one_number().spec, 3)]
    seen = [Observation.of(case, mistake.run(case)) for case in cases]
    assert explain(seen[:1]).names == ()
    assert explain(seen).name == "bh-dropped"
    # one that changes nothing in a case explains nothing that is broken there
    state = by_name("state-carried-unasked")
    once, twice = NETWORKS["stack"], NETWORKS["two calls"]
    carried = Observation.of(twice, state.run(twice))
    strange = Observation.of(once, Trajectory.of(1 + reference(once).outputs))
    assert explain([carried]).name == "state-carried-unasked"
    assert explain([carried, strange]).explanations == ()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_telling_case_is_one_of_the_same_model(name: str) -> None:
    like = NETWORKS[name]
    case = telling_case(like, 0)
    sizes = {"D": 2, "M": 2, "K": 2} if like.spec.plain else {}  # of the notebook's model the sizes are others too
    assert case.spec.replace(**sizes) == like.spec.replace(**sizes)
    assert len(case.calls) == len(like.calls)
    assert case.fingerprint() != telling_case(like, 1).fingerprint()


def test_a_declared_precision_of_a_network_is_heeded() -> None:
    case = NETWORKS["backwards"]
    shown = by_name("computed-in-bfloat16").run(case)
    assert diagnose(case, shown).name == "computed-in-bfloat16"
    assert diagnose(case, shown, "bfloat16").explanations == ()


def test_an_answer_of_a_network_that_is_none_is_described_by_its_sentence() -> None:
    case = NETWORKS["stack"]
    assert diagnose(case, np.ones((3, 7))).picture == (
        "the outputs have shape (3, 7), expected (N, K) = (3, 2) (the last step) or (N, T, K) = (3, 5, 2) (every step)"
    )
    assert "None" in str(diagnose(case, None))


def test_what_is_of_the_same_case_is_named_once() -> None:
    case = NETWORKS["stack"]
    diagnosis = diagnose(case, by_name("layers-0-and-1-exchanged").run(case))
    assert diagnosis.name == "layers-reversed"  # which of two layers is the same
    assert "layers-0-and-1-exchanged" not in diagnosis.names


def test_what_comes_to_the_same_numbers_is_named_behind_all_others() -> None:
    case = NETWORKS["backwards"]
    diagnosis = diagnose(case, by_name("time-reversed").run(case))
    assert diagnosis.names == ("go-backwards-ignored", "time-reversed")
    assert "What was seen fits as well: with time reversed" in str(diagnosis)


@pytest.mark.parametrize("name", ["state-not-carried", "calls-in-other-order"])
def test_what_breaks_in_a_later_call_is_told_of_the_outputs(name: str) -> None:
    case = NETWORKS["stateful"]
    case = case.replace(spec=case.spec.with_layer(0, sequences(3, stateful=True, go_backwards=True)))
    with pytest.raises(AssertionError) as caught:
        assert_equivalent(case, outputs_only(by_name(name).run(case)))
    (first,) = (line for line in str(caught.value).splitlines() if "first broken" in line)
    assert re.search(r"call \d: output \(sample", first)
    assert "in the order of processing" not in first


def test_a_last_output_of_many_steps_is_told_from_most_mistakes_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []

    def counting(self: Made, *args: Any, **kwargs: Any) -> Any:
        judged.append(self)
        return judge_made(self, *args, **kwargs)

    judge_made = Made.judge
    monkeypatch.setattr(Made, "judge", counting)
    case = generic(N=2, T=12, D=3, M=5)
    right = last_output(reference(case))
    assert diagnose(case, (1.3 * right + 0.1).astype(np.float32)).name is None
    assert len(judged) < 100
    assert diagnose(case, last_output(by_name("Wh-transposed").run(case))).name == "Wh-transposed"
