"""The matrix of features: cells are what was judged, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_rnnequiv import GRU, LSTM, Bidirectional, Dense, SimpleRNN, Spec, Supports, tally
from pytest_rnnequiv.plugin.report import Ledger, matrix
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.suite.features import FEATURES, features_of, open_matrix
from pytest_rnnequiv.tally import Feature, Tally


def test_what_a_case_has_about_it() -> None:
    plain = generic_case(Spec.simple(2, 3, 2), 2, 4)
    assert features_of(plain) == {"SimpleRNN", "tanh", "float32", "open T", "open N"}
    layers = (Bidirectional(GRU(3, "relu", return_sequences=True)), LSTM(2, "elu", use_bias=False, initial_state=True))
    case = generic_case(Spec(2, layers, Dense(1), source="mask", dtype="mixed_float16", T=1), 1, 1)
    assert features_of(case) == {
        *("GRU, reset after", "LSTM", "relu", "other activations", "no bias", "initial states", "both directions"),
        *("several layers", "masks or lengths", "16 bits", "fixed T", "open N", "T = 1", "N = 1"),
    }
    x = plain.x.copy()
    x[0, 0, 0] = np.nan
    assert "NaN" in features_of(plain.replace(x=x))


def test_every_name_is_a_row() -> None:
    spec = Spec(2, SimpleRNN(2, "sigmoid", stateful=True, go_backwards=True, unroll=True), N=2, T=3, dtype="float64")
    case = generic_case(spec, 2, 3, calls=2)
    assert features_of(case) <= FEATURES.keys()
    assert {"stateful", "backwards", "unrolled", "several calls", "fixed N", "float64"} <= features_of(case)


def test_what_is_not_declared_has_no_cell() -> None:
    tally.take()
    open_matrix(Supports(cells=("GRU",), options=("mask",), nan=False, T=3))
    opened = tally.take()
    assert opened is not None
    assert {"GRU, reset after", "GRU, reset before", "masks or lengths", "tanh", "float32"} <= opened.features.keys()
    assert not {"SimpleRNN", "LSTM", "NaN", "stateful", "open T", "T = 1", "float64"} & opened.features.keys()


def test_cells_travel_with_the_report_and_add_up() -> None:
    one = Tally()
    one.feature("LSTM", "equivalent", 0.25)
    one.feature("LSTM", "inconclusive", 9.0)
    one.feature("GRU")
    one.features["GRU"].known.append("some-divergence")
    again = tally.from_properties(tally.to_properties(one))
    assert again is not None
    assert again.features == one.features
    again.add(one)
    assert again.features["LSTM"] == Feature(2, 2, 0, 0.25)
    assert again.features["GRU"].known == ["some-divergence"]


def cell(**what: object) -> dict[str, object]:
    return matrix.data(Feature(**what))  # type: ignore[arg-type]


def test_the_words_of_a_cell() -> None:
    found = {
        "one": {
            "SimpleRNN": cell(equivalent=12, worst=0.371),
            "LSTM": cell(inconclusive=2),
            "NaN": cell(known=["nan-lost"]),
            "T = 1": cell(),
        },
        "other": {"SimpleRNN": cell(equivalent=3, different=1), "LSTM": cell(equivalent=1, known=["b", "a"])},
    }
    assert list(matrix.plain(found, 80)) == [
        "           one           other",
        "SimpleRNN  12 (0.37)     DIFFERENT",
        "LSTM       2 open        1 (0.00) [2,1]",
        "T = 1      not asked     -",
        "NaN        diverges [3]  -",
        "",
        matrix.LEGEND,
        *("[1] a", "[2] b", "[3] nan-lost"),
    ]
    narrow = list(matrix.plain(found, 20))
    assert narrow.index("") == 5
    assert "LSTM       1 (0.00) [2,1]" in narrow
    page = matrix.markdown(found, {"a": "It happens. Instead: nothing."}, ["third"])
    assert "| NaN | diverges [3] | - |" in page
    assert "1. `a`: It happens. Instead: nothing." in page
    assert page.endswith("Not installed where this was run: third.")


@pytest.fixture
def run(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(
        port="""
        from pytest_rnnequiv import Supports, reference

        def run(case):
            answer = reference(case)
            return answer if case.spec.cell.name == "SimpleRNN" else answer.outputs * 1.5

        run.supports = Supports(cells=("SimpleRNN", "LSTM"))
        """
    )
    return pytester


def test_a_run_fills_it(run: pytest.Pytester) -> None:
    options = ("--rnn-equiv-impl=port:run", "--rnn-equiv-profile=quick", "-k", "test_shapes or test_nan", "-vv")
    result = run.runpytest("--rnn-equiv", "--rnn-equiv-report=out", *options)
    summary = json.loads((run.path / "out" / "summary.json").read_text(encoding="utf-8"))
    (own,) = summary["implementations"].values()
    assert own["features"]["SimpleRNN"]["status"] == "equivalent"
    assert own["features"]["SimpleRNN"]["equivalent"] >= 1
    assert own["features"]["LSTM"]["status"] == "not asked"
    assert "GRU, reset after" not in own["features"]
    result.stdout.fnmatch_lines(["SimpleRNN * (0.*)", "LSTM * not asked", matrix.LEGEND.replace("[n]", "[[]n]")])


def test_no_run_no_matrix() -> None:
    assert matrix.cells(Ledger()) == {}
