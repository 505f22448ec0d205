"""A build as its users have it, in site-packages and compiled, and what its runs cost.

What lies elsewhere is the user's own code to Hypothesis, which reads all of it for constants, some 150 files; and what
is not compiled is compiled in every run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["cpu_of_children", "install"]


def install(checkout: Path, folder: Path, *beside: Path) -> dict[str, str]:
    """Copy the package of a checkout, and have it compiled; return the environment of who uses it.

    Parameters
    ----------
    checkout, folder : Path
        The build, and where to put it.
    *beside : Path
        Folders whose modules can be imported too.
    """
    packages = folder / "site-packages"
    shutil.copytree(checkout / "pytest_rnnequiv", packages / "pytest_rnnequiv")
    paths = os.pathsep.join(map(str, [packages, *beside]))
    own = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    own |= {"PYTHONPATH": paths, "PYTHONPYCACHEPREFIX": str(folder / "compiled"), "COLUMNS": "80"}
    run = [sys.executable, "-m", "pytest", "--rnn-equiv-impl", "numpy", "--rnn-equiv-profile", "quick", "-q"]
    subprocess.run(run, cwd=folder, env=own, stdin=subprocess.DEVNULL, capture_output=True)
    return own


def cpu_of_children() -> float:
    """Return the seconds of processors that child processes have used which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
