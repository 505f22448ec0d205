"""The versions of what is installed, by the names under which libraries are imported; nothing is imported for it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

__all__ = ["version_of"]

#: Where a library is called otherwise than the distributions that it comes from, those that people install.
DISTRIBUTIONS = {
    "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    "iree.compiler": ("iree-base-compiler",),
    "iree.runtime": ("iree-base-runtime",),
}


@cache
def version_of(library: str) -> str:
    """Return the version of a library, by the name under which it is imported; empty if it is not installed."""
    for distribution in DISTRIBUTIONS.get(library, (library,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""
