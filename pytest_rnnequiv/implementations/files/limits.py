"""The limits of every reader: a file of somebody else's costs no more than it says, and has no other file read."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ImplementationError

__all__ = ["LARGEST", "LARGEST_TEXT", "beside", "bounded", "member", "seen_zip", "told"]

#: Bytes of a file, and of a member of an archive, that are read: a gigabyte is 250 million weights.
LARGEST = 2**30

#: Bytes of a text in it: of the configuration of a model, which is some kilobytes.
LARGEST_TEXT = 2**24

#: Members of an archive.
MOST_MEMBERS = 10_000


@contextmanager
def told(path: str, what: str = "model") -> Iterator[None]:
    """Name the file in every message, whatever reading a broken file raises."""
    try:
        yield
    except ImplementationError as error:
        raise ImplementationError(f"the {what} {path} cannot be read: {error}") from None
    except RecursionError as error:
        raise ImplementationError(f"the {what} {path} cannot be read: it is nested too deeply") from error
    except Exception as error:
        raise ImplementationError(f"the {what} {path} cannot be read: {type(error).__name__}: {error}") from error


def bounded(path: str, largest: int | None = None) -> str:
    """See that a path is a file of a size that is read.

    Raises
    ------
    ImplementationError
        If it is none, or larger than :data:`LARGEST` bytes.
    """
    if not os.path.isfile(path):
        raise ImplementationError(f"it is {'a directory' if os.path.isdir(path) else 'not there'}")
    _see_size("it", os.path.getsize(path), LARGEST if largest is None else largest)
    return path


def _see_size(what: str, size: int, largest: int) -> None:
    if size > largest:
        raise ImplementationError(f"{what} would take {size:,} bytes, and no more than {largest:,} are read")


def seen_zip(archive: zipfile.ZipFile) -> zipfile.ZipFile:
    """See that an archive unfolds to no more than is read, all members together, before any of it is read."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise ImplementationError(f"it has {len(members):,} members, and no more than {MOST_MEMBERS:,} are read")
    _see_size("unfolded, it", sum(each.file_size for each in members), LARGEST)
    return archive


def member(archive: zipfile.ZipFile, name: str, largest: int | None = None) -> bytes:
    """Read a member of an archive, no further than the size that the archive declares for it.

    Raises
    ------
    ImplementationError
        If there is none, or it is too large.
    """
    try:
        found = archive.getinfo(name)
    except KeyError:
        raise ImplementationError(f"it has no {name} in it") from None
    _see_size(f"its {name}", found.file_size, LARGEST if largest is None else largest)
    with archive.open(found) as stream:  # zipfile reads no more than is declared, and checks the sum of it
        return stream.read(found.file_size)


def beside(model: str, location: str) -> Path:
    """Return the file that a model names for its data, which must lie in the model's folder or below.

    Raises
    ------
    ImplementationError
        If it leads out of the folder, by ``..``, as an absolute path or through a link, or is no file.
    """
    folder = Path(model).resolve().parent
    try:
        # a backslash is a path on another system, and no exporter writes one into a name
        found = (folder / location).resolve() if location and "\\" not in location else None
    except (OSError, ValueError):
        found = None
    if found is None or not found.is_relative_to(folder) or os.path.isabs(location):
        raise ImplementationError(f"its data are to lie in {location!r}, outside of its folder, where nothing is read")
    bounded(os.fspath(found))
    return found
