"""``report.html``: what came out, for people, in one file that needs no network.

Pictures, scripts and cases are in the file itself, so that it can be sent as it is. Charts are tables whose cells bear
their numbers: they can be read aloud, on a phone and in the dark, and need no script.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...failures.story import Story
from . import Ledger
from .directory import FAILURES
from .verdicts import WIDEST, advice, of_all

__all__ = ["text"]

#: Bytes of a file from which on it is named, and not put into the page.
_LARGEST = 2_000_000

#: The ends of the scale of errors, in powers of ten of the bound.
_SCALE = 3

#: What stands before a status, so that no colour is needed; the worst first.
_SYMBOLS = {"different": "✗", "failed": "!", "inconclusive": "?", "equivalent": "✓"}


@dataclass(frozen=True)
class _File:
    """Evidence of a failure."""

    name: str
    link: str
    """Where it is: beside the page, or in it."""
    text: str = ""


@dataclass(frozen=True)
class _Failure:
    """All failures of one reason."""

    heading: str
    lines: str
    advice: list[str]
    pictures: list[_File]
    described: str
    """The picture in words."""
    scripts: list[_File]
    cases: list[_File]
    checks: dict[str, int]


@dataclass(frozen=True)
class _Cell:
    """What a check came to on one implementation."""

    outcome: str
    error: str = ""
    share: float = 0.0
    """How much of the scale is filled, of which the bound is the middle."""
    over: bool = False
    title: str = ""


def text(ledger: Ledger, summary: dict[str, Any], directory: Path) -> str:
    """Return the page.

    Parameters
    ----------
    ledger : Ledger
    summary : dict
        What `summary_json.summary` has made of it.
    directory : Path
        Where the page will lie; it may link to what lies beside it.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    worst_first = list(_SYMBOLS).index
    implementations = dict(
        sorted(summary["implementations"].items(), key=lambda item: worst_first(item[1]["verdict"]["status"]))
    )
    checks = list(dict.fromkeys(check for each in implementations.values() for check in each["checks"]))
    return environment.get_template("report.html.jinja").render(
        summary=summary,
        implementations=implementations,
        symbols=_SYMBOLS,
        headline=_headline(summary),
        failures=_failures(ledger, directory),
        matrix={
            check: {label: _cell(each["checks"].get(check)) for label, each in implementations.items()}
            for check in checks
        },
        coverage={label: heat for label, each in implementations.items() if (heat := _heat(each["coverage"]))},
    )


def _headline(summary: dict[str, Any]) -> str:
    found = [each["verdict"]["status"] for each in summary["implementations"].values()]
    if not found:
        return "nothing was checked"
    counted = {status: found.count(status) for status in _SYMBOLS if status in found}
    if len(counted) == 1:
        (status,) = counted
        return status if len(found) == 1 else f"all {len(found)} {status}"
    return ", ".join(f"{number} {status}" for status, number in counted.items())


def _failures(ledger: Ledger, directory: Path) -> dict[str, list[_Failure]]:
    if not any(entry.accounts for entry in ledger.entries):
        return {}
    return {
        label: [_failure(story, directory, advice(ledger, label, found)) for story in found]
        for label, found in of_all(ledger).items()
    }


def _failure(story: Story, directory: Path, advice: list[str]) -> _Failure:
    # the smallest case is the one to read; a picture may lie beside another that has the same reason
    told = [story.smallest, *(each for each in story.told if each is not story.smallest)]
    files = [Path(name) for each in told for name in each.files]
    by_suffix = {suffix: [file for file in files if file.suffix == suffix][:1] for suffix in (".png", ".py", ".npz")}
    pictures, scripts, cases = ([_file(file, directory) for file in found] for found in by_suffix.values())
    rows = {label: text for label, text in told[0].account.rows if label in ("first broken", "got", "expected")}
    return _Failure(
        heading=story.says,
        lines="\n".join(story.lines(WIDEST)),
        advice=advice,
        pictures=[each for each in pictures if each.link],
        described="; ".join([told[0].account.called, *(f"{label} {text}" for label, text in rows.items())]),
        scripts=[each for each in scripts if each.text],
        cases=[each for each in cases if each.link],
        checks=story.checks,
    )


_KINDS = {".png": "image/png", ".py": "text/x-python", ".npz": "application/octet-stream"}


def _file(file: Path, directory: Path) -> _File:
    """Read a file of evidence, wherever pytest was when it named it."""
    place = directory / FAILURES / file.name
    try:
        content = place.read_bytes()
    except OSError:  # it could not be kept; the failure is told all the same
        return _File(file.name, "")
    if len(content) > _LARGEST:
        return _File(file.name, f"{FAILURES}/{file.name}")
    link = f"data:{_KINDS[file.suffix]};base64,{base64.b64encode(content).decode()}"
    return _File(file.name, link, content.decode("utf-8") if file.suffix == ".py" else "")


def _cell(check: dict[str, Any] | None) -> _Cell:
    if check is None:
        return _Cell("")
    if "cases" not in check:
        return _Cell(check["outcome"], title=check.get("reason", ""))
    worst = check["worst_error_over_bound"]
    ratio = math.inf if worst == "infinite" else float(worst)
    counted = f"{check['cases']} cases, {check['conclusive']} conclusive, {check['seconds']:.1f} s"
    if not ratio:
        return _Cell(check["outcome"], title=counted)
    power = _SCALE if math.isinf(ratio) else math.log10(ratio)
    share = (min(max(power, -_SCALE), _SCALE) + _SCALE) / (2 * _SCALE)
    shown = "∞" if math.isinf(ratio) else f"{ratio:.2g}"
    return _Cell(check["outcome"], shown, round(share, 3), ratio > 1, counted)


def _heat(coverage: dict[str, dict[str, int]]) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """Return the rows of a heat map: for each option the others, in how many cases they met, and how warm that is."""
    options = sorted({*coverage, *(two for row in coverage.values() for two in row)})
    most = max((cases for row in coverage.values() for cases in row.values()), default=0)
    return [(one, list(_row(one, options, coverage, most))) for one in options] if most else []


def _row(
    one: str, options: list[str], coverage: dict[str, dict[str, int]], most: int
) -> Iterator[tuple[str, int, float]]:
    for two in options:
        first, second = sorted((one, two))
        cases = coverage.get(first, {}).get(second)
        if cases is None:
            yield two, -1, 0.0  # these cannot come together
        else:
            yield two, cases, round(math.log1p(cases) / math.log1p(most), 2)
