"""Mutants of sources in C and JavaScript: one token or statement changed at a time, and the program run as a port."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from pytest_rnnequiv import Case, Command

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

#: Seconds after which a program that does not answer is ended: a loop without end is a mutant that gives no answer.
PATIENCE = 20.0

TOKEN = re.compile(r"[A-Za-z_][\w.]*|\d+(?:\.\d+)?f?|\+\+|--|[-+*/<>=!&|?]+|[^\s\w]")

#: Another token in the place of one.
OPERATORS = {
    "+": ("-", "*"),
    "-": ("+",),
    "*": ("+", "-"),
    "/": ("*",),
    "+=": ("=", "-="),
    "<": ("<=", "+ 1 <"),
}

#: Reads cases line by line, as `Command` writes them in the form of numbers. Before and behind each array, and in what
#: nobody has written yet, there is one number that is not 0: who reads it is wrong, and alike every time.
MAIN_OF_C = r"""
#include <stdio.h>
#include <stdlib.h>
static float *unwritten(long n) {
    float *a = malloc((n + 4096) * sizeof *a);
    for (long i = 0; i < n + 4096; ++i) a[i] = 0.75f;
    return a + 1024;
}
static float *numbers(long n) {
    float *a = unwritten(n);
    for (long i = 0; i < n; ++i) { double v; if (scanf("%lf", &v) != 1) exit(1); a[i] = (float)v; }
    return a;
}
int main(void) {
    int N, T, D, M, K;
    while (scanf("%d %d %d %d %d", &N, &T, &D, &M, &K) == 5) {
        float *x = numbers((long)N * T * D), *Wx = numbers(D * GATES * M), *Wh = numbers(M * GATES * M);
        float *bh = numbers(GATES * M), *Wo = numbers(M * K), *bo = numbers(K);
        float *scratch = unwritten(8 * M), *y = unwritten(K);
        for (int n = 0; n < N; ++n) {
            FORWARD(T, D, M, K, x + (long)n * T * D, Wx, Wh, bh, Wo, bo, scratch, y);
            for (int k = 0; k < K; ++k) printf("%.9g ", y[k]);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
"""


class Source(NamedTuple):
    """A source to be mutated.

    Attributes
    ----------
    cell : str
    file : Path
    begins, ends : str
        Between these texts it is mutated.
    names : tuple of tuples
        Names that are taken for one another.
    program : callable
        The source -> a port.
    needs : str
        What has to be installed.
    unused : str
        A pattern of code that this cell does not come by.
    """

    cell: str
    file: Path
    begins: str
    ends: str
    names: tuple[tuple[str, ...], ...]
    program: Callable[[str], Any]
    needs: str
    unused: str = "(?!)"


class Program:
    """A program that is ended where it does not answer."""

    def __init__(self, source: str, suffix: str, form: str, build: Callable[[Path], list[str]]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / f"mutant{suffix}"
        path.write_text(source, encoding="utf-8")
        self.command = Command(build(path), form=form)

    def __call__(self, case: Case) -> Any:
        timer = Timer(PATIENCE, self._end)
        timer.start()
        try:
            return self.command.run(case).outputs
        finally:
            timer.cancel()

    def _end(self) -> None:
        process = self.command._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End it, and remove its files."""
        self.command.close()
        self.folder.cleanup()


def _of_c(forward: str, gates: int) -> Callable[[str], Program]:
    def compiled(path: Path) -> list[str]:
        program = path.with_suffix(".bin")
        main = f"#define FORWARD {forward}\n#define GATES {gates}\n{MAIN_OF_C}"
        path.write_text(path.read_text(encoding="utf-8") + main, encoding="utf-8")
        command = ["cc", "-O1", "-std=c99", "-w", str(path), "-o", str(program), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
        return [str(program)]

    return lambda source: Program(source, ".c", "numbers", compiled)


def _of_node(source: str) -> Program:
    # of all that it shows, the outputs of the last step, as the others do
    last = source.replace(
        "JSON.stringify({ outputs, states })", "JSON.stringify(outputs.map((sample) => sample[sample.length - 1]))"
    )
    return Program(last, ".js", "json", lambda path: ["node", str(path)])


_C_NAMES = (("T", "D", "M", "K"), ("i", "j", "t", "k"), ("Wx", "Wh", "Wo", "bh", "x", "h"))
_JS_NAMES = (("i", "j"), ("xt", "h"), ("Wx", "Wh"), ("old", "now"), ("Math.tanh", "sigmoid"), ("bias", "M"))
_C, _JS = EXAMPLES / "c_port", EXAMPLES / "javascript_port" / "rnn.js"

SOURCES = {
    "C": Source("SimpleRNN", _C / "rnn.c", "void rnn_forward", "", _C_NAMES, _of_c("rnn_forward", 1), "cc"),
    "C, LSTM": Source("LSTM", _C / "lstm.c", "void lstm_forward", "", _C_NAMES, _of_c("lstm_forward", 4), "cc"),
    "JavaScript": Source(
        "SimpleRNN",
        _JS,
        "const dot",
        "readline.create",
        _JS_NAMES,
        _of_node,
        "node",
        r'const sigmoid.*|, c = Array.*|if \(cell === "LSTM"\) \{[\s\S]*?\} else',
    ),
    "JavaScript, LSTM": Source(
        "LSTM", _JS, "const dot", "readline.create", _JS_NAMES, _of_node, "node", r"h = a\.map\(Math\.tanh\);"
    ),
}


def missing(source: Source) -> bool:
    """Whether what a source needs is not installed."""
    return shutil.which(source.needs) is None


def mutants(source: Source) -> Iterator[tuple[str, str]]:
    """Yield mutants: what was changed, and the whole source."""
    text = source.file.read_text(encoding="utf-8")
    begin = text.index(source.begins)
    end = text.index(source.ends) if source.ends else len(text)
    # not what declares a function: its arguments are given in that order
    begin = text.index("{", begin) if source.ends == "" else begin
    # nor what is no code, or is not come by
    unused = [found.span() for found in re.finditer(rf"//.*|/\*[\s\S]*?\*/|{source.unused}", text)]
    for found in TOKEN.finditer(text, begin, end):
        if any(first <= found.start() < last for first, last in unused):
            continue
        for new in _others(found.group(), source.names):
            yield (
                _told(text, found.start(), f"{new} for {found.group()}"),
                text[: found.start()] + new + text[found.end() :],
            )
    for found in re.finditer(r"[^;{}()\n]*[-+]?=[^;{}=>]*;", text[begin:end]):
        first, last = begin + found.end() - len(found.group().lstrip()), begin + found.end()
        passed = any(start <= first < stop for start, stop in unused)
        if not passed and not re.search(r"\b(float|const|let|int)\b", found.group()):
            yield _told(text, first, "left out"), text[:first] + ";" + text[last:]


def _others(token: str, names: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    yield from OPERATORS.get(token, ())
    if token.isdigit():
        yield from (str(int(token) + 1), str(int(token) - 1)) if int(token) else ("1",)
    for alike in names:
        if token in alike:
            yield from (other for other in alike if other != token)
    if token in ("tanhf", "activate", "sigmoid", "Math.tanh"):
        yield ""


def _told(text: str, at: int, what: str) -> str:
    number = text.count("\n", 0, at) + 1
    return f"line {number}: {what} in `{text.splitlines()[number - 1].strip()}`"
