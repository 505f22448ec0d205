"""Each mistake is named by what an implementation shows that makes it, and nothing else is given its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from mistaken import PLAIN, case_for, declared, last_output, numbers, outputs_only, same, shows_in
from samples import NETWORKS, both, filled, generic, sequences

from pytest_rnnequiv import RNN, Case, Dense, Precision, SimpleRNN, Spec, Trajectory, diagnose, judge, reference
from pytest_rnnequiv.arithmetic.activations import Activation
from pytest_rnnequiv.judging.observing import Observation, observe
from pytest_rnnequiv.mistakes.activations import FAST_TANH
from pytest_rnnequiv.mistakes.arithmetic import to_tf32
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, Mistake, by_name
from pytest_rnnequiv.mistakes.diagnosis import explain
from pytest_rnnequiv.mistakes.seen import Seen

Run = Callable[[Case], Any]


def seen_by(run: Run, case: Case) -> list[Observation]:
    return [observe(run, case)]


def showing(mistake: Mistake, show: str) -> Run:
    """An implementation that makes a mistake and shows its states, its outputs of every step, or its last output."""
    if show == "states":
        return mistake.run
    return lambda case: last_output(mistake.run(case)) if show == "last" else mistake.run(case).outputs


# ---- each mistake in the notebook's model ----


#: Mistakes that show the same as another in an implementation which shows no states, or nothing but its last output.
LATE = {"one-step-late", "head-of-previous-step"}
SAME = {"states": set(), "every": LATE, "last": LATE | {"last-step-skipped"}}


def rightly(name: str | None, mistake: Mistake, show: str, case: Case) -> bool:
    if name == mistake.name or {name, mistake.name} <= SAME[show]:
        return True
    # of two that make the same case one is named
    again = None if name is None or "+" in name or "." in name else by_name(name)(case)
    made = mistake(case)
    return again is not None and made is not None and same(again, made)


@pytest.mark.parametrize(
    ("mistake", "show"),
    [
        (mistake, show)
        # each is made in the selfcheck; here, half of them
        for show, step, first in (("states", 4, 0), ("every", 12, 1), ("last", 6, 3))
        for i, mistake in enumerate(PLAIN)
        if (i % step == first or mistake.name in SAME["last"])
        and not (show == "last" and mistake.name == "head-of-last-step-for-all")  # nothing is wrong with that step
    ],
    ids=str,
)
def test_each_mistake_is_named_in_the_notebooks_model(mistake: Mistake, show: str) -> None:
    run = showing(mistake, show)
    case = case_for(mistake)
    found = explain(seen_by(run, case), declared(mistake), run=run)
    assert rightly(found.name, mistake, show, case), found
    (explanation, *_) = found.explanations
    assert explanation.within == explanation.steps > explanation.within_before
    assert found.cause == found.explanations[0].mistakes[0].cause


#: Of mistakes that have siblings, one; a few of each cell.
SOME = [m for m in CATALOGUE if not m.siblings and m.group != "gates"]
BY_CELL = {"SimpleRNN": SOME[::12], "GRU": SOME[5::17], "LSTM": SOME[11::19]}


@pytest.mark.parametrize("cell", BY_CELL)
def test_nearly_all_mistakes_are_named_in_each_cell(cell: str) -> None:
    case, named = generic(1, cell=cell), {}
    gates = [m for m in CATALOGUE if m.group == "gates" and m(case) is not None][::9]
    for mistake in (*BY_CELL[cell], *gates):
        shown = None if mistake(case) is None else mistake.run(case)
        if shown is not None and judge(case, shown).different and not mistake.judge(case, shown).inconclusive:
            found = explain(seen_by(mistake.run, case), run=mistake.run).name
            named[mistake.name] = mistake.name if rightly(found, mistake, "states", case) else found
    assert len(named) >= 8
    assert sum(name == found for name, found in named.items()) >= 0.95 * len(named), named


@pytest.mark.parametrize("mistake", [m for m in CATALOGUE if m.siblings], ids=str)
def test_what_differs_from_the_catalogue_in_a_number_is_named_with_its_own(mistake: Mistake) -> None:
    case = NETWORKS["several Dense"] if "dense" in mistake.name or "hidden" in mistake.name else generic(1, scale=2.0)
    sibling = next(m for m in mistake.siblings[:3] if m(case) is not None and judge(case, m.run(case)).different)
    found = explain(seen_by(sibling.run, case), run=sibling.run)
    assert any(rightly(name, sibling, "states", case) for name in found.names), found


# ---- each mistake in models of several parts ----

#: Those about how parts are put together, and some of the others.
LAID_OUT = ("options", "calls", "mask", "embedding", "directions", "stack", "cells")
SHOWN = [mistake for mistake in CATALOGUE if next(shows_in(mistake), None)]
EACH = [m for i, m in enumerate(SHOWN) if (m.group in LAID_OUT and i % 2) or i % 9 == 0]


def named_in(mistake: Mistake, case: Case, names: tuple[str, ...]) -> bool:
    """Whether it is among the names, or one that comes to the same numbers is."""
    own = numbers(mistake.run(case, np.float64))
    every = [*CATALOGUE, *(one for each in CATALOGUE for one in each.placed(case.spec))]
    return mistake.name in names or any(
        numbers(other.run(case, np.float64)) == own for other in every if other.name in names
    )


@pytest.mark.parametrize("mistake", EACH, ids=str)
def test_each_mistake_is_named_where_it_shows(mistake: Mistake) -> None:
    explained = 0
    for case, shown in islice(shows_in(mistake), 2):
        before = case.fingerprint()
        judged = mistake.judge(case, shown)
        assert judged is not None
        assert not judged.different
        assert case.fingerprint() == before
        diagnosis = diagnose(case, shown)
        if "too little to name" in diagnosis.picture and mistake.says in diagnosis.picture:
            continue  # few numbers, which its name would need more of
        if judged.equivalent or diagnosis.names:
            explained += 1
            assert named_in(mistake, case, diagnosis.names), diagnosis
            (first, *_) = diagnosis.explanations
            assert first.within == first.steps > first.within_before
    # where all is coarse, a state that jumps leaves much undetermined
    assert explained or mistake.name.startswith(("computed-in", "state-in"))


@pytest.mark.parametrize("mistake", EACH[::3], ids=str)
def test_the_outputs_of_the_model_are_mostly_enough(mistake: Mistake) -> None:
    for case, whole in shows_in(mistake):
        shown = outputs_only(whole)
        if judge(case, shown).different and (names := diagnose(case, shown).names):
            assert named_in(mistake, case, names)
            return
    assert mistake.name.startswith(("returned-state", "computed-in"))


def test_where_the_bound_is_wide_it_is_enough_that_it_excludes_what_is_right() -> None:
    case = NETWORKS["states of two"]
    for name in ("residual-added", "Wx-and-Wh-swapped", "activation-hard_tanh", "weights-to-int8"):
        mistake = by_name(name)
        shown = outputs_only(mistake.run(case))
        judged = mistake.judge(case, shown)
        assert judged is not None
        assert judged.inconclusive
        assert diagnose(case, shown).name == name


# ---- in one place ----


@pytest.mark.parametrize("name", ["Wh-transposed", "bh-dropped", "activation-relu", "bh-after-activation"])
def test_a_mistake_in_one_place_is_named_with_its_place(name: str) -> None:
    case = NETWORKS["cells, both"]
    placed = list(by_name(name).placed(case.spec))
    assert len(placed) == (2 if name.startswith("activation") else 4)
    for mistake in placed:
        shown = mistake.run(case)
        assert judge(case, shown).different
        diagnosis = diagnose(case, shown)
        assert diagnosis.names == (mistake.name,)
        address = mistake.name.removesuffix(f".{name}").replace(".", ", ")
        assert f"(in {address}): so, " in str(diagnosis)
    if name == "Wh-transposed":
        assert placed[0].says == "with `Wh` transposed (in layer0, forward, cell0)"


def test_in_which_of_its_layers_is_seen_from_the_outputs_alone() -> None:
    case = NETWORKS["three"]
    for mistake in by_name("Wx-columns-reversed").placed(case.spec):
        assert diagnose(case, mistake.run(case).outputs).names == (mistake.name,)


def test_a_model_of_one_recurrence_has_no_places() -> None:
    assert [one for mistake in CATALOGUE for one in mistake.placed(NETWORKS["embedding"].spec)] == []


# ---- two at once ----


def both_made(a: Mistake, b: Mistake, case: Case) -> Trajectory:
    """What an implementation shows that makes two mistakes; one that is about the head only is made last."""
    first, last = (b, a) if a.head_only and not b.head_only else (a, b)
    changed = first(case)
    return last.run(case if changed is None else changed)


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
        shown = both_made(a, b, case)
        return shown if show == "states" else last_output(shown)

    found = explain(seen_by(run, generic()), run=run)
    assert found.name is not None
    assert set(found.name.split(" + ")) == {one, other}
    assert " and " in str(found)
    assert "; " in found.cause


@pytest.mark.parametrize("name", ["stack", "both", "both, last"])
@pytest.mark.parametrize(
    ("one", "other"),
    [("Wh-transposed", "bh-dropped"), ("time-reversed", "activation-relu"), ("bh-doubled", "bo-dropped")],
)
@pytest.mark.parametrize("show", ["layers", "outputs"])
def test_two_mistakes_at_once_are_named_in_models_of_several_parts(name: str, one: str, other: str, show: str) -> None:
    case = NETWORKS[name]
    shown = both_made(by_name(one), by_name(other), case)
    found = diagnose(case, shown if show == "layers" else outputs_only(shown))
    assert found.names[0].split(" + ") == [one, other]
    assert len(found.explanations) == 1


# ---- rounded weights ----


@pytest.mark.parametrize("name", ["stack", "both"])
def test_what_is_quantized_as_declared_is_named_for_its_mistake_alone(name: str) -> None:
    case = NETWORKS[name]
    scale = 2.0**-12
    p = Precision.float32.quantized(**dict.fromkeys(case.named_weights, scale))

    def run(asked: Case) -> Trajectory:
        return reference(asked.replace(weights=tuple(np.round(w / scale) * scale for w in asked.weights)), np.float32)

    assert not judge(case, run(case), p).different
    assert diagnose(case, run(case), p).explanations == ()
    assert diagnose(case, run(case)).name == "weights-to-12-fraction-bits"
    mistaken = by_name("Wh-transposed")(case)
    assert mistaken is not None
    assert diagnose(case, run(mistaken), p).name == "Wh-transposed"


# ---- what is right, and what is strange ----


@pytest.mark.parametrize("name", NETWORKS)
def test_the_right_is_never_explained(name: str) -> None:
    case = NETWORKS[name]
    for shown in (reference(case, np.float32), outputs_only(reference(case, np.float32)), reference(case)):
        diagnosis = diagnose(case, shown)
        assert diagnosis.explanations == ()
        assert diagnosis.picture == ""


STRANGE: list[Callable[[Case], Case]] = [
    lambda case: case.replace(weights=tuple(1.01 * w if w.ndim > 1 else w for w in case.weights)),
    lambda case: case.replace(weights=tuple(0.9 * w if w.ndim > 1 else w for w in case.weights)),
    lambda case: case.replace(weights=(1.01 * case.weights[0], *case.weights[1:])),
    lambda case: case.replace(weights=tuple(3 * w if w.ndim == 1 else w for w in case.weights)),
]


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for number in range(len(STRANGE)) for name in list(NETWORKS)[number::12]],
)
def test_what_is_in_no_catalogue_is_given_no_name(name: str, number: int) -> None:
    case = NETWORKS[name]
    shown = reference(STRANGE[number](case), np.float32)
    for seen in (shown, outputs_only(shown)):
        if judge(case, seen).different:
            assert diagnose(case, seen).explanations == ()


@pytest.mark.parametrize("name", list(NETWORKS)[::3])
def test_what_is_far_off_is_so_alone_and_among_others(name: str) -> None:
    case = NETWORKS[name]
    shown = outputs_only(reference(STRANGE[2](case), np.float32))
    seen = Seen(case, shown, case.spec.precision, judge(case, shown))
    made = [mistake.made(case) for mistake in CATALOGUE]
    far = seen.far_from(made)
    assert far == [seen.far_from([each])[0] for each in made]
    assert any(far) == seen.computable


def test_where_rounding_is_amplified_beyond_all_bounds_nothing_is_explained() -> None:
    case = filled(Spec(2, SimpleRNN(16), source="mask"), N=2, T=150)
    chaotic = case.with_weights(**{f"layer0/{name}": 0.1 * case.part("layer0")[name] for name in ("Wx", "bh")})
    mistake = by_name("masked-inputs-zeroed")
    shown = mistake.run(chaotic).outputs
    assert judge(chaotic, shown).inconclusive
    judged = mistake.judge(chaotic, Trajectory(shown))
    assert judged is not None
    assert judged.inconclusive
    assert diagnose(chaotic, shown).explanations == ()


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


# ---- what Keras does ----


def test_keras_with_the_mask_of_a_layer_that_goes_backwards() -> None:
    """Keras hands the mask on as it was: a known divergence, which is named as what it is."""
    pytest.importorskip("tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    spec = Spec(3, (sequences(4, go_backwards=True), sequences(2)), Dense(2), source="masking")
    case = filled(spec, 5)
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
    case = filled(Spec(3, (both(3), SimpleRNN(2)), Dense(2), source="mask"), 31)
    for name in ("mask-not-reversed", "mask-ignored", "mask-ignored-after-first-layer", "zero-output-ignored"):
        assert diagnose(case, by_name(name).run(case)).names == (name,)


# ---- what is known by its digits ----


def summed_up(x: Any, W: Any, start: Any = 0.0) -> Any:
    total = np.zeros((len(x), W.shape[1]), np.float16) + np.float16(start)
    for k, row in enumerate(W):
        total = (total + x[:, k, None] * row).astype(np.float16)
    return total


def sums_in_half_precision(case: Case, joined: bool, head: bool = True) -> Trajectory:
    """States and outputs of a kernel with a `half` accumulator, which is begun with the bias, or without."""
    h = np.zeros((case.N, case.M), np.float32)
    states, outputs = [], []
    for t in range(case.T):
        if joined:
            both = np.concatenate([case.x[:, t], h], 1), np.concatenate([case.Wx, case.Wh])
            h = np.tanh(summed_up(*both, case.bh).astype(np.float32))
        else:
            h = np.tanh(summed_up(case.x[:, t], case.Wx).astype(np.float32) + summed_up(h, case.Wh) + case.bh)
        states.append(h)
        outputs.append(summed_up(h, case.Wo) + case.bo if head else h @ case.Wo + case.bo)
    return Trajectory(np.stack(outputs, 1).astype(np.float32), np.stack(states, 1))


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("joined", [True, False])
def test_sums_in_half_precision_are_named_by_what_is_left_of_them(joined: bool, head: bool) -> None:
    for seed in range(3):
        case = generic(seed, N=2, T=4, scale=0.6)
        assert diagnose(case, sums_in_half_precision(case, joined, head)).names == ("summed-in-float16",)
    run: Run = lambda case: sums_in_half_precision(case, joined=False).outputs  # noqa: E731
    assert explain(seen_by(run, case), run=run).name == "summed-in-float16"


def test_numbers_as_coarse_for_another_reason_are_not_called_sums_in_half_precision() -> None:
    case = generic(1, N=2, T=4)
    for name in ("fast-tanh-table", "weights-to-int8", "state-in-float16", "computed-in-tf32", "computed-in-bfloat16"):
        assert "summed-in-float16" not in diagnose(case, by_name(name).run(case)).names
    grid = np.round(reference(case).outputs * 256) / 256  # 8 bits behind the point
    assert "summed-in-float16" not in diagnose(case, grid.astype(np.float32)).names
    near = reference(case, np.float32)
    off = near.states * (1 + 1e-4 * np.random.default_rng(0).normal(size=near.states.shape))
    assert diagnose(case, Trajectory(near.outputs, off.astype(np.float32))).names == ()


def test_final_states_in_another_order_are_named_though_their_shapes_are_wrong() -> None:
    spec = Spec(3, RNN((4, 2), return_state=True), Dense(2))
    case = filled(spec, 5)
    reversed_ = by_name("returned-states-reversed").run(case)
    assert [np.shape(state) for state in reversed_.layers[0].final_states] == [(3, 2), (3, 4)]  # type: ignore[union-attr]
    found = diagnose(case, reversed_)
    assert found.names == ("returned-states-reversed",)
    assert "shape (3, 2), expected (3, 4)" in found.picture
    wrong = reversed_.replace(
        layers=(replace(reversed_.layers[0], final_states=tuple(s + 1 for s in reversed_.layers[0].final_states)),)  # type: ignore[union-attr, type-var]
    )
    assert diagnose(case, wrong).names == ()
