"""Colour profiles that Pillow does not read: in BMP (version 5) and GIF."""

from __future__ import annotations

import struct
from typing import BinaryIO

_MOST_BYTES = 16 << 20
_BLOCKS = 100_000
_GIF_NAME = b"ICCRGBG1012"


def profile_of_bmp(file: BinaryIO) -> bytes | None:
    """The profile embedded in a BMP; b"" if it is broken, None if there is none."""
    file.seek(14)
    head = file.read(124)
    if len(head) < 124 or struct.unpack_from("<I", head)[0] < 124 or head[56:60] != b"DEBM":
        return None
    start, size = struct.unpack_from("<II", head, 112)
    if size > _MOST_BYTES:
        return b""
    file.seek(14 + start)
    return file.read(size)


def profile_of_gif(file: BinaryIO) -> bytes | None:
    """The profile in an application extension before the picture (ICC.1, annex B.4)."""
    file.seek(10)
    flags = file.read(3)[:1]
    if not flags:
        return None
    if flags[0] & 0x80:
        file.seek(3 << (1 + (flags[0] & 7)), 1)
    for _ in range(_BLOCKS):
        if file.read(1) != b"!":
            return None
        label = file.read(1)
        data = _sub_blocks(file)
        if label == b"\xff" and data[:1] == [_GIF_NAME]:
            return b"".join(data[1:])
    return None


def _sub_blocks(file: BinaryIO) -> list[bytes]:
    blocks: list[bytes] = []
    while (size := file.read(1)) and size[0] and len(blocks) < _BLOCKS:
        blocks.append(file.read(size[0]))
    return blocks
