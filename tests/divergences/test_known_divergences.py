"""The known divergences of Keras: each is there as the table says, and what to do instead is right."""

from __future__ import annotations

import random
import re
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from pytest_rnnequiv import RNN, Bidirectional, Call, Case, Dense, SimpleRNN, Spec, judge, reference
from pytest_rnnequiv.divergences.keras import DIVERGENCES, KERAS, Divergence, concerning, installed
from pytest_rnnequiv.implementations.keras import KerasCall, KerasGraph, KerasPredict, load

BY_NAME = {each.name: each for each in DIVERGENCES}
WITH_CASE = [each for each in DIVERGENCES if each.smallest]
DEMONSTRATED = [each for each in DIVERGENCES if each.demonstration]
#: The cheapest first.
RUN = {each.name: each for each in (KerasCall, KerasPredict, KerasGraph)}


@pytest.fixture(scope="module")
def keras():
    return load()[1]


# ---- the table ----


def test_names_are_short_and_differ():
    assert len(BY_NAME) == len(DIVERGENCES)
    assert all(re.fullmatch(r"[a-z0-9-]{5,36}", name) for name in BY_NAME)


def test_wrong_values_come_first():
    silent = [each.silent for each in DIVERGENCES]
    assert silent == sorted(silent, reverse=True)


@pytest.mark.parametrize("each", DIVERGENCES, ids=str)
def test_an_entry_says_what_users_need(each):
    assert each.smallest or each.demonstration
    assert set(each.runtimes) <= set(KERAS)
    assert each.says
    assert each.instead
    assert not each.says.endswith(".")  # it becomes part of a sentence
    assert not each.instead.endswith(".")
    assert each.report is None or each.report.startswith("https://github.com/keras-team/keras/")


@pytest.mark.parametrize(
    ("keras", "there"),
    [("3.2.1", False), ("3.9.10", True), ("3.10.0", True), ("3.11.0", False), ("4.0", False), ("3.3.3+cpu", True)],
)
def test_versions_are_compared_as_numbers(keras, there):
    entry = Divergence("name", "says", "instead", lambda spec: True, since="3.3.3", until="3.11.0")
    assert entry.exists("keras-call", keras) is there


def test_an_entry_without_an_end_is_there_for_good():
    assert Divergence("name", "says", "instead", lambda spec: True).exists("keras-call", "12.0.1")


def test_an_entry_is_there_in_its_ways_only():
    entry = Divergence("name", "says", "instead", lambda spec: True, runtimes=("keras-graph",))
    assert [way for way in (*KERAS, "onnxruntime") if entry.exists(way, "3.15.1")] == ["keras-graph"]


# ---- what is there ----


@pytest.mark.tensorflow
@pytest.mark.parametrize("each", WITH_CASE, ids=str)
def test_the_smallest_case_shows_it(each, keras):
    way = next(way for way in RUN if way in each.runtimes)
    expected = "wrong" if each.silent else "raises"
    outcome = each.outcome(keras, RUN[way]().run)
    if each.exists(way, installed()):
        assert outcome == expected
    elif not each.hidden(way, installed()):
        assert outcome in ("right", "not applicable")


@pytest.mark.tensorflow
@pytest.mark.parametrize("each", DEMONSTRATED, ids=str)
def test_the_demonstration_shows_it_and_leaves_nothing_behind(each, keras):
    def state():
        numbers = random.getstate(), np.random.get_state()[1].tolist()
        return numbers, keras.config.floatx(), keras.config.dtype_policy().name

    before = state()
    message = ""
    try:
        each.demonstration(keras)
    except AssertionError as error:
        message = str(error)
    except Exception:  # where a release has another one in its place
        assert not any(each.exists(way, installed()) for way in KERAS)
    assert state() == before
    if any(each.exists(way, installed()) for way in KERAS):
        assert re.search(r": expected .+, got .+", message)
        assert "/" not in message  # no paths of this machine


@pytest.mark.parametrize("each", WITH_CASE, ids=str)
def test_a_smallest_case_can_be_followed_by_hand(each):
    case = each.smallest()
    numbers = {float(number) for array in case.numbers().values() for number in array.flat}
    assert numbers <= {-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, float(np.float32(0.1)), 0.1}
    assert case.spec.D == 1 or each.name == "sparsemax"
    assert len(case.calls) == 1
    assert case.calls[0].T <= 3
    assert judge(case, reference(case)).equivalent  # the recurrence itself is conclusive there


@pytest.mark.parametrize("each", WITH_CASE, ids=str)
def test_a_smallest_case_shows_nothing_else(each):
    case = each.smallest()
    assert each.meets(case)
    for way in each.runtimes:
        for keras in (each.since, each.until and f"{each.until}.dev", installed()):
            if keras and each.exists(way, keras):
                others = {str(other) for other in concerning(case, way, keras)} - {each.name}
                # predict rounds whatever a case of float64 holds
                assert others <= {"predict-rounds-inputs"} if case.spec.dtype == "float64" else not others


def test_what_depends_on_the_numbers_concerns_cases_and_not_their_specs():
    smallest = BY_NAME["predict-of-nothing"].smallest
    assert smallest is not None
    nothing = smallest()
    something = nothing.replace(calls=(Call(np.zeros((1, 1, 1))),))
    assert [str(each) for each in concerning(nothing, "keras-predict", "3.15.1")] == ["predict-of-nothing"]
    assert not concerning(nothing.spec, "keras-predict", "3.15.1")
    assert not concerning(something, "keras-predict", "3.15.1")
    assert not concerning(nothing, "keras-graph", "3.15.1")
    assert not concerning(nothing, "my_port:run", "3.15.1")


PLAIN = (
    Spec(3, SimpleRNN(2)),
    Spec(3, (SimpleRNN(2, return_sequences=True), SimpleRNN(4)), Dense(2)),
    Spec(3, (SimpleRNN(2, return_sequences=True), SimpleRNN(4)), Dense(2), source="mask"),
    Spec(3, Bidirectional(SimpleRNN(2, return_sequences=True)), Dense(2), source="masking"),
    Spec(3, RNN((2, 4), return_state=True, initial_state=True), source="embedding"),
    Spec(3, SimpleRNN(2, stateful=True), N=2, source="embedding with mask"),
    Spec(3, Bidirectional(SimpleRNN(2, stateful=True)), N=2),
    Spec(3, SimpleRNN(2, unroll=True, return_sequences=True), Dense(2, distributed=True), T=4, source="masking"),
    Spec(3, SimpleRNN(2, go_backwards=True, return_sequences=True), source="masking"),
    Spec(3, SimpleRNN(2, "gelu"), source="masking", mask_value=0.1),
    Spec(3, SimpleRNN(2, initial_state=True), source="mask"),
    Spec(3, SimpleRNN(2), dtype="mixed_bfloat16", source="masking", mask_value=-1.0),
)


@pytest.mark.parametrize("spec", PLAIN, ids=str)
@pytest.mark.parametrize("way", KERAS)
def test_plain_specs_are_not_concerned(spec, way):
    assert concerning(spec, way, "3.15.1") == []


def test_other_implementations_are_not_concerned():
    smallest = BY_NAME["sparsemax"].smallest
    assert smallest is not None
    assert concerning(smallest().spec, "onnxruntime") == []


def test_what_was_repaired_concerns_old_versions_only():
    spec = Spec(3, (SimpleRNN(2, return_sequences=True), SimpleRNN(4)), source="mask")
    assert [str(each) for each in concerning(spec, "keras-call", "3.10.0")] == ["mask-argument-not-handed-on"]
    assert concerning(spec, "keras-call", "3.11.0") == []


def test_a_case_that_another_divergence_meets_tells_nothing():
    old, new = BY_NAME["time-distributed-open-shape"], BY_NAME["time-distributed-open-steps"]
    assert old.hidden("keras-graph", "3.15.1")
    assert new.hidden("keras-graph", "3.3.3")
    assert not new.hidden("keras-graph", "3.15.1")  # it is there
    assert not old.hidden("keras-call", "3.15.1")  # and here is nothing
    assert not new.hidden("keras-graph", "3.6.0")
    assert not BY_NAME["seed-lost"].hidden("keras-call", "3.0.0")  # no case


def test_predict_rounds_initial_states_too():
    embedded = Spec(2, SimpleRNN(2), dtype="float64", source="embedding")
    assert concerning(embedded, "keras-predict", "3.15.1") == []
    given = embedded.with_layer(0, SimpleRNN(2, initial_state=True))
    assert concerning(given, "keras-predict", "3.15.1") == [BY_NAME["predict-rounds-inputs"]]


class TestOutcome:
    case = staticmethod(BY_NAME["leaky-relu-float64"].smallest)

    def entry(self, **what):
        return Divergence("name", "says", "instead", lambda spec: True, **what)

    @pytest.mark.tensorflow
    def test_right(self, keras):
        assert self.entry(smallest=self.case).outcome(keras, reference) == "right"

    @pytest.mark.tensorflow
    def test_wrong(self, keras):
        assert self.entry(smallest=self.case).outcome(keras, lambda case: np.zeros((1, 1))) == "wrong"

    @pytest.mark.tensorflow
    def test_raises(self, keras):
        def run(case):
            raise KeyError

        assert self.entry(smallest=self.case).outcome(keras, run) == "raises"

    def test_an_activation_that_is_not_there(self):
        class Old:
            activations = None

        assert self.entry(smallest=self.case).outcome(Old, reference) == "not applicable"

    @pytest.mark.tensorflow
    def test_a_demonstration_that_is_broken_is_no_divergence(self, keras):
        def broken(keras):
            raise TypeError("ours")

        with pytest.raises(TypeError, match="ours"):
            self.entry(demonstration=broken).outcome(keras, reference)


# ---- what to do instead ----


def changed(name: str, **options: object) -> Case:
    """The smallest case of a divergence, with something else in its spec."""
    smallest = BY_NAME[name].smallest
    assert smallest is not None
    case = smallest()
    return case.under(case.spec.replace(**options))


CHANGED = {
    "unrolled-backward-mask": {"layers": Bidirectional(SimpleRNN(1, "linear", return_sequences=True))},
    "masking-value-rounded": {"mask_value": -1.0},
    "time-distributed-open-steps": {"head": Dense(1)},
    "bidirectional-stateful-return-state": {"layers": Bidirectional(SimpleRNN(1, "linear", stateful=True))},
    "single-cell-mask": {"layers": RNN(1, "linear")},
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", CHANGED)
def test_another_model_instead(name):
    case = changed(name, **CHANGED[name])
    way = next(way for way in RUN if way in BY_NAME[name].runtimes)
    assert judge(case, RUN[way]().run(case)).equivalent


@pytest.mark.tensorflow
class TestInstead:
    """What the table says in code."""

    x = np.array([[[1.0], [0.0]]], "float32")
    mask = np.array([[True, False]])
    one = np.ones((1, 1, 1), "float32")

    @pytest.fixture
    def L(self, keras):
        return keras.layers

    @pytest.fixture
    def rnn(self, L):
        def make(units=1, **options):
            return L.SimpleRNN(
                units, activation=None, kernel_initializer="ones", recurrent_initializer="ones", **options
            )

        return make

    def test_mask_lost_with_initial_state(self, rnn):
        assert rnn()(self.x, initial_state=np.full((1, 1), 2.0, "float32"), mask=self.mask) == 3

    def test_mask_argument_not_handed_on(self, rnn):
        assert rnn()(rnn(return_sequences=True)(self.x, mask=self.mask), mask=self.mask) == 1

    def test_backward_mask_order(self, keras, rnn):
        # processed are the padding, which puts out 0, and then the 1
        x = rnn(return_sequences=True, go_backwards=True)(self.x, mask=self.mask)
        assert rnn()(x, mask=keras.ops.flip(self.mask, 1)) == 1
        assert rnn()(x, mask=self.mask) == 0

    def test_ids_rounded_to_16_bits(self, keras, L):
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            embedding = L.Embedding(258, 1)
            model = keras.Sequential([keras.Input((None,), dtype="int32"), embedding])
            embedding.set_weights([np.arange(258)[:, None] == 257])
            assert keras.ops.cast(model(np.array([[257]])), "float32") == 1
        finally:
            keras.config.set_dtype_policy(policy)

    def test_time_distributed_mask(self, keras, L, rnn):
        ids = np.array([[[1, 1], [1, 0]]])
        words = L.Embedding(2, 1, mask_zero=True, embeddings_initializer="ones")(ids)
        answer = rnn(2)(L.TimeDistributed(rnn())(words), mask=keras.ops.any(ids != 0, -1))
        assert np.array_equal(answer, [[5, 5]])

    def test_time_distributed_makes_no_mask(self, L, rnn):
        embedding = L.Embedding(2, 1, mask_zero=True, embeddings_initializer="ones")
        assert L.TimeDistributed(rnn())(embedding(np.array([[[1, 0]]]))) == 1
        assert L.TimeDistributed(rnn(use_bias=True, bias_initializer="ones"))(L.Masking()(self.x[None])) == 2

    def test_mask_sticks_to_inputs(self, keras, rnn):
        model = keras.Sequential([keras.Input((2, 1)), rnn()])
        x = keras.ops.convert_to_tensor([[[1.0], [2.0]]])
        assert model(keras.ops.copy(x), mask=self.mask) == 1
        assert model(np.asarray(x), mask=self.mask) == 1
        assert model(x) == 3

    def test_stateless_call_of_stateful(self, keras, rnn):
        x, state = keras.Input((1, 1)), keras.Input((1,))
        model = keras.Model([x, state], rnn(return_state=True)(x, initial_state=[state]))
        variables = model.trainable_variables, model.non_trainable_variables
        (_, kept), _ = model.stateless_call(*variables, [self.one, np.zeros((1, 1), "float32")])
        (output, _), _ = model.stateless_call(*variables, [self.one, kept])
        assert output == 2

    def test_activity_regularizer(self, keras, L, rnn):
        model = keras.Sequential([rnn(), L.ActivityRegularization(l2=0.01)])
        model(self.one)
        assert [float(loss) for loss in model.losses] == pytest.approx([0.01])

    def test_seed_lost(self, keras, L):
        layer = L.RNN(L.SimpleRNNCell(1, dropout=0.5, seed=7))
        assert L.RNN.from_config(layer.get_config()).cell.seed == 7

        def draw():
            keras.utils.set_random_seed(3)
            both = L.Bidirectional(L.SimpleRNN(4, kernel_initializer="ones", dropout=0.5, seed=7))
            return np.asarray(both(np.ones((1, 1, 4), "float32"), training=True))

        states = random.getstate(), np.random.get_state()
        assert np.array_equal(draw(), draw())
        random.setstate(states[0])
        np.random.set_state(states[1])

    def test_frozen_wrapper_is_trained(self, keras, L, rnn):
        (layers_too,) = (each for each in DIVERGENCES if each.name == "frozen-layer-is-trained")
        if layers_too.exists("keras-graph", installed()):
            pytest.skip("this release trains frozen layers too")

        def trained(layer):
            return len(keras.Sequential([keras.Input((1, 1)), layer]).trainable_variables)

        layer = L.Bidirectional(rnn())
        layer.trainable = False
        assert trained(layer) == 0
        assert trained(L.Bidirectional(rnn(trainable=False), trainable=False)) == 0
        assert trained(L.RNN(L.SimpleRNNCell(1, trainable=False), trainable=False)) == 0
        # and what is said about the three of them
        assert trained(L.RNN(L.SimpleRNNCell(1), trainable=False)) == 3
        assert trained(L.TimeDistributed(L.Dense(1), trainable=False)) == 2

    def test_bidirectional_weights(self, L, rnn):
        weights = [np.full((1, 1), 5.0), np.zeros((1, 1)), np.zeros(1)] * 2
        layer = L.Bidirectional(rnn())
        layer.build((1, 1, 1))
        layer.set_weights(weights)
        assert np.array_equal(layer(self.one), [[5, 5]])

    def test_predict_rounds_inputs(self, keras, rnn):
        model = keras.Sequential([keras.Input((1, 1), dtype="float64"), rnn(dtype="float64")])
        x = np.array([[[0.1]]])
        assert model(x) == 0.1
        keras.config.set_floatx("float64")
        try:
            assert model.predict(x, verbose=0) == 0.1
        finally:
            keras.config.set_floatx("float32")

    def test_cells_dtype(self, L):
        cells = [L.SimpleRNNCell(1, activation=None, kernel_initializer="ones", dtype="float64") for _ in range(2)]
        assert L.RNN(L.StackedRNNCells(cells, dtype="float64"), dtype="float64")(np.array([[[0.1]]])) == 0.1

    def test_constants_of_float64(self, keras):
        x = keras.ops.convert_to_tensor(np.array([-1.0, 1.0]))
        assert np.array_equal(keras.ops.maximum(x, 0.2 * x), [-0.2, 1.0])
        gelu = 0.5 * x * (1 + keras.ops.erf(x / np.sqrt(2)))
        assert np.asarray(gelu) == pytest.approx([-0.15865525393145705, 0.8413447460685429], rel=1e-14)

    def test_bidirectional_stateful_return_state(self, L, rnn):
        layer = L.Bidirectional(rnn(stateful=True))
        layer(np.array([[[1.0], [2.0]]], "float32"))
        assert [float(state[0, 0]) for state in layer.forward_layer.states] == [3]
        assert [float(state[0, 0]) for state in layer.backward_layer.states] == [3]

    def test_reset_of_stacked_cells(self, keras, L):
        cells = [L.SimpleRNNCell(1, activation=None, kernel_initializer="ones") for _ in range(2)]
        layer = L.RNN(cells, stateful=True)
        first = np.asarray(layer(self.one))
        for variable in keras.tree.flatten(layer.states):
            variable.assign(np.zeros((1, 1)))
        assert np.array_equal(layer(self.one), first)

    def test_reset_state_as_documented(self, keras, rnn):
        layer = rnn(stateful=True)
        assert layer(self.one) == 1
        layer.states[0].assign(np.full((1, 1), 5.0))
        assert layer(self.one) == 6
        layer.reset_state()
        assert layer(self.one) == 1

    def test_bfloat16_orthogonal(self, L):
        L.SimpleRNN(1, dtype="bfloat16", recurrent_initializer="glorot_uniform")(self.one)
        L.SimpleRNN(1, dtype="mixed_bfloat16")(self.one)

    def test_stale_dropout_mask(self, L):
        cell = L.SimpleRNNCell(1, dropout=0.5)
        cell(np.ones((2, 1), "float32"), [np.zeros((2, 1), "float32")])
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
        assert L.RNN(cell)(np.ones((3, 1, 1), "float32"), training=True).shape == (3, 1)


# ---- the page ----


@pytest.fixture(scope="module")
def generate():
    file = Path(__file__).parents[2] / "docs" / "_generate.py"
    if not file.exists():
        pytest.skip("the docs are not here")
    spec = util.spec_from_file_location("_generate", file)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_them_all(generate):
    page = generate.divergences()
    assert re.findall(r"^### (\S+)$", page, re.MULTILINE) == list(BY_NAME)
    assert "\nKeras 3.1.1; right since 3.11.0; reported: <https://" in page
    assert "\nSince Keras 3.14.0; only `keras-graph`; not reported" in page
    assert "\nEvery release that we tried; not reported when we looked.\n" in page
    assert "3.16.0" in page


def test_the_page_of_releases_is_of_this_table():
    """It is written by `python benchmarks/keras_versions.py --write docs/keras-versions.md`."""
    page = Path(__file__).parents[2] / "docs" / "keras-versions.md"
    if not page.exists():
        pytest.skip("the docs are not here")
    assert re.findall(r"^\| `(\S+)`", page.read_text(encoding="utf-8"), re.MULTILINE) == list(BY_NAME)


@pytest.mark.tensorflow
@pytest.mark.parametrize("each", DIVERGENCES, ids=str)
def test_the_script_on_the_page_shows_it(each, generate, keras, capsys, monkeypatch):
    if not any(each.exists(way, installed()) for way in KERAS):
        pytest.skip(f"Keras {installed()} is right there")
    source = generate.shown_by(each)
    monkeypatch.setitem(sys.modules, "pytest_rnnequiv", None)  # it needs Keras and NumPy only
    policy = keras.config.dtype_policy()
    state = random.getstate()
    raised = None
    try:
        exec(compile(source, each.name, "exec"), {})
    except Exception as error:
        raised = error
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(state)
    if isinstance(raised, AssertionError):
        assert ": expected " in str(raised)
    elif raised is not None:
        assert not each.silent
    else:
        assert capsys.readouterr().out.splitlines()[-1] == "NOT as expected"
