"""The suite as real pytest items: whatever one does with items works with them.

Most runs take place in this process with a light suite, see `conftest.Project`.
"""

from __future__ import annotations

import os
import xml.etree.ElementTree
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_rnnequiv.plugin.collection import selects_suite_only

if TYPE_CHECKING:
    from conftest import Project

OVERRIDE = """
    import pytest

    @pytest.fixture(scope="session")
    def rnn_implementation():
        return "mine"
"""


def run(project: Project, *args: str) -> dict[str, str]:
    """Run with the suite; return the outcomes by node id."""
    return project.outcomes("--rnn-equiv", *args)


@pytest.fixture
def plain(project: Project) -> Project:
    """A project with a test of its own."""
    project.write({"test_own.py": "def test_own(): pass"})
    return project


@pytest.fixture
def nested(project: Project) -> Project:
    """A project in which one directory checks an implementation of its own."""
    project.write(
        {
            "test_own.py": "def test_own(): pass",
            "sub/dir/conftest.py": OVERRIDE,
            "sub/dir/test_nested.py": "def test_nested(): pass",
            "sub/other/conftest.py": "",
            "sub/other/test_other.py": "def test_other(): pass",
        }
    )
    return project


class TestTheFlag:
    def test_nothing_is_added_without_it(self, plain: Project) -> None:
        assert plain.outcomes() == {"test_own.py::test_own": "passed"}

    def test_the_suite_follows_the_own_tests(self, plain: Project) -> None:
        expected = ["test_own.py::test_own", *plain.suite_ids]
        assert list(run(plain)) == expected

    def test_an_empty_directory_is_enough(self, project: Project) -> None:
        result = project.run("--rnn-equiv")
        assert result.ret == pytest.ExitCode.OK
        result.assert_outcomes(passed=5)

    def test_ini(self, plain: Project) -> None:
        plain.write({"pytest.ini": "[pytest]\nrnn_equiv = true"})
        plain.run().assert_outcomes(passed=6)
        plain.run("-o", "rnn_equiv=false").assert_outcomes(passed=1)

    def test_the_plugin_can_be_switched_off(self, plain: Project) -> None:
        plain.run("-p", "no:rnn_equiv").assert_outcomes(passed=1)


class TestSelection:
    @pytest.mark.parametrize(
        ("args", "number"),
        [
            ("-m|rnn_equiv", 5),
            ("-m|not rnn_equiv", 1),
            ("-k|parameter_law", 2),
            ("-k|graph", 1),
            ("-k|TestShapes or own", 3),
            ("--deselect|rnn_equiv.py::TestShapes", 4),
            ("--deselect|rnn_equiv.py::test_parameter_law[eager]", 5),
            ("--ignore|test_own.py", 5),
            ("--strict-markers", 6),
            ("-p|no:cacheprovider", 6),
            ("--import-mode=importlib", 6),
        ],
    )
    def test_options(self, plain: Project, args: str, number: int) -> None:
        assert list(run(plain, *args.split("|")).values()) == ["passed"] * number

    def test_strict_markers_in_an_own_test(self, project: Project) -> None:
        project.write({"test_own.py": "import pytest\n@pytest.mark.rnn_equiv\ndef test_own(): pass"})
        project.run("--strict-markers").assert_outcomes(passed=1)

    def test_maxfail(self, project: Project) -> None:
        project.write({"test_own.py": "def test_own(): assert False"})
        assert list(run(project, "-x")) == ["test_own.py::test_own"]

    def test_own_naming_rules_do_not_hide_the_suite(self, project: Project) -> None:
        project.write(
            {
                "pytest.ini": """
                    [pytest]
                    python_files = check_*.py
                    python_functions = check_*
                    python_classes = Check*
                """,
                "check_own.py": "def check_own(): pass\ndef test_not(): pass",
            }
        )
        assert list(run(project)) == ["check_own.py::check_own", *project.suite_ids]

    def test_a_check_is_collected_by_its_name_only(self, project: Project) -> None:
        project.write_suite(project.suite + "\nprivate_name = test_recurrence\n")
        assert project.ids() == list(project.suite_ids)

    def test_collect_only_lists_node_ids(self, plain: Project) -> None:
        assert plain.ids() == ["test_own.py::test_own", *plain.suite_ids]

    def test_collect_only_shows_a_tree(self, plain: Project) -> None:
        result = plain.run("--rnn-equiv", "--collect-only")
        result.stdout.fnmatch_lines(["*<RnnEquiv rnn-equiv>", "*<Suite rnn_equiv.py>", "*<Function test_recurrence>"])


class TestPlaces:
    def test_a_directory(self, project: Project) -> None:
        project.write({"a/test_a.py": "def test_a(): pass", "b/test_b.py": "def test_b(): pass"})
        expected = ["a/test_a.py::test_a", *project.suite_ids]
        assert list(run(project, "a", "--rootdir", ".")) == expected

    def test_testpaths(self, project: Project) -> None:
        project.write(
            {
                "pytest.ini": "[pytest]\ntestpaths = a",
                "a/test_a.py": "def test_a(): pass",
                "b/test_b.py": "def test_b(): pass",
            }
        )
        assert list(run(project)) == ["a/test_a.py::test_a", *project.suite_ids]

    def test_pyargs(self, project: Project) -> None:
        project.write({"package/__init__.py": "", "package/test_in.py": "def test_in(): pass"})
        project.pytester.syspathinsert()
        expected = ["package/test_in.py::test_in", *project.suite_ids]
        assert list(run(project, "--pyargs", "package")) == expected
        assert list(run(project, "--pyargs", "package.test_in", project.suite_ids[2])) == [
            "package/test_in.py::test_in",
            project.suite_ids[2],
        ]

    def test_a_virtual_environment_inside_the_project(self, plain: Project) -> None:
        plain.write({".venv/pyvenv.cfg": "", ".venv/lib/site-packages/fake_checks.py": plain.suite})
        plain.pytester.syspathinsert(plain.path / ".venv/lib/site-packages")
        assert list(run(plain)) == ["test_own.py::test_own", *plain.suite_ids]

    def test_a_foreign_root_directory(self, plain: Project, tmp_path: Path) -> None:
        rootdir = tmp_path / "elsewhere"
        rootdir.mkdir()
        found = run(plain, "--rootdir", str(rootdir))
        assert list(found)[1:] == list(plain.suite_ids)
        # As pytest prints it there, and as it stands in its reports.
        for file in (os.path.relpath(rootdir / "rnn_equiv.py", plain.path), "rnn_equiv.py"):
            result = plain.run("--rootdir", str(rootdir), f"{file}::test_recurrence")
            result.assert_outcomes(passed=1)

    def test_called_from_a_subdirectory(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        project.write({"pytest.ini": "[pytest]", "sub/conftest.py": "", "sub/test_sub.py": "def test_sub(): pass"})
        monkeypatch.chdir(project.path / "sub")
        assert list(run(project)) == ["sub/test_sub.py::test_sub", *project.suite_ids]
        project.run("../rnn_equiv.py::test_recurrence").assert_outcomes(passed=1)
        project.run("rnn_equiv.py::test_recurrence").assert_outcomes(passed=1)


class TestNodeIds:
    @pytest.mark.parametrize("number", range(5))
    def test_each_can_be_pasted_back(self, plain: Project, number: int) -> None:
        nodeid = plain.suite_ids[number]
        assert run(plain, nodeid) == {nodeid: "passed"}

    @pytest.mark.parametrize(
        ("args", "expected"),
        [
            ("rnn_equiv.py", slice(0, 5)),
            ("./rnn_equiv.py::test_recurrence", slice(2, 3)),
            ("rnn_equiv.py::test_parameter_law", slice(0, 2)),
            ("rnn_equiv.py::TestShapes", slice(3, 5)),
            ("rnn_equiv.py::test_parameter_law[eager]|rnn_equiv.py::TestShapes::test_last", slice(1, 4, 2)),
            ("rnn_equiv.py::TestShapes|rnn_equiv.py::TestShapes::test_last", slice(3, 5)),
        ],
    )
    def test_parts_and_several(self, plain: Project, args: str, expected: slice) -> None:
        assert list(run(plain, *args.split("|"))) == list(plain.suite_ids[expected])

    def test_beside_own_files(self, plain: Project) -> None:
        expected = ["test_own.py::test_own", "rnn_equiv.py::test_recurrence"]
        assert list(run(plain, "rnn_equiv.py::test_recurrence", "test_own.py")) == expected
        assert list(run(plain, *reversed(expected))) == expected

    def test_an_absolute_path(self, plain: Project) -> None:
        nodeid = "rnn_equiv.py::test_recurrence"
        assert list(run(plain, f"{plain.path}/{nodeid}")) == [nodeid]

    def test_one_asks_for_the_suite_without_the_flag(self, plain: Project) -> None:
        assert list(plain.outcomes("rnn_equiv.py::test_recurrence")) == ["rnn_equiv.py::test_recurrence"]

    def test_testpaths_do_not_come_back(self, plain: Project) -> None:
        plain.write({"pytest.ini": "[pytest]\ntestpaths = ."})
        assert list(run(plain, "rnn_equiv.py::test_recurrence")) == ["rnn_equiv.py::test_recurrence"]

    @pytest.mark.parametrize(
        "nodeid",
        [
            "rnn_equiv.py::test_nope",
            "rnn_equiv.py::test_parameter_law[nope]",
            "rnn_equiv.py::test_recurrence[graph]",
            "rnn_equiv.py::TestShapes::test_nope",
            "rnn_equiv.py::TestShapes::test_last::deeper",
        ],
    )
    def test_unknown(self, plain: Project, nodeid: str) -> None:
        result = plain.run("--rnn-equiv", nodeid, "rnn_equiv.py::test_recurrence")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: not found: {nodeid.replace('[', '[[]')} *"])

    def test_a_file_of_that_name_is_the_users(self, project: Project) -> None:
        project.write({"rnn_equiv.py": "def test_mine(): pass"})
        assert list(project.outcomes("rnn_equiv.py::test_mine")) == ["rnn_equiv.py::test_mine"]

    def test_no_such_directory(self, project: Project) -> None:
        result = project.run("--rnn-equiv", "nope/rnn_equiv.py::test_recurrence")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: file or directory not found: nope/rnn_equiv.py::test_recurrence"])


class TestLastFailed:
    @pytest.fixture
    def failing(self, project: Project) -> Project:
        """A project in which one own test and one check fail."""
        project.write({"test_a.py": "def test_fine(): pass", "test_own.py": "def test_own(): assert False"})
        project.write_suite(project.suite + "\n\ndef test_fails():\n    record(1, 'mine')\n    assert False\n")
        assert list(run(project).values()).count("failed") == 2
        return project

    def test_lf_runs_all_that_failed(self, failing: Project) -> None:
        expected = {"test_own.py::test_own": "failed", "rnn_equiv.py::test_fails": "failed"}
        assert run(failing, "--lf") == expected
        assert run(failing, "--lf") == expected

    def test_lf_when_only_the_check_fails(self, failing: Project) -> None:
        failing.write({"test_own.py": "def test_own(): assert True"})
        run(failing, "--lf")
        assert run(failing, "--lf") == {"rnn_equiv.py::test_fails": "failed"}

    def test_lf_when_only_the_own_test_fails(self, failing: Project) -> None:
        failing.write_suite(failing.suite.replace("assert False", "assert True"))
        run(failing, "--lf")
        assert run(failing, "--lf") == {"test_own.py::test_own": "failed"}

    def test_lf_with_a_node_id(self, failing: Project) -> None:
        assert run(failing, "--lf", "rnn_equiv.py::test_fails") == {"rnn_equiv.py::test_fails": "failed"}

    def test_ff_runs_what_failed_first(self, failing: Project) -> None:
        found = list(run(failing, "--ff"))
        assert len(found) == 8
        assert found[:2] == ["test_own.py::test_own", "rnn_equiv.py::test_fails"]


class TestOverrides:
    def test_in_the_root_conftest(self, project: Project) -> None:
        project.write({"conftest.py": OVERRIDE})
        result = project.run("--rnn-equiv")
        result.assert_outcomes(passed=5)
        result.stdout.fnmatch_lines(["mine *"])
        assert "keras-graph" not in result.stdout.str()
        project.run("rnn_equiv.py::test_recurrence").stdout.fnmatch_lines(["mine *"])

    def test_a_nested_one_gets_a_copy(self, nested: Project) -> None:
        copy = [f"sub/dir/{nodeid}" for nodeid in nested.suite_ids]
        own = [
            "sub/dir/test_nested.py::test_nested",
            "sub/other/test_other.py::test_other",
            "test_own.py::test_own",
        ]
        found = run(nested)
        assert sorted(found) == sorted([*own, *copy, *nested.suite_ids])
        assert set(found.values()) == {"passed"}

    def test_only_the_copy_sees_it(self, nested: Project) -> None:
        recorder = nested.pytester.inline_run("-p", "fake_plugin", "--rnn-equiv")
        checked = {
            report.nodeid: dict(report.user_properties)["rnn_equiv.implementation"]
            for report in recorder.getreports("pytest_runtest_logreport")
            if isinstance(report, pytest.TestReport) and report.when == "call" and report.user_properties
        }
        assert len(checked) == 10
        for nodeid, implementation in checked.items():
            assert (implementation == "mine") == nodeid.startswith("sub/dir/"), nodeid

    @pytest.mark.parametrize("decorated", ["name='rnn_implementation'", "scope='session', name='rnn_implementation'"])
    def test_under_another_function_name(self, project: Project, decorated: str) -> None:
        project.write({"sub/conftest.py": f"import pytest\n@pytest.fixture({decorated})\ndef mine(): return 'mine'"})
        assert len(project.ids()) == 10

    def test_what_only_looks_like_one(self, project: Project) -> None:
        project.write(
            {
                "sub/conftest.py": """
                    from unittest.mock import MagicMock, call
                    rnn_implementation = MagicMock()
                    anything = call
                """
            }
        )
        assert len(project.ids()) == 5

    def test_params_multiply_the_copy(self, project: Project) -> None:
        source = OVERRIDE.replace('"session"', '"session", params=["c", "rust"]')
        project.write({"sub/conftest.py": source})
        found = project.ids()
        assert "sub/rnn_equiv.py::test_recurrence[rust]" in found
        assert len(found) == 5 + 10
        assert list(run(project, "sub/rnn_equiv.py::test_recurrence[rust]")) == [
            "sub/rnn_equiv.py::test_recurrence[rust]"
        ]

    @pytest.mark.parametrize("number", range(5))
    def test_node_ids_of_the_copy(self, nested: Project, number: int) -> None:
        nodeid = f"sub/dir/{nested.suite_ids[number]}"
        assert run(nested, nodeid) == {nodeid: "passed"}

    def test_the_copy_as_a_whole(self, nested: Project) -> None:
        found = run(nested, "sub/dir/rnn_equiv.py")
        assert list(found) == [f"sub/dir/{nodeid}" for nodeid in nested.suite_ids]

    def test_node_ids_of_both(self, nested: Project) -> None:
        ids = [
            "sub/dir/rnn_equiv.py::test_recurrence",
            "rnn_equiv.py::test_recurrence",
            "test_own.py::test_own",
        ]
        assert sorted(run(nested, *ids)) == sorted(ids)

    def test_the_conftest_is_no_module_to_collect(self, nested: Project) -> None:
        # The last conftest that was imported is the one that `import conftest` gives.
        args = ("sub/dir/test_nested.py", "sub/other/test_other.py", "sub/dir/rnn_equiv.py::test_recurrence")
        assert len(run(nested, *args)) == 3

    def test_from_inside(self, nested: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        nested.write({"pytest.ini": "[pytest]"})
        monkeypatch.chdir(nested.path / "sub/dir")
        nodeid = "sub/dir/rnn_equiv.py::test_recurrence"
        assert list(run(nested, "rnn_equiv.py::test_recurrence")) == [nodeid]
        assert list(run(nested, "../../rnn_equiv.py::test_recurrence")) == ["rnn_equiv.py::test_recurrence"]

    def test_a_directory_that_has_a_copy(self, nested: Project) -> None:
        nested.write({"pytest.ini": "[pytest]"})
        found = list(run(nested, "sub/dir"))
        assert len(found) == 1 + 5 + 5
        assert "sub/dir/rnn_equiv.py::test_recurrence" in found

    def test_unknown_node_id(self, nested: Project) -> None:
        result = nested.run("--rnn-equiv", "sub/dir/rnn_equiv.py::test_nope")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result = nested.run("--rnn-equiv", "sub/rnn_equiv.py::test_recurrence")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: not found: sub/rnn_equiv.py::test_recurrence (there is no copy *"])

    def test_hooks_of_that_conftest_apply(self, project: Project) -> None:
        hook = "\n    def pytest_runtest_setup(item):\n        pytest.skip('by the hook')\n"
        project.write({"sub/conftest.py": OVERRIDE + hook})
        project.run("--rnn-equiv").assert_outcomes(passed=5, skipped=5)

    def test_autouse_fixtures_of_that_conftest_apply(self, project: Project) -> None:
        fixture = "\n    @pytest.fixture(autouse=True)\n    def never():\n        pytest.skip('by the fixture')\n"
        project.write({"sub/conftest.py": OVERRIDE + fixture})
        project.run("--rnn-equiv").assert_outcomes(passed=5, skipped=5)

    def test_last_failed_in_a_copy(self, project: Project) -> None:
        project.write({"sub/conftest.py": OVERRIDE, "sub/test_a.py": "def test_a(): assert False"})
        check = "\n\ndef test_fails(rnn_implementation):\n    record(1, '')\n    assert rnn_implementation != 'mine'\n"
        project.write_suite(project.suite + check)
        failed = {"sub/test_a.py::test_a": "failed", "sub/rnn_equiv.py::test_fails": "failed"}
        assert run(project).items() >= failed.items()
        assert run(project, "--lf") == failed

    def test_two_copies_and_fixtures_of_the_suite(self, project: Project) -> None:
        project.write({"a/conftest.py": OVERRIDE, "b/conftest.py": OVERRIDE})
        project.write_suite(
            """if True:
                import pytest
                from pytest_rnnequiv import tally

                def configure(profile, selfcheck):
                    pass

                @pytest.fixture
                def of_the_suite():
                    return 1

                def test_uses_it(of_the_suite):
                    tally.current().count()
            """
        )
        project.run("--rnn-equiv").assert_outcomes(passed=3)

    def test_a_foreign_root_directory(self, nested: Project, tmp_path: Path) -> None:
        rootdir = tmp_path / "elsewhere"
        rootdir.mkdir()
        found = run(nested, "--rootdir", str(rootdir))
        copies = [nodeid for nodeid in found if nodeid.endswith("sub/dir/rnn_equiv.py::test_recurrence")]
        assert len(copies) == 1
        assert list(run(nested, "--rootdir", str(rootdir), *copies)) == copies


class TestReports:
    def test_junit(self, plain: Project) -> None:
        project = plain
        project.run("--rnn-equiv", "--junitxml=out.xml")
        cases = xml.etree.ElementTree.parse(project.path / "out.xml").getroot().findall(".//testcase")
        assert len(cases) == 6
        found = {
            (case.get("classname"), case.get("name")): {
                entry.get("name"): entry.get("value") for entry in case.findall("./properties/property")
            }
            for case in cases
        }
        properties = found["rnn_equiv.TestShapes", "test_last"]
        assert properties["rnn_equiv.check"] == "TestShapes.last"
        assert properties["rnn_equiv.cases"] == properties["rnn_equiv.way.induction"] == "1"
        assert properties["rnn_equiv.version.fakeruntime"] == "1.2.3"
        assert found["test_own", "test_own"] == {}

    def test_verbose_lines_bear_the_node_id_alone(self, plain: Project) -> None:
        for verbosity in ("-v", "-vv"):  # pytest 9 tells of other places with -vv only
            result = plain.run("--rnn-equiv", verbosity)
            result.stdout.re_match_lines([r"rnn_equiv\.py::test_recurrence PASSED +\["])

    def test_a_suite_that_cannot_be_imported(self, plain: Project) -> None:
        plain.write_suite("import module_that_is_missing")
        for args in ([], ["rnn_equiv.py::test_recurrence"]):
            result = plain.run("--rnn-equiv", *args)
            assert result.ret == pytest.ExitCode.INTERRUPTED
            result.stdout.fnmatch_lines(["*module_that_is_missing*", "ERROR rnn_equiv.py*"])

    def test_the_suite_is_configured_once(self, plain: Project) -> None:
        plain.write({"sub/conftest.py": OVERRIDE})
        plain.write_suite(
            """if True:
                from pytest_rnnequiv import tally
                seen = []

                def configure(profile, selfcheck):
                    seen.append((profile, selfcheck))

                def test_profile():
                    tally.current().count()
                    assert seen == [("quick", True)]
            """
        )
        plain.run("--rnn-equiv-selfcheck", "--rnn-equiv-profile=quick").assert_outcomes(passed=3)


class TestXdist:
    def test_same_ids_and_one_summary(self, nested: Project) -> None:
        pytest.importorskip("xdist")
        alone = run(nested)
        result = nested.run_apart("--rnn-equiv", "-n2", "-v")
        result.assert_outcomes(passed=13)
        lines = [line.split() for line in result.outlines]
        assert sorted(line[-1] for line in lines if "PASSED" in line) == sorted(alone)
        assert sum("rnn-equiv:" in line for line in lines) == 1
        assert sum("rnn-equiv" in line and line[0].startswith("==") for line in lines) == 1
        result.stdout.fnmatch_lines(["mine *18 *18 *", "total *36 *36 *"])

    def test_node_ids(self, nested: Project) -> None:
        pytest.importorskip("xdist")
        args = ("rnn_equiv.py::test_recurrence", "sub/dir/rnn_equiv.py::TestShapes", "test_own.py")
        nested.run_apart("-n2", *args).assert_outcomes(passed=4)


class TestTheSuiteAlone:
    """Where the marks select none of the project's own tests, they are not even imported."""

    @pytest.fixture
    def many(self, project: Project) -> Project:
        """A project whose tests take note of being imported, and one of whose folders has a port."""
        note = "import pathlib; pathlib.Path(__file__).with_suffix('.seen').touch()\ndef test_own(): pass"
        project.write(
            {
                "pytest.ini": "[pytest]\ntestpaths = tests\nmarkers = slow",
                "tests/test_own.py": note,
                "tests/package/__init__.py": "",
                "tests/package/test_inner.py": note,
                "tests/port/conftest.py": OVERRIDE,
            }
        )
        return project

    @pytest.mark.parametrize(
        "expression", ["rnn_equiv", " (rnn_equiv)", "rnn_equiv and not slow", "slow and rnn_equiv"]
    )
    def test_own_files_are_left_alone(self, many: Project, expression: str) -> None:
        result = many.run("--rnn-equiv", "-m", expression)
        assert not list(many.path.rglob("*.seen"))
        if not expression.startswith("slow"):
            result.assert_outcomes(passed=10)  # the copy in the folder of the port is there

    @pytest.mark.parametrize("expression", ["not slow", "rnn_equiv or slow", "not rnn_equiv", ""])
    def test_else_they_are_collected(self, many: Project, expression: str) -> None:
        many.run("--rnn-equiv", "-m", expression, "--collect-only")
        assert len(list(many.path.rglob("*.seen"))) == 2

    def test_a_file_that_is_named_is_collected(self, many: Project) -> None:
        many.run("--rnn-equiv", "-m", "rnn_equiv", "tests/test_own.py", "--collect-only")
        assert [path.stem for path in many.path.rglob("*.seen")] == ["test_own"]

    @pytest.mark.parametrize(
        ("expression", "alone"),
        [
            ("rnn_equiv", True),
            ("a and rnn_equiv and b", True),
            ("not not rnn_equiv", True),
            ("rnn_equiv and (a or not b)", True),
            ("(rnn_equiv and a) or (rnn_equiv and b)", True),
            ("rnn_equiv or a", False),
            ("not (rnn_equiv and a)", False),
            ("not rnn_equiv", False),
            ("rnn_equiv_too", False),
            ("a(x=1) and rnn_equiv", True),
            ("a(x=1) or rnn_equiv", False),
            ("rnn_equiv and", False),
            ("", False),
        ],
    )
    def test_what_an_expression_selects(self, expression: str, alone: bool) -> None:
        assert selects_suite_only(expression) is alone


class TestFromAnotherFolder:
    """The port is checked, wherever pytest is called: never Keras in its place."""

    @pytest.mark.parametrize("how", ["--rootdir|{}", "-c|{}/pytest.ini"])
    @pytest.mark.parametrize("rest", ["rnn_equiv.py::test_recurrence", "-k|recurrence"])
    def test_the_conftest_at_the_root_is_loaded(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, rest: str
    ) -> None:
        project.write({"conftest.py": OVERRIDE, "pytest.ini": "[pytest]"})
        monkeypatch.chdir(tmp_path)
        result = project.run("--rnn-equiv", *how.format(project.path).split("|"), *rest.split("|"))
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["rnn-equiv: rnn_implementation; *", "mine *"])

    @pytest.mark.parametrize("absolute", [False, True])
    def test_the_conftest_of_a_foreign_root(self, project: Project, tmp_path: Path, absolute: bool) -> None:
        project.write({"conftest.py": OVERRIDE})
        nodeid = "rnn_equiv.py::test_recurrence"
        result = project.run("--rootdir", str(tmp_path), f"{project.path}/{nodeid}" if absolute else nodeid)
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["mine *"])

    def test_where_no_conftest_is_wanted(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.write({"conftest.py": OVERRIDE})
        monkeypatch.chdir(tmp_path)
        result = project.run("--rnn-equiv", "--rootdir", str(project.path), "--noconftest")
        result.assert_outcomes(passed=5)
