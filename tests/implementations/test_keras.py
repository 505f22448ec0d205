"""Keras's model, the three ways to run it, and how quietly it comes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import NETWORKS, filled

from pytest_rnnequiv import Case, Dense, Precision, SimpleRNN, Spec, judge, param_count, reference
from pytest_rnnequiv.arithmetic.activations import ACTIVATIONS, Activation
from pytest_rnnequiv.cells.simple_rnn import SimpleRNNCell
from pytest_rnnequiv.divergences.known import concerning
from pytest_rnnequiv.implementations import declaration
from pytest_rnnequiv.implementations import keras as module
from pytest_rnnequiv.implementations import keras_models as models
from pytest_rnnequiv.implementations.declaration import fixed_model
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.keras import (
    KerasCall,
    KerasGraph,
    KerasImplementation,
    KerasPredict,
    build_simple_rnn,
    load,
)
from pytest_rnnequiv.implementations.runner import InProcess


def case_of(spec: Spec, N: int = 2, T: int = 3, seed: int = 0, h0: bool = False, mask: bool = False) -> Case:
    rng = np.random.default_rng(seed)
    Wx, Wh, bh, Wo, bo = (rng.standard_normal(shape) for shape in spec.weight_shapes.values())
    held = rng.random((N, T)) < 0.6
    held[:, 0] = True
    return Case(
        spec,
        rng.standard_normal((N, T, spec.D)),
        Wx,
        Wh,
        bh,
        Wo,
        bo,
        h0=np.tanh(rng.standard_normal((N, spec.M))) if h0 else None,
        mask=held if mask else None,
    )


SIZES = [tuple(int(s) for s in np.random.default_rng(seed).integers(1, 40, 3)) for seed in range(6)]


@pytest.mark.tensorflow
class TestModel:
    def test_it_is_the_notebooks(self) -> None:
        model = build_simple_rnn()
        assert [type(layer).__name__ for layer in model.layers] == ["SimpleRNN", "Dense"]
        assert model.input_shape == (None, 10, 3)
        assert model.output_shape == (None, 2)
        assert model.count_params() == 57 == param_count(3, 5, 2)

    @pytest.mark.parametrize(("D", "M", "K"), SIZES)
    def test_weights_and_the_parameter_law(self, D: int, M: int, K: int) -> None:
        model = build_simple_rnn(None, D, M, K)
        spec = Spec.simple(D, M, K)
        assert [w.shape for w in model.get_weights()] == [(D, M), (M, M), (M,), (M, K), (K,)]
        assert [w.shape for w in model.get_weights()] == list(spec.weight_shapes.values())
        assert [w.name for w in model.weights] == ["kernel", "recurrent_kernel", "bias", "kernel", "bias"]
        assert model.count_params() == spec.param_count == param_count(D, M, K) == M * (D + M + 1) + K * (M + 1)
        assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == param_count(D, M, K)
        assert model.non_trainable_weights == []

    def test_a_hidden_seed_is_no_parameter(self) -> None:
        """The recurrent layer owns it without dropout too; ``stateless_call`` wants it."""
        (seed,) = build_simple_rnn().non_trainable_variables
        assert seed.path.endswith("seed_generator_state")

    def test_without_bias(self) -> None:
        assert build_simple_rnn(use_bias=False).count_params() == 57 - 5

    @pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16"])
    def test_dtype_holds_for_the_whole_model(self, dtype: str) -> None:
        model = build_simple_rnn(dtype=dtype)
        wide = "float64" if dtype == "float64" else "float32"
        assert {w.dtype for w in model.weights} == {wide}
        assert model.inputs[0].dtype in (wide, model.outputs[0].dtype)  # Keras 3.1 gives it the dtype of the outputs
        assert model.outputs[0].dtype == ("float16" if dtype == "mixed_float16" else wide)

    @pytest.mark.parametrize(
        "option",
        [
            {"activation": "relu"},
            {"return_sequences": True},
            {"go_backwards": True},
            {"unroll": True},
            {"stateful": True},
        ],
        ids=lambda option: next(iter(option)),
    )
    def test_options_reach_the_layer(self, option: dict[str, Any]) -> None:
        model = build_simple_rnn(T=4, N=2, **option)
        (name, value), config = next(iter(option.items())), model.layers[0].get_config()
        assert config[name] == value
        assert model.output_shape == ((2, 4, 2) if name == "return_sequences" else (2, 2))

    def test_head_activation(self) -> None:
        assert build_simple_rnn(head_activation="sigmoid").layers[1].activation.__name__ == "sigmoid"

    def test_time_may_be_open(self) -> None:
        assert build_simple_rnn(T=None).input_shape == (None, None, 3)

    def test_numpys_numbers_are_welcome(self) -> None:
        assert build_simple_rnn(np.int64(4), np.int32(3), np.int64(5), np.uint8(2)).count_params() == 57

    @pytest.mark.parametrize("option", ["layers", "time_major", "return_state", "units"])
    def test_an_unknown_option(self, option: str) -> None:
        with pytest.raises(TypeError, match=rf"no option '{option}': expected .*use_bias.*go_backwards.*dtype"):
            build_simple_rnn(**{option: 1})

    @pytest.mark.parametrize(("letter", "value"), [("T", 0), ("D", 0), ("M", -1), ("K", True)])
    def test_a_size_that_is_none(self, letter: str, value: Any) -> None:
        with pytest.raises(ValueError, match=f"{letter} must be at least 1"):
            build_simple_rnn(**{letter: value})
        with pytest.raises(TypeError, match=f"{letter} must be a whole number"):
            build_simple_rnn(**{letter: 2.0})


WAYS = (KerasCall, KerasPredict, KerasGraph)


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def keras(request: pytest.FixtureRequest) -> KerasImplementation:
    way: KerasImplementation = request.param()
    return way


NOTEBOOK, WIDE = Spec.simple(3, 5, 2), Spec.simple(2, 3, 4, dtype="float64")


@pytest.mark.tensorflow
class TestThreeWays:
    @pytest.mark.parametrize("mask", [False, True], ids=["", "mask"])
    @pytest.mark.parametrize("h0", [False, True], ids=["", "h0"])
    @pytest.mark.parametrize("spec", [NOTEBOOK, Spec.simple(3, 5, 2, "relu", head_activation="sigmoid"), WIDE], ids=str)
    def test_they_are_the_recurrence(self, keras: KerasImplementation, spec: Spec, h0: bool, mask: bool) -> None:
        if spec.dtype not in keras.supports.dtypes:
            pytest.skip("model.predict rounds its inputs to float32")
        case = case_of(spec, h0=h0, mask=mask)
        answer = keras.run(case)
        assert (answer.outputs.shape, answer.states.shape) == ((2, 3, spec.K), (2, 3, spec.M))
        assert answer.outputs.dtype == answer.states.dtype == spec.dtype
        verdict = judge(case, answer, keras.precision)
        assert verdict.equivalent, verdict
        assert verdict.way == "induction"
        # the model that users build: a model of its own, without return_sequences
        outputs = keras.last_outputs(case)
        assert outputs.shape == (2, spec.K)
        assert judge(case, outputs, keras.precision).equivalent
        np.testing.assert_allclose(outputs, answer.outputs[:, -1], rtol=1e-5, atol=1e-6)

    def test_every_case_has_its_own_weights(self, keras: KerasImplementation) -> None:
        first, second = case_of(NOTEBOOK, seed=1), case_of(NOTEBOOK, seed=2)
        answers = [keras.run(case) for case in (first, second, first)]
        assert not judge(first, answers[1]).equivalent
        np.testing.assert_array_equal(answers[0].states, answers[2].states)

    def test_many_cases_of_all_kinds_come_back_in_order(self, keras: KerasImplementation) -> None:
        cases = [
            case_of(spec, N, T, seed=N + T)
            for spec in (NOTEBOOK, Spec.simple(1, 2, 1))
            for N, T in [(2, 3), (1, 2), (2, 3)]
        ]
        assert all(judge(case, answer).equivalent for case, answer in zip(cases, keras.run_many(cases), strict=True))

    def test_nothing_is_written_into(self, keras: KerasImplementation) -> None:
        case = case_of(NOTEBOOK).writable()
        keras.run(case)
        assert all(np.array_equal(a, b) for a, b in zip(case.weights, case_of(NOTEBOOK).weights, strict=True))
        assert np.array_equal(case.x, case_of(NOTEBOOK).x)

    def test_what_it_says_of_itself(self, keras: KerasImplementation) -> None:
        assert set(keras.versions()) == {"keras", "tensorflow", "numpy", "device"}
        known = {name for name, f in ACTIVATIONS.items() if name == f.name and hasattr(load()[1].activations, name)}
        assert set(keras.supports.activations) == known  # Keras 3.1 lacks some
        assert repr(keras) == f"<{keras.name}>"

    def test_precision(self, keras: KerasImplementation, monkeypatch: pytest.MonkeyPatch) -> None:
        tf, _ = load()
        monkeypatch.setattr(module, "_device", lambda tf: "cpu")
        assert keras.precision is None
        monkeypatch.setattr(module, "_device", lambda tf: "gpu")
        before = tf.config.experimental.tensor_float_32_execution_enabled()
        try:
            for enabled in (True, False):
                tf.config.experimental.enable_tensor_float_32_execution(enabled)
                assert keras.precision == (Precision.tf32 if enabled else None)
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(before)


class TestWhatKerasCannotRun:
    @pytest.mark.tensorflow
    def test_an_activation_of_ones_own(self, keras: KerasImplementation) -> None:
        own = Activation("cube root", np.cbrt)
        with pytest.raises(NotImplementedError, match="'cube root' is none of them"):
            keras.run(case_of(Spec.simple(3, 5, 2, own)))
        with pytest.raises(NotImplementedError, match="'tanh' is none of them"):  # another function of that name
            keras.run(case_of(Spec.simple(3, 5, 2, Activation("tanh", np.cbrt))))

    def test_another_cell(self, keras: KerasImplementation) -> None:
        class Other(SimpleRNNCell):
            pass

        with pytest.raises(NotImplementedError, match="Keras is run with SimpleRNN, GRU, LSTM only, not with the cell"):
            keras.run_many([case_of(Spec.simple(3, 5, 2, cell=Other()))])

    def test_an_initial_state_behind_a_mask(self, keras: KerasImplementation) -> None:
        case = case_of(NOTEBOOK, h0=True, mask=True)
        assert case.mask is not None
        with pytest.raises(NotImplementedError, match="whose first step is masked"):
            keras.run(case.replace(mask=~case.mask))


class TestGraph:
    @pytest.mark.tensorflow
    def test_one_trace_serves_all_samples_steps_and_weights(self) -> None:
        spec, graph = Spec.simple(2, 4, 1), KerasGraph()
        for seed, (N, T) in enumerate([(1, 1), (3, 2), (2, 7)]):
            case = case_of(spec, N, T, seed)
            assert judge(case, graph.run(case)).equivalent
        traced = models.graph(spec.with_every_output())
        assert traced.one.experimental_get_tracing_count() == 1
        assert traced.pack.experimental_get_tracing_count() == 0

    @pytest.mark.tensorflow
    @pytest.mark.parametrize("extras", [False, True], ids=["", "h0 and mask"])
    def test_packs(self, monkeypatch: pytest.MonkeyPatch, extras: bool) -> None:
        monkeypatch.setattr(models, "MAPPED_FROM", 4)
        spec, graph = Spec.simple(2, 4, 1), KerasGraph()
        models.forget()
        for N, T in [(2, 3), (1, 5)]:
            cases = [case_of(spec, N, T, seed, extras, extras) for seed in range(5)]
            for case, answer in zip(cases, graph.run_many(cases), strict=True):
                assert judge(case, answer).equivalent
        traced = models.graph(cases[0].spec.with_every_output())
        assert traced.pack.experimental_get_tracing_count() == 1
        assert traced.one.experimental_get_tracing_count() == 0

    @pytest.mark.tensorflow
    @pytest.mark.parametrize(("name", "packed"), [("both, masked", 1), ("stateful, reset", 0), ("two calls", 0)])
    def test_packs_of_other_models(self, monkeypatch: pytest.MonkeyPatch, name: str, packed: int) -> None:
        monkeypatch.setattr(models, "MAPPED_FROM", 2)
        models.forget()
        spec, calls = NETWORKS[name].spec, len(NETWORKS[name].calls)
        cases = [filled(spec, seed, calls=calls) for seed in range(3)]
        diverges = bool(concerning(spec, "keras-graph"))  # in an older Keras
        for case, answer in zip(cases, KerasGraph().run_many(cases), strict=True):
            assert judge(case, answer).equivalent or diverges
        assert models.graph(spec).pack.experimental_get_tracing_count() == packed

    @pytest.mark.tensorflow
    def test_a_pack_has_one_shape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(models, "MAPPED_FROM", 0)
        cases = [case_of(NOTEBOOK, N, T, seed=N) for N, T in [(2, 3), (1, 2), (2, 3), (1, 2), (2, 2)]]
        for case, answer in zip(cases, KerasGraph().run_many(cases), strict=True):
            assert judge(case, answer).equivalent

    @pytest.mark.tensorflow
    def test_small_packs_wait_for_the_trace_to_pay(self) -> None:
        spec, graph = Spec.simple(3, 4, 1), KerasGraph()
        graph.run_many([case_of(spec, seed=seed) for seed in range(3)])
        assert models.graph(spec.with_every_output()).pack.experimental_get_tracing_count() == 0

    def test_no_cases(self) -> None:
        assert KerasGraph().run_many([]) == []

    def test_caches_are_bounded(self) -> None:
        assert models._build.cache_info().maxsize == models._graph.cache_info().maxsize == models.MODELS_KEPT

    def test_other_backends_have_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        with pytest.raises(ImportError, match=r"needs Keras on TensorFlow, and Keras runs on jax"):
            KerasGraph()


@pytest.mark.tensorflow
class TestWhereKerasDeparts:
    """Found by the oracle. Where one of these fails, Keras has changed, and a special case here can go."""

    def test_predict_rounds_float64_inputs(self) -> None:
        """``predict`` casts what it is given to ``floatx()``, and the float64 model computes with that."""
        case = case_of(WIDE, T=1)
        model = build_simple_rnn(1, case.D, case.M, case.K, dtype="float64")
        model.set_weights(case.weights)
        predicted, called = model.predict(case.x, verbose=0), model(case.x).numpy()
        assert judge(case, called).equivalent
        assert judge(case, predicted).different
        assert judge(case.replace(x=case.x.astype(np.float32)), predicted).equivalent
        with pytest.raises(NotImplementedError, match=r"rounds its inputs to keras.config.floatx\(\), float32"):
            KerasPredict().run(case)

    @pytest.mark.parametrize("way", [KerasCall, KerasGraph])
    def test_leaky_relu_has_the_slope_of_float32(self, way: type[KerasImplementation]) -> None:
        """TensorFlow's operation keeps its slope as a float32 attribute, in float64 models too."""
        case = case_of(Spec.simple(2, 3, 1, "leaky_relu", dtype="float64"))
        answer = way().run(case)
        assert judge(case, answer).different
        slope = float(np.float32(0.2))
        rounded = Activation("leaky_relu", lambda a: np.where(a >= 0, a, slope * a), ulps=2, floor=0)
        assert judge(case.replace(spec=case.spec.replace(activation=rounded)), answer).equivalent

    def test_subnormal_numbers_are_flushed_to_zero(self, keras: KerasImplementation) -> None:
        spec = Spec.simple(1, 1, 1, "linear")
        case = Case(spec, np.full((1, 1, 1), 1e-39), [[1.0]], [[0.0]], [0.0], [[1.0]], [0.0])
        answer = keras.run(case)
        assert answer.states.item() == 0 != reference(case).states.item()
        assert judge(case, answer).equivalent

    def test_masked_steps_before_the_first_put_out_zeros(self) -> None:
        """The state is at ``h0`` there, but the layer shows its last *output*, and there has been none."""
        _, keras = load()
        layer = keras.layers.SimpleRNN(2, return_sequences=True, return_state=True)
        x, h0 = np.ones((1, 2, 1), np.float32), np.full((1, 2), 0.5, np.float32)
        sequence, state = layer(x, initial_state=h0, mask=np.array([[False, False]]))
        np.testing.assert_array_equal(sequence, np.zeros((1, 2, 2)))
        np.testing.assert_array_equal(state, h0)


@pytest.mark.tensorflow
def test_a_model_that_takes_long_to_build_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaration, "TIMEOUT", 0.01)
    runner = InProcess(KerasGraph())
    for M in (3, 4):  # the second is built in a call that is not the first
        case = filled(Spec(2, SimpleRNN(M, unroll=True), Dense(1), T=9), N=2)
        assert judge(case, runner.run(case)).equivalent


# ---- the import, in processes of their own ----


@dataclass
class Ran:
    code: int
    out: str
    err: str


def python(source: str, path: Path | None = None, **environment: str) -> Ran:
    kept = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    if path is not None:
        kept["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


RUN_KERAS = """
import os
import re
import numpy as np
from pytest_rnnequiv import Case, Spec
from pytest_rnnequiv.implementations.keras import KerasCall, KerasGraph, KerasPredict
before = dict(os.environ)
for M in range(2, 8):  # relu makes TensorFlow's graph optimiser complain, many models its tracing
    one = np.ones
    case = Case(Spec.simple(1, M, 1, "relu"), one((1, 2, 1)), one((1, M)), one((M, M)), one(M), one((M, 1)), one(1))
    for way in (KerasGraph, KerasPredict) if M > 2 else (KerasCall, KerasGraph, KerasPredict):
        way().run(case)
assert os.environ == before, "the environment has changed"
"""

HOLD = """
import os
import re
from pytest_rnnequiv.implementations._quiet import quiet_import
with quiet_import():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"I0000 00:00:1.2 3 cudart_stub.cc:31] Could not find cuda drivers on your machine\\n")
    os.write(2, b"2024-05-06 07:08:09.1: I tensorflow/core/cpu_feature_guard.cc:210] optimized\\n")
    os.write(2, b"real trouble\\n")
    {more}
os.write(2, b"after\\n")
"""


class TestImport:
    @pytest.mark.tensorflow
    def test_it_is_quiet(self) -> None:
        ran = python(RUN_KERAS)
        assert (ran.code, ran.out, ran.err) == (0, "", "")

    @pytest.mark.tensorflow
    def test_unless_the_user_wants_to_hear_it(self) -> None:
        ran = python("from pytest_rnnequiv.implementations.keras import load; load()", TF_CPP_MIN_LOG_LEVEL="0")
        assert ran.code == 0
        assert "I0000" in ran.err or ": I tensorflow" in ran.err

    def test_what_is_no_chatter_is_not_lost(self) -> None:
        assert python(HOLD.format(more="")).err == "real trouble\nafter\n"

    def test_nothing_is_lost_if_the_import_fails(self) -> None:
        ran = python(HOLD.format(more="raise RuntimeError('no luck')"))
        assert ran.err.splitlines()[0].startswith("WARNING: All log")
        assert "cudart_stub" in ran.err
        assert "RuntimeError: no luck" in ran.err

    def test_nothing_is_held_back_from_the_user_who_asked(self) -> None:
        assert "cudart_stub" in python(HOLD.format(more=""), TF_CPP_MIN_LOG_LEVEL="1").err

    def test_the_module_itself_is_light(self) -> None:
        ran = python(
            "import sys, pytest_rnnequiv.implementations.keras; print({'keras', 'tensorflow'} & {*sys.modules})"
        )
        assert ran.out == "set()\n"

    @pytest.mark.tensorflow
    def test_a_broken_tensorflow(self, tmp_path: Path) -> None:
        (tmp_path / "tensorflow").mkdir()
        (tmp_path / "tensorflow" / "__init__.py").write_text("raise AttributeError('built for another NumPy')")
        ran = python("from pytest_rnnequiv.implementations.keras import load; load()", tmp_path)
        sentence = ran.err.splitlines()[-1]
        assert sentence.startswith("ImportError: the Keras implementations need keras and its backend")
        assert "built for another NumPy" in sentence


@pytest.mark.tensorflow
class TestReadModel:
    """A model of the user's own, compiled into a port."""

    def test_a_model_and_its_file(self, tmp_path: Path) -> None:
        model = build_simple_rnn(T=4, D=2, M=3, K=1, activation="relu")
        model.save(tmp_path / "model.keras")
        for given in (model, tmp_path / "model.keras", str(tmp_path / "model.keras")):
            spec, weights = fixed_model(given)
            assert spec == Spec.simple(2, 3, 1, "relu")
            assert all(map(np.array_equal, weights, model.get_weights()))

    def test_biases_that_it_does_without_are_none_of_its_weights(self) -> None:
        spec, weights = fixed_model(build_simple_rnn(use_bias=False))
        assert [w.shape for w in weights] == [(3, 5), (5, 5), (5, 2), (2,)]
        assert not Case(spec, np.ones((1, 2, 3)), weights=weights).bh.any()

    @pytest.mark.parametrize(
        ("model", "sentence"),
        [
            (lambda: "missing.keras", "the model missing.keras cannot be read: it is not there"),
            (lambda: 3, "the model must be a Keras model or the path of a file, not int"),
            (
                lambda: build_simple_rnn(activation=module.load()[1].ops.sin),
                "nothing is known of the activation <function",
            ),
            (lambda: (Spec.simple(1, 1, 1), [[1.0]]), "model = (spec, weights): "),
        ],
        ids=["file", "kind", "activation", "weights"],
    )
    def test_what_is_none(self, model: Any, sentence: str) -> None:
        with pytest.raises(ImplementationError, match=re.escape(sentence)):
            fixed_model(model())
