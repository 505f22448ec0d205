"""Probes: each sentence that is said of a wrong port is true of it, and nothing is said of a right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ports import by_hand
from samples import NETWORKS, generic

from pytest_rnnequiv import Case, Precision, Supports, Trajectory, assert_equivalent, diagnose, reference
from pytest_rnnequiv.judging.observing import Asking
from pytest_rnnequiv.mistakes.asked import Unasked, probe_case
from pytest_rnnequiv.mistakes.probes import probe

Run = Callable[[Case], Any]

FROM_2 = "right whenever T = 1, wrong from T = 2 on"
ONE_SAMPLE = "right whenever N = 1, wrong from N = 2 on"
OTHER_FACTOR = "read in another order, or added, or is that factor not 0?"
NOWHERE = "wrong even where N = T = 1 and `bh` is 0 and `bo` is 0"

#: What is told of each port: all of it, and all of it is true.
TOLD: dict[Any, tuple[str, ...]] = {
    by_hand.returns_in_the_loop: (
        "only the first step's input has an effect: nothing after it changes the answer",
        "`Wh` has no effect: other numbers in it change nothing",
        FROM_2,
    ),
    by_hand.never_updates_the_state: (
        "only the last step's input has an effect: nothing before it changes the answer",
        "`Wh` has no effect: other numbers in it change nothing",
        FROM_2,
    ),
    by_hand.no_recurrence_at_every_step: (
        "an input moves the output of its own step only: no step reads the state before it",
        "`Wh` has no effect: other numbers in it change nothing",
        FROM_2,
    ),
    by_hand.first_input_at_every_step: (
        "only the first step's input has an effect: nothing after it changes the answer",
        FROM_2,
        "right whenever the inputs are 0",
    ),
    by_hand.starts_from_ones: (
        "doubling the inputs and `bh` does not double the part of `Wh`: is it added, not multiplied, or does the state "
        "not start from 0?",
        f"rows of `Wh` matter whose factor should be 0: is it {OTHER_FACTOR}",
        "right whenever `Wh` is 0",
    ),
    by_hand.bias_indexed_by_sample: ("`bh` reaches sample 0 only", ONE_SAMPLE, "right whenever `bh` is 0"),
    by_hand.adds_the_recurrent_weights: (
        "doubling the inputs and `bh` does not double the part of `Wh`: is it added, not multiplied, or does the state "
        "not start from 0?",
        f"rows of `Wh` matter whose factor should be 0: is it {OTHER_FACTOR}",
        NOWHERE,
    ),
    by_hand.state_set_up_once: (
        "a sample moves when the input of the one before it does",
        ONE_SAMPLE,
        "right whenever `Wh` is 0",
    ),
    by_hand.last_row_skipped: ("row 4 of `Wh`, the last, has no effect", FROM_2),
    by_hand.sixteen_steps_at_most: ("right up to T = 16, wrong from T = 17 on",),
    by_hand.buffer_of_sixteen_steps: ("right up to T = 16, raises IndexError from T = 17 on",),
    by_hand.samples_in_reverse: (
        "the inputs of samples 0 and 2 have no effect on their outputs",
        "sample 2 moves when sample 0's input does; sample 0 moves when sample 2's input does",
        ONE_SAMPLE,
        "right whenever the inputs are 0",
    ),
    by_hand.KeepsItsState: (
        "asked the same twice in a row, it gives two answers: right the first time, wrong the second: is a state kept "
        "between calls?",
    ),
    by_hand.KeepsALittle: (
        "the same case gets another answer after other cases were asked: something is kept between calls",
    ),
    by_hand.softmax_over_samples: (
        "each sample moves when any other's input does",
        "moving `bo` moves no output",
        "each output sums to 1 over the samples: a softmax over the wrong axis?",
        NOWHERE,
    ),
    by_hand.softmax_on_the_head: (
        "moving `bo` twice as far does not move the outputs twice as far: is there an activation on the head?",
        "number 0 of `bo` moves output 1, which it should not",
        "the outputs of each sample sum to 1, as a softmax makes them",
        NOWHERE,
    ),
    by_hand.column_by_column: (
        "column 0 of `Wo` moves output 1, which it should not",
        f"rows of `Wx`, `Wh` and `Wo` matter whose factor should be 0: are they {OTHER_FACTOR}",
        "right whenever M = 1, wrong from M = 2 on",
    ),
    by_hand.stride_of_one_less: (
        "a sample moves when the input of the one before it does",
        f"rows of `Wx` matter whose factor should be 0: is it {OTHER_FACTOR}",
        "right whenever D = 1, wrong from D = 2 on",
        "right whenever the inputs are 0",
    ),
    by_hand.bias_added_twice: ("`bh` counts 2 times", "right whenever `bh` is 0"),
    by_hand.recurrence_halved: ("`Wh` counts 0.5 times", FROM_2),
    by_hand.clamped_before_tanh: ("right as long as all |a| before the activation are up to 2.99, wrong from 3.01 on",),
    by_hand.blocks_of_four_units: (
        "unit 4 of 5 has no effect",
        "right where M is a multiple of 4, wrong where it is not",
    ),
    by_hand.returns_zeros: (
        "the inputs have no effect",
        "no weight has any effect: are they compiled in?",
        "every answer is all zeros",
        NOWHERE,
    ),
    by_hand.normalizes_over_the_batch: (
        "each sample moves when any other's input does",
        "moving `bo` moves no output",
        NOWHERE,
    ),
    by_hand.centers_over_time: ("outputs move with the inputs of later steps", "right whenever the inputs are 0"),
    by_hand.last_feature_skipped: (
        "feature 3, the last, of the inputs has no effect",
        "right whenever the inputs are 0",
    ),
    by_hand.weights_compiled_in: ("no weight has any effect: are they compiled in?", NOWHERE),
    by_hand.not_a_number_in_the_first_sample: ("of finite, moderate numbers it makes NaN, in sample 0", NOWHERE),
    by_hand.lstm_without_its_forget_gate: ("gate `f` has no effect", FROM_2, "right whenever gate `f` is 0"),
}


def made(port: Any) -> Run:
    return port() if isinstance(port, type) else port


def like(port: Any) -> Case:
    return generic(cell="LSTM") if port.__name__.startswith("lstm") else generic()


@pytest.mark.parametrize("port", TOLD, ids=lambda port: port.__name__)
def test_what_is_told_of_a_wrong_port(port: Any) -> None:
    assert probe(made(port), like(port)) == TOLD[port]


@pytest.mark.parametrize("port", [p for i, p in enumerate(TOLD) if i % 6 == 0], ids=lambda port: port.__name__)
def test_other_numbers_tell_the_same(port: Any) -> None:
    assert probe(made(port), like(port), seed=40) == TOLD[port]


def float32(case: Case) -> Any:
    return reference(case, np.float32).outputs[:, -1]


@pytest.mark.parametrize(
    ("run", "options"),
    [
        (by_hand.right, {}),
        (by_hand.right_at_every_step, {}),
        (float32, {"mask": True, "h0": True}),
        (float32, {"activation": "relu"}),
        (float32, {"activation": "softmax"}),
        (float32, {"cell": "GRU", "M": 3}),
        (lambda case: reference(case).outputs, {"dtype": "float64"}),
    ],
)
def test_nothing_is_told_of_a_right_port(run: Run, options: dict[str, Any]) -> None:
    assert probe(run, generic(2, **options), most=12) == ()


def test_a_unit_that_is_silent_on_some_numbers_is_not_said_to_have_no_effect() -> None:
    def rectified(case: Case) -> Any:
        return float32(case.replace(spec=case.spec.replace(activation="relu")))

    facts = probe(rectified, generic(activation="sigmoid"))
    assert facts
    assert not [fact for fact in facts if "no effect" in fact]


@pytest.mark.parametrize("name", ["stack", "both", "masked backwards", "embedding with mask", "states", "cells"])
def test_nothing_is_told_of_a_right_network(name: str) -> None:
    def run(case: Case) -> Any:
        return Trajectory(reference(case).outputs)

    assert probe(run, NETWORKS[name], asking=Asking(takes=lambda case: True)) == ()


def asked_of(case: Case, run: Run, **asking: Any) -> tuple[str, ...]:
    return probe(run, case, asking=Asking(takes=lambda asked: True, **asking))


def test_masks_and_initial_states() -> None:
    no_mask = asked_of(generic(1, mask=True), lambda case: float32(case.replace(mask=None)))
    assert no_mask[:2] == ("the mask has no effect", "the inputs of masked steps have an effect")
    assert no_mask[-1] == "right whenever no step is masked, and whenever `Wh` is 0"
    no_state = asked_of(generic(1, h0=True), lambda case: float32(case.replace(h0=None)))
    assert no_state[0] == "the initial state has no effect"
    assert "right whenever the initial state is 0" in no_state[-1]


def test_a_layer_of_a_network_that_is_not_read() -> None:
    def run(case: Case) -> Any:
        named = case.named_weights
        return Trajectory(reference(case.with_weights(**{"layer1/Wh": 0 * named["layer1/Wh"]})).outputs)

    told = asked_of(NETWORKS["stack of sequences"], run)
    assert told[0] == "`layer1/Wh` has no effect: other numbers in it change nothing"
    assert FROM_2 in told


def test_one_direction_alone_is_no_recurrence_without_memory() -> None:
    def run(case: Case) -> Any:
        named = case.named_weights
        name = "layer0/forward/Wx"
        return Trajectory(reference(case.with_weights(**{name: 0 * named[name]})).outputs)

    told = asked_of(NETWORKS["both"], run)
    assert told[0] == "`layer0/forward/Wx` has no effect: other numbers in it change nothing"


def test_a_port_with_weights_of_its_own_is_asked_for_no_others() -> None:
    case, asked = generic(3), []

    def run(other: Case) -> Any:
        asked.append(other)
        return float32(other.replace(x=other.x[:, ::-1]))

    told = asked_of(case, run, any_weights=False)
    assert told == (FROM_2, "right whenever the inputs are 0")
    assert all(np.array_equal(a, b) for other in asked for a, b in zip(other.weights, case.weights, strict=True))


def test_what_a_port_does_not_take_says_nothing_of_it() -> None:
    supports = Supports(N=2, T=(1, 8), M=4, D=3, K=2)
    assert probe(by_hand.bias_added_twice, generic(N=2), asking=Asking(takes=supports.accepts)) == (
        "`bh` counts 2 times",
        "right whenever `bh` is 0",
    )

    def choosy(case: Case) -> Any:
        if case.N > 1:
            raise Unasked
        return by_hand.last_row_skipped(case)

    assert probe(choosy, generic(N=1)) == TOLD[by_hand.last_row_skipped]
    assert probe(by_hand.right, generic(), asking=Asking(takes=lambda case: False)) == ()
    assert probe(by_hand.right, NETWORKS["two calls"]) == ()


def test_a_port_that_raises_is_told_where() -> None:
    def run(case: Case) -> Any:
        if case.N > 1:
            raise MemoryError
        return by_hand.right(case)

    assert probe(run, generic()) == (
        "it raises MemoryError in a case of the usual kind and size",
        "right whenever N = 1, raises MemoryError from N = 2 on",
    )


@pytest.mark.parametrize(
    ("x", "what"),
    [
        (np.nan, "with NaN"),
        (1e6, "with numbers up to 1e+06"),
        (1e-35, "with numbers down to 1e-35"),
        (1.0, "of N = 3,"),
    ],
)
def test_a_port_that_is_right_on_generic_numbers_is_told_what_was_special(x: float, what: str) -> None:
    case = generic()
    failing = case.replace(x=np.full_like(case.x, x))

    def run(asked: Case) -> Any:
        y = np.nan_to_num(by_hand.right(asked))
        return y + (len(np.unique(asked.x)) == 1)

    (told,) = probe(run, failing)
    assert told.startswith("right in all 1")
    assert f"generic cases that were asked, wrong in one {what}" in told


def lstm_of(sigmoid: Callable[[Any], Any]) -> Run:
    def run(case: Case) -> Any:
        h = c = np.zeros((case.N, case.M))
        for t in range(case.T):
            i, f, g, o = np.split(case.x[:, t] @ case.Wx + h @ case.Wh + case.bh, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        return h @ case.Wo + case.bo

    return run


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            lstm_of(lambda a: 1 / (2 + np.exp(-a))),
            "in one step of one unit without input, `bh` of i = 40, f = 40, c = 0.3 and o = 40 makes 0.0723 where "
            "0.283 is right",
        ),
        (
            lstm_of(lambda a: 1 / (1 + np.exp(-2 * a))),
            "in one step of one unit, an input of 0.7 with `Wx` of 0.6 in gate `i`, and `bh` of i = 0, f = 40, "
            "c = 0.3 and o = 40, makes 0.201 where 0.174 is right",
        ),
    ],
)
def test_where_nothing_else_is_told_the_smallest_number_that_is_wrong_is(run: Run, told: str) -> None:
    assert probe(run, generic(cell="LSTM"), seconds=60) == (NOWHERE, told)


def test_rounding_is_no_movement() -> None:
    noise = np.random.default_rng(0)

    def shaky(case: Case) -> Any:  # threads sum in another order each time
        y = by_hand.bias_added_twice(case)
        return y * (1 + 1e-7 * noise.standard_normal(y.shape)).astype(np.float32)

    assert probe(shaky, generic()) == TOLD[by_hand.bias_added_twice]


def test_what_a_coarse_port_may_be_off_by_hides_how_outputs_move() -> None:
    """Where a right port may be off by as much as a bias is moved, nothing is said of that bias."""

    def run(case: Case) -> Any:
        return reference(case.replace(Wh=case.Wh.T)).outputs[:, -1]

    p = replace(Precision.float32, radius=dict.fromkeys(("Wx", "Wh", "Wo"), 0.02))
    told = probe(run, generic(N=1, T=10, D=3, M=5, K=2), p)
    assert not [each for each in told if "`bo`" in each]


def test_probing_ends_in_time() -> None:
    asked = []

    def run(case: Case) -> Any:
        asked.append(case)
        return by_hand.bias_indexed_by_sample(case)

    assert ONE_SAMPLE not in probe(run, generic(), most=9)
    assert len(asked) == 10  # the last call sees that the first answer still holds
    assert probe(run, generic(), seconds=0.0) == ()


def test_a_probing_case_has_no_symmetries() -> None:
    case = probe_case(generic(mask=True, h0=True))
    sizes = (case.N, case.T, case.D, case.M, case.K)
    assert len(set(sizes)) == 5
    assert all(np.abs(w).min() > 0.1 for w in case.weights)
    assert not case.mask.all()


def test_the_diagnosis_carries_what_was_probed() -> None:
    case = generic()
    found = diagnose(case, by_hand.stride_of_one_less)
    assert found.explanations == ()
    assert found.facts == TOLD[by_hand.stride_of_one_less]
    assert "right whenever D = 1, wrong from D = 2 on" in str(found)
    assert diagnose(case, by_hand.right).facts == ()
    assert diagnose(case, by_hand.stride_of_one_less(case)).facts == ()
    named = diagnose(case, by_hand.bias_added_twice)
    assert named.name == "bh-doubled"
    assert str(named).endswith("Probed: `bh` counts 2 times; right whenever `bh` is 0")


def test_an_answer_of_a_wrong_shape_is_probed_as_well() -> None:
    def squeezes(case: Case) -> Any:
        return by_hand.right(case)[:, :1] if case.K > 1 else by_hand.right(case)

    found = diagnose(generic(), squeezes)
    assert "shape" in found.picture
    assert found.facts == ("right whenever K = 1, wrong from K = 2 on",)


def test_nothing_is_probed_until_somebody_reads_it() -> None:
    asked = []

    def run(case: Case) -> Any:
        asked.append(case)
        return by_hand.bias_indexed_by_sample(case)

    found = diagnose(generic(), run)
    before = len(asked)
    assert found.facts
    assert len(asked) > before
    assert found.facts is found.facts


def test_an_assertion_probes_what_it_is_given() -> None:
    case = generic()
    port = by_hand.bias_indexed_by_sample
    with pytest.raises(AssertionError) as failure:
        assert_equivalent(case, port(case))
    assert "probed" not in str(failure.value)
    with pytest.raises(AssertionError) as failure:
        assert_equivalent(case, port(case), run=port)
    rows = [line.strip() for line in str(failure.value).splitlines()]
    assert "probed       `bh` reaches sample 0 only" in rows
    assert ONE_SAMPLE in rows
    with pytest.raises(AssertionError, match="probed +right whenever K = 1"):
        assert_equivalent(case, port(case)[:, :1], run=lambda asked: by_hand.right(asked)[:, :1])
