"""The boxes of MP4, QuickTime and AVIF (ISO/IEC 14496-12): how many samples they announce.

FFmpeg takes memory for each sample that a box announces, whether the file has it or not. Uses only
the standard library.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

Span = tuple[int, int]
"""Where the content of a box begins and ends."""

_CONTAINERS = frozenset(
    b"moov trak mdia minf stbl moof traf mvex edts dinf gmhd udta wave tref clip".split()
)
_MOST_BOXES = 1 << 18
_PACKED = b"cmov"
"""A head that is packed, as of the first QuickTime: it could unfold to anything."""


class TooManyBoxesError(ValueError):
    """A file with more boxes than any film has, or with a packed head."""


def claimed_samples(file: BinaryIO) -> int:
    """The number of samples for which FFmpeg would take memory.

    Raises TooManyBoxesError.
    """
    left = iter(range(_MOST_BOXES))
    return _claimed(file, (0, file.seek(0, io.SEEK_END)), left)


def most_samples(file: BinaryIO) -> int:
    """The most samples that a table announces, for AVIF the number of frames."""
    left = iter(range(_MOST_BOXES))
    try:
        found = _leaves(file, (0, file.seek(0, io.SEEK_END)), left)
        counts = [_number(file, start + 8) for name, start in found if name in (b"stsz", b"stz2")]
    except TooManyBoxesError:
        return 0
    return max(counts, default=0)


def _claimed(file: BinaryIO, span: Span, left: Iterator[int]) -> int:
    total = 0
    for name, inner in _boxes(file, span, left):
        if name == b"trak":
            total += _of_track(file, list(_leaves(file, inner, left)))
        elif name in _CONTAINERS:
            total += _claimed(file, inner, left)
        else:
            total += _count(file, name, inner[0])
    return total


def _of_track(file: BinaryIO, leaves: list[tuple[bytes, int]]) -> int:
    """Those of one track; 0 for plain sound, of whose samples FFmpeg takes many at a time."""
    kinds = [_bytes(file, start + 8) for name, start in leaves if name == b"hdlr"]
    times = [start for name, start in leaves if name == b"stts"]
    if kinds and set(kinds) <= {b"soun", b"alis", b"url "} and kinds[0] == b"soun":
        even = [(_number(file, at + 4), _number(file, at + 12)) for at in times]
        if even == [(1, 1)]:
            return 0
    return sum(_count(file, name, start) for name, start in leaves)


def _count(file: BinaryIO, name: bytes, start: int) -> int:
    if name in (b"stsz", b"stz2"):
        return _number(file, start + 8)
    return _number(file, start + 4) if name == b"trun" else 0


def _leaves(file: BinaryIO, span: Span, left: Iterator[int]) -> Iterator[tuple[bytes, int]]:
    """The boxes that contain no others, and where their content begins."""
    for name, inner in _boxes(file, span, left):
        if name in _CONTAINERS:
            yield from _leaves(file, inner, left)
        else:
            yield name, inner[0]


def _boxes(file: BinaryIO, span: Span, left: Iterator[int]) -> Iterator[tuple[bytes, Span]]:
    """The names and contents of the boxes in a part of the file."""
    at, end = span
    while at + 8 <= end:
        if next(left, None) is None:
            raise TooManyBoxesError("more boxes than any film has")
        file.seek(at)
        head = file.read(16)
        size, inner, name = int.from_bytes(head[:4]), at + 8, head[4:8]
        if size == 1:
            size, inner = int.from_bytes(head[8:16]), at + 16
        after = at + size if size else end
        if len(head) < 8 or after < inner:
            return
        if name == _PACKED:
            raise TooManyBoxesError("its head is packed")
        yield name, (inner, min(after, end))
        at = after


def _number(file: BinaryIO, at: int) -> int:
    return int.from_bytes(_bytes(file, at))


def _bytes(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(4)
