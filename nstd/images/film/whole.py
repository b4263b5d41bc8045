"""Whether the end of a film's file is missing, by the lengths that its container says."""

from __future__ import annotations

import io
from collections import deque
from typing import BinaryIO

from nstd.images.film.kinds import FilmKind, gif_blocks
from nstd.images.png_chunks import png_chunks

_STEPS = 1 << 16
_BOXES = frozenset(
    (
        b"ftyp styp moov moof mfra mdat free skip wide udta uuid meta sidx ssix prft emsg pdin "
        b"pnot PICT junk bloc idat"
    ).split()
)
"""The names of boxes of the outermost level."""
_UNKNOWN = {(1 << 7 * length) - 1 for length in range(1, 9)}
"""The lengths of a Matroska element that mean "to the end" (RFC 8794, 6.2)."""


def is_whole(file: BinaryIO, kind: FilmKind) -> bool:
    """Whether the end of the film in `file` is there; also if its container does not say."""
    end = file.seek(0, io.SEEK_END)
    match kind:
        case "gif":
            return deque(gif_blocks(file), 1) == deque([b";"])
        case "apng":
            return any(chunk.name == b"IEND" for chunk in png_chunks(file))
        case "webp" | "avi":
            return _end_of_riff(file, end) <= end
        case "mkv" | "webm":
            return _end_of_matroska(file, end) <= end
    return _end_of_boxes(file, end) <= end


def _end_of_boxes(file: BinaryIO, end: int) -> int:
    """Where the last box of the outermost level ends (ISO/IEC 14496-12, 4.2)."""
    at = 0
    for _ in range(_STEPS):
        file.seek(at)
        head = file.read(16)
        if at >= end or len(head) < 8:
            return at
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:16])
        if size < 8 or head[4:8] not in _BOXES:  # what follows the film does not matter
            return end
        at += size
    return end


def _end_of_riff(file: BinaryIO, end: int) -> int:
    file.seek(4)
    size = int.from_bytes(file.read(4), "little")
    return 8 + size if 0 < size < 0xFFFFFFF0 and end < 1 << 31 else end


def _end_of_matroska(file: BinaryIO, end: int) -> int:
    """Where the segment ends."""
    at = 0
    for _ in range(_STEPS):
        file.seek(at)
        name, size, length = _element(file.read(12))
        if not name or size in _UNKNOWN:
            return end
        at += length + size
        if name == b"\x18\x53\x80\x67" or at >= end:
            return at
    return end


def _element(head: bytes) -> tuple[bytes, int, int]:
    """The id of an element, the length of its content and of its head; an empty id if broken."""
    wide = _width(head[:1], 4)
    more = _width(head[wide : wide + 1], 8)
    if not wide or not more or len(head) < wide + more:
        return b"", 0, 0
    size = int.from_bytes(head[wide : wide + more]) & ((1 << 7 * more) - 1)
    return head[:wide], size, wide + more


def _width(first: bytes, most: int) -> int:
    """The number of bytes of a number whose first byte is `first`; 0 if there is none."""
    width = 9 - first[0].bit_length() if first else 0
    return width if 0 < width <= most else 0
