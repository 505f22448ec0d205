"""What the runtimes cost, and whether they are right.

    python benchmarks/runtimes.py [--cases 400] [--seconds 60] [--write] [NAME ...]

For each runtime that is installed: seconds until it is loaded in its process; milliseconds for the first case of a
model (its conversion among them), for the same model with other weights, and for the same with other inputs only, the
medians over some models. Then networks of every pair of options that it declares are judged, `--cases` of them or as
many as `--seconds` allow: how many were inconclusive, how many different, and the worst error over its bound. Networks
that meet a known divergence are left out. `--write` puts the first columns into `docs/runtimes.md`, and judges nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median

from pytest_rnnequiv import Case, Spec
from pytest_rnnequiv.implementations.errors import Declined
from pytest_rnnequiv.implementations.port import Port
from pytest_rnnequiv.implementations.registry import BUILT_IN
from pytest_rnnequiv.implementations.resolving import resolve
from pytest_rnnequiv.strategies import generic_case
from pytest_rnnequiv.strategies.architectures import pool_members
from pytest_rnnequiv.suite.architectures import pool_for
from pytest_rnnequiv.suite.drawing import heeding, near, steer
from pytest_rnnequiv.suite.registry import NotThisOne, Opening


def costs(port: Port, models: int = 5) -> list[float]:
    """Milliseconds of a first case, of one with other weights, and of one with other inputs only."""
    columns: list[list[float]] = [[], [], []]
    N = near(port, "N", 2, 2)[0]
    for number in range(models):
        spec = Spec.simple(3, 5 + number, 2, cell=port.supports.kinds[0])
        first, weights = (generic_case(spec, N, 10, seed=seed) for seed in (1, 2))
        for column, case in zip(columns, (first, weights, weights.replace(x=2 * weights.x)), strict=True):
            began = time.perf_counter()
            port.run(case)
            column.append(1e3 * (time.perf_counter() - began))
    return list(map(median, columns))


def networks(port: Port, seed: int) -> Iterator[Case]:
    """Yield networks that the runtime declares, of every pair of options, without its known divergences."""
    arguments = pool_for(port)
    for number, spec in enumerate(pool_members(**arguments, seed=seed)):
        N, T = (near(port, letter, 1, most)[number % 2] for letter, most in (("N", 3), ("T", 9)))
        case = generic_case(spec, spec.N or N, spec.T or T, calls=2 if spec.stateful else 1, seed=100 * seed + number)
        case = heeding(case, port.supports)
        try:
            steer(port, Opening(), [case])
        except NotThisOne:
            continue
        if port.supports.accepts(case):
            yield case


def judged(port: Port, cases: int, seconds: float) -> tuple[int, int, list[str], float]:
    """Judge networks: how many, how many of them inconclusive, those that are different, the worst error over bound."""
    until, seed = time.monotonic() + seconds, 0
    count, inconclusive, worst, different = 0, 0, 0.0, list[str]()
    while count < cases and time.monotonic() < until:
        for case in networks(port, seed):
            if count >= cases or time.monotonic() > until:
                break
            try:
                verdict = port.observe(case).judge(port.precision)
            except Declined:
                continue
            except Exception as error:
                different.append(f"{case.spec}: {type(error).__name__}: {str(error)[:200]}")
                continue
            count += 1
            inconclusive += verdict.inconclusive
            if verdict.different:
                different.append(f"{case.spec}: {verdict}")
            elif not verdict.inconclusive:
                worst = max(worst, verdict.error_over_bound)
        seed += 1
    return count, inconclusive, different, worst


PAGE = Path(__file__).parents[1] / "docs" / "runtimes.md"


def write(rows: list[str]) -> None:
    """Put the table of costs into the page, between its marks."""
    made = f"Made on {date.today()}, on {platform.system()}, {platform.machine()}, {os.cpu_count()} processors."
    text = "\n".join(
        [
            "<!-- costs -->",
            "",
            "| runtime | versions | load, s | first case, ms | other weights, ms | other inputs, ms |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            made,
            "",
            "<!-- end of costs -->",
        ]
    )
    page = PAGE.read_text(encoding="utf-8")
    page, found = re.subn("<!-- costs -->.*<!-- end of costs -->", lambda _: text, page, flags=re.DOTALL)
    assert found == 1, f"{PAGE} has no place for it"
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    rows = []
    print("| runtime | versions | load, s | first case, ms | other weights, ms | other inputs, ms | cases | | worst |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in chosen.names or [name for name, runtime in BUILT_IN.items() if runtime.isolated]:
        runtime = BUILT_IN[name]
        if runtime.missing:
            print(f"| {name} | {runtime.absence} | | | | | | | |")
            continue
        began = time.perf_counter()
        port = resolve(name)
        load = time.perf_counter() - began
        first, weights, inputs = costs(port)
        versions = ", ".join(f"{library} {version}" for library, version in port.versions().items())
        row = f"| {name} | {versions} | {load:.1f} | {first:.1f} | {weights:.1f} | {inputs:.1f} |"
        if chosen.write:
            print(row, flush=True)
            rows.append(row)
            port.close()
            continue
        count, inconclusive, different, worst = judged(port, chosen.cases, chosen.seconds)
        found = f"{inconclusive} inconclusive, {len(different)} different"
        print(f"{row} {count} | {found} | {worst:.2f} |", flush=True)
        for each in different:
            print(f"    {each}")
        port.close()
    if chosen.write:
        write(rows)


if __name__ == "__main__":
    main()
