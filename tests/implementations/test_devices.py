"""Runtimes of a graphics card: without one they are absent, with a sentence, and what is known of a card is not met."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from pytest_rnnequiv import GRU, LSTM, Bidirectional, Precision, Spec, Trajectory, judge, reference
from pytest_rnnequiv.divergences.known import DIVERGENCES, concerning
from pytest_rnnequiv.divergences.table import ON_CARD
from pytest_rnnequiv.implementations import devices, registry
from pytest_rnnequiv.implementations.devices import cuda_seen
from pytest_rnnequiv.implementations.errors import MissingRuntime
from pytest_rnnequiv.implementations.registry import ALL, BUILT_IN, check_available, expand
from pytest_rnnequiv.plugin.listing import listing
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.suite.architectures import divergences

OF_CARDS = [name for name, runtime in BUILT_IN.items() if runtime.on_cuda]


@pytest.fixture
def no_card(monkeypatch):
    monkeypatch.setattr(registry, "cuda_seen", lambda: False)
    monkeypatch.setattr(registry, "find_spec", lambda name: find_spec("numpy"))  # all is installed


@pytest.mark.parametrize(
    ("visible", "seen"), [(None, True), ("0", True), ("0,1", True), ("", False), ("-1", False), (" ", False)]
)
def test_a_card_is_seen_by_its_driver_unless_it_is_hidden(tmp_path, monkeypatch, visible, seen):
    node = tmp_path / "node"
    node.touch()
    monkeypatch.setattr(devices, "NODES", (str(node),))
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cuda_seen() is seen
    node.unlink()
    assert not cuda_seen()


@pytest.mark.parametrize("name", OF_CARDS)
def test_without_a_card_it_is_absent_and_says_so(no_card, name):
    assert name not in expand([ALL])
    with pytest.raises(MissingRuntime) as error:
        check_available([name])
    assert str(error.value) == (
        f"the implementation {name!r} needs a CUDA device, and none is seen here, or choose another with "
        "--rnn-equiv-impl"
    )
    (line,) = (line for line in listing() if line.startswith(f"{name}: "))
    assert line.endswith(", needs a CUDA device, and none is seen here")


def test_pytorch_that_finds_no_card_says_so():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    from pytest_rnnequiv.implementations.torch import TorchCuda

    with pytest.raises(ImportError, match="torch-cuda needs a CUDA device, and PyTorch .* finds none"):
        TorchCuda()


# ---- what is known of cards ----


def _lstm(**options):
    return LSTM(2, return_sequences=True, **options)


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        (Spec(1, _lstm(go_backwards=True)), True),
        (Spec(1, _lstm()), False),
        (Spec(1, LSTM(2, go_backwards=True)), False),
        (Spec(1, _lstm(go_backwards=True), source="masking"), False),
        (Spec(1, _lstm(go_backwards=True, use_bias=False)), False),
        (Spec(1, _lstm(go_backwards=True, recurrent_activation="hard_sigmoid")), False),
        (Spec(1, GRU(2, return_sequences=True, go_backwards=True)), False),
        (Spec(1, Bidirectional(_lstm())), False),
        (Spec(1, Bidirectional(_lstm(), LSTM(3, return_sequences=True))), True),
    ],
    ids=str,
)
def test_lstm_backwards_on_jax_is_known_on_a_card_only(spec, wrong):
    name = "lstm-backwards-order-on-a-card"
    assert (name in map(str, concerning(spec, f"keras-jax{ON_CARD}", "3.15.1"))) is wrong
    for way in ("keras-jax", f"keras-torch{ON_CARD}", f"keras-graph{ON_CARD}"):
        assert name not in map(str, concerning(spec, way, "3.15.1"))


def test_what_is_known_everywhere_is_known_on_a_card(monkeypatch):
    masked = Spec(1, LSTM(1, return_sequences=True, initial_state=True), source="mask")
    found = {way: {*map(str, concerning(masked, way, "3.15.1"))} for way in ("keras-jax", f"keras-jax{ON_CARD}")}
    assert found["keras-jax"] == found[f"keras-jax{ON_CARD}"] != set()


def test_there_are_items_of_cards_only_where_one_is_seen(monkeypatch):
    from pytest_rnnequiv.suite import architectures

    of_cards = {each for each in DIVERGENCES if each.on_card}
    for seen in (True, False):
        monkeypatch.setattr(architectures, "cuda_seen", lambda seen=seen: seen)
        items = {item.values[1] for item in divergences(["keras-jax", "torch-cuda"])}
        assert bool(items & of_cards) is seen
        assert items - of_cards


# ---- what they compute in ----


@pytest.mark.parametrize(
    ("name", "module", "attribute"),
    [(name, BUILT_IN[name].module, BUILT_IN[name].attribute) for name in OF_CARDS if not name.endswith("jax")],
)
def test_tf32_is_declared_where_it_is_allowed(name, module, attribute):
    from importlib import import_module

    made = getattr(import_module(f"pytest_rnnequiv.implementations.{module}"), attribute)
    if module == "torch":
        assert made.precision.operand == (Precision.tf32.operand if name.endswith("tf32") else 0.0)
        assert made.tf32 is name.endswith("tf32")
        return
    one = made.__new__(made)
    for platform, operand in (("gpu", Precision.tf32.operand), ("cpu", 0.0)):
        one.device = type("Device", (), {"platform": platform})
        assert one.precision.operand == operand


def test_factors_cut_to_tf32_are_within_what_is_declared_and_beyond_float32():
    case = generic_case(Spec.simple(20, 30, 2, cell="LSTM"), 3, 5)
    cut = {name: _cut(getattr(case, name)) for name in ("x", "Wx", "Wh")}
    states = reference(case.replace(**cut)).states
    answer = Trajectory(states @ case.Wo + case.bo, states)
    assert judge(case, answer, Precision.tf32).equivalent
    assert judge(case, answer, Precision.float32).different


def _cut(array):
    """Round to 10 bits behind the point, as tensor cores take their factors."""
    import numpy as np

    bits = np.asarray(array, np.float32).view(np.uint32)
    return ((bits + 0x1000) & np.uint32(0xFFFFE000)).view(np.float32)
