"""The runtimes beside Keras: right on valid models, wrong where a mistake is made on purpose, absent with a sentence.

Those that are not installed are skipped, and counted by pytest.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from pytest_rnnequiv import GRU, LSTM, Bidirectional, Dense, SimpleRNN, Spec, Supports, judge, reference
from pytest_rnnequiv.divergences.known import concerning
from pytest_rnnequiv.implementations import registry
from pytest_rnnequiv.implementations.errors import Declined, ImplementationError, MissingRuntime, UnknownImplementation
from pytest_rnnequiv.implementations.registry import ALL, BUILT_IN, check_available, expand
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.plugin.listing import declared, listing
from pytest_rnnequiv.strategies import generic_case

#: The ways of running Keras have tests of their own.
OTHERS = [name for name, runtime in BUILT_IN.items() if runtime.isolated and runtime.module != "keras_ways"]
#: A conversion takes seconds, or a start.
SLOW = ("litert", "torch-compile", "iree")
QUICK = [name for name in OTHERS if name not in SLOW]

SPECS = {
    "plain": Spec.simple(3, 5, 2),
    "GRU": Spec.simple(3, 5, 2, cell="GRU"),
    "LSTM, both directions": Spec(3, Bidirectional(LSTM(4, return_sequences=True, return_state=True)), Dense(2)),
    "backwards": Spec(3, GRU(4, return_sequences=True, go_backwards=True), Dense(2)),
    "initial states": Spec(2, (SimpleRNN(3, return_sequences=True, initial_state=True), GRU(4, initial_state=True))),
    "lengths": Spec(3, LSTM(4, return_sequences=True, return_state=True), Dense(2), source="mask", T=5, N=3),
    "lengths, both directions": Spec(3, Bidirectional(GRU(4), merge_mode="sum"), source="mask", T=5, N=3),
    "several Dense": Spec(3, GRU(4), (Dense(6, "tanh"), Dense(5, "relu", use_bias=False), Dense(2))),
    "projection": Spec(3, Bidirectional(LSTM(4, return_sequences=True, projection=3)), Dense(2)),
    "ids": Spec(3, SimpleRNN(4, use_bias=False), Dense(2), source="embedding"),
}


@pytest.fixture(scope="module")
def ports():
    """Those that are installed, each loaded once."""
    loaded = {}

    def get(name):
        if BUILT_IN[name].missing:
            pytest.skip(f"{name} {BUILT_IN[name].absence}")
        if name not in loaded:
            loaded[name] = resolve(name)
        return loaded[name]

    yield get
    for port in loaded.values():
        port.close()


def case_of(port, spec, seed=1):
    case = generic_case(spec, spec.N or 2, spec.T or 5, seed=seed)
    if "T" not in port.supports.options:
        case = case.under(spec.replace(N=None, T=None))
    case = port.supports.padded(case)
    if not port.supports.accepts(case) or concerning(case, port.name):
        pytest.skip(f"{port.name} has no such models")
    return case


# ---- they are right ----


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("name", QUICK)
def test_valid_models_are_right(ports, name, spec):
    port = ports(name)
    case = case_of(port, spec)
    verdict = judge(case, port.run(case), port.precision)
    assert verdict.equivalent, verdict


@pytest.mark.parametrize("name", [pytest.param("litert", marks=pytest.mark.tensorflow), *SLOW[1:]])
def test_one_that_is_slow_is_right_with_other_weights_and_steps(ports, name):
    port = ports(name)
    for seed, T in enumerate((4, 1)):
        case = generic_case(Spec.simple(2, 3, 2), 2, T, seed=seed)
        assert judge(case, port.run(case), port.precision).equivalent


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("letter", ["Wx", "Wh", "bh"])
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
def test_gates_in_another_order_are_found(ports, name, letter, cell):
    port = ports(name)
    case = case_of(port, Spec.simple(3, 4, 2, cell=cell).replace(N=1))
    wrong = case.replace(**{letter: np.roll(getattr(case, letter), 4, -1)})
    assert judge(case, port.run(wrong), port.precision).different


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_saturated_candidates_of_a_gru_are_within_the_bound(ports, name, activation):
    port = ports(name)
    case = case_of(port, Spec.simple(1, 1, 1, activation, cell="GRU"))
    x = np.linspace(-30, 30, 3001)[:, None, None]
    bh = np.zeros((2, 3))
    bh[0, 0] = -100  # nothing of the old state
    case = case.replace(x=x, Wx=[[0, 0, 1]], Wh=np.zeros((1, 3)), bh=bh)
    assert judge(case, port.run(case), port.precision).equivalent


@pytest.mark.parametrize("name", QUICK)
def test_states_are_shown_and_are_those_of_every_step(ports, name):
    port = ports(name)
    case = case_of(port, Spec.simple(3, 4, 2))
    states = port.run(case).shown_layers[0].states
    assert np.allclose(states, reference(case).states, atol=1e-5)


@pytest.mark.parametrize("name", QUICK)
def test_one_model_is_asked_again_with_other_inputs(ports, name):
    port = ports(name)
    case = case_of(port, Spec.simple(3, 4, 2))
    for x in (case.x, 2 * case.x, case.x[:, :3], case.x[:1], case.x):
        again = case.replace(x=x)
        assert judge(again, port.run(again), port.precision).equivalent


def test_a_batch_of_none_is_not_packed(ports):
    port, spec = ports("torch"), SPECS["lengths, both directions"].replace(N=None, T=None)
    one = port.supports.padded(generic_case(spec, 1, 3))
    assert judge(one, port.run(one)).equivalent
    with pytest.raises(Declined):
        port.run(one.samples([]))


@pytest.mark.parametrize("name", QUICK)
def test_a_runtime_that_dies_costs_its_process_only(ports, name):
    port = ports(name)
    case = case_of(port, Spec.simple(3, 4, 2))
    port.run(case)
    port.runner._process.end()
    assert judge(case, port.run(case), port.precision).equivalent


# ---- what they declare ----


@pytest.mark.parametrize("name", [name for name, runtime in BUILT_IN.items() if runtime.group != "keras"])
def test_what_is_declared_is_known_without_the_library(name):
    assert isinstance(declared(BUILT_IN[name]), Supports)


@pytest.mark.parametrize("spec", [*SPECS.values(), Spec(2, SimpleRNN(3), source="embedding with mask")], ids=str)
@pytest.mark.parametrize("least", [0, 1])
def test_padding_goes_to_the_end_and_moves_the_steps_along(spec, least):
    supports = Supports(options=tuple(spec.options), lengths=least)
    case = generic_case(spec, 3, 5, seed=3)
    padded = supports.padded(case)
    (before, mask), (after, on) = (each.inputs(each.calls[0]) for each in (case, padded))
    assert supports.heeds_mask(padded)
    for n in range(3):
        kept = before[n][mask[n]]
        assert np.array_equal(after[n][: len(kept)], kept)
        assert on[n].sum() == max(len(kept), least)
    assert judge(padded, reference(padded)).equivalent


def test_masks_that_are_no_lengths_are_not_accepted():
    spec = Spec(1, SimpleRNN(2), Dense(1), source="mask")
    supports = Supports(options=("mask",), lengths=1)
    case = generic_case(spec, 1, 3)
    for row, fits in (([1, 1, 0], True), ([1, 0, 1], False), ([0, 1, 1], False), ([0, 0, 0], False)):
        assert supports.accepts(case.replace(mask=np.array([row], bool))) is fits
    assert Supports(options=("mask",), lengths=0).accepts(case.replace(mask=np.zeros((1, 3), bool)))


def test_padding_that_a_layer_hands_on_at_the_beginning_is_not_taken():
    layers = (SimpleRNN(2, return_sequences=True, go_backwards=True), SimpleRNN(2))
    supports = Supports(options=("mask", "layers", "go_backwards"), lengths=1)
    assert not supports.takes(Spec(1, layers, Dense(1), source="mask"))
    assert supports.takes(Spec(1, layers, Dense(1)))


def test_activations_may_be_those_of_some_cells_only():
    supports = Supports(cells=("SimpleRNN", "GRU"), activations=("tanh", "relu"), activations_of={"GRU": ("tanh",)})
    taken = {
        (cell, activation): supports.takes(Spec.simple(1, 1, 1, activation, cell=cell))
        for cell in ("SimpleRNN", "GRU")
        for activation in ("tanh", "relu")
    }
    assert [pair for pair, fits in taken.items() if not fits] == [("GRU", "relu")]
    assert hash(supports) == hash(supports)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"lengths": -1}, "supports.lengths must be the smallest length, a whole number from 0 on, not -1"),
        ({"lengths": True}, "supports.lengths must be the smallest length, a whole number from 0 on, not True"),
        ({"activations_of": {"GRU": ("tahn",)}}, "supports.activations_of must be a dict such as"),
        ({"activations_of": 3}, "supports.activations_of must be a dict such as"),
        ({"activations_of": {"gru": ("tanh",)}}, "supports.activations_of names no cell by gru: expected some of"),
    ],
)
def test_what_cannot_be_declared_is_told(said, told):
    with pytest.raises(ImplementationError) as error:
        Supports(**said)
    assert told in str(error.value)


# ---- which there are ----


@pytest.fixture
def without_onnx(monkeypatch):
    find = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "onnx" else find(name))


def test_all_are_those_that_are_installed(without_onnx):
    assert "numpy" in expand([ALL])
    assert not {"onnxruntime", "onnx-reference", "openvino", "tract"} & {*expand([ALL])}
    with pytest.raises(UnknownImplementation, match="'all' stands for several: .*numpy"):
        resolve(ALL)


def test_one_that_is_not_installed_is_told_with_the_line_that_installs_it(without_onnx):
    with pytest.raises(MissingRuntime) as error:
        check_available(["onnx-reference"])
    assert str(error.value) == (
        "the implementation 'onnx-reference' needs onnx, which is not installed here: "
        'pip install "pytest-rnnequiv[onnx]", or choose another with --rnn-equiv-impl'
    )


def test_the_list_says_what_is_missing(without_onnx):
    lines = list(listing())
    assert 'onnx-reference: not installed, needs onnx: pip install "pytest-rnnequiv[onnx]"' in lines
    assert f"numpy: numpy {np.__version__}" in lines
    assert "  options     all" in lines
    assert all(len(line) <= 80 or ": " in line for line in lines)


def test_the_list_imports_no_runtime(tmp_path):
    program = (
        "import sys, pytest; code = pytest.main(['--rnn-equiv-list', '-p', 'no:cacheprovider']); "
        "print(int(code), [m for m in sys.argv[1:] if m in sys.modules])"
    )
    heavy = sorted({library for runtime in BUILT_IN.values() for library in runtime.libraries} - {"numpy"})
    command = [sys.executable, "-c", program, *heavy, "hypothesis"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    for name in BUILT_IN:
        assert f"\n{name}: " in done.stdout


@pytest.mark.parametrize("name", OTHERS)
def test_each_has_an_extra(name, pytestconfig):
    text = (pytestconfig.rootpath / "pyproject.toml").read_text(encoding="utf-8")
    extra = BUILT_IN[name].extra
    assert f"\n{extra} = [" in text
    assert f'pytest-rnnequiv[{extra}]"' in BUILT_IN[name].install
