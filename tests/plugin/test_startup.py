"""What the plugin costs those who do not use it: nothing that is worth mentioning."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

HEAVY = {
    "hypothesis",
    "jax",
    "keras",
    "matplotlib",
    "numpy",
    "onnxruntime",
    "pandas",
    "scipy",
    "tensorflow",
    "torch",
}

LIST_MODULES = """
    import json, pathlib, sys

    def pytest_unconfigure():
        pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


def imported(project: Project, *args: str) -> set[str]:
    """Return the modules that a run of pytest in a process of its own has imported when it ends."""
    project.write({"conftest.py": LIST_MODULES, "test_own.py": "def test_own(): pass"})
    # Other people's plugins may import what they like; Hypothesis's imports Hypothesis for its summary.
    others = ("-p", "no:hypothesispytest", "-p", "no:cov", "-p", "no:html", "-p", "no:metadata")
    result = project.pytester.runpytest_subprocess(*others, *args)
    assert result.ret == pytest.ExitCode.OK
    return set(json.loads((project.path / "modules.json").read_text(encoding="utf-8")))


def top_level(modules: set[str]) -> set[str]:
    """Return the packages that modules belong to."""
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("args", [[], ["--collect-only"], ["-o", "rnn_equiv_profile=quick"], ["--markers"]], ids=str)
def test_nothing_heavy_is_imported_without_the_flag(project: Project, args: list[str]) -> None:
    modules = imported(project, *args)
    assert not HEAVY & top_level(modules)
    assert {module for module in modules if module.startswith("pytest_rnnequiv")} <= {
        "pytest_rnnequiv",
        "pytest_rnnequiv.plugin.fixtures",
        "pytest_rnnequiv.plugin",
        "pytest_rnnequiv.plugin.report",
        "pytest_rnnequiv.plugin.settings",
        "pytest_rnnequiv.run_state",
    }


def test_nothing_is_imported_that_pytest_does_not_import(project: Project) -> None:
    without = imported(project, "-p", "no:rnn_equiv")
    added = {module for module in imported(project) - without if not module.startswith("pytest_rnnequiv")}
    assert not added


def test_the_flag_alone_loads_no_runtime(project: Project) -> None:
    modules = imported(project, "-p", "fake_plugin", "--rnn-equiv")
    assert "pytest_rnnequiv.plugin.collection" in modules
    assert not HEAVY & top_level(modules)


def test_fixtures_are_known(project: Project) -> None:
    result = project.run_apart("--fixtures")
    result.stdout.fnmatch_lines_random(["build_simple_rnn*", "rnn_implementation*"])


def test_the_package_itself_is_light(project: Project) -> None:
    source = "import json, sys; import pytest_rnnequiv; print(json.dumps(sorted(sys.modules)))"
    result = project.pytester.run(sys.executable, "-c", source)
    assert not HEAVY & top_level(set(json.loads(result.stdout.str())))
