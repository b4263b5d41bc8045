"""A file made of some parts of another file, and of given bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO

Part = bytes | tuple[int, int]
"""Bytes, or the start and end of a part of the file."""


class Spliced(io.RawIOBase):
    """Reads the parts, one after the other; `file` stays open when this is closed."""

    def __init__(self, file: BinaryIO, parts: Sequence[Part]) -> None:
        self._file, self._parts, self._at = file, parts, 0
        self._size = sum(_length(part) for part in parts)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position from the start of the first part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the parts."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`."""
        left = self._size - self._at if size < 0 else size
        pieces, before = [], 0
        for part in self._parts:
            inside = self._at - before
            before += _length(part)
            if left > 0 and 0 <= inside < _length(part):
                piece = self._piece(part, inside, left)
                pieces.append(piece)
                self._at += len(piece)
                left -= len(piece)
        return b"".join(pieces)

    def _piece(self, part: Part, inside: int, left: int) -> bytes:
        if isinstance(part, bytes):
            return part[inside : inside + left]
        start, end = part
        self._file.seek(start + inside)
        return self._file.read(min(left, end - start - inside))


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
