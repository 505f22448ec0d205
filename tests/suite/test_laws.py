"""Laws that need no oracle: true ones, which right implementations keep and wrong ones break, each its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import filled, generic

from pytest_rnnequiv import Case, Trajectory, reference, tally
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS
from pytest_rnnequiv.arithmetic.bfloat16 import to_bfloat16
from pytest_rnnequiv.arithmetic.precision import Precision
from pytest_rnnequiv.failures.assertion import EquivalenceError
from pytest_rnnequiv.implementations.numpy_loop import NumpyLoop
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.supports import Supports
from pytest_rnnequiv.judging.comparing import compare, numbers
from pytest_rnnequiv.judging.laws import Facts, Law, Other, Selection
from pytest_rnnequiv.judging.relations import LAWS
from pytest_rnnequiv.model.layers import RNN, Bidirectional, Dense, SimpleRNN
from pytest_rnnequiv.model.spec import OPTIONS, Spec
from pytest_rnnequiv.suite.checks import CHECKS
from pytest_rnnequiv.suite.laws import LawBroken, examine, hold
from pytest_rnnequiv.suite.registry import PROFILES

Array = Any
PLAIN = [law for law in LAWS.values() if law.plain]
OF_MODELS = [law for law in LAWS.values() if law.options is not None]
#: Options of what the ports below take, which is the notebook's model.
GIVEN = ("initial_state", "mask")


# ---- ports: the recurrence in float32, with a place for a mistake in each of its parts ----


class Loop:
    """The recurrence, term by term; its subclasses make one mistake each, or none."""

    name = "port"
    supports = Supports(activations=("tanh", "linear"), options=GIVEN)
    shows = "states"

    def rounded(self, a: Array) -> Array:
        return a.astype(np.float32)

    def order(self, count: int) -> Any:
        return range(count)

    def sum(self, terms: list[Array]) -> Array:
        total, *rest = (terms[i] for i in self.order(len(terms)))
        for term in rest:
            total = self.rounded(total + term)
        return total

    def product(self, a: Array, W: Array) -> list[Array]:
        return [self.rounded(a[:, i, None] * W[i]) for i in range(len(W))]

    def activation(self, a: Array, case: Case) -> Array:
        return case.spec.activation.function(a)

    def start(self, case: Case) -> Array:
        return np.zeros((case.N, case.M)) if case.h0 is None else case.h0

    def inputs(self, case: Case) -> Array:
        return case.x

    def weights(self, case: Case) -> tuple[Array, ...]:
        return case.weights

    def mixed(self, new: Array) -> Array:
        return new

    def held(self, on: Array, new: Array, old: Array) -> Array:
        return np.where(on, new, old)

    def run(self, case: Case) -> Any:
        with np.errstate(all="ignore"):
            x = self.rounded(self.inputs(case))
            Wx, Wh, bh, Wo, bo = map(self.rounded, self.weights(case))
            h = self.rounded(self.start(case))
            o, states, outputs = np.zeros_like(h), [], []
            mask = np.ones((case.N, case.T), bool) if case.mask is None else case.mask
            for t in range(case.T):
                bias = np.broadcast_to(bh, h.shape)
                a = self.sum([*self.product(x[:, t], Wx), *self.product(h, Wh), bias])
                new = self.mixed(self.rounded(self.activation(a, case)))
                on = mask[:, t, None]
                h, o = self.held(on, new, h), np.where(on, new, o)
                states.append(h)
                outputs.append(self.sum([*self.product(o, Wo), np.broadcast_to(bo, (case.N, case.K))]))
            y = np.stack(outputs, axis=1)
            if self.shows == "states":
                return Trajectory(y, np.stack(states, axis=1))
            return y if self.shows == "every output" else y[:, -1]


class Shuffled(Loop):
    """Right, and never summed in the same order twice."""

    random = np.random.default_rng(0)
    # of Keras's sparsemax more is said elsewhere
    supports = Supports(activations=tuple(name for name in ACTIVATIONS if name != "sparsemax"), options=GIVEN)

    def order(self, count: int) -> Any:
        return self.random.permutation(count)


class BFloat16(Shuffled):
    precision = "bfloat16"
    rounded = staticmethod(to_bfloat16)


class Float16(Shuffled):
    precision = "float16"

    def rounded(self, a: Array) -> Array:
        return a.astype(np.float16).astype(np.float32)


class LastOutput(Shuffled):
    shows = "last output"


class EveryOutput(Shuffled):
    shows = "every output"


class LeaksBetweenSamples(Loop):
    # A NaN that stands at one sample's masked step leaks as well.
    breaks = ("samples_are_independent", "batches_do_not_matter", "masked_steps_hold_anything")

    def mixed(self, new: Array) -> Array:
        return new + np.float32(0.01) * new.mean(0, keepdims=True)


class SeesTheFuture(Loop):
    breaks = (
        "past_ignores_future",
        "halves_make_the_whole",
        "masked_steps_hold_anything",
        "masked_steps_can_go",
    )

    def inputs(self, case: Case) -> Array:
        return 0.9 * case.x + 0.1 * np.concatenate([case.x[:, 1:], case.x[:, -1:]], axis=1)


class DoesNotCarryTheState(Loop):
    breaks = ("halves_make_the_whole",)

    def start(self, case: Case) -> Array:
        return np.zeros((case.N, case.M))


class LeavesOutTheLastUnit(Loop):
    breaks = ("units_have_no_order",)

    def weights(self, case: Case) -> tuple[Array, ...]:
        Wh = case.Wh.copy()
        Wh[-1] = 0
        return case.Wx, Wh, *case.weights[2:]


class LeavesOutTheLastFeature(Loop):
    breaks = ("features_have_no_order", "bias_is_a_constant_feature")

    def weights(self, case: Case) -> tuple[Array, ...]:
        Wx = case.Wx.copy()
        Wx[-1] = 0
        return Wx, *case.weights[1:]


class TransposesWh(Loop):
    breaks = ("unread_units_do_nothing",)

    def weights(self, case: Case) -> tuple[Array, ...]:
        return case.Wx, case.Wh.T, *case.weights[2:]


class CountsTheBiasTwice(Loop):
    breaks = ("bias_is_a_constant_feature",)

    def weights(self, case: Case) -> tuple[Array, ...]:
        return *case.weights[:2], 2 * case.bh, *case.weights[3:]


class MasksByMultiplying(Loop):
    breaks = ("masked_steps_hold_anything",)

    def held(self, on: Array, new: Array, old: Array) -> Array:
        return on * new + (1 - on.astype(np.float32)) * old


class DecaysAtMaskedSteps(Loop):
    breaks = ("masked_steps_can_go",)

    def held(self, on: Array, new: Array, old: Array) -> Array:
        return np.where(on, new, np.float32(0.9) * old)


class IsAnotherInOddBatches(Loop):
    breaks = ("batches_do_not_matter",)

    def weights(self, case: Case) -> tuple[Array, ...]:
        return case.Wx, case.Wh * (0.99 if case.N % 2 else 1.0), *case.weights[2:]


class ClipsItsInputs(Loop):
    breaks = ("powers_of_two_go_through",)

    def inputs(self, case: Case) -> Array:
        return np.clip(case.x, -1.5, 1.5)


class IsNotOdd(Loop):
    supports = Supports(options=GIVEN)
    breaks = ("signs_go_through",)

    def activation(self, a: Array, case: Case) -> Array:
        return np.tanh(a) * np.where(a < 0, 0.99, 1.0)


class BeginsSomewhere(Loop):
    supports = Supports(options=GIVEN)
    breaks = ("defaults_can_be_said", "signs_go_through")

    def start(self, case: Case) -> Array:
        return np.full((case.N, case.M), 0.1) if case.h0 is None else case.h0


class Unlike(NumpyLoop):
    """NumPy's models, where another one is computed than was asked for."""

    def __init__(self, *breaks: str, **changes: Any) -> None:
        self.breaks, self.changes = breaks, changes

    def run(self, case: Any) -> Any:
        layers = [self.layer(layer) for layer in case.spec.layers]
        return super().run(case.under(case.spec.replace(layers=tuple(layers))))

    def layer(self, layer: Any) -> Any:
        if isinstance(layer, RNN) and all(getattr(layer, name) for name in self.changes):
            return layer.replace(**self.changes)
        return layer


class UnrollsOneStepLess(NumpyLoop):
    # A model that is unrolled to begin with is no longer reversed by go_backwards.
    breaks = ("unroll_changes_nothing", "backwards_is_reversed")

    def run(self, case: Any) -> Any:
        if "unroll" in case.spec.options:
            case = case.map_calls(lambda call: call.replace(x=np.concatenate([call.x[:, :1], call.x[:, :-1]], axis=1)))
        return super().run(case)


RIGHT = [NumpyLoop, Loop, Shuffled, BFloat16, Float16, LastOutput, EveryOutput]
WRONG = [each for each in Loop.__subclasses__() if hasattr(each, "breaks")] + [UnrollsOneStepLess]
WRONG_MODELS = [
    Unlike("backwards_is_reversed", go_backwards=False),
    Unlike("stateful_goes_on", stateful=False),
]

# ---- cases ----


def case_of(law: Law, seed: int, **options: Any) -> Case:
    extra = law.extras[seed % len(law.extras)]
    name = (law.activations or ("tanh",))[0]
    more = {"h0": extra == "h0", "mask": extra == "mask"}
    return generic(seed, N=3, T=5, radius=0.6, activation=name, **more, **options)


MODELS = [
    Spec(3, (SimpleRNN(4, return_sequences=True),), Dense(2)),
    Spec(2, (SimpleRNN(3, return_sequences=True), SimpleRNN(4)), Dense(3)),
    Spec(3, (SimpleRNN(4, return_sequences=True, stateful=True),), Dense(2), N=2),
    Spec(3, (SimpleRNN(4, stateful=True),), N=2),
    Spec(3, (Bidirectional(SimpleRNN(2, return_sequences=True)),), Dense(3), source="mask"),
    Spec(3, (Bidirectional(SimpleRNN(2), merge_mode=None),)),
    Spec(2, (SimpleRNN(3, return_sequences=True, initial_state=True, unroll=True),), T=4),
    Spec(2, (Bidirectional(SimpleRNN(3, return_sequences=True)), SimpleRNN(2)), source="embedding with mask"),
]


def of_models(law: Law, seed: int, **changes: Any) -> list[Case]:
    return [filled(spec.replace(**changes), seed, T=4) for spec in MODELS if law.options is not None]


def is_broken(law: Law, port: Any, seeds: range = range(24)) -> bool:
    try:
        for seed in seeds:
            if law.plain:
                examine(law, port, case_of(law, seed), seed)
            for case in of_models(law, seed):
                if port.supports.accepts(case):
                    examine(law, port, case, seed)
    except LawBroken:
        return True
    return False


def broken(implementation: Any) -> set[str]:
    port = Port(implementation)
    return {law.name for law in LAWS.values() if is_broken(law, port)}


# ---- the laws ----


class TestRight:
    """Nothing that computes the recurrence breaks a law."""

    @pytest.mark.parametrize("law", LAWS.values(), ids=str)
    def test_the_laws_are_true(self, law: Law) -> None:
        """In float64, whose room is a few units in the last place: an untrue law would show."""
        port, found = Port(NumpyLoop()), 0
        for seed in range(12):
            if law.plain:
                verdict = examine(law, port, case_of(law, seed, dtype="float64"), seed)
                found += verdict is not None and verdict.equivalent
            for case in of_models(law, seed, dtype="float64"):
                verdict = examine(law, port, case, seed)
                found += verdict is not None and verdict.equivalent
        assert found >= 12

    @pytest.mark.parametrize("implementation", [Shuffled, BFloat16, Float16, LastOutput, EveryOutput])
    def test_no_false_alarm_on_drawn_cases(self, implementation: Any) -> None:
        """Sums in another order each time, in three arithmetics: never different, and mostly conclusive."""
        port = Port(implementation())
        tally.take()

        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=[*HealthCheck])
        @given(data=st.data())
        def drawn(data: st.DataObject) -> None:
            for law in PLAIN:
                if implementation is not LastOutput or law.name != "past_ignores_future":
                    hold(law, port, data)

        drawn()
        counted = tally.current()
        assert counted.failures == 0
        assert counted.cases >= 120
        assert counted.conclusive >= (0.5 if hasattr(implementation, "precision") else 0.9) * counted.cases

    @pytest.mark.parametrize("implementation", [Shuffled])
    def test_none_is_broken(self, implementation: Any) -> None:
        assert broken(implementation()) == set()

    def test_quantized_weights_have_their_room(self) -> None:
        """Weights rounded to a grid, which another order of units or another scale meets elsewhere."""

        class Quantized(Loop):
            precision = Precision.float32.quantized(Wx=1 / 64, Wh=1 / 64)

            def weights(self, case: Case) -> tuple[Array, ...]:
                Wx, Wh = (np.round(np.float64(W) * 64) / 64 for W in (case.Wx, case.Wh))
                return Wx, Wh, *case.weights[2:]

        assert broken(Quantized()) == set()


class TestWrong:
    """Whoever breaks a law is told so, and of no other."""

    @pytest.mark.parametrize("implementation", WRONG)
    def test_it_breaks_its_own_laws_and_no_others(self, implementation: Any) -> None:
        assert broken(implementation()) == {*implementation.breaks}

    @pytest.mark.parametrize("implementation", WRONG_MODELS, ids=lambda each: each.breaks[0])
    def test_other_models(self, implementation: Any) -> None:
        assert broken(implementation) == {*implementation.breaks}

    def test_every_law_is_broken_by_something(self) -> None:
        assert {name for each in [*WRONG, *WRONG_MODELS] for name in each.breaks} == {*LAWS}

    @pytest.mark.parametrize("shows", ["every output", "last output"])
    @pytest.mark.parametrize("implementation", [LeaksBetweenSamples, DoesNotCarryTheState, TransposesWh, IsNotOdd])
    def test_where_outputs_only_are_seen(self, implementation: Any, shows: str) -> None:
        port = Port(type("Shy", (implementation,), {"shows": shows})())
        for name in implementation.breaks:
            assert is_broken(LAWS[name], port), name

    def test_a_state_of_another_step_is_carried_over(self) -> None:
        """What is shown as the state is that before the step."""

        class Late(Loop):
            def run(self, case: Case) -> Trajectory:
                right = super().run(case)
                start = np.zeros((case.N, 1, case.M)) if case.h0 is None else case.h0[:, None]
                return Trajectory(right.outputs, np.concatenate([start, right.states[:, :-1]], axis=1))

        assert is_broken(LAWS["halves_make_the_whole"], Port(Late()))

    def test_chaos_is_inconclusive(self) -> None:
        """Rounding alone makes two right runs different there: nothing is said, and that is counted."""
        port, law = Port(Shuffled()), LAWS["units_have_no_order"]
        verdicts = [examine(law, port, generic(seed, T=40, M=9, radius=3.0), seed) for seed in range(5)]
        assert all(verdict is not None and verdict.inconclusive for verdict in verdicts)
        assert tally.take().inconclusive == 5


class TestMessages:
    def failure(self, implementation: Any, name: str, seed: int = 0) -> EquivalenceError:
        law = LAWS[name]
        for each in range(seed, seed + 24):
            try:
                examine(law, Port(implementation), case_of(law, each), each)
            except EquivalenceError as error:
                return error
        raise AssertionError(f"{name} holds")

    def test_the_sentence_names_what_was_changed_and_what_is_wrong(self) -> None:
        error = self.failure(LeaksBetweenSamples(), "samples_are_independent")
        assert isinstance(error, LawBroken)
        head, _, cause = error.brief.partition(": ")
        assert head.startswith("only the inputs of sample")
        assert " but state (sample " in head
        assert " is no longer " in head
        assert ", where rounding explains " in head
        assert cause.startswith("a state or a buffer leaks from one sample to the next")

    def test_the_place_is_one_that_should_not_have_changed(self) -> None:
        error = self.failure(LeaksBetweenSamples(), "samples_are_independent")
        assert isinstance(error, LawBroken)
        place = error.verdict.place
        assert place is not None
        assert f"sample {place.n} " not in error.other.changed
        assert place.error_over_bound > 100
        assert place.expected == Loop.run(LeaksBetweenSamples(), error.case).states[place.n, place.t, place.unit]

    def test_the_whole(self) -> None:
        text = str(self.failure(MasksByMultiplying(), "masked_steps_hold_anything"))
        for part in (
            "port breaks a law of recurrences\n",
            "\n  law          A masked step may hold anything.\n",
            "\n  first broken state (sample ",
            "\n  before       ",
            "\n  after        nan\n",
            "\n  usual cause  the mask is applied by multiplication (0 * NaN is NaN)",
            "to see it with numpy alone",
            "\n  and what was changed:\n",
            "\n    x = [[[",
        ):
            assert part in text

    def test_units_are_named_as_in_the_first_case(self) -> None:
        error = self.failure(LeavesOutTheLastUnit(), "units_have_no_order")
        place = error.verdict.place
        assert place is not None
        first = Loop.run(LeavesOutTheLastUnit(), error.case)
        shown = first.states if place.what == "state" else first.outputs
        assert place.expected == shown[place.n, place.t, place.unit]

    @pytest.mark.parametrize(
        ("answer", "sentence"),
        [
            (lambda case: None, "the implementation returned None"),
            (lambda case: np.zeros((case.T, case.N, case.K)), "the outputs have shape"),
            (lambda case: [][0], "the port raised IndexError"),
            (lambda case: np.zeros((case.N, case.K), int), "the outputs have dtype int"),
        ],
    )
    @pytest.mark.parametrize("name", ["samples_are_independent", "signs_go_through"])
    def test_no_answer(self, name: str, answer: Callable[[Case], Any], sentence: str) -> None:
        assert sentence in self.failure(answer, name).brief

    def test_no_answer_to_the_changed_case(self) -> None:
        class Picky(Loop):
            def run(self, case: Case) -> Any:
                if case.N == 1:
                    raise ValueError("one sample is no batch")
                return super().run(case)

        error = self.failure(Picky(), "batches_do_not_matter")
        assert "one sample is no batch" in error.brief
        assert error.case.N == 1

    def test_nan_that_stays_nan(self) -> None:
        error = self.failure(lambda case: np.full((case.N, case.K), np.nan, np.float32), "features_have_no_order")
        assert "is NaN, before as after" in error.brief

    def test_a_hang_is_not_waited_for_twice(self) -> None:
        class Hangs(Loop):
            timeout = first_timeout = 0.2

            def run(self, case: Case) -> Any:
                time.sleep(60)

        item = CHECKS["test_law_signs_go_through"].item(PROFILES["quick"], database=None)
        port = Port(Hangs())
        with pytest.raises(EquivalenceError, match="the port hangs"):
            item(port=port)
        assert port.hangs == 1


class TestWhatIsAsked:
    """A port is asked for nothing that it does not support, and told why a law does not apply."""

    @pytest.mark.parametrize(
        ("name", "supports", "why"),
        [
            ("samples_are_independent", {"N": 1}, "takes one sample only"),
            ("past_ignores_future", {"T": 1}, "takes one step only"),
            ("halves_make_the_whole", {}, "declares no initial state"),
            ("halves_make_the_whole", {"options": ("initial_state",), "T": 5}, "takes no shorter sequences"),
            ("masked_steps_hold_anything", {}, "declares no masks"),
            ("masked_steps_can_go", {"options": ("mask",), "T": 5}, "takes sequences of one length only"),
            ("defaults_can_be_said", {}, "declares neither"),
            ("units_have_no_order", {"M": 1}, "takes one unit only"),
            ("features_have_no_order", {"D": 1}, "takes one feature only"),
            ("signs_go_through", {"activations": ("relu",)}, "knows no odd activation"),
            ("unroll_changes_nothing", {}, "does not declare the option unroll"),
        ],
    )
    def test_reasons(self, name: str, supports: dict[str, Any], why: str) -> None:
        assert why in LAWS[name].why_not(Facts(Supports(**supports)))

    @pytest.mark.parametrize("name", ["units_have_no_order", "bias_is_a_constant_feature", "signs_go_through"])
    def test_weights_of_its_own(self, name: str) -> None:
        facts = Facts(Supports(), any_weights=False)
        assert LAWS[name].why_not(facts) == "has weights of its own"

    def test_the_last_output_tells_nothing_of_the_past(self) -> None:
        with pytest.raises(pytest.skip.Exception, match="shows its last output only"):
            examine(LAWS["past_ignores_future"], Port(LastOutput()), generic(), 0)
        tally.take()

    def test_a_fixed_model_that_hides_its_state_has_no_halves(self) -> None:
        class Compiled(LastOutput):
            model = generic()

        with pytest.raises(pytest.skip.Exception, match="shows no state"):
            examine(LAWS["halves_make_the_whole"], Port(Compiled()), generic(), 0)
        tally.take()

    @pytest.mark.parametrize(
        "supports",
        [
            {"N": 2, "T": (2, 4), "largest": 1.0, "options": ("mask",), "nan": False},
            {"N": (1, 3), "T": 4, "D": 2, "M": (2, 3), "K": 1, "options": ("initial_state",)},
        ],
    )
    def test_nothing_else_is_asked(self, supports: dict[str, Any]) -> None:
        class Narrow(Loop):
            def run(self, case: Case) -> Any:
                assert self.supports.accepts(case)
                assert not np.isnan(case.x).any()
                assert case.mask is None or self.supports.masks
                assert case.h0 is None or self.supports.initial_state
                return super().run(case)

        Narrow.supports = Supports(**supports)
        port = Port(Narrow())

        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=[*HealthCheck])
        @given(data=st.data())
        def drawn(data: st.DataObject) -> None:
            for law in PLAIN:
                if not law.why_not(Facts(port.supports)):
                    hold(law, port, data)

        drawn()
        assert tally.current().cases > 30

    def test_options_decide_which_models_are_asked_for(self) -> None:
        asked = []

        class Simple(NumpyLoop):
            supports = Supports(options=("unroll",))

            def run(self, case: Any) -> Any:
                asked.append(case.spec)
                return super().run(case)

        @settings(max_examples=5, deadline=None, database=None)
        @given(data=st.data())
        def drawn(data: st.DataObject) -> None:
            hold(LAWS["unroll_changes_nothing"], Port(Simple()), data)

        drawn()
        assert {layer.unroll for spec in asked for layer in spec.layers} == {False, True}
        assert not any(layer.return_sequences for spec in asked for layer in spec.layers)

    def test_a_relation_changes_what_it_says(self) -> None:
        """Of each law: something is changed, and never what must stay."""
        facts = Facts(Supports(options=OPTIONS), shows="states")
        for law in PLAIN:
            case = case_of(law, len(law.extras) - 1)
            found = law.relation(case, np.random.default_rng(1), facts)
            assert found is not None, law
            for other in found.others:
                assert other.case.fingerprint() != found.base.fingerprint(), law
                assert other.changed


class TestComparing:
    def numbers(self, case: Case, shown: Trajectory) -> Any:
        return numbers(case, shown, None)

    def test_equal_numbers_are_right_at_once(self) -> None:
        """Whatever the bound: nobody even asks for it."""
        case = generic(T=40, radius=5.0)
        shown = reference(case, np.float32)
        first, second = self.numbers(case, shown), self.numbers(case, shown)
        verdict = compare(Other(case, "nothing"), first, second, Precision.float32)
        assert verdict.equivalent
        assert "bound" not in vars(first[0])

    def test_the_room_is_what_rounding_may_do_in_both(self) -> None:
        case = generic(T=2, radius=0.5)
        shown = reference(case, np.float32)
        first = self.numbers(case, shown)
        radius = first[0].bound.radius[1, 1, 2]
        for times, status in ((1.9, "equivalent"), (2.1, "different")):
            states = shown.states.astype(np.float64)
            states[1, 1, 2] += times * radius
            second = self.numbers(case, Trajectory(shown.outputs, states))
            verdict = compare(Other(case, "one number"), first, second, Precision.float32)
            assert verdict.status == status
        assert verdict.place is not None
        assert (verdict.place.n, verdict.place.t, verdict.place.unit) == (1, 1, 2)

    def test_parts_are_set_beside_each_other(self) -> None:
        case = generic()
        shown = reference(case, np.float32)
        order = [2, 0, 1]
        moved = case.replace(x=case.x[order])
        other = Other(moved, "reordered", Selection(order), Selection(range(3)))
        again = self.numbers(moved, reference(moved, np.float32))
        assert compare(other, self.numbers(case, shown), again, Precision.float32).equivalent
        assert compare(Other(moved, "reordered"), self.numbers(case, shown), again, Precision.float32).different


class TestSuite:
    def test_one_check_for_each(self) -> None:
        assert [name for name in CHECKS if name.startswith("test_law_")] == [f"test_law_{name}" for name in LAWS]
        assert all(CHECKS[f"test_law_{law}"].function.__doc__ == LAWS[law].says for law in LAWS)

    @pytest.mark.parametrize("law", OF_MODELS, ids=str)
    def test_headless_models_have_bounds_too(self, law: Law) -> None:
        spec = Spec(3, (Bidirectional(SimpleRNN(2, return_sequences=True), merge_mode=None),))
        case = filled(spec, T=4)
        port = Port(NumpyLoop())
        (each,) = numbers(case, port.run(case), None)
        bound = each.bound
        assert each.got.shape == (3, 4, 4) == bound.expected.shape
        assert (np.abs(each.got - bound.expected) <= bound.radius).all()
        examine(law, port, case, 0)
        tally.take()

    def test_run_as_checks(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "250")
        pytester.makepyfile(
            port="""
            import numpy as np
            from pytest_rnnequiv import reference

            def right(case):
                return reference(case, np.float32).outputs[:, -1]

            def leaks(case):
                y = right(case)
                return y + np.float32(0.01) * y.mean(0)
            """
        )
        pytester.makepyprojecttoml('[tool.pytest.ini_options]\npythonpath = ["."]\nrnn_equiv_profile = "quick"')
        result = pytester.runpytest_subprocess("--rnn-equiv", "-k", "test_law", "--rnn-equiv-impl", "port:right", "-rs")
        assert result.ret == 0
        result.assert_outcomes(passed=8, skipped=8)
        result.stdout.fnmatch_lines(["*shows its last output only, and nothing before it"])
        result = pytester.runpytest_subprocess("--rnn-equiv", "-k", "law_samples", "--rnn-equiv-impl", "port:leaks")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["FAILED rnn_equiv.py::test_law_samples_are_independent[[]port:leaks[]] - only the inputs of sample*"]
        )

    def test_as_a_class(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(
            """
            import numpy as np
            from pytest_rnnequiv import EquivalenceSuite, reference

            class TestMine(EquivalenceSuite):
                def run(self, case):
                    return reference(case.replace(bh=2 * case.bh), np.float32)
            """
        )
        result = pytester.runpytest_subprocess("-k", "law_bias or law_signs")
        result.assert_outcomes(failed=1, passed=1)
