"""Programs in other languages: what goes in, what comes out, and what is told of a program that fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_rnnequiv import Command, Spec, Supports, Trajectory, judge
from pytest_rnnequiv import strategies as rnn
from pytest_rnnequiv.cells import GRUCell
from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.model.trajectory import BadAnswer

#: A right port in both forms, that reads line by line.
LOOP = """
import json, sys
import numpy as np
for line in sys.stdin:
    if line.startswith("{"):
        case = {k: np.array(v, float) for k, v in json.loads(line).items() if k in ("x", "Wx", "Wh", "bh", "Wo", "bo")}
        x, Wx, Wh, bh, Wo, bo = case.values()
    else:
        words = line.split()
        N, T, D, M, K = map(int, words[:5])
        numbers, arrays, at = [float(w) for w in words[5:]], [], 0
        for shape in ((N, T, D), (D, M), (M, M), (M,), (M, K), (K,)):
            size = int(np.prod(shape))
            arrays.append(np.array(numbers[at:at + size]).reshape(shape))
            at += size
        x, Wx, Wh, bh, Wo, bo = arrays
    h, states = np.zeros((len(x), len(Wh))), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ Wx + h @ Wh + bh)
        states.append(h)
    if line.startswith("{"):
        states = np.stack(states, 1)
        answer = json.dumps({"outputs": (states @ Wo + bo).tolist(), "states": states.tolist()})
    else:
        answer = " ".join(map(repr, (h @ Wo + bo).ravel().tolist()))
    print(answer, flush=True)
"""


def program(tmp_path: Path, source: str, **options: Any) -> Command:
    path = tmp_path / "program.py"
    path.write_text(source, encoding="utf-8")
    return Command([sys.executable, path], **options)


def answering(tmp_path: Path, answer: Any, **options: Any) -> Command:
    line = answer if isinstance(answer, str) else json.dumps(answer)
    return program(tmp_path, f"import sys\nfor line in sys.stdin: print({line!r}, flush=True)", **options)


CASE = rnn.generic_case(Spec.simple(2, 3, 2), 2, 4)


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("form", ["json", "numbers"])
def test_a_right_program_is_right_case_by_case(form: str, once: bool, tmp_path: Path) -> None:
    command = program(tmp_path, LOOP, form=form, once=once)
    for seed in range(3):
        case = rnn.generic_case(Spec.simple(2, 3, 2), 2, 4, seed=seed)
        shown = command.run(case)
        assert (shown.states is not None) == (form == "json")
        assert judge(case, shown).equivalent
    assert (command._process is None) == once
    command.close()
    assert command._process is None


def test_what_goes_in(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    source = f"import sys\nfor line in sys.stdin: open({str(path)!r}, 'w').write(line); print('[[0]]', flush=True)"
    spec = Spec.simple(1, 2, 1, cell=GRUCell(reset_after=False), head_activation="relu", dtype="float64")
    base = rnn.generic_case(spec, 2, 3, initial_state=True, masked=True)
    x = base.x.copy()
    x[0, 0], x[1, 2] = np.nan, -np.inf
    case = base.replace(x=x)
    program(tmp_path, source).run(case)
    seen = json.loads(path.read_text(encoding="utf-8"))
    assert {k: seen[k] for k in ("cell", "reset_after", "recurrent_activation", "activation", "head_activation")} == {
        "cell": "GRU",
        "reset_after": False,
        "recurrent_activation": "sigmoid",
        "activation": "tanh",
        "head_activation": "relu",
    }
    assert [seen[k] for k in "NTDMK"] == [2, 3, 1, 2, 1]
    assert seen["dtype"] == "float64"
    assert seen["x"][0][0] == ["NaN"]
    assert seen["x"][1][2] == ["-Infinity"]
    assert seen["x"][0][1] == x[0, 1].tolist()
    assert seen["Wx"] == case.Wx.tolist()
    assert seen["bo"] == case.bo.tolist()
    assert seen["h0"] == case.calls[0].states[0].tolist()
    assert seen["mask"] == case.calls[0].mask.tolist()  # type: ignore[union-attr]


def test_whole_numbers_null_and_words_are_floats(tmp_path: Path) -> None:
    shown = answering(tmp_path, [[1, None], ["Infinity", 2.5]]).run(CASE)
    assert isinstance(shown, Trajectory)
    assert shown.outputs.dtype == np.float64  # type: ignore[union-attr]
    np.testing.assert_array_equal(shown.outputs, [[1.0, np.nan], [np.inf, 2.5]])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("debug: 17", "wrote a line that is no JSON .*'debug: 17'; what is no answer belongs on stderr"),
        ({"error": "no room"}, "failed: no room"),
        ({"y": [[1]]}, "has the keys 'y', expected 'outputs', 'states' or both, or 'error'"),
        ([[1, 2], [3]], "the outputs are lists of unequal lengths"),
        ([["one"]], "the outputs hold what is no number"),
        ([[True]], "the outputs hold what is no number"),
        ("", "wrote an empty line"),
    ],
)
def test_an_answer_that_is_none(answer: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises((BadAnswer, ImplementationError), match=sentence):
        answering(tmp_path, answer).run(CASE)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("1 2 3", r"wrote 3 numbers, expected N\*K = 4 or N\*T\*K = 16"),
        ("1 2 x 3", "wrote what is no number: .*'x'"),
    ],
)
def test_numbers_that_are_none(answer: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadAnswer, match=sentence):
        answering(tmp_path, answer, form="numbers").run(CASE)


@pytest.mark.parametrize("once", [False, True])
def test_a_program_that_ends_is_told_with_its_last_words_and_started_again(once: bool, tmp_path: Path) -> None:
    dying = f"import sys\nif 'live' not in sys.argv: sys.exit('out of memory')\n{LOOP}"
    command = program(tmp_path, dying, once=once)
    for _ in range(2):
        with pytest.raises(ImplementationError, match="ended with exit code 1 and without an answer; it said: out of"):
            command.run(CASE)
    command.command.append("live")
    assert judge(CASE, command.run(CASE)).equivalent
    command.close()


def test_what_cannot_be_started_or_sent(tmp_path: Path) -> None:
    with pytest.raises(ImplementationError, match="'no-such-program' of the command .* cannot be started"):
        Command("no-such-program --fast").run(CASE)
    with pytest.raises(TypeError, match="command must be a program and its arguments"):
        Command([])
    with pytest.raises(ValueError, match="form must be 'json' or 'numbers', not 'xml'"):
        Command("node rnn.js", form="xml")
    with pytest.raises(TypeError, match="Command has no argument support: a port may declare name, precision"):
        Command("node rnn.js", support=Supports())
    held = rnn.generic_case(Spec.simple(2, 3, 2), 2, 4, masked=True)
    with pytest.raises(ImplementationError, match="no masks and no initial states: use the form 'json'"):
        answering(tmp_path, "1", form="numbers").run(held)


def test_the_suite_names_what_a_program_gets_wrong(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(program=LOOP.replace("h @ Wh", "h @ Wh.T"))
    pytester.makeconftest(
        """
        import sys, pytest
        from pytest_rnnequiv import Command
        @pytest.fixture(scope="session")
        def rnn_implementation():
            return Command([sys.executable, "program.py"], name="piped")
        """
    )
    result = pytester.runpytest_subprocess("--rnn-equiv", "--rnn-equiv-profile", "quick", "-k", "recurrence", "-v")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*it is the recurrence with `Wh` transposed*"])
