"""What can be asked of the plugin: one field of `Settings` for each option, with its ini twin, and how they are read.

Every pytest run of every project that has the package installed imports this module, so it knows pytest and the
standard library only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

__all__ = [
    "CELL_NAMES",
    "DEFAULT_IMPLEMENTATION",
    "MODEL_SUFFIXES",
    "PROFILE_NAMES",
    "SETTINGS",
    "SUITE_FILE",
    "ModelFile",
    "Settings",
    "Shard",
    "SourceFile",
    "add_options",
    "settings",
]

DEFAULT_IMPLEMENTATION = "keras"
"""What is checked when nobody says what to check."""

SUITE_FILE = "rnn_equiv.py"
"""The file that the suite's node ids name. It exists nowhere; it ends so because editors split ids there."""

PROFILE_NAMES = ("quick", "default", "thorough")

CELL_NAMES = ("SimpleRNN", "GRU", "LSTM")
"""The cells that come with the plugin; a test holds it to `cells.CELLS`, which is too much to import here."""


def _profile(text: str) -> str:
    if text not in PROFILE_NAMES:
        raise ValueError(f"{text!r} is not a profile; choose one of {', '.join(PROFILE_NAMES)}.")
    return text


def _cell(text: str) -> str:
    if text not in CELL_NAMES:
        raise ValueError(f"{text!r} is not a cell; choose some of {', '.join(CELL_NAMES)}.")
    return text


class SourceFile(NamedTuple):
    """An implementation in a file, as it was asked for: ``my_rnn.py:run``."""

    path: Path
    attribute: str


def _implementation(text: str) -> str | SourceFile | ModelFile:
    if text == text.strip() and text.lower().endswith(MODEL_SUFFIXES):
        return ModelFile(Path(text))
    module, colon, attribute = text.rpartition(":")  # the last one: a path on Windows has another
    if not text or (colon and not (module and attribute)) or text != text.strip():
        raise ValueError(f"{text!r} is neither the name of an implementation nor module:attribute.")
    if text.endswith(".py"):
        raise ValueError(f"{text!r} does not say what in that file is to be checked, as {text}:run does.")
    return SourceFile(Path(module), attribute) if module.endswith(".py") else text


MODEL_SUFFIXES = (".keras", ".h5", ".hdf5", ".onnx", ".tflite")
"""Files that can be run; a test holds it to `registry.FILES`, which is too much to import here."""


class ModelFile(NamedTuple):
    """An implementation that is a model file: ``model.onnx``."""

    path: Path


def _budget(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text!r} is no number of seconds above 0, such as 600.")
    return seconds


class Shard(NamedTuple):
    """A part of a run: of `of` parts the one with a number, from 1 on."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def _shard(text: str) -> Shard:
    number, slash, of = text.partition("/")
    if not (slash and number.isascii() and number.isdigit() and of.isascii() and of.isdigit()):
        raise ValueError(f"{text!r} is no part of a run; write I/N, such as 3/64 for the third of 64.")
    shard = Shard(int(number), int(of))
    if not 1 <= shard.number <= shard.of:
        raise ValueError(f"{text!r} is no part of a run: I must be 1 at least, and N at most.")
    return shard


def _part(text: str) -> str:
    if not text:
        raise ValueError("the part of the model is missing; choose one of whole, recurrent, or the name of a layer.")
    return text


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is no share; give a number from 0 to 1, or a percentage such as 50%.")
    return share


def _file(text: str) -> Path:
    if not text:
        raise ValueError("the name of a file is missing.")
    return Path(text)


def _directory(text: str) -> Path:
    if not text:
        raise ValueError("the name of a directory is missing.")
    return Path(text)


def _known_failure(text: str) -> str | Path:
    if not text:
        raise ValueError("the name of a file is missing.")
    return text if ": " in text or text.startswith("#") else Path(text)


def _option(
    flag: str,
    help: str,
    *,
    metavar: str | None = None,
    parse: Callable[[str], object] | None = None,
    implies: bool = False,
    ini: bool = True,
) -> dict[str, Any]:
    """Describe the option behind a field of `Settings`.

    The field's default decides what kind of option it is: ``False`` makes a switch, ``()`` an option that may
    be given several times, and anything else an option with one value. `parse` turns the text of a value into
    the value; if it cannot, it raises `ValueError` with one sentence. An option that names what to check implies the
    suite where it stands on the command line: what is asked for must not be ignored. Its ini value says how the suite
    runs, not whether it does. An option with ``ini=False`` has no ini twin.
    """
    return {"flag": flag, "help": help, "metavar": metavar, "parse": parse, "implies": implies, "ini": ini}


@dataclass(frozen=True, eq=False, repr=False)  # what is left out costs time at every start
class Settings:
    """What the user asked for: one field for each option, which is declared here and nowhere else.

    Most options have an ini twin, ``rnn_equiv_profile`` for ``--rnn-equiv-profile``; the command line wins.
    """

    enabled: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv", "Run the built-in suite of RNN equivalence checks beside the project's own tests."
        ),
    )
    implementations: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "--rnn-equiv-impl",
            "What to check: the name of an implementation (--rnn-equiv-list names them), all, module:attribute, "
            f"file.py:attribute, or a model file that can be run ({', '.join(MODEL_SUFFIXES)}); may be given several "
            f"times (default: {DEFAULT_IMPLEMENTATION}).",
            metavar="NAME",
            parse=_implementation,
            implies=True,
        ),
    )
    cells: tuple[str, ...] = field(
        default=(),
        metadata=_option(
            "--rnn-equiv-cell",
            f"Which cells to check, of {', '.join(CELL_NAMES)}; may be given several times (default: all that an "
            "implementation declares).",
            metavar="NAME",
            parse=_cell,
            implies=True,
        ),
    )
    model: Path | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-model",
            "Check this model: its architecture and its trained weights are read from FILE, as data, and only inputs "
            "are drawn.",
            metavar="FILE",
            parse=_file,
            implies=True,
        ),
    )
    inputs: Path | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-inputs",
            "Recorded inputs of that model, to be asked beside those that are drawn: an .npz or .npy file of arrays "
            "(N, T, D).",
            metavar="FILE",
            parse=_file,
            implies=True,
        ),
    )
    part: str = field(
        default="whole",
        metadata=_option(
            "--rnn-equiv-model-part",
            "Which part of that model: whole; recurrent, its recurrent layers without what stands before and behind "
            "them; or the name of one recurrent layer.",
            metavar="PART",
            parse=_part,
            implies=True,
        ),
    )
    profile: str = field(
        default="default",
        metadata=_option(
            "--rnn-equiv-profile",
            f"How much to check: {', '.join(PROFILE_NAMES)}.",
            metavar="PROFILE",
            parse=_profile,
            implies=True,
        ),
    )
    budget: float | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-budget",
            "Spend about SECONDS on the run, instead of the time of the profile; most of it goes to the checks with "
            "most to see.",
            metavar="SECONDS",
            parse=_budget,
            implies=True,
        ),
    )
    shard: Shard | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-shard",
            "Run the I-th of N parts of the suite. The parts do not overlap, and together they are the whole suite.",
            metavar="I/N",
            parse=_shard,
            implies=True,
            ini=False,
        ),
    )
    require_implementation: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-require-impl", "Fail the run if nothing but the default implementation was checked."
        ),
    )
    least: float = field(
        default=0.5,
        metadata=_option(
            "--rnn-equiv-least",
            "Which share of the cases that are judged against the recurrence has to be conclusive, for each "
            "implementation: from 0 to 1, or a percentage (default: half of them).",
            metavar="SHARE",
            parse=_share,
            implies=True,
        ),
    )
    report: Path | None = field(
        default=None,
        metadata=_option(
            "--rnn-equiv-report",
            "Write report.html, summary.json, badge.json and the evidence of each failure to DIR.",
            metavar="DIR",
            parse=_directory,
            implies=True,
        ),
    )
    selfcheck: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-selfcheck",
            "Run the suite against every mistake in the catalogue and say what was caught (implies --rnn-equiv).",
        ),
    )

    known_failures: tuple[str | Path, ...] = field(
        default=(),
        metadata=_option(
            "--rnn-equiv-known-failures",
            "A file of checks that are known to fail, one a line as CHECK[IMPLEMENTATION]: REASON, or such a line "
            "itself; may be given several times. Strict: they must fail.",
            metavar="FILE",
            parse=_known_failure,
            implies=True,
        ),
    )

    durations: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-durations",
            "Say where the time of each check went: drawing, building, tracing, running, judging, reporting.",
            ini=False,
        ),
    )
    listing: bool = field(
        default=False,
        metadata=_option(
            "--rnn-equiv-list",
            "List the implementations that can be checked: installed or not, version, what they can be asked, and the "
            "line that installs them; then exit.",
            ini=False,
        ),
    )


SETTINGS = pytest.StashKey[Settings]()
"""Where `pytest.Config.stash` keeps what was asked for."""


def settings(config: pytest.Config) -> Settings:
    """Return what the command line and the ini file of `config` ask for.

    Raises
    ------
    pytest.UsageError
        If an option or an ini value means nothing.
    """
    known = config.stash.get(SETTINGS, None)
    if known is None:
        known = Settings(**{option.name: _read(config, option) for option in fields(Settings)})
        if known.selfcheck or _implied(config) or _suite_is_named(config):
            known = replace(known, enabled=True)
        config.stash[SETTINGS] = known
    return known


def _read(config: pytest.Config, option: Field[Any]) -> Any:
    """Return the value of one option: from the command line, else from the ini file, else its default."""
    flag, parse = option.metadata["flag"], option.metadata["parse"]
    source, base = flag, config.invocation_params.dir
    value = config.getoption(_dest(flag))
    if value is None and option.metadata["ini"]:
        source, base = f"ini value {_dest(flag)}", config.rootpath
        try:
            value = config.getini(_dest(flag)) or None
        except (TypeError, ValueError, pytest.UsageError) as error:
            raise pytest.UsageError(f"{source}: {error}.") from None
    if value is None or parse is None:
        return option.default if value is None else value
    try:
        parsed = tuple(map(parse, value)) if isinstance(value, list) else parse(value)
    except ValueError as error:
        raise pytest.UsageError(f"{source}: {error}") from None
    if isinstance(value, list):
        return tuple(_placed(each, base) for each in parsed)
    return _placed(parsed, base)


def _placed(value: Any, base: Path) -> Any:
    """Take a path as it is meant where it was written."""
    if isinstance(value, ModelFile):
        return str(base / value.path)
    if isinstance(value, SourceFile):
        return f"{base / value.path}:{value.attribute}"
    return base / value if isinstance(value, Path) else value


def _dest(flag: str) -> str:
    """Return the name under which pytest keeps an option; its ini twin has the same."""
    return flag.lstrip("-").replace("-", "_")


def _implied(config: pytest.Config) -> bool:
    """Tell whether an option on the command line is about the suite and nothing else."""
    implying = (option.metadata["flag"] for option in fields(Settings) if option.metadata["implies"])
    return any(config.getoption(_dest(flag)) for flag in implying)


def _suite_is_named(config: pytest.Config) -> bool:
    """Tell whether a node id of the suite is on the command line: that asks for the suite clearly enough."""
    if not any(SUITE_FILE in arg for arg in config.args):
        return False
    from pytest_rnnequiv.plugin.collection import parse_suite_id

    return any(parse_suite_id(config, arg) for arg in config.args)


def add_options(parser: pytest.Parser) -> None:
    """Add the options and their ini twins."""
    group = parser.getgroup("rnn-equiv", "equivalence of RNN implementations")
    for option in fields(Settings):
        flag, help, metavar = (option.metadata[key] for key in ("flag", "help", "metavar"))
        # Without a value on the command line an option is None, so that the ini file can speak.
        twin: dict[str, Any]
        if option.default is False:
            group.addoption(flag, action="store_true", default=None, help=help)
            twin = {"type": "bool", "default": False}
        elif option.default == ():
            group.addoption(flag, action="append", default=None, metavar=metavar, help=help)
            twin = {"type": "linelist", "default": []}
        else:
            group.addoption(flag, default=None, metavar=metavar, help=help)
            twin = {"type": "string", "default": ""}
        if option.metadata["ini"]:
            parser.addini(_dest(flag), help, **twin)
