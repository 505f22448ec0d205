"""Coarse ports: a case has an answer where its bounds, however wide, exclude what people get wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from coarse import Fixed, FixedPort
from samples import NETWORKS, generic

from pytest_rnnequiv import Case, Precision, Spec, Trajectory, judge, reference, tally
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.judging.observing import Observation, would_help
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, by_name
from pytest_rnnequiv.mistakes.excluding import EXCLUSION, by_exclusion, excluded, is_coarse, usual
from pytest_rnnequiv.suite import sight, verification


class Brain:
    """SimpleRNN -> Dense with everything in bfloat16, sums as well."""

    name = "brain"
    precision = Precision.bfloat16

    def kept(self, a: Any) -> Any:
        return np.asarray(a, np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)

    def run(self, case: Case) -> Trajectory:
        Wx, Wh, bh, Wo, bo = map(self.kept, case.weights)
        x, h, states = self.kept(case.x), np.zeros((case.N, case.M), np.float32), []
        for t in range(case.T):
            h = self.kept(np.tanh(self.kept(self.kept(x[:, t] @ Wx) + self.kept(h @ Wh) + bh)))
            states.append(h)
        whole = np.stack(states, 1)
        return Trajectory(self.kept(self.kept(whole @ Wo) + bo), whole)


def cases(count: int) -> list[Case]:
    return [generic(seed, scale=0.6, M=8, T=5, D=4) for seed in range(count)]


def looked_at(case: Case, *, last: bool = False) -> tuple[Observation, Any]:
    shown = Brain().run(case)
    seen = Observation.of(case, Trajectory(np.asarray(shown.outputs)[:, -1]) if last else shown)
    return seen, judge(case, seen.trajectory, Precision.bfloat16)


def test_wide_bounds_that_exclude_the_usual_mistakes_are_an_answer() -> None:
    wide = [looked_at(case) for case in cases(4)]
    wide = [(seen, verdict) for seen, verdict in wide if verdict.inconclusive]
    assert len(wide) > 2
    decided = [by_exclusion(seen, verdict, Precision.bfloat16) for seen, verdict in wide]
    assert [(each.status, each.way) for each in decided].count(("equivalent", EXCLUSION)) > len(wide) / 2


def test_what_it_excludes_is_seen_in_ports_that_make_it() -> None:
    case = cases(1)[0]
    seen, _ = looked_at(case)
    named = {name: each for some in excluded(seen, Precision.bfloat16, usual()) for name, each in some.items()}
    tried = 0
    for name in ("Wh-transposed", "bh-dropped", "time-reversed", "recurrent-term-dropped", "Wx-columns-reversed"):
        wrong = by_name(name)(case)
        if named.get(name) and wrong is not None:
            tried += 1
            assert judge(case, Brain().run(wrong), Precision.bfloat16).different, name
    assert tried > 3


def test_bounds_that_exclude_little_are_none() -> None:
    for case in cases(2):
        seen, verdict = looked_at(case, last=True)
        assert by_exclusion(seen, verdict, Precision.bfloat16).inconclusive


def test_what_is_different_stays_so() -> None:
    case = cases(1)[0]
    shown = Brain().run(case.replace(bh=0 * case.bh))
    verdict = judge(case, shown, Precision.bfloat16)
    assert verdict.different
    assert by_exclusion(Observation.of(case, shown), verdict, Precision.bfloat16) is verdict


def test_mistakes_are_rounded_as_the_port_rounds() -> None:
    """Else whatever is not on the grid would be found different, and every mistake excluded."""
    port, case = FixedPort(Fixed(2, 5), Fixed(0, 7)), generic(2, N=1, M=6, T=3)
    names = ["bh-dropped", "weights-to-6-decimals"]
    seen = Observation.of(case, port.run(case))
    (found,) = excluded(seen, port.precision, [m for m in CATALOGUE if m.name in names])
    assert found == {"bh-dropped": True, "weights-to-6-decimals": False}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_asked_of_any_architecture(name: str) -> None:
    case = NETWORKS[name]
    whole = reference(case)
    alone = Trajectory.of_calls([Trajectory(call.outputs) for call in whole.each_call])
    few = [m for m in usual() if m.name in ("Wh-transposed", "time-reversed")]
    for shown in (whole, alone):
        for p in (Precision.float32, Precision.bfloat16, Precision.float16_accumulated_in_float32):
            found = {
                name: each for some in excluded(Observation.of(case, shown), p, few) for name, each in some.items()
            }
            assert found, (name, p.name)
            # all that moves a number is seen in the numbers of the case's own arithmetic
            assert p is not Precision.float32 or all(found.values())


@pytest.mark.parametrize(
    ("precision", "coarse"),
    [
        (Precision.float32, False),
        (Precision.float64, False),
        (Precision.float32.with_activation_error(1e-6), False),
        (Precision.float32.with_activation_error(1e-4), True),
        (Precision.tf32, True),
        (Precision.q7, True),
        (Precision.dynamic_range_int8(), True),
    ],
)
def test_which_ports_are_coarse(precision: Precision, coarse: bool) -> None:
    assert is_coarse(precision) is coarse


def test_the_suite_counts_both() -> None:
    tally.take()
    port = Port(Brain())
    for case in cases(2):
        verification.verify(port, [case])
    counted = tally.take()
    assert counted is not None
    assert counted.way.get(EXCLUSION, 0) > 0
    assert counted.mistakes["bh-dropped"] is True
    assert counted.mistakes["weights-to-bfloat16"] is False
    assert len(counted.mistakes) > 100


def test_a_mistake_that_is_excluded_is_not_asked_about_again(monkeypatch: pytest.MonkeyPatch) -> None:
    names, asked = {"bh-dropped", "weights-to-6-decimals"}, []

    def some(seen: Observation, precision: Precision, left: Any) -> Any:
        few = [mistake for mistake in left if mistake.name in names]
        asked.append([mistake.name for mistake in few])
        return excluded(seen, precision, few)

    monkeypatch.setattr(sight, "excluded", some)
    tally.take()
    port = Port(FixedPort(Fixed(2, 5), Fixed(0, 7)))
    for seed in range(sight.SAMPLE + 2):
        verification.verify(port, [generic(seed, N=1, M=5, T=3)])
    counted = tally.take()
    assert counted is not None
    assert counted.mistakes == {"bh-dropped": True, "weights-to-6-decimals": False}
    assert asked == [["bh-dropped", "weights-to-6-decimals"], *[["weights-to-6-decimals"]] * (sight.SAMPLE - 1)]


# ---- the way out ----


def of_weights_in_a_cloud() -> tuple[Case, Precision]:
    spec = Spec.simple(3, 24, 2)
    rng = np.random.default_rng(1)
    weights = [(0.9 / np.sqrt(24) * rng.standard_normal(s)).astype(np.float32) for s in spec.weight_shapes.values()]
    case = Case(spec, rng.standard_normal((2, 10, 3)).astype(np.float32), weights=weights)
    return case, replace(Precision.float32, radius={"Wx": 2.0**-8, "Wh": 2.0**-8})


def test_what_would_help_is_what_helps() -> None:
    case, p = of_weights_in_a_cloud()
    shown = reference(case, np.float32)
    last = Observation.of(case, Trajectory(shown.outputs[:, -1]))
    assert last.judge(p).inconclusive
    assert would_help(last, p) == ["states"]
    assert judge(case, Trajectory(shown.outputs), p).inconclusive
    assert judge(case, shown, p).equivalent
    assert would_help(Observation.of(case, shown), p) == []


def test_every_output_helps_where_outputs_are_states() -> None:
    case, p = of_weights_in_a_cloud()
    case = case.with_identity_head()
    shown = reference(case, np.float32)
    last = Observation.of(case, Trajectory(shown.outputs[:, -1]))
    assert last.judge(p).inconclusive
    assert would_help(last, p) == ["every output", "states"]
    assert judge(case, Trajectory(shown.outputs), p).equivalent
