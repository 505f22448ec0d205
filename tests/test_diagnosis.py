"""The diagnosis: what explains an implementation is named, and nothing is named for a correct one."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
from network_samples import NETWORKS, filled
from samples import generic
from test_mistakes import case_for, declared
from test_oracle import rounded_run

from pytest_rnnequiv import Case, Trajectory, diagnose, judge, reference
from pytest_rnnequiv.arithmetic.activations import Activation
from pytest_rnnequiv.judging.observing import Observation, observe
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, FAST_TANH, Mistake, by_name, to_tf32
from pytest_rnnequiv.mistakes.diagnosis import Explanation, describe, explain, explain_network, telling_network_case
from pytest_rnnequiv.mistakes.networks import by_name as of_network
from pytest_rnnequiv.model.network import Head, Layer, Network
from pytest_rnnequiv.model.network_case import NetworkCase
from pytest_rnnequiv.model.trajectory import NetworkTrajectory

Run = Callable[[Case], Any]


def states(mistake: Mistake) -> Run:
    return mistake.run


def last(mistake: Mistake) -> Run:
    return lambda case: mistake.run(case).outputs[:, -1]


def every(mistake: Mistake) -> Run:
    return lambda case: mistake.run(case).outputs


def seen_by(run: Run, case: Case) -> list[Observation]:
    return [observe(run, case)]


#: Mistakes that show the same as another in an implementation which shows no states, or nothing but its last output.
LATE = {"one-step-late", "head-of-previous-step"}
SAME = {"states": set(), "every": LATE, "last": LATE | {"last-step-skipped"}}


def rightly(name: str | None, mistake: Mistake, show: str) -> bool:
    return name == mistake.name or {name, mistake.name} <= SAME[show]


# ---- each mistake is named ----


@pytest.mark.parametrize(
    ("mistake", "show"),
    [
        (mistake, show)
        for show, step in {"states": 1, "every": 6, "last": 2}.items()
        for i, mistake in enumerate(CATALOGUE)
        if i % step == 0 or mistake.name in SAME["last"]
    ],
    ids=str,
)
def test_each_mistake_is_named(mistake: Mistake, show: str) -> None:
    run = {"states": states, "every": every, "last": last}[show](mistake)
    case = case_for(mistake)
    found = explain(seen_by(run, case), declared(mistake), run=run)
    assert rightly(found.name, mistake, show), found
    (explanation, *_) = found.explanations
    assert explanation.within == explanation.steps > explanation.within_before
    assert found.how == found.explanations[0].mistakes[0].how


def test_one_case_with_its_states_is_mostly_enough() -> None:
    named = {}
    for mistake in islice(CATALOGUE, 0, None, 3):
        case = generic(1, N=2, T=3, D=4, M=4, K=4)
        case = case_for(mistake) if mistake(case) is None else case
        shown = mistake.run(case)
        if judge(case, shown, declared(mistake)).different:
            named[mistake.name] = diagnose(case, shown, declared(mistake)).name
    assert len(named) >= 34
    assert sum(name == found for name, found in named.items()) >= 0.95 * len(named), named


def test_a_small_case_leaves_several_and_running_it_tells_them_apart() -> None:
    mistake = by_name("bh-doubled")
    small = generic(N=1, T=1, D=1, M=1, K=1).replace(x=[[[1]]], Wx=[[1]], Wh=[[1]], bh=[1], Wo=[[1]], bo=[0])
    shown = mistake.run(small)
    alone = diagnose(small, shown)
    assert len(alone.explanations) > 1
    assert "bh-doubled" in alone.names
    assert alone.others
    told_apart = diagnose(small, shown, run=mistake.run)
    assert told_apart.names == ("bh-doubled",)
    assert not told_apart.others


def test_several_cases_together_tell_mistakes_apart() -> None:
    mistake = by_name("starts-at-one")
    cases = [generic(seed, N=1, T=1, D=1, M=1, K=1) for seed in range(4)]
    seen = [Observation.of(case, mistake.run(case)) for case in cases]
    alone, together = explain(seen[:1]), explain(seen)
    assert set(together.names) <= set(alone.names)
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


def pairs() -> list[tuple[str, str]]:
    return [
        ("Wh-transposed", "bh-dropped"),
        ("Wh-transposed", "activation-relu"),
        ("Wx-memory-order", "starts-at-one"),
        ("time-reversed", "bh-doubled"),
        ("Wh-transposed", "bo-dropped"),
        ("activation-sigmoid", "first-step-skipped"),
        ("bh-after-activation", "weights-to-float16"),
        ("Wh-negated", "leaks-between-samples"),
        ("bo-doubled", "N-and-T-swapped"),
        ("recurrent-term-dropped", "activation-forgotten"),
    ]


@pytest.mark.parametrize(("one", "other"), pairs())
@pytest.mark.parametrize("show", ["states", "last"])
def test_two_mistakes_at_once_are_both_named(one: str, other: str, show: str) -> None:
    a, b = by_name(one), by_name(other)

    def run(case: Case) -> Any:
        changed = a(case)
        if b.head_only or not a.head_only:
            shown = b.run(case if changed is None else changed)
        else:
            wrong = b(case)
            shown = a.run(case if wrong is None else wrong)
        return shown if show == "states" else shown.outputs[:, -1]

    found = explain(seen_by(run, generic()), run=run)
    assert found.name is not None
    assert set(found.name.split(" + ")) == {one, other}
    assert " and " in str(found)
    assert "; " in found.how


def test_one_mistake_is_never_explained_by_two() -> None:
    for mistake in islice(CATALOGUE, 0, None, 7):
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

    found = explain([Observation.of(case, mistake.run(case))], run=run, any_weights=False, any_length=False)
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


# ---- where nothing explains it, how it looks ----


def spoilt(case: Case, change: Callable[[Any, int], Any], start: int = 2, what: str = "states") -> Trajectory:
    """Run the recurrence, with the state (or the output) changed at each step from one on."""
    h = np.zeros((case.N, case.M))
    states_, outputs = [], []
    for t in range(case.T):
        h = reference(case.replace(x=case.x[:, t : t + 1], h0=h, mask=None)).states[:, 0]
        if what == "states" and t >= start:
            h = change(h.copy(), t)
        with np.errstate(invalid="ignore"):
            y = h @ case.Wo.astype(float) + case.bo
        states_.append(h)
        outputs.append(change(y.copy(), t) if what == "outputs" and t >= start else y)
    return Trajectory(np.stack(outputs, 1), np.stack(states_, 1))


def picture(case: Case, shown: Trajectory) -> str:
    verdict = judge(case, shown)
    assert verdict.different
    assert describe(case, shown) == describe(case, shown, None, verdict)
    return describe(case, shown)


def unit_set(value: float, units: Any = slice(None), samples: Any = slice(None)) -> Callable[[Any, int], Any]:
    def change(a: Any, t: int) -> Any:
        a[samples, units] = value
        return a

    return change


CASE = generic(11, N=3, T=5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a, t: a + 0.125, "every unit is off by +0.125"),
        (lambda a, t: a - 0.25, "every unit is off by -0.25"),
        (lambda a, t: 1.5 * a, "every unit is too large by a factor of 1.5"),
        (lambda a, t: a + CASE.bh, "it is off by the bias `bh`"),
        (lambda a, t: a - CASE.bh, "it is off by minus the bias `bh`"),
        (lambda a, t: np.sign(a), "it is saturated: every unit is +1 or -1"),
        (lambda a, t: 0 * a, "it is all zeros"),
        (lambda a, t: a * np.nan, "it is NaN from here on"),
        (lambda a, t: a * np.inf, "it is infinite"),
        (lambda a, t: a + np.array([0, 0.1, 0, 0]), "only unit 1 of 4"),
        (lambda a, t: a + np.array([0.2, 0, 0, 0.1]), "only units 0, 3 of 4"),
        (
            lambda a, t: a + np.array([[0], [0.1], [0.2]]) * np.arange(1, 5),
            "only samples after the first are wrong: is a state left over from the sample before?",
        ),
    ],
)
def test_the_first_broken_state_is_described(change: Callable[[Any, int], Any], sentence: str) -> None:
    assert sentence in picture(CASE, spoilt(CASE, change))


def test_a_nan_that_goes_away_is_not_there_from_here_on() -> None:
    shown = spoilt(CASE, lambda a, t: a)
    wrong = shown.states.copy()
    wrong[1, 2] = np.nan
    assert "it is NaN" in picture(CASE, Trajectory(shown.outputs, wrong))
    assert "from here on" not in picture(CASE, Trajectory(shown.outputs, wrong))


def test_another_start_is_described() -> None:
    started = CASE.replace(h0=np.random.default_rng(0).standard_normal((3, 4)))
    shown = reference(started, np.float32)
    assert picture(CASE, shown).endswith(
        "every later step follows rightly from the one before: does it start from a state other than zero?"
    )
    assert diagnose(CASE, shown).explanations == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a, t: a + CASE.bo, "it is off by the bias `bo`"),
        (lambda a, t: a + 0.5, "every unit is off by +0.5"),
        (lambda a, t: 3 * a, "every unit is too large by a factor of 3"),
        (lambda a, t: a + np.array([0, 0.1]), "only unit 1 of 2"),
    ],
)
@pytest.mark.parametrize("shows", ["states", "every output", "last output"])
def test_the_first_broken_output_is_described(change: Callable[[Any, int], Any], sentence: str, shows: str) -> None:
    shown = spoilt(CASE, change, what="outputs")
    if shows == "every output":
        shown = Trajectory(shown.outputs)
    elif shows == "last output":
        shown = Trajectory(shown.outputs[:, -1])
    assert sentence in picture(CASE, shown)


def test_an_output_is_described_beside_the_states_that_were_shown() -> None:
    chaotic = generic(2, N=1, T=120, M=20, radius=3.0, scale=0.2)
    right = rounded_run(chaotic, np.random.default_rng(0))
    wrong = right.outputs.copy()
    wrong[:, 110:] += chaotic.bo
    assert picture(chaotic, Trajectory(wrong, right.states)) == "it is off by the bias `bo`"


def test_there_is_nothing_to_say_of_the_right_and_little_of_the_strange() -> None:
    right = reference(CASE, np.float32)
    assert describe(CASE, right) == ""
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, right.states.shape)
    assert picture(CASE, Trajectory(right.outputs, right.states + noise)) == ""


def test_what_no_mistake_explains_is_said_so() -> None:
    shown = spoilt(CASE, lambda a, t: a + 0.125)
    found = diagnose(CASE, shown)
    assert found.explanations == ()
    assert str(found) == "no mistake of the catalogue explains it; every unit is off by +0.125"
    assert found.how == ""


def stranger(number: int) -> Run:
    """Return an implementation with a mistake that is in no catalogue."""
    changes: list[Callable[[Case], Case]] = [
        lambda case: case.replace(spec=case.spec.replace(activation=Activation("strange", lambda a: a / (1 + a * a)))),
        lambda case: case.replace(spec=case.spec.replace(activation=Activation("flat", lambda a: np.tanh(0.9 * a)))),
        lambda case: case.replace(Wx=0.97 * case.Wx),
        lambda case: case.replace(Wx=0.99 * case.Wx),
        lambda case: case.replace(Wh=case.Wh @ case.Wh),
        lambda case: case.replace(x=case.x**2),
        lambda case: case.replace(bh=3 * case.bh),
        lambda case: case.replace(bh=1.01 * case.bh),
    ]
    return lambda case: reference(changes[number](case), np.float32)


@pytest.mark.parametrize("number", range(8))
def test_what_is_in_no_catalogue_is_not_given_the_name_of_another(number: int) -> None:
    run = stranger(number)
    for show in (lambda t: t, lambda t: t.outputs[:, -1]):
        shown: Run = lambda case, show=show: show(run(case))  # type: ignore[misc]  # noqa: E731
        assert explain(seen_by(shown, generic(4)), run=shown).explanations == ()


@pytest.mark.parametrize("factor", [1 - 1e-5, 1 - 1e-4, 0.999])
@pytest.mark.parametrize("show", ["states", "last"])
def test_what_is_nearly_right_is_not_called_coarse(factor: float, show: str) -> None:
    def run(case: Case) -> Any:
        shown = reference(case.replace(Wx=factor * case.Wx), np.float32)
        return shown if show == "states" else shown.outputs[:, -1]

    assert explain(seen_by(run, generic(4)), run=run).explanations == ()


@pytest.mark.parametrize("show", ["states", "last"])
@pytest.mark.parametrize("options", [{}, {"h0": True, "mask": True}])
def test_factors_in_tf32_are_known_by_their_rounding(show: str, options: dict[str, Any]) -> None:
    def run(case: Case) -> Any:
        x, Wx, Wh, Wo = (to_tf32(a) for a in (case.x, case.Wx, case.Wh, case.Wo))
        h = np.zeros((case.N, case.M), np.float32) if case.h0 is None else case.h0
        states_, outputs = [], []
        for t in range(case.T):
            new = np.tanh(x[:, t] @ Wx + to_tf32(h) @ Wh + case.bh)
            h = new if case.mask is None else np.where(case.mask[:, t, None], new, h)
            states_.append(h)
            begun = True if case.mask is None else case.mask[:, : t + 1].any(1, keepdims=True)
            outputs.append(to_tf32(np.where(begun, h, np.float32(0))) @ Wo + case.bo)
        return Trajectory(np.stack(outputs, 1), np.stack(states_, 1)) if show == "states" else outputs[-1]

    case = generic(4, **options)
    assert judge(case, run(case), "tf32").status in ("equivalent", "inconclusive")
    assert explain(seen_by(run, case), run=run).names == ("computed-in-tf32",)


def test_a_fast_tanh_is_not_taken_for_another() -> None:
    case = generic(5, scale=2.0)
    for name in FAST_TANH:
        found = diagnose(case, by_name(f"fast-tanh-{name}").run(case))
        assert found.name == f"fast-tanh-{name}"


# ---- networks ----


def test_the_sentence_of_a_network() -> None:
    case = NETWORKS["both"]
    found = diagnose(case, of_network("backward-not-turned-back").run(case))
    assert re.fullmatch(
        r"it is the recurrence with the outputs of the backward layer not turned back into the order of time: so, "
        r"(\d+) of \1 steps are within their bound; without, \d+ of \1",
        str(found),
    )
    assert found.how == "the second of the two reversals is forgotten"


def one_number() -> NetworkCase:
    """A network in which all is one: many mistakes come to the same."""
    case = filled(Network(1, (Layer(1),), Head(1)), N=1, T=1)
    return case.replace(weights=tuple(np.ones_like(w) for w in case.weights), calls=(case.calls[0].replace(x=[[[1]]]),))


def test_running_a_network_tells_mistakes_apart() -> None:
    small, mistake = one_number(), of_network("bh-dropped")
    shown = mistake.run(small)
    assert len(diagnose(small, shown).names) > 1
    assert diagnose(small, shown, run=mistake.run).names == ("bh-dropped",)
    assert diagnose(small, shown, run=lambda case: mistake.run(case).calls[0].outputs).names == ("bh-dropped",)


def test_a_network_that_takes_no_other_case_is_diagnosed_all_the_same() -> None:
    case, mistake = NETWORKS["both"], of_network("merge-order-exchanged")

    def stubborn(asked: NetworkCase) -> Any:
        raise RuntimeError("compiled for other sizes")

    for run in (stubborn, lambda asked: None, lambda asked: np.zeros((1, 1))):
        assert diagnose(case, mistake.run(case), run=run).names == ("merge-order-exchanged",)


def test_several_cases_of_networks_tell_mistakes_apart() -> None:
    mistake = of_network("bh-dropped")
    cases = [one_number(), filled(one_number().network, 3)]
    seen = [(case, mistake.run(case)) for case in cases]
    assert len(explain_network(seen[:1]).names) > len(explain_network(seen).names)
    assert explain_network(seen).name == "bh-dropped"
    # one that changes nothing in a case explains nothing that is broken there
    state = of_network("state-carried-unasked")
    once, twice = NETWORKS["stack"], NETWORKS["two calls"]
    strange = NetworkTrajectory.of(1 + reference(once).calls[0].outputs)
    assert explain_network([(twice, state.run(twice))]).name == "state-carried-unasked"
    assert explain_network([(twice, state.run(twice)), (once, strange)]).explanations == ()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_telling_case_is_one_of_the_same_network(name: str) -> None:
    case = telling_network_case(NETWORKS[name], 0)
    assert case.network == NETWORKS[name].network
    assert len(case.calls) == len(NETWORKS[name].calls)
    assert case.fingerprint() != telling_network_case(NETWORKS[name], 1).fingerprint()


def test_a_declared_precision_of_a_network_is_heeded() -> None:
    case = NETWORKS["backwards"]
    shown = of_network("computed-in-bfloat16").run(case)
    assert diagnose(case, shown).name == "computed-in-bfloat16"
    assert diagnose(case, shown, "bfloat16").explanations == ()


def test_an_answer_of_a_network_that_is_none_is_described_by_its_sentence() -> None:
    case = NETWORKS["stack"]
    assert diagnose(case, np.ones((3, 7))).picture == "the outputs have shape (3, 7), expected (3, 2)"
    assert "None" in str(diagnose(case, None))


@pytest.mark.parametrize(
    ("change", "picture"),
    [
        (lambda y: y + np.nan, "the wrong numbers of output 0 are NaN"),
        (lambda y: y + np.inf, "the wrong numbers of output 0 are infinite"),
        (lambda y: 0 * y, "output 0 is all zeros"),
        (lambda y: np.where(np.arange(2) == 1, 0, y), "the wrong numbers of output 0 are zeros; only unit 1 of 2"),
        (lambda y: y[:, ::-1] + 0, "output 0 has the right numbers, with its steps in reverse order"),
        (lambda y: y[::-1] + 0, "output 0 has the right numbers, with its samples in reverse order"),
        (lambda y: y[..., ::-1] + 0, "output 0 has the right numbers, with its units in reverse order"),
        (lambda y: y + np.eye(5)[:, [1, 1]], "only step 1 of 5"),
        (lambda y: y + np.array([0, 1, 2]).reshape(3, 1, 1), "only samples after the first are wrong: is a state left"),
    ],
)
def test_what_no_mistake_explains_in_a_network_is_described(change: Callable[[Any], Any], picture: str) -> None:
    case = NETWORKS["cells"]
    found = diagnose(case, change(reference(case).calls[0].outputs))
    assert found.explanations == ()
    assert found.picture.startswith(picture)
