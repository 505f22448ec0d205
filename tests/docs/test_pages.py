"""The pages: what they show was printed by a command, and what can be generated is."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import sys
from dataclasses import fields
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import pytest_rnnequiv
from pytest_rnnequiv.plugin import Settings
from pytest_rnnequiv.plugin.report import summary_json

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.glob("*.md")) if DOCS.is_dir() else []

pytestmark = pytest.mark.skipif(not PAGES, reason="the pages are not here")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def outputs() -> ModuleType:
    return loaded("outputs")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return loaded("_generate")


@pytest.mark.parametrize("page", [*PAGES, PROJECT / "README.md"], ids=lambda page: page.name)
def test_no_output_is_typed_by_hand(page: Path, outputs: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    by_hand = outputs.STEP.sub("", text)
    assert not re.search(r"^```\w*\n\$ |^=+ .* =+$", by_hand, re.MULTILINE)
    for step, found in outputs.steps(text):
        if step.verb == "run":
            assert (found["text"] or "").startswith(f"$ {step.what}\n"), f"python docs/outputs.py {page.name}"


#: What may stand in a block beside what is run and written: commands, and formulas.
TYPED = re.compile(r"(pytest|pip|python|bash|nox|hypothesis) |\w+ += |h_t = |delta = ")


@pytest.mark.parametrize("page", [*PAGES, PROJECT / "README.md"], ids=lambda page: page.name)
def test_blocks_are_code_or_what_one_types(page: Path, outputs: ModuleType) -> None:
    """So that nothing is shown as printed which was not; and options, names and lines of examples are real."""
    text = page.read_text(encoding="utf-8")
    rest = outputs.STEP.sub("\n", text)
    flags = {each.metadata["flag"] for each in fields(Settings)}
    assert {*re.findall(r"--rnn-equiv[\w-]*", text)} <= flags
    for language, code in re.findall(r"^```(\w*)\n(.*?)^```$", rest, re.MULTILINE | re.DOTALL):
        assert language, code
    for block in re.findall(r"^\n((?:    .+\n)+)", re.sub(r"^```.*?^```$", "", rest, flags=re.M | re.S), re.MULTILINE):
        first = dedent(block).partition("\n")[0]
        assert TYPED.match(first) or first == KNOWN_FAILURE, block
    for code in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pytest_rnnequiv"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, each.name) for each in node.names), ast.unparse(node)
    for step, _ in outputs.steps(text):
        if step.verb == "copy" and step.text:
            copied = (PROJECT / step.what).read_text(encoding="utf-8")
            for line in step.text.splitlines():
                code = line.partition("  # ")[0].strip()
                assert code in copied or code.endswith("..."), line


#: An entry of a file.
KNOWN_FAILURE = "nan[firmware:Port]: the clamp in front of the table swallows NaN"


def test_a_page_is_what_its_commands_print(outputs: ModuleType) -> None:
    """A quick one; the others are as `python docs/outputs.py` left them."""
    page = (DOCS / "recorded.md").read_text(encoding="utf-8")
    assert page.count("<!-- run ") == 3
    assert outputs.renewed(page) == page


PAGE = """
<!-- write say.py -->
```python
print("one")
print("two")
print("three")
```

<!-- run python say.py
     from two
-->

Then
<!-- change say.py `two` `2` -->
<!-- prepare python -c "print(5)" -->
<!-- run python say.py
     to 2
-->
```
$ python something_else.py
old
```
"""


class TestOutputs:
    def test_steps_are_done_from_top_to_bottom(self, outputs: ModuleType) -> None:
        once = outputs.renewed(PAGE)
        assert "```\n$ python say.py\n...\ntwo\nthree\n```\n" in once
        assert "```\n$ python say.py\none\n2\n...\n```\n" in once
        assert "old" not in once
        assert outputs.renewed(once) == once

    @pytest.mark.parametrize(
        ("step", "problem"),
        [
            ("<!-- change say.py `five` `5` -->\n", "say.py has no 'five' to change"),
            ("<!-- run python -c 1/0 -->\n", "python -c 1/0:\nTraceback (most recent call last):"),
            ("<!-- run python say.py\n     from five\n-->\n", "nothing from 'five' to '' in:\none"),
        ],
    )
    def test_what_is_not_there_is_told(self, step: str, problem: str, outputs: ModuleType) -> None:
        with pytest.raises(ValueError, match=re.escape(problem)):
            outputs.renewed(PAGE[: PAGE.index("<!-- run")] + step)


def test_each_marker_is_replaced(generate: ModuleType, outputs: ModuleType) -> None:
    for page in PAGES:
        left = outputs.STEP.sub("", generate.on_page_markdown(page.read_text(encoding="utf-8")))
        left = re.sub(r"<!-- (end of )?(costs|card) -->", "", left)  # those of benchmarks/runtimes.py and gpu.py
        assert "<!-- " not in left, page.name


def test_navigation_has_every_page() -> None:
    named = re.findall(r": ([\w-]+\.md)$", (PROJECT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == [page.name for page in PAGES]


def test_a_wrong_parameter_law_is_found(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "| `GRU(M)` | `3*M*(F + M + 2*b)` | 150 |" in generate.parameter_laws()
    monkeypatch.setattr(generate, "LAWS", (("`GRU(M)`", "3*M*(F + M + b)", ("GRU(5)",)),))
    with pytest.raises(ValueError, match=r"does not hold for GRU\(5\), which has 150 weights"):
        generate.parameter_laws()


def test_all_public_names_are_described(generate: ModuleType) -> None:
    assert re.findall(r"^## (\w+)$", generate.api(), re.MULTILINE) == sorted(pytest_rnnequiv.__all__, key=str.lower)


def test_the_schema_describes_each_name(generate: ModuleType) -> None:
    for line in generate.summary_schema().splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|  |"), line
    schema = json.loads(Path(summary_json.__file__).with_name("summary.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["format"]["const"] == summary_json.FORMAT


def test_the_readme_has_the_two_commands() -> None:
    """Newcomers copy them, and so does whoever builds the project."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert "\n    pip install . && pytest --rnn-equiv -m rnn_equiv " in text
    assert '\n    pip install -e ".[test]" && pytest ' in text
    assert len(text.splitlines()) <= 80


def test_a_version_has_one_home() -> None:
    version = pytest_rnnequiv.__version__
    assert f"\nversion: {version}\n" in (PROJECT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
