"""Writes animated PNGs (PNG, third edition, 4.9): each frame is a PNG of Pillow's.

Pillow's own writer of animations keeps all frames in memory.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from typing import BinaryIO

from nstd.images.encode import encode_image
from nstd.images.film.order import Order
from nstd.images.film.pacing import Timed

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST = 65_535


def write_apng(file: BinaryIO, order: Order, frames: Iterator[Timed]) -> None:
    """Write the frames; `file` must allow seeking."""
    loops = order.facts.loops
    numbers = count()
    at = written = 0
    for written, timed in enumerate(frames, 1):
        frame = timed.frame
        text = order.recipe if written == 1 else ""
        data = encode_image(frame.pixels, alpha=frame.alpha, format="png", recipe=text)
        chunks = list(_chunks(data))
        if written == 1:
            file.write(_SIGNATURE + _chunk(*chunks[0]))
            at = file.tell()
            file.write(_control(0, loops))
            for name, content in chunks[1:]:
                if name not in (b"IDAT", b"IEND"):
                    file.write(_chunk(name, content))
        file.write(
            _chunk(b"fcTL", _timing(next(numbers), chunks[0][1], timed.duration * order.unit))
        )
        for name, content in chunks:
            if name == b"IDAT" and written == 1:
                file.write(_chunk(b"IDAT", content))
            elif name == b"IDAT":
                file.write(_chunk(b"fdAT", struct.pack(">I", next(numbers)) + content))
    file.write(_chunk(b"IEND", b""))
    file.seek(at)
    file.write(_control(written, loops))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def _control(frames: int, loops: int) -> bytes:
    return _chunk(b"acTL", struct.pack(">2I", frames, loops))


def _timing(number: int, header: bytes, duration: Fraction) -> bytes:
    """The content of fcTL: the whole picture replaces the one before."""
    width, height = struct.unpack_from(">2I", header)
    duration = min(duration, Fraction(_LARGEST))
    if duration.numerator > _LARGEST or duration.denominator > _LARGEST:
        duration = duration.limit_denominator(int(_LARGEST / max(Fraction(1), duration)))
    parts = duration.numerator, duration.denominator
    return struct.pack(">5I2H2B", number, width, height, 0, 0, *parts, 0, 0)
