"""Writes animated WebPs (RFC 9649): each frame is a WebP of Pillow's.

Pillow's own writer of animations keeps all frames in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from nstd.images.encode import encode_image
from nstd.images.film.order import Order
from nstd.images.film.pacing import Timed

_HEAD = 12
_ICC, _ALPHA, _EXIF, _ANIMATION = 0x20, 0x10, 0x08, 0x02
"""The flags of VP8X."""
_REPLACED = 0x02
"""The flag of a frame that replaces what was there, instead of being laid over it."""
_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")


def write_webp(file: BinaryIO, order: Order, frames: Iterator[Timed]) -> None:
    """Write the frames, whose times are in milliseconds."""
    loops = min(order.facts.loops, 65_535)
    metadata: dict[bytes, bytes] = {}
    for timed in frames:
        frame = timed.frame
        text = "" if metadata else order.recipe
        data = encode_image(frame.pixels, alpha=frame.alpha, format="webp", recipe=text)
        chunks = dict(_chunks(data))
        size = _size(frame.pixels.shape)
        if not metadata:
            metadata = chunks
            flags = _ICC | _EXIF | _ANIMATION | (_ALPHA if frame.alpha is not None else 0)
            file.write(b"RIFF\0\0\0\0WEBP" + _chunk(b"VP8X", struct.pack("<I", flags) + size))
            file.write(_chunk(b"ICCP", chunks[b"ICCP"]))
            file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, loops)))
        head = bytes(6) + size + struct.pack("<I", timed.duration)[:3] + bytes([_REPLACED])
        pixels = b"".join(_chunk(name, chunks[name]) for name in _PIXELS if name in chunks)
        file.write(_chunk(b"ANMF", head + pixels))
    file.write(_chunk(b"EXIF", metadata[b"EXIF"]))
    length = file.tell() - 8
    file.seek(4)
    file.write(struct.pack("<I", length))


def _size(shape: tuple[int, ...]) -> bytes:
    height, width = shape[:2]
    return struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _HEAD
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
