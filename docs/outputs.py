"""Run what the pages say, and write what it prints into them.

    python docs/outputs.py [PAGE ...]

A page says in comments, which no reader sees, what is done in an empty folder, from top to bottom:

``<!-- write FILE -->``
    The code block below is that file.
``<!-- change FILE `OLD` `NEW` -->``
    In that file, OLD becomes NEW.
``<!-- copy PLACE -->``
    That file of the project, or the files of that folder, are copied.
``<!-- prepare COMMAND -->``
    A command is run, of which nobody wants to see what it prints.
``<!-- run COMMAND -->``
    The code block below is the command and what it prints. Lines in the comment that begin with ``from`` and ``to`` are
    regular expressions: what stands before the first line that has one, or behind the last line that has the other, is
    left out.

Needs Linux or macOS, and what the pages name: a C compiler, node, PyTorch, ONNX Runtime. Draws are seeded; how many
there are is a matter of time.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]

#: A comment that says what to do, and the code block below it, where it has one.
STEP = re.compile(
    r"^<!-- (?P<verb>write|change|copy|prepare|run) (?P<what>[^\n]*?)(?P<more>(?:\n[^\n]*?)*?)\s*-->\n"
    r"(?P<block>\n?```(?P<language>\w*)\n(?P<text>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """One thing that a page does."""

    verb: str
    what: str
    text: str = ""
    start: str = ""
    end: str = ""


def steps(page: str) -> Iterator[tuple[Step, re.Match[str]]]:
    """Yield what a page does, and where it says so."""
    for found in STEP.finditer(page):
        options = dict(line.split(None, 1) for line in found["more"].strip().splitlines())
        yield Step(found["verb"], found["what"].strip(), found["text"] or "", **_named(options)), found


def _named(options: dict[str, str]) -> dict[str, str]:
    return {{"from": "start", "to": "end"}[word]: text.strip() for word, text in options.items()}


def pages() -> list[Path]:
    """Return the pages that show what a command prints."""
    every = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
    return [page for page in every if "<!-- run " in page.read_text(encoding="utf-8")]


def renewed(page: str) -> str:
    """Return a page with what its commands print now."""
    parts, end = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step, found in steps(page):
            shown = done(step, folder)
            if shown is not None:
                block = found["block"]
                head = page[found.start() : found.start("block") if block else found.end()]
                parts += [page[end : found.start()], head, f"```\n{shown}```\n"]
                end = found.end()
    return "".join([*parts, page[end:]])


def done(step: Step, folder: Path) -> str | None:
    """Do one step; return what a reader is shown of it.

    Raises
    ------
    ValueError
        If a file that is to be changed has nothing to change.
    """
    if step.verb == "run":
        return shown(step, folder)
    if step.verb == "prepare":
        ran(step.what, folder).check_returncode()
    elif step.verb == "copy":
        place = PROJECT / step.what
        if place.is_file():
            shutil.copy(place, folder)
        else:
            left = shutil.ignore_patterns(".*", "__pycache__")  # what a run in the folder itself leaves behind
            shutil.copytree(place, folder, dirs_exist_ok=True, ignore=left)
    elif step.verb == "write":
        (folder / step.what).write_text(step.text, encoding="utf-8")
    else:
        name, old, new = re.fullmatch(r"(\S+) `(.*)` `(.*)`", step.what).groups()  # type: ignore[union-attr]
        file = folder / name
        before = file.read_text(encoding="utf-8")
        if old not in before:
            raise ValueError(f"{name} has no {old!r} to change")
        file.write_text(before.replace(old, new), encoding="utf-8")
    return None


def ran(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader does: in a terminal of 80 columns without colours."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_"))},
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTEST_ADDOPTS": "--hypothesis-seed=1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def shown(step: Step, folder: Path) -> str:
    """Run a command; return it as one types it, and what it printed.

    Raises
    ------
    ValueError
        If it came to an exception: no page is about one.
    """
    printed = ran(step.what, folder).stdout
    if "Traceback (most recent call last)" in printed:
        raise ValueError(f"{step.what}:\n{printed}")
    for place in (folder, folder.resolve()):
        printed = printed.replace(f"{place}{os.sep}", "")
    lines = cut([line.rstrip() for line in printed.splitlines()], step.start, step.end)
    return "\n".join([f"$ {step.what}", *lines]) + "\n"


def cut(lines: list[str], start: str, end: str) -> list[str]:
    """Leave out what stands before the first line that has `start`, and behind the last one that has `end`.

    Raises
    ------
    ValueError
        If no line has it: the output is another one than the page is about.
    """
    first, last = 0, len(lines)
    if start:
        first = next((i for i, line in enumerate(lines) if re.search(start, line)), -1)
    if end:
        last = next((i + 1 for i in reversed(range(len(lines))) if re.search(end, lines[i])), -1)
    if min(first, last) < 0 or first >= last:
        raise ValueError(f"nothing from {start!r} to {end!r} in:\n" + "\n".join(lines))
    return [*(["..."] if first else []), *lines[first:last], *(["..."] if last < len(lines) else [])]


def main() -> None:
    """Renew the pages that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="*", type=Path)
    for page in parser.parse_args().page or pages():
        before = page.read_text(encoding="utf-8")
        page.write_text(renewed(before), encoding="utf-8")
        print(f"{page}: {sum(step.verb == 'run' for step, _ in steps(before))} commands", flush=True)


if __name__ == "__main__":
    main()
