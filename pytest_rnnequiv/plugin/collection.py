"""How the packaged suite becomes part of a run: as pytest items among all the others.

The suite has no file in the user's project. To add its installed path to the arguments would collect nothing
where the virtual environment lies inside the project, would mix up node ids, and would lose failures from
``--lf``. Instead two collectors are put into pytest's tree, beside the project's directories (or beside the
``conftest.py`` that overrides what is checked)::

    <Session>
      <Dir project>
        <Module test_own.py>
      <RnnEquiv rnn-equiv>           no file: --lf drops files that do not exist
        <Suite rnn_equiv.py>         a Module, so all that pytest knows about modules holds
          <Function test_parameter_law[keras-graph]>

The suite's node ids begin with ``rnn_equiv.py``, which pytest would look for on the disk when one comes back
on the command line. `SuiteCollection` takes those ids before pytest does.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from _pytest.fixtures import FixtureFunctionMarker, getfixturemarker

from pytest_rnnequiv import tally
from pytest_rnnequiv.plugin import GIVEN
from pytest_rnnequiv.plugin.settings import DEFAULT_IMPLEMENTATION, SUITE_FILE, Settings
from pytest_rnnequiv.wording import did_you_mean

__all__ = ["OVERRIDE", "SUITE_MODULE", "RnnEquiv", "Suite", "SuiteCollection", "SuiteId", "parse_suite_id"]

SUITE_MODULE = "pytest_rnnequiv.plugin.suite_items"
"""The module that holds the items, and a function ``configure(profile, selfcheck)`` that says what they do."""

OVERRIDE = "rnn_implementation"
"""The fixture by which a ``conftest.py`` says what to check."""

_OWN_PLUGIN = "pytest_rnnequiv.plugin"
"""What defines that fixture in the first place, for pytest."""

_OWN_FIXTURES = "pytest_rnnequiv.plugin.fixtures"
"""The module in which its function stands."""


class SuiteId(NamedTuple):
    """A node id of the suite as it was given on the command line."""

    text: str
    anchor: Path
    """The directory whose copy of the suite is meant."""
    names: tuple[str, ...]
    """The names behind the file, such as ``("TestShapes", "test_last")``; none for the suite as a whole."""
    parameters: str
    """The parameters of the last name with their brackets, such as ``[keras-graph]``; else empty."""

    def fits(self, names: list[str]) -> bool:
        """Tell whether the node with these names leads to what is meant, or belongs to it."""
        for index, (meant, name) in enumerate(zip(self.names, names, strict=False)):
            last = index == len(self.names) - 1
            if last and self.parameters:
                meant += self.parameters
            if name != meant and not (last and not self.parameters and name.partition("[")[0] == meant):
                return False
        return True


def parse_suite_id(config: pytest.Config, arg: str) -> SuiteId | None:
    """Return what node id of the suite `arg` is, or None if it is none.

    Like any other node id, it is relative to where pytest was called. Since reports bear ids relative to the
    root directory, those are understood as well. A file of that name which does exist is the user's.
    """
    base, bracket, parameters = arg.partition("[")
    file, *names = base.split("::")
    # Not resolved: pytest does not follow symbolic links in arguments either.
    path = Path(os.path.abspath(config.invocation_params.dir / file))
    if path.name != SUITE_FILE or path.exists() or not path.parent.is_dir():
        return None
    anchor = path.parent
    if (file == SUITE_FILE and not _has_copy(config, anchor)) or _is_seen_at_root(config, anchor):
        anchor = config.rootpath
    return SuiteId(arg, anchor, tuple(names), bracket + parameters)


def _is_seen_at_root(config: pytest.Config, directory: Path) -> bool:
    """Tell whether a conftest that lies outside is loaded already: then the suite at the root sees its fixtures."""
    conftest = config.pluginmanager.get_plugin(str(directory / "conftest.py"))
    return conftest is not None and not directory.is_relative_to(config.rootpath)


def selects_suite_only(expression: str) -> bool:
    """Tell whether a mark expression, that of ``-m``, is false for whatever lacks the mark ``rnn_equiv``.

    The other marks of an item are not known, so each may be there or not.
    """
    if "rnn_equiv" not in expression:
        return False
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError:  # names that pytest allows and Python does not
        return False
    return _truth(tree) is False


def _truth(node: ast.expr) -> bool | None:
    """Evaluate a mark expression for an item of the project's own; None where that depends on other marks."""
    if isinstance(node, ast.Name):
        return False if node.id == "rnn_equiv" else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand)
        return None if inner is None else not inner
    if isinstance(node, ast.BoolOp):
        decisive = isinstance(node.op, ast.Or)
        parts = [_truth(each) for each in node.values]
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    return None


def load_root_conftest(config: pytest.Config) -> None:
    """Load the conftest of the root directory, to which the suite belongs, if pytest has no reason to do so.

    With ``--rootdir`` or ``-c`` from another folder it has none. Then what that conftest says is to be checked would
    be left out in silence, and Keras checked in its place.

    Raises
    ------
    pytest.UsageError
        If it cannot be loaded.
    """
    conftest = config.rootpath / "conftest.py"
    manager = config.pluginmanager
    if not conftest.is_file() or manager.get_plugin(str(conftest)) is not None or config.option.noconftest:
        return
    load = manager._loadconftestmodules
    options: dict[str, Any] = {"rootpath": config.rootpath}
    if "consider_namespace_packages" in inspect.signature(load).parameters:  # since pytest 8.1
        options["consider_namespace_packages"] = config.getini("consider_namespace_packages")
    load(config.rootpath, config.getoption("importmode"), **options)
    if manager.get_plugin(str(conftest)) is None:
        raise pytest.UsageError(f"{conftest} is not loaded, so what it says is to be checked would be left out")


def _has_copy(config: pytest.Config, directory: Path) -> bool:
    """Tell whether `directory` has, or may turn out to have, a copy of the suite of its own."""
    conftest = directory / "conftest.py"
    module = config.pluginmanager.get_plugin(str(conftest))
    return conftest.is_file() if module is None else overrides_implementation(module)


def overrides_implementation(plugin: object) -> bool:
    """Tell whether a plugin, such as a ``conftest.py``, says what to check."""
    if not isinstance(plugin, ModuleType) or plugin.__name__ == _OWN_PLUGIN:
        return False
    for attribute, value in vars(plugin).items():
        marker = getfixturemarker(value)
        # Not every answer is one: a mock says yes to everything.
        if isinstance(marker, FixtureFunctionMarker) and (marker.name or attribute) == OVERRIDE:
            return True
    return False


class Suite(pytest.Module):
    """The packaged suite as a module of the user's project."""

    owner: SuiteCollection

    def _getobj(self) -> ModuleType:
        """Return the module whose functions are collected (pytest calls this once or more)."""
        return self.owner.module_for(self)

    def funcnamefilter(self, name: str) -> bool:
        """Tell whether a function is a check, whatever the project's ``python_functions`` are."""
        return name.startswith("test_")

    def classnamefilter(self, name: str) -> bool:
        """Tell whether a class holds checks, whatever the project's ``python_classes`` are."""
        return name.startswith("Test")

    def names_of(self, node: pytest.Item | pytest.Collector) -> list[str]:
        """Return the names that lead from the suite to `node`, as in its node id."""
        chain = node.listchain()
        return [inner.name for inner in chain[chain.index(self) + 1 :]]


class RnnEquiv(pytest.Collector):
    """What holds a `Suite` in the tree of the collected nodes."""

    owner: SuiteCollection
    directory: Path

    def collect(self) -> list[pytest.Collector]:
        """Return the suite."""
        # Its path is the directory and not the file, which does not exist. So the hooks in the directory's
        # conftest apply, and --lf finds the path among those of the last failures.
        suite: Suite = Suite.from_parent(self, path=self.directory, name=SUITE_FILE, nodeid=self.nodeid)
        suite.owner = self.owner
        suite.add_marker("rnn_equiv")
        # Warnings of TensorFlow and Keras are not the project's, even where its own are errors.
        # Those of Keras's own are no news: NumPy's new protocol, the model that shows a known divergence, and a softmax
        # of one unit.
        of_keras = (
            "ignore:__array__ implementation:DeprecationWarning",
            "ignore:.*destroy the mask:UserWarning",
            "ignore:You are using a softmax over axis:UserWarning",
        )
        suite.add_marker(pytest.mark.filterwarnings("default", *of_keras))
        return [suite]


class SuiteCollection:
    """The plugin that collects the suite; registered when the user wants the suite.

    Parameters
    ----------
    config
        The run.
    chosen
        What the user wants.
    """

    def __init__(self, config: pytest.Config, chosen: Settings) -> None:
        self.config = config
        self.chosen = chosen
        self._module: ModuleType | None = None
        self._modules: dict[Suite, ModuleType] = {}
        self._wanted: list[SuiteId] = []
        self._found: set[SuiteId] = set()
        self._broken = False
        self._at_root = True
        self._substituted: set[Path] = set()
        self._early_conftests: frozenset[object] = frozenset()
        self._suite_alone = selects_suite_only(config.option.markexpr)
        self._named: set[Path] = set()

    # -- the command line

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave the project's own files alone where the marks that are asked for select none of them (pytest hook).

        To import thousands of tests in order to deselect them takes long. Its directories are walked: a conftest in
        them may say what to check.
        """
        if not self._suite_alone or collection_path in self._named or not collection_path.is_file():
            return None
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Take the suite's node ids out of the arguments before pytest looks for such files (pytest hook)."""
        _share_root_conftest(session)
        self._early_conftests = frozenset(self.config.pluginmanager.get_plugins())
        args, ids = [], []
        for arg in self.config.args:
            suite_id = parse_suite_id(self.config, arg)
            if suite_id is None:
                args.append(arg)
                continue
            ids.append(suite_id)
            if suite_id.anchor == self.config.rootpath:
                self._wanted.append(suite_id)
            else:
                args.append(self._substitute(suite_id))
        self._at_root = bool(self._wanted) or not ids
        self.config.args = args
        files = (arg.partition("::")[0] for arg in args)
        self._named = {Path(os.path.abspath(self.config.invocation_params.dir / file)) for file in files}

    def _substitute(self, suite_id: SuiteId) -> str:
        """Return an argument by which pytest itself finds a nested copy of the suite.

        pytest walks down to the path in an argument, which must exist, and then along the names. What holds
        the copy bears the path of the conftest, so ``sub/rnn_equiv.py::test_x`` is also
        ``sub/conftest.py::rnn_equiv.py::test_x``.
        """
        conftest = suite_id.anchor / "conftest.py"
        if not conftest.is_file():
            where = suite_id.anchor
            raise pytest.UsageError(f"not found: {suite_id.text} (there is no copy of the suite in {where})")
        self._substituted.add(conftest)
        return "::".join((str(conftest), SUITE_FILE, *suite_id.names)) + suite_id.parameters

    # -- the tree

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Put the suite into the tree, and narrow it down to what was asked for (pytest hook)."""
        report = yield
        suite = collector.getparent(Suite)
        if not report.passed:
            self._broken |= suite is not None
        elif suite is not None:
            report.result = [node for node in report.result if _applies(node) and self._is_wanted(suite, node)]
            for node in report.result:
                if isinstance(node, pytest.Item):
                    _introduce(suite, node)
        elif isinstance(collector, pytest.Session):
            if self._at_root:
                root = self.config.rootpath
                report.result = [*report.result, self._holder(collector, root, root, SUITE_FILE)]
        elif isinstance(collector, pytest.Directory):
            self._add_copy(collector, report)
        return report

    def _add_copy(self, directory: pytest.Directory, report: pytest.CollectReport) -> None:
        """Add a copy of the suite to a directory whose conftest overrides what is checked.

        Fixtures of a nested conftest reach what is collected below its directory only, hence the copy.
        """
        path = directory.path / "conftest.py"
        conftest = self.config.pluginmanager.get_plugin(str(path))
        if conftest is None or not overrides_implementation(conftest):
            return
        inside = directory.path.is_relative_to(self.config.rootpath)
        if directory.path == self.config.rootpath or (not inside and conftest in self._early_conftests):
            return  # the suite at the root sees its fixtures
        if path in self._substituted:
            # The conftest was no argument of the user's, so it is no module to collect.
            report.result = [node for node in report.result if node.path != path]
        base = directory.path.relative_to(self.config.rootpath) if inside else directory.path
        holder = self._holder(directory, directory.path, path, f"{base.as_posix()}/{SUITE_FILE}")
        report.result = [*report.result, holder]

    def _holder(self, parent: pytest.Collector, directory: Path, path: Path, nodeid: str) -> pytest.Collector:
        holder: RnnEquiv = RnnEquiv.from_parent(parent, name="rnn-equiv", path=path, nodeid=nodeid)
        holder.owner = self
        holder.directory = directory
        return holder

    def module_for(self, suite: Suite) -> ModuleType:
        """Return the module of checks for `suite`, imported and configured once.

        Each copy gets a module object of its own with the same functions in it: pytest 8 registers the
        fixtures of a module object only once, for the first node that has it.
        """
        if self._module is None:
            self._module = importlib.import_module(SUITE_MODULE)
            self._module.configure(self.chosen.profile, self.chosen.selfcheck, *self._about())
            _insist(self._module)
        if suite not in self._modules:
            copy = ModuleType(self._module.__name__, self._module.__doc__)
            vars(copy).update(vars(self._module))
            self._modules[suite] = copy
        return self._modules[suite]

    def _about(self) -> tuple[bool, ...]:
        """Say whether the run is about one model, and whether that is the notebook's; nothing where it is not."""
        given = self.config.stash.get(GIVEN, None)
        if given is None or (given.model is None and given.graph is None):
            return ()
        return (given.model is not None and given.model[0].plain,)

    # -- what was asked for

    def _is_wanted(self, suite: Suite, node: pytest.Item | pytest.Collector) -> bool:
        if not self._wanted or suite.path != self.config.rootpath:
            return True
        names = suite.names_of(node)
        fitting = [suite_id for suite_id in self._wanted if suite_id.fits(names)]
        self._found.update(suite_id for suite_id in fitting if len(names) >= len(suite_id.names))
        return bool(fitting)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self) -> None:
        """Say which of the suite's node ids mean nothing, as pytest does with others (pytest hook)."""
        missing = [suite_id.text for suite_id in self._wanted if suite_id not in self._found]
        if missing and not self._broken:
            from pytest_rnnequiv.suite.checks import CHECKS

            raise pytest.UsageError(
                *(
                    f"not found: {text} (the suite has no such check{did_you_mean(text.rpartition('::')[2], CHECKS)})"
                    for text in missing
                )
            )

    # -- the run

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Fail a check that ends well without having judged a single case (pytest hook)."""
        result = yield
        if pyfuncitem.getparent(Suite) is not None and tally.current().cases == 0:
            pytest.fail(f"{pyfuncitem.name} judged no case at all, so it has shown nothing.", pytrace=False)
        return result


def _share_root_conftest(session: pytest.Session) -> None:
    """Let the whole session see the fixtures of the conftest in the root directory.

    That is what pytest does, except for 9.1, where only what is collected below that directory sees them
    (https://github.com/pytest-dev/pytest/issues/14683).
    """
    manager = session._fixturemanager
    conftest = getattr(manager, "_pending_conftests", {}).pop(session.config.rootpath, None)
    if conftest is not None:
        manager.parsefactories(holder=conftest, node=session)


def _insist(module: ModuleType) -> None:
    """Have the methods of test classes collected whatever the project's ``python_functions`` are."""
    for name, value in vars(module).items():
        if isinstance(value, type) and name.startswith("Test"):
            for check, method in vars(value).items():
                if check.startswith("test"):
                    method.__test__ = True


def _applies(node: pytest.Item | pytest.Collector) -> bool:
    """Tell whether a check has something to check: one that applies to none of the implementations has no port."""
    callspec = getattr(node, "callspec", None)
    return callspec is None or callspec.params.get("port", "") is not None


def _identity(item: Any) -> str:
    """Return what an item checks, as it was asked for: a runtime, ``module:attribute``, or somebody's fixture."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    definition = (item._fixtureinfo.name2fixturedefs.get(OVERRIDE) or [None])[-1]
    overridden = definition is not None and definition.func.__module__ != _OWN_FIXTURES
    asked = parameters.get("port", OVERRIDE if overridden else DEFAULT_IMPLEMENTATION)
    if asked != OVERRIDE or definition is None:
        return str(asked)
    where = f"{definition.baseid}/" if definition.baseid not in ("", ".") else ""
    if OVERRIDE not in parameters:
        return f"{where}{OVERRIDE}"
    given = parameters[OVERRIDE]
    return f"{where}{OVERRIDE}[{given if isinstance(given, (str, int, float)) else item.callspec.indices[OVERRIDE]}]"


def _introduce(suite: Suite, item: pytest.Item) -> None:
    """Give an item the name under which the reports list it, and a place that readers recognize."""
    names = [name.partition("[")[0] for name in suite.names_of(item)]
    names[-1] = names[-1].removeprefix("test_")
    item.user_properties.append((tally.CHECK, ".".join(names)))
    item.user_properties.append((tally.IDENTITY, _identity(item)))
    # Else verbose output tells of each item where in site-packages its function stands.
    _, line, name = item.reportinfo()
    item.location = (suite.nodeid, line, name)
