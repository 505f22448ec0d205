"""Wrong ports as people write them are told what is wrong with them, and nothing that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import wrong_ports
from samples import generic

from pytest_rnnequiv import Case, Trajectory, diagnose, judge, reference
from pytest_rnnequiv.judging.observing import Observation, observe
from pytest_rnnequiv.mistakes.diagnosis import explain
from pytest_rnnequiv.mistakes.probes import probe

#: What each port is told; the first two are the same where all kernels are square.
NAMES = {
    "c_reads_out_times_inputs_plus_in": "kernels-memory-order",
    "state_dict_as_it_is": "kernels-memory-order",
    "returns_inside_the_loop": "first-output-taken",
    "returns_inside_the_loop_over_samples": "only-first-sample-computed",
    "bias_by_sample": "bh-by-sample",
    "bias_by_sample_of_one_buffer": "bh-by-sample-read-on",
    "adds_wh_in_the_loop": "Wh-added-in-products",
    "adds_wh_beside_the_state": "Wh-added-to-state",
    "c_with_three_mistakes": "first-output-taken + activation-forgotten",
    "softmax_of_the_course": "softmax-over-samples",
    "softmax_over_everything": "softmax-over-everything",
    "softmax_on_the_head": "head-activation-softmax",
    "sigmoid_on_the_head": "head-activation-sigmoid",
    "last_unit_not_read": "last-unit-not-read",
    "last_unit_not_computed": "last-unit-not-computed",
    "last_feature_not_read": "last-feature-not-read",
    "head_without_its_last_unit": "last-unit-not-read-by-head",
    "pre_activation_clipped": "sums-clamped-at-4",
    "state_clipped": "state-clamped-at-0_9",
    "weights_in_q5": "weights-cut-to-5-fraction-bits",
    "weights_in_int8_that_wrap": "weights-chopped-to-int8-of-7-fraction-bits-that-wrap",
    "scaled_by_128_for_127": "Wh-times-127-128",
    "javascript_concatenates_the_other_way": "kernels-joined-in-other-order",
    "time_ends_one_early": "last-step-skipped",
    "tanh_of_the_state_too": "state-activated-for-head",
    # sums of 16 bits are in no catalogue, and their bounds are so wide that much would fit them
    "float16_sums": None,
    "lstm_state_dict": "kernels-memory-order",
    "gru_bias_by_sample": "bh-by-sample",
    "lstm_gates_side_by_side": "gates-side-by-side",
    "lstm_cell_state_of_the_loop": "cell-state-not-kept",
    "lstm_concatenates_the_other_way": "kernels-joined-as-inputs-first",
    "lstm_of_one_array": "state-in-place-of-cell-state",
    "gru_in_one_buffer": "state-overwritten",
    "gru_resets_the_candidate": "reset-outside",
    "pools_over_time": "mean-output-taken",
    "leaks_by_a_tenth": "state-leaky-0_1",
    "normalizes_its_inputs": None,
}
SQUARE = {"D": 4, "M": 4, "K": 4}


def case_for(name: str) -> Case:
    cell = {"lstm": "LSTM", "gru": "GRU"}.get(name.partition("_")[0], "SimpleRNN")
    return generic(1, cell=cell, **(SQUARE if name == "state_dict_as_it_is" else {}))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_told_what_is_wrong(name: str) -> None:
    port: wrong_ports.Port = getattr(wrong_ports, name)
    assert explain([observe(port, case_for(name))], run=port).name == NAMES[name]


# ---- several mistakes, one for each option ----


def with_functions(functions: dict[str, Any], case: Case) -> Any:
    """A port with functions of its own for some activations, which shows its last output."""
    f = functions.get(case.spec.activation.name, case.spec.activation)
    h = np.zeros((case.N, case.M), np.float32)
    for t in range(case.T):
        h = f((case.x[:, t] @ case.Wx + h @ case.Wh + case.bh).astype(np.float64)).astype(np.float32)
    return h @ case.Wo + case.bo


WRONG = {
    "gelu": lambda a: 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))),
    "hard_sigmoid": lambda a: np.clip(0.2 * a + 0.5, 0, 1),
    "sigmoid": np.tanh,
    "relu": lambda a: np.clip(a, -1, 1),
}


@pytest.mark.parametrize(
    ("activations", "name"),
    [
        (
            ("gelu", "hard_sigmoid"),
            "activation-gelu.gelu-by-tanh + activation-hard_sigmoid.hard_sigmoid-of-Keras-2",
        ),
        (("sigmoid", "relu"), "activation-sigmoid.activation-tanh + activation-relu.activation-hard_tanh"),
    ],
)
def test_two_wrong_activations_are_named_each_for_its_own(activations: tuple[str, str], name: str) -> None:
    cases = [generic(seed, activation=f) for seed, f in enumerate(activations)]
    seen = [observe(lambda case: with_functions(WRONG, case), case) for case in cases]
    assert all(o.judge().different for o in seen)
    found = explain(seen)
    assert set((found.name or "").split(" + ")) == set(name.split(" + "))
    assert "(where `activation` is " in str(found)


def test_a_mistake_of_one_activation_is_not_contradicted_by_another_that_is_right() -> None:
    cases = [generic(seed, activation=f) for seed, f in enumerate(("sigmoid", "relu"))]
    seen = [observe(lambda case: with_functions({"sigmoid": np.tanh}, case), case) for case in cases]
    assert seen[1].judge().equivalent
    assert explain(seen).name == "activation-sigmoid.activation-tanh"


# ---- what is no evidence ----


@pytest.mark.parametrize("seed", range(2))
def test_a_wide_bound_is_no_evidence(seed: int) -> None:
    """Noise that the bounds of coarse arithmetics take in is not called by their names."""
    case = generic(seed)
    noise = 2e-4 * np.random.default_rng(seed).standard_normal((case.N, case.K))
    off = (with_functions({}, case) * (1 + noise)).astype(np.float32)
    assert judge(case, off).different
    assert not judge(case, off, "tf32").different
    assert diagnose(case, off).explanations == ()


def test_nan_and_zeros_alone_are_no_evidence() -> None:
    case = generic(2)
    for nothing in (np.zeros((case.N, case.K)), np.full((case.N, case.K), np.nan)):
        assert diagnose(case, nothing).explanations == ()


def test_single_precision_for_double_is_named_by_its_digits() -> None:
    case = generic(2, dtype="float64")
    single = case.replace(spec=case.spec.replace(dtype="float32"))
    found = diagnose(case, with_functions({}, single).astype(np.float32))
    assert found.names == ("computed-in-float32",)
    assert "computed as coarsely as in float32" in str(found)


def test_a_number_too_few_is_made_up_by_another_check() -> None:
    small = generic(0, N=1, T=1, D=1, M=1, K=1)
    seen = [Observation.of(c, Trajectory(wrong_ports.sigmoid_on_the_head(c))) for c in (small, generic(3))]
    assert explain(seen[:1]).names == ()
    assert "too little to name a mistake by" in explain(seen[:1]).picture
    assert explain(seen).name == "head-activation-sigmoid"


def test_what_has_no_name_is_told_by_what_it_depends_on() -> None:
    case = generic(1)
    facts = diagnose(case, wrong_ports.normalizes_its_inputs).facts
    assert "inputs twice as large give the same answer: are they normalized?" in facts
    assert not [fact for fact in facts if "multiplied" in fact]
    long = generic(1, T=12)
    assert "right up to T = 8, wrong from T = 9 on" in probe(wrong_ports.keeps_eight_steps, long)


def test_a_mean_over_the_steps_is_not_taken_for_half_of_a_weight() -> None:
    assert not [fact for fact in diagnose(generic(1), wrong_ports.pools_over_time).facts if "times" in fact]

    def halved(case: Case) -> Any:
        return reference(case.replace(Wh=0.5 * case.Wh), np.float32).outputs[:, -1]

    assert "`Wh` counts 0.5 times" in diagnose(generic(1), halved).facts
