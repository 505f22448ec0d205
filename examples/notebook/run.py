"""Run the code blocks of `notebook.md` and put what they print below them; `--check` only compares.

python run.py
python run.py --check
"""

import contextlib
import io
import math
import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("notebook.md")
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def refresh(page):
    """Return the page with the output of every block."""
    names = {"__name__": "notebook"}

    def run(match):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(match[1], PAGE.name, "exec"), names)
        output = "\n".join(line.rstrip() for line in printed.getvalue().splitlines())
        return f"```python\n{match[1]}```\n" + (f"\n```text\n{output}\n```\n" if output else "")

    return BLOCK.sub(run, page)


NUMBER = re.compile(r"(-?\d+\.\d+(?:e[+-]\d+)?)")


def same(old, new):
    """Whether two pages differ in the last digits of numbers at most, as they may from one machine to another."""
    texts, numbers = zip(*((NUMBER.split(page)[::2], NUMBER.findall(page)) for page in (old, new)), strict=True)
    return texts[0] == texts[1] and all(
        math.isclose(float(a), float(b), rel_tol=1e-2 if "e" in a else 1e-6) for a, b in zip(*numbers, strict=True)
    )


if __name__ == "__main__":
    old = PAGE.read_text(encoding="utf-8")
    new = refresh(old)
    if "--check" not in sys.argv:
        PAGE.write_text(new, encoding="utf-8")
    elif not same(old, new):
        sys.exit("notebook.md does not show what its code prints: run `python run.py`")
