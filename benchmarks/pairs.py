"""Two mistakes at once: what is told of every pair of a sample of mistakes, and whether it is true.

    python benchmarks/pairs.py [--mistakes 16] [--seed 0] [--cell LSTM]

Mistakes are drawn from the catalogue, of as many groups as there are; each pair is made on purpose in a port that shows
its last output. A name is true where the port computes what the named mistakes make of other cases too. What is probed
is probed again with other numbers; a sentence that does not come again is doubtful. A pair of which one mistake undoes
the other, or hides it, is left out.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
from mutants import PROBED, plain, specific

from pytest_rnnequiv import Case, Spec, judge
from pytest_rnnequiv.judging.observing import observe
from pytest_rnnequiv.mistakes.asked import probe_case
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, GROUPS, Mistake
from pytest_rnnequiv.mistakes.diagnosis import explain
from pytest_rnnequiv.mistakes.probes import probe
from pytest_rnnequiv.suite.selfcheck import shows_in_plain

Run = Callable[[Case], Any]

#: Groups of which a mistake is told by its digits, or makes answers without numbers.
LEFT_OUT = ("numbers",)


def sample(count: int, like: Case, seed: int) -> list[Mistake]:
    """Draw mistakes that show in the notebook's model, from each group in its turn."""
    rng = np.random.default_rng(seed)
    shown = [m for m in CATALOGUE if m.group not in LEFT_OUT and m(like) is not None and shows_in_plain(m)]
    if len(like.spec.cell.gates) > 1:
        shown += [m for m in CATALOGUE if m.group == "gates" and m(like) is not None and m not in shown]
    by_group = [[m for m in shown if m.group == group] for group in GROUPS]
    for each in by_group:
        rng.shuffle(each)  # type: ignore[arg-type]  # a list of objects
    turns = (m for k in range(len(shown)) for each in by_group for m in each[k : k + 1])
    return [m for m, _ in zip(turns, range(count), strict=False)]


def both(a: Mistake, b: Mistake) -> Run:
    """Return a port that makes two mistakes, one in what the other makes of a case, and shows its last output."""

    def run(case: Case) -> Any:
        first = a(case) if a.wiring is b.wiring or not _wired(a) else case
        shown = (a if _wired(a) else b).run((b(case) if _wired(a) else first) or case)
        return last_of(shown.outputs)

    return run


def _wired(mistake: Mistake) -> bool:
    return type(mistake.wiring).__name__ != "Wiring" or mistake.head_only


def last_of(outputs: Any) -> Any:
    return np.asarray(outputs, np.float32)[:, -1] if np.ndim(outputs) == 3 else np.asarray(outputs, np.float32)


def others(like: Case) -> Iterator[Case]:
    for seed, sizes in ((30, {}), (31, {"N": 2, "T": 4, "D": 3, "M": 6, "K": 3}), (32, {"N": 4, "T": 3})):
        yield probe_case(like, seed, **sizes)  # type: ignore[arg-type]


def is_so(names: str, mistakes: tuple[Mistake, ...], run: Run, like: Case) -> bool:
    """Whether a port computes what mistakes make of other cases."""
    if len(mistakes) == 1:
        named: Run = lambda case: last_of(mistakes[0].run(case).outputs)  # noqa: E731
    else:
        named = both(mistakes[0], mistakes[1])
    return all(np.allclose(run(case), named(case), rtol=1e-3, atol=1e-4, equal_nan=True) for case in others(like))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mistakes", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cell", default="SimpleRNN")
    options = parser.parse_args()
    spec = Spec.simple(3, 5, 2, cell=options.cell)
    blank = Case(spec, np.zeros((1, 1, 3)), weights=[np.zeros(shape) for shape in spec.weight_shapes.values()])
    like = probe_case(blank)
    chosen = sample(options.mistakes, like, options.seed)
    print(f"{platform.platform()}, Python {platform.python_version()}, NumPy {np.__version__}; {options.cell}")
    print(f"{len(chosen)} mistakes: {', '.join(map(str, chosen))}")
    counted, began = Counter[str](), time.process_time()
    for a, b in combinations(chosen, 2):
        run = both(a, b)
        alone = [lambda case, m=m: last_of(m.run(case).outputs) for m in (a, b)]
        if any(np.allclose(run(like), each(like), atol=1e-6, equal_nan=True) for each in alone):
            counted["hidden"] += 1
            continue
        counted["pairs"] += 1
        if not judge(like, run(like)).different:
            print(f"missed: {a} + {b}")
            continue
        counted["caught"] += 1
        found = explain([observe(run, like)], run=run)
        facts, second = (probe(run, like, seconds=PROBED, seed=seed) for seed in (1, 60))
        again = set(map(plain, second))
        true = [e for e in found.explanations[:1] if is_so(e.name, e.mistakes, run, like)]
        if found.explanations and not true:
            counted["false"] += 1
            print(f"false: {a} + {b} is named {found.name}")
        if true:
            own = {a.name, b.name} & set(found.name.split(" + ") if found.name else ())
            counted[f"named by {['another name', 'one', 'both'][len(own)]}"] += 1
        elif specific(facts):
            counted["localised only"] += 1
        else:
            print(f"nothing told: {a} + {b}: {found}")
        for fact in facts:
            if plain(fact) not in again:
                counted["doubtful"] += 1
                print(f"doubtful: {a} + {b}: {fact}")
    print(", ".join(f"{what} {number}" for what, number in counted.items()))
    print(f"{time.process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
