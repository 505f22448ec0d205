"""The suite on a graphics card: PyTorch, JAX, flax and Keras on both, side by side, in some minutes.

    python benchmarks/gpu.py [--budget 240] [--limit 420] [--wheels FOLDER] [--out FOLDER] [NAME ...]

For a machine that may be bare: no network, no TensorFlow, nothing to install. What is missing of Keras is unpacked from
the wheels in FOLDER (``pip download --no-deps`` has them), the package is this checkout. Each implementation runs
``pytest --rnn-equiv`` in a process of its own for `--budget` seconds; what is not done after `--limit` is stopped. Into
the output folder (``$OUT``, or the current one) go ``gpu.md``, a table; ``facts.txt``, what this card and its libraries
make of single numbers; and ``gpu.tar.gz``, each ``summary.json`` and all that was printed. Where no card is seen, the
page says so, and the same is run on the processor.

    python benchmarks/gpu.py --put gpu.md

puts such a page into ``docs/runtimes.md``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pytest_rnnequiv.implementations.devices import cuda_seen  # noqa: E402
from pytest_rnnequiv.implementations.registry import BUILT_IN  # noqa: E402

ON_CARD = (
    *("torch-cuda", "torch-cuda-tf32", "jax", "jax-tf32", "flax", "flax-tf32", "keras-jax", "keras-torch"),
)  # fmt: skip
ON_PROCESSOR = ("torch", "jax", "flax", "keras-jax", "keras-torch")


def unpacked(wheels: Path, into: Path) -> list[str]:
    """Unpack those of the wheels that fit this Python and that are not installed; return their names."""
    own, names = f"cp{sys.version_info.major}{sys.version_info.minor}", []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version, *_, python, _, _ = wheel.stem.split("-")
        if not {own, "py3"} & {*python.split(".")}:
            continue
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            zipfile.ZipFile(wheel).extractall(into)
            names.append(f"{name} {version}")
    return names


def environment(packages: Path) -> dict[str, str]:
    """The environment of the processes: this checkout first, and several of them share a card."""
    path = os.pathsep.join([str(ROOT), str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    more = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "120"}
    return {**os.environ, **more, "PYTHONPATH": path}


def plugged() -> list[str]:
    """What tells pytest of the plugin where the package is not installed."""
    installed = any(each.name == "rnn_equiv" for each in metadata.entry_points(group="pytest11"))
    return [] if installed else ["-p", "pytest_rnnequiv.plugin"]


def ran(name: str, budget: float, until: float, folder: Path, packages: Path) -> tuple[str, float]:
    """Run the suite on one implementation in a folder of its own; return how it ended, and after how many seconds."""
    folder.mkdir()
    command = [sys.executable, "-m", "pytest", *plugged(), "-p", "no:cacheprovider", "-p", "no:randomly", "-v", "-ra"]
    command += ["--rnn-equiv", "--rnn-equiv-impl", name, "--rnn-equiv-budget", str(budget)]
    command += ["--rnn-equiv-report", "report"]
    began = time.monotonic()
    with open(folder / "printed.txt", "w", encoding="utf-8") as printed:
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment(packages), stdout=printed, stderr=subprocess.STDOUT,
                timeout=max(1.0, until - began),
            )  # fmt: skip
            ended = f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            ended = "stopped: the time was over"
    return ended, time.monotonic() - began


def row_of(name: str, folder: Path, run: Future[tuple[str, float]]) -> str:
    """The row of a run, whatever became of it: what went wrong with one costs no other its row."""
    try:
        return row(name, folder, *run.result())
    except Exception as error:
        return f"| {name} | | | | | | | | | no result: {type(error).__name__}: {error} |"


def row(name: str, folder: Path, ended: str, seconds: float) -> str:
    """The row of the table, of what ``summary.json`` says."""
    file = folder / "report" / "summary.json"
    found = json.loads(file.read_text(encoding="utf-8"))["implementations"] if file.is_file() else {}
    if not found:
        said = (folder / "printed.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return f"| {name} | | | | | | | | {seconds:.0f} | no result, {ended}: {' '.join(said)} |"
    (whole,) = found.values()
    checks = whole["checks"].values()
    total = {key: sum(each.get(key, 0) for each in checks) for key in ("cases", "conclusive", "failures")}
    worst = max((_number(each["worst_error_over_bound"]) for each in checks), default=0.0)
    versions = dict(whole["versions"])
    device = versions.pop("device", "cpu")
    named = ", ".join(f"{library} {version}" for library, version in versions.items())
    equivalent = total["conclusive"] - total["failures"]
    wrong = [check for check, each in whole["checks"].items() if each.get("failures")]
    said = whole["verdict"]["sentence"] + (f" ({', '.join(wrong)})" if wrong else "")
    numbers = f"{total['cases']} | {equivalent} | {total['cases'] - total['conclusive']} | {total['failures']}"
    return f"| {name} | {device} | {named} | {numbers} | {worst:.2f} | {seconds:.0f} | {said} |"


def _number(worst: Any) -> float:
    """Return a worst error over its bound as a number: it is "infinite" where there is no room at all."""
    return math.inf if worst == "infinite" else float(worst or 0)


HEAD = (
    "| implementation | device | versions | cases | equivalent | inconclusive | different | error/bound | s | |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def card() -> str:
    """Name the card and its driver; empty where none is seen."""
    if not cuda_seen():
        return ""
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip() or "unknown"
    except OSError:
        return "unknown"


# ---- single numbers ----


def facts() -> Iterator[str]:
    """Say what the libraries make of single numbers here: how exact their functions are, how they round factors."""
    for name, library in (("PyTorch", of_torch), ("JAX", of_jax)):
        try:
            yield from (f"{name}: {line}" for line in library())
        except Exception as error:
            yield f"{name}: {type(error).__name__}: {error}"


def errors(function: str, x: Any, y: Any) -> str:
    """How far a function is from the right one, in units of 2^-24."""
    import numpy as np

    x, y = (np.asarray(a, np.float64).ravel() for a in (x, y))
    right = np.tanh(x) if function == "tanh" else 1 / (1 + np.exp(-x))
    off, u = np.abs(y - right), 2.0**-24
    at, apart = off.argmax(), off / np.maximum(np.abs(right), 1e-30)
    beyond = max(0.0, float(np.abs(y).max() - 1))
    return (
        f"{function}: {off[at] / u:.1f} u absolute (at {x[at]:.6g}), {apart.max() / u:.1f} u relative "
        f"(at {x[apart.argmax()]:.6g}), beyond 1 by {beyond / u:.1f} u"
    )


def arguments() -> Any:
    import numpy as np

    small = np.logspace(-8, 1.3, 20000)
    return np.concatenate([np.linspace(-20, 20, 160001), small, -small]).astype(np.float32)


#: What is multiplied by 1 to see how factors are rounded: to 10 bits, 1 + 2^-11 + 2^-13 is 1 if the rest is cut off.
FACTORS = [1 + k * 2.0**-13 for k in range(1, 8)]


def rounded(answers: Any) -> str:
    return "1 + k 2^-13 for k = 1..7 comes to k = " + ", ".join(f"{(float(y) - 1) * 2**13:g}" for y in answers)


def of_torch() -> Iterator[str]:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    yield f"{torch.__version__}, cuDNN {torch.backends.cudnn.version()}, on {device}"
    x = torch.from_numpy(arguments())[:, None, None].to(device)

    def layer(kind: str, size: int = 1, bias: tuple[float, ...] = (), at: int = 0, **options: Any) -> Any:
        made = getattr(torch.nn, kind)(size, size, batch_first=True, **options).to(device)
        for weight in made.parameters():
            weight.zero_()
        made.weight_ih_l0[at * size : (at + 1) * size] = torch.eye(size)
        for k, value in enumerate(bias):
            made.bias_ih_l0[k] = value
        return made

    with torch.no_grad():
        for tf32 in (False, True):
            torch.backends.cudnn.allow_tf32 = tf32
            yield f"allow_tf32 = {tf32}"
            yield "  RNN, " + errors("tanh", x.cpu(), layer("RNN")(x)[0].cpu())
            gru = layer("GRU", bias=(0.0, -100.0, 0.0), at=2)
            yield "  GRU, " + errors("tanh", x.cpu(), gru(x)[0].cpu())
            gru, one = layer("GRU", at=1), torch.ones(1, len(x), 1, device=device)
            yield "  GRU, " + errors("sigmoid", x.cpu(), gru(x, one)[0].cpu())
            lstm = layer("LSTM", bias=(100.0, -100.0, 0.0, 0.0), at=2)
            yield "  LSTM, " + errors("tanh", x.cpu(), lstm(x)[1][1].cpu())
            lstm = layer("LSTM", bias=(0.0, -100.0, 30.0, 0.0))
            yield "  LSTM, " + errors("sigmoid", x.cpu(), lstm(x)[1][1].cpu())
            for size in (8, 64, 256):
                factors = torch.zeros(32, 4, size, device=device)
                factors[:, :, :7] = torch.tensor(FACTORS)
                y = layer("RNN", size, nonlinearity="relu")(factors)[0]
                yield f"  relu RNN of {size} units: {rounded(y[0, 0, :7])}"
        try:
            empty = layer("RNN")(torch.zeros(0, 3, 1, device=device))[0].shape
            yield f"a batch of none: {tuple(empty)}"
        except Exception as error:
            yield f"a batch of none: {type(error).__name__}: {str(error)[:120]}"


def of_jax() -> Iterator[str]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    yield f"{jax.__version__}, on {jax.devices()[0].device_kind}"
    x = arguments()
    for name in ("tanh", "sigmoid"):
        yield errors(name, x, jax.jit(getattr(jax.nn, name))(x))
    for size in (8, 64, 256):
        factors = np.ones((32, size), np.float32)
        factors[:, :7] = FACTORS
        for precision in (None, "float32"):
            with jax.default_matmul_precision(precision):
                y = np.asarray(jax.jit(jnp.matmul)(factors, np.eye(size, dtype=np.float32)))
            yield f"matmul of {size}, precision {precision}: {rounded(y[0, :7])}"


# ---- layers as large as those that a card is used for ----


def large(name: str) -> Iterator[str]:
    """Judge an implementation on layers that are too large for the suite, where cuDNN and cuBLAS take other kernels."""
    from pytest_rnnequiv import Spec
    from pytest_rnnequiv.divergences.known import concerning
    from pytest_rnnequiv.implementations.registry import resolve
    from pytest_rnnequiv.strategies import generic_case

    port = resolve(name)
    for kind in port.supports.kinds:
        for size in (32, 64, 128, 256):
            spec = Spec.simple(size, size, 3, cell=kind)
            case = generic_case(spec, 16, 20)
            if concerning(case, port.diverges_as) or not port.supports.accepts(case):
                continue
            began = time.monotonic()
            try:
                yield f"{name}, {kind} of {size} units: {port.observe(case).judge(port.precision)}"
            except Exception as error:
                yield f"{name}, {kind} of {size} units: {type(error).__name__}: {error}"
            if time.monotonic() - began > 60:
                break
    port.close()


# ---- all of it ----

PAGE = ROOT / "docs" / "runtimes.md"


def put(page: str) -> None:
    """Put a page of a run into the docs, between its marks."""
    text, found = re.subn(
        "<!-- card -->.*<!-- end of card -->",
        lambda _: f"<!-- card -->\n\n{page.strip()}\n\n<!-- end of card -->",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert found == 1, f"{PAGE} has no place for it"
    PAGE.write_text(text, encoding="utf-8")


def printed(arguments: list[str], until: float, packages: Path) -> str:
    """What this script prints with other arguments, in a process of its own, as far as it has come by then."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        command = [sys.executable, __file__, *arguments]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command, env=environment(packages), stdout=output, stderr=subprocess.STDOUT,
                timeout=max(1.0, until - time.monotonic()),
            )  # fmt: skip
        output.seek(0)
        return output.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--budget", type=float, default=240.0)
    parser.add_argument("--limit", type=float, default=420.0)
    parser.add_argument("--wheels", type=Path, default=ROOT / "wheels")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", ".")))
    parser.add_argument("--facts", action="store_true", help="print what is measured of single numbers, and no more")
    parser.add_argument("--put", type=Path, metavar="gpu.md", help="put this page into the docs, and no more")
    parser.add_argument("--large", metavar="NAME", help="judge large layers of one implementation, and no more")
    chosen = parser.parse_args()
    if chosen.facts or chosen.large:
        for line in facts() if chosen.facts else large(chosen.large):
            print(line, flush=True)
        return
    if chosen.put:
        put(chosen.put.read_text(encoding="utf-8"))
        return
    until = time.monotonic() + chosen.limit
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        page = "\n".join(report(chosen, work, until))
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "gpu.md").write_text(page + "\n", encoding="utf-8")
        with tarfile.open(chosen.out / "gpu.tar.gz", "w:gz") as packed:
            for file in sorted(work.glob("runs/*/printed.txt")) + sorted(work.glob("runs/*/report/*")):
                packed.add(file, file.relative_to(work / "runs"))
    print(page)


def report(chosen: argparse.Namespace, work: Path, until: float) -> Iterator[str]:
    """Run everything, and yield the lines of the page."""
    packages, runs = work / "packages", work / "runs"
    runs.mkdir()
    carried = unpacked(chosen.wheels, packages)
    sys.path.append(str(packages))
    seen = card()
    names = chosen.names or (ON_CARD if seen else ON_PROCESSOR)
    absent = [name for name in names if BUILT_IN[name].missing]
    here = [name for name in names if name not in absent]
    yield f"{seen or 'not run on a card: no GPU seen, so this is the processor'}"
    yield ""
    with ThreadPoolExecutor(2 * len(here) + 1) as pool:
        asked = [["--facts"], *(["--large", name] for name in here)]
        measured = [pool.submit(printed, arguments, until, packages) for arguments in asked]
        made = {
            name: pool.submit(ran, name, chosen.budget, until, runs / name, packages) for name in here
        }  # fmt: skip
        yield HEAD
        for name, future in made.items():
            yield row_of(name, runs / name, future)
        chosen.out.mkdir(parents=True, exist_ok=True)
        text = "\n".join(each.result() for each in measured)
        (chosen.out / "facts.txt").write_text(text, encoding="utf-8")
    yield from (f"| {name} | | | | | | | | | {BUILT_IN[name].absence} |" for name in absent)
    yield ""
    made_by = f"Made on {date.today()} by `python benchmarks/gpu.py`, {chosen.budget:g} s each, side by side"
    yield f"{made_by}, on {platform.system()}, {platform.machine()}, {os.cpu_count()} processors."
    if carried:
        yield f"Unpacked, since they were not installed: {', '.join(carried)}."


if __name__ == "__main__":
    main()
