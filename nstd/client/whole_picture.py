"""Whether a JPEG or PNG is whole, found without decoding it: for commands that must be quick."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)
"""Markers of the kinds of JPEG that Pillow reads: baseline, extended and progressive."""
_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers of JPEG without a length."""
_SCAN = 0xDA
_PIECE = 1 << 20
_CHUNKS = 100_000


class Size(NamedTuple):
    """The width and height of a picture, in pixels."""

    width: int
    height: int


def whole_size(picture: Path) -> Size | None:
    """The size of a still JPEG or PNG whose file is whole; None for all else, or when in doubt.

    Of a PNG every checksum is compared; of a JPEG the header and the end are looked at. Raises
    OSError.
    """
    with picture.open("rb") as file:
        start = file.read(len(_PNG))
        try:
            if start == _PNG:
                return _size_of_png(file)
            return _size_of_jpeg(file) if start.startswith(b"\xff\xd8\xff") else None
        except struct.error:  # it ends in the middle
            return None


def _size_of_png(file: BinaryIO) -> Size | None:
    size, names = None, set[bytes]()
    for _ in range(_CHUNKS):
        length, name = struct.unpack(">I4s", file.read(8))
        if name == b"IHDR":
            size = Size(*struct.unpack(">II", file.read(8)))
            file.seek(-8, 1)
        if not _is_sound(file, length, name) or name == b"acTL":  # the latter is animated
            return None
        names.add(name)
        if name == b"IEND":
            return size if b"IDAT" in names else None
    return None


def _is_sound(file: BinaryIO, length: int, name: bytes) -> bool:
    """Whether a chunk of a PNG has the checksum that stands behind it."""
    checksum = zlib.crc32(name)
    while length:
        piece = file.read(min(length, _PIECE))
        if not piece:
            return False
        checksum, length = zlib.crc32(piece, checksum), length - len(piece)
    return file.read(4) == checksum.to_bytes(4, "big")


def _size_of_jpeg(file: BinaryIO) -> Size | None:
    size, at = None, 2
    for _ in range(_CHUNKS):
        file.seek(at)
        mark, marker = struct.unpack(">BB", file.read(2))
        if mark != 0xFF:
            return None
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _SCAN:
            return size if _ends(file) else None
        (length,) = struct.unpack(">H", file.read(2))
        if marker in _JPEG_FRAMES:
            depth, height, width = struct.unpack(">BHH", file.read(5))
            size = Size(width, height) if depth == 8 else None
        at += 2 + length
    return None


def _ends(file: BinaryIO) -> bool:
    """Whether the mark of the end of a JPEG is the last in the file."""
    file.seek(-2, 2)
    return file.read(2) == b"\xff\xd9"
