"""Fill in what the code knows better: options, mistakes, what Keras is known to do otherwise (an mkdocs hook)."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import groupby
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest_rnnequiv
from pytest_rnnequiv import GRU, LSTM, RNN, Bidirectional, Dense, SimpleRNN, Spec
from pytest_rnnequiv.divergences import known, table
from pytest_rnnequiv.divergences.keras import DIVERGENCES, KERAS, UPCOMING, Divergence
from pytest_rnnequiv.failures.script import script
from pytest_rnnequiv.implementations.registry import BUILT_IN
from pytest_rnnequiv.mistakes.catalogue import CATALOGUE, Mistake
from pytest_rnnequiv.model.around import AROUND
from pytest_rnnequiv.plugin.listing import declared
from pytest_rnnequiv.plugin.report import summary_json
from pytest_rnnequiv.plugin.settings import Settings
from pytest_rnnequiv.suite.registry import PROFILES


def layers_around() -> str:
    """Return the layers that may stand round the recurrent ones."""
    return ", ".join(f"`{name}`" for name in sorted(AROUND))


def options() -> str:
    """Return the table of options: command line, ini twin, default, meaning."""
    rows = ["| option | ini | default | |", "|---|---|---|---|"]
    for option in fields(Settings):
        flag, metavar = option.metadata["flag"], option.metadata["metavar"]
        ini = flag.lstrip("-").replace("-", "_")
        default = {False: "off", (): "`keras`" if "impl" in flag else "none", None: "none"}.get(
            option.default, f"`{option.default}`"
        )
        ini = f"`{ini}`" if option.metadata["ini"] else ""
        rows.append(f"| `{flag}{' ' + metavar if metavar else ''}` | {ini} | {default} | {option.metadata['help']} |")
    return "\n".join(rows)


def profiles() -> str:
    """Return the table of profiles: how much each does, and when to use it."""
    when = {"quick": "while you type", "default": "about a minute in all", "thorough": "before a release"}
    rows = ["| profile | a check of share 1 may take | networks | longest sequence | |", "|---|---|---|---|---|"]
    rows += [f"| `{n}` | {p.seconds:g} s | {p.networks} | {p.longest} steps | {when[n]} |" for n, p in PROFILES.items()]
    return "\n".join(rows)


def mistakes(catalogue: Sequence[Mistake] = CATALOGUE) -> str:
    """Return the catalogue, a table for each part that the mistakes are about."""
    parts = []
    for group, members in groupby(sorted(catalogue, key=lambda m: m.group), key=lambda m: m.group):
        parts += [f"## {group.capitalize()}", ""]
        parts += ["| mistake | it is the recurrence ... | how people come to make it |", "|---|---|---|"]
        parts += [f"| `{m.name}` | {m.says}{_siblings(m)} | {m.cause} |" for m in members]
        parts += [""]
    return "\n".join(parts)


def _siblings(mistake: Mistake) -> str:
    """Say how many more there are that differ in a number."""
    return f" (and {len(mistake.siblings)} more like it)" if mistake.siblings else ""


#: The first release on which divergences were tried.
FIRST = min((each.since for each in DIVERGENCES), key=table.ordered)


def divergences() -> str:
    """Return every known divergence of Keras, those that give wrong values first."""
    parts = []
    for silent, members in groupby(DIVERGENCES, key=lambda each: each.silent):
        title = "Wrong values, without a word" if silent else "Exceptions"
        parts += [f"## {title}", *map(divergence, members)]
    return "\n\n".join([*parts, "## Coming", UPCOMING])


def divergence(each: Divergence) -> str:
    """Return one known divergence, and what shows it."""
    if each.until:
        facts = [f"Keras {each.since}; right since {each.until}"]
    else:
        facts = ["Every release that we tried" if each.since == FIRST else f"Since Keras {each.since}"]
    if each.runtimes != KERAS:
        facts.append("only " + " and ".join(f"`{way}`" for way in each.runtimes))
    facts.append(f"reported: <{each.report}>" if each.report else "not reported when we looked")
    return "\n".join(
        [
            f"### {each.name}",
            "",
            f"{_sentence(each.says)}.",
            "",
            f"*Instead:* {each.instead}.",
            "",
            f"{'; '.join(facts)}.",
            "",
            "```python",
            shown_by(each).rstrip(),
            "```",
        ]
    )


def shown_by(each: Divergence) -> str:
    """Return a script that shows a divergence, with Keras and NumPy only."""
    if each.demonstration is None:
        assert each.smallest is not None
        return script(each.smallest())
    body = _body(each.demonstration)
    helpers = (table.adding, table.expect, table.as_list)
    used = [inspect.getsource(helper) for helper in helpers if f"{helper.__name__}(" in body]
    text = "\n\n".join(["import keras\nimport numpy as np\n", *used, body])
    # without what is meant for our own tools
    text = re.sub(r" +# (type: ignore|noqa).*", "", text)
    return re.sub(r"^ *def .*", lambda line: _plain(line[0]), text, flags=re.MULTILINE)


def _plain(line: str) -> str:
    """Return the line of a ``def`` without its annotations."""
    line = re.sub(r"(: (Any|bool|int|object|str)| -> \w+)\b", "", line)
    return line.replace(" = ", "=")


def _sentence(says: str) -> str:
    """Begin with a capital, unless the first word is a name."""
    return says[0].upper() + says[1:] if says.split()[0] in ("a", "an", "the") else says


def _body(function: Callable[..., Any]) -> str:
    """Return what stands in a function, as it would stand in a script."""
    source = inspect.getsource(inspect.unwrap(function))
    return dedent(source[source.index("-> None:\n") + len("-> None:\n") :])


def runtimes() -> str:
    """Return the table of the runtimes beside Keras: what installs each, and what it can be asked."""
    rows = ["| name | install | cells | activations | options |", "|---|---|---|---|---|"]
    for runtime in BUILT_IN.values():
        if runtime.isolated:
            supports = declared(runtime)
            cells = ", ".join(f"`{cell}`" for cell in supports.cells)
            functions = ", ".join(f"`{name}`" for name in supports.activations)
            options = ", ".join(f"`{option}`" for option in supports.options)
            rows.append(f"| `{runtime.name}` | `{runtime.install}` | {cells} | {functions} | {options} |")
    return "\n".join(rows)


def runtime_divergences() -> str:
    """Return the table of the known divergences of runtimes beside Keras, wrong values first."""
    rows = ["| runtime | name | what happens | instead | seen in |", "|---|---|---|---|---|"]
    others = [each for each in known.DIVERGENCES if each not in DIVERGENCES]
    for each in sorted(others, key=lambda each: (not each.silent, each.library)):
        ways = ", ".join(f"`{way}`" for way in each.runtimes)
        until = f", right since {each.until}" if each.until else ""
        heard = "" if each.silent else " (an exception)" if each.shown else " (the process ends)"
        rows.append(
            f"| {ways} | {each.name} | {_sentence(each.says)}{heard}. | {each.instead}. | {each.library} "
            f"{each.since}{until} |"
        )
    return "\n".join(rows)


def all_divergences() -> str:
    """Return all divergences that are known, by library and version."""
    rows = ["| library | name | what happens | how | seen in | where |", "|---|---|---|---|---|---|"]
    for each in sorted(known.DIVERGENCES, key=lambda each: (each.library, not each.silent)):
        heard = "silent" if each.silent else "raises" if each.shown else "ends the process"
        until = f", right since {each.until}" if each.until else ""
        since = f"from {each.since} on{until}"
        ways = ", ".join(f"`{way}`" for way in each.runtimes)
        rows.append(f"| {each.library} | `{each.name}` | {_sentence(each.says)} | {heard} | {since} | {ways} |")
    return "\n".join(rows)


#: Layers, the formula that tells how many weights they have, and specs that show it.
LAWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("`SimpleRNN(M)`", "M*(F + M + b)", ("SimpleRNN(5)", "SimpleRNN(5, use_bias=False)")),
    ("`GRU(M)`", "3*M*(F + M + 2*b)", ("GRU(5)", "GRU(5, use_bias=False)")),
    ("`GRU(M, reset_after=False)`", "3*M*(F + M + b)", ("GRU(5, reset_after=False)",)),
    ("`LSTM(M)`", "4*M*(F + M + b)", ("LSTM(5)", "LSTM(5, use_bias=False)")),
    ("`RNN((M, L))`, stacked cells", "M*(F + M + b) + L*(M + L + b)", ("RNN((5, 4))",)),
    ("`Bidirectional(SimpleRNN(M))`", "2*M*(F + M + b)", ("Bidirectional(SimpleRNN(5))",)),
    ("a head, `Dense(K)`, on `M` units", "M*(F + M + b) + K*(M + b)", ("SimpleRNN(5), head=Dense(2)",)),
)


def parameter_laws() -> str:
    """Return the table of parameter laws; each formula is evaluated, and has to give what a spec says.

    Raises
    ------
    ValueError
        If one does not.
    """
    known_names = {"GRU": GRU, "LSTM": LSTM, "RNN": RNN, "Bidirectional": Bidirectional, "SimpleRNN": SimpleRNN}
    known_names |= {"Dense": Dense, "Spec": Spec}
    rows = ["| layer | weights | for F=3, M=5, K=2, L=4 | as a `Spec` |", "|---|---|---|---|"]
    for layer, formula, specs in LAWS:
        for code in specs:
            written = f"Spec(3, ({code.replace(', head', ',), head')})" if "head" in code else f"Spec(3, ({code},))"
            counted = eval(written, dict(known_names)).param_count
            numbers = {"F": 3, "M": 5, "K": 2, "L": 4, "b": int("use_bias=False" not in code)}
            if eval(formula, numbers) != counted:
                raise ValueError(f"the parameter law {formula} does not hold for {code}, which has {counted} weights")
            if code == specs[0]:
                rows.append(f"| {layer} | `{formula}` | {counted} | `{written}` |")
    return "\n".join(rows)


def summary_schema() -> str:
    """Return the schema of ``summary.json`` as tables, one for each object."""
    file = Path(summary_json.__file__).with_name("summary.schema.json")
    schema = json.loads(file.read_text(encoding="utf-8"))
    objects = [("The whole", schema), *((each["title"], each) for each in schema["$defs"].values() if "title" in each)]
    parts = []
    for title, each in objects:
        parts += [f"### {title[0].upper()}{title[1:]}", "", "| name | is | |", "|---|---|---|"]
        for name, what in each["properties"].items():
            optional = "" if name in each["required"] else " (where there is one)"
            parts.append(f"| `{name}` | {_kind(what)}{optional} | {what.get('description', '')} |")
        parts.append("")
    return "\n".join(parts)


def _kind(what: dict[str, Any]) -> str:
    """Say what a value of the schema is."""
    if "$ref" in what:
        return str(what["$ref"].rpartition("/")[2])
    if "const" in what:
        return f"`{json.dumps(what['const'])}`"
    if "enum" in what:
        return " or ".join(f"`{each}`" for each in what["enum"])
    if "anyOf" in what:
        return " or ".join(map(_kind, what["anyOf"]))
    if what["type"] == "array":
        return f"list of {_kind(what['items'])}"
    if isinstance(what.get("additionalProperties"), dict):
        return f"names to {_kind(what['additionalProperties'])}"
    return {"object": "object", "string": "text", "integer": "whole number"}.get(what["type"], what["type"])


def versions() -> str:
    """Return the lower bounds that the project states, and the versions that its tests run with there."""
    pinned = (Path(__file__).parents[1] / "constraints" / "oldest.txt").read_text(encoding="utf-8")
    lines = [line.split("==") for line in pinned.splitlines() if "==" in line]
    return "\n".join(
        ["| distribution | oldest |", "|---|---|", *(f"| {name} | {version} |" for name, version in lines)]
    )


def api() -> str:
    """Return the public names for mkdocstrings, which reads their docstrings."""
    homes = {name: f"pytest_rnnequiv.{home}.{name}" for name, home in pytest_rnnequiv._HOMES.items()}
    homes |= {name: f"pytest_rnnequiv.{home}" for name, home in pytest_rnnequiv._MODULES.items()}
    return "\n\n".join(f"## {name}\n\n::: {homes[name]}" for name in sorted(homes, key=str.lower))


_INCLUDED = re.compile(r'<!-- include (\S+?)(?: "(.+?)")? -->')
_PROJECT = "https://github.com/pytest-rnnequiv/pytest-rnnequiv/blob/main"


def _included(found: re.Match[str]) -> str:
    """Return a file of the project, or the section of it that has this heading; links lead where it is on the site."""
    text = (Path(__file__).parents[1] / found[1]).read_text(encoding="utf-8")
    if found[2]:
        heading = f"{found[2]}\n"
        level = heading.split()[0]
        text = re.split(rf"^{level} ", text[text.index(heading) + len(heading) :], flags=re.MULTILINE)[0]
    text = re.sub(r"\]\(docs/([\w-]+\.md)\)", r"](\1)", text)
    return re.sub(r"\]\((?!http|#)([\w-]+/[\w./-]+|[A-Z]+\.md)\)", rf"]({_PROJECT}/\1)", text)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers (mkdocs hook)."""
    generated: tuple[tuple[str, Callable[[], str]], ...] = (
        ("options", options),
        ("profiles", profiles),
        ("layers around", layers_around),
        ("mistakes", mistakes),
        ("divergences", divergences),
        ("runtimes", runtimes),
        ("runtime divergences", runtime_divergences),
        ("all divergences", all_divergences),
        ("parameter laws", parameter_laws),
        ("summary schema", summary_schema),
        ("versions", versions),
        ("api", api),
    )
    markdown = _INCLUDED.sub(_included, markdown)
    for marker, content in generated:
        if f"<!-- {marker} -->" in markdown:
            markdown = markdown.replace(f"<!-- {marker} -->", content())
    return markdown
