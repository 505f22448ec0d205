"""The same tests in other surroundings: ``nox -s oldest``, ``nox -l`` lists all. What follows ``--`` goes to pytest.

``.ci/run`` is what has to hold before a change lands; these sessions are for what it has no room for.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["types", "docs", "no-tensorflow"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]
TOGETHER = ("-n", "2")


def group(name: str) -> list[str]:
    """What a dependency group asks for, without the project itself: sessions install that in their own way."""
    return [each for each in nox.project.dependency_groups(PROJECT, name) if not each.startswith("pytest-rnnequiv")]


@nox.session(python=OLDEST)
def oldest(session: nox.Session) -> None:
    """Every dependency at its lower bound: the bounds in pyproject.toml are what passes here."""
    session.install("-e", ".[test]", "--constraint", "constraints/oldest.txt")
    session.run("pytest", *TOGETHER, *session.posargs)


@nox.session(python=NEWEST)
def newest(session: nox.Session) -> None:
    """Whatever the index has today, releases to come included."""
    session.install("--pre", "--upgrade", "-e", ".[test]")
    session.run("pytest", *TOGETHER, *session.posargs)


@nox.session(name="no-tensorflow", python=[OLDEST, NEWEST])
def no_tensorflow(session: nox.Session) -> None:
    """The tests that need no TensorFlow, where there is none; it says how many it skips."""
    runtimes = ("keras", "tensorflow")
    needed = [each for each in PROJECT["project"]["dependencies"] if not each.startswith(runtimes)]
    extras = PROJECT["project"]["optional-dependencies"]
    tools = [each for name in ("plots", "xdist", "html") for each in extras[name]]
    session.install(*needed, *tools)
    session.install("--no-deps", "-e", ".")
    session.run("python", "-c", "import importlib.util as u; assert not u.find_spec('tensorflow')")
    session.run("pytest", *TOGETHER, *session.posargs)


@nox.session(python=NEWEST)
def tests(session: nox.Session) -> None:
    """The tests against the built wheel: a file that the wheel lacks is missed here."""
    wheels = session.create_tmp()
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--quiet", "--outdir", wheels)
    session.install("--find-links", wheels, "pytest-rnnequiv[test]")
    where = "import pathlib, pytest_rnnequiv as p; assert 'site-packages' in pathlib.Path(p.__file__).parts, p.__file__"
    with session.chdir(wheels):
        session.run("python", "-c", where)
    session.run("pytest", *TOGETHER, *session.posargs)


@nox.session(python=False)
def runtimes(session: nox.Session) -> None:
    """The runtimes beside Keras, those that are named or all: ``.ci/runtimes``, in an environment of its own."""
    session.run("bash", ".ci/runtimes", *session.posargs, external=True)


@nox.session(python=NEWEST)
def types(session: nox.Session) -> None:
    """The package and users' code strictly, the tests less so, and who imports whom."""
    session.install("-e", ".[test]", *group("types"), *group("lint"))
    session.run("mypy")
    session.run("mypy", "--config-file", "tests/mypy.ini")
    session.run("lint-imports", "--no-logo")


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """The pages, built strictly; they are in part made from the code."""
    session.install("-e", ".", *group("docs"))
    session.run("mkdocs", "build", "--strict", "--site-dir", session.create_tmp())
