"""``--rnn-equiv-model`` and ``--rnn-equiv-inputs``: a run about one model."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import filled

from pytest_rnnequiv import GRU, Case, Dense, Precision, SimpleRNN, Spec, diagnose, judge, layouts
from pytest_rnnequiv.arithmetic.inexact import Inexact
from pytest_rnnequiv.implementations.answering import PortFailure
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.files.model import other_weights
from pytest_rnnequiv.implementations.files.recorded import recorded_cases
from pytest_rnnequiv.implementations.registry import FILES
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.plugin.settings import MODEL_SUFFIXES
from pytest_rnnequiv.suite.probing import of_its_file

STACK = Spec(3, (GRU(4, return_sequences=True), GRU(4, return_sequences=True)), Dense(2))


def write_model(file: Path, spec: Spec = STACK, seed: int = 1) -> Case:
    """Write the weights of a model as PyTorch has them."""
    case = filled(spec, seed)
    state = {f"rnn.{name}": a for name, a in layouts.to_torch(spec, case.weights).items()}
    if spec.head is not None:
        state |= {"fc.weight": np.ascontiguousarray(case.part("head")["Wo"].T), "fc.bias": case.part("head")["bo"]}
    header, data = {}, b""
    for name, array in state.items():
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return case


QUICK = ("--rnn-equiv-profile", "quick", "-p", "no:cacheprovider")


def test_the_first_try_in_an_empty_folder(pytester: pytest.Pytester) -> None:
    """Only what can be asked about the model is collected, and the header says which one is meant."""
    write_model(pytester.path / "model.safetensors")
    np.savez(pytester.path / "x.npz", x=np.random.default_rng(0).standard_normal((40, 6, 3)))
    pytester.makeini(
        "[pytest]\nrnn_equiv_model = model.safetensors\nrnn_equiv_inputs = x.npz\nrnn_equiv_impl = numpy\n"
    )
    result = pytester.runpytest("--rnn-equiv", *QUICK)
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(
        [
            "rnn-equiv: numpy (numpy *); profile quick",
            "           the model model.safetensors: D=3 -> GRU(4, return_sequences=True) ->",
            "numpy *",
        ]
    )
    listed = pytester.runpytest("--rnn-equiv", "--collect-only", "-q", *QUICK).outlines
    checks = {line.partition("::test_")[2] for line in listed if "::" in line}
    assert checks == {
        f"{check}[numpy]" for check in ("recurrence", "recorded_inputs", "long_sequences", "nan", "repeats")
    }


def test_a_port_is_asked_about_that_model(pytester: pytest.Pytester) -> None:
    """With its weights, in the strongest way; and its mistake is named, and where it is."""
    layer = SimpleRNN(4, return_sequences=True)
    case = write_model(pytester.path / "model.safetensors", Spec(3, (layer, layer), Dense(2)))
    np.savez(pytester.path / "x.npz", x=case.calls[0].x)
    pytester.makepyfile(
        my_port="""
        from pytest_rnnequiv import Supports, reference

        def run(case):
            named = dict(case.named_weights)
            if "layer1/Wh" in named:
                named["layer1/Wh"] = named["layer1/Wh"].T
            return reference(case.with_weights(**named), "float32").outputs

        run.supports = Supports(options=("layers", "return_sequences"))
        """
    )
    args = ("--rnn-equiv-model", "model.safetensors", "--rnn-equiv-inputs", "x.npz", "--rnn-equiv-impl", "my_port:run")
    result = pytester.runpytest(*args, "-k", "recorded", *QUICK)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*my_port:run is wrong: it is the recurrence with `Wh` transposed*", "*first broken layer1: *"]
    )


def test_a_port_that_does_not_know_such_a_model(pytester: pytest.Pytester) -> None:
    write_model(pytester.path / "model.safetensors")
    pytester.makepyfile(my_port="def run(case):\n    return case.x")
    result = pytester.runpytest("--rnn-equiv-model", "model.safetensors", "--rnn-equiv-impl", "my_port:run", *QUICK)
    result.stdout.fnmatch_lines(
        ["*my_port:run cannot be asked about the model D=3 -> GRU*: it declares no cell GRU, no option layers, return*"]
    )


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--rnn-equiv-model", "missing.keras"), "the model *missing.keras cannot be read: it is not there"),
        (("--rnn-equiv-model", "model.safetensors", "--rnn-equiv-inputs", "bad.npz"), "its x: x has shape (2, 5, 4)*"),
        (("--rnn-equiv-model-part", ""), "*the part of the model is missing; choose one of whole, recurrent, or *"),
        (
            ("--rnn-equiv-model", "model.safetensors", "--rnn-equiv-model-part", "half"),
            "the model *cannot be read: it has no recurrent module of the name 'half'; it has *",
        ),
        (("--rnn-equiv-impl", "missing.onnx"), "there is no file *missing.onnx"),
    ],
)
def test_files_that_are_not_right(args: Any, sentence: str, pytester: pytest.Pytester) -> None:
    """One sentence before anything runs."""
    write_model(pytester.path / "model.safetensors")
    np.savez(pytester.path / "bad.npz", x=np.zeros((2, 5, 4)))
    result = pytester.runpytest("--rnn-equiv", *args, *QUICK)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{sentence}"])


def test_inputs_of_no_model(pytester: pytest.Pytester) -> None:
    np.save(pytester.path / "x.npy", np.zeros((2, 5, 3)))
    result = pytester.runpytest("--rnn-equiv-inputs", "x.npy", "--rnn-equiv-impl", "numpy", "-k", "recorded", *QUICK)
    result.stdout.fnmatch_lines(["*--rnn-equiv-inputs are inputs of one model: give --rnn-equiv-model FILE, or a mod*"])


def test_the_suffixes_are_those_that_can_be_run() -> None:
    assert tuple(FILES) == MODEL_SUFFIXES


def test_weights_that_are_rounded_as_was_declared_are_no_others() -> None:
    case = filled(Spec.simple(3, 4, 2), 1)
    declared = Precision.int8_weights()
    model = case.spec, case.weights
    rounded = [Inexact.weight(name, a, declared).value for name, a in case.named_weights.items()]
    assert other_weights(model, (case.spec, tuple(rounded)), declared) == []
    assert other_weights(model, (case.spec, tuple(rounded))) == ["layer0/Wx", "layer0/Wh", "head/Wo"]
    rounded[1] = rounded[1].T
    assert other_weights(model, (case.spec, tuple(rounded)), declared) == ["layer0/Wh"]


@pytest.mark.tensorflow
def test_a_keras_file_is_run_by_keras(tmp_path: Path) -> None:
    """The file is what is checked, and the model that it should be another one; alone it is its own."""
    from pytest_rnnequiv.implementations.keras_models import build

    case = filled(Spec(3, (SimpleRNN(4, return_sequences=True), SimpleRNN(2)), Dense(2)), 1)
    model = build(case.spec, everything=False).model
    ports = {}
    for name, weights in (("right", case.weights), ("wrong", [case.weights[0], case.weights[1].T, *case.weights[2:]])):
        model.set_weights(weights)
        model.save(tmp_path / f"{name}.keras")
        ports[name] = resolve(str(tmp_path / f"{name}.keras"))
    assert not any(port.any_weights for port in ports.values())
    assert ports["right"].fixed is not None
    assert ports["right"].fixed[0] == case.spec
    assert ports["wrong"].keep_to_model((case.spec, case.weights)) == ""
    assert of_its_file(ports["wrong"]) == ("in its file, layer0/Wh has other numbers than the model's",)
    assert of_its_file(ports["right"]) == ()
    assert judge(case, ports["right"].run(case)).equivalent
    verdict = judge(case, shown := ports["wrong"].run(case))
    assert verdict.place is not None
    assert str(verdict.place).startswith("layer0: state")
    assert diagnose(case, shown).explanations[0].says == "with `Wh` transposed (in layer0)"
    other = filled(Spec(2, SimpleRNN(3), Dense(2)))
    with pytest.raises(PortFailure, match=r"right.keras is .*, and does not take these inputs: x has shape"):
        ports["right"].run(other)
    longer = Spec(3, (SimpleRNN(4, return_sequences=True), SimpleRNN(2, return_sequences=True)), Dense(2))
    assert not ports["right"].run(Case(longer, weights=case.weights, calls=case.calls)).layers


# ---- recorded inputs ----


def test_arrays_of_any_names_and_a_mask(tmp_path: Path) -> None:
    x = np.arange(24.0).reshape(2, 4, 3)
    case = filled(Spec(3, SimpleRNN(2), source="mask"))
    mask = np.arange(4) < np.array([[2], [4]])
    np.savez(tmp_path / "x.npz", first=np.asfortranarray(x), second=x[:, :, ::-1].astype(np.float16), mask=mask)
    first, second = recorded_cases(tmp_path / "x.npz", case.spec, case.weights)
    assert np.array_equal(first.x, x)
    assert np.array_equal(second.x, x[:, :, ::-1])
    assert first.mask is not None
    assert np.array_equal(first.mask, mask)


def write_header(file: Path, shape: tuple[int, ...], dtype: str) -> None:
    """Write an array that is longer than its file."""
    with open(file, "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
        stream.write(bytes(48))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda f: write_header(f, (1 << 20, 1 << 20, 3), "<f8"), "should have 3,298,534,883,328 numbers, which the"),
        (lambda f: write_header(f, (2,), "|O"), "holds Python objects, which only pickle reads, and pickle runs code"),
        (lambda f: np.save(f, np.array([["a"]])), "has dtype <U1, expected numbers"),
        (lambda f: f.write_bytes(b"no array"), "it is neither an .npy nor an .npz file of NumPy"),
        (lambda f: zipfile.ZipFile(f, "w").close(), "it has no arrays in it"),
        (lambda f: np.save(f, np.zeros((2, 0, 3))), "a call needs at least one step"),
    ],
)
def test_inputs_that_cannot_be_read(make: Any, sentence: str, tmp_path: Path) -> None:
    make(tmp_path / "x.npy")
    case = filled(Spec(3, SimpleRNN(2)))
    with pytest.raises(ImplementationError, match=re.escape(sentence)) as raised:
        recorded_cases(tmp_path / "x.npy", case.spec, case.weights)
    assert str(raised.value).startswith(f"the inputs {tmp_path / 'x.npy'} cannot be read: ")
