"""The options: from the command line, from the ini file, and what becomes of nonsense."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis.core
import pytest

from pytest_rnnequiv.implementations.errors import ImplementationError
from pytest_rnnequiv.implementations.registry import check_available, importable
from pytest_rnnequiv.plugin.settings import Settings, SourceFile, _implementation, _placed, settings

if TYPE_CHECKING:
    from conftest import Project


def parse(pytester: pytest.Pytester, *args: str, ini: str = "") -> Settings:
    """Return what pytest makes of the arguments and the ini file."""
    if ini:
        pytester.makeini(f"[pytest]\n{ini}")
    return settings(pytester.parseconfig(*args))


def test_defaults(pytester: pytest.Pytester) -> None:
    assert vars(parse(pytester)) == vars(Settings())


@pytest.mark.parametrize(
    ("args", "ini", "name", "value"),
    [
        (["--rnn-equiv"], "rnn_equiv = true", "enabled", True),
        (["--rnn-equiv-profile=quick"], "rnn_equiv_profile = quick", "profile", "quick"),
        (["--rnn-equiv-require-impl"], "rnn_equiv_require_impl = true", "require_implementation", True),
        (["--rnn-equiv-selfcheck"], "rnn_equiv_selfcheck = yes", "selfcheck", True),
        (
            ["--rnn-equiv-impl=keras", "--rnn-equiv-impl=port.py_rnn:run"],
            "rnn_equiv_impl =\n    keras\n    port.py_rnn:run",
            "implementations",
            ("keras", "port.py_rnn:run"),
        ),
        (["--rnn-equiv-least=60%"], "rnn_equiv_least = 0.6", "least", 0.6),
    ],
)
@pytest.mark.parametrize("way", ["command line", "ini file"])
def test_each_has_an_ini_twin(
    pytester: pytest.Pytester, args: list[str], ini: str, name: str, value: object, way: str
) -> None:
    found = parse(pytester, *args) if way == "command line" else parse(pytester, ini=ini)
    assert getattr(found, name) == value


def test_the_report_directory_is_relative_to_who_names_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = pytester.mkdir("below")
    pytester.makeini("[pytest]\nrnn_equiv_report = out")
    monkeypatch.chdir(below)
    assert parse(pytester, "--rnn-equiv-report=out").report == below / "out"
    assert parse(pytester).report == pytester.path / "out"
    assert parse(pytester, "--rnn-equiv-report=/out").report == Path("/out")


def test_the_command_line_wins(pytester: pytest.Pytester) -> None:
    ini = "rnn_equiv_profile = quick\nrnn_equiv_impl = keras"
    found = parse(pytester, "--rnn-equiv-profile=thorough", "--rnn-equiv-impl=onnx", ini=ini)
    assert (found.profile, found.implementations) == ("thorough", ("onnx",))


def test_selfcheck_implies_the_suite(pytester: pytest.Pytester) -> None:
    assert parse(pytester, "--rnn-equiv-selfcheck").enabled


@pytest.mark.parametrize("option", ["profile=quick", "impl=keras", "report=out", "known-failures=file"])
class TestWhatNamesWhatToCheck:
    """Asked for one thing, the plugin must not do nothing."""

    def test_it_implies_the_suite_on_the_command_line(self, pytester: pytest.Pytester, option: str) -> None:
        assert parse(pytester, f"--rnn-equiv-{option}").enabled

    def test_its_ini_value_does_not(self, pytester: pytest.Pytester, option: str) -> None:
        found = parse(pytester, ini=f"rnn_equiv_{option.replace('-', '_')}")
        assert not found.enabled
        assert vars(found) != vars(Settings())


def test_the_requirement_alone_does_not_imply_the_suite(pytester: pytest.Pytester) -> None:
    assert not parse(pytester, "--rnn-equiv-require-impl").enabled


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--rnn-equiv-profile=fast", "'fast' is not a profile; choose one of quick, default, thorough."),
        ("--rnn-equiv-impl=port:", "'port:' is neither the name of an implementation nor module:attribute."),
        ("--rnn-equiv-impl=:run", "':run' is neither the name of an implementation nor module:attribute."),
        ("--rnn-equiv-impl=", "'' is neither the name of an implementation nor module:attribute."),
        ("--rnn-equiv-report=", "the name of a directory is missing."),
        ("--rnn-equiv-least=most", "'most' is no share; give a number from 0 to 1, or a percentage such as 50%."),
        ("--rnn-equiv-least=60", "'60' is no share; give a number from 0 to 1, or a percentage such as 50%."),
    ],
)
def test_a_bad_value_is_a_usage_error(project: Project, argument: str, sentence: str) -> None:
    result = project.run("--rnn-equiv", argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [f"ERROR: {argument.partition('=')[0]}: {sentence}", ""]


@pytest.mark.parametrize(
    ("option", "meant"),
    [
        ("--rnn-equiv-profil=quick", "; did you mean '--rnn-equiv-profile'?"),
        ("--rnn-equiv=yes, please", ""),
        ("--rnn-equiv_impl", "; did you mean '--rnn-equiv-impl'?"),
    ],
)
def test_an_unknown_option_is_told_with_the_one_that_was_meant(project: Project, option: str, meant: str) -> None:
    result = project.run(option, "quick")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = f"ERROR: there is no option {option.partition('=')[0]}{meant}"
    assert (result.errlines[0] == told) is bool(meant), result.errlines


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("rnn_equiv_profile = fast", "'fast' is not a profile; choose one of quick, default, thorough."),
        ("rnn_equiv_impl = port:", "'port:' is neither the name of an implementation nor module:attribute."),
        ("rnn_equiv = perhaps", "invalid truth value 'perhaps'."),
    ],
)
def test_a_bad_ini_value_is_a_usage_error(project: Project, line: str, sentence: str) -> None:
    project.write({"pytest.ini": f"[pytest]\n{line}"})
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == [f"ERROR: ini value {line.partition(' ')[0]}: {sentence}", ""]


def test_help_works_in_spite_of_a_bad_ini_value(project: Project) -> None:
    project.write({"pytest.ini": "[pytest]\nrnn_equiv_profile = fast"})
    assert project.run("--help").ret == pytest.ExitCode.OK


def test_an_unknown_implementation_is_a_usage_error(project: Project) -> None:
    result = project.run("--rnn-equiv", "--rnn-equiv-impl=foreign")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    sentence = "ERROR: unknown implementation 'foreign': expected module:attribute or one of all, keras, keras-graph, "
    assert result.errlines[0].startswith(sentence)
    assert result.errlines[0].endswith(", or a model file (.keras, .h5, .hdf5, .onnx, .tflite)")
    assert "test session starts" not in result.stdout.str()


def test_a_module_without_an_attribute_is_told_what_is_missing(project: Project) -> None:
    project.write({"my_rnn.py": "def run(case): pass"})
    result = project.run("--rnn-equiv-impl=my_rnn")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        "ERROR: implementation 'my_rnn' is a module: say what in it is to be checked, as my_rnn:run does"
    )


def test_it_is_none_without_the_suite(project: Project) -> None:
    project.write({"test_own.py": "def test_own(): pass", "pytest.ini": "[pytest]\nrnn_equiv_impl = nope"})
    project.run().assert_outcomes(passed=1)
    assert project.run("--rnn-equiv").ret == pytest.ExitCode.USAGE_ERROR


def test_one_that_is_named_is_checked_without_the_flag(project: Project) -> None:
    project.write({"test_own.py": "def test_own(): pass"})
    project.run("--rnn-equiv-impl=numpy").assert_outcomes(passed=6)


def test_help_lists_every_option_and_ini_value(project: Project) -> None:
    text = project.run("--help").stdout.str()
    for option in fields(Settings):
        flag = option.metadata["flag"]
        assert f"  {flag} " in text or f"  {flag}=" in text or f"  {flag}\n" in text, flag
        twin = f"  {flag.lstrip('-').replace('-', '_')} (" in text
        assert twin is option.metadata["ini"], flag


class TestRequireImplementation:
    SENTENCE = "--rnn-equiv-require-impl: nothing but the default implementation (keras) was checked."

    def test_the_default_alone_fails_the_run(self, project: Project) -> None:
        result = project.run("--rnn-equiv", "--rnn-equiv-require-impl")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert project.unwrapped(result).count(self.SENTENCE) == 1
        result.assert_outcomes(passed=5)

    @pytest.mark.parametrize("args", [["-q"], ["-n2"]], ids=str)
    def test_however_it_runs(self, project: Project, args: list[str]) -> None:
        if "-n2" in args:
            pytest.importorskip("xdist")
        result = project.run_apart("--rnn-equiv", "--rnn-equiv-require-impl", *args)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert project.unwrapped(result).count(self.SENTENCE) == 1

    def test_an_override_is_enough(self, project: Project) -> None:
        source = "import pytest\n@pytest.fixture(scope='session')\ndef rnn_implementation(): return 'mine'"
        project.write({"sub/conftest.py": source})
        result = project.run("--rnn-equiv", "--rnn-equiv-require-impl")
        assert result.ret == pytest.ExitCode.OK
        assert self.SENTENCE not in project.unwrapped(result)

    def test_an_own_property_test_is_enough(self, project: Project) -> None:
        test = "def test_port():\n    from pytest_rnnequiv import tally\n    tally.current().count()"
        project.write({"test_port.py": test})
        assert project.run("--rnn-equiv", "--rnn-equiv-require-impl").ret == pytest.ExitCode.OK
        assert project.run("--rnn-equiv-require-impl").ret == pytest.ExitCode.OK

    def test_nothing_at_all_is_not(self, project: Project) -> None:
        project.write({"test_own.py": "def test_own(): pass"})
        result = project.run("--rnn-equiv-require-impl")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert self.SENTENCE in project.unwrapped(result)

    def test_a_failure_keeps_its_exit_status(self, project: Project) -> None:
        result = project.run("--rnn-equiv", "--rnn-equiv-require-impl", "rnn_equiv.py::test_nope")
        assert result.ret == pytest.ExitCode.USAGE_ERROR

    def test_listing_is_not_running(self, project: Project) -> None:
        result = project.run("--rnn-equiv", "--rnn-equiv-require-impl", "--collect-only")
        assert result.ret == pytest.ExitCode.OK


class TestHypothesis:
    """Hypothesis's own options reach the checks."""

    SUITE = """if True:
        from hypothesis import given, settings, strategies as st
        from pytest_rnnequiv import tally

        def configure(profile, selfcheck):
            examples = round(settings.default.max_examples * {"quick": 0.1}.get(profile, 1))
            globals()["test_numbers"] = settings(
                max_examples=examples, database=None, derandomize=False  # as it is where CI is set
            )(test_numbers)

        @given(st.integers())
        def test_numbers(number):
            tally.current().count()
            NUMBERS.append(number)
            tally.current().notes[:] = [f"all: {hash(tuple(NUMBERS))}"]

        NUMBERS = []
    """

    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
        """Take back what a run in this process makes Hypothesis do."""
        monkeypatch.setattr(hypothesis.core, "global_force_seed", None)
        profile = hypothesis.settings._current_profile  # older ones have no function that tells it
        yield
        hypothesis.settings.load_profile(profile)

    def cases(self, project: Project, *args: str) -> tuple[int, str]:
        """Run the suite; return how many cases it took, and its note."""
        project.write_suite(self.SUITE)
        recorder = project.pytester.inline_run("-p", "fake_plugin", "--rnn-equiv", *args)
        recorder.assertoutcome(passed=1)
        (report,) = (
            report
            for report in recorder.getreports("pytest_runtest_logreport")
            if isinstance(report, pytest.TestReport) and report.when == "call"
        )
        properties = dict(report.user_properties)
        return int(str(properties["rnn_equiv.cases"])), str(properties["rnn_equiv.note"])

    def test_profile(self, project: Project) -> None:
        profile = "from hypothesis import settings; settings.register_profile('short', max_examples=40)"
        project.write({"conftest.py": profile})
        assert self.cases(project)[0] == 100
        assert self.cases(project, "--rnn-equiv-profile=quick")[0] == 10
        assert self.cases(project, "--hypothesis-profile=short")[0] == 40
        assert self.cases(project, "--hypothesis-profile=short", "--rnn-equiv-profile=quick")[0] == 4

    def test_seed(self, project: Project) -> None:
        one, again, other = (self.cases(project, f"--hypothesis-seed={seed}")[1] for seed in (1, 1, 2))
        assert one == again != other

    def test_statistics(self, project: Project) -> None:
        project.write_suite(self.SUITE)
        result = project.run("--rnn-equiv", "--hypothesis-show-statistics")
        result.stdout.fnmatch_lines(["rnn_equiv.py::test_numbers:", "*100 passing*"])


class TestFiles:
    """What is checked may be named as the file that it is in, or lie in the folder from which pytest is called."""

    PORT = "def run(case): ..."

    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take back what is put on the path."""
        monkeypatch.setattr(sys, "path", [*sys.path])

    def asked(self, project: Project, name: str) -> str:
        """Return what the header says is checked."""
        result = project.run_apart("--rnn-equiv-impl", name, "--collect-only")
        (line,) = (line for line in result.outlines if line.startswith("rnn-equiv:"))
        return line.removeprefix("rnn-equiv: ").removesuffix("; profile default")

    @pytest.mark.parametrize(
        ("name", "module"),
        [
            ("some_rnn:run", "some_rnn:run"),
            ("some_rnn.py:run", "some_rnn:run"),
            ("./sub/other_rnn.py:run", "other_rnn:run"),
            ("sub/package/inner/third_rnn.py:run", "package.inner.third_rnn:run"),
        ],
    )
    def test_they_are_found(self, project: Project, monkeypatch: pytest.MonkeyPatch, name: str, module: str) -> None:
        inside = ("sub/package/__init__.py", "sub/package/inner/__init__.py", "sub/package/inner/third_rnn.py")
        project.write(dict.fromkeys(("some_rnn.py", "sub/other_rnn.py", *inside), self.PORT))
        (found,) = importable_here(project, name)
        assert found == module
        assert find_spec(module.partition(":")[0]) is not None

    def test_in_plain_pytest(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONSAFEPATH", "1")  # else python -m pytest finds what pytest does not
        project.write({"some_rnn.py": self.PORT})
        assert self.asked(project, "some_rnn.py:run") == "some_rnn:run"

    def test_a_module_on_the_path_comes_before_the_folder(self, project: Project) -> None:
        project.write({"json.py": self.PORT})
        before = [*sys.path]
        assert importable_here(project, "json:loads") == ["json:loads"]
        assert sys.path == before

    def test_a_package_that_is_called_so(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        project.write({"lib/port/__init__.py": "", "lib/port/py.py": self.PORT})
        monkeypatch.syspath_prepend(project.path / "lib")
        assert importable_here(project, "port.py:run") == ["port.py:run"]

    def test_another_module_of_the_name_is_never_checked_in_its_place(self, project: Project) -> None:
        project.write({"sub/random.py": self.PORT})
        with pytest.raises(ImplementationError, match="another module is called 'random'; give the file another name"):
            importable_here(project, "sub/random.py:run")

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("nope.py:run", "there is no file *nope.py"),
            ("sub/nope.py:run", "there is no file *nope.py"),
            ("my-rnn.py:run", "*my-rnn.py cannot be imported: 'my-rnn' is not the name of a module"),
            (
                "some_rnn.py",
                "--rnn-equiv-impl: 'some_rnn.py' does not say what in that file is to be checked, as *:run *",
            ),
        ],
    )
    def test_what_is_not_there(self, project: Project, name: str, sentence: str) -> None:
        project.write({"my-rnn.py": self.PORT, "some_rnn.py": self.PORT})
        result = project.run("--rnn-equiv-impl", name)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {sentence}"])

    def test_a_drive_letter(self) -> None:
        """The last colon is the one before the attribute."""
        found = _implementation("C:\\ports\\my.py:run.inner")
        assert isinstance(found, SourceFile)
        assert str(found.path) == "C:\\ports\\my.py"
        assert found.attribute == "run.inner"

    def test_a_package_that_does_not_load_is_there(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is wrong with it is told when it is loaded, and is no crash at the start."""
        project.write({"broken_rnn/__init__.py": "raise RuntimeError('no licence')", "broken_rnn/a.py": self.PORT})
        monkeypatch.syspath_prepend(project.path)
        check_available(["broken_rnn.a:run"])


def importable_here(project: Project, name: str) -> list[str]:
    """Return what becomes of a name that is given on the command line."""
    parsed = _placed(_implementation(name), project.path)
    return [importable(parsed, [project.path])]
