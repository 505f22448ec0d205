"""The tables of a FlatBuffer, read as they lie in a file: for the few that are asked no library is needed.

Each position comes from the file, so each is checked against its size. Format:
https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ImplementationError

__all__ = ["Table", "root"]


class Table:
    """A table: fields by their numbers in the schema; one that is not there is its default."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at
        self._fields = at - self._whole(at, "<i")
        self._size = self._whole(self._fields, "<H")

    def _whole(self, at: int, kind: str) -> Any:
        if not 0 <= at <= len(self._content) - struct.calcsize(kind):
            raise ImplementationError(f"it is cut off, or no FlatBuffer: it points to byte {at:,} of itself")
        return struct.unpack_from(kind, self._content, at)[0]

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        offset = self._whole(self._fields + entry, "<H") if entry + 2 <= self._size else 0
        return self._at + offset if offset else None

    def number(self, field: int, kind: str = "<i", default: Any = 0) -> Any:
        """Return a number; `kind` is that of :mod:`struct`."""
        place = self._place(field)
        return default if place is None else self._whole(place, kind)

    def _target(self, place: int) -> int:
        return place + int(self._whole(place, "<I"))

    def table(self, field: int) -> Table | None:
        """Return a table inside; None where there is none."""
        place = self._place(field)
        return None if place is None else Table(self._content, self._target(place))

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        place = self._place(field)
        if place is None:
            return 0, 0
        start = self._target(place)
        count = int(self._whole(start, "<I"))
        if start + 4 + count * size > len(self._content):
            raise ImplementationError(
                f"it should have {count * size:,} bytes at {start:,}, which the file does not hold"
            )
        return start + 4, count

    def tables(self, field: int) -> list[Table]:
        """Return the tables of a vector."""
        start, count = self._vector(field, 4)
        return [Table(self._content, self._target(start + 4 * i)) for i in range(count)]

    def array(self, field: int, dtype: str) -> npt.NDArray[Any]:
        """Return a vector of numbers."""
        start, count = self._vector(field, np.dtype(dtype).itemsize)
        return np.frombuffer(self._content, dtype, count, start)

    def text(self, field: int) -> str:
        """Return a text."""
        return self.array(field, "u1").tobytes().decode(errors="replace")


def root(content: bytes, identifier: bytes) -> Table:
    """Return the table with which a file begins.

    Raises
    ------
    ImplementationError
        If it is another file.
    """
    if content[4:8] != identifier:
        raise ImplementationError(f"it is no {identifier.decode()} file")
    return Table(content, int.from_bytes(content[:4], "little"))
