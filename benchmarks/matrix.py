"""Make docs/matrix.md: implementations by features, each cell from a run that this script makes.

    python benchmarks/matrix.py [--profile default] [NAME ...]

For each implementation that is installed, or those that are named, it runs ``pytest --rnn-equiv --rnn-equiv-impl NAME``
in an empty folder, and writes what its ``summary.json`` says. Several minutes each with the profile ``default``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from pytest_rnnequiv.divergences.known import DIVERGENCES
from pytest_rnnequiv.implementations.registry import BUILT_IN, absent
from pytest_rnnequiv.plugin.report.matrix import markdown

PAGE = Path(__file__).parents[1] / "docs" / "matrix.md"

HEAD = """# Implementations by features

What a run has shown of each implementation that comes with the plugin, by the features of the networks that it was
asked about. No cell is written by hand: `python benchmarks/matrix.py` runs the suite and writes this page. With `-v`,
`pytest --rnn-equiv` prints the same table of any run of several implementations (of one with `-vv`), and
`summary.json` has it under `features`.

"""


def ran(name: str, profile: str) -> dict[str, Any]:
    """Run the suite on one implementation: what its ``summary.json`` says."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rnn-equiv"]
        command += ["--rnn-equiv-impl", name, "--rnn-equiv-profile", profile, "--rnn-equiv-report", "report"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        file = Path(folder, "report", "summary.json")
        if not file.is_file():
            sys.exit(f"{name}: nothing came of {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--out", type=Path, default=PAGE)
    chosen = parser.parse_args()
    summaries = []
    for name in chosen.names or [name for name, runtime in BUILT_IN.items() if not runtime.missing]:
        summaries.append(ran(name, chosen.profile))
        for label, whole in summaries[-1]["implementations"].items():
            print(f"{label}: {whole['verdict']['sentence']}", flush=True)
        # after each, so that a run that is ended has shown something
        chosen.out.write_text(page(summaries, chosen.profile), encoding="utf-8")


def page(summaries: list[dict[str, Any]], profile: str) -> str:
    """Return the page of what the runs have shown."""
    shown = {label: whole for each in summaries for label, whole in each["implementations"].items()}
    matrix = {label: whole["features"] for label, whole in shown.items() if "features" in whole}
    versions = {library: version for whole in shown.values() for library, version in whole["versions"].items()}
    says = {each.name: f"{each.says}. Instead: {each.instead}." for each in DIVERGENCES}
    wrong = [whole["verdict"]["sentence"] for whole in shown.values() if whole["verdict"]["status"] != "equivalent"]
    with_versions = ", ".join(f"{library} {version}" for library, version in sorted(versions.items()))
    system = f"{platform.system()}, {platform.machine()}"
    made = f"Made on {date.today().isoformat()} with the profile `{profile}`, on {system}"
    not_here = [each.name for each in absent()]
    return "\n\n".join([HEAD + markdown(matrix, says, not_here), *wrong, f"{made}: {with_versions}.\n"])


if __name__ == "__main__":
    main()
