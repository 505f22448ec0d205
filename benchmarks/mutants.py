"""Mistakes that are in no catalogue: what is told of mutants of right ports, and whether it is true.

    python benchmarks/mutants.py [--most 60] [--names] [--show] [--all]

A mutant is the source of a right port, in Python, C or JavaScript, with one thing changed, by rules that know nothing
of recurrent networks: an operator, a number, a name for another one, a call left out, a statement left out, a `return`
moved into the loop (mutation testing: DeMillo, Lipton and Sayward, 1978). Each is asked about generic cases of several
sizes. What differs there is caught; it is diagnosed and probed, and probed again with other numbers: a sentence that
does not come again is counted as doubtful. What is not caught is printed: it has to be equivalent.
"""

from __future__ import annotations

import argparse
import ast
import copy
import platform
import re
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import mutants_of_text
import numpy as np

from pytest_rnnequiv import Case, Spec, Trajectory, diagnose, judge
from pytest_rnnequiv.judging.observing import Observation
from pytest_rnnequiv.mistakes.asked import probe_case
from pytest_rnnequiv.mistakes.evidence import Evidence
from pytest_rnnequiv.mistakes.mistake import Mistake
from pytest_rnnequiv.mistakes.probes import probe

Run = Callable[[Case], Any]

PORTS = {
    "NumPy": (
        "SimpleRNN",
        """
def forward(x, Wx, Wh, bh, Wo, bo):
    N, T, D = x.shape
    M = bh.shape[0]
    h = np.zeros((N, M), np.float32)
    for t in range(T):
        a = x[:, t] @ Wx + h @ Wh + bh
        h = np.tanh(a)
        y = h @ Wo + bo
    return y
""",
    ),
    "loops": (
        "SimpleRNN",
        """
def forward(x, Wx, Wh, bh, Wo, bo):
    N, T, D = x.shape
    M, K = Wo.shape
    x, Wx, Wh, Wo = x.ravel(), Wx.ravel(), Wh.ravel(), Wo.ravel()
    y = np.zeros((N, K), np.float32)
    for n in range(N):
        h = np.zeros(M, np.float32)
        for t in range(T):
            new = np.zeros(M, np.float32)
            for j in range(M):
                a = bh[j]
                for d in range(D):
                    a += x[(n * T + t) * D + d] * Wx[d * M + j]
                for i in range(M):
                    a += h[i] * Wh[i * M + j]
                new[j] = np.tanh(a)
            h = new
        for k in range(K):
            y[n, k] = bo[k]
            for j in range(M):
                y[n, k] += h[j] * Wo[j * K + k]
    return y
""",
    ),
    "LSTM": (
        "LSTM",
        """
def forward(x, Wx, Wh, bh, Wo, bo):
    N, T, D = x.shape
    M = Wh.shape[0]
    h = np.zeros((N, M), np.float32)
    c = np.zeros((N, M), np.float32)
    for t in range(T):
        a = x[:, t] @ Wx + h @ Wh + bh
        i = sigmoid(a[:, :M])
        f = sigmoid(a[:, M : 2 * M])
        g = np.tanh(a[:, 2 * M : 3 * M])
        o = sigmoid(a[:, 3 * M :])
        c = f * c + i * g
        h = o * np.tanh(c)
    return h @ Wo + bo
""",
    ),
    "GRU": (
        "GRU",
        """
def forward(x, Wx, Wh, bh, Wo, bo):
    N, T, D = x.shape
    M = Wh.shape[0]
    h = np.zeros((N, M), np.float32)
    for t in range(T):
        a = x[:, t] @ Wx + bh[0]
        b = h @ Wh + bh[1]
        z = sigmoid(a[:, :M] + b[:, :M])
        r = sigmoid(a[:, M : 2 * M] + b[:, M : 2 * M])
        n = np.tanh(a[:, 2 * M :] + r * b[:, 2 * M :])
        h = z * h + (1 - z) * n
    return h @ Wo + bo
""",
    ),
}


def sigmoid(a: Any) -> Any:
    return (1 / (1 + np.exp(-a))).astype(np.float32)


# ---- mutants ----


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield mutants of a function: what was changed, and the source."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    for number, node in enumerate(nodes):
        for what, change in _changes(node, tree):
            mutant = copy.deepcopy(tree)
            before = ast.unparse(node)
            change(list(ast.walk(mutant))[number], mutant)
            text = ast.unparse(ast.fix_missing_locations(mutant))
            line = getattr(node, "lineno", 0)
            if text != ast.unparse(tree):
                yield f"line {line}: {what} in `{before.splitlines()[0]}`", text


OPERATORS = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Sub),
    ast.MatMult: (ast.Add,),
}


def _changes(node: ast.AST, tree: ast.Module) -> Iterator[tuple[str, Callable[[Any, ast.Module], None]]]:
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        for kind in OPERATORS.get(type(node.op), ()):
            yield f"{type(node.op).__name__} for {kind.__name__}", lambda n, _, kind=kind: setattr(n, "op", kind())
    if isinstance(node, ast.BinOp):
        yield "left term alone", lambda n, m: _replace(m, n, n.left)
        yield "right term alone", lambda n, m: _replace(m, n, n.right)
    if isinstance(node, ast.AugAssign):
        yield "= for +=", lambda n, m: _replace(m, n, ast.Assign([n.target], n.value))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for value in (node.value + 1, node.value - 1):
            yield f"{value} for {node.value}", lambda n, _, value=value: setattr(n, "value", value)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in ("np", "sigmoid", "range"):
        names = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)})
        for other in [*names, "Wx", "Wh", "bh"]:
            if other != node.id:
                yield f"{other} for {node.id}", lambda n, _, other=other: setattr(n, "id", other)
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("np.tanh", "sigmoid"):
        yield "no activation", lambda n, m: _replace(m, n, n.args[0])
        other = "sigmoid" if ast.unparse(node.func) == "np.tanh" else "np.tanh"
        yield f"{other}", lambda n, _: setattr(n, "func", ast.parse(other, mode="eval").body)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
        yield "one less", lambda n, _: setattr(n, "args", [ast.parse(f"{ast.unparse(n.args[0])} - 1").body[0].value])
        yield "from 1 on", lambda n, _: setattr(n, "args", [ast.Constant(1), n.args[0]])
    if isinstance(node, ast.Attribute) and node.attr == "zeros":
        yield "ones", lambda n, _: setattr(n, "attr", "ones")
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)) and getattr(node, "col_offset", 0) > 4:
        yield "left out", lambda n, m: _replace(m, n, ast.Pass())
    if isinstance(node, ast.For):
        yield "return in the loop", _return_inside


def _replace(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(each is old for each in value):
                setattr(parent, name, [new if each is old else each for each in value])


def _return_inside(loop: Any, tree: ast.Module) -> None:
    function: Any = tree.body[0]
    loop.body.append(copy.deepcopy(function.body[-1]))


def port_of(source: str) -> Run:
    """Return the function that a source defines, as a port."""
    space: dict[str, Any] = {"np": np, "sigmoid": sigmoid}
    exec(source, space)

    def run(case: Case) -> Any:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return np.asarray(space["forward"](case.x, *case.weights), np.float32)

    return run


# ---- what is told of them ----


@dataclass
class Row:
    """What came of the mutants of one port."""

    mutants: int = 0
    caught: int = 0
    raised: int = 0
    named: int = 0
    told: int = 0
    doubtful: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    alive: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


#: Sizes of the cases that a mutant is asked about: the usual ones, one of each, equal ones, a long and a large one.
ASKED: tuple[dict[str, int], ...] = (
    {},
    {"N": 1, "T": 1},
    {"N": 2, "T": 3, "D": 3, "M": 3, "K": 3},
    {"N": 2, "T": 24, "D": 2, "M": 9},
    {"N": 5, "T": 7, "D": 17, "M": 33, "K": 4},
    {"N": 2, "T": 2, "D": 7, "M": 3, "K": 5},
)

NOTHING = "wrong even where"

#: Seconds for probing: enough on a machine that is busy, so that all is asked.
PROBED = 60.0


def caught(run: Run, like: Case) -> tuple[Case, Any] | None:
    """Return the first case that a mutant is wrong in; with what it gave; None where it is right in all."""
    for sizes in ASKED:
        case = probe_case(like, 3, **sizes)
        answer = run(case)
        if judge(case, answer).different:
            return case, answer
    return None


def holds(mistakes: tuple[Mistake, ...], run: Run, like: Case) -> bool:
    """Whether mistakes explain what a mutant makes of cases that they were not found by."""
    for seed, sizes in ((30, {}), (31, {"N": 2, "T": 4, "D": 3, "M": 6, "K": 3}), (32, {"N": 4, "T": 3})):
        case = probe_case(like, seed, **sizes)  # type: ignore[arg-type]
        try:
            seen = Observation.of(case, Trajectory.of(run(case)))
        except Exception:
            continue  # it does not take such sizes, which says nothing of the numbers
        if seen.judge().different and Evidence([seen], None).try_out(mistakes) is None:
            return False
    return True


def specific(facts: tuple[str, ...]) -> list[str]:
    return [fact for fact in facts if not fact.startswith(NOTHING)]


def plain(sentence: str) -> str:
    """A sentence without the numbers that depend on those of the case."""
    own = sentence.startswith(("large inputs", "no output", "right as long as"))
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?" if own else r"-?\d+\.\d+(e[+-]?\d+)?", "#", sentence)


def measure(name: str, most: int, with_names: bool) -> Row:
    if name in PORTS:
        cell, source = PORTS[name]
        every, start = list(mutants(source)), port_of
        right = port_of(source)
    else:
        text = mutants_of_text.SOURCES[name]
        cell, every, start = text.cell, list(mutants_of_text.mutants(text)), text.program
        right = text.program(text.file.read_text(encoding="utf-8"))
    spec = Spec.simple(3, 5, 2, cell=cell)
    like = Case(spec, np.zeros((1, 1, 3)), weights=[np.zeros(shape) for shape in spec.weight_shapes.values()])
    assert caught(right, like) is None
    row = Row()
    for i in np.random.default_rng(1).permutation(len(every)):
        what, text = every[i]
        if row.mutants == most:
            break
        try:
            run = start(text)
            found = caught(run, like)
        except Exception:
            row.raised += 1
            continue
        row.mutants += 1
        if found is None:
            row.alive.append(what)
            continue
        row.caught += 1
        case, answer = found
        facts, again = (probe(run, case, seconds=PROBED, seed=seed) for seed in (1, 60))
        named = diagnose(case, answer, run=run).explanations[:1] if with_names else ()
        name_ = named[0].name if named else None
        row.named += name_ is not None
        row.false += [f"{what}: named {each.name}" for each in named if not holds(each.mistakes, run, like)]
        problem = judge(case, answer).place is None  # no answer of the right shape, which is told by a sentence
        known = specific(facts)
        row.said += [f"{what}: {', '.join([*filter(None, [name_]), *facts])}"]
        row.told += bool(known) or name_ is not None or problem
        row.doubtful += [f"{what}: {fact}" for fact in facts if plain(fact) not in set(map(plain, again))]
        if not known and name_ is None and not problem:
            row.untold.append(f"{what}: {facts}")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=60, help="mutants of each port that answer")
    parser.add_argument("--names", action="store_true", help="diagnose each as well, which takes longer")
    parser.add_argument("--show", action="store_true", help="print what nothing was told of, and what is doubtful")
    parser.add_argument("--all", action="store_true", help="print what is told of each")
    known = [*PORTS, *(name for name, source in mutants_of_text.SOURCES.items() if not mutants_of_text.missing(source))]
    parser.add_argument("ports", nargs="*", help=f"some of {', '.join(known)}; all if left out")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, NumPy {np.__version__}")
    print(
        f"{'port':16} {'raise':>6} {'answer':>7} {'caught':>7} {'named':>6} {'false':>6} {'told':>5} {'doubtful':>9} "
        f"{'alive':>6}  s"
    )
    for name in options.ports or known:
        began = time.perf_counter()
        row = measure(name, options.most, options.names)
        seconds = time.perf_counter() - began
        named, false = (str(row.named), str(len(row.false))) if options.names else ("-", "-")
        print(
            f"{name:16} {row.raised:6} {row.mutants:7} {row.caught:7} {named:>6} {false:>6} {row.told:5} "
            f"{len(row.doubtful):9} {len(row.alive):6}  {seconds:.0f}",
            flush=True,
        )
        for what in row.alive:
            print(f"    alive     {what}")
        for what in row.said if options.all else ():
            print(f"    said      {what}")
        if options.show:
            for label, lines in (("untold", row.untold), ("doubtful", row.doubtful), ("false", row.false)):
                for line in lines:
                    print(f"    {label:9} {line}")


if __name__ == "__main__":
    main()
