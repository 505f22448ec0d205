"""A script that shows a failure to somebody else, who has numpy and what failed.

It runs what failed in the way in which it failed: Keras's model called, compiled or by ``predict``, a port of
``module:attribute`` by its import. Where only a fixture has the port, it says how to call it.
"""

from __future__ import annotations

import textwrap
from importlib.util import find_spec
from pathlib import Path

from ..implementations.keras_layers import is_own
from ..model.case import Case
from ..model.spec import BEYOND_KERAS, Spec
from .keras_script import CALLS, layers_script, model_script, rounding_room, shows
from .numpy_script import needs_numpy_only, numpy_script
from .written import READABLE, is_large

__all__ = ["CALLS", "READABLE", "rounding_room", "script", "shows"]


def script(case: Case, file: str | None = None, *, called_as: str = "", note: str = "", as_built: bool = False) -> str:
    """Write a case as a script that others can run.

    Parameters
    ----------
    case : Case
    file : str, optional
        The ``.npz`` that the case was saved to, for a case with many numbers.
    called_as : str
        How what failed was called: a way to run Keras (``keras-call``, ``keras-predict``, ``keras-graph``), or
        ``module:attribute``; empty where that is not known.
    note : str
        What has to be known first; it becomes a comment at the top.
    as_built : bool
        Of a way to run Keras: what failed is the model that users build, without the outputs of the other steps.

    Returns
    -------
    str
        Python source. For a way to run Keras, it runs a model in this way, and prints what it gives beside what is
        expected; the last line that it prints is "as expected" or "NOT as expected". Else, of the notebook's model, it
        needs numpy only, and prints states and outputs of every step; of any other, it does the same with Keras's
        layers as with a model, or prints outputs with pytest-rnnequiv where Keras lacks an option. Then a port by
        ``module:attribute`` is called and judged, and for any other a comment says how to call it. Where there are too
        many numbers to read, it takes them from the file, with pytest-rnnequiv.
    """
    if called_as in CALLS:
        source = model_script(case, file, called_as, as_built)
    else:
        source = _of_case(case, file) + _of_port(case, file, called_as)
    top = "".join(f"# {line}\n" for line in textwrap.wrap(note, 100))
    return f"{top}\n{source}" if top else source


def _of_case(case: Case, file: str | None) -> str:
    """Write what is expected of a case."""
    if needs_numpy_only(case):
        return numpy_script(case, file)
    beyond = [option for option in BEYOND_KERAS if option in case.spec.options]
    if not beyond:
        return layers_script(case, file)
    saved = "" if file is not None else '  # what case.save("case.npz") has written'
    lines = [
        f"# Keras has no {' and no '.join(beyond)}: the recurrence itself is computed, with NumPy",
        "from pytest_rnnequiv import Case, reference",
        "",
        f"case = Case.load({file or 'case.npz'!r}){saved}",
        "for call in reference(case).each_call:",
        '    print("expected", call.outputs, sep="\\n")',
    ]
    return "\n".join(lines) + "\n"


def _of_port(case: Case, file: str | None, called_as: str) -> str:
    """Write the call of a port, which is judged as it was judged; or a comment, where it cannot be imported."""
    made = _made(case, file)
    if ":" not in called_as or made is None:
        call = "forward(x, Wx, Wh, bh, Wo, bo)" if needs_numpy_only(case) else made and f"run({made})"
        return f"# and the port on the same numbers: print({call})\n" if call else ""
    module, _, attribute = called_as.partition(":")
    lines = ["", f"# the port {called_as}, asked and judged as it was"]
    if home := _home(module):
        lines += ["import sys", "", f"sys.path.insert(0, {home!r})"]
    lines += [
        f"import {module}",
        f"from pytest_rnnequiv import {'Case, Spec' if 'Spec.' in made else 'Case'}",
        "from pytest_rnnequiv.implementations.port import Port",
        "",
        f"port = Port({module}.{attribute})",
        f"seen = port.observe({made})",
        "verdict = seen.judge(port.precision)",
        'print("the port gives", *(call.outputs for call in seen.trajectory.each_call), sep="\\n")',
        "if verdict.place is not None:",
        "    print(verdict.place, 'is', verdict.place.got, 'and not', verdict.place.expected)",
        'print(f"NOT as expected {verdict.problem or str()}" if verdict.different else "as expected")',
    ]
    return "\n".join(lines) + "\n"


def _made(case: Case, file: str | None) -> str | None:
    """Write the case itself as an expression; None where neither numbers nor a file make it."""
    spec = case.spec
    if not needs_numpy_only(case) or (file is not None and is_large(case)):
        return None if file is None else f"Case.load({file!r})"
    if is_own(spec.activation) or is_own(spec.head_activation) or spec.cell != Spec.simple(1, 1, 1).cell:
        return None
    more = [
        f"{name}={value!r}"
        for name, value, default in (
            ("activation", spec.activation.name, "tanh"),
            ("dtype", spec.dtype, "float32"),
            ("head_activation", spec.head_activation.name, "linear"),
        )
        if value != default
    ]
    given = [f"{name}={name}" for name in ("h0", "mask") if getattr(case, name) is not None]
    sizes = ", ".join([*(f"{letter}={getattr(spec, letter)}" for letter in "DMK"), *more])
    return f"Case({', '.join([f'Spec.simple({sizes})', 'x', 'Wx', 'Wh', 'bh', 'Wo', 'bo', *given])})"


def _home(module: str) -> str | None:
    """Find the folder that a module is imported from; None for what is installed, or not found here."""
    try:
        found = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    origin = None if found is None else found.origin or next(iter(found.submodule_search_locations or ()), None)
    if origin is None or "site-packages" in origin:
        return None
    path = Path(origin).parent
    return str(path.parent if found is not None and found.submodule_search_locations else path)
